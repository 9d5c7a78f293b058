"""Several sessions that repair one table beside each other: each key by one of them, under one lease and one record."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backfill.mutants import code
from tests.backfill.place import Songs, open_songs
from tests.backfill.test_pages import differences, prepare
from tests.simulation.chunks import chunks_of
from tidemark import Fault
from tidemark.errors import Exit
from tidemark.runtime.backfill import fill_pages, pages, places
from tidemark.runtime.truth import repair

KEYS = 38


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(pages, "PAGE_KEYS", 3)
    with chunks_of(2):
        yield


@pytest.fixture
def wrong_songs(pg_database: str) -> Iterator[Songs]:
    """Groups of songs on PostgreSQL, every one of which somebody made wrong."""
    with open_songs(pg_database) as found:
        prepare(found, nulls=True)
        found.engine().apply()
        spoil(found)
        yield found


def spoil(songs: Songs) -> None:
    """Make every row wrong behind everybody's back."""
    with songs.session.transaction():
        store = "tidemark.groups" if songs.session.dialect.has_schemas else "tidemark_groups"
        songs.session.run(f"UPDATE {store} SET _rows = _rows + 1000")


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many keys each session computed; the first three to come meet before they go on."""
    found: Counter[str] = Counter()
    together = threading.Barrier(3)

    def meet(keys: int) -> None:
        mine = threading.current_thread().name
        first = mine not in found
        found[mine] += keys
        if first:
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait(timeout=20)

    compute, mend = fill_pages.compute_range, repair._mend

    def count_range(duty: Any, script: Any, low: int, high: int) -> int:
        meet(high - low)
        return compute(duty, script, low, high)

    def count_some(duty: Any, script: Any, run: Any, some: Any) -> int:
        meet(len(some))
        return mend(duty, script, run, some)

    monkeypatch.setattr(repair, "compute_range", count_range)
    monkeypatch.setattr(repair, "_mend", count_some)
    return found


def test_a_range_of_keys_is_repaired_by_several_and_nothing_else_is(wrong_songs: Songs, mended: Counter[str]) -> None:
    songs = wrong_songs
    (done,) = songs.engine(workers=3).repair("groups", between=((5,), (30,)))
    assert (done.keys, done.rows_written) == (26, 26) and len(mended) == 3 and sum(mended.values()) == 26
    wrong = {row[1] for row in differences(songs)}
    assert wrong == {None, *range(5), *range(31, 37)}
    mended.clear()
    (done,) = songs.engine(workers=3).repair("groups", between=(None, None))
    assert (done.rows_written, differences(songs)) == (KEYS - 26, [])
    (run, *_) = songs.engine().history("groups")
    assert (run.kind, run.state, run.rows_done) == ("repair", "done", sum(mended.values()))


def test_what_a_verification_found_is_repaired_by_several_once_each(wrong_songs: Songs, mended: Counter[str]) -> None:
    (done,) = wrong_songs.engine(workers=3).repair("groups")
    assert (done.keys, done.rows_written) == (KEYS, KEYS) and len(mended) == 3 and sum(mended.values()) == KEYS
    assert differences(wrong_songs) == [] and wrong_songs.engine().status()[0].drift == 0
    assert wrong_songs.engine().verify()[0].clean


def test_they_end_together_and_it_is_repaired_when_it_is_run_again(wrong_songs: Songs, mended: Counter[str]) -> None:
    songs = wrong_songs
    with pytest.raises(Fault) as fault:
        songs.engine(workers=3, stop=lambda: sum(mended.values()) >= 8).repair("groups")
    assert fault.value.exit is Exit.INTERRUPTED and 0 < len(differences(songs)) < 2 * KEYS
    (run, *_) = [one for one in songs.engine().history("groups") if one.kind == "repair"]
    assert run.state == "interrupted" and run.rows_done == sum(mended.values())
    songs.engine(workers=2).repair("groups")
    assert differences(songs) == [] and songs.engine().verify()[0].clean


def test_what_one_of_them_meets_ends_the_others_and_is_told(
    wrong_songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend = repair._mend

    def fail(duty: Any, script: Any, run: Any, some: Any) -> int:
        if threading.current_thread() is not threading.main_thread():
            raise Fault("the other one fell over", retry_safe=False)
        return mend(duty, script, run, some)

    monkeypatch.setattr(repair, "_mend", fail)
    with pytest.raises(Fault, match="fell over"):
        wrong_songs.engine(workers=3).repair("groups")
    (run, *_) = [one for one in wrong_songs.engine().history("groups") if one.kind == "repair"]
    assert run.state == "failed" and "fell over" in str(run.cause)


def test_the_ranges_of_several_leave_no_key_out(wrong_songs: Songs) -> None:
    """The key that is NULL is the last one, and the greatest of the others is 36."""
    everything = [*range(37), None]
    with wrong_songs.engine()._open() as duty:
        script = duty.ledger.derived()[0].script
        for first, last in ((None, None), (3, 3), (36, 36), (7, None), (36, None), (0, 36), (None, 2)):
            wanted = everything[(first or 0) : 38 if last is None else last + 1]
            for crew in (1, 2, 3, 50):
                between = (None if first is None else (first,), None if last is None else (last,))
                found = places.places_between(duty, script, between)
                parts = places.cut_places(duty, script, found, crew)
                assert len(found) == len(wanted) and parts is not None and len(parts) <= crew * 4 + 1
                books = [pages.open_book(duty, script, *part) for part in parts]
                listed = [
                    book.key_at(place + 1)[0] for book in books for count in book.turn() for place in range(count)
                ]
                # Where the first key is among them, so is the one that is NULL.
                assert sorted(map(str, listed)) == sorted(map(str, {*wanted, *([None] if 0 in wanted else [])}))


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("min(low + each, within.stop)", "min(low + each, within.stop - 1)"),
        ("[(None, (None,))] if null and", "[(None, (None,))] if not null and"),
        ("(within.start or not within)", "True"),
        ("zip(keys, keys[1:], strict=False)", "zip(keys[1:], keys[2:], strict=False)"),
    ],
    ids=["before the last key", "without NULL", "NULL twice", "without the first range"],
)
def test_ranges_that_are_cut_wrongly_are_found(
    wrong_songs: Songs, monkeypatch: pytest.MonkeyPatch, said: str, instead: str
) -> None:
    code(places.cut_places, said, instead)(monkeypatch)
    monkeypatch.setattr(places, "cut_places", repair.cut_places)
    with pytest.raises(AssertionError):
        test_the_ranges_of_several_leave_no_key_out(wrong_songs)


def test_where_one_session_does_it_that_is_told(file_songs: Songs) -> None:
    prepare(file_songs, nulls=True)
    file_songs.engine().apply()
    spoil(file_songs)
    notes: list[str] = []
    engine = file_songs.engine(workers=3, listen=lambda event: notes.append(event.note))
    assert engine.repair("groups", between=((5,), (30,)))[0].rows_written == 26
    assert engine.repair("groups")[0].rows_written == KEYS - 26
    assert sum("one session works on it" in note for note in notes) == 2 and differences(file_songs) == []
