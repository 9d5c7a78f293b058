"""What to write so that a change touches a part of the result alone.

Owns: `advice_on`. Promises: what it advises is about the query at hand: where its rows begin, the types and collations of its
branches, what they are compared with; empty where there is nothing of that kind to say.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tidemark.query.relation import Block, Derived, Query, Recursion, Scalar, SetOperation, is_given
from tidemark.query.units import is_uniform

BEGINNING = (
    "what each row began with as a column of the result, which every step of the recursion hands on (SELECT id AS root, … UNION "
    "SELECT r.root, … FROM r JOIN … ON a column = r.a_column)"
)
FIGURE = (
    "what rows are compared with as one figure in WHERE or HAVING, price > (SELECT avg(price) FROM item) or total = (SELECT "
    "max(total) FROM sums)"
)


def advice_on(query: Query) -> tuple[str, ...]:
    """What to write in the place of a query of which a change may touch every row."""
    found = []
    inside = tuple(_every(query))
    unlike = (name for one in inside if isinstance(one, SetOperation) for name in _unlike(one))
    if (name := next(unlike, None)) is not None:
        found.append(
            f"CAST({name} AS TEXT), or another type or one COLLATE, in every branch: they compare it in different ways"
        )
    if any(isinstance(one, Recursion) and not is_given(one) for one in inside):
        found.append(BEGINNING)
    if any(_compares(one) for one in inside if isinstance(one, Block)):
        found.append(FIGURE)
    return tuple(found)


def _compares(block: Block) -> bool:
    """Whether a total stands beside other rows in FROM, or ALL compares with the rows of a subquery."""
    inner = [item.query for item in block.items if isinstance(item, Derived)] if len(block.items) > 1 else []
    totals = any(isinstance(one, Block) and one.is_aggregated and one.groups is None for one in inner)
    return totals or any(node.find(exp.Select) is not None for node in block.own_nodes if isinstance(node, exp.All))


def _unlike(query: SetOperation) -> Iterator[str]:
    """The columns that the branches of a query compare in different ways."""
    for position, output in enumerate(query.outputs):
        found = any(_is_found(branch, branch.outputs[position].scalar) for branch in query.branches)
        if not found and not is_uniform(query, position):
            yield output.name


def _is_found(block: Block, scalar: Scalar) -> bool:
    """Whether a value comes from a recursion, of which nobody says that all steps compare it alike."""
    items = [item.query for item in block.items if isinstance(item, Derived) and item.alias in scalar.aliases]
    return any(isinstance(one, Recursion) for query in items for one in _every(query))


def _every(query: Query) -> Iterator[Query]:
    """The query and all in it, in FROM and in its values; of a recursion not how it is made."""
    yield query
    inner: list[Query] = []
    if isinstance(query, Block):
        inner += [item.query for item in query.items if isinstance(item, Derived)]
        inner += [nested.query for nested in query.nested]
    elif isinstance(query, SetOperation):
        inner += [query.left, query.right]
    for one in inner:
        yield from _every(one)
