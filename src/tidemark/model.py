"""Nouns shared by both towers: what a database holds and what a user declares.

Owns: `Column`, `Unique`, `Table`, `Kept`, `Catalog` (what is there) and `Source`, `Declaration`,
`Backfill` (what is wanted).
Promises: all are frozen values without behaviour beyond look-ups; names are the database's own, unquoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any, Literal

from tidemark.dialect import ascii_lower
from tidemark.errors import Code, Refusal
from tidemark.memory import Memory
from tidemark.plain import UNSTORED
from tidemark.processors import Processor

Freshness = Literal["commit", "tick"]
Marks = Literal["now", "history"]
Way = Literal["triggers", "scan"]
EngineName = Literal["sqlite", "postgres"]


@dataclass(frozen=True)
class Column:
    """A column of a source.

    `type` is the declared type (SQLite; empty for the ``ANY`` of a STRICT table, which is no type elsewhere) or ``format_type``
    text (PostgreSQL). `generated` is the expression of a generated column, else None. `default` is the SQL text of the default,
    else None. `rowid_alias` is true for an ``INTEGER PRIMARY KEY`` on SQLite. `collation` is None for the engine's default.
    `comparable` is false where values of the type cannot be told equal (PostgreSQL's json, point, jsonpath, and what holds one).
    """

    name: str
    type: str
    not_null: bool
    default: str | None = None
    generated: str | None = None
    collation: str | None = None
    rowid_alias: bool = False
    strict: bool = False
    comparable: bool = True


@dataclass(frozen=True)
class Unique:
    """A unique index or primary key: `terms` are column names, or None where the term is an expression.

    `expressions` holds every term as SQL text (quoted columns included), `where` the predicate of a partial index.
    """

    name: str
    terms: tuple[str | None, ...]
    expressions: tuple[str, ...]
    where: str | None = None
    primary: bool = False
    collations: tuple[str | None, ...] = ()


EXPRESSION = "="
"""Begins the term of an index that is an expression."""


@dataclass(frozen=True)
class Index:
    """Any index, unique or not: leading `terms` tell whether a look-up by key can use it. They are column names, or the text of
    an expression after `EXPRESSION`, or None where that is not known."""

    name: str
    terms: tuple[str | None, ...]
    where: str | None = None


@dataclass(frozen=True)
class Kept:
    """Which derived table's rows a table of ours holds: its public name, its generation, and how fresh they are."""

    derived: str
    generation: int
    freshness: str


@dataclass(frozen=True)
class Table:
    """A table, partitioned table or view as the catalog shows it.

    `schema` is empty on SQLite. `kind` is one of ``table``, ``partitioned``, ``view``, ``virtual``, ``foreign``,
    ``temporary``, ``inherited`` (a table whose rows include those of tables that inherit from it), ``materialized``.
    `leaves` are (schema, name) of every leaf partition. `forced_row_security` tells that our reads are filtered (PostgreSQL),
    `subscribed` that logical replication writes it, `below` that it is a partition of another table or inherits from one,
    `unlogged` that it or a partition of it is empty after a crash. `trigger_bodies` are the texts of triggers that are not ours.
    `echoes` tells that an update of a row may come back to it (SQLite), by actions of foreign keys, before its triggers are told
    of it; `reenters` that any statement may write the table again, by such actions or by triggers, before it is over;
    `rewritten` that a trigger of the user's may write a row before a statement writes that row, `unfollowed` that it may
    bring rows then, or give them other keys.
    `rows` is an estimate, None when unknown. `definition` is the query of a view, whose result columns have the names of
    `columns`, None for anything else. `keeps` tells that it is the store or the public view of a derived table, as it is or as
    it will be; None for the user's tables. `stated` are the facts that the user stated about it, None where nothing was; no
    catalog holds them.
    """

    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...]
    uniques: tuple[Unique, ...] = ()
    indexes: tuple[Index, ...] = ()
    leaves: tuple[tuple[str, str], ...] = ()
    without_rowid: bool = False
    forced_row_security: bool = False
    subscribed: bool = False
    below: bool = False
    unlogged: bool = False
    trigger_bodies: tuple[str, ...] = ()
    echoes: bool = False
    reenters: bool = False
    rewritten: bool = field(default=False, metadata=UNSTORED)
    unfollowed: bool = field(default=False, metadata=UNSTORED)
    rows: int | None = None
    definition: str | None = None
    keeps: Kept | None = None
    stated: Source | None = None

    @property
    def scanned(self) -> bool:
        """Whether changes are found by scans, and by no trigger."""
        return self.stated is not None and self.stated.capture == "scan"

    @property
    def watermark(self) -> str:
        """The column that scans go by; empty where there is none."""
        return self.stated.watermark if self.stated is not None else ""

    @property
    def append_only(self) -> bool:
        """Whether the user promised that rows are never changed or deleted."""
        return self.stated is not None and self.stated.append_only

    @property
    def pruned(self) -> bool:
        """Whether rows may be deleted without lowering what was made of them."""
        return self.stated is not None and self.stated.pruned

    @property
    def written_by_row(self) -> bool:
        """Whether rows may be written by what does not name the table, so that triggers of its statements do not tell."""
        return self.kind == "partitioned" or self.subscribed or self.below

    def column(self, name: str) -> Column | None:
        """The column of that exact name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    @property
    def label(self) -> str:
        """The name as users write it: ``name`` or ``schema.name``."""
        return f"{self.schema}.{self.name}" if self.schema not in ("", "public") else self.name

    @property
    def primary_key(self) -> Unique | None:
        """The primary key, or None."""
        return next((unique for unique in self.uniques if unique.primary), None)


@dataclass(frozen=True)
class Routine:
    """What is known of the user's functions of one name (PostgreSQL only): of several, what holds for all of them.

    `immutable` says that they are declared so, the functions inside of an aggregate included. `aggregate` ones take the rows of
    a group; `ordered` ones among them may depend on the order of the rows. `columns` are those of the rows that a function gives;
    None for one that gives a value, and an empty name where the column is called like the item of FROM.
    """

    immutable: bool
    aggregate: bool = False
    ordered: bool = False
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Catalog:
    """What a database holds: tables by (schema, name), and facts of the connection.

    `search_path` is the order in which unqualified names are looked up; ``("",)`` on SQLite. `volatile` holds the
    lower-case names of the functions that have a volatile overload (PostgreSQL only), `routines` the user's own by such names.
    `schemas` are all that exist; `homes` says in which of them readers see the derived tables that are installed. `unstored` are
    (label, column) of the generated columns that are computed when they are read.
    """

    tables: Mapping[tuple[str, str], Table]
    search_path: tuple[str, ...] = ("",)
    version: tuple[int, ...] = ()
    volatile: frozenset[str] = frozenset()
    bypasses_row_security: bool = True
    routines: Mapping[str, Routine] = field(default_factory=dict)
    schemas: frozenset[str] = frozenset()
    homes: Mapping[str, str] = field(default_factory=dict)
    unstored: frozenset[tuple[str, str]] = frozenset()

    def with_tables(self, tables: Iterable[Table]) -> Catalog:
        """The same with more tables, or with these in the place of those that have their names."""
        more = {(table.schema, table.name): table for table in tables}
        return replace(self, tables={**self.tables, **more}) if more else self

    def find(self, name: str, schema: str = "") -> Table | None:
        """The table that an SQL text means by that name, or None. SQLite's names ignore case; PostgreSQL's do not."""
        if self.search_path == ("",):
            if schema.lower() not in ("", "main"):
                return None
            exact = self.tables.get(("", name))
            folded = (table for (_, other), table in self.tables.items() if ascii_lower(other) == ascii_lower(name))
            return exact or next(folded, None)
        schemas = (schema,) if schema else self.search_path
        for candidate in schemas:
            found = self.tables.get((candidate, name))
            if found is not None:
                return found
        return None


@dataclass(frozen=True)
class OutputColumn:
    """A column of a query's result as the engine describes it.

    `type` is the type to declare a stored copy with (on SQLite the affinity word or an empty text), `collation` is the
    collation to declare, None for the default. `composite` are rows of values as one value (PostgreSQL), of which one that holds
    nothing but NULLs is a value to everything but ``IS NULL``. `comparable` is as of a `Column`. `enumerated` are the
    labels of an enum.
    """

    name: str
    type: str
    collation: str | None = None
    composite: bool = False
    comparable: bool = True
    enumerated: bool = False


Outputs = tuple[OutputColumn, ...]
Describe = Callable[[str], Outputs]
"""Asks the engine for the columns of a query, given as text."""


@dataclass(frozen=True)
class Source:
    """Facts that a user states about a base table.

    `append_only` promises that no row is ever changed or deleted, `pruned` that old rows may be deleted without lowering totals.
    `capture` is ``scan`` where no triggers are wanted: then `watermark` is the column whose values grow with every write, and
    `marks` tells whether scans begin behind the rows of deployment (``now``) or before the first row (``history``). `place` is
    ``file:line``.
    """

    name: str
    append_only: bool = False
    pruned: bool = False
    capture: Way = "triggers"
    watermark: str = ""
    marks: Marks = "now"
    place: str = ""


@dataclass(frozen=True)
class Crossing:
    """Thresholds `at` of a column of a derived table. When its value comes from below one of them to it or above, there is one
    event in the outbox for that row and threshold: ever, or with `again` each time.

    `handler` takes the database and the event when it is delivered (None: other programs read the outbox); what it writes commits
    with the delivery. One that is `external` takes the event alone, outside of any transaction, perhaps more than once.
    `stream` names the stream whose block dates the events, empty for none. `from_repair` tells that rows which a repair or a
    filling changes give events too.
    """

    column: str
    at: tuple[float, ...]
    handler: Callable[..., object] | None = field(default=None, compare=False)
    again: bool = False
    external: bool = field(default=False, compare=False)
    stream: str = ""
    from_repair: bool = False


@dataclass(frozen=True)
class Declaration:
    """One derived table as the user declared it.

    `query` maps an engine's name to SQL text (one entry, ``""``, when the same text serves both). `key` is empty when it
    is to be inferred. `sampled` names inputs (``table`` or ``table.column``) whose changes make nothing dirty. `keep` are
    the columns with memory; `keep_rows` tells that a row whose group vanished stays; `marks` is ``now`` when rows begin
    with the first change after deployment. `allow_global` consents to upkeep that costs the whole table, `allow_lock` to
    writers that wait for one another. `every` are the seconds between two ticks, `verify` those between two sweeps of a
    worker through all rows; `repair` tells that it mends what it finds. `support` asks for supports (True), does without
    them (False) or leaves it to the plan (None). `live` asks for a view of the rows as of now. `supported_by` are the names of
    those that it has, because of `why_supported`; `supports` is the name of the one that this is a support of. `place` is
    ``file:line`` of the declaration, `crossings` are those that `on_crossing` added. With a `processor` the query gives its
    units.
    """

    name: str
    query: Mapping[str, str]
    key: tuple[str, ...] = ()
    freshness: Freshness | None = None
    columns_of: str | None = None
    rows_of: str | None = None
    indexes: tuple[tuple[str, ...], ...] = ()
    was: str | None = None
    sampled: tuple[str, ...] = ()
    keep: tuple[tuple[str, Memory], ...] = ()
    keep_rows: bool = False
    marks: Marks = "history"
    allow_global: bool = False
    allow_lock: bool = False
    every: float | None = None
    support: bool | None = None
    supported_by: tuple[str, ...] = ()
    why_supported: str = ""
    supports: str = ""
    verify: float | None = None
    repair: bool = False
    live: bool = False
    place: str = ""
    crossings: list[Crossing] = field(default_factory=list)
    processor: Processor | None = None

    def on_crossing(
        self,
        column: str,
        *,
        at: Iterable[float],
        again: bool = False,
        external: bool = False,
        stream: str = "",
        from_repair: bool = False,
        handler: Callable[..., object] | None = None,
    ) -> Callable[[Callable[..., object]], Callable[..., object]]:
        """Write an event when a row's `column` reaches a threshold; see `Crossing`. A decorator of the handler, or a plain call.

        Raises `Refusal` (``declaration``) for thresholds that are no finite numbers, or that the column has already.
        """
        thresholds = tuple(sorted(set(at)))
        if not thresholds or not all(type(one) in (int, float) and isfinite(one) for one in thresholds):
            raise Refusal(
                Code.DECLARATION,
                f"on_crossing of {column}: the thresholds are {list(thresholds)}",
                instead="at=[10, 100], finite numbers",
                derived=self.name,
            )
        taken = {at for one in self.crossings if one.column == column for at in one.at} & set(thresholds)
        if taken:
            raise Refusal(
                Code.DECLARATION,
                f"on_crossing of {column}: {sorted(taken)} are thresholds of it already, and one event has one handler",
                instead="one handler that does both",
                derived=self.name,
            )
        place = len(self.crossings)
        self.crossings.append(Crossing(column, thresholds, handler, again, external, stream, from_repair))

        def take(function: Callable[..., object]) -> Callable[..., object]:
            self.crossings[place] = replace(self.crossings[place], handler=function)
            return function

        return take

    @property
    def has_memory(self) -> bool:
        """Whether what is stored depends on what was stored before."""
        return bool(self.keep) or self.keep_rows

    def query_for(self, engine: str) -> str | None:
        """The SQL text for that engine, or None when the declaration has none for it."""
        return text_for(self.query, engine)


@dataclass(frozen=True)
class Backfill:
    """A data migration of the user's, done once for every row of `table` in chunks by `key`.

    `sql` and `where` map an engine's name to text, as the query of a `Declaration` does; `function` takes the place of `sql`
    where Python does the work, and gets the rows' key and `columns`. `where` says which rows are wanted, empty = all.
    `quarantine_max` is how many keys may be quarantined before the whole has failed. `fingerprint` identifies what is done to a
    row; `place` is ``file:line``.
    """

    name: str
    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    sql: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    function: Callable[[Any, Any], object] | None = None
    quarantine_max: int = 100
    fingerprint: str = ""
    place: str = ""

    def text_for(self, texts: Mapping[str, str], engine: str) -> str | None:
        """The one of `sql` or `where` for that engine, or None."""
        return text_for(texts, engine)


def text_for(texts: Mapping[str, str], engine: str) -> str | None:
    """The text for an engine, or None when there is none: its own, or the one that serves both."""
    aliases = {"postgres": ("postgres", "postgresql", ""), "sqlite": ("sqlite", "")}
    return next((texts[alias] for alias in aliases[engine] if alias in texts), None)
