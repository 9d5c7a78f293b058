"""Adoption: columns that somebody else's code keeps, beside what the declared query says of them.

Owns: the comparison, and how an adoption stands. Promises: a comparison only reads, in one snapshot, so that it can be repeated
for as long as the other code runs; in shadow what it came to is on record afterwards; every value that differs is found, by key
and column, where the key is not NULL; NULLs equal NULLs. A baseline is written down in one statement, so that each change of a
source is either in it or comes after it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from tidemark.contract.script import Script
from tidemark.dialect import unquote
from tidemark.errors import Code, Refusal
from tidemark.model import Table
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger

SHOWN_MAX = 10_000
ADOPTED = "adopt "


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

    `rows` were compared, and `rows_differing` of them differ; `counts` are the wrong values of each column, `differing` the first
    of them in key order. `taken` tells that the columns are kept from the query now, `kept` that they were before anything was
    asked, `standing` that it is computed beside (``shadow``), or that what was there is carried on (``baseline``). `freshness` is
    that of the rows which the query keeps, `indexes` are those that keeping them would profit from, each with a reason.
    """

    derived: str
    table: str
    rows: int
    key_columns: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    differing: tuple[Differing, ...]
    taken: bool = False
    kept: bool = False
    standing: str = ""
    rows_differing: int = 0
    freshness: str = ""
    indexes: tuple[tuple[str, str], ...] = ()

    @property
    def wrong(self) -> int:
        """How many values differ."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True)
class Shadow:
    """Rows that are kept beside a `table` of the user's, which others go on writing, since a moment; and the last comparison, if
    there was one: when, of how many rows, and how many of them differed. Times are UTC texts."""

    table: str
    since: str
    compared_at: str | None = None
    rows: int | None = None
    rows_differing: int | None = None


@dataclass(frozen=True)
class Standing:
    """How an adoption stands: `how` is ``shadow``, ``baseline`` or empty; `key` are the columns by which a baseline
    is joined, `shadow` is what there is to say of a shadow."""

    how: str = ""
    key: tuple[str, ...] = ()
    shadow: Shadow | None = None


def read_standing(ledger: Ledger, name: str) -> Standing:
    """How the adoption of a derived table's columns stands."""
    text = ledger.value("read_meta", {"key": f"{ADOPTED}{name}"}) if ledger.exists() else None
    return _standing_of(text) if text else Standing()


def read_shadows(ledger: Ledger) -> Mapping[str, Shadow]:
    """The shadows that there are, by derived table."""
    found = {name: _standing_of(text).shadow for name, text in ledger.all("list_adopted", {"prefix": ADOPTED})}
    return {name.removeprefix(ADOPTED): shadow for name, shadow in found.items() if shadow is not None}


def _standing_of(text: str) -> Standing:
    how, key, shadow = json.loads(text)
    return Standing(how, tuple(key), None if shadow is None else Shadow(**shadow))


def set_standing(ledger: Ledger, name: str, standing: Standing) -> None:
    """Write down how it stands, in the caller's transaction."""
    shadow = None if standing.shadow is None else asdict(standing.shadow)
    text = json.dumps([standing.how, standing.key, shadow])
    ledger.run("set_meta", {"key": f"{ADOPTED}{name}", "value": text})


def set_shadow(ledger: Ledger, name: str, table: str) -> None:
    """Write down, in the caller's transaction, that rows are kept beside a table from now on, if they are not yet; or beside none
    any more, where it has no name."""
    if not table:
        set_standing(ledger, name, Standing())
    elif read_standing(ledger, name).how != "shadow":
        set_standing(ledger, name, Standing("shadow", shadow=Shadow(table, str(ledger.value("read_now")))))


def record_comparison(ledger: Ledger, report: AdoptionReport) -> None:
    """Write down, in the caller's transaction, what a comparison came to, if the table is in shadow still."""
    standing = read_standing(ledger, report.derived)
    if standing.shadow is not None:
        shadow = Shadow(
            standing.shadow.table,
            standing.shadow.since,
            str(ledger.value("read_now")),
            report.rows,
            report.rows_differing,
        )
        set_standing(ledger, report.derived, replace(standing, shadow=shadow))


def record_baseline(
    duty: Duty,
    script: Script,
    table: Table,
    baseline: str,
    named: Mapping[str, str],
    also: Callable[[], object] = lambda: None,
) -> None:
    """Write down by how much the columns of a table are ahead of the query, row by row, where they are at all. `named` are the
    names of the columns in `baseline`, the table that is made. `also` is called at the end of it, and may give it up.

    Raises `Refusal` (``columns-of``) where a value that differs is no number.
    """
    quote, differs = duty.session.dialect.quote, duty.session.dialect.null_safe_differs
    label = quote(table.schema, table.name)
    _refuse_odd(script, [one for one in compare_existing(duty, script, label).differing if not _is_number(one)])
    types = {column.name: column.type for column in table.columns}
    names = [name for name in script.columns if name not in script.key]
    held = {name: quote(named[name]) for name in (*script.key, *names)}
    made = [f"{held[name]} {types.get(name, '')} NOT NULL" for name in script.key]
    made += [f"{held[name]} {types.get(name, '')}" for name in names]
    keys = ", ".join(held[name] for name in script.key)
    tests = {name: f"t.{quote(name)} {differs} q.{quote(name)}" for name in names}
    ahead = [
        f"CASE WHEN {test} THEN coalesce(t.{quote(name)}, 0) - coalesce(q.{quote(name)}, 0) END"
        for name, test in tests.items()
    ]
    same = " AND ".join(f"t.{quote(name)} = q.{quote(name)}" for name in script.key)
    joined = f"FROM {label} AS t JOIN (\n{script.truth}\n) AS q ON {same}"
    chosen = ", ".join([*(f"t.{quote(name)}" for name in script.key), *ahead])
    listed = ", ".join(held.values())
    odd = {
        name: " OR ".join(f"{side}.{quote(name)} + 0 {differs} {side}.{quote(name)}" for side in ("t", "q"))
        for name in names
    }
    flagged = ", ".join(
        f"t.{quote(name)}, q.{quote(name)}, CASE WHEN {test} AND ({odd[name]}) THEN 1 ELSE 0 END"
        for name, test in tests.items()
    )
    first_odd = (
        f"SELECT {', '.join(f't.{quote(name)}' for name in script.key)}, {flagged} {joined} WHERE "
        + " OR ".join(f"({test} AND ({odd[name]}))" for name, test in tests.items())
    )

    def work() -> None:
        # Only the first rows that differ were looked at above; where types are not fixed, a later one may hold something else.
        row = duty.session.one(f"{first_odd} LIMIT 1")
        _refuse_odd(script, _differing(script, names, row) if row else [])
        duty.session.script(f"CREATE TABLE {quote(baseline)} ({', '.join(made)}, PRIMARY KEY ({keys}))")
        duty.session.run(
            f"INSERT INTO {quote(baseline)} ({listed}) SELECT {chosen} {joined} WHERE {' OR '.join(tests.values())}"
        )
        set_standing(duty.ledger, script.name, Standing("baseline", script.key))
        also()

    duty.write(work)


def _refuse_odd(script: Script, odd: list[Differing]) -> None:
    """Raise `Refusal` (``columns-of``) for the first value that is no number, if there is one."""
    if odd:
        raise Refusal(
            Code.COLUMNS_OF,
            f"{odd[0].column} holds {odd[0].stored!r}, and what it is ahead of {odd[0].truth!r} is no number.",
            instead='--take-over; with keep={"column": ratchet()} what is there does not go back',
            derived=script.name,
        )


def _is_number(one: Differing) -> bool:
    return all(value is None or isinstance(value, int | float | Decimal) for value in (one.stored, one.truth))


def compare_existing(duty: Duty, script: Script, table: str, beside: str = "") -> AdoptionReport:
    """Compare the columns of `table`, a quoted name, with the query of a declaration, or with the rows of `beside` where those
    are kept already. Raises `Refusal` (``columns-of``) where the rows are kept for no table of the user's."""
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
    joined = f"FROM {table} AS t JOIN (\n{beside or script.truth}\n) AS q ON {same}"
    counted = ", ".join(f"coalesce(sum(CASE WHEN {test} THEN 1 ELSE 0 END), 0)" for test in tests)
    values = ", ".join(
        f"t.{quote(name)}, q.{quote(name)}, CASE WHEN {test} THEN 1 ELSE 0 END"
        for name, test in zip(names, tests, strict=True)
    )

    def look() -> AdoptionReport:
        anyhow = f"coalesce(sum(CASE WHEN {' OR '.join(tests)} THEN 1 ELSE 0 END), 0)"
        rows, wrong_rows, *counts = duty.session.all(f"SELECT count(*), {anyhow}, {counted} {joined}")[0]
        wrong = duty.session.all(
            f"SELECT {keys}, {values} {joined} WHERE {' OR '.join(tests)} ORDER BY {keys} LIMIT {SHOWN_MAX}"
        )
        found = [one for row in wrong for one in _differing(script, names, row)]
        counted_by_name = tuple((name, int(count)) for name, count in zip(names, counts, strict=True))
        report = AdoptionReport(script.name, unquote(table), int(rows), script.key, counted_by_name, tuple(found))
        helpful = tuple((index.text, index.reason) for index in script.missing_indexes)
        return replace(report, rows_differing=int(wrong_rows), freshness=script.freshness, indexes=helpful)

    return duty.read(look).value


def _differing(script: Script, names: list[str], row: tuple[Any, ...]) -> list[Differing]:
    keys = len(script.key)
    key, values = tuple(row[:keys]), row[keys:]
    return [
        Differing(key, name, values[3 * place], values[3 * place + 1])
        for place, name in enumerate(names)
        if values[3 * place + 2]
    ]
