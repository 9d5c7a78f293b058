"""What the role must be allowed to do before anything is created.

Owns: `check_rights`. Promises: a right that is missing is told with the statement that gives it, before the first object exists,
so that a refusal leaves nothing behind.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.runtime.ledger import Ledger
from tidemark.script import Script


def check_rights(ledger: Ledger, scripts: Sequence[Script], catalog: Catalog) -> None:
    """Raises `Refusal` (``privilege``) for the first right that installing these scripts needs and the role does not have."""
    quote = ledger.session.dialect.quote
    sources: dict[str, str] = {}
    for script in scripts:
        for table in catalog.tables.values():
            if table.label in script.sources:
                own = (quote(table.schema, table.name) if table.schema else quote(table.name),)
                names = own + tuple(quote(schema, name) for schema, name in table.leaves)
                sources.update(dict.fromkeys(names, script.name))
    for what, statement, source in ledger.all("find_missing_rights", {"sources": json.dumps(list(sources))}):
        raise Refusal(
            Code.PRIVILEGE,
            f"The role may not {what}.",
            instead=f"run as somebody who may: {statement}",
            derived=sources.get(source),
        )
