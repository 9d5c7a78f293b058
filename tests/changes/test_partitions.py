"""Partitions of a source come and go: what was captured is true, and whatever was not is noticed."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from tests.changes.shop import COLUMNS, Shop, expect, open_shop
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Refusal


def test_partitions_come_and_go(pg_database: str) -> None:
    shop = Shop(pg_database, names=("added", "computed"))
    shop.run(
        "CREATE TABLE users (id integer PRIMARY KEY, name text)",
        f"CREATE TABLE posts ({COLUMNS}, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE posts_1 PARTITION OF posts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_1a PARTITION OF posts_1 FOR VALUES FROM (100) TO (150)",
        "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
        "INSERT INTO posts SELECT n, n % 3, n % 2 + 1, n, 0 FROM generate_series(1, 120) AS n",
    )
    shop.mend()
    # Partitions that are made as such begin empty and are captured: nothing is missed.
    shop.run(
        "CREATE TABLE posts_1b PARTITION OF posts_1 FOR VALUES FROM (150) TO (200)",
        "INSERT INTO posts VALUES (160, 1, 1, 1)",
    )
    shop.run("CREATE TABLE posts_2 PARTITION OF posts FOR VALUES FROM (200) TO (300) PARTITION BY RANGE (id)")
    shop.run("CREATE TABLE posts_2a PARTITION OF posts_2 DEFAULT", "INSERT INTO posts VALUES (260, 1, 1, 1)")
    assert set(shop.captures().values()) == {"ok"} and not shop.wrong()
    # Its rows go with it, although it came after everything was filled.
    shop.tidemark.verify(catalog=True)
    shop.run("DROP TABLE posts_1b")
    expect(shop, "partition public.posts_1b of posts is gone")
    shop.mend()
    # No trigger of ours tells that one that came since is emptied by its own name.
    shop.run("TRUNCATE posts_2a")
    assert set(shop.captures().values()) == {"ok"} and not shop.wrong()
    shop.run(
        "CREATE TABLE posts_3 PARTITION OF posts FOR VALUES FROM (300) TO (400)",
        "INSERT INTO posts VALUES (360, 1, 1, 1)",
    )
    shop.tidemark.verify(catalog=True)
    shop.run("TRUNCATE posts_3")
    expect(shop, "partition public.posts_3 of posts was rewritten", worker=True)
    shop.mend()
    shop.run(
        "CREATE TABLE posts_1b PARTITION OF posts_1 FOR VALUES FROM (150) TO (200)",
        "INSERT INTO posts VALUES (160, 1, 1, 1)",
    )

    attached = (
        "INSERT INTO late VALUES (900, 1, 1, 1), (901, 2, 2, 2)",
        "ALTER TABLE posts ATTACH PARTITION late FOR VALUES FROM (900) TO (950)",
    )
    shop.run(f"CREATE TABLE late ({COLUMNS}, PRIMARY KEY (id))", *attached)
    expect(shop, "partition public.late of posts has come")
    shop.mend()
    # What was written while it was elsewhere, nobody saw.
    shop.run(
        "ALTER TABLE posts DETACH PARTITION late",
        "UPDATE late SET score = 50",
        "ALTER TABLE posts ATTACH PARTITION late FOR VALUES FROM (900) TO (950)",
    )
    expect(shop, "partition public.late of posts was taken out and put back")
    shop.mend()
    shop.run("ALTER TABLE posts DETACH PARTITION late")
    expect(shop, "partition public.late of posts is gone", worker=True)
    shop.mend()
    shop.run("DROP TABLE posts_1a")
    expect(shop, "partition public.posts_1a of posts is gone")
    shop.mend()


def test_what_is_attached_where_it_is_made_is_noticed(pg_database: str) -> None:
    """All in one transaction, as a program that archives does it; what is made as a partition is none of that."""
    shop = Shop(pg_database, names=("added", "computed"))
    shop.run(
        "CREATE TABLE users (id integer PRIMARY KEY, name text)",
        f"CREATE TABLE posts ({COLUMNS} DEFAULT 7, note text CHECK (note <> ''), PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts FOR VALUES FROM (0) TO (100)",
        "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
    )
    shop.mend()
    shop.run(
        "CREATE TABLE posts_1 PARTITION OF posts (score DEFAULT 3, CHECK (score < 100)) FOR VALUES FROM (100) TO (200)",
        "INSERT INTO posts VALUES (160, 1, 1, 1)",
        "ALTER TABLE posts_1 ALTER COLUMN score SET STATISTICS 10",
    )
    assert set(shop.captures().values()) == {"ok"} and not shop.wrong()
    shop.run(
        f"CREATE TABLE late ({COLUMNS}, note text, gone integer, PRIMARY KEY (id))",
        "ALTER TABLE late DROP COLUMN gone, ADD CONSTRAINT posts_note_check CHECK (note <> '')",
        "INSERT INTO late VALUES (900, 1, 1, 1, 1)",
        "ALTER TABLE posts ATTACH PARTITION late FOR VALUES FROM (900) TO (950)",
    )
    assert shop.wrong()
    expect(shop, "partition public.late of posts has come", worker=True)
    shop.mend()


def test_a_partition_that_comes_is_captured_beside_rows_as_of_now(pg_database: str) -> None:
    """A view of rows as of now reads the log, which stays where it is."""
    shop = Shop(pg_database, names=())
    shop.run(
        f"CREATE TABLE posts ({COLUMNS}, PRIMARY KEY (id)) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE users (id integer PRIMARY KEY)",
        "INSERT INTO users VALUES (1), (2)",
    )
    project = Project("shop")
    query = "SELECT u.id FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.user_id = u.id)"
    project.derive("writers", query=query, key="id", freshness="tick", live=True)
    tidemark = Tidemark(project, pg_database)
    tidemark.apply()
    shop.run(
        "CREATE TABLE posts_1 PARTITION OF posts FOR VALUES FROM (100) TO (200)", "INSERT INTO posts VALUES (150, 1, 1)"
    )
    tidemark.apply()
    assert tidemark.plan().is_empty
    shop.run("TRUNCATE posts_1", "INSERT INTO posts_1 VALUES (151, 1, 2)")
    tidemark.tick()
    with contextlib.closing(open_session(pg_database)) as session:
        assert session.all("SELECT id FROM writers") == session.all("SELECT id FROM writers_live") == [(2,)]


def test_what_was_there_between_two_looks(pg_database: str) -> None:
    """A tick has looked meanwhile: it read rows that are gone, and statements that name another table told it nothing."""
    shop = open_shop(pg_database)
    shop.run("CREATE TABLE base (id integer, score integer)")
    for part, come, written, go in (
        (
            "child public.kid",
            "CREATE TABLE kid () INHERITS (posts)",
            "INSERT INTO kid VALUES (9, 1, 1)",
            "DROP TABLE kid",
        ),
        (
            "parent public.base",
            "ALTER TABLE posts INHERIT base",
            "UPDATE base SET score = 7",
            "ALTER TABLE posts NO INHERIT base",
        ),
    ):
        shop.run(come, written)
        shop.tidemark.tick()
        shop.run(go)
        expect(shop, f"{part} of posts was there for a while")
        shop.mend()


def test_a_partition_that_is_half_detached_is_noticed(pg_database: str) -> None:
    """DETACH CONCURRENTLY gave up between its two transactions: rows go there that are none of the whole, and are captured."""
    shop = Shop(pg_database, names=("added", "ticked"))
    shop.run(
        f"CREATE TABLE posts ({COLUMNS}) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts FOR VALUES FROM (0) TO (100)",
        "CREATE TABLE posts_1 PARTITION OF posts FOR VALUES FROM (100) TO (200)",
        "INSERT INTO posts SELECT n, n % 3, 1, n, 0 FROM generate_series(90, 110) AS n",
    )
    shop.mend()
    with psycopg.connect(pg_database) as reader, psycopg.connect(pg_database, autocommit=True) as user:
        reader.execute("SELECT count(*) FROM posts")
        user.execute("SET statement_timeout = '300ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            user.execute("ALTER TABLE posts DETACH PARTITION posts_0 CONCURRENTLY")
    expect(shop, "half-detached partition public.posts_0 of posts", worker=True)
    with pytest.raises(Refusal, match="ALTER TABLE posts DETACH PARTITION posts_0 FINALIZE"):
        shop.tidemark.apply()
    shop.run("INSERT INTO posts_0 VALUES (1, 1, 1, 1)", "ALTER TABLE posts DETACH PARTITION posts_0 FINALIZE")
    shop.mend()


CONDITIONS = (
    "SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass) FROM pg_trigger WHERE tgrelid = 'posts'::regclass AND "
    "tgqual IS NOT NULL AND tgparentid = 0 AND tgfoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'tidemark'::regnamespace)"
)


def test_a_column_of_a_partitioned_source_is_retyped(pg_database: str) -> None:
    """The page for operators names these statements; who has written before writes on without connecting again."""
    shop = Shop(pg_database, names=("added", "ticked"))
    shop.run(
        f"CREATE TABLE posts ({COLUMNS}) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts DEFAULT",
        "INSERT INTO posts SELECT n, n % 3, 1, n, 0 FROM generate_series(1, 9) AS n",
    )
    shop.mend()
    with psycopg.connect(pg_database, autocommit=True) as writer:
        insert = "INSERT INTO posts SELECT max(id) + 1, 1, 1, 9 FROM posts"
        writer.execute(insert)
        retyped = "ALTER TABLE posts ALTER COLUMN score TYPE bigint"
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="used in a trigger definition"):
            writer.execute(retyped)
        shop.run(*(statement for (statement,) in writer.execute(CONDITIONS).fetchall()), retyped)
        expect(shop, "column score of posts is bigint and was integer")
        shop.mend()
        writer.execute(insert)
    assert not shop.wrong()


def test_a_foreign_partition_is_noticed(pg_database: str) -> None:
    """Its rows are elsewhere, and so is whoever writes them."""
    shop = Shop(pg_database, names=("added",))
    shop.run(
        "CREATE TABLE users (id integer PRIMARY KEY, name text)",
        f"CREATE TABLE posts ({COLUMNS}) PARTITION BY RANGE (id)",
        "CREATE TABLE posts_0 PARTITION OF posts FOR VALUES FROM (0) TO (100)",
        "CREATE FOREIGN DATA WRAPPER far",
        "CREATE SERVER there FOREIGN DATA WRAPPER far",
    )
    shop.mend()
    shop.run("CREATE FOREIGN TABLE posts_1 PARTITION OF posts FOR VALUES FROM (100) TO (200) SERVER there")
    expect(shop, "partition public.posts_1 of posts has come")
    with contextlib.closing(open_session(pg_database)) as session:
        posts = session.catalog().find("posts")
    assert posts is not None and posts.kind == "foreign"


def test_a_column_comes_where_a_partition_came(pg_database: str) -> None:
    """The log of the source is mended for the new partition, which is a gap: one apply fills the table again, and the column."""
    with contextlib.closing(open_session(pg_database)) as user:

        def run(*statements: str) -> None:
            with user.transaction():
                user.script("; ".join(statements))

        def declared(more: str = "") -> Tidemark:
            project = Project("parts")
            project.derive("kept", query=f"SELECT g, count(*) AS n{more} FROM t GROUP BY g", freshness="tick")
            return Tidemark(project, pg_database)

        run(
            "CREATE TABLE t (id integer, g integer, v integer) PARTITION BY RANGE (id)",
            "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100)",
            "INSERT INTO t SELECT n, n % 3, n FROM generate_series(0, 99) AS n",
        )
        declared().apply()
        run(
            "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (100) TO (200)",
            "INSERT INTO t SELECT n, n % 3, n FROM generate_series(100, 150) AS n",
        )
        wider = declared(", sum(v) AS s")
        done = wider.apply()
        assert (done.live, done.begun) == (("kept",), ())
        assert all(one.clean for one in wider.verify())
        assert user.all("SELECT * FROM kept ORDER BY g")[0] == (0, 51, 3825)
