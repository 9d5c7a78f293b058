"""Progress as it is read while something runs, waits, dies and goes on."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from examples.meshscope import upkeep
from examples.meshscope.derived import project
from examples.meshscope.ingestor import Ingestor
from examples.meshscope.migrations import Migration, NotInstalled, read_migrations
from examples.meshscope.packets import messages
from examples.meshscope.schema import add_columns, connect
from tests.examples.mesh import make_database, rows, small_mesh, untrue
from tidemark import Tidemark
from tidemark.runtime.progress import Event

MANY = 1_500
DIE = """
import os, signal, sys
from examples.meshscope import upkeep
from examples.meshscope.derived import project
from examples.meshscope.schema import add_columns, connect
from tidemark import Tidemark

database, phase, share = sys.argv[1], sys.argv[2], float(sys.argv[3])
add_columns(connect(database))

def listen(event):
    if event.phase == phase and event.total and event.done >= share * event.total:
        os.kill(os.getpid(), signal.SIGKILL)

tidemark = Tidemark(project, database, listen=listen)
upkeep.decode(tidemark)
tidemark.apply()
"""


def by_name(database: str) -> dict[str, Migration]:
    return {one.name: one for one in read_migrations(database)}


def test_nothing_is_installed_yet(tmp_path: Path) -> None:
    with pytest.raises(NotInstalled):
        read_migrations(make_database(tmp_path / "mesh.db", 1))


def test_what_is_seen_while_it_runs_never_goes_back_and_never_says_done_too_early(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", MANY)
    with closing(connect(database)) as connection:
        add_columns(connection)
    seen: list[tuple[str, Migration]] = []

    def listen(event: Event) -> None:
        seen.extend((event.phase, one) for one in read_migrations(database) if one.name == event.derived)

    tidemark = Tidemark(project, database, listen=listen)
    upkeep.decode(tidemark)
    tidemark.apply()
    for name, phase in (("hash_size", "backfill"), ("heard", "fill")):
        told = [one for kind, one in seen if one.name == name and kind == phase]
        assert len(told) > 2
        assert {one.status for one in told} == {"running"}
        assert [one.rows_processed for one in told] == sorted(one.rows_processed for one in told)
        assert all(0 < one.rows_processed <= (one.rows_total or 0) and (one.rows_total or 0) >= MANY for one in told)
        assert all(one.started_at is not None and one.ended_at is None for one in told)
        assert all(one.eta_seconds is None or one.rate for one in told)
    assert {one.status for kind, one in seen if kind == "verify"} == {"running"}
    assert {one.name: one.status for one in read_migrations(database)} == dict.fromkeys(
        ("hash_size", "heard", "heard_last_by"), "done"
    )
    assert all(one.started_at and one.ended_at and one.elapsed_seconds for one in read_migrations(database))
    assert rows(database, "SELECT count(*) FROM transmissions WHERE hash_size IS NULL") == [(0,)]


@pytest.mark.parametrize(("phase", "name"), [("backfill", "hash_size"), ("fill", "heard")])
def test_killed_in_the_middle_it_goes_on(tmp_path: Path, phase: str, name: str) -> None:
    database = make_database(tmp_path / "mesh.db", MANY)
    died = subprocess.run([sys.executable, "-c", DIE, database, phase, "0.5"], timeout=300, check=False)
    assert died.returncode == -9
    left = by_name(database)[name]
    assert left.status == "interrupted"
    assert MANY / 2 <= left.rows_processed < MANY
    with closing(connect(database)) as connection:
        # The application goes on without a worker; what it writes is captured.
        for packet in islice(messages(small_mesh(), MANY), 60):
            Ingestor(connection).take(packet)
        connection.execute("DELETE FROM observations WHERE transmission_id % 97 = 3")
    upkeep.upgrade(database)
    upkeep.drain(database)
    assert {one.status for one in read_migrations(database)} == {"done"}
    assert rows(database, "SELECT count(*) FROM transmissions WHERE hash_size IS NULL") == [(0,)]
    assert untrue(database) == []
    assert upkeep.verify(database).wrong == 0


def test_a_row_that_cannot_be_migrated_is_told_and_the_others_are_done(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 50)
    with closing(connect(database)) as connection:
        connection.execute(
            "CREATE TRIGGER no BEFORE UPDATE OF hash_size ON transmissions WHEN OLD.id = 7 "
            "BEGIN SELECT RAISE(ABORT, 'seven is refused'); END"
        )
        upkeep.upgrade(database)
        found = by_name(database)["hash_size"]
        assert (found.status, found.error_message) == ("failed", "1 key is quarantined, with its error")
        assert rows(database, "SELECT id FROM transmissions WHERE hash_size IS NULL") == [(7,)]
        assert by_name(database)["heard"].status == "done"
        connection.execute("DROP TRIGGER no")
    upkeep.upgrade(database)
    assert by_name(database)["hash_size"].status == "done"
    assert rows(database, "SELECT count(*) FROM transmissions WHERE hash_size IS NULL") == [(0,)]


def test_a_state_that_nobody_knows_is_unknown(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 5)
    upkeep.upgrade(database)
    with closing(connect(database)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE tidemark__derived SET state = 'rebuilding' WHERE name = 'heard'")
        connection.execute("UPDATE tidemark__backfill SET state = 'rebuilding' WHERE name = 'hash_size'")
    found = by_name(database)
    assert (found["heard"].status, found["hash_size"].status) == ("unknown", "unknown")
    assert not found["heard"].unfinished
