"""What a comparison of two writers' tables found, as text for people.

Owns: the wording about both sides. Promises: every column that is not the same is named with both values.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.runtime.truth.diff import ColumnDiff, TableDiff
from tidemark.runtime.values import show

SHOWN_MAX = 10


def diff_text(found: Sequence[TableDiff]) -> str:
    """Each table with its verdict, its columns that are not the same, and the first rows that differ."""
    return "\n".join(line for one in found for line in _lines(one))


def _lines(one: TableDiff) -> list[str]:
    named = one.left if one.left == one.right else f"{one.left} and {one.right}"
    lines = [f"{named}: {one.verdict}; {one.rows[0]:,} and {one.rows[1]:,} rows, {one.sampled:,} of them compared"]
    lines += [f"  {name}: only on the left" for name in one.only_left]
    lines += [f"  {name}: only on the right" for name in one.only_right]
    lines += [_column(column) for column in one.columns if column.verdict != "same"]
    if one.missing:
        lines.append(f"  {one.missing:,} of the sampled rows are on one side only")
    for row in one.differing[:SHOWN_MAX]:
        key = ", ".join(show(value) for value in row.key)
        told = f"{row.column}: {show(row.left)} and {show(row.right)}" if row.column else _side(row.left)
        lines.append(f"    {key}: {told}")
    return lines


def _side(left: object) -> str:
    return "only on the right" if left is None else "only on the left"


def _column(column: ColumnDiff) -> str:
    said = f"{column.values[0]:,} and {column.values[1]:,} values"
    if column.sums is not None:
        said += f", sums {column.sums[0]:,.10g} and {column.sums[1]:,.10g}"
    if column.rows_differing:
        said += f", {column.rows_differing:,} of the sampled rows"
    return f"  {column.name}: {column.verdict}; {said}"
