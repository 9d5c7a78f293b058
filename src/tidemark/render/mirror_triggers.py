"""Triggers on the store that keep a mirror in the user's table: whole texts for each engine.

Owns: the pieces that make a derived table visible in a table of the user's. Promises: they are created between filling and
verification. Filling has put every row there by then, and what changed in between is found and mended by the verification.
"""

from __future__ import annotations

from tidemark.maintenance.mirror import Mirror
from tidemark.render import mirror as texts
from tidemark.render.postgres_capture import differ, dollar
from tidemark.render.postgres_settings import pinned_settings
from tidemark.render.statements import Store, qualified
from tidemark.render.steering import PLANNING
from tidemark.script import Piece

IMAGES = "tidemark_images"
"""The stored rows that a statement wrote, or took away."""


def sqlite_pieces(store: Store, mirror: Mirror, path: tuple[str, ...], by_batch: bool) -> list[Piece]:
    """Row triggers on the store, and on the user's table for rows that come. `path` and `by_batch` have no meaning here."""
    row = "(SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in store.columns) + ") AS s"
    write = texts.upsert(store, mirror, row) if mirror.owns_rows else _sqlite_update(store, mirror, row)
    bodies = {"insert": [write], "update": [write]}
    if mirror.owns_rows:
        hidden = f"{texts.delete(store, mirror, 'NEW')} AND NOT EXISTS (SELECT 1 FROM {row} WHERE {mirror.present})"
        bodies["update"] = [hidden, write]
        bodies["delete"] = [texts.delete(store, mirror, "OLD")]
    stored, plain = store.names.store, store.names.plain("")
    found = [_row_trigger(store, (event,), event, stored, plain, body) for event, body in bodies.items()]
    return found if mirror.owns_rows else [*found, *_coming(store, mirror)]


def _coming(store: Store, mirror: Mirror) -> list[Piece]:
    """A row that comes into the user's table shows at once what is stored of its key. Nothing else may carry it there: where
    another row had that key before, in the same statement (REPLACE) or since the last tick, what is stored need not change."""
    table, quote = mirror.table, store.dialect.quote
    own = " AND ".join(f"{quote(table.name)}.{quote(one)} IS NEW.{quote(one)}" for one, _ in mirror.key)
    here = store.match("s", [f"NEW.{quote(one)}" for one, _ in mirror.key])
    body = f"{_sqlite_update(store, mirror, f'(SELECT * FROM {store.names.store} AS s WHERE {here}) AS s')} AND {own}"
    moved = " OR ".join(f"OLD.{quote(one)} IS NOT NEW.{quote(one)}" for one, _ in mirror.key)
    return [
        _row_trigger(store, ("came",), "insert", quote(table.name), table.label, [body]),
        _row_trigger(store, ("moved",), "update", quote(table.name), table.label, [body], f" WHEN {moved}"),
    ]


def _row_trigger(
    store: Store, kind: tuple[str, ...], event: str, table: str, on: str, body: list[str], when: str = ""
) -> Piece:
    name, plain = store.names.own("mirror", *kind), store.names.plain("mirror", *kind)
    statements = ";\n  ".join(body)
    create = f"CREATE TRIGGER {name} AFTER {event.upper()} ON {table}{when}\nBEGIN\n  {statements};\nEND"
    return Piece("trigger", plain, create, f"DROP TRIGGER IF EXISTS {name}", on=on, public=True)


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
    return found if mirror.owns_rows else [*found, *_coming_by_batch(store, mirror, path)]


def _coming_by_batch(store: Store, mirror: Mirror, path: tuple[str, ...]) -> list[Piece]:
    """The keys of rows that come into the user's table, or take another key, are written down for the next tick, which has them
    show what is stored. A log does not tell of all: where a row of that key went in the same transaction, nothing has changed."""
    quote, by_row, settings = store.dialect.quote, mirror.table.written_by_row, pinned_settings(path, ())
    came, plain = store.names.own("came"), f"tidemark.{store.names.plain('came')}"
    keys = [quote(one) for one, _ in mirror.key]
    into = f"  INSERT INTO {came} ({store.key_list}) SELECT "
    new = f"{into}{', '.join(f'NEW.{one}' for one in keys)};\n"
    all_new = new if by_row else f"{into}{', '.join(keys)} FROM n;\n"
    each = "FOR EACH ROW" if by_row else "REFERENCING NEW TABLE AS n FOR EACH STATEMENT"
    when = " OR ".join(differ(mirror.table, one, "OLD", "NEW") for one, _ in mirror.key)
    place = qualified(mirror.table, store.dialect), mirror.table.label
    create = f"CREATE TABLE {came} ({', '.join(store.definition(part) for part in store.key)})"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {came}"),
        *_trigger(store, ("mirror", "came"), "INSERT", each, settings, all_new, *place),
        *_trigger(store, ("mirror", "moved"), "UPDATE", f"FOR EACH ROW WHEN ({when})", settings, new, *place),
    ]


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


def _trigger(
    store: Store,
    kind: tuple[str, ...],
    events: str,
    each: str,
    settings: str,
    body: str,
    table: str = "",
    on: str = "",
) -> list[Piece]:
    """A trigger on the store that no replication role silences, and its function; or on the `table` labelled `on`."""
    names = store.names
    table, on = table or names.store, on or f"tidemark.{names.plain('')}"
    function, trigger = names.own(*kind), names.bare(*kind)
    text = dollar(f"BEGIN\n{body}  RETURN NULL;\nEND")
    create = f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER {settings} AS {text}"
    plain = f"tidemark.{names.plain(*kind)}"
    return [
        Piece("function", plain, create, f"DROP FUNCTION IF EXISTS {function}() CASCADE", public=True),
        Piece(
            "trigger",
            names.plain(*kind),
            f"CREATE TRIGGER {trigger} AFTER {events} ON {table} {each} EXECUTE FUNCTION {function}()",
            f"DROP TRIGGER IF EXISTS {trigger} ON {table}",
            on=on,
            public=True,
        ),
        Piece(
            "step",
            f"{plain} always",
            f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}",
            "SELECT 1",
            on=on,
            public=True,
        ),
    ]
