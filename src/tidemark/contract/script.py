"""The contract between the towers: finished SQL text for one derived table on one engine.

The pure tower makes a `Script`; the effect tower installs its pieces and runs its statements. Promises: a script is a frozen
value, it can be printed before anything happens, and its fingerprint is a hash of every text in it. Statements name all that they
touch; the only parameters are those that a docstring here lists, written ``:name``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from tidemark.contract.costs import Fan, Operator
from tidemark.contract.scans import SourceScan
from tidemark.contract.tick import DueTexts, SourceLog, Tick
from tidemark.contract.walk import Pages
from tidemark.contract.ways import Whole
from tidemark.contract.widening import NOT_WIDENED, Wide
from tidemark.model import Kept, Table
from tidemark.plain import as_data, fingerprint, fingerprint_of
from tidemark.processors import Compute

_MARK = re.compile(r"/\* tidemark:[0-9a-f]* \*/ ?")


def mark(before: str, after: str) -> str:
    """The text of an object with a comment between `before` and `after` that carries its fingerprint."""
    return f"{before}/* tidemark:{fingerprint(before + after)} */ {after}"


def unmarked(text: str) -> str:
    """The text without the comment that carries its fingerprint."""
    return _MARK.sub("", text, count=1)


PieceKind = Literal["table", "index", "type", "function", "trigger", "view", "step"]

_CREATE = re.compile(
    r"\s*CREATE\s+(?P<unique>UNIQUE\s+)?(?P<kind>TABLE|INDEX|TRIGGER|VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?", re.I
)


def canonical_create(create: str) -> str:
    """The statement as SQLite's schema keeps it: one way to write its beginning, nothing after its end.

    Both sides of every comparison of texts go through here, so that ``IF NOT EXISTS`` or a last semicolon make no difference.
    """

    def opening(match: re.Match[str]) -> str:
        return f"CREATE {'UNIQUE ' if match['unique'] else ''}{match['kind'].upper()} "

    return _CREATE.sub(opening, create, count=1).rstrip(" ;\t\r\n")


@dataclass(frozen=True)
class Piece:
    """One object that installation creates.

    `name` is unquoted (with schema on PostgreSQL: ``tidemark.x``), `on` the label of the table it hangs on, `create` and `drop`
    whole statements; `drop` must succeed when the object is gone already. `public` is what readers see, made at cutover.
    """

    kind: PieceKind
    name: str
    create: str
    drop: str
    on: str = ""
    public: bool = False
    capture: bool = False

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that identify the text of the object."""
        return fingerprint(canonical_create(self.create))


@dataclass(frozen=True)
class Carried:
    """A column with memory; `merge` is its value from the older store's row (``excluded``) and the stored one (``s``)."""

    name: str
    type: str
    quoted: str
    merge: str


@dataclass(frozen=True)
class Carry:
    """How memory moves from an older store into this script's: only columns and keys of the same name and type.

    `key` are (name, type). `rows` tells that the existence of a row is memory too. `list_keys` fill ``todo`` with the units of
    ``{old}``, the older store; `insert` (parameters ``:low``, ``:high``) takes those units, with ``{columns}`` and ``{values}``
    (each beginning with a comma) for the columns that both remember, and ``{action}`` for what happens to rows that are there.
    `adopt` are statements that take the rows which are in the user's own table before the first deployment.
    """

    key: tuple[tuple[str, str], ...]
    columns: tuple[Carried, ...]
    rows: bool
    list_keys: tuple[str, ...]
    insert: str
    adopt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Applier:
    """The one applier's statements: recompute a batch of units and write what differs.

    A *unit* is a value of `unit_columns`: the key itself, or columns by which the query falls apart into independent pieces,
    whose rows are recomputed together; without columns there is one unit, everything.
    All statements run on one session; `batch`, `fresh` and `todo` are temporary tables of it.
    1. `create_batch`, `create_fresh`, `create_stored`, `create_todo`, `create_rows`: once per session (safe to repeat).
    2. `clear_batch`, then units are put into `batch` (by `take_todo`, `take_dirty`, or `add_key` with parameters
       ``:k0 … :kn``).
    3. `lock`: statements that lock the stored rows of the batch in key order, making placeholders (empty on SQLite, and where
       the fenced lease admits one writer of the rows).
       Then `gather`: statements that evaluate the query for the batch and number its rows, where they are not the batch's keys.
       Then `duplicate`, if any: one query whose only row is a key that the result has twice.
    4. `recompute`: statements that empty `fresh` and fill it with the true state of the batch's keys.
       Along with it a temporary table of the batch's stored rows is filled; both carry the batch's ordinal ``tidemark_n``.
       `looked_up`, if any, do the same where `indexed` holds, key by key; `recomputing` are those that serve.
    5. `compare`: one query; rows are ``(kind, key…, stored columns…, fresh columns…)`` with kind in ``missing``,
       ``extra``, ``different``; columns are `public_columns` as a reader sees them (hidden state included under its own
       name after them, so that a drift in hidden state shows).
    6. `write`: statements that make the store equal to `fresh` for the batch, writing only what differs; the sum of
       their row counts is the number of rows written.

    `list_keys` fills `todo` (columns ``tidemark_n`` from 1, then the unit) with every unit that the query or the store has,
    in order; `pages`, if any, list them some at a time. `take_todo` has parameters ``:low`` and ``:high`` (``tidemark_n >
    :low AND tidemark_n <= :high``). `count_todo` returns one number; `count_rows`, if any, the number of keys in the batch's
    units. `indexed` tells that a batch's recompute reaches an index; when it is false a batch costs a scan of the source, so
    few big batches are better than many small ones. `at_checkpoint` tells that a row is recomputed as of the checkpoint of
    its logs, which wants one moment for all statements of a batch. `tolerant` names columns of floating point whose value
    depends on the order of addition. `sampled` names columns that may be behind a sampled input, `samples_rows` tells that
    the existence of rows may be: what differs there alone is stale, not drift. Where columns have memory, the last statements
    of `recompute` bring the stored values into `fresh`; `carry` says how memory moves between stores. With `compute` Python gives
    the rows that are gathered. `newest` (parameter ``:limit``) are SELECTs of units that the newest
    rows of sources reach, and the last tick of the session.
    `begins_at` and `ends_at`, if any, are places in `todo`: of the first unit not before ``:k0 …``, of the last not after it.
    """

    create_batch: str
    create_fresh: str
    create_stored: str
    create_todo: str
    clear_batch: str
    add_key: str
    lock: tuple[str, ...]
    recompute: tuple[str, ...]
    compare: str
    write: tuple[str, ...]
    list_keys: tuple[str, ...]
    take_todo: str
    count_todo: str
    indexed: bool
    key_columns: tuple[str, ...]
    compared_columns: tuple[str, ...]
    tolerant: tuple[str, ...] = ()
    unit_columns: tuple[str, ...] | None = None
    create_rows: tuple[str, ...] = ()
    gather: tuple[str, ...] = ()
    duplicate: str = ""
    count_rows: str = ""
    at_checkpoint: bool = False
    whole: Whole | None = None
    sampled: tuple[str, ...] = ()
    samples_rows: bool = False
    carry: Carry | None = None
    pages: Pages | None = None
    compute: Compute | None = None
    newest: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()
    begins_at: str = ""
    ends_at: str = ""

    @property
    def recomputing(self) -> tuple[str, ...]:
        """The statements that recompute a batch in this database."""
        return self.looked_up if self.indexed and self.looked_up else self.recompute

    @property
    def of_one_moment(self) -> bool:
        """Whether the statements of a batch want to see one moment."""
        return self.at_checkpoint or self.compute is not None

    @property
    def units(self) -> tuple[str, ...]:
        """The columns of a unit."""
        return self.key_columns if self.unit_columns is None else self.unit_columns


@dataclass(frozen=True)
class Capture:
    """The log of one source and what writes it, shared by every derived table at tick freshness that reads the source.

    `columns` are the columns whose images are logged, in the order in which they came to be: a capture is reshaped by more
    columns at the end, and without those that nobody reads. `log` is the quoted log table, `name` its plain name.
    `pieces` create everything, the log first. `locks` are statements after which no writer of the source is under way: a
    reshaping runs them first. `extensions` are (column, statement) that add one column to the log, `narrowings` those that
    take one away, where the engine needs to touch no row for it."""

    source: str
    engine: str
    columns: tuple[str, ...]
    log: str
    name: str
    pieces: tuple[Piece, ...]
    locks: tuple[str, ...]
    extensions: tuple[tuple[str, str], ...]
    narrowings: tuple[tuple[str, str], ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over every text."""
        return fingerprint_of(self)


@dataclass(frozen=True)
class MissingIndex:
    """An index on a table of the user's that upkeep would profit from. Unasked nobody makes it.

    `table` is the table's label, `names` are the unquoted names of what is made (on a partitioned table one for each partition,
    the whole first), `schema` is where they are. `statements` make it in order without keeping any writer waiting where
    the engine can do that; they are empty for the rows of another derived table, whose declaration can ask for it, and so are
    the names where no index serves. A `required` one is made by every `apply` before anything else.
    """

    table: str
    schema: str
    names: tuple[str, ...]
    statements: tuple[str, ...]
    reason: str
    required: bool = False

    @property
    def text(self) -> str:
        """What to run or to declare, on one line."""
        if not self.names:
            return f"none that a column of {self.table} could have"
        return "; ".join(self.statements) or f"declare an index on {self.table} ({self.names[0]})"


@dataclass(frozen=True)
class Script:
    """Everything that one derived table needs on one engine.

    `klass` is ``linear``, ``keyed`` …; `reasons` say why, in sentences. `key` and `columns` are the public column names
    in order. `sources` are labels of the base tables it reads. `pieces` are in order of creation (drop in reverse).
    `tick` is None at commit freshness. `public` is the quoted name that readers use: the view, or the user's own table.
    `truth` is the user's query, normalised, for explain and for checks. `missing_indexes` would make
    upkeep cheaper; nobody makes them unasked. `routes` say, in sentences, how a change of each source reaches keys.
    `live` is a SELECT of the rows as of now at tick freshness: what is stored and what waits; where it is empty, `why_not_live`
    says why.
    `verify_seconds` lie between two sweeps of a worker, 0 for none; `repairs` mends what they find.
    `watches` are the columns that the query reads of each source, by label, and without any the views and functions that it
    names: a change of their definition is noticed.
    `reads` are the derived tables that it reads, `offers` the store and the public view as other derived tables read them;
    `joins` names the derived table in whose public view the columns stand too, empty for none; `supports` the declared one
    whose support this is, which has no public name of its own, `supported_by` are the names of the supports of this one.
    `operators` are those of the query, each with its own class; `fans` say where one value reaches many rows.
    `crosses` tells that its rows write events, `pruned` are sources whose rows it counts when they are gone, `holds` says what
    each column is that is added up, `wide` how the store came to its columns.
    """

    name: str
    engine: str
    generation: int
    klass: str
    freshness: str
    reasons: tuple[str, ...]
    key: tuple[str, ...]
    columns: tuple[str, ...]
    sources: tuple[str, ...]
    pieces: tuple[Piece, ...]
    applier: Applier
    tick: Tick | None
    store: str
    public: str
    truth: str
    missing_indexes: tuple[MissingIndex, ...] = ()
    watches: tuple[tuple[str, tuple[str, ...]], ...] = ()
    verify_seconds: float = 0.0
    repairs: bool = False
    notes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    live: str = ""
    why_not_live: str = ""
    reads: tuple[Kept, ...] = ()
    offers: tuple[Table, ...] = ()
    joins: str = ""
    supports: str = ""
    supported_by: tuple[str, ...] = ()
    operators: tuple[Operator, ...] = ()
    fans: tuple[Fan, ...] = ()
    crosses: bool = False
    pruned: tuple[str, ...] = ()
    holds: tuple[tuple[str, str], ...] = ()
    wide: Wide = NOT_WIDENED

    @property
    def logs(self) -> tuple[SourceLog, ...]:
        """The logs that its ticks read; none at commit freshness."""
        return self.tick.logs if self.tick is not None else ()

    @property
    def scans(self) -> tuple[SourceScan, ...]:
        """The sources without triggers that its ticks scan."""
        return self.tick.scans if self.tick is not None else ()

    @property
    def due(self) -> DueTexts | None:
        """What time alone makes due, of which its ticks have a moment of their own; None where no clock is read."""
        return self.tick.due if self.tick is not None else None

    @property
    def home(self) -> str:
        """The schema in which readers see a view of the rows; empty on SQLite, and where there is none."""
        return self.offers[1].schema if len(self.offers) > 1 else ""

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits over every text except the generation's number."""
        return fingerprint_of(self)

    def as_json(self) -> dict[str, Any]:
        """The script as plain data, for the ledger and for ``--json``."""
        data: dict[str, Any] = as_data(self)
        return data
