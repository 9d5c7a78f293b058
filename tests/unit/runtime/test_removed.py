"""What goes on without a lease meets tables that an apply removes meanwhile: it says so, and never what the database says."""

import contextlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Fault
from tidemark.runtime import turns
from tidemark.runtime.truth import verify as comparing
from tidemark.runtime.workers import rounds

Remove = Callable[[ModuleType, str], None]


@pytest.fixture
def counted(engine_url: str) -> Tidemark:
    """A table of groups that is kept by ticks, with a row that waits."""
    project = Project("one")
    project.derive("counted", key="g", query="SELECT g, count(*) AS n FROM t GROUP BY g", freshness="tick")
    tidemark = Tidemark(project, engine_url)
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            session.script("CREATE TABLE t (id integer PRIMARY KEY, g integer)")
        tidemark.apply()
        with session.transaction():
            session.script("INSERT INTO t VALUES (1, 1)")
    return tidemark


@pytest.fixture
def removed_before(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Remove:
    """Has everything removed by somebody else right before a function of ours goes on."""

    def arrange(module: ModuleType, name: str) -> None:
        function = getattr(module, name)

        def remove_first(*given: Any, **more: Any) -> Any:
            Tidemark(Project("one"), engine_url).apply(allow_drop=True)
            return function(*given, **more)

        monkeypatch.setattr(module, name, remove_first)
        # On SQLite whoever is in the middle of a tick here has his turn, and nobody waits for the end of that in earnest.
        monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.1)

    return arrange


@pytest.mark.parametrize("verb", ["verify", "repair"])
def test_a_table_that_is_removed_while_it_is_compared(counted: Tidemark, removed_before: Remove, verb: str) -> None:
    removed_before(comparing, "_list_keys")
    with pytest.raises(Fault, match="counted was changed meanwhile"):
        getattr(counted, verb)()


def test_a_table_that_is_removed_before_it_is_ticked(counted: Tidemark, removed_before: Remove) -> None:
    removed_before(rounds, "find_waiting")
    with pytest.raises(Fault, match="counted was changed meanwhile"):
        counted.tick()


def test_a_log_that_is_gone_is_let_go(counted: Tidemark, removed_before: Remove) -> None:
    removed_before(rounds, "_let_go")
    (report,) = counted.tick()
    assert report.drained and report.keys_applied == 1
