"""An apply until nothing is left that it made necessary itself.

Owns: `apply_through`. Promises: who was taken out of service by what was done for another one comes back in the same apply, and
captures lose what nobody reads once the last generation is gone that did; every pass has a plan of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

from tidemark.runtime.changes.apply import ApplyReport
from tidemark.runtime.changes.plan import InstallPlan
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects.narrowing import find_spare

PASSES_MAX = 3


def apply_through(
    ledger: Ledger, plan: InstallPlan, apply: Callable[[InstallPlan], ApplyReport], again: Callable[[], InstallPlan]
) -> ApplyReport:
    """Carry out a plan with `apply`, then what it left to be done by `again` making a plan. Raises what `apply` raises."""
    passes = [apply(plan)]
    while len(passes) < PASSES_MAX and _leaves_work(ledger):
        plan = again()
        if plan.is_empty and not plan.narrowed:
            break
        passes.append(apply(plan))
    together = ApplyReport(*(_together(passes, field.name) for field in fields(ApplyReport)))
    # What one pass began a later one may have brought to its end.
    return replace(together, begun=tuple(name for name in together.begun if name not in together.live))


def _leaves_work(ledger: Ledger) -> bool:
    rows = ledger.derived()
    out_of_service = any(row.live_at is not None and row.state == "installing" for row in rows)
    return out_of_service or bool(find_spare(ledger.captures(), [row.script for row in rows]))


def _together(passes: list[ApplyReport], field: str) -> tuple[str, ...]:
    """The names that passes tell of, each once."""
    return tuple(dict.fromkeys(name for done in passes for name in getattr(done, field)))
