"""What a command answers with.

Owns: `Outcome`. Promises: the same facts as plain data for ``--json`` and as text for people; building one prints nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemark.errors import Exit, Fault, Refusal, TidemarkError


@dataclass(frozen=True)
class Outcome:
    """`data` is the JSON object, `text` the same for people, `exit` the exit code."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    exit: Exit = Exit.OK


def describe_problem(problem: TidemarkError) -> Outcome:
    """The outcome of a refusal or a fault."""
    if isinstance(problem, Refusal):
        place = problem.place
        error: dict[str, Any] = {
            "family": "refusal",
            "code": problem.code.value,
            "reason": problem.reason,
            "instead": problem.instead,
            "derived": problem.derived,
            "place": {"line": place.line, "column": place.column, "text": place.text} if place else None,
        }
        return Outcome(f"refused: {problem}", {"error": error}, Exit.REFUSED)
    if isinstance(problem, Fault):
        error = {
            "family": "fault",
            "cause": problem.cause,
            "left_behind": problem.left_behind,
            "retry_safe": problem.retry_safe,
        }
        said = "stopped" if problem.exit is Exit.INTERRUPTED else "failed"
        return Outcome(f"{said}: {problem}", {"error": error}, problem.exit)
    return Outcome(f"failed: {problem}", {"error": {"family": "fault", "cause": str(problem)}}, Exit.ERROR)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned columns under a head; columns whose cells are all numbers are aligned to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[place]) for row in [list(head), *cells]) for place in range(len(head))]
    right = [bool(rows) and all(isinstance(row[place], int | float) for row in rows) for place in range(len(head))]

    def line(row: Sequence[str]) -> str:
        parts = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join(line(row) for row in [list(head), *cells])
