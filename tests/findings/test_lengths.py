"""Types of PostgreSQL that are not like others: those with a length, and those that are sorted and never hashed."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("first", ["'ab', 1.25, 'xy'", "NULL, NULL, NULL"], ids=["filled", "empty"])
def test_an_extreme_value_keeps_its_whole_length(place: Place, freshness: Freshness, first: str) -> None:
    """``max`` of ``character(5)`` is ``bpchar``; a cast to ``character`` would leave one letter of it."""
    place.run(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c character(5), n numeric(6, 2), v character varying(4))",
        f"INSERT INTO t VALUES (1, {first})",
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "INSERT INTO u VALUES (1), (2), (3)",
    )
    extremes = "max(t.c) AS last, min(t.c) AS first, max(t.n) AS most, min(t.v) AS least"
    place.derive("groups", f"SELECT t.c, {extremes}, count(*) AS n FROM t GROUP BY t.c", freshness=freshness)
    columns = ", ".join(f"(SELECT {one}(t.c) FROM t WHERE t.id >= u.id) AS {one}_c" for one in ("max", "min"))
    place.derive("columns", f"SELECT u.id, {columns} FROM u", freshness="tick")
    place.derive("totals", "SELECT t.n, max(t.c) AS last, min(t.c) AS first FROM t GROUP BY t.n", freshness=freshness)
    place.tidemark.apply()
    for change in (
        "INSERT INTO t VALUES (2, 'abcd', 1.25, 'xyzw'), (3, 'abcde', 3.5, 'w'), (4, 'b', 1.25, NULL)",
        "UPDATE t SET c = 'bcd' WHERE id = 3",
        "DELETE FROM t WHERE id = 4",
        "UPDATE t SET c = 'aaaaa', n = 1.25",
    ):
        place.run(change)
        place.drained()
    place.verified()


SORTED = {
    "money": ("'1'", "'2.50'"),
    "bit(3)": ("B'101'", "B'001'"),
    "bit varying": ("B'1'", "B'01'"),
    "tsvector": ("'a b'", "'b'"),
    "money[]": ("'{1,2}'", "'{}'"),
}


@pytest.mark.parametrize("type_", SORTED)
def test_a_key_that_cannot_be_hashed_refuses_no_writer(pg: Place, type_: str) -> None:
    """Where a key may be NULL, written rows are joined by the hash of their keys, and one that has none by itself."""
    one, other = SORTED[type_]
    pg.run(f"CREATE TABLE t (id integer PRIMARY KEY, g integer, m {type_})")
    pg.derive("groups", "SELECT m, count(*) AS n, max(id) AS newest FROM t GROUP BY m", freshness="commit")
    pg.derive("pairs", "SELECT g, m, count(*) AS n, max(id) AS newest FROM t GROUP BY g, m", freshness="commit")
    pg.tidemark.apply()
    for change in (
        f"INSERT INTO t VALUES (1, 1, {one}), (2, 1, {other}), (3, NULL, NULL), (4, 2, {one}), (5, NULL, {one})",
        "UPDATE t SET m = NULL WHERE id = 1",
        "DELETE FROM t WHERE id = 5",
        f"UPDATE t SET m = {other}, g = NULL WHERE id > 2",
    ):
        pg.run(change)
    pg.verified()
