"""What shape a query must have so that sums of changes can keep it.

Owns: `NotLinear` and the tests that no source decides: one block over one source, its subqueries plain; and how conditions,
arguments and values of such a block are written over what is stored. Promises: what raises here is kept by recomputing keys, and
the reason says why in a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tidemark.dialect import Dialect
from tidemark.maintenance.program import RowText, text
from tidemark.model import Describe, OutputColumn, Table
from tidemark.query.keys import KeyColumn
from tidemark.query.relation import Aggregate, Block, Query, Recursion, Scalar, SetOperation


@dataclass(frozen=True)
class NotLinear(Exception):
    """Why a block has no linear program, as a sentence."""

    reason: str


def single_block(query: Query) -> Block:
    """The query as one block over one source, or over none, its subqueries plain. Raises `NotLinear`."""
    if isinstance(query, SetOperation):
        raise NotLinear(f"{query.kind.upper()} combines several queries")
    if isinstance(query, Recursion):
        raise NotLinear("a recursion computes with its own rows")
    if len(query.items) > 1:
        raise NotLinear("it joins several sources")
    if not query.items and not (query.nested and query.is_row):
        raise NotLinear("it reads no source")
    if not query.is_flat:
        raise NotLinear("it reads a subquery")
    for block in query.blocks:
        if block.windows:
            raise NotLinear("a window function depends on other rows")
        if block is not query and (block.groups is not None or block.having is not None or block.distinct):
            raise NotLinear("a subquery groups its rows")
    return query


def grouped_by_rows(block: Block, key: tuple[KeyColumn, ...]) -> Block:
    """The block with DISTINCT as what it is: a group for each different row, and how often that occurs is not shown."""
    if not (block.distinct or block.distinct_on):
        return block
    named = {column.name for column in key}
    if block.distinct_on or block.is_aggregated or block.nested:
        raise NotLinear("DISTINCT chooses among rows that are computed")
    if not all(output.name in named or output.scalar.is_constant for output in block.outputs):
        raise NotLinear("a part of the columns is the key of a DISTINCT result")
    return replace(block, distinct=False, groups=tuple(output.scalar for output in block.outputs))


def all_aggregates(block: Block) -> tuple[Aggregate, ...]:
    """The aggregates of a block and of its subqueries."""
    return tuple(aggregate for one in block.blocks for aggregate in one.aggregates)


def over_parts(scalar: Scalar, swaps: Mapping[str, str], block: Block) -> str:
    """A value of the result over what is stored.

    SQLite compares a column by its type and its collation, and an aggregate by none: where one is a part of an expression, what
    is stored of it must not be read as the column that it is there.
    """
    if scalar.dialect.types_are_fixed or scalar.text in swaps:
        return scalar.swapped(swaps)
    made = {*(call.text for call in all_aggregates(block)), *(nested.text for nested in block.nested)}
    bare = {text: f"(CASE WHEN 1 THEN {found} END)" if text in made else found for text, found in swaps.items()}
    return scalar.swapped(bare)


def conjunction(scalars: tuple[Scalar, ...]) -> RowText | None:
    """The scalars joined by AND; None when there are none."""
    pieces: list[str | Scalar | RowText] = []
    for scalar in scalars:
        pieces += [" AND ", scalar] if pieces else [scalar]
    return text(*pieces) if pieces else None


def from_clause(table: Table, alias: str, dialect: Dialect) -> str:
    """``FROM table AS alias``, qualified."""
    return f"FROM {dialect.quote(table.schema, table.name)} AS {dialect.quote(alias)}"


def argument_types(calls: Iterable[Aggregate], source: str, describe: Describe) -> dict[str, OutputColumn]:
    """Type and collation of each aggregate's argument, by the argument's text; `source` is the FROM around the calls."""
    arguments = list({call.argument.text: call.argument for call in calls if call.argument is not None}.values())
    if not arguments:
        return {}
    items = ", ".join(f"{scalar.text} AS a{number}" for number, scalar in enumerate(arguments))
    described = describe(f"SELECT {items} {source}")
    return {scalar.text: column for scalar, column in zip(arguments, described, strict=True)}
