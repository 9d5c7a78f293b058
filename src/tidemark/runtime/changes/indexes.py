"""Indexes on the user's tables that are made on request, because upkeep would profit from them.

Owns: `create_indexes` and the record of what was made. Promises: an index is recorded as ours before it is made, so that
a kill in between leaves nothing unknown; writers go on meanwhile where the engine can do that; what an interrupted attempt left
is dropped and made again; an index of the user's is never touched. They stay when Tidemark leaves, which tells how to drop them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tidemark.contract.script import MissingIndex
from tidemark.database.session import Conflict
from tidemark.errors import Exit, Fault
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event
from tidemark.runtime.ticks.expected import expect_reading

KEY = "index "
ATTEMPTS_MAX = 3
BROKEN = "a broken index, which the next `tidemark apply --create-indexes` drops and makes again"


def create_indexes(duty: Duty, wanted: Sequence[MissingIndex]) -> tuple[str, ...]:
    """Make the indexes that can be made; give their names.

    Raises `Refusal` (``name-taken``, ``privilege``), and `Fault` when the table stayed locked through several attempts.
    """
    made: list[str] = []
    for index in wanted:
        if index.statements:
            duty.check_stop("making indexes")
            duty.listen(Event("", "install", note=f"making an index on {index.table}: {index.reason}"))
            expect_reading(duty, (index.table,))
            _create(duty, index)
            made.append(index.names[0])
    return tuple(made)


def list_made(ledger: Ledger) -> tuple[str, ...]:
    """The quoted names of the indexes that were made here."""
    return tuple(str(key).removeprefix(KEY) for (key,) in ledger.all("list_meta", {"prefix": KEY}))


def _create(duty: Duty, index: MissingIndex) -> None:
    names = [_located(duty, index, name) for name in index.names]
    duty.write(partial(_record, duty, names))
    if not duty.session.dialect.online_index:
        duty.write(partial(duty.session.script, *index.statements))
        return
    conflict: Conflict | None = None
    about = f"the index on {index.table}"
    # Making one waits for transactions that began before it, however long that takes; nobody waits for it meanwhile.
    patience = duty.ledger.value("read_patience")
    duty.ledger.value("set_session_patience", {"patience": "0"})
    try:
        for _ in range(ATTEMPTS_MAX):
            for name in names:
                _drop_broken(duty, name)
            try:
                for statement in index.statements:
                    duty.session.all(statement)
                return
            except Conflict as problem:
                conflict = problem
            if duty.stop():
                raise Fault(f"{about} was not waited for", left_behind=BROKEN, exit=Exit.INTERRUPTED) from conflict
    finally:
        if duty.session.is_open() and not duty.stop():
            duty.ledger.value("set_session_patience", {"patience": patience})
    raise Fault(
        f"{about} could not be made in {ATTEMPTS_MAX} attempts: {conflict}",
        left_behind=BROKEN,
    ) from conflict


def _located(duty: Duty, index: MissingIndex, name: str) -> str:
    return duty.session.dialect.quote(index.schema, name)


def _record(duty: Duty, names: Sequence[str]) -> None:
    for name in names:
        duty.ledger.run("set_meta", {"key": f"{KEY}{name}", "value": duty.session.now()})


def _drop_broken(duty: Duty, name: str) -> None:
    """Drop what an interrupted attempt left: it costs every writer and helps no reader."""
    for (drop,) in duty.ledger.all("list_broken_index", {"index": name}):
        duty.session.all(str(drop))
