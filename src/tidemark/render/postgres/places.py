"""PostgreSQL: places in the table of turns, by which writers of a keyed program keep apart at commit freshness.

Owns: which place stands for a value of an edge or for a unit, and the statement that takes turns. Promises: values that a join or
a unit takes for equal have one place, whatever their types or spellings; turns are taken in ascending order, edges before units,
so that two flushes never wait for each other.
"""

from __future__ import annotations

import re

from tidemark.dialect import POSTGRESQL
from tidemark.maintenance.key_types import INTEGERS, TEXTS
from tidemark.maintenance.program import Edge
from tidemark.query.relation import Occurrence, Scalar
from tidemark.render.images import image
from tidemark.render.store import Store

WHOLE = -1
"""The place that stands for everything."""

_PLACES = 65_536
_MODIFIERS = re.compile(r"\(\d+(,\s*\d+)?\)")
# Equal values of these types hash alike. Any other type may call values equal that do not.
_HASHED = frozenset(
    ["bigint", "text", "numeric", "real", "double precision", "boolean", "uuid", "date", "bytea", "oid"]
    + ["timestamp without time zone", "timestamp with time zone"]
)


def take_turns(store: Store, places: str) -> str:
    """Take a turn at each of the places that a SELECT gives, in ascending order."""
    return (
        f"INSERT INTO {store.names.own('turns')} AS t (place) SELECT DISTINCT p.place FROM ({places}) AS p ORDER BY p.place "
        f"ON CONFLICT (place) DO UPDATE SET turn = t.turn + 1"
    )


def unit_place(store: Store, row: str) -> str:
    """The place of the unit in `row`; units that differ only in what cannot be hashed share one."""
    values = [
        hashed
        for part in store.units.key
        if (hashed := _hashable(f"{row}.{store.units.column(part)}", part.type, part.collation))
    ]
    return f"({_PLACES} + {_hash(values, 0)})::integer"


def edge_places(number: int, edge: Edge, images: str, occurrence: Occurrence) -> str:
    """SELECT of the places of one side of an edge, for the images of that side in a FROM item; the edge has that number."""
    left, values, tests = occurrence == edge.left, [], []
    for term in edge.terms:
        types = [_type_of(side, scan) for side, scan in zip(term, (edge.left, edge.right), strict=True)]
        common = _common(types)
        if common is None:
            # The values meet by an equality of their own: every value of the edge has the same place then.
            continue
        value = (term[0] if left else term[1]).over_images({occurrence.alias}, image)
        values.append(f"({value})::{common}")
        # NULL is equal to nothing.
        tests.append(f"({value}) IS NOT NULL")
    where = f" WHERE {' AND '.join(tests)}" if tests else ""
    alias = POSTGRESQL.quote(occurrence.alias)
    return f"SELECT {_hash(values, number)}::integer AS place FROM {images} AS {alias}{where}"


def _hash(values: list[str], seed: int) -> str:
    return f"(hash_record_extended(ROW({', '.join(values)}), {seed}) & {_PLACES - 1})" if values else f"{seed}"


def _type_of(scalar: Scalar, scan: Occurrence) -> str | None:
    """The type of a bare column whose values are compared as its type does; None of anything else."""
    column = scan.table.column(scalar.column[1]) if scalar.column is not None else None
    return column.type if column is not None and column.collation is None else None


def _common(types: list[str | None]) -> str | None:
    """The type in which equal values of both sides hash alike, or None."""
    plain = {_plain(type_) for type_ in types}
    found = plain.pop() if len(plain) == 1 else None
    return found if found in _HASHED else None


def _plain(type_: str | None) -> str | None:
    bare = _MODIFIERS.sub("", type_) if type_ is not None else None
    if bare in INTEGERS:
        return "bigint"
    return "text" if bare in TEXTS else bare


def _hashable(value: str, type_: str, collation: str | None) -> str:
    common = _common([type_]) if collation is None else None
    return f"({value})::{common}" if common is not None else ""
