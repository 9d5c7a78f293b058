"""What is read is declared anew, renamed, dropped or mended: those that read it follow, and are true all the while."""

import pytest

from tests.cascade.forum import QUERIES, Forum, forum
from tidemark import Project, Refusal
from tidemark.errors import Code
from tidemark.runtime.changes.apply import finish
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger

CHAIN = ("thread_stats", "author_stats", "vip_board", "board_sizes")
# Hidden posts count too.
ALL_POSTS = "SELECT thread_id, count(*) AS posts, sum(score) AS score FROM posts GROUP BY thread_id"


def _generations(place: Forum) -> dict[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for row in Ledger(place.user).derived():
        found.setdefault(row.name, []).append((row.generation, row.state))
    return found


def test_a_table_that_is_built_anew_takes_its_readers_with_it(place: Forum) -> None:
    place.keep(forum()).apply()
    changed = forum(thread_stats=ALL_POSTS)
    plan = place.keep(changed).plan()
    verbs = {step.derived: (step.verb, step.reason) for step in plan.steps}
    assert verbs["thread_stats"][1].startswith("its definition changed: its query says ")
    assert verbs["author_stats"] == ("replace", "thread_stats, which it reads, is built anew")
    assert {verb for verb, _ in verbs.values()} == {"replace"}
    done = place.keep(changed).apply()
    assert sorted(done.live) == sorted(QUERIES)
    assert _generations(place) == {name: [(2, "live")] for name in QUERIES}
    assert place.keep(changed).plan().is_empty
    place.write(*(place.chances.change() for _ in range(5)))
    place.keep(changed).tick()
    assert place.wrong(queries={"thread_stats": ALL_POSTS}) == []
    assert not [name for name in place.user.installed() if "_g1" in name]


def test_only_what_reads_a_changed_table_is_built_anew(place: Forum) -> None:
    place.keep(forum(CHAIN)).apply()
    fewer = QUERIES["vip_board"].replace("u.vip = 1", "u.vip = 0")
    place.keep(forum(CHAIN, vip_board=fewer)).apply()
    assert {name: rows[0][0] for name, rows in _generations(place).items()} == {
        "thread_stats": 1,
        "author_stats": 1,
        "vip_board": 2,
        "board_sizes": 2,
    }
    assert place.wrong(CHAIN, {"vip_board": fewer}) == []


def test_readers_stay_true_on_the_old_until_they_move(place: Forum) -> None:
    """A worker fills what an apply began; between two steps everybody reads rows that are kept."""
    place.keep(forum(CHAIN)).apply()
    changed = place.keep(forum(CHAIN, thread_stats=ALL_POSTS))
    changed.apply(detach=True)
    # The first of the chain moves; the others read its old generation, which is still kept for them.
    _bring_live(place, "thread_stats")
    states = _generations(place)
    assert states["thread_stats"] == [(1, "retired"), (2, "live")]
    assert states["author_stats"][0] == (1, "live")
    place.write(*(place.chances.change() for _ in range(6)))
    changed.tick()
    assert place.wrong(("thread_stats",), {"thread_stats": ALL_POSTS}) == []
    assert place.wrong(CHAIN[1:]) == []
    changed.run(until_idle=True)
    assert _generations(place) == {name: [(2, "live")] for name in CHAIN}
    assert place.wrong(CHAIN, {"thread_stats": ALL_POSTS}) == []
    assert changed.plan().is_empty


def _bring_live(place: Forum, name: str) -> None:
    """Do what a worker would do for this one alone."""
    with_ledger = Ledger(place.user)
    with_ledger.value("prepare_worker")
    rows = [row for row in with_ledger.derived() if row.name == name]
    finish(Duty(with_ledger, Clock()), rows[-1], rows[0])


def test_a_detached_apply_is_ended_by_a_worker(place: Forum) -> None:
    keeper = place.keep(forum())
    begun = keeper.apply(detach=True).begun
    assert sorted(begun) == sorted(QUERIES)
    keeper.run(until_idle=True)
    assert place.wrong() == []
    assert keeper.plan().is_empty


def test_what_others_read_is_dropped_with_them_only(place: Forum) -> None:
    place.keep(forum()).apply()
    with pytest.raises(Refusal) as caught:
        place.keep(forum(("thread_stats", "vip_board", "board_sizes", "shares"))).apply(allow_drop=True)
    assert caught.value.code is Code.UPSTREAM_GONE
    assert "author_stats is not declared any more" in caught.value.reason
    assert "vip_board" in caught.value.reason
    assert "shares" in caught.value.reason
    left = place.keep(forum(("thread_stats",)))
    assert [step.derived for step in left.plan().steps if step.verb == "drop"][-1] == "author_stats"
    done = left.apply(allow_drop=True)
    assert sorted(done.dropped) == ["author_stats", "board_sizes", "shares", "vip_board"]
    place.write(*(place.chances.change() for _ in range(5)))
    left.tick()
    assert place.wrong(("thread_stats",)) == []


def test_everything_is_dropped_readers_first(place: Forum) -> None:
    place.keep(forum()).apply()
    done = place.keep(Project("forum")).apply(allow_drop=True)
    assert sorted(done.dropped) == sorted(QUERIES)
    assert _generations(place) == {}


def test_a_renamed_table_takes_its_readers_with_it(place: Forum) -> None:
    place.keep(forum(CHAIN)).apply()
    project = Project("forum")
    renamed = {name: text.replace("thread_stats", "threads_now") for name, text in QUERIES.items()}
    project.derive("threads_now", query=QUERIES["thread_stats"], was="thread_stats")
    for name in CHAIN[1:]:
        project.derive(name, query=renamed[name], key={"vip_board": "id"}.get(name))
    place.keep(project).apply()
    assert _generations(place) == {"threads_now": [(1, "live")], **{name: [(2, "live")] for name in CHAIN[1:]}}
    assert place.wrong(CHAIN[1:]) == []
    assert place.keep(project).plan().is_empty


def test_reading_the_old_name_after_a_rename_is_refused(place: Forum) -> None:
    place.keep(forum(CHAIN)).apply()
    project = Project("forum")
    project.derive("threads_now", query=QUERIES["thread_stats"], was="thread_stats")
    project.derive("author_stats", query=QUERIES["author_stats"])
    with pytest.raises(Refusal) as caught:
        place.keep(project).plan()
    assert caught.value.code is Code.UPSTREAM_GONE
    assert "threads_now" in caught.value.instead


def test_a_repair_above_is_a_change_below(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    store = next(row.script.store for row in Ledger(place.user).derived() if row.name == "author_stats")
    place.write(f"DELETE FROM {store}")
    keeper.tick()
    assert place.shown("vip_board") == []
    assert [report.drift for report in keeper.verify("author_stats")][0] > 0
    keeper.repair()
    keeper.tick()
    assert place.wrong() == []


def test_a_gap_above_is_mended_and_reaches_those_below(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    captures = [
        piece
        for row in Ledger(place.user).derived()
        if row.name == "author_stats"
        for piece in row.script.pieces
        if piece.kind == "trigger" and piece.on.endswith("threads") and not piece.public
    ]
    place.write(*(piece.drop for piece in captures), "UPDATE threads SET author_id = 1 + author_id % 3")
    keeper.apply()
    keeper.tick()
    assert place.wrong() == []


def test_uninstall_leaves_nothing(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    keeper.uninstall(keep_data=True)
    assert not place.user.installed()
    assert place.wrong() == []
