"""When to hold back: limits for what the database is under, and the reasons that follow.

Owns: `Limits`, `reasons_of` and `share_of`. Promises: every limit that is passed gives a reason of its own, all of them at once;
what cannot be read counts as passed unless somebody said otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tidemark.database.session import Strain

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What a database may be under while a backfill goes on; `trust_unseen` takes what cannot be read for well."""

    wal_bytes: float = 64 * MEGABYTE
    free_bytes: float = 256 * MEGABYTE
    waiting_locks: float = 50
    replica_seconds: float = 10.0
    replica_bytes: float = 256 * MEGABYTE
    trust_unseen: bool = False


def reasons_of(strains: Sequence[Strain], limits: Limits) -> tuple[str, ...]:
    """Why to hold back: a word, then a sentence for people; nothing when all is well."""
    found = []
    for strain in strains:
        if strain.value is None:
            found += [] if limits.trust_unseen else [f"unseen: {strain.says}"]
            continue
        value, limit = strain.value, getattr(limits, strain.name)
        if value < limit if strain.name == "free_bytes" else value > limit:
            found.append(_tell(strain.name, value, limit))
    return tuple(found)


def share_of(strain: Strain, limits: Limits) -> float | None:
    """How much of its limit a strain takes up: 1 is the limit, more is held back; None where it cannot be read."""
    if strain.value is None:
        return None
    value, limit = strain.value, float(getattr(limits, strain.name))
    if strain.name == "free_bytes":
        return limit / max(value, 1.0)
    return value / limit if limit > 0 else 1.0 + value


def _tell(name: str, value: float, limit: float) -> str:
    big, most = f"{value / MEGABYTE:,.0f} MB", f"{limit / MEGABYTE:,.0f} MB"
    return {
        "wal_bytes": f"wal_pinned: {big} of the log wait for a reader to end, more than {most}",
        "free_bytes": f"disk_low: {big} are free on the disk, less than {most} (--disk-floor)",
        "waiting_locks": f"locks_waiting: {value:.0f} sessions wait for locks, more than {limit:.0f}",
        "replica_seconds": f"replica_behind: a replica is {value:.1f} s behind, more than {limit:.1f} s",
        "replica_bytes": f"replica_behind: a replica is {big} behind, more than {most}",
    }[name]
