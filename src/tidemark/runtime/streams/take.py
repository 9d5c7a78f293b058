"""Taking blocks: their transactions, handlers and hooks, in the caller's database transaction.

Owns: what happens when one of them fails. Promises: an event or item is known by its identity and handled once, however often it
is delivered; what a handler or hook that failed had written is undone, and nothing of its siblings is; what was not taken
is set aside with its reason. A conflict with other writers is never taken for an error of a handler: it ends the block,
which is tried again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tidemark.database.session import Conflict
from tidemark.runtime.lease import Lost
from tidemark.runtime.savepoints import Gone, name_problem, undoing
from tidemark.runtime.streams.account import Account, Aside
from tidemark.runtime.streams.face import Face
from tidemark.streams import Block, Event, Handling, Hook, Identity, Skip, Stream


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


class Taking:
    """Blocks being taken. `checkpoint` is the last position before them, None before the first; `careful` = with savepoints;
    `passed` are positions of blocks that were passed over. `taken` are the blocks that brought something or were never here."""

    def __init__(
        self,
        account: Account,
        stream: Stream,
        checkpoint: int | None,
        careful: bool,
        passed: Collection[int] = (),
    ) -> None:
        self.account = account
        self.session = account.session
        self.stream = stream
        self.checkpoint = checkpoint
        self.careful = careful
        self.face = Face(account.session)
        self.counts = Counts()
        self.new: list[Identity] = []
        self.seen: set[Identity] = set()
        self.aside: list[Aside] = []
        self.passed = passed
        self.taken: list[Block] = []
        self.known = 0

    def blocks(self, blocks: Sequence[Block]) -> Counts:
        """Take every transaction, and write down what was seen. Raises what the policies do not answer."""
        wholes = [self._wholes(block) for block in blocks]
        for ahead in self.stream.aheads:
            ahead(self.face, [event for events in wholes for event in events])
        top = self.checkpoint
        for block, events in zip(blocks, wholes, strict=True):
            was_here = top is not None and block.position <= top
            if was_here and (block.position in self.passed or self.brings_nothing(block)):
                continue
            top = block.position if top is None else max(top, block.position)
            self.taken.append(block)
            self.seen |= self._known(block, {whole.identity[0] for whole in events})
            opened = Event(self.stream.name, block.position, block.time, (block.position, 0, 0), "", None, None, 0)
            for handler in self.stream.openings:
                handler(self.face, opened)
            if self.careful:
                self.face.settle()
            self._block(events)
        self._settle()
        self.account.remember(self.stream.name, self.new)
        self.account.set_aside(self.stream.name, self.aside)
        return self.counts

    def _wholes(self, block: Block) -> list[Event]:
        """An event for each transaction of a block."""
        name, origin_of, kind_of = self.stream.name, self.stream.origin_of, self.stream.kind_of
        found = []
        for place, loose in enumerate(block.transactions):
            identity = (*origin_of(loose, block.position, place), 0)
            found.append(Event(name, block.position, block.time, identity, kind_of(loose), loose, loose, 0))
        return found

    def brings_nothing(self, block: Block) -> bool:
        """Whether a block that was here before has nothing that was not seen, which `known` counts; asks, and writes nothing."""
        origins = {self.stream.origin_of(one, block.position, place)[0] for place, one in enumerate(block.transactions)}
        seen = self._known(block, origins) | self.seen
        found = [one for place, whole in enumerate(block.transactions) for one in self._identities(block, place, whole)]
        if not seen.issuperset(found):
            return False
        self.known += len(found)
        return True

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
        self._hooks([(event, 1)])
        self.account.set_aside(self.stream.name, self.aside)

    def _known(self, block: Block, origins: set[int]) -> set[Identity]:
        """What was seen of a block and those that its transactions come from, where they may have been here before; above the
        checkpoint everything is new."""
        old = {one for one in (*origins, block.position) if self.checkpoint is not None and one <= self.checkpoint}
        return self.account.seen(self.stream.name, old) if old else set()

    def _block(self, wholes: Sequence[Event]) -> None:
        """Handle the transactions of a block in their order, those of kinds that are handled many at once after the others."""
        later: dict[str, list[tuple[Event, list[Event]]]] = {}
        handlers = self.stream.handlers
        for whole in wholes:
            handling = handlers.get(whole.kind)
            items = [whole.data] if handling is None or not handling.each else whole.data.get(handling.each)
            if handling is None or not _is_list(items):
                if self._take_new([whole.identity]):
                    reason = f"no handler for {whole.kind or 'a transaction without a kind'}"
                    self._set_aside(whole, "item", reason if handling is None else f"{handling.each} is no list")
                continue
            fresh = self._fresh(whole, items) if handling.each else [whole] * len(self._take_new([whole.identity]))
            if fresh and handling.many:
                later.setdefault(whole.kind, []).append((whole, fresh))
            elif fresh:
                self._hooks([(whole, len(fresh) - len(self._handle(fresh, handling)))])
        if later:
            for kind, handling in handlers.items():
                if kind in later:
                    self._many(later[kind], handling)

    def _many(self, found: Sequence[tuple[Event, list[Event]]], handling: Handling) -> None:
        """Handle the events of many transactions of one kind: at once, or each transaction's under a savepoint of its own."""
        if self.careful:
            left = [one for _, fresh in found for one in self._handle(fresh, handling)]
        else:
            left = self._handle([event for _, fresh in found for event in fresh], handling)
        missing = {event.identity for event in left}
        self._hooks([(whole, len(fresh) - sum(event.identity in missing for event in fresh)) for whole, fresh in found])

    def _fresh(self, whole: Event, items: Sequence[Any]) -> list[Event]:
        """The events of the items that were not seen."""
        name, position, time, (number, index, _), kind, _, transaction, _ = whole
        identities = [(number, index, ordinal) for ordinal in range(len(items))]
        return [
            Event(name, position, time, identity, kind, items[identity[2]], transaction, 0)
            for identity in self._take_new(identities)
        ]

    def _take_new(self, identities: list[Identity]) -> list[Identity]:
        """Those of some identities that were not seen, which they are from now on."""
        seen, new = self.seen, identities
        if not seen.isdisjoint(identities):
            new = [one for one in identities if one not in seen]
            self.counts.redelivered += len(identities) - len(new)
        seen.update(new)
        self.new += new
        self.counts.events += len(new)
        return new

    def _handle(self, events: Sequence[Event], handling: Handling) -> list[Event]:
        """Handle events; those that were not taken."""
        if not self.careful:
            skips = self._all_at_once(events, handling)
        else:
            try:
                with self._undoing("tidemark_event"):
                    skips = self._all_at_once(events, handling)
                    self._settle()
            except Careless:
                return [event for event in events if not self._one_by_one(event, handling)]
        for event, reason in skips:
            self._set_aside(event, "item" if handling.each else "event", reason)
        return [event for event, _ in skips]

    def _settle(self) -> None:
        """Write what was put. Raises `Careless` where a row cannot be written: nobody knows whose it is."""
        try:
            self.face.settle()
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            raise Careless from problem

    def _all_at_once(self, events: Sequence[Event], handling: Handling) -> list[tuple[Event, str]]:
        """Handle every event, as long as nothing has to be undone for one of them alone; those that are refused."""
        skips: list[tuple[Event, str]] = []
        if handling.many:
            try:
                return list(handling.handler(self.face, events) or ())
            except (Conflict, Lost, Gone):
                raise
            except Exception as problem:
                raise Careless from problem
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
            if not handling.many:
                handling.handler(self.face, event)
                return
            for _, reason in handling.handler(self.face, [event]) or ():
                raise Skip(reason)

    def _hooks(self, found: Sequence[tuple[Event, int]]) -> None:
        """What follows transactions of one kind, of each of which so many events were taken."""
        hooks = self.stream.hooks.get(found[0][0].kind)
        if not hooks:
            return
        # Each transaction's event tells how many of its items were taken.
        told = [Event(*whole[:7], taken) for whole, taken in found if taken]
        for hook in hooks if told else ():
            for events in [[event] for event in told] if self.careful else [told]:
                self._hook(hook, events)

    def _hook(self, hook: Hook, events: Sequence[Event]) -> None:
        try:
            if self.careful:
                with self._undoing("tidemark_hook"):
                    hook.follow(self.face, events)
            else:
                hook.follow(self.face, events)
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            if not self.careful:
                raise Careless from problem
            if self.stream.policies["on_hook_error"] == "halt":
                raise
            self.counts.hook_failures += 1
            self.aside.append(Aside(events[0], "hook", f"{hook.name}: {name_problem(problem)}"))

    def _set_aside(self, event: Event, level: str, reason: str) -> None:
        self.counts.skipped += 1
        self.aside.append(Aside(event, level, reason))

    @contextmanager
    def _undoing(self, name: str) -> Iterator[None]:
        """What is written inside is undone when something is raised."""
        try:
            with undoing(self.session, name):
                yield
                self.face.settle()
        except BaseException:
            # What was put and not written goes with it.
            self.face = Face(self.session)
            raise


def _is_list(loose: Any) -> bool:
    return type(loose) is list or isinstance(loose, Sequence) and not isinstance(loose, str | bytes)


def take_blocks(
    account: Account,
    stream: Stream,
    blocks: Sequence[Block],
    checkpoint: int | None,
    careful: bool,
    passed: Collection[int] = (),
) -> Taking:
    """Take blocks, in this order, and advance the stream's position, in the caller's transaction."""
    last = blocks[-1]
    account.run("enter", name=stream.name, position=last.position, time=last.time, moment=last.moment)
    taking = Taking(account, stream, checkpoint, careful, passed)
    counts = taking.blocks(blocks)
    if taken := taking.taken:
        top = max(taken, key=lambda block: block.position)
        place = {"name": stream.name, "position": top.position, "time": top.time, "blocks": len(taken)}
        account.run("advance", **place, **vars(counts))
    return taking
