"""The keyed class: the universal plan. Affected units are computed again by the user's own query.

Owns: the choice of the unit and the making of a `KeyedProgram`. Promises: a program's unit is a set of outputs on which the
result falls apart; where there is none the whole result is one unit, which wants consent.
"""

from __future__ import annotations

from collections.abc import Mapping

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.due import find_due
from tidemark.maintenance.key_types import spelling_of_key
from tidemark.maintenance.program import KeyedProgram, KeyPart, KeyQuery, Part, text
from tidemark.maintenance.restrict import placements_of
from tidemark.maintenance.result import Result
from tidemark.maintenance.routes import of_figures, routes_of, shorten
from tidemark.model import OutputColumn
from tidemark.query.cut import HIDDEN_UNIT
from tidemark.query.keys import KeyColumn
from tidemark.query.narrowing import advice_on
from tidemark.query.nullable import is_nullable_output
from tidemark.query.relation import Block, Output, Query
from tidemark.query.units import branches_of, narrows, splits

_FLOATS = ("real", "double precision")
_UNIT_MAX = 4
_ADDED = "COUNT, SUM, AVG, MIN and MAX alone over tables and inner joins, which are added up"
_INNER = "the inner query as a derived table of its own"
_UNNESTED = "a condition in WHERE instead of a subquery, COUNT(DISTINCT …) instead of a subquery with DISTINCT"
_NARROWER = f"a condition on the outer row; a column of the result by which it is grouped or partitioned; {_INNER}"
DUE_SECONDS = 1.0
"""How often the worker looks for what time has made due, where nothing else is declared."""


def keyed_program(
    result: Result,
    reason: str,
    unwatched: frozenset[str] = frozenset(),
    *,
    allow_global: bool = False,
    moment: str = "",
    every: float | None = None,
    pieces: tuple[str, ...] | None = None,
) -> KeyedProgram:
    """The program of a result. A change of an `unwatched` source, given by its label, makes nothing dirty. `moment` is what
    stands for the clock in the query, `every` the declared seconds between two ticks. A unit is made of columns of the key named
    in `pieces`, or of any where that is None.

    Raises `Refusal` when a change may touch every row, and nobody agreed to that.
    """
    query, key, described = result.query, result.key, result.described
    names = [output.name for output in query.outputs]
    by = key if pieces is None else tuple(column for column in key if column.name in pieces)
    chosen, every_route = _within_reach(query, choose_unit(query, by))
    watched = tuple(way for way in every_route if way.changed.table.label not in unwatched)
    routes = of_figures(query, shorten(watched))
    reasons = (reason, *_everywhere(query, chosen, routes, allow_global=allow_global))
    due = find_due(query, every_route, moment, every or DUE_SECONDS)
    if due is not None and due.everything and every is None:
        raise Refusal(
            Code.VOLATILE,
            "The passing of time may change every row, because a value is made of the time itself.",
            instead='every="60s", or how often the whole result may be computed again; or compare a column with the time',
        )
    placements, is_bounded = placements_of(query, chosen)
    own = {column.name for column in key}
    nullable = {column.name: column.nullable for column in key}
    unit = tuple(
        _key_part(
            described[names[position]],
            nullable.get(names[position], is_nullable_output(query, position)),
            query.dialect,
        )
        for position in chosen
    )
    return KeyedProgram(
        result.name,
        tuple(_key_part(described[column.name], column.nullable, query.dialect) for column in key),
        unit,
        query,
        tuple(_part(query, output, described) for output in query.outputs if output.name not in own),
        routes,
        placements,
        _reads(query, unwatched),
        reasons,
        proven=result.proven,
        is_bounded=is_bounded,
        due=due,
    )


def choose_unit(query: Query, key: tuple[KeyColumn, ...]) -> tuple[int, ...]:
    """Positions of the outputs on which the result falls apart: those of the key, or else some others, those first of all that
    are kept for this alone."""
    names = [output.name for output in query.outputs]
    own = [names.index(column.name) for column in key]
    found = [position for position in own if splits(query, position)]
    found = found if narrows(query, found) else []
    if not found and (key or isinstance(query, Block)):
        others = [position for position in range(len(names)) if position not in own and splits(query, position)]
        others = [position for position in others if narrows(query, (position,))]
        found = [position for position in others if names[position].startswith(HIDDEN_UNIT)] or others[:_UNIT_MAX]
    return tuple(found)


def _within_reach(query: Query, chosen: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[KeyQuery, ...]]:
    """The unit with the routes to it; where a change leads to some of its columns and not to others, those to which every change
    leads."""
    whole = routes_of(query, chosen)
    if any(route.everywhere for route in whole):
        fewer = tuple(one for one in chosen if not any(route.everywhere for route in routes_of(query, (one,))))
        routes = routes_of(query, fewer) if fewer and narrows(query, fewer) else whole
        if not any(route.everywhere for route in routes):
            return fewer, routes
    return chosen, whole


def _everywhere(
    query: Query, chosen: tuple[int, ...], routes: tuple[KeyQuery, ...], *, allow_global: bool
) -> tuple[str, ...]:
    """Why every row may change at once; refused without consent."""
    labels = sorted({route.changed.table.label for route in routes if route.everywhere})
    if not labels:
        return ()
    listed, instead = ", ".join(labels), _NARROWER
    if any(one.is_aggregated and one.groups is None for one in branches_of(query) if one is not query):
        why = "one of its branches or groupings is a total, which any change touches"
        instead = f"{_ADDED}; the total as a derived table of its own"
    elif isinstance(query, Block) and query.is_aggregated and query.groups is None:
        why = "the result is one row over everything, and what a change makes of it is not known without reading everything again"
        instead = f"{_ADDED}; {_UNNESTED}"
    elif not chosen:
        why = "no column of the result tells which rows a change can touch, so the whole result is computed again"
    else:
        why = f"no condition ties {listed} to single rows: a change there may touch every row"
    instead = "; ".join((*(advice_on(query) if instead == _NARROWER else ()), instead))
    if not allow_global:
        raise Refusal(
            Code.GLOBAL,
            why[0].upper() + why[1:] + ".",
            instead=f"{instead}; or allow_global=True",
        )
    return (why,)


def _key_part(column: OutputColumn, nullable: bool, dialect: Dialect) -> KeyPart:
    spelling = spelling_of_key(column, dialect)
    return KeyPart(column.name, column.type, column.collation, nullable, spelling=spelling)


def _part(query: Query, output: Output, described: Mapping[str, OutputColumn]) -> Part:
    column = described[output.name]
    summing = any(
        call.function in ("sum", "avg", "total") or call.function.startswith(("stddev", "var"))
        for block in query.blocks
        for call in block.aggregates
    ) or any(block.windows or block.nested for block in query.blocks)
    floating = column.type in _FLOATS if query.dialect.types_are_fixed else summing
    value = text(output.scalar)
    return Part(
        output.name,
        "copied",
        column.type,
        value,
        value,
        column.collation,
        floating=floating,
        comparable=column.comparable,
    )


def _reads(query: Query, unwatched: frozenset[str]) -> dict[str, tuple[str, ...]]:
    reads: dict[str, tuple[str, ...]] = {}
    for occurrence in query.all_occurrences:
        label = occurrence.table.label
        if label in unwatched:
            continue
        names = set(reads.get(label, ())) | set(query.reads(occurrence.alias))
        reads[label] = tuple(column.name for column in occurrence.table.columns if column.name in names)
    return reads
