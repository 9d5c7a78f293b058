"""Every table that is derived from the base tables: its query, its key, and how fresh it is.

What the queries are about stands in the modules that they come from. Everything that can be added up is true at every
commit; the rest is true at ticks, and the rewards tick every thirty seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from examples.soundgraph import (
    challenges,
    counting,
    earning,
    listening,
    milestones,
    notices_by_way,
    notices_comments,
    notices_events,
    notifications,
    standing,
    supporters,
    trending,
)
from examples.soundgraph.catalogue import CATALOGUE, Challenge
from examples.soundgraph.indexer import add_stream
from examples.soundgraph.portable import both
from tidemark import Project, first, jsonl, position, ratchet
from tidemark.blocks import Source

Query = str | Mapping[str, str]
BLOCKS = "SOUNDGRAPH_BLOCKS"
"""The variable that names the file of blocks for ``tidemark stream run ledger``."""


@dataclass(frozen=True)
class Declared:
    """A derived table as it is declared. ``options`` are further arguments of ``Project.derive``."""

    name: str
    key: tuple[str, ...]
    query: Query
    options: Mapping[str, Any] = field(default_factory=dict)


def _tick(every: str, **options: Any) -> Mapping[str, Any]:
    return {"freshness": "tick", "every": every, **options}


COUNTS = (
    Declared("aggregate_user", ("user_id",), counting.USER_QUERY),
    Declared("aggregate_track", ("track_id",), counting.TRACK_QUERY),
    Declared("aggregate_playlist", ("playlist_id",), counting.PLAYLIST_QUERY),
    Declared("aggregate_plays", ("play_item_id",), counting.PLAYS_QUERY),
    Declared("aggregate_monthly_plays", ("play_item_id", "timestamp", "country"), counting.MONTHLY_PLAYS_QUERY),
    Declared("hourly_play_counts", ("hourly_timestamp",), both(listening.hourly_plays)),
    Declared("user_track_plays", ("user_id", "play_item_id"), listening.USER_TRACK_PLAYS),
    Declared("aggregate_user_tips", ("sender_user_id", "receiver_user_id"), counting.TIPS_QUERY),
)
"""What can be added up: true at every commit."""

LISTENING = (
    Declared("user_distinct_play_hours", ("user_id",), both(listening.distinct_hours), _tick("30s")),
    Declared("user_distinct_play_tracks", ("user_id",), listening.DISTINCT_TRACKS, _tick("30s")),
    Declared("user_listening_history", ("user_id",), both(listening.listening_history), _tick("5s")),
)

CONTAINED = (
    Declared("user_supporters", ("user_id",), counting.SUPPORTERS_QUERY, _tick("5s")),
    Declared("track_playlists", ("track_id",), both(counting.containing_playlists), _tick("30s")),
)
"""What is counted over what is counted, and the inverse of what collections contain."""

STANDING = (
    Declared("user_dominant_genre", ("user_id",), both(standing.dominant_genre), _tick("30s")),
    Declared("user_karma", ("user_id",), both(standing.karma), _tick("30s")),
    Declared("user_score_features", ("user_id",), both(standing.score_features), _tick("30s")),
    Declared("user_score", ("user_id",), both(standing.score), _tick("30s")),
)


NOTICE = ("family", "type", "user_id", "actor_id", "item_type", "item_id", "specifier")
"""What makes a notice one, in columns that lead to the rows that it tells of."""

REMEMBERED = MappingProxyType(
    {
        "is_complete": ratchet(),
        "current_step_count": first(when="is_complete"),
        "amount": first(when="is_complete"),
        "created_at": first(),
        "completed_at": first(),
        "completed_blocknumber": first(value=position(), when="is_complete"),
    }
)
"""A row is made once and completed once. What completed it may go; the row may not."""


def _challenge(challenge: Challenge) -> Declared:
    # The newest block only says when a row was made or completed: that there is another one makes no row new.
    options = _tick("30s", rows_of="user_challenges", keep=REMEMBERED, keep_rows=True, sampled=["blocks"])
    query = challenges.QUERIES[challenge.id]
    return Declared(
        f"challenge_{challenge.id}",
        ("challenge_id", "user_id", "specifier"),
        both(lambda words: query(words, challenge)),
        options,
    )


EARNING = (
    Declared("challenge_profile_completion", ("user_id",), challenges.PROFILES, _tick("30s")),
    Declared(
        "referrals",
        ("referrer_user_id", "referred_user_id"),
        earning.REFERRALS,
        _tick("30s", keep={"challenge_id": first()}, keep_rows=True, sampled=["users.is_verified"]),
    ),
    Declared("artist_plays", ("user_id",), earning.ARTIST_PLAYS, _tick("30s")),
    Declared(
        "cosigns", ("cosigner_id", "track_id", "remixer_id"), earning.COSIGNS, _tick("30s", indexes=["remixer_id"])
    ),
    Declared(
        "contest_wins", ("event_id", "user_id", "host_id"), earning.CONTEST_WINS, _tick("30s", indexes=["user_id"])
    ),
    Declared("early_marks", ("track_id", "user_id"), earning.EARLY_MARKS, _tick("30s", indexes=["user_id"])),
)
"""What is worked out before it is paid."""


def declare_challenges(catalogue: Mapping[str, Challenge]) -> tuple[Declared, ...]:
    """The rewards of a catalogue. The rows of each are those of ``user_challenges`` that carry its id."""
    return tuple(_challenge(challenge) for challenge in catalogue.values())


CHALLENGES = (*EARNING, *declare_challenges(CATALOGUE))

TRENDING = (
    Declared("track_karma", ("track_id",), trending.TRACK_KARMA, _tick("1h")),
    Declared("playlist_karma", ("playlist_id",), trending.PLAYLIST_KARMA, _tick("1h")),
    Declared("track_trending_all_time", ("track_id", "version"), trending.ALL_TIME_TRACKS, _tick("1h")),
    Declared(
        "track_trending_scores", ("track_id", "version", "time_range"), both(trending.trending_tracks), _tick("1h")
    ),
    Declared(
        "playlist_trending_scores",
        ("playlist_id", "version", "time_range"),
        both(trending.trending_playlists),
        _tick("1h"),
    ),
    Declared(
        "underground_trending", ("track_id", "version"), trending.UNDERGROUND_TRACKS, _tick("1h", allow_global=True)
    ),
)


def _notices(family: str, query: Query, **options: Any) -> Declared:
    memory = {"keep": {"timestamp": first(), "blocknumber": first()}, "keep_rows": True}
    return Declared(f"notices_{family}", NOTICE, query, _tick("10s", rows_of="notification", **memory, **options))


NOTICES = (
    Declared("contest_submissions", ("event_id",), milestones.CONTEST_SUBMISSIONS, _tick("30s")),
    Declared("completed_challenges", ("challenge_id", "user_id", "specifier"), notifications.COMPLETIONS),
    _notices("social", both(notifications.social), sampled=["user_score"]),
    _notices("content", both(notifications.content)),
    _notices("comments", both(notices_comments.comments)),
    _notices("tiers", both(notices_comments.tiers)),
    _notices("money", both(notifications.money)),
    _notices("support", both(supporters.support)),
    _notices("by_way", both(notices_by_way.by_way), sampled=["user_score"]),
    _notices("contests", both(notices_events.contests)),
    _notices("endings", both(notices_events.endings)),
    _notices("charts", both(notices_events.charts)),
    _notices("reminders", both(notices_events.reminders)),
    _notices("claimable", both(notifications.claimable)),
)
"""What people are told of, and what that is made of."""

DECLARED = (*COUNTS, *CONTAINED, *LISTENING, *CHALLENGES, *STANDING, *TRENDING, *NOTICES)
"""All of them, each after those that it reads."""

INACTIVE = frozenset(f"challenge_{challenge.id}" for challenge in CATALOGUE.values() if not challenge.active)
"""Rewards that nothing is worked out for."""

QUERIES: Mapping[str, Query] = {declared.name: declared.query for declared in DECLARED}


def make_project(
    marks: Literal["now", "history"] = "history",
    wanted: Iterable[Declared] | None = None,
    source: Source | None = None,
    *,
    counts: Literal["commit", "tick"] = "commit",
    **stream: Any,
) -> Project:
    """A project of what is wanted (by default everything but inactive rewards), and of the stream of blocks from ``source``.

    ``marks`` says what is paid where data is there already: rewards for all of it, or only for what changes from now on.
    ``counts`` is the freshness of what can be added up: at every commit, or by ticks like the rest, which costs a writer less.
    ``stream`` are options of :func:`examples.soundgraph.indexer.add_stream`.
    """
    made = Project("soundgraph")
    add_stream(made, source or jsonl(os.environ.get(BLOCKS, "blocks.jsonl.gz")), **stream)
    declarations = {}
    chosen = tuple(wanted if wanted is not None else (one for one in DECLARED if one.name not in INACTIVE))
    if any(one.name == "notices_support" for one in chosen):
        supporters.declare_rank_ups(made)
    for one in chosen:
        remembers: Mapping[str, Any] = {"marks": marks} if "keep" in one.options else {}
        fresh: Mapping[str, Any] = {"freshness": "tick"} if counts == "tick" and "freshness" not in one.options else {}
        declarations[one.name] = made.derive(
            one.name, key=one.key, query=one.query, **one.options, **remembers, **fresh
        )
    milestones.add_milestones(declarations)
    if "completed_challenges" in declarations:
        notifications.add_rewards(declarations["completed_challenges"])
    return made


project = make_project()


def query_text(name: str, engine: str) -> str:
    """The declared query of a derived table for ``'sqlite'`` or ``'postgresql'``."""
    query = QUERIES[name]
    return query if isinstance(query, str) else query[engine]
