"""The stream of blocks: what is written for each block, each play and each entity event, and what follows them.

One block is one transaction, or many blocks of history are. An event that a rule refuses, or a play that names no track, is set
aside with its reason; everything else about order, redelivery, kills and failures is `tidemark.Project.stream`'s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from examples.soundgraph.described import Row
from examples.soundgraph.hooks import HOOKS, listen_streak
from examples.soundgraph.needs import find_needs
from examples.soundgraph.rules import RULES
from examples.soundgraph.rules_events import hold, purchase, react_to_tip, tip
from examples.soundgraph.state import Stamp, State
from examples.soundgraph.statements import Writer
from examples.soundgraph.tables import (
    BLOCKS,
    ETL_PLAYS,
    PLAYS,
    TRACKS,
    USERS,
)
from examples.soundgraph.values import EntityEvent, Remembered, identifier, moment, text, why_no_identifier
from tidemark import Project, Skip, Tidemark, iterable
from tidemark.blocks import Source
from tidemark.events import Event, Events, Identity
from tidemark.streams import Database, Stream

NAME = "ledger"
Blocks = Iterable[Mapping[str, Any]]
Judge = Callable[[State, EntityEvent, Stamp], None]
Play = tuple[Any, ...]
"""A row of ``etl_plays``, in the order of its columns."""

_USER, _PLAYED_AT = (ETL_PLAYS.columns.index(column) for column in ("user_id", "played_at"))
_WAITING = (
    f"SELECT {', '.join(ETL_PLAYS.columns)} FROM etl_plays "
    "WHERE block = :block AND transaction_index = :tx AND NOT is_bridged ORDER BY ordinal"
)


def add_stream(
    project: Project, source: Source, *, writer: Writer = "upsert", strict: bool = False, **options: Any
) -> Stream:
    """Declares the stream ``ledger``. ``writer`` changes the current row in place or demotes it and inserts the next version;
    ``strict`` refuses what names an unknown user, track or playlist instead of making a stub. ``options`` are Tidemark's."""
    stream = project.stream(NAME, source=source, **{"savepoints": False, **options})
    indexer = _Indexer(writer, strict)
    stream.ahead(indexer.begin)
    stream.on_block(indexer.block)
    stream.on("manage_entity")(indexer.entity)
    stream.on("plays", each="plays", many=True)(indexer.plays)
    stream.on("tip")(indexer.payment(tip))
    stream.on("usdc_purchase")(indexer.payment(purchase))
    stream.on("tip_reaction")(indexer.payment(react_to_tip))
    stream.on("holding")(indexer.payment(hold))
    stream.after("plays", many=True)(indexer.listen_streak)
    stream.after("plays", many=True)(indexer.bridge)
    for hook, followed in HOOKS.items():
        stream.after("manage_entity")(indexer.hook(hook, followed))
    return stream


@dataclass(frozen=True)
class Tally:
    """What a run of the stream brought: ``events`` counts what was new, plays and entity events, taken or quarantined;
    ``skipped`` tells for each reason how many of those that wait."""

    blocks: int
    events: int
    redelivered: int
    skipped: Counter[str]


def run_stream(tidemark: Tidemark, blocks_max: int | None = None) -> Tally:
    """Takes what the declared source has, or so many blocks. Raises Fault when the stream halts."""
    work = tidemark.stream(NAME)
    report = work.run(blocks_max)
    _, quarantined = work.open_ends()
    reasons = Counter(one.reason for one in quarantined)
    return Tally(report.blocks, report.counts.events, report.counts.redelivered, reasons)


def take(database: str, blocks: Blocks, *, writer: Writer = "upsert", strict: bool = False, together: int = 0) -> Tally:
    """Takes blocks into base tables, without anything derived being asked for; with ``together`` many of them at once."""
    project = Project("soundgraph")
    add_stream(project, iterable(lambda _: blocks), writer=writer, strict=strict, together=together)
    return run_stream(Tidemark(project, database))


class _Indexer:
    """The handlers. What is remembered of rows lasts for one transaction, and not beyond anything that fails."""

    def __init__(self, writer: Writer, strict: bool) -> None:
        self._writer = writer
        self._strict = strict
        self._state: State | None = None
        self._entity: tuple[Any, EntityEvent] | None = None
        self._stamp: tuple[Identity, Stamp] | None = None
        self._heard: dict[tuple[int, int], list[Play]] = defaultdict(list)
        self._told: tuple[Events, list[Play]] | None = None
        self._ids = Remembered[int](identifier)
        self._countries = Remembered[str](lambda said: text(said) or None)

    def begin(self, db: Database, events: Events) -> None:
        """A transaction begins: what its events will ask for is read at once."""
        self._ids.clear()
        self._state = State(db, self._writer, strict=self._strict)
        self._state.read_ahead(find_needs(events, self._ids))

    def block(self, db: Database, event: Event) -> None:
        """Each block has a row, even an empty one: it is what completions are dated by."""
        self._heard.clear()
        state, number = self._state_of(db), event.position
        if state.current(BLOCKS, (number,)) is None:
            row: Row = {"number": number, "blockhash": f"block:{number}", "created_at": self._stamp_of(event).at}
            state.write(BLOCKS, (number,), row)

    def entity(self, db: Database, event: Event) -> None:
        """Something that somebody did to a user, a track, a playlist, a comment, …"""
        entity = self._read(event.data)
        self._judge(db, event, lambda state, stamp: RULES[entity.what](state, entity, stamp))

    def hook(self, judge: Judge, followed: frozenset[tuple[str, str]]) -> Callable[[Database, Event], None]:
        """A hook under its own name, for whoever reads that it failed."""

        def follow(db: Database, event: Event) -> None:
            entity = self._read(event.transaction)
            if entity.what in followed:
                self._judge(db, event, lambda state, stamp: judge(state, entity, stamp))

        follow.__name__ = judge.__name__
        return follow

    def plays(self, db: Database, events: Events) -> Iterable[tuple[Event, str]]:
        """Plays of a block. A user who is no integer is anonymous; such a track is no track. Whatever they name is there when the
        block's other transactions have made it."""
        state, ids, heard, rows = self._state_of(db), self._ids, self._heard, list[Play]()
        tracks, users = state.known(TRACKS), state.known(USERS)
        stamp = self._stamp_of(events[0])
        number, at = stamp.number, stamp.at
        for place, ((block, tx, ordinal), play) in enumerate(zip(events.identities, events.data, strict=True)):
            if not isinstance(play, dict):
                yield events[place], "no_play"
                continue
            track, user, country = play.get("track_id"), play.get("user_id"), play.get("country")
            played_at, track_id = moment(play.get("timestamp")), ids[track] if type(track) is str else identifier(track)
            if played_at is None or track_id is None:
                yield events[place], f"track_id_{why_no_identifier(track)}" if played_at else "no_time"
                continue
            user_id = ids[user] if type(user) is str else identifier(user)
            if tracks.get((track_id,)) is None or (user_id is not None and users.get((user_id,)) is None):
                try:
                    _meet(state, track_id, user_id, self._stamp_of(events[place]))
                except Skip as skip:
                    yield events[place], skip.reason
                    continue
            country = self._countries[country] if type(country) is str else None
            row = (block, tx, ordinal, number, at, user_id, track_id, played_at, country, False)
            rows.append(row)
            heard[block, tx].append(row)
        # Nobody asks for the current row of a play, so that none is remembered.
        db.put_all(ETL_PLAYS.shelf, rows)

    def payment(self, rule: Callable[[State, Any, Stamp], None]) -> Callable[[Database, Event], None]:
        """A tip or a purchase, what somebody makes of a tip, or how much they hold."""

        def pay(db: Database, event: Event) -> None:
            self._judge(db, event, lambda state, stamp: rule(state, event.data, stamp))

        return pay

    def listen_streak(self, db: Database, events: Events) -> None:
        """The streaks of those who are known and listened, before their plays are bridged."""
        heard = self._plays_of(db, events)
        plays = [(row[_USER], row[_PLAYED_AT]) for row in heard if row[_USER] is not None]
        if plays:
            listen_streak(self._state_of(db), plays, events.positions[0])

    def bridge(self, db: Database, events: Events) -> None:
        """The plays of transactions, as the network counts them. Nothing makes two of them one: identical plays are two."""
        heard = self._plays_of(db, events)
        db.put_all(PLAYS, map(_bridged, heard))
        db.put_all(ETL_PLAYS.shelf, [(*row[:-1], True) for row in heard])

    def _plays_of(self, db: Database, events: Events) -> Sequence[Play]:
        """The plays of transactions that are not bridged yet, which each hook that is told of them asks for."""
        if self._told is None or self._told[0] is not events:
            self._told = (events, [row for rows in self._heard_of(db, events) for row in rows])
        return self._told[1]

    def _heard_of(self, db: Database, events: Events) -> Iterator[Sequence[Play]]:
        """The plays of each transaction that are not bridged yet. What is known of them from their taking stands for them only
        where nothing of the transaction was left out, so that nothing of it can be waiting from before."""
        for (block, tx, _), loose, taken in zip(events.identities, events.transactions, events.taken, strict=True):
            heard, whole = self._heard[block, tx], loose.get("plays")
            is_whole = isinstance(whole, list) and len(heard) == taken == len(whole)
            yield heard if is_whole else db.all(_WAITING, {"block": block, "tx": tx})

    def _judge(self, db: Database, event: Event, judge: Callable[[State, Stamp], None]) -> None:
        state, stamp = self._begin(db, event)
        judge(state, stamp)
        state.accept()

    def _begin(self, db: Database, event: Event) -> tuple[State, Stamp]:
        """What a rule needs."""
        state = self._state_of(db)
        state.begin()
        return state, self._stamp_of(event)

    def _state_of(self, db: Database) -> State:
        state = self._state
        if state is None or state.db is not db:
            # Something was undone, and what is remembered must not be believed.
            state = self._state = State(db, self._writer, strict=self._strict)
        return state

    def _stamp_of(self, event: Event) -> Stamp:
        # An event and what its hooks are told of it have one identity, the same object.
        if self._stamp is None or self._stamp[0] is not event.identity:
            self._stamp = (event.identity, _stamp(event))
        return self._stamp[1]

    def _read(self, tx: Any) -> EntityEvent:
        """The entity event of a transaction, which its hooks ask for again."""
        if self._entity is None or self._entity[0] is not tx:
            self._entity = (tx, _read_entity(tx))
        return self._entity[1]


def _meet(state: State, track_id: int, user_id: int | None, stamp: Stamp) -> None:
    """Makes a track and a listener known. Raises Skip when strict and they are not."""
    state.begin()
    state.track(track_id, stamp)
    if user_id is not None:
        state.user(user_id, stamp)
    state.accept()


def _bridged(row: Play) -> tuple[Any, ...]:
    block, tx, _, height, taken_at, user_id, track_id, played_at, country, _ = row
    return (user_id, "relay", track_id, played_at, taken_at, height, f"{block}:{tx}", country)


def _stamp(event: Event) -> Stamp:
    at = _time_of(event.time)
    if at is None:
        raise ValueError(f"block {event.position} has no time in unix seconds: {event.time}")
    block, tx, _ = event.identity
    return Stamp(event.position, f"{block}:{tx}", at)


@lru_cache(maxsize=1_024)
def _time_of(time: str | None) -> str | None:
    return moment(int(time)) if time is not None and time.isdecimal() else None


def _read_entity(tx: Any) -> EntityEvent:
    """An entity event with whole ids. Raises Skip for what is none, or of a kind without a rule."""
    what = entity_type, action = str(tx.get("entity_type")), str(tx.get("action"))
    if what not in RULES:
        raise Skip("unsupported_kind")
    user_id, entity_id = identifier(tx.get("user_id")), identifier(tx.get("entity_id"))
    if user_id is None or entity_id is None:
        name = "user_id" if user_id is None else "entity_id"
        raise Skip(f"{name}_{why_no_identifier(tx.get(name))}")
    metadata = tx.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return EntityEvent(user_id, entity_type, action, entity_id, text(tx.get("signer")), metadata, what)
