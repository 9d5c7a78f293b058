"""Every way of a join gives the same rows, hidden state included, after every batch; a kill adds nothing twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest import mock

import pytest

from tests.joins.equal import AT_ONCE, World, play, world
from tests.kit.size import FULL
from tidemark.contract.script import Script
from tidemark.errors import Fault
from tidemark.maintenance import bilinear
from tidemark.query import matched
from tidemark.runtime.ticks import at_once
from tidemark.runtime.ticks import products as joined
from tidemark.runtime.ticks.batch import apply_batch, prepare, take_keys

BATCHES = 300 if FULL else 12
Change = Callable[[Script], Script]


def test_every_way_gives_the_same_rows(engine_url: str) -> None:
    with world(engine_url) as place:
        assert [row.script.klass for row in place.rows] == ["bilinear"] * len(place.rows)
        assert play(place, "test", BATCHES) == ""
        assert min(place.met["added"], place.met["added at once"]) > BATCHES and not any(
            word.startswith("adding failed") for word in place.met
        )


def _changed(place: World) -> None:
    place.write(
        ["INSERT INTO a VALUES (1, 1, 1, 'p'), (2, 1, 2, 'q')", "INSERT INTO b VALUES (1, 1, 1, 'p'), (2, 1, 0, 'q')"]
    )
    place.write(["INSERT INTO c VALUES (1, 1, 5), (2, 1, 6)"])


def test_a_kill_between_any_two_statements_adds_nothing_twice(engine_url: str) -> None:
    with world(engine_url, names=("circle",)) as place:
        _changed(place)
        place.tick()
        for at in range(1, 9):
            _changed_again(place, at)
            _die(place, at)
            place.tick()
            assert place.differences() == []
        assert place.met["added"] > 4


def _die(place: World, at: int) -> None:
    """Add what waits, and die before the statement of that number that writes."""
    session, left = place.duty.session, at
    run = session.run

    def dying(sql: str, parameters: object = None) -> int:
        nonlocal left
        left -= any(word in sql for word in ("INSERT", "UPDATE", "DELETE"))
        if left == 0:
            raise Fault("killed on purpose")
        return run(sql, parameters)  # type: ignore[arg-type]

    script = next(row.script for row in place.rows if row.name.endswith("_delta"))
    products = script.tick.products if script.tick else None
    assert products is not None
    with mock.patch.object(session, "run", dying), contextlib.suppress(Fault):
        found, _ = joined.add_up(place.duty, script, products, 500)
        if not found.why_not:
            joined.write_sum(place.duty, script, products, found, joined.Pace(10.0, False), None)


def _changed_again(place: World, number: int) -> None:
    place.write([f"UPDATE a SET y = {number} WHERE id = 1", f"INSERT INTO b VALUES ({number + 10}, 1, 1, 'r')"])


def test_a_checkpoint_that_stays_behind_is_found(engine_url: str) -> None:
    with world(engine_url, names=("circle",)) as place:
        _changed(place)
        place.tick()
        with mock.patch.object(joined, "move_checkpoints", lambda *_: None):
            for number in range(2):
                _changed_again(place, number)
                place.tick()
        assert any("by delta" in wrong for wrong in place.differences())


@pytest.mark.parametrize("mistaken", [False, True])
def test_nothing_is_added_at_once_to_rows_of_several_moments(engine_url: str, mistaken: bool) -> None:
    with world(engine_url, names=("circle",)) as place:
        _changed(place)
        place.tick()
        _changed_again(place, 5)
        session, script = place.duty.session, next(row.script for row in place.rows if row.name.endswith(AT_ONCE))
        units = ", ".join(map(session.dialect.quote, script.applier.units))
        known = session.all(f"SELECT {units} FROM {script.store}")
        with session.transaction():
            prepare(session, script)
            assert apply_batch(session, script.applier, lambda: take_keys(session, script.applier, known))
        look = at_once._look

        def blind(*about: Any) -> Any:
            seen, *others = look(*about)
            return {source: replace(one, even=True) for source, one in seen.items()}, *others

        with mock.patch.object(at_once, "_look", blind) if mistaken else contextlib.nullcontext():
            place.tick()
        assert bool(place.differences()) is mistaken


def only_single(script: Script) -> Script:
    """Products of two changes are left out."""
    if script.tick is None or script.tick.products is None:
        return script
    products = tuple(one for one in script.tick.products.products if len(one.scans) == 1)
    return replace(script, tick=replace(script.tick, products=replace(script.tick.products, products=products)))


def forget_values(script: Script) -> Script:
    """Values come and go, and nobody tells their groups."""
    if script.tick is None or script.tick.products is None:
        return script
    products = tuple(one for one in script.tick.products.products if one.scans)
    return replace(script, tick=replace(script.tick, products=replace(script.tick.products, products=products)))


def added_signs(script: Script) -> Script:
    """Every product is added."""
    if script.tick is None or script.tick.products is None:
        return script
    found = script.tick.products
    products = tuple(replace(one, add=one.add.replace("sum(-1 * ", "sum(")) for one in found.products)
    return replace(script, tick=replace(script.tick, products=replace(found, products=products)))


@pytest.mark.parametrize(
    ("mistake", "name"),
    [(only_single, "circle"), (added_signs, "circle"), (added_signs, "elements"), (forget_values, "sets")],
)
def test_a_mistake_in_the_products_is_found(engine_url: str, mistake: Change, name: str) -> None:
    with world(engine_url, mistake, names=(name,)) as place:
        assert name in play(place, "mistake", 60)


def test_counting_a_row_as_often_as_it_matches_is_found(engine_url: str) -> None:
    with mock.patch.object(matched, "_counted", lambda _: {}), world(engine_url, names=("matches",)) as place:
        assert "matches" in play(place, "mistake", 60)


def test_taking_two_columns_of_one_name_for_one_is_found(engine_url: str) -> None:
    """Columns of two scans are told apart by their aliases, and by nothing else where the scans are of one table."""
    asked = bilinear.AskedParts
    forgetful = mock.patch.object(bilinear, "AskedParts", lambda dialect, taken, made, _: asked(dialect, taken, made))
    with forgetful, world(engine_url, names=("twins",)) as place:
        assert "twins" in play(place, "mistake", 60)
