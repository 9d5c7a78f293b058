"""An event for ever is one however its key is spelled, and another where keys differ; outboxes of before are read as before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.clock import Clock

UNLIKE = "CREATE COLLATION unlike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
SQLITE = {
    "without a type": ("", "1", "1.0"),
    "zeros": ("", "0", "-0.0"),
    "large": ("", "1000000000000000", "1e15"),
    "without case": ("TEXT COLLATE NOCASE", "'Bob'", "'bob'"),
}
POSTGRESQL = {
    "numeric": ("numeric", "1.0", "1.00"),
    "double precision": ("double precision", "0", "'-0'"),
    "texts": ('text COLLATE "unlike"', "'Bob'", "'bob'"),
    "arrays": ("numeric[]", "'{1.0,NULL}'", "'{1.00,NULL}'"),
    "intervals": ("interval", "'1 day'", "'24 hours'"),
    "ranges": ("numrange", "'[1,2)'", "'[1.0,2.00)'"),
    "documents": ("jsonb", "'{\"a\": [1, 2.0]}'", "'{\"a\": [1.0, 2]}'"),
}


@contextlib.contextmanager
def _words(url: str, type_: str) -> Iterator[tuple[Session, Tidemark]]:
    with contextlib.closing(open_session(url)) as session:
        with session.transaction():
            if "unlike" in type_:
                session.script(UNLIKE)
            session.script(f"CREATE TABLE words (id integer PRIMARY KEY, part integer, k {type_})")
        project = Project("words")
        query = "SELECT part, k, count(*) AS n FROM words GROUP BY part, k"
        project.derive("counts", query=query, key=("part", "k")).on_crossing("n", at=[1, 2])
        engine = Tidemark(project, url, clock=Clock(wait=lambda seconds: None))
        engine.apply()
        yield session, engine


def _write(session: Session, engine: Tidemark, *values: str) -> None:
    with session.transaction():
        session.run("DELETE FROM words")
    engine.tick()
    with session.transaction():
        for number, value in enumerate(values):
            session.run(f"INSERT INTO words VALUES ({number}, 7, {value})")
    engine.tick()


def _told(engine: Tidemark) -> list[float]:
    return [one.threshold for one in engine.events()]


def _check(url: str, type_: str, one: str, other: str) -> None:
    with _words(url, type_) as (session, engine):
        _write(session, engine, one)
        _write(session, engine, other)
        assert _told(engine) == [1]
        _write(session, engine, one, other)
        assert _told(engine) == [1, 2]
        _write(session, engine, "NULL", "NULL", one)
        _write(session, engine, other, other)
        assert _told(engine) == [1, 2, 1, 2]


@pytest.mark.parametrize("name", SQLITE)
def test_a_key_that_is_spelled_otherwise_is_told_once_on_sqlite(sqlite_path: Path, name: str) -> None:
    _check(f"sqlite:///{sqlite_path}", *SQLITE[name])


@pytest.mark.parametrize("name", POSTGRESQL)
def test_a_key_that_is_spelled_otherwise_is_told_once_on_postgresql(pg_database: str, name: str) -> None:
    _check(pg_database, *POSTGRESQL[name])


def test_numbers_that_differ_in_the_last_digit_are_two_keys(sqlite_path: Path) -> None:
    for type_ in ("REAL", ""):
        with _words(f"sqlite:///{sqlite_path}", type_) as (session, engine):
            _write(session, engine, "0.3", "0.1 + 0.2", "0.3", "0.1 + 0.2")
            assert sorted((one.key["k"], one.threshold) for one in engine.events()) == [
                (0.3, 1),
                (0.3, 2),
                (0.1 + 0.2, 1),
                (0.1 + 0.2, 2),
            ]
            engine.uninstall()
            with session.transaction():
                session.run("DROP TABLE words")


def test_keys_that_hash_alike_are_told_apart(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.render.postgres.crossings.HASH", "(0 * hash_record_extended(ROW({}), 0))")
    with _words(pg_database, "numeric") as (session, engine):
        _write(session, engine, "1.0", "2", "3.00", "NULL")
        _write(session, engine, "1", "2.00", "3.0", "NULL")
        assert [one.key["k"] for one in engine.events()] == [1, 2, 3, None]


def test_a_type_that_nobody_knows_is_told_by_its_text(pg_database: str) -> None:
    with contextlib.closing(open_session(pg_database)) as session, session.transaction():
        session.script("CREATE DOMAIN price AS numeric")
    with _words(pg_database, "price") as (session, engine):
        _write(session, engine, "1.0", "2")
        _write(session, engine, "1.0", "2")
        assert _told(engine) == [1, 1]


def test_what_was_told_by_the_text_of_its_key_alone_stays_told(engine_url: str) -> None:
    type_ = "numeric" if engine_url.startswith("postgres") else ""
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            session.script(f"CREATE TABLE words (id integer PRIMARY KEY, k {type_})")
        project = Project("before")
        counts = project.derive("counts", query="SELECT k, count(*) AS n FROM words GROUP BY k", key="k")
        counts.on_crossing("n", at=[1])
        engine = Tidemark(project, engine_url, clock=Clock(wait=lambda seconds: None))
        engine.apply()
        for key in ("1", "1.0", "2"):
            with session.transaction():
                session.run("DELETE FROM words")
                session.run(f"INSERT INTO words VALUES (1, {key})")
        # Whatever was told before is known by the text of its key.
        with session.transaction():
            session.run(f"UPDATE {_outbox(session)} SET alike = NULL WHERE derived = 'counts'")
            session.run("DELETE FROM words")
            session.run("INSERT INTO words VALUES (1, 2)")
        told: list[tuple[Any, Any]] = [(one.derived, next(iter(one.key.values()))) for one in engine.events()]
        assert told == [("counts", 1), ("counts", 2)]
        assert engine.plan().is_empty and engine.plan().orphans == ()


def _outbox(session: Session) -> str:
    return "tidemark._outbox" if session.dialect.has_schemas else "tidemark__outbox"


@pytest.mark.parametrize(("one", "other"), [("61", "'a'"), ("'1'", "1"), ("x'61'", "'a'"), ("NULL", "''")])
def test_keys_that_differ_in_kind_are_told_apart_on_sqlite(sqlite_path: Path, one: str, other: str) -> None:
    with _words(f"sqlite:///{sqlite_path}", "") as (session, engine):
        _write(session, engine, one)
        _write(session, engine, other)
        assert _told(engine) == [1, 1]
