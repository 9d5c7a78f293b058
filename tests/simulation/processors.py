"""Processors in the simulation: Python computes the rows that a query says, and is compared with it.

Owns: the shape ``processor`` and its declaration. Promises: the function asks the database for each unit by itself, as users do,
and knows nothing of what changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.simulation.case import Derived
from tests.simulation.memory import declared
from tests.simulation.queries import Draft
from tests.simulation.shapes import Column, Parts, draft, listed, shape
from tests.simulation.worlds import quote
from tidemark import Batch, Project
from tidemark.model import Declaration
from tidemark.processors import Reader

UNITS_MAX = 3


def declare(project: Project, one: Derived, freshness: str) -> Declaration:
    """Declare a derived table of a case, by its query or as a processor."""
    how = one.options.get("processor")
    if how is None:
        key = one.key or None
        query = one.declared or one.query
        return project.derive(one.name, query=query, key=key, freshness=freshness, **declared(one.options))  # type: ignore[arg-type]
    (by,) = one.key

    def compute(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        for unit in batch.values(by):
            query = f"SELECT * FROM ({one.query}) AS simulated WHERE simulated.{quote(by)} = :unit"
            for row in db.all(query, {"unit": unit}):
                yield dict(zip((by, *how["columns"]), row, strict=True))

    version = hashlib.sha256(one.query.encode()).hexdigest()[:16]
    project.processor(
        one.name,
        key=by,
        by=by,
        reads={how["source"]: how["units"]},
        columns=dict.fromkeys(how["columns"], "bigint"),
        batch=UNITS_MAX,
        version=version,
    )(compute)
    return project.declarations[-1]


@shape("processor")
def _processed(parts: Parts) -> Draft:
    table = parts.queries.table()
    by = parts.column(table, "g", ("int",))
    key = [Column(by, parts.name())]
    columns = (
        Column("count(*)", parts.name()),
        Column(f"CAST(max({parts.column(table, 'g', ('int',))}) AS bigint)", parts.name()),
    )
    more = parts.where(table, "g", 0.4).replace(" WHERE ", " AND ", 1)
    where = f"WHERE {by} IS NOT NULL{more}"
    query = f"SELECT {listed(*key, *columns)} FROM {table.quoted} g {where} GROUP BY {by}"
    units = f"SELECT {key[0].text} FROM {table.quoted} g"
    how = {"source": table.name, "units": units, "columns": [one.name for one in columns]}
    return Draft(query, draft(query, key, table).key, (table,), {"processor": how})
