"""Who must have been told what when one tick looks at everything that happened, worked out from the generator's model in Python.

A notice is (type, recipient, actor, item, specifier); what dates it is not asked. What depends on the clock is worked out for the
moment that is given.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from examples.soundgraph.conversations import Mute
from examples.soundgraph.world import Edge, World

DAY = 86_400
TIERS = ("none", "bronze", "silver", "gold", "platinum")
Told = tuple[str, int, int, int, str]


class Notices:
    """The notices of a world whose users have these scores."""

    def __init__(self, world: World, scores: Mapping[str, Mapping[str, int]], now: int) -> None:
        self._world = world
        self._now = now
        self._mutes: defaultdict[int, list[Mute]] = defaultdict(list)
        for mute in world.talk.mutes:
            self._mutes[mute.user].append(mute)
        self._silent = {int(user) for user, found in scores.items() if found["score"] < 0}

    def answers(self) -> list[Told]:
        """All of them, in order."""
        once = {*self._social(), *self._content(), *self._by_way(), *self._contests(), *self._support()}
        once |= {*self._comments(), *self._tiers(), *self._thanks()}
        return sorted([*once, *self._reminders(), *self._money()])

    def _time(self, block: int) -> int:
        return self._world.closed[block][1]

    def _owner(self, kind: str, number: int) -> int | None:
        item = self._world.tracks.get(number) if kind == "Track" else self._world.playlists.get(number)
        return item.owner if item else None

    def _social(self) -> Iterator[Told]:
        world = self._world
        bought_items = {
            (buyer, "Track" if kind == "track" else "Playlist", content)
            for buyer, _, _, kind, content in world.purchases
        }
        for user, other in world.follows:
            if user not in self._silent:
                yield "follow", other, user, other, str(user)
        for kind, edges in (("save", world.saves), ("repost", world.reposts)):
            for user, of, number in edges:
                owner = self._owner(of, number)
                bought = kind == "save" and (user, of, number) in bought_items
                if owner not in (None, user) and user not in self._silent and not bought:
                    yield kind, owner or 0, user, number, str(user)

    def _content(self) -> Iterator[Told]:
        world = self._world
        followers: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for (user, other), block in world.subscriptions.items():
            followers[other].append((user, self._time(block)))
        for number, track in world.tracks.items():
            if track.owner is None or track.deleted or track.unlisted:
                continue
            for user, since in followers[track.owner]:
                if not (track.stem or track.playlist_upload) and since <= self._time(track.created):
                    yield "create", user, track.owner, number, str(number)
            for parent in track.parents:
                above = world.tracks.get(parent)
                if above is not None and above.owner not in (None, track.owner):
                    yield "remix", above.owner or 0, track.owner, number, str(track.owner)
        for number, playlist in world.playlists.items():
            if playlist.owner is None or playlist.deleted:
                continue
            for user, since in followers[playlist.owner] if not playlist.private else ():
                if since <= self._time(playlist.created):
                    yield "create", user, playlist.owner, number, str(playlist.owner)
            for track_id in playlist.contents:
                owner = self._owner("Track", track_id)
                if not playlist.private and owner not in (None, playlist.owner):
                    yield "track_added_to_playlist", owner or 0, number, track_id, str(owner)
                added = self._time(world.added[number, track_id])
                for (buyer, album), block in world.bought.items():
                    is_late = album == number and self._time(block) < added
                    if is_late and playlist.album and buyer != playlist.owner and track_id in world.tracks:
                        yield "track_added_to_purchased_album", buyer, number, track_id, str(buyer)

    def _hears(self, user: int, speaker: int, kind: str, number: int, at: int) -> bool:
        """Whether somebody had muted neither who speaks nor what it is about."""
        return not any(
            mute.user == user
            and (mute.kind, mute.number) in (("User", speaker), (kind, number))
            and self._time(mute.since) <= at
            and (mute.until is None or self._time(mute.until) > at)
            for mute in self._mutes.get(user, ())
        )

    def _comments(self) -> Iterator[Told]:
        world = self._world
        for comment, (user, track_id) in world.comments.items():
            owner, at = self._owner("Track", track_id), self._time(world.commented[comment])
            if owner is not None and owner != user and self._hears(owner, user, "Track", track_id, at):
                yield "comment", owner, user, comment, str(user)
            parent = world.talk.parents.get(comment)
            author = world.comments[parent][0] if parent in world.comments else user
            if parent is not None and author != user and self._hears(author, user, "Comment", parent, at):
                yield "comment_thread", author, user, comment, str(user)
        for (comment, named), block in world.talk.mentioned.items():
            user, track_id = world.comments[comment]
            if named != user and self._hears(named, user, "Track", track_id, self._time(block)):
                yield "comment_mention", named, user, comment, str(user)
        for comment, user in world.reactions:
            author = world.comments[comment][0] if comment in world.comments else user
            at = self._time(world.reacted[comment, user])
            if author != user and self._hears(author, user, "Comment", comment, at):
                yield "comment_reaction", author, user, comment, str(user)

    def _tiers(self) -> Iterator[Told]:
        before: dict[int, int] = {}
        for (user, block), balance in sorted(self._world.talk.held.items(), key=lambda one: one[0][1]):
            name = _tier(balance)
            if TIERS.index(name) > TIERS.index(_tier(before.get(user, 0))):
                yield "tier_change", user, user, self._world.closed[block][0], str(user)
            before[user] = balance

    def _thanks(self) -> Iterator[Told]:
        talk = self._world.talk
        for (signature, user), value in talk.thanks.items():
            sender, receiver, block = talk.signed[signature]
            if value and user == receiver:
                yield "reaction", sender, user, self._world.closed[block][0], str(sender)

    def _money(self) -> Iterator[Told]:
        world = self._world
        for (sender, receiver, _), block in zip(world.tips, world.tipped, strict=True):
            height = world.closed[block][0]
            yield "tip_send", sender, receiver, height, str(sender)
            yield "tip_receive", receiver, sender, height, str(receiver)
        for (buyer, seller, *_), block in zip(world.purchases, world.paid, strict=True):
            height = world.closed[block][0]
            yield "usdc_purchase_buyer", buyer, seller, height, str(buyer)
            yield "usdc_purchase_seller", seller, buyer, height, str(seller)

    def _by_way(self) -> Iterator[Told]:
        world = self._world
        for kind, edges in (("save_of_repost", world.saves), ("repost_of_repost", world.reposts)):
            for (user, of, number), block in edges.items():
                for follower, followee in world.follows if user not in self._silent else ():
                    since = world.reposts.get((followee, of, number)) if follower == user else None
                    if since is not None and 0 <= self._time(block) - self._time(since) < 30 * DAY:
                        yield kind, followee, user, number, str(user)
        for edges in (world.saves, world.reposts):
            yield from self._cosigns(edges)

    def _cosigns(self, edges: Mapping[Edge, int]) -> Iterator[Told]:
        tracks = self._world.tracks
        for user, of, number in edges:
            track = tracks.get(number) if of == "Track" else None
            if track is None or track.deleted or track.owner in (None, user):
                continue
            if any(parent in tracks and tracks[parent].owner == user for parent in track.parents):
                yield "cosign", track.owner or 0, user, number, str(user)

    def _contests(self) -> Iterator[Told]:
        world = self._world
        for event, contest in world.contests.items():
            if contest.deleted:
                continue
            fans = [(user, at) for (user, other), at in world.follows.items() if other == contest.host]
            fans += [
                (user, at) for (user, of, number), at in world.saves.items() if (of, number) == ("Track", contest.track)
            ]
            moments = {"fan_remix_contest_started": self._time(contest.created)}
            if contest.winners:
                named = min(self._time(block) for _, block in contest.winners.values())
                moments["fan_remix_contest_winners_selected"] = named
            end = contest.end
            if end is not None and end - 2 * DAY <= self._now < end:
                moments["fan_remix_contest_ending_soon"] = end - 2 * DAY
                yield "artist_remix_contest_ending_soon", contest.host, contest.host, event, str(contest.host)
            if end is not None and end <= self._now:
                moments["fan_remix_contest_ended"] = end
                yield "artist_remix_contest_ended", contest.host, contest.host, event, str(contest.host)
            for kind, moment in moments.items():
                for user, at in fans:
                    if user != contest.host and self._time(at) <= moment:
                        yield kind, user, contest.host, event, str(user)

    def _support(self) -> Iterator[Told]:
        world, given = self._world, defaultdict[int, dict[int, int]](dict)
        slots: defaultdict[tuple[int, int], dict[int, int]] = defaultdict(dict)
        for (sender, receiver, amount), block in zip(world.tips, world.tipped, strict=True):
            here = slots[world.closed[block][0], receiver]
            here[sender] = here.get(sender, 0) + amount
        for (slot, receiver), here in sorted(slots.items()):
            before = _first(given[receiver])
            for sender, amount in here.items():
                given[receiver][sender] = given[receiver].get(sender, 0) + amount
            after = _first(given[receiver])
            for sender in here:
                if sender in after and (sender not in before or after.index(sender) < before.index(sender)):
                    yield "supporter_rank_up", receiver, sender, slot, str(receiver)
                    yield "supporting_rank_up", sender, receiver, slot, str(sender)
                    if after[0] == sender and before:
                        yield "supporter_dethroned", before[0], sender, slot, str(before[0])

    def _reminders(self) -> Iterator[Told]:
        for user, (last, _) in self._world.streaks.items():
            if 42 * 3_600 <= self._now - last < 43 * 3_600:
                day = int(_day(last))
                yield "listen_streak_reminder", user, user, day, str(user)


def _first(given: Mapping[int, int]) -> list[int]:
    return sorted(given, key=lambda sender: (-given[sender], sender))[:5]


def _tier(balance: int) -> str:
    """Ten, a hundred, a thousand, ten thousand."""
    return TIERS[max(0, min(4, len(str(balance)) - 1))]


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%d")
