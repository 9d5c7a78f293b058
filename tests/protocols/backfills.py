"""Real runners of a migration and a filling, killed at random instants while the application writes.

Owns: `kill_backfills` and, as ``python -m tests.protocols.backfills URL``, the process that forks the runners. Promises: the
migration adds one to every row, so that a row that is done twice or left out is seen; the filling adds up what the application
changes meanwhile; after every round every row is what it has to be, and the tables equal their queries, both ways. Every second
runner works with three sessions beside each other, where that can be, so that what some left goes on with others.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
from dataclasses import dataclass
from unittest import mock

from tests.protocols.nursery import is_alive, open_nursery, serve
from tests.simulation.chunks import chunks_of
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.errors import TidemarkError
from tidemark.runtime.backfill import begin, fill_pages
from tidemark.runtime.backfill.runner import Orders

ROWS = 900
MOODS = 60
WRITES_MAX = 12
ADD = "UPDATE songs SET tally = tally + 1 WHERE id IN (SELECT id FROM tidemark_batch)"


@dataclass(frozen=True)
class Tally:
    """What happened: kills, rounds that were seen through, transactions of the application."""

    kills: int
    rounds: int
    transactions: int


def project(number: int) -> Project:
    """The declarations of a round: the definition of the table is another one each time, and every second time it is the one
    before with one more column, which is then all that is filled. What does not add up is filled by ranges of keys."""
    made = Project("songs")
    made.backfill("add", table="songs", key="id", sql=ADD)
    more = ", max(n) AS most" if number % 2 == 0 else ""
    query = f"SELECT mood, count(*) AS songs, sum(n + {(number + 1) // 2}) AS total{more} FROM songs GROUP BY mood"
    made.derive("moods", query=query, freshness="commit")
    peaks = f"SELECT mood, max(n) + {number} AS peak, count(*) AS songs FROM songs GROUP BY mood"
    made.derive("peaks", query=peaks, freshness="commit")
    return made


def kill_backfills(url: str, kills: int, seed: int) -> Tally:
    """Let runners work and kill them, `kills` times. Raises `AssertionError` with what differs."""
    chance, killed, rounds, transactions = random.Random(seed), 0, 0, 0
    with (
        contextlib.closing(open_session(url, lock_timeout=30)) as user,
        open_nursery(url, "tests.protocols.backfills") as runners,
    ):
        _settle_in(user, chance)
        while killed < kills:
            rounds += 1
            _begin(url, rounds)
            runner = runners.beget()
            while not _is_done(url):
                # A runner that was killed before it did anything is no test of what it does.
                seen = _mark(user)
                transactions += _write(user, chance, rounds)
                while is_alive(runner) and _mark(user) == seen:
                    # Whoever wrote without a pause here would keep a runner in line for ever.
                    continue
                for _ in range(chance.randint(0, WRITES_MAX)):
                    transactions += _write(user, chance, rounds)
                if is_alive(runner):
                    os.kill(runner, signal.SIGKILL)
                    killed += 1
                runner = runners.beget()
            if is_alive(runner):
                os.kill(runner, signal.SIGKILL)
            _check(url, user, rounds, f"round {rounds}, {killed} kills, seed {seed}")
    return Tally(killed, rounds, transactions)


def _settle_in(user: Session, chance: random.Random) -> None:
    with user.transaction():
        user.run(
            "CREATE TABLE songs (id INTEGER PRIMARY KEY, mood INTEGER, n INTEGER NOT NULL, "
            "tally INTEGER NOT NULL DEFAULT 0, born INTEGER NOT NULL)"
        )
        user.run("CREATE INDEX songs_mood ON songs (mood)")
        for number in range(1, ROWS + 1):
            row = {"id": number * 3, "mood": chance.choice([None, *range(MOODS)]), "n": chance.randint(-9, 9)}
            user.run("INSERT INTO songs (id, mood, n, born) VALUES (:id, :mood, :n, 0)", row)


def _begin(url: str, number: int) -> None:
    """Record the upper bound of a round, and install what is to be filled, without doing anything."""
    tidemark = Tidemark(project(number), url)
    tidemark.apply(detach=True)
    with contextlib.suppress(TidemarkError), mock.patch.object(begin, "HOP_KEYS", 100):
        tidemark.backfill("add", Orders(anew=number > 1, max_seconds=0.0, workers=2))


def _is_done(url: str) -> bool:
    states = {one.name: one.state for one in Tidemark(None, url).backfills()}
    assert not {"failed", "unknown", "quarantined"} & set(states.values()), states
    return states == {"add": "finished", "moods": "live", "peaks": "live"}


def _mark(user: Session) -> list[tuple[object, ...]]:
    """What differs as soon as a runner has committed something that counts."""
    ours = "tidemark._" if user.dialect.has_schemas else "tidemark__"
    return user.all(
        f"SELECT state, CAST((SELECT sum(rows_done) FROM {ours}backfill_range) AS integer) FROM {ours}derived "
        "ORDER BY name, generation"
    )


def _write(user: Session, chance: random.Random, number: int) -> int:
    """One transaction of the application: rows come, go and move to other groups. Gives 1."""
    top = user.one("SELECT max(id) FROM songs")
    some = {
        "id": chance.randint(1, ROWS) * 3,
        "mood": chance.choice([None, *range(MOODS + 9)]),
        "n": chance.randint(-9, 9),
    }
    with user.transaction():
        kind = chance.randrange(4)
        if kind == 0:
            new = {"id": int(top[0]) + 1 if top else 1, "mood": some["mood"], "n": some["n"], "born": number}
            user.run("INSERT INTO songs (id, mood, n, born) VALUES (:id, :mood, :n, :born)", new)
        elif kind == 1:
            user.run("DELETE FROM songs WHERE id = :id", {"id": some["id"]})
        elif kind == 2:
            user.run("UPDATE songs SET mood = :mood WHERE mood = :n", {"mood": some["mood"], "n": abs(some["n"])})
        else:
            user.run("UPDATE songs SET mood = :mood, n = :n WHERE id = :id", some)
    return 1


def _check(url: str, user: Session, number: int, when: str) -> None:
    wrong = user.all("SELECT id, tally, born FROM songs WHERE tally <> :round - born", {"round": number})
    assert not wrong, f"{when}: (id, times done, born in round) {wrong[:5]}"
    for one in project(number).declarations:
        query, name = one.query[""], one.name
        differs = user.all(
            f"SELECT * FROM (SELECT 'missing', q.* FROM ({query}) AS q EXCEPT SELECT 'missing', m.* FROM {name} AS m) AS a "
            f"UNION ALL SELECT * FROM (SELECT 'extra', m.* FROM {name} AS m EXCEPT SELECT 'extra', q.* FROM ({query}) AS q) AS b"
        )
        assert not differs, f"{when}: {differs[:5]}"
    runs = [run.state for run in Tidemark(None, url).history("add", 500)]
    assert "failed" not in runs, f"{when}: {runs}"


def _work(url: str) -> None:
    """Do what is left of both, in either order; who comes second leaves the migration to the first."""
    parent = os.getppid()
    workers = 1 + 2 * (os.getpid() % 2)
    tidemark = Tidemark(project(0), url, stop=lambda: os.getppid() != parent, workers=workers)
    with chunks_of(9), mock.patch.object(fill_pages, "PART_KEYS", 4):
        both = [lambda: tidemark.backfill("add", Orders(workers=workers)), lambda: tidemark.run(until_idle=True)]
        for work in both if os.getpid() % 4 < 2 else reversed(both):
            with contextlib.suppress(TidemarkError):
                work()
    os._exit(0)


if __name__ == "__main__":
    serve(sys.argv[1], _work)
