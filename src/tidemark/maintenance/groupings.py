"""One grouping over a join: its parts, what readers see of a group, and its state as a query.

Owns: `Joined`, `Branch`, and which groupings can be added up by what changed rows join. Promises: the state of a group is a sum
over the rows of the join, but for what is counted by value (`tidemark.maintenance.counted`); its query gives that state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tidemark.maintenance.linear import Builder
from tidemark.maintenance.parts import Parts
from tidemark.maintenance.program import Part, RowText, Stored, Visible
from tidemark.maintenance.result import Result
from tidemark.maintenance.shapes import argument_types, over_parts
from tidemark.model import Describe, OutputColumn
from tidemark.query.cut import is_hidden
from tidemark.query.functions import LINEAR_AGGREGATES
from tidemark.query.relation import Aggregate, Block, Called, Derived, Occurrence, Scalar
from tidemark.query.subtypes import passes_json
from tidemark.query.units import bare_text, is_no_value, is_void

SCANS_MAX = 5
ADDED = LINEAR_AGGREGATES - {"min", "max", "total"}
ByValue = Callable[[Aggregate, Block, "AskedParts", OutputColumn], str]
"""What readers see of an aggregate that is kept by counting values; empty where it is not."""


@dataclass(frozen=True)
class NotBilinear(Exception):
    """Why a query has no bilinear program, as a sentence."""

    reason: str


@dataclass(frozen=True)
class Joined:
    """One grouping over a join: `scans` are its occurrences, `calls` the functions of their rows beside them, `conditions` all of
    its conditions; `key` computes the key's columns, and None is a column that is NULL in all of its rows. `parts` are the names
    of those parts of the state that it has. `total` says that it is one group, which is there whatever there is."""

    scans: tuple[Occurrence, ...]
    conditions: tuple[Scalar, ...]
    key: tuple[Scalar | None, ...]
    parts: frozenset[str]
    calls: tuple[Called, ...] = ()
    total: bool = False


@dataclass
class AskedParts(Parts):
    """Remembers which parts were asked for."""

    asked: set[str] = field(default_factory=set)

    def add(self, part: Part) -> Stored:
        """As ever."""
        stored = super().add(part)
        self.asked.add(stored.quoted)
        return stored


@dataclass(frozen=True)
class Branch:
    """One of the groupings, with what readers see of its groups, and HAVING, over a stored row."""

    join: Joined
    shown: tuple[Visible, ...]
    having: str


def require_joined(block: Block, *, alone: bool) -> None:
    """Raises `NotBilinear` for a block that is no grouping over inner joins."""
    if not block.is_aggregated or not block.occurrences or (alone and len(block.items) < 2):
        raise NotBilinear("it is no grouping over a join of tables")
    if any(isinstance(item, Derived) for item in block.items):
        raise NotBilinear("it reads a subquery")
    if any(item.kind not in ("first", "inner") for item in block.items):
        raise NotBilinear("an outer join gives rows for what is missing")
    if len(block.occurrences) > SCANS_MAX:
        raise NotBilinear(f"it joins more than {SCANS_MAX} tables")
    if passes_json(block):
        raise NotBilinear("what is stored of JSON is a text, and no JSON to a function that it is given to")
    if block.nested or block.windows or block.distinct or block.distinct_on or block.limited:
        raise NotBilinear("its rows depend on more than their own group")
    if any(group.is_constant for group in block.groups or ()):
        raise NotBilinear("it groups by a constant")


def grouped(block: Block, position: int) -> Scalar | None:
    """What a column of the key is grouped by; None where it is the same in all rows."""
    scalar = block.outputs[position].scalar
    return None if scalar.is_constant or is_void(scalar) else scalar


def make_branch(result: Result, block: Block, describe: Describe, parts: AskedParts, by_value: ByValue) -> Branch:
    """One grouping of the result's query; makes the parts that it asks for. Raises `NotBilinear` for an aggregate that is neither
    added up nor kept `by_value`."""
    builder = Builder(result, block, describe)
    calls = [call for call in block.aggregates if not is_no_value(call)]
    swaps, types = {}, argument_types(calls, from_clause(block), describe)
    for call in block.aggregates:
        if is_no_value(call):
            swaps[call.text] = f"CAST(NULL AS {describe(f'SELECT {call.text} AS v {from_clause(block)}')[0].type})"
        elif call.argument is not None and (counted := by_value(call, block, parts, types[call.argument.text])):
            swaps[call.text] = counted
        elif call.function in ADDED and not call.distinct:
            swaps[call.text] = builder.visible_call(call, None, parts, types, call.function)
        else:
            raise NotBilinear(f"{call.function} cannot be added up over a join")
    places = dict(zip(result.positions, result.key, strict=True))
    for position, column in places.items():
        scalar = grouped(block, position)
        for group in block.groups or () if scalar is not None else ():
            if scalar is not None and bare_text(group) == bare_text(scalar):
                swaps[scalar.text] = swaps[group.text] = builder.stored(column.name)
    shown = []
    for position, (output, described) in enumerate(zip(block.outputs, result.columns, strict=True)):
        sql = builder.stored(described.name) if position in places else over_parts(output.scalar, swaps, block)
        shown.append(Visible(described.name, sql, described.type))
    having = over_parts(block.having, swaps, block) if block.having is not None else ""
    for text in (*(one.sql for one in shown), having):
        if any(f"{block.dialect.quote(alias)}." in text for alias in block.local):
            raise NotBilinear("a column of the result is neither grouped by nor added up")
    conditions = (*(scalar for item in block.items for scalar in item.on), *block.where)
    own = tuple(None if is_void(one := block.outputs[p].scalar) else one for p in places)
    total = block.groups is None
    join = Joined(block.occurrences, conditions, own, frozenset(parts.asked), block.calls, total)
    return Branch(join, tuple(one for one in shown if not is_hidden(one.name)), having)


def labels_of(block: Block) -> list[str]:
    """What it reads, in words."""
    tables = [occurrence.table.label for occurrence in block.occurrences]
    return tables + [f"rows of {one.name}" for one in block.calls]


def from_clause(block: Block) -> str:
    """FROM of the join, without its conditions."""
    quote = block.dialect.quote
    scans = [f"{quote(one.table.schema, one.table.name)} AS {quote(one.alias)}" for one in block.occurrences]
    return "FROM " + ", ".join([*scans, *(call.in_from() for call in block.calls)])


def state_text(
    block: Block, join: Joined, key: Sequence[tuple[str, str]], groups: Sequence[Scalar], parts: Sequence[Part]
) -> str:
    """The state of every group as a query. `key` are the columns that tell the groups apart, as name and text, `groups` what it
    groups by."""
    quote, cast = block.dialect.quote, block.dialect.cast
    aggregates = {quote(part.name): part.aggregate.as_written() for part in parts}
    columns = [f"{text} AS {quote(name)}" for name, text in key]
    for part in parts:
        value = aggregates[quote(part.name)]
        if quote(part.name) not in join.parts:
            value = f"{'0' if part.kind == 'additive' else 'NULL'}{cast(part.type)}"
        elif part.needed is not None:
            value = f"CASE WHEN {part.needed.over(lambda name: f'({aggregates[name]})')} THEN {value} END"
        columns.append(f"{value} AS {quote(part.name)}")
    where = " AND ".join(f"({scalar.text})" for scalar in join.conditions)
    grouped_by = f" GROUP BY {', '.join(scalar.text for scalar in groups)}" if groups else ""
    return f"SELECT {', '.join(columns)} {from_clause(block)}{' WHERE ' if where else ''}{where}{grouped_by}"


def over_images(text: RowText, images: frozenset[str], rename: Callable[[str], str]) -> str:
    """The same with the columns of the scans in `images` renamed."""
    return "".join(
        piece.over_images(images, rename) if isinstance(piece, Scalar) else str(piece) for piece in text.pieces
    )
