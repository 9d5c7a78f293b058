"""The query as it is written, beside what readers see: what a verification by the same program could never find."""

from __future__ import annotations

import json
from unittest import mock

import pytest

from tests.findings.place import Place
from tidemark import ratchet
from tidemark.cli import main
from tidemark.maintenance import bilinear

COUNTS = "SELECT g, count(*) AS n, sum(v) AS s, avg(v * 0.1) AS mean FROM f GROUP BY g"
TWINS = "SELECT q.g, sum(p.v) AS s, sum(q.v) AS r FROM f AS p JOIN f AS q ON q.g = p.v GROUP BY q.g"
LATEST = "SELECT g, max(v) AS v FROM f GROUP BY g HAVING count(*) > 1"


@pytest.fixture
def world(place: Place) -> Place:
    place.run(
        "CREATE TABLE f (id INTEGER PRIMARY KEY, g INTEGER, v INTEGER)",
        "CREATE INDEX f_g ON f (g)",
        "CREATE INDEX f_v ON f (v)",
        "INSERT INTO f VALUES (1, 1, 2), (2, 2, 1), (3, 1, 1), (4, NULL, 5), (5, 2, 1)",
    )
    return place


def test_what_waits_is_taken_in(world: Place) -> None:
    world.derive("counts", COUNTS, freshness="commit")
    world.derive("added", COUNTS, freshness="tick")
    world.derive("twins", TWINS, freshness="tick")
    world.derive("latest", LATEST, freshness="tick")
    world.tidemark.apply()
    world.run("INSERT INTO f VALUES (6, 7, 1), (7, 1, 7)", "UPDATE f SET v = v + 1 WHERE g = 2")
    found = world.tidemark.verify_as_written()
    assert [(one.derived, one.differ, one.why_not) for one in found] == [
        (name, (), "") for name in ("added", "counts", "latest", "twins")
    ]


def test_a_row_that_somebody_changed_is_told_with_both_values(world: Place, capsys: pytest.CaptureFixture[str]) -> None:
    world.install("counts", "SELECT g, count(*) AS n, sum(v) AS s FROM f WHERE g IS NOT NULL GROUP BY g")
    store = next(one for one in world.tidemark.sql("counts")).store
    world.run(f"UPDATE {store} SET _rows = 9 WHERE g = 1", f"DELETE FROM {store} WHERE g = 2")
    (found,) = world.tidemark.verify_as_written("counts")
    assert [(one.kind, one.key, one.stored, one.truth) for one in found.differ] == [
        ("different", (1,), (1, 9, 3), (1, 2, 3)),
        ("missing", (2,), None, (2, 2, 2)),
    ]


def test_a_mistake_in_how_rows_are_kept_is_found_here_alone(
    world: Place, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two columns of one name, taken for one: that is what a self-join once stored, and its verification was content."""
    parts = bilinear.AskedParts
    forgetful = mock.patch.object(bilinear, "AskedParts", lambda dialect, taken, made, _: parts(dialect, taken, made))
    with forgetful:
        world.derive("twins", TWINS, freshness="tick")
        world.tidemark.apply()
    assert all(one.clean for one in world.tidemark.verify())
    assert main(["verify", "--as-written", "--json", "--database", world.url]) == 4
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert {one["kind"] for one in table["findings"]} == {"different"}
    assert main(["verify", "--as-written", "--database", world.url]) == 4
    assert "a mistake of Tidemark's" in capsys.readouterr().out


def test_what_need_not_be_what_the_query_says_now_is_not_compared(world: Place) -> None:
    world.project.derive(
        "most", key="g", query="SELECT g, max(v) AS v FROM f GROUP BY g", freshness="tick", keep={"v": ratchet()}
    )
    world.tidemark.apply()
    world.run("DELETE FROM f WHERE v > 1")
    world.tidemark.tick()
    (found,) = world.tidemark.verify_as_written()
    assert found.clean
    assert found.why_not == "it remembers what its sources have no more"
