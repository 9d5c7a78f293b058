"""What sqlglot would read or write otherwise than the engine means it, put right or refused.

Owns: `GRAMMARS`, `ready` (tokens before they are parsed), `mend` (a tree afterwards), `mixed_chain` (what cannot be put right).
Promises: what is written of a tree means what the user wrote, and so does the tree, unless a mixed chain is in it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import cast

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as GlotDialect
from sqlglot.dialects.postgres import Postgres
from sqlglot.dialects.sqlite import SQLite
from sqlglot.tokenizer_core import Token, TokenType

from tidemark.dialect import Dialect
from tidemark.errors import Code, Place, Refusal
from tidemark.query.nodes import nodes

_USERS = "users"
"""Beside a token, where comments are, and on a node: parentheses that the user wrote, and not those that sqlglot puts around what
it has read so far."""


GRAMMARS: dict[str, GlotDialect] = {"sqlite": SQLite(), "postgres": Postgres()}
"""sqlglot's dialect of each engine."""

SIGN = TokenType.PIPE_SLASH
"""Stands for an operator before its operand while sqlglot parses, which has none like it: a plus on SQLite, which it would drop,
and on PostgreSQL the negation of a text search, which it would read as NOT, twice."""
_SIGNS = {"sqlite": "+", "postgres": "!!"}

_BEFORE_OPERANDS = frozenset(
    getattr(TokenType, name)
    for name in (
        "L_PAREN", "COMMA", "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "NULLSAFE_EQ", "PLUS", "DASH", "STAR", "SLASH", "MOD",
        "DPIPE", "PIPE", "AMP", "CARET", "TILDE", "AND", "OR", "NOT", "IN", "IS", "BETWEEN", "LIKE", "GLOB", "FROM",
        "WHEN", "THEN", "ELSE", "CASE", "SELECT", "DISTINCT", "WHERE", "HAVING", "ON", "GROUP_BY", "ORDER_BY",
        "PARTITION_BY", "FILTER", "LIMIT", "OFFSET",
    )
)  # fmt: skip

_MISREAD = {
    TokenType.PIPE_SLASH: "sqrt(…)",
    TokenType.DPIPE_SLASH: "cbrt(…)",
    TokenType.PARAMETER: "abs(…), or the function that the operator calls",
    TokenType.NULLSAFE_EQ: "the function that the operator calls",
}
"""Operators of PostgreSQL and its extensions that sqlglot takes for others; and what says the same."""
_NO_BOUND = frozenset(
    getattr(TokenType, name)
    for name in (
        "NOT",
        "IS",
        "ISNULL",
        "NOTNULL",
        "IN",
        "LIKE",
        "GLOB",
        "EQ",
        "NEQ",
        "LT",
        "LTE",
        "GT",
        "GTE",
        "OR",
        "BETWEEN",
    )
)
"""What sqlglot does not take for a part of the lower bound of BETWEEN."""
_ARROWS = (TokenType.ARROW, TokenType.DARROW)
_SETS = (TokenType.ROLLUP, TokenType.CUBE, TokenType.GROUPING_SETS)

_RANGES = (exp.In, exp.Like, exp.Escape, exp.Glob, exp.Between, exp.Is, exp.Match, exp.NullSafeEQ, exp.NullSafeNEQ)
_TIGHTER = (
    *(exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe),
    *(exp.BitwiseAnd, exp.BitwiseOr, exp.BitwiseLeftShift, exp.BitwiseRightShift),
)


def ready(tokens: list[Token], dialect: Dialect) -> list[Token]:
    """The tokens as sqlglot reads them right. Raises `Refusal` (``parse``) for an operator that it cannot tell from another."""
    if not dialect.types_are_fixed:
        for token, after in pairwise(tokens):
            if after.token_type is TokenType.PLUS and token.token_type in _BEFORE_OPERANDS:
                after.token_type = SIGN
            if token.token_type is TokenType.L_PAREN:
                token.comments.append(_USERS)
        return _arrows(_bounded(tokens))
    for token, after in pairwise(tokens):
        is_named = token.token_type is TokenType.INTERVAL and after.token_type is TokenType.L_PAREN
        if token.token_type in _MISREAD or is_named:
            raise Refusal(
                Code.PARSE,
                f"The operator {token.text} is not read."
                if not is_named
                else "The digits of an interval are not read.",
                instead="interval '…'" if is_named else _MISREAD[token.token_type],
                place=Place(token.line, max(0, token.col - len(token.text) + 1), token.text),
            )
    return _arrows(_enclosed(_negations(tokens)))


def _negations(tokens: list[Token]) -> list[Token]:
    """Two signs of exclamation as one operator."""
    found: list[Token] = []
    for token in tokens:
        if found and token.text == "!" == found[-1].text and found[-1].token_type is TokenType.NOT:
            found[-1].token_type = SIGN
        else:
            found.append(token)
    return found


def _enclosed(tokens: list[Token]) -> list[Token]:
    """Each part of ROLLUP, CUBE and GROUPING SETS in parentheses of its own, without which no comparison can stand there."""
    found: list[Token] = []
    parts: list[str] = []
    """For each parenthesis that is open: whether it holds groupings, and whether the part at hand was put in parentheses."""
    for token, before, after in zip(tokens, [None, *tokens], [*tokens[1:], None], strict=False):
        kind = token.token_type
        if kind in (TokenType.COMMA, TokenType.R_PAREN) and parts and parts[-1] == "enclosed":
            found.append(Token(TokenType.R_PAREN, ")", token.line, token.col, token.start, token.end))
            parts[-1] = "groupings"
        if kind is TokenType.L_PAREN:
            parts.append("groupings" if before is not None and before.token_type in _SETS else "")
        elif kind is TokenType.R_PAREN and parts:
            parts.pop()
        found.append(token)
        begins = kind in (TokenType.L_PAREN, TokenType.COMMA) and parts and parts[-1] == "groupings"
        if begins and after is not None and after.token_type not in (*_SETS, TokenType.L_PAREN, TokenType.R_PAREN):
            found.append(Token(TokenType.L_PAREN, "(", token.line, token.col, token.start, token.end))
            parts[-1] = "enclosed"
    return found


def _bounded(tokens: list[Token]) -> list[Token]:
    """What stands between BETWEEN and its AND in parentheses, where SQLite takes any expression and sqlglot stops at the first
    word that it does not look for there."""
    found: list[Token] = []
    open_ones: list[int | None] = []
    """Where the bounds begin that are open, one after the other; None for a parenthesis or a CASE in one of them."""
    for token in tokens:
        kind = token.token_type
        begin = open_ones[-1] if open_ones else None
        if kind is TokenType.AND and begin is not None:
            open_ones.pop()
            if any(one.token_type in _NO_BOUND for one in found[begin:]):
                first, last = found[begin], found[-1]
                found.insert(begin, Token(TokenType.L_PAREN, "(", first.line, first.col, first.start, first.end))
                found.append(Token(TokenType.R_PAREN, ")", last.line, last.col, last.start, last.end))
        found.append(token)
        if kind is TokenType.BETWEEN:
            open_ones.append(len(found))
        elif kind in (TokenType.L_PAREN, TokenType.CASE):
            open_ones.append(None)
        elif kind in (TokenType.R_PAREN, TokenType.END) and open_ones:
            while open_ones and open_ones.pop() is not None:
                pass
    return found


def _arrows(tokens: list[Token]) -> list[Token]:
    """Parentheses around the key behind an arrow, which sqlglot would take for a path: to SQLite it is one only when it begins
    with $, while ``'og:title'`` and ``'a.b'`` are keys. And around the document before one, where it is the first thing in a
    call: with an arrow behind it, sqlglot would take it for the argument of a function without a name."""
    found: list[Token] = []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        enclosed = 0
        if (
            before is not None
            and before.token_type in _ARROWS
            and token.token_type in (TokenType.STRING, TokenType.NUMBER)
        ):
            enclosed = 1
        elif before is not None and before.token_type in (TokenType.L_PAREN, TokenType.COMMA):
            named = token.token_type in (TokenType.VAR, TokenType.IDENTIFIER)
            enclosed = 2 if named and after is not None and after.token_type is TokenType.ARROW else 0
        place = (token.line, token.col, token.start, token.end)
        found += [*(Token(TokenType.L_PAREN, "(", *place) for _ in range(enclosed)), token]
        found += [Token(TokenType.R_PAREN, ")", *place) for _ in range(enclosed)]
    return found


def mend(tree: exp.Expr, dialect: Dialect) -> None:
    """Put right what sqlglot read."""
    for node in reversed(nodes(tree)):
        if _USERS in (node.comments or ()):
            node.comments = [one for one in node.comments or () if one != _USERS]
            node.meta[_USERS] = True
        if isinstance(node, exp.Sqrt):
            # A node that is written as two words beside each other.
            node.replace(exp.Introducer(this=exp.Var(this=_SIGNS[dialect.name]), expression=node.this))
        elif isinstance(node, exp.Is | exp.Collate) and dialect.types_are_fixed:
            _give_casts(node)
        elif isinstance(node, exp.Not) and _is_operand(node):
            # NOT binds less than what stands around it, while NOT IN and its like bind more.
            node.replace(exp.Paren(this=node.copy()))
        elif isinstance(node, exp.JSONExtract | exp.JSONExtractScalar):
            _take_off_parentheses(node)
        elif isinstance(node, exp.Any) or _is_call_of(node, "ALL", "ANY", "SOME"):
            _take_off_array(node)
        elif isinstance(node, exp.Array) and node.expressions and isinstance(node.expressions[0], exp.Subquery):
            # An array that begins with a value is not that of the rows of a query, as which it would be written.
            node.expressions[0].replace(exp.Paren(this=node.expressions[0].copy()))


def _give_casts(node: exp.Is | exp.Collate) -> None:
    """Casts and operators behind IS TRUE, and casts behind COLLATE, take all that stands before them, and not its last word."""
    outer = node.expression
    last = outer
    while isinstance(last, exp.Cast) or (isinstance(last, exp.Binary) and isinstance(node, exp.Is)):
        last = last.this
    if last is outer or not isinstance(last, exp.Boolean | exp.Column | exp.Identifier):
        return
    # NOT that stands inside, as in IS NOT TRUE, and NOT before all of it mean the same where both may stand.
    whole = node.parent if isinstance(node.parent, exp.Not) and isinstance(node, exp.Is) else node
    taken = exp.Paren(this=whole.copy())
    test = taken.find(type(node))
    assert test is not None
    test.set("expression", last.copy())
    last.replace(taken)
    whole.replace(outer)


def _take_off_array(node: exp.Expr) -> None:
    """The array of the rows of a subquery, with which a comparison is the same as with the rows, in whatever order they are."""
    array = node.this if isinstance(node, exp.Any) else node.expressions[0]
    while isinstance(array, exp.Paren):
        array = array.this
    query = array.expressions[0] if _is_call_of(array, "ARRAY") else None
    if isinstance(query, exp.Query):
        rows = query.unnest()
        node.replace(exp.All(this=rows) if node.name.upper() == "ALL" else exp.Any(this=exp.Subquery(this=rows)))


def _is_call_of(node: exp.Expr, *names: str) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.upper() in names and len(node.expressions) == 1


def _is_operand(node: exp.Not) -> bool:
    around = node.parent
    binary = isinstance(around, exp.Binary) and not isinstance(around, exp.Connector)
    return binary or isinstance(around, exp.In | exp.Between | exp.Neg | exp.BitwiseNot | exp.Introducer)


def _take_off_parentheses(node: exp.JSONExtract | exp.JSONExtractScalar) -> None:
    """Those that were put around a key and a document, or others like them."""
    if isinstance(node.expression, exp.Paren) and isinstance(node.expression.this, exp.Literal):
        node.set("expression", node.expression.this)
    if isinstance(node.this, exp.Paren) and isinstance(node.this.this, exp.Paren):
        node.set("this", node.this.this.this)


def mixed_chain(tree: exp.Expression) -> exp.Expression | None:
    """The first chain of operators that SQLite takes from left to right, of which sqlglot lets some bind more than others."""
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.Is, *_TIGHTER):
        if _is_range(node.expression) or (isinstance(node, _TIGHTER) and _is_range(node.this)):
            return cast(exp.Expression, node)
    return None


def _is_range(side: exp.Expr) -> bool:
    """Whether a side of an operator is IN, LIKE and the like, with NOT or without, and not in parentheses of the user's."""
    while isinstance(side, exp.Not) or (isinstance(side, exp.Paren) and not side.meta_get(_USERS)):
        side = side.this
    return isinstance(side, _RANGES)
