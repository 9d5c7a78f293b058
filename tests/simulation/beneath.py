"""What lies beneath a derived table: its supports and stages, which speak through it.

Owns: `as_kept`, `is_out`, `differing`. Promises: what waits beneath is applied before readers' rows are compared with the query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

from tests.simulation.case import Derived
from tidemark.contract.script import Script
from tidemark.names import is_stage
from tidemark.runtime.changes.apply import drainer
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.truth.as_written import compare_as_written


def as_kept(one: Derived, script: Script) -> Derived:
    """A derived table as it is kept: what is added up from a stage reads what is stored, of whatever moments that is."""
    read = {"reads": True} if any(is_stage(name) for name in script.supported_by) else {}
    return replace(one, freshness=script.freshness, options={**one.options, **read})


def is_out(name: str, rows: Iterable[Installed]) -> bool:
    """Whether what it is added up from is out of service."""
    return any(one.script.supports == name and one.state != "live" for one in rows)


def _drain(duty: Duty, scripts: Iterable[Script]) -> None:
    for script in scripts:
        if (work := drainer(duty, script)) is not None:
            work()


def differing(duty: Duty, live: Sequence[Installed]) -> list[str]:
    """What the queries say as they are written, and readers do not see, as texts."""
    found: list[str] = []
    for one in live:
        if one.script.supports:
            continue
        beneath = [other.script for other in live if other.script.supports == one.name]
        report = compare_as_written(duty, one.script, partial(_drain, duty, (*beneath, one.script)), beneath)
        found += [f"{report.derived} {wrong}" for wrong in report.differ]
    return found
