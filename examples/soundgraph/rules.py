"""Which rule an event falls under, and the rows it will want.

A pair of entity type and action without a rule is ``unsupported_kind``: counted and kept as evidence, never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from examples.soundgraph import rules_items as items
from examples.soundgraph import rules_people as people
from examples.soundgraph.blocks import Event, identifier
from examples.soundgraph.fold import Stamp, State
from examples.soundgraph.tables import (
    CHAT_BLOCKS,
    COMMENTS,
    FOLLOWS,
    PLAYLISTS,
    REPOSTS,
    SAVES,
    SUBSCRIPTIONS,
    TRACKS,
    USER_EVENTS,
    USERS,
    Key,
    Table,
)

Rule = Callable[[State, Event, Stamp], None]

RULES: dict[tuple[str, str], Rule] = {
    ("User", "Create"): people.create_user,
    ("User", "Update"): people.update_user,
    ("User", "Verify"): people.verify_user,
    ("User", "Follow"): people.follow,
    ("User", "Unfollow"): people.unfollow,
    ("User", "Subscribe"): people.subscribe,
    ("User", "Unsubscribe"): people.unsubscribe,
    ("User", "Block"): people.block,
    ("User", "Unblock"): people.unblock,
    ("Track", "Create"): items.create_track,
    ("Track", "Update"): items.update_track,
    ("Track", "Delete"): items.delete_track,
    ("Playlist", "Create"): items.create_playlist,
    ("Playlist", "Update"): items.update_playlist,
    ("Playlist", "Delete"): items.delete_playlist,
    ("Comment", "Create"): items.create_comment,
    ("Comment", "Update"): items.update_comment,
    ("Comment", "Delete"): items.delete_comment,
}
for _entity in ("Track", "Playlist"):
    RULES |= {
        (_entity, "Save"): items.save,
        (_entity, "Unsave"): items.unsave,
        (_entity, "Repost"): items.repost,
        (_entity, "Unrepost"): items.unrepost,
        (_entity, "Share"): items.share,
    }


def wanted(event: Event) -> Iterator[tuple[Table, Key]]:
    """The rows that the rule of an event is likely to read: a hint for fetching them together."""
    yield USERS, (event.user_id,)
    pair = (event.user_id, event.entity_id)
    if event.entity_type == "User":
        yield USERS, (event.entity_id,)
        if event.action in ("Create", "Update"):
            yield USER_EVENTS, (event.user_id,)
        elif event.action in ("Block", "Unblock"):
            yield CHAT_BLOCKS, pair
        else:
            yield FOLLOWS, pair
            yield SUBSCRIPTIONS, pair
    elif event.entity_type in ("Track", "Playlist"):
        kind = "track" if event.entity_type == "Track" else "collection"
        yield (TRACKS if kind == "track" else PLAYLISTS), (event.entity_id,)
        if event.action in ("Save", "Unsave"):
            yield SAVES, (*pair, kind)
        elif event.action in ("Repost", "Unrepost"):
            yield REPOSTS, (*pair, kind)
    elif event.entity_type == "Comment":
        yield COMMENTS, (event.entity_id,)
        if entity_id := identifier(event.metadata.get("entity_id")):
            yield TRACKS, (entity_id,)
