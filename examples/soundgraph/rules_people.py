"""What events about people do: sign-ups, profiles, verification, follows, subscriptions, blocks, mutes.

A rule reads current rows, raises `Skip` with a reason, or puts new rows.
"""

from __future__ import annotations

from examples.soundgraph.described import Key, Row
from examples.soundgraph.rows import flags, given, is_live, put_edge
from examples.soundgraph.state import Stamp, State, provenance, user_row
from examples.soundgraph.tables import (
    CHAT_BLOCKS,
    FOLLOWS,
    MUTES,
    SUBSCRIPTIONS,
    USERS,
)
from examples.soundgraph.values import EntityEvent, text
from tidemark import Skip

_USER_TEXTS = (
    "name",
    "bio",
    "location",
    "profile_picture",
    "profile_picture_sizes",
    "cover_photo",
    "cover_photo_sizes",
)


def _themself(event: EntityEvent) -> None:
    if event.user_id != event.entity_id:
        raise Skip("not_self")


def create_user(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A sign-up. A stub becomes a whole user; a whole user cannot sign up again."""
    _themself(event)
    before = state.current(USERS, (event.user_id,))
    if before is not None and not before["is_stub"]:
        raise Skip("user_exists")
    handle = text(event.metadata.get("handle"))
    if not handle:
        raise Skip("no_handle")
    row = user_row(event.user_id, stamp) | _profile(event) | {"wallet": text(event.signer), "is_stub": False}
    state.put(USERS, (event.user_id,), row)


def update_user(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A change of profile: only what the metadata names."""
    _themself(event)
    before = state.user(event.user_id, stamp)
    row = before | _profile(event) | flags(event.metadata, "is_deactivated")
    state.put(USERS, (event.user_id,), row | {"is_stub": False, "updated_at": stamp.at} | provenance(stamp))


def verify_user(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The network vouches for a user, or stops doing so."""
    _themself(event)
    verdict = flags(event.metadata, "is_verified")
    if not verdict:
        raise Skip("no_verdict")
    before = state.user(event.user_id, stamp)
    state.put(USERS, (event.user_id,), before | verdict | {"updated_at": stamp.at} | provenance(stamp))


def _profile(event: EntityEvent) -> Row:
    row = given(event.metadata, _USER_TEXTS, text)
    if handle := text(event.metadata.get("handle")):
        row |= {"handle": handle, "handle_lc": handle.lower()}
    return row


def follow(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Following someone subscribes to them too. Following again moves the edge's date."""
    if event.user_id == event.entity_id:
        raise Skip("self_follow")
    state.user(event.user_id, stamp)
    state.user(event.entity_id, stamp)
    key = (event.user_id, event.entity_id)
    put_edge(state, FOLLOWS, key, stamp, live=True)
    if not is_live(state.current(SUBSCRIPTIONS, key)):
        put_edge(state, SUBSCRIPTIONS, key, stamp, live=True)


def unfollow(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Ends the follow, and the subscription with it."""
    key = (event.user_id, event.entity_id)
    if not is_live(state.current(FOLLOWS, key)):
        raise Skip("nothing_to_undo")
    put_edge(state, FOLLOWS, key, stamp, live=False)
    if is_live(state.current(SUBSCRIPTIONS, key)):
        put_edge(state, SUBSCRIPTIONS, key, stamp, live=False)


def subscribe(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Subscribes without following."""
    if event.user_id == event.entity_id:
        raise Skip("self_subscribe")
    state.user(event.user_id, stamp)
    state.user(event.entity_id, stamp)
    put_edge(state, SUBSCRIPTIONS, (event.user_id, event.entity_id), stamp, live=True)


def unsubscribe(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Ends the subscription and leaves the follow."""
    key = (event.user_id, event.entity_id)
    if not is_live(state.current(SUBSCRIPTIONS, key)):
        raise Skip("nothing_to_undo")
    put_edge(state, SUBSCRIPTIONS, key, stamp, live=False)


def block(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Keeps someone out of one's messages."""
    if event.user_id == event.entity_id:
        raise Skip("self_block")
    state.user(event.user_id, stamp)
    state.user(event.entity_id, stamp)
    _put_block(state, event, stamp, live=True)


def unblock(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Lets them in again."""
    if not is_live(state.current(CHAT_BLOCKS, (event.user_id, event.entity_id))):
        raise Skip("nothing_to_undo")
    _put_block(state, event, stamp, live=False)


def _put_block(state: State, event: EntityEvent, stamp: Stamp, *, live: bool) -> None:
    row: Row = {"blocker_user_id": event.user_id, "blockee_user_id": event.entity_id, "is_delete": not live}
    state.put(CHAT_BLOCKS, (event.user_id, event.entity_id), row | {"created_at": stamp.at} | provenance(stamp))


def mute(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody wants to hear nothing more of a user, or of a track or comment of theirs, from now on."""
    if event.entity_type == "User" and event.user_id == event.entity_id:
        raise Skip("self_mute")
    of: Key = (event.user_id, event.entity_type, event.entity_id)
    if any(row["until"] is None for row in state.those(MUTES, of)):
        raise Skip("muted_already")
    state.user(event.user_id, stamp)
    row: Row = {"user_id": event.user_id, "entity_type": event.entity_type, "entity_id": event.entity_id}
    row |= {"since_block": stamp.number, "since": stamp.at, "until": None}
    state.put(MUTES, (*of, stamp.number), row)


def unmute(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """And now they do again. What happened meanwhile is not told afterwards."""
    of: Key = (event.user_id, event.entity_type, event.entity_id)
    for row in state.those(MUTES, of):
        if row["until"] is None:
            state.put(MUTES, (*of, int(str(row["since_block"]))), row | {"until": stamp.at})
            return
    raise Skip("nothing_to_undo")
