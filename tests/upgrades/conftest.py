"""The shop as an older version installed it, on each engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.postgres import Server
from tests.kit.size import in_turn
from tests.upgrades.shop import SHAPES, thaw_postgres, thaw_sqlite

_INSTALLED = [
    (shape, engine)
    for number, shape in enumerate(SHAPES)
    for place, engine in enumerate(("sqlite", "postgres"))
    if in_turn(number + place, 2)
]


@pytest.fixture(params=_INSTALLED, ids="-".join)
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database that an older version installed."""
    shape, engine = request.param
    if engine == "sqlite":
        return thaw_sqlite(shape, tmp_path / "shop.db")
    server: Server = request.getfixturevalue("postgres")
    return thaw_postgres(shape, server, request.getfixturevalue("pg_database"))


@pytest.fixture
def new_url(request: pytest.FixtureRequest, old_url: str, sqlite_path: Path) -> Iterator[str]:
    """The address of an empty database on the same engine."""
    if old_url.startswith("sqlite"):
        yield f"sqlite:///{sqlite_path}"
        return
    server: Server = request.getfixturevalue("postgres")
    with server.fresh_database() as dsn:
        yield dsn
