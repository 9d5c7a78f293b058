"""PostgreSQL: what a writer remembers of a keyed program at commit freshness, and what it keeps apart from others by.

Owns: every piece of a keyed program at commit freshness but its flush; the capture functions and triggers of its sources.
Promises: a changed row leaves its images, before and after, in the pending table of the derived table; nothing is computed
before the transaction's end; TRUNCATE leaves the images of every row that goes.

Writers keep apart by rows of a table of *turns*. A place in it stands for values of an edge, or for units, by their hash: who
flushes takes turns at its places, in order, and writes each. Who comes second waits, or fails with 40001 when its snapshot is
older than the first one's commit; an advisory lock would let the old snapshot pass. The place `WHOLE` stands for everything.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render.images import image_definition
from tidemark.render.postgres import arm as postgres_arm
from tidemark.render.postgres import linear
from tidemark.render.postgres.alike import as_spelled, has_equality
from tidemark.render.postgres.capture import CHUNK, announce, truncates
from tidemark.render.postgres.places import WHOLE, take_turns, unit_place
from tidemark.render.postgres.settings import pinned_path
from tidemark.render.postgres.settle import settle_functions, sources_to_lock
from tidemark.render.postgres.triggers import event_pieces, routine
from tidemark.render.store import Store
from tidemark.render.tables import index_piece, shown_pieces, store_pieces

_TURNS = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, fillfactor = 50"


def commit_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` are the schemas in which the user's functions are found."""
    found = [*store_pieces(store), *_turns(store)]
    found.append(_type(store, "unit", [store.units.definition(part) for part in store.units.key]))
    for table in program.watched:
        columns = [image_definition(store.dialect, table, name) for name in remembered(program, table)]
        found.append(_type(store, "image", columns, table.label))
    found += _pending(store, program)
    found += settle_functions(store, program, path)
    found.append(postgres_arm.weave(store, sources_to_lock(store, program), program.watched, program.shown_in))
    for place, table in enumerate(program.watched):
        found += _capture(store, program, table, place)
    return (*found, *shown_pieces(program, store, indexes, linear.public_view))


def hold(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Statements by which a batch of ours keeps apart from writers: its units, or everything."""
    turns = store.names.own("turns")
    if program.locking is not None and program.locking.whole:
        lock = f"LOCK TABLE {turns} IN SHARE ROW EXCLUSIVE MODE"
        return (lock, f"UPDATE {turns} SET turn = turn + 1 WHERE place = {WHOLE}")
    places = f"SELECT {unit_place(store, 'b')} AS place FROM {store.names.temporary('batch')} AS b"
    return (take_turns(store, places),)


def remembered(program: KeyedProgram, table: Table) -> tuple[str, ...]:
    """The columns of a source's images: those by which units are found. Some column stands in for none."""
    aliases = {o.alias for o in program.query.all_occurrences if o.table.label == table.label}
    scalars = [scalar for way in program.routes for scalar in way.scalars]
    used = {name for scalar in scalars for alias, name in scalar.columns if alias in aliases}
    names = tuple(column.name for column in table.columns if column.name in used)
    return names or tuple(column.name for column in table.columns[:1])


def _turns(store: Store) -> list[Piece]:
    """A row for each place that somebody has taken a turn at, and the one for everything."""
    turns, plain = store.names.own("turns"), store.names.listed("turns")
    create = f"CREATE TABLE {turns} (place integer PRIMARY KEY, turn bigint NOT NULL DEFAULT 0) WITH ({_TURNS})"
    first = f"INSERT INTO {turns} (place) VALUES ({WHOLE}) ON CONFLICT (place) DO NOTHING"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {turns}"),
        Piece("step", f"{plain} whole", first, "SELECT 1"),
    ]


def _type(store: Store, kind: str, columns: list[str], *about: str) -> Piece:
    name = store.names.own(kind, *about)
    create = f"CREATE TYPE {name} AS ({', '.join(columns)})"
    return Piece("type", store.names.listed(kind, *about), create, f"DROP TYPE IF EXISTS {name}")


def _pending(store: Store, program: KeyedProgram) -> list[Piece]:
    """One row for each writing statement, with an array of images for each source. `seen` is when a flush has read it."""
    names = store.names
    pending, plain = names.own("pending"), names.listed("pending")
    arrays = [f"images{place} {names.own('image', table.label)}[]" for place, table in enumerate(program.watched)]
    create = (
        f"CREATE UNLOGGED TABLE {pending} (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), "
        f"{', '.join(arrays)}, waits boolean NOT NULL DEFAULT false, seen timestamp with time zone)"
    )
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {pending}"),
        index_piece(names, "pending", ("pending_xid",), "xid"),
    ]


def _capture(store: Store, program: KeyedProgram, table: Table, place: int) -> list[Piece]:
    """Functions and triggers on one source."""
    settings, reads = pinned_path(()), program.reads[table.label]
    columns = remembered(program, table)
    found = []
    for event in ("insert", "update", "delete"):
        by_row = table.written_by_row or (event == "update" and table.label == program.shown_in)
        remember = (
            _remember_row(store, table, place, columns, event)
            if by_row
            else _remember(store, table, place, columns, _images(store, table, columns, reads, event))
        )
        nothing = "" if by_row else "  IF NOT FOUND THEN RETURN NULL; END IF;\n"
        body = f"DECLARE\n  tidemark_armed text;\nBEGIN\n{remember}{nothing}{announce(store)}  RETURN NULL;\nEND"
        found += event_pieces(store.names, table, event, routine(body, settings), reads, by_row=by_row)

    def going(rows: str) -> str:
        return _remember(store, table, place, columns, f"{rows} AS r", waits=True)

    arm = f"INSERT INTO {store.names.own('pending')} (waits) VALUES (false);"
    return [*found, *truncates(store, table, going, arm, settings)]


def _listed(store: Store, columns: tuple[str, ...], row: str = "") -> str:
    return ", ".join(f"{row}{store.dialect.quote(name)}" for name in columns)


def _images(store: Store, table: Table, columns: tuple[str, ...], reads: tuple[str, ...], event: str) -> str:
    """FROM item: the images of one event, from the transition tables ``n`` and ``o``."""
    if event != "update":
        return f"{'n' if event == 'insert' else 'o'} AS r"
    if reads and all(has_equality(table, name) for name in reads):
        # Rows that are the same in all that the query reads touch nothing.
        every = as_spelled(table, tuple(dict.fromkeys((*reads, *columns))))
        sides = [f"(SELECT {every} FROM {one} EXCEPT ALL SELECT {every} FROM {other})" for one, other in ("on", "no")]
    else:
        sides = [f"SELECT {_listed(store, columns)} FROM {one}" for one in "on"]
    return f"({' UNION ALL '.join(sides)}) AS r"


def _remember(
    store: Store, table: Table, place: int, columns: tuple[str, ...], images: str, *, waits: bool = False
) -> str:
    """The statement that remembers images; with `waits` it does not arm the transaction."""
    distinct = "DISTINCT " if all(has_equality(table, name) for name in columns) else ""
    also = (", waits", ", true") if waits else ("", "")
    return (
        f"  INSERT INTO {store.names.own('pending')} (images{place}{also[0]})\n"
        f"    SELECT array_agg(ROW({_listed(store, columns, 'y.')})::{store.names.own('image', table.label)}){also[1]}\n"
        f"    FROM (SELECT x.*, row_number() OVER () / {CHUNK} AS tidemark_chunk FROM (\n"
        f"      SELECT {distinct}{_listed(store, columns, 'r.')} FROM {images}\n"
        f"    ) AS x) AS y GROUP BY y.tidemark_chunk;\n"
    )


def _remember_row(store: Store, table: Table, place: int, columns: tuple[str, ...], event: str) -> str:
    rows = {"insert": ("NEW",), "delete": ("OLD",), "update": ("OLD", "NEW")}[event]
    type_ = store.names.own("image", table.label)
    images = ", ".join(f"ROW({_listed(store, columns, f'{row}.')})::{type_}" for row in rows)
    return f"  INSERT INTO {store.names.own('pending')} (images{place}) VALUES (ARRAY[{images}]);\n"
