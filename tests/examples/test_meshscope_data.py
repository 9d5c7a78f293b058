"""The mesh: what the generator plants, what an ingestor does with repeated, late and orphaned packets, and the columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from examples.meshscope import generator, upkeep
from examples.meshscope.derived import project
from examples.meshscope.ingestor import Ingestor
from examples.meshscope.packets import Observation, messages, read_templates
from examples.meshscope.schema import DERIVED_COLUMNS, add_columns, connect, create_indexes, create_tables
from tests.examples.mesh import TRANSMISSIONS, make_database, rows, small_mesh, untrue
from tidemark import Tidemark
from tidemark.runtime.progress import Event


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A database whose derived columns are there, as the bytes of its file."""
    path = tmp_path_factory.mktemp("mesh") / "kept.db"
    upkeep.upgrade(make_database(path))
    with closing(connect(str(path))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path.read_bytes()


@pytest.fixture
def mesh(kept: bytes, tmp_path: Path) -> str:
    path = tmp_path / "mesh.db"
    path.write_bytes(kept)
    return str(path)


def test_the_same_number_gives_the_same_packet() -> None:
    one, other = small_mesh(), small_mesh()
    packets = [one.packet(number) for number in range(600)]
    assert packets[::-1] == [other.packet(number) for number in reversed(range(600))]
    assert len({packet.hash for packet in packets}) == 600
    moments = [packet.first_seen for packet in packets]
    assert moments == sorted(moments)


def test_without_a_recording_packets_of_its_kind_are_invented(tmp_path: Path) -> None:
    found = read_templates(tmp_path / "nowhere.jsonl.gz")
    assert len(found) == 499
    assert {one.route_type for one in found} == {1, 2}
    assert all(0 <= one.offset < 7_650 and 44 <= one.raw_hex_length <= 268 for one in found)


def test_what_is_planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "ORPHANS_EVERY", 50)
    path = str(tmp_path / "planted.db")
    made = generator.fill(path, small_mesh(), TRANSMISSIONS)
    assert (made.transmissions, made.bytes) == (TRANSMISSIONS, Path(path).stat().st_size)
    assert made.orphans > 0
    silent = "SELECT count(*) FROM transmissions t WHERE NOT EXISTS (SELECT 1 FROM observations o WHERE o.transmission_id = t.id)"
    deaf = "SELECT count(*) FROM observations WHERE snr IS NULL"
    assert rows(path, silent)[0][0] > 0
    assert rows(path, deaf)[0][0] > 0
    upkeep.upgrade(path)
    assert untrue(path) == []
    assert rows(path, "SELECT count(*) FROM transmissions WHERE last_seen = 0") == rows(path, silent)


def test_a_new_database_has_the_columns_and_an_old_one_gets_them_twice_without_harm(tmp_path: Path) -> None:
    with closing(connect(str(tmp_path / "new.db"))) as new, closing(connect(str(tmp_path / "old.db"))) as old:
        create_tables(new)
        create_tables(old, derived=False)
        create_indexes(old)
        assert add_columns(new) == []
        assert add_columns(old) == list(DERIVED_COLUMNS)
        assert add_columns(old) == []
        shape = "SELECT name, type, [notnull], dflt_value FROM pragma_table_info('transmissions') ORDER BY name"
        assert new.execute(shape).fetchall() == old.execute(shape).fetchall()
    upkeep.upgrade(str(tmp_path / "old.db"))
    assert upkeep.verify(str(tmp_path / "old.db")) == upkeep.Verdict(0, 0)


def test_messages_that_come_again_change_nothing(mesh: str) -> None:
    with closing(connect(mesh)) as connection:
        ingestor = Ingestor(connection)
        coming = list(islice(messages(small_mesh(), TRANSMISSIONS), 150))
        for packet in coming:
            ingestor.take(packet)
        before = rows(mesh, "SELECT * FROM transmissions ORDER BY id")
        assert ingestor.tally.duplicates > 0
        counted = ingestor.tally.new
        for packet in coming:
            assert ingestor.take(packet) == 0
        assert ingestor.tally.new == counted
    upkeep.drain(mesh)
    after = rows(mesh, "SELECT * FROM transmissions ORDER BY id")
    assert [row[:-1] for row in after] == [row[:-1] for row in before]
    assert untrue(mesh) == []


def test_a_signal_that_was_missing_is_taken_from_a_repeated_message(mesh: str) -> None:
    packet = replace(
        small_mesh().packet(TRANSMISSIONS + 1), observations=(Observation(3, None, None, None, 1_779_100_000),)
    )
    louder = replace(packet, observations=(replace(packet.observations[0], snr=9.5, rssi=-70),))
    look = f"SELECT observation_count, last_seen, best_snr FROM transmissions WHERE hash = '{packet.hash}'"
    with closing(connect(mesh)) as connection:
        ingestor = Ingestor(connection)
        ingestor.take(packet)
        assert rows(mesh, look) == [(1, 1_779_100_000, None)]
        ingestor.take(louder)
        assert rows(mesh, look) == [(1, 1_779_100_000, 9.5)]


def test_zero_is_a_transmission_that_nobody_hears_any_more(mesh: str) -> None:
    with closing(connect(mesh)) as connection:
        connection.execute("DELETE FROM observations WHERE transmission_id = 2")
    upkeep.drain(mesh)
    look = "SELECT observation_count, last_seen, best_snr, last_observer FROM transmissions WHERE id = 2"
    assert rows(mesh, look) == [(0, 0, None, None)]
    assert untrue(mesh) == []


def test_orphans_are_found_when_their_transmission_comes_at_last(mesh: str) -> None:
    with closing(connect(mesh)) as connection:
        seen = "INSERT INTO observations (transmission_id, observer_id, snr, raw_hex, timestamp) VALUES (5000, ?, ?, '', ?)"
        connection.executemany(seen, [(1, 2.5, 1_779_200_000), (2, None, 1_779_200_009)])
        come = "INSERT INTO transmissions (id, hash, raw_hex, first_seen, route_type, payload_type, hash_size) "
        connection.execute(f"{come} VALUES (5000, 'late', '', 1779199999, 1, 4, 1)")
    upkeep.drain(mesh)
    look = "SELECT observation_count, last_seen, best_snr, last_observer FROM transmissions WHERE id = 5000"
    assert rows(mesh, look) == [(2, 1_779_200_009, 2.5, 2)]


def test_what_an_application_writes_into_a_derived_column_is_found_and_mended(mesh: str) -> None:
    with closing(connect(mesh)) as connection:
        connection.execute("UPDATE transmissions SET last_seen = 1, best_snr = 99 WHERE id IN (3, 4)")
    assert upkeep.verify(mesh).wrong == 2
    Tidemark(project, mesh).repair()
    assert untrue(mesh) == []


def test_messages_that_come_faster_than_the_filling_do_not_keep_it_from_ending(tmp_path: Path) -> None:
    database = make_database(tmp_path / "busy.db", 1_500)
    with closing(connect(database)) as connection:
        add_columns(connection)
        ingestor, coming = Ingestor(connection), messages(small_mesh(), 1_500)

        def between(event: Event) -> None:
            for packet in islice(coming, 20):
                ingestor.take(packet)

        Tidemark(project, database, listen=between).apply()
        assert ingestor.tally.messages > 200
    upkeep.drain(database)
    assert untrue(database) == []
    assert upkeep.verify(database).wrong == 0


def test_a_message_that_cannot_be_written_leaves_nothing(mesh: str) -> None:
    with closing(connect(mesh)) as holder, closing(connect(mesh, timeout=0)) as connection:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            Ingestor(connection).take(small_mesh().packet(TRANSMISSIONS))
        assert not connection.in_transaction
        holder.execute("ROLLBACK")
        Ingestor(connection).take(small_mesh().packet(TRANSMISSIONS))
    assert rows(mesh, "SELECT count(*) FROM transmissions") == [(TRANSMISSIONS + 1,)]
