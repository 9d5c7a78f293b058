"""Routes: from a changed row of each scan to the units that it can touch.

Owns: `routes_of`, `shorten`, `of_figures`. Promises: for each changed image, the units reached by its routes contain every
unit whose rows can differ; more units are harmless, because recomputing is idempotent.

A route uses conditions that join two scans as inner conditions, and no filter. Others on the way are read as current rows and
as old images, or a unit reachable only through two rows that vanished together would be lost. The rows of a function in FROM are
computed from whichever rows it is called with there, so that an image has the rows that it had.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tidemark.maintenance.program import KeyQuery
from tidemark.query.compared import figures_of, moved_by
from tidemark.query.flat import Calls, Flat
from tidemark.query.flatten import flatten
from tidemark.query.relation import Occurrence, Query, Scalar
from tidemark.query.seen import begins_alike, is_begun
from tidemark.query.unique import equality
from tidemark.query.units import are_identical


def routes_of(query: Query, unit: tuple[int, ...]) -> tuple[KeyQuery, ...]:
    """Every route of the query to its unit, the outputs at those positions. An empty unit is reached by any change."""
    found: list[KeyQuery] = []
    for occurrence in query.all_occurrences:
        if not unit:
            found.append(KeyQuery(occurrence, (), (), (), everywhere=True))
            continue
        mine: list[KeyQuery] = []
        for flat in flatten(query, occurrence.alias, frozenset(unit)):
            mine.append(_route(flat, occurrence.alias, unit))
        found += _fewest(mine)
    return tuple(found)


def _route(flat: Flat, start: str, unit: tuple[int, ...]) -> KeyQuery:
    values = [flat.values[position] for position in unit]
    changed = flat.scans[start]
    there = {*flat.scans, *flat.calls}
    known = tuple(value for value in values if value is not None and value.aliases <= there)
    edges = [edge for edge in flat.edges if len(edge.aliases) >= 2 and edge.aliases <= there]
    edges = [edge for edge in edges if begins_alike(edge, flat.scans)]
    targets = {alias for value in known for alias in value.aliases}
    reached = _connect(start, targets, edges, flat.calls)
    begun = {alias for value in known if is_begun(value) for alias in value.aliases}
    if len(known) < len(values) or (flat.sealed and not targets <= reached) or not begun <= reached:
        return KeyQuery(changed, (), (), (), everywhere=True)
    # What is not reached is a cross join: a row meets every row of the others.
    return _through(changed, _whole(reached | targets, edges, flat.calls), flat.scans, edges, known, flat.calls)


def _through(
    changed: Occurrence,
    reached: set[str],
    scans: Mapping[str, Occurrence],
    edges: Iterable[Scalar],
    values: tuple[Scalar, ...],
    calls: Calls,
) -> KeyQuery:
    """The route over what was reached."""
    joined = tuple(scans[alias] for alias in sorted(reached & scans.keys() - {changed.alias}))
    used = tuple(dict.fromkeys(edge for edge in edges if edge.aliases <= reached))
    return KeyQuery(changed, joined, used, values, calls=tuple(one for one in calls.values() if one.alias in reached))


def circles(routes: Iterable[KeyQuery]) -> dict[str, frozenset[str]]:
    """For each changed scan the others from which ways lead back to it, on which a way from it may depend, and those without a
    way of their own.

    Of rows that went together one lies nearest to the unit, and its way passes rows that are still there. Only where ways lead
    both from one scan to the other and back there is no nearest one.
    """
    ahead: dict[str, set[str]] = {}
    for route in routes:
        ahead.setdefault(route.changed.alias, set()).update(one.alias for one in route.joined)
    found = {alias: _all_ahead(ahead, alias) for alias in ahead}
    return {
        alias: frozenset(one for one in reached if one not in ahead or alias in found[one])
        for alias, reached in found.items()
    }


def _all_ahead(ahead: Mapping[str, set[str]], start: str) -> set[str]:
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        beyond = ahead.get(waiting.pop(), set()) - reached
        reached |= beyond
        waiting += beyond
    return reached


def shorten(routes: tuple[KeyQuery, ...]) -> tuple[KeyQuery, ...]:
    """The same routes, each ending at the first scan that has the unit: what a condition makes equal needs no look-up.

    More units may be reached: those of rows for which there is nothing to join.
    """
    by_scan: dict[str, list[KeyQuery]] = {}
    for route in routes:
        by_scan.setdefault(route.changed.alias, []).append(route if route.everywhere else _shortened(route))
    return tuple(route for mine in by_scan.values() for route in _fewest(mine))


def of_figures(query: Query, routes: tuple[KeyQuery, ...]) -> tuple[KeyQuery, ...]:
    """The same routes, those from a figure with which rows are compared no wider than what it moved over; where more than one
    comparison reads it, a change of it may touch everything."""
    return tuple(_of_figure(route, figures_of(query)) for route in routes)


def _of_figure(route: KeyQuery, figures: Mapping[str, tuple[Scalar, ...]]) -> KeyQuery:
    alias = route.changed.alias
    if alias not in figures or route.everywhere:
        return route
    tests = [one for one in route.on if alias in one.aliases]
    moved = moved_by(tests[0], alias, figures[alias]) if len(tests) == 1 else None
    if moved is None or any(alias in one.aliases for one in route.values) or route.calls:
        return KeyQuery(route.changed, (), (), (), everywhere=True)
    if equality(tests[0]) is not None:
        return route
    return replace(route, on=tuple(one for one in route.on if one is not tests[0]), between=moved)


def _shortened(route: KeyQuery) -> KeyQuery:
    start, edges = route.changed.alias, list(route.on)
    scans = {scan.alias: scan for scan in (route.changed, *route.joined)}
    calls = {one.alias: one for one in route.calls}
    values = tuple(_nearest(value, route, scans) for value in route.values)
    targets = {alias for value in values for alias in value.aliases}
    reached = _connect(start, targets, edges, calls)
    return _through(route.changed, reached, scans, edges, values, calls) if targets <= reached else route


def _nearest(value: Scalar, route: KeyQuery, scans: Mapping[str, Occurrence]) -> Scalar:
    """The column that is equal to the value on the way, in the scan that fewest look-ups lead to; else the value itself."""
    if value.column is None or value.column[0] not in scans:
        return value
    calls = {one.alias: one for one in route.calls}
    pairs = [
        (one.column, other.column)
        for one, other in filter(None, (equality(condition) for condition in route.on))
        if one.column is not None and other.column is not None and _are_identical(scans, one, other)
    ]
    equal, waiting = [value.column], [value.column]
    while waiting:
        here = waiting.pop()
        beside = {other for pair in pairs if here in pair for other in pair} - set(equal)
        equal += sorted(beside)
        waiting += sorted(beside)
    length = {
        column: len(_connect(route.changed.alias, {column[0]}, list(route.on), calls))
        for column in equal
        if column[0] in scans
    }
    nearest = min(length, key=lambda column: (length[column], column != value.column))
    return value if nearest == value.column else value.column_of(*nearest)


def _are_identical(scans: Mapping[str, Occurrence], *sides: Scalar) -> bool:
    columns = [side.column for side in sides if side.column is not None and side.column[0] in scans]
    if len(columns) < len(sides):
        return False
    one, other = (scans[alias].table.column(name) for alias, name in columns)
    return one is not None and other is not None and are_identical(one, other, sides[0].dialect)


def _connect(start: str, targets: set[str], edges: list[Scalar], calls: Calls) -> set[str]:
    """The aliases on shortest ways from `start` to `targets`.

    A way goes by equalities where it can: an inequality lets nearly every row meet every other, so that it narrows a way and is
    one only where there is no other. From a row to the rows of a function of it there is always a way.
    """
    parents: dict[str, str] = {}
    seen = {start: None}
    made = [one.call.aliases | {alias} for alias, one in calls.items()]
    equal = [edge.aliases for edge in edges if equality(edge) is not None]
    for usable in ([*made, *equal], [*made, *(edge.aliases for edge in edges)]):
        queue = [] if targets <= seen.keys() else list(seen)
        while queue:
            here = queue.pop(0)
            for aliases in usable:
                if here in aliases:
                    for alias in sorted(aliases - seen.keys()):
                        seen[alias] = None
                        parents[alias] = here
                        queue.append(alias)
    reached = {start}
    for target in sorted(targets & seen.keys()):
        alias = target
        while alias != start:
            reached.add(alias)
            alias = parents[alias]
    return _whole(reached, edges, calls)


def _whole(reached: set[str], edges: list[Scalar], calls: Calls) -> set[str]:
    """The same with what a function on the way is called with, and with all that a condition over three scans names."""
    grown = True
    while grown:
        before = len(reached)
        for alias in reached & calls.keys():
            reached = reached | calls[alias].call.aliases
        for edge in edges:
            if len(edge.aliases) > 2 and len(edge.aliases & reached) >= 2:
                reached = reached | edge.aliases
        grown = len(reached) > before
    return reached


def _fewest(routes: list[KeyQuery]) -> list[KeyQuery]:
    """The routes without those that another one includes."""
    if any(route.everywhere for route in routes):
        return [next(route for route in routes if route.everywhere)]
    found: list[KeyQuery] = []
    for route in sorted(routes, key=lambda one: (len(one.joined), len(one.on))):
        if not any(_includes(other, route) for other in found):
            found.append(route)
    return found


def _includes(wide: KeyQuery, narrow: KeyQuery) -> bool:
    """True when every unit that `narrow` reaches is reached by `wide`, which asks for less."""
    aliases = {scan.alias for scan in narrow.joined}
    return (
        wide.values == narrow.values
        and all(scan.alias in aliases for scan in wide.joined)
        and set(wide.calls) <= set(narrow.calls)
        and set(wide.on) <= set(narrow.on)
    )
