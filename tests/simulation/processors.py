"""Processors in the simulation: Python computes the rows that a query says, and is compared with it.

Owns: the shapes ``processor`` and ``told`` and their declaration. Promises: the function of the one asks the database for each
unit by itself, as users do, and knows nothing of what changed; that of the other believes what it is told has changed, asks for
nothing that this says already, and so is wrong where a change is missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.simulation.case import Derived
from tests.simulation.memory import declared
from tests.simulation.queries import Draft
from tests.simulation.shapes import Column, Parts, draft, listed, shape
from tests.simulation.worlds import quote
from tidemark import Batch, Change, Project
from tidemark.model import Declaration
from tidemark.processors import Reader

UNITS_MAX = 3


def declare(project: Project, one: Derived, freshness: str) -> Declaration:
    """Declare a derived table of a case, by its query or as a processor."""
    how = one.options.get("processor")
    if how is None:
        key = one.key or None
        query = one.declared or one.query
        made = project.derive(one.name, query=query, key=key, freshness=freshness, **declared(one.options))  # type: ignore[arg-type]
        for column, crossing in one.options.get("crossings", {}).items():
            made.on_crossing(column, at=crossing["at"], again=crossing["again"])
        return made
    (by,) = one.key

    def asked(db: Reader, unit: Any) -> Iterator[Mapping[str, Any]]:
        query = f"SELECT * FROM ({one.query}) AS simulated WHERE simulated.{quote(by)} = :unit"
        for row in db.all(query, {"unit": unit}):
            yield dict(zip((by, *how["columns"]), row, strict=True))

    def compute(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        known = {row[by]: row for row in batch.previous} if "told" in how and batch.changes is not None else {}
        for unit in batch.values(by):
            changes = [change for change in batch.changes or () if change.unit[by] == unit]
            if unit in known and all(change.weight > 0 for change in changes):
                yield grown(how, known[unit], changes)
            else:
                yield from asked(db, unit)

    version = hashlib.sha256(one.query.encode()).hexdigest()[:16]
    project.processor(
        one.name,
        key=by,
        by=by,
        reads={how["source"]: how["units"]},
        columns=dict.fromkeys(how["columns"], "bigint"),
        batch=UNITS_MAX,
        version=version,
        changes="told" in how,
    )(compute)
    return project.declarations[-1]


def grown(how: Mapping[str, Any], row: Mapping[str, Any], changes: Sequence[Change]) -> Mapping[str, Any]:
    """A row after rows of its source came: least and greatest values, which no row that came twice makes wrong."""
    value, (least, greatest) = how["told"], how["columns"]
    came = [change.row[value] for change in changes if change.row[value] is not None]
    low = [*came, *([row[least]] if row[least] is not None else [])]
    high = [*came, *([row[greatest]] if row[greatest] is not None else [])]
    return {**row, least: min(low, default=None), greatest: max(high, default=None)}


@shape("told")
def _told(parts: Parts) -> Draft:
    table = parts.queries.table()
    by, value = parts.column(table, "g", ("int",)), parts.column(table, "g", ("int",))
    key = [Column(by, parts.name())]
    columns = [Column(f"CAST({what}({value}) AS bigint)", parts.name()) for what in ("min", "max")]
    query = f"SELECT {listed(*key, *columns)} FROM {table.quoted} g WHERE {by} IS NOT NULL GROUP BY {by}"
    name = next(one.name for one in table.fields if value == f"g.{one.quoted}")
    how = {"source": table.name, "units": f"SELECT {key[0].text} FROM {table.quoted} g", "told": name}
    how["columns"] = [one.name for one in columns]
    return Draft(query, draft(query, key, table).key, (table,), {"processor": how})


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
