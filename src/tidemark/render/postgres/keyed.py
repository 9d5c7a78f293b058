"""PostgreSQL: the store, logs, dirty set and capture of a keyed program.

Owns: every piece of a keyed program on PostgreSQL. Promises: a changed row leaves its images in the log of its source,
stamped with its transaction; nothing is computed on the writer's path; TRUNCATE leaves a marker that makes every key dirty.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyedProgram
from tidemark.render.changes import tables_of
from tidemark.render.keyed import index_terms, public_select
from tidemark.render.postgres import linear
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store
from tidemark.render.units import unit_index


def keyed_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order."""
    found = [linear.store_table(store), linear.unique_index(store), *_dirty(store), *_changes(store, program)]
    return (*found, *shown_pieces(program, store, indexes))


def shown_pieces(program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...]) -> tuple[Piece, ...]:
    """The indexes on the stored rows, and what readers see of them."""
    found: list[Piece] = []
    for number, columns in enumerate(indexes, start=1):
        found.append(linear.index_piece(store, number, index_terms(store, program, columns)))
    by_unit = unit_index(store)
    found += [linear.index_piece(store, "unit", by_unit)] if by_unit else []
    select = public_select(store, program)
    return (*found, *linear.public_view(store.names, select))


def _dirty(store: Store) -> list[Piece]:
    names, store = store.names, store.units
    dirty, plain = names.own("dirty"), linear.named(names, "dirty")
    keys = ", ".join(store.definition(part) for part in store.key)
    nulls = " NULLS NOT DISTINCT" if store.nullable else ""
    create = f"CREATE TABLE {dirty} ({ORDINAL} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {keys})"
    index = f"CREATE UNIQUE INDEX {names.bare('dirty_unique')} ON {dirty} ({store.key_list}){nulls}"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {dirty}"),
        Piece(
            "index",
            linear.named(names, "dirty_unique"),
            index,
            f"DROP INDEX IF EXISTS {names.own('dirty_unique')}",
            on=plain,
        ),
    ]


def _changes(store: Store, program: KeyedProgram) -> list[Piece]:
    names, found = store.names, []
    for kind, columns in tables_of(store, program):
        own, plain, by_unit = names.own(kind), linear.named(names, kind), f"{kind}_unit"
        create = f"CREATE TABLE {own} ({ORDINAL} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {columns})"
        index = f"CREATE INDEX {names.bare(by_unit)} ON {own} ({store.units.key_list})"
        drop = f"DROP INDEX IF EXISTS {names.own(by_unit)}"
        found += [
            Piece("table", plain, create, f"DROP TABLE IF EXISTS {own}"),
            Piece("index", linear.named(names, by_unit), index, drop, on=plain),
        ]
    return found
