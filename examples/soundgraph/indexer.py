"""The stream of blocks: what is written for each block, each play and each entity event, and what follows them.

One block is one transaction. An event that a rule refuses, or a play that names no track, is set aside with its reason;
everything else about order, redelivery, kills and failures is `tidemark.Project.stream`'s.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.soundgraph.hooks import HOOKS, listen_streak
from examples.soundgraph.rules import RULES
from examples.soundgraph.rules_events import purchase, tip
from examples.soundgraph.state import Stamp, State
from examples.soundgraph.statements import Writer, insert
from examples.soundgraph.values import EntityEvent, identifier, moment, text, why_no_identifier
from tidemark import Project, Skip, Tidemark, iterable
from tidemark.streams import Database, Event, Source, Stream

NAME = "ledger"
Blocks = Iterable[Mapping[str, Any]]
Judge = Callable[[State, EntityEvent, Stamp], None]

_BLOCK = insert("blocks", ("number", "blockhash", "created_at")) + " ON CONFLICT (number) DO NOTHING"
_ETL_COLUMNS = (
    *("block", "transaction_index", "ordinal", "height", "taken_at"),
    *("user_id", "track_id", "played_at", "country", "is_bridged"),
)
_ETL_PLAY = insert("etl_plays", _ETL_COLUMNS)
_OF_TRANSACTION = "block = :block AND transaction_index = :tx AND NOT is_bridged"
_LISTENED = f"SELECT user_id, played_at FROM etl_plays WHERE {_OF_TRANSACTION} AND user_id IS NOT NULL ORDER BY ordinal"
_BRIDGE = (
    "INSERT INTO plays (user_id, source, play_item_id, created_at, updated_at, slot, signature, country) "
    "SELECT user_id, 'relay', track_id, played_at, taken_at, height, "
    "CAST(block AS text) || ':' || CAST(transaction_index AS text), country "
    f"FROM etl_plays WHERE {_OF_TRANSACTION} ORDER BY ordinal",
    f"UPDATE etl_plays SET is_bridged = true WHERE {_OF_TRANSACTION}",
)


def add_stream(
    project: Project, source: Source, *, writer: Writer = "upsert", strict: bool = False, **options: Any
) -> Stream:
    """Declares the stream ``ledger``. ``writer`` changes the current row in place or demotes it and inserts the next version;
    ``strict`` refuses what names an unknown user, track or playlist instead of making a stub. ``options`` are Tidemark's."""
    stream = project.stream(NAME, source=source, **{"savepoints": False, **options})
    indexer = _Indexer(writer, strict)
    stream.on_block(indexer.block)
    stream.on("manage_entity")(indexer.entity)
    stream.on("plays", each="plays")(indexer.play)
    stream.on("tip")(indexer.payment(tip))
    stream.on("usdc_purchase")(indexer.payment(purchase))
    stream.after("plays")(indexer.listen_streak)
    stream.after("plays")(indexer.bridge)
    for hook in HOOKS:
        stream.after("manage_entity")(indexer.hook(hook))
    return stream


@dataclass(frozen=True)
class Tally:
    """What a run of the stream brought: ``events`` counts what was new, plays and entity events, taken or set aside; ``skipped``
    tells for each reason how many of those that wait."""

    blocks: int
    events: int
    redelivered: int
    skipped: Counter[str]


def run_stream(tidemark: Tidemark, blocks_max: int | None = None) -> Tally:
    """Takes what the declared source has, or so many blocks. Raises Fault when the stream halts."""
    work = tidemark.stream(NAME)
    report = work.run(blocks_max)
    _, set_aside = work.open_ends()
    reasons = Counter(one.reason for one in set_aside)
    return Tally(report.blocks, report.counts.events, report.counts.redelivered, reasons)


def take(database: str, blocks: Blocks, *, writer: Writer = "upsert", strict: bool = False) -> Tally:
    """Takes blocks into base tables, without anything derived being asked for."""
    project = Project("soundgraph")
    add_stream(project, iterable(lambda _: blocks), writer=writer, strict=strict)
    return run_stream(Tidemark(project, database))


class _Indexer:
    """The handlers. What is remembered of rows lasts for one block's transaction, and not beyond anything that fails."""

    def __init__(self, writer: Writer, strict: bool) -> None:
        self._writer = writer
        self._strict = strict
        self._state: State | None = None

    def block(self, db: Database, event: Event) -> None:
        """Each block has a row, even an empty one: it is what completions are dated by."""
        stamp = _stamp(event)
        self._state = State(db, self._writer, strict=self._strict)
        db.run(_BLOCK, {"number": stamp.number, "blockhash": f"block:{stamp.number}", "created_at": stamp.at})

    def entity(self, db: Database, event: Event) -> None:
        """Something that somebody did to a user, a track, a playlist, a comment, …"""
        entity = _read_entity(event.data)
        self._judge(db, event, lambda state, stamp: RULES[entity.entity_type, entity.action](state, entity, stamp))

    def hook(self, judge: Judge) -> Callable[[Database, Event], None]:
        """A hook under its own name, for whoever reads that it failed."""

        def follow(db: Database, event: Event) -> None:
            entity = _read_entity(event.transaction)
            self._judge(db, event, lambda state, stamp: judge(state, entity, stamp))

        follow.__name__ = judge.__name__
        return follow

    def play(self, db: Database, event: Event) -> None:
        """One play. A user who is no integer is anonymous; such a track is no track."""
        play = event.data
        if not isinstance(play, dict):
            raise Skip("no_play")
        played_at, track_id, user_id = (
            moment(play.get("timestamp")),
            identifier(play.get("track_id")),
            identifier(play.get("user_id")),
        )
        if played_at is None:
            raise Skip("no_time")
        if track_id is None:
            raise Skip(f"track_id_{why_no_identifier(play.get('track_id'))}")

        def know(state: State, stamp: Stamp) -> None:
            state.track(track_id, stamp)
            if user_id is not None:
                state.user(user_id, stamp)

        stamp = self._judge(db, event, know)
        country = text(play.get("country")) or None
        values = (*event.identity, stamp.number, stamp.at, user_id, track_id, played_at, country, False)
        db.run(_ETL_PLAY, dict(zip(_ETL_COLUMNS, values, strict=True)))

    def payment(self, rule: Callable[[State, Any, Stamp], None]) -> Callable[[Database, Event], None]:
        """A tip or a purchase."""

        def pay(db: Database, event: Event) -> None:
            self._judge(db, event, lambda state, stamp: rule(state, event.data, stamp))

        return pay

    def listen_streak(self, db: Database, event: Event) -> None:
        """The streaks of those who are known and listened, before their plays are bridged."""
        block, tx, _ = event.identity
        plays = db.all(_LISTENED, {"block": block, "tx": tx})
        if plays:
            self._judge(db, event, lambda state, stamp: listen_streak(state, plays, stamp))

    def bridge(self, db: Database, event: Event) -> None:
        """The plays of a transaction, as the network counts them. Nothing makes two of them one: identical plays are two."""
        block, tx, _ = event.identity
        for statement in _BRIDGE:
            db.run(statement, {"block": block, "tx": tx})

    def _judge(self, db: Database, event: Event, judge: Callable[[State, Stamp], None]) -> Stamp:
        if self._state is None or self._state.db is not db:
            self._state = State(db, self._writer, strict=self._strict)
        state, stamp = self._state, _stamp(event)
        state.begin()
        try:
            judge(state, stamp)
            state.accept()
        except Skip:
            # Nothing was written for it.
            raise
        except BaseException:
            # What was written will be undone, so that what is remembered must not be believed.
            self._state = None
            raise
        return stamp


def _stamp(event: Event) -> Stamp:
    at = moment(int(event.time)) if event.time is not None and event.time.isdecimal() else None
    if at is None:
        raise ValueError(f"block {event.position} has no time in unix seconds: {event.time}")
    block, tx, _ = event.identity
    return Stamp(event.position, f"{block}:{tx}", at)


def _read_entity(tx: Any) -> EntityEvent:
    """An entity event with whole ids. Raises Skip for what is none, or of a kind without a rule."""
    kind = (str(tx.get("entity_type")), str(tx.get("action")))
    if kind not in RULES:
        raise Skip("unsupported_kind")
    for name in ("user_id", "entity_id"):
        if wrong := why_no_identifier(tx.get(name)):
            raise Skip(f"{name}_{wrong}")
    metadata = tx.get("metadata")
    return EntityEvent(
        user_id=int(tx["user_id"]),
        entity_type=kind[0],
        action=kind[1],
        entity_id=int(tx["entity_id"]),
        signer=text(tx.get("signer")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )
