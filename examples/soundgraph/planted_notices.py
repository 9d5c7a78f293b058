"""People who are told of things, or just are not, planted so that each kind of notice and each of its gates matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from examples.soundgraph.planted import DAY, HOUR, Episode, Planter, iso
from examples.soundgraph.planted_talk import Talk
from examples.soundgraph.world import Tx

STREAKS = (42 * HOUR, 42 * HOUR - 1, 43 * HOUR - 1, 43 * HOUR, 42 * HOUR + 1_800)
"""How long before the notices are looked at somebody listened last."""


class NoticePlanter(Planter):
    """Plants ``times`` of each kind."""

    def _kinds(self) -> tuple[Callable[[int], Iterator[Episode]], ...]:
        return (
            self._passed_on,
            self._album,
            self._contest,
            self._supporters,
            self._reminder,
            self._reaction,
            *self._said(),
        )

    def _said(self) -> tuple[Callable[[int], Iterator[Episode]], ...]:
        said = Talk(self._world, self._people, self.note, self._moment)
        return said.conversation, said.thanks, said.tiers

    def _apart(self, *makes: Callable[[], Tx]) -> Callable[[int], list[Tx]]:
        """In a block that ends here, so that what follows is later."""

        def emit(_now: int) -> list[Tx]:
            self._world.apart = True
            return [make() for make in makes]

        return emit

    def _passed_on(self, number: int) -> Iterator[Episode]:
        """A mark of what somebody had reposted whom its maker follows: lately, too long ago, or only afterwards."""
        world = self._world
        user, followed, stranger, owner, track, playlist = self._people(6)
        self.note("passed_on", [user, followed, number])
        of, item = ("Playlist", playlist) if number % 2 else ("Track", track)
        apart = (HOUR, 30 * DAY - 1, 30 * DAY)[number % 3]
        at = self._start + number * HOUR
        yield at, lambda _: [world.create_track(owner, track), world.follow(user, followed)]
        yield at, lambda _: [world.create_playlist(owner, playlist, number % 4 == 1, False, [])]
        made = [partial(world.mark, world.reposts, who, of, item) for who in (followed, stranger)]
        yield at + HOUR, self._apart(*made)
        yield at + HOUR + apart, self._apart(partial(world.mark, world.saves, user, of, item))
        yield at + HOUR + apart + 1, self._apart(partial(world.mark, world.reposts, user, of, item))
        yield at + 2 * HOUR + apart, lambda _: [world.follow(followed, user)]

    def _album(self, number: int) -> Iterator[Episode]:
        """A track that comes into an album which somebody bought before, and somebody else only afterwards. Whoever subscribes
        hears of the album and of that track, and not of the one that was uploaded with the album."""
        world, at = self._world, self._moment(3 * DAY)
        owner, early, late, album, first, second = self._people(6)
        self.note("bought_albums", [album, early, late])
        yield at, lambda _: [world.subscribe(early, owner), world.create_track(owner, first, is_playlist_upload=True)]
        yield at, lambda _: [world.create_track(owner, second)]
        yield at, lambda _: [world.create_playlist(owner, album, number % 2 == 0, False, [first])]
        buy = [partial(world.purchase, who, owner, 5_000_000, "album", album) for who in (early, late)]
        yield at + HOUR, self._apart(*buy[: 1 + number % 2], buy[0])
        yield at + DAY, self._apart(partial(world.fill_playlist, owner, album, [first, second]))
        yield at + DAY + HOUR, lambda _: [buy[1]()]

    def _contest(self, number: int) -> Iterator[Episode]:
        """A contest that runs, that ends soon, that ends now or a second later, or that is over; with fans of every kind."""
        world, at = self._world, self._end - 10 * DAY
        host, track, event, follower, saver, both, late = self._people(7)
        end = self._end + HOUR + (3 * DAY, 2 * DAY, 0, 1, -DAY)[number % 5]
        self.note("contests_with_ends", [event, end])
        yield at, lambda _: [world.create_track(host, track), world.follow(follower, host), world.follow(both, host)]
        yield at, lambda _: [world.mark(world.saves, user, "Track", track) for user in (saver, both)]
        yield at + HOUR, lambda _: [world.hold_contest(host, event, track, iso(end))]
        yield at + DAY, lambda _: [world.follow(late, host), world.follow(host, late)]
        if number % 2 == 0:
            yield at + 2 * DAY, lambda _: [world.name_winners(event, self._people(1))]
            yield at + 3 * DAY, lambda _: [world.follow(saver, host)]

    def _supporters(self, number: int) -> Iterator[Episode]:
        """Seven who give, so that somebody rises, is put down from the first place, or never gets among five."""
        world, at = self._world, self._moment(10 * DAY)
        receiver, *senders = self._people(8)
        self.note("supported", receiver)
        gifts = [(senders[step % 7], 10 * (1 + (step * 3 + number) % 7)) for step in range(11)]
        for step, (sender, amount) in enumerate(gifts):
            yield at + step * HOUR, self._tip(sender, receiver, amount)

        def at_once(_now: int) -> list[Tx]:
            return [world.tip(sender, receiver, 40) for sender in senders[:3]]

        yield at + DAY, at_once

    def _tip(self, sender: int, receiver: int, amount: int) -> Callable[[int], list[Tx]]:
        return lambda _: [self._world.tip(sender, receiver, amount)]

    def _reminder(self, number: int) -> Iterator[Episode]:
        """Somebody who listened about 42 hours before the notices are looked at."""
        world = self._world
        user, track = self._people(2)
        since = STREAKS[number % len(STREAKS)]
        last = self._end + HOUR - since
        self.note("last_listened", [user, since])
        yield last, lambda _: [{"type": "plays", "plays": [world.play(user, track, last, "Japan")]}]

    def _reaction(self, number: int) -> Iterator[Episode]:
        """A comment that people like, its author among them; one takes it back, and some comments go."""
        world, at = self._world, self._moment(DAY)
        owner, author, fan, fickle, track, comment = self._people(6)
        self.note("liked_comments", comment)
        yield at, lambda _: [world.create_track(owner, track), world.comment(author, comment, track)]
        yield at + HOUR, lambda _: [world.react(user, comment) for user in (author, fan, fickle)]
        yield at + 2 * HOUR, lambda _: [world.unreact(fickle, comment)]
        if number % 2:
            yield at + 3 * HOUR, lambda _: [world.delete_comment(author, comment)]
