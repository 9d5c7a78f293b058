"""What is told of a backfill, to whom and how often: rate, ETA, times, and nothing that nobody knows."""

import contextlib
import threading
from dataclasses import replace

import pytest

from tests.backfill.place import Songs, Watch, stop_after
from tidemark import Fault, Project, Refusal, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Conflict
from tidemark.render.backfill import write_walk
from tidemark.runtime import samples
from tidemark.runtime.backfill.meter import Meter
from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.backfill.tally import Tally
from tidemark.runtime.duty import Duty
from tidemark.runtime.progress import Event
from tidemark.runtime.statements import find_statement


def finished(songs: Songs, count: int = 30) -> BackfillStatus:
    """A backfill that was done, as it is told."""
    songs.add(count)
    songs.upper()
    songs.engine(clock=Watch().clock).backfill("shout")
    return songs.engine().backfills()[0]


def test_the_rate_is_rows_in_a_second_of_this_run() -> None:
    meter = Meter(since=100.0)
    for second in range(1, 11):
        meter.record(500, 100.0 + second)
    assert meter.rate == pytest.approx(500, rel=0.01)
    assert meter.state(50_000) == "estimating"
    meter.leave_out(1000.0)
    meter.record(500, 1001.0)
    assert meter.rate == pytest.approx(500, rel=0.01), "what was held back does not count"
    for second in range(30):
        meter.record(500, 1002.0 + second)
    assert meter.state(50_000) == "steady"
    assert Meter(since=0.0).rate is None and Meter(since=0.0).state(10) == "unknown"


def test_the_time_that_is_left_is_what_is_left_at_the_present_rate(file_songs: Songs) -> None:
    status = finished(file_songs)
    half = replace(status, state="backfilling", rows_done=5000, rows_total=50_000, rate=500.0, rate_state="steady")
    assert half.eta_seconds == 90.0 and half.progress == 0.1
    assert replace(half, rate_state="stalled").eta_seconds is None
    assert replace(half, rows_total=None).eta_seconds is None and replace(half, rows_total=None).progress is None
    assert replace(half, rows_done=50_000).progress == 0.99, "nothing is whole before it is finished"
    assert status.progress == 1.0 and status.eta_seconds is None


def test_the_time_that_is_left_has_bounds_by_the_fast_and_the_slow_tenth() -> None:
    how = [samples.Sample(float(n), 1.0, n, 100 * n, 1, 1.0, 0.0, 1.0, 10.0, 500) for n in range(1, 11)]
    assert samples.find_range(how, 9000) == (9.0, 45.0)
    assert samples.find_range(how, None) is None, "what nobody knows has no bounds"
    assert samples.find_range(how[:2], 9000) is None, "of few samples there is nothing to say"


def test_the_error_of_the_time_that_is_left_is_small_after_a_tenth(file_songs: Songs) -> None:
    """Acceptance: the median relative error is at most a fifth."""
    file_songs.add(4000)
    watch, told = Watch(), list[tuple[float, float]]()

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.02 * len(batch) * (1.1 if batch.keys[0] % 2 else 0.9)

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        (status,) = file_songs.engine().backfills()
        if status.eta_seconds is not None and status.rows_done >= 400:
            told.append((watch.seconds, status.eta_seconds))

    file_songs.engine(clock=watch.with_wait(wait)).backfill("tally")
    errors = sorted(abs(moment + left - watch.seconds) / max(watch.seconds - moment, 1.0) for moment, left in told)
    assert len(errors) > 20 and errors[len(errors) // 2] <= 0.2


def test_it_is_told_once_a_second_and_always_at_the_end(file_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    file_songs.add(900)
    watch, told, real = Watch(), list[float](), Tally.record

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.3

    def record(self: Tally, duty: Duty) -> None:
        told.append(watch.seconds)
        real(self, duty)

    monkeypatch.setattr(Tally, "record", record)
    status = file_songs.engine(clock=watch.clock).backfill("tally").status
    gaps = [after - before for before, after in zip(told, told[1:], strict=False)]
    assert len(told) >= 3 and all(gap >= 1.0 for gap in gaps[:-1]) and gaps[-1] < 1.0
    assert status.rows_done == 900 and status.updated == status.ended
    assert file_songs.engine().history("tally")[0].rows_done == 900


def test_that_nothing_can_be_told_stops_no_work(file_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    file_songs.add(900)
    file_songs.upper()
    watch, real = Watch(), Tally.record

    def record(self: Tally, duty: Duty) -> None:
        if self.done < 900:
            raise Conflict("busy")
        real(self, duty)

    def wait(seconds: float) -> None:
        watch.wait(seconds + 2.0)

    monkeypatch.setattr(Tally, "record", record)
    assert file_songs.engine(clock=watch.with_wait(wait)).backfill("shout").status.state == "finished"


def test_no_event_is_told_of_a_chunk_without_keys(file_songs: Songs) -> None:
    file_songs.add(250)
    events: list[Event] = []

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        # The last keys go away before anybody comes to them.
        db.run("DELETE FROM songs WHERE id > 100")

    done = file_songs.engine(listen=events.append, clock=Watch().clock).backfill("tally")
    assert done.status.state == "finished"
    counts = [event.done for event in events]
    assert counts == sorted(set(counts)) and counts, "each event tells of something new"


def test_what_is_read_waits_for_no_writer(file_songs: Songs) -> None:
    finished(file_songs)
    with file_songs.session.transaction():
        file_songs.session.run("UPDATE songs SET tally = 1 WHERE id = 1")
        assert file_songs.engine().backfills()[0].state == "finished"


def test_no_ledger_no_backfill_and_a_broken_record_are_told_apart(file_songs: Songs) -> None:
    with pytest.raises(Refusal, match="not-installed"):
        file_songs.engine().backfills()
    file_songs.project.derive("titles", key="id", query="SELECT id, title FROM songs")
    file_songs.engine().apply()
    with file_songs.session.transaction():
        file_songs.session.run("DELETE FROM tidemark__backfill")
    assert file_songs.engine().backfills() == ()
    with file_songs.session.transaction():
        file_songs.session.run("DROP TABLE tidemark__backfill")
    with pytest.raises(Refusal, match="unknown-table"):
        file_songs.engine().backfills()


def test_an_unknown_state_is_unknown_and_never_running_or_ready(file_songs: Songs) -> None:
    finished(file_songs)
    file_songs.session.all("PRAGMA ignore_check_constraints = ON")
    with file_songs.session.transaction():
        file_songs.session.run("UPDATE tidemark__backfill SET state = 'pending_async'")
    (status,) = file_songs.engine().backfills()
    assert (status.state, status.running, status.eta_seconds) == ("unknown", False, None)
    assert status.progress is not None and status.progress < 1
    with pytest.raises(Fault, match="does not know"):
        file_songs.engine().backfill("shout")


def test_a_runner_that_died_without_a_word_reads_as_interrupted(file_songs: Songs) -> None:
    finished(file_songs)
    with file_songs.session.transaction():
        file_songs.session.run("UPDATE tidemark__backfill SET state = 'backfilling', ended = NULL")
    (status,) = file_songs.engine().backfills()
    assert (status.state, status.running) == ("interrupted", False)
    assert "without a word" in str(status.failure)


def test_a_time_that_cannot_be_read_gives_no_number(file_songs: Songs) -> None:
    assert finished(file_songs).elapsed_seconds is not None
    with file_songs.session.transaction():
        file_songs.session.run("UPDATE tidemark__backfill SET started = 'last Tuesday'")
    (status,) = file_songs.engine().backfills()
    assert (status.elapsed_seconds, status.eta_seconds, status.started) == (None, None, "last Tuesday")


def test_a_record_that_is_gone_is_an_error(file_songs: Songs) -> None:
    file_songs.add(300)

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        db.run("DELETE FROM tidemark__backfill_range")

    with pytest.raises(Fault, match="has no range"):
        file_songs.engine().backfill("tally")


def test_a_count_of_rows_that_is_none_is_a_failure(file_songs: Songs) -> None:
    file_songs.add(3)
    file_songs.project.backfill("tally", table="songs", key="id")(lambda db, batch: "many")
    with pytest.raises(Fault, match="changed 'many' rows"):
        file_songs.engine().backfill("tally")
    assert file_songs.engine().backfills()[0].state == "failed"


def test_rows_that_are_never_filled_do_not_keep_it_from_ending(file_songs: Songs) -> None:
    file_songs.add(500)
    file_songs.upper(where="title LIKE '%7'")
    done = file_songs.engine(stop=stop_after(60)).backfill("shout")
    assert (done.status.state, done.status.rows_done, done.rows_written) == ("finished", 500, 50)


def test_a_chunk_does_no_more_than_its_size(file_songs: Songs) -> None:
    file_songs.add(1000)
    sizes: list[int] = []
    file_songs.project.backfill("tally", table="songs", key="id")(lambda db, batch: sizes.append(len(batch)))
    file_songs.engine(clock=Watch().clock).backfill("tally")
    assert sizes[0] == 100 and len(sizes) >= 3 and sum(sizes) == 1000


def test_a_writer_finds_the_database_free_after_every_chunk(file_songs: Songs) -> None:
    """No long writer is possible by design: what a chunk held the lock for is left to others after it."""
    file_songs.add(1200)
    watch, holds, rests, held = Watch(), list[float](), list[float](), [0.0]

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        holds.append(len(batch) * 0.0001)
        watch.seconds += holds[-1]
        held[-1] += holds[-1]

    with contextlib.closing(open_session(file_songs.url, lock_timeout=0)) as other:

        def wait(seconds: float) -> None:
            watch.wait(seconds)
            with other.transaction():
                other.run("INSERT INTO songs (title) VALUES ('between two chunks')")
            if seconds:
                rests.append(seconds)
                held.append(0.0)

        file_songs.engine(clock=watch.with_wait(wait)).backfill("tally")
    assert len(rests) >= 5
    assert max(held) <= 0.02 and sum(rests) >= sum(holds), "little is held between two rests, and less in all"


def test_zero_is_no_rest_and_not_the_usual_one(file_songs: Songs) -> None:
    file_songs.add(500)
    watch = Watch()

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.004

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        with file_songs.session.transaction():
            file_songs.session.run("UPDATE songs SET title = 'in company' WHERE id = 1")

    file_songs.engine(clock=watch.with_wait(wait)).backfill("tally", Orders(nice=0.0))
    assert len(watch.rests) >= 4 and max(watch.rests) <= 0.002


def test_fillings_and_migrations_are_one_list(file_songs: Songs) -> None:
    finished(file_songs)
    file_songs.project.derive("titles", key="id", query="SELECT id, title FROM songs")
    file_songs.engine().apply()
    found = [(one.name, one.kind, one.state) for one in Tidemark(None, file_songs.url).backfills()]
    assert found == [("shout", "data", "finished"), ("titles", "fill", "live")]
    assert [one.name for one in Tidemark(None, file_songs.url).backfills("titles")] == ["titles"]


def test_a_step_and_its_record_reach_their_rows_by_an_index(file_songs: Songs) -> None:
    finished(file_songs)
    session, declared = file_songs.session, file_songs.project.backfills[0]
    walk = write_walk(session.dialect, session.catalog(), declared)
    for text in (
        walk.step,
        walk.count,
        find_statement("sqlite", "advance_range"),
        find_statement("sqlite", "read_control"),
    ):
        names = dict.fromkeys(("tidemark_z0", "tidemark_a0", "tidemark_skip", "cursor", "rows_done", "rows_written"), 1)
        values = {**names, "finished": 0, "backfill": "shout", "place": 0, "name": "shout"}
        plan = [row[3] for row in session.all(f"EXPLAIN QUERY PLAN {text.replace('{after}', walk.after)}", values)]
        plan = [line for line in plan if line not in ("CO-ROUTINE k", "SCAN k")]
        assert (
            plan and all(line.startswith("SEARCH") for line in plan) and not any("TEMP B-TREE" in line for line in plan)
        ), plan


def test_nothing_is_left_of_a_run_that_was_stopped(file_songs: Songs) -> None:
    file_songs.add(500)
    file_songs.upper()
    before = threading.active_count()
    with pytest.raises(Fault):
        file_songs.engine(stop=stop_after(2)).backfill("shout", Orders(workers=3))
    assert threading.active_count() == before
    assert (
        file_songs.value("SELECT count(*) FROM tidemark__lease WHERE expires > strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
        == 0
    )


def test_a_project_without_backfills_says_so() -> None:
    with pytest.raises(Refusal, match="no backfill shout is declared"):
        Tidemark(Project("p"), ":memory:").backfill("shout")
