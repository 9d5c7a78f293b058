"""The keyed class: the universal plan. Which keys can a change touch, and by which way.

Owns: the ways (`KeyQuery`) from every occurrence of a query to its key. Promises: for each changed image, the keys reached by
its ways contain every key whose row can differ; more keys are harmless, because recomputing is idempotent.

A way uses conditions that join two occurrences (ON, WHERE, a subquery's correlation, IN) as inner conditions, and no filter.
Others on the way are read as current rows and as old images, or a key reachable only through two rows that vanished together
would be lost. A key column of an outer-joined occurrence is also taken as NULL, since a match that comes or goes moves the row
from or to the group of NULL.
"""

from __future__ import annotations

from itertools import combinations

from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram, KeyPart, KeyQuery, Part, text
from tidemark.model import OutputColumn
from tidemark.query.keys import KeyColumn
from tidemark.query.parse import place_of
from tidemark.query.relation import Block, Occurrence, Scalar

_FLOATS = ("real", "double precision")


def keyed_program(
    name: str,
    block: Block,
    key: tuple[KeyColumn, ...],
    outputs: tuple[OutputColumn, ...],
    reason: str,
    unwatched: frozenset[str] = frozenset(),
) -> KeyedProgram:
    """The program of a block. A change of an `unwatched` source, given by its label, makes nothing dirty.

    Raises `Refusal` when keys cannot be bounded.
    """
    _check(block, key)
    described = {column.name: column for column in outputs}
    parts = []
    for output in block.outputs:
        if output.name in {column.name for column in key}:
            continue
        column = described[output.name]
        summing = any(call.function in ("sum", "avg", "total") for call in block.aggregates) or bool(block.nested)
        floating = column.type in _FLOATS if block.dialect.has_schemas else summing
        value = text(output.scalar)
        parts.append(Part(output.name, "copied", column.type, value, value, column.collation, floating=floating))
    key_parts = tuple(
        KeyPart(column.name, described[column.name].type, described[column.name].collation, column.nullable)
        for column in key
    )
    scalars = tuple(column.output.scalar for column in key)
    watched = [one for one in block.all_occurrences if one.table.label not in unwatched]
    routes = tuple(way for occurrence in watched for way in _ways(block, scalars, occurrence))
    reads: dict[str, tuple[str, ...]] = {}
    for occurrence in watched:
        label = occurrence.table.label
        names = set(reads.get(label, ())) | set(block.reads(occurrence.alias))
        reads[label] = tuple(column.name for column in occurrence.table.columns if column.name in names)
    return KeyedProgram(name, key_parts, key_parts, block, scalars, tuple(parts), routes, reads, (reason,))


def _check(block: Block, key: tuple[KeyColumn, ...]) -> None:
    if not key:
        raise Refusal(
            Code.UNSUPPORTED,
            "One row over several sources, or with DISTINCT, changes with every change.",
            instead="GROUP BY a column, or an aggregate without DISTINCT over one source",
        )
    if block.distinct and block.is_aggregated:
        raise Refusal(
            Code.UNSUPPORTED, "DISTINCT over aggregates is not kept true yet.", instead="the query without DISTINCT"
        )
    for column in key:
        if column.output.scalar.has_subquery:
            raise Refusal(Code.KEY_UNPROVEN, f"The key column {column.name} is a subquery.", instead="a column")
    for nested in block.nested:
        if nested.form == "in" and not nested.stands_alone:
            raise Refusal(
                Code.SUBQUERY_SHAPE,
                "IN over a subquery depends on every row of it when a NULL appears, unless it stands alone in WHERE.",
                instead="EXISTS, or NOT EXISTS",
                place=place_of(nested.block.tree, block.dialect),
            )
        if nested.block.nested:
            raise Refusal(
                Code.SUBQUERY_SHAPE,
                "A subquery inside a subquery is not kept true yet.",
                instead="one subquery with a join",
                place=place_of(nested.block.tree, block.dialect),
            )


def _ways(block: Block, key: tuple[Scalar, ...], changed: Occurrence) -> list[KeyQuery]:
    """Every way from one occurrence to the key: one for each choice of outer-joined occurrences taken as NULL."""
    wanted = {alias for scalar in key for alias in scalar.aliases}
    optional = [o for o in block.occurrences if o.kind == "left" and o.alias in wanted]
    found = []
    for size in range(len(optional) + 1):
        for empty in combinations(optional, size):
            targets = wanted - {occurrence.alias for occurrence in empty}
            found.append(_way(block, changed, targets, empty))
    return found


def _way(block: Block, changed: Occurrence, targets: set[str], empty: tuple[Occurrence, ...]) -> KeyQuery:
    edges = _edges(block, changed)
    by_alias = {occurrence.alias: occurrence for occurrence in block.all_occurrences}
    reached, used = _connect(changed.alias, targets, edges)
    missing = targets - reached
    if missing:
        names = ", ".join(by_alias[alias].table.label for alias in sorted(missing))
        raise Refusal(
            Code.UNSUPPORTED,
            f"A change of {changed.table.label} reaches every row of {names}: no condition joins them.",
            instead="a join condition between them",
        )
    joined = tuple(by_alias[alias] for alias in sorted(reached - {changed.alias}))
    return KeyQuery(changed, joined, tuple(used), empty)


def _edges(block: Block, changed: Occurrence) -> list[Scalar]:
    """Conditions between occurrences that hold whenever the change matters. A filter in WHERE on an outer-joined
    occurrence may hold just when nothing matches, so it is no edge."""
    optional = {occurrence.alias for occurrence in block.occurrences if occurrence.kind == "left"}
    found = [scalar for occurrence in block.occurrences for scalar in occurrence.on]
    found += [scalar for scalar in block.where if not scalar.has_subquery and not (scalar.aliases & optional)]
    for nested in block.nested:
        inner = nested.block
        if changed.alias in {occurrence.alias for occurrence in inner.all_occurrences}:
            found += [scalar for occurrence in inner.occurrences for scalar in occurrence.on]
            found += list(inner.where)
            found += [nested.match] if nested.match is not None else []
    return [scalar for scalar in found if len(scalar.aliases) >= 2 and not scalar.has_subquery]


def _connect(start: str, targets: set[str], edges: list[Scalar]) -> tuple[set[str], list[Scalar]]:
    """The aliases on shortest ways from `start` to `targets`, and every condition among them."""
    parents: dict[str, str] = {}
    queue, seen = [start], {start}
    while queue:
        here = queue.pop(0)
        for edge in edges:
            if here in edge.aliases:
                for alias in sorted(edge.aliases - seen):
                    seen.add(alias)
                    parents[alias] = here
                    queue.append(alias)
    reached = {start}
    for target in targets & seen:
        alias = target
        while alias != start:
            reached.add(alias)
            alias = parents[alias]
    # A condition over three occurrences needs all of them: bring in what it names.
    grown = True
    while grown:
        grown = False
        for edge in edges:
            if len(edge.aliases) > 2 and len(edge.aliases & reached) >= 2 and not edge.aliases <= reached:
                reached |= edge.aliases
                grown = True
    return reached, [edge for edge in edges if edge.aliases <= reached]
