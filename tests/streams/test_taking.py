"""What a stream takes, what it quarantines, and what is undone when a handler or a hook fails."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.streams.ground import Ledger, block, name, plays
from tidemark import Tidemark, iterable, jsonl
from tidemark.database.session import Conflict
from tidemark.errors import Exit, Fault
from tidemark.events import Event
from tidemark.runtime.clock import Clock
from tidemark.runtime.streams import ingest
from tidemark.streams import Database


def test_a_hook_whose_statement_fails_does_not_poison_its_block(ledger: Ledger) -> None:
    stream = ledger.stream()

    @stream.after("plays")
    def broken(db: Database, event: Event) -> None:
        db.run("INSERT INTO heard (track, plays) VALUES (1, 1)")
        db.run("INSERT INTO heard (track, plays) VALUES (1, 1)")

    @stream.after("plays")
    def sound(db: Database, event: Event) -> None:
        db.run("INSERT INTO heard (track, plays) VALUES (2, :taken)", {"taken": event.taken})

    ledger.blocks = [block(1, plays(5, 6), name(1, "one"))]
    done = ledger.engine().stream("ledger").run()
    assert (done.blocks, done.counts.events, done.counts.hook_failures) == (1, 3, 1)
    assert ledger.tracks() == [5, 6]
    assert ledger.rows("SELECT track, plays FROM heard") == [(2, 2)]
    _, quarantine = ledger.engine().stream("ledger").open_ends()
    assert [(one.level, one.kind, one.reason.split(":")[0]) for one in quarantine] == [("hook", "plays", "broken")]


def test_each_block_has_a_handler_of_its_own_and_fails_with_it(ledger: Ledger) -> None:
    stream = ledger.stream(attempts=1)

    @stream.on_block
    def opened(db: Database, event: Event) -> None:
        db.run("INSERT INTO names (id, name) VALUES (:id, 'block')", {"id": event.position})
        if event.time is None:
            raise ValueError("no time")

    ledger.blocks = [block(4), block(7, plays(5)), {"block": 9, "txs": [plays(6)]}]
    with pytest.raises(Fault, match="halted at block 9: ValueError: no time"):
        ledger.engine().stream("ledger").run()
    assert ledger.rows("SELECT id FROM names ORDER BY id") == [(4,), (7,)]
    assert ledger.tracks() == [5]


def test_an_item_that_is_skipped_leaves_its_siblings_and_its_evidence(ledger: Ledger) -> None:
    ledger.stream()
    ledger.blocks = [block(1, plays(5, "x", 7))]
    done = ledger.engine().stream("ledger").run()
    assert (done.counts.events, done.counts.skipped) == (3, 1)
    assert ledger.tracks() == [5, 7]
    _, (one,) = ledger.engine().stream("ledger").open_ends()
    assert (one.identity, one.level, one.reason, one.evidence) == (
        (1, 0, 1),
        "item",
        "track_id_not_integer",
        '{"track":"x"}',
    )


@pytest.mark.parametrize("savepoints", [True, False])
def test_an_event_that_fails_is_undone_and_quarantined(ledger: Ledger, savepoints: bool) -> None:
    ledger.stream(savepoints=savepoints)
    ledger.blocks = [block(1, name(1, "one"), name(1, "again"), name(2, "nobody"), name(3, "three"))]
    done = ledger.engine().stream("ledger").run()
    assert (done.counts.events, done.counts.skipped) == (4, 2)
    assert ledger.rows("SELECT id, name FROM names ORDER BY id") == [(1, "one"), (3, "three")]
    _, quarantine = ledger.engine().stream("ledger").open_ends()
    assert [one.identity for one in quarantine] == [(1, 1, 0), (1, 2, 0)]
    assert quarantine[1].reason == "nobody is no name"


def test_an_item_whose_statement_fails_is_undone_alone(ledger: Ledger) -> None:
    stream = ledger.stream()

    @stream.on("names", each="names")
    def take(db: Database, event: Event) -> None:
        db.run("INSERT INTO names (id, name) VALUES (:id, 'x')", {"id": event.data})

    ledger.blocks = [block(1, {"type": "names", "names": [1, 1, 2]})]
    done = ledger.engine().stream("ledger").run()
    assert (done.counts.events, done.counts.skipped) == (3, 1)
    assert ledger.rows("SELECT id FROM names ORDER BY id") == [(1,), (2,)]


def test_delivery_again_is_known_by_identity_and_equal_plays_are_plays(ledger: Ledger) -> None:
    ledger.stream()
    ledger.blocks = [block(1, plays(5, 5)), block(4, plays(5))]
    ledger.engine().stream("ledger").run()
    again = {**plays(5, 5, 9), "origin": {"block": 1, "tx": 0}}
    ledger.blocks += [block(1, plays(5, 5)), block(7, again, plays(5))]
    done = ledger.engine().stream("ledger").run()
    # Block 1 and block 4 again, block 1 once more, and two of the three items of the transaction that came again.
    assert (done.counts.events, done.counts.redelivered) == (2, 2 + 1 + 2 + 2)
    assert ledger.tracks() == [5, 5, 5, 5, 9]
    (status,) = ledger.engine().streams()
    assert (status.position, status.time, status.events) == (7, "1007", 5)


def test_what_has_no_handler_is_counted_and_kept(ledger: Ledger) -> None:
    ledger.stream()
    odd: list[Any] = [{"type": "vote"}, "text", None, {"type": "plays", "plays": 3}, {"type": "plays", "plays": []}]
    ledger.blocks = [block(1, *odd), block(2)]
    done = ledger.engine().stream("ledger").run()
    assert (done.blocks, done.counts.skipped) == (2, 4)
    _, quarantine = ledger.engine().stream("ledger").open_ends()
    assert [one.reason for one in quarantine] == [
        "no handler for vote",
        "no handler for a transaction without a kind",
        "no handler for a transaction without a kind",
        "plays is no list",
    ]


def test_a_halted_stream_says_why_and_goes_on_after_it_is_passed_over(ledger: Ledger) -> None:
    ledger.stream(on_event_error="halt")
    ledger.blocks = [block(1, name(1, "one")), block(2, name(2, "two"), name(1, "again")), block(3, name(3, "three"))]
    with pytest.raises(Fault, match="halted at block 2"):
        ledger.engine().stream("ledger").run()
    assert ledger.rows("SELECT id FROM names") == [(1,)]
    (status,) = ledger.engine().streams()
    assert (status.state, status.position, status.failed_at, status.attempts) == ("halted", 1, 2, 3)
    assert status.cause is not None and "names" in status.cause
    said = ledger.engine().stream("ledger").skip()
    assert said.startswith("block 2 is passed over")
    done = ledger.engine().stream("ledger").run()
    assert (done.blocks, done.position) == (1, 3)
    assert ledger.rows("SELECT id FROM names ORDER BY id") == [(1,), (3,)]
    gaps, _ = ledger.engine().stream("ledger").open_ends()
    assert [gap.position for gap in gaps] == [2]


def test_a_block_that_fails_is_a_gap_where_the_policy_says_so_and_can_be_tried_again(ledger: Ledger) -> None:
    ledger.stream(on_event_error="halt", on_block_error="gap")
    ledger.blocks = [block(1, name(1, "one")), block(2, name(2, "two"), name(1, "again")), block(3, name(3, "three"))]
    done = ledger.engine().stream("ledger").run()
    assert (done.blocks, done.gaps, done.position) == (2, 1, 3)
    assert ledger.rows("SELECT id FROM names ORDER BY id") == [(1,), (3,)]
    again = ledger.engine().stream("ledger").retry()
    assert (again.blocks_taken, again.blocks_failed) == (0, 1)
    with ledger.session.transaction():
        ledger.session.run("DELETE FROM names WHERE id = 1")
    again = ledger.engine().stream("ledger").retry()
    assert (again.blocks_taken, again.blocks_failed) == (1, 0)
    assert ledger.rows("SELECT id, name FROM names ORDER BY id") == [(1, "again"), (2, "two"), (3, "three")]
    gaps, _ = ledger.engine().stream("ledger").open_ends()
    assert gaps == []


def test_an_event_that_was_quarantined_is_taken_when_its_cause_is_gone(ledger: Ledger) -> None:
    ledger.stream()
    ledger.blocks = [block(1, name(1, "one"), name(1, "again"))]
    ledger.engine().stream("ledger").run()
    assert ledger.engine().stream("ledger").retry().failed == 1
    with ledger.session.transaction():
        ledger.session.run("DELETE FROM names")
    assert ledger.engine().stream("ledger").retry().taken == 1
    assert ledger.rows("SELECT id, name FROM names") == [(1, "again")]
    (status,) = ledger.engine().streams()
    assert status.quarantined == 0


def test_another_writer_s_rows_say_nothing_about_our_position(ledger: Ledger) -> None:
    ledger.stream()
    ledger.blocks = [block(1, plays(1))]
    ledger.engine().stream("ledger").run()
    with ledger.session.transaction():
        ledger.session.run("INSERT INTO plays (track, at) VALUES (9, '2999')")
    (status,) = ledger.engine().streams()
    assert (status.position, status.time, status.state) == (1, "1001", "waiting")


@pytest.mark.parametrize("line", [b"not json", b"[1]", b'{"block": -1, "txs": []}', b'{"block": 2, "txs": 3}'])
def test_a_source_that_cannot_be_read_halts_the_stream_and_says_why(
    ledger: Ledger, tmp_path: Path, line: bytes
) -> None:
    ledger.stream()
    path = tmp_path / "blocks.jsonl"
    path.write_bytes(json.dumps(block(1, plays(5))).encode() + b"\n" + line + b"\n")
    ledger.project.streams["ledger"].source = jsonl(path)
    with pytest.raises(Fault):
        ledger.engine().stream("ledger").run()
    assert ledger.tracks() == [5]
    (status,) = ledger.engine().streams()
    assert (status.state, status.position, status.failed_at) == ("halted", 1, None)
    assert status.cause is not None and status.cause.startswith("Fault: ")
    path.write_bytes(path.read_bytes().splitlines()[0] + b"\n" + json.dumps(block(2, plays(6))).encode())
    assert ledger.engine().stream("ledger").run().blocks == 1
    assert [one.state for one in ledger.engine().streams()] == ["waiting"]


@pytest.mark.parametrize("policy", ["halt", "gap"])
@pytest.mark.parametrize("together", [0, 10])
def test_a_stop_while_the_database_is_locked_is_no_failure_of_a_block(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, policy: str, together: int
) -> None:
    seconds = [0.0]

    def pass_by(waited: float) -> None:
        seconds[0] += waited

    def locked(*_: object, **__: object) -> None:
        raise Conflict("somebody has it")

    ledger.stream(on_block_error=policy, together=together, savepoints=not together)
    ledger.blocks = [block(1, plays(5)), block(2, plays(6))]
    monkeypatch.setattr(ingest, "take_blocks", locked)
    clock = Clock(now=lambda: seconds[0], wait=pass_by)
    with pytest.raises(Fault, match="asked to stop") as fault:
        Tidemark(ledger.project, ledger.url, clock=clock, stop=lambda: seconds[0] > 1).stream("ledger").run()
    assert fault.value.exit is Exit.INTERRUPTED
    (status,) = ledger.engine().streams()
    assert (status.state, status.position, status.failed_at, status.gaps) == ("interrupted", None, None, 0)


def test_a_database_that_stays_locked_is_no_reason_to_pass_a_block_over(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]

    def pass_by(waited: float) -> None:
        seconds[0] += waited

    def locked(*_: object, **__: object) -> None:
        raise Conflict("somebody has it")

    ledger.stream(on_block_error="gap", attempts=2)
    ledger.blocks = [block(1, plays(5))]
    with monkeypatch.context() as patch:
        patch.setattr(ingest, "take_blocks", locked)
        with pytest.raises(Fault, match="stayed locked"):
            ledger.engine(Clock(now=lambda: seconds[0], wait=pass_by)).stream("ledger").run()
    assert seconds[0] > 14, "it is tried as often as a block is"
    assert ledger.engine().stream("ledger").run().blocks == 1 and ledger.tracks() == [5]


def test_a_retry_reads_no_further_than_what_it_wants(ledger: Ledger) -> None:
    ledger.stream(on_block_error="gap", attempts=1)
    ledger.blocks = [block(1, plays(5)), block(2, {"type": "plays"}), block(3, plays(6))]
    read = list[int]()

    def blocks() -> Iterator[Mapping[str, Any]]:
        for one in list(ledger.blocks):
            read.append(one["block"])
            yield one

    stream = ledger.project.streams["ledger"]

    @stream.on_block
    def opened(db: Database, event: Event) -> None:
        if event.position == 2 and not read:
            raise ValueError("not yet")

    assert ledger.engine().stream("ledger").run().gaps == 1
    stream.source = iterable(lambda after: blocks())
    done = ledger.engine().stream("ledger").retry()
    assert (done.blocks_taken, read) == (1, [1, 2])
