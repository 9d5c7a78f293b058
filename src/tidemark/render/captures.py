"""The capture of a source: one log, and what writes it, for every derived table at tick freshness that reads the source.

Owns: making a `Capture`. Promises: its texts depend on the source and on the columns alone, so that whoever asks for the same
gets the same; one column more or less is one statement more and new texts for what writes the log.
"""

from __future__ import annotations

from tidemark.contract.script import Capture
from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.render.engines import PIECES
from tidemark.render.images import image, image_definition, log_name, log_of
from tidemark.render.statements import qualified


def capture(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> Capture:
    """The capture of a source for those columns, in that order."""
    log = log_of(dialect, table)
    # Who holds this lock knows that no writer is between two statements of a trigger's function of before.
    locks = (
        () if dialect.writers_wait_in_line else (f"LOCK TABLE {qualified(table, dialect)} IN SHARE ROW EXCLUSIVE MODE",)
    )
    return Capture(
        source=table.label,
        engine=dialect.name,
        columns=columns,
        log=log,
        name=log_name(dialect, table),
        pieces=PIECES[dialect.name].log(table, columns),
        locks=locks,
        extensions=tuple(
            (name, f"ALTER TABLE {log} ADD COLUMN {image_definition(dialect, table, name)}") for name in columns
        ),
        # SQLite would write the whole log anew, and look at every view of the application's on the way.
        narrowings=tuple(
            (name, f"ALTER TABLE {log} DROP COLUMN {dialect.quote(image(name))}")
            for name in columns
            if dialect.drops_unwritten
        ),
    )
