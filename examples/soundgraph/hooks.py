"""What follows events that were taken: a person's referral and telephone, what collections contain, where tracks come from.

Each hook runs in the block's transaction after the rule of an event, on a savepoint of its own: one that fails takes nothing
with it and is told by ``tidemark stream status``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from examples.soundgraph.described import Row, Table
from examples.soundgraph.state import Stamp, State, provenance
from examples.soundgraph.tables import (
    CONTEST_WINNERS,
    LISTEN_STREAKS,
    PLAYLIST_TRACKS,
    REMIXES,
    STEMS,
    STREAK_ADVANCES,
    USER_EVENTS,
)
from examples.soundgraph.values import EntityEvent, identifier


def user_events(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Mobile is sticky, a referrer is set once and never oneself, and nothing new writes nothing."""
    events = event.metadata.get("events")
    if not isinstance(events, dict):
        return
    before = state.current(USER_EVENTS, (event.user_id,))
    mobile = bool(before and before["is_mobile_user"])
    referrer = before["referrer"] if before else None
    new_mobile = mobile or events.get("is_mobile_user") is True
    new_referrer = referrer
    if referrer is None and (candidate := identifier(events.get("referrer"))) and candidate != event.user_id:
        state.user(candidate, stamp)
        new_referrer = candidate
    if (new_mobile, new_referrer) != (mobile, referrer):
        row: Row = {"user_id": event.user_id, "referrer": new_referrer, "is_mobile_user": new_mobile}
        state.put(USER_EVENTS, (event.user_id,), row | {"is_current": True} | provenance(stamp))


def playlist_contents(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """One row for every track that was ever in a collection: what is not in it any more is removed, never deleted."""
    if "playlist_contents" not in event.metadata:
        return
    rows = state.those(PLAYLIST_TRACKS, (event.entity_id,))
    known = {int(str(row["track_id"])): bool(row["is_removed"]) for row in rows}
    wanted = dict.fromkeys(_contents(event.metadata["playlist_contents"]))
    for track in (*wanted, *(track for track in known if track not in wanted)):
        removed = track not in wanted
        if known.get(track) is not removed:
            key = (event.entity_id, track)
            before = state.current(PLAYLIST_TRACKS, key)
            row: Row = {"playlist_id": event.entity_id, "track_id": track, "is_removed": removed}
            row |= {"created_at": before["created_at"] if before else stamp.at, "updated_at": stamp.at}
            state.put(PLAYLIST_TRACKS, key, row | {"blocknumber": stamp.number})


def _contents(loose: Any) -> Iterator[int]:
    """The tracks of a list of contents; what is no track is passed over."""
    for entry in loose if isinstance(loose, list) else ():
        if isinstance(entry, dict) and (track := identifier(entry.get("track_id"))):
            yield track


def lineage(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The parents of a remix and of a stem, as rows: those that a track names now."""
    for table, field in ((REMIXES, "remix_of"), (STEMS, "stem_of")):
        if field in event.metadata or event.action == "Create":
            _write_parents(state, table, event.entity_id, set(_parents(event.metadata.get(field))))


def _parents(loose: Any) -> Iterator[int]:
    named = loose.get("tracks", [loose]) if isinstance(loose, dict) else ()
    for entry in named if isinstance(named, list) else ():
        if isinstance(entry, dict) and (parent := identifier(entry.get("parent_track_id"))):
            yield parent


def _write_parents(state: State, table: Table, child: int, parents: set[int]) -> None:
    known = {row["parent_track_id"] for row in state.those(table, (child,))}
    for parent in known - parents:
        state.remove(table, (int(str(parent)), child))
    for parent in sorted(parents - known):
        state.put(table, (parent, child), {"parent_track_id": parent, "child_track_id": child})


def contest_winners(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Who won a contest, in the order in which the host names them; who was named once stays so."""
    data = event.metadata.get("event_data")
    winners = data.get("winners") if isinstance(data, dict) else None
    for place, loose in enumerate(winners if isinstance(winners, list) else (), start=1):
        track = identifier(loose)
        key = (event.entity_id, track or 0)
        if track and state.current(CONTEST_WINNERS, key) is None:
            row: Row = {"event_id": event.entity_id, "track_id": track, "place": place, "announced_at": stamp.at}
            state.put(CONTEST_WINNERS, key, row | {"blocknumber": stamp.number})


def _made_or_changed(kind: str) -> frozenset[tuple[str, str]]:
    return frozenset({(kind, "Create"), (kind, "Update")})


HOOKS = {
    user_events: _made_or_changed("User"),
    playlist_contents: _made_or_changed("Playlist"),
    lineage: _made_or_changed("Track"),
    contest_winners: _made_or_changed("Event"),
}
"""In the order in which they follow an event, with the events that each of them follows."""

IGNORED, BROKEN = timedelta(hours=16), timedelta(hours=48)
"""A play so soon after the last one that counted does not count; one so late begins anew."""


def listen_streak(state: State, plays: Iterable[tuple[Any, Any]], blocknumber: int) -> None:
    """How long each listener has gone on, play by play in the order of the ledger; each advance is a row of its own."""
    for user, played_at in plays:
        at, before = _moment(played_at), state.current(LISTEN_STREAKS, (user,))
        since = at - _moment(before["last_listen_date"]) if before else BROKEN
        if since < IGNORED:
            continue
        streak = int(str(before["listen_streak"])) + 1 if before and since < BROKEN else 1
        said = at.isoformat(" ")
        row: Row = {"user_id": user, "last_listen_date": said, "listen_streak": streak}
        state.write(LISTEN_STREAKS, (user,), row)
        hour = f"{said[:4]}{said[5:7]}{said[8:10]}{said[11:13]}"
        advance = {"user_id": user, "hour": hour, "listened_at": said, "listen_streak": streak}
        state.db.put(STREAK_ADVANCES.shelf, advance | {"blocknumber": blocknumber})


def _moment(stored: Any) -> datetime:
    return stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
