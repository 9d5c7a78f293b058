"""Each requirement has its test, each test finds its planted mistake, and the page says so.

A plain run plants a third of the mistakes; see `tests.kit.size`.
"""

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.backfill import requirements
from tests.backfill.acceptance import ACCEPTANCE
from tests.backfill.mutants import MUTANTS
from tests.backfill.place import open_songs
from tests.backfill.requirements import REQUIREMENTS, Requirement
from tests.kit.size import in_turn
from tests.simulation.chunks import chunks_of
from tidemark.runtime.backfill import fill, fill_pages, pages

PLANTED = [one for one in REQUIREMENTS if one.mutant]


def function_of(one: Requirement) -> Callable[..., None]:
    """The test of a requirement."""
    return find_test(one.test)


def find_test(place: str) -> Callable[..., None]:
    """The test at a place, which is a file and a function."""
    file, _, name = place.partition("::")
    module = importlib.import_module(f"tests.{file.removesuffix('.py').replace('/', '.')}")
    function = getattr(module, name)
    assert callable(function)
    return function  # type: ignore[no-any-return]


def test_the_page_of_requirements_is_what_the_table_says() -> None:
    assert requirements.PAGE.read_text(encoding="utf-8") == requirements.page(), (
        "run: python -m tests.backfill.requirements --write"
    )


def test_every_requirement_has_a_test_and_every_mistake_a_requirement() -> None:
    assert all(function_of(one).__name__.startswith("test_") for one in REQUIREMENTS)
    assert {one.mutant for one in PLANTED} == set(MUTANTS)
    assert all(callable(find_test(one.planted_by)) for one in REQUIREMENTS if not one.mutant)


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mistake_can_be_planted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    MUTANTS[name](monkeypatch)


def test_what_went_wrong_elsewhere_has_tests_here() -> None:
    assert len(ACCEPTANCE) == 12
    tests = [test for _, some in ACCEPTANCE for test in some]
    assert all(callable(find_test(test)) for test in tests if "::" in test)
    assert all((Path(requirements.__file__).parents[1] / test).is_file() for test in tests if "::" not in test)


@pytest.mark.parametrize(
    "one",
    [one for number, one in enumerate(PLANTED) if in_turn(number, 5)],
    ids=lambda one: one.mutant.replace(" ", "-"),
)
def test_the_mistake_is_found_by_the_test_named_for_it(
    one: Requirement, sqlite_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    function = function_of(one)
    wanted = inspect.signature(function).parameters
    on_server = "server_songs" in wanted
    with (
        open_songs(request.getfixturevalue("pg_database") if on_server else f"sqlite:///{sqlite_path}") as songs,
        monkeypatch.context() as patch,
        pytest.MonkeyPatch.context() as own,
    ):
        small = one.test.startswith(("backfill/test_pages", "backfill/test_fillings", "backfill/test_side_by_side"))
        patch.setattr(pages, "PAGE_KEYS", 10 if small else pages.PAGE_KEYS)
        patch.setattr(fill_pages, "PART_KEYS", 3 if small else fill_pages.PART_KEYS)
        if one.test.startswith("backfill/test_pages"):
            patch.setattr(fill, "is_quiet", lambda *_: False)
        MUTANTS[one.mutant](patch)
        given = {"songs": songs, "file_songs": songs, "server_songs": songs, "monkeypatch": own, "nulls": True}
        with pytest.raises((Exception, pytest.fail.Exception)), chunks_of(4 if small else None):
            function(**{name: value for name, value in given.items() if name in wanted})
