"""The first filling at commit freshness where nobody else is connected: at once, and only there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from tidemark import Project, Tidemark
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.session import Strain
from tidemark.errors import Fault
from tidemark.runtime.backfill import fill, fill_whole
from tidemark.runtime.backfill.filling import FillReport

UNIVERSE = "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS best FROM u"
GROUPS = "SELECT f.u, count(*) AS n, sum(f.v) AS v, max(f.v) AS best FROM f GROUP BY f.u"


def connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(url, autocommit=True)


@pytest.fixture
def url(pg_database: str) -> str:
    with closing(connect(pg_database)) as user:
        user.execute("CREATE TABLE u (id int PRIMARY KEY)")
        user.execute("CREATE TABLE f (id int PRIMARY KEY, u int, v int)")
        user.execute("CREATE INDEX ON f (u, v)")
        user.execute("INSERT INTO u SELECT generate_series(1, 2000)")
        user.execute("INSERT INTO f SELECT n, nullif(n % 1500, 0), n % 7 FROM generate_series(1, 4000) AS n")
    return pg_database


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[FillReport | None]:
    """What came of each filling that was tried at once."""
    found: list[FillReport | None] = []
    original = fill.copy_alone

    def copy(*given: Any) -> FillReport | None:
        found.append(original(*given))
        return found[-1]

    monkeypatch.setattr(fill, "copy_alone", copy)
    return found


def declare(url: str, *queries: str) -> Tidemark:
    project = Project("alone")
    for number, query in enumerate(queries):
        key = ["id"] if query == UNIVERSE else ["u"]
        project.derive(f"d{number}", key=key, query=query, freshness="commit")
    return Tidemark(project, url)


def test_everything_is_put_there_at_once(url: str, done: list[FillReport | None]) -> None:
    here = declare(url, UNIVERSE, GROUPS)
    here.apply()
    assert [(one.keys, one.chunks) for one in done if one] == [(2000, 1), (1500, 1)]
    assert all(one.clean for one in here.verify())
    assert {(one.name, one.state, one.rows_done) for one in here.backfills()} == {
        ("d0", "live", 2000),
        ("d1", "live", 1500),
    }
    assert [(one.filled, one.to_fill) for one in here.status()] == [(2000, 2000), (1500, 1500)]
    with closing(connect(url)) as user:
        user.execute("DELETE FROM f WHERE v > 3")
        user.execute("INSERT INTO f VALUES (9000, 7, 99)")
    assert all(one.clean for one in here.verify())


def test_somebody_who_is_connected_is_not_held_up(url: str, done: list[FillReport | None]) -> None:
    here = declare(url, UNIVERSE, GROUPS)
    with closing(connect(url)):
        here.apply()
    assert not done
    assert all(one.clean for one in here.verify())


def test_what_holds_chunks_back_holds_it_back(
    url: str, done: list[FillReport | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica that is far behind would have to take in everything at once, and nobody could stop it."""
    looks, told = [(Strain("replica_seconds", 60.0),)] * 3, list[str]()
    monkeypatch.setattr(PostgresSession, "strain", lambda self: looks.pop() if looks else ())
    here = Tidemark(declare(url, GROUPS).project, url, listen=lambda event: told.append(event.note))
    here.apply()
    assert any("replica_behind" in note for note in told) and not done
    assert all(one.clean for one in here.verify())


def test_a_writer_that_came_first_is_not_waited_for(
    url: str, done: list[FillReport | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, copy = declare(url, GROUPS), fill.copy_alone
    with closing(connect(url)) as writer:

        def late(*given: Any) -> FillReport | None:
            writer.execute("BEGIN")
            writer.execute("INSERT INTO f VALUES (9000, 7, 99)")
            gave = copy(*given)
            writer.execute("COMMIT")
            return gave

        monkeypatch.setattr(fill, "is_alone", lambda *given: True)
        monkeypatch.setattr(fill, "copy_alone", late)
        here.apply()
    assert done == [None]
    assert all(one.clean for one in here.verify())


def test_what_is_counted_of_rows_that_are_gone_is_not_filled_away(url: str, done: list[FillReport | None]) -> None:
    """A gap is filled by a worker that is alone, and totals of a pruned source are more than the query can say again."""
    project = Project("alone")
    project.source("f", pruned=True)
    query = "SELECT u, count(*) AS n, sum(v) AS v FROM f WHERE u IS NOT NULL GROUP BY u"
    project.derive("totals", key="u", query=query, freshness="commit")
    here = Tidemark(project, url)
    here.apply()
    with closing(connect(url)) as user:
        whole = user.execute("SELECT * FROM totals ORDER BY u").fetchall()
        user.execute("DELETE FROM f WHERE id <= 3000")
        user.execute("ALTER TABLE f DISABLE TRIGGER USER")
        user.execute("INSERT INTO f VALUES (9000, 7, 1)")
    here.apply(detach=True)
    here.run(until_idle=True)
    with closing(connect(url)) as user:
        found = user.execute("SELECT * FROM totals ORDER BY u").fetchall()
    assert [one is None for one in done] == [False, True]
    assert found == whole


@pytest.mark.parametrize("locked", [True, False], ids=["as it is", "without its lock"])
def test_nobody_writes_between_the_reading_and_the_rows(
    url: str, locked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is what makes it one moment: without it, a writer's row is in the way of ours."""
    here, silence, refused = declare(url, GROUPS), fill_whole.silence, []
    copy = fill.copy_alone

    def unlocked(duty: Any, installed: Any) -> FillReport | None:
        whole = installed.script.applier.whole
        applier = replace(installed.script.applier, whole=replace(whole, alone=whole.alone[1:]))
        return copy(duty, replace(installed, script=replace(installed.script, applier=applier)))

    with closing(connect(url)) as writer:
        writer.execute("SET lock_timeout = '50ms'")

        @contextmanager
        def write(*given: Any) -> Iterator[None]:
            try:
                writer.execute("INSERT INTO f VALUES (9000, 7, 99)")
            except psycopg.errors.LockNotAvailable:
                refused.append(1)
            with silence(*given):
                yield

        monkeypatch.setattr(fill, "is_alone", lambda *given: True)
        monkeypatch.setattr(fill_whole, "silence", write)
        if not locked:
            monkeypatch.setattr(fill, "copy_alone", unlocked)
            with pytest.raises(Fault, match="duplicate"):
                here.apply()
            return
        here.apply()
    assert refused
    assert all(one.clean for one in here.verify())


def test_columns_of_the_users_own_table_are_put_there_at_once(url: str, done: list[FillReport | None]) -> None:
    with closing(connect(url)) as user:
        user.execute("ALTER TABLE u ADD n bigint, ADD best int")
    project = Project("alone")
    project.derive("kept", key="id", columns_of="u", query=UNIVERSE)
    here = Tidemark(project, url)
    here.apply()
    assert [(one.keys, one.chunks) for one in done if one] == [(2000, 1)]
    differs = (
        f"SELECT count(*) FROM u JOIN ({UNIVERSE}) AS q USING (id) WHERE (u.n, u.best) IS DISTINCT FROM (q.n, q.best)"
    )
    with closing(connect(url)) as user:
        assert user.execute(differs).fetchone() == (0,)
        user.execute("DELETE FROM f WHERE v > 3")
        user.execute("INSERT INTO f VALUES (9000, 7, 99)")
        assert user.execute(differs).fetchone() == (0,)
    assert here.verify()[0].clean
    assert "repair" not in {run.kind for run in here.history("kept")}
