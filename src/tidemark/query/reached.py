"""Whether rows with a given value of an expression are found by an index of their source, and which index would find them.

Owns: `is_led` and `index_term`. Promises: an index over an expression serves that expression alone, never a column in it, and one
over a column serves no expression over it. What cannot be read of an index's text serves nothing: that costs time and no row.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.errors import Refusal
from tidemark.model import EXPRESSION, Table
from tidemark.query.converted import reads_settings
from tidemark.query.indexed import has_index
from tidemark.query.parse import parse_query
from tidemark.query.scalar import Scalar


def is_led(table: Table, scalar: Scalar) -> bool:
    """True when an index (total) leads with the expression, or the expression is the rowid itself."""
    if scalar.column is not None:
        return has_index(table, (scalar.column[1],))
    if scalar.has_subquery or not scalar.columns:
        return False
    wanted = _shape(scalar.tree)
    leading = [index.terms[0] or "" for index in table.indexes if index.where is None and index.terms]
    return any(
        _read(term.removeprefix(EXPRESSION), scalar) == wanted for term in leading if term.startswith(EXPRESSION)
    )


def index_term(scalar: Scalar) -> str:
    """What an index over the expression has to say; empty where the engine allows none."""
    if scalar.has_subquery or scalar.moment is not None or reads_settings(scalar):
        return ""
    return scalar.bare if scalar.column is not None else f"({scalar.bare})"


def _read(text: str, scalar: Scalar) -> str | None:
    try:
        return _shape(parse_query(f"SELECT {text} FROM x", scalar.dialect).expressions[0])
    except Refusal:
        return None


def _shape(tree: exp.Expression) -> str:
    """A text that is equal for expressions that differ in parentheses, in qualification, quotes and case, and in the casts that a
    catalog writes down within them."""
    whole = exp.Tuple(expressions=[exp.Paren(this=tree.copy())])
    for paren in list(whole.find_all(exp.Paren)):
        paren.replace(paren.this)
    for cast in list(whole.find_all(exp.Cast)):
        if cast.parent is not whole:
            cast.replace(cast.this)
    for column in list(whole.find_all(exp.Column)):
        column.replace(exp.column(column.name))
    return str(whole.sql(comments=False)).replace('"', "").lower()
