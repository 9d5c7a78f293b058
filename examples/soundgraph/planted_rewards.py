"""People who earn rewards, or just fail to, planted so that each rule of the challenges and of the score matters.

Those whom ticks matter to go through rounds: whatever a round holds stands before its tick and after that of the round before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from examples.soundgraph.planted import DAY, HOUR, Episode, Planter, iso
from examples.soundgraph.world import Edge, Tx

Emit = Callable[[int], list[Tx]]
Make = Callable[[], Tx]
ROUNDS, ROUND = 5, 2 * DAY
VARIANTS = 5
"""How many of each kind are planted: a kind has up to so many variants."""


class RewardPlanter(Planter):
    """Plants ``times`` of each kind; the first VARIANTS of a kind differ."""

    def _kinds(self) -> tuple[Callable[[int], Iterator[Episode]], ...]:
        return (
            self._profile,
            self._uploads,
            self._collection,
            self._referral,
            self._mobile,
            self._genres,
            self._words,
            self._blocked,
            self._listener,
            self._circle,
        )

    def episodes(self) -> list[Episode]:
        """All episodes, by time, and a tick after every round."""
        self._with_tick: dict[int, list[Make]] = {number: [] for number in range(ROUNDS)}
        planned = super().episodes()
        ticks = [(self._start + number * ROUND, partial(self._tick, number)) for number in range(ROUNDS)]
        return sorted([*planned, *ticks], key=lambda episode: episode[0])

    def _tick(self, number: int, _now: int) -> list[Tx]:
        """What must stand in the last block of a round, and a tick after it."""
        self._world.settle = True
        return [*(make() for make in self._with_tick[number]), {"type": "plays", "plays": []}]

    def _round(self, number: int, *makes: Make) -> Episode:
        return self._start + number * ROUND, lambda _: [make() for make in makes]

    def _profile(self, number: int) -> Iterator[Episode]:
        """Seven steps, with one of them taken back before and others after completion."""
        world = self._world
        user, maker, track, *others = self._people(8)
        self.note("profiles", [user, number % 3])
        about = {"profile_picture": "pr_1"} if number % 2 else {"profile_picture_sizes": "pr_2"}
        cover = {"cover_photo": "co_1"} if number % 2 else {"cover_photo_sizes": "co_2"}

        def edges() -> Iterator[Make]:
            yield from (partial(world.follow, user, other) for other in others[:5])
            yield partial(world.mark, world.saves, user, "Track", track)
            yield partial(world.mark, world.reposts, user, "Track", track)

        sign_up = partial(world.create_user, user, None, **about, **cover)
        bio = partial(world.update_user, user, bio="bi_1")
        yield self._round(0, partial(world.create_track, maker, track))
        if number % 3 == 1:
            # Complete in the block of the sign-up: so quick that it tells against the user's score.
            self._with_tick[1] += [sign_up, *edges(), bio]
        elif number % 3 == 2:
            yield self._round(1, sign_up, *edges(), partial(world.update_user, user, bio="bi_2", is_deactivated=True))
            yield self._round(2, partial(world.update_user, user))
        else:
            yield self._round(1, sign_up, *edges())
            yield self._round(2, partial(world.unmark, world.saves, user, "Track", track))
            yield self._round(3, bio, partial(world.mark, world.saves, user, "Track", track))
        yield self._round(4, partial(world.update_user, user, bio=None), partial(world.unfollow, user, others[0]))

    def _uploads(self, number: int) -> Iterator[Episode]:
        """Tracks that come, go and become public, around the third."""
        world = self._world
        user, *tracks = self._people(6)
        self.note("uploaders", [user, number])
        hidden = number == 2
        count = (2, 3, 3, 5, 2)[number % VARIANTS]
        own = tracks[:count]
        yield self._round(0, *(partial(world.create_track, user, track, is_unlisted=hidden) for track in own))
        if hidden:
            shown = [partial(world.update_track, user, track, False) for track in own]
            yield self._round(1, shown[0])
            yield self._round(2, *shown[1:])
        elif number == 4:
            # A release that is due later, published by its owner: the third.
            due = {"is_unlisted": True, "is_scheduled_release": True, "release_date": iso(self._start + 2 * ROUND)}
            yield self._round(1, partial(world.create_track, user, tracks[4], **due))
            yield self._round(2, partial(world.update_track, user, tracks[4], False))
        else:
            gone = [partial(world.delete_track, user, track) for track in own]
            yield self._round(1, gone[0])
            yield self._round(2, *gone[1 : 2 if number == 1 else None])

    def _collection(self, number: int) -> Iterator[Episode]:
        """A first collection: deleted later, deleted before any tick saw it, or made by someone who is away."""
        world = self._world
        user, playlist, track = self._people(3)
        self.note("collectors", [user, number % 3])
        make = partial(world.create_playlist, user, playlist, number % 2 == 0, True, [track])
        drop = partial(world.delete_playlist, user, playlist)
        if number % 3 == 0:
            yield self._round(0, make)
            yield self._round(1, drop)
        elif number % 3 == 1:
            yield self._round(0, make, drop)
        else:
            yield self._round(0, partial(world.update_user, user, is_deactivated=True), make)
            yield self._round(1, partial(world.update_user, user))

    def _referral(self, number: int) -> Iterator[Episode]:
        """What the referrer was when the referral was first seen is what it counts for, whatever comes later."""
        world = self._world
        referrer, referred = self._people(2)
        variant = number % VARIANTS
        self.note("referral_kinds", [referrer, referred, ("r", "rv", "rv", "rv", "r")[variant]])
        verify, doubt = (partial(world.verify_user, referrer, verdict) for verdict in (True, False))
        refer = partial(world.create_user, referred, {"referrer": referrer})
        away = partial(world.update_user, referrer, is_deactivated=True)
        back = partial(world.update_user, referrer)
        mobile = partial(world.update_user, referred, {"is_mobile_user": True})
        steps: tuple[tuple[Make, ...], ...] = (
            ((refer,), (verify,), (mobile,)),
            ((verify, refer), (doubt,), (mobile,)),
            ((refer, verify), (doubt,)),
            ((away, refer), (verify,), (back,), (doubt, mobile)),
            ((refer, verify, doubt), (verify, mobile)),
        )[variant]
        yield from (self._round(when, *step) for when, step in enumerate(steps))

    def _mobile(self, number: int) -> Iterator[Episode]:
        """The application on a telephone, sometimes by someone who is away at the time."""
        [user] = self._people(1)
        self.note("telephones", user)
        told = {"is_mobile_user": True}
        yield self._round(0, partial(self._world.update_user, user, told, is_deactivated=number % 2 == 1))
        yield self._round(1, partial(self._world.update_user, user))

    def _genres(self, number: int) -> Iterator[Episode]:
        """As many tracks of one genre as of another: the later upload decides, then the name, and none comes last."""
        world, at = self._world, self._moment(DAY)
        owner, first, second, third, fourth = self._people(5)
        genres = (("Trance", "Jazz"), ("Jazz", "Trance"), ("Jazz", None), (None, "Jazz"), (None, None))[number % 5]
        self.note("tied_genres", [owner, *genres])
        one, two = ({"genre": genre} for genre in genres)
        yield at, lambda _: [world.create_track(owner, first, **one), world.create_track(owner, second, **two)]
        if number % 2:
            yield at + HOUR, lambda _: [world.create_track(owner, third, **two)]
            yield at + 2 * HOUR, lambda _: [world.create_track(owner, fourth, **one)]

    def _words(self, number: int) -> Iterator[Episode]:
        """Names that pretend to be the network's, or that sell something."""
        world, at = self._world, self._moment(DAY)
        [user] = self._people(1)
        self.note("pretenders", user)
        profile = (
            {"handle": "SoundGraph_official"},
            {"name": "the real soundgraph"},
            {"name": "Free AirDrop"},
            {"handle": "airdrop_soundgraph"},
            {"handle": "soundgraph"},
        )[number % 5]
        yield at, lambda _: [world.create_user(user, None, **profile)]
        if number == 4:
            yield at + HOUR, lambda _: [world.verify_user(user, True)]

    def _blocked(self, number: int) -> Iterator[Episode]:
        world, at = self._world, self._moment(DAY)
        user, other, third = self._people(3)
        self.note("blocks", user)
        yield at, lambda _: [world.create_user(user), world.block_user(other, user), world.block_user(third, user)]
        if number % 2:
            yield at + HOUR, lambda _: [world.unblock_user(other, user)]

    def _circle(self, number: int) -> Iterator[Episode]:
        """Friends who all follow each other: each is followed by people who are followed."""
        if number > 1:
            return
        people = self._people(12)
        self.note("circles", people)
        pairs = [(user, other) for user in people for other in people if user != other]
        # One circle is of this week; what the other did fades.
        world, at = self._world, self._end - 5 * DAY if number else self._start
        about = dict.fromkeys(("bio", "profile_picture", "cover_photo"), "to_1")
        yield at, lambda _: [self._world.follow(*pair) for pair in pairs]
        tracks, lists = self._people(6), self._people(2)
        yield at + HOUR, lambda _: [world.create_track(people[track % 3], track) for track in tracks]
        maker = people[0]
        yield at + HOUR, lambda _: [world.create_playlist(maker, n, False, False, tracks) for n in lists]
        yield at + 2 * HOUR, lambda _: [world.create_user(fan, None, **about) for fan in people[6:]]
        for hours, edges in enumerate((world.saves, world.reposts)):
            yield at + hours * DAY + 3 * HOUR, self._marks(edges, people[6:], tracks, lists[hours])

    def _marks(self, edges: dict[Edge, int], fans: list[int], tracks: list[int], playlist: int) -> Emit:
        def emit(_now: int) -> list[Tx]:
            pairs = [(fan, track) for number, fan in enumerate(fans) for track in tracks[: number + 1]]
            marks = [self._world.mark(edges, fan, "Track", track) for fan, track in pairs]
            return [*marks, *(self._world.mark(edges, fan, "Playlist", playlist) for fan in fans)]

        return emit

    def _listener(self, number: int) -> Iterator[Episode]:
        """Hours and tracks that repeat: in one transaction, later, and late."""
        world, at = self._world, self._moment(3 * DAY)
        user, *tracks = self._people(6)
        self.note("listeners", user)
        yield at - HOUR, lambda _: [world.create_user(user)]
        times = [[at, at, at + 60], [at + HOUR, at - 5 * DAY], [at + 2 * DAY, at + 2 * DAY - 60 * HOUR, at + HOUR]]
        for hours, moments in enumerate(times):
            yield at + hours * DAY, self._plays(user, tracks[: number + 1], moments)

    def _plays(self, user: int, tracks: list[int], moments: list[int]) -> Emit:
        def emit(_now: int) -> list[Tx]:
            plays = [self._world.play(user, track, at, "Japan") for at in moments for track in tracks]
            return [{"type": "plays", "plays": plays}]

        return emit
