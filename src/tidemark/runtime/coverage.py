"""How much of a derived table was compared with its query lately: the score of the verification for ever.

Owns: `Sweep`. Promises: reads only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.contract.script import Script
from tidemark.runtime.ledger import Ledger

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Sweep:
    """The newest sweep through a derived table: `done` of `total` keys are compared, `drift` were wrong so far.

    `began_seconds` ago it began; `whole_seconds` ago the last complete one began, None when there is none yet.
    """

    done: int
    total: int
    drift: int
    began_seconds: float
    whole_seconds: float | None
    ended: bool

    @property
    def coverage(self) -> float:
        """The share of the keys that were compared in the last 24 hours, about: a sweep goes on evenly."""
        if self.whole_seconds is not None and self.whole_seconds <= DAY_SECONDS:
            return 1.0
        share = 1.0 if self.ended else self.done / self.total if self.total else 0.0
        return share * min(1.0, DAY_SECONDS / self.began_seconds) if self.began_seconds > 0 else share


def read_sweep(ledger: Ledger, script: Script) -> Sweep | None:
    """The newest sweep, None before the first."""
    row = next(iter(ledger.all("read_sweep", {"derived": script.name, "generation": script.generation})), None)
    return None if row is None else sweep_of(row)


def sweep_of(row: Sequence[Any]) -> Sweep:
    """The sweep of a row of the ledger."""
    done, total, drift, began, whole, ended = row
    return Sweep(int(done), int(total), int(drift), float(began), None if whole is None else float(whole), bool(ended))
