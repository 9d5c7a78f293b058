"""Which rows of a source an index finds, and what the predicate of a partial one demands.

Owns: `has_index`, `is_found` and the shapes in which a predicate of the catalog is compared with the conditions of a query.
"""

from __future__ import annotations

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Refusal
from tidemark.model import Table
from tidemark.query.inline import fold
from tidemark.query.parse import parse_query
from tidemark.query.relation import Block, Occurrence, Scalar
from tidemark.query.trees import bare


def predicate_shapes(text: str, occurrence: Occurrence, dialect: Dialect) -> frozenset[str] | None:
    """The conjuncts of a catalog predicate as comparable shapes over that occurrence; None when it cannot be read."""
    try:
        tree = parse_query(f"SELECT 1 FROM x WHERE {text}", dialect).args["where"].this.copy()
    except Refusal:
        return None
    for node in tree.find_all(exp.Column):
        meant = fold(node.this, dialect)
        name = next((c.name for c in occurrence.table.columns if dialect.fold(c.name) == meant), node.name)
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("table", exp.to_identifier(occurrence.alias, quoted=True))
    pending, found = [tree], set()
    while pending:
        node = bare(pending.pop())
        if isinstance(node, exp.And):
            pending += [node.this, node.expression]
        else:
            found.add(Scalar(node, dialect).shape)
    return frozenset(found)


def has_index(table: Table, columns: tuple[str, ...]) -> bool:
    """True when an index (total) leads with one of `columns`, or one of them is the rowid itself."""
    if any(column.rowid_alias and column.name in columns for column in table.columns):
        return True
    return any(index.where is None and index.terms and index.terms[0] in columns for index in table.indexes)


def is_found(block: Block, scan: Occurrence, columns: tuple[str, ...]) -> bool:
    """True when rows of a block's scan with a given value of one of the columns are found by an index, a partial one included
    whose predicate the block demands itself."""
    if has_index(scan.table, columns):
        return True
    have = {scalar.shape for scalar in (*block.where, *scan.on)}
    for index in scan.table.indexes:
        if index.where is not None and index.terms and index.terms[0] in columns:
            wanted = predicate_shapes(index.where, scan, block.dialect)
            if wanted is not None and wanted <= have:
                return True
    return False
