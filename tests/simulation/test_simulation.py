"""The simulation inside the test run: every recorded case, then a fixed budget of new ones on each engine.

``TIDEMARK_SIMULATION_SEED`` chooses another seed; it is printed with every failure. The budget is `BUDGETS`, and with
``TIDEMARK_TEST_FULL=1`` `BUDGETS_FULL`. More of it: `make simulate`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.size import FULL
from tests.simulation.case import Case
from tests.simulation.history import History
from tests.simulation.keeper import make_keeper
from tests.simulation.programs import draw_case
from tests.simulation.run import SEEDS, Budget, Ground, attempt, campaign, ground, script
from tests.simulation.truth import PAGE, TALLIES, page, read
from tidemark.maintenance.program import LinearProgram
from tidemark.render.postgres import flush as postgres_flush
from tidemark.render.postgres import flush_crossed as postgres_flush_crossed
from tidemark.render.store import Store

SEED = os.environ.get("TIDEMARK_SIMULATION_SEED", "tidemark")
BUDGETS = {"sqlite": Budget(350, minutes=0.12), "postgres": Budget(140, minutes=0.12)}
BUDGETS_FULL = {"sqlite": Budget(3000, minutes=0.5), "postgres": Budget(1200, minutes=0.6)}
ADDED = ("group", "universe", "total")
RECORDED = sorted(SEEDS.glob("*.json"))


@pytest.fixture(scope="module")
def sqlite_ground() -> Iterator[Ground]:
    with ground("sqlite", make_keeper) as place:
        yield place


@pytest.fixture(scope="module")
def postgres_ground() -> Iterator[Ground]:
    with ground("postgres", make_keeper) as place:
        yield place


def test_a_row_between_two_ticks_is_one_of_some_moment() -> None:
    history = History()
    for moment in ({"a": "1", "b": "1"}, {"a": "2"}):
        history.remember("t", moment)
    assert not history.strange("t", {"a": "1"})
    assert not history.strange("t", {"a": "2", "b": "1"})
    assert "b" in history.strange("t", {"a": "2", "b": "2"})
    assert "a" in history.strange("t", {"b": "1"})
    assert not history.strange("t", {"b": "1"}, cut=True)
    assert "b" in history.strange("t", {"b": "2"}, cut=True)
    history.settle("t", {"a": "3"})
    assert not history.strange("t", {"a": "2"}) and not history.strange("t", {"a": "3"})
    assert "a" in history.strange("t", {"a": "1"})
    history.doubt("t")
    assert not history.strange("t", {"a": "1"})
    history.settle("t", {"a": "3"})
    assert "a" in history.strange("t", {"a": "1"})


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_case_stays_true(path: Path, request: pytest.FixtureRequest) -> None:
    case = Case.from_json(path.read_text())
    place: Ground = request.getfixturevalue(f"{case.engine}_ground")
    failure = attempt(place, case)
    assert failure is None, f"{path.name}: {failure}\n{script(case)}"


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_random_programs_stay_true(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    place: Ground = request.getfixturevalue(f"{engine}_ground")
    said: list[str] = []
    budgets = BUDGETS_FULL if FULL else BUDGETS
    tally, found = campaign(place, SEED, budgets[engine], seeds=tmp_path, shrink_seconds=30, say=said.append)
    print(tally.text(f"{engine} seed {SEED}"))
    assert not found, "\n".join(said)
    assert tally.comparisons.total() > 0


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_what_is_remembered_and_told_outlives_changes_of_definitions(
    engine: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    place: Ground = request.getfixturevalue(f"{engine}_ground")
    said: list[str] = []
    budget = Budget(1000, minutes=1) if FULL else Budget(25, minutes=0.1)
    tally, found = campaign(
        place,
        f"{SEED}-redefined",
        budget,
        per_world=30,
        families=("redefined",),
        steady=True,
        seeds=tmp_path,
        shrink_seconds=30,
        say=said.append,
    )
    assert not found, "\n".join(said)
    assert tally.duties["declare finished"] > 0


def test_random_programs_stay_true_where_rows_are_written_once(
    postgres_ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every table is flushed as one with crossings is."""
    plain = postgres_flush.flush_texts

    def once(store: Store, program: LinearProgram) -> tuple[str, str]:
        return (plain if postgres_flush.is_additive(store) else postgres_flush_crossed.flush_texts)(store, program)

    monkeypatch.setattr(postgres_flush, "flush_texts", once)
    said: list[str] = []
    budget = Budget(1200, minutes=0.6) if FULL else Budget(120, minutes=0.1)
    tally, found = campaign(postgres_ground, f"{SEED}-once", budget, families=ADDED, seeds=tmp_path, say=said.append)
    assert not found, "\n".join(said)
    assert tally.comparisons.total() > 0


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_seed_gives_the_same_case_again(engine: str) -> None:
    assert draw_case("again/1", engine).to_json() == draw_case("again/1", engine).to_json()


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_case_survives_its_file(engine: str) -> None:
    case = draw_case("file/1", engine)
    assert Case.from_json(case.to_json()) == case


def test_the_page_of_what_was_tried_is_made_from_the_records() -> None:
    assert PAGE.read_text() == page(read(TALLIES)), "run: python -m tests.simulation.truth --write"
