"""Operators and the database steer a backfill: pause, resume, cancel, niceness, the time that it may take, and strain."""

import json
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.backfill.place import Songs, Watch
from tidemark import Fault, Refusal
from tidemark.cli.reports_backfills import backfills_text
from tidemark.database.session import Strain
from tidemark.database.sqlite.session import SqliteSession
from tidemark.errors import Exit
from tidemark.runtime import throttle
from tidemark.runtime.backfill import worker
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.pace import Pace
from tidemark.runtime.throttle import MEGABYTE, Limits
from tidemark.runtime.turns import Turns

TOUCH = "UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)"


def in_the_third_chunk(songs: Songs, act: Callable[[], object]) -> list[int]:
    """Declare a backfill in whose third chunk something happens; give the list of the chunks' sizes."""
    sizes: list[int] = []

    @songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        db.run(TOUCH)
        sizes.append(len(batch))
        if len(sizes) == 3:
            act()

    return sizes


def at_wait(watch: Watch, act: Callable[[], object], number: int = 1) -> Callable[[float], None]:
    """A way to wait that acts when it is used for the `number`-th time."""
    counted = [0]

    def wait(seconds: float) -> None:
        counted[0] += 1
        watch.wait(seconds)
        if counted[0] == number:
            act()

    return wait


def test_a_cancelled_backfill_keeps_what_was_committed_and_says_so(songs: Songs) -> None:
    songs.add(3000)
    watch = Watch()
    sizes = in_the_third_chunk(songs, lambda: None)

    def cancel() -> None:
        songs.engine().cancel_backfill("tally")
        # Of two operators the one who gives up has the last word.
        for take_back in (songs.engine().pause_backfill, songs.engine().resume_backfill):
            with pytest.raises(Refusal, match="is being cancelled"):
                take_back("tally")

    clock = watch.with_wait(at_wait(watch, cancel))
    with pytest.raises(Fault, match="an operator cancelled it") as fault:
        songs.engine(clock=clock).backfill("tally", Orders(nice=2.0))
    assert fault.value.exit is Exit.ERROR
    (status,) = songs.engine().backfills()
    assert (status.state, status.failure, status.running) == ("cancelled", "an operator cancelled it", False)
    assert status.nice is None, "what the run was told goes with it"
    assert len(sizes) == 2, "the wish is honoured within one chunk"
    assert 0 < status.rows_done == songs.value("SELECT count(*) FROM songs WHERE tally = 1") < 3000
    with pytest.raises(Refusal, match="retry"):
        songs.engine().backfill("tally")
    again = songs.engine().backfill("tally", Orders(again=True)).status
    assert (again.state, again.attempt) == ("finished", 2)
    assert again.rows_total == again.rows_done == 3000 - status.rows_done
    assert songs.value("SELECT count(*) FROM songs WHERE tally = 1") == 3000


def test_a_paused_backfill_waits_and_goes_on_when_it_is_resumed(songs: Songs) -> None:
    songs.add(1500)
    watch, seen = Watch(), list[tuple[str, bool]]()
    in_the_third_chunk(songs, lambda: None)
    counted = [0]

    def wait(seconds: float) -> None:
        counted[0] += 1
        watch.wait(seconds)
        if counted[0] == 1:
            songs.engine().pause_backfill("tally")
        elif counted[0] in (3, 4):
            (status,) = songs.engine().backfills()
            seen.append((status.state, status.running))
            if counted[0] == 4:
                songs.engine().resume_backfill("tally")

    clock = watch.with_wait(wait)
    assert songs.engine(clock=clock).backfill("tally").status.state == "finished"
    assert seen == [("paused", True), ("paused", True)]


def test_whoever_waits_for_an_operator_says_so_and_how_it_goes_on(file_songs: Songs) -> None:
    file_songs.add(2000)
    name, watch, notes, counted = 'it\'s "over"', Watch(), list[str](), [0]
    file_songs.upper(name)

    def wait(seconds: float) -> None:
        counted[0] += 1
        watch.wait(seconds)
        if counted[0] == 1:
            file_songs.engine().pause_backfill(name)
        elif counted[0] == 4:
            file_songs.engine().resume_backfill(name)

    file_songs.engine(clock=watch.with_wait(wait), listen=lambda event: notes.append(event.note)).backfill(name)
    told = [note for note in notes if note]
    # What is named can be pasted into a shell.
    assert shlex.split(told[0].partition("goes on with ")[2]) == ["tidemark", "backfill", "resume", name]
    assert told[0].startswith("paused, as an operator asked") and told[1:] == ["goes on"]


def test_what_an_operator_paused_is_not_begun_until_it_is_resumed(songs: Songs) -> None:
    songs.add(50)
    sizes = in_the_third_chunk(songs, lambda: None)
    with pytest.raises(Fault):
        songs.engine().backfill("tally", Orders(max_seconds=0.0))
    songs.engine().pause_backfill("tally")
    for orders in (Orders(), Orders(again=True), Orders(anew=True)):
        with pytest.raises(Fault, match="paused: an operator asked for a rest") as fault:
            songs.engine().backfill("tally", orders)
        assert fault.value.exit is Exit.INTERRUPTED and "tidemark backfill resume tally" in fault.value.left_behind
    (status,) = songs.engine().backfills()
    assert (sizes, status.state, status.wish, status.rows_done) == ([], "paused", "pause", 0)
    songs.engine().resume_backfill("tally")
    assert songs.engine().backfill("tally").status.state == "finished" and sum(sizes) == 50


def test_what_nobody_runs_is_paused_and_cancelled_at_once(file_songs: Songs) -> None:
    file_songs.add(1500)
    in_the_third_chunk(file_songs, lambda: None)
    with pytest.raises(Fault) as fault:
        file_songs.engine(clock=Watch().clock).backfill("tally", Orders(max_seconds=0.0))
    assert fault.value.exit is Exit.INTERRUPTED
    paused = file_songs.engine().pause_backfill("tally")
    assert (paused.state, paused.running) == ("paused", False)
    assert paused.failure is None
    assert "tidemark backfill resume tally" in backfills_text([paused])
    resumed = file_songs.engine().resume_backfill("tally")
    assert (resumed.state, resumed.wish, resumed.running) == ("interrupted", "", False)
    assert "tidemark backfill run tally" in backfills_text([resumed])
    # Whoever is at it sees the wish within a moment; until then it says what becomes of it.
    assert "paused (to go on)" in backfills_text([replace(paused, wish="", holder="somebody")])
    cancelled = file_songs.engine().cancel_backfill("tally")
    assert (cancelled.state, cancelled.failure) == ("cancelled", "an operator cancelled it")


def test_its_time_is_over_and_it_can_go_on(file_songs: Songs) -> None:
    file_songs.add(400)
    watch = Watch()

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.02
        db.run(TOUCH)

    with pytest.raises(Fault, match="its time of 0.01 s was over") as fault:
        file_songs.engine(clock=watch.clock).backfill("tally", Orders(max_seconds=0.01))
    assert fault.value.exit is Exit.INTERRUPTED
    assert file_songs.engine().backfills()[0].state == "interrupted"
    assert file_songs.engine().backfill("tally").status.rows_done == 400


def test_it_rests_as_an_operator_says_from_the_next_chunk_on(file_songs: Songs) -> None:
    file_songs.add(300)
    watch = Watch()

    @file_songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.01

    status = file_songs.engine(clock=watch.clock).backfill("tally", Orders(nice=7.0)).status
    assert status.nice == 7.0
    assert max(watch.rests) == pytest.approx(0.07, abs=0.001)
    with pytest.raises(Refusal):
        file_songs.engine().set_nice("tally", -1)


def test_a_long_rest_ends_when_it_is_asked_to_and_never_outlasts_a_lease(songs: Songs) -> None:
    songs.add(3_000)
    watch = Watch()

    @songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        watch.seconds += 0.01

    with pytest.raises(Fault) as ended:
        songs.engine(clock=watch.clock, stop=lambda: watch.seconds > 9.0).backfill("tally", Orders(nice=5_000.0))
    assert ended.value.exit == Exit.INTERRUPTED and 9.0 < watch.seconds < 9.5
    assert 100 < songs.engine().backfills()[0].rows_done < 1_000, "a rest is four seconds at most"


def test_every_reason_to_hold_back_is_told_and_what_cannot_be_seen_is_one() -> None:
    strains = [
        Strain("wal_bytes", 65 * MEGABYTE),
        Strain("free_bytes", 10 * MEGABYTE),
        Strain("waiting_locks", 50.0),
        Strain("replica_seconds", None, "no right to look"),
        Strain("replica_bytes", 300 * MEGABYTE),
    ]
    told = throttle.reasons_of(strains, Limits())
    assert all(reason.count(" MB") == 2 for reason in told if " MB" in reason), "both numbers have a unit"
    words = [reason.partition(":")[0] for reason in told]
    assert words == ["wal_pinned", "disk_low", "unseen", "replica_behind"]
    assert "unseen" not in str(throttle.reasons_of(strains, Limits(trust_unseen=True)))
    assert throttle.reasons_of([Strain("wal_bytes", 0.0), Strain("free_bytes", 1e12)], Limits()) == ()


def test_strain_holds_it_back_on_record_until_no_reason_is_left(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.add(500)
    songs.upper()
    strains = [[Strain("free_bytes", 1.0), Strain("wal_bytes", 1e12)], [Strain("free_bytes", 1.0)], []]
    kind = type(songs.session)
    monkeypatch.setattr(kind, "strain", lambda session: strains.pop(0) if len(strains) > 1 else strains[0])
    watch, seen = Watch(), list[tuple[str, int, str]]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        (status,) = songs.engine().backfills()
        seen.append((status.state, len(status.reasons), status.rate_state))

    clock = watch.with_wait(wait)
    status = songs.engine(clock=clock).backfill("shout").status
    assert status.state == "finished" and (status.rate or 1e9) > 1_000, "what was held back is no time to work in"
    eye = songs.engine().onlooker()
    held_for = {one.reason: one.seconds for one in eye.figures().held}
    eye.close()
    assert held_for["disk_low"] >= held_for["wal_pinned"] >= 0.5, "what holds it back longest is counted longest"
    held = [(state, reasons) for state, reasons, _ in seen if state == "throttled"]
    assert held == sorted(held, reverse=True) and set(held) == {("throttled", 2), ("throttled", 1)}
    assert {rate for state, _, rate in seen if state == "throttled"} == {"stalled"}
    assert ("backfilling", 0) in {(state, reasons) for state, reasons, _ in seen}


def test_what_is_held_back_can_be_given_up(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.add(500)
    songs.upper()
    monkeypatch.setattr(type(songs.session), "strain", lambda session: [Strain("free_bytes", 1.0)])
    watch = Watch()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        assert len(watch.rests) < 9, "nobody hears of it"
        if len(watch.rests) == 3:
            songs.engine().cancel_backfill("shout")

    with pytest.raises(Fault, match="an operator cancelled it"):
        songs.engine(clock=watch.with_wait(wait)).backfill("shout")
    assert songs.engine().backfills()[0].state == "cancelled" and songs.shouted() == 0


def test_a_pinned_reader_bounds_the_log_and_its_end_lets_it_go_on(file_songs: Songs) -> None:
    """Acceptance: the log is bounded by a pause with the reason ``wal_pinned``, and goes on by itself."""
    songs = file_songs
    songs.add(2_000)
    songs.upper()
    reader = songs.engine()._connect("reader")
    pin = reader.session.transaction("read", snapshot=True)
    pin.__enter__()
    reader.session.all("SELECT count(*) FROM songs")
    with songs.session.transaction():
        # As much as a day of writing beside a report that runs as long.
        songs.session.run("CREATE TABLE big (b BLOB)")
        for _ in range(24):
            songs.session.run("INSERT INTO big VALUES (zeroblob(1048576))")
    watch, told = Watch(), list[str]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        (status,) = songs.engine().backfills()
        told.extend(status.reasons)
        if len(told) == 3:
            pin.__exit__(None, None, None)
            reader.session.close()

    clock = watch.with_wait(wait)
    limits = Limits(wal_bytes=8 * MEGABYTE)
    assert songs.engine(clock=clock, limits=limits).backfill("shout").status.state == "finished"
    assert len(told) >= 3 and all(reason.startswith("wal_pinned") for reason in told)
    assert songs.shouted() == 2_000


@pytest.mark.parametrize("eager", [True, False], ids=["as it is", "once a second"])
def test_a_log_that_grows_within_a_second_is_held_back_at_its_limit(
    file_songs: Songs, monkeypatch: pytest.MonkeyPatch, eager: bool
) -> None:
    """Whoever commits first when the reader has ended writes all of it back, and meanwhile the next writes of that one wait."""
    songs = file_songs
    songs.add(800)
    wide = "UPDATE songs SET shout = hex(zeroblob(8192)) WHERE id IN (SELECT id FROM tidemark_batch)"
    songs.project.backfill("wide", table="songs", key="id", sql=wide)
    reader = songs.engine()._connect("reader")
    pin = reader.session.transaction("read", snapshot=True)
    pin.__enter__()
    reader.session.all("SELECT count(*) FROM songs")
    if not eager:
        monkeypatch.setattr(SqliteSession, "log_bytes", lambda session: 0)
    watch, held = Watch(), list[int]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if songs.engine().backfills()[0].reasons and not held:
            held.append(songs.session.log_bytes())
            pin.__exit__(None, None, None)
            reader.session.close()

    monkeypatch.setattr(Turns, "_rest", lambda *about: None)
    monkeypatch.setattr(worker, "choose_first_pace", lambda *about: Pace(10.0, True, size=20, size_min=20, size_max=20))
    limits = Limits(wal_bytes=5 * MEGABYTE)
    assert songs.engine(clock=watch.with_wait(wait), limits=limits).backfill("wide").status.state == "finished"
    # No time passes here but what is waited for.
    assert bool(held) is eager and (not eager or 5 * MEGABYTE < held[0] < 6 * MEGABYTE)
    if not held:
        pin.__exit__(None, None, None)
        reader.session.close()


def test_the_record_as_json_has_every_key_always(file_songs: Songs) -> None:
    file_songs.add(3)
    file_songs.upper()
    file_songs.engine().backfill("shout")
    data = json.loads(json.dumps(file_songs.engine().backfills()[0].as_json()))
    keys = "name state rows_done rows_total rate eta_seconds failure started ended updated elapsed_seconds"
    assert set(keys.split()) <= set(data)
    assert (data["state"], data["rows_done"], data["eta_seconds"], data["reasons"]) == ("finished", 3, None, [])
