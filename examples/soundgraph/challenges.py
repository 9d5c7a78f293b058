"""The challenges as queries: who is how far towards which reward.

Every query gives rows of ``user_challenges``. It says what is true now; what must not be taken back, and when a row was made
and completed, is said where the query is declared. What more than one challenge reads, or what is counted before it is paid,
stands in :mod:`examples.soundgraph.earning`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from examples.soundgraph.catalogue import Challenge
from examples.soundgraph.portable import Words

COMPLETE_PROFILE = 7
FOLLOWS_WANTED = 5
RANKS_PAID, RANKS_PAID_WHOLE = 10, 5
"""The first ranks of a list are paid, and the first of these the whole amount; the others a tenth."""
COSIGNS_PAID = 5
"""In any thirty days of a cosigner."""
WINS_PAID = 5
"""In each contest, and in any seven days of a host."""
CENTS = 1_000_000
"""Amounts of purchases are in millionths of a dollar."""
Query = Callable[[Words, Challenge], str]


_NEWEST = "(SELECT b.created_at FROM blocks b ORDER BY b.number DESC LIMIT 1)"
"""The time of the newest block."""


def _rows(challenge: Challenge, specifier: str, source: str, amount: str = "") -> str:
    """Rows of ``user_challenges`` out of a query that gives ``user_id``, ``steps`` and what specifier and amount are made of."""
    done = f"s.steps >= {challenge.steps}"
    return f"""
        SELECT '{challenge.id}' AS challenge_id,
               s.user_id,
               {specifier} AS specifier,
               {done} AS is_complete,
               s.steps AS current_step_count,
               {amount or challenge.amount} AS amount,
               {_NEWEST} AS created_at,
               CASE WHEN {done} THEN {_NEWEST} END AS completed_at,
               CASE WHEN {done} THEN (SELECT CAST(max(b.number) AS bigint) FROM blocks b) END AS completed_blocknumber
          FROM ({source}) s
    """


DESCRIBED = "coalesce(u.bio, '') <> ''"
PICTURED = "(coalesce(u.profile_picture, '') <> '' OR coalesce(u.profile_picture_sizes, '') <> '')"
COVERED = "(coalesce(u.cover_photo, '') <> '' OR coalesce(u.cover_photo_sizes, '') <> '')"
"""What a user ``u`` shows of themself; pictures are kept in either of two columns."""

PROFILES = f"""
    SELECT u.user_id,
           {DESCRIBED} AS profile_description,
           coalesce(u.name, '') <> '' AS profile_name,
           {PICTURED} AS profile_picture,
           {COVERED} AS profile_cover_photo,
           (SELECT count(*) FROM (SELECT 1 FROM follows f
                                   WHERE f.follower_user_id = u.user_id AND f.is_current AND NOT f.is_delete
                                   LIMIT {FOLLOWS_WANTED}) x) >= {FOLLOWS_WANTED} AS follows,
           EXISTS (SELECT 1 FROM saves v
                    WHERE v.user_id = u.user_id AND v.is_current AND NOT v.is_delete) AS favorites,
           EXISTS (SELECT 1 FROM reposts r
                    WHERE r.user_id = u.user_id AND r.is_current AND NOT r.is_delete) AS reposts
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


def profile_completion(w: Words, challenge: Challenge) -> str:
    """p: one step for each flag of the profile, as ``challenge_profile_completion`` has them."""
    steps = " + ".join(f"CASE WHEN c.{flag} THEN 1 ELSE 0 END" for flag in _FLAGS)
    source = f"SELECT c.user_id, {steps} AS steps FROM challenge_profile_completion c"
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


def track_upload(w: Words, challenge: Challenge) -> str:
    """u: public tracks, up to the third. Whoever has none has no row."""
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


def _everybody_who(condition: str) -> str:
    """One step for each user of whom a condition over ``u`` holds."""
    return f"SELECT u.user_id, 1 AS steps FROM users u WHERE u.is_current AND NOT u.is_deactivated AND {condition}"


def first_playlist(w: Words, challenge: Challenge) -> str:
    """fp: any collection, private ones too."""
    made = f"""EXISTS (SELECT 1 FROM playlists p
                        WHERE p.playlist_owner_id = u.user_id AND p.is_current AND NOT p.is_delete
                          AND p.blocknumber >= {challenge.starting_block})"""
    return _rows(challenge, w.hexadecimal("s.user_id"), _everybody_who(made))


def connect_verified(w: Words, challenge: Challenge) -> str:
    """v: the network vouches for them."""
    return _rows(challenge, w.hexadecimal("s.user_id"), _everybody_who("u.is_verified"))


def first_tip(w: Words, challenge: Challenge) -> str:
    """ft: any tip that they gave."""
    gave = f"""EXISTS (SELECT 1 FROM user_tips t
                        WHERE t.sender_user_id = u.user_id AND t.slot >= {challenge.starting_block})"""
    return _rows(challenge, w.hexadecimal("s.user_id"), _everybody_who(gave))


def mobile_install(w: Words, challenge: Challenge) -> str:
    """m: the application on a telephone."""
    source = f"""
        SELECT e.user_id, 1 AS steps
          FROM user_events e JOIN users u ON u.user_id = e.user_id AND u.is_current
         WHERE e.is_current AND e.is_mobile_user AND NOT u.is_deactivated
           AND e.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


def referral(w: Words, challenge: Challenge) -> str:
    """r and rv: someone was brought by a user who was not, or who was verified. ``referrals`` decides it once for each pair."""
    source = f"""
        SELECT d.referrer_user_id AS user_id, d.referred_user_id, 1 AS steps
          FROM referrals d
         WHERE d.challenge_id = '{challenge.id}'
    """
    specifier = f"{w.hexadecimal('s.user_id')} || ':' || {w.hexadecimal('s.referred_user_id')}"
    return _rows(challenge, specifier, source)


def referred_signup(w: Words, challenge: Challenge) -> str:
    """rd: whoever was brought is paid too."""
    source = f"""
        SELECT e.user_id, 1 AS steps
          FROM user_events e JOIN users u ON u.user_id = e.user_id AND u.is_current
         WHERE e.is_current AND e.referrer <> e.user_id AND NOT u.is_deactivated
           AND e.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, w.hexadecimal("s.user_id"), source)


def listen_streak(w: Words, challenge: Challenge) -> str:
    """e: a row for each time that a streak of listening grew. The hook says when that is."""
    source = f"""
        SELECT a.user_id, a.hour, 1 AS steps
          FROM listen_streak_advances a JOIN users u ON u.user_id = a.user_id AND u.is_current
         WHERE NOT u.is_deactivated AND a.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, f"{w.hexadecimal('s.user_id')} || s.hour", source)


def _before(w: Words, one: str, other: str) -> str:
    """Whether one signature stands before another of its slot: they end in numbers, and the tenth comes after the ninth."""
    shorter, as_long = f"length({one}) < length({other})", f"length({one}) = length({other})"
    return f"({shorter} OR ({as_long} AND {one} {w.bytewise} < {other} {w.bytewise}))"


def _purchases(w: Words, challenge: Challenge, payee: str, seller: str) -> str:
    """A row for the first purchase of each thing by each buyer, with the base amount for each whole dollar."""
    source = f"""
        SELECT p.{payee} AS user_id, p.buyer_user_id, p.content_type, p.content_id,
               p.amount / {CENTS} AS dollars, 1 AS steps
          FROM usdc_purchases p JOIN users u ON u.user_id = p.{payee} AND u.is_current
         WHERE NOT u.is_deactivated AND {seller} AND p.slot >= {challenge.starting_block} AND p.amount >= {CENTS}
           AND NOT EXISTS (SELECT 1 FROM usdc_purchases q
                            WHERE q.buyer_user_id = p.buyer_user_id AND q.content_type = p.content_type
                              AND q.content_id = p.content_id AND q.amount >= {CENTS}
                              AND (q.slot < p.slot OR (q.slot = p.slot AND {_before(w, "q.signature", "p.signature")})))
    """
    specifier = f"{w.hexadecimal('s.buyer_user_id')} || ':' || s.content_type || ':' || {w.hexadecimal('s.content_id')}"
    return _rows(challenge, specifier, source, f"CAST({challenge.amount} * s.dollars AS integer)")


def audio_match_buyer(w: Words, challenge: Challenge) -> str:
    """b: who buys gets something back."""
    return _purchases(w, challenge, "buyer_user_id", "true")


def audio_match_seller(w: Words, challenge: Challenge) -> str:
    """s: a verified seller gets more."""
    return _purchases(w, challenge, "seller_user_id", "u.is_verified")


def weekly_comment(w: Words, challenge: Challenge) -> str:
    """c: the first comment of each week, Monday to Sunday, as long as one of the week is to be seen."""
    source = f"""
        SELECT c.user_id, {w.week("c.created_at")} AS week, 1 AS steps
          FROM comments c JOIN users u ON u.user_id = c.user_id AND u.is_current
         WHERE c.is_visible AND NOT c.is_delete AND NOT u.is_deactivated AND c.blocknumber >= {challenge.starting_block}
         GROUP BY c.user_id, {w.week("c.created_at")}
    """
    return _rows(challenge, f"{w.hexadecimal('s.user_id')} || ':' || s.week", source)


_TIERS = {"p1": 1, "p2": 250, "p3": 1_000}
"""Plays from which on each tier has a row: those of the tier before."""


def play_count(w: Words, challenge: Challenge) -> str:
    """p1, p2, p3: plays since 2025 of a verified artist's tracks, tier by tier."""
    source = f"""
        SELECT u.user_id, CAST({w.least}({challenge.steps}, a.plays) AS integer) AS steps
          FROM artist_plays a JOIN users u ON u.user_id = a.user_id AND u.is_current
         WHERE u.is_verified AND NOT u.is_deactivated AND a.plays >= {_TIERS[challenge.id]}
    """
    return _rows(challenge, f"{w.hexadecimal('s.user_id')} || ':{challenge.steps}'", source)


def tastemaker(w: Words, challenge: Challenge) -> str:
    """t: who saved or reposted a track of the week's top among the first."""
    source = """
        SELECT m.user_id, m.track_id, 1 AS steps
          FROM early_marks m JOIN users u ON u.user_id = m.user_id AND u.is_current
         WHERE NOT u.is_deactivated
    """
    return _rows(challenge, f"{w.hexadecimal('s.user_id')} || ':t:' || {w.hexadecimal('s.track_id')}", source)


def comment_pin(w: Words, challenge: Challenge) -> str:
    """cp: a verified owner pins somebody else's comment."""
    source = f"""
        SELECT c.user_id, t.track_id, 1 AS steps
          FROM tracks t
          JOIN comments c ON c.comment_id = t.pinned_comment_id
          JOIN users o ON o.user_id = t.owner_id AND o.is_current
          JOIN users u ON u.user_id = c.user_id AND u.is_current
         WHERE t.is_current AND NOT t.is_delete AND o.is_verified AND c.user_id <> t.owner_id AND NOT u.is_deactivated
           AND c.entity_id = t.track_id AND NOT c.is_delete AND t.blocknumber >= {challenge.starting_block}
    """
    return _rows(challenge, f"{w.hexadecimal('s.user_id')} || ':' || {w.hexadecimal('s.track_id')}", source)


def cosign(w: Words, challenge: Challenge) -> str:
    """cs: a verified artist marks somebody's remix of their own track; five in any thirty days are paid."""
    source = f"""
        SELECT c.remixer_id AS user_id, c.cosigner_id, c.track_id, 1 AS steps
          FROM cosigns c JOIN users u ON u.user_id = c.remixer_id AND u.is_current
         WHERE NOT u.is_deactivated AND c.blocknumber >= {challenge.starting_block}
           AND (SELECT count(*) FROM cosigns d
                 WHERE d.cosigner_id = c.cosigner_id AND d.cosigned_at > {w.earlier("c.cosigned_at", "30 days")}
                   AND (d.cosigned_at < c.cosigned_at
                        OR (d.cosigned_at = c.cosigned_at AND d.track_id < c.track_id))) < {COSIGNS_PAID}
    """
    return _rows(challenge, f"{w.hexadecimal('s.cosigner_id')} || ':' || {w.hexadecimal('s.track_id')}", source)


def contest_winner(w: Words, challenge: Challenge) -> str:
    """w: a verified host names them; five in each contest are paid, and five of a host in any seven days."""
    source = f"""
        SELECT c.user_id, c.event_id, 1 AS steps
          FROM contest_wins c JOIN users u ON u.user_id = c.user_id AND u.is_current
         WHERE NOT u.is_deactivated AND c.place <= {WINS_PAID} AND c.blocknumber >= {challenge.starting_block}
           AND (SELECT count(*) FROM contest_wins d
                 WHERE d.host_id = c.host_id AND d.announced_at > {w.earlier("c.announced_at", "7 days")}
                   AND (d.announced_at < c.announced_at
                        OR (d.announced_at = c.announced_at
                            AND (d.event_id < c.event_id
                                 OR (d.event_id = c.event_id AND d.place < c.place))))) < {WINS_PAID}
    """
    return _rows(challenge, f"{w.hexadecimal('s.event_id')} || ':' || {w.hexadecimal('s.user_id')}", source)


_LISTS = {"tt": "tracks", "tut": "underground", "tp": "playlists"}


def trending(w: Words, challenge: Challenge) -> str:
    """tt, tut, tp: at the top of the week's list. The first five are paid whole, the next five a tenth."""
    source = f"""
        SELECT r.user_id, r.week, r.rank, 1 AS steps
          FROM trending_results r JOIN users u ON u.user_id = r.user_id AND u.is_current
         WHERE r.type = '{_LISTS[challenge.id]}' AND r.rank <= {RANKS_PAID} AND NOT u.is_deactivated
    """
    amount = f"CASE WHEN s.rank <= {RANKS_PAID_WHOLE} THEN {challenge.amount} ELSE {challenge.amount // 10} END"
    return _rows(challenge, "s.week || ':' || CAST(s.rank AS text)", source, amount)


QUERIES: Mapping[str, Query] = {
    "p": profile_completion,
    "u": track_upload,
    "fp": first_playlist,
    "v": connect_verified,
    "m": mobile_install,
    "r": referral,
    "rv": referral,
    "rd": referred_signup,
    "ft": first_tip,
    "e": listen_streak,
    "b": audio_match_buyer,
    "s": audio_match_seller,
    "c": weekly_comment,
    "p1": play_count,
    "p2": play_count,
    "p3": play_count,
    "t": tastemaker,
    "cp": comment_pin,
    "cs": cosign,
    "w": contest_winner,
    "tt": trending,
    "tut": trending,
    "tp": trending,
}
"""The query of each reward of the catalogue."""
