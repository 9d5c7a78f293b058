"""A forum with derived tables over derived tables, and what is true of them.

Owns: `Forum`, the declarations of the chain, and the oracle. The oracle evaluates every query over the base tables alone: what a
query reads of other derived tables stands before it as common table expressions.
"""

import random
from collections.abc import Sequence
from typing import Any

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session

SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text NOT NULL, vip integer NOT NULL)",
    "CREATE TABLE threads (id integer PRIMARY KEY, author_id integer NOT NULL)",
    "CREATE INDEX threads_author ON threads (author_id)",
    "CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer, score integer NOT NULL, hidden integer NOT NULL DEFAULT 0)",
    "CREATE INDEX posts_thread ON posts (thread_id)",
)
SUMMED = "SELECT thread_id, count(*) AS posts, sum(score) AS score FROM posts WHERE hidden = 0 GROUP BY thread_id"
# Level by level: the first reads the posts, each of the others at least one of those before it.
QUERIES = {
    "thread_stats": SUMMED,
    "author_stats": "SELECT t.author_id, sum(s.posts) AS posts, max(s.score) AS best, count(*) AS threads "
    "FROM threads t JOIN thread_stats s ON s.thread_id = t.id GROUP BY t.author_id",
    "vip_board": "SELECT u.id, u.name, a.posts, a.best FROM users u JOIN author_stats a ON a.author_id = u.id WHERE u.vip = 1",
    "board_sizes": "SELECT posts, count(*) AS authors FROM vip_board GROUP BY posts",
    # Two ways from the posts to here, of different lengths.
    "shares": "SELECT s.thread_id, s.posts, a.posts AS of_author FROM thread_stats s JOIN threads t ON t.id = s.thread_id "
    "JOIN author_stats a ON a.author_id = t.author_id",
}
KEYS = {"vip_board": "id", "shares": "thread_id"}


def forum(names: Sequence[str] = tuple(QUERIES), **queries: str) -> Project:
    """A project with these declarations, some of them with another query; declared last to first."""
    project = Project("forum")
    for name in reversed(names):
        project.derive(name, key=KEYS.get(name), query=queries.get(name, QUERIES[name]))
    return project


class Chances:
    """Random statements of users, from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def post(self, number: int) -> str:
        """A statement that adds a post."""
        chance = self.random
        thread = chance.choice(["NULL", *map(str, range(1, 13))])
        return f"INSERT INTO posts VALUES ({number}, {thread}, {chance.randint(-3, 9)}, {chance.randint(0, 1)})"

    def change(self) -> str:
        """A random statement of the user's."""
        chance = self.random
        post, thread, user = chance.randint(1, 80), chance.randint(1, 14), chance.randint(1, 7)
        return chance.choice(
            [
                f"{self.post(post)} ON CONFLICT (id) DO UPDATE SET score = excluded.score, thread_id = excluded.thread_id",
                f"DELETE FROM posts WHERE id = {post}",
                f"DELETE FROM posts WHERE thread_id = {thread}",
                f"UPDATE posts SET hidden = 1 - hidden WHERE id = {post}",
                f"UPDATE posts SET thread_id = {thread} WHERE id % 7 = {post % 7}",
                f"UPDATE posts SET score = score + {chance.randint(-2, 2)} WHERE thread_id = {thread}",
                f"DELETE FROM threads WHERE id = {thread}",
                f"INSERT INTO threads VALUES ({thread}, {user}) ON CONFLICT (id) DO UPDATE SET author_id = excluded.author_id",
                f"UPDATE users SET vip = 1 - vip WHERE id = {user}",
                f"DELETE FROM users WHERE id = {user}",
                f"INSERT INTO users VALUES ({user}, 'n{post}', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name",
            ]
        )


class Forum:
    """A database of the forum: `user` writes, `tidemark` keeps."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.user: Session = open_session(url)
        self.chances = Chances(1)
        self.write(*SCHEMA)

    def write(self, *statements: str) -> None:
        """The user's statements, in one transaction."""
        with self.user.transaction():
            for statement in statements:
                self.user.script(statement)

    def fill(self, threads: int = 12, posts: int = 60) -> None:
        """Some users, threads and posts."""
        chance = self.chances.random
        self.write(
            *(f"INSERT INTO users VALUES ({n}, 'u{n}', {chance.randint(0, 1)})" for n in range(1, 7)),
            *(f"INSERT INTO threads VALUES ({n}, {chance.randint(1, 6)})" for n in range(1, threads + 1)),
            *(self.chances.post(n) for n in range(1, posts + 1)),
        )

    def keep(self, project: Project | None) -> Tidemark:
        """Tidemark over this database."""
        return Tidemark(project, self.url)

    def shown(self, name: str) -> list[tuple[Any, ...]]:
        """What readers see."""
        return _sorted(self.user.all(f"SELECT * FROM {name}"))

    def truth(self, name: str, queries: dict[str, str] | None = None) -> list[tuple[Any, ...]]:
        """What is true of the base tables."""
        found = QUERIES | (queries or {})
        given = ", ".join(f"{one} AS ({text})" for one, text in found.items() if one != name)
        return _sorted(self.user.all(f"WITH {given} SELECT * FROM ({found[name]}) AS q"))

    def wrong(self, names: Sequence[str] = tuple(QUERIES), queries: dict[str, str] | None = None) -> list[str]:
        """The names of those that do not show what is true."""
        return [name for name in names if self.shown(name) != self.truth(name, queries)]

    def close(self) -> None:
        """Close the user's session."""
        self.user.close()


def _sorted(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted((tuple(_plain(value) for value in row) for row in rows), key=repr)


def _plain(value: Any) -> Any:
    return int(value) if value is not None and not isinstance(value, str) and value == int(value) else value
