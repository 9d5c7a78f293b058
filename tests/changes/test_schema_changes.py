"""What a user's migration does to the sources is noticed, written down as a gap, and mended; never is a row silently wrong."""

import contextlib
import subprocess

import psycopg
import pytest

from tests.changes.shop import COLUMNS, SCHEMA, Shop, expect, open_shop
from tests.kit.postgres import Server
from tests.protocols.test_restored import _program as program
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Refusal
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects import install
from tidemark.runtime.objects.sources import Fact, compare

REBUILD = (
    "CREATE TABLE _new (id integer PRIMARY KEY, thread_id integer, user_id integer, score integer, other integer)",
    "INSERT INTO _new SELECT id, thread_id, user_id, score * 2, other FROM posts",
    "DROP TABLE posts",
    "ALTER TABLE _new RENAME TO posts",
)
SWAP = (
    "ALTER TABLE posts RENAME COLUMN score TO aside",
    "ALTER TABLE posts RENAME COLUMN other TO score",
    "ALTER TABLE posts RENAME COLUMN aside TO other",
)
HARMLESS = (
    "ALTER TABLE posts ADD COLUMN extra text DEFAULT 'x'",
    "CREATE INDEX posts_by_other ON posts (other)",
    "ALTER TABLE users ADD COLUMN age integer",
    "ALTER TABLE posts RENAME COLUMN extra TO more",
    "ALTER TABLE posts DROP COLUMN more",
)


def test_changes_of_columns_are_noticed_and_mended(engine_url: str) -> None:
    shop = open_shop(engine_url)
    for statement in HARMLESS:
        shop.run(statement)
        assert shop.tidemark.plan().is_empty and all(report.clean for report in shop.tidemark.verify(catalog=True))
    assert not shop.wrong()

    shop.run("ALTER TABLE posts RENAME COLUMN score TO points")
    expect(shop, "column score of posts is gone", worker=True)
    with pytest.raises(Refusal, match="no column score"):
        shop.tidemark.apply()
    shop.declare("points")
    shop.mend()

    shop.run("ALTER TABLE posts RENAME COLUMN points TO score", "UPDATE users SET name = name || '!'")
    with pytest.raises(Refusal, match="no column points"):
        shop.tidemark.apply()
    assert set(shop.states().values()) == {"installing"}
    shop.declare("score")
    shop.mend()

    shop.run(*SWAP)
    expect(shop, "posts")
    shop.mend()

    shop.run(*REBUILD)
    expect(shop, "posts was made anew", worker=True)
    shop.mend()


def test_a_table_that_comes_back_with_its_triggers_is_another_table(engine_url: str) -> None:
    """As a copy of one table from an older dump does: rows first, then triggers whose text is the same."""
    shop = open_shop(engine_url, "added")
    triggers = _triggers(engine_url)
    assert len(triggers) >= 3
    for statements in (REBUILD, ("UPDATE posts SET score = 1 WHERE id = 2", *REBUILD)):
        shop.run(*statements, *triggers)
        shown = {name: said.split(", ")[0] for name, said in shop.captures().items()}
        assert shown == dict.fromkeys(shop.names, "posts was made anew")
        expect(shop, "posts was made anew")
        shop.mend()
        triggers = _triggers(engine_url)


def _triggers(url: str) -> list[str]:
    """The statements that make the triggers on posts as a dump has them."""
    with contextlib.closing(open_session(url)) as session:
        if not session.dialect.has_schemas:
            found = session.all(
                "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'posts' ORDER BY rowid"
            )
            return [text for (text,) in found]
        found = session.all(
            "SELECT pg_get_triggerdef(t.oid) || '; ALTER TABLE posts ENABLE ALWAYS TRIGGER ' || quote_ident(t.tgname) || "
            "'; COMMENT ON TRIGGER ' || quote_ident(t.tgname) || ' ON posts IS ' || quote_literal(obj_description(t.oid)) "
            "FROM pg_trigger AS t WHERE t.tgrelid = 'posts'::regclass AND NOT t.tgisinternal ORDER BY t.tgname"
        )
        return [text for (text,) in found]


def test_types_and_triggers_on_postgresql(pg_database: str) -> None:
    shop = open_shop(pg_database, "added", "computed")
    shop.run(
        "GRANT UPDATE ON posts TO public",
        "CREATE UNIQUE INDEX more ON posts (id, score)",
        "ALTER TABLE posts SET (fillfactor = 50)",
    )
    shop.run("ALTER TABLE posts ALTER COLUMN other TYPE bigint USING other + 1")
    shop.run("DROP INDEX more", "CREATE TABLE posts_backup AS TABLE posts")
    assert all(report.clean for report in shop.tidemark.verify(catalog=True)) and shop.tidemark.plan().is_empty

    shop.run("ALTER TABLE posts ALTER COLUMN score TYPE bigint")
    expect(shop, "column score of posts is bigint and was integer")
    # No definition was touched, so that is not what the plan says.
    assert all("bigint and was integer" in step.reason for step in shop.tidemark.plan().steps)
    shop.mend()

    shop.run("ALTER TABLE posts ALTER COLUMN score TYPE bigint USING score * 2")
    assert shop.wrong()
    expect(shop, "column score of posts was rewritten", worker=True)
    shop.mend()

    # As pg_restore --data-only --disable-triggers does it: everything is switched on again afterwards.
    shop.run(
        "ALTER TABLE posts DISABLE TRIGGER ALL",
        "UPDATE posts SET score = score + 1",
        "ALTER TABLE posts ENABLE TRIGGER ALL",
    )
    expect(shop, "disabled")
    shop.mend()

    shop.run("ALTER TABLE posts DROP CONSTRAINT posts_pkey")
    assert "unique key (id) of posts is gone" in shop.captures()["computed"]
    assert shop.captures()["added"] == "ok"


def test_a_new_unique_key_lets_replace_delete_unseen_on_sqlite(sqlite_path: object) -> None:
    shop = open_shop(f"sqlite:///{sqlite_path}", "added", "ticked")
    shop.run("UPDATE posts SET other = id", "CREATE UNIQUE INDEX by_other ON posts (other)")
    shop.run("INSERT OR REPLACE INTO posts VALUES (100, 1, 1, 1, 1)")
    assert shop.wrong()
    expect(shop, "unique key (other) of posts has come", worker=True)
    shop.mend()
    shop.run("INSERT OR REPLACE INTO posts VALUES (101, 1, 1, 1, 2)")
    assert not shop.wrong()
    with contextlib.closing(open_session(shop.url)) as session:
        session.all("VACUUM")
    assert set(shop.captures().values()) == {"ok"}


LEAF = (
    f"CREATE TABLE everything ({COLUMNS}) PARTITION BY LIST (id)",
    "CREATE TABLE elsewhere PARTITION OF everything FOR VALUES IN (50)",
    "ALTER TABLE everything ATTACH PARTITION posts DEFAULT",
)
CHILD = (
    f"CREATE TABLE everything ({COLUMNS})",
    "CREATE TABLE elsewhere () INHERITS (everything)",
    "ALTER TABLE posts INHERIT everything",
)
THROUGH = (
    "UPDATE everything SET score = score + 1 WHERE thread_id = 1",
    "DELETE FROM everything WHERE id = 2",
    "INSERT INTO everything VALUES (20, 1, 1, 1, 1)",
    "UPDATE everything SET id = 50 WHERE id = 3",
    "UPDATE everything SET id = 30, user_id = 2 WHERE id = 50",
    "TRUNCATE everything",
)


@pytest.mark.parametrize("above", [LEAF, CHILD], ids=["partition", "child"])
def test_a_table_that_is_written_by_the_name_of_another_one(pg_database: str, above: tuple[str, ...]) -> None:
    shop = open_shop(pg_database)
    shop.run(*above)
    expect(shop, "parent public.everything of posts has come", worker=True)
    shop.mend()
    for statement in THROUGH:
        shop.run(statement)
        assert not shop.wrong(), statement
    shop.run("INSERT INTO posts VALUES (40, 1, 1, 1, 1)", "INSERT INTO everything VALUES (50, 2, 2, 2, 2)")
    assert not shop.wrong() and set(shop.captures().values()) == {"ok"}


def test_tables_that_inherit_from_a_source_are_noticed(pg_database: str) -> None:
    shop = open_shop(pg_database)
    shop.run("CREATE TABLE more () INHERITS (posts)", "INSERT INTO more VALUES (10, 1, 1, 1, 1)")
    assert set(shop.wrong()) == set(shop.names)
    expect(shop, "child public.more of posts has come", worker=True)
    with pytest.raises(Refusal, match="inherited"):
        shop.tidemark.apply()
    shop.run("ALTER TABLE more NO INHERIT posts")
    shop.mend()


def test_a_source_that_a_crash_would_empty_is_noticed(pg_database: str) -> None:
    shop = open_shop(pg_database)
    shop.run("ALTER TABLE posts SET UNLOGGED")
    expect(shop, "durability of posts is unlogged and was logged", worker=True)
    with pytest.raises(Refusal, match="is unlogged"):
        shop.tidemark.apply()
    shop.run("ALTER TABLE posts SET LOGGED")
    shop.mend()


def test_a_table_of_ours_that_a_crash_would_empty_is_noticed(pg_database: str) -> None:
    shop = open_shop(pg_database)
    for table in ("added", "_capture_log_posts"):
        shop.run(f"ALTER TABLE tidemark.{table} SET UNLOGGED")
        said = shop.captures()["added"]
        assert f"table tidemark.{table}, which a crash would empty, beside those of posts" in said
        shop.run(f"ALTER TABLE tidemark.{table} SET LOGGED")
    assert set(shop.captures().values()) == {"ok"}


def test_who_is_connected_while_a_column_is_retyped_may_write_after_it_is_mended(
    pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of what captures stays as it is: the condition reads the column, and what is stored does not hold it. A mistake
    that leaves the functions alone has writers fail for as long as they are connected."""
    shop = Shop(pg_database, names=())
    shop.run(*SCHEMA)
    query = "SELECT thread_id, count(*) AS n FROM posts WHERE score > 5 GROUP BY thread_id"
    project = Project("shop")
    project.derive("high", query=query)
    shop.tidemark = Tidemark(project, pg_database)
    shop.tidemark.apply()
    insert = "INSERT INTO posts SELECT max(id) + 1, 1, 1, 9 FROM posts"
    with psycopg.connect(pg_database, autocommit=True) as writer:
        for type_, mistake in (("bigint", False), ("smallint", True)):
            for _ in range(3):
                writer.execute(insert)
            shop.run(f"ALTER TABLE posts ALTER COLUMN score TYPE {type_}")
            if mistake:
                monkeypatch.setattr(install, "_begin_renewed", lambda duty, row, _: install.begin_filling(duty, row))
            shop.tidemark.apply()
            with pytest.raises(psycopg.errors.DatatypeMismatch) if mistake else contextlib.nullcontext():
                writer.execute(insert)
    assert all(report.clean for report in shop.tidemark.verify())


def test_row_security_that_hides_rows_from_us_is_noticed(postgres: Server) -> None:
    """It may hide them from whoever owns the functions of ours, or from whoever works."""
    with postgres.fresh_database() as admin:
        name = admin.rsplit("/", 1)[1]
        owner, worker = f"owner_{name}", f"worker_{name}"
        chief = Shop(admin)
        chief.run(
            f"CREATE ROLE {owner} LOGIN",
            f"CREATE ROLE {worker} LOGIN",
            f"GRANT ALL ON SCHEMA public TO {owner}",
            f"GRANT CREATE ON DATABASE {name} TO {owner}",
        )
        try:
            shop = open_shop(postgres.dsn(name, user=owner))
            chief.run("ALTER TABLE posts ENABLE ROW LEVEL SECURITY", "CREATE POLICY few ON posts USING (id < 3)")
            assert set(shop.captures().values()) == {"ok"} and not shop.wrong()

            shop.run("ALTER TABLE posts FORCE ROW LEVEL SECURITY")
            expect(shop, f"row security for {owner} of posts has come", worker=True)
            with pytest.raises(Refusal, match="hides rows"):
                shop.tidemark.apply()
            shop.run("ALTER TABLE posts NO FORCE ROW LEVEL SECURITY")
            shop.mend()

            shop.run(
                f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {worker}",
                f"GRANT ALL ON ALL TABLES IN SCHEMA tidemark TO {worker}",
                f"GRANT ALL ON ALL SEQUENCES IN SCHEMA tidemark TO {worker}",
                f"GRANT USAGE ON SCHEMA tidemark TO {worker}",
            )
            other = Shop(postgres.dsn(name, user=worker))
            expect(other, f"row security for {worker} of posts has come")
            shop.mend()
        finally:
            for role in (owner, worker):
                chief.run(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_a_restored_dump_is_the_same_as_before(postgres: Server) -> None:
    """Every number is another one there, and nothing was missed."""
    with postgres.fresh_database() as old, postgres.fresh_database() as new:
        shop = open_shop(old, "added", "computed")
        text = subprocess.run([program(postgres, "pg_dump"), old], capture_output=True, text=True, check=True).stdout
        psql = [program(postgres, "psql"), "-q", "-v", "ON_ERROR_STOP=1", new]
        subprocess.run(psql, input=text, capture_output=True, text=True, check=True)
        other = Shop(new, names=shop.names)
        assert set(other.captures().values()) == {"ok"} and all(report.clean for report in other.tidemark.verify())
        other.run("ALTER TABLE posts ALTER COLUMN score TYPE integer USING score + 1")
        assert all("was rewritten" in said for said in other.captures().values())
        other.mend()
        assert isinstance(other.tidemark, Tidemark) and not shop.wrong()


def test_a_restore_of_rows_into_tables_with_captures_is_noticed(postgres: Server) -> None:
    """First the definitions, then the rows: captures count the rows of the sources, and what they had counted comes, too."""
    with postgres.fresh_database() as old, postgres.fresh_database() as new:
        with psycopg.connect(old) as user:
            user.execute(
                "CREATE SCHEMA zoo; CREATE TABLE zoo.posts (id integer PRIMARY KEY, thread_id integer, score integer)"
            )
            user.execute("INSERT INTO zoo.posts VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7)")
        project = Project("shop")
        query = "SELECT thread_id, count(*) AS n, sum(score) AS s FROM zoo.posts GROUP BY thread_id"
        for freshness in ("commit", "tick"):
            project.derive(f"by_{freshness}", query=query, freshness=freshness)
        Tidemark(project, old).apply()
        for part in ("-s", "-a"):
            dump = [program(postgres, "pg_dump"), part, old]
            text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
            psql = [program(postgres, "psql"), "-q", new]
            subprocess.run(psql, input=text, capture_output=True, text=True, check=True)
        with psycopg.connect(new) as user:
            # As where the restore ended before it came to the numbers.
            user.execute("SELECT setval(pg_get_serial_sequence('tidemark._run', 'id'), 1, false)")
        other = Tidemark(project, new)
        assert all("may be counted twice" in status.captures for status in other.status())
        other.tick()
        with psycopg.connect(new) as user:
            counted = [
                user.execute(f"SELECT sum(n) FROM by_{freshness}").fetchone() for freshness in ("commit", "tick")
            ]
        assert counted == [(6,), (6,)]
        other.apply()
        assert all(status.captures == "ok" for status in other.status())
        assert all(report.clean for report in other.verify())


TABLE = Fact("posts", "table", "", "1", "7", False, True)
COLUMN = Fact("posts", "column score", "integer", "4", "100", False, True)


@pytest.mark.parametrize(
    ("now", "says", "anew"),
    [
        ([], "posts is gone", True),
        ([Fact("posts", "table", "", "2", "7", False, True), COLUMN], "posts was made anew", True),
        ([TABLE], "column score of posts is gone", False),
        ([TABLE, Fact("posts", "column score", "text", "4", "100", False, True)], "is text and was integer", False),
        ([TABLE, Fact("posts", "column score", "integer", "5", "100", False, True)], "is another one", False),
        ([TABLE, Fact("posts", "column score", "integer", "4", "101", False, True)], "", False),
        ([Fact("posts", "table", "", "1", "8", False, True), COLUMN], "", False),
        (
            [
                Fact("posts", "table", "", "1", "8", False, True),
                Fact("posts", "column score", "integer", "4", "101", False, True),
            ],
            "was rewritten",
            False,
        ),
        (
            [TABLE, COLUMN, Fact("posts", "unique key (a)", "", "", "", True, False)],
            "unique key (a) of posts has come",
            False,
        ),
        ([TABLE, COLUMN, Fact("posts", "unique key (a)", "", "", "", False, True)], "", False),
    ],
)
def test_what_is_compared(now: list[Fact], says: str, anew: bool) -> None:
    change = compare([COLUMN, TABLE], now, here=True)
    assert (change is not None) == bool(says)
    if change is not None:
        assert says in change.says and change.anew == anew


def test_of_a_column_that_is_gone_or_retyped_no_more_is_said_than_that() -> None:
    strict = Fact("posts", "NOT NULL of column score", "", "", "", False, True)
    change = compare([TABLE, COLUMN, strict], [TABLE], here=True)
    assert change is not None and change.says == "column score of posts is gone"
    change = compare([TABLE, COLUMN, strict], [TABLE, COLUMN], here=True)
    assert change is not None and change.says == "NOT NULL of column score of posts is gone"
    for before, now, says in (
        ("text default", "varchar(9) default", "varchar(9) and was text"),
        ("text default", 'text C', "text C and was text default"),
        ("integer", "text default", "text default and was integer"),
    ):  # fmt: skip
        was, fact = (Fact("posts", "column score", text, "4", "100", False, True) for text in (before, now))
        change = compare([TABLE, was], [TABLE, fact], here=True)
        assert change is not None and change.says == f"column score of posts is {says}"


def test_elsewhere_definitions_alone_are_compared() -> None:
    now = [
        Fact("posts", "table", "", "2", "9", False, True),
        Fact("posts", "column score", "integer", "3", "5", False, True),
    ]
    assert compare([TABLE, COLUMN], now, here=False) is None
    other = [now[0], Fact("posts", "column score", "text", "3", "5", False, True)]
    assert compare([TABLE, COLUMN], other, here=False) is not None


@pytest.mark.parametrize(
    ("engine", "cut", "statements"),
    [
        ("sqlite", "CASE WHEN is_later THEN 'anew' ELSE '' END", REBUILD),
        ("postgres", "CAST(a.attnum AS text)", SWAP),
    ],
)
def test_a_look_that_does_not_tell_parts_apart_misses_changes(
    engine: str,
    cut: str,
    statements: tuple[str, ...],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Mutants: which table it is, or which column, is not asked, and nobody would notice."""
    url = request.getfixturevalue("pg_database" if engine == "postgres" else "sqlite_path")
    url = url if engine == "postgres" else f"sqlite:///{url}"
    text = Ledger.text

    def changed(ledger: Ledger, name: str, **identifiers: str) -> str:
        found = text(ledger, name, **identifiers)
        assert name != "read_facts" or found.count(cut) == 1
        return found.replace(cut, "''", 1) if name == "read_facts" else found

    monkeypatch.setattr(Ledger, "text", changed)
    shop = open_shop(url, "added")
    triggers = _triggers(url)
    shop.run(*statements, *(triggers if statements is REBUILD else ()))
    assert set(shop.captures().values()) == {"ok"} and shop.wrong()
