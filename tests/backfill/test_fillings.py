"""The filling of a derived table is a backfill like any other: on record, steered, held back, and never ready by omission."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.place import Songs, Watch, stop_after
from tests.simulation.chunks import chunks_of
from tidemark import Fault, Refusal
from tidemark.cli.reports_backfills import backfills_text
from tidemark.database.session import Session, Strain
from tidemark.errors import Exit
from tidemark.runtime.backfill import begin, fill, fill_whole
from tidemark.runtime.backfill.record import CANCELLED
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects.gaps import record_gap
from tidemark.runtime.operate.status import GIVEN_UP

QUERY = "SELECT tally, count(*) AS songs FROM songs GROUP BY tally"


@pytest.fixture(autouse=True)
def _small_chunks() -> Iterator[None]:
    with chunks_of(7):
        yield


def _triggers(songs: Songs) -> int:
    texts = {
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'songs'",
        "postgres": "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'songs'::regclass AND NOT tgisinternal",
    }
    return int(songs.value(texts[songs.session.dialect.name]))


def derive(songs: Songs, **options: object) -> None:
    """Declare a table with forty keys."""
    with songs.session.transaction():
        songs.session.run("CREATE INDEX songs_tally ON songs (tally)")
        songs.session.run("UPDATE songs SET tally = id % 40")
    songs.project.derive("tallies", query=QUERY, **options)  # type: ignore[arg-type]


def test_a_filling_is_on_record_from_the_first_chunk_to_the_cutover(songs: Songs) -> None:
    songs.add(200)
    derive(songs)
    watch, seen = Watch(), dict[str, float | None]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        (status,) = songs.engine().backfills()
        seen[status.state] = status.progress

    songs.engine(clock=watch.with_wait(wait)).apply()
    (status,) = songs.engine().backfills()
    assert (status.kind, status.state, status.progress) == ("fill", "live", 1.0)
    assert status.rows_done == status.rows_total == 40
    assert seen["backfilling"] is not None and seen["backfilling"] <= 0.99


def test_what_counts_its_keys_is_at_work_and_says_so(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration and a filling alike; of a filling that has no record yet nobody could keep a wish."""
    songs.add(20)
    songs.upper()
    derive(songs)
    told: list[str] = []

    def look(session: Session, script: object) -> None:
        told.append(backfills_text(songs.engine().backfills()))
        found = {one.name: one for one in songs.engine().backfills()}
        assert found["tallies"].counting and found["tallies"].running and found["tallies"].rows_total is None
        with pytest.raises(Fault, match="say it again in a moment") as fault:
            songs.engine().cancel_backfill("tallies")
        assert fault.value.exit is Exit.HELD

    def survey(*about: Any) -> Any:
        (one,) = [one for one in songs.engine().backfills() if one.kind == "data"]
        assert one.counting and one.state == "backfilling" and one.eta_seconds is None
        return begin_survey(*about)

    begin_survey = begin.survey
    with monkeypatch.context() as patch:
        for room in (fill, fill_whole):
            patch.setattr(room, "fits", lambda duty, script, most=0: look(duty.session, script) or False)
        songs.engine().apply()
    assert "backfilling (counting its keys)" in told[0] and " ? " in told[0] and "next" in told[0]
    monkeypatch.setattr(begin, "survey", survey)
    assert songs.engine().backfill("shout").status.state == "finished"


def test_a_filling_ends_when_readers_have_the_rows(songs: Songs) -> None:
    songs.add(200)
    derive(songs)
    songs.engine().apply()
    with songs.session.transaction():
        began, filled, shown = (f"2020-01-01T00:00:0{second}.000Z" for second in (0, 1, 5))
        songs.session.run(f"UPDATE {songs.ledger('backfill')} SET started = '{began}', ended = '{filled}'")
        songs.session.run(f"UPDATE {songs.ledger('derived')} SET live_at = '{shown}'")
    (status,) = songs.engine().backfills()
    assert (status.ended, status.elapsed_seconds) == (shown, 5.0)
    with songs.session.transaction():
        songs.session.run(f"UPDATE {songs.ledger('derived')} SET state = 'verifying', live_at = NULL")
    (status,) = songs.engine().backfills()
    assert status.ended is None and status.elapsed_seconds is not None and status.elapsed_seconds > 1000, "it goes on"


def test_an_interrupted_filling_is_interrupted_and_then_live(songs: Songs) -> None:
    songs.add(200)
    derive(songs)
    with pytest.raises(Fault) as fault:
        songs.engine(stop=stop_after(4)).apply()
    assert fault.value.exit is Exit.INTERRUPTED
    (status,) = songs.engine().backfills()
    assert (status.state, status.running) == ("interrupted", False)
    songs.engine().apply()
    assert songs.engine().backfills()[0].state == "live"
    assert songs.engine().verify()[0].clean


def test_a_failed_filling_never_reads_as_ready(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.add(200)
    derive(songs)

    def fail(*_: object) -> None:
        raise Fault("the disk is gone", retry_safe=False)

    with monkeypatch.context() as patch, pytest.raises(Fault):
        patch.setattr("tidemark.runtime.backfill.fill_pages.apply_batch", fail)
        patch.setattr("tidemark.runtime.backfill.fill_whole._put", fail)
        patch.setattr("tidemark.runtime.backfill.adding._add_chunk", fail)
        songs.engine().apply()
    (status,) = songs.engine().backfills()
    assert (status.state, status.running, status.progress != 1.0) == ("failed", False, True)
    assert "the disk is gone" in str(status.failure)
    assert not songs.engine().status()[0].well


def test_a_filling_rests_when_an_operator_says_so_and_a_worker_goes_on_when_it_may(songs: Songs) -> None:
    songs.add(200)
    derive(songs)
    songs.engine().apply(detach=True)
    assert songs.engine().backfills()[0].state == "planned"
    begun = songs.engine().set_nice("tallies", 2)
    assert (begun.state, begun.nice, begun.attempt) == ("planned", 2, 1), "before anybody begins"
    watch, counted = Watch(), [0]

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        counted[0] += 1
        if counted[0] == 2:
            songs.engine().pause_backfill("tallies")

    songs.engine(clock=watch.with_wait(wait)).run(until_idle=True)
    (status,) = songs.engine().backfills()
    assert (status.state, status.running, status.nice, status.attempt) == ("paused", False, 2, 1)
    assert 0 < status.rows_done < 40
    assert songs.engine().set_nice("tallies", 0.5) == songs.engine().backfills()[0], (
        "the filling, and not its record alone"
    )
    songs.engine().run(until_idle=True)
    assert songs.engine().backfills()[0].state == "paused", "no worker takes it up"
    assert songs.engine().resume_backfill("tallies").state in ("backfilling", "paused", "interrupted")
    songs.engine().run(until_idle=True)
    assert songs.engine().backfills()[0].state == "live"
    assert songs.engine().verify()[0].clean
    engine = songs.engine()
    for steer in (engine.cancel_backfill, engine.pause_backfill, engine.resume_backfill):
        with pytest.raises(Refusal, match="tallies is filled and live"):
            steer("tallies")
    # What readers have is filled anew, and waits for somebody who does that.
    duty = Duty(Ledger(songs.session), Clock())
    record_gap(duty, duty.ledger.derived()[0], "a test says so")
    with pytest.raises(Refusal, match="tallies is installing"):
        engine.pause_backfill("tallies")
    with pytest.raises(Refusal, match="readers have tallies"):
        engine.cancel_backfill("tallies")
    assert engine.resume_backfill("tallies").state == "installing", "nobody had it rest"


@pytest.mark.parametrize("at_work", [False, True])
def test_a_cancelled_filling_is_in_nobodys_way_and_begins_again_when_it_is_applied(songs: Songs, at_work: bool) -> None:
    songs.add(200)
    derive(songs)
    songs.engine().apply(detach=True)
    assert _triggers(songs)
    if at_work:
        watch, counted = Watch(), [0]

        def wait(seconds: float) -> None:
            watch.wait(seconds)
            counted[0] += 1
            if counted[0] == 2:
                songs.engine().cancel_backfill("tallies")

        songs.engine(clock=watch.with_wait(wait)).run(until_idle=True)
    else:
        songs.engine().cancel_backfill("tallies")
    (status,), (table,) = songs.engine().backfills(), songs.engine().status()
    assert (status.state, status.failure, status.running) == ("cancelled", CANCELLED, False)
    assert (table.state, table.captures, table.next) == ("failed", GIVEN_UP, "tidemark apply")
    assert not _triggers(songs)
    songs.engine().run(until_idle=True)
    assert songs.engine().backfills()[0].state == "cancelled", "no worker takes it up"
    for steer in (songs.engine().cancel_backfill, songs.engine().pause_backfill, songs.engine().resume_backfill):
        with pytest.raises(Refusal, match="tallies has ended: it is cancelled") as told:
            steer("tallies")
        assert told.value.instead == "run `tidemark apply`"
    with contextlib.closing(songs.engine().onlooker()) as eye:
        verdict = eye.overview().verdict
    assert verdict.level == "warn" and verdict.findings[0].says == f"was given up: {CANCELLED}"
    songs.engine().apply()
    assert songs.engine().backfills()[0].state == "live" and songs.engine().verify()[0].clean


def test_strain_holds_a_filling_back(file_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    file_songs.add(200)
    derive(file_songs)
    strains = [[Strain("free_bytes", 1.0)], []]
    monkeypatch.setattr(
        type(file_songs.session), "strain", lambda session: strains.pop(0) if len(strains) > 1 else strains[0]
    )
    watch, seen = Watch(), set[str]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        seen.add(file_songs.engine().backfills()[0].state)

    file_songs.engine(clock=watch.with_wait(wait)).apply()
    assert "throttled" in seen and file_songs.engine().backfills()[0].state == "live"


def test_a_filling_never_takes_the_record_of_a_migration(file_songs: Songs) -> None:
    file_songs.add(20)
    file_songs.upper("tallies")
    file_songs.engine().backfill("tallies")
    file_songs.project = type(file_songs.project)("other")
    derive(file_songs)
    with pytest.raises(Refusal, match="name-taken"):
        file_songs.engine().apply()
    assert [(one.kind, one.state) for one in file_songs.engine().backfills()][0][0] in ("data", "fill")


def test_what_many_writers_changed_behind_a_filling_is_no_failure(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.add(60)
    with songs.session.transaction():
        songs.session.run("CREATE TABLE plays (id INTEGER PRIMARY KEY, song INTEGER)")
        songs.session.run("CREATE INDEX plays_song ON plays (song)")
    # What adds up would catch up before it is verified.
    first = "SELECT p.id FROM plays AS p WHERE p.song = s.id ORDER BY p.song, p.id LIMIT 1"
    query = f"SELECT s.id, ({first}) AS tally FROM songs AS s"
    songs.project.derive("played", key="id", columns_of="songs", freshness="commit", query=query)
    for room in ("changes.apply", "truth.verify"):
        monkeypatch.setattr(f"tidemark.runtime.{room}.RECORDED_MAX", 3)
    watch, written = Watch(), [0]

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if songs.engine().backfills()[0].rows_done >= 49 and not written[0]:
            # Seven chunks are done, and the triggers that show rows are not there yet.
            with songs.session.transaction():
                written[0] = songs.session.run("INSERT INTO plays SELECT id, id FROM songs WHERE id <= 49")

    songs.engine(clock=watch.with_wait(wait)).apply()
    assert written == [49]
    assert songs.engine().backfills()[0].state == "live" and songs.engine().verify()[0].clean
    assert songs.value("SELECT sum(tally) FROM songs") == 49 * 25


def test_strain_holds_a_repair_back_and_it_says_why(file_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs, heard = file_songs, list[str]()
    songs.add(80)
    derive(songs, freshness="commit")
    songs.engine().apply()
    (script,) = songs.engine().sql()
    with songs.session.transaction():
        songs.session.run(f"UPDATE {script.store} SET _rows = 99")
    watch, strains = Watch(), [[Strain("free_bytes", 1.0)], [Strain("free_bytes", 1.0), Strain("wal_bytes", 1e12)], []]
    monkeypatch.setattr(type(songs.session), "strain", lambda _: strains.pop(0) if len(strains) > 1 else strains[0])
    here = songs.engine(clock=watch.clock, listen=lambda event: heard.append(event.note))
    (report,) = here.repair("tallies", between=(None, None))
    assert (report.keys, report.rows_written) == (40, 40) and here.verify()[0].clean
    told = [note for note in heard if note.startswith("holding back")]
    assert ["disk_low" in note for note in told] == [True, True]
    assert ["wal_pinned" in note for note in told] == [False, True]


def test_a_range_of_keys_is_computed_anew_and_nothing_beside_it(songs: Songs) -> None:
    songs.add(80)
    derive(songs, freshness="commit")
    query = "SELECT s.tally, max(o.title) AS title FROM songs s JOIN songs o ON o.id = s.id GROUP BY s.tally"
    songs.project.derive("many", key="tally", freshness="tick", query=query)
    songs.engine().apply()
    stores = [script.store for script in songs.engine().sql()]
    with songs.session.transaction():
        for store in stores:
            column = "title" if "many" in store else "_rows"
            songs.session.run(f"UPDATE {store} SET {column} = {'NULL' if column == 'title' else '99'}")
    before = {row.name: row.state for row in songs.engine().status()}
    for name in ("tallies", "many"):
        (seen,) = songs.engine().verify(name, between=((12,), ("15",)))
        assert (seen.keys, seen.drift, [one.key for one in seen.findings]) == (4, 4, [(12,), (13,), (14,), (15,)])
        (seen,) = songs.engine().verify(name, between=(None, (-1,)))
        assert (seen.keys, seen.drift) == (0, 0)
    assert {row.name: row.state for row in songs.engine().status()} == before
    for name, wrong in (("tallies", "songs <> 2"), ("many", "title IS NULL")):
        (report,) = songs.engine().repair(name, between=((12,), ("19",)))
        assert (report.keys, report.rows_written) == (8, 8)
        left = [row[0] for row in songs.session.all(f"SELECT tally FROM {name} WHERE {wrong} ORDER BY tally")]
        assert left == [*range(12), *range(20, 40)]
        assert songs.engine().repair(name, between=(None, (-1,)))[0].keys == 0
        assert songs.engine().repair(name, between=((20,), None))[0].keys == 20
        with pytest.raises(Refusal, match="is no key"):
            songs.engine().repair(name, between=((1, 2), None))
        with pytest.raises(Refusal, match="is no key"):
            songs.engine().verify(name, between=((1, 2), None))
        assert songs.engine().verify(name, between=((12,), (19,)))[0].clean
    with pytest.raises(Refusal, match="of one derived table"):
        songs.engine().verify(between=((1,), None))
    assert not any(report.clean for report in songs.engine().verify())
    songs.engine().repair()
    assert all(report.clean for report in songs.engine().verify())


def test_rows_that_somebody_picked_are_made_true_and_no_others(songs: Songs) -> None:
    songs.add(80)
    derive(songs, freshness="commit")
    songs.engine().apply()
    store = songs.engine().sql()[0].store
    with songs.session.transaction():
        songs.session.run(f"UPDATE {store} SET _rows = _rows + 7 WHERE tally < 3")
    assert songs.engine().verify()[0].drift == 3
    [report] = songs.engine().repair("tallies", keys=["1"])
    assert (report.keys, report.rows_written) == (1, 1)
    assert songs.session.all("SELECT tally FROM tallies WHERE songs <> 2 ORDER BY tally") == [(0,), (2,)]
    with pytest.raises(Refusal, match="nothing is known to be wrong"):
        songs.engine().repair("tallies", keys=["1"])
    assert songs.engine().repair()[0].rows_written == 2 and songs.engine().verify()[0].clean
