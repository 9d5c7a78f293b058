"""Derived columns in the application's own tables: the shape ``own-columns``.

Owns: what is drawn for ``columns_of``. Promises: the columns are the derived table's alone, so that no statement of a program
names them; their types are those of the query; a table with a trigger of the application's own is left alone, since whatever
writes its columns would set that off.
"""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.case import Derived
from tests.simulation.queries import Draft, Queries
from tests.simulation.relations import Relation, quote
from tests.simulation.shapes import Column, Parts, draft, listed, shape

FAMILY = "own-columns"
KINDS = ("int", "bigint", "date", "timestamp")
ADDED, MOMENTS = ("integer", "smallint", "bigint"), ("date", "timestamp")
AGAIN = 0.5
"""In so many changes of a declaration the columns stay the same, and others are said of them."""


@shape(FAMILY)
def _columns(parts: Parts) -> Draft:
    table = parts.table()
    _require_no_trigger(parts, table)
    columns = [_column(parts, table, parts.name()) for _ in range(parts.rng.randint(1, 3))]
    return _draft(parts, table, columns)


def drawn_again(queries: Queries, one: Derived) -> Derived | None:
    """The same columns of the same table with another query; None where there is nothing else to say of them."""
    parts = Parts(queries)
    table = next(table for table in queries.world.relations if table.name == one.options["columns_of"])
    try:
        columns = [_column(parts, table, name, type_) for name, type_ in zip(*_typed(one), strict=True)]
    except LookupError:
        return None
    return replace(one, query=_draft(parts, table, columns).query)


def _typed(one: Derived) -> tuple[list[str], list[str]]:
    return list(one.options["columns"]), list(one.options["types"])


def _require_no_trigger(parts: Parts, table: Relation) -> None:
    on = f" ON {table.quoted} "
    if any(text.startswith("CREATE TRIGGER") and on in f"{text} " for text in parts.queries.world.setup):
        raise LookupError("a trigger of the application's own")


def _draft(parts: Parts, table: Relation, columns: list[tuple[Column, str]]) -> Draft:
    key = [Column(f"u.{quote(name)}", name) for name in table.key]
    outputs = [column for column, _ in columns]
    # A column of SQLite without a type keeps every value as it is; only a strict table wants one.
    any_type = " ANY" if "STRICT" in table.options else ""
    types = [type_ for _, type_ in columns]
    asks = [
        f"ALTER TABLE {table.quoted} ADD COLUMN {quote(column.name)}{f' {type_}' if parts.postgres else any_type}"
        for column, type_ in columns
    ]
    query = f"SELECT {listed(*key, *outputs)} FROM {table.quoted} u"
    names = [column.name for column in outputs]
    options = {"columns_of": table.name, "columns": names, "types": types, "asks": asks}
    return Draft(query, draft(query, key).key, (table,), options)


def _column(parts: Parts, table: Relation, name: str, type_: str = "") -> tuple[Column, str]:
    """An output for a column, of a type if that is given. Raises LookupError."""
    for _ in range(20):
        text, its = _expression(parts, table)
        if type_ in ("", its):
            return Column(text, name), its
    raise LookupError(type_)


def _expression(parts: Parts, table: Relation) -> tuple[str, str]:
    """What is said of a row of the table, and its type on PostgreSQL."""
    child = parts.child(table) if parts.chance(0.8) else parts.queries.table()
    source = f"FROM {child.quoted} f WHERE {parts.link(table, child, 'u', 'f')}{parts.condition(child, 'f')}"
    form = parts.rng.randrange(8)
    if form < 2:
        return f"(SELECT count(*) {source})", "bigint"
    if form == 2:
        return f"EXISTS (SELECT 1 {source})", "boolean"
    # The greatest value of a domain is no value of the domain.
    fields = [one for one in child.of_kind(*KINDS) if not parts.postgres or one.type in ADDED or one.type in MOMENTS]
    if form in (3, 4) and fields:
        field = parts.rng.choice(fields)
        type_ = field.type if field.generated is None else "integer"
        return f"(SELECT {parts.rng.choice(('max', 'min'))}(f.{field.quoted}) {source})", type_.lower()
    # What adds up longer numbers is of another type.
    numbers = [one for one in child.of_kind("int") if not parts.postgres or one.type in ADDED[:2]]
    if not numbers:
        raise LookupError("no number")
    number = f"f.{parts.rng.choice(numbers).quoted}"
    if form == 5:
        return f"(SELECT count(DISTINCT {number}) {source})", "bigint"
    if form == 6:
        return f"coalesce((SELECT sum({number}) {source}), 0)", "bigint"
    return f"(SELECT sum({number}) {source})", "bigint"
