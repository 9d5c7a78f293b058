"""The bilinear class: sums and counts over inner joins, kept by what changed rows join.

Owns: which queries are bilinear, and their state as a query. Promises: a program from here is a keyed program too: its state (the
group's count, sums, counts of values) is what a query of its own gives, so that any key can be computed again at any time; and
each part of that state is a sum over the rows of the join, so that what changed can be added. Functions of rows of the join stand
beside them: for any choice of rows their own rows are the same, so that they change nothing in that. Values that do not add
exactly are counted apart, as in the linear class. A group's key must be the same value however its rows spell it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tidemark.maintenance.aggregates import Parts
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.keyed import keyed_program
from tidemark.maintenance.linear import Builder
from tidemark.maintenance.program import KeyedProgram, Part, RowText
from tidemark.model import Describe, OutputColumn, Table
from tidemark.query.functions import LINEAR_AGGREGATES
from tidemark.query.keys import KeyColumn, find_key
from tidemark.query.relation import Block, Called, Derived, Occurrence, Query, Scalar
from tidemark.query.unique import equality
from tidemark.query.units import bare_text

SCANS_MAX = 5
ADDED = LINEAR_AGGREGATES - {"min", "max", "total"}
Lower = Callable[[str], Query]


@dataclass(frozen=True)
class NotBilinear(Exception):
    """Why a query has no bilinear program, as a sentence."""

    reason: str


@dataclass(frozen=True)
class BilinearProgram:
    """Upkeep by what changed rows join, beside the keyed program of the same state.

    `scans` are the occurrences of the join, `calls` the functions of their rows beside them, `conditions` all of its
    conditions, `key` computes the key's columns, `parts` the state, of which those that are not additive are NULL as long as
    everything adds up. `presence` is the part that counts a group's rows.
    """

    keyed: KeyedProgram
    scans: tuple[Occurrence, ...]
    conditions: tuple[Scalar, ...]
    key: tuple[Scalar, ...]
    parts: tuple[Part, ...]
    presence: str
    calls: tuple[Called, ...] = ()

    @property
    def links(self) -> tuple[tuple[Table, str, str], ...]:
        """(table, column, label of the other side) for every column by which a change finds rows that it joins."""
        tables = {scan.alias: scan.table for scan in self.scans}
        labels = {alias: table.label for alias, table in tables.items()}
        for call in self.calls:
            labels[call.alias] = next((labels[alias] for alias in sorted(call.call.aliases)), call.name)
        found: list[tuple[Table, str, str]] = []
        for scalar in self.conditions:
            sides = equality(scalar) or ()
            for side, other in (sides, sides[::-1]) if sides else ():
                if (
                    side.column is not None
                    and other.aliases
                    and side.column[0] in tables
                    and side.column[0] not in other.aliases
                ):
                    label = labels[sorted(other.aliases)[0]]
                    found.append((tables[side.column[0]], side.column[1], label))
        return tuple(dict.fromkeys(found))


def bilinear_program(
    name: str,
    query: Query,
    key: tuple[KeyColumn, ...],
    outputs: tuple[OutputColumn, ...],
    describe: Describe,
    lower: Lower,
) -> BilinearProgram:
    """The program of a query. Raises `NotBilinear` with the reason. `lower` reads a query of ours as one of the user's."""
    block = _joined(query)
    described = {column.name: column for column in outputs}
    _check_key(block, key, described)
    builder = Builder(name, block, key, outputs, describe, None)
    parts = Parts(block.dialect, builder.taken, {}, RowText.as_written)
    presence = parts.count("rows", None)
    swaps = _swaps(builder, block, parts, describe)
    made = tuple(parts.made.values())
    if any(part.kind not in ("additive", "recomputed") or _always_anew(part) for part in made):
        raise NotBilinear("a value of floating point depends on the order of addition")
    shown = builder.visible(swaps)
    having = block.having.swapped(swaps) if block.having is not None else ""
    for text in (*(one.sql for one in shown), having):
        if any(f"{block.dialect.quote(alias)}." in text for alias in block.local):
            raise NotBilinear("a column of the result is neither grouped by nor added up")
    state = _state_text(block, key, made)
    lowered = lower(state)
    own_key = find_key(lowered, tuple(column.name for column in key))
    own_key = tuple(replace(one, nullable=before.nullable) for one, before in zip(own_key, key, strict=True))
    joined = [occurrence.table.label for occurrence in block.occurrences] + [
        f"rows of {one.name}" for one in block.calls
    ]
    labels = ", ".join(dict.fromkeys(joined))
    reason = f"{labels} are joined, and every aggregate is kept by what changed rows join"
    state_columns = [described[column.name] for column in key]
    state_columns += [OutputColumn(part.name, part.type, part.collation) for part in made]
    keyed = keyed_program(name, lowered, own_key, tuple(state_columns), reason)
    if any(route.everywhere for route in keyed.routes) or not keyed.unit:
        raise NotBilinear("a change may touch every row")
    keyed = replace(keyed, columns=made, shown=shown, having=having)
    conditions = (*(scalar for item in block.items for scalar in item.on), *block.where)
    scalars = tuple(column.output.scalar for column in key)
    return BilinearProgram(keyed, block.occurrences, conditions, scalars, made, presence.quoted, block.calls)


def _joined(query: Query) -> Block:
    """The query as one block of inner joins with a grouping. Raises `NotBilinear`."""
    if not isinstance(query, Block) or query.groups is None or len(query.items) < 2 or not query.occurrences:
        raise NotBilinear("it is no grouping over a join of tables")
    if any(isinstance(item, Derived) for item in query.items):
        raise NotBilinear("it reads a subquery")
    if any(item.kind not in ("first", "inner") for item in query.items):
        raise NotBilinear("an outer join gives rows for what is missing")
    if len(query.occurrences) > SCANS_MAX:
        raise NotBilinear(f"it joins more than {SCANS_MAX} tables")
    if query.nested or query.windows or query.distinct or query.distinct_on or query.limited:
        raise NotBilinear("its rows depend on more than their own group")
    if any(group.is_constant for group in query.groups):
        raise NotBilinear("it groups by a constant")
    for aggregate in query.aggregates:
        if aggregate.function not in ADDED or aggregate.distinct:
            raise NotBilinear(f"{aggregate.function} cannot be added up over a join")
    return query


def _check_key(block: Block, key: tuple[KeyColumn, ...], described: dict[str, OutputColumn]) -> None:
    groups = {bare_text(group) for group in block.groups or ()}
    if groups != {bare_text(column.output.scalar) for column in key}:
        raise NotBilinear("its key is not what it groups by")
    for column in key:
        if not has_one_spelling(described[column.name].type, described[column.name].collation, block.dialect):
            raise NotBilinear(f"equal values of {column.name} may be written in several ways")


def _always_anew(part: Part) -> bool:
    return part.kind == "recomputed" and part.needed is None


def _swaps(builder: Builder, block: Block, parts: Parts, describe: Describe) -> dict[str, str]:
    """What stands in the place of aggregates and grouped values over a stored row; makes the parts."""
    types = _argument_types(block, describe)
    swaps = {call.text: builder.visible_call(call, None, parts, types, call.function) for call in block.aggregates}
    for column in builder.key:
        swaps[column.output.scalar.text] = builder.stored(column.name)
        for group in block.groups or ():
            if bare_text(group) == bare_text(column.output.scalar):
                swaps[group.text] = builder.stored(column.name)
    return swaps


def _argument_types(block: Block, describe: Describe) -> dict[str, OutputColumn]:
    arguments = list({c.argument.text: c.argument for c in block.aggregates if c.argument is not None}.values())
    if not arguments:
        return {}
    items = ", ".join(f"{scalar.text} AS a{number}" for number, scalar in enumerate(arguments))
    described = describe(f"SELECT {items} {_from(block)}")
    return {scalar.text: column for scalar, column in zip(arguments, described, strict=True)}


def _from(block: Block) -> str:
    quote = block.dialect.quote
    scans = [f"{quote(one.table.schema, one.table.name)} AS {quote(one.alias)}" for one in block.occurrences]
    return "FROM " + ", ".join([*scans, *(call.in_from() for call in block.calls)])


def _state_text(block: Block, key: tuple[KeyColumn, ...], parts: tuple[Part, ...]) -> str:
    """The state of every group as a query."""
    quote = block.dialect.quote
    aggregates = {quote(part.name): part.aggregate.as_written() for part in parts}
    columns = [f"{column.output.scalar.text} AS {quote(column.name)}" for column in key]
    for part in parts:
        value = aggregates[quote(part.name)]
        if part.needed is not None:
            value = f"CASE WHEN {part.needed.over(lambda name: f'({aggregates[name]})')} THEN {value} END"
        columns.append(f"{value} AS {quote(part.name)}")
    conditions = [scalar for item in block.items for scalar in item.on]
    where = " AND ".join(f"({scalar.text})" for scalar in (*conditions, *block.where))
    groups = ", ".join(column.output.scalar.text for column in key)
    return f"SELECT {', '.join(columns)} {_from(block)}{' WHERE ' if where else ''}{where} GROUP BY {groups}"


def over_images(text: RowText, images: frozenset[str], rename: Callable[[str], str]) -> str:
    """The same with the columns of the scans in `images` renamed."""
    return "".join(
        piece.over_images(images, rename) if isinstance(piece, Scalar) else str(piece) for piece in text.pieces
    )
