"""The big database: who follows, saves and reposts what, at any scale of a platform with 26 million follows.

Owns: tables, rows and indexes as the rewards of soundgraph read them. Promises: the same scale gives the same rows on both
engines; rows are made by the database itself, and indexes after the rows.
"""

from __future__ import annotations

from bench.duties import Place

SIZES = {
    "users": 3_200_000,
    "tracks": 1_900_000,
    "follows": 26_000_000,
    "saves": 10_000_000,
    "reposts": 5_900_000,
    "user_events": 2_300_000,
}
_STATE = "is_delete boolean NOT NULL, is_current boolean NOT NULL, blocknumber integer NOT NULL, txhash text NOT NULL"
_TABLES = (
    "CREATE TABLE users (user_id integer NOT NULL, handle_lc text, name text, bio text, profile_picture text, "
    "profile_picture_sizes text, cover_photo text, cover_photo_sizes text, is_verified boolean NOT NULL, "
    "is_deactivated boolean NOT NULL, is_current boolean NOT NULL, blocknumber integer NOT NULL, txhash text NOT NULL)",
    "CREATE TABLE tracks (track_id integer NOT NULL, owner_id integer NOT NULL, is_unlisted boolean NOT NULL, "
    f"is_available boolean NOT NULL, stem_of text, {_STATE})",
    f"CREATE TABLE follows (follower_user_id integer NOT NULL, followee_user_id integer NOT NULL, {_STATE})",
    f"CREATE TABLE saves (user_id integer NOT NULL, save_item_id integer NOT NULL, {_STATE})",
    f"CREATE TABLE reposts (user_id integer NOT NULL, repost_item_id integer NOT NULL, {_STATE})",
    "CREATE TABLE user_events (user_id integer NOT NULL, referrer integer, is_mobile_user boolean NOT NULL, "
    "is_current boolean NOT NULL, blocknumber integer NOT NULL)",
    "CREATE TABLE blocks (number integer NOT NULL PRIMARY KEY, created_at timestamp NOT NULL)",
    "INSERT INTO blocks VALUES (100, '2026-01-01 00:00:00')",
)
_INDEXES = (
    "CREATE UNIQUE INDEX users_key ON users (user_id, txhash)",
    "CREATE UNIQUE INDEX users_current ON users (user_id) WHERE is_current",
    "CREATE UNIQUE INDEX tracks_current ON tracks (track_id) WHERE is_current",
    "CREATE INDEX tracks_owner ON tracks (owner_id) WHERE is_current",
    "CREATE UNIQUE INDEX follows_current ON follows (follower_user_id, followee_user_id) WHERE is_current",
    "CREATE INDEX follows_followee ON follows (followee_user_id) WHERE is_current",
    "CREATE UNIQUE INDEX saves_current ON saves (user_id, save_item_id) WHERE is_current",
    "CREATE UNIQUE INDEX reposts_current ON reposts (user_id, repost_item_id) WHERE is_current",
    "CREATE UNIQUE INDEX user_events_current ON user_events (user_id) WHERE is_current",
    "CREATE INDEX user_events_referrer ON user_events (referrer) WHERE is_current",
)
_LIVE = "false, true, 100, ''"
_ROWS = {
    "users": "i, 'h' || i, 'n', CASE WHEN i % 3 = 0 THEN 'b' END, CASE WHEN i % 2 = 0 THEN 'p' END, NULL, NULL, "
    "CASE WHEN i % 5 = 0 THEN 'c' END, i % 20 = 0, i % 50 = 0, true, 100, ''",
    "tracks": "i, 1 + (CAST(i AS bigint) * 17) % {users}, i % 9 = 0, true, NULL, " + _LIVE,
    "follows": "1 + i % {users}, 1 + (CAST(i AS bigint) * 31 + i / {users} * 1009) % {users}, " + _LIVE,
    "saves": "1 + i % {users}, 1 + (CAST(i AS bigint) * 13 + i / {users} * 7) % {tracks}, " + _LIVE,
    "reposts": "1 + (i + 1) % {users}, 1 + (CAST(i AS bigint) * 29 + i / {users} * 11) % {tracks}, " + _LIVE,
    "user_events": "i, CASE WHEN i % 4 = 0 THEN 1 + (CAST(i AS bigint) * 7) % {users} END, i % 2 = 0, true, 100",
}


def sizes(scale: float) -> dict[str, int]:
    """The number of rows of each table."""
    return {name: max(1, int(size * scale)) for name, size in SIZES.items()}


def insert(place: Place, table: str, low: int, high: int, scale: float, where: str = "") -> None:
    """Insert the rows of a table with the numbers `low` to `high`."""
    head, _, tail = place.numbers.format(low=low, high=high).partition("|")
    rows = _ROWS[table].format(**sizes(scale))
    place.run(f"{head} INSERT INTO {table} SELECT {rows} {tail} {where}")


def build(place: Place, scale: float) -> None:
    """Make the tables with their rows, then the indexes, and tell the planner."""
    for statement in _TABLES:
        place.run(statement)
    for table, size in sizes(scale).items():
        insert(place, table, 1, size, scale)
    for statement in _INDEXES:
        place.run(statement)
    place.run("VACUUM" if place.engine == "SQLite" else "VACUUM ANALYZE")
    place.run("ANALYZE")
