"""Writers, transactions of every level and a worker at once: nothing that a writer commits is lost on its way down."""

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from tests.cascade.forum import Chances, Forum, forum
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Session
from tidemark.engine import Tidemark

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
ROUNDS = 40


def _write(url: str, seed: int, level: str) -> None:
    """One client: short transactions at one isolation level, tried again when they fail."""
    chances = Chances(seed)
    session = open_session(url, lock_timeout=30.0)
    try:
        for _ in range(ROUNDS):
            _commit(session, level, [chances.change() for _ in range(chances.random.randint(1, 3))])
    finally:
        session.close()


def _commit(session: Session, level: str, statements: list[str]) -> None:
    while True:
        try:
            with session.transaction():
                if session.dialect.has_schemas:
                    session.run(f"SET TRANSACTION ISOLATION LEVEL {level}")
                for statement in statements:
                    session.run(statement)
            return
        except Conflict:
            continue


@pytest.mark.parametrize("seed", [3, 4])
def test_writers_at_every_level_beside_a_worker(place: Forum, seed: int) -> None:
    place.keep(forum()).apply()
    over = threading.Event()
    with ThreadPoolExecutor() as threads:
        worker = threads.submit(Tidemark(forum(), place.url, stop=over.is_set).run)
        writers = [threads.submit(_write, place.url, seed * 10 + number, level) for number, level in enumerate(LEVELS)]
        wait(writers)
        over.set()
    assert [one.exception() for one in (worker, *writers)] == [None] * 4
    keeper = place.keep(forum())
    keeper.run(until_idle=True)
    assert place.wrong() == []
    assert all(report.clean for report in keeper.verify())


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_flush_writes_is_captured_with_its_transaction(place: Forum, level: str) -> None:
    """The rows of the first level change at commit; whoever reads them learns of it by that commit alone."""
    keeper = place.keep(forum())
    keeper.apply()
    other = open_session(place.url)
    try:
        with place.user.transaction():
            if place.user.dialect.has_schemas:
                place.user.run(f"SET TRANSACTION ISOLATION LEVEL {level}")
            place.user.run("UPDATE posts SET score = score + 1000 WHERE hidden = 0")
            if place.user.dialect.has_schemas:
                # Nothing is committed, so nothing can be sealed.
                before = other.all("SELECT * FROM author_stats ORDER BY 1")
                keeper.tick()
                assert other.all("SELECT * FROM author_stats ORDER BY 1") == before
        keeper.tick()
        assert place.wrong() == []
        assert place.wrong(("author_stats",)) == []
    finally:
        other.close()


def test_what_is_rolled_back_is_not_captured(place: Forum) -> None:
    keeper = place.keep(forum())
    keeper.apply()
    with pytest.raises(ZeroDivisionError), place.user.transaction():
        place.user.run("DELETE FROM posts")
        raise ZeroDivisionError
    assert all(not status.pending for status in keeper.status())
    keeper.tick()
    assert place.wrong() == []


def test_conflict_clauses_of_the_writer_reach_the_stores_below(sqlite_place: Forum) -> None:
    """An outer OR REPLACE or OR IGNORE overrides what triggers say; our rows are written by upserts all the same."""
    place = sqlite_place
    keeper = place.keep(forum())
    keeper.apply()
    for pragma in ("OFF", "ON"):
        place.user.all(f"PRAGMA recursive_triggers = {pragma}")
        for word in ("REPLACE", "IGNORE", "FAIL", "ABORT"):
            values = ", ".join(f"({number}, {1 + number % 3}, {number}, 0)" for number in range(1, 9))
            if word in ("REPLACE", "IGNORE"):
                place.write(f"INSERT OR {word} INTO posts VALUES {values}")
            place.write(f"UPDATE OR {word} posts SET thread_id = thread_id % 4 + 1 WHERE id < 20")
            place.write(f"UPDATE OR {word} posts SET hidden = 1 - hidden WHERE id BETWEEN 10 AND 30")
            keeper.tick()
            assert place.wrong() == []
