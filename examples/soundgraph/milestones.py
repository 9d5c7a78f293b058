"""Round numbers: exactly one milestone for each row and threshold, however far a count went in one step, and for ever.

The thresholds are crossings of derived counts. An event waits in the outbox until ``tidemark outbox deliver`` (here
:func:`examples.soundgraph.upkeep.deliver`) hands it to its handler, which writes the milestone and tells whom it concerns, in one
transaction with the record that it did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from examples.soundgraph.values import moment
from tidemark.model import Declaration
from tidemark.streams import Database

FOLLOWERS = (10, 25, 50, 100, 250, 500, 1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000)
MARKS = (
    *(10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000),
    1_000_000,
)
SUBMISSIONS = (1, 10, 50)


@dataclass(frozen=True)
class Milestone:
    """Thresholds of a column of a derived table whose key is ``key``, and who is told: ``owner`` finds them by ``:id``."""

    name: str
    derived: str
    column: str
    key: str
    thresholds: tuple[int, ...]
    owner: str


_TRACK_OWNER = "SELECT owner_id FROM tracks WHERE track_id = :id AND is_current"
_PLAYLIST_OWNER = "SELECT playlist_owner_id FROM playlists WHERE playlist_id = :id AND is_current"
MILESTONES = (
    Milestone(
        "FOLLOWER_COUNT", "aggregate_user", "follower_count", "user_id", FOLLOWERS, "SELECT CAST(:id AS integer)"
    ),
    Milestone("TRACK_SAVE_COUNT", "aggregate_track", "save_count", "track_id", MARKS, _TRACK_OWNER),
    Milestone("TRACK_REPOST_COUNT", "aggregate_track", "repost_count", "track_id", MARKS, _TRACK_OWNER),
    Milestone("PLAYLIST_SAVE_COUNT", "aggregate_playlist", "save_count", "playlist_id", MARKS, _PLAYLIST_OWNER),
    Milestone("PLAYLIST_REPOST_COUNT", "aggregate_playlist", "repost_count", "playlist_id", MARKS, _PLAYLIST_OWNER),
    Milestone("LISTEN_COUNT", "aggregate_plays", "count", "play_item_id", MARKS, _TRACK_OWNER),
    Milestone(
        "REMIX_CONTEST_SUBMISSIONS",
        "contest_submissions",
        "submissions",
        "event_id",
        SUBMISSIONS,
        "SELECT user_id FROM events WHERE event_id = :id AND NOT is_deleted",
    ),
)
"""The seven of them, each with its exact thresholds."""

KINDS = {
    "aggregate_user": "milestone_follower_count",
    "contest_submissions": "artist_remix_contest_submissions",
}
"""What a notice is called that is not only a milestone."""

CONTEST_SUBMISSIONS = """
    SELECT e.event_id,
           (SELECT count(*) FROM remixes x JOIN tracks t ON t.track_id = x.child_track_id
             WHERE x.parent_track_id = e.entity_id AND t.is_current AND NOT t.is_delete AND NOT t.is_unlisted
               AND t.is_available AND t.created_at >= e.created_at
               AND (e.end_date IS NULL OR t.created_at <= e.end_date)) AS submissions
      FROM events e
     WHERE e.event_type = 'remix_contest' AND NOT e.is_deleted
"""
"""Public remixes of a contest's track that came while it ran."""

_WRITE = (
    'INSERT INTO milestones (name, id, threshold, blocknumber, slot, "timestamp") '
    "VALUES (:name, :id, :threshold, :height, :height, :at) ON CONFLICT (name, id, threshold) DO NOTHING"
)
_TELL = (
    "INSERT INTO notification (family, type, user_id, actor_id, item_type, item_id, group_id, specifier, "
    '"timestamp", blocknumber) '
    "VALUES ('milestone', :type, :user, :id, :name, :threshold, :group, :specifier, :at, :height) "
    "ON CONFLICT (group_id, specifier, user_id) DO NOTHING"
)


def add_milestones(declared: Mapping[str, Declaration]) -> None:
    """Adds the thresholds to those of the declarations that are there, by name."""
    for milestone in MILESTONES:
        if milestone.derived in declared:
            declared[milestone.derived].on_crossing(
                milestone.column, at=milestone.thresholds, stream="ledger", handler=_reached(milestone)
            )


def _reached(milestone: Milestone) -> Callable[[Database, Any], None]:
    def reached(db: Database, event: Any) -> None:
        number, threshold = int(event.key[milestone.key]), int(event.threshold)
        at = moment(int(event.time)) if event.time and event.time.isdecimal() else event.happened
        facts = {"name": milestone.name, "id": number, "threshold": threshold, "height": event.position, "at": at}
        db.run(_WRITE, facts)
        owner = db.one(milestone.owner, {"id": number})
        if owner is not None and owner[0] is not None:
            kind = KINDS.get(milestone.derived, "milestone")
            group = f"milestone:{milestone.name}:{number}:{threshold}"
            told = {"type": kind, "user": int(owner[0]), "specifier": str(owner[0]), "group": group}
            db.run(_TELL, facts | told)

    return reached
