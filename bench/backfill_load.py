"""One process of a measured backfill: a writer, a reader, or whoever does the backfill, in one of the ways compared.

``python -m bench.backfill_load write --url … --rate 25`` · ``read`` · ``do --way once`` · ``shared``

Owns: what each of them does. Promises: writers and readers follow a timetable and tell every sample, as
`examples.meshscope.load` does; whoever does the backfill tells one sample, from its begin to its end, without the time that the
process needs to start.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg

from bench.backfill_place import UPDATE, connect, key_of
from examples.meshscope.load import tell, timetable
from tidemark import Project, Tidemark
from tidemark.runtime.throttle import Limits

WAYS = ("once", "fixed", "ours", "derived")
FIXED_ROWS = 5_000
FIXED_SECONDS = 0.1
DONE = "do"
CHUNK = f"{UPDATE} WHERE id IN (SELECT id FROM tidemark_batch)"
QUERY = "SELECT p.id, coalesce((SELECT max(c.ts) FROM children c WHERE c.parent = p.id), 0) AS last_seen FROM parents p"
FAILURES = (sqlite3.OperationalError, psycopg.Error)


def project() -> Project:
    """The same column as a data migration of one's own, and as a derived column."""
    made = Project("bench")
    made.backfill("seen", table="parents", key="id", sql=CHUNK)
    made.derive("parents_seen", key="id", columns_of="parents", query=QUERY)
    return made


def write(connection: Any, options: argparse.Namespace, turn: Callable[[], Any]) -> None:
    """A child for some parent, and the parent's column unless triggers do that."""
    chance = random.Random(options.number)
    number = 1_000_000_000 * (1 + options.number)
    for due in timetable(options.rate, time.monotonic, time.sleep):
        number += 1
        key, ts = key_of(chance.randint(1, options.rows), options.sparse), 1_800_000_000 + number % 1_000_000
        try:
            with turn():
                connection.execute("BEGIN IMMEDIATE" if options.is_sqlite else "BEGIN")
                connection.execute(f"INSERT INTO children VALUES ({number}, {key}, {ts})")
                if not options.derived:
                    connection.execute(f"UPDATE parents SET last_seen = {ts} WHERE id = {key} AND last_seen < {ts}")
                connection.execute("COMMIT")
        except FAILURES as problem:
            print(f"a write failed: {problem}", file=sys.stderr)
            connection.rollback()
            tell(sys.stdout, "write", due, False)
        else:
            tell(sys.stdout, "write", due, True)


def read(connection: Any, options: argparse.Namespace, turn: Callable[[], Any]) -> None:
    """A page of twenty parents with their children, by key."""
    chance = random.Random(-options.number)
    text = (
        "SELECT p.id, p.last_seen, (SELECT count(*) FROM children c WHERE c.parent = p.id) FROM parents p "
        "WHERE p.id >= {key} ORDER BY p.id LIMIT 20"
    )
    for due in timetable(options.rate, time.monotonic, time.sleep):
        key = key_of(chance.randint(1, options.rows), options.sparse)
        with turn():
            connection.execute(text.format(key=key)).fetchall()
        tell(sys.stdout, "read", due, True)


def fixed(connection: Any) -> None:
    """5,000 rows, then 100 ms of rest, by key."""
    [last] = connection.execute("SELECT max(id) FROM parents").fetchone()
    [low] = connection.execute("SELECT min(id) FROM parents").fetchone()
    found: Any = (low,)
    while found is not None:
        at = f"'{found[0]}'" if isinstance(found[0], str) else found[0]
        ended = f"SELECT id FROM parents WHERE id >= {at} ORDER BY id LIMIT 1 OFFSET {FIXED_ROWS}"
        found = connection.execute(ended).fetchone()
        high = last if found is None else found[0]
        shown = f"'{high}'" if isinstance(high, str) else high
        connection.execute(f"{UPDATE} WHERE id >= {at} AND id {'<=' if found is None else '<'} {shown}")
        time.sleep(FIXED_SECONDS)


def do(options: argparse.Namespace) -> None:
    """The backfill, in the way that is asked for."""
    if options.way in ("once", "fixed"):
        with closing(connect(options.url, 60.0)) as connection:
            begun = time.monotonic()
            if options.way == "once":
                connection.execute(UPDATE)
            else:
                fixed(connection)
            tell(sys.stdout, DONE, begun, True)
        return
    limits = Limits(wal_bytes=options.wal_mb * 1024 * 1024)
    tidemark = Tidemark(project(), options.url, limits=limits)
    # What a worker that runs anyway has done long before: the modules loaded, and the declaration compiled.
    tidemark.plan()
    begun = time.monotonic()
    if options.way == "ours":
        tidemark.backfill("seen")
    else:
        tidemark.apply()
    tell(sys.stdout, DONE, begun, True)


def shared(options: argparse.Namespace) -> None:
    """Everybody in one process over one connection, and after a while the one UPDATE."""
    connection, lock = sqlite3.connect(options.url, isolation_level=None, check_same_thread=False), threading.Lock()
    for work, rate, count in ((write, options.rate, 4), (read, options.read_rate, 2)):
        for number in range(count):
            mine = argparse.Namespace(**{**vars(options), "rate": rate, "number": number})
            threading.Thread(target=work, args=(connection, mine, lambda: lock), daemon=True).start()
    time.sleep(options.after)
    begun = time.monotonic()
    with lock:
        connection.execute(UPDATE)
    tell(sys.stdout, DONE, begun, True)
    time.sleep(3600)


class Free:
    """A turn that nobody has to wait for."""

    def __enter__(self) -> Free:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.backfill_load", description=__doc__)
    parser.add_argument("what", choices=("write", "read", "do", "shared"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--rate", type=float, default=25.0)
    parser.add_argument("--read-rate", type=float, default=50.0)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--sparse", action="store_true")
    parser.add_argument("--derived", action="store_true")
    parser.add_argument("--way", choices=WAYS, default="ours")
    parser.add_argument("--wal-mb", type=float, default=64.0)
    parser.add_argument("--after", type=float, default=1.0)
    options = parser.parse_args()
    options.is_sqlite = not options.url.startswith("postgresql")
    if options.what == "do":
        do(options)
    elif options.what == "shared":
        shared(options)
    else:
        with closing(connect(options.url)) as connection:
            (write if options.what == "write" else read)(connection, options, Free)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
