"""The API: what each route answers, how health fails closed, that nothing waits for the writer, and the page's contract."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import closing
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from examples.meshscope import migrations, upkeep
from examples.meshscope.api import ERROR_HEADER, FILES, PAGE, Api, make_app
from examples.meshscope.cache import Cached
from examples.meshscope.derived import project
from examples.meshscope.migrations import Migration, Unreadable
from examples.meshscope.schema import add_columns, connect
from examples.meshscope.timings import quantiles
from tests.examples.mesh import TRANSMISSIONS, get, make_database, rows
from tests.kit.asgi import ask
from tidemark import Tidemark

KEYS = {
    "name",
    "status",
    "rowsProcessed",
    "rowsTotal",
    "rate",
    "etaSeconds",
    "errorMessage",
    "startedAt",
    "endedAt",
    "lastUpdateAt",
    "elapsedSec",
    "throttleReasons",
}
RUNNING = Migration("heard", "running", 12_345, 71_000, 1_850.5, 31.7, None, "2026-11-28T06:00:00.000Z")
FAILED = Migration("heard", "failed", 9, 71_000, error_message="disk I/O error", ended_at="2026-11-28T06:00:00.000Z")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database before the derived columns. Nobody writes it."""
    return make_database(tmp_path_factory.mktemp("bare") / "mesh.db")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same with its derived columns. Nobody writes it."""
    database = make_database(tmp_path_factory.mktemp("kept") / "mesh.db")
    upkeep.upgrade(database)
    return database


def broken() -> list[Migration]:
    raise Unreadable("the ledger cannot be read:\nno such table")


def test_statistics(kept: str) -> None:
    [answer] = get(Api(kept), "/api/stats")
    [(observations, newest)] = rows(kept, "SELECT count(*), max(id) FROM observations")
    moment = rows(kept, f"SELECT timestamp FROM observations WHERE id = {newest}")[0][0]
    assert answer.json == {
        "transmissions": TRANSMISSIONS,
        "observations": observations,
        "observers": 26,
        "newestObservation": newest,
        "newestAt": moment,
    }


def test_hash_sizes(kept: str) -> None:
    [answer] = get(Api(kept), "/api/analytics/hash-sizes")
    by_size = {
        str(size): count for size, count in rows(kept, "SELECT hash_size, count(*) FROM transmissions GROUP BY 1")
    }
    assert answer.json["distribution"] == {"1": 0, "2": 0, "3": 0} | by_size
    assert answer.json["total"] == TRANSMISSIONS
    assert sum(sum(hour["sizes"].values()) for hour in answer.json["hourly"]) == TRANSMISSIONS


def test_packets_say_the_same_before_and_after_the_columns_are_there(bare: str, kept: str) -> None:
    computed, stored = (get(Api(one), "/api/packets?limit=200")[0].json for one in (bare, kept))
    assert (computed["derived"], stored["derived"]) == ("computed", "stored")
    assert computed["packets"] == stored["packets"]
    assert len(stored["packets"]) == TRANSMISSIONS


def test_columns_are_not_read_while_what_keeps_them_is_not_installed(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db")
    with closing(connect(database)) as connection:
        add_columns(connection)
    upkeep.decode(Tidemark(project, database))
    packets, health = get(Api(database), "/api/packets", "/api/healthz")
    assert packets.json["derived"] == "computed"
    assert (health.status, health.json["ready"]) == (503, False)
    assert health.json["reason"] == "heard is not installed; heard_last_by is not installed"
    with closing(connect(database)) as connection:
        connection.execute("UPDATE tidemark__backfill SET state = 'interrupted', ended = NULL")
    packets, health = get(Api(database), "/api/packets", "/api/healthz")
    assert packets.json["derived"] == "computed"
    assert (health.status, health.json["ready"]) == (200, True), "a migration that goes on keeps nobody from serving"
    assert health.json["async_migrations_running"] is True


@pytest.mark.parametrize("sort", ["newest", "heard"])
def test_pages_of_packets_have_each_once(kept: str, sort: str) -> None:
    found, before = [], ""
    for _ in range(10):
        [answer] = get(Api(kept), f"/api/packets?limit=17&sort={sort}{before}")
        assert answer.json["sort"] == sort
        found += answer.json["packets"]
        if answer.json["next"] is None:
            break
        before = f"&before={answer.json['next']}"
    order = "id DESC" if sort == "newest" else "last_seen DESC, id DESC"
    wanted = rows(
        kept, f"SELECT id FROM transmissions {'WHERE last_seen > 0' if sort == 'heard' else ''} ORDER BY {order}"
    )
    assert [(one["id"],) for one in found] == wanted


def test_an_order_that_is_not_there_yet_is_not_pretended(bare: str) -> None:
    assert get(Api(bare), "/api/packets?sort=heard")[0].json["sort"] == "newest"


@pytest.mark.parametrize("query", ["limit=x", "before=-1", "limit=1.5", "before=99999999999999999999", "limit=%C2%B2"])
def test_what_is_no_number_is_a_mistake_of_the_asker(kept: str, query: str) -> None:
    assert get(Api(kept), f"/api/packets?{query}")[0].status == 400


def test_a_database_without_the_columns_is_not_ready_and_has_an_empty_list(bare: str) -> None:
    health, perf, own = get(Api(bare), "/api/healthz", "/api/perf", "/api/migrations")
    assert health.status == 503
    assert health.json["async_migrations"] == []
    assert health.json["async_migrations_running"] is False
    assert "async_migrations_error" not in health.json
    assert health.json["reason"] == "the derived columns are not installed"
    assert perf.json["asyncMigrations"] == []
    assert (own.status, own.json) == (200, [])


def test_when_all_is_done(kept: str) -> None:
    health, perf = get(Api(kept), "/api/healthz", "/api/perf")
    assert (health.status, health.json["ready"], health.json["reason"]) == (200, True, "")
    assert health.json["async_migrations_running"] is False
    assert {one["name"]: one["status"] for one in health.json["async_migrations"]} == {
        "hash_size": "done",
        "heard": "done",
        "heard_last_by": "done",
    }
    for one in perf.json["asyncMigrations"]:
        assert set(one) == KEYS
        assert one["rowsProcessed"] == one["rowsTotal"] == TRANSMISSIONS
        assert one["startedAt"] <= one["endedAt"]
        assert one["errorMessage"] is None
    assert perf.json["requests"]["/api/healthz"]["count"] == 1


def test_while_something_runs(kept: str) -> None:
    health, packets = get(Api(kept, migrations=lambda: [RUNNING]), "/api/healthz", "/api/packets")
    assert (health.status, health.json["ready"], health.json["async_migrations_running"]) == (200, True, True)
    [one] = health.json["async_migrations"]
    assert set(one) == KEYS
    assert (one["rowsProcessed"], one["rowsTotal"], one["rate"], one["etaSeconds"]) == (12_345, 71_000, 1_850.5, 31.7)
    assert packets.json["derived"] == "computed"


def test_a_total_that_nobody_counted_yet_is_null(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 3)
    with closing(connect(database)) as connection:
        add_columns(connection)
    Tidemark(project, database).apply(detach=True)
    found = {one.name: one for one in migrations.read_migrations(database)}
    assert found["heard"].as_json()["rowsTotal"] is None and found["heard"].unfinished


@pytest.mark.parametrize("status", ["throttled", "paused", "interrupted"])
def test_what_waits_is_still_running(kept: str, status: str) -> None:
    [health] = get(Api(kept, migrations=lambda: [Migration("heard", status, 1, 9)]), "/api/healthz")
    assert (health.status, health.json["async_migrations_running"]) == (200, True)


@pytest.mark.parametrize("status", ["failed", "unknown", "something else"])
def test_what_failed_or_is_unknown_neither_runs_nor_reads_as_fine(kept: str, status: str) -> None:
    [health] = get(Api(kept, migrations=lambda: [Migration("heard", status, 1, 9)]), "/api/healthz")
    assert (health.status, health.json["ready"], health.json["async_migrations_running"]) == (503, False, False)
    assert health.json["reason"] == f"heard is {status}"


def test_a_failure_keeps_its_message(kept: str) -> None:
    [health] = get(Api(kept, migrations=lambda: [FAILED]), "/api/healthz")
    assert health.json["async_migrations"][0]["errorMessage"] == "disk I/O error"


def test_what_cannot_be_read_counts_as_running_and_is_flagged_everywhere(kept: str) -> None:
    paths = ("/api/healthz", "/api/perf", "/api/migrations", "/api/stats", "/api/packets")
    health, perf, own, stats, packets = get(Api(kept, migrations=broken), *paths)
    assert (health.status, health.json["ready"], health.json["async_migrations_running"]) == (503, False, True)
    assert health.json["async_migrations"] == []
    assert health.json["async_migrations_error"].startswith("the ledger cannot be read")
    assert (own.status, perf.status, stats.status) == (500, 200, 200)
    assert perf.json["asyncMigrations"] == []
    assert packets.json["derived"] == "computed"
    for answer in (health, perf, own, stats, packets):
        assert answer.headers[ERROR_HEADER] == "the ledger cannot be read: no such table"


def test_rows_that_are_known_to_be_wrong_are_never_ready(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 5)
    upkeep.upgrade(database)
    with closing(connect(database)) as connection:
        connection.execute("UPDATE transmissions SET best_snr = 99 WHERE id = 1")
    assert upkeep.verify(database).wrong == 1
    [health, banner] = get(Api(database), "/api/healthz", "/derived/banner.json")
    assert (health.status, health.json["ready"], health.json["async_migrations_running"]) == (503, False, False)
    assert health.json["reason"] == "heard has 1 row that is known to be wrong"
    assert banner.json["level"] == "fail" and banner.json["items"][0]["label"] == "heard"


def test_a_ledger_that_is_damaged_is_an_error_and_no_empty_list(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 5)
    upkeep.upgrade(database)
    with closing(connect(database)) as connection:
        connection.execute("DROP TABLE tidemark__backfill")
    with pytest.raises(Unreadable):
        migrations.read_migrations(database)
    [health] = get(Api(database), "/api/healthz")
    assert health.json["async_migrations_running"] is True
    with pytest.raises(Unreadable):
        migrations.read_migrations(str(tmp_path / "nowhere.db"))


def test_nothing_waits_for_whoever_writes(tmp_path: Path) -> None:
    database = make_database(tmp_path / "mesh.db", 20)
    upkeep.upgrade(database)
    with closing(connect(database)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM observations")
        answers = get(
            Api(database), "/api/healthz", "/api/stats", "/api/packets", "/api/analytics/hash-sizes", "/api/perf"
        )
        assert [one.status for one in answers] == [200] * 5
        assert answers[1].json["observations"] > 0
        writer.execute("ROLLBACK")


def test_many_who_ask_at_once_wait_for_one_reading_and_an_error_is_not_kept() -> None:
    readings, moment, gate = [], [0.0], threading.Event()

    def read() -> int:
        assert gate.wait(60)
        readings.append(len(readings))
        if len(readings) == 2:
            raise Unreadable("once")
        return len(readings)

    async def work() -> None:
        cached = Cached(read, seconds=5.0, now=lambda: moment[0])
        asked = [asyncio.ensure_future(cached.get()) for _ in range(10)]
        given_up = asyncio.ensure_future(cached.get())
        await asyncio.wait(asked, timeout=0)
        given_up.cancel()
        gate.set()
        assert await asyncio.gather(*asked) == [1] * 10
        moment[0] = 4.9
        assert await cached.get() == 1
        moment[0] = 5.0
        failed = await asyncio.gather(cached.get(), cached.get(), return_exceptions=True)
        assert [type(one) for one in failed] == [Unreadable, Unreadable]
        assert await cached.get() == 3

    asyncio.run(work())
    assert readings == [0, 1, 2]


def test_quantiles() -> None:
    assert quantiles([]) == {"count": 0, "p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    found = quantiles([float(number) for number in range(100, 0, -1)])
    assert found == {"count": 100, "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}


def test_the_page_needs_nothing_from_elsewhere_and_obeys_its_policy(kept: str) -> None:
    answers = get(Api(kept), "/", *(f"/{name}" for name in FILES), "/nothing", "/../api.py")
    assert [answer.status for answer in answers] == [200] * (1 + len(FILES)) + [404, 404]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", page)
    for name in FILES:
        text = (PAGE / name).read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, name
    # Relative addresses only, so that the page works under any prefix.
    named = re.findall(r'(?:href|src)="([^"]*)"', page) + re.findall(
        r'(?:fetch|read)\([`"]([^`"$]*)', (PAGE / "page.js").read_text()
    )
    assert len(named) > 8
    assert not [one for one in named if one.startswith("/")]


def test_under_a_prefix(kept: str) -> None:
    api = Api(kept)

    async def work() -> None:
        outer = Starlette(routes=[Mount("/a/b", make_app(api))])
        for path in ("/", "/style.css", "/api/healthz", "/api/packets?limit=1"):
            assert (await ask(outer, f"/a/b{path}")).status == 200
        assert (await ask(outer, "/a/b")).headers["location"].endswith("/a/b/")

    try:
        asyncio.run(work())
    finally:
        api.close()
    assert set(api.timings.as_json()) == {"/api/healthz", "/api/packets", "page"}


def test_the_banner_and_the_dashboard_are_those_of_tidemark(kept: str) -> None:
    script, banner, page = get(Api(kept), "/derived/banner.js", "/derived/banner.json", "/derived/")
    assert script.status == banner.status == page.status == 200
    assert banner.json["items"] == [] and banner.json["level"] == "pass"
    named = (PAGE / "index.html").read_text()
    assert '<script src="derived/banner.js" data-at="#banner" defer></script>' in named
    assert 'id="banner"' in named
