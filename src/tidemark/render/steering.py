"""What the planner of PostgreSQL is told before statements of ours: to look things up, and how few there are.

Owns: `PLANNING`, and the statements around those that are to be looked up. Promises: it lasts no longer than the transaction, and
there is nothing of it on SQLite.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.render.statements import Store

# A page read in order costs much more than one reached by an index, but sequential scans are not forbidden: where one cannot be
# avoided, the fortune that a forbidden one costs (before PostgreSQL 18) makes plans of any price look alike.
PLANNING = (("seq_page_cost", "100"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"))


def look_up(store: Store, statements: Sequence[str]) -> tuple[str, ...]:
    """The statements, run while PostgreSQL's planner looks everything up by an index that has one; then it may choose again."""
    on, free = steer(store)
    return (*on, *statements, *free)


def steer(store: Store) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What begins that, for no longer than the transaction, and what ends it; nothing on SQLite."""
    if not store.dialect.has_schemas:
        return (), ()
    on = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in PLANNING)
    free = ", ".join(f"pg_catalog.set_config('{name}', NULL, true)" for name, _ in PLANNING)
    return (f"SELECT {on}",), (f"SELECT {free}",)


def weigh(store: Store, *tables: str) -> tuple[str, ...]:
    """Tell the planner how small temporary tables are: it would guess thousands of keys, and read the whole source for them."""
    return tuple(f"ANALYZE {table}" for table in tables) if store.dialect.has_schemas else ()


def weigh_batch(store: Store) -> tuple[str, ...]:
    """The same for the batch."""
    return weigh(store, store.names.temporary("batch"))
