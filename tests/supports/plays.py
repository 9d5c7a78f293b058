"""Plays of tracks, tables that count different ones, and what is true of them.

Owns: `Plays` and the declarations. The oracle is the declared query itself.
"""

import random
from typing import Any

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session

SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL)",
    "CREATE TABLE plays (id integer PRIMARY KEY, user_id integer, track text, seconds numeric(6, 2), hidden integer NOT NULL)",
    "CREATE INDEX plays_user ON plays (user_id, track)",
    "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')",
)
QUERIES = {
    "listening": "SELECT user_id, count(DISTINCT track) AS tracks, count(DISTINCT track) FILTER (WHERE hidden = 0) AS shown, "
    "count(DISTINCT seconds) AS lengths, count(*) AS plays, max(seconds) AS longest FROM plays GROUP BY user_id",
    "tracks_of": "SELECT user_id, count(DISTINCT track) AS tracks FROM plays WHERE hidden = 0 GROUP BY user_id",
    "everything": "SELECT count(DISTINCT track) AS tracks, count(DISTINCT user_id) AS users FROM plays",
    "figures": "SELECT (SELECT count(DISTINCT track) FROM plays WHERE hidden = 0) AS tracks, "
    "(SELECT count(*) FROM users) AS users, "
    "(SELECT count(DISTINCT track) FILTER (WHERE seconds > 0) + count(*) FROM plays) AS sum",
    "profiles": "SELECT u.id, u.name, "
    "(SELECT count(DISTINCT p.track) FROM plays p WHERE p.user_id = u.id AND p.hidden = 0) AS n, "
    "(SELECT count(*) FROM plays p WHERE p.user_id = u.id) AS plays FROM users u",
    "heard": "SELECT DISTINCT user_id, track FROM plays WHERE hidden = 0",
}
KEYS = {"profiles": "id"}


def counts(*names: str, **options: Any) -> Project:
    """A project with these declarations, or with all of them."""
    project = Project("plays")
    for name in names or tuple(QUERIES):
        asked = {} if name == "heard" else {"support": True}
        project.derive(name, key=KEYS.get(name), query=QUERIES[name], **{**asked, **options})
    return project


class Plays:
    """A database of plays: `user` writes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.random = random.Random(5)
        self.user: Session = open_session(url)
        self.write(*SCHEMA)

    def write(self, *statements: str) -> None:
        """Statements of the user's, in one transaction."""
        with self.user.transaction():
            for statement in statements:
                self.user.script(statement)

    def change(self) -> str:
        """A random statement of the user's."""
        return change(self.random)

    def keep(self, project: Project | None) -> Tidemark:
        """Tidemark over this database."""
        return Tidemark(project, self.url)

    def wrong(self, *names: str) -> list[str]:
        """The names of those that do not show what is true."""
        return [
            one for one in names or tuple(QUERIES) if self._rows(f"SELECT * FROM {one}") != self._rows(QUERIES[one])
        ]

    def _rows(self, query: str) -> list[str]:
        return sorted(map(repr, self.user.all(query)))


def change(chance: random.Random) -> str:
    """A random statement about few plays, users and tracks."""
    play, user = chance.randint(1, 40), chance.choice(["NULL", "1", "2", "3", "9"])
    track = chance.choice(["NULL", "''", "'x'", "'X'", "'1'", "'y'"])
    seconds = chance.choice(["NULL", "0", "1", "1.50"])
    row = f"({play}, {user}, {track}, {seconds}, {chance.randint(0, 1)})"
    return chance.choice(
        [
            f"INSERT INTO plays VALUES {row} ON CONFLICT (id) DO UPDATE SET track = excluded.track, user_id = excluded.user_id",
            f"INSERT INTO plays VALUES {row} ON CONFLICT (id) DO NOTHING",
            f"DELETE FROM plays WHERE id = {play}",
            f"DELETE FROM plays WHERE user_id = {user}",
            f"UPDATE plays SET track = {track}, seconds = {seconds} WHERE id % 5 = {play % 5}",
            f"UPDATE plays SET user_id = {user} WHERE id % 7 = {play % 7}",
            f"UPDATE plays SET hidden = 1 - hidden WHERE id % 3 = {play % 3}",
            f"DELETE FROM users WHERE id = {play % 4}",
            f"INSERT INTO users VALUES ({play % 4}, 'n{play}') ON CONFLICT (id) DO UPDATE SET name = excluded.name",
        ]
    )
