"""The big database: who follows, saves and reposts what, at any scale of a platform with 26 million follows.

Owns: rows of the big tables of soundgraph, in its own schema. Promises: the same scale gives the same rows on both
engines; rows are made by the database itself, and indexes after the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from bench.duties import Place
from examples.soundgraph.stores import open_store

SIZES = {
    "users": 3_200_000,
    "tracks": 1_900_000,
    "follows": 26_000_000,
    "saves": 10_000_000,
    "reposts": 5_900_000,
    "user_events": 2_300_000,
}
_AT = "'2026-01-01 00:00:00'"
_LIVE = f"false, true, {_AT}, 100"
_EDGE = "is_delete, is_current, created_at, blocknumber"
_COLUMNS = {
    "users": "user_id, handle, handle_lc, name, bio, profile_picture, cover_photo_sizes, is_verified, is_deactivated, "
    "is_current, created_at, updated_at, blocknumber",
    "tracks": f"track_id, owner_id, is_unlisted, updated_at, {_EDGE}",
    "follows": f"follower_user_id, followee_user_id, {_EDGE}",
    "saves": f"user_id, save_item_id, save_type, {_EDGE}",
    "reposts": f"user_id, repost_item_id, repost_type, {_EDGE}",
    "user_events": "user_id, referrer, is_mobile_user, is_current, blocknumber",
}
_ROWS = {
    "users": "i, 'h' || i, 'h' || i, 'n', CASE WHEN i % 3 = 0 THEN 'b' END, CASE WHEN i % 2 = 0 THEN 'p' END, "
    f"CASE WHEN i % 5 = 0 THEN 'c' END, i % 20 = 0, i % 50 = 0, true, {_AT}, {_AT}, 100",
    "tracks": f"i, 1 + (CAST(i AS bigint) * 17) % {{users}}, i % 9 = 0, {_AT}, {_LIVE}",
    "follows": "1 + i % {users}, 1 + (CAST(i AS bigint) * 31 + i / {users} * 1009) % {users}, " + _LIVE,
    "saves": "1 + i % {users}, 1 + (CAST(i AS bigint) * 13 + i / {users} * 7) % {tracks}, 'track', " + _LIVE,
    "reposts": "1 + (i + 1) % {users}, 1 + (CAST(i AS bigint) * 29 + i / {users} * 11) % {tracks}, 'track', " + _LIVE,
    "user_events": "i, CASE WHEN i % 4 = 0 THEN 1 + (CAST(i AS bigint) * 7) % {users} END, i % 2 = 0, true, 100",
}
_INDEXES = {
    "SQLite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = '{table}'",
    "PostgreSQL": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}' AND indexname NOT LIKE '%_pkey'",
}


def sizes(scale: float) -> dict[str, int]:
    """The number of rows of each table."""
    return {name: max(1, int(size * scale)) for name, size in SIZES.items()}


@contextmanager
def without_indexes(place: Place, table: str) -> Iterator[None]:
    """What is written inside is indexed at once at the end."""
    found = [(str(name), str(text)) for name, text in place.run(_INDEXES[place.engine].format(table=table))]
    for name, _ in found:
        place.run(f"DROP INDEX {name}")
    yield
    for _, text in found:
        place.run(text)


def insert(place: Place, table: str, low: int, high: int, scale: float, where: str = "") -> None:
    """Insert the rows of a table with the numbers `low` to `high`."""
    head, _, tail = place.numbers.format(low=low, high=high).partition("|")
    rows = _ROWS[table].format(**sizes(scale))
    place.run(f"{head} INSERT INTO {table} ({_COLUMNS[table]}) SELECT {rows} {tail} {where}")


def build(place: Place, scale: float) -> None:
    """Make every table of soundgraph, those with their rows that are big, then the indexes of these, and tell the planner."""
    with closing(open_store(place.url)) as store:
        store.create_schema()
    place.run(f"INSERT INTO blocks (number, blockhash, created_at) VALUES (100, 'block:100', {_AT})")
    for table, size in sizes(scale).items():
        with without_indexes(place, table):
            insert(place, table, 1, size, scale)
    place.run("VACUUM" if place.engine == "SQLite" else "VACUUM ANALYZE")
    place.run("ANALYZE")
