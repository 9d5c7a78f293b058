"""A browser for the tests of the page, begun when the first of them asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.kit.chromium import Browser, Tab
from tests.page.scenes import SCENES
from tests.page.serving import Served
from tests.page.worlds import World

Look = Callable[..., tuple[Served, Tab]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium for all of them."""
    found = Browser()
    yield found
    found.close()


@pytest.fixture
def look(browser: Browser) -> Iterator[Look]:
    """Opens the page over a scene, by name, or a world; waits until it has been read once."""
    opened: list[tuple[Served, Tab]] = []

    def begin(
        world: str | World,
        route: str = "#/",
        *,
        prefix: str = "",
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        calm: bool = True,
    ) -> tuple[Served, Tab]:
        served = Served(SCENES[world]() if isinstance(world, str) else world, prefix)
        tab = browser.open(width, height, dark=dark, calm=calm)
        opened.append((served, tab))
        tab.go(served.address + route)
        tab.until("document.body.dataset.reach !== 'opening'")
        return served, tab

    yield begin
    for served, tab in opened:
        tab.close()
        served.close()
