"""Triggers on the store that keep a mirror in the user's table: whole texts for each engine.

Owns: the pieces that make a derived table visible in a table of the user's. Promises: they are created between filling and
verification. Filling has put every row there by then, and what changed in between is found and mended by the verification.
"""

from __future__ import annotations

from tidemark.maintenance.mirror import Mirror
from tidemark.render import mirror as texts
from tidemark.render.postgres_capture import dollar, pinned_settings
from tidemark.render.statements import Store
from tidemark.script import Piece


def sqlite_pieces(store: Store, mirror: Mirror, path: tuple[str, ...]) -> list[Piece]:
    """Row triggers on the store. `path` has no meaning here."""
    row = "(SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in store.columns) + ") AS s"
    write = texts.upsert(store, mirror, row) if mirror.owns_rows else _sqlite_update(store, mirror, row)
    bodies = {"insert": [write], "update": [write]}
    if mirror.owns_rows:
        hidden = f"{texts.delete(store, mirror, 'NEW')} AND NOT EXISTS (SELECT 1 FROM {row} WHERE {mirror.present})"
        bodies["update"] = [hidden, write]
        bodies["delete"] = [texts.delete(store, mirror, "OLD")]
    found = []
    for event, body in bodies.items():
        name, plain = store.names.own("mirror", event), store.names.plain("mirror", event)
        create = (
            f"CREATE TRIGGER {name} AFTER {event.upper()} ON {store.names.store}\nBEGIN\n  "
            + ";\n  ".join(body)
            + ";\nEND"
        )
        on = store.names.plain("")
        found.append(Piece("trigger", plain, create, f"DROP TRIGGER IF EXISTS {name}", on=on, public=True))
    return found


def _sqlite_update(store: Store, mirror: Mirror, row: str) -> str:
    """A trigger's UPDATE cannot give its table another name."""
    table = store.dialect.quote(mirror.table.name)
    return texts.update(store, mirror, row, table)


def postgres_pieces(store: Store, mirror: Mirror, path: tuple[str, ...]) -> list[Piece]:
    """One row trigger on the store, and its function."""
    settings = pinned_settings(path, (mirror.table,))
    names = store.names
    function, trigger = names.own("mirror"), names.bare("mirror")
    row = "(SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in store.columns) + ") AS s"
    body = "BEGIN\n"
    if mirror.owns_rows:
        shown = f"EXISTS (SELECT 1 FROM {row} WHERE {mirror.present})"
        body += f"  IF TG_OP = 'DELETE' THEN\n    {texts.delete(store, mirror, 'OLD')};\n    RETURN NULL;\n  END IF;\n"
        body += f"  IF NOT {shown} THEN\n    {texts.delete(store, mirror, 'NEW')};\n    RETURN NULL;\n  END IF;\n"
        body += f"  {texts.upsert(store, mirror, row)};\n"
    else:
        body += f"  IF TG_OP <> 'DELETE' THEN\n    {texts.update(store, mirror, row)};\n  END IF;\n"
    body += "  RETURN NULL;\nEND"
    create = (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {settings} AS {dollar(body)}"
    )
    plain = f"tidemark.{names.plain('mirror')}"
    on = f"tidemark.{names.plain('')}"
    return [
        Piece("function", plain, create, f"DROP FUNCTION IF EXISTS {function}() CASCADE", public=True),
        Piece(
            "trigger",
            names.plain("mirror"),
            f"CREATE TRIGGER {trigger} AFTER INSERT OR UPDATE OR DELETE ON {names.store} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()",
            f"DROP TRIGGER IF EXISTS {trigger} ON {names.store}",
            on=on,
            public=True,
        ),
        Piece(
            "step",
            f"{plain} always",
            f"ALTER TABLE {names.store} ENABLE ALWAYS TRIGGER {trigger}",
            "SELECT 1",
            on=on,
            public=True,
        ),
    ]
