"""What identifies an output row, and the proof that it does.

Owns: inference of a key, the closure that proves uniqueness, nullability of key columns. Promises: a key that is accepted is
unique in every possible content of the sources, by their own unique keys; otherwise it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Column, Table, Unique
from tidemark.query.parse import parse_query
from tidemark.query.relation import Block, Occurrence, Output, Scalar
from tidemark.query.resolve import ascii_lower


@dataclass(frozen=True)
class KeyColumn:
    """A column of the key: its output and whether NULL can occur in it."""

    output: Output
    nullable: bool

    @property
    def name(self) -> str:
        """The public name."""
        return self.output.name


def find_key(block: Block, declared: tuple[str, ...]) -> tuple[KeyColumn, ...]:
    """The key of the block's result; empty for a query of exactly one row. Raises `Refusal`."""
    for name in declared:
        if block.output(name) is None:
            have = ", ".join(output.name for output in block.outputs)
            raise Refusal(Code.KEY_MISSING, f"The key column {name} is not in the result.", instead=f"one of: {have}")
    # A constant in a key tells our rows from others' in one table, never from one another.
    declared = tuple(name for name in declared if not _is_constant(block, name))
    if block.is_aggregated and block.groups is None:
        if declared:
            raise Refusal(Code.KEY_UNPROVEN, "The result is one row, it has no key.", instead="no key=")
        return ()
    key = _grouped_key(block, declared) if block.groups is not None else _plain_key(block, declared)
    return tuple(KeyColumn(output, is_nullable(output.scalar, block)) for output in key)


def _is_constant(block: Block, name: str) -> bool:
    output = block.output(name)
    return output is not None and output.scalar.is_constant


def _grouped_key(block: Block, declared: tuple[str, ...]) -> tuple[Output, ...]:
    found: list[Output] = []
    for group in block.groups or ():
        if group.is_constant:
            continue
        output = next((o for o in block.outputs if _bare(o.scalar) == _bare(group)), None)
        if output is None:
            raise Refusal(
                Code.KEY_MISSING,
                f"The query groups by {group.text}, which is not in its result.",
                instead=f"SELECT {group.text} AS a_name, …",
            )
        found.append(output)
    names = {output.name for output in found}
    if declared and set(declared) != names:
        raise Refusal(
            Code.KEY_UNPROVEN,
            f"The key {', '.join(declared)} is not what the query groups by.",
            instead=f"key={sorted(names)!r}",
        )
    if not found:
        raise Refusal(Code.KEY_MISSING, "GROUP BY a constant has no key.", instead="no GROUP BY")
    return tuple(output for name in declared for output in found if output.name == name) if declared else tuple(found)


def _plain_key(block: Block, declared: tuple[str, ...]) -> tuple[Output, ...]:
    if block.distinct:
        key = tuple(block.outputs)
        if declared and set(declared) != {output.name for output in key}:
            raise Refusal(
                Code.KEY_UNPROVEN,
                "The key of a DISTINCT result is all of its columns.",
                instead="key= all columns, or GROUP BY",
            )
        return key
    if declared:
        key = tuple(output for name in declared if (output := block.output(name)) is not None)
        _require_proof(block, key)
        return key
    for unique in block.occurrences[0].table.uniques:
        named = {output.scalar.column: output for output in block.outputs}
        wanted = [(block.occurrences[0].alias, term) for term in unique.terms if term is not None]
        if len(wanted) == len(unique.terms) and all(column in named for column in wanted):
            key = tuple(named[column] for column in wanted)
            if is_unique(block, key):
                return key
    raise Refusal(
        Code.KEY_MISSING,
        "No key can be inferred: the result does not hold a unique key of its first table.",
        instead="key=, with the primary key among the result's columns",
    )


def _require_proof(block: Block, key: tuple[Output, ...]) -> None:
    if is_unique(block, key):
        return
    names = ", ".join(output.name for output in key)
    tables = ", ".join(occurrence.table.label for occurrence in block.occurrences)
    raise Refusal(
        Code.KEY_UNPROVEN,
        f"Nothing proves that {names} identifies a row of the result.",
        instead=f"a key that holds a NOT NULL unique key of {tables}, joins on unique keys, or GROUP BY the key",
    )


def is_unique(block: Block, key: tuple[Output, ...]) -> bool:
    """True when the sources' unique keys prove that no two rows of an ungrouped result share `key`."""
    fixed = {output.scalar.column for output in key if output.scalar.column is not None}
    not_null = {
        (occurrence.alias, column.name)
        for occurrence in block.occurrences
        if occurrence.kind != "left"
        for column in occurrence.table.columns
        if column.not_null
    } | required_columns(block)
    direct = {column for column in fixed if column in not_null}
    equalities = [pair for scalar in block.where if (pair := equality(scalar)) is not None]
    for occurrence in block.occurrences:
        if occurrence.kind != "left":
            equalities += [pair for scalar in occurrence.on if (pair := equality(scalar)) is not None]
    pinned: set[str] = set()
    moved = True
    while moved:
        moved = False
        for occurrence in block.occurrences:
            if occurrence.alias in pinned:
                continue
            own = list(equalities)
            if occurrence.kind == "left":
                own += [pair for scalar in occurrence.on if (pair := equality(scalar)) is not None]
            known = set(direct) | _equated(occurrence.alias, own, fixed, pinned, block)
            if any(_covers(unique, occurrence, known, block) for unique in occurrence.table.uniques):
                pinned.add(occurrence.alias)
                moved = True
    return len(pinned) == len(block.occurrences)


def _equated(
    alias: str,
    equalities: list[tuple[Scalar, Scalar]],
    fixed: set[tuple[str, str]],
    pinned: set[str],
    block: Block,
) -> set[tuple[str, str]]:
    """Columns of `alias` that an equality fixes to a constant, a fixed column or a pinned occurrence's value."""
    found = set()
    for left, right in equalities:
        for one, other in ((left, right), (right, left)):
            column = one.column
            if column is None or column[0] != alias or alias in other.aliases:
                continue
            if not block.dialect.has_schemas and not _matches_one(column, other, block):
                continue
            if other.is_constant or other.column in fixed or (other.aliases and other.aliases <= pinned):
                found.add(column)
    return found


def _matches_one(column: tuple[str, str], other: Scalar, block: Block) -> bool:
    """True when at most one value of the column equals a value of `other` in SQLite's comparison.

    A comparison takes the collation of its left side, and numeric affinity on one side makes '1' and '01' equal on the other.
    """
    found = _column_of(column, block)
    if found is None or other.tree.find(exp.Collate) is not None:
        return False
    if other.column is None:
        return True
    opposite = _column_of(other.column, block)
    if opposite is None or (found.collation or "BINARY") != (opposite.collation or "BINARY"):
        return False
    return is_numeric(found.type) or not is_numeric(opposite.type)


def _column_of(column: tuple[str, str], block: Block) -> Column | None:
    table = next((o.table for o in block.all_occurrences if o.alias == column[0]), None)
    return table.column(column[1]) if table is not None else None


def is_numeric(declared: str) -> bool:
    """True when SQLite gives a column of that declared type numeric affinity (https://www.sqlite.org/datatype3.html)."""
    upper = declared.upper()
    if "INT" in upper:
        return True
    return bool(upper) and not any(word in upper for word in ("CHAR", "CLOB", "TEXT", "BLOB"))


def _covers(unique: Unique, occurrence: Occurrence, known: set[tuple[str, str]], block: Block) -> bool:
    if any(term is None or (occurrence.alias, term) not in known for term in unique.terms):
        return False
    for term, collation in zip(unique.terms, unique.collations, strict=False):
        column = occurrence.table.column(term or "")
        if column is not None and collation not in (None, "BINARY") and collation == column.collation:
            continue
        if column is not None and (column.collation or "BINARY") not in ("BINARY", collation):
            return False
    if unique.where is None:
        return True
    have = {_shape(scalar.tree) for scalar in block.where} | {_shape(scalar.tree) for scalar in occurrence.on}
    wanted = predicate_shapes(unique.where, occurrence, block.dialect)
    return wanted is not None and wanted <= have


def predicate_shapes(text: str, occurrence: Occurrence, dialect: Dialect) -> frozenset[str] | None:
    """The conjuncts of a catalog predicate as comparable shapes over that occurrence; None when it cannot be read."""
    try:
        tree = parse_query(f"SELECT 1 FROM x WHERE {text}", dialect).args["where"].this.copy()
    except Refusal:
        return None
    for node in tree.find_all(exp.Column):
        name = next(
            (c.name for c in occurrence.table.columns if ascii_lower(c.name) == ascii_lower(node.name)), node.name
        )
        node.set("this", exp.to_identifier(name, quoted=True))
        node.set("table", exp.to_identifier(occurrence.alias, quoted=True))
    pending, found = [tree], set()
    while pending:
        node = pending.pop()
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.And):
            pending += [node.this, node.expression]
        else:
            found.add(_shape(node))
    return frozenset(found)


def _shape(tree: exp.Expression) -> str:
    """A text that is equal for expressions that differ in parentheses only."""
    bare = tree.transform(lambda node: node.this if isinstance(node, exp.Paren) else node)
    while isinstance(bare, exp.Paren):
        bare = bare.this
    return str(bare.sql(comments=False))


def _bare(scalar: Scalar) -> str:
    return _shape(scalar.tree)


def equality(scalar: Scalar) -> tuple[Scalar, Scalar] | None:
    """The two sides when the conjunct is ``a = b``."""
    tree = scalar.tree
    while isinstance(tree, exp.Paren):
        tree = tree.this
    if not isinstance(tree, exp.EQ):
        return None
    return Scalar(tree.this, scalar.dialect), Scalar(tree.expression, scalar.dialect)


def required_columns(block: Block) -> set[tuple[str, str]]:
    """Columns that cannot be NULL in any result row: ``IS NOT NULL`` and plain comparisons among the conjuncts."""
    found = set()
    conditions = list(block.where)
    for occurrence in block.occurrences:
        if occurrence.kind != "left":
            conditions += occurrence.on
    for scalar in conditions:
        tree = scalar.tree
        while isinstance(tree, exp.Paren):
            tree = tree.this
        # One grammar reads IS NOT NULL as the negation of IS NULL, the other as a form of its own.
        test = tree.this if isinstance(tree, exp.Not) else tree
        negated = isinstance(tree, exp.Not) != bool(tree.args.get("negate"))
        if negated and isinstance(test, exp.Is) and isinstance(test.expression, exp.Null):
            column = Scalar(test.this, scalar.dialect).column
            if column is not None:
                found.add(column)
        if isinstance(tree, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
            for side in (tree.this, tree.expression):
                column = Scalar(side, scalar.dialect).column
                if column is not None:
                    found.add(column)
    return found


def is_nullable(scalar: Scalar, block: Block) -> bool:
    """False when the expression is surely never NULL in the block's result."""
    if scalar.never_null:
        return False
    column = scalar.column
    if column is None:
        return True
    if column in required_columns(block):
        return False
    occurrence = next((o for o in block.all_occurrences if o.alias == column[0]), None)
    if occurrence is None or occurrence.kind == "left":
        return True
    found = occurrence.table.column(column[1])
    return found is None or not found.not_null


def has_index(table: Table, columns: tuple[str, ...]) -> bool:
    """True when an index (total) leads with one of `columns`, or one of them is the rowid itself."""
    if any(column.rowid_alias and column.name in columns for column in table.columns):
        return True
    return any(index.where is None and index.terms and index.terms[0] in columns for index in table.indexes)
