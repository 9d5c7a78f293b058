"""Putting two writers' tables beside each other: which columns, by which key, in the words of which engine.

Owns: `diff`. Promises: only columns that both tables have are compared, and the others are named; nothing is written.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Table
from tidemark.render.measures import Words, measure, sample
from tidemark.render.postgres import diff as postgres_diff
from tidemark.render.sqlite import diff as sqlite_diff
from tidemark.runtime.duty import Duty
from tidemark.runtime.truth.diff import Names, Side, TableDiff, compare_tables

WORDS: dict[str, Words] = {"sqlite": sqlite_diff.WORDS, "postgres": postgres_diff.WORDS}


def diff(
    named: str, left: Duty, right: Duty, *, where: str = "", tolerance: float = 0.0, modulo: int | None = None
) -> TableDiff:
    """Compare the table `named`, or ``left=right``, of two databases. Raises `Refusal` for a table that is not there."""
    mine, _, other = named.partition("=")
    here, there = _find(left.session.catalog(), mine), _find(right.session.catalog(), other or mine)
    names = [column.name for column in here.columns if there.column(column.name) is not None]
    if not names:
        raise Refusal(
            Code.UNKNOWN_COLUMN,
            f"{here.label} and {there.label} have no column in common.",
            instead="two tables that do",
        )
    key = _key(here, names)
    rest = [name for name in names if name not in key]
    kinds = [
        {column.name: _words(one).kind(column) for column in table.columns}
        for one, table in ((left, here), (right, there))
    ]
    added = {name: kinds[0][name] == kinds[1][name] and kinds[0][name] in ("number", "text") for name in names}
    sides = [
        Side(
            one.session,
            measure(table, _dialect(one), _words(one), names, where),
            sample(table, _dialect(one), _words(one), key, rest, where) if key else "",
        )
        for one, table in ((left, here), (right, there))
    ]
    only_left = tuple(column.name for column in here.columns if column.name not in names)
    only_right = tuple(column.name for column in there.columns if column.name not in names)
    told = Names(here.label, there.label, added, key, only_left, only_right)
    return compare_tables(told, sides[0], sides[1], tolerance, modulo)


def _dialect(one: Duty) -> Dialect:
    return one.session.dialect


def _words(one: Duty) -> Words:
    return WORDS[one.session.dialect.name]


def _find(catalog: Catalog, named: str) -> Table:
    schema, _, name = named.rpartition(".")
    found = catalog.find(name, schema)
    if found is None:
        raise Refusal(Code.UNKNOWN_TABLE, f"There is no table {named}.", instead="the name of a table, or LEFT=RIGHT")
    return found


def _key(table: Table, names: list[str]) -> tuple[str, ...]:
    """The columns by which rows are sampled: those of a unique key that both have; none where there is none."""
    for unique in sorted(table.uniques, key=lambda one: not one.primary):
        terms = tuple(term for term in unique.terms if term is not None)
        if unique.where is None and len(terms) == len(unique.terms) and set(terms) <= set(names):
            return terms
    return ()
