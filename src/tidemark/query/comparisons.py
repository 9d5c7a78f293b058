"""What SQLite makes of a value before it compares it with a column, spelled out.

Owns: `spell_out`. Promises: a comparison says the same at a row of a table, where SQLite converts what stands beside a column as
the column's type wants (https://www.sqlite.org/datatype3.html, 4.2), and at ``NEW`` and ``OLD`` of a trigger, whose columns have
no type for comparisons. Bare columns of two tables are left as they are: one of them is of a row of a table then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from tidemark.model import Table
from tidemark.query.affinity import affinity
from tidemark.query.functions import function_name
from tidemark.query.nodes import nodes, nodes_of
from tidemark.query.scalar import MOMENT
from tidemark.query.trees import outputs_of

_DATES = frozenset({"date", "datetime", "time"})
_SAME = (exp.Is, exp.NullSafeEQ, exp.NullSafeNEQ)
_PAIRS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, *_SAME)


def spell_out(whole: exp.Expression, tables: Mapping[str, Table]) -> None:
    """Convert, in a resolved query, whatever SQLite converts before it is compared with a column."""
    types = _Types(tables, {node.alias: node.this for node in nodes_of(whole, exp.Subquery) if node.alias})
    # What is inside comes first: what is around it takes it along as a copy.
    for node in reversed(nodes(whole)):
        _separate(node, types)
    for node in reversed(nodes(whole)):
        for one, other in _compared(node):
            wanted = types.wanted(one, other, listed=isinstance(node, exp.In))
            if wanted:
                decides = _stands_first(other, node) and one.find(exp.Collate) is None
                _convert(other, wanted, types.collation(other) if decides else "")


def _separate(node: exp.Expr, types: _Types) -> None:
    """Write comparisons apart that share a side which one of them converts."""
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        if types.converts(low, node.this) or types.converts(high, node.this):
            above = exp.GTE(this=_enclosed(node.this), expression=_enclosed(low))
            below = exp.LTE(this=_enclosed(node.this), expression=_enclosed(high))
            node.replace(exp.Paren(this=exp.And(this=above, expression=below)))
    elif isinstance(node, exp.Case) and node.this is not None:
        base = node.this
        if any(types.converts(one.this, base) for one in node.args["ifs"]):
            node.set("this", None)
            for one in node.args["ifs"]:
                one.set("this", exp.EQ(this=_enclosed(base), expression=_enclosed(one.this)))


def _enclosed(side: exp.Expr) -> exp.Expr:
    """A copy of what is to stand beside a sign that may bind more than what is in it."""
    bare = isinstance(side, exp.Column | exp.Literal | exp.Tuple)
    return side.copy() if bare else exp.Paren(this=side.copy())


def _compared(node: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]]:
    """Pairs of operands: what may want a conversion of the other one first."""
    if isinstance(node, _SAME) and isinstance(_inside(node.expression), exp.Boolean | exp.Null):
        # A test of truth compares nothing.
        return []
    if isinstance(node, _PAIRS):
        return [*_fields(node.this, node.expression), *_fields(node.expression, node.this)]
    if isinstance(node, exp.Between):
        return [*_fields(node.this, node.args["low"]), *_fields(node.this, node.args["high"])]
    if isinstance(node, exp.In):
        return [(node.this, one) for one in node.expressions]
    if isinstance(node, exp.Case) and node.this is not None:
        return [pair for one in node.args["ifs"] for pair in _fields(node.this, one.this)]
    return []


def _stands_first(side: exp.Expr, node: exp.Expr) -> bool:
    """Whether an operand is on the left, whose column says by which collation both are compared."""
    while side.parent is not node and side.parent is not None:
        side = side.parent
    return side.arg_key == "this"


def _fields(one: exp.Expr, other: exp.Expr) -> list[tuple[exp.Expr, exp.Expr]]:
    """What is compared with what, field by field where both are rows of values."""
    if isinstance(one, exp.Tuple) and isinstance(other, exp.Tuple):
        return [pair for both in zip(one.expressions, other.expressions, strict=False) for pair in _fields(*both)]
    return [(one, other)]


@dataclass(frozen=True)
class _Types:
    """The affinities of operands: of columns of `tables`, and of what the queries `inner` pass on, both by alias."""

    tables: Mapping[str, Table]
    inner: Mapping[str, exp.Expr]

    def of(self, node: exp.Expr) -> str:
        """``TEXT``, ``NUMERIC`` or ``BLOB`` where the operand is a column or a cast, else empty."""
        node = _inside(node)
        if isinstance(node, exp.Cast):
            return _kind(affinity(node.to.sql(dialect="sqlite")))
        if not isinstance(node, exp.Column):
            return ""
        table = self.tables.get(node.table)
        if table is not None:
            column = table.column(node.name)
            return "BLOB" if column is None else _kind(affinity(column.type))
        query = self.inner.get(node.table)
        outputs = dict(outputs_of(query)) if isinstance(query, exp.Expression) else {}
        return self.of(outputs[node.name]) if node.name in outputs else ""

    def collation(self, node: exp.Expr) -> str:
        """By what an operand is compared that is a column, or made of one; empty for SQLite's own comparison."""
        while isinstance(node, exp.Paren | exp.Cast) or _is_plus(node):
            node = node.expression if _is_plus(node) else node.this
        table = self.tables.get(node.table) if isinstance(node, exp.Column) else None
        column = table.column(node.name) if table is not None else None
        if table is not None or not isinstance(node, exp.Column):
            return (column.collation if column is not None else "") or ""
        query = self.inner.get(node.table)
        outputs = dict(outputs_of(query)) if isinstance(query, exp.Expression) else {}
        return self.collation(outputs[node.name]) if node.name in outputs else ""

    def converts(self, one: exp.Expr, other: exp.Expr) -> bool:
        """Whether `one` has some of `other` converted to something."""
        return any(self.wanted(*pair) for pair in _fields(one, other))

    def wanted(self, one: exp.Expr, other: exp.Expr, *, listed: bool = False) -> str:
        """What the column `one` has `other` converted to, which has no type of its own where it is `listed`; empty for nothing,
        and where `one` is no column of the row that is at hand."""
        mine, theirs = _bare(one), _bare(other)
        if mine is None or (theirs is not None and mine.table != theirs.table):
            return ""
        has, had = self.of(one), "" if listed else self.of(other)
        if has == "NUMERIC":
            return has if had != "NUMERIC" else ""
        return has if has == "TEXT" and not had else ""


def _bare(node: exp.Expr) -> exp.Column | None:
    inside = _inside(node)
    return inside if isinstance(inside, exp.Column) else None


def _is_plus(node: exp.Expr) -> bool:
    return isinstance(node, exp.Introducer) and node.this.name == "+"


def _inside(node: exp.Expr) -> exp.Expr:
    """What stands in parentheses and before COLLATE, neither of which changes the type of an operand."""
    while isinstance(node, exp.Paren | exp.Collate):
        node = node.this
    return node


def _kind(found: str) -> str:
    return found if found in ("BLOB", "TEXT") else "NUMERIC"


def _convert(value: exp.Expr, wanted: str, collation: str) -> None:
    """Put the conversion of a value in its place, unless it stays as it is or is a time that is compared as a text. What is made
    of a column has its collation no more, unless that is said."""
    bare = value
    while isinstance(bare, exp.Paren | exp.Neg):
        bare = bare.this
    if isinstance(bare, exp.Literal | exp.Boolean):
        is_text = isinstance(bare, exp.Literal) and bare.is_string
        if is_text is (wanted == "TEXT") or (is_text and not _is_number(bare.name)):
            return
        value.replace(_cast(value, wanted))
    elif not (isinstance(bare, exp.Null | exp.HexString) or _is_known(bare, wanted)):
        converted = _converted(value, wanted)
        if collation:
            converted = exp.Collate(this=converted, expression=exp.to_identifier(collation, quoted=True))
        value.replace(converted)


def _is_known(value: exp.Expr, wanted: str) -> bool:
    """Whether an expression gives what no conversion changes, or is none of a row."""
    if value.find(exp.Select) is not None or any(node.meta.get(MOMENT) for node in value.find_all(exp.Var)):
        return True
    if wanted == "NUMERIC":
        return isinstance(value, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod) or function_name(value) in _DATES
    return isinstance(value, exp.DPipe)


def _converted(value: exp.Expr, wanted: str) -> exp.Expression:
    if wanted == "TEXT":
        kind = exp.Anonymous(this="typeof", expressions=[value.copy()])
        test: exp.Expression = exp.In(
            this=kind, expressions=[exp.Literal.string("integer"), exp.Literal.string("real")]
        )
    else:
        # A text is equal to its own cast where SQLite takes the whole of it for a number.
        test = exp.EQ(this=exp.Paren(this=value.copy()), expression=_cast(value, wanted))
    return exp.Paren(this=exp.Case(ifs=[exp.If(this=test, true=_cast(value, wanted))], default=value.copy()))


def _cast(value: exp.Expr, wanted: str) -> exp.Expression:
    # A name that sqlglot does not know, and does not write as REAL, which has no more than 53 bits of an integer.
    name = "NUM" if wanted == "NUMERIC" else wanted
    return exp.Cast(this=value.copy(), to=exp.DataType.build(name, "sqlite", udt=True))


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
