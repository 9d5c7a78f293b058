"""The application under any prefix and in any host, what it costs to be looked at, and what hostile requests get."""

import asyncio
import contextlib
import random
import sqlite3
import threading
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.kit.asgi import ask, get
from tests.web.conftest import COUNT, ODD, Forum, begin
from tests.web.schema import SCHEMA, check
from tidemark.runtime.clock import Clock
from tidemark.runtime.lease import name_holder, take_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.operate import onlooker
from tidemark.web import application

PAGES = ("/status", "/runs", "/drift", "/quarantine", "/outbox", "/streams", "/healthz", "/readyz", "/livez")


def test_it_works_under_any_prefix_and_names_no_absolute_address(well_forum: Forum) -> None:
    host = Starlette(routes=[Mount("/a/b/c", well_forum.app)])
    for page in PAGES:
        answer = get(host, f"/a/b/c{page}")
        assert answer.status == 200, page
        check(page.strip("/"), answer.json)
    for name in ("", "page.css", "page.js", "banner.js"):
        answer = get(host, f"/a/b/c/{name}")
        assert answer.status == 200
        for absolute in ('src="/', 'href="/', "url(/", 'fetch("/', "fetch('/", "fetch(`/", "http://", "https://"):
            text = answer.text.replace("http://www.w3.org/", "")
            assert absolute not in text, f"{name} names {absolute}"
    assert get(host, "/a/b/c").headers["location"].endswith("/a/b/c/")


def test_every_answer_has_the_security_headers(well_forum: Forum) -> None:
    for page in (*PAGES, "/", "/page.js", "/banner.json", "/nothing", "/runs?limit=x", "/schema.json"):
        headers = get(well_forum.app, page).headers
        assert "default-src 'none'" in headers["content-security-policy"], page
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
    app = application(well_forum.tidemark, hosts=["localhost"])
    assert get(app, "/status").status == 400, "a page of another name cannot read it through a browser"
    assert get(app, "/status", headers={"host": "localhost:8765"}).status == 200
    app.state.house.close()


def test_two_hundred_who_look_cost_one_look(well_forum: Forum) -> None:
    async def crowd() -> list[int]:
        asked = [
            ask(well_forum.app, page)
            for _ in range(40)
            for page in ("/status", "/healthz", "/readyz", "/banner.json", "/livez")
        ]
        return [answer.status for answer in await asyncio.gather(*asked)]

    well_forum.fresh()
    before = well_forum.app.state.house.readings
    assert set(asyncio.run(crowd())) == {200}
    assert well_forum.app.state.house.readings == before + 1
    asyncio.run(ask(well_forum.app, "/livez"))
    assert well_forum.app.state.house.readings == before + 1


def test_who_names_what_they_have_is_told_only_what_changed(well_forum: Forum) -> None:
    def look(known: str) -> tuple[int, str]:
        well_forum.fresh()
        answer = get(well_forum.app, "/status", headers={"if-none-match": known})
        assert bool(answer.body) == (answer.status == 200)
        return answer.status, answer.headers["etag"]

    status, tag = look("")
    assert (status, tag[:3]) == (200, 'W/"')
    assert look(f'"other", {tag}') == (304, tag)
    well_forum.tidemark.verify("thread_posts")
    again = look(tag)
    assert again[0] == 200 and again[1] != tag, "a verification is news"
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'paused' WHERE name = 'thread_posts'")
    status, paused = look(again[1])
    assert status == 200 and paused != again[1]
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'live' WHERE name = 'thread_posts'")
    assert look(again[1])[0] == 304


def test_while_nobody_commits_a_look_costs_one_question(well_forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = onlooker.read_overview
    monkeypatch.setattr(onlooker, "read_overview", lambda *given: read.append("whole") or real(*given))
    with contextlib.closing(well_forum.tidemark.onlooker()) as eye:
        first, second = eye.overview(), eye.overview()
        assert read == ["whole"] and second.at >= first.at and second.tables == first.tables
        well_forum.write("INSERT INTO posts (id, thread_id, author) VALUES (77, 1, 1)")
        assert eye.overview().tables != first.tables and read == ["whole", "whole"]
        well_forum.write("DELETE FROM posts WHERE id = 77")
        lease = take_lease(Ledger(well_forum.session), Clock(), "keep post_authors", name_holder())
        assert [one.duty for one in eye.overview().holders] == ["keep post_authors"]
        eye.overview()
        assert len(read) == 4, "a holder may die without a commit"
        lease.release()
    well_forum.tidemark.tick()


def test_health_answers_while_somebody_else_writes(well_forum: Forum) -> None:
    """The writer's lock is held all the time by another connection."""
    with contextlib.ExitStack() as stack:
        if well_forum.session.dialect.has_schemas:
            stack.enter_context(well_forum.session.transaction())
            well_forum.session.run("LOCK TABLE posts, users IN EXCLUSIVE MODE")
        else:
            writer = stack.enter_context(contextlib.closing(sqlite3.connect(well_forum.url.removeprefix("sqlite:///"))))
            writer.isolation_level = None
            writer.execute("BEGIN IMMEDIATE")
        done = threading.Event()

        def look() -> None:
            for _ in range(5):
                well_forum.fresh()
                assert get(well_forum.app, "/healthz").status == 200
            done.set()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        assert done.wait(20), "health waits for a writer"
        thread.join()


def test_names_that_nobody_expected(engine_url: str) -> None:
    forum = begin(engine_url, declared=False)
    forum.project.derive(ODD, key="thread_id", query=COUNT)
    forum.tidemark.apply()
    (table,) = forum.get("/status")["tables"]
    assert table["name"] == ODD
    quoted = "".join(f"%{byte:02x}" for byte in ODD.encode())
    assert forum.get(f"/runs?name={quoted}", "runs")["runs"]
    # A server decodes the path before an application sees it; what it asks for has slashes, quotes and a tag.
    assert forum.get("/explain/" + ODD.replace("?", ""), "error", 404)
    forum.app.state.house.close()
    forum.session.close()


def test_the_banner_names_nothing_unless_allowed(well_forum: Forum) -> None:
    well_forum.write(
        f"UPDATE {well_forum.ledger('derived')} SET state = 'failed', failure = 'secret' WHERE name = 'post_authors'"
    )
    public = well_forum.get("/banner.json", "banner")
    assert public["items"] and "secret" not in str(public) and "post_authors" not in str(public)
    app = application(well_forum.tidemark, names=True)
    named = get(app, "/banner.json").json
    assert named["items"][0]["label"] == "post_authors" and "secret" in named["items"][0]["message"]
    app.state.house.close()
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'live', failure = NULL")


def test_the_banner_calls_nothing_failed_before_anything_is_installed(empty_forum: Forum) -> None:
    told = empty_forum.get("/banner.json", "banner")
    assert (told["level"], told["ready"], [one["failed"] for one in told["items"]]) == ("fail", False, [False])
    assert (told["items"][0]["state"], told["items"][0]["message"]) == ("planned", "nothing is installed")


def test_what_is_gone_after_it_was_there_is_a_failure(forum: Forum) -> None:
    assert forum.get("/banner.json", "banner")["items"] == []
    forum.tidemark.uninstall()
    told = forum.get("/banner.json", "banner")["items"]
    assert [(one["state"], one["failed"], one["message"]) for one in told] == [("failed", True, "nothing is installed")]


def test_hostile_requests_get_an_answer(well_forum: Forum) -> None:
    chance = random.Random(7)
    letters = "abc/%.?&='\"\\<>\x00\x7fé漢\ud800 -_~;:@0123456789"
    paths = {route.path.partition("{")[0] for route in well_forum.app.routes}
    # Events never end; who asks for them is heard elsewhere.
    bases = sorted(paths - {"/events"})
    assert {"/actions", "/metrics", "/perf", "/audit", "/explain/", "/readyz/", "/schema.json", "/"} <= set(bases)

    async def storm() -> None:
        for _ in range(200):
            junk = "".join(chance.choice(letters) for _ in range(chance.randrange(30)))
            base = chance.choice(bases)
            query = chance.choice(("", "?name=", "?limit=", "?before=", "?state=", "?after="))
            answer = await ask(
                well_forum.app,
                base + (query + junk if query else junk),
                method=chance.choice(("GET", "GET", "HEAD", "POST", "PUT")),
                headers={
                    chance.choice(("accept", "range", "if-none-match", "content-length")): junk.encode(
                        "ascii", "replace"
                    ).decode()
                },
                body=chance.choice((b"", junk.encode(errors="replace"), b'{"action": [null]}', b"[" * 20_000)),
            )
            assert answer.status in (200, 304, 400, 403, 404, 405), (base, query, junk, answer)
            if answer.status >= 400 and answer.headers.get("content-type") == "application/json":
                assert "error" in answer.json or "ready" in answer.json

    asyncio.run(storm())
    assert well_forum.get("/status")["verdict"]["level"] == "pass"


def test_every_definition_of_the_schema_is_an_answer_or_part_of_one() -> None:
    text = str(SCHEMA)
    unused = [name for name in SCHEMA["$defs"] if f"#/$defs/{name}'" not in text]
    asked = Path(__file__).parent
    tests = "".join(file.read_text() for file in asked.glob("*.py"))
    assert not [name for name in unused if f'"{name}"' not in tests and f"/{name}" not in tests]
