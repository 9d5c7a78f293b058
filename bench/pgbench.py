"""One run of pgbench, and what the server spent on it.

Owns: starting pgbench, reading what it prints, the processor time of a cluster's finished backends. Promises: deadlocks
and errors are counted, never hidden in a lower rate.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.kit.postgres import Server

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_REAPING_SECONDS = 0.12


@dataclass(frozen=True)
class Outcome:
    """What one run did. `cpu_us` is the backends' processor time per transaction, None for a server of someone else."""

    rate: float
    cpu_us: float | None
    deadlocks: int = 0
    errors: int = 0


class PgbenchError(Exception):
    """pgbench is missing or ended badly; the text is what it said."""


def spent_us(server: Server) -> float | None:
    """Processor time in microseconds of all backends that have ended."""
    if server.pid is None or not Path(f"/proc/{server.pid}/stat").exists():
        return None
    time.sleep(_REAPING_SECONDS)
    fields = Path(f"/proc/{server.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 1e6 / _TICKS_PER_SECOND


def find_pgbench(server: Server) -> str:
    """The program that belongs to the server, or the one on the path. Raises `PgbenchError`."""
    beside = server.programs / "pgbench" if server.programs else None
    found = str(beside) if beside and beside.exists() else shutil.which("pgbench")
    if found is None:
        raise PgbenchError("there is no pgbench; Debian's package postgresql brings it")
    return found


def run_pgbench(server: Server, dsn: str, text: str, clients: int, seconds: float) -> Outcome:
    """Run `text` from `clients` connections for so long. Raises `PgbenchError` when it ends badly."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(text)
        script.flush()
        command = [find_pgbench(server), "--no-vacuum", "--protocol=prepared", f"--client={clients}"]
        command += [f"--jobs={min(clients, 2)}", f"--time={max(1, round(seconds))}", f"--file={script.name}"]
        command += ["--failures-detailed", dsn]
        before = spent_us(server)
        answer = subprocess.run(command, capture_output=True, text=True)
        after = spent_us(server)
    count = _number(r"transactions actually processed: (\d+)", answer.stdout)
    if answer.returncode not in (0, 2) or count is None:
        raise PgbenchError(f"{answer.stdout}{answer.stderr}"[-2000:])
    cpu = (after - before) / count if before is not None and after is not None and count else None
    return Outcome(
        rate=_number(r"tps = ([\d.]+)", answer.stdout) or 0.0,
        cpu_us=cpu,
        deadlocks=int(_number(r"deadlock failures: (\d+)", answer.stdout) or 0),
        errors=answer.stderr.count("ERROR:") + answer.stderr.count("aborted"),
    )


def _number(pattern: str, text: str) -> float | None:
    match = re.search(pattern, text)
    return float(match[1]) if match else None
