"""One writer or one reader that follows a timetable, as a process of its own.

``python -m examples.meshscope.load write --database mesh.db --rate 25`` · ``… read --url http://127.0.0.1:8765/ --rate 25``

Owns: the timetable and the lines that tell each sample. Promises: latency counts from when something was due, not from
when it was begun, so that whoever waits for a stall also counts those that could not even begin (no coordinated
omission); a failure is a sample, too. Runs until it is killed.
"""

from __future__ import annotations

import argparse
import http.client
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count, cycle
from typing import TextIO
from urllib.parse import urlsplit

from examples.meshscope.ingestor import Ingestor
from examples.meshscope.packets import Mesh, messages
from examples.meshscope.schema import connect

PATHS = ("api/packets", "api/stats", "api/packets?sort=heard", "api/healthz", "api/analytics/hash-sizes", "api/perf")
INTERRUPTED = 130
BUSY_SECONDS = 5.0
"""How long an ordinary application waits for the write lock."""


def timetable(rate: float, now: Callable[[], float], wait: Callable[[float], None]) -> Iterator[float]:
    """The moments at which something is due, each not before its time: `rate` in a second, for ever."""
    begun = now()
    for place in count():
        due = begun + place / rate
        # Asked once: between two looks at a clock the moment may pass.
        early = due - now()
        if early > 0:
            wait(early)
        yield due


def tell(out: TextIO, name: str, due: float, good: bool) -> None:
    """One line: what, when it was due, how many milliseconds until it was done, and whether it was."""
    out.write(f"{name}\t{due:.4f}\t{(time.monotonic() - due) * 1000:.3f}\t{int(good)}\n")
    out.flush()


def write(database: str, rate: float, mesh: Mesh, first: int, step: int, out: TextIO) -> None:
    """Ingest messages by the timetable."""
    with closing(connect(database, BUSY_SECONDS)) as connection:
        ingestor, coming = Ingestor(connection), messages(mesh, first, step)
        for due in timetable(rate, time.monotonic, time.sleep):
            packet = next(coming)
            try:
                ingestor.take(packet)
            except sqlite3.OperationalError as problem:
                print(f"a message was lost: {problem}", file=sys.stderr)
                tell(out, "write", due, False)
            else:
                tell(out, "write", due, True)


def read(url: str, rate: float, out: TextIO) -> None:
    """Ask the API by the timetable, each of its routes in turn."""
    parts = urlsplit(url)
    asked = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=300)
    paths = cycle(PATHS)
    for due in timetable(rate, time.monotonic, time.sleep):
        path = next(paths)
        try:
            asked.request("GET", f"{parts.path}{path}")
            answer = asked.getresponse()
            answer.read()
            good = answer.status < 500 or path == "api/healthz"
        except (OSError, http.client.HTTPException) as problem:
            print(f"{path}: {problem}", file=sys.stderr)
            asked.close()
            good = False
        tell(out, path, due, good)


def main(given: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.meshscope.load", description=__doc__)
    parser.add_argument("what", choices=("write", "read"))
    parser.add_argument("--rate", type=float, required=True, help="in a second")
    parser.add_argument("--database", default="", help="for a writer")
    parser.add_argument("--url", default="", help="for a reader")
    parser.add_argument("--seed", type=int, default=1, help="of the mesh")
    parser.add_argument("--mean", type=float, default=21.0, help="observations of a packet")
    parser.add_argument("--first", type=int, default=0, help="number of the writer's first packet")
    parser.add_argument("--step", type=int, default=1, help="from one of the writer's packets to its next")
    arguments = parser.parse_args(given)
    try:
        if arguments.what == "write":
            mesh = Mesh(arguments.seed, arguments.mean)
            write(arguments.database, arguments.rate, mesh, arguments.first, arguments.step, sys.stdout)
        read(arguments.url, arguments.rate, sys.stdout)
    except KeyboardInterrupt:
        # Ctrl-C at a terminal reaches whoever started this, too, and that one says what became of it.
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
