"""What an application's migration does to a log that several derived tables read: the others stay, one apply mends the rest."""

import contextlib
import sqlite3
from dataclasses import replace

import pytest

from tidemark import Fault, Project, Tidemark
from tidemark.cli.reports import plan_text
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.migrations import guard
from tidemark.runtime.changes import apply_through
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects import narrowing

COLUMNS = {"by_x": "sum(x)", "by_y": "sum(y)"}


def _declare(columns: dict[str, str]) -> Project:
    project = Project("shop")
    for name, value in columns.items():
        project.derive(name, freshness="tick", query=f"SELECT a, {value} AS s FROM items GROUP BY a")
    return project


def _differs(session: Session, columns: dict[str, str]) -> list[str]:
    """The tables whose rows are not those of their queries."""
    return [
        name
        for name, value in columns.items()
        if session.all(f"SELECT a, s FROM {name} ORDER BY a")
        != session.all(f"SELECT a, {value} FROM items GROUP BY a ORDER BY a")
    ]


@pytest.fixture
def items(engine_url: str) -> str:
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.run("CREATE TABLE items (id integer PRIMARY KEY, a integer NOT NULL, x integer, y integer)")
        session.run("INSERT INTO items VALUES " + ", ".join(str((n, n % 4, n, 2 * n)) for n in range(1, 30)))
    return engine_url


def _migrate(url: str, statement: str) -> None:
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, guard(connection):
            connection.execute(statement)
        return
    with contextlib.closing(open_session(url)) as session, session.transaction():
        session.run(statement)


def _write(url: str, *statements: str) -> None:
    with contextlib.closing(open_session(url)) as session:
        for statement in statements:
            with session.transaction():
                session.run(statement)


def test_a_column_that_one_table_read_once_may_go(items: str) -> None:
    Tidemark(_declare(COLUMNS), items).apply()
    later = COLUMNS | {"by_y": "count(*)"}
    keeper = Tidemark(_declare(later), items)
    assert keeper.apply().live == ("by_y",)
    assert keeper.plan().is_empty and not keeper.plan().narrowed
    _migrate(items, "ALTER TABLE items DROP COLUMN y")
    _write(
        items,
        "INSERT INTO items VALUES (77, 1, 5)",
        "UPDATE items SET x = 9 WHERE id = 3",
        "DELETE FROM items WHERE id = 4",
    )
    if not items.startswith("sqlite"):
        assert {status.state for status in keeper.status()} == {"live"} and not any(keeper.apply().live)
    keeper.apply()
    keeper.tick()
    with contextlib.closing(open_session(items)) as session:
        assert _differs(session, later) == []


def test_a_worker_that_ends_the_last_reader_of_a_column_narrows_the_capture(items: str) -> None:
    Tidemark(_declare(COLUMNS), items).apply()
    keeper = Tidemark(_declare(COLUMNS | {"by_y": "count(*)"}), items)
    assert keeper.apply(detach=True).begun == ("by_y",)
    keeper.run(until_idle=True)
    assert "Nothing to do" in plan_text(keeper.plan(), statements=False, declared=2)
    if items.startswith("sqlite"):
        return
    _migrate(items, "ALTER TABLE items DROP COLUMN y")
    _write(items, "INSERT INTO items VALUES (77, 1, 5)", "UPDATE items SET x = 9 WHERE id = 3")
    keeper.run(until_idle=True)
    assert {status.state for status in keeper.status()} == {"live"} and keeper.plan().is_empty
    with contextlib.closing(open_session(items)) as session:
        assert _differs(session, COLUMNS | {"by_y": "count(*)"}) == []


def test_a_capture_that_a_worker_cannot_narrow_now_is_left_to_the_next_apply_and_plan_says_so(
    pg_database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with contextlib.closing(open_session(pg_database)) as session, session.transaction():
        session.run("CREATE TABLE items (id integer PRIMARY KEY, a integer NOT NULL, x integer, y integer)")
    Tidemark(_declare(COLUMNS), pg_database).apply()
    keeper = Tidemark(_declare(COLUMNS | {"by_y": "count(*)"}), pg_database)
    keeper.apply(detach=True)

    def locked(*_: object) -> None:
        raise Fault("the database stayed locked")

    monkeypatch.setattr(narrowing, "reshape", locked)
    assert keeper.run(until_idle=True).problems == 0
    monkeypatch.undo()
    assert "items: its capture writes down what nobody reads" in caplog.text
    plan = keeper.plan()
    told = plan_text(plan, statements=False, declared=2)
    assert plan.is_empty and plan.narrowed
    assert "items: its capture writes down what nobody reads any more" in told and told.endswith("Next: tidemark apply")
    keeper.apply()
    assert "Nothing to do" in plan_text(keeper.plan(), statements=False, declared=2)


def test_a_view_of_rows_as_of_now_keeps_no_column_of_another_table(items: str) -> None:
    def declare(columns: dict[str, str]) -> Project:
        project = _declare(columns)
        project.derive(
            "kinds", freshness="tick", query="SELECT a, count(DISTINCT x) AS s FROM items GROUP BY a", live=True
        )
        return project

    Tidemark(declare(COLUMNS), items).apply()
    keeper = Tidemark(declare(COLUMNS | {"by_y": "count(*)"}), items)
    assert keeper.apply().live == ("by_y",)
    _migrate(items, "ALTER TABLE items DROP COLUMN y")
    _write(items, "INSERT INTO items VALUES (77, 1, 5)")
    shown, truth = (
        "SELECT a, s FROM kinds_live ORDER BY a",
        "SELECT a, count(DISTINCT x) FROM items GROUP BY a ORDER BY a",
    )
    with contextlib.closing(open_session(items)) as session:
        assert session.all(shown) == session.all(truth)
        keeper.apply()
        keeper.tick()
        assert session.all(shown) == session.all(truth)


def test_a_log_of_an_earlier_version_is_made_anew_where_it_misses_a_column(
    pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(open_session(pg_database)) as session:
        with session.transaction():
            session.run("CREATE TABLE items (id integer PRIMARY KEY, a integer NOT NULL, x integer, y integer)")
        Tidemark(_declare(COLUMNS), pg_database).apply()
        later = COLUMNS | {"by_y": "count(*)"}
        keeper = Tidemark(_declare(later), pg_database)
        for module in (narrowing, apply_through):
            monkeypatch.setattr(module, "find_spare", lambda known, scripts: {})
        keeper.apply()
        with session.transaction():
            Ledger(session).set_capture(replace(Ledger(session).captures()["items"], narrowings=()))
        monkeypatch.undo()
        _migrate(pg_database, "ALTER TABLE items DROP COLUMN y")
        steps = [(step.verb, step.reason) for step in keeper.plan().steps]
        assert len(steps) == 2 and all(verb == "reinstall" and "logs y, which is gone" in why for verb, why in steps)
        keeper.apply()
        _write(pg_database, "INSERT INTO items VALUES (77, 1, 5)")
        keeper.tick()
        assert _differs(session, later) == [] and keeper.plan().is_empty


def test_one_apply_brings_back_everybody_who_reads_the_log(items: str) -> None:
    Tidemark(_declare(COLUMNS), items).apply()
    _migrate(items, "ALTER TABLE items RENAME COLUMN y TO z")
    later = COLUMNS | {"by_y": "sum(z)"}
    keeper = Tidemark(_declare(later), items)
    done = keeper.apply()
    assert "by_y" in done.live and keeper.plan().is_empty
    assert {(status.state, status.captures) for status in keeper.status()} == {("live", "ok")}
    _write(items, "INSERT INTO items VALUES (77, 1, 5, 6)", "UPDATE items SET z = 9 WHERE id = 3")
    keeper.tick()
    with contextlib.closing(open_session(items)) as session:
        assert _differs(session, later) == []
    if not items.startswith("sqlite"):
        # Writers failed from the migration on, so that nobody else has missed anything.
        assert done.live == ("by_y",)
