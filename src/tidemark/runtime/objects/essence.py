"""What of a script changes the database.

Owns: `essence`. Promises: two scripts with the same essence keep the same rows by the same texts.
"""

from __future__ import annotations

from typing import Any

from tidemark.contract.script import Script
from tidemark.plain import as_data
from tidemark.runtime.objects.groups import with_groups

ADVICE = ("verify_seconds", "repairs", "reasons", "missing_indexes", "notes", "routes", "live", "why_not_live", "fans")


def essence(script: Script) -> dict[str, Any]:
    """What of a script changes the database: everything but advice, whether an index was there to be used, and the columns
    that others keep for its rows."""
    data: dict[str, Any] = as_data(with_groups(script, ()))
    for name in ADVICE:
        data.pop(name, None)
    data["applier"].pop("indexed", None)
    for log in data["tick"]["logs"] if data["tick"] else ():
        # What of the source matters is in the texts; the rest of it may change at will.
        log.pop("table")
    return data
