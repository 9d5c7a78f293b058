"""What is worked out before it is paid: referrals, an artist's plays, cosigns, winners, and who marked a track early."""

from __future__ import annotations

from examples.soundgraph.catalogue import CATALOGUE

EARLY = 10
"""So many of the first savers, and as many of the first reposters, are early."""
TOP = 10
"""Ranks of the week's list whose marks are looked at."""

REFERRALS = f"""
    SELECT e.referrer AS referrer_user_id,
           e.user_id AS referred_user_id,
           CASE WHEN u.is_verified THEN 'rv' ELSE 'r' END AS challenge_id
      FROM user_events e JOIN users u ON u.user_id = e.referrer AND u.is_current
     WHERE e.is_current AND e.referrer <> e.user_id AND NOT u.is_deactivated
       AND e.blocknumber >= {CATALOGUE["r"].starting_block}
"""
"""Who brought whom, and which of two challenges that counts for: the referrer's verification is read once, when the row is
made, so that at most one of the two ever has a row for a pair."""

ARTIST_PLAYS = """
    SELECT t.owner_id AS user_id, sum(m.count) AS plays
      FROM tracks t JOIN aggregate_monthly_plays m ON m.play_item_id = t.track_id
     WHERE t.owner_id IS NOT NULL AND t.is_current AND NOT t.is_delete AND m."timestamp" >= '2025-01-01'
     GROUP BY t.owner_id
"""
"""Plays since January 2025 of the tracks that an artist has now."""

_MARKS = """
        SELECT s.user_id, s.save_item_id AS track_id, s.created_at, s.blocknumber
          FROM saves s WHERE s.save_type = 'track' AND s.is_current AND NOT s.is_delete
        UNION ALL
        SELECT r.user_id, r.repost_item_id AS track_id, r.created_at, r.blocknumber
          FROM reposts r WHERE r.repost_type = 'track' AND r.is_current AND NOT r.is_delete
"""

COSIGNS = f"""
    SELECT p.owner_id AS cosigner_id, x.child_track_id AS track_id, t.owner_id AS remixer_id,
           min(m.created_at) AS cosigned_at, min(m.blocknumber) AS blocknumber
      FROM remixes x
      JOIN tracks t ON t.track_id = x.child_track_id AND t.is_current AND NOT t.is_delete
      JOIN tracks p ON p.track_id = x.parent_track_id AND p.is_current
      JOIN ({_MARKS}) m ON m.track_id = x.child_track_id AND m.user_id = p.owner_id
      JOIN users u ON u.user_id = p.owner_id AND u.is_current AND u.is_verified
     WHERE t.owner_id <> p.owner_id
     GROUP BY p.owner_id, x.child_track_id, t.owner_id
"""
"""Verified artists who saved or reposted somebody else's remix of a track of theirs, and when first. Everything is joined to the
remix, so that a track or a mark that changes asks for its few remixes first, and not for the marks of a track that is none."""

CONTEST_WINS = """
    SELECT e.event_id, t.owner_id AS user_id, e.user_id AS host_id, min(x.place) AS place,
           min(x.announced_at) AS announced_at, min(x.blocknumber) AS blocknumber
      FROM contest_winners x
      JOIN events e ON e.event_id = x.event_id AND e.event_type = 'remix_contest' AND NOT e.is_deleted
      JOIN tracks t ON t.track_id = x.track_id AND t.is_current AND NOT t.is_delete
      JOIN users h ON h.user_id = e.user_id AND h.is_current AND h.is_verified
     WHERE t.owner_id <> e.user_id
     GROUP BY e.event_id, t.owner_id, e.user_id
"""
"""Who won which contest of a verified host, each once."""


def _first(table: str, item: str, kind: str) -> str:
    return f"""
        SELECT w.track_id, w.user_id
          FROM (SELECT e.{item} AS track_id, e.user_id,
                       row_number() OVER (PARTITION BY e.{item} ORDER BY e.created_at, e.user_id) AS place
                  FROM {table} e WHERE e.{kind} = 'track' AND e.is_current AND NOT e.is_delete) w
         WHERE w.place <= {EARLY}
           AND EXISTS (SELECT 1 FROM trending_results r
                        WHERE r.id = w.track_id AND r.type = 'tracks' AND r.rank <= {TOP})"""


EARLY_MARKS = f"""
    {_first("saves", "save_item_id", "save_type")}
     UNION
    {_first("reposts", "repost_item_id", "repost_type")}
"""
"""Who saved or reposted a track of a week's top before all but a few."""
