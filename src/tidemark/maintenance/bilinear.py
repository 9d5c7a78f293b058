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
from dataclasses import dataclass, replace

from tidemark.maintenance.counted import OF, Counted, Values, nulls_of
from tidemark.maintenance.groupings import (
    AskedParts,
    Branch,
    Joined,
    NotBilinear,
    grouped,
    labels_of,
    make_branch,
    require_joined,
    state_text,
)
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.keyed import keyed_program
from tidemark.maintenance.program import KeyedProgram, Part, RowText, Visible
from tidemark.maintenance.result import Result
from tidemark.maintenance.shapes import over_parts
from tidemark.model import Describe, OutputColumn, Table
from tidemark.query.keys import find_key
from tidemark.query.relation import Block, Query, Scalar, SetOperation
from tidemark.query.unique import equality
from tidemark.query.units import bare_text, branches_of, origins_of

Lower = Callable[[str], Query]
_FROM_ALL = "a total is computed again from all rows where it cannot be added to"


@dataclass(frozen=True)
class BilinearProgram:
    """Upkeep by what changed rows join, beside the keyed program of the same state.

    `joins` are the groupings that are put together, `parts` the state of a group, of which those that are not additive are NULL
    as long as everything adds up. `presence` is the part that counts a group's rows. Of several groupings `stays` says which
    stored rows are totals, as a column and a test of it; it is empty where none is. `counted` are those among the groupings that
    count values, which come last.
    """

    keyed: KeyedProgram
    joins: tuple[Joined, ...]
    parts: tuple[Part, ...]
    presence: str
    stays: str = ""
    counted: tuple[Counted, ...] = ()

    @property
    def mains(self) -> tuple[Joined, ...]:
        """The groupings of the query itself."""
        return self.joins[: len(self.joins) - len(self.counted)]

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


def bilinear_program(
    result: Result, describe: Describe, lower: Lower, *, counts: bool | None = None
) -> BilinearProgram:
    """The program of a result. Raises `NotBilinear` with the reason. `lower` reads a query of ours as one of the user's. Values
    are counted where `counts` says so; where it is None, beside totals, which would be computed from all rows otherwise."""
    query, described = result.query, result.described
    if isinstance(query, Block) and not query.items:
        return _figures(result, query, describe, lower, wanted=counts is not False)
    blocks = _joined(query)
    _check_key(blocks, result)
    taken = {output.name.lower() for output in query.outputs}
    parts = AskedParts(query.dialect, taken, {}, RowText.as_written)
    presence, branches = parts.count("rows", None), []
    total = any(block.groups is None for block in blocks)
    values = Values(query.dialect, wanted=total if counts is None else counts)
    for block in blocks:
        parts.asked = {parts.count("rows", None).quoted}
        branches.append(make_branch(result, block, describe, parts, values.by_value))
    made = tuple(parts.made.values())
    _require_sums(made)
    joins = tuple(values.keyed(branch.join, number) for number, branch in enumerate(branches, start=1))
    counted = values.counted([*zip(range(1, len(blocks) + 1), blocks, joins, strict=True)], presence.quoted)
    own = tuple(described[column.name] for column in result.key)
    held = _Held(query, own, result.positions, values.columns, made, counted)
    states = [held.state(block, join) for block, join in zip(blocks, joins, strict=True)]
    telling = held.telling(len(blocks)) or _telling(blocks, result)
    labels = ", ".join(dict.fromkeys(label for block in blocks for label in labels_of(block)))
    reason = f"{labels} are joined, and every aggregate is kept by what changed rows join"
    if len(blocks) > 1:
        reason = f"it is {len(blocks)} groupings over {labels}, and every aggregate is kept by what changed rows join"
    keyed = held.keyed(result, states, reason, lower, totals=total)
    if not total and (any(route.everywhere for route in keyed.routes) or not keyed.unit):
        raise NotBilinear("a change may touch every row")
    shown, having = _put_together(branches, telling)
    keyed = replace(keyed, shown=shown, having=held.seen(len(blocks), having))
    keyed = replace(keyed, nulls=held.nulls([*zip(blocks, joins, strict=True)]))
    every = (*joins, *(one.join for one in counted))
    return BilinearProgram(keyed, every, made, presence.quoted, _stays(joins, telling), counted)


def _figures(result: Result, query: Block, describe: Describe, lower: Lower, *, wanted: bool) -> BilinearProgram:
    """SELECT (SELECT sums over a join), …: totals whose parts stand beside one another in one stored row."""
    taken = {output.name.lower() for output in query.outputs}
    values = Values(query.dialect, wanted=wanted)
    made: list[Part] = []
    blocks, branches, own, swaps = [], [], [], {}
    for nested in query.nested:
        block = nested.query
        plain = query.is_row and nested.form == "scalar"
        if not plain or not isinstance(block, Block) or block.groups is not None or block.having is not None:
            raise NotBilinear("a figure is more than sums over a join")
        require_joined(block, alone=False)
        parts = AskedParts(query.dialect, taken, {}, RowText.as_written)
        parts.count("rows", None)
        said = describe(f"SELECT {nested.text} AS v")
        figure = Result(result.name, block, (), said)
        branches.append(make_branch(figure, block, describe, parts, values.by_value))
        blocks.append(block)
        own.append(tuple(parts.made.values()))
        made += own[-1]
        swaps[nested.text] = f"({branches[-1].shown[0].sql})"
    if not made:
        raise NotBilinear("it has no figure")
    _require_sums(made)
    presence = query.dialect.quote(made[0].name)
    joins = tuple(values.keyed(branch.join, 1) for branch in branches)
    counted = values.counted([(1, block, join) for block, join in zip(blocks, joins, strict=True)], presence)
    held = _Held(query, (), (), values.columns, tuple(made), counted)
    figures = [
        f"({state_text(block, join, (), (), parts)}) AS f{number}"
        for number, (block, join, parts) in enumerate(zip(blocks, joins, own, strict=True), start=1)
    ]
    listed = ", ".join([*held.one_row(), *(query.dialect.quote(part.name) for part in made)])
    labels = ", ".join(dict.fromkeys(label for block in blocks for label in labels_of(block)))
    reason = f"it is a row of figures over {labels}, and every aggregate is kept by what changed rows join"
    keyed = held.keyed(result, [f"SELECT {listed} FROM {' CROSS JOIN '.join(figures)}"], reason, lower, totals=True)
    shown = tuple(
        Visible(one.name, over_parts(output.scalar, swaps, query), one.type)
        for output, one in zip(query.outputs, result.columns, strict=True)
    )
    keyed = replace(keyed, shown=shown, having=held.seen(1, ""), nulls=held.nulls([(blocks[0], joins[0])]))
    every = (*joins, *(one.join for one in counted))
    return BilinearProgram(keyed, every, tuple(made), presence, _stays(joins[:1], held.telling(1)), counted)


def _require_sums(made: Sequence[Part]) -> None:
    if any(part.kind == "recomputed" and part.needed is None for part in made):
        raise NotBilinear("a value of floating point depends on the order of addition")


@dataclass(frozen=True)
class _Held:
    """What is stored of a query: the columns of its own `key` with their `positions`, what the key has for counted `values`
    (nothing where there are none), `parts`, and the groupings that count."""

    query: Query
    key: tuple[OutputColumn, ...]
    positions: Sequence[int]
    values: tuple[OutputColumn, ...]
    parts: tuple[Part, ...]
    counted: tuple[Counted, ...]

    @property
    def columns(self) -> tuple[OutputColumn, ...]:
        """The columns of the whole key, in order: rows of one grouping, and in it of one group, stand beside one another."""
        return (*self.values[:1], *self.key, *self.values[1:])

    def state(self, block: Block, join: Joined, value: Scalar | None = None) -> str:
        """The state of a grouping as a query; that of one that counts values has what it groups by besides."""
        texts = [block.outputs[position].scalar.text for position in self.positions]
        if self.values:
            texts = [self._text(join, 0), *texts, *(self._text(join, n) for n in range(1 + len(texts), len(join.key)))]
        key = [(column.name, text) for column, text in zip(self.columns, texts, strict=True)]
        groups = [one for position in self.positions if (one := grouped(block, position)) is not None]
        return state_text(block, join, key, [*groups, *([value] if value is not None else [])], self.parts)

    def one_row(self) -> list[str]:
        """What the key is of the one row of a query that has no key."""
        quote, cast = self.query.dialect.quote, self.query.dialect.cast
        names = [quote(column.name) for column in self.values]
        values = ["1", *(f"NULL{cast(column.type)}" for column in self.values[1:])]
        return [f"{value} AS {name}" for value, name in zip(values, names, strict=False)]

    def keyed(self, result: Result, states: list[str], reason: str, lower: Lower, *, totals: bool) -> KeyedProgram:
        """The keyed program of the state."""
        lowered = lower(
            " UNION ALL ".join([*states, *(self.state(one.block, one.join, one.scalar) for one in self.counted)])
        )
        names = tuple(column.name for column in self.columns)
        known = {column.name: column.nullable for column in result.key}
        own = tuple(replace(one, nullable=known.get(one.name, one.nullable)) for one in find_key(lowered, names))
        columns = (*self.columns, *(OutputColumn(part.name, part.type, part.collation) for part in self.parts))
        pieces = tuple(column.name for column in self.key) if self.counted else names
        made = keyed_program(Result(result.name, lowered, own, columns), reason, allow_global=totals, pieces=pieces)
        values = ", ".join(dict.fromkeys(one.scalar.text for one in self.counted))
        said = (f"how often each value of {values} occurs is kept beside the rows",) if values else ()
        reasons = (reason, *said, *((_FROM_ALL,) if totals else ()))
        own_key = {column.name for column in self.key}
        parts = tuple(replace(part, hidden=part.name not in own_key) for part in made.key)
        return replace(made, key=parts, columns=self.parts, reasons=reasons)

    def telling(self, mains: int) -> _Telling | None:
        """How the groupings are told apart by what values have; None where none is counted."""
        quoted = self.query.dialect.quote(OF)
        return _Telling(quoted, tuple(str(number) for number in range(1, mains + 1))) if self.counted else None

    def seen(self, mains: int, having: str) -> str:
        """Which stored rows readers see: those of the query's own groupings, the first ones, for which HAVING is true."""
        own = f"s.{self.query.dialect.quote(OF)} <= {mains}" if self.counted else ""
        return " AND ".join(filter(None, (own, having)))

    def nulls(self, mains: Sequence[tuple[Block, Joined]]) -> tuple[frozenset[str], ...]:
        """The columns of the key that are NULL together, where values are counted."""
        every = [*mains, *((one.block, one.join) for one in self.counted)]
        return nulls_of([column.name for column in self.columns], every) if self.counted else ()

    def _text(self, join: Joined, number: int) -> str:
        scalar = join.key[number]
        return scalar.text if scalar is not None else f"NULL{self.query.dialect.cast(self.columns[number].type)}"


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
        require_joined(block, alone=len(blocks) == 1)
    return blocks


def _telling(blocks: Sequence[Block], result: Result) -> _Telling | None:
    """The column that is another constant in each of several branches. Raises `NotBilinear` where there is none."""
    if len(blocks) == 1:
        return None
    for column, position in zip(result.key, result.positions, strict=True):
        scalars = [block.outputs[position].scalar for block in blocks]
        if all(one.is_constant for one in scalars) and len({bare_text(one) for one in scalars}) == len(blocks):
            return _Telling(blocks[0].dialect.quote(column.name), tuple(one.text for one in scalars))
    raise NotBilinear("nothing that is stored tells of which branch a row is")


def _check_key(blocks: Sequence[Block], result: Result) -> None:
    positions, described = result.positions, result.described
    for block in blocks:
        groups = {bare_text(group) for group in block.groups or ()}
        if groups != {bare_text(one) for position in positions if (one := grouped(block, position)) is not None}:
            raise NotBilinear("its key is not what it groups by")
    for column, position in zip(result.key, positions, strict=True):
        own = described[column.name]
        told = [(block, one) for block in blocks if (one := grouped(block, position)) is not None]
        if not all(_has_one_spelling(block, scalar, own, alone=len(blocks) == 1) for block, scalar in told):
            raise NotBilinear(f"equal values of {column.name} may be written in several ways")


def _has_one_spelling(block: Block, scalar: Scalar, own: OutputColumn, *, alone: bool) -> bool:
    """Whether equal values of a column of the key are also the same in that branch; SQLite tells no type of a union."""
    if alone or block.dialect.types_are_fixed:
        return has_one_spelling(own.type, own.collation, block.dialect)
    origins = origins_of(block, scalar.column) if scalar.column is not None else None
    return bool(origins) and all(has_one_spelling(one.type, one.collation, block.dialect) for one in origins or ())


def _put_together(branches: Sequence[Branch], telling: _Telling | None) -> tuple[tuple[Visible, ...], str]:
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
    return f"{telling.column} IN ({', '.join(values)})" if values else ""
