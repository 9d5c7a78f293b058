"""Batches whose units are not keys: whole groups of rows, or everything at once, on both engines.

Programs are given their units by hand, so that queries of every grammar can be used.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.findings.place import Place
from tidemark import Fault, compiler
from tidemark.maintenance.program import KeyedProgram

SCHEMA = "CREATE TABLE t (id int NOT NULL PRIMARY KEY, g int, h int NOT NULL, v int)"
ROWS = "SELECT id, g, h, v FROM t WHERE v > 0"
GROUPS = "SELECT g, h, count(*) AS n, sum(v) AS total FROM t GROUP BY g, h"
SHAPES = {
    "nullable": (ROWS, "id", ("g",)),
    "not null": (ROWS, "id", ("h",)),
    "pair": (ROWS, "id", ("g", "h")),
    "part of the key": (GROUPS, ("g", "h"), ("g",)),
    "everything": (GROUPS, ("g", "h"), ()),
    "unproven": (ROWS, "id", None),
}


def shaped(monkeypatch: pytest.MonkeyPatch, unit: tuple[str, ...] | None) -> None:
    """Let every keyed program have that unit; None = its key, which nothing is to prove."""
    made = compiler.keyed_program

    def program(*arguments: Any) -> KeyedProgram:
        found = made(*arguments)
        if unit is None:
            return replace(found, proven=False)
        known = {part.name: part for part in found.key}
        types = {part.name: part for part in found.columns}
        nullable = {"g": True, "h": False}
        parts = tuple(
            known.get(name) or replace(found.key[0], name=name, type=types[name].type, nullable=nullable[name])
            for name in unit
        )
        return replace(found, unit=parts)

    monkeypatch.setattr(compiler, "keyed_program", program)


@pytest.fixture(params=SHAPES, ids=list(SHAPES))
def units(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A derived table of that shape, over a few rows."""
    query, key, unit = SHAPES[request.param]
    shaped(monkeypatch, unit)
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)")
    place.install("u", query, key, freshness="tick")
    return place


def test_random_changes_are_applied_by_unit(units: Place) -> None:
    chance = random.Random("units")
    for _ in range(40):
        for _ in range(chance.randint(1, 4)):
            number, group = chance.randint(1, 9), chance.choice(("1", "2", "3", "NULL"))
            one, other = chance.randint(1, 2), chance.randint(0, 3)
            units.run(
                chance.choice(
                    (
                        f"INSERT INTO t VALUES ({number}, {group}, {one}, {other}) ON CONFLICT (id) DO UPDATE SET v = {other}",
                        f"DELETE FROM t WHERE id = {number}",
                        f"UPDATE t SET g = {group} WHERE id = {number}",
                        f"UPDATE t SET h = {one}, v = {other} WHERE id >= {number}",
                    )
                )
            )
        units.drained()
    units.verified()


def test_wrong_rows_are_named_and_repaired_by_unit(units: Place) -> None:
    store = "tidemark_u" if units.is_sqlite else "tidemark.u"
    column = (
        "v" if "v" in units.queries["u"].partition("FROM")[0].split(", ")[-1] and "id" in units.queries["u"] else "n"
    )
    units.run(f"UPDATE {store} SET {column} = 77 WHERE h = 1", f"DELETE FROM {store} WHERE h = 2")
    (report,) = units.tidemark.verify()
    kinds = {finding.kind for finding in report.findings}
    assert kinds == {"different", "missing"}
    units.tidemark.repair()
    units.verified()


def test_only_rows_that_differ_are_written(units: Place) -> None:
    units.run("UPDATE t SET v = 9 WHERE id = 1")
    assert sum(report.rows_written for report in units.tidemark.tick()) == 1
    units.verified()


def test_emptied_sources_empty_the_store(units: Place) -> None:
    units.run("DELETE FROM t")
    units.drained()
    units.verified()


def test_key_that_is_none_is_a_fault_that_names_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    shaped(monkeypatch, None)
    monkeypatch.setattr("tidemark.query.keys.is_unique", lambda *_: True)
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 1, 2)")
    place.install("u", "SELECT g, h, v FROM t WHERE g IS NOT NULL", "g", freshness="tick")
    before = place.rows("SELECT * FROM u ORDER BY g")
    place.run("INSERT INTO t VALUES (3, 2, 1, 9)", "UPDATE t SET v = 5 WHERE id = 1")
    with pytest.raises(Fault, match="more than one row for the key g = 2"):
        place.tidemark.tick()
    assert place.rows("SELECT * FROM u ORDER BY g") == before
    with pytest.raises(Fault, match="g = 2"):
        place.tidemark.verify()
    place.run("DELETE FROM t WHERE id = 3")
    place.drained()
    place.verified()


def test_store_has_an_index_by_unit(units: Place, request: pytest.FixtureRequest) -> None:
    script = units.tidemark.sql()[0]
    named = [piece.name for piece in script.pieces if piece.kind == "index" and piece.name.endswith("_unit")]
    wanted = {"nullable": 1, "not null": 1, "pair": 1, "everything": 0, "unproven": 0}
    shape = request.node.callspec.params["units"]
    # PostgreSQL finds a unit by the beginning of the key's own index; SQLite's index over keys with NULL is over expressions.
    assert len(named) == wanted.get(shape, 1 if units.is_sqlite else 0)
