"""What people have earned: every reward with its specifier, its steps and its amount, as if it was counted for the first time."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from tests.examples.recomputed.network import Mark, Network, Tables, advances, moment, shown

DOLLAR = 1_000_000
WIN_WINDOW = timedelta(days=7)
LISTED_MAX = 10
"""How many places of a week's list are paid, and how many of those who marked a track first."""
TIERS = (("p1", 250, 1, 25), ("p2", 1_000, 250, 100), ("p3", 10_000, 1_000, 1_000))
"""Plays that complete a reward for artists, plays from which on it has a row, and what it pays."""
LISTS = {"tracks": ("tt", 1_000), "underground": ("tut", 1_000), "playlists": ("tp", 100)}
"""The reward of each list of the week, and what the first five places get; the others get a tenth."""
EARLIEST_MONTH = "2025-01"


class Reward(NamedTuple):
    """One row of ``user_challenges``."""

    challenge: str
    specifier: str
    user: int
    steps: int = 1
    amount: int = 1
    is_complete: bool = True


Rewards = Mapping[tuple[str, str], Reward]
"""By challenge and specifier."""


def earn(network: Network) -> Rewards:
    """Every row, by challenge and specifier."""
    return {
        (reward.challenge, reward.specifier): reward
        for rule in RULES
        for reward in rule(network)
        # DIFFERENCES.md, Rewards: whoever is deactivated is left out.
        if network.active(reward.user)
    }


def profiles(network: Network) -> Tables:
    """What of its profile each account with a handle has filled in."""
    return {"challenge_profile_completion": {(user, *map(int, parts)) for user, parts in _parts(network).items()}}


def _parts(network: Network) -> dict[int, tuple[bool, ...]]:
    savers, reposters = {mark.user for mark in network.saves}, {mark.user for mark in network.reposts}
    return {
        user: (
            *(bool(row.bio), bool(row.name)),
            bool(row.profile_picture or row.profile_picture_sizes),
            bool(row.cover_photo or row.cover_photo_sizes),
            *(network.following[user] >= 5, user in savers, user in reposters),
        )
        for user, row in network.users.items()
        if row.handle_lc is not None and not row.is_deactivated
    }


def _of_profiles(network: Network) -> Iterator[Reward]:
    for user, parts in _parts(network).items():
        yield Reward("p", f"{user:x}", user, sum(parts), 1, all(parts))


def _of_beginnings(network: Network) -> Iterator[Reward]:
    """For what somebody did once: uploads, a collection, a proof of who they are, a tip."""
    # DIFFERENCES.md, Rewards: complete is one step of one.
    uploads = Counter(track.owner_id for track in network.tracks.values() if network.public(track))
    for user, count in uploads.items():
        if user is not None:
            yield Reward("u", f"{user:x}", user, min(3, count), 1, count >= 3)
    for playlist in network.playlists.values():
        owner = playlist.playlist_owner_id
        if owner is not None and not playlist.is_delete:
            yield Reward("fp", f"{owner:x}", owner, 1, 2)
    for user in network.users:
        if network.verified(user):
            yield Reward("v", f"{user:x}", user, 1, 5)
    for tip in network.tips:
        yield Reward("ft", f"{tip.sender_user_id:x}", tip.sender_user_id, 1, 2)


def _of_sign_ups(network: Network) -> Iterator[Reward]:
    for event in network.user_events:
        user, referrer = event.user_id, event.referrer
        if event.is_mobile_user:
            yield Reward("m", f"{user:x}", user)
        if referrer not in (None, user):
            # DIFFERENCES.md, Rewards: the specifier of `rd` is who was referred.
            yield Reward("rd", f"{user:x}", user)
            yield Reward("rv" if network.verified(referrer) else "r", f"{referrer:x}:{user:x}", referrer)


def _of_listening(network: Network) -> Iterator[Reward]:
    for user, at, _ in advances(network.plays):
        yield Reward("e", f"{user:x}{moment(at):%Y%m%d%H}", user)


def _of_purchases(network: Network) -> Iterator[Reward]:
    """A dollar for each dollar to the buyer, and five to a seller who is verified, once for each thing."""

    def place(purchase: Any) -> tuple[int, ...]:
        # DIFFERENCES.md, Rewards: within a slot by the place in the block, the ninth before the tenth.
        return purchase.slot, *map(int, purchase.signature.split(":"))

    seen = set()
    for purchase in sorted(network.purchases, key=place):
        # DIFFERENCES.md, Rewards: buyer, type and content, and the first purchase of a dollar or more.
        what = purchase.buyer_user_id, purchase.content_type, purchase.content_id
        if purchase.amount < DOLLAR or what in seen:
            continue
        seen.add(what)
        buyer, kind, content = what
        specifier, dollars = f"{buyer:x}:{kind}:{content:x}", purchase.amount // DOLLAR
        yield Reward("b", specifier, buyer, 1, dollars)
        if network.verified(purchase.seller_user_id):
            yield Reward("s", specifier, purchase.seller_user_id, 1, 5 * dollars)


def _of_comments(network: Network) -> Iterator[Reward]:
    """For the first comment of a week, and for one that an artist has pinned."""
    for comment in network.comments.values():
        if shown(comment):
            year, week, _ = moment(comment.created_at).isocalendar()
            yield Reward("c", f"{comment.user_id:x}:{year}{week:02}", comment.user_id)
    for number, track in network.tracks.items():
        pinned = network.comments.get(track.pinned_comment_id)
        if pinned is None or track.is_delete or not network.verified(track.owner_id):
            continue
        # DIFFERENCES.md, Rewards, `cp`: about this very track, and not deleted.
        if pinned.user_id != track.owner_id and pinned.entity_id == number and not pinned.is_delete:
            yield Reward("cp", f"{pinned.user_id:x}:{number:x}", pinned.user_id, 1, 10)


def _of_being_played(network: Network) -> Iterator[Reward]:
    plays = Counter[int]()
    for (track, month, _), count in network.monthly_plays.items():
        row = network.tracks.get(track)
        if row is not None and not row.is_delete and row.owner_id is not None and month >= EARLIEST_MONTH:
            plays[row.owner_id] += count
    for artist, count in plays.items():
        for challenge, goal, since, amount in TIERS:
            if network.verified(artist) and count >= since:
                yield Reward(challenge, f"{artist:x}:{goal}", artist, min(goal, count), amount, count >= goal)


def _of_taste(network: Network) -> Iterator[Reward]:
    """For the first who saved, and the first who reposted, a track that came to the top of a week."""
    # DIFFERENCES.md, Rewards, `t`: ten, and one row for each user and track.
    top = {row.id for row in network.weekly if row.type == "tracks" and row.rank <= LISTED_MAX}
    for marks in (network.saves, network.reposts):
        early: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        for mark in marks:
            number, is_track = mark.item
            if is_track and number in top:
                early[number].append((mark.at, mark.user))
        for number, users in early.items():
            for _, user in sorted(users)[:LISTED_MAX]:
                yield Reward("t", f"{user:x}:t:{number:x}", user, 1, 100)


def _of_cosigns(network: Network) -> Iterator[Reward]:
    """To who remixed an artist that is verified and has marked the remix: five of an artist within thirty days."""
    first: dict[tuple[int, int], str] = {}
    for mark in (*network.saves, *network.reposts):
        if cosigned(network, mark) and network.verified(mark.user):
            made = mark.user, mark.item[0]
            first[made] = min(first.get(made, mark.at), mark.at)
    # DIFFERENCES.md, Rewards, `cs` and `w`: counted over cosigns and wins, by their own time, also those that are not paid.
    for (artist, track), at in first.items():
        others = [(when, other) for (who, other), when in first.items() if who == artist]
        earlier = [one for one in others if one < (at, track) and moment(one[0]) > moment(at) - timedelta(days=30)]
        if len(earlier) < 5:
            yield Reward("cs", f"{artist:x}:{track:x}", network.tracks[track].owner_id, 1, 1_000)


def cosigned(network: Network, mark: Mark) -> bool:
    """Whether a mark is one that an artist has set to somebody else's remix of their track."""
    number, is_track = mark.item
    track = network.tracks.get(number) if is_track else None
    if track is None or track.is_delete or track.owner_id in (None, mark.user):
        return False
    return bool(network.parents_by(number, mark.user))


def _of_contests(network: Network) -> Iterator[Reward]:
    """To winners of contests whose host is verified: five of a host within seven days."""
    wins: defaultdict[tuple[int, int, int], list[tuple[str, int]]] = defaultdict(list)
    for winner in network.winners:
        contest, track = network.contests.get(winner.event_id), network.tracks.get(winner.track_id)
        if contest is None or track is None or track.is_delete or track.owner_id in (None, contest.user_id):
            continue
        if network.verified(contest.user_id):
            wins[contest.user_id, contest.event_id, track.owner_id].append((winner.announced_at, winner.place))
    ordered = {
        win: (min(at for at, _ in named), win[1], min(place for _, place in named)) for win, named in wins.items()
    }
    for (host, event, user), (at, _, place) in ordered.items():
        since = moment(at) - WIN_WINDOW
        earlier = [
            one
            for (of, _, _), one in ordered.items()
            if of == host and one < (at, event, place) and moment(one[0]) > since
        ]
        if place <= 5 and len(earlier) < 5:
            yield Reward("w", f"{event:x}:{user:x}", user, 1, 1_000)


def _of_the_week(network: Network) -> Iterator[Reward]:
    for row in network.weekly:
        challenge, amount = LISTS[row.type]
        if row.rank <= LISTED_MAX:
            paid = amount if row.rank <= 5 else amount // 10
            yield Reward(challenge, f"{row.week}:{row.rank}", row.user_id, 1, paid)


RULES: tuple[Callable[[Network], Iterator[Reward]], ...] = (
    _of_profiles,
    _of_beginnings,
    _of_sign_ups,
    _of_listening,
    _of_purchases,
    _of_comments,
    _of_being_played,
    _of_taste,
    _of_cosigns,
    _of_contests,
    _of_the_week,
)
