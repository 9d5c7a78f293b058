"""A TRUNCATE that commits after a tick has chosen its moment, and before the tick reads the table.

TRUNCATE takes rows away from older snapshots too. The tick holds its sources from before its moment, so that whoever empties one
of them waits until its rows were read.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import pytest

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.session import Conflict, Mode

SCHEMA = """
CREATE TABLE "Thréads" (id integer PRIMARY KEY, name text NOT NULL, pinned integer);
CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer NOT NULL, score integer);
CREATE INDEX posts_by_thread ON posts (thread_id);
INSERT INTO "Thréads" VALUES (1, 'a', 1), (2, 'b', 2);
INSERT INTO posts VALUES (1, 1, 5), (2, 2, 7), (3, 1, 9);
"""
QUERIES = {
    "at once": 'SELECT t.id, t.name, p.score FROM "Thréads" t LEFT JOIN posts p ON p.id = t.pinned',
    "whole": 'SELECT t.id, t.name, (SELECT count(*) FROM posts) AS n FROM "Thréads" t',
    "added": 'SELECT t.name, sum(p.score) AS s, count(*) n FROM "Thréads" t JOIN posts p ON p.thread_id = t.id GROUP BY t.name',
    "columns": 'SELECT t.id, (SELECT max(p.score) FROM posts p WHERE p.thread_id = t.id) AS best FROM "Thréads" t',
}
CHANGE = {
    "at once": """UPDATE "Thréads" SET name = 'c' WHERE id = 1""",
    "whole": """UPDATE "Thréads" SET name = 'c' WHERE id = 1""",
    "added": """UPDATE "Thréads" SET name = 'c' WHERE id = 1""",
    # The greatest value goes, so that its row is computed from the table.
    "columns": "DELETE FROM posts WHERE id = 3",
}


# What is added is read in a transaction that writes nothing. One that writes was begun before, and does nothing there.
MODES: dict[str, Sequence[Mode]] = {"added": ("read",)}


class Meddler:
    """Does something in the first moment in which a session of Tidemark's sees the sources, in a transaction of some `modes`;
    with a `mistake` the session holds nothing."""

    def __init__(self, modes: Sequence[Mode], mistake: bool) -> None:
        self.modes = modes
        self.mistake = mistake
        self.waiting: list[Callable[[], None]] = []
        self.original = PostgresSession.transaction

    @contextlib.contextmanager
    def transaction(
        self, session: PostgresSession, mode: Mode = "write", *, snapshot: bool = False, holding: Sequence[str] = ()
    ) -> Iterator[None]:
        with self.original(session, mode, snapshot=snapshot, holding=() if self.mistake else holding):
            if snapshot and holding and mode in self.modes and self.waiting:
                # The moment is that of the first query.
                session.all("SELECT 1")
                self.waiting.pop()()
            yield


HELD = [(way, False) for way in QUERIES]
# Where columns are added to, the rows of this program are of a moment without a hold, too.
UNHELD = [(way, True) for way in QUERIES if way != "columns"]


@pytest.mark.parametrize(
    ("way", "mistake"), [*HELD, *UNHELD], ids=lambda one: one if isinstance(one, str) else ("held", "nothing held")[one]
)
def test_rows_are_of_a_moment_although_a_source_is_emptied(pg_database: str, way: str, mistake: bool) -> None:
    query = QUERIES[way]
    project = Project("forum")
    project.derive("kept", query=query, freshness="tick", allow_global=way == "whole")
    meddler, moments, emptied = Meddler(MODES.get(way, ("read", "write")), mistake), [], []

    def transaction(session: PostgresSession, *mode: Any, **more: Any) -> Any:
        return meddler.transaction(session, *mode, **more)

    with contextlib.closing(open_session(pg_database, lock_timeout=0.2)) as user:

        def write(statement: str) -> None:
            with user.transaction():
                user.script(statement)
            moments.append(user.all(f"{query} ORDER BY 1"))

        def meddle() -> None:
            write("""UPDATE "Thréads" SET name = 'd' WHERE id = 1; UPDATE posts SET score = 1 WHERE id = 1""")
            try:
                write("TRUNCATE posts")
                emptied.append("while it worked")
            except Conflict:
                emptied.append("later")

        with user.transaction():
            user.script(SCHEMA)
        tidemark = Tidemark(project, pg_database)
        tidemark.apply()
        moments.append(user.all(f"{query} ORDER BY 1"))
        write(CHANGE[way])
        meddler.waiting.append(meddle)
        with mock.patch.object(PostgresSession, "transaction", transaction):
            tidemark.tick()
        kept = user.all("SELECT * FROM kept ORDER BY 1")
        assert emptied == ["while it worked" if mistake else "later"]
        # What was written before the tick began has to be in its moment.
        assert (kept in moments[1:]) is not mistake, (kept, moments)
        if not mistake:
            write("TRUNCATE posts")
        tidemark.tick()
        assert user.all("SELECT * FROM kept ORDER BY 1") == user.all(f"{query} ORDER BY 1")
