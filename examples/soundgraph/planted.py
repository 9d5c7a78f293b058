"""The rare and the awkward that generated input is made to contain, each with what a correct reader makes of it.

An episode is planted at a moment of event time. It is a function that returns groups of transactions; a group stands in
one block. What was planted is written down in ``found``, which becomes part of the answer file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from examples.soundgraph.world import Tx, World

HOUR = 3_600
DAY = 24 * HOUR
Episode = tuple[int, Callable[[int], list[Tx]]]
"""When (unix seconds), and what is emitted in one block then."""

BAD_IDS: tuple[Any, ...] = ("not-a-number", "12.5", "", "1_000", " 7", None, True, 3.5, "٣")
FAR_IDS: tuple[Any, ...] = ("99999999999", -4, "0", 2**31)


class Planter:
    """Plants ``times`` of each kind between ``start`` and ``end`` (unix seconds). Its users do nothing else."""

    def __init__(self, world: World, rng: Random, start: int, end: int, times: int) -> None:
        self._world = world
        self._rng = rng
        self._start = start
        self._end = end
        self._times = times
        self.found: dict[str, list[Any]] = {}

    def episodes(self) -> list[Episode]:
        """All episodes, by time."""
        planned = [episode for kind in self._kinds() for number in range(self._times) for episode in kind(number)]
        return sorted(planned, key=lambda episode: episode[0])

    def _kinds(self) -> tuple[Callable[[int], Iterator[Episode]], ...]:
        return (
            self._referral,
            self._self_referral,
            self._late_referral,
            self._verification,
            self._bad_play,
            self._bad_entity,
            self._refused,
            self._remix,
            self._toggle_follow,
            self._toggle_save,
            self._recreated_track,
            self._recreated_playlist,
            self._recreated_comment,
            self._scheduled,
            self._identical_plays,
            self._empty,
            self._streak,
        )

    def note(self, kind: str, what: Any) -> None:
        """Writes down that something was planted."""
        self.found.setdefault(kind, []).append(what)

    def _moment(self, room: int = 0) -> int:
        """A moment that leaves so many seconds before the end."""
        return self._rng.randrange(self._start, max(self._start + 1, self._end - room))

    def _people(self, count: int) -> list[int]:
        return [self._world.new_id() for _ in range(count)]

    def _referral(self, number: int) -> Iterator[Episode]:
        referrer, referred = self._people(2)
        mobile = number % 2 == 0
        self.note("referrals", [referrer, referred])
        if mobile:
            self.note("mobile_users", referred)
        events = {"referrer": referrer} | ({"is_mobile_user": True} if mobile else {})
        yield self._moment(), lambda _: [self._world.create_user(referred, events)]

    def _self_referral(self, _number: int) -> Iterator[Episode]:
        [user] = self._people(1)
        self.note("self_referrals", user)
        yield self._moment(), lambda _: [self._world.create_user(user, {"referrer": user})]

    def _late_referral(self, _number: int) -> Iterator[Episode]:
        """The referrer arrives with an update; a second one changes nothing, and mobile stays once true."""
        user, first, second = self._people(3)
        self.note("referrals", [first, user])
        self.note("mobile_users", user)
        world, at = self._world, self._moment(2 * DAY)
        yield at, lambda _: [world.create_user(user, {})]
        yield at + HOUR, lambda _: [world.update_user(user, {"referrer": first, "is_mobile_user": True})]
        yield at + DAY, lambda _: [world.update_user(user, {"referrer": second, "is_mobile_user": False})]

    def _verification(self, number: int) -> Iterator[Episode]:
        [user] = self._people(1)
        world, at = self._world, self._moment(3 * DAY)
        self.note("verification_flips", user)
        yield at, lambda _: [world.create_user(user)]
        yield at + DAY, lambda _: [world.verify_user(user, True)]
        yield at + 2 * DAY, lambda _: [world.verify_user(user, False)]
        if number % 2 == 0:
            yield at + 3 * DAY - 1, lambda _: [world.verify_user(user, True)]

    def _bad_play(self, number: int) -> Iterator[Episode]:
        """One item that is no play among two that are."""
        user, track = self._people(2)
        far = number % 3 == 2
        bad = FAR_IDS[number % len(FAR_IDS)] if far else BAD_IDS[number % len(BAD_IDS)]

        def emit(now: int) -> list[Tx]:
            good = [self._world.play(user, track, now, "Canada") for _ in range(2)]
            self._world.skipped["track_id_out_of_range" if far else "track_id_not_integer"] += 1
            return [{"type": "plays", "plays": [good[0], good[0] | {"track_id": bad}, good[1]]}]

        self.note("bad_track_ids", bad)
        yield self._moment(), emit

    def _bad_entity(self, number: int) -> Iterator[Episode]:
        user, other = self._people(2)
        bad = BAD_IDS[number % len(BAD_IDS)]

        def emit(_now: int) -> list[Tx]:
            self._world.skipped["entity_id_not_integer"] += 1
            return [self._world.follow(user, other), self._world.entity(user, "User", bad, "Follow")]

        self.note("bad_entity_ids", bad)
        yield self._moment(), emit

    def _refused(self, _number: int) -> Iterator[Episode]:
        """Events that validation refuses, each for its reason; none leaves a trace in a count."""
        user, other, track = self._people(3)
        world = self._world

        def emit(_now: int) -> list[Tx]:
            entity = world.entity
            refused = (
                ("self_follow", entity(user, "User", user, "Follow")),
                ("own_content", entity(user, "Track", track, "Save")),
                ("own_content", entity(user, "Track", track, "Repost")),
                ("nothing_to_undo", entity(user, "User", other, "Unfollow")),
                ("not_owner", entity(other, "Track", track, "Delete")),
                ("track_exists", entity(user, "Track", track, "Create", {"title": "again"})),
                ("user_exists", entity(user, "User", user, "Create", {"handle": "again"})),
                ("unsupported_kind", entity(user, "DeveloperApp", user, "Create")),
            )
            for reason, _ in refused:
                world.skipped[reason] += 1
            first = [world.create_user(user), world.create_user(other), world.create_track(user, track)]
            return first + [tx for _, tx in refused]

        self.note("refused", user)
        yield self._moment(), emit

    def _remix(self, _number: int) -> Iterator[Episode]:
        owner, remixer, parent, child = self._people(4)
        world, at = self._world, self._moment(DAY)
        remix_of = {"tracks": [{"parent_track_id": parent}]}
        self.note("remixes", [parent, child])
        yield at, lambda _: [world.create_track(owner, parent)]
        yield at + HOUR, lambda _: [world.create_track(remixer, child, remix_of=remix_of)]
        yield at + 2 * HOUR, lambda _: [world.mark(world.saves, owner, "Track", child)]

    def _toggle_follow(self, number: int) -> Iterator[Episode]:
        """Opposite events in one block; an odd one ends live."""
        user, other = self._people(2)
        world = self._world

        def emit(_now: int) -> list[Tx]:
            txs = [world.follow(user, other), world.unfollow(user, other)]
            return [*txs, world.follow(user, other)] if number % 2 else txs

        self.note("toggles", [user, "Follow", other])
        yield self._moment(), emit

    def _toggle_save(self, number: int) -> Iterator[Episode]:
        """A save from an earlier block is ended, or ended and made again, within one block."""
        user, track = self._people(2)
        world, at = self._world, self._moment(DAY)

        def emit(_now: int) -> list[Tx]:
            txs = [world.unmark(world.saves, user, "Track", track)]
            return [*txs, world.mark(world.saves, user, "Track", track)] if number % 2 else txs

        self.note("toggles", [user, "Save", track])
        yield at, lambda _: [world.mark(world.saves, user, "Track", track)]
        yield at + HOUR, emit

    def _recreated_track(self, _number: int) -> Iterator[Episode]:
        owner, fan, track = self._people(3)
        world, at = self._world, self._moment(2 * DAY)
        self.note("recreated_tracks", track)
        yield at, lambda _: [world.create_track(owner, track), world.mark(world.saves, fan, "Track", track)]
        yield at + HOUR, lambda _: [world.delete_track(owner, track)]
        yield at + DAY, lambda _: [world.create_track(owner, track, is_unlisted=True)]

    def _recreated_playlist(self, number: int) -> Iterator[Episode]:
        owner, fan, playlist = self._people(3)
        world, at = self._world, self._moment(3 * DAY)
        album = number % 2 == 0
        self.note("recreated_playlists", playlist)
        yield at, lambda _: [world.create_playlist(owner, playlist, album, False, [])]
        yield at + HOUR, lambda _: [world.mark(world.reposts, fan, "Playlist", playlist)]
        yield at + 2 * HOUR, lambda _: [world.update_playlist(owner, playlist, is_album=not album)]
        # The edge was made when the collection was of the other kind; it is still the same edge.
        yield at + 3 * HOUR, lambda _: [world.mark(world.reposts, fan, "Playlist", playlist)]
        yield at + DAY, lambda _: [world.delete_playlist(owner, playlist)]
        yield at + 2 * DAY, lambda _: [world.create_playlist(owner, playlist, album, number % 3 == 0, [])]

    def _recreated_comment(self, _number: int) -> Iterator[Episode]:
        user, comment, track = self._people(3)
        world, at = self._world, self._moment(2 * DAY)
        self.note("recreated_comments", comment)
        yield at, lambda _: [world.comment(user, comment, track)]
        yield at + HOUR, lambda _: [world.delete_comment(user, comment)]
        yield at + DAY, lambda _: [world.comment(user, comment, track)]

    def _scheduled(self, number: int) -> Iterator[Episode]:
        """An upload that is to become public later; every other one is published by its owner when it is due."""
        owner, track = self._people(2)
        world, at = self._world, self._moment(4 * DAY)
        due = at + 3 * DAY
        given = {"is_unlisted": True, "is_scheduled_release": True, "release_date": iso(due)}
        self.note("scheduled_releases", [track, due])
        yield at, lambda _: [world.create_track(owner, track, **given)]
        if number % 2:
            yield due, lambda _: [world.update_track(owner, track, False)]

    def _identical_plays(self, _number: int) -> Iterator[Episode]:
        """The same user, track and second twice in one transaction: two plays."""
        user, track = self._people(2)
        world = self._world
        self.note("identical_plays", [user, track])
        yield (
            self._moment(),
            lambda now: [{"type": "plays", "plays": [world.play(user, track, now, "Japan") for _ in range(2)]}],
        )

    def _empty(self, _number: int) -> Iterator[Episode]:
        self.note("empty_transactions", 1)
        yield self._moment(), lambda _: [{"type": "plays", "plays": []}]

    def _streak(self, number: int) -> Iterator[Episode]:
        """Listening right on the edges of 16 and 48 hours after the last play that counted."""
        user, track = self._people(2)
        steps = (
            (16 * HOUR - 1, 1, 48 * HOUR - 1),
            (16 * HOUR, 48 * HOUR, 16 * HOUR),
            (48 * HOUR - 1, 16 * HOUR - 1, 48 * HOUR),
        )[number % 3]
        at = self._moment(sum(steps) + HOUR)
        times = [at]
        for step in steps:
            times.append(times[-1] + step)
        self.note("streaks", {"user": user, "plays": times, "streak": streaks(times)})
        for time in times:
            yield time, self._one_play(user, track, time)

    def _one_play(self, user: int, track: int, time: int) -> Callable[[int], list[Tx]]:
        return lambda _: [{"type": "plays", "plays": [self._world.play(user, track, time, "Brazil")]}]


def streaks(times: list[int]) -> list[int]:
    """The streak after each play: a play under 16 h after the last counted one is ignored, one after 48 h or more starts
    again at 1."""
    counted, streak, after = times[0], 1, [1]
    for time in times[1:]:
        if time - counted >= 16 * HOUR:
            streak = streak + 1 if time - counted < 48 * HOUR else 1
            counted = time
        after.append(streak)
    return after


def iso(seconds: int) -> str:
    """Unix seconds as ISO 8601 with milliseconds and Z, as release dates are recorded."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
