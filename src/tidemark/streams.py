"""Ordered input as a user declares it: a stream of blocks, the handlers of its events, and what happens when one fails.

Owns: `Stream`, `Shelf` and `Skip`. Promises: a declaration that cannot mean anything is refused where it stands. Reads no
database: what a handler writes goes through the face that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import repeat
from operator import contains, itemgetter
from types import MappingProxyType
from typing import Any, Literal, Protocol, overload

from tidemark.blocks import Source
from tidemark.errors import Code, Fault, Refusal
from tidemark.events import Block, Event, Events, Identity
from tidemark.memory import First, Memory, dated
from tidemark.model import Declaration

Settle = Literal["tick", "block"]
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
        places = [self.columns.index(column) for column in self.key]
        keys: list[Any] = list(map(itemgetter(*places), rows))
        if len(places) == 1:
            keys = [(key,) for key in keys]
        found = dict(zip(keys, rows, strict=True))
        if any(map(contains, found, repeat(None))):
            found = {object() if None in key else key: row for key, row in zip(keys, rows, strict=True)}
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

    def put_all(self, shelf: Shelf, rows: Iterable[Mapping[str, Any] | tuple[Any, ...]]) -> None:
        """Write rows with others, as if each were put. A tuple has the values of the shelf's columns, in their order."""
        ...

    def find(self, shelf: Shelf, by: Sequence[str], keys: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
        """The rows of a shelf whose columns `by` have any of these values, in one statement, in no order."""
        ...


Handler = Callable[[Database, Event], object]
Ahead = Callable[[Database, Events], object]
Refused = Iterable[tuple[Event, str]]
"""Events that are not to be taken, each with the reason, which is kept with it as evidence."""
ManyHandler = Callable[[Database, Events], Refused | None]
ManyHook = Callable[[Database, Events], object]


@dataclass(frozen=True)
class Handling:
    """What is done with transactions of one kind. `each` names the list whose items are taken one by one; empty = none. With
    `many` the handler takes those of a block at once, after its other transactions, and gives what it refuses."""

    handler: Callable[[Database, Any], Any]
    each: str = ""
    many: bool = False


@dataclass(frozen=True)
class Hook:
    """What follows transactions of one kind, with `many` those of a block at once; its failures are told under its name."""

    follow: Callable[[Database, Any], object]
    name: str
    many: bool


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
            self.hooks.setdefault(kind, []).append(Hook(hook, name, many))
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

    def wholes(self, block: Block) -> Events:
        """An event for each transaction of a block. Its identity is where it was first seen: what it says itself, or where it is;
        an origin above its own block is none. Its kind is what it says it is, and empty when it says none."""
        position, kind_field, origin_field = block.position, self.kind, self.origin
        kinds, identities = list[str](), list[Identity]()
        for place, loose in enumerate(block.transactions):
            # Asking an abstract class takes ten times as long, and nearly everything is a plain one.
            is_object = type(loose) is dict or isinstance(loose, Mapping)
            kind, said = (loose.get(kind_field), loose.get(origin_field)) if is_object else (None, None)
            kinds.append(kind if isinstance(kind, str) else "")
            identities.append((position, place, 0) if said is None else (*_origin(said, position, place), 0))
        number, loose = len(kinds), list(block.transactions)
        positions, times = [position] * number, [block.time] * number
        return Events(self.name, positions, times, identities, kinds, loose, loose, [0] * number)


def _origin(said: Any, position: int, place: int) -> tuple[int, int]:
    if isinstance(said, Mapping):
        block, index = said.get("block"), said.get("tx")
        if type(block) is int and type(index) is int and 0 <= block <= position and index >= 0:
            return block, index
    return position, place


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
            raise _refuse(name, f"there is no {option}={stream.policies[option]!r}", f"say {' or '.join(words)}")
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
