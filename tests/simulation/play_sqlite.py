"""Plays a case on SQLite and compares after every commit.

Owns: two application connections that take turns, the comparison on SQLite, and a shadow database without derived
tables. Promises: a difference between a derived table and its query, or between the application's own tables and those
of the shadow, raises `Failure` at the transaction that made it.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from tests.simulation.beside import in_turn
from tests.simulation.case import Case, Derived, Failure, Statement, Transaction
from tests.simulation.duties import Attendant
from tests.simulation.history import Rows, numbered
from tests.simulation.kept import seen
from tests.simulation.memory import Table
from tests.simulation.relations import quote
from tests.simulation.tally import Tally
from tests.simulation.upkeep import Upkeep

UNORDERED = frozenset({"update-or-fail", "update-or-ignore", "update-or-replace", "insert-select", "update-from"})
Outcome = tuple[str, int]


def connect(path: Path) -> sqlite3.Connection:
    """An application's connection: manual transactions, foreign keys on."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0, cached_statements=400)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON")
    return connection


def rows(connection: sqlite3.Connection, query: str, fold: bool) -> Counter[str]:
    """The rows as a bag of texts that tell values, types and NULLs apart."""
    found = connection.execute(query).fetchall()
    return Counter(repr(row).lower() for row in found) if fold else Counter(map(repr, found))


def _order_matters(sql: str, error: str) -> bool:
    """Whether an UPDATE of keys met another row on its way, which depends on the order of a scan."""
    collision = error.startswith(
        ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_ROWID")
    )
    return collision and sql.startswith("UPDATE")


def _counts_violations(refused: sqlite3.Connection, error: str) -> bool:
    """Whether a foreign key was judged while rows already violated one: with any trigger, SQLite counts what a statement adds
    and mends, and without one it fails at the first that it adds."""
    asked = error.startswith("SQLITE_CONSTRAINT_FOREIGNKEY")
    return asked and refused.execute("PRAGMA foreign_key_check").fetchone() is not None


class SqlitePlay:
    """One case being played in the database at `path`."""

    ledger = "tidemark_"

    def __init__(self, case: Case, path: Path, upkeep: Upkeep, tally: Tally, shadow: bool = True) -> None:
        self.case = case
        self.upkeep = upkeep
        self.tally = tally
        self.path = path
        self.shadowed = shadow and not case.quick
        self.unordered = False
        self.derived: Sequence[Derived] = ()
        self.attendant = Attendant(case, upkeep, tally, self, calm=lambda: True)
        self.attendant.between = in_turn(case.beside, partial(self._both, 0))
        self.attendant.write = partial(self._both, 0)
        self.pending = sorted(case.duties, key=lambda duty: duty.at)

    def run(self) -> None:
        """Set up, install, play, verify, spoil, repair, uninstall. Raises `Failure`."""
        shadow_path = self.path.with_suffix(".shadow")
        with ExitStack() as stack:
            opened = [stack.enter_context(closing(connect(path))) for path in 2 * (self.path, shadow_path)]
            self.pairs = [(opened[0], opened[1]), (opened[2], opened[3])]
            for text in (*self.case.setup, *self.case.fill):
                self._both(0, text)
            self.attendant.install()
            for transaction in sorted(self.case.transactions, key=lambda one: one.at):
                self._duties(transaction.at)
                self._transaction(transaction)
            self._duties(float("inf"))
            self.attendant.finish()
            if not self.case.quick:
                self._close_out()

    def _both(self, session: int, sql: str) -> tuple[Outcome, Outcome]:
        real, shadow = self.pairs[session]
        outcome = self._execute(real, sql)
        return outcome, (self._execute(shadow, sql) if self.shadowed else outcome)

    @staticmethod
    def _execute(connection: sqlite3.Connection, sql: str) -> Outcome:
        try:
            cursor = connection.execute(sql)
            cursor.fetchall()
            return "", cursor.rowcount
        except sqlite3.Error as error:
            return f"{error.sqlite_errorname}: {error}" if hasattr(error, "sqlite_errorname") else str(error), -1

    def _transaction(self, transaction: Transaction) -> None:
        session = transaction.session % 2
        self.unordered = False
        for pragma in transaction.prelude:
            self._both(session, pragma)
        if transaction.begin:
            self._both(session, transaction.begin)
        for statement in transaction.statements:
            self._statement(session, statement)
        committed = transaction.end == "commit"
        if self.pairs[session][0].in_transaction:
            (error, _), (expected, _) = self._both(session, "COMMIT" if committed else "ROLLBACK")
            if bool(error) != bool(expected) and not self.unordered:
                raise Failure("interference", "", f"COMMIT: {error!r} instead of {expected!r}")
            if error:
                self.tally.errors[error.split(":")[0]] += 1
                committed = False
                self._both(session, "ROLLBACK")
        self.tally.transactions["commit" if committed else "rollback"] += 1
        if committed:
            self.check(("commit",), f"after the transaction at {transaction.at}")
            self._compare_sources()

    def _statement(self, session: int, statement: Statement) -> None:
        self.unordered = self.unordered or statement.kind in UNORDERED
        real, shadow = self._both(session, statement.sql)
        self.tally.statement(statement.kind, not real[0], real[0].split(":")[0])
        if "tidemark" in real[0].lower():
            raise Failure("interference", "", f"{statement.sql}\ngave {real[0]}")
        if bool(real[0]) != bool(shadow[0]) or (not real[0] and real[1] != shadow[1]):
            refused = self.pairs[session][0 if real[0] else 1]
            if (
                self.unordered
                or _order_matters(statement.sql, real[0] or shadow[0])
                or _counts_violations(refused, real[0] or shadow[0])
            ):
                self.shadowed = False
                self.tally.duties["shadow lost"] += 1
                return
            raise Failure("interference", "", f"{statement.sql}\ngave {real} instead of {shadow}")

    def _compare_sources(self) -> None:
        """The application's own rows must be those of the shadow."""
        if not self.shadowed:
            return
        real, shadow = self.pairs[0]
        for source in self.case.sources:
            query = f"SELECT * FROM {source}"
            if rows(real, query, False) != rows(shadow, query, False):
                if self.unordered:
                    # Which rows such a statement changes depends on the order of a scan, which SQLite leaves open.
                    self.shadowed = False
                    self.tally.duties["shadow lost"] += 1
                    return
                raise Failure("interference", "", f"{source} holds other rows than without derived tables")

    def _duties(self, until: float) -> None:
        while self.pending and self.pending[0].at <= until:
            duty = self.pending.pop(0)
            self.attendant.do(duty)
            # What is written in an accident is not written to the shadow.
            self.shadowed = self.shadowed and not duty.sql

    def prepare(self, derived: Sequence[Derived]) -> None:
        """Derived tables to compare from now on."""
        self.derived = derived

    def stored(self, one: Derived) -> Rows:
        """The rows that readers see, by key."""
        return self._by_key(one, f"SELECT * FROM {seen(one)}")

    def truth(self, one: Derived) -> Rows:
        """The query's rows, by key."""
        return self._by_key(one, one.query)

    def of(self, one: Derived, query: str) -> Rows:
        """The rows of a SELECT with the columns of a derived table, by key."""
        return self._by_key(one, query)

    def _by_key(self, one: Derived, query: str) -> Rows:
        cursor = self._reader().execute(query)
        names = [column[0] for column in cursor.description]
        places = [names.index(name) for name in one.key]
        found = cursor.fetchall()
        if not one.key:
            return numbered(repr(row).lower() if one.fold else repr(row) for row in found)
        rows = {repr([row[place] for place in places]): repr(row) for row in found}
        if len(rows) < len(found):
            raise Failure("key", one.name, f"the declared key {one.key} does not identify rows: {found}\n{query}")
        if not one.fold:
            return rows
        # Two rows may have keys that only differ in case.
        folded: dict[str, list[str]] = {}
        for key, row in rows.items():
            folded.setdefault(key.lower(), []).append(row.lower())
        return {key: " and ".join(sorted(found)) for key, found in folded.items()}

    def ask(self, sql: str) -> Sequence[Sequence[object]]:
        """The rows of a query."""
        return self._reader().execute(sql).fetchall()

    def values(self, one: Derived, source: str) -> Table:
        """The values of the columns that are no key, by key."""
        names = ", ".join(map(quote, (*one.key, *one.options["columns"])))
        rows = self._reader().execute(f"SELECT {names} FROM {source} AS simulated").fetchall()
        return {repr(row[: len(one.key)]): tuple(row[len(one.key) :]) for row in rows}

    def _reader(self) -> sqlite3.Connection:
        """A connection that sees only what is committed."""
        connection = self.pairs[0][0]
        return self.pairs[1][0] if connection.in_transaction else connection

    def check(self, freshnesses: tuple[str, ...], moment: str) -> None:
        """Compare every derived table of these freshnesses with its query, as bags."""
        connection = self._reader()
        for one in self.derived:
            if one.freshness not in freshnesses:
                continue
            self.tally.comparisons[f"{one.family} {one.freshness}"] += 1
            stored = rows(connection, f"SELECT * FROM {seen(one)}", one.fold)
            truth = rows(connection, one.query, one.fold)
            if stored != truth:
                detail = f"{moment}: stored {dict(stored - truth)} instead of {dict(truth - stored)}\n{one.query}"
                raise Failure("mismatch", one.name, detail)

    def _close_out(self) -> None:
        self.attendant.expect_no_drift("at the end")
        if self.upkeep.keeps_rows:
            # A total of rows that are gone cannot be made again.
            for one in (one for one in self.derived if not one.declared):
                self._spoil(one)
        before = self.upkeep.keeps_rows
        self.upkeep.uninstall()
        if before:
            left = [
                name
                for (name,) in self.pairs[0][0].execute("SELECT name FROM sqlite_schema WHERE name LIKE 'tidemark%'")
            ]
            names = {one.name for one in self.derived}
            left += [name for (name,) in self.pairs[0][0].execute("SELECT name FROM sqlite_schema") if name in names]
            if left:
                raise Failure("left behind", "", str(left))
            self._compare_sources()

    def _spoil(self, one: Derived) -> None:
        """Delete a stored row behind Tidemark's back; a verification must name it and a repair must bring it back."""
        # What was spoiled and repaired before has changed what its readers read.
        self.upkeep.tick()
        connection = self.pairs[0][0]
        store = self.upkeep.store(one.name)
        before = rows(connection, f"SELECT * FROM {seen(one)}", one.fold)
        connection.execute("PRAGMA recursive_triggers = OFF")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({store})") if row[5]] or ["rowid"]
        names = ", ".join(columns if columns == ["rowid"] else map(quote, columns))
        last = f"SELECT {names} FROM {store} ORDER BY {names} DESC LIMIT 1"
        error, _ = self._execute(connection, f"DELETE FROM {store} WHERE ({names}) = ({last})")
        if error:
            raise Failure("spoil", one.name, error)
        after = rows(connection, f"SELECT * FROM {seen(one)}", one.fold)
        if after == before:
            self.upkeep.repair(one.name)
            return
        self.tally.comparisons["spoiled"] += 1
        found = self.upkeep.drift(one.name)
        if not any(one.name in text for text in found):
            raise Failure("undetected", one.name, f"verify found {found} after {dict(before - after)} was deleted")
        self.upkeep.repair(one.name)
        if rows(connection, f"SELECT * FROM {seen(one)}", one.fold) != before:
            raise Failure("unrepaired", one.name, "a repair did not bring the row back")
