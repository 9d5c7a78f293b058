"""Shapes with subqueries: tests of existence, lists, scalars, subqueries and common tables in FROM, groups over groups.

Owns: those entries of `SHAPES`. Promises: as `shapes`.
"""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.queries import Draft
from tests.simulation.relations import Relation, quote
from tests.simulation.shapes import Column, Parts, draft, listed, shape


def _tested(parts: Parts, universe: Relation, test: str, *tables: Relation) -> Draft:
    """The rows of a universe that pass a test."""
    key = parts.key(universe, "u")
    columns = listed(*key, *parts.terms(universe, "u"))
    more = parts.condition(universe, "u", 0.25)
    return draft(f"SELECT {columns} FROM {universe.quoted} u WHERE {test}{more}", key, universe, *tables)


@shape("exists")
def _exists(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    negation = parts.rng.choice(("", "NOT "))
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.5)
    return _tested(parts, universe, f"{negation}EXISTS (SELECT 1 FROM {child.quoted} f WHERE {link})", child)


@shape("exists-in-exists")
def _exists_twice(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    outer = parts.link(universe, child, "u", "f")
    if child.key and parts.chance(0.6):
        grandchild = parts.child(child)
        inner = parts.link(child, grandchild, "f", "g")
    else:
        grandchild = parts.child(universe)
        inner = parts.link(universe, grandchild, "u", "g")
    words = [parts.rng.choice(("", "NOT ")) for _ in range(2)]
    inner += parts.condition(grandchild, "g", 0.4)
    nested = f"{words[1]}EXISTS (SELECT 1 FROM {grandchild.quoted} g WHERE {inner})"
    test = f"{words[0]}EXISTS (SELECT 1 FROM {child.quoted} f WHERE {outer} AND {nested})"
    return _tested(parts, universe, test, child, grandchild)


def _listed_in(parts: Parts, word: str) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    name = parts.rng.choice(universe.key) if len(universe.key) == 1 else universe.key[0]
    kind = universe.field(name).kind
    column = parts.column(child, "f", (kind,))
    where = parts.where(child, "f", 0.5)
    return _tested(parts, universe, f"u.{quote(name)} {word} (SELECT {column} FROM {child.quoted} f{where})", child)


@shape("in")
def _in(parts: Parts) -> Draft:
    return _listed_in(parts, "IN")


@shape("not-in", allow_global=True)
def _not_in(parts: Parts) -> Draft:
    return _listed_in(parts, "NOT IN")


@shape("not-in-correlated")
def _not_in_correlated(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    kind = parts.rng.choice(universe.fields).kind
    mine, theirs = parts.column(universe, "u", (kind,)), parts.column(child, "f", (kind,))
    link = parts.link(universe, child, "u", "f")
    word = parts.rng.choice(("IN", "NOT IN", "NOT IN"))
    return _tested(parts, universe, f"{mine} {word} (SELECT {theirs} FROM {child.quoted} f WHERE {link})", child)


@shape("scalar-test")
def _scalar_test(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
    test = f"(SELECT count(*) FROM {child.quoted} f WHERE {link}) {parts.rng.choice(('>', '=', '<'))} {parts.rng.randint(0, 2)}"
    return _tested(parts, universe, test, child)


@shape("scalar-columns")
def _scalars(parts: Parts) -> Draft:
    universe = parts.table()
    key = parts.key(universe, "u")
    columns, tables = [], [universe]
    for _ in range(parts.rng.randint(1, 3)):
        child, text = parts.queries.correlated(universe)
        columns.append(Column(text, parts.name()))
        tables.append(child)
    where = parts.where(universe, "u", 0.3)
    return draft(f"SELECT {listed(*key, *columns)} FROM {universe.quoted} u{where}", key, *tables)


@shape("capped-count")
def _capped(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.4)
    key = parts.key(universe, "u")
    inner = f"SELECT 1 FROM {child.quoted} f WHERE {link} LIMIT {parts.rng.randint(1, 3)}"
    capped = Column(f"(SELECT count(*) FROM ({inner}) x)", parts.name())
    columns = listed(*key, capped, *parts.terms(universe, "u", 1))
    return draft(f"SELECT {columns} FROM {universe.quoted} u{parts.where(universe, 'u', 0.3)}", key, universe, child)


@shape("latest-of")
def _latest_of(parts: Parts) -> Draft:
    universe, child = parts.table(), parts.table()
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
    key = parts.key(universe, "u")
    chosen = parts.column(child, "f", child.kinds)
    inner = f"SELECT {chosen} FROM {child.quoted} f WHERE {link} ORDER BY {parts.order(child, 'f')} LIMIT 1"
    columns = listed(*key, Column(f"({inner})", parts.name()))
    return draft(f"SELECT {columns} FROM {universe.quoted} u{parts.where(universe, 'u', 0.2)}", key, universe, child)


@shape("mode-of")
def _mode_of(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
    key = parts.key(universe, "u")
    value = parts.column(child, "f", ("int", "date", "bigint"))
    inner = (
        f"SELECT {value} FROM {child.quoted} f WHERE {link} GROUP BY {value} ORDER BY count(*) DESC, {value} LIMIT 1"
    )
    columns = listed(*key, Column(f"({inner})", parts.name()))
    return draft(f"SELECT {columns} FROM {universe.quoted} u{parts.where(universe, 'u', 0.2)}", key, universe, child)


@shape("text-list")
def _text_list(parts: Parts) -> Draft:
    universe, child = parts.table(), parts.table()
    link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
    key = parts.key(universe, "u")
    value, order = parts.column(child, "f", ("text", "int")), parts.order(child, "f")
    if parts.postgres and parts.chance(0.6):
        inner = f"SELECT string_agg(CAST({value} AS text), ',' ORDER BY {order}) FROM {child.quoted} f WHERE {link}"
    else:
        word = "string_agg(CAST(x.v AS text), ',')" if parts.postgres else "group_concat(x.v, ',')"
        inner = f"SELECT {word} FROM (SELECT {value} AS v FROM {child.quoted} f WHERE {link} ORDER BY {order}) x"
    columns = listed(*key, Column(f"({inner})", parts.name()))
    return draft(f"SELECT {columns} FROM {universe.quoted} u{parts.where(universe, 'u', 0.2)}", key, universe, child)


def _grouped(parts: Parts, table: Relation, alias: str) -> tuple[str, str, str]:
    """A grouped subquery with its column to join by and a counted one."""
    by = parts.column(table, alias, ("int", "text"))
    counted = parts.queries.aggregate(table, alias)
    where = parts.where(table, alias, 0.3)
    having = f" HAVING count(*) > {parts.rng.randint(0, 1)}" if parts.chance(0.25) else ""
    text = f"SELECT {by} AS k, {counted} AS n, count(*) AS m FROM {table.quoted} {alias}{where} GROUP BY {by}{having}"
    return text, "k", "n"


@shape("subquery-in-from")
def _from(parts: Parts) -> Draft:
    table = parts.queries.table()
    text, by, counted = _grouped(parts, table, "g")
    key = [Column(f"s.{by}", parts.name())]
    where = f" WHERE s.m {parts.rng.choice(('>', '<='))} {parts.rng.randint(0, 2)}" if parts.chance(0.5) else ""
    return draft(f"SELECT {listed(*key, Column(f's.{counted}', parts.name()))} FROM ({text}) s{where}", key, table)


def _beside(parts: Parts) -> tuple[Relation, Relation, str, str]:
    """A universe, a table of its children, the grouped children, and the equality of both."""
    universe = parts.table()
    if len(universe.key) != 1:
        raise LookupError("a key of several columns")
    child = parts.child(universe)
    by = parts.queries.link(universe, child, "u", "f", single=True).split(" = ")[0]
    where = parts.where(child, "f", 0.3)
    aggregate = parts.queries.aggregate(child, "f")
    text = f"SELECT {by} AS k, {aggregate} AS n FROM {child.quoted} f{where} GROUP BY {by}"
    return universe, child, text, f"s.k = u.{quote(universe.key[0])}"


@shape("join-of-groups")
def _join_groups(parts: Parts) -> Draft:
    universe, child, text, on = _beside(parts)
    key = parts.key(universe, "u")
    verb = parts.rng.choice(("JOIN", "LEFT JOIN", "LEFT JOIN"))
    columns = listed(*key, Column("s.n", parts.name()), *parts.terms(universe, "u", 1))
    where = parts.where(universe, "u", 0.3)
    return draft(f"SELECT {columns} FROM {universe.quoted} u {verb} ({text}) s ON {on}{where}", key, universe, child)


@shape("common-table")
def _common(parts: Parts) -> Draft:
    universe, child, text, on = _beside(parts)
    key = parts.key(universe, "u")
    if parts.chance(0.5):
        columns = listed(*key, Column("s.n", parts.name()))
        query = f"WITH s AS ({text}) SELECT {columns} FROM {universe.quoted} u LEFT JOIN s ON {on}"
    else:
        columns = listed(*key, Column("s.n", parts.name()), Column("count(*)", parts.name()))
        group = ", ".join([*(one.expression for one in key), "s.n"])
        query = f"WITH s AS ({text}) SELECT {columns} FROM {universe.quoted} u JOIN s ON {on} JOIN s t ON t.k = s.k"
        query += f" GROUP BY {group}"
    return draft(query, key, universe, child)


@shape("group-of-groups")
def _twice(parts: Parts) -> Draft:
    table = parts.queries.table()
    first, second = parts.column(table, "g", ("int", "text")), parts.column(table, "g")
    if first == second:
        raise LookupError("one column")
    aggregate = parts.queries.aggregate(table, "g")
    inner = f"SELECT {first} AS a, {second} AS b, {aggregate} AS n, count(*) AS m FROM {table.quoted} g"
    inner += f"{parts.where(table, 'g', 0.3)} GROUP BY {first}, {second}"
    key = [Column("s.a", parts.name())]
    columns = listed(*key, Column("max(s.m)", parts.name()), Column("count(s.n)", parts.name()))
    return draft(f"SELECT {columns} FROM ({inner}) s GROUP BY s.a", key, table)


@shape("distinct")
def _distinct(parts: Parts) -> Draft:
    table = parts.queries.table()
    key = [parts.term(table, "g", ("int", "text", "date"), 0.7) for _ in range(parts.rng.choice((1, 2)))]
    made = draft(f"SELECT DISTINCT {listed(*key)} FROM {table.quoted} g{parts.where(table, 'g', 0.4)}", key, table)
    return replace(made, options={"commit": parts.chance(0.5)})


@shape("count-distinct")
def _count_distinct(parts: Parts) -> Draft:
    rng = parts.rng
    if parts.chance(0.25):
        made = parts.queries.draft("distinct")
    elif parts.chance(0.5):
        made = _counted_apart(parts)
    else:
        made = _counted_by_universe(parts)
    asked = rng.choice((True, True, True, False))
    return replace(made, options={"support": asked, "commit": asked and parts.chance(0.7)})


def _count_of(parts: Parts, table: Relation, alias: str) -> str:
    value = parts.column(table, alias, table.kinds) if parts.chance(0.7) else None
    value = value or parts.term(table, alias, table.kinds, 0.3).expression
    few = f" FILTER (WHERE {parts.queries.scalars.predicate(table, alias)})" if parts.chance(0.3) else ""
    if parts.chance(0.2):
        return f"{parts.rng.choice(('sum', 'avg'))}(DISTINCT {parts.column(table, alias, ('int',))}){few}"
    return f"count(DISTINCT {value}){few}"


def _counted_apart(parts: Parts) -> Draft:
    """Several counts beside one another and beside what is added up, with or without groups."""
    table = parts.queries.table()
    groups = [parts.term(table, "g", ("int", "text", "date"), 0.7) for _ in range(parts.rng.choice((0, 1, 1, 2)))]
    groups = list({one.expression: one for one in groups}.values())
    columns = [Column(_count_of(parts, table, "g"), parts.name()) for _ in range(parts.rng.choice((1, 1, 2, 3)))]
    columns += [parts.aggregate(table, "g") for _ in range(parts.rng.choice((0, 0, 1, 2)))]
    if not groups and parts.chance(0.4):
        # Each figure over rows of its own.
        source = f"FROM {table.quoted} g"
        figures = [
            replace(one, expression=f"(SELECT {one.expression} {source}{parts.where(table, 'g', 0.4)})")
            for one in columns
        ]
        return draft(f"SELECT {listed(*figures)}", groups, table)
    by = f" GROUP BY {', '.join(one.expression for one in groups)}" if groups else ""
    having = f" HAVING {_count_of(parts, table, 'g')} > 1" if groups and parts.chance(0.15) else ""
    query = f"SELECT {listed(*groups, *columns)} FROM {table.quoted} g{parts.where(table, 'g', 0.4)}{by}{having}"
    return draft(query, groups, table)


def _counted_by_universe(parts: Parts) -> Draft:
    universe = parts.table()
    child = parts.child(universe)
    key, columns = parts.key(universe, "u"), []
    for _ in range(parts.rng.choice((1, 2))):
        link = parts.link(universe, child, "u", "f") + parts.condition(child, "f", 0.3)
        beside = parts.rng.choice(("", "", " + count(*)"))
        counted = f"(SELECT {_count_of(parts, child, 'f')}{beside} FROM {child.quoted} f WHERE {link})"
        columns.append(Column(counted, parts.name()))
    query = f"SELECT {listed(*key, *columns)} FROM {universe.quoted} u{parts.where(universe, 'u', 0.2)}"
    return draft(query, key, universe, child)


@shape("most-frequent")
def _most_frequent(parts: Parts) -> Draft:
    """The first of a key's groups, with and without a support; on PostgreSQL as a mode, too."""
    asked = {"support": parts.rng.choice((True, True, False))}
    kinds = ("int", "date", "bigint")
    if parts.postgres and parts.chance(0.3):
        table = parts.queries.table()
        key = [parts.term(table, "g", ("int", "date"), 0.7)]
        value, way = parts.column(table, "g", kinds), parts.rng.choice(("", " DESC"))
        columns = [Column(f"mode() WITHIN GROUP (ORDER BY {value}{way})", parts.name())]
        columns += [Column("count(*)", parts.name())] if parts.chance(0.5) else []
        query = f"SELECT {listed(*key, *columns)} FROM {table.quoted} g{parts.where(table, 'g', 0.4)}"
        return replace(draft(f"{query} GROUP BY {key[0].expression}", key, table), options=asked)
    universe = parts.table()
    child = parts.child(universe)
    value = parts.column(child, "f", kinds) if parts.chance(0.7) else parts.term(child, "f", kinds, 0.2).expression
    source = f"FROM {child.quoted} f WHERE {parts.link(universe, child, 'u', 'f')}{parts.condition(child, 'f', 0.4)}"
    then = parts.rng.choice(("", f"max({parts.column(child, 'f', kinds)}) DESC, "))
    first = f"{source} GROUP BY {value} ORDER BY count(*) {parts.rng.choice(('DESC', 'ASC'))}, {then}{value} LIMIT 1"
    columns = [Column(f"(SELECT {value} {first})", parts.name())]
    columns += [Column(f"coalesce((SELECT count(*) {first}), 0)", parts.name())] if parts.chance(0.5) else []
    key = parts.key(universe, "u")
    query = f"SELECT {listed(*key, *columns)} FROM {universe.quoted} u{parts.where(universe, 'u', 0.2)}"
    return replace(draft(query, key, universe, child), options=asked)


@shape("having")
def _having(parts: Parts) -> Draft:
    table = parts.queries.table()
    key = [parts.term(table, "g", ("int", "text"), 0.7)]
    test = parts.rng.choice(("count(*) > 1", "count(*) = 1", f"{parts.queries.aggregate(table, 'g')} IS NOT NULL"))
    columns = listed(*key, parts.aggregate(table, "g"))
    where = parts.where(table, "g", 0.3)
    query = f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {key[0].expression} HAVING {test}"
    return draft(query, key, table)


@shape("whole-rows", "postgres", tick=True)
def _whole_rows(parts: Parts) -> Draft:
    """Rows as one value, in JSON that is a text: each by itself, in an object, and those of a group together."""
    table = parts.table()
    key = parts.key(table, "g")
    fields = [Column(parts.column(table, "g", ("int", "text", "date")), parts.name()) for _ in range(2)]
    rows = f"(SELECT {listed(*key, *fields)} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}) x"
    mine = [Column(f"x.{quote(one.name)}", parts.name()) for one in key]
    if parts.chance(0.5):
        form = parts.rng.choice(("row_to_json(x)", "json_build_object('n', 1, 'row', x)", "json_build_array(x, x)"))
        return draft(f"SELECT {listed(*mine, Column(form, parts.name()))} FROM {rows}", mine, table)
    by = Column(f"x.{quote(fields[0].name)}", parts.name())
    order = ", ".join(one.expression for one in mine)
    condition = f" FILTER (WHERE x.{quote(fields[1].name)} IS NOT NULL)" if parts.chance(0.3) else ""
    collected = Column(f"json_agg(x ORDER BY {order}){condition}", parts.name())
    return draft(f"SELECT {listed(by, collected)} FROM {rows} GROUP BY {by.expression}", [by], table)
