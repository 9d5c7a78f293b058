"""Two questions about the big database: what a tick of every reward costs after half a minute, and a look into all notices.

Owns: the tick over 5,000 touched users, and the look-up that each completed reward with a cooldown makes. Promises: the users
that are touched are the same at every scale; the look-up is the text that the application runs, through its schema's index.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from bench import big_world
from bench.budgets import Figure
from bench.duties import Place
from examples.soundgraph.catalogue import CATALOGUE
from examples.soundgraph.notifications import TOLD_LATELY
from tidemark import Tidemark

TOUCHED = 5_000
REWARDS = frozenset(f"challenge_{challenge.id}" for challenge in CATALOGUE.values())
"""The challenges themselves; what else the project derives is what they are made of."""
TICK_MS_MAX = 300.0
NOTICES = 23_500_000
LOOKS = 1_000
_FIFTHS = {
    "users": "name = name || '.' WHERE is_current AND user_id",
    "user_events": "blocknumber = 104, is_mobile_user = NOT is_mobile_user WHERE is_current AND user_id",
    "tracks": "blocknumber = 104, is_unlisted = NOT is_unlisted WHERE is_current AND track_id",
    "saves": "is_delete = NOT is_delete WHERE is_current AND user_id",
    "follows": "is_delete = NOT is_delete WHERE is_current AND follower_user_id",
}
"""What happens to each fifth of the users that are touched: everything that they ever did of a kind is turned over."""
ONE_EACH = _FIFTHS | {
    "saves": "is_delete = NOT is_delete WHERE is_current AND save_item_id = (SELECT min(o.save_item_id) FROM saves o "
    "WHERE o.user_id = saves.user_id AND o.is_current) AND user_id",
    "follows": "is_delete = NOT is_delete WHERE is_current AND followee_user_id = (SELECT min(o.followee_user_id) FROM follows o "
    "WHERE o.follower_user_id = follows.follower_user_id AND o.is_current) AND follower_user_id",
}
"""The same where each of them does one thing, as in half a minute."""
_COLUMNS = 'family, type, user_id, actor_id, item_type, item_id, group_id, specifier, "timestamp"'
_ROWS = (
    "'any', CASE WHEN i % 50 = 0 THEN 'reward_in_cooldown' ELSE 'follow' END, 1 + i % {users}, i, 'user', i, "
    "'g' || i, 's', "
    "'2026-01-01 00:00:00'"
)


def measure_together(place: Place, ours: Tidemark, scale: float, say: Callable[[str], None]) -> list[Figure]:
    """One tick of every reward, after 5,000 users were touched in several ways; three times, the middle one counts."""
    while any(report.keys_applied or not report.drained for report in ours.tick()):
        continue
    ways = (("one thing each", ONE_EACH), ("all that they ever did of a kind", _FIFTHS))
    return [figure for told, fifths in ways for figure in _touch(place, ours, scale, told, fifths, say)]


def _touch(
    place: Place, ours: Tidemark, scale: float, told: str, fifths: Mapping[str, str], say: Callable[[str], None]
) -> list[Figure]:
    """What the rewards are made of ticks first, then the rewards, which are the challenges of the budget."""
    names = [script.name for script in ours.sql()]
    parts = {
        "what rewards are made of": [name for name in names if name not in REWARDS],
        "rewards": [name for name in names if name in REWARDS],
    }
    walls: dict[str, list[float]] = {part: [] for part in parts}
    spent: dict[str, list[float]] = {part: [] for part in parts}
    fifth = TOUCHED // 5
    for _ in range(3):
        for number, (source, change) in enumerate(fifths.items()):
            place.run(f"UPDATE {source} SET {change} BETWEEN {number * fifth + 1} AND {(number + 1) * fifth}")
        for part, ticked in parts.items():
            cpu, begun = place.spent(), time.perf_counter()
            reports = ours.tick(*ticked)
            walls[part].append((time.perf_counter() - begun) * 1e3)
            spent[part].append((place.spent() - cpu) * 1e3)
            say(
                f"{place.engine} at {scale:g}: {told}: {part}: {sum(one.changes_sealed for one in reports):,} changes, "
                f"{sum(one.keys_applied for one in reports):,} keys, in {walls[part][-1]:.0f} ms, "
                f"processor {spent[part][-1]:.0f} ms"
            )
    work = f"{place.engine} at {scale:g}: {TOUCHED:,} users touched, {told}"
    both = [sum(pair) for pair in zip(*walls.values(), strict=True)]
    return [
        Figure(f"{work}: one tick of all rewards", statistics.median(walls["rewards"]), "ms", TICK_MS_MAX, False),
        *(Figure(f"{work}: {part}, processor time", statistics.median(spent[part]), "ms") for part in parts),
        Figure(f"{work}: rewards and what they are made of", statistics.median(both), "ms", TICK_MS_MAX, False),
    ]


def measure_look(place: Place, scale: float, users: int, say: Callable[[str], None]) -> list[Figure]:
    """Looks for a notice of the last hour, of users who have none and of users who have many."""
    rows = max(1, int(NOTICES * scale))
    head, _, tail = place.numbers.format(low=1, high=rows).partition("|")
    with big_world.without_indexes(place, "notification"):
        place.run(f"{head} INSERT INTO notification ({_COLUMNS}) SELECT {_ROWS.format(users=users)} {tail}")
    place.run("ANALYZE notification")
    texts = [
        TOLD_LATELY.replace(":user", str(1 + number * 50 % users)).replace(":since", f"'{since}'")
        for number in range(LOOKS // 2)
        for since in ("2026-01-01 00:00:00", "2026-01-02 00:00:00")
    ]
    walls = []
    for text in texts:
        begun = time.perf_counter()
        place.run(text)
        walls.append((time.perf_counter() - begun) * 1e3)
    say(
        f"{place.engine} at {scale:g}: a look into {rows:,} notices {statistics.median(walls):.3f} ms, worst {max(walls):.3f} ms"
    )
    return [
        Figure(
            f"{place.engine} at {scale:g}: a look for a notice of the last hour, of {rows:,}",
            statistics.median(walls),
            "ms",
        )
    ]
