"""The current rows that events are judged against, and the rows that they leave, inside one transaction of the database.

A rule reads current rows, raises `tidemark.Skip` with a reason, or puts new rows; nothing is written before it has ended well,
so that a refused event leaves nothing behind, not even a stub. What was read or put is remembered for as long as the face of the
database is the same: there is another one when something is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from examples.soundgraph.described import Key, Row, Table, Value
from examples.soundgraph.statements import Texts, Writer
from examples.soundgraph.tables import (
    PLAYLISTS,
    TABLES,
    TRACKS,
    USERS,
)
from tidemark import Skip
from tidemark.streams import Database


class Stamp(NamedTuple):
    """Who writes a row: the block, the transaction that the event belongs to, the block's time."""

    number: int
    txhash: str
    at: str


class State:
    """The rows of one transaction of the database. ``strict`` refuses what names an unknown user, track or playlist instead of
    making a stub of it."""

    def __init__(self, db: Database, writer: Writer, *, strict: bool) -> None:
        self.db = db
        self._writer = writer
        self._strict = strict
        self._rows: dict[Table, dict[Key, Row | None]] = {table: {} for table in TABLES}
        self._groups: dict[Table, dict[Key, dict[Key, None]]] = {table: {} for table in TABLES if table.group}
        self._pending: list[tuple[Table, Key, Row]] = []

    def read_ahead(self, needs: Mapping[Table, set[Key]]) -> None:
        """Reads the rows that rules will ask for, of each table in one query: by their lookup columns, or by their group."""
        for table, wanted in needs.items():
            found = self.db.find(table.shelf, table.group or table.lookup, wanted)
            if table.group:
                self._groups[table].update((values, {}) for values in wanted)
            else:
                self._rows[table].update(table.absent(wanted))
            for values in found:
                self._remember(table, dict(zip(table.columns, values, strict=True)))

    def current(self, table: Table, key: Key) -> Row | None:
        """The current row of a key, or None. The row is not the caller's to change."""
        rows = self._rows[table]
        if key not in rows:
            if table.group and _group(table, key) in self._groups[table]:
                return None
            found = self.db.one(Texts.of(table).select, table.needle(key))
            rows[key] = None if found is None else dict(zip(table.columns, found, strict=True))
        return rows[key]

    def those(self, table: Table, values: Key) -> list[Row]:
        """Every row of a group."""
        if values not in self._groups[table]:
            self.read_ahead({table: {values}})
        return [row for key in self._groups[table][values] if (row := self._rows[table][key]) is not None]

    def put(self, table: Table, key: Key, row: Row) -> None:
        """Makes ``row`` the current one of ``key`` once the rule that is running has ended well."""
        self._pending.append((table, key, row))

    def write(self, table: Table, key: Key, row: Row) -> None:
        """Makes ``row``, which nobody refuses any more, the current one of ``key`` in a table that keeps no versions."""
        self.db.put(table.shelf, row)
        self._remember(table, row, key)

    def remove(self, table: Table, key: Key) -> None:
        """Takes a row of a group away, at once."""
        self.db.run(Texts.of(table).delete, table.needle(key))
        self._rows[table][key] = None

    def begin(self) -> None:
        """A rule begins: what one before it had put and was refused is gone."""
        self._pending.clear()

    def accept(self) -> None:
        """Writes what the rule put."""
        for table, key, row in self._pending:
            # One transaction leaves one version of a row: its hash is part of the primary key.
            if self._writer == "history" and table.versioned:
                before = self.current(table, key)
                if before and before["txhash"] != row["txhash"]:
                    self.db.run(Texts.of(table).demote, {column: row[column] for column in table.natural})
            self.db.put(table.shelf, row)
            self._remember(table, row, key)
        self._pending.clear()

    def _remember(self, table: Table, row: Row, key: Key | None = None) -> None:
        key = key or table.identify(row)
        self._rows[table][key] = row
        if table.group and (group := self._groups[table].get(_group(table, key))) is not None:
            group[key] = None

    def user(self, user_id: int, stamp: Stamp) -> Row:
        """The user's current row, a stub if there was none. Raises Skip when strict."""
        return self._entity(USERS, user_id, stamp, "unknown_user", user_row)

    def known(self, table: Table) -> Mapping[Key, Row | None]:
        """The rows that are remembered of a table, None for a key that has none. It changes with what is read and put."""
        return self._rows[table]

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


def _group(table: Table, key: Key) -> Key:
    return tuple(key[table.lookup.index(column)] for column in table.group)


def user_row(user_id: int, stamp: Stamp) -> Row:
    """A user of whom nothing is known."""
    return _blank(USERS, stamp) | {"user_id": user_id, "is_verified": False, "is_deactivated": False}


def track_row(track_id: int, stamp: Stamp) -> Row:
    """A track of which nothing is known, not even its owner."""
    return _blank(TRACKS, stamp) | {
        "track_id": track_id,
        "is_unlisted": False,
        "is_available": True,
        "is_playlist_upload": False,
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
