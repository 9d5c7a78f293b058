"""What a worker meets on the way: conflicts, chunks that take too long, lost connections, and workers beside it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.place import Songs, Watch, open_songs, stop_after
from tidemark import Fault
from tidemark.contract.walk import between
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Exhausted, Session, Taken, TooLong
from tidemark.errors import Exit
from tidemark.render.backfill import write_walk
from tidemark.runtime.backfill import chunk, worker
from tidemark.runtime.backfill.begin import survey
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event

ADD = "UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)"


@pytest.fixture
def server_songs(pg_database: str) -> Iterator[Songs]:
    """An empty table of songs on PostgreSQL."""
    with open_songs(pg_database) as found:
        yield found


def done_once(songs: Songs) -> bool:
    """Whether every song was counted once."""
    return songs.session.all("SELECT tally, count(*) FROM songs GROUP BY tally") == [
        (1, songs.value("SELECT count(*) FROM songs"))
    ]


def test_conflicts_are_tried_again_and_what_takes_too_long_is_halved(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.add(300)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    real, sizes = worker.do_chunk, list[int]()

    def troubled(ledger, backfill, walk, todo, size, **named):  # type: ignore[no-untyped-def]
        sizes.append(size)
        if len(sizes) == 1:
            raise Conflict("a deadlock")
        step = real(ledger, backfill, walk, todo, size, **named)
        if size > 30:
            raise TooLong("a statement timeout")
        return step

    monkeypatch.setattr(worker, "do_chunk", troubled)
    assert songs.engine().backfill("count").status.state == "finished"
    # How much more it dares after that is a question of how long it took.
    assert sizes[:4] == [100, 100, 50, 25] and done_once(songs)


def test_what_takes_too_long_is_halved_among_suspects_too(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.add(300)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    real, sizes = worker.do_chunk, list[int]()

    def troubled(ledger, backfill, walk, todo, size, **named):  # type: ignore[no-untyped-def]
        sizes.append(size)
        assert len(sizes) < 50, f"it never gets on: {sizes}"
        if size == 100:
            raise Taken("a row that somebody has in hand")
        step = real(ledger, backfill, walk, todo, size, **named)
        if size > 20:
            raise TooLong("a statement timeout")
        return step

    monkeypatch.setattr(worker, "do_chunk", troubled)
    assert songs.engine().backfill("count").status.state == "finished"
    assert [size for size in sizes if size < 100][:3] == [50, 25, 12] and done_once(songs)


def test_a_disk_without_room_is_no_fault_of_any_row(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs.add(300)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    real, tried = worker.do_chunk, list[int]()

    def troubled(*given: object, **named: object) -> object:
        tried.append(1)
        if len(tried) == 2:
            raise Exhausted("no room is left on the disk")
        return real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "do_chunk", troubled)
    with pytest.raises(Exhausted):
        songs.engine().backfill("count")
    (status,) = songs.engine().backfills()
    assert (status.state, status.quarantined) == ("failed", 0) and len(tried) == 2
    assert "no room is left" in str(status.failure)
    assert songs.engine().backfill("count", Orders(again=True)).status.state == "finished" and done_once(songs)


@pytest.mark.parametrize("haste", ["50ms", "5s"], ids=["as it is", "patient"])
def test_who_waits_for_a_row_keeps_no_other_one_locked(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch, haste: str
) -> None:
    """Somebody has a row in hand for long: what is in front of it is done, and nobody waits behind that."""
    songs, keeper = server_songs, open_session(server_songs.url)
    songs.add(40)
    songs.upper()
    monkeypatch.setattr(chunk, "HASTE", haste)
    migrating = threading.Thread(target=songs.engine().backfill, args=("shout",))
    with keeper.transaction():
        keeper.run("UPDATE songs SET tally = 7 WHERE id = 21")
        migrating.start()
        best, free = 0, 0
        for _ in range(150):
            migrating.join(0.01)
            with songs.session.transaction():
                free = songs.session.run(
                    "UPDATE songs SET tally = 0 WHERE id IN (SELECT id FROM songs FOR UPDATE SKIP LOCKED)"
                )
            best = max(best, free if songs.shouted() == 20 else 0)
    migrating.join()
    keeper.close()
    assert best == (39 if haste == "50ms" else 0)
    assert songs.shouted() == 40 and songs.engine().backfills()[0].state == "finished"


def test_a_lock_that_never_comes_free_is_a_failure_after_many_tries(
    file_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_songs.add(3)
    file_songs.upper()

    def busy(*_: object, **named: object) -> None:
        raise Conflict("busy")

    monkeypatch.setattr(worker, "do_chunk", busy)
    monkeypatch.setattr(worker, "TRIES_MAX", 3)
    with pytest.raises(Fault, match="3 times"):
        file_songs.engine().backfill("shout")
    assert file_songs.engine().backfills()[0].state == "failed"


def test_a_statement_timeout_of_the_role_halves_the_chunks(server_songs: Songs) -> None:
    songs = server_songs
    songs.add(64)
    with songs.session.transaction():
        songs.session.run(
            "CREATE FUNCTION slow(text) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT $1 FROM pg_sleep(0.01)'"
        )
        songs.session.run(
            f"ALTER DATABASE {songs.session.one('SELECT current_database()')[0]} SET statement_timeout = '400ms'"
        )  # type: ignore[index]
    songs.project.backfill(
        "slowly",
        table="songs",
        key="id",
        sql="UPDATE songs SET shout = slow(title) WHERE id IN (SELECT id FROM tidemark_batch)",
    )
    done = songs.engine().backfill("slowly")
    assert done.status.state == "finished" and done.chunks >= 2
    assert songs.value("SELECT count(*) FROM songs WHERE shout = title") == 64


def test_a_lost_connection_is_opened_anew_and_nothing_is_done_twice(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lost within a chunk, twice, and then with the answer to a commit, of which nobody knows whether it was."""
    songs, lost, unanswered, write = server_songs, list[int](), list[int](), Duty.write
    songs.add(600)

    def lose_the_answer(duty: Duty, work: Any, **how: Any) -> Any:
        held = write(duty, work, **how)
        if how.get("mode") == "chunk" and not unanswered and len(lost) == 2:
            unanswered.append(held.value.keys)
            duty.session.close()
            raise Fault("the connection was lost")
        return held

    monkeypatch.setattr(Duty, "write", lose_the_answer)

    @songs.project.backfill("count", table="songs", key="id")
    def count(db, batch):  # type: ignore[no-untyped-def]
        db.run(ADD)
        if len(lost) < 2:
            lost.append(db.one("SELECT pg_backend_pid()")[0])
            with songs.session.transaction():
                songs.session.all("SELECT pg_terminate_backend(:pid)", {"pid": lost[-1]})

    assert songs.engine().backfill("count").status.state == "finished"
    assert len(set(lost)) == 2 and unanswered and done_once(songs)


def test_a_database_that_is_away_is_told_and_waited_for(server_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches is not left without a word until the server is back."""
    songs, refused, notes, watch = server_songs, list[int](), list[str](), Watch()
    songs.add(600)
    engine = songs.engine(clock=watch.clock, listen=lambda event: notes.append(event.note))
    real = engine._connect

    def connect(*given: object, **named: object) -> Duty:
        if len(done) == 1 and len(refused) < 3:
            refused.append(1)
            raise Fault("cannot connect to the server")
        return real(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "_connect", connect)
    done: list[int] = []

    @songs.project.backfill("count", table="songs", key="id")
    def count(db, batch):  # type: ignore[no-untyped-def]
        db.run(ADD)
        if not done:
            done.append(1)
            with songs.session.transaction():
                pid = {"pid": db.one("SELECT pg_backend_pid()")[0]}
                songs.session.all("SELECT pg_terminate_backend(:pid)", pid)

    assert engine.backfill("count").status.state == "finished"
    assert len(refused) == 3 and done_once(songs)
    told = [note for note in notes if "the database is away" in note]
    assert told == ["the database is away, trying again for a minute or so: cannot connect to the server"]


def test_workers_beside_each_other_do_every_row_once_and_end_together(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = server_songs
    songs.add(3000)
    monkeypatch.setattr("tidemark.runtime.backfill.begin.HOP_KEYS", 100)
    names, together = set[str](), threading.Barrier(3)

    @songs.project.backfill("count", table="songs", key="id")
    def count(db, batch):  # type: ignore[no-untyped-def]
        mine = threading.current_thread().name
        if mine not in names:
            names.add(mine)
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=6)
        db.run(ADD)

    done = songs.engine().backfill("count", Orders(workers=3))
    assert (done.status.state, done.status.rows_done, len(names)) == ("finished", 3000, 3)
    assert not together.broken, "three chunks were open at one time"
    assert done_once(songs)
    assert songs.value(f"SELECT count(*) FROM {songs.ledger('backfill_range')} WHERE place >= 0") >= 3


def test_workers_beside_each_other_stop_together_and_go_on(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs = server_songs
    songs.add(3000)
    monkeypatch.setattr("tidemark.runtime.backfill.begin.HOP_KEYS", 500)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    with pytest.raises(Fault) as fault:
        songs.engine(stop=stop_after(14)).backfill("count", Orders(workers=3))
    assert fault.value.exit is Exit.INTERRUPTED
    (status,) = songs.engine().backfills()
    assert status.state == "interrupted" and 0 < status.rows_done < 3000
    songs.engine().backfill("count", Orders(workers=2))
    assert done_once(songs)


def test_a_step_sorts_nothing_although_nobody_knows_the_table_yet(server_songs: Songs) -> None:
    server_songs.add(20_000)
    server_songs.upper()
    session, declared = server_songs.session, server_songs.project.backfills[0]
    assert session.one("SELECT reltuples FROM pg_class WHERE relname = 'songs'") == (-1.0,)
    walk = write_walk(session.dialect, session.catalog(), declared)
    values = {"tidemark_a0": 10, "tidemark_z0": 20_000, "tidemark_skip": 499}
    plan = [row[0] for row in session.all(f"EXPLAIN {between(walk.step, walk, (10,))}", values)]
    assert any("Index" in line for line in plan) and not any("Sort" in line for line in plan), plan


def test_the_survey_counts_exactly_and_cuts_where_the_keys_are(
    file_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress is rows accounted for: sparse keys do not mislead it."""
    file_songs.add(1050, step=7919)
    file_songs.upper()
    monkeypatch.setattr("tidemark.runtime.backfill.begin.HOP_KEYS", 100)
    cuts = list[tuple[object, object, int]]()
    monkeypatch.setattr(
        "tidemark.runtime.backfill.begin.survey",
        lambda duty, walk, parts, tell: cuts.extend(survey(duty, walk, 4, tell)) or cuts,
    )
    counted = list[int]()
    engine = file_songs.engine(listen=lambda event: counted.append(event.done) if event.phase == "count" else None)
    status = engine.backfill("shout").status
    assert status.rows_total == status.rows_done == 1050
    assert [keys for _, _, keys in cuts] == [300, 300, 300, 150]
    assert counted == [100 * number for number in range(1, 11)]
    assert all(low == high for (_, high, _), (low, _, _) in zip(cuts, cuts[1:], strict=False))


def test_a_connection_that_is_lost_between_two_chunks_is_opened_anew(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is at hand then: making the list of a batch, or reading how far the range had come."""
    songs, lost = server_songs, list[str]()
    songs.add(600)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    prepare, refresh = worker.prepare, chunk.Range.refresh

    def end(session: Session) -> None:
        with songs.session.transaction():
            songs.session.all("SELECT pg_terminate_backend(:pid)", {"pid": session.one("SELECT pg_backend_pid()")[0]})  # type: ignore[index]

    def prepared(session: Session, *given: object) -> None:
        if lost.count("prepare") < 2:
            lost.append("prepare")
            end(session)
        prepare(session, *given)  # type: ignore[arg-type]

    def refreshed(self: chunk.Range, ledger: Ledger, name: str) -> None:
        if lost.count("refresh") < 2:
            lost.append("refresh")
            end(ledger.session)
        refresh(self, ledger, name)

    def chunked(ledger: Ledger, *given: object, **named: object) -> object:
        if "chunk" not in lost:
            lost.append("chunk")
            end(ledger.session)
        return do_chunk(ledger, *given, **named)  # type: ignore[arg-type]

    do_chunk = worker.do_chunk
    monkeypatch.setattr(worker, "prepare", prepared)
    monkeypatch.setattr(worker, "do_chunk", chunked)
    monkeypatch.setattr(chunk.Range, "refresh", refreshed)
    assert songs.engine().backfill("count").status.state == "finished"
    assert sorted(set(lost)) == ["chunk", "prepare", "refresh"] and done_once(songs)


def test_sessions_that_cannot_be_had_are_done_without(server_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what the server had left goes back, for those who are to notice nothing."""
    songs, notes, opened = server_songs, list[str](), list[Duty]()
    songs.add(300)
    songs.project.backfill("count", table="songs", key="id", sql=ADD)
    engine = songs.engine(listen=lambda event: notes.append(event.note))
    real = engine._connect

    def connect(*given: object, **named: object) -> Duty:
        if len(opened) == 5:
            raise Fault("too many connections")
        opened.append(real(*given, **named))  # type: ignore[arg-type]
        return opened[-1]

    monkeypatch.setattr(engine, "_connect", connect)
    assert engine.backfill("count", Orders(workers=40)).status.state == "finished"
    assert done_once(songs) and not any(one.session.is_open() for one in opened)
    (told,) = (note for note in notes if "sessions work" in note)
    assert told in [f"{number} sessions work on it, and not 40: too many connections" for number in (3, 4)]


def test_an_operator_steers_all_sessions_at_once_and_is_answered_once(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs, notes, chunks = server_songs, list[str](), list[str]()
    songs.add(3000)
    monkeypatch.setattr("tidemark.runtime.backfill.begin.HOP_KEYS", 250)
    monkeypatch.setattr("tidemark.runtime.backfill.gate.POLL_SECONDS", 0.02)
    begun, steering = threading.Barrier(3), songs.engine()

    @songs.project.backfill("count", table="songs", key="id")
    def count(db, batch):  # type: ignore[no-untyped-def]
        if len(chunks) < 3:
            # Every session is in a chunk when the pause is asked for, and has to see it at the end of that.
            with contextlib.suppress(threading.BrokenBarrierError):
                if begun.wait(timeout=6) == 0:
                    steering.pause_backfill("count")
                begun.wait(timeout=6)
        elif "paused" in chunks and "cancelled" not in chunks:
            chunks.append("cancelled")
            steering.cancel_backfill("count")
        chunks.append("chunk")
        db.run(ADD)

    def heard(event: Event) -> None:
        notes.append(event.note)
        if event.note == "goes on":
            chunks.append("paused")
        elif event.note.startswith("paused"):
            threading.Timer(0.1, steering.resume_backfill, ["count"]).start()

    with pytest.raises(Fault, match="cancelled"):
        songs.engine(listen=heard).backfill("count", Orders(workers=3))
    # Of each session the chunk at hand and one more.
    assert 3 <= chunks.index("paused") <= 6 and "cancelled" in chunks
    assert [note.partition(",")[0] for note in notes if note] == ["paused", "goes on"]
    (status,) = songs.engine().backfills()
    assert status.state == "cancelled" and 0 < status.rows_done < 3000
    assert songs.engine().backfill("count", Orders(again=True, workers=3)).status.state == "finished"
    assert done_once(songs)
