"""The terminal: the status once and again, a server as a process, its probe, and what other systems are given."""

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.asgi import get
from tests.web.conftest import Forum, begin, fill
from tidemark.cli import main
from tidemark.cli.export import FILES, export_file
from tidemark.cli.reports import status_text
from tidemark.cli.terminal import width_of
from tidemark.cli.watching import wants_color, watch

TOKEN = "a token of the tests"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def looks(count: int) -> Iterator[bool]:
    """A wish to stop that comes after so many questions; a picture asks eleven times."""
    yield from [False] * (11 * count - 1)
    while True:
        yield True


def pictures(forum: Forum, stream: io.StringIO, count: int) -> str:
    """What is shown in so many looks; no time passes."""
    asked = looks(count)
    watch(forum.tidemark, stream, lambda: next(asked), lambda seconds: None)
    return stream.getvalue()


def test_a_narrow_terminal_is_shown_what_fits(well_forum: Forum) -> None:
    tables = well_forum.tidemark.status()
    whole, most, least = (status_text(tables, width=width) for width in (None, 90, 40))
    assert whole == status_text(tables) and "freshness" in whole
    assert max(map(len, most.splitlines()[:-1])) <= 90 and "class" not in most and "captures" in most
    assert least.splitlines()[0].split() == ["derived", "table", "state", "pending", "drift", "next"]
    wordy = [replace(one, captures="posts was made anew, a missing, b missing") for one in tables]
    assert "posts was made anew, …" in status_text(wordy, verdict=False) and "b missing" in status_text(wordy)
    assert width_of(Terminal()) is None, "who does not say how wide it is gets everything"


def test_the_status_is_drawn_again_on_a_terminal_and_told_once_elsewhere(
    well_forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    drawn = pictures(well_forum, Terminal(), 3)
    assert drawn.count("\x1b[H") == 3 and "\x1b[32mAll 3 derived tables are true" in drawn
    plain = pictures(well_forum, io.StringIO(), 3)
    assert "\x1b" not in plain and 1 <= plain.count("All 3 derived tables are true") <= 3
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in pictures(well_forum, Terminal(), 1)
    assert (
        not wants_color(Terminal(), {"TERM": "dumb"})
        and not wants_color(io.StringIO(), {})
        and wants_color(Terminal(), {})
    )


def test_the_status_says_what_needs_somebody(well_forum: Forum, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--check", "--database", well_forum.url]) == 0
    well_forum.write(
        f"UPDATE {well_forum.ledger('derived')} SET state = 'failed', failure = 'no luck' WHERE name = 'post_authors'"
    )
    assert main(["status", "--database", well_forum.url]) == 0
    assert main(["status", "--check", "--database", well_forum.url]) == 1
    assert "fail  post_authors failed: no luck. Next: tidemark apply" in capsys.readouterr().out
    assert main(["status", "--check", "--json", "--database", well_forum.url]) == 1
    assert json.loads(capsys.readouterr().out)["verdict"]["level"] == "fail"
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'live', failure = NULL")


def test_dashboards_and_alerts_name_metrics_that_there_are(
    well_forum: Forum, capsys: pytest.CaptureFixture[str]
) -> None:
    there = set(re.findall(r"^# TYPE (tidemark_\w+) ", get(well_forum.app, "/metrics").text, re.M))
    there |= {f"{name}_{suffix}" for name in there for suffix in ("bucket", "sum", "count")}
    for what in FILES:
        assert main(["export", what]) == 0
        text = capsys.readouterr().out
        named = set(re.findall(r"\btidemark_\w+", text))
        assert named and named <= there, named - there
    dashboard = export_file("grafana").data["dashboard"]
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
    assert dashboard["templating"]["list"][0]["type"] == "datasource"
    alerts = export_file("alerts").text
    assert alerts.count("- alert: ") == 6 == alerts.count("expr: ") == alerts.count("summary: ")


@contextlib.contextmanager
def served(forum: Forum, **environment: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A server in a process of its own, and its port."""
    command = [sys.executable, "-m", "tidemark", "serve", "--port", "0", "--database", forum.url]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    try:
        assert process.stderr is not None
        said = process.stderr.readline()
        found = re.search(r"serving http://127\.0\.0\.1:(\d+)/", said)
        assert found, said + process.stderr.read()
        yield int(found[1]), process
    finally:
        process.kill()
        process.communicate()


def test_a_server_answers_ends_when_asked_and_is_probed(sqlite_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forum = fill(begin(f"sqlite:///{sqlite_path}"))
    with contextlib.ExitStack() as stack:
        port, process = stack.enter_context(served(forum, TIDEMARK_TOKEN=TOKEN))

        def ask(path: str) -> http.client.HTTPResponse:
            asked = stack.enter_context(contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)))
            asked.request("GET", path)
            return stack.enter_context(contextlib.closing(asked.getresponse()))

        assert json.loads(ask("/status").read())["actions"]["allowed"]
        stream = ask("/events")
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.readline() == b"event: status\r\n"
        assert main(["serve", "--probe", "--port", str(port)]) == 0
        assert "pass: All 3 derived tables are true" in capsys.readouterr().out
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, "one who listens keeps nobody from ending"
        assert main(["serve", "--probe", "--port", str(port)]) == 1
    assert main(["serve", "--ready-when", "x=perhaps", "--database", forum.url]) == 2
    forum.app.state.house.close()
    forum.session.close()


def test_a_short_token_and_a_taken_port_are_refused(
    well_forum: Forum, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port), "--database", well_forum.url]) == 1
        assert "nobody can listen on" in capsys.readouterr().err
    monkeypatch.setenv("TIDEMARK_TOKEN", "short")
    assert main(["serve", "--port", "0", "--database", well_forum.url]) == 2
