"""Adoption: columns that somebody else's code keeps, beside what the declared query says of them.

Owns: the comparison before a take-over. Promises: reads only, in one snapshot, and installs nothing, so that it can be repeated
for as long as the other code runs; every value that differs is found, by key and column, where the key is not NULL; NULLs
equal NULLs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemark.errors import Code, Refusal
from tidemark.runtime.duty import Duty
from tidemark.script import Script

SHOWN_MAX = 10_000


@dataclass(frozen=True)
class Differing:
    """A value of the user's table that is not what the query says."""

    key: tuple[Any, ...]
    column: str
    stored: Any
    truth: Any


@dataclass(frozen=True)
class AdoptionReport:
    """What a table holds in the columns that are to be adopted, beside the query.

    `rows` were compared; `counts` are the wrong values of each column, `differing` the first of them in key order. `taken`
    tells that the columns are kept from the query now.
    """

    derived: str
    table: str
    rows: int
    key_columns: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    differing: tuple[Differing, ...]
    taken: bool = False

    @property
    def wrong(self) -> int:
        """How many values differ."""
        return sum(count for _, count in self.counts)


def compare_existing(duty: Duty, script: Script, table: str) -> AdoptionReport:
    """Compare the columns of `table` that a declaration names with its query. Raises `Refusal` (``columns-of``) where the rows
    are kept for no table of the user's."""
    if not table or script.joins:
        raise Refusal(
            Code.COLUMNS_OF,
            f"{script.name} keeps no columns of a table of yours, so there is nothing to adopt.",
            instead='columns_of="table" in its declaration',
            derived=script.name,
        )
    dialect = duty.session.dialect
    quote, differs = dialect.quote, dialect.null_safe_differs
    keys = ", ".join(f"t.{quote(name)}" for name in script.key)
    names = [name for name in script.columns if name not in script.key]
    tests = [f"t.{quote(name)} {differs} q.{quote(name)}" for name in names]
    same = " AND ".join(f"t.{quote(name)} = q.{quote(name)}" for name in script.key)
    joined = f"FROM {script.public} AS t JOIN (\n{script.truth}\n) AS q ON {same}"
    counted = ", ".join(f"coalesce(sum(CASE WHEN {test} THEN 1 ELSE 0 END), 0)" for test in tests)
    values = ", ".join(
        f"t.{quote(name)}, q.{quote(name)}, CASE WHEN {test} THEN 1 ELSE 0 END"
        for name, test in zip(names, tests, strict=True)
    )

    def look() -> AdoptionReport:
        rows, *counts = duty.session.all(f"SELECT count(*), {counted} {joined}")[0]
        wrong = duty.session.all(
            f"SELECT {keys}, {values} {joined} WHERE {' OR '.join(tests)} ORDER BY {keys} LIMIT {SHOWN_MAX}"
        )
        found = [one for row in wrong for one in _differing(script, names, row)]
        counted_by_name = tuple((name, int(count)) for name, count in zip(names, counts, strict=True))
        return AdoptionReport(script.name, table, int(rows), script.key, counted_by_name, tuple(found))

    return duty.read(look).value


def _differing(script: Script, names: list[str], row: tuple[Any, ...]) -> list[Differing]:
    keys = len(script.key)
    key, values = tuple(row[:keys]), row[keys:]
    return [
        Differing(key, name, values[3 * place], values[3 * place + 1])
        for place, name in enumerate(names)
        if values[3 * place + 2]
    ]
