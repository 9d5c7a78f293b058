"""What every session promises about statements and transactions, on both engines."""

import contextlib
import datetime
import os
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.conformance.conftest import Opener, execute
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Exhausted, Session, blames_data
from tidemark.errors import Code, Fault, Refusal
from tidemark.streams import Shelf


@pytest.fixture
def table(session: Session) -> Session:
    execute(session, "CREATE TABLE t (id integer PRIMARY KEY, v integer)")
    return session


def _ids(session: Session) -> list[int]:
    return [row[0] for row in session.all("SELECT id FROM t ORDER BY id")]


def test_a_transaction_commits(table: Session, other: Session) -> None:
    with table.transaction():
        table.run("INSERT INTO t VALUES (1, 1)")
        assert _ids(other) == []
    assert _ids(other) == [1]


def test_an_exception_rolls_back_and_goes_on(table: Session) -> None:
    with pytest.raises(KeyError), table.transaction():
        table.run("INSERT INTO t VALUES (1, 1)")
        raise KeyError
    assert _ids(table) == []
    with table.transaction():
        table.run("INSERT INTO t VALUES (2, 1)")
    assert _ids(table) == [2]


def test_a_failed_statement_rolls_everything_back(table: Session) -> None:
    with pytest.raises(Fault, match="(?i)unique"), table.transaction():
        table.run("INSERT INTO t VALUES (1, 1)")
        table.run("INSERT INTO t VALUES (1, 2)")
    assert _ids(table) == []


def test_no_disk_is_waited_for_at_the_end_of_a_chunk(table: Session, other: Session) -> None:
    asks = "SHOW synchronous_commit" if table.dialect.has_schemas else "PRAGMA main.synchronous"
    relaxed, other_writes = ("off", "on") if table.dialect.has_schemas else (1, 1)
    with table.transaction("chunk"):
        table.run("INSERT INTO t VALUES (1, 1)")
        assert table.all(asks) == [(relaxed,)]
    assert _ids(other) == [1]
    with table.transaction("write"):
        assert table.all(asks) == [(other_writes,)]


def test_a_sqlite_session_that_wrote_waits_for_the_disk_once_when_it_closes(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}")))
    with contextlib.closing(open_session(f"sqlite:///{sqlite_path}", create=True)) as beside:
        for mode, expected in (("read", 0), ("write", 1), ("chunk", 2)):
            session = open_session(f"sqlite:///{sqlite_path}")
            assert session.one("PRAGMA main.synchronous") == (1,)
            with session.transaction(mode):
                session.all("SELECT count(*) FROM sqlite_schema")
            assert len(synced) < max(1, expected)
            session.close()
            session.close()
            assert len(synced) == expected and all(one.endswith("-wal") for one in synced)
        assert beside.is_open()


def test_transactions_do_not_nest(table: Session) -> None:
    with table.transaction(), pytest.raises(RuntimeError, match="nest"), table.transaction():
        raise AssertionError


def test_statements_need_a_transaction_and_reads_do_not(table: Session) -> None:
    with pytest.raises(RuntimeError):
        table.run("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(RuntimeError):
        table.script("INSERT INTO t VALUES (1, 1)")
    assert table.all("SELECT 1") == [(1,)]
    assert table.one("SELECT 1 WHERE 1 = 0") is None


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("INSERT INTO t VALUES (4, 4), (5, 5)", 2),
        ("INSERT INTO t SELECT id + 10, v FROM t", 3),
        ("WITH n AS (SELECT 9 AS i) INSERT INTO t SELECT i, i FROM n", 1),
        ("UPDATE t SET v = 0 WHERE id > 1", 2),
        ("UPDATE t SET v = 0 WHERE id > 100", 0),
        ("DELETE FROM t", 3),
        ("WITH n AS (SELECT 2 AS i) DELETE FROM t WHERE id IN (SELECT i FROM n)", 1),
        ("INSERT INTO t VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET v = excluded.v", 1),
        ("INSERT INTO t VALUES (1, 7) ON CONFLICT (id) DO NOTHING", 0),
        ("/* why */ -- and how\nDELETE FROM t WHERE id = 1", 1),
        ("DELETE FROM t WHERE id < 3 RETURNING id", 2),
        ("CREATE TABLE u (a integer)", 0),
        ("CREATE TEMP TABLE u AS SELECT * FROM t", 0),
        ("SELECT * FROM t", 0),
        ("WITH n AS (SELECT 1) SELECT * FROM n", 0),
    ],
)
def test_run_gives_the_number_of_changed_rows(table: Session, statement: str, rows: int) -> None:
    with table.transaction():
        assert table.run("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)") == 3
        assert table.run(statement) == rows


def test_rows_that_triggers_change_are_not_counted(table: Session) -> None:
    execute(table, "CREATE TABLE log (a integer)")
    if table.dialect.has_schemas:
        execute(
            table,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS"
            " 'begin insert into log values (1), (2); return null; end'",
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        )
    else:
        execute(table, "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO log VALUES (1), (2); END")
    with table.transaction():
        assert table.run("INSERT INTO t VALUES (1, 1)") == 1
    assert table.one("SELECT count(*) FROM log") == (2,)


def test_a_script_holds_several_statements_and_commits_nothing(table: Session) -> None:
    script = """
        -- a comment; with a semicolon
        CREATE TABLE u (a text DEFAULT 'x;y');
        INSERT INTO u VALUES ('it''s; fine'), ('100 %'), (':not a parameter');;
        /* ; */
        INSERT INTO t VALUES (1, 1)
    """
    with pytest.raises(KeyError), table.transaction():
        table.script(script)
        raise KeyError
    assert table.catalog().find("u") is None
    with table.transaction():
        table.script(script)
    assert table.all("SELECT a FROM u ORDER BY a") == [("100 %",), (":not a parameter",), ("it's; fine",)]


def test_parameters_are_values_and_nothing_else(session: Session) -> None:
    sql = """SELECT :a, ':a', 'it''s :b', '%s %(a)s %', 7 % 4 -- :a %
        , :b /* :b % */, :a, ':' || :c"""
    row = session.one(sql, {"a": "x' OR 1=1 --", "b": 2, "c": "%s"})
    assert row is not None
    assert row == ("x' OR 1=1 --", ":a", "it's :b", "%s %(a)s %", 3, 2, "x' OR 1=1 --", ":%s")


def test_percent_signs_need_no_care_without_parameters(session: Session) -> None:
    assert session.one("SELECT '%s', '100%', 7 % 4") == ("%s", "100%", 3)
    assert session.one("SELECT '%s', '100%', 7 % 4", {}) == ("%s", "100%", 3)


def test_a_quoted_name_may_look_like_a_parameter(session: Session) -> None:
    assert session.one('SELECT x.":a", x."%s" FROM (SELECT 1 AS ":a", 2 AS "%s") AS x WHERE 1 = :a', {"a": 1}) == (1, 2)


@pytest.mark.parametrize("value", [None, 0, -1, 2**62, 1.5, -0.0, 1e300, "", "text", "Grüße 🌊", b"\0\xff"])
def test_values_come_back_as_they_went(session: Session, value: object) -> None:
    kind = {int: "bigint", float: "double precision", str: "text", bytes: "blob"}.get(type(value), "text")
    if session.dialect.has_schemas:
        kind = kind.replace("blob", "bytea")
    execute(session, f"CREATE TABLE v (a {kind})")
    with session.transaction():
        session.run("INSERT INTO v VALUES (:a)", {"a": value})
    assert session.one("SELECT a FROM v") == (value,)
    assert session.one(f"SELECT 1 FROM v WHERE a {session.dialect.null_safe_equal} :a", {"a": value}) == (1,)


def test_values_of_postgresql_survive_a_round_trip(pg_session: Session) -> None:
    values = {
        "numeric": ["1.50", "NaN", "12345678901234567890.123"],
        "timestamptz": ["2026-01-02 03:04:05.678901+00", "infinity", "20000-01-01 00:00:00+00"],
        "timestamp": ["2026-01-02 03:04:05", "-infinity"],
        "date": ["2026-01-02", "infinity", "0044-03-15 BC"],
        "time": ["12:30:00", "24:00:00"],
        "interval": ["1 mon", "30 days", "-00:00:01"],
        "jsonb": ['{"a": 1.10}', "[]", '"x"', "12345678901234567890.5"],
        "int4range": ["[1,3)", "empty"],
        "uuid": ["6f1ed002-ab51-4c3b-8ae5-2f5f0d9c0f4d"],
        "inet": ["10.0.0.1", "10.0.0.0/8"],
        "boolean": ["t", "f"],
        "real": ["0.1", "3.4028235e+38"],
        "bytea": ["\\x00ff"],
        "char(4)": ["ab"],
        "integer[]": ["{1,NULL,3}"],
        "timestamptz[]": ["{infinity}"],
    }
    for number, (kind, texts) in enumerate(values.items()):
        execute(pg_session, f"CREATE TABLE v{number} (a {kind})", f"CREATE TABLE w{number} (a {kind})")
        with pg_session.transaction():
            for text in texts:
                pg_session.run(f"INSERT INTO v{number} VALUES ('{text}')")
            for (value,) in pg_session.all(f"SELECT a FROM v{number}"):
                pg_session.run(f"INSERT INTO w{number} VALUES (:a)", {"a": value})
        rows = [pg_session.all(f'SELECT a::text FROM {table}{number} ORDER BY a::text COLLATE "C"') for table in "vw"]
        assert rows[0] == rows[1], kind
        assert len(rows[0]) == len(texts)


def test_numbers_and_times_are_plain_python(pg_session: Session) -> None:
    row = pg_session.one("SELECT 1.50::numeric, '2026-01-02 03:04:05+02'::timestamptz, true, 1.5::real")
    assert row is not None
    assert row == (Decimal("1.50"), datetime.datetime(2026, 1, 2, 1, 4, 5, tzinfo=datetime.UTC), True, 1.5)


def test_settings_that_expressions_depend_on_are_pinned(pg_database: str, opener: Opener) -> None:
    name = pg_database.rsplit("/", 1)[1]
    first = opener(pg_database)
    for setting in (
        "timezone = 'Asia/Tokyo'",
        "datestyle = 'German'",
        "extra_float_digits = -5",
        "intervalstyle = 'iso_8601'",
        "default_transaction_isolation = 'serializable'",
        "default_transaction_read_only = on",
        "jit = on",
    ):
        execute(first, f'ALTER DATABASE "{name}" SET {setting}')
    second = opener(pg_database)
    sql = "SELECT '2026-01-02 03:04:05Z'::timestamptz::text, (1.0::float8 / 3)::text, '1 mon'::interval::text"
    assert second.one(sql) == ("2026-01-02 03:04:05+00", "0.3333333333333333", "1 mon")
    with second.transaction():
        assert second.one("SHOW transaction_isolation") == ("read committed",)
        second.run("CREATE TABLE t (a integer)")
    assert second.one("SHOW application_name") == ("tidemark",)
    assert second.one("SHOW jit") == ("off",)


def test_text_that_is_no_utf8_can_still_be_read(sqlite_session: Session) -> None:
    rows = sqlite_session.all("SELECT CAST(x'ff41' AS text) UNION ALL SELECT 'ü'")
    assert rows == [("\udcffA",), ("ü",)]
    assert sqlite_session.one("SELECT 'ü'") == ("ü",)
    with pytest.raises(Fault):
        sqlite_session.one("SELECT :a", {"a": 2**64})


def test_a_busy_database_is_a_conflict(table: Session, other: Session) -> None:
    execute(table, "INSERT INTO t VALUES (1, 1)")
    with table.transaction():
        table.run("UPDATE t SET v = 2")
        with pytest.raises(Conflict) as caught, other.transaction():
            other.run("UPDATE t SET v = 3")
        assert other.label in str(caught.value)
    with other.transaction():
        other.run("UPDATE t SET v = v + 1")
    assert table.one("SELECT v FROM t") == (3,)


def test_the_lock_timeout_can_be_set(table: Session, other: Session) -> None:
    execute(table, "INSERT INTO t VALUES (1, 1)")
    other.set_lock_timeout(0)
    with table.transaction():
        table.run("UPDATE t SET v = 2")
        with pytest.raises(Conflict), other.transaction():
            other.run("UPDATE t SET v = 3")
    other.set_lock_timeout(0.5)
    with other.transaction():
        assert other.run("UPDATE t SET v = 3") == 1


def test_a_snapshot_sees_one_moment(table: Session, other: Session) -> None:
    with table.transaction("read", snapshot=True):
        execute(other, "INSERT INTO t VALUES (1, 1)")
        assert _ids(table) == []
    assert _ids(table) == [1]


def test_reading_may_write_temporary_tables(engine_url: str, table: Session, opener: Opener) -> None:
    reader = opener(engine_url, role="reader")
    with reader.transaction("read", snapshot=True):
        reader.run("CREATE TEMP TABLE scratch (a integer)")
        assert reader.run("INSERT INTO scratch SELECT id FROM t") == 0
        assert reader.run("INSERT INTO scratch VALUES (:a)", {"a": 1}) == 1
    assert reader.all("SELECT a FROM scratch") == [(1,)]


def test_a_write_after_a_stale_snapshot_is_a_conflict(table: Session, other: Session) -> None:
    execute(table, "INSERT INTO t VALUES (1, 1)")
    mode = "read" if table.dialect.writers_wait_in_line else "write"
    with pytest.raises(Conflict), table.transaction(mode, snapshot=True):  # type: ignore[arg-type]
        table.one("SELECT * FROM t")
        execute(other, "UPDATE t SET v = 5")
        table.run("UPDATE t SET v = 6")
    assert table.one("SELECT v FROM t") == (5,)


def test_a_deadlock_is_a_conflict(pg_database: str, opener: Opener) -> None:
    one = opener(pg_database, lock_timeout=0.2)
    two = opener(pg_database, lock_timeout=0.2)
    with pytest.raises(Conflict), one.transaction():
        one.run("SELECT pg_advisory_xact_lock(1)")
        with two.transaction():
            two.run("SELECT pg_advisory_xact_lock(1)")


def test_an_error_that_was_caught_does_not_become_a_silent_rollback(pg_session: Session) -> None:
    with pytest.raises(Fault, match="gave the transaction up"), pg_session.transaction():
        pg_session.run("CREATE TABLE t (a integer)")
        with pytest.raises(Fault, match="division"):
            pg_session.run("SELECT 1 / 0")
    assert pg_session.catalog().find("t") is None


def test_a_deferred_check_fails_the_commit(pg_session: Session) -> None:
    execute(pg_session, "CREATE TABLE t (a integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Fault, match="unique"), pg_session.transaction():
        pg_session.run("INSERT INTO t VALUES (1), (1)")
    with pg_session.transaction():
        pg_session.run("INSERT INTO t VALUES (1)")


def test_a_disk_without_room_is_named_and_no_row_is_to_blame(table: Session) -> None:
    """SQLite has a limit of its own that says the same; the server says what a function says it says."""
    full = "DO $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$"
    if not table.dialect.has_schemas:
        table.all("PRAGMA max_page_count = 1")
        full = "CREATE TABLE more AS SELECT hex(zeroblob(10000))"
    with pytest.raises(Exhausted, match="no room is left") as caught, table.transaction():
        table.run(full)
    assert caught.value.retry_safe and not blames_data(caught.value)
    assert table.label in str(caught.value) and "make room" in str(caught.value)


def test_a_lost_connection_is_a_fault(pg_session: Session, opener: Opener, pg_database: str) -> None:
    row = pg_session.one("SELECT pg_backend_pid()")
    assert row is not None
    with pytest.raises(Fault, match="lost") as caught, pg_session.transaction():
        opener(pg_database).all("SELECT pg_terminate_backend(:pid, 5000)", {"pid": row[0]})
        pg_session.run("SELECT 1")
    assert caught.value.retry_safe
    with pytest.raises(Fault, match="closed"):
        pg_session.one("SELECT 1")


def test_a_closed_session_says_so(session: Session) -> None:
    session.close()
    session.close()
    with pytest.raises(Fault, match="closed"):
        session.one("SELECT 1")
    with pytest.raises(Fault, match="closed"), session.transaction():
        raise AssertionError


def test_now_is_a_moment_in_utc(session: Session) -> None:
    first, second = session.now(), session.now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first)
    assert first <= second
    distance = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(first)
    assert abs(distance) < datetime.timedelta(minutes=5)


def test_the_marker_moves_with_other_peoples_commits(table: Session, other: Session) -> None:
    before = table.changes_marker()
    assert table.changes_marker() == before
    execute(other, "INSERT INTO t VALUES (1, 1)")
    assert table.changes_marker() != before


def test_a_snapshot_as_text(session: Session) -> None:
    assert re.fullmatch(r"\d+:\d+:[\d,]*" if session.dialect.has_schemas else "", session.snapshot())


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM nowhere", Code.UNKNOWN_TABLE),
        ("SELECT missing FROM t", Code.UNKNOWN_COLUMN),
        ("SELEC 1", Code.PARSE),
        ("CREATE TABLE t (a integer)", Code.NAME_TAKEN),
    ],
)
def test_bad_statements_are_refused(table: Session, sql: str, code: Code) -> None:
    with pytest.raises(Refusal) as caught, table.transaction():
        table.run(sql)
    assert caught.value.code is code
    assert caught.value.reason and caught.value.instead
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [1, 8, 63, 64, 65, 207])
def test_rows_are_put_in_their_order_and_take_the_place_of_those_with_their_key(session: Session, number: int) -> None:
    execute(session, "CREATE TABLE t (id integer PRIMARY KEY, v integer, said text)")
    execute(session, "INSERT INTO t VALUES (0, -1, 'before')")
    keyed = Shelf("t", ("id", "v", "said"), ("id",))
    with session.transaction():
        session.put_rows(keyed, [(each, each * 2, None if each % 3 else f"'{each}'") for each in range(number)])
    assert session.all("SELECT id, v, said FROM t ORDER BY id") == [
        (each, each * 2, None if each % 3 else f"'{each}'") for each in range(number)
    ]


@pytest.mark.parametrize("width", [124, 125, 126, 999])
def test_rows_of_many_columns_are_put_too(session: Session, width: int) -> None:
    columns = tuple(f"c{each}" for each in range(width))
    execute(session, f"CREATE TABLE t ({', '.join(f'{column} integer' for column in columns)})")
    with session.transaction():
        session.put_rows(Shelf("t", columns), [tuple(range(at, at + width)) for at in range(20)])
    assert session.all("SELECT count(*), sum(c0), sum(c123) FROM t") == [(20, 190, 190 + 123 * 20)]


def test_a_row_that_cannot_be_put_rolls_everything_back(table: Session) -> None:
    with pytest.raises(Fault, match="(?i)unique"), table.transaction():
        table.put_rows(Shelf("t", ("id", "v")), [(each % 90, each) for each in range(100)])
    assert _ids(table) == []
