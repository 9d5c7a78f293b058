"""How the key of a stored row is spelled, where equal values may be spelled otherwise.

Owns: which keys that concerns, and the statements that spell a stored key as some row of its group does. Promises: after them a
key is spelled as one of the rows that are there, all its columns as the same row; the choice among several is free. On SQLite
an integer and the real number equal to it are told apart by counting, whatever else is in the group; anything else is looked up,
by the key, when a row leaves.
"""

from __future__ import annotations

from tidemark.maintenance.program import Feed, KeyPart
from tidemark.render.statements import qualified
from tidemark.render.store import Store


def is_looked_up(store: Store) -> bool:
    """Whether another row of a group has to be looked for when one leaves whose spelling is stored."""
    return any(part.spelling != "one" and not part.reals for part in store.key)


def spells(store: Store, feed: Feed) -> bool:
    """Whether rows of a feed show how the key is spelled, and are looked up."""
    return is_looked_up(store) and feed.spells


def left(feed: Feed) -> str:
    """The field of a delta that tells that the row may be gone which spelled the key."""
    return f'"tidemark_left{feed.number}"'


def looked_up(store: Store, feed: Feed, keys: list[str], match: list[str]) -> str:
    """SELECT of the loose key columns of a row ``r`` of a feed; `keys` are the key's values at ``r``, `match` tells the rows."""
    shown = [
        f"{value} AS {store.column(part)}" for part, value in zip(store.key, keys, strict=True) if part in store.loose
    ]
    tests = [*match, *([f"({feed.guard.at('r')})"] if feed.guard else [])]
    return f"SELECT {', '.join(shown)} FROM {qualified(feed.table, store.dialect)} AS r WHERE {' AND '.join(tests)}"


def by_count(store: Store, presence: str, which: str) -> tuple[str, ...]:
    """A statement that spells the numbers in the keys of those stored rows that `which` picks, as they are counted (SQLite)."""
    counted = [] if is_looked_up(store) else list(store.loose)
    if not counted:
        return ()
    sets, tests = [], []
    for part in counted:
        column = store.column(part)
        wrong = _is_miscounted(part, column, presence)
        sets.append(f"{column} = CASE WHEN {wrong} THEN {_turned(column)} ELSE {column} END")
        tests.append(wrong)
    return (f"UPDATE {store.names.store} SET {', '.join(sets)} WHERE {which} AND ({' OR '.join(tests)})",)


def _turned(column: str) -> str:
    return f"CASE typeof({column}) WHEN 'real' THEN CAST({column} AS INTEGER) ELSE CAST({column} AS REAL) END"


def _is_miscounted(part: KeyPart, column: str, presence: str) -> str:
    """True when no row of the group spells the number in that way. A group without rows is spelled by who comes next."""
    other = (
        f"typeof({column}) = 'integer' AND {part.reals} = {presence} OR typeof({column}) = 'real' AND {part.reals} = 0"
    )
    return f"({presence} > 0 AND ({other}))"
