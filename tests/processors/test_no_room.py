"""A disk without room while Python computes rows: no unit is to blame."""

from __future__ import annotations

import pytest

from tests.findings.place import Place
from tests.processors.ground import SCHEMA, declared, stored, truth
from tidemark import Tidemark
from tidemark.database.session import Exhausted
from tidemark.runtime.ticks.processing import Computing


def test_a_disk_without_room_puts_no_unit_aside(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.run(*SCHEMA)
    keeper = Tidemark(declared(), place.url)
    keeper.apply()
    place.run("INSERT INTO people (id, bio) VALUES (1, 'x')", 'INSERT INTO "pläys" VALUES (7, 1, 9)')

    def fail(*_: object) -> None:
        raise Exhausted("no room is left on the disk")

    with monkeypatch.context() as patch, pytest.raises(Exhausted):
        patch.setattr(Computing, "_call", fail)
        keeper.tick()
    keeper.tick()
    assert stored(place) == truth(place)
    assert keeper.verify()[0].quarantined == 0
