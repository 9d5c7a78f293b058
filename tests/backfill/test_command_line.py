"""Backfills from the command line: what is typed, what is answered, and with which exit code; signals end a chunk later."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backfill.place import Songs
from tidemark import Tidemark
from tidemark.cli import main
from tidemark.cli.reports_backfills import backfills_text
from tidemark.errors import Exit

DEFINITIONS = """
import os, signal
from tidemark import Project

project = Project("songs")
project.backfill("shout", table="songs", key="id",
    sql="UPDATE songs SET shout = upper(title) WHERE id IN (SELECT id FROM tidemark_batch)")

project.derive("tallies", query="SELECT tally, count(*) AS n FROM songs GROUP BY tally")

@project.backfill("picky", table="songs", key="id", columns=["title"])
def picky(db, batch):
    if any(row["title"] == "song 7" for row in batch.rows):
        raise ValueError("no sevens")
    db.run("UPDATE songs SET tally = 1 WHERE id IN (SELECT id FROM tidemark_batch)")

calls = []

@project.backfill("ended", table="songs", key="id")
def ended(db, batch):
    calls.append(len(batch))
    db.run("UPDATE songs SET tally = coalesce(tally, 0) + 1 WHERE id IN (SELECT id FROM tidemark_batch)")
    for _ in range(int(os.environ.get("SIGNALS", "0")) if len(calls) == 2 else 0):
        os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.fixture
def typed(file_songs: Songs, tmp_path: Path, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Type a command; gives its exit code and its JSON."""
    file_songs.add(600)
    file = tmp_path / "derived.py"
    file.write_text(DEFINITIONS)

    def type_in(*words: str) -> tuple[int, dict[str, object]]:
        code = main(["backfill", *words, "--database", file_songs.url, "--definitions", str(file), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return type_in


def test_a_backfill_is_run_and_listed(typed, file_songs: Songs) -> None:  # type: ignore[no-untyped-def]
    code, said = typed("run", "shout")
    assert code == Exit.OK and said["backfills"][0]["state"] == "finished"
    assert typed("list")[1]["never_begun"] == ["picky", "ended"] and typed("list", "shout")[1]["never_begun"] == []
    code, said = typed("list")
    (one,) = said["backfills"]
    assert code == Exit.OK and (one["name"], one["rows_done"], one["rows_total"]) == ("shout", 600, 600)
    assert file_songs.shouted() == 600
    assert typed("run", "shout") == (Exit.OK, typed("run", "shout")[1])


def test_the_status_tells_of_a_backfill_where_nothing_is_derived(
    typed,  # type: ignore[no-untyped-def]
    file_songs: Songs,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert typed("run", "shout", "--max-duration", "0s")[0] == Exit.INTERRUPTED
    assert main(["status", "--database", file_songs.url]) == Exit.OK
    told = capsys.readouterr().out
    assert "shout was interrupted" in told and "tidemark backfill run shout" in told and "installed" not in told


def test_keys_that_are_quarantined_are_shown_each_with_its_error(
    songs: Songs,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    songs.add(30)
    file = tmp_path / "derived.py"
    file.write_text(DEFINITIONS)

    def type_in(*words: str) -> tuple[int, str]:
        code = main(["backfill", *words, "--database", songs.url, "--definitions", str(file)])
        return code, capsys.readouterr().out

    told = "quarantined: 7 (attempt 1, "
    code, said = type_in("run", "picky", "--nice", "0")
    assert code == Exit.QUARANTINED and "1 key is quarantined, with its error." in said
    assert told in said and "no sevens" in said and "tidemark backfill retry picky" in said
    code, said = type_in("list", "picky")
    assert code == Exit.OK and told in said and "no sevens" in said and "tidemark backfill retry picky" in said
    code, said = type_in("list")
    assert told not in said and "tidemark backfill list picky" in said
    (one,) = json.loads(type_in("list", "picky", "--json")[1])["quarantine"]
    assert (one["backfill"], one["key"], one["attempt"]) == ("picky", [7], 1) and "no sevens" in one["error"]
    eye = Tidemark(None, songs.url).onlooker()
    try:
        (finding,) = eye.overview().verdict.findings
    finally:
        eye.close()
    assert (
        finding.says.endswith("1 key is quarantined, with its error") and finding.next == "tidemark backfill list picky"
    )
    code, said = type_in("list", "nothing")
    assert code == Exit.OK and "Nothing is left to fill for nothing here" in said


def test_keys_that_were_quarantined_end_it_with_seven_and_a_retry_tries_them(typed) -> None:  # type: ignore[no-untyped-def]
    code, said = typed("run", "picky", "--nice", "0")
    assert code == Exit.QUARANTINED and said["backfills"][0]["quarantined"] == 1
    code, said = typed("retry", "picky")
    assert code == Exit.QUARANTINED and said["backfills"][0]["attempt"] == 2


def test_what_is_to_be_continued_ends_with_seventy_five_and_can_be_given_up(typed, file_songs: Songs) -> None:  # type: ignore[no-untyped-def]
    code, said = typed("run", "shout", "--max-duration", "0s")
    assert code == Exit.INTERRUPTED and "its time" in said["error"]["cause"]
    assert typed("pause", "shout")[1]["backfills"][0]["state"] == "paused"
    assert typed("resume", "shout", "--nice", "2")[1]["backfills"][0]["nice"] == 2.0
    assert "rests 2 s for each second" in backfills_text(Tidemark(None, file_songs.url).backfills())
    assert typed("cancel", "shout")[1]["backfills"][0]["state"] == "cancelled"
    assert typed("run", "shout")[0] == Exit.REFUSED
    assert typed("retry", "shout", "--anew")[1]["backfills"][0]["state"] == "finished"


def test_what_has_ended_is_steered_no_more_and_says_what_does_more(typed) -> None:  # type: ignore[no-untyped-def]
    assert typed("run", "shout")[0] == Exit.OK and typed("run", "picky", "--nice", "0")[0] == Exit.QUARANTINED
    for name, actions, instead in (
        ("shout", ("pause", "resume", "cancel", "retry"), "`tidemark backfill retry shout --anew`"),
        ("picky", ("pause", "resume", "cancel"), "`tidemark backfill retry picky`"),
    ):
        for action in actions:
            code, said = typed(action, name)
            assert code == Exit.REFUSED and instead in said["error"]["instead"], action


@pytest.mark.parametrize("nice", ["-3", "nan", "inf"])
def test_a_rest_that_is_no_number_of_seconds_is_refused_and_nothing_fails(typed, nice: str) -> None:  # type: ignore[no-untyped-def]
    code, said = typed("run", "shout", f"--nice={nice}")
    assert code == Exit.REFUSED and "no number of seconds" in said["error"]["reason"]
    assert typed("run", "shout")[1]["backfills"][0]["state"] == "finished"


def test_what_cannot_be_understood_is_a_usage_error(typed) -> None:  # type: ignore[no-untyped-def]
    assert typed("run")[0] == Exit.USAGE
    assert typed("run", "nothing")[0] == Exit.REFUSED
    assert typed("pause", "nothing")[0] == Exit.REFUSED
    # Whoever names a derived table is told what fills those.
    assert "tidemark apply" in typed("retry", "tallies")[1]["error"]["instead"]


@pytest.mark.parametrize(("signals", "chunks"), [(1, 2), (2, 1)], ids=["once", "twice"])
def test_a_signal_ends_it_after_the_chunk_and_a_second_one_rolls_the_chunk_back(
    typed,
    file_songs: Songs,
    tmp_path: Path,
    signals: int,
    chunks: int,  # type: ignore[no-untyped-def]
) -> None:
    words = ["backfill", "run", "ended", "--database", file_songs.url, "--definitions", str(tmp_path / "derived.py")]
    ended = subprocess.run(
        [sys.executable, "-m", "tidemark", *words],
        env={**os.environ, "SIGNALS": str(signals)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == Exit.INTERRUPTED != -signal.SIGTERM, ended.stderr
    (one,) = typed("list")[1]["backfills"]
    assert one["state"] == "interrupted" and "asked" in one["failure"]
    done = file_songs.value("SELECT count(*) FROM songs WHERE tally = 1")
    assert one["rows_done"] == done and (done == 100 if chunks == 1 else done > 100)
    assert typed("run", "ended")[0] == Exit.OK
    assert file_songs.value("SELECT count(*) FROM songs WHERE tally = 1") == 600
