"""What SQLite knows of a value besides its type, and forgets as soon as the value is stored: that a text is JSON.

Owns: `passes_json`. Promises: where it is false, an expression over stored parts gives what it gives over the parts as they are
computed.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.nodes import nodes
from tidemark.query.parse import render
from tidemark.query.relation import Block

_READS = frozenset(
    [
        *("json_array", "json_object", "json_insert", "json_replace", "json_set", "json_quote"),
        *("json_group_array", "json_group_object"),
    ]
)
"""Functions that take JSON from a function that gives it for what it is, and from a column for a text."""
_GIVES = frozenset({*_READS, "json", "json_extract", "json_patch", "json_remove"})


def passes_json(block: Block) -> bool:
    """Whether aggregates, groups or subqueries of a block give JSON to a function that tells it from a text."""
    if block.dialect.types_are_fixed:
        return False
    groups = {group.text for one in block.blocks for group in one.groups or ()}
    calls = [node for node in nodes(block.tree) if function_name(node) in _READS]
    parts = [part for call in calls for part in call.walk() if part is not call and _is_stored(part, groups, block)]
    return any(_gives_json(node) for part in parts for node in part.walk())


def _is_stored(node: exp.Expr, groups: set[str], block: Block) -> bool:
    return is_aggregate(node) or isinstance(node, exp.Subquery) or render(node, block.dialect) in groups


def _gives_json(node: exp.Expr) -> bool:
    return isinstance(node, exp.JSONExtract) or function_name(node) in _GIVES
