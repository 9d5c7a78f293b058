"""The page of operating names every address, metric, alert and finding that there is; each question of operators is answered by
a page that something checks."""

import re
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, find_block
from tests.docs.operating import FOLDER, NEVER_RUN, QUESTIONS, page_of, tell
from tests.house.tree import ROOT
from tidemark import Project, Tidemark
from tidemark.cli.export import export_file
from tidemark.runtime.operate import verdict
from tidemark.runtime.operate.figures import Figures
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import judge
from tidemark.web import application
from tidemark.web.actions import AT_ONCE, LONG
from tidemark.web.metrics import REASONS, list_families

TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")
SUFFIXES = {"counter": "_total", "info": "_info"}
PAGE = (DOCS / "operate" / "README.md").read_text(encoding="utf-8")


def test_every_address_is_on_the_page() -> None:
    app = application(Tidemark(Project("x"), "nothing.db"))
    for route in app.routes:
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda match: match[1].upper(), route.path)  # type: ignore[attr-defined]
        assert path in ("/NAME", "/actions") or f"`{path}`" in PAGE, path
    app.state.house.close()


def test_every_metric_alert_reason_and_action_is_on_the_page() -> None:
    view = Overview("2026-01-01T00:00:00Z", "x", "sqlite", False, (), (), (), {}, (), (), (), {}, judge(()))
    there = {
        f"tidemark_{one.name}{SUFFIXES.get(one.kind, '')}"
        for one in list_families(view, Figures("1", (), (), {}, {}, ()), (), "1")
    }
    assert set(re.findall(r"^\| `(tidemark_\w+)`", PAGE, re.M)) == there
    alerts = set(re.findall(r"- alert: (\w+)", export_file("alerts").text))
    assert set(re.findall(r"^\| (Tidemark\w+) ", PAGE, re.M)) == alerts
    for word in (*REASONS, *AT_ONCE, *LONG):
        assert f"`{word}`" in PAGE, word


def test_every_state_that_is_told_is_on_the_page() -> None:
    for says in verdict.COMING.values():
        assert says in PAGE, says


@pytest.mark.parametrize("question", [one for one in QUESTIONS if one not in NEVER_RUN])
def test_a_transcript_of_a_page_is_what_its_commands_print(question: str, tmp_path: Path) -> None:
    told = find_block(page_of(question), "console")
    assert told == tell(question, tmp_path), f"run: python -m tests.docs.operating --write {question}"


def test_every_question_has_a_page_that_names_the_tests_behind_it() -> None:
    assert {path.stem for path in FOLDER.glob("*.md")} == {*QUESTIONS, "README"}
    for question in QUESTIONS:
        text = page_of(question).read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ")
        assert title.endswith("?") and f"[{title}]({question}.md)" in PAGE
        tests = TEST.findall(text)
        assert tests, question
        for path, name in tests:
            assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), (
                f"{question}: {path} has no {name}"
            )
