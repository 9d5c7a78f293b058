"""Actions on a real database, in a real browser: off, with a token, and with the wrong one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from tests.kit.chromium import Browser, Tab
from tests.page.serving import Served
from tests.page.worlds import Eye, World
from tests.web.conftest import Forum, begin
from tidemark.web import application

TOKEN = "a token that nobody guesses"
SHOWN = "document.getElementById('detail').innerText"


class Real(Served):
    """The application over a database that is there."""

    def __init__(self, app: Starlette) -> None:
        self._real = app
        super().__init__(World())

    def make(self, eye: Eye) -> Starlette:
        """The application itself."""
        return self._real


@pytest.fixture
def wrong_forum(engine_url: str) -> Iterator[Forum]:
    """A forum in which somebody went behind Tidemark's back."""
    forum = begin(engine_url)
    forum.write("INSERT INTO users (id, name) VALUES (1, 'ada')")
    forum.write("INSERT INTO posts (id, thread_id, author) VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1)")
    forum.tidemark.apply()
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    yield forum
    forum.app.state.house.close()
    forum.session.close()


def press(tab: Tab, title: str) -> None:
    found = f"[...document.querySelectorAll('[data-do=act]')].find(one => one.innerText === '{title}')"
    tab.until(found)
    tab.run(f"{found}.click()")


def give(tab: Tab, token: str) -> None:
    tab.until("document.getElementById('door').open")
    tab.run(f"document.getElementById('token').value = '{token}'; document.getElementById('who').value = 'Ada'")
    tab.run("document.getElementById('door-form').requestSubmit()")


def test_with_a_token_what_is_wrong_is_found_and_made_true(wrong_forum: Forum, browser: Browser) -> None:
    app = application(wrong_forum.tidemark, token=TOKEN)
    served, tab = Real(app), browser.open()
    tab.go(served.address + "#/table/post_authors")
    press(tab, "Verify now")
    give(tab, "not the token at all")
    tab.until("!document.getElementById('refused').hidden")
    assert not any(one.drift for one in wrong_forum.tidemark.status())
    press(tab, "Verify now")
    give(tab, TOKEN)
    tab.until(f"{SHOWN}.includes('1 row wrong')")
    tab.until(f"{SHOWN}.includes('Rows that are wrong')")
    assert "eve" in tab.run("document.querySelector('#detail table').innerText")
    press(tab, "Repair")
    tab.until("document.getElementById('sure').open")
    assert tab.run("document.getElementById('sure-command').innerText") == "tidemark repair post_authors"
    tab.run("document.querySelector('#sure [data-do=leave]').click()")
    assert tab.run("document.getElementById('sure').open") is False
    press(tab, "Repair")
    tab.until("document.getElementById('sure').open")
    tab.run("document.getElementById('sure-form').requestSubmit()")
    tab.until(f"{SHOWN}.includes('Its rows equal its query')")
    tab.until(f"/repair[^]*by Ada from 127.0.0.1/.test({SHOWN})")
    with wrong_forum.session.transaction("read"):
        assert wrong_forum.session.all("SELECT name FROM post_authors WHERE id = 1") == [("ada",)]
    assert not [one for one in tab.said if "401" not in one]
    tab.close()
    served.close()
    app.state.house.close()


def test_without_leave_there_are_commands_and_no_buttons(wrong_forum: Forum, browser: Browser) -> None:
    served, tab = Real(wrong_forum.app), browser.open()
    tab.go(served.address + "#/table/post_authors")
    tab.until("document.querySelector('.commands [data-text]')")
    assert tab.run("document.querySelectorAll('[data-do=act]').length") == 0
    assert tab.run("document.querySelector('.commands [data-text]').dataset.text") == "tidemark verify post_authors"
    tab.close()
    served.close()


def test_who_may_not_read_is_asked_who_they_are(wrong_forum: Forum, browser: Browser) -> None:
    def who(request: Request) -> str | None:
        return "ada" if request.headers.get("authorization") == f"Bearer {TOKEN}" else None

    app = application(wrong_forum.tidemark, may_read=who)
    served, tab = Real(app), browser.open()
    tab.go(served.address)
    tab.until("document.body.dataset.reach === 'lost'")
    tab.until("document.querySelector('[data-do=token]')")
    tab.run("document.querySelector('[data-do=token]').click()")
    give(tab, TOKEN)
    tab.until("document.body.dataset.reach === 'live'")
    assert "3 derived tables" in tab.run("document.getElementById('verdict').innerText")
    tab.close()
    served.close()
    app.state.house.close()


def test_rows_that_are_ticked_are_repaired_and_no_others(wrong_forum: Forum, browser: Browser) -> None:
    wrong_forum.write(f"UPDATE {wrong_forum.store('post_authors')} SET name = 'eve'")
    wrong_forum.tidemark.verify()
    app = application(wrong_forum.tidemark, token=TOKEN)
    served, tab = Real(app), browser.open()
    tab.go(served.address + "#/table/post_authors")
    tab.until("document.querySelectorAll('[data-pick]').length === 3")
    assert "Tick rows to repair these alone" in tab.run(SHOWN)
    for id_ in ("[1]", "[3]"):
        tab.run(f"document.querySelector('[data-pick=\"{id_}\"]').click()")
    found = "[...document.querySelectorAll('.picked [data-text]')].map(one => one.dataset.text)[0]"
    assert tab.until(found) == "tidemark repair post_authors --key '[1]' --key '[3]'"
    press(tab, "Repair 2 rows")
    tab.until("document.getElementById('sure').open")
    tab.run("document.getElementById('sure-form').requestSubmit()")
    give(tab, TOKEN)
    tab.until(f"{SHOWN}.includes('1 row wrong')")
    tab.until("document.querySelectorAll('[data-pick]').length === 1")
    assert tab.run("document.querySelector('[data-pick]').dataset.pick") == "[2]"
    assert tab.run("document.querySelector('[data-pick]').checked") is False
    with wrong_forum.session.transaction("read"):
        names = wrong_forum.session.all("SELECT id, name FROM post_authors ORDER BY id")
    assert names == [(1, "ada"), (2, "eve"), (3, "ada")]
    assert not [one for one in tab.said if "401" not in one]
    tab.close()
    served.close()
    app.state.house.close()


def test_a_filling_that_rests_is_given_up_from_the_page(engine_url: str, browser: Browser) -> None:
    forum = begin(engine_url)
    forum.write("INSERT INTO posts (id, thread_id, author) VALUES (1, 1, 1)")
    forum.tidemark.apply(detach=True)
    forum.tidemark.pause_backfill("post_authors")
    app = application(forum.tidemark, token=TOKEN)
    served, tab = Real(app), browser.open()
    tab.go(served.address)
    tab.until("[...document.querySelectorAll('[data-do=act]')].some(one => one.innerText === 'Resume')")
    press(tab, "Cancel")
    tab.until("document.getElementById('sure').open")
    assert tab.run("document.getElementById('sure-command').innerText") == "tidemark backfill cancel post_authors"
    assert "Nobody has seen it yet" in tab.run("document.getElementById('sure').innerText")
    tab.run("document.getElementById('sure-form').requestSubmit()")
    give(tab, TOKEN)
    tab.until("document.querySelectorAll('[data-do=act]').length === 0")
    (now,) = forum.tidemark.backfills("post_authors")
    assert now.state == "cancelled" and not [one for one in tab.said if "401" not in one]
    tab.close()
    served.close()
    app.state.house.close()
    forum.session.close()
