"""Several sessions that fill one table beside each other: each in ranges of its own, under one lease and one record."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.place import Songs, Watch, open_songs
from tests.backfill.test_pages import PAIRS, QUERY, differences, prepare
from tests.simulation.chunks import chunks_of
from tidemark import Fault, Project
from tidemark.cli.reports_backfills import backfills_text
from tidemark.database.open import open_session
from tidemark.database.session import Strain
from tidemark.errors import Exit
from tidemark.runtime.backfill import fill, fill_pages, pages
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.book import Book

KEYS = 38


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pages, "PAGE_KEYS", 10)
    monkeypatch.setattr(fill_pages, "PART_KEYS", 3)
    monkeypatch.setattr(fill, "is_quiet", lambda *_: False)
    with chunks_of(2):
        yield


@pytest.fixture
def server_songs(pg_database: str) -> Iterator[Songs]:
    """An empty table of songs on PostgreSQL."""
    with open_songs(pg_database) as found:
        yield found


def count_computed(monkeypatch: pytest.MonkeyPatch) -> Counter[Any]:
    """How often each key was computed in a chunk that was committed, or was to be."""
    found: Counter[Any] = Counter()
    chunk = fill_pages._chunk

    def count(filling: Any, book: Any, low: int, high: int) -> Any:
        todo = filling.script.applier.pages.into.split()[2]
        rows = filling.duty.session.all(f"SELECT tally FROM {todo} WHERE tidemark_n > {low} AND tidemark_n <= {high}")
        found.update(row[0] for row in rows)
        return chunk(filling, book, low, high)

    monkeypatch.setattr(fill_pages, "_chunk", count)
    return found


def is_exact(songs: Songs) -> bool:
    """Whether every row is true, and was so without a repair."""
    kinds = {run.kind for run in songs.engine().history("groups")}
    return differences(songs) == [] and "repair" not in kinds


def test_sessions_beside_each_other_fill_every_key_once(server_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs, names, together = server_songs, set[str](), threading.Barrier(3)
    prepare(songs, nulls=True)
    computed = count_computed(monkeypatch)
    count = fill_pages.compute_range

    def meet(*given: Any) -> int:
        mine = threading.current_thread().name
        if mine not in names:
            names.add(mine)
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=30)
        return count(*given)

    monkeypatch.setattr(fill_pages, "compute_range", meet)
    songs.engine(workers=3).apply()
    assert len(names) == 3 and not together.broken, "three chunks were open at one time"
    assert len(computed) == KEYS and set(computed.values()) == {1}
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done, status.rows_total) == ("live", KEYS, KEYS)
    ranges = (
        f"SELECT sum(rows_done), min(CASE WHEN cursor = high THEN 1 ELSE 0 END) FROM {songs.ledger('backfill_range')}"
    )
    assert songs.session.one(f"{ranges} WHERE place >= 0") == (KEYS, 1), "each came to its last key"
    assert is_exact(songs)


def test_writers_beside_them_lose_nothing(server_songs: Songs) -> None:
    songs, watch, born = server_songs, Watch(), [10_000]
    prepare(songs, nulls=True)

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if threading.current_thread() is threading.main_thread() and born[0] < 10_200:
            with songs.session.transaction():
                for _ in range(5):
                    born[0] += 1
                    row = {"id": born[0], "tally": born[0] % 50 if born[0] % 3 else None}
                    songs.session.run("INSERT INTO songs (id, title, tally) VALUES (:id, 'born', :tally)", row)
                songs.session.run(
                    "UPDATE songs SET tally = (tally * 7 + 1) % 50 WHERE id % 11 = :n", {"n": born[0] % 11}
                )
                songs.session.run("DELETE FROM songs WHERE id % 41 = :n", {"n": born[0] % 41})

    songs.engine(clock=watch.with_wait(wait), workers=3).apply()
    assert born[0] > 10_000 and is_exact(songs)


def test_they_stop_together_and_any_number_goes_on(server_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs, done = server_songs, list[int]()
    prepare(songs, nulls=True)
    computed = count_computed(monkeypatch)
    for workers in (3, 1, 2, 4, 1):
        most = len(computed) + 6
        with pytest.raises(Fault) as fault:
            songs.engine(stop=lambda: len(computed) >= most, workers=workers).apply()  # noqa: B023
        assert fault.value.exit is Exit.INTERRUPTED
        (status,) = songs.engine().backfills()
        done.append(status.rows_done)
        assert (status.state, songs.engine().status()[0].filled) == ("interrupted", status.rows_done)
    songs.engine(workers=3).apply()
    assert done == sorted(set(done)) and done[-1] < KEYS
    assert set(computed.values()) == {1}, "what is committed is done, whoever goes on"
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done, status.rows_total) == ("live", KEYS, KEYS)
    assert is_exact(songs)


def test_a_pause_rests_all_of_them(server_songs: Songs) -> None:
    songs, asked = server_songs, list[bool]()
    prepare(songs, nulls=True)
    watch = Watch()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if not asked and songs.engine().backfills()[0].rows_done > 5:
            asked.append(True)
            songs.engine().pause_backfill("groups")

    with pytest.raises(Fault) as fault:
        songs.engine(clock=watch.with_wait(wait), workers=3).apply()
    assert fault.value.exit is Exit.INTERRUPTED
    (status,) = songs.engine().backfills()
    assert (status.state, status.running) == ("paused", False) and 5 < status.rows_done < KEYS
    songs.engine().resume_backfill("groups")
    songs.engine(workers=2).apply()
    assert songs.engine().backfills()[0].state == "live" and is_exact(songs)


@pytest.mark.parametrize("resumed", [True, False], ids=["resumed", "applied at once"])
def test_what_is_filled_stands_after_a_pause(songs: Songs, monkeypatch: pytest.MonkeyPatch, resumed: bool) -> None:
    prepare(songs, nulls=True)
    computed = count_computed(monkeypatch)
    watch, asked = Watch(), list[bool]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if len(computed) >= 12 and not asked:
            asked.append(True)
            songs.engine().pause_backfill("groups")

    with pytest.raises(Fault, match="backfill resume groups"):
        songs.engine(clock=watch.with_wait(wait)).apply()
    assert len(computed) < KEYS and "tidemark backfill resume groups" in backfills_text(songs.engine().backfills())
    if resumed:
        songs.engine().resume_backfill("groups")
        assert "tidemark apply" in backfills_text(songs.engine().backfills())
    songs.engine().apply()
    assert set(computed.values()) == {1} and len(computed) == KEYS and is_exact(songs)
    assert "tidemark" not in backfills_text(songs.engine().backfills()), "nothing is to be done"


def test_a_session_that_is_lost_gives_its_range_back(server_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    songs, lost, notes = server_songs, list[int](), list[str]()
    prepare(songs, nulls=True)
    compute = fill_pages.compute_range

    def fall(duty: Any, *given: Any) -> int:
        if threading.current_thread() is not threading.main_thread() and len(lost) < 2:
            (mine,) = duty.session.one("SELECT pg_backend_pid()")
            lost.append(mine)
            with contextlib.closing(open_session(songs.url)) as other:
                other.all("SELECT pg_terminate_backend(:pid, 5000)", {"pid": mine})
        return compute(duty, *given)

    monkeypatch.setattr(fill_pages, "compute_range", fall)
    songs.engine(workers=3, listen=lambda event: notes.append(event.note)).apply()
    assert len(set(lost)) == 2 and sum(note.startswith("one session less") for note in notes) == 2
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done) == ("live", KEYS) and is_exact(songs)


def test_a_migration_that_waits_waits_with_all_its_workers(
    server_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sees first that there is a reason to wait says so on record; the others find it there."""
    songs, watch, looked = server_songs, Watch(), Counter[str]()
    songs.add(150)
    monkeypatch.setattr("tidemark.runtime.backfill.begin.HOP_KEYS", 20)
    songs.upper()
    both = threading.Barrier(2)
    strain = type(songs.session).strain

    def strained(session: Any) -> Any:
        mine = threading.current_thread().name
        looked[mine] += 1
        if looked[mine] == 2:
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(timeout=10)
        return [Strain("free_bytes", 1.0)] if looked[mine] in (2, 3) else strain(session)

    monkeypatch.setattr(type(songs.session), "strain", strained)
    # Of two that read the state at once one would overwrite the other; whoever has to wait for it is not waited for.
    read, together = Book.all, threading.Barrier(2)

    def every(book: Book, name: str, *about: Any, **identifiers: str) -> Any:
        rows = read(book, name, *about, **identifiers)
        if name == "hold_control" and looked[threading.current_thread().name] == 2:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=0.3)
        return rows

    monkeypatch.setattr(Book, "all", every)
    lock = threading.Lock()

    def wait(seconds: float) -> None:
        with lock:
            watch.wait(max(seconds, 0.5))

    done = songs.engine(clock=watch.with_wait(wait)).backfill("shout", Orders(workers=2))
    assert done.status.state == "finished" and songs.shouted() == 150
    assert len(looked) == 2


def test_where_more_sessions_cannot_help_it_is_told_why(songs: Songs) -> None:
    songs.add(60)
    with songs.session.transaction():
        songs.session.run("CREATE INDEX songs_tally ON songs (tally)")
        songs.session.run("UPDATE songs SET tally = id % 7")
    notes: list[str] = []
    in_line = songs.session.dialect.writers_wait_in_line
    cases = {
        "adds up": "SELECT tally, count(*) AS songs FROM songs GROUP BY tally",
        "have no order": PAIRS.replace("count(*)", "max(id)"),
        "": QUERY,
    }
    for number, (why, query) in enumerate(cases.items()):
        songs.project = Project("songs")
        songs.project.derive(f"told{number}", query=query, freshness="commit")
        notes.clear()
        songs.engine(workers=4, listen=lambda event: notes.append(event.note)).apply(allow_drop=True)
        told = [note for note in notes if note.startswith("one session works on it")]
        assert len(told) == (1 if why or in_line else 0)
        assert all(("wait in line" if in_line else why) in note for note in told)
        notes.clear()
        songs.engine(listen=lambda event: notes.append(event.note)).apply()
        assert not any("one session" in note for note in notes), "nobody asked for more"
