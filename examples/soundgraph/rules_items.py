"""What events about tracks, playlists and comments do, and the saves, reposts and shares of them.

A rule reads current rows, raises `Skip` with a reason, or puts new rows. A playlist and an album share one
id space, and an edge to one keeps the type it was first written with.
"""

from __future__ import annotations

from typing import Any

from examples.soundgraph.described import ItemEdges, Row, Table, Value, item_class
from examples.soundgraph.rows import flags, given, put_edge
from examples.soundgraph.state import Stamp, State, playlist_row, provenance, track_row
from examples.soundgraph.tables import (
    COMMENT_MENTIONS,
    COMMENT_REACTIONS,
    COMMENT_THREADS,
    COMMENTS,
    PLAYLISTS,
    REPOSTS,
    SAVES,
    SHARES,
    TRACKS,
)
from examples.soundgraph.values import EntityEvent, flag, identifier, json_text, natural_number, release_moment, text
from tidemark import Skip

_TRACK_TEXTS = ("title", "genre", "mood", "tags")


def _item(state: State, event: EntityEvent, stamp: Stamp) -> tuple[str, Row]:
    if event.entity_type == "Track":
        return "track", state.track(event.entity_id, stamp)
    row = state.playlist(event.entity_id, stamp)
    return ("album" if row["is_album"] else "playlist"), row


def _owner(row: Row) -> Value:
    return row["owner_id"] if "owner_id" in row else row["playlist_owner_id"]


def _add_item_edge(state: State, event: EntityEvent, stamp: Stamp, table: ItemEdges, hint: str) -> None:
    kind, item = _item(state, event, stamp)
    if item["is_delete"]:
        raise Skip("deleted_item")
    if _owner(item) == event.user_id:
        raise Skip("own_content")
    state.user(event.user_id, stamp)
    before = state.current(table, (event.user_id, event.entity_id, item_class(kind)))
    if before is not None:
        kind = str(before[table.kind_column])
    extra: Row = {hint: flag(event.metadata.get(hint)) or False}
    put_edge(state, table, (event.user_id, event.entity_id, kind), stamp, live=True, extra=extra)


def _end_item_edge(state: State, event: EntityEvent, stamp: Stamp, table: ItemEdges, hint: str) -> None:
    kind = "track" if event.entity_type == "Track" else "playlist"
    before = state.current(table, (event.user_id, event.entity_id, item_class(kind)))
    if before is None or before["is_delete"]:
        raise Skip("nothing_to_undo")
    key = (event.user_id, event.entity_id, str(before[table.kind_column]))
    put_edge(state, table, key, stamp, live=False, extra={hint: before[hint]})


def save(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Someone else's track or collection becomes a favourite."""
    _add_item_edge(state, event, stamp, SAVES, "is_save_of_repost")


def unsave(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Ends a save."""
    _end_item_edge(state, event, stamp, SAVES, "is_save_of_repost")


def repost(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Someone else's track or collection is passed on."""
    _add_item_edge(state, event, stamp, REPOSTS, "is_repost_of_repost")


def unrepost(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Ends a repost."""
    _end_item_edge(state, event, stamp, REPOSTS, "is_repost_of_repost")


def share(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A share is a fact: appended, never taken back."""
    kind, item = _item(state, event, stamp)
    if item["is_delete"]:
        raise Skip("deleted_item")
    state.user(event.user_id, stamp)
    share_type = "track" if kind == "track" else "playlist"
    row: Row = {"user_id": event.user_id, "share_item_id": event.entity_id, "share_type": share_type}
    row |= {"created_at": stamp.at} | provenance(stamp)
    state.put(SHARES, (event.user_id, event.entity_id, share_type, stamp.txhash), row)


# Tracks and playlists


def _create_item(
    state: State, event: EntityEvent, stamp: Stamp, table: Table, row: Row, owner: str, taken: str
) -> None:
    before = state.current(table, (event.entity_id,))
    if before is not None:
        free = before["is_stub"] and before[owner] is None
        mine = before[owner] == event.user_id and (before["is_delete"] or before["is_stub"])
        if not (free or mine):
            raise Skip(taken)
    state.user(event.user_id, stamp)
    state.put(table, (event.entity_id,), row | {owner: event.user_id, "is_stub": False})


def _own_item(state: State, event: EntityEvent, stamp: Stamp, before: Row, owner: str) -> Row:
    """The item if the actor may change it. An item of unknown owner belongs to whoever may write it on the ledger."""
    if before[owner] not in (None, event.user_id):
        raise Skip("not_owner")
    if before["is_delete"]:
        raise Skip("deleted_item")
    state.user(event.user_id, stamp)
    return before | {owner: event.user_id, "is_stub": False, "updated_at": stamp.at} | provenance(stamp)


def _track_fields(metadata: dict[str, Any]) -> Row:
    return (
        given(metadata, _TRACK_TEXTS, text)
        | given(metadata, ("duration",), natural_number)
        | given(metadata, ("pinned_comment_id",), identifier)
        | given(metadata, ("remix_of", "stem_of"), json_text)
        | given(metadata, ("release_date",), release_moment)
        | flags(metadata, "is_unlisted", "is_available", "is_playlist_upload", "is_scheduled_release")
    )


def create_track(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """An upload, or the re-creation of one's own deleted track."""
    row = track_row(event.entity_id, stamp) | _track_fields(event.metadata)
    _create_item(state, event, stamp, TRACKS, row, "owner_id", "track_exists")


def update_track(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A change of one's own track: only what the metadata names."""
    before = state.track(event.entity_id, stamp)
    row = _own_item(state, event, stamp, before, "owner_id") | _track_fields(event.metadata)
    state.put(TRACKS, (event.entity_id,), row)


def delete_track(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The current version says deleted; the row stays."""
    before = state.track(event.entity_id, stamp)
    row = _own_item(state, event, stamp, before, "owner_id")
    state.put(TRACKS, (event.entity_id,), row | {"is_delete": True})


def _playlist_fields(metadata: dict[str, Any]) -> Row:
    return (
        given(metadata, ("playlist_name",), text)
        | given(metadata, ("playlist_contents",), json_text)
        | given(metadata, ("release_date",), release_moment)
        | flags(metadata, "is_album", "is_private", "is_scheduled_release")
    )


def create_playlist(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A new collection, or the re-creation of one's own deleted one."""
    row = playlist_row(event.entity_id, stamp) | _playlist_fields(event.metadata)
    _create_item(state, event, stamp, PLAYLISTS, row, "playlist_owner_id", "playlist_exists")


def update_playlist(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A change of one's own collection: only what the metadata names."""
    before = state.playlist(event.entity_id, stamp)
    row = _own_item(state, event, stamp, before, "playlist_owner_id") | _playlist_fields(event.metadata)
    state.put(PLAYLISTS, (event.entity_id,), row)


def delete_playlist(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The current version says deleted; the row stays."""
    before = state.playlist(event.entity_id, stamp)
    row = _own_item(state, event, stamp, before, "playlist_owner_id")
    state.put(PLAYLISTS, (event.entity_id,), row | {"is_delete": True})


# Comments


def create_comment(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A comment on a track, or the re-creation of one's own deleted comment."""
    metadata = event.metadata
    entity_id = identifier(metadata.get("entity_id"))
    if entity_id is None:
        raise Skip("no_commented_item")
    before = state.current(COMMENTS, (event.entity_id,))
    if before is not None and not (before["is_delete"] and before["user_id"] == event.user_id):
        raise Skip("comment_exists")
    kind = text(metadata.get("entity_type")) or "Track"
    state.user(event.user_id, stamp)
    if kind == "Track" and state.track(entity_id, stamp)["is_delete"]:
        raise Skip("deleted_item")
    row: Row = {
        "comment_id": event.entity_id,
        "text": text(metadata.get("body")) or "",
        "user_id": event.user_id,
        "entity_id": entity_id,
        "entity_type": kind,
        "is_visible": True,
        "is_edited": False,
        "is_delete": False,
        "track_timestamp_s": natural_number(metadata.get("track_timestamp_s")),
        "created_at": stamp.at,
        "updated_at": stamp.at,
    }
    state.put(COMMENTS, (event.entity_id,), row | provenance(stamp))
    if (parent := identifier(metadata.get("parent_comment_id"))) and parent != event.entity_id:
        answer: Row = {"comment_id": event.entity_id, "parent_comment_id": parent, **provenance(stamp)}
        state.put(COMMENT_THREADS, (event.entity_id,), answer)
    _mention(state, event, stamp)


def _mention(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Whoever a comment names now; those whom it named before are not named any more."""
    listed = event.metadata.get("mentions")
    if not isinstance(listed, list):
        return
    wanted = {user for loose in listed if (user := identifier(loose))}
    known = {int(str(row["user_id"])): row for row in state.those(COMMENT_MENTIONS, (event.entity_id,))}
    for user in sorted(wanted | known.keys()):
        before, gone = known.get(user), user not in wanted
        if before is not None and before["is_delete"] is gone:
            continue
        state.user(user, stamp)
        row: Row = {"comment_id": event.entity_id, "user_id": user, "is_delete": gone, "created_at": stamp.at}
        state.put(COMMENT_MENTIONS, (event.entity_id, user), row | provenance(stamp))


def _own_comment(state: State, event: EntityEvent, stamp: Stamp) -> Row:
    before = state.current(COMMENTS, (event.entity_id,))
    if before is None:
        # Nothing says which track it is on, so a stub would have nowhere to count.
        raise Skip("unknown_comment")
    if before["user_id"] != event.user_id:
        raise Skip("not_owner")
    if before["is_delete"]:
        raise Skip("deleted_item")
    return before | {"updated_at": stamp.at} | provenance(stamp)


def update_comment(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A change of one's own comment's text."""
    row = _own_comment(state, event, stamp)
    body = text(event.metadata.get("body"))
    state.put(COMMENTS, (event.entity_id,), row | {"is_edited": True, "text": row["text"] if body is None else body})
    _mention(state, event, stamp)


def delete_comment(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The comment says deleted; the row stays."""
    state.put(COMMENTS, (event.entity_id,), _own_comment(state, event, stamp) | {"is_delete": True})


def react(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody likes a comment."""
    comment = state.current(COMMENTS, (event.entity_id,))
    if comment is None:
        raise Skip("unknown_comment")
    if comment["is_delete"]:
        raise Skip("deleted_item")
    state.user(event.user_id, stamp)
    _put_reaction(state, event, stamp, live=True)


def unreact(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """And does not any more."""
    before = state.current(COMMENT_REACTIONS, (event.entity_id, event.user_id))
    if before is None or before["is_delete"]:
        raise Skip("nothing_to_undo")
    _put_reaction(state, event, stamp, live=False)


def _put_reaction(state: State, event: EntityEvent, stamp: Stamp, *, live: bool) -> None:
    row: Row = {"comment_id": event.entity_id, "user_id": event.user_id, "is_delete": not live, "created_at": stamp.at}
    state.put(COMMENT_REACTIONS, (event.entity_id, event.user_id), row | provenance(stamp))
