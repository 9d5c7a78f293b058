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
            self._verified,
            self._payments,
            self._weekly,
            self._popular,
            self._cosigner,
            self._pinned,
            self._contest,
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
        yield self._round(0, partial(world.create_track, user, track))
        if number % 3 == 0:
            # What it contains is exchanged, and partly put back, before it goes.
            other = self._people(1)
            yield self._round(0, make, partial(world.create_track, user, other[0]))
            yield self._round(1, partial(world.fill_playlist, user, playlist, other))
            yield self._round(2, partial(world.fill_playlist, user, playlist, [track, *other]))
            if number:
                yield self._round(3, drop)
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

    def _verified(self, number: int) -> Iterator[Episode]:
        """Verified, and not any more; or verified while away."""
        world = self._world
        [user] = self._people(1)
        self.note("verified", user)
        yield self._round(0, partial(world.verify_user, user, True))
        if number % 2:
            yield self._round(1, partial(world.verify_user, user, False))
        else:
            yield self._round(0, partial(world.update_user, user, is_deactivated=True))
            yield self._round(2, partial(world.update_user, user))

    def _payments(self, number: int) -> Iterator[Episode]:
        """Tips, and purchases of a dollar and more, of less, and of the same thing again; some sellers are verified later."""
        world = self._world
        buyer, seller, content = self._people(3)
        kind = ("track", "album")[number % 2]
        self.note("tippers", buyer)
        self.note("buyers", [buyer, seller])
        prices = ((1_000_000, 2_999_999), (999_999, 12_500_000), (5_000_000,), (1_999_999, 1), (70_000_001,))[
            number % 5
        ]
        yield self._round(0, partial(world.tip, buyer, seller, 10 * (number + 1)))
        yield self._round(0, *(partial(world.purchase, buyer, seller, price, kind, content) for price in prices))
        if number % 3 == 0:
            yield self._round(1, partial(world.verify_user, seller, True))

    def _weekly(self, number: int) -> Iterator[Episode]:
        """Comments on both sides of a Sunday's midnight, twice in a week, and one that is taken back before any tick."""
        world = self._world
        user, track, *comments = self._people(6)
        self.note("commenters", user)
        sunday = self._start - self._start % (7 * DAY) + 10 * DAY + number * 7 * DAY + DAY - 1
        for comment, at in zip(comments, (sunday, sunday + 1, sunday + DAY), strict=False):
            yield at, self._one(partial(world.comment, user, comment, track))
        last = comments[3]
        made, gone = partial(world.comment, user, last, track), partial(world.delete_comment, user, last)
        yield sunday + 9 * DAY, lambda _: [made(), gone()]

    def _one(self, make: Make) -> Emit:
        return lambda _: [make()]

    def _popular(self, number: int) -> Iterator[Episode]:
        """Verified artists with plays around a tier, some of them from before 2025."""
        if number > 1:
            return
        world = self._world
        artist, track = self._people(2)
        count = (249, 1_001)[number]
        self.note("popular", [artist, count])
        yield self._round(0, partial(world.create_track, artist, track), partial(world.verify_user, artist, True))

        def heard(many: int, at: int) -> Make:
            return lambda: {"type": "plays", "plays": [world.play(None, track, at, "Japan") for _ in range(many)]}

        yield self._round(1, heard(count, self._start + ROUND - HOUR), heard(9, 1_735_689_599))
        yield self._round(2, heard(1, self._start + 2 * ROUND - HOUR))

    def _cosigner(self, number: int) -> Iterator[Episode]:
        """An artist who marks more remixes of their track than are paid, and later again."""
        if number > 1:
            return
        world = self._world
        artist, parent, *rest = self._people(16)
        remixers, remixes = rest[:7], rest[7:]
        self.note("cosigners", artist)
        of = {"tracks": [{"parent_track_id": parent}]}
        pairs = list(zip(remixers, remixes, strict=False))
        yield self._round(
            0, partial(world.create_track, artist, parent), partial(world.verify_user, artist, number == 0)
        )
        yield self._round(0, *(partial(world.create_track, user, track, remix_of=of) for user, track in pairs))
        edges = (world.saves, world.reposts)
        marks = [partial(world.mark, edges[at % 2], artist, "Track", track) for at, (_, track) in enumerate(pairs)]
        yield self._round(1, *marks[:3])
        yield self._round(2, *marks[3:6])
        yield self._start + ROUND + 31 * DAY, self._one(marks[6])
        if number:
            yield self._round(4, partial(world.verify_user, artist, True))

    def _pinned(self, number: int) -> Iterator[Episode]:
        """A pinned comment: of somebody else, of the owner, by an owner who is verified later, or of another track."""
        world = self._world
        owner, fan, track, other, comment = self._people(5)
        self.note("pins", [owner, fan, number % 4])
        who, where = (owner if number % 4 == 1 else fan), (other if number % 4 == 3 else track)
        pin = partial(world.update_track, owner, track, False, pinned_comment_id=comment)
        unpin = partial(world.update_track, owner, track, False, pinned_comment_id=None)
        yield self._round(
            0, partial(world.create_track, owner, track), partial(world.verify_user, owner, number % 4 != 2)
        )
        yield self._round(0, partial(world.comment, who, comment, where))
        yield self._round(1, pin)
        yield self._round(2, unpin if number % 4 == 0 else partial(world.verify_user, owner, True))

    def _contest(self, number: int) -> Iterator[Episode]:
        """Contests with more winners than are paid, two of one host in a week, one without verification, one taken back."""
        if number > 2:
            return
        world = self._world
        host, track, first, second, *rest = self._people(18)
        winners, tracks = rest[:7], rest[7:]
        self.note("contests", [host, number])
        yield self._round(0, partial(world.create_track, host, track), partial(world.verify_user, host, number != 1))
        yield self._round(0, *(partial(world.create_track, *pair) for pair in zip(winners, tracks, strict=False)))
        yield self._round(0, partial(world.hold_contest, host, first, track))
        yield self._round(0, partial(world.hold_contest, host, second, track))
        yield self._round(1, partial(world.name_winners, first, tracks[: (3, 6, 7)[number]]))
        yield self._round(2, partial(world.name_winners, second, [*tracks[3:6], tracks[0]]))
        yield self._round(4, partial(world.drop_contest, first))
