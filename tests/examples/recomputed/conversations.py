"""Whom comments are told of: owners, those who are answered and those who are mentioned, unless they have muted it."""

from collections import defaultdict
from collections.abc import Iterator

from tests.examples.recomputed.network import Network, Row, shown
from tests.examples.recomputed.notices import Notice

Topic = tuple[str, int]
"""What can be muted: a user, a track or a comment, by its number."""


def tell_of_comments(network: Network) -> Iterator[Notice]:
    """To the owner of the track, to whom an answer answers, to whom a comment names, and to whose comment somebody reacts."""
    return _Conversations(network).notices()


class _Conversations:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._mutes: defaultdict[int, list[Row]] = defaultdict(list)
        for mute in network.rows("mutes"):
            self._mutes[mute.user_id].append(mute)

    def notices(self) -> Iterator[Notice]:
        comments = self._network.comments
        for comment in comments.values():
            if shown(comment):
                yield from self._to_the_owner(comment)
        for answer in self._network.rows("comment_threads"):
            comment, parent = comments.get(answer.comment_id), comments.get(answer.parent_comment_id)
            if comment and parent and shown(comment) and not parent.is_delete:
                about = ("Comment", parent.comment_id)
                yield from self._tell(
                    "comment_thread", comment, parent.user_id, comment.user_id, about, comment.created_at
                )
        for mention in self._network.rows("comment_mentions"):
            comment = comments.get(mention.comment_id)
            if comment and shown(comment) and not mention.is_delete:
                about, at = ("Track", comment.entity_id), mention.created_at
                yield from self._tell("comment_mention", comment, mention.user_id, comment.user_id, about, at)
        for reaction in self._network.rows("comment_reactions"):
            comment = comments.get(reaction.comment_id)
            if comment and not comment.is_delete and not reaction.is_delete:
                about, at = ("Comment", comment.comment_id), reaction.created_at
                yield from self._tell("comment_reaction", comment, comment.user_id, reaction.user_id, about, at)

    def _to_the_owner(self, comment: Row) -> Iterator[Notice]:
        owner = self._network.owner((comment.entity_id, True)) if comment.entity_type == "Track" else None
        if owner is not None:
            about = ("Track", comment.entity_id)
            yield from self._tell("comment", comment, owner, comment.user_id, about, comment.created_at)

    def _tell(self, kind: str, comment: Row, user: int, actor: int, about: Topic, at: str) -> Iterator[Notice]:
        # DIFFERENCES.md, Milestones and notices: a mute is an interval; what happened inside it is never told.
        muted = any(
            (mute.entity_type, mute.entity_id) in (about, ("User", actor))
            and mute.since <= at
            and (mute.until is None or at < mute.until)
            for mute in self._mutes[user]
        )
        if user != actor and not muted:
            yield Notice(kind, user, f"{kind}:comment:{comment.comment_id}", str(actor))
