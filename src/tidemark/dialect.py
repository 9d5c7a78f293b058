"""Frozen facts about SQLite and PostgreSQL, and how names and texts are written in both.

Owns: `Dialect` with its two values, its `Language` and its `Planner`, and the one quoting function. Promises: every way in which
the engines differ that is a *fact* is a field here with a conformance test on a live server; ways that are *text* are written
twice, whole, under `render`. Nothing in the project compares an engine's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CAPITALS = {ord(capital): capital.lower() for capital in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def ascii_lower(name: str) -> str:
    """Lower case for A–Z only, as both engines fold names."""
    return name.translate(_CAPITALS)


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
    """What a query may say on an engine, and what it means there.

    `rows_are_values`: the name of an item of FROM is its whole row, and a value may have fields. `columns_are_renamed`: an alias
    of an item of FROM may name its columns. `calls_name_columns`: a column without a name is called like the function that
    computes it. `takes_bare_columns`: a column that is neither grouped nor aggregated may stand beside max or min, and is that of
    the row which has it. `recursion_is_said`: only WITH RECURSIVE lets a query name itself. `refuses_several_rows`: a scalar
    subquery that finds several rows is an error. `orders_aggregates`: every version of the engine knows an order inside of an
    aggregate. `blind_collation` is the engine's own collation that does not see blanks at the end of a text, or empty.
    `names_of_trigger_rows` are the aliases under which the rows of a trigger hide those of the query around a subquery.
    `connections_differ`: what a function or an operator means is up to the connection, which may have its own.
    """

    rows_are_values: bool
    columns_are_renamed: bool
    calls_name_columns: bool
    takes_bare_columns: bool
    recursion_is_said: bool
    refuses_several_rows: bool
    orders_aggregates: bool
    blind_collation: str
    names_of_trigger_rows: tuple[str, ...]
    connections_differ: bool


@dataclass(frozen=True)
class Dialect:
    """Facts about one engine.

    `name` is also sqlglot's name of the dialect. `null_safe_equal` and `null_safe_differs` are infix operators; `big_integer` is
    the type of whole numbers; `schema` has what is ours, empty where there are none; `name_bytes_max` is the longest
    identifier in bytes; `online_index` is the word with which an index is made while writers go on, or empty; `view_replacement`
    are the words with which a view takes the place of another one whose columns it has too, or empty. `judges_values` tells that
    the server says which expressions depend on more than their row; where it does not, functions are known by name.
    `ordinal` is the type of a column that numbers rows as they are inserted, `row_place` names where a row is; `in_order` joins
    two items in the order in which they stand, which SQLite keeps and PostgreSQL finds; `greatest` and `least` are functions of
    two values without NULL.
    `names_have_case` tells that a name which something has is another one than the same in small letters.
    `types_are_fixed` tells that a value has the type of its column, and a literal that of what it is compared with; where it does
    not, a type is what a value is compared as and no more: a plus before a column takes it away, and a cast knows it by the words
    of its name.
    """

    name: str
    title: str
    null_safe_equal: str
    null_safe_differs: str
    big_integer: str
    schema: str
    name_bytes_max: int
    writers_wait_in_line: bool
    ours_prefix: str
    temporary_prefix: str
    online_index: str
    view_replacement: str
    judges_values: bool
    names_have_case: bool
    types_are_fixed: bool
    ordinal: str
    row_place: str
    in_order: str
    greatest: str
    least: str
    language: Language

    quote = staticmethod(quote)
    literal = staticmethod(literal)

    @property
    def has_schemas(self) -> bool:
        """Whether tables are in schemas."""
        return bool(self.schema)

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
    types_are_fixed=False,
    ordinal="INTEGER PRIMARY KEY",
    row_place="rowid",
    in_order="CROSS JOIN",
    greatest="max",
    least="min",
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
    types_are_fixed=True,
    ordinal="bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
    row_place="ctid",
    in_order="JOIN",
    greatest="greatest",
    least="least",
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
    ),
)
