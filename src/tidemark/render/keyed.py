"""A keyed program's statements: recompute of given keys, keys of given changes. The same on both engines.

Owns: the restricted query, logs, slices, the dirty set. Promises: restriction goes into the outermost WHERE, so that it
can reach an index; every way to the key is walked over current rows and over every logged image.
"""

from __future__ import annotations

from itertools import product

from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram, KeyQuery
from tidemark.model import Table
from tidemark.names import Names
from tidemark.query.keys import has_index
from tidemark.query.relation import Scalar
from tidemark.render import statements
from tidemark.render.statements import ORDINAL, Store, qualified
from tidemark.script import Applier, SourceLog, Tick


def store_of(program: KeyedProgram, names: Names, dialect: Dialect) -> Store:
    """The store of a keyed program."""
    return Store(dialect, names, program.key, program.columns, keeps_default=True)


def restricted(store: Store, program: KeyedProgram, *, nulls: bool) -> str:
    """The user's query for the keys of the batch only: those without NULL, or those with one."""
    batch = store.names.temporary("batch")
    scalars = [f"({scalar.text})" for scalar in program.key_scalars]
    if nulls:
        some = " OR ".join(f"x.{store.column(part)} IS NULL" for part in store.key if part.nullable)
        pairs = zip(store.key, scalars, strict=True)
        match = " AND ".join(f"x.{store.column(p)} {store.equal(p, nulls=True)} {s}" for p, s in pairs)
        here = " OR ".join(f"{s} IS NULL" for p, s in zip(store.key, scalars, strict=True) if p.nullable)
        condition = (
            f"({here}) AND EXISTS (SELECT 1 FROM {batch} AS x WHERE {some}) "
            f"AND EXISTS (SELECT 1 FROM {batch} AS x WHERE {match})"
        )
    elif len(scalars) == 1:
        condition = f"{scalars[0]} IN (SELECT x.{store.column(store.key[0])} FROM {batch} AS x)"
    else:
        columns = ", ".join(f"x.{store.column(part)}" for part in store.key)
        condition = f"({', '.join(scalars)}) IN (SELECT {columns} FROM {batch} AS x)"
    return program.block.sql(condition)


def recompute(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Fill ``stored`` and ``fresh`` for the batch."""
    fresh, batch = store.names.temporary("fresh"), store.names.temporary("batch")
    names = ", ".join(store.columns)
    values = ", ".join(f"q.{column}" for column in store.columns)
    found = [*statements.fill_stored(store), f"DELETE FROM {fresh}"]
    branches = (False, True) if store.nullable else (False,)
    for nulls in branches:
        on = " AND ".join(
            f"q.{store.column(part)} {store.equal(part, nulls=nulls)} b.{store.column(part)}" for part in store.key
        )
        found.append(
            f"INSERT INTO {fresh} ({ORDINAL}, {names}) SELECT b.{ORDINAL}, {values} "
            f"FROM ({restricted(store, program, nulls=nulls)}) AS q JOIN {batch} AS b ON {on}"
        )
    return tuple(found)


def keys_of_query(store: Store, program: KeyedProgram) -> str:
    """SELECT of every key that the query has."""
    keys = ", ".join(f"q.{store.column(part)}" for part in store.key)
    return f"SELECT {keys} FROM ({program.block.sql()}) AS q"


def applier(store: Store, program: KeyedProgram) -> Applier:
    """The applier of a keyed program."""
    temporary = statements.temporary_tables(store)
    # What is stored is what is shown, so every column is compared once.
    query, compared = statements.compare(store, [])
    names = store.names
    places = ", ".join(f":k{number}" for number in range(len(store.key)))
    return Applier(
        create_batch=temporary["batch"],
        create_fresh=temporary["fresh"],
        create_stored=temporary["stored"],
        create_todo=temporary["todo"],
        clear_batch=f"DELETE FROM {names.temporary('batch')}",
        add_key=f"INSERT INTO {names.temporary('batch')} ({store.key_list}) VALUES ({places})",
        lock=statements.lock_batch(store),
        recompute=(*statements.weigh_batch(store), *recompute(store, program)),
        compare=query,
        write=statements.write(store),
        list_keys=statements.todo(store, [keys_of_query(store, program)]),
        take_todo=f"INSERT INTO {names.temporary('batch')} ({ORDINAL}, {store.key_list}) "
        f"SELECT {ORDINAL}, {store.key_list} FROM {names.temporary('todo')} WHERE {ORDINAL} > :low AND {ORDINAL} <= :high",
        count_todo=f"SELECT count(*) FROM {names.temporary('todo')}",
        indexed=is_indexed(program),
        key_columns=tuple(part.name for part in program.key),
        compared_columns=compared,
        tolerant=tuple(part.name for part in store.parts if part.floating),
    )


def is_indexed(program: KeyedProgram) -> bool:
    """True when an index leads with a column of the key."""
    columns = [scalar.column for scalar in program.key_scalars if scalar.column is not None]
    tables = {occurrence.alias: occurrence.table for occurrence in program.block.occurrences}
    return any(has_index(tables[alias], (name,)) for alias, name in columns if alias in tables)


def log_columns(program: KeyedProgram, table: Table) -> tuple[str, ...]:
    """The columns of a source whose images are logged."""
    return program.reads[table.label]


def tick(store: Store, program: KeyedProgram) -> Tick:
    """The statements of a tick."""
    names, dirty = store.names, store.names.own("dirty")
    batch = names.temporary("batch")
    logs = tuple(_source_log(store, program, table) for table in program.tables)
    into = f"INSERT INTO {dirty} ({store.key_list})"
    nothing = f"ON CONFLICT ({store.conflict}) DO NOTHING"
    stored = f"{into} SELECT {store.key_list} FROM {store.names.store} WHERE 1 = 1 {nothing}"
    queried = f"{into} SELECT {store.key_list} FROM ({keys_of_query(store, program)}) AS k WHERE 1 = 1 {nothing}"
    # Rows are locked in key order where they are locked; elsewhere the order of arrival spares sorting the whole set.
    order = store.key_list if store.dialect.has_schemas else ORDINAL
    return Tick(
        logs=logs,
        dirty=dirty,
        take_dirty=f"INSERT INTO {batch} ({ORDINAL}, {store.key_list}) SELECT {ORDINAL}, {store.key_list} FROM {dirty} "
        f"ORDER BY {order} LIMIT :limit",
        done_dirty=f"DELETE FROM {dirty} WHERE {ORDINAL} IN (SELECT {ORDINAL} FROM {batch})",
        count_dirty=f"SELECT count(*) FROM {dirty}",
        everything=(stored, queried),
    )


def _source_log(store: Store, program: KeyedProgram, table: Table) -> SourceLog:
    names = store.names
    log, slice_ = names.own("log", table.label), names.temporary(f"slice_{table.label}")
    columns = log_columns(program, table)
    definition = log_definition(store.dialect, table, columns, for_slice=True)
    # TRUNCATE leaves a marker of weight 0; the tick then makes everything dirty, and markers are no changes here.
    affected = [
        statement
        for way in program.routes
        if way.changed.table.label == table.label
        for statement in _affected(store, program, way)
    ]
    return SourceLog(
        source=table.label,
        log=log,
        name=names.plain("log", table.label),
        slice=slice_,
        create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({definition})",
        clear_slice=f"DELETE FROM {slice_}",
        affected=tuple(affected),
        columns=columns,
    )


def log_definition(dialect: Dialect, table: Table, columns: tuple[str, ...], *, for_slice: bool) -> str:
    """Columns of a log or of its slice, typed like the source."""
    found = []
    if dialect.has_schemas:
        found.append("id bigint" if for_slice else "id bigint GENERATED ALWAYS AS IDENTITY")
        found.append("xid xid8" if for_slice else "xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id()")
    else:
        found.append("id INTEGER" if for_slice else "id INTEGER PRIMARY KEY AUTOINCREMENT")
    found.append("weight smallint NOT NULL")
    for name in columns:
        column = table.column(name)
        type_ = column.type if column else ""
        collation = f" COLLATE {dialect.quote(column.collation)}" if column and column.collation else ""
        found.append(f"{dialect.quote(image(name))} {type_}{collation}".rstrip())
    return ", ".join(found)


def image(column: str) -> str:
    """The name of a source's column in its log; it cannot collide with the log's own columns."""
    return f"c_{column}"


def _affected(store: Store, program: KeyedProgram, way: KeyQuery) -> list[str]:
    """INSERT statements into the dirty set for one way: each occurrence on it as current rows and as logged images."""
    found = []
    for from_log in product((False, True), repeat=len(way.joined)):
        rows = {way.changed.alias: True} | {o.alias: old for o, old in zip(way.joined, from_log, strict=True)}
        tables = [f"{store.names.temporary(f'slice_{way.changed.table.label}')} AS {_q(store, way.changed.alias)}"]
        for occurrence, old in zip(way.joined, from_log, strict=True):
            name = store.names.own("log", occurrence.table.label) if old else qualified(occurrence.table, store.dialect)
            tables.append(f"{name} AS {_q(store, occurrence.alias)}")
        tests = [f"{_q(store, way.changed.alias)}.weight <> 0"]
        tests += [f"({_at(scalar, rows, way)})" for scalar in way.on]
        keys = []
        for part, scalar in zip(store.key, program.key_scalars, strict=True):
            value = _at(scalar, rows, way)
            # What the query excludes in whole, such as a NULL that must equal something, has no key here either.
            tests += [] if part.nullable else [f"({value}) IS NOT NULL"]
            keys.append(f"({value})::{part.type}" if store.dialect.has_schemas and part.type else f"({value})")
        found.append(
            f"INSERT INTO {store.names.own('dirty')} ({store.key_list}) SELECT DISTINCT {', '.join(keys)} "
            f"FROM {', '.join(tables)} WHERE {' AND '.join(tests)} ON CONFLICT ({store.conflict}) DO NOTHING"
        )
    return found


def _q(store: Store, alias: str) -> str:
    return store.dialect.quote(alias)


def _at(scalar: Scalar, rows: dict[str, bool], way: KeyQuery) -> str:
    """The scalar over the way's rows: images have their own column names, occurrences taken as empty are NULL."""
    images = [alias for alias, from_log in rows.items() if from_log]
    return scalar.over_images(images, image, {occurrence.alias: occurrence.table for occurrence in way.empty})
