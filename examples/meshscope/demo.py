"""Four columns for a table that is written and read meanwhile, in under a minute.

``python -m examples.meshscope.demo`` makes a database of recorded packets, repeated to any size (``--transmissions 71000
--observations 1500000`` is that of the original), starts the API with writers and readers as processes of their own,
adds the derived columns, kills the worker in the middle with SIGKILL, lets another one go on, and ends with everything
compared. ``--shared-connection`` shows what it was like with one connection and one UPDATE.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from examples.meshscope import stall, upkeep
from examples.meshscope.crowd import WRITE, Crowd, Span, recent, table
from examples.meshscope.generator import fill, mesh_of
from examples.meshscope.load import PATHS
from examples.meshscope.migrations import Migration, NotInstalled, read_migrations
from examples.meshscope.reads import wal_bytes
from examples.meshscope.schema import connect_to_read
from examples.meshscope.watch import Watch

DRIFT_FOUND = 4
INTERRUPTED = 130
PORT = 8765
START_SECONDS = 60.0
LOOK_SECONDS = 0.2
VICTIM = "heard"
"""The migration in whose middle the worker is killed."""


@dataclass(frozen=True)
class Scene:
    """What the demo plays with."""

    database: str
    transmissions: int
    observations: int
    writers: int
    readers: int
    rate: float
    idle_seconds: float
    kill_at: float
    port: int
    stays: bool = False

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def mean(self) -> str:
        """Observations of a packet, for the processes that make them."""
        return str(self.observations / max(1, self.transmissions))


def free_port() -> int:
    """A port that nobody listens on."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def wait_until(ready: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Look again and again. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took more than {seconds:.0f} s")
        time.sleep(LOOK_SECONDS / 4)


def answers(url: str) -> bool:
    """Whether somebody serves there; health that is not well is an answer, too."""
    try:
        urllib.request.urlopen(f"{url}api/healthz", timeout=10).close()
    except urllib.error.HTTPError as problem:
        problem.close()
        return True
    except OSError:
        return False
    return True


def make_database(scene: Scene) -> None:
    """The tables as they were before the derived columns, filled."""
    watch, begun = Watch("generating", "transmissions"), time.monotonic()
    mesh = mesh_of(scene.transmissions, scene.observations, 1)
    made = fill(scene.database, mesh, scene.transmissions, tell=lambda done, total: watch.show(done, total, ""))
    watch.end()
    print(
        f"{made.transmissions:,} transmissions, {made.observations:,} observations, {made.orphans:,} of them orphans: "
        f"{made.bytes / 1e6:,.0f} MB in {time.monotonic() - begun:.0f} s"
    )


def _start_readers(crowd: Crowd, scene: Scene) -> None:
    for _ in range(scene.readers):
        crowd.start("examples.meshscope.load", "read", "--url", scene.url, "--rate", str(scene.rate))


def _start_writers(crowd: Crowd, scene: Scene) -> None:
    for place in range(scene.writers):
        options = {
            "--database": scene.database,
            "--rate": str(scene.rate),
            "--first": str(scene.transmissions + place),
            "--step": str(scene.writers),
            "--mean": scene.mean,
        }
        crowd.start("examples.meshscope.load", "write", *(word for pair in options.items() for word in pair))


def _rest(crowd: Crowd, scene: Scene, name: str) -> Span:
    """Let the load run alone; what came before everybody was at work does not count."""
    wait_until(lambda: crowd.has_told(20 * (scene.writers + scene.readers)), "the first samples")
    begun = time.monotonic()
    time.sleep(scene.idle_seconds)
    return Span(name, begun, time.monotonic())


def read_or_none(database: str) -> list[Migration]:
    """The migrations; none while nothing is installed."""
    try:
        return read_migrations(database)
    except NotInstalled:
        return []


class Filling:
    """The worker that fills, in a process that may be killed; `wal_most` is how long the write-ahead log became."""

    def __init__(self, scene: Scene, crowd: Crowd) -> None:
        self._scene = scene
        self._crowd = crowd
        self.wal_most = 0

    def start(self) -> subprocess.Popen[bytes]:
        """Begin, or go on."""
        command = [sys.executable, "-m", "examples.meshscope", "upgrade", "--database", self._scene.database]
        return subprocess.Popen(command)

    def follow(self, worker: subprocess.Popen[bytes], enough: Callable[[list[Migration]], bool]) -> bool:
        """Show how far it is until it ends or it is `enough`; give whether it was."""
        watches: dict[str, Watch] = {}
        while worker.poll() is None:
            migrations = read_or_none(self._scene.database)
            self.wal_most = max(self.wal_most, wal_bytes(self._scene.database))
            for one in migrations:
                if one.status not in ("done", "failed"):
                    watch = watches.setdefault(one.name, Watch(one.name, "rows"))
                    watch.tell(one, f"{recent(self._crowd)}, WAL {wal_bytes(self._scene.database) / 1e6:.1f} MB")
            if enough(migrations):
                break
            time.sleep(LOOK_SECONDS)
        for watch in watches.values():
            watch.end()
        return worker.poll() is None

    def _is_midway(self, found: list[Migration]) -> bool:
        share = self._scene.kill_at
        return any(one.name == VICTIM and one.rows_processed >= share * (one.rows_total or 0) > 0 for one in found)

    def run(self) -> None:
        """Fill everything, killed once in the middle."""
        worker = self.start()
        try:
            if self.follow(worker, self._is_midway):
                worker.kill()
                worker.wait()
                [left] = [one for one in read_or_none(self._scene.database) if one.name == VICTIM]
                print(
                    f"kill -9   {left.name} is {left.status}: {left.rows_processed:,} of {left.rows_total or 0:,} rows stay"
                )
                worker = self.start()
                self.follow(worker, lambda found: False)
        finally:
            # Nobody works on when the demo is interrupted.
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        if worker.returncode != 0:
            raise RuntimeError(f"the worker ended with {worker.returncode}")


def play(scene: Scene) -> int:
    """The whole story; returns the exit code."""
    with Crowd() as crowd:
        served = crowd.start("examples.meshscope", "serve", "--database", scene.database, "--port", str(scene.port))
        wait_until(lambda: answers(scene.url) or served.poll() is not None, "the API")
        print(f"Serving   {scene.url}, {scene.writers} writers and {scene.readers} readers, {scene.rate:.0f}/s each")
        _start_writers(crowd, scene)
        _start_readers(crowd, scene)
        idle = _rest(crowd, scene, "idle")
        filling, begun = Filling(scene, crowd), time.monotonic()
        filling.run()
        filled = Span("filling", begun, time.monotonic())
        time.sleep(min(1.0, scene.idle_seconds))
        took, most = filled.ended - filled.begun, filling.wal_most / 1e6
        print(f"Filled    in {took:.1f} s; the write-ahead log was never over {most:.1f} MB")
        if scene.stays:
            crowd.start("examples.meshscope", "work", "--database", scene.database)
            stay(scene, served)
    print("\n".join(table(crowd, idle, filled, PATHS)))
    upkeep.drain(scene.database)
    return _conclude(scene, sum(one.good for one in crowd.samples if one.name == WRITE))


def stay(scene: Scene, served: subprocess.Popen[str]) -> None:
    """Let whoever looks at the page go on looking."""
    print(f"Staying   at {scene.url}, and {scene.url}derived/, until Ctrl-C")
    try:
        served.wait()
    except KeyboardInterrupt:
        print("Ended")


def _conclude(scene: Scene, written: int) -> int:
    verdict = upkeep.verify(scene.database)
    with closing(connect_to_read(scene.database)) as connection:
        [(rows, silent)] = connection.execute("SELECT count(*), sum(last_seen = 0) FROM transmissions")
    print(
        f"{written:,} messages came meanwhile; {rows:,} transmissions by now, {silent:,} of them never heard (last_seen 0)\n"
        f"verify    {verdict.rows:,} rows compared, {verdict.wrong} differ"
    )
    return DRIFT_FOUND if verdict.wrong else 0


def play_stall(scene: Scene) -> int:
    """The same load over one connection, with one UPDATE."""
    with Crowd() as crowd:
        options = {
            "--database": scene.database,
            "--port": str(scene.port),
            "--writers": str(scene.writers),
            "--rate": str(scene.rate),
            "--first": str(scene.transmissions),
            "--mean": scene.mean,
        }
        served = crowd.start("examples.meshscope.stall", *(word for pair in options.items() for word in pair))
        wait_until(lambda: answers(scene.url) or served.poll() is not None, "the API")
        print(f"Serving   {scene.url}, everything over one connection")
        _start_readers(crowd, scene)
        idle = _rest(crowd, scene, "idle")
        begun, most = time.monotonic(), 0
        if served.stdin is None:
            raise RuntimeError("the process cannot be told")
        served.stdin.write("go\n")
        served.stdin.flush()
        while not crowd.picked(Span("", begun - 1, begun + 3600), (stall.UPDATED,)):
            most = max(most, wal_bytes(scene.database))
            time.sleep(LOOK_SECONDS)
        updated = Span("one UPDATE", begun, time.monotonic())
        # What waited is told after it was served.
        time.sleep(scene.idle_seconds)
    print(f"Updated   in {updated.ended - updated.begun:.1f} s; the write-ahead log grew to {most / 1e6:.1f} MB")
    print("\n".join(table(crowd, idle, updated, PATHS)))
    return 0


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.meshscope.demo", description=__doc__)
    parser.add_argument("--transmissions", type=int, default=20_000, help="default %(default)s")
    parser.add_argument("--observations", type=int, default=420_000, help="about so many, default %(default)s")
    parser.add_argument("--writers", type=int, default=4, help="default %(default)s")
    parser.add_argument("--readers", type=int, default=2, help="default %(default)s")
    parser.add_argument("--rate", type=float, default=20.0, help="of each, in a second; default %(default)s")
    parser.add_argument(
        "--idle", type=float, default=4.0, help="seconds of load alone, to compare with; default %(default)s"
    )
    parser.add_argument(
        "--kill-at", type=float, default=0.4, help="kill the worker at this share; 2 never; default %(default)s"
    )
    parser.add_argument("--shared-connection", action="store_true", help="how it was: one connection, one UPDATE")
    parser.add_argument("--serve", action="store_true", help=f"on port {PORT}, and go on serving until Ctrl-C")
    parser.add_argument("--database", help="a new file to use and keep; default: one that is removed afterwards")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="meshscope-") as name:
        scene = Scene(
            arguments.database or str(Path(name) / "mesh.db"),
            arguments.transmissions,
            arguments.observations,
            arguments.writers,
            arguments.readers,
            arguments.rate,
            arguments.idle,
            arguments.kill_at,
            PORT if arguments.serve else free_port(),
            arguments.serve,
        )
        if Path(scene.database).exists():
            parser.error(f"{scene.database} exists")
        try:
            make_database(scene)
            return play_stall(scene) if arguments.shared_connection else play(scene)
        except KeyboardInterrupt:
            print("Ended")
            return INTERRUPTED
        except upkeep.TidemarkErrors as error:
            print(f"meshscope: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    raise SystemExit(main())
