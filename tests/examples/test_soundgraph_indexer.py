"""The soundgraph indexer: each event once, whatever is delivered how often, and never a block half written."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from examples.soundgraph.blocks import BadBlock, Block, BlockFile, parse_block
from examples.soundgraph.indexer import Indexer
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import NOTHING_YET, Overtaken, Store, open_store
from examples.soundgraph.tables import PLAY_COLUMNS, SHARE_COLUMNS, SKIP_COLUMNS, STATEFUL
from tests.examples.conftest import Generated, MakeStore

WRITERS: tuple[Writer, ...] = ("upsert", "history")
NOON = 1_741_953_600


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


def block(height: int, *txs: Any) -> Block:
    """A block at a height."""
    return Block(height, NOON + height, list(txs))


def one(store: Store, sql: str) -> Any:
    """The only value of a query."""
    [(value,)] = store.query(sql)
    return value


def reasons(store: Store) -> list[str]:
    """Why items were skipped, in order."""
    return [
        row[0] for row in store.query("SELECT reason FROM skipped_items ORDER BY block, transaction_index, ordinal")
    ]


def live_state(store: Store) -> dict[str, list[tuple[str, ...]]]:
    """Everything that is current, as text, without ids that the database made."""
    parts = {table.name: (table.columns, "WHERE is_current" if table.versioned else "") for table in STATEFUL} | {
        "plays": (PLAY_COLUMNS, ""),
        "shares": (SHARE_COLUMNS, ""),
        "skipped_items": (SKIP_COLUMNS, ""),
        "event_ledger": (("block", "transaction_index", "ordinal"), ""),
        "blocks": (("number", "blockhash", "created_at"), ""),
        "indexing_checkpoints": (("tablename", "last_checkpoint"), ""),
    }
    return {
        name: sorted(
            tuple(str(value) for value in row)
            for row in store.query(f"SELECT {', '.join(columns)} FROM {name} {condition}")
        )
        for name, (columns, condition) in parts.items()
    }


@pytest.mark.parametrize("writer", WRITERS)
def test_delivering_everything_again_changes_nothing(store: Store, generated: Generated, writer: Writer) -> None:
    Indexer(store, writer=writer).ingest(generated.blocks)
    before = live_state(store)
    again = Indexer(store, writer=writer).ingest(generated.blocks)
    assert again.events == 0
    assert again.redelivered >= generated.answers["events"]
    assert live_state(store) == before


def test_writer_styles_end_with_the_same_live_state(new_store: MakeStore, generated: Generated) -> None:
    stores = [new_store(), new_store()]
    for writer, each in zip(WRITERS, stores, strict=True):
        Indexer(each, writer=writer).ingest(generated.blocks)
    assert live_state(stores[0]) == live_state(stores[1])
    assert one(stores[0], "SELECT count(*) FROM follows WHERE NOT is_current") == 0
    assert one(stores[1], "SELECT count(*) FROM follows WHERE NOT is_current") > 0


@pytest.mark.parametrize("writer", WRITERS)
def test_batching_does_not_show_in_the_live_state(new_store: MakeStore, generated: Generated, writer: Writer) -> None:
    by_block, by_many = new_store(), new_store()
    Indexer(by_block, writer=writer).ingest(generated.blocks)
    Indexer(by_many, writer=writer, batch=37).ingest(generated.blocks)
    assert live_state(by_block) == live_state(by_many)


def test_another_writer_may_go_on_where_one_stopped(new_store: MakeStore, generated: Generated) -> None:
    mixed, whole = new_store(), new_store()
    blocks = generated.blocks
    Indexer(mixed, writer="history").ingest(blocks[: len(blocks) // 2])
    Indexer(mixed, writer="upsert").ingest(blocks)
    Indexer(whole).ingest(blocks)
    assert live_state(mixed) == live_state(whole)


def test_identical_plays_are_two_plays(store: Store) -> None:
    Indexer(store).ingest([block(1, plays(play("7", "5"), play("7", "5"))), block(2, plays(play("7", "5")))])
    assert store.query("SELECT user_id, play_item_id, count(*) FROM plays GROUP BY 1, 2") == [(5, 7, 3)]


def test_a_block_that_arrives_in_part_and_then_whole_is_taken_once(store: Store) -> None:
    first, second = plays(play("7"), play("8")), entity(1, "User", 2, "Follow")
    indexer = Indexer(store)
    indexer.ingest([block(4, first), block(5, plays(play("9"))), block(4, first, second)])
    assert one(store, "SELECT count(*) FROM plays") == 3
    assert one(store, "SELECT count(*) FROM follows WHERE is_current AND NOT is_delete") == 1
    assert indexer.tally.redelivered == 2


@pytest.mark.parametrize("batch", [1, 10])
def test_a_redelivered_event_is_known_by_its_origin(store: Store, batch: int) -> None:
    follow, unfollow = entity(1, "User", 2, "Follow"), entity(1, "User", 2, "Unfollow")
    again = follow | {"origin": {"block": 1, "tx": 0}}
    Indexer(store, batch=batch).ingest([block(1, follow), block(2, unfollow), block(3, again)])
    assert one(store, "SELECT count(*) FROM follows WHERE is_current AND NOT is_delete") == 0


@pytest.mark.parametrize("writer", WRITERS)
def test_opposite_events_in_one_block_end_as_the_last_says(store: Store, writer: Writer) -> None:
    follow, unfollow = entity(1, "User", 2, "Follow"), entity(1, "User", 2, "Unfollow")
    Indexer(store, writer=writer).ingest([block(1, follow, unfollow), block(2, follow, unfollow, follow)])
    assert store.query("SELECT count(*), max(blocknumber) FROM follows WHERE is_current AND NOT is_delete") == [(1, 2)]
    versions = one(store, "SELECT count(*) FROM follows")
    assert versions == (5 if writer == "history" else 1)


def test_plays_without_a_whole_track_id_are_skipped_and_their_siblings_kept(store: Store) -> None:
    bad: Sequence[Any] = ("x", "1.5", "", " 1", "1_0", None, True, 2.0, [7], "٣")
    far: Sequence[Any] = ("0", "-1", 2**31, "9" * 18)
    items = [play("7"), *[play(track) for track in (*bad, *far)], play("8"), "no play at all"]
    Indexer(store).ingest([block(1, plays(*items))])
    assert one(store, "SELECT count(*) FROM plays") == 2
    expected = ["track_id_not_integer"] * len(bad) + ["track_id_out_of_range"] * len(far) + ["no_play"]
    assert reasons(store) == expected
    evidence = one(store, "SELECT evidence FROM skipped_items WHERE ordinal = 1")
    assert '"track_id":"x"' in evidence


def test_a_user_who_is_no_integer_is_anonymous(store: Store) -> None:
    Indexer(store).ingest([block(1, plays(play("7", "0xfe"), play("7", None), play("7", "12"), play("7", 13)))])
    users = store.query("SELECT user_id FROM plays ORDER BY id")
    assert users == [(None,), (None,), (12,), (13,)]
    assert store.query("SELECT user_id FROM users ORDER BY 1") == [(12,), (13,)]


def test_empty_transactions_and_missing_heights_are_nothing_special(store: Store) -> None:
    indexer = Indexer(store)
    indexer.ingest([block(3, plays()), block(9), block(40, plays(play("7")))])
    assert store.query("SELECT number FROM blocks ORDER BY 1") == [(3,), (9,), (40,)]
    assert (indexer.height, one(store, "SELECT last_checkpoint FROM indexing_checkpoints")) == (40, 40)
    assert reasons(store) == []


def test_an_event_about_the_unknown_makes_stubs(store: Store) -> None:
    Indexer(store).ingest([block(1, entity(1, "User", 2, "Follow"), entity(1, "Track", 3, "Save"), plays(play("4")))])
    assert store.query("SELECT user_id FROM users WHERE is_current AND is_stub ORDER BY 1") == [(1,), (2,)]
    assert store.query("SELECT track_id, owner_id FROM tracks WHERE is_stub ORDER BY 1") == [(3, None), (4, None)]
    Indexer(store).ingest([block(2, entity(2, "User", 2, "Create", handle="Two"))])
    assert store.query("SELECT handle_lc FROM users WHERE user_id = 2 AND is_current AND NOT is_stub") == [("two",)]


def test_strict_rejects_the_unknown_with_evidence(store: Store) -> None:
    create = entity(1, "User", 1, "Create", handle="one")
    upload = entity(1, "Track", 3, "Create", title="t")
    events = [
        entity(1, "User", 2, "Follow"),
        entity(9, "Track", 3, "Save"),
        plays(play("4"), play("3"), play("3", "8")),
    ]
    Indexer(store, strict=True).ingest([block(1, create, upload, *events)])
    assert reasons(store) == ["unknown_user", "unknown_user", "unknown_track", "unknown_user"]
    assert store.query("SELECT user_id FROM users") == [(1,)]
    assert store.query("SELECT track_id FROM tracks") == [(3,)]
    assert one(store, "SELECT count(*) FROM plays") == 1


@pytest.mark.parametrize(
    ("event", "reason"),
    [
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
        (entity(1, "User", "abc", "Follow"), "entity_id_not_integer"),
        (entity(True, "User", 2, "Follow"), "user_id_not_integer"),
        (entity(1, "User", 2**31, "Follow"), "entity_id_out_of_range"),
        (entity(1, "AssociatedWallet", None, "Create"), "unsupported_kind"),
        ({"type": "validator"}, "unknown_transaction"),
        (17, "unknown_transaction"),
    ],
)
def test_what_validation_refuses_is_kept_as_evidence_and_changes_nothing(store: Store, event: Any, reason: str) -> None:
    known = [
        entity(1, "User", 1, "Create", handle="One"),
        entity(1, "Track", 10, "Create", title="t"),
        entity(1, "Track", 11, "Create", title="t"),
        entity(1, "Track", 11, "Delete"),
    ]
    indexer = Indexer(store)
    indexer.ingest([block(1, *known)])
    before = live_state(store)
    indexer.ingest([block(2, event)])
    assert reasons(store) == [reason]
    after = live_state(store)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"skipped_items", "event_ledger", "blocks", "indexing_checkpoints"}


def test_text_that_an_engine_cannot_store_does_not_stop_the_block(store: Store) -> None:
    line = (
        b'{"block":1,"timestamp":1741953600,"txs":[{"type":"manage_entity","user_id":1,"entity_type":"Track",'
        b'"entity_id":2,"action":"Create","metadata":{"title":"a\\u0000b\\ud800","remix_of":{"x":"\\u0000"}}},'
        b'{"type":"\\u0000\\ud800"}]}'
    )
    Indexer(store).ingest([parse_block(line, "a line")])
    assert store.query("SELECT title FROM tracks") == [("ab?",)]
    assert reasons(store) == ["unknown_transaction"]


def test_a_block_that_fails_leaves_the_checkpoint_and_every_table_as_they_were(store: Store) -> None:
    indexer = Indexer(store)
    indexer.ingest([block(1, plays(play("7", "5")))])
    before = live_state(store)
    # The name of a second index entry that cannot be: any play of track 13 breaks it.
    store.execute("CREATE UNIQUE INDEX unlucky ON plays ((play_item_id = 13)) WHERE play_item_id = 13")
    bad = block(2, entity(5, "User", 6, "Follow"), plays(play("13"), play("13")))
    with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)):
        indexer.ingest([bad])
    assert live_state(store) == before
    store.execute("DROP INDEX unlucky")
    indexer.ingest([bad])
    assert one(store, "SELECT count(*) FROM follows WHERE is_current") == 1
    assert one(store, "SELECT count(*) FROM plays") == 3


def test_only_the_indexer_that_claimed_last_may_write(store: Store) -> None:
    stalled = Indexer(store)
    stalled.ingest([block(1, plays(play("7")))])
    newer = Indexer(store)
    with pytest.raises(Overtaken):
        stalled.ingest([block(2, plays(play("7")))])
    assert newer.ingest([block(2, plays(play("7")))]).plays == 1
    assert one(store, "SELECT count(*) FROM plays") == 2


def test_a_collection_called_both_ways_has_one_edge(store: Store) -> None:
    make = entity(1, "Playlist", 3, "Create", playlist_name="p", is_album=True)
    change = entity(1, "Playlist", 3, "Update", is_album=False)
    repost = entity(2, "Playlist", 3, "Repost")
    Indexer(store).ingest([block(1, make, repost), block(2, change), block(3, repost)])
    live = store.query("SELECT repost_type, blocknumber FROM reposts WHERE is_current AND NOT is_delete")
    assert [(str(kind), number) for kind, number in live] == [("album", 3)]


def test_a_new_database_has_no_checkpoint_and_height_zero_is_taken(store: Store) -> None:
    indexer = Indexer(store)
    assert indexer.height == NOTHING_YET
    indexer.ingest([block(0, plays(play("7")))])
    assert indexer.height == 0
    assert one(store, "SELECT count(*) FROM plays") == 1


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "JSON object"),
        (b'{"block":"1","timestamp":1,"txs":[]}', "height"),
        (b'{"block":1,"timestamp":-1,"txs":[]}', "unix seconds"),
        (b'{"block":1,"timestamp":1}', "list"),
    ],
)
def test_a_line_that_is_no_block_stops_the_reading_and_names_the_line(tmp_path: Path, line: bytes, what: str) -> None:
    path = tmp_path / "blocks.jsonl"
    path.write_bytes(b'{"block":1,"timestamp":1,"txs":[]}\n\n' + line + b"\n")
    file = BlockFile(path)
    blocks = iter(file)
    assert next(blocks).height == 1
    with pytest.raises(BadBlock, match=f"line 3.*{what}"):
        next(blocks)
    file.close()


KILLED_INSIDE_A_COMMIT = """
import os, signal, sys
from pathlib import Path
from examples.soundgraph.blocks import BlockFile
from examples.soundgraph.indexer import Indexer
from examples.soundgraph.statements import Texts
from examples.soundgraph.stores import open_store

database, blocks, writer, batches, statements = sys.argv[1:]
whole, left = Texts.work, int(batches)

def work(self, changes, writer):
    global left
    left -= 1
    for number, each in enumerate(whole(self, changes, writer)):
        if left == 0 and number == int(statements):
            os.kill(os.getpid(), signal.SIGKILL)
        yield each

Texts.work = work
Indexer(open_store(database), writer=writer, batch=9).ingest(BlockFile(Path(blocks)))
"""


@pytest.mark.parametrize("writer", WRITERS)
def test_a_kill_inside_a_transaction_loses_and_doubles_nothing(
    new_database: Callable[[], str], generated: Generated, tmp_path: Path, writer: Writer
) -> None:
    blocks = tmp_path / "blocks.jsonl"
    blocks.write_text("\n".join(generated.lines), encoding="utf-8")
    killed, whole = new_database(), new_database()
    with closing(open_store(killed)) as store, closing(open_store(whole)) as other:
        store.create_schema()
        other.create_schema()
        for batches, statements in ((7, 0), (3, 2), (11, 4)):
            command = [sys.executable, "-c", KILLED_INSIDE_A_COMMIT, killed, str(blocks), writer]
            ended = subprocess.run([*command, str(batches), str(statements)], check=False, timeout=60)
            assert ended.returncode == -signal.SIGKILL
        Indexer(other, writer=writer).ingest(generated.blocks)
        assert one(store, "SELECT last_checkpoint FROM indexing_checkpoints") < generated.blocks[-1].height
        Indexer(store, writer=writer).ingest(generated.blocks)
        assert live_state(store) == live_state(other)
