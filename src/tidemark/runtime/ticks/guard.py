"""The cost guard: in which way a batch is made true, by estimate and by what earlier batches took.

Owns: the choice among delta, keyed and full, and its history. Promises: every way gives the same rows, so a choice is about time
alone; another way than the usual one must be estimated at less than half of its time; what no transaction may take long for is
not chosen, except where every change touches everything anyway; the reason is a short sentence with the figures that decided.
What the whole result takes is known from the verification that ends every filling, and from those that follow.

A *way* is ``delta`` (what changed is added up), ``keyed`` (affected units are computed again) or ``full`` (the whole result is
computed again, and rows that differ are written). What waits to be known costs nothing more: changes and units are counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tidemark.contract.script import Script
from tidemark.names import Names
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.pace import WHOLE_MS, longest_read_ms

Way = Literal["delta", "keyed", "full"]
KEEP = 0.7
FEW = 200
"""Work of this size is done in the usual way, whatever others would cost: it takes some milliseconds, unless pieces are huge."""
HUGE_MS = 50.0
"""What a piece of work took on average to count as huge, however few pieces it was: no batch has such fixed costs."""
LONG_MS = 50.0
"""Few pieces that would take so long are weighed as many are, and what takes so long is worth a question."""
FIXED_MS = {True: 5.0, False: 15.0}
"""What any tick takes for its transactions, whatever it does in them: where writers wait in line, and where they do not."""
COUNTED_MAX = 100_001
MARGIN = 0.5
FAR_DEARER = 4
"""Where the usual way would take so many times as long as the whole result, that may be read for longer than is polite."""
MS_PER_CHANGE = {"delta": 0.005, "keyed": 0.05}
ASSUMED = 20.0
"""What is assumed of a change weighs as much as this many that were measured."""
FADE = 0.9
MS_PER_KILOBYTE = 0.005
"""What is assumed before anything was measured: that 200 megabytes are read, grouped and compared in a second."""
ASSUMED_KILOBYTES = 500.0
"""What is assumed of a kilobyte weighs as much as this many that were measured: what an empty table took was not for its size."""


@dataclass(frozen=True)
class Cost:
    """What a way has cost lately: `ms` for `work`, both fading; why it was chosen last."""

    way: str
    work: float
    ms: float
    times: int
    reason: str

    @property
    def each_ms(self) -> float:
        """Milliseconds for a piece of work: a change, a unit, or a kilobyte of the sources and the stored rows."""
        return self.ms / max(self.work, 1.0)


@dataclass(frozen=True)
class Offer:
    """A way, with `work` pieces of work (in words: `about`) that are estimated to take `ms`. `barred` says why it cannot be
    chosen, and is empty where it can."""

    way: Way
    work: float
    about: str
    ms: float
    barred: str = ""


@dataclass(frozen=True)
class Choice:
    """The way that is gone, why, and how much work it was estimated at."""

    way: Way
    reason: str
    work: float = 0.0


def choose(offers: Sequence[Offer]) -> Choice:
    """The way of the cheapest offer; the first one is the usual way, from which only a clear gain leads away."""
    usual, *others = offers
    open_ = [one for one in others if not one.barred]
    best = min(open_, key=lambda one: one.ms, default=None)
    if best is not None and best.ms < usual.ms * MARGIN:
        return Choice(best.way, f"{best.way}: {_figures(best)}; {usual.way} would take {_figures(usual)}", best.work)
    against = "".join(f"; {one.way} would {one.barred or f'take {_figures(one)}'}" for one in others)
    return Choice(usual.way, f"{usual.way}: {_figures(usual)}{against}", usual.work)


def _figures(offer: Offer) -> str:
    return f"about {time_of(offer.ms)} for {offer.about}"


def time_of(ms: float) -> str:
    """Milliseconds for people."""
    return f"{ms:.0f} ms" if ms < 10_000 else f"{ms / 1000:.0f} s"


def list_costs(ledger: Ledger, script: Script) -> dict[str, Cost]:
    """The history of each way, the one that was chosen last first; one that never was has no reason."""
    rows = ledger.all("list_costs", {"derived": script.name, "generation": script.generation})
    return {row[0]: Cost(row[0], float(row[1]), float(row[2]), int(row[3]), row[4]) for row in rows}


def add_cost(duty: Duty, script: Script, choice: Choice, work: float, ms: float) -> None:
    """Remember what a way has cost, in the caller's transaction."""
    about = {"derived": script.name, "generation": script.generation, "way": choice.way}
    spent = {"work": float(work), "ms": cost_ms(duty, choice.way, ms), "keep": KEEP}
    duty.ledger.run("add_cost", {**about, **spent, "reason": choice.reason})
    if choice.way == "full":
        fade_others(duty, script, choice.way)


def cost_ms(duty: Duty, way: str, ms: float) -> float:
    """What the work of a way took: of changes and units that is what their tick took more than any tick does."""
    fixed = 0.0 if way == "full" else FIXED_MS[duty.session.dialect.writers_wait_in_line]
    return max(0.0, float(ms) - fixed)


def fade_others(duty: Duty, script: Script, way: str) -> None:
    """Think other ways a little cheaper than they were when they were gone last, in the caller's transaction."""
    about = {"derived": script.name, "generation": script.generation, "way": way}
    duty.ledger.run("fade_costs", {**about, "keep": FADE})


def learn_cost(duty: Duty, script: Script, way: Way, work: float, ms: float) -> None:
    """Remember what a way took where it was not chosen, in the caller's transaction."""
    about = {"derived": script.name, "generation": script.generation, "way": way}
    duty.ledger.run("learn_cost", {**about, "work": float(work), "ms": cost_ms(duty, way, ms), "keep": KEEP})


def learn_full(duty: Duty, script: Script, ms: float) -> None:
    """Remember what it took to read the whole result and to compare it with the stored rows."""
    if script.tick is not None and script.tick.full is not None:
        work = measure(duty, script)
        duty.write(lambda: learn_cost(duty, script, "full", work, ms))


def offer(way: Way, work: float, word: str, costs: Mapping[str, Cost]) -> Offer:
    """The offer of a way whose work is a number of changes or units; `word` names one of them."""
    known, assumed = costs.get(way), MS_PER_CHANGE[way]
    each = assumed
    if known is not None:
        huge = known.each_ms >= HUGE_MS
        each = known.each_ms if huge else (known.ms + ASSUMED * assumed) / (known.work + ASSUMED)
    return Offer(way, work, f"{work:.0f} {word}{'' if work == 1 else 's'}", work * each)


def measure(duty: Duty, script: Script) -> float:
    """How many kilobytes the sources and the stored rows have, about."""
    stored = f"tidemark.{Names(duty.session.dialect, script.name, script.generation).plain('')}"
    return int(duty.ledger.value("measure_sources", {"sources": json.dumps([*script.sources, stored])}) or 0) / 1024


def offer_full(duty: Duty, script: Script, costs: Mapping[str, Cost], usual_ms: float = 0.0) -> Offer:
    """The offer of the whole result: the sources are read, and the stored rows compared, in one transaction, which must not be
    long unless it is all there is, or anything else would take many times as long."""
    size, known = measure(duty, script), costs.get("full")
    work, took = (known.work, known.ms) if known is not None else (0.0, 0.0)
    ms = size * (took + ASSUMED_KILOBYTES * MS_PER_KILOBYTE) / (work + ASSUMED_KILOBYTES)
    barred, most = "", WHOLE_MS if usual_ms > FAR_DEARER * ms else longest_read_ms(duty.session.dialect)
    if ms > most and script.klass != "global":
        barred = f"take about {time_of(ms)}, and no transaction may take more than {most:.0f} ms"
    return Offer("full", size, "the whole result", ms, barred)


def count_changes(duty: Duty, script: Script) -> int:
    """How many changes wait in the logs, up to a limit for each of them."""
    known, found = duty.ledger.checkpoints(script), 0
    for log in script.logs:
        bounds = {"snapshot": known[log.source].snapshot, "limit": COUNTED_MAX}
        found += int(duty.ledger.value("count_changes", bounds, log=log.log)) if log.source in known else 0
    return found


def choose_for(duty: Duty, script: Script, usual: Way, work: int, word: str) -> Choice:
    """The choice between the usual way for so many changes or units, and what else the script has."""
    tick = script.tick
    if tick is None or (tick.full is None and usual != "delta"):
        return Choice(usual, f"{usual}: there is no other way to make it true")
    if not script.applier.units and tick.full is not None and usual == "keyed":
        return Choice("full", "full: every change may touch every row", offer_full(duty, script, {}).work)
    costs = list_costs(duty.ledger, script)
    offers = [offer(usual, work, word, costs)]
    if work <= FEW and offers[0].ms < LONG_MS:
        return Choice(usual, f"{usual}: {work} {word}{'' if work == 1 else 's'} are few")
    apart = usual == "delta" and tick.products is not None and bool(script.applier.units)
    offers += [offer("keyed", work, word, costs)] if apart else []
    offers += [offer_full(duty, script, costs, offers[0].ms)] if tick.full is not None else []
    return choose(offers)
