"""Verification of everything that readers see, beginning at the catalog.

Owns: `verify_all`. Promises: a table whose captures or sources are not as they should be is taken out of service and reported
as not compared, since rows that happen to be equal are not kept; nothing that readers see is left out of the answer.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.errors import Code, Refusal
from tidemark.runtime.backfill.places import Between
from tidemark.runtime.cascade import upstream_first
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.gaps import record_gaps
from tidemark.runtime.truth.verify import VerifyReport, not_compared, verify

DrainOf = Callable[[Installed], Callable[[], object] | None]
NAMED_MAX = 20


def verify_all(
    duty: Duty, names: tuple[str, ...], drain_of: DrainOf, *, catalog: bool, between: Between | None
) -> tuple[VerifyReport, ...]:
    """Reports for everything that readers see, or for those named; with `catalog` of what the catalog says alone, with `between`
    of the rows from one key to another one.

    Raises `Refusal` (``not-installed``) without a ledger and for a name that readers do not see, (``declaration``) for keys
    that are not those of one table. Raises `Fault` where a table was removed meanwhile.
    """
    if between is not None and len(names) != 1:
        raise Refusal(Code.DECLARATION, "keys are of one derived table", instead="name one beside them")
    duty.ledger.require()
    shown = [row for row in upstream_first(duty.ledger.derived()) if row.live_at and row.state != "retired"]
    require_names(names, {row.name for row in shown})
    chosen = [
        row for row in shown if not names or row.name in names or (row.script.supports in names and between is None)
    ]
    gaps = {row.name: f"it is {row.state}, and what readers see may be wrong" for row in chosen if row.state != "live"}
    gaps |= record_gaps(duty, chosen)
    reports: list[VerifyReport] = []
    for row in chosen:
        if catalog or row.name in gaps:
            reports.append(not_compared(row, gaps.get(row.name, "")))
            continue
        with duty.ledger.while_there(row):
            reports.append(verify(duty, row, drain_of(row), between=between))
    return tuple(reports)


def require_names(names: tuple[str, ...], known: set[str]) -> None:
    """Raises `Refusal` (``not-installed``) for the first name that is not known."""
    absent = set(names) - known
    if absent:
        instead = (
            f"name one of: {', '.join(sorted(known))}" if 0 < len(known) <= NAMED_MAX else "look at `tidemark status`"
        )
        raise Refusal(Code.NOT_INSTALLED, f"there is no live derived table {sorted(absent)[0]}", instead=instead)
