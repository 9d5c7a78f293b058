"""Triggers on the store that keep a mirror in the user's table: whole texts for each engine.

Owns: the pieces that make a derived table visible in a table of the user's. Promises: they are created between filling and
verification. Filling has put every row there by then, and what changed in between is found and mended by the verification.
"""

from __future__ import annotations

from tidemark.maintenance.mirror import Mirror
from tidemark.render import mirror as texts
from tidemark.render.postgres_capture import dollar
from tidemark.render.postgres_settings import pinned_settings
from tidemark.render.statements import PLANNING, Store, qualified
from tidemark.script import Piece

IMAGES = "tidemark_images"
"""The stored rows that a statement wrote, or took away."""


def sqlite_pieces(store: Store, mirror: Mirror, path: tuple[str, ...], by_batch: bool) -> list[Piece]:
    """Row triggers on the store. `path` and `by_batch` have no meaning here."""
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


def postgres_pieces(store: Store, mirror: Mirror, path: tuple[str, ...], by_batch: bool) -> list[Piece]:
    """Triggers on the store, and their functions: one for each row that a writer's commit changes, or for each statement where
    ticks write rows by the batch."""
    settings = pinned_settings(path, (column.type for column in mirror.table.columns))
    if not by_batch:
        return _trigger(
            store, ("mirror",), "INSERT OR UPDATE OR DELETE", "FOR EACH ROW", settings, _row_body(store, mirror)
        )
    # A plan is made once for a session, and batches differ: the user's rows are looked up, however many there are.
    settings += (
        "" if store.nullable else "".join(f" SET {name} = {value}" for name, value in (*PLANNING, ("jit", "off")))
    )
    found = []
    for event, body in _batch_bodies(store, mirror).items():
        images = f"REFERENCING {'OLD' if event == 'delete' else 'NEW'} TABLE AS {IMAGES} FOR EACH STATEMENT"
        found += _trigger(store, ("mirror", event), event.upper(), images, settings, body)
    return found


def _row_body(store: Store, mirror: Mirror) -> str:
    row = "(SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in store.columns) + ") AS s"
    if not mirror.owns_rows:
        return f"  IF TG_OP <> 'DELETE' THEN\n    {texts.update(store, mirror, row)};\n  END IF;\n"
    shown = f"EXISTS (SELECT 1 FROM {row} WHERE {mirror.present})"
    return (
        f"  IF TG_OP = 'DELETE' THEN\n    {texts.delete(store, mirror, 'OLD')};\n    RETURN NULL;\n  END IF;\n"
        f"  IF NOT {shown} THEN\n    {texts.delete(store, mirror, 'NEW')};\n    RETURN NULL;\n  END IF;\n"
        f"  {texts.upsert(store, mirror, row)};\n"
    )


def _batch_bodies(store: Store, mirror: Mirror) -> dict[str, str]:
    """What each kind of statement does to the user's table. A key of the store never changes: its row goes, and another comes."""
    rows = f"{IMAGES} AS s"
    if not mirror.owns_rows:
        write = f"  {texts.update(store, mirror, rows)};\n"
        return {"insert": write, "update": write}
    table = qualified(mirror.table, store.dialect)
    hidden = f"({mirror.present}) IS NOT TRUE"
    hide, remove = (
        f"  DELETE FROM {table} USING {given} WHERE {match};\n"
        for given, match in (texts.given(store, mirror, rows, "s", where) for where in (hidden, "TRUE"))
    )
    write = f"{hide}  {texts.upsert(store, mirror, rows)};\n"
    return {"insert": write, "update": write, "delete": remove}


def _trigger(store: Store, kind: tuple[str, ...], events: str, each: str, settings: str, body: str) -> list[Piece]:
    """A trigger on the store that no replication role silences, and its function."""
    names = store.names
    function, trigger = names.own(*kind), names.bare(*kind)
    text = dollar(f"BEGIN\n{body}  RETURN NULL;\nEND")
    create = f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {settings} AS {text}"
    plain, on = f"tidemark.{names.plain(*kind)}", f"tidemark.{names.plain('')}"
    return [
        Piece("function", plain, create, f"DROP FUNCTION IF EXISTS {function}() CASCADE", public=True),
        Piece(
            "trigger",
            names.plain(*kind),
            f"CREATE TRIGGER {trigger} AFTER {events} ON {names.store} {each} EXECUTE FUNCTION {function}()",
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
