"""Real workers, killed at random instants while the application writes.

Owns: `kill_workers`. Promises: the seed decides what is written and who is killed when, as far as a machine lets anyone decide
that; after every few kills everything that waits is applied and every derived table is compared with its query, both ways.
"""

import contextlib
import os
import signal
from dataclasses import dataclass

from tests.protocols.forum import open_forum
from tests.protocols.nursery import is_alive, open_nursery
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Session

WORKERS = 3
CHECK_EVERY = 10
ROUNDS_MAX = 40


@dataclass(frozen=True)
class Tally:
    """What happened: kills, transactions of the application, ticks of killed workers found interrupted, comparisons."""

    kills: int
    transactions: int
    interrupted: int
    comparisons: int


def kill_workers(url: str, kills: int, seed: int) -> Tally:
    """Let workers work and kill them, `kills` times. Raises `AssertionError` with what differs."""
    transactions = comparisons = 0
    with (
        open_forum(url, seed) as forum,
        open_nursery(url) as nursery,
        contextlib.closing(open_session(url, lock_timeout=30)) as other,
    ):
        chance = forum.chance
        workers = [nursery.beget() for _ in range(WORKERS)]
        for number in range(1, kills + 1):
            for _ in range(chance.randint(1, ROUNDS_MAX)):
                transactions += _write(forum.user, other, forum.change(), chance.random() < 0.2)
            victim = workers.pop(chance.randrange(len(workers)))
            assert is_alive(victim), f"worker {victim} ended by itself"
            os.kill(victim, signal.SIGKILL)
            workers.append(nursery.beget())
            if number % CHECK_EVERY == 0 or number == kills:
                forum.drain()
                differences = forum.differences()
                assert not differences, f"after {number} kills, seed {seed}: {differences}"
                comparisons += 1
        for verdict in forum.tidemark.verify():
            assert verdict.clean, verdict
        interrupted = sum(state == "interrupted" for state, _, _ in forum.runs("tick"))
        assert not any(state == "failed" for state, _, _ in forum.runs("tick")), forum.runs("tick")
    return Tally(kills, transactions, interrupted, comparisons)


def _write(user: Session, other: Session, statements: list[str], late: bool) -> int:
    """One transaction, or two of which the one that began first commits last; give how many committed."""
    if not late or user.dialect.writers_wait_in_line:
        with user.transaction():
            for statement in statements:
                user.run(statement)
        return 1
    try:
        with other.transaction():
            other.run("INSERT INTO users VALUES (100, 'late') ON CONFLICT (id) DO UPDATE SET name = users.name || '+'")
            with user.transaction():
                for statement in statements:
                    user.run(statement)
    except Conflict:
        return 0
    return 2
