"""What the demo is made of: the timetable, samples by span, the bar, and the one connection of how it was."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

from examples.meshscope.crowd import Crowd, Sample, Span, describe, table
from examples.meshscope.load import tell, timetable
from examples.meshscope.migrations import Migration
from examples.meshscope.schema import add_columns
from examples.meshscope.stall import OneConnection
from examples.meshscope.watch import Watch
from tests.examples.mesh import make_database, untrue


def test_what_is_late_was_due_all_the_same() -> None:
    moment, waits = [100.0], list[float]()

    def wait(seconds: float) -> None:
        waits.append(round(seconds, 6))
        moment[0] += seconds

    due = []
    for at in islice(timetable(10.0, lambda: moment[0], wait), 8):
        due.append(round(at - 100.0, 6))
        # The third piece of work stalls for 0.35 s: those after it were due in the meantime.
        moment[0] += 0.35 if len(due) == 3 else 0.0
    assert due == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]
    assert waits == [0.1, 0.1, 0.05, 0.1]


def test_samples_of_a_span() -> None:
    crowd = Crowd()
    crowd.samples = [Sample("write", at / 10, float(at), at != 15) for at in range(30)]
    crowd.samples += [Sample("api/stats", 1.5, 7.0, True)]
    idle, during = Span("idle", 0.0, 1.0), Span("filling", 1.0, 3.0)
    assert describe(crowd.picked(idle, ("write",))) == {
        "count": 10,
        "p50": 5.0,
        "p95": 9.0,
        "p99": 9.0,
        "max": 9.0,
        "errors": 0,
    }
    assert describe(crowd.picked(during, ("write",)))["errors"] == 1
    assert [one.name for one in crowd.picked(during)] == ["api/stats"]
    lines = table(crowd, idle, during, ("api/stats",))
    assert [line.split()[0] for line in lines] == ["idle", "milliseconds", "writers", "stats"]


def test_a_sample_is_one_line_of_four_words() -> None:
    out = io.StringIO()
    tell(out, "write", 0.0, True)
    name, due, ms, good = out.getvalue().rstrip("\n").split("\t")
    assert (name, due, good) == ("write", "0.0000", "1")
    assert float(ms) > 0


def test_the_bar_never_says_that_all_is_done() -> None:
    out = io.StringIO()
    watch = Watch("heard", "rows", out)
    watch.tell(Migration("heard", "running", 100, 100, 50.0, 2.0), "WAL 4.2 MB")
    assert out.getvalue() == "heard          99%  100/100 rows  50 rows/s, 2 s left, WAL 4.2 MB\n"
    Watch("heard", "rows", out).tell(
        Migration("heard", "throttled", 0, 100, throttle_reasons=("wal_pinned: 70 MB",)), ""
    )
    assert "  throttled: wal_pinned: 70 MB" in out.getvalue()


def test_one_connection_makes_everybody_wait_and_ends_with_the_same_columns(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 60)
    shared = OneConnection(database)
    with closing(shared):
        add_columns(shared.connection)
        assert [one.status for one in shared.migrations()] == ["running"]
        with shared.one() as connection:
            assert isinstance(connection, sqlite3.Connection)
            assert not shared.lock.acquire(blocking=False)
        shared.update()
        assert [one.status for one in shared.migrations()] == ["done"]
    assert untrue(database) == []
