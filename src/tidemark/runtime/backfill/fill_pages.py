"""Filling by pages of keys: one session, or several beside each other, each in ranges of its own.

Owns: `fill_by_pages`. Promises: every key up to the greatest one when the filling began is in one range and in no other; a range
goes on after the last key of it that was done, whoever has it then and whatever came or went meanwhile; the rows of a chunk, its
cursor and its counts commit together, so that progress adds up whoever dies. Where all writers wait for whoever has the lock,
rows are computed before it is asked for, and again with it in hand when somebody has committed in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import chain

from tidemark.contract.script import Script
from tidemark.database.session import Conflict
from tidemark.errors import Fault, TidemarkError
from tidemark.runtime.backfill.chunk import Range
from tidemark.runtime.backfill.filling import (
    Filling,
    FillReport,
    Part,
    advance_cursor,
    begin_fill,
    find_unfilled,
    report,
    see_through,
)
from tidemark.runtime.backfill.pages import Book, open_book
from tidemark.runtime.backfill.together import IN_LINE, RANGES_EACH, tell_alone, work_together
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.outbox import silence
from tidemark.runtime.pace import choose_patient_pace
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.batch import apply_batch, compute_ahead, take_range, write_ahead
from tidemark.runtime.ticks.processing import computing
from tidemark.runtime.ticks.steady import read_first, write_steadily
from tidemark.runtime.ticks.tick import tick

PART_KEYS = 5_000
Counted = tuple[Book, Iterable[int]]
"""A book whose first page is listed, and how many keys that page and each one after it have."""


def fill_by_pages(duty: Duty, installed: Installed) -> FillReport | None:
    """Compute every key that is left, under its lock; None where keys have no order in which they could be listed by pages."""
    script = installed.script
    left = find_unfilled(duty.ledger, script) if installed.cursor_at else None
    opened = [open_book(duty, script, *part) for part in left.parts] if left else [open_book(duty, script)]
    books = [book for book in opened if book is not None]
    if len(books) < len(opened):
        return None
    before, crew = left.done if left else 0, choose_crew(duty, script)
    ready: dict[int, Counted] = {}
    if crew == 1 and len(books) == 1:
        book, parts = books[0], [(books[0].after, books[0].upto)]
        turns = book.turn()
        first = next(turns, 0)
        total = before + book.count(first)
        ready[0] = (book, chain([first] if first else [], turns))
    else:
        parts, keys = cut(books, crew * RANGES_EACH if crew > 1 else 1)
        total = before + keys
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), before, total, parts=parts)
    work = partial(_work, filling, ready)
    together = partial(work_together, duty, filling.tally, work, min(crew, len(parts)))
    see_through(filling, installed, together)
    return report(filling, filling.tally.done - before)


def choose_crew(duty: Duty, script: Script, phase: str = "fill") -> int:
    """How many sessions fill, or mend, ranges beside each other; why it is one, where more are wanted, is told."""
    why = ""
    if duty.hands == 1:
        why = IN_LINE
    elif script.applier.compute is not None:
        why = "a function in Python computes its rows, which may not expect to be called by several"
    elif read_first(duty, script):
        why = "it remembers, and is computed in moments in which nothing waits for what it reads"
    if why:
        tell_alone(duty, script.name, why, phase)
    return 1 if why else duty.hands


def cut(books: Sequence[Book], parts: int) -> tuple[list[Part], int]:
    """The keys of some books as about so many ranges with as many keys each, and how many keys they are.

    The keys are counted in short hops, each in a moment of its own.
    """
    hops: list[tuple[Part, int]] = []
    for book in books:
        low = book.after
        for high, keys in book.hops(PART_KEYS):
            hops.append(((low, high), keys))
            low = high
    total = sum(keys for _, keys in hops)
    each = max(1, -(-total // parts))
    found: list[Part] = []
    room = 0
    for (low, high), keys in hops:
        if found and room >= keys and found[-1][1] == low:
            found[-1], room = (found[-1][0], high), room - keys
        else:
            found.append((low, high))
            room = each - keys
    return found, total


def _work(first: Filling, ready: dict[int, Counted], duty: Duty) -> None:
    """Fill ranges that nobody else has, until there are none. A session beside the first that is lost gives its range back."""
    filling = first if duty is first.duty else first.beside(duty, choose_patient_pace(duty.session.dialect))
    while (todo := filling.tally.next_range()) is not None:
        try:
            todo.refresh(duty.ledger, filling.script.name)
            _fill_range(filling, todo, ready.pop(todo.place, None))
        except (TidemarkError, Conflict) as problem:
            if filling is first or duty.session.is_open():
                raise
            filling.tally.listen(Event(filling.script.name, "fill", note=f"one session less: {problem}"))
            filling.tally.give_back(todo)
            return


def _fill_range(filling: Filling, todo: Range, counted: Counted | None) -> None:
    filling.turn_to(todo)
    if counted is None:
        book = open_book(filling.duty, filling.script, todo.begins, todo.high or None)
        if book is None:
            raise Fault(f"the keys of {filling.script.name} have lost their order", retry_safe=False)
        counted = (book, book.turn())
    walk_pages(filling, *counted)


def walk_pages(filling: Filling, book: Book, counts: Iterable[int]) -> None:
    """Compute the keys of one page after the other; `counts` lists them, and gives how many there are in each."""
    may = _may_compute_ahead(filling.duty, filling.script)
    for count in counts:
        for low, high in filling.steps(0, count):
            chunk, ahead = partial(_chunk, filling, book, low, high), partial(_compute_ahead, filling, low, high)
            held = write_steadily(
                filling.duty, filling.script, chunk, tick, snapshot=False, mode="chunk", ahead=ahead if may else None
            )
            filling.take_in(high - low, held)


def _may_compute_ahead(duty: Duty, script: Script) -> bool:
    """Whether rows may be computed before the lock: by their query alone, where the session sees that somebody has committed."""
    applier = script.applier
    return duty.session.dialect.writers_wait_in_line and not applier.lock and not (applier.compute or applier.carry)


def _compute_ahead(filling: Filling, low: int, high: int) -> None:
    session, applier = filling.duty.session, filling.script.applier
    compute = partial(compute_ahead, session, applier, lambda: take_range(session, applier, low, high))
    filling.ahead = filling.duty.read(compute, snapshot=False).value


def _chunk(filling: Filling, book: Book, low: int, high: int) -> tuple[int, str]:
    ready, filling.ahead, written = filling.ahead, "", None
    if ready:
        with silence(filling.duty.ledger, filling.script.crosses):
            written = write_ahead(filling.duty.session, filling.script.applier, ready)
    if written is None:
        written = compute_range(filling.duty, filling.script, low, high)
    advance_cursor(filling.duty, filling.script, high - low)
    return written, filling.commit(high - low, written, book.key_at(high))


def compute_range(duty: Duty, script: Script, low: int, high: int) -> int:
    """Compute the keys of the session's list from one place to another, in the caller's transaction; give how many rows were
    written."""
    session, applier = duty.session, script.applier
    with silence(duty.ledger, script.crosses):
        compute = computing(duty, script, "apply")
        return apply_batch(session, applier, lambda: take_range(session, applier, low, high), compute)
