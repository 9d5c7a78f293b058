"""A column that captures read is gone, and nobody has applied yet: a worker lets writers go on, and who reads others, too."""

import contextlib
from collections import Counter
from functools import partial

import pytest

from tests.backfill.place import Watch
from tidemark import Project, Refusal, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import TidemarkError
from tidemark.render.captures import capture
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects import relief
from tidemark.runtime.objects.captures import find_fault
from tidemark.runtime.objects.gaps import record_gap
from tidemark.runtime.workers.catalog import CatalogWatch

SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text, total bigint)",
    "CREATE TABLE posts (id integer PRIMARY KEY, user_id integer, score integer, other integer)",
    "INSERT INTO users (id, name) VALUES (1, 'ann'), (2, 'bob')",
    "INSERT INTO posts VALUES (1, 1, 5, 50), (2, 2, 6, 60), (3, 1, 7, 70), (4, NULL, NULL, NULL)",
)
# One whose writers add, and one that shares a log with another one that does not read the column.
QUERIES = {
    "added": "SELECT user_id, count(*) AS n, sum({score}) AS s FROM posts GROUP BY user_id",
    "computed": "SELECT p.id, p.{score} AS score, u.name FROM posts p JOIN users u ON u.id = p.user_id",
    "beside": "SELECT p.id, p.other, u.name FROM posts p JOIN users u ON u.id = p.user_id",
}
WRITES = (
    "INSERT INTO posts (id, user_id, other) VALUES (7, 1, 1)",
    "UPDATE posts SET user_id = 2, other = 3 WHERE id = 1",
    "DELETE FROM posts WHERE id = 2",
)


def _keeper(url: str, score: str) -> Tidemark:
    project = Project("forum")
    for name, query in QUERIES.items():
        project.derive(name, query=query.format(score=score))
    return Tidemark(project, url)


def _write(url: str, *statements: str) -> None:
    with contextlib.closing(open_session(url)) as session:
        for statement in statements:
            with session.transaction():
                session.run(statement)


def _is_true(url: str, score: str, *names: str) -> bool:
    _keeper(url, score).tick(*names)
    with contextlib.closing(open_session(url)) as session:
        return all(
            Counter(session.all(f"SELECT * FROM {name}")) == Counter(session.all(QUERIES[name].format(score=score)))
            for name in names
        )


def _migrate_and_work(url: str) -> None:
    """The column gets another name, and a worker comes by."""
    _write(url, *SCHEMA)
    keeper = _keeper(url, "score")
    keeper.apply()
    _write(url, "ALTER TABLE posts RENAME COLUMN score TO points")
    if not url.startswith("sqlite"):
        with pytest.raises(Refusal, match="score"):
            _write(url, *WRITES)
    report = keeper.run(until_idle=True)
    assert report.gaps >= 2 and not report.failing
    _write(url, *WRITES)
    if not url.startswith("sqlite"):
        # On SQLite a rename changes the text of the log's triggers, which is a gap of everybody who reads it.
        assert _state(keeper, "beside") == "live" and _is_true(url, "points", "beside")


def _state(keeper: Tidemark, name: str) -> str:
    return next(one.state for one in keeper.status() if one.name == name)


def test_a_worker_looks_within_a_second_of_a_change_by_which_writers_fail(engine_url: str) -> None:
    _write(engine_url, *SCHEMA)
    _keeper(engine_url, "score").apply()
    time = Watch()
    catalog, due = CatalogWatch(time.clock), []
    with contextlib.closing(open_session(engine_url)) as session:
        duty = Duty(Ledger(session), time.clock)
        for seconds, statement in (
            (0, ""),
            (1, ""),
            (0.9, "ALTER TABLE posts ADD COLUMN more integer"),
            (0.1, ""),
            (10, ""),
        ):
            if statement:
                _write(engine_url, statement)
            time.wait(seconds)
            due.append(catalog.look(duty, duty.ledger.derived()) is not None)
    assert due == [True, False, False, session.dialect.forgets_readers, True]


def test_a_log_keeps_what_somebody_in_service_reads(pg_database: str) -> None:
    """Who reads the column, too, and was not looked at yet, would not know what its log has lost."""
    _write(pg_database, *SCHEMA)
    keeper = _keeper(pg_database, "score")
    assert keeper.project is not None
    keeper.project.derive("besides", query=QUERIES["computed"].format(score="score"))
    keeper.apply()
    _write(pg_database, "ALTER TABLE posts RENAME COLUMN score TO points")
    with contextlib.closing(open_session(pg_database)) as session:
        duty = Duty(Ledger(session), Clock())
        rows = {row.name: row for row in duty.ledger.derived()}
        for name, narrowed in (("computed", False), ("besides", True)):
            out = record_gap(duty, rows[name], "a column is gone")
            relief.relieve(duty, out, partial(capture, session.dialect))
            assert ("score" not in duty.ledger.captures()["posts"].columns) is narrowed


@pytest.mark.parametrize("then", ["points", "score"])
def test_writers_go_on_without_a_column_and_an_apply_makes_all_true(engine_url: str, then: str) -> None:
    _migrate_and_work(engine_url)
    if then == "score":
        _write(engine_url, "ALTER TABLE posts RENAME COLUMN points TO score")
    keeper = _keeper(engine_url, then)
    keeper.apply()
    assert keeper.plan().is_empty and {one.state for one in keeper.status()} == {"live"}
    _write(engine_url, "INSERT INTO posts VALUES (9, 2, 1, 1)")
    _write(engine_url, f"UPDATE posts SET {then} = {then} + 1")
    assert _is_true(engine_url, then, *QUERIES)


def test_nothing_is_taken_away_that_somebody_is_at_or_that_is_well_again(pg_database: str) -> None:
    _write(pg_database, *SCHEMA)
    _keeper(pg_database, "score").apply()
    _write(pg_database, "ALTER TABLE posts RENAME COLUMN score TO points")
    with contextlib.closing(open_session(pg_database)) as one, contextlib.closing(open_session(pg_database)) as two:
        duty, other = Duty(Ledger(one), Clock()), Duty(Ledger(two), Clock())
        relieve = partial(relief.relieve, duty, capture_of=partial(capture, one.dialect))
        (shares,) = duty.ledger.derived("computed")
        record_gap(duty, shares, "a column is gone")
        with other.leased("capture posts"):
            assert not relieve(shares)
        assert "score" in duty.ledger.captures()["posts"].columns, "whoever has it may need it"
        _write(pg_database, "ALTER TABLE posts RENAME COLUMN points TO score")
        assert not relieve(shares) and "score" in duty.ledger.captures()["posts"].columns
        _write(pg_database, "ALTER TABLE posts RENAME COLUMN score TO points")
        assert relieve(shares) and "score" not in duty.ledger.captures()["posts"].columns
        # As somebody who comes again after a kill.
        assert not relieve(shares)
        # Nobody in service reads the log: what writes it stays while it has nothing of what is gone.
        for row in duty.ledger.derived("beside"):
            record_gap(duty, row, "as if")
        assert not relieve(shares)
        assert find_fault(duty.ledger.captures()["posts"], one.installed()) == ""


def test_a_wider_column_takes_wider_values_once_a_worker_came_by(pg_database: str) -> None:
    _write(pg_database, *SCHEMA)
    keeper = _keeper(pg_database, "score")
    keeper.apply()
    wide = "INSERT INTO posts VALUES (9, 1, 5000000000, 1)"
    _write(pg_database, "ALTER TABLE posts ALTER score TYPE bigint")
    with pytest.raises(TidemarkError, match="out of range"):
        _write(pg_database, wide)
    keeper.run(until_idle=True)
    _write(pg_database, wide, *WRITES)
    assert _state(keeper, "beside") == "live" and _is_true(pg_database, "score", "beside")
    assert set(keeper.apply().live) == {"added", "computed"} and _is_true(pg_database, "score", *QUERIES)


def test_a_partitioned_table_is_written_again_where_nobody_in_service_reads_it(pg_database: str) -> None:
    """The condition of its triggers follows the name, so that their text is another one, and everybody has a gap."""
    _write(
        pg_database,
        "CREATE TABLE posts (id integer PRIMARY KEY, score integer) PARTITION BY RANGE (id)",
        "CREATE TABLE some_posts PARTITION OF posts FOR VALUES FROM (0) TO (1000)",
        "INSERT INTO posts SELECT i, i % 3 FROM generate_series(1, 20) AS i",
    )
    for number, (score, other) in enumerate((("score", "points"), ("points", "score")), 100):
        project = Project("forum")
        project.derive("scores", query=f"SELECT {score}, count(*) AS n FROM posts GROUP BY {score}", freshness="tick")
        keeper = Tidemark(project, pg_database)
        keeper.apply()
        _write(pg_database, f"DELETE FROM posts WHERE {score} = 1", f"UPDATE posts SET {score} = 1 WHERE id < 9")
        keeper.tick()
        assert keeper.verify()[0].clean
        _write(pg_database, f"ALTER TABLE posts RENAME COLUMN {score} TO {other}")
        comes = f"INSERT INTO posts VALUES ({number}, 0)"
        with pytest.raises(Refusal, match=score):
            _write(pg_database, comes)
        keeper.run(until_idle=True)
        _write(pg_database, comes)


def test_a_log_that_loses_more_than_is_gone_is_found(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relief, "_find_stale", lambda duty, known, capture_of: set(known.columns))
    monkeypatch.setattr(relief, "_read", lambda rows, source: set())
    with pytest.raises((AssertionError, TidemarkError)):
        _migrate_and_work(pg_database)


KEPT = {
    "commit": "SELECT u.id, (SELECT sum(p.other) FROM posts p WHERE p.user_id = u.id) AS total FROM users u",
    "tick": "SELECT u.id, (SELECT max(p.other) + count(x.name) FROM posts p JOIN users x ON x.id = p.user_id"
    " WHERE p.user_id = u.id) AS total FROM users u",
}


@pytest.mark.parametrize("freshness", list(KEPT))
def test_a_column_of_yours_that_is_kept_may_go_and_come(pg_database: str, freshness: str) -> None:
    _write(pg_database, *SCHEMA)
    project = Project("forum")
    project.derive("totals", columns_of="users", query=KEPT[freshness])
    keeper = Tidemark(project, pg_database)
    keeper.apply()
    _write(pg_database, "ALTER TABLE users DROP COLUMN total")
    assert "total of users is gone" in next(one.captures for one in keeper.status())
    if freshness == "tick":
        _write(pg_database, "UPDATE posts SET other = 1")
        with pytest.raises(Refusal, match="totals.*total"):
            keeper.tick()
        assert keeper.history("totals", 1)[0].state == "failed"
    assert keeper.run(until_idle=True).gaps == 1
    _write(pg_database, "UPDATE posts SET other = 2", "ALTER TABLE users ADD COLUMN total bigint")
    keeper.apply()
    _write(pg_database, "UPDATE posts SET other = 3 WHERE id = 3")
    keeper.tick()
    with contextlib.closing(open_session(pg_database)) as session:
        assert session.all("SELECT id, total FROM users ORDER BY id") == session.all(f"{KEPT[freshness]} ORDER BY 1")
        assert {one.state for one in keeper.status()} == {"live"}
