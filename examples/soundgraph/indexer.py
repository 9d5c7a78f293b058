"""Takes blocks into base tables, in order, each exactly once.

A batch is one database transaction: the rows, the identities of the events behind them and the checkpoint commit
together, so that a kill at any instant loses and doubles nothing. By default a batch is one block. Redelivery is known
by identity (block, transaction, ordinal), never by content: identical plays are legitimate. A transaction that arrives
again inside a later block says so in its ``origin`` (``{"block": height, "tx": position}``) and keeps its identity.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from examples.soundgraph.blocks import Block, Event, identifier, json_text, moment, natural_number, text, whole_number
from examples.soundgraph.fold import Rejected, Stamp, State
from examples.soundgraph.rules import RULES, wanted
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store
from examples.soundgraph.tables import TRACKS, USERS, Identity, Key, Table

EVIDENCE_LIMIT = 2_000
"""Characters kept of an item that was skipped."""
SPELLINGS_LIMIT = 200_000
"""Spellings of ids remembered from plays, for users and for tracks."""


@dataclass(slots=True)
class Tally:
    """What an ingest did. ``events`` counts what was new: plays and entity events, taken or skipped with a reason."""

    blocks: int = 0
    events: int = 0
    plays: int = 0
    redelivered: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally, blocks: int) -> None:
        """Adds the tally of a batch of so many blocks."""
        self.blocks += blocks
        self.events += other.events
        self.plays += other.plays
        self.redelivered += other.redelivered
        if other.skipped:
            self.skipped.update(other.skipped)


class Indexer:
    """Writes blocks into one database.

    ``strict`` skips an event or play that names an unknown user, track or playlist; otherwise a stub is made.
    ``batch`` is the number of blocks per transaction.
    """

    def __init__(self, store: Store, *, writer: Writer = "upsert", strict: bool = False, batch: int = 1) -> None:
        self._store = store
        self._writer = writer
        self._strict = strict
        self._batch = batch
        self._state = State(store.load, strict=strict)
        self._signature = secrets.token_hex(16)
        self._height = store.claim(self._signature)
        self._seen: set[Identity] = set()
        # Spellings of ids that are whole and have a row: an entity never vanishes, so this stays true.
        self._tracks: dict[str, int] = {}
        self._users: dict[str, int] = {}
        self.tally = Tally()

    @property
    def height(self) -> int:
        """The highest block committed so far, -1 before the first."""
        return self._height

    def ingest(self, blocks: Iterable[Block], after_batch: Callable[[Tally], None] | None = None) -> Tally:
        """Takes all blocks; ``after_batch`` is called after each commit."""
        source = iter(blocks)
        while batch := list(islice(source, self._batch)):
            self._take(batch)
            if after_batch is not None:
                after_batch(self.tally)
        return self.tally

    def _take(self, batch: list[Block]) -> None:
        tally = Tally()
        height = self._height
        state, store = self._state, self._store
        state.start_batch()
        store.begin()
        try:
            heights = self._known_heights(batch)
            self._seen = store.ledger(heights) if heights else set()
            if store.engine == "postgresql":
                state.prefetch(key for block in batch for key in _wanted(block))
            for block in batch:
                self._block(block, tally)
                height = max(height, block.height)
            if tally.events or height > self._height:
                store.commit(state.changes, self._writer, height, self._signature)
        except BaseException:
            # The database is at the batch before; what this one folded must not be believed.
            state.forget()
            self._tracks.clear()
            self._users.clear()
            raise
        finally:
            store.rollback()
        self._height = height
        for known in (self._tracks, self._users):
            if len(known) > SPELLINGS_LIMIT:
                known.clear()
        self.tally.add(tally, len(batch))

    def _known_heights(self, batch: list[Block]) -> set[int]:
        """Heights that the ledger may know. A height above the checkpoint is new and needs no look-up."""
        heights = {block.height for block in batch}
        for block in batch:
            heights.update(origin[0] for tx in block.transactions if (origin := _origin(tx, block.height)))
        return {height for height in heights if height <= self._height}

    def _block(self, block: Block, tally: Tally) -> None:
        at = moment(block.timestamp)
        assert at is not None, "parse_block checked the timestamp"
        self._state.changes.blocks.append((block.height, f"block:{block.height}", at))
        for position, tx in enumerate(block.transactions):
            number, index = _origin(tx, block.height) or (block.height, position)
            stamp = Stamp(block.height, f"{number}:{index}", at)
            kind = tx.get("type") if isinstance(tx, dict) else None
            plays = tx.get("plays") if kind == "plays" else None
            if isinstance(plays, list):
                for ordinal, play in enumerate(plays):
                    if self._first_time((number, index, ordinal), tally):
                        self._play(play, (number, index, ordinal), stamp, tally)
            elif self._first_time((number, index, 0), tally):
                if kind == "manage_entity":
                    self._event(tx, (number, index, 0), stamp, tally)
                else:
                    self._skip((number, index, 0), "unknown_transaction", tx, tally)

    def _first_time(self, identity: Identity, tally: Tally) -> bool:
        if identity in self._seen:
            tally.redelivered += 1
            return False
        self._seen.add(identity)
        self._state.changes.ledger.append(identity)
        tally.events += 1
        return True

    def _skip(self, identity: Identity, reason: str, item: Any, tally: Tally) -> None:
        tally.skipped[reason] += 1
        evidence = (json_text(item) or "null")[:EVIDENCE_LIMIT]
        self._state.changes.skips.append((*identity, reason, evidence))

    def _play(self, play: Any, identity: Identity, stamp: Stamp, tally: Tally) -> None:
        reason = self._add_play(play, stamp) if isinstance(play, dict) else "no_play"
        if reason is None:
            tally.plays += 1
        else:
            self._skip(identity, reason, play, tally)

    def _add_play(self, play: dict[str, Any], stamp: Stamp) -> str | None:
        """Adds one play; answers why not. A user who is no integer is anonymous; such a track is no track."""
        spelled_track, spelled_user = play.get("track_id"), play.get("user_id")
        track_id = self._tracks.get(spelled_track) if type(spelled_track) is str else None
        user_id = self._users.get(spelled_user) if type(spelled_user) is str else None
        created_at = moment(play.get("timestamp"))
        if created_at is None:
            return "no_time"
        state = self._state
        try:
            if track_id is None:
                track_id = identifier(spelled_track)
                if track_id is None:
                    number = whole_number(spelled_track)
                    return "track_id_not_integer" if number is None else "track_id_out_of_range"
                state.track(track_id, stamp)
            if user_id is None:
                user_id = identifier(spelled_user)
                if user_id is not None:
                    state.user(user_id, stamp)
        except Rejected as rejected:
            state.reject()
            return rejected.reason
        state.accept()
        if type(spelled_track) is str:
            self._tracks[spelled_track] = track_id
        if user_id is not None and type(spelled_user) is str:
            self._users[spelled_user] = user_id
        country = text(play.get("country")) or None
        state.changes.plays.append(
            (user_id, "relay", track_id, created_at, stamp.at, stamp.number, stamp.txhash, country)
        )
        return None

    def _event(self, tx: dict[str, Any], identity: Identity, stamp: Stamp, tally: Tally) -> None:
        rule = RULES.get((str(tx.get("entity_type")), str(tx.get("action"))))
        event = _event(tx, stamp)
        if rule is None or event is None:
            reason = "unsupported_kind" if rule is None else _bad_id(tx)
            self._skip(identity, reason, tx, tally)
            return
        try:
            rule(self._state, event, stamp)
        except Rejected as rejected:
            self._state.reject()
            self._skip(identity, rejected.reason, tx, tally)
            return
        self._state.accept()


def _origin(tx: Any, height: int) -> tuple[int, int] | None:
    """Where a transaction was first seen, if it says so. An origin above its own block is none."""
    origin = tx.get("origin") if isinstance(tx, dict) else None
    if not isinstance(origin, dict):
        return None
    block, position = natural_number(origin.get("block")), natural_number(origin.get("tx"))
    return None if block is None or position is None or block > height else (block, position)


def _event(tx: dict[str, Any], stamp: Stamp) -> Event | None:
    user_id, entity_id = identifier(tx.get("user_id")), identifier(tx.get("entity_id"))
    if user_id is None or entity_id is None:
        return None
    metadata = tx.get("metadata")
    return Event(
        user_id=user_id,
        entity_type=tx["entity_type"],
        action=tx["action"],
        entity_id=entity_id,
        signer=text(tx.get("signer")),
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _bad_id(tx: dict[str, Any]) -> str:
    for name in ("user_id", "entity_id"):
        number = whole_number(tx.get(name))
        if number is None:
            return f"{name}_not_integer"
        if identifier(number) is None:
            return f"{name}_out_of_range"
    raise ValueError("both ids are fine")


def _wanted(block: Block) -> Iterator[tuple[Table, Key]]:
    for tx in block.transactions:
        if not isinstance(tx, dict):
            continue
        if tx.get("type") == "manage_entity":
            event = _event(tx, Stamp(0, "", "")) if isinstance(tx.get("action"), str) else None
            if event is not None:
                yield from wanted(event)
        elif isinstance(tx.get("plays"), list):
            for play in tx["plays"]:
                if isinstance(play, dict):
                    if track_id := identifier(play.get("track_id")):
                        yield TRACKS, (track_id,)
                    if user_id := identifier(play.get("user_id")):
                        yield USERS, (user_id,)
