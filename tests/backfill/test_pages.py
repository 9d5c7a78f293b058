"""Keys in pages: a filling lists no more than a page at a time, goes on after the last key, and misses none."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.place import Songs, Watch, stop_after
from tests.simulation.chunks import chunks_of
from tidemark import Fault
from tidemark.runtime.backfill import fill, fill_pages, fill_whole, pages

QUERY = "SELECT tally, count(*) AS songs, max(id) AS newest FROM songs GROUP BY tally"
PAIRS = "SELECT title, tally, count(*) AS songs FROM songs GROUP BY title, tally"


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pages, "PAGE_KEYS", 10)
    # Where nobody commits anything meanwhile, SQLite needs no pages: see test_quiet.
    monkeypatch.setattr(fill, "is_quiet", lambda *_: False)
    with chunks_of(4):
        yield


def prepare(songs: Songs, *, nulls: bool) -> None:
    """Songs in thirty-seven groups, and some in none."""
    songs.add(150)
    with songs.session.transaction():
        songs.session.run("CREATE INDEX songs_tally ON songs (tally)")
        songs.session.run("UPDATE songs SET tally = (id * 7919) % 37")
        if nulls:
            songs.session.run("UPDATE songs SET tally = NULL WHERE id % 9 = 0")
    songs.project.derive("groups", query=QUERY, freshness="commit")


def differences(songs: Songs) -> list[tuple[object, ...]]:
    """Rows that the table and its query do not share."""
    return songs.session.all(
        f"SELECT * FROM (SELECT 1, q.* FROM ({QUERY}) AS q EXCEPT SELECT 1, g.* FROM groups AS g) AS a "
        f"UNION ALL SELECT * FROM (SELECT 2, g.* FROM groups AS g EXCEPT SELECT 2, q.* FROM ({QUERY}) AS q) AS b"
    )


def test_rows_computed_ahead_are_those_of_now(file_songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(file_songs, nulls=False)
    real, again, came = fill_pages._compute_ahead, list[int](), list[int]()
    compute = fill_pages.compute_range

    def compute_ahead(filling: Any, low: int, high: int) -> None:
        real(filling, low, high)
        if len(came) % 2 == 0:
            with file_songs.session.transaction():
                # Groups that are done, that are in hand and that are to come gain a song, and one of each loses some.
                file_songs.session.run("INSERT INTO songs (title, tally) SELECT DISTINCT 'late', tally FROM songs")
                file_songs.session.run("DELETE FROM songs WHERE id % 10 = :n", {"n": len(came) % 10})
        came.append(high - low)

    def compute_range(duty: Any, script: Any, low: int, high: int) -> int:
        again.append(high - low)
        return compute(duty, script, low, high)

    monkeypatch.setattr(fill_pages, "_compute_ahead", compute_ahead)
    monkeypatch.setattr(fill_pages, "compute_range", compute_range)
    file_songs.engine().apply()
    assert len(came) >= 8 and len(again) == -(-len(came) // 2), "when somebody has committed, and only then"
    assert differences(file_songs) == []
    assert "repair" not in {run.kind for run in file_songs.engine().history("groups")}


@pytest.mark.parametrize("nulls", [False, True], ids=["plain", "nulls"])
def test_every_key_is_filled_whatever_stops_it_and_what_is_filled_is_not_again(songs: Songs, nulls: bool) -> None:
    prepare(songs, nulls=nulls)
    done: list[int] = []
    for _ in range(20):
        try:
            songs.engine(stop=stop_after(7)).apply()
            break
        except Fault:
            done.append(songs.engine().backfills()[0].rows_done)
    else:
        pytest.fail("it never ended")
    assert len(done) >= 2 and done == sorted(done)
    assert differences(songs) == []
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done, status.rows_total) == ("live", 37 + nulls, 37 + nulls)
    assert [run.state for run in songs.engine().history("groups") if run.kind == "verify"][-1:] == ["done"]
    assert not any(run.kind == "repair" for run in songs.engine().history("groups")), (
        "no key was left to the verification"
    )


def test_keys_that_are_born_while_it_fills_are_true_and_do_not_make_it_longer(songs: Songs) -> None:
    prepare(songs, nulls=False)
    watch, born = Watch(), [10_000]

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if born[0] < 10_400:
            with songs.session.transaction():
                for _ in range(9):
                    born[0] += 1
                    row = {"id": born[0], "tally": born[0] if born[0] % 2 else born[0] - 10_000}
                    songs.session.run("INSERT INTO songs (id, title, tally) VALUES (:id, 'born', :tally)", row)

    songs.engine(clock=watch.with_wait(wait)).apply()
    assert differences(songs) == []
    assert songs.engine().backfills()[0].rows_done < 37 + 200


def test_a_page_is_all_that_is_ever_listed(songs: Songs, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(songs, nulls=True)

    def never(*_: object) -> int:
        raise AssertionError("every key is listed at once")

    with monkeypatch.context() as patch:
        for room in (fill, fill_whole):
            patch.setattr(room, "list_every_key", never)
        songs.engine().apply()
    assert differences(songs) == []


def test_several_columns_are_walked_and_those_that_may_be_null_are_listed(songs: Songs) -> None:
    songs.add(60)
    with songs.session.transaction():
        songs.session.run("CREATE TABLE pairs (a TEXT NOT NULL, b INTEGER NOT NULL, n INTEGER, PRIMARY KEY (a, b, n))")
        for number in range(90):
            songs.session.run(f"INSERT INTO pairs VALUES ('k{number % 5}', {number % 9}, {number})")
    query = "SELECT a, b, sum(n) AS total FROM pairs GROUP BY a, b"
    songs.project.derive("walked", query=query, freshness="commit")
    songs.project.derive("listed", query=PAIRS, freshness="commit")
    scripts = {script.name: script for script in songs.engine().sql()}
    assert scripts["walked"].applier.pages is not None and scripts["listed"].applier.pages is None
    songs.engine().apply()
    assert all(verdict.clean for verdict in songs.engine().verify())
    assert songs.value("SELECT count(*) FROM walked") == 45 and songs.value("SELECT count(*) FROM listed") == 60
