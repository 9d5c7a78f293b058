"""SQL text → sqlglot tree of one SELECT, with positions for refusals.

Owns: the reading of SQL, in which every function but the plain aggregates keeps the name that the user wrote, so that the
engine evaluates the user's own words. Promises: exactly one query comes out, or a `Refusal` with the place; sqlglot's classes are
used as they are, native or not. Does not resolve names.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as GlotDialect
from sqlglot.errors import ParseError, TokenError
from sqlglot.parser import Parser
from sqlglot.tokenizer_core import Token, TokenType

from tidemark.dialect import Dialect
from tidemark.errors import Code, Place, Refusal
from tidemark.query.affinity import affinity
from tidemark.query.nodes import copied, nodes
from tidemark.query.readings import GRAMMARS, mend, mixed_chain, ready
from tidemark.query.values import spell_lists

_KEPT = ("COUNT", "SUM", "AVG", "MIN", "MAX")
_GRAMMATICAL = (
    "CAST",
    "EXTRACT",
    "GROUP_CONCAT",
    "OVERLAY",
    "POSITION",
    "STRING_AGG",
    "SUBSTRING",
    "TRIM",
)
"""Calls with a grammar of their own; every other one keeps its name and its arguments."""


_OWN = "\x01"
"""Stands before the name of a call while sqlglot parses, so that it is no name that sqlglot knows. No text holds it."""


def grammar(dialect: Dialect) -> GlotDialect:
    """The sqlglot dialect to parse and to generate with."""
    return GRAMMARS[dialect.name]


# Words for types of other engines, for which sqlglot writes types of PostgreSQL. There they can only be types of the user's.
_OTHERS_TYPES = frozenset({
    "bignumeric", "binary", "blob", "byte", "clob", "datetime", "double", "fixed", "hugeint", "int1", "int128", "int16",
    "int256", "int32", "int64", "long", "longblob", "longtext", "longvarchar", "mediumblob", "mediumint", "mediumtext",
    "number", "nvarchar", "nvarchar2", "short", "str", "string", "timestamp_ltz", "timestamp_ntz", "timestampltz",
    "timestampntz", "tinyblob", "tinyint", "tinytext", "uhugeint", "uint", "uint128", "uint256", "varbinary", "varchar2",
})  # fmt: skip
_OTHERS_WHEN_QUOTED = ("bit", "char")


def parse_statements(text: str, dialect: Dialect) -> list[exp.Expr]:
    """The trees of the statements in `text`, each call under the user's own name. Raises `Refusal`, sqlglot's `ParseError` and
    `TokenError`."""
    spoken = grammar(dialect)
    parser = spoken.parser()
    tokens = ready(spoken.tokenize(text), dialect)
    if not dialect.types_are_fixed:
        tokens = _types_by_affinity(tokens)
    else:
        _keep_types(tokens)
    for token, after in pairwise(tokens):
        if after.token_type is TokenType.L_PAREN and _rewritten(token, parser):
            token.text = _OWN + token.text
    trees = [tree for tree in parser.parse(tokens, text) if tree is not None]
    for tree in trees:
        _give_back(tree)
        mend(tree, dialect)
    return trees


def _keep_types(tokens: list[Token]) -> None:
    """Let the name of a type that PostgreSQL has not be a name, quoted or not, and that of one which is another when quoted. What
    is no type is a name again, too."""
    for token in tokens:
        quoted, name = token.token_type is TokenType.IDENTIFIER, token.text
        if token.token_type is TokenType.STRING:
            continue
        if name.lower() in _OTHERS_TYPES or (quoted and name in _OTHERS_WHEN_QUOTED):
            token.text, token.token_type = _OWN + name, TokenType.IDENTIFIER if quoted else TokenType.VAR


def _types_by_affinity(tokens: list[Token]) -> list[Token]:
    """The tokens with one word for the type of each cast, of which nothing but the affinity counts. sqlglot has types of its own,
    and would write REAL for NUMERIC and a call of ``date`` for a cast to DATE."""
    kept: list[Token] = []
    casts: list[bool] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        place += 1
        kept.append(token)
        if token.token_type is TokenType.L_PAREN:
            casts.append(len(kept) > 1 and kept[-2].text.upper() == "CAST")
        elif token.token_type is TokenType.R_PAREN and casts:
            casts.pop()
        elif token.token_type is TokenType.ALIAS and casts and casts[-1]:
            end = _closing(tokens, place)
            if end > place:
                word = tokens[place]
                found = affinity(" ".join(one.text for one in tokens[place:end]))
                word.token_type, word.text = TokenType.VAR, "NUM" if found == "NUMERIC" else found
                kept.append(word)
            place = end
    return kept


def _closing(tokens: list[Token], place: int) -> int:
    """The place of the parenthesis that closes what is open at `place`."""
    depth = 0
    for at in range(place, len(tokens)):
        if tokens[at].token_type is TokenType.R_PAREN:
            if depth == 0:
                return at
            depth -= 1
        depth += tokens[at].token_type is TokenType.L_PAREN
    return len(tokens)


def _rewritten(token: Token, parser: Parser) -> bool:
    """Whether sqlglot would put a function of its own in the place of a call with that name."""
    name = token.text.upper()
    if token.token_type not in parser.FUNC_TOKENS:
        return False
    if name in parser.NO_PAREN_FUNCTION_PARSERS and token.token_type is not TokenType.IDENTIFIER:
        return False
    if name in parser.FUNCTION_PARSERS:
        return name not in _GRAMMATICAL
    return name in parser.FUNCTIONS and name not in _KEPT


def _give_back(tree: exp.Expr) -> None:
    """Takes `_OWN` off again, wherever the name came to stand."""
    for node in reversed(nodes(tree)):
        if isinstance(node, exp.Distinct) and len(node.expressions) > 1:
            _spread(node)
        for key, value in node.args.items():
            if isinstance(value, str) and value.startswith(_OWN):
                node.args[key] = value.removeprefix(_OWN)


def _spread(distinct: exp.Distinct) -> None:
    """Let DISTINCT stand before the first of a call's arguments, which would be written as one row of values."""
    held = distinct.parent if isinstance(distinct.parent, exp.Order) else distinct
    call = held.parent
    if isinstance(call, exp.Anonymous) and held.index == 0:
        first, *others = distinct.expressions
        if held is not distinct:
            held.set("this", others.pop())
            others.append(held)
        call.set("expressions", [exp.Distinct(expressions=[first]), *others, *call.expressions[1:]])


def render(tree: exp.Expr, dialect: Dialect) -> str:
    """The tree as SQL text of that engine, identifiers as they stand in the tree."""
    return grammar(dialect).generate(copied(tree), copy=False, comments=False)


_DOCUMENTS = "jsonb_to_recordset(…) AS x(a_name its_type, …), or jsonb_path_query(…) AS x"
_UNREAD: dict[str, tuple[tuple[re.Pattern[str], str, str], ...]] = {
    "sqlite": (),
    "postgres": (
        (re.compile(r"\bROWS\s+FROM\s*\(", re.IGNORECASE), "ROWS FROM", "one function, or unnest of several arrays"),
        (re.compile(r"\bJSON_TABLE\s*\(", re.IGNORECASE), "JSON_TABLE", _DOCUMENTS),
        (
            re.compile(r"\bUSING\s*\([^()]*\)\s*AS\b", re.IGNORECASE),
            "An alias of what USING merges",
            "the columns without it, as id in the place of j.id, or ON and the columns of a table",
        ),
        (re.compile(r"\bXMLTABLE\s*\(", re.IGNORECASE), "XMLTABLE", "unnest(xpath(…)) AS x"),
    ),
}
"""What an engine has in FROM and the parser may not read: what it is called, and what to write instead."""


def place_of(node: exp.Expr, dialect: Dialect) -> Place:
    """Where a node begins in the user's text; line 0 when the tree does not know."""
    places = []
    for found in nodes(node):
        line = found.meta.get("line")
        if line is not None:
            # sqlglot counts to the end of a token.
            back = int(found.meta.get("end", 0)) - int(found.meta.get("start", 0))
            places.append((int(line), int(found.meta.get("col", 0)) - back))
    line, column = min(places, default=(0, 0))
    return Place(line, column, _cut(render(node, dialect)))


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def parse_query(text: str, dialect: Dialect) -> exp.Select:
    """The one SELECT in `text`. Raises `Refusal` (``parse``, ``not-a-query``)."""
    tree = parse_tree(text, dialect)
    if not isinstance(tree, exp.Select):
        raise Refusal(Code.NOT_A_QUERY, "A single SELECT is wanted.", instead="SELECT … FROM …")
    return tree


def parse_tree(text: str, dialect: Dialect) -> exp.Select | exp.SetOperation:
    """The one query in `text`, the caller's own to change. Raises `Refusal` (``parse``, ``not-a-query``)."""
    return copied(read_tree(text, dialect))


@lru_cache(maxsize=4096)
def read_tree(text: str, dialect: Dialect) -> exp.Select | exp.SetOperation:
    """The same tree for everybody, which nobody changes: the catalog's texts are read again for every query."""
    try:
        statements = parse_statements(text, dialect)
    except (ParseError, TokenError) as error:
        unread = next((found for found in _UNREAD[dialect.name] if found[0].search(text)), None)
        if unread is not None:
            raise Refusal(
                Code.UNSUPPORTED, f"{unread[1]} is not kept true.", instead=unread[2], place=_error_place(error)
            ) from error
        raise Refusal(
            Code.PARSE,
            f"The query cannot be parsed: {_first_line(error)}",
            instead="correct the query; it must run in the database's own shell",
            place=_error_place(error),
        ) from error
    if len(statements) != 1:
        raise Refusal(Code.NOT_A_QUERY, "A declaration holds exactly one query.", instead="one SELECT")
    tree = statements[0]
    while isinstance(tree, exp.Subquery) and not tree.args.get("alias"):
        tree = tree.this
    if not isinstance(tree, exp.Select | exp.SetOperation):
        raise Refusal(Code.NOT_A_QUERY, "A declaration must be a SELECT.", instead="SELECT … FROM …")
    chain = None if dialect.types_are_fixed else mixed_chain(tree)
    if chain is not None:
        raise Refusal(
            Code.PARSE,
            "The query chains comparisons, which SQLite takes from left to right.",
            instead="parentheses around what is compared first",
            place=place_of(chain, dialect),
        )
    spell_lists(tree)
    return tree


def _first_line(error: Exception) -> str:
    details = cast(list[dict[str, Any]], getattr(error, "errors", []) or [])
    if details and details[0].get("description"):
        return str(details[0]["description"]).splitlines()[0]
    return str(error).splitlines()[0]


def _error_place(error: Exception) -> Place | None:
    details = cast(list[dict[str, Any]], getattr(error, "errors", []) or [])
    if not details or details[0].get("line") is None:
        return None
    text = str(details[0].get("highlight") or "")
    return Place(int(details[0]["line"]), int(details[0].get("col") or 0) - max(0, len(text) - 1), text)
