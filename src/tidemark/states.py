"""Lifecycles as tables: which state may follow which, with a sentence for every edge.

Owns: the states of a derived table, of a run and of a backfill. Promises: the ledger's CHECK constraints, the runtime and the
documentation read the same tables; a stored value that is not in them reads as ``unknown`` and never as anything that
works. Holds no behaviour beyond look-ups.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tidemark.errors import Fault

UNKNOWN = "unknown"

DERIVED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "planned": {
            "installing": "apply writes the first object.",
            "failed": "an object cannot be created.",
        },
        "installing": {
            "installing": "apply was interrupted and goes on with the objects that are missing.",
            "backfilling": "every capture is committed, so nothing can be missed any more.",
            "failed": "an object cannot be created, or an operator cancels it before anybody saw it.",
            "retired": "a newer generation takes over, or the declaration is gone and the drop is allowed.",
        },
        "backfilling": {
            "backfilling": "the filling was interrupted and goes on.",
            "paused": "an operator asks for a rest.",
            "verifying": "every key that existed when the filling began is computed.",
            "installing": "objects are missing again and are put back before the filling goes on.",
            "failed": "a chunk fails in a way that trying again does not mend, or an operator cancels it before anybody saw it.",
            "retired": "a newer generation takes over, or the declaration is gone and the drop is allowed.",
        },
        "paused": {
            "backfilling": "an operator lets it go on.",
            "installing": "apply runs again and looks at every object first.",
            "failed": "an operator cancels it before anybody saw it.",
            "retired": "a newer generation takes over, or the declaration is gone and the drop is allowed.",
        },
        "verifying": {
            "verifying": "the verification was interrupted and begins again.",
            "backfilling": "rows differ and are computed again.",
            "installing": "objects are missing again and are put back before the verification.",
            "live": "every key was compared and nothing differs, nor does what is small differ from the query as it is written.",
            "failed": "rows still differ when computed again, or from the query as written, or it is cancelled unseen.",
            "retired": "a newer generation takes over, or the declaration is gone and the drop is allowed.",
        },
        "live": {
            "installing": "a capture was missing, disabled or changed, which is a gap: it is put back.",
            "retired": "a newer generation is live, or the declaration is gone and the drop is allowed.",
        },
        "failed": {
            "installing": "apply runs again.",
            "retired": "a newer generation takes over, or the declaration is gone and the drop is allowed.",
        },
        "retired": {
            "retired": "the removal was interrupted and goes on.",
        },
    }
)

RUN: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "running": {
            "done": "the duty did everything that it was asked to do.",
            "failed": "the duty met an error that trying again does not mend.",
            "interrupted": "the duty was asked to stop, or its process was killed; running it again resumes.",
        },
        "done": {},
        "failed": {},
        "interrupted": {},
    }
)


BACKFILL: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "planned": {
            "backfilling": "a runner takes it up: the upper bound and the ranges are recorded in the same transaction.",
            "paused": "an operator asks for a rest before it begins.",
            "cancelled": "an operator gives it up before it begins.",
        },
        "backfilling": {
            "backfilling": "a runner goes on with what another one left, from the last chunk that it committed.",
            "throttled": "the database is under strain, or cannot say whether it is; every reason is recorded.",
            "paused": "an operator asks for a rest.",
            "interrupted": "the runner was asked to stop, its time was over, or its process ended without a word.",
            "cancelled": "an operator gives it up; what was committed stands.",
            "failed": "a chunk fails in a way that trying again does not mend, or too many keys were quarantined.",
            "finished": "every key is accounted for; a derived table is verified after that.",
            "quarantined": "every key is accounted for, and some of them were quarantined with their errors.",
        },
        "throttled": {
            "backfilling": "no reason to hold back is left.",
            "paused": "an operator asks for a rest.",
            "interrupted": "the runner was asked to stop, its time was over, or its process ended without a word.",
            "cancelled": "an operator gives it up; what was committed stands.",
            "failed": "the database cannot be asked any more.",
        },
        "paused": {
            "backfilling": "an operator lets it go on.",
            "interrupted": "the runner ends, as from any other state; or an operator lets it go on, and nobody is at it yet.",
            "cancelled": "an operator gives it up; what was committed stands.",
            "failed": "the database cannot be asked any more.",
        },
        "interrupted": {
            "backfilling": "a runner goes on from the last chunk that was committed.",
            "paused": "an operator asks for a rest before it goes on.",
            "cancelled": "an operator gives it up; what was committed stands.",
        },
        "failed": {
            "backfilling": "an operator has it tried again: a new attempt with counters of its own, over what is left.",
        },
        "cancelled": {
            "backfilling": "an operator has it tried again: a new attempt with counters of its own, over what is left.",
        },
        "quarantined": {
            "backfilling": "an operator has the keys that were quarantined tried again.",
        },
        "finished": {
            "backfilling": "an operator has it done again from the first key on.",
        },
    }
)

STREAM: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "running": {
            "running": "its process ended without a word; another one goes on after the last block that was committed.",
            "waiting": "the source has no more blocks for now.",
            "interrupted": "it was asked to stop, after a whole block.",
            "halted": "a block failed as often as it may and the policy is to stand still, or the source cannot be read.",
        },
        "waiting": {"running": "it is run again."},
        "interrupted": {"running": "it is run again, and goes on after the last block that was committed."},
        "halted": {
            "running": "it is run again and tries the block again, or an operator had the block passed over.",
        },
    }
)


def read_state(stored: str, table: Mapping[str, Mapping[str, str]] = DERIVED) -> str:
    """The state that a stored text means, ``unknown`` when no table of ours has it."""
    return stored if stored in table else UNKNOWN


def check_move(before: str, after: str, table: Mapping[str, Mapping[str, str]] = DERIVED) -> str:
    """The sentence of the edge from `before` to `after`. Raises `Fault` when there is no such edge."""
    sentence = table.get(before, {}).get(after)
    if sentence is None:
        raise Fault(
            f"a derived table cannot go from {before!r} to {after!r}",
            left_behind="its state is unchanged",
            retry_safe=False,
        )
    return sentence


def check_list(table: Mapping[str, Mapping[str, str]]) -> str:
    """The states as the list of an SQL ``IN``, for the ledger's CHECK constraints."""
    return ", ".join(f"'{state}'" for state in table)
