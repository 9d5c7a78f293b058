"""The banner's life in a real browser, on a page of somebody else's with a strict policy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from tests.kit.chromium import Browser, Tab
from tests.page.scenes import SCENES
from tests.page.serving import Served
from tests.page.worlds import World, backfill
from tidemark.errors import Fault
from tidemark.web.answers import HEADERS

HOST = """<!doctype html><html lang="en"><title>A page</title><link rel="icon" href="derived/icon.svg">
<script src="derived/banner.js" defer></script><h1>A page</h1></html>"""
BANNER = "document.querySelector('[role=status]')"
TEXT = f"{BANNER}.shadowRoot.textContent"
AGAIN = "document.dispatchEvent(new Event('visibilitychange'))"


class Hosted(Served):
    """A page of somebody else's that has the banner, with the application beside it."""

    def wrap(self, inner: Starlette, prefix: str) -> Any:
        """The page at the root, the application below it."""
        page = Route("/", lambda request: HTMLResponse(HOST, headers=HEADERS))
        return Starlette(routes=[page, Mount("/derived", app=inner)])


@pytest.fixture
def hosted(browser: Browser) -> Iterator[tuple[Hosted, Tab]]:
    """A host page over a world that is live."""
    served, tab = Hosted(SCENES["live"]()), browser.open()
    yield served, tab
    tab.close()
    served.close()


def begin(hosted: tuple[Hosted, Tab], scene: str) -> tuple[Hosted, Tab]:
    served, tab = hosted
    served.eye.world = SCENES[scene]()
    tab.go(served.address)
    tab.until(f"{BANNER} !== null")
    tab.until(
        "performance.getEntriesByType('resource').some(one => one.name.endsWith('banner.json') && one.responseEnd)"
    )
    return served, tab


def test_it_shows_what_runs_and_goes_away_by_itself(hosted: tuple[Hosted, Tab]) -> None:
    served, tab = begin(hosted, "busy")
    tab.until(f"!{BANNER}.hidden")
    told = tab.run(TEXT)
    assert "thread_stats" in told and "652,300 of 1,500,000 · 43 % · 21 s left" in told
    assert tab.run(f"{BANNER}.shadowRoot.querySelector('progress').value") == 43
    assert tab.run("document.body.firstElementChild === " + BANNER)
    # Killed in between: that is said, and asked about less often until somebody goes on with it.
    served.eye.world = replace(
        served.eye.world, backfills=(backfill("thread_stats", "interrupted", 700_000, 1_500_000),)
    )
    tab.until(f"{TEXT}.includes('interrupted')", seconds=12)
    served.eye.world = SCENES["live"]()
    tab.run(AGAIN)
    tab.until(f"{BANNER}.hidden", seconds=12)
    assert tab.said == []


def test_it_is_hidden_where_all_is_live(hosted: tuple[Hosted, Tab]) -> None:
    _, tab = begin(hosted, "live")
    assert tab.run(f"{BANNER}.hidden")


def test_a_failure_is_red_with_its_message_until_it_is_dismissed(hosted: tuple[Hosted, Tab]) -> None:
    _, tab = begin(hosted, "failing")
    tab.until(f"!{BANNER}.hidden")
    assert "cannot compute thread_id 40117: integer overflow" in tab.run(TEXT)
    bad = f"{BANNER}.shadowRoot.querySelectorAll('.bad').length"
    count = tab.run(bad)
    assert count >= 4
    assert tab.run(f"{BANNER}.shadowRoot.querySelector('.bad button').ariaLabel") == "Dismiss thread_stats"
    tab.run(f"{BANNER}.shadowRoot.querySelector('.bad button').click()")
    assert tab.run(bad) == count - 1
    tab.run(AGAIN)
    tab.until("performance.getEntriesByType('resource').filter(one => one.name.endsWith('banner.json')).length > 1")
    assert tab.run(bad) == count - 1


@pytest.mark.parametrize("how", ["gone", "unreadable"])
def test_it_stays_when_the_server_goes_silent_while_something_was_under_way(
    hosted: tuple[Hosted, Tab], how: str
) -> None:
    served, tab = begin(hosted, "busy")
    tab.until(f"!{BANNER}.hidden")
    if how == "gone":
        served.stop()
    else:
        served.eye.world = World(problem=Fault("the database is busy", retry_safe=True))
    tab.run(AGAIN)
    tab.until(f"{TEXT}.includes('Not known: no answer since')", seconds=12)
    assert tab.run(f"{BANNER}.shadowRoot.querySelectorAll('.old').length") == 3


def test_a_server_that_was_never_there_shows_nothing(hosted: tuple[Hosted, Tab]) -> None:
    served, tab = hosted
    served.eye.world = World(problem=Fault("the database is busy", retry_safe=True))
    tab.go(served.address)
    tab.until(
        "performance.getEntriesByType('resource').some(one => one.name.endsWith('banner.json') && one.responseEnd)"
    )
    assert tab.run(f"{BANNER}.hidden")


def test_before_anything_is_installed_it_is_calm_and_looks_again_soon(hosted: tuple[Hosted, Tab]) -> None:
    served, tab = begin(hosted, "empty")
    tab.until(f"!{BANNER}.hidden")
    assert tab.run(TEXT) == "Tidemarkplanned · nothing is installed"
    assert tab.run(f"{BANNER}.shadowRoot.querySelectorAll('.bad').length") == 0
    served.eye.world = SCENES["busy"]()
    tab.until(f"{TEXT}.includes('thread_stats')", seconds=12)


def test_nothing_in_it_becomes_markup(hosted: tuple[Hosted, Tab]) -> None:
    _, tab = begin(hosted, "hostile")
    tab.until(f"!{BANNER}.hidden")
    assert "<img src=x" in tab.run(TEXT)
    assert tab.run(f"{BANNER}.shadowRoot.querySelectorAll('img').length") == 0
    assert tab.run("document.title") == "A page"


def test_a_long_message_leaves_room_for_the_page(hosted: tuple[Hosted, Tab]) -> None:
    served, tab = begin(hosted, "live")
    wordy = backfill("thread_stats", "failed", 7, 10, failure="every word of an error " * 200)
    served.eye.world = replace(served.eye.world, backfills=(wordy,))
    tab.run(AGAIN)
    tab.until(f"{TEXT}.includes('every word')", seconds=12)
    assert tab.run(f"{BANNER}.offsetHeight") < 300
    span = f"{BANNER}.shadowRoot.querySelector('span')"
    assert tab.run(f"{span}.scrollHeight > {span}.clientHeight"), "and the rest of it can be read"


def test_it_never_says_that_all_is_done(hosted: tuple[Hosted, Tab]) -> None:
    _, tab = begin(hosted, "live")
    item = {"label": "heard", "state": "verifying", "running": True, "failed": False, "done": 10, "total": 10}
    told = json.dumps({"items": [{**item, "ratio": 1.0, "eta_seconds": None, "message": ""}], "running": True})
    tab.run(f"window.fetch = async () => new Response({told!r}); {AGAIN}")
    tab.until(f"!{BANNER}.hidden")
    assert "99 %" in tab.run(TEXT) and "100 %" not in tab.run(TEXT)
    assert tab.run(f"{BANNER}.shadowRoot.querySelector('progress').value") == 99
