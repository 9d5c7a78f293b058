"""The current rows that events are judged against, and the rows that they leave, inside the transaction of one block.

A rule reads current rows, raises `tidemark.Skip` with a reason, or puts new rows; nothing is written before it has ended well,
so that a refused event leaves nothing behind, not even a stub.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from examples.soundgraph.statements import Texts, Writer
from examples.soundgraph.tables import PLAYLISTS, TRACKS, USERS, Key, Row, Table, Value
from tidemark import Skip
from tidemark.streams import Database


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who writes a row: the block, the transaction that the event belongs to, the block's time."""

    number: int
    txhash: str
    at: str


class State:
    """The rows of one block. ``strict`` refuses what names an unknown user, track or playlist instead of making a stub of it."""

    def __init__(self, db: Database, writer: Writer, *, strict: bool) -> None:
        self.db = db
        self._writer = writer
        self._strict = strict
        self._rows: dict[tuple[str, Key], Row | None] = {}
        self._pending: list[tuple[Table, Key, Row]] = []

    def current(self, table: Table, key: Key) -> Row | None:
        """The current row of a key, or None. The row is not the caller's to change."""
        place = (table.name, key)
        if place not in self._rows:
            found = self.db.one(Texts.of(table).select, table.needle(key))
            self._rows[place] = None if found is None else dict(zip(table.columns, found, strict=True))
        return self._rows[place]

    def put(self, table: Table, key: Key, row: Row) -> None:
        """Makes ``row`` the current one of ``key`` once the rule that is running has ended well."""
        self._pending.append((table, key, row))

    def begin(self) -> None:
        """A rule begins: what one before it had put and was refused is gone."""
        self._pending.clear()

    def accept(self) -> None:
        """Writes what the rule put."""
        for table, key, row in self._pending:
            self._write(table, key, row)
        self._pending.clear()

    def _write(self, table: Table, key: Key, row: Row) -> None:
        before = self.current(table, key)
        texts = Texts.of(table)
        # One transaction leaves one version of a row: its hash is part of the primary key.
        if self._writer == "history" and table.versioned and before and before["txhash"] != row["txhash"]:
            self.db.run(texts.demote, {column: row[column] for column in table.natural})
        self.db.run(texts.upsert, row)
        self._rows[table.name, key] = row

    def user(self, user_id: int, stamp: Stamp) -> Row:
        """The user's current row, a stub if there was none. Raises Skip when strict."""
        return self._entity(USERS, user_id, stamp, "unknown_user", user_row)

    def track(self, track_id: int, stamp: Stamp) -> Row:
        """The track's current row, a stub if there was none. Raises Skip when strict."""
        return self._entity(TRACKS, track_id, stamp, "unknown_track", track_row)

    def playlist(self, playlist_id: int, stamp: Stamp) -> Row:
        """The playlist's current row, a stub if there was none. Raises Skip when strict."""
        return self._entity(PLAYLISTS, playlist_id, stamp, "unknown_playlist", playlist_row)

    def _entity(self, table: Table, number: int, stamp: Stamp, reason: str, stub: Callable[[int, Stamp], Row]) -> Row:
        row = self.current(table, (number,))
        if row is None:
            if self._strict:
                raise Skip(reason)
            row = stub(number, stamp)
            self.put(table, (number,), row)
        return row


def user_row(user_id: int, stamp: Stamp) -> Row:
    """A user of whom nothing is known."""
    return _blank(USERS, stamp) | {"user_id": user_id, "is_verified": False, "is_deactivated": False}


def track_row(track_id: int, stamp: Stamp) -> Row:
    """A track of which nothing is known, not even its owner."""
    return _blank(TRACKS, stamp) | {
        "track_id": track_id,
        "is_unlisted": False,
        "is_available": True,
        "is_scheduled_release": False,
        "is_delete": False,
    }


def playlist_row(playlist_id: int, stamp: Stamp) -> Row:
    """A playlist of which nothing is known, not even its owner."""
    return _blank(PLAYLISTS, stamp) | {
        "playlist_id": playlist_id,
        "is_album": False,
        "is_private": False,
        "is_scheduled_release": False,
        "is_delete": False,
    }


def _blank(table: Table, stamp: Stamp) -> Row:
    row: Row = dict.fromkeys(table.columns)
    row.update(provenance(stamp), is_stub=True, is_current=True, created_at=stamp.at, updated_at=stamp.at)
    return row


def provenance(stamp: Stamp) -> dict[str, Value]:
    """The provenance columns of a row written now."""
    return {"blocknumber": stamp.number, "txhash": stamp.txhash}
