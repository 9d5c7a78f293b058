"""That the values of a row are among those of a list: IN, the form through which SQLite reaches an index.

Owns: `listed` and `rowid_place`. Promises: every row that the list names is found. SQLite (3.40 at least) finds none through an
index that has the rowid's own column after another one, where a list of row values is looked up in it: the rowid, by which it
finds them best anyway, is looked up by itself, and is no column of an index beside the others. Beside a RIGHT or FULL JOIN it
finds a row as often as the list has the value of an index's first column: one value is looked up by itself there, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.model import Table


def rowid_place(table: Table, columns: Sequence[str]) -> int | None:
    """Which of a table's columns is its rowid, None where none is."""
    aliases = {column.name for column in table.columns if column.rowid_alias}
    return next((place for place, name in enumerate(columns) if name in aliases), None)


def listed(
    values: Sequence[str], columns: Sequence[str], rows: str, rowid: int | None, alone: int | None = None
) -> str:
    """That `values` are the `columns` of one of `rows`, what follows FROM. `rowid` is the place of a value that is the rowid of a
    table, as `rowid_place` gives it; with `alone` an index finds rows by the value at that place and by no other."""
    if len(values) == 1:
        return f"{values[0]} IN (SELECT {columns[0]} FROM {rows})"
    first = rowid if rowid is not None else alone
    hidden = range(len(values)) if alone is not None else (rowid,)
    row = [f"+{value}" if place in hidden else value for place, value in enumerate(values)]
    found = f"({', '.join(row)}) IN (SELECT {', '.join(columns)} FROM {rows})"
    return found if first is None else f"{values[first]} IN (SELECT {columns[first]} FROM {rows}) AND {found}"
