"""Pruned sources: old rows may be deleted, and what was made of them stays.

Owns: which programs may read one, and what is said about it. Promises: nothing that would have to be computed again from rows
that are gone is admitted; so a total is the sum over every row that ever was, an extreme value never goes back, and what can
only be compared from one side is said.
"""

from __future__ import annotations

from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.model import Declaration, Table
from tidemark.query.relation import Query, Scalar


def pruned_of(query: Query) -> tuple[str, ...]:
    """Labels of the pruned sources that a query reads."""
    return tuple(dict.fromkeys(one.table.label for one in query.all_occurrences if one.table.pruned))


def refuse_unless_added(query: Query, reason: str) -> None:
    """Raises `Refusal` when a query over a pruned source is not kept by adding, for that reason."""
    for label in pruned_of(query):
        raise Refusal(
            Code.UNSUPPORTED,
            f"{label} is pruned, and this would be computed again from the rows that are left: {reason}.",
            instead="counts, integer sums and extremes by GROUP BY over it alone, and another derived table over those",
        )


def require_totals(program: LinearProgram, declaration: Declaration) -> None:
    """Raises `Refusal` for a column or an option that a pruned source cannot have."""
    for feed in program.feeds:
        if not feed.table.pruned:
            continue
        if declaration.freshness == "tick":
            raise _refuse(
                feed.table, "a log does not tell a row that is deleted from one that changes", 'freshness="commit"'
            )
        if feed.is_universe:
            raise _refuse(
                feed.table, "its rows decide which rows there are", "GROUP BY, or a source that keeps its rows"
            )
        if declaration.columns_of or declaration.rows_of:
            raise _refuse(feed.table, "rows in a table of yours cannot tell what is gone", "a table of its own")
        if (feed.table.kind == "partitioned" or feed.table.below) and not feed.table.append_only:
            why = "a row that moves to another partition looks like one that is deleted"
            raise _refuse(feed.table, why, "append_only=True too, if rows never move")
        for part in feed.parts:
            if part.kind == "copied" or (part.kind == "recomputed" and not _never_needed(feed, part)):
                what = f"{part.name.lstrip('_')} does not add up for every value"
                raise _refuse(feed.table, what, "sum(CAST(… AS INTEGER)), sum(…::bigint), or count")


def _never_needed(feed: Feed, part: Part) -> bool:
    """Whether the argument of a sum is an integer or NULL, whatever the row holds."""
    scalars = [piece for piece in part.value.pieces if isinstance(piece, Scalar)]
    if part.needed is None or not scalars or "avg(" in part.aggregate.at("r").lower():
        return False
    argument = scalars[-1]
    text = argument.text.upper().replace(" ", "")
    column = feed.table.column(argument.column[1]) if argument.column is not None else None
    typed = column is not None and column.strict and column.type.upper() in ("INT", "INTEGER")
    return typed or (text.startswith("CAST(") and text.endswith("ASINTEGER)") and text.count("(") == 1)


def _refuse(table: Table, why: str, instead: str) -> Refusal:
    return Refusal(Code.UNSUPPORTED, f"{table.label} is pruned: {why}.", instead=instead)


def count_of(feed: Feed) -> Part | None:
    """The part that counts every row of a feed, if it has one."""
    return next((part for part in feed.parts if part.kind == "additive" and part.value.at("r") == "1"), None)


def notes(program: LinearProgram) -> tuple[str, ...]:
    """What verification can say of totals over rows that are gone, in sentences."""
    found = []
    for feed in (feed for feed in program.feeds if feed.table.pruned):
        label = feed.table.label
        extremes = ", ".join(part.name.lstrip("_") for part in feed.by_kind("highest", "lowest"))
        sums = ", ".join(part.name.lstrip("_") for part in feed.by_kind("additive") if not part.unit)
        found.append(f"{label} is pruned: rows that are deleted stay counted, and counts are compared one-sided")
        if extremes:
            found.append(f"{extremes} never go back, not even when the row that held the value is changed")
        if sums:
            when = f"only for keys of which {label} still has every row" if count_of(feed) else "not at all"
            found.append(f"{sums}: compared {when}")
    return tuple(found)
