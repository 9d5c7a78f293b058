"""The most frequent value of a key: the first of its groups, read in a support instead of in the rows.

Owns: which subqueries take the first of their groups (``… GROUP BY value ORDER BY count(*) DESC, value LIMIT 1``), and which
queries ask for a ``mode()``; the supports that hold those groups, and the same queries over these. The groups of all keys are a
linear query, so a support of them costs what changes; taking the first of one key's groups then reads as many rows as the key
has different values, however many rows. Promises: a query over its support gives what it gives over the source; PostgreSQL's
``mode()`` takes the first in its order of the values that are equally frequent, and none that is NULL. Knows nothing of when a
support is worth its rows (`compiler/supports.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Catalog, Table
from tidemark.names import ROWS, support_name
from tidemark.query.lower import lower_query
from tidemark.query.moment import reads_moment
from tidemark.query.parse import render
from tidemark.query.relation import Aggregate, Block, Nested, Occurrence, Query, Scalar
from tidemark.query.unique import equality
from tidemark.query.units import is_exact, same_comparison

ROW = "r"
_KEPT = ("min", "max")


@dataclass(frozen=True)
class Ranked:
    """A subquery that takes the first of a key's groups: the `groups` of rows that satisfy `where`, by `key`, whose terms are
    equal to those of `outer`."""

    block: Block
    occurrence: Occurrence
    key: tuple[Scalar, ...]
    outer: tuple[Scalar, ...]
    groups: tuple[Scalar, ...]
    where: tuple[Scalar, ...]

    @property
    def shape(self) -> tuple[object, ...]:
        """What two subqueries have in common that can read one support."""
        parts = (self.key, self.groups, self.where)
        return (self.occurrence.table.label, *(tuple(one.at_row(ROW) for one in part) for part in parts))

    @property
    def is_apart(self) -> bool:
        """Whether no term of the key is one of the groups."""
        return {one.at_row(ROW) for one in self.key}.isdisjoint(one.at_row(ROW) for one in self.groups)

    @property
    def keys(self) -> list[str]:
        """The support's column for each term of the key."""
        return _names("k", self.key)

    @property
    def values(self) -> list[str]:
        """The support's column for each term of the groups."""
        return _names("x", self.groups)

    def column(self, name: str) -> str:
        """A column of the support, which stands in the place of the scan."""
        return self.block.dialect.quote(self.occurrence.alias, name)


@dataclass(frozen=True)
class Ranking:
    """A support of groups, and the subqueries that read it."""

    name: str
    readers: tuple[Ranked, ...]

    @property
    def occurrence(self) -> Occurrence:
        """The scan whose rows are grouped."""
        return self.readers[0].occurrence

    @property
    def key(self) -> tuple[Scalar, ...]:
        """What a group belongs to."""
        return self.readers[0].key

    @property
    def value(self) -> Scalar:
        """What is counted."""
        return self.readers[0].groups[0]

    @property
    def _extremes(self) -> tuple[str, ...]:
        """The aggregates that are kept beside the count, over one row."""
        calls = [_call(call) for one in self.readers for call in one.block.aggregates if call.argument is not None]
        return tuple(dict.fromkeys(calls))

    def query(self, source: str) -> str:
        """The query of the support; `source` is the quoted name of its table."""
        first = self.readers[0]
        named = zip((*first.keys, *first.values), (*first.key, *first.groups), strict=True)
        terms = {name: one.at_row(ROW) for name, one in named}
        shown = [f"{term} AS {name}" for name, term in terms.items()]
        shown += [f"{call} AS a{number}" for number, call in enumerate(self._extremes)]
        where = " AND ".join(f"({one.at_row(ROW)})" for one in first.where)
        where = f" WHERE {where}" if where else ""
        return f"SELECT {', '.join(shown)}, count(*) AS n FROM {source} AS {ROW}{where} GROUP BY {', '.join(terms.values())}"

    def read(self, reader: Ranked, store: Table) -> str:
        """The subquery over the support, whose rows are in `store`."""
        block, dialect, column = reader.block, reader.block.dialect, reader.column
        name = dialect.quote(store.schema, store.name)
        source = f"FROM {name} AS {dialect.quote(reader.occurrence.alias)} WHERE {column(ROWS)} > 0"
        if not reader.outer:
            return _modes(reader, source)
        texts = {one.text: column(name) for name, one in zip(reader.values, reader.groups, strict=True)}
        for call in block.aggregates:
            known = call.argument is not None
            texts[call.text] = column(f"_a{self._extremes.index(_call(call))}" if known else ROWS)
        (output,) = block.outputs
        shown = f"{output.scalar.swapped(texts)} AS {dialect.quote(output.name or 'first')}"
        ties = [f"{column(name)} = {one.text}" for name, one in zip(reader.keys, reader.outer, strict=True)]
        order = ", ".join(_ordered(item, texts, dialect) for item in _order(block))
        return f"SELECT {shown} {source} AND {' AND '.join(ties)} ORDER BY {order} LIMIT 1"


def _names(letter: str, terms: Sequence[Scalar]) -> list[str]:
    """A name for each term; one that is written twice is one column."""
    texts = [one.at_row(ROW) for one in terms]
    return [f"{letter}{texts.index(one)}" for one in texts]


def rankings(owner: str, query: Query) -> tuple[Ranking, ...]:
    """The supports in which the first of a key's groups could be read, for every subquery that takes one."""
    if reads_moment(query):
        return ()
    if isinstance(query, Block) and (moded := _moded(query)) is not None:
        return (Ranking(support_name(owner, 1), (moded,)),)
    shapes: dict[tuple[object, ...], list[Ranked]] = {}
    for around, nested in ((block, one) for block in query.blocks for one in block.nested):
        if (found := _ranked(nested, around)) is not None:
            shapes.setdefault(found.shape, []).append(found)
    return tuple(
        Ranking(support_name(owner, number), tuple(mine)) for number, mine in enumerate(shapes.values(), start=1)
    )


def over_rankings(owner: str, query: Query, stores: Mapping[str, Table], catalog: Catalog) -> Query:
    """The query with what it ranks read in the supports that are there, by name. `query` is used up."""
    found = [one for one in rankings(owner, query) if one.name in stores] if stores else []
    for ranking in found:
        for reader in ranking.readers:
            if reader.block is query:
                return lower_query(ranking.read(reader, stores[ranking.name]), catalog, query.dialect)
            reader.block.tree.replace(exp.Var(this=ranking.read(reader, stores[ranking.name])))
    return lower_query(render(query.tree, query.dialect), catalog, query.dialect) if found else query


def _moded(block: Block) -> Ranked | None:
    """The query as one that counts values by its groups, where it asks for modes of one value and counts rows beside."""
    single = block.is_flat and len(block.items) == 1
    if not (single and block.groups) or block.nested or block.windows or block.limited or block.distinct:
        return None
    orders = [
        _mode_order(block, call) for call in block.aggregates if call.argument is not None or call.function != "count"
    ]
    values = {Scalar(cast(exp.Expression, one.this), block.dialect) for one in orders if one is not None}
    plain = not any(call.condition is not None or call.distinct for call in block.aggregates)
    groups = tuple(one for one in block.groups if not one.is_constant)
    if not (plain and groups and orders and all(orders) and len(values) == 1 and _is_source(block.occurrences[0])):
        return None
    made = Ranked(block, block.occurrences[0], groups, (), tuple(values), block.where)
    return made if made.is_apart and is_exact(block, next(iter(values))) else None


def _mode_order(block: Block, call: Aggregate) -> exp.Ordered | None:
    """What a call of ``mode()`` orders by; None for any other call."""
    if call.function != "mode":
        return None
    calls = (node for node in block.own_nodes if isinstance(node, exp.WithinGroup))
    order = next((node.expression for node in calls if render(node, block.dialect) == call.text), None)
    return order.expressions[0] if isinstance(order, exp.Order) and len(order.expressions) == 1 else None


def _modes(reader: Ranked, source: str) -> str:
    """The query over its support, group by group."""
    block, rows = reader.block, reader.column(ROWS)
    (value,) = map(reader.column, reader.values)
    texts = {one.text: reader.column(name) for name, one in zip(reader.keys, reader.key, strict=True)}
    for call in block.aggregates:
        order = _mode_order(block, call)
        if order is None:
            texts[call.text] = f"CAST(sum({rows}) AS bigint)"
            continue
        then = _ordered(order, {reader.groups[0].text: value}, block.dialect)
        texts[call.text] = f"(array_agg({value} ORDER BY {rows} DESC, {then}) FILTER (WHERE {value} IS NOT NULL))[1]"
    shown = ", ".join(f"{one.scalar.swapped(texts)} AS {block.dialect.quote(one.name)}" for one in block.outputs)
    having = f" HAVING {block.having.swapped(texts)}" if block.having is not None else ""
    return f"SELECT {shown} {source} GROUP BY {', '.join(map(reader.column, reader.keys))}{having}"


def _is_source(occurrence: Occurrence) -> bool:
    table = occurrence.table
    return table.keeps is None and not table.scanned and table.kind in ("table", "partitioned")


def _ranked(nested: Nested, around: Block) -> Ranked | None:
    block = nested.query
    if nested.form != "scalar" or not isinstance(block, Block) or not block.is_flat or len(block.items) != 1:
        return None
    (occurrence,) = block.occurrences
    plain = not (block.nested or block.windows or block.distinct or block.distinct_on or block.having)
    limit = block.tree.args.get("limit")
    first = limit is not None and limit.text("expression") == "1" and not block.tree.args.get("offset")
    if not (
        plain
        and first
        and block.groups
        and _is_source(occurrence)
        and _order(block)
        and all(_is_kept(call) for call in block.aggregates)
    ):
        return None
    alias, pairs, where = occurrence.alias, [], []
    for scalar in block.where:
        sides = equality(scalar)
        pair = next(((a, b) for a, b in (sides, sides[::-1]) if _ties(a, b, block, around)), None) if sides else None
        if pair is not None:
            pairs.append(pair)
        elif scalar.aliases <= {alias}:
            where.append(scalar)
        else:
            return None
    made = Ranked(
        block,
        occurrence,
        tuple(own for own, _ in pairs),
        tuple(other for _, other in pairs),
        block.groups,
        tuple(where),
    )
    return made if pairs and made.is_apart and _is_made_of_groups(made) else None


def _ties(own: Scalar, other: Scalar, block: Block, around: Block) -> bool:
    """Whether a column of the subquery's scan is equal to one outside, and values that its groups take for one are equal to the
    same values there."""
    if (
        own.column is None
        or other.column is None
        or not own.aliases <= block.local
        or not other.aliases <= around.local
    ):
        return False
    return same_comparison(block, own.column, other.column, around)


def _is_kept(call: Aggregate) -> bool:
    if call.distinct or call.condition is not None:
        return False
    return call.function == "count" if call.argument is None else call.function in _KEPT


def _is_made_of_groups(ranked: Ranked) -> bool:
    """Whether nothing but groups and aggregates of the scan is shown and ordered by."""
    block = ranked.block
    texts = {one.text: "0" for one in ranked.groups} | {call.text: "0" for call in block.aggregates}
    items = [Scalar(cast(exp.Expression, item.this), block.dialect) for item in _order(block)]
    quoted = block.dialect.quote(ranked.occurrence.alias) + "."
    return all(quoted not in scalar.swapped(texts) for scalar in (block.outputs[0].scalar, *items))


def _order(block: Block) -> list[exp.Ordered]:
    order = block.tree.args.get("order")
    return list(order.expressions) if order is not None else []


def _ordered(item: exp.Ordered, texts: Mapping[str, str], dialect: Dialect) -> str:
    copy = item.copy()
    copy.set("this", exp.Var(this=Scalar(cast(exp.Expression, item.this), dialect).swapped(texts)))
    return render(copy, dialect)


def _call(call: Aggregate) -> str:
    """An aggregate over the row ``r``."""
    assert call.argument is not None
    return f"{call.function}({call.argument.at_row(ROW)})"
