"""What the challenges must have come to, tick by tick, worked out from the generator's model in Python.

A tick looks at everybody. A challenge that a user qualifies for has a row; a row that is not complete takes the steps that
are true now; a row whose user has nothing left stays as it was; a complete row never changes again. Whether a referral is
one by a verified user is decided at the tick that first sees it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from examples.soundgraph.world import World, spelled

FIRST_BLOCK = {"p": 0, "u": 60, "fp": 90, "m": 30, "r": 30, "rv": 30, "rd": 30}
STEPS = {"p": 7, "u": 3, "fp": 1, "m": 1, "r": 1, "rv": 1, "rd": 1}
AMOUNT = {"p": 1, "u": 1, "fp": 2, "m": 1, "r": 1, "rv": 1, "rd": 1}
FLAGS = (
    "profile_description",
    "profile_name",
    "profile_picture",
    "profile_cover_photo",
    "follows",
    "favorites",
    "reposts",
)
Found = tuple[str, str, int, int]
"""A challenge, its specifier, its user and the steps that are true now."""


class Progression:
    """The rows of all challenges, as the ticks so far left them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}
        self._referrals: dict[tuple[int, int], str] = {}

    def tick(self) -> None:
        """Everything that is true after the last block."""
        height, time = self._world.closed[-1]
        for challenge, specifier, user, steps in self._found():
            row = self._rows.setdefault((challenge, specifier), {"created_at": spelled(time), "is_complete": False})
            if row["is_complete"]:
                continue
            complete = steps >= STEPS[challenge]
            row.update(challenge_id=challenge, specifier=specifier, user_id=user, is_complete=complete)
            row.update(current_step_count=steps, amount=AMOUNT[challenge], completed_time=time if complete else None)
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
            yield "p", f"{user:x}", user, sum(flags)
        yield from self._uploads()
        yield from self._told()

    def _height(self, block: int) -> int:
        return self._world.closed[block][0] if block >= 0 else -1

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
        uploads = Counter(
            track.owner
            for track in world.tracks.values()
            if track.owner is not None and track.public and self._height(track.touched) >= FIRST_BLOCK["u"]
        )
        makers = {
            playlist.owner
            for playlist in world.playlists.values()
            if playlist.owner is not None and not playlist.deleted
            if self._height(playlist.touched) >= FIRST_BLOCK["fp"]
        }
        for user, person in world.users.items():
            if person.deactivated:
                continue
            if uploads[user]:
                yield "u", f"{user:x}", user, min(3, uploads[user])
            if user in makers:
                yield "fp", f"{user:x}", user, 1

    def _told(self) -> Iterator[Found]:
        users = self._world.users
        for user, person in users.items():
            if self._height(person.told) < FIRST_BLOCK["m"]:
                continue
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
