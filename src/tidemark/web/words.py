"""Words and times as every answer of the server has them.

Owns: the closed lists of ``schema.json``, `known` and `ago`. Promises: a word of a closed list that we do not know becomes
``unknown``; a time that nobody knows is null.
"""

from __future__ import annotations

import datetime
from typing import Any

from tidemark.runtime.operate.verdict import seconds_since
from tidemark.states import UNKNOWN

FRESHNESS = frozenset({"commit", "tick"})
CLASSES = frozenset({"linear", "bilinear", "keyed", "global"})
RATES = frozenset({"estimating", "steady", "stalled"})
KINDS = frozenset({"apply", "backfill", "fill", "gap", "repair", "restore", "slow", "tick", "verify"})
REASONS = frozenset({"wal_pinned", "disk_low", "locks_waiting", "replica_behind", "unseen"})
ETA_STATES = {"estimating": "measuring", "steady": "ready", "stalled": "stalled"}
Json = dict[str, Any]
Moment = datetime.datetime | None


def known(word: str, words: frozenset[str]) -> str:
    """The word, ``unknown`` when it is none of those."""
    return word if word in words else UNKNOWN


def ago(text: str | None, now: Moment) -> float | None:
    """How many seconds ago a stored time was, to the millisecond."""
    seconds = seconds_since(text, now)
    return None if seconds is None else round(seconds, 3)
