"""What the ledger has on record of every generation, in a few statements however many there are.

Owns: `Standing` and reading it. Promises: reads only, and the ledger's own small tables only; for those who look at everything
again and again. Whoever works on one generation asks about that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tidemark.runtime.cascade import Generation, identity
from tidemark.runtime.coverage import Sweep, sweep_of
from tidemark.runtime.ledger import Checkpoint, Installed, Ledger, Mark

# SQLite takes no more than 500 parts of a compound SELECT.
TOGETHER = 100


@dataclass(frozen=True)
class Standing:
    """One generation: rows known to be wrong, the way of its last batch and why (empty before the first), its newest sweep, and
    how far its logs are consumed and its sources scanned, by source."""

    wrong: int = 0
    way: str = ""
    reason: str = ""
    sweep: Sweep | None = None
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)


def read_standings(ledger: Ledger) -> Mapping[Generation, Standing]:
    """How every generation stands; none without a ledger."""
    if not ledger.exists():
        return {}
    found = {}
    for name, generation, wrong, way, reason, *sweep in ledger.all("list_standing"):
        known = sweep_of(sweep) if sweep[0] is not None else None
        found[name, int(generation)] = Standing(int(wrong), way or "", reason or "", known)
    for name, generation, *row in ledger.all("list_all_checkpoints"):
        if (name, int(generation)) in found:
            found[name, int(generation)].checkpoints[row[0]] = Checkpoint.of(row)
    for name, generation, *row in ledger.all("list_all_marks"):
        if (name, int(generation)) in found:
            found[name, int(generation)].marks[row[0]] = Mark(*row)
    return found


def count_waiting(
    ledger: Ledger, rows: Sequence[Installed], known: Mapping[Generation, Standing], most: int
) -> Mapping[Generation, int]:
    """How many changes and keys wait for each of some generations whose objects are there, each log counted up to `most`.

    What is asked stays the same while checkpoints move, so that it can be asked ahead; a log is asked about once, however many
    read it.
    """
    questions: list[str] = []
    given: dict[str, object] = {"limit": most}
    logs: dict[str, int] = {}
    whose: dict[tuple[int, str], list[Generation]] = {}
    for row in rows:
        tick, standing, about = row.script.tick, known.get(identity(row), Standing()), identity(row)
        if tick is None:
            continue
        for log in (log for log in tick.logs if log.source in standing.checkpoints):
            if log.log not in logs:
                number = logs[log.log] = len(questions)
                given[f"source_{number}"] = log.source
                questions.append(ledger.text("count_each_waiting", log=log.log, source=f"source_{number}"))
            whose.setdefault((logs[log.log], standing.checkpoints[log.source].snapshot), []).append(about)
        for text in (tick.count_dirty, *(scan.count for scan in tick.scans if scan.source in standing.marks)):
            whose[len(questions), ""] = [about]
            questions.append(f"SELECT '' AS snapshot, ({text}) AS waiting")
    found: dict[Generation, int] = {}
    for start in range(0, len(questions), TOGETHER):
        some = enumerate(questions[start : start + TOGETHER], start)
        texts = [f"SELECT {number} AS number, q.snapshot, q.waiting FROM ({text}) AS q" for number, text in some]
        for number, snapshot, count in ledger.session.all(" UNION ALL ".join(texts), given):
            for about in whose.get((int(number), snapshot), ()):
                found[about] = found.get(about, 0) + int(count)
    return found
