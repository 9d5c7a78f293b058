"""What is measured against what: figures, budgets, and the table that shows both.

Owns: `Figure` and how figures are printed. Promises: a figure without a budget is shown without a verdict; a budget that was not
measured is shown as such and never as met.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. `limit` is the budget: at least it when `at_least`, at most it otherwise."""

    work: str
    value: float | None
    unit: str
    limit: float | None = None
    at_least: bool = True
    note: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED``, or nothing where there is no budget."""
        if self.limit is None:
            return ""
        if self.value is None:
            return "not measured"
        return "met" if (self.value >= self.limit) == self.at_least or self.value == self.limit else "MISSED"

    @property
    def budget(self) -> str:
        """The limit in words."""
        return "" if self.limit is None else f"{'≥' if self.at_least else '≤'} {spell(self.limit)} {self.unit}"


def spell(value: float | None) -> str:
    """A number with as many digits as mean something; a dash for none."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def ratio(left: float | None, right: float | None) -> float | None:
    """`left` over `right`, or None where either is missing or `right` is nothing."""
    return left / right if left is not None and right else None


def lines_of(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown with aligned columns."""
    table = [list(titles), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(titles))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in table
    ]
    return [shown[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *shown[1:]]


def budget_table(figures: Iterable[Figure]) -> list[str]:
    """The one table: what was measured, the budget, and whether it is met."""
    rows = [(f.work, f"{spell(f.value)} {f.unit}", f.budget, f.verdict, f.note) for f in figures]
    return lines_of(("work", "measured", "budget", "verdict", "note"), rows)
