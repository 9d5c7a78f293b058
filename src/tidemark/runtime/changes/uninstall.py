"""Leaving: everything of ours goes, and the rows may stay as plain tables.

Owns: `uninstall`. Promises: when it ends, no object of ours is in the database; it can be repeated after a kill; with
`keep_data` every public name is a plain table with the rows that its readers saw, and its key is a unique index. Where a dump
brought our objects without what the ledger knew of them, they go all the same. Objects of
the user's that stand on a public view stop it, with the engine's own sentence, before that view is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from tidemark.names import shorten
from tidemark.runtime.cascade import upstream_first
from tidemark.runtime.changes.indexes import list_made
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import HOLLOW, Installed
from tidemark.runtime.objects.install import Remaining, remove
from tidemark.runtime.objects.pieces import PLAIN_PATIENCE, set_patience
from tidemark.runtime.progress import Event

DROPS = {"table": "drop_table", "view": "drop_view", "trigger": "drop_trigger", "schema": "drop_schema"}


@dataclass(frozen=True)
class UninstallReport:
    """What went: names of derived tables, and of those whose rows were kept as plain tables. `indexes` are those that were made
    on the user's tables, which stay."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    indexes: tuple[str, ...] = ()


def uninstall(duty: Duty, *, keep_data: bool = False) -> UninstallReport:
    """Remove everything of ours. Raises `Fault` while a worker is busy with one of the tables (exit 6), and for the ledger of
    another version."""
    removed: list[str] = []
    kept: list[str] = []
    indexes: tuple[str, ...] = ()
    if duty.ledger.shape() != HOLLOW and duty.ledger.check_shape():
        indexes = list_made(duty.ledger)
        # Every public view is a table before the first of the rows that it shows goes.
        for installed in upstream_first(duty.ledger.derived()) if keep_data else ():
            if _has_rows(installed):
                with duty.leased(f"keep {installed.name}"):
                    duty.write(partial(_keep, duty, installed))
                kept.append(installed.name)
        among = Remaining(duty)
        for installed in reversed(among.rows):
            with duty.leased(f"keep {installed.name}"):
                remove(duty, installed, among)
            among.take(installed)
            removed += [] if installed.script.supports else [installed.name]
    duty.write(partial(_remove_rest, duty))
    duty.listen(Event("", "drop", note="the ledger is gone"))
    return UninstallReport(tuple(dict.fromkeys(removed)), tuple(kept), indexes)


def _has_rows(installed: Installed) -> bool:
    """Whether readers see rows of ours under the public name."""
    shown = installed.live_at is not None and installed.state != "retired"
    return shown and any(piece.public and piece.kind == "view" for piece in installed.script.pieces)


def _keep(duty: Duty, installed: Installed) -> Installed:
    """Put a plain table in the place of the view."""
    script, ledger, quote = installed.script, duty.ledger, duty.session.dialect.quote
    ledger.run("copy_rows", public=script.public)
    duty.session.script(*(piece.drop for piece in reversed(script.pieces) if piece.public))
    ledger.run("keep_rows", public=script.public)
    if script.key and set(script.key) <= set(script.columns):
        columns = ", ".join(quote(column) for column in script.key)
        index = shorten(f"{script.name}_key", duty.session.dialect.name_bytes_max)
        ledger.run("keep_key", public=script.public, index=quote(index), columns=columns)
    ledger.run("drop_copy")
    return ledger.move(installed, "retired")


def _remove_rest(duty: Duty) -> None:
    """Drop what is still there of ours: the ledger, and whatever no script spoke of."""
    set_patience(duty.ledger, PLAIN_PATIENCE)
    if duty.ledger.shape() == HOLLOW:
        # No script is left that names what readers have.
        for (view,) in duty.ledger.all("list_views_left"):
            duty.ledger.run("drop_view", object=view)
    for kind, name in duty.ledger.all("list_leftovers"):
        duty.ledger.run(DROPS[kind], object=name)
