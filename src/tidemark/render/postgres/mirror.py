"""PostgreSQL: triggers on the stored rows that keep a mirror in the user's table.

Owns: the pieces of a mirror on PostgreSQL. Promises: they are created between filling and verification. Filling has put every row
there by then, and what changed in between is found and mended by the verification.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.mirror import Mirror
from tidemark.render import mirror as texts
from tidemark.render.postgres.alike import differ
from tidemark.render.postgres.phrases import PLANNING
from tidemark.render.postgres.settings import pinned_settings
from tidemark.render.postgres.triggers import On, routine, trigger_pieces
from tidemark.render.statements import qualified
from tidemark.render.store import Store

IMAGES = "tidemark_images"
"""The stored rows that a statement wrote, or took away."""


def mirror_pieces(store: Store, mirror: Mirror, path: tuple[str, ...], by_batch: bool) -> list[Piece]:
    """Triggers on the store, and their functions: one for each row that a writer's commit changes, or for each statement where
    ticks write rows by the batch."""
    names, settings = store.names, pinned_settings(path, (column.type for column in mirror.table.columns))
    on = On(names.store, names.listed(""))
    if not by_batch:
        fires = f"AFTER INSERT OR UPDATE OR DELETE ON {on.quoted} FOR EACH ROW"
        function = _routine(_row_body(store, mirror), settings)
        return trigger_pieces(names, ("mirror",), on, fires, function, public=True)
    # A plan is made once for a session, and batches differ: the user's rows are looked up, however many there are.
    settings += (
        "" if store.nullable else "".join(f" SET {name} = {value}" for name, value in (*PLANNING, ("jit", "off")))
    )
    found = []
    for event, body in _batch_bodies(store, mirror).items():
        images = f"REFERENCING {'OLD' if event == 'delete' else 'NEW'} TABLE AS {IMAGES} FOR EACH STATEMENT"
        fires = f"AFTER {event.upper()} ON {on.quoted} {images}"
        found += trigger_pieces(names, ("mirror", event), on, fires, _routine(body, settings), public=True)
    return found if mirror.owns_rows else [*found, *_coming_by_batch(store, mirror, path)]


def _routine(body: str, settings: str) -> str:
    return routine(f"BEGIN\n{body}  RETURN NULL;\nEND", settings)


def _coming_by_batch(store: Store, mirror: Mirror, path: tuple[str, ...]) -> list[Piece]:
    """The keys of rows that come into the user's table, or take another key, are written down for the next tick, which has them
    show what is stored. A log does not tell of all: where a row of that key went in the same transaction, nothing has changed."""
    quote, by_row, settings = store.dialect.quote, mirror.table.written_by_row, pinned_settings(path, ())
    came, plain = store.names.own("came"), store.names.listed("came")
    keys = [quote(one) for one, _ in mirror.key]
    into = f"  INSERT INTO {came} ({store.key_list}) SELECT "
    new = f"{into}{', '.join(f'NEW.{one}' for one in keys)};\n"
    all_new = new if by_row else f"{into}{', '.join(keys)} FROM n;\n"
    each = "FOR EACH ROW" if by_row else "REFERENCING NEW TABLE AS n FOR EACH STATEMENT"
    when = " OR ".join(differ(mirror.table, one, "OLD", "NEW") for one, _ in mirror.key)
    names, on = store.names, On(qualified(mirror.table, store.dialect), mirror.table.label)
    coming, moving = f"AFTER INSERT ON {on.quoted} {each}", f"AFTER UPDATE ON {on.quoted} FOR EACH ROW WHEN ({when})"
    create = f"CREATE TABLE {came} ({', '.join(store.definition(part) for part in store.key)})"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {came}"),
        *trigger_pieces(names, ("mirror", "came"), on, coming, _routine(all_new, settings), public=True),
        *trigger_pieces(names, ("mirror", "moved"), on, moving, _routine(new, settings), public=True),
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
