"""Taking blocks: their transactions, handlers and hooks, in the caller's database transaction.

Owns: what happens when one of them fails. Promises: an event or item is known by its identity and handled once, however often it
is delivered; what a handler or hook that failed had written is undone, and nothing of its siblings is; what was not taken
is quarantined with its reason. A conflict with other writers is never taken for an error of a handler: it ends the block,
which is tried again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tidemark.database.session import Conflict
from tidemark.events import Block, Event, Events, Identity
from tidemark.runtime.face import Face
from tidemark.runtime.lease import Lost
from tidemark.runtime.savepoints import Gone, name_problem, undoing
from tidemark.runtime.streams.account import Account, Quarantined
from tidemark.streams import Handling, Hook, Skip, Stream


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
        self.session = account.ledger.session
        self.stream = stream
        self.checkpoint = checkpoint
        self.careful = careful
        self.face = Face(account.ledger.session)
        self.counts = Counts()
        self.seen: dict[Identity, int] = {}
        self.new: dict[Identity, int] = {}
        self.quarantine: list[Quarantined] = []
        self.passed = passed
        self.taken: list[Block] = []
        self.known = 0

    def blocks(self, blocks: Sequence[Block]) -> Counts:
        """Take every transaction, and write down what was seen. Raises what the policies do not answer."""
        brought = [self.stream.wholes(block) for block in blocks]
        if self.stream.aheads:
            everything = Events.joined(self.stream.name, brought)
            for ahead in self.stream.aheads:
                ahead(self.face, everything)
        top = self.checkpoint
        for block, wholes in zip(blocks, brought, strict=True):
            was_here = top is not None and block.position <= top
            if was_here and block.position in self.passed:
                continue
            self._look_up(block, wholes)
            if was_here and self._is_known(wholes):
                continue
            top = block.position if top is None else max(top, block.position)
            self.taken.append(block)
            opened = Event(self.stream.name, block.position, block.time, (block.position, 0, 0), "", None, None, 0)
            for handler in self.stream.openings:
                handler(self.face, opened)
            if self.careful:
                self.face.settle()
            self._block(wholes)
        self._settle()
        self.account.remember(self.stream.name, self.new)
        self.account.quarantine(self.stream.name, self.quarantine)
        return self.counts

    def brings_nothing(self, block: Block) -> bool:
        """Whether a block that was here before has nothing that was not seen, which `known` counts; asks, and writes nothing."""
        wholes = self.stream.wholes(block)
        self._look_up(block, wholes)
        return self._is_known(wholes)

    def _is_known(self, wholes: Events) -> bool:
        known = 0
        for identity, kind, loose in zip(wholes.identities, wholes.kinds, wholes.data, strict=True):
            items = _items(self.stream.handlers.get(kind), loose)
            count = 1 if items is None else len(items)
            if count > self._known(identity):
                return False
            known += count
        self.known += known
        return True

    def again(self, event: Event, handling: Handling) -> None:
        """Take one event or item that was quarantined, and its hooks."""
        self._careful_one(event, handling)
        self._hooks(event.kind, [event._replace(taken=1)])
        self.account.quarantine(self.stream.name, self.quarantine)

    def _look_up(self, block: Block, wholes: Events) -> None:
        """Learn what was seen of a block and of those that its transactions come from, where they may have been here before;
        above the checkpoint everything is new."""
        if (top := self.checkpoint) is not None:
            old = {one for one in (block.position, *(number for number, _, _ in wholes.identities)) if one <= top}
            if old:
                self.seen |= self.account.seen(self.stream.name, old)

    def _known(self, identity: Identity) -> int:
        """How many items of a transaction were seen, before this run or in it."""
        known = self.new.get(identity)
        return known if known is not None else self.seen.get(identity, 0)

    def _block(self, wholes: Events) -> None:
        """Handle the transactions of a block in their order, those of kinds that are handled many at once after the others."""
        later: dict[str, _Brought] = {}
        handlers, new, total, redelivered = self.stream.handlers, self.new, 0, 0
        for place, (identity, kind, loose) in enumerate(zip(wholes.identities, wholes.kinds, wholes.data, strict=True)):
            handling = handlers.get(kind)
            items = _items(handling, loose)
            count = 1 if items is None else len(items)
            first = min(self._known(identity), count)
            total, redelivered = total + count, redelivered + first
            if first == count:
                continue
            new[identity] = count
            if handling is None or items is None:
                self._quarantine(wholes[place], "item", _why_not(kind, handling))
            elif handling.many:
                if (brought := later.get(kind)) is None:
                    brought = later[kind] = _Brought()
                brought.add(identity, loose, items, first)
            else:
                self._one(wholes[place], items, first, handling)
        self.counts.events += total - redelivered
        self.counts.redelivered += redelivered
        for kind, handling in handlers.items() if later else ():
            if kind in later:
                self._many(later[kind], wholes, kind, handling)

    def _one(self, whole: Event, items: Sequence[Any], first: int, handling: Handling) -> None:
        """Handle a transaction, or its items from the first that is new, and its hooks."""
        events = [whole]
        if handling.each:
            number, index, _ = whole.identity
            events = [
                whole._replace(identity=(number, index, ordinal), data=items[ordinal])
                for ordinal in range(first, len(items))
            ]
        taken = len(events) - len(self._handle(events, handling))
        if taken and whole.kind in self.stream.hooks:
            self._hooks(whole.kind, [Event(*whole[:7], taken)])

    def _many(self, brought: _Brought, wholes: Events, kind: str, handling: Handling) -> None:
        """Handle the events of many transactions of one kind: at once, or each transaction's under a savepoint of its own."""
        events, told = brought.events(wholes, kind), brought.told(wholes, kind)
        if self.careful:
            left, at = list[Event](), 0
            for count in told.taken:
                left += self._handle(events[at : at + count], handling)
                at += count
        else:
            left = self._handle(events, handling)
        if left:
            missing = Counter(event.identity[:2] for event in left)
            taken = [count - missing[identity[:2]] for identity, count in zip(told.identities, told.taken, strict=True)]
            kept = [one._replace(taken=count) for one, count in zip(told, taken, strict=True) if count]
            told = Events.of(told.stream, kept)
        if told:
            self._hooks(kind, told)

    def _handle(self, events: Events | list[Event], handling: Handling) -> list[Event]:
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
            self._quarantine(event, "item" if handling.each else "event", reason)
        return [event for event, _ in skips]

    def _settle(self) -> None:
        """Write what was put. Raises `Careless` where a row cannot be written: nobody knows whose it is."""
        try:
            self.face.settle()
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            raise Careless from problem

    def _all_at_once(self, events: Events | list[Event], handling: Handling) -> list[tuple[Event, str]]:
        """Handle every event, as long as nothing has to be undone for one of them alone; those that are refused."""
        skips: list[tuple[Event, str]] = []
        if handling.many:
            try:
                return list(handling.handler(self.face, self._columns(events)) or ())
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
            self._quarantine(event, level, skip.reason)
            return False
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            if self.stream.policies[f"on_{level}_error"] == "halt":
                raise
            self._quarantine(event, level, name_problem(problem))
            return False
        return True

    def _careful_one(self, event: Event, handling: Handling) -> None:
        with self._undoing("tidemark_item"):
            if not handling.many:
                handling.handler(self.face, event)
                return
            for _, reason in handling.handler(self.face, self._columns([event])) or ():
                raise Skip(reason)

    def _columns(self, events: Events | list[Event]) -> Events:
        return events if isinstance(events, Events) else Events.of(self.stream.name, events)

    def _hooks(self, kind: str, told: Events | list[Event]) -> None:
        """What follows transactions of one kind, each of which tells how many of its items were taken."""
        for hook in self.stream.hooks.get(kind, ()):
            if self.careful:
                for event in told:
                    self._careful_hook(hook, event)
                continue
            try:
                if hook.many:
                    hook.follow(self.face, self._columns(told))
                else:
                    for event in told:
                        hook.follow(self.face, event)
            except (Conflict, Lost, Gone):
                raise
            except Exception as problem:
                raise Careless from problem

    def _careful_hook(self, hook: Hook, event: Event) -> None:
        try:
            with self._undoing("tidemark_hook"):
                hook.follow(self.face, self._columns([event]) if hook.many else event)
        except (Conflict, Lost, Gone):
            raise
        except Exception as problem:
            if self.stream.policies["on_hook_error"] == "halt":
                raise
            self.counts.hook_failures += 1
            self.quarantine.append(Quarantined(event, "hook", f"{hook.name}: {name_problem(problem)}"))

    def _quarantine(self, event: Event, level: str, reason: str) -> None:
        self.counts.skipped += 1
        self.quarantine.append(Quarantined(event, level, reason))

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


class _Brought:
    """What a block brings of a kind that is handled many at once: columns of its items, and of the transactions they are of."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.data: list[Any] = []
        self.transactions: list[Any] = []
        self.wholes: list[Identity] = []
        self.loose: list[Any] = []
        self.counts: list[int] = []

    def add(self, identity: Identity, loose: Any, items: Sequence[Any], first: int) -> None:
        """The items of a transaction, from the first that is new."""
        number, index, _ = identity
        count = len(items) - first
        if count == 1:
            self.identities.append((number, index, first))
            self.data.append(items[first])
            self.transactions.append(loose)
        else:
            self.identities += [(number, index, ordinal) for ordinal in range(first, len(items))]
            self.data += items[first:]
            self.transactions += [loose] * count
        self.wholes.append(identity)
        self.loose.append(loose)
        self.counts.append(count)

    def events(self, block: Events, kind: str) -> Events:
        """An event for each item."""
        untaken = [0] * len(self.data)
        return _of_block(block, kind, self.identities, self.data, self.transactions, untaken)

    def told(self, block: Events, kind: str) -> Events:
        """An event for each transaction, with the number of its items that are new."""
        return _of_block(block, kind, self.wholes, self.loose, self.loose, self.counts)


def _of_block(
    block: Events,
    kind: str,
    identities: list[Identity],
    data: list[Any],
    transactions: list[Any],
    taken: list[int],
) -> Events:
    number = len(identities)
    positions, times = [block.positions[0]] * number, [block.times[0]] * number
    return Events(block.stream, positions, times, identities, [kind] * number, data, transactions, taken)


def _items(handling: Handling | None, loose: Any) -> Sequence[Any] | None:
    """What a transaction brings: its items, or itself. None where it has no handler, or no list of items."""
    if handling is None or not handling.each:
        return None if handling is None else (loose,)
    items = loose.get(handling.each)
    return items if type(items) is list or _is_list(items) else None


def _why_not(kind: str, handling: Handling | None) -> str:
    if handling is None:
        return f"no handler for {kind or 'a transaction without a kind'}"
    return f"{handling.each} is no list"


def _is_list(loose: Any) -> bool:
    return isinstance(loose, Sequence) and not isinstance(loose, str | bytes)


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
