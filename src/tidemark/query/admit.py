"""What may be declared at all: one function per rule, in one tuple.

Owns: refusals that depend on the query alone, whatever its class. Promises: every node of an admitted query is on the
allow-list of `query.syntax`; each refusal names the place and what to write instead. Whether a class exists for an admitted
query is decided in `compiler`.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog
from tidemark.query import functions
from tidemark.query.called import gives_rows, in_from, unstable_columns
from tidemark.query.cut import is_hidden
from tidemark.query.keys import is_constant
from tidemark.query.lower import whole_call
from tidemark.query.parse import place_of
from tidemark.query.relation import Block, Called, Derived, Output, Query, Scalar
from tidemark.query.syntax import ALLOWED_NODES, BLOCK_NODES
from tidemark.query.unique import identifies, is_unique
from tidemark.query.units import origins_of
from tidemark.query.whole_groups import grouping_is_whole


def admit(query: Query, catalog: Catalog) -> None:
    """Raise the first `Refusal` that applies to the query or to a block inside it."""
    outputs_are_named(query)
    calls_are_stable(query, catalog)
    blanks_are_compared(query)
    columns_are_stored(query, catalog)
    if not query.all_occurrences:
        raise Refusal(Code.UNSUPPORTED, "A query without FROM has no source.", instead="SELECT … FROM a table")
    for block in query.blocks:
        for rule in RULES:
            rule(block, catalog)
        subqueries_give_one_row(block, query)


def calls_are_stable(query: Query, catalog: Catalog) -> None:
    """What is read of functions in FROM depends on their arguments alone, and those on no clock."""
    for call in (call for block in query.blocks for call in block.calls):
        where = place_of(call.call.tree, query.dialect)
        if call.name in catalog.volatile:
            # The user's own of that name may be the one that is meant.
            raise Refusal(Code.VOLATILE, f"{call.name} is volatile.", instead="an immutable function", place=where)
        for name in unstable_columns(call.name, query.dialect):
            if (call.alias, name) in query.columns:
                raise Refusal(
                    Code.VOLATILE,
                    f"{name} of {call.name} differs from version to version of SQLite.",
                    instead="key, fullkey or path, and each column by its name in the place of *",
                    place=where,
                )
        if call.call.moment is not None:
            raise Refusal(
                Code.VOLATILE,
                f"The rows of {call.name} would change as time passes.",
                instead="fixed bounds, and a condition that compares the rows with the clock",
                place=where,
            )


def blanks_are_compared(query: Query) -> None:
    """SQLite finds the rows of a join by how long a text is: what ignores blanks loses rows, in queries as in look-ups."""
    blind = query.dialect.language.blind_collation
    if not blind:
        return
    nodes = [node for block in query.blocks for node in block.own_nodes]
    ignoring = {
        (one.alias, name)
        for one in query.all_occurrences
        for name in query.reads(one.alias)
        if (column := one.table.column(name)) is not None and column.collation == blind
    }
    for node in nodes:
        said = isinstance(node, exp.Collate) and node.expression.name.upper() == blind
        if said or (isinstance(node, exp.Column) and (node.table, node.name) in ignoring):
            what = node.sql() if said else node.name
            raise Refusal(
                Code.UNSUPPORTED,
                f"{what} is compared without the blanks at its end (COLLATE RTRIM), and joins of SQLite lose rows by that.",
                instead="a column that holds rtrim(…) of it, such as a generated one",
                place=place_of(node, query.dialect),
            )


def columns_are_stored(query: Query, catalog: Catalog) -> None:
    """PostgreSQL shows triggers no value of a column that is computed when it is read."""
    for one in query.all_occurrences:
        for name in query.reads(one.alias):
            if (one.table.label, name) in catalog.unstored and (column := one.table.column(name)) is not None:
                raise Refusal(
                    Code.UNSUPPORTED,
                    f"{one.table.label}.{name} is generated when it is read (VIRTUAL): triggers are shown no value of it.",
                    instead=f"{column.generated} in its place, or a column that is generated as STORED",
                )


def _all_fields(node: exp.Expression, dialect: Dialect) -> Refusal:
    return Refusal(
        Code.UNSUPPORTED,
        "All fields of a value at once are not kept true.",
        instead=f"each by its name: {node.this.sql()}.field AS …; of a function that gives rows FROM …, it AS x, and x.* here",
        place=place_of(node, dialect),
    )


def outputs_are_named(block: Query) -> None:
    """The outermost query's columns need distinct names."""
    seen: set[str] = set()
    for output in block.outputs:
        if not output.name:
            if isinstance(output.scalar.tree, exp.Dot) and isinstance(output.scalar.tree.expression, exp.Star):
                raise _all_fields(output.scalar.tree, block.dialect)
            raise Refusal(
                Code.DECLARATION,
                "A column of the result has no name.",
                instead=f"{output.scalar.text} AS a_name",
                place=place_of(output.scalar.tree, block.dialect),
            )
        if output.name.lower().startswith("tidemark_") and not is_hidden(output.name):
            raise Refusal(Code.NAME, f"The column name {output.name} is Tidemark's own.", instead="another name")
        folded = block.dialect.fold(output.name)
        if folded in seen:
            raise Refusal(
                Code.DECLARATION, f"Two columns of the result are called {output.name}.", instead="distinct names"
            )
        seen.add(folded)


def indexes_of(query: Query, indexes: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
    """The indexes of the stored rows, which are over columns of the result, without those that are the same in every row."""
    have = [output.name for output in query.outputs]
    for name in (name for index in indexes for name in index if name not in have):
        raise Refusal(
            Code.DECLARATION, f"indexes names {name}, which is not in the result.", instead=f"one of: {', '.join(have)}"
        )
    telling = (tuple(name for name in index if not is_constant(query, name)) for index in indexes)
    return tuple(index for index in telling if index)


def sources_are_tables(block: Block, catalog: Catalog) -> None:
    """Only tables fire triggers for every write."""
    for occurrence in block.occurrences:
        table = occurrence.table
        if sum(other.label == table.label for other in catalog.tables.values()) > 1:
            raise Refusal(
                Code.SOURCE_KIND,
                f"{table.label} is a table of the schema {table.label.partition('.')[0]}, and one with a dot in its name.",
                instead="another name for one of them",
            )
        if table.kind not in ("table", "partitioned"):
            raise Refusal(
                Code.SOURCE_KIND,
                f"{table.label} is a {table.kind}: its changes cannot be captured.",
                instead="the tables that it reads",
            )
        if table.unlogged:
            raise Refusal(
                Code.SOURCE_KIND,
                f"{table.label} is unlogged: after a crash of the server it is empty, and no trigger tells of it.",
                instead=f"ALTER TABLE {table.label} SET LOGGED",
            )
        if table.forced_row_security and not catalog.bypasses_row_security:
            raise Refusal(
                Code.ROW_SECURITY,
                f"FORCE ROW LEVEL SECURITY on {table.label} hides rows from the role that keeps the derived table.",
                instead="install as a role with BYPASSRLS, or ALTER TABLE … NO FORCE ROW LEVEL SECURITY",
            )


def syntax_is_known(block: Block, catalog: Catalog) -> None:
    """Every node is on the allow-list, and nothing aggregates over a window."""
    for node in block.own_nodes:
        kind = type(node).__name__
        if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Star):
            raise _all_fields(node, block.dialect)
        if kind not in ALLOWED_NODES and kind not in BLOCK_NODES:
            name = functions.function_name(node)
            if name is None:
                raise Refusal(
                    Code.UNSUPPORTED,
                    f"{kind.upper()} is not kept true yet.",
                    instead="a query without it",
                    place=place_of(node, block.dialect),
                )


def functions_are_stable(block: Block, catalog: Catalog) -> None:
    """Values may depend on nothing but the row."""
    for node in block.own_nodes:
        name = functions.function_name(node)
        # What may be called in FROM is known by name already.
        if name is None or isinstance(node.parent, exp.Table):
            continue
        where = place_of(node, block.dialect)
        if gives_rows(name, block.dialect):
            raise Refusal(
                Code.UNSUPPORTED,
                f"{name} gives rows where one value is wanted.",
                instead=in_from(name, block.dialect, catalog.routines),
                place=where,
            )
        if name in functions.VOLATILE:
            instead = functions.CLOCK_OF_UTC[block.dialect.name].get(name)
            raise Refusal(
                Code.VOLATILE,
                f"{name} changes by itself.",
                instead=f"{instead}, compared with a column" if instead else "a column that holds the value",
                place=where,
            )
        if name in functions.SESSION:
            raise Refusal(
                Code.SESSION_DEPENDENT, f"{name} depends on who asks.", instead="a column or a literal", place=where
            )
        own = catalog.routines.get(name)
        if own is not None and own.columns is not None:
            raise Refusal(
                Code.UNSUPPORTED,
                f"{name} gives rows where one value is wanted.",
                instead=in_from(name, block.dialect, catalog.routines),
                place=where,
            )
        if own is not None and own.aggregate and not own.immutable:
            raise Refusal(
                Code.VOLATILE,
                f"A function inside of the aggregate {name} is not declared IMMUTABLE.",
                instead="ALTER FUNCTION … IMMUTABLE for its functions, if they depend on nothing but their arguments",
                place=where,
            )
        if functions.is_aggregate(node) or name in functions.WINDOW_ONLY:
            continue
        if block.dialect.judges_values:
            if name in catalog.volatile:
                instead = "an immutable function"
                if own is not None:
                    instead = f"ALTER FUNCTION {name} IMMUTABLE, if its value depends on nothing but its arguments"
                raise Refusal(Code.VOLATILE, f"{name} is volatile.", instead=instead, place=where)
        else:
            _sqlite_function(block, node, name)


def _sqlite_function(block: Block, node: exp.Expression, name: str) -> None:
    where = place_of(node, block.dialect)
    if name not in functions.SQLITE_DETERMINISTIC:
        raise Refusal(
            Code.VOLATILE,
            f"{name} is not one of SQLite's own deterministic functions: other connections do not have it.",
            instead="SQLite's built-in functions",
            place=where,
        )
    if name in functions.SQLITE_TIME:
        arguments = node.expressions
        at = functions.TIME_ARGUMENT.get(name, 0)
        if len(arguments) <= at:
            raise Refusal(
                Code.VOLATILE, f"{name} without a time reads the clock.", instead="a column's time", place=where
            )
        words = [a.name.strip().lower() for a in arguments if isinstance(a, exp.Literal) and a.is_string]
        if "now" in words:
            raise Refusal(Code.VOLATILE, f"{name}('now') reads the clock.", instead="a column's time", place=where)
        if "localtime" in words or "utc" in words:
            raise Refusal(
                Code.SESSION_DEPENDENT,
                f"{name} with localtime or utc depends on the machine.",
                instead="UTC",
                place=where,
            )


def literals_are_constant(block: Block, catalog: Catalog) -> None:
    """PostgreSQL reads ``'now'`` or ``'today'`` from the clock where a time is wanted, once for each session or plan."""
    if not block.dialect.types_are_fixed:
        return
    for node in block.own_nodes:
        if not (isinstance(node, exp.Literal) and node.is_string and functions.CLOCK_WORDS.search(node.name)):
            continue
        around = node.parent
        while isinstance(around, exp.Paren):
            around = around.parent
        if around is None:
            continue
        if isinstance(around, exp.Cast):
            wanted = [around.to.sql(dialect="postgres")]
        else:
            wanted = _types_beside(node.name, around, block)
        if any(type_.lower().startswith(functions.TIME_TYPES) for type_ in wanted):
            raise Refusal(
                Code.VOLATILE,
                f"{node.sql()} as a time reads the clock.",
                instead="a column's time, or a literal such as '2026-01-31'",
                place=place_of(node, block.dialect),
            )


def _types_beside(word: str, around: exp.Expr, block: Block) -> list[str]:
    """Types of the columns beside a literal; where a subquery computes one, a bare clock word is taken for a time."""
    found = []
    for column in around.find_all(exp.Column):
        origins = origins_of(block, (column.table, column.name)) if column.table in block.local else []
        found += [one.type for one in origins or ()]
        if origins is None and functions.CLOCK_WORDS.fullmatch(word.strip()):
            found.append("timestamp")
    return found


def subqueries_give_one_row(block: Block, whole: Query) -> None:
    """A scalar subquery of several rows is an error in PostgreSQL; SQLite takes any one of them."""
    if block.dialect.language.refuses_several_rows:
        return
    for nested in block.nested:
        if nested.form == "scalar" and not identifies(nested.query, frozenset(), whole):
            raise Refusal(
                Code.SUBQUERY_SHAPE,
                "A scalar subquery that does not aggregate may find several rows.",
                instead="max(…) or min(…) of the value, a condition on a unique key, or ORDER BY … LIMIT 1",
                place=place_of(nested.query.tree, block.dialect),
            )


def order_is_said(block: Block, catalog: Catalog) -> None:
    """Text and arrays that are put together need an order, or their value depends on how the engine happens to read."""
    for nested in block.nested:
        holder = nested.query.tree.parent
        if holder is not None and functions.function_name(holder) == "array" and not _comes_in_order(nested.query):
            raise Refusal(
                Code.VOLATILE,
                "ARRAY(SELECT …) without ORDER BY depends on the order in which rows happen to be read.",
                instead="ARRAY(SELECT … ORDER BY …)",
                place=place_of(nested.query.tree, block.dialect),
            )
    if _is_called_alone(block):
        return
    (item,) = block.items if len(block.items) == 1 else (None,)
    inner = item.query.tree if isinstance(item, Derived) else None
    if inner is not None and inner.args.get("order"):
        return
    for node in block.own_nodes:
        name = functions.function_name(node)
        own = catalog.routines.get(name or "")
        by_order = name in functions.IN_ORDER or (own is not None and own.ordered and functions.is_aggregate(node))
        by_order = by_order or (name in functions.LAST_WINS and not _are_different(block, node.expressions[0]))
        if not by_order or isinstance(whole_call(node).parent, exp.Window):
            continue
        first = node.this if isinstance(node, exp.GroupConcat) else (node.expressions or [None])[0]
        ordered = whole_call(node).find(exp.Order) is not None or node.args.get("order") is not None
        if not ordered and not isinstance(first, exp.Distinct):
            # Older versions of SQLite know no order inside of an aggregate.
            written = f"{name}(… ORDER BY …), or " if block.dialect.language.orders_aggregates else ""
            name = "group_concat" if isinstance(node, exp.GroupConcat) and not written else name
            raise Refusal(
                Code.VOLATILE,
                f"{name} without ORDER BY depends on the order in which rows happen to be read.",
                instead=f"{written}the aggregate over a subquery with ORDER BY",
                place=place_of(node, block.dialect),
            )


def _is_called_alone(block: Block) -> bool:
    """Whether the rows are those of one function, which come in the order in which it gives them as long as nothing is grouped
    or looked up beside them."""
    (item,) = block.items if len(block.items) == 1 else (None,)
    alone = block.groups is None and not (block.nested or block.windows or block.distinct)
    return isinstance(item, Called) and gives_rows(item.name, block.dialect) and alone


def _comes_in_order(query: Query) -> bool:
    """Whether the rows of a query have an order, or are at most one, or all alike."""
    same = all(one.scalar.is_constant for one in query.outputs)
    alone = isinstance(query, Block) and (same or _is_called_alone(query) or identifies(query, frozenset()))
    return bool(query.tree.args.get("order")) or alone


def _are_different(block: Block, key: exp.Expression) -> bool:
    """True when no two rows of a group share that value."""
    while isinstance(key, exp.Cast | exp.Paren):
        key = key.this
    terms = (*(block.groups or ()), Scalar(key, block.dialect))
    return is_unique(block, tuple(Output("", term) for term in terms))


def aggregates_are_its_own(block: Block, catalog: Catalog) -> None:
    """An aggregate over columns of an outer query would belong to that query."""
    for call in block.aggregates:
        if call.argument is not None and call.argument.aliases and not call.argument.aliases & block.local:
            raise Refusal(
                Code.SUBQUERY_SHAPE,
                f"{call.text} aggregates over columns of the outer query alone.",
                instead="the aggregate as a column m of groups in FROM, (SELECT …, max(…) AS m … GROUP BY …) AS x, and x.m here",
                place=place_of(call.argument.tree, block.dialect),
            )


Rule = Callable[[Block, Catalog], None]
RULES: tuple[Rule, ...] = (
    sources_are_tables,
    functions_are_stable,
    literals_are_constant,
    syntax_is_known,
    aggregates_are_its_own,
    grouping_is_whole,
    order_is_said,
)
