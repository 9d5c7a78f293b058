"""What people have come to be: their genre, their karma, their score.

A user whose score is below 0 is taken for a machine: what they do still counts, but nobody is told of it.
"""

from __future__ import annotations

from examples.soundgraph.portable import Words

FAMOUS_FOLLOWERS = 1_000
MOST_KARMA = 100
FOLLOWS_EVERYBODY = 10_000
"""Whoever follows so many gives no karma by it."""
BRAND, SPAM = "soundgraph", "airdrop"


def dominant_genre(w: Words) -> str:
    """The genre that a user has most public tracks of.

    Among genres with as many tracks it is that of the latest upload, then the first by name. No genre is a genre too, and the
    last of equals.
    """

    def first(column: str) -> str:
        return f"""
            (SELECT {column} FROM tracks t
              WHERE t.owner_id = u.user_id AND t.is_current AND NOT t.is_delete
                AND NOT t.is_unlisted AND t.is_available AND t.stem_of IS NULL
              GROUP BY t.genre
              ORDER BY count(*) DESC, max(t.created_at) DESC,
                       CASE WHEN t.genre IS NULL THEN 1 ELSE 0 END, t.genre {w.bytewise}
              LIMIT 1)"""

    return f"""
        SELECT u.user_id,{first("t.genre")} AS dominant_genre,
               coalesce({first("count(*)")}, 0) AS dominant_genre_count
          FROM users u
         WHERE u.is_current
    """


def karma(w: Words) -> str:
    """How much the followers of a user are followed themselves, from 0 to 100."""
    return f"""
        SELECT a.user_id,
               CASE WHEN a.follower_count > {FAMOUS_FOLLOWERS} THEN {MOST_KARMA}
                    ELSE {w.least}({MOST_KARMA}, CAST(coalesce((
                        SELECT sum(b.follower_count)
                          FROM follows f JOIN aggregate_user b ON b.user_id = f.follower_user_id
                         WHERE f.followee_user_id = a.user_id AND f.is_current AND NOT f.is_delete
                           AND b.following_count < {FOLLOWS_EVERYBODY}), 0) AS bigint) / 100)
               END AS karma
          FROM aggregate_user a
    """


def score_features(w: Words) -> str:
    """Challenges that were complete within three minutes of the sign-up, as no person completes them."""
    return f"""
        SELECT u.user_id,
               (SELECT count(*) FROM user_challenges c
                 WHERE c.user_id = u.user_id AND c.is_complete AND c.challenge_id NOT IN ('m', 'b')
                   AND c.completed_at <= {w.later("u.created_at", "3 minutes")}) AS challenge_count
          FROM users u
         WHERE u.is_current
    """


def score(w: Words) -> str:
    """How likely a user is a person; 0 for those of whom not even a handle is known."""

    def pretends(word: str) -> str:
        return f"""
                  - CASE WHEN NOT u.is_verified
                          AND ({w.contains("lower(u.handle_lc)", word)}
                               OR {w.contains("lower(coalesce(u.name, ''))", word)})
                         THEN 1000 ELSE 0 END"""

    return f"""
        SELECT u.user_id,
               CASE WHEN u.handle_lc IS NULL THEN 0
                    ELSE coalesce(h.hours_with_play, 0) / 2 + a.follower_count - q.challenge_count + k.karma
                  - 100 * (SELECT count(*) FROM chat_blocked_users c
                            WHERE c.blockee_user_id = u.user_id AND NOT c.is_delete)
                  - CASE WHEN a.following_count < 5 THEN 1 ELSE 0 END
                  - CASE WHEN coalesce(t.track_count, 0) <= 3 THEN 10 ELSE 0 END{pretends(BRAND)}{pretends(SPAM)}
               END AS score
          FROM users u
          JOIN aggregate_user a ON a.user_id = u.user_id
          JOIN user_karma k ON k.user_id = u.user_id
          JOIN user_score_features q ON q.user_id = u.user_id
          LEFT JOIN user_distinct_play_hours h ON h.user_id = u.user_id
          LEFT JOIN user_distinct_play_tracks t ON t.user_id = u.user_id
         WHERE u.is_current
    """
