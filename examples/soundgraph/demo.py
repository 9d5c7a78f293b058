"""The whole story in about a minute: ingest, ticks, rewards, milestones and notices, a week announced, tamper, verify, repair.

``python -m examples.soundgraph.demo`` takes the recorded blocks if they lie beside the repository, otherwise it generates
20,000 events. It works in a folder of its own and removes it, unless ``--database`` names a place to keep.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from examples.soundgraph import derived, generator, newcomer, upkeep
from examples.soundgraph.__main__ import Ticks, ingest, summary
from examples.soundgraph.dashboard import show_dashboard
from examples.soundgraph.indexer import take
from examples.soundgraph.stores import Store, open_store, sqlite_path
from examples.soundgraph.weekly import FRIDAY, announce
from tidemark import jsonl

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "soundgraph-blocks.jsonl.gz"
BARE_DATABASE = "soundgraph_bare"
BARE_BLOCKS = 2_500
"""Blocks that the run without upkeep takes: enough for a rate."""
GENERATED_EVENTS = 20_000
TICK_SECONDS = 20.0
DRIFT_FOUND = 4
INTERRUPTED = 130


def _source(folder: Path, given: Path | None, events: int | None) -> tuple[Path, str]:
    if given is not None:
        return given, f"the blocks of {given}"
    if events is None and RECORDED.exists():
        return RECORDED, "recorded blocks of a public ledger"
    blocks = folder / "blocks.jsonl.gz"
    count = generator.write(GENERATED_EVENTS if events is None else events, 1, blocks, None)
    return blocks, f"{count:,} generated events"


@contextmanager
def _bare_place(folder: Path, database: str) -> Iterator[str]:
    """Somewhere empty on the same engine: another file, or another database that is dropped afterwards."""
    if sqlite_path(database) is not None:
        yield str(folder / "bare.db")
        return
    with closing(open_store(database)) as store:
        store.execute(f"CREATE DATABASE {BARE_DATABASE}")
        try:
            yield urlsplit(database)._replace(path=f"/{BARE_DATABASE}").geturl()
        finally:
            store.execute(f"DROP DATABASE {BARE_DATABASE}")


def _bare_rate(address: str, blocks: Path) -> float:
    """Events per second into the same base tables with nothing derived."""
    with closing(open_store(address)) as store:
        store.create_schema()
    begun = time.monotonic()
    tally = take(address, islice(jsonl(blocks).blocks(None), BARE_BLOCKS))
    return tally.events / max(time.monotonic() - begun, 1e-9)


def _busiest(store: Store) -> str:
    artists = store.query(
        "SELECT a.user_id, u.handle, a.follower_count, a.total_track_count "
        "FROM aggregate_user a JOIN users u ON u.user_id = a.user_id AND u.is_current "
        "ORDER BY a.follower_count DESC, a.user_id LIMIT 5"
    )
    tracks = store.query(
        "SELECT p.play_item_id, k.title, p.count, a.save_count, a.repost_count "
        "FROM aggregate_plays p JOIN aggregate_track a ON a.track_id = p.play_item_id "
        "JOIN tracks k ON k.track_id = p.play_item_id AND k.is_current "
        "ORDER BY p.count DESC, p.play_item_id LIMIT 5"
    )
    lines = ["Busiest artists            followers   tracks"]
    lines += [
        f"  {handle or f'user {user}':<24} {followers:>9,} {count:>8,}" for user, handle, followers, count in artists
    ]
    lines += ["Busiest tracks                 plays    saves  reposts"]
    lines += [
        f"  {title or f'track {track}':<24} {plays:>9,} {saves:>8,} {reposts:>8,}"
        for track, title, plays, saves, reposts in tracks
    ]
    return "\n".join(lines)


def _plays(store: Store) -> str:
    """Who listens, as far as that is known, in the base tables and in what is derived."""
    [(plays, anonymous)] = store.query("SELECT count(*), count(*) - count(user_id) FROM plays")
    [(counted,)] = store.query("SELECT sum(play_count) FROM hourly_play_counts")
    [(known,)] = store.query("SELECT sum(play_count) FROM user_track_plays")
    return f"{plays:,} plays, {anonymous:,} of them anonymous; {counted:,} in hourly counts, {known:,} in histories."


def _friday() -> date:
    """The next Friday."""
    today = datetime.now(UTC).date()
    return today + timedelta(days=(FRIDAY - today.weekday()) % 7)


def _told(store: Store) -> str:
    """The round numbers that were reached, and what people were told."""
    lines = ["Milestones                  rows  highest"]
    lines += [
        f"  {name:<24} {rows:>6,} {highest:>8,}"
        for name, rows, highest in store.query(
            "SELECT name, count(*), max(threshold) FROM milestones GROUP BY name ORDER BY name"
        )
    ]
    lines += ["Notices                     rows  people"]
    lines += [
        f"  {kind:<24} {rows:>6,} {people:>7,}"
        for kind, rows, people in store.query(
            "SELECT type, count(*), count(DISTINCT user_id) FROM notification GROUP BY type ORDER BY type"
        )
    ]
    return "\n".join(lines)


def _tamper(database: str, store: Store) -> None:
    """Changes one stored row behind Tidemark's back, has it found, named and mended."""
    [(artist,)] = store.query("SELECT user_id FROM aggregate_user ORDER BY follower_count DESC, user_id LIMIT 1")
    storage, column = upkeep.storage(database, "aggregate_user", "follower_count")
    store.execute(f"UPDATE {storage} SET {column} = {column} + 7 WHERE user_id = ?", (artist,))
    print(f"Tampered: 7 followers too many for user {artist}, written straight into {storage}.")
    for wrong in upkeep.verify(database, "aggregate_user").wrong:
        print(f"verify:   {wrong}")
    print(f"repair:   {upkeep.repair(database, 'aggregate_user')} row(s) mended.")


def run(folder: Path, database: str, given: Path | None, events: int | None, *, serve: bool) -> int:
    """The demo in a scratch folder; returns the exit code. With `serve` the dashboard shows it from the beginning."""
    blocks, what = _source(folder, given, events)
    print(f"Input: {what}. {BARE_BLOCKS:,} blocks of it go into bare tables first, for comparison.", flush=True)
    with _bare_place(folder, database) as address:
        bare = _bare_rate(address, blocks)
    print(f"{bare:,.0f} events/s without upkeep. Now the derived tables are installed.", flush=True)
    with closing(open_store(database)) as store:
        store.create_schema()
        begun = time.monotonic()
        upkeep.install(database)
        print(
            f"{len(derived.project.declarations)} derived tables are installed after {time.monotonic() - begun:.1f} s.",
            flush=True,
        )
        with show_dashboard(database) if serve else nullcontext():
            return _tell_story(store, database, blocks, bare)


def _tell_story(store: Store, database: str, blocks: Path, bare: float) -> int:
    ticks = Ticks(database, TICK_SECONDS)
    tally, kept = ingest(database, blocks, writer="upsert", strict=False, label="with upkeep", ticks=ticks)
    upkeep.drain(database)
    upkeep.deliver(database)
    print(summary(tally, kept))
    print()
    print(_busiest(store))
    print()
    print(_plays(store))
    print("Rewards                   complete on the way")
    print("\n".join(newcomer.earned(store)))
    print("A newcomer's profile, at the tick after each step")
    for line in newcomer.show(store, lambda: upkeep.drain(database)):
        print(line)
    print(f"The week's lists, on a Friday: {announce(store, _friday())} places are announced.")
    upkeep.drain(database)
    upkeep.deliver(database)
    print(_told(store))
    print()
    _tamper(database, store)
    verdict = upkeep.verify(database)
    print()
    print(f"{verdict.true_columns} of {verdict.columns} derived columns are true ({verdict.rows:,} rows compared).")
    print(f"{bare:,.0f} events/s without upkeep, {kept:,.0f} events/s with it, one transaction per block.")
    return 0 if verdict.true_columns == verdict.columns else DRIFT_FOUND


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph.demo", description=__doc__)
    parser.add_argument("--database", help="a new database to use and keep; default: one that is removed afterwards")
    parser.add_argument("--blocks", type=Path, help="a file of blocks; default: recorded ones, or generated")
    parser.add_argument("--events", type=int, help="generate so many events, whatever is recorded")
    parser.add_argument("--serve", action="store_true", help="show Tidemark's dashboard meanwhile, and until Ctrl-C")
    arguments = parser.parse_args(given)
    try:
        with tempfile.TemporaryDirectory(prefix="soundgraph-") as name:
            folder = Path(name)
            database = arguments.database or str(folder / "demo.db")
            return run(folder, database, arguments.blocks, arguments.events, serve=arguments.serve)
    except KeyboardInterrupt:
        print("Ended")
        return INTERRUPTED
    except upkeep.TidemarkErrors as error:
        print(f"soundgraph: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
