"""The soundgraph indexer: each event once, whatever is delivered how often, and what is refused kept as evidence."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph.derived import DECLARED, make_project
from examples.soundgraph.indexer import NAME, add_stream, take
from examples.soundgraph.releases import publish_due
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store
from examples.soundgraph.tables import (
    TABLES,
)
from tests.examples.conftest import Generated, MakeStore
from tidemark import Fault, Project, Tidemark, iterable

WRITERS: tuple[Writer, ...] = ("upsert", "history")
NOON = 1_741_953_600
PLAY_COLUMNS = ("user_id", "source", "play_item_id", "created_at", "updated_at", "slot", "signature", "country")


def entity(user: Any, kind: str, number: Any, action: str, **metadata: Any) -> dict[str, Any]:
    """An entity transaction."""
    tx = {"type": "manage_entity", "user_id": user, "entity_type": kind, "entity_id": number, "action": action}
    return tx | {"metadata": metadata}


def plays(*items: Any) -> dict[str, Any]:
    """A transaction of plays."""
    return {"type": "plays", "plays": list(items)}


def play(track: Any, user: Any = "0xabc", at: Any = NOON, country: Any = "Canada") -> dict[str, Any]:
    """One play."""
    return {"user_id": user, "track_id": track, "timestamp": at, "country": country}


def block(height: int, *txs: Any) -> dict[str, Any]:
    """A block at a height."""
    return {"block": height, "timestamp": NOON + height, "txs": list(txs)}


def one(store: Store, sql: str) -> Any:
    """The only value of a query."""
    [(value,)] = store.query(sql)
    return value


def looking(store: Store) -> Tidemark:
    """Tidemark over the stream, to look at what it says of itself."""
    project = Project("soundgraph")
    add_stream(project, iterable(lambda _: ()))
    return Tidemark(project, store.database)


def reasons(store: Store) -> list[str]:
    """Why items were quarantined, in order."""
    _, found = looking(store).stream(NAME).open_ends()
    return [one.reason for one in sorted(found, key=lambda one: one.identity)]


def live_state(store: Store) -> dict[str, list[tuple[str, ...]]]:
    """Everything that is current, as text, without ids that the database made."""
    parts = {table.name: (table.columns, "WHERE is_current" if table.versioned else "") for table in TABLES} | {
        "plays": (PLAY_COLUMNS, ""),
    }
    state = {
        name: sorted(
            tuple(str(value) for value in row)
            for row in store.query(f"SELECT {', '.join(columns)} FROM {name} {condition}")
        )
        for name, (columns, condition) in parts.items()
    }
    [status] = looking(store).streams()
    return state | {"stream": [(str(status.position),)], "quarantined": [tuple(reasons(store))]}


KILLED_SECONDS_MAX = 900
"""Bounds a writer that hangs. One that only has no processor gets there: it dies by its own hand."""

KILLED_INSIDE_A_BLOCK = """
import json, os, signal, sys
from tidemark.streams import Shelf
from examples.soundgraph.indexer import take

database, blocks, writer, statements = sys.argv[1:]
whole, left = Shelf.last, int(statements)

def last(self, rows):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, rows)

Shelf.last = last
take(database, map(json.loads, open(blocks)), writer=writer)
"""


def test_whoever_writes_is_killed_or_goes_on_ends_with_the_same_live_state(
    new_store: MakeStore, generated: Generated, tmp_path: Path
) -> None:
    upsert, history, mixed, together = (new_store() for _ in range(4))
    blocks = generated.blocks[:150]
    path = tmp_path / "blocks.jsonl"
    path.write_text("\n".join(generated.lines[:150]), encoding="utf-8")
    for writer, statements in (("history", 170), ("upsert", 333)):
        command = [sys.executable, "-c", KILLED_INSIDE_A_BLOCK, mixed.database, str(path), writer, str(statements)]
        assert subprocess.run(command, check=False, timeout=KILLED_SECONDS_MAX).returncode == -signal.SIGKILL
    take(mixed.database, blocks, writer="history")
    take(together.database, blocks, together=400)
    for store, writer in ((upsert, WRITERS[0]), (history, WRITERS[1])):
        taken = take(store.database, blocks, writer=writer)
        before = live_state(store)
        again = take(store.database, blocks, writer=writer)
        assert (again.events, again.redelivered) == (0, taken.events + taken.redelivered)
        assert live_state(store) == before
    assert live_state(upsert) == live_state(history) == live_state(mixed) == live_state(together)
    assert one(upsert, "SELECT count(*) FROM follows WHERE NOT is_current") == 0
    assert one(history, "SELECT count(*) FROM follows WHERE NOT is_current") > 0


def test_identical_plays_are_two_plays(store: Store) -> None:
    take(store.database, [block(1, plays(play("7", "5"), play("7", "5"))), block(2, plays(play("7", "5")))])
    assert store.query("SELECT user_id, play_item_id, count(*) FROM plays GROUP BY 1, 2") == [(5, 7, 3)]


def test_a_block_that_arrives_in_part_and_then_whole_is_taken_once(store: Store) -> None:
    first, more, second = plays(play("7")), plays(play("7"), play("8")), entity(1, "User", 2, "Follow")
    tally = take(store.database, [block(4, first), block(5, plays(play("9"))), block(4, more, second)])
    assert one(store, "SELECT count(*) FROM plays") == 3
    assert one(store, "SELECT count(*) FROM follows WHERE is_current AND NOT is_delete") == 1
    assert tally.redelivered == 1


def test_a_redelivered_event_is_known_by_its_origin(store: Store) -> None:
    follow, unfollow = entity(1, "User", 2, "Follow"), entity(1, "User", 2, "Unfollow")
    again = follow | {"origin": {"block": 1, "tx": 0}}
    take(store.database, [block(1, follow), block(2, unfollow), block(3, again)])
    assert one(store, "SELECT count(*) FROM follows WHERE is_current AND NOT is_delete") == 0


@pytest.mark.parametrize("writer", WRITERS)
def test_opposite_events_in_one_block_end_as_the_last_says(store: Store, writer: Writer) -> None:
    follow, unfollow = entity(1, "User", 2, "Follow"), entity(1, "User", 2, "Unfollow")
    take(store.database, [block(1, follow, unfollow), block(2, follow, unfollow, follow)], writer=writer)
    assert store.query("SELECT count(*), max(blocknumber) FROM follows WHERE is_current AND NOT is_delete") == [(1, 2)]
    versions = one(store, "SELECT count(*) FROM follows")
    assert versions == (5 if writer == "history" else 1)


def test_plays_without_a_whole_track_id_are_skipped_and_their_siblings_kept(store: Store) -> None:
    bad: Sequence[Any] = ("x", "1.5", "", " 1", "1_0", None, True, 2.0, [7], "٣")
    far: Sequence[Any] = ("0", "-1", 2**31, "9" * 18)
    items = [play("7"), *[play(track) for track in (*bad, *far)], play("8"), "no play at all", play("7", at="now")]
    take(store.database, [block(1, plays(*items))])
    assert one(store, "SELECT count(*) FROM plays") == 2
    expected = ["track_id_not_integer"] * len(bad) + ["track_id_out_of_range"] * len(far) + ["no_play", "no_time"]
    assert reasons(store) == expected
    _, found = looking(store).stream(NAME).open_ends()
    assert json.loads(found[0].evidence)["track_id"] == "x"


def test_a_play_is_bridged_with_the_time_of_its_event_and_the_height_of_its_block(store: Store) -> None:
    items = [play("7", "0xfe"), play("7", None), play("7", "12"), play("7", 13, NOON - 86_400)]
    take(store.database, [block(1, plays(*items))])
    users = store.query("SELECT user_id FROM plays ORDER BY id")
    assert users == [(None,), (None,), (12,), (13,)]
    assert store.query("SELECT user_id FROM users ORDER BY 1") == [(12,), (13,)]
    rows = store.query("SELECT source, created_at, updated_at, slot FROM plays ORDER BY id DESC LIMIT 1")
    assert [tuple(map(str, row)) for row in rows] == [("relay", "2025-03-13 12:00:00", "2025-03-14 12:00:01", "1")]
    assert one(store, "SELECT count(*) FROM etl_plays WHERE is_bridged") == 4


def test_empty_transactions_and_missing_heights_are_nothing_special(store: Store) -> None:
    take(store.database, [block(0, plays(play("7"))), block(3, plays()), block(9), block(40, plays(play("7")))])
    assert store.query("SELECT number FROM blocks ORDER BY 1") == [(0,), (3,), (9,), (40,)]
    [status] = looking(store).streams()
    assert (status.position, status.gaps, status.quarantined) == (40, 0, 0)


def test_an_event_about_the_unknown_makes_stubs(store: Store) -> None:
    take(
        store.database,
        [block(1, entity(1, "User", 2, "Follow"), entity(1, "Track", 3, "Save"), plays(play("4")))],
    )
    assert store.query("SELECT user_id FROM users WHERE is_current AND is_stub ORDER BY 1") == [(1,), (2,)]
    assert store.query("SELECT track_id, owner_id FROM tracks WHERE is_stub ORDER BY 1") == [(3, None), (4, None)]
    take(store.database, [block(2, entity(2, "User", 2, "Create", handle="Two"))])
    assert store.query("SELECT handle_lc FROM users WHERE user_id = 2 AND is_current AND NOT is_stub") == [("two",)]


def test_strict_rejects_the_unknown_with_evidence(store: Store) -> None:
    create = entity(1, "User", 1, "Create", handle="one")
    upload = entity(1, "Track", 3, "Create", title="t")
    events = [
        entity(1, "User", 2, "Follow"),
        entity(9, "Track", 3, "Save"),
        plays(play("4"), play("3"), play("3", "8")),
    ]
    take(store.database, [block(1, create, upload, *events)], strict=True)
    assert reasons(store) == ["unknown_user", "unknown_user", "unknown_track", "unknown_user"]
    assert store.query("SELECT user_id FROM users") == [(1,)]
    assert store.query("SELECT track_id FROM tracks") == [(3,)]
    assert one(store, "SELECT count(*) FROM plays") == 1


REFUSED = [
    (entity(1, "User", 1, "Follow"), "self_follow"),
    (entity(1, "User", 1, "Subscribe"), "self_subscribe"),
    (entity(1, "User", 2, "Unfollow"), "nothing_to_undo"),
    (entity(1, "Track", 10, "Save"), "own_content"),
    (entity(1, "Track", 10, "Repost"), "own_content"),
    (entity(2, "Track", 10, "Unsave"), "nothing_to_undo"),
    (entity(2, "Track", 11, "Save"), "deleted_item"),
    (entity(2, "Track", 10, "Update"), "not_owner"),
    (entity(2, "Track", 10, "Create"), "track_exists"),
    (entity(1, "User", 1, "Create", handle="x"), "user_exists"),
    (entity(1, "User", 2, "Update"), "not_self"),
    (entity(5, "User", 5, "Create"), "no_handle"),
    (entity(1, "Comment", 20, "Delete"), "unknown_comment"),
    (entity(1, "Comment", 20, "Create"), "no_commented_item"),
    (entity(1, "Comment", 20, "React"), "unknown_comment"),
    (entity(1, "Comment", 20, "Unreact"), "nothing_to_undo"),
    (entity(1, "User", "abc", "Follow"), "entity_id_not_integer"),
    (entity(True, "User", 2, "Follow"), "user_id_not_integer"),
    (entity(1, "User", 2**31, "Follow"), "entity_id_out_of_range"),
    (entity(1, "AssociatedWallet", None, "Create"), "unsupported_kind"),
    ({"type": "validator"}, "no handler for validator"),
    (17, "no handler for a transaction without a kind"),
]


def test_downloads_are_counted_and_views_move_on(store: Store) -> None:
    made = [entity(1, "Track", 10, "Create", title="t"), entity(1, "Playlist", 20, "Create", playlist_name="p")]
    first = [entity(2, "Track", 10, "Download"), entity(2, "Track", 10, "Download"), entity(2, "Playlist", 20, "View")]
    later = [
        entity(2, "Notification", 20, "ViewPlaylist"),
        entity(2, "Notification", 2, "View"),
        entity(3, "Notification", 2, "View"),
    ]
    gone = [entity(1, "Track", 10, "Delete"), entity(2, "Track", 10, "Download")]
    take(store.database, [block(1, *made), block(2, *first), block(3, *later), block(4, *gone)])
    assert one(store, "SELECT count(*) FROM track_downloads WHERE user_id = 2 AND track_id = 10") == 2
    assert store.query("SELECT user_id, playlist_id, blocknumber FROM playlist_seen") == [(2, 20, 3)]
    assert store.query("SELECT user_id, blocknumber FROM notification_seen") == [(2, 3)]
    assert reasons(store) == ["not_self", "deleted_item"]


def test_what_is_scheduled_is_published_when_its_time_has_come(store: Store) -> None:
    hidden = {"is_scheduled_release": True, "release_date": "2025-03-14T13:00:00Z"}
    album = hidden | {"is_private": True}
    made = [
        entity(1, "Track", 10, "Create", is_unlisted=True, **hidden),
        entity(1, "Track", 11, "Create", is_unlisted=True),
        entity(1, "Playlist", 20, "Create", is_album=True, **album),
        entity(1, "Playlist", 21, "Create", is_album=False, **album),
    ]
    project = make_project(wanted=[one for one in DECLARED if one.name == "aggregate_user"])
    Tidemark(project, store.database).apply()
    take(store.database, [block(1, *made)])
    counts = "SELECT track_count, album_count, playlist_count FROM aggregate_user WHERE user_id = 1"
    assert publish_due(store, datetime(2025, 3, 14, 12, 59, tzinfo=UTC)) == 0
    assert store.query(counts) == [(0, 0, 0)]
    assert publish_due(store, datetime(2025, 3, 14, 13, 0, tzinfo=UTC)) == 2
    assert store.query(counts) == [(1, 1, 0)]
    assert publish_due(store, datetime(2025, 3, 15, tzinfo=UTC)) == 0


def test_what_validation_refuses_is_kept_as_evidence_and_changes_nothing(store: Store) -> None:
    known = [
        entity(1, "User", 1, "Create", handle="One"),
        entity(1, "Track", 10, "Create", title="t"),
        entity(1, "Track", 11, "Create", title="t"),
        entity(1, "Track", 11, "Delete"),
    ]
    take(store.database, [block(1, *known)])
    before = live_state(store)
    take(store.database, [block(2, *(event for event, _ in REFUSED))])
    assert reasons(store) == [reason for _, reason in REFUSED]
    after = live_state(store)
    assert {name for name in before if before[name] != after[name]} == {"blocks", "stream", "quarantined"}


def test_text_that_an_engine_cannot_store_does_not_stop_the_block(store: Store) -> None:
    line = (
        b'{"block":1,"timestamp":1741953600,"txs":[{"type":"manage_entity","user_id":1,"entity_type":"Track",'
        b'"entity_id":2,"action":"Create","metadata":{"title":"a\\u0000b\\ud800","remix_of":{"x":"\\u0000"}}},'
        b'{"type":"strange","what":"\\u0000\\ud800"}]}'
    )
    take(store.database, [json.loads(line)])
    assert store.query("SELECT title FROM tracks") == [("ab?",)]
    assert reasons(store) == ["no handler for strange"]


def test_a_block_that_fails_leaves_every_table_as_it_was_and_halts(store: Store) -> None:
    take(store.database, [block(1, plays(play("7", "5")))])
    before = live_state(store)
    with pytest.raises(Fault, match="halted at block 2: .*no time in unix seconds"):
        take(store.database, [block(2, entity(5, "User", 6, "Follow")) | {"timestamp": "noon"}])
    after = live_state(store)
    assert after == before
    [status] = looking(store).streams()
    assert (status.state, status.failed_at) == ("halted", 2)


def test_an_event_or_a_hook_that_breaks_costs_itself_and_no_sibling(store: Store) -> None:
    # The name of a second index entry that cannot be: any play of track 13 breaks it, and so does a second remix.
    store.execute("CREATE UNIQUE INDEX unlucky ON etl_plays ((track_id = 13)) WHERE track_id = 13")
    store.execute("CREATE UNIQUE INDEX unhooked ON remixes ((1))")
    remix = {"tracks": [{"parent_track_id": 1}, {"parent_track_id": 2}]}
    create = entity(5, "Track", 3, "Create", title="t", remix_of=remix)
    take(
        store.database,
        [block(2, entity(5, "User", 6, "Follow"), plays(play("13"), play("13"), play("7")), create)],
    )
    assert one(store, "SELECT count(*) FROM follows WHERE is_current") == 1
    assert store.query("SELECT play_item_id FROM plays ORDER BY id") == [(13,), (7,)]
    assert one(store, "SELECT count(*) FROM tracks WHERE track_id = 3 AND NOT is_stub") == 1
    assert one(store, "SELECT count(*) FROM remixes") == 0
    [status] = looking(store).streams()
    assert (status.hook_failures, status.skipped) == (1, 1)
    assert any(reason.startswith("lineage: ") for reason in reasons(store))


def test_a_collection_called_both_ways_has_one_edge(store: Store) -> None:
    make = entity(1, "Playlist", 3, "Create", playlist_name="p", is_album=True)
    change = entity(1, "Playlist", 3, "Update", is_album=False)
    repost = entity(2, "Playlist", 3, "Repost")
    take(store.database, [block(1, make, repost), block(2, change), block(3, repost)])
    live = store.query("SELECT repost_type, blocknumber FROM reposts WHERE is_current AND NOT is_delete")
    assert [(str(kind), number) for kind, number in live] == [("album", 3)]


def test_a_hook_keeps_what_is_in_a_collection_and_what_was(store: Store) -> None:
    def contents(action: str, *tracks: Any) -> dict[str, Any]:
        return entity(1, "Playlist", 3, action, playlist_contents=[{"track_id": track} for track in tracks])

    take(
        store.database,
        [
            block(1, contents("Create", 5, 6, 5, "x")),
            block(2, contents("Update", 6, 7)),
            block(3, entity(1, "Playlist", 3, "Update", is_private=True)),
            block(4, contents("Update", 7, 5)),
        ],
    )
    rows = store.query("SELECT track_id, is_removed, blocknumber FROM playlist_tracks ORDER BY 1")
    assert [(track, bool(removed), number) for track, removed, number in rows] == [
        (5, False, 4),
        (6, True, 4),
        (7, False, 2),
    ]


def test_a_hook_keeps_where_tracks_come_from(store: Store) -> None:
    def upload(action: str, **given: Any) -> dict[str, Any]:
        return entity(1, "Track", 9, action, **given)

    parents = {"tracks": [{"parent_track_id": 2}, {"parent_track_id": 3}]}
    take(store.database, [block(1, upload("Create", remix_of=parents)), block(2, upload("Update", title="t"))])
    assert store.query("SELECT parent_track_id, child_track_id FROM remixes ORDER BY 1") == [(2, 9), (3, 9)]
    take(store.database, [block(3, upload("Update", remix_of=None, stem_of={"parent_track_id": 4}))])
    assert store.query("SELECT * FROM remixes") == []
    assert store.query("SELECT parent_track_id, child_track_id FROM stems") == [(4, 9)]
