"""What the generator's model knows of conversations: answers to comments, who is mentioned, who is muted, and what people hold.

Every method changes the model; the transaction that says so is the caller's. Moments are numbers of blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Mute:
    """Somebody does not want to hear of a user, of a track of theirs or of a comment of theirs, since a block."""

    user: int
    kind: str
    number: int
    since: int
    until: int | None = None


@dataclass
class Conversations:
    """``mentioned`` are (comment, user) with the block, ``held`` (user, block) with what somebody had at its end.

    Of each tip that has a signature of its own ``signed`` tells who gave to whom and in which block, and ``thanks`` what
    (signature, user) made of it.
    """

    parents: dict[int, int] = field(default_factory=dict)
    mentioned: dict[tuple[int, int], int] = field(default_factory=dict)
    mutes: list[Mute] = field(default_factory=list)
    held: dict[tuple[int, int], int] = field(default_factory=dict)
    signed: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    thanks: dict[tuple[str, int], int] = field(default_factory=dict)

    def mention(self, comment: int, users: list[int], block: int) -> None:
        """These, and nobody else, are mentioned in a comment now."""
        for gone in [pair for pair in self.mentioned if pair[0] == comment and pair[1] not in users]:
            del self.mentioned[gone]
        for user in users:
            self.mentioned.setdefault((comment, user), block)

    def mute(self, user: int, kind: str, number: int, block: int) -> None:
        """From now on ``user`` hears nothing of it."""
        self.mutes.append(Mute(user, kind, number, block))

    def unmute(self, user: int, kind: str, number: int, block: int) -> None:
        """And now they do again."""
        for mute in self.mutes:
            if (mute.user, mute.kind, mute.number, mute.until) == (user, kind, number, None):
                mute.until = block
