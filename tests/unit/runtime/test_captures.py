"""One log for everybody who reads a source by ticks: written once, kept for the slowest, gone with the last."""

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.runtime import place
from tests.unit.runtime.handmade import capture_posts
from tests.unit.runtime.place import World
from tests.unit.runtime.test_kills import free_leases, kill_everywhere
from tidemark.contract.script import Capture
from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.names import ledger
from tidemark.runtime.changes.uninstall import uninstall
from tidemark.runtime.objects.captures import RESHAPED, empty, follows, trim_logs
from tidemark.runtime.operate.status import read_status
from tidemark.runtime.ticks.batch import prepare_once
from tidemark.runtime.ticks.seals import fill_slice
from tidemark.runtime.ticks.tick import has_work, tick


def _log(world: World) -> str:
    return world.duty.ledger.captures()["posts"].log


def _logged(world: World) -> int:
    ((count,),) = world.user.all(f"SELECT count(*) FROM {_log(world)}")
    return int(count)


def _kept(world: World) -> int:
    """How many changes stay in a log that everybody has sealed: on SQLite the last, behind which the next one is numbered."""
    return 0 if world.duty.session.dialect.has_schemas else 1


def _tick(world: World, name: str = "thread_stats", score_min: int = 0) -> None:
    (mine,) = [row.generation for row in world.duty.ledger.derived() if row.name == name]
    tick(world.leased(name), world.script(name=name, score_min=score_min, generation=mine))
    free_leases(world)


def _fail(world: World, name: str) -> None:
    world.write(f"UPDATE {ledger(world.duty.session.dialect, 'derived')} SET state = 'failed' WHERE name = '{name}'")


def test_a_writer_pays_once_however_many_read(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="other"), world.wanted(name="third"))
    assert set(world.duty.ledger.captures()) == {"posts"}
    world.posts((1000, 3, 5))
    assert _logged(world) == 1


def test_a_log_keeps_what_the_slowest_has_not_sealed(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="slow"))
    world.posts((1000, 3, 5), (1001, 77, 5))
    _tick(world)
    assert world.shown() == world.truth() and not has_work(world.duty, world.script())
    assert has_work(world.duty, world.script(name="slow")) and _logged(world) == 2
    pending = {status.name: status.pending for status in read_status(world.duty.ledger)}
    assert pending == {"thread_stats": 0, "slow": 2}
    _tick(world, "slow")
    assert world.shown("slow") == world.truth() and _logged(world) == _kept(world)


def test_what_somebody_has_still_to_seal_is_passed_over_at_once(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="slow"))
    world.posts((1000, 3, 5), (1001, 77, 5))
    _tick(world)
    session, text = world.duty.session, world.duty.ledger.text("consume", log=_log(world))
    about = {"source": "posts", "limit": 9}
    if session.dialect.has_schemas:
        ((plan,),) = session.alone(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", about)
        scans = [node for node in _nodes(json.loads(plan)[0]["Plan"]) if node.get("Alias") == "l"]
        assert [(one["Actual Rows"], one["Rows Removed by Filter"]) for one in scans] == [(0, 2)]
    else:
        steps = [str(row[3]) for row in session.all(f"EXPLAIN QUERY PLAN {text}", about) if "capture_log" in row[3]]
        assert steps and all(step.startswith("SEARCH") for step in steps)


def _nodes(node: dict[str, Any]) -> list[dict[str, Any]]:
    return [node, *(found for below in node.get("Plans", ()) for found in _nodes(below))]


def test_a_part_of_a_seal_that_somebody_finished_is_the_last(world: World) -> None:
    world.apply(world.wanted())
    world.posts((1000, 3, 5))
    script = world.script()
    (log,) = script.logs
    prepare_once(world.duty, script)
    bounds = {"position": 0, "previous": world.duty.ledger.checkpoints(script)[log.source].snapshot, "limit": 64}
    found = world.duty.read(
        lambda: fill_slice(world.duty.session, world.duty.ledger, log, {**bounds, "target": None})
    ).value
    assert (found.changes, found.ended) == (0, True)


def test_more_columns_come_without_a_gap(world: World) -> None:
    world.apply(world.wanted())
    world.posts((1000, 3, 5))
    both = (world.wanted(), world.wanted(name="strict", score_min=3))
    plan = world.plan(*both)
    assert [(step.verb, step.derived) for step in plan.steps] == [("create", "strict")]
    assert any("ADD COLUMN" in text for text in plan.steps[0].statements)
    verified = world.row().verified_at
    world.apply(*both)
    assert world.duty.ledger.captures()["posts"].columns == ("thread_id", "score")
    assert (world.row().state, world.row().verified_at) == ("live", verified)
    world.write("UPDATE posts SET score = 1 WHERE thread_id = 4")
    world.posts((1001, 5, 6))
    _tick(world)
    _tick(world, "strict", 3)
    assert world.shown() == world.truth() and world.shown("strict") == world.truth(3)
    assert world.plan(*both).is_empty
    # The last one that wanted a column goes, and the capture stays for the other.
    world.apply(world.wanted(), allow_drop=True)
    assert world.plan(world.wanted()).is_empty


def test_a_column_that_nobody_reads_any_more_leaves_the_log_without_a_gap(world: World) -> None:
    both = (world.wanted(), world.wanted(name="strict", score_min=3))
    world.apply(*both)
    world.posts((1000, 3, 5), (1001, 77, 5))
    world.apply(world.wanted(), allow_drop=True)
    verified = world.row().verified_at
    losable = world.duty.session.dialect.has_schemas
    plan = world.plan(world.wanted())
    assert plan.is_empty and [one.capture.columns for one in plan.narrowed] == [("thread_id",)] * losable
    assert all("DROP COLUMN" in one.statements[-2] for one in plan.narrowed)
    world.apply(world.wanted())
    assert (world.row().state, world.row().verified_at) == ("live", verified)
    assert not world.plan(world.wanted()).narrowed
    if losable:
        # The application drops the column, and its writers never notice that somebody read it once.
        world.write("ALTER TABLE posts DROP COLUMN score")
        world.write("INSERT INTO posts (id, thread_id) VALUES (1002, 3)")
        world.write("UPDATE posts SET thread_id = 4 WHERE id = 1000")
        world.write("ALTER TABLE posts ADD COLUMN score integer DEFAULT 9")
    _tick(world)
    assert world.shown() == world.truth()
    # Whoever wants it again gets it as any column that comes.
    world.apply(*both)
    assert world.row().state == "live" and set(world.duty.ledger.captures()["posts"].columns) == {"thread_id", "score"}
    world.posts((1003, 5, 6))
    world.write("UPDATE posts SET score = 1 WHERE thread_id = 4")
    _tick(world)
    _tick(world, "strict", 3)
    assert world.shown() == world.truth() and world.shown("strict") == world.truth(3)
    assert {status.captures for status in read_status(world.duty.ledger)} == {"ok"}


def test_a_log_may_be_narrowed_and_killed_anywhere(world: World) -> None:
    both = (world.wanted(), world.wanted(name="strict", score_min=3))
    if not world.duty.session.dialect.has_schemas:
        # SQLite's logs keep their columns, and so do its triggers.
        world.apply(*both)
        world.apply(world.wanted(), allow_drop=True)
        assert not world.plan(world.wanted()).narrowed
        return
    world.apply(*both)
    world.apply(world.wanted(), allow_drop=True)

    def check(commits: int) -> None:
        world.posts((2000 + commits, commits % 12, 5))
        world.apply(world.wanted())
        assert world.duty.ledger.captures()["posts"].columns == ("thread_id",) and world.row().state == "live"
        _tick(world)
        assert world.shown() == world.truth(), commits
        world.apply(*both)
        world.apply(world.wanted(), allow_drop=True)

    assert kill_everywhere(world, lambda: world.apply(world.wanted()), check) >= 1


def test_a_capture_goes_with_the_last_that_reads_it(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="other"))
    world.apply(world.wanted(), allow_drop=True)
    assert set(world.duty.ledger.captures()) == {"posts"} and world.plan(world.wanted()).orphans == ()
    world.apply(world.wanted("commit", name="left"), allow_drop=True)
    assert world.duty.ledger.captures() == {}
    assert not any("log" in name for name in world.duty.session.installed())
    uninstall(world.duty)
    assert world.duty.session.installed() == {}


def test_a_missing_trigger_is_a_gap_for_everybody(world: World) -> None:
    both = (world.wanted(), world.wanted(name="other"))
    world.apply(*both)
    world.write(world.trigger("tick").drop)
    world.posts((1000, 3, 5))
    plan = world.plan(*both)
    assert [(step.verb, step.derived) for step in plan.steps] == [("reinstall", "thread_stats"), ("reinstall", "other")]
    assert all("missing" in step.reason for step in plan.steps)
    assert "missing" in read_status(world.duty.ledger)[0].captures
    world.apply(*both)
    assert world.shown() == world.shown("other") == world.truth()
    assert world.plan(*both).is_empty


def test_a_capture_that_is_given_another_text_is_no_gap(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    both = (world.wanted(), world.wanted(name="other"))
    world.apply(*both)

    def newer(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> Capture:
        made = capture_posts(dialect, table, columns)
        pieces = [replace(piece, create=piece.create.replace("SELECT", "SELECT ALL", 1)) for piece in made.pieces]
        return replace(made, pieces=tuple(pieces))

    monkeypatch.setattr(place, "capture_posts", newer)
    plan = world.plan(*both)
    assert [step.reason for step in plan.steps] == [f"the capture of posts {RESHAPED}"] * 2
    world.apply(*both)
    assert world.plan(*both).is_empty and all(row.state == "live" for row in world.duty.ledger.derived())


def test_a_missing_log_is_a_gap_for_everybody(world: World) -> None:
    both = (world.wanted(), world.wanted(name="other"))
    world.apply(*both)
    world.write(f"DROP TABLE {_log(world)}")
    plan = world.plan(*both)
    assert [(step.verb, step.derived) for step in plan.steps] == [("reinstall", "thread_stats"), ("reinstall", "other")]
    world.apply(*both)
    # SQLite compiles triggers against what a connection remembers of the schema; naming the table makes it look again.
    assert _logged(world) == 0
    world.posts((1000, 3, 5))
    _tick(world)
    _tick(world, "other")
    assert world.shown() == world.shown("other") == world.truth()


def test_one_that_failed_keeps_nothing(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="other"))
    _fail(world, "other")
    world.posts((1000, 3, 5))
    _tick(world)
    assert _logged(world) == _kept(world)
    world.apply(world.wanted(), world.wanted(name="other"))
    assert world.shown("other") == world.truth()


def test_a_log_that_nobody_reads_is_emptied(world: World) -> None:
    world.apply(world.wanted())
    _fail(world, "thread_stats")
    world.posts((1000, 3, 5))
    trim_logs(world.duty)
    assert _logged(world) == _kept(world)


def test_a_file_that_has_grown_goes_when_everybody_is_done(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.runtime.objects.captures.LOG_BYTES_MAX", 0)
    world.apply(world.wanted(), world.wanted(name="slow"))
    schemas = world.duty.session.dialect.has_schemas
    for post in (1000, 1001):
        world.posts((post, 3, 5))
        _tick(world)
        trim_logs(world.duty)
        assert _logged(world) >= 1, "somebody has not sealed it"
        _tick(world, "slow")
        assert _logged(world) == _kept(world)
        if schemas:
            assert world.user.all(f"SELECT pg_relation_size('{_log(world)}') > 0") == [(True,)]
        trim_logs(world.duty)
        if schemas:
            assert world.user.all(f"SELECT pg_relation_size('{_log(world)}')") == [(0,)]
        assert world.shown() == world.shown("slow") == world.truth()


def test_a_log_is_emptied_at_once_only_when_everybody_is_done(world: World) -> None:
    world.apply(world.wanted(), world.wanted(name="slow"))
    world.posts(*((1000 + number, number % 7, 1) for number in range(1500)))
    capture = world.duty.ledger.captures()["posts"]
    about = (capture.source, capture.log)
    assert not empty(world.duty, *about)
    _tick(world)
    assert not empty(world.duty, *about) and _logged(world) == 1500
    _fail(world, "slow")
    # On SQLite that would hold up writers for as long as deleting does, and in one piece.
    pays = not world.duty.session.dialect.writers_wait_in_line
    assert empty(world.duty, *about) is pays and _logged(world) == (0 if pays else 1500)
    world.apply(world.wanted(), world.wanted(name="slow"))
    world.posts((9000, 3, 1))
    _tick(world, "slow")
    _tick(world)
    assert world.shown() == world.shown("slow") == world.truth()


def test_an_apply_of_a_second_reader_may_be_killed_anywhere(world: World) -> None:
    first, second = world.wanted(), world.wanted(name="strict", score_min=3)
    world.apply(first)

    def check(commits: int) -> None:
        world.posts((1000 + commits, commits % 12, 5))
        _tick(world)
        assert world.shown() == world.truth(), commits
        world.apply(first, second)
        world.write(f"UPDATE posts SET score = 1 WHERE thread_id = {commits % 10}")
        _tick(world)
        _tick(world, "strict", 3)
        assert world.shown() == world.truth() and world.shown("strict") == world.truth(3), commits
        assert world.plan(first, second).is_empty
        # From the beginning, so that the capture is extended again.
        world.apply(allow_drop=True)
        assert world.duty.ledger.captures() == {}
        world.apply(first)

    assert kill_everywhere(world, lambda: world.apply(first, second), check) > 5


@pytest.mark.parametrize("last", [False, True])
def test_a_drop_may_be_killed_anywhere(world: World, last: bool) -> None:
    kept = () if last else (world.wanted(name="other"),)
    everything = (world.wanted(), *kept)
    world.apply(*everything)

    def check(commits: int) -> None:
        world.posts((1000 + commits, commits % 12, 5))
        world.apply(*kept, allow_drop=True)
        assert set(world.duty.ledger.captures()) == (set() if last else {"posts"})
        if not last:
            _tick(world, "other")
            assert world.shown("other") == world.truth(), commits
        assert world.plan(*kept).is_empty and world.plan(*kept).orphans == ()
        world.apply(*everything)

    assert kill_everywhere(world, lambda: world.apply(*kept, allow_drop=True), check) > 2


def test_a_log_with_other_columns_of_its_own_is_no_extension(world: World) -> None:
    """Of an earlier version, for example: its text cannot be changed in place, and everybody is filled again."""
    world.apply(world.wanted())
    known = world.duty.ledger.captures()["posts"]
    log, *others = known.pieces
    more = replace(
        known, columns=(*known.columns, "more"), pieces=(replace(log, create=f"{log.create[:-1]}, more)"), *others)
    )
    assert follows(known, known) and follows(more, known)
    numbered = log.create.replace("(", "(number INTEGER, ", 1)
    assert not follows(replace(more, pieces=(replace(log, create=numbered), *others)), known)
