"""The big database: what a dirty set of given size costs there, beside what computing everything would.

Owns: the rewards of soundgraph as ticks over 10,000 changed users, and the memory of a worker beside tables of any size.
Promises: besides time, which others on the machine disturb, processor time and the pages that were looked at are told.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import big_notices, big_world
from bench.budgets import Figure, ratio
from bench.duties import Place, both_places
from examples.soundgraph.challenges import PROFILES
from examples.soundgraph.derived import CHALLENGES, COUNTS, INACTIVE
from examples.soundgraph.derived import make_project as make_soundgraph
from tidemark import Project, Tidemark, iterable

KEYS = 10_000
BY_HAND = "as many profiles looked up by hand"
SQLITE_SHARE = 0.1
"""SQLite gets a tenth of what PostgreSQL gets."""
MEMORY_MB_MAX = 150.0
_ROOT = Path(__file__).resolve().parents[1]
_CHANGES: dict[str, str] = {
    "challenge_profile_completion": "UPDATE users SET bio = 'changed' WHERE user_id % {step} = 0 AND is_current "
    "AND user_id <= {users}",
    "challenge_u": "UPDATE tracks SET blocknumber = 101 WHERE track_id % {tracks_step} = 0 AND is_current "
    "AND track_id <= {tracks}",
    "challenge_m": "UPDATE user_events SET blocknumber = 101, is_mobile_user = true WHERE user_id % {events_step} = 1 "
    "AND user_id <= {user_events}",
    "challenge_rd": "UPDATE user_events SET blocknumber = 102, referrer = 1 + user_id / 3 WHERE user_id % {events_step} = 3 "
    "AND user_id <= {user_events}",
    "referrals": "UPDATE user_events SET blocknumber = 103, referrer = 1 + user_id / 2 WHERE user_id % {events_step} = 2 "
    "AND user_id <= {user_events}",
}
_MADE_OF_THEM = ("challenge_p", "challenge_r", "challenge_rv")
SAME = ", the same keys"
"""Behind the name of a tick over the keys that the smallest scale has: beside each other as there."""
_NOT_READ = {one.name for one in COUNTS} - {"aggregate_monthly_plays"}
"""What no reward reads."""


@dataclass(frozen=True)
class Cost:
    """What some work cost: seconds, seconds of processor time, pages looked at, and how many of them had to be fetched into the
    server's buffers (None where nobody counts them)."""

    seconds: float
    cpu: float
    pages: int | None
    fetched: int | None
    keys: int


def make_project() -> Project:
    """Every reward that is active, and what they are made of, from now on: what is there already is not paid again."""
    wanted = [one for one in (*COUNTS, *CHALLENGES) if one.name not in INACTIVE and one.name not in _NOT_READ]
    return make_soundgraph("now", wanted, iterable(lambda _: ()))


project = make_project()


def _pages(place: Place) -> tuple[int, int] | None:
    if place.engine == "SQLite":
        return None
    place.run("SELECT pg_stat_force_next_flush()")
    ((pages, fetched),) = place.run(
        "SELECT blks_hit + blks_read, blks_read FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(str(pages)), int(str(fetched))


def _cost(place: Place, work: Callable[[], int]) -> Cost:
    pages, cpu, begun = _pages(place), place.spent(), time.perf_counter()
    keys = work()
    seconds = time.perf_counter() - begun
    after, used = place.spent(), _pages(place)
    looked, fetched = (used[0] - pages[0], used[1] - pages[1]) if used and pages else (None, None)
    return Cost(seconds, after - cpu, looked, fetched, keys)


def _tick(ours: Tidemark, name: str) -> int:
    keys = 0
    while True:
        reports = ours.tick(name)
        keys += sum(report.keys_applied for report in reports)
        if all(report.drained for report in reports):
            return keys


def _by_hand(place: Place, step: int, users: int) -> int:
    """Look up what profile completion says of as many other users, and write nothing: what the machine takes for that with more
    data, whoever asks."""
    keys = f"WITH RECURSIVE k (id) AS (SELECT 1 UNION ALL SELECT id + {step} FROM k WHERE id + {step} <= {users})"
    flags = " + ".join(f"CASE WHEN p.{flag} THEN 1 ELSE 0 END" for flag in ("follows", "favorites", "reposts"))
    query = f"SELECT count(*), sum({flags}) FROM k JOIN ({PROFILES}) AS p ON p.user_id = k.id"
    with place.another() as run:
        run(f"{keys} {query}")
    return users // step


def _full(place: Place, ours: Tidemark, name: str) -> int:
    (script,) = ours.sql(name)
    with place.another() as run:
        run(f"CREATE TEMP TABLE everything AS {script.truth}")
    return 0


def _steps(scale: float) -> dict[str, int]:
    """Which rows are changed: some 10,000 keys, from one end of the tables of a scale to the other."""
    size = big_world.sizes(scale)
    steps = {"step": size["users"] // KEYS, "tracks_step": size["tracks"] // KEYS}
    return {
        **size,
        **{name: max(1, step) for name, step in steps.items()},
        "events_step": max(4, size["user_events"] // KEYS),
    }


def measure_scale(
    place: Place, scale: float, least: float, say: Callable[[str], None]
) -> dict[str, tuple[Cost, Cost | None]]:
    """For each reward: what a tick over the changed keys costs, and what computing all of it costs; before that, where the
    scale is not the least, what one over the same keys as there costs."""
    begun = time.perf_counter()
    big_world.build(place, scale)
    say(f"{place.engine} at {scale:g}: built in {time.perf_counter() - begun:.0f} s")
    ours = Tidemark(project, place.url)
    ours.apply()
    steps = _steps(scale)
    by_hand = _cost(place, lambda: _by_hand(place, steps["step"], steps["users"]))
    told = f"{by_hand.keys:,} {BY_HAND}: processor {by_hand.cpu:.3f} s, pages {by_hand.pages}"
    say(f"{place.engine} at {scale:g}: {told}")
    found: dict[str, tuple[Cost, Cost | None]] = {BY_HAND: (by_hand, None)}
    if scale != least:
        found |= {f"{name}{SAME}": cost for name, cost in _ticks(place, ours, _steps(least), say, full=False).items()}
        # What one reward's changes make dirty for another one is no part of what follows.
        while any(report.keys_applied or not report.drained for report in ours.tick()):
            continue
    found |= _ticks(place, ours, steps, say, full=True)
    for report in ours.verify("referrals") if scale <= 0.1 else ():
        if not report.clean:
            raise AssertionError(f"untrue rows of {report.derived} on {place.engine}")
    return found


def _ticks(
    place: Place, ours: Tidemark, steps: dict[str, int], say: Callable[[str], None], *, full: bool
) -> dict[str, tuple[Cost, Cost | None]]:
    """Change rows and tick, one reward after the other; with `full` compute everything, too."""
    found: dict[str, tuple[Cost, Cost | None]] = {}
    for name in (*_CHANGES, *_MADE_OF_THEM):
        if name in _CHANGES:
            place.run(_CHANGES[name].format(**steps))
        tick = _cost(place, lambda name=name: _tick(ours, name))  # type: ignore[misc]
        everything = _cost(place, lambda name=name: _full(place, ours, name)) if full else None  # type: ignore[misc]
        found[name] = (tick, everything)
        told = f"{tick.keys:,} keys in {tick.seconds:.2f} s, processor {tick.cpu:.2f} s"
        told += f", pages {tick.pages}, fetched {tick.fetched}"
        if everything is not None:
            told += (
                f"; everything {everything.seconds:.2f} s, processor {everything.cpu:.2f} s, pages {everything.pages}"
            )
        say(f"{place.engine}: {name}{'' if full else SAME}: {told}")
    return found


def worker_memory(place: Place, say: Callable[[str], None]) -> float:
    """The most memory that a worker has had, in MB, after a tick of every table; none of the user's rows pass through it."""
    with tempfile.TemporaryDirectory() as folder:
        definitions = Path(folder) / "derived.py"
        definitions.write_text("from bench.big import project\n")
        place.run("UPDATE users SET bio = 'changed again' WHERE user_id % 97 = 0 AND is_current")
        environment = {**os.environ, "PYTHONPATH": f"{_ROOT}{os.pathsep}{_ROOT / 'src'}"}
        command = [sys.executable, "-m", "tidemark", "run", "--database", place.url, "--definitions", str(definitions)]
        worker = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        ours, most, deadline = Tidemark(project, place.url), 0.0, time.monotonic() + 600
        try:
            while worker.poll() is None and time.monotonic() < deadline:
                most = max(most, _peak_mb(worker.pid))
                if not any(status.pending for status in ours.status()):
                    break
                time.sleep(0.5)
            most = max(most, _peak_mb(worker.pid))
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(60)
    say(f"{place.engine}: a worker has had {most:.0f} MB at most")
    return most


def _peak_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return next((int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith("VmHWM")), 0.0)


def _share(place: Place, scale: float) -> float:
    return scale * SQLITE_SHARE if place.engine == "SQLite" else scale


def measure(*, scales: list[float], engines: list[str], say: Callable[[str], None]) -> list[Figure]:
    """The table of ratios, for each engine and scale."""
    found: list[Figure] = []
    # A quarter of the memory, which is what a server of this size is given.
    quarter = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4 // 1024**2
    for place_of in both_places({"shared_buffers": f"{quarter}MB"}):
        before: dict[str, tuple[Cost, Cost | None]] = {}
        for scale in scales:
            with place_of() as place:
                if engines and place.engine.lower() not in engines:
                    break
                share = _share(place, scale)
                costs = measure_scale(place, share, _share(place, scales[0]), say)
                found += _figures(place, share, costs, before)
                found += big_notices.measure_together(place, Tidemark(project, place.url), share, say)
                found += big_notices.measure_look(place, share, big_world.sizes(share)["users"], say)
                found.append(
                    Figure(
                        f"{place.engine} at {share:g}: memory of a worker",
                        worker_memory(place, say),
                        "MB",
                        MEMORY_MB_MAX,
                        False,
                    )
                )
            before = before or costs
    return found


def _figures(
    place: Place, scale: float, costs: dict[str, tuple[Cost, Cost | None]], before: dict[str, tuple[Cost, Cost | None]]
) -> list[Figure]:
    found = []
    for name, (tick, full) in costs.items():
        did = f"{tick.keys:,} keys" if name == BY_HAND else f"tick over {tick.keys:,} keys"
        work = f"{place.engine} at {scale:g}, {name}: {did}"
        found.append(Figure(work, tick.keys / tick.cpu if tick.cpu else None, "keys per second of processor time"))
        if full is not None:
            found.append(Figure(work, ratio(full.cpu, tick.cpu), "× less processor time than all of it"))
        if name.removesuffix(SAME) in before:
            most = None if name == BY_HAND else 1.3
            first_tick = before[name.removesuffix(SAME)][0]
            if not (tick.keys and first_tick.keys):
                continue
            per_key, per_key_before = tick.cpu / max(1, tick.keys), first_tick.cpu / max(1, first_tick.keys)
            found.append(
                Figure(work, ratio(per_key, per_key_before), "× the smallest scale, for each key", most, False)
            )
            if tick.pages is not None and first_tick.pages is not None:
                pages, pages_before = tick.pages / max(1, tick.keys), first_tick.pages / max(1, first_tick.keys)
                found.append(Figure(work, ratio(pages, pages_before), "× its pages, for each key", most, False))
    return found
