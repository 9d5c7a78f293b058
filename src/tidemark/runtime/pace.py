"""How much to do at a time, and how long to rest.

Owns: the size of chunks and, where only rows are locked, the rests that somebody insists on. Promises: a chunk aims at a time for
which locks are held, measured from when they were had (never the time waited for them); a chunk that took five times as long cuts
the size to a tenth at once; a size is not cut for long when half the rows take as long as all did, since then it is not rows that
take the time. Where only rows are locked, who waits for one of them is not helped by a rest that comes after it; where writers
wait in line, `turns` says when to rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tidemark.dialect import Dialect

KEEP = 0.75
# A size that was not worth going below is tried again after some chunks.
FLOOR_KEEP = 0.9
USELESS = 0.7
ROWS_FEW = 10
"""So few rows take what any transaction takes: that they took a little too long says nothing about rows."""
GROWTH_MAX = 1.5
READ_MS = 250.0
WHOLE_MS = 2_000.0
"""How long everything may be read in one transaction where whoever only reads keeps nobody waiting, and no log from being
emptied: rows that others delete meanwhile stay on their pages for so much longer."""
READ_ROWS = 100_000
READ_ROWS_MAX = 500_000
SEAL_ROWS = 10_000
# Where rows are locked a writer meets a chunk as often as its share of the rows: 199 of 200 writers of some row then never do.
SHARE = 200
SHARED_ROWS_MIN = 500
ROW_MS = 0.02
"""What it is assumed to take to write a row."""
IN_LINE_MS, IN_LINE_PATIENT_MS = 10.0, 2.5
"""Holds of a lock that writers wait for in line: of ticks, and of work for which nobody waits. A writer looks again after 1, 3, 8
and 18 ms, so that one who meets holds of 4 ms is served at its fourth look and not at its fifth."""
LOCKED_MS = 100.0


@dataclass
class Pace:
    """Adaptive size of chunks: `size` rows are wanted next, `target_ms` is the hold aimed at.

    `nice` is how many seconds to rest for each second of holding locks, where an operator says so. `most` rows may be locked at a
    time, whatever they take, unless that is None.
    """

    target_ms: float
    in_line: bool
    size: int = 500
    size_min: int = 10
    size_max: int = 20_000
    longest_ms: float = 0.0
    nice: float = 0.0
    most: int | None = None
    _rows: float = field(default=0.0)
    _ms: float = field(default=0.0)
    _marked: tuple[int, float] = field(default=(0, 0.0))
    _floor: float = field(default=0.0)

    @property
    def rows_known(self) -> int:
        """How many rows that are known already are written at a time: that takes the same whatever it took to compute them."""
        return max(self.size, int(self.target_ms / ROW_MS))

    def record(self, rows: int, hold_ms: float) -> None:
        """Learn from a chunk of `rows` that held its locks for `hold_ms`."""
        self.longest_ms = max(self.longest_ms, hold_ms)
        self._learn_floor(rows, hold_ms)
        least = max(self.size_min, min(int(self._floor), self.size_max))
        if hold_ms > 5 * self.target_ms:
            self.size = max(least, min(self.size, max(rows, 1)) // 10)
            self._rows = self._ms = 0.0
            return
        if rows < self.size // 2:
            # The last chunk of a range says little about full ones, unless that little took long already.
            if hold_ms > self.target_ms and rows > ROWS_FEW:
                self.size = max(least, ROWS_FEW, int(rows / hold_ms * self.target_ms))
            return
        self._rows = self._rows * KEEP + rows
        self._ms = self._ms * KEEP + max(hold_ms, 0.01)
        wanted = self._rows / self._ms * self.target_ms
        wanted = max(least, min(max(self.size * GROWTH_MAX, self.size + 1), wanted, self.size_max))
        self.size = int(min(wanted, self.most or wanted))

    def _learn_floor(self, rows: int, hold_ms: float) -> None:
        """Whether fewer rows took less time than more rows did before; if not, as many as before are the least."""
        before, took = self._marked
        self._floor *= FLOOR_KEEP
        if rows > before:
            self._marked = (rows, hold_ms)
        elif rows * 2 <= before:
            if hold_ms > self.target_ms and hold_ms >= USELESS * took:
                self._floor = before
            else:
                self._marked = (rows, hold_ms)

    def share(self, rows: int | None) -> None:
        """Lock no more than a small share of all the `rows` at a time, because others write some of them; None where nobody does.
        A size that is fixed stays as it is."""
        if self.in_line or self.size_min == self.size_max:
            return
        self.most = None if rows is None else max(SHARED_ROWS_MIN, rows // SHARE)
        self.size = min(self.size, self.most or self.size)

    def for_reading(self) -> Pace:
        """The pace of steps that only read, which nobody waits for; a size that is fixed stays as it is."""
        if self.size_min == self.size_max:
            return Pace(self.target_ms, False, self.size, self.size_min, self.size_max)
        return Pace(READ_MS, False, size=READ_ROWS, size_max=READ_ROWS_MAX)

    def for_sealing(self) -> Pace:
        """The pace of sealing: where nobody waits in line, what a seal writes is read by nobody else, and one statement over many
        changes finds the same units once."""
        if self.in_line or self.size_min == self.size_max:
            return Pace(self.target_ms, self.in_line, self.size, self.size_min, self.size_max)
        return Pace(self.target_ms, False, size=SEAL_ROWS, size_max=READ_ROWS_MAX)

    def rest_seconds(self, hold_ms: float) -> float:
        """How long to leave the database alone after a chunk."""
        return 0.0 if self.in_line else self.nice * hold_ms / 1000


def longest_read_ms(dialect: Dialect) -> float:
    """How long a transaction may take that reads everything: where writers wait in line, their log grows while somebody reads."""
    return READ_MS if dialect.writers_wait_in_line else WHOLE_MS


def choose_pace(dialect: Dialect, hold_ms: float | None = None) -> Pace:
    """The pace of ticks: short holds where writers wait in line, longer ones where only rows are locked; or `hold_ms`, where
    somebody says that it disturbs nobody."""
    if hold_ms is not None:
        return Pace(hold_ms, dialect.writers_wait_in_line, size=2_000, size_max=200_000)
    if dialect.writers_wait_in_line:
        return Pace(IN_LINE_MS, in_line=True)
    return Pace(LOCKED_MS, in_line=False, size=2_000, size_max=200_000)


def choose_patient_pace(dialect: Dialect) -> Pace:
    """The pace of fillings and repairs, which take long and for which nobody waits: shorter holds where writers wait in line."""
    pace = choose_pace(dialect)
    pace.target_ms = IN_LINE_PATIENT_MS if pace.in_line else pace.target_ms
    return pace


def choose_first_pace(dialect: Dialect, nice: float | None) -> Pace:
    """The pace for work of which nobody knows yet what a row costs: it begins with few rows, and leaves room for others."""
    pace = choose_patient_pace(dialect)
    pace.size, pace.size_min, pace.size_max = 100, 1, min(pace.size_max, 50_000)
    ask(pace, nice)
    return pace


def ask(pace: Pace, nice: float | None) -> None:
    """Rest as an operator says, or not at all when nobody does."""
    pace.nice = 0.0 if nice is None else nice
