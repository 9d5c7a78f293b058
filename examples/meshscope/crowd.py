"""Writers and readers as processes, and what they told.

Owns: starting them, collecting their samples, ending them. Promises: every process that it started has ended when its
block ends; samples are of one clock, so that those of a span of time can be picked out.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from examples.meshscope.timings import quantiles

WRITE = "write"
END_SECONDS = 10.0


@dataclass(frozen=True)
class Sample:
    """`name` was due at the monotonic time `due` and took `ms` from then on."""

    name: str
    due: float
    ms: float
    good: bool


@dataclass(frozen=True)
class Span:
    """A part of a run, from one monotonic time to another."""

    name: str
    begun: float
    ended: float


class Crowd:
    """Processes that tell samples, one line each."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self._processes: list[subprocess.Popen[str]] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Crowd:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Run a module of this project whose standard output tells samples; other lines are dropped."""
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        thread = threading.Thread(target=self._collect, args=(process,), daemon=True)
        thread.start()
        self._processes.append(process)
        self._threads.append(thread)
        return process

    def end(self) -> None:
        """Kill every process, and take what it has told."""
        for process in self._processes:
            process.kill()
        for process, thread in zip(self._processes, self._threads, strict=True):
            process.wait(END_SECONDS)
            thread.join(END_SECONDS)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._processes, self._threads = [], []

    def _collect(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            parts = line.rstrip("\n").split("\t")
            if len(parts) == 4:
                self.samples.append(Sample(parts[0], float(parts[1]), float(parts[2]), parts[3] == "1"))

    def has_told(self, at_least: int) -> bool:
        """Whether so many samples have come, and nobody has ended; raises RuntimeError when somebody has."""
        for process in self._processes:
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        return len(self.samples) >= at_least

    def picked(self, span: Span, names: Sequence[str] = ()) -> list[Sample]:
        """The samples that were due in a span, of these names or of all but the writers'."""
        return [
            one
            for one in list(self.samples)
            if span.begun <= one.due < span.ended and (one.name in names if names else one.name != WRITE)
        ]


def describe(samples: Sequence[Sample]) -> dict[str, float | int]:
    """Quantiles in milliseconds, and the number of failures."""
    return {**quantiles([one.ms for one in samples]), "errors": sum(not one.good for one in samples)}


def table(crowd: Crowd, before: Span, during: Span, routes: Sequence[str]) -> list[str]:
    """Writers, and readers by route, in two spans beside each other; milliseconds."""
    width = 26
    lines = [
        f"{'':<{width}}{before.name:>16}{'':>6}{during.name:>16}",
        f"{'milliseconds':<{width}}{'p50':>8}{'p99':>9}{'p50':>13}{'p99':>9}{'max':>10}{'errors':>8}{'of':>8}",
    ]
    for name, wanted in [("writers", WRITE), *((route.removeprefix("api/"), route) for route in routes)]:
        was, now = describe(crowd.picked(before, (wanted,))), describe(crowd.picked(during, (wanted,)))
        lines.append(
            f"{name:<{width}}{was['p50']:>8.1f}{was['p99']:>9.1f}{now['p50']:>13.1f}{now['p99']:>9.1f}{now['max']:>10.1f}"
            f"{now['errors']:>8}{now['count']:>8}"
        )
    return lines


def recent(crowd: Crowd, seconds: float = 3.0) -> str:
    """One phrase: how writers and readers fare right now."""
    span = Span("now", time.monotonic() - seconds, time.monotonic())
    writers, readers = describe(crowd.picked(span, (WRITE,))), describe(crowd.picked(span))
    return (
        f"writers p50 {writers['p50']:.1f} p99 {writers['p99']:.0f} ms, "
        f"readers p50 {readers['p50']:.1f} p99 {readers['p99']:.0f} ms"
    )
