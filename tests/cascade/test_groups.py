"""`columns_of` another derived table: one public view, each group of columns with its own freshness."""

from typing import Any

import pytest

from tests.cascade.forum import SUMMED, Forum
from tidemark import Project, Refusal
from tidemark.errors import Code

WEIGHT = "SELECT thread_id, max(score) AS best, count(DISTINCT score) AS kinds FROM posts GROUP BY thread_id"
# Its rows come from there: it reads the table whose columns it keeps.
FIRST = "SELECT s.thread_id, t.author_id AS author FROM thread_stats s JOIN threads t ON t.id = s.thread_id"
TRUTH = f"""
SELECT a.thread_id, a.posts, a.score{{more}} FROM ({SUMMED}) AS a
LEFT JOIN ({WEIGHT}) AS w ON w.thread_id = a.thread_id OR (w.thread_id IS NULL AND a.thread_id IS NULL)
LEFT JOIN threads AS t ON t.id = a.thread_id
"""


def _project(**groups: str) -> Project:
    project = Project("forum")
    for name, query in groups.items():
        project.derive(name, key="thread_id", query=query, columns_of="thread_stats")
    project.derive("thread_stats", key="thread_id", query=SUMMED)
    return project


def _truth(place: Forum, more: str) -> list[tuple[Any, ...]]:
    return sorted(place.user.all(TRUTH.format(more=more)), key=repr)


def _shown(place: Forum) -> list[tuple[Any, ...]]:
    return sorted(place.user.all("SELECT * FROM thread_stats"), key=repr)


def test_one_view_shows_every_group(place: Forum) -> None:
    project = _project(weights=WEIGHT, authors=FIRST)
    keeper = place.keep(project)
    keeper.apply()
    more = ", t.author_id, w.best, w.kinds"
    assert _shown(place) == _truth(place, more)
    assert keeper.plan().is_empty
    for _ in range(10):
        place.write(place.chances.change(), place.chances.change())
        # The first columns are those of their own table at once, whatever the others wait for.
        own = {row[:3] for row in _shown(place)}
        assert own == set(place.user.all(SUMMED)) or not place.user.dialect.has_schemas
        keeper.tick()
        assert _shown(place) == _truth(place, more)
    assert all(report.clean for report in keeper.verify())
    freshness = {status.name: status.freshness for status in keeper.status()}
    assert freshness["weights"] == "tick"


def test_groups_come_change_and_go(place: Forum) -> None:
    place.keep(_project()).apply()
    assert _shown(place) == _truth(place, "")
    place.keep(_project(weights=WEIGHT)).apply()
    assert _shown(place) == _truth(place, ", w.best, w.kinds")
    # Another definition of the group, then another of the table.
    narrow = "SELECT thread_id, count(DISTINCT score) AS kinds FROM posts GROUP BY thread_id"
    assert [step.derived for step in place.keep(_project(weights=narrow)).plan().steps] == ["weights"]
    place.keep(_project(weights=narrow)).apply()
    assert _shown(place) == _truth(place, ", w.kinds")
    base = _project(weights=narrow)
    again = Project("forum")
    again.derive("thread_stats", key="thread_id", query=SUMMED, indexes=["posts"])
    again.derive("weights", key="thread_id", query=narrow, columns_of="thread_stats")
    assert [step.derived for step in place.keep(again).plan().steps] == ["thread_stats"]
    place.keep(again).apply()
    assert _shown(place) == _truth(place, ", w.kinds")
    assert place.keep(again).plan().is_empty
    place.keep(base).apply()
    place.keep(_project()).apply(allow_drop=True)
    assert _shown(place) == _truth(place, "")
    assert place.keep(_project()).plan().is_empty


def test_a_renamed_group_stands_in_the_view_once(place: Forum) -> None:
    place.keep(_project(weights=WEIGHT)).apply()
    project = Project("forum")
    project.derive("thread_stats", key="thread_id", query=SUMMED)
    project.derive("best", key="thread_id", query=WEIGHT, columns_of="thread_stats", was="weights")
    place.keep(project).apply()
    assert _shown(place) == _truth(place, ", w.best, w.kinds")
    assert place.keep(project).plan().is_empty


def test_a_name_that_is_free_again_may_be_that_of_another_group(place: Forum) -> None:
    place.keep(_project(weights=WEIGHT)).apply()
    project = _project()
    project.derive("heaviest", key="thread_id", query=WEIGHT, columns_of="thread_stats", was="weights")
    place.keep(project).apply()
    project = _project(weights=FIRST)
    project.derive("heaviest", key="thread_id", query=WEIGHT, columns_of="thread_stats")
    place.keep(project).apply()
    shown = place.user.all("SELECT thread_id, posts, score, author, best, kinds FROM thread_stats")
    assert sorted(shown, key=repr) == _truth(place, ", t.author_id, w.best, w.kinds")


def test_the_renamed_table_takes_its_groups_with_it(place: Forum) -> None:
    place.keep(_project(weights=WEIGHT)).apply()
    project = Project("forum")
    project.derive("stats", key="thread_id", query=SUMMED, was="thread_stats")
    project.derive("weights", key="thread_id", query=WEIGHT, columns_of="stats")
    place.keep(project).apply()
    shown = sorted(place.user.all("SELECT * FROM stats"), key=repr)
    assert shown == _truth(place, ", w.best, w.kinds")
    assert place.keep(project).plan().is_empty


def test_rows_of_every_group_are_kept_when_we_leave(place: Forum) -> None:
    keeper = place.keep(_project(weights=WEIGHT))
    keeper.apply()
    before = _shown(place)
    keeper.uninstall(keep_data=True)
    assert _shown(place) == before
    assert not place.user.installed()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT thread_id, count(*) AS posts FROM posts GROUP BY thread_id",
        "SELECT id, author_id AS author FROM threads",
    ],
)
def test_a_column_twice_and_another_key_are_refused(place: Forum, query: str) -> None:
    project = Project("forum")
    project.derive("thread_stats", key="thread_id", query=SUMMED)
    project.derive("more", query=query, columns_of="thread_stats")
    with pytest.raises(Refusal) as caught:
        place.keep(project).plan()
    assert caught.value.code is Code.COLUMNS_OF


def test_dropping_the_table_alone_is_refused(place: Forum) -> None:
    place.keep(_project(weights=WEIGHT)).apply()
    project = Project("forum")
    project.derive("weights", key="thread_id", query=WEIGHT, columns_of="thread_stats")
    with pytest.raises(Refusal) as caught:
        place.keep(project).apply(allow_drop=True)
    assert caught.value.code is Code.UPSTREAM_GONE
