"""Migrations on SQLite with the tools that people use: the triggers step aside, come back, and nothing is silently wrong."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from django.conf import settings
from django.db import connections, models
from django.db.migrations import AddField, AlterField, RemoveField
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from tests.changes.shop import Shop
from tidemark import Project, Tidemark
from tidemark.migrations import guard, include_name

SCHEMA = (
    "CREATE TABLE users (id integer NOT NULL PRIMARY KEY, name varchar(20))",
    "CREATE TABLE posts (id integer NOT NULL PRIMARY KEY, thread_id integer, user_id integer, score integer, other integer)",
    "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
    "INSERT INTO posts VALUES (1, 1, 1, 5, 50), (2, 1, 2, 6, 60), (3, 2, 1, 7, 70)",
)
UNIVERSE = (
    "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS posts, "
    "(SELECT max(p.score) FROM posts p WHERE p.user_id = u.id) AS best FROM users u"
)


@pytest.fixture
def shop(sqlite_path: Path) -> Shop:
    """Derived tables whose triggers name both tables."""
    made = Shop(f"sqlite:///{sqlite_path}")
    made.run(*SCHEMA)
    project = Project("shop")
    project.derive("people", query=UNIVERSE)
    project.derive("names", query="SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.user_id", key="id")
    made.tidemark = Tidemark(project, made.url)
    made.tidemark.apply()
    return made


def _path(shop: Shop) -> str:
    return shop.url.removeprefix("sqlite:///")


def _triggers(shop: Shop) -> set[str]:
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")}


def _is_true(shop: Shop) -> bool:
    shop.tidemark.tick()
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        rows = connection.execute("SELECT * FROM people ORDER BY id").fetchall()
        names = connection.execute("SELECT * FROM names ORDER BY id").fetchall()
        joined = "SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.user_id ORDER BY p.id"
        return (
            rows == connection.execute(UNIVERSE + " ORDER BY 1").fetchall()
            and names == connection.execute(joined).fetchall()
        )


def _states(shop: Shop) -> dict[str, str]:
    return {status.name: status.state for status in shop.tidemark.status()}


def _write(shop: Shop) -> None:
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, connection:
        connection.execute("INSERT INTO posts (id, thread_id, user_id, score) SELECT max(id) + 1, 1, 2, 99 FROM posts")


def test_a_column_that_nobody_reads_goes_without_a_gap(shop: Shop) -> None:
    before = _triggers(shop)
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        with guard(connection):
            assert not connection.execute(
                "SELECT 1 FROM sqlite_schema WHERE name LIKE 'tidemark%' AND type = 'trigger'"
            ).fetchall()
            connection.execute("ALTER TABLE posts DROP COLUMN other")
            connection.execute("ALTER TABLE users ADD COLUMN age integer DEFAULT 7")
        assert not connection.in_transaction
    assert _triggers(shop) == before and set(_states(shop).values()) == {"live"}
    _write(shop)
    assert _is_true(shop) and all(report.clean for report in shop.tidemark.verify(catalog=True))


def test_rows_that_the_migration_writes_are_a_gap(shop: Shop) -> None:
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, guard(connection):
        connection.execute("UPDATE users SET name = 'eve' WHERE id = 1")
    assert _states(shop) == {"people": "installing", "names": "installing"}
    gaps = {run.derived: run.message for run in shop.tidemark.history() if run.kind == "gap"}
    assert gaps == dict.fromkeys(("people", "names"), "a migration wrote users while the triggers were away")
    shop.tidemark.apply()
    assert _is_true(shop)


def test_a_migration_that_fails_leaves_everything_as_it_was(shop: Shop) -> None:
    before = _triggers(shop)
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        with pytest.raises(sqlite3.OperationalError), guard(connection):
            connection.execute("UPDATE users SET name = 'eve'")
            connection.execute("ALTER TABLE posts DROP COLUMN nowhere")
        # In a transaction of the caller's, which the caller ends.
        connection.execute("BEGIN")
        with pytest.raises(sqlite3.OperationalError), guard(connection):
            connection.execute("ALTER TABLE posts DROP COLUMN nowhere")
        assert connection.in_transaction
        connection.execute("ROLLBACK")
    assert _triggers(shop) == before
    _write(shop)
    assert _is_true(shop)


def test_somebody_else_who_writes_meanwhile_makes_a_gap(shop: Shop) -> None:
    with contextlib.closing(sqlite3.connect(_path(shop), isolation_level=None)) as connection, guard(connection):
        connection.execute("ALTER TABLE posts DROP COLUMN other")
        connection.execute("COMMIT")
        _write(shop)
    assert set(_states(shop).values()) == {"installing"}
    shop.tidemark.apply()
    assert _is_true(shop)


def test_a_column_that_is_read_and_goes_leaves_writers_alone(shop: Shop) -> None:
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, guard(connection):
        connection.execute("ALTER TABLE posts RENAME COLUMN score TO points")
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, connection:
        connection.execute("INSERT INTO posts (id, user_id, points) VALUES (50, 1, 1)")
    assert _states(shop)["people"] == "installing"


def test_a_kept_column_that_goes_leaves_writers_alone(shop: Shop) -> None:
    shop.run("ALTER TABLE users ADD COLUMN posts integer")
    project = Project("shop")
    query = "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS posts FROM users u"
    project.derive("kept", query=query, key="id", columns_of="users")
    shop.tidemark = Tidemark(project, shop.url)
    shop.tidemark.apply(allow_drop=True)
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, guard(connection):
        connection.execute("ALTER TABLE users DROP COLUMN posts")
    shop.run("INSERT INTO users (id) VALUES (9)", "DELETE FROM users WHERE id = 1")
    _write(shop)
    (status,) = shop.tidemark.status()
    assert status.captures != "ok", status
    shop.run("ALTER TABLE users ADD COLUMN posts integer")
    shop.tidemark.apply()
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        rows = connection.execute("SELECT id, posts FROM users ORDER BY id").fetchall()
        assert rows == connection.execute(query + " ORDER BY 1").fetchall()


def test_columns_kept_in_a_table_of_an_odd_name_stay_kept(shop: Shop) -> None:
    odd = '"us""ers; --"'
    shop.run(f"CREATE TABLE {odd} (id integer PRIMARY KEY, posts integer)", f"INSERT INTO {odd} (id) VALUES (1), (2)")
    query = f"SELECT u.id, (SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS posts FROM {odd} u"
    project = Project("shop")
    project.derive("kept", query=query, key="id", columns_of='us"ers; --')
    shop.tidemark = Tidemark(project, shop.url)
    assert shop.tidemark.adopt("kept").table == 'us"ers; --'
    shop.tidemark.apply(allow_drop=True)
    before = _triggers(shop)
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, guard(connection):
        connection.execute(f"ALTER TABLE {odd} ADD COLUMN name text")
    assert _triggers(shop) == before
    _write(shop)
    (status,) = shop.tidemark.status()
    assert (status.state, status.captures) == ("live", "ok")
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection:
        rows = connection.execute(f"SELECT id, posts FROM {odd} ORDER BY id").fetchall()
        assert rows == connection.execute(query + " ORDER BY 1").fetchall()


def test_alembic_batch_operations(shop: Shop) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{_path(shop)}")
    with engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with guard(connection), operations.batch_alter_table("posts") as batch:
            batch.alter_column("score", type_=sqlalchemy.BigInteger(), nullable=True)
            batch.drop_column("other")
        connection.commit()
    engine.dispose()
    assert set(_states(shop).values()) == {"installing"}
    _write(shop)
    shop.tidemark.apply()
    assert _is_true(shop) and shop.tidemark.plan().is_empty
    _write(shop)
    assert _is_true(shop)


def test_what_alembic_makes_by_comparing_leaves_ours_alone(shop: Shop) -> None:
    engine = sqlalchemy.create_engine(shop.url)
    with engine.connect() as connection:
        for options, ours in (({}, True), ({"include_name": include_name}, False)):
            context = MigrationContext.configure(connection, opts=options)
            dropped = {
                one[1].name for one in compare_metadata(context, sqlalchemy.MetaData()) if one[0] == "remove_table"
            }
            assert {"users", "posts"} < dropped if ours else dropped == {"users", "posts"}
    engine.dispose()
    assert not include_name("tidemark", "schema", {}) and include_name(None, "schema", {})


def test_without_a_guard_alembic_fails_or_makes_a_gap(shop: Shop) -> None:
    engine = sqlalchemy.create_engine(f"sqlite:///{_path(shop)}")
    with engine.connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with contextlib.suppress(sqlalchemy.exc.OperationalError):
            with operations.batch_alter_table("users") as batch:
                batch.alter_column("name", type_=sqlalchemy.String(40))
            connection.commit()
    engine.dispose()
    assert _is_true(shop) or not all(report.clean for report in shop.tidemark.verify(catalog=True))


@pytest.fixture
def alias(shop: Shop) -> Iterator[str]:
    """A connection of Django's to the shop."""
    if not settings.configured:
        settings.configure(DATABASES={}, INSTALLED_APPS=[], USE_TZ=True)
        django.setup()
    connections.databases["shop"] = connections.configure_settings(
        {"shop": {"ENGINE": "django.db.backends.sqlite3", "NAME": _path(shop)}, "default": {}}
    )["shop"]
    yield "shop"
    connections["shop"].close()
    del connections["shop"]
    del connections.databases["shop"]


@pytest.mark.parametrize(
    ("operation", "gap"),
    [
        (AlterField("post", "score", models.BigIntegerField(null=True)), True),
        (AddField("post", "extra", models.IntegerField(default=3)), True),
        (AddField("post", "extra", models.IntegerField(null=True)), False),
        (RemoveField("post", "other"), None),
    ],
)
def test_django_migrations(shop: Shop, alias: str, operation: Operation, gap: bool | None) -> None:
    fields: list[tuple[str, Any]] = [("id", models.IntegerField(primary_key=True))]
    fields += [(name, models.IntegerField(null=True)) for name in ("thread_id", "user_id", "score", "other")]
    state = ProjectState()
    state.add_model(ModelState("shop", "Post", fields, {"db_table": "posts"}))
    after = state.clone()
    operation.state_forwards("shop", after)
    with guard(connections[alias]), connections[alias].schema_editor(atomic=True) as editor:
        operation.database_forwards("shop", editor, state, after)
    if gap is not None:
        assert set(_states(shop).values()) == ({"installing"} if gap else {"live"})
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, connection:
        extra = ", extra" if "extra" in {row[1] for row in connection.execute("PRAGMA table_info(posts)")} else ""
        connection.execute(f"INSERT INTO posts (id, user_id, score{extra}) VALUES (77, 1, 88{', 1' if extra else ''})")
    shop.tidemark.apply()
    assert _is_true(shop)
    _write_after(shop, extra)
    assert _is_true(shop)
    # Backwards, as `migrate shop 0001` does: what a migration took away is no gap, and what it wrote anew is one.
    with guard(connections[alias]), connections[alias].schema_editor(atomic=True) as editor:
        operation.database_backwards("shop", editor, after, state)
    assert set(_states(shop).values()) <= {"installing", "live"}
    shop.tidemark.apply()
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, connection:
        connection.execute("INSERT INTO posts (id, user_id, score) VALUES (79, 1, 111)")
    assert _is_true(shop) and all(report.clean for report in shop.tidemark.verify())


def _write_after(shop: Shop, extra: str) -> None:
    with contextlib.closing(sqlite3.connect(_path(shop))) as connection, connection:
        connection.execute(f"INSERT INTO posts (id, user_id, score{extra}) VALUES (78, 2, 99{', 1' if extra else ''})")
