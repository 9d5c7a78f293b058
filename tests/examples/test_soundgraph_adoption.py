"""Counters that triggers kept wrongly: every wrong row is named, then they are taken over while the application writes."""

from collections.abc import Callable
from contextlib import closing

import pytest

from examples.soundgraph.adoption import QUERY, begin, main, play, project
from tidemark import Project, Refusal, Tidemark
from tidemark.cli import main as tidemark_main


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
