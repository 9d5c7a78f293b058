"""Chains and diamonds of derived tables: filled, kept, drained by one pass, retracted."""

import pytest

from tests.cascade.forum import QUERIES, Forum, forum
from tidemark import Refusal
from tidemark.errors import Code

CHAIN = ("thread_stats", "author_stats", "vip_board", "board_sizes")


def test_a_plan_over_nothing_writes_nothing_and_puts_what_is_read_first(place: Forum) -> None:
    plan = place.keep(forum()).plan()
    order = [step.derived for step in plan.steps]
    assert sorted(order) == sorted(QUERIES)
    assert [name for name in order if name in CHAIN] == list(CHAIN)
    assert order.index("shares") > order.index("author_stats")
    assert not place.user.installed()


def test_everything_is_filled_by_one_apply(place: Forum) -> None:
    done = place.keep(forum()).apply()
    assert sorted(done.live) == sorted(QUERIES)
    assert place.wrong() == []
    assert place.keep(forum()).plan().is_empty


def test_one_tick_drains_every_level(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    for _ in range(25):
        place.write(*(place.chances.change() for _ in range(place.chances.random.randint(1, 4))))
        keeper.tick()
        assert place.wrong() == []
    assert all(report.clean for report in keeper.verify())


def test_rows_that_leave_are_retracted_to_the_end(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    place.write("DELETE FROM posts")
    keeper.tick()
    assert [place.shown(name) for name in QUERIES] == [[] for _ in QUERIES]


def test_truncation_of_a_source(postgres_place: Forum) -> None:
    place = postgres_place
    keeper = place.keep(forum())
    keeper.apply()
    place.write("TRUNCATE posts", place.chances.post(1), place.chances.post(2))
    keeper.tick()
    assert place.wrong() == []


def test_levels_and_what_waits_above_show_in_the_status(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    found = {status.name: status for status in keeper.status()}
    assert [found[name].level for name in CHAIN] == [0, 1, 2, 3]
    assert found["vip_board"].reads == ("author_stats",)
    assert {status.upstream_pending for status in found.values()} == {0}
    place.write("UPDATE posts SET score = score + 100 WHERE hidden = 0")
    found = {status.name: status for status in keeper.status()}
    assert found["board_sizes"].upstream_pending > 0
    assert found["board_sizes"].next == "tidemark tick"
    assert found["board_sizes"].behind_since is not None


def test_freshness_is_that_of_the_weakest(place: Forum) -> None:
    keeper = place.keep(forum())
    explained = {name: keeper.explain(name) for name in QUERIES}
    assert explained["thread_stats"].freshness == "commit"
    assert {explained[name].freshness for name in QUERIES if name != "thread_stats"} == {"tick"}
    assert sorted(explained["shares"].reads) == ["author_stats (tick)", "thread_stats (commit)"]
    assert any("author_stats (tick)" in note for note in explained["vip_board"].notes)


def test_what_identifies_rows_of_a_derived_table_identifies_them_above_it(place: Forum) -> None:
    project = forum(("thread_stats", "author_stats"))
    project.derive("busy", query="SELECT posts, author_id FROM author_stats WHERE threads > 1")
    project.derive("named", query="SELECT t.id, a.best FROM threads t JOIN author_stats a USING (author_id)")
    keeper = place.keep(project)
    assert [keeper.explain(name).key for name in ("busy", "named")] == [("author_id",), ("id",)]


def test_a_cycle_is_refused(place: Forum) -> None:
    project = forum(
        CHAIN, thread_stats="SELECT posts AS thread_id, count(*) AS posts, 1 AS score FROM board_sizes GROUP BY posts"
    )
    with pytest.raises(Refusal) as caught:
        place.keep(project).plan()
    assert caught.value.code is Code.CYCLE
    assert all(name in caught.value.reason for name in CHAIN)


def test_a_table_that_reads_itself_is_a_cycle(place: Forum) -> None:
    with pytest.raises(Refusal) as caught:
        place.keep(forum(("vip_board",), vip_board="SELECT id, name, 1 AS posts, 1 AS best FROM vip_board")).plan()
    assert caught.value.code is Code.CYCLE


def test_a_cycle_through_a_view_is_refused(place: Forum) -> None:
    place.keep(forum(CHAIN)).apply()
    place.write("CREATE VIEW busy AS SELECT posts AS thread_id, authors AS score FROM board_sizes")
    changed = "SELECT thread_id, count(*) AS posts, sum(score) AS score FROM busy GROUP BY thread_id"
    with pytest.raises(Refusal) as caught:
        place.keep(forum(CHAIN, thread_stats=changed)).plan()
    assert caught.value.code is Code.CYCLE


def test_a_common_table_expression_hides_a_derived_table(place: Forum) -> None:
    query = "WITH thread_stats AS (SELECT 1 AS thread_id) SELECT id AS thread_id, 1 AS posts FROM threads"
    plan = place.keep(forum(("thread_stats", "shares"), shares=query)).plan()
    assert [step.derived for step in plan.steps] == ["shares", "thread_stats"]
