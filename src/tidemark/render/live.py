"""Rows as of now, at tick freshness: what is stored, and what waits applied to it, by one SELECT that changes nothing.

Owns: `live_query`, and the view that shows it. Promises: in one snapshot it equals the declared query exactly: a stored row of
a unit for which nothing waits is true, and the rows of every other unit come from the user's own query, restricted to those
units. Where that would not be exact there is none, and `why_not_live` says why.
"""

from __future__ import annotations

from tidemark.contract.script import Piece, mark
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram, Remembered
from tidemark.model import Declaration
from tidemark.names import Names, is_stage, shorten
from tidemark.render.affected import reached
from tidemark.render.images import log_of
from tidemark.render.restriction import keys_of_query, restricted
from tidemark.render.slices import slices_of
from tidemark.render.statements import units_of_store
from tidemark.render.store import Store

PENDING = '"tidemark pending"'


def why_not_live(store: Store, program: KeyedProgram) -> str:
    """Why there is no exact SELECT of the rows as of now; empty when there is one."""
    if any(way.everywhere for way in program.routes) or not program.unit:
        return "a change may touch every row, so reading it now means running the query"
    if program.memory != Remembered():
        return "columns with memory are folded over ticks, which a reader cannot foresee"
    if program.scanned:
        labels = ", ".join(table.label for table in program.scanned)
        return f"{labels} is scanned, and what no scan has seen yet cannot be told from what is stored"
    if program.sampled or program.samples_rows:
        return "sampled inputs are read when a tick computes a row, and not when it is read"
    if program.cut:
        return "what readers see is cut from the ordered rows"
    if store.unit is not None or store.nullable:
        return "its rows are found by units that are not its key, or by keys that may be NULL"
    if any(
        table.keeps and is_stage(table.keeps.derived) and table.keeps.freshness == "tick" for table in program.watched
    ):
        return "it reads a stage that ticks write, where changes of its sources wait, too"
    return ""


def live_view(declaration: Declaration, names: Names, live: str, why_not: str) -> tuple[Piece, ...]:
    """The view of the rows as of now, where it is asked for. Raises `Refusal` (``freshness``) where it cannot be had exactly."""
    if not declaration.live:
        return ()
    if not live:
        raise Refusal(
            Code.FRESHNESS,
            f"there can be no view of the rows of {declaration.name} as of now: {why_not}",
            instead="leave out live=True, and read the table, or run the query itself",
        )
    name = live_name(declaration.name, names.dialect)
    quoted = names.shown(name)
    create = mark(f"CREATE VIEW {quoted} AS ", live)
    return (Piece("view", names.label(name), create, f"DROP VIEW IF EXISTS {quoted}", public=True),)


def live_name(derived: str, dialect: Dialect) -> str:
    """The name of the view of a derived table's rows as of now."""
    return shorten(f"{derived}_live", dialect.name_bytes_max)


def live_query(store: Store, program: KeyedProgram) -> str:
    """The SELECT, or an empty text where `why_not_live` has a reason."""
    if why_not_live(store, program):
        return ""
    every = tuple(output.name for output in program.query.outputs)
    outputs = [store.dialect.quote(name) for name in (every if program.shown else program.public)]
    query = restricted(store, program, nulls=False, batch=PENDING)

    def waits(row: str) -> str:
        on = " AND ".join(f"b.{store.column(part)} = {row}.{store.column(part)}" for part in store.key)
        return f"EXISTS (SELECT 1 FROM {PENDING} AS b WHERE {on})"

    clean = ", ".join(f"s.{output}" for output in outputs)
    anew = ", ".join(f"q.{output}" for output in outputs)
    return (
        f"WITH {PENDING} ({store.units.key_list}) AS ({_pending(store, program)}) "
        f"SELECT {clean} FROM {store.names.store} AS s WHERE NOT {waits('s')} "
        f"UNION ALL SELECT {anew} FROM ({query}) AS q WHERE {waits('q')}"
    )


def _pending(store: Store, program: KeyedProgram) -> str:
    """The units for which something waits: sealed, or in a log."""
    units, slices = store.units.key_list, slices_of(store.dialect)
    found = [f"SELECT {units} FROM {store.names.own('dirty')}"]
    for way in program.routes:
        table = way.changed.table
        log, new = log_of(store.dialect, table), slices.unsealed(store.names, table)
        # A view that named every column of a log would keep those that nobody reads any more.
        read = slices.columns(program.reads[table.label])
        found += reached(store, program, way, f"(SELECT {read} FROM {log} AS l WHERE {new})")
    # A marker says that everything may have changed.
    for table in program.watched:
        log, new = log_of(store.dialect, table), slices.unsealed(store.names, table)
        marked = f"EXISTS (SELECT 1 FROM {log} AS l WHERE l.weight = 0 AND {new})"
        for rows in (units_of_store(store), keys_of_query(store, program)):
            found.append(f"SELECT {units} FROM ({rows}) AS k WHERE {marked}")
    return " UNION ".join(found)
