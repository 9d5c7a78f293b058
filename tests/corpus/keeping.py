"""Tidemark over a ground: declare queries of the corpus, keep them true, compare.

Owns: `Keeping`. Promises: everything goes through the public object, but for a tick that is timed on a session that is open
already, as a worker's is; nothing waits.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import psycopg

from tests.corpus.ground import Bag, Ground
from tests.corpus.queries import Query
from tidemark import Project, Refusal, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import TidemarkError
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.tick import tick
from tidemark.script import Script

CHANCE = 0.5
DRIVER_ERRORS = (sqlite3.Error, psycopg.Error)


class Time:
    """A clock whose waits take no time: they only move it on."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def clock(self) -> Clock:
        """The clock as the runtime wants it."""
        return Clock(lambda: time.monotonic() + self.skipped, self._wait, lambda: CHANCE)

    def _wait(self, seconds: float) -> None:
        self.skipped += seconds


def declare(queries: Sequence[Query], at_tick: frozenset[str] = frozenset()) -> Project:
    """A project with these queries, each with the consent that its header gives; those `at_tick` are asked for at tick
    freshness, the others at the best there is."""
    project = Project("corpus")
    for query in queries:
        project.derive(
            query.name,
            query=query.texts.get("", query.texts),
            key=query.key or None,
            freshness="tick" if query.name in at_tick else None,
            **_consent(query),  # type: ignore[arg-type]
        )
    return project


def _consent(query: Query) -> dict[str, bool]:
    return {"allow_global": True} if query.consent else {}


class Keeping:
    """The derived tables of some queries in one ground."""

    def __init__(self, ground: Ground, queries: Sequence[Query], at_tick: frozenset[str] = frozenset()) -> None:
        self.ground = ground
        self.queries = queries
        self.time = Time()
        self.tidemark = Tidemark(declare(queries, at_tick), ground.url, clock=self.time.clock())

    def script(self, query: Query) -> Script:
        """The script of a query. Raises `Refusal`."""
        (script,) = self.tidemark.sql(query.name)
        return script

    def refusals(self) -> Mapping[str, Refusal]:
        """Which of the queries are refused, and why."""
        refused: dict[str, Refusal] = {}
        for query in self.queries:
            try:
                self.script(query)
            except Refusal as refusal:
                refused[query.name] = refusal
        return MappingProxyType(refused)

    def install(self) -> None:
        """Install, fill and verify all of them."""
        self.tidemark.apply()

    def tick(self) -> tuple[dict[str, float], dict[str, str]]:
        """Apply what waits. Gives the seconds for each derived table at tick freshness, and what failed for others."""
        seconds: dict[str, float] = {}
        failed: dict[str, str] = {}
        with self._duty() as duty:
            for row in [row for row in duty.ledger.derived() if row.script.tick is not None]:
                began = time.perf_counter()
                try:
                    while not tick(duty, row.script).drained:
                        continue
                    seconds[row.name] = time.perf_counter() - began
                except (TidemarkError, *DRIVER_ERRORS) as problem:
                    failed[row.name] = f"ticking: {type(problem).__name__}: {problem}"
        return seconds, failed

    def wrong(self, query: Query) -> tuple[Bag, Bag]:
        """Rows that the derived table should have and has not, and rows that it should not have."""
        stored = self.ground.bag(f"SELECT * FROM {query.name}")
        true = self.ground.bag(query.text(self.ground.engine))
        return true - stored, stored - true

    @contextlib.contextmanager
    def _duty(self) -> Iterator[Duty]:
        session = open_session(self.ground.url, role="worker")
        try:
            ledger = Ledger(session)
            ledger.value("prepare_worker")
            yield Duty(ledger, self.time.clock())
        finally:
            session.close()
