"""The soundgraph command with upkeep: derived tables equal the answers, whatever the writer, and stay true."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph import __main__ as command
from examples.soundgraph import demo, upkeep
from examples.soundgraph.derived import CONTAINED, COUNTS, LISTENING, make_project
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store, open_store
from tests.examples import challenges_page
from tests.examples.conftest import Generated
from tests.examples.soundgraph_play import INSTALLED, play
from tests.examples.soundgraph_rows import (
    CHALLENGE,
    CHALLENGE_IDS,
    READERS,
    WEEKLY_IDS,
    Rows,
    answered,
    answered_progress,
    derived,
    progress,
    stored,
)
from tests.kit.size import in_turn, on_one_engine
from tidemark import Tidemark

NewDatabase = Callable[[], str]
WRITERS: tuple[Writer, ...] = ("upsert", "history")
NAMED = [name for name in READERS if name in INSTALLED]
COUNTED = [declared.name for declared in COUNTS]


@pytest.fixture
def blocks(generated: Generated, tmp_path: Path) -> Path:
    """The generated blocks as a file."""
    path = tmp_path / "blocks.jsonl"
    path.write_text("\n".join(generated.lines) + "\n", encoding="utf-8")
    return path


def ingest(database: str, blocks: Path, *options: str) -> None:
    """Runs the command to its end."""
    assert command.main(["--database", database, "--blocks", str(blocks), *options]) == 0


def derived_rows(store: Store, names: Iterable[str] = NAMED) -> dict[str, Rows]:
    """Derived tables with names of their own as their readers see them, and the challenges."""
    found = {name: derived(store, name) for name in names}
    return found | {"user_challenges": stored(store, "user_challenges", CHALLENGE)}


def check_answers(store: Store, answers: Mapping[str, Any], of: str = "user_challenges") -> None:
    """Every derived table that is declared equals the answers."""
    for name in NAMED:
        assert derived(store, name) == answered(answers, name), name
    for challenge in CHALLENGE_IDS:
        assert progress(store, challenge) == answered_progress(answers, challenge, of), challenge


@pytest.mark.parametrize(
    ("new_database", "writer"),
    [
        (engine, writer)
        for one, engine in enumerate(("postgresql", "sqlite"))
        for other, writer in enumerate(WRITERS)
        if in_turn(one + other, 2)
    ],
    indirect=["new_database"],
)
def test_every_table_is_true_whoever_writes(new_database: NewDatabase, generated: Generated, writer: Writer) -> None:
    """A plain run takes one writer on each engine, another one in the next turn."""
    database = new_database()
    play(database, generated, writer)
    with closing(open_store(database)) as store:
        check_answers(store, generated.answers)
        page = {one: told for one, told in challenges_page.told(store.engine).items() if one not in WEEKLY_IDS}
        assert challenges_page.count(store) == page
    for report in Tidemark(make_project(), database).verify():
        assert report.clean, report.derived


@on_one_engine(1)
def test_tables_installed_over_history_are_the_same_as_tables_that_watched_it(
    new_database: NewDatabase, blocks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = (*COUNTS, *CONTAINED, *LISTENING)
    monkeypatch.setattr(upkeep, "project", make_project(wanted=wanted))
    monkeypatch.setattr(upkeep, "deliver", lambda database: 0)
    names = [declared.name for declared in wanted]
    watched, late = new_database(), new_database()
    ingest(watched, blocks)
    ingest(late, blocks, "--no-derive")
    # Everything is redelivered: nothing is written, and the tables are filled from what is there.
    ingest(late, blocks)
    with closing(open_store(watched)) as one, closing(open_store(late)) as other:
        assert derived_rows(one, names) == derived_rows(other, names)


@on_one_engine(0)
def test_a_tampered_row_is_named_and_mended(
    new_database: NewDatabase, blocks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The counts are enough to be tampered with, and quicker to install than everything.
    monkeypatch.setattr(upkeep, "project", make_project(wanted=COUNTS))
    database = new_database()
    ingest(database, blocks)
    with closing(open_store(database)) as store:
        before, whole = derived_rows(store, COUNTED), upkeep.verify(database)
        [(user, count)] = store.query("SELECT user_id, follower_count FROM aggregate_user ORDER BY 2 DESC, 1 LIMIT 1")
        table, column = upkeep.storage(database, "aggregate_user", "follower_count")
        assert store.execute(f"UPDATE {table} SET {column} = {column} + 7 WHERE user_id = ?", (user,)) == 1
        verdict = upkeep.verify(database)
        assert verdict.wrong == (f"aggregate_user, user_id {user}: follower_count is {count + 7}, but {count} is true",)
        assert verdict.true_columns == whole.columns - 1
        assert upkeep.repair(database, "aggregate_user") == 1
        assert derived_rows(store, COUNTED) == before
        assert upkeep.verify(database).wrong == ()


@on_one_engine(0)
def test_the_demo_ends_well(new_database: NewDatabase, blocks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = new_database()
    assert demo.main(["--database", database, "--blocks", str(blocks)]) == 0
    told = capsys.readouterr().out
    [(true, columns)] = re.findall(r"([0-9]+) of ([0-9]+) derived columns are true", told)
    assert true == columns
    assert "verify:   aggregate_user, user_id" in told
    assert "FOLLOWER_COUNT" in told and "reward_in_cooldown" in told and "places are announced" in told
    assert "events/s without upkeep" in told


@pytest.mark.parametrize(
    ("lines", "said"),
    [('{"block":1,"timestamp":1,"txs":[]}\nnonsense\n', "line 2: this is not JSON"), (None, "No such file")],
)
def test_bad_input_ends_with_one_sentence_and_code_one(
    new_database: NewDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str], lines: str | None, said: str
) -> None:
    path = tmp_path / "bad.jsonl"
    if lines is not None:
        path.write_text(lines, encoding="utf-8")
    assert command.main(["--database", new_database(), "--blocks", str(path), "--no-derive"]) == 1
    assert said in capsys.readouterr().err


def test_the_command_counts_what_it_skipped(
    new_database: NewDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "blocks.jsonl"
    plays = [{"user_id": "x", "track_id": track, "timestamp": 5, "country": ""} for track in ("1", "one")]
    path.write_text(json.dumps({"block": 1, "timestamp": 9, "txs": [{"type": "plays", "plays": plays}]}))
    ingest(new_database(), path, "--strict", "--no-derive")
    told = capsys.readouterr().out
    assert "1 blocks, 2 new events" in told
    assert "2 items quarantined with evidence: unknown_track 1, track_id_not_integer 1" in told
