"""SQLite: the store, log, dirty set and capture triggers of a keyed program.

Owns: every piece of a keyed program on SQLite. Promises: each changed row leaves its images in the log of its source, in order of
commit (there is one writer, and ids are never reused), REPLACE's victims included; nothing is computed on the writer's path.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render import sqlite, sqlite_rows, sqlite_stash
from tidemark.render.images import image, log_columns, log_definition
from tidemark.render.statements import ORDINAL, Store
from tidemark.render.units import unit_index
from tidemark.script import Piece


def keyed_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` has no meaning here."""
    found = [sqlite.store_table(store), *sqlite.unique_index(store), *_dirty(store)]
    for table in program.watched:
        found += _log(store, program, table)
    quote = store.dialect.quote
    for number, columns in enumerate(indexes, start=1):
        found.append(sqlite.index_piece(store, number, ", ".join(quote(name) for name in columns)))
    shown = ", ".join(f"s.{quote(output.name)}" for output in program.block.outputs)
    by_unit = unit_index(store)
    found += [sqlite.index_piece(store, "unit", by_unit)] if by_unit else []
    found += sqlite.public_view(
        store.names, store.dialect, program.name, f"SELECT {shown} FROM {store.names.store} AS s"
    )
    return tuple(found)


def _dirty(store: Store) -> list[Piece]:
    names, store = store.names, store.units
    dirty, unique = names.own("dirty"), names.own("dirty_unique")
    keys = ", ".join(store.definition(part) for part in store.key)
    create = f"CREATE TABLE {dirty} ({ORDINAL} INTEGER PRIMARY KEY AUTOINCREMENT, {keys})"
    index = f"CREATE UNIQUE INDEX {unique} ON {dirty} ({store.conflict})"
    return [
        Piece("table", names.plain("dirty"), create, f"DROP TABLE IF EXISTS {dirty}"),
        Piece("index", names.plain("dirty_unique"), index, f"DROP INDEX IF EXISTS {unique}", on=names.plain("dirty")),
    ]


def _log(store: Store, program: KeyedProgram, table: Table) -> list[Piece]:
    """The log of one source and the triggers that write it."""
    names, dialect = store.names, store.dialect
    columns = log_columns(program, table)
    log = names.own("log", table.label)
    create = f"CREATE TABLE {log} ({log_definition(dialect, table, columns, for_slice=False)})"
    found = [Piece("table", names.plain("log", table.label), create, f"DROP TABLE IF EXISTS {log}", on=table.name)]
    into = f"INSERT INTO {log} ({', '.join(['weight', *(dialect.quote(image(name)) for name in columns)])})"

    def images(weight: int, row: str) -> str:
        return ", ".join([str(weight), *(f"{row}.{dialect.quote(name)}" for name in columns)])

    came, went = f"{into} SELECT {images(1, 'NEW')}", f"{into} SELECT {images(-1, 'OLD')}"
    found += [
        sqlite_rows.trigger(names, dialect, table, "insert", None, [came]),
        sqlite_rows.trigger(names, dialect, table, "delete", None, [went]),
        sqlite_rows.trigger(names, dialect, table, "update", sqlite_rows.changed(table, columns), [went, came]),
    ]
    return found + sqlite_stash.stash_pieces(
        names, dialect, table, columns, lambda victims: [f"{into} SELECT {images(-1, 'v')} {victims}"]
    )
