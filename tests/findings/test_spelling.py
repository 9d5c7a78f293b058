"""A value that gives way to an equal one of another spelling: 1 and 1.0, 'bob' and 'Bob', 1.0 and 1.00."""

from __future__ import annotations

import contextlib
from types import ModuleType

import pytest

from tests.findings.place import Place
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.model import Freshness
from tidemark.render import store
from tidemark.render.postgres import alike as postgres_alike
from tidemark.render.sqlite import rows as sqlite_rows
from tidemark.render.sqlite import slices as sqlite_slices

# By engine and table: the types of its columns, and how the value of each is written before and afterwards.
LOOSE = {"BLOB": ("1", "1.0"), "": ("1", "1.0"), "TEXT COLLATE NOCASE": ("'bob'", "'Bob'")}
STRICT = {"ANY": ("1", "1.0"), "TEXT COLLATE NOCASE": ("'bob'", "'Bob'")}
SERVED = {
    "numeric": ("1.0", "1.00"),
    "double precision": ("0", "'-0'"),
    "jsonb": ("'1.0'", "'1.00'"),
    "text COLLATE level2": ("'bob'", "'Bob'"),
}
TABLES = {"sqlite": {"loose": LOOSE, "strict": STRICT}, "postgresql": {"served": SERVED}}
SETUP = ("CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",)
KINDS = ("copies", "texts", "counted")
Spelled = dict[str, list[str]]


def _declare(tables: dict[str, dict[str, tuple[str, str]]], freshness: Freshness) -> Project:
    project = Project("spelling")
    for table, types in tables.items():
        columns = [f"v{number}" for number in range(len(types))]
        plain, texts = ", ".join(columns), ", ".join(f"CAST({one} AS text) AS {one}" for one in columns)
        count = f"(SELECT count(*) FROM {table} b WHERE b.g = a.g) AS n"
        counted = f"SELECT a.id, {', '.join(f'a.{one}' for one in columns)}, {count}"
        project.derive(f"{table}_copies", query=f"SELECT id, {plain} FROM {table}", key="id", freshness=freshness)
        project.derive(f"{table}_texts", query=f"SELECT id, {texts} FROM {table}", key="id", freshness=freshness)
        project.derive(f"{table}_counted", query=f"{counted} FROM {table} a", key="id", freshness="tick")
    return project


def _spelled_after(url: str, freshness: Freshness) -> tuple[Spelled, Spelled]:
    """How every source spells its values after they were written anew, and how the tables derived from it do."""
    tables = TABLES[url.split(":")[0]]
    tidemark = Tidemark(_declare(tables, freshness), url)
    with contextlib.closing(open_session(url, lock_timeout=5)) as user:

        def write(*texts: str) -> None:
            with user.transaction():
                for text in texts:
                    user.run(text)

        def spelled(name: str, count: int) -> list[str]:
            shown = ", ".join(f"CAST(v{number} AS text)" for number in range(count))
            return [str(value) for row in user.all(f"SELECT {shown} FROM {name} ORDER BY id") for value in row]

        write(*(SETUP if url.startswith("postgresql") else ()))
        for table, types in tables.items():
            columns = "".join(f", v{number} {type_}" for number, type_ in enumerate(types))
            strict = " STRICT" if table == "strict" else ""
            write(f"CREATE TABLE {table} (id integer PRIMARY KEY, g integer NOT NULL{columns}){strict}")
        tidemark.apply()
        for table, types in tables.items():
            values = ", ".join(before for before, _ in types.values())
            write(*(f"INSERT INTO {table} VALUES ({number}, {number}, {values})" for number in range(len(types))))
        tidemark.tick()
        for table, types in tables.items():
            # Each in a row of its own, or one column that is seen to change would bring the others along.
            sets = (f"v{number} = {after} WHERE id = {number}" for number, (_, after) in enumerate(types.values()))
            write(*(f"UPDATE {table} SET {one}" for one in sets))
        tidemark.tick()
        sources = {f"{table}_{kind}": spelled(table, len(types)) for table, types in tables.items() for kind in KINDS}
        return sources, {name: spelled(name, len(tables[name.partition("_")[0]])) for name in sources}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_what_is_written_anew_is_shown_as_it_is_written(engine_url: str, freshness: Freshness) -> None:
    sources, derived = _spelled_after(engine_url, freshness)
    assert derived == sources
    assert all(len(set(values)) > 2 for values in sources.values()), "nothing is spelled otherwise than before"


PLACES = [
    ("sqlite", sqlite_slices),
    ("sqlite", sqlite_rows),
    ("sqlite", store),
    ("postgresql", postgres_alike),
    ("postgresql", store),
]


@pytest.mark.parametrize(("engine", "place"), PLACES, ids=lambda one: getattr(one, "__name__", one))
def test_taking_equal_for_the_same_would_be_seen(
    engine: str, place: ModuleType, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixture = "sqlite_path" if engine == "sqlite" else "pg_database"
    found = request.getfixturevalue(fixture)
    monkeypatch.setattr(place, "has_one_spelling", lambda *_: True)
    sources, derived = _spelled_after(f"sqlite:///{found}" if engine == "sqlite" else found, "tick")
    assert derived != sources


@pytest.mark.parametrize("kind", ["number", "text"])
def test_changes_that_are_equal_lead_to_units_of_their_own(place: Place, kind: str) -> None:
    type_, one, other = {
        ("number", True): ("", "1", "1.0"),
        ("text", True): ("TEXT COLLATE NOCASE", "'bob'", "'Bob'"),
        ("number", False): ("numeric", "1.0", "1.00"),
        ("text", False): ("text COLLATE level2", "'bob'", "'Bob'"),
    }[kind, place.is_sqlite]
    spelled = "CAST(a.v AS text) || '!'" if place.is_sqlite else "CAST(a.v AS text) COLLATE \"C\" || '!'"
    place.run(
        *(() if place.is_sqlite else SETUP),
        f"CREATE TABLE a (id integer PRIMARY KEY, v {type_})",
        f"CREATE TABLE b (id integer PRIMARY KEY, v {type_})",
    )
    query = f"SELECT {spelled} AS spelled, b.id, count(*) AS n FROM a JOIN b ON b.v = a.v GROUP BY {spelled}, b.id"
    place.install("met", query, ("spelled", "id"), freshness="tick")
    place.run(f"INSERT INTO b VALUES (1, {one}), (2, {other})")
    place.run(f"INSERT INTO a VALUES (1, {one}), (2, {other}), (3, {one}), (4, {other})")
    place.drained()
    place.run("DELETE FROM a WHERE id > 2")
    place.drained()
    assert len(place.rows("SELECT * FROM met")) == 4
