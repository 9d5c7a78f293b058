"""Where one value may reach many rows: a bounded sample of how many.

Owns: the `Fan` of every look-up that upkeep does. Promises: a sample reads a bounded number of rows, however large the table is:
the values of the first rows, each counted by an index up to a limit; without an index the first rows are grouped.
"""

from __future__ import annotations

from tidemark.contract.costs import Fan
from tidemark.dialect import Dialect
from tidemark.maintenance.bilinear import BilinearProgram
from tidemark.maintenance.program import KeyedProgram, LinearProgram
from tidemark.maintenance.restrict import joined_by
from tidemark.model import Table
from tidemark.query.indexed import has_index
from tidemark.render.statements import qualified

ROWS_SEEN, VALUES_SEEN, COUNTED_MAX = 2_000, 200, 10_000


def of_keyed(program: KeyedProgram, dialect: Dialect) -> tuple[Fan, ...]:
    """The look-ups of a recompute, by its keys and from scan to scan, then those on the ways from a change to its units."""
    found: dict[tuple[str, str], Fan] = {}
    for place in program.placements:
        if place.source is not None:
            table, column = place.source
            found.setdefault((table.label, column), _fan(table, column, dialect))
    for table, column in joined_by(program.query):
        found.setdefault((table.label, column), _fan(table, column, dialect))
    for way in program.routes:
        for occurrence in way.joined:
            names = [name for scalar in way.on for alias, name in sorted(scalar.columns) if alias == occurrence.alias]
            for name in names[:1]:
                found.setdefault((occurrence.table.label, name), _fan(occurrence.table, name, dialect))
    return tuple(found.values())


def of_joined(program: BilinearProgram, dialect: Dialect) -> tuple[Fan, ...]:
    """The look-ups of the keyed program, and those by which a change finds what it joins."""
    found = {(fan.source, fan.columns): fan for fan in of_keyed(program.keyed, dialect)}
    for table, column, _ in program.links:
        found.setdefault((table.label, (column,)), _fan(table, column, dialect))
    return tuple(found.values())


def of_linear(program: LinearProgram, dialect: Dialect) -> tuple[Fan, ...]:
    """The look-ups of a key that is computed again."""
    found: dict[tuple[str, str], Fan] = {}
    for feed in program.feeds:
        names = [name for one in feed.key for name in sorted(one.columns)]
        if len(names) == 1 and not feed.is_universe:
            found.setdefault((feed.table.label, names[0]), _fan(feed.table, names[0], dialect))
    return tuple(found.values())


def _fan(table: Table, column: str, dialect: Dialect) -> Fan:
    name, quoted, indexed = qualified(table, dialect), dialect.quote(column), has_index(table, (column,))
    rows = f"SELECT {quoted} AS v FROM {name} LIMIT {ROWS_SEEN}"
    if not indexed:
        return Fan(table.label, (column,), f"SELECT count(*) FROM ({rows}) AS r GROUP BY v LIMIT {VALUES_SEEN}", False)
    values = f"SELECT DISTINCT v FROM ({rows}) AS r WHERE v IS NOT NULL LIMIT {VALUES_SEEN}"
    counted = f"SELECT count(*) FROM (SELECT 1 FROM {name} AS t WHERE t.{quoted} = d.v LIMIT {COUNTED_MAX}) AS c"
    return Fan(table.label, (column,), f"SELECT ({counted}) FROM ({values}) AS d", True)
