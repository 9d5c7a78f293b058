"""What every derived table must hold at the end, counted from the generator's model and from nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from examples.soundgraph.inhabitants import Track
from examples.soundgraph.world import Edge, World, spelled

FAMOUS = 1_000
LONELY = 5
"""Following fewer than this costs a point."""
FOLLOWS_EVERYBODY = 10_000
BRAND, SPAM = "soundgraph", "airdrop"
HISTORY_LENGTH = 1_000
QUICK_SECONDS = 180


def count_everything(world: World) -> dict[str, Any]:
    """The answers that do not depend on when ticks happened. Keys of JSON objects are ids spelled in decimal."""
    users = _count_users(world)
    karma = _karma(world, users)
    return {
        "aggregate_user": {str(user): counts for user, counts in users.items()},
        "aggregate_track": _count_tracks(world),
        "aggregate_playlist": _count_playlists(world),
        "aggregate_plays": {str(track): count for track, count in sorted(world.plays.items())},
        "aggregate_monthly_plays": [[*key, count] for key, count in sorted(world.monthly.items())],
        "hourly_play_counts": {spelled(hour * 3_600): count for hour, count in sorted(world.hourly.items())},
        "user_distinct_play_hours": {str(user): len(hours) for user, hours in sorted(world.hours.items())},
        "user_distinct_play_tracks": {str(user): len(heard) for user, heard in sorted(world.heard.items())},
        "user_track_plays": [
            [user, track, count, spelled(last)]
            for user, heard in sorted(world.heard.items())
            for track, (count, last) in sorted(heard.items())
        ],
        "user_listening_history": {str(user): _history(heard) for user, heard in sorted(world.heard.items())},
        "user_dominant_genre": {str(user): found for user, found in _dominant_genres(world).items()},
        "user_karma": {str(user): value for user, value in karma.items()},
        "aggregate_user_tips": [[*pair, amount] for pair, amount in sorted(_tips(world).items())],
        "user_supporters": {str(user): counts for user, counts in _supporters(world).items()},
        "track_playlists": {str(track): lists for track, lists in _containing(world).items()},
        "plays": world.plays.total(),
        "skipped": dict(sorted(world.skipped.items())),
    }


def _count_users(world: World) -> dict[int, dict[str, int]]:
    counts = {
        "follower_count": Counter(other for _, other in world.follows),
        "following_count": Counter(user for user, _ in world.follows),
        "repost_count": Counter(user for user, _, _ in world.reposts),
        "track_save_count": Counter(user for user, kind, _ in world.saves if kind == "Track"),
        "track_share_count": _summed({k: n for k, n in world.shares.items() if k[1] == "Track"}, 0),
    }
    live = [t for t in world.tracks.values() if not t.deleted and not t.stem]
    counts["total_track_count"] = Counter(t.owner for t in live if t.owner is not None)
    counts["track_count"] = Counter(t.owner for t in live if t.owner is not None and not t.unlisted)
    lists = [p for p in world.playlists.values() if not p.deleted and p.owner is not None]
    for name, album in (("playlist", False), ("album", True)):
        of_kind = [p for p in lists if p.album is album]
        counts[f"total_{name}_count"] = Counter(p.owner for p in of_kind if p.owner is not None)
        counts[f"{name}_count"] = Counter(p.owner for p in of_kind if p.owner is not None and not p.private)
    return {user: {name: counts[name][user] for name in counts} for user in sorted(world.users)}


def _count_tracks(world: World) -> dict[str, dict[str, int]]:
    counts = {
        "save_count": Counter(number for _, kind, number in world.saves if kind == "Track"),
        "repost_count": Counter(number for _, kind, number in world.reposts if kind == "Track"),
        "comment_count": Counter(track for _, track in world.comments.values()),
        "share_count": _summed({k: n for k, n in world.shares.items() if k[1] == "Track"}, 2),
    }
    return {str(track): {name: counts[name][track] for name in counts} for track in sorted(world.tracks)}


def _count_playlists(world: World) -> dict[str, dict[str, int]]:
    counts = {
        "save_count": Counter(number for _, kind, number in world.saves if kind == "Playlist"),
        "repost_count": Counter(number for _, kind, number in world.reposts if kind == "Playlist"),
        "share_count": _summed({k: n for k, n in world.shares.items() if k[1] == "Playlist"}, 2),
    }
    return {
        str(number): {"is_album": int(known.album)} | {name: counts[name][number] for name in counts}
        for number, known in sorted(world.playlists.items())
    }


def _summed(shares: Mapping[Edge, int], part: int) -> Counter[int]:
    total: Counter[int] = Counter()
    for key, count in shares.items():
        total[int(key[part])] += count
    return total


def _history(heard: Mapping[int, list[int]]) -> list[dict[str, Any]]:
    """The tracks that a user played last, the latest first."""
    latest = sorted(((last, track, count) for track, (count, last) in heard.items()), reverse=True)
    return [
        {"track_id": track, "timestamp": last, "play_count": count} for last, track, count in latest[:HISTORY_LENGTH]
    ]


def _dominant_genres(world: World) -> dict[int, dict[str, Any]]:
    """The genre of most public tracks; among equals that of the latest upload, then the first by name, none last."""
    tracks: defaultdict[int, list[Track]] = defaultdict(list)
    for track in world.tracks.values():
        if track.owner is not None and track.public:
            tracks[track.owner].append(track)
    found: dict[int, dict[str, Any]] = {}
    for user in sorted(world.users):
        best: tuple[Any, ...] | None = None
        for genre in {track.genre for track in tracks[user]}:
            own = [track for track in tracks[user] if track.genre == genre]
            latest = max(world.closed[track.created][1] for track in own)
            rank = (-len(own), -latest, genre is None, genre or "")
            best = min(best, rank) if best is not None else rank
        genre = None if best is None or best[2] else best[3]
        found[user] = {"dominant_genre": genre, "dominant_genre_count": -best[0] if best is not None else 0}
    return found


def _tips(world: World) -> Counter[tuple[int, int]]:
    given: Counter[tuple[int, int]] = Counter()
    for sender, receiver, amount in world.tips:
        given[sender, receiver] += amount
    return given


def _supporters(world: World) -> dict[int, dict[str, int]]:
    pairs = _tips(world)
    supporters = Counter(receiver for _, receiver in pairs)
    supported = Counter(sender for sender, _ in pairs)
    return {
        user: {"supporter_count": supporters[user], "supporting_count": supported[user]} for user in sorted(world.users)
    }


def _containing(world: World) -> dict[int, dict[str, list[int]]]:
    """The collections that each track is in, and those that it was in."""
    found: dict[int, dict[str, list[int]]] = {
        track: {"playlists_containing_track": [], "playlists_previously_containing_track": []}
        for track in sorted(world.tracks)
    }
    for number, playlist in sorted(world.playlists.items()):
        for track in {*playlist.contents, *playlist.dropped} & world.tracks.keys():
            here = track in playlist.contents and not playlist.deleted
            name = "playlists_containing_track" if here else "playlists_previously_containing_track"
            found[track][name].append(number)
    return found


def _karma(world: World, users: Mapping[int, Mapping[str, int]]) -> dict[int, int]:
    """How much the followers of each user are followed themselves, from 0 to 100."""
    sums: Counter[int] = Counter()
    for follower, followee in world.follows:
        if users[follower]["following_count"] < FOLLOWS_EVERYBODY:
            sums[followee] += users[follower]["follower_count"]
    return {
        user: 100 if counts["follower_count"] > FAMOUS else min(100, sums[user] // 100)
        for user, counts in users.items()
    }


def score_users(world: World, challenges: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """How likely each user is a person, and the quickly completed challenges that tell against them."""
    quick: Counter[int] = Counter()
    for row in challenges:
        user, at = row["user_id"], row["completed_time"]
        if row["is_complete"] and row["challenge_id"] not in ("m", "b"):
            quick[user] += at <= world.closed[world.users[user].created][1] + QUICK_SECONDS
    users = _count_users(world)
    karma = _karma(world, users)
    blocked = Counter(other for _, other in world.blocks)
    found = {}
    for user, person in sorted(world.users.items()):
        score = 0
        if person.handle is not None:
            words = f"{person.handle} {person.name or ''}".lower()
            score = len(world.hours.get(user, ())) // 2 + users[user]["follower_count"] - quick[user]
            score += karma[user] - 100 * blocked[user]
            score -= users[user]["following_count"] < LONELY
            score -= 10 * (len(world.heard.get(user, ())) <= 3)
            score -= 1_000 * (not person.verified and BRAND in words)
            score -= 1_000 * (not person.verified and SPAM in words)
        found[str(user)] = {"challenge_count": quick[user], "score": score}
    return found
