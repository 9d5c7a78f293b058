"""Planted mistakes in the scripts of the page and of the banner: each is found by a test in a real browser.

Owns: the list. Promises: a mistake is a piece of a script that somebody could write otherwise, and it is there as written; a test
that does not fail on it is no test of that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.kit.chromium import Broken, Browser, Tab
from tests.page import browser_actions, browser_banner, browser_dashboard
from tests.page.browser_banner import Hosted
from tests.page.conftest import Look
from tests.page.scenes import SCENES
from tests.web.conftest import Forum, begin, fill
from tidemark.web import files

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class Mistake:
    """In a script something is written otherwise; `found_by` is a test that fails then."""

    name: str
    script: str
    right: str
    wrong: str
    found_by: Callable[..., None]
    more: tuple[Any, ...] = ()


MISTAKES = (
    Mistake(
        "what failed passes for true",
        "facts.js",
        'if (table.level === "fail" || table.drift > 0) return "wrong";',
        "",
        browser_dashboard.test_a_screen_reader_is_told_what_there_is,
    ),
    Mistake(
        "a failed run looks well",
        "moods.js",
        'failed: "wrong"',
        'failed: "true"',
        browser_dashboard.test_a_failed_run_never_looks_well,
    ),
    Mistake(
        "what was read before passes for new",
        "watch.js",
        "this.lose(problem.message, Boolean(problem.answered), problem.status === 401);",
        "",
        browser_dashboard.test_what_was_read_before_never_passes_for_new,
    ),
    Mistake(
        "a failure that was seen hides a new one",
        "facts.js",
        "${one.kind}\\n${one.name}\\n${one.says}",
        "${one.kind}\\n${one.name}",
        browser_dashboard.test_what_failed_stays_until_somebody_looks_and_a_new_failure_is_news,
    ),
    Mistake(
        "who does not look listens on",
        "watch.js",
        "clearTimeout(this.timer);\n    this.unlisten(0);",
        "clearTimeout(this.timer);",
        browser_dashboard.test_who_does_not_look_does_not_listen,
    ),
    Mistake(
        "nothing is asked where no events come",
        "watch.js",
        "this.isTold() ? CALM_MS : EVERY_MS",
        "CALM_MS",
        browser_dashboard.test_where_events_do_not_come_through_it_asks_every_few_seconds,
        ("nobody may listen",),
    ),
    Mistake(
        "what needs somebody is folded away",
        "levels.js",
        '|| !["true", undefined].includes(one.mood)',
        "&& one.mood === 'true'",
        browser_dashboard.test_a_thicket_of_lines_is_told_in_lists_and_one_table_in_lines,
        (390,),
    ),
    Mistake(
        "nearly done reads as done",
        "words.js",
        "`${Math.floor(value * 100)} %`",
        "`${Math.ceil(value * 100)} %`",
        browser_dashboard.test_nothing_that_goes_on_is_all_done,
    ),
    Mistake(
        "it acts before somebody is sure",
        "press.js",
        "if (question && !(await askIfSure(question, title, command))) return;",
        "",
        browser_actions.test_with_a_token_what_is_wrong_is_found_and_made_true,
    ),
    Mistake(
        "what was not ticked is repaired too",
        "table.js",
        "keys: ids }",
        "keys: here.told.drift.map((one) => one.id) }",
        browser_actions.test_rows_that_are_ticked_are_repaired_and_no_others,
    ),
    Mistake(
        "the banner hides while something failed",
        "banner.js",
        "host.hidden = !lines.length;",
        "host.hidden = !last.running;",
        browser_banner.test_a_failure_is_red_with_its_message_until_it_is_dismissed,
    ),
    Mistake(
        "the banner goes when the server is silent",
        "banner.js",
        "since ||= new Date().toLocaleTimeString();",
        "last &&= { items: [] };",
        browser_banner.test_it_stays_when_the_server_goes_silent_while_something_was_under_way,
        ("gone",),
    ),
    Mistake(
        "the banner says that all is done",
        "banner.js",
        "Math.min(99, Math.floor(ratio * 100))",
        "Math.floor(ratio * 100)",
        browser_banner.test_it_never_says_that_all_is_done,
    ),
    Mistake(
        "the banner brings back what was dismissed",
        "banner.js",
        "last.items.filter((one) => !gone.has(id(one)))",
        "last.items",
        browser_banner.test_a_failure_is_red_with_its_message_until_it_is_dismissed,
    ),
)


@pytest.fixture
def wrong_file_forum(sqlite_path: Path) -> Iterator[Forum]:
    """A forum in a file, in which somebody went behind Tidemark's back."""
    forum = fill(begin(f"sqlite:///{sqlite_path}"))
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    yield forum
    forum.app.state.house.close()
    forum.session.close()


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda one: one.name)
def test_a_planted_mistake_is_found(
    mistake: Mistake, request: pytest.FixtureRequest, browser: Browser, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = files.read_file(f"page/{mistake.script}").decode()
    assert text.count(mistake.right) == 1, "it is there as written"
    planted = text.replace(mistake.right, mistake.wrong).encode()
    real, until = files.read_file, Tab.until
    monkeypatch.setattr(files, "read_file", lambda name: planted if name == f"page/{mistake.script}" else real(name))
    monkeypatch.setattr(
        Tab, "until", lambda tab, script, seconds=PATIENCE_SECONDS: until(tab, script, min(seconds, PATIENCE_SECONDS))
    )
    wants = mistake.found_by.__code__.co_varnames[: mistake.found_by.__code__.co_argcount]
    given: dict[str, Any] = {}
    opened: list[tuple[Hosted, Tab]] = []
    for name in wants:
        if name == "wrong_forum":
            given[name] = request.getfixturevalue("wrong_file_forum")
        elif name == "hosted":
            opened.append((Hosted(SCENES["live"]()), browser.open()))
            given[name] = opened[-1]
        elif name in ("look", "browser"):
            given[name] = {"look": look, "browser": browser}[name]
    rest = [name for name in wants if name not in given]
    try:
        with pytest.raises((AssertionError, Broken)):
            mistake.found_by(**given, **dict(zip(rest, mistake.more, strict=True)))
    finally:
        for served, tab in opened:
            tab.close()
            served.close()
