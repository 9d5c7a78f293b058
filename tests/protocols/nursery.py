"""A process that begets workers quickly: it has everything loaded and forks one for each line that it reads.

``python -m tests.protocols.nursery URL`` answers each line with the process number of a new worker, which is as real as one
that was typed: its own process, its own connections, ended by nothing but a signal. Workers that are killed leave no trace in the
table of processes.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tidemark import Tidemark
from tidemark.database.open import open_session


@dataclass
class Nursery:
    """The parent of workers, seen from a test."""

    process: "subprocess.Popen[str]"

    def beget(self) -> int:
        """Start a worker; give its process number."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("another\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


def is_alive(worker: int) -> bool:
    """Whether a worker has not ended."""
    try:
        os.kill(worker, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.contextmanager
def open_nursery(url: str, module: str = "tests.protocols.nursery") -> Iterator[Nursery]:
    """A parent of workers for a database, each doing what `module` serves; whoever is left is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", module, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Nursery(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def serve(url: str, work: Callable[[str], None]) -> None:
    """Fork a worker, which ends by itself, for each line of the standard input."""
    # Drivers are loaded before the first child, and no connection is open when one is begotten.
    open_session(url).close()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for _ in sys.stdin:
        worker = os.fork()
        if worker == 0:
            work(url)
        print(worker, flush=True)


def _work(url: str) -> None:
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    signal.signal(signal.SIGTERM, ask)
    # A worker ends with the tests that wanted it, however those end.
    parent = os.getppid()
    report = Tidemark(None, url, stop=lambda: asked or os.getppid() != parent).run(lanes=2)
    os._exit(75 if report.interrupted else 0)


if __name__ == "__main__":
    serve(sys.argv[1], _work)
