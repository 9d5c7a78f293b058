"""Functions in FROM: elements of documents and arrays are followed, what cannot be is refused, plans say what no index finds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.algebra.world import Place
from tidemark.database.open import open_session
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.errors import Code, Fault, Refusal
from tidemark.model import Freshness

SCHEMA = {
    "sqlite": (
        "CREATE TABLE tracks (id INTEGER PRIMARY KEY, owner INTEGER, tags TEXT, doc TEXT)",
        "CREATE TABLE names (name TEXT PRIMARY KEY, label TEXT)",
    ),
    "postgresql": (
        "CREATE TYPE pair AS (x integer, y text)",
        "CREATE TABLE tracks (id integer PRIMARY KEY, owner integer, tags text[], doc jsonb, pairs pair[], "
        "born timestamptz, died timestamptz)",
        "CREATE TABLE names (name text PRIMARY KEY, label text)",
    ),
}
ELEMENTS = {"sqlite": "json_each(t.tags) AS x", "postgresql": "unnest(t.tags) AS x(value)"}
ODD = {
    "sqlite": 'json_each(t.tags) AS "the select"',
    "postgresql": 'LATERAL unnest(t.tags) WITH ORDINALITY AS "the select"("value", "ORDER")',
}
QUERIES = {
    "tag_tracks": ("SELECT x.value AS tag, count(*) AS n FROM tracks t, {x} GROUP BY x.value", "tag"),
    "track_tags": ("SELECT t.id, count(x.value) AS n FROM tracks t LEFT JOIN {x} ON true GROUP BY t.id", "id"),
    "tag_owners": ("SELECT DISTINCT t.owner, x.value AS tag FROM tracks t CROSS JOIN {x}", ("owner", "tag")),
    "known": ("SELECT n.name, count(t.id) AS n FROM names n LEFT JOIN (tracks t JOIN {x} ON true) ON x.value = n.name "
              "GROUP BY n.name", "name"),
    "labels": ("SELECT t.id, min(n.label) AS first FROM tracks t JOIN {x} ON true JOIN names n ON n.name = x.value "
               "GROUP BY t.id", "id"),
    "tagged": ("SELECT t.id FROM tracks t WHERE EXISTS (SELECT 1 FROM {x} WHERE x.value = 'a')", "id"),
    "odd": ('SELECT "the select".value AS "from", max(t.id) AS "GROUP" FROM tracks t, {odd} GROUP BY 1', "from"),
    "in_order": ("SELECT t.id, (SELECT {texts} FROM {x} WHERE x.value <> 'c') AS tags FROM tracks t", "id"),
}  # fmt: skip
TEXTS = {
    "sqlite": "group_concat(x.value, '+') || json_group_array(x.value)",
    "postgresql": "array_agg(x.value || '') || string_to_array(string_agg(x.value, '+'), ',')",
}
STEPS = {
    "sqlite": ('\'["a","b","a"]\'', "'[]'", "NULL", "'[\"a\",null]'", '\'[["a"],"b"]\'', '\'{"k":"b"}\''),
    "postgresql": ("'{a,b,a}'", "'{}'", "NULL", "'{a,NULL}'", "'{{a,b},{c,d}}'", "'[2:3]={b,c}'"),
}

AT_COMMIT = ("tag_tracks", "track_tags", "in_order")


def _engine(url: str) -> str:
    return "postgresql" if url.startswith("postgres") else "sqlite"


@pytest.fixture
def place(engine_url: str) -> Iterator[Place]:
    engine = _engine(engine_url)
    user = open_session(engine_url)
    with user.transaction():
        for statement in SCHEMA[engine]:
            user.run(statement)
        user.run("INSERT INTO names VALUES ('a', 'A'), ('b', 'B'), ('c', 'C')")
    project = Project("called")
    for name, (query, key) in QUERIES.items():
        project.derive(f"{name}_tick", query=_query(query, engine), key=key, freshness="tick")
    for name in AT_COMMIT:
        query, key = QUERIES[name]
        project.derive(f"{name}_commit", query=_query(query, engine), key=key, freshness="commit")
    yield Place(user, Tidemark(project, engine_url))
    user.close()


def _query(query: str, engine: str) -> str:
    return query.format(x=ELEMENTS[engine], odd=ODD[engine], texts=TEXTS[engine])


def test_elements_are_followed(place: Place, engine_url: str) -> None:
    place.tidemark.apply()
    engine = _engine(engine_url)
    values = STEPS[engine]
    written = [f"INSERT INTO tracks (id, owner, tags) VALUES ({n}, {n % 2}, {value})" for n, value in enumerate(values)]
    written += [f"UPDATE tracks SET tags = {value} WHERE id IN ({n}, {n + 1})" for n, value in enumerate(values[::-1])]
    written += [
        "UPDATE names SET label = 'Z' WHERE name = 'a'",
        "DELETE FROM names WHERE name = 'b'",
        "INSERT INTO names VALUES ('b', 'again')",
        "UPDATE tracks SET owner = 7",
        "DELETE FROM tracks WHERE id < 3",
        "DELETE FROM tracks",
    ]
    for number, statement in enumerate(written):
        with place.user.transaction():
            place.user.run(statement)
        kept = [f"{name}_commit" for name in AT_COMMIT]
        if number % 4 == 3 or number == len(written) - 1:
            place.tidemark.tick()
            kept += [f"{name}_tick" for name in QUERIES]
        for name in kept:
            query, _ = QUERIES[name.rpartition("_")[0]]
            assert place.bag(f"SELECT * FROM {name}") == place.bag(_query(query, engine)), (name, statement)
    assert all(report.clean for report in place.tidemark.verify())


def test_a_plan_says_what_no_index_finds(place: Place) -> None:
    whole = place.tidemark.explain("tag_tracks_tick")
    assert [text for text, _ in whole.missing_indexes] == ["none that a column of tracks could have"]
    assert not place.tidemark.explain("track_tags_tick").missing_indexes
    assert "rows of " in " ".join(operator.what for operator in whole.operators)


def test_a_document_that_cannot_be_read_is_refused_by_the_writer(sqlite_path: object) -> None:
    """At commit freshness: what the query itself could not read is not written."""
    url = f"sqlite:///{sqlite_path}"
    with contextlib.closing(open_session(url)) as user:
        with user.transaction():
            for statement in SCHEMA["sqlite"]:
                user.run(statement)
        project = Project("called")
        query, key = QUERIES["tag_tracks"]
        project.derive("tag_tracks", query=_query(query, "sqlite"), key=key, freshness="commit")
        Tidemark(project, url).apply()
        with pytest.raises((Refusal, Fault), match="malformed JSON"), user.transaction():
            user.run("INSERT INTO tracks VALUES (1, 1, 'no document', NULL)")
        assert user.all("SELECT count(*) FROM tracks") == [(0,)]


REFUSED = {
    "sqlite": (
        ("SELECT t.id, x.id AS n FROM tracks t, json_each(t.tags) x", Code.VOLATILE),
        ("SELECT g.value, count(*) AS n FROM tracks t, generate_series(1, t.owner) g GROUP BY 1", Code.UNSUPPORTED),
        ("SELECT x.value, count(*) AS n FROM tracks t, json_each((SELECT max(label) FROM names)) x GROUP BY 1",
         Code.SUBQUERY_SHAPE),
        ("SELECT x.value, count(*) AS n FROM tracks t, upper(t.tags) x GROUP BY 1", Code.PARSE),
        ("SELECT t.id, group_concat(x.value) AS tags FROM tracks t, json_each(t.tags) x GROUP BY t.id", Code.VOLATILE),
        ("SELECT t.id, (SELECT group_concat(x.value) FROM json_each(t.tags) x WHERE x.value IN (SELECT name FROM names)) AS tags "
         "FROM tracks t", Code.VOLATILE),
    ),
    "postgresql": (
        ("SELECT t.id, unnest(t.tags) AS tag, generate_series(1, 2) AS again FROM tracks t", Code.UNSUPPORTED),
        ("SELECT t.id, unnest(string_to_array(unnest(t.tags), 'a')) AS tag FROM tracks t", Code.UNSUPPORTED),
        ("SELECT t.id, x.x FROM tracks t, jsonb_populate_record(NULL::pair, t.doc) x", Code.UNSUPPORTED),
        ("SELECT t.owner, count(DISTINCT t) AS n FROM tracks t GROUP BY t.owner", Code.UNSUPPORTED),
        ("SELECT id, born::date = current_date AS today FROM tracks", Code.VOLATILE),
        ("SELECT t.owner, unnest(array_agg(t.id)) AS id FROM tracks t GROUP BY t.owner", Code.UNSUPPORTED),
        ("SELECT n.name, ARRAY(SELECT t.id FROM tracks t WHERE t.doc ->> 'k' = n.name) AS ids FROM names n", Code.VOLATILE),
        ("SELECT t.id, unnest(t.tags) AS tag, rank() OVER (PARTITION BY t.owner ORDER BY t.id) AS n FROM tracks t",
         Code.UNSUPPORTED),
        ("SELECT t.id, x.a FROM tracks t, jsonb_to_record(t.doc) AS x(a timestamptz)", Code.SESSION_DEPENDENT),
        ("SELECT t.id, x.a FROM tracks t, jsonb_to_record(t.doc) AS x(a pair)", Code.SESSION_DEPENDENT),
        ("SELECT t.id, x.a FROM tracks t, unnest(t.tags) AS x(a text)", Code.UNSUPPORTED),
        ("SELECT x, count(*) AS n FROM tracks t, unnest(t.pairs) x GROUP BY x", Code.UNSUPPORTED),
        ("SELECT DISTINCT x.* FROM tracks t, unnest(t.pairs) x(a)", Code.UNSUPPORTED),
        ("SELECT g, count(*) AS n FROM tracks t, generate_series(t.born, t.died, '1 day') g GROUP BY g",
         Code.SESSION_DEPENDENT),
        ("SELECT g, count(*) AS n FROM tracks t, generate_series(t.born AT TIME ZONE 'UTC', now()::timestamp, '1 day') g "
         "GROUP BY g", Code.VOLATILE),
        ("SELECT a, count(*) AS n FROM tracks t, ROWS FROM (unnest(t.tags), unnest(t.tags)) x(a, b) GROUP BY a",
         Code.UNSUPPORTED),
        ("SELECT x, count(*) AS n FROM tracks t, unnest(ARRAY(SELECT label FROM names)) x GROUP BY x", Code.SUBQUERY_SHAPE),
    ),
}  # fmt: skip


def test_what_depends_on_more_than_the_row_is_refused(place: Place, engine_url: str) -> None:
    for query, code in REFUSED[_engine(engine_url)]:
        project = Project("refused")
        project.derive("refused", query=query, freshness="tick")
        with pytest.raises(Refusal) as met:
            Tidemark(project, engine_url).plan()
        assert met.value.code is code, (query, str(met.value))


GIVEN = (
    ("SELECT x.a, count(*) AS n FROM tracks t, unnest(t.pairs) x(a, b) GROUP BY x.a", ("a",)),
    ("SELECT t.id, x.n, x.v FROM tracks t, unnest(t.tags) WITH ORDINALITY x(v, n)", ("id", "n")),
    ("SELECT t.id, x.k FROM tracks t, jsonb_to_record(t.doc) AS x(k text)", ("id",)),
    ("SELECT t.id, key, value FROM tracks t, jsonb_each(t.doc)", ("id", "key")),
    ("SELECT t.id, g FROM tracks t, generate_series(1, t.owner) g", ("id", "g")),
    ("SELECT unnest AS tag, ordinality, count(*) AS n FROM tracks, unnest(tags) WITH ORDINALITY GROUP BY 1, 2",
     ("tag", "ordinality")),
    ("SELECT d.owner, s.tag, count(*) AS n FROM (SELECT owner, array_agg(id::text ORDER BY id) AS all_ FROM tracks "
     "GROUP BY owner) d, unnest(d.all_) s(tag) GROUP BY d.owner, s.tag", ("owner", "tag")),
    ("SELECT g AS day, count(*) AS n FROM tracks t, generate_series(t.born AT TIME ZONE 'UTC', t.died AT TIME ZONE 'UTC', "
     "'1 day') g WHERE g > (now() AT TIME ZONE 'UTC') - interval '3 days' GROUP BY g", ("day",)),
)  # fmt: skip


def test_keys_of_elements_are_proven(pg_database: str) -> None:
    with contextlib.closing(open_session(pg_database)) as user, user.transaction():
        for statement in SCHEMA["postgresql"]:
            user.run(statement)
    for query, key in GIVEN:
        project = Project("given")
        project.derive("given", query=query)
        found = Tidemark(project, pg_database).explain("given")
        assert found.klass in ("keyed", "bilinear") and found.key == key, query


LISTED = {
    "listed_tags": ("SELECT DISTINCT id, unnest(tags) AS tag FROM tracks", ("id", "tag")),
    "listed_counts": ("SELECT tag, count(*) AS n FROM (SELECT upper(unnest(tags)) AS tag FROM tracks WHERE owner > 0) t "
                      "GROUP BY tag", "tag"),
    "listed_steps": ("SELECT id, generate_series(1, owner) AS n, owner * 2 AS o FROM tracks", ("id", "n")),
    "listed_keys": ("SELECT k, max(id) AS last FROM (SELECT t.id, jsonb_object_keys(t.doc) AS k FROM tracks t "
                    "LEFT JOIN names n ON n.name = t.tags[1]) x GROUP BY k", "k"),
    "counted_rows": ("SELECT n.name, count(t) AS n, count(t.*) AS m FROM names n LEFT JOIN tracks t ON t.doc ->> 'k' = n.name "
                     "GROUP BY n.name", "name"),
    "side_by_side": ("SELECT DISTINCT id, unnest(tags) AS tag, unnest(ARRAY[owner, id]) AS n FROM tracks WHERE owner >= 0",
                     ("id", "tag", "n")),
    "whole_elements": ("SELECT t.id, e ->> 'k' AS k, count(e -> 'v') AS n FROM tracks t, jsonb_array_elements(doc -> 'all') e "
                       "GROUP BY 1, 2", ("id", "k")),
    "arrays_in_order": ("SELECT t.id, ARRAY(SELECT upper(x) FROM unnest(t.tags) x) AS tags, (SELECT jsonb_agg(e -> 'k') "
                        "FROM jsonb_array_elements(t.doc -> 'all') e) AS ks FROM tracks t", "id"),
    "listed_alone": ("SELECT n.n, count(t.id) AS tracks FROM (SELECT generate_series(1, 4) AS n) n "
                     "LEFT JOIN tracks t ON t.owner = n.n GROUP BY n.n", "n"),
    "typed": ("SELECT t.id, x.k, x.\"B b\" FROM tracks t, jsonb_to_record(t.doc) AS x(k text, \"B b\" integer[])", "id"),
    "typed_counts": ("SELECT x.k, count(*) AS n, sum(x.v) AS s FROM tracks t, jsonb_to_recordset(t.doc -> 'all') "
                     "AS x(k text, v double precision) GROUP BY x.k", "k"),
    "slices": ("SELECT id, tags[owner:2] AS some, doc ? 'k' AS has, doc ?| ARRAY['k', 'all'] AS any_, doc ?& ARRAY['k', 'B b'] "
               "AS every_, doc @? '$.all[*] ? (@.v > 1)' AS above, doc #- '{all,0}' AS less FROM tracks", "id"),
    "found": ("SELECT id FROM tracks WHERE to_tsvector('simple', array_to_string(tags, ' ')) @@ to_tsquery('simple', 'a & !c')",
              "id"),
}  # fmt: skip
DOCUMENTS = (
    """'{"k": "x", "B b": [1, 2], "all": [{"k": "a", "v": 1.50}, {"k": "b"}, {"v": 2}]}'""",
    """'{"all": [{"k": "a", "v": 3}], "k": null}'""",
    "'{}'",
    "NULL",
)


@pytest.mark.parametrize("freshness", ["tick", "commit"])
def test_rows_in_the_list_and_typed_rows(pg_database: str, freshness: Freshness) -> None:
    with contextlib.closing(open_session(pg_database)) as user:
        with user.transaction():
            for statement in SCHEMA["postgresql"]:
                user.run(statement)
            user.run("INSERT INTO names VALUES ('a', 'A'), ('b', 'B')")
        project = Project("listed")
        for name, (query, key) in LISTED.items():
            project.derive(name, query=query, key=key, freshness=freshness, allow_lock=freshness == "commit")
        place = Place(user, Tidemark(project, pg_database))
        place.tidemark.apply()
        values = STEPS["postgresql"]
        written = [
            f"INSERT INTO tracks (id, owner, tags, doc) VALUES ({n}, {n % 3}, {value}, {DOCUMENTS[n % 4]})"
            for n, value in enumerate(values)
        ]
        written += [
            f"UPDATE tracks SET tags = {value}, owner = {n} WHERE id = {n}" for n, value in enumerate(values[::-1])
        ]
        written += [f"UPDATE tracks SET doc = {doc} WHERE id % 3 = {n % 3}" for n, doc in enumerate(DOCUMENTS)]
        written += ["UPDATE names SET name = 'c' WHERE name = 'a'", "DELETE FROM tracks WHERE id IN (0, 3)"]
        for statement in written:
            with user.transaction():
                user.run(statement)
            place.tidemark.tick()
            for name, (query, _) in LISTED.items():
                assert place.bag(f"SELECT * FROM {name}") == place.bag(query), (name, statement)
        assert all(report.clean for report in place.tidemark.verify())
