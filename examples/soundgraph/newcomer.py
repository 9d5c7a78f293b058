"""Somebody who signs up, completes their profile and takes part of it back, with a tick after each step: what the demo shows
of challenges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from examples.soundgraph.indexer import take
from examples.soundgraph.stores import Store

NEWCOMER = 2_147_483_000
"""An id that no input has."""
FRIENDS = range(NEWCOMER + 1, NEWCOMER + 6)
TRACK = NEWCOMER + 10


def _event(user: int, kind: str, number: int, action: str, **metadata: Any) -> dict[str, Any]:
    tx = {"type": "manage_entity", "user_id": user, "entity_type": kind, "entity_id": number, "action": action}
    return tx | {"metadata": metadata}


def _about(action: str, **profile: Any) -> dict[str, Any]:
    return _event(NEWCOMER, "User", NEWCOMER, action, **profile)


def _steps() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    pictures = {"profile_picture": "picture", "cover_photo": "cover"}
    yield "signs up with name, picture and cover", [_about("Create", handle="newcomer", name="New", **pictures)]
    marks = [_event(NEWCOMER, "Track", TRACK, action) for action in ("Save", "Repost")]
    follows = [_event(NEWCOMER, "User", friend, "Follow") for friend in FRIENDS]
    yield "follows five people, saves and reposts a track", follows + marks
    yield "writes a bio", [_about("Update", bio="Hello")]
    yield (
        "unfollows one of them and takes the bio away",
        [
            _event(NEWCOMER, "User", FRIENDS[0], "Unfollow"),
            _about("Update", bio=None),
        ],
    )


def show(store: Store, tick: Callable[[], object]) -> Iterator[str]:
    """One line for each step, with how far the challenge is at the tick right after it; ``tick`` makes one."""
    [(height,)] = store.query("SELECT coalesce(max(number), 0) FROM blocks")
    for step, (what, events) in enumerate(_steps(), start=1):
        take(store.database, [{"block": height + step, "timestamp": 1_800_000_000 + step, "txs": events}])
        tick()
        [(steps, complete, at)] = store.query(
            "SELECT current_step_count, is_complete, completed_blocknumber FROM user_challenges "
            "WHERE challenge_id = 'p' AND user_id = ?",
            (NEWCOMER,),
        )
        progress = f"complete since block {at:,}" if complete else f"{steps} of 7 steps"
        yield f"  {what:<48} {progress}"


def earned(store: Store) -> Iterator[str]:
    """One line for each challenge: how many have completed it, and how many are on their way."""
    for name, complete, rows in store.query(
        "SELECT c.name, coalesce(sum(CASE WHEN u.is_complete THEN 1 ELSE 0 END), 0), count(u.user_id) "
        "FROM challenges c LEFT JOIN user_challenges u ON u.challenge_id = c.id GROUP BY c.id, c.name ORDER BY c.id"
    ):
        yield f"  {name:<24} {complete:>9,} {rows - complete:>10,}"
