"""The counts over people, tracks, playlists and plays, each as the query one would run to count it.

The counts of users, tracks and playlists have a row for every current one, zero included. ``users_current`` and its
sisters in the schema, unique where ``is_current``, are what proves that a user has one row here.
"""

from __future__ import annotations

from examples.soundgraph.portable import Words

USER_QUERY = """
    SELECT u.user_id,
           (SELECT count(*) FROM follows f
             WHERE f.followee_user_id = u.user_id AND f.is_current AND NOT f.is_delete)    AS follower_count,
           (SELECT count(*) FROM follows f
             WHERE f.follower_user_id = u.user_id AND f.is_current AND NOT f.is_delete)    AS following_count,
           (SELECT count(*) FROM reposts r
             WHERE r.user_id = u.user_id AND r.is_current AND NOT r.is_delete)             AS repost_count,
           (SELECT count(*) FROM saves s
             WHERE s.user_id = u.user_id AND s.is_current AND NOT s.is_delete
               AND s.save_type = 'track')                                                  AS track_save_count,
           (SELECT count(*) FROM tracks t
             WHERE t.owner_id = u.user_id AND t.is_current AND NOT t.is_delete
               AND NOT t.is_unlisted AND t.is_available AND t.stem_of IS NULL)             AS track_count,
           (SELECT count(*) FROM tracks t
             WHERE t.owner_id = u.user_id AND t.is_current AND NOT t.is_delete
               AND t.is_available AND t.stem_of IS NULL)                                   AS total_track_count,
           (SELECT count(*) FROM playlists p
             WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
               AND NOT p.is_album AND NOT p.is_private)                                    AS playlist_count,
           (SELECT count(*) FROM playlists p
             WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
               AND p.is_album AND NOT p.is_private)                                        AS album_count,
           (SELECT count(*) FROM playlists p
             WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
               AND NOT p.is_album)                                                         AS total_playlist_count,
           (SELECT count(*) FROM playlists p
             WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
               AND p.is_album)                                                             AS total_album_count,
           (SELECT count(*) FROM shares h
             WHERE h.user_id = u.user_id AND h.share_type = 'track')                       AS track_share_count
      FROM users u
     WHERE u.is_current
"""

TRACK_QUERY = """
    SELECT t.track_id,
           (SELECT count(*) FROM saves s
             WHERE s.save_item_id = t.track_id AND s.save_type = 'track'
               AND s.is_current AND NOT s.is_delete)                                       AS save_count,
           (SELECT count(*) FROM reposts r
             WHERE r.repost_item_id = t.track_id AND r.repost_type = 'track'
               AND r.is_current AND NOT r.is_delete)                                       AS repost_count,
           (SELECT count(*) FROM comments c
             WHERE c.entity_id = t.track_id AND c.entity_type = 'Track'
               AND c.is_visible AND NOT c.is_delete)                                       AS comment_count,
           (SELECT count(*) FROM shares h
             WHERE h.share_item_id = t.track_id AND h.share_type = 'track')                AS share_count
      FROM tracks t
     WHERE t.is_current
"""

# Albums and playlists share one id space, and either word may stand in an edge to one.
PLAYLIST_QUERY = """
    SELECT p.playlist_id,
           p.is_album,
           (SELECT count(*) FROM saves s
             WHERE s.save_item_id = p.playlist_id AND s.save_type IN ('playlist', 'album')
               AND s.is_current AND NOT s.is_delete)                                       AS save_count,
           (SELECT count(*) FROM reposts r
             WHERE r.repost_item_id = p.playlist_id AND r.repost_type IN ('playlist', 'album')
               AND r.is_current AND NOT r.is_delete)                                       AS repost_count,
           (SELECT count(*) FROM shares h
             WHERE h.share_item_id = p.playlist_id AND h.share_type = 'playlist')          AS share_count
      FROM playlists p
     WHERE p.is_current
"""

PLAYS_QUERY = """
    SELECT play_item_id, count(*) AS count FROM plays GROUP BY play_item_id
"""

MONTHLY_PLAYS_QUERY = {
    "sqlite": """
        SELECT play_item_id,
               date(created_at, 'start of month') AS "timestamp",
               coalesce(country, '')              AS country,
               count(*)                           AS count
          FROM plays
         GROUP BY play_item_id, date(created_at, 'start of month'), coalesce(country, '')
    """,
    "postgresql": """
        SELECT play_item_id,
               date_trunc('month', created_at)::date AS "timestamp",
               coalesce(country, '')                 AS country,
               count(*)                              AS count
          FROM plays
         GROUP BY play_item_id, date_trunc('month', created_at)::date, coalesce(country, '')
    """,
}

TIPS_QUERY = """
    SELECT sender_user_id, receiver_user_id, sum(amount) AS amount
      FROM user_tips
     GROUP BY sender_user_id, receiver_user_id
"""
"""What each has given each, all in all."""

SUPPORTERS_QUERY = """
    SELECT u.user_id,
           (SELECT count(*) FROM aggregate_user_tips t WHERE t.receiver_user_id = u.user_id) AS supporter_count,
           (SELECT count(*) FROM aggregate_user_tips t WHERE t.sender_user_id = u.user_id)   AS supporting_count
      FROM users u
     WHERE u.is_current
"""
"""How many people support somebody, and how many they support."""


def containing_playlists(w: Words) -> str:
    """For each track the live collections that it is in, and those that it was in, as JSON lists of ids in their order."""

    def listed(condition: str) -> str:
        inner = f"""SELECT e.playlist_id AS playlist FROM playlist_tracks e
                       JOIN playlists p ON p.playlist_id = e.playlist_id AND p.is_current
                      WHERE e.track_id = t.track_id AND {condition} ORDER BY e.playlist_id"""
        if w.engine == "sqlite":
            return f"(SELECT json_group_array(x.playlist) FROM ({inner}) x)"
        return f"""(SELECT CAST('[' || coalesce(string_agg(CAST(x.playlist AS text), ','), '') || ']' AS jsonb)
                      FROM ({inner}) x)"""

    return f"""
        SELECT t.track_id,
               {listed("NOT e.is_removed AND NOT p.is_delete")} AS playlists_containing_track,
               {listed("(e.is_removed OR p.is_delete)")} AS playlists_previously_containing_track
          FROM tracks t
         WHERE t.is_current
    """
