"""What the ledger has on record of every generation, in a few statements however many there are.

Owns: `Standing` and reading it. Promises: reads only, and the ledger's own small tables only; for those who look at everything
again and again. Whoever works on one generation asks about that one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tidemark.runtime.cascade import identity
from tidemark.runtime.coverage import Sweep, sweep_of
from tidemark.runtime.ledger import Checkpoint, Installed, Ledger, Mark

Generation = tuple[str, int]
Question = Callable[[Ledger, int, dict[str, object]], str]
"""The text of a question that has a number among others; it adds the values of its own parameters to theirs."""

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
    """How many changes and keys wait for each of some generations whose objects are there, each log counted up to `most`."""
    asked = [(identity(row), text) for row in rows for text in _questions(row, known)]
    found: dict[Generation, int] = {}
    for start in range(0, len(asked), TOGETHER):
        some = asked[start : start + TOGETHER]
        parts: list[str] = []
        given: dict[str, object] = {"limit": most}
        for number, (_, question) in enumerate(some):
            parts.append(f"SELECT {number} AS number, ({question(ledger, number, given)}) AS waiting")
        for number, count in ledger.session.all(" UNION ALL ".join(parts), given):
            about = some[int(number)][0]
            found[about] = found.get(about, 0) + int(count)
    return found


def _questions(row: Installed, known: Mapping[Generation, Standing]) -> Iterator[Question]:
    """What counts what waits for a generation."""
    tick, standing = row.script.tick, known.get(identity(row), Standing())
    if tick is None:
        return
    for log in (log for log in tick.logs if log.source in standing.checkpoints):
        yield partial(_of_log, log.log, standing.checkpoints[log.source].snapshot)
    yield partial(_as_written, tick.count_dirty)
    yield from (partial(_as_written, scan.count) for scan in tick.scans if scan.source in standing.marks)


def _of_log(log: str, snapshot: str, ledger: Ledger, number: int, given: dict[str, object]) -> str:
    given[f"snapshot_{number}"] = snapshot
    return ledger.text("count_some_changes", log=log, snapshot=f"snapshot_{number}")


def _as_written(text: str, ledger: Ledger, number: int, given: dict[str, object]) -> str:
    return text
