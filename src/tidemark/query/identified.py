"""What identifies a row and nobody is shown.

Owns: `lower_identified`. Promises: the query has the rows that it had, with more columns, under names of ours, that no reader
sees: what it groups by and leaves out, the primary keys of its tables, the numbers of elements, and which branch of a UNION ALL a
row comes from; of queries in FROM too, WITH and views among them. Whether that identifies a row is for `query.keys` to prove.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Column, Describe, Outputs, Table
from tidemark.query.affinity import affinity
from tidemark.query.called import ORDINALITY, unique_of
from tidemark.query.cut import HIDDEN_KEY, cut_like, lower_with_order, written_out
from tidemark.query.functions import function_name, is_aggregate
from tidemark.query.inline import unwrapped
from tidemark.query.lower import lower_query, whole_call
from tidemark.query.parse import render
from tidemark.query.relation import Query
from tidemark.query.trees import aliased, bare, column_at, outputs_of, own_items, own_nodes

BRANCHES_MAX = 32
_NO_VALUE = {
    "INTEGER": "0",
    "TEXT": "''",
    "smallint": "0",
    "integer": "0",
    "bigint": "0",
    "numeric": "0",
    "text": "''",
    "character varying": "''",
    "boolean": "false",
    "date": "'2000-01-01'",
    "timestamp without": "'2000-01-01'",
    "uuid": "'00000000-0000-0000-0000-000000000000'",
}
"""Some value of a type, by the beginning of its name."""


def lower_identified(
    text: str, catalog: Catalog, dialect: Dialect, moment: str, describe: Describe
) -> tuple[str, Query, Outputs, Outputs]:
    """As `lower_with_order`, with what may identify a row among the columns that are kept. Raises `Refusal` where there is
    nothing of that, or it would be another query."""
    text, _, _, shown = lower_with_order(text, catalog, dialect, moment, describe)
    tree = written_out(text, catalog, dialect)
    if not _Telling(catalog, dialect, describe).of(tree):
        raise Refusal(Code.KEY_MISSING, "Nothing tells its rows apart.", instead="key=")
    stored = describe(render(tree, dialect))
    kept = render(cut_like(text, tree, dialect), dialect)
    return kept, lower_query(kept, catalog, dialect, moment), stored, shown


@dataclass(frozen=True)
class _Told:
    """A term that may tell rows apart, and the column of a table that it is, None where it is computed."""

    term: exp.Expression
    column: Column | None = None


@dataclass(frozen=True)
class _Telling:
    """Puts what tells the rows of a query apart among its columns. Every name in the query is written out."""

    catalog: Catalog
    dialect: Dialect
    describe: Describe

    def of(self, query: exp.Expression) -> list[str]:
        """The names of the columns that may tell its rows apart, afterwards; empty where there are none."""
        query = unwrapped(query)
        if isinstance(query, exp.SetOperation):
            branches = _branches(query)
            return self._of_branches(branches) if branches else _named(query)
        if not isinstance(query, exp.Select):
            return []
        if query.args.get("with_") is not None or _is_distinct(query):
            # Rows of a recursion are different where it says so, and nothing else could be known of them.
            return _named(query)
        return [self._place(query, told.term) for told in self._terms(query)]

    def _terms(self, select: exp.Select) -> list[_Told]:
        """What may tell the rows of a SELECT apart, in terms of what it reads."""
        distinct, group = select.args.get("distinct"), select.args.get("group")
        if distinct is not None and distinct.args.get("on") is not None:
            return [_Told(one) for one in distinct.args["on"].expressions]
        if group is not None:
            return [_Told(bare(one)) for one in group.expressions if not isinstance(bare(one), exp.Literal)]
        if any(is_aggregate(node) and not _is_windowed(node) for node in own_nodes(select)):
            return []
        full = any(join.side.upper() == "FULL" for join in select.args.get("joins") or ())
        return [told for item in own_items(select) for told in self._of_item(item, marked=full)]

    def _of_item(self, item: exp.Expression, *, marked: bool) -> list[_Told]:
        """The same of an item of FROM; `marked` where a group of NULL has to be told from no row."""
        if isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier):
            table = self._table(item)
            return [
                _Told(column_at(item.alias, one.name), one) for one in (_key_of(table) if table is not None else ())
            ]
        if isinstance(item, exp.Table):
            return [_Told(column_at(item.alias, name)) for name in self._number_of(item)]
        told, inner = self.of(item.this), unwrapped(item.this)
        if marked and isinstance(inner, exp.Select) and self._may_be_null(inner):
            told.append(_append(inner, exp.Literal.number(1)))
        return [_Told(column_at(item.alias, name)) for name in told]

    def _may_be_null(self, select: exp.Select) -> bool:
        """Whether it shows groups, or the rows of a derived table: what tells those apart may be NULL."""
        found = (self._table(item) for item in own_items(select) if isinstance(item, exp.Table))
        return select.args.get("group") is not None or any(one is not None and one.keeps is not None for one in found)

    def _number_of(self, item: exp.Table) -> list[str]:
        """The column that tells the rows of one call apart; PostgreSQL numbers them where there is none."""
        name, columns = str(function_name(item.this)), item.args["alias"].args.get("columns") or []
        names = [str(one.name) for one in columns]
        if item.args.get("ordinality"):
            return names[-1:]
        unique = unique_of(name, len(item.this.expressions), self.dialect)
        if unique is not None:
            return names[unique : unique + 1]
        if not names or any(isinstance(one, exp.ColumnDef) for one in columns):
            return []
        number = next(one for one in (ORDINALITY, f"{HIDDEN_KEY}{ORDINALITY}") if one not in names)
        item.set("ordinality", True)
        item.args["alias"].append("columns", exp.to_identifier(number, quoted=True))
        return [number]

    def _table(self, item: exp.Table) -> Table | None:
        schema = item.args["db"].name if item.args.get("db") else ""
        return self.catalog.find(item.name, schema)

    def _place(self, select: exp.Select, term: exp.Expression) -> str:
        """The name of the column that is the term, put among those of the SELECT where it is none of them."""
        text, names = render(term, self.dialect), [name for name, _ in outputs_of(select)]
        for name, shown in outputs_of(select):
            if name and names.count(name) == 1 and render(bare(shown), self.dialect) == text:
                return name
        return _append(select, term)

    # -- UNION ALL ----------------------------------------------------------------------------------------------------

    def _of_branches(self, branches: list[exp.Select]) -> list[str]:
        """The same of branches that are put together: which of them a row is of, and what tells the rows of each apart; that is a
        value of no meaning in the others."""
        told = [self._terms(branch) for branch in branches]
        pairs = list(zip(branches, told, strict=True))
        shown = [[self._shown(branches[0], branch, one.term) for one in terms] for branch, terms in pairs]
        found = [name for name in dict.fromkeys(shown[0]) if name and all(name in names for names in shown)]
        slots: dict[tuple[str, int], dict[int, exp.Expression]] = {}
        for number, (branch, every) in enumerate(pairs):
            terms = [one for one, name in zip(every, shown[number], strict=True) if name not in found]
            taken: dict[str, int] = {}
            for one, type_ in zip(terms, self._types(branch, terms), strict=True):
                taken[type_] = taken.get(type_, 0) + 1
                slots.setdefault((type_, taken[type_]), {})[number] = one.term
        for (type_, _), terms_of in slots.items():
            for number, branch in enumerate(branches):
                name = _append(branch, terms_of.get(number) or _nothing(type_, self.dialect))
            found.append(name)
        for number, branch in enumerate(branches, start=1):
            name = _append(branch, exp.Literal.number(number))
        return [*found, name]

    def _shown(self, first: exp.Select, branch: exp.Select, term: exp.Expression) -> str:
        """The name that all branches have for what is the term in this one; empty where there is none."""
        names = [name for name, _ in outputs_of(first)]
        text = render(term, self.dialect)
        for name, (_, shown) in zip(names, outputs_of(branch), strict=False):
            if name and names.count(name) == 1 and render(bare(shown), self.dialect) == text:
                return name
        return ""

    def _types(self, branch: exp.Select, terms: Sequence[_Told]) -> list[str]:
        """The types of terms; on SQLite the affinities of columns, and nothing of what is computed."""
        if not self.dialect.types_are_fixed:
            return [affinity(one.column.type) if one.column is not None else "" for one in terms]
        if all(one.column is not None for one in terms):
            return [one.column.type for one in terms if one.column is not None]
        asked = branch.copy()
        for name in ("order", "limit", "offset", "distinct"):
            asked.set(name, None)
        asked.set("expressions", [exp.Alias(this=t.term.copy(), alias=f"t{n}") for n, t in enumerate(terms)])
        return [one.type for one in self.describe(render(asked, self.dialect))]


def _branches(query: exp.Expression) -> list[exp.Select]:
    """The SELECTs of a UNION ALL; none where it is another thing, in which one more column would be another query."""
    query = unwrapped(query)
    if isinstance(query, exp.Select):
        plain = query.args.get("with_") is None and query.args.get("distinct") is None
        return [query] if plain else []
    if not isinstance(query, exp.Union) or query.args.get("distinct"):
        return []
    sides = [_branches(side) for side in (query.this, query.expression)]
    found = [one for side in sides for one in side] if all(sides) else []
    return found if len(found) <= BRANCHES_MAX else []


def _is_windowed(call: exp.Expression) -> bool:
    whole = whole_call(call)
    return isinstance(whole.parent, exp.Window) and whole.parent.this is whole


def _append(select: exp.Select, term: exp.Expression) -> str:
    taken = {name for name, _ in outputs_of(select)}
    name = next(one for number in range(1, len(taken) + 2) if (one := f"{HIDDEN_KEY}{number}") not in taken)
    select.append("expressions", aliased(term.copy(), name))
    return name


def _named(query: exp.Expression) -> list[str]:
    """The names of a query's columns, where each has one of its own."""
    names = [name for name, _ in outputs_of(query)]
    return names if all(names) and len(set(names)) == len(names) else []


def _is_distinct(select: exp.Select) -> bool:
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is None


def _nothing(type_: str, dialect: Dialect) -> exp.Expression:
    """A value of that type, the same in every row; NULL where none is known, by which rows are found less well."""
    value = next((one for name, one in _NO_VALUE.items() if type_.startswith(name)), None)
    if not type_:
        return exp.Null()
    return exp.Var(this=f"CAST({'NULL' if value is None else value} AS {type_})")


def _key_of(table: Table) -> Iterable[Column]:
    """The columns of a unique key without NULLs, the primary one first; none where there is none. In the key of a derived table
    NULL is a value like any other."""
    for unique in sorted(table.uniques, key=lambda one: not one.primary):
        columns = [column for term in unique.terms if (column := table.column(term or "")) is not None]
        told = table.keeps is not None or all(one.not_null for one in columns)
        if unique.where is None and len(columns) == len(unique.terms) and told:
            return columns
    return []
