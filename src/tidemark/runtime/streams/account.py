"""What a stream knows of itself, in the user's database: its position, its gaps, what it has seen and what it quarantined.

Owns: the tables of streams and `StreamStatus`. Promises: every statement is in the book ``streams``; a method that writes
runs in the caller's transaction, so that a record commits with what it records; health is one's own position and counts,
never what another writer left in the user's tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemark.events import Event, Identity
from tidemark.runtime.lease import is_gone
from tidemark.runtime.ledger import Ledger
from tidemark.states import STREAM, read_state

BOOK = "streams/streams"
EVIDENCE_CHARACTERS_MAX = 100_000
LISTED_MAX = 1000


@dataclass(frozen=True)
class StreamStatus:
    """How a stream is doing. `position` and `time` are those of the last block that it took itself, None before the first.

    `state` is one of `states.STREAM` or ``unknown``. `failed_at` is the block that halts it, `cause` says why. `gaps` blocks were
    passed over, `quarantined` events quarantined; both wait for somebody. `skipped` counts items and events, ever.
    """

    name: str
    state: str
    position: int | None
    time: str | None
    blocks: int
    events: int
    redelivered: int
    skipped: int
    hook_failures: int
    failed_at: int | None
    cause: str | None
    attempts: int
    updated: str
    gaps: int = 0
    quarantined: int = 0

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Gap:
    """A block that was passed over."""

    position: int
    cause: str
    found: str
    attempts: int


@dataclass(frozen=True)
class Evidence:
    """Something that was quarantined. `evidence` is the thing itself as JSON text, cut where it is very long."""

    id: int
    identity: Identity
    position: int
    time: str | None
    level: str
    kind: str
    reason: str
    evidence: str
    found: str
    attempts: int


@dataclass(frozen=True)
class Quarantined:
    """What was not taken: the event or item, the level that failed, and why."""

    event: Event
    level: str
    reason: str


class Account:
    """The tables of streams behind one session."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.book = ledger.book(BOOK)

    def run(self, statement: str, /, **parameters: Any) -> int:
        """Run a named statement; give the number of rows it changed."""
        return self.book.run(statement, parameters)

    def statuses(self) -> list[StreamStatus]:
        """Every stream; none without a ledger. One that nobody runs any more is interrupted, whatever it last said of itself."""
        found = [_status(row) for row in self.book.all("list")] if self.ledger.exists() else []
        return [
            replace(one, state="interrupted") if one.state == "running" and not self._is_run(one) else one
            for one in found
        ]

    def _is_run(self, one: StreamStatus) -> bool:
        held = self.ledger.one("read_lease", {"duty": f"stream {one.name}"})
        return held is not None and not is_gone(held[0])

    def status(self, name: str) -> StreamStatus | None:
        """One stream, without what is open."""
        row = self.book.one("read", {"name": name}) if self.ledger.exists() else None
        return _status(row) if row else None

    def seen(self, stream: str, blocks: Iterable[int]) -> dict[Identity, int]:
        """How many items are known of each transaction that some blocks brought first, by the identity of its first item."""
        rows = self.book.all("find_seen", {"stream": stream, "blocks": json.dumps(sorted(blocks))})
        return {(int(block), int(tx), 0): int(last) + 1 for block, tx, last in rows}

    def remember(self, stream: str, seen: Mapping[Identity, int]) -> None:
        """Write down how many items of transactions, by the identity of the first, were taken or quarantined: more than known."""
        if seen:
            found = [(block, tx, count - 1) for (block, tx, _), count in seen.items()]
            self.run("add_seen", stream=stream, seen=json.dumps(found, separators=(",", ":")))

    def quarantine(self, stream: str, things: Sequence[Quarantined]) -> None:
        """Keep what was not taken, with the reasons, in this order."""
        if things:
            self.run("add_evidence", stream=stream, things=json.dumps([_row(one) for one in things]))

    def gaps(self, stream: str) -> list[Gap]:
        """Blocks that were passed over and wait."""
        rows = self.book.all("list_gaps", {"stream": stream, "limit": LISTED_MAX})
        return [Gap(int(row[0]), row[1], row[2], int(row[3])) for row in rows]

    def passed(self, stream: str) -> set[int]:
        """Positions of blocks that were passed over and not taken since."""
        return {int(row[0]) for row in self.book.all("list_passed", {"stream": stream})}

    def evidence(self, stream: str, level: str = "") -> list[Evidence]:
        """What was quarantined and waits, oldest first."""
        rows = self.book.all("list_evidence", {"stream": stream, "level": level, "limit": LISTED_MAX})
        return [_evidence(*row) for row in rows]

    def reasons(self, stream: str) -> list[Mapping[str, Any]]:
        """How many things wait for each reason."""
        rows = self.book.all("count_reasons", {"stream": stream})
        return [{"level": level, "reason": reason, "count": int(count)} for level, reason, count in rows]


def as_evidence(loose: Any) -> str:
    """A loose value as JSON text that both engines can store."""
    text = json.dumps(loose, ensure_ascii=True, default=repr, separators=(",", ":")).replace("\\u0000", "")
    return text[:EVIDENCE_CHARACTERS_MAX]


def _row(one: Quarantined) -> tuple[int | str | None, ...]:
    event = one.event
    texts = (event.time, one.level, event.kind, one.reason)
    return (*event.identity, event.position, *map(_storable, texts), as_evidence(event.data))


def _storable(text: str | None) -> str | None:
    """A text as both engines can store it: no NUL, no half of a character."""
    return None if text is None else text.replace("\0", "").encode("utf-8", "replace").decode()


def _evidence(id_: int, block: int, tx: int, ordinal: int, position: int, *rest: Any) -> Evidence:
    time, level, kind, reason, evidence, found, attempts = rest
    return Evidence(
        int(id_),
        (int(block), int(tx), int(ordinal)),
        int(position),
        time,
        level,
        kind,
        reason,
        evidence,
        found,
        int(attempts),
    )


def _status(row: tuple[Any, ...]) -> StreamStatus:
    name, state, position, time, *counts = row
    blocks, events, redelivered, skipped, hook_failures, failed_at, cause, attempts, updated, *open_ = counts
    return StreamStatus(
        name,
        read_state(state, STREAM),
        None if position is None else int(position),
        time,
        int(blocks),
        int(events),
        int(redelivered),
        int(skipped),
        int(hook_failures),
        None if failed_at is None else int(failed_at),
        cause,
        int(attempts),
        updated,
        *(int(count) for count in open_),
    )
