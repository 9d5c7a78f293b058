"""Random programs of streams with derived tables over what they write: whoever dies between any two statements, all is true.

Each program takes blocks with poison in them, ticks and delivers crossings, in random order, and another writer writes between.
The stream and the ticks are killed again and again. The oracles are the queries of what is derived, and the same stream taken
without a kill where nothing is derived.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.kit.size import FULL
from tests.streams.dying import EXPIRE, Dead, Dying
from tests.streams.ground import TABLES, Ledger
from tests.streams.programs import HALTS_MAX, Loose, add_handlers, blocks_of, declare, play
from tidemark import Batch, Project, Tidemark, first, iterable, ratchet, workshop
from tidemark.errors import Fault
from tidemark.processors import Reader
from tidemark.runtime.clock import Clock
from tidemark.runtime.ticks.processing import Computing
from tidemark.streams import Database

PROGRAMS = 40 if FULL else 1
STEPS = 14
LIVES = {"stream": (3, 60), "tick": (5, 120), "deliver": (2, 20)}
"""How many statements somebody lives who dies, for each of those who do something."""
REACHED = (2, 4, 7)
QUERIES = {
    "track_plays": "SELECT track, count(*) AS plays, max(at) AS latest FROM plays GROUP BY track",
    "named": "SELECT n.id, n.name, count(p.track) AS plays FROM names n LEFT JOIN plays p ON p.track = n.id "
    "GROUP BY n.id, n.name",
    "latest": "SELECT n.id, n.name, max(p.at) AS latest FROM names n LEFT JOIN plays p ON p.track = n.id GROUP BY n.id, n.name",
    "most": "SELECT track, count(*) AS plays FROM plays GROUP BY track",
    "span": "SELECT track, min(at) AS first_at, max(at) AS last_at FROM plays GROUP BY track",
}


def _run(ledger: Ledger, sql: str) -> None:
    """One statement of another writer's."""
    with ledger.session.transaction():
        ledger.session.run(sql)


def _span(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
    """First and last play of a track; of one that only got plays from those alone."""
    known = {row["track"]: row for row in batch.previous} if batch.changes is not None else {}
    for track in batch.values("track"):
        changes = [change for change in batch.changes or () if change.unit["track"] == track]
        if track in known and all(change.weight > 0 for change in changes):
            times = [known[track]["first_at"], known[track]["last_at"], *(change.row["at"] for change in changes)]
            yield {"track": track, "first_at": min(times), "last_at": max(times)}
            continue
        found = db.one("SELECT min(at), max(at) FROM plays WHERE track = :track", {"track": track})
        if found is not None and found[0] is not None:
            yield {"track": track, "first_at": found[0], "last_at": found[1]}


def _project(blocks: list[Loose], told: list[tuple[int, int]], many: bool, **options: Any) -> Project:
    project = Project("kept")
    stream = project.stream("ledger", source=iterable(lambda after: list(blocks)), **options)
    add_handlers(stream, many)

    def tell(db: Database, event: Any) -> None:
        told.append((event.key["track"], event.threshold))

    counted = project.derive("track_plays", key="track", query=QUERIES["track_plays"], freshness="commit")
    counted.on_crossing("plays", at=REACHED, handler=tell)
    project.derive("named", key="id", query=QUERIES["named"], freshness="tick")
    project.derive("latest", key="id", query=QUERIES["latest"], freshness="commit")
    kept = {"keep": {"plays": ratchet()}, "keep_rows": True}
    project.derive("most", key="track", query=QUERIES["most"], freshness="tick", **kept)  # type: ignore[arg-type]
    columns = {"first_at": "text", "last_at": "text"}
    project.processor("span", key="track", by="track", reads={"plays": "track"}, columns=columns, changes=True)(_span)
    return project


class _Mortals:
    """Whoever does something in a database, and dies on the way where they are given so many statements to live."""

    def __init__(self, url: str, keeper: Tidemark, patch: pytest.MonkeyPatch) -> None:
        self._url = url
        self._keeper = keeper
        self._patch = patch
        self._opened = workshop.open_session

    def act(self, what: str, lives: int | None) -> None:
        """Do something; the leases of who died are over at once."""
        with self._patch.context() as patch, contextlib.suppress(Dead):
            if lives is not None:
                patch.setattr(workshop, "open_session", lambda *a, **k: Dying(self._opened(*a, **k), lives))
            self._do(what)

    def _do(self, what: str) -> None:
        if what == "tick":
            self._keeper.tick()
        elif what == "deliver":
            self._keeper.deliver()
        else:
            self._take()

    def _take(self) -> None:
        """Take what there is, passing over the blocks that halt the stream."""
        work = self._keeper.stream("ledger")
        for _ in range(HALTS_MAX):
            try:
                work.run()
                return
            except Fault as halted:
                if "halted at" not in str(halted):
                    raise
                work.skip()


def _play_through(ledger: Ledger, seed: int, patch: pytest.MonkeyPatch) -> tuple[Tidemark, list[Loose]]:
    """Everything that a program does, drained and delivered at the end."""
    rng = random.Random(f"kept-{seed}")
    blocks, told = blocks_of(rng, STEPS, 0.3), list[tuple[int, int]]()
    shown = blocks[:2]
    project = _project(shown, told, seed % 2 == 0, savepoints=False, together=3)
    keeper = Tidemark(project, ledger.url, clock=Clock(wait=lambda seconds: None))
    keeper.apply()
    mortals = _Mortals(ledger.url, keeper, patch)
    for _ in range(STEPS):
        shown += blocks[len(shown) : len(shown) + rng.randint(0, 3)]
        what = rng.choice(("stream", "stream", "tick", "deliver", "write"))
        if what == "write":
            _run(ledger, f"INSERT INTO plays VALUES ({rng.randint(1, 4)}, 99, '{rng.randint(900, 1100)}')")
        else:
            mortals.act(what, rng.randint(*LIVES[what]) if rng.random() < 0.7 else None)
        _run(ledger, EXPIRE["postgres" if ledger.session.dialect.has_schemas else "sqlite"])
    shown += blocks[len(shown) :]
    for what in ("stream", "tick", "tick", "deliver"):
        mortals.act(what, None)
    return keeper, blocks


def _wrong(ledger: Ledger, keeper: Tidemark) -> list[str]:
    """The derived tables whose rows are not those of their queries."""
    found = []
    for name, query in QUERIES.items():
        columns = ", ".join(next(one.columns for one in keeper.sql(name)))
        if sorted(ledger.rows(f"SELECT {columns} FROM {name}")) != sorted(
            ledger.rows(f"SELECT {columns} FROM ({query}) AS q")
        ):
            found.append(name)
    return found


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_everything_is_true_whoever_dies(ledger: Ledger, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    print(f"seed {seed}")
    keeper, blocks = _play_through(ledger, seed, monkeypatch)
    assert _wrong(ledger, keeper) == []
    assert all(report.clean for report in keeper.verify())
    outbox = "tidemark._outbox" if ledger.session.dialect.has_schemas else "tidemark__outbox"
    crossed = ledger.rows("SELECT track, plays FROM track_plays")
    events = ledger.rows(f"SELECT count(*) FROM {outbox}")
    assert events == [(sum(plays >= threshold for _, plays in crossed for threshold in REACHED),)]
    queries = (
        "SELECT track, at FROM plays WHERE listener IS NULL ORDER BY track, at",
        "SELECT id, name FROM names ORDER BY id",
    )
    found = [ledger.rows(query) for query in queries]
    for table in ("plays", "names", "heard"):
        _run(ledger, f"DELETE FROM {table}")
    keeper.uninstall()
    play(ledger.url, declare(blocks))
    assert found == [ledger.rows(query) for query in queries]


def _settle_blocks(ledger: Ledger, blocks: list[Loose], kills: random.Random | None, patch: pytest.MonkeyPatch) -> Any:
    """What is left of a stream whose blocks are settled one by one, the first counts of tracks among it; with `kills` whoever
    takes them dies again and again, and so does a worker beside, and plays are handled many at once."""
    shown = list[Loose]() if kills else list(blocks)
    project = _project(shown, [], kills is not None, settle="block")
    kept = {"keep": {"plays": first()}, "keep_rows": True}
    project.derive("begun", key="track", query=QUERIES["most"], freshness="tick", **kept)  # type: ignore[arg-type]
    keeper = Tidemark(project, ledger.url, clock=Clock(wait=lambda seconds: None))
    keeper.apply()
    mortals = _Mortals(ledger.url, keeper, patch)
    while kills and len(shown) < len(blocks):
        shown += blocks[len(shown) : len(shown) + kills.randint(1, 3)]
        for what in ("stream", kills.choice(("stream", "tick"))):
            mortals.act(what, kills.randint(*LIVES[what]))
            _run(ledger, EXPIRE["postgres" if ledger.session.dialect.has_schemas else "sqlite"])
    mortals.act("stream", None)
    # Nothing is left for a worker after the last block.
    assert not any(report.changes_sealed for report in keeper.tick())
    assert _wrong(ledger, keeper) == []
    found = [ledger.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in (*QUERIES, "begun")]
    for table in ("plays", "names", "heard"):
        _run(ledger, f"DELETE FROM {table}")
    keeper.uninstall()
    return found


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_blocks_that_are_settled_leave_the_same_whoever_dies(
    ledger: Ledger, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = blocks_of(random.Random(f"settled-{seed}"), STEPS, 0.2)
    expected = _settle_blocks(ledger, blocks, None, monkeypatch)
    assert _settle_blocks(ledger, blocks, random.Random(f"settled-kills-{seed}"), monkeypatch) == expected


def test_a_change_that_is_lost_is_found(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: a function is not shown the first change of a unit."""
    whole = Computing._changes
    monkeypatch.setattr(
        Computing, "_changes", lambda self, units: {number: one[1:] for number, one in whole(self, units).items()}
    )
    wrong: list[str] = []
    for seed in range(20):
        for text in TABLES:
            _run(ledger, f"DELETE FROM {text.split()[2]}")
        keeper, _ = _play_through(ledger, seed, monkeypatch)
        wrong += _wrong(ledger, keeper)
        keeper.uninstall()
        if wrong:
            break
    assert set(wrong) == {"span"}
