"""A definition that only gains columns: they are filled where the others are, which stay live and true.

Owns: proving that a definition does nothing but that, and the moment in which upkeep passes to it. Promises: the definition
without the new columns compiles to the very script that is installed, so that keys, rows and the other columns are the same;
what is stored for those is kept by texts of the same meaning; one transaction, in which no writer of the sources is under way,
adds the columns and has the new definition keep them all. Readers see what they saw until the new columns are filled and
verified. Where any of that cannot be shown, it finds nothing, and a second store is filled beside the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from tidemark.contract.script import Piece, Script
from tidemark.database.session import Session
from tidemark.errors import Refusal
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.essence import essence
from tidemark.runtime.objects.pieces import TRIGGER_PATIENCE, marks, set_patience
from tidemark.runtime.objects.showing import show_pieces
from tidemark.runtime.objects.sources import record_sources
from tidemark.runtime.progress import Event
from tidemark.runtime.scripts import read_script, script_text

OPENING = "CREATE TABLE"
LINE = ",\n  "
KEY = ", PRIMARY KEY ("
NARROW = "before widening "
WRITTEN_MAX = 10_000
_NAME = re.compile(r'"(?:[^"]|"")*"')
_TYPE = re.compile(r'CREATE TYPE ((?:"(?:[^"]|"")*"|[^\s"])+) ')
_TABLE = re.compile(r'CREATE (?:UNLOGGED )?TABLE ((?:"(?:[^"]|"")*"|[^\s"])+) ')


@dataclass(frozen=True)
class Widening:
    """`upkeep` keeps all columns and shows those that were shown, `filler` fills the new ones and shows all."""

    upkeep: Script
    filler: Script


def find_widening(compile_: Callable[..., Script], before: Installed, following: int) -> Widening | None:
    """How a definition can take over the store of the generation before, or None where that is not shown to be safe."""
    old, at = before.script, before.generation
    wanted = compile_(at, session=f"w{following}")
    added = tuple(name for name in wanted.columns if name not in old.columns)
    if before.state != "live" or not added or not _is_alike(old, wanted):
        return None
    try:
        reduced = as_stored(compile_(at, session=old.wide.session, without=added), old)
    except Refusal:
        return None
    if essence(replace(reduced, truth="")) != essence(replace(old, truth="")):
        return None
    definitions = _added(old, wanted)
    kept = _with_store(wanted, old, definitions)
    filler = _with_store(compile_(following, housed=at, session=f"f{following}"), old, definitions)
    if kept is None or filler is None or _shown_by(kept, kept).pieces != kept.pieces:
        return None
    fresh = set(kept.applier.compared_columns) - set(old.applier.compared_columns)
    upkeep = _shown_by(replace(kept, wide=replace(kept.wide, unfilled=tuple(sorted(fresh)))), old)
    return Widening(upkeep, filler)


def resume_widening(compile_: Callable[..., Script], before: Installed, building: Installed) -> Widening | None:
    """The same for one that is under way; where upkeep has passed to the new definition already, it stays as it is."""
    if not before.script.wide.unfilled:
        return find_widening(compile_, before, building.generation)
    if before.state != "live":
        return None
    filler = as_stored(
        compile_(building.generation, housed=before.generation, session=f"f{building.generation}"), before.script
    )
    return Widening(before.script, filler)


def as_stored(script: Script, installed: Script) -> Script:
    """A compiled script over the store as it is: one that got columns later has them at its end, and one whose definition gained
    a column which needs no place of its own has the others in the order in which the old definition named them."""
    piece, before = _store_piece(script), _store_piece(installed)
    if script.wide.added or piece is None or before is None or piece.create == before.create:
        return script
    return _with_store(script, installed, installed.wide.added) or script


def _is_alike(old: Script, wanted: Script) -> bool:
    """Whether both are kept in the same way, one of those in which columns do not depend on each other."""
    same = [(one.klass, one.freshness, one.key, one.public, one.store) for one in (old, wanted)]
    plain = all(
        one.klass in ("linear", "keyed")
        and one.applier.carry is None
        and one.applier.compute is None
        and not (one.crosses or one.supports or one.supported_by or one.joins or one.pruned or one.applier.sampled)
        and not one.wide.unfilled
        and sum(piece.public and piece.kind == "view" for piece in one.pieces) == 1
        and (one.tick is None or not (one.due or one.tick.products or one.scans))
        for one in (old, wanted)
    )
    return (
        plain and same[0] == same[1] and set(old.columns) <= set(wanted.columns) and set(old.holds) <= set(wanted.holds)
    )


def _store_piece(script: Script) -> Piece | None:
    return next((piece for piece in script.pieces if piece.create.startswith(f"{OPENING} {script.store} ")), None)


def _definitions(create: str) -> tuple[str, list[str], str, str]:
    """The text before the columns of a store, their definitions, its key and the rest."""
    opening, _, rest = create.partition("(\n  ")
    body, _, shape = rest.rpartition("\n)")
    columns, key, terms = body.rpartition(KEY)
    return opening, (columns if key else body).split(LINE), f"{key}{terms}" if key else "", shape


def _added(old: Script, wanted: Script) -> tuple[str, ...]:
    """The definitions of the columns that a store has to get, after those that it got already."""
    before, after = _store_piece(old), _store_piece(wanted)
    if before is None or after is None:
        return ()
    known = {*_made_with(before, old)[1], *old.wide.added}
    return (*old.wide.added, *(line for line in _definitions(after.create)[1] if line not in known))


def _with_store(script: Script, installed: Script, definitions: tuple[str, ...]) -> Script | None:
    """The script over the store of an installed one, which was made without some columns and got them later, as the engine then
    writes its text; a definition with more columns may have the others in another order."""
    piece, before = _store_piece(script), _store_piece(installed)
    if piece is None or before is None:
        return None
    opening, lines, key, shape = _made_with(before, installed)
    if {line.rstrip() for line in (*lines, *definitions)} != {line.rstrip() for line in _definitions(piece.create)[1]}:
        return None
    first, later = LINE.join(lines), _later(definitions)
    create = f"{opening}(\n  {first}{later}{key}\n){shape}" if key else f"{opening}(\n  {first}\n{later}){shape}"
    pieces = tuple(replace(one, create=create) if one is piece else one for one in script.pieces)
    return replace(script, pieces=pieces, wide=replace(script.wide, added=definitions))


def _made_with(store: Piece, installed: Script) -> tuple[str, list[str], str, str]:
    """The same of a store as it was made, without the columns that it got later: these stand where the engine writes them."""
    return _definitions(store.create.replace(_later(installed.wide.added), "", 1))


def _later(definitions: tuple[str, ...]) -> str:
    return "".join(f", {line.rstrip()}" for line in definitions)


def _shown_by(script: Script, shown: Script) -> Script:
    """The script with what readers see of another one over the same store."""
    inside = tuple(piece for piece in script.pieces if not piece.public)
    public = tuple(piece for piece in shown.pieces if piece.public)
    return replace(
        script,
        pieces=(*inside, *public),
        columns=shown.columns,
        truth=shown.truth,
        live=shown.live,
        why_not_live=shown.why_not_live,
        offers=shown.offers,
        operators=shown.operators,
    )


def begin_widening(
    duty: Duty, installed: Installed, before: Installed, upkeep: Script, drain: Callable[[], bool]
) -> Installed:
    """Have the new definition keep everything, if it does not yet, and give its generation in state ``backfilling``."""
    if before.script != upkeep:
        # What was logged before the columns of a source were, says nothing of them.
        drain()
        return duty.write(partial(_take_over, duty, installed, before, upkeep)).value
    return duty.write(partial(_begin_filling, duty, installed)).value


def _take_over(duty: Duty, installed: Installed, before: Installed, upkeep: Script) -> Installed:
    session = duty.session
    set_patience(duty.ledger, TRIGGER_PATIENCE)
    session.script(*installed.script.wide.locks, *list_changes(session, before.script, upkeep))
    duty.ledger.run("set_meta", {"key": f"{NARROW}{upkeep.name}", "value": script_text(before.script)})
    _keep_by(duty, before, upkeep)
    known = duty.ledger.checkpoints(upkeep)
    for log in upkeep.logs:
        if log.source not in known:
            snapshot = str(duty.ledger.value("find_target", {"previous": "0"}, log=log.log))
            place = {"derived": upkeep.name, "generation": before.generation, "source": log.source}
            duty.ledger.run("set_checkpoint", {**place, "snapshot": snapshot})
    record_sources(duty.ledger, upkeep)
    return _begin_filling(duty, installed)


def _keep_by(duty: Duty, before: Installed, script: Script) -> None:
    about = {"name": before.name, "generation": before.generation}
    duty.ledger.run("set_script", {**about, "fingerprint": script.fingerprint, "script": script_text(script)})


def give_back(duty: Duty, installed: Installed) -> bool:
    """Have the definition that readers see keep the store alone again, after the filling of more columns failed; give whether
    there was anything to give back. The new columns go, so that nothing is filled for either definition that comes now, except
    where the engine would have to write very many rows for their end: there they stay and are nobody's."""
    rows = [row for row in duty.ledger.derived() if row.name == installed.name]
    before = next(
        (row for row in rows if row.generation == installed.script.wide.of and row.script.wide.unfilled), None
    )
    text = duty.ledger.value("read_meta", {"key": f"{NARROW}{installed.name}"})
    if before is None or not text:
        return False
    old, upkeep = read_script(text), before.script
    if not _keeps_tables(old, upkeep):
        return False
    going = [line for line in upkeep.wide.added if line not in old.wide.added]
    if not _may_drop(duty.session, upkeep.store, len(going)):
        store, wide = _store_piece(upkeep), replace(old.wide, added=upkeep.wide.added)
        pieces = tuple(store if piece is _store_piece(old) and store else piece for piece in old.pieces)
        going, old = [], replace(old, pieces=pieces, wide=wide)
    duty.write(partial(_give_back, duty, installed, before, old, going))
    return True


def tell_left(failed: Installed | None, before: Installed) -> str:
    """That columns which could not be filled are still in the store that they were to be filled in, where nobody keeps them."""
    mine, wide = set(failed.script.wide.added if failed is not None else ()), before.script.wide
    if failed is None or failed.state != "failed" or not mine or wide.unfilled or not mine <= set(wide.added):
        return ""
    return "columns that could not be filled are left in its store: one without them is filled beside it"


def _may_drop(session: Session, store: str, columns: int) -> bool:
    """Whether columns may be dropped in a moment, though every row may have to be written for each of them."""
    if session.dialect.drops_unwritten:
        return True
    most = WRITTEN_MAX // max(1, columns)
    return session.one(f"SELECT 1 FROM {store} LIMIT 1 OFFSET {most}") is None


def _keeps_tables(old: Script, upkeep: Script) -> bool:
    """Whether what waits for the store is in the same tables for both."""
    kept = {piece.name: piece.create for piece in upkeep.pieces if piece.kind == "table"}
    mine = [piece for piece in old.pieces if piece.kind == "table" and piece is not _store_piece(old)]
    return old.tick is None or all(kept.get(piece.name) == piece.create for piece in mine)


def _give_back(duty: Duty, installed: Installed, before: Installed, old: Script, going: Sequence[str]) -> None:
    set_patience(duty.ledger, TRIGGER_PATIENCE)
    names = [_NAME.match(line) for line in going]
    drops = [f"ALTER TABLE {old.store} DROP COLUMN {name[0]}" for name in names if name is not None]
    duty.session.script(*installed.script.wide.locks, *list_changes(duty.session, before.script, old, drops))
    _keep_by(duty, before, old)
    read = {log.source for log in old.logs}
    for source in set(duty.ledger.checkpoints(before.script)) - read:
        about = {"derived": before.name, "generation": before.generation, "source": source}
        duty.ledger.run("remove_checkpoint", about)
    record_sources(duty.ledger, old)
    duty.ledger.run("set_meta", {"key": f"{NARROW}{before.name}", "value": ""})


def _begin_filling(duty: Duty, installed: Installed) -> Installed:
    """Move on to be filled from the first key, in the caller's transaction. It reads no log: what keeps the store does."""
    if installed.state != "installing":
        installed = duty.ledger.move(installed, "installing")
    about = {"name": installed.name, "generation": installed.generation}
    duty.ledger.run("set_cursor", {**about, "cursor_at": 0, "cursor_total": 0})
    record_sources(duty.ledger, installed.script)
    return replace(duty.ledger.move(installed, "backfilling"), cursor_at=0, cursor_total=0)


def list_changes(session: Session, old: Script, new: Script, drops: Sequence[str] = ()) -> list[str]:
    """The statements that make one script's objects those of the other, `drops` among them, after which the store is as it should
    be; the rows, and what waits, stay."""
    store = _store_piece(new)
    if store is None:
        raise ValueError(f"{new.name} has no store")
    fresh = [line for line in new.wide.added if line not in old.wide.added]
    found = [f"ALTER TABLE {new.store} ADD COLUMN {line}" for line in fresh]
    before = {piece.name: piece for piece in old.pieces if not piece.public}
    after = [piece for piece in new.pieces if not piece.public and piece is not store]
    other = {
        piece.name for piece in after if piece.kind != "step" and before.get(piece.name, piece).create != piece.create
    }
    anew = _remade(after, other)
    leaving = {piece.name for piece in before.values()} - {piece.name for piece in after} - {store.name}
    going = {name for name in anew if before.get(name) is not None} | leaving
    found += [piece.drop for piece in reversed(list(before.values())) if piece.name in going]
    made = [store]
    for piece in after:
        if piece.kind == "step" or piece.name in anew or piece.name not in before:
            found.append(piece.create)
        elif piece.name in other:
            # Triggers that call it stay as they are.
            found.append(piece.create.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
        else:
            continue
        made.append(piece)
    return [*found, *drops, *marks(session, made)]


def _remade(pieces: list[Piece], other: set[str]) -> set[str]:
    """The names of what has to be dropped and made again: what is another one now but functions, and what hangs on it."""
    anew = {piece.name for piece in pieces if piece.name in other and piece.kind != "function"}
    types = {found[1] for piece in pieces if piece.name in anew and (found := _TYPE.match(piece.create))}
    anew |= {piece.name for piece in pieces if piece.kind == "table" and any(one in piece.create for one in types)}
    # What a function gives may be rows of such a table; its body names what it likes.
    rows = {found[1] for piece in pieces if piece.name in anew and (found := _TABLE.match(piece.create))}
    heads = {piece.name: piece.create.partition(" AS $")[0] for piece in pieces if piece.kind == "function"}
    anew |= {name for name, head in heads.items() if any(f" {one} " in head for one in rows)}
    return anew | {piece.name for piece in pieces if piece.on in anew}


def lost(before: Installed | None, installed: Installed) -> str:
    """Why a widening cannot go on, as a sentence; empty when it can."""
    if before is None or before.generation != installed.script.wide.of or not before.script.wide.unfilled:
        return "the store that it fills is kept by something else now"
    return "" if before.state == "live" else f"what it fills is {before.state}"


def show_wider(duty: Duty, installed: Installed, before: Installed) -> Installed:
    """Show the columns that are filled now, in one transaction; the generation that kept the store goes on, and the one that
    filled them is forgotten."""
    script = _shown_by(replace(before.script, wide=replace(before.script.wide, unfilled=())), installed.script)

    def work() -> Installed:
        show_pieces(duty, before.script, script)
        _keep_by(duty, before, script)
        duty.ledger.run("set_meta", {"key": f"{NARROW}{before.name}", "value": ""})
        duty.ledger.run(
            "hand_on_fill", {"name": before.name, "generation": installed.generation, "of": before.generation}
        )
        duty.ledger.forget(installed)
        return replace(before, script=script, fingerprint=script.fingerprint)

    shown = duty.write(work).value
    duty.listen(Event(before.name, "cutover", note="readers see the new columns"))
    return shown
