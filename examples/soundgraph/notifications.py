"""Who is told what: one row for each notice and recipient, found by the group and specifier that make it one.

Most notices are rows of a query over what happened: made once, dated by what they tell of, and kept when that is taken back.
They are declared by family, and each family owns its rows of ``notification``. What depends on notices that were given before,
the reward that is still cooling down, is a handler of a crossing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from examples.soundgraph.portable import Words
from tidemark.model import Declaration
from tidemark.streams import Database

NOT_COOLED = ("b", "s")
"""Rewards that nobody is told to wait for."""


def notice(
    family: str,
    kind: str,
    user: str,
    actor: str,
    item_type: str,
    item: str,
    group: str,
    source: str,
    *,
    at: str,
    height: str,
    specifier: str = "",
) -> str:
    """One kind of notice. ``group`` is what one notice is about; together with ``specifier`` (the actor, if it is empty) it is
    told once to each recipient. ``at`` and ``height`` are the moment and the block that it is dated by."""
    return f"""
        SELECT '{family}' AS family, '{kind}' AS type, {user} AS user_id, {actor} AS actor_id,
               {item_type} AS item_type, CAST({item} AS bigint) AS item_id, {group} AS group_id,
               CAST({specifier or actor} AS text) AS specifier,
               {at} AS "timestamp", CAST({height} AS bigint) AS blocknumber
          FROM {source}"""


def _notice(
    family: str,
    kind: str,
    user: str,
    actor: str,
    item_type: str,
    item: str,
    group: str,
    at: str,
    source: str,
    specifier: str = "",
) -> str:
    """A notice that is dated by a row of ``source``."""
    dated = {"at": f"{at}.created_at", "height": f"{at}.blocknumber"}
    return notice(family, kind, user, actor, item_type, item, group, source, specifier=specifier, **dated)


def group_of(*parts: str) -> str:
    """Literals and values as one text."""
    return " || ':' || ".join(part if part.startswith("'") else f"CAST({part} AS text)" for part in parts)


def heard(user: str) -> str:
    """Whoever is taken for a machine is not told of. Nobody has a score before the first tick."""
    return f"coalesce((SELECT p.score FROM user_score p WHERE p.user_id = {user}), 0) >= 0"


def _mark(kind: str, table: str, prefix: str) -> str:
    item = f"e.{prefix}_item_id"

    def live(of: str) -> str:
        """Whoever bought something and saves it tells its owner nothing new."""
        told = f"e.is_current AND NOT e.is_delete AND {heard('e.user_id')}"
        if kind != "save":
            return told
        return f"""{told}
           AND NOT EXISTS (SELECT 1 FROM usdc_purchases q WHERE q.buyer_user_id = e.user_id AND q.content_type = '{of}'
                              AND q.content_id = {item})"""

    of_track = f"""{table} e JOIN tracks t ON t.track_id = {item} AND t.is_current
         WHERE e.{prefix}_type = 'track' AND t.owner_id IS NOT NULL AND t.owner_id <> e.user_id AND {live("track")}"""
    of_list = f"""{table} e JOIN playlists p ON p.playlist_id = {item} AND p.is_current
         WHERE e.{prefix}_type IN ('playlist', 'album') AND p.playlist_owner_id IS NOT NULL
           AND p.playlist_owner_id <> e.user_id AND {live("album")}"""
    track = _notice(
        "social",
        kind,
        "t.owner_id",
        "e.user_id",
        "'track'",
        item,
        group_of(f"'{kind}'", item, "'track'"),
        "e",
        of_track,
    )
    group = group_of(f"'{kind}'", item, "'playlist'")
    both = _notice("social", kind, "p.playlist_owner_id", "e.user_id", "'playlist'", item, group, "e", of_list)
    return f"{track}\n         UNION ALL{both}"


def social(w: Words) -> str:
    """Follows, saves and reposts."""
    follows = f"follows f WHERE f.is_current AND NOT f.is_delete AND {heard('f.follower_user_id')}"
    follow = _notice(
        "social",
        "follow",
        "f.followee_user_id",
        "f.follower_user_id",
        "'user'",
        "f.followee_user_id",
        group_of("'follow'", "f.followee_user_id"),
        "f",
        follows,
    )
    parts = [follow, _mark("save", "saves", "save"), _mark("repost", "reposts", "repost")]
    return "\n         UNION ALL".join(parts)


PUBLIC = "t.is_current AND NOT t.is_delete AND NOT t.is_unlisted AND t.is_available AND t.owner_id IS NOT NULL"


_REMIXES = f"""
               SELECT t.owner_id AS remixer_id, o.owner_id AS user_id, x.child_track_id AS track_id,
                      min(x.parent_track_id) AS parent_id, min(t.created_at) AS created_at, min(t.blocknumber) AS blocknumber
                 FROM remixes x JOIN tracks t ON t.track_id = x.child_track_id
                 JOIN tracks o ON o.track_id = x.parent_track_id AND o.is_current
                WHERE {PUBLIC} AND o.owner_id IS NOT NULL AND o.owner_id <> t.owner_id
                GROUP BY t.owner_id, o.owner_id, x.child_track_id"""
"""Remixes, once for each artist whose tracks they were made of: one that was made of two tracks of the same artist is one."""


def content(w: Words) -> str:
    """What those hear of whom it concerns: new tracks and collections, remixes, tracks in collections."""
    tracks = f"""tracks t JOIN subscriptions s ON s.user_id = t.owner_id AND s.is_current AND NOT s.is_delete
         WHERE {PUBLIC} AND t.stem_of IS NULL AND NOT t.is_playlist_upload AND s.created_at <= t.created_at"""
    lists = """playlists p JOIN subscriptions s ON s.user_id = p.playlist_owner_id AND s.is_current AND NOT s.is_delete
         WHERE p.is_current AND NOT p.is_delete AND NOT p.is_private AND s.created_at <= p.created_at"""
    added = """playlist_tracks e JOIN playlists p ON p.playlist_id = e.playlist_id AND p.is_current
                  JOIN tracks t ON t.track_id = e.track_id AND t.is_current
         WHERE NOT e.is_removed AND NOT p.is_delete AND NOT p.is_private AND p.playlist_owner_id IS NOT NULL
           AND t.owner_id IS NOT NULL AND t.owner_id <> p.playlist_owner_id"""
    remixes, entry = f"({_REMIXES}) x", ("e.playlist_id", "e.track_id")
    bought = """playlist_tracks e JOIN playlists p ON p.playlist_id = e.playlist_id AND p.is_current
                  JOIN tracks t ON t.track_id = e.track_id AND t.is_current
                  JOIN (SELECT q.buyer_user_id, q.content_id, min(q.created_at) AS created_at FROM usdc_purchases q
                         WHERE q.content_type = 'album' GROUP BY q.buyer_user_id, q.content_id) b
                    ON b.content_id = e.playlist_id AND b.created_at < e.created_at
         WHERE NOT e.is_removed AND p.is_album AND NOT p.is_delete AND p.playlist_owner_id <> b.buyer_user_id"""
    subscriber, playlist, buyer = "s.subscriber_id", "p.playlist_id", "b.buyer_user_id"
    parts = [
        (
            "create",
            subscriber,
            "t.owner_id",
            "track",
            "t.track_id",
            ("'track'", "t.owner_id"),
            "t.track_id",
            "t",
            tracks,
        ),
        ("create", subscriber, "p.playlist_owner_id", "playlist", playlist, ("'playlist'", playlist), "", "p", lists),
        ("remix", "x.user_id", "x.remixer_id", "track", "x.track_id", ("x.track_id", "x.parent_id"), "", "x", remixes),
        ("track_added_to_playlist", "t.owner_id", playlist, "track", "e.track_id", entry, "t.owner_id", "e", added),
        ("track_added_to_purchased_album", buyer, playlist, "track", "e.track_id", entry, buyer, "e", bought),
    ]
    return "\n         UNION ALL".join(
        _notice("content", kind, user, actor, f"'{of}'", item, group_of(f"'{kind}'", *about), at, source, specifier)
        for kind, user, actor, of, item, about, specifier, at, source in parts
    )


def money(w: Words) -> str:
    """Tips and purchases, told to both sides, and what the receiver of a tip makes of it."""
    tips = """(SELECT slot, signature, sender_user_id, receiver_user_id, created_at, slot AS blocknumber
                   FROM user_tips) t"""
    thanked = """(SELECT t.slot, t.signature, t.sender_user_id, x.user_id, x.created_at, x.blocknumber
                   FROM tip_reactions x JOIN user_tips t ON t.signature = x.reacted_to AND t.receiver_user_id = x.user_id
                  WHERE x.value > 0) x"""
    sold = """(SELECT slot, signature, buyer_user_id, seller_user_id, created_at, slot AS blocknumber
                   FROM usdc_purchases) q"""
    parts = [
        ("tip_send", "t.sender_user_id", "t.receiver_user_id", "t", tips),
        ("tip_receive", "t.receiver_user_id", "t.sender_user_id", "t", tips),
        ("reaction", "x.sender_user_id", "x.user_id", "x", thanked),
        ("usdc_purchase_seller", "q.seller_user_id", "q.buyer_user_id", "q", sold),
        ("usdc_purchase_buyer", "q.buyer_user_id", "q.seller_user_id", "q", sold),
    ]
    return "\n         UNION ALL".join(
        _notice(
            "money",
            kind,
            user,
            actor,
            f"{at}.signature",
            f"{at}.slot",
            group_of(f"'{kind}'", f"{at}.slot", f"{at}.signature"),
            at,
            source,
            user,
        )
        for kind, user, actor, at, source in parts
    )


COOLDOWN_SINCE = "2024-06-06 00:00:00"


def claimable(w: Words) -> str:
    """Rewards that have cooled down for seven days."""
    return f"""
        SELECT 'claimable' AS family, 'claimable_reward' AS type, c.user_id, c.user_id AS actor_id,
               c.challenge_id AS item_type, c.completed_blocknumber AS item_id,
               {group_of("'claimable'", "c.user_id", "c.challenge_id", "c.specifier")} AS group_id, c.specifier,
               c.completed_at AS "timestamp", c.completed_blocknumber AS blocknumber
          FROM user_challenges c JOIN challenges h ON h.id = c.challenge_id
         WHERE c.is_complete AND h.cooldown_days > 0 AND c.completed_at >= '{COOLDOWN_SINCE}'
           AND c.completed_at <= {w.earlier(w.now, "7 days")}
    """


COMPLETIONS = """
    SELECT c.challenge_id, c.user_id, c.specifier, 1 AS completed
      FROM user_challenges c
     WHERE c.is_complete
"""
"""Completed rewards, one by one: what their notices are made of."""

_COMPLETED = """
    SELECT c.completed_at, c.completed_blocknumber, coalesce(h.cooldown_days, 0), h.type
      FROM user_challenges c JOIN challenges h ON h.id = c.challenge_id
     WHERE c.challenge_id = :challenge AND c.specifier = :specifier
"""
TOLD_LATELY = (
    "SELECT 1 FROM notification "
    "WHERE type = 'reward_in_cooldown' AND user_id = :user AND \"timestamp\" >= :since LIMIT 1"
)
"""Answered by a partial index, whatever else people were told of."""
_TELL = (
    "INSERT INTO notification (family, type, user_id, actor_id, item_type, item_id, group_id, specifier, "
    '"timestamp", blocknumber) '
    "VALUES ('reward', :kind, :user, :user, :challenge, :height, :group, :specifier, :at, :height) "
    "ON CONFLICT (group_id, specifier, user_id) DO NOTHING"
)


def add_rewards(completions: Declaration) -> None:
    """Notices of completed rewards. One that has to cool down is told of at most once an hour."""
    completions.on_crossing("completed", at=[1], handler=tell_of_reward)


def tell_of_reward(db: Database, event: Any) -> None:
    """What a user hears when a reward is complete: that it is theirs, or that it is theirs after a while."""
    challenge, user, specifier = event.key["challenge_id"], int(event.key["user_id"]), event.key["specifier"]
    completed = db.one(_COMPLETED, {"challenge": challenge, "specifier": specifier})
    if completed is None:
        return
    at, height, cooldown, kind = completed
    facts = {"challenge": challenge, "user": user, "specifier": specifier, "height": int(height), "at": str(at)}
    if cooldown == 0:
        kinds = ["challenge_reward"] if kind == "trending" else ["challenge_reward", "claimable_reward"]
    elif challenge in NOT_COOLED or _was_told_lately(db, user, str(at)):
        kinds = []
    else:
        kinds = ["reward_in_cooldown"]
    for told in kinds:
        db.run(_TELL, facts | {"kind": told, "group": f"{told}:{user}:{challenge}:{specifier}"})


def _was_told_lately(db: Database, user: int, at: str) -> bool:
    since = datetime.fromisoformat(at) - timedelta(hours=1)
    return db.one(TOLD_LATELY, {"user": user, "since": since.isoformat(" ")}) is not None
