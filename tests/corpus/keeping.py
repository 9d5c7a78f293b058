"""Tidemark over a ground: declare queries of the corpus, keep them true, compare.

Owns: `Keeping`. Promises: nothing waits. A tick that is timed runs on a session that is open already, as a worker's is.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Sequence

import psycopg

from tests.corpus.ground import Bag, Ground
from tests.corpus.queries import Query
from tidemark import Project, Refusal, Tidemark
from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.errors import TidemarkError
from tidemark.runtime.cascade import upstream_first
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.tick import tick

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
            allow_global=bool(query.consent),
        )
    return project


class Keeping:
    """The derived tables of some queries in one ground."""

    def __init__(self, ground: Ground, queries: Sequence[Query], at_tick: frozenset[str] = frozenset()) -> None:
        self.ground = ground
        self.queries = queries
        self.time = Time()
        self.tidemark = Tidemark(declare(queries, at_tick), ground.url, clock=self.time.clock())

    def compile(self) -> dict[str, Script | Refusal]:
        """The script of each query, or why it is refused."""
        project = self.tidemark.project
        assert project is not None
        session = open_session(self.ground.url, role="reader")
        try:
            catalog = session.catalog()
            compiled: dict[str, Script | Refusal] = {}
            for one in project.declarations:
                try:
                    compiled[one.name] = compile_derived(
                        one, catalog, session.dialect, session.describe, 1, session.first_mutable
                    )
                except Refusal:
                    compiled[one.name] = self._supported(one.name)
            return compiled
        finally:
            session.close()

    def _supported(self, name: str) -> Script | Refusal:
        """The script of a query that is refused by itself, after those of its supports."""
        try:
            return self.tidemark.sql(name)[-1]
        except Refusal as refusal:
            return refusal

    def install(self) -> None:
        """Install, fill and verify all of them."""
        self.tidemark.apply()

    def tick(self) -> tuple[dict[str, float], dict[str, str]]:
        """Apply what waits. Gives the seconds of computing for each derived table that ticks, its stages with it, and what failed
        for others."""
        seconds: dict[str, float] = {}
        failed: dict[str, str] = {}
        with self._duty() as duty:
            backend = 0 if self.ground.engine == "sqlite" else int(duty.session.all("SELECT pg_backend_pid()")[0][0])
            for row in upstream_first([row for row in duty.ledger.derived() if row.script.tick is not None]):
                name = row.script.supports or row.name
                began = self.ground.spent(backend)
                try:
                    while not tick(duty, row.script).drained:
                        continue
                    seconds[name] = seconds.get(name, 0.0) + self.ground.spent(backend) - began
                except (TidemarkError, *DRIVER_ERRORS) as problem:
                    failed[name] = f"ticking: {type(problem).__name__}: {problem}"
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
