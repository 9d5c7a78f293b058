"""What downloads and views do: they change nothing of what is downloaded or looked at.

A rule reads current rows, raises `Skip` with a reason, or puts new rows.
"""

from __future__ import annotations

from examples.soundgraph.described import Row
from examples.soundgraph.state import Stamp, State, provenance
from examples.soundgraph.tables import (
    DOWNLOADS,
    NOTICES_SEEN,
    PLAYLISTS_SEEN,
)
from examples.soundgraph.values import EntityEvent
from tidemark import Skip


def download(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody takes a track away with them; each time is a row."""
    if state.track(event.entity_id, stamp)["is_delete"]:
        raise Skip("deleted_item")
    state.user(event.user_id, stamp)
    row: Row = {"user_id": event.user_id, "track_id": event.entity_id, "created_at": stamp.at}
    row |= provenance(stamp)
    state.put(DOWNLOADS, (event.user_id, event.entity_id, stamp.txhash), row)


def view_playlist(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody has seen what is in a collection until now."""
    if state.playlist(event.entity_id, stamp)["is_delete"]:
        raise Skip("deleted_item")
    state.user(event.user_id, stamp)
    row: Row = {"user_id": event.user_id, "playlist_id": event.entity_id, "seen_at": stamp.at}
    state.put(PLAYLISTS_SEEN, (event.user_id, event.entity_id), row | provenance(stamp))


def view_notices(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody has read their notices until now."""
    if event.user_id != event.entity_id:
        raise Skip("not_self")
    state.user(event.user_id, stamp)
    row: Row = {"user_id": event.user_id, "seen_at": stamp.at}
    state.put(NOTICES_SEEN, (event.user_id,), row | provenance(stamp))
