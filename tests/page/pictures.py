"""The pictures of the documentation: ``python -m tests.page.pictures --write``. Needs Chromium.

Owns: which scenes are shown, and how large. Promises: a picture shows a made-up world whose clock stands still, so that only a
change of the page changes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.kit.chromium import Browser
from tests.page.scenes import SCENES
from tests.page.serving import Served

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = {"dashboard-light.png": ("busy", "#/", False), "dashboard-dark.png": ("busy", "#/run/131", True)}
WIDTH, HEIGHT = 1280, 900
# The page says when it last heard of the server, and that is the only time in it which is not made up.
CLOCK = "document.getElementById('pulse').textContent = 'as of 10:42:13'"


def write_pictures() -> list[Path]:
    """Make every picture anew."""
    browser, written = Browser(), []
    try:
        for name, (scene, route, dark) in PICTURES.items():
            served = Served(SCENES[scene]())
            tab = browser.open(WIDTH, HEIGHT, dark=dark, calm=True)
            tab.go(served.address + route)
            tab.until("document.querySelector('svg.graph, .spark svg')")
            tab.run(CLOCK)
            tab.picture(DOCS / name)
            tab.close()
            served.close()
            written.append(DOCS / name)
    finally:
        browser.close()
    return written


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("python -m tests.page.pictures --write makes the pictures anew")
    for path in write_pictures():
        print(path, path.stat().st_size)
