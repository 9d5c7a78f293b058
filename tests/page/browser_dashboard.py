"""The dashboard in a real browser: ``make browser``. Needs Chromium; see `tests/kit/chromium.py`."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

import pytest

from tests.kit.chromium import Browser, Tab
from tests.page.conftest import Look
from tests.page.contrast import find_faint
from tests.page.scenes import HOSTILE, SCENES
from tests.page.serving import Served
from tests.page.worlds import World, backfill, past, table
from tidemark.errors import Fault

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
TEXT = "document.getElementById('main').innerText"
SIGHTS = [(scene, dark, width) for scene in SCENES for dark in (False, True) for width in (1440, 390)]


@pytest.mark.parametrize(("scene", "dark", "width"), SIGHTS)
def test_a_scene_shows_without_a_breach_an_error_or_a_page_that_is_too_wide(
    look: Look, scene: str, dark: bool, width: int
) -> None:
    served, tab = look(scene, dark=dark, width=width)
    assert tab.run(WIDE) <= 0
    expected = 1 if scene == "unreadable" else 0
    assert len(tab.said) == expected and all("503" in one for one in tab.said), tab.said
    assert all(one.startswith(served.address) for one in tab.asked)
    world = served.eye.world
    if world.problem is None:
        assert tab.run("document.querySelector('#verdict h1').innerText") == served.eye.overview().verdict.sentence
        shown = tab.run("[...document.querySelectorAll('#tables tbody tr')].length")
        assert shown == len(world.tables)


@pytest.mark.parametrize("scene", ["live", "busy", "failing", "hostile"])
def test_every_page_behind_the_overview_shows(look: Look, scene: str) -> None:
    served, tab = look(scene)
    for kind, abouts in (
        ("table", [one.name for one in served.eye.world.tables]),
        ("run", [str(one.id) for one in served.eye.world.history[-5:]]),
    ):
        for about in abouts:
            tab.run(f"location.hash = '#/{kind}/' + encodeURIComponent({about!r})")
            tab.until(
                "document.querySelector('#detail h1') && !document.querySelector('#detail').innerText.includes('Looking…')"
            )
            assert tab.run(WIDE) <= 0
            assert tab.run("document.activeElement.id") == "main"
            if (scene, about) == ("failing", "forum_activity"):
                shown = tab.run("document.querySelector('#detail').innerText")
                assert (
                    "In shadow" in shown and "of forums, which others go on writing; 3 of 1,200 rows differed" in shown
                )
    for one in served.eye.world.streams:
        tab.run(f"location.hash = '#/stream/{one.name}'")
        tab.until(
            "document.querySelector('#detail .facts') !== null && document.querySelector('#detail h1').innerText === 'chain'"
        )
        assert tab.run("document.querySelectorAll('#detail tbody tr').length") == (6 if scene == "failing" else 0)
        assert tab.run(WIDE) <= 0
    tab.run("location.hash = '#/outbox'")
    tab.until("document.querySelector('#detail h1').innerText === 'Events that could not be told'")
    tab.run("location.hash = '#/history'")
    tab.until(
        "document.querySelector('#detail h1').innerText === 'History' && document.querySelectorAll('#detail tbody tr').length > 1"
    )
    assert tab.said == []


def test_names_are_text_whatever_they_are(look: Look) -> None:
    _, tab = look("hostile")
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    for name in HOSTILE:
        tab.run("location.hash = '#/'")
        links = "[...document.querySelectorAll('#tables a.name')]"
        found = f"{links}.find(one => one.hash === '#/table/' + encodeURIComponent({name!r}))"
        tab.until(found)
        tab.run(f"{found}.click()")
        tab.until("document.querySelector('#detail .facts')")
        assert "broken" not in tab.run("document.title").split(" · ")[-1]
        assert tab.run("document.querySelector('#detail h1').children[0].nodeName") == "BDI"
    assert tab.run("document.title") != "broken"
    assert tab.said == []


def test_commands_of_hostile_names_are_quoted(look: Look) -> None:
    _, tab = look("hostile", "#/table/" + "%27)%3B%20DROP%20TABLE%20posts%3B%20--")
    found = tab.until("[...document.querySelectorAll('.commands [data-text]')].map(one => one.dataset.text)[0]")
    assert found == """tidemark verify ''\\''); DROP TABLE posts; --'"""
    tab.run("location.hash = '#/table/--help'")
    tab.until("document.querySelector('#detail h1').innerText === '--help'")
    assert tab.run("document.querySelector('.commands [data-text]').dataset.text") == "tidemark verify -- '--help'"


def test_what_was_read_before_never_passes_for_new(look: Look) -> None:
    served, tab = look("live")
    assert "All 5 derived tables are true" in tab.run(TEXT)
    served.stop()
    tab.until("document.body.dataset.reach === 'lost'")
    assert "The server does not answer, since" in tab.run("document.getElementById('lost').innerText")
    assert "Not known" in tab.run("document.querySelector('#verdict h1').innerText")
    assert "are true" not in tab.run("document.getElementById('verdict').innerText")
    assert float(tab.run("getComputedStyle(document.getElementById('overview')).opacity")) < 0.6
    assert tab.run("document.title").startswith("? ")
    served.eye.world = SCENES["failing"]()
    served.start()
    tab.run("dispatchEvent(new Event('online'))")
    tab.until("document.body.dataset.reach === 'live'")
    assert "need attention" in tab.run("document.querySelector('#verdict h1').innerText")
    assert tab.run("document.getElementById('lost').hidden")


def test_a_slow_answer_is_late_before_it_is_lost(look: Look) -> None:
    served, tab = look("live")
    served.eye.world.gate = gate = Event()
    tab.until("document.body.dataset.reach === 'late'")
    assert "this was so at" in tab.run("document.querySelector('#verdict h1').innerText")
    assert float(tab.run("getComputedStyle(document.getElementById('overview')).opacity")) < 0.6
    tab.until("document.body.dataset.reach === 'lost'")
    assert "no answer came within 8 seconds" in tab.run("document.getElementById('lost').innerText")
    gate.set()
    tab.until("document.body.dataset.reach === 'live'")


def test_an_answer_that_cannot_be_shown_counts_as_none(look: Look) -> None:
    _, tab = look("live")
    tab.run("document.createElementNS = () => { throw new Error('no drawing today'); }")
    tab.until("document.body.dataset.reach === 'lost'")
    assert "no drawing today" in tab.run("document.getElementById('lost').innerText")


def test_a_part_that_cannot_be_read_again_says_so(look: Look) -> None:
    served, tab = look("live", "#/table/user_stats")
    tab.until("document.querySelectorAll('#detail tbody tr').length > 3")
    served.eye.world.blind = True
    tab.until("document.querySelector('#detail .stale')")
    said = tab.run("document.querySelector('#detail .stale').innerText")
    assert "the history cannot be read" in said and "runs may be as of" in said


def test_a_late_answer_is_shown_with_the_newest_status(look: Look) -> None:
    served, tab = look("live", "#/")
    slow = "const asked = window.fetch; window.fetch = async (path, options) => {"
    slow += " if (path.startsWith('explain')) await new Promise((done) => { window.release = done; });"
    slow += " return asked(path, options); }"
    tab.run(f"(() => {{ {slow} }})()")
    tab.run("location.hash = '#/table/user_stats'")
    tab.until("window.release && document.querySelector('#detail .facts')")
    served.eye.world = SCENES["failing"]()
    tab.until("document.querySelector('#detail .head').innerText.includes('7 rows wrong')")
    tab.run("window.release()")
    tab.until("document.getElementById('detail').innerText.includes('The query')")
    assert "7 rows wrong" in tab.run("document.querySelector('#detail .head').innerText")


def test_an_answer_that_says_the_database_cannot_be_read_counts_as_none(look: Look) -> None:
    served, tab = look("live")
    served.eye.world = World(problem=Fault("the file is gone", retry_safe=True))
    tab.until("document.body.dataset.reach === 'lost'")
    assert "the file is gone" in tab.run("document.getElementById('lost').innerText")


def test_what_failed_stays_until_somebody_looks_and_a_new_failure_is_news(look: Look) -> None:
    served, tab = look("failing")
    card = "document.querySelector('#attention [data-about*=thread_stats]')"
    assert tab.run(f"{card}.innerText") == "I have seen this"
    tab.run(f"{card}.click()")
    tab.until(f"{card}.innerText === 'Seen'")
    assert "failed, seen" in tab.run("document.getElementById('attention').innerText")
    tables = served.eye.world.tables
    served.eye.world.tables = tuple(replace(one, failure="the disk is full") if one.failure else one for one in tables)
    tab.until(f"{card}.innerText === 'I have seen this'")


def test_it_works_under_any_prefix(look: Look) -> None:
    served, tab = look("busy", prefix="/a/b/c")
    assert served.address.endswith("/a/b/c/")
    tab.run("document.querySelector('#work a.name').click()")
    tab.until("document.querySelector('#detail .facts')")
    assert tab.asked and all(one.startswith(served.address) for one in tab.asked), tab.asked
    assert tab.said == []


def test_the_keyboard_reaches_everything(look: Look) -> None:
    _, tab = look("busy")
    tab.press("Tab")
    assert tab.run("document.activeElement.className") == "skip"
    tab.press("Enter")
    assert tab.run("document.activeElement.id") == "main"
    reached = set()
    for _ in range(60):
        tab.press("Tab")
        reached.add(
            tab.run("document.activeElement.getAttribute('data-node') || document.activeElement.dataset.text || ''")
        )
    assert {"table thread_stats", "tidemark backfill pause thread_stats"} <= reached
    tab.run("document.querySelector('[data-node=\"table user_stats\"]').focus()")
    bright = "document.querySelectorAll('svg.graph.asked .on[data-node]').length"
    assert tab.run(bright) == 4
    pulse = "document.getElementById('pulse').innerText"
    before = tab.run(pulse)
    tab.until(f"{pulse} !== {before!r}")
    assert tab.run(bright) == 4
    assert tab.run("document.activeElement.dataset.node") == "table user_stats"
    tab.press("Enter")
    tab.until("document.querySelector('#detail h1')?.innerText === 'user_stats'")
    assert tab.run("document.activeElement.id") == "main"


def test_a_screen_reader_is_told_what_there_is(look: Look) -> None:
    _, tab = look("failing")
    tab.ask("Accessibility.enable")
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    kinds: dict[str, list[str]] = {}
    for one in nodes:
        if not one.get("ignored"):
            kinds.setdefault(one["role"]["value"], []).append(one.get("name", {}).get("value", ""))
    for role in ("link", "button", "progressbar", "searchbox"):
        assert all(kinds.get(role, [])), f"{role}: {kinds.get(role)}"
    assert any("user_stats: 7 rows wrong" in one for one in kinds["link"])
    assert any("forum_activity: 3 units quarantined" in one for one in kinds["link"])
    assert any("need attention" in one for one in kinds["heading"])
    assert {"banner", "main", "navigation", "status"} <= set(kinds)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("scene", ["busy", "failing"])
def test_every_text_stands_out_enough(look: Look, scene: str, dark: bool) -> None:
    _, tab = look(scene, dark=dark)
    assert len(find_faint(tab, 21)) > 20, "nothing is that clear, so this measures nothing"
    for route in ("#/", "#/table/user_stats", "#/run/131", "#/history"):
        tab.run(f"location.hash = '{route}'")
        tab.until(
            f"document.querySelectorAll('{'#tables td' if route == '#/' else '#detail td, #detail .facts'}').length"
        )
        assert find_faint(tab) == []


def test_who_wants_little_motion_gets_none(look: Look) -> None:
    _, tab = look("busy", calm=False)
    assert tab.run("document.getAnimations().length") > 0
    tab.prefer(calm=True)
    assert tab.run("document.getAnimations().filter(one => one.playState === 'running').length") == 0


def test_nothing_is_asked_while_nobody_looks(look: Look) -> None:
    _, tab = look("live")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    tab.run(hide % "true" + "document.dispatchEvent(new Event('visibilitychange'))")
    asked = len(tab.asked)
    tab.run("new Promise(done => setTimeout(done, 2600))")
    assert len(tab.asked) - asked <= 1
    before = tab.run(ASKED)
    tab.run(hide % "false" + "document.dispatchEvent(new Event('visibilitychange'))")
    tab.until(f"{ASKED} > {before}")
    tab.until("document.body.dataset.reach === 'live'")


def test_ten_thousand_runs_are_read_a_page_at_a_time(look: Look) -> None:
    runs = tuple(past(n, "tick", "thread_stats", seconds=20000 - n) for n in range(1, 10_001))
    _, tab = look(World((table("thread_stats", "posts"),), history=runs), "#/history")
    rows = "document.querySelectorAll('#detail tbody tr').length"
    tab.until(f"{rows} === 50")
    tab.run("document.querySelector('[data-do=more]').click()")
    tab.until(f"{rows} === 100")
    assert tab.run("document.querySelector('#detail tbody tr:last-child a').innerText") == "tick 9901"


def test_five_hundred_derived_tables_can_be_found(look: Look) -> None:
    tables = tuple(table(f"derived_{n}", f"source_{n % 40}") for n in range(500))
    served, tab = look(World(tables))
    assert tab.run("document.querySelectorAll('#tables tbody tr').length") == 500
    assert "all of them true" in tab.run("document.getElementById('graph').innerText")
    served.eye.world = World((replace(tables[0], drift=2), *tables[1:]))
    tab.until("document.querySelector('#graph [data-node=\"table derived_0\"]')")
    tab.run(
        "const find = document.getElementById('find'); find.value = 'derived_49'; find.dispatchEvent(new Event('input'))"
    )
    tab.until("document.querySelectorAll('#tables tbody tr').length === 11")
    assert tab.run("document.querySelectorAll('#graph [data-node^=table]').length") == 11


def test_a_chart_says_in_words_what_it_draws(look: Look) -> None:
    _, tab = look("busy", "#/run/131")
    tab.until("document.querySelectorAll('.spark svg').length === 3")
    labels = tab.run("[...document.querySelectorAll('.spark svg')].map(one => one.getAttribute('aria-label'))")
    assert labels[0].startswith("Hold of a chunk: now ") and labels[0].endswith(", longest 19 ms, target 10 ms")
    assert [one.split(":")[0] for one in labels[1:]] == ["Rows in a chunk", "Rows a second"]
    assert "nice 1.0" in tab.run("document.querySelector('.time').innerText")


DEAF = """window.EventSource = class extends EventTarget {
  constructor() { super(); setTimeout(() => this.dispatchEvent(new Event('error'))); }
  close() {}
}"""
ASKED = "performance.getEntriesByType('resource').filter(one => one.name.endsWith('/status')).length"
PULSE = "document.getElementById('pulse').innerText"


def _count_listening(tab: Tab) -> int:
    return sum(one.endswith("/events") for one in tab.asked)


def test_the_server_says_what_changed_and_is_not_asked_meanwhile(look: Look) -> None:
    served, tab = look("live")
    tab.until(f"{ASKED} >= 2")
    asked, before = tab.run(ASKED), tab.run(PULSE)
    for _ in range(2):
        before = tab.run(PULSE)
        tab.until(f"{PULSE} !== {before!r}")
    assert tab.run(ASKED) == asked, "it hears that all is as it was, and asks nothing"
    served.eye.world = SCENES["failing"]()
    tab.until("document.querySelector('#verdict').dataset.mood === 'wrong'", seconds=4)
    assert _count_listening(tab) == 1
    assert tab.said == []


@pytest.mark.parametrize("how", ["no events in this browser", "nobody may listen"])
def test_where_events_do_not_come_through_it_asks_every_few_seconds(browser: Browser, how: str) -> None:
    served, tab = Served(SCENES["live"]()), browser.open()
    broken = {
        "no events in this browser": "delete window.EventSource",
        "nobody may listen": DEAF,
    }[how]
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=broken)
    tab.go(served.address)
    tab.until(f"{ASKED} >= 3")
    served.eye.world = SCENES["failing"]()
    tab.until("document.querySelector('#verdict').dataset.mood === 'wrong'", seconds=6)
    tab.close()
    served.close()


def test_who_does_not_look_does_not_listen(look: Look) -> None:
    _, tab = look("live")
    tab.until(f"{ASKED} >= 2")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
    tab.run(hide % "true" + "document.dispatchEvent(new Event('visibilitychange'))")
    before = tab.run(PULSE)
    tab.run("new Promise(done => setTimeout(done, 4000))")
    assert tab.run(PULSE) == before, "what it hears would be shown"
    tab.run(hide % "false" + "document.dispatchEvent(new Event('visibilitychange'))")
    tab.until(f"{PULSE} !== {before!r}")
    # It listens again after it has looked.
    for _ in range(100):
        if _count_listening(tab) < 2:
            tab.run("new Promise(done => setTimeout(done, 50))")
    assert _count_listening(tab) == 2


@pytest.mark.parametrize("width", [390, 1440])
def test_a_thicket_of_lines_is_told_in_lists_and_one_table_in_lines(look: Look, width: int) -> None:
    served, tab = look("many", width=width)
    place = "document.querySelector('#graph [data-place=\"table tracks_per_country_71\"]')"
    assert tab.run("document.querySelectorAll('#graph svg.graph').length") == 0
    heads = tab.run("[...document.querySelectorAll('#graph h3')].map(one => one.innerText)")
    assert heads == ["Sources 14", "Derived from them 62", "Level 2 35", "Level 3 1"]
    listed = "[...document.querySelectorAll('#graph [data-node^=table]')].map(one => one.dataset.node)"
    assert len(tab.run(listed)) == len(served.eye.world.tables), "nothing is left out, though some of it is folded"
    first = "document.querySelector('#graph section:nth-of-type(2) .place').dataset.mood"
    assert tab.run(first) == "wrong", "what needs somebody comes first"
    folded = "[...document.querySelectorAll('#graph details .place:not([data-mood=true]):not([data-mood=source])')]"
    assert tab.run(f"{folded}.length") == 0
    tab.run(f"{place}.focus()")
    tab.press("Enter")
    tab.until("document.querySelector('#graph .around')")
    near = tab.run("[...document.querySelectorAll('#graph svg.graph [data-node]')].map(one => one.dataset.node)")
    assert set(near) == {"source events", "source tracks", "table tracks_count_1", "table tracks_per_country_71"}
    assert tab.run("document.querySelector('#graph .around a').hash") == "#/table/tracks_per_country_71"
    assert tab.run(WIDE) <= 0
    tab.run("document.querySelector('#graph .around button').click()")
    tab.until(f"{place} !== null")
    tab.run(f"{place}.focus()")
    bright = "document.querySelectorAll('#graph .levels.asked .place.on').length"
    assert tab.until(bright) == 4
    assert tab.said == []


def test_a_failed_run_never_looks_well(look: Look) -> None:
    _, tab = look("failing", "#/history")
    row = "document.querySelector('#detail tr[data-key=\"131\"] .mood')"
    tab.until(row)
    assert tab.run(f"{row}.dataset.mood") == "wrong" and tab.run(f"{row}.innerText") == "failed"
    tab.run("location.hash = '#/run/131'")
    tab.until("document.querySelector('#detail .head .mood')")
    assert tab.run("document.querySelector('#detail .head .mood').dataset.mood") == "wrong"


def test_nothing_that_goes_on_is_all_done(look: Look) -> None:
    going = replace(table("thread_stats", "posts"), state="backfilling", shown=False, verified_at=None, coverage=0.9996)
    _, tab = look(World((going,), (backfill("thread_stats", "backfilling", 986_700, 1_000_000),)))
    assert "98 %" in tab.run("document.getElementById('work').innerText")
    tab.run("location.hash = '#/table/thread_stats'")
    tab.until("document.querySelector('#detail .facts')")
    told = tab.run("document.getElementById('detail').innerText")
    assert "99 %" in told and "100 %" not in told
