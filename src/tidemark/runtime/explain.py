"""What a derived table costs and why, read from its script.

Owns: `Explanation`. Promises: says what the script does and nothing that it does not; reads no database.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tidemark.dialect import Dialect
from tidemark.script import Script

COSTS = {
    "linear": "a constant amount of work for each changed row",
    "bilinear": "work in proportion to a change and the rows that it joins",
    "keyed": "the affected rows are computed again by the query itself, restricted to their keys",
    "global": "the whole result is computed again, and only rows that differ are written",
}


@dataclass(frozen=True)
class Explanation:
    """How one derived table is kept true.

    `captures` are the names of triggers with their tables, and of the logs that it reads with their columns, `locks` sentences
    about who waits for whom, `missing_indexes` pairs of a statement and its reason, `reads` the derived tables that it reads,
    each with its freshness.
    """

    name: str
    engine: str
    klass: str
    freshness: str
    reasons: tuple[str, ...]
    cost: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    sources: tuple[str, ...]
    captures: tuple[str, ...]
    locks: tuple[str, ...]
    missing_indexes: tuple[tuple[str, str], ...]
    tolerant: tuple[str, ...]
    notes: tuple[str, ...]
    store: str
    public: str
    query: str
    reads: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        data = asdict(self)
        data["class"] = data.pop("klass")
        data["missing_indexes"] = [{"statement": text, "reason": reason} for text, reason in self.missing_indexes]
        return data


def explain_script(script: Script, dialect: Dialect) -> Explanation:
    """The explanation of a script."""
    cost = COSTS.get(script.klass, script.klass)
    if not script.applier.indexed:
        cost += "; no index reaches the rows of a key, so recomputing a batch reads the whole source"
    captures = [f"{piece.name} on {piece.on}" for piece in script.pieces if piece.capture and piece.kind == "trigger"]
    # The triggers belong to the source's capture, which others may read too.
    captures += (
        [f"{log.name} of {log.source} ({', '.join(log.columns)})" for log in script.tick.logs] if script.tick else []
    )
    return Explanation(
        name=script.name,
        engine=script.engine,
        klass=script.klass,
        freshness=script.freshness,
        reasons=script.reasons,
        cost=cost,
        key=script.key,
        columns=script.columns,
        sources=script.sources,
        captures=tuple(captures),
        locks=_locks(script, dialect),
        missing_indexes=tuple((index.text, index.reason) for index in script.missing_indexes),
        tolerant=script.applier.tolerant,
        notes=script.notes,
        store=script.store,
        public=script.public,
        query=script.truth,
        reads=tuple(f"{kept.derived} ({kept.freshness})" for kept in script.reads),
    )


def _locks(script: Script, dialect: Dialect) -> tuple[str, ...]:
    if dialect.writers_wait_in_line:
        found = [
            "Writers wait in line as ever; filling and ticks hold the write lock about 10 ms at a time, with gaps."
        ]
    else:
        found = [
            "Installing asks each source for SHARE ROW EXCLUSIVE for at most 100 ms at a time, and gives way.",
            "Filling and ticks lock stored rows about 100 ms at a time, in key order; sources are only read.",
        ]
    if script.tick is None:
        found.append("A writer updates the stored rows of its keys within its own transaction.")
    else:
        found.append("A writer only appends to a log; it never waits for stored rows.")
    return tuple(found)
