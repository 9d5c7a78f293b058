"""Every refusal code, provoked through the real engine, with the message that its page shows.

Owns: the small forum of the pages, and for each code the way to provoke it. Promises: a page's own declaration is what runs;
only codes that need surroundings beyond a declaration have a function here.

``python -m tests.docs.refusals --write`` puts what the engine says into the pages.
"""

import contextlib
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.docs.blocks import DOCS, find_block, replace_block
from tests.kit.postgres import Server, running_server
from tidemark import Project, Refusal, Tidemark
from tidemark.cli.definitions import load_project
from tidemark.cli.settings import Settings
from tidemark.database.sqlite import connect as sqlite_driver
from tidemark.errors import Code

PAGES = DOCS / "refusals"
GROUPED = "SELECT thread_id, count(*) AS posts FROM posts GROUP BY thread_id"


def page_of(code: Code) -> Path:
    """The page of a code."""
    return PAGES / f"{code.value}.md"


def schema() -> str:
    """The tables that every page speaks of, from the page that shows them."""
    text = find_block(PAGES / "README.md", "sql")
    if text is None:
        raise LookupError("docs/refusals/README.md shows no tables")
    return text


@dataclass
class World:
    """Where codes are provoked: a folder for SQLite files, and a PostgreSQL server."""

    folder: Path
    server: Server

    def sqlite(self, *, journal: str = "wal") -> str:
        """The path of a new forum on SQLite."""
        path = self.folder / "forum.db"
        for file in self.folder.glob("forum.db*"):
            file.unlink()
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {journal}")
            connection.executescript(schema())
        return str(path)

    @contextlib.contextmanager
    def postgres(self, *statements: str) -> Iterator[str]:
        """The DSN of a new PostgreSQL database on which `statements` ran."""
        with self.server.fresh_database() as dsn:
            with psycopg.connect(dsn, autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement)
            yield dsn


def declared(text: str) -> Project:
    """The project that a page's block of Python declares, as if it stood in ``derived.py``."""
    space: dict[str, object] = {"project": Project("forum")}
    exec(compile(text, "derived.py", "exec"), space)
    project = space["project"]
    assert isinstance(project, Project)
    return project


def grouped() -> Project:
    """A project that can be kept true."""
    project = Project("forum")
    project.derive("thread_posts", query=GROUPED)
    return project


def provoke(code: Code, world: World) -> str:
    """What the engine says, without what differs between two machines. Raises `AssertionError` when nothing is refused."""
    special = SPECIAL.get(code)
    try:
        if special is not None:
            special(world)
        else:
            text = find_block(page_of(code), "python")
            assert text is not None, f"the page of {code.value} declares nothing"
            Tidemark(declared(text), world.sqlite()).plan()
    except Refusal as refusal:
        assert refusal.code is code, f"{code.value} was to be provoked: {refusal}"
        assert refusal.instead, f"{code.value} says nothing to write instead: {refusal}"
        return str(refusal).replace(str(world.folder), "/srv/forum")
    raise AssertionError(f"nothing was refused as {code.value}")


def _row_security(world: World) -> None:
    tables = (
        "CREATE TABLE posts (id int PRIMARY KEY, thread_id int NOT NULL)",
        "ALTER TABLE posts ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE posts FORCE ROW LEVEL SECURITY",
    )
    with _as_role(world, "forum_owner", *tables) as dsn:
        Tidemark(grouped(), dsn).plan()


def _freshness(world: World) -> None:
    tables = [text for text in schema().split(";\n") if text.startswith("CREATE TABLE") and "randomblob" not in text]
    with world.postgres(*tables) as dsn:
        Tidemark(declared(find_block(page_of(Code.FRESHNESS), "python") or ""), dsn).plan()


def _privilege(world: World) -> None:
    with _as_role(world, "forum_guest") as dsn:
        with psycopg.connect(dsn.replace("forum_guest@", "postgres@"), autocommit=True) as owner:
            owner.execute("CREATE TABLE posts (id int PRIMARY KEY, thread_id int NOT NULL)")
        Tidemark(grouped(), dsn).plan()


@contextlib.contextmanager
def _as_role(world: World, role: str, *statements: str) -> Iterator[str]:
    """A database in which an ordinary role ran `statements`, and its DSN for that role."""
    name = sql.Identifier(role)
    with world.postgres() as dsn:
        with psycopg.connect(dsn, autocommit=True) as owner:
            owner.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))
            owner.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            owner.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(name))
            owner.execute(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(owner.info.dbname), name))
        mine = dsn.replace("postgres@", f"{role}@", 1)
        try:
            with psycopg.connect(mine, autocommit=True) as connection:
                for statement in statements:
                    connection.execute(statement)
            yield mine
        finally:
            with psycopg.connect(dsn, autocommit=True) as owner:
                owner.execute(sql.SQL("DROP OWNED BY {}").format(name))
                owner.execute(sql.SQL("DROP ROLE {}").format(name))


def _replicated_storage(world: World) -> None:
    posts = "CREATE TABLE posts (id int PRIMARY KEY, thread_id int NOT NULL)"
    with world.postgres(posts) as publisher, world.postgres(posts) as subscriber:
        for dsn in (publisher, subscriber):
            Tidemark(grouped(), dsn).apply()
        with psycopg.connect(publisher, autocommit=True) as there:
            there.execute("CREATE PUBLICATION everything FOR ALL TABLES")
        with psycopg.connect(subscriber, autocommit=True) as here:
            # Without a slot nothing streams; the list of tables is what matters here.
            here.execute(
                sql.SQL(
                    "CREATE SUBSCRIPTION forum CONNECTION {} PUBLICATION everything "
                    "WITH (create_slot = false, enabled = false, slot_name = NONE, copy_data = false)"
                ).format(sql.Literal(publisher))
            )
            try:
                assert "replicated_storage" in {found.about for found in Tidemark(None, subscriber).doctor()}
                Tidemark(grouped(), subscriber).plan()
            finally:
                here.execute("DROP SUBSCRIPTION forum")


def _read_only(world: World) -> None:
    path, real = world.sqlite(), sqlite3.connect

    def connect(database: str, **options: object) -> sqlite3.Connection:
        return real(database.replace("mode=rw", "mode=ro"), **options)  # type: ignore[call-overload,no-any-return]

    # Root may write everything, so the driver is told to open the file as it does for who may not.
    with _set(sqlite_driver.sqlite3, "connect", connect):
        Tidemark(grouped(), path).apply()


def _engine_version(world: World) -> None:
    # Every SQLite that runs these tests is new enough, so the driver says that it is older.
    with (
        _set(sqlite_driver.sqlite3, "sqlite_version_info", (3, 39, 0)),
        _set(sqlite_driver.sqlite3, "sqlite_version", "3.39.0"),
    ):
        Tidemark(grouped(), world.sqlite()).plan()


@contextlib.contextmanager
def _set(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _key_nullable(world: World) -> None:
    path = world.sqlite()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE UNIQUE INDEX users_nickname ON users (nickname)")
    Tidemark(declared(find_block(page_of(Code.KEY_NULLABLE), "python") or ""), path).backfill("greet")


def _not_wal(world: World) -> None:
    Tidemark(grouped(), world.sqlite(journal="delete")).apply()


def _upstream_gone(world: World) -> None:
    path = world.sqlite()
    project = grouped()
    Tidemark(project, path).apply()
    Tidemark(declared(find_block(page_of(Code.UPSTREAM_GONE), "python") or ""), path).plan()


def _drop_not_allowed(world: World) -> None:
    path = world.sqlite()
    Tidemark(grouped(), path).apply()
    Tidemark(Project("forum"), path).apply()


def _not_installed(world: World) -> None:
    Tidemark(None, world.sqlite()).status()


def _database_url(world: World) -> None:
    Tidemark(grouped(), "mysql://localhost/forum").plan()


def _definitions(world: World) -> None:
    load_project(Settings(None, "derived.py", world.folder))


SPECIAL: dict[Code, Callable[[World], None]] = {
    Code.ROW_SECURITY: _row_security,
    Code.PRIVILEGE: _privilege,
    Code.FRESHNESS: _freshness,
    Code.REPLICATED_STORAGE: _replicated_storage,
    Code.READ_ONLY: _read_only,
    Code.ENGINE_VERSION: _engine_version,
    Code.KEY_NULLABLE: _key_nullable,
    Code.NOT_WAL: _not_wal,
    Code.DROP_NOT_ALLOWED: _drop_not_allowed,
    Code.UPSTREAM_GONE: _upstream_gone,
    Code.NOT_INSTALLED: _not_installed,
    Code.DATABASE_URL: _database_url,
    Code.DEFINITIONS: _definitions,
}


def write_pages() -> None:
    """Put what the engine says into every page."""
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), server)
        for code in Code:
            replace_block(page_of(code), "text", provoke(code, world))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("say --write")
    write_pages()
