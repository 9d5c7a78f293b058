"""The generator: its answers are what counting the base tables gives, and everything it promises is in the input."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from examples.soundgraph import generator as command
from examples.soundgraph.generator import Generator
from examples.soundgraph.planted import streaks
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import CHALLENGE_IDS

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
    "profiles",
    "uploaders",
    "collectors",
    "referral_kinds",
    "telephones",
    "tied_genres",
    "pretenders",
    "blocks",
    "listeners",
    "circles",
    "verified",
    "tippers",
    "buyers",
    "commenters",
    "popular",
    "cosigners",
    "pins",
    "contests",
    "contests_with_ends",
    "passed_on",
    "last_listened",
    "supported",
    "liked_comments",
    "bought_albums",
    "conversations",
    "thanks",
    "holders",
}


def test_everything_promised_is_planted(generated: Generated) -> None:
    planted: dict[str, list[Any]] = generated.answers["planted"]
    assert {kind for kind, found in planted.items() if found} == PLANTED
    edges = {step for streak in planted["streaks"] for step in streak["streak"]}
    assert {1, 2, 3} <= edges


def test_every_ending_of_a_challenge_is_in_the_answers(generated: Generated) -> None:
    """What memory is for: rows that the last look alone would have lost, lowered, or made in another name."""
    answers = generated.answers
    kept, afresh = (
        {(row["challenge_id"], row["specifier"]): row for row in answers[name]}
        for name in ("user_challenges", "user_challenges_afresh")
    )
    completed = {challenge for (challenge, _), row in kept.items() if row["is_complete"]}
    assert completed == set(CHALLENGE_IDS) - {"p3"}
    lost = {challenge for challenge, specifier in kept.keys() - afresh.keys()}
    assert {"u", "fp", "r", "rv"} <= lost
    undone = {key[0] for key in kept.keys() & afresh.keys() if kept[key]["is_complete"] > afresh[key]["is_complete"]}
    assert {"p", "u"} <= undone
    vanished = [key for key in kept.keys() - afresh.keys() if key[0] == "u" and not kept[key]["is_complete"]]
    assert vanished, "an owner with nothing left keeps the steps"
    pairs = [
        (row["user_id"], row["specifier"]) for row in answers["user_challenges"] if row["challenge_id"] in ("r", "rv")
    ]
    assert len(pairs) == len(set(pairs))
    decided = {(referrer, referred): kind for referrer, referred, kind in answers["referrals"]}
    for referrer, referred, kind in answers["planted"]["referral_kinds"]:
        assert decided[referrer, referred] == kind


def test_the_input_spans_seventy_days_and_is_skewed(generated: Generated) -> None:
    times = [block["timestamp"] for block in generated.blocks]
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
