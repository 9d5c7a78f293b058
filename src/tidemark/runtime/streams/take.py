"""Taking one block: its transactions, their handlers and hooks, in the caller's database transaction.

Owns: what happens when one of them fails. Promises: an event or item is known by its identity and handled once, however often it
is delivered; what a handler or hook that failed had written is undone, and nothing of its siblings is; what was not taken
is set aside with its reason. A conflict with other writers is never taken for an error of a handler: it ends the block,
which is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from tidemark.database.session import Conflict, Session
from tidemark.runtime.lease import Lost
from tidemark.runtime.savepoints import Gone, name_problem, undoing
from tidemark.runtime.streams.account import Account
from tidemark.streams import Block, Event, Handler, Handling, Identity, Skip, Stream


class Careless(Exception):
    """A block that is taken without savepoints met what only savepoints can undo; it is taken again with them."""


@dataclass
class Counts:
    """What a block brought: new `events` (items count one each), `redelivered` ones, `skipped` ones, and failed hooks."""

    events: int = 0
    redelivered: int = 0
    skipped: int = 0
    hook_failures: int = 0

    def add(self, other: Counts) -> None:
        """Add another count to this one."""
        self.events += other.events
        self.redelivered += other.redelivered
        self.skipped += other.skipped
        self.hook_failures += other.hook_failures


class Face:
    """What handlers see of the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.written = 0

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement; the number of rows that it changed."""
        self.written += 1
        return self._session.run(sql, parameters)

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        return self._session.all(sql, parameters)

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return self._session.one(sql, parameters)


class Taking:
    """One block being taken. `checkpoint` is the last position before it, None before the first; `careful` = with savepoints."""

    def __init__(self, account: Account, stream: Stream, checkpoint: int | None, careful: bool) -> None:
        self.account = account
        self.session = account.session
        self.stream = stream
        self.checkpoint = checkpoint
        self.careful = careful
        self.face = Face(account.session)
        self.counts = Counts()
        self.new: list[Identity] = []
        self.seen: set[Identity] = set()

    def block(self, block: Block) -> Counts:
        """Take every transaction, and write down what was seen. Raises what the policies do not answer."""
        self.seen = self._known(block)
        opened = Event(self.stream.name, block.position, block.time, (block.position, 0, 0), "", None, None, 0)
        for handler in self.stream.openings:
            handler(self.face, opened)
        for place, transaction in enumerate(block.transactions):
            self._transaction(block, place, transaction)
        self.account.remember(self.stream.name, self.new)
        return self.counts

    def brings_nothing(self, block: Block) -> bool:
        """Whether a block that was here before has nothing that was not seen; asks, and writes nothing."""
        seen = self._known(block)
        found = [one for place, whole in enumerate(block.transactions) for one in self._identities(block, place, whole)]
        self.counts.redelivered = len(found)
        return seen.issuperset(found)

    def _identities(self, block: Block, place: int, transaction: Any) -> list[Identity]:
        """The identities of what a transaction brings: of each item, or its own."""
        number, index = self.stream.origin_of(transaction, block.position, place)
        handling = self.stream.handlers.get(self.stream.kind_of(transaction))
        items = transaction.get(handling.each) if handling is not None and handling.each else None
        count = len(items) if items is not None and _is_list(items) else 1
        return [(number, index, ordinal) for ordinal in range(count)]

    def again(self, event: Event, handling: Handling) -> None:
        """Take one event or item that was set aside, and its hooks."""
        self._careful_one(event, handling)
        self._hooks(event, 1)

    def _known(self, block: Block) -> set[Identity]:
        """What was seen of the blocks that may have been here before; above the checkpoint everything is new."""
        origins = {self.stream.origin_of(one, block.position, place)[0] for place, one in enumerate(block.transactions)}
        old = {one for one in (*origins, block.position) if self.checkpoint is not None and one <= self.checkpoint}
        return self.account.seen(self.stream.name, old) if old else set()

    def _transaction(self, block: Block, place: int, transaction: Any) -> None:
        number, index = self.stream.origin_of(transaction, block.position, place)
        kind = self.stream.kind_of(transaction)
        whole = Event(
            self.stream.name, block.position, block.time, (number, index, 0), kind, transaction, transaction, 0
        )
        handling = self.stream.handlers.get(kind)
        if handling is None or (handling.each and not _is_list(transaction.get(handling.each))):
            reason = f"no handler for {kind or 'a transaction without a kind'}"
            if self._is_new(whole.identity):
                self._set_aside(whole, "item", reason if handling is None else f"{handling.each} is no list")
            return
        items = list(transaction[handling.each]) if handling.each else [transaction]
        events = [replace(whole, identity=(number, index, at), data=data) for at, data in enumerate(items)]
        fresh = [event for event in events if self._is_new(event.identity)]
        if fresh:
            self._hooks(whole, self._handle(fresh, handling))

    def _is_new(self, identity: Identity) -> bool:
        if identity in self.seen:
            self.counts.redelivered += 1
            return False
        self.seen.add(identity)
        self.new.append(identity)
        self.counts.events += 1
        return True

    def _handle(self, events: Sequence[Event], handling: Handling) -> int:
        """Handle the events of one transaction; how many were taken."""
        try:
            with self._undoing("tidemark_event"):
                skips = self._all_at_once(events, handling)
        except Careless:
            if not self.careful:
                raise
            return sum(self._one_by_one(event, handling) for event in events)
        for event, reason in skips:
            self._set_aside(event, "item" if handling.each else "event", reason)
        return len(events) - len(skips)

    def _all_at_once(self, events: Sequence[Event], handling: Handling) -> list[tuple[Event, str]]:
        """Handle every event, as long as nothing has to be undone for one of them alone."""
        skips: list[tuple[Event, str]] = []
        for event in events:
            before = self.face.written
            try:
                handling.handler(self.face, event)
            except Skip as skip:
                if self.face.written != before:
                    raise Careless from skip
                skips.append((event, skip.reason))
            except (Conflict, Lost, Gone):
                raise
            except Exception as problem:
                raise Careless from problem
        return skips

    def _one_by_one(self, event: Event, handling: Handling) -> bool:
        """Handle one event by itself; whether it was taken. Raises where the policy is to halt."""
        level = "item" if handling.each else "event"
        try:
            self._careful_one(event, handling)
        except Skip as skip:
            self._set_aside(event, level, skip.reason)
            return False
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            if self.stream.policies[f"on_{level}_error"] == "halt":
                raise
            self._set_aside(event, level, name_problem(problem))
            return False
        return True

    def _careful_one(self, event: Event, handling: Handling) -> None:
        with self._undoing("tidemark_item"):
            handling.handler(self.face, event)

    def _hooks(self, event: Event, taken: int) -> None:
        if taken == 0:
            return
        told = replace(event, taken=taken)
        for hook in self.stream.hooks.get(event.kind, ()):
            self._hook(hook, told)

    def _hook(self, hook: Handler, event: Event) -> None:
        try:
            with self._undoing("tidemark_hook"):
                hook(self.face, event)
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            if not self.careful:
                raise Careless from problem
            if self.stream.policies["on_hook_error"] == "halt":
                raise
            self.counts.hook_failures += 1
            name = getattr(hook, "__name__", "hook")
            self.account.set_aside(event, "hook", f"{name}: {name_problem(problem)}")

    def _set_aside(self, event: Event, level: str, reason: str) -> None:
        self.counts.skipped += 1
        self.account.set_aside(event, level, reason)

    @contextmanager
    def _undoing(self, name: str) -> Iterator[None]:
        """What is written inside is undone when something is raised. Without savepoints nothing can be undone."""
        if not self.careful:
            yield
            return
        with undoing(self.session, name):
            yield


def _is_list(loose: Any) -> bool:
    return isinstance(loose, Sequence) and not isinstance(loose, str | bytes)


def take_block(account: Account, stream: Stream, block: Block, checkpoint: int | None, careful: bool) -> Counts:
    """Take a block and advance the stream's position, in the caller's transaction."""
    account.run("enter", name=stream.name, position=block.position, time=block.time, moment=block.moment)
    counts = Taking(account, stream, checkpoint, careful).block(block)
    account.run("advance", name=stream.name, position=block.position, time=block.time, **vars(counts))
    return counts
