"""Frozen facts about SQLite and PostgreSQL, and how names and texts are written in both.

Owns: `Dialect` with its two values, its `Language` and its `Planner`, and the one quoting function. Promises: every way in which
the engines differ that is a *fact* is a field here with a conformance test on a live server; ways that are *text* are written
twice, whole, under `render`. Nothing in the project compares an engine's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_CAPITALS = {ord(capital): capital.lower() for capital in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def ascii_lower(name: str) -> str:
    """Lower case for A–Z only, as both engines fold names."""
    return name.translate(_CAPITALS)


@lru_cache(maxsize=4096)
def quote(*parts: str) -> str:
    """An identifier, quoted; several parts are joined by dots, and an empty schema before a name is left out."""
    kept = parts[1:] if len(parts) > 1 and not parts[0] else parts
    return ".".join('"' + part.replace('"', '""') + '"' for part in kept)


def unquote(quoted: str) -> str:
    """What `quote` made of one name or several, with dots between them, as people read it and catalogs have it."""
    return ".".join(part.replace('""', '"') for part in re.findall(r'"((?:[^"]|"")*)"', quoted))


def literal(text: str) -> str:
    """A text literal. Text with a NUL character cannot be written in either engine."""
    return "'" + text.replace("'", "''") + "'"


@dataclass(frozen=True)
class Language:
    """What a query may say on an engine, and what it means there."""

    rows_are_values: bool
    """The name of an item of FROM is its whole row, and a value may have fields."""
    columns_are_renamed: bool
    """An alias of an item of FROM may name its columns."""
    calls_name_columns: bool
    """A column without a name is called like the function that computes it."""
    takes_bare_columns: bool
    """A column that is neither grouped nor aggregated may stand beside max or min, and is that of the row which has it."""
    recursion_is_said: bool
    """Only WITH RECURSIVE lets a query name itself."""
    refuses_several_rows: bool
    """A scalar subquery that finds several rows is an error."""
    orders_aggregates: bool
    """Every version of the engine knows an order inside of an aggregate."""
    blind_collation: str
    """The engine's own collation that does not see blanks at the end of a text, or empty."""
    names_of_trigger_rows: tuple[str, ...]
    """Aliases under which the rows of a trigger hide those of the query around a subquery."""
    connections_differ: bool
    """What a function or an operator means is up to the connection, which may have its own."""
    seal_of_outer_joins: str
    """Ends a subquery with a RIGHT or FULL JOIN, so that no condition around it comes inside, where some version of the engine
    then loses rows (SQLite 3.40, of what is compared by IS); empty where none does."""
    sign_of_values: str
    """A sign before a column of a UNION, without which its values are converted to the type of the first branch's when the rows
    are put away to be read twice; empty where branches have one type."""


@dataclass(frozen=True)
class Planner:
    """How an engine finds rows, as far as its plans show."""

    keeps_order: bool
    """Items that CROSS JOIN joins are gone through in the order in which they stand."""
    joins_by_hash: bool
    """Two items may be joined as wholes, without a look-up for each row."""
    joins_exists: bool
    """EXISTS may be joined like any item, from either side, on every version."""
    finds_nulls: bool
    """An index serves a comparison to which NULLs are equal."""
    needs_vacuum: bool
    """An index that holds all that is read serves for rows alone that a vacuum has seen."""
    aside: str
    """A sign before a value that sets the index over it aside, or empty."""


@dataclass(frozen=True)
class Dialect:
    """Facts about one engine."""

    name: str
    """Also sqlglot's name of the dialect."""
    title: str
    null_safe_equal: str
    """An infix operator, as the next one."""
    null_safe_differs: str
    big_integer: str
    """The type of whole numbers."""
    schema: str
    """What is ours is in it; empty where there are none."""
    name_bytes_max: int
    """The longest identifier in bytes."""
    writers_wait_in_line: bool
    ours_prefix: str
    temporary_prefix: str
    online_index: str
    """The word with which an index is made while writers go on, or empty."""
    view_replacement: str
    """The words with which a view takes the place of another one whose columns it has too, or empty."""
    judges_values: bool
    """The server says which expressions depend on more than their row; where it does not, functions are known by name."""
    names_have_case: bool
    """A name that something has is another one than the same in small letters."""
    merged_come_first: bool
    """What USING and NATURAL name comes first in ``*``."""
    joins_look_ahead: bool
    """The condition of a join may name what is joined after it."""
    types_are_fixed: bool
    """A value has the type of its column, and a literal that of what it is compared with. Where they are not, a type is what a
    value is compared as and no more: a plus before a column takes it away, and a cast knows it by the words of its name."""
    ordinal: str
    """The type of a column that numbers rows as they are inserted."""
    identity: str
    """The type of a column that numbers rows by itself."""
    lasting: str
    """The same, where a number that was given is never given again."""
    row_place: str
    """Names where a row is."""
    greatest: str
    """A function of two values without NULL, as the next one."""
    least: str
    greatest_skips_nulls: bool
    """Both leave a NULL out."""
    kept_in_key: str
    """The words behind a table that is kept in its own key, or empty."""
    room_for_updates: str
    """The words behind a table whose rows are updated where they are, or empty."""
    has_arrays: bool
    has_truncate: bool
    deletes_joined: bool
    """There is DELETE … USING."""
    knows_equal_nulls: bool
    """A unique index may take NULLs for equal."""
    drops_unwritten: bool
    """A column is dropped without writing a row."""
    forgets_readers: bool
    """A column goes, or gets another name, though a function of ours reads it, and whoever runs that fails then."""
    has_row_security: bool
    """Policies may hide rows of a table from who reads it."""
    sums_overflow: bool
    """A sum of whole numbers fails where it leaves their range on its way."""
    language: Language
    planner: Planner

    quote = staticmethod(quote)
    literal = staticmethod(literal)

    @property
    def has_schemas(self) -> bool:
        """Whether tables are in schemas."""
        return bool(self.schema)

    @property
    def in_order(self) -> str:
        """What joins two items in the order in which they stand, where the engine does not find it."""
        return "CROSS JOIN" if self.planner.keeps_order else "JOIN"

    def fold(self, name: str) -> str:
        """A name that something has, as the engine compares it with one that is looked up."""
        return name if self.names_have_case else ascii_lower(name)

    def cast(self, type_: str) -> str:
        """What behind a value in parentheses makes it one of a type; empty without a type, and where none is fixed."""
        return f"::{type_}" if self.types_are_fixed and type_ else ""

    def typed(self, value: str, type_: str) -> str:
        """A value as one of a type; as it is where `cast` is empty."""
        cast = self.cast(type_)
        return f"({value}){cast}" if cast else value


SQLITE = Dialect(
    name="sqlite",
    title="SQLite",
    null_safe_equal="IS",
    null_safe_differs="IS NOT",
    big_integer="INTEGER",
    schema="",
    name_bytes_max=200,
    writers_wait_in_line=True,
    ours_prefix="tidemark_",
    temporary_prefix="temp.",
    online_index="",
    view_replacement="",
    judges_values=False,
    names_have_case=False,
    merged_come_first=False,
    joins_look_ahead=True,
    types_are_fixed=False,
    ordinal="INTEGER PRIMARY KEY",
    identity="INTEGER PRIMARY KEY",
    lasting="INTEGER PRIMARY KEY AUTOINCREMENT",
    row_place="rowid",
    greatest="max",
    least="min",
    greatest_skips_nulls=False,
    kept_in_key=" WITHOUT ROWID",
    room_for_updates="",
    has_arrays=False,
    has_truncate=False,
    deletes_joined=False,
    knows_equal_nulls=False,
    drops_unwritten=False,
    forgets_readers=False,
    has_row_security=False,
    sums_overflow=True,
    language=Language(
        rows_are_values=False,
        columns_are_renamed=False,
        calls_name_columns=False,
        takes_bare_columns=True,
        recursion_is_said=False,
        refuses_several_rows=False,
        orders_aggregates=False,
        blind_collation="RTRIM",
        names_of_trigger_rows=("new", "old"),
        connections_differ=True,
        seal_of_outer_joins="LIMIT -1",
        sign_of_values="+",
    ),
    planner=Planner(
        keeps_order=True,
        joins_by_hash=False,
        joins_exists=False,
        finds_nulls=True,
        needs_vacuum=False,
        aside="+",
    ),
)

POSTGRESQL = Dialect(
    name="postgres",
    title="PostgreSQL",
    null_safe_equal="IS NOT DISTINCT FROM",
    null_safe_differs="IS DISTINCT FROM",
    big_integer="bigint",
    schema="tidemark",
    name_bytes_max=63,
    writers_wait_in_line=False,
    ours_prefix="tidemark.",
    temporary_prefix="pg_temp.",
    online_index="CONCURRENTLY ",
    view_replacement="OR REPLACE ",
    judges_values=True,
    names_have_case=True,
    merged_come_first=True,
    joins_look_ahead=False,
    types_are_fixed=True,
    ordinal="bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    identity="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    lasting="bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    row_place="ctid",
    greatest="greatest",
    least="least",
    greatest_skips_nulls=True,
    kept_in_key="",
    room_for_updates=" WITH (fillfactor = 70)",
    has_arrays=True,
    has_truncate=True,
    deletes_joined=True,
    knows_equal_nulls=True,
    drops_unwritten=True,
    forgets_readers=True,
    has_row_security=True,
    sums_overflow=False,
    language=Language(
        rows_are_values=True,
        columns_are_renamed=True,
        calls_name_columns=True,
        takes_bare_columns=False,
        recursion_is_said=True,
        refuses_several_rows=True,
        orders_aggregates=True,
        blind_collation="",
        names_of_trigger_rows=(),
        connections_differ=False,
        seal_of_outer_joins="",
        sign_of_values="",
    ),
    planner=Planner(
        keeps_order=False,
        joins_by_hash=True,
        joins_exists=True,
        finds_nulls=False,
        needs_vacuum=True,
        aside="",
    ),
)
