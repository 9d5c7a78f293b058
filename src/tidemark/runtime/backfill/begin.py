"""Beginning a run of a backfill: what is to be done, up to where, and counted by whom.

Owns: `begin`. Promises: the upper bound and the ranges are recorded in the transaction that begins the run, so that rows which
come later cannot make it longer; how far the count of the keys has come is told; another attempt counts for itself and does again
what failed or was quarantined, never what is done; a definition that changed is never continued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from shlex import quote
from typing import Any

from tidemark.contract.walk import Walk, between, bounds
from tidemark.errors import Code, Exit, Fault, Refusal
from tidemark.model import Backfill
from tidemark.runtime.backfill.chunk import QUARANTINED, Range
from tidemark.runtime.backfill.pages import Key
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import Run, add_named_run
from tidemark.runtime.values import pack, unpack
from tidemark.states import BACKFILL, UNKNOWN, check_move, read_state

HOP_KEYS = 50_000
RETRIED_MAX = 100_000
Cut = tuple[Key | None, Key, int]
"""A range of a walk, after one key up to another, and how many keys it has."""


@dataclass
class Begun:
    """A run that began: its ranges that are not finished, the keys to try again, and what was counted before it by the same
    attempt."""

    run: Run
    attempt: int
    ranges: list[Range]
    quarantine: list[Key]
    rows_done: int
    rows_total: int | None


@dataclass(frozen=True)
class _Stored:
    state: str
    attempt: int
    fingerprint: str
    rows_total: int | None
    wish: str


def begin(
    duty: Duty,
    backfill: Backfill,
    walk: Walk,
    *,
    again: bool,
    anew: bool,
    nice: float | None,
    parts: int = 1,
) -> Begun | None:
    """Begin a run, or None when everything is done and nothing more is asked for. `again` is another attempt at what failed or
    was quarantined, `anew` one at everything. `parts` is how many ranges a new walk is cut into.

    Raises `Refusal` when it failed, was cancelled or was begun with another definition, and no attempt is asked for, and `Fault`
    (exit 75) while an operator wants it to rest.
    """
    name = backfill.name
    about = {"name": name, "kind": "data", "fingerprint": backfill.fingerprint}
    duty.write(lambda: duty.ledger.run("plan_backfill", about))
    stored = _read(duty, name)
    another = again or anew
    if stored.state in ("finished", "quarantined") and not another:
        return None
    _check(stored, backfill, another=another, anew=anew)
    if stored.wish == "pause":
        then = f"tidemark backfill resume {quote(name)}, then tidemark backfill run {quote(name)}"
        rests = f"{name} is paused: an operator asked for a rest"
        raise Fault(rests, left_behind=f"nothing was done; next: {then}", exit=Exit.INTERRUPTED)
    fresh = anew or not duty.ledger.all("list_ranges", {"backfill": name})
    cuts = survey(duty, walk, parts, lambda keys: duty.listen(Event(name, "count", keys))) if fresh else []
    left = sum(_count(duty, walk, one) for one in _ranges(duty, name)) if again and not fresh else 0

    def work() -> Begun:
        ledger = duty.ledger
        attempt = stored.attempt + (another and stored.state != "planned")
        if fresh:
            _lay_out(ledger, name, cuts)
            total: int | None = sum(keys for _, _, keys in cuts)
        elif another:
            ledger.run("reset_ranges", {"backfill": name})
            total = left + int(ledger.value("count_quarantine", {"backfill": name}))
        else:
            total = stored.rows_total
        run = add_named_run(duty, "backfill", name, attempt, total)
        facts = {"attempt": attempt, "run": run.id, "rows_total": total, "total_is_estimate": 0, "nice": nice}
        begun = {"name": name, "fingerprint": backfill.fingerprint, "before": stored.state, **facts}
        if ledger.run("begin_backfill", begun) != 1:
            raise Fault(f"the backfill {name} is not {stored.state} any more: somebody else changed it")
        rows = ledger.all("list_quarantine", {"backfill": name, "limit": RETRIED_MAX})
        quarantine = [unpack(key) for key, tried, *_ in rows if int(tried) < attempt]
        done = sum(int(row[4]) for row in ledger.all("list_ranges", {"backfill": name}))
        return Begun(run, attempt, _ranges(duty, name), quarantine, done, total)

    return duty.write(work).value


def _lay_out(ledger: Ledger, name: str, cuts: Iterable[Cut]) -> None:
    """Write down the ranges of a walk that begins at the first key, in the caller's transaction."""
    for statement in ("remove_ranges", "clear_quarantine"):
        ledger.run(statement, {"backfill": name})
    for place, (low, high, _) in enumerate(cuts):
        ends = {"low": None if low is None else pack(low), "high": pack(high)}
        ledger.run("add_range", {"backfill": name, "place": place, **ends})
    ledger.run("add_range", {"backfill": name, "place": QUARANTINED, "low": None, "high": None})


def _check(stored: _Stored, backfill: Backfill, *, another: bool, anew: bool) -> None:
    name = backfill.name
    if stored.state == UNKNOWN:
        raise Fault(f"the backfill {name} is in a state that this version does not know", retry_safe=False)
    if stored.state in ("failed", "cancelled") and not another:
        raise Refusal(
            Code.DECLARATION,
            f"{name} is {stored.state}",
            instead=f"see `tidemark backfill list`, then run `tidemark backfill retry {quote(name)}`",
            derived=name,
        )
    if stored.fingerprint != backfill.fingerprint and stored.state != "planned" and not anew:
        raise Refusal(
            Code.DECLARATION,
            f"{name} was begun with another definition, by which a part of the rows is migrated",
            instead=f"put the definition back, or run `tidemark backfill retry {quote(name)} --anew` for every row",
            derived=name,
        )
    if stored.state == "finished" and not anew:
        raise Refusal(
            Code.DECLARATION,
            f"{name} is finished, and nothing is left to try again",
            instead=f"`tidemark backfill retry {quote(name)} --anew` does every row again",
            derived=name,
        )
    check_move(stored.state, "backfilling", BACKFILL)


def _read(duty: Duty, name: str) -> _Stored:
    row = next(row for row in duty.ledger.all("list_backfills", {"name": name}))
    total = row[9]
    return _Stored(read_state(row[3], BACKFILL), int(row[6]), row[2], None if total is None else int(total), row[4])


def _ranges(duty: Duty, name: str) -> list[Range]:
    """The ranges that are not finished."""
    found = []
    for place, low, high, cursor, _, _, finished in duty.ledger.all("list_ranges", {"backfill": name}):
        if not finished and int(place) != QUARANTINED:
            found.append(Range(int(place), _key(low), unpack(high), _key(cursor)))
    return found


def _key(text: Any) -> Key | None:
    return None if text is None else unpack(text)


def survey(duty: Duty, walk: Walk, parts: int, tell: Callable[[int], None] = lambda keys: None) -> list[Cut]:
    """Every key that there is now, as `parts` ranges with the number of keys in each; nothing for an empty table. After each hop
    `tell` is told how many were counted.

    Reads the key's index once, in short hops, each in a moment of its own: no transaction lasts as long as the table is big.
    """
    row = duty.read(lambda: duty.session.one(walk.last), snapshot=False).value
    if row is None:
        return []
    last, low = tuple(row), None
    hops: list[Cut] = []
    while True:
        duty.check_stop("the count of the keys")
        within = {**bounds(low, last), "tidemark_skip": HOP_KEYS - 1}
        found = duty.read(lambda: duty.session.one(between(walk.step, walk, low), within), snapshot=False).value  # noqa: B023
        if found is None or tuple(found) == last:
            hops.append((low, last, _count(duty, walk, Range(0, low, last))))
            break
        hops.append((low, tuple(found), HOP_KEYS))
        low = tuple(found)
        tell(len(hops) * HOP_KEYS)
    return _join(hops, parts)


def _join(hops: list[Cut], parts: int) -> list[Cut]:
    """Hops in a row as one range each, so that there are about `parts` of them."""
    each = max(1, -(-len(hops) // parts))
    joined = []
    for start in range(0, len(hops), each):
        some = hops[start : start + each]
        joined.append((some[0][0], some[-1][1], sum(keys for _, _, keys in some)))
    return joined


def _count(duty: Duty, walk: Walk, one: Range) -> int:
    """How many keys are left in a range."""
    low = one.begins
    row = duty.session.one(between(walk.count, walk, low), bounds(low, one.high))
    return int(row[0]) if row else 0
