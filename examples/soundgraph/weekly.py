"""What was at the top of the week: on Fridays the lists are written down once, and never changed again.

That is a fact of the day on which it was announced, not something that is derived: what is popular goes on changing, and who was
announced stays announced. The rewards for it are derived from what stands here.
"""

from __future__ import annotations

from datetime import date

from examples.soundgraph.stores import Store

FRIDAY = 4
VERSION = "pnagD"
RANKS = 10

_ANNOUNCE = f"""
    INSERT INTO trending_results (week, type, rank, version, user_id, id)
    SELECT CAST(? AS varchar(10)), x.type, x.rank, '{VERSION}', x.user_id, x.id
      FROM (SELECT 'tracks' AS type, t.owner_id AS user_id, s.track_id AS id,
                   row_number() OVER (ORDER BY s.score DESC, s.track_id DESC) AS rank
              FROM track_trending_scores s JOIN tracks t ON t.track_id = s.track_id AND t.is_current
             WHERE s.version = '{VERSION}' AND s.time_range = 'week'
             UNION ALL
            SELECT 'underground', t.owner_id, s.track_id, row_number() OVER (ORDER BY s.score DESC, s.track_id DESC)
              FROM underground_trending s JOIN tracks t ON t.track_id = s.track_id AND t.is_current
             WHERE s.version = '{VERSION}'
             UNION ALL
            SELECT 'playlists', p.playlist_owner_id, s.playlist_id,
                   row_number() OVER (ORDER BY s.score DESC, s.playlist_id DESC)
              FROM playlist_trending_scores s JOIN playlists p ON p.playlist_id = s.playlist_id AND p.is_current
             WHERE s.version = '{VERSION}' AND s.time_range = 'week') x
     WHERE x.rank <= {RANKS} AND NOT EXISTS (SELECT 1 FROM trending_results r WHERE r.week = CAST(? AS varchar(10)))
"""


def announce(store: Store, today: date) -> int:
    """Writes down the lists of the week if it is Friday and nobody has, all or nothing; returns the number of places."""
    if today.weekday() != FRIDAY:
        return 0
    return store.execute(_ANNOUNCE, (today.isoformat(), today.isoformat()))
