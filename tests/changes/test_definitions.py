"""A changed definition takes over in one moment: readers see the old rows or the new ones, with the rights that they had."""

import contextlib
import threading

import pytest

from tests.changes.shop import SCHEMA, Shop
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Fault, Refusal
from tidemark.runtime.clock import Clock

FEW = "SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id"
MORE = "SELECT thread_id, count(*) AS n, sum(score) AS s FROM posts GROUP BY thread_id"
OTHER = "SELECT thread_id, sum(score) AS s, count(*) AS n FROM posts GROUP BY thread_id"


def _declared(url: str, query: str, clock: Clock | None = None) -> Tidemark:
    project = Project("shop")
    project.derive("threads", query=query, key="thread_id")
    return Tidemark(project, url, clock=clock)


def _first(url: str) -> Shop:
    shop = Shop(url)
    shop.run(*SCHEMA)
    _declared(url, FEW).apply()
    return shop


def test_a_state_of_another_version_is_left_alone(engine_url: str) -> None:
    shop = _first(engine_url)
    with contextlib.closing(open_session(engine_url)) as session:
        ledger = "tidemark._derived" if session.dialect.has_schemas else "tidemark__derived"
        if session.dialect.has_schemas:
            shop.run("ALTER TABLE tidemark._derived DROP CONSTRAINT _derived_state_check")
        else:
            session.all("PRAGMA ignore_check_constraints = ON")
        with session.transaction():
            session.run(f"UPDATE {ledger} SET state = 'migrating'")
        before = session.all(f"SELECT * FROM {ledger}")
        for query in (FEW, MORE):
            with pytest.raises(Fault, match="threads is in a state that this version does not know"):
                _declared(engine_url, query).apply()
        assert session.all(f"SELECT * FROM {ledger}") == before
    assert [status.state for status in _declared(engine_url, FEW).status()] == ["unknown"]


def test_rights_remarks_and_readers_of_a_view_stay_on_postgresql(pg_database: str) -> None:
    shop = _first(pg_database)
    role = f"reader_{pg_database.rpartition('/')[2]}"
    shop.run(
        f'CREATE ROLE "{role}"',
        f'GRANT SELECT ON threads TO "{role}" WITH GRANT OPTION',
        f'GRANT UPDATE (n) ON threads TO "{role}"',
        "GRANT SELECT ON threads TO PUBLIC",
        "COMMENT ON COLUMN threads.n IS 'posts of a thread'",
        "CREATE VIEW busy AS SELECT thread_id FROM threads WHERE n > 1",
    )
    with contextlib.closing(open_session(pg_database)) as reader:
        asked = (
            "SELECT relacl::text, (SELECT attacl::text FROM pg_attribute WHERE attrelid = c.oid AND attname = 'n'), "
            "(SELECT col_description(c.oid, attnum) FROM pg_attribute WHERE attrelid = c.oid AND attname = 'n') "
            "FROM pg_class AS c WHERE relname = 'threads' AND relkind = 'v'"
        )
        before = reader.one(asked)
        assert before is not None and before[2] == "posts of a thread" and role in before[0] and role in before[1]
        _declared(pg_database, MORE).apply()
        assert reader.one(asked) == before and reader.all("SELECT * FROM busy") == [(1,)]
        # Columns in another order: the view has to be made again, and the user's own view stands in the way.
        with pytest.raises(Refusal, match="depend"):
            _declared(pg_database, OTHER).apply()
        assert reader.one("SELECT thread_id, n, s FROM threads WHERE thread_id = 1") == (1, 2, 11)
        shop.run("DROP VIEW busy")
        _declared(pg_database, OTHER).apply()
        assert reader.one(asked) == before
        assert reader.all("SELECT * FROM threads WHERE thread_id = 1") == [(1, 11, 2)]
        assert _declared(pg_database, OTHER).plan().is_empty
    shop.run(f'DROP OWNED BY "{role}"', f'DROP ROLE "{role}"')


def test_the_cutover_waits_for_a_reader_and_lets_others_read(pg_database: str) -> None:
    """A long reader holds the view: nobody queues up behind us, and the old rows are there until the new ones are."""
    _first(pg_database)
    seen: list[object] = []
    with (
        contextlib.closing(open_session(pg_database)) as long,
        contextlib.closing(open_session(pg_database, lock_timeout=5)) as other,
        contextlib.ExitStack() as stack,
    ):
        stack.enter_context(long.transaction("read", snapshot=True))
        assert long.one("SELECT n FROM threads WHERE thread_id = 1") == (2,)

        def wait(seconds: float) -> None:
            seen.append(other.one("SELECT * FROM threads WHERE thread_id = 1"))
            if len(seen) == 5:
                stack.close()

        _declared(pg_database, OTHER, Clock(Clock().now, wait, lambda: 0.5)).apply()
        assert len(seen) >= 5 and set(seen) == {(1, 2)}
        assert other.one("SELECT * FROM threads WHERE thread_id = 1") == (1, 11, 2)


def test_readers_see_the_old_rows_or_the_new_ones(engine_url: str) -> None:
    _first(engine_url)
    found: list[tuple[object, ...]] = []
    ended = threading.Event()

    def read() -> None:
        with contextlib.closing(open_session(engine_url)) as reader:
            while not ended.is_set():
                found.extend(reader.all("SELECT * FROM threads WHERE thread_id = 1"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for query in (OTHER, FEW):
            _declared(engine_url, query).apply()
    finally:
        ended.set()
        reader.join()
    assert found and set(found) <= {(1, 2), (1, 11, 2)}
