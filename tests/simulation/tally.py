"""What a simulation counts, and how it is printed.

Owns: `Tally`. Promises: counts only grow, and two tallies add up.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """Counts of one run: worlds, transactions by end, statements by kind and outcome, comparisons, refusals by code."""

    worlds: int = 0
    transactions: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    comparisons: Counter[str] = field(default_factory=Counter)
    derived: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    duties: Counter[str] = field(default_factory=Counter)
    batches: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        """Transactions of every end."""
        return self.transactions.total()

    @property
    def made(self) -> int:
        """Batches: ticks that found changes, and comparisons after a commit at commit freshness."""
        commits = sum(number for word, number in self.comparisons.items() if word.endswith(" commit"))
        return self.batches.total() + commits

    @property
    def seconds(self) -> float:
        """Seconds since the tally began."""
        return time.monotonic() - self.started

    def mark(self, name: str) -> None:
        """Remember how many comparisons were made so far, by freshness."""
        for freshness in ("commit", "tick"):
            made = sum(number for word, number in self.comparisons.items() if word.endswith(freshness))
            self.marks[f"{name} {freshness}"] = made

    def statement(self, kind: str, ok: bool, error: str = "") -> None:
        """Count one statement."""
        self.statements[kind] += 1
        if not ok:
            self.failed[kind] += 1
            self.errors[error] += 1

    def ticked(self, family: str, changes: int) -> None:
        """Count a tick with changes in it as a batch of its family."""
        if changes:
            self.batches[f"{family} tick"] += 1

    def so_far(self) -> str:
        """Where a long run is."""
        return f"{self.total:,} transactions, {self.comparisons.total():,} comparisons in {self.seconds:,.0f} s"

    def text(self, title: str) -> str:
        """The summary as lines."""
        rate = self.total / max(self.seconds, 0.001)
        lines = [
            f"{title}: {self.total} transactions in {self.worlds} worlds, {self.seconds:.1f} s, {rate:.0f}/s, "
            f"{self.comparisons.total()} comparisons",
            f"  ends: {_words(self.transactions)}",
            f"  statements: {', '.join(f'{k} {n - self.failed[k]}/{n}' for k, n in sorted(self.statements.items()))}",
            f"  errors of the application: {_words(self.errors)}",
            f"  comparisons: {_words(self.comparisons)}",
            f"  derived: {_words(self.derived)}",
            f"  refused: {_words(self.refused)}",
            f"  batches: {_words(self.batches)}",
            f"  duties: {_words(self.duties)}",
        ]
        lines += [f"    {reason}\n      {query}" for reason, query in sorted(self.examples.items())]
        return "\n".join(lines)

    def line(self, word: str) -> str:
        """The summary of one shape as a line, with the reasons of refusals below it."""
        made = self.derived.total()
        lines = [
            f"{word:20} {self.total:6} transactions {self.made:6} batches {self.comparisons.total():6} comparisons "
            f"{made:4} derived {self.refused.total():4} refused {self.seconds:6.0f} s"
        ]
        lines += [f"    {reason}\n      {query}" for reason, query in sorted(self.examples.items())]
        return "\n".join(lines)

    def record(self, engine: str, word: str, seed: str, version: str, failures: int) -> dict[str, object]:
        """The numbers of one shape as plain data."""
        return {
            "shape": word,
            "engine": engine,
            "seed": seed,
            "version": version,
            "worlds": self.worlds,
            "transactions": self.total,
            "batches": self.made,
            "comparisons": self.comparisons.total(),
            "derived": dict(self.derived),
            "refused": dict(self.refused),
            "duties": dict(self.duties),
            "failures": failures,
            "seconds": round(self.seconds, 1),
        }


def _words(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "none"
