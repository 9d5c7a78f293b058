"""The verdict: whether all is true, and if not, what needs somebody.

Owns: `Verdict`, `judge` and `find_unready`: every door asks here, so that the terminal, the page and a probe never disagree.
Promises: fails closed: what is unknown, failed or drifted is never well; what nobody finished stays until somebody does. Asks
nothing and reads no clock.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from shlex import quote
from typing import Literal

from tidemark.runtime.backfill.record import CANCELLED, BackfillStatus, read_time, tell_quarantined
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.runs import Past
from tidemark.runtime.streams.account import StreamStatus
from tidemark.telling import tell_count

Level = Literal["pass", "warn", "fail"]
Kind = Literal["table", "backfill", "stream", "outbox", "run", "ledger"]
Ready = Literal["live", "installed", "always"]

LEVELS: tuple[Level, ...] = ("pass", "warn", "fail")
PATIENCE_SECONDS = 60.0
COMING = {
    "planned": "is planned",
    "installing": "is being installed",
    "backfilling": "is being filled",
    "verifying": "is being verified",
    "paused": "rests, because an operator wants it to",
    "throttled": "is held back",
    "interrupted": "was interrupted, and nobody goes on with it",
}
RESTORED = "was restored from a dump, and no worker has looked at it since"
UNBEGUN = "waits to be filled, and nobody is at it"
INSTALLED = frozenset({"backfilling", "verifying", "live", "paused", "retired"})


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be: about what, how bad (``warn`` or ``fail``), a sentence, and the next command or an
    empty text."""

    kind: Kind
    name: str
    level: Level
    says: str
    next: str = ""


@dataclass(frozen=True)
class Verdict:
    """How everything is: `level` is the worst of the `findings`, ``pass`` without any; `sentence` says it to people."""

    level: Level
    sentence: str
    findings: tuple[Finding, ...] = ()

    def about(self, kind: Kind, name: str) -> tuple[Finding, ...]:
        """What was found about one thing."""
        return self._by_thing.get((kind, name), ())

    @cached_property
    def _by_thing(self) -> Mapping[tuple[Kind, str], tuple[Finding, ...]]:
        """The same of everything: hundreds of tables are asked about one after the other."""
        found: dict[tuple[Kind, str], tuple[Finding, ...]] = {}
        for one in self.findings:
            found[one.kind, one.name] = (*found.get((one.kind, one.name), ()), one)
        return found


def patience_of(cadence: Mapping[str, float]) -> dict[str, float]:
    """For how many seconds changes may wait of derived tables between two ticks of which so many seconds lie."""
    return {name: PATIENCE_SECONDS + 2 * every for name, every in cadence.items()}


def worst(levels: Iterable[Level]) -> Level:
    """The worst of some levels, ``pass`` without any."""
    return max(levels, key=LEVELS.index, default="pass")


def judge(
    tables: Sequence[TableStatus],
    backfills: Sequence[BackfillStatus] = (),
    streams: Sequence[StreamStatus] = (),
    events: Mapping[str, int] | None = None,
    failed: Sequence[Past] = (),
    *,
    now: str | None = None,
    patience: Mapping[str, float] | None = None,
) -> Verdict:
    """The verdict over everything that is known. `failed` are the runs that failed and were not made good, `now` is the time of
    the database, `patience` how many seconds changes may wait, by derived table, where it is not a minute."""
    if not tables and not backfills and not streams:
        nothing = Finding("ledger", "", "fail", "nothing is installed", "tidemark apply")
        return Verdict("fail", "Nothing is installed.", (nothing,))
    moment = read_time(now)
    going = [one for backfill in backfills for one in _judge_backfill(backfill)]
    # Why a filling stands still says more than that there is one.
    stands = {one.name for one in going if one.kind == "table"}
    found = [one for table in tables for one in _judge_table(table, moment, patience or {})]
    at_work = (COMING["backfilling"], COMING["verifying"])
    found = [one for one in found if one.name not in stands or one.says not in at_work] + going
    waiting = {one.name for one in backfills if one.kind == "fill" and one.state in ("planned", "failed")}
    found = [
        replace(one, says=UNBEGUN)
        if one.kind == "table" and one.name in waiting and one.says == COMING["backfilling"]
        else one
        for one in found
    ]
    found += [Finding("ledger", "", "warn", RESTORED, "tidemark run")] if any(one.restored for one in tables) else []
    found += [one for stream in streams for one in _judge_stream(stream)]
    if events and events.get("failed"):
        says = f"has {tell_count(events['failed'], 'event')} that could not be told to their handlers"
        found.append(Finding("outbox", "outbox", "warn", says, "tidemark outbox retry"))
    told = {(one.kind, one.name) for one in found if one.level == "fail"}
    news = [past for past in failed if _is_news(past, tables, told)]
    found += [_judge_failed(past) for past in news if not _is_told_inside(past, news)]
    level = worst(one.level for one in found)
    return Verdict(level, _sentence(tables, found, moment), tuple(sorted(found, key=_worst_first)))


def _worst_first(one: Finding) -> tuple[int, str, str]:
    return -LEVELS.index(one.level), one.kind, one.name


def _judge_table(one: TableStatus, now: datetime.datetime | None, patience: Mapping[str, float]) -> list[Finding]:
    found: list[Finding] = []

    def find(level: Level, says: str, next_: str = "") -> None:
        found.append(Finding("table", one.name, level, says, next_ or one.next))

    if one.state != "live":
        find(*_judge_state(one))
    if one.drift:
        find(
            "fail",
            f"has {tell_count(one.drift, 'row')} that {'is' if one.drift == 1 else 'are'} known to be wrong",
            "tidemark repair",
        )
    if one.processor is not None and one.processor.quarantined:
        says = f"has {tell_count(one.processor.quarantined, 'unit')} quarantined, because its function fails for them"
        find("fail", says, "tidemark repair")
    if one.captures != "ok" and (one.state == "live" or one.shown):
        find("fail", f"may miss changes: {one.captures}")
    waited = seconds_since(one.behind_since, now)
    if one.state == "live" and waited is not None and waited > patience.get(one.name, PATIENCE_SECONDS):
        find(
            "warn",
            f"has changes that wait, and its last tick was at {one.behind_since}, as if no worker were running",
            "tidemark run",
        )
    return found


def _judge_state(one: TableStatus) -> tuple[Level, str]:
    """What is to be said of a table that is not live."""
    if one.state == "failed":
        if one.failure == CANCELLED:
            return "warn", f"was given up: {CANCELLED}"
        return "fail", f"failed: {one.failure or 'no cause is on record'}"
    if one.state == "retired":
        return "warn", "has an old generation that is not removed yet"
    if one.state not in COMING:
        return "fail", "is in a state that this version does not know: run the version of Tidemark that wrote it"
    if one.shown and one.state in ("planned", "installing"):
        return "fail", "was taken out of service: changes may have been missed"
    return "warn", COMING[one.state]


def _judge_backfill(one: BackfillStatus) -> list[Finding]:
    """A filling is judged as the state of its derived table; only what that does not show is added."""
    if one.kind == "fill":
        if one.state in ("interrupted", "throttled"):
            says = COMING[one.state] + _why(one)
            return [Finding("table", one.name, "warn", says, "tidemark apply" if one.state == "interrupted" else "")]
        return []
    retry = f"tidemark backfill retry {quote(one.name)}"
    if one.state in ("finished", "cancelled"):
        return []
    if one.state == "failed":
        return [Finding("backfill", one.name, "fail", f"failed: {one.failure or 'no cause is on record'}", retry)]
    if one.state == "quarantined":
        says = f"is through, but {tell_quarantined(one.quarantined)}"
        return [Finding("backfill", one.name, "fail", says, f"tidemark backfill list {quote(one.name)}")]
    if one.state == "backfilling":
        return [Finding("backfill", one.name, "warn", "is under way")]
    if one.state not in COMING:
        return [
            Finding(
                "backfill", one.name, "fail", "is in a state that this version does not know", "tidemark backfill list"
            )
        ]
    next_ = {"paused": f"tidemark backfill resume {quote(one.name)}", "throttled": ""}
    return [
        Finding(
            "backfill",
            one.name,
            "warn",
            COMING[one.state] + _why(one),
            next_.get(one.state, f"tidemark backfill run {quote(one.name)}"),
        )
    ]


def _why(one: BackfillStatus) -> str:
    """Why it is held back, or how its last run ended, as the end of a sentence."""
    told = "; ".join(one.reasons) or (one.failure if one.state == "interrupted" else "")
    return f": {told}" if told else ""


def _judge_stream(one: StreamStatus) -> list[Finding]:
    run = f"tidemark stream run {quote(one.name)}"
    if one.state == "halted":
        return [Finding("stream", one.name, "fail", f"stands still: {one.cause or 'no cause is on record'}", run)]
    if one.state not in ("running", "waiting", "interrupted"):
        return [
            Finding(
                "stream", one.name, "fail", "is in a state that this version does not know", "tidemark stream status"
            )
        ]
    found = []
    if one.state == "interrupted":
        found.append(Finding("stream", one.name, "warn", "was interrupted, and nobody goes on with it", run))
    if one.gaps or one.quarantined:
        left = (one.gaps, "block", "passed over"), (one.quarantined, "event", "quarantined")
        says = f"has {' and '.join(f'{tell_count(number, what)} {done}' for number, what, done in left if number)}"
        found.append(Finding("stream", one.name, "warn", says, f"tidemark stream retry {quote(one.name)}"))
    return found


def _is_news(past: Past, tables: Sequence[TableStatus], told: set[tuple[Kind, str]]) -> bool:
    """Whether a failed run is about something that is still there, and that does not already read as failed by its own state."""
    if past.kind == "backfill":
        return False
    there = {(one.name, one.generation) for one in tables if one.failure != CANCELLED}
    return (past.derived, past.generation) in there and ("table", past.derived) not in told


def _is_told_inside(past: Past, news: Sequence[Past]) -> bool:
    """Whether it failed of what another one failed of that it had begun, such as the filling of an apply."""
    inside = [one for one in news if one.id > past.id and one.derived == past.derived and past.kind == "apply"]
    # What was left behind is said in brackets, and each says it in its own words.
    return any((one.cause or "").partition(" (")[0] == (past.cause or "").partition(" (")[0] for one in inside)


def _judge_failed(past: Past) -> Finding:
    says = f"failed at its last {past.kind} (run {past.id}): {past.cause or 'no cause is on record'}"
    return Finding("table", past.derived, "fail", says, f"tidemark history {quote(past.derived)}")


def _sentence(tables: Sequence[TableStatus], found: Sequence[Finding], now: datetime.datetime | None) -> str:
    ill = {(one.kind, one.name) for one in found if one.level == "fail"}
    coming = {(one.kind, one.name) for one in found if one.level == "warn"} - ill
    few = ("There is no derived table; everything else is", "The one derived table is", "Both derived tables are")
    all_of_them = few[len(tables)] if len(tables) < len(few) else f"All {len(tables)} derived tables are"
    all_true = f"{all_of_them} true{_as_of(tables, now)}"
    if not ill and not coming:
        return f"{all_true}{_last_verified(tables, now)}."
    need = f"{len(ill)} {'needs' if len(ill) == 1 else 'need'} attention" if ill else ""
    one = len(coming) == 1
    if tables and not ill and all(kind in ("stream", "outbox") for kind, _ in coming):
        return f"{all_true}; {len(coming)} {'thing beside them waits' if one else 'things beside them wait'}."
    wait = f"{len(coming)} {'is' if one else 'are'} under way or {'waits' if one else 'wait'}" if coming else ""
    return f"{'; '.join(part for part in (need or 'Nothing is wrong', wait) if part)}."


def _as_of(tables: Sequence[TableStatus], now: datetime.datetime | None) -> str:
    """The moment as of which tables are true for which changes wait."""
    behind = [one for one in tables if one.pending or one.upstream_pending]
    if not behind:
        return ""
    ages = [seconds_since(one.behind_since, now) for one in behind]
    known = [age for age in ages if age is not None]
    moment = f"{tell_span(max(known))} ago" if len(known) == len(ages) else "a moment that is not known"
    return f", {f'{len(behind)} of them ' if len(tables) > 1 else ''}as of {moment}"


def _last_verified(tables: Sequence[TableStatus], now: datetime.datetime | None) -> str:
    """How long ago the last time was from which on every table has been compared whole, or how many were not."""
    left = sum(read_time(one.verified_at) is None for one in tables)
    if left:
        which = "it was" if len(tables) == 1 else f"{left} {'was' if left == 1 else 'were'}"
        return f"; {which} not compared as a whole since a repair or a restore"
    ages = [seconds_since(one.verified_at, now) for one in tables]
    known = [age for age in ages if age is not None]
    return f"; last full verification {tell_span(max(known))} ago" if known else ""


def seconds_since(text: str | None, now: datetime.datetime | None) -> float | None:
    """Seconds from a stored time to now, never less than none; None where either is not known."""
    then = read_time(text)
    if then is None or now is None:
        return None
    return max(0.0, (now - then).total_seconds())


def tell_span(seconds: float) -> str:
    """A span of time for people."""
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{seconds:.0f} s"


def find_unready(
    verdict: Verdict, tables: Sequence[TableStatus], declared: Iterable[str], policy: Mapping[str, Ready]
) -> tuple[Finding, ...]:
    """What keeps an application from being ready; nothing when it is. The policy of a name says what it takes.

    ``live``, which is meant where none is named: readers have it, and nothing about it failed or is known to be wrong.
    ``installed``: changes are captured. ``always``: nothing.
    """
    found = []
    newest: dict[str, list[TableStatus]] = {}
    for one in tables:
        newest.setdefault(one.name, []).append(one)
    for name in sorted({*newest, *declared}):
        wanted = policy.get(name, "live")
        said = "" if wanted == "always" else _why_not(name, newest.get(name, []), wanted, verdict)
        if said:
            found.append(Finding("table", name, "fail", said, "tidemark status"))
    others = [one for one in verdict.findings if one.level == "fail" and one.kind not in ("table", "ledger")]
    others += [one for one in verdict.findings if one.kind == "ledger" and one.level == "fail" and not found]
    return (*found, *(one for one in others if policy.get(one.name, "live") != "always"))


def _why_not(name: str, generations: Sequence[TableStatus], wanted: Ready, verdict: Verdict) -> str:
    if not generations:
        return "is declared and not installed"
    if wanted == "live":
        wrong = [one.says for one in verdict.about("table", name) if one.level == "fail"]
        # A newer generation is built beside the one that readers have, and takes nothing from it.
        shown = any(one.state == "live" for one in generations)
        return wrong[0] if wrong else "" if shown else f"is {generations[-1].state}"
    captured = any(one.state in INSTALLED and one.captures == "ok" for one in generations)
    return "" if captured else f"is {generations[-1].state}; captures: {generations[-1].captures}"
