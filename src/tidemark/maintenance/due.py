"""What becomes due as time passes: rows that enter or leave a result although nobody writes.

Owns: `find_due`. Promises: between two moments, every unit whose rows differ is reached by a test whose truth differs for a row
that is there now, or everything is due. A row that came, went or changed meanwhile is reached by its own routes, so that rows
as they are now are enough here.
"""

from __future__ import annotations

from tidemark.maintenance.program import Due, DueTest, KeyQuery
from tidemark.query.moment import looks, sides
from tidemark.query.relation import Query, Scalar


def find_due(query: Query, routes: tuple[KeyQuery, ...], moment: str, seconds: float) -> Due | None:
    """How time makes units of the query due, by the routes of all of its scans; None when it reads no clock."""
    found = [look for block in query.blocks for look in looks(block)]
    if not found:
        return None
    tests = [_test(test, routes) if test is not None else None for test in found]
    everything = any(test is None for test in tests)
    return Due(moment, tuple(dict.fromkeys(test for test in tests if test is not None)), everything, seconds)


def _test(test: Scalar, routes: tuple[KeyQuery, ...]) -> DueTest | None:
    """The test with its routes: those of a scan from which the others it names are reached."""
    made = {call.alias: call.call.aliases for route in routes for call in route.calls}
    starts = test.aliases | {alias for one in test.aliases for alias in made.get(one, frozenset())}
    for alias in sorted(starts):
        mine = tuple(route for route in routes if route.changed.alias == alias)
        if mine and all(_covers(route, test) for route in mine):
            return DueTest(test, mine, *sides(test))
    return None


def _covers(route: KeyQuery, test: Scalar) -> bool:
    there = {route.changed.alias, *(scan.alias for scan in route.joined), *(call.alias for call in route.calls)}
    return not route.everywhere and test.aliases <= there
