"""Installing and removing: objects appear and disappear, in transactions that nobody has to wait for.

Owns: creating the pieces of a generation, putting back what is missing, dropping what is over. Promises: the ledger knows of
a generation before its first object exists and until its last one is gone, so that a kill in between is resumed; an object
that is there with the right fingerprint is left alone; captures are committed before anything is filled. Locks on the
user's tables are asked for briefly and again, never waited for in line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tidemark.contract.script import Piece, Script
from tidemark.runtime.cascade import upstream_first
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.captures import begin_reading, drop_captures, drop_group, left_captures
from tidemark.runtime.objects.gaps import look_at_catalog, look_at_pieces, record_gap
from tidemark.runtime.objects.groups import groups_of, show_again, with_groups
from tidemark.runtime.objects.pieces import (
    Finding,
    creation,
    find_pieces,
    group_pieces,
    inspect_pieces,
    mirror_pieces,
    names_of,
    patience,
    set_patience,
    wanting,
)
from tidemark.runtime.objects.showing import show_pieces
from tidemark.runtime.objects.sources import record_sources
from tidemark.runtime.progress import Event
from tidemark.runtime.scripts import script_text
from tidemark.telling import tell_count


def record_generation(duty: Duty, script: Script, replaces: str) -> Installed:
    """Write down a new generation. It reads no log before it is filled."""
    return duty.write(partial(duty.ledger.add, script, replaces)).value


def install_pieces(duty: Duty, installed: Installed) -> Installed:
    """Create what is missing of a generation; give it in state ``backfilling``, to be filled from the start."""
    script = installed.script
    if installed.state != "installing":
        installed = duty.write(partial(duty.ledger.move, installed, "installing")).value
    findings = inspect_pieces(script, find_pieces(duty.session, script), public=False)
    healths = {finding.piece.name: finding for finding in findings}
    missing = wanting(script, findings)
    try:
        installed = _install_missing(duty, installed, missing, healths)
    except BaseException:
        # What was seen was rolled back.
        duty.looked.pop(_identity(installed), None)
        raise
    count = sum(piece.kind != "step" for piece in missing)
    duty.listen(Event(script.name, "install", count, count, f"{tell_count(count, 'object')} created"))
    return installed


def _install_missing(
    duty: Duty, installed: Installed, missing: Sequence[Piece], healths: Mapping[str, Finding]
) -> Installed:
    if duty.session.dialect.writers_wait_in_line:
        # One transaction for everything: whoever writes waits once, for milliseconds.
        return duty.write(partial(_install_all, duty, installed, missing, healths)).value
    for group in group_pieces(duty.session, missing):
        duty.write(partial(_install_group, duty, group, healths))
    kept = [piece for piece in installed.script.pieces if piece.kind == "function" and not piece.public]
    renewed = [piece for piece in kept if piece not in missing]
    return duty.write(partial(_begin_renewed, duty, installed, renewed)).value


def _install_all(
    duty: Duty, installed: Installed, missing: Sequence[Piece], healths: Mapping[str, Finding]
) -> Installed:
    _install_group(duty, missing, healths)
    return begin_filling(duty, installed, look=True)


def _begin_renewed(duty: Duty, installed: Installed, functions: Sequence[Piece]) -> Installed:
    """Have a generation filled whose functions were there: what a writer's session compiled for a column of another type fails
    there for as long as it is connected, unless the function is written again."""
    duty.session.script(*(one.create.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1) for one in functions))
    return begin_filling(duty, installed, look=True)


def _install_group(duty: Duty, group: Sequence[Piece], healths: Mapping[str, Finding]) -> None:
    set_patience(duty.ledger, patience(group))
    anew = [piece.name for piece in group if healths[piece.name].health not in ("missing", "installed")]
    duty.session.script(*creation(duty.session, group, anew))


def begin_filling(duty: Duty, installed: Installed, *, look: bool = False) -> Installed:
    """Set the checkpoints of a generation whose captures are there and have it filled, in the caller's transaction; with `look`
    it is seen, too, that they are, so that nobody has to look again as long as nothing of the schema is changed."""
    about = {"name": installed.name, "generation": installed.generation}
    seen = (duty.session.schema_marker(), duty.clock.now()) if look else None
    begin_reading(duty.ledger, installed.script)
    wrong = record_sources(duty.ledger, installed.script)
    if seen is not None and wrong is None and not look_at_pieces(duty.session, installed).gap(installed):
        duty.looked[_identity(installed)] = seen
    duty.ledger.run("set_cursor", {**about, "cursor_at": 0, "cursor_total": 0})
    return replace(duty.ledger.move(installed, "backfilling"), cursor_at=0, cursor_total=0)


def begin_verifying(duty: Duty, installed: Installed, before: Installed | None) -> Installed:
    """End the filling, in the caller's transaction.

    Where the rows are shown in a table of the user's, this generation carries them there from now on, and `before` does no
    longer: what a verification finds true there then stays so, and nothing is left to be copied at once at the cutover.
    """
    mirror = mirror_pieces(installed.script)
    if mirror and before is not None:
        duty.session.script(*(piece.drop for piece in reversed(mirror_pieces(before.script))))
    set_patience(duty.ledger, patience(mirror))
    duty.session.script(*creation(duty.session, mirror, [piece.name for piece in mirror]))
    return duty.ledger.move(installed, "verifying")


def reinstall(duty: Duty, installed: Installed) -> Installed:
    """Put back what is missing, disabled or changed of a live generation.

    Where a capture was, changes may have been missed: the generation comes back in state ``backfilling``. Where only an
    index or what readers see was, it stays ``live``.
    """
    script, session = installed.script, duty.session
    gap = look_at_catalog(duty.ledger, [installed]).gap(installed)
    if gap and installed.state == "live":
        installed = record_gap(duty, installed, gap)
    if installed.state == "installing":
        installed = install_pieces(duty, installed)
    findings = inspect_pieces(script, find_pieces(session, script), public=True)
    healths = {finding.piece.name: finding for finding in findings}
    for group in group_pieces(session, wanting(script, findings)):
        duty.write(partial(_install_group, duty, group, healths))
    return installed


def show_rows(
    duty: Duty,
    installed: Installed,
    before: Installed | None,
    also: Callable[[], object] = lambda: None,
) -> Installed:
    """The cutover: readers move to this generation, from `before` if there was one, in one transaction. `also` is called at the
    end of it, and may give it up."""

    def work() -> Installed:
        script = with_groups(installed.script, groups_of(installed.name, duty.ledger.joining(installed.name)))
        show_pieces(duty, before.script if before is not None else None, script)
        if before is not None:
            duty.ledger.move(before, "retired")
        about = {"name": installed.name, "generation": installed.generation}
        if script != installed.script:
            duty.ledger.run("set_script", {**about, "fingerprint": script.fingerprint, "script": script_text(script)})
        duty.ledger.run("mark_live", about)
        shown = duty.ledger.move(replace(installed, script=script, fingerprint=script.fingerprint), "live")
        for name in {script.joins, before.script.joins if before is not None else ""} - {""}:
            show_again(duty, name)
        also()
        return shown

    if installed.live_at is not None and before is None:
        return duty.write(partial(duty.ledger.move, installed, "live")).value
    shown = duty.write(work).value
    duty.listen(Event(installed.name, "cutover", note="readers see the new rows"))
    return shown


class Remaining:
    """The generations that are there while many are removed: read once, with what the database has of them."""

    def __init__(self, duty: Duty) -> None:
        self.rows = list(upstream_first(duty.ledger.derived()))
        self.present = find_pieces(duty.session, *(row.script for row in self.rows))
        self._count = Counter(name for row in self.rows for name in _names(row))

    def shared(self, installed: Installed) -> frozenset[str]:
        """The names of pieces that another generation has, too."""
        return frozenset(name for name in _names(installed) if self._count[name] > 1)

    def others(self, installed: Installed) -> list[Installed]:
        """All but one of them."""
        return [row for row in self.rows if _identity(row) != _identity(installed)]

    def take(self, installed: Installed) -> None:
        """Forget one that is removed."""
        self.rows = self.others(installed)
        self._count.subtract(_names(installed))


def _names(row: Installed) -> frozenset[str]:
    return frozenset(piece.name for piece in row.script.pieces)


def remove(duty: Duty, installed: Installed, among: Remaining | None = None) -> None:
    """Drop every object of a generation that no other one needs, then forget it. Resumes where a kill ended it. Whoever removes
    many has read them all before: it is one `among` those.

    What readers see goes first, in one transaction with the record of it: where something of the user's stands on that, the
    engine's refusal leaves the table as it was, kept true.
    """
    if among is None:
        others = [row for row in duty.ledger.derived() if _identity(row) != _identity(installed)]
        present, shared = find_pieces(duty.session, installed.script), names_of(row.script for row in others)
    else:
        others, present, shared = among.others(installed), among.present, among.shared(installed)
    # A public name that is not ours any more may be a table that the user was left with.
    going = [
        piece
        for piece in reversed(installed.script.pieces)
        if piece.name not in shared and (piece.name in present or piece.kind != "view")
    ]
    if not any(piece.name in present for piece in going):
        # Nothing was created yet, so there is nothing for a step to undo.
        going = []
    duty.listen(Event(installed.name, "drop", note=f"generation {installed.generation} goes"))
    if duty.session.dialect.writers_wait_in_line:
        captures = left_captures(installed, others)
        unread = [piece for capture in captures for piece in reversed(capture.pieces)]
        duty.write(partial(_drop_all, duty, installed, [*unread, *going], [one.source for one in captures]))
        return
    if installed.live_at is not None and installed.state != "retired":
        public = [piece for piece in going if piece.public]
        installed = duty.write(partial(_hide, duty, installed, public)).value
        going = [piece for piece in going if not piece.public]
    groups, last = group_pieces(duty.session, going, dropping=True), list[Piece]()
    reads_alone = among is None or bool(left_captures(installed, others))
    if groups and not reads_alone:
        last = groups.pop()
    for group in groups:
        duty.write(partial(drop_group, duty, group))
    if reads_alone:
        drop_captures(duty, installed)
    duty.write(partial(_drop_last, duty, installed, last))


def own_pieces(script: Script, others: Iterable[Script]) -> list[Piece]:
    """The pieces that only this script has, in the order of dropping."""
    shared = names_of(others)
    return [piece for piece in reversed(script.pieces) if piece.name not in shared]


def _hide(duty: Duty, installed: Installed, public: Sequence[Piece]) -> Installed:
    hidden = duty.ledger.move(installed, "retired")
    if installed.script.joins:
        show_again(duty, installed.script.joins)
    drop_group(duty, public)
    # From here on no log keeps anything for it.
    duty.ledger.run("remove_checkpoints", {"name": installed.name, "generation": installed.generation})
    return hidden


def _drop_all(duty: Duty, installed: Installed, going: Sequence[Piece], unread: Sequence[str]) -> None:
    if installed.script.joins and installed.live_at is not None and installed.state != "retired":
        duty.ledger.move(installed, "retired")
        show_again(duty, installed.script.joins)
    drop_group(duty, going)
    for source in unread:
        duty.ledger.run("remove_capture", {"source": source})
    duty.ledger.forget(installed)


def _drop_last(duty: Duty, installed: Installed, going: Sequence[Piece]) -> None:
    drop_group(duty, going)
    duty.ledger.forget(installed)


def _identity(installed: Installed) -> tuple[str, int]:
    return installed.name, installed.generation
