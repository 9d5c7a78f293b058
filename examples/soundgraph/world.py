"""The generator's own model of the music network: what is true after each event that it emits.

It shares no code with the indexer, so that the two can be held against each other. Every method that emits returns the
transaction as it will stand in a block, and changes the model as a correct reader of that transaction would. What the
model holds is turned into answers by :mod:`examples.soundgraph.answers` and :mod:`examples.soundgraph.progression`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime
from random import Random
from typing import Any

from examples.soundgraph.conversations import Conversations
from examples.soundgraph.inhabitants import Contest, Person, Playlist, Track

Tx = dict[str, Any]
Edge = tuple[int, str, int]
"""A user, ``'Track'`` or ``'Playlist'``, and the item that they saved, reposted or shared."""
COUNTRIES = ("United States", "Canada", "Germany", "Trinidad and Tobago", "Japan", "Brazil", "Türkiye", "Ukraine", "")
GENRES = ("Electronic", "Hip-Hop/Rap", "Lo-Fi", "Trance", "Soundtrack", "Jazz")
PICTURES = ("profile_picture", "profile_picture_sizes", "cover_photo", "cover_photo_sizes")
PROFILE = ("name", "bio", *PICTURES)


class World:
    """Users, tracks, playlists and everything between them."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._fresh: set[int] = set()
        self.closed: list[tuple[int, int]] = []
        """Height and time of every block so far."""
        self.settle = False
        """Whether an episode wants the block to end here, and a tick to follow it; `apart` is without a tick."""
        self.apart = False
        self.users: dict[int, Person] = {}
        self.tracks: dict[int, Track] = {}
        self.playlists: dict[int, Playlist] = {}
        self.follows: dict[tuple[int, int], int] = {}
        """Who follows whom, and the block that said so last; subscriptions likewise."""
        self.subscriptions: dict[tuple[int, int], int] = {}
        self.blocks: set[tuple[int, int]] = set()
        self.saves: dict[Edge, int] = {}
        self.reposts: dict[Edge, int] = {}
        self.shares: Counter[Edge] = Counter()
        self.comments: dict[int, tuple[int, int]] = {}
        self.added: dict[tuple[int, int], int] = {}
        """The block in which each track came into each collection first."""
        self.reactions: set[tuple[int, int]] = set()
        """Comments and who likes them, and the block that said so last."""
        self.reacted: dict[tuple[int, int], int] = {}
        self.talk = Conversations()
        self.commented: dict[int, int] = {}
        """The block in which each comment was made."""
        self.tips: list[tuple[int, int, int]] = []
        self.tipped: list[int] = []
        """The block of each tip; `paid` those of the purchases."""
        self.paid: list[int] = []
        self.bought: dict[tuple[int, int], int] = {}
        """The block in which each buyer first bought each album."""
        self.purchases: list[tuple[int, int, int, str, int]] = []
        """Buyer, seller, amount in millionths, ``track`` or ``album``, what."""
        self.contests: dict[int, Contest] = {}
        self.streaks: dict[int, tuple[int, int]] = {}
        """For each listener: when they last listened so that it counted, and for how long without a break."""
        self.advances: list[tuple[int, int]] = []
        self.plays: Counter[int] = Counter()
        self.monthly: Counter[tuple[int, str, str]] = Counter()
        self.daily: Counter[tuple[int, int]] = Counter()
        self.hourly: Counter[int] = Counter()
        self.hours: defaultdict[int, set[int]] = defaultdict(set)
        self.heard: defaultdict[int, dict[int, list[int]]] = defaultdict(dict)
        """For each user and track: the number of plays, and the time of the latest."""
        self.skipped: Counter[str] = Counter()
        self._months: dict[int, str] = {}

    @property
    def block(self) -> int:
        """The number of the block that is being filled."""
        return len(self.closed)

    def close_block(self, height: int, time: int) -> None:
        """What was emitted since the last call stands in this block."""
        self.closed.append((height, time))

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

    def know(self, *users: int) -> None:
        """An event names these users."""
        for user in users:
            if user not in self.users:
                self.users[user] = Person(self.block)

    def create_user(self, user: int, events: dict[str, Any] | None = None, **profile: str) -> Tx:
        """A sign-up; ``profile`` may hold a handle and any of PROFILE."""
        known = self.users.get(user)
        person = self.users[user] = Person(self.block)
        if known is not None:
            person.referrer, person.mobile, person.told = known.referrer, known.mobile, known.told
        given = {"handle": self.token("ha"), "name": self.token("na")} | profile
        self._describe(person, given)
        self._events(user, events or {})
        return self.entity(user, "User", user, "Create", {**given, "user_id": user, "events": events or {}})

    def update_user(self, user: int, events: dict[str, Any] | None = None, **given: str | bool | None) -> Tx:
        """A change of profile: a handle, any of PROFILE, ``is_deactivated``. None takes away."""
        self.know(user)
        metadata: dict[str, Any] = {"is_deactivated": False} | given
        self._describe(self.users[user], metadata)
        self._events(user, events or {})
        return self.entity(user, "User", user, "Update", {**metadata, "events": events or {}})

    @staticmethod
    def _describe(person: Person, given: dict[str, Any]) -> None:
        for name in PROFILE:
            if name in given:
                setattr(person, name, given[name])
        person.handle = given.get("handle", person.handle)
        person.deactivated = given.get("is_deactivated", person.deactivated)

    def _events(self, user: int, events: dict[str, Any]) -> None:
        person = self.users[user]
        if events.get("is_mobile_user") is True and not person.mobile:
            person.mobile, person.told = True, self.block
        referrer = events.get("referrer")
        if referrer is not None and referrer != user and person.referrer is None:
            person.referrer, person.told = referrer, self.block
            self.know(referrer)

    def verify_user(self, user: int, verdict: bool) -> Tx:
        """The network vouches for a user, or stops."""
        self.know(user)
        self.users[user].verified = verdict
        return self.entity(user, "User", user, "Verify", {"is_verified": verdict})

    def follow(self, user: int, other: int) -> Tx:
        """A follow, or the same one again."""
        self.know(user, other)
        self.follows[user, other] = self.block
        self.subscriptions.setdefault((user, other), self.block)
        return self.entity(user, "User", other, "Follow")

    def unfollow(self, user: int, other: int) -> Tx:
        """The end of a follow that is live."""
        del self.follows[user, other]
        self.subscriptions.pop((user, other), None)
        return self.entity(user, "User", other, "Unfollow")

    def subscribe(self, user: int, other: int) -> Tx:
        """A subscription without a follow."""
        self.know(user, other)
        self.subscriptions[user, other] = self.block
        return self.entity(user, "User", other, "Subscribe")

    def block_user(self, user: int, other: int) -> Tx:
        """No more messages from someone."""
        self.know(user, other)
        self.blocks.add((user, other))
        return self.entity(user, "User", other, "Block")

    def unblock_user(self, user: int, other: int) -> Tx:
        """The end of a block that is live."""
        self.blocks.remove((user, other))
        return self.entity(user, "User", other, "Unblock")

    # Tracks and playlists

    def create_track(self, user: int, track: int, **given: Any) -> Tx:
        """An upload, or a re-creation; ``given`` are metadata of the event."""
        self.know(user)
        metadata: Tx = {
            "track_id": track,
            "title": self.token("ti"),
            "genre": self._rng.choice(GENRES),
            "duration": 180,
        }
        metadata |= {"is_unlisted": False, "is_scheduled_release": False, **given}
        self.tracks[track] = Track(
            self.block,
            owner=user,
            unlisted=bool(metadata["is_unlisted"]),
            stem=metadata.get("stem_of") is not None,
            playlist_upload=bool(metadata.get("is_playlist_upload")),
            genre=metadata["genre"],
            release=_seconds(metadata.get("release_date")),
            parents=tuple(one["parent_track_id"] for one in (metadata.get("remix_of") or {}).get("tracks", ())),
        )
        return self.entity(user, "Track", track, "Create", metadata)

    def update_track(self, user: int, track: int, unlisted: bool, **given: Any) -> Tx:
        """A change by the owner; of a track of unknown owner, by whoever turns out to be it. ``given`` may pin a comment."""
        self.know(user)
        self.know_item("Track", track)
        known = self.tracks[track]
        known.owner, known.unlisted = user, unlisted
        known.pinned = given.get("pinned_comment_id", known.pinned)
        return self.entity(
            user, "Track", track, "Update", {"title": self.token("ti"), "is_unlisted": unlisted, **given}
        )

    def delete_track(self, user: int, track: int) -> Tx:
        """A deletion by the owner."""
        self.tracks[track].deleted = True
        return self.entity(user, "Track", track, "Delete")

    def create_playlist(self, user: int, playlist: int, album: bool, private: bool, contents: list[int]) -> Tx:
        """A new collection, or a re-creation."""
        self.know(user)
        self.playlists[playlist] = Playlist(
            self.block, owner=user, album=album, private=private, contents=list(contents)
        )
        metadata = {"playlist_name": self.token("pl"), "is_private": private, "is_album": album}
        metadata["playlist_contents"] = [{"track_id": track, "timestamp": 0} for track in contents]
        self._contain(playlist, contents)
        return self.entity(user, "Playlist", playlist, "Create", metadata)

    def _contain(self, playlist: int, contents: list[int]) -> None:
        for track in contents:
            self.added.setdefault((playlist, track), self.block)

    def update_playlist(self, user: int, playlist: int, **given: bool) -> Tx:
        """A change by the owner: ``is_private``, ``is_album``."""
        known = self.playlists[playlist]
        known.private, known.album = given.get("is_private", known.private), given.get("is_album", known.album)
        return self.entity(user, "Playlist", playlist, "Update", {"playlist_name": self.token("pl"), **given})

    def fill_playlist(self, user: int, playlist: int, contents: list[int]) -> Tx:
        """Other contents; what is not in it any more was in it."""
        known = self.playlists[playlist]
        known.dropped |= {*known.contents}
        known.contents = list(contents)
        self._contain(playlist, contents)
        listed = [{"track_id": track, "timestamp": 0} for track in contents]
        return self.entity(user, "Playlist", playlist, "Update", {"playlist_contents": listed})

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
        if kind == "Track" and number not in self.tracks:
            self.tracks[number] = Track(self.block)
        elif kind == "Playlist" and number not in self.playlists:
            self.playlists[number] = Playlist(self.block)

    def mark(self, edges: dict[Edge, int], user: int, kind: str, number: int) -> Tx:
        """A save or a repost."""
        self.know(user)
        self.know_item(kind, number)
        edges[user, kind, number] = self.block
        return self.entity(user, kind, number, "Save" if edges is self.saves else "Repost")

    def unmark(self, edges: dict[Edge, int], user: int, kind: str, number: int) -> Tx:
        """The end of a save or repost that is live."""
        del edges[user, kind, number]
        return self.entity(user, kind, number, "Unsave" if edges is self.saves else "Unrepost")

    def share(self, user: int, kind: str, number: int) -> Tx:
        """A share."""
        self.know(user)
        self.know_item(kind, number)
        self.shares[user, kind, number] += 1
        return self.entity(user, kind, number, "Share")

    def comment(self, user: int, comment: int, track: int, **more: Any) -> Tx:
        """A comment on a track, or the re-creation of one; `more` may say what it answers and whom it mentions."""
        self.know(user)
        self.know_item("Track", track)
        self.comments[comment] = (user, track)
        self.commented[comment] = self.block
        metadata = {"entity_type": "Track", "entity_id": track, "comment_id": comment, "body": self.token("co")}
        metadata |= more
        return self.entity(user, "Comment", comment, "Create", metadata)

    def delete_comment(self, user: int, comment: int) -> Tx:
        """The end of one's own comment."""
        del self.comments[comment]
        return self.entity(user, "Comment", comment, "Delete")

    def react(self, user: int, comment: int) -> Tx:
        """Somebody likes a comment that is there."""
        self.know(user)
        self.reactions.add((comment, user))
        self.reacted[comment, user] = self.block
        return self.entity(user, "Comment", comment, "React")

    def unreact(self, user: int, comment: int) -> Tx:
        """The end of a reaction that is live."""
        self.reactions.remove((comment, user))
        return self.entity(user, "Comment", comment, "Unreact")

    # Money and contests

    def tip(self, sender: int, receiver: int, amount: int) -> Tx:
        """One user gives another something."""
        self.know(sender, receiver)
        self.tips.append((sender, receiver, amount))
        self.tipped.append(self.block)
        return {"type": "tip", "sender_user_id": sender, "receiver_user_id": receiver, "amount": str(amount)}

    def purchase(self, buyer: int, seller: int, amount: int, kind: str, content: int) -> Tx:
        """Somebody buys a track or an album."""
        self.know(buyer, seller)
        self.purchases.append((buyer, seller, amount, kind, content))
        self.paid.append(self.block)
        if kind == "album":
            self.bought.setdefault((buyer, content), self.block)
        parties = {"buyer_user_id": buyer, "seller_user_id": seller}
        return {"type": "usdc_purchase", **parties, "amount": amount, "content_type": kind, "content_id": content}

    def hold_contest(self, host: int, event: int, track: int, end: str | None = None) -> Tx:
        """A contest of remixes of a track, without an end or up to a moment in ISO 8601."""
        self.know(host)
        self.contests[event] = Contest(host, track, self.block, _seconds(end))
        metadata = {"event_type": "remix_contest", "entity_type": "Track", "entity_id": track, "event_data": {}}
        metadata |= {} if end is None else {"end_date": end}
        return self.entity(host, "Event", event, "Create", metadata)

    def name_winners(self, event: int, tracks: list[int]) -> Tx:
        """The host names who won, so far."""
        contest = self.contests[event]
        for place, track in enumerate(tracks, start=1):
            contest.winners.setdefault(track, (place, self.block))
        return self.entity(contest.host, "Event", event, "Update", {"event_data": {"winners": tracks}})

    def drop_contest(self, event: int) -> Tx:
        """The host takes a contest back."""
        self.contests[event].deleted = True
        return self.entity(self.contests[event].host, "Event", event, "Delete")

    # Plays

    def _listen(self, user: int, at: int) -> None:
        """A streak, by the same limits as the rule's but counted in seconds."""
        last, streak = self.streaks.get(user, (at - 48 * 3_600, 0))
        if at - last >= 16 * 3_600:
            self.streaks[user] = (at, streak + 1 if at - last < 48 * 3_600 else 1)
            self.advances.append((user, at))

    def play(self, user: int | None, track: int, at: int, country: str) -> dict[str, Any]:
        """One play inside a transaction of plays."""
        if user is not None:
            self.know(user)
            self._listen(user, at)
            self.hours[user].add(at // 3_600)
            count, last = self.heard[user].get(track, (0, at))
            self.heard[user][track] = [count + 1, max(last, at)]
        self.know_item("Track", track)
        self.plays[track] += 1
        self.monthly[track, self._month(at), country] += 1
        self.daily[track, at // 86_400] += 1
        self.hourly[at // 3_600] += 1
        spelled = f"0x{self._rng.getrandbits(40):010x}" if user is None else str(user)
        return {"user_id": spelled, "track_id": str(track), "timestamp": at, "country": country}

    def _month(self, at: int) -> str:
        return self._months.setdefault(at // 86_400, f"{datetime.fromtimestamp(at, UTC):%Y-%m-01}")


def _seconds(release: Any) -> int | None:
    return None if release is None else int(datetime.fromisoformat(release).timestamp())


def spelled(seconds: int) -> str:
    """Unix seconds as the databases spell a time, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
