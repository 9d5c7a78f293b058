"""Captures: the log of each source that is read by ticks, and what writes it, shared by everybody who reads the source.

Owns: which captures are needed, and installing, reshaping, mending, removing and emptying them. Promises: whoever needs a capture
is in the ledger before its first object exists and until its last one is gone, so nobody's log grows unread; one more column
comes, and one that nobody reads goes, in one transaction in which no writer is under way, and nobody loses a change by it;
whatever else happens to a capture is a gap for everybody who reads it. A log keeps what the slowest reader has not sealed;
one that failed or goes keeps nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tidemark.contract.script import Capture, Piece, Script
from tidemark.database.session import Conflict, Session
from tidemark.model import Catalog, Table
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.pieces import (
    TRIGGER_PATIENCE,
    creation,
    find_pieces,
    group_pieces,
    inspect_pieces,
    marks,
    patience,
    set_patience,
    wanting,
    with_functions,
)

CaptureOf = Callable[[Table, tuple[str, ...]], Capture]
RESHAPED = "is given another text in one transaction, and misses nothing"
READING = ("live", "backfilling", "verifying")
TRIM_ROWS = 20_000
LOG_BYTES_MAX = 1024 * 1024


def sources_of(script: Script) -> frozenset[str]:
    """The sources whose captures a script reads."""
    return frozenset(log.source for log in script.logs)


def plan_captures(
    known: Mapping[str, Capture], staying: Iterable[Script], coming: Iterable[Script], capture_of: CaptureOf
) -> dict[str, Capture]:
    """The capture that each source needs: its columns of now, then those that are wanted more.

    `coming` know the catalog of now, `staying` that of when they were installed.
    """
    tables: dict[str, Table] = {}
    wanted: dict[str, set[str]] = {}
    for script in (*staying, *coming):
        for log in script.logs:
            tables[log.source] = log.table
            wanted.setdefault(log.source, set()).update(log.columns)
    found = {}
    for source, table in tables.items():
        now = known[source].columns if source in known else ()
        there = tuple(name for name in now if table.column(name) is not None)
        more = tuple(one.name for one in table.columns if one.name in wanted[source] and one.name not in there)
        found[source] = capture_of(table, (*there, *more))
    return found


def find_faults(
    rows: Iterable[Installed],
    known: Mapping[str, Capture],
    present: Mapping[str, str],
    catalog: Catalog,
    capture_of: CaptureOf,
) -> dict[str, str]:
    """What is wrong with each capture that somebody reads, as a sentence for each source where something is; it ends with
    `RESHAPED` where nobody misses anything by it.

    The text of a capture follows what the catalog says of its source now, whoever reads it.
    """
    found: dict[str, str] = {}
    tables = {table.label: table for table in catalog.tables.values()}
    for row in rows:
        for log in row.script.logs:
            capture, table = known.get(log.source), tables.get(log.source, log.table)
            if capture is None:
                found[log.source] = f"there is no capture of {log.source}"
            elif said := find_fault(capture, present) or _find_difference(capture, table, capture_of):
                found[log.source] = said
    return found


def _find_difference(capture: Capture, table: Table, capture_of: CaptureOf) -> str:
    """How a capture differs from what it should be over the table as it is now, as a sentence; empty where it does not."""
    gone = [name for name in capture.columns if table.column(name) is None]
    if gone:
        # What can be narrowed loses what is gone without a fault; what an earlier version made cannot.
        lost = any(name not in dict(capture.narrowings) for name in gone)
        return f"the capture of {capture.source} logs {', '.join(gone)}, which is gone" if lost else ""
    again = capture_of(table, capture.columns)
    if not follows(again, capture):
        return f"the capture of {capture.source} has another text now"
    return f"the capture of {capture.source} {RESHAPED}" if again.pieces != capture.pieces else ""


def follows(capture: Capture, known: Capture) -> bool:
    """Whether a capture is the `known` one with more columns at the end of the log's text and without some that it can lose, and
    nothing else of the log changed."""
    mine, losable = dict(capture.extensions), dict(known.narrowings)
    kept = tuple(column for column in known.columns if column in capture.columns)
    begins = known.pieces[0].create
    for column, statement in known.extensions:
        if column not in kept:
            begins = begins.replace(f", {statement.partition(' ADD COLUMN ')[2]}", "", 1)
    return (
        (capture.source, capture.log) == (known.source, known.log)
        and capture.columns[: len(kept)] == kept
        and all(column in losable for column in known.columns if column not in kept)
        and all(mine[column] == statement for column, statement in known.extensions if column in kept)
        and [piece.name for piece in capture.pieces] == [piece.name for piece in known.pieces]
        and capture.pieces[0].create.startswith(begins.partition(") WITH (")[0].rstrip(")"))
    )


def find_fault(capture: Capture, present: Mapping[str, str]) -> str:
    """What of a capture is missing, disabled or changed, as a sentence; empty when all is well."""
    wrong = [found for found in inspect_pieces(capture, present, public=False) if found.health != "installed"]
    return ", ".join(f"{found.piece.kind} {found.piece.name} is {found.health}" for found in wrong[:3])


def list_statements(session: Session, known: Capture | None, capture: Capture) -> list[str]:
    """The statements that bring a capture about, from what is there of it."""
    if known == capture:
        return []
    if known is not None and follows(capture, known):
        return [*capture.locks, *_reshaping(session, known, capture)]
    drops = [piece.drop for piece in _leaving(known, capture)] if known else []
    groups = group_pieces(session, capture.pieces)
    return [*drops, *(text for group in groups for text in creation(session, group))]


def ensure_captures(duty: Duty, captures: Iterable[Capture]) -> None:
    """Bring about the captures that a generation needs, which is in the ledger already. Raises `Fault` (exit 6) when held."""
    for capture in captures:
        with duty.leased(f"capture {capture.source}") as mine:
            _ensure(mine, capture)


def _ensure(duty: Duty, capture: Capture) -> None:
    known = duty.ledger.captures().get(capture.source)
    both = (capture,) if known is None else (known, capture)
    present = find_pieces(duty.session, *both)
    if known == capture and not find_fault(capture, present):
        return
    if known is not None and known != capture and follows(capture, known) and not find_fault(known, present):
        duty.write(partial(reshape, duty, known, capture))
        return
    keeps = known is not None and known != capture and _keeps_log(known, capture, present)
    duty.write(partial(_open_gaps, duty, capture, known if keeps else None))
    if known is not None and known != capture:
        # A log of another shape says nothing to anybody any more.
        leaving = [] if keeps else group_pieces(duty.session, _leaving(known, capture), dropping=True)
        for group in leaving:
            duty.write(partial(drop_group, duty, group))
        present = find_pieces(duty.session, capture)
    findings = with_functions(inspect_pieces(capture, present, public=False))
    healths = {finding.piece.name: finding.health for finding in findings}
    for group in group_pieces(duty.session, wanting(capture, findings)):
        duty.write(partial(_create_group, duty, group, healths))


def _keeps_log(known: Capture, capture: Capture, present: Mapping[str, str]) -> bool:
    """Whether the log is there and only gains and loses columns, whatever became of the triggers that write it. Views of rows as
    of now may read it."""
    findings = inspect_pieces(replace(known, pieces=known.pieces[:1]), present, public=False)
    return follows(capture, known) and all(one.health == "installed" for one in findings)


def _reshape_log(duty: Duty, known: Capture, capture: Capture) -> None:
    """Add the columns of a log that come and take away those that go, in the caller's transaction."""
    set_patience(duty.ledger, TRIGGER_PATIENCE)
    coming, going = _columns_of_log(known, capture)
    duty.session.script(*coming, *going, *marks(duty.session, capture.pieces[:1]))


def _columns_of_log(known: Capture, capture: Capture) -> tuple[list[str], list[str]]:
    """The statements that add the columns that come, and those that take away the ones that go."""
    coming = [statement for name, statement in capture.extensions if name not in known.columns]
    return coming, [statement for name, statement in known.narrowings if name not in capture.columns]


def _leaving(known: Capture, capture: Capture) -> list[Piece]:
    """What goes of a capture in whose place another one comes, last ones first. A log that stays as it is may be read by views of
    rows as of now; what it holds is from before everybody's next filling."""
    stays = [piece for piece in capture.pieces if piece.kind in ("table", "index")]
    return [piece for piece in reversed(known.pieces) if piece not in stays]


def _open_gaps(duty: Duty, capture: Capture, widened: Capture | None = None) -> None:
    """Write the capture down, and take everybody out of service who may miss changes of it; with what was known, where its log
    stays and is `widened`: a log is never written down with columns that it does not have."""
    for row in duty.ledger.derived():
        if capture.source in sources_of(row.script) and row.state in READING:
            duty.ledger.run("mark_unverified", {"name": row.name, "generation": row.generation})
            duty.ledger.move(row, "installing")
    duty.ledger.set_capture(capture)
    if widened is not None:
        _reshape_log(duty, widened, capture)


def _create_group(duty: Duty, group: Sequence[Piece], healths: Mapping[str, str]) -> None:
    anew = [piece.name for piece in group if healths[piece.name] not in ("missing", "installed")]
    # What is made anew takes the triggers with it that call it.
    set_patience(duty.ledger, TRIGGER_PATIENCE if anew else patience(group))
    duty.session.script(*creation(duty.session, group, anew))


def drop_group(duty: Duty, group: Sequence[Piece]) -> None:
    """Drop pieces, in the caller's transaction; indexes go with their tables, for which SQLite would look through the schema."""
    set_patience(duty.ledger, patience(group))
    tables = {piece.name for piece in group if piece.kind == "table"}
    duty.session.script(*(one.drop for one in group if not (one.kind == "index" and one.on in tables)))


def reshape(duty: Duty, known: Capture, capture: Capture) -> None:
    """Bring about a capture that `follows` the known one, in the caller's transaction, in which no writer is under way."""
    set_patience(duty.ledger, TRIGGER_PATIENCE)
    duty.session.script(*capture.locks, *_reshaping(duty.session, known, capture))
    duty.ledger.set_capture(capture)


def _reshaping(session: Session, known: Capture, capture: Capture) -> list[str]:
    """Add the columns that come, put the new texts of what writes them in the place of the old ones, take away those that go."""
    before = {piece.name: piece.create for piece in known.pieces}
    log, *others = capture.pieces
    found, going = _columns_of_log(known, capture)
    changed = [piece for piece in others if before[piece.name] != piece.create]
    fires = any(piece.kind == "trigger" for piece in changed)
    found += [piece.drop for piece in reversed(changed) if piece.kind in ("trigger", "table")]
    for piece in others:
        if piece.kind == "step" and fires:
            found.append(piece.create)
        elif piece in changed:
            # The triggers that call a function would go with it.
            found.append(piece.create.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
    return [*found, *going, *marks(session, [log, *changed])]


def begin_reading(ledger: Ledger, script: Script, moments: Mapping[str, str] | None = None) -> None:
    """Set the checkpoints of a generation that is about to be filled: what is in the logs now, or was at given `moments`, is
    in what it computes."""
    for source, snapshot in (find_snapshots(ledger, script) if moments is None else moments).items():
        about = {"derived": script.name, "generation": script.generation, "source": source}
        ledger.run("set_checkpoint", {**about, "snapshot": snapshot})
    # What was read at given moments was computed for the recorded time.
    if moments is None and script.due is not None:
        ledger.run("set_moment", {"derived": script.name, "generation": script.generation, "at": None})


def find_snapshots(ledger: Ledger, script: Script) -> dict[str, str]:
    """What is in each log now, as its checkpoint would say it."""
    logs = script.logs
    return {log.source: str(ledger.value("find_target", {"previous": "0"}, log=log.log)) for log in logs}


def left_captures(installed: Installed, others: Iterable[Installed]) -> tuple[Capture, ...]:
    """The captures that only this generation reads."""
    needed = {source for row in others for source in sources_of(row.script)}
    return tuple(capture for capture in installed.captures if capture.source not in needed)


def drop_captures(duty: Duty, installed: Installed) -> None:
    """Drop the captures that nobody else reads, each when nobody is about to; the generation is still in the ledger."""
    for capture in installed.captures:
        with duty.leased(f"capture {capture.source}") as mine:
            others = [row for row in mine.ledger.derived() if (row.name, row.generation) != _identity(installed)]
            if capture not in left_captures(installed, others):
                continue
            for group in group_pieces(mine.session, list(reversed(capture.pieces)), dropping=True):
                mine.write(partial(drop_group, mine, group))
            mine.write(partial(mine.ledger.run, "remove_capture", {"source": capture.source}))


def trim(ledger: Ledger, source: str, log: str, limit: int) -> int:
    """Delete changes that everybody has sealed, in the caller's transaction; give how many."""
    return ledger.run("consume", {"source": source, "limit": limit}, log=log)


def trim_alone(ledger: Ledger, source: str, log: str, limit: int) -> None:
    """The same as a transaction of its own, which needs no lease: what everybody has sealed is anybody's to delete. For engines
    on which a log numbers nothing."""
    ledger.session.alone(ledger.text("consume", log=log), {"source": source, "limit": limit})


def empty(duty: Duty, source: str, log: str) -> bool:
    """Empty a log at once, if that pays, everybody has sealed every row, and nobody writes at this moment; give whether it is."""

    def may() -> bool:
        spent = duty.ledger.value("find_spent", {"source": source})
        return bool(duty.ledger.value("is_spent", {"spent": spent, "log": log}, log=log))

    def work() -> bool:
        duty.ledger.run("lock_log", log=log)
        if not may():
            return False
        duty.ledger.run("empty_log", log=log)
        return True

    try:
        # Asked with nothing in hand first: with the log locked writers would wait for the answer.
        return may() and duty.write(work, once=True).value
    except Conflict:
        # Somebody writes: rows go one by one then.
        return False


def trim_logs(duty: Duty) -> None:
    """Empty logs whose files have grown, where everybody has sealed everything; and delete what logs hold for nobody: for those
    that failed, or wait for somebody to apply again."""
    rows = duty.ledger.derived()
    read = {
        source
        for row in rows
        if row.state not in ("failed", "planned", "installing")
        for source in sources_of(row.script)
    }
    for source, capture in duty.ledger.captures().items():
        if source in read:
            # Few changes are deleted as they are sealed. The places of deleted rows stay until somebody vacuums, and every tick
            # looks at them.
            if duty.ledger.value("measure_log", {"log": capture.log}) > LOG_BYTES_MAX:
                empty(duty, source, capture.log)
            continue
        if find_fault(capture, find_pieces(duty.session, capture)):
            continue
        while duty.write(partial(trim, duty.ledger, source, capture.log, TRIM_ROWS)).value >= TRIM_ROWS:
            duty.check_stop("the emptying of logs")


def _identity(installed: Installed) -> tuple[str, int]:
    return installed.name, installed.generation
