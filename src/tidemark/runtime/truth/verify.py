"""Verification: compare what is stored with what the query says, both ways, and record what differs.

Owns: finding drift. Promises: every key that the query or the store has is compared, in chunks, each in a transaction that
sees one moment, so that a commit in between cannot look like drift; NULLs equal NULLs; floating point that depends on the
order of addition is compared with a tolerance, everything else exactly. Where changes wait in logs, a difference is first
kept for a second look, what waits is applied, and only a row that is still different, and that nothing waiting can explain, is
drift. Changes nothing but the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tidemark.contract.script import Script
from tidemark.plain import hashable
from tidemark.runtime.backfill.fill_listed import list_and_learn, list_suspects
from tidemark.runtime.backfill.fill_whole import fits
from tidemark.runtime.backfill.pages import Key
from tidemark.runtime.backfill.places import Between, key_at, place_of, places_between
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.pace import Pace
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import Run, Telling, add_run
from tidemark.runtime.samples import Hold
from tidemark.runtime.ticks.batch import Difference, compare_batch, each_once, prepare, take_keys, take_range, units_of
from tidemark.runtime.ticks.guard import learn_full
from tidemark.runtime.ticks.processing import computing, list_quarantined_units
from tidemark.runtime.ticks.scanning import has_unscanned
from tidemark.runtime.truth.findings import close_gone, count_drift, record_drift
from tidemark.runtime.truth.likeness import is_close, is_stale, is_unfilled
from tidemark.telling import tell_count, tell_part

SHOWN_MAX = 1_000
RECORDED_MAX = 10_000
DOUBTED_MAX = 100_000
ROUNDS_MAX = 4
LOOKS_MAX = 4
RECHECK_KEYS = 500
REST_SECONDS_MAX = 5.0


@dataclass(frozen=True)
class VerifyReport:
    """What a verification found: `keys` compared, `drift` wrong rows (the first of them in `findings`), `undecided` rows that
    kept changing while they were looked at and are no drift, `stale` rows that are only behind a sampled input, `columns` the
    names of the compared values. `notes` say what it could not compare; `supports` names the derived table of a support. `gap`
    tells why nothing was compared: no comparison could say that the rows are kept true. `quarantined` units of a processor are
    passed: nobody knows what their rows should be."""

    derived: str
    keys: int
    drift: int
    findings: tuple[Difference, ...]
    undecided: int
    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    seconds: float
    stale: int = 0
    notes: tuple[str, ...] = ()
    supports: str = ""
    gap: str = ""
    quarantined: int = 0

    @property
    def clean(self) -> bool:
        """Whether everything that is stored is true."""
        return self.drift == 0 and not self.gap


@dataclass(frozen=True)
class Leisure:
    """How a verification goes that has all the time: it takes the share `budget` of it, begins after the first `start` keys, and
    tells after each chunk, in a transaction of its own, how many keys of how many are compared and how many rows were wrong."""

    budget: float
    start: int
    advance: Callable[[int, int, int], object]


@dataclass(frozen=True)
class _Listed:
    """The keys of a verification: `suspects` of `total` stand in the session's list, after its `first` ones. After a look at
    everything those are the keys that may differ, and the others are equal; else they are all."""

    total: int
    suspects: int
    first: int = 0
    by_look: bool = False


@dataclass
class _State:
    """A verification at work."""

    duty: Duty
    script: Script
    run: Run
    listed: _Listed = _Listed(0, 0)
    found: list[Difference] = field(default_factory=list)
    drift: int = 0
    undecided: int = 0
    rows: int = 0
    stale: int = 0

    @property
    def equal(self) -> int:
        """Keys that need no second look."""
        return self.listed.total - self.listed.suspects


def verify(
    duty: Duty,
    installed: Installed,
    drain: Callable[[], object] | None = None,
    leisure: Leisure | None = None,
    between: Between | None = None,
) -> VerifyReport:
    """Compare every key, or with `leisure` those from its start on, slowly and in short transactions alone, or those `between`
    two keys, both among them. `drain` applies what waits in logs; it is needed where the script has a tick, and gives False
    when not everything could be applied.

    Raises `Fault` (exit 75) when asked to stop, and `Refusal` (``declaration``) for what is no key.
    """
    script, began = installed.script, duty.clock.now()
    if drain is not None:
        drain()
    list_keys = partial(_list_keys, duty, script, between)
    some = None if between is None else list_keys(by_look=False)
    # It begins before it looks: what others find from then on is not its to close.
    run = duty.write(lambda: add_run(duty, "verify", script)).value
    state = _State(duty, script, run)
    try:
        state.listed = some or list_keys(by_look=leisure is None)
        run.rows_total = state.listed.total
        run.rows_done = min(leisure.start, run.rows_total) if leisure else state.equal
        doubted = _walk(state, list_keys, drain, leisure)
        if doubted:
            _recheck(state, doubted, drain)
        if state.listed.by_look and state.listed.suspects and not state.drift:
            _record(state, _contradictions(duty, script))
    except Exception as problem:
        run.fail(problem)
        raise
    applier = script.applier
    keys = state.rows + state.equal if applier.count_rows else state.listed.total
    if between is None:
        duty.write(lambda: _conclude(state, installed, None if leisure is not None and leisure.start else keys))
    else:
        _conclude_part(state, installed)
    seconds = duty.clock.ms_since(began) / 1000
    return VerifyReport(
        script.name,
        keys,
        state.drift,
        tuple(state.found[:SHOWN_MAX]),
        state.undecided,
        applier.compared_columns,
        applier.key_columns,
        seconds,
        state.stale,
        script.notes,
        script.supports,
        quarantined=len(list_quarantined_units(duty.ledger, script)),
    )


def verify_units(
    duty: Duty,
    installed: Installed,
    units: Sequence[tuple[Any, ...]],
    drain: Callable[[], object] | None = None,
    *,
    of: int | None = None,
) -> int:
    """Compare the rows of some units alone, and record drift among them; how many rows that is. Where nothing differs nothing is
    written, and the verdict on the table stays, unless they are those `of` so many keys which alone were wrong just now."""
    script = installed.script

    def look() -> tuple[list[Difference], bool, int]:
        prepare(duty.session, script)
        return _compare(duty, script, partial(take_keys, duty.session, script.applier, units))

    doubted = duty.read(look).value[0]
    if not doubted and of is None:
        return 0
    run = duty.write(lambda: add_run(duty, "verify", script, len(units))).value
    state = _State(duty, script, run)
    try:
        if doubted:
            _recheck(state, doubted, drain)
    except Exception as problem:
        run.fail(problem)
        raise
    run.rows_done = len(units)
    if of is not None:
        duty.write(lambda: _conclude(state, installed, of))
        return state.drift
    _conclude_part(state, installed)
    return state.drift


def not_compared(installed: Installed, gap: str) -> VerifyReport:
    """A report without a comparison: what the catalog alone says."""
    applier = installed.script.applier
    return VerifyReport(
        installed.name,
        0,
        0,
        (),
        0,
        applier.compared_columns,
        applier.key_columns,
        0.0,
        notes=installed.script.notes,
        gap=gap,
        supports=installed.script.supports,
    )


def _list_keys(duty: Duty, script: Script, between: Between | None, *, by_look: bool) -> _Listed:
    """List the keys that are to be compared. A look at everything leaves those that may differ to be looked at one by one."""
    if between is not None:
        places = places_between(duty, script, between)
        return _Listed(len(places), len(places), places.start)
    whole = script.applier.whole
    if not by_look or whole is None or not fits(duty, script):
        total = list_and_learn(duty, script)
        return _Listed(total, total)
    suspects, stored, ms = list_suspects(duty, script, whole)
    learn_full(duty, script, ms)
    return _Listed(max(suspects, stored), suspects, by_look=True)


def _walk(
    state: _State,
    list_keys: Callable[..., _Listed],
    drain: Callable[[], object] | None,
    leisure: Leisure | None,
) -> list[Difference]:
    """Compare chunk by chunk; give the differences that waiting changes might explain and that are left to be looked at again."""
    duty, applier, run = state.duty, state.script.applier, state.run
    pace = Pace(target_ms=250.0, in_line=False, size=2_000)
    doubted: list[Difference] = []
    telling, looks = Telling(run), 1
    while run.rows_done < (total := state.listed.total):
        duty.check_stop(f"the verification of {state.script.name}")
        low, high = run.rows_done, total if not applier.indexed else min(total, run.rows_done + pace.size)
        before = state.equal - state.listed.first
        take = partial(take_range, duty.session, applier, low - before, high - before)
        held = duty.read(partial(_compare, duty, state.script, take))
        pace.record(high - low, held.hold_ms)
        run.rows_done, run.longest_ms = high, max(run.longest_ms, held.hold_ms)
        differences, waiting, rows = held.value
        state.rows += rows
        if waiting:
            doubted.extend(differences)
        else:
            _record(state, differences)
        telling.tell(high - low, Hold(held.hold_ms, 0.0, pace.size, pace.target_ms))
        duty.listen(Event(state.script.name, "verify", run.rows_done, total))
        if leisure is not None:
            duty.write(partial(leisure.advance, high, total, state.drift))
            duty.clock.wait(min(REST_SECONDS_MAX, held.hold_ms / 1000 * (1 / leisure.budget - 1)))
        if len(doubted) >= DOUBTED_MAX:
            # What applies the changes may use the session's list, and some of its keys may go.
            last, by_look = key_at(duty, state.script, high - before), state.listed.by_look
            _recheck(state, doubted, drain)
            # A look at everything begins anew, but not for ever.
            doubted, state.listed, looks = [], list_keys(by_look=by_look and looks < LOOKS_MAX), looks + 1
            run.rows_done, state.rows = (state.equal, 0) if by_look else (_count_up_to(state, last, high), state.rows)
    return doubted


def _count_up_to(state: _State, last: Key | None, count: int) -> int:
    """How many keys of the list are not after that one, or as many as before where it cannot be compared with."""
    place = None if last is None else place_of(state.duty, state.script, last)
    return count if place is None else max(0, place - state.listed.first)


def _compare(duty: Duty, script: Script, take: Callable[[], object]) -> tuple[list[Difference], bool, int]:
    """Differences of a batch, whether changes that are not applied yet might explain them, and the number of rows where
    units are not keys; one moment sees them all."""
    applier, session = script.applier, duty.session
    compute = computing(duty, script, "compare")
    found = compare_batch(session, applier, take, compute)
    found = [d for d in found if not is_close(applier, d) and not is_unfilled(script, d)]
    counted = session.one(applier.count_rows) if applier.count_rows else None
    return found, bool(found) and has_waiting(duty, script), int(counted[0]) if counted else 0


def has_waiting(duty: Duty, script: Script) -> bool:
    """Whether changes are not applied yet, in the moment that the caller's transaction sees."""
    tick, ledger = script.tick, duty.ledger
    if tick is None:
        return False
    known = ledger.checkpoints(script)
    for log in tick.logs:
        if ledger.value("count_changes", {"snapshot": known[log.source].snapshot, "limit": 1}, log=log.log):
            return True
    row = duty.session.one(tick.count_dirty)
    return bool(row and row[0]) or has_unscanned(duty, script)


def _recheck(state: _State, doubted: Sequence[Difference], drain: Callable[[], object] | None) -> None:
    """Apply what waits and look again. A row that was stored anew meanwhile is not drift, whatever it is compared with."""
    for last in [False] * (ROUNDS_MAX - 1) + [True]:
        whole = drain is None or drain() is not False
        before = {hashable(difference.key): difference for difference in doubted}
        applier, doubted = state.script.applier, []
        units = [unit for d in before.values() for unit in units_of(applier, d.key, d.stored, d.truth)]
        keys = each_once(units)
        for start in range(0, len(keys), RECHECK_KEYS):
            some = keys[start : start + RECHECK_KEYS]
            held = state.duty.read(
                partial(_compare, state.duty, state.script, partial(take_keys, state.duty.session, applier, some))
            )
            differences, waiting, _ = held.value
            if not waiting:
                _record(state, differences)
                continue
            seen = [(d, before.get(hashable(d.key))) for d in differences]
            same = [d for d, earlier in seen if whole and earlier is not None and d.stored == earlier.stored]
            if last:
                # Through every round nothing of ours wrote these rows, although everything that waited was applied.
                _record(state, same)
                state.undecided += len(differences) - len(same)
            else:
                doubted.extend(differences)
        if not doubted:
            return


def _contradictions(duty: Duty, script: Script) -> list[Difference]:
    """Rows that differ from the query as a whole, although each unit by itself is what the query says of it; none while changes
    wait. What keeps rows true computes them unit by unit, so that a mistake in how it asks for a unit shows here alone."""
    applier, whole = script.applier, script.applier.whole
    if whole is None or not whole.differing:
        return []

    def look() -> list[tuple[Any, ...]]:
        prepare(duty.session, script)
        return [] if has_waiting(duty, script) else duty.session.all(whole.differing, {"limit": RECORDED_MAX})

    keys = len(applier.key_columns)
    sides: dict[Any, tuple[Key, dict[bool, tuple[Any, ...]]]] = {}
    rows = duty.read(look).value
    for row in rows:
        key, values, side = tuple(row[:keys]), tuple(row[keys:-1]), row[-1]
        sides.setdefault(hashable(key), (key, {}))[1][side > 0] = values
    if len(rows) == RECORDED_MAX:
        # Of the last one a half may be left out.
        sides.popitem()
    found = [_difference(key, values.get(False), values.get(True)) for key, values in sides.values()]
    # What is behind a sampled input is told of unit by unit.
    return [
        one
        for one in found
        if not is_close(applier, one) and not is_unfilled(script, one) and not is_stale(applier, one)
    ]


def _difference(key: Key, stored: tuple[Any, ...] | None, truth: tuple[Any, ...] | None) -> Difference:
    return Difference("missing" if stored is None else "extra" if truth is None else "different", key, stored, truth)


def _record(state: _State, found: Sequence[Difference]) -> None:
    """Write down what differs: as drift, or as stale where only sampled inputs can explain it."""
    stale = [difference for difference in found if is_stale(state.script.applier, difference)]
    if stale:
        recorded = [replace(one, kind="stale") for one in stale[: max(0, RECORDED_MAX - state.stale)]]
        state.duty.write(lambda: record_drift(state.duty.ledger, state.script, state.run.id, recorded))
        state.stale += len(stale)
    differences = [difference for difference in found if not is_stale(state.script.applier, difference)]
    if not differences:
        return
    room = max(0, RECORDED_MAX - state.drift)
    some = differences[:room]
    if some:
        state.duty.write(lambda: record_drift(state.duty.ledger, state.script, state.run.id, some))
        state.found.extend(some[: max(0, SHOWN_MAX - len(state.found))])
    state.drift += len(differences)


def _conclude_part(state: _State, installed: Installed) -> None:
    """Record what a look at some of the keys found; where nothing differs, the verdict on all of them stays as it was."""
    if state.drift:
        state.duty.write(lambda: _conclude(state, installed, None))
    else:
        stale = f"; {state.stale} are behind sampled inputs" if state.stale else ""
        state.run.finish(f"nothing differs among {tell_count(state.run.rows_done, 'row')}{stale}")


def _conclude(state: _State, installed: Installed, rows: int | None) -> None:
    """Record the verdict; `rows` are those that were counted, None where not every key was looked at by this run."""
    ledger, about = state.duty.ledger, {"name": installed.name, "generation": installed.generation}
    if rows is not None:
        close_gone(ledger, state.script, state.run.id)
        if not state.drift:
            ledger.run("mark_counted", {**about, "rows": rows})
    ledger.run("mark_unverified" if state.drift or count_drift(ledger, state.script) else "mark_verified", about)
    verdict = tell_part(state.drift, state.run.rows_done, "row", "differ") if state.drift else "nothing differs"
    verdict += f"; {state.undecided} kept changing" if state.undecided else ""
    verdict += f"; {state.stale} are behind sampled inputs" if state.stale else ""
    state.run.end("done", verdict)
