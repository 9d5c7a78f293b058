"""PostgreSQL: a trigger on the stored rows that writes crossings into the outbox.

Owns: the pieces of a derived table's crossings on PostgreSQL. Promises: a writer needs no right on the outbox; two
transactions that take one row over one threshold wait for each other at the row, so there is one event.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.model import Crossing
from tidemark.names import ledger
from tidemark.render.crossings import COLUMNS, Shown, crossing_select
from tidemark.render.postgres_capture import dollar
from tidemark.render.postgres_settings import pinned_settings
from tidemark.script import Piece

NUMERIC = "{} IS NOT NULL"


def crossing_pieces(shown: Shown, crossings: Sequence[Crossing], path: tuple[str, ...]) -> tuple[Piece, ...]:
    """One row trigger and its function. `path` are the schemas in which the user's functions are found."""
    if not crossings:
        return ()
    names = shown.store.names
    function, trigger, plain = names.own("crossing"), names.bare("crossing"), f"tidemark.{names.plain('crossing')}"
    came, changed = (
        "".join(f"    {_insert(shown, one, changed=changed)};\n" for one in crossings) for changed in (False, True)
    )
    body = f"BEGIN\n  IF TG_OP = 'INSERT' THEN\n{came}  ELSE\n{changed}  END IF;\n  RETURN NULL;\nEND"
    definer = f"LANGUAGE plpgsql SECURITY DEFINER {pinned_settings(path)}"
    create = f"CREATE FUNCTION {function}() RETURNS trigger {definer} AS {dollar(body)}"
    on = f"tidemark.{names.plain('')}"
    fires = (
        f"CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE ON {names.store} FOR EACH ROW EXECUTE FUNCTION {function}()"
    )
    always = f"ALTER TABLE {names.store} ENABLE ALWAYS TRIGGER {trigger}"
    drop = f"DROP TRIGGER IF EXISTS {trigger} ON {names.store}"
    return (
        Piece("function", plain, create, f"DROP FUNCTION IF EXISTS {function}() CASCADE", public=True),
        Piece("trigger", names.plain("crossing"), fires, drop, on=on, public=True),
        Piece("step", f"{plain} always", always, "SELECT 1", on=on, public=True),
    )


def _insert(shown: Shown, crossing: Crossing, *, changed: bool) -> str:
    chosen = crossing_select(shown, crossing, _as_json, NUMERIC, changed=changed)
    once = "" if crossing.again else " ON CONFLICT (derived, column_name, threshold, key) WHERE once = 1 DO NOTHING"
    return f"INSERT INTO {ledger(shown.store.dialect, 'outbox')} ({COLUMNS})\n    {chosen}{once}"


def _as_json(row: str, column: str) -> str:
    return f"coalesce(CAST(to_json({row}.{column}) AS text), 'null')"
