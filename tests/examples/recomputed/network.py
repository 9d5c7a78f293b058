"""The base tables of soundgraph as Python values, read once from a store.

Owns: which rows are current, and the few counts that several tables need. Times stay texts, ``YYYY-MM-DD HH:MM:SS``, whose
order is that of time; `moment` makes a time of one.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from examples.soundgraph.stores import Store
from tests.examples.soundgraph_rows import plain

Row = SimpleNamespace
"""A row of a base table, a column in each attribute."""
Tables = dict[str, set[tuple[Any, ...]]]
"""Derived tables by name."""
Item = tuple[int, bool]
"""The number of a track or collection, and whether it is a track."""

_COLUMNS = {
    "sqlite": "SELECT name FROM pragma_table_info(?) ORDER BY cid",
    "postgresql": (
        "SELECT column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name = ? ORDER BY ordinal_position"
    ),
}


@dataclass(frozen=True)
class Mark:
    """A save or a repost that stands."""

    user: int
    item: Item
    at: str


def moment(text: str) -> datetime:
    """The time that a text spells."""
    return datetime.fromisoformat(text)


def document(value: Any) -> Any:
    """A JSON document: text in one engine, read already in the other."""
    return json.loads(value) if isinstance(value, str) else value


def shown(comment: Row) -> bool:
    """Whether a comment can be read."""
    return comment.is_visible and not comment.is_delete


def advances(plays: Iterable[Row]) -> list[tuple[int, str, int]]:
    """Each advance of each listener's streak, in the order of plays: the user, the time, how long the streak is by then.

    The next play counts when 16 hours have passed since the last that counted, and a streak ends when 48 hours have.
    """
    # DIFFERENCES.md, Rewards, `e`: one for each advance, in the order of the ledger.
    made: list[tuple[int, str, int]] = []
    last: dict[int, tuple[datetime, int]] = {}
    for play in plays:
        if play.user_id is None:
            continue
        at, length = moment(play.created_at), 1
        if play.user_id in last:
            before, so_far = last[play.user_id]
            if at - before < timedelta(hours=16):
                continue
            if at - before < timedelta(hours=48):
                length = so_far + 1
        last[play.user_id] = at, length
        made.append((play.user_id, play.created_at, length))
    return made


class Network:
    """Everything that the base tables say, at a time ``now``.

    Users, tracks and collections are those that are current, by their number; follows, subscriptions, saves and reposts are
    those that are current and not taken back.
    """

    def __init__(self, store: Store, now: datetime) -> None:
        self._store = store
        self.now = now
        self.users = {row.user_id: row for row in self._current("users")}
        self.tracks = {row.track_id: row for row in self._current("tracks")}
        self.playlists = {row.playlist_id: row for row in self._current("playlists")}
        self.user_events = self._current("user_events")
        self.follows = self._standing("follows")
        self.subscriptions = self._standing("subscriptions")
        self.saves = self._marks("saves", "save")
        self.reposts = self._marks("reposts", "repost")
        self.comments = {row.comment_id: row for row in self.rows("comments")}
        self.plays = sorted(self.rows("plays"), key=lambda play: play.id)
        self.tips = self.rows("user_tips")
        self.purchases = self.rows("usdc_purchases")
        self.contests = {
            row.event_id: row for row in self.rows("events") if row.event_type == "remix_contest" and not row.is_deleted
        }
        self.winners = self.rows("contest_winners")
        self.weekly = self.rows("trending_results")
        self.completed = [row for row in self.rows("user_challenges") if row.is_complete]
        self.parents: defaultdict[int, set[int]] = defaultdict(set)
        for row in self.rows("remixes"):
            self.parents[row.child_track_id].add(row.parent_track_id)

    def rows(self, table: str) -> list[Row]:
        """All rows of a table."""
        columns = [name for (name,) in self._store.query(_COLUMNS[self._store.engine], (table,))]
        listed = ", ".join(f'"{name}"' for name in columns)
        found = self._store.query(f"SELECT {listed} FROM {table}")
        return [Row(**dict(zip(columns, map(plain, row), strict=True))) for row in found]

    def _current(self, table: str) -> list[Row]:
        return [row for row in self.rows(table) if row.is_current]

    def _standing(self, table: str) -> list[Row]:
        return [row for row in self._current(table) if not row.is_delete]

    def _marks(self, table: str, act: str) -> list[Mark]:
        # DIFFERENCES.md, Counts: playlists and albums are one class.
        return [
            Mark(row.user_id, (getattr(row, f"{act}_item_id"), getattr(row, f"{act}_type") == "track"), row.created_at)
            for row in self._standing(table)
        ]

    def active(self, user: int | None) -> bool:
        """Whether somebody is there and has not left."""
        return user in self.users and not self.users[user].is_deactivated

    def verified(self, user: int | None) -> bool:
        """Whether somebody is there and is who they say."""
        return user in self.users and bool(self.users[user].is_verified)

    @staticmethod
    def public(track: Row) -> bool:
        """Whether everybody can hear a track, and it is a work of its own."""
        return not track.is_delete and not track.is_unlisted and bool(track.is_available) and track.stem_of is None

    def owner(self, item: Item) -> int | None:
        """Whose a track or collection is; None where it is unknown or nobody's."""
        number, is_track = item
        if is_track:
            return self.tracks[number].owner_id if number in self.tracks else None
        return self.playlists[number].playlist_owner_id if number in self.playlists else None

    def parents_by(self, track: int, artist: int) -> list[int]:
        """The tracks of an artist that a track was made of."""
        return sorted(parent for parent in self.parents[track] if self.owner((parent, True)) == artist)

    @cached_property
    def followers(self) -> Counter[int]:
        """How many follow each user."""
        return Counter(row.followee_user_id for row in self.follows)

    @cached_property
    def following(self) -> Counter[int]:
        """How many each user follows."""
        return Counter(row.follower_user_id for row in self.follows)

    @cached_property
    def save_counts(self) -> Counter[Item]:
        """How many have saved each track or collection."""
        return Counter(mark.item for mark in self.saves)

    @cached_property
    def repost_counts(self) -> Counter[Item]:
        """How many have reposted each track or collection."""
        return Counter(mark.item for mark in self.reposts)

    @cached_property
    def play_counts(self) -> Counter[int]:
        """How often each track was played."""
        return Counter(play.play_item_id for play in self.plays)

    @cached_property
    def monthly_plays(self) -> Counter[tuple[int, str, str]]:
        """How often each track was played in each month in each country."""
        return Counter((play.play_item_id, play.created_at[:7] + "-01", play.country or "") for play in self.plays)

    @cached_property
    def hours(self) -> dict[int, set[str]]:
        """The hours in which each user has listened."""
        heard: defaultdict[int, set[str]] = defaultdict(set)
        for play in self.plays:
            if play.user_id is not None:
                heard[play.user_id].add(play.created_at[:13])
        return dict(heard)

    @cached_property
    def heard(self) -> dict[int, dict[int, list[str]]]:
        """When each user has played each track."""
        times: defaultdict[int, defaultdict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for play in self.plays:
            if play.user_id is not None:
                times[play.user_id][play.play_item_id].append(play.created_at)
        return {user: dict(tracks) for user, tracks in times.items()}
