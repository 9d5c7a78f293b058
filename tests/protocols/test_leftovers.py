"""What nothing contributes to any more is not kept: readers do not see such rows, so that only the store itself can tell."""

from __future__ import annotations

import contextlib

import pytest

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.render import linear_ticks
from tidemark.runtime.ledger import Ledger

GROUPS = 10


def _stored_after_emptying(url: str) -> tuple[int, int]:
    """How many rows are stored and shown when every second group has lost its rows."""
    project = Project("emptied")
    project.derive("sums", query="SELECT g, count(*) AS n, sum(v) AS total FROM f GROUP BY g", freshness="tick")
    tidemark = Tidemark(project, url)
    with contextlib.closing(open_session(url, lock_timeout=5)) as user:
        with user.transaction():
            user.script("CREATE TABLE f (id int PRIMARY KEY, g int NOT NULL, v int)")
        tidemark.apply()
        with user.transaction():
            user.run(f"INSERT INTO f VALUES {', '.join(f'({n}, {n % GROUPS}, {n})' for n in range(5 * GROUPS))}")
        tidemark.tick()
        with user.transaction():
            user.run("DELETE FROM f WHERE g % 2 = 1")
        tidemark.tick()
        assert all(report.clean for report in tidemark.verify())
        store = next(row.script.store for row in Ledger(user).derived())
        (stored,), (shown,) = (user.all(f"SELECT count(*) FROM {table}")[0] for table in (store, "sums"))
        return int(stored), int(shown)


def test_a_group_that_lost_its_rows_leaves_none_in_the_store(engine_url: str) -> None:
    assert _stored_after_emptying(engine_url) == (GROUPS // 2, GROUPS // 2)


def test_a_tick_that_takes_no_emptied_row_away_would_be_seen(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear_ticks, "remove", lambda *_: ())
    assert _stored_after_emptying(engine_url) == (GROUPS, GROUPS // 2)
