"""The phrases of SQLite.

Owns: the texts that `render/phrases.py` describes. Promises: they hold on every version from 3.40 on.
"""

from __future__ import annotations

from collections.abc import Callable


def clear(table: str, *others: str) -> str:
    """Rows that are deleted leave nothing behind."""
    return f"DELETE FROM {table}"


def clear_list(table: str) -> str:
    """An empty table is numbered from one."""
    return f"DELETE FROM {table}"


def clear_chunk(batch: str) -> str:
    """The planner has nothing to be told."""
    return f"DELETE FROM {batch}"


def steer() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The planner joins by look-ups alone."""
    return (), ()


def weigh(*tables: str) -> tuple[str, ...]:
    """The planner asks for no sizes."""
    return ()


def few(table: str) -> str:
    """SQLite takes a temporary table for a million rows, for which it would rather read all of what they are joined with. A
    column of the user's may be called like the number of a row, and be NULL."""
    return f"(SELECT * FROM {table} WHERE {seldom('rowid IS rowid')})"


def seldom(condition: str) -> str:
    """A row or so is expected: for more rows than a table has, once ANALYZE has counted these, SQLite 3.40 looks into a Bloom
    filter first, which it fills wrongly from an index over expressions (`tests/findings/test_counted_tables.py`)."""
    return f"likelihood({condition}, 0.000001)"


def index(name: str, bare: str, table: str, terms: str) -> str:
    """SQLite is told where the index is, and looks for the table there."""
    return f"CREATE INDEX IF NOT EXISTS temp.{name} ON {bare} ({terms})"


def spelled_alike(one: str, other: str, type_: str = "", *, is_typed: bool = False) -> str:
    """1 and 1.0 are equal, and so are texts that a collation takes for one."""
    alike = f"{one} IS {other} COLLATE BINARY"
    return alike if is_typed else f"{alike} AND typeof({one}) = typeof({other})"


def spellings(column: str, place: int, *, is_collated: bool) -> list[str]:
    """The type of a value, and its own letters."""
    return [f"typeof({column})", *([f"{column} COLLATE BINARY"] if is_collated else [])]


def identity(columns: list[str]) -> str:
    """What quote() writes of a text ends at its first NUL."""
    texts = (f"CASE typeof({column}) WHEN 'text' THEN hex({column}) ELSE quote({column}) END" for column in columns)
    return (
        " || ',' || ".join(f"typeof({column}) || {text}" for column, text in zip(columns, texts, strict=True)) or "''"
    )


def numbered(table: str, ordinal: str, columns: str, rows: str, order: str) -> str:
    """SQLite numbers rows by itself, as they come."""
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {rows} AS z ORDER BY {order}"


def glance(query: str, name: str, use: Callable[[str], str]) -> tuple[str, ...]:
    """There is nothing to gain from a table between."""
    return (use(f"({query})"),)


def elements(document: str) -> str:
    """A column of json_each is called value."""
    return f"json_each({document}) AS j"


def only_where(some: str) -> str:
    """A subquery in a condition is asked in the loop over what is read, so that all of that would be read to its end."""
    return f" LIMIT (SELECT CASE WHEN {some} THEN -1 ELSE 0 END)"


def clock(given: str) -> str:
    """Texts in UTC, down to the millisecond."""
    return f"coalesce({given}, strftime('%Y-%m-%d %H:%M:%f', 'now'))"


def seconds_between(one: str, other: str) -> str:
    """Days in floating point: milliseconds are what the texts have."""
    return f"round(abs(julianday({one}) - julianday({other})) * 86400.0, 3)"
