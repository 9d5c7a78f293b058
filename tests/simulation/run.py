"""Runs many cases on one engine and keeps what fails.

Owns: a place to play (a folder for SQLite, a database for PostgreSQL), the loop over seeds, and the record of a
failure. Promises: every case starts from an empty database; a failure is cut down and written as a file that replays it.
"""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kit.postgres import running_server
from tests.simulation.case import Case, Derived, Duty, Failure
from tests.simulation.catalogue import FAMILIES
from tests.simulation.chunks import chunks_of
from tests.simulation.play_postgres import WRITER, PostgresPlay
from tests.simulation.play_sqlite import SqlitePlay, connect
from tests.simulation.programs import draw_case, without_kinds
from tests.simulation.relations import quote
from tests.simulation.shrink import shrink
from tests.simulation.tally import Tally
from tests.simulation.upkeep import Upkeep, Views
from tests.simulation.ways import ways_of
from tests.simulation.wire import Wire
from tidemark.runtime.truth.last_word import Unlike

WORLDS_MAX = 100_000
REFUSED_MAX = 12
SAY_SECONDS = 60.0
SEEDS = Path(__file__).parent / "seeds"
SERVER_SETTINGS = {"deadlock_timeout": "20ms", "max_prepared_transactions": "50", "synchronous_commit": "off"}
MakeUpkeep = Callable[[str, Tally], Upkeep]


@dataclass
class Ground:
    """Where cases of one engine are played. `url` is the database as Tidemark is told."""

    engine: str
    url: str
    make_upkeep: MakeUpkeep | None
    folder: Path

    def play(self, case: Case, tally: Tally) -> None:
        """Play one case in an empty database. Raises `Failure`, also for whatever breaks in another way."""
        try:
            with chunks_of(case.chunk), ways_of(case.way):
                if self.engine == "sqlite":
                    self._play_sqlite(case, tally)
                else:
                    self._play_postgres(case, tally)
        except Failure:
            raise
        except Unlike as problem:
            # What harness and reader would see later is seen before anybody reads it.
            raise Failure("mismatch", "", str(problem)) from problem
        except Exception as problem:
            where = "".join(traceback.format_exception(problem)[-6:])
            raise Failure(f"crash {type(problem).__name__}", "", f"{problem}\n{where}") from problem
        finally:
            tally.worlds += 1

    def _play_sqlite(self, case: Case, tally: Tally) -> None:
        for path in self.folder.glob("case.*"):
            path.unlink()
        path = self.folder / "case.db"
        with contextlib.ExitStack() as stack:
            if self.make_upkeep is not None:
                upkeep = self.make_upkeep(f"sqlite:///{path}", tally)
            else:
                connection = stack.enter_context(contextlib.closing(connect(path)))
                upkeep = Views(connection.execute)
            stack.callback(upkeep.close)
            SqlitePlay(case, path, upkeep, tally).run()

    def _play_postgres(self, case: Case, tally: Tally) -> None:
        with contextlib.closing(Wire(self.url)) as wire:
            clean(wire, case.home)
            if self.make_upkeep is not None:
                upkeep = self.make_upkeep(self.url, tally)
            else:
                upkeep = Views(wire.exec)
            try:
                writer = self.url.replace("//postgres@", f"//{WRITER}@")
                PostgresPlay(case, self.url, writer, upkeep, tally).run()
            finally:
                upkeep.close()


def clean(wire: Wire, home: str = "") -> None:
    """Empty the database, whatever a case left in it; from now on unqualified names are in schema `home`, where one is given."""
    for (name,) in wire.exec("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()"):
        wire.exec(f"ROLLBACK PREPARED '{name}'")
    wire.exec(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    for (name,) in wire.exec(
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    ):
        wire.exec(f"DROP SCHEMA {quote(str(name))} CASCADE")
    for name in filter(None, ("public", home)):
        wire.exec(f"CREATE SCHEMA {quote(name)}")
        wire.exec(f"GRANT ALL ON SCHEMA {quote(name)} TO PUBLIC")
    path = f"SET search_path = {quote(home)}" if home else "RESET search_path"
    wire.exec(f"ALTER DATABASE {quote(str(wire.exec('SELECT current_database()')[0][0]))} {path}")
    wire.exec(path)


@contextlib.contextmanager
def ground(engine: str, make_upkeep: MakeUpkeep | None) -> Iterator[Ground]:
    """A place to play on that engine for the length of the block."""
    with contextlib.ExitStack() as stack:
        memory = Path("/dev/shm")
        parent = str(memory) if memory.is_dir() else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidemark-simulation-", dir=parent)))
        url = ""
        if engine == "postgres":
            server = stack.enter_context(running_server(SERVER_SETTINGS))
            url = stack.enter_context(server.fresh_database())
            with contextlib.closing(Wire(url)) as wire:
                wire.try_exec(f"CREATE ROLE {WRITER} LOGIN")
        yield Ground(engine, url, make_upkeep, folder)


@dataclass
class Budget:
    """How much to run: a number of transactions, and a number of minutes or of batches that ends it earlier."""

    transactions: int
    minutes: float | None = None
    batches: int | None = None

    def spent(self, tally: Tally) -> bool:
        """Whether to stop."""
        late = self.minutes is not None and tally.seconds > self.minutes * 60
        enough = self.batches is not None and tally.made >= self.batches
        hopeless = not tally.derived and tally.refused.total() >= REFUSED_MAX
        return late or enough or hopeless or tally.total >= self.transactions


def _say(text: str) -> None:
    print(text, flush=True)


def campaign(
    place: Ground,
    seed: str,
    budget: Budget,
    *,
    per_world: int = 120,
    failures_max: int = 1,
    seeds: Path = SEEDS,
    without: frozenset[str] = frozenset(),
    families: tuple[str, ...] = FAMILIES,
    shrink_seconds: float = 90.0,
    dense: bool = False,
    steady: bool = False,
    is_unlike: bool | None = None,
    say: Callable[[str], None] = _say,
) -> tuple[Tally, list[Path]]:
    """Play cases of ``seed/0``, ``seed/1`` … until the budget is spent; the tally and the files of cases that failed."""
    tally = Tally()
    found: list[Path] = []
    number = 0
    told = 0.0
    while not budget.spent(tally) and len(found) < failures_max:
        if tally.seconds - told >= SAY_SECONDS:
            told = tally.seconds
            say(tally.so_far())
        word = f"{seed}/{number}"
        drawn = draw_case(
            word,
            place.engine,
            per_world,
            10 if steady else 6,
            families=families,
            dense=dense,
            steady=steady,
            is_unlike=is_unlike,
        )
        case = without_kinds(drawn, without)
        number += 1
        if not case.derived and number < WORLDS_MAX:
            # This world has no table for any of the families.
            continue
        try:
            place.play(case, tally)
        except Failure as failure:
            say(f"FAILED seed {case.seed} on {place.engine}: {failure}")
            found.append(record(place, case, failure, seeds, shrink_seconds, say))
    return tally, found


def record(
    place: Ground, case: Case, failure: Failure, seeds: Path, seconds: float, say: Callable[[str], None]
) -> Path:
    """Cut a failing case down and write it among the seeds that every test run replays."""
    deadline = time.monotonic() + seconds
    small = shrink(case, failure, lambda one: attempt(place, one), lambda: time.monotonic() > deadline)
    text = small.to_json()
    name = f"{place.engine}-{failure.kind.replace(' ', '-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.json"
    seeds.mkdir(exist_ok=True)
    path = seeds / name
    path.write_text(text + "\n")
    say(f"replay with: python -m tests.simulation --replay {path}\n{script(small)}\n{attempt(place, small) or failure}")
    return path


def attempt(place: Ground, case: Case) -> Failure | None:
    """The failure of a case, or None when it passes."""
    try:
        place.play(case, Tally())
    except Failure as failure:
        return failure
    return None


def script(case: Case) -> str:
    """A case as a script that a person can read and paste."""
    lines = [f"-- seed {case.seed} on {case.engine}", *(f"{text};" for text in (*case.setup, *case.fill))]
    lines += [_declaration(one) for one in case.derived]
    lines += [f"-- later {number}: {_declaration(one)}" for number, one in enumerate(case.later)]
    happenings: list[tuple[float, str]] = [(one.at, f"-- {_order(one)}") for one in case.duties]
    for transaction in case.transactions:
        mark = f"  -- session {transaction.session}"
        happenings += [(transaction.at, text + mark) for text in (*transaction.prelude, transaction.begin) if text]
        for one in transaction.statements:
            note = " (guarded)" if one.guarded and transaction.begin else ""
            happenings.append((one.at, f"{one.sql};{mark}{note}" + (f"\n{one.data}\\." if one.data else "")))
        if transaction.begin:
            happenings.append((transaction.end_at, transaction.end.upper() + mark))
    return "\n".join([*lines, *(text for _, text in sorted(happenings, key=lambda one: one[0]))])


def _order(one: Duty) -> str:
    words = [one.what, one.table and f"of {one.table}", f"{one.how} at {one.kill_at}" if one.kill_at else ""]
    words.append(f"ends after {one.batches} transactions" if one.batches else "")
    words.append(f"takes in {one.declare}" if one.declare is not None else "")
    return ", ".join(word for word in words if word)


def _declaration(one: Derived) -> str:
    return f"-- derive {one.name!r} key={one.key} freshness={one.freshness}\n--   {one.query}"
