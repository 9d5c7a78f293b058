"""The SQL that declarations become is what it was when somebody last read it."""

import sqlite3

import pytest

from tests.golden.texts import CASES, FOLDER, Case, explained, explanation_of, file_of, rendered, script_of
from tests.unit.query.catalogs import BOTH
from tidemark.dialect import SQLITE, Dialect

EACH = pytest.mark.parametrize("dialect", BOTH, ids=lambda dialect: dialect.name)
EVERY = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@EACH
@EVERY
def test_the_text_is_the_one_that_was_read(case: Case, dialect: Dialect) -> None:
    known = file_of(case, dialect).read_text(encoding="utf-8")
    assert rendered(case, dialect) == known, "read the difference, then run: python -m tests.golden --write"


@EACH
@EVERY
def test_the_explanation_is_the_one_that_was_read(case: Case, dialect: Dialect) -> None:
    known = explanation_of(case, dialect).read_text(encoding="utf-8")
    assert explained(case, dialect) == known, "read the difference, then run: python -m tests.golden --write"


@EACH
@EVERY
def test_compiling_twice_gives_the_same_text(case: Case, dialect: Dialect) -> None:
    one, two = script_of(case, dialect), script_of(case, dialect)
    assert one == two and one.fingerprint == two.fingerprint


def test_no_file_is_without_a_case() -> None:
    assert set(FOLDER.glob("*/*.txt")) == {explanation_of(case, dialect) for dialect in BOTH for case in CASES}
    assert set(FOLDER.glob("*/*.sql")) == {file_of(case, dialect) for dialect in BOTH for case in CASES}


@EVERY
def test_sqlite_accepts_every_piece(case: Case) -> None:
    with sqlite3.connect(":memory:") as connection:
        connection.executescript(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT NOT NULL UNIQUE);"
            "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER, slug TEXT UNIQUE, state TEXT NOT NULL, "
            "score INTEGER, live INTEGER NOT NULL, author2 INTEGER NOT NULL);"
            "CREATE UNIQUE INDEX u_author2 ON posts (author2) WHERE live = 1;"
            "CREATE TABLE profiles (user_id INTEGER PRIMARY KEY, bio TEXT);"
        )
        for piece in script_of(case, SQLITE).pieces:
            connection.execute(piece.create)
        connection.execute("INSERT INTO users VALUES (1, 'a', 'b')")
        connection.execute("INSERT INTO posts VALUES (1, 1, 's', 'x', 5, 1, 9)")
        assert connection.execute(f'SELECT * FROM "{case.name}"').description is not None
    connection.close()
