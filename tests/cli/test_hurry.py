"""A process that is asked to end waits for no lock and no long statement."""

import contextlib
import os
import signal
import threading

import pytest

from tidemark import Fault, Project, Tidemark
from tidemark.cli import hurry
from tidemark.database.open import open_session
from tidemark.errors import Exit

LONG = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT count(*) FROM n",
    "postgres": "SELECT pg_sleep(600)",
}


def test_whoever_is_asked_to_end_waits_for_no_statement(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hurry, "LOOK_SECONDS", 0.05)
    asked: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: asked.append(number))
    engine = Tidemark(Project("shop"), engine_url, stop=lambda: bool(asked))
    began = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        with hurry.hurried(lambda: bool(asked), engine.hurry), pytest.raises(Fault) as fault, engine._open() as duty:
            began.start()
            duty.session.one(LONG[duty.session.dialect.name])
        assert fault.value.exit is Exit.INTERRUPTED
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_the_catalog_of_a_table_that_is_locked_as_a_whole_is_not_waited_for(
    pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hurry, "LOOK_SECONDS", 0.05)
    project = Project("shop")
    project.derive("totals", query="SELECT a, count(*) AS n FROM items GROUP BY a")
    engine = Tidemark(project, pg_database, stop=lambda: True)
    with contextlib.closing(open_session(pg_database)) as session:
        with session.transaction():
            session.run("CREATE TABLE items (id integer PRIMARY KEY, a integer)")
        with session.transaction():
            session.run("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
            for verb in (engine.plan, engine.apply):
                with hurry.hurried(lambda: True, engine.hurry), pytest.raises(Fault) as fault:
                    verb()
                assert fault.value.exit is Exit.INTERRUPTED


def test_an_index_that_waits_for_older_transactions_is_not_waited_for(
    pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hurry, "LOOK_SECONDS", 0.05)
    project, asked = Project("shop"), threading.Event()
    project.derive("names", key="id", query="SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author_id")
    engine = Tidemark(project, pg_database, stop=asked.is_set, listen=lambda event: _ask(asked, event.note))
    with contextlib.closing(open_session(pg_database)) as session:
        with session.transaction():
            session.script("CREATE TABLE users (id integer PRIMARY KEY, name text)")
            session.script("CREATE TABLE posts (id integer PRIMARY KEY, author_id integer)")
        with session.transaction():
            session.run("INSERT INTO posts VALUES (1, 1)")
            with hurry.hurried(asked.is_set, engine.hurry), pytest.raises(Fault, match="not waited for") as fault:
                engine.apply(create_indexes=True)
    assert fault.value.exit is Exit.INTERRUPTED and "broken index" in fault.value.left_behind
    asked.clear()
    engine = Tidemark(project, pg_database)
    assert engine.apply(create_indexes=True).indexes == ("posts_author_id_idx",)


def _ask(asked: threading.Event, note: str) -> None:
    """Somebody wants the end a moment after an index is begun."""
    if note.startswith("making an index"):
        threading.Timer(0.2, asked.set).start()
