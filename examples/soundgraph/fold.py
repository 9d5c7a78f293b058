"""Folds events into changes: what a batch of blocks adds to each base table, computed in memory before anything is written.

:class:`State` answers "the current row of this key" from what the batch did so far, then from what earlier batches left,
then from the database. An event that a rule rejects leaves nothing behind, not even a stub.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from examples.soundgraph.tables import (
    PLAYLISTS,
    STATEFUL,
    TRACKS,
    USERS,
    Identity,
    Key,
    PlayRow,
    Row,
    ShareRow,
    SkipRow,
    Table,
    Value,
)

LOOK_EVERY = 64
"""Batches between two looks at how much is remembered."""

Loader = Callable[[Table, Collection[Key]], Mapping[Key, Row]]


class Rejected(Exception):
    """A rule refused an event. ``reason`` is one word that the skipped item is filed under."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True)
class Versions:
    """The rows that a batch gave one key, oldest first, and whether the database had a current row before."""

    existed: bool
    rows: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class Changes:
    """Everything that one database transaction will write."""

    blocks: list[tuple[int, str, str]] = field(default_factory=list)
    ledger: list[Identity] = field(default_factory=list)
    skips: list[SkipRow] = field(default_factory=list)
    plays: list[PlayRow] = field(default_factory=list)
    shares: list[ShareRow] = field(default_factory=list)
    versions: dict[str, dict[Key, Versions]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who wrote a row: the block being written, the transaction that the event belongs to, the block's time."""

    number: int
    txhash: str
    at: str


class State:
    """The current rows that events are judged against, and the changes they make.

    ``load(table, keys)`` fetches current rows from the database. ``strict`` rejects an event that names an unknown
    user, track or playlist instead of making a stub of it. About ``remember`` keys per table outlive a batch.
    """

    def __init__(self, load: Loader, *, strict: bool = False, remember: int = 200_000) -> None:
        self._load = load
        self._strict = strict
        self._remember = remember
        self._rows: dict[str, dict[Key, Row | None]] = {table.name: {} for table in STATEFUL}
        self._pending: list[tuple[Table, Key, Row]] = []
        self._batches = 0
        self.changes = Changes()

    def start_batch(self) -> None:
        """Forgets the changes of the batch before, which are committed, and whatever is too much to remember."""
        self.changes = Changes()
        self._batches += 1
        if self._batches % LOOK_EVERY == 0:
            for rows in self._rows.values():
                if len(rows) > self._remember:
                    rows.clear()

    def forget(self) -> None:
        """Forgets every row: the batch was rolled back, so what it did is not what the database holds."""
        self.changes = Changes()
        self._pending.clear()
        for rows in self._rows.values():
            rows.clear()

    def prefetch(self, wanted: Iterable[tuple[Table, Key]]) -> None:
        """Loads rows that events will ask for in one round trip a table."""
        missing: dict[str, set[Key]] = {}
        for table, key in wanted:
            if key not in self._rows[table.name]:
                missing.setdefault(table.name, set()).add(key)
        for table in STATEFUL:
            if keys := missing.get(table.name):
                self._fetch(table, keys)

    def current(self, table: Table, key: Key) -> Row | None:
        """The current row of a key, or None. The row is not the caller's to change."""
        rows = self._rows[table.name]
        if key not in rows:
            self._fetch(table, (key,))
        return rows[key]

    def _fetch(self, table: Table, keys: Collection[Key]) -> None:
        rows = self._rows[table.name]
        found = self._load(table, keys)
        for key in keys:
            rows[key] = found.get(key)

    def put(self, table: Table, key: Key, row: Row) -> None:
        """Makes ``row`` the current one of ``key`` once the rule that is running has ended well."""
        self._pending.append((table, key, row))

    def share(self, row: ShareRow) -> None:
        """Appends a share. Rules call this last, after everything that can reject."""
        self.changes.shares.append(row)

    def accept(self) -> None:
        """Keeps what the rule put."""
        for table, key, row in self._pending:
            self._write(table, key, row)
        self._pending.clear()

    def reject(self) -> None:
        """Drops what the rule put."""
        self._pending.clear()

    def _write(self, table: Table, key: Key, row: Row) -> None:
        rows = self._rows[table.name]
        versions = self.changes.versions.setdefault(table.name, {})
        entry = versions.get(key)
        if entry is None:
            entry = versions[key] = Versions(existed=self.current(table, key) is not None)
        # One transaction leaves one version of a row: its hash is part of the primary key.
        if entry.rows and entry.rows[-1]["txhash"] == row["txhash"]:
            entry.rows[-1] = row
        else:
            entry.rows.append(row)
        rows[key] = row

    def user(self, user_id: int, stamp: Stamp) -> Row:
        """The user's current row, a stub if there was none. Raises Rejected when strict."""
        return self._entity(USERS, user_id, stamp, "unknown_user", user_row)

    def track(self, track_id: int, stamp: Stamp) -> Row:
        """The track's current row, a stub if there was none. Raises Rejected when strict."""
        return self._entity(TRACKS, track_id, stamp, "unknown_track", track_row)

    def playlist(self, playlist_id: int, stamp: Stamp) -> Row:
        """The playlist's current row, a stub if there was none. Raises Rejected when strict."""
        return self._entity(PLAYLISTS, playlist_id, stamp, "unknown_playlist", playlist_row)

    def _entity(self, table: Table, number: int, stamp: Stamp, reason: str, stub: Callable[[int, Stamp], Row]) -> Row:
        row = self.current(table, (number,))
        if row is None:
            if self._strict:
                raise Rejected(reason)
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
