"""Where nobody else commits anything: rows are put there as they were read, and the first commit of anybody ends that."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.backfill.place import Watch, stop_after
from tests.simulation.chunks import chunks_of
from tidemark import Fault, Project, Tidemark
from tidemark.runtime.backfill import fill, fill_listed, fill_pages, fill_whole
from tidemark.runtime.clock import Clock

GROUPS = "SELECT tally, count(*) AS songs, max(id) AS newest FROM songs GROUP BY tally"
COUNTED = (
    "SELECT k.id, (SELECT count(*) FROM songs s WHERE s.tally = k.id) AS songs, "
    "(SELECT max(s.id) FROM songs s WHERE s.tally = k.id) AS newest FROM kinds k"
)
KINDS = 40


@pytest.fixture(autouse=True)
def _small_chunks() -> Iterator[None]:
    with chunks_of(7):
        yield


@pytest.fixture
def user(sqlite_path: Path) -> Iterator[sqlite3.Connection]:
    """Songs of kinds, some of no kind, some of one that is not there."""
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE kinds (id INTEGER PRIMARY KEY, songs INTEGER, newest INTEGER)")
        connection.execute("CREATE TABLE songs (id INTEGER PRIMARY KEY, tally INTEGER)")
        connection.execute("CREATE INDEX songs_tally ON songs (tally, id)")
        numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
        connection.execute(f"{numbers.format(KINDS)} INSERT INTO kinds (id) SELECT i FROM n")
        connection.execute(
            f"{numbers.format(300)} INSERT INTO songs SELECT i, nullif((i * 7919) % {KINDS + 5}, 3) FROM n"
        )
        yield connection


def engine(path: Path, *, columns: bool, **options: object) -> Tidemark:
    """A table of groups, or columns of the user's own table."""
    project = Project("quiet")
    if columns:
        project.derive("kept", key="id", columns_of="kinds", query=COUNTED)
    else:
        project.derive("kept", key="tally", query=GROUPS, freshness="commit")
    return Tidemark(project, f"sqlite:///{path}", **options)  # type: ignore[arg-type]


def wrong(user: sqlite3.Connection, *, columns: bool) -> list[tuple[object, ...]]:
    """Rows that the stored ones and the query do not share."""
    query, stored = (COUNTED, "SELECT id, songs, newest FROM kinds") if columns else (GROUPS, "SELECT * FROM kept")
    both = f"SELECT * FROM (SELECT * FROM ({query}) EXCEPT SELECT * FROM ({stored}))"
    return user.execute(
        f"{both} UNION ALL SELECT * FROM (SELECT * FROM ({stored}) EXCEPT SELECT * FROM ({query}))"
    ).fetchall()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many keys each chunk computed, and did not copy."""
    found: list[int] = []
    compute, do_page = fill_listed.compute_range, fill_pages._chunk

    def count(duty, script, low, high):  # type: ignore[no-untyped-def]
        found.append(high - low)
        return compute(duty, script, low, high)

    def count_page(filling, book, low, high):  # type: ignore[no-untyped-def]
        found.append(high - low)
        return do_page(filling, book, low, high)

    monkeypatch.setattr(fill_listed, "compute_range", count)
    monkeypatch.setattr(fill_pages, "_chunk", count_page)
    return found


@pytest.mark.parametrize("columns", [False, True], ids=["table", "columns"])
def test_where_nobody_commits_no_key_is_computed_for_itself(
    sqlite_path: Path, user: sqlite3.Connection, computed: list[int], columns: bool
) -> None:
    here = engine(sqlite_path, columns=columns)
    here.apply()
    assert computed == [] and wrong(user, columns=columns) == []
    user.execute("DELETE FROM songs WHERE id % 5 = 0")
    user.execute("INSERT INTO songs VALUES (1000, 3), (1001, NULL), (1002, 44)")
    assert wrong(user, columns=columns) == [] and here.verify()[0].clean
    assert {run.kind for run in here.history("kept")} == {"apply", "fill", "verify"}


@pytest.mark.parametrize("columns", [False, True], ids=["table", "columns"])
@pytest.mark.parametrize("watched", [True, False], ids=["as it is", "nobody asks"])
def test_the_first_commit_of_anybody_ends_it(
    sqlite_path: Path,
    user: sqlite3.Connection,
    computed: list[int],
    monkeypatch: pytest.MonkeyPatch,
    columns: bool,
    watched: bool,
) -> None:
    """Keys that are filled, that are next and that are new change between two chunks; if nobody asked, they would be wrong."""
    put, count = fill_whole._put, [0]

    def late(*given):  # type: ignore[no-untyped-def]
        count[0] += 1
        return put(*given)

    def wait(seconds: float) -> None:
        if count[0] == 2:
            count[0] += 1
            user.execute("UPDATE songs SET tally = tally + 30 WHERE tally BETWEEN 1 AND 8")
            user.execute("DELETE FROM songs WHERE tally IN (20, 38) OR tally IS NULL")
            user.execute("INSERT INTO songs VALUES (1000, 900), (1001, 25), (1002, 2)")
            user.execute("INSERT INTO kinds (id) VALUES (900), (901)")

    monkeypatch.setattr(fill_whole, "_put", late)
    if not watched:
        session = "tidemark.database.sqlite.session.SqliteSession.changes_marker"
        monkeypatch.setattr(session, lambda self: "")
    here = engine(sqlite_path, columns=columns, clock=Clock(wait=wait))
    if watched:
        here.apply()
        assert count[0] == 3 and sum(computed) >= 20 and wrong(user, columns=columns) == []
        assert "repair" not in {run.kind for run in here.history("kept")} or columns
        return
    # Without that question the rows of before would be put beside those of now.
    try:
        here.apply()
    except Fault:
        return
    assert "repair" in {run.kind for run in here.history("kept")}


def test_what_was_put_there_is_not_done_again_after_a_stop(
    sqlite_path: Path, user: sqlite3.Connection, computed: list[int]
) -> None:
    with pytest.raises(Fault):
        engine(sqlite_path, columns=False, stop=stop_after(4)).apply()
    (status,) = engine(sqlite_path, columns=False).backfills()
    assert 0 < status.rows_done < KINDS + 5 and status.state == "interrupted"
    user.execute("UPDATE songs SET tally = tally + 1 WHERE tally IN (2, 35)")
    here = engine(sqlite_path, columns=False)
    here.apply()
    # One of those that were left has no songs any more, and is looked at for what was taken from it.
    assert sum(computed) == KINDS + 5 - status.rows_done and wrong(user, columns=False) == []
    assert "repair" not in {run.kind for run in here.history("kept")}


def test_rows_that_are_there_already_are_not_put_there_again(
    sqlite_path: Path, user: sqlite3.Connection, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a writer did between the installation and the filling is in the store."""
    quiet = fill.is_quiet

    def late(*given):  # type: ignore[no-untyped-def]
        user.execute("INSERT INTO songs VALUES (1000, 4)")
        return quiet(*given)

    monkeypatch.setattr(fill, "is_quiet", late)
    here = engine(sqlite_path, columns=False)
    here.apply()
    assert sum(computed) == KINDS + 5 and wrong(user, columns=False) == []


def test_a_commit_while_it_reads_is_one_that_it_has_not_seen(
    sqlite_path: Path, user: sqlite3.Connection, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked within a snapshot is answered as of that snapshot."""
    rows, count = fill_whole._has_rows, [0]

    def late(*given):  # type: ignore[no-untyped-def]
        count[0] += 1
        if count[0] == 1:
            user.execute("UPDATE songs SET tally = 7 WHERE tally = 8")
        return rows(*given)

    monkeypatch.setattr(fill_whole, "_has_rows", late)
    here = engine(sqlite_path, columns=False)
    here.apply()
    assert count[0] == 1 and sum(computed) >= KINDS and wrong(user, columns=False) == []
    assert "repair" not in {run.kind for run in here.history("kept")}


def test_of_many_tables_the_first_alone_waits_for_a_sign_of_others(
    sqlite_path: Path, user: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fill_whole, "GLANCE_BYTES_MAX", 0)
    watch, asked = Watch(), []
    is_quiet = fill.is_quiet

    def ask(*about: Any) -> bool:
        before = watch.seconds
        said = is_quiet(*about)
        asked.append((said, round(watch.seconds - before, 3)))
        return said

    monkeypatch.setattr(fill, "is_quiet", ask)
    project = Project("quiet")
    for name in ("first", "second", "third"):
        project.derive(name, key="tally", query=GROUPS, freshness="commit")
    Tidemark(project, f"sqlite:///{sqlite_path}", clock=watch.clock).apply()
    assert asked == [(True, 0.05), (True, 0.0), (True, 0.0)]
    assert not user.execute(f"SELECT * FROM third EXCEPT {GROUPS}").fetchall()
