"""A query in two: the rows that are stored, and what is asked of them.

Owns: `Stage`, `Staged`, and the marks that stand in FROM for stages before these have names. Which queries fall apart so is known
elsewhere (`tidemark.query.staged`, `tidemark.query.compared`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.query.inline import SHOWN
from tidemark.query.parse import render
from tidemark.query.trees import aliased, outputs_of

ROW = "x"
"""The alias of the stage in the query over it, where the query has none for it."""


@dataclass(frozen=True)
class Stage:
    """The text of a query whose rows are stored. `indexes` are columns by which the rows of a group, and the first and the last
    value of one, are found. `alike` is the same text in all queries that have the same rows under the same names."""

    text: str
    indexes: tuple[tuple[str, ...], ...] = ()
    alike: str = ""


@dataclass(frozen=True)
class Staged:
    """A query in two: the `stages`, and the text of the query over them, with a mark in FROM for each. `beside` are the tables
    that it reads beside them, `compared` tells that it shows rows of them and takes none together."""

    stages: tuple[Stage, ...]
    over: str
    beside: tuple[Table, ...] = ()
    compared: bool = False


def over_rows(found: Staged, tables: Sequence[Table], dialect: Dialect) -> str:
    """The query over the rows of its stages as the text of one over tables that have them."""
    text = found.over
    for number, table in enumerate(tables, start=1):
        text = text.replace(mark(number, dialect), dialect.quote(table.schema, table.name))
    return text


def marked_item(alias: str, number: int = 1) -> exp.Table:
    """The item of FROM that is a stage, before it has a name."""
    return exp.Table(
        this=exp.to_identifier(f"tidemark stage {number}", quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
    )


def numbered(over: str, number: int, dialect: Dialect) -> str:
    """The text over a first stage as one over the stage of that number."""
    return over.replace(mark(1, dialect), mark(number, dialect))


def mark(number: int, dialect: Dialect) -> str:
    """What stands in FROM for the stage of that number."""
    return dialect.quote(f"tidemark stage {number}")


def name_outputs(select: exp.Select) -> None:
    """Give each column the name that it has as it is, whatever takes its place."""
    for one in list(select.expressions):
        if isinstance(one, exp.Column):
            one.replace(aliased(one.copy(), one.name))


def unnamed(tree: exp.Expression) -> str:
    """The text of a query whatever its aliases are, which are others in each branch. The tree is used up."""
    aliases = list(dict.fromkeys(node.name for node in tree.find_all(exp.TableAlias)))
    for node in tree.find_all(exp.TableAlias):
        node.set("this", exp.to_identifier(f"t{aliases.index(node.name)}"))
    for column in tree.find_all(exp.Column):
        if column.table in aliases:
            column.set("table", exp.to_identifier(f"t{aliases.index(column.table)}"))
    return tree.sql()


def text_of(tree: exp.Expression, dialect: Dialect) -> str:
    """The text of a tree, in which derived tables have the names that readers have for them, whatever generation is seen there.
    The tree is used up."""
    for body in [node for node in tree.find_all(exp.Select) if SHOWN in node.meta]:
        schema, name, columns = body.meta[SHOWN]
        item, own = cast(exp.Subquery, body.parent), tuple(name for name, _ in outputs_of(body))
        listed = [exp.to_identifier(one, quoted=True) for one in own] if own != columns else []
        alias = exp.TableAlias(this=exp.to_identifier(item.alias, quoted=True), columns=listed)
        item.replace(exp.Table(this=exp.to_identifier(name, quoted=True), db=_schema(schema), alias=alias))
    return render(tree, dialect)


def _schema(name: str) -> exp.Identifier | None:
    return exp.to_identifier(name, quoted=True) if name else None
