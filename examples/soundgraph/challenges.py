"""The challenges as queries: who is how far towards which reward.

Every query gives rows of ``user_challenges``. It says what is true now; what must not be taken back, and when a row was made
and completed, is said where the query is declared.
"""

from __future__ import annotations

from dataclasses import dataclass

from examples.soundgraph.portable import Words

COMPLETE_PROFILE = 7
FOLLOWS_WANTED = 5


@dataclass(frozen=True)
class Challenge:
    """What a challenge pays, how many steps it takes, and the block before which nothing counts for it. The same stands in
    the table ``challenges``, for those who pay."""

    id: str
    amount: int
    steps: int
    starting_block: int


CATALOGUE = {
    challenge.id: challenge
    for challenge in (
        Challenge("p", 1, COMPLETE_PROFILE, 0),
        Challenge("u", 1, 3, 60),
        Challenge("fp", 2, 1, 90),
        Challenge("m", 1, 1, 30),
        Challenge("r", 1, 1, 30),
        Challenge("rv", 1, 1, 30),
        Challenge("rd", 1, 1, 30),
    )
}


def _rows(challenge: Challenge, specifier: str, source: str) -> str:
    """Rows of ``user_challenges`` out of a query that gives ``user_id``, ``steps`` and what the specifier is made of."""
    done = f"s.steps >= {challenge.steps}"
    return f"""
        SELECT '{challenge.id}' AS challenge_id,
               s.user_id,
               {specifier} AS specifier,
               {done} AS is_complete,
               s.steps AS current_step_count,
               {challenge.amount} AS amount,
               (SELECT max(b.created_at) FROM blocks b) AS created_at,
               CASE WHEN {done} THEN (SELECT max(b.created_at) FROM blocks b) END AS completed_at,
               CASE WHEN {done} THEN (SELECT max(b.number) FROM blocks b) END AS completed_blocknumber
          FROM ({source}) s
    """


PROFILES = f"""
    SELECT u.user_id,
           coalesce(u.bio, '') <> ''                                                            AS profile_description,
           coalesce(u.name, '') <> ''                                                           AS profile_name,
           coalesce(u.profile_picture, '') <> '' OR coalesce(u.profile_picture_sizes, '') <> '' AS profile_picture,
           coalesce(u.cover_photo, '') <> '' OR coalesce(u.cover_photo_sizes, '') <> ''         AS profile_cover_photo,
           (SELECT count(*) FROM (SELECT 1 FROM follows f
                                   WHERE f.follower_user_id = u.user_id AND f.is_current AND NOT f.is_delete
                                   LIMIT {FOLLOWS_WANTED}) x) >= {FOLLOWS_WANTED}               AS follows,
           EXISTS (SELECT 1 FROM saves v
                    WHERE v.user_id = u.user_id AND v.is_current AND NOT v.is_delete)           AS favorites,
           EXISTS (SELECT 1 FROM reposts r
                    WHERE r.user_id = u.user_id AND r.is_current AND NOT r.is_delete)           AS reposts
      FROM users u
     WHERE u.is_current AND u.handle_lc IS NOT NULL AND NOT u.is_deactivated
"""
"""The seven flags of a profile, for everybody who can complete one."""

_FLAGS = (
    "profile_description",
    "profile_name",
    "profile_picture",
    "profile_cover_photo",
    "follows",
    "favorites",
    "reposts",
)


def profile_completion(w: Words) -> str:
    """p: one step for each flag of the profile."""
    steps = " + ".join(f"CASE WHEN c.{flag} THEN 1 ELSE 0 END" for flag in _FLAGS)
    source = f"SELECT c.user_id, {steps} AS steps FROM ({PROFILES}) c"
    return _rows(CATALOGUE["p"], w.hexadecimal("s.user_id"), source)


def track_upload(w: Words) -> str:
    """u: public tracks, up to the third. Whoever has none has no row."""
    challenge = CATALOGUE["u"]
    source = f"""
        SELECT c.user_id, c.steps
          FROM (SELECT u.user_id,
                       (SELECT count(*)
                          FROM (SELECT 1 FROM tracks t
                                 WHERE t.owner_id = u.user_id AND t.is_current AND NOT t.is_delete
                                   AND NOT t.is_unlisted AND t.is_available AND t.stem_of IS NULL
                                   AND t.blocknumber >= {challenge.starting_block}
                                 LIMIT {challenge.steps}) x) AS steps
                  FROM users u
                 WHERE u.is_current AND NOT u.is_deactivated) c
         WHERE c.steps > 0
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


def first_playlist(w: Words) -> str:
    """fp: any collection, private ones too."""
    challenge = CATALOGUE["fp"]
    source = f"""
        SELECT u.user_id, 1 AS steps
          FROM users u
         WHERE u.is_current AND NOT u.is_deactivated
           AND EXISTS (SELECT 1 FROM playlists p
                        WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
                          AND p.blocknumber >= {challenge.starting_block})
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


def mobile_install(w: Words) -> str:
    """m: the application on a telephone."""
    challenge = CATALOGUE["m"]
    source = f"""
        SELECT e.user_id, 1 AS steps
          FROM user_events e JOIN users u ON u.user_id = e.user_id AND u.is_current
         WHERE e.is_current AND e.is_mobile_user AND NOT u.is_deactivated
           AND e.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


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


def _referral(w: Words, challenge: Challenge) -> str:
    source = f"""
        SELECT d.referrer_user_id AS user_id, d.referred_user_id, 1 AS steps
          FROM referrals d
         WHERE d.challenge_id = '{challenge.id}'
    """
    specifier = f"{w.hexadecimal('s.user_id')} || ':' || {w.hexadecimal('s.referred_user_id')}"
    return _rows(challenge, specifier, source)


def referral(w: Words) -> str:
    """r: someone was brought by a user who was not verified."""
    return _referral(w, CATALOGUE["r"])


def verified_referral(w: Words) -> str:
    """rv: someone was brought by a verified user."""
    return _referral(w, CATALOGUE["rv"])


def referred_signup(w: Words) -> str:
    """rd: whoever was brought is paid too."""
    challenge = CATALOGUE["rd"]
    source = f"""
        SELECT e.user_id, 1 AS steps
          FROM user_events e JOIN users u ON u.user_id = e.user_id AND u.is_current
         WHERE e.is_current AND e.referrer <> e.user_id AND NOT u.is_deactivated
           AND e.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)
