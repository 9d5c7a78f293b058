"""What the planner is told before statements of ours: to look things up, and how few there are.

Owns: `look_up` and `weigh_batch`. Promises: it lasts no longer than the transaction, and there is nothing of it where the planner
does not choose.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.render.store import Store


def look_up(store: Store, statements: Sequence[str]) -> tuple[str, ...]:
    """The statements, run while the planner looks everything up by an index that has one; then it may choose again."""
    on, free = store.phrases.steer()
    return (*on, *statements, *free)


def weigh_batch(store: Store) -> tuple[str, ...]:
    """Tell the planner how small the batch is."""
    return store.phrases.weigh(store.names.temporary("batch"))
