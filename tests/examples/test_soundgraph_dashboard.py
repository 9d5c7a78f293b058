"""The dashboard beside the demo: it finds what comes later, and ends while people look; an interrupt of the work is one."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from examples.soundgraph import dashboard
from examples.soundgraph.dashboard import show_dashboard
from examples.soundgraph.stores import open_store


def test_it_waits_for_the_database_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "_stay", lambda thread: None)
    database = str(tmp_path / "demo.db")
    with show_dashboard(database, port=0) as address:
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(f"{address}status", timeout=20)
        store = open_store(database)
        store.create_schema()
        store.close()
        with urllib.request.urlopen(f"{address}status", timeout=20) as answer:
            status = json.load(answer)
    assert status["verdict"]["sentence"] == "Nothing is installed."


def test_it_ends_while_somebody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "_stay", lambda thread: None)
    with ExitStack() as stack:
        with show_dashboard(str(tmp_path / "demo.db"), port=0) as address:
            listening = stack.enter_context(urllib.request.urlopen(f"{address}events", timeout=20))
            assert listening.readline() == b"event: problem\r\n"
        assert listening.read().endswith(b"\r\n\r\n"), "the answer was ended, and not cut off"


def test_an_interrupt_of_the_work_is_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), show_dashboard(str(tmp_path / "demo.db"), port=0):
        raise KeyboardInterrupt
