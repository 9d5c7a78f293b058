"""Random programs of streams: however blocks are taken, the same is there in the end, evidence and quarantine too.

A plain run plays `PROGRAMS` programs on each engine from fixed seeds; ``TIDEMARK_TEST_FULL=1`` plays twenty times as many. The
oracle is a run with a savepoint for everything and without a kill.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.kit.size import FULL
from tests.streams.ground import TABLES
from tests.streams.programs import Loose, State, blocks_of, declare, look, play, try_again
from tidemark.database.open import open_session
from tidemark.events import Event
from tidemark.runtime.streams.account import Account
from tidemark.runtime.streams.ingest import Ingest
from tidemark.runtime.streams.take import Taking
from tidemark.streams import Handling, Shelf

PROGRAMS = 80 if FULL else 4
BLOCKS = 14
POISON = (0.05, 0.5)
"""Where few transactions fail, blocks stay together; where many do, they hardly ever do."""
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {"on_event_error": "halt", "attempts": 1},
    {"on_event_error": "halt", "on_block_error": "gap", "attempts": 1},
    {"on_hook_error": "halt", "on_item_error": "halt", "attempts": 1},
)
WAYS: tuple[dict[str, Any], ...] = (
    {"savepoints": False},
    {"savepoints": False, "together": 3},
    {"savepoints": False, "together": 1000},
    {},
)
Clear = Callable[[], None]


@pytest.fixture
def clear(engine_url: str) -> Clear:
    """Makes the tables of a program, and forgets rows and streams whenever it is called."""

    def anew() -> None:
        with contextlib.closing(open_session(engine_url)) as session, session.transaction():
            there = session.installed()
            ours = [f"{session.dialect.ours_prefix}_stream{what}" for what in ("", "_gap", "_seen", "_evidence")]
            for table in ("plays", "names", "heard", *(one for one in ours if one in there)):
                session.run(f"DELETE FROM {table}")

    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        for text in TABLES:
            session.script(text)
    return anew


def _ends(
    url: str, clear: Clear, blocks: list[Loose], kills: random.Random | None, **options: Any
) -> tuple[State, Any]:
    clear()
    stream = declare(blocks, **options)
    play(url, stream, kills)
    state = look(url)
    return state, (try_again(url, stream), look(url))


def _program(seed: int) -> list[Loose]:
    return blocks_of(random.Random(f"streams-{seed}"), BLOCKS, POISON[seed % len(POISON)])


@pytest.mark.parametrize("seed", range(PROGRAMS))
def test_the_same_is_there_in_the_end(engine_url: str, clear: Clear, seed: int) -> None:
    blocks, policies = _program(seed), POLICIES[seed % len(POLICIES)]
    if many := seed % 3 == 1:
        # What is handled many at once is told after what else a block brings, which is the whole difference.
        plainly, _ = _ends(engine_url, clear, blocks, None)
        at_once, _ = _ends(engine_url, clear, blocks, None, many=True)
        assert (at_once.rows, sorted(at_once.evidence)) == (plainly.rows, sorted(plainly.evidence)), seed
    expected = _ends(engine_url, clear, blocks, None, many=many, **policies)
    for number, way in enumerate(WAYS):
        # In a plain run every other way is killed on its way, and not the same ones on every seed.
        for is_killed in (False, True) if FULL else ((number + seed) % 2 == 0,):
            kills = random.Random(f"kills-{seed}-{number}") if is_killed else None
            found = _ends(engine_url, clear, blocks, kills, many=many, **policies, **way)
            assert found == expected, (seed, policies, way, is_killed)


def _count_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the rows that are put for one key the first one counts."""
    whole = Shelf.last
    monkeypatch.setattr(Shelf, "last", lambda self, rows: whole(self, rows[::-1]))


def _write_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was put outlives the savepoint of the event that put it and failed."""

    monkeypatch.setattr(Taking, "_undoing", lambda self, name: contextlib.nullcontext())


def _lose_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was quarantined in blocks that are taken together is not written down."""
    whole = Account.quarantine
    monkeypatch.setattr(Account, "quarantine", lambda self, stream, things: whole(self, stream, things[:1]))


def _halve_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where blocks that are taken together fail, only the first half of them is taken again."""
    whole = Ingest._take_together
    monkeypatch.setattr(Ingest, "_take_together", lambda self, blocks: whole(self, blocks[: max(1, len(blocks) - 1)]))


def _take_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks are told that whatever was new was taken, where it is handled many at once."""
    whole = Taking._handle

    def handle(self: Taking, events: Sequence[Event], handling: Handling) -> list[Event]:
        left = whole(self, events, handling)
        return [] if handling.many else left

    monkeypatch.setattr(Taking, "_handle", handle)


@pytest.mark.parametrize(
    "plant", [_count_the_first, _write_late, _lose_evidence, _halve_wrongly, _take_what_is_refused]
)
def test_a_mistake_in_taking_is_found(
    engine_url: str, clear: Clear, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """Mutants: random programs tell them from what is right."""
    programs = [_program(seed) for seed in range(2)]
    expected = [_ends(engine_url, clear, blocks, None, many=True) for blocks in programs]
    plant(monkeypatch)
    found = [_ends(engine_url, clear, blocks, None, many=True, savepoints=False, together=1000) for blocks in programs]
    assert found != expected
