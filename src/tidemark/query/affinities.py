"""What SQLite makes of a literal beside a column, spelled out.

Owns: `spell_out`. Promises: a comparison of a column with a literal says the same at a row of a table, where SQLite converts the
literal as the column's type wants, and at ``NEW`` and ``OLD`` of a trigger, whose columns have no type for comparisons.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from tidemark.model import Table
from tidemark.query.trees import outputs_of
from tidemark.query.units import affinity

_PAIRS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ)


def spell_out(whole: exp.Expression, tables: Mapping[str, Table]) -> None:
    """Put a cast around each literal of a resolved query that SQLite converts before it is compared with a column."""
    inner = {node.alias: node.this for node in whole.find_all(exp.Subquery) if node.alias}
    for node in list(whole.walk()):
        for one, other in _compared(node):
            wanted = _affinity(one, tables, inner)
            if wanted:
                _convert(other, wanted)


def _compared(node: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]]:
    """Pairs of operands, each way round where both ways count."""
    if isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean | exp.Null):
        # A test of truth compares nothing.
        return []
    if isinstance(node, _PAIRS):
        return [(node.this, node.expression), (node.expression, node.this)]
    if isinstance(node, exp.Between):
        return [(node.this, node.args["low"]), (node.this, node.args["high"])]
    if isinstance(node, exp.In):
        return [(node.this, one) for one in node.expressions]
    if isinstance(node, exp.Case) and node.this is not None:
        return [(node.this, one.this) for one in node.args["ifs"]]
    return []


def _affinity(node: exp.Expr, tables: Mapping[str, Table], inner: Mapping[str, exp.Expr]) -> str:
    """``TEXT`` or ``NUMERIC`` where the operand is a column that has it, else empty."""
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Column):
        return ""
    table = tables.get(node.table)
    if table is not None:
        column = table.column(node.name)
        if column is None or (column.strict and column.type.upper() == "ANY"):
            return ""
        found = affinity(column.type)
        return "" if found in ("", "BLOB") else "TEXT" if found == "TEXT" else "NUMERIC"
    query = inner.get(node.table)
    outputs = dict(outputs_of(query)) if isinstance(query, exp.Expression) else {}
    return _affinity(outputs[node.name], tables, inner) if node.name in outputs else ""


def _convert(literal: exp.Expr, wanted: str) -> None:
    """Cast what is a literal, if the conversion changes it."""
    bare = literal
    while isinstance(bare, exp.Paren | exp.Neg):
        bare = bare.this
    if not isinstance(bare, exp.Literal | exp.Boolean):
        return
    is_text = isinstance(bare, exp.Literal) and bare.is_string
    if is_text is (wanted == "TEXT") or (is_text and not _is_number(bare.name)):
        return
    literal.replace(
        exp.Cast(this=literal.copy(), to=exp.DataType.build("TEXT" if wanted == "TEXT" else "NUMERIC", "sqlite"))
    )


def _is_number(text: str) -> bool:
    """Whether SQLite takes the whole text for a number."""
    bare = text.strip(" \t\n\v\f\r")
    if not bare or bare.strip("+-0123456789.eE") or not any(one.isdigit() for one in bare):
        return False
    try:
        float(bare)
    except ValueError:
        return False
    return True
