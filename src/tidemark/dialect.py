"""Frozen facts about SQLite and PostgreSQL, and the one quoting function.

Owns: `Dialect` and its two values. Promises: every way in which the engines differ that is a *fact* is a
field here with a conformance test on a live server; ways that are *text* are written twice, whole, under
`render`. Nothing in the project compares an engine's name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """Facts about one engine.

    `name` is also sqlglot's name of the dialect. `null_safe_equal` and `null_safe_differs` are infix operators; `big_integer` is
    the type of whole numbers; `schema` has what is ours, empty where there are none; `name_bytes_max` is the longest
    identifier in bytes; `online_index` is the word with which an index is made while writers go on, or empty; `view_replacement`
    are the words with which a view takes the place of another one whose columns it has too, or empty. `judges_values` tells that
    the server says which expressions depend on more than their row; where it does not, functions are known by name.
    `types_are_fixed` tells that a value has the type of its column; where it does not, a type is what a value is compared as and
    no more: a plus before a column takes it away, and a cast knows it by the words of its name.
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
    types_are_fixed: bool

    @property
    def has_schemas(self) -> bool:
        """Whether tables are in schemas."""
        return bool(self.schema)

    def quote(self, *parts: str) -> str:
        """An identifier, quoted; several parts are joined by dots, and an empty schema before a name is left out."""
        kept = parts[1:] if len(parts) > 1 and not parts[0] else parts
        return ".".join('"' + part.replace('"', '""') + '"' for part in kept)

    def cast(self, type_: str) -> str:
        """What behind a value in parentheses makes it one of a type; empty without a type, and where none is fixed."""
        return f"::{type_}" if self.types_are_fixed and type_ else ""

    def typed(self, value: str, type_: str) -> str:
        """A value as one of a type; as it is where `cast` is empty."""
        cast = self.cast(type_)
        return f"({value}){cast}" if cast else value

    def literal(self, text: str) -> str:
        """A text literal. Text with a NUL character cannot be written in either engine."""
        return "'" + text.replace("'", "''") + "'"


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
    types_are_fixed=False,
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
    types_are_fixed=True,
)
