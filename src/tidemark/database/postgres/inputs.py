"""What a query reads on PostgreSQL: the relations of its plan, and the columns that the plan's expressions name.

Owns: `read_inputs`. Promises: views are seen through to their tables, a store of Tidemark's counts as the derived table that it
holds. What a function reads that the planner does not look into cannot be seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

COLUMNS = (
    "SELECT a.attname FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid "
    "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
    "WHERE n.nspname = :schema AND c.relname = :name AND a.attnum > 0 AND NOT a.attisdropped"
)
OURS = "tidemark"


def read_inputs(
    plan: Any, ask: Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]
) -> frozenset[tuple[str, str]]:
    """(label, column) of what a plan reads; an empty column where it names none of a relation."""
    whole = json.loads(plan) if isinstance(plan, str) else plan
    nodes = [node for one in whole for node in _nodes(one["Plan"])]
    said = " ".join(text for node in nodes for text in _texts(node))
    found: set[tuple[str, str]] = set()
    for node in nodes:
        if "Relation Name" not in node:
            continue
        schema, name, alias = node["Schema"], node["Relation Name"], node["Alias"]
        if schema == OURS:
            found.add((name, ""))
            continue
        label = name if schema == "public" else f"{schema}.{name}"
        columns = [row[0] for row in ask(COLUMNS, {"schema": schema, "name": name})]
        named = [one for one in columns if _names(alias, one).search(said)]
        found |= {(label, one) for one in named or [""]}
    return frozenset(found)


def _names(alias: str, column: str) -> re.Pattern[str]:
    return re.compile(rf'(?<![\w"])"?{re.escape(alias)}"?\."?{re.escape(column)}"?(?![\w"])')


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for inner in node.get("Plans", ()):
        yield from _nodes(inner)


def _texts(node: Mapping[str, Any]) -> Iterator[str]:
    for key, value in node.items():
        if isinstance(value, str):
            yield value
        elif isinstance(value, list) and key != "Plans":
            yield from (one for one in value if isinstance(one, str))
