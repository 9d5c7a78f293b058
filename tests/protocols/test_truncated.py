"""A seal that was begun before a TRUNCATE and is finished after it writes rows of one moment."""

import contextlib
import re
from typing import Any
from unittest import mock

import pytest

from tests.protocols.forum import one_key_at_a_time
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.render import linear_ticks
from tidemark.runtime.ticks import deltas

SCHEMA = """
CREATE TABLE threads (id INTEGER PRIMARY KEY);
CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER, score INTEGER);
CREATE TABLE likes (id INTEGER PRIMARY KEY, thread_id INTEGER);
CREATE INDEX posts_by_thread ON posts (thread_id);
CREATE INDEX likes_by_thread ON likes (thread_id);
"""
QUERY = """SELECT t.id, (SELECT max(p.score) FROM posts p WHERE p.thread_id = t.id) AS best,
    (SELECT count(*) FROM likes l WHERE l.thread_id = t.id) AS likes FROM threads t"""


MARKED = r" AND NOT EXISTS \(SELECT 1 FROM (\S+) AS l WHERE .*?l\.weight = 0\)"


def _with_markers(of: str) -> object:
    """The late images where a TRUNCATE counts for ``every`` source of a row; the mistakes: for its ``own``, for ``none``."""
    original = linear_ticks._late_images

    def images(*about: Any) -> str:
        text = original(*about)
        own = re.search(r"FROM (\S+) AS l", text)
        assert own is not None
        kept = {"every": lambda _: True, "own": lambda log: log == own[1], "none": lambda _: False}[of]
        return re.sub(MARKED, lambda found: found[0] if kept(found[1]) else "", text)

    return images


@pytest.mark.parametrize("markers", ["every", "own", "none"])
def test_a_row_is_of_one_moment_although_a_source_was_emptied_meanwhile(pg_database: str, markers: str) -> None:
    project = Project("forum")
    project.derive("liked", key="id", query=QUERY, freshness="tick")
    mistake = mock.patch.object(linear_ticks, "_late_images", _with_markers(markers))
    with mistake, contextlib.closing(open_session(pg_database, lock_timeout=30)) as user:
        moments = []

        def write(statement: str) -> None:
            with user.transaction():
                user.script(statement)
            moments.append(user.all(f"{QUERY} ORDER BY id"))

        with user.transaction():
            user.script(SCHEMA)
            user.script("INSERT INTO threads VALUES (1); INSERT INTO posts VALUES (1, 1, 5), (2, 1, 7)")
            user.script("INSERT INTO likes VALUES (1, 1), (2, 1)")
        tidemark = Tidemark(project, pg_database)
        tidemark.apply()
        # The greatest value goes, so that the tick has to compute the row from the tables as they are.
        write("DELETE FROM posts WHERE id = 2")
        with mock.patch.object(deltas, "choose_pace", one_key_at_a_time):
            tidemark.tick(max_batches=1)
            write("INSERT INTO posts VALUES (3, 1, 9)")
            write("TRUNCATE likes")
            tidemark.tick(max_batches=1)
        kept = user.all("SELECT * FROM liked ORDER BY id")
        assert (kept in moments) is (markers == "every")
        tidemark.tick()
        assert user.all("SELECT * FROM liked ORDER BY id") == [(1, 9, 0)]
