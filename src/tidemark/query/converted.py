"""Functions that PostgreSQL calls stable for the sake of some types of their arguments, and that are immutable for the others.

Owns: `find_steady` and `find_dependent`. Promises: a call is steady when its value depends on its arguments alone, whatever the
session's time zone, locale and styles; the types of the arguments are those that the server resolves.

Such functions turn any value into text or JSON, and for a time with a time zone the text is that of the session's time zone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence

from sqlglot import exp

from tidemark.model import OutputColumn
from tidemark.query.functions import function_name
from tidemark.query.relation import Block, Scalar

TypesOf = Callable[[Sequence[str]], Sequence[OutputColumn]]
"""The types of expressions, by their texts."""

_TEXTS = frozenset(["concat", "concat_ws", "format", "array_to_string"])
_DOCUMENTS = {
    "to_json": "json",
    "json_build_array": "json",
    "json_build_object": "json",
    "to_jsonb": "jsonb",
    "jsonb_build_array": "jsonb",
    "jsonb_build_object": "jsonb",
}
_PATTERNS = {"to_char": "text", "to_date": "date"}
_OF_ZONES = "date_trunc"
"""In a time zone that is named it depends on no other one."""
_COLLECTED = re.compile(r"jsonb?_(object_)?agg(_unique)?(_strict)?")

_PLAIN = frozenset(
    [
        "smallint",
        "integer",
        "bigint",
        "numeric",
        "real",
        "double precision",
        "boolean",
        "text",
        "character varying",
        "character",
        "name",
        "uuid",
        "json",
        "jsonb",
        "time without time zone",
    ]
)
"""Types whose values have one text in every session."""
_ISO = frozenset(["date", "timestamp without time zone"])
"""Types that JSON writes in one way, and text in the way of the session."""
_DEPENDENT = frozenset(["timestamp with time zone", "interval", "bytea", "money"])
_NUMBERS = frozenset(["smallint", "integer", "bigint", "numeric", "real", "double precision"])
_OF_NUMBERS = re.compile(r"[FM90., ]+")
"""Patterns for numbers in which no locale has a say."""
_OF_LOCALE = re.compile("tm", re.IGNORECASE)


def find_steady(scalars: Iterable[Scalar], texts: dict[str, str], types_of: TypesOf, own: Container[str]) -> None:
    """Put into `texts` what stands for each steady call where the server judges it: an immutable expression of its type and its
    arguments. `own` are the names of functions of the user's, which may be the ones that are meant."""
    calls = {one.text: one for scalar in scalars for one in _calls(scalar) if function_name(one.tree) not in own}
    wanted = [calls[text] for text in sorted(calls, key=len)]
    arguments = [Scalar(tree, call.dialect) for call in wanted for tree in call.tree.expressions]
    types = iter(types_of([one.swapped(texts) for one in arguments]) if arguments else ())
    for call in wanted:
        name, trees = str(function_name(call.tree)), call.tree.expressions
        if not _is_steady(name, trees, [next(types) for _ in trees]):
            continue
        given = ", ".join(["1", *(Scalar(tree, call.dialect).swapped(texts) for tree in trees)])
        result = _DOCUMENTS.get(name) or _PATTERNS.get(name, "text")
        value = {"date": "2000-01-01", "text": ""}.get(result, "{}")
        typed = "to_timestamp(0)" if name == _OF_ZONES else f"CAST('{value}' AS {result})"
        texts[call.text] = f"CASE WHEN num_nonnulls({given}) >= 0 THEN {typed} END"


def find_dependent(blocks: Iterable[Block], texts: dict[str, str], types_of: TypesOf) -> exp.Expression | None:
    """The first value that an aggregate puts into JSON in the way of the session."""
    found = [
        argument
        for block in blocks
        for call in block.aggregates
        if _COLLECTED.fullmatch(call.function.partition(" ")[0])
        for argument in (call.argument, *call.others)
        if argument is not None
    ]
    types = types_of([one.swapped(texts) for one in found]) if found else ()
    pairs = zip(found, types, strict=True)
    return next((one.tree for one, column in pairs if _base(column.type)[0] in _DEPENDENT), None)


def _calls(scalar: Scalar) -> list[Scalar]:
    known = (*_TEXTS, *_DOCUMENTS, *_PATTERNS, _OF_ZONES)
    nodes = [node for node in scalar.tree.walk() if isinstance(node, exp.Anonymous) and function_name(node) in known]
    spread = (node for node in nodes if not any(isinstance(one, exp.Variadic) for one in node.expressions))
    return [Scalar(node, scalar.dialect) for node in spread]


def reads_settings(scalar: Scalar) -> bool:
    """Whether the server takes what it reads for dependent on settings, as it does what is steady, too."""
    return bool(_calls(scalar)) and scalar.dialect.judges_values


def _is_steady(name: str, trees: Sequence[exp.Expr], columns: Sequence[OutputColumn]) -> bool:
    types = [_base(column.type) for column in columns]
    if name == _OF_ZONES:
        return len(types) == 3 and types[1] == ("timestamp with time zone", False)
    if name in _PATTERNS:
        pattern = trees[1].name if len(trees) == 2 and isinstance(trees[1], exp.Literal) else None
        if pattern is None or _OF_LOCALE.search(pattern):
            return False
        if name == "to_date":
            return types[0][0] == "text"
        return types[0] == ("timestamp without time zone", False) or (
            types[0] in [(number, False) for number in _NUMBERS] and _OF_NUMBERS.fullmatch(pattern) is not None
        )
    allowed = _PLAIN | _ISO if name in _DOCUMENTS else _PLAIN
    return all(base in allowed for base, _ in types)


def _base(written: str) -> tuple[str, bool]:
    """A type without its measures, and whether it is an array of it."""
    bare = re.sub(r"\([^)]*\)", "", written)
    return bare.removesuffix("[]"), bare.endswith("[]")
