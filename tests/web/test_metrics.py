"""Metrics that a scraper can read, figures that are right, events of what changed, and dashboards that name what exists."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.kit.asgi import get
from tests.web.conftest import ODD, Forum
from tests.web.schema import check
from tests.web.test_runs import poison
from tidemark import Tidemark
from tidemark.database.session import Strain
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.operate.figures import Figures, Holds
from tidemark.runtime.samples import BOUNDS_MS, add_held, place_of
from tidemark.runtime.statements import find_statement
from tidemark.web.events import BEAT_SECONDS, _tell
from tidemark.web.metrics import Family, render

LINE = re.compile(r'^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (-?[0-9.e+-]+|[+-]Inf|NaN)$')
OPENLY = {"accept": "application/openmetrics-text; version=1.0.0, text/plain;q=0.5"}


def scrape(forum: Forum, headers: dict[str, str] | None = None) -> dict[str, float]:
    """Every sample by its name and labels, once the text was found to be one."""
    forum.fresh()
    answer = get(forum.app, "/metrics", headers=headers or {})
    assert answer.status == 200, answer.text
    found: dict[str, float] = {}
    typed: dict[str, str] = {}
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in typed, f"{name} twice"
            typed[name] = kind
        elif not line.startswith("#"):
            match = LINE.match(line)
            assert match, line
            name, labels = match[1], match[2] or ""
            base = next(
                known for known in (name, re.sub("_(total|info|bucket|sum|count)$", "", name)) if known in typed
            )
            assert base == list(typed)[-1], f"{name} is not beside its type"
            assert name + labels not in found, f"{name}{labels} twice"
            found[name + labels] = float(match[3])
    assert ("# EOF" in answer.text) == bool(headers)
    return found


def test_a_scraper_reads_what_is_there(forum: Forum) -> None:
    poison(forum)
    ledger = Ledger(forum.session)
    for seconds in (2.0, 0.5):
        with forum.session.transaction():
            add_held(ledger, "migrate", "backfill", ["wal_pinned: 65 MB"], seconds)
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    forum.write("INSERT INTO posts (id, thread_id, author) VALUES (9, 9, 1)")
    forum.tidemark.tick()
    forum.tidemark.repair()
    for headers in (None, OPENLY):
        found = scrape(forum, headers)
        assert found['tidemark_definition_state{definition="post_authors",state="live"}'] == 1
        assert found['tidemark_definition_state{definition="post_authors",state="failed"}'] == 0
        assert found['tidemark_definition_ready{definition="post_authors"}'] == 1
        assert found['tidemark_verdict{level="fail"}'] == 1, "a key is quarantined"
        assert found['tidemark_rows_quarantined{definition="migrate"}'] == 1
        assert found['tidemark_drift_found_total{definition="post_authors"}'] == 1
        assert found['tidemark_drift_repaired_total{definition="post_authors"}'] == 1
        assert found['tidemark_drift_rows{definition="post_authors"}'] == 0
        assert found['tidemark_runs_total{definition="post_authors",kind="tick",result="done"}'] >= 1
        took = [
            value for name, value in found.items() if "tick_duration_seconds_bucket" in name and "post_authors" in name
        ]
        assert took == sorted(took) and len(took) == 13
        ticks = found['tidemark_tick_duration_seconds_count{definition="post_authors"}']
        assert took[-1] == ticks == found['tidemark_runs_total{definition="post_authors",kind="tick",result="done"}']
        assert found['tidemark_ticks_total{definition="post_authors",result="done"}'] == ticks
        held = 'tidemark_throttled_seconds_total{definition="migrate",kind="backfill",reason="wal_pinned"}'
        assert found[held] == 2.5, "two seconds, and half of one that was added"
        strains = [value for name, value in found.items() if name.startswith("tidemark_throttle_utilisation_ratio{")]
        assert strains and all(0 <= value < 1 for value in strains)
        assert found['tidemark_chunk_hold_seconds_count{definition="migrate",kind="backfill"}'] >= 1
        bounds = [value for name, value in found.items() if "chunk_hold_seconds_bucket" in name and "migrate" in name]
        assert bounds == sorted(bounds) and len(bounds) == 13
        assert not any("nan" in name.lower() for name in found)
    before = scrape(forum)['tidemark_runs_total{definition="post_authors",kind="verify",result="done"}']
    forum.tidemark.verify()
    after = scrape(forum)['tidemark_runs_total{definition="post_authors",kind="verify",result="done"}']
    assert after == before + 1
    forum.get("/perf")


def test_a_tick_is_counted_by_the_first_bound_that_it_is_not_above(well_forum: Forum) -> None:
    session, ledger = well_forum.session, Ledger(well_forum.session)
    for ms in (0.0, 1.0, 3.0, 10.0, 40.0, 9999.0):
        with session.transaction():
            begun = "2026-01-01T00:00:00.000Z"
            ended = f"2026-01-01T00:00:{ms / 1000:06.3f}Z"
            session.run(
                f"INSERT INTO {well_forum.ledger('run')} (kind, derived, generation, state, holder, started, ended) "
                "VALUES ('tick', 'clockwork', 1, 'done', '', :begun, :ended)",
                {"begun": begun, "ended": ended},
            )
            id_ = session.all(f"SELECT max(id) FROM {well_forum.ledger('run')}")[0][0]
            text = find_statement(session.dialect.name, "count_took", "operators")
            # The clock of the database has milliseconds, and what SQLite makes of them is a hair above or below.
            session.run(text, {"id": id_, "bounds": json.dumps([bound + 0.1 for bound in BOUNDS_MS])})
            (row,) = session.all(
                f"SELECT bound FROM {well_forum.ledger('hold')} WHERE derived = 'clockwork' AND what = 'took' "
                f"AND bound = {place_of(ms)}"
            )
            assert row[0] == place_of(ms), ms
    with session.transaction():
        for table in ("run", "hold"):
            session.run(f"DELETE FROM {well_forum.ledger(table)} WHERE derived = 'clockwork'")
    assert ledger.exists()


def test_labels_are_escaped() -> None:
    odd = ODD + '\n\\"\udcff'
    text = render([Family("x", "gauge", "One\nline.", (("", {"definition": odd}, 0.5),))], openly=True)
    help_, type_, sample, end, last = text.split("\n")
    assert (help_, type_, end, last) == ("# HELP tidemark_x One\\nline.", "# TYPE tidemark_x gauge", "# EOF", "")
    assert LINE.match(sample) and text.encode()


def test_nothing_installed_is_scraped_too(empty_forum: Forum) -> None:
    found = scrape(empty_forum)
    assert found["tidemark_ready"] == 0 and found['tidemark_verdict{level="fail"}'] == 1
    empty_forum.get("/perf")


def test_quantiles_are_bounds() -> None:
    holds = Holds("t", "fill", "hold", (0, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 100.0)
    assert (holds.quantile_ms(0.5), holds.quantile_ms(0.9), holds.quantile_ms(0.99)) == (2.0, 5.0, None)
    assert Figures("1", (), (), {}, {}, (Strain("wal_bytes", None, "hidden"),)).strains[0].value is None


def test_who_listens_is_told_what_changed(well_forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Time passes only where the test says so."""
    house = well_forum.app.state.house

    async def no_rest(over: asyncio.Event) -> None:
        house.forget()

    async def listen() -> list[tuple[str, Any]]:
        told: list[tuple[str, Any]] = []
        listening = _tell(house)

        async def hear() -> None:
            one = await asyncio.wait_for(anext(listening), 20)
            told.append((str(one.event), json.loads(str(one.data))))

        await hear()
        well_forum.write("INSERT INTO posts (id, thread_id, author) VALUES (10, 9, 1)")
        await hear()
        with monkeypatch.context() as broken:
            broken.setattr("tidemark.runtime.operate.onlooker.read_overview", _fail)
            well_forum.write("DELETE FROM posts WHERE id = 10")
            await hear()
        await hear()
        await listening.aclose()
        return told

    monkeypatch.setattr("tidemark.web.events._rest", no_rest)
    first, second, problem, again = asyncio.run(listen())
    assert [one["name"] for one in first[1]["tables"]] == ["post_authors", "thread_posts", "thread_sizes"]
    assert second[0] == "status" and [one["name"] for one in second[1]["tables"]] == ["post_authors"]
    assert problem[0] == "problem" and "on fire" in problem[1]["error"]
    assert again[0] == "status" and [one["name"] for one in again[1]["tables"]] == ["post_authors"]
    for name, data in (first, second, again):
        check("event", data)
        assert name == "status"
    well_forum.tidemark.tick()


async def _hear_all(listening: AsyncIterator[Any]) -> list[Any]:
    return [one async for one in listening]


def test_who_listens_is_sent_away_when_the_server_ends(well_forum: Forum) -> None:
    house = well_forum.app.state.house

    async def listen() -> None:
        listening = _tell(house)
        assert (await asyncio.wait_for(anext(listening), 20)).event == "status"
        rest = asyncio.create_task(_hear_all(listening))
        await asyncio.to_thread(house.hush)
        done, _ = await asyncio.wait({rest}, timeout=BEAT_SECONDS / 2)
        assert done and rest.result() == []

    asyncio.run(listen())
    asyncio.run(listen())


def _fail(*given: object) -> None:
    raise OSError("the disk is on fire")


def test_the_engine_says_who_it_is(well_forum: Forum) -> None:
    found = scrape(well_forum)
    (about,) = [name for name in found if name.startswith("tidemark_build_info")]
    assert f'backend="{well_forum.session.dialect.name}"' in about and 'backend_version=""' not in about
    assert isinstance(well_forum.tidemark, Tidemark)
