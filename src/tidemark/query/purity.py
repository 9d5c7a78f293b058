"""Values may depend on nothing but the row: the server's own judgement of every expression.

Owns: the SELECT of a query's columns and the list of its expressions for `Session.first_mutable`. Promises: every scalar of
every block is judged, after the server has resolved its types, operators and casts; a value that depends on the clock, the
session's time zone or a setting is refused with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sqlglot import exp

from tidemark.errors import Code, Refusal
from tidemark.model import Describe, OutputColumn, Routine
from tidemark.query.called import POPULATED
from tidemark.query.converted import find_dependent, find_steady
from tidemark.query.functions import function_name
from tidemark.query.parse import place_of, render
from tidemark.query.relation import Aggregate, Block, Called, Derived, Nested, Query, Recursion, Scalar

_CONFIGURED = frozenset(
    {"to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery", "ts_headline"}
)
_SOME_TIME = "timestamptz '2000-01-01 00:00:00+00'"
FirstMutable = Callable[[str, Sequence[str]], int | None]


def never_mutable(columns: str, expressions: Sequence[str]) -> int | None:
    """The judge where there is none."""
    return None


def require_pure(
    query: Query, first_mutable: FirstMutable, describe: Describe, routines: Mapping[str, Routine]
) -> None:
    """Raise `Refusal` (``session-dependent``) for the first expression whose value depends on more than the row, by the server's
    functions or by the user's `routines`."""
    if not query.dialect.judges_values:
        return
    _require_whole_calls(query, describe)
    quote, scans = query.dialect.quote, _sources(query)
    texts: dict[str, str] = {}
    columns: list[str] = []
    # Whatever is said of the recorded moment is computed in sessions of ours, whose settings are pinned.
    judged = [scalar for scalar in _scalars(query) if scalar.moment is None]
    for alias, name in sorted({column for scalar in judged for column in scalar.columns if column[0]}):
        _stand_in(f"{quote(alias)}.{quote(name)}", [f"{quote(alias)}.{quote(name)}"], texts, columns)
    for one in query.blocks:
        for nested in one.nested:
            _stand_in(nested.text, _values(nested, scans, quote), texts, columns)
        for call in one.aggregates:
            _stand_in(call.text, [_value(call, scans, quote)], texts, columns)
        for text, bare in _windows(one):
            _stand_in(text, [f"(SELECT {bare} FROM {scans} LIMIT 1)"], texts, columns)
    # The moment is recorded where nothing is installed yet; any time will do for judging.
    moments = {scalar.moment for scalar in _scalars(query)} - {None}
    given = f"SELECT {', '.join(columns) or '1'} FROM {scans}"
    for moment in moments:
        given = given.replace(str(moment), _SOME_TIME)

    def types_of(expressions: Sequence[str]) -> tuple[OutputColumn, ...]:
        listed = ", ".join(f"{one} AS a{place}" for place, one in enumerate(expressions))
        return describe(f"SELECT {listed} FROM ({given}) AS given")

    find_steady(judged, texts, types_of, routines.keys())
    dependent = find_dependent(query.blocks, texts, types_of)
    if dependent is not None:
        raise Refusal(
            Code.SESSION_DEPENDENT,
            f"{render(dependent, query.dialect)} is written into JSON as the session's settings say.",
            instead="(t AT TIME ZONE 'UTC') for a timestamp with time zone, or the text that is wanted",
            place=place_of(dependent, query.dialect),
        )
    found = first_mutable(given, [s.swapped(texts) for s in judged])
    if found is not None:
        scalar = judged[found]
        names = {function_name(node) or "" for node in scalar.tree.walk()}
        loose = next((name for name in sorted(names & routines.keys()) if not routines[name].immutable), None)
        instead = (
            "an immutable expression, such as d::timestamp for a date, or (t AT TIME ZONE 'UTC')::date for a timestamp with time "
            "zone"
        )
        if "date_trunc" in names or "timestamp_trunc" in names:
            instead = (
                "date_trunc('month', d::timestamp) for a date, and "
                "date_trunc('day', t AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' for a timestamp with time zone"
            )
        if names & _CONFIGURED:
            instead = "the configuration before the text, as in to_tsvector('english', body)"
        if names & POPULATED.keys():
            instead = "FROM …, jsonb_to_record(…) AS x(a_name its_type, …), and x.a_name in its place"
        if loose is not None:
            instead = f"ALTER FUNCTION {loose} IMMUTABLE, if its value depends on nothing but its arguments"
        raise Refusal(
            Code.SESSION_DEPENDENT,
            f"{scalar.text} depends on more than the row: the clock, the session's time zone or a setting.",
            instead=instead,
            place=place_of(scalar.tree, query.dialect),
        )


def _require_whole_calls(query: Query, describe: Describe) -> None:
    """Raise `Refusal` for a function in FROM whose rows have columns that are not known, or depend on the session."""
    for call in (call for block in query.blocks for call in block.calls):
        columns = describe(f"SELECT {query.dialect.quote(call.alias)}.* FROM {_sources(query)}")
        where = place_of(call.call.tree, query.dialect)
        if len(columns) != len(call.columns):
            raise Refusal(
                Code.UNSUPPORTED,
                f"The rows of {call.name} have {len(columns)} columns, and not all of them have a name here.",
                instead=f"{call.name}(…) AS {call.alias}(…) with a name for each column",
                place=where,
            )
        # Steps in days and months are taken by the clock of the session's time zone.
        if call.name == "generate_series" and columns[0].type == "timestamp with time zone":
            raise Refusal(
                Code.SESSION_DEPENDENT,
                f"{call.name} of times with a time zone depends on the session's.",
                instead="generate_series over d::timestamp for dates; for times with a time zone over (t AT TIME ZONE 'UTC'), "
                "and AT TIME ZONE 'UTC' of what it gives",
                place=where,
            )


def _sources(query: Query) -> str:
    """A FROM of every scan, subquery and function of the query, at any depth."""
    quote = query.dialect.quote
    found = [f"{quote(o.table.schema, o.table.name)} AS {quote(o.alias)}" for o in query.all_occurrences]
    # What refers to what stands left of it comes after the scans.
    for item in _by_reference(query):
        whole = item.in_from() if isinstance(item, Called) else f"({item.query.sql()}) AS {quote(item.alias)}"
        found.append(f"LATERAL {whole}")
    return ", ".join(found)


def _by_reference(query: Query) -> list[Derived | Called]:
    """The subqueries and functions in FROM, at any depth, each after those whose columns it reads from outside itself."""
    waiting = [item for block in reversed(query.blocks) for item in block.items if isinstance(item, Derived | Called)]
    ordered: list[Derived | Called] = []
    while waiting:
        absent = {item.alias for item in waiting}
        ready = [item for item in waiting if not (_read_outside(item) & absent)] or waiting[:1]
        ordered += ready
        waiting = [item for item in waiting if item not in ready]
    return ordered


def _read_outside(item: Derived | Called) -> set[str]:
    """Aliases that a subquery or a function in FROM refers to and does not hold."""
    if isinstance(item, Called):
        return set(item.call.aliases)
    if isinstance(item.query, Recursion):
        # What a step has found so far is known by its tree alone.
        tree = item.query.tree
        inside = {one.alias_or_name for one in tree.find_all(exp.Table, exp.Subquery, exp.CTE)}
        return {one.table for one in tree.find_all(exp.Column)} - inside - {""}
    held = {one.alias for block in item.query.blocks for one in block.items}
    read = {alias for scalar in _scalars(item.query) for alias, _ in scalar.columns}
    return read - held


def _windows(block: Block) -> list[tuple[str, str]]:
    """Each window function, and the same over everything: its type depends on nothing else."""
    nodes = [node for node in block.own_nodes if isinstance(node, exp.Window) and node.arg_key != "windows"]
    return [(render(node, block.dialect), f"{render(node.this, block.dialect)} OVER ()") for node in nodes]


def _ordered(block: Block) -> list[Scalar]:
    """What rows are ordered by, and what windows compute with."""
    found = []
    for node in block.own_nodes:
        if isinstance(node, exp.Ordered):
            found.append(node.this)
        if isinstance(node, exp.Window) and isinstance(node.this, exp.Func | exp.Filter):
            call = node.this.this if isinstance(node.this, exp.Filter) else node.this
            found += [one for one in call.iter_expressions() if not isinstance(one, exp.Star | exp.Identifier)]
            found += [node.this.expression.this] if isinstance(node.this, exp.Filter) else []
    scalars = [Scalar(node, block.dialect) for node in found if not isinstance(node, exp.Literal)]
    # A name of an output is judged where it is computed.
    return [scalar for scalar in scalars if all(alias for alias, _ in scalar.columns)]


def _value(call: Aggregate, scans: str, quote: Callable[..., str]) -> str:
    """What has the type of an aggregate. What stands before WITHIN GROUP is one value for all rows."""
    arguments = [one for one in (call.argument, *call.others) if one is not None] if "WITHIN GROUP" in call.text else []
    by = ", ".join(sorted({quote(*column) for one in arguments for column in one.columns}))
    return f"(SELECT {call.text} FROM {scans}{f' GROUP BY {by} LIMIT 1' if by else ''})"


def _values(nested: Nested, scans: str, quote: Callable[..., str]) -> list[str]:
    """What has the types of the values that a subquery gives: several where it gives a row."""
    if nested.form != "scalar":
        return ["true"]
    # Beside an aggregate a column of an outer query is one value there, and here one of many.
    whole = {
        call.text: f"(SELECT {call.text} FROM {scans})" for block in nested.query.blocks for call in block.aggregates
    }
    values = [f"(SELECT {output.scalar.swapped(whole)} FROM {scans} LIMIT 1)" for output in nested.query.outputs]
    holder = nested.query.tree.parent
    is_array = holder is not None and function_name(holder) == "array"
    return [f"ARRAY[{value}]" for value in values] if is_array else values


def _stand_in(text: str, values: Sequence[str], texts: dict[str, str], columns: list[str]) -> None:
    if text not in texts:
        names = [f"c{len(columns) + place}" for place in range(len(values))]
        texts[text] = names[0] if len(names) == 1 else f"ROW({', '.join(names)})"
        columns += [f"{value} AS {name}" for value, name in zip(values, names, strict=True)]


def _scalars(query: Query) -> list[Scalar]:
    """Every scalar of every block, arguments and conditions of aggregates included."""
    found: list[Scalar] = []
    for one in query.blocks:
        calls = {call.call for call in one.calls}
        found += [scalar for scalar in one.scalars if scalar not in calls]
        found += [argument for call in one.calls for argument in call.arguments]
        found += [call.argument for call in one.aggregates if call.argument is not None]
        found += [other for call in one.aggregates for other in call.others]
        found += [call.condition for call in one.aggregates if call.condition is not None]
        found += _ordered(one)
    return found
