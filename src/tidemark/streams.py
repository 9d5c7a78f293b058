"""Ordered input as a user declares it: a stream of blocks, the handlers of its events, and what happens when one fails.

Owns: `Stream`, `Block`, `Event`, `Shelf` and `Skip`. Promises: a declaration that
cannot mean anything is refused where it stands; an event knows its identity (block, transaction, ordinal), which never depends on
what it contains. Reads no database: what a handler writes goes through the face that it is given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol, overload

from tidemark.blocks import Source
from tidemark.errors import Code, Fault, Refusal
from tidemark.memory import First, Memory, dated
from tidemark.model import Declaration

Settle = Literal["tick", "block"]
Identity = tuple[int, int, int]
"""Block, transaction within it, ordinal within the transaction; all from 0 on."""

POLICIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "settle": ("tick", "block"),
        "on_item_error": ("skip", "halt"),
        "on_event_error": ("quarantine", "halt"),
        "on_hook_error": ("count", "halt"),
        "on_block_error": ("halt", "gap"),
    }
)
"""The words of each policy, the default first."""


_SECONDS = re.compile(r"-?[0-9]{1,11}(\.[0-9]+)?\Z")


class Skip(Exception):
    """Raised by a handler for an item or an event that is not to be taken: `reason` is kept, with the item, as evidence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, eq=False)
class Shelf:
    """A table as handlers put rows into it and find rows in it, many at once.

    `table` is its name as SQL says it, `columns` are those that are written and read. A row with the `key` of one that is there
    takes its place, as a whole; without a key every row is one more. `where` is the condition of the unique index on the key
    where that is a partial one; rows that do not satisfy it are not found. A value of type JSON travels as its text.
    """

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ()
    where: str = ""

    @cached_property
    def values_of(self) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
        """The values of a row, in the order of the columns."""
        if len(self.columns) > 1:
            return itemgetter(*self.columns)
        return lambda row: tuple(row[column] for column in self.columns)

    def last(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[Any, ...]]:
        """Of the rows of each key the last one, in the order in which the keys came first; rows without a whole key all stay."""
        if not self.key:
            return rows
        key_of = itemgetter(*(self.columns.index(column) for column in self.key))
        found: dict[object, tuple[Any, ...]] = {}
        for row in rows:
            key = key_of(row)
            is_whole = key is not None and (type(key) is not tuple or None not in key)
            found[key if is_whole else object()] = row
        return list(found.values())

    def replacing(self, quote: Callable[[str], str]) -> str:
        """The end of an INSERT by which a row takes the place of the one with its key, as both engines say it."""
        if not self.key:
            return ""
        target = ", ".join(quote(column) for column in self.key)
        others = [quote(column) for column in self.columns if column not in self.key]
        assigned = ", ".join(f"{column} = excluded.{column}" for column in others)
        where = f" WHERE {self.where}" if self.where else ""
        return f" ON CONFLICT ({target}){where} DO {f'UPDATE SET {assigned}' if others else 'NOTHING'}"


class Database(Protocol):
    """What a handler may do with the database, inside the block's transaction. ``:name`` marks a parameter."""

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement; the number of rows that it changed."""
        ...

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        ...

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        ...

    def put(self, shelf: Shelf, row: Mapping[str, Any]) -> None:
        """Write a row with others: before the next statement, and before anything that is undone alone ends, at the latest. Rows
        of one shelf keep their order; shelves follow each other as they were first put to."""
        ...

    def put_all(self, shelf: Shelf, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows with others, as if each were put."""
        ...

    def find(self, shelf: Shelf, by: Sequence[str], keys: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have any of these values, in one statement, in no order."""
        ...


@dataclass(frozen=True)
class Block:
    """One block: its position, its time as text (None when it says none), its transactions as loose JSON values."""

    position: int
    time: str | None
    transactions: tuple[Any, ...]

    @property
    def moment(self) -> str | None:
        """The time in UTC, in a form that every engine reads, where it says seconds since 1970 or an ISO date; else None."""
        said = self.time or ""
        try:
            found = datetime.fromtimestamp(float(said), UTC) if _SECONDS.match(said) else datetime.fromisoformat(said)
            utc = found.astimezone(UTC) if found.tzinfo else found
        except (ValueError, OverflowError, OSError):
            return None
        return utc.replace(tzinfo=None).isoformat(" ", "microseconds")


class Event(NamedTuple):
    """One transaction of a block, or one item of it, as a handler sees it.

    `position` and `time` are those of the block that brought it, `identity` is where it was first seen. `data` is the item for
    a handler of items, else the transaction; `transaction` is always that. `taken` is, for a hook, how many items were new.
    """

    stream: str
    position: int
    time: str | None
    identity: Identity
    kind: str
    data: Any
    transaction: Any
    taken: int = 1


Handler = Callable[[Database, Event], object]
Ahead = Callable[[Database, Sequence[Event]], object]
Refused = Iterable[tuple[Event, str]]
"""Events that are not to be taken, each with the reason, which is kept with it as evidence."""
ManyHandler = Callable[[Database, Sequence[Event]], Refused | None]
ManyHook = Callable[[Database, Sequence[Event]], object]


@dataclass(frozen=True)
class Handling:
    """What is done with transactions of one kind. `each` names the list whose items are taken one by one; empty = none. With
    `many` the handler takes those of a block at once, after its other transactions, and gives what it refuses."""

    handler: Callable[[Database, Any], Any]
    each: str = ""
    many: bool = False


@dataclass(frozen=True)
class Hook:
    """What follows transactions of one kind, those of a block at once if it likes; its failures are told under its name."""

    follow: ManyHook
    name: str


@dataclass
class Stream:
    """A declared stream. `position`, `time`, `items` name fields of a block; `kind` and `origin` name fields of a transaction.

    `settle` says when derived tables at tick freshness are made true: by workers (``tick``), or before the next block begins
    (``block``). With `savepoints` off a block is taken without them, and again with them when it fails; blocks of about
    `together` transactions are then taken in one, and one by one when one of them fails.
    """

    name: str
    source: Source
    position: str
    time: str
    items: str
    kind: str
    origin: str
    policies: Mapping[str, str]
    savepoints: bool
    attempts: int
    together: int
    handlers: dict[str, Handling] = field(default_factory=dict)
    hooks: dict[str, list[Hook]] = field(default_factory=dict)
    openings: list[Handler] = field(default_factory=list)
    aheads: list[Ahead] = field(default_factory=list)

    def ahead(self, reader: Ahead) -> Ahead:
        """Decorator: what is called when a transaction of the database begins, with an event for each transaction of the blocks
        that it takes, to read at once what their handlers will ask for. What it raises fails the blocks."""
        self.aheads.append(reader)
        return reader

    def on_block(self, handler: Handler) -> Handler:
        """Decorator: a handler of each block itself, before its transactions. Its event has the block's position and time and no
        data. What it raises fails the block. A block that is taken again, for the rest of it, has it called again."""
        self.openings.append(handler)
        return handler

    @overload
    def on(self, kind: str, *, each: str = "", many: Literal[False] = False) -> Callable[[Handler], Handler]: ...
    @overload
    def on(self, kind: str, *, each: str = "", many: Literal[True]) -> Callable[[ManyHandler], ManyHandler]: ...

    def on(self, kind: str, *, each: str = "", many: bool = False) -> Callable[[Any], Any]:
        """Decorator: the handler of transactions of that kind; with `each`, of every item of that list in them.

        With `many` it is called with those of a block at once, or some of them, after the block's other transactions; it gives
        those that it refuses, each with the reason, and writes nothing of them. Raises `Refusal` (``declaration``) for a
        second handler of a kind.
        """

        def take(handler: Any) -> Any:
            if kind in self.handlers:
                raise _refuse(self.name, f"{kind!r} has a handler already", "let one handler do both")
            self.handlers[kind] = Handling(handler, each, many)
            return handler

        return take

    @overload
    def after(self, kind: str, *, many: Literal[False] = False) -> Callable[[Handler], Handler]: ...
    @overload
    def after(self, kind: str, *, many: Literal[True]) -> Callable[[ManyHook], ManyHook]: ...

    def after(self, kind: str, *, many: bool = False) -> Callable[[Any], Any]:
        """Decorator: a hook that follows each transaction of that kind which brought something new; with `many` it is called with
        an event for each of them, of those that are handled at once."""

        def take(hook: Any) -> Any:
            name = getattr(hook, "__name__", "hook")
            self.hooks.setdefault(kind, []).append(Hook(hook if many else _one_by_one(hook), name))
            return hook

        return take

    def read_block(self, loose: Mapping[str, Any]) -> Block:
        """A block from its loose form. Raises `Fault` when it has no whole position or no list of transactions."""
        position, transactions = loose.get(self.position), loose.get(self.items, [])
        if not isinstance(position, int) or isinstance(position, bool) or position < 0:
            raise Fault(
                f"stream {self.name}: a block has {self.position}={position!r}, which is no position",
                left_behind="every block before it is taken",
                retry_safe=False,
            )
        if not isinstance(transactions, Sequence) or isinstance(transactions, str):
            raise Fault(f"stream {self.name}: {self.items} of block {position} is no list", retry_safe=False)
        time = loose.get(self.time)
        return Block(position, None if time is None else str(time), tuple(transactions))

    def kind_of(self, transaction: Any) -> str:
        """The kind that a transaction says it is; empty when it says none."""
        found = transaction.get(self.kind) if _is_object(transaction) else None
        return found if isinstance(found, str) else ""

    def origin_of(self, transaction: Any, position: int, place: int) -> tuple[int, int]:
        """Block and place where a transaction was first seen: what it says itself, or where it is. An origin above its own
        block is none."""
        said = transaction.get(self.origin) if _is_object(transaction) else None
        if said is not None and isinstance(said, Mapping):
            block, index = said.get("block"), said.get("tx")
            if type(block) is int and type(index) is int and 0 <= block <= position and index >= 0:
                return block, index
        return position, place


def _one_by_one(hook: Handler) -> ManyHook:
    def follow(db: Database, events: Sequence[Event]) -> None:
        for event in events:
            hook(db, event)

    return follow


def _is_object(loose: Any) -> bool:
    # Asking an abstract class takes ten times as long, and nearly everything is a plain one.
    return type(loose) is dict or isinstance(loose, Mapping)


def check_stream(stream: Stream) -> None:
    """Raises `Refusal` (``declaration``) for a stream that cannot be run."""
    name = stream.name
    if not isinstance(name, str) or not name.strip():
        raise _refuse(str(name), "a stream needs a name", "name it")
    if not hasattr(stream.source, "blocks"):
        raise _refuse(
            name, f"source={stream.source!r} gives no blocks", "say jsonl(path), iterable(function) or table(name)"
        )
    for option, words in POLICIES.items():
        if stream.policies[option] not in words:
            raise _refuse(name, f"{option}={stream.policies[option]!r} is none", f"say {' or '.join(words)}")
    if stream.attempts < 1:
        raise _refuse(name, f"attempts={stream.attempts} is not even one", "say how often a block may be tried")
    if stream.together < 0:
        raise _refuse(name, f"together={stream.together} is no number of transactions", "say 0 for a block at a time")
    if stream.together and (stream.savepoints or stream.policies["settle"] == "block"):
        raise _refuse(
            name,
            "together= takes many blocks in one transaction, where no block can be undone or settled alone",
            'savepoints=False and settle="tick", or leave together= out',
        )


def name_streams(declaration: Declaration, streams: Sequence[str]) -> Declaration:
    """The declaration with the stream of each moment that it keeps: the one that is named, or the only one.

    Raises `Refusal` (``declaration``) for a stream that is not declared, and for none at all.
    """

    def named(column: str, kept: Memory) -> Memory:
        if not isinstance(kept, First) or kept.value is None:
            return kept
        wanted = kept.value.stream or (streams[0] if len(streams) == 1 else "")
        if wanted not in streams:
            told = f"stream {wanted}" if wanted else "a stream that is not named"
            raise Refusal(
                Code.DECLARATION,
                f"{column} keeps the {kept.value.what} of a block of {told} (at {declaration.place})",
                instead=f"one of: {', '.join(streams)}" if streams else "project.stream(…) for what brings the blocks",
                derived=declaration.name,
            )
        return replace(kept, value=replace(kept.value, stream=wanted))

    if not dated(declaration.keep):
        return declaration
    return replace(declaration, keep=tuple((column, named(column, kept)) for column, kept in declaration.keep))


def _refuse(name: str, reason: str, instead: str) -> Refusal:
    return Refusal(Code.DECLARATION, f"stream {name}: {reason}", instead=instead)
