"""Conversations and holdings, planted so that each gate of what people hear of them matters: mutes above all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from examples.soundgraph.world import Tx, World

HOUR, DAY = 3_600, 86_400
Episode = tuple[int, Callable[[int], list[Tx]]]
Make = Callable[[], Tx]
BALANCES = (9, 10, 99, 5, 150, 100, 20_000, 50, 999, 1_000, 0, 10_000)
"""Steps that rise by a tier, by two, by none, and fall."""


@dataclass(frozen=True)
class Talk:
    """Plants into a world. ``people`` gives new ids, ``note`` writes down what was planted, ``moment`` leaves so much time."""

    world: World
    people: Callable[[int], list[int]]
    note: Callable[[str, Any], None]
    moment: Callable[[int], int]

    def _apart(self, *makes: Make) -> Callable[[int], list[Tx]]:
        """In a block that ends here, so that what follows is later."""

        def emit(_now: int) -> list[Tx]:
            self.world.apart = True
            return [make() for make in makes]

        return emit

    def _mute(self, user: int, kind: str, number: int, *, undo: bool = False) -> Make:
        def make() -> Tx:
            self.world.know(user)
            change = self.world.talk.unmute if undo else self.world.talk.mute
            change(user, kind, number, self.world.block)
            return self.world.entity(user, kind, number, "Unmute" if undo else "Mute")

        return make

    def _answer(self, user: int, comment: int, track: int, parent: int, mentioned: list[int]) -> Make:
        def make() -> Tx:
            world = self.world
            world.talk.parents[comment] = parent
            world.know(*mentioned)
            world.talk.mention(comment, mentioned, world.block)
            return world.comment(user, comment, track, parent_comment_id=parent, mentions=mentioned)

        return make

    def _mention_others(self, user: int, comment: int, mentioned: list[int]) -> Make:
        def make() -> Tx:
            self.world.know(*mentioned)
            self.world.talk.mention(comment, mentioned, self.world.block)
            return self.world.entity(user, "Comment", comment, "Update", {"body": "again", "mentions": mentioned})

        return make

    def conversation(self, number: int) -> Iterator[Episode]:
        """Answers and mentions, where somebody muted the speaker, the track or the comment before, or only afterwards."""
        world, at = self.world, self.moment(3 * DAY)
        owner, author, speaker, named, dropped, later, track = self.people(7)
        first, second, third = self.people(3)
        self.note("conversations", [first, second, third, number])
        mutes = (
            [(author, "User", speaker)],
            [(author, "Comment", first), (named, "User", speaker)],
            [(owner, "Track", track), (named, "Track", track)],
            [(owner, "User", speaker), (dropped, "User", speaker)],
            [],
        )[number % 5]
        yield at, self._apart(lambda: world.create_track(owner, track), lambda: world.comment(author, first, track))
        if mutes:
            yield at + HOUR, self._apart(*(self._mute(*mute) for mute in mutes))
        said = self._answer(speaker, second, track, first, [named, dropped, speaker, owner])
        yield at + 2 * HOUR, self._apart(said, lambda: world.react(speaker, first))
        yield at + 3 * HOUR, self._apart(self._mention_others(speaker, second, [named, later, owner]))
        if mutes and number % 2:
            # What was said meanwhile is not told afterwards, what is said from now on is.
            yield at + 4 * HOUR, self._apart(*(self._mute(*mute, undo=True) for mute in mutes))
        yield at + 5 * HOUR, self._apart(self._answer(speaker, third, track, first, [named, author]))
        afterwards = self._mute(author, "User", owner)
        yield at + 6 * HOUR, self._apart(lambda: world.react(owner, first), lambda: world.react(later, third))
        yield at + 7 * HOUR, self._apart(afterwards)

    def thanks(self, number: int) -> Iterator[Episode]:
        """A tip with a signature of its own; its receiver reacts, a stranger too, or only one who takes it back."""
        world, at = self.world, self.moment(2 * DAY)
        sender, receiver, stranger = self.people(3)
        signature = world.token("sig")
        self.note("thanks", [signature, number])

        def tip() -> Tx:
            made = world.tip(sender, receiver, 3_000_000)
            world.talk.signed[signature] = (sender, receiver, world.block)
            return made | {"signature": signature}

        def react(user: int, value: int) -> Make:
            def make() -> Tx:
                world.know(user)
                world.talk.thanks[signature, user] = value
                return {"type": "tip_reaction", "user_id": user, "reacted_to": signature, "value": value}

            return make

        yield at, self._apart(react(receiver, 1) if number % 3 == 1 else tip)
        yield at + HOUR, self._apart(tip if number % 3 == 1 else react(receiver, 2), react(stranger, 1))
        if number % 3 == 2:
            yield at + 2 * HOUR, self._apart(react(receiver, 0))

    def tiers(self, number: int) -> Iterator[Episode]:
        """Somebody whose holdings rise and fall, twice within one block at the end."""
        world, at = self.world, self.moment(4 * DAY)
        (user,) = self.people(1)
        self.note("holders", user)

        def hold(balance: int) -> Make:
            def make() -> Tx:
                world.know(user)
                world.talk.held[user, world.block] = balance
                return {"type": "holding", "user_id": user, "balance": balance}

            return make

        for step in range(6):
            yield at + step * HOUR, self._apart(hold(BALANCES[(number * 5 + step) % len(BALANCES)]))
        yield at + DAY, self._apart(hold(50_000), hold(BALANCES[number % 3]))
