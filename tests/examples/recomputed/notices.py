"""What people are told of each other's uploads, marks, tips, purchases, contests and rewards, as if nobody had been told yet.

Comments and who has muted them stand in `conversations`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from itertools import chain
from typing import NamedTuple

from tests.examples.recomputed.network import Mark, Network, Tables, moment
from tests.examples.recomputed.rewards import Rewards, cosigned

MONTH = timedelta(days=30)
REMINDED = timedelta(hours=42), timedelta(hours=43)
"""How long ago the last listening was, at least and less than, when somebody is reminded of their streak."""
ENDING_SOON = timedelta(days=2)
COOLDOWN = timedelta(days=7)
CLAIMABLE_SINCE = "2024-06-06 00:00:00"
"""What was completed earlier is not told of when it has cooled down."""
TIERS = ((10, "bronze"), (100, "silver"), (1_000, "gold"), (10_000, "platinum"))
PLACES = 5
CHARTS = {"tracks": "trending", "underground": "trending_underground", "playlists": "trending_playlist"}


class Notice(NamedTuple):
    """What makes a notice one, and its kind."""

    kind: str
    user: int
    group: str
    specifier: str


def _told(kind: str, user: int, group: object, specifier: object) -> Notice:
    """A notice whose group begins with its kind."""
    return Notice(kind, user, f"{kind}:{group}", str(specifier))


def tell(network: Network, scores: dict[int, int], rewards: Rewards) -> Iterator[Notice]:
    """Everything that people are told of, beside comments."""
    # DIFFERENCES.md, Milestones and notices: a score that was never worked out is no score, and silences nobody.
    heard = {user for user in _acting(network) if scores.get(user, 0) >= 0}
    return chain(
        _of_follows(network, heard),
        _of_marks(network, heard),
        _of_uploads(network),
        _of_remixes(network),
        _of_contents(network),
        _of_tips(network),
        _of_purchases(network),
        _of_tiers(network),
        _of_contests(network),
        _of_supporters(network),
        _of_streaks(network),
        _of_the_week(network),
        _of_rewards(network, rewards),
    )


def _acting(network: Network) -> set[int]:
    """Everybody who followed or marked something."""
    marking = (mark.user for mark in (*network.saves, *network.reposts))
    return {*(follow.follower_user_id for follow in network.follows), *marking}


def _of_follows(network: Network, heard: set[int]) -> Iterator[Notice]:
    # DIFFERENCES.md, Milestones and notices: what is taken back is not told of.
    for follow in network.follows:
        if follow.follower_user_id in heard:
            yield _told("follow", follow.followee_user_id, follow.followee_user_id, follow.follower_user_id)


def _of_marks(network: Network, heard: set[int]) -> Iterator[Notice]:
    """To owners, to those whose reposts were followed, and to those whose remix an artist likes."""
    bought = {(row.buyer_user_id, (row.content_id, row.content_type == "track")) for row in network.purchases}
    for act, marks in (("save", network.saves), ("repost", network.reposts)):
        for mark in marks:
            number, is_track = mark.item
            if number not in (network.tracks if is_track else network.playlists):
                continue
            owner, group = network.owner(mark.item), f"{number}:{'track' if is_track else 'playlist'}"
            own = act == "save" and (mark.user, mark.item) in bought
            if mark.user in heard:
                if owner not in (None, mark.user) and not own:
                    yield _told(act, owner, group, mark.user)
                for followed in _followed_in(network, mark):
                    yield _told(f"{act}_of_repost", followed, group, mark.user)
            if cosigned(network, mark):
                # DIFFERENCES.md, Milestones and notices, `cosign`: one for each remix and artist.
                parent = min(network.parents_by(number, mark.user))
                yield _told("cosign", owner, f"{parent}:{number}", mark.user)


def _followed_in(network: Network, mark: Mark) -> Iterator[int]:
    """Whom somebody followed in marking what those had reposted within thirty days before."""
    # DIFFERENCES.md, Milestones and notices, `save_of_repost`: what the rows say.
    followees = {row.followee_user_id for row in network.follows if row.follower_user_id == mark.user}
    for repost in network.reposts:
        is_known = repost.item == mark.item and repost.user in followees
        if is_known and repost.at <= mark.at and moment(repost.at) > moment(mark.at) - MONTH:
            yield repost.user


def _of_uploads(network: Network) -> Iterator[Notice]:
    """To subscribers."""
    # DIFFERENCES.md, Milestones and notices, `create`: those who had subscribed when it came.
    made = []
    for number, track in network.tracks.items():
        if network.public(track) and not track.is_playlist_upload:
            made.append((track.owner_id, track.created_at, f"track:{track.owner_id}", number))
    for number, playlist in network.playlists.items():
        if not playlist.is_delete and not playlist.is_private:
            owner = playlist.playlist_owner_id
            made.append((owner, playlist.created_at, f"playlist:{number}", owner))
    for owner, at, group, specifier in made:
        for row in network.subscriptions:
            if row.user_id == owner and row.created_at <= at:
                yield _told("create", row.subscriber_id, group, specifier)


def _of_remixes(network: Network) -> Iterator[Notice]:
    for number, track in network.tracks.items():
        if track.owner_id is None or track.is_delete or track.is_unlisted or not track.is_available:
            continue
        for artist in {network.owner((parent, True)) for parent in network.parents[number]} - {None, track.owner_id}:
            # DIFFERENCES.md, Milestones and notices, `remix`: one for each remix and artist.
            yield _told("remix", artist, f"{number}:{min(network.parents_by(number, artist))}", track.owner_id)


def _of_contents(network: Network) -> Iterator[Notice]:
    """To artists whose track is in a collection, and to those who had bought an album before a track came to it."""
    first: dict[tuple[int, int], str] = {}
    for row in network.purchases:
        if row.content_type == "album":
            bought = row.content_id, row.buyer_user_id
            first[bought] = min(first.get(bought, row.created_at), row.created_at)
    # DIFFERENCES.md, Milestones and notices, `track_added_to_playlist`: what the contents have, once for each.
    for entry in network.rows("playlist_tracks"):
        playlist, track = network.playlists.get(entry.playlist_id), network.tracks.get(entry.track_id)
        if entry.is_removed or playlist is None or track is None:
            continue
        owner, group = playlist.playlist_owner_id, f"{entry.playlist_id}:{entry.track_id}"
        if playlist.is_delete or owner is None:
            continue
        if not playlist.is_private and track.owner_id not in (None, owner):
            yield _told("track_added_to_playlist", track.owner_id, group, track.owner_id)
        for (album, buyer), at in first.items():
            if playlist.is_album and album == entry.playlist_id and at < entry.created_at and buyer != owner:
                yield _told("track_added_to_purchased_album", buyer, group, buyer)


def _of_tips(network: Network) -> Iterator[Notice]:
    # DIFFERENCES.md, Milestones and notices: one for each tip; a reaction is that of its receiver, above nothing.
    liked = {(row.reacted_to, row.user_id) for row in network.rows("tip_reactions") if row.value > 0}
    for tip in network.tips:
        group = f"{tip.slot}:{tip.signature}"
        yield _told("tip_send", tip.sender_user_id, group, tip.sender_user_id)
        yield _told("tip_receive", tip.receiver_user_id, group, tip.receiver_user_id)
        if (tip.signature, tip.receiver_user_id) in liked:
            yield _told("reaction", tip.sender_user_id, group, tip.sender_user_id)


def _of_purchases(network: Network) -> Iterator[Notice]:
    for row in network.purchases:
        group = f"{row.slot}:{row.signature}"
        yield _told("usdc_purchase_seller", row.seller_user_id, group, row.seller_user_id)
        yield _told("usdc_purchase_buyer", row.buyer_user_id, group, row.buyer_user_id)


def _of_tiers(network: Network) -> Iterator[Notice]:
    """To those whose balance has come to a higher tier."""
    # DIFFERENCES.md, Milestones and notices, `tier_change`: by the balances at the end of each block.
    held: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in network.rows("user_holdings"):
        held[row.user_id].append((row.slot, row.balance))
    for user, balances in held.items():
        before = 0
        for slot, balance in sorted(balances):
            reached = [name for least, name in TIERS if balance >= least]
            if len(reached) > before:
                yield _told("tier_change", user, f"{user}:{reached[-1]}:{slot}", user)
            before = len(reached)


def _of_contests(network: Network) -> Iterator[Notice]:
    """To hosts, and to those who follow the host or have saved the track."""
    for event, contest in network.contests.items():
        host, happened = contest.user_id, [("fan_remix_contest_started", contest.created_at)]
        announced = [winner.announced_at for winner in network.winners if winner.event_id == event]
        if announced:
            happened.append(("fan_remix_contest_winners_selected", min(announced)))
        if contest.end_date is not None:
            end = moment(contest.end_date)
            if end <= network.now:
                happened.append(("fan_remix_contest_ended", contest.end_date))
                yield _told("artist_remix_contest_ended", host, event, host)
            elif end <= network.now + ENDING_SOON:
                happened.append(("fan_remix_contest_ending_soon", str(end - ENDING_SOON)))
                yield _told("artist_remix_contest_ending_soon", host, event, host)
        # DIFFERENCES.md, Milestones and notices: those who were fans by then.
        fans = [(row.follower_user_id, row.created_at) for row in network.follows if row.followee_user_id == host]
        fans += [(mark.user, mark.at) for mark in network.saves if mark.item == (contest.entity_id, True)]
        for kind, at in happened:
            for user, since in fans:
                if user != host and since <= at:
                    yield _told(kind, user, event, user)


class RankUp(NamedTuple):
    """Somebody who came to a higher place among the five who gave somebody most, in a slot."""

    slot: int
    sender: int
    receiver: int
    rank: int
    dethroned: int | None


def rank_ups(network: Network) -> set[RankUp]:
    """All of them."""
    # DIFFERENCES.md, Milestones and notices: the board before and after each slot, equals by number.
    given: defaultdict[int, defaultdict[int, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for tip in network.tips:
        given[tip.receiver_user_id][tip.slot][tip.sender_user_id] += tip.amount
    found = set()
    for receiver, slots in given.items():
        total = Counter[int]()
        for slot in sorted(slots):
            before = _board(total)
            total.update(slots[slot])
            after = _board(total)
            for sender in after:
                if sender not in slots[slot] or sender in before and before.index(sender) <= after.index(sender):
                    continue
                rank = after.index(sender) + 1
                found.add(RankUp(slot, sender, receiver, rank, before[0] if rank == 1 and before else None))
    return found


def _board(total: Counter[int]) -> list[int]:
    return sorted(total, key=lambda sender: (-total[sender], sender))[:PLACES]


def rank_up_rows(network: Network) -> Tables:
    """What the processor of supporters must give."""
    return {"supporter_rank_ups": {tuple(one) for one in rank_ups(network)}}


def _of_supporters(network: Network) -> Iterator[Notice]:
    for one in rank_ups(network):
        group = f"{one.slot}:{one.receiver}:{one.sender}"
        yield _told("supporter_rank_up", one.receiver, group, one.receiver)
        yield _told("supporting_rank_up", one.sender, group, one.sender)
        if one.dethroned is not None:
            yield _told("supporter_dethroned", one.dethroned, group, one.dethroned)


def _of_streaks(network: Network) -> Iterator[Notice]:
    # DIFFERENCES.md, Milestones and notices, `listen_streak_reminder`: whoever is in that hour.
    for row in network.rows("challenge_listen_streak"):
        last = moment(row.last_listen_date)
        if REMINDED[0] <= network.now - last < REMINDED[1]:
            yield _told("listen_streak_reminder", row.user_id, f"{row.user_id}:{last:%Y%m%d}", row.user_id)


def _of_the_week(network: Network) -> Iterator[Notice]:
    for row in network.weekly:
        yield _told(CHARTS[row.type], row.user_id, f"{row.week}:{row.rank}:{row.id}", row.user_id)


def _of_rewards(network: Network, rewards: Rewards) -> Iterator[Notice]:
    """To those who marked a track before it came to the top, and to those whose reward has cooled down."""
    for reward in rewards.values():
        if reward.challenge == "t":
            track = int(reward.specifier.split(":")[2], 16)
            yield _told("tastemaker", reward.user, f"{reward.user}:{track}", reward.user)
    cooldown = {row.id: row.cooldown_days for row in network.rows("challenges")}
    for row in network.completed:
        is_cool = cooldown[row.challenge_id] and moment(row.completed_at) <= network.now - COOLDOWN
        if is_cool and row.completed_at >= CLAIMABLE_SINCE:
            group = f"claimable:{row.user_id}:{row.challenge_id}:{row.specifier}"
            yield Notice("claimable_reward", row.user_id, group, row.specifier)
