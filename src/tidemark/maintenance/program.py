"""What upkeep does, as data: the frozen result of the pure tower's thinking, before any SQL text.

Owns: `RowText` (SQL over one row), `Part`, `Feed`, `LinearProgram`, `KeyedProgram`. Promises: a program says everything that
the renderers need; it knows no trigger and no statement.

A **linear** program is a set of *feeds*. A feed reads one source; each source row that satisfies the feed's guard belongs to
one key and contributes to some *parts* (stored columns). Δstored = Σ parts(new images) − Σ parts(old images).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from tidemark.maintenance.key_types import Spelling
from tidemark.memory import Memory
from tidemark.model import Table
from tidemark.query.compared import Moved
from tidemark.query.cut import is_hidden
from tidemark.query.relation import Called, Occurrence, Query, Scalar

PartKind = Literal["additive", "highest", "lowest", "recomputed", "copied"]


@dataclass(frozen=True)
class Stored:
    """A reference to a stored column; `quoted` is its quoted name. As a string it is the column of the row named ``s``."""

    quoted: str

    def at_row(self, row: str) -> str:
        """The column of that row."""
        return f"{row}.{self.quoted}"

    def __str__(self) -> str:
        return self.at_row("s")


@dataclass(frozen=True)
class RowText:
    """SQL over one row, whose name is given when it is rendered."""

    pieces: tuple[str | Scalar | Stored, ...]

    def at(self, row: str) -> str:
        """The text with every column taken from `row`."""
        if row not in self._at:
            self._at[row] = "".join(piece if isinstance(piece, str) else piece.at_row(row) for piece in self.pieces)
        return self._at[row]

    @cached_property
    def _at(self) -> dict[str, str]:
        return {}

    def as_written(self) -> str:
        """The text with every column under the alias of its own scan."""
        return "".join(piece.text if isinstance(piece, Scalar) else str(piece) for piece in self.pieces)

    def over(self, stored: Callable[[str], str]) -> str:
        """The text of an expression over stored columns, each rendered by `stored` from its quoted name."""
        return "".join(stored(piece.quoted) if isinstance(piece, Stored) else str(piece) for piece in self.pieces)

    @property
    def scalar(self) -> Scalar | None:
        """The one expression that it is, None where it is more or less than that."""
        found = [piece for piece in self.pieces if isinstance(piece, Scalar)]
        return found[0] if len(found) == 1 and len(self.pieces) == 3 else None

    @property
    def never_fails(self) -> bool:
        """Whether the user's expressions in it have a value whatever the row holds."""
        return all(piece.never_fails for piece in self.pieces if isinstance(piece, Scalar))

    @property
    def columns(self) -> frozenset[str]:
        """Names of the columns it reads."""
        return frozenset(name for piece in self.pieces if isinstance(piece, Scalar) for _, name in piece.columns)


def text(*pieces: str | Scalar | Stored | RowText) -> RowText:
    """Compose SQL over one row; scalars are put in parentheses."""
    found: list[str | Scalar | Stored] = []
    for piece in pieces:
        if isinstance(piece, RowText):
            found += piece.pieces
        elif isinstance(piece, Scalar):
            found += ["(", piece, ")"]
        else:
            found.append(piece)
    return RowText(tuple(found))


def both(left: RowText | None, right: RowText | None) -> RowText | None:
    """The conjunction of two guards, None standing for true."""
    if left is None or right is None:
        return left or right
    return text("(", left, ") AND (", right, ")")


@dataclass(frozen=True)
class Part:
    """One stored column that a feed keeps.

    `value` is what one row contributes: a number to add (``additive``), a value or NULL that takes part in the extremum
    (``highest``, ``lowest``), the value itself (``copied``: at most one row per key), or the inputs on which a
    ``recomputed`` column depends. `aggregate` is the same as an aggregate over the rows named ``r``. `needed` is a
    condition on stored columns under which a recomputed part has a value at all (None = always). `unit` tells that one row
    contributes 0 or 1, `comparable` that values can be told equal.
    """

    name: str
    kind: PartKind
    type: str
    value: RowText
    aggregate: RowText
    collation: str | None = None
    needed: RowText | None = None
    floating: bool = False
    unit: bool = False
    comparable: bool = True


@dataclass(frozen=True)
class Feed:
    """One source's contribution. `key` gives the key columns of a row, `guard` the rows that count (None = all).

    `is_universe`: at most one row per key, and its presence is the row's presence. `spells` tells that its rows show how the key
    is spelled. `occurrence` is the alias in the query.
    """

    number: int
    table: Table
    key: tuple[RowText, ...]
    guard: RowText | None
    parts: tuple[Part, ...]
    is_universe: bool = False
    spells: bool = True

    @property
    def reads(self) -> tuple[str, ...]:
        """Columns of the source that the feed depends on, in the table's order."""
        used = set(self.guard.columns) if self.guard else set()
        for one in self.key:
            used |= one.columns
        for part in self.parts:
            used |= part.value.columns | part.aggregate.columns
        return tuple(column.name for column in self.table.columns if column.name in used)

    def by_kind(self, *kinds: PartKind) -> tuple[Part, ...]:
        """The feed's parts of those kinds."""
        return tuple(part for part in self.parts if part.kind in kinds)


@dataclass(frozen=True)
class KeyPart:
    """A key column of the store. `spelling` is how many spellings equal values of it may have; `reals` is the quoted name of the
    additive part that counts the rows which have a real number there, empty where they are not counted."""

    name: str
    type: str
    collation: str | None
    nullable: bool
    hidden: bool = False
    spelling: Spelling = "one"
    reals: str = ""


@dataclass(frozen=True)
class Visible:
    """A public column: `sql` is an expression over the stored row named ``s``. `stored` is the column when it is one as is."""

    name: str
    sql: str
    type: str
    stored: str | None = None


@dataclass(frozen=True)
class LinearProgram:
    """Upkeep by deltas, at commit freshness.

    `presence` is the additive part whose value > 0 makes a row visible; empty for a result of exactly one row (`single`).
    `having` filters visible rows, over ``s``. `anew` are the feeds from which a key is computed anew where those of upkeep read
    supports: the same parts in the same order, over the sources themselves. `crossed` tells that the stored rows are looked at
    as they change, for crossings; `shown_in` is the label of the user's table in whose columns they are shown, if there is one.
    """

    name: str
    key: tuple[KeyPart, ...]
    feeds: tuple[Feed, ...]
    visible: tuple[Visible, ...]
    presence: str
    single: bool
    having: str | None
    reasons: tuple[str, ...]
    anew: tuple[Feed, ...] = ()
    crossed: bool = False
    shown_in: str = ""

    @property
    def origins(self) -> tuple[Feed, ...]:
        """The feeds from which a key is computed anew."""
        return self.anew or self.feeds

    @property
    def present(self) -> str:
        """True over ``s`` for the rows that readers see."""
        tests = [f"s.{self.presence} > 0"] if self.presence else []
        tests += [f"({self.having})"] if self.having else []
        return " AND ".join(tests) or "1 = 1"

    @property
    def parts(self) -> tuple[Part, ...]:
        """Every stored column that is not a key column, in the order of storage."""
        return tuple(part for feed in self.feeds for part in feed.parts)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The sources, each once, in order of first use."""
        return tuple({feed.table.label: feed.table for feed in (*self.feeds, *self.anew)}.values())

    @property
    def captured(self) -> tuple[Table, ...]:
        """The sources whose changes are added up: not those from which a key is only computed anew."""
        return tuple({feed.table.label: feed.table for feed in self.feeds}.values())


@dataclass(frozen=True)
class KeyQuery:
    """How a change of one scan reaches units: SELECT `values` FROM the changed image, `joined` others and the functions `calls`
    of their rows WHERE `on`.

    `everywhere` tells that a change may touch every unit; then nothing else is said. A change of a figure reaches
    units only where what is compared lies `between` two of its values.
    """

    changed: Occurrence
    joined: tuple[Occurrence, ...]
    on: tuple[Scalar, ...]
    values: tuple[Scalar, ...]
    everywhere: bool = False
    calls: tuple[Called, ...] = ()
    between: Moved | None = None

    @property
    def scalars(self) -> tuple[Scalar, ...]:
        """Everything that it reads of rows."""
        moved = (self.between.rows, self.between.figure, *self.between.where) if self.between else ()
        return (*self.on, *self.values, *moved, *(called.call for called in self.calls))


@dataclass(frozen=True)
class DueTest:
    """A comparison with the moment. When its truth changes for a row of `routes[0].changed`, the units of `routes` are due.

    `column` and `bound` are its sides where one is a column and the other reads no column: an index finds such rows.
    """

    test: Scalar
    routes: tuple[KeyQuery, ...]
    column: Scalar | None = None
    bound: Scalar | None = None


@dataclass(frozen=True)
class Due:
    """How time makes units due: by `tests`, or everything at once (`everything`), at most every so many `seconds`."""

    moment: str
    tests: tuple[DueTest, ...]
    everything: bool
    seconds: float


@dataclass(frozen=True)
class Placement:
    """Where a batch's units restrict the query: in WHERE of the block with that number, `terms` pairs the place of a unit's
    column with what the block computes for it. `table` and `column` name the source's column when the first term is one.

    `sideways` tells that the block's rows only join rows of the unit, so that a NULL needs none of them. `rowid` is the place
    of a term that is the rowid of a table, `lead` that of one by which an index finds rows, a NULL among them.
    """

    block: int
    terms: tuple[tuple[int, Scalar], ...]
    source: tuple[Table, str] | None
    sideways: bool = False
    rowid: int | None = None
    lead: int | None = None


@dataclass(frozen=True)
class Remembered:
    """The memory of a derived table: columns with what they keep, and whether rows stay whose group vanished.

    `from_now` tells that rows begin with the first change after deployment.
    """

    columns: tuple[tuple[str, Memory], ...] = ()
    keeps_rows: bool = False
    from_now: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is remembered."""
        return not self.columns and not self.keeps_rows

    def of(self, name: str) -> Memory | None:
        """What a column keeps, or None."""
        return dict(self.columns).get(name)


@dataclass(frozen=True)
class Edge:
    """Equalities by which the units of a change of one scan are looked for in another. `terms` are pairs of what each side
    compares; who changes either side locks its values, so that two halves of a match meet."""

    left: Occurrence
    right: Occurrence
    terms: tuple[tuple[Scalar, Scalar], ...]


@dataclass(frozen=True)
class Locking:
    """What writers lock before they compute units again in their own transactions: the values of `edges` and then the units, or
    everything (`whole`). Where writers wait in line anyway, there are no edges."""

    edges: tuple[Edge, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class KeyedProgram:
    """Upkeep by recomputing affected keys with the user's own query.

    `unit` are the columns by which the query falls apart into independent pieces: the dirty set and a batch hold their values,
    and the rows of a unit are recomputed together. It is the key itself in most queries; empty = the whole result is one unit.
    `reads` maps a source's label to the columns that must be in its images; `routes` tell how changes reach units,
    `placements` where a batch of units restricts the query; `is_bounded` tells that they leave no part of it whole.
    `cut` orders and limits what readers see of the stored rows ``s``; empty = they see all.
    A source without an entry in `reads` is sampled: its changes make nothing dirty.
    `proven` tells that no two rows can have one key, whatever the sources hold; otherwise each batch looks for that.
    `memory` says which stored values outlive what the query computes. `sampled` are the columns that may be behind a sampled
    input, `samples_rows` tells that the very existence of a row may be. `due` says what becomes due as time passes, None where
    no clock is read. `locking` is for commit freshness, None where ticks compute the units. `keeps_changes` tells that what
    changed is kept for the units until they are computed.
    Where rows hold state that the user's query does not show, `shown` are the public columns over a stored row ``s``, and
    `having` filters what readers see. `shown_in` is the label of the user's table in whose columns they are shown, if any.
    `nulls` are the sets of columns of the key that are NULL together in a row; empty where any may be.
    """

    name: str
    key: tuple[KeyPart, ...]
    unit: tuple[KeyPart, ...]
    query: Query
    columns: tuple[Part, ...]
    routes: tuple[KeyQuery, ...]
    placements: tuple[Placement, ...]
    reads: dict[str, tuple[str, ...]] = field(hash=False)
    reasons: tuple[str, ...] = ()
    proven: bool = True
    is_bounded: bool = True
    cut: str = ""
    memory: Remembered = Remembered()
    sampled: tuple[str, ...] = ()
    samples_rows: bool = False
    due: Due | None = None
    locking: Locking | None = None
    shown: tuple[Visible, ...] = ()
    having: str = ""
    keeps_changes: bool = False
    shown_in: str = ""
    nulls: tuple[frozenset[str], ...] = ()

    @property
    def public(self) -> tuple[str, ...]:
        """The names of the query's columns that readers see."""
        return tuple(output.name for output in self.query.outputs if not is_hidden(output.name))

    @property
    def watched(self) -> tuple[Table, ...]:
        """The sources whose changes are in logs and make something dirty."""
        return tuple(table for table in self.tables if table.label in self.reads and not table.scanned)

    @property
    def scanned(self) -> tuple[Table, ...]:
        """The sources of which scans find the rows that make something dirty."""
        return tuple(table for table in self.tables if table.label in self.reads and table.scanned)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The sources, each once, in order of first use."""
        return tuple({o.table.label: o.table for o in self.query.all_occurrences}.values())
