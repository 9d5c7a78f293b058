"""What the role must be allowed to do before anything is created.

Owns: `check_rights`. Promises: a right that is missing is told with the statement that gives it, before the first object exists,
so that a refusal leaves nothing behind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tidemark.contract.script import Script
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.runtime.ledger import Ledger


def check_rights(ledger: Ledger, scripts: Sequence[Script], catalog: Catalog) -> None:
    """Raises `Refusal` (``privilege``, ``row-security``) for the first right that these scripts need and the role has not, and
    (``source-kind``) for a partition of theirs that is half detached."""
    quote = ledger.session.dialect.quote
    sources: dict[str, str] = {}
    scanned: dict[str, str] = {}
    for script in scripts:
        scans = {scan.source: scan.table for scan in script.scans}
        scanned.update(dict.fromkeys(scans.values(), script.name))
        for table in catalog.tables.values():
            # Nothing is put on a source that is scanned.
            if table.label in script.sources and table.label not in scans:
                own = (quote(table.schema, table.name),)
                names = own + tuple(quote(schema, name) for schema, name in table.leaves)
                sources.update(dict.fromkeys(names, script.name))
    about = {
        "sources": json.dumps(list(sources)),
        "homes": json.dumps(sorted({one.home for one in scripts if one.home})),
    }
    for what, statement, source in ledger.all("find_missing_rights", about):
        raise Refusal(
            Code.PRIVILEGE,
            f"The role may not {what}.",
            instead=f"run as somebody who may: {statement}",
            derived=sources.get(source),
        )
    for part, statement in ledger.all("find_half_detached", {"sources": json.dumps(list(sources))}):
        raise Refusal(
            Code.SOURCE_KIND,
            f"The partition {part} is half detached: what is written to it by its name is captured, and is no row of the whole.",
            instead=statement,
        )
    for (hidden,) in ledger.all("find_hidden_rows", {"sources": json.dumps(list(scanned))}):
        raise Refusal(
            Code.ROW_SECURITY,
            f"Row level security on {hidden} hides rows from the role that scans it.",
            instead="run as its owner or as a role with BYPASSRLS",
            derived=scanned.get(hidden),
        )
