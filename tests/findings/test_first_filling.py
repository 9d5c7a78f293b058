"""Writers that go on while a table is filled for the first time, on both engines."""

import pytest

from tests.findings.place import Place
from tidemark import Tidemark
from tidemark.model import Freshness
from tidemark.runtime.progress import Event

KEYS = 3000
UNIVERSE = "SELECT u.id, (SELECT count(*) FROM f WHERE f.u = u.id) AS n, (SELECT max(f.v) FROM f WHERE f.u = u.id) AS best FROM u"
GROUPS = "SELECT f.u, count(*) AS n, sum(f.v) AS v, max(f.v) AS best FROM f GROUP BY f.u"


@pytest.fixture
def world(place: Place) -> Place:
    """Thousands of keys, so that filling takes several chunks."""
    numbers = (
        f"WITH RECURSIVE x(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x WHERE n < {KEYS}) "
        if place.is_sqlite
        else f"WITH x AS (SELECT generate_series(1, {KEYS}) AS n) "
    )
    place.run(
        "CREATE TABLE u (id INTEGER PRIMARY KEY)",
        "CREATE TABLE f (id INTEGER PRIMARY KEY, u INTEGER, v INTEGER)",
        "CREATE INDEX f_u ON f (u)",
        f"INSERT INTO u {numbers} SELECT n FROM x",
        f"INSERT INTO f {numbers} SELECT n, n / 2, n % 100 FROM x",
    )
    return place


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("query", [UNIVERSE, GROUPS], ids=["universe", "groups"])
def test_what_is_written_between_chunks(world: Place, query: str, freshness: Freshness) -> None:
    """Keys before, in and behind the chunk at hand change, vanish and are born."""
    writer = world.client()
    heard: list[str] = []

    def write(event: Event) -> None:
        number = len(heard)
        heard.append(event.phase)
        writer.execute(f"INSERT INTO f VALUES ({KEYS + 10 + number}, {KEYS + number}, 1000)")
        writer.execute(f"INSERT INTO f VALUES ({KEYS * 2 + number}, {number + 1}, 2000)")
        writer.execute(
            f"UPDATE f SET u = {KEYS // 4} + {number}, v = v + 1 WHERE u IN ({number * 7}, {KEYS // 3 + number})"
        )
        writer.execute(f"DELETE FROM f WHERE u IN ({number * 11}, {KEYS // 2 - number})")
        writer.execute(f"DELETE FROM u WHERE id = {KEYS - number}")
        writer.execute(f"INSERT INTO u VALUES ({KEYS + 1 + number})")

    world.derive("filled", query, "id" if query == UNIVERSE else None, freshness=freshness)
    Tidemark(world.project, world.url, listen=write).apply()
    assert len(heard) >= 3
    world.drained()
    world.verified()


def test_a_writer_that_holds_its_rows_while_the_table_is_filled(pg: Place) -> None:
    """What is in flight when capture begins is waited for; what begins later is captured, whenever it commits."""
    pg.run(
        "CREATE TABLE f (id int PRIMARY KEY, g int)",
        "INSERT INTO f SELECT n, n % 5 FROM generate_series(1, 100) AS n",
    )
    late = pg.client()

    def begin(event: Event) -> None:
        if event.phase == "install" and late.info.transaction_status == 0:
            late.execute("BEGIN")
            late.execute("INSERT INTO f VALUES (1000, 7)")
            late.execute("UPDATE f SET g = 8 WHERE id < 4")

    pg.derive("groups", "SELECT g, count(*) AS n FROM f GROUP BY g")
    Tidemark(pg.project, pg.url, listen=begin).apply()
    pg.check()
    late.execute("COMMIT")
    pg.verified()
    assert pg.rows("SELECT n FROM groups WHERE g = 8") == [(3,)]
