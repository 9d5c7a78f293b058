"""A batch reads the rows of its units and no others, on 300,000 rows, whatever the statistics say.

On PostgreSQL the rows that the recompute of a batch reads are counted, with statistics of a time when each table had three rows:
a planner that believes them reads everything; then with true ones. On SQLite its plan is asked, without statistics and with true
ones.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.runtime.ticks.batch import compare_batch, prepare, take_keys

ROWS = 300_000
AUTHORS = 30_000
BATCH = 40
QUERIES = {
    "outer_block": "SELECT p.id, p.score, u.name FROM posts p JOIN users u ON u.id = p.author",
    "grouped": "SELECT u.id, count(p.id) AS n, max(p.score) AS m FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id",
    "three_ways": "SELECT u.id, count(*) AS n FROM users u JOIN posts p ON p.author = u.id JOIN likes l ON l.post = p.id "
    "GROUP BY u.id",
    "window": "SELECT author AS id, post FROM (SELECT p.author, p.id AS post, row_number() OVER (PARTITION BY p.author "
    "ORDER BY p.score, p.id) AS place FROM posts p) x WHERE x.place = 1",
    "correlated": "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author = u.id AND p.score > 3) AS n, "
    "(SELECT max(l.post) FROM likes l JOIN posts p ON p.id = l.post WHERE p.author = u.id) AS liked FROM users u",
    "aggregates": "SELECT u.id, x.n, y.m FROM users u "
    "LEFT JOIN (SELECT author, count(*) AS n FROM posts GROUP BY author) x ON x.author = u.id "
    "LEFT JOIN (SELECT who, count(*) AS m FROM likes GROUP BY who) y ON y.who = u.id",
    "union": "SELECT id, max(at) AS at FROM "
    "(SELECT author AS id, score AS at FROM posts UNION ALL SELECT who, post FROM likes) x GROUP BY id",
    "exists": "SELECT u.id, u.name FROM users u WHERE EXISTS (SELECT 1 FROM posts p WHERE p.author = u.id AND p.score > 5)",
    "member": "SELECT u.id, u.name FROM users u WHERE u.id IN (SELECT p.author FROM posts p WHERE p.score > 5)",
    "distinct": "SELECT DISTINCT p.author AS id, u.name FROM posts p JOIN users u ON u.id = p.author",
    "partial_index": "SELECT u.id, u.name, x.n FROM users u "
    "LEFT JOIN (SELECT m.who, count(*) AS n FROM marks m WHERE m.kind = 1 GROUP BY m.who) x ON x.who = u.id",
    "beside_a_list": "SELECT u.id, count(DISTINCT l.who) AS n FROM likes l JOIN posts p ON p.id = l.post "
    "JOIN users u ON u.id = p.author WHERE l.who NOT IN (SELECT o.who FROM odd o WHERE o.kind > 1) GROUP BY u.id",
    "passed_on": "SELECT p.id, p.score, u.name FROM posts p JOIN users u ON u.id = p.author "
    "WHERE coalesce((SELECT max(v.who) FROM (SELECT l.post, l.who FROM likes l) v WHERE v.post = p.id), 0) >= 0",
    "cte": "WITH n AS (SELECT author, count(*) AS posts FROM posts GROUP BY author) "
    "SELECT u.id, u.name, n.posts FROM users u JOIN n ON n.author = u.id",
}
WIDE = {
    "wider": "SELECT CAST(u.id AS bigint) AS id, u.name, (SELECT max(l.post) FROM likes l JOIN posts p ON p.id = l.post "
    "WHERE p.author = u.id) AS liked FROM users u",
    "wider_inside": "SELECT CAST(x.author AS bigint) AS id, x.n, u.name FROM "
    "(SELECT author, count(DISTINCT score) AS n FROM posts GROUP BY author) x JOIN users u ON u.id = x.author",
}
"""A cast to a wider integer changes no value on PostgreSQL; on SQLite it may."""
LINEAR = {
    "counted": "SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id) AS n, "
    "(SELECT max(p.score) FROM posts p WHERE p.author = u.id) AS m FROM users u",
    "totals": "SELECT author AS id, count(*) AS n, max(score) AS m FROM posts GROUP BY author",
}
KEYS = {"window": ("id", "post")}
READ_MAX = 60
"""Rows that a batch may read for each of its units: each has some ten posts, each of those one like."""
TABLES = {
    "users": "SELECT i, 'u' || i FROM n WHERE i <= 30000",
    "posts": "SELECT i, 1 + (i % 30000) * 7919 % 30000, i % 17 FROM n",
    "marks": "SELECT 1 + i % 30000, i % 2 FROM n WHERE i <= 60000",
    "likes": "SELECT 1 + (i * 31) % 300000, 1 + (i * 7) % 30000 FROM n",
}
SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text)",
    "CREATE TABLE posts (id integer PRIMARY KEY, author integer NOT NULL, score bigint)",
    "CREATE TABLE likes (post integer NOT NULL, who integer NOT NULL)",
    "CREATE TABLE marks (who integer NOT NULL, kind integer NOT NULL)",
    "CREATE INDEX marks_who ON marks (who) WHERE kind = 1",
    "CREATE INDEX posts_author ON posts (author)",
    "CREATE INDEX likes_post ON likes (post, who)",
    "CREATE INDEX likes_who ON likes (who)",
    "CREATE TABLE odd (who integer PRIMARY KEY, kind integer)",
)
READ = (
    "SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0) FROM pg_stat_xact_user_tables "
    "WHERE relname IN ('users', 'posts', 'likes', 'marks')"
)


def fill(session: Session, high: int) -> None:
    numbers = f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {high})"
    for table, rows in TABLES.items():
        session.run(f"DELETE FROM {table}")
        session.run(f"INSERT INTO {table} {numbers} {rows}")


@pytest.fixture
def crowd(engine_url: str) -> Iterator[Session]:
    """The tables. What PostgreSQL knows of them is of a time when each had three rows."""
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            for statement in SCHEMA:
                session.run(statement)
            fill(session, 3)
        with session.transaction():
            if session.dialect.has_schemas:
                session.run("ANALYZE")
                session.run("CREATE SCHEMA tidemark")
            fill(session, ROWS)
        yield session


def install(session: Session, script: Script) -> None:
    """Make the tables that a batch is written to."""
    steps = [piece.create for piece in script.pieces if piece.kind in ("type", "table", "index") and not piece.public]
    with session.transaction():
        for step in steps:
            session.script(step)


def read_batch(session: Session, script: Script) -> tuple[int, int]:
    """The numbers of rows that a batch gives, and that it reads of the tables."""
    with session.transaction():
        prepare(session, script)
        if session.dialect.has_schemas:
            session.run("SELECT pg_catalog.set_config('jit', 'off', true)")
        units = [(number * 701,) for number in range(1, BATCH + 1)]
        before = session.all(READ)[0][0] if session.dialect.has_schemas else 0
        found = compare_batch(session, script.applier, lambda: take_keys(session, script.applier, units))
        after = session.all(READ)[0][0] if session.dialect.has_schemas else 0
    return len(found), int(after - before)


def test_a_batch_reads_its_own_rows_only(crowd: Session, engine_url: str) -> None:
    scripts = []
    wide = WIDE if crowd.dialect.has_schemas else {}
    for name, query in (QUERIES | wide | LINEAR).items():
        project = Project("plans")
        freshness = "commit" if name in LINEAR else "tick"
        project.derive(name, query=query, key=KEYS.get(name, "id"), freshness=freshness)
        (script,) = Tidemark(project, engine_url).sql()
        scripts.append(script)
        assert script.klass in (("linear",) if name in LINEAR else ("keyed", "bilinear")), name
        assert script.applier.indexed, name
        install(crowd, script)
    # Statistics of three rows, then true ones.
    for _ in range(2):
        for script in scripts:
            given, read = read_batch(crowd, script)
            assert given >= BATCH, script.name
            assert read <= READ_MAX * BATCH, (script.name, read)
            if not crowd.dialect.has_schemas:
                looked_up(crowd, script)
        with crowd.transaction():
            crowd.run("ANALYZE")


EMPTY_PART = (
    "SELECT author, score, count(DISTINCT state) AS n FROM notes GROUP BY author, score",
    "SELECT author, score, max(state) AS m FROM (SELECT author, score, state FROM notes UNION ALL "
    "SELECT author, score, id FROM notes) x GROUP BY author, score",
)


@pytest.mark.parametrize("query", EMPTY_PART)
def test_units_with_a_null_are_looked_up_by_their_other_columns(engine_url: str, query: str) -> None:
    """Some twenty rows of each author, a hundred without one."""
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            session.run("CREATE TABLE notes (id integer PRIMARY KEY, author integer, score integer, state integer)")
            session.run("CREATE INDEX notes_author ON notes (author)")
            numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            session.run(
                f"INSERT INTO notes {numbers} SELECT i, CASE WHEN i % 1000 = 0 THEN NULL ELSE i % 5000 END, "
                "CASE WHEN i % 7 = 0 THEN NULL ELSE i % 5 END, i % 3 FROM n"
            )
            session.run("ANALYZE notes")
        project = Project("plans")
        project.derive("noted", query=query, key=("author", "score"), freshness="tick")
        (script,) = Tidemark(project, engine_url).sql()
        if session.dialect.has_schemas:
            with session.transaction():
                session.run("CREATE SCHEMA tidemark")
        install(session, script)
        read = READ.replace("'users'", "'notes'")
        with session.transaction():
            prepare(session, script)
            before = session.all(read)[0][0] if session.dialect.has_schemas else 0
            units = [(5, None), (7, None), (7, 2), (None, 0), (11, None)]
            found = compare_batch(session, script.applier, lambda: take_keys(session, script.applier, units))
            after = session.all(read)[0][0] if session.dialect.has_schemas else 0
        assert len(found) == len(units)
        assert after - before <= 800
        if not session.dialect.has_schemas:
            texts = [sql for sql in script.applier.recomputing if '"notes"' in sql]
            assert len(texts) == 2
            assert all(session.uses_index(sql, "notes") for sql in texts)


def looked_up(session: Session, script: Script) -> None:
    """Every table is entered through an index. Keys with a NULL are looked for by NULL, and by a statement of their own."""
    texts = [
        sql for sql in (*script.applier.gather, *script.applier.recomputing) if any(f'"{t}"' in sql for t in TABLES)
    ]
    assert texts
    for sql in texts:
        for table in TABLES:
            assert session.uses_index(sql, table), (script.name, table, sql)


UNREACHED = """SELECT n.kind AS id, count(DISTINCT k.name) AS n FROM notes n JOIN kinds k ON k.id = n.kind
WHERE n.live AND NOT n.odd AND n.state IS NULL AND n.told AND n.seen GROUP BY n.kind"""
"""No index reaches the notes, and of those that are asked for the planner expects one."""


def test_a_batch_is_searched_where_no_index_reaches_its_units(pg_database: str) -> None:
    """For each row of the source the whole batch was read: 2,000 × 2,000."""
    with contextlib.closing(open_session(pg_database)) as session:
        with session.transaction():
            flags = "live boolean, odd boolean, told boolean, seen boolean"
            session.run(f"CREATE TABLE notes (id integer NOT NULL, kind integer NOT NULL, state text, {flags})")
            session.run("CREATE TABLE kinds (id integer PRIMARY KEY, name text)")
            session.run("CREATE SCHEMA tidemark")
            session.run("INSERT INTO kinds SELECT i, 'k' || i FROM generate_series(1, 2000) AS i")
            session.run(
                "INSERT INTO notes SELECT i, i, NULL, true, false, true, true FROM generate_series(1, 2000) AS i"
            )
        project = Project("plans")
        project.derive("noted", query=UNREACHED, key="id", freshness="tick")
        (script,) = Tidemark(project, pg_database).sql()
        assert script.klass == "keyed" and not script.applier.indexed
        install(session, script)
        with session.transaction():
            prepare(session, script)
            units = [(number,) for number in range(1, 2001)]
            found = compare_batch(session, script.applier, lambda: take_keys(session, script.applier, units))
            ((read,),) = session.all(
                "SELECT coalesce(seq_tup_read, 0) FROM pg_stat_xact_user_tables WHERE relname LIKE '\\_batch\\_noted'"
            )
        assert len(found) == 2000
        assert read <= 50 * 2000


SHOWN = {
    "units are keys": "SELECT 'u' AS kind, u.id AS who, to_hex(u.id) AS about, length(u.name) AS steps FROM users u",
    "units are numbered": "SELECT 'u' AS kind, l.who, to_hex(l.who) || ':' || to_hex(l.post) AS about, l.post AS steps "
    "FROM likes l",
}
SHOWN_ROWS = 5_000
OTHER_ROWS = 200_000
READ_SHOWN = (
    "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) + pg_stat_get_tuples_returned(i.indexrelid) "
    "FROM pg_stat_user_tables AS t JOIN pg_index AS i ON i.indrelid = t.relid WHERE t.relname = 'rewards'"
)
ALONE = "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = current_database()"


@pytest.mark.usefixtures("ended_connections")
@pytest.mark.parametrize("query", SHOWN.values(), ids=SHOWN)
def test_rows_in_a_users_table_are_looked_up_too(pg_database: str, query: str) -> None:
    """Half of the key is computed, so that nobody knows that it is never NULL; the user's table says so."""
    with contextlib.closing(open_session(pg_database)) as session:
        with session.transaction():
            for statement in SCHEMA[:4]:
                session.run(statement)
            session.run(
                "CREATE TABLE rewards (kind text NOT NULL, who integer NOT NULL, about text NOT NULL, steps bigint, "
                "PRIMARY KEY (kind, who, about))"
            )
            fill(session, 3)
            session.run("CREATE INDEX likes_who ON likes (who)")
            session.run("ANALYZE")
            # Of a table of few pages everything would be read sooner than twenty rows are looked up.
            session.run(f"INSERT INTO rewards SELECT 'other', i, '' FROM generate_series(1, {OTHER_ROWS}) AS i")
        project = Project("plans")
        project.derive("shown", query=query, key=("kind", "who", "about"), rows_of="rewards", freshness="tick")
        ours = Tidemark(project, pg_database)
        ours.apply()

        def change(*statements: str) -> int:
            with session.transaction():
                for statement in statements:
                    session.run(statement)
            before = read()
            while not all(report.drained for report in ours.tick()):
                continue
            return read() - before

        def read() -> int:
            # A session that is closed has told what it read when the server no longer lists it.
            while not session.all(ALONE)[0][0]:
                continue
            return int(session.all(READ_SHOWN)[0][0])

        numbers = f"generate_series(10, {SHOWN_ROWS + 9}) AS i"
        change(f"INSERT INTO users SELECT i, 'u' FROM {numbers}", f"INSERT INTO likes SELECT i, i FROM {numbers}")
        some = "BETWEEN 100 AND 119"
        assert change(f"DELETE FROM users WHERE id {some}", f"DELETE FROM likes WHERE who {some}") < 500
        shown, true = (sorted(session.all(text)) for text in ("SELECT * FROM rewards WHERE kind = 'u'", query))
        assert [tuple(row) for row in shown] == [tuple(row) for row in true]


@pytest.mark.parametrize("rows_of", [None, "rewards"], ids=["of its own", "in a users table"])
def test_the_stored_rows_of_a_unit_are_looked_up_on_sqlite(tmp_path: Path, rows_of: str | None) -> None:
    """A unit that the key does not begin with: neither our rows nor the user's are read from end to end for a batch."""
    url = f"sqlite:///{tmp_path / 'units.db'}"
    with contextlib.closing(open_session(url, create=True)) as session:
        with session.transaction():
            session.run(SCHEMA[0])
            session.run(SCHEMA[1])
            session.run(
                "CREATE TABLE rewards (kind text NOT NULL, who integer NOT NULL, score bigint NOT NULL, length bigint NOT NULL, "
                "about integer NOT NULL, name text, PRIMARY KEY (kind, who, score, length, about))"
            )
        project = Project("plans")
        query = (
            "SELECT 'u' AS kind, x.post AS about, x.author AS who, x.score, x.length, u.name FROM (SELECT p.author, p.score, "
            "p.id % 7 AS length, p.id AS post, "
            "row_number() OVER (PARTITION BY p.author, p.score, p.id % 7 ORDER BY p.id) AS place "
            "FROM posts p) x JOIN users u ON u.id = x.author WHERE x.place <= 2"
        )
        key = ("kind", "about", "who", "score", "length")
        project.derive("shown", query=query, key=key, rows_of=rows_of, freshness="tick")
        (script,) = Tidemark(project, url).sql()
        install(session, script)
        with session.transaction():
            prepare(session, script)
            for statistics in (False, True):
                if statistics:
                    session.run("INSERT INTO posts SELECT value, 1, 1 FROM json_each('[1, 2, 3]')")
                    session.run("ANALYZE")
                for table in ["tidemark_shown", *([rows_of] if rows_of else [])]:
                    texts = [sql for sql in script.applier.gather if f'"{table}"' in sql]
                    assert texts, table
                    for sql in texts:
                        assert session.uses_index(sql, table), (table, sql)


def test_units_with_a_null_cost_nothing_on_sqlite_where_a_batch_has_none(tmp_path: Path) -> None:
    """The statement for units with a NULL reads no table where there is no such unit in the batch."""
    url = f"sqlite:///{tmp_path / 'nulls.db'}"
    with contextlib.closing(open_session(url, create=True)) as session:
        with session.transaction():
            session.run("CREATE TABLE marks (who integer, kind integer, item integer)")
            session.run("CREATE INDEX marks_who ON marks (who, kind)")
            session.run(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
                "INSERT INTO marks SELECT i, i % 7, i FROM n"
            )
        project = Project("plans")
        query = "SELECT who, kind, count(DISTINCT item) AS n FROM marks GROUP BY who, kind"
        project.derive("marked", query=query, key=("who", "kind"), freshness="tick")
        (script,) = Tidemark(project, url).sql()
        install(session, script)
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        with session.transaction():
            prepare(session, script)
            session._connection.set_progress_handler(count, 100)
            found = compare_batch(session, script.applier, lambda: take_keys(session, script.applier, [(5, 5)]))
            session._connection.set_progress_handler(None, 0)
            assert [difference.key for difference in found] == [(5, 5)]
            assert steps < 100
            session.run("INSERT INTO marks VALUES (NULL, 1, 1), (NULL, NULL, 2)")
            units = [(None, 1), (None, None), (7, 0)]
            found = compare_batch(session, script.applier, lambda: take_keys(session, script.applier, units))
            assert {difference.key for difference in found} == set(units)
