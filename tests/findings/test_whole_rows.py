"""Whole rows as JSON on PostgreSQL, by the names of their tables and subqueries."""

import pytest

from tests.findings.place import Place
from tidemark.errors import Code, Refusal

KEPT = {
    "each": "SELECT id, to_jsonb(u) - 'note' AS o FROM u",
    "collected": "SELECT f.u, jsonb_agg(f ORDER BY f.id DESC) AS o, count(*) AS n FROM f GROUP BY f.u",
    "nested": "SELECT u.id, jsonb_build_object('u', to_jsonb(u), 'f', (SELECT coalesce(jsonb_agg(x ORDER BY x.v, x.id), '[]') "
    "FROM (SELECT f.id, f.v AS v FROM f WHERE f.u = u.id) AS x)) AS o FROM u",
    "counted": "SELECT u.id, count(f) AS n FROM u LEFT JOIN f ON f.u = u.id GROUP BY u.id",
    "different": "SELECT v, jsonb_agg(DISTINCT x) AS o FROM (SELECT f.v, f.u FROM f) AS x GROUP BY v",
    "or_none": "SELECT u.id, jsonb_agg(f ORDER BY f.id) AS o, jsonb_agg(f ORDER BY f.id) FILTER (WHERE f.v > 0) AS p FROM u "
    "LEFT JOIN f ON f.u = u.id GROUP BY u.id",
    "as_text": 'SELECT x."n""1", row_to_json(x) AS o, to_json(x) AS p FROM (SELECT id AS "n""1", note FROM u) AS x',
    "in_texts": "SELECT f.id, json_build_object('f', f, 'u', u, 'n', 1) AS o, json_build_array(u, f) AS a FROM f "
    "LEFT JOIN u ON u.id = f.u",
    "in_lines": "SELECT f.u, json_agg(f ORDER BY f.id DESC) AS o, json_agg(f.* ORDER BY f.id) FILTER (WHERE f.v > 0) AS p FROM f "
    "GROUP BY f.u",
    "latest": "SELECT u.id, coalesce((SELECT json_agg(x) FROM (SELECT id, v FROM f WHERE f.u = u.id ORDER BY id LIMIT 2) x), "
    "'[]') AS o FROM u",
    "of_none": "SELECT f.id, to_jsonb(w) AS o, jsonb_build_array(w, f) AS a FROM u AS w RIGHT JOIN f ON f.u = w.id",
}
REFUSED = {
    "SELECT f.id, to_jsonb(w) AS o FROM f LEFT JOIN (SELECT id, note FROM u) AS w ON w.id = f.u": "jsonb_build_object",
    "SELECT x.id, to_jsonb(x) AS o FROM (SELECT id, v AS n, v AS n FROM f) AS x": "jsonb_build_object",
    "SELECT a, to_jsonb(w) AS o FROM u AS w (a, b)": "jsonb_build_object",
    "SELECT a, to_jsonb(w) AS o FROM (SELECT id, note FROM u) AS w (a, b)": "jsonb_build_object",
    "SELECT id, row_to_json(u, true) AS o FROM u": "row_to_json(u)",
    "SELECT u.id, json_agg(f ORDER BY f.id) AS o FROM u LEFT JOIN f ON f.u = u.id GROUP BY u.id": "jsonb_agg",
    "SELECT id, u AS o FROM u": "each column",
}
CHANGES = (
    "INSERT INTO u VALUES (3, NULL), (4, 'd')",
    "INSERT INTO f VALUES (10, 1, NULL), (11, 3, 2)",
    "UPDATE u SET note = 'x' WHERE id = 1",
    "UPDATE f SET u = 3, v = NULL",
    "DELETE FROM u WHERE id = 3",
    "DELETE FROM f",
)


@pytest.fixture
def rows(pg: Place) -> Place:
    pg.run(
        "CREATE TABLE u (id integer PRIMARY KEY, note text)",
        "CREATE TABLE f (id integer PRIMARY KEY, u integer, v integer)",
        "CREATE INDEX f_u ON f (u)",
        "INSERT INTO u VALUES (1, 'a'), (2, NULL)",
        "INSERT INTO f VALUES (1, 1, 1), (2, 1, 1), (3, NULL, 3)",
    )
    return pg


def test_whole_rows_are_kept(rows: Place) -> None:
    for name, query in KEPT.items():
        rows.derive(name, query)
    rows.tidemark.apply()
    for change in CHANGES:
        rows.run(change)
        rows.drained()
        for name, query in KEPT.items():
            # JSON is a text, and it is that of the query.
            shown, said = (
                rows.rows(f"SELECT x::text FROM ({text}) AS x ORDER BY 1") for text in (f"SELECT * FROM {name}", query)
            )
            assert shown == said, name
    rows.verified()


@pytest.mark.parametrize("query", REFUSED)
def test_a_row_that_cannot_be_written_out_is_refused(rows: Place, query: str) -> None:
    rows.derive("refused", query)
    with pytest.raises(Refusal) as caught:
        rows.tidemark.plan()
    assert caught.value.code is Code.UNSUPPORTED
    assert REFUSED[query] in caught.value.instead
