"""Whether what is shown of a group is the same for all of its rows.

Owns: `grouping_is_whole`. Promises: afterwards no value depends on which row of a group is read.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query.functions import is_aggregate
from tidemark.query.parse import place_of, render
from tidemark.query.relation import Block
from tidemark.query.units import bare_text, determined

_ROW_OF = (
    "; for the row that has a MAX, row_number() OVER (PARTITION BY … ORDER BY … DESC) AS n in a subquery, and n = 1"
)
"""SQLite takes a column that is neither from the row with the only MAX or MIN, whichever that is among equal ones."""


def grouping_is_whole(block: Block, catalog: Catalog) -> None:
    """With aggregates, an output is made of groups and aggregates only (SQLite would pick an arbitrary row)."""
    if not block.is_aggregated:
        return
    groups = {bare_text(scalar) for scalar in block.groups or ()}
    settled = determined(block, block.groups or ())
    checked = [output.scalar.tree for output in block.outputs]
    checked += [block.having.tree] if block.having is not None else []
    checked += [term.tree for term in block.distinct_on]
    for tree in checked:
        _only_groups(tree, groups, settled, block)


def _only_groups(node: exp.Expression, groups: set[str], settled: frozenset[str], block: Block) -> None:
    in_window = isinstance(node.parent, exp.Window) and node.arg_key == "this"
    if (is_aggregate(node) or isinstance(node, exp.Filter | exp.WithinGroup)) and not in_window:
        return
    if render(node, block.dialect) in groups:
        return
    if isinstance(node, exp.Column) and node.table in block.local and node.table not in settled:
        row_of = _ROW_OF if block.dialect.language.takes_bare_columns else ""
        raise Refusal(
            Code.UNSUPPORTED,
            f"{node.name} is neither grouped nor aggregated.",
            instead=f"add it to GROUP BY, or max({node.name}){row_of}{_hidden_alias(block)}",
            place=place_of(node, block.dialect),
        )
    for child in node.iter_expressions():
        _only_groups(child, groups, settled, block)


def _hidden_alias(block: Block) -> str:
    """What to write where GROUP BY names a column of the result that is one of a table, too, which is taken."""
    named = {group.column[1]: group.column for group in block.groups or () if group.column is not None}
    found = [one for one in block.outputs if one.name in named and named[one.name] not in one.scalar.columns]
    return "".join(
        f"; {one.name} is a column of {named[one.name][0]}, too, which GROUP BY takes: GROUP BY {one.scalar.text}"
        for one in found[:1]
    )
