"""The rows of soundgraph's derived tables, read from a database and taken from an answer file, in one form.

A row is a tuple of texts, numbers and None: booleans are 0 and 1, times are spelled ``YYYY-MM-DD HH:MM:SS``, and a JSON
document is a list. `READERS` names, for each derived table, the columns that are asked for.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from examples.soundgraph.catalogue import CATALOGUE
from examples.soundgraph.stores import Store

Rows = list[tuple[Any, ...]]

USER = (
    "follower_count",
    "following_count",
    "repost_count",
    "track_save_count",
    "track_count",
    "total_track_count",
    "playlist_count",
    "album_count",
    "total_playlist_count",
    "total_album_count",
    "track_share_count",
)
TRACK = ("save_count", "repost_count", "comment_count", "share_count")
PLAYLIST = ("is_album", "save_count", "repost_count", "share_count")
PROFILE = (
    "profile_description",
    "profile_name",
    "profile_picture",
    "profile_cover_photo",
    "follows",
    "favorites",
    "reposts",
)
CHALLENGE = (
    "challenge_id",
    "specifier",
    "user_id",
    "is_complete",
    "current_step_count",
    "amount",
    "created_at",
    "completed_at",
    "completed_blocknumber",
)
PLAYLISTS_OF = ("playlists_containing_track", "playlists_previously_containing_track")
READERS: dict[str, tuple[str, ...]] = {
    "aggregate_user": ("user_id", *USER),
    "aggregate_track": ("track_id", *TRACK),
    "aggregate_playlist": ("playlist_id", *PLAYLIST),
    "aggregate_plays": ("play_item_id", "count"),
    "aggregate_monthly_plays": ("play_item_id", '"timestamp"', "country", "count"),
    "hourly_play_counts": ("hourly_timestamp", "play_count"),
    "user_track_plays": ("user_id", "play_item_id", "play_count", "last_played_at"),
    "aggregate_user_tips": ("sender_user_id", "receiver_user_id", "amount"),
    "user_supporters": ("user_id", "supporter_count", "supporting_count"),
    "track_playlists": ("track_id", *PLAYLISTS_OF),
    "user_distinct_play_hours": ("user_id", "hours_with_play"),
    "user_distinct_play_tracks": ("user_id", "track_count"),
    "user_listening_history": ("user_id", "listening_history"),
    "user_dominant_genre": ("user_id", "dominant_genre", "dominant_genre_count"),
    "user_karma": ("user_id", "karma"),
    "user_score_features": ("user_id", "challenge_count"),
    "user_score": ("user_id", "score"),
    "challenge_profile_completion": ("user_id", *PROFILE),
    "referrals": ("referrer_user_id", "referred_user_id", "challenge_id"),
    "track_karma": ("track_id", "karma"),
    "playlist_karma": ("playlist_id", "karma"),
    "track_trending_all_time": ("track_id", "version", "genre", "score"),
    "track_trending_scores": ("track_id", "version", "time_range", "genre", "score"),
    "playlist_trending_scores": ("playlist_id", "version", "time_range", "score"),
    "underground_trending": ("track_id", "version", "genre", "score"),
}
WEEKLY_IDS = ("t", "tt", "tut", "tp")
"""Rewards for what was at the top of a week."""
CHALLENGE_IDS = tuple(challenge for challenge in CATALOGUE if challenge not in WEEKLY_IDS)
"""All the others."""
DIGITS = 6
"""Significant digits of a score that are compared: SQLite knows days to a millisecond, and a power makes more of that."""


def plain(value: Any, column: str = "") -> Any:
    """A value as both engines and the answer file would give it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else rounded(float(value))
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    if column == "listening_history":
        document = json.loads(value) if isinstance(value, str) else value
        return [(entry["track_id"], entry["timestamp"], entry["play_count"]) for entry in document]
    if column in PLAYLISTS_OF:
        return tuple(json.loads(value) if isinstance(value, str) else value)
    return value


def rounded(score: float) -> float:
    """A score to so many digits."""
    return float(f"{score:.{DIGITS}g}")


def in_order(rows: Iterator[tuple[Any, ...]]) -> Rows:
    """Rows sorted, None before everything."""
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row])


def stored(store: Store, table: str, columns: tuple[str, ...], where: str = "") -> Rows:
    """Columns of a table or view."""
    found = store.query(f"SELECT {', '.join(columns)} FROM {table} {where}")
    return in_order(tuple(plain(v, c) for c, v in zip(columns, row, strict=True)) for row in found)


def derived(store: Store, name: str) -> Rows:
    """The rows of a derived table that has a name of its own."""
    return stored(store, name, READERS[name])


def progress(store: Store, challenge: str, table: str = "user_challenges") -> Rows:
    """The rows of one challenge."""
    return stored(store, table, CHALLENGE, f"WHERE challenge_id = '{challenge}'")


def answered_progress(answers: Mapping[str, Any], challenge: str, of: str = "user_challenges") -> Rows:
    """The rows that one challenge must have."""
    rows = (row for row in answers[of] if row["challenge_id"] == challenge)
    return in_order(tuple(plain(row[column]) for column in CHALLENGE) for row in rows)


def answered(answers: Mapping[str, Any], name: str) -> Rows:
    """The rows that a derived table must have."""
    return in_order(_answered(answers, name))


def _answered(answers: Mapping[str, Any], name: str) -> Iterator[tuple[Any, ...]]:
    columns = READERS[name]
    if name == "user_score_features":
        for user, found in answers["user_score"].items():
            yield int(user), found["challenge_count"]
        return
    found = answers[name]
    if isinstance(found, list):
        yield from (tuple(plain(value) for value in row) for row in found)
        return
    for key, value in found.items():
        known = key if name == "hourly_play_counts" else int(key)
        if isinstance(value, dict):
            yield known, *(plain(value[column], column) for column in columns[1:])
        else:
            yield known, plain(value, columns[1])
