"""The base tables as data: columns and natural keys."""

from __future__ import annotations

from examples.soundgraph.described import PROVENANCE, ItemEdges, Named, Table
from tidemark.streams import Shelf

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
        "is_playlist_upload",
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
COMMENT_THREADS = Table(
    "comment_threads",
    ("comment_id",),
    ("comment_id",),
    ("comment_id", "parent_comment_id", *PROVENANCE),
    versioned=False,
)
COMMENT_MENTIONS = Table(
    "comment_mentions",
    ("comment_id", "user_id"),
    ("comment_id", "user_id"),
    ("comment_id", "user_id", "is_delete", "created_at", *PROVENANCE),
    versioned=False,
    group=("comment_id",),
)
MUTES = Named(
    "mutes",
    ("user_id", "entity_type", "entity_id", "since_block"),
    ("user_id", "entity_type", "entity_id", "since_block"),
    ("user_id", "entity_type", "entity_id", "since_block", "since", "until"),
    versioned=False,
    group=("user_id", "entity_type", "entity_id"),
)
TIP_REACTIONS = Named(
    "tip_reactions",
    ("reacted_to", "user_id"),
    ("reacted_to", "user_id"),
    ("reacted_to", "user_id", "value", "created_at", *PROVENANCE),
    versioned=False,
)
HOLDINGS = Table(
    "user_holdings",
    ("user_id", "slot"),
    ("user_id", "slot"),
    ("user_id", "slot", "balance", "created_at"),
    versioned=False,
)
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
    COMMENT_THREADS,
    COMMENT_MENTIONS,
    MUTES,
    TIP_REACTIONS,
    HOLDINGS,
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
