"""Asking SQLite what it makes of a query, without running it.

Owns: `Direct`, `describe_query`, `given_tables` and `reaches_index`. Promises: only temporary objects are made, and they are gone
afterwards.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from tidemark.database.sqlite.text import first_word, known_collation, read_types, tokens
from tidemark.dialect import SQLITE
from tidemark.errors import Code, Refusal
from tidemark.model import OutputColumn, Table

_PROBE = "tidemark__probe"
_OPENING = f"CREATE TEMP TABLE {_PROBE} AS SELECT * FROM (\n"
# A collation that nobody else has marks the key that is ours among all those of a plan.
_MARK = "tidemark_mark"
_KEYS = re.compile(rf"k\((\d+),(.*),-?{_MARK}\)$")
_SCANS = frozenset({"Rewind", "Last"})
_STEPS = frozenset({"Next", "Prev"})
_OPENS = frozenset({"OpenRead", "OpenWrite", "ReopenIdx"})


class Runner(Protocol):
    """A connection; a `sqlite3.Error` passes through."""

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a statement."""
        ...


class Direct:
    """The connection for the modules that read the schema: errors of the driver pass through."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a statement."""
        return self._connection.execute(sql, {} if parameters is None else parameters).fetchall()


class _Unbound(dict[str, Any]):
    """Parameters of a statement that is only explained."""

    def __missing__(self, name: str) -> None:
        return None


def make_mark(connection: sqlite3.Connection) -> None:
    """Teach the connection the collation that `describe_query` looks for."""
    connection.create_collation(_MARK, lambda left, right: (left > right) - (left < right))


@contextmanager
def given_tables(runner: Runner, given: Sequence[Table]) -> Iterator[None]:
    """Inside, the given tables and views are there: temporary ones stand before the database's own."""
    if not given:
        yield
        return
    runner.all("SAVEPOINT tidemark_given")
    try:
        for table in given:
            name = f"temp.{SQLITE.quote(table.name)}"
            if table.definition is not None:
                runner.all(f"CREATE TEMP VIEW {SQLITE.quote(table.name)} AS {table.definition}")
                continue
            columns = [
                f"{SQLITE.quote(column.name)} {column.type}"
                + (f" COLLATE {SQLITE.quote(column.collation)}" if column.collation else "")
                for column in table.columns
            ]
            runner.all(f"CREATE TABLE {name} ({', '.join(columns)})")
        yield
    finally:
        runner.all("ROLLBACK TO tidemark_given")
        runner.all("RELEASE tidemark_given")


def describe_query(runner: Runner, query: str) -> tuple[OutputColumn, ...]:
    """Names, affinities and collations of the query's columns."""
    inner = check_single(query)
    columns = explain_columns(runner, inner)
    if columns is None:
        columns = store_columns(runner, inner)
    names = {name for name, _ in columns}
    for name, _ in columns:
        first, colon, number = name.rpartition(":")
        if colon and number.isdigit() and first in names:
            raise Refusal(
                Code.DECLARATION,
                f"Two columns of the query are called {first!r}.",
                instead="give each column a name of its own with AS",
            )
    collations = _read_collations(runner, inner, len(columns))
    return tuple(
        OutputColumn(name, kind, collation) for (name, kind), collation in zip(columns, collations, strict=True)
    )


def explain_columns(runner: Runner, inner: str) -> list[tuple[str, str]] | None:
    """Name and affinity of each column, from the table that SQLite would make of the query; None when its plan tells not.

    The program that makes the table holds the table's text, so nothing of the query runs: even a query that is stopped before
    its first row fills the subqueries that it joins.
    """
    for row in runner.all(f"EXPLAIN {_OPENING}{inner}\n)"):
        if str(row[5]).startswith(f"CREATE TABLE {_PROBE}("):
            return read_types(str(row[5]))
    return None


def store_columns(runner: Runner, inner: str) -> list[tuple[str, str]]:
    """The same from a temporary table that is really made, and empty."""
    runner.all(f"DROP TABLE IF EXISTS temp.{_PROBE}")
    try:
        runner.all(f"{_OPENING}{inner}\n) LIMIT 0")
        return [(name, kind) for _, name, kind, *_ in runner.all(f"PRAGMA temp.table_info({_PROBE})")]
    finally:
        runner.all(f"DROP TABLE IF EXISTS temp.{_PROBE}")


def check_single(query: str) -> str:
    """The query without its last semicolon. Raises `Refusal` when it is no query, or more than one statement."""
    found = list(tokens(query))
    while found and found[-1].says(";"):
        found.pop()
    if not found or first_word(query) not in ("SELECT", "WITH", "VALUES"):
        raise Refusal(Code.NOT_A_QUERY, "The text is not a query.", instead="write one SELECT statement")
    if any(token.says(";") for token in found):
        raise Refusal(Code.PARSE, "The text holds more than one statement.", instead="write one SELECT statement")
    return query[: found[-1].end]


def _read_collations(runner: Runner, inner: str, width: int) -> list[str | None]:
    """The collation of each column: the key by which SQLite would compare rows of a UNION."""
    half = f"SELECT *, 'x' COLLATE {_MARK} FROM (\n{inner}\n)"
    for row in runner.all(f"EXPLAIN {half} UNION {half}"):
        match = _KEYS.search(str(row[5]))
        if match is not None and int(match[1]) == width + 1:
            # "B" is how a plan abbreviates BINARY; a minus sign tells of descending order.
            return [None if name in ("B", "-B") else known_collation(name.lstrip("-")) for name in match[2].split(",")]
    return [None] * width


def reaches_index(runner: Runner, sql: str, table: str) -> bool:
    """True when no loop of the statement's plan walks all of `table` or of one of its indexes."""
    pages = {
        page
        for (page,) in runner.all(
            "SELECT rootpage FROM main.sqlite_schema WHERE lower(tbl_name) = lower(:name) AND type IN ('table', 'index')",
            {"name": table},
        )
    }
    program = runner.all(f"EXPLAIN {sql}", _Unbound())
    ours: set[int] = set()
    entered: dict[int, list[int]] = {}
    for address, operation, p1, p2, p3, *_ in program:
        if operation in _OPENS and p3 == 0:
            (ours.add if p2 in pages else ours.discard)(p1)
        elif p1 not in ours:
            continue
        elif operation == "Count":
            return False
        elif operation in _SCANS:
            entered.setdefault(p1, []).append(address)
        elif operation not in _STEPS or not any(start < p2 <= address for start in entered.get(p1, [])):
            continue
        elif _is_reached(program, p2, address):
            return False
    return True


def _is_reached(program: list[tuple[Any, ...]], top: int, step: int) -> bool:
    """False when the loop from `top` to `step` is left before its step: MIN and MAX read one row that way."""
    body = program[top:step]
    return body[-1][1] != "Goto" or any(operation != "Goto" and p2 == step for _, operation, _, p2, *_ in body)
