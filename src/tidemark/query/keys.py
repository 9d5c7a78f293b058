"""What identifies an output row.

Owns: inference of a key from a query. Promises: a key that `find_key` gives is proven to be unique (`query.unique`); otherwise
it is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeGuard

from sqlglot import exp

from tidemark.errors import Code, Refusal
from tidemark.model import OutputColumn
from tidemark.query.cut import is_hidden
from tidemark.query.nullable import is_nullable_output
from tidemark.query.relation import Block, Called, Item, Occurrence, Output, Query, Recursion, SetOperation
from tidemark.query.unique import equality, identifies
from tidemark.query.units import bare_text, branches_of, is_void


@dataclass(frozen=True)
class KeyColumn:
    """A column of the key: its output and whether NULL can occur in it."""

    output: Output
    nullable: bool

    @property
    def name(self) -> str:
        """The public name."""
        return self.output.name


def find_key(query: Query, declared: tuple[str, ...]) -> tuple[KeyColumn, ...]:
    """The key of the query's result; empty for a query of exactly one row. Raises `Refusal`."""
    declared = _telling(query, declared)
    if isinstance(query, Block) and _is_one_row(query):
        if declared:
            raise Refusal(Code.KEY_UNPROVEN, "The result is one row, it has no key.", instead="no key=")
        return ()
    key = _declared_key(query, declared) if declared else _inferred_key(query)
    return _columns(query, key)


def assume_key(query: Query, declared: tuple[str, ...]) -> tuple[KeyColumn, ...]:
    """The declared key without a proof that it is one; whoever uses it looks for rows that share it."""
    declared = _telling(query, declared)
    return _columns(query, _positions(query, declared))


def _telling(query: Query, declared: tuple[str, ...]) -> tuple[str, ...]:
    """The declared columns that tell rows apart. Raises `Refusal` for one that is not in the result."""
    for name in declared:
        if query.output(name) is None:
            have = ", ".join(output.name for output in query.outputs)
            raise Refusal(Code.KEY_MISSING, f"The key column {name} is not in the result.", instead=f"one of: {have}")
    # A constant in a key tells our rows from others' in one table, never from one another.
    return tuple(name for name in declared if not is_constant(query, name))


def is_constant(query: Query, name: str) -> bool:
    """True when that column holds the same value in every row."""
    position = [output.name for output in query.outputs].index(name)
    scalars = [branch.outputs[position].scalar for branch in branches_of(query)]
    return all(scalar.is_constant for scalar in scalars) and len({scalar.text for scalar in scalars}) == 1


def _columns(query: Query, key: tuple[int, ...]) -> tuple[KeyColumn, ...]:
    return tuple(KeyColumn(query.outputs[position], is_nullable_output(query, position)) for position in key)


def _positions(query: Query, names: tuple[str, ...]) -> tuple[int, ...]:
    have = [output.name for output in query.outputs]
    return tuple(have.index(name) for name in names)


def _declared_key(query: Query, declared: tuple[str, ...]) -> tuple[int, ...]:
    key = _positions(query, declared)
    if identifies(query, frozenset(key)):
        return key
    names = ", ".join(declared)
    if _is_listed(query):
        groups = [query.outputs[position].name for position in _grouped_key(query)]
        raise Refusal(
            Code.KEY_UNPROVEN, f"The key {names} is not what the query groups by.", instead=f"key={sorted(groups)!r}"
        )
    if query.distinct:
        raise Refusal(
            Code.KEY_UNPROVEN,
            "The key of a DISTINCT result is all of its columns.",
            instead="key= all columns, or GROUP BY",
        )
    tables = ", ".join(sorted({occurrence.table.label for occurrence in query.all_occurrences}))
    raise Refusal(
        Code.KEY_UNPROVEN,
        f"Nothing proves that {names} identifies a row of the result.",
        instead=f"a key that holds a NOT NULL unique key of {tables}, joins on unique keys, or GROUP BY the key",
    )


def _inferred_key(query: Query) -> tuple[int, ...]:
    everything = tuple(range(len(query.outputs)))
    if isinstance(query, Block) and query.groups is not None and (_is_listed(query) or not query.distinct):
        key = _grouped_key(query)
        if not key:
            raise Refusal(Code.KEY_MISSING, "GROUP BY a constant has no key.", instead="no GROUP BY")
        return key
    # A key that readers see comes first; what else is hidden may be what tells a group of NULL from no row.
    hidden = [place for place, output in enumerate(query.outputs) if is_hidden(output.name)]
    found = sorted(candidates(query), key=lambda one: any(place in hidden for place in one))
    for candidate in (*found, *(tuple(sorted({*one, *hidden})) for one in found if hidden)):
        if identifies(query, frozenset(candidate)):
            return candidate
    if query.distinct:
        return everything
    if isinstance(query, SetOperation) and query.kind != "union":
        kind = query.kind.upper()
        raise Refusal(
            Code.KEY_MISSING,
            f"{kind} ALL keeps rows that look alike, and nothing tells them apart.",
            instead=f"{kind}, columns on its left side that hold a primary key or what is grouped by, or ticks, which count them",
        )
    if any(is_void(output.scalar) for branch in branches_of(query) for output in branch.outputs):
        raise Refusal(
            Code.KEY_MISSING,
            "No key can be inferred: a NULL of the result may be a value, or what a grouping leaves out.",
            instead="grouping(…) of all that it groups by, AS a_name, and key= this and what it groups by",
        )
    raise Refusal(
        Code.KEY_MISSING,
        "No key can be inferred: the result does not hold a unique key of its first table.",
        instead="key=, with the primary key among the result's columns; or ticks, where rows that are alike are counted",
    )


def _grouped_key(block: Block) -> tuple[int, ...]:
    found: list[int] = []
    for group in block.groups or ():
        if group.is_constant:
            continue
        shapes = [bare_text(output.scalar) for output in block.outputs]
        if bare_text(group) not in shapes:
            raise Refusal(
                Code.KEY_MISSING,
                f"The query groups by {group.text}, which is not in its result.",
                instead=f"SELECT {group.text} AS a_name, …",
            )
        if shapes.index(bare_text(group)) not in found:
            found.append(shapes.index(bare_text(group)))
    return tuple(found)


def candidates(query: Query) -> list[tuple[int, ...]]:
    """Sets of outputs that might be a key, likelier ones first."""
    if isinstance(query, SetOperation):
        return _candidates_of_branches(query)
    everything = tuple(range(len(query.outputs)))
    if isinstance(query, Recursion):
        return [everything] if query.distinct else []
    if query.groups is not None:
        return [_grouped_key(query)] if _is_listed(query) else []
    if query.distinct:
        return [everything]
    if _is_one_row(query):
        return [()]
    if query.distinct_on:
        shapes = [bare_text(output.scalar) for output in query.outputs]
        terms = [bare_text(term) for term in query.distinct_on]
        return [tuple(shapes.index(term) for term in terms)] if all(term in shapes for term in terms) else []
    if any(isinstance(output.scalar.tree, exp.Window) and is_hidden(output.name) for output in query.outputs):
        return [everything]
    return _candidates_of_items(query)


def _candidates_of_branches(query: SetOperation) -> list[tuple[int, ...]]:
    found = [] if query.distinct and query.kind == "union" else candidates(query.left)
    if query.kind == "union":
        # Each branch may be identified by columns of its own.
        firsts = [one[0] for branch in query.branches if (one := candidates(branch))]
        found.append(_together(firsts))
        shared = tuple(position for position in found[-1] if all(position in one for one in firsts))
        hidden = tuple(position for position, one in enumerate(query.outputs) if is_hidden(one.name))
        found += [_together((shared, hidden))] if hidden else []
    telling = tuple(
        position
        for position in range(len(query.outputs))
        if all(branch.outputs[position].scalar.is_constant for branch in query.branches)
    )
    found += [_together((telling, one)) for one in found]
    return [*found, *([tuple(range(len(query.outputs)))] if query.distinct else [])]


def _candidates_of_items(block: Block) -> list[tuple[int, ...]]:
    """Keys of single items of FROM that the result holds, then one of each item, then all of them."""
    named = {output.scalar.column: position for position, output in reversed(list(enumerate(block.outputs)))}
    for scalar in (*block.where, *(scalar for item in block.items for scalar in item.on)):
        # What is equal to a column of the result may stand for it.
        sides = [side.column for side in equality(scalar) or ()]
        for here, there in zip(sides, sides[::-1], strict=True):
            if here is not None and there in named:
                named.setdefault(here, named[there])
    by_item = [
        [tuple(named[column] for column in key) for key in _keys_of(item) if all(column in named for column in key)]
        for item in block.items
    ]
    found = [key for keys in by_item for key in keys]
    if len(by_item) > 1 and all(by_item):
        found.append(_together(keys[0] for keys in by_item))
        found.append(_together(key for keys in by_item for key in keys))
    return found


def _keys_of(item: Item) -> list[list[tuple[str, str]]]:
    """The columns of each key that an item of FROM may have, as (alias, name)."""
    if isinstance(item, Occurrence):
        return [[(item.alias, term or "") for term in unique.terms] for unique in item.table.uniques]
    if isinstance(item, Called):
        return [[(item.alias, item.unique)]] if item.unique else [[]] if item.single else []
    names = [output.name for output in item.query.outputs]
    return [[(item.alias, names[position]) for position in key] for key in candidates(item.query)]


def _together(keys: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """The outputs of all of them, each once."""
    return tuple(dict.fromkeys(position for key in keys for position in key))


def _is_one_row(block: Block) -> bool:
    """True for aggregates without GROUP BY, and for values that are computed from nothing in FROM."""
    return block.groups is None and (bool(block.aggregates) or not (block.items or block.where))


def _is_listed(query: Query) -> TypeGuard[Block]:
    if not isinstance(query, Block) or query.groups is None:
        return False
    shapes = {bare_text(output.scalar) for output in query.outputs}
    return all(group.is_constant or bare_text(group) in shapes for group in query.groups)


def require_plain_values(key: tuple[KeyColumn, ...], outputs: tuple[OutputColumn, ...]) -> None:
    """Raises `Refusal` for a key whose values hold NULLs of their own: to PostgreSQL a row of NULLs is NULL, and is not."""
    names = {column.name for column in key}
    for output in outputs:
        if output.composite and output.name in names:
            raise Refusal(
                Code.UNSUPPORTED,
                f"The key column {output.name} is of the composite type {output.type}: to PostgreSQL a value that holds nothing "
                "but NULLs is NULL, and is another value than NULL.",
                instead=f"a key column for each of its fields: SELECT (x.{output.name}).field AS …",
            )


def require_seen(key: tuple[KeyColumn, ...]) -> None:
    """Raises `Refusal` for a key that no reader sees: who is told of a row could not find it."""
    for column in key:
        if is_hidden(column.name):
            raise Refusal(
                Code.KEY_MISSING,
                f"Events name rows by their key, and {column.output.scalar.text} is not in the result.",
                instead="it among the columns of the result",
            )
