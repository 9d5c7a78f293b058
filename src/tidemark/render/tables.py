"""The tables that hold rows and keys, and their indexes: pieces that both engines make in the same words but for facts.

Owns: the store with its indexes, the dirty set, and the table of what of changes waits beside it. Promises: NULL equals NULL in a
key; each piece drops what it creates.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyedProgram
from tidemark.names import Names
from tidemark.render.changes import tables_of
from tidemark.render.keyed import index_terms, public_select
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store
from tidemark.render.units import unit_index

View = Callable[[Names, str], list[Piece]]
"""What makes the pieces of a public view of what a SELECT gives."""


def keyed_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], view: View
) -> tuple[Piece, ...]:
    """Everything that the installation of a keyed program creates, in order."""
    return (
        *store_pieces(store),
        *_dirty(store),
        *_changes(store, program),
        *shown_pieces(program, store, indexes, view),
    )


def shown_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], view: View
) -> tuple[Piece, ...]:
    """The indexes on the stored rows, and what readers see of them."""
    found = [
        numbered_index(store, number, index_terms(store, program, columns))
        for number, columns in enumerate(indexes, start=1)
    ]
    by_unit = unit_index(store)
    found += [numbered_index(store, "unit", by_unit)] if by_unit else []
    return (*found, *view(store.names, public_select(store, program)))


def store_pieces(store: Store) -> list[Piece]:
    """The table of the rows, and its unique index. Where a key is never NULL and the engine can, the rows are kept in it."""
    clustered = bool(store.dialect.kept_in_key) and not store.nullable
    columns = [store.definition(key) + ("" if key.nullable else " NOT NULL") for key in store.key]
    columns += [
        store.definition(part) + (" NOT NULL DEFAULT 0" if part.kind == "additive" else "") for part in store.parts
    ]
    listed = ",\n  ".join(columns) + (f", PRIMARY KEY ({store.key_list})" if clustered else "")
    after = store.dialect.kept_in_key if clustered else store.dialect.room_for_updates
    table = table_piece(store.names, "", f"(\n  {listed}\n){after}")
    return [table] if clustered else [table, _unique(store, "", "unique")]


def numbered_index(store: Store, number: int | str, terms: str) -> Piece:
    """An index on the stored rows."""
    return index_piece(store.names, "", ("index", str(number)), terms)


def table_piece(names: Names, kind: str, text: str) -> Piece:
    """A table of ours, by what stands behind its name."""
    own = names.own(kind)
    return Piece("table", names.listed(kind), f"CREATE TABLE {own} {text}", f"DROP TABLE IF EXISTS {own}")


def index_piece(
    names: Names, on: str, kind: tuple[str, ...], terms: str, *, unique: str = "", nulls: str = ""
) -> Piece:
    """An index on a table of ours of the kind `on`."""
    create = f"CREATE {unique}INDEX {names.bare(*kind)} ON {names.own(on)} ({terms}){nulls}"
    return Piece("index", names.listed(*kind), create, f"DROP INDEX IF EXISTS {names.own(*kind)}", on=names.listed(on))


def _unique(store: Store, on: str, kind: str) -> Piece:
    nulls = " NULLS NOT DISTINCT" if store.nullable and store.dialect.knows_equal_nulls else ""
    return index_piece(store.names, on, (kind,), store.conflict, unique="UNIQUE ", nulls=nulls)


def _dirty(store: Store) -> list[Piece]:
    unit = store.units
    keys = ", ".join(unit.definition(part) for part in unit.key)
    table = table_piece(store.names, "dirty", f"({ORDINAL} {store.dialect.lasting}, {keys})")
    return [table, _unique(unit, "dirty", "dirty_unique")]


def _changes(store: Store, program: KeyedProgram) -> list[Piece]:
    found = []
    for kind, columns in tables_of(store, program):
        found.append(table_piece(store.names, kind, f"({ORDINAL} {store.dialect.identity}, {columns})"))
        found.append(index_piece(store.names, kind, (f"{kind}_unit",), store.units.key_list))
    return found
