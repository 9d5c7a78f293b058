"""PostgreSQL: two writers at once, at every isolation level: true, or 40001 for one of them, and never drift or a deadlock."""

from __future__ import annotations

import pytest

from tests.findings.place import Connection, Place, attempt

LEVELS = pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
COUNTS = "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n FROM u"
EXTREMES = "SELECT u.id, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS top, (SELECT count(*) FROM f WHERE f.u = u.id) AS n FROM u"
SHAPES = pytest.mark.parametrize("query", [COUNTS, EXTREMES], ids=["additive", "extremum"])


@pytest.fixture
def family(pg: Place) -> Place:
    """A universe and its children, without a foreign key."""
    pg.run("CREATE TABLE u (id int PRIMARY KEY)", "CREATE TABLE f (id int PRIMARY KEY, u int, v int)")
    return pg


def begin(place: Place, level: str, *statements: str) -> Connection:
    """A client inside a transaction of that level that has done something."""
    client = place.client()
    client.execute(f"BEGIN ISOLATION LEVEL {level}")
    for statement in statements:
        client.execute(statement)
    return client


def both_commit(place: Place, one: Connection, two: Connection, level: str) -> None:
    """Commit one, then the other; at READ COMMITTED neither may fail."""
    first, second = attempt(one, "COMMIT"), attempt(two, "COMMIT")
    allowed = (None,) if level == "READ COMMITTED" else (None, "40001")
    assert first is None and second in allowed
    place.verified()


@LEVELS
@pytest.mark.parametrize("best", ["max", "min"])
def test_two_deletes_of_the_extremum(pg: Place, level: str, best: str) -> None:
    """Of 3 and two rows of 5, both fives are deleted at once: 3 is true, and a writer that looks too early leaves 5."""
    sign = "" if best == "max" else "-"
    pg.run("CREATE TABLE f (id int PRIMARY KEY, g int, v int)")
    pg.run(f"INSERT INTO f VALUES (1, 1, {sign}3), (2, 1, {sign}5), (3, 1, {sign}5)")
    pg.install("extremes", f"SELECT g, {best}(v) AS v FROM f GROUP BY g")
    one = begin(pg, level, "DELETE FROM f WHERE id = 2")
    two = begin(pg, level, "DELETE FROM f WHERE id = 3")
    both_commit(pg, one, two, level)


@LEVELS
def test_two_deletes_whose_flushes_meet(pg: Place, level: str) -> None:
    pg.run("CREATE TABLE f (id int PRIMARY KEY, g int, v int)", "INSERT INTO f VALUES (1, 1, 3), (2, 1, 5), (3, 1, 5)")
    pg.install("extremes", "SELECT g, max(v) AS v FROM f GROUP BY g")
    one = begin(pg, level, "DELETE FROM f WHERE id = 2", "SET CONSTRAINTS ALL IMMEDIATE")
    two = begin(pg, level, "DELETE FROM f WHERE id = 3")
    with pg.in_thread(two, "COMMIT") as waiting:
        one.execute("COMMIT")
    assert waiting.problem in ((None,) if level == "READ COMMITTED" else ("40001",))
    pg.verified()


@LEVELS
def test_a_greater_value_comes_while_the_greatest_goes(pg: Place, level: str) -> None:
    pg.run("CREATE TABLE f (id int PRIMARY KEY, g int, v int)", "INSERT INTO f VALUES (1, 1, 3), (2, 1, 5)")
    pg.install("extremes", "SELECT g, max(v) AS v, avg(v::float8) AS mean FROM f GROUP BY g")
    one = begin(pg, level, "DELETE FROM f WHERE id = 2")
    two = begin(pg, level, "INSERT INTO f VALUES (4, 1, 4)")
    both_commit(pg, one, two, level)


@LEVELS
def test_a_group_that_vanishes_while_a_row_enters_it(pg: Place, level: str) -> None:
    pg.run("CREATE TABLE f (id int PRIMARY KEY, g int, v int)", "INSERT INTO f VALUES (1, 1, 3)")
    pg.install("groups", "SELECT g, count(*) AS n, max(v) AS v FROM f GROUP BY g")
    one = begin(pg, level, "DELETE FROM f WHERE id = 1")
    two = begin(pg, level, "INSERT INTO f VALUES (2, 1, 2)")
    both_commit(pg, one, two, level)


@LEVELS
@SHAPES
def test_parent_and_child_at_once(family: Place, query: str, level: str) -> None:
    family.install("users", query, key="id")
    one = begin(family, level, "INSERT INTO u VALUES (1)")
    two = begin(family, level, "INSERT INTO f VALUES (1, 1, 7)")
    both_commit(family, one, two, level)
    one = begin(family, level, "INSERT INTO f VALUES (2, 2, 8)")
    two = begin(family, level, "INSERT INTO u VALUES (2)")
    both_commit(family, one, two, level)


@LEVELS
@SHAPES
def test_a_late_parent(family: Place, query: str, level: str) -> None:
    family.install("users", query, key="id")
    child = begin(family, level, "INSERT INTO f VALUES (1, 1, 7), (2, 1, 3)")
    child.execute("COMMIT")
    parent = begin(family, level, "SELECT count(*) FROM f")
    gone = begin(family, level, "DELETE FROM f WHERE id = 1")
    parent.execute("INSERT INTO u VALUES (1)")
    both_commit(family, gone, parent, level)
    begin(family, level, "INSERT INTO u VALUES (1) ON CONFLICT DO NOTHING", "COMMIT")
    family.verified()


@LEVELS
@SHAPES
def test_a_parent_that_goes_and_comes_again(family: Place, query: str, level: str) -> None:
    family.run("INSERT INTO u VALUES (1), (2)", "INSERT INTO f VALUES (1, 1, 5), (2, 1, 9)")
    family.install("users", query, key="id")
    gone = begin(family, level, "DELETE FROM u WHERE id = 1")
    child = begin(family, level, "UPDATE f SET v = 1 WHERE id = 2", "INSERT INTO f VALUES (3, 1, 11)")
    both_commit(family, gone, child, level)
    again = begin(family, level, "INSERT INTO u VALUES (1)")
    child = begin(family, level, "DELETE FROM f WHERE id = 3 OR id = 2")
    both_commit(family, again, child, level)
    begin(
        family,
        level,
        "DELETE FROM u",
        "INSERT INTO u VALUES (1)",
        "DELETE FROM u",
        "INSERT INTO u VALUES (1), (3)",
        "COMMIT",
    )
    family.verified()


@LEVELS
@SHAPES
def test_an_emptied_key_is_removed_while_another_writer_uses_it(family: Place, query: str, level: str) -> None:
    family.run("INSERT INTO f VALUES (1, 1, 5)")
    family.install("users", query, key="id")
    one = begin(family, level, "DELETE FROM f WHERE id = 1")
    two = begin(family, level, "INSERT INTO f VALUES (2, 1, 6)")
    three = begin(family, level, "INSERT INTO u VALUES (1)")
    assert attempt(one, "COMMIT") is None
    allowed = (None,) if level == "READ COMMITTED" else (None, "40001")
    assert attempt(two, "COMMIT") in allowed
    assert attempt(three, "COMMIT") in allowed
    family.verified()


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
@SHAPES
def test_an_older_snapshot_fails_with_40001(family: Place, query: str, level: str) -> None:
    family.run("INSERT INTO u VALUES (1)", "INSERT INTO f VALUES (1, 1, 5)")
    family.install("users", query, key="id")
    late = begin(family, level, "SELECT count(*) FROM f")
    family.run("INSERT INTO f VALUES (2, 1, 6)")
    late.execute("INSERT INTO f VALUES (3, 1, 7)")
    assert attempt(late, "COMMIT") == "40001"
    family.verified()
    assert begin(family, level, "INSERT INTO f VALUES (3, 1, 7)", "COMMIT") is not None
    family.verified()


@LEVELS
def test_opposite_orders_of_keys_do_not_deadlock(family: Place, level: str) -> None:
    family.run("INSERT INTO u SELECT generate_series(1, 20)")
    family.install("users", EXTREMES, key="id")
    up = begin(family, level, *(f"INSERT INTO f VALUES ({n}, {n}, 1)" for n in range(1, 21)))
    down = begin(family, level, *(f"INSERT INTO f VALUES ({100 - n}, {n}, 2)" for n in range(20, 0, -1)))
    up.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with family.in_thread(down, "COMMIT") as waiting:
        up.execute("COMMIT")
    assert waiting.problem in ((None,) if level == "READ COMMITTED" else ("40001",))
    family.verified()


def test_two_derived_tables_are_flushed_in_one_order(family: Place) -> None:
    family.derive("by_u", "SELECT u, count(*) AS n FROM f GROUP BY u")
    family.derive("by_v", "SELECT v, count(*) AS n FROM f GROUP BY v")
    family.derive("users", COUNTS, key="id")
    family.tidemark.apply()
    one = begin(family, "READ COMMITTED", "INSERT INTO f VALUES (1, 1, 1)", "INSERT INTO u VALUES (1)")
    two = begin(family, "READ COMMITTED", "INSERT INTO u VALUES (2)", "INSERT INTO f VALUES (2, 1, 1), (3, 2, 1)")
    one.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with family.in_thread(two, "COMMIT") as waiting:
        one.execute("COMMIT")
    assert waiting.problem is None
    family.verified()


def test_a_repeatable_read_truncate_fails_clearly(family: Place) -> None:
    family.run("INSERT INTO u VALUES (1)", "INSERT INTO f VALUES (1, 1, 5)")
    family.install("users", COUNTS, key="id")
    for level in ("REPEATABLE READ", "SERIALIZABLE"):
        client = begin(family, level, "SELECT count(*) FROM f")
        with pytest.raises(Exception, match="Tidemark watches needs READ COMMITTED"):
            client.execute("TRUNCATE f")
        client.execute("ROLLBACK")
    family.run("TRUNCATE f")
    family.verified()


@LEVELS
def test_children_change_their_parent_both_ways(family: Place, level: str) -> None:
    family.run("INSERT INTO u VALUES (1), (2)", "INSERT INTO f VALUES (1, 1, 5), (2, 2, 6)")
    family.install("users", EXTREMES, key="id")
    one = begin(family, level, "UPDATE f SET u = 2 WHERE id = 1")
    two = begin(family, level, "UPDATE f SET u = 1 WHERE id = 2")
    both_commit(family, one, two, level)


@LEVELS
def test_halves_of_a_join_in_two_transactions(family: Place, level: str) -> None:
    """Each of two writers adds one half of a match and sees nothing of the other; the tick finds both."""
    family.install(
        "joined",
        "SELECT u.id, sum(f.v) AS v, count(*) AS n FROM u JOIN f ON f.u = u.id GROUP BY u.id",
        freshness="tick",
    )
    one = begin(family, level, "INSERT INTO u VALUES (1)")
    two = begin(family, level, "INSERT INTO f VALUES (1, 1, 5)")
    family.tidemark.tick()
    one.execute("COMMIT")
    family.drained()
    two.execute("COMMIT")
    family.drained()
    one, two = begin(family, level, "DELETE FROM u"), begin(family, level, "DELETE FROM f")
    family.tidemark.tick()
    both = (attempt(two, "COMMIT"), attempt(one, "COMMIT"))
    assert set(both) <= {None, "40001"}
    family.drained()
    family.verified()


def test_what_commits_late_is_not_skipped(family: Place) -> None:
    """The younger transaction commits first, and a tick runs in between."""
    family.install("sums", "SELECT u, sum(v) AS v FROM f GROUP BY u", freshness="tick")
    old = begin(family, "READ COMMITTED", "INSERT INTO f VALUES (1, 1, 5)")
    family.run("INSERT INTO f VALUES (2, 1, 7)")
    family.drained()
    old.execute("INSERT INTO f VALUES (3, 1, 1)")
    family.drained()
    old.execute("COMMIT")
    family.drained()
    family.verified()


def test_a_key_reached_only_through_two_rows_that_vanish_together(place: Place) -> None:
    place.run(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, g INTEGER)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER, v INTEGER)",
        "INSERT INTO a VALUES (1, 7), (2, 8)",
        "INSERT INTO b VALUES (1, 1, 5), (2, 2, 6)",
    )
    place.install("joined", "SELECT a.g, sum(b.v) AS v FROM a JOIN b ON b.a = a.id GROUP BY a.g", freshness="tick")
    place.run("BEGIN", "DELETE FROM a WHERE id = 1", "DELETE FROM b WHERE id = 1", "COMMIT")
    place.drained()
    place.run("DELETE FROM b WHERE id = 2", "DELETE FROM a WHERE id = 2")
    place.drained()
    place.verified()


def test_flushes_go_from_what_is_read_to_what_reads_it(pg: Place) -> None:
    """Whatever derived tables are called: somebody holds the second level while two writers come to it, one of which has changed
    what is read there beside the first level, too."""
    pg.run("CREATE TABLE f (id int PRIMARY KEY, g int, v int)", "CREATE TABLE h (id int PRIMARY KEY, g int)")
    pg.run("INSERT INTO f VALUES (1, 1, 1), (2, 1, 2)", "INSERT INTO h VALUES (1, 1), (2, 2)")
    pg.derive("z_sums", "SELECT g, sum(v) AS s FROM f GROUP BY g", freshness="commit")
    join = "z_sums AS z LEFT JOIN h ON h.g = z.g GROUP BY z.g"
    pg.derive("b_counts", f"SELECT z.g, max(z.s) AS s, count(h.id) AS n FROM {join}", freshness="commit")
    pg.derive("a_counts", "SELECT n, count(*) AS groups FROM b_counts GROUP BY n", freshness="commit")
    pg.tidemark.apply()
    pg.run("UPDATE f SET v = v + 1")
    one = begin(pg, "READ COMMITTED", "UPDATE f SET v = v + 1 WHERE id = 1", "INSERT INTO h VALUES (3, 1)")
    two = begin(pg, "READ COMMITTED", "UPDATE f SET v = v + 2 WHERE id = 2")
    three = begin(pg, "READ COMMITTED", "SELECT FROM tidemark._turns_b_counts FOR UPDATE")
    with pg.in_thread(one, "COMMIT") as first, pg.in_thread(two, "COMMIT") as second:
        three.execute("COMMIT")
    assert (first.problem, second.problem) == (None, None)
    pg.verified()
