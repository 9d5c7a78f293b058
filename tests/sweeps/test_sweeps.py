"""Verification for ever: slowly, again and again, quiet while everything is true, and careful with what it mends."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.kit.size import on_engines_in_turn
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Refusal
from tidemark.runtime.coverage import Sweep, read_sweep
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.pace import Pace
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.truth import last_word
from tidemark.runtime.truth.verify import Leisure, verify
from tidemark.runtime.workers.sweeps import Swept, sweep_on

GROUPED = "SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id"
NAMED = "SELECT p.id, p.score, u.name FROM posts p JOIN users u ON u.id = p.user_id"


class World:
    """Two derived tables that are verified every hour, and a worker's duty without a worker."""

    def __init__(self, url: str, *, repair: bool, threads: int = 40) -> None:
        project = Project("world")
        project.derive("grouped", query=GROUPED, verify="1h", repair=repair)
        project.derive("named", query=NAMED, key="id", verify="1h", repair=repair)
        self.url, self.tidemark = url, Tidemark(project, url)
        self.run(
            "CREATE TABLE users (id integer PRIMARY KEY, name text)",
            "CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer, user_id integer, score integer)",
            "CREATE INDEX posts_by_thread ON posts (thread_id)",
            "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80) "
            f"INSERT INTO posts SELECT i, i % {threads}, i % 2 + 1, i FROM n",
        )
        self.tidemark.apply()
        self.stopping = False
        self.duty: Duty = self.tidemark._connect()
        self.duty.stop = lambda: self.stopping

    def run(self, *statements: str) -> None:
        with contextlib.closing(open_session(self.url)) as session, session.transaction():
            for statement in statements:
                session.script(statement)

    def row(self, name: str) -> Installed:
        return next(row for row in self.duty.ledger.derived() if row.name == name)

    def sweep(self, name: str) -> Swept:
        swept = sweep_on(self.duty, self.row(name), "worker")
        assert swept is not None
        return swept

    def known(self, name: str) -> Sweep:
        sweep = read_sweep(self.duty.ledger, self.row(name).script)
        assert sweep is not None
        return sweep

    def status(self, name: str) -> TableStatus:
        return next(status for status in self.tidemark.status() if status.name == name)

    def tamper(self, where: str = "thread_id = 3") -> None:
        self.run(f"UPDATE {self.row('grouped').script.store} SET _rows = _rows + 1 WHERE {where}")


@pytest.fixture
def worlds(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[World]]:
    monkeypatch.setattr("tidemark.runtime.truth.verify.REST_SECONDS_MAX", 0.0)
    made: list[World] = []
    yield made
    for world in made:
        world.duty.session.close()


def _make(worlds: list[World], url: str, *, repair: bool, threads: int = 40) -> World:
    worlds.append(World(url, repair=repair, threads=threads))
    return worlds[-1]


def test_a_clean_sweep_says_nothing_and_the_next_one_waits(worlds: list[World], engine_url: str) -> None:
    world = _make(worlds, engine_url, repair=False)
    assert world.status("grouped").coverage is None
    for name, keys in (("grouped", 40), ("named", 80)):
        swept = world.sweep(name)
        assert (swept.keys, swept.found, swept.note) == (keys, 0, "")
        assert world.status(name).coverage == 1.0 and world.status(name).verified_at
        again = world.sweep(name)
        assert again.keys == 0 and again.wait_seconds > 0
    # A change that waits in the log is no drift; one that somebody made behind our back is.
    world.run("INSERT INTO posts VALUES (900, 7, 1, 5)", "UPDATE users SET name = 'cid' WHERE id = 1")
    _make_due(world)
    assert not world.sweep("named").found
    world.tamper()
    _make_due(world)
    swept = world.sweep("grouped")
    assert swept.found == 1 and swept.repaired == 0 and "tidemark repair grouped" in swept.note
    status = world.status("grouped")
    assert status.drift == 1 and status.verified_at is None and status.coverage == 1.0


def test_what_a_sweep_computes_as_it_is_stored_is_compared_with_the_query_as_it_is_written(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in how rows are kept is the same in what a sweep compares them with; here the query is another one."""
    world = _make(worlds, engine_url, repair=True)
    row = world.row("grouped")
    wrong = replace(row, script=replace(row.script, truth=GROUPED.replace("count(*)", "count(*) + 1")))
    for _ in range(2):
        _make_due(world)
        swept = sweep_on(world.duty, wrong, "worker")
        assert swept is not None and (swept.found, swept.repaired) == (40, 0)
        assert "40 rows differ from the query as it is written" in swept.note and "no repair mends" in swept.note
        status = world.status("grouped")
        assert status.drift == 40 and status.verified_at is None and status.state == "live"
    _make_due(world)
    assert not world.sweep("grouped").note and world.status("grouped").drift == 0
    # What is not small is left to whoever asks for it.
    monkeypatch.setattr(last_word, "BYTES_MAX", 0)
    _make_due(world)
    swept = sweep_on(world.duty, wrong, "worker")
    assert swept is not None and not swept.found


def _make_due(world: World) -> None:
    table = "tidemark._sweep" if world.duty.session.dialect.has_schemas else "tidemark__sweep"
    world.run(f"UPDATE {table} SET began_at = '2020-01-01T00:00:00.000Z'")


def test_it_mends_what_it_finds_but_not_too_much(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _make(worlds, engine_url, repair=True)
    world.tamper()
    swept = world.sweep("grouped")
    assert swept.found == 1 and swept.repaired == 1 and "is repaired" in swept.note
    assert all(report.clean for report in world.tidemark.verify("grouped"))
    monkeypatch.setattr("tidemark.runtime.workers.sweeps.FUSE_ROWS", 5)
    world.tamper("thread_id < 10")
    _make_due(world)
    swept = world.sweep("grouped")
    assert swept.found == 10 and swept.repaired == 0 and "too many" in swept.note
    assert world.status("grouped").drift == 10


def test_a_sweep_goes_on_where_it_was_stopped(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _make(worlds, engine_url, repair=True)
    monkeypatch.setattr(
        "tidemark.runtime.truth.verify.Pace", lambda **about: Pace(target_ms=0.0, in_line=False, size=8)
    )
    world.tamper("thread_id IN (1, 39)")

    def listen(event: object) -> None:
        world.stopping = True

    heard = replace(world.duty, listen=listen)
    assert sweep_on(heard, world.row("grouped"), "worker") == Swept(0.0)
    known = world.known("grouped")
    assert 0 < known.done < known.total == 40 and not known.ended
    assert known.coverage == pytest.approx(known.done / 40)
    world.stopping = False
    monkeypatch.setattr("tidemark.runtime.truth.verify.REST_SECONDS_MAX", 9.0)
    done, rests = list[int](), list[float]()
    clock = replace(world.duty.clock, wait=rests.append)
    heard = replace(world.duty, listen=lambda event: done.append(event.done), clock=clock)
    swept = sweep_on(heard, world.row("grouped"), "worker") or Swept(0.0)
    assert done[0] > known.done, "what was compared is not compared again"
    assert swept.found == 2 and swept.repaired == 2, "what was found before the end is not forgotten"
    assert len(rests) > 2 and all(seconds > 0 for seconds in rests), "it takes a share of the time"
    assert world.known("grouped").coverage == 1.0


def test_a_worker_sweeps_beside_its_ticks(engine_url: str, caplog: pytest.LogCaptureFixture) -> None:
    world = World(engine_url, repair=True)
    with contextlib.closing(world.duty.session):
        caplog.set_level(logging.WARNING)
        for tampered in (False, True):
            if tampered:
                world.tamper()
            _make_due(world)
            began = world.duty.session.now()
            table = "tidemark._sweep" if world.duty.session.dialect.has_schemas else "tidemark__sweep"

            def ended(began: str = began, table: str = table) -> bool:
                asked = f"SELECT count(*) FROM {table} WHERE ended_at >= '{began}'"
                return world.duty.session.one(asked) == (2,)

            Tidemark(None, engine_url, stop=ended).run(lanes=2)
            said = [record.message for record in caplog.records]
            assert said == (["grouped: 1 row differed from the query and is repaired"] if tampered else [])
    assert all(report.clean for report in world.tidemark.verify())


@on_engines_in_turn("repair", [False, True])
def test_what_is_left_to_somebody_is_said_once_and_not_looked_at_all_the_time(
    engine_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, repair: bool
) -> None:
    monkeypatch.setattr("tidemark.runtime.workers.sweeps.FUSE_ROWS", 3)
    world, turns = World(engine_url, repair=repair), [0]

    def enough() -> bool:
        turns[0] += 1
        return turns[0] > 120

    with contextlib.closing(world.duty.session):
        caplog.set_level(logging.WARNING)
        world.tamper("thread_id >= 0")
        _make_due(world)
        before = len(world.tidemark.history("grouped", 500))
        Tidemark(None, engine_url, stop=enough).run(lanes=2)
        (said,) = [record.message for record in caplog.records]
        assert said.startswith("grouped: 40 rows differ from the query")
        # The sweep, and one look at what the newest rows reach.
        assert len(world.tidemark.history("grouped", 500)) - before <= 2
        # What comes after it was mended is news.
        world.tidemark.repair("grouped")
        world.tamper("thread_id >= 0")
        _make_due(world)
        turns[0] = 0
        Tidemark(None, engine_url, stop=enough).run(lanes=2)
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("sweep", "coverage"),
    [
        (Sweep(0, 0, 0, 10, None, False), 0.0),
        (Sweep(0, 0, 0, 10, 10, True), 1.0),
        (Sweep(97, 100, 0, 10, None, False), 0.97),
        (Sweep(50, 100, 0, 10, 3600, False), 1.0),
        (Sweep(50, 100, 0, 10, 200_000, False), 0.5),
        (Sweep(100, 100, 0, 172_800, 172_800, True), 0.5),
    ],
)
def test_coverage(sweep: Sweep, coverage: float) -> None:
    assert sweep.coverage == pytest.approx(coverage)
    assert replace(sweep, drift=3).coverage == sweep.coverage


def test_what_is_no_schedule_is_refused() -> None:
    project = Project("world")
    for options in ({"verify": "now and then"}, {"repair": True}, {"verify": "1h", "repair": "yes"}):
        with pytest.raises(Refusal):
            project.derive("grouped", query=GROUPED, **options)  # type: ignore[arg-type]
    assert project.derive("grouped", query=GROUPED, verify="30m", repair=True).verify == 1800


def test_between_two_sweeps_what_the_newest_rows_reach_is_compared(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.runtime.workers.sweeps.SAMPLE_ROWS", 50)
    world = _make(worlds, engine_url, repair=True, threads=8)
    for name in ("grouped", "named"):
        world.sweep(name)
    assert world.sweep("grouped").keys == 0, "nothing is due, and nothing wrong: not a word"
    runs = len(world.tidemark.history("grouped"))
    # The newest post is in thread 9, which is wrong, and so is thread 3, of which nothing is new.
    world.run("INSERT INTO posts SELECT i + 1000, 9, 1, i FROM (SELECT id AS i FROM posts) AS p")
    world.tamper("thread_id IN (3, 9)")
    swept = world.sweep("grouped")
    assert (swept.found, swept.repaired) == (1, 1) and "repaired" in swept.note
    assert len(world.tidemark.history("grouped")) > runs
    wrong = [one for report in world.tidemark.verify("grouped") for one in report.findings]
    assert [one.key for one in wrong] == [(3,)]
    # A user's name is behind rows of posts, and a post behind both.
    world.tidemark.tick()
    world.run(f"UPDATE {world.row('named').script.store} SET name = 'no' WHERE id = 1080")
    assert world.sweep("named").found == 1


@pytest.mark.parametrize("place", ["_batch", 'posts" ORDER BY'], ids=["ticked last", "newest posts"])
def test_what_was_ticked_last_is_compared_however_old_its_rows_are(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("tidemark.runtime.workers.sweeps.SAMPLE_ROWS", 5)
    world = _make(worlds, engine_url, repair=True, threads=8)
    world.sweep("named")
    world.run("UPDATE posts SET user_id = 2 WHERE id = 2")
    row = world.row("named")
    tick(world.duty, row.script)
    world.run(f"UPDATE {row.script.store} SET name = 'no' WHERE id IN (2, 3)")
    # Both users are new, and between them they have every post.
    one = tuple(text for text in row.script.applier.newest if place in text)
    assert len(one) == 1
    looking = replace(row, script=replace(row.script, applier=replace(row.script.applier, newest=one)))
    swept = sweep_on(world.duty, looking, "worker")
    assert swept is not None and swept.found == (place == "_batch")


def test_a_sample_of_other_rows_is_found_out(
    worlds: list[World], sqlite_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _make(worlds, f"sqlite:///{sqlite_path}", repair=False)
    world.sweep("grouped")
    row = world.row("grouped")
    oldest = tuple(text.replace("DESC", "ASC") for text in row.script.applier.newest)
    changed = replace(row, script=replace(row.script, applier=replace(row.script.applier, newest=oldest)))
    world.run(
        "INSERT INTO posts SELECT id + 1000, 77, 1, 1 FROM posts",
        "INSERT INTO posts SELECT id + 5000, 77, 1, 1 FROM posts",
    )
    world.tamper("thread_id = 77")
    monkeypatch.setattr("tidemark.runtime.workers.sweeps.SAMPLE_ROWS", 10)
    swept = sweep_on(world.duty, changed, "worker")
    assert swept is not None and swept.found == 0, "the planted mistake looks at the wrong end"
    assert world.sweep("grouped").found == 1


@pytest.mark.parametrize("at_leisure", [False, True])
def test_rows_that_wait_are_no_drift_however_many_they_are(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch, at_leisure: bool
) -> None:
    monkeypatch.setattr("tidemark.runtime.truth.verify.DOUBTED_MAX", 5)
    monkeypatch.setattr(
        "tidemark.runtime.truth.verify.Pace", lambda **_: Pace(250.0, False, size=4, size_min=4, size_max=4)
    )
    world = World(engine_url, repair=False)
    worlds.append(world)
    row, applied = world.row("named"), 0

    def drain() -> None:
        """Every row waits again when what waited before is applied, but for the last time."""
        nonlocal applied
        if applied:
            tick(world.duty, row.script)
        if applied < 3:
            world.run("UPDATE posts SET score = score + 1")
        applied += 1

    told = list[tuple[int, int, int]]()
    leisure = Leisure(1.0, 0, lambda *at: told.append(at)) if at_leisure else None
    report = verify(world.duty, row, drain, leisure=leisure)
    assert (report.keys, report.drift, report.undecided) == (80, 0, 0)
    assert applied > 3 and (told[-1][:2] == (80, 80) if at_leisure else not told)


def test_no_key_is_passed_over_where_others_before_it_go_meanwhile(
    worlds: list[World], engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemark.runtime.truth.verify.DOUBTED_MAX", 5)
    monkeypatch.setattr(
        "tidemark.runtime.truth.verify.Pace", lambda **_: Pace(250.0, False, size=4, size_min=4, size_max=4)
    )
    world = _make(worlds, engine_url, repair=False)
    row, applied = world.row("named"), 0

    def drain() -> None:
        """At first every row waits; then the first of them are gone, and some of the others are wrong."""
        nonlocal applied
        if applied == 1:
            world.run("DELETE FROM posts WHERE id <= 6")
        if applied:
            tick(world.duty, row.script)
        if applied == 0:
            world.run("UPDATE posts SET score = score + 1")
        elif applied == 1:
            world.run(f"UPDATE {row.script.store} SET score = 0 WHERE id BETWEEN 9 AND 14")
        applied += 1

    report = verify(world.duty, row, drain, leisure=Leisure(1.0, 0, lambda *at: None))
    assert applied > 1 and sorted(one.key for one in report.findings) == [(number,) for number in range(9, 15)]
