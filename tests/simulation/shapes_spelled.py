"""Shapes that say in another way what other shapes say: lists of VALUES, groups by the name of an output, texts of different
values, rows without a match, functions with their schema, values that settings of a session spell.

Owns: those entries of `SHAPES`. Promises: as `shapes`.
"""

from __future__ import annotations

from tests.simulation.queries import Draft
from tests.simulation.relations import quote
from tests.simulation.shapes import PLAIN, Column, Parts, draft, listed, shape

_LISTED = ("int", "text", "bigint", "date")


@shape("listed-values")
def _values(parts: Parts) -> Draft:
    table = parts.queries.table()
    kind = parts.rng.choice([kind for kind in _LISTED if table.of_kind(kind)] or ["none"])
    mine = parts.column(table, "f", (kind,))
    drawn = [f"({parts.scalars.literal(kind)}, {parts.rng.randint(0, 1)})" for _ in range(parts.rng.randint(1, 4))]
    values = f"(VALUES {', '.join(drawn)})"
    if parts.chance(0.3):
        operand = f"({mine}, 1)" if parts.chance(0.5) else mine
        wanted = values if operand != mine else f"(VALUES {', '.join(one.rpartition(', ')[0] + ')' for one in drawn)})"
        key = [Column(parts.column(table, "f", _LISTED), parts.name())]
        columns = listed(*key, Column("count(*)", parts.name()))
        test = f"{operand} {parts.rng.choice(('IN', 'NOT IN'))} {wanted}"
        return draft(f"SELECT {columns} FROM {table.quoted} f WHERE {test} GROUP BY {key[0].expression}", key, table)
    key = [Column("v.column1", parts.name()), Column("v.column2", parts.name())]
    counted = f"count(f.{quote(table.fields[0].name)})"
    columns = listed(*key, Column("count(*)", parts.name()), Column(counted, parts.name()))
    more = parts.condition(table, "f", 0.3)
    verb = parts.rng.choice(("JOIN", "LEFT JOIN"))
    item = f"{values} AS v {verb} {table.quoted} f ON {mine} = v.column1{more}"
    return draft(f"SELECT {columns} FROM {item} GROUP BY v.column1, v.column2", key, table)


@shape("listed-beside-rows", "postgres")
def _beside(parts: Parts) -> Draft:
    table = parts.table()
    kind = parts.rng.choice([kind for kind in _LISTED if table.of_kind(kind)] or ["none"])
    drawn = [f"({place}, {parts.column(table, 't', (kind,))})" for place in range(parts.rng.randint(1, 3))]
    item = f"{table.quoted} t, LATERAL (VALUES {', '.join(drawn)}) AS v(place, what)"
    where = parts.where(table, "t", 0.3)
    if parts.chance(0.5):
        key = [*parts.key(table, "t"), Column("v.place", parts.name())]
        return draft(f"SELECT {listed(*key, Column('v.what', parts.name()))} FROM {item}{where}", key, table)
    key = [Column("v.what", parts.name())]
    columns = listed(*key, Column("count(*)", parts.name()), Column("max(v.place)", parts.name()))
    return draft(f"SELECT {columns} FROM {item}{where} GROUP BY v.what", key, table)


@shape("named-groups")
def _named(parts: Parts) -> Draft:
    table = parts.queries.table()
    key = [parts.term(table, "g", PLAIN, 0.3)]
    columns = listed(*key, parts.aggregate(table, "g"), parts.aggregate(table, "g"))
    where = parts.where(table, "g", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {quote(key[0].name)}", key, table)


@shape("different-in-order", "postgres")
def _different(parts: Parts) -> Draft:
    table = parts.table()
    key = [parts.term(table, "g", ("int", "text"), 0.7)]
    value = f"CAST({parts.column(table, 'g', ('int', 'bigint', 'text'))} AS text)"
    order = f"ORDER BY {value}{parts.rng.choice((' DESC', '', ' NULLS FIRST'))}"
    call = parts.rng.choice((f"string_agg(DISTINCT {value}, {value} {order})", f"array_agg(DISTINCT {value} {order})"))
    if parts.chance(0.3):
        call += f" FILTER (WHERE {parts.scalars.predicate(table, 'g')})"
    elif parts.chance(0.3):
        call = f"pg_catalog.{call}"
    columns = listed(*key, Column(call, parts.name()))
    where = parts.where(table, "g", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {key[0].expression}", key, table)


@shape("without-match")
def _without_match(parts: Parts) -> Draft:
    universe, child = parts.table(), parts.table()
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
    key = parts.key(universe, "u")
    columns = listed(*key, *parts.terms(universe, "u", 1))
    empty = f"f.{quote(child.key[0])} IS NULL{parts.condition(universe, 'u', 0.3)}"
    query = f"SELECT {columns} FROM {universe.quoted} u LEFT JOIN {child.quoted} f ON {link} WHERE {empty}"
    return draft(query, key, universe, child)


@shape("only-subqueries", allow_global=True)
def _only_subqueries(parts: Parts) -> Draft:
    """One row whose columns are made of aggregates over a table each, some of one table."""
    tables = [parts.queries.table() for _ in range(parts.rng.randint(1, 3))]
    totals = []
    for place in range(parts.rng.randint(len(tables), 4)):
        one = tables[place % len(tables)]
        rows = f"FROM {one.quoted} f{parts.where(one, 'f', 0.4)}"
        total = f"(SELECT {parts.queries.aggregate(one, 'f')} {rows})"
        if parts.chance(0.2):
            total = f"{parts.rng.choice(('', 'NOT '))}EXISTS (SELECT 1 {rows})"
        elif parts.chance(0.2):
            total = f"(SELECT count(*) {rows}) * {parts.rng.randint(1, 3)}"
        totals.append(Column(total, parts.name()))
    return draft(f"SELECT {listed(*totals)}", [], *tables)


@shape("spelled-keys", spelled=True)
def _spelled_keys(parts: Parts) -> Draft:
    """Groups of equal values that are all spelled alike, so that how is no matter of choice."""
    table, keys = parts.queries.table(), []
    sqlite = parts.queries.world.engine == "sqlite"
    for field in table.fields:
        if "NOCASE" in field.collate:
            keys.append((field, f"g.{field.quoted} COLLATE BINARY"))
        elif field.kind in ("folded", "number") and not sqlite:
            keys.append((field, f'CAST(g.{field.quoted} AS text) COLLATE "C"'))
    if not keys:
        raise LookupError("one spelling")
    field, spelled = parts.rng.choice(keys)
    key = [Column(f"g.{field.quoted}", parts.name())]
    if parts.chance(0.3):
        key.append(Column(parts.column(table, "g", ("int", "bigint")), parts.name()))
    counted = f"count(DISTINCT {parts.column(table, 'g', ('int', 'bigint', 'text'))})"
    shown = [Column("count(*)", parts.name())] if parts.chance(0.4) else []
    shown += [parts.aggregate(table, "g")] if parts.chance(0.5) else []
    shown += [Column(counted, parts.name())] if parts.chance(0.3) else []
    where, by = parts.where(table, "g", 0.3), ", ".join(one.expression for one in key)
    alike = f"HAVING min({spelled}) {'IS' if sqlite else 'IS NOT DISTINCT FROM'} max({spelled})"
    return draft(f"SELECT {listed(*key, *shown)} FROM {table.quoted} g{where} GROUP BY {by} {alike}", key, table)


@shape("converted", "postgres")
def _converted(parts: Parts) -> Draft:
    table = parts.table()
    kinds = ("int", "bigint", "text", "numeric", "boolean")
    some = [parts.term(table, "g", kinds, 0.7).expression for _ in range(parts.rng.randint(1, 3))]
    days = [parts.term(table, "g", ("date", "timestamp"), 0.7).expression] if table.of_kind("date", "timestamp") else []
    text = parts.rng.choice(
        (f"concat({', '.join(some)})", f"concat_ws('-', {', '.join(some)})", f"format('%s %L', 1, {some[0]})")
    )
    document = f"jsonb_build_array({', '.join(['1', *some, *days])})"
    calls = [text, document, f"jsonb_build_object('x', {some[0]}, 'y', {document})"]
    if table.of_kind("timestamp"):
        calls.append(f"to_char({parts.column(table, 'g', ('timestamp',))}, 'YYYY-MM')")
    one = parts.rng.choice(calls)
    if parts.chance(0.4):
        key = [Column(one, parts.name())]
        columns = listed(*key, parts.aggregate(table, "g"))
        where = parts.where(table, "g", 0.3)
        return draft(f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {quote(key[0].name)}", key, table)
    if parts.chance(0.4):
        key = [parts.term(table, "g", ("int", "text"), 0.7)]
        columns = listed(*key, Column(f"jsonb_agg({one} ORDER BY {parts.order(table, 'g')})", parts.name()))
        return draft(f"SELECT {columns} FROM {table.quoted} g GROUP BY {key[0].expression}", key, table)
    key = parts.key(table, "g")
    return draft(
        f"SELECT {listed(*key, Column(one, parts.name()))} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}",
        key,
        table,
    )


@shape("settings-spell", "postgres")
def _settings_spell(parts: Parts) -> Draft:
    """What the server calls immutable, and other settings of a session spell in another way."""
    table = parts.table()
    value = parts.column(table, "g", ("int", "bigint"))
    some = [
        Column(f"CAST(CAST({value} AS double precision) / 3 AS text)", parts.name()),
        Column(f"CAST(decode(md5(CAST({value} AS text)), 'hex') AS text)", parts.name()),
        Column(f"'a\\n' || CAST({value} AS text)", parts.name()),
        Column(f"CASE WHEN {value} = NULL THEN 1 ELSE 2 END", parts.name()),
    ]
    parts.rng.shuffle(some)
    if parts.chance(0.5):
        key = some[:1]
        columns = listed(*key, parts.aggregate(table, "g"), Column(f"max({some[1].expression})", parts.name()))
        where = parts.where(table, "g", 0.3)
        return draft(f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {quote(key[0].name)}", key, table)
    key = parts.key(table, "g")
    return draft(f"SELECT {listed(*key, *some[:2])} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}", key, table)


@shape("around-groupings", "postgres", allow_global=True)
def _around_groupings(parts: Parts) -> Draft:
    table = parts.queries.table()
    fields = table.of_kind("int", "text", "date")
    if len(fields) < 2:
        raise LookupError("one column")
    one, two = (f"g.{field.quoted}" for field in parts.rng.sample(list(fields), 2))
    by = parts.rng.choice((f"ROLLUP ({one}, {two})", f"CUBE ({one}, {two})", f"GROUPING SETS (({one}), ({two}), ())"))
    level = f"grouping({one}, {two})"
    columns = [Column(name, parts.name()) for name in (one, two, level)]
    # PostgreSQL takes a column that WHERE makes equal to a constant for that constant in the rows that roll it up, too, and loses
    # rows of its own to DISTINCT and PARTITION BY (see docs/why/own-spelling.md): it sees no equality in this.
    where = f" WHERE ({parts.scalars.predicate(table, 'g')}) IS TRUE" if parts.chance(0.3) else ""
    item = f"FROM {table.quoted} g{where} GROUP BY {by}"
    if parts.chance(0.4):
        key = [*columns[:2], Column("count(*)", parts.name())]
        return draft(f"SELECT DISTINCT {listed(*key)} {item}", key, table)
    part = parts.rng.choice((one, two, level))
    windows = (f"rank() OVER (PARTITION BY {part} ORDER BY count(*) DESC)", f"sum(count(*)) OVER (PARTITION BY {part})")
    return draft(f"SELECT {listed(*columns, Column(parts.rng.choice(windows), parts.name()))} {item}", columns, table)
