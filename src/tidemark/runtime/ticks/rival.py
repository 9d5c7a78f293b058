"""When a tick leaves the way that it goes: it has taken as long as the whole result would take.

Owns: `Rival`. Promises: no estimate keeps a tick on its way for much longer than the whole result takes, where there is one and a
transaction may read it; a tick that is over in a moment asks nothing; a way that was left is known to be dear the next time.
Whoever leaves a way has lost nothing but time: rows that were computed are true, and what is sealed, or half of it, is of a
moment before that of the whole result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from tidemark.contract.script import Script
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.guard import (
    LONG_MS,
    Choice,
    Cost,
    Offer,
    Way,
    learn_cost,
    list_costs,
    offer,
    offer_full,
    time_of,
)

GIVEN_UP = 4.0
"""A way that was left would have taken several times as long: nobody knows how many times."""


@dataclass
class Rival:
    """The whole result, beside the way that a tick goes; what it would take is asked once, when that is worth a question."""

    duty: Duty
    script: Script
    _costs: dict[str, Cost] = field(default_factory=dict)
    _whole: Offer | None = None

    def outruns(
        self, way: Way, spent_ms: float, left: int | None = None, each_ms: float | None = None
    ) -> Choice | None:
        """The choice of the whole result, when a tick has spent so long on its way and that would have been enough for it. `left`
        is how many units it still has to compute, where that is known, and `each_ms` what one has taken, where some are."""
        tick = self.script.tick
        if spent_ms < LONG_MS or way == "full" or tick is None or tick.full is None:
            return None
        if self._whole is None:
            self._costs = list_costs(self.duty.ledger, self.script)
            self._whole = offer_full(self.duty, self.script, self._costs, usual_ms=inf)
        whole, left_ms = self._whole, inf
        if left is not None:
            left_ms = left * each_ms if each_ms is not None else offer(way, left, "unit", self._costs).ms
        if whole.barred or spent_ms < whole.ms or left_ms <= whole.ms:
            return None
        said = f"full: about {time_of(whole.ms)} for {whole.about}; {way} has taken {time_of(spent_ms)} and was left"
        return Choice("full", said, whole.work)

    def give_up(self, way: Way, work: float, spent_ms: float) -> None:
        """Remember how dear a way was, of which so much `work` was known."""
        self.duty.write(lambda: learn_cost(self.duty, self.script, way, work, GIVEN_UP * spent_ms))
