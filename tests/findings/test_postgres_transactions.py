"""PostgreSQL: what stands around statements: DDL in the same transaction, constraints, savepoints, blocks, 2PC, procedures."""

import threading
import time

import pytest

from tests.findings.place import Place, attempt
from tidemark.runtime.workers import worker
from tidemark.runtime.workers.worker import WorkerReport


@pytest.fixture
def rows(pg: Place) -> Place:
    """Children of three groups under an additive table, one with an extremum, and a universe."""
    pg.run(
        "CREATE TABLE u (id int PRIMARY KEY, name text)",
        "CREATE TABLE f (id int PRIMARY KEY, g int, v int)",
        "INSERT INTO u VALUES (1, 'a'), (2, 'b')",
        "INSERT INTO f SELECT n, n % 3, n FROM generate_series(1, 12) AS n",
    )
    pg.derive("counts", "SELECT g, count(*) AS n, sum(v) AS v FROM f GROUP BY g")
    pg.derive("bests", "SELECT g, max(v) AS best FROM f WHERE v > 0 GROUP BY g")
    pg.derive("users", "SELECT u.id, u.name, (SELECT min(f.v) FROM f WHERE f.g = u.id) AS least FROM u", key="id")
    pg.derive("late", "SELECT u.name, count(*) AS n FROM u JOIN f ON f.g = u.id GROUP BY u.name", freshness="tick")
    pg.tidemark.apply()
    pg.check()
    return pg


def finished(place: Place) -> None:
    """True after the commit, after a tick, and inside."""
    place.drained()
    place.verified()


@pytest.mark.parametrize(
    "ddl",
    [
        "TRUNCATE f",
        "TRUNCATE f, u",
        "ALTER TABLE f ADD COLUMN extra int DEFAULT 7",
        "ALTER TABLE f ALTER COLUMN v SET DEFAULT 3",
        "ALTER TABLE u ADD CONSTRAINT named CHECK (name <> '')",
        "CREATE INDEX f_v ON f (v)",
        "ALTER TABLE f RENAME CONSTRAINT f_pkey TO f_key",
        "ALTER TABLE f SET (fillfactor = 50)",
        "CLUSTER f USING f_pkey",
        "REINDEX TABLE f",
        "LOCK TABLE f IN ACCESS EXCLUSIVE MODE",
    ],
)
def test_ddl_after_dml_in_one_transaction(rows: Place, ddl: str) -> None:
    rows.run(
        "BEGIN",
        "INSERT INTO f VALUES (50, 1, 50), (51, 7, 5)",
        "UPDATE f SET g = 2, v = -v WHERE id < 4",
        "DELETE FROM f WHERE id = 12",
        ddl,
        "INSERT INTO f (id, g, v) VALUES (60, 1, 3), (61, 8, 4)",
        "UPDATE f SET v = v + 1 WHERE g = 1",
        "COMMIT",
    )
    finished(rows)


@pytest.mark.parametrize("when", ["before", "after"])
def test_truncate_alone_and_twice(rows: Place, when: str) -> None:
    statements = [
        "TRUNCATE f",
        "INSERT INTO f VALUES (1, 1, 1), (2, 2, -2)",
        "TRUNCATE f",
        "INSERT INTO f VALUES (3, 1, 9)",
    ]
    mode = "SET CONSTRAINTS ALL IMMEDIATE"
    rows.run(
        "BEGIN", *([mode] if when == "before" else []), *statements, *([mode] if when == "after" else []), "COMMIT"
    )
    finished(rows)
    rows.run("TRUNCATE u CASCADE")
    finished(rows)


def test_a_truncate_that_is_rolled_back(rows: Place) -> None:
    rows.run("BEGIN", "DELETE FROM f WHERE id = 1", "SAVEPOINT s", "TRUNCATE f", "ROLLBACK TO s", "COMMIT")
    finished(rows)
    rows.run("BEGIN", "TRUNCATE f", "ROLLBACK")
    finished(rows)


def test_constraints_immediate_before_any_statement(rows: Place) -> None:
    """The arm flushes at once: what is remembered after arming would be lost."""
    rows.run("BEGIN", "SET CONSTRAINTS ALL IMMEDIATE")
    for statement in (
        "INSERT INTO f VALUES (70, 1, 99)",
        "UPDATE f SET g = 9 WHERE id = 70",
        "DELETE FROM f WHERE v > 10",
        "INSERT INTO u VALUES (9, 'z')",
    ):
        rows.run(statement)
        assert rows.bag("SELECT * FROM counts") == rows.bag(rows.queries["counts"])
        assert rows.bag("SELECT * FROM bests") == rows.bag(rows.queries["bests"])
        assert rows.bag("SELECT * FROM users") == rows.bag(rows.queries["users"])
    rows.run("COMMIT")
    finished(rows)


def test_constraints_immediate_and_deferred_in_turn(rows: Place) -> None:
    rows.run("BEGIN", "INSERT INTO f VALUES (70, 1, 99)")
    rows.run("SET CONSTRAINTS ALL IMMEDIATE")
    assert rows.bag("SELECT * FROM counts") == rows.bag(rows.queries["counts"])
    rows.run("SET CONSTRAINTS ALL DEFERRED", "UPDATE f SET v = 0 WHERE g = 1", "SET CONSTRAINTS ALL IMMEDIATE")
    assert rows.bag("SELECT * FROM bests") == rows.bag(rows.queries["bests"])
    rows.run("DELETE FROM f WHERE g = 2", "COMMIT")
    finished(rows)


@pytest.mark.parametrize("constraints", ["IMMEDIATE", "DEFERRED"])
def test_what_a_trigger_writes_is_told_before_its_statement(rows: Place, constraints: str) -> None:
    """A row comes as it was before a trigger wrote it again, and what it held then is no extreme value."""
    rows.run(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() < 3 THEN "
        "UPDATE f SET v = (v + 50) % 60 + 1 WHERE id = NEW.id; END IF; RETURN NULL; END $$",
        "CREATE TRIGGER again AFTER INSERT OR UPDATE ON f FOR EACH ROW EXECUTE FUNCTION again()",
    )
    for statement in (
        "INSERT INTO f VALUES (80, 1, 0), (81, 5, 59)",
        "UPDATE f SET g = 2, v = 99 WHERE id = 80",
        "UPDATE f SET g = 1, v = 58 WHERE g = 2",
    ):
        rows.run("BEGIN", f"SET CONSTRAINTS ALL {constraints}", statement, "COMMIT")
        finished(rows)


def test_savepoints(rows: Place) -> None:
    rows.run(
        "BEGIN",
        "SAVEPOINT a",
        "INSERT INTO f VALUES (80, 1, 80)",
        "ROLLBACK TO a",
        "INSERT INTO f VALUES (81, 1, 81)",
        "SAVEPOINT b",
        "UPDATE f SET g = 5",
        "SAVEPOINT c",
        "DELETE FROM f",
        "ROLLBACK TO c",
        "RELEASE b",
        "COMMIT",
    )
    finished(rows)
    # The first statement, which arms, is undone, and another one comes.
    rows.run(
        "BEGIN", "SAVEPOINT a", "DELETE FROM f WHERE id = 1", "ROLLBACK TO a", "DELETE FROM f WHERE id = 2", "COMMIT"
    )
    finished(rows)
    rows.run(
        "BEGIN", "SAVEPOINT a", "DELETE FROM f WHERE id = 3", "SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK TO a", "COMMIT"
    )
    finished(rows)
    rows.run("BEGIN", "SAVEPOINT a", "DELETE FROM f", "ROLLBACK")
    finished(rows)


def test_blocks_that_catch_exceptions(rows: Place) -> None:
    rows.run(
        """DO $$
        BEGIN
          INSERT INTO f VALUES (90, 1, 90);
          BEGIN
            UPDATE f SET g = 4;
            INSERT INTO f VALUES (90, 1, 90);
          EXCEPTION WHEN unique_violation THEN
            INSERT INTO f VALUES (91, 4, 91);
          END;
          BEGIN
            DELETE FROM f WHERE id = 90;
            PERFORM 1 / 0;
          EXCEPTION WHEN division_by_zero THEN NULL;
          END;
        END $$"""
    )
    finished(rows)


def test_two_phase_commit(rows: Place) -> None:
    rows.run("BEGIN", "INSERT INTO f VALUES (100, 1, 100)", "DELETE FROM f WHERE id = 1", "PREPARE TRANSACTION 'one'")
    rows.check()
    rows.run("INSERT INTO f VALUES (101, 4, 101)")
    rows.drained()
    rows.run("COMMIT PREPARED 'one'")
    finished(rows)
    rows.run("BEGIN", "DELETE FROM f", "PREPARE TRANSACTION 'two'", "ROLLBACK PREPARED 'two'")
    finished(rows)


def test_a_procedure_that_commits(rows: Place) -> None:
    rows.run(
        """CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
        BEGIN
          FOR n IN 200..205 LOOP
            INSERT INTO f VALUES (n, n % 4, n);
            IF n % 2 = 0 THEN COMMIT; ELSIF n = 203 THEN ROLLBACK; END IF;
          END LOOP;
          DELETE FROM f WHERE id = 200;
        END $$""",
        "CALL work()",
    )
    finished(rows)


def test_a_failed_commit_leaves_nothing(rows: Place) -> None:
    rows.run(
        "ALTER TABLE f ADD CONSTRAINT known FOREIGN KEY (g) REFERENCES u(id) DEFERRABLE INITIALLY DEFERRED NOT VALID"
    )
    client = rows.client()
    client.execute("BEGIN")
    client.execute("INSERT INTO f VALUES (300, 77, 1)")
    assert attempt(client, "COMMIT") == "23503"
    finished(rows)
    rows.run("BEGIN", "INSERT INTO f VALUES (300, 77, 1)", "INSERT INTO u VALUES (77, 'late')", "COMMIT")
    finished(rows)


def test_a_cursor_and_a_statement_that_returns(rows: Place) -> None:
    rows.run("BEGIN", "DECLARE c CURSOR FOR SELECT * FROM f ORDER BY id FOR UPDATE", "FETCH 2 FROM c")
    rows.run("UPDATE f SET v = 1000 WHERE CURRENT OF c", "FETCH 1 FROM c", "DELETE FROM f WHERE CURRENT OF c", "COMMIT")
    finished(rows)
    rows.rows("WITH gone AS (DELETE FROM f WHERE g = 1 RETURNING *) SELECT * FROM gone")
    finished(rows)


def test_what_somebody_holds_for_a_migration_is_not_waited_for_by_looks(rows: Place) -> None:
    """What the server writes down of keys and of triggers by row waits for their table, and a look is at all tables."""
    rows.run(
        "CREATE TABLE w (id int, g int, v varchar(9), PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE w0 PARTITION OF w DEFAULT",
        "CREATE TABLE apart (id int PRIMARY KEY, g int)",
    )
    rows.derive("parts", "SELECT g, max(v) AS m FROM w GROUP BY g", freshness="commit")
    rows.derive("other", "SELECT g, count(*) AS n FROM apart GROUP BY g", freshness="tick")
    rows.tidemark.apply()
    migration = rows.client()
    migration.execute("BEGIN; LOCK TABLE f, u, w IN ACCESS EXCLUSIVE MODE")
    rows.run("SET statement_timeout = '10s'", "INSERT INTO apart VALUES (1, 1)")
    assert {one.captures for one in rows.tidemark.status()} == {"ok"}
    assert rows.tidemark.run(until_idle=True).gaps == 0
    assert rows.rows("SELECT g, n FROM other") == [(1, 1)]
    migration.execute("DROP TRIGGER _update_parts_w ON w; COMMIT")
    assert {one.name for one in rows.tidemark.status() if one.captures != "ok"} == {"parts"}
    rows.tidemark.apply()
    finished(rows)


def test_what_a_lock_holds_up_keeps_no_other_waiting_where_one_session_does_everything(
    rows: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three tables read what is locked, and one that comes after them does not; when the lock is gone everything is done."""
    monkeypatch.setattr(worker, "LOCKED_SECONDS_MAX", 0.1)
    rows.run("CREATE TABLE apart (id int PRIMARY KEY, g int)", "INSERT INTO apart VALUES (1, 1)")
    for name in ("a1", "a2", "a3"):
        rows.derive(name, f"SELECT g, max(v) AS v, '{name}' AS name FROM f GROUP BY g", freshness="tick")
    rows.derive("z", "SELECT g, max(id) AS m FROM apart GROUP BY g", freshness="tick")
    rows.tidemark.apply()
    rows.run("INSERT INTO f VALUES (50, 1, 50)", "INSERT INTO apart VALUES (2, 1)")
    migration = rows.client()
    migration.execute("BEGIN; LOCK TABLE f IN ACCESS EXCLUSIVE MODE")
    found: list[WorkerReport] = []
    work = threading.Thread(target=lambda: found.append(rows.tidemark.run(until_idle=True)))
    work.start()
    began = time.monotonic()
    while rows.rows("SELECT m FROM z") != [(2,)] and time.monotonic() - began < 20:
        pass
    assert work.is_alive() and rows.rows("SELECT m FROM z") == [(2,)]
    migration.execute("COMMIT")
    work.join(30)
    assert found and not found[0].failing and not found[0].held
    finished(rows)
