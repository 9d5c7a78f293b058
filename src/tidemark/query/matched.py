"""EXISTS and IN as a join: the same aggregates over the rows that match, where it does not matter how often they do.

Owns: `matched`. Promises: the text is a query with the same result as the query that it is given for, row for row, and has joins
where that has EXISTS, or IN with a subquery. MIN, MAX, COUNT(DISTINCT), BOOL_OR and BOOL_AND of rows that a join repeats are what
they are without it, and COUNT of rows that have a key is COUNT(DISTINCT) of their key.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidemark.query.relation import Aggregate, Block, Nested, Occurrence, Query
from tidemark.query.units import branches_of, is_no_value, same_comparison

_REPEATED = ("min", "max", "bool_or", "bool_and", "every")
"""Aggregates to which it is the same how often a row is there."""


def matched(query: Query) -> str:
    """The text of a query with joins in the place of what asks for a match; empty where nothing does, or it would be another."""
    if isinstance(query, Block) and not query.items:
        return _figures(query)
    blocks = branches_of(query)
    if not blocks or (len(blocks) > 1 and query.distinct) or not any(block.nested for block in blocks):
        return ""
    texts = [_joined(block) for block in blocks]
    return " UNION ALL ".join(texts) if all(texts) else ""


def _figures(block: Block) -> str:
    """A row of figures in which some are such."""
    swaps = {nested.text: f"({text})" for nested in block.nested if (text := matched(nested.query))}
    quote = block.dialect.quote
    shown = (f"{output.scalar.swapped(swaps)} AS {quote(output.name)}" for output in block.outputs)
    return f"SELECT {', '.join(shown)}" if swaps and not block.where else ""


def _joined(block: Block) -> str:
    """One branch as a join; empty where it is none."""
    inner = [nested.query for nested in block.nested]
    plain = all(isinstance(one, Block) and _is_plain(one) for one in inner) and _is_only_joined(block)
    matching = {nested.text for nested in block.nested if _is_match(block, nested)}
    where = [scalar for scalar in block.where if scalar.text not in matching]
    if not plain or len(block.where) - len(where) != len(inner) or any(scalar.has_subquery for scalar in where):
        return ""
    counted = _counted(block) if inner else {}
    if counted is None:
        return ""
    every = [block, *(one for one in inner if isinstance(one, Block))]
    conditions = [scalar for one in every for item in one.items for scalar in item.on] + where
    conditions += [scalar for one in every[1:] for scalar in one.where]
    equal = [f"({one.text}) = ({other.text})" for nested in block.nested for one, other in nested.matches]
    quote = block.dialect.quote
    tables = [
        f"{quote(one.table.schema, one.table.name)} AS {quote(one.alias)}" for each in every for one in each.occurrences
    ]
    shown = ", ".join(f"{output.scalar.swapped(counted)} AS {quote(output.name)}" for output in block.outputs)
    text = f"SELECT {shown} FROM {' CROSS JOIN '.join(tables)}"
    tests = [*(f"({scalar.text})" for scalar in conditions), *equal]
    text += f" WHERE {' AND '.join(tests)}" if tests else ""
    text += f" GROUP BY {', '.join(group.text for group in block.groups)}" if block.groups else ""
    return text + (f" HAVING {block.having.swapped(counted)}" if block.having is not None else "")


def _is_match(block: Block, nested: Nested) -> bool:
    """Whether a subquery asks for a row alone: EXISTS, or IN that compares as an equality does."""
    if nested.form == "exists" or (nested.form == "in" and block.dialect.types_are_fixed):
        return True
    # What SQLite compares an expression as is another thing beside IN than beside an equality.
    pairs = [(one.column, other.column) for one, other in nested.matches]
    return nested.form == "in" and all(
        one is not None and other is not None and same_comparison(block, one, other, nested.query.blocks[0])
        for one, other in pairs
    )


def _is_only_joined(block: Block) -> bool:
    """Whether it reads tables that are joined by conditions alone, and groups what these give."""
    others = block.windows or block.distinct or block.distinct_on or block.limited
    return (
        block.is_flat
        and bool(block.items)
        and not others
        and all(one.kind in ("first", "inner") for one in block.items)
    )


def _is_plain(block: Block) -> bool:
    """Whether it matches rows, and nothing else."""
    return _is_only_joined(block) and not block.is_aggregated and not block.nested and block.having is None


def _counted(block: Block) -> Mapping[str, str] | None:
    """What stands for each count of rows; None where an aggregate depends on how often a row is there."""
    found: dict[str, str] = {}
    for call in block.aggregates:
        if call.function in _REPEATED or (call.function == "count" and call.distinct) or is_no_value(call):
            continue
        key = _key(block)
        if call.function != "count" or not key or call.others:
            return None
        found[call.text] = _distinct(call, key)
    return found


def _distinct(call: Aggregate, key: str) -> str:
    value = key
    if call.argument is not None:
        # To PostgreSQL a row that holds NULLs alone is NULL, and is counted.
        there = "IS DISTINCT FROM NULL" if call.argument.dialect.types_are_fixed else "IS NOT NULL"
        value = f"CASE WHEN ({call.argument.text}) {there} THEN {key} END"
    counted = f"count(DISTINCT {value})"
    return f"{counted} FILTER (WHERE {call.condition.text})" if call.condition is not None else counted


def _key(block: Block) -> str:
    """A column that identifies the rows of the one table of a block; empty where there is none."""
    if len(block.items) > 1 or not isinstance(scan := block.items[0], Occurrence):
        return ""
    for unique in scan.table.uniques:
        column = scan.table.column(unique.terms[0] or "") if len(unique.terms) == 1 else None
        if unique.where is None and column is not None and (column.not_null or column.rowid_alias):
            return block.dialect.quote(scan.alias, column.name)
    return ""
