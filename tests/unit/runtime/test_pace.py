"""How large chunks become, and how long they rest."""

import pytest

from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.runtime.pace import Pace, ask, choose_first_pace, choose_pace


def test_chunks_grow_to_the_target_and_shrink_at_once() -> None:
    pace = Pace(target_ms=10.0, in_line=True, size=100)
    for _ in range(20):
        pace.record(pace.size, pace.size * 0.01)
    assert 900 <= pace.size <= 1000
    pace.record(pace.size, 200.0)
    assert pace.size <= 100 and pace.longest_ms == 200.0
    pace.record(3, 0.1)
    assert pace.size <= 100


def test_where_rows_are_locked_a_chunk_takes_a_small_share_of_them_while_others_write() -> None:
    pace = choose_pace(POSTGRESQL)
    for rows, most in ((150_000, 750), (1_000, 500), (100_000_000, 200_000), (None, 200_000)):
        pace.share(rows)
        for _ in range(40):
            pace.record(pace.size, pace.size * 0.0001)
        assert pace.size == most
    waiting = choose_pace(SQLITE)
    waiting.share(150_000)
    assert waiting.most is None


def rows_in_a_second(pace: Pace, fixed_ms: float, row_ms: float) -> float:
    """What a pace comes to where a chunk costs so much by itself, and so much for each row."""
    rows, passed = 0, 0.0
    for _ in range(300):
        size, hold = pace.size, fixed_ms + row_ms * pace.size
        pace.record(size, hold)
        rows, passed = rows + size, passed + hold
    return rows / passed * 1000


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL])
@pytest.mark.parametrize("fixed_ms", [30.0, 130.0, 600.0])
def test_chunks_do_not_shrink_to_nothing_where_it_is_not_rows_that_take_the_time(
    dialect: Dialect, fixed_ms: float
) -> None:
    """A busy machine stretches every chunk beyond the hold aimed at, however few rows it has."""
    pace = choose_first_pace(dialect, None)
    assert rows_in_a_second(pace, fixed_ms, 0.05) >= 40 * 1000 / (fixed_ms + 5)


def test_chunks_do_shrink_where_it_is_rows_that_take_the_time() -> None:
    pace = choose_first_pace(POSTGRESQL, None)
    rows_in_a_second(pace, 0.0, 60.0)
    assert pace.size == 1
    pace = choose_first_pace(SQLITE, None)
    rows_in_a_second(pace, 1.0, 0.2)
    assert 6 <= pace.size <= 9


def test_the_mistake_of_shrinking_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pace, "_learn_floor", lambda self, rows, hold_ms: None)
    assert rows_in_a_second(choose_first_pace(POSTGRESQL, None), 130.0, 0.05) < 40


def test_a_pace_rests_where_an_operator_insists() -> None:
    for pace in (choose_pace(POSTGRESQL), choose_pace(POSTGRESQL, 500.0), choose_first_pace(POSTGRESQL, None)):
        assert pace.rest_seconds(100.0) == 0.0
        ask(pace, 2.0)
        assert pace.rest_seconds(100.0) == pytest.approx(0.2)
        ask(pace, None)
        assert pace.rest_seconds(100.0) == 0.0
    # Where writers wait in line, what leaves them gaps is another room's.
    assert choose_first_pace(SQLITE, 2.0).rest_seconds(100.0) == 0.0
