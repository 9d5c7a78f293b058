"""A backfill of the user's as SQL text: how its table is walked, chunk by chunk.

Owns: `write_walk`. Promises: the key is one that the catalog shows to be unique and without NULLs, and everything is ordered by
it alone; the user's condition and statement stand in the text as they were written. Raises `Refusal` for a table or a key by
which nothing can be walked.
"""

from __future__ import annotations

from tidemark.contract.walk import BATCH, Walk
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Backfill, Catalog, Column, Table, Unique
from tidemark.render.listed import listed, rowid_place
from tidemark.render.pages import compared
from tidemark.render.phrases import phrases_of
from tidemark.render.statements import qualified


def write_walk(dialect: Dialect, catalog: Catalog, backfill: Backfill) -> Walk:
    """The walk of a declared backfill. Raises `Refusal`."""
    table = _find_table(catalog, backfill)
    key = _find_key(table, backfill)
    absent = [name for name in backfill.columns if table.column(name) is None]
    if absent:
        raise _refuse(Code.UNKNOWN_COLUMN, f"{table.label} has no column {absent[0]}", "name its columns", backfill)
    quoted = [dialect.quote(column.name) for column in key]
    names = ", ".join(quoted)
    upto = compared(quoted, "<=", "tidemark_z")
    source = qualified(table, dialect)
    within = f"{upto}{{after}}"
    # The end of the range comes last: a planner that knows nothing of the table yet takes what two bounds leave for so little
    # that it reads and sorts the whole rest for each step.
    onward = f"SELECT {names} FROM {source} WHERE true{{after}} ORDER BY {names} LIMIT 1 OFFSET :tidemark_skip"
    batch = dialect.temporary_prefix + dialect.quote(BATCH)
    definition = ", ".join(_define(dialect, column) for column in key)
    wanted = backfill.text_for(backfill.where, dialect.name)
    also = f" AND ({wanted})" if wanted else ""
    keys = f"SELECT {names} FROM {source} WHERE {within}{also} ORDER BY {names}"
    # A row that is locked stays as it is read, and whoever locks in the same order cannot deadlock with this.
    locked = f"SELECT {names} FROM ({keys} FOR NO KEY UPDATE) AS k" if not dialect.writers_wait_in_line else keys
    # Each key is there once, and not again in an index beside the table.
    once = dialect.kept_in_key
    here = listed(quoted, quoted, batch, rowid_place(table, [column.name for column in key]))
    every = ", ".join(dict.fromkeys([*quoted, *(dialect.quote(name) for name in backfill.columns)]))
    return Walk(
        table=table.label,
        key=tuple(column.name for column in key),
        columns=tuple(dict.fromkeys([*(column.name for column in key), *backfill.columns])),
        drop_batch=f"DROP TABLE IF EXISTS {batch}",
        create_batch=f"CREATE TEMPORARY TABLE {dialect.quote(BATCH)} ({definition}, PRIMARY KEY ({names})){once}",
        last=f"SELECT {names} FROM {source} ORDER BY {', '.join(f'{name} DESC' for name in quoted)} LIMIT 1",
        step=f"SELECT {names} FROM ({onward}) AS k WHERE {upto}",
        count=f"SELECT count(*) FROM {source} WHERE {within}",
        clear_batch=phrases_of(dialect).clear_chunk(batch),
        fill_batch=f"INSERT INTO {batch} ({names}) {locked}",
        may_lock="" if dialect.writers_wait_in_line else _may_lock(dialect, source),
        lock="" if dialect.writers_wait_in_line else f"LOCK TABLE {source} IN SHARE ROW EXCLUSIVE MODE NOWAIT",
        fill_locked=f"INSERT INTO {batch} ({names}) {keys}",
        rows=f"SELECT {every} FROM {source} WHERE {here} ORDER BY {names}",
        statement=backfill.text_for(backfill.sql, dialect.name) or "",
        after=f" AND {compared(quoted, '>', 'tidemark_a')}",
        only=f" AND {compared(quoted, '>=', 'tidemark_z')}",
    )


def _may_lock(dialect: Dialect, source: str) -> str:
    """Whether the role may lock the whole table: who may update some columns alone may only lock rows."""
    return f"SELECT pg_catalog.has_table_privilege({dialect.literal(source)}, 'UPDATE')"


def _find_table(catalog: Catalog, backfill: Backfill) -> Table:
    schema, _, name = backfill.table.rpartition(".")
    table = catalog.find(backfill.table) or (catalog.find(name, schema) if schema else None)
    if table is None:
        raise _refuse(
            Code.UNKNOWN_TABLE, f"there is no table {backfill.table}", "name a table of this database", backfill
        )
    if table.kind not in ("table", "partitioned"):
        raise _refuse(
            Code.SOURCE_KIND, f"{table.label} is a {table.kind}, which has no rows of its own", "walk a table", backfill
        )
    return table


def _find_key(table: Table, backfill: Backfill) -> tuple[Column, ...]:
    """The columns of the key, in the order of the index that makes them unique, which is the one that can be walked."""
    columns = {name: table.column(name) for name in backfill.key}
    absent = [name for name, column in columns.items() if column is None]
    if absent:
        raise _refuse(Code.UNKNOWN_COLUMN, f"{table.label} has no column {absent[0]}", "name its key", backfill)
    known = [unique for unique in table.uniques if _serves(unique, table, backfill.key)]
    if not known:
        raise _refuse(
            Code.KEY_UNPROVEN,
            f"nothing makes {', '.join(backfill.key)} unique in {table.label}",
            "name the columns of its primary key or of a unique index",
            backfill,
        )
    chosen = next((unique for unique in known if unique.primary), known[0])
    found = tuple(column for name in chosen.terms if name and (column := columns[name]) is not None)
    empty = next((column for column in found if not (column.not_null or column.rowid_alias)), None)
    if empty is not None:
        raise _refuse(
            Code.KEY_NULLABLE,
            f"{empty.name} of {table.label} may be NULL, and a row without a key is never reached",
            "name a key whose columns are NOT NULL",
            backfill,
        )
    return found


def _serves(unique: Unique, table: Table, key: tuple[str, ...]) -> bool:
    """Whether a unique index tells the rows apart by these columns as comparisons of the columns do: two texts that are equal to
    the column's collation and not to the index's would be one step of the walk."""
    if unique.where is not None or set(unique.terms) != set(key):
        return False
    columns = [table.column(name) for name in unique.terms if name is not None]
    own = [column.collation if column is not None else None for column in columns]
    return not unique.collations or list(unique.collations) == own


def _define(dialect: Dialect, column: Column) -> str:
    collation = f" COLLATE {dialect.quote(column.collation)}" if column.collation else ""
    return f"{dialect.quote(column.name)} {column.type}{collation} NOT NULL"


def _refuse(code: Code, reason: str, instead: str, backfill: Backfill) -> Refusal:
    return Refusal(
        code, f"{reason} (at {backfill.place})" if backfill.place else reason, instead=instead, derived=backfill.name
    )
