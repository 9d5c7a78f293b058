"""Shapes with functions in FROM: elements of arrays and documents, by themselves, joined, counted, tested, and none at all.

Owns: those entries of `SHAPES`. Promises: as `shapes`. Elements are made of columns of the world's tables, NULL ones, missing
ones and repeated ones among them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.queries import Draft
from tests.simulation.relations import Relation
from tests.simulation.shapes import Column, Parts, draft, listed, shape

KINDS = ("int", "text", "bigint", "date", "timestamp")


@dataclass(frozen=True)
class Elements:
    """A function of a row as it stands in FROM, the column of its values, and the one that tells its rows apart."""

    item: str
    value: str
    place: str
    kind: str


def _some(parts: Parts, table: Relation, alias: str, kind: str) -> list[str]:
    """Columns of one kind, some twice, and perhaps NULL."""
    columns = [f"{alias}.{one.quoted}" for one in table.of_kind(kind)]
    found = [parts.rng.choice(columns) for _ in range(parts.rng.randint(1, 3))]
    return [*found, "NULL"] if parts.chance(0.15) else found


def _perhaps(parts: Parts, table: Relation, alias: str, whole: str) -> str:
    """The same, or nothing at all for some rows."""
    if not parts.chance(0.4):
        return whole
    return f"CASE WHEN {parts.scalars.predicate(table, alias)} THEN {whole} END"


def _elements(parts: Parts, table: Relation, alias: str, name: str) -> Elements:
    """A function of rows of a table. Raises LookupError."""
    kinds = [kind for kind in KINDS if table.of_kind(kind)]
    if not kinds:
        raise LookupError("nothing to make elements of")
    kind = parts.rng.choice(kinds)
    some = ", ".join(_some(parts, table, alias, kind))
    if parts.postgres:
        return _of_postgres(parts, table, alias, name, kind, some)
    document = f"json_array({some})"
    function = "json_each"
    if parts.chance(0.2):
        document, function = f"json_array(json_array({some}), json_object('a b', {some.split(', ')[0]}))", "json_tree"
    elif parts.chance(0.2):
        document = f"json_object('x', {some.split(', ')[0]}, 'it''s', {some.split(', ')[-1]})"
    place = f"{name}.fullkey" if function == "json_tree" else f"{name}.key"
    path = ", '$'" if parts.chance(0.2) else ""
    whole = _perhaps(parts, table, alias, document)
    # Of a container SQLite shows the text; what stands in it is enough.
    value = f"{name}.atom" if function == "json_tree" else f"{name}.value"
    return Elements(f"{function}({whole}{path}) {name}", value, place, kind)


def _of_postgres(parts: Parts, table: Relation, alias: str, name: str, kind: str, some: str) -> Elements:
    first = some.split(", ")[0]
    drawn = parts.rng.randrange(5)
    lateral = parts.rng.choice(("", "LATERAL "))
    if drawn == 0 and kind == "int":
        item = f"generate_series(CAST({first} AS integer), {parts.rng.choice((f'CAST({first} AS integer)', '2'))})"
        return Elements(f"{lateral}{item} AS {name}(v)", f"{name}.v", f"{name}.v", "int")
    if drawn == 1 and kind == "int":
        texts = " || ',' || ".join(f"coalesce(CAST({one} AS text), 'null')" for one in some.split(", "))
        whole = _perhaps(parts, table, alias, f"CAST('[' || {texts} || ']' AS jsonb)")
        item = f"jsonb_array_elements_text({whole}) WITH ORDINALITY AS {name}(v, n)"
        return Elements(lateral + item, f"{name}.v", f"{name}.n", "text")
    if drawn == 2 and kind == "text":
        call = parts.rng.choice((f"regexp_split_to_table({first}, '')", f"string_to_table({first}, 'a', 'B')"))
        return Elements(f"{lateral}{call} WITH ORDINALITY {name}(v, n)", f"{name}.v", f"{name}.n", "text")
    if drawn == 3 and kind == "int":
        objects = ", ".join(
            f"jsonb_build_object('v', {one}, 'n', {place})" for place, one in enumerate(some.split(", "))
        )
        whole = _perhaps(parts, table, alias, f"jsonb_build_array({objects})")
        return Elements(
            f"{lateral}jsonb_to_recordset({whole}) AS {name}(v integer, n integer)", f"{name}.v", f"{name}.n", "int"
        )
    whole = _perhaps(parts, table, alias, f"ARRAY[{some}]")
    return Elements(f"{lateral}unnest({whole}) WITH ORDINALITY AS {name}(v, n)", f"{name}.v", f"{name}.n", kind)


@shape("elements")
def _each(parts: Parts) -> Draft:
    table = parts.table()
    one = _elements(parts, table, "t", "x")
    key = [*parts.key(table, "t"), Column(one.place, parts.name())]
    join = parts.rng.choice((", ", " CROSS JOIN "))
    columns = listed(*key, Column(one.value, parts.name()), *parts.terms(table, "t", 1))
    where = parts.where(table, "t", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} t{join}{one.item}{where}", key, table)


@shape("elements-listed", "postgres")
def _listed(parts: Parts) -> Draft:
    """A function in the list of SELECT, where PostgreSQL has one row for each of its own."""
    table = parts.table()
    kinds = [kind for kind in KINDS if table.of_kind(kind)]
    if not kinds:
        raise LookupError("nothing to make elements of")
    some = ", ".join(_some(parts, table, "t", parts.rng.choice(kinds)))
    call = f"unnest({_perhaps(parts, table, 't', f'ARRAY[{some}]')})"
    key = [*parts.key(table, "t"), Column(call, parts.name())]
    where = parts.where(table, "t", 0.3)
    return draft(f"SELECT DISTINCT {listed(*key)} FROM {table.quoted} t{where}", key, table)


@shape("elements-counted")
def _counted(parts: Parts) -> Draft:
    table = parts.queries.table()
    one = _elements(parts, table, "t", "x")
    # Of values with a type of their own, counts and sums are added.
    value = f"CAST({one.value} AS text)" if parts.chance(0.7) else one.value
    key = [Column(value, parts.name())]
    counted = [Column("count(*)", parts.name()), Column(f"count({one.value})", parts.name())]
    counted += (
        [Column(f"sum({one.value})", parts.name())] if one.kind in ("int", "bigint") and not parts.postgres else []
    )
    columns = listed(*key, *(counted if parts.chance(0.5) else [parts.aggregate(table, "t")]))
    join = parts.rng.choice((", ", " CROSS JOIN "))
    where = parts.where(table, "t", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} t{join}{one.item}{where} GROUP BY {value}", key, table)


@shape("elements-or-none")
def _or_none(parts: Parts) -> Draft:
    table = parts.table()
    one = _elements(parts, table, "t", "x")
    if parts.chance(0.5):
        # Where there are none, the group of NULL is there.
        key = [Column(one.value, parts.name())]
    else:
        key = parts.key(table, "t")
    group = ", ".join(column.expression for column in key)
    columns = listed(*key, Column(f"count({one.value})", parts.name()), Column("count(*)", parts.name()))
    on = parts.rng.choice(("TRUE", f"{one.value} IS NOT NULL", parts.scalars.predicate(table, "t")))
    where = parts.where(table, "t", 0.3)
    return draft(
        f"SELECT {columns} FROM {table.quoted} t LEFT JOIN {one.item} ON {on}{where} GROUP BY {group}", key, table
    )


@shape("elements-joined")
def _joined(parts: Parts) -> Draft:
    other = parts.queries.table()
    table = parts.table(other)
    one = _elements(parts, table, "t", "x")
    met = parts.column(other, "o", (one.kind,))
    drawn = parts.rng.randrange(3)
    key = [[Column(one.value, parts.name())], parts.key(table, "t"), [Column(met, parts.name())]][drawn]
    group = ", ".join(column.expression for column in key)
    counted = parts.aggregate(other, "o")
    verb = parts.rng.choice(("JOIN", "JOIN", "LEFT JOIN")) if drawn < 2 else "JOIN"
    where = parts.where(table, "t", 0.3)
    return draft(
        f"SELECT {listed(*key, counted)} FROM {table.quoted} t CROSS JOIN {one.item} {verb} {other.quoted} o "
        f"ON {met} = {one.value}{where} GROUP BY {group}",
        key,
        table,
        other,
    )


@shape("elements-tested")
def _tested(parts: Parts) -> Draft:
    table = parts.table()
    one = _elements(parts, table, "t", "x")
    key = parts.key(table, "t")
    values = [parts.scalars.literal(one.kind) for _ in range(2)]
    inner = f"SELECT {one.value} FROM {one.item}"
    test = parts.rng.choice(
        (
            f"{parts.rng.choice(('', 'NOT '))}EXISTS (SELECT 1 FROM {one.item} WHERE {one.value} = {values[0]})",
            f"{values[0]} {parts.rng.choice(('IN', 'NOT IN'))} ({inner})",
            f"(SELECT count({one.value}) FROM {one.item}) > {parts.rng.randint(0, 2)}",
        )
    )
    counted = Column(f"(SELECT max({one.value}) FROM {one.item} WHERE {one.value} <> {values[1]})", parts.name())
    return draft(f"SELECT {listed(*key, counted)} FROM {table.quoted} t WHERE {test}", key, table)


@shape("elements-below")
def _below(parts: Parts) -> Draft:
    """Elements in a subquery of FROM, beside the table or with it."""
    table = parts.table()
    one = _elements(parts, table, "t", "x")
    key = [Column("s.v", parts.name())]
    counted = Column("count(*)", parts.name())
    where = parts.where(table, "t", 0.3)
    if parts.postgres and parts.chance(0.5):
        inner = f"{table.quoted} t CROSS JOIN LATERAL (SELECT {one.value} AS v FROM {one.item}) s{where}"
    else:
        distinct = parts.rng.choice(("", "DISTINCT "))
        inner = f"(SELECT {distinct}{one.value} AS v, {parts.column(table, 't', KINDS)} AS w FROM {table.quoted} t"
        inner += f", {one.item}{where}) s"
    return draft(f"SELECT {listed(*key, counted)} FROM {inner} GROUP BY s.v", key, table)
