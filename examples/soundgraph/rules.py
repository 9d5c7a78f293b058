"""Which rule an event falls under.

A pair of entity type and action without a rule is ``unsupported_kind``: counted and kept as evidence, never an error.
"""

from __future__ import annotations

from collections.abc import Callable

from examples.soundgraph import rules_events as events
from examples.soundgraph import rules_items as items
from examples.soundgraph import rules_people as people
from examples.soundgraph import rules_views as views
from examples.soundgraph.state import Stamp, State
from examples.soundgraph.values import EntityEvent

Rule = Callable[[State, EntityEvent, Stamp], None]

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
    **{(kind, "Mute"): people.mute for kind in ("User", "Track", "Comment")},
    **{(kind, "Unmute"): people.unmute for kind in ("User", "Track", "Comment")},
    ("Track", "Create"): items.create_track,
    ("Track", "Update"): items.update_track,
    ("Track", "Delete"): items.delete_track,
    ("Playlist", "Create"): items.create_playlist,
    ("Playlist", "Update"): items.update_playlist,
    ("Playlist", "Delete"): items.delete_playlist,
    ("Comment", "Create"): items.create_comment,
    ("Comment", "Update"): items.update_comment,
    ("Comment", "Delete"): items.delete_comment,
    ("Comment", "React"): items.react,
    ("Comment", "Unreact"): items.unreact,
    ("Event", "Create"): events.create_event,
    ("Event", "Update"): events.update_event,
    ("Event", "Delete"): events.delete_event,
    ("Track", "Download"): views.download,
    ("Playlist", "View"): views.view_playlist,
    ("Notification", "View"): views.view_notices,
    ("Notification", "ViewPlaylist"): views.view_playlist,
}
for _entity in ("Track", "Playlist"):
    RULES |= {
        (_entity, "Save"): items.save,
        (_entity, "Unsave"): items.unsave,
        (_entity, "Repost"): items.repost,
        (_entity, "Unrepost"): items.unrepost,
        (_entity, "Share"): items.share,
    }
