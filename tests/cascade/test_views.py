"""The user's own views as sources: what they say is part of the query, and nothing of us hangs on them."""

import pytest

from tests.cascade.forum import Forum, forum
from tidemark import Project, Refusal
from tidemark.errors import Code

LIVE = "CREATE VIEW live_posts {columns}AS SELECT p.id, p.thread_id, p.score FROM posts p WHERE p.hidden = {hidden}"
BY_THREAD = "SELECT thread_id, count(*) AS n, max(points) AS best FROM live_posts GROUP BY thread_id"


def _truth(place: Forum, hidden: int) -> list[tuple[object, ...]]:
    rows = place.user.all(
        f"SELECT thread_id, count(*), max(score) FROM posts WHERE hidden = {hidden} GROUP BY thread_id"
    )
    return sorted(rows, key=repr)


def _shown(place: Forum) -> list[tuple[object, ...]]:
    return sorted(place.user.all("SELECT * FROM by_thread"), key=repr)


def _project() -> Project:
    project = Project("forum")
    project.derive("by_thread", query=BY_THREAD)
    return project


def _view(hidden: int) -> str:
    return LIVE.format(columns="(post, thread_id, points) ", hidden=hidden)


def test_a_view_is_read_through_to_its_tables(place: Forum) -> None:
    place.write(_view(0))
    keeper = place.keep(_project())
    assert keeper.explain("by_thread").sources == ("posts",)
    keeper.apply()
    for _ in range(15):
        place.write(place.chances.change())
        keeper.tick()
        assert _shown(place) == _truth(place, 0)


def test_another_definition_of_the_view_is_another_definition_of_the_table(place: Forum) -> None:
    place.write(_view(0))
    keeper = place.keep(_project())
    keeper.apply()
    assert keeper.plan().is_empty
    place.write("DROP VIEW live_posts", _view(1))
    # What is stored follows the old definition until somebody applies the new one.
    place.write("UPDATE posts SET score = score + 1")
    keeper.tick()
    assert _shown(place) == _truth(place, 0)
    assert [(step.verb, step.derived) for step in keeper.plan().steps] == [("replace", "by_thread")]
    keeper.apply()
    assert _shown(place) == _truth(place, 1)


def test_nothing_breaks_when_the_view_goes(place: Forum) -> None:
    place.write(_view(0))
    keeper = place.keep(_project())
    keeper.apply()
    place.write("DROP VIEW live_posts", "DELETE FROM posts WHERE id % 2 = 0")
    keeper.tick()
    assert _shown(place) == _truth(place, 0)
    assert all(report.clean for report in keeper.verify())
    with pytest.raises(Refusal) as caught:
        keeper.plan()
    assert caught.value.code is Code.UNKNOWN_TABLE


def test_a_view_of_the_user_over_a_public_view(place: Forum) -> None:
    first = forum(("thread_stats",))
    place.keep(first).apply()
    place.write("CREATE VIEW busy AS SELECT thread_id AS thread, posts FROM thread_stats WHERE posts > 1")
    project = forum(("thread_stats",))
    project.derive("sizes", query="SELECT posts, count(*) AS threads FROM busy GROUP BY posts")
    keeper = place.keep(project)
    assert [step.derived for step in keeper.plan().steps] == ["sizes"]
    keeper.apply()
    assert {status.name: status.reads for status in keeper.status()}["sizes"] == ("thread_stats",)
    for _ in range(10):
        place.write(place.chances.change())
        keeper.tick()
        truth = place.user.all("SELECT posts, count(*) FROM busy GROUP BY posts")
        assert sorted(place.user.all("SELECT * FROM sizes")) == sorted(truth)
