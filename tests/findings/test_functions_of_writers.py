"""On SQLite a function is what the writer's connection has under its name."""

from __future__ import annotations

import sqlite3

import pytest

from tests.findings.place import Place
from tidemark import Refusal
from tidemark.errors import Code

QUERIES = {
    "floors": "SELECT id, floor(v) AS f FROM t",
    "counted": "SELECT CAST(sqrt(v) AS INTEGER) AS root, count(*) AS n FROM t GROUP BY 1",
    "longest": "SELECT g, max(pow(v, 2)) AS most, count(*) AS n FROM t GROUP BY g",
    "joined": "SELECT a.id, b.v AS w FROM t a JOIN t b ON b.id = ceil(a.v)",
}


@pytest.fixture
def filled(lite: Place) -> Place:
    lite.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER NOT NULL, v REAL)",
        "INSERT INTO t VALUES (1, 1, 2.5), (2, 1, 0.5)",
    )
    return lite


def _broken(*_: object) -> object:
    raise ValueError("this writer has no such function")


@pytest.mark.parametrize("own", [_broken, lambda *_: 7])
def test_writers_need_no_function_that_not_every_sqlite_has(filled: Place, own: object) -> None:
    for name, query in QUERIES.items():
        filled.derive(name, query)
    filled.tidemark.apply()
    assert {one.freshness for one in filled.tidemark.status()} == {"tick"}
    assert "not every program that writes has floor" in " ".join(filled.tidemark.explain("floors").notes)
    client = filled.client()
    assert isinstance(client, sqlite3.Connection)
    for name, arguments in (("floor", 1), ("sqrt", 1), ("pow", 2), ("ceil", 1)):
        client.create_function(name, arguments, own)
    client.execute("INSERT INTO t VALUES (3, 2, 9.9), (4, 2, NULL)")
    client.execute("UPDATE t SET v = 3.5 WHERE id = 1")
    client.execute("DELETE FROM t WHERE id = 2")
    filled.drained()
    filled.verified()


@pytest.mark.parametrize("name", QUERIES)
def test_commit_freshness_is_refused_for_them(filled: Place, name: str) -> None:
    filled.derive(name, QUERIES[name], freshness="commit")
    with pytest.raises(Refusal) as refused:
        filled.tidemark.plan()
    assert refused.value.code is Code.FRESHNESS and "in its SQLite" in str(refused.value)
