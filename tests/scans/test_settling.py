"""PostgreSQL: positions wait for transactions that may still give them, and nobody waits for a scan."""

from __future__ import annotations

import pytest

from tests.scans.chain import PLAYED, Chain, declared, open_chain
from tidemark import Fault, Project, Tidemark
from tidemark.runtime.ticks import scanning

NEXT = "INSERT INTO plays VALUES ({0}, {1}, 1, nextval('blocks'))"


@pytest.fixture
def chain(pg_chain: Chain) -> Chain:
    pg_chain.run("CREATE SEQUENCE blocks", "INSERT INTO tracks VALUES (1, 7, 'a')")
    pg_chain.tidemark.apply()
    return pg_chain


def test_a_late_commit_is_waited_for_and_seen(chain: Chain) -> None:
    late, early = chain.client(), chain.client()
    late.execute("BEGIN")
    late.execute(NEXT.format(1, 1))
    early.execute(NEXT.format(2, 2))
    reports = chain.drain()
    assert all("plays" in report.unsettled for report in reports)
    assert chain.at() == "None", "position 2 is not final while 1 may still come"
    assert str(late.info.backend_pid) in reports[0].unsettled
    (status,) = [one for one in chain.tidemark.status() if one.name == "played"]
    assert status.pending and str(late.info.backend_pid) in status.scans[0]
    late.execute("COMMIT")
    chain.settle()
    assert chain.at() == "2"
    assert not any(report.unsettled for report in chain.drain())


def test_what_settled_before_is_scanned_meanwhile(chain: Chain) -> None:
    late = chain.client()
    chain.run(NEXT.format(1, 1))
    late.execute("BEGIN")
    late.execute(NEXT.format(2, 1))
    chain.drain()
    chain.run(NEXT.format(3, 5))
    late.execute("COMMIT")
    other = chain.client()
    other.execute("BEGIN")
    other.execute(NEXT.format(4, 1))
    # The candidate of the first tick had to wait for one transaction only, not for all that come after it.
    chain.drain()
    assert chain.at() != "None"
    other.execute("ROLLBACK")
    chain.settle()


@pytest.mark.parametrize("has_number", [True, False])
def test_a_transaction_that_is_prepared_meanwhile_is_waited_for(chain: Chain, has_number: bool) -> None:
    late = chain.client()
    late.execute("BEGIN")
    if has_number:
        late.execute(NEXT.format(1, 1))
    else:
        # It has its lock and its position, and no number yet.
        late.execute("LOCK TABLE plays IN ROW EXCLUSIVE MODE")
        (position,) = late.execute("SELECT nextval('blocks')").fetchone()
    chain.run(NEXT.format(2, 2))
    chain.drain()
    if not has_number:
        late.execute(f"INSERT INTO plays VALUES (1, 1, 1, {position})")
    late.execute("PREPARE TRANSACTION 'late'")
    reports = chain.drain()
    assert "prepared" in reports[0].unsettled
    assert chain.at() == "None"
    chain.run("COMMIT PREPARED 'late'")
    chain.settle()


def test_writers_of_a_partition_are_waited_for(pg_database: str) -> None:
    project = Project("parts")
    project.source("visits", capture="scan", watermark="n")
    query = "SELECT part, count(*) AS visits FROM visits GROUP BY part"
    project.derive("visited", query=query)
    with open_chain(pg_database, project, {"visited": query}) as chain:
        chain.run(
            "CREATE SEQUENCE numbers",
            "CREATE TABLE visits (part integer NOT NULL, n bigint NOT NULL DEFAULT nextval('numbers')) PARTITION BY LIST (part)",
            "CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN (1)",
            "CREATE TABLE visits_2 PARTITION OF visits FOR VALUES IN (2)",
        )
        chain.tidemark.apply()
        late = chain.client()
        late.execute("BEGIN")
        late.execute("INSERT INTO visits_2 VALUES (2)")
        chain.run("INSERT INTO visits VALUES (1)")
        assert chain.drain()[0].unsettled
        late.execute("COMMIT")
        chain.settle()


def test_now_in_a_watermark_is_the_time_at_which_a_transaction_began(pg_database: str) -> None:
    project = Project("timed")
    project.source("events", capture="scan", watermark="at")
    query = "SELECT kind, count(*) AS events FROM events GROUP BY kind"
    project.derive("kinds", query=query)
    with open_chain(pg_database, project, {"kinds": query}) as chain:
        chain.run("CREATE TABLE events (kind integer, at timestamp with time zone NOT NULL DEFAULT now())")
        chain.tidemark.apply()
        late = chain.client()
        late.execute("BEGIN")
        late.execute("SELECT now()")
        chain.run("INSERT INTO events VALUES (1)")
        chain.drain()
        # Only now does it take a lock, and its position is lower.
        late.execute("INSERT INTO events VALUES (2)")
        chain.drain()
        late.execute("COMMIT")
        chain.settle()


def test_a_writer_waits_for_nothing(chain: Chain) -> None:
    late, writer = chain.client(), chain.client()
    late.execute("BEGIN")
    late.execute(NEXT.format(1, 1))
    writer.execute("SET lock_timeout = '20ms'")
    chain.drain()
    writer.execute(NEXT.format(2, 2))
    writer.execute("UPDATE plays SET user_id = 3, blocknumber = nextval('blocks') WHERE id = 2")
    late.execute("ROLLBACK")
    chain.settle()


def test_the_first_mark_is_behind_who_writes_at_deployment(pg_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "SEED_SECONDS", 0.05)
    with open_chain(pg_database, declared()) as chain:
        chain.run("CREATE SEQUENCE blocks")
        late = chain.client()
        late.execute("BEGIN")
        late.execute(NEXT.format(1, 1))
        chain.run(NEXT.format(2, 2))
        with pytest.raises(Fault, match="may still write it"):
            chain.tidemark.apply()
        late.execute("COMMIT")
        chain.tidemark.apply()
        assert not chain.differences()
        assert chain.at() == "2"


def test_what_is_not_settled_is_no_drift(chain: Chain) -> None:
    late = chain.client()
    late.execute("BEGIN")
    late.execute(NEXT.format(1, 1))
    chain.run(NEXT.format(2, 2))
    reports = chain.tidemark.verify()
    assert all(report.clean for report in reports)
    assert sum(report.undecided for report in reports)
    late.execute("COMMIT")
    chain.settle()


def test_a_role_that_owns_nothing_can_scan(pg_database: str) -> None:
    query = PLAYED
    project = Project("guest")
    project.source("plays", capture="scan", watermark="blocknumber")
    project.derive("played", query=query)
    with open_chain(pg_database, project, {"played": query}) as chain:
        chain.run(
            "DROP ROLE IF EXISTS tm_guest",
            "CREATE ROLE tm_guest LOGIN",
            "GRANT SELECT ON plays TO tm_guest",
            "GRANT CREATE ON SCHEMA public TO tm_guest",
            "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO tm_guest', current_database()); END $$",
        )
        guest = Tidemark(project, pg_database.replace("postgres@", "tm_guest@", 1))
        try:
            guest.apply()
            chain.run(chain.plays(1, [1]))
            guest.tick()
            assert not chain.differences()
        finally:
            guest.uninstall()
            chain.run("DROP OWNED BY tm_guest", "DROP ROLE tm_guest")
