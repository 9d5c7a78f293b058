"""A small forum with derived tables of both freshnesses, and an application over it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.kit.asgi import Answer, get
from tests.web.schema import check
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.web import application
from tidemark.web.house import House

POSTS = "CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, author INTEGER NOT NULL)"
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)"
ODD = 'a "b"/<script>é=&?#%41'
COUNT = "SELECT thread_id, count(*) AS posts FROM posts GROUP BY thread_id"
AUTHORS = "SELECT p.id, u.name FROM posts p JOIN users u ON u.id = p.author"
SIZES = "SELECT posts, count(*) AS threads FROM thread_posts GROUP BY posts"


@dataclass
class Forum:
    """A database, what is declared over it, and the application that looks at it."""

    url: str
    session: Session
    project: Project
    app: Any

    @property
    def tidemark(self) -> Tidemark:
        """The engine."""
        return Tidemark(self.project, self.url)

    def write(self, sql: str, **values: Any) -> None:
        """Somebody writes."""
        with self.session.transaction():
            self.session.run(sql, values)

    def ledger(self, table: str) -> str:
        """The quoted name of a table of the ledger."""
        return f"tidemark._{table}" if self.session.dialect.has_schemas else f"tidemark__{table}"

    def store(self, name: str) -> str:
        """The quoted name of a derived table's store."""
        quoted = name.replace('"', '""')
        return f'tidemark."{quoted}"' if self.session.dialect.has_schemas else f'"tidemark_{quoted}"'

    def fresh(self) -> None:
        """Let the next answer be read anew, on a new connection."""
        self.app.state.house.forget()
        self.app.state.house._quick.close()

    def get(self, path: str, shape: str = "", status: int = 200) -> Any:
        """The JSON of an answer, which is as the schema says."""
        self.fresh()
        answer: Answer = get(self.app, path)
        assert answer.status == status, answer.text
        check(shape or path.strip("/"), answer.json)
        return answer.json


def begin(url: str, *, declared: bool = True) -> Forum:
    """An empty forum; nothing is installed yet."""
    session, project = open_session(url), Project("forum")
    with session.transaction():
        for statement in (POSTS, USERS, "CREATE INDEX posts_thread ON posts (thread_id)"):
            session.script(statement)
        session.script("CREATE INDEX posts_author ON posts (author)")
    if declared:
        project.derive("thread_posts", key="thread_id", query=COUNT)
        project.derive("post_authors", key="id", query=AUTHORS, freshness="tick")
        project.derive("thread_sizes", key="posts", query=SIZES)
    return Forum(url, session, project, application(Tidemark(project, url)))


@pytest.fixture
def empty_forum(engine_url: str) -> Iterator[Forum]:
    """A forum in which nothing is installed."""
    forum = begin(engine_url)
    yield forum
    forum.app.state.house.close()
    forum.session.close()


@pytest.fixture
def forum(empty_forum: Forum) -> Forum:
    """A forum with everything live, of the test's own."""
    return fill(empty_forum)


def fill(forum: Forum) -> Forum:
    """Somebody posts, and everything is brought to life."""
    forum.write("INSERT INTO users (id, name) VALUES (1, 'ada'), (2, 'bob')")
    forum.write("INSERT INTO posts (id, thread_id, author) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1)")
    forum.tidemark.apply()
    return forum


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kept_forum(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forum]:
    """A forum for all tests of a session."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            path = tmp_path_factory.mktemp("forum") / "forum.db"
            open_session(f"sqlite:///{path}", create=True).close()
            url = f"sqlite:///{path}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres").fresh_database())
        forum = fill(begin(url))
        yield forum
        forum.app.state.house.close()
        forum.session.close()


@pytest.fixture
def well_forum(kept_forum: Forum) -> Iterator[Forum]:
    """A forum with everything live and nothing that waits, which a test leaves as well as it found it."""
    yield kept_forum
    kept_forum.tidemark.tick()
    assert kept_forum.get("/healthz")["status"] == "pass", "the next test wants it well"


@pytest.fixture(autouse=True)
def closed_houses() -> Iterator[None]:
    """What an application of one test has opened is closed with it."""
    made: list[House] = []
    begun = House.__init__

    def begin_noted(house: House, *known: Any, **more: Any) -> None:
        begun(house, *known, **more)
        made.append(house)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(House, "__init__", begin_noted)
        yield
    for house in made:
        house.close()


@pytest.fixture(autouse=True)
def recall_scripts(recalled_scripts: None) -> None:
    """Nothing here changes what compiles, and most of it declares the same."""
