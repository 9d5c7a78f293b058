"""The scenes that the page is looked at in: nothing installed, all true, at work, failing, many tables, hostile names.

Owns: `SCENES`. Promises: each is made when it is asked for; none depends on chance or on the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.page.worlds import World, backfill, before, past, samples, table
from tidemark.errors import Fault
from tidemark.runtime.audit import Action
from tidemark.runtime.changes.adoption import Shadow
from tidemark.runtime.operate.onlooker import Drifted, Quarantined
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.outbox import CrossingEvent
from tidemark.runtime.runs import Past
from tidemark.runtime.streams.account import Evidence, Gap, StreamStatus
from tidemark.runtime.ticks.processing import ProcessorStatus
from tidemark.runtime.truth.findings import OpenDrift

HOSTILE = (
    "<img src=x onerror=\"document.title='broken'\">",
    "'); DROP TABLE posts; --",
    "naïve Zähler – “ünïcode” 数える 📈",
    "\u202egnipoleved\u202c by month",
    "a" * 180,
    "--help",
    "../../etc/passwd?x=1&y=2#z",
    "line\nbreak\tand tab",
)


def _shop() -> tuple[TableStatus, ...]:
    return (
        table("thread_stats", "threads posts"),
        table("user_stats", "users posts", klass="keyed", freshness="tick", verified_at=before(4210), coverage=0.97),
        table("forum_activity", "forums threads", ("thread_stats",), freshness="tick", klass="keyed"),
        table("tag_counts", "posts tags", freshness="tick", klass="bilinear", verified_at=before(820)),
        table("leaderboard", "", ("user_stats",), freshness="tick", klass="global", verified_at=before(260)),
    )


def _history(first: int, names: tuple[str, ...]) -> tuple[Past, ...]:
    kinds = ("tick", "tick", "verify", "tick", "repair", "tick")
    return tuple(
        past(first + n, kinds[n % 6], names[n % len(names)], seconds=40.0 + 31 * (30 - n), rows_done=(n * 517) % 4000)
        for n in range(30)
    )


NAMES = ("thread_stats", "user_stats", "forum_activity", "tag_counts", "leaderboard")


def empty() -> World:
    """Nothing is installed."""
    return World()


def live() -> World:
    """All is true."""
    return World(_shop(), history=_history(100, NAMES), counts={"delivered": 311, "waiting": 0, "failed": 0})


def busy() -> World:
    """Two fillings, one of them held back, a migration, ticks behind, and a stream."""
    tables = {one.name: one for one in _shop()}
    tables["thread_stats"] = replace(
        tables["thread_stats"], state="backfilling", shown=False, verified_at=None, coverage=None, next="tidemark apply"
    )
    tables["tag_counts"] = replace(
        tables["tag_counts"], state="backfilling", shown=False, verified_at=None, coverage=None
    )
    tables["user_stats"] = replace(tables["user_stats"], pending=412, behind_since=before(3.2), next="tidemark tick")
    tables["leaderboard"] = replace(tables["leaderboard"], upstream_pending=412, behind_since=before(3.2))
    full = "wal_pinned: 71 MB of the log wait for a reader to end, more than 64 MB"
    late = "replica_behind: a replica is 14.2 s behind, more than 10.0 s"
    return World(
        tuple(tables.values()),
        (
            backfill("thread_stats", "backfilling", 652_300, 1_500_000, run=131),
            backfill("tag_counts", "throttled", 210_000, 900_000, run=132, reasons=(full, late)),
            backfill(
                "normalise_slugs",
                "backfilling",
                88_000,
                410_000,
                kind="data",
                run=133,
                rate=2_140.0,
                quarantined=3,
                total_is_estimate=True,
            ),
        ),
        (StreamStatus("chain", "running", 19_204_551, before(1), 4811, 92_004, 12, 3, 0, None, None, 0, before(1)),),
        {"waiting": 7, "delivered": 311, "failed": 0},
        (
            *_history(100, NAMES),
            past(
                131,
                "fill",
                "thread_stats",
                "running",
                34,
                rows_done=652_300,
                rows_total=1_500_000,
                rows_written=652_300,
            ),
            past(
                132, "fill", "tag_counts", "running", 300, rows_done=210_000, rows_total=900_000, rows_written=210_000
            ),
            past(133, "backfill", "normalise_slugs", "running", 41, rows_done=88_000, rows_total=410_000),
        ),
        quarantine=(
            Quarantined("normalise_slugs", (40_117,), 1, "value too long for type character varying(80)", before(20)),
            Quarantined("normalise_slugs", (40_118,), 1, "value too long for type character varying(80)", before(19)),
            Quarantined("normalise_slugs", (51_902,), 1, 'invalid byte sequence for encoding "UTF8": 0x00', before(4)),
        ),
        engine="postgres",
        database="postgresql://app:***@db.internal/shop",
        samples={131: samples(34, 41_850.0), 132: samples(90, 9_000.0), 133: samples(41, 2_140.0)},
        audit=(
            Action(1, before(30), "ada from 10.0.0.7", "pause", "thread_stats", "", "done"),
            Action(2, before(24), "ada from 10.0.0.7", "resume", "thread_stats", "", "done"),
            Action(3, before(9), "ben@harbour", "nice", "thread_stats", "1.0", "done"),
        ),
    )


def _wrong() -> tuple[Drifted, ...]:
    columns = ("user_id", "posts", "last_seen")
    found = [
        OpenDrift((n,), "different", (n, 99, "2026-03-01"), (n, 12 + n, "2026-03-01"), before(500)) for n in range(4, 9)
    ]
    found.append(OpenDrift((77,), "missing", None, (77, 3, None), before(500)))
    found.append(OpenDrift((78,), "extra", (78, 1, "O'Hara"), None, before(500)))
    return tuple(Drifted("user_stats", 1, ("user_id",), columns, one) for one in found)


def _untold() -> tuple[CrossingEvent, ...]:
    told = {
        "derived": "user_stats",
        "column": "posts",
        "threshold": 25.0,
        "old": None,
        "new": {},
        "position": None,
        "time": None,
    }
    return tuple(
        CrossingEvent(id=n, key={"user_id": n}, happened=before(60 * n), state="failed", attempts=5, error=why, **told)
        for n, why in ((310, "ConnectionError: the mail server refused"), (311, HOSTILE[0]))
    )


def _evidence() -> tuple[Evidence, ...]:
    why = ("there is no track 7", HOSTILE[0], "the user is deactivated", "a play of the future")
    about = {
        "time": before(700),
        "level": "event",
        "kind": "play",
        "evidence": '{"track": "<b>7</b>"}',
        "found": before(600),
    }
    return tuple(
        Evidence(id=n, identity=(n, 2, 0), position=n, reason=reason, attempts=3, **about)
        for n, reason in enumerate(why, start=19_204_500)
    )


def failing() -> World:
    """Drift, a filling that failed, a capture that is gone, a rest that somebody wanted, events that nobody could be told."""
    tables = {one.name: one for one in _shop()}
    why = "cannot compute thread_id 40117: integer overflow"
    tables["thread_stats"] = replace(
        tables["thread_stats"],
        state="failed",
        shown=False,
        verified_at=None,
        coverage=None,
        failure=why,
        next="tidemark apply",
    )
    tables["user_stats"] = replace(tables["user_stats"], drift=7, verified_at=None, next="tidemark repair")
    tables["tag_counts"] = replace(
        tables["tag_counts"], captures="tidemark_tag_counts_posts missing", next="tidemark apply"
    )
    tables["leaderboard"] = replace(tables["leaderboard"], state="paused", shown=False, verified_at=None, coverage=None)
    tables["forum_activity"] = replace(
        tables["forum_activity"], processor=ProcessorStatus(12, 340, 96.0, 14.0, 7.5, 0, before(9), 3)
    )
    shadow = Shadow("forums", before(86_400), before(600), 1_200, 3)
    tables["forum_activity"] = replace(tables["forum_activity"], shadow=shadow)
    return World(
        tuple(tables.values()),
        (
            backfill("thread_stats", "failed", 40_116, 1_500_000, run=131, failure=why, attempt=2, ended=before(95)),
            backfill("leaderboard", "paused", 5_100, 20_000, run=132),
            backfill(
                "normalise_slugs",
                "quarantined",
                410_000,
                410_000,
                kind="data",
                run=133,
                quarantined=3,
                ended=before(700),
            ),
        ),
        (
            replace(
                busy().streams[0],
                state="halted",
                failed_at=19_204_552,
                cause="block 19204552 holds no events array",
                attempts=5,
                gaps=2,
                quarantined=4,
            ),
        ),
        {"waiting": 0, "delivered": 311, "failed": 2},
        (
            *_history(100, NAMES),
            past(131, "fill", "thread_stats", "failed", 120, cause=why, rows_done=40_116, rows_total=1_500_000),
            past(132, "fill", "leaderboard", "interrupted", 900, rows_done=5_100, rows_total=20_000),
            past(133, "backfill", "normalise_slugs", "done", 900, rows_done=410_000, rows_total=410_000),
            past(134, "verify", "user_stats", "done", 505, message="7 rows differ"),
        ),
        _wrong(),
        busy().quarantine,
        events=_untold(),
        gaps=(
            Gap(19_204_530, "block 19204530 is no JSON", before(900), 5),
            Gap(19_204_541, HOSTILE[0], before(800), 5),
        ),
        evidence=_evidence(),
    )


def many() -> World:
    """Ninety-eight derived tables over three layers, most of them true."""
    sources = (
        "users",
        "tracks",
        "plays",
        "follows",
        "reposts",
        "saves",
        "playlists",
        "blocks",
        "events",
        "challenges",
        "comments",
        "tips",
        "remixes",
        "sales",
    )
    tables = []
    for n in range(98):
        layer = 0 if n < 62 else 1 if n < 88 else 2
        read = () if layer == 0 else (tables[(n * 7) % (62 if layer == 1 else 88)].name,)
        second = (tables[(n * 13 + 5) % 62].name,) if layer and n % 3 == 0 else ()
        mine = f"{sources[n % 14]} {sources[(n * 5 + 3) % 14]}" if layer == 0 else sources[n % 14] if n % 2 else ""
        name = f"{sources[n % 14]}_{('count', 'score', 'by_hour', 'trending', 'latest', 'per_country', 'streaks')[n // 14]}_{n}"
        one = table(
            name,
            mine,
            tuple(dict.fromkeys((*read, *second))),
            level=layer,
            klass=("linear", "keyed", "bilinear")[n % 3],
            freshness="commit" if n % 3 == 0 else "tick",
            verified_at=before(60 + n * 40),
        )
        if n in (17, 40, 71):
            one = replace(one, pending=90 * n, behind_since=before(n / 10))
        tables.append(one)
    tables[23] = replace(tables[23], state="backfilling", shown=False, verified_at=None)
    tables[55] = replace(tables[55], drift=3, next="tidemark repair")
    fills = (backfill(tables[23].name, "backfilling", 91_000, 140_000, run=131),)
    return World(
        tuple(tables),
        fills,
        history=_history(100, tuple(one.name for one in tables)),
        engine="postgres",
        database="postgresql://soundgraph:***@db/soundgraph",
    )


def hostile() -> World:
    """Names that nobody should give, and that somebody will."""
    tables = [table(name, "") for name in HOSTILE]
    tables[0] = replace(tables[0], sources=(HOSTILE[3], "posts"), state="failed", failure=HOSTILE[0])
    tables[4] = replace(tables[4], sources=(HOSTILE[0],), reads=(HOSTILE[0],), level=1, drift=1)
    tables[2] = replace(tables[2], sources=("posts",), state="backfilling", shown=False)
    tables[7] = replace(tables[7], state="unknown", sources=("posts",))
    reason = f"wal_pinned: {HOSTILE[0]}"
    return World(
        tuple(tables),
        (
            backfill(HOSTILE[2], "throttled", 1, 3, run=9, reasons=(reason,)),
            backfill(HOSTILE[1], "failed", 0, None, kind="data", failure=HOSTILE[0]),
        ),
        history=(
            past(9, "fill", HOSTILE[2], "running", 5),
            past(8, "tick", HOSTILE[0], "failed", 50, cause=HOSTILE[0]),
        ),
        quarantine=(Quarantined(HOSTILE[2], (HOSTILE[0], None), 1, HOSTILE[0], before(3)),),
        database="shop<script>.db",
    )


def unreadable() -> World:
    """The server answers, and cannot read its database."""
    return World(problem=Fault("the database is busy: a lock was not given within 1 s", retry_safe=True))


SCENES: dict[str, Callable[[], World]] = {
    one.__name__: one for one in (empty, live, busy, failing, many, hostile, unreadable)
}
