"""What `explain` says of an index that would hold all that is read of the rows of a key."""

import contextlib
from pathlib import Path

from tidemark import Project, Tidemark
from tidemark.database.open import open_session

QUERY = "SELECT u.id, count(p.id) AS n, max(p.ms) AS most FROM users u JOIN plays p ON p.user_id = u.id GROUP BY u.id"
SCHEMA = """
CREATE TABLE users (id integer PRIMARY KEY);
CREATE TABLE plays (id bigint PRIMARY KEY, user_id integer NOT NULL, ms integer, note text);
CREATE INDEX plays_user ON plays (user_id, ms);
INSERT INTO users VALUES (1), (2);
INSERT INTO plays WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90) SELECT i, i % 2 + 1, i, 'x' FROM n;
"""


def test_an_index_that_holds_what_is_read_is_named_until_it_is_there(sqlite_path: Path) -> None:
    project = Project("plays")
    project.derive("totals", query=QUERY, freshness="tick")
    with contextlib.closing(open_session(f"sqlite:///{sqlite_path}")) as user:
        with user.transaction():
            user.script(SCHEMA)
        tidemark = Tidemark(project, f"sqlite:///{sqlite_path}")
        tidemark.apply()
        (said,) = [one for one in tidemark.explain("totals").cheaper if one.startswith("an index that holds")]
        assert "of 45 rows of one user_id none has to be looked up" in said
        assert said.endswith('CREATE INDEX … ON plays ("user_id", "id", "ms")')
        with user.transaction():
            user.run("CREATE INDEX wider ON plays (user_id, ms, id)")
        assert not [one for one in tidemark.explain("totals").cheaper if "none has to be looked up" in one]
        # Few rows of a key are not worth one.
        with user.transaction():
            user.run("DROP INDEX wider")
            user.run("DELETE FROM plays WHERE id > 20")
        assert not [one for one in tidemark.explain("totals").cheaper if "none has to be looked up" in one]
