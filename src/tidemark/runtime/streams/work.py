"""What can be done with one stream, each on a session of its own and under the stream's lease.

Owns: `StreamWork`. Promises: one holder runs a stream at a time, and one that comes back too late commits nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from tidemark.runtime.changes.apply import ensure_ledger
from tidemark.runtime.duty import Duty
from tidemark.runtime.streams.account import Account, Evidence, Gap, StreamStatus
from tidemark.runtime.streams.ingest import Ingest, IngestReport, RetryReport, retry, skip
from tidemark.streams import Stream


class StreamWork:
    """One stream in one database. `connect` opens a duty, `settle` applies everything that waits in it."""

    def __init__(
        self,
        stream: Stream,
        connect: Callable[[], AbstractContextManager[Duty]],
        settle: Callable[[Duty], object],
    ) -> None:
        self.stream = stream
        self._connect = connect
        self._settle = settle

    def run(self, blocks_max: int | None = None) -> IngestReport:
        """Take blocks until the source has no more for now, or so many.

        Raises `Fault` when the stream halts (exit 1), is asked to stop (exit 75) or is run by somebody else (exit 6).
        """
        with self._held() as duty:
            return Ingest(duty, self.stream, partial(self._settle, duty)).run(blocks_max)

    def retry(self) -> RetryReport:
        """Try again what was quarantined, and the blocks that were passed over."""
        with self._held() as duty:
            return retry(duty, self.stream, partial(self._settle, duty))

    def skip(self, position: int | None = None) -> str:
        """Pass over the block that halts the stream, or give up what is open at a position; what was done, as a sentence."""
        with self._held() as duty:
            return skip(duty, self.stream.name, position)

    def open_ends(self) -> tuple[list[Gap], list[Evidence]]:
        """Blocks that were passed over, and what was quarantined."""
        with self._connect() as duty:
            account = Account(duty.ledger)
            if not duty.ledger.exists():
                return [], []
            return account.gaps(self.stream.name), account.evidence(self.stream.name)

    @contextmanager
    def _held(self) -> Iterator[Duty]:
        with self._connect() as duty:
            ensure_ledger(duty, secrets.token_hex(8))
            with duty.leased(f"stream {self.stream.name}", wait_seconds=2.0) as mine:
                yield mine


def list_streams(duty: Duty) -> list[StreamStatus]:
    """Every stream that was ever run in a database."""
    return Account(duty.ledger).statuses()
