"""What the challenges must have come to, tick by tick, worked out from the generator's model in Python.

A tick looks at everybody. A challenge that a user qualifies for has a row; a row that is not complete takes the steps that
are true now; a row whose user has nothing left stays as it was; a complete row never changes again. Whether a referral is
one by a verified user is decided at the tick that first sees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from examples.soundgraph.world import World, spelled

STEPS = {"p": 7, "u": 3, "p1": 250, "p2": 1_000, "p3": 10_000}
"""Of those that take more than one."""
AMOUNT = {
    "p": 1,
    "u": 1,
    "fp": 2,
    "v": 5,
    "m": 1,
    "r": 1,
    "rv": 1,
    "rd": 1,
    "ft": 2,
    "e": 1,
    "c": 1,
    "p1": 25,
    "p2": 100,
    "p3": 1_000,
    "cp": 10,
    "cs": 1_000,
    "w": 1_000,
}
"""Of those whose rows all pay the same."""
DAY = 86_400
FLAGS = (
    "profile_description",
    "profile_name",
    "profile_picture",
    "profile_cover_photo",
    "follows",
    "favorites",
    "reposts",
)
Found = tuple[str, str, int, int, int]
"""A challenge, its specifier, its user, the steps that are true now, and what they pay."""
Step = tuple[str, str, int, int]
"""The same without what it pays."""


class Progression:
    """The rows of all challenges, as the ticks so far left them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._referrals: dict[tuple[int, int], str] = {}

    def tick(self) -> None:
        """Everything that is true after the last block."""
        height, time = self._world.closed[-1]
        for challenge, specifier, user, steps, amount in self._found():
            row = self._rows.setdefault((challenge, specifier), {"created_at": spelled(time), "is_complete": False})
            if row["is_complete"]:
                continue
            complete = steps >= STEPS.get(challenge, 1)
            row.update(challenge_id=challenge, specifier=specifier, user_id=user, is_complete=complete)
            row.update(current_step_count=steps, amount=amount, completed_time=time if complete else None)
            row.update(completed_at=spelled(time) if complete else None)
            row.update(completed_blocknumber=height if complete else None)

    def rows(self) -> list[dict[str, Any]]:
        """All rows, by key. ``completed_time`` is in unix seconds, for those who count with it."""
        return [row for _, row in sorted(self._rows.items())]

    def afresh(self) -> list[dict[str, Any]]:
        """The rows that one tick makes over everything that happened, when none came before it."""
        first = Progression(self._world)
        if self._world.closed:
            first.tick()
        return first.rows()

    def referrals(self) -> list[list[Any]]:
        """Referrer, referred, and the challenge that the referral was decided to count for."""
        return [[*pair, challenge] for pair, challenge in sorted(self._referrals.items())]

    def profiles(self) -> dict[str, dict[str, bool]]:
        """The seven flags of everybody who can complete their profile, as they are now."""
        return {str(user): dict(zip(FLAGS, flags, strict=True)) for user, flags in self._profiles()}

    def _found(self) -> Iterator[Found]:
        for user, flags in self._profiles():
            yield "p", f"{user:x}", user, sum(flags), AMOUNT["p"]
        yield from self._uploads()
        for found in (self._told(), self._said(), self._played(), self._won()):
            for challenge, specifier, user, steps in found:
                yield challenge, specifier, user, steps, AMOUNT[challenge]
        yield from self._bought()

    def _time(self, block: int) -> int:
        return self._world.closed[block][1]

    def _here(self, user: int | None) -> bool:
        return user is not None and user in self._world.users and not self._world.users[user].deactivated

    def _vouched(self, user: int) -> bool:
        return user in self._world.users and self._world.users[user].verified

    def _said(self) -> Iterator[Step]:
        """Weekly comments, and those that a verified owner pins."""
        world = self._world
        weeks = {
            (user, datetime.fromtimestamp(self._time(world.commented[comment]), UTC).strftime("%G%V"))
            for comment, (user, _) in world.comments.items()
            if self._here(user)
        }
        for user, week in weeks:
            yield "c", f"{user:x}:{week}", user, 1
        for number, track in world.tracks.items():
            said = world.comments.get(track.pinned or 0)
            if said is None or said[1] != number or track.owner is None or track.deleted:
                continue
            if self._vouched(track.owner) and said[0] != track.owner and self._here(said[0]):
                yield "cp", f"{said[0]:x}:{number:x}", said[0], 1

    def _played(self) -> Iterator[Step]:
        """Streaks of listening, and an artist's plays since 2025."""
        world = self._world
        for user, at in world.advances:
            if self._here(user):
                yield "e", f"{user:x}{datetime.fromtimestamp(at, UTC):%Y%m%d%H}", user, 1
        plays: Counter[int] = Counter()
        for (number, month, _), count in world.monthly.items():
            track = world.tracks[number]
            if track.owner is not None and not track.deleted and month >= "2025":
                plays[track.owner] += count
        for artist, count in plays.items():
            if self._vouched(artist) and self._here(artist):
                for tier, goal, since in (("p1", 250, 1), ("p2", 1_000, 250), ("p3", 10_000, 1_000)):
                    if count >= since:
                        yield tier, f"{artist:x}:{goal}", artist, min(goal, count)

    def _won(self) -> Iterator[Step]:
        """Remixes that the parent's verified owner marked, and contests; neither more than five at once."""
        world = self._world
        cosigns: dict[int, dict[int, int]] = {}
        for edges in (world.saves, world.reposts):
            for (user, kind, number), block in edges.items():
                track = world.tracks[number] if kind == "Track" else None
                if track is None or track.deleted or track.owner in (None, user) or not self._vouched(user):
                    continue
                if any(parent in world.tracks and world.tracks[parent].owner == user for parent in track.parents):
                    known = cosigns.setdefault(user, {})
                    known[number] = min(self._time(block), known.get(number, self._time(block)))
        for user, marked in cosigns.items():
            order = sorted((at, number) for number, at in marked.items())
            for place, (at, number) in enumerate(order):
                remixer = world.tracks[number].owner or 0
                if sum(at - 30 * DAY < other for other, _ in order[:place]) < 5 and self._here(remixer):
                    yield "cs", f"{user:x}:{number:x}", remixer, 1
        hosts: dict[int, dict[tuple[int, int], tuple[int, int]]] = {}
        for event, contest in world.contests.items():
            for number, (place, block) in contest.winners.items():
                track = world.tracks.get(number)
                if contest.deleted or track is None or track.deleted or track.owner in (None, contest.host):
                    continue
                if self._vouched(contest.host):
                    known_wins = hosts.setdefault(contest.host, {})
                    win = (self._time(block), place)
                    key = (event, track.owner or 0)
                    known_wins[key] = min(win, known_wins.get(key, win), key=lambda one: one[1])
        for wins in hosts.values():
            ranked = sorted((at, event, place, user) for (event, user), (at, place) in wins.items())
            for number, (at, event, place, user) in enumerate(ranked):
                is_paid = place <= 5 and sum(at - 7 * DAY < other[0] for other in ranked[:number]) < 5
                if is_paid and self._here(user):
                    yield "w", f"{event:x}:{user:x}", user, 1

    def _bought(self) -> Iterator[Found]:
        seen = set()
        for buyer, seller, amount, kind, content in self._world.purchases:
            if amount < 1_000_000 or (buyer, kind, content) in seen:
                continue
            seen.add((buyer, kind, content))
            specifier, dollars = f"{buyer:x}:{kind}:{content:x}", amount // 1_000_000
            if self._here(buyer):
                yield "b", specifier, buyer, 1, dollars
            if self._here(seller) and self._vouched(seller):
                yield "s", specifier, seller, 1, 5 * dollars

    def _profiles(self) -> Iterator[tuple[int, list[bool]]]:
        world = self._world
        follows = Counter(user for user, _ in world.follows)
        saves = {user for user, _, _ in world.saves}
        reposts = {user for user, _, _ in world.reposts}
        for user, person in sorted(world.users.items()):
            if person.handle is not None and not person.deactivated:
                about = [bool(person.bio), bool(person.name), person.pictured, person.covered]
                yield user, [*about, follows[user] >= 5, user in saves, user in reposts]

    def _uploads(self) -> Iterator[Found]:
        world = self._world
        uploads = Counter(track.owner for track in world.tracks.values() if track.owner is not None and track.public)
        makers = {
            playlist.owner
            for playlist in world.playlists.values()
            if playlist.owner is not None and not playlist.deleted
        }
        givers = {sender for sender, _, _ in world.tips}
        for user, person in world.users.items():
            if person.deactivated:
                continue
            if uploads[user]:
                yield "u", f"{user:x}", user, min(3, uploads[user]), AMOUNT["u"]
            for challenge, earned in (("fp", user in makers), ("v", person.verified), ("ft", user in givers)):
                if earned:
                    yield challenge, f"{user:x}", user, 1, AMOUNT[challenge]

    def _told(self) -> Iterator[Step]:
        users = self._world.users
        for user, person in users.items():
            if person.mobile and not person.deactivated:
                yield "m", f"{user:x}", user, 1
            referrer = person.referrer
            if referrer is None:
                continue
            if not person.deactivated:
                yield "rd", f"{user:x}", user, 1
            if not users[referrer].deactivated:
                kind = "rv" if users[referrer].verified else "r"
                self._referrals.setdefault((referrer, user), kind)
                yield self._referrals[referrer, user], f"{referrer:x}:{user:x}", referrer, 1
