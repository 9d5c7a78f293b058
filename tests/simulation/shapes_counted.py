"""Shapes of values that are counted beside the groups of a join: extremes and different values of totals.

Owns: ``counted-total`` and ``counted-join``. Promises: as `shapes`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.queries import Draft
from tests.simulation.relations import Relation
from tests.simulation.shapes import Column, Parts, beside_total, by_sets, draft, listed, shape

ORDERED = ("int", "text", "date", "bigint", "timestamp")
"""Kinds of columns whose equal values are the same."""


def _counted(parts: Parts, scans: Sequence[tuple[Relation, str]]) -> list[Column]:
    """An aggregate or two that values are counted for, and one that is added up."""
    found = []
    for _ in range(parts.rng.randint(1, 2)):
        table, alias = parts.rng.choice(scans)
        value = parts.column(table, alias, ORDERED)
        call = parts.rng.choice(("min({})", "max({})", "count(DISTINCT {})", "count(DISTINCT {})")).format(value)
        if parts.chance(0.3):
            call += f" FILTER (WHERE {parts.scalars.predicate(table, alias)})"
        found.append(Column(call, parts.name()))
    return [*found, *([Column("count(*)", parts.name())] if parts.chance(0.5) else [])]


def _source(parts: Parts) -> tuple[str, str, list[tuple[Relation, str]]]:
    """FROM, WHERE and the scans of a join of two."""
    right = parts.table()
    left = right if parts.chance(0.25) else parts.child(right)
    source = f"{left.quoted} a JOIN {right.quoted} b ON {parts.link(right, left, 'b', 'a')}"
    return source, parts.where(left, "a", 0.3), [(left, "a"), (right, "b")]


@shape("counted-total", tick=True)
def _counted_total(parts: Parts) -> Draft:
    """Extremes and counts of different values over everything: alone, in a row of figures, beside groups, and of ROLLUP."""
    source, where, scans = _source(parts)
    (left, _), (right, _) = scans
    form = parts.rng.choice(("one", "row", "beside", "sets", "matches"))
    if form == "matches":
        link, inner = parts.link(right, left, "b", "a"), parts.condition(right, "b", 0.4)
        test = f"EXISTS (SELECT 1 FROM {right.quoted} b WHERE {link}{inner})"
        every = [*_counted(parts, scans[:1]), Column("count(*)", parts.name())]
        return draft(
            f"SELECT {listed(*every)} FROM {left.quoted} a WHERE {test}{parts.condition(left, 'a', 0.3)}",
            [],
            left,
            right,
        )
    if form == "one":
        return draft(f"SELECT {listed(*_counted(parts, scans))} FROM {source}{where}", [], left, right)
    if form == "row":
        figures = [
            Column(f"(SELECT {one.expression} FROM {source}{where})", one.name) for one in _counted(parts, scans)
        ]
        return draft(f"SELECT {listed(*figures)}", [], left, right)
    if parts.chance(0.4):
        source, scans = f"{left.quoted} a", scans[:1]
    one, two = (parts.column(*parts.rng.choice(scans), ("int", "text", "date")) for _ in range(2))
    if one == two:
        raise LookupError("one column")
    if form == "sets" and parts.postgres:
        by = parts.rng.choice((f"ROLLUP ({one}, {two})", f"CUBE ({one}, {two})", f"GROUPING SETS (({one}), ())"))
        named = [one] if two not in by else [one, two]
        query, key = by_sets(parts, by, named, f"{source}{where}", lambda: _counted(parts, scans))
        return draft(query, key, left, right)
    query, key = beside_total(parts, one, f"{source}{where}", lambda: _counted(parts, scans))
    return draft(query, key, left, right)


@shape("counted-join", tick=True, support=True)
def _counted_join(parts: Parts) -> Draft:
    """The same by groups of a join, where it is asked for."""
    source, where, scans = _source(parts)
    keys = [Column(parts.column(*parts.rng.choice(scans), ("int", "text", "date")), parts.name())]
    having = f" HAVING count(*) > {parts.rng.randint(0, 2)}" if parts.chance(0.25) else ""
    query = (
        f"SELECT {listed(*keys, *_counted(parts, scans))} FROM {source}{where} GROUP BY {keys[0].expression}{having}"
    )
    return draft(query, keys, *(table for table, _ in scans))
