"""What a column means: the item of FROM that it comes from, and its name there.

Owns: `Columns`. Promises: a column that is placed is ``"alias"."column"`` in the catalog's own spelling; a star becomes the
columns that it shows; what is not found, or found twice, is refused with its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from tidemark.dialect import Dialect, ascii_lower
from tidemark.errors import Code, Refusal
from tidemark.model import Table
from tidemark.query.called import Opened
from tidemark.query.inline import fold
from tidemark.query.parse import place_of
from tidemark.query.scopes import ROWIDS, Entry, Scope, Scopes
from tidemark.query.trees import WHOLE, named_again, resolved_column, starred_column
from tidemark.query.using import no_star
from tidemark.query.wholerow import place_row
from tidemark.telling import tell_near


@dataclass(frozen=True)
class Columns:
    """Places columns, by the tables and the functions that aliases of the query stand for so far."""

    dialect: Dialect
    tables: Mapping[str, Table]
    calls: Mapping[str, Opened]

    def expand_stars(self, select: exp.Select, scope: Scope) -> None:
        """Put the columns of its items in the place of every star of a SELECT list."""
        expanded: list[exp.Expression] = []
        for item in select.expressions:
            if not isinstance(item.this if isinstance(item, exp.Column) else item, exp.Star):
                expanded.append(item)
                continue
            if isinstance(select.parent, exp.Exists):
                expanded.append(exp.Literal.number(1))
                continue
            if isinstance(item, exp.Star):
                assert scope.merged is not None
                if scope.merged.doubled and not scope.merged.inside:
                    raise no_star(item, self.dialect)
                expanded += [starred_column(name, column) for name, column in scope.merged.star]
                continue
            owner = fold(item.args["table"], self.dialect)
            if owner not in scope.names:
                raise self._unknown(item, (scope,))
            entry = scope.names[owner]
            if entry.doubled:
                raise no_star(item, self.dialect)
            expanded += [
                starred_column(name, resolved_column(entry.alias, real)) for name, real in entry.columns.items()
            ]
        select.set("expressions", expanded)

    def place(self, node: exp.Column, scopes: Scopes) -> None:
        """Give a column its alias and its name, or put in its place what a merged name or a whole row stands for."""
        if node.meta.get("resolved"):
            return
        owner = node.args.get("table")
        for scope in scopes:
            if owner is not None:
                entry = scope.names.get(fold(owner, self.dialect))
                if entry is None:
                    continue
                if isinstance(node.this, exp.Star) and self._place_row(node, scope, owner):
                    return
                candidates = [entry]
            else:
                candidates = list(scope.names.values())
                whole = scope.merged.names.get(fold(node.this, self.dialect)) if scope.merged is not None else None
                if whole is not None:
                    node.replace(whole.copy())
                    return
            hits = [(entry.alias, found) for entry in candidates if (found := self.named(entry, node.this))]
            if len(hits) > 1:
                raise Refusal(
                    Code.UNKNOWN_COLUMN,
                    f"The column {node.name} is ambiguous.",
                    instead="the table's alias before it",
                    place=place_of(node, self.dialect),
                )
            if hits:
                alias, name = hits[0]
                node.set("this", named_again(node.this, name))
                node.set("table", exp.to_identifier(alias, quoted=True))
                node.set("db", None)
                node.set("catalog", None)
                node.meta["resolved"] = True
                return
            if owner is not None:
                break
            if self._place_row(node, scope, node.this):
                return
        raise self._unknown(node, scopes)

    def named(self, entry: Entry, identifier: exp.Expression) -> str | None:
        """The real name of the column of an item that an identifier means, or None."""
        name = fold(identifier, self.dialect)
        if self.dialect.names_have_case:
            return entry.columns.get(name)
        found = next((real for column, real in entry.columns.items() if ascii_lower(column) == name), None)
        table = self.tables.get(entry.alias)
        if found is None and table is not None and name in ROWIDS:
            # Only a column that holds it keeps it for ever.
            return next((column.name for column in table.columns if column.rowid_alias), None)
        return found

    def _place_row(self, node: exp.Column, scope: Scope, named: exp.Expression) -> bool:
        """Write what the name of an item stands for, where PostgreSQL takes it for a whole row; tells whether it is one."""
        entry = scope.names.get(fold(named, self.dialect)) if self.dialect.language.rows_are_values else None
        if entry is None:
            return False
        opened, table = self.calls.get(entry.alias), self.tables.get(entry.alias)
        if opened is not None and len(opened.columns) == 1:
            # The one value of a function's row is the row.
            node.replace(resolved_column(entry.alias, opened.columns[0]))
            return True
        known = {shown: resolved_column(entry.alias, real, **{WHOLE: True}) for shown, real in entry.columns.items()}
        padded = fold(named, self.dialect) in scope.padded
        sure = next((one.name for one in table.columns if one.not_null), None) if table is not None else None
        present = resolved_column(entry.alias, sure) if sure is not None else None
        place_row(node, known if entry.whole else None, present, self.dialect, padded=padded)
        return True

    def _unknown(self, node: exp.Column, scopes: Scopes) -> Refusal:
        near = tell_near(node.name, [name for scope in scopes for one in scope.names.values() for name in one.columns])
        return Refusal(
            Code.UNKNOWN_COLUMN,
            f"There is no column {node.sql()} in what FROM names.",
            instead=f"one of its columns: {near} (text literals take single quotes)",
            place=place_of(node, self.dialect),
        )
