"""What a terminal shows of work in progress, and a file."""

import io

import pytest

from tidemark.cli.display import Display
from tidemark.runtime.progress import Event


class _Moment:
    seconds = 0.0


def test_a_terminal_gets_a_bar_and_a_file_a_line_now_and_then() -> None:
    moment = _Moment()
    for live, lines in ((True, 0), (False, 3)):
        stream = io.StringIO()
        display = Display(stream, now=lambda: moment.seconds, live=live)
        for second in range(65):
            moment.seconds += 1.0
            display(Event("threads", "fill", second * 1000, 65_000))
        display(Event("threads", "cutover", note="readers see the new rows"))
        display.close()
        text = stream.getvalue()
        assert "filling threads [" in text and "keys/s" in text and "readers see the new rows" in text
        assert "100%" not in text
        if lines:
            assert text.count("\n") == lines + 1


def test_a_file_hears_nothing_of_ticks_that_come_and_go() -> None:
    moment, stream = _Moment(), io.StringIO()
    display = Display(stream, now=lambda: moment.seconds, live=False)
    for _ in range(10):
        moment.seconds += 20.0
        display(Event("threads", "tick", 0, 1))
    assert stream.getvalue() == ""


def test_a_stream_tells_where_it_is_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    moment, stream = _Moment(), io.StringIO()
    display = Display(stream, now=lambda: moment.seconds, live=False)
    for number in range(65):
        moment.seconds += 1.0
        display(Event("ledger", "stream", number * 10, place=f"{number * 11}"))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3 and lines[1] == "taking ledger, 310 blocks up to 341, 10 blocks/s"


def test_a_rest_is_no_time_in_which_it_was_slow() -> None:
    moment, stream = _Moment(), io.StringIO()
    display = Display(stream, now=lambda: moment.seconds, live=True)
    display(Event("threads", "backfill", 100, 10_000))
    display(Event("threads", "backfill", note="paused"))
    moment.seconds += 3600.0
    for done in (200, 1200, 2200, 3200):
        display(Event("threads", "backfill", done, 10_000))
        moment.seconds += 1.0
    assert "1,000 keys/s, 7 s left" in stream.getvalue() and "h left" not in stream.getvalue()


def test_a_quiet_display_shows_nothing() -> None:
    stream = io.StringIO()
    Display(stream, quiet=True)(Event("threads", "fill", 1, 2, "a note"))
    assert stream.getvalue() == ""


def test_what_has_no_total_yet_is_counted() -> None:
    moment, stream = _Moment(), io.StringIO()
    display = Display(stream, now=lambda: moment.seconds, live=False)
    for number in range(1, 40):
        moment.seconds = float(number)
        display(Event("threads", "count", 50_000 * number))
    first, *_, last = stream.getvalue().splitlines()
    assert first == "counting the keys for threads: 100,000"
    assert last.startswith("counting the keys for threads: 1,") and last.endswith("50,000 keys/s")


@pytest.mark.parametrize("width", [120, 80, 60, 40, 12, 1])
def test_a_bar_stays_in_one_line_of_the_terminal(width: int) -> None:
    """A longer one would begin another line ten times a second."""
    shown, times = io.StringIO(), iter(range(0, 100, 10))
    display = Display(shown, now=lambda: float(next(times)), live=True, width=lambda stream: width)
    for done in (0, 652_300, 1_400_000):
        display(Event("thread_stats", "fill", done, 1_500_000))
    drawn = [line.removeprefix("\x1b[2K") for line in shown.getvalue().split("\r") if line]
    assert len(drawn) == 3 and all(len(line) < max(2, width) for line in drawn), drawn
    assert width < 60 or "93% 1,400,000/1,500,000" in drawn[-1]
    assert ("[" in drawn[-1]) == (width >= 80), "a bar only where there is room beside the numbers"
