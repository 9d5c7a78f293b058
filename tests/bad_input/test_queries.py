"""Queries that cannot be read, name what is not there, are no queries, or cannot be kept true as they are asked for."""

from dataclasses import dataclass

import pytest

from tests.bad_input.town import Town
from tidemark.errors import Code, Exit


@dataclass(frozen=True)
class Case:
    """A query and why it is refused; `place` is in the text that the refusal points at."""

    query: str
    code: Code
    words: tuple[str, ...] = ()
    place: str | None = None


UNREADABLE = (
    Case("SELEC id FROM t", Code.PARSE),
    Case("SELECT id FROM t WHERE", Code.PARSE),
    Case("SELECT (id FROM t", Code.PARSE),
    Case("SELECT 'x FROM t", Code.PARSE),
    Case("SELECT id, FROM t", Code.PARSE),
    Case("潮 🌊 潮", Code.PARSE),
    Case(")", Code.PARSE),
    Case("SELECT " + "(" * 3000 + "id" + ")" * 3000 + " FROM t", Code.PARSE),
    Case("SELECT id FROM t WHERE " + " OR ".join(f"v = {n}" for n in range(3000)) + " AND (", Code.PARSE),
    Case("-- only a comment", Code.NOT_A_QUERY),
    Case(";", Code.NOT_A_QUERY),
    Case("SELECT id FROM t; SELECT id FROM u", Code.NOT_A_QUERY, ("one",)),
    Case("SELECT id FROM t; DROP TABLE t", Code.NOT_A_QUERY),
    Case("DELETE FROM t", Code.NOT_A_QUERY, ("SELECT",)),
    Case("DROP TABLE t", Code.NOT_A_QUERY),
    Case("VALUES (1)", Code.NOT_A_QUERY),
    Case("EXPLAIN SELECT id FROM t", Code.NOT_A_QUERY),
)

UNKNOWN = (
    Case("SELECT id FROM nowhere", Code.UNKNOWN_TABLE, ("nowhere", "t"), "nowhere"),
    Case("SELECT id FROM no_schema.t", Code.UNKNOWN_TABLE, ("t",)),
    Case("SELECT id,\n       nothing\nFROM t", Code.UNKNOWN_COLUMN, ("nothing",), "nothing"),
    Case("SELECT t.id, x.v FROM t", Code.UNKNOWN_COLUMN, ("x.v",)),
    Case("SELECT t.id, u.nothing FROM t JOIN u ON t.id = u.id", Code.UNKNOWN_COLUMN, ("nothing",)),
    Case("SELECT id FROM t JOIN u ON t.g = u.id", Code.UNKNOWN_COLUMN, ("ambiguous",), "id"),
    Case("SELECT id FROM t GROUP BY nothing", Code.UNKNOWN_COLUMN, ("nothing",)),
    Case('SELECT id, v FROM t WHERE label = "x"', Code.UNKNOWN_COLUMN, ("single quotes",)),
    Case("SELECT id, (SELECT count(*) FROM u WHERE u.nothing = t.id) AS n FROM t", Code.UNKNOWN_COLUMN, ("nothing",)),
    Case("SELECT x.* FROM t", Code.UNKNOWN_COLUMN),
)

NEVER_KEPT = (
    Case("SELECT 1 AS one", Code.UNSUPPORTED, ("FROM",)),
    Case("SELECT id, row_number() OVER (ORDER BY id) AS n FROM t", Code.GLOBAL, ("allow_global",)),
    Case(
        "SELECT id, sum(v) OVER (PARTITION BY g) AS s, count(*) OVER (PARTITION BY v) AS n FROM t",
        Code.GLOBAL,
        ("partitioned",),
    ),
    Case("SELECT id, (SELECT count(*) FROM u) AS n FROM t", Code.GLOBAL, ("outer",)),
)

BY_WRITERS = (
    "SELECT id FROM t UNION SELECT id FROM u",
    "SELECT id FROM t LIMIT 5",
    "WITH x AS (SELECT id FROM t) SELECT id FROM x",
    "SELECT id, g, sum(v) OVER (PARTITION BY g) AS s FROM t",
    "SELECT id, sum(v) OVER (PARTITION BY g) AS s FROM t",
    "SELECT t.id AS id FROM t JOIN u USING (id)",
    "SELECT u.name, count(*) AS n FROM t JOIN u ON t.g = u.id GROUP BY u.name",
    "SELECT id, (SELECT name FROM u WHERE u.id = t.g) AS n FROM t",
    "SELECT id, v FROM w",
)
UNDER_ONE_LOCK = {
    "SELECT t.id, count(*) AS n FROM t JOIN u ON u.id < t.g GROUP BY t.id": "no equality",
    "SELECT t.id, count(*) AS n FROM t JOIN u ON u.id = t.g JOIN t AS o ON o.g = u.name::int GROUP BY t.id": "step by step",
}
ALL_ROWS_AT_ONCE = (
    "SELECT id, row_number() OVER (ORDER BY id) AS n FROM t",
    "SELECT id, (SELECT count(*) FROM u) AS n FROM t",
)

SHAPES = (
    Case("SELECT id, v + 1 FROM t", Code.DECLARATION, ("name",)),
    Case("SELECT id, v, g AS v FROM t", Code.DECLARATION, ("v",)),
    Case("SELECT id, v AS tidemark_n FROM t", Code.NAME, ("tidemark_n",)),
)


@pytest.mark.parametrize("case", [*UNREADABLE, *UNKNOWN, *NEVER_KEPT, *SHAPES], ids=lambda case: case.query[:60])
def test_a_query_that_is_refused(town: Town, case: Case) -> None:
    if not town.is_sqlite and case.query.startswith("SELECT id, v FROM t WHERE label"):
        town.run('CREATE TABLE other ("x" text)')
    town.declare(case.query)
    town.refused(case.code, *case.words, place=case.place)


@pytest.mark.parametrize("query", BY_WRITERS)
def test_a_query_that_writers_compute(town: Town, query: str) -> None:
    """By ticks unless it is asked for, and then at every commit."""
    town.run("CREATE VIEW w AS SELECT id, v FROM t")
    for freshness in (None, "commit"):
        town.declare(query, freshness=freshness)
        code, answer = town.ask("plan")
        assert (code, answer["steps"][0]["freshness"]) == (Exit.OK, freshness or "tick")


@pytest.mark.parametrize(("query", "word"), UNDER_ONE_LOCK.items())
def test_a_query_that_writers_compute_one_after_another(pg: Town, query: str, word: str) -> None:
    pg.declare(query, freshness="commit")
    pg.refused(Code.FRESHNESS, "allow_lock", word)
    pg.declare(query, freshness="commit", allow_lock=True)
    assert pg.ask("plan")[0] == Exit.OK


@pytest.mark.parametrize("query", ALL_ROWS_AT_ONCE)
def test_a_query_that_no_writer_should_compute(town: Town, query: str) -> None:
    town.declare(query, freshness="commit")
    town.refused(Code.GLOBAL, "allow_global")
    town.declare(query, freshness="commit", allow_global=True)
    town.refused(Code.FRESHNESS, "tick", "every row")


def test_all_in_a_comparison(town: Town) -> None:
    """SQLite has no such comparison; on PostgreSQL every row is compared with every other."""
    town.declare("SELECT id FROM t WHERE v > ALL (SELECT id FROM u)")
    town.refused(Code.PARSE if town.is_sqlite else Code.GLOBAL, "ALL")


def test_a_column_that_is_neither_grouped_nor_aggregated(town: Town) -> None:
    """SQLite would take any row's; PostgreSQL says no by itself."""
    town.declare("SELECT g, v, count(*) AS n FROM t GROUP BY g")
    town.refused(Code.UNSUPPORTED if town.is_sqlite else Code.PARSE, "v", "GROUP BY" if town.is_sqlite else "")


def test_the_place_is_a_line_and_a_column(town: Town) -> None:
    town.declare("SELECT id,\n       v,\n       nothing AS n\nFROM t")
    _, answer = town.ask("plan")
    place = answer["error"]["place"]
    assert place["line"] == 3 and place["column"] >= 8 and "nothing" in place["text"]


def test_the_declaration_is_named(town: Town) -> None:
    town.declare("SELECT id FROM nowhere", name="busy_threads")
    _, answer = town.ask("plan")
    assert answer["error"]["derived"] == "busy_threads"


def test_an_empty_query_is_refused_before_any_database_is_opened(town: Town) -> None:
    for query in ("", "   ", "\0"):
        town.declare(query)
        code, answer = town.ask("plan", url="sqlite:////nowhere/at/all.db")
        assert (code, answer["error"]["code"]) == (Exit.REFUSED, "declaration")
        assert "derived.py:3" in answer["error"]["reason"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id, label + 1 AS n FROM t",
        "SELECT id, v || FROM t",
        "SELECT id, nosuch(v) AS n FROM t",
        "SELECT id, sum(label) AS n FROM t GROUP BY id",
        "SELECT id, v FROM t WHERE label",
        "SELECT id, CAST(v AS nosuchtype) AS n FROM t",
    ],
)
def test_what_postgresql_does_not_accept(pg: Town, query: str) -> None:
    pg.declare(query)
    pg.refused(Code.PARSE)


def test_a_view_is_read_as_what_it_says(town: Town) -> None:
    """So is what is wrong with it: a view of random numbers is as volatile as its own text."""
    town.run("CREATE VIEW w AS SELECT id, v FROM t", "CREATE VIEW x AS SELECT id, v + random() AS r FROM t")
    town.declare("SELECT id, r FROM x", key="id")
    town.refused(Code.VOLATILE)
    town.declare("SELECT v, count(*) AS n FROM w GROUP BY v")
    town.fine("apply", "--yes")
    town.fine("verify")
    assert sorted(town.rows("SELECT * FROM derived_one"), key=str) == [(5, 1), (7, 1), (None, 1)]


def test_materialized_views_foreign_and_system_tables_are_no_sources(pg: Town) -> None:
    pg.run("CREATE MATERIALIZED VIEW m AS SELECT id, v FROM t")
    for query in ("SELECT v, count(*) AS n FROM m GROUP BY v",):
        pg.declare(query)
        pg.refused(Code.SOURCE_KIND, "materialized")
    pg.declare("SELECT relkind, count(*) AS n FROM pg_catalog.pg_class GROUP BY relkind")
    pg.refused(Code.UNKNOWN_TABLE)


def test_tables_that_a_crash_empties_are_no_sources(pg: Town) -> None:
    pg.run(
        "CREATE UNLOGGED TABLE hits (id integer PRIMARY KEY, v integer)",
        "CREATE TABLE days (day integer NOT NULL, v integer) PARTITION BY LIST (day)",
        "CREATE UNLOGGED TABLE monday PARTITION OF days FOR VALUES IN (1)",
    )
    for source in ("hits", "days"):
        pg.declare(f"SELECT v, count(*) AS n FROM {source} GROUP BY v")
        pg.refused(Code.SOURCE_KIND, "is unlogged")
    pg.run("ALTER TABLE hits SET LOGGED")
    pg.declare("SELECT v, count(*) AS n FROM hits GROUP BY v")
    pg.fine("apply", "--yes")


def test_virtual_tables_are_no_sources(lite: Town) -> None:
    lite.run("CREATE VIRTUAL TABLE notes USING fts5(body)")
    lite.declare("SELECT body, count(*) AS n FROM notes GROUP BY body")
    lite.refused(Code.SOURCE_KIND, "virtual")


def test_a_public_name_that_is_taken(town: Town) -> None:
    town.declare("SELECT id, v FROM t", name="u")
    town.refused(Code.NAME_TAKEN, "u")
