"""The record of a derived table's filling: the same as that of any other backfill.

Owns: `begin_fill`, `Filling`, `see_through` and `find_unfilled`. Promises: what readers of the table can rely on is the state of
its generation, never that of a filling; a pause moves the generation in the transaction that ends the run, so that no worker
takes it up again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tidemark.contract.script import Script
from tidemark.errors import Code, Refusal
from tidemark.runtime.backfill.begin import Begun
from tidemark.runtime.backfill.chunk import QUARANTINED, Range
from tidemark.runtime.backfill.ending import record_end, recording_end
from tidemark.runtime.backfill.gate import Gate
from tidemark.runtime.backfill.meter import Meter
from tidemark.runtime.backfill.pages import Key, is_storable
from tidemark.runtime.backfill.record import (
    CANCELLED,
)
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.pace import Pace, ask
from tidemark.runtime.runs import add_run
from tidemark.runtime.values import pack, unpack
from tidemark.telling import tell_count

Part = tuple[Key | None, Key | None]
"""Keys after one key (None = from the first) up to another one (None = to the last, where there is none yet)."""


@dataclass(frozen=True)
class FillReport:
    """What a filling did: keys walked (by this run), rows written, chunks, and the longest hold in milliseconds."""

    derived: str
    keys: int
    rows_written: int
    chunks: int
    longest_ms: float


@dataclass(frozen=True)
class Left:
    """What is left of a filling: ranges of keys, and how many keys are filled."""

    parts: list[Part]
    done: int


@dataclass
class Filling:
    """A session at work on a filling: its gate, the pace of its chunks, and in which range it is and how far that has come.
    `ahead` was the session's marker when the rows of the next chunk were computed before its lock was had, empty where not."""

    duty: Duty
    script: Script
    gate: Gate
    pace: Pace
    cursor: str | None = None
    place: int = 0
    ahead: str = ""

    @property
    def tally(self) -> Tally:
        """What was done, and what is told of it."""
        return self.gate.tally

    def beside(self, duty: Duty, pace: Pace) -> Filling:
        """The same filling on another session, with a pace of its own."""
        ask(pace, None)
        return replace(self, duty=duty, gate=replace(self.gate, duty=duty), pace=pace)

    def turn_to(self, todo: Range) -> None:
        """Fill that range from now on."""
        self.place, self.cursor = todo.place, None if todo.cursor is None else pack(todo.cursor)

    def commit(self, keys: int, written: int, upto: Key | None = None) -> str:
        """Record a chunk in the caller's transaction, and the key that it came to; give what an operator wishes."""
        if upto is not None and is_storable(upto):
            self.cursor = pack(upto)
        counted = {
            "place": self.place,
            "cursor": self.cursor,
            "finished": 0,
            "rows_done": keys,
            "rows_written": written,
        }
        self.duty.ledger.run("advance_range", {"backfill": self.script.name, **counted})
        wish, nice, _ = self.duty.ledger.all("read_control", {"name": self.script.name})[0]
        ask(self.pace, nice)
        self.duty.nice = nice
        return str(wish)

    def steps(self, start: int, total: int) -> Iterator[tuple[int, int]]:
        """The places of one chunk after the other, when the gate lets them through."""
        low = start
        while low < total:
            self.gate.check()
            high = min(total, low + self.pace.size)
            yield low, high
            low = high

    def take_in(self, keys: int, held: Held[tuple[int, str]]) -> None:
        """Learn from a chunk that is committed, settle it, and obey."""
        written, wish = held.value
        self.pace.record(keys, held.hold_ms)
        self.tally.settle(self.duty, self.pace, keys, written, held)
        self.gate.obey(wish)


def begin_fill(
    duty: Duty,
    script: Script,
    pace: Pace,
    done: int,
    total: int,
    *,
    upto: Key | None = None,
    parts: Sequence[Part] | None = None,
) -> Filling:
    """Begin a run of a filling of which `done` keys of `total` are filled already; `upto` is the greatest key to be filled, where
    it is done in one range, `parts` are the ranges where it is done in several.

    Raises `Refusal` where a migration of the user's has the name.
    """
    begun = duty.write(partial(_begin, duty, script, done, total, upto, parts)).value
    now = duty.clock.now()
    tally = Tally(script.name, begun, Meter(now), duty.listen, now, phase="fill")
    ask(pace, None)
    return Filling(duty, script, Gate(duty, tally, waits=False), pace)


def _begin(duty: Duty, script: Script, done: int, total: int, upto: Key | None, parts: Sequence[Part] | None) -> Begun:
    run = add_run(duty, "fill", script, total)
    about = {"name": script.name, "fingerprint": str(script.generation), "run": run.id, "rows_total": total}
    if duty.ledger.run("begin_fill", about) != 1:
        raise Refusal(
            Code.NAME_TAKEN,
            f"a backfill of yours is called {script.name}",
            instead="give the derived table another name",
            derived=script.name,
        )
    if parts is None:
        ends = {"high": None if upto is None else pack(upto), "keep": int(done > 0)}
        duty.ledger.run("remove_parts", {"backfill": script.name})
        duty.ledger.run("set_filled", {"name": script.name, "rows_done": done, **ends})
        return Begun(run, 1, [], [], done, total)
    return Begun(run, 1, _cut_anew(duty, script, done, total, parts), [], done, total)


def _cut_anew(duty: Duty, script: Script, done: int, total: int, parts: Sequence[Part]) -> list[Range]:
    """Record the ranges that are left instead of those of the run before, and beside them how many keys are filled."""
    name, found = script.name, list[Range]()
    duty.ledger.run("remove_ranges", {"backfill": name})
    duty.ledger.run("add_range", {"backfill": name, "place": QUARANTINED, "low": None, "high": None})
    counted = {"rows_done": done, "rows_written": 0, "cursor": None, "finished": 1}
    duty.ledger.run("advance_range", {"backfill": name, "place": QUARANTINED, **counted})
    for place, (low, high) in enumerate(parts):
        ends = {"low": None if low is None else pack(low), "high": None if high is None else pack(high)}
        duty.ledger.run("add_range", {"backfill": name, "place": place, **ends})
        found.append(Range(place, low, high or ()))
    set_cursor(duty, script, done, total)
    return found


def see_through(filling: Filling, installed: Installed, work: Callable[[], None]) -> None:
    """Do the work and record how it ended; a pause is one of the generation too, and a cancel its end."""
    duty = filling.duty

    def also(state: str) -> None:
        if state == "paused":
            duty.ledger.move(installed, "paused")
        elif state == "cancelled":
            duty.ledger.move(installed, "failed", CANCELLED)

    def obey() -> None:
        # What was wished after the last chunk is heard before the end is on record; after that nobody is told that it will be.
        filling.gate.obey(str(duty.ledger.all("hold_control", {"name": filling.script.name})[0][0]))

    with recording_end(duty, filling.tally, also):
        work()
        filled = tell_count(filling.tally.begun.rows_total or 0, "key")
        record_end(duty, filling.tally, "finished", f"{filled} filled", before=obey)


def report(filling: Filling, keys: int) -> FillReport:
    """What a run did that filled so many keys."""
    tally = filling.tally
    return FillReport(filling.script.name, keys, tally.written, tally.chunks, tally.longest_ms)


def set_cursor(duty: Duty, script: Script, at: int, total: int) -> None:
    """Record how many of the keys are filled, in the caller's transaction."""
    about = {"name": script.name, "generation": script.generation}
    duty.ledger.run("set_cursor", {**about, "cursor_at": at, "cursor_total": total})


def advance_cursor(duty: Duty, script: Script, keys: int) -> None:
    """Record that so many more keys are filled, in the caller's transaction."""
    duty.ledger.run("advance_cursor", {"name": script.name, "generation": script.generation, "keys": keys})


def find_unfilled(ledger: Ledger, script: Script) -> Left | None:
    """What is left of the filling of a generation; None when it has no record by which it could go on."""
    record = next((row for row in ledger.all("list_backfills", {"name": script.name})), None)
    if record is None or record[1] != "fill" or record[2] != str(script.generation):
        return None
    parts, done = list[Part](), 0
    for place, low, high, cursor, rows_done, *_ in ledger.all("list_ranges", {"backfill": script.name}):
        if int(place) == QUARANTINED:
            done += int(rows_done)
            continue
        if high is None:
            return None
        begins = cursor or low
        after = None if begins is None else unpack(begins)
        # From the first key on everything is done again, and counted again; the key that is NULL is before all others.
        done += int(rows_done) if cursor is not None and after is not None and after[0] is not None else 0
        parts += [(after, unpack(high))] if begins != high else []
    return Left(parts, done)
