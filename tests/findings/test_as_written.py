"""The query as it is written, beside what readers see: what a verification by the same program could never find."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from unittest import mock

import pytest

from tests.findings.place import Place
from tidemark import Project, Tidemark, ratchet
from tidemark.cli import main
from tidemark.maintenance import bilinear
from tidemark.runtime.truth import as_written, last_word
from tidemark.runtime.truth.last_word import Unlike

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


def test_rows_that_nothing_shown_tells_apart_are_compared_by_how_many_there_are(world: Place) -> None:
    world.install(
        "alike", "SELECT p.g, p.v * 0.1 + coalesce(q.v, 0) AS w FROM f p LEFT JOIN f q ON q.id = p.id", freshness="tick"
    )
    (found,) = world.tidemark.verify_as_written()
    assert found.clean and not found.why_not
    (store,) = (one.store for one in world.tidemark.sql("alike"))
    # What the order of addition explains is no difference.
    world.run(
        f"DELETE FROM {store} WHERE g = 2", f"UPDATE {store} SET w = w + 1e-12", f"UPDATE {store} SET g = 3 WHERE w > 5"
    )
    (found,) = world.tidemark.verify_as_written()
    told = [(one.kind, one.stored or one.truth or ()) for one in found.differ]
    assert sorted(((kind, row[0]) for kind, row in told), key=repr) == [
        ("extra", 3),
        ("missing", 2),
        ("missing", 2),
        ("missing", None),
    ]


def test_a_mistake_in_how_rows_are_kept_is_found_here_alone(
    world: Place, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two columns of one name, taken for one: that is what a self-join once stored, and its verification was content."""
    with _forgetful(), mock.patch.object(last_word, "BYTES_MAX", 0):
        world.derive("twins", TWINS, freshness="tick")
        world.tidemark.apply()
    assert all(one.clean for one in world.tidemark.verify())
    assert main(["verify", "--as-written", "--json", "--database", world.url]) == 4
    (table,) = json.loads(capsys.readouterr().out)["tables"]
    assert {one["kind"] for one in table["findings"]} == {"different"}
    assert main(["verify", "--as-written", "--database", world.url]) == 4
    assert "a mistake of Tidemark's" in capsys.readouterr().out


def _forgetful() -> AbstractContextManager[object]:
    """Two columns of one name are taken for one."""
    parts = bilinear.AskedParts
    return mock.patch.object(bilinear, "AskedParts", lambda dialect, taken, made, _: parts(dialect, taken, made))


def test_what_is_small_is_compared_before_anybody_reads_it(world: Place) -> None:
    """A first filling and a change of definition, with the mistake and without it."""
    said: list[str] = []
    keeper = Tidemark(world.project, world.url, listen=lambda event: said.append(f"{event.derived}: {event.note}"))
    world.derive("twins", TWINS, freshness="tick")
    with (
        _forgetful(),
        pytest.raises(Unlike, match="2 rows differ from the query of twins as it is written: g=1: r") as told,
    ):
        keeper.apply()
    assert not told.value.retry_safe and "a mistake of Tidemark's" in told.value.left_behind
    (failed,) = keeper.status()
    assert failed.state == "failed" and "truth 9" in str(failed.failure)
    # Nobody tries again by himself, and a worker's round is quiet.
    assert keeper.run(until_idle=True).brought_live == 0 and keeper.status()[0].state == "failed"
    world.project = Project("findings")
    world.derive("twins", "SELECT g, sum(v) AS s FROM f GROUP BY g", freshness="tick")
    keeper = Tidemark(world.project, world.url, listen=lambda event: said.append(f"{event.derived}: {event.note}"))
    keeper.apply()
    assert f"twins: {last_word.SAME}" in said
    changed = Project("findings")
    changed.derive("twins", query=TWINS, freshness="tick")
    with _forgetful(), pytest.raises(Unlike):
        Tidemark(changed, world.url).apply()
    # Readers have what they had, and it is kept true.
    world.run("INSERT INTO f VALUES (6, 7, 1)")
    world.drained()
    assert len(world.rows("SELECT * FROM twins")) == 4
    Tidemark(changed, world.url).apply()
    world.queries["twins"] = TWINS
    world.drained()


def test_it_is_compared_in_a_moment_in_which_nothing_waits(world: Place) -> None:
    """A writer commits before each look: changes wait at every one, and where rows as of now are known they stand in."""
    numbers, looked = iter(range(100, 200)), as_written.has_waiting

    def busy(duty: object, script: object) -> bool:
        world.run(f"INSERT INTO f VALUES ({next(numbers)}, 1, 1)")
        return looked(duty, script)  # type: ignore[arg-type]

    said: list[str] = []
    keeper = Tidemark(world.project, world.url, listen=lambda event: said.append(f"{event.derived}: {event.note}"))
    world.derive("added", COUNTS, freshness="tick")
    world.derive("twins", TWINS, freshness="tick")
    with mock.patch.object(as_written, "has_waiting", busy) if not world.is_sqlite else nullcontext():
        keeper.apply()
    assert f"added: {last_word.SAME}" in said
    assert all(one.state == "live" for one in keeper.status())
    world.drained()


def test_what_is_big_or_dear_is_not_compared(world: Place) -> None:
    said: list[str] = []
    keeper = Tidemark(world.project, world.url, listen=lambda event: said.append(event.note))
    dear = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) SELECT count(*) FROM n"
    slow = mock.patch.object(as_written, "statement", lambda *_: dear)
    with mock.patch.object(last_word, "SECONDS_MAX", 0.05), slow:
        world.derive("counts", COUNTS, freshness="tick")
        keeper.apply()
    world.derive("more", COUNTS, freshness="tick")
    with mock.patch.object(last_word, "ROWS_MAX", 1):
        keeper.apply()
    assert [one.partition(": ")[2] for one in said if one.startswith("not compared")] == [
        "the engine takes more than 0.05 s for it, or than it may",
        "it has 3 rows: tidemark verify --as-written does it",
    ]
    world.drained()


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


@pytest.mark.parametrize(
    ("seen", "said", "close"),
    [
        (0.1 + 0.2, 0.3, True),
        ("0.30000000000000004 of 7", "0.3 of 7", True),
        ("0.3 of 7", "0.3 of 8", False),
        ("10000000001", "10000000002", False),
        ("10000000001.5", "10000000002.5", False),
        (Decimal("0.30000000000000004"), Decimal("0.3"), True),
        (Decimal("10000000001"), Decimal("10000000002"), False),
        ({"mean": [0.1 + 0.2, None]}, {"mean": [0.3, None]}, True),
        ({"mean": 0.3}, {"mean": 0.3, "n": 1}, False),
        ([1, "a"], [1, "b"], False),
        ("a1.5", "b1.5", False),
        (1, "1", False),
    ],
)
def test_what_the_order_of_addition_explains(seen: object, said: object, close: bool) -> None:
    assert as_written._is_close(seen, said) is close
