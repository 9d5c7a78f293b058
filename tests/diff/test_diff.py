"""Two writers' tables beside each other: what differs is found, in its column, on either engine and across both."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.findings.place import connect
from tidemark import Refusal, Tidemark
from tidemark.cli import main
from tidemark.render import measures

SCHEMA = (
    'CREATE TABLE {} (id bigint PRIMARY KEY, who bigint, "a title" text, ok boolean, score double precision, '
    "at timestamp, facts json, extra text)"
)
COLUMNS = 'id, who, "a title", ok, score, at, facts, extra'


class Sides:
    """Two tables, ``mine`` and ``theirs``, with the same rows."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect(url)
        for name in ("mine", "theirs"):
            self.connection.execute(SCHEMA.format(name))
            for number in range(1, 61):
                self.connection.execute(f"INSERT INTO {name} ({COLUMNS}) VALUES {_row(number)}")

    def run(self, sql: str) -> None:
        """Run a statement."""
        self.connection.execute(sql)

    def diff(self, **options: Any) -> Any:
        """The comparison."""
        (found,) = Tidemark(None, self.url).diff("mine=theirs", **options)
        return found


def _row(number: int) -> str:
    who = "NULL" if number % 7 == 0 else str(number % 5)
    truth = "true" if number % 2 else "false"
    return (
        f"({number}, {who}, 'track {number} é', {truth}, {number / 8}, '2024-01-{number % 28 + 1:02} 12:00:00', "
        f"'{{\"n\": {number}}}', NULL)"
    )


@pytest.fixture
def sides(engine_url: str) -> Iterator[Sides]:
    found = Sides(engine_url)
    yield found
    found.connection.close()


def test_equal_tables_are_the_same(sides: Sides) -> None:
    found = sides.diff(modulo=1)
    assert (found.verdict, found.rows, found.sampled, found.missing) == ("same", (60, 60), 60, 0)
    assert [column.verdict for column in found.columns] == ["same"] * 8
    sides.run("DELETE FROM mine")
    sides.run("DELETE FROM theirs")
    assert sides.diff().verdict == "same"


CHANGES = (
    ("UPDATE theirs SET who = 3 WHERE id = 9", "who", "differs"),
    ("UPDATE theirs SET who = NULL WHERE id = 9", "who", "differs"),
    ("UPDATE theirs SET \"a title\" = 'other' WHERE id = 9", "a title", "differs"),
    ("UPDATE theirs SET ok = NOT ok WHERE id = 9", "ok", "differs"),
    ("UPDATE theirs SET score = score + 0.5 WHERE id = 9", "score", "differs"),
    ("UPDATE theirs SET at = '2020-01-01 00:00:00' WHERE id = 9", "at", "differs"),
    ("UPDATE theirs SET extra = 'x' WHERE id = 9", "extra", "one-sided"),
    ("UPDATE theirs SET facts = 'null'", "facts", "one-sided"),
    ('UPDATE theirs SET "a title" = NULL', "a title", "one-sided"),
)


def test_what_differs_is_found_in_its_column(sides: Sides) -> None:
    for change, column, verdict in CHANGES:
        sides.run(change)
        found = sides.diff(modulo=1)
        assert {one.name: one.verdict for one in found.columns if one.verdict != "same"} == {column: verdict}, change
        assert not found.same
        sides.run("DELETE FROM theirs")
        sides.run("INSERT INTO theirs SELECT * FROM mine")


def test_a_tolerance_lets_little_pass_and_never_a_column_that_one_side_fills(sides: Sides) -> None:
    sides.run("UPDATE theirs SET score = score + 0.01 WHERE id = 9")
    sides.run("DELETE FROM theirs WHERE id = 60")
    assert sides.diff(tolerance=0.001).verdict == "differs"
    assert sides.diff(tolerance=0.2).verdict == "close"
    sides.run("UPDATE theirs SET extra = 'x' WHERE id = 1")
    assert sides.diff(tolerance=0.2).verdict == "one-sided"


def test_only_what_both_have_reached_is_compared(sides: Sides) -> None:
    sides.run("DELETE FROM theirs WHERE id > 40")
    found = sides.diff(modulo=1)
    assert (found.missing, found.verdict) == (20, "differs")
    assert sides.diff(where="id <= 40", modulo=1).verdict == "same"


def test_both_sides_pick_the_same_rows(sides: Sides) -> None:
    found = sides.diff(modulo=7)
    assert (found.sampled, found.missing) == (8, 0)
    sides.run("DELETE FROM theirs WHERE id = 14")
    found = sides.diff(modulo=7)
    assert (found.missing, [(row.key, row.left, row.right) for row in found.differing]) == (1, [((14,), "there", None)])


def test_columns_that_one_side_lacks_are_named(sides: Sides) -> None:
    sides.run("ALTER TABLE mine ADD COLUMN more integer")
    found = sides.diff()
    assert (found.only_left, found.only_right, found.verdict) == (("more",), (), "differs")
    with pytest.raises(Refusal, match="no table nowhere"):
        Tidemark(None, sides.url).diff("nowhere")


def test_random_spoiling_is_never_passed_over(sides: Sides) -> None:
    """Whatever one value is changed to, full samples find it: by the measure or by the row."""
    chance = random.Random(5)
    columns = {
        "who": "77",
        '"a title"': "'zzz'",
        "ok": "NULL",
        "score": "-1.5",
        "at": "'1999-01-01 00:00:00'",
        "extra": "'e'",
    }
    for _ in range(12):
        column, number = chance.choice(list(columns)), chance.randint(1, 60)
        side = chance.choice(("mine", "theirs"))
        sides.run(f"UPDATE {side} SET {column} = {columns[column]} WHERE id = {number}")
        assert not sides.diff(modulo=1).same, (side, column, number)
        for one, other in (("mine", "theirs"), ("theirs", "mine")):
            value = "NULL" if column == "extra" else f"(SELECT {column} FROM {other} AS o WHERE o.id = {number})"
            if one == side:
                sides.run(f"UPDATE {one} SET {column} = {value} WHERE id = {number}")
        assert sides.diff(modulo=1).same, (side, column, number)


def test_a_measure_that_counts_nothing_would_be_seen(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: values that are not there count too, so that a column of one side only passes where no row is sampled."""
    sides.run("UPDATE theirs SET extra = 'x'")
    assert sides.diff(modulo=997).verdict == "one-sided"
    original = measures.measure
    monkeypatch.setattr("tidemark.diffs.measure", lambda *a: original(*a).replace("IS NOT NULL", "IS NULL OR 1 = 1"))
    assert sides.diff(modulo=997).verdict != "one-sided"


def test_across_engines(sqlite_path: Path, pg_database: str) -> None:
    lite, far = Sides(f"sqlite:///{sqlite_path}"), Sides(pg_database)
    with contextlib.closing(lite.connection), contextlib.closing(far.connection):
        (found,) = Tidemark(None, lite.url).diff("mine", other=far.url, modulo=3)
        kinds = {one.name: one.verdict for one in found.columns}
        assert set(kinds.values()) == {"same"} and found.sampled == 20
        far.run("UPDATE mine SET ok = NOT ok WHERE id = 3")
        (found,) = Tidemark(None, lite.url).diff("mine", other=far.url, modulo=3)
        assert [one.name for one in found.columns if one.verdict != "same"] == ["ok"]


def test_texts_are_keys_too_and_both_engines_pick_the_same(sqlite_path: Path, pg_database: str) -> None:
    made = "CREATE TABLE named (name text NOT NULL, kind text NOT NULL, n integer, PRIMARY KEY (name, kind))"
    rows = [(f"name {number:x}é"[-(number % 9 + 1) :], f"k{number}", number) for number in range(80)]
    with contextlib.closing(sqlite3.connect(sqlite_path)) as lite, psycopg.connect(pg_database, autocommit=True) as far:
        for connection in (lite, far):
            connection.execute(made)
            for name, kind, number in rows:
                connection.execute(f"INSERT INTO named VALUES ('{name}', '{kind}', {number})")
        lite.commit()
    (found,) = Tidemark(None, f"sqlite:///{sqlite_path}").diff("named", other=pg_database, modulo=3)
    assert found.verdict == "same" and 5 < found.sampled < 60


def test_the_command_says_it_and_exits_4(sides: Sides, capsys: pytest.CaptureFixture[str]) -> None:
    sides.run("UPDATE theirs SET who = 3 WHERE id = 9")
    assert main(["diff", "mine=theirs", "--database", sides.url, "--modulo", "1"]) == 4
    said = capsys.readouterr().out
    assert "mine and theirs: differs; 60 and 60 rows, 60 of them compared" in said
    assert "who: differs;" in said and "9: who: 4 and 3" in said
    assert main(["diff", "mine=theirs", "--database", sides.url, "--where", "id > 9", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["same"] is True and data["tables"][0]["columns"][1]["name"] == "who"
