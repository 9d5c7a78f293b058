"""PostgreSQL: the place of a derived table at commit freshness in the order of flushes, which is the ledger's.

Owns: the step that puts its flush there. Promises: it says which tables the flush locks, writes and takes changes of, by which
what is read is flushed before what reads it.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.contract.script import Piece
from tidemark.model import Table
from tidemark.render.store import Store


def weave(store: Store, reads: list[str], sources: Iterable[Table], shown_in: str) -> Piece:
    """Put the flush of a derived table into the one flush of a transaction, at its place in the fixed order. `reads` are the
    tables that it locks, `sources` those whose changes it takes, `shown_in` the application's one that it writes, too."""
    names, literal = store.names, store.dialect.literal

    def listed(labels: list[str]) -> str:
        return f"ARRAY[{', '.join(map(literal, labels))}]::text[]"

    writes = [names.listed(""), *([shown_in] if shown_in else [])]
    flush, known = literal(names.plain("flush")), listed([table.label for table in sources])
    add = f"SELECT tidemark._weave({flush}, true, {literal(', '.join(reads))}, {listed(writes)}, {known})"
    return Piece("step", f"tidemark.{names.plain('flush')} woven", add, f"SELECT tidemark._weave({flush}, false)")
