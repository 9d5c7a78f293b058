"""What is ours in a database, and whether it is as it was made."""

from dataclasses import dataclass

import pytest

from tests.conformance.conftest import HOSTILE, execute
from tidemark.contract.script import Piece, PieceKind, canonical_create
from tidemark.database.session import Session


@dataclass(frozen=True)
class World:
    """A session and pieces of every kind that its engine has."""

    session: Session
    pieces: tuple[Piece, ...]

    def install(self) -> None:
        with self.session.transaction():
            for piece in self.pieces:
                self.session.script(piece.create)
            if mark := self.session.mark(self.pieces):
                self.session.script(mark)

    @property
    def expected(self) -> dict[str, str]:
        return {piece.name: piece.fingerprint for piece in self.pieces}


def _sqlite_pieces() -> tuple[Piece, ...]:
    return (
        Piece(
            "table",
            "tidemark_s",
            "CREATE TABLE IF NOT EXISTS tidemark_s (a integer PRIMARY KEY, b text) WITHOUT ROWID;",
            "",
        ),
        Piece("index", "tidemark_i", 'create  unique index "tidemark_i" ON tidemark_s (b)', "", on="tidemark_s"),
        Piece(
            "trigger",
            "tidemark_g %s",
            'CREATE TRIGGER IF NOT EXISTS "tidemark_g %s" /* why; */ AFTER INSERT ON "my t"\nBEGIN\n  SELECT 1;\nEND;\n',
            "",
            on="my t",
        ),
        Piece(
            "view",
            "shown; 'x'",
            "CREATE VIEW \"shown; 'x'\" AS /* tidemark:0 */ SELECT a FROM tidemark_s",
            "",
            public=True,
        ),
    )


def _postgresql_pieces() -> tuple[Piece, ...]:
    return (
        Piece("table", "tidemark.s %s", 'CREATE TABLE tidemark."s %s" (a integer PRIMARY KEY, b text)', ""),
        Piece("index", "tidemark.i", 'CREATE UNIQUE INDEX i ON tidemark."s %s" (b)', "", on="tidemark.s %s"),
        Piece("type", "tidemark.row", "CREATE TYPE tidemark.row AS (a integer, b text)", ""),
        Piece("type", "tidemark.mood", "CREATE TYPE tidemark.mood AS ENUM ('a', 'b')", ""),
        Piece(
            "function",
            "tidemark.f",
            "CREATE FUNCTION tidemark.f() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end'",
            "",
        ),
        Piece(
            "trigger",
            "g: 'x'",
            'CREATE TRIGGER "g: \'x\'" AFTER INSERT ON "my t" FOR EACH ROW EXECUTE FUNCTION tidemark.f(); '
            'ALTER TABLE "my t" ENABLE ALWAYS TRIGGER "g: \'x\'"',
            "",
            on="my t",
        ),
        Piece("view", "shown; 'x'", 'CREATE VIEW "shown; \'x\'" AS SELECT a FROM tidemark."s %s"', "", public=True),
        Piece("view", "app.shown", 'CREATE VIEW app.shown AS SELECT a FROM tidemark."s %s"', "", public=True),
        Piece("table", "tidemark.t$tidemark$", 'CREATE TABLE tidemark."t$tidemark$" (a integer)', ""),
    )


@pytest.fixture
def world(session: Session) -> World:
    execute(session, 'CREATE TABLE "my t" (a integer)')
    if not session.dialect.has_schemas:
        return World(session, _sqlite_pieces())
    execute(session, "CREATE SCHEMA tidemark", "CREATE SCHEMA app")
    return World(session, _postgresql_pieces())


def test_nothing_is_installed_at_first(session: Session) -> None:
    assert session.installed() == {}


def test_every_kind_of_object_carries_its_fingerprint(world: World) -> None:
    world.install()
    assert world.session.installed() == world.expected
    with world.session.transaction():
        assert world.session.installed() == world.expected


def test_ours_are_not_in_the_catalog(world: World) -> None:
    world.install()
    assert [table.name for table in world.session.catalog().tables.values()] == ["my t"]
    assert world.session.catalog().tables[world.session.catalog().search_path[0], "my t"].trigger_bodies == ()


def test_what_is_dropped_is_missing(world: World) -> None:
    world.install()
    last = world.pieces[-1]
    execute(world.session, f"DROP {last.kind} {last.create.split()[2]}" if last.kind == "table" else _drop_view(world))
    assert last.name not in world.session.installed()


def _drop_view(world: World) -> str:
    return f"DROP VIEW {world.session.dialect.quote(world.pieces[-1].name)}"


def test_a_changed_object_is_noticed(world: World) -> None:
    world.install()
    if world.session.dialect.has_schemas:
        changes = {
            "tidemark.s %s": 'ALTER TABLE tidemark."s %s" ADD COLUMN c integer',
            "tidemark.f": "CREATE OR REPLACE FUNCTION tidemark.f() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end'",
            "g: 'x'": 'CREATE OR REPLACE TRIGGER "g: \'x\'" AFTER DELETE ON "my t" FOR EACH ROW EXECUTE FUNCTION tidemark.f()',
            "tidemark.row": "ALTER TYPE tidemark.row ADD ATTRIBUTE c integer",
            "tidemark.mood": "ALTER TYPE tidemark.mood ADD VALUE 'c'",
            "app.shown": 'CREATE OR REPLACE VIEW app.shown AS SELECT a + 0 AS a FROM tidemark."s %s"',
        }
    else:
        changes = {
            "tidemark_g %s": 'DROP TRIGGER "tidemark_g %s";'
            'CREATE TRIGGER "tidemark_g %s" AFTER INSERT ON "my t" BEGIN SELECT 2; END',
            "tidemark_s": "ALTER TABLE tidemark_s ADD COLUMN c integer",
        }
    for name, change in changes.items():
        execute(world.session, change)
        found = world.session.installed()
        assert found[name] != world.expected[name]
    untouched = world.expected.keys() - changes.keys()
    assert {name: found[name] for name in untouched} == {name: world.expected[name] for name in untouched}


def test_renaming_a_source_shows_on_what_hangs_on_it(world: World) -> None:
    world.install()
    execute(world.session, 'ALTER TABLE "my t" RENAME TO other')
    changed = {name for name, found in world.session.installed().items() if found != world.expected[name]}
    assert changed == {piece.name for piece in world.pieces if piece.kind == "trigger"}


def test_an_object_without_a_mark_shows_so(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA tidemark",
        "CREATE TABLE tidemark.a (a bigserial PRIMARY KEY)",
        "CREATE TABLE tidemark.b (a integer)",
        "COMMENT ON TABLE tidemark.b IS 'something else'",
        "CREATE SEQUENCE tidemark.q",
        "CREATE FUNCTION tidemark.f(a integer) RETURNS integer LANGUAGE sql AS 'select 1'",
        "CREATE VIEW mine AS SELECT 1 AS a",
    )
    assert pg_session.installed() == dict.fromkeys(["tidemark.a", "tidemark.b", "tidemark.q", "tidemark.f"], "?")


@pytest.mark.parametrize("how", ["DISABLE TRIGGER g", "ENABLE REPLICA TRIGGER g"])
@pytest.mark.parametrize("table", ["p", "p1"])
def test_a_trigger_that_is_switched_off(pg_session: Session, how: str, table: str) -> None:
    create = "CREATE TRIGGER g AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION tidemark.f()"
    piece = Piece("trigger", "g", create, "", on="p")
    execute(
        pg_session,
        "CREATE SCHEMA tidemark",
        "CREATE TABLE p (a integer) PARTITION BY LIST (a)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)",
        "CREATE FUNCTION tidemark.f() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end'",
        create,
        "ALTER TABLE p ENABLE ALWAYS TRIGGER g",
        "ALTER TABLE p1 ENABLE ALWAYS TRIGGER g",
        pg_session.mark([piece]),
    )
    assert pg_session.installed()["g"] == piece.fingerprint
    execute(pg_session, f"ALTER TABLE {table} {how}")
    assert pg_session.installed()["g"] == "disabled"
    execute(pg_session, f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER g")
    assert pg_session.installed()["g"] != "disabled"


def test_a_mark_on_nothing_fails(pg_session: Session) -> None:
    there = Piece("table", "tidemark.t", "CREATE TABLE tidemark.t (a integer)", "")
    execute(pg_session, "CREATE SCHEMA tidemark", there.create)
    kinds: tuple[PieceKind, ...] = ("table", "index", "type", "function", "trigger", "view")
    for kind in kinds:
        nothing = Piece(kind, "tidemark.nothing", "", "", on="t")
        for pieces in ([nothing], [there, nothing], [nothing, there]):
            with pytest.raises(Exception, match="no rows"):
                execute(pg_session, pg_session.mark(pieces))
    assert pg_session.installed() == {"tidemark.t": "?"}


def test_a_mark_on_either_of_two_fails(pg_session: Session) -> None:
    execute(pg_session, "CREATE SCHEMA tidemark")
    for kind in ("integer", "text"):
        execute(pg_session, f"CREATE FUNCTION tidemark.f(a {kind}) RETURNS integer LANGUAGE sql AS 'select 1'")
    with pytest.raises(Exception, match="several rows"):
        execute(pg_session, pg_session.mark([Piece("function", "tidemark.f", "", "")]))


def test_triggers_of_one_name_are_marked_on_their_tables(pg_session: Session) -> None:
    execute(
        pg_session,
        "CREATE SCHEMA tidemark",
        "CREATE FUNCTION tidemark.f() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end'",
    )
    pieces = [
        Piece("trigger", "g", f"CREATE TRIGGER g AFTER INSERT ON {table} EXECUTE FUNCTION tidemark.f()", "", on=table)
        for table in ("a", "b")
    ]
    for piece in pieces:
        execute(pg_session, f"CREATE TABLE {piece.on} (a integer)", piece.create)
        execute(pg_session, f"ALTER TABLE {piece.on} ENABLE ALWAYS TRIGGER g")
    execute(pg_session, pg_session.mark(pieces))
    remarks = "SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = CAST(:table AS regclass)"
    for piece in pieces:
        ((remark,),) = pg_session.all(remarks, {"table": piece.on})
        assert remark.split(":")[1] == piece.fingerprint
    # What comes with another fingerprint of the same name is marked on its own table only.
    execute(pg_session, pg_session.mark(pieces[:1]))
    ((remark,),) = pg_session.all(remarks, {"table": "b"})
    assert remark.split(":")[1] == pieces[1].fingerprint


def test_without_objects_there_is_nothing_to_mark(session: Session) -> None:
    assert session.mark([]) == ""


def test_a_mark_leaves_the_search_path_alone(pg_session: Session) -> None:
    execute(pg_session, "CREATE SCHEMA tidemark", "CREATE TABLE tidemark.t (a integer)")
    with pg_session.transaction():
        before = pg_session.one("SHOW search_path")
        pg_session.script(pg_session.mark([Piece("table", "tidemark.t", "", "")]))
        assert pg_session.one("SHOW search_path") == before
    assert pg_session.one("SHOW search_path") == before


def test_hostile_names_of_marked_objects(session: Session) -> None:
    quote = session.dialect.quote
    expected = {}
    if session.dialect.has_schemas:
        execute(session, "CREATE SCHEMA tidemark")
    for name in HOSTILE:
        full = session.dialect.ours_prefix + name
        quoted = quote("tidemark", name) if session.dialect.has_schemas else quote(full)
        piece = Piece("table", full, f"CREATE TABLE {quoted} (a integer)", "")
        execute(session, piece.create, session.mark([piece]))
        expected[full] = piece.fingerprint
    assert session.installed() == expected


@pytest.mark.parametrize(
    ("create", "canonical"),
    [
        ("create  table x (a)", "CREATE TABLE x (a)"),
        ("CREATE TABLE IF NOT EXISTS x (a);\n", "CREATE TABLE x (a)"),
        ("  CREATE UNIQUE\nINDEX if not exists i ON x (a)", "CREATE UNIQUE INDEX i ON x (a)"),
        ("CREATE OR REPLACE FUNCTION f()", "CREATE OR REPLACE FUNCTION f()"),
    ],
)
def test_one_way_to_write_the_beginning(create: str, canonical: str) -> None:
    assert canonical_create(create) == canonical
