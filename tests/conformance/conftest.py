"""Sessions for the conformance tests: opened on either engine, closed at the end of the test."""

from collections.abc import Callable, Iterator

import pytest

from tidemark.database.open import open_session
from tidemark.database.session import Session

Opener = Callable[..., Session]

HOSTILE = (
    "plain",
    "with space",
    'double " quote',
    "single ' quote",
    "percent %s %d %",
    "colon :name ::text",
    "semi;colon",
    "-- dashes",
    "/* comment */",
    "select",
    "Grüße 潮 🌊",
    "UPPER lower",
    "back\\slash",
    "dollar $1 $$",
    "a.b",
    "[bracket]",
    "`tick`",
)


@pytest.fixture
def opener() -> Iterator[Opener]:
    """`open_session` that closes what it opened."""
    opened: list[Session] = []

    def open_one(url: str, **options: object) -> Session:
        session = open_session(url, **options)  # type: ignore[arg-type]
        opened.append(session)
        return session

    yield open_one
    for session in opened:
        session.close()


@pytest.fixture
def session(engine_url: str, opener: Opener) -> Session:
    """A worker's session on an empty database, on each engine in turn."""
    return opener(engine_url)


@pytest.fixture
def other(engine_url: str, opener: Opener) -> Session:
    """Another client of the same database, which waits a twentieth of a second for locks."""
    return opener(engine_url, lock_timeout=0.05)


@pytest.fixture
def sqlite_session(sqlite_path: object, opener: Opener) -> Session:
    return opener(f"sqlite:///{sqlite_path}")


@pytest.fixture
def pg_session(pg_database: str, opener: Opener) -> Session:
    return opener(pg_database)


def execute(session: Session, *statements: str) -> None:
    """Run statements in one transaction."""
    with session.transaction():
        for statement in statements:
            session.script(statement)
