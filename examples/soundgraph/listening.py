"""What is derived from plays: when, what and how often people listen.

A play that comes late or twice needs no thought here: a distinct count counts what is there, whatever came last.
"""

from __future__ import annotations

from examples.soundgraph.portable import Words


def hourly_plays(w: Words) -> str:
    """Plays of every hour."""
    return f"""
        SELECT {w.hour("created_at")} AS hourly_timestamp, count(*) AS play_count
          FROM plays
         GROUP BY {w.hour("created_at")}
    """


def distinct_hours(w: Words) -> str:
    """In how many clock hours each user played something."""
    return f"""
        SELECT user_id, count(DISTINCT {w.hour("created_at")}) AS hours_with_play
          FROM plays
         WHERE user_id IS NOT NULL
         GROUP BY user_id
    """


DISTINCT_TRACKS = """
    SELECT user_id, count(play_item_id) AS track_count
      FROM user_track_plays
     GROUP BY user_id
"""
"""How many tracks each user has played: what is kept per user and track has a row for each of them already."""

USER_TRACK_PLAYS = """
    SELECT user_id, play_item_id, count(*) AS play_count, max(created_at) AS last_played_at
      FROM plays
     WHERE user_id IS NOT NULL
     GROUP BY user_id, play_item_id
"""

HISTORY_LENGTH = 1_000


def listening_history(w: Words) -> str:
    """The latest thousand different tracks of every listener as one JSON list, the latest first.

    Reads what is kept per user and track, so that a play costs one user's tracks and not all of their plays.
    """
    latest = f"""
        SELECT h.play_item_id, h.last_played_at, h.play_count
          FROM user_track_plays h
         WHERE h.user_id = l.user_id
         ORDER BY h.last_played_at DESC, h.play_item_id DESC
         LIMIT {HISTORY_LENGTH}
    """
    # What makes JSON on PostgreSQL depends on settings of the session, text and numbers do not.
    if w.engine == "sqlite":
        at = "CAST(strftime('%s', t.last_played_at) AS integer)"
        document = f"json_object('track_id', t.play_item_id, 'timestamp', {at}, 'play_count', t.play_count)"
        gathered = f"SELECT json_group_array({document}) FROM ({latest}) t"
    else:
        facts = {
            "track_id": "t.play_item_id",
            "timestamp": "CAST(extract(epoch FROM t.last_played_at) AS bigint)",
            "play_count": "t.play_count",
        }
        document = " || ', ' || ".join(f"""'"{name}": ' || CAST({value} AS text)""" for name, value in facts.items())
        gathered = f"""
            SELECT CAST('[' || string_agg('{{' || {document} || '}}', ', ') || ']' AS jsonb) FROM ({latest}) t"""
    return f"SELECT l.user_id, ({gathered}) AS listening_history FROM user_distinct_play_tracks l"
