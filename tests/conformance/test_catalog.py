"""What a catalog shows, and what it leaves out."""

import contextlib

import psycopg
import pytest

from tests.conformance.conftest import HOSTILE, Opener, execute
from tests.kit.postgres import Server
from tidemark.database.session import Session
from tidemark.model import Column, Index, Table, Unique


def _table(session: Session, name: str, schema: str = "") -> Table:
    table = session.catalog().find(name, schema)
    assert table is not None
    return table


def test_an_empty_database(session: Session) -> None:
    catalog = session.catalog()
    assert catalog.tables == {}
    assert catalog.search_path == (("public",) if session.dialect.has_schemas else ("",))
    assert catalog.version >= ((15, 0) if session.dialect.has_schemas else (3, 40, 0))


def test_hostile_names(session: Session) -> None:
    for name in HOSTILE:
        quoted = session.dialect.quote(name)
        literal = session.dialect.literal(name)
        text = f"text DEFAULT {literal}"
        execute(
            session,
            f"CREATE TABLE {quoted} (id integer PRIMARY KEY, {quoted} {text}, CHECK ({quoted} <> ')'))",
            f"CREATE UNIQUE INDEX {session.dialect.quote(name + ' i')} ON {quoted} (lower({quoted}), {quoted})"
            f" WHERE {quoted} <> {literal}",
            f"CREATE VIEW {session.dialect.quote(name + ' v')} AS SELECT * FROM {quoted}",
        )
        table = _table(session, name)
        assert [column.name for column in table.columns] == ["id", name]
        unique = next(unique for unique in table.uniques if not unique.primary)
        assert unique.name == name + " i"
        assert unique.terms == (None, name)
        execute(session, f"INSERT INTO {quoted} (id) VALUES (1)")
        default = table.columns[1].default
        # The texts that the catalog gives are SQL that the engine takes back.
        sql = f"SELECT {quoted} = {default}, {unique.expressions[0]}, {unique.expressions[1]}, {unique.where} FROM {quoted}"
        row = session.one(sql)
        assert row is not None
        assert (bool(row[0]), row[2], bool(row[3])) == (True, name, False)
        assert _table(session, name + " v").kind == "view"


def test_columns_of_sqlite(sqlite_session: Session) -> None:
    execute(
        sqlite_session,
        """CREATE TABLE /* ( */ "T(" ( -- , (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            a TEXT COLLATE nocase NOT NULL DEFAULT 'x, (',
            b "my, type" DEFAULT (1 + (2)) CHECK (b COLLATE nocase <> 'COLLATE rtrim'),
            [c d] varchar(10) CONSTRAINT named COLLATE "RTRIM" REFERENCES other (x) DEFERRABLE,
            `e` GENERATED ALWAYS AS (a || ', )' || [c d]) STORED COLLATE RTRIM,
            f integer AS (coalesce(b, (id + 1)) /* ) */ ) VIRTUAL,
            g DEFAULT bare, h DEFAULT "quoted", i DEFAULT -1, j DEFAULT current_timestamp, k DEFAULT TRUE,
            l TEXT COLLATE BINARY, m, n blob DEFAULT x'00' UNIQUE,
            CONSTRAINT u UNIQUE (a, m COLLATE nocase), CHECK (a <> 'GENERATED ALWAYS AS (x)')
        )""",
    )
    execute(sqlite_session, "ALTER TABLE \"T(\" ADD COLUMN o text DEFAULT 'late' COLLATE nocase")
    table = _table(sqlite_session, "T(")
    assert table.columns == (
        Column("id", "INTEGER", True, rowid_alias=True),
        Column("a", "TEXT", True, "'x, ('", collation="NOCASE"),
        Column("b", "my, type", False, "1 + (2)"),
        Column("c d", "varchar(10)", False, collation="RTRIM"),
        Column("e", "", False, generated="a || ', )' || [c d]", collation="RTRIM"),
        Column("f", "INTEGER", False, generated="coalesce(b, (id + 1))"),
        Column("g", "", False, "'bare'"),
        Column("h", "", False, "'quoted'"),
        Column("i", "", False, "-1"),
        Column("j", "", False, "current_timestamp"),
        Column("k", "", False, "TRUE"),
        Column("l", "TEXT", False),
        Column("m", "", False),
        Column("n", "BLOB", False, "x'00'"),
        Column("o", "TEXT", False, "'late'", collation="NOCASE"),
    )
    assert {(unique.terms, unique.collations, unique.primary) for unique in table.uniques} == {
        (("id",), (None,), True),
        (("n",), (None,), False),
        (("a", "m"), ("NOCASE", "NOCASE"), False),
    }


def test_collations_are_those_that_sqlite_compares_with(sqlite_session: Session) -> None:
    execute(
        sqlite_session,
        "CREATE TABLE t (a COLLATE NoCase, b text COLLATE 'rtrim', c DEFAULT 'COLLATE nocase', d int COLLATE [binary],"
        " e AS (a) COLLATE nocase, f AS (a), g text CHECK (g = a COLLATE rtrim), h NOT NULL COLLATE nocase)",
    )
    shown = [column.collation for column in _table(sqlite_session, "t").columns]
    assert shown == [column.collation for column in sqlite_session.describe("SELECT * FROM t")]
    assert shown == ["NOCASE", "RTRIM", None, None, "NOCASE", None, None, "NOCASE"]


@pytest.mark.parametrize(
    ("create", "alias"),
    [
        ("CREATE TABLE t (id INTEGER PRIMARY KEY)", True),
        ("CREATE TABLE t (id integer PRIMARY KEY ASC)", True),
        ("CREATE TABLE t (id 'integer', PRIMARY KEY (id))", True),
        ("CREATE TABLE t (id integer, PRIMARY KEY (id DESC))", True),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY) STRICT", True),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY DESC)", False),
        ("CREATE TABLE t (id INT PRIMARY KEY)", False),
        ("CREATE TABLE t (id BIGINT PRIMARY KEY)", False),
        ("CREATE TABLE t (id INTEGER, b, PRIMARY KEY (id, b))", False),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY) WITHOUT ROWID", False),
        ("CREATE TABLE t (id INTEGER UNIQUE)", False),
    ],
)
def test_which_column_is_the_rowid(sqlite_session: Session, create: str, alias: bool) -> None:
    execute(sqlite_session, create)
    table = _table(sqlite_session, "t")
    assert table.columns[0].rowid_alias is alias
    # A rowid that is given as NULL is chosen by SQLite; nothing else is.
    if alias:
        execute(sqlite_session, "INSERT INTO t (id) VALUES (NULL)")
        assert sqlite_session.one("SELECT id FROM t") == (1,)
        assert table.columns[0].not_null
    key = table.primary_key
    assert (key is None) == ("PRIMARY" not in create)
    assert key is None or key.terms[0] == "id"


def test_kinds_of_tables_in_sqlite(sqlite_session: Session) -> None:
    execute(
        sqlite_session,
        "CREATE TABLE s (a any, b text PRIMARY KEY) STRICT",
        "CREATE TABLE w (b text PRIMARY KEY, c) WITHOUT ROWID",
        "CREATE VIEW v AS SELECT a AS x FROM s",
        "CREATE VIEW broken AS SELECT a FROM w",
        "CREATE VIRTUAL TABLE f USING fts5(body)",
        "CREATE TEMP TABLE mine (a)",
        "CREATE TRIGGER g AFTER INSERT ON S BEGIN DELETE FROM w; END",
        "CREATE TRIGGER tidemark_g AFTER INSERT ON s BEGIN SELECT 1; END",
    )
    execute(sqlite_session, "INSERT INTO s VALUES (1, 'a'), (2, 'b')", "ANALYZE")
    tables = {name: table for (_, name), table in sqlite_session.catalog().tables.items()}
    assert {name: tables[name].kind for name in ("s", "w", "v", "broken", "f", "f_data")} == {
        "s": "table",
        "w": "table",
        "v": "view",
        "broken": "view",
        "f": "virtual",
        "f_data": "virtual",
    }
    assert "mine" not in tables and "sqlite_stat1" not in tables
    assert [column.strict for column in tables["s"].columns] == [True, True]
    assert tables["s"].columns[1].not_null and tables["w"].columns[0].not_null
    assert (tables["w"].without_rowid, tables["s"].without_rowid) == (True, False)
    assert tables["s"].trigger_bodies == ("CREATE TRIGGER g AFTER INSERT ON S BEGIN DELETE FROM w; END",)
    assert tables["s"].rows == 2 and tables["w"].rows is None
    assert [column.name for column in tables["v"].columns] == ["x"]


def test_indexes_of_sqlite(sqlite_session: Session) -> None:
    execute(
        sqlite_session,
        "CREATE TABLE t (a text COLLATE nocase, b, c)",
        "CREATE INDEX plain ON t (b DESC, a)",
        "CREATE UNIQUE INDEX part ON t (a COLLATE rtrim, lower(b || ',)') DESC, (b + 1) COLLATE nocase ASC)"
        " WHERE b > 1 AND c <> ';' -- end",
    )
    table = _table(sqlite_session, "t")
    assert sorted(table.indexes, key=lambda index: index.name) == [
        Index("part", ("a", "=lower(b || ',)')", "=(b + 1) COLLATE nocase"), "b > 1 AND c <> ';'"),
        Index("plain", ("b", "a")),
    ]
    assert table.uniques == (
        Unique(
            "part",
            ("a", None, None),
            ('"a"', "lower(b || ',)')", "(b + 1) COLLATE nocase"),
            "b > 1 AND c <> ';'",
            collations=("RTRIM", None, "NOCASE"),
        ),
    )


def test_names_in_another_case_are_found_in_sqlite(sqlite_session: Session) -> None:
    execute(sqlite_session, "CREATE TABLE Mixed (a integer)")
    assert _table(sqlite_session, "mIXED").name == "Mixed"
    assert _table(sqlite_session, "mixed", "main").name == "Mixed"


def test_five_hundred_tables(sqlite_session: Session) -> None:
    with sqlite_session.transaction():
        for number in range(500):
            sqlite_session.run(
                f"CREATE TABLE t{number} (id integer PRIMARY KEY, a text COLLATE nocase UNIQUE, b AS (a || 'x'))"
            )
    tables = sqlite_session.catalog().tables
    assert len(tables) == 500
    assert all(table.columns[1].collation == "NOCASE" and len(table.uniques) == 2 for table in tables.values())


def test_columns_of_postgresql(pg_session: Session) -> None:
    execute(
        pg_session,
        """CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone integer,
            a varchar(20) COLLATE "C" NOT NULL DEFAULT 'x', n numeric(10, 2), g integer GENERATED ALWAYS AS (id * 2) STORED,
            w timestamptz DEFAULT now(), k name, d text COLLATE "default")""",
        "ALTER TABLE t DROP COLUMN gone",
    )
    assert _table(pg_session, "t").columns == (
        Column("id", "bigint", True),
        Column("a", "character varying(20)", True, "'x'::character varying", collation="C"),
        Column("n", "numeric(10,2)", False),
        Column("g", "integer", False, generated="(id * 2)"),
        Column("w", "timestamp with time zone", False, "now()"),
        Column("k", "name", False),
        Column("d", "text", False),
    )


def test_indexes_of_postgresql(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE TABLE t (a text, b integer, c integer, k name, PRIMARY KEY (b, c))",
        'CREATE UNIQUE INDEX k ON t (k, a COLLATE "POSIX")',
        'CREATE UNIQUE INDEX e ON t (lower(a) COLLATE "C", b DESC) INCLUDE (c) WHERE c > 1',
        "CREATE UNIQUE INDEX n ON t (c) NULLS NOT DISTINCT",
        "CREATE INDEX i ON t (c) INCLUDE (a)",
    )
    table = _table(pg_session, "t")
    assert table.uniques == (
        Unique("t_pkey", ("b", "c"), ("b", "c"), primary=True, collations=(None, None)),
        Unique("e", (None, "b"), ("lower(a)", "b"), "(c > 1)", collations=("C", None)),
        Unique("k", ("k", "a"), ("k", "a"), collations=(None, "POSIX")),
        Unique("n", ("c",), ("c",), collations=(None,)),
    )
    assert table.indexes == (
        Index("t_pkey", ("b", "c")),
        Index("e", ("=lower(a)", "b"), "(c > 1)"),
        Index("i", ("c",)),
        Index("k", ("k", "a")),
        Index("n", ("c",)),
    )


def test_kinds_of_tables_in_postgresql(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA app",
        "CREATE TABLE app.t (a integer)",
        "CREATE TABLE p (a integer, b integer) PARTITION BY LIST (a)",
        "CREATE TABLE app.p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2) PARTITION BY LIST (b)",
        "CREATE TABLE p21 PARTITION OF p2 DEFAULT",
        "CREATE TABLE parent (a integer)",
        "CREATE TABLE child () INHERITS (parent)",
        "CREATE VIEW v AS SELECT a FROM p",
        "CREATE MATERIALIZED VIEW m AS SELECT a FROM p",
        "CREATE UNLOGGED TABLE u (a integer)",
        "CREATE TEMP TABLE mine (a integer)",
        "CREATE FOREIGN DATA WRAPPER w",
        "CREATE SERVER s FOREIGN DATA WRAPPER w",
        "CREATE FOREIGN TABLE f (a integer) SERVER s",
    )
    catalog = pg_session.catalog()
    kinds = {table.label: table.kind for table in catalog.tables.values()}
    mine = next(label for label in kinds if label.endswith(".mine"))
    assert kinds.pop(mine) == "temporary"
    assert kinds == {
        "app.t": "table",
        "p": "partitioned",
        "app.p1": "table",
        "p2": "partitioned",
        "p21": "table",
        "parent": "inherited",
        "child": "table",
        "v": "view",
        "m": "materialized",
        "u": "table",
        "f": "foreign",
    }
    assert _table(pg_session, "p").leaves == (("app", "p1"), ("public", "p21"))
    assert _table(pg_session, "p2").leaves == (("public", "p21"),)
    assert catalog.find("t") is None
    assert catalog.find("t", "app") is not None


def test_the_search_path_finds_names(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA one",
        "CREATE SCHEMA two",
        "CREATE TABLE two.t (a integer)",
        "CREATE TABLE t (b integer)",
    )
    with pg_session.transaction():
        pg_session.script('SET LOCAL search_path = one, two, "$user", missing, public')
        catalog = pg_session.catalog()
    assert catalog.search_path == ("one", "two", "public")
    assert _table(pg_session, "t").schema == "public"


def test_rows_are_estimated_after_analyze(pg_session: Session) -> None:
    execute(pg_session, "CREATE TABLE t (a integer)", "INSERT INTO t SELECT generate_series(1, 1000)")
    assert _table(pg_session, "t").rows is None
    execute(pg_session, "ANALYZE t")
    assert _table(pg_session, "t").rows == 1000


def test_triggers_of_others_are_shown_with_their_function(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA tidemark",
        "CREATE TABLE t (a integer)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'begin /* body */ return new; end'",
        "CREATE FUNCTION tidemark.f() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end'",
        "CREATE TRIGGER theirs BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "CREATE TRIGGER ours BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION tidemark.f()",
    )
    (body,) = _table(pg_session, "t").trigger_bodies
    assert "TRIGGER theirs BEFORE UPDATE" in body and "/* body */" in body


def test_a_table_that_replication_writes(pg_session: Session, postgres: Server) -> None:
    execute(pg_session, "CREATE TABLE t (a integer PRIMARY KEY)", "CREATE TABLE u (a integer PRIMARY KEY)")
    with postgres.fresh_database() as publisher:
        slot = "slot_" + publisher.rsplit("/", 1)[1]
        with contextlib.closing(psycopg.connect(publisher, autocommit=True)) as source:
            source.execute("CREATE TABLE t (a integer PRIMARY KEY)")
            source.execute("CREATE PUBLICATION p FOR TABLE t")
            source.execute(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
        pg_session.all(
            f"CREATE SUBSCRIPTION s CONNECTION '{publisher}' PUBLICATION p"
            f" WITH (create_slot = false, slot_name = '{slot}', copy_data = false, enabled = false)"
        )
        try:
            subscribed = {table.name: table.subscribed for table in pg_session.catalog().tables.values()}
            assert subscribed == {"t": True, "u": False}
        finally:
            pg_session.all("DROP SUBSCRIPTION s")


def test_a_table_below_another_one(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE TABLE whole (a integer) PARTITION BY RANGE (a)",
        "CREATE TABLE middle PARTITION OF whole DEFAULT PARTITION BY RANGE (a)",
        "CREATE TABLE leaf PARTITION OF middle DEFAULT",
        "CREATE TABLE parent (a integer)",
        "CREATE TABLE child () INHERITS (parent)",
        "CREATE TABLE alone (a integer)",
    )
    tables = pg_session.catalog().tables.values()
    assert {table.name for table in tables if table.below} == {"middle", "leaf", "child"}
    assert {table.name for table in tables if table.written_by_row} == {"whole", "middle", "leaf", "child"}


def test_a_function_is_volatile_by_its_worst_overload(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE FUNCTION Twice(a integer) RETURNS integer IMMUTABLE LANGUAGE sql AS 'select 1'",
        "CREATE FUNCTION twice(a text) RETURNS integer VOLATILE LANGUAGE sql AS 'select 1'",
        "CREATE FUNCTION calm(a text) RETURNS integer STABLE LANGUAGE sql AS 'select 1'",
    )
    volatile = pg_session.catalog().volatile
    names = ("twice", "calm", "abs", "now", "random", "count")
    assert [name for name in names if name in volatile] == ["twice", "random"]


def test_roles_and_row_security(pg_database: str, opener: Opener) -> None:
    admin = opener(pg_database)
    name = pg_database.rsplit("/", 1)[1]
    owner, guest = (f'{letter}"{name}' for letter in "og")
    quote = admin.dialect.quote
    try:
        for role in (owner, guest):
            execute(admin, f"CREATE ROLE {quote(role)}")
        execute(
            admin,
            "CREATE TABLE t (a integer)",
            f"ALTER TABLE t OWNER TO {quote(owner)}",
            f"GRANT SELECT ON t TO {quote(guest)}",
        )
        table = _table(admin, "t")
        assert admin.catalog().bypasses_row_security
        assert not table.forced_row_security and not table.subscribed

        execute(admin, "ALTER TABLE t ENABLE ROW LEVEL SECURITY")
        with admin.transaction():
            admin.script(f"SET LOCAL ROLE {quote(owner)}")
            assert not _table(admin, "t").forced_row_security
            admin.script("ALTER TABLE t FORCE ROW LEVEL SECURITY")
            assert _table(admin, "t").forced_row_security
            assert not admin.catalog().bypasses_row_security
        # A superuser sees every row; who does not own the table never does.
        assert not _table(admin, "t").forced_row_security
        with admin.transaction():
            admin.script(f"SET LOCAL ROLE {quote(guest)}")
            assert _table(admin, "t").forced_row_security
    finally:
        for role in (owner, guest):
            with contextlib.suppress(Exception):
                execute(admin, f"DROP OWNED BY {quote(role)}")
            execute(admin, f"DROP ROLE {quote(role)}")
