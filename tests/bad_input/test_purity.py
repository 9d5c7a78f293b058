"""Values that change by themselves, or depend on who asks."""

import pytest

from tests.bad_input.town import Town
from tidemark.errors import Code


@pytest.mark.parametrize(
    "expression", ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "random()", "abs(random())"]
)
def test_volatile_on_both(town: Town, expression: str) -> None:
    town.declare(f"SELECT id, {expression} AS x FROM t")
    town.refused(Code.VOLATILE)
    town.declare(f"SELECT g, count(*) AS n FROM t WHERE CAST({expression} AS TEXT) > '1' GROUP BY g")
    town.refused(Code.VOLATILE)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("date('now')", Code.VOLATILE),
        ("datetime(' NOW ')", Code.VOLATILE),
        ("date()", Code.VOLATILE),
        ("strftime('%Y')", Code.VOLATILE),
        ("julianday('now', '-1 day')", Code.VOLATILE),
        ("date(seen, 'localtime')", Code.SESSION_DEPENDENT),
        ("datetime(seen, 'utc')", Code.SESSION_DEPENDENT),
        ("changes()", Code.VOLATILE),
        ("last_insert_rowid()", Code.VOLATILE),
        ("randomblob(4)", Code.VOLATILE),
        ("my_own_function(v)", None),
        ("load_extension('x')", Code.VOLATILE),
    ],
)
def test_volatile_on_sqlite(lite: Town, expression: str, code: Code | None) -> None:
    lite.declare(f"SELECT id, {expression} AS x FROM t")
    lite.refused(code or Code.PARSE)


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("now()", Code.VOLATILE),
        ("clock_timestamp()", Code.VOLATILE),
        ("gen_random_uuid()", Code.VOLATILE),
        ("nextval('s')", Code.VOLATILE),
        ("pg_backend_pid()", Code.VOLATILE),
        ("LOCALTIMESTAMP", Code.VOLATILE),
        ("current_user", Code.SESSION_DEPENDENT),
        ("session_user", Code.SESSION_DEPENDENT),
        ("current_setting('TimeZone')", Code.SESSION_DEPENDENT),
        ("current_schema()", Code.SESSION_DEPENDENT),
        ("at::date", Code.SESSION_DEPENDENT),
        ("at::text", Code.SESSION_DEPENDENT),
        ("CAST(at AS timestamp)", Code.SESSION_DEPENDENT),
        ("date_trunc('day', at)", Code.SESSION_DEPENDENT),
        ("extract(hour FROM at)", Code.SESSION_DEPENDENT),
        ("to_char(at, 'YYYY')", Code.SESSION_DEPENDENT),
        ("d::timestamptz", Code.SESSION_DEPENDENT),
        ("at + interval '1 day'", Code.SESSION_DEPENDENT),
        ("at > d", Code.SESSION_DEPENDENT),
        ("'now'::timestamptz > at", Code.VOLATILE),
        ("at > 'now'", Code.VOLATILE),
        ("at BETWEEN ' Yesterday ' AND '2030-01-01'", Code.VOLATILE),
        ("date 'today'", Code.VOLATILE),
        ("d IN ('today', '2024-01-01')", Code.VOLATILE),
        ("d::text", Code.SESSION_DEPENDENT),
        ("('today' || '')::date", Code.SESSION_DEPENDENT),
        ("price::numeric", Code.SESSION_DEPENDENT),
        ("age(at)", Code.SESSION_DEPENDENT),
        ("mine(id)", Code.VOLATILE),
        ("mine_stable(id)", Code.SESSION_DEPENDENT),
        ("concat(j ->> 'a')", Code.SESSION_DEPENDENT),
        ("concat_ws(',', id, at)", Code.SESSION_DEPENDENT),
        ("format('%s', d)", Code.SESSION_DEPENDENT),
        ("jsonb_build_object('at', at)", Code.SESSION_DEPENDENT),
        ("jsonb_build_array(id, jsonb_build_array(at))", Code.SESSION_DEPENDENT),
        ("to_jsonb(ARRAY[at])", Code.SESSION_DEPENDENT),
        ("array_to_string(ARRAY[d], ',')", Code.SESSION_DEPENDENT),
        ("to_char(d, 'YYYY')", Code.SESSION_DEPENDENT),
        ("to_char(at AT TIME ZONE 'UTC', 'TMMonth')", Code.SESSION_DEPENDENT),
        ("to_char(f, '9D9')", Code.SESSION_DEPENDENT),
        ("to_char(f, j ->> 'a')", Code.SESSION_DEPENDENT),
        ("concat_ws(',', id, jsonb_build_object('d', d::text))", Code.SESSION_DEPENDENT),
    ],
)
def test_volatile_and_session_dependent_on_postgresql(pg: Town, expression: str, code: Code) -> None:
    pg.run(
        "CREATE SEQUENCE s",
        "CREATE FUNCTION mine(int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1'",
        "CREATE FUNCTION mine_stable(int) RETURNS int LANGUAGE plpgsql STABLE AS 'BEGIN RETURN 1; END'",
        "CREATE FUNCTION concat(text) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END'",
    )
    pg.declare(f"SELECT id, {expression} AS x FROM z")
    pg.refused(code)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM z WHERE at::date > '2024-01-01'",
        "SELECT at::date AS day, count(*) AS n FROM z GROUP BY at::date",
        "SELECT f, max(at::date) AS day FROM z GROUP BY f",
        "SELECT f, count(*) FILTER (WHERE at::date = d) AS n FROM z GROUP BY f",
        "SELECT f, max(at)::date AS day FROM z GROUP BY f",
        "SELECT f, count(*) AS n FROM z GROUP BY f HAVING max(at)::date > '2024-01-01'",
        "SELECT u.id, (SELECT count(*) FROM z WHERE z.id = u.id AND z.at::date > '2024-01-01') AS n FROM u",
        "SELECT u.id, (SELECT max(z.at)::text FROM z WHERE z.id = u.id) AS n FROM u",
        "SELECT u.id, EXISTS (SELECT 1 FROM z WHERE z.id = u.id AND date_trunc('day', z.at) = z.at) AS n FROM u",
        "SELECT u.id, z.d FROM u JOIN z ON z.id = u.id AND z.at::date = z.d",
        "SELECT DISTINCT at::date AS day FROM z",
        "SELECT f, jsonb_agg(at ORDER BY id) AS x FROM z GROUP BY f",
        "SELECT f, jsonb_object_agg(id, at) AS x FROM z GROUP BY f",
        "SELECT f, jsonb_object_agg(id, concat(d)) AS x FROM z GROUP BY f",
        "SELECT u.id, (SELECT jsonb_agg(ARRAY[z.at] ORDER BY z.id) FROM z WHERE z.id = u.id) AS x FROM u",
    ],
)
def test_session_dependent_wherever_it_stands(pg: Town, query: str) -> None:
    """What depends on the session's time zone is no value of the row."""
    pg.declare(query)
    pg.refused(Code.SESSION_DEPENDENT)


@pytest.mark.parametrize(
    "call",
    ["json_object_agg(id, f)::jsonb", "jsonb_object_agg(tags[1], f)", "jsonb_object_agg(d, id)", "array_agg(id)"],
)
def test_what_the_order_of_rows_decides(pg: Town, call: str) -> None:
    """Of equal keys the last row wins, whichever that is; of different ones none does."""
    pg.declare(f"SELECT f, {call} AS x FROM z GROUP BY f")
    pg.refused(Code.VOLATILE)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT (at AT TIME ZONE 'UTC')::date AS day, count(*) AS n FROM z GROUP BY 1",
        "SELECT id, date_trunc('day', at AT TIME ZONE 'Europe/Berlin') AS day, j ->> 'a' AS a, tags[1] AS tag FROM z",
        "SELECT date_trunc('day', at, 'Europe/Berlin') AS day, count(*) AS n FROM z GROUP BY 1",
        "SELECT id, d + make_interval(days => id, hours => 2) AS due FROM z",
        "SELECT id, label FROM t WHERE label IN ('now', 'today') OR label = 'yesterday'",
        "SELECT id, at FROM z WHERE at > '2024-01-01 00:00:00+00' AND d < date '2030-01-01'",
        "SELECT id, concat_ws(', ', id, f, j ->> 'a') AS name, format('%s:%s', id, array_to_string(tags, ',')) AS tags FROM z",
        "SELECT id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, to_char(f, 'FM990.00') AS f FROM z",
        "SELECT concat(f, '/', id % 2) AS name, count(*) AS n FROM z GROUP BY name",
        "SELECT id, jsonb_build_object('id', id, 'day', d, 'at', at AT TIME ZONE 'UTC', 'tags', to_jsonb(tags)) AS x FROM z",
        "SELECT f, jsonb_agg(jsonb_build_array(id, d) ORDER BY id) AS x, jsonb_object_agg(id, d) AS o FROM z GROUP BY f",
    ],
)
def test_what_depends_on_the_row_alone_is_kept(pg: Town, query: str) -> None:
    pg.run("INSERT INTO z VALUES (1, '2024-03-01 23:30:00+00', '2024-03-01', 0.5, '{\"a\": \"x\"}', '{p,q}', 5)")
    pg.declare(query)
    pg.fine("apply", "--yes")
    pg.run(
        "INSERT INTO z VALUES (2, '2024-03-01 22:30:00+00', '2024-03-01', 0.5, NULL, '{p,q}', 5)",
        "UPDATE t SET label = 'now'",
    )
    pg.fine("verify")
