"""Two writers' tables beside each other: what both hold, column by column.

Owns: the comparison and its verdicts. Promises: reads only, each side in one snapshot; a column that only one side fills is
always a difference, whatever the tolerance; rows are compared value by value where both sides would have picked them.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tidemark.database.session import Session
from tidemark.runtime.values import plain

Verdict = Literal["same", "close", "differs", "one-sided"]
SAMPLED = 1_000
SAMPLED_MAX = 20_000
SHOWN_MAX = 100
NOISE = 1e-12


@dataclass(frozen=True)
class Side:
    """One side: its session, the text that measures the table, and the one that samples its rows (parameters ``:modulo``,
    ``:limit``), empty where no key is common to both."""

    session: Session
    measure: str
    sample: str


@dataclass(frozen=True)
class ColumnDiff:
    """One column on both sides: how many values there are and what they add up to, None where nothing can be added up; how many
    of the sampled rows differ in it."""

    name: str
    verdict: Verdict
    values: tuple[int, int]
    sums: tuple[float, float] | None
    rows_differing: int


@dataclass(frozen=True)
class RowDiff:
    """A value of a sampled row that differs; with column ``""`` a row that only one side has."""

    key: tuple[Any, ...]
    column: str
    left: Any
    right: Any


@dataclass(frozen=True)
class TableDiff:
    """A table on both sides. `only_left` and `only_right` are columns; `sampled` rows were compared, of which `missing` are on
    one side only; `differing` are the first differences."""

    left: str
    right: str
    rows: tuple[int, int]
    verdict: Verdict
    columns: tuple[ColumnDiff, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    sampled: int
    missing: int
    modulo: int
    differing: tuple[RowDiff, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs by more than was allowed."""
        return self.verdict in ("same", "close")

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        data = asdict(self)
        for shown, row in zip(data["differing"], self.differing, strict=True):
            shown |= {"key": [plain(v) for v in row.key], "left": plain(row.left), "right": plain(row.right)}
        return {**data, "same": self.same}


@dataclass(frozen=True)
class Names:
    """What two tables are called, the columns that both have and can be added up, the key they share, and the other columns."""

    left: str
    right: str
    added: Mapping[str, bool]
    key: tuple[str, ...]
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]


def compare_tables(names: Names, left: Side, right: Side, tolerance: float, modulo: int | None) -> TableDiff:
    """Compare two tables. `tolerance` is the share by which a measure may differ, `modulo` the one by which keys are picked
    (None: so that about a thousand are)."""
    with left.session.transaction("read", snapshot=True), right.session.transaction("read", snapshot=True):
        here, there = left.session.all(left.measure)[0], right.session.all(right.measure)[0]
        rows = (int(here[0]), int(there[0]))
        picked = modulo or max(1, max(rows) // SAMPLED) | 1
        taken = {"modulo": picked, "limit": SAMPLED_MAX}
        ours, theirs = (
            {row[: len(names.key)]: row[len(names.key) :] for row in _alike(side.session.all(side.sample, taken))}
            if side.sample
            else {}
            for side in (left, right)
        )
    rest = [name for name in names.added if name not in names.key]
    differing, counts = _compare_rows(ours, theirs, rest)
    missing = len(ours.keys() ^ theirs.keys())
    columns = tuple(
        _compare_column(
            name, here[1 + 2 * place :][:2], there[1 + 2 * place :][:2], adds, tolerance, counts.get(name, 0)
        )
        for place, (name, adds) in enumerate(names.added.items())
    )
    verdict = _whole(rows, columns, names, missing, len(ours.keys() | theirs.keys()), tolerance)
    return TableDiff(
        names.left,
        names.right,
        rows,
        verdict,
        columns,
        names.only_left,
        names.only_right,
        len(ours.keys() | theirs.keys()),
        missing,
        picked,
        tuple(differing[:SHOWN_MAX]),
    )


def _compare_column(
    name: str, here: Sequence[Any], there: Sequence[Any], adds: bool, tolerance: float, rows_differing: int
) -> ColumnDiff:
    values, sums = (int(here[0]), int(there[0])), (float(here[1]), float(there[1]))
    if 0 in values and values != (0, 0):
        verdict: Verdict = "one-sided"
    elif values[0] == values[1] and (not adds or math.isclose(*sums, rel_tol=NOISE)) and not rows_differing:
        verdict = "same"
    elif _near(*values, tolerance) and (not adds or _near(*sums, tolerance)) and (tolerance or not rows_differing):
        verdict = "close"
    else:
        verdict = "differs"
    return ColumnDiff(name, verdict, values, sums if adds else None, rows_differing)


def _whole(
    rows: tuple[int, int], columns: Sequence[ColumnDiff], names: Names, missing: int, sampled: int, tolerance: float
) -> Verdict:
    found = {column.verdict for column in columns}
    if "one-sided" in found or (0 in rows and rows != (0, 0)):
        return "one-sided"
    apart = not _near(*rows, tolerance) or missing > tolerance * sampled
    if "differs" in found or apart or names.only_left or names.only_right:
        return "differs"
    return "close" if "close" in found or missing or rows[0] != rows[1] else "same"


def _near(one: float, other: float, tolerance: float) -> bool:
    return math.isclose(one, other, rel_tol=max(tolerance, NOISE))


Found = dict[tuple[Any, ...], tuple[Any, ...]]


def _compare_rows(ours: Found, theirs: Found, names: Sequence[str]) -> tuple[list[RowDiff], dict[str, int]]:
    differing: list[RowDiff] = []
    counts = dict.fromkeys(names, 0)
    for key in [*ours, *(key for key in theirs if key not in ours)]:
        here, there = ours.get(key), theirs.get(key)
        if here is None or there is None:
            differing.append(
                RowDiff(key, "", "there" if here is not None else None, "there" if there is not None else None)
            )
            continue
        for name, one, other in zip(names, here, there, strict=True):
            if not _equal(one, other):
                counts[name] += 1
                differing.append(RowDiff(key, name, one, other))
    return differing, counts


def _alike(rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose values compare across engines."""
    return [tuple(_value(value) for value in row) for row in rows]


def _value(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, datetime.datetime | datetime.date | dict | list):
        one, other = other, one
    if isinstance(one, dict | list) and isinstance(other, str):
        return bool(one == _json(other))
    if isinstance(one, datetime.datetime) and isinstance(other, str):
        return _moment(one) == _moment(other)
    if isinstance(one, datetime.date) and isinstance(other, str):
        return one.isoformat() == other
    if isinstance(one, float) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=NOISE) or (math.isnan(one) and math.isnan(other))
    return bool(one == other)


def _json(said: str) -> Any:
    try:
        return json.loads(said)
    except ValueError:
        return said


def _moment(said: datetime.datetime | str) -> datetime.datetime | str:
    try:
        found = datetime.datetime.fromisoformat(said) if isinstance(said, str) else said
    except ValueError:
        return str(said)
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found
