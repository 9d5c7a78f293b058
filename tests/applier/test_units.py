"""Batches whose units are not keys: whole groups of rows, or everything at once, on both engines.

Programs are given their units by hand, so that simple queries show what units of every kind do.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.findings.place import Place
from tidemark import Fault, Refusal, ratchet
from tidemark.compiler import classes as compiler
from tidemark.maintenance import keyed
from tidemark.maintenance.program import KeyedProgram, LinearProgram
from tidemark.maintenance.shapes import NotLinear
from tidemark.query.relation import Query

SCHEMA = "CREATE TABLE t (id int NOT NULL PRIMARY KEY, g int, h int NOT NULL, v int)"
ROWS = "SELECT id, g, h, v FROM t WHERE v > 0"
GROUPS = "SELECT g, h, count(*) AS n, sum(v) AS total FROM t GROUP BY g, h"
ONE = "SELECT count(*) AS n, sum(a.v * b.v) AS total FROM t a JOIN t b ON b.g = a.h"
FIRST = "SELECT x.id, x.v FROM (SELECT id, v FROM t ORDER BY v DESC, id LIMIT 3) x"
PLACED = "SELECT id, g, v, row_number() OVER (PARTITION BY g ORDER BY v, id) AS n FROM t"
RANKED = "SELECT id, v, rank() OVER (ORDER BY v, h) AS n FROM t"
SHAPES = {
    "nullable": (ROWS, "id", ("g",)),
    "not null": (ROWS, "id", ("h",)),
    "pair": (ROWS, "id", ("g", "h")),
    "part of the key": (GROUPS, ("g", "h"), ("g",)),
    "everything": (GROUPS, ("g", "h"), ()),
    "unproven": (ROWS, "id", None),
}


def shaped(monkeypatch: pytest.MonkeyPatch, unit: tuple[str, ...] | None) -> None:
    """Let every program be keyed and have that unit; None = its key, which nothing is to prove."""

    def refused(*_: object, **__: object) -> LinearProgram:
        raise NotLinear("units are looked at")

    monkeypatch.setattr(compiler, "linear_program", refused)
    if unit is None:
        made = compiler.keyed_program

        def unproven(*given: Any, **options: Any) -> KeyedProgram:
            return replace(made(*given, **options), proven=False)

        monkeypatch.setattr(compiler, "keyed_program", unproven)
        return

    def chosen(query: Query, key: object) -> tuple[int, ...]:
        names = [output.name for output in query.outputs]
        return tuple(names.index(name) for name in unit)

    monkeypatch.setattr(keyed, "choose_unit", chosen)


def derived(place: Place, query: str, key: Any, **options: Any) -> None:
    """Declare and apply."""
    place.project.derive("u", query=query, key=key, freshness="tick", allow_global=True, **options)
    place.queries["u"] = query
    place.tidemark.apply()


@pytest.fixture(params=SHAPES, ids=list(SHAPES))
def units(request: pytest.FixtureRequest, place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A derived table of that shape, over a few rows."""
    query, key, unit = SHAPES[request.param]
    shaped(monkeypatch, unit)
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)")
    derived(place, query, key)
    return place


def test_random_changes_are_applied_by_unit(units: Place) -> None:
    chance = random.Random("units")
    for _ in range(15):
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


@pytest.mark.parametrize(("query", "klass"), [(ONE, "bilinear"), (FIRST, "global")], ids=["one row", "limited"])
def test_results_that_do_not_fall_apart_are_one_unit(place: Place, query: str, klass: str) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)")
    derived(place, query, "id" if query == FIRST else None)
    script = place.tidemark.sql()[0]
    assert (script.klass, script.applier.units) == (klass, ())
    test_random_changes_are_applied_by_unit(place)
    place.run("DELETE FROM t")
    place.drained()
    place.verified()


@pytest.mark.parametrize(("query", "unit"), [(PLACED, ("g",)), (RANKED, ())], ids=["partition", "everything"])
def test_windows_are_computed_by_their_partition(place: Place, query: str, unit: tuple[str, ...]) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)")
    derived(place, query, "id")
    assert place.tidemark.sql()[0].applier.units == unit
    test_random_changes_are_applied_by_unit(place)


def test_memory_of_a_row_that_could_move_between_units_is_refused(place: Place) -> None:
    place.run(SCHEMA)
    with pytest.raises(Refusal, match="move from one g to another"):
        derived(place, PLACED, "id", keep={"n": ratchet()})


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


def test_key_that_is_none_is_a_fault_that_names_it(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 2, 1, 2)")
    derived(place, "SELECT g, h, v FROM t WHERE g IS NOT NULL", "g")
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


@pytest.mark.parametrize("unit", [("g",), ("h",), ()])
def test_rows_in_a_table_of_the_users_are_kept_by_unit(
    place: Place, monkeypatch: pytest.MonkeyPatch, unit: tuple[str, ...]
) -> None:
    shaped(monkeypatch, unit)
    place.run(
        SCHEMA,
        "CREATE TABLE shown (tag text NOT NULL, id int NOT NULL, g int, h int, v int, PRIMARY KEY (tag, id))",
        "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)",
        "INSERT INTO shown VALUES ('a', 1, 1, 1, 1), ('z', 50, 5, 1, 1)",
    )
    query = "SELECT 'z' AS tag, id, g, h, v FROM t WHERE v > 0"
    derived(place, query, ("tag", "id"), rows_of="shown")
    place.queries.clear()

    def check() -> None:
        assert place.bag("SELECT * FROM shown WHERE tag = 'z'") == place.bag(query)
        assert place.rows("SELECT * FROM shown WHERE tag <> 'z'") == [("a", 1, 1, 1, 1)]

    check()
    place.run(
        "UPDATE t SET g = 2, v = 7 WHERE id = 1", "DELETE FROM t WHERE id = 3", "INSERT INTO t VALUES (5, 9, 2, 1)"
    )
    place.tidemark.tick()
    check()
    place.run(
        "UPDATE shown SET v = 99 WHERE tag = 'z' AND id = 1",
        "DELETE FROM shown WHERE tag = 'z' AND id = 2",
        "INSERT INTO shown VALUES ('z', 60, NULL, 7, 7), ('z', 61, 1, 2, 7)",
    )
    (report,) = place.tidemark.verify()
    found = {(one.kind, one.key) for one in report.findings}
    assert found == {("different", (1,)), ("missing", (2,)), ("extra", (60,)), ("extra", (61,))}
    place.tidemark.repair()
    check()
    assert place.tidemark.verify()[0].clean
