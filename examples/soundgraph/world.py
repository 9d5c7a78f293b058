"""The generator's own model of the music network: what is true after each event that it emits.

It shares no code with the indexer, so that the two can be held against each other. Every method that emits returns the
transaction as it will stand in a block, and changes the model as a correct reader of that transaction would.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

Tx = dict[str, Any]
COUNTRIES = ("United States", "Canada", "Germany", "Trinidad and Tobago", "Japan", "Brazil", "Türkiye", "Ukraine", "")
GENRES = ("Electronic", "Hip-Hop/Rap", "Lo-Fi", "Trance", "Soundtrack", "Jazz")


@dataclass(slots=True)
class Track:
    """A track as the answers see it; the owner of one that was created before the input began may be unknown."""

    owner: int | None = None
    unlisted: bool = False
    stem: bool = False
    deleted: bool = False


@dataclass(slots=True)
class Playlist:
    """A playlist or album as the answers see it."""

    owner: int | None = None
    album: bool = False
    private: bool = False
    deleted: bool = False


class World:
    """Users, tracks, playlists and everything between them."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._fresh: set[int] = set()
        self.users: set[int] = set()
        self.tracks: dict[int, Track] = {}
        self.playlists: dict[int, Playlist] = {}
        self.follows: set[tuple[int, int]] = set()
        self.subscriptions: set[tuple[int, int]] = set()
        self.saves: set[tuple[int, str, int]] = set()
        self.reposts: set[tuple[int, str, int]] = set()
        self.shares: Counter[tuple[int, str, int]] = Counter()
        self.comments: dict[int, tuple[int, int]] = {}
        self.plays: Counter[int] = Counter()
        self.monthly: Counter[tuple[int, str, str]] = Counter()
        self.referrers: dict[int, int] = {}
        self.mobile: set[int] = set()
        self.verified: dict[int, bool] = {}
        self.skipped: Counter[str] = Counter()
        self._months: dict[int, str] = {}

    def new_id(self) -> int:
        """An id that nothing has yet."""
        while (number := self._rng.randrange(1, 2**31)) in self._fresh:
            pass
        self._fresh.add(number)
        return number

    def token(self, prefix: str) -> str:
        """A stable-looking token, as names and pictures are in recorded input."""
        return f"{prefix}_{self._rng.getrandbits(40):010x}"

    @staticmethod
    def entity(user: int, kind: str, number: Any, action: str, metadata: dict[str, Any] | None = None) -> Tx:
        """An entity transaction; the model is not told."""
        tx: Tx = {"type": "manage_entity", "user_id": user, "entity_type": kind, "entity_id": number, "action": action}
        tx["signer"] = f"0x{user:010x}"
        if metadata is not None:
            tx["metadata"] = metadata
        return tx

    # People

    def create_user(self, user: int, events: dict[str, Any] | None = None) -> Tx:
        """A sign-up."""
        self.users.add(user)
        self._events(user, events or {})
        metadata = {"handle": self.token("ha"), "name": self.token("na"), "user_id": user, "events": events or {}}
        return self.entity(user, "User", user, "Create", metadata)

    def update_user(self, user: int, events: dict[str, Any] | None = None) -> Tx:
        """A change of profile."""
        self.users.add(user)
        self._events(user, events or {})
        metadata = {"bio": self.token("bi"), "is_deactivated": False, "events": events or {}}
        return self.entity(user, "User", user, "Update", metadata)

    def _events(self, user: int, events: dict[str, Any]) -> None:
        if events.get("is_mobile_user") is True:
            self.mobile.add(user)
        referrer = events.get("referrer")
        if referrer is not None and referrer != user and user not in self.referrers:
            self.referrers[user] = referrer
            self.users.add(referrer)

    def verify_user(self, user: int, verdict: bool) -> Tx:
        """The network vouches for a user, or stops."""
        self.users.add(user)
        self.verified[user] = verdict
        return self.entity(user, "User", user, "Verify", {"is_verified": verdict})

    def follow(self, user: int, other: int) -> Tx:
        """A follow, or the same one again."""
        self.users |= {user, other}
        self.follows.add((user, other))
        self.subscriptions.add((user, other))
        return self.entity(user, "User", other, "Follow")

    def unfollow(self, user: int, other: int) -> Tx:
        """The end of a follow that is live."""
        self.follows.remove((user, other))
        self.subscriptions.discard((user, other))
        return self.entity(user, "User", other, "Unfollow")

    def subscribe(self, user: int, other: int) -> Tx:
        """A subscription without a follow."""
        self.users |= {user, other}
        self.subscriptions.add((user, other))
        return self.entity(user, "User", other, "Subscribe")

    # Tracks and playlists

    def create_track(self, user: int, track: int, **given: Any) -> Tx:
        """An upload, or a re-creation; ``given`` are metadata of the event."""
        self.users.add(user)
        self.tracks[track] = Track(user, bool(given.get("is_unlisted")), given.get("stem_of") is not None)
        metadata = {"track_id": track, "title": self.token("ti"), "genre": self._rng.choice(GENRES), "duration": 180}
        metadata |= {"is_unlisted": False, "is_scheduled_release": False}
        return self.entity(user, "Track", track, "Create", metadata | given)

    def update_track(self, user: int, track: int, unlisted: bool) -> Tx:
        """A change by the owner; of a track of unknown owner, by whoever turns out to be it."""
        self.users.add(user)
        known = self.tracks.setdefault(track, Track())
        known.owner, known.unlisted = user, unlisted
        return self.entity(user, "Track", track, "Update", {"title": self.token("ti"), "is_unlisted": unlisted})

    def delete_track(self, user: int, track: int) -> Tx:
        """A deletion by the owner."""
        self.tracks[track].deleted = True
        return self.entity(user, "Track", track, "Delete")

    def create_playlist(self, user: int, playlist: int, album: bool, private: bool, contents: list[int]) -> Tx:
        """A new collection, or a re-creation."""
        self.users.add(user)
        self.playlists[playlist] = Playlist(user, album, private)
        metadata = {"playlist_name": self.token("pl"), "is_private": private, "is_album": album}
        metadata["playlist_contents"] = [{"track_id": track, "timestamp": 0} for track in contents]
        return self.entity(user, "Playlist", playlist, "Create", metadata)

    def update_playlist(self, user: int, playlist: int, **given: bool) -> Tx:
        """A change by the owner: ``is_private``, ``is_album``."""
        known = self.playlists[playlist]
        known.private = given.get("is_private", known.private)
        known.album = given.get("is_album", known.album)
        return self.entity(user, "Playlist", playlist, "Update", {"playlist_name": self.token("pl"), **given})

    def delete_playlist(self, user: int, playlist: int) -> Tx:
        """A deletion by the owner."""
        self.playlists[playlist].deleted = True
        return self.entity(user, "Playlist", playlist, "Delete")

    # Edges to items

    def may_mark(self, user: int, kind: str, number: int) -> bool:
        """True if the user may save, repost or share the item: it is not deleted and not their own."""
        item = self.tracks.get(number) if kind == "Track" else self.playlists.get(number)
        return item is None or (not item.deleted and item.owner != user)

    def know_item(self, kind: str, number: int) -> None:
        """An event names the item."""
        if kind == "Track":
            self.tracks.setdefault(number, Track())
        else:
            self.playlists.setdefault(number, Playlist())

    def mark(self, edges: set[tuple[int, str, int]], user: int, kind: str, number: int) -> Tx:
        """A save or a repost."""
        self.users.add(user)
        self.know_item(kind, number)
        edges.add((user, kind, number))
        return self.entity(user, kind, number, "Save" if edges is self.saves else "Repost")

    def unmark(self, edges: set[tuple[int, str, int]], user: int, kind: str, number: int) -> Tx:
        """The end of a save or repost that is live."""
        edges.remove((user, kind, number))
        return self.entity(user, kind, number, "Unsave" if edges is self.saves else "Unrepost")

    def share(self, user: int, kind: str, number: int) -> Tx:
        """A share."""
        self.users.add(user)
        self.know_item(kind, number)
        self.shares[user, kind, number] += 1
        return self.entity(user, kind, number, "Share")

    def comment(self, user: int, comment: int, track: int) -> Tx:
        """A comment on a track, or the re-creation of one."""
        self.users.add(user)
        self.know_item("Track", track)
        self.comments[comment] = (user, track)
        metadata = {"entity_type": "Track", "entity_id": track, "comment_id": comment, "body": self.token("co")}
        return self.entity(user, "Comment", comment, "Create", metadata)

    def delete_comment(self, user: int, comment: int) -> Tx:
        """The end of one's own comment."""
        del self.comments[comment]
        return self.entity(user, "Comment", comment, "Delete")

    # Plays

    def play(self, user: int | None, track: int, at: int, country: str) -> dict[str, Any]:
        """One play inside a transaction of plays."""
        if user is not None:
            self.users.add(user)
        if track not in self.tracks:
            self.tracks[track] = Track()
        self.plays[track] += 1
        self.monthly[track, self._month(at), country] += 1
        spelled = f"0x{self._rng.getrandbits(40):010x}" if user is None else str(user)
        return {"user_id": spelled, "track_id": str(track), "timestamp": at, "country": country}

    def _month(self, at: int) -> str:
        day = at // 86_400
        if day not in self._months:
            self._months[day] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-01")
        return self._months[day]

    # Answers

    def answers(self) -> dict[str, Any]:
        """What every derived table must hold at the end. Keys of JSON objects are ids spelled in decimal."""
        return {
            "aggregate_user": self._user_answers(),
            "aggregate_track": self._track_answers(),
            "aggregate_playlist": self._playlist_answers(),
            "aggregate_plays": {str(track): count for track, count in sorted(self.plays.items())},
            "aggregate_monthly_plays": [[*key, count] for key, count in sorted(self.monthly.items())],
            "plays": self.plays.total(),
            "skipped": dict(sorted(self.skipped.items())),
        }

    def _user_answers(self) -> dict[str, dict[str, int]]:
        counts = {
            "follower_count": Counter(other for _, other in self.follows),
            "following_count": Counter(user for user, _ in self.follows),
            "repost_count": Counter(user for user, _, _ in self.reposts),
            "track_save_count": Counter(user for user, kind, _ in self.saves if kind == "Track"),
            "track_share_count": _summed({k: n for k, n in self.shares.items() if k[1] == "Track"}, 0),
        }
        live = [t for t in self.tracks.values() if not t.deleted and not t.stem]
        counts["total_track_count"] = Counter(t.owner for t in live if t.owner is not None)
        counts["track_count"] = Counter(t.owner for t in live if t.owner is not None and not t.unlisted)
        lists = [p for p in self.playlists.values() if not p.deleted and p.owner is not None]
        for name, album in (("playlist", False), ("album", True)):
            of_kind = [p for p in lists if p.album is album]
            counts[f"total_{name}_count"] = Counter(p.owner for p in of_kind if p.owner is not None)
            counts[f"{name}_count"] = Counter(p.owner for p in of_kind if p.owner is not None and not p.private)
        return {str(user): {name: counts[name][user] for name in counts} for user in sorted(self.users)}

    def _track_answers(self) -> dict[str, dict[str, int]]:
        counts = {
            "save_count": Counter(number for _, kind, number in self.saves if kind == "Track"),
            "repost_count": Counter(number for _, kind, number in self.reposts if kind == "Track"),
            "comment_count": Counter(track for _, track in self.comments.values()),
            "share_count": _summed({k: n for k, n in self.shares.items() if k[1] == "Track"}, 2),
        }
        return {str(track): {name: counts[name][track] for name in counts} for track in sorted(self.tracks)}

    def _playlist_answers(self) -> dict[str, dict[str, int]]:
        counts = {
            "save_count": Counter(number for _, kind, number in self.saves if kind == "Playlist"),
            "repost_count": Counter(number for _, kind, number in self.reposts if kind == "Playlist"),
            "share_count": _summed({k: n for k, n in self.shares.items() if k[1] == "Playlist"}, 2),
        }
        return {
            str(number): {"is_album": int(known.album)} | {name: counts[name][number] for name in counts}
            for number, known in sorted(self.playlists.items())
        }


def _summed(shares: dict[tuple[int, str, int], int], part: int) -> Counter[int]:
    total: Counter[int] = Counter()
    for key, count in shares.items():
        total[int(key[part])] += count
    return total
