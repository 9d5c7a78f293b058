"""What people hear of contests, of the week's lists, and of a streak that is about to end."""

from __future__ import annotations

from examples.soundgraph.earning import TOP
from examples.soundgraph.notifications import group_of, notice
from examples.soundgraph.portable import Words

SOON = "2 days"
"""So long before its end a contest ends soon."""
_CONTEST = "e.event_type = 'remix_contest' AND NOT e.is_deleted"
_FOLLOWED = "follows x ON x.followee_user_id = e.user_id AND x.is_current AND NOT x.is_delete"
_SAVED = "saves x ON x.save_item_id = e.entity_id AND x.save_type = 'track' AND x.is_current AND NOT x.is_delete"


def _of_contest(family: str, kind: str, user: str, source: str, at: str) -> str:
    group = group_of(f"'{kind}'", "e.event_id")
    dated = {"at": at, "height": "e.blocknumber", "specifier": user}
    return notice(family, kind, user, "e.user_id", "'event'", "e.event_id", group, source, **dated)


def _to_fans(family: str, kind: str, at: str, since: str = "", when: str = "") -> list[str]:
    """To whoever followed the host or had saved the track by then, each once."""
    return [
        _of_contest(
            family,
            kind,
            user,
            f"events e JOIN {fans} {since}\n         WHERE {_CONTEST} AND {user} <> e.user_id AND x.created_at <= {at} {when}",
            at,
        )
        for user, fans in (("x.follower_user_id", _FOLLOWED), ("x.user_id", _SAVED))
    ]


_NAMED = """JOIN (SELECT w.event_id, min(w.announced_at) AS created_at FROM contest_winners w GROUP BY w.event_id) n
                   ON n.event_id = e.event_id"""


def contests(w: Words) -> str:
    """That a contest began, and that it has winners."""
    parts = [
        *_to_fans("contests", "fan_remix_contest_started", "e.created_at"),
        *_to_fans("contests", "fan_remix_contest_winners_selected", "n.created_at", _NAMED),
    ]
    return "\n         UNION".join(parts)


def endings(w: Words) -> str:
    """That a contest ends soon, and that it is over: to the host too."""
    soon = w.earlier("e.end_date", SOON)
    soon_now = f"AND e.end_date <= {w.later(w.now, SOON)} AND e.end_date > {w.now}"
    over_now = f"AND e.end_date <= {w.now}"
    parts = [
        *_to_fans("endings", "fan_remix_contest_ending_soon", soon, when=soon_now),
        *_to_fans("endings", "fan_remix_contest_ended", "e.end_date", when=over_now),
        *(
            _of_contest("endings", f"artist_remix_contest_{kind}", "e.user_id", f"events e WHERE {_CONTEST} {when}", at)
            for kind, when, at in (("ending_soon", soon_now, soon), ("ended", over_now, "e.end_date"))
        ),
    ]
    return "\n         UNION".join(parts)


_LISTS = (("trending", "tracks"), ("trending_underground", "underground"), ("trending_playlist", "playlists"))


def charts(w: Words) -> str:
    """Places in the week's lists, and early marks of what came to be at the top."""
    parts = []
    for kind, of in _LISTS:
        source = f"trending_results r WHERE r.type = '{of}'"
        group = group_of(f"'{kind}'", "r.week", "r.rank", "r.id")
        dated = {"at": w.midnight("r.week"), "height": "NULL", "specifier": "r.user_id"}
        parts.append(notice("charts", kind, "r.user_id", "r.rank", "r.week", "r.id", group, source, **dated))
    first = f"""early_marks m JOIN (SELECT r.id, min(r.week) AS week FROM trending_results r
                                  WHERE r.type = 'tracks' AND r.rank <= {TOP} GROUP BY r.id) l ON l.id = m.track_id
                    JOIN users u ON u.user_id = m.user_id AND u.is_current AND NOT u.is_deactivated"""
    group = group_of("'tastemaker'", "m.user_id", "m.track_id")
    dated = {"at": w.midnight("l.week"), "height": "NULL"}
    parts.append(
        notice("charts", "tastemaker", "m.user_id", "m.user_id", "'track'", "m.track_id", group, first, **dated)
    )
    return "\n         UNION ALL".join(parts)


def reminders(w: Words) -> str:
    """Whoever listened last between 42 and 43 hours ago: five hours are left."""
    last = "l.last_listen_date"
    source = f"""challenge_listen_streak l
         WHERE {last} <= {w.earlier(w.now, "42 hours")} AND {last} > {w.earlier(w.now, "43 hours")}"""
    day = w.day_number(last)
    group = group_of("'listen_streak_reminder'", "l.user_id", day)
    kind, dated = "listen_streak_reminder", {"at": w.later(last, "42 hours"), "height": "NULL"}
    return notice("reminders", kind, "l.user_id", "l.user_id", "'streak'", day, group, source, **dated)
