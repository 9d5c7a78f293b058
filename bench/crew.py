"""What several sessions gain over one at a filling by ranges of keys, on PostgreSQL, by processor time.

``python -m bench --parts crew --rows 1000000``

Owns: one table of plays, whose groups are computed one by one. Promises: of each session the processor time of its server process
and of its own thread is taken, so that a loaded machine, or one with few processors, says the same; what one session takes is
put beside what the busiest of several does, or all threads of the client one after the other, whichever is more: nothing could
end sooner, with as many processors as one likes. Rounds take turns, and the middle one counts.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import patch

from bench.budgets import Figure, ratio
from bench.fills import PLACES
from tidemark import Project, Tidemark
from tidemark.runtime.backfill import fill_pages

CREWS = (1, 2, 4)
QUERY = "SELECT user_id, count(DISTINCT ms) AS n, max(ms) AS most FROM plays GROUP BY user_id"
_TICKS = os.sysconf("SC_CLK_TCK")


def _server_seconds(pid: int) -> float:
    """Processor time of a server process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _timed(url: str, workers: int) -> tuple[float, float]:
    """The least seconds in which a filling could end, and those of processor time that it took in all."""
    project, spent, lock = Project("bench"), list[tuple[float, float]](), threading.Lock()
    project.derive("totals", key="user_id", query=QUERY, freshness="commit")
    work = fill_pages._work

    def watched(first: Any, ready: Any, duty: Any) -> None:
        pid = duty.session.one("SELECT pg_backend_pid()")[0]
        server, client = _server_seconds(pid), time.thread_time()
        try:
            work(first, ready, duty)
        finally:
            with lock:
                spent.append((_server_seconds(pid) - server, time.thread_time() - client))

    ours = Tidemark(project, url, workers=workers)
    with patch.object(fill_pages, "_work", watched):
        ours.apply()
    ours.uninstall()
    busiest, clients = max(server + client for server, client in spent), sum(client for _, client in spent)
    return max(busiest, clients), sum(server + client for server, client in spent)


def measure(*, rows: int, rounds: int, say: Callable[[str], None]) -> list[Figure]:
    """Each number of sessions in turn."""
    found: dict[int, list[tuple[float, float]]] = {workers: [] for workers in CREWS}
    with PLACES["postgresql"](rows) as (url, connect), closing(connect()):
        # Somebody else is connected, so that it is done in chunks.
        for _ in range(rounds):
            for workers in CREWS:
                found[workers].append(_timed(url, workers))
                say(f"{workers} sessions: {found[workers][-1][0]:.2f} s at least, {found[workers][-1][1]:.2f} s in all")
    least = {workers: statistics.median(one for one, _ in runs) for workers, runs in found.items()}
    whole = {workers: statistics.median(one for _, one in runs) for workers, runs in found.items()}
    figures = []
    for workers in CREWS[1:]:
        name = f"postgresql, {rows:,} rows, {workers} sessions"
        figures += [
            Figure(f"{name}: as fast as one, at best", ratio(least[1], least[workers]), "×"),
            Figure(f"{name}: processor time in all", ratio(whole[workers], whole[1]), "× one session's"),
        ]
    return figures
