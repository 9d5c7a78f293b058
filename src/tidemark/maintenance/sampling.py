"""Sampled inputs: read when a row is computed, without making any row dirty when they change.

Owns: `sample`. Promises: a change of a sampled input alone makes no key dirty; every change of a watched input still reaches
every row that it can touch, or the declaration is refused; the columns that may be behind a sampled input are known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Catalog, Table
from tidemark.query.relation import Block, Derived, Query, Scalar


@dataclass(frozen=True)
class Inputs:
    """What is sampled: labels of whole sources, and (label, column) pairs."""

    whole: frozenset[str] = frozenset()
    columns: frozenset[tuple[str, str]] = frozenset()


def find_sampled(block: Query, sampled: tuple[str, ...], catalog: Catalog) -> Inputs:
    """The inputs of a query that a declaration's ``sampled=`` names. Raises `Refusal`."""
    # A derived table is read in its store, and named as everybody knows it.
    read = [one.table for one in block.all_occurrences]
    named = {_public(table, catalog): table for table in read}
    tables = {table.label: table for table in read} | named
    whole, columns = set(), set()
    for name in sampled:
        label, _, column = name.rpartition(".")
        if name in tables:
            whole.add(tables[name].label)
        elif label in tables and tables[label].column(column) is not None:
            columns.add((tables[label].label, column))
        else:
            raise Refusal(
                Code.DECLARATION,
                f"sampled names {name}, which is neither a source of the query nor a column of one.",
                instead=f"one of: {', '.join(named)}, or table.column",
            )
    if {table.label for table in tables.values()} <= whole:
        raise Refusal(Code.DECLARATION, "Every source is sampled, so nothing would ever change.", instead="watch one")
    return Inputs(frozenset(whole), frozenset(columns))


def _public(table: Table, catalog: Catalog) -> str:
    if table.keeps is not None:
        return table.keeps.derived
    found = catalog.find(table.name)
    return table.name if found is not None and found.label == table.label else table.label


def sample(program: KeyedProgram, inputs: Inputs) -> KeyedProgram:
    """The program without the images of sampled columns, knowing what may be behind. Raises `Refusal`.

    The program has no routes from sources that are sampled whole.
    """
    if not inputs.whole and not inputs.columns:
        return program
    reads = {
        label: tuple(name for name in names if (label, name) not in inputs.columns)
        for label, names in program.reads.items()
    }
    for way in program.routes:
        lost = next((one for one in way.joined if one.table.label in inputs.whole), None)
        if lost is not None:
            raise Refusal(
                Code.DECLARATION,
                f"A change of {way.changed.table.label} reaches its rows through {lost.table.label}, which is sampled.",
                instead=f'sampled=["{lost.table.label}.column"] for what may be behind',
            )
        for scalar in way.scalars:
            _require_watched(scalar, program, inputs)
    query = program.query
    all_rows = _touches_rows(query, inputs)
    behind = tuple(
        part.name
        for part in program.columns
        if all_rows or any(_touches(o.scalar, query, inputs) for o in query.outputs if o.name == part.name)
    )
    return replace(program, reads=reads, sampled=behind, samples_rows=all_rows)


def _require_watched(scalar: Scalar, program: KeyedProgram, inputs: Inputs) -> None:
    tables = _tables(program.query)
    for alias, name in sorted(scalar.columns):
        table = tables.get(alias)
        if table is not None and (table.label in inputs.whole or (table.label, name) in inputs.columns):
            raise Refusal(
                Code.DECLARATION,
                f"{table.label}.{name} is sampled, and it decides which rows a change belongs to.",
                instead="watch it",
            )


def _tables(block: Query) -> dict[str, Table]:
    return {occurrence.alias: occurrence.table for occurrence in block.all_occurrences}


def _touches(scalar: Scalar, block: Query, inputs: Inputs) -> bool:
    """Whether the value of an expression can be behind a sampled input."""
    tables = _tables(block)
    read = {(tables[alias].label, name) for alias, name in scalar.columns if alias in tables}
    scanned = {tables[alias].label for alias in scalar.scanned if alias in tables}
    return bool(read & inputs.columns) or bool((scanned | {label for label, _ in read}) & inputs.whole)


def _touches_rows(query: Query, inputs: Inputs) -> bool:
    """Whether it can depend on a sampled input which rows there are, or which source rows a row is made of."""
    if not isinstance(query, Block):
        behind = any(_touches(output.scalar, branch, inputs) for branch in query.branches for output in branch.outputs)
        # What is behind at one place of a branch may make rows equal or different, and says nothing about the other branch.
        return behind or any(_touches_rows(branch, inputs) for branch in query.branches)
    if any(_reads(item.query, inputs) for item in query.items if isinstance(item, Derived)):
        return True
    if any(occurrence.table.label in inputs.whole for occurrence in query.occurrences):
        return True
    outputs = {id(output.scalar) for output in query.outputs}
    conditions = [scalar for scalar in query.scalars if id(scalar) not in outputs]
    return any(_touches(scalar, query, inputs) for scalar in conditions) or (
        (query.distinct or query.limited) and any(_touches(output.scalar, query, inputs) for output in query.outputs)
    )


def _reads(query: Query, inputs: Inputs) -> bool:
    """Whether a subquery reads a sampled input anywhere."""
    return any(occurrence.table.label in inputs.whole for occurrence in query.all_occurrences) or any(
        _touches(scalar, query, inputs) for block in query.blocks for scalar in block.scalars
    )
