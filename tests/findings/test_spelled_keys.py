"""Keys whose equal values are spelled in several ways: a stored row shows a spelling that some row of its group has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.findings.place import Place
from tests.kit.size import in_turn, on_engines_in_turn
from tidemark.maintenance import keyed, linear
from tidemark.model import Freshness
from tidemark.render import linear_ticks, spelling
from tidemark.render.store import Store
from tidemark.runtime.ticks import at_once, deltas, tick
from tidemark.runtime.ticks.guard import Choice

NAME, OTHER = "'bob'", "'Bob'"
COLLATION = "CREATE COLLATION level2 (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
QUERIES: dict[str, tuple[str, str | tuple[str, ...]]] = {
    "counted": ("SELECT name, count(*) AS n FROM t GROUP BY name", "name"),
    "greatest": ("SELECT name, sum(v) AS s, max(v) AS m FROM t GROUP BY name", "name"),
    "numbers": ("SELECT k, count(*) AS n FROM t GROUP BY k", "k"),
    "pairs": ("SELECT k, name, count(*) AS n FROM t GROUP BY k, name", ("k", "name")),
    "different": ("SELECT DISTINCT name FROM t", "name"),
    "supported": ("SELECT name, count(DISTINCT v) AS n FROM t GROUP BY name", "name"),
    "twice": ("SELECT name, count(DISTINCT v) AS n, count(DISTINCT k) AS m FROM t GROUP BY name", "name"),
    "columns": ("SELECT u.name, (SELECT count(*) FROM t WHERE t.name = u.name) AS n FROM u", "name"),
    "copied": ("SELECT name, w FROM u", "name"),
    "joined": (
        "SELECT u.name, count(*) AS n, max(t.v) AS m FROM u JOIN t ON t.name = u.name GROUP BY u.name",
        "name",
    ),
    "shown": ("SELECT id, name, k FROM t", "id"),
    "rows": ("SELECT u.name, t.id FROM u JOIN t ON t.name = u.name", ("name", "id")),
    "groups": ("SELECT name, v, count(*) AS n FROM (SELECT DISTINCT name, v FROM t) x GROUP BY name, v", ("name", "v")),
}


class Spelled:
    """A place with a table of names and numbers, and every query over it."""

    def __init__(self, place: Place, freshness: Freshness) -> None:
        self.place = place
        name, number = ("TEXT COLLATE NOCASE", "") if place.is_sqlite else ("text COLLATE level2", "numeric")
        self.one, self.other = ("1", "1.0") if place.is_sqlite else ("1.0", "1.00")
        place.run(
            *(() if place.is_sqlite else (COLLATION,)),
            f"CREATE TABLE t (id integer PRIMARY KEY, name {name}, v integer, k {number})",
            f"CREATE TABLE u (name {name} NOT NULL PRIMARY KEY, w integer)",
        )
        for named, (query, key) in QUERIES.items():
            place.derive(named, query, key, freshness=freshness)
        place.tidemark.apply()

    def write(self, *statements: str) -> None:
        """Statements in one transaction, in which $one and $other stand for two spellings of a number."""
        self.place.run("BEGIN")
        self.place.run(*(one.replace("$one", self.one).replace("$other", self.other) for one in statements))
        self.place.run("COMMIT")

    def wrong(self) -> set[str]:
        """The tables that are not spelled as their query is, after a tick."""
        self.place.tidemark.tick()
        return {
            name for name, query in self.place.queries.items() if self._spelled(name) != self._spelled(f"({query})")
        }

    def _spelled(self, source: str) -> list[tuple[Any, ...]]:
        if self.place.is_sqlite:
            return sorted(self.place.bag(f"SELECT * FROM {source} AS q").items())
        return self.place.rows(f"SELECT ROW(q.*)::text, count(*) FROM {source} AS q GROUP BY 1 ORDER BY 1")


ROWS = (f"INSERT INTO u VALUES ({NAME}, 1)", f"INSERT INTO t VALUES (1, {NAME}, 1, $one)")
PAIR = (*ROWS, f"INSERT INTO t VALUES (2, {OTHER}, 1, $other)")
MANY = (*ROWS, *(f"INSERT INTO t VALUES ({n}, {NAME}, 1, $one)" for n in range(2, 200)))
Write = tuple[str, ...]
CHANGES: dict[str, tuple[Write, ...]] = {
    "the only row": (ROWS, (f"UPDATE t SET name = {OTHER}",), ("UPDATE t SET k = $other",)),
    "the row of the universe": (ROWS, (f"UPDATE u SET name = {OTHER}",)),
    "the first of two": (PAIR, ("DELETE FROM t WHERE id = 1",)),
    "the second of two": (PAIR, ("DELETE FROM t WHERE id = 2",)),
    "a child before its row": (
        (f"INSERT INTO t VALUES (1, {NAME}, 1, $one)",),
        (f"INSERT INTO u VALUES ({OTHER}, 1)",),
    ),
    "a child after its row": ((f"INSERT INTO u VALUES ({OTHER}, 1)",), (f"INSERT INTO t VALUES (1, {NAME}, 1, $one)",)),
    "come and gone": (
        (
            f"INSERT INTO t VALUES (1, {NAME}, 1, $one)",
            "DELETE FROM t",
            f"INSERT INTO t VALUES (1, {OTHER}, 2, $other)",
        ),
    ),
    "back and forth": (
        ROWS,
        (f"UPDATE t SET name = {OTHER}, k = $other", f"UPDATE t SET name = {NAME}", f"UPDATE t SET name = {OTHER}"),
    ),
    "all rows at once": (MANY, (f"UPDATE t SET name = {OTHER}, k = $other",)),
    "no key": (
        ("INSERT INTO t VALUES (1, NULL, 1, NULL)", f"INSERT INTO t VALUES (2, {NAME}, 1, $one)"),
        (f"UPDATE t SET name = {OTHER}, k = $other",),
    ),
}


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_key_is_spelled_as_a_row_that_is_there(place: Place, freshness: Freshness) -> None:
    """A plain run makes half of the changes at one freshness on one engine, and the other half at the other one."""
    spelled = Spelled(place, freshness)
    turn = place.is_sqlite + (freshness == "tick")
    for change, writes in (one for number, one in enumerate(CHANGES.items()) if in_turn(number + turn, 2)):
        for write in writes:
            spelled.write(*write)
            assert not spelled.wrong(), change
        spelled.write("DELETE FROM t", "DELETE FROM u")
        spelled.wrong()


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_row_that_is_replaced_says_no_more_how_its_key_is_spelled(lite: Place, freshness: Freshness) -> None:
    spelled = Spelled(lite, freshness)
    spelled.write(*ROWS)
    spelled.write(f"REPLACE INTO t VALUES (1, {OTHER}, 2, $other)")
    assert not spelled.wrong()
    spelled.write("DELETE FROM t", "DELETE FROM u")
    spelled.write(*PAIR)
    for one, other in ((1, NAME), (2, NAME), (1, OTHER), (2, OTHER)):
        spelled.write(f"REPLACE INTO t VALUES ({one}, {other}, 3, {'$one' if other == NAME else '$other'})")
    assert not spelled.wrong()


def test_a_group_that_a_replaced_row_left_empty_is_spelled_as_the_next_one(lite: Place) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, k, v INTEGER)", "INSERT INTO t VALUES (1, 1, 1), (2, 5, 2)")
    lite.derive("by_value", "SELECT k, count(*) AS n, max(v) AS m FROM t GROUP BY k", "k", freshness="commit")
    differences = "SELECT k - 1 AS d, count(*) AS n, max(v) AS m FROM t GROUP BY k - 1"
    lite.derive("by_difference", differences, "d", freshness="commit")
    lite.tidemark.apply()
    for change in (
        "REPLACE INTO t SELECT * FROM t",
        "REPLACE INTO t VALUES (1, 1.0, 1)",
        "REPLACE INTO t SELECT * FROM t",
        "REPLACE INTO t VALUES (1, 1, 1)",
        "UPDATE OR REPLACE t SET id = 1, k = 1.0 WHERE id = 2",
        "INSERT INTO t VALUES (2, 5, 2)",
        "UPDATE OR REPLACE t SET id = 1, k = 1 WHERE id = 2",
    ):
        lite.run(change)
        for name, query in lite.queries.items():
            assert lite.bag(f"SELECT * FROM {name}") == lite.bag(query), (change, name)


def test_a_key_is_spelled_after_filling_beside_a_writer(place: Place) -> None:
    spelled = Spelled(place, "commit")
    spelled.write(*PAIR, f"UPDATE u SET name = {OTHER}")
    place.queries.clear()
    place.derive("later", "SELECT name, count(*) AS n FROM t GROUP BY name", "name", freshness="commit")
    spelled.write("DELETE FROM t WHERE id = 1")
    place.tidemark.apply()
    assert not spelled.wrong()
    spelled.write(f"UPDATE t SET name = {NAME}")
    assert not spelled.wrong()


MISTAKES: dict[str, tuple[object, str, object, str, Freshness]] = {
    "a key of what adds up has one spelling": (linear, "spelling_of_key", lambda *_: "one", "the only row", "commit"),
    "a key of what is recomputed has one": (
        keyed,
        "spelling_of_key",
        lambda *_: "one",
        "the row of the universe",
        "tick",
    ),
    "what leaves takes nothing along": (linear_ticks.spelling, "spells", lambda *_: False, "the first of two", "tick"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_it_is_seen(place: Place, mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, other, change, freshness = MISTAKES[mistake]
    monkeypatch.setattr(where, name, other)
    spelled, wrong = Spelled(place, freshness), set[str]()
    for write in CHANGES[change]:
        spelled.write(*write)
        wrong |= spelled.wrong()
    assert wrong


@pytest.mark.parametrize("is_planted", [False, True])
def test_a_whole_result_is_compared_as_it_is_spelled(
    place: Place, is_planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the key has one spelling, and a value beside it has not."""
    if is_planted:
        monkeypatch.setattr(Store, "spelled", ())
    for module in (tick, deltas, at_once):
        monkeypatch.setattr(module, "choose_for", lambda *_: Choice("full", "asked for"))
    spelled = Spelled(place, "tick")
    spelled.write(*MANY)
    assert not spelled.wrong()
    spelled.write(f"UPDATE t SET name = {OTHER}, k = $other")
    assert bool(spelled.wrong()) is is_planted


SHOWN = {
    "extremes": "SELECT a.g, (SELECT max(k) FROM t WHERE t.v = a.g) AS k, "
    "(SELECT min(name) FROM t WHERE t.v = a.g) AS name FROM a",
    "grouped": "SELECT v, max(k) AS k, min(name) AS name FROM t GROUP BY v",
    "ours": "SELECT 'x' AS c, name, count(*) AS n FROM t WHERE name IS NOT NULL GROUP BY name",
}


@on_engines_in_turn("freshness", ["commit", "tick"])
def test_extremes_and_tables_of_the_users_show_the_spelling_that_is_there(place: Place, freshness: Freshness) -> None:
    spelled = Spelled(place, freshness)
    name, number = ("TEXT COLLATE NOCASE", "") if place.is_sqlite else ("text COLLATE level2", "numeric")
    place.run(
        f"CREATE TABLE a (g integer PRIMARY KEY, k {number}, name {name})",
        f"CREATE TABLE b (c text NOT NULL, name {name} NOT NULL, n integer, PRIMARY KEY (c, name))",
        "INSERT INTO a (g) VALUES (1), (2)",
    )
    place.project.derive("extremes", query=SHOWN["extremes"], key="g", columns_of="a", freshness=freshness)
    place.project.derive("ours", query=SHOWN["ours"], key=("c", "name"), rows_of="b", freshness=freshness)
    place.derive("grouped", SHOWN["grouped"], "v", freshness=freshness)
    place.tidemark.apply()
    place.queries |= {"a": SHOWN["extremes"], "b": SHOWN["ours"]}
    spelled.write(*ROWS)
    for change in ("UPDATE t SET k = $other", f"UPDATE t SET name = {OTHER}", "UPDATE t SET k = $one", "DELETE FROM t"):
        spelled.write(change)
        assert not spelled.wrong()
    assert all(report.clean for report in place.tidemark.verify())


def test_a_mistake_in_counting_reals_is_seen(lite: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "by_count", lambda *_: ())
    spelled = Spelled(lite, "commit")
    spelled.write(*ROWS)
    spelled.write("UPDATE t SET k = $other")
    assert spelled.wrong() == {"numbers"}


def test_an_alias_is_no_row_of_a_trigger(lite: Place) -> None:
    """In a trigger of SQLite a subquery takes "new" and "old" for its rows, whatever the query around it calls so."""
    lite.run(
        'CREATE TABLE "new" (id INTEGER PRIMARY KEY, b TEXT, x TEXT)',
        """INSERT INTO "new" VALUES (1, NULL, 'a'), (2, 'e', ''), (3, NULL, 'b')""",
    )
    query = "SELECT b, count(DISTINCT x) AS n FROM new GROUP BY b"
    lite.project.derive("counted", query=query, key="b", freshness="commit", support=False)
    lite.queries["counted"] = query
    aliased = "SELECT old.id, (SELECT max(n.x) FROM new n WHERE n.b = OLD.b AND n.id > old.id) AS m FROM new AS old"
    lite.derive("aliased", aliased, "id", freshness="commit")
    lite.tidemark.apply()
    for change in (
        "INSERT INTO new VALUES (4, NULL, 'c'), (5, 'e', 'd')",
        "REPLACE INTO new VALUES (3, '', 'e')",
        "UPDATE new SET b = NULL WHERE id = 2",
        "DELETE FROM new WHERE id = 1",
    ):
        lite.run(change)
        lite.check()
    lite.verified()


def test_a_key_that_has_no_whole_real_numbers_is_not_counted_by_them(lite: Place) -> None:
    lite.run("CREATE TABLE s (id INTEGER PRIMARY KEY, at TEXT, n INT, k)")
    keys = {
        "strftime('%H', at)": 0,
        "date(at, 'start of month')": 0,
        "coalesce(at, '')": 0,
        "ifnull(n, lower(k) || k)": 0,
        "coalesce(n, k)": 1,
        "coalesce(n, 1.0)": 1,
        "n + 1": 1,
    }
    for number, key in enumerate(keys):
        lite.derive(f"d{number}", f"SELECT {key} AS x, count(*) AS c FROM s GROUP BY 1", "x", freshness="tick")
    lite.tidemark.apply()
    lite.run(
        "INSERT INTO s VALUES (1, '2025-01-01', 1, 1.0), (2, NULL, NULL, 1.0), (3, NULL, NULL, 1), (4, '', 2.5, 'A')"
    )
    lite.tidemark.tick()
    lite.run("DELETE FROM s WHERE id = 2", "UPDATE s SET n = 1.0 WHERE id = 4")
    lite.tidemark.tick()
    for number, (key, counted) in enumerate(keys.items()):
        columns = [str(name) for name, _ in lite.rows(f"SELECT name, 1 FROM pragma_table_info('tidemark_d{number}')")]
        assert sum("reals" in name for name in columns) == counted, key
        assert lite.bag(f"SELECT * FROM d{number}") == lite.bag(lite.queries[f"d{number}"]), key
    assert all(report.clean for report in lite.tidemark.verify())
