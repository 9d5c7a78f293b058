"""SQLite: the row triggers that keep a keyed program true at every commit.

Owns: every piece of a keyed program at commit freshness on SQLite. Promises: after each changed row the units that it can touch
are computed again, so that the stored rows equal the query whenever no row is half changed; inner writes are upserts with
ON CONFLICT … DO UPDATE, or go where nothing can conflict, so that no conflict clause of the outer statement can override them.

A row that goes leaves its image in a table of rows *in flight* from its BEFORE trigger to its AFTER trigger. Foreign keys act in
between: the rows that they take along look for their units in current rows and in the images in flight, or each side would
be hidden from the other. Rows that REPLACE takes are in flight while they are in the stash.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render.affected import reached
from tidemark.render.images import image, image_definition
from tidemark.render.restriction import ROW, restricted
from tidemark.render.sqlite import identity as sqlite_identity
from tidemark.render.sqlite import linear
from tidemark.render.sqlite import rows as sqlite_rows
from tidemark.render.sqlite import stash as sqlite_stash
from tidemark.render.sqlite.phrases import few
from tidemark.render.statements import EVERYTHING
from tidemark.render.store import Store
from tidemark.render.tables import shown_pieces, store_pieces
from tidemark.render.units import in_unit


def commit_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` has no meaning here."""
    found = store_pieces(store)
    found += [
        _table(store, "batch", [store.units.definition(part) for part in store.units.key]),
        _table(store, "fresh", [*map(store.definition, store.key), *map(store.definition, store.parts)]),
    ]
    # Every table of images is there before a trigger that looks for its units in them: writers may be at work.
    captures = [_capture(store, program, table) for table in program.watched]
    found += [_flight(store, program, table) for table in program.watched]
    found += [stash for stash, *_ in captures]
    found += [trigger for _, *triggers in captures for trigger in triggers]
    return (*found, *shown_pieces(program, store, indexes, linear.public_view))


def sweep(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Statements that let go of images that were left in flight by changes that were ignored in the end: in a transaction of
    ours nobody else is half done."""
    return tuple(f"DELETE FROM {store.names.own('flight', table.name)}" for table in program.watched)


def _table(store: Store, kind: str, columns: list[str], *about: str) -> Piece:
    """A table without any constraint: nothing that is put into it can conflict. A session of ours may have a temporary one of the
    same name, which a bare name would drop in its place."""
    name = store.names.own(kind, *about)
    create = f"CREATE TABLE {name} ({', '.join(columns)})"
    return Piece("table", store.names.plain(kind, *about), create, f"DROP TABLE IF EXISTS main.{name}")


def _flight(store: Store, program: KeyedProgram, table: Table) -> Piece:
    columns = [
        sqlite_identity.definition(table, name, store.dialect, own)
        for own, name in zip(sqlite_identity.stand_ins(table), sqlite_identity.identity(table), strict=True)
    ]
    columns += [image_definition(store.dialect, table, name) for name in program.reads[table.label]]
    return _table(store, "flight", columns, table.name)


def _gone(store: Store, program: KeyedProgram, table: Table) -> str:
    """FROM item: the images of a source's rows on their way out, as OLD says and as a trigger of the user's made them."""
    quote, reads = store.dialect.quote, program.reads[table.label]
    flying = ", ".join(quote(image(name)) for name in reads) or "1"
    stashed = ", ".join(quote(name) for name in reads) or "1"
    parts = [f"SELECT {flying} FROM {few(store.names.own('flight', table.name))}"]
    if sqlite_stash.may_be_replaced(table, store.dialect):
        parts.append(f"SELECT {stashed} FROM {few(store.names.own('stash', table.name))}")
    if table.rewritten:
        parts.append(f"SELECT {stashed} FROM {few(store.names.own('seen', table.name))}")
    return f"({' UNION ALL '.join(parts)})"


def _capture(store: Store, program: KeyedProgram, table: Table) -> list[Piece]:
    """The stash of one source, if there is one, and then the triggers on it."""
    names, dialect, reads = store.names, store.dialect, program.reads[table.label]
    changed, of = sqlite_rows.changed(table, reads), sqlite_rows.assigned(table, reads)
    old, new = _fly(store, table, reads, "OLD"), _fly(store, table, reads, "NEW")
    flight = names.own("flight", table.name)

    def land(row: str) -> list[str]:
        mine = _is_of(table, dialect, row)
        found = _find(store, program, table, f"(SELECT * FROM {few(flight)} WHERE {mine})")
        return [*found, f"DELETE FROM {flight} WHERE {mine}", *settle(store, program)]

    # The image that comes carries the identity of the row that went: both land together.
    arriving = _fly(store, table, reads, "NEW", "OLD")
    forget = f"DELETE FROM {flight} WHERE {_is_of(table, dialect, 'OLD')}"
    leaves, again = [old] if table.echoes else [forget, old], [old] if table.reenters else []
    found = [
        sqlite_rows.trigger(names, dialect, table, "insert", None, [new, *land("NEW")]),
        sqlite_rows.trigger(names, dialect, table, "before_delete", None, [forget, old], timing="BEFORE"),
        sqlite_rows.trigger(names, dialect, table, "delete", None, land("OLD")),
        # What comes back to the row finds units for the image that went first, and takes it out of the air.
        sqlite_rows.trigger(names, dialect, table, "before_update", changed, leaves, timing="BEFORE", of=of),
        sqlite_rows.trigger(names, dialect, table, "update", changed, [*again, arriving, *land("OLD")], of=of),
    ]

    def take_back(victims: str) -> list[str]:
        columns = ", ".join(f"v.{dialect.quote(name)} AS {dialect.quote(image(name))}" for name in reads) or "1"
        return [*_find(store, program, table, f"(SELECT {columns} {victims})"), *settle(store, program)]

    # What is computed from rows as they are has no image to put right.
    stash = sqlite_stash.stash_pieces(names, dialect, table, reads, take_back, lambda _: [])
    return [*stash[:1], *found, *stash[1:]]


def _identity(table: Table, dialect: Dialect, row: str) -> list[str]:
    return [f"{row}.{dialect.quote(name)}" for name in sqlite_identity.identity(table)]


def _is_of(table: Table, dialect: Dialect, row: str) -> str:
    """True for an image in flight that is of a row."""
    pairs = zip(sqlite_identity.stand_ins(table), _identity(table, dialect, row), strict=True)
    return " AND ".join(f"{own} IS {value}" for own, value in pairs)


def _fly(store: Store, table: Table, reads: tuple[str, ...], row: str, same: str = "") -> str:
    """Put a row's image in flight, under the identity of the row `same`."""
    columns = [*sqlite_identity.stand_ins(table)]
    columns += [store.dialect.quote(image(name)) for name in reads]
    values = [*_identity(table, store.dialect, same or row), *(f"{row}.{store.dialect.quote(name)}" for name in reads)]
    return f"INSERT INTO {store.names.own('flight', table.name)} ({', '.join(columns)}) SELECT {', '.join(values)}"


def _find(store: Store, program: KeyedProgram, table: Table, changed: str) -> list[str]:
    """Statements that put the units into the batch that images of a source reach."""
    into = f"INSERT INTO {store.names.own('batch')} ({store.units.key_list})"
    return [
        f"{into} {select}"
        for way in program.routes
        if way.changed.table.label == table.label
        for select in reached(store, program, way, changed, lambda other: _gone(store, program, other))
    ]


def settle(store: Store, program: KeyedProgram) -> list[str]:
    """Statements that compute the units in the batch again, write what differs, and leave batch and result empty."""
    batch, fresh, rows = store.names.own("batch"), store.names.own("fresh"), store.names.store
    units = few(batch)
    columns = ", ".join(store.columns)
    values = ", ".join("1" if part == EVERYTHING else f"q.{store.column(part)}" for part in store.key) + "".join(
        f", q.{store.column(part)}" for part in store.parts
    )
    found = []
    for nulls in (False, True) if store.units.nullable else (False,):
        query = restricted(store, program, nulls=nulls, batch=units)
        found.append(
            f"INSERT INTO {fresh} ({columns}) SELECT {values} FROM ({query}) AS q "
            f"WHERE EXISTS (SELECT 1 FROM {units} AS {ROW} WHERE {in_unit(store, 'q', nulls)})"
        )
    tests = [in_unit(store, "s", nulls) for nulls in (False, True)][: 1 + store.units.nullable]
    if store.unit is None:
        # The key's own index is one over expressions where a key may be NULL.
        tests = [store.join("s", [f"{ROW}.{store.column(part)}" for part in store.key])]
    inside = [f"FROM {units} AS {ROW} CROSS JOIN {rows} AS s ON {test}" for test in tests]
    there = store.match("f", [f"s.{store.column(part)}" for part in store.key])
    identity = f"s.{store.rowid}" if store.nullable else store.key_of("s")
    which = store.rowid if store.nullable else f"({store.key_list})"
    gone = [f"SELECT {identity} {rest} WHERE NOT EXISTS (SELECT 1 FROM {fresh} AS f WHERE {there})" for rest in inside]
    keys = [f"f.{store.column(part)}" for part in store.key]
    # Without other columns a row that is there is as it should be; DO NOTHING would be overridden from outside.
    sets = store.assignments or f"{store.column(store.key[0])} = excluded.{store.column(store.key[0])}"
    return [
        *found,
        f"DELETE FROM {rows} WHERE {which} IN ({' UNION ALL '.join(gone)})",
        f"INSERT INTO {rows} ({columns}) SELECT {', '.join(f'f.{column}' for column in store.columns)} FROM {fresh} AS f "
        f"WHERE NOT EXISTS (SELECT 1 FROM {rows} AS o WHERE {store.match('o', keys)} AND {store.identical('o', 'f')})\n"
        f"  ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}",
        f"DELETE FROM {fresh}",
        f"DELETE FROM {batch}",
    ]
