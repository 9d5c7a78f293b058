"""Catalogs written by hand: what the pure tower knows of a database, without one.

Owns: `SQLITE_CATALOG`, `POSTGRES_CATALOG` and `describe`. Promises: both hold the same tables; `describe` answers from their
column types, for select lists of columns and simple calls, in place of an engine.
"""

from __future__ import annotations

from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.model import Catalog, Column, Index, OutputColumn, Table, Unique
from tidemark.query.lower import lower_query
from tidemark.query.relation import Block


def unique(*terms: str, primary: bool = False, where: str | None = None, collation: str | None = None) -> Unique:
    """A unique key over columns."""
    name = "_".join(terms)
    return Unique(f"u_{name}", terms, terms, where, primary, collations=(collation,) * len(terms))


def table(schema: str, name: str, columns: str, *uniques: Unique, **facts: object) -> Table:
    """A table; `columns` are ``name:type``, with ``!`` behind those that are NOT NULL and ``~`` before a collation."""
    found = []
    for word in columns.split():
        column, _, rest = word.partition(":")
        type_, _, collation = rest.rstrip("!").partition("~")
        found.append(Column(column, type_, word.endswith("!"), collation=collation or None))
    indexes = tuple(Index(key.name, key.terms, key.where) for key in uniques)
    return Table(schema, name, "table", tuple(found), uniques, indexes, **facts)  # type: ignore[arg-type]


def _tables(schema: str, text: str, binary: str | None) -> dict[tuple[str, str], Table]:
    integer = "INTEGER" if not schema else "integer"
    found = [
        table(
            schema,
            "users",
            f"id:{integer}! name:{text} email:{text}!",
            unique("id", primary=True),
            unique("email", collation=binary),
        ),
        table(
            schema,
            "posts",
            f"id:{integer}! author:{integer} slug:{text} state:{text}! score:{integer} live:{integer}! author2:{integer}!",
            unique("id", primary=True),
            unique("slug", collation=binary),
            unique("author2", where="live = 1"),
        ),
        table(schema, "profiles", f"user_id:{integer}! bio:{text}", unique("user_id", primary=True)),
        table(schema, "plain", f"a:{integer} b:{integer}!"),
    ]
    return {(one.schema, one.name): one for one in found}


NOCASE = table(
    "",
    "folded",
    "name:TEXT~NOCASE! other:TEXT!",
    unique("name", collation="NOCASE"),
    unique("other", collation="NOCASE"),
)
SLOPPY = table("", "sloppy", "name:TEXT~NOCASE!", unique("name", collation="BINARY"))
SQLITE_CATALOG = Catalog({**_tables("", "TEXT", "BINARY"), ("", "folded"): NOCASE, ("", "sloppy"): SLOPPY})
POSTGRES_CATALOG = Catalog(
    {
        **_tables("public", "text", None),
        ("app", "users"): table("app", "users", "id:integer! level:integer", unique("id", primary=True)),
        ("public", "Mixed"): table("public", "Mixed", "Id:integer!", unique("Id", primary=True)),
    },
    ("public",),
    volatile=frozenset(["wobbly"]),
)
BOTH = (SQLITE, POSTGRESQL)


def catalog_of(dialect: Dialect) -> Catalog:
    """The catalog of that engine."""
    return POSTGRES_CATALOG if dialect.has_schemas else SQLITE_CATALOG


def block_of(query: str, dialect: Dialect = SQLITE) -> Block:
    """The query, parsed, resolved and lowered."""
    return lower_query(query, catalog_of(dialect), dialect)


def describe(dialect: Dialect, query: str) -> tuple[OutputColumn, ...]:
    """Columns have their own types, everything else is a whole number."""
    block = block_of(query, dialect)
    found = []
    for output in block.outputs:
        column = None
        if output.scalar.column is not None:
            alias, name = output.scalar.column
            column = next((o.table.column(name) for o in block.all_occurrences if o.alias == alias), None)
        type_ = column.type if column else ("bigint" if dialect.has_schemas else "INTEGER")
        found.append(OutputColumn(output.name, type_, column.collation if column else None))
    return tuple(found)
