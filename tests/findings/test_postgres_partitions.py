"""PostgreSQL: partitioned sources: parents, leaves of today and of tomorrow, rows that wander between them."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness
from tidemark.runtime.objects import gaps

FRESHNESS = pytest.mark.parametrize("freshness", ["commit", "tick"])


def partitioned(place: Place, freshness: Freshness) -> Place:
    """Events by kind, one partition of which is partitioned again, and a derived table over them."""
    place.run(
        "CREATE TABLE events (id int, kind text, day int, v int, PRIMARY KEY (id, kind, day)) PARTITION BY LIST (kind)",
        "CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a')",
        "CREATE TABLE events_b PARTITION OF events FOR VALUES IN ('b') PARTITION BY RANGE (day)",
        "CREATE TABLE events_b1 PARTITION OF events_b FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE events_b2 PARTITION OF events_b FOR VALUES FROM (10) TO (20)",
        "INSERT INTO events SELECT n, CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, n, n FROM generate_series(1, 12) AS n",
    )
    place.derive("by_kind", "SELECT kind, count(*) AS n, max(v) AS top FROM events GROUP BY kind", freshness=freshness)
    place.derive(
        "by_rest", "SELECT v % 3 AS rest, count(*) AS n, sum(v) AS v FROM events GROUP BY 1", freshness=freshness
    )
    place.tidemark.apply()
    place.check()
    return place


def each(place: Place, *statements: str) -> None:
    for statement in statements:
        place.run(statement)
        place.drained()
    place.verified()


@FRESHNESS
def test_through_the_parent(pg: Place, freshness: Freshness) -> None:
    each(
        partitioned(pg, freshness),
        "INSERT INTO events VALUES (20, 'a', 1, 20), (21, 'b', 15, 21)",
        "UPDATE events SET v = v + 1",
        "DELETE FROM events WHERE id < 4",
        "TRUNCATE events",
        "INSERT INTO events VALUES (1, 'a', 1, 1)",
    )


@FRESHNESS
def test_rows_that_move_to_another_partition(pg: Place, freshness: Freshness) -> None:
    each(
        partitioned(pg, freshness),
        "UPDATE events SET kind = 'b' WHERE kind = 'a' AND id > 6",
        "UPDATE events SET day = 19 WHERE kind = 'b' AND day < 10",
        "UPDATE events_b SET day = 1 WHERE day = 19",
    )


@FRESHNESS
def test_directly_on_a_leaf(pg: Place, freshness: Freshness) -> None:
    each(
        partitioned(pg, freshness),
        "INSERT INTO events_a VALUES (30, 'a', 1, 30)",
        "UPDATE events_b2 SET v = 99",
        "DELETE FROM events_b1 WHERE id = 1",
        "INSERT INTO events_b VALUES (31, 'b', 3, 31)",
        "TRUNCATE events_b2",
        "TRUNCATE events_b",
        "INSERT INTO events_b1 VALUES (32, 'b', 3, 32)",
    )


@FRESHNESS
def test_a_partition_that_comes_later(pg: Place, freshness: Freshness) -> None:
    place = partitioned(pg, freshness)
    each(
        place,
        "CREATE TABLE events_c PARTITION OF events FOR VALUES IN ('c')",
        "INSERT INTO events VALUES (40, 'c', 1, 40), (41, 'a', 1, 41)",
        "INSERT INTO events_c VALUES (42, 'c', 1, 42)",
        "UPDATE events SET kind = 'c' WHERE kind = 'a'",
        "DELETE FROM events_c WHERE id = 42",
    )
    # It was emptied, and nothing says whether with the whole or alone, until `apply` has seen it.
    place.run("TRUNCATE events")
    place.drained()
    assert all("events_c of events" in report.gap for report in place.tidemark.verify(catalog=True))
    place.tidemark.apply()
    each(place, "INSERT INTO events_c VALUES (42, 'c', 1, 42)", "TRUNCATE events")


@FRESHNESS
def test_truncate_of_a_later_partition_is_noticed(pg: Place, freshness: Freshness) -> None:
    """A TRUNCATE trigger is not inherited; until `apply` has seen the new partition, verification is what notices."""
    place = partitioned(pg, freshness)
    place.run(
        "CREATE TABLE events_c PARTITION OF events FOR VALUES IN ('c')", "INSERT INTO events VALUES (40, 'c', 1, 40)"
    )
    assert not place.tidemark.plan().is_empty
    place.tidemark.apply()
    assert place.tidemark.plan().is_empty
    each(place, "TRUNCATE events_c", "INSERT INTO events_c VALUES (43, 'c', 1, 43)")


@FRESHNESS
def test_a_copy_and_cascades_reach_leaves(pg: Place, freshness: Freshness) -> None:
    place = partitioned(pg, freshness)
    with place.user.cursor().copy("COPY events FROM STDIN") as copy:
        for n in range(100, 120):
            copy.write_row((n, "ab"[n % 2], n % 20, n))
    place.drained()
    with place.user.cursor().copy("COPY events_a FROM STDIN") as copy:
        copy.write_row((200, "a", 1, 200))
    place.drained()
    place.verified()


@FRESHNESS
def test_a_detached_partition_takes_its_rows_away(pg: Place, freshness: Freshness) -> None:
    """ATTACH and DETACH fire nothing: `plan` says that the source is another, and `apply` makes the table true again."""
    place = partitioned(pg, freshness)
    place.run("ALTER TABLE events DETACH PARTITION events_a")
    assert not place.tidemark.plan().is_empty
    place.tidemark.apply()
    each(place, "DELETE FROM events WHERE v > 8")
    place.run("ALTER TABLE events ATTACH PARTITION events_a FOR VALUES IN ('a')")
    assert not place.tidemark.plan().is_empty
    place.tidemark.apply()
    each(place, "DELETE FROM events WHERE v > 4")


@pytest.mark.parametrize("is_planted", [False, True])
def test_a_partition_that_came_later_is_missed_when_it_goes(
    pg: Place, is_planted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention drops whole partitions, and what was never written down would be gone without a word."""
    if is_planted:
        monkeypatch.setattr(gaps, "add_facts", lambda *_: None)
    place = partitioned(pg, "tick")
    place.run(
        "CREATE TABLE events_b3 PARTITION OF events_b FOR VALUES FROM (20) TO (30)",
        "INSERT INTO events VALUES (30, 'b', 25, 1)",
    )
    # A tick is enough to have seen it.
    place.drained()
    assert {one.captures for one in place.tidemark.status()} == {"ok"}
    place.run("DROP TABLE events_b3")
    assert all(report.clean for report in place.tidemark.verify(catalog=True)) is is_planted


@FRESHNESS
def test_a_whole_and_its_parts_are_sources_of_their_own(pg: Place, freshness: Freshness) -> None:
    """A partition that holds rows has a trigger for TRUNCATE of each source that it is part of."""
    place = partitioned(pg, freshness)
    place.derive("of_b", "SELECT day, count(*) AS n FROM events_b GROUP BY day", freshness=freshness)
    place.derive("of_b1", "SELECT day, count(*) AS n, max(v) AS v FROM events_b1 GROUP BY day", freshness=freshness)
    both = "SELECT v FROM events UNION ALL SELECT v FROM events_b UNION ALL SELECT v FROM events_b1"
    place.derive("of_all", f"SELECT v, count(*) AS n FROM ({both}) AS x GROUP BY v", freshness=freshness)
    place.tidemark.apply()
    each(
        place,
        "INSERT INTO events VALUES (30, 'b', 3, 30), (31, 'b', 13, 30)",
        "UPDATE events_b SET day = 19 WHERE id = 30",
        "TRUNCATE events_b1",
        "INSERT INTO events_b1 VALUES (32, 'b', 3, 32)",
        "TRUNCATE events_b",
        "INSERT INTO events_b1 VALUES (33, 'b', 3, 33)",
        "TRUNCATE events",
    )
    assert place.tidemark.plan().is_empty
