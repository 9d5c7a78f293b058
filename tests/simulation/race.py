"""``python -m tests.simulation.race --seconds 60``: random programs without a schedule, each writer and worker as fast as it can.

Owns: the command and a world of it: processes that write what a drawn program has, workers of which one is killed now and then,
and somebody who compares. Promises: what is true at commit is compared in one snapshot again and again meanwhile, and
everything is when all have ended and what waits is applied; an error or a deadlock that our statements have ends it. What comes
when is up to the machine, so that a failure tells its seed and what differs, and may not come again.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import random
import secrets
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from tests.simulation.case import Case, Derived, Failure, Transaction
from tests.simulation.interventions import expire
from tests.simulation.keeper import Keeper, make_keeper
from tests.simulation.kept import is_kept
from tests.simulation.memory import remembers
from tests.simulation.oracle_postgres import PostgresOracle
from tests.simulation.play_postgres import EXPECTED, WRITER
from tests.simulation.play_sqlite import SqlitePlay, connect
from tests.simulation.processors import declare
from tests.simulation.programs import draw_case, without_kinds
from tests.simulation.relations import quote
from tests.simulation.run import Ground, clean, ground
from tests.simulation.tally import Tally
from tests.simulation.wire import Wire, WireError
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Fault, Refusal

WRITERS, WORKERS = 4, 2
WORLD_SECONDS = 12.0
KILL_SECONDS = 2.5
DRAIN_SECONDS = 60.0
LEISURE = 3.0
"""How long writers are left alone after a comparison, as a multiple of what that took."""
TRANSACTIONS = 400
UNFIT = frozenset(
    {"set-constraints", "forge", "schema-change", "truncate", "truncate-leaf", "truncate-above", "lock-rows"}
)
"""What flushes early, locks tables, or is seen before its time by every snapshot."""
FORK = multiprocessing.get_context("fork")


@dataclass
class Race:
    """One world in which all run. `stop` ends writers, `wrong` are errors of ours that they met."""

    case: Case
    url: str
    path: Path
    tables: Sequence[Derived]
    project: Project
    tally: Tally
    stop: Any = field(default_factory=FORK.Event)
    wrong: Any = field(default_factory=FORK.SimpleQueue)
    done: Any = field(default_factory=FORK.SimpleQueue)

    @property
    def postgres(self) -> bool:
        """Whether it is PostgreSQL's."""
        return self.case.engine == "postgres"


def write(race: Race, number: int) -> None:
    """Be a writer until asked to stop."""
    rng = random.Random(f"{race.case.seed}/writer {number}")
    counts: Counter[str] = Counter()
    with open_writer(race, number) as send:
        while not race.stop.is_set():
            counts[play(race, send, rng.choice(race.case.transactions))] += 1
    race.done.put(dict(counts))


Send = Callable[[str, "str | None"], "tuple[str, str]"]


@contextlib.contextmanager
def open_writer(race: Race, number: int) -> Iterator[Send]:
    """What sends one statement, with the input of a COPY, and gives the state and the text of its error."""
    if not race.postgres:
        with contextlib.closing(connect(race.path)) as file:
            file.execute("PRAGMA busy_timeout = 10000")

            def send(sql: str, data: str | None) -> tuple[str, str]:
                try:
                    file.execute(sql).fetchall()
                except sqlite3.Error as error:
                    return getattr(error, "sqlite_errorname", "SQLITE_ERROR"), str(error)
                return "", ""

            yield send
        return
    dsn = race.url.replace("//postgres@", f"//{WRITER}@") if number == 1 else race.url
    with psycopg.connect(dsn, autocommit=True) as connection:

        def ask(sql: str, data: str | None) -> tuple[str, str]:
            try:
                if data is None:
                    connection.execute(sql)
                else:
                    with connection.cursor().copy(sql) as copy:
                        copy.write(data)
            except psycopg.Error as error:
                said = error.diag
                return error.sqlstate or "", f"{said.message_primary}\n{said.message_detail}\n{said.context}"
            return "", ""

        yield ask


def play(race: Race, send: Send, one: Transaction) -> str:
    """Play one transaction; how it ended."""
    for text in one.prelude:
        if "replication_role" not in text:
            send(text, None)
    if one.begin:
        state, said = send(one.begin, None)
        if state:
            judge(race, one.begin, state, said)
            return "not begun"
    for statement in one.statements:
        guarded = statement.guarded and bool(one.begin)
        if guarded:
            send("SAVEPOINT guard", None)
        state, said = send(statement.sql, statement.data)
        if state:
            judge(race, statement.sql, state, said)
        if guarded:
            send("ROLLBACK TO guard" if state else "RELEASE guard", None)
    if not one.begin:
        return "autocommit"
    if not one.end.endswith("rollback"):
        state, said = send("COMMIT", None)
        if not state:
            return "commit"
        judge(race, "COMMIT", state, said)
    send("ROLLBACK", None)
    return "rollback"


def judge(race: Race, sql: str, state: str, said: str) -> None:
    """An error of the application is part of the program; one of ours is a failure."""
    ours = "tidemark" in said.lower()
    if not race.postgres:
        if ours:
            race.wrong.put(f"{sql}\ngave {state} {said}")
        return
    # Two writers of one table, of which Tidemark is one, may meet in either order, and so may constraints that wait.
    crossing = is_kept(race.tables) or race.case.deferred_keys or "LOCK TABLE" in said
    deadlock = state == "40P01" and ours and not crossing and ("on transaction" in said or "on tuple" in said)
    if deadlock or (ours and not state.startswith("40")) or not state.startswith(EXPECTED):
        race.wrong.put(f"{sql}\ngave {state} {said}")


def work(race: Race) -> None:
    """Be a worker until killed."""
    # What is applied late is told, and nobody reads it here.
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - it is open as long as the process lives.
    Tidemark(race.project, race.url).run()


def run_world(place: Ground, seed: str, seconds: float, tally: Tally) -> None:
    """One world. Raises `Failure`."""
    case = without_kinds(draw_case(seed, place.engine, transactions=TRANSACTIONS, derived=8, kills=False), UNFIT)
    path = place.folder / "race.db"
    with contextlib.ExitStack() as stack:
        if case.engine == "sqlite":
            for old in place.folder.glob("race.*"):
                old.unlink()
            url = f"sqlite:///{path}"
            file = stack.enter_context(contextlib.closing(connect(path)))
            for text in (*case.setup, *case.fill):
                with contextlib.suppress(sqlite3.Error):
                    file.execute(text)
        else:
            url = place.url
            with contextlib.closing(Wire(url)) as cleaner:
                clean(cleaner, case.home)
            wire = stack.enter_context(contextlib.closing(Wire(url)))
            home = quote(case.home or "public")
            for text in case.setup:
                wire.exec(text)
            wire.exec(f"GRANT USAGE, CREATE ON SCHEMA {home} TO {WRITER}")
            wire.exec(f"GRANT ALL ON ALL TABLES IN SCHEMA {home} TO {WRITER}")
            wire.exec(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA {home} TO {WRITER}")
            for text in case.fill:
                wire.try_exec(text)
        keeper = make_keeper(url, tally)
        stack.callback(keeper.close)
        race = prepare(keeper, case, url, path, tally)
        if race.tables:
            run_race(race, seconds, stack)
    tally.worlds += 1


def prepare(keeper: Keeper, case: Case, url: str, path: Path, tally: Tally) -> Race:
    """Install what is not refused."""
    tables = [one for one in keeper.admit_all(case.derived) if not remembers(one)]
    while True:
        project = Project("race")
        for one in tables:
            declare(project, one, one.freshness)
        try:
            if tables:
                Tidemark(project, url).apply()
            return Race(case, url, path, tables, project, tally)
        except Refusal as refusal:
            # Keepers ask no server whether a value depends on the session's settings.
            tables = [one for one in tables if one.name != refusal.derived and not one.options.get("reads")]


def run_race(race: Race, seconds: float, stack: contextlib.ExitStack) -> None:
    """Write, work, kill and compare for so long, and once more at the end."""
    compare = comparing(race, stack)
    compare(("commit",), "before anybody writes")
    writers = [FORK.Process(target=write, args=(race, number)) for number in range(WRITERS)]
    workers = [beget(race) for _ in range(WORKERS)]
    for one in writers:
        one.start()
    rng, end, kill = random.Random(race.case.seed), time.monotonic() + seconds, time.monotonic() + KILL_SECONDS
    try:
        while time.monotonic() < end and race.wrong.empty():
            began = time.monotonic()
            compare(("commit",), "while everybody writes")
            race.stop.wait(LEISURE * (time.monotonic() - began))
            if time.monotonic() > kill:
                kill += KILL_SECONDS
                end_worker(workers.pop(rng.randrange(len(workers))))
                forget_leases(race)
                workers.append(beget(race))
                race.tally.duties["killed workers"] += 1
    finally:
        race.stop.set()
        for one in writers:
            race.tally.transactions.update(race.done.get())
            one.join()
        for one in workers:
            end_worker(one)
    if not race.wrong.empty():
        raise Failure("interference", "", race.wrong.get())
    forget_leases(race)
    drain(race, compare)


def drain(race: Race, compare: Callable[[tuple[str, ...], str], None]) -> None:
    """Apply what waits, and compare everything."""
    tidemark, end = Tidemark(race.project, race.url), time.monotonic() + DRAIN_SECONDS
    while True:
        tidemark.tick()
        try:
            compare(("commit", "tick"), "at the end")
            break
        except Failure:
            if time.monotonic() > end:
                raise
    for report in tidemark.verify():
        if not report.clean:
            raise Failure("drift", report.derived, str(report.findings[:5]))


def comparing(race: Race, stack: contextlib.ExitStack) -> Callable[[tuple[str, ...], str], None]:
    """What compares derived tables of some freshness with their queries, in one snapshot."""
    if race.postgres:
        wire = stack.enter_context(contextlib.closing(Wire(race.url)))
        oracle = PostgresOracle(wire, race.tally)
        oracle.prepare(race.tables)

        def look(freshnesses: tuple[str, ...], moment: str) -> None:
            try:
                oracle.check(freshnesses, moment)
            except WireError as problem:
                # Who reads everything meets those who put partitions of two tables in and out.
                if not str(problem).startswith("40P01"):
                    raise
                race.tally.duties["comparison given up"] += 1

        return look
    file = stack.enter_context(contextlib.closing(connect(race.path)))
    player = SqlitePlay(race.case, race.path, make_keeper(race.url, race.tally), race.tally)
    player.pairs = [(file, file), (file, file)]
    player.prepare(race.tables)

    def check(freshnesses: tuple[str, ...], moment: str) -> None:
        file.execute("BEGIN")
        try:
            player.check(freshnesses, moment)
        finally:
            file.execute("COMMIT")

    return check


def beget(race: Race) -> Any:
    """A worker that has begun."""
    worker = FORK.Process(target=work, args=(race,))
    worker.start()
    return worker


def end_worker(worker: Any) -> None:
    """Kill it. It must have been alive until now."""
    if not worker.is_alive():
        raise Failure("worker", "", f"ended by itself with {worker.exitcode}")
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()


def forget_leases(race: Race) -> None:
    """What the time until a dead worker's leases end would bring; who lives loses its own, too."""
    session = open_session(race.url, lock_timeout=10)
    try:
        with session.transaction():
            session.run(expire(session.dialect.name))
    finally:
        session.close()


def main() -> int:
    """Run; the exit code is 1 when something untrue was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.race", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgres", "both"), default="both")
    parser.add_argument("--seconds", type=float, default=60.0, help="on each engine")
    parser.add_argument("--seed", default=None, help="default: a new one, which is printed")
    options = parser.parse_args()
    seed = options.seed or secrets.token_hex(4)
    for engine in ("sqlite", "postgres") if options.engine == "both" else (options.engine,):
        print(f"seed {seed} on {engine}", flush=True)
        tally, end = Tally(), time.monotonic() + options.seconds
        with ground(engine, make_keeper) as place:
            while (left := end - time.monotonic()) > 1:
                world = f"{seed}-{tally.worlds}"
                try:
                    run_world(place, world, min(left, WORLD_SECONDS), tally)
                except (Failure, Fault) as failure:
                    print(f"FAILED in world {world}: {failure}")
                    return 1
        told = f"{tally.worlds} worlds, {tally.total:,} transactions, {tally.comparisons.total():,} comparisons"
        print(f"{engine}: {told}, {tally.duties['killed workers']} workers killed: everything is true", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
