"""Made-up databases for looking at the page: what an onlooker would see in one of them.

Owns: `World`, and making what is in it. Promises: it is made of the runtime's own values and judged by the runtime's own verdict,
so that a page which shows it shows what the server would answer; its clock stands still, so that pictures of it stay the same.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any

from tidemark.contract.costs import Operator
from tidemark.errors import Code, Fault, Refusal, TidemarkError
from tidemark.runtime.audit import Action
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.duty import Duty
from tidemark.runtime.operate.explain import Explanation
from tidemark.runtime.operate.explain_costs import WriterMicroseconds
from tidemark.runtime.operate.onlooker import Drifted, Onlooker, Quarantined, RunDetail, StreamDetail
from tidemark.runtime.operate.overview import Holder, Overview
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.operate.verdict import judge
from tidemark.runtime.outbox import CrossingEvent
from tidemark.runtime.runs import Past
from tidemark.runtime.samples import Sample
from tidemark.runtime.streams.account import Evidence, Gap, StreamStatus

NOW = datetime.datetime(2026, 3, 14, 10, 42, 13, tzinfo=datetime.UTC)
HOLDER = "harbour:4711:9f3c"
AT_WORK = ("backfilling", "throttled", "verifying", "installing")
QUERY = """SELECT t.id AS thread_id,
       (SELECT count(*) FROM posts p WHERE p.thread_id = t.id AND NOT p.is_deleted) AS reply_count,
       (SELECT max(p.created_at) FROM posts p WHERE p.thread_id = t.id)             AS last_post_at
FROM threads t"""
STATEMENTS = (
    ("query", QUERY),
    ("lock", 'SELECT 1 FROM "tidemark_thread_stats" WHERE "thread_id" IN (SELECT "thread_id" FROM "tidemark__todo")'),
    ("recompute", f"INSERT INTO tidemark__fresh\n{QUERY}\nWHERE t.id IN (SELECT thread_id FROM tidemark__todo)"),
)


def before(seconds: float) -> str:
    """The stored text of a moment so long before now."""
    return (NOW - datetime.timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table(name: str, sources: str = "", reads: tuple[str, ...] = (), **facts: Any) -> TableStatus:
    """A derived table that is live and true, but for what is said otherwise. `sources` are names between spaces."""
    well = TableStatus(
        name=name,
        generation=1,
        state="live",
        klass="linear",
        freshness="commit",
        pending=0,
        behind_since=None,
        verified_at=before(190),
        drift=0,
        rows=None,
        rows_estimated=False,
        captures="ok",
        filled=0,
        to_fill=0,
        failure=None,
        next="",
        level=1 if reads else 0,
        reads=reads,
        shown=True,
        sources=tuple(sources.split()),
        coverage=1.0,
    )
    return replace(well, **facts)


def backfill(name: str, state: str, done: int, total: int | None, **facts: Any) -> BackfillStatus:
    """A filling at which a runner is, where its state says so; but for what is said otherwise."""
    going = BackfillStatus(
        name=name,
        kind="fill",
        fingerprint="1",
        state=state,
        wish="",
        nice=1.0,
        attempt=1,
        run=None,
        rows_done=done,
        rows_total=total,
        total_is_estimate=False,
        rows_written=done,
        quarantined=0,
        rate=41_850.0 if state == "backfilling" else None,
        rate_state="steady" if state == "backfilling" else "unknown",
        reasons=(),
        failure=None,
        started=before(34),
        ended=None,
        updated=before(0.4),
        elapsed_seconds=34.0,
        holder=HOLDER if state in AT_WORK else "",
    )
    return replace(going, **facts)


def past(id_: int, kind: str, name: str, state: str = "done", seconds: float = 60, **facts: Any) -> Past:
    """A row of the history that began so many seconds ago."""
    ended = None if state == "running" else before(seconds - min(2.5, seconds / 2))
    row = Past(id_, kind, name, 1, state, HOLDER, before(seconds), ended, 1200, 1200, 37, 8.4, None, None)
    return replace(row, **facts)


def samples(count: int, rate: float, target_ms: float = 10.0) -> tuple[Sample, ...]:
    """How a run went, a sample a second, newest last: chunks grow until they hold for as long as they are to."""
    found = []
    for n in range(count):
        pull = min(1.0, 0.2 + n / 12) * (1 + 0.18 * ((n * 7919) % 13 - 6) / 13)
        hold, size = target_ms * 0.94 * pull, int(80 + 900 * pull)
        chunks, longest = 48, target_ms * (1.9 if n % 11 == 5 else 1.15) * pull
        rows = int(rate * pull)
        found.append(
            Sample(n + 1.0, 1.0, rows * (n + 1), rows, chunks, hold * chunks, 0.4 * chunks, longest, target_ms, size)
        )
    return tuple(found)


@dataclass
class World:
    """What there is to see. `problem` is what looking raises instead, `gate` what it waits for first; `blind` raises for the
    history."""

    tables: tuple[TableStatus, ...] = ()
    backfills: tuple[BackfillStatus, ...] = ()
    streams: tuple[StreamStatus, ...] = ()
    counts: dict[str, int] = field(default_factory=lambda: {"waiting": 0, "delivered": 0, "failed": 0})
    history: tuple[Past, ...] = ()
    wrong: tuple[Drifted, ...] = ()
    quarantine: tuple[Quarantined, ...] = ()
    engine: str = "sqlite"
    database: str = "shop.db"
    problem: TidemarkError | None = None
    gate: Event | None = None
    blind: bool = False
    samples: dict[int, tuple[Sample, ...]] = field(default_factory=dict)
    audit: tuple[Action, ...] = ()
    events: tuple[CrossingEvent, ...] = ()
    gaps: tuple[Gap, ...] = ()
    evidence: tuple[Evidence, ...] = ()


def _open_nothing() -> Duty:
    raise Fault("a made-up world has no database")


class Eye(Onlooker):
    """An onlooker of a made-up world; another world can be put in its place while a page looks."""

    def __init__(self, world: World) -> None:
        super().__init__(_open_nothing)
        self.world = world

    def overview(self) -> Overview:
        """Everything, in one moment."""
        world = self.world
        if world.gate is not None:
            world.gate.wait(30)
        if world.problem is not None:
            raise world.problem
        newest: dict[tuple[str, str], Past] = {}
        for one in sorted(world.history, key=lambda row: row.id):
            newest[one.derived, one.kind] = one
        failed = tuple(one for one in newest.values() if one.state == "failed")
        at = before(0)
        return Overview(
            at=at,
            database=world.database,
            engine=world.engine,
            installed=bool(world.tables or world.backfills),
            tables=world.tables,
            backfills=world.backfills,
            streams=world.streams,
            events=world.counts,
            failed=failed,
            running=tuple(one for one in world.history if one.state == "running"),
            holders=(Holder("tick", HOLDER, before(-20)),) if world.tables else (),
            samples={run: found[::-1][:60] for run, found in world.samples.items()},
            verdict=judge(world.tables, world.backfills, world.streams, world.counts, failed, now=at),
        )

    def runs(self, name: str = "", limit: int = 50, before: int = 2**62) -> list[Past]:
        """The history before a run, newest first."""
        if self.world.blind:
            raise Fault("the history cannot be read", retry_safe=True)
        rows = (one for one in self.world.history if name in ("", one.derived) and one.id < before)
        return sorted(rows, key=lambda one: -one.id)[:limit]

    def run(self, id_: int) -> RunDetail | None:
        """One run, None when there is none."""
        row = next((one for one in self.world.history if one.id == id_), None)
        if row is None:
            return None
        mine = next((one for one in self.world.backfills if one.run == id_), None)
        quarantine, went = tuple(self.quarantine(row.derived)), self.world.samples.get(id_, ())
        return RunDetail(row, mine, STATEMENTS, quarantine, went, tuple(self.actions(row.derived)))

    def actions(self, name: str = "", limit: int = 100) -> list[Action]:
        """What operators did, newest first."""
        return [one for one in self.world.audit if name in ("", one.about)][::-1][:limit]

    def drift(self, name: str = "", limit: int = 200) -> list[Drifted]:
        """Rows that are known to be wrong."""
        return [one for one in self.world.wrong if name in ("", one.derived)][:limit]

    def quarantine(self, name: str = "", limit: int = 200) -> list[Quarantined]:
        """Keys that backfills quarantined."""
        return [one for one in self.world.quarantine if name in ("", one.backfill)][:limit]

    def events(self, state: str = "", limit: int = 200, after: int = 0) -> tuple[dict[str, int], list[CrossingEvent]]:
        """How many events there are by state, and some of them."""
        found = [one for one in self.world.events if state in ("", one.state) and one.id > after]
        return self.world.counts, found[:limit]

    def streams(self) -> list[StreamDetail]:
        """Every stream."""
        return [StreamDetail(one, self.world.gaps, self.world.evidence) for one in self.world.streams]

    def explain(self, name: str) -> Explanation:
        """An explanation of what is there. Raises `Refusal` for what is not."""
        one = next((table for table in self.world.tables if table.name == name), None)
        if one is None:
            raise Refusal(Code.DECLARATION, f"there is no derived table {name}", instead="look at `tidemark status`")
        return explanation(one, self.world.engine)

    def close(self) -> None:
        """Nothing is open."""


def explanation(one: TableStatus, engine: str) -> Explanation:
    """How a made-up derived table would be kept true."""
    return Explanation(
        name=one.name,
        engine=engine,
        klass=one.klass,
        freshness=one.freshness,
        state=one.state,
        reasons=("each column is a sum over one source",),
        cost="one stored row for each changed row",
        writer="one upsert for each changed row of posts, in the writer's own transaction",
        key=("thread_id",),
        unit=("thread_id",),
        columns=("thread_id", "reply_count", "last_post_at"),
        sources=one.sources,
        captures=tuple(f"tidemark_{one.name}_{source} on {source}" for source in one.sources),
        routes=tuple(f"{source}: by its column thread_id" for source in one.sources),
        restriction=(
            "posts: SEARCH p USING INDEX posts_thread (thread_id=?)",
            "threads: SEARCH t USING INTEGER PRIMARY KEY",
        ),
        staleness=("none: at every commit the stored rows equal the query",),
        exactness=(),
        locks=(
            "Writers wait in line as ever; filling and ticks hold the write lock about 10 ms at a time, with gaps.",
        ),
        missing_indexes=(
            ("CREATE INDEX posts_thread ON posts (thread_id)", "last_post_at is recomputed by thread_id"),
        ),
        cheaper=(),
        measured=("delta: 0.8 ms for 96 keys, lately",),
        tolerant=(),
        notes=(),
        store=f"tidemark_{one.name}",
        public=one.name,
        query=QUERY,
        reads=one.reads,
        operators=(
            Operator("scan of threads", "linear", "scan", "each row comes and goes alone"),
            Operator("count of posts", "linear", "sum", "a change adds to it or takes from it"),
            Operator("max of posts.created_at", "keyed", "extreme", "a deleted maximum is looked for again"),
        ),
        formula="changed rows",
        writer_microseconds=WriterMicroseconds(0.0, 4.0),
        indexes=(("posts", "thread_id"),),
        fan_out=("posts by thread_id: 21 rows in the middle, 1,204 at most of 200 values",),
    )
