"""Deliberate mistakes in units, memory and sampling, each of which a property test of this folder must find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.applier import test_memory, test_sampled, test_units
from tests.findings.place import Place
from tidemark import Fault, Refusal
from tidemark.memory import First, Ratchet
from tidemark.render import keyed, memory, units
from tidemark.render.postgres import slices as postgres_slices
from tidemark.render.sqlite import slices as sqlite_slices
from tidemark.render.store import Store

Found = (AssertionError, Fault, Refusal)


def folds(place: Place) -> None:
    for seed in range(3):
        place.run("DROP TABLE IF EXISTS t")
        test_memory.test_random_states_fold_as_they_do_in_python(place, keep_rows=False, seed=seed)


def stays(place: Place) -> None:
    test_memory.test_random_states_fold_as_they_do_in_python(place, keep_rows=True, seed=0)


def moves(place: Place) -> None:
    test_memory.test_memory_outlives_a_change_of_definition(place)


def samples(place: Place) -> None:
    test_sampled.test_sampled_column_that_another_one_watches_is_still_sampled(place)


def returns(place: Place) -> None:
    test_sampled.test_what_changed_back_after_its_row_was_computed_makes_it_anew(place, "deleted and inserted")


def no_fold(*_: object) -> tuple[str, ...]:
    return ()


def other_way(store: Store, name: str, kept: Ratchet | First, old: str, new: str) -> str:
    return RIGHT(store, name, kept, old, new).replace(" > ", " < ")


def thawing(store: Store, name: str, kept: Ratchet | First, old: str, new: str) -> str:
    if isinstance(kept, First) and kept.when is not None:
        return RIGHT(store, name, kept, old, new).replace(
            f'{old}."{kept.when}" IS TRUE', f'{new}."{kept.when}" IS TRUE'
        )
    return RIGHT(store, name, kept, old, new)


def null_wins(store: Store, name: str, kept: Ratchet | First, old: str, new: str) -> str:
    return RIGHT(store, name, kept, old, new).replace("IS NULL OR", "IS NOT NULL AND")


def rows_go(store: Store, remembered: Any) -> tuple[str, ...]:
    return tuple(one for one in FOLD(store, remembered) if "INSERT" not in one)


def nothing(*_: object) -> None:
    return None


def kept_everywhere(copied: str) -> str:
    return copied.partition(" AND (l.pair IS NULL")[0]


def undone_by_anybody(copied: str) -> str:
    pair = "o.id = l.id + l.pair AND o.pair = -l.pair"
    anybody = copied.replace(pair, "abs(o.id - l.id) = 1 AND o.weight = -l.weight").replace("l.pair IS NULL OR ", "")
    return anybody.replace("PARTITION BY l.xid, ", "PARTITION BY ")


def gone_unseen(copied: str) -> str:
    return copied.replace("l.weight < 0", "l.weight < -1")


def copying(place: Place, monkeypatch: pytest.MonkeyPatch, mistake: Callable[[str], str]) -> None:
    """What copies changes of a log makes the mistake."""
    slices = sqlite_slices if place.is_sqlite else postgres_slices
    original = slices.fill
    monkeypatch.setattr(slices, "fill", lambda *about: mistake(original(*about)))


RIGHT, FOLD = memory.folded, memory.fold
MUTANTS: dict[str, tuple[object, str, Callable[..., object], Callable[[Place], None]]] = {
    "fold": (keyed, "fold", no_fold, folds),
    "ratchet": (memory, "folded", other_way, folds),
    "thaw": (memory, "folded", thawing, folds),
    "null": (memory, "folded", null_wins, folds),
    "rows": (keyed, "fold", rows_go, stays),
    "carry": (keyed, "carry", nothing, moves),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mistake_in_memory_is_found(lite: Place, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    room, function, mistake, check = MUTANTS[name]
    monkeypatch.setattr(room, function, mistake)
    with pytest.raises(Found):
        check(lite)


def test_images_that_say_the_same_are_left_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    copying(place, monkeypatch, kept_everywhere if place.is_sqlite else gone_unseen)
    with pytest.raises(Found):
        samples(place)


def test_changes_that_others_took_back_are_not_set_off(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    copying(place, monkeypatch, undone_by_anybody)
    with pytest.raises(Found):
        returns(place)


def stored_rows_forgotten(*_: object) -> list[str]:
    return []


def null_units_forgotten(store: Store, row: str, nulls: bool) -> str:
    return "1 = 0" if nulls else UNIT(store, row, nulls)


UNIT = units.in_unit


@pytest.mark.parametrize(
    ("function", "mistake"), [("stored_keys", stored_rows_forgotten), ("in_unit", null_units_forgotten)]
)
def test_a_mistake_in_units_is_found(
    lite: Place, monkeypatch: pytest.MonkeyPatch, function: str, mistake: Callable[..., object]
) -> None:
    monkeypatch.setattr(units, function, mistake)
    query, key, unit = test_units.SHAPES["nullable"]
    test_units.shaped(monkeypatch, unit)
    lite.run(test_units.SCHEMA, "INSERT INTO t VALUES (1, 1, 1, 1), (2, 1, 2, 2), (3, NULL, 1, 3), (4, NULL, 1, 0)")
    with pytest.raises(Found):
        test_units.derived(lite, query, key)
        test_units.test_random_changes_are_applied_by_unit(lite)
