"""PostgreSQL: two databases, one of which subscribes to the other's tables."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.findings.place import WAIT_SECONDS_MAX, Place, connect
from tests.kit.postgres import Server
from tidemark import Refusal
from tidemark.errors import Code

SOURCE = "CREATE TABLE f (id int PRIMARY KEY, g int, v int)"
QUERY = "SELECT g, count(*) AS n, max(v) AS best FROM f GROUP BY g"


@pytest.fixture
def subscriber(postgres: Server, pg: Place) -> Iterator[Place]:
    """A second database in the same cluster, with the same table."""
    pg.run(SOURCE, "ALTER TABLE f REPLICA IDENTITY FULL")
    with postgres.fresh_database() as dsn:
        place = Place(dsn, connect(dsn))
        place.run(SOURCE)
        try:
            yield place
        finally:
            _unsubscribe(place)
            place.close()
            # The publisher's sender outlives the subscriber's worker for a moment, and holds the slot as long.
            wait_for(pg, "SELECT count(*) = 0 FROM pg_replication_slots WHERE database = current_database() AND active")
            pg.run(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()"
            )


def _unsubscribe(place: Place) -> None:
    for (name,) in place.rows("SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid "
                              "WHERE datname = current_database()"):  # fmt: skip
        place.run(f"ALTER SUBSCRIPTION {name} DISABLE", f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
        place.run(f"DROP SUBSCRIPTION {name}")
    wait_for(place, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type LIKE 'logical replication%worker'")


def subscribe(place: Place, publisher: Place, publication: str, *, enabled: bool) -> None:
    """Subscribe; in one cluster the slot must be made before, or CREATE SUBSCRIPTION would wait for itself."""
    slot = f"slot_{place.user.info.dbname}"
    publisher.run(f"SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')")
    place.run(
        f"CREATE SUBSCRIPTION {slot} CONNECTION '{publisher.url}' PUBLICATION {publication} "
        f"WITH (create_slot = false, slot_name = '{slot}', copy_data = false, enabled = {str(enabled).lower()})"
    )


def wait_for(place: Place, question: str) -> None:
    """Until the answer is true; asking is the pause between two attempts."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        if place.rows(question) == [(True,)]:
            return
    raise AssertionError(f"never came true: {question}")


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_subscriber_derives_from_what_it_receives(pg: Place, subscriber: Place, freshness: str) -> None:
    """The apply worker fires row triggers alone, and only those that are enabled always."""
    pg.run("CREATE PUBLICATION sources FOR TABLE f")
    subscribe(subscriber, pg, "sources", enabled=True)
    subscriber.install("counts", QUERY, freshness=freshness)
    assert len({pg.user.info.dbname, subscriber.user.info.dbname}) == 2
    for change, arrived in (
        ("INSERT INTO f SELECT n, n % 3, n FROM generate_series(1, 9) AS n", "SELECT count(*) = 9 FROM f"),
        ("UPDATE f SET g = 7 WHERE v > 6", "SELECT count(*) = 3 FROM f WHERE g = 7"),
        ("DELETE FROM f WHERE g = 7", "SELECT count(*) = 6 FROM f"),
        ("TRUNCATE f", "SELECT count(*) = 0 FROM f"),
        ("INSERT INTO f VALUES (1, 1, 1)", "SELECT count(*) = 1 FROM f"),
    ):
        pg.run(change)
        wait_for(subscriber, arrived)
        subscriber.drained()
    subscriber.verified()


def test_storage_that_is_published_to_a_subscriber_that_derives_too(pg: Place, subscriber: Place) -> None:
    """Each change would count twice: once as ours, once as the publisher's."""
    pg.install("counts", QUERY)
    subscriber.install("counts", QUERY)
    pg.run("CREATE PUBLICATION everything FOR ALL TABLES")
    subscribe(subscriber, pg, "everything", enabled=False)
    with pytest.raises(Refusal) as caught:
        subscriber.tidemark.plan()
    assert caught.value.code is Code.REPLICATED_STORAGE
    assert "publication" in caught.value.instead


def test_a_slot_needs_logical_decoding(pg: Place) -> None:
    """The tests' server can decode; without that the two tests above would prove nothing."""
    assert pg.rows("SHOW wal_level") == [("logical",)]
    assert isinstance(pg.user, psycopg.Connection)
