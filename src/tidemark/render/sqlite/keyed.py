"""SQLite: the store, log, dirty set and capture triggers of a keyed program.

Owns: every piece of a keyed program on SQLite. Promises: each changed row leaves its images in the log of its source, in order of
commit (there is one writer, and ids are never reused), REPLACE's victims included; nothing is computed on the writer's path.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyedProgram
from tidemark.render.changes import tables_of
from tidemark.render.keyed import index_terms, public_select
from tidemark.render.sqlite import linear
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store
from tidemark.render.units import unit_index


def keyed_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` has no meaning here."""
    found = [linear.store_table(store), *linear.unique_index(store), *_dirty(store), *_changes(store, program)]
    return (*found, *shown_pieces(program, store, indexes))


def shown_pieces(program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...]) -> tuple[Piece, ...]:
    """The indexes on the stored rows, and what readers see of them."""
    found: list[Piece] = []
    for number, columns in enumerate(indexes, start=1):
        found.append(linear.index_piece(store, number, index_terms(store, program, columns)))
    by_unit = unit_index(store)
    found += [linear.index_piece(store, "unit", by_unit)] if by_unit else []
    return (*found, *linear.public_view(store.names, public_select(store, program)))


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


def _changes(store: Store, program: KeyedProgram) -> list[Piece]:
    names, found = store.names, []
    for kind, columns in tables_of(store, program):
        own, by_unit = names.own(kind), names.own(f"{kind}_unit")
        create = f"CREATE TABLE {own} ({ORDINAL} INTEGER PRIMARY KEY, {columns})"
        index = f"CREATE INDEX {by_unit} ON {own} ({store.units.key_list})"
        found += [
            Piece("table", names.plain(kind), create, f"DROP TABLE IF EXISTS {own}"),
            Piece("index", names.plain(f"{kind}_unit"), index, f"DROP INDEX IF EXISTS {by_unit}", on=names.plain(kind)),
        ]
    return found
