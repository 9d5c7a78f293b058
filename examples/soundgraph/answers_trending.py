"""What the trending scores must be at a given time, worked out from the generator's model in Python."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from examples.soundgraph.inhabitants import Playlist, Track
from examples.soundgraph.world import Edge, World

DAY = 86_400
WINDOWS = {"week": 7, "month": 30, "year": 365}
Score = list[Any]


class Trending:
    """Scores at ``now``, a midnight in unix seconds."""

    def __init__(self, world: World, now: int) -> None:
        self._world = world
        self._now = now
        self._followers = Counter(other for _, other in world.follows)
        self._following = Counter(user for user, _ in world.follows)
        self._karma: Counter[tuple[str, int]] = Counter()
        for edges in (world.saves, world.reposts):
            for user, kind, number in edges:
                if self._whole(user):
                    self._karma[kind, number] += self._followers[user]
        self._saves = {days: self._count(world.saves, days) for days in (*WINDOWS.values(), None)}
        self._reposts = {days: self._count(world.reposts, days) for days in (*WINDOWS.values(), None)}

    def answers(self) -> dict[str, Any]:
        """Every score, as rows by key."""
        tracks = sorted(self._tracks())
        return {
            "track_karma": self._karmas("Track"),
            "playlist_karma": self._karmas("Playlist"),
            "track_trending_all_time": sorted(self._all_time()),
            "trending_at": self._now,
            "track_trending_scores": tracks,
            "playlist_trending_scores": sorted(self._playlists()),
            "underground_trending": sorted(self._underground(tracks)),
            **self._weekly(tracks),
        }

    def _weekly(self, tracks: list[Score]) -> dict[str, Any]:
        """The week's lists as they are announced today, and the rewards for them."""
        world, week = self._world, datetime.fromtimestamp(self._now, UTC).strftime("%Y-%m-%d")
        underground = [
            [number, version, "week", None, score] for number, version, _, score in self._underground(tracks)
        ]
        playlists = [[number, version, name, None, score] for number, version, name, score in self._playlists()]
        lists = {"tracks": tracks, "underground": underground, "playlists": playlists}
        results, rewards = [], []
        for (kind, scores), challenge in zip(lists.items(), ("tt", "tut", "tp"), strict=True):
            top = sorted(((s[4], s[0]) for s in scores if s[1:3] == ["pnagD", "week"]), reverse=True)[:10]
            for rank, (_, number) in enumerate(top, start=1):
                owner = (world.playlists if kind == "playlists" else world.tracks)[number].owner or 0
                results.append([week, kind, rank, owner, number])
                if not world.users[owner].deactivated:
                    whole = 100 if challenge == "tp" else 1_000
                    rewards.append([challenge, f"{week}:{rank}", owner, whole if rank <= 5 else whole // 10])
        for _, _, _, _, number in results[:10]:
            for user in sorted(self._early(number)):
                rewards.append(["t", f"{user:x}:t:{number:x}", user, 100])
        return {"trending_results": sorted(results), "weekly_challenges": sorted(rewards)}

    def _early(self, number: int) -> set[int]:
        """Who was among the first ten to save or to repost a track, and is not away."""
        found: set[int] = set()
        for edges in (self._world.saves, self._world.reposts):
            marks = sorted(
                (self._world.closed[block][1], user)
                for (user, kind, item), block in edges.items()
                if (kind, item) == ("Track", number)
            )
            found |= {user for _, user in marks[:10] if not self._world.users[user].deactivated}
        return found

    def _karmas(self, kind: str) -> dict[str, int]:
        marked = {
            number
            for edges in (self._world.saves, self._world.reposts)
            for user, of, number in edges
            if of == kind and self._whole(user)
        }
        return {str(number): self._karma[kind, number] for number in sorted(marked)}

    def _whole(self, user: int) -> bool:
        person = self._world.users[user]
        return bool(person.bio) and person.pictured and person.covered

    def _count(self, edges: Mapping[Edge, int], days: int | None) -> Counter[tuple[str, int]]:
        first = 0 if days is None else self._now - days * DAY
        return Counter((kind, n) for (_, kind, n), block in edges.items() if self._world.closed[block][1] >= first)

    def _factor(self, version: str, karma: int) -> float:
        return float(karma) if version == "pnagD" else 1 + math.log10(1 + karma)

    def _fade(self, item: Track | Playlist, days: int) -> float:
        since = self._world.closed[item.created][1]
        if item.release is not None and since < item.release <= self._now:
            since = item.release
        age = (self._now - since) / DAY
        return 1.0 if age <= days else max(1 / 100_000, 100_000 ** max(-10.0, 1 - age / days))

    def _public(self) -> Iterator[tuple[int, Track, int]]:
        for number, track in self._world.tracks.items():
            if track.public and track.owner is not None:
                yield number, track, track.owner

    def _listens(self, track: int, days: int) -> int:
        first = (self._now - days * DAY) // DAY
        return sum(self._world.daily[track, day] for day in range(first, self._now // DAY + 1))

    def _all_time(self) -> Iterator[Score]:
        for number, track, owner in self._public():
            kind = ("Track", number)
            marks = 0.25 * self._reposts[None][kind] + 0.01 * self._saves[None][kind]
            for version in ("pnagD", "AnlGe"):
                score = (self._world.plays[number] + marks) * self._factor(version, self._karma[kind])
                yield [number, version, track.genre, score if self._followers[owner] >= 3 else 0.0]

    def _score(self, kind: tuple[str, int], item: Track | Playlist, days: int, version: str, listens: int) -> float:
        if self._followers[item.owner if item.owner is not None else 0] < 3:
            return 0.0
        lately = listens + 50 * self._reposts[days][kind] + self._saves[days][kind]
        marks = 0.25 * self._reposts[None][kind] + 0.01 * self._saves[None][kind]
        return (lately + marks) * self._factor(version, self._karma[kind]) * self._fade(item, days)

    def _tracks(self) -> Iterator[Score]:
        for number, track, _ in self._public():
            for name in ("week", "month"):
                days = WINDOWS[name]
                for version in ("pnagD", "AnlGe"):
                    score = self._score(("Track", number), track, days, version, self._listens(number, days))
                    yield [number, version, name, track.genre, score]

    def _playlists(self) -> Iterator[Score]:
        for number, known in self._world.playlists.items():
            if known.owner is None or known.deleted or known.private or known.length < 3:
                continue
            for name, days in WINDOWS.items():
                for version in ("pnagD", "AnlGe"):
                    yield [number, version, name, self._score(("Playlist", number), known, days, version, 1)]

    def _underground(self, scores: list[Score]) -> Iterator[Score]:
        for version in ("pnagD", "AnlGe"):
            ranked = sorted(((s[4], s[0], s[3]) for s in scores if s[1] == version and s[2] == "week"), reverse=True)
            for score, number, genre in ranked[20:]:
                owner = self._world.tracks[number].owner or 0
                if self._followers[owner] < 1_500 and self._following[owner] < 1_500:
                    yield [number, version, genre, score]
