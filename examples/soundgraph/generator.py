"""Makes blocks of the recorded shape, any number of them, and the answers they must lead to.

``python -m examples.soundgraph.generator --events 200000 --seed 7 --out blocks.jsonl.gz --answers answers.json``

Popularity follows Zipf's law. The same seed and size give the same bytes. Besides ordinary traffic the input holds
everything in :mod:`examples.soundgraph.planted`, redelivered transactions and blocks, blocks that arrive in part first,
late plays and missing heights.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import IO, Any

from examples.soundgraph.answers import count_everything, score_users
from examples.soundgraph.answers_notices import Notices
from examples.soundgraph.answers_trending import Trending
from examples.soundgraph.planted import DAY, HOUR, Episode, Planter
from examples.soundgraph.planted_notices import NoticePlanter
from examples.soundgraph.planted_rewards import VARIANTS, RewardPlanter
from examples.soundgraph.progression import Progression
from examples.soundgraph.world import COUNTRIES, GENRES, PICTURES, Edge, Tx, World

START = 1_736_899_200
"""2025-01-15 00:00:00 UTC."""
SPAN_DAYS = 75
PLAYS_SHARE = 0.82
ANONYMOUS_SHARE = 0.75
EVENTS_PER_BLOCK = 8
TICKS = 6
"""About how many ticks the answers suppose, besides those that an episode asks for."""


class Traffic:
    """Ordinary events, drawn so that a few users, tracks and playlists get most of them."""

    def __init__(self, world: World, rng: Random, events: int) -> None:
        self._world = world
        self._rng = rng
        self._users = [world.new_id() for _ in range(events // 100 + 40)]
        self._tracks = [world.new_id() for _ in range(events // 40 + 60)]
        self._playlists = [world.new_id() for _ in range(events // 400 + 10)]
        self._own_tracks: list[tuple[int, int]] = []
        self._own_playlists: list[tuple[int, int]] = []
        self._follows: list[tuple[int, int]] = []
        self._marks: list[Edge] = []
        self._blocks: list[tuple[int, int]] = []
        self._comments: list[tuple[int, int]] = []
        self.late_plays: list[list[int]] = []
        choices = (
            (self._follow, 30),
            (self._unfollow, 3),
            (self._subscribe, 1),
            (self._block, 1),
            (self._save, 16),
            (self._unsave, 2),
            (self._repost, 10),
            (self._unrepost, 1),
            (self._share, 4),
            (self._sign_up, 12),
            (self._profile, 5),
            (self._upload, 8),
            (self._edit_track, 3),
            (self._delete_track, 1),
            (self._new_playlist, 3),
            (self._edit_playlist, 3),
            (self._comment, 5),
            (self._delete_comment, 1),
        )
        self._kinds = [kind for kind, weight in choices for _ in range(weight)]

    def _pick(self, items: Sequence[Any]) -> Any:
        """Zipf with exponent one: the logarithm of the rank is uniform."""
        return items[int((len(items) + 1) ** self._rng.random()) - 1]

    def transaction(self, now: int) -> Tx:
        """The next transaction at ``now`` (unix seconds)."""
        if self._rng.random() >= PLAYS_SHARE:
            tx = self._rng.choice(self._kinds)()
            if tx is not None:
                return tx
        return self._plays(now)

    def _plays(self, now: int) -> Tx:
        rng = self._rng
        plays = []
        user = None if rng.random() < ANONYMOUS_SHARE else self._pick(self._users)
        country = self._pick(COUNTRIES)
        for _ in range(rng.choice((1, 1, 1, 2, 2, 3))):
            at = now - rng.randrange(60)
            if rng.random() < 0.002:
                at = now - rng.randrange(2 * DAY, 20 * DAY)
                self.late_plays.append([now, at])
            track = self._pick(self._tracks)
            plays.append(self._world.play(user, track, at, country))
        return {"type": "plays", "plays": plays}

    def _two(self) -> tuple[int, int] | None:
        user, other = self._pick(self._users), self._rng.choice(self._users)
        return (other, user) if user != other else None

    def _follow(self) -> Tx | None:
        if (pair := self._two()) is None:
            return None
        self._follows.append(pair)
        return self._world.follow(*pair)

    def _unfollow(self) -> Tx | None:
        pair = self._rng.choice(self._follows) if self._follows else None
        return self._world.unfollow(*pair) if pair in self._world.follows and pair else None

    def _subscribe(self) -> Tx | None:
        pair = self._two()
        return self._world.subscribe(*pair) if pair else None

    def _block(self) -> Tx | None:
        if self._blocks and self._rng.random() < 0.3 and (live := self._rng.choice(self._blocks)) in self._world.blocks:
            return self._world.unblock_user(*live)
        if (pair := self._two()) is None:
            return None
        self._blocks.append(pair)
        return self._world.block_user(*pair)

    def _marking(self) -> Edge | None:
        user = self._rng.choice(self._users)
        kind = "Track" if self._rng.random() < 0.7 else "Playlist"
        number = self._pick(self._tracks if kind == "Track" else self._playlists)
        return (user, kind, number) if self._world.may_mark(user, kind, number) else None

    def _mark(self, edges: dict[Edge, int]) -> Tx | None:
        if (edge := self._marking()) is None:
            return None
        self._marks.append(edge)
        return self._world.mark(edges, *edge)

    def _unmark(self, edges: dict[Edge, int]) -> Tx | None:
        edge = self._rng.choice(self._marks) if self._marks else None
        return self._world.unmark(edges, *edge) if edge in edges and edge else None

    def _save(self) -> Tx | None:
        return self._mark(self._world.saves)

    def _unsave(self) -> Tx | None:
        return self._unmark(self._world.saves)

    def _repost(self) -> Tx | None:
        return self._mark(self._world.reposts)

    def _unrepost(self) -> Tx | None:
        return self._unmark(self._world.reposts)

    def _share(self) -> Tx | None:
        edge = self._marking()
        return self._world.share(*edge) if edge else None

    def _sign_up(self) -> Tx:
        user = self._world.new_id()
        self._users.append(user)
        events = {"is_mobile_user": True} if self._rng.random() < 0.2 else {}
        return self._world.create_user(user, events, **self._pictures(0.5))

    def _pictures(self, share: float) -> dict[str, str]:
        return {name: self._world.token(name[:2]) for name in PICTURES if self._rng.random() < share}

    def _profile(self) -> Tx:
        """As recorded: a handle comes with every update, which is how users older than the input get one."""
        rng, world = self._rng, self._world
        given: dict[str, str | bool | None] = {"handle": world.token("ha"), **self._pictures(0.3)}
        if rng.random() < 0.6:
            given["bio"] = rng.choice((world.token("bi"), world.token("bi"), "", None))
        if rng.random() < 0.5:
            given["name"] = world.token("na")
        return world.update_user(self._pick(self._users), None, is_deactivated=rng.random() < 0.1, **given)

    def _upload(self) -> Tx:
        user, track = self._pick(self._users), self._world.new_id()
        self._tracks.append(track)
        self._own_tracks.append((user, track))
        given: dict[str, Any] = {"genre": self._rng.choice((*GENRES, None))}
        if self._rng.random() < 0.03:
            given["stem_of"] = {"parent_track_id": self._pick(self._tracks)}
        return self._world.create_track(user, track, is_unlisted=self._rng.random() < 0.15, **given)

    def _edit_track(self) -> Tx | None:
        if self._rng.random() < 0.3:
            # The owner of a track older than the input shows themselves by writing it.
            track, user = self._rng.choice(self._tracks), self._rng.choice(self._users)
            known = self._world.tracks.get(track)
            if known is None or known.owner is None:
                self._own_tracks.append((user, track))
                return self._world.update_track(user, track, self._rng.random() < 0.3)
        if not self._own_tracks:
            return None
        user, track = self._rng.choice(self._own_tracks)
        if self._world.tracks[track].deleted:
            return None
        return self._world.update_track(user, track, self._rng.random() < 0.3)

    def _delete_track(self) -> Tx | None:
        if not self._own_tracks:
            return None
        user, track = self._rng.choice(self._own_tracks)
        return None if self._world.tracks[track].deleted else self._world.delete_track(user, track)

    def _new_playlist(self) -> Tx:
        user, playlist = self._pick(self._users), self._world.new_id()
        self._playlists.append(playlist)
        self._own_playlists.append((user, playlist))
        contents = [self._pick(self._tracks) for _ in range(self._rng.randrange(5))]
        rng = self._rng
        return self._world.create_playlist(user, playlist, rng.random() < 0.3, rng.random() < 0.3, contents)

    def _edit_playlist(self) -> Tx | None:
        if not self._own_playlists:
            return None
        user, playlist = self._rng.choice(self._own_playlists)
        if self._world.playlists[playlist].deleted:
            return None
        if self._rng.random() < 0.1:
            return self._world.delete_playlist(user, playlist)
        return self._world.update_playlist(user, playlist, is_private=self._rng.random() < 0.5)

    def _comment(self) -> Tx | None:
        track = self._pick(self._tracks)
        if track in self._world.tracks and self._world.tracks[track].deleted:
            return None
        user, comment = self._rng.choice(self._users), self._world.new_id()
        self._comments.append((user, comment))
        return self._world.comment(user, comment, track)

    def _delete_comment(self) -> Tx | None:
        if not self._comments:
            return None
        user, comment = self._rng.choice(self._comments)
        return self._world.delete_comment(user, comment) if comment in self._world.comments else None


class Generator:
    """Blocks with about ``events`` different events in all, and their answers once they have been read to the end."""

    def __init__(self, events: int, seed: int, *, events_per_block: int = EVENTS_PER_BLOCK) -> None:
        self._rng = Random(seed)
        self._seed = seed
        self._wanted = events
        self._per_block = events_per_block
        self._end = START + SPAN_DAYS * DAY
        self._world = World(self._rng)
        times = 3 + events // 20_000
        self._planter = Planter(self._world, self._rng, START + DAY, self._end - HOUR, times)
        self._notices = NoticePlanter(self._world, self._rng, START + 15 * DAY, self._end - HOUR, VARIANTS)
        self._rewards = RewardPlanter(self._world, self._rng, START + 15 * DAY, self._end - HOUR, VARIANTS)
        self._progression = Progression(self._world)
        self._ticks: list[int] = []
        self._traffic = Traffic(self._world, self._rng, events)
        self._redelivered_events = 0
        self._emitted = 0
        self._blocks = 0

    def lines(self) -> Iterator[str]:
        """The blocks as lines of JSON, without the line feed."""
        height = number = 0
        recent: list[tuple[int, int, Tx]] = []
        last_line = ""
        every = max(5, self._wanted // self._per_block // TICKS)
        for now, transactions in self._groups():
            height += 1
            if self._rng.random() < 0.06:
                skipped = self._rng.randrange(1, 5)
                self._planter.note("missing_heights", [height, height + skipped - 1])
                height += skipped
            again = self._again(recent) if recent and self._blocks % 101 == 31 else []
            body = [*transactions, *again]
            self._blocks += 1
            if self._blocks % 181 == 41 and len(transactions) > 1:
                # A delivery that broke off, before the whole one.
                self._planter.note("partial_blocks", height)
                number += 1
                yield _line(height, now, transactions[: len(transactions) // 2])
            line = _line(height, now, body)
            number += 1
            self._close(height, now, number, self._blocks % every == 0)
            yield line
            if last_line and self._blocks % 163 == 53:
                self._planter.note("redelivered_blocks", json.loads(last_line)["block"])
                number += 1
                yield last_line
            last_line = line
            if self._rng.random() < 0.2:
                index = self._rng.randrange(len(transactions))
                recent = [*recent[-50:], (height, index, transactions[index])]
        if self._blocks:
            self._progression.tick()
            self._ticks.append(number)

    def _close(self, height: int, now: int, line: int, tick: bool) -> None:
        """Ends a block, with a tick after it if it is time for one or an episode asks for it."""
        self._world.close_block(height, now)
        if tick or self._world.settle:
            self._progression.tick()
            self._ticks.append(line)
        self._world.settle = self._world.apart = False

    def _again(self, recent: list[tuple[int, int, Tx]]) -> list[Tx]:
        block, index, tx = self._rng.choice(recent)
        self._planter.note("redelivered_events", [block, index])
        return [tx | {"origin": {"block": block, "tx": index}}]

    def _groups(self) -> Iterator[tuple[int, list[Tx]]]:
        """Blocks without heights: a time and the transactions that are new in it."""
        planned = [*self._planter.episodes(), *self._rewards.episodes(), *self._notices.episodes()]
        episodes = iter(sorted(planned, key=lambda episode: episode[0]))
        upcoming: Episode | None = next(episodes, None)
        transactions: list[Tx] = []
        inside, limit = 0, self._limit()
        while self._emitted < self._wanted or upcoming is not None:
            share = min(1.0, self._emitted / self._wanted) if self._wanted else 1.0
            now = START + int(share * (self._end - START))
            if upcoming is not None and (upcoming[0] <= now or self._emitted >= self._wanted):
                now = max(now, upcoming[0])
                new = upcoming[1](now)
                upcoming = next(episodes, None)
            else:
                new = [self._traffic.transaction(now)]
            transactions += new
            count = sum(len(tx["plays"]) if tx["type"] == "plays" else 1 for tx in new)
            self._emitted += count
            inside += count
            if inside >= limit or self._world.settle or self._world.apart:
                yield now, transactions
                transactions, inside, limit = [], 0, self._limit()
        if transactions:
            yield self._end, transactions

    def _limit(self) -> int:
        return self._rng.randrange(1, 2 * self._per_block)

    def _friday(self) -> int:
        """The first midnight of a Friday after the end: when the week's lists are announced."""
        return self._end + (1 - self._end // DAY) % 7 * DAY

    def answers(self) -> dict[str, Any]:
        """The answer file: what the derived tables must hold, and what was planted where.

        ``ticks`` are the lines (counted from 1) after which the challenges are supposed to be looked at.
        """
        world, progression = self._world, self._progression
        challenges = progression.rows()
        return {
            "seed": self._seed,
            "events": self._emitted,
            "blocks": self._blocks,
            **count_everything(world),
            "user_score": score_users(world, challenges),
            "notices_at": self._end,
            "notices": Notices(world, score_users(world, ()), self._end).answers(),
            **Trending(world, self._friday()).answers(),
            "ticks": self._ticks,
            "user_challenges": challenges,
            "user_challenges_afresh": progression.afresh(),
            "referrals": progression.referrals(),
            "challenge_profile_completion": progression.profiles(),
            "referrers": {str(user): p.referrer for user, p in sorted(world.users.items()) if p.referrer is not None},
            "mobile_users": sorted(user for user, person in world.users.items() if person.mobile),
            "verified_users": sorted(user for user, person in world.users.items() if person.verified),
            "planted": self._planter.found
            | self._rewards.found
            | self._notices.found
            | {"late_plays": self._traffic.late_plays},
        }


def _line(height: int, timestamp: int, transactions: list[Tx]) -> str:
    block = {"block": height, "timestamp": timestamp, "txs": transactions}
    return json.dumps(block, separators=(",", ":"), ensure_ascii=False)


def write(events: int, seed: int, out: Path, answers: Path | None, *, events_per_block: int = EVENTS_PER_BLOCK) -> int:
    """Writes the blocks (gzipped if the name ends in .gz) and the answers; returns the number of events."""
    generator = Generator(events, seed, events_per_block=events_per_block)
    with _sink(out) as sink:
        for line in generator.lines():
            sink.write(line + "\n")
    found = generator.answers()
    if answers is not None:
        answers.write_text(json.dumps(found, separators=(",", ":")), encoding="utf-8")
    return int(found["events"])


def _sink(out: Path) -> IO[str]:
    if out.suffix == ".gz":
        return gzip.open(out, "wt", compresslevel=1, encoding="utf-8")
    return out.open("w", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph.generator", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="different events, default %(default)s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--events-per-block", type=int, default=EVENTS_PER_BLOCK)
    parser.add_argument("--out", type=Path, required=True, help="file of blocks to write; .gz compresses")
    parser.add_argument("--answers", type=Path, help="file of answers to write")
    given = parser.parse_args(arguments)
    if given.events < 0 or given.events_per_block < 1:
        parser.error("--events must not be negative, and --events-per-block at least 1")
    count = write(given.events, given.seed, given.out, given.answers, events_per_block=given.events_per_block)
    print(f"{count:,} events from seed {given.seed} in {given.out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
