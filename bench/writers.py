"""Writers on PostgreSQL: workloads, opponents, and the ratios between them.

Owns: the schema of two counters per follow, what writers do to it, and who keeps the counters. Promises: configurations
take turns, every run begins on a fresh copy of the same database, figures are medians, and what we kept
is compared with the query after the last run of each workload.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.budgets import Figure, lines_of, ratio, spell
from bench.pgbench import Outcome, run_pgbench, spent_us
from tests.kit.postgres import Server, running_server
from tidemark import Project, Tidemark
from tidemark.model import Freshness

SETTINGS = {
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_level": "replica",
    # Shorter than the default, so that deadlocks are found within a run and counted.
    "deadlock_timeout": "100ms",
}
OPPONENTS = Path(__file__).parent / "opponents"
QUERY = """
SELECT u.id AS user_id,
       (SELECT count(*) FROM follows f WHERE f.followee = u.id AND f.is_current AND NOT f.is_delete) AS follower_count,
       (SELECT count(*) FROM follows f WHERE f.follower = u.id AND f.is_current AND NOT f.is_delete) AS following_count
FROM users u
"""
TRUTH = """
SELECT u.id AS user_id, coalesce(a.n, 0) AS follower_count, coalesce(b.n, 0) AS following_count FROM users u
LEFT JOIN (SELECT followee AS k, count(*) AS n FROM follows WHERE is_current AND NOT is_delete GROUP BY 1) a ON a.k = u.id
LEFT JOIN (SELECT follower AS k, count(*) AS n FROM follows WHERE is_current AND NOT is_delete GROUP BY 1) b ON b.k = u.id
"""
BARE, ROW, STATEMENT, RECOUNT, OURS, OURS_TICK = (
    "bare",
    "expert row",
    "expert statement",
    "recount",
    "ours",
    "ours, tick",
)
CONFIGURATIONS = (BARE, ROW, STATEMENT, RECOUNT, OURS, OURS_TICK)
_INSERT = "INSERT INTO follows (follower, followee) VALUES (:a{n}, :b{n}) ON CONFLICT DO NOTHING;\n"


@dataclass(frozen=True)
class Workload:
    """What writers do. `text` is a script of pgbench, or with `rows` one statement of so many rows."""

    name: str
    text: str
    clients: int = 16
    rows: int = 0


def _script(*, hot: bool, pause_ms: int = 0, groups: int = 1, users: int = 20_000) -> str:
    """A transaction: `groups` inserts of random pairs; the followee is 1 when `hot`, else one of `users`."""
    text = ""
    for n in range(groups):
        wide = hot or groups > 1
        text += f"\\set a{n} random({100_000 if wide else 1}, {10_000_000 if wide else 20_000})\n"
        # Nobody follows themself: a hand-written upsert of both would touch one row twice and fail.
        other = f"1 + (:a{n} + random(0, {users - 2})) % {users}" if groups == 1 else f"random(1, {users})"
        text += f"\\set b{n} {1 if hot else other}\n"
    inserts = "".join(_INSERT.format(n=n) for n in range(groups))
    if not pause_ms and groups == 1:
        return text + inserts
    pause = f"SELECT pg_sleep({pause_ms / 1000});\n" if pause_ms else ""
    return f"{text}BEGIN;\n{inserts}{pause}END;\n"


def workloads(*, quick: bool) -> tuple[Workload, ...]:
    """Everything that writers do."""
    rows = 50_000 if quick else 200_000
    few = f"INSERT INTO follows (follower, followee) SELECT 1 + g % 1000, 2001 + g / 1000 FROM generate_series(0, {rows - 1}) g"
    new = f"INSERT INTO follows (follower, followee) SELECT 20001 + g, 1 + (g * 7919) % 1000 FROM generate_series(1, {rows}) g"
    return (
        Workload("1 client, spread, autocommit", _script(hot=False), clients=1),
        Workload("1 client, hot, autocommit", _script(hot=True), clients=1),
        Workload("16 clients, spread, autocommit", _script(hot=False)),
        Workload("16 clients, hot, autocommit", _script(hot=True)),
        Workload("16 clients, spread, 5 ms", _script(hot=False, pause_ms=5)),
        Workload("16 clients, hot, 5 ms", _script(hot=True, pause_ms=5)),
        Workload("16 clients, four of 50 groups", _script(hot=False, groups=4, users=50)),
        Workload("16 clients, four of 1,000 groups", _script(hot=False, groups=4, users=1000)),
        Workload(f"{rows // 1000}k rows at once, {1000 + rows // 1000:,} groups", few, rows=rows),
        Workload(f"{rows // 1000}k rows at once, {rows // 1000}k new groups", new, rows=rows),
    )


class Templates:
    """One database for each configuration, from which runs are copied."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._names: dict[str, str] = {}

    def prepare(self, configuration: str) -> str:
        """The name of the template, made at the first call."""
        if configuration not in self._names:
            name = self.server.create_database()
            self._names[configuration] = name
            with psycopg.connect(self.server.dsn(name), autocommit=True) as connection:
                connection.execute((OPPONENTS / "postgres_bare.sql").read_text())
                if configuration in (ROW, STATEMENT, RECOUNT):
                    text = (OPPONENTS / f"postgres_{configuration.split()[-1]}.sql").read_text()
                    connection.execute(text)
                connection.execute("VACUUM ANALYZE")
            if configuration in (OURS, OURS_TICK):
                project = Project("bench")
                freshness: Freshness = "tick" if configuration == OURS_TICK else "commit"
                project.derive("aggregate_user", key="user_id", query=QUERY, freshness=freshness)
                Tidemark(project, self.server.dsn(name)).apply()
            self.server.run("VACUUM ANALYZE", name)
        return self._names[configuration]

    @contextmanager
    def copy(self, configuration: str) -> Iterator[str]:
        """A fresh copy; its DSN."""
        with self.server.fresh_database(template=self.prepare(configuration)) as dsn:
            yield dsn


def run_once(server: Server, dsn: str, workload: Workload, seconds: float) -> Outcome:
    """One run; for a bulk statement the rate is in statements per second and the time is that of the statement."""
    if not workload.rows:
        return run_pgbench(server, dsn, workload.text, workload.clients, seconds)
    before = spent_us(server)
    with psycopg.connect(dsn, autocommit=True) as connection:
        begun = time.perf_counter()
        connection.execute(workload.text)
        took = time.perf_counter() - begun
    after = spent_us(server)
    return Outcome(1 / took, after - before if before is not None and after is not None else None)


def count_untrue(dsn: str) -> int:
    """Rows in which the view and the query differ."""
    with psycopg.connect(dsn) as connection:
        both = f"(SELECT * FROM aggregate_user EXCEPT ALL ({TRUTH})) UNION ALL ({TRUTH} EXCEPT ALL SELECT * FROM aggregate_user)"
        (count,) = connection.execute(f"SELECT count(*) FROM ({both}) AS d").fetchone() or (0,)
        return int(count)


@dataclass(frozen=True)
class Measured:
    """Medians of one configuration at one workload, and everything that went wrong in all of its runs."""

    workload: Workload
    configuration: str
    rate: float
    cpu_us: float | None
    deadlocks: int
    errors: int
    spread: float


def measure(
    *, rounds: int, seconds: float, quick: bool, only: Sequence[str], say: Callable[[str], None]
) -> list[Measured]:
    """Every configuration at every workload whose name contains one of `only` (all, when that is empty)."""
    found: list[Measured] = []
    with running_server(SETTINGS) as server:
        templates = Templates(server)
        for workload in workloads(quick=quick):
            if only and not any(word in workload.name for word in only):
                continue
            # At 200,000 rows in one statement row triggers need a minute, and counting again would not end.
            taking_part = [c for c in CONFIGURATIONS if not (workload.rows and c in (ROW, RECOUNT))]
            outcomes: dict[str, list[Outcome]] = {c: [] for c in taking_part}
            for number in range(rounds):
                turn = number % len(taking_part)
                for configuration in taking_part[turn:] + taking_part[:turn]:
                    with templates.copy(configuration) as dsn:
                        outcomes[configuration].append(run_once(server, dsn, workload, seconds))
                        if configuration == OURS and number == rounds - 1 and count_untrue(dsn):
                            raise AssertionError(f"untrue rows after {workload.name}")
            found += [_median(workload, configuration, runs) for configuration, runs in outcomes.items()]
            say(f"{workload.name}: {found[-2].rate:,.1f}/s of ours, {found[-len(outcomes)].rate:,.1f}/s bare")
    return found


def _median(workload: Workload, configuration: str, runs: list[Outcome]) -> Measured:
    rates = [one.rate for one in runs]
    cpus = [one.cpu_us for one in runs if one.cpu_us is not None]
    return Measured(
        workload,
        configuration,
        statistics.median(rates),
        statistics.median(cpus) if cpus else None,
        sum(one.deadlocks for one in runs),
        sum(one.errors for one in runs),
        max(rates) / min(rates) if min(rates) else 0.0,
    )


def table(found: Sequence[Measured]) -> list[str]:
    """Rates and ratios of every configuration."""
    rows = []
    by = {(m.workload.name, m.configuration): m for m in found}
    for m in found:
        bare, row = by[m.workload.name, BARE], by.get((m.workload.name, ROW))
        rows.append(
            (
                m.workload.name,
                m.configuration,
                spell(m.rate),
                spell(ratio(m.rate, bare.rate)),
                spell(ratio(m.rate, row.rate if row else None)),
                spell(m.cpu_us),
                spell(ratio(m.cpu_us, bare.cpu_us)),
                f"{m.spread:.1f}×",
                str(m.deadlocks),
                str(m.errors),
            )
        )
    titles = ("workload", "kept by", "tx/s", "of bare", "of expert row", "CPU µs/tx", "× bare", "max/min")
    return lines_of((*titles, "deadlocks", "errors"), rows)


def figures(found: Sequence[Measured]) -> list[Figure]:
    """The budgets of writers."""
    by = {(m.workload.name, m.configuration): m for m in found}
    names = list(dict.fromkeys(m.workload.name for m in found))

    def rate(name: str, configuration: str) -> float | None:
        return by[name, configuration].rate if (name, configuration) in by else None

    result: list[Figure] = []
    for name in names:
        bare, ours, tick = rate(name, BARE), rate(name, OURS), rate(name, OURS_TICK)
        title = f"PostgreSQL, {name}"
        if name == "16 clients, spread, autocommit":
            result.append(Figure(f"{title}, commit", ratio(ours, rate(name, ROW)), "× expert row", 0.7))
            result.append(Figure(f"{title}, tick", ratio(tick, bare), "× bare", 0.75))
        elif "hot, 5 ms" in name or "groups" in name and "rows" not in name:
            result.append(Figure(f"{title}, commit", ratio(ours, bare), "× bare", 0.8 if "hot" in name else 0.5))
            # With many groups hand-written triggers seldom wait for each other, so there is nothing to be ten times better at.
            limit = None if "1,000" in name else 10.0
            result.append(Figure(f"{title}, commit", ratio(ours, rate(name, ROW)), "× expert row", limit))
        elif "rows at once" in name:
            result.append(Figure(f"{title}, commit", ratio(bare, ours), "× the time of bare", 2.2, at_least=False))
            slower = ratio(rate(name, STATEMENT), ours)
            result.append(Figure(f"{title}, commit", slower, "× the time of expert statement", 1.3, at_least=False))
            result.append(Figure(f"{title}, tick", ratio(bare, tick), "× the time of bare", 1.6, at_least=False))
        else:
            result.append(Figure(f"{title}, commit", ratio(ours, rate(name, ROW)), "× expert row"))
    deadlocks = sum(m.deadlocks + m.errors for m in found if m.configuration in (OURS, OURS_TICK))
    result.append(
        Figure("PostgreSQL, deadlocks and errors of ours, all runs", float(deadlocks), "", 0.0, at_least=False)
    )
    return result
