"""Types of PostgreSQL whose values cannot be told equal, or not by their text: writers, ticks and verifications take them."""

from __future__ import annotations

import psycopg
import pytest

from tests.findings.place import Place
from tidemark import Refusal
from tidemark.database.postgres import catalog as postgres_catalog
from tidemark.database.postgres import equality as postgres_equality
from tidemark.database.postgres import probe as postgres_probe
from tidemark.maintenance import aggregates
from tidemark.model import Freshness, Table
from tidemark.render.postgres import flush as postgres_flush
from tidemark.render.postgres import log as postgres_log

# By type: two values. A box equals every other one of its area, and has no equality by which rows could be grouped.
BARE = {
    "json": ("'{\"a\": 1}'", "'[1]'"),
    "jsonpath": ("'$.a'", "'$.b'"),
    "point": ("'(1,2)'", "'(2,2)'"),
    "box": ("'(1,1),(0,0)'", "'(3,3),(2,2)'"),
    "json[]": ("ARRAY['1'::json]", "ARRAY['2'::json]"),
    "noted": ("'1'", "'2'"),
    "held": ("ROW('$.a', 1)::held", "ROW('$.b', 1)::held"),
}
SETUP = ("CREATE DOMAIN noted AS json", "CREATE TYPE held AS (path jsonpath, n integer)")


COLUMNS = tuple(f"k{number}" for number in range(len(BARE)))


def _make(place: Place) -> None:
    columns = ", ".join(f"{name} {type_}" for name, type_ in zip(COLUMNS, BARE, strict=True))
    place.run(*SETUP, f"CREATE TABLE t (id integer PRIMARY KEY, g integer, {columns})")


def _write(place: Place, freshness: Freshness) -> None:
    _make(place)
    one, other = (", ".join(values[side] for values in BARE.values()) for side in (0, 1))
    place.run(f"INSERT INTO t VALUES (1, 1, {one})")
    counts = ", ".join(f"count({name}) AS {name}" for name in COLUMNS)
    place.derive("copies", f"SELECT id, {', '.join(COLUMNS)} FROM t", "id", freshness)
    place.derive("groups", f"SELECT g, {counts} FROM t GROUP BY g", "g", freshness)
    place.tidemark.apply()
    changes = [
        f"UPDATE t SET {name} = {values[1]} WHERE id = 1" for name, values in zip(COLUMNS, BARE.values(), strict=True)
    ]
    place.run(f"INSERT INTO t VALUES (2, 1, {other})", "INSERT INTO t VALUES (3, 2)")
    for change in (*changes, "UPDATE t SET g = 2", f"UPDATE t SET {COLUMNS[0]} = NULL", "DELETE FROM t WHERE id = 2"):
        place.run(change)
        place.drained()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_values_without_an_equality_refuse_no_writer(pg: Place, freshness: Freshness) -> None:
    _write(pg, freshness)
    pg.verified()
    assert all(report.clean and not report.why_not for report in pg.tidemark.verify_as_written())
    for name, (wrong, _) in zip(COLUMNS, BARE.values(), strict=True):
        pg.run(f"UPDATE tidemark.copies SET _{name} = {wrong} WHERE id = 1")
        found = {report.derived: report.drift for report in pg.tidemark.verify()}
        assert found["copies"] == 1, f"the verification is blind to {name}"
        pg.tidemark.repair("copies")
        pg.check()


def test_taking_every_type_for_comparable_would_be_seen(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (postgres_catalog, postgres_probe):
        text = module._COLUMNS.replace(postgres_equality.COMPARABLE.format(type="a.atttypid"), "true")
        assert text != module._COLUMNS
        monkeypatch.setattr(module, "_COLUMNS", text)
    with pytest.raises((psycopg.Error, Refusal), match="equality operator|operator does not exist"):
        _write(pg, "tick")


def test_values_without_an_equality_are_computed_again(pg: Place) -> None:
    _make(pg)
    listed = ", ".join(COLUMNS)
    pg.install("newest", f"SELECT DISTINCT ON (g) g, {listed} FROM t ORDER BY g, id DESC", "g", freshness="tick")
    for side in (0, 1, 0):
        pg.run(f"INSERT INTO t SELECT count(*), 1, {', '.join(values[side] for values in BARE.values())} FROM t")
        pg.drained()
    pg.run("DELETE FROM t WHERE id = 2")
    pg.drained()
    pg.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_blanks_at_the_end_are_copied(pg: Place, freshness: Freshness) -> None:
    """bpchar without a length keeps them, equality does not see them, and a cast to text drops them."""
    pg.run("CREATE TABLE t (id integer PRIMARY KEY, k bpchar)", "INSERT INTO t VALUES (1, 'a'), (2, 'b  ')")
    pg.install("copies", "SELECT id, k FROM t", "id", freshness=freshness)
    for change in ("UPDATE t SET k = 'a  ' WHERE id = 1", "UPDATE t SET k = 'b' WHERE id = 2"):
        pg.run(change)
        pg.drained()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize(
    ("type_", "one", "other"),
    [('"char"', "'a'", "'b'"), ("name", "'a'", "'b'"), ("cidr", "'10.0.0.1/32'", "'10.0.0.0/8'")],
)
def test_extremes_of_a_type_that_has_none_of_its_own(
    pg: Place, type_: str, one: str, other: str, freshness: Freshness
) -> None:
    pg.run(f"CREATE TABLE t (id integer PRIMARY KEY, g integer, k {type_})")
    query = "SELECT g, max(k) AS last, min(k) AS first FROM t GROUP BY g"
    pg.install("extremes", query, "g", freshness=freshness)
    for change in (
        f"INSERT INTO t VALUES (1, 1, {one}), (2, 1, {other})",
        f"UPDATE t SET k = {one}",
        f"UPDATE t SET k = {other} WHERE id = 1",
        "DELETE FROM t WHERE id = 1",
    ):
        pg.run(change)
        pg.drained()
    kinds = "SELECT pg_typeof(last)::text, last::text FROM"
    assert pg.rows(f"{kinds} extremes") == pg.rows(f"{kinds} ({query}) AS q")
    pg.verified()


def test_blanks_that_a_cast_drops_would_be_seen(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    spelled = postgres_log.as_spelled

    def cast(table: Table, names: tuple[str, ...]) -> str:
        return spelled(table, names).replace('ROW("k")', '"k"')

    monkeypatch.setattr(postgres_log, "as_spelled", cast)
    with pytest.raises(AssertionError, match="stored"):
        test_blanks_at_the_end_are_copied(pg, "tick")


def test_extremes_that_are_taken_for_their_type_would_be_seen(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "_EXTREMES_OF", {})
    with pytest.raises(psycopg.errors.DatatypeMismatch):
        test_extremes_of_a_type_that_has_none_of_its_own(pg, '"char"', "'a'", "'b'", "commit")


def test_values_that_have_no_order_are_written_beside_values_that_cannot_be_hashed(pg: Place) -> None:
    pg.run("CREATE TABLE t (id integer PRIMARY KEY, x xid, m money)", "INSERT INTO t VALUES (1, '5', 1), (2, '6', 2)")
    pg.derive("at_commit", "SELECT id, x, m FROM t", "id", "commit")
    pg.derive("at_ticks", "SELECT id, x, m FROM t", "id", "tick")
    pg.tidemark.apply()
    pg.run("UPDATE t SET m = 3 WHERE id = 1", "UPDATE t SET x = '7'", "DELETE FROM t WHERE id = 2")
    pg.drained()


def test_keys_of_a_type_that_only_has_an_order(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of cube, isn and the ltree of older servers. Where a key may be NULL, deltas meet what they were written to by a
    hash, if there is one; a mistake that hashes every type has each commit of a writer fail."""
    called = {"<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">": "gt"}
    pg.run(
        "CREATE TYPE odd",
        "CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'int4in'",
        "CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out'",
        "CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = integer)",
        "CREATE FUNCTION odd_cmp(odd, odd) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp'",
    )
    for sign, name in called.items():
        body = f"LANGUAGE internal IMMUTABLE STRICT AS 'int4{name}'"
        pg.run(f"CREATE FUNCTION odd_{name}(odd, odd) RETURNS boolean {body}")
        pg.run(f"CREATE OPERATOR {sign} (LEFTARG = odd, RIGHTARG = odd, FUNCTION = odd_{name})")
    order = ", ".join(f"OPERATOR {place} {sign}" for place, sign in enumerate(called, start=1))
    pg.run(
        f"CREATE OPERATOR CLASS odd_ops DEFAULT FOR TYPE odd USING btree AS {order}, FUNCTION 1 odd_cmp(odd, odd)",
        "CREATE TABLE t (id integer PRIMARY KEY, k odd, v integer)",
        "INSERT INTO t VALUES (1, '1', 1), (2, NULL, 2)",
    )
    pg.derive("highest", "SELECT k, count(*) AS n, max(v) AS m FROM t GROUP BY k", freshness="commit")
    pg.derive("kinds", "SELECT v % 2 AS g, count(DISTINCT k) AS n FROM t GROUP BY v % 2", freshness="commit")
    pg.tidemark.apply()
    for statement in ("INSERT INTO t VALUES (3, '1', 3), (4, NULL, 3), (5, '2', 1)", "DELETE FROM t WHERE v > 1"):
        pg.run(statement)
        pg.verified()
    monkeypatch.setattr(postgres_flush, "is_hashed", lambda _: True)
    pg.derive("again", pg.queries["highest"], freshness="commit")
    pg.tidemark.apply()
    with pytest.raises(psycopg.errors.UndefinedFunction):
        pg.run("INSERT INTO t VALUES (6, '1', 9)")
