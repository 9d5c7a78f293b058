"""Base rows of soundgraph drawn from a seed: few numbers and few values, so that every condition is met and just missed.

Owns: what is drawn. Promises: the same seed gives the same rows; they keep the constraints of the schema and what the writer
of blocks promises of tables that it keeps beside others, and nothing else: owners may be missing and numbers may name nothing.
"""

import json
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from examples.soundgraph.catalogue import CATALOGUE
from examples.soundgraph.stores import Store
from tests.examples.recomputed.network import Row, advances, moment

NOW = datetime(2025, 3, 14, 12)
"""When the queries are asked."""
USERS, TRACKS, PLAYLISTS, COMMENTS = range(1, 11), range(1, 15), range(1, 8), range(1, 12)
BLOCKS = range(1, 6)
REMIXES, FANS = range(101, 131), range(1001, 1251)
"""Numbers of what is there in crowded networks alone."""
AGES = (0.001, 0.5, 1.77, 1.79, 2, 6.9, 7.0, 29.9, 30, 31, 60, 364, 366, -3)
"""Days before `NOW`, on both sides of what the rules ask for."""
VALUES_MAX = 900
"""Values in one statement."""


def spelled(at: datetime) -> str:
    """A time as the tables spell it."""
    return at.replace(microsecond=0).isoformat(" ")


def fill(store: Store, seed: int) -> None:
    """Fills the empty base tables of a store."""
    for table, rows in _Draw(seed).tables().items():
        columns = list(rows[0])
        for start in range(0, len(rows), VALUES_MAX // len(columns)):
            chunk = rows[start : start + VALUES_MAX // len(columns)]
            marks = ", ".join([f"({', '.join('?' * len(columns))})"] * len(chunk))
            listed = ", ".join(f'"{column}"' for column in columns)
            # Of two rows under one key the first stays.
            store.execute(
                f"INSERT INTO {table} ({listed}) VALUES {marks} ON CONFLICT DO NOTHING",
                [row[column] for row in chunk for column in columns],
            )


class _Draw:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._rows: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Rows of every table that has some, in an order in which they can be written."""
        for number in BLOCKS:
            made = spelled(NOW - timedelta(hours=6 - number))
            self._add("blocks", number=number, blockhash=f"b{number}", created_at=made)
        self._users()
        self._tracks()
        self._playlists()
        self._edges()
        self._marks()
        self._talk()
        is_crowded = self._is()
        self._plays(1500 if is_crowded else 300)
        if is_crowded:
            self._crowd()
        self._money()
        self._contests()
        self._rewards()
        return self._rows

    def _add(self, table: str, **columns: Any) -> None:
        self._rows[table].append(columns)

    def _is(self, chance: float = 0.5) -> bool:
        return self._random.random() < chance

    def _one(self, *values: Any) -> Any:
        return self._random.choice(values)

    def _user(self) -> int:
        return self._random.choice(USERS)

    def _track(self) -> int:
        return self._random.choice(TRACKS)

    def _block(self) -> int:
        return self._random.choice(BLOCKS)

    def _time(self) -> str:
        return spelled(NOW - timedelta(days=self._one(*AGES), seconds=self._one(0, 0, 1, 3600)))

    def _dates(self) -> dict[str, str]:
        return {"created_at": self._time(), "updated_at": self._time()}

    def _versions(self) -> list[dict[str, Any]]:
        """The current version of a row, and sometimes one that it replaced."""
        return [{"is_current": n == 0, "txhash": str(n)} for n in range(self._one(1, 1, 2))]

    def _users(self) -> None:
        for user in USERS:
            for version in self._versions():
                self._add(
                    "users",
                    user_id=user,
                    handle_lc=self._one(None, f"h{user}", f"h{user}", f"AIRDROP{user}", "xsoundgraphx"),
                    name=self._one(None, "", "n", "AirDrop free"),
                    bio=self._one(None, "", "b", "b"),
                    profile_picture=self._one(None, "", "p"),
                    profile_picture_sizes=self._one(None, "", "p", "p"),
                    cover_photo=self._one(None, "", "p"),
                    cover_photo_sizes=self._one(None, "", "p", "p"),
                    is_verified=self._is(0.6),
                    is_deactivated=self._is(0.25),
                    is_stub=self._is(0.1),
                    blocknumber=1,
                    **self._dates(),
                    **version,
                )
            for is_current, chance in ((False, 0.3), (True, 0.8)):
                if self._is(chance):
                    referrer, mobile = self._one(None, *USERS), self._is()
                    event = {"user_id": user, "referrer": referrer, "is_mobile_user": mobile, "is_current": is_current}
                    self._add("user_events", **event, blocknumber=2 if is_current else 1)

    def _tracks(self) -> None:
        for track in TRACKS:
            for version in self._versions():
                self._add(
                    "tracks",
                    track_id=track,
                    owner_id=self._one(None, *USERS),
                    genre=self._one(None, "Rock", "rock", "Ä", "Pop"),
                    stem_of=self._one(None, None, None, "{}"),
                    pinned_comment_id=self._one(None, *COMMENTS),
                    is_unlisted=self._is(0.15),
                    is_available=self._is(0.9),
                    is_playlist_upload=self._is(0.2),
                    release_date=self._one(None, None, self._time()),
                    is_delete=self._is(0.15),
                    blocknumber=self._block(),
                    **self._dates(),
                    **version,
                )
        for _ in range(12):
            parent, child = self._random.sample(TRACKS, 2)
            self._add("remixes", parent_track_id=parent, child_track_id=child)

    def _playlists(self) -> None:
        for playlist in PLAYLISTS:
            contents = [{"track_id": self._track(), "time": 1} for _ in range(self._random.randint(0, 5))]
            written = self._one(None, "null", "{}", *[json.dumps(contents)] * 6)
            self._add(
                "playlists",
                playlist_id=playlist,
                playlist_owner_id=self._one(None, *USERS),
                is_album=self._is(),
                is_private=self._is(0.2),
                playlist_contents=written,
                release_date=self._one(None, self._time()),
                is_delete=self._is(0.15),
                is_current=True,
                blocknumber=self._block(),
                **self._dates(),
            )
            inside = {entry["track_id"] for entry in contents}
            # A hook keeps these beside the contents: what is there, and what once was.
            for track in TRACKS:
                if written == json.dumps(contents) and (track in inside or self._is(0.1)):
                    entry = {"playlist_id": playlist, "track_id": track, "is_removed": track not in inside}
                    self._add("playlist_tracks", **entry, blocknumber=1, **self._dates())

    def _edges(self) -> None:
        for _ in range(60):
            one, other = self._random.sample(USERS, 2)
            version = self._one("a", "a", "b")
            self._add(
                "follows",
                follower_user_id=one,
                followee_user_id=other,
                is_delete=self._is(0.15),
                is_current=version == "a",
                created_at=self._time(),
                blocknumber=1,
                txhash=version,
            )
            facts = {"created_at": self._time(), "blocknumber": 1}
            ends = {"subscriber_id": one, "user_id": other}
            self._add("subscriptions", **ends, is_delete=self._is(0.15), is_current=True, **facts)
            if self._is(0.1):
                ends = {"blocker_user_id": one, "blockee_user_id": other}
                self._add("chat_blocked_users", **ends, is_delete=self._is(0.3), **facts)

    def _marks(self) -> None:
        words: dict[tuple[str, int, int], str] = {}
        for act in ("save", "repost"):
            for _ in range(120):
                is_track, user = self._is(0.6), self._user()
                item = self._random.choice(TRACKS if is_track else PLAYLISTS)
                # Nobody marks a collection under both of its words.
                word = "track" if is_track else words.setdefault((act, user, item), self._one("playlist", "album"))
                version = self._one("a", "a", "b")
                self._add(
                    f"{act}s",
                    **{"user_id": user, f"{act}_item_id": item, f"{act}_type": word},
                    is_delete=self._is(0.15),
                    is_current=version == "a",
                    created_at=self._time(),
                    blocknumber=self._block(),
                    txhash=version,
                )
        for number in range(20):
            kind, items = self._one(("track", TRACKS), ("track", TRACKS), ("playlist", PLAYLISTS))
            shared = {"user_id": self._user(), "share_item_id": self._random.choice(items), "share_type": kind}
            self._add("shares", **shared, created_at=self._time(), blocknumber=1, txhash=str(number))

    def _talk(self) -> None:
        for comment in COMMENTS:
            self._add(
                "comments",
                comment_id=comment,
                text="",
                user_id=self._user(),
                entity_id=self._track(),
                entity_type=self._one("Track", "Track", "Track", "Event"),
                is_visible=self._is(0.85),
                is_delete=self._is(0.15),
                blocknumber=1,
                **self._dates(),
            )
            if self._is():
                self._add(
                    "comment_threads", comment_id=comment, parent_comment_id=self._one(*COMMENTS, 99), blocknumber=1
                )
            for table in ("comment_mentions", "comment_reactions") * 2:
                facts = {"is_delete": self._is(0.2), "created_at": self._time(), "blocknumber": 1}
                self._add(table, comment_id=comment, user_id=self._user(), **facts)
        for _ in range(10):
            since, until = sorted((self._time(), self._time()))
            about = {"entity_type": self._one("User", "Track", "Comment"), "entity_id": self._random.randint(1, 12)}
            span = {"since_block": self._block(), "since": since, "until": self._one(None, until)}
            self._add("mutes", user_id=self._user(), **about, **span)

    def _crowd(self) -> None:
        """More tracks than a list of the week has places, all of them remixes of the first, whose owner likes many of them, and
        somebody with hundreds of followers."""
        [artist] = {row["owner_id"] for row in self._rows["tracks"] if row["track_id"] == 1 and row["is_current"]}
        stands = {"is_delete": False, "is_current": True, "txhash": ""}
        for remix in REMIXES:
            track = {"track_id": remix, "owner_id": self._user(), "genre": self._one("Rock", "Pop"), "stem_of": None}
            shown = {"pinned_comment_id": None, "is_unlisted": False, "is_available": True}
            added = {"is_playlist_upload": False, "release_date": None, "blocknumber": self._block()}
            self._add("tracks", **track, **shown, **added, **stands, **self._dates())
            self._add("remixes", parent_track_id=1, child_track_id=remix)
            if artist is not None and self._is(0.6):
                mark = {"user_id": artist, "save_item_id": remix, "save_type": "track", "created_at": self._time()}
                self._add("saves", **mark, **stands, blocknumber=self._block())
        for fan in FANS:
            ends = {"follower_user_id": fan, "followee_user_id": self._one(2, 2, 3)}
            self._add("follows", **ends, **stands, created_at=self._time(), blocknumber=1)

    def _plays(self, count: int) -> None:
        """Half of them of one track."""
        for _ in range(count):
            self._add(
                "plays",
                user_id=self._one(None, *USERS),
                source="relay",
                play_item_id=self._one(1, self._track()),
                created_at=self._one(self._time(), "2024-12-31 23:59:59", "2025-01-01 00:00:00"),
                updated_at=self._time(),
                slot=1,
                signature="x",
                country=self._one(None, "", "DE", "US"),
            )
        # A hook keeps these two, play by play.
        last = {}
        for user, at, length in advances(Row(**play) for play in self._rows["plays"]):
            last[user] = at, length
            facts = {"user_id": user, "listen_streak": length}
            self._add("listen_streak_advances", **facts, hour=f"{moment(at):%Y%m%d%H}", listened_at=at, blocknumber=1)
        for user, (at, length) in last.items():
            self._add("challenge_listen_streak", user_id=user, last_listen_date=at, listen_streak=length)

    def _money(self) -> None:
        for number in range(25):
            sender, receiver = self._random.sample(USERS, 2)
            signature = self._one(f"s{number}", f"s{number}", "same")
            ends = {"sender_user_id": sender, "receiver_user_id": receiver, "amount": self._random.randint(1, 4)}
            self._add("user_tips", slot=self._block(), signature=signature, **ends, created_at=self._time())
            if self._is(0.4):
                facts = {"user_id": self._one(receiver, receiver, 3), "value": self._random.randint(0, 2)}
                self._add("tip_reactions", reacted_to=signature, **facts, created_at=self._time(), blocknumber=1)
        for user in USERS:
            for slot in BLOCKS:
                if self._is():
                    balance = self._one(0, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000)
                    self._add("user_holdings", user_id=user, slot=slot, balance=balance, created_at=self._time())
        for number in range(25):
            buyer, seller = self._random.sample(USERS, 2)
            kind, items = self._one(("track", TRACKS), ("album", PLAYLISTS))
            self._add(
                "usdc_purchases",
                slot=self._block(),
                signature=f"1:{number}",
                buyer_user_id=buyer,
                seller_user_id=seller,
                amount=self._one(1, 999_999, 1_000_000, 1_999_999, 2_000_000, 5_500_000),
                content_type=kind,
                content_id=self._random.choice(items),
                created_at=self._time(),
            )

    def _contests(self) -> None:
        for event in range(1, 5):
            soon = spelled(NOW + timedelta(days=self._one(1, 2, 3)))
            self._add(
                "events",
                event_id=event,
                event_type=self._one("remix_contest", "remix_contest", "live_event"),
                user_id=self._user(),
                entity_type="track",
                entity_id=self._track(),
                end_date=self._one(None, self._time(), soon),
                is_deleted=self._is(0.15),
                blocknumber=1,
                **self._dates(),
            )
            for place, track in enumerate(self._random.sample(TRACKS, self._random.randint(0, 7)), start=1):
                named = {"event_id": event, "track_id": track, "place": place}
                self._add("contest_winners", **named, announced_at=self._time(), blocknumber=1)

    def _rewards(self) -> None:
        """The lists of two weeks, and rewards that were completed long ago, lately, or right after the sign-up."""
        for week in ("2025-03-07", "2025-03-14"):
            for kind, items in (("tracks", TRACKS), ("underground", TRACKS), ("playlists", PLAYLISTS)):
                listed = self._random.sample(items, self._random.randint(0, min(11, len(items))))
                for rank, item in enumerate(listed, start=1):
                    entry = {"week": week, "type": kind, "rank": rank, "version": "pnagD"}
                    self._add("trending_results", **entry, user_id=self._user(), id=item)
        signed_up = {row["user_id"]: row["created_at"] for row in self._rows["users"] if row["is_current"]}
        for number in range(20):
            user, is_complete = self._user(), self._is(0.7)
            quick = moment(signed_up[user]) + timedelta(seconds=self._one(179, 180, 181))
            self._add(
                "user_challenges",
                challenge_id=self._one(*CATALOGUE, "m", "b"),
                specifier=f"{user:x}:{number}",
                user_id=user,
                is_complete=is_complete,
                current_step_count=1,
                amount=1,
                created_at=self._time(),
                completed_at=self._one(spelled(quick), self._time()) if is_complete else None,
                completed_blocknumber=self._block() if is_complete else None,
            )
