"""PostgreSQL: who writes and with which settings: no grant, other paths, other zones, the replica role, row security."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

from tests.findings.place import Connection, Place
from tests.kit.postgres import Server
from tidemark import Refusal
from tidemark.errors import Code
from tidemark.model import Freshness
from tidemark.render.postgres import settings as postgres_settings
from tidemark.runtime.objects import gaps

WRITER = "findings_writer"
STRANGER = "findings_stranger"
QUERIES = (
    ("counts", "SELECT g, count(*) AS n, sum(v) AS v, max(label) AS last FROM f GROUP BY g"),
    ("users", "SELECT u.id, (SELECT min(f.v) FROM f WHERE f.g = u.id) AS least FROM u"),
)


@pytest.fixture
def shared(pg: Place, postgres: Server) -> Iterator[Place]:
    """Sources that a role without any right on what is ours may write."""
    pg.run(
        f"DO $$ BEGIN CREATE ROLE {WRITER} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "CREATE TABLE u (id int PRIMARY KEY)",
        "CREATE TABLE f (id int PRIMARY KEY, g int, v int, label text)",
        "INSERT INTO u VALUES (1), (2)",
        "INSERT INTO f VALUES (1, 1, 5, 'a'), (2, 1, 6, 'b'), (3, 2, 7, 'c')",
        f"GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON u, f TO {WRITER}",
    )
    yield pg
    pg.run(f"DROP OWNED BY {WRITER}")


def install(place: Place, freshness: Freshness) -> None:
    for name, query in QUERIES:
        place.derive(name, query, freshness=freshness)
    place.tidemark.apply()


def writer(place: Place) -> Connection:
    """A connection as the role that owns nothing."""
    return place.client(place.url.replace("postgres@", f"{WRITER}@"))


CHANGES = (
    "INSERT INTO f VALUES (10, 1, 1, 'x'), (11, 3, 2, NULL)",
    "UPDATE f SET g = 2 WHERE id = 1",
    "DELETE FROM f WHERE id = 2",
    "INSERT INTO u VALUES (3)",
    "TRUNCATE f",
    "INSERT INTO f VALUES (12, 3, 4, 'y')",
)


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_role_without_any_grant_on_our_schema(shared: Place, freshness: Freshness) -> None:
    install(shared, freshness)
    client = writer(shared)
    for change in CHANGES:
        client.execute(change)
        shared.drained()
    shared.verified()
    for forbidden in (
        "SELECT * FROM tidemark._armed",
        "INSERT INTO tidemark._pending_counts DEFAULT VALUES" if freshness == "commit" else "TABLE tidemark._derived",
        "UPDATE tidemark.counts SET n = 0",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            client.execute(forbidden)


def test_our_functions_cannot_be_called_to_forge_deltas(shared: Place) -> None:
    install(shared, "commit")
    client = writer(shared)
    client.execute("CREATE TEMP TABLE mine (id int, g int, v int, label text)")
    with pytest.raises(psycopg.Error):
        client.execute(
            "CREATE TRIGGER forged AFTER INSERT ON mine REFERENCING NEW TABLE AS n FOR EACH STATEMENT "
            "EXECUTE FUNCTION tidemark._insert_counts_f()"
        )
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        client.execute("SELECT tidemark._flush_counts()")
    shared.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_settings_of_the_writing_session(shared: Place, freshness: Freshness) -> None:
    shared.run("ALTER TABLE f ADD COLUMN seen timestamptz, ADD COLUMN span interval")
    shared.derive(
        "days",
        "SELECT (seen AT TIME ZONE 'Europe/Berlin')::date AS day, count(*) AS n, max(span) AS longest FROM f GROUP BY 1",
        freshness=freshness,
    )
    install(shared, freshness)
    client = shared.client()
    client.execute("CREATE SCHEMA shadow")
    client.execute("CREATE TABLE shadow.f (id int PRIMARY KEY, g int, v int, label text)")
    client.execute("CREATE TABLE shadow.u (id int PRIMARY KEY)")
    client.execute("CREATE FUNCTION shadow.sum(x int) RETURNS int LANGUAGE sql AS 'SELECT 666'")
    client.execute(
        "CREATE FUNCTION shadow.eq(a int, b int) RETURNS bool LANGUAGE sql AS 'SELECT true'; "
        "CREATE OPERATOR shadow.= (LEFTARG = int, RIGHTARG = int, FUNCTION = shadow.eq)"
    )
    for setting in (
        "search_path = shadow, pg_catalog",
        "TimeZone = 'Pacific/Kiritimati'",
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'",
        "extra_float_digits = -5",
        "lc_messages = 'C'",
        "standard_conforming_strings = off",
        "default_transaction_isolation = 'repeatable read'",
        "transform_null_equals = on",
    ):
        client.execute(f"SET {setting}")
    client.execute("CREATE TEMP TABLE f (id int, g int, v int, label text)")
    # What the rows of a statement are called in our functions.
    client.execute("CREATE TEMP TABLE n (LIKE public.f)")
    client.execute("CREATE TEMP TABLE o (LIKE public.f)")
    client.execute(
        "INSERT INTO public.f VALUES (20, 1, 5, 't', '2024-03-01 23:30:00+00', '25 hours'), "
        "(21, 1, 5, 't', '2024-03-01 00:30:00+00', '1 day')"
    )
    shared.drained()
    client.execute("UPDATE public.f SET seen = seen + interval '1 day', span = '3 4:05:06' WHERE id >= 20")
    shared.drained()
    client.execute("DELETE FROM public.f WHERE id = 21")
    shared.drained()
    shared.verified()


CALLED_OTHERWISE = {
    "ranges": "SELECT g, count(*) AS n FROM t WHERE r && '[2024-01-01 00:00,2024-01-01 06:00)' GROUP BY g",
    "domains": "SELECT g, count(*) AS n FROM t WHERE m >= '2024-01-01 00:00' GROUP BY g",
    "lists": "SELECT g, count(*) AS n, count(DISTINCT id) AS d FROM t WHERE '2024-01-01 00:00' < ANY (l) GROUP BY g",
    "cast": "SELECT g, count(*) FILTER (WHERE CAST('01/02/2024' AS day) < '2024-01-15') AS n FROM t GROUP BY g",
    "given": "SELECT g, count(*) AS n FROM t WHERE k < since('2024-01-01 00:00') GROUP BY g",
    "met": "SELECT t.id, count(o.id) AS n FROM t LEFT JOIN t AS o ON o.g = t.g AND o.m > '2024-01-01 00:00' GROUP BY t.id",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_settings_of_times_that_are_called_otherwise(pg: Place, freshness: Freshness) -> None:
    _call_times_otherwise(pg, freshness)
    pg.drained()
    pg.verified()


def test_a_mistake_in_what_speaks_of_times_is_seen(pg: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for judge in ("_is_timeless", "_speaks_of_none"):
        monkeypatch.setattr(postgres_settings, judge, lambda said: not re.search("time|date|interval", said.lower()))
    _call_times_otherwise(pg, "commit")
    with pytest.raises(AssertionError, match="ranges|domains|cast"):
        pg.check()


def _call_times_otherwise(pg: Place, freshness: Freshness) -> None:
    """Somebody in another zone writes evenings that a query reads by types whose names say nothing of times."""
    pg.run(
        "CREATE DOMAIN moment AS timestamptz",
        "CREATE DOMAIN day AS date",
        "CREATE FUNCTION since(x timestamptz) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT extract(epoch FROM x)'",
        "CREATE TABLE t (id int PRIMARY KEY, g int, k bigint, r tstzrange, m moment, l moment[])",
    )
    for name, query in CALLED_OTHERWISE.items():
        pg.derive(name, query, freshness=freshness)
    pg.tidemark.apply()
    client = pg.client()
    client.execute("SET TimeZone = 'Asia/Tokyo'")
    client.execute("SET DateStyle = 'SQL, DMY'")
    evening = "2023-12-31 20:00+00"
    client.execute(
        f"INSERT INTO t VALUES (1, 1, extract(epoch FROM timestamptz '{evening}'), '[{evening},{evening}]', '{evening}', "
        f"ARRAY['{evening}']::moment[])"
    )


SPELLED = {
    "floats": "SELECT id, r::text AS s FROM t",
    "longest": "SELECT g, max(r::text) AS s, count(*) AS n FROM t GROUP BY g",
    "bytes": "SELECT id, b::text AS s FROM t",
    "together": "SELECT id, concat(r, '/', s) AS x, jsonb_build_object('r', r) AS y FROM t",
    "slashes": r"SELECT id, s = 'a\b' AS same, s ~ '^a\w' AS word, s LIKE 'a\_%' AS alike FROM t",
    "counted": r"SELECT g, count(*) FILTER (WHERE s = 'a\nb') AS n FROM t GROUP BY g",
    "never": "SELECT id, (s = NULL) AS never FROM t",
    "quoted": "SELECT id, quote_ident(s) AS x, format('%I', coalesce(s, 'none')) AS y FROM t",
    "listed": "SELECT id, '{a,NULL}'::text[] AS x FROM t",
    "marked": "SELECT id, xmlforest(b)::text AS x FROM t",
    "since": "SELECT g, count(*) AS n, max(date '01/02/2024') AS d FROM t GROUP BY g",
    "numbered": "SELECT id, g, row_number() OVER (PARTITION BY g ORDER BY r::text, id) AS n FROM t",
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_settings_that_spell_what_the_server_calls_immutable(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TABLE t (id int PRIMARY KEY, g int, r double precision, b bytea, s text)",
        r"INSERT INTO t VALUES (1, 1, 0.1234567890123, '\x0102', 'a\b')",
    )
    for name, query in SPELLED.items():
        pg.derive(name, query, freshness=freshness)
    pg.tidemark.apply()
    client = pg.client()
    for setting in (
        "extra_float_digits = -8",
        "bytea_output = escape",
        "standard_conforming_strings = off",
        "transform_null_equals = on",
        "array_nulls = off",
        "quote_all_identifiers = on",
        "xmlbinary = hex",
        "DateStyle = 'SQL, DMY'",
    ):
        client.execute(f"SET {setting}")
    client.execute(
        r"INSERT INTO t VALUES (2, 2, 0.1234567890123, '\\x01', E'a\\b'), (3, 3, 1e0 / 3, '\\x02', E'a\\nb'), "
        r"(4, 3, 1.23456789012, NULL, E'a\nb'), (5, 3, NULL, NULL, NULL), (6, 3, 2, NULL, E'a\\_x'), (7, 4, 2, NULL, 'plain')"
    )
    client.execute("UPDATE t SET r = r + 1 WHERE id = 1")
    client.execute("UPDATE t SET s = NULL WHERE id = 4")
    client.execute("DELETE FROM t WHERE id = 2")
    pg.drained()
    pg.verified()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_the_replica_role_does_not_switch_capture_off(shared: Place, freshness: Freshness) -> None:
    install(shared, freshness)
    client = shared.client()
    client.execute("SET session_replication_role = replica")
    for change in CHANGES:
        client.execute(change)
        shared.drained()
    shared.verified()


def test_forced_row_security_is_refused(shared: Place, postgres: Server) -> None:
    """The owner of our functions would see a part of the rows; a role that bypasses row security sees all."""
    shared.run(
        f"GRANT ALL ON DATABASE {shared.user.info.dbname} TO {WRITER}",
        f"GRANT ALL ON SCHEMA public TO {WRITER}",
        f"ALTER TABLE f OWNER TO {WRITER}",
        f"ALTER TABLE u OWNER TO {WRITER}",
        "ALTER TABLE f ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE f FORCE ROW LEVEL SECURITY",
        "CREATE POLICY narrow ON f USING (v > 5)",
    )
    shared.derive("counts", "SELECT g, count(*) AS n FROM f GROUP BY g")
    admin = shared.url
    shared.url = admin.replace("postgres@", f"{WRITER}@")
    with pytest.raises(Refusal) as caught:
        shared.tidemark.apply()
    assert caught.value.code is Code.ROW_SECURITY
    assert "BYPASSRLS" in caught.value.instead
    assert shared.rows("SELECT 1 FROM pg_namespace WHERE nspname = 'tidemark'") == []
    shared.url = admin
    shared.tidemark.apply()
    shared.run("ALTER TABLE f OWNER TO postgres", "ALTER TABLE u OWNER TO postgres")
    shared.verified()


def test_row_security_hides_nothing_from_upkeep(shared: Place) -> None:
    shared.run(
        "ALTER TABLE f ENABLE ROW LEVEL SECURITY",
        f"CREATE POLICY narrow ON f TO {WRITER} USING (v <= 6) WITH CHECK (true)",
    )
    install(shared, "commit")
    client = writer(shared)
    for change in (
        "INSERT INTO f VALUES (30, 1, 50, 'z')",
        "UPDATE f SET v = 2 WHERE id = 2",
        "DELETE FROM f WHERE g = 1",
    ):
        client.execute(change)
        shared.check()
    shared.verified()


def test_a_switched_off_trigger_is_noticed(shared: Place) -> None:
    install(shared, "commit")
    (name,) = shared.rows(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'f'::regclass AND tgname LIKE '%insert_counts%'"
    )[0]
    shared.run(f'ALTER TABLE f DISABLE TRIGGER "{name}"', "INSERT INTO f VALUES (40, 1, 1, 'unseen')")
    assert not shared.tidemark.plan().is_empty
    shared.tidemark.apply()
    assert shared.tidemark.plan().is_empty
    shared.verified()
    shared.run("INSERT INTO f VALUES (41, 1, 1, 'seen')")
    shared.verified()


LOST = {
    "source": ("ALTER TABLE f OWNER TO {0}", "ALTER TABLE f OWNER TO {1}"),
    "store": ("ALTER TABLE tidemark.counts OWNER TO {0}", "ALTER TABLE tidemark.counts OWNER TO {1}"),
    "log": ("ALTER TABLE tidemark._capture_log_f OWNER TO {0}", "ALTER TABLE tidemark._capture_log_f OWNER TO {1}"),
    "schema": ("ALTER SCHEMA tidemark OWNER TO {0}", "ALTER SCHEMA tidemark OWNER TO {1}"),
    "grant": ("REVOKE INSERT ON tidemark._capture_log_f FROM {1}", "GRANT INSERT ON tidemark._capture_log_f TO {1}"),
}


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_right_of_the_role_behind_our_triggers_is_told(shared: Place, lost: str) -> None:
    """Our functions run as who installed them: whoever takes a right from that role makes every writer fail."""
    shared.run(
        f"DO $$ BEGIN CREATE ROLE {STRANGER}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT ALL ON DATABASE {shared.user.info.dbname} TO {WRITER}",
        f"GRANT ALL ON SCHEMA public TO {WRITER}",
        f"ALTER TABLE f OWNER TO {WRITER}",
        f"ALTER TABLE u OWNER TO {WRITER}",
    )
    shared.derive("counts", QUERIES[0][1], "g", "commit")
    shared.derive("ticked", QUERIES[0][1], "g", "tick")
    admin, installer = shared.url, shared.url.replace("postgres@", f"{WRITER}@")
    shared.url = installer
    shared.tidemark.apply()
    taken, given = (text.format(STRANGER, WRITER) for text in LOST[lost])
    shared.run(taken)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.run("UPDATE f SET v = 9, g = 3 WHERE id = 2")
    shared.url = admin
    told = [status for status in shared.tidemark.status() if not status.well]
    assert [status.name for status in told] == ["counts", "ticked"]
    assert all(WRITER in status.captures and "may not use" in status.captures for status in told)
    with pytest.raises(Refusal) as caught:
        shared.tidemark.apply()
    assert caught.value.code is Code.PRIVILEGE
    assert "GRANT" in caught.value.instead
    assert not any(status.well for status in shared.tidemark.status()), "an apply that was refused hides what is lost"
    shared.run(given)
    assert shared.rows("SELECT 1 FROM f WHERE g = 3") == []
    shared.url = installer
    shared.tidemark.apply()
    assert all(status.well for status in shared.tidemark.status())
    shared.run("UPDATE f SET v = 9, g = 3 WHERE id = 1")
    shared.tidemark.tick()
    shared.verified()
    shared.run("DROP SCHEMA tidemark CASCADE", "ALTER TABLE f OWNER TO postgres", "ALTER TABLE u OWNER TO postgres")


def test_a_lost_right_that_nobody_looks_for_would_be_seen(shared: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gaps, "look_at_sources", lambda *_: ({}, []))
    with pytest.raises(AssertionError):
        test_a_lost_right_of_the_role_behind_our_triggers_is_told(shared, "grant")
