"""Shapes of joins: outer, cross, non-equi, USING, of a table with itself, of three tables, and groups over them.

Owns: those entries of `SHAPES`. Promises: as `shapes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tests.simulation.queries import Draft
from tests.simulation.relations import Relation, quote
from tests.simulation.shapes import Column, Parts, beside_total, by_sets, draft, listed, shape


def _pair(parts: Parts, verb: str, condition: str | None = None) -> Draft:
    """Two tables side by side; a pair is identified by both keys."""
    right = parts.table()
    left = parts.table(right)
    on = condition or parts.link(right, left, "b", "a") + parts.condition(left, "a", 0.2)
    if verb in ("FULL JOIN",):
        on = parts.link(right, left, "b", "a")
    key = [*parts.key(left, "a"), *parts.key(right, "b")]
    columns = listed(*key, *parts.terms(left, "a"), *parts.terms(right, "b"))
    side, alias = parts.rng.choice(((left, "a"), (right, "b")))
    where = parts.where(side, alias, 0.35)
    on = f" ON {on}"
    if verb == "CROSS JOIN":
        on, where = "", f" WHERE {parts.few(left, 'a')} AND {parts.few(right, 'b')}"
    return draft(f"SELECT {columns} FROM {left.quoted} a {verb} {right.quoted} b{on}{where}", key, left, right)


@shape("inner-join")
def _inner(parts: Parts) -> Draft:
    return _pair(parts, "JOIN")


@shape("left-join")
def _left(parts: Parts) -> Draft:
    return _pair(parts, "LEFT JOIN")


@shape("right-join")
def _right(parts: Parts) -> Draft:
    return _pair(parts, "RIGHT JOIN")


@shape("full-join")
def _full(parts: Parts) -> Draft:
    return _pair(parts, "FULL JOIN")


@shape("cross-join")
def _cross(parts: Parts) -> Draft:
    return _pair(parts, "CROSS JOIN")


@shape("theta-join")
def _theta(parts: Parts) -> Draft:
    right = parts.table()
    left = parts.table(right)
    on = f"{parts.column(left, 'a', ('int',))} {parts.rng.choice(('<', '>=', '<>'))} {parts.column(right, 'b', ('int',))}"
    key = [*parts.key(left, "a"), *parts.key(right, "b")]
    columns = listed(*key, *parts.terms(left, "a"), *parts.terms(right, "b"))
    verb = parts.rng.choice(("JOIN", "LEFT JOIN"))
    on += f" AND {parts.few(right, 'b')}"
    where = f" WHERE {parts.few(left, 'a')}"
    return draft(f"SELECT {columns} FROM {left.quoted} a {verb} {right.quoted} b ON {on}{where}", key, left, right)


@shape("self-join")
def _self(parts: Parts) -> Draft:
    table = parts.table()
    on = parts.link(table, table, "b", "a")
    key = [*parts.key(table, "a"), *parts.key(table, "b")]
    columns = listed(*key, *parts.terms(table, "a"), *parts.terms(table, "b"))
    verb = parts.rng.choice(("JOIN", "LEFT JOIN", "LEFT JOIN"))
    where = parts.where(table, "a", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} a {verb} {table.quoted} b ON {on}{where}", key, table)


@shape("using-join")
def _using(parts: Parts) -> Draft:
    table = parts.table()
    verb = parts.rng.choice(("JOIN", "LEFT JOIN", "FULL JOIN"))
    names = ", ".join(quote(name) for name in table.key)
    inner = parts.where(table, "r", 0.8)
    other = f"(SELECT {', '.join(f'r.{quote(name)}' for name in table.key)}, {parts.column(table, 'r')} AS extra"
    other += f" FROM {table.quoted} r{inner}) b"
    columns = ", ".join(
        [*(f"{quote(name)} AS {quote(name)}" for name in table.key), f"b.extra AS {quote(parts.name())}"]
    )
    where = parts.where(table, "s", 0.5)
    left = f"(SELECT {', '.join(f's.{quote(name)}' for name in table.key)} FROM {table.quoted} s{where}) a"
    return Draft(f"SELECT {columns} FROM {left} {verb} {other} USING ({names})", table.key, (table,))


@shape("three-joins")
def _three(parts: Parts) -> Draft:
    third = parts.table()
    second = parts.table(third)
    first = parts.table(second)
    one, two = parts.single_link(second, first, "b", "a"), parts.single_link(third, second, "c", "b")
    key = parts.key(first, "a")
    columns = listed(*key, *parts.terms(first, "a", 1), *parts.terms(second, "b"), *parts.terms(third, "c"))
    verbs = parts.rng.choice(
        (("JOIN", "JOIN"), ("LEFT JOIN", "LEFT JOIN"), ("LEFT JOIN", "JOIN"), ("JOIN", "LEFT JOIN"))
    )
    side, alias = parts.rng.choice(((first, "a"), (third, "c")))
    where = parts.where(side, alias, 0.4)
    source = f"{first.quoted} a {verbs[0]} {second.quoted} b ON {one} {verbs[1]} {third.quoted} c ON {two}"
    return draft(f"SELECT {columns} FROM {source}{where}", key, first, second, third)


@shape("grouped-join")
def _grouped(parts: Parts) -> Draft:
    right = parts.table()
    left = parts.child(right)
    link = parts.link(right, left, "b", "a")
    side, alias, other, name = parts.rng.choice(((left, "a", right, "b"), (right, "b", left, "a")))
    key = [parts.term(side, alias, ("int", "text"), 0.8)]
    aggregates = [parts.aggregate(other, name), parts.aggregate(side, alias)]
    verb = parts.rng.choice(("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
    having = f" HAVING count(*) > {parts.rng.randint(0, 2)}" if parts.chance(0.3) else ""
    where = parts.where(left, "a", 0.3)
    source = f"{left.quoted} a {verb} {right.quoted} b ON {link}"
    return draft(
        f"SELECT {listed(*key, *aggregates)} FROM {source}{where} GROUP BY {key[0].expression}{having}",
        key,
        left,
        right,
    )


@shape("fan-out")
def _fan(parts: Parts) -> Draft:
    universe = parts.table()
    first, second = parts.child(universe), parts.child(universe)
    one, two = parts.link(universe, first, "u", "f"), parts.link(universe, second, "u", "g")
    key = parts.key(universe, "u")
    counted = parts.term(first, "f"), parts.term(second, "g")
    aggregates = [f"count(DISTINCT {item.expression}) AS {quote(item.name)}" for item in counted]
    group = ", ".join(item.expression for item in key)
    source = f"{universe.quoted} u LEFT JOIN {first.quoted} f ON {one} LEFT JOIN {second.quoted} g ON {two}"
    query = f"SELECT {listed(*key)}, {', '.join(aggregates)}, count(*) AS {quote(parts.name())} FROM {source}"
    return draft(f"{query}{parts.where(universe, 'u', 0.2)} GROUP BY {group}", key, universe, first, second)


def _added(parts: Parts, table: Relation, alias: str) -> Column:
    """An aggregate that can be added up."""
    for _ in range(20):
        found = parts.aggregate(table, alias)
        if not re.search(r"\b(min|max)\(", found.expression):
            return found
    return Column("count(*)", parts.name())


@shape("added-join")
def _added_join(parts: Parts) -> Draft:
    """Sums over inner joins of up to three scans, of one table with itself, too."""
    right = parts.table()
    left = right if parts.chance(0.25) else parts.child(right)
    source = f"{left.quoted} a JOIN {right.quoted} b ON {parts.link(right, left, 'b', 'a')}"
    scans = [(left, "a"), (right, "b")]
    if parts.chance(0.4):
        third = parts.table()
        other, alias = parts.rng.choice(scans)
        source += f" JOIN {third.quoted} c ON {parts.link(third, other, 'c', alias)}{parts.condition(third, 'c', 0.3)}"
        scans.append((third, "c"))
    keys = []
    for _ in range(parts.rng.choice((1, 1, 2))):
        table, alias = parts.rng.choice(scans)
        keys.append(Column(parts.column(table, alias, ("int", "text", "date", "bigint")), parts.name()))
    if len({one.expression for one in keys}) < len(keys):
        keys = keys[:1]
    aggregates = [_added(parts, *parts.rng.choice(scans)) for _ in range(parts.rng.randint(1, 3))]
    where = parts.where(left, "a", 0.4)
    having = f" HAVING count(*) > {parts.rng.randint(0, 2)}" if parts.chance(0.25) else ""
    groups = ", ".join(one.expression for one in keys)
    query = f"SELECT {listed(*keys, *aggregates)} FROM {source}{where} GROUP BY {groups}{having}"
    return draft(query, keys, *(table for table, _ in scans))


def _totals(parts: Parts, scans: Sequence[tuple[Relation, str]]) -> list[Column]:
    return [_added(parts, *parts.rng.choice(scans)) for _ in range(parts.rng.randint(1, 2))]


@shape("added-total", tick=True)
def _added_total(parts: Parts) -> Draft:
    """Sums over everything: one row, beside groups of the same rows, beside other sums, and of ROLLUP and CUBE."""
    right = parts.table()
    left = right if parts.chance(0.25) else parts.child(right)
    source = f"{left.quoted} a JOIN {right.quoted} b ON {parts.link(right, left, 'b', 'a')}"
    scans = [(left, "a"), (right, "b")]
    where = parts.where(left, "a", 0.3)
    form = parts.rng.choice(("one", "row", "beside", "figures", "sets", "sets"))
    if form == "one":
        having = " HAVING count(*) > 1" if parts.chance(0.2) else ""
        return draft(f"SELECT {listed(*_totals(parts, scans))} FROM {source}{where}{having}", [], left, right)
    if form == "row":
        # A row of figures over rows of their own.
        other = parts.table()
        counted = Column(f"(SELECT count(*) FROM {other.quoted} c{parts.where(other, 'c', 0.4)})", parts.name())
        figures = [Column(f"(SELECT {one.expression} FROM {source}{where})", one.name) for one in _totals(parts, scans)]
        return draft(f"SELECT {listed(counted, *figures)}", [], left, right, other)
    if parts.chance(0.5):
        source, scans = f"{left.quoted} a", scans[:1]
    if form == "figures":
        key = [Column("'one'", parts.name())]
        number = Column("count(*)", parts.name())
        other = parts.table()
        second = f"SELECT 'other', {parts.rng.choice(('count(*)', 'count(*) + 1'))} FROM {other.quoted} c"
        query = f"SELECT {listed(*key, number)} FROM {source}{where} UNION ALL {second}{parts.where(other, 'c', 0.4)}"
        return draft(query, key, left, right, other)
    one, two = (parts.column(*parts.rng.choice(scans), ("int", "text", "date")) for _ in range(2))
    if one == two:
        raise LookupError("one column")
    if form == "sets" and parts.postgres:
        forms = (
            f"ROLLUP ({one}, {two})",
            f"CUBE ({one}, {two})",
            f"GROUPING SETS (({one}), ())",
            f"{one}, CUBE ({two})",
        )
        by = parts.rng.choice(forms)
        named = [one] if two not in by else [one, two]
        query, key = by_sets(parts, by, named, f"{source}{where}", lambda: _totals(parts, scans))
        return draft(query, key, left, right)
    query, key = beside_total(parts, one, f"{source}{where}", lambda: _totals(parts, scans))
    return draft(query, key, left, right)
