"""A tick's statements: logs, slices and the dirty set.

Owns: `Tick` of a keyed program. Promises: a slice's affected keys are all in the dirty set before the slice is let go.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import Reach
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render.affected import affected, alike
from tidemark.render.changes import doubt, keep
from tidemark.render.due import due_texts
from tidemark.render.images import log_name, log_of
from tidemark.render.restriction import keys_of_query
from tidemark.render.scans import source_scan
from tidemark.render.slices import slices_of
from tidemark.render.statements import ORDINAL, units_of_store
from tidemark.render.store import Store


def tick(store: Store, program: KeyedProgram) -> Tick:
    """The statements of a tick."""
    names, dirty, unit = store.names, store.names.own("dirty"), store.units
    batch = names.temporary("batch")
    logs = tuple(_source_log(store, program, table) for table in program.watched)
    into = f"INSERT INTO {dirty} ({unit.key_list})"
    nothing = f"ON CONFLICT ({unit.conflict}) DO NOTHING"
    stored = f"{into} SELECT {unit.key_list} FROM ({units_of_store(store)}) AS k WHERE 1 = 1 {nothing}"
    queried = f"{into} SELECT {unit.key_list} FROM ({keys_of_query(store, program)}) AS k WHERE 1 = 1 {nothing}"
    # Where rows are locked, that is in key order, and in it they lie as they are taken, and indexes grow at their ends. Elsewhere
    # the order of arrival spares sorting the whole set.
    order, sorted_ = unit.key_list, f" ORDER BY {unit.key_list}"
    if store.dialect.writers_wait_in_line:
        order, sorted_ = ORDINAL, ""
    everything = (*((stored,) if program.memory.from_now else (stored, queried)), *doubt(store, program))
    due = due_texts(store, program, everything)
    reached, todo = names.temporary("reached"), names.temporary("todo")
    keys = ", ".join(unit.definition(part) for part in unit.key)
    scans = tuple(source_scan(store, program, table) for table in program.scanned)
    timely = [f"({due.waiting})"] if due is not None else []
    finds, ready = (
        " OR ".join([*waiting(store, program.watched, dirty), *tests, *timely])
        for tests in ([scan.waiting for scan in scans], [scan.ready for scan in scans])
    )
    return Tick(
        logs=logs,
        dirty=dirty,
        take_dirty=f"INSERT INTO {batch} ({ORDINAL}, {unit.key_list}) SELECT {ORDINAL}, {unit.key_list} FROM {dirty} "
        f"ORDER BY {order} LIMIT :limit",
        done_dirty=f"DELETE FROM {dirty} WHERE {_among(store, f'SELECT {ORDINAL} FROM {batch}')}",
        count_dirty=f"SELECT count(*) FROM {dirty}",
        everything=everything,
        waiting=finds,
        due=due,
        create_reached=f"CREATE TEMP TABLE IF NOT EXISTS {reached} ({keys})",
        clear_reached=store.phrases.clear(reached),
        mark_dirty=f"{into} SELECT DISTINCT {unit.key_list} FROM {reached} WHERE 1 = 1{sorted_} {nothing}",
        take_reached=f"INSERT INTO {batch} ({unit.key_list}) SELECT DISTINCT {unit.key_list} FROM {reached} LIMIT :limit",
        list_reached=(
            store.phrases.clear_list(todo),
            f"INSERT INTO {todo} ({unit.key_list}) SELECT DISTINCT {unit.key_list} FROM {reached}{sorted_}",
        ),
        mark_listed=f"{into} SELECT {unit.key_list} FROM {todo} WHERE {ORDINAL} > :low AND {ORDINAL} <= :high {nothing}",
        scans=scans,
        ready=ready if scans else "",
    )


def _among(store: Store, ordinals: str) -> str:
    """That the ordinal is one of those: each value of an array is looked up, and for a join the whole set might be read."""
    return f"{ORDINAL} = ANY (ARRAY({ordinals}))" if store.dialect.has_arrays else f"{ORDINAL} IN ({ordinals})"


def waiting(store: Store, tables: tuple[Table, ...], *others: str) -> list[str]:
    """Conditions, one of which is true when a tick would find something: a change that no finished seal has taken, or a row of
    `others`."""
    slices = slices_of(store.dialect)
    tests = [
        f"EXISTS (SELECT 1 FROM {log_of(store.dialect, table)} AS l WHERE {slices.unsealed(store.names, table)})"
        for table in tables
    ]
    tests += [slices.is_ahead(store.names, table) for table in tables]
    return [*tests, *(f"EXISTS (SELECT 1 FROM {other})" for other in others)]


def _source_log(store: Store, program: KeyedProgram, table: Table) -> SourceLog:
    names, slices = store.names, slices_of(store.dialect)
    slice_, columns = names.temporary(f"slice_{table.label}"), program.reads[table.label]
    definition = slices.definition(table, columns)
    # TRUNCATE leaves a marker of weight 0; the tick then makes everything dirty, and markers are no changes here.
    ways = [way for way in program.routes if way.changed.table.label == table.label]
    # A table that is scanned several times may lead to the same units by several ways, which are one but for their aliases.
    each = {alike(way, statement): statement for way in ways for statement in affected(store, program, way)}
    found = [*each.values()]
    found += [Reach(text) for text in keep(store, program, table)]
    return SourceLog(
        source=table.label,
        log=log_of(store.dialect, table),
        name=log_name(store.dialect, table),
        slice=slice_,
        create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({definition})",
        clear_slice=store.phrases.clear(slice_),
        affected=tuple(found),
        columns=columns,
        fill_slice=slices.fill(table, columns, slice_),
        concerns=slices.concerns(table, columns),
        table=replace(
            table, rows=None, indexes=(), trigger_bodies=(), echoes=False, definition=None, keeps=None, stated=None
        ),
    )
