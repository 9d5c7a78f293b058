"""Figures: what runs have come to, how long chunks hold their locks, and what the database is under, for scrapers and pages.

Owns: `Figures` and reading them. Promises: everything comes from counts that the ledger keeps and that only grow, so that it
is right whatever number of processes serves it; reads only, and nothing that grows with a table of the user's or the history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.database.session import Strain
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.samples import BOOK, BOUNDS_MS
from tidemark.runtime.throttle import Limits
from tidemark.states import RUN, read_state


@dataclass(frozen=True)
class Total:
    """What runs of one duty about one thing that ended in one way have come to; `seconds` in all, `ended` the last time."""

    name: str
    kind: str
    state: str
    runs: int
    rows_done: int
    rows_written: int
    seconds: float
    ended: str | None


@dataclass(frozen=True)
class Holds:
    """How long chunks of one duty about one thing held their locks or waited for them (`what`): `chunks` by the number of the
    bound that they are not above, and `ms` in all."""

    name: str
    kind: str
    what: str
    chunks: tuple[int, ...]
    ms: float

    @property
    def count(self) -> int:
        """How many chunks."""
        return sum(self.chunks)

    def quantile_ms(self, share: float) -> float | None:
        """The bound that `share` of the chunks are not above; None without chunks, and where it is above all bounds."""
        seen = 0
        for place, chunks in enumerate(self.chunks):
            seen += chunks
            if self.count and seen >= share * self.count:
                return BOUNDS_MS[place] if place < len(BOUNDS_MS) else None
        return None


@dataclass(frozen=True)
class Held:
    """For how many seconds work of one duty about one thing was held back by one reason, ever."""

    name: str
    kind: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class Figures:
    """Everything that is counted. `found` and `repaired` are rows that were ever found wrong, and that were made true. `holds`
    are of chunks, and of whole ticks where `what` is ``took``; `limits` say what the database may be under while something long
    goes on."""

    version: str
    totals: tuple[Total, ...]
    holds: tuple[Holds, ...]
    found: dict[str, int]
    repaired: dict[str, int]
    strains: tuple[Strain, ...]
    held: tuple[Held, ...] = ()
    limits: Limits = Limits()


def read_figures(ledger: Ledger, limits: Limits) -> Figures:
    """The figures now; empty ones without a ledger."""
    session = ledger.session
    strains = session.strain()
    with session.transaction("read", snapshot=True):
        version, there = str(ledger.value("fact_engine")), ledger.exists()
        totals = [_total(row) for row in ledger.book(BOOK).all("list_totals")] if there else []
        holds = _gather(ledger.book(BOOK).all("list_holds")) if there else []
        held = ledger.book(BOOK).all("list_held") if there else []
        findings = ledger.book(BOOK).all("count_findings_ever") if there else []
    found: dict[str, int] = {}
    for name, _, count in findings:
        found[name] = found.get(name, 0) + int(count)
    repaired = {name: int(count) for name, outcome, count in findings if outcome == "repaired"}
    back = tuple(Held(name, kind, reason, float(seconds)) for name, kind, reason, seconds in held)
    return Figures(version, tuple(totals), tuple(holds), found, repaired, strains, back, limits)


def _total(row: Sequence[Any]) -> Total:
    name, kind, state, runs, done, written, seconds, ended = row
    return Total(
        name, kind, read_state(state, RUN), int(runs), int(done), int(written), max(0.0, float(seconds)), ended
    )


def _gather(rows: Sequence[Sequence[Any]]) -> list[Holds]:
    found: dict[tuple[str, str, str], tuple[list[int], float]] = {}
    for name, kind, what, bound, chunks, ms in rows:
        counts, total = found.get((name, kind, what), ([0] * (len(BOUNDS_MS) + 1), 0.0))
        counts[min(int(bound), len(BOUNDS_MS))] += int(chunks)
        found[name, kind, what] = (counts, total + float(ms))
    return [Holds(*about, tuple(counts), ms) for about, (counts, ms) in found.items()]
