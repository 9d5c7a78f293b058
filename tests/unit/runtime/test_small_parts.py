"""The small parts of the runtime: statements, scripts, values, pace, states, progress."""

import contextlib
import datetime
import decimal
import io
import math
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

import tidemark.runtime
from tests.unit.runtime.handmade import DIALECTS, count_posts
from tidemark.cli.display import Display
from tidemark.database.session import Conflict
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Fault
from tidemark.names import ledger
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.pace import Pace, ask, choose_first_pace, choose_pace
from tidemark.runtime.progress import Event
from tidemark.runtime.scripts import read_script, script_text
from tidemark.runtime.statements import find_statement, load_statements, parse_statements
from tidemark.runtime.values import hash_key, pack, show, unpack
from tidemark.states import DERIVED, RUN, UNKNOWN, check_list, check_move, read_state

RUNTIME = Path(tidemark.runtime.__file__).parent
ALONE = re.compile(r"^(fact|warn|drop)_|^create_(schema|clock)$")


def test_both_engines_have_the_same_statements_each_with_a_purpose() -> None:
    sqlite, postgres = (load_statements(name) for name in ("sqlite", "postgres"))
    mine, other = ({name for name in found if not ALONE.match(name)} for found in (sqlite, postgres))
    assert mine == other
    for statement in (*sqlite.values(), *postgres.values()):
        # Several in one text stand apart on lines of their own.
        assert statement.purpose and all(";" not in step for step in statement.text.split("\n;\n"))
        assert statement.text


def test_every_statement_that_the_code_names_is_there_and_every_one_there_is_named() -> None:
    code = "\n".join(path.read_text() for path in RUNTIME.parent.rglob("*.py"))
    for engine in ("sqlite", "postgres"):
        for name in load_statements(engine):
            assert f'"{name}"' in code or re.match(r"^(fact|warn|create)_", name), name
    for name in re.findall(r'ledger\.(?:run|value|all|text)\(\s*"(\w+)"', code):
        assert name in load_statements("sqlite") and name in load_statements("postgres"), name


def test_the_ledger_uses_the_names_that_everyone_else_uses() -> None:
    for dialect in (SQLITE, POSTGRESQL):
        text = (RUNTIME / f"ledger.{dialect.name}.sql").read_text()
        for table in ("meta", "derived", "checkpoint", "run", "drift", "lease"):
            assert f"CREATE TABLE {ledger(dialect, table).replace(chr(34), '')} (" in text


@pytest.mark.parametrize(
    "text", ["-- name: a\n-- why\n", "-- name: a\nSELECT 1;\n", "-- name: a\n-- w\nX;\n-- name: a\n-- w\nY;\n"]
)
def test_a_bad_statement_file_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="'a'"):
        parse_statements(text)


def test_what_statements_have_in_common_is_written_once() -> None:
    text = "-- part: who\n-- w\nSELECT 1 AS n\n\n-- name: a\n-- w\nWITH x AS ({who}) TABLE x;\n-- name: b\n-- w\n{who} {other};\n"
    found = {name: statement.text for name, statement in parse_statements(text).items()}
    assert found == {"a": "WITH x AS (SELECT 1 AS n) TABLE x", "b": "SELECT 1 AS n {other}"}


def test_an_unknown_statement_is_a_fault() -> None:
    with pytest.raises(Fault):
        find_statement("sqlite", "nonsense")


@pytest.mark.parametrize("engine", sorted(DIALECTS))
@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_script_reads_back_as_it_was_written(engine: str, freshness: str) -> None:
    script = count_posts(DIALECTS[engine], freshness=freshness)
    again = read_script(script_text(script))
    assert again == script
    assert again.fingerprint == script.fingerprint


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"name": "x"}', '{"nonsense": 1}'])
def test_a_script_of_another_version_is_a_fault(text: str) -> None:
    with pytest.raises(Fault, match="cannot read"):
        read_script(text)


VALUES = (
    None,
    True,
    7,
    -(2**63),
    1.5,
    'it\'s "text" with ü',
    b"\x00\xff",
    decimal.Decimal("1.50"),
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    datetime.date(2026, 1, 2),
    datetime.time(1, 2, 3),
    uuid.UUID(int=5),
    [1, None, "x"],
    math.inf,
    "no UTF-8: \udcff",
)


def test_values_read_back_with_their_types() -> None:
    again = unpack(pack(VALUES))
    assert again == VALUES
    assert [type(value) for value in again] == [type(value) for value in VALUES]
    assert math.isnan(unpack(pack([math.nan]))[0])
    assert len(hash_key(pack(VALUES))) == 32
    assert len(hash_key(pack(["typed, and in no database: \ud800"]))) == 32


def test_values_are_shown_as_they_are_stored() -> None:
    assert [show(value) for value in (None, 3, "a'b", b"\x01")] == ["NULL", "3", '"a\'b"', "x'01'"]


def test_every_edge_of_a_lifecycle_leads_to_a_state_and_has_a_sentence() -> None:
    for table in (DERIVED, RUN):
        for before, edges in table.items():
            for after, sentence in edges.items():
                assert after in table and sentence.endswith("."), (before, after)
                assert check_move(before, after, table) == sentence
    assert read_state("live") == "live" and read_state("nonsense") == UNKNOWN
    assert check_list(RUN) == "'running', 'done', 'failed', 'interrupted'"
    with pytest.raises(Fault, match="cannot go"):
        check_move("planned", "live")
    with pytest.raises(Fault):
        check_move(UNKNOWN, "live")


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


@pytest.mark.parametrize(("dialect", "hold_ms"), [(SQLITE, 15), (POSTGRESQL, 510)])
def test_what_a_chunk_holds_is_its_commit_too_where_that_has_locks_in_hand(dialect: Dialect, hold_ms: int) -> None:
    """SQLite takes its checkpoint when the lock is given back; on PostgreSQL triggers wait for the commit."""
    moment = _Moment()

    @contextlib.contextmanager
    def transaction(*_: object, **__: object) -> Iterator[None]:
        yield
        moment.seconds += 0.5

    def work() -> None:
        moment.seconds += 0.01

    ledger_ = cast(Ledger, SimpleNamespace(session=SimpleNamespace(dialect=dialect, transaction=transaction)))
    duty = Duty(ledger_, Clock(now=lambda: moment.seconds))
    assert duty.write(work, mode="chunk", once=True).hold_ms == pytest.approx(hold_ms)
    assert duty.write(work, once=True).hold_ms == pytest.approx(510)


def test_who_waits_for_the_database_says_so_once_and_only_when_it_takes_long() -> None:
    moment, told, failures = _Moment(), list[str](), list[str]()

    @contextlib.contextmanager
    def transaction(*_: object, **__: object) -> Iterator[None]:
        if failures:
            moment.seconds += 1.0
            raise Conflict(failures.pop())
        yield

    ledger_ = cast(Ledger, SimpleNamespace(session=SimpleNamespace(dialect=SQLITE, transaction=transaction)))
    clock = Clock(now=lambda: moment.seconds, wait=lambda seconds: None)
    duty = Duty(ledger_, clock, listen=lambda event: told.append(event.note))
    failures[:] = ["a.db is busy"]
    assert duty.write(lambda: 1).value == 1 and told == []
    failures[:] = ["a.db is busy"] * 5
    assert duty.write(lambda: 2).value == 2 and told == ["waiting, and trying again: a.db is busy"]
