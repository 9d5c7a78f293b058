"""A backfill of the user's, run: everything is done once, whatever the key, and its record says so."""

from typing import Any

import pytest

from tests.backfill.place import UPPER, Songs, Watch, stop_after
from tidemark import Fault, Refusal
from tidemark.database.session import Conflict
from tidemark.errors import Exit
from tidemark.runtime.backfill import worker
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.clock import Clock


def test_every_row_is_done_and_the_record_says_so(songs: Songs) -> None:
    songs.add(1200)
    songs.upper()
    done = songs.engine().backfill("shout")
    (status,) = songs.engine().backfills()
    assert songs.shouted() == 1200 == done.rows_written == status.rows_done == status.rows_total
    assert (status.state, status.progress, status.failure, status.running) == ("finished", 1.0, None, False)
    assert done.chunks >= 2 and done.exit is Exit.OK


def test_a_finished_backfill_run_again_does_nothing(songs: Songs) -> None:
    songs.add(10)
    songs.upper()
    songs.engine().backfill("shout")
    with songs.session.transaction():
        songs.session.run("UPDATE songs SET shout = NULL WHERE id = 3")
    assert songs.engine().backfill("shout").chunks == 0
    assert songs.shouted() == 9
    songs.engine().backfill("shout", Orders(anew=True))
    assert songs.shouted() == 10


def test_an_empty_table_is_finished_at_once(songs: Songs) -> None:
    songs.upper()
    done = songs.engine().backfill("shout")
    assert (done.status.state, done.chunks, done.status.rows_total) == ("finished", 0, 0)


def test_a_function_sees_the_rows_that_are_wanted_in_key_order(songs: Songs) -> None:
    songs.add(700, step=1000)
    seen: list[int] = []

    @songs.project.backfill("tally", table="songs", key="id", columns=["title"], where="id > 1")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        seen.extend(batch.keys)
        assert [row["id"] for row in batch.rows] == list(batch.keys)
        for row in batch.rows:
            db.run("UPDATE songs SET tally = :n WHERE id = :id", {"n": len(row["title"]), "id": row["id"]})

    done = songs.engine().backfill("tally")
    assert seen == list(range(1001, 700_000, 1000))
    assert done.rows_written == 699 == songs.value("SELECT count(*) FROM songs WHERE tally = length(title)")
    assert done.status.rows_done == 700


def test_what_is_interrupted_goes_on_and_does_nothing_twice(songs: Songs) -> None:
    songs.add(2000)
    add = "UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)"
    songs.project.backfill("count", table="songs", key="id", sql=add)
    with pytest.raises(Fault) as fault:
        songs.engine(stop=stop_after(2)).backfill("count")
    assert fault.value.exit is Exit.INTERRUPTED
    (status,) = songs.engine().backfills()
    assert status.state == "interrupted" and "asked to stop" in str(status.failure)
    assert 0 < status.rows_done < 2000
    assert songs.engine().backfill("count").status.state == "finished"
    assert songs.value("SELECT count(*) FROM songs WHERE tally = 1") == 2000


@pytest.mark.parametrize("kind", ["composite", "text", "uuid"])
def test_any_unique_key_can_be_walked(songs: Songs, kind: str) -> None:
    created = {
        "composite": "CREATE TABLE t (a TEXT NOT NULL, b INTEGER NOT NULL, n INTEGER, PRIMARY KEY (a, b))",
        "text": "CREATE TABLE t (a VARCHAR(40) NOT NULL PRIMARY KEY, n INTEGER)",
        "uuid": "CREATE TABLE t (a UUID NOT NULL PRIMARY KEY, n INTEGER)",
    }
    key = ("a", "b") if kind == "composite" else ("a",)
    with songs.session.transaction():
        songs.session.run(created[kind])
        for number in range(1500):
            values = {
                "composite": f"'g{number % 7}', {number}",
                "text": f"'é''{number * 7919 % 1500}\"'",
                "uuid": f"'{number * 7919 % 1500:08x}-0000-4000-8000-000000000000'",
            }
            songs.session.run(f"INSERT INTO t VALUES ({values[kind]}, 0)")
    names = ", ".join(key)
    add = f"UPDATE t SET n = n + 1 WHERE ({names}) IN (SELECT {names} FROM tidemark_batch)"
    songs.project.backfill("walk", table="t", key=key, sql=add)
    with pytest.raises(Fault):
        songs.engine(stop=stop_after(2)).backfill("walk")
    songs.engine().backfill("walk")
    assert songs.session.all("SELECT n, count(*) FROM t GROUP BY n") == [(1, 1500)]


def test_a_function_gets_every_row_by_a_key_that_ends_in_the_rowid(songs: Songs) -> None:
    songs.add(700)
    seen: list[int] = []
    with songs.session.transaction():
        songs.session.run("UPDATE songs SET tally = id % 3")
        if songs.session.dialect.has_schemas:
            songs.session.run("ALTER TABLE songs ALTER tally SET NOT NULL")
            songs.session.run("CREATE UNIQUE INDEX by_tally ON songs (tally, id)")
        else:
            songs.session.run(
                "CREATE TABLE u (id INTEGER PRIMARY KEY, tally INTEGER NOT NULL, note TEXT, UNIQUE (tally, id))"
            )
            songs.session.run("INSERT INTO u SELECT id, tally, title FROM songs")

    table = "songs" if songs.session.dialect.has_schemas else "u"

    @songs.project.backfill("look", table=table, key=("tally", "id"), columns=["id"])
    def look(db, batch):  # type: ignore[no-untyped-def]
        seen.extend(row["id"] for row in batch.rows)

    songs.engine().backfill("look")
    assert sorted(seen) == list(range(1, 701))


def test_rows_that_come_while_it_runs_do_not_make_it_longer(songs: Songs) -> None:
    songs.add(250)

    @songs.project.backfill("grow", table="songs", key="id")
    def grow(db, batch):  # type: ignore[no-untyped-def]
        top = db.one("SELECT max(id) FROM songs")[0]
        for number in range(len(batch) * 2):
            db.run("INSERT INTO songs (id, title) VALUES (:id, 'new')", {"id": top + number + 1})

    assert songs.engine(stop=stop_after(20)).backfill("grow").status.rows_done == 250


def test_a_row_that_comes_after_the_keys_of_its_chunk_were_listed_is_done(
    file_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_songs.add(300, step=2)
    file_songs.upper()
    real, came = worker.list_chunk, [2, 300]

    def list_chunk(*given: Any) -> Any:
        found = real(*given)
        if came:
            file_songs.add(1, start=came.pop(0))
        return found

    monkeypatch.setattr(worker, "list_chunk", list_chunk)
    assert file_songs.engine().backfill("shout").status.rows_done == 302
    assert file_songs.shouted() == 302 and not came


def test_a_row_that_cannot_be_migrated_is_quarantined_alone_and_tried_again_when_asked(songs: Songs) -> None:
    songs.add(900)
    bad = {317, 500}

    @songs.project.backfill("tally", table="songs", key="id", columns=["title"])
    def tally(db, batch):  # type: ignore[no-untyped-def]
        if bad & set(batch.keys):
            raise ValueError(f"cannot read {sorted(bad & set(batch.keys))}")
        db.run("UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)")

    done = songs.engine().backfill("tally")
    assert (done.status.state, done.status.quarantined, done.exit) == ("quarantined", 2, Exit.QUARANTINED)
    assert done.status.rows_done == 900 and songs.value("SELECT count(*) FROM songs WHERE tally = 1") == 898
    rows = songs.session.all(f"SELECT key, attempt, error FROM {songs.ledger('quarantine')} ORDER BY key")
    assert rows == [("[317]", 1, "ValueError: cannot read [317]"), ("[500]", 1, "ValueError: cannot read [500]")]
    bad.remove(317)
    again = songs.engine().backfill("tally", Orders(again=True)).status
    assert (again.state, again.attempt, again.rows_total, again.rows_done, again.quarantined) == (
        "quarantined",
        2,
        2,
        2,
        1,
    )
    bad.clear()
    assert songs.engine().backfill("tally", Orders(again=True)).status.state == "finished"
    assert songs.session.all("SELECT tally, count(*) FROM songs GROUP BY tally") == [(1, 900)]


def test_a_key_is_not_quarantined_again_because_the_database_stays_locked(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs.add(3)
    bad, seconds = {2}, [0.0]

    @songs.project.backfill("tally", table="songs", key="id")
    def tally(db, batch):  # type: ignore[no-untyped-def]
        if bad & set(batch.keys):
            raise ValueError("cannot read")
        db.run("UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)")

    def pass_by(waited: float) -> None:
        seconds[0] += waited

    def locked(*_: object, **__: object) -> None:
        raise Conflict("somebody has it")

    assert songs.engine().backfill("tally").status.quarantined == 1
    with monkeypatch.context() as patch:
        patch.setattr(worker, "do_key", locked)
        with pytest.raises(Fault, match="stayed locked"):
            songs.engine(clock=Clock(now=lambda: seconds[0], wait=pass_by)).backfill("tally", Orders(again=True))
    (quarantine,) = songs.session.all(f"SELECT key, attempt, error FROM {songs.ledger('quarantine')}")
    assert quarantine == ("[2]", 1, "ValueError: cannot read")
    bad.clear()
    assert songs.engine().backfill("tally", Orders(again=True)).status.state == "finished"
    assert songs.session.all("SELECT tally, count(*) FROM songs GROUP BY tally") == [(1, 3)]


def test_too_many_keys_quarantined_are_a_failure_that_stays_visible(songs: Songs) -> None:
    songs.add(40)

    @songs.project.backfill("none", table="songs", key="id", quarantine_max=3)
    def none(db, batch):  # type: ignore[no-untyped-def]
        raise ValueError("never")

    with pytest.raises(Fault, match="more than the 3") as fault:
        songs.engine().backfill("none")
    # Run again it is refused, so it does not say that this is safe.
    assert "next: tidemark backfill list none" in str(fault.value) and "safe to run" not in str(fault.value)
    (status,) = songs.engine().backfills()
    assert (status.state, status.running, status.quarantined) == ("failed", False, 4)
    assert "more than the 3" in str(status.failure)
    with pytest.raises(Refusal, match="retry"):
        songs.engine().backfill("none")


def test_a_statement_that_the_engine_does_not_take_fails_before_the_first_row(songs: Songs) -> None:
    songs.add(5)
    songs.project.backfill(
        "odd", table="songs", key="id", sql="UPDATE songs SET nothing = 1 WHERE id IN (SELECT id FROM tidemark_batch)"
    )
    with pytest.raises(Refusal):
        songs.engine().backfill("odd")
    (status,) = songs.engine().backfills()
    assert (status.state, status.rows_done, status.quarantined) == ("failed", 0, 0)
    assert "nothing" in str(status.failure)


def test_another_definition_is_not_continued_in_the_middle(songs: Songs) -> None:
    songs.add(2000)
    songs.upper()
    with pytest.raises(Fault):
        songs.engine(stop=stop_after(2)).backfill("shout")
    songs.project = type(songs.project)("songs")
    songs.project.backfill("shout", table="songs", key="id", sql=UPPER.replace("upper", "lower"))
    with pytest.raises(Refusal, match="another definition"):
        songs.engine().backfill("shout")
    songs.engine().backfill("shout", Orders(anew=True))
    assert songs.value("SELECT count(*) FROM songs WHERE shout = lower(title)") == 2000


def test_only_one_runner_is_at_a_backfill(songs: Songs) -> None:
    songs.add(150)
    songs.upper()
    watch, met = Watch(), list[Exit]()

    def wait(seconds: float) -> None:
        watch.wait(seconds)
        if not met:
            with pytest.raises(Fault) as fault:
                songs.engine().backfill("shout")
            met.append(fault.value.exit)

    songs.engine(clock=watch.with_wait(wait)).backfill("shout")
    assert met == [Exit.HELD]
