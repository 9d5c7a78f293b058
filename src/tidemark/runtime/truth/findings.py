"""Findings: rows that were found wrong, and how each ended.

Owns: recording, listing and closing drift. Promises: a wrong row is open once, with the key, what was stored and what was
true; a row that is only behind a sampled input is a finding of kind ``stale`` and not wrong; a finding closes as ``repaired``
by a run of repair or as ``gone`` by a complete verification that does not see it any more, and then stays as an audit row; what
another one has found since that began stays open.
Every function runs in the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.contract.script import Script
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.batch import Difference
from tidemark.runtime.values import hash_key, pack, unpack


@dataclass(frozen=True)
class OpenDrift:
    """A row that is known to be wrong: its key, the kind of difference, stored and true values as they were found."""

    key: tuple[Any, ...]
    kind: str
    stored: tuple[Any, ...] | None
    truth: tuple[Any, ...] | None
    found_at: str


def _about(script: Script) -> dict[str, Any]:
    return {"derived": script.name, "generation": script.generation}


def record_drift(ledger: Ledger, script: Script, run: int, found: Iterable[Difference]) -> None:
    """Open, or bring up to date, a finding for every difference."""
    for difference in found:
        key = pack(difference.key)
        parameters = {
            **_about(script),
            "key": key,
            "key_hash": hash_key(key),
            "kind": difference.kind,
            "stored": None if difference.stored is None else pack(difference.stored),
            "truth": None if difference.truth is None else pack(difference.truth),
            "run": run,
        }
        ledger.run("add_drift", parameters)


def close_drift(ledger: Ledger, script: Script, run: int, keys: Iterable[tuple[Any, ...]]) -> None:
    """Close the findings about repaired keys."""
    for key in keys:
        parameters = {**_about(script), "key_hash": hash_key(pack(key)), "run": run, "outcome": "repaired"}
        ledger.run("close_drift", parameters)


def close_gone(ledger: Ledger, script: Script, run: int) -> None:
    """Close the findings that a complete verification did not find again."""
    ledger.run("close_gone_drift", {**_about(script), "run": run})


def list_drift(ledger: Ledger, script: Script, limit: int = 1000) -> list[OpenDrift]:
    """Open findings, oldest first."""
    return [_open_drift(row) for row in ledger.all("list_open_drift", {**_about(script), "limit": limit})]


def find_drift(ledger: Ledger, script: Script, key: str) -> OpenDrift | None:
    """The open finding about a key: as it was packed, or, of a key of one column, its value as people type it. None without."""
    for packed in _readings(key):
        rows = ledger.all("find_open_drift", {**_about(script), "key_hash": hash_key(packed)})
        if rows:
            return _open_drift(rows[0])
    return None


def _readings(key: str) -> list[str]:
    """What a key that somebody typed may mean, as it would be packed: a list of values, a value, a text."""
    try:
        value = json.loads(key)
    except ValueError:
        return [pack((key,))]
    return [*([pack(unpack(key))] if isinstance(value, list) else []), pack(unpack(f"[{key}]")), pack((key,))]


def _open_drift(row: Sequence[Any]) -> OpenDrift:
    key, kind, stored, truth, found_at = row
    return OpenDrift(
        unpack(key),
        kind,
        None if stored is None else unpack(stored),
        None if truth is None else unpack(truth),
        found_at,
    )


def count_drift(ledger: Ledger, script: Script) -> int:
    """The number of rows that are known to be wrong."""
    return int(ledger.value("count_open_drift", _about(script)))


def count_findings(ledger: Ledger, script: Script) -> int:
    """The number of open findings: rows that are known to be wrong, and rows that are behind a sampled input."""
    return int(ledger.value("count_open_findings", _about(script)))
