"""A tick's statements: logs, slices and the dirty set.

Owns: `Tick` of a keyed program. Promises: a slice's affected keys are all in the dirty set before the slice is let go.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render.affected import affected
from tidemark.render.images import log_columns, log_definition
from tidemark.render.restriction import keys_of_query
from tidemark.render.statements import ORDINAL, Store, units_of_store
from tidemark.script import SourceLog, Tick


def tick(store: Store, program: KeyedProgram) -> Tick:
    """The statements of a tick."""
    names, dirty, unit = store.names, store.names.own("dirty"), store.units
    batch = names.temporary("batch")
    logs = tuple(_source_log(store, program, table) for table in program.watched)
    into = f"INSERT INTO {dirty} ({unit.key_list})"
    nothing = f"ON CONFLICT ({unit.conflict}) DO NOTHING"
    stored = f"{into} SELECT {unit.key_list} FROM ({units_of_store(store)}) AS k WHERE 1 = 1 {nothing}"
    queried = f"{into} SELECT {unit.key_list} FROM ({keys_of_query(store, program)}) AS k WHERE 1 = 1 {nothing}"
    # Rows are locked in key order where they are locked; elsewhere the order of arrival spares sorting the whole set.
    order = unit.key_list if store.dialect.has_schemas else ORDINAL
    return Tick(
        logs=logs,
        dirty=dirty,
        take_dirty=f"INSERT INTO {batch} ({ORDINAL}, {unit.key_list}) SELECT {ORDINAL}, {unit.key_list} FROM {dirty} "
        f"ORDER BY {order} LIMIT :limit",
        done_dirty=f"DELETE FROM {dirty} WHERE {ORDINAL} IN (SELECT {ORDINAL} FROM {batch})",
        count_dirty=f"SELECT count(*) FROM {dirty}",
        everything=(stored,) if program.memory.from_now else (stored, queried),
    )


def _source_log(store: Store, program: KeyedProgram, table: Table) -> SourceLog:
    names = store.names
    log, slice_ = names.own("log", table.label), names.temporary(f"slice_{table.label}")
    columns = log_columns(program, table)
    definition = log_definition(store.dialect, table, columns, for_slice=True)
    # TRUNCATE leaves a marker of weight 0; the tick then makes everything dirty, and markers are no changes here.
    found = [
        statement
        for way in program.routes
        if way.changed.table.label == table.label
        for statement in affected(store, program, way)
    ]
    return SourceLog(
        source=table.label,
        log=log,
        name=names.plain("log", table.label),
        slice=slice_,
        create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({definition})",
        clear_slice=f"DELETE FROM {slice_}",
        affected=tuple(found),
        columns=columns,
    )
