"""Who people are taken for, and what is popular: genres, karma, scores and the lists of the week."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from tests.examples.recomputed.network import Item, Mark, Network, Row, Tables, document, moment

SOON = timedelta(minutes=3)
PRETENDED = ("soundgraph", "airdrop")
VERSIONS: dict[str, Callable[[int], float]] = {"pnagD": float, "AnlGe": lambda karma: 1 + math.log10(1 + karma)}
"""What the karma of those who marked something makes of its score, in each version."""
RANGES = {"week": 7, "month": 30, "year": 365}
FOLLOWERS_MIN = 3
"""Whoever has fewer followers scores nothing."""
TOP = 20
KNOWN = 1500
"""Whoever has or follows so many is not of the underground."""


def rate_users(network: Network) -> Tables:
    """Genre, karma and score of every user."""
    karma = {user: _karma(network, user) for user in network.users}
    too_soon = Counter(
        row.user_id
        for row in network.completed
        if row.challenge_id not in ("m", "b")
        and row.user_id in network.users
        and moment(row.completed_at) <= moment(network.users[row.user_id].created_at) + SOON
    )
    blocked = Counter(row.blockee_user_id for row in network.rows("chat_blocked_users") if not row.is_delete)
    scores = set()
    for user, row in network.users.items():
        penalty = too_soon[user] + 100 * blocked[user]
        # DIFFERENCES.md, Standing: without a handle 0, which is not below 0.
        scores.add((user, 0 if row.handle_lc is None else _score(network, row, karma[user]) - penalty))
    return {
        "user_dominant_genre": _genres(network),
        "user_karma": set(karma.items()),
        "user_score_features": {(user, too_soon[user]) for user in network.users},
        "user_score": scores,
    }


def _genres(network: Network) -> set[tuple[Any, ...]]:
    uploads: defaultdict[int, defaultdict[str | None, list[str]]] = defaultdict(lambda: defaultdict(list))
    for track in network.tracks.values():
        if network.public(track):
            uploads[track.owner_id][track.genre].append(track.created_at)
    rows = set()
    for user in network.users:
        # DIFFERENCES.md, Standing: after the latest upload the first genre by name, none last; and nothing, 0 without a track.
        ranked = sorted(uploads[user].items(), key=lambda genre: (genre[0] is None, genre[0] or ""))
        ranked.sort(key=lambda genre: (len(genre[1]), max(genre[1])), reverse=True)
        rows.add((user, ranked[0][0], len(ranked[0][1])) if ranked else (user, None, 0))
    return rows


def _karma(network: Network, user: int) -> int:
    count = network.followers[user]
    if count > 1000:
        return 100
    # DIFFERENCES.md, Standing: current follows, and a sum of nothing is 0.
    followers = [row.follower_user_id for row in network.follows if row.followee_user_id == user]
    return min(100, sum(network.followers[one] for one in followers if network.following[one] < 10_000) // 100)


def _score(network: Network, row: Row, karma: int) -> int:
    """What speaks for and against a user beside blocks and challenges."""
    user = row.user_id
    score = len(network.hours.get(user, ())) // 2 + network.followers[user] + karma
    if network.following[user] < 5:
        score -= 1
    if len(network.heard.get(user, ())) <= 3:
        score -= 10
    names = row.handle_lc.lower(), (row.name or "").lower()
    for word in PRETENDED:
        if not row.is_verified and any(word in name for name in names):
            score -= 1000
    return score


def rank_items(network: Network) -> Tables:
    """Karma and scores of tracks and collections, and the underground of the week."""
    popularity = _Popularity(network)
    all_time, tracks, playlists = set(), set(), set()
    for number, track in network.tracks.items():
        if not network.public(track) or track.owner_id is None:
            continue
        item = number, True
        for version in VERSIONS:
            all_time.add((number, version, track.genre, popularity.all_time(item, version)))
            for name in ("week", "month"):
                tracks.add((number, version, name, track.genre, popularity.score(item, track, name, version)))
    for number, playlist in network.playlists.items():
        contents = document(playlist.playlist_contents)
        # DIFFERENCES.md, Trending: what is no list has no tracks.
        length = len(contents) if isinstance(contents, list) else 0
        if playlist.is_delete or playlist.is_private or playlist.playlist_owner_id is None or length < 3:
            continue
        for version in VERSIONS:
            for name in RANGES:
                playlists.add((number, version, name, popularity.score((number, False), playlist, name, version)))
    return {
        "track_karma": {(number, karma) for (number, is_track), karma in popularity.karma.items() if is_track},
        "playlist_karma": {(number, karma) for (number, is_track), karma in popularity.karma.items() if not is_track},
        "track_trending_all_time": all_time,
        "track_trending_scores": tracks,
        "playlist_trending_scores": playlists,
        "underground_trending": _underground(network, tracks),
    }


def _underground(network: Network, tracks: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    found = set()
    for version in VERSIONS:
        week = [(score, number, genre) for number, of, name, genre, score in tracks if (of, name) == (version, "week")]
        # DIFFERENCES.md, Trending: the week's best are left out.
        for score, number, genre in sorted(week, key=lambda row: row[:2], reverse=True)[TOP:]:
            owner = network.tracks[number].owner_id
            if network.followers[owner] < KNOWN and network.following[owner] < KNOWN:
                found.add((number, version, genre, score))
    return found


class _Popularity:
    """Scores of tracks and collections."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.karma = Counter[Item]()
        for mark in (*network.saves, *network.reposts):
            if _has_full_profile(network.users.get(mark.user)):
                self.karma[mark.item] += network.followers[mark.user]
        self._saves = {name: self._lately(network.saves, name) for name in RANGES}
        self._reposts = {name: self._lately(network.reposts, name) for name in RANGES}
        self._listens = {
            name: Counter(play.play_item_id for play in network.plays if self._is_late(play.created_at, name))
            for name in RANGES
        }

    def _is_late(self, at: str, name: str) -> bool:
        return moment(at) >= self._network.now - timedelta(days=RANGES[name])

    def _lately(self, marks: list[Mark], name: str) -> Counter[Item]:
        return Counter(mark.item for mark in marks if self._is_late(mark.at, name))

    def all_time(self, item: Item, version: str) -> float:
        """Of a track, since it came."""
        return self._weighed(item, self._network.play_counts[item[0]], version)

    def score(self, item: Item, row: Row, name: str, version: str) -> float:
        """Of a track or collection within a range. A collection counts as one listen."""
        listens = self._listens[name][item[0]] if item[1] else 1
        lately = listens + 50 * self._reposts[name][item] + self._saves[name][item]
        score, now, days = self._weighed(item, lately, version), self._network.now, RANGES[name]
        since = moment(row.created_at)
        if row.release_date is not None and moment(row.release_date) <= now:
            since = max(since, moment(row.release_date))
        age = (now - since) / timedelta(days=1)
        return score * max(1e-5, 1e5 ** max(-10, 1 - age / days)) if age > days else score

    def _weighed(self, item: Item, lately: int, version: str) -> float:
        owner = self._network.owner(item)
        if owner is None or self._network.followers[owner] < FOLLOWERS_MIN:
            return 0.0
        lasting = 0.25 * self._network.repost_counts[item] + 0.01 * self._network.save_counts[item]
        return (lately + lasting) * VERSIONS[version](self.karma[item])


def _has_full_profile(user: Row | None) -> bool:
    return user is not None and bool(
        (user.profile_picture or user.profile_picture_sizes)
        and (user.cover_photo or user.cover_photo_sizes)
        and user.bio
    )
