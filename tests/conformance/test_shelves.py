"""Rows that are put many at once, and found so: each value is what it was."""

import contextlib
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.conformance.conftest import execute
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.streams import Shelf

ODD_TEXTS = (
    *('"', "'", "\\", '\\"', "\\n", "\n", "\r\n", "\t", "\b\f", "\x01\x1f\x7f", "ü", "\u2028", "𝄞", "\\u0041"),
    *("", " ", ",", "{", "}", "{a,b}", "[]", "1", "true", "null", "NULL", '{"a": "b\\"c", "d": [1, null]}', "a" * 300),
)


def test_odd_texts_that_are_put_are_found_as_they_are(session: Session) -> None:
    execute(session, "CREATE TABLE t (id integer PRIMARY KEY, said text)")
    shelf, rows = Shelf("t", ("id", "said"), ("id",)), [*enumerate(ODD_TEXTS), (len(ODD_TEXTS), None)]
    with session.transaction():
        session.put_rows(shelf, rows)
    assert sorted(session.find_rows(shelf, ["id"], [(each,) for each, _ in rows])) == rows
    assert sorted(session.find_rows(shelf, ["said"], [(said,) for _, said in rows])) == rows[:-1]


def test_rows_that_cannot_be_put_are_undone_in_memory_too(session: Session) -> None:
    execute(session, "CREATE TABLE t (id integer PRIMARY KEY, said text NOT NULL)")
    session.undo_in_memory()
    shelf = Shelf("t", ("id", "said"), ("id",))
    with session.transaction():
        session.put_rows(shelf, [(each, "x" * 900) for each in range(500)])
        session.run("SAVEPOINT s")
        with contextlib.suppress(Fault):
            session.put_rows(shelf, [(each, "y" * 900 if each < 490 else None) for each in range(500)])
        session.run("ROLLBACK TO SAVEPOINT s")
    assert session.all("SELECT count(*), min(said), max(said) FROM t") == [(500, "x" * 900, "x" * 900)]


def test_a_text_that_cannot_be_stored_is_a_fault(session: Session) -> None:
    execute(session, "CREATE TABLE t (said text)")
    with pytest.raises(Fault), session.transaction():
        session.put_rows(Shelf("t", ("said",)), [("half of a character: \ud834",)])
    assert session.all("SELECT count(*) FROM t") == [(0,)]


def test_values_of_every_kind_are_put(pg_session: Session) -> None:
    columns = (
        "i bigint, b boolean, f double precision, n numeric(9, 3), d date, ts timestamptz, j jsonb, a text[], x bytea"
    )
    execute(pg_session, f"CREATE TABLE t ({columns}, c varchar(3))")
    at = datetime(2025, 1, 2, 3, 4, 5, 678_901, UTC)
    values = (2**60, True, -0.1, Decimal("12.345"), at.date(), at, '{"k": "\\n"}', '{a,"b\\"",NULL}', b"\x00\\", "äöü")
    nested = (-1, False, 1e300, 7, "2025-01-02", "2025-01-02 03:04:05.678901+00", {"k": ["\n"]}, "{}", b"", "")
    names = ("i", "b", "f", "n", "d", "ts", "j", "a", "x", "c")
    with pg_session.transaction():
        pg_session.put_rows(Shelf("t", names), [values, nested, (None,) * len(names)])
    found = pg_session.all(
        "SELECT i, b, f, n, d, ts = CAST(:at AS timestamptz), j ->> 'k', a, x, c FROM t", {"at": at.isoformat()}
    )
    assert found == [
        (2**60, True, -0.1, Decimal("12.345"), at.date(), True, "\n", ["a", 'b"', None], b"\x00\\", "äöü"),
        (-1, False, 1e300, Decimal("7.000"), at.date(), True, '["\\n"]', [], b"", ""),
        (None,) * len(names),
    ]


def test_a_text_with_a_zero_byte_is_a_fault_on_postgresql(pg_session: Session) -> None:
    execute(pg_session, "CREATE TABLE t (said text)")
    with pytest.raises(Fault), pg_session.transaction():
        pg_session.put_rows(Shelf("t", ("said",)), [("zero \x00",)])
    assert pg_session.all("SELECT count(*) FROM t") == [(0,)]
