"""SQLite: triggers on the stored rows that keep a mirror in the user's table.

Owns: the pieces of a mirror on SQLite. Promises: they are created between filling and verification. Filling has put every row
there by then, and what changed in between is found and mended by the verification.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.mirror import Mirror
from tidemark.render import mirror as texts
from tidemark.render.sqlite import rows
from tidemark.render.store import Store


def mirror_pieces(store: Store, mirror: Mirror, path: tuple[str, ...], by_batch: bool) -> list[Piece]:
    """Row triggers on the store, and on the user's table for rows that come. `path` and `by_batch` have no meaning here."""
    row = "(SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in store.columns) + ") AS s"
    write = texts.upsert(store, mirror, row) if mirror.owns_rows else _update(store, mirror, row)
    bodies = {"insert": [write], "update": [write]}
    if mirror.owns_rows:
        hidden = f"{texts.delete(store, mirror, 'NEW')} AND NOT EXISTS (SELECT 1 FROM {row} WHERE {mirror.present})"
        bodies["update"] = [hidden, write]
        bodies["delete"] = [texts.delete(store, mirror, "OLD")]
    stored, plain = store.names.store, store.names.plain("")
    found = [_row_trigger(store, event, f"{event.upper()} ON {stored}", plain, body) for event, body in bodies.items()]
    return found if mirror.owns_rows else [*found, *_coming(store, mirror)]


def _coming(store: Store, mirror: Mirror) -> list[Piece]:
    """A row that comes into the user's table shows at once what is stored of its key. Nothing else may carry it there: where
    another row had that key before, in the same statement (REPLACE) or since the last tick, what is stored need not change."""
    table, quote = mirror.table, store.dialect.quote
    own = " AND ".join(f"{quote(table.name)}.{quote(one)} IS NEW.{quote(one)}" for one, _ in mirror.key)
    here = store.match("s", [f"NEW.{quote(one)}" for one, _ in mirror.key])
    body = f"{_update(store, mirror, f'(SELECT * FROM {store.names.store} AS s WHERE {here}) AS s')} AND {own}"
    moved = " OR ".join(f"OLD.{quote(one)} IS NOT NEW.{quote(one)}" for one, _ in mirror.key)
    of = rows.of_clause(rows.assigned(table, tuple(one for one, _ in mirror.key)), store.dialect)
    return [
        _row_trigger(store, "came", f"INSERT ON {quote(table.name)}", table.label, [body]),
        _row_trigger(store, "moved", f"UPDATE{of} ON {quote(table.name)} WHEN {moved}", table.label, [body]),
    ]


def _row_trigger(store: Store, kind: str, fires: str, on: str, body: list[str]) -> Piece:
    """A trigger on the table labelled `on`, which fires after what is said."""
    name, plain = store.names.own("mirror", kind), store.names.plain("mirror", kind)
    statements = ";\n  ".join(body)
    create = f"CREATE TRIGGER {name} AFTER {fires}\nBEGIN\n  {statements};\nEND"
    return Piece("trigger", plain, create, f"DROP TRIGGER IF EXISTS {name}", on=on, public=True)


def _update(store: Store, mirror: Mirror, row: str) -> str:
    """A trigger's UPDATE cannot give its table another name."""
    table = store.dialect.quote(mirror.table.name)
    return texts.update(store, mirror, row, table)
