"""Counts of different values, kept in supports: true at every commit, one table to look at, both found wrong and repaired."""

import contextlib
import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.supports.plays import QUERIES, Plays, change, counts
from tidemark import Project, Refusal
from tidemark.cli.reports import explain_text, plan_text
from tidemark.cli.reports_truth import verify_text
from tidemark.compiler import supports
from tidemark.database.open import open_session
from tidemark.database.session import Conflict
from tidemark.engine import Tidemark
from tidemark.errors import Code

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
FEW = "listening"


def test_true_at_every_commit(place: Plays) -> None:
    keeper = place.keep(counts())
    keeper.apply()
    assert {status.freshness for status in keeper.status()} == {"commit"}
    for _ in range(40):
        place.write(*(place.change() for _ in range(place.random.randint(1, 3))))
        assert place.wrong() == []
    place.write("TRUNCATE plays" if place.user.dialect.has_schemas else "DELETE FROM plays", place.change())
    assert place.wrong() == []
    assert all(report.clean for report in keeper.verify())
    assert keeper.plan().is_empty


def test_true_at_ticks(place: Plays) -> None:
    keeper = place.keep(counts(freshness="tick"))
    keeper.apply()
    assert {status.freshness for status in keeper.status()} == {"tick"}
    for _ in range(12):
        place.write(*(place.change() for _ in range(3)))
        keeper.tick()
        assert place.wrong() == []
    assert all(report.clean for report in keeper.verify())


def _write(url: str, seed: int, level: str) -> None:
    chance, session = random.Random(seed), open_session(url, lock_timeout=30.0)
    try:
        for _ in range(40):
            statements = [change(chance) for _ in range(chance.randint(1, 3))]
            while not _committed(session, level, statements):
                continue
    finally:
        session.close()


def _committed(session, level: str, statements: list[str]) -> bool:  # type: ignore[no-untyped-def]
    try:
        with session.transaction():
            if session.dialect.has_schemas:
                session.run(f"SET TRANSACTION ISOLATION LEVEL {level}")
            for statement in statements:
                session.run(statement)
    except Conflict:
        return False
    return True


def test_writers_at_every_level_beside_a_filling(place: Plays) -> None:
    over = threading.Event()
    place.keep(counts()).apply(detach=True)
    with ThreadPoolExecutor() as threads:
        worker = threads.submit(Tidemark(counts(), place.url, stop=over.is_set).run)
        writers = [threads.submit(_write, place.url, number, level) for number, level in enumerate(LEVELS)]
        wait(writers)
        over.set()
    assert [one.exception() for one in (worker, *writers)] == [None] * 4
    keeper = place.keep(counts())
    keeper.run(until_idle=True)
    assert place.wrong() == []
    assert all(report.clean for report in keeper.verify())


def test_one_table_to_look_at(place: Plays) -> None:
    keeper = place.keep(counts(FEW))
    assert f"_support_{FEW}_1 (a support of {FEW}): it is not installed" in plan_text(
        keeper.plan(), statements=False, declared=1
    )
    assert keeper.apply().live == (FEW,)
    (status,) = keeper.status()
    assert (status.name, status.klass, status.level, status.reads, status.well) == (FEW, "linear", 0, (), True)
    assert status.support_rows > 0
    said = explain_text(keeper.explain(FEW))
    assert f"{status.support_rows} rows in all, beside {status.rows} of its own" in said
    assert "because support=True asks for it" in said
    assert keeper.uninstall().removed == (FEW,)
    assert place.user.installed() == {}


def test_rows_that_are_kept_are_those_that_readers_saw(place: Plays) -> None:
    keeper = place.keep(counts(FEW))
    keeper.apply()
    assert keeper.uninstall(keep_data=True).kept == (FEW,)
    assert place.wrong(FEW) == []
    assert place.user.installed() == {}


def test_a_wrong_support_and_what_it_made_wrong_are_found_and_repaired(place: Plays) -> None:
    place.write("INSERT INTO plays VALUES (98, 8, 'x', 7, 0), (99, 8, 'only here', 7, 0)")
    keeper = place.keep(counts("tracks_of"))
    keeper.apply()
    store = keeper.sql("tracks_of")[0].store
    place.write(f"DELETE FROM {store} WHERE x = 'only here'")
    found = {report.derived: report for report in keeper.verify("tracks_of")}
    assert [one.key for one in found["_support_tracks_of_1"].findings] == [(8, "only here")]
    assert [one.key for one in found["tracks_of"].findings] == [(8,)]
    assert "_support_tracks_of_1 (a support of tracks_of)" in verify_text(list(found.values()))
    (status,) = keeper.status()
    assert (status.drift, status.next) == (2, "tidemark repair")
    keeper.repair("tracks_of")
    assert place.wrong("tracks_of") == []
    assert all(report.clean for report in keeper.verify())


def test_a_truth_that_no_support_knows_of_is_no_drift(place: Plays) -> None:
    """A row of the declared table is compared with the query itself, whatever the support says."""
    place.write("INSERT INTO plays VALUES (98, 8, 'x', 7, 0), (99, 8, 'only here', 7, 0)")
    keeper = place.keep(counts("tracks_of"))
    keeper.apply()
    support, table = (script.store for script in keeper.sql("tracks_of"))
    place.write(f"DELETE FROM {support} WHERE x = 'only here'")
    column = next(name for name in _columns(keeper) if name.startswith("_tracks"))
    place.write(f'UPDATE {table} SET "{column}" = "{column}" + 1, "_rows" = "_rows" + 1 WHERE user_id = 8')
    found = {report.derived: report.drift for report in keeper.verify("tracks_of")}
    assert found == {"_support_tracks_of_1": 1, "tracks_of": 0}
    keeper.repair("tracks_of")
    assert place.wrong("tracks_of") == []
    assert all(report.clean for report in keeper.verify())


def _columns(keeper: Tidemark) -> tuple[str, ...]:
    return keeper.sql("tracks_of")[1].applier.compared_columns


def _decided(place: Plays, name: str = "tracks_of", **options: object) -> tuple[str, str]:
    script = place.keep(counts(name, **options)).sql(name)[-1]
    return script.klass, script.freshness


def test_the_plan_decides_by_the_size_of_groups(place: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("DELETE FROM plays", *(f"INSERT INTO plays VALUES ({n}, 1, 'x{n % 4}', 1, 0)" for n in range(30)))
    assert _decided(place, support=None) == ("keyed", "tick")
    assert _decided(place, support=None, freshness="commit") == ("linear", "commit")
    monkeypatch.setattr(supports, "GROUP_ROWS", 20)
    big = place.keep(counts("tracks_of", support=None)).sql("tracks_of")[-1]
    assert (big.klass, big.freshness) == ("linear", "commit")
    assert "because the largest group has about 30 rows" in big.reasons[-1]
    assert _decided(place, support=None, freshness="tick") == ("keyed", "tick")
    assert _decided(place, support=False) == ("keyed", "tick")
    keeper = place.keep(counts("tracks_of", support=None))
    keeper.apply()
    assert "because it is installed so" in keeper.explain("tracks_of").reasons[-1]
    place.write("DELETE FROM plays WHERE id > 3")
    assert keeper.plan().is_empty


@pytest.mark.parametrize("name", ["everything", "figures"])
def test_totals_need_no_consent(place: Plays, name: str) -> None:
    assert _decided(place, name, support=None) == ("linear", "commit")
    assert _decided(place, name, support=None, freshness="tick") == ("linear", "tick")
    assert _decided(place, name, support=None, allow_global=True) == ("global", "tick")
    with pytest.raises(Refusal) as caught:
        _decided(place, name, support=False)
    assert caught.value.code is Code.GLOBAL


def test_what_was_decided_stays_until_the_declaration_says_otherwise(
    place: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = place.keep(counts("tracks_of", support=None))
    keeper.apply()
    monkeypatch.setattr(supports, "GROUP_ROWS", 1)
    assert keeper.plan().is_empty
    asked = place.keep(counts("tracks_of"))
    assert [(step.verb, step.derived) for step in asked.plan().steps] == [
        ("create", "_support_tracks_of_1"),
        ("replace", "tracks_of"),
    ]
    asked.apply()
    assert place.wrong("tracks_of") == []
    without = place.keep(counts("tracks_of", support=False))
    assert [(step.verb, step.destructive) for step in without.plan().steps] == [("replace", False), ("drop", False)]
    without.apply()
    assert place.wrong("tracks_of") == []
    assert [status.name for status in without.status()] == ["tracks_of"]


def test_a_support_where_there_is_nothing_to_keep_is_refused(place: Plays) -> None:
    project = Project("plays")
    project.derive(
        "joined",
        query="SELECT u.id, count(DISTINCT p.track) AS n FROM users u LEFT JOIN plays p ON p.user_id = u.id GROUP BY u.id",
        support=True,
    )
    with pytest.raises(Refusal) as caught:
        place.keep(project).plan()
    assert caught.value.code is Code.UNSUPPORTED
    assert "joins several sources" in caught.value.reason


def test_a_renamed_table_takes_supports_of_its_own(place: Plays) -> None:
    place.keep(counts("tracks_of")).apply()
    project = Project("plays")
    project.derive("tracks_heard", query=QUERIES["tracks_of"], support=True, was="tracks_of")
    keeper = place.keep(project)
    keeper.apply()
    assert [status.name for status in keeper.status()] == ["tracks_heard"]
    assert keeper.plan().is_empty


def test_a_definition_that_changes_has_its_support_filled_anew(place: Plays) -> None:
    place.keep(counts("tracks_of")).apply()
    for low in (2, 3):
        query = f"SELECT user_id, count(DISTINCT track) AS tracks FROM plays WHERE seconds > {low} GROUP BY user_id"
        project = Project("plays")
        project.derive("tracks_of", query=query, support=True)
        keeper = place.keep(project)
        keeper.apply()
        assert keeper.plan().is_empty and all(report.clean for report in keeper.verify())


def _steps(path: Path, values: int) -> int:
    """What one more value costs SQLite, in steps of its machine, beside so many of them."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as user:
        user.execute("CREATE TABLE plays (id INTEGER PRIMARY KEY, ms INTEGER)")
        user.executemany("INSERT INTO plays VALUES (?, ?)", [(number, number) for number in range(values)])
        user.execute("PRAGMA journal_mode = WAL")
        project = Project("plays")
        project.derive("lengths", query="SELECT count(DISTINCT ms) AS n FROM plays")
        Tidemark(project, f"sqlite:///{path}").apply()
        taken: list[None] = []
        user.set_progress_handler(lambda: taken.append(None), 1)
        user.execute("INSERT OR REPLACE INTO plays VALUES (?, ?)", (values, values))
        user.set_progress_handler(None, 1)
        assert user.execute("SELECT n FROM lengths").fetchone() == (values + 1,)
    return len(taken)


def test_one_more_value_costs_as_much_beside_many_as_beside_few(tmp_path: Path) -> None:
    assert _steps(tmp_path / "many.db", 2_000) < 2 * _steps(tmp_path / "few.db", 50)
