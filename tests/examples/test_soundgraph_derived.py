"""The soundgraph command with upkeep: derived tables equal the answers, whatever the writer, and stay true."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph import __main__ as command
from examples.soundgraph import demo, upkeep
from examples.soundgraph.derived import QUERIES, query_text
from examples.soundgraph.stores import Store, open_store
from tests.examples.conftest import Generated

NewDatabase = Callable[[], str]
DECLARED_COLUMNS = 21


@pytest.fixture
def blocks(generated: Generated, tmp_path: Path) -> Path:
    """The generated blocks as a file."""
    path = tmp_path / "blocks.jsonl"
    path.write_text("\n".join(generated.lines) + "\n", encoding="utf-8")
    return path


def ingest(database: str, blocks: Path, *options: str) -> None:
    """Runs the command to its end."""
    assert command.main(["--database", database, "--blocks", str(blocks), "--batch", "5", *options]) == 0


def derived_rows(store: Store) -> dict[str, list[tuple[str, ...]]]:
    """Every derived table as its readers see it, as text."""
    return {name: sorted(tuple(map(str, row)) for row in store.query(f"SELECT * FROM {name}")) for name in QUERIES}


def true_rows(store: Store) -> dict[str, list[tuple[str, ...]]]:
    """The same from the declared queries."""
    return {
        name: sorted(tuple(map(str, row)) for row in store.query(query_text(name, store.engine))) for name in QUERIES
    }


def counts(store: Store, table: str, key: str) -> dict[str, dict[str, Any]]:
    """A derived table in the form of the answer file."""
    columns = ANSWERED[table]
    rows = store.query(f"SELECT {key}, {', '.join(columns)} FROM {table}")
    return {str(row[0]): {name: int(value) for name, value in zip(columns, row[1:], strict=True)} for row in rows}


ANSWERED = {
    "aggregate_user": (
        "follower_count",
        "following_count",
        "repost_count",
        "track_save_count",
        "track_count",
        "total_track_count",
        "playlist_count",
        "album_count",
        "total_playlist_count",
        "total_album_count",
        "track_share_count",
    ),
    "aggregate_track": ("save_count", "repost_count", "comment_count", "share_count"),
    "aggregate_playlist": ("is_album", "save_count", "repost_count", "share_count"),
}


def test_both_writers_end_with_the_same_true_tables(
    new_database: NewDatabase, generated: Generated, blocks: Path
) -> None:
    answers = generated.answers
    databases = {writer: new_database() for writer in ("upsert", "history")}
    found = {}
    for writer, database in databases.items():
        ingest(database, blocks, "--writer", writer)
        with closing(open_store(database)) as store:
            found[writer] = derived_rows(store)
            assert found[writer] == true_rows(store)
            for table, key in (("aggregate_user", "user_id"), ("aggregate_track", "track_id")):
                assert counts(store, table, key) == answers[table]
            assert counts(store, "aggregate_playlist", "playlist_id") == answers["aggregate_playlist"]
            plays = store.query("SELECT play_item_id, count FROM aggregate_plays")
            assert {str(track): count for track, count in plays} == answers["aggregate_plays"]
            monthly = store.query('SELECT play_item_id, "timestamp", country, count FROM aggregate_monthly_plays')
            assert sorted([t, str(m), c, n] for t, m, c, n in monthly) == answers["aggregate_monthly_plays"]
        verdict = upkeep.verify(database)
        assert (verdict.columns, verdict.true_columns, verdict.wrong) == (DECLARED_COLUMNS, DECLARED_COLUMNS, ())
    assert found["upsert"] == found["history"]


def test_tables_installed_over_history_are_the_same_as_tables_that_watched_it(
    new_database: NewDatabase, blocks: Path
) -> None:
    watched, late = new_database(), new_database()
    ingest(watched, blocks)
    ingest(late, blocks, "--no-derive")
    # Everything is redelivered: nothing is written, and the tables are filled from what is there.
    ingest(late, blocks)
    with closing(open_store(watched)) as one, closing(open_store(late)) as other:
        assert derived_rows(one) == derived_rows(other)


def test_a_tampered_row_is_named_and_mended(new_database: NewDatabase, blocks: Path) -> None:
    database = new_database()
    ingest(database, blocks)
    with closing(open_store(database)) as store:
        before = derived_rows(store)
        [(user, count)] = store.query("SELECT user_id, follower_count FROM aggregate_user ORDER BY 2 DESC, 1 LIMIT 1")
        table, column = upkeep.storage(database, "aggregate_user", "follower_count")
        assert store.execute(f"UPDATE {table} SET {column} = {column} + 7 WHERE user_id = ?", (user,)) == 1
        verdict = upkeep.verify(database)
        assert verdict.wrong == (f"aggregate_user, user_id {user}: follower_count is {count + 7}, but {count} is true",)
        assert verdict.true_columns == DECLARED_COLUMNS - 1
        assert upkeep.repair(database, "aggregate_user") == 1
        assert derived_rows(store) == before
        assert upkeep.verify(database).wrong == ()


def test_the_demo_ends_well(new_database: NewDatabase, blocks: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--database", new_database(), "--blocks", str(blocks)]) == 0
    told = capsys.readouterr().out
    assert f"{DECLARED_COLUMNS} of {DECLARED_COLUMNS} derived columns are true" in told
    assert "verify:   aggregate_user, user_id" in told
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
    assert "1 blocks, 2 new events (0 plays)" in told
    assert "2 items skipped with evidence: unknown_track 1, track_id_not_integer 1" in told
