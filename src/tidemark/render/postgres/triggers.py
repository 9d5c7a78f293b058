"""PostgreSQL: a trigger of ours, its function, and what makes it fire whoever writes.

Owns: the three pieces of any trigger with a function of its own. Promises: the function has our rights and not the writer's; no
replication role silences the trigger; both go together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidemark.contract.script import Piece
from tidemark.model import Table
from tidemark.names import Names
from tidemark.render.postgres.alike import differ
from tidemark.render.statements import qualified


@dataclass(frozen=True)
class On:
    """The table that a trigger is on: its quoted name, and the label by which catalog and people know it."""

    quoted: str
    label: str


def dollar(body: str) -> str:
    """A function's body in dollar quotes that do not occur in it."""
    tag, number = "$tidemark$", 2
    while tag in body:
        tag, number = f"$tidemark{number}$", number + 1
    # The user's columns may be called like a trigger function's own variables, such as old and new.
    return f"{tag}\n#variable_conflict use_column\n{body}\n{tag}"


def routine(body: str, settings: str = "") -> str:
    """What a trigger's function is after its name: its language, its rights and settings, and the body."""
    return f"{f'LANGUAGE plpgsql SECURITY DEFINER {settings}'.rstrip()} AS {dollar(body)}"


def trigger_pieces(
    names: Names, kind: tuple[str, ...], on: On, fires: str, routine: str, *, public: bool = False
) -> list[Piece]:
    """A trigger that `fires` as said, its function, and the step that makes it fire for replicated changes too. It captures
    unless it is `public`."""
    function, trigger, plain = names.own(*kind), names.bare(*kind), names.listed(*kind)
    create = f"CREATE FUNCTION {function}() RETURNS trigger {routine}"
    found = [
        Piece("function", plain, create, f"DROP FUNCTION IF EXISTS {function}() CASCADE"),
        Piece(
            "trigger",
            names.plain(*kind),
            f"CREATE TRIGGER {trigger} {fires} EXECUTE FUNCTION {function}()",
            f"DROP TRIGGER IF EXISTS {trigger} ON {on.quoted}",
            on=on.label,
        ),
        Piece(
            "step",
            f"{plain} always",
            f"ALTER TABLE {on.quoted} ENABLE ALWAYS TRIGGER {trigger}",
            "SELECT 1",
            on=on.label,
        ),
    ]
    return [replace(piece, public=public, capture=not public) for piece in found]


def event_pieces(
    names: Names, table: Table, event: str, routine: str, reads: tuple[str, ...], *, by_row: bool
) -> list[Piece]:
    """The function and the trigger of one event on a source."""
    on = On(qualified(table, names.dialect), table.label)
    transition = {
        "insert": " REFERENCING NEW TABLE AS n",
        "delete": " REFERENCING OLD TABLE AS o",
        "update": " REFERENCING OLD TABLE AS o NEW TABLE AS n",
    }[event]
    level = "FOR EACH ROW" if by_row else "FOR EACH STATEMENT"
    when = ""
    if by_row and event == "update":
        tests = [differ(table, name, "OLD", "NEW") for name in reads]
        when = f" WHEN ({' OR '.join(tests)})" if tests else ""
    fires = f"AFTER {event.upper()} ON {on.quoted}{'' if by_row else transition} {level}{when}"
    return trigger_pieces(names, (event, table.label), on, fires, routine)


def truncate_pieces(names: Names, table: Table, schema: str, name: str, routine: str, *, timing: str) -> list[Piece]:
    """The function and the trigger of TRUNCATE on a table that holds rows of a source."""
    on = On(names.dialect.quote(schema, name), name if schema == "public" else f"{schema}.{name}")
    fires = f"{timing} TRUNCATE ON {on.quoted} FOR EACH STATEMENT"
    # Rows of a partition are also rows of the whole, which may be a source, too: each has a trigger of its own there.
    kind = (f"truncate_{timing.lower()}", *(("of", table.label) if table.below else ()), on.label)
    return trigger_pieces(names, kind, on, fires, routine)
