"""The statements around a function that computes rows: its units, what is stored for them, and where its rows go.

Owns: `compute` and the applier of a processor. Promises: what follows the function is what follows a query: memory, comparison
and writing are the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidemark.contract.script import Applier
from tidemark.maintenance.program import KeyedProgram
from tidemark.processors import Compute, Processor
from tidemark.render.changes import kept
from tidemark.render.memory import values_of_query
from tidemark.render.restriction import ROW
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store


def by_python(
    applier: Applier, store: Store, program: KeyedProgram, processor: Processor, besides: Iterable[tuple[str, str]]
) -> Applier:
    """The applier of a processor: a function takes the place of the query. `besides` are inputs that nobody watches."""
    after = tuple(text for text in applier.gather[applier.gather.index(f"DELETE FROM {store.numbered}") :])
    watched = {(table.keeps.derived if table.keeps else table.label, "") for table in program.tables}
    made = replace(compute(store, program, processor), declares=tuple(sorted(watched | set(besides))))
    return replace(applier, gather=after, indexed=True, whole=None, pages=None, compute=made)


def compute(store: Store, program: KeyedProgram, processor: Processor) -> Compute:
    """What the runtime needs to call the function."""
    unit, raw, batch = store.units, store.names.temporary("raw"), store.names.temporary("batch")
    types = {part.name: part.type for part in store.key} | {part.name: part.type for part in store.parts}
    shown = list(types)
    quoted = [store.dialect.quote(name) for name in shown]
    given = [
        f"({_item(place)}){store.dialect.cast(types[name])} AS {store.dialect.quote(name)}"
        for place, name in enumerate(shown)
    ]
    rows = store.phrases.elements(":rows")
    values = values_of_query(store, program.memory)
    stored = " AND ".join(f"s.{column} = {ROW}.{column}" for column in (unit.column(part) for part in unit.key))
    return Compute(
        name=program.name,
        code=processor.version,
        units=tuple(part.name for part in unit.key),
        columns=tuple(shown),
        constants=tuple((name, str(value)) for name, value in processor.constants),
        clear=f"DELETE FROM {raw}",
        list_units=f"SELECT {ORDINAL}, {unit.key_list} FROM {batch} ORDER BY {ORDINAL}",
        list_previous=f"SELECT {ROW}.{ORDINAL}, {', '.join(f's.{column}' for column in quoted)} FROM {batch} AS {ROW} "
        f"CROSS JOIN {store.names.store} AS s WHERE {stored} ORDER BY {ROW}.{ORDINAL}",
        take=f"INSERT INTO {raw} ({', '.join(quoted)}) SELECT {', '.join(values[name] for name in shown)} "
        f"FROM (SELECT {', '.join(given)} FROM {rows}) AS q",
        let_go=f"DELETE FROM {batch} WHERE {ORDINAL} = :n",
        forget=f"DELETE FROM {store.names.own('dirty')} WHERE {ORDINAL} = :n",
        batch_max=processor.batch,
        slow_ms=processor.slow_ms,
        changes=kept(store, program),
    )


def _item(place: int) -> str:
    return f"j.value ->> {place}"
