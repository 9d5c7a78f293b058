"""Deliberate mistakes in the protocols of the runtime, each of which a simulation with disturbances must find.

Owns: the list `MISTAKES` and how a room of the runtime is patched. Promises: a mistake that nothing runs into is an error,
not a survivor; the package is as it was when the hunt ends.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from unittest import mock

from tests.simulation.aside import Aside
from tests.simulation.beside import nobody_seen
from tests.simulation.case import Case, Duty, Failure
from tests.simulation.compiled import SCRIPTS
from tests.simulation.mutants import FOUND, PASSED_ON, WORLDS_MAX, Met
from tests.simulation.mutants_keyed import vanished
from tests.simulation.pinned import REACHING, TOGETHER
from tests.simulation.programs import draw_case
from tests.simulation.run import Ground
from tests.simulation.strains import Strain, at_ticks
from tests.simulation.tally import Tally
from tidemark.contract import ways
from tidemark.render.postgres import slices as postgres_slices
from tidemark.render.sqlite import slices as sqlite_slices
from tidemark.runtime import book as books
from tidemark.runtime.backfill import adding, fill_pages, fill_whole, pages
from tidemark.runtime.lease import Lease
from tidemark.runtime.statements import find_statement
from tidemark.runtime.ticks import at_once, backlog, deltas, seals, small, tick
from tidemark.runtime.ticks.processing import Computing

CAUGHT = (*FOUND, *PASSED_ON, "fencing")
TICKED = ("keyed", "keyed", "copy", "group")
Patch = Callable[[Met], AbstractContextManager[Any]]

PREPARED_MAX = 10.0
"""After that much time of a schedule every transaction that was prepared is resolved."""


@dataclass(frozen=True)
class Mistake:
    """A broken protocol on an engine; whoever meets it counts ``changed``. A `dense` hunt ticks after most transactions. Each
    case ends with the accident `suffers`, if any: what needs a moment without open transactions is drawn too seldom. What shows
    seldom is hunted from the case `begin` on, the one that found it last, or in the case `first`; `strain` is what is done to
    each case that is drawn. What is `unlike` shows where types meet other types, what is `steady` where nothing is disturbed."""

    engine: str
    word: str
    patch: Patch
    families: tuple[str, ...] = TICKED
    dense: bool = False
    suffers: str = ""
    begin: int = 0
    first: Case | None = None
    strain: Strain | None = None
    unlike: bool = False
    steady: bool = False

    @property
    def name(self) -> str:
        """A name for a test."""
        return f"{self.engine}-{self.word.replace(' ', '-')}"


def no_fence(met: Met) -> AbstractContextManager[Any]:
    """A holder never looks whether the duty is still its own."""

    def check(self: Lease) -> None:
        met["changed"] += 1

    return mock.patch.object(Lease, "check", check)


def text(name: str, pattern: str, by: str) -> Patch:
    """A statement of the ledger says something else."""
    original = find_statement

    def patch(met: Met) -> AbstractContextManager[Any]:
        def find(engine: str, wanted: str, *book: str) -> str:
            found = original(engine, wanted, *book)
            if wanted != name:
                return found
            changed = re.sub(pattern, by, found, flags=re.DOTALL)
            met["changed"] += changed != found
            return changed

        return mock.patch.object(books, "find_statement", find)

    return patch


def copying(pattern: str, by: str) -> Patch:
    """What copies changes of a log says something else."""

    def patch(met: Met) -> AbstractContextManager[Any]:
        def fill(original: Callable[..., str], *about: Any) -> str:
            found = original(*about)
            changed = re.sub(pattern, by, found, flags=re.DOTALL)
            met["changed"] += changed != found
            return changed

        stack = ExitStack()
        # Scripts are kept from case to case: none of before is to be used, and none of these afterwards.
        stack.enter_context(mock.patch.dict(SCRIPTS, clear=True))
        for slices in (sqlite_slices, postgres_slices):
            stack.enter_context(mock.patch.object(slices, "fill", partial(fill, slices.fill)))
        return stack

    return patch


def step_by_step(mistake: Patch) -> Patch:
    """The same where no tick is small, so that everything is sealed."""

    def patch(met: Met) -> AbstractContextManager[Any]:
        stack = ExitStack()
        stack.enter_context(mock.patch.object(tick, "tick_at_once", lambda duty, script: None))
        stack.enter_context(mistake(met))
        return stack

    return patch


def last_unit(met: Met) -> AbstractContextManager[Any]:
    """A processor's function is not asked for the last unit of a batch."""
    original = Computing._timed

    def timed(self: Computing, units: Sequence[Any], *about: Any) -> None:
        met["changed"] += len(units) > 1
        original(self, units[:-1] or units, *about)

    return mock.patch.object(Computing, "_timed", timed)


def first_change(met: Met) -> AbstractContextManager[Any]:
    """A processor's function is not shown the first change of a unit."""
    original = Computing._changes

    def changes(self: Computing, units: Any) -> Any:
        found = original(self, units)
        met["changed"] += any(found.values())
        return {number: changes[1:] for number, changes in found.items()}

    return mock.patch.object(Computing, "_changes", changes)


def first_log(met: Met) -> AbstractContextManager[Any]:
    """A small tick follows the changes of one log alone."""
    original = small._changed

    def changed(*about: Any) -> list[Any]:
        found = original(*about)
        met["changed"] += len(found) > 1
        return found[:1]

    return mock.patch.object(small, "_changed", changed)


def unmoved(met: Met) -> AbstractContextManager[Any]:
    """Logged images of sources beside the one whose changes are followed are never read."""
    original = ways.following

    def following(found: Sequence[ways.Reach], moved: Any) -> list[str]:
        alone = original(found, ())
        met["changed"] += len(alone) < len(original(found, moved))
        return alone

    stack = ExitStack()
    for module in (small, seals, backlog):
        stack.enter_context(mock.patch.object(module, "following", following))
    return stack


def left_over(met: Met) -> AbstractContextManager[Any]:
    """A small tick does not look whether units are dirty already."""
    original = at_once._question

    def question(duty: Any, tick: Any) -> str:
        met["changed"] += bool(tick.dirty)
        return original(duty, replace(tick, dirty=""))

    return mock.patch.object(at_once, "_question", question)


def left_by_none(met: Met) -> AbstractContextManager[Any]:
    """Units that are too many for a small tick are nobody's."""

    def leave(duty: Any, tick: Any, low: int, high: int) -> None:
        met["changed"] += 1

    return mock.patch.object(small, "_leave", leave)


def first_log_moved(met: Met) -> AbstractContextManager[Any]:
    """A seal takes its first log for one in which nothing waits."""
    original = seals.find_moved

    def find(*about: Any) -> list[str]:
        found = original(*about)
        met["changed"] += len(found) > 1
        return found[1:] if len(found) > 1 else found

    return mock.patch.object(seals, "find_moved", find)


def first_log_read(met: Met) -> AbstractContextManager[Any]:
    """A seal that is read from its first change on takes the changes of its first log for read."""
    original = tick.begin_reading

    def begin(state: Any) -> Any:
        found = original(state)
        met["changed"] += len(state.tick.logs) > 1
        state.backlog.ended.add(state.tick.logs[0].source)
        return found

    return mock.patch.object(tick, "begin_reading", begin)


def begins_empty(met: Met) -> AbstractContextManager[Any]:
    """A filling that adds takes the store for empty, whatever writers and fillings before it have put there."""
    original = adding._find_short

    def find(duty: Any, script: Any, whole: Any, missing: Any) -> int:
        met["changed"] += 1
        clear, every = missing.find
        none = every.replace(f"FROM {script.store})", f"FROM {script.store} WHERE 1 = 0)")
        return original(duty, script, replace(whole, rows=()), replace(missing, find=(clear, none)))

    return mock.patch.object(adding, "_find_short", find)


def unread_units(met: Met) -> AbstractContextManager[Any]:
    """Where what changed cannot be read, no unit is dirty."""
    original = seals._seal_everything

    def seal(duty: Any, script: Any, tick: Any, fresh: bool) -> Any:
        met["changed"] += 1
        return original(duty, script, replace(tick, everything=()), fresh)

    return mock.patch.object(seals, "_seal_everything", seal)


def unread_sums(met: Met) -> AbstractContextManager[Any]:
    """Where what changed cannot be read, nothing is added and nothing is computed anew."""
    original = deltas._find_added

    def find(state: Any, known: Any) -> Any:
        found = original(state, known)
        met["changed"] += found.anew
        found.everything = found.everything and not found.anew
        return found

    return mock.patch.object(deltas, "_find_added", find)


def left_is_filled(met: Met) -> AbstractContextManager[Any]:
    """Rows of somebody who comes just before a table is filled at once are taken for filled."""
    rows, put = fill_whole._has_rows, fill_whole._put

    def has_rows(duty: Any, script: Any) -> bool:
        met["changed"] += rows(duty, script)
        return False

    def put_beside(duty: Any, script: Any, whole: Any, *places: int) -> int:
        texts = tuple(f"{one} ON CONFLICT DO NOTHING" for one in whole.copy)
        return put(duty, script, replace(whole, copy=texts), *places)

    stack = ExitStack()
    stack.enter_context(nobody_seen())
    stack.enter_context(mock.patch.object(fill_whole, "_has_rows", has_rows))
    stack.enter_context(mock.patch.object(fill_whole, "_put", put_beside))
    return stack


def at_hand_is_filled(met: Met) -> AbstractContextManager[Any]:
    """When somebody comes while rows are copied, the key that was next counts as copied."""
    original = fill_whole._go_on

    def go_on(filling: Any, after: Any) -> None:
        book = pages.open_book(filling.duty, filling.script, after)
        listed = next(book.turn(), 0) if book is not None else 0
        met["changed"] += listed > 0
        original(filling, book.key_at(1) if book is not None and listed else after)

    return mock.patch.object(fill_whole, "_go_on", go_on)


def last_range(met: Met) -> AbstractContextManager[Any]:
    """The last of the ranges of sessions beside each other is given to none of them."""
    original = fill_pages.cut

    def cut(*given: Any) -> Any:
        parts, total = original(*given)
        met["changed"] += bool(parts)
        return parts[:-1], total

    return mock.patch.object(fill_pages, "cut", cut)


JOINED = ("inner-join", "three-joins", "self-join")
APART = ("inner-join", "three-joins")
ADDED = ("having", "group")
COUNTED = ("count-distinct", "distinct")
FILLED = ("group", "universe")
FILLING = (
    Mistake("postgres", "what somebody left is filled", left_is_filled, FILLED, begin=41),
    Mistake("sqlite", "what is at hand is filled", at_hand_is_filled, FILLED, begin=7),
    Mistake("postgres", "a range for nobody", last_range, FILLED, begin=209),
)
AT_ONCE = (
    Mistake("sqlite", "one log at once", first_log, APART, strain=at_ticks),
    Mistake("postgres", "one log at once", first_log, APART, first=TOGETHER, strain=at_ticks),
    Mistake("sqlite", "sources that moved beside", unmoved, JOINED, first=vanished("sqlite")),
    Mistake("postgres", "sources that moved beside", unmoved, JOINED, first=vanished("postgres")),
    Mistake("sqlite", "left over by a small tick", left_over, JOINED, dense=True),
    Mistake("postgres", "left over by a small tick", left_over, JOINED, dense=True),
    Mistake("sqlite", "units that a small tick leaves", left_by_none, JOINED, first=replace(REACHING, engine="sqlite")),
    Mistake("postgres", "units that a small tick leaves", left_by_none, JOINED, first=REACHING),
    Mistake("postgres", "concern of a small tick", text("look_at_log", r"d, \{concerns\}", "d"), ADDED, dense=True),
    Mistake("postgres", "marker in a small tick", text("look_at_log", r"w\.markers", "0"), JOINED, dense=True),
    Mistake(
        "sqlite",
        "small tick told twice",
        text("move_checkpoints", r"snapshot = .*?\), target", "target"),
        ADDED,
        dense=True,
    ),
    Mistake(
        "postgres", "small tick told twice", text("move_checkpoints", r"snapshot = .*? source, ", ""), ADDED, dense=True
    ),
)

MISTAKES: tuple[Mistake, ...] = (
    *AT_ONCE,
    *FILLING,
    Mistake("sqlite", "first log of a seal", step_by_step(first_log_moved), APART, dense=True),
    Mistake("postgres", "first log of a seal", step_by_step(first_log_moved), APART, dense=True),
    Mistake("sqlite", "first log of a seal that is read", first_log_read, JOINED, dense=True),
    Mistake("postgres", "first log of a seal that is read", first_log_read, JOINED, dense=True),
    Mistake("sqlite", "units that cannot be read", unread_units, JOINED, dense=True),
    Mistake("postgres", "units that cannot be read", unread_units, JOINED, dense=True),
    Mistake("sqlite", "sums that cannot be read", unread_sums, ADDED, dense=True),
    Mistake("postgres", "sums that cannot be read", unread_sums, ADDED, dense=True),
    Mistake("sqlite", "last unit of a batch", last_unit, ("processor",)),
    Mistake("postgres", "last unit of a batch", last_unit, ("processor",)),
    Mistake("sqlite", "first change of a unit", first_change, ("told",)),
    Mistake("postgres", "first change of a unit", first_change, ("told",)),
    Mistake("sqlite", "fence", no_fence),
    Mistake("postgres", "fence", no_fence),
    Mistake(
        "sqlite",
        "checkpoint ahead of the seal",
        text("finish_seal", "SET snapshot = target", "SET snapshot = target + 1"),
    ),
    Mistake(
        "postgres",
        "checkpoint at the end of the seal",
        step_by_step(text("finish_seal", "SET snapshot = target", "SET snapshot = pg_current_snapshot()::text")),
        ADDED,
        dense=True,
    ),
    Mistake(
        "sqlite",
        "position ahead of the slice",
        text("set_position", "position = :position", "position = :position + 1"),
    ),
    Mistake(
        "postgres",
        "late commits before the newest",
        copying(r"NOT pg_visible_in_snapshot\(l\.xid, (CAST\(:previous.*?\))\)", r"l.xid >= pg_snapshot_xmax(\1)"),
        begin=4,
    ),
    Mistake("sqlite", "last change of a log goes too", text("consume", r"max\(id\) - 1 FROM", "max(id) FROM")),
    Mistake("postgres", "unseen changes consumed", text("consume", r"WHERE l\.xid < .*?\n    LIMIT", "LIMIT")),
    Mistake(
        "postgres",
        "changes of open transactions consumed",
        text("consume", r"\n\s+AND NOT EXISTS [^\n]*", ""),
        begin=206,
    ),
    *(Mistake(one, "what is stored is added again", begins_empty, COUNTED) for one in ("sqlite", "postgres")),
)


def pursue(place: Ground, mistake: Mistake, transactions_max: int, seed: str = "mistake") -> tuple[Failure | None, Met]:
    """Play cases with the mistake until one fails; the failure (None when it survives) and what was run into."""
    met: Met = Counter()
    tally = Tally()
    number = mistake.begin
    with Aside(met) as aside, mistake.patch(met):
        while tally.total < transactions_max and tally.worlds < WORLDS_MAX:
            drawn = draw_case(
                f"{seed}/{number}",
                place.engine,
                120,
                3,
                families=mistake.families,
                dense=mistake.dense,
                steady=mistake.steady,
                is_unlike=mistake.unlike or None,
            )
            case = mistake.strain(drawn) if mistake.strain else drawn
            case, number = mistake.first if mistake.first and not tally.total else case, number + 1
            if mistake.suffers:
                after = max(one.end_at for one in case.transactions) + PREPARED_MAX + number / 1000
                case = replace(case, duties=(*case.duties, Duty(after, mistake.suffers)))
            try:
                place.play(case, tally)
            except Failure as failure:
                if failure.kind in CAUGHT:
                    return failure, met
                aside.put(failure, partial(place.play, case, Tally()))
    return None, met
