"""The bilinear class: sums and counts over inner joins, and over everything beside groups, kept by what changed rows join.

Owns: which queries are bilinear, and their state as a query. Promises: a program from here is a keyed program too: its state (the
group's count, sums, counts of values) is what a query of its own gives, so that any key can be computed again at any time; and
each part of that state is a sum over the rows of the join, so that what changed can be added. Functions of rows of the join stand
beside them: for any choice of rows their own rows are the same, so that they change nothing in that. Values that do not add
exactly are counted apart, as in the linear class. A group's key must be the same value however its rows spell it.

Groupings put together by UNION ALL (ROLLUP and CUBE are such) are kept so where one of them is a *total*: one group without a key
of its own, which any change touches, so that adding is all that spares reading everything. A stored row tells of which it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tidemark.maintenance.aggregates import Parts
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.keyed import keyed_program
from tidemark.maintenance.linear import Builder
from tidemark.maintenance.program import KeyedProgram, Part, PartKind, RowText, Stored, Visible
from tidemark.maintenance.shapes import over_parts
from tidemark.model import Describe, OutputColumn, Table
from tidemark.query.cut import is_hidden
from tidemark.query.functions import LINEAR_AGGREGATES
from tidemark.query.keys import KeyColumn, find_key
from tidemark.query.relation import Block, Called, Derived, Occurrence, Query, Scalar, SetOperation
from tidemark.query.subtypes import passes_json
from tidemark.query.unique import equality
from tidemark.query.units import bare_text, branches_of, is_no_value, is_void, origins_of

SCANS_MAX = 5
ADDED = LINEAR_AGGREGATES - {"min", "max", "total"}
Lower = Callable[[str], Query]
_FROM_ALL = "a total is computed again from all rows where it cannot be added to"


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


@dataclass(frozen=True)
class BilinearProgram:
    """Upkeep by what changed rows join, beside the keyed program of the same state.

    `joins` are the groupings that are put together, `parts` the state of a group, of which those that are not additive are NULL
    as long as everything adds up. `presence` is the part that counts a group's rows. Of several groupings `stays` says which
    stored rows are totals, as a column and a test of it; it is empty where none is.
    """

    keyed: KeyedProgram
    joins: tuple[Joined, ...]
    parts: tuple[Part, ...]
    presence: str
    stays: str = ""

    @property
    def has_total(self) -> bool:
        """Whether one of the groupings is a total."""
        return any(join.total for join in self.joins)

    @property
    def links(self) -> tuple[tuple[Table, str, str], ...]:
        """(table, column, label of the other side) for every column by which a change finds rows that it joins."""
        return tuple(dict.fromkeys(link for one in self.joins for link in _links(one)))


def _links(join: Joined) -> list[tuple[Table, str, str]]:
    tables = {scan.alias: scan.table for scan in join.scans}
    labels = {alias: table.label for alias, table in tables.items()}
    for call in join.calls:
        labels[call.alias] = next((labels[alias] for alias in sorted(call.call.aliases)), call.name)
    found: list[tuple[Table, str, str]] = []
    for scalar in join.conditions:
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
    return found


@dataclass
class AskedParts(Parts):
    """Remembers which parts were asked for."""

    asked: set[str] = field(default_factory=set)

    def add(self, hint: str, kind: PartKind, *rest: Any, **more: Any) -> Stored:
        """As ever."""
        stored = super().add(hint, kind, *rest, **more)
        self.asked.add(stored.quoted)
        return stored


def bilinear_program(
    name: str,
    query: Query,
    key: tuple[KeyColumn, ...],
    outputs: tuple[OutputColumn, ...],
    describe: Describe,
    lower: Lower,
) -> BilinearProgram:
    """The program of a query. Raises `NotBilinear` with the reason. `lower` reads a query of ours as one of the user's."""
    if isinstance(query, Block) and not query.items:
        return _figures(name, query, outputs, describe, lower)
    blocks = _joined(query)
    positions = tuple([output.name for output in query.outputs].index(column.name) for column in key)
    described = {column.name: column for column in outputs}
    _check_key(blocks, key, positions, described)
    telling = _telling(blocks, key, positions)
    taken = {output.name.lower() for output in query.outputs}
    parts = AskedParts(query.dialect, taken, {}, RowText.as_written)
    presence, branches = parts.count("rows", None), []
    for block in blocks:
        parts.asked = {parts.count("rows", None).quoted}
        branches.append(_branch(name, block, key, positions, outputs, describe, parts))
    made = tuple(parts.made.values())
    if any(part.kind not in ("additive", "recomputed") or _always_anew(part) for part in made):
        raise NotBilinear("a value of floating point depends on the order of addition")
    shown, having = _put_together(branches, telling)
    joins = tuple(branch.join for branch in branches)
    state = " UNION ALL ".join(_state_text(b, j, key, positions, made) for b, j in zip(blocks, joins, strict=True))
    lowered = lower(state)
    own_key = find_key(lowered, tuple(column.name for column in key))
    own_key = tuple(replace(one, nullable=before.nullable) for one, before in zip(own_key, key, strict=True))
    labels = ", ".join(dict.fromkeys(label for block in blocks for label in _labels(block)))
    reason = f"{labels} are joined, and every aggregate is kept by what changed rows join"
    if len(blocks) > 1:
        reason = f"it is {len(blocks)} groupings over {labels}, and every aggregate is kept by what changed rows join"
    state_columns = [described[column.name] for column in key]
    state_columns += [OutputColumn(part.name, part.type, part.collation) for part in made]
    totals = any(join.total for join in joins)
    keyed = keyed_program(name, lowered, own_key, tuple(state_columns), reason, allow_global=totals)
    if totals:
        keyed = replace(keyed, reasons=(reason, _FROM_ALL))
    elif any(route.everywhere for route in keyed.routes) or not keyed.unit:
        raise NotBilinear("a change may touch every row")
    keyed = replace(keyed, columns=made, shown=shown, having=having)
    return BilinearProgram(keyed, joins, made, presence.quoted, _stays(joins, telling))


def _figures(
    name: str, query: Block, outputs: tuple[OutputColumn, ...], describe: Describe, lower: Lower
) -> BilinearProgram:
    """SELECT (SELECT sums over a join), …: totals whose parts stand beside one another in one stored row."""
    taken = {output.name.lower() for output in query.outputs}
    made: list[Part] = []
    joins, states, swaps = [], [], {}
    for number, nested in enumerate(query.nested, start=1):
        block = nested.query
        if nested.form != "scalar" or not isinstance(block, Block) or block.groups or block.having:
            raise NotBilinear("a figure is more than sums over a join")
        _require_joined(block, alone=False)
        parts = AskedParts(query.dialect, taken, {}, RowText.as_written)
        parts.count("rows", None)
        branch = _branch(name, block, (), (), describe(f"SELECT {nested.text} AS v"), describe, parts)
        made += (own := tuple(parts.made.values()))
        joins.append(branch.join)
        states.append(f"({_state_text(block, branch.join, (), (), own)}) AS f{number}")
        swaps[nested.text] = f"({branch.shown[0].sql})"
    if not made or any(part.kind not in ("additive", "recomputed") or _always_anew(part) for part in made):
        raise NotBilinear("a value of floating point depends on the order of addition")
    listed = ", ".join(query.dialect.quote(part.name) for part in made)
    lowered = lower(f"SELECT {listed} FROM {' CROSS JOIN '.join(states)}")
    labels = ", ".join(dict.fromkeys(label for nested in query.nested for label in _labels(nested.query.blocks[0])))
    reason = f"it is a row of figures over {labels}, and every aggregate is kept by what changed rows join"
    columns = tuple(OutputColumn(part.name, part.type, part.collation) for part in made)
    keyed = keyed_program(name, lowered, (), columns, reason, allow_global=True)
    shown = tuple(
        Visible(one.name, over_parts(output.scalar, swaps, query), one.type)
        for output, one in zip(query.outputs, outputs, strict=True)
    )
    keyed = replace(keyed, columns=tuple(made), shown=shown, reasons=(reason, _FROM_ALL))
    return BilinearProgram(keyed, tuple(joins), tuple(made), query.dialect.quote(made[0].name))


@dataclass(frozen=True)
class _Branch:
    """One of the groupings, with what readers see of its groups, and HAVING, over a stored row."""

    join: Joined
    shown: tuple[Visible, ...]
    having: str


@dataclass(frozen=True)
class _Telling:
    """The stored column that tells of which grouping a row is, and its value in each."""

    column: str
    values: tuple[str, ...]


def _joined(query: Query) -> tuple[Block, ...]:
    """The query as groupings over inner joins, put together by UNION ALL. Raises `NotBilinear`."""
    if isinstance(query, SetOperation):
        if query.kind != "union" or query.distinct or query.limited:
            raise NotBilinear("rows of one branch depend on those of another")
        if not any(block.groups is None for block in query.branches):
            raise NotBilinear("each of its branches is computed again by itself")
    blocks = branches_of(query)
    for block in blocks:
        _require_joined(block, alone=len(blocks) == 1)
    return blocks


def _require_joined(block: Block, *, alone: bool) -> None:
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
    for aggregate in block.aggregates:
        if (aggregate.function not in ADDED or aggregate.distinct) and not is_no_value(aggregate):
            raise NotBilinear(f"{aggregate.function} cannot be added up over a join")


def _telling(blocks: Sequence[Block], key: tuple[KeyColumn, ...], positions: Sequence[int]) -> _Telling | None:
    """The column that is another constant in each of several branches. Raises `NotBilinear` where there is none."""
    if len(blocks) == 1:
        return None
    for column, position in zip(key, positions, strict=True):
        scalars = [block.outputs[position].scalar for block in blocks]
        if all(one.is_constant for one in scalars) and len({bare_text(one) for one in scalars}) == len(blocks):
            return _Telling(blocks[0].dialect.quote(column.name), tuple(one.text for one in scalars))
    raise NotBilinear("nothing that is stored tells of which branch a row is")


def _check_key(
    blocks: Sequence[Block],
    key: tuple[KeyColumn, ...],
    positions: Sequence[int],
    described: dict[str, OutputColumn],
) -> None:
    for block in blocks:
        groups = {bare_text(group) for group in block.groups or ()}
        if groups != {bare_text(one) for position in positions if (one := _grouped(block, position)) is not None}:
            raise NotBilinear("its key is not what it groups by")
    for column, position in zip(key, positions, strict=True):
        own = described[column.name]
        told = [(block, one) for block in blocks if (one := _grouped(block, position)) is not None]
        if not all(_has_one_spelling(block, scalar, own, alone=len(blocks) == 1) for block, scalar in told):
            raise NotBilinear(f"equal values of {column.name} may be written in several ways")


def _has_one_spelling(block: Block, scalar: Scalar, own: OutputColumn, *, alone: bool) -> bool:
    """Whether equal values of a column of the key are also the same in that branch; SQLite tells no type of a union."""
    if alone or block.dialect.types_are_fixed:
        return has_one_spelling(own.type, own.collation, block.dialect)
    origins = origins_of(block, scalar.column) if scalar.column is not None else None
    return bool(origins) and all(has_one_spelling(one.type, one.collation, block.dialect) for one in origins or ())


def _grouped(block: Block, position: int) -> Scalar | None:
    """What a column of the key is grouped by; None where it is the same in all rows."""
    scalar = block.outputs[position].scalar
    return None if scalar.is_constant or is_void(scalar) else scalar


def _always_anew(part: Part) -> bool:
    return part.kind == "recomputed" and part.needed is None


def _branch(
    name: str,
    block: Block,
    key: tuple[KeyColumn, ...],
    positions: Sequence[int],
    outputs: tuple[OutputColumn, ...],
    describe: Describe,
    parts: AskedParts,
) -> _Branch:
    """One grouping; makes the parts that it asks for."""
    builder = Builder(name, block, key, outputs, describe, None)
    swaps, types = {}, _argument_types(block, describe)
    for call in block.aggregates:
        if is_no_value(call):
            swaps[call.text] = f"CAST(NULL AS {describe(f'SELECT {call.text} AS v {_from(block)}')[0].type})"
        else:
            swaps[call.text] = builder.visible_call(call, None, parts, types, call.function)
    places = dict(zip(positions, key, strict=True))
    for position, column in places.items():
        scalar = _grouped(block, position)
        for group in block.groups or () if scalar is not None else ():
            if scalar is not None and bare_text(group) == bare_text(scalar):
                swaps[scalar.text] = swaps[group.text] = builder.stored(column.name)
    shown = []
    for position, (output, described) in enumerate(zip(block.outputs, outputs, strict=True)):
        sql = builder.stored(described.name) if position in places else over_parts(output.scalar, swaps, block)
        shown.append(Visible(described.name, sql, described.type))
    having = over_parts(block.having, swaps, block) if block.having is not None else ""
    for text in (*(one.sql for one in shown), having):
        if any(f"{block.dialect.quote(alias)}." in text for alias in block.local):
            raise NotBilinear("a column of the result is neither grouped by nor added up")
    conditions = (*(scalar for item in block.items for scalar in item.on), *block.where)
    own = tuple(None if is_void(one := block.outputs[p].scalar) else one for p in positions)
    total = block.groups is None
    join = Joined(block.occurrences, conditions, own, frozenset(parts.asked), block.calls, total)
    return _Branch(join, tuple(one for one in shown if not is_hidden(one.name)), having)


def _put_together(branches: Sequence[_Branch], telling: _Telling | None) -> tuple[tuple[Visible, ...], str]:
    """What readers see of a stored row, whichever branch it is of."""

    def either(texts: Sequence[str]) -> str:
        if telling is None or len(set(texts)) == 1:
            return texts[0]
        cases = " ".join(f"WHEN {value} THEN {text}" for value, text in zip(telling.values, texts, strict=True))
        return f"(CASE s.{telling.column} {cases} END)"

    shown = []
    for same in zip(*(branch.shown for branch in branches), strict=True):
        sql = either([one.sql for one in same])
        bare = sql.strip("()")
        stored = bare.removeprefix('s."')[:-1] if bare.startswith('s."') and bare.count('"') == 2 else None
        shown.append(Visible(same[0].name, sql, same[0].type, stored))
    having = [f"({branch.having})" if branch.having else "(1 = 1)" for branch in branches]
    return tuple(shown), either(having) if any(branch.having for branch in branches) else ""


def _stays(joins: Sequence[Joined], telling: _Telling | None) -> str:
    """Which stored rows are totals, of several groupings."""
    if telling is None:
        return ""
    values = [value for join, value in zip(joins, telling.values, strict=True) if join.total]
    return f"{telling.column} IN ({', '.join(values)})"


def _labels(block: Block) -> list[str]:
    tables = [occurrence.table.label for occurrence in block.occurrences]
    return tables + [f"rows of {one.name}" for one in block.calls]


def _argument_types(block: Block, describe: Describe) -> dict[str, OutputColumn]:
    arguments = list(
        {
            call.argument.text: call.argument
            for call in block.aggregates
            if call.argument is not None and not is_no_value(call)
        }.values()
    )
    if not arguments:
        return {}
    items = ", ".join(f"{scalar.text} AS a{number}" for number, scalar in enumerate(arguments))
    described = describe(f"SELECT {items} {_from(block)}")
    return {scalar.text: column for scalar, column in zip(arguments, described, strict=True)}


def _from(block: Block) -> str:
    quote = block.dialect.quote
    scans = [f"{quote(one.table.schema, one.table.name)} AS {quote(one.alias)}" for one in block.occurrences]
    return "FROM " + ", ".join([*scans, *(call.in_from() for call in block.calls)])


def _state_text(
    block: Block, join: Joined, key: tuple[KeyColumn, ...], positions: Sequence[int], parts: tuple[Part, ...]
) -> str:
    """The state of every group as a query."""
    quote, cast = block.dialect.quote, block.dialect.cast
    aggregates = {quote(part.name): part.aggregate.as_written() for part in parts}
    columns = [
        f"{block.outputs[position].scalar.text} AS {quote(column.name)}"
        for position, column in zip(positions, key, strict=True)
    ]
    for part in parts:
        value = aggregates[quote(part.name)]
        if quote(part.name) not in join.parts:
            value = f"{'0' if part.kind == 'additive' else 'NULL'}{cast(part.type)}"
        elif part.needed is not None:
            value = f"CASE WHEN {part.needed.over(lambda name: f'({aggregates[name]})')} THEN {value} END"
        columns.append(f"{value} AS {quote(part.name)}")
    conditions = [scalar for item in block.items for scalar in item.on]
    where = " AND ".join(f"({scalar.text})" for scalar in (*conditions, *block.where))
    own = [scalar.text for position in positions if (scalar := _grouped(block, position)) is not None]
    groups = f" GROUP BY {', '.join(own)}" if own else ""
    return f"SELECT {', '.join(columns)} {_from(block)}{' WHERE ' if where else ''}{where}{groups}"


def over_images(text: RowText, images: frozenset[str], rename: Callable[[str], str]) -> str:
    """The same with the columns of the scans in `images` renamed."""
    return "".join(
        piece.over_images(images, rename) if isinstance(piece, Scalar) else str(piece) for piece in text.pieces
    )
