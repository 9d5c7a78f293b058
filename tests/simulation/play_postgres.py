"""Plays a case on PostgreSQL: several sessions under a step scheduler.

Owns: the scheduler and what happens to a case from setup to uninstall. Promises: one statement is sent at a time and
followed until it has ended or waits for a lock; a session that waits keeps its later steps in line while others go on;
after every commit all derived tables are compared in one snapshot.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from tests.simulation.beside import in_turn
from tests.simulation.case import Case, Derived, Duty, Failure, Transaction
from tests.simulation.duties import Attendant
from tests.simulation.kept import is_kept
from tests.simulation.oracle_postgres import PostgresOracle
from tests.simulation.relations import quote
from tests.simulation.tally import Tally
from tests.simulation.upkeep import Upkeep
from tests.simulation.wire import Wire

WRITER = "simulated_writer"
EXPECTED = ("22", "23", "25", "3B", "42501", "40001", "40P01", "P0001", "2BP01", "0A000", "21000", "55006", "55000")
# A TRUNCATE in a transaction with an older snapshot is refused: it cannot see every row that goes.
EMPTYING = ("truncate", "truncate-leaf", "truncate-above")
ALLOWED = dict.fromkeys(EMPTYING, ("0A000",))
STALL_POLLS_MAX = 2000
DRAIN_POLLS_MAX = 150


@dataclass(frozen=True)
class Step:
    """One thing for a session to send. `part` is begin, statement, guard, end or prelude."""

    part: str
    sql: str
    kind: str = ""
    data: str | None = None
    guarded: bool = False
    exclusive: bool = False


@dataclass(frozen=True)
class Resolution:
    """The second half of a two-phase commit: `verb` is COMMIT or ROLLBACK."""

    name: str
    verb: str


Happening = Duty | Resolution | tuple[int, Step]


@dataclass
class Writer:
    """A session with the steps that it has still to take."""

    wire: Wire
    number: int
    line: deque[Step] = field(default_factory=deque)
    current: Step | None = None
    exclusive: bool = False
    immediate: bool = False
    was_immediate: bool = False
    waiting: bool = False
    crossed: bool = False


class PostgresPlay:
    """One case being played in the database of `dsn`; `writer_dsn` is the same as a role without any grants on ours."""

    def __init__(self, case: Case, dsn: str, writer_dsn: str, upkeep: Upkeep, tally: Tally) -> None:
        self.case = case
        self.upkeep = upkeep
        self.tally = tally
        self.monitor = Wire(dsn)
        self.dsn, self.writer_dsn = dsn, writer_dsn
        self.writers: list[Writer] = []
        self.resolver = Wire(dsn)
        self.prepared: dict[str, bool] = {}
        self.shared = is_kept((*case.derived, *case.later))
        self.unresolved: list[Resolution] = []
        self.oracle = PostgresOracle(self.monitor, tally)
        self.attendant = Attendant(case, upkeep, tally, self.oracle, calm=lambda: not self._open())

    def run(self) -> None:
        """Set up, install, play, verify, spoil, repair, uninstall. Raises `Failure`."""
        try:
            for text in self.case.setup:
                self.monitor.exec(text)
            home = quote(self.case.home or "public")
            self.monitor.exec(f"GRANT USAGE, CREATE ON SCHEMA {home} TO {WRITER}")
            self.monitor.exec(f"GRANT ALL ON ALL TABLES IN SCHEMA {home} TO {WRITER}")
            self.monitor.exec(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {home} TO {WRITER}")
            for text in self.case.fill:
                self.monitor.try_exec(text)
            for number in range(self.case.sessions):
                self.writers.append(Writer(Wire(self.writer_dsn if number == 1 else self.dsn), number))
            self.attendant.between = in_turn(self.case.beside, self.writers[0].wire.try_exec)
            self.attendant.write = self._beside
            self.attendant.install()
            for _, happening in self._schedule():
                if isinstance(happening, Duty):
                    self._duty(happening)
                elif isinstance(happening, Resolution):
                    self.unresolved.append(happening)
                    self._settle()
                else:
                    number, step = happening
                    self.writers[number].line.append(step)
                    self._settle()
            self._finish()
        finally:
            for writer in self.writers:
                writer.wire.close()
            self.resolver.close()
            self.monitor.close()

    def _beside(self, sql: str) -> None:
        """Write between two transactions of ours, where nobody can be in the way: we are the only thread."""
        if not self._open():
            self.writers[0].wire.try_exec(sql)

    def _schedule(self) -> list[tuple[float, Happening]]:
        happenings: list[tuple[float, Happening]] = [(duty.at, duty) for duty in self.case.duties]
        for number, transaction in enumerate(self.case.transactions):
            session = transaction.session % self.case.sessions
            if transaction.end.startswith("prepare") and transaction.begin:
                verb = transaction.end.removeprefix("prepare-").upper()
                happenings.append((transaction.end_at + 0.6, Resolution(gid(number), verb)))
            for at, step in _steps(transaction, number):
                happenings.append((at, (session, step)))
        return sorted(happenings, key=lambda one: one[0])

    def _settle(self) -> None:
        """Let every session go on until it has nothing to do or waits for a lock."""
        moved = True
        while moved:
            moved = False
            for writer in self.writers:
                while self._advance(writer):
                    moved = True
            moved = self._resolve() or moved

    def _resolve(self) -> bool:
        """End prepared transactions whose time has come, from a connection that waits for nobody."""
        ready = [one for one in self.unresolved if one.name in self.prepared]
        for one in ready:
            self.unresolved.remove(one)
            del self.prepared[one.name]
            answer = self.resolver.try_exec(f"{one.verb} PREPARED '{one.name}'")
            if answer.state:
                raise Failure(f"interference {answer.state}", "", f"{one.verb} PREPARED: {answer.message}")
            self.tally.transactions[f"prepare-{one.verb.lower()}"] += 1
            self._check(f"after {one.verb} PREPARED")
        return bool(ready)

    def _advance(self, writer: Writer) -> bool:
        """Finish the statement under way or send the next; False when the session is idle or waits."""
        if writer.wire.busy:
            if not self._wait(writer):
                return False
            self._ended(writer)
            return True
        if not writer.line:
            return False
        step = writer.line.popleft()
        writer.current = step
        if step.part == "begin":
            writer.exclusive, writer.was_immediate, writer.immediate = False, writer.immediate, False
        writer.exclusive = writer.exclusive or step.exclusive
        writer.immediate = writer.immediate or step.kind in ("set-constraints", "forge")
        writer.crossed = self._is_early()
        writer.wire.send(step.sql, step.data)
        return True

    def _is_early(self) -> bool:
        """Whether a session has made constraints immediate, so that it flushes early: then its locks and ours can cross."""
        return any(one.immediate or one.was_immediate for one in self.writers)

    def _wait(self, writer: Writer) -> bool:
        pause = 0.0 if writer.waiting else 0.002
        for _ in range(STALL_POLLS_MAX):
            if writer.wire.poll(pause):
                writer.waiting = False
                return True
            writer.waiting = self._blocked(writer)
            # Whoever is waited for may have gone on to other transactions before this answer is read.
            writer.crossed = writer.crossed or self._is_early()
            if writer.waiting:
                return False
            pause = 0.004
        raise Failure("stall", "", f"session {writer.number} does not answer: {writer.current}")

    def _blocked(self, writer: Writer) -> bool:
        found = self.monitor.exec(f"SELECT pg_blocking_pids({writer.wire.pid}) <> '{{}}'")
        return found[0][0] == "t"

    def _ended(self, writer: Writer) -> None:
        step, answer = writer.current, writer.wire.answer
        assert step is not None
        if step.part == "statement":
            self.tally.statement(step.kind, not answer.state, answer.state)
            if step.guarded and writer.wire.in_transaction:
                follow = "ROLLBACK TO guard; RELEASE guard" if answer.state else "RELEASE guard"
                writer.line.appendleft(Step("guard", follow))
        if answer.state and step.part != "prelude":
            self._judge(writer, step)
        if writer.wire.in_transaction:
            return
        ended = not answer.state and (step.part == "statement" or answer.tag == "COMMIT")
        if step.part == "statement":
            self.tally.transactions["autocommit" if ended else "failed"] += 1
        elif step.part == "end" and answer.tag == "PREPARE TRANSACTION":
            # It keeps its locks, and with them whatever a comparison would have to wait for.
            self.prepared[step.kind] = writer.exclusive
            writer.exclusive = False
            return
        elif step.part == "end":
            self.tally.transactions["commit" if ended else "rollback"] += 1
        writer.exclusive = False
        if ended:
            self._check(f"after {step.sql[:200]} of session {writer.number}")

    def _judge(self, writer: Writer, step: Step) -> None:
        """An error of the application is part of the program; one of ours is a failure."""
        answer = writer.wire.answer
        ours = "tidemark" in answer.message.lower()
        deadlock = answer.state == "40P01"
        early = writer.crossed or self._is_early()
        # A TRUNCATE or ALTER that takes one source after another meets whoever reads them, with or without us.
        over_rows = "on transaction" in answer.message or "on tuple" in answer.message
        # A partitioned source is read whole, so a flush waits for who truncates a leaf (docs/why/truncate.md).
        over_leaves = 'SQL statement "LOCK TABLE' in answer.message
        if deadlock and ours and over_rows and self.shared:
            # Two writers of one table, of which Tidemark is one.
            self.tally.duties["deadlock over a row of the application's"] += 1
        elif deadlock and ours and over_leaves:
            self.tally.duties["deadlock over a truncated leaf"] += 1
        elif deadlock and ours and over_rows and not self.case.deferred_keys and not early:
            raise Failure("deadlock", "", f"{step.sql}\n{answer.message}")
        if answer.state.startswith("40"):
            return
        if ours and answer.state in ALLOWED.get(step.kind, ()):
            return
        if ours or not answer.state.startswith(EXPECTED):
            raise Failure(f"interference {answer.state}", "", f"{step.sql}\ngave {answer.state} {answer.message}")

    def _check(self, moment: str) -> None:
        # A comparison would wait for a session that holds a table exclusively, and we are the only thread.
        if not self._exclusive():
            self.oracle.check(("commit",), moment)

    def _duty(self, duty: Duty) -> None:
        # A declaration may meet open transactions; it waits for them in vain, and goes on later. Columns of the application's own
        # rows wait for whoever has such a row.
        patient = duty.what in ("tick", "declare") and not self.shared
        if not duty.what.startswith("mark ") and (self._exclusive() or (not patient and self._open())):
            self.tally.duties[f"{duty.what} put off"] += 1
            return
        waiting = [one for one in self.writers if one.wire.busy]
        self.attendant.went_on = lambda: any(one.wire.is_answered for one in waiting)
        self.attendant.do(duty)

    def _exclusive(self) -> bool:
        return any(one.exclusive for one in self.writers) or any(self.prepared.values())

    def _open(self) -> bool:
        prepared = self.monitor.exec("SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()")
        return prepared[0][0] != "0" or any(one.wire.in_transaction or one.wire.busy for one in self.writers)

    def _finish(self) -> None:
        for _ in range(DRAIN_POLLS_MAX):
            self._settle()
            waiting = [one for one in self.writers if one.wire.busy]
            if not waiting:
                break
            # Everyone waits for someone: the server's deadlock check will end one of them.
            waiting[0].wire.poll(0.02)
        else:
            raise Failure("stall", "", f"sessions that never ended: {[one.current for one in self.writers]}")
        self.attendant.finish()
        if self.case.quick:
            return
        self.attendant.expect_no_drift("at the end")
        if self.upkeep.keeps_rows:
            # A total of rows that are gone cannot be made again.
            for one in (one for one in self.attendant.plain() if not one.declared):
                self._spoil(one)
        self.oracle.forget()
        self.upkeep.uninstall()
        left = self.monitor.exec(
            "SELECT 'schema' WHERE to_regnamespace('tidemark') IS NOT NULL UNION ALL SELECT tgname::text FROM pg_trigger "
            "WHERE tgname LIKE '%tidemark%' UNION ALL SELECT proname::text FROM pg_proc WHERE proname LIKE '%tidemark%'"
        )
        if left:
            raise Failure("left behind", "", str(left))

    def _spoil(self, one: Derived) -> None:
        """Delete a stored row behind Tidemark's back; a verification must name it and a repair must bring it back."""
        # What was spoiled and repaired before has changed what its readers read.
        self.upkeep.tick()
        store = self.upkeep.store(one.name)
        before = self.oracle.rows(one)
        target = f"(SELECT max(ctid) FROM {store})"
        answer = self.monitor.try_exec(f"DELETE FROM {store} WHERE ctid = {target}")
        if answer.state:
            raise Failure("spoil", one.name, answer.message)
        after = self.oracle.rows(one)
        if after == before:
            self.upkeep.repair(one.name)
            return
        self.tally.comparisons["spoiled"] += 1
        found = self.upkeep.drift(one.name)
        if not any(one.name in text for text in found):
            raise Failure("undetected", one.name, f"verify found {found} after {dict(before - after)} was deleted")
        self.upkeep.repair(one.name)
        if self.oracle.rows(one) != before:
            raise Failure("unrepaired", one.name, "a repair did not bring the row back")


def gid(number: int) -> str:
    """The name of a prepared transaction."""
    return f"simulated {number}"


def _steps(transaction: Transaction, number: int) -> list[tuple[float, Step]]:
    """What a session sends for a transaction, with its moments."""
    steps = [(transaction.at, Step("prelude", text)) for text in transaction.prelude]
    if transaction.begin:
        steps.append((transaction.at, Step("begin", transaction.begin)))
    for one in transaction.statements:
        exclusive = one.kind in (*EMPTYING, "schema-change", "leaf-later")
        guarded = one.guarded and bool(transaction.begin)
        if guarded:
            steps.append((one.at, Step("guard", "SAVEPOINT guard")))
        steps.append((one.at, Step("statement", one.sql, one.kind, one.data, guarded, exclusive)))
    if not transaction.begin:
        return steps
    if transaction.end.startswith("prepare"):
        steps.append((transaction.end_at, Step("end", f"PREPARE TRANSACTION '{gid(number)}'", gid(number))))
    else:
        steps.append((transaction.end_at, Step("end", transaction.end.upper())))
    return steps
