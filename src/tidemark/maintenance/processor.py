"""A program whose rows Python computes: the routes and units of the query of its units, with the rows that it declares.

Owns: `processed`. Promises: every column of a watched source makes its units dirty, but those that are sampled; inputs that do
not exist are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram, KeyPart, Part, text
from tidemark.model import Catalog, Declaration, OutputColumn, Table
from tidemark.processors import Processor
from tidemark.query.keys import KeyColumn
from tidemark.query.relation import Query


def key_of(processor: Processor, query: Query) -> tuple[KeyColumn, ...]:
    """The columns that identify a row, without constants; none of them is ever NULL."""
    constants = dict(processor.constants)
    chosen = [query.output(name) for name in processor.key if name not in constants]
    return tuple(KeyColumn(output, nullable=False) for output in chosen if output is not None)


def processed(
    program: KeyedProgram, processor: Processor, outputs: Sequence[OutputColumn], catalog: Catalog
) -> KeyedProgram:
    """The program of the units' query as one of the processor's rows. Raises `Refusal` (``declaration``)."""
    if {part.name for part in program.unit} != set(processor.by):
        raise Refusal(
            Code.DECLARATION,
            f"A change of an input cannot be traced to {', '.join(processor.by)}.",
            instead="reads= with columns of the input, or a SELECT that joins by them",
        )
    described, units = {column.name: column for column in outputs}, {part.name: part for part in program.unit}
    key = tuple(
        units.get(column.name) or _key_part(described[column.name]) for column in key_of(processor, program.query)
    )
    own, parts = {part.name for part in key}, {part.name: part for part in program.columns}
    columns = tuple(
        parts.get(output.name) or _part(program.query, described[output.name])
        for output in program.query.outputs
        if output.name not in own
    )
    behind = {(label, column) for label, column in declared_inputs(processor.sampled, catalog) if column}
    watched = {table.label: table for table in program.tables}
    reads = {
        label: tuple(one.name for one in table.columns if (label, one.name) not in behind)
        for label, table in watched.items()
    }
    declared_inputs(processor.ignored, catalog)
    return replace(
        program,
        key=key,
        unit=tuple(units[name] for name in processor.by),
        columns=columns,
        reads=reads,
        proven=False,
        sampled=tuple(part.name for part in columns) if processor.sampled else (),
        samples_rows=bool(processor.sampled),
        keeps_changes=processor.changes,
    )


def inputs_of(declaration: Declaration) -> tuple[str, ...]:
    """What ``explain`` says about the inputs of a processor."""
    processor = declaration.processor
    if processor is None:
        return ()
    found = [f"watched: {', '.join(source for source, _ in processor.reads)}"]
    found += [f"sampled: {', '.join(processor.sampled)}"] if processor.sampled else []
    found += [f"ignored: {', '.join(processor.ignored)}"] if processor.ignored else []
    return tuple(found)


def declared_inputs(names: Sequence[str], catalog: Catalog) -> frozenset[tuple[str, str]]:
    """(label, column) of inputs that are named ``source`` (column empty) or ``source.column``. Raises `Refusal`."""
    found = set()
    for name in names:
        label, _, column = name.rpartition(".")
        table, owner = _find(name, catalog), _find(label, catalog)
        if table is not None:
            found.add((table.keeps.derived if table.keeps else table.label, ""))
        elif owner is not None and owner.column(column) is not None:
            found.add((owner.label, column))
        else:
            raise Refusal(
                Code.DECLARATION,
                f"The input {name} is neither a table nor a column of one.",
                instead='"users", or "users.is_verified"',
            )
    return frozenset(found)


def _find(name: str, catalog: Catalog) -> Table | None:
    schema, _, table = name.rpartition(".")
    return catalog.find(table, schema) if table else None


def _key_part(column: OutputColumn) -> KeyPart:
    return KeyPart(column.name, column.type, column.collation, False)


def _part(query: Query, column: OutputColumn) -> Part:
    output = query.output(column.name)
    value = text(output.scalar) if output is not None else text("NULL")
    return Part(column.name, "copied", column.type, value, value, column.collation, comparable=column.comparable)
