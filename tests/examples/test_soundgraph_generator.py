"""The generator: its answers are what counting the base tables gives, and everything it promises is in the input."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph import generator as command
from examples.soundgraph.derived import query_text
from examples.soundgraph.generator import Generator
from examples.soundgraph.indexer import Indexer
from examples.soundgraph.planted import streaks
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store
from tests.examples.conftest import Generated

PLANTED = {
    "referrals",
    "self_referrals",
    "mobile_users",
    "verification_flips",
    "bad_track_ids",
    "bad_entity_ids",
    "refused",
    "remixes",
    "toggles",
    "redelivered_events",
    "redelivered_blocks",
    "partial_blocks",
    "late_plays",
    "recreated_tracks",
    "recreated_playlists",
    "recreated_comments",
    "missing_heights",
    "scheduled_releases",
    "streaks",
    "identical_plays",
    "empty_transactions",
}
COLUMNS = {
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


@pytest.mark.parametrize("writer", ["upsert", "history"])
def test_the_answers_are_what_the_base_tables_count(store: Store, generated: Generated, writer: Writer) -> None:
    tally = Indexer(store, writer=writer, batch=25).ingest(generated.blocks)
    answers = generated.answers
    for table, columns in COLUMNS.items():
        rows = store.query(query_text(table, store.engine))
        found = {str(key): {c: int(v) for c, v in zip(columns, values, strict=True)} for key, *values in rows}
        assert found == answers[table]
    lifetime = store.query(query_text("aggregate_plays", store.engine))
    assert {str(track): count for track, count in lifetime} == answers["aggregate_plays"]
    monthly = store.query(query_text("aggregate_monthly_plays", store.engine))
    assert sorted([t, str(month), c, n] for t, month, c, n in monthly) == answers["aggregate_monthly_plays"]
    assert (tally.events, tally.plays) == (answers["events"], answers["plays"])
    assert dict(store.query("SELECT reason, count(*) FROM skipped_items GROUP BY reason")) == answers["skipped"]


def test_the_answers_about_people_are_in_the_base_tables(store: Store, generated: Generated) -> None:
    Indexer(store, writer="history", batch=25).ingest(generated.blocks)
    answers = generated.answers
    referrers = store.query("SELECT user_id, referrer FROM user_events WHERE is_current AND referrer IS NOT NULL")
    assert {str(user): referrer for user, referrer in referrers} == answers["referrers"]
    mobile = store.query("SELECT user_id FROM user_events WHERE is_current AND is_mobile_user ORDER BY 1")
    assert [user for (user,) in mobile] == answers["mobile_users"]
    verified = store.query("SELECT user_id FROM users WHERE is_current AND is_verified ORDER BY 1")
    assert [user for (user,) in verified] == answers["verified_users"]


def test_everything_promised_is_planted(generated: Generated) -> None:
    planted: dict[str, list[Any]] = generated.answers["planted"]
    assert {kind for kind, found in planted.items() if found} == PLANTED
    edges = {step for streak in planted["streaks"] for step in streak["streak"]}
    assert {1, 2, 3} <= edges


def test_the_input_spans_seventy_days_and_is_skewed(generated: Generated) -> None:
    times = [block.timestamp for block in generated.blocks]
    assert max(times) - min(times) >= 70 * 86_400
    counts = sorted(generated.answers["aggregate_plays"].values(), reverse=True)
    assert sum(counts[: len(counts) // 10]) > sum(counts) / 3


def test_a_seed_gives_the_same_input_and_another_seed_another() -> None:
    first, same, other = (list(Generator(500, seed).lines()) for seed in (1, 1, 2))
    assert first == same
    assert first != other


@pytest.mark.parametrize("events", [0, 1, 3_000])
def test_any_size_can_be_had(events: int) -> None:
    generator = Generator(events, 5)
    list(generator.lines())
    assert generator.answers()["events"] >= events


def test_streaks_turn_on_sixteen_and_forty_eight_hours() -> None:
    hour = 3_600
    assert streaks([0, 16 * hour - 1, 16 * hour]) == [1, 1, 2]
    assert streaks([0, 48 * hour - 1]) == [1, 2]
    assert streaks([0, 16 * hour, 64 * hour]) == [1, 2, 1]


def test_the_command_writes_blocks_and_answers(tmp_path: Path) -> None:
    out, answers = tmp_path / "blocks.jsonl.gz", tmp_path / "answers.json"
    assert command.main(["--events", "300", "--seed", "4", "--out", str(out), "--answers", str(answers)]) == 0
    with gzip.open(out, "rt", encoding="utf-8") as lines:
        heights = [json.loads(line)["block"] for line in lines]
    assert len(heights) == json.loads(answers.read_text())["blocks"] + len(heights) - len(set(heights))
