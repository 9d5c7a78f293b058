"""Where readers see the rows on PostgreSQL: in the first schema of the search path, and in no other one afterwards."""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from tests.kit.postgres import Server
from tidemark import Project, Refusal, Tidemark
from tidemark.errors import Code
from tidemark.model import Catalog, Declaration

HOSTILE = 'Ünï "q" .select'
OWNER = "homes_owner"
SOURCES = """
CREATE TABLE posts (id int PRIMARY KEY, thread int, author int);
CREATE TABLE users (id int PRIMARY KEY, name text, written bigint);
CREATE TABLE parts (id int, day date, v int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE FUNCTION twice(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x * 2';
INSERT INTO users VALUES (1, 'ann', NULL), (2, 'bob', NULL);
INSERT INTO posts VALUES (1, 7, 1), (2, 7, 2), (3, 8, 1);
INSERT INTO parts VALUES (1, '2020-05-05', 4), (2, '2020-05-05', 5)
"""
CHANGES = """
INSERT INTO posts VALUES (4, 8, 2), (5, 9, 2); UPDATE posts SET thread = 8 WHERE id = 1; DELETE FROM users WHERE id = 1;
INSERT INTO parts VALUES (3, '2020-05-05', 6)
"""
VIEWS = "SELECT schemaname::text, viewname::text FROM pg_views WHERE schemaname !~ '^(pg_|information)' ORDER BY 1, 2"


def run(url: str, *texts: str) -> None:
    with psycopg.connect(url, autocommit=True) as client:
        for text in texts:
            client.execute(sql.SQL(text))


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as client:
        return client.execute(sql.SQL(query)).fetchall()


def on_path(url: str, path: str) -> str:
    """The database for a session whose search path is that."""
    return f"{url}?options={quote(f'-csearch_path={path}', safe='')}"


def declared(home: str, *, few: bool = True) -> Project:
    """Rows of several kinds; `home` is the schema as a query may write it."""
    project = Project("homes")
    project.derive("Threads", query="SELECT thread, count(*) AS n, max(id) AS last FROM posts GROUP BY thread")
    project.derive("days", query="SELECT day, sum(twice(v)) AS v FROM parts GROUP BY day")
    project.derive("sizes", query=f'SELECT n, count(*) AS threads FROM {home}."Threads" GROUP BY n')
    more = "SELECT thread, count(DISTINCT author) AS authors FROM posts GROUP BY thread"
    project.derive("more", query=more, columns_of="Threads", freshness="tick")
    if few:
        return project
    authors = "SELECT p.id, u.name, twice(p.thread) AS t FROM posts p JOIN users u ON u.id = p.author"
    project.derive("authors", query=authors, key="id", live=True)
    project.derive("sampled", query=authors, key="id", sampled=["users.name"])
    project.derive("names", query="SELECT name, count(*) AS n FROM authors GROUP BY name")
    written = "SELECT u.id, count(p.id) AS written FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.id"
    project.derive("written", query=written, key="id", columns_of="users", freshness="tick")
    return project


def test_a_role_without_any_right_on_public(pg_database: str, postgres: Server) -> None:
    home = '"' + HOSTILE.replace('"', '""') + '"'
    database = pg_database.rpartition("/")[2]
    with contextlib.suppress(psycopg.errors.DuplicateObject):
        postgres.run(f"CREATE ROLE {OWNER} LOGIN")
    run(
        pg_database,
        f"REVOKE ALL ON DATABASE {database} FROM PUBLIC; GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {OWNER}",
        f"REVOKE ALL ON SCHEMA public FROM PUBLIC; CREATE SCHEMA {home}; CREATE SCHEMA tidemark AUTHORIZATION {OWNER}",
        f"GRANT USAGE ON SCHEMA {home} TO {OWNER}",
        f"ALTER ROLE {OWNER} IN DATABASE {database} SET search_path TO {home}",
    )
    url = postgres.dsn(database, user=OWNER)
    tidemark = Tidemark(declared(home, few=False), url)
    with pytest.raises(Refusal, match="There is no table"):
        tidemark.plan()
    run(pg_database, f"SET search_path TO {home}; {SOURCES}")
    run(
        pg_database,
        f"SET search_path TO {home}; ALTER TABLE posts OWNER TO {OWNER}; ALTER TABLE users OWNER TO {OWNER}",
    )
    run(
        pg_database,
        f"SET search_path TO {home}; ALTER TABLE parts OWNER TO {OWNER}; ALTER TABLE parts_a OWNER TO {OWNER}",
    )
    with pytest.raises(Refusal, match="may not create views in the schema Ünï") as refused:
        tidemark.apply()
    run(pg_database, refused.value.instead.partition(": ")[2])
    tidemark.apply()
    names = ("Threads", "authors", "authors_live", "days", "more", "names", "sampled", "sizes")
    assert rows(pg_database, VIEWS) == [(HOSTILE, name) for name in names]
    run(url, CHANGES, 'DROP VIEW "Threads" CASCADE')
    wrong = {row.name: row.captures for row in tidemark.status() if row.captures != "ok"}
    assert list(wrong) == ["Threads"] and f"{HOSTILE}.Threads missing" in wrong["Threads"]
    tidemark.apply()
    tidemark.run(until_idle=True)
    assert all(report.clean for report in tidemark.verify()) and tidemark.plan().is_empty
    assert rows(url, 'SELECT * FROM "Threads" ORDER BY 1') == [(7, 1, 2, 1), (8, 3, 4, 2), (9, 1, 5, 1)]
    assert rows(url, "SELECT * FROM names") == [("bob", 3)] and rows(url, "SELECT written FROM users") == [(3,)]
    tidemark.uninstall(keep_data=True)
    assert rows(url, "SELECT n FROM sizes ORDER BY 1") == [(1,), (3,)] and rows(pg_database, VIEWS) == []
    assert rows(pg_database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'tidemark'") == [(0,)]


@pytest.fixture
def homes(pg_database: str) -> str:
    """A database with the same tables in two schemas, and rows that are seen in the first of them."""
    run(pg_database, "CREATE SCHEMA main; CREATE SCHEMA tenant; CREATE SCHEMA aside")
    for schema in ("main", "tenant"):
        run(pg_database, f"SET search_path TO {schema}; {SOURCES}")
    Tidemark(declared("main"), on_path(pg_database, "main")).apply()
    return pg_database


def test_rows_stay_where_they_are_seen(homes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = rows(homes, VIEWS)
    for path, said in (("tenant", "stands in schema main"), ("pg_catalog,tenant", "stands in schema main")):
        with pytest.raises(Refusal, match=said) as refused:
            Tidemark(declared("main"), on_path(homes, path)).plan()
        assert refused.value.code is Code.UNSUPPORTED and 'SET search_path TO "main"' in refused.value.instead
    elsewhere = Tidemark(declared("main"), on_path(homes, "aside,main"))
    elsewhere.apply()
    assert rows(homes, VIEWS) == seen and elsewhere.plan().is_empty
    # Whoever looks with a path of its own sees neither another partition nor another function.
    stranger = Tidemark(None, on_path(homes, "public"))
    assert {row.captures for row in stranger.status()} == {"ok"}
    # Mutant: where rows are seen already is not asked, so that they would go where the path begins, away from who reads them.
    monkeypatch.setattr("tidemark.compiler.derived.home_of", first_of_path)
    monkeypatch.setattr("tidemark.query.cascade.home_of", first_of_path)
    with pytest.raises(Refusal, match="no table Threads"):
        elsewhere.plan()


def first_of_path(declaration: Declaration, catalog: Catalog) -> str:
    return catalog.search_path[0]


def test_a_schema_that_got_another_name_or_is_gone(homes: str) -> None:
    run(homes, 'ALTER SCHEMA main RENAME TO "App2"')
    renamed = Tidemark(declared('"App2"'), on_path(homes, '"App2"'))
    assert "ok" not in {row.captures for row in renamed.status()}
    plan = renamed.plan()
    assert {step.verb for step in plan.steps} == {"replace"}
    assert "schema main is gone, and its rows are seen in App2" in {step.reason for step in plan.steps}
    renamed.apply()
    seen = rows(homes, VIEWS)
    assert len(seen) == 4 and {schema for schema, _ in seen} == {"App2"} and not renamed.plan().orphans
    run(homes, f'SET search_path TO "App2"; {CHANGES}')
    renamed.run(until_idle=True)
    assert all(report.clean for report in renamed.verify())
    run(homes, 'DROP SCHEMA "App2" CASCADE')
    assert "ok" not in {row.captures for row in renamed.status()}
    with pytest.raises(Refusal, match="No schema in the search_path exists"):
        renamed.plan()
    renamed.uninstall()
    assert rows(homes, VIEWS) == []
