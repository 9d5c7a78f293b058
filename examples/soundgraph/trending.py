"""What many people like just now: scores of tracks and playlists over a week, a month, a year and all time.

A score is what happened inside a window, times the karma of those who marked the item, and fades once the item is older than the
window. Two versions differ in how much the karma counts. ``now()`` is the time of the tick.
"""

from __future__ import annotations

from examples.soundgraph.challenges import COVERED, DESCRIBED, PICTURED
from examples.soundgraph.portable import Words

VERSIONS = ("pnagD", "AnlGe")
TRACK_WINDOWS = {"week": 7, "month": 30}
PLAYLIST_WINDOWS = {"week": 7, "month": 30, "year": 365}
FEWEST_FOLLOWERS = 3
FEWEST_TRACKS = 3
WEIGHT_REPOST, WEIGHT_SAVE, WEIGHT_ALL_REPOSTS, WEIGHT_ALL_SAVES = 50, 1, 0.25, 0.01
FADING, FASTEST = 100_000, -10
TOP = 20
UNDERGROUND = 1_500
"""Fewer followers than this, and following fewer, is underground."""

_PUBLIC = "t.is_current AND NOT t.is_delete AND NOT t.is_unlisted AND t.is_available AND t.stem_of IS NULL"
_LIVE = "e.is_current AND NOT e.is_delete"


def _karma(item: str, types: str) -> str:
    """Followers of whoever shows a picture, a cover and a word about themself, for each save of an item and each repost."""
    return f"""
        SELECT m.{item}, CAST(sum(a.follower_count) AS bigint) AS karma
          FROM (SELECT e.save_item_id AS {item}, e.user_id FROM saves e
                 WHERE {_LIVE} AND e.save_type IN ({types})
                 UNION ALL
                SELECT e.repost_item_id AS {item}, e.user_id FROM reposts e
                 WHERE {_LIVE} AND e.repost_type IN ({types})) m
          JOIN users u ON u.user_id = m.user_id AND u.is_current
          JOIN aggregate_user a ON a.user_id = m.user_id
         WHERE {PICTURED} AND {COVERED} AND {DESCRIBED}
         GROUP BY m.{item}
    """


TRACK_KARMA = _karma("track_id", "'track'")
PLAYLIST_KARMA = _karma("playlist_id", "'playlist', 'album'")


def _factor(version: str) -> str:
    if version == "pnagD":
        return "CAST(s.karma AS double precision)"
    return "(1 + log10(CAST(1 + s.karma AS double precision)))"


def _all_time(version: str) -> str:
    return f"""
        SELECT s.track_id, '{version}' AS version, s.genre,
               CASE WHEN s.owner_followers < {FEWEST_FOLLOWERS} THEN CAST(0 AS double precision)
                    ELSE CAST(s.plays + {WEIGHT_ALL_REPOSTS} * s.reposts + {WEIGHT_ALL_SAVES} * s.saves
                              AS double precision) * {_factor(version)}
               END AS score
          FROM (SELECT t.track_id, t.genre, a.follower_count AS owner_followers, coalesce(p.count, 0) AS plays,
                       c.repost_count AS reposts, c.save_count AS saves, coalesce(k.karma, 0) AS karma
                  FROM tracks t
                  JOIN aggregate_user a ON a.user_id = t.owner_id
                  JOIN aggregate_track c ON c.track_id = t.track_id
                  LEFT JOIN aggregate_plays p ON p.play_item_id = t.track_id
                  LEFT JOIN track_karma k ON k.track_id = t.track_id
                 WHERE {_PUBLIC}) s
    """


ALL_TIME_TRACKS = " UNION ALL ".join(_all_time(version) for version in VERSIONS)


def _score(w: Words, version: str, days: int, listens: str) -> str:
    """The score of ``s``, which has counts, karma and ``since``."""
    age = w.days(w.now, "s.since")
    fading = f"{w.greatest}({FASTEST}, 1 - {age} / {days})"
    return f"""
               CASE WHEN s.owner_followers < {FEWEST_FOLLOWERS} THEN CAST(0 AS double precision)
                    ELSE CAST({listens} + {WEIGHT_REPOST} * s.reposts_lately + {WEIGHT_SAVE} * s.saves_lately
                              + {WEIGHT_ALL_REPOSTS} * s.reposts + {WEIGHT_ALL_SAVES} * s.saves
                              AS double precision) * {_factor(version)}
                         * CASE WHEN {age} > {days}
                                THEN {w.greatest}(CAST(1 AS double precision) / {FADING},
                                                  power(CAST({FADING} AS double precision), {fading}))
                                ELSE 1 END
               END AS score"""


def _marks(w: Words, item: str, types: str, days: int) -> str:
    since = w.earlier(w.now, f"{days} days")

    def lately(table: str, kind: str) -> str:
        return f"""(SELECT count(*) FROM {table} e
                         WHERE e.{kind}_item_id = {item} AND e.{kind}_type IN ({types}) AND {_LIVE}
                           AND e.created_at >= {since}) AS {kind}s_lately"""

    return f"{lately('reposts', 'repost')},\n                       {lately('saves', 'save')}"


def _since(w: Words, row: str) -> str:
    """What the age of an item is counted from: a release in the future is none yet."""
    return f"""CASE WHEN {row}.release_date > {row}.created_at AND {row}.release_date <= {w.now}
                            THEN {row}.release_date ELSE {row}.created_at END AS since"""


def trending_tracks(w: Words) -> str:
    """The score of every public track: for each window and version one row."""

    def window(name: str, days: int, version: str) -> str:
        since = w.earlier(w.now, f"{days} days")
        return f"""
        SELECT s.track_id, '{version}' AS version, '{name}' AS time_range, s.genre,{
            _score(w, version, days, "s.listens_lately")
        }
          FROM (SELECT t.track_id, t.genre, a.follower_count AS owner_followers,
                       c.repost_count AS reposts, c.save_count AS saves, coalesce(k.karma, 0) AS karma,
                       (SELECT count(*) FROM plays p
                         WHERE p.play_item_id = t.track_id AND p.created_at >= {since}) AS listens_lately,
                       {_marks(w, "t.track_id", "'track'", days)},
                       {_since(w, "t")}
                  FROM tracks t
                  JOIN aggregate_user a ON a.user_id = t.owner_id
                  JOIN aggregate_track c ON c.track_id = t.track_id
                  LEFT JOIN track_karma k ON k.track_id = t.track_id
                 WHERE {_PUBLIC}) s
    """

    return " UNION ALL ".join(window(*item, version) for item in TRACK_WINDOWS.items() for version in VERSIONS)


def trending_playlists(w: Words) -> str:
    """The score of every public collection of three tracks or more. Nobody counts how often one is listened to."""

    def window(name: str, days: int, version: str) -> str:
        return f"""
        SELECT s.playlist_id, '{version}' AS version, '{name}' AS time_range,{_score(w, version, days, "1")}
          FROM (SELECT t.playlist_id, a.follower_count AS owner_followers,
                       c.repost_count AS reposts, c.save_count AS saves, coalesce(k.karma, 0) AS karma,
                       {_marks(w, "t.playlist_id", "'playlist', 'album'", days)},
                       {_since(w, "t")}
                  FROM playlists t
                  JOIN aggregate_user a ON a.user_id = t.playlist_owner_id
                  JOIN aggregate_playlist c ON c.playlist_id = t.playlist_id
                  LEFT JOIN playlist_karma k ON k.playlist_id = t.playlist_id
                 WHERE t.is_current AND NOT t.is_delete AND NOT t.is_private
                   AND {w.length("t.playlist_contents")} >= {FEWEST_TRACKS}) s
    """

    return " UNION ALL ".join(window(*item, version) for item in PLAYLIST_WINDOWS.items() for version in VERSIONS)


UNDERGROUND_TRACKS = f"""
    SELECT s.track_id, s.version, s.genre, s.score
      FROM (SELECT g.track_id, g.version, g.genre, g.score,
                   row_number() OVER (PARTITION BY g.version ORDER BY g.score DESC, g.track_id DESC) AS place
              FROM track_trending_scores g
             WHERE g.time_range = 'week') s
      JOIN tracks t ON t.track_id = s.track_id AND t.is_current
      JOIN aggregate_user a ON a.user_id = t.owner_id
     WHERE s.place > {TOP} AND a.follower_count < {UNDERGROUND} AND a.following_count < {UNDERGROUND}
"""
"""The week's tracks of artists whom few know, without the week's best: those are on the main list."""
