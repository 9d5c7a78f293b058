"""Columns and rows with memory: a fold over the states at ticks, on both engines."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest

from tests.findings.place import Place
from tidemark import Fault, Project, Refusal, Tidemark, first, ratchet
from tidemark.errors import Code

SCHEMA = "CREATE TABLE t (id int NOT NULL PRIMARY KEY, g int NOT NULL, v int, w text)"
QUERY = (
    "SELECT g, max(v) AS top, min(v) AS low, count(*) AS n, min(w) AS word, count(*) >= 3 AS done, sum(v) AS total, "
    "count(v) AS counted FROM t GROUP BY g"
)
KEEP = {
    "top": ratchet(),
    "word": first(),
    "done": ratchet(),
    "total": first(when="done"),
    "counted": first(when="done"),
}
COLUMNS = ("g", "top", "low", "n", "word", "done", "total", "counted")
State = dict[Any, dict[str, Any]]


def declared(keep_rows: bool = False, query: str = QUERY, **options: Any) -> Project:
    project = Project("kept")
    project.derive("k", query=query, keep=KEEP, keep_rows=keep_rows, **options)
    return project


def computed(place: Place, query: str = QUERY) -> State:
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in place.rows(query)}


def shown(place: Place) -> State:
    return {row[0]: dict(zip(COLUMNS, row, strict=True)) for row in place.rows(f"SELECT {', '.join(COLUMNS)} FROM k")}


def fold(old: State, new: State, keep_rows: bool) -> State:
    """What memory means, in Python."""
    found: State = {}
    for key, row in new.items():
        before, after = old.get(key), dict(row)
        if before is not None:
            tops = [value for value in (before["top"], row["top"]) if value is not None]
            after["top"] = max(tops) if tops else None
            after["word"] = before["word"] if before["word"] is not None else row["word"]
            after["done"] = before["done"] or row["done"]
            if before["done"]:
                after["total"], after["counted"] = before["total"], before["counted"]
        found[key] = after
    return {**old, **found} if keep_rows else found


def change(place: Place, chance: random.Random) -> None:
    number, group, value = chance.randint(1, 9), chance.randint(1, 3), chance.choice(("NULL", "1", "2", "7"))
    word = chance.choice(("NULL", "'a'", "'b'"))
    place.run(
        chance.choice(
            (
                f"INSERT INTO t VALUES ({number}, {group}, {value}, {word}) ON CONFLICT (id) DO UPDATE SET v = {value}",
                f"INSERT INTO t VALUES ({number}, {group}, {value}, {word}) ON CONFLICT (id) DO UPDATE SET g = {group}",
                f"UPDATE t SET v = {value}, w = {word} WHERE id = {number}",
                f"DELETE FROM t WHERE id = {number}",
                f"DELETE FROM t WHERE g = {group}",
            )
        )
    )


@pytest.mark.parametrize("keep_rows", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_random_states_fold_as_they_do_in_python(place: Place, keep_rows: bool, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, NULL), (2, 2, NULL, 'x')")
    keeper = Tidemark(declared(keep_rows), place.url)
    keeper.apply()
    state = fold({}, computed(place), keep_rows)
    for step in range(15):
        assert shown(place) == state, f"seed {seed}, step {step}"
        for _ in range(chance.randint(1, 4)):
            change(place, chance)
        keeper.tick()
        state = fold(state, computed(place), keep_rows)
        if step % 10 == 0:
            assert all(report.clean for report in keeper.verify()), f"seed {seed}, step {step}"
    assert shown(place) == state


def test_verification_is_one_sided_and_repair_never_lowers(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, 'x'), (2, 1, 6, 'y'), (3, 1, 1, 'z'), (4, 2, 3, NULL)")
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    place.run("DELETE FROM t WHERE id IN (2, 3)")
    keeper.tick()
    assert shown(place)[1] == dict(zip(COLUMNS, (1, 6, 5, 1, "x", True, 12, 3), strict=True))
    (report,) = keeper.verify()
    assert report.clean
    assert any("top never goes back" in note for note in report.notes)
    store = "tidemark_k" if place.is_sqlite else "tidemark.k"
    place.run(f"UPDATE {store} SET top = 99 WHERE g = 1")
    assert all(report.clean for report in keeper.verify())
    place.run(f"UPDATE {store} SET top = 1, n = 44 WHERE g = 1")
    (report,) = keeper.verify()
    assert [(one.kind, one.key) for one in report.findings] == [("different", (1,))]
    keeper.repair()
    assert shown(place)[1] == dict(zip(COLUMNS, (1, 5, 5, 1, "x", True, 12, 3), strict=True))
    assert all(report.clean for report in keeper.verify())


def test_memory_outlives_a_change_of_definition(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, 'x'), (2, 1, 6, 'y'), (3, 1, 1, 'z'), (4, 2, 8, NULL)")
    Tidemark(declared(keep_rows=True), place.url).apply()
    place.run("DELETE FROM t WHERE id IN (2, 3, 4)")
    Tidemark(declared(keep_rows=True), place.url).tick()
    changed = QUERY.replace("min(v) AS low", "min(v) - 1 AS low")
    keeper = Tidemark(declared(keep_rows=True, query=changed), place.url)
    assert [step.verb for step in keeper.plan().steps] == ["replace"]
    keeper.apply()
    assert shown(place)[1] == dict(zip(COLUMNS, (1, 6, 4, 1, "x", True, 12, 3), strict=True))
    assert shown(place)[2]["top"] == 8
    assert keeper.plan().is_empty
    project = Project("kept")
    project.derive("renamed", query=QUERY, keep=KEEP, was="k")
    Tidemark(project, place.url).apply()
    assert place.rows("SELECT g, top, total FROM renamed") == [(1, 6, 12)]


@pytest.mark.parametrize("keep_rows", [False, True])
def test_a_new_column_that_another_one_freezes_begins_with_what_the_query_says(place: Place, keep_rows: bool) -> None:
    """The row was complete before anybody asked for the column, so that there is no value of that moment."""
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, NULL), (2, 1, 6, NULL), (3, 1, 1, NULL)")
    parts = ("SELECT g, count(*) >= 3 AS done, sum(v) AS total", " FROM t GROUP BY g")

    def keeper(added: str, *names: str) -> Tidemark:
        project = Project("kept")
        keep = {"done": ratchet(), **dict.fromkeys(names, first(when="done"))}
        project.derive("k", query=added.join(parts), keep=keep, keep_rows=keep_rows)
        return Tidemark(project, place.url)

    keeper("", "total").apply()
    place.run("DELETE FROM t WHERE id = 3")
    keeper("", "total").tick()
    wider = keeper(", count(v) AS counted", "total", "counted")
    wider.apply()
    assert place.rows("SELECT g, done, total, counted FROM k") == [(1, True, 12, 2)]
    place.run("INSERT INTO t VALUES (4, 1, 9, NULL)")
    wider.tick()
    assert place.rows("SELECT g, done, total, counted FROM k") == [(1, True, 12, 2)]
    assert all(report.clean for report in wider.verify())


def test_memory_outlives_a_change_of_definition_whatever_the_name(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, 'x'), (2, 1, 6, 'y')")
    for more in ("", ", count(*) AS n"):
        project = Project("kept")
        query = f"SELECT g, max(v) AS top{more} FROM t GROUP BY g"
        project.derive(r"a\sb\1", query=query, keep={"top": ratchet()})
        Tidemark(project, place.url).apply()
        place.run("DELETE FROM t WHERE id = 2")
    assert place.rows(r'SELECT g, top, n FROM "a\sb\1"') == [(1, 6, 1)]


def test_rows_begin_with_the_first_change_after_deployment(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, 'x'), (2, 1, 6, 'y'), (3, 2, 1, 'z'), (4, 3, 8, NULL)")
    keeper = Tidemark(declared(keep_rows=True, marks="now"), place.url)
    keeper.apply()
    assert shown(place) == {}
    place.run("INSERT INTO t VALUES (5, 1, 1, 'a')", "DELETE FROM t WHERE id = 3")
    keeper.tick()
    assert shown(place) == {1: computed(place)[1]}
    assert all(report.clean for report in keeper.verify())
    changed = QUERY.replace("min(v) AS low", "min(v) - 1 AS low")
    again = Tidemark(declared(keep_rows=True, query=changed, marks="now"), place.url)
    again.apply()
    assert set(shown(place)) == {1} and shown(place)[1]["low"] == 0
    place.run("DELETE FROM t WHERE g = 1")
    again.tick()
    assert set(shown(place)) == {1}
    assert all(report.clean for report in again.verify())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": {"g": ratchet()}}, "part of the key"),
        ({"keep": {"x": ratchet()}}, "not in the result"),
        ({"keep": {"n": first(when="done")}}, "can go back"),
        ({"keep": {"n": first(when="x")}}, "no column"),
        ({"keep": {"n": ratchet()}, "freshness": "commit"}, "fold over the states"),
    ],
)
def test_memory_that_means_nothing_is_refused(place: Place, options: dict[str, Any], message: str) -> None:
    place.run(SCHEMA)
    project = Project("refused")
    project.derive("k", query=QUERY, **options)
    with pytest.raises(Refusal, match=message) as caught:
        Tidemark(project, place.url).plan()
    assert caught.value.code in (Code.DECLARATION, Code.FRESHNESS)


def test_memory_outlives_an_interrupted_change_of_definition(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, 'x'), (2, 2, 6, 'y')")
    before = Tidemark(declared(), place.url)
    before.apply()
    changed = declared(query=QUERY.replace("min(v) AS low", "min(v) - 1 AS low"))
    for asked in range(1, 4):
        left = iter([False] * asked + [True] * 1000)
        with pytest.raises(Fault, match="interrupted"):
            Tidemark(changed, place.url, stop=partial(next, left)).apply()
        # What readers see goes on remembering while its successor is on its way.
        place.run(f"UPDATE t SET v = {100 + asked} WHERE id = 1")
        before.tick()
        place.run("UPDATE t SET v = 5 WHERE id = 1")
        before.tick()
        assert shown(place)[1]["top"] == 100 + asked
    after = Tidemark(changed, place.url)
    after.apply()
    assert (shown(place)[1]["top"], shown(place)[1]["low"]) == (103, 4)
    assert all(report.clean for report in after.verify())


def test_memory_folds_where_rows_are_computed_by_unit(place: Place) -> None:
    chance = random.Random("units")
    query = "SELECT g, id, v, row_number() OVER (PARTITION BY g ORDER BY v, id) AS n FROM t"
    place.run(SCHEMA, "INSERT INTO t VALUES (1, 1, 5, NULL), (2, 2, NULL, 'x'), (3, 1, 9, NULL)")
    project = Project("units")
    project.derive("k", query=query, key=("g", "id"), keep={"n": ratchet(), "v": first()})
    keeper = Tidemark(project, place.url)
    keeper.apply()
    assert keeper.sql()[0].applier.units == ("g",)
    state = {row[:2]: row[2:] for row in place.rows(query)}
    for _ in range(15):
        assert {row[:2]: row[2:] for row in place.rows("SELECT g, id, v, n FROM k")} == state
        for _ in range(chance.randint(1, 4)):
            change(place, chance)
        keeper.tick()
        new = {row[:2]: row[2:] for row in place.rows(query)}
        kept = {key: state.get(key, row) for key, row in new.items()}
        state = {
            key: (kept[key][0] if kept[key][0] is not None else row[0], max(kept[key][1], row[1]))
            for key, row in new.items()
        }
    assert all(report.clean for report in keeper.verify())
