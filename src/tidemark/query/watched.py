"""What a query is made of besides rows: whatever changes its meaning, and not the declaration.

Owns: the columns, views and functions to compare with the catalog later (`runtime/objects/sources.py`). Promises: a view counts
wherever the query names it, within other views too, and so do a function of the user's and a value of an enum.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Catalog, Table
from tidemark.query.functions import function_name
from tidemark.query.inline import Inlining
from tidemark.query.nodes import nodes, nodes_of
from tidemark.query.parse import parse_tree
from tidemark.query.relation import Query
from tidemark.query.trees import whole_items

Watches = tuple[tuple[str, tuple[str, ...]], ...]


def watches_of(text: str, query: Query, tables: Sequence[Table], catalog: Catalog, dialect: Dialect) -> Watches:
    """The columns that the query reads of each source, in the table's order; then by their names alone the views, the functions
    with parentheses, the tables of whole rows with a star, and in quotes the texts that may be values of a type."""
    found = []
    for table in tables:
        aliases = [o.alias for o in query.all_occurrences if o.table.label == table.label]
        names = {name for alias in aliases for name in query.reads(alias)}
        found.append((table.label, tuple(column.name for column in table.columns if column.name in names)))
    holder = exp.Subquery(this=parse_tree(text, dialect))
    inlining = Inlining(catalog, dialect)
    inlining.visit(holder, {})
    called = {function_name(node) or "" for node in nodes(holder)} & catalog.routines.keys()
    wholes = {
        f"{one.table.label}.*"
        for one in query.all_occurrences
        for alias in whole_items(query.tree)
        if one.alias == alias
    }
    texts = {dialect.literal(node.name) for node in nodes_of(holder, exp.Literal) if node.is_string}
    named = sorted(
        {*inlining.views, *wholes, *(f"{name}()" for name in called), *(texts if dialect.types_are_fixed else ())}
    )
    return (*found, *((name, ()) for name in named))
