"""The ledger: our bookkeeping tables inside the user's database.

Owns: reading and writing what is installed and how far each log is consumed. Promises: every statement is in the book
``ledger`` (see `statements`); a method that writes runs in the caller's transaction and never opens its own, so that a record
commits with the effect that it records. Runs and findings are in `runs` and `findings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from tidemark.contract.script import Capture, Script
from tidemark.database.session import Session
from tidemark.errors import Code, Fault, Refusal
from tidemark.runtime.book import Book
from tidemark.runtime.scripts import capture_text, read_capture, read_script, script_text
from tidemark.runtime.statements import find_statement, load_statements
from tidemark.runtime.turns import Turns
from tidemark.states import BACKFILL, DERIVED, RUN, STREAM, check_list, check_move, read_state

SHAPE = "12"
BOOKS = ("ledger", "streams/streams", "operators", "ticks/processing", "flushes")
HOLLOW = "without rows"
# What may be made again at any time: its texts are in the ledger's shape, but no conversion needs to write them down.
REPEATABLE = "flushes"
CONVERSIONS = "conversions"
# So many scripts are asked for one by one; of more all are read at once.
FEW_MAX = 8


@dataclass(frozen=True)
class Installed:
    """One generation of a derived table as the ledger knows it.

    `state` is one of `states.DERIVED` or ``unknown``. `replaces` names the declaration that this one was renamed from, or
    is empty. Times are UTC texts of the database's clock, None when it has not happened. `failure` says why it failed.
    `cursor_at` of `cursor_total` keys are filled. `captures` are those of its sources that the ledger knows. `rows_counted` is
    what the last clean verification counted, at the time `counted_at`; None before it.
    """

    name: str
    generation: int
    fingerprint: str
    state: str
    script: Script
    replaces: str
    live_at: str | None
    verified_at: str | None
    failure: str | None
    cursor_at: int
    cursor_total: int
    captures: tuple[Capture, ...] = ()
    rows_counted: int | None = None
    counted_at: str | None = None


@dataclass(frozen=True)
class Checkpoint:
    """How far one log is consumed: `snapshot` is done, `target` is being sealed (or None), up to `position` in `file`.

    `file` is empty before the first slice of a seal. `even` tells that every stored row is known to be of the snapshot's moment.
    """

    source: str
    snapshot: str
    target: str | None
    position: int
    file: str
    sealed_at: str
    even: bool = False

    @classmethod
    def of(cls, row: Sequence[Any]) -> Checkpoint:
        """The checkpoint of a row of the ledger."""
        return cls(row[0], row[1], row[2], int(row[3]), row[4], row[5], bool(row[6]))


@dataclass(frozen=True)
class Mark:
    """How far one source without triggers is scanned; every position is None where there is none.

    Rows up to `mark` were looked at; a scan that is under way goes to `target`, and exhausts the position `inside` behind the row
    whose identity is packed in `behind`. Positions up to `settled` are final; `candidate` is the next one when `lockers`, a JSON
    text, have ended.
    """

    source: str
    mark: Any
    target: Any
    inside: Any
    behind: str
    settled: Any
    candidate: Any
    lockers: str
    scanned_at: str


class Ledger(Book):
    """The bookkeeping tables behind one session."""

    def __init__(self, session: Session) -> None:
        super().__init__(session, "ledger")
        self.turns: Turns | None = None
        self._scripts: dict[tuple[str, int, str], Script] = {}
        self._known: dict[tuple[str, str], Capture] = {}

    def book(self, name: str) -> Book:
        """Another book of the same database."""
        return Book(self.session, name)

    def alone(self, name: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a named statement as a transaction of its own; its rows, if it gives any."""
        with nullcontext() if self.turns is None else self.turns.aside(self.session):
            return self.session.alone(self.text(name), parameters)

    def do(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Run each statement of a named text that is several, in the caller's transaction; the first value of the last."""
        *steps, last = self.text(name).split("\n;\n")
        for step in steps:
            self.session.run(step, parameters)
        row = self.session.one(last, parameters)
        return None if row is None else row[0]

    def exists(self) -> bool:
        """Whether this database has a ledger."""
        return bool(self.value("exists"))

    def require(self) -> None:
        """Raises `Refusal` (code ``not-installed``) when this database has no ledger."""
        if not self.exists():
            raise Refusal(
                Code.NOT_INSTALLED,
                f"nothing of Tidemark is installed in {self.session.label}",
                instead="run `tidemark apply` first",
            )

    def creation(self) -> list[str]:
        """The statements that create the ledger, in order."""
        states = {
            "derived_states": check_list(DERIVED),
            "run_states": check_list(RUN),
            "backfill_states": check_list(BACKFILL),
            "stream_states": check_list(STREAM),
        }
        found = []
        for book in BOOKS:
            texts = load_statements(self._engine, book).values()
            found += [one.text.format(**states) for one in texts if one.name.startswith("create_") and one.text]
        return found

    def conversion(self, shape: str) -> list[str]:
        """The statements that make a ledger of an older shape one of this version's, in order. Raises `Fault` where there are
        none: for a newer one, or for one too old."""
        texts = load_statements(self._engine, CONVERSIONS)
        steps = [f"to_{number}" for number in range(int(shape) + 1, int(SHAPE) + 1)] if shape.isdigit() else []
        if not steps or any(step not in texts for step in steps):
            raise _other_shape(shape)
        repeated = [one.text for one in load_statements(self._engine, REPEATABLE).values()]
        found = [texts["lock"].text, *(texts[step].text for step in steps), texts["end_leases"].text, *repeated]
        return [text for text in found if text]

    def lock(self) -> None:
        """Wait for every transaction under a lease, and let none begin before the caller's ends."""
        text = find_statement(self._engine, "lock", CONVERSIONS)
        self.session.script(*([text] if text else []))

    def shape(self) -> str | None:
        """The shape of the ledger that is there, None without one; `HOLLOW` where its tables hold nothing."""
        return str(self.value("read_meta", {"key": "shape"}) or HOLLOW) if self.exists() else None

    def check_shape(self) -> bool:
        """Whether there is a ledger. Raises `Fault` where it is another version's: one that wants to be converted, or that is
        newer than this."""
        shape = self.shape()
        if shape not in (None, SHAPE):
            self.conversion(str(shape))
            raise Fault(
                f"{_differs(str(shape))}: run `tidemark apply` with this version, which converts it", retry_safe=False
            )
        return shape is not None

    @property
    def objects(self) -> frozenset[str]:
        """The names of everything that `creation` creates, without what all names of ours begin with."""
        found = (name for book in BOOKS for name in load_statements(self._engine, book))
        return frozenset(name.removeprefix("create_") for name in found if name.startswith("create_"))

    def create(self, epoch: str) -> None:
        """Create the tables and remember their shape, in the caller's transaction, unless they are there. `epoch` names this
        copy."""
        if self.exists():
            return
        # Whoever may create no schemas is given one, and may not even say IF NOT EXISTS.
        given = bool(self.value("has_schema", {"name": "tidemark"}))
        self.session.script(*(text for text in self.creation() if not (given and text.startswith("CREATE SCHEMA"))))
        cluster = self.value("read_cluster" if self.value("may_read_cluster") else "read_database")
        for key, value in (("shape", SHAPE), ("epoch", epoch), ("cluster", cluster)):
            self.run("set_meta", {"key": key, "value": value})
        self.run("set_meta", {"key": "anchor", "value": self.value("read_anchor")})

    def derived(self, *names: str) -> tuple[Installed, ...]:
        """Every generation of every derived table, or those under some names, which costs the same however many there are; none
        when there is no ledger."""
        if not self.check_shape():
            return ()
        captures = self._captures()
        return tuple(_read_installed(row, self._scripts[_about(row)], captures) for row in self._rows(names))

    def _rows(self, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """What the ledger says of generations beside their scripts, which are known then: a script is long and never another one
        under its fingerprint, so that it is fetched when it is first heard of."""
        if names:
            rows = [row for name in dict.fromkeys(names) for row in self.all("list_named", {"name": name})]
        else:
            rows = self.all("list_derived")
        unknown = [about for about in map(_about, rows) if about not in self._scripts]
        asked = ("name", "generation", "fingerprint")
        few = unknown if len(unknown) <= FEW_MAX else []
        texts = {about: self.value("read_script", dict(zip(asked, about, strict=True))) for about in few}
        if few == unknown and None not in texts.values():
            self._scripts |= {about: read_script(text) for about, text in texts.items()}
            if not names and len(self._scripts) > len(rows):
                self._scripts = {_about(row): self._scripts[_about(row)] for row in rows}
            return rows
        whole = self.all("list_derived_whole")
        self._scripts = {_about(row): read_script(row[-1]) for row in whole}
        return [row[:-1] for row in whole if not names or row[0] in names]

    def joining(self, name: str) -> tuple[Installed, ...]:
        """The generations that keep columns for the rows of a derived table."""
        return self._where(lambda script: script.joins == name)

    def supporting(self, name: str) -> tuple[Installed, ...]:
        """The generations of the supports of a derived table."""
        return self._where(lambda script: script.supports == name)

    def _where(self, wanted: Callable[[Script], bool]) -> tuple[Installed, ...]:
        if not self.check_shape():
            return ()
        names = [row[0] for row in self._rows(()) if wanted(self._scripts[_about(row)])]
        return tuple(row for row in self.derived(*names) if wanted(row.script)) if names else ()

    def again(self, installed: Installed) -> Installed:
        """The same generation as it is now: it may have been changed before the lease was ours.

        Raises `Fault` when it is gone.
        """
        if self.is_as(installed):
            return installed
        for row in self.derived():
            if (row.name, row.generation) == (installed.name, installed.generation):
                return row
        raise Fault(f"{installed.name} was changed meanwhile", left_behind="nothing was done to it; run the same again")

    @contextmanager
    def while_there(self, *installed: Installed) -> Iterator[None]:
        """For what goes on without the leases of generations: that an object of theirs is unknown means that one was removed
        meanwhile, as `again` says."""
        try:
            yield
        except Refusal as refusal:
            if refusal.code is Code.UNKNOWN_TABLE:
                for one in installed:
                    self.again(one)
            raise

    def is_as(self, installed: Installed) -> bool:
        """Whether a generation is what it was when it was read. Reads no script: a tick must not cost what there is in all."""
        about = {"name": installed.name, "generation": installed.generation}
        return self.all("read_state", about) == [(installed.state, installed.fingerprint)]

    def last_generation(self, name: str) -> int:
        """The newest generation under a name that was forgotten, 0 for none. Its number never comes again, so that nothing made
        for it (a worker's plan, a session's temporary tables) is taken for something of its successor's."""
        return int(self.value("read_meta", {"key": f"generation of {name}"}) or 0) if self.exists() else 0

    def captures(self) -> dict[str, Capture]:
        """The capture of each source that has one; none when there is no ledger."""
        return self._captures() if self.exists() else {}

    def _captures(self) -> dict[str, Capture]:
        rows = self.all("list_captures")
        if any((source, fingerprint) not in self._known for source, fingerprint in rows):
            whole = self.all("list_captures_whole")
            self._known = {(source, fingerprint): read_capture(text) for source, fingerprint, text in whole}
            rows = [row[:-1] for row in whole]
        return {source: self._known[source, fingerprint] for source, fingerprint in rows}

    def set_capture(self, capture: Capture) -> None:
        """Write down a capture, or what became of it."""
        facts = {"source": capture.source, "fingerprint": capture.fingerprint}
        self.run("set_capture", {**facts, "capture": capture_text(capture)})

    def add(self, script: Script, replaces: str = "") -> Installed:
        """Record a new generation in state ``planned``."""
        parameters = {
            "name": script.name,
            "generation": script.generation,
            "fingerprint": script.fingerprint,
            "class": script.klass,
            "freshness": script.freshness,
            "script": script_text(script),
            "replaces": replaces,
        }
        self.run("add_derived", parameters)
        # What is read of the text is the same value.
        self._scripts[script.name, script.generation, script.fingerprint] = script
        return Installed(
            script.name, script.generation, script.fingerprint, "planned", script, replaces, None, None, None, 0, 0
        )

    def move(self, installed: Installed, after: str, failure: str | None = None) -> Installed:
        """Move a generation to another state. Raises `Fault` for a move that `states` does not have or that came too late."""
        check_move(installed.state, after)
        parameters = {
            "name": installed.name,
            "generation": installed.generation,
            "before": installed.state,
            "after": after,
            "failure": failure,
        }
        if self.run("move_derived", parameters) != 1:
            raise Fault(
                f"{installed.name} is not {installed.state} any more: somebody else changed it",
                left_behind="their change stands",
            )
        return replace(installed, state=after, failure=failure)

    def forget(self, installed: Installed) -> None:
        """Remove every record of a generation whose objects are gone; its history stays."""
        parameters: dict[str, int | str] = {"name": installed.name, "generation": installed.generation}
        parameters["derived"] = installed.name
        about = (
            "remove_checkpoints",
            "remove_marks",
            "remove_moment",
            "remove_costs",
            "remove_sweep",
            "remove_processor",
            "remove_quarantined_unit",
            "remove_drift",
            "remove_fill",
            "remove_facts",
            "remove_derived",
            "end_renaming",
        )
        self.session.run_all([text for text in map(self.text, about) if text], parameters)
        last = max(self.last_generation(installed.name), installed.generation)
        self.run("set_meta", {"key": f"generation of {installed.name}", "value": str(last)})

    def marks(self, script: Script) -> dict[str, Mark]:
        """The marks of a script's scans, by source."""
        rows = self.all("list_marks", {"derived": script.name, "generation": script.generation})
        return {row[0]: Mark(*row) for row in rows}

    def checkpoints(self, script: Script) -> dict[str, Checkpoint]:
        """The checkpoints of a script's logs, by source."""
        rows = self.all("list_checkpoints", {"derived": script.name, "generation": script.generation})
        return {row[0]: Checkpoint.of(row) for row in rows}


def _differs(shape: str) -> str:
    return f"the ledger has shape {shape!r}, this version keeps shape {SHAPE!r}"


def _other_shape(shape: str) -> Fault:
    """Of a ledger that this version cannot convert."""
    if shape == HOLLOW:
        said = "the tables of the ledger are there and empty, as where a dump brought definitions without rows"
        return Fault(f"{said}: run `tidemark uninstall`, then `tidemark apply`", retry_safe=False)
    if shape.isdigit() and int(shape) > int(SHAPE):
        way = "a newer version of Tidemark was applied here, so that this one has to be upgraded, too"
    else:
        way = "with the version that wrote it run `tidemark uninstall --keep-data`, then `tidemark apply` with this one"
    return Fault(f"{_differs(shape)}: {way}", retry_safe=False)


def _about(row: tuple[Any, ...]) -> tuple[str, int, str]:
    return row[0], int(row[1]), row[2]


def _read_installed(row: tuple[Any, ...], known: Script, captures: Mapping[str, Capture]) -> Installed:
    name, generation, fingerprint, state, replaces, live_at, verified_at, failure, *rest = row
    cursor_at, cursor_total, rows_counted, counted_at = rest
    logs = known.logs
    return Installed(
        name,
        int(generation),
        fingerprint,
        read_state(state),
        known,
        replaces,
        live_at,
        verified_at,
        failure,
        int(cursor_at),
        int(cursor_total),
        tuple(captures[log.source] for log in logs if log.source in captures),
        None if rows_counted is None else int(rows_counted),
        counted_at,
    )
