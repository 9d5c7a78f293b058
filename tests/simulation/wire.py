"""A PostgreSQL connection that can be left waiting.

Owns: sending one statement without waiting for its answer. Promises: one thread, no sleeps; an answer is read only when it
is there, and input of COPY is handed over when the server asks for it.
"""

from __future__ import annotations

import select
from dataclasses import dataclass

from psycopg import pq


@dataclass(frozen=True)
class Answer:
    """The end of a statement: its SQLSTATE as `state` (empty for success), the command tag and the last rows."""

    state: str
    message: str
    tag: str
    rows: list[tuple[str | None, ...]]


class WireError(Exception):
    """A statement of the harness itself failed."""


class Wire:
    """One connection. `busy` tells that a statement is under way."""

    def __init__(self, dsn: str) -> None:
        self.connection = pq.PGconn.connect(dsn.encode())
        if self.connection.status != pq.ConnStatus.OK:
            raise WireError(self.connection.error_message.decode())
        self.pid = self.connection.backend_pid
        self.busy = False
        self.answer = Answer("", "", "", [])
        self._data: str | None = None
        self.exec("SET client_min_messages = error")

    def send(self, sql: str, data: str | None = None) -> None:
        """Send a text (one statement or several) and return at once."""
        self.busy = True
        self._data = data
        self.answer = Answer("", "", "", [])
        self.connection.send_query(sql.encode())

    @property
    def is_answered(self) -> bool:
        """Whether something of the answer has come; nothing is taken."""
        return bool(select.select([self.connection.socket], [], [], 0)[0])

    def poll(self, seconds: float) -> bool:
        """Wait up to `seconds` for the answer; True when it is complete."""
        while self.busy:
            if self.connection.is_busy():
                ready, _, _ = select.select([self.connection.socket], [], [], seconds)
                if not ready:
                    return False
                self.connection.consume_input()
                continue
            self._take()
        return True

    def _take(self) -> None:
        result = self.connection.get_result()
        if result is None:
            self.busy = False
            return
        status = result.status
        if status == pq.ExecStatus.COPY_IN:
            self.connection.put_copy_data((self._data or "").encode())
            self.connection.put_copy_end()
        elif status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            self.answer = self._error(result)
        elif not self.answer.state:
            rows = [
                tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
                for row in range(result.ntuples)
            ]
            self.answer = Answer("", "", (result.command_status or b"").decode(), rows)

    def _error(self, result: pq.abc.PGresult) -> Answer:
        fields = pq.DiagnosticField
        state = (result.error_field(fields.SQLSTATE) or b"?????").decode()
        parts = (fields.MESSAGE_PRIMARY, fields.MESSAGE_DETAIL, fields.CONTEXT)
        return Answer(
            state, " | ".join((result.error_field(part) or b"").decode(errors="replace") for part in parts), "", []
        )

    def try_exec(self, sql: str) -> Answer:
        """Run a text to its end."""
        self.send(sql)
        while not self.poll(10):
            continue
        return self.answer

    def exec(self, sql: str) -> list[tuple[str | None, ...]]:
        """Run a text that must succeed; the rows of its last statement."""
        answer = self.try_exec(sql)
        if answer.state:
            raise WireError(f"{answer.state} {answer.message}\n{sql}")
        return answer.rows

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open (failed ones too)."""
        return self.connection.transaction_status != pq.TransactionStatus.IDLE

    def close(self) -> None:
        """Close the connection."""
        self.connection.finish()


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
