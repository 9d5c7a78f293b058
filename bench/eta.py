"""How right the time is that is said to be left, and what a filling costs those who write, on meshscope at its full size.

``python -m bench --parts eta --observations 15000000``

Owns: one upgrade of one generated database, beside writers. Promises: whoever fills is a process of its own, and is asked from
outside what it says; each filling is judged by itself, from its first tenth to the moment when it had done its last key; one
that lasts less than a minute is shown without a verdict.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.budgets import Figure
from examples.meshscope.crowd import WRITE, Crowd, Span, describe
from examples.meshscope.generator import OBSERVATIONS, TRANSMISSIONS, fill, mesh_of
from examples.meshscope.upkeep import verify
from tidemark import Refusal, Tidemark
from tidemark.runtime.backfill.record import BackfillStatus

ASK_SECONDS = 0.3
FROM = 0.1
SAMPLES_MIN = 5
JUDGED_SECONDS = 60.0
WRITERS, RATE = 4, 20.0
IDLE_SECONDS = 5.0
BUDGET = 0.2


@dataclass
class Told:
    """What one filling said of itself: moments and the seconds that were left by what it said; `ended` is when it last had keys
    to do."""

    begun: float
    ended: float
    rows: int = 0
    left: list[tuple[float, float]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long it had keys to do."""
        return self.ended - self.begun

    @property
    def error(self) -> float | None:
        """The median of how wrong it was, relative to what was really left; None of too few."""
        pairs = [(self.ended - at, said) for at, said in self.left if at < self.ended]
        errors = [abs(said - truly) / truly for truly, said in pairs]
        return statistics.median(errors) if len(errors) >= SAMPLES_MIN else None


class Listener:
    """Asks every backfill of a database now and then; `told` has what each of them said, `reasons` why any of them held back."""

    def __init__(self, url: str) -> None:
        self.told: dict[str, Told] = {}
        self.reasons: set[str] = set()
        self._tidemark = Tidemark(None, url)
        self._asked = float("-inf")

    def ask(self) -> None:
        """Ask once, if it is time to."""
        now = time.monotonic()
        if now - self._asked < ASK_SECONDS:
            return
        self._asked = now
        try:
            found = self._tidemark.backfills()
        except Refusal:
            # Nothing is installed yet.
            return
        for one in found:
            self.hear(one, now)

    def hear(self, one: BackfillStatus, now: float) -> None:
        """Take down what one of them says at a moment."""
        self.reasons |= {reason.partition(":")[0] for reason in one.reasons}
        if one.state != "backfilling" or not one.rows_total or one.rows_done >= one.rows_total:
            return
        told = self.told.setdefault(one.name, Told(now, now))
        told.ended, told.rows = now, one.rows_total
        if one.eta_seconds is not None and (one.progress or 0.0) >= FROM:
            told.left.append((now, one.eta_seconds))


def measure(*, observations: int, say: Callable[[str], None]) -> list[Figure]:
    """Generate, fill beside writers, compare. Raises AssertionError for a row that is wrong at the end."""
    transmissions = max(1, observations * TRANSMISSIONS // OBSERVATIONS)
    with tempfile.TemporaryDirectory(prefix="eta-", dir=Path.cwd()) as folder, Crowd() as crowd:
        database = str(Path(folder) / "mesh.db")
        begun = time.monotonic()
        made = fill(database, mesh_of(transmissions, observations, 1), transmissions)
        say(f"{made.observations:,} observations, {made.bytes / 1e6:,.0f} MB, in {time.monotonic() - begun:.0f} s")
        for place in range(WRITERS):
            options = ["--first", str(transmissions + place), "--step", str(WRITERS), "--rate", str(RATE)]
            crowd.start("examples.meshscope.load", "write", "--database", database, *options)
        while not crowd.has_told(10 * WRITERS):
            time.sleep(ASK_SECONDS / 5)
        idle = time.monotonic()
        time.sleep(IDLE_SECONDS)
        listener, begun = Listener(database), time.monotonic()
        command = [sys.executable, "-m", "examples.meshscope", "upgrade", "--database", database]
        with subprocess.Popen(command) as worker:
            while worker.poll() is None:
                listener.ask()
                time.sleep(ASK_SECONDS / 5)
        if worker.returncode != 0:
            raise AssertionError(f"the worker ended with {worker.returncode}")
        ended = time.monotonic()
        crowd.end()
        before, during = (describe(crowd.picked(Span("", *span), (WRITE,))) for span in ((idle, begun), (begun, ended)))
        if wrong := verify(database).wrong:
            raise AssertionError(f"{wrong} rows are wrong after the filling")
    return _figures(f"meshscope, {made.observations:,} observations", ended - begun, listener.told, before, during)


def _figures(
    name: str, seconds: float, told: dict[str, Told], before: dict[str, float | int], during: dict[str, float | int]
) -> list[Figure]:
    found = [
        Figure(f"{name}: all of it", seconds, "s"),
        Figure(f"{name}: writers' p99", during["p99"] - before["p99"], "ms over idle", 50.0, False),
        Figure(f"{name}: worst write", during["max"], "ms", 200.0, False),
        Figure(f"{name}: errors", float(during["errors"]), "", 0.0, False),
    ]
    for one, said in told.items():
        judged = said.seconds >= JUDGED_SECONDS
        note = f"{said.rows:,} rows in {said.seconds:.0f} s, asked {len(said.left)} times"
        limit = BUDGET if judged else None
        found.append(Figure(f"{name}: {one}, time left", said.error, "median error", limit, False, note))
    return found
