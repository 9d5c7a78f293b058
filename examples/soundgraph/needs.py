"""Which rows the rules and hooks will ask for, told from events before any of them is judged.

A row that is not foreseen is read when it is asked for, so that this decides what ingest costs and never what it writes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from examples.soundgraph.described import Key, Table
from examples.soundgraph.tables import (
    BLOCKS,
    CHAT_BLOCKS,
    COMMENT_MENTIONS,
    COMMENTS,
    CONTEST_WINNERS,
    EVENTS,
    FOLLOWS,
    LISTEN_STREAKS,
    MUTES,
    PLAYLIST_TRACKS,
    PLAYLISTS,
    REMIXES,
    REPOSTS,
    SAVES,
    STEMS,
    SUBSCRIPTIONS,
    TRACKS,
    USER_EVENTS,
    USERS,
)
from examples.soundgraph.values import Remembered, identifier
from tidemark.events import Events

Needs = dict[Table, set[Key]]

_PAIRS: Mapping[str, tuple[Table, ...]] = {
    "Follow": (FOLLOWS, SUBSCRIPTIONS),
    "Unfollow": (FOLLOWS, SUBSCRIPTIONS),
    "Subscribe": (SUBSCRIPTIONS,),
    "Unsubscribe": (SUBSCRIPTIONS,),
    "Block": (CHAT_BLOCKS,),
    "Unblock": (CHAT_BLOCKS,),
    "Save": (SAVES,),
    "Unsave": (SAVES,),
    "Repost": (REPOSTS,),
    "Unrepost": (REPOSTS,),
}
"""What is between the user and the entity of an action."""
_ENTITIES: Mapping[str, tuple[Table, ...]] = {
    "User": (USERS, USER_EVENTS),
    "Track": (TRACKS, REMIXES, STEMS),
    "Playlist": (PLAYLISTS, PLAYLIST_TRACKS),
    "Comment": (COMMENTS,),
    "Event": (EVENTS,),
}
"""What is kept of an entity itself."""


def find_needs(events: Events, ids: Remembered[int]) -> Needs:
    """The keys, by lookup columns or by group, of rows that will be asked for. ``ids`` remembers what plays name."""
    needs: Needs = defaultdict(set)
    needs[BLOCKS].update(zip(events.positions))
    plays: list[Any] = []
    for kind, data in zip(events.kinds, events.data, strict=True):
        if kind == "plays":
            if isinstance(listed := data.get("plays"), list):
                plays += listed
        elif (read := _READERS.get(kind)) is not None and isinstance(data, Mapping):
            read(needs, data)
    _plays(needs, [play for play in plays if type(play) is dict], ids)
    return needs


def _plays(needs: Needs, plays: Sequence[Mapping[str, Any]], ids: Remembered[int]) -> None:
    """Many plays name few tracks and users: each of them is read once."""
    needs[TRACKS] |= _named(plays, "track_id", ids)
    users = _named(plays, "user_id", ids)
    needs[USERS] |= users
    needs[LISTEN_STREAKS] |= users


def _named(plays: Sequence[Mapping[str, Any]], name: str, ids: Remembered[int]) -> set[Key]:
    loose = [play.get(name) for play in plays]
    try:
        different = set(loose)
    except TypeError:
        # One of them is a list or an object.
        return _keys(loose)
    return {(number,) for one in different if (number := ids[one] if type(one) is str else identifier(one))}


def _entity(needs: Needs, tx: Mapping[str, Any]) -> None:
    user, entity = identifier(tx.get("user_id")), identifier(tx.get("entity_id"))
    if not user or not entity:
        return
    action = str(tx.get("action"))
    needs[USERS].add((user,))
    for table in _PAIRS.get(action, ()):
        needs[table].add((user, entity))
    is_kept = action in ("Create", "Update", "Delete")
    for table in _ENTITIES.get(str(tx.get("entity_type")), ()):
        if is_kept or not table.group:
            needs[table].add((entity,))
    if action in ("Mute", "Unmute"):
        needs[MUTES].add((user, str(tx.get("entity_type")), entity))
    metadata = tx.get("metadata")
    if is_kept and isinstance(metadata, dict):
        _metadata(needs, entity, metadata)
        if isinstance(metadata.get("mentions"), list):
            needs[COMMENT_MENTIONS].add((entity,))
            needs[USERS].update(_keys(metadata["mentions"]))


def _metadata(needs: Needs, entity: int, metadata: Mapping[str, Any]) -> None:
    if track := identifier(metadata.get("entity_id")):
        needs[TRACKS].add((track,))
    if isinstance(events := metadata.get("events"), dict) and (referrer := identifier(events.get("referrer"))):
        needs[USERS].add((referrer,))
    data = metadata.get("event_data")
    winners = data.get("winners") if isinstance(data, dict) else None
    for loose in winners if isinstance(winners, list) else ():
        if track := identifier(loose):
            needs[CONTEST_WINNERS].add((entity, track))


def _paid(needs: Needs, tx: Mapping[str, Any]) -> None:
    names = ("user_id", "sender_user_id", "receiver_user_id", "buyer_user_id", "seller_user_id")
    needs[USERS].update(_keys(tx.get(name) for name in names))


def _keys(loose: Iterable[Any]) -> set[Key]:
    return {(number,) for one in loose if (number := identifier(one))}


_READERS: Mapping[str, Callable[[Needs, Mapping[str, Any]], None]] = {
    "manage_entity": _entity,
    "tip": _paid,
    "usdc_purchase": _paid,
    "tip_reaction": _paid,
    "holding": _paid,
}
