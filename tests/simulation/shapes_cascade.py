"""Derived tables that read derived tables, to any depth.

Owns: the shape ``cascade``: the first of a world reads the application's tables, each one after it reads one before it.
Promises: as `shapes`; the option ``columns`` names the counted columns that readers may use, ``reads`` tells that it reads.
"""

from __future__ import annotations

from tests.simulation.case import Derived
from tests.simulation.queries import Draft
from tests.simulation.relations import quote
from tests.simulation.shapes import Column, Parts, draft, listed, shape


@shape("cascade")
def _cascade(parts: Parts) -> Draft:
    above = [one for one in parts.queries.offered if one.family == "cascade" and one.key]
    if not above or (len(above) < 2 and parts.chance(0.3)):
        return _base(parts)
    found = _reader(parts, parts.rng.choice(above))
    return Draft(found.query, found.key, found.tables, {**found.options, "reads": True})


def _base(parts: Parts) -> Draft:
    table = parts.queries.table()
    by = dict.fromkeys(parts.column(table, "g", ("int", "text", "date")) for _ in range(2))
    key = [Column(text, parts.name()) for text in by]
    counted = [Column("count(*)", parts.name()), Column(f"sum({parts.column(table, 'g', ('int',))})", parts.name())]
    query = (
        f"SELECT {listed(*key, *counted)} FROM {table.quoted} g{parts.where(table, 'g', 0.4)} GROUP BY {', '.join(by)}"
    )
    return Draft(query, draft(query, key).key, (table,), {"columns": [one.name for one in counted]})


def _reader(parts: Parts, above: Derived) -> Draft:
    """A query over a derived table."""
    source, keys, columns = quote(above.name), list(above.key), list(above.options["columns"])
    first = f"s.{quote(parts.rng.choice(keys))}"
    number = f"s.{quote(parts.rng.choice(columns))}"
    few = (
        f" WHERE {number} {parts.rng.choice(('>', '<=', '<>'))} {parts.rng.randint(0, 3)}" if parts.chance(0.5) else ""
    )
    form = parts.rng.randrange(6)
    if form == 5:
        return _made(
            [], [Column(f"max({number})", parts.name()), Column("count(*)", parts.name())], f"FROM {source} s{few}"
        )
    if form == 0:
        key = [Column(f"s.{quote(name)}", parts.name()) for name in keys]
        counted = [Column(number, parts.name())]
        return _made(key, counted, f"FROM {source} s{few}")
    key = [Column(first, parts.name())]
    if form == 1:
        counted = [Column(f"max({number})", parts.name()), Column("count(*)", parts.name())]
        return _made(key, counted, f"FROM {source} s{few} GROUP BY {first}")
    if form == 2:
        counted = [Column("count(t." + quote(columns[0]) + ")", parts.name()), Column(f"sum({number})", parts.name())]
        on = f"t.{first[2:]} = {first} AND t.{quote(columns[0])} > 1"
        return _made(key, counted, f"FROM {source} s LEFT JOIN {source} t ON {on}{few} GROUP BY {first}")
    if form == 3:
        key = [Column(f"s.{quote(name)}", parts.name()) for name in keys]
        word = parts.rng.choice(("", "NOT "))
        test = f"{word}EXISTS (SELECT 1 FROM {source} t WHERE t.{first[2:]} = {first} AND t.{number[2:]} > {number})"
        return _made(key, [Column(number, parts.name())], f"FROM {source} s WHERE {test}")
    rank = f"row_number() OVER (PARTITION BY {first} ORDER BY {', '.join(f's.{quote(name)}' for name in keys)})"
    key = [Column(f"s.{quote(name)}", parts.name()) for name in keys]
    return _made(key, [Column(rank, parts.name())], f"FROM {source} s{few}")


def _made(key: list[Column], counted: list[Column], rest: str) -> Draft:
    query = f"SELECT {listed(*key, *counted)} {rest}"
    return Draft(query, draft(query, key).key, (), {"columns": [one.name for one in counted]})
