"""A browser for tests: Debian's Chromium, spoken to over its DevTools pipe with nothing but the standard library.

Owns: `Browser` and `Tab`. Promises: a profile of its own that is removed at the end; every message of the console and every
breach of a content security policy is kept, so that a test can say that there was none; waiting is for a condition, with an
end. Ends only the process that it started.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
PATIENCE_SECONDS = 20.0


class Missing(RuntimeError):
    """There is no browser here."""


class Broken(RuntimeError):
    """The browser, or what runs in it, did not do what was asked."""


def find_program() -> str:
    """The path of a Chromium. Raises `Missing`, which says how to get one."""
    for name in PROGRAMS:
        found = shutil.which(name)
        if found:
            return found
    raise Missing("these tests need Chromium: apt-get install --no-install-recommends chromium")


class Browser:
    """A running Chromium; `close` ends it."""

    def __init__(self) -> None:
        self._profile = tempfile.mkdtemp(prefix="tidemark-browser-")
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        # Numbers above those that it will have in the child, so that one move cannot overwrite the other.
        inward, outward = (fcntl.fcntl(one, fcntl.F_DUPFD, 20) for one in (theirs_in, theirs_out))
        program = find_program()
        quiet = os.open(os.devnull, os.O_RDWR)
        moves = [(os.POSIX_SPAWN_DUP2, inward, 3), (os.POSIX_SPAWN_DUP2, outward, 4)]
        moves += [(os.POSIX_SPAWN_DUP2, quiet, number) for number in (0, 1, 2)]
        self._process = os.posix_spawn(
            program,
            [program, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            os.environ,
            file_actions=moves,
            setpgroup=0,
        )
        for one in (theirs_in, theirs_out, inward, outward, quiet):
            os.close(one)
        self._out, self._in = ours_out, ours_in
        self._rest, self._number = b"", 0
        self._tabs: dict[str, Tab] = {}

    def open(self, width: int = 1440, height: int = 900, *, dark: bool = False, calm: bool = False) -> Tab:
        """A tab of a window of that size."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        target = self.ask("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = self._tabs[session] = Tab(self, session, target)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.ask(f"{domain}.enable")
        tab.resize(width, height)
        tab.prefer(dark=dark, calm=calm)
        return tab

    def ask(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol answers. Raises `Broken` when it is an error or does not come."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        end, wanted = time.monotonic() + PATIENCE_SECONDS, self._number
        while True:
            found = self._next(end - time.monotonic())
            if found is None:
                raise Broken(f"{method} was not answered within {PATIENCE_SECONDS:.0f} s")
            if found.get("id") == wanted:
                if "error" in found:
                    raise Broken(f"{method}: {found['error']}")
                answer: dict[str, Any] = found["result"]
                return answer

    def listen(self, seconds: float) -> None:
        """Take in what the browser has to say for so long, or until it said one thing."""
        self._next(seconds)

    def _next(self, seconds: float) -> dict[str, Any] | None:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], max(0.0, seconds))
            part = os.read(self._in, 1 << 20) if ready else b""
            if not part:
                return None
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        tab = self._tabs.get(found.get("sessionId", ""))
        if tab is not None and "method" in found:
            tab.hear(found["method"], found["params"])
        return found

    def close(self) -> None:
        """End it and remove its profile."""
        os.close(self._out)
        os.close(self._in)
        os.killpg(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        shutil.rmtree(self._profile, ignore_errors=True)


class Tab:
    """One page. `said` are the messages of its console and its uncaught errors, `asked` the addresses that it asked for."""

    def __init__(self, browser: Browser, session: str, target: str) -> None:
        self._browser, self._session, self._target = browser, session, target
        self.said: list[str] = []
        self.asked: list[str] = []

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What a method of the protocol answers for this tab."""
        return self._browser.ask(method, self._session, **parameters)

    def hear(self, event: str, facts: dict[str, Any]) -> None:
        """Keep what tests ask about later."""
        if event == "Runtime.consoleAPICalled":
            self.said.append(f"{facts['type']}: " + " ".join(str(one.get("value")) for one in facts["args"]))
        elif event == "Runtime.exceptionThrown":
            self.said.append(f"exception: {facts['exceptionDetails'].get('exception', {}).get('description')}")
        elif event == "Log.entryAdded":
            self.said.append(f"{facts['entry']['level']}: {facts['entry']['text']}")
        elif event == "Network.requestWillBeSent":
            self.asked.append(facts["request"]["url"])

    def resize(self, width: int, height: int) -> None:
        """Give its window another size."""
        phone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, *, dark: bool = False, calm: bool = False) -> None:
        """What its user prefers: dark colours, little motion."""
        wishes = [("prefers-color-scheme", "dark" if dark else "light")]
        wishes += [("prefers-reduced-motion", "reduce" if calm else "no-preference")]
        self.ask("Emulation.setEmulatedMedia", features=[{"name": n, "value": v} for n, v in wishes])

    def go(self, address: str) -> None:
        """Load a page."""
        self.ask("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """The value of an expression in the page, awaited when it is a promise. Raises `Broken` when it throws."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise Broken(f"{script}: {found['exceptionDetails'].get('exception', {}).get('description')}")
        return found["result"].get("value")

    def until(self, script: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """The value of an expression as soon as it is true. Raises `Broken` when it does not become so."""
        end = time.monotonic() + seconds
        # An element is no plain value: it counts as true.
        plain = f"(() => {{ const found = ({script}); return found instanceof Node ? true : found; }})()"
        while True:
            found = self.run(plain)
            if found:
                return found
            if time.monotonic() > end:
                raise Broken(f"still not true after {seconds:.0f} s: {script}; said: {self.said[-5:]}")
            self._browser.listen(0.05)

    def press(self, key: str, code: int = 0) -> None:
        """Press a key, such as ``Tab`` or ``Enter``."""
        known = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40, "ArrowUp": 38}
        facts: dict[str, Any] = {"key": key, "code": key, "windowsVirtualKeyCode": code or known.get(key, 0)}
        if key == "Enter":
            facts["text"] = "\r"
        self.ask("Input.dispatchKeyEvent", type="keyDown", **facts)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **facts)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what it shows as a PNG; the whole page when asked."""
        options: dict[str, Any] = {"format": "png"}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            options["clip"] = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            options["captureBeyondViewport"] = True
        path.write_bytes(base64.b64decode(self.ask("Page.captureScreenshot", **options)["data"]))

    def close(self) -> None:
        """Close it."""
        self.ask("Page.close")
