"""Derived tables that read derived tables, to any depth, some of them over stages of what they read.

Owns: the shape ``cascade``: the first of a world reads the application's tables, each one after it reads one before it.
Promises: as `shapes`; the option ``columns`` names the counted columns that readers may use, ``reads`` tells that it reads.
"""

from __future__ import annotations

from tests.simulation.case import Derived
from tests.simulation.queries import Draft
from tests.simulation.relations import Relation, quote
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
    if parts.chance(0.4):
        return _over_stages(parts, source, keys, columns)
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


def _over_stages(parts: Parts, source: str, keys: list[str], columns: list[str]) -> Draft:
    """What is taken together of groups of a derived table, or of its rows as joins and subqueries find them."""
    form = parts.rng.choice(("groups", "groups", "total", "rows", "joined", "tested", "figures"))
    key, number, other = (quote(parts.rng.choice(names)) for names in (keys, columns, columns))
    calls = ("count({})", "sum({})", "max({})", "count(DISTINCT {})", "sum(DISTINCT {})")

    def shown(*values: str) -> list[Column]:
        texts = [parts.rng.choice(calls).format(parts.rng.choice(values)) for _ in range(2)]
        return [Column(text, parts.name()) for text in dict.fromkeys(("count(*)", *texts))]

    grouped = f"(SELECT s.{key} AS k, count(s.{number}) AS n, {parts.rng.choice(('sum', 'max'))}(s.{other}) AS v "
    grouped += f"FROM {source} s GROUP BY s.{key}) g"
    if form == "groups":
        by = parts.rng.choice(("g.n", "g.v"))
        return _made([Column(by, parts.name())], shown("g.n", "g.v"), f"FROM {grouped} GROUP BY {by}")
    if form == "total":
        return _made([], shown("g.n", "g.v"), f"FROM {grouped}")
    if form == "rows":
        return _made([], shown(f"s.{number}", f"s.{other}"), f"FROM {source} s")
    table = parts.table()
    on = f"{parts.column(table, 'a', ('int',))} = s.{number}"
    tested = f"FROM {source} s WHERE {parts.rng.choice(('', 'NOT '))}EXISTS (SELECT 1 FROM {table.quoted} a WHERE {on})"
    joined = f"FROM {source} s {parts.rng.choice(('LEFT', 'RIGHT'))} JOIN {table.quoted} a ON {on}"
    if form == "figures":
        rests = [parts.rng.choice((joined, tested, f"FROM {source} s", f"FROM {table.quoted} s")) for _ in range(3)]
        texts = [
            f"(SELECT {parts.rng.choice(('count(*)', 'count(DISTINCT s.{})', 'max(s.{})'))} {one})" for one in rests
        ]
        own = parts.column(table, "s", ("int",)).removeprefix("s.")
        figures = [
            text.format(own if one.startswith(f"FROM {table.quoted} s") else number)
            for text, one in zip(texts, rests, strict=True)
        ]
        return _made([], [Column(text, parts.name()) for text in figures], "", table)
    return _made([], shown(f"s.{number}", f"s.{other}"), joined if form == "joined" else tested, table)


def _made(key: list[Column], counted: list[Column], rest: str, *tables: Relation) -> Draft:
    query = f"SELECT {listed(*key, *counted)} {rest}"
    return Draft(query, draft(query, key).key, tables, {"columns": [one.name for one in counted]})
