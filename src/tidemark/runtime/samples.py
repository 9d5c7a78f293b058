"""How a run goes from moment to moment, and how long chunks hold their locks: what pages and scrapers show of it.

Owns: `Sampler`, `Sample` and the bounds of the histograms. Promises: a run writes a sample a second at first and half
as many after each `SAMPLES_EACH`, so that a run of any length has some hundreds; what it writes goes with what it tells anyhow
and costs no transaction of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tidemark.runtime.ledger import Ledger

BOOK = "operators"
SAMPLES_EACH = 300
RUNS_KEPT = 50
RATES_MIN = 5
BOUNDS_MS = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0)
"""Chunks are counted by the first of these that they are not above, and by ``len(BOUNDS_MS)`` when they are above all."""


@dataclass(frozen=True)
class Hold:
    """How one chunk went: how long it held its locks and waited for them, how many rows the next one is to have, and the hold
    that is aimed at."""

    hold_ms: float
    wait_ms: float = 0.0
    size: int = 0
    target_ms: float = 0.0


@dataclass(frozen=True)
class Sample:
    """A moment of a run: `seconds` after it began, and what happened in the `span` seconds before.

    `done` keys in all, `rows` of them in the span, in `chunks` that held for `hold_ms` and waited for `wait_ms` together, the
    longest for `longest_ms`. The next chunk was to have `size` rows and to hold for `target_ms`.
    """

    seconds: float
    span: float
    done: int
    rows: int
    chunks: int
    hold_ms: float
    wait_ms: float
    longest_ms: float
    target_ms: float
    size: int

    @property
    def rate(self) -> float | None:
        """Rows in a second of the span."""
        return self.rows / self.span if self.span > 0 else None

    @property
    def duty(self) -> float | None:
        """The share of the span in which locks were held."""
        return min(1.0, self.hold_ms / 1000 / self.span) if self.span > 0 else None


@dataclass
class _Counts:
    """Chunks since some moment; `held` are (chunks, milliseconds) by what they did and by the number of a bound."""

    rows: int = 0
    chunks: int = 0
    hold_ms: float = 0.0
    wait_ms: float = 0.0
    longest_ms: float = 0.0
    target_ms: float = 0.0
    size: int = 0
    held: dict[tuple[str, int], tuple[int, float]] = field(default_factory=dict)

    def add(self, rows: int, hold: Hold) -> None:
        """Take down a chunk."""
        self.rows, self.chunks = self.rows + rows, self.chunks + 1
        self.hold_ms, self.wait_ms = self.hold_ms + hold.hold_ms, self.wait_ms + hold.wait_ms
        self.longest_ms = max(self.longest_ms, hold.hold_ms)
        self.target_ms, self.size = hold.target_ms, hold.size
        for what, ms in (("hold", hold.hold_ms), ("wait", hold.wait_ms)):
            chunks, total = self.held.get((what, place_of(ms)), (0, 0.0))
            self.held[what, place_of(ms)] = (chunks + 1, total + ms)


@dataclass
class Sampler:
    """Takes samples of the run `run`, which began at the moment `began`. `about` and `kind` are those of the run.

    What was counted is held until it is known to be written: `write` may be tried again after a transaction that failed.
    """

    run: int
    about: str
    kind: str
    began: float
    written: int = 0
    _last: float = 0.0
    _now: _Counts = field(default_factory=_Counts)
    _sent: tuple[float, _Counts] | None = None

    def count(self, rows: int, hold: Hold) -> None:
        """Take down a chunk."""
        self._now.add(rows, hold)

    @property
    def every_seconds(self) -> float:
        """How far apart samples are by now."""
        return float(2 ** (self.written // SAMPLES_EACH))

    def write(self, ledger: Ledger, now: float, done: int) -> None:
        """Write a sample if it is time to, in the caller's transaction."""
        seconds = now - self.began
        is_due = self.written == 0 or seconds - self._last >= self.every_seconds * 0.9
        if self._sent is None and self._now.chunks and is_due:
            self._sent, self._now = (seconds, self._now), _Counts()
        if self._sent is None:
            return
        seconds, counts = self._sent
        for (what, bound), (chunks, ms) in counts.held.items():
            about = {"derived": self.about, "kind": self.kind, "what": what, "bound": bound}
            ledger.book(BOOK).run("add_hold", {**about, "chunks": chunks, "ms": ms})
        sample = Sample(
            seconds=round(seconds, 3),
            span=round(seconds - self._last, 3),
            done=done,
            rows=counts.rows,
            chunks=counts.chunks,
            hold_ms=counts.hold_ms,
            wait_ms=counts.wait_ms,
            longest_ms=counts.longest_ms,
            target_ms=counts.target_ms,
            size=counts.size,
        )
        ledger.book(BOOK).run("add_sample", {"run": self.run, **asdict(sample)})
        if self.written == 0:
            ledger.book(BOOK).run("trim_samples", {"keep": RUNS_KEPT})

    def wrote(self) -> None:
        """What was written is committed."""
        if self._sent is not None:
            self.written, self._last, self._sent = self.written + 1, self._sent[0], None


def add_held(ledger: Ledger, about: str, kind: str, reasons: Sequence[str], seconds: float) -> None:
    """Count seconds for which work was held back, in the caller's transaction; a reason begins with its word."""
    for reason in reasons:
        word = reason.partition(":")[0]
        ledger.book(BOOK).run("add_held", {"derived": about, "kind": kind, "reason": word, "seconds": seconds})


def place_of(ms: float) -> int:
    """The number of the first bound that a time is not above."""
    return next((place for place, bound in enumerate(BOUNDS_MS) if ms <= bound), len(BOUNDS_MS))


def list_samples(ledger: Ledger, run: int) -> list[Sample]:
    """How a run went, in order."""
    return [_sample(row) for row in ledger.book(BOOK).all("list_samples", {"run": run})]


def list_last_samples(ledger: Ledger, run: int, limit: int = 60) -> list[Sample]:
    """How a run goes now, newest first."""
    about = {"run": run, "limit": limit}
    return [_sample(row) for row in ledger.book(BOOK).all("list_last_samples", about)]


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value that `share` of the values are not above, None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def find_range(samples: Sequence[Sample], left: int | None) -> tuple[float, float] | None:
    """Within which seconds what is left may be done, by the fast and the slow tenth of the samples; None where it is a guess."""
    rates = [one.rate for one in samples if one.rate]
    slow, fast = quantile(rates, 0.1), quantile(rates, 0.9)
    if left is None or slow is None or fast is None or len(rates) < RATES_MIN:
        return None
    return left / fast, left / slow


def _sample(row: Sequence[Any]) -> Sample:
    seconds, span, done, rows, chunks, hold_ms, wait_ms, longest_ms, target_ms, size = row
    times = (float(hold_ms), float(wait_ms), float(longest_ms), float(target_ms))
    return Sample(float(seconds), float(span), int(done), int(rows), int(chunks), *times, int(size))
