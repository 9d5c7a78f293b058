"""The phrases of PostgreSQL.

Owns: the texts that `render/phrases.py` describes, and `PLANNING`. Promises: what is set lasts no longer than the transaction.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.dialect import POSTGRESQL

# A page read in order costs much more than one reached by an index, but sequential scans are not forbidden: where one cannot be
# avoided, the fortune that a forbidden one costs (before PostgreSQL 18) makes plans of any price look alike.
PLANNING = (("seq_page_cost", "100"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off"))
FILE_BYTES_MAX = 1024**2
"""Above this, emptying a table as a whole is quicker than leaving its dead rows to be read again."""
PAGE_COST = 1.1
"""What a page costs that is looked up near others, beside one that is read in order."""


def clear(table: str, *others: str) -> str:
    """Rows that are deleted leave their places behind, and nobody vacuums what is temporary: so a file that has grown goes as a
    whole."""
    size = f"pg_catalog.pg_relation_size({POSTGRESQL.literal(table)}) > {FILE_BYTES_MAX}"
    every = ", ".join((table, *others))
    return _block(f"IF {size} THEN TRUNCATE {every}; ELSE DELETE FROM {table}; END IF;")


def clear_list(table: str) -> str:
    """An identity would go on where the list before ended."""
    return f"TRUNCATE {table} RESTART IDENTITY"


def clear_chunk(batch: str) -> str:
    """The file goes with its rows, for the planner goes by the size of that. Else each chunk would read the whole table."""
    price = f"least(pg_catalog.current_setting('random_page_cost')::float8, {PAGE_COST})::text"
    return _block(f"PERFORM pg_catalog.set_config('random_page_cost', {price}, true); TRUNCATE {batch};")


def _block(statements: str) -> str:
    return f"DO {POSTGRESQL.literal(f'BEGIN {statements} END')}"


def steer() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The planner would else join wholes with each other."""
    on = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in PLANNING)
    free = ", ".join(f"pg_catalog.set_config('{name}', NULL, true)" for name, _ in PLANNING)
    return (f"SELECT {on}",), (f"SELECT {free}",)


def weigh(*tables: str) -> tuple[str, ...]:
    """The planner would guess thousands of keys, and read the whole source for them."""
    return tuple(f"ANALYZE {table}" for table in tables)


def few(table: str) -> str:
    """How many rows there are is seen by the size of the file."""
    return table


def seldom(condition: str) -> str:
    """The planner knows by itself."""
    return condition


def index(name: str, bare: str, table: str, terms: str) -> str:
    """An index is where its table is."""
    return f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({terms})"


def spelled_alike(one: str, other: str, type_: str = "", *, is_typed: bool = False) -> str:
    """Rows are compared as they are stored."""
    left, right = (f"({value})::{type_}" if type_ else value for value in (one, other))
    return f"ROW({left})::record OPERATOR(pg_catalog.*=) ROW({right})::record"


def spellings(column: str, place: int, *, is_collated: bool) -> list[str]:
    """What a value is written as, letter by letter."""
    return [f'ROW({column})::pg_catalog.text COLLATE pg_catalog."C" AS tidemark_s{place}']


def identity(columns: list[str]) -> str:
    """A row as it is written."""
    return f"ROW({', '.join(columns)})::text"


def numbered(table: str, ordinal: str, columns: str, rows: str, order: str) -> str:
    """An identity would go on where it ended, and be asked for each row."""
    place = f"row_number() OVER (ORDER BY {order})"
    return f"INSERT INTO {table} ({ordinal}, {columns}) SELECT {place}, {columns} FROM {rows} AS z"


def glance(query: str, name: str, use: Callable[[str], str]) -> tuple[str, ...]:
    """Several processes take part in creating a table from a query, and never in inserting into one that is there."""
    forget = f"DROP TABLE IF EXISTS {name}"
    return forget, f"CREATE TEMP TABLE {name} AS {query}", use(name), forget


def elements(document: str) -> str:
    """A text is made a document first."""
    return f"json_array_elements(CAST({document} AS json)) AS j(value)"


def only_where(some: str) -> str:
    """A condition without columns is asked once, before anything is read."""
    return ""


def clock(given: str) -> str:
    """Moments with a time zone."""
    return f"coalesce(CAST({given} AS timestamptz), pg_catalog.now())"


def seconds_between(one: str, other: str) -> str:
    """Seconds since an epoch, with their fractions."""
    return f"abs(extract(epoch FROM {one}) - extract(epoch FROM {other}))"
