"""Keeping a derived table inside a table of the user's: `columns_of` and `rows_of`.

Owns: `Mirror` and the checks that it is safe. The rows of the derived table stay in our own store, complete with hidden state;
the user's table is a mirror of what is visible there, kept by triggers on the store in the same transaction. Promises: the mirror
never feeds back into the query, and every mirrored row is found by a unique key of the user's table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Column, Declaration, Table
from tidemark.query.keys import KeyColumn, is_constant
from tidemark.query.relation import Block, Occurrence, Query


@dataclass(frozen=True)
class Mirrored:
    """A mirrored column: the user's column and the visible expression over the stored row ``s``."""

    column: Column
    sql: str


@dataclass(frozen=True)
class Mirror:
    """A user's table that shows a derived table.

    `key` are (column of the user's table, key column of the store), `constants` (column, SQL literal) tell our rows apart when
    the rows are ours, `present` is true over ``s`` for visible rows.
    """

    table: Table
    owns_rows: bool
    key: tuple[tuple[str, str], ...]
    constants: tuple[tuple[str, str], ...]
    values: tuple[Mirrored, ...]
    present: str


def make_mirror(
    declaration: Declaration,
    block: Query,
    key: tuple[KeyColumn, ...],
    visible: Sequence[tuple[str, str]],
    present: str,
    catalog: Catalog,
) -> Mirror | None:
    """The mirror that a declaration asks for, or None. `visible` are (output, expression over ``s``). Raises `Refusal`."""
    wanted = declaration.columns_of or declaration.rows_of
    if wanted is None:
        return None
    code = Code.COLUMNS_OF if declaration.columns_of else Code.ROWS_OF
    schema, _, name = wanted.rpartition(".")
    table = catalog.find(name, schema)
    if table is None or table.kind not in ("table", "partitioned"):
        raise Refusal(code, f"There is no table {wanted} to keep parts of.", instead="the name of a table that exists")
    own = {column.name for column in key}
    constants: tuple[tuple[str, str], ...] = ()
    if declaration.rows_of:
        constants = _constants(declaration, block, table)
    pairs = tuple((_column(table, column.name, code).name, column.name) for column in key)
    told = {column for column, _ in constants}
    values = tuple(
        Mirrored(_column(table, output, code), sql)
        for output, sql in visible
        if output not in own and output not in told
    )
    _check_key(table, {column for column, _ in pairs} | told, code)
    if declaration.columns_of:
        _check_universe(block, table, values)
    require_apart(declaration, block, catalog)
    return Mirror(table, bool(declaration.rows_of), pairs, constants, values, present)


def require_apart(declaration: Declaration, query: Query, catalog: Catalog) -> None:
    """Raises `Refusal` where what is written into a table of the user's would change what the query reads."""
    schema, _, name = (declaration.columns_of or declaration.rows_of or "").rpartition(".")
    table = catalog.find(name, schema) if name else None
    if table is None:
        return
    if declaration.rows_of and any(one.table.label == table.label for one in query.all_occurrences):
        raise Refusal(
            Code.ROWS_OF, f"The query reads {table.label}, whose rows it would write.", instead="another table"
        )
    _check_triggers(table, query, Code.COLUMNS_OF if declaration.columns_of else Code.ROWS_OF)


def _column(table: Table, name: str, code: Code) -> Column:
    column = table.column(name)
    if column is None:
        raise Refusal(
            code,
            f"{table.label} has no column {name}.",
            instead=f"ALTER TABLE {table.label} ADD COLUMN {name} … before, or another name in the query",
        )
    return column


def _constants(declaration: Declaration, block: Query, table: Table) -> tuple[tuple[str, str], ...]:
    found = []
    for output in block.outputs:
        if is_constant(block, output.name) and (not declaration.key or output.name in declaration.key):
            found.append((_column(table, output.name, Code.ROWS_OF).name, output.scalar.text))
    if not found:
        raise Refusal(
            Code.ROWS_OF,
            f"Nothing tells these rows of {table.label} apart from others.",
            instead="a constant in the query and in key=, such as 'p' AS challenge_id",
        )
    return tuple(found)


def _check_key(table: Table, columns: set[str], code: Code) -> None:
    rowid = {column.name for column in table.columns if column.rowid_alias} & columns
    if rowid and len(columns) > 1:
        # SQLite takes no such index for the target of an upsert, and finds no row values through it.
        raise Refusal(
            code,
            f"{', '.join(rowid)} is the rowid of {table.label}, which alone tells its rows apart.",
            instead="a key whose columns are the rowid alone, or none of which is the rowid",
        )
    for unique in table.uniques:
        if unique.where is None and set(unique.terms) == columns:
            return
    listed = ", ".join(sorted(columns))
    raise Refusal(
        code,
        f"{table.label} has no unique key on exactly {listed}.",
        instead=f"CREATE UNIQUE INDEX ON {table.label} ({listed}), or the columns of its key",
    )


def _check_universe(block: Query, table: Table, values: tuple[Mirrored, ...]) -> None:
    """Every row of the table must have a row in the result, and the result must not depend on what we write there."""
    whole = False
    if isinstance(block, Block) and not (block.where or block.having is not None or block.limited or block.distinct_on):
        first = block.items[0]
        whole = isinstance(first, Occurrence) and first.table.label == table.label
        whole = whole and all(item.kind == "left" for item in block.items[1:])
    if not whole:
        raise Refusal(
            Code.COLUMNS_OF,
            f"The query does not give one row for each row of {table.label}.",
            instead=f"SELECT key, … FROM {table.label}, without WHERE and with LEFT JOIN only",
        )
    written = {value.column.name for value in values}
    for occurrence in block.all_occurrences:
        if occurrence.table.label == table.label:
            again = sorted(written & set(block.reads(occurrence.alias)))
            if again:
                raise Refusal(
                    Code.COLUMNS_OF,
                    f"The query reads {table.label}.{again[0]}, which it would write.",
                    instead="a query over other columns",
                )


def _check_triggers(table: Table, block: Query, code: Code) -> None:
    sources = {occurrence.table for occurrence in block.all_occurrences}
    for body in table.trigger_bodies:
        for source in sources:
            if source.name.lower() in body.lower() and source.label != table.label:
                raise Refusal(
                    code,
                    f"A trigger on {table.label} reaches {source.label}, which the query reads.",
                    instead="a derived table of its own, without columns_of or rows_of",
                )


def literal_test(mirror: Mirror, row: str, dialect: Dialect) -> str:
    """True for rows of the user's table that are ours, beginning with ``AND``; empty when all are."""
    return "".join(f" AND {row}.{dialect.quote(column)} = {value}" for column, value in mirror.constants)
