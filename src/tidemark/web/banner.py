"""What the banner may know: public, small, and without the name of anything unless that is allowed.

Owns: the JSON of ``banner.json``. Promises: a failure stays in it until it is made good; without leave no name, no
key and no message of the database is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tidemark.runtime.backfill.record import BackfillStatus
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import Finding

OVER = frozenset({"finished", "cancelled", "live"})
WORDS = {"fill": "a table", "data": "a migration"}


def of_banner(view: Overview, unready: Sequence[Finding], *, names: bool, was_there: bool) -> dict[str, Any]:
    """The banner's JSON: the level, one sentence, and what is under way or failed. `was_there` says that something was installed
    when this process looked before."""
    items = [_item(one, names) for one in view.backfills if one.state not in OVER]
    told = {one.name for one in view.backfills if one.state not in OVER}
    failures = [one for one in view.verdict.findings if one.level == "fail" and one.name not in told]
    absent = [one for one in failures if one.kind == "ledger"]
    failures = [one for one in failures if one.kind != "ledger"]
    return {
        "at": view.at,
        "level": view.verdict.level,
        "ready": not unready,
        "running": any(item["running"] for item in items),
        "sentence": view.verdict.sentence,
        "items": [*items, *(_failure(one, names) for one in failures), *(_absence(one, was_there) for one in absent)],
    }


def _item(one: BackfillStatus, names: bool) -> dict[str, Any]:
    failed = one.state in ("failed", "quarantined", "unknown")
    return {
        "label": one.name if names else WORDS[one.kind],
        "state": one.state,
        "running": one.running,
        "failed": failed,
        "done": one.rows_done,
        "total": one.rows_total,
        "ratio": one.progress,
        "eta_seconds": one.eta_seconds,
        "message": (one.failure or "") if names and failed else "",
    }


def _failure(one: Finding, names: bool) -> dict[str, Any]:
    told = (one.name, one.says) if names else ("something", "")
    return _without_work("failed", *told, failed=True)


def _absence(one: Finding, was_there: bool) -> dict[str, Any]:
    """Before anything was installed nothing has failed; there is no name to keep."""
    return _without_work("failed" if was_there else "planned", "", one.says, failed=was_there)


def _without_work(state: str, label: str, message: str, *, failed: bool) -> dict[str, Any]:
    return {
        "label": label,
        "state": state,
        "running": False,
        "failed": failed,
        "done": 0,
        "total": None,
        "ratio": None,
        "eta_seconds": None,
        "message": message,
    }
