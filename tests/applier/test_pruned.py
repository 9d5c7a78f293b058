"""Pruned sources: totals over every row that ever was, on both engines, against a model in Python."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.findings.place import Place, connect
from tidemark import Project, Refusal, Tidemark
from tidemark.errors import Code

SCHEMA = "CREATE TABLE plays (id integer NOT NULL PRIMARY KEY, track integer, user_id integer NOT NULL, n integer)"
TOTALS = (
    "SELECT track, count(*) AS plays, count(n) AS counted, sum(CAST(n AS integer)) AS total, max(n) AS top, min(n) AS low "
    "FROM plays GROUP BY track"
)
MEMBERS = "SELECT track, user_id, count(*) AS plays FROM plays GROUP BY track, user_id"
LISTENERS = "SELECT track, count(*) AS listeners, sum(plays) AS plays FROM members GROUP BY track"
Row = tuple[Any, Any, Any]


def declared(query: str = TOTALS, **facts: bool) -> Project:
    project = Project("pruned")
    project.source("plays", pruned=True, **facts)
    project.derive("totals", query=query)
    project.derive("members", query=MEMBERS)
    project.derive("listeners", query=LISTENERS)
    return project


class Model:
    """Every row that ever was: those that are there, and those that were deleted, as they were then."""

    def __init__(self) -> None:
        self.here: dict[int, Row] = {}
        self.gone: list[Row] = []
        self.tops: dict[Any, list[int]] = {}

    def put(self, number: int, row: Row) -> None:
        self.here[number] = row
        if row[2] is not None:
            self.tops.setdefault(row[0], []).append(row[2])

    def drop(self, number: int) -> None:
        if number in self.here:
            self.gone.append(self.here.pop(number))

    def totals(self) -> dict[Any, tuple[Any, ...]]:
        found = {}
        rows = [*self.here.values(), *self.gone]
        for track in {row[0] for row in rows}:
            values = [row[2] for row in rows if row[0] == track]
            known, tops = [value for value in values if value is not None], self.tops.get(track, [])
            sums = sum(known) if known else None
            found[track] = (len(values), len(known), sums, max(tops, default=None), min(tops, default=None))
        return found


def shown(place: Place) -> dict[Any, tuple[Any, ...]]:
    return {row[0]: tuple(row[1:]) for row in place.rows("SELECT track, plays, counted, total, top, low FROM totals")}


def change(place: Place, model: Model, chance: random.Random) -> None:
    number, track, user = chance.randint(1, 8), chance.choice((None, 1, 2)), chance.randint(1, 3)
    value = chance.choice((None, -2, 0, 3, 9))
    row = ", ".join("NULL" if one is None else str(one) for one in (track, user, value))
    pick = chance.random()
    if pick < 0.3:
        place.run(
            f"INSERT INTO plays VALUES ({number}, {row}) ON CONFLICT (id) DO UPDATE SET track = excluded.track, "
            "user_id = excluded.user_id, n = excluded.n"
        )
        model.put(number, (track, user, value))
    elif pick < 0.4:
        place.run(f"INSERT INTO plays VALUES ({number}, {row}) ON CONFLICT (id) DO NOTHING")
        if number not in model.here:
            model.put(number, (track, user, value))
    elif pick < 0.55:
        if place.is_sqlite:
            place.run(f"PRAGMA recursive_triggers = {chance.choice(('ON', 'OFF'))}")
            place.run(
                f"INSERT OR {chance.choice(('REPLACE', 'IGNORE') if number in model.here else ('REPLACE',))} INTO plays "
                f"VALUES ({number}, {row})"
            )
            if place.rows(f"SELECT track, user_id, n FROM plays WHERE id = {number}") == [(track, user, value)]:
                model.put(number, (track, user, value))
    elif pick < 0.7:
        place.run(f"UPDATE plays SET n = {row.split(', ')[2]}, track = {row.split(', ')[0]} WHERE id = {number}")
        if number in model.here:
            model.put(number, (track, model.here[number][1], value))
    elif pick < 0.95:
        place.run(f"DELETE FROM plays WHERE id <= {number} AND n IS NOT NULL")
        for one in [one for one, has in model.here.items() if one <= number and has[2] is not None]:
            model.drop(one)
    else:
        place.run("DELETE FROM plays" if place.is_sqlite else "TRUNCATE plays")
        for one in list(model.here):
            model.drop(one)


@pytest.mark.parametrize("seed", range(2))
def test_totals_survive_pruning(place: Place, seed: int) -> None:
    print(f"seed {seed}")
    chance, model = random.Random(f"{seed} pruned"), Model()
    place.run(SCHEMA, "INSERT INTO plays VALUES (1, 1, 1, 5), (2, 1, 2, NULL)")
    model.put(1, (1, 1, 5))
    model.put(2, (1, 2, None))
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    for step in range(120):
        change(place, model, chance)
        assert shown(place) == model.totals(), f"step {step}"
        if step % 40 == 39:
            assert all(report.clean for report in keeper.verify()), f"step {step}"
    assert all(report.rows_written == 0 for report in keeper.repair())
    assert shown(place) == model.totals()


def test_repair_raises_and_never_lowers(place: Place) -> None:
    place.run(SCHEMA)
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    place.run("INSERT INTO plays VALUES (1, 1, 1, 5), (2, 1, 2, 7), (3, 1, 3, 1)", "DELETE FROM plays WHERE id = 2")
    store = "tidemark_totals" if place.is_sqlite else "tidemark.totals"
    place.run(f'UPDATE {store} SET "_rows" = 1, "_total_sum" = 0')
    assert {report.derived: report.drift for report in keeper.verify()} == {"totals": 1, "members": 0, "listeners": 0}
    keeper.repair()
    assert shown(place)[1][:3] == (2, 3, 6), "what the rows that are left add up to"
    place.run(f'UPDATE {store} SET "_rows" = 40, "_total_sum" = 99')
    assert all(report.clean for report in keeper.verify())
    keeper.repair()
    assert shown(place)[1][0] == 40


def test_members_count_once_whatever_comes_late_or_again(place: Place) -> None:
    place.run(SCHEMA)
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    place.run("INSERT INTO plays VALUES (1, 1, 1, 1), (2, 1, 2, 1), (3, 1, 1, 1)", "DELETE FROM plays")
    place.run("INSERT INTO plays VALUES (4, 1, 1, 1), (5, 1, 3, 1)")
    keeper.tick()
    assert place.rows("SELECT track, listeners, plays FROM listeners") == [(1, 3, 5)]
    keeper.verify()
    keeper.repair()
    assert place.rows("SELECT track, listeners, plays FROM listeners") == [(1, 3, 5)]


@pytest.mark.parametrize("also", ["", ", count(*) AS plays, sum(CAST(n AS integer)) AS total"])
def test_different_values_are_counted_once_for_ever(place: Place, also: str) -> None:
    """Late, repeated and pruned rows leave the count of different values exact, and no repair lowers it."""
    chance, seen = random.Random(also), dict[int, set[int]]()
    place.run(SCHEMA)
    project = Project("distinct")
    project.source("plays", pruned=True)
    query = f"SELECT track, count(DISTINCT user_id) AS listeners{also} FROM plays GROUP BY track"
    project.derive("listeners", query=query, support=True)
    keeper = Tidemark(project, place.url)
    keeper.apply()
    for step in range(60):
        number, track, user = chance.randint(1, 9), chance.randint(1, 2), chance.randint(1, 6)
        if chance.random() < 0.6:
            place.run(f"INSERT INTO plays VALUES ({number}, {track}, {user}, 1) ON CONFLICT (id) DO NOTHING")
            if place.rows(f"SELECT track, user_id FROM plays WHERE id = {number}") == [(track, user)]:
                seen.setdefault(track, set()).add(user)
        else:
            place.run(chance.choice((f"DELETE FROM plays WHERE id <= {number}", "DELETE FROM plays")))
        if step % 15 == 14:
            assert all(report.clean for report in keeper.verify()), f"step {step}"
            keeper.repair()
        shown = place.rows("SELECT track, listeners FROM listeners ORDER BY track")
        assert shown == [(track, len(users)) for track, users in sorted(seen.items())], f"step {step}"
    store = "tidemark_listeners" if place.is_sqlite else "tidemark.listeners"
    place.run("DELETE FROM plays", f'UPDATE {store} SET "_listeners" = 1')
    assert sum(report.drift for report in keeper.verify()) == 2
    keeper.repair()
    assert place.rows("SELECT listeners FROM listeners ORDER BY track") == [(len(seen[1]),), (len(seen[2]),)]


def test_another_definition_is_refused_and_another_table_is_not(place: Place) -> None:
    place.run(SCHEMA, "INSERT INTO plays VALUES (1, 1, 1, 1)")
    Tidemark(declared(), place.url).apply()
    with pytest.raises(Refusal, match="cannot be computed again"):
        Tidemark(declared(TOTALS.replace("count(*)", "2 * count(*)")), place.url).plan()
    assert Tidemark(declared(), place.url).plan().is_empty
    more = declared()
    more.derive("more", query=MEMBERS.replace("track, user_id", "user_id"))
    Tidemark(more, place.url).apply()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT track, count(DISTINCT user_id) AS users FROM plays GROUP BY track",
        "SELECT id, n FROM plays",
        "SELECT p.track, count(*) AS n FROM plays p JOIN plays q ON q.id = p.n GROUP BY p.track",
    ],
)
def test_what_would_be_computed_again_is_refused(place: Place, query: str) -> None:
    place.run(SCHEMA)
    project = Project("again")
    project.source("plays", pruned=True)
    project.derive("wrong", query=query)
    with pytest.raises(Refusal) as refusal:
        Tidemark(project, place.url).plan()
    assert refusal.value.code is Code.UNSUPPORTED
    assert "pruned" in refusal.value.reason


def test_rows_that_move_between_partitions_are_not_taken_for_pruned_ones(pg_database: str) -> None:
    place = Place(pg_database, connect(pg_database))
    columns = "id integer NOT NULL, track integer, user_id integer NOT NULL, n integer"
    place.run(
        f"CREATE TABLE whole ({columns}) PARTITION BY LIST (track)", "CREATE TABLE plays PARTITION OF whole DEFAULT"
    )
    with pytest.raises(Refusal, match="moves to another partition"):
        Tidemark(declared(), place.url).plan()
    Tidemark(declared(append_only=True), place.url).apply()
    place.run("INSERT INTO whole VALUES (1, 1, 1, 1)")
    assert shown(place) == {1: (1, 1, 1, 1, 1)}
    place.close()


def test_explain_says_what_is_one_sided(place: Place) -> None:
    place.run(SCHEMA)
    said = " ".join(Tidemark(declared(), place.url).explain("totals").notes)
    assert "is pruned" in said and "one-sided" in said and "never go back" in said


def test_a_recompute_that_forgets_what_is_gone_is_found(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.render.linear.keep_gone", lambda store, program: ())
    place.run(SCHEMA)
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    place.run("INSERT INTO plays VALUES (1, 1, 1, 5), (2, 1, 2, 7)", "DELETE FROM plays WHERE id = 2")
    assert not all(report.clean for report in keeper.verify())
    keeper.repair()
    assert shown(place)[1][0] == 1, "the mistake lowers what was counted, and the tests above would see it"
