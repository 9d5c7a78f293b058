"""Counters that triggers kept wrongly: every wrong row is named, then they are taken over while the application writes."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from examples.soundgraph.adoption import QUERY, begin, end_legacy, main, play, project
from examples.soundgraph.stores import Store
from tidemark import Project, Refusal, Tidemark, workshop
from tidemark.cli import main as tidemark_main
from tidemark.runtime.changes import adoption


def test_wrong_rows_are_named_exactly_and_then_replaced(new_database: Callable[[], str]) -> None:
    database = new_database()
    writer = begin(database, 11, 60)
    with closing(writer.store) as store:
        columns = ("follower_count", "following_count")
        kept = {
            row[0]: row[1:] for row in store.query("SELECT user_id, follower_count, following_count FROM user_counts")
        }
        truth = {row[0]: row[1:] for row in store.query(QUERY)}
        wrong = {
            (user, name): (kept[user][place], truth[user][place])
            for user in kept
            for place, name in enumerate(columns)
            if kept[user][place] != truth[user][place]
        }
        tidemark = Tidemark(project, database)
        report = tidemark.adopt("follow_counts")
        assert {(one.key[0], one.column): (one.stored, one.truth) for one in report.differing} == wrong and wrong
        assert report.wrong == len(wrong) and report.rows == len(kept) and not report.taken
        again = {
            row[0]: row[1:] for row in store.query("SELECT user_id, follower_count, following_count FROM user_counts")
        }
        assert again == kept
        with pytest.raises(Refusal, match="not-installed"):
            tidemark.status()


def test_the_whole_story(new_database: Callable[[], str]) -> None:
    before, after, clean = play(new_database(), blocks=60)
    assert before > 0 and after == 0 and clean


def test_it_runs_as_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    said = capsys.readouterr()
    assert "values are wrong" in said.out and "Every count is true." in said.err


def test_the_command_says_what_differs_and_what_is_next(
    new_database: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    database = new_database()
    begin(database, 11, 30).store.close()
    asked = ["adopt", "follow_counts", "--database", database, "--definitions", "examples.soundgraph.adoption"]
    assert tidemark_main(asked) == 4
    said = capsys.readouterr().out
    assert "and the query says" in said and "tidemark adopt follow_counts --take-over" in said
    assert tidemark_main([*asked, "--take-over"]) == 0
    assert "keeps them from now on" in capsys.readouterr().out


def test_what_keeps_no_columns_cannot_be_adopted(new_database: Callable[[], str]) -> None:
    database = new_database()
    begin(database, 1, 1).store.close()
    other = Project("other")
    other.derive("plain", query="SELECT followee_user_id, count(*) AS n FROM follow_rows GROUP BY followee_user_id")
    with pytest.raises(Refusal, match="nothing to adopt"):
        Tidemark(other, database).adopt("plain")


def _wrong(store: Store) -> dict[tuple[int, str], tuple[int, int]]:
    """The counts that are not what the query says, as they are and as they should be."""
    kept = {row[0]: row[1:] for row in store.query("SELECT user_id, follower_count, following_count FROM user_counts")}
    truth = {row[0]: row[1:] for row in store.query(QUERY)}
    names = ("follower_count", "following_count")
    return {
        (user, name): (kept[user][place], truth[user][place])
        for user in kept
        for place, name in enumerate(names)
        if kept[user][place] != truth[user][place]
    }


def test_a_shadow_stays_beside_until_it_is_told_otherwise(new_database: Callable[[], str]) -> None:
    database = new_database()
    writer = begin(database, 5, 20)
    with closing(writer.store) as store:
        tidemark = Tidemark(project, database)
        blocks = writer.blocks(60)
        for number in range(4):
            report = tidemark.adopt("follow_counts", shadow=number == 0)
            found = {(one.key[0], one.column): (one.stored, one.truth) for one in report.differing}
            assert found == _wrong(store) and report.standing == "shadow" and not report.taken
            for _ in zip(range(8), blocks, strict=False):
                pass
            # Whoever applies meanwhile takes nothing over, and the shadow is kept and verified like any derived table.
            assert tidemark.plan().is_empty and all(one.clean for one in tidemark.verify())
        assert _wrong(store), "the legacy triggers went on counting, wrongly"
        end_legacy(store)
        assert tidemark.adopt("follow_counts", take_over=True).wrong == 0
        for _ in blocks:
            pass
        assert not _wrong(store) and all(one.clean for one in tidemark.verify()) and tidemark.plan().is_empty


def test_over_a_baseline_what_was_there_is_carried_on(new_database: Callable[[], str]) -> None:
    database = new_database()
    writer = begin(database, 5, 40)
    with closing(writer.store) as store:
        tidemark = Tidemark(project, database)
        ahead = {of: kept - true for of, (kept, true) in _wrong(store).items()}
        assert ahead
        end_legacy(store)
        report = tidemark.adopt("follow_counts", baseline=True)
        assert (report.wrong, report.standing, report.taken) == (0, "baseline", True)
        for _ in writer.blocks(40):
            pass
        tidemark.tick()
        # Every count is the true one of now, and what it was ahead when it was adopted.
        assert {of: kept - true for of, (kept, true) in _wrong(store).items()} == ahead
        assert all(one.clean for one in tidemark.verify()) and tidemark.plan().is_empty
        store.execute("UPDATE user_counts SET follower_count = follower_count + 1 WHERE user_id = 3")
        assert sum(one.drift for one in tidemark.verify()) == 1 and tidemark.repair()[0].rows_written == 1
        assert {of: kept - true for of, (kept, true) in _wrong(store).items()} == ahead
        # Whoever wants the truth after all says so.
        assert tidemark.adopt("follow_counts", take_over=True).wrong == 0
        assert not _wrong(store)


def test_what_is_no_number_cannot_be_carried_on(new_database: Callable[[], str]) -> None:
    database = new_database()
    writer = begin(database, 5, 2)
    with closing(writer.store) as store:
        store.execute("CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT)")
        store.execute("INSERT INTO names VALUES (1, 'ann')")
        named = Project("named")
        named.derive("named", query="SELECT id, 'bob' AS name FROM names", columns_of="names")
        with pytest.raises(Refusal, match="no number"):
            Tidemark(named, database).adopt("named", baseline=True)
        assert store.query("SELECT name FROM names") == [("ann",)]


def test_what_is_no_number_is_found_behind_many_that_differ(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "SHOWN_MAX", 2)
    rows = [(1, 5), (2, 6), (3, 7), (4, "abc"), (5, b"x")]
    with closing(sqlite3.connect(sqlite_path)) as connection, connection:
        connection.execute("CREATE TABLE counts (id INTEGER PRIMARY KEY, n)")
        connection.executemany("INSERT INTO counts VALUES (?, ?)", rows)
        connection.commit()
        counted = Project("counted")
        counted.derive("counted", query="SELECT id, 0 AS n FROM counts", columns_of="counts")
        tidemark = Tidemark(counted, f"sqlite:///{sqlite_path}")
        with pytest.raises(Refusal, match="n holds 'abc'"):
            tidemark.adopt("counted", baseline=True)
        assert connection.execute("SELECT id, n FROM counts").fetchall() == rows
        connection.execute("DELETE FROM counts WHERE id > 3")
        connection.commit()
        assert tidemark.adopt("counted", baseline=True).wrong == 0
        assert connection.execute("SELECT id, n FROM counts").fetchall() == rows[:3]


@pytest.mark.parametrize("mistake", ["in_shadow", "over_baseline"])
def test_an_adoption_that_forgets_how_it_stands_is_found_out(
    new_database: Callable[[], str], mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workshop, mistake, lambda declaration, *about: declaration)
    story = {
        "in_shadow": test_a_shadow_stays_beside_until_it_is_told_otherwise,
        "over_baseline": test_over_a_baseline_what_was_there_is_carried_on,
    }[mistake]
    with pytest.raises(AssertionError):
        story(new_database)
