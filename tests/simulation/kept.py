"""Where derived columns in the application's own tables are seen, and what they need.

Owns: `seen`, `asked`, `sources` and `is_kept`. Promises: of a derived table with a view of its own, that view and nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.simulation.case import Derived
from tests.simulation.relations import quote
from tests.simulation.worlds import World


def seen(one: Derived) -> str:
    """What readers select from."""
    table = one.options.get("columns_of")
    if table is None:
        return quote(one.name)
    shown = ", ".join(map(quote, (*one.key, *one.options["columns"])))
    return f"(SELECT {shown} FROM {quote(table)})"


def asked(tables: Iterable[Derived]) -> tuple[str, ...]:
    """The statements by which the tables of a program get the columns that are to be kept there."""
    return tuple(dict.fromkeys(text for one in tables for text in one.options.get("asks", ())))


def sources(world: World, tables: Iterable[Derived]) -> tuple[str, ...]:
    """What the application itself has written: its tables, without the columns that are kept there."""
    kept = {one.options.get("columns_of") for one in tables}
    return tuple(
        f"(SELECT {', '.join(field.quoted for field in table.fields)} FROM {table.quoted})"
        if table.name in kept
        else table.quoted
        for table in world.relations
    )


def is_kept(tables: Iterable[Derived]) -> bool:
    """Whether any of them is kept in a table of the application's, whose rows a tick then waits for."""
    return any("columns_of" in one.options for one in tables)
