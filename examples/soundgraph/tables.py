"""The base tables as data: columns, natural keys, and how an edge or entity is told apart.

Every statement is made from these descriptions, so that a column is named once. A row travels as a plain dictionary of
column to value; the rows of a versioned table carry ``is_current``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tidemark.streams import Shelf

Value = int | str | bool | datetime | None
Row = dict[str, Value]
Key = tuple[int | str, ...]
PROVENANCE = ("blocknumber", "txhash")


@dataclass(frozen=True, eq=False)
class Table:
    """One table that the indexer keeps current rows of.

    ``natural`` is the key that at most one current row has; ``lookup`` is the part of it that a caller can know before
    reading; ``group`` are columns of it whose rows are asked for together. ``versioned`` tables keep replaced rows when the
    history writer writes them.
    """

    name: str
    natural: tuple[str, ...]
    lookup: tuple[str, ...]
    columns: tuple[str, ...]
    versioned: bool = True
    jsons: frozenset[str] = field(default=frozenset())
    group: tuple[str, ...] = ()

    @cached_property
    def shelf(self) -> Shelf:
        """The current rows, as many at once as there are."""
        return Shelf(self.name, self.columns, self.natural, "is_current" if self.versioned else "")

    def identify(self, row: Mapping[str, Value]) -> Key:
        """The in-memory key of a row: its lookup columns, and for typed edges the class of the item."""
        return tuple(_whole(row[column]) for column in self.lookup)

    def needle(self, key: Key) -> Row:
        """The values that find the row of an in-memory key."""
        return dict(zip(self.lookup, key, strict=True))

    def keys_of(self, values: Key) -> tuple[Key, ...]:
        """The in-memory keys of rows that have these values in their lookup columns."""
        return (values,)

    @property
    def lookup_class(self) -> str:
        """What else finds the row of a key, as SQL."""
        return ""


@dataclass(frozen=True, eq=False)
class ItemEdges(Table):
    """Saves or reposts. A playlist and an album are one class of item, so that a collection which is called both
    ways never gets two live edges from one user."""

    kind_column: str = ""

    def identify(self, row: Mapping[str, Value]) -> Key:
        """A user, an item, and the class of the item."""
        return (*super().identify(row), item_class(str(row[self.kind_column])))

    def needle(self, key: Key) -> Row:
        """The values that find the row of an in-memory key."""
        return super().needle(key[:-1]) | {"is_track": key[-1] == "track"}

    def keys_of(self, values: Key) -> tuple[Key, ...]:
        """One of each class."""
        return ((*values, "track"), (*values, "collection"))

    @property
    def lookup_class(self) -> str:
        """The class of the item."""
        return f" AND ({self.kind_column} = 'track') = :is_track"


def item_class(kind: str) -> str:
    """The class of an item type: ``'track'``, or ``'collection'`` for playlists and albums alike."""
    return "track" if kind == "track" else "collection"


def _whole(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a key column holds {value!r}, which is no integer")
    return value


_LINE = ("parent_track_id", "child_track_id")
BLOCKS = Table("blocks", ("number",), ("number",), ("number", "blockhash", "created_at"), versioned=False)
ETL_PLAYS = Table(
    "etl_plays",
    ("block", "transaction_index", "ordinal"),
    ("block", "transaction_index", "ordinal"),
    (
        *("block", "transaction_index", "ordinal", "height", "taken_at"),
        *("user_id", "track_id", "played_at", "country", "is_bridged"),
    ),
    versioned=False,
)
PLAYS = Shelf(
    "plays", ("user_id", "source", "play_item_id", "created_at", "updated_at", "slot", "signature", "country")
)
"""Nothing makes two of them one."""
USERS = Table(
    "users",
    ("user_id",),
    ("user_id",),
    (
        "user_id",
        "handle",
        "handle_lc",
        "wallet",
        "name",
        "bio",
        "location",
        "profile_picture",
        "profile_picture_sizes",
        "cover_photo",
        "cover_photo_sizes",
        "is_verified",
        "is_deactivated",
        "is_stub",
        "is_current",
        "created_at",
        "updated_at",
        *PROVENANCE,
    ),
)
TRACKS = Table(
    "tracks",
    ("track_id",),
    ("track_id",),
    (
        "track_id",
        "owner_id",
        "title",
        "genre",
        "mood",
        "tags",
        "duration",
        "remix_of",
        "stem_of",
        "pinned_comment_id",
        "is_unlisted",
        "is_available",
        "is_scheduled_release",
        "release_date",
        "is_delete",
        "is_stub",
        "is_current",
        "created_at",
        "updated_at",
        *PROVENANCE,
    ),
    jsons=frozenset({"remix_of", "stem_of"}),
)
PLAYLISTS = Table(
    "playlists",
    ("playlist_id",),
    ("playlist_id",),
    (
        "playlist_id",
        "playlist_owner_id",
        "is_album",
        "is_private",
        "playlist_name",
        "playlist_contents",
        "is_scheduled_release",
        "release_date",
        "is_delete",
        "is_stub",
        "is_current",
        "created_at",
        "updated_at",
        *PROVENANCE,
    ),
    jsons=frozenset({"playlist_contents"}),
)
FOLLOWS = Table(
    "follows",
    ("follower_user_id", "followee_user_id"),
    ("follower_user_id", "followee_user_id"),
    ("follower_user_id", "followee_user_id", "is_delete", "is_current", "created_at", *PROVENANCE),
)
SUBSCRIPTIONS = Table(
    "subscriptions",
    ("subscriber_id", "user_id"),
    ("subscriber_id", "user_id"),
    ("subscriber_id", "user_id", "is_delete", "is_current", "created_at", *PROVENANCE),
)
SAVES = ItemEdges(
    "saves",
    ("user_id", "save_item_id", "save_type"),
    ("user_id", "save_item_id"),
    (
        "user_id",
        "save_item_id",
        "save_type",
        "is_save_of_repost",
        "is_delete",
        "is_current",
        "created_at",
        *PROVENANCE,
    ),
    kind_column="save_type",
)
REPOSTS = ItemEdges(
    "reposts",
    ("user_id", "repost_item_id", "repost_type"),
    ("user_id", "repost_item_id"),
    (
        "user_id",
        "repost_item_id",
        "repost_type",
        "is_repost_of_repost",
        "is_delete",
        "is_current",
        "created_at",
        *PROVENANCE,
    ),
    kind_column="repost_type",
)
COMMENTS = Table(
    "comments",
    ("comment_id",),
    ("comment_id",),
    (
        "comment_id",
        "text",
        "user_id",
        "entity_id",
        "entity_type",
        "is_visible",
        "is_edited",
        "is_delete",
        "track_timestamp_s",
        "created_at",
        "updated_at",
        *PROVENANCE,
    ),
    versioned=False,
)
USER_EVENTS = Table(
    "user_events",
    ("user_id",),
    ("user_id",),
    ("user_id", "referrer", "is_mobile_user", "is_current", *PROVENANCE),
)
CHAT_BLOCKS = Table(
    "chat_blocked_users",
    ("blocker_user_id", "blockee_user_id"),
    ("blocker_user_id", "blockee_user_id"),
    ("blocker_user_id", "blockee_user_id", "is_delete", "created_at", *PROVENANCE),
    versioned=False,
)

SHARES = Table(
    "shares",
    ("user_id", "share_item_id", "share_type", "txhash"),
    ("user_id", "share_item_id", "share_type", "txhash"),
    ("user_id", "share_item_id", "share_type", "created_at", *PROVENANCE),
    versioned=False,
)
PLAYLIST_TRACKS = Table(
    "playlist_tracks",
    ("playlist_id", "track_id"),
    ("playlist_id", "track_id"),
    ("playlist_id", "track_id", "is_removed", "created_at", "updated_at", "blocknumber"),
    versioned=False,
    group=("playlist_id",),
)
REMIXES = Table("remixes", _LINE, _LINE, _LINE, versioned=False, group=("child_track_id",))
STEMS = Table("stems", _LINE, _LINE, _LINE, versioned=False, group=("child_track_id",))
TIPS = Table(
    "user_tips",
    ("slot", "signature"),
    ("slot", "signature"),
    ("slot", "signature", "sender_user_id", "receiver_user_id", "amount", "created_at"),
    versioned=False,
)
PURCHASES = Table(
    "usdc_purchases",
    ("slot", "signature"),
    ("slot", "signature"),
    (
        "slot",
        "signature",
        "buyer_user_id",
        "seller_user_id",
        "amount",
        "content_type",
        "content_id",
        "created_at",
    ),
    versioned=False,
)
LISTEN_STREAKS = Table(
    "challenge_listen_streak",
    ("user_id",),
    ("user_id",),
    ("user_id", "last_listen_date", "listen_streak"),
    versioned=False,
)
STREAK_ADVANCES = Table(
    "listen_streak_advances",
    ("user_id", "hour"),
    ("user_id", "hour"),
    ("user_id", "hour", "listened_at", "listen_streak", "blocknumber"),
    versioned=False,
)
EVENTS = Table(
    "events",
    ("event_id",),
    ("event_id",),
    (
        "event_id",
        "event_type",
        "user_id",
        "entity_type",
        "entity_id",
        "end_date",
        "event_data",
        "is_deleted",
        "created_at",
        "updated_at",
        *PROVENANCE,
    ),
    versioned=False,
    jsons=frozenset({"event_data"}),
)
CONTEST_WINNERS = Table(
    "contest_winners",
    ("event_id", "track_id"),
    ("event_id", "track_id"),
    ("event_id", "track_id", "place", "announced_at", "blocknumber"),
    versioned=False,
)

COMMENT_REACTIONS = Table(
    "comment_reactions",
    ("comment_id", "user_id"),
    ("comment_id", "user_id"),
    ("comment_id", "user_id", "is_delete", "created_at", *PROVENANCE),
    versioned=False,
)
DOWNLOADS = Table(
    "track_downloads",
    ("user_id", "track_id", "txhash"),
    ("user_id", "track_id", "txhash"),
    ("user_id", "track_id", "created_at", *PROVENANCE),
    versioned=False,
)
PLAYLISTS_SEEN = Table(
    "playlist_seen",
    ("user_id", "playlist_id"),
    ("user_id", "playlist_id"),
    ("user_id", "playlist_id", "seen_at", *PROVENANCE),
    versioned=False,
)
NOTICES_SEEN = Table(
    "notification_seen", ("user_id",), ("user_id",), ("user_id", "seen_at", *PROVENANCE), versioned=False
)

TABLES: tuple[Table, ...] = (
    BLOCKS,
    ETL_PLAYS,
    USERS,
    TRACKS,
    PLAYLISTS,
    FOLLOWS,
    SUBSCRIPTIONS,
    SAVES,
    REPOSTS,
    SHARES,
    COMMENTS,
    COMMENT_REACTIONS,
    USER_EVENTS,
    CHAT_BLOCKS,
    PLAYLIST_TRACKS,
    REMIXES,
    STEMS,
    TIPS,
    PURCHASES,
    LISTEN_STREAKS,
    STREAK_ADVANCES,
    EVENTS,
    CONTEST_WINNERS,
    DOWNLOADS,
    PLAYLISTS_SEEN,
    NOTICES_SEEN,
)
"""Every table that rules and hooks keep rows of."""
