"""What is written of a tree means what the user wrote: random expressions without parentheses, as written and as rendered.

What the reader would take otherwise than the engine is refused, and said so.
"""

import itertools
import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlglot.errors import ParseError

from tests.findings.place import connect
from tests.kit.size import FULL
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Code, Refusal
from tidemark.query.parse import parse_statements, parse_tree, render

TRIES = 4000 if FULL else 800
SEED = 20261129

LOGIC = ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM", "AND", "OR")
PARTS = {
    "sqlite": (
        ("a", "b", "c", "1", "0", "NULL", "2"),
        (*LOGIC, "+", "-", "*", "/", "%", "||", "IS", "IS NOT", "&", "|", "<<", ">>", "LIKE", "NOT LIKE", "GLOB", "NOT GLOB",
         "=="),
        ("IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL", "NOT NULL", "IN (1, 2)", "NOT IN (1, 2)", "BETWEEN 1 AND 2",
         "NOT BETWEEN 0 AND 1", "IS TRUE", "IS NOT FALSE", "COLLATE NOCASE"),
        ("-", "NOT ", "~", "+"),
    ),
    "postgres": (
        ("a", "b", "c", "true", "false", "NULL"),
        LOGIC,
        ("IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL", "IN (true, false)", "NOT IN (true)", "BETWEEN false AND true",
         "NOT BETWEEN true AND true", "IS TRUE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT UNKNOWN", "::boolean",
         "IS TRUE::boolean", "IS NOT FALSE::boolean::text::boolean"),
        ("NOT ",),
    ),
}  # fmt: skip
VALUES = {
    "sqlite": ("a INTEGER, b TEXT, c REAL", ((None, 0, 1, 2), (None, "1", "a", "A"), (None, 0.0, 1.5)), "?"),
    "postgres": ("a boolean, b boolean, c boolean", ((None, True, False),) * 3, "%s"),
}


def _dialect(engine_url: str) -> Dialect:
    return POSTGRESQL if engine_url.startswith("postgres") else SQLITE


def _expression(rng: random.Random, engine: str) -> str:
    """A value, two operators or three, and what may stand before them."""
    values, between, behind, before = PARTS[engine]
    text = rng.choice(values)
    for _ in range(rng.choice((2, 2, 3))):
        if rng.random() < 0.6:
            text = (
                f"{text} {rng.choice(between)} {rng.choice(before) if rng.random() < 0.25 else ''}{rng.choice(values)}"
            )
        else:
            text = f"{text} {rng.choice(behind)}"
    return f"{rng.choice(before)}{text}" if rng.random() < 0.1 else text


def _answer(run: Callable[[str], Any], query: str) -> list[Any] | None:
    try:
        return [tuple(row) for row in run(query).fetchall()]
    except Exception:  # noqa: BLE001
        return None


def test_expressions_mean_what_was_written(engine_url: str) -> None:
    dialect = _dialect(engine_url)
    columns, domains, mark = VALUES[dialect.name]
    client = connect(engine_url)
    client.execute(f"CREATE TABLE t ({columns})")
    for row in itertools.product(*domains):
        client.execute(f"INSERT INTO t VALUES ({mark}, {mark}, {mark})", row)
    rng, same = random.Random(SEED), 0
    for _ in range(TRIES):
        query = f"SELECT {_expression(rng, dialect.name)} AS x FROM t"
        expected = _answer(client.execute, query)
        try:
            written = render(parse_tree(query, dialect), dialect)
        except Refusal:
            continue
        if expected is not None:
            assert _answer(client.execute, written) == expected, (query, written)
            same += 1
    assert same > TRIES // 2
    client.close()


KEYS = ("'a.b'", "'og:title'", "''", "'x[0]'", "'$.a.b'", "'a'", "'*'", "'it''s'", "0")


@pytest.mark.parametrize("arrow", ["->", "->>"])
def test_keys_of_documents_are_as_written(engine_url: str, arrow: str) -> None:
    dialect = _dialect(engine_url)
    client = connect(engine_url)
    client.execute(f"CREATE TABLE t (a {'jsonb' if dialect.has_schemas else 'TEXT'})")
    for document in ('{"a.b": 1, "og:title": "t", "": 2, "x[0]": 3, "*": 4, "it\'s": 5, "a": {"b": 6}}', "[7]"):
        client.execute(f"INSERT INTO t VALUES ({'%s' if dialect.has_schemas else '?'})", (document,))
    for key in KEYS:
        query = f"SELECT a {arrow} {key} AS x FROM t"
        expected = _answer(client.execute, query)
        # SQLite has no key without a letter.
        assert expected is not None or key == "''"
        assert _answer(client.execute, render(parse_tree(query, dialect), dialect)) == expected, key
        # As the one argument of a call, too.
        query = f"SELECT count(a {arrow} {key}) AS x FROM t"
        assert _answer(client.execute, render(parse_tree(query, dialect), dialect)) == _answer(client.execute, query), (
            key
        )
    client.close()


@pytest.mark.parametrize(
    ("dialect", "expression", "instead"),
    [
        (POSTGRESQL, "|/ a", "sqrt"),
        (POSTGRESQL, "||/ a", "cbrt"),
        (POSTGRESQL, "@ a", "abs"),
        (POSTGRESQL, "a <=> b", "function"),
        (POSTGRESQL, "interval(3) '1 day'", "interval '…'"),
        (SQLITE, "a <> b LIKE c", "parentheses"),
        (SQLITE, "a < b NOT BETWEEN 0 AND 1", "parentheses"),
        (SQLITE, "a < b NOT BETWEEN 0 AND 1 IS TRUE", "parentheses"),
        (SQLITE, "NOT a NOT IN (0, b) % c", "parentheses"),
    ],
)
def test_what_would_be_misread_is_refused(dialect: Dialect, expression: str, instead: str) -> None:
    with pytest.raises(Refusal) as met:
        parse_tree(f"SELECT {expression} AS x FROM t", dialect)
    assert met.value.code is Code.PARSE
    assert instead in str(met.value.instead)


def test_groupings_hold_comparisons() -> None:
    for groups in ("ROLLUP (a = 1, b)", "CUBE ((a, b), c IS NULL)", "GROUPING SETS (a IN (1, 2), (b, c > 1), ())"):
        (tree,) = parse_statements(f"SELECT 1 FROM t GROUP BY {groups}", POSTGRESQL)
        (again,) = parse_statements(render(tree, POSTGRESQL), POSTGRESQL)
        assert render(tree, POSTGRESQL) == render(again, POSTGRESQL)
    with pytest.raises(ParseError):
        parse_statements("SELECT 1 FROM t GROUP BY ROLLUP (a = )", POSTGRESQL)


def test_a_negated_search_is_one(pg_database: str) -> None:
    with psycopg.connect(pg_database) as client:
        query = "SELECT to_tsvector('simple', 'a b') @@ (to_tsquery('simple', 'a') && !! to_tsquery('simple', x)) FROM " \
            "(SELECT 'b' AS x UNION ALL SELECT 'c') t"  # fmt: skip
        assert _answer(client.execute, render(parse_tree(query, POSTGRESQL), POSTGRESQL)) == [(False,), (True,)]
