"""PostgreSQL: every way to write rows, and what changes them on the way."""

import pytest

from tests.findings.place import Place, attempt
from tidemark.errors import Code, Refusal


@pytest.fixture
def shop(pg: Place) -> Place:
    """Orders and their lines, with cascades."""
    pg.run(
        "CREATE TABLE orders (id int PRIMARY KEY, buyer text, note text)",
        "CREATE TABLE lines (id int PRIMARY KEY, orders int REFERENCES orders(id) ON DELETE CASCADE ON UPDATE CASCADE, "
        "hint int REFERENCES orders(id) ON DELETE SET NULL ON UPDATE SET NULL, amount numeric(8,2), big bool)",
        "INSERT INTO orders VALUES (1, 'a', ''), (2, 'b', ''), (3, NULL, '')",
        "INSERT INTO lines VALUES (1, 1, 2, 5, true), (2, 1, 1, 7.5, false), (3, 2, 1, 9, NULL), (4, 3, 3, NULL, true)",
    )
    pg.derive(
        "totals", "SELECT orders, count(*) AS n, sum(amount) AS amount, avg(amount) AS mean FROM lines GROUP BY orders"
    )
    pg.derive("hints", "SELECT hint, max(amount) AS top, bool_or(big) AS any_big FROM lines GROUP BY hint")
    pg.derive(
        "orders_now",
        "SELECT o.id, o.buyer, (SELECT sum(l.amount) FROM lines l WHERE l.orders = o.id) AS amount, "
        "(SELECT count(*) FROM lines l WHERE l.hint = o.id) AS hinted FROM orders o",
        key="id",
    )
    pg.derive(
        "buyers",
        "SELECT o.buyer, sum(l.amount) AS amount FROM orders o JOIN lines l ON l.orders = o.id GROUP BY o.buyer",
        freshness="tick",
    )
    pg.tidemark.apply()
    pg.check()
    return pg


def each(place: Place, *statements: str) -> None:
    """After every statement everything is true."""
    for statement in statements:
        place.run(statement)
        place.drained()
    place.verified()


def test_cascades(shop: Place) -> None:
    each(
        shop,
        "UPDATE orders SET id = 20 WHERE id = 2",
        "DELETE FROM orders WHERE id = 1",
        "UPDATE orders SET id = id + 100",
        "DELETE FROM orders",
    )


def test_copy(shop: Place) -> None:
    with shop.user.cursor().copy("COPY lines FROM STDIN") as copy:
        for n in range(10, 60):
            copy.write_row((n, n % 3 + 1, None, n, n % 2 == 0))
    each(shop, "DELETE FROM lines WHERE id > 30")


def test_merge(shop: Place) -> None:
    each(
        shop,
        "MERGE INTO lines l USING (VALUES (1, 50), (3, 0), (9, 3)) AS s(id, amount) ON l.id = s.id "
        "WHEN MATCHED AND s.amount = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET amount = s.amount, orders = 3 "
        "WHEN NOT MATCHED THEN INSERT (id, orders, amount) VALUES (s.id, 2, s.amount)",
        "MERGE INTO orders o USING (VALUES (1), (7)) AS s(id) ON o.id = s.id "
        "WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (s.id, 'm')",
    )


def test_upserts(shop: Place) -> None:
    each(
        shop,
        "INSERT INTO lines VALUES (1, 2, 2, 1, false), (30, 2, 2, 1, false) ON CONFLICT DO NOTHING",
        "INSERT INTO lines VALUES (1, 2, 2, 1, false), (31, 3, 3, 4, true) ON CONFLICT (id) DO UPDATE "
        "SET orders = excluded.orders, amount = lines.amount + excluded.amount",
        "INSERT INTO lines VALUES (1, 2, 2, 1, false) ON CONFLICT (id) DO UPDATE SET amount = 0 WHERE false",
        "INSERT INTO orders VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET buyer = excluded.buyer",
    )


def test_data_modifying_queries(shop: Place) -> None:
    each(
        shop,
        "WITH gone AS (DELETE FROM lines WHERE orders = 1 RETURNING *), more AS (INSERT INTO orders VALUES (50, 'cte')) "
        "INSERT INTO lines SELECT id + 500, 2, hint, amount, big FROM gone",
        "WITH a AS (UPDATE lines SET amount = 1 WHERE id = 3), b AS (UPDATE lines SET amount = 2 WHERE id = 4) "
        "UPDATE orders SET buyer = 'w' WHERE id = 2",
        "WITH o AS (INSERT INTO orders VALUES (60, 'new') RETURNING id) "
        "INSERT INTO lines SELECT 600, 2, NULL, 6, true FROM o",
    )


def test_a_users_trigger_changes_columns_that_the_statement_does_not_name(shop: Place) -> None:
    """`UPDATE OF amount` would not fire for ``UPDATE lines SET big = …``."""
    shop.run(
        "CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.big THEN NEW.amount := coalesce(NEW.amount, 0) * 2 + 1; NEW.hint := NEW.orders; "
        "ELSIF NEW.amount > 100 THEN RETURN NULL; END IF; RETURN NEW; END $$",
        "CREATE TRIGGER change BEFORE INSERT OR UPDATE ON lines FOR EACH ROW EXECUTE FUNCTION change()",
    )
    each(
        shop,
        "UPDATE lines SET big = true",
        "INSERT INTO lines VALUES (70, 1, NULL, 5, true), (71, 1, NULL, 500, false)",
        "UPDATE lines SET big = false, amount = 1000",
        "UPDATE lines SET id = id + 1000",
    )


def test_a_users_trigger_writes_another_source(shop: Place) -> None:
    shop.run(
        "CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "UPDATE lines SET amount = coalesce(amount, 0) + 1 WHERE orders = NEW.id; "
        "INSERT INTO lines VALUES ((SELECT max(id) + 1 FROM lines), NEW.id, NULL, 3, NULL); RETURN NULL; END $$",
        "CREATE TRIGGER spread AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION spread()",
    )
    each(shop, "UPDATE orders SET note = 'x'", "UPDATE orders SET buyer = 'same' WHERE id < 3")


def test_a_users_deferred_trigger_writes_after_our_flush(shop: Place) -> None:
    shop.run(
        "CREATE FUNCTION last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.note = 'late' THEN UPDATE lines SET amount = 77 WHERE orders = NEW.id; END IF; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER zz_last AFTER UPDATE ON orders DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION last()",
    )
    shop.run(
        "BEGIN", "UPDATE lines SET amount = 1 WHERE id = 1", "UPDATE orders SET note = 'late' WHERE id = 1", "COMMIT"
    )
    shop.drained()
    shop.verified()


def test_generated_and_identity_columns(pg: Place) -> None:
    pg.run(
        "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b int GENERATED ALWAYS AS (a * 2) STORED)",
        "INSERT INTO t (a) VALUES (1), (2), (NULL)",
    )
    pg.derive("doubles", "SELECT b, count(*) AS n, max(id) AS last FROM t GROUP BY b")
    pg.tidemark.apply()
    each(pg, "UPDATE t SET a = 5 WHERE id = 1", "INSERT INTO t (a) VALUES (2), (5)", "DELETE FROM t WHERE b = 10")


def test_columns_that_newer_servers_know(pg: Place) -> None:
    """PostgreSQL 18 computes generated columns as they are read, and takes NOT NULL for rows that come alone."""
    pg.run(
        "CREATE TABLE u (id int PRIMARY KEY)",
        "INSERT INTO u VALUES (1)",
        "CREATE TABLE t (id int PRIMARY KEY, g int, u int)",
    )
    pg.run("INSERT INTO t VALUES (1, NULL, 1), (2, NULL, 1), (3, 7, 1)")
    if pg.user.info.server_version < 180000:
        assert attempt(pg.user, "ALTER TABLE t ADD NOT NULL g NOT VALID") == "42601"
        return
    pg.run("ALTER TABLE t ADD NOT NULL g NOT VALID", "ALTER TABLE t ADD twice int GENERATED ALWAYS AS (g * 2)")
    for freshness in ("commit", "tick"):
        query = "SELECT t.g, count(*) AS n FROM t JOIN u ON u.id = t.u GROUP BY t.g"
        pg.derive(f"joined_{freshness}", query, freshness=freshness)
        pg.derive(
            f"grouped_{freshness}", "SELECT g, count(*) AS n, max(id) AS m FROM t GROUP BY g", freshness=freshness
        )
    pg.tidemark.apply()
    each(
        pg,
        "DELETE FROM t WHERE id = 1",
        "ALTER TABLE t DROP CONSTRAINT t_g_not_null",
        "INSERT INTO t VALUES (4, NULL, 1)",
    )
    pg.verified()
    pg.project.derive("doubled", query="SELECT twice, count(*) AS n FROM t GROUP BY twice")
    with pytest.raises(Refusal) as refused:
        pg.tidemark.plan()
    assert refused.value.code is Code.UNSUPPORTED and "(g * 2) in its place" in str(refused.value)


def test_special_numbers(pg: Place) -> None:
    pg.run("CREATE TABLE t (id int PRIMARY KEY, g int, n numeric, f float8, r real)")
    pg.derive(
        "sums", "SELECT g, sum(n) AS n, avg(n) AS mean, sum(f) AS f, min(f) AS low, max(r) AS high FROM t GROUP BY g"
    )
    pg.tidemark.apply()
    each(
        pg,
        "INSERT INTO t VALUES (1, 1, 2.50, 1e300, 1), (2, 1, 'NaN', 'NaN', 'Infinity'), (3, 1, 'Infinity', 0.1, 0.2)",
        "INSERT INTO t VALUES (4, 2, 1.000, -0.0, 0), (5, 2, 2.0, 0.0, -0.0)",
        "DELETE FROM t WHERE id = 2",
        "UPDATE t SET n = 3.00, f = 0.3 WHERE id = 3",
        "DELETE FROM t WHERE id = 4",
    )


def test_children_of_another_precision_are_not_rounded_into_equality(pg: Place) -> None:
    pg.run(
        "CREATE TABLE u (id numeric(8,2) PRIMARY KEY, at timestamp(0) NOT NULL)",
        "CREATE TABLE f (id int PRIMARY KEY, u numeric(10,4))",
        "INSERT INTO u VALUES (1.01, '2024-01-01'), (2, '2024-01-01')",
        "INSERT INTO f VALUES (1, 1.0051), (2, 1.01)",
    )
    pg.derive("counts", "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n FROM u", key="id")
    pg.tidemark.apply()
    each(pg, "INSERT INTO f VALUES (3, 1.0149), (4, 1.0100)", "UPDATE f SET u = u + 0.0001", "UPDATE f SET u = 2.004")
