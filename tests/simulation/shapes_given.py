"""Shapes over rows that are given: numbers that a recursion makes of nothing, texts in the order of a function's rows, and rows
of values that are compared with a row.

Owns: those entries of `SHAPES`. Promises: as `shapes`.
"""

from __future__ import annotations

from tests.simulation.queries import Draft
from tests.simulation.shapes import Column, Parts, draft, listed, shape


@shape("series")
def _series(parts: Parts) -> Draft:
    """Numbers beside what meets them, and those that nothing meets."""
    table = parts.table()
    met = parts.column(table, "g", ("int",))
    low, high = parts.rng.randint(-1, 2), parts.rng.randint(3, 6)
    union = parts.rng.choice(("UNION ALL", "UNION"))
    numbers = f"WITH RECURSIVE r(k) AS (SELECT {low} {union} SELECT r.k + 1 FROM r WHERE r.k < {high})"
    name, value = "r", "r.k"
    if parts.chance(0.3):
        numbers += ", s(v) AS (SELECT r.k * 2 FROM r WHERE r.k <> 3)"
        name, value = "s", "s.v"
    key = [Column(value, parts.name())]
    test = parts.rng.choice((f"{met} = {value}", f"{met} >= {value}", f"{met} = {value} AND {met} > {low}"))
    where = parts.condition(table, "g", 0.3)
    form = parts.rng.randint(0, 3)
    if form == 0:
        counted = Column(f"(SELECT count(*) FROM {table.quoted} g WHERE {test}{where})", parts.name())
        return draft(f"{numbers} SELECT {listed(*key, counted)} FROM {name}", key, table)
    if form == 1:
        mine = parts.key(table, "g")
        test = f"NOT EXISTS (SELECT 1 FROM {name} WHERE {value} = {met})"
        return draft(f"{numbers} SELECT {listed(*mine)} FROM {table.quoted} g WHERE {test}{where}", mine, table)
    verb = "LEFT JOIN" if form == 2 else "JOIN"
    columns = listed(*key, Column("count(*)", parts.name()), parts.aggregate(table, "g"))
    query = f"{numbers} SELECT {columns} FROM {name} {verb} {table.quoted} g ON {test}{where} GROUP BY {value}"
    return draft(query, key, table)


@shape("elements-in-order")
def _in_order(parts: Parts) -> Draft:
    """Texts and lists of the rows of one function, which nothing orders but the function."""
    table = parts.table()
    kinds = [kind for kind in ("int", "text", "date") if table.of_kind(kind)]
    if not kinds:
        raise LookupError("nothing to make elements of")
    fields = table.of_kind(parts.rng.choice(kinds))
    some = ", ".join(f"t.{parts.rng.choice(fields).quoted}" for _ in range(3))
    test = parts.rng.choice(("", " WHERE x.v IS NOT NULL", " WHERE CAST(x.v AS text) <> 'a'"))
    if parts.postgres:
        calls = ("array_agg(x.v)", "string_agg(CAST(x.v AS text), ',')")
        texts = [f"(SELECT {parts.rng.choice(calls)} FROM unnest(ARRAY[{some}]) x(v){test})"]
        texts += [f"ARRAY(SELECT x.v FROM unnest(ARRAY[{some}]) x(v){test})"]
    else:
        test = test.replace("x.v", "x.value")
        calls = ("group_concat(x.value)", "json_group_array(x.value)", "group_concat(x.key || '=' || x.value, ';')")
        texts = [f"(SELECT {parts.rng.choice(calls)} FROM json_each(json_array({some})) x{test})"]
    key = parts.key(table, "t")
    where = parts.where(table, "t", 0.3)
    columns = listed(*key, *(Column(text, parts.name()) for text in texts))
    return draft(f"SELECT {columns} FROM {table.quoted} t{where}", key, table)


@shape("rows-compared")
def _rows_compared(parts: Parts) -> Draft:
    """A row of values beside the one that a subquery gives: of a row found by its key, or of what aggregates say."""
    other = parts.table()
    table = parts.child(other)
    if not table.key:
        raise LookupError("nothing tells its rows apart")
    link = parts.link(other, table, "o", "t")
    first, second = (parts.column(table, "t", ("int",)) for _ in range(2))
    theirs = [parts.column(other, "o", ("int",)) for _ in range(2)]
    aggregated = parts.chance(0.5)
    values = f"max({theirs[0]}), min({theirs[1]})" if aggregated else ", ".join(theirs)
    inner = f"(SELECT {values} FROM {other.quoted} o WHERE {link})"
    if not aggregated:
        # Where the link is no key of the other table, one row is taken by its order.
        order = ", ".join(column.expression for column in parts.key(other, "o"))
        inner = f"{inner[:-1]} ORDER BY {order} LIMIT 1)"
    sign = parts.rng.choice(("=", "<>", "<", ">="))
    key = parts.key(table, "t")
    test = f"({first}, {second}) {sign} {inner}"
    if parts.chance(0.5):
        return draft(f"SELECT {listed(*key)} FROM {table.quoted} t WHERE {test}", key, table, other)
    return draft(f"SELECT {listed(*key, Column(test, parts.name()))} FROM {table.quoted} t", key, table, other)
