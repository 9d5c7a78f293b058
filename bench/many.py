"""What a project of many derived tables over one table costs: to plan, to apply, to look at, to leave.

Owns: the verbs that are timed, one after the other, on one database. Promises: each is done by a `Tidemark` of its own, as a
command is by its process, so that nothing is known beforehand; the processor time is that of our process alone, which on SQLite
does everything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.budgets import lines_of, spell
from bench.surface import PLACES
from tidemark import Project, Tidemark
from tidemark.database.open import open_session

IDLE_SECONDS = 20.0


@dataclass(frozen=True)
class Cost:
    """Seconds of a verb, by the clock and of our processor."""

    engine: str
    tables: int
    verb: str
    seconds: float
    processor: float


def project_of(count: int) -> Project:
    """So many counts and sums of one table, each of another value."""
    project = Project("many")
    for number in range(count):
        project.derive(
            f"derived_{number:03}",
            key="thread_id",
            query=f"SELECT thread_id, count(*) AS posts, sum(id + {number}) AS total FROM posts GROUP BY thread_id",
        )
    return project


def measure(*, count: int, engines: Sequence[str], say: Callable[[str], None]) -> list[Cost]:
    """Each verb once, on each engine."""
    found = []
    for engine, place in PLACES.items():
        if engines and engine.lower() not in engines:
            continue
        with place() as url:
            session = open_session(url, create=True)
            with session.transaction():
                session.script("CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer NOT NULL)")
            session.close()
            for verb, work in _verbs(url, count).items():
                say(f"{engine}, {count} derived tables: {verb}")
                begun, spent = time.perf_counter(), time.process_time()
                work()
                found.append(Cost(engine, count, verb, time.perf_counter() - begun, time.process_time() - spent))
    return found


def _verbs(url: str, count: int) -> dict[str, Callable[[], object]]:
    def anew() -> Tidemark:
        return Tidemark(project_of(count), url)

    def rest() -> None:
        ends = time.monotonic() + IDLE_SECONDS
        Tidemark(project_of(count), url, stop=lambda: time.monotonic() > ends).run()

    return {
        "plan, nothing there": lambda: anew().plan(),
        "apply": lambda: anew().apply(),
        "plan, nothing to do": lambda: anew().plan(),
        "status": lambda: anew().status(),
        "tick, nothing to do": lambda: anew().tick(),
        "verify --catalog": lambda: anew().verify(catalog=True),
        "run --until-idle": lambda: anew().run(until_idle=True),
        f"a worker that idles for {IDLE_SECONDS:.0f} s": rest,
        "uninstall": lambda: anew().uninstall(),
    }


def table(costs: Sequence[Cost]) -> list[str]:
    """The verbs, as a table."""
    titles = ("engine", "derived tables", "what", "s", "of our processor, s")
    rows = [(one.engine, str(one.tables), one.verb, spell(one.seconds), spell(one.processor)) for one in costs]
    return lines_of(titles, rows)
