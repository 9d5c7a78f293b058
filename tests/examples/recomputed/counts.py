"""What is counted: users, tracks, collections, plays, tips, and what collections contain."""

from collections import Counter, defaultdict
from datetime import datetime

from tests.examples.recomputed.network import Network, Row, Tables, document, moment, shown

EPOCH = datetime(1970, 1, 1)
HISTORY_MAX = 1000
NUMBER_MAX = 2**31 - 1


def count(network: Network) -> Tables:
    """The tables of counts, in the columns that `READERS` names."""
    return {
        **_of_users(network),
        **_of_items(network),
        **_of_plays(network),
        **_of_tips(network),
        **_of_contents(network),
        "contest_submissions": {(event, _submissions(network, row)) for event, row in network.contests.items()},
    }


def _of_users(network: Network) -> Tables:
    reposts = Counter(mark.user for mark in network.reposts)
    saved_tracks = Counter(mark.user for mark in network.saves if mark.item[1])
    shares = Counter(row.user_id for row in network.rows("shares") if row.share_type == "track")
    public, listed = Counter[int](), Counter[int]()
    for track in network.tracks.values():
        public[track.owner_id] += network.public(track)
        listed[track.owner_id] += not track.is_delete and bool(track.is_available) and track.stem_of is None
    visible, all_of_them = Counter[tuple[int, bool]](), Counter[tuple[int, bool]]()
    for playlist in network.playlists.values():
        # DIFFERENCES.md, Counts: live collections, however they came.
        if not playlist.is_delete:
            kind = playlist.playlist_owner_id, bool(playlist.is_album)
            all_of_them[kind] += 1
            visible[kind] += not playlist.is_private
    rows = {
        (
            *(user, network.followers[user], network.following[user], reposts[user], saved_tracks[user]),
            *(public[user], listed[user], visible[user, False], visible[user, True]),
            *(all_of_them[user, False], all_of_them[user, True], shares[user]),
        )
        for user in network.users
    }
    return {"aggregate_user": rows}


def _of_items(network: Network) -> Tables:
    # DIFFERENCES.md, Counts: comments that are there.
    comments = Counter(
        comment.entity_id for comment in network.comments.values() if comment.entity_type == "Track" and shown(comment)
    )
    shares = Counter((row.share_item_id, row.share_type == "track") for row in network.rows("shares"))
    saves, reposts = network.save_counts, network.repost_counts
    tracks = [(number, (number, True)) for number in network.tracks]
    playlists = [(number, row.is_album, (number, False)) for number, row in network.playlists.items()]
    return {
        "aggregate_track": {
            (number, saves[item], reposts[item], comments[number], shares[item]) for number, item in tracks
        },
        "aggregate_playlist": {
            (number, is_album, saves[item], reposts[item], shares[item]) for number, is_album, item in playlists
        },
    }


def _of_plays(network: Network) -> Tables:
    # DIFFERENCES.md, Listening: distinct hours, distinct tracks, and a history of what the plays say.
    by_hour = Counter(play.created_at[:13] + ":00:00" for play in network.plays)
    by_track = {
        (user, track, len(times), max(times))
        for user, tracks in network.heard.items()
        for track, times in tracks.items()
    }
    histories = set()
    for user, tracks in network.heard.items():
        latest = sorted(((max(times), track, len(times)) for track, times in tracks.items()), reverse=True)[
            :HISTORY_MAX
        ]
        entries = ((track, int((moment(at) - EPOCH).total_seconds()), plays) for at, track, plays in latest)
        histories.add((user, tuple(entries)))
    return {
        "aggregate_plays": set(network.play_counts.items()),
        "aggregate_monthly_plays": {(*group, plays) for group, plays in network.monthly_plays.items()},
        "hourly_play_counts": set(by_hour.items()),
        "user_track_plays": by_track,
        "user_distinct_play_hours": {(user, len(hours)) for user, hours in network.hours.items()},
        "user_distinct_play_tracks": {(user, len(tracks)) for user, tracks in network.heard.items()},
        "user_listening_history": histories,
    }


def _of_tips(network: Network) -> Tables:
    given = Counter[tuple[int, int]]()
    for tip in network.tips:
        given[tip.sender_user_id, tip.receiver_user_id] += tip.amount
    supporters = Counter(receiver for _, receiver in given)
    supported = Counter(sender for sender, _ in given)
    return {
        "aggregate_user_tips": {(*pair, amount) for pair, amount in given.items()},
        "user_supporters": {(user, supporters[user], supported[user]) for user in network.users},
    }


def _of_contents(network: Network) -> Tables:
    """Which collections contain each track, and which once did."""
    known: defaultdict[int, set[int]] = defaultdict(set)
    for entry in network.rows("playlist_tracks"):
        known[entry.playlist_id].add(entry.track_id)
    inside: defaultdict[int, set[int]] = defaultdict(set)
    once: defaultdict[int, set[int]] = defaultdict(set)
    for number, playlist in network.playlists.items():
        contents = tracks_in(playlist)
        there = set() if playlist.is_delete else contents
        for track in there:
            inside[track].add(number)
        for track in known[number] - there:
            once[track].add(number)
    rows = {(track, tuple(sorted(inside[track])), tuple(sorted(once[track]))) for track in network.tracks}
    return {"track_playlists": rows}


def tracks_in(playlist: Row) -> set[int]:
    """The tracks that the contents of a collection name."""
    contents = document(playlist.playlist_contents)
    # DIFFERENCES.md, Trending: what is no list has no tracks.
    named = (
        [entry.get("track_id") for entry in contents if isinstance(entry, dict)] if isinstance(contents, list) else []
    )
    numbers = [int(name) if isinstance(name, str) and name.isdigit() else name for name in named]
    return {number for number in numbers if type(number) is int and 1 <= number <= NUMBER_MAX}


def _submissions(network: Network, contest: Row) -> int:
    """Remixes of a contest's track that everybody can hear and that came while it ran."""
    entered = [track for number, track in network.tracks.items() if contest.entity_id in network.parents[number]]
    return sum(
        not track.is_delete
        and not track.is_unlisted
        and bool(track.is_available)
        and contest.created_at <= track.created_at
        and (contest.end_date is None or track.created_at <= contest.end_date)
        for track in entered
    )
