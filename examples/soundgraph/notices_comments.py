"""What people hear of comments, unless they muted who speaks or what is spoken about; and of what they hold.

A mute is an interval: what happened inside it is never told, whenever somebody looks.
"""

from __future__ import annotations

from examples.soundgraph.notifications import group_of, notice
from examples.soundgraph.portable import Words

TIERS = (("platinum", 10_000), ("gold", 1_000), ("silver", 100), ("bronze", 10))
"""What somebody is called who holds so much, the highest first."""


def unmuted(user: str, kind: str, number: str, at: str) -> str:
    """True where ``user`` had not muted it then."""
    return f"""NOT EXISTS (SELECT 1 FROM mutes m WHERE m.user_id = {user} AND m.entity_type = '{kind}'
                         AND m.entity_id = {number} AND m.since <= {at} AND (m.until IS NULL OR m.until > {at}))"""


_SPOKEN = "c.is_visible AND NOT c.is_delete"
_ON_TRACK = f"""comments c JOIN tracks t ON t.track_id = c.entity_id AND t.is_current
         WHERE c.entity_type = 'Track' AND {_SPOKEN} AND t.owner_id IS NOT NULL AND t.owner_id <> c.user_id"""
_ANSWERS = f"""comments c JOIN comment_threads h ON h.comment_id = c.comment_id
                  JOIN comments p ON p.comment_id = h.parent_comment_id
         WHERE {_SPOKEN} AND NOT p.is_delete AND p.user_id <> c.user_id"""
_MENTIONS = f"""comment_mentions x JOIN comments c ON c.comment_id = x.comment_id
         WHERE NOT x.is_delete AND {_SPOKEN} AND x.user_id <> c.user_id"""
_LIKES = """comment_reactions x JOIN comments c ON c.comment_id = x.comment_id
         WHERE NOT x.is_delete AND NOT c.is_delete AND c.user_id <> x.user_id"""


def comments(w: Words) -> str:
    """Comments on one's tracks, answers to one's comments, being mentioned, being liked."""
    parts = [
        ("comment", "t.owner_id", "c.user_id", "c", ("Track", "t.track_id"), _ON_TRACK),
        ("comment_thread", "p.user_id", "c.user_id", "c", ("Comment", "p.comment_id"), _ANSWERS),
        ("comment_mention", "x.user_id", "c.user_id", "x", ("Track", "c.entity_id"), _MENTIONS),
        ("comment_reaction", "c.user_id", "x.user_id", "x", ("Comment", "c.comment_id"), _LIKES),
    ]
    texts = []
    for kind, user, actor, by, about, source in parts:
        at, group = f"{by}.created_at", group_of(f"'{kind}'", "'comment'", "c.comment_id")
        gates = f"{unmuted(user, 'User', actor, at)}\n           AND {unmuted(user, *about, at)}"
        dated = {"at": at, "height": f"{by}.blocknumber"}
        told = f"{source}\n           AND {gates}"
        texts.append(notice("comments", kind, user, actor, "'comment'", "c.comment_id", group, told, **dated))
    return "\n         UNION ALL".join(texts)


def _tier(balance: str) -> str:
    """The least that the tier of a balance takes, 0 for none."""
    return f"CASE {' '.join(f'WHEN {balance} >= {least} THEN {least}' for _, least in TIERS)} ELSE 0 END"


def tiers(w: Words) -> str:
    """Whoever's holdings rose into a higher tier, once for each block in which they did; a fall is not told."""
    name = f"CASE {' '.join(f'WHEN g.balance >= {least} THEN {chr(39)}{tier}{chr(39)}' for tier, least in TIERS)} END"
    source = f"""(SELECT h.user_id, h.slot, h.balance, h.created_at,
                         lag(h.balance) OVER (PARTITION BY h.user_id ORDER BY h.slot) AS before
                    FROM user_holdings h) g
         WHERE {_tier("g.balance")} > {_tier("coalesce(g.before, 0)")}"""
    group = group_of("'tier_change'", "g.user_id", name, "g.slot")
    dated = {"at": "g.created_at", "height": "g.slot"}
    return notice("tiers", "tier_change", "g.user_id", "g.user_id", name, "g.slot", group, source, **dated)
