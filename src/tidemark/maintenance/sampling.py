"""Sampled inputs: read when a row is computed, without making any row dirty when they change.

Owns: `sample`. Promises: a change of a sampled input alone makes no key dirty; every change of a watched input still reaches
every row that it can touch, or the declaration is refused; the columns that may be behind a sampled input are known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Declaration, Table
from tidemark.query.relation import Block, Scalar


@dataclass(frozen=True)
class _Inputs:
    """What is sampled: labels of whole sources, and (label, column) pairs."""

    whole: frozenset[str]
    columns: frozenset[tuple[str, str]]


def sample(program: KeyedProgram, declaration: Declaration) -> KeyedProgram:
    """The program without the routes and images of sampled inputs. Raises `Refusal`."""
    if not declaration.sampled:
        return program
    inputs = _find(program, declaration.sampled)
    reads = {
        label: tuple(name for name in names if (label, name) not in inputs.columns)
        for label, names in program.reads.items()
        if label not in inputs.whole
    }
    if not reads:
        raise Refusal(Code.DECLARATION, "Every source is sampled, so nothing would ever change.", instead="watch one")
    routes = tuple(way for way in program.routes if way.changed.table.label not in inputs.whole)
    for way in routes:
        lost = next((one for one in way.joined if one.table.label in inputs.whole), None)
        if lost is not None:
            raise Refusal(
                Code.DECLARATION,
                f"A change of {way.changed.table.label} reaches its rows through {lost.table.label}, which is sampled.",
                instead=f'sampled=["{lost.table.label}.column"] for what may be behind',
            )
        for scalar in (*way.on, *program.unit_scalars):
            _require_watched(scalar, program, inputs)
    block = program.block
    all_rows = _touches_rows(block, inputs)
    behind = tuple(
        part.name
        for part in program.columns
        if all_rows or any(_touches(o.scalar, block, inputs) for o in block.outputs if o.name == part.name)
    )
    return replace(program, reads=reads, routes=routes, sampled=behind, samples_rows=all_rows)


def _find(program: KeyedProgram, sampled: tuple[str, ...]) -> _Inputs:
    tables = {table.label: table for table in program.tables}
    whole, columns = set(), set()
    for name in sampled:
        label, _, column = name.rpartition(".")
        if name in tables:
            whole.add(name)
        elif label in tables and tables[label].column(column) is not None:
            columns.add((label, column))
        else:
            raise Refusal(
                Code.DECLARATION,
                f"sampled names {name}, which is neither a source of the query nor a column of one.",
                instead=f"one of: {', '.join(tables)}, or table.column",
            )
    return _Inputs(frozenset(whole), frozenset(columns))


def _require_watched(scalar: Scalar, program: KeyedProgram, inputs: _Inputs) -> None:
    tables = _tables(program.block)
    for alias, name in sorted(scalar.columns):
        table = tables.get(alias)
        if table is not None and (table.label in inputs.whole or (table.label, name) in inputs.columns):
            raise Refusal(
                Code.DECLARATION,
                f"{table.label}.{name} is sampled, and it decides which rows a change belongs to.",
                instead="watch it",
            )


def _tables(block: Block) -> dict[str, Table]:
    return {occurrence.alias: occurrence.table for occurrence in block.all_occurrences}


def _touches(scalar: Scalar, block: Block, inputs: _Inputs) -> bool:
    """Whether the value of an expression can be behind a sampled input."""
    tables = _tables(block)
    read = {(tables[alias].label, name) for alias, name in scalar.columns if alias in tables}
    scanned = {tables[alias].label for alias in scalar.scanned if alias in tables}
    return bool(read & inputs.columns) or bool((scanned | {label for label, _ in read}) & inputs.whole)


def _touches_rows(block: Block, inputs: _Inputs) -> bool:
    """Whether it can depend on a sampled input which rows there are, or which source rows a row is made of."""
    if any(occurrence.table.label in inputs.whole for occurrence in block.occurrences):
        return True
    outputs = {id(output.scalar) for output in block.outputs}
    conditions = [scalar for scalar in block.scalars if id(scalar) not in outputs]
    return any(_touches(scalar, block, inputs) for scalar in conditions) or (
        block.distinct and any(_touches(output.scalar, block, inputs) for output in block.outputs)
    )
