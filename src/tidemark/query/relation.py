"""Our own small relation algebra: blocks of scans, subqueries and functions, with scalars that the host engine evaluates.

Owns: `Occurrence` (one scan of a source in a query), `Derived` (a subquery in FROM), `Called` (a function in FROM), `Output`,
`Nested` (a subquery inside a scalar), `Block` (scan → join → filter → group → window → project), `SetOperation`, `Recursion`.
Promises: all aliases in a query are distinct, and every column in a scalar names an item of some FROM.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.query.functions import function_name
from tidemark.query.nodes import nodes_of
from tidemark.query.scalar import MOMENT as MOMENT
from tidemark.query.scalar import Scalar as Scalar
from tidemark.query.template import filled, template
from tidemark.query.trees import own_nodes

P = ParamSpec("P")
Q = TypeVar("Q", bound="_Written")
T = TypeVar("T")
JoinKind = Literal["first", "inner", "left", "right", "full"]


@dataclass(frozen=True)
class Occurrence:
    """One scan of a source. `on` are the conjuncts of its join condition; `kind` says how it joins what stands left of it."""

    alias: str
    table: Table
    kind: JoinKind = "first"
    on: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Derived:
    """A subquery in FROM; `kind` and `on` as of an occurrence. A `lateral` one may refer to items left of it."""

    alias: str
    query: Query
    kind: JoinKind = "first"
    on: tuple[Scalar, ...] = ()
    lateral: bool = False


@dataclass(frozen=True)
class Called:
    """A function in FROM: rows that are computed from a row of the items left of it, and from nothing else.

    `call` is what is called with its arguments, `columns` what its rows have; no two rows of one call share a value of the
    `unique` one, which is never NULL. `numbered` tells of WITH ORDINALITY. `kind` and `on` as of an occurrence. `types` are those
    of the columns, where the query says them. A `single` one gives one row at most.
    """

    alias: str
    call: Scalar
    columns: tuple[str, ...]
    unique: str | None = None
    numbered: bool = False
    kind: JoinKind = "first"
    on: tuple[Scalar, ...] = ()
    types: tuple[str, ...] = ()
    single: bool = False

    @property
    def name(self) -> str:
        """The function's name."""
        return function_name(self.call.tree) or self.alias

    @property
    def arguments(self) -> tuple[Scalar, ...]:
        """What the rows are computed from."""
        return tuple(Scalar(tree, self.call.dialect) for tree in self.call.tree.expressions)

    def in_from(self, images: Collection[str] = (), rename: Callable[[str], str] = str) -> str:
        """The item as it stands in FROM; columns of the occurrences in `images` are renamed."""
        quote = self.call.dialect.quote
        types = self.types or ("",) * len(self.columns)
        columns = [f"{quote(name)} {type_}".rstrip() for name, type_ in zip(self.columns, types, strict=True)]
        named = f" ({', '.join(columns)})" if self.call.dialect.language.columns_are_renamed else ""
        numbered = " WITH ORDINALITY" if self.numbered else ""
        return f"{self.call.over_images(images, rename)}{numbered} AS {quote(self.alias)}{named}"


Item = Occurrence | Derived | Called


@dataclass(frozen=True)
class Output:
    """A column of a query's result."""

    name: str
    scalar: Scalar


@dataclass(frozen=True)
class Aggregate:
    """An aggregate call: `function` in lower case, `argument` None for COUNT(*), `condition` from FILTER (WHERE …);
    `others` are the arguments after the first."""

    function: str
    argument: Scalar | None
    distinct: bool
    condition: Scalar | None
    text: str
    others: tuple[Scalar, ...] = ()


@dataclass(frozen=True)
class Nested:
    """A subquery inside a scalar of a block. `form` is ``scalar``, ``exists`` or ``in``.

    `matches` are (operand, output) pairs for IN; `stands_alone` tells that it is a conjunct of WHERE by itself. `item` is the
    place in FROM of the join whose condition holds it, None when it stands elsewhere.
    """

    form: str
    query: Query
    matches: tuple[tuple[Scalar, Scalar], ...]
    stands_alone: bool
    text: str
    item: int | None = None


def once(work: Callable[Concatenate[Q, P], T]) -> Callable[Concatenate[Q, P], T]:
    """The same, where what is asked of a query again is known: nobody changes one. What is given is nobody's to change."""

    def ask(query: Q, *args: P.args, **kwargs: P.kwargs) -> T:
        place = (work, args, *kwargs.items())
        if place not in query.known:
            query.known[place] = work(query, *args, **kwargs)
        return cast(T, query.known[place])

    return cast(Callable[Concatenate[Q, P], T], update_wrapper(ask, work))


class _Written:
    """What every query says as text."""

    tree: exp.Expression
    dialect: Dialect

    @property
    def all_occurrences(self) -> tuple[Occurrence, ...]:
        """The scans of every block inside."""
        raise NotImplementedError

    @cached_property
    def scanned(self) -> frozenset[str]:
        """The aliases of those."""
        return frozenset(one.alias for one in self.all_occurrences)

    @cached_property
    def known(self) -> dict[tuple[object, ...], Any]:
        """What `once` has found out about the query."""
        return {}

    @cached_property
    def template(self) -> str:
        """The text with a mark for every WHERE; see `template`."""
        return template(self.tree, self.dialect)

    def sql(self, conditions: Mapping[int, str] | None = None) -> str:
        """The query as SQL text; see `filled`."""
        return filled(self.template, conditions or {})

    @cached_property
    def columns(self) -> frozenset[tuple[str, str]]:
        """Every (alias, column) that stands in the query."""
        return frozenset((node.table, node.name) for node in nodes_of(self.tree, exp.Column))


@dataclass(frozen=True)
class Block(_Written):
    """SELECT `outputs` FROM `items` WHERE `where` GROUP BY `groups` HAVING `having`.

    `groups` is None without GROUP BY; `aggregates` are the distinct aggregate calls of outputs and having; `windows` the
    PARTITION BY of each window; `distinct_on` the expressions of DISTINCT ON; `nested` the subqueries anywhere in it
    but in FROM. `limited` tells of LIMIT or OFFSET. `tree` is the resolved SELECT, for rendering it whole; `number` tells it
    from the other blocks of a query.
    """

    items: tuple[Item, ...]
    where: tuple[Scalar, ...]
    groups: tuple[Scalar, ...] | None
    outputs: tuple[Output, ...]
    having: Scalar | None
    distinct: bool
    distinct_on: tuple[Scalar, ...]
    aggregates: tuple[Aggregate, ...]
    windows: tuple[tuple[Scalar, ...], ...]
    nested: tuple[Nested, ...]
    limited: bool
    tree: exp.Select
    dialect: Dialect
    number: int

    @cached_property
    def own_nodes(self) -> tuple[exp.Expression, ...]:
        """Every node of its SELECT that does not belong to a query inside it."""
        return tuple(own_nodes(self.tree))

    @property
    def is_aggregated(self) -> bool:
        """True for GROUP BY, and for aggregates without it."""
        return self.groups is not None or bool(self.aggregates)

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """The scans among the items."""
        return tuple(item for item in self.items if isinstance(item, Occurrence))

    @cached_property
    def calls(self) -> tuple[Called, ...]:
        """The functions among the items."""
        return tuple(item for item in self.items if isinstance(item, Called))

    @property
    def is_row(self) -> bool:
        """True for a query without FROM that is one row whatever its subqueries give."""
        more = self.items or self.where or self.limited or self.is_aggregated
        return not more and self.having is None

    @property
    def is_flat(self) -> bool:
        """True when FROM holds nothing but tables."""
        return len(self.occurrences) == len(self.items)

    @property
    def local(self) -> frozenset[str]:
        """Aliases of this block's own items."""
        return frozenset(item.alias for item in self.items)

    @cached_property
    def nullable(self) -> frozenset[str]:
        """Aliases of items that an outer join may fill with NULL."""
        found: set[str] = set()
        for place, item in enumerate(self.items):
            if item.kind in ("left", "full"):
                found.add(item.alias)
            if item.kind in ("right", "full"):
                found |= {before.alias for before in self.items[:place]}
        return frozenset(found)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """This block and every one inside it, in FROM or in scalars."""
        inner = [item.query for item in self.items if isinstance(item, Derived)]
        inner += [nested.query for nested in self.nested]
        return (self, *(block for query in inner for block in query.blocks))

    @cached_property
    def all_occurrences(self) -> tuple[Occurrence, ...]:
        """Own scans and those of every block inside."""
        return tuple(occurrence for block in self.blocks for occurrence in block.occurrences)

    @cached_property
    def scalars(self) -> tuple[Scalar, ...]:
        """Every scalar of the block itself."""
        conditions = [scalar for item in self.items for scalar in item.on]
        conditions += [call.call for call in self.calls]
        having = [self.having] if self.having is not None else []
        windows = [scalar for window in self.windows for scalar in window]
        outputs = [output.scalar for output in self.outputs]
        return (*conditions, *self.where, *(self.groups or ()), *outputs, *having, *self.distinct_on, *windows)

    def output(self, name: str) -> Output | None:
        """The output column of that name, or None."""
        return next((output for output in self.outputs if output.name == name), None)

    def reads(self, alias: str) -> tuple[str, ...]:
        """Names of the columns of that occurrence which the query reads, in the table's order."""
        return reads(self, alias)


@dataclass(frozen=True)
class SetOperation(_Written):
    """UNION, EXCEPT or INTERSECT of two queries; `kind` in lower case, `keeps_duplicates` for ALL. The columns' names are the
    left one's."""

    kind: str
    keeps_duplicates: bool
    left: Query
    right: Query
    limited: bool
    tree: exp.SetOperation
    dialect: Dialect

    @property
    def outputs(self) -> tuple[Output, ...]:
        """The columns as the left query has them."""
        return self.left.outputs

    @property
    def distinct(self) -> bool:
        """True when equal rows become one."""
        return not self.keeps_duplicates

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """Every block inside."""
        return (*self.left.blocks, *self.right.blocks)

    @property
    def branches(self) -> tuple[Block, ...]:
        """The blocks whose rows it combines."""
        sides = (self.left, self.right)
        return tuple(block for side in sides for block in ((side,) if isinstance(side, Block) else side.branches))

    @cached_property
    def all_occurrences(self) -> tuple[Occurrence, ...]:
        """The scans of every block inside."""
        return tuple(occurrence for block in self.blocks for occurrence in block.occurrences)

    def output(self, name: str) -> Output | None:
        """The output column of that name, or None."""
        return next((output for output in self.outputs if output.name == name), None)

    def reads(self, alias: str) -> tuple[str, ...]:
        """Names of the columns of that occurrence which the query reads, in the table's order."""
        return reads(self, alias)


@dataclass(frozen=True)
class Recursion(_Written):
    """WITH RECURSIVE, in FROM: the rows of the `body`, a union whose later branches read what was found so far.

    They read it as a `Recursion` without a body, with the same `tree`, whose columns are known by their names alone.
    """

    outputs: tuple[Output, ...]
    body: SetOperation | None
    tree: exp.Select
    dialect: Dialect
    limited: bool = True

    @property
    def distinct(self) -> bool:
        """True when equal rows become one, whichever step finds them."""
        return self.body is not None and _is_distinct(self.body)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Every block inside."""
        return self.body.blocks if self.body is not None else ()

    @property
    def branches(self) -> tuple[Block, ...]:
        """None: how often a branch is computed depends on the rows."""
        return ()

    @property
    def all_occurrences(self) -> tuple[Occurrence, ...]:
        """The scans of every block inside."""
        return self.body.all_occurrences if self.body is not None else ()

    def output(self, name: str) -> Output | None:
        """The output column of that name, or None."""
        return next((output for output in self.outputs if output.name == name), None)

    def reads(self, alias: str) -> tuple[str, ...]:
        """Names of the columns of that occurrence which the query reads, in the table's order."""
        return reads(self, alias)


def _is_distinct(query: Query) -> bool:
    return not isinstance(query, SetOperation) or (query.distinct and _is_distinct(query.left))


Query = Block | SetOperation | Recursion


def is_given(query: Query) -> bool:
    """True for a recursion, and what is made of one, that reads no table, no row outside and no clock: its rows are the same for
    ever."""
    if (
        query.all_occurrences
        or query.tree.find(exp.CTE) is None
        or (isinstance(query, Recursion) and query.body is None)
    ):
        return False
    own = {item.alias for block in query.blocks for item in block.items}
    outside = {alias for alias, _ in query.columns if alias} - own
    return not outside and not any(node.meta.get(MOMENT) for node in query.tree.walk())


def as_call(alias: str, query: Query) -> Called:
    """Given rows in FROM, made of nothing, as those of a function are made of its arguments."""
    whole = Scalar(exp.Var(this=f"({query.sql()})"), query.dialect)
    return Called(alias, whole, tuple(output.name for output in query.outputs))


def reads(query: Query, alias: str) -> tuple[str, ...]:
    """Names of the columns of that occurrence which the query reads, in the table's order."""
    table = next(o.table for o in query.all_occurrences if o.alias == alias)
    return tuple(column.name for column in table.columns if (alias, column.name) in query.columns)
