"""What reaches people by way of others: what those whom they follow passed on, and artists who mark remixes of their tracks."""

from __future__ import annotations

from examples.soundgraph.notifications import group_of, heard, notice
from examples.soundgraph.portable import Words

FAMILY = "by_way"
_CLASSES = {"track": "= 'track'", "playlist": "IN ('playlist', 'album')"}
"""Playlists and albums share one id space, and callers use either word."""


def _passed_on(w: Words, kind: str, table: str, prefix: str, of: str) -> str:
    """A mark of what somebody whom its maker follows had reposted within thirty days before: that one is told."""
    item, one = f"e.{prefix}_item_id", _CLASSES[of]
    source = f"""{table} e
               JOIN follows f ON f.follower_user_id = e.user_id AND f.is_current AND NOT f.is_delete
               JOIN reposts r ON r.user_id = f.followee_user_id AND r.repost_item_id = {item} AND r.repost_type {one}
                             AND r.is_current AND NOT r.is_delete
         WHERE e.{prefix}_type {one} AND e.is_current AND NOT e.is_delete AND {heard("e.user_id")}
           AND r.created_at <= e.created_at AND r.created_at > {w.earlier("e.created_at", "30 days")}"""
    group = group_of(f"'{kind}'", item, f"'{of}'")
    dated = {"at": "e.created_at", "height": "e.blocknumber"}
    return notice(FAMILY, kind, "r.user_id", "e.user_id", f"'{of}'", item, group, source, **dated)


_MARKED = """
               SELECT t.owner_id AS remixer_id, p.owner_id AS user_id, x.child_track_id AS track_id,
                      min(x.parent_track_id) AS parent_id, min(m.created_at) AS created_at, min(m.blocknumber) AS blocknumber
                 FROM remixes x
                 JOIN tracks t ON t.track_id = x.child_track_id AND t.is_current AND NOT t.is_delete
                 JOIN tracks p ON p.track_id = x.parent_track_id AND p.is_current
                 JOIN (SELECT s.user_id, s.save_item_id AS track_id, s.created_at, s.blocknumber
                         FROM saves s WHERE s.save_type = 'track' AND s.is_current AND NOT s.is_delete
                        UNION ALL
                       SELECT r.user_id, r.repost_item_id AS track_id, r.created_at, r.blocknumber
                         FROM reposts r WHERE r.repost_type = 'track' AND r.is_current AND NOT r.is_delete) m
                   ON m.track_id = x.child_track_id AND m.user_id = p.owner_id
                WHERE t.owner_id <> p.owner_id
                GROUP BY t.owner_id, p.owner_id, x.child_track_id"""
"""Remixes that the owner of a track they were made of saved or reposted, once for each owner and remix, and when first.
Everything is joined to the remix: whatever changes asks for its few remixes first."""


def by_way(w: Words) -> str:
    """Saves and reposts of what was reposted, and cosigns."""
    parts = [
        _passed_on(w, f"{action}_of_repost", table, action, of)
        for action, table in (("save", "saves"), ("repost", "reposts"))
        for of in _CLASSES
    ]
    group = group_of("'cosign'", "c.parent_id", "c.track_id")
    dated = {"at": "c.created_at", "height": "c.blocknumber"}
    parts.append(
        notice(
            FAMILY,
            "cosign",
            "c.remixer_id",
            "c.user_id",
            "'track'",
            "c.track_id",
            group,
            f"({_MARKED}) c",
            **dated,
        )
    )
    return "\n         UNION ALL".join(parts)
