"""Databases for the example applications: as many empty ones on one engine as a test asks for."""

import contextlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph.generator import Generator
from examples.soundgraph.stores import Store, open_store
from tests.kit.postgres import Server
from tidemark import workshop
from tidemark.compiler import once
from tidemark.query.cascade import Link

MakeStore = Callable[[], Store]
SEED = 20_250_314
COMPILED: dict[str, once.Compiled] = defaultdict(dict)
"""What was compiled for each engine, kept from test to test."""


@pytest.fixture(autouse=True)
def compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Databases of these tests have the same functions, so that a declaration over the same catalog is compiled once for all of
    them: an example has 60 tables, which takes seconds."""

    def compiler_of(link: Link, catalog: Any, session: once.Asked, known: once.Compiled) -> Callable[..., Any]:
        return once.compiler_of(link, catalog, session, COMPILED[session.dialect.name])

    monkeypatch.setattr(workshop, "compiler_of", compiler_of)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes an empty database of one engine at each call and returns its address."""
    with contextlib.ExitStack() as stack:
        made = 0

        def make() -> str:
            nonlocal made
            made += 1
            if request.param == "sqlite":
                return f"sqlite:///{tmp_path / f'database{made}.db'}"
            server: Server = request.getfixturevalue("postgres")
            return stack.enter_context(server.fresh_database())

        yield make


@pytest.fixture
def new_store(new_database: Callable[[], str]) -> Iterator[MakeStore]:
    """Makes a store over an empty database with the base tables in it."""
    with contextlib.ExitStack() as stack:

        def make() -> Store:
            store = open_store(new_database())
            stack.callback(store.close)
            store.create_schema()
            return store

        yield make


@pytest.fixture
def store(new_store: MakeStore) -> Store:
    """One store over an empty database with the base tables in it."""
    return new_store()


@dataclass(frozen=True)
class Generated:
    """Generated input: the blocks as they arrive, and the answers."""

    lines: list[str]
    answers: dict[str, Any]

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The lines as blocks."""
        return [json.loads(line) for line in self.lines]


def generate() -> Generated:
    """4,000 generated events, with everything that is planted."""
    generator = Generator(4_000, SEED)
    lines = list(generator.lines())
    return Generated(lines, json.loads(json.dumps(generator.answers())))


@pytest.fixture(scope="session")
def generated() -> Generated:
    """What is generated, once for each worker of the tests."""
    return generate()
