"""Health fails closed: what is unknown, unreadable, failed or drifted is never ready and never well."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.kit.asgi import get
from tests.web.conftest import Forum, begin, fill
from tests.web.schema import check
from tidemark import Tidemark
from tidemark.runtime.operate.verdict import judge
from tidemark.runtime.streams.account import StreamStatus
from tidemark.web import application


def test_all_is_well(well_forum: Forum) -> None:
    status = well_forum.get("/status")
    assert status["verdict"]["level"] == "pass" and status["verdict"]["ready"]
    assert status["verdict"]["sentence"].startswith("All 3 derived tables are true; last full verification ")
    assert well_forum.get("/healthz")["status"] == "pass"
    assert well_forum.get("/readyz") == {"ready": True, "findings": [], "error": None}
    assert well_forum.get("/livez") == {"alive": True}
    counted = {one["name"]: (one["rows"], one["rows_estimated"], one["rows_at"] is None) for one in status["tables"]}
    assert counted == {
        "post_authors": (3, True, False),
        "thread_posts": (2, True, False),
        "thread_sizes": (2, True, False),
    }
    edges = {(one["kind"], one["from"], one["to"]) for one in status["edges"]}
    assert edges == {
        ("source", "posts", "post_authors"),
        ("source", "users", "post_authors"),
        ("source", "posts", "thread_posts"),
        ("table", "thread_posts", "thread_sizes"),
    }
    assert [one["name"] for one in status["sources"]] == ["posts", "users"]


def test_what_waits_is_told_and_is_no_fault(forum: Forum) -> None:
    forum.write("INSERT INTO posts (id, thread_id, author) VALUES (4, 4, 1)")
    tables = {one["name"]: one for one in forum.get("/status")["tables"]}
    assert tables["post_authors"]["lag"]["changes"] == 1 and tables["post_authors"]["lag"]["seconds"] >= 0
    assert tables["thread_posts"]["lag"] == {
        "changes": 0,
        "changes_are_more": False,
        "upstream_changes": 0,
        "since": None,
        "seconds": 0.0,
    }
    assert forum.get("/readyz")["ready"]
    assert "All 3 derived tables are true, 1 of them as of " in forum.get("/healthz")["output"]


def test_the_verdict_says_as_of_when_and_what_was_not_compared(well_forum: Forum) -> None:
    first, *rest = well_forum.tidemark.status()
    now, then = "2026-03-14T10:42:13.000Z", "2026-03-14T10:42:10.000Z"

    def said(**facts: object) -> str:
        found = judge(
            [replace(first, verified_at=then, **facts), *(replace(one, verified_at=then) for one in rest)], now=now
        )
        assert found.level == "pass"
        return found.sentence.removeprefix("All 3 derived tables are true").removesuffix(".")

    assert said() == "; last full verification 3 s ago"
    assert said(pending=1, behind_since=then) == ", 1 of them as of 3 s ago; last full verification 3 s ago"
    assert said(upstream_pending=1).startswith(", 1 of them as of a moment that is not known; ")
    repaired = replace(first, verified_at=None)
    since = "not compared as a whole since a repair or a restore."
    assert judge([repaired, *rest]).sentence.endswith(f"are true; 1 was {since}")
    assert judge([repaired]).sentence == f"The one derived table is true; it was {since}"


def test_what_waits_beside_true_tables_does_not_speak_of_the_tables(well_forum: Forum) -> None:
    tables = well_forum.tidemark.status()
    stream = StreamStatus("ledger", "waiting", 7, None, 5, 9, 0, 2, 0, None, None, 0, "2026-01-01", quarantined=2)
    verdict = judge(tables, streams=[stream])
    assert (verdict.level, verdict.sentence) == ("warn", "All 3 derived tables are true; 1 thing beside them waits.")
    assert [one.says for one in verdict.findings] == ["has 2 events quarantined"]
    both = judge([replace(tables[0], state="backfilling"), *tables[1:]], streams=[stream])
    assert both.sentence == "Nothing is wrong; 2 are under way or wait."


def test_drift_is_never_ready(well_forum: Forum) -> None:
    well_forum.write(f"UPDATE {well_forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    well_forum.tidemark.verify()
    status = well_forum.get("/status")
    assert status["verdict"]["level"] == "fail" and not status["verdict"]["ready"]
    assert status["verdict"]["sentence"] == "1 needs attention."
    assert well_forum.get("/healthz", status=503)["status"] == "fail"
    assert [one["name"] for one in well_forum.get("/readyz", status=503)["findings"]] == ["post_authors"]
    (wrong,) = well_forum.get("/drift")["drift"]
    assert wrong["kind"] == "different" and wrong["key"] == [{"column": "id", "value": "1"}]
    assert {"column": "name", "value": "'eve'"} in wrong["stored"]
    assert {"column": "name", "value": "'ada'"} in wrong["true"]
    well_forum.tidemark.repair()
    assert well_forum.get("/readyz")["ready"] and well_forum.get("/drift")["drift"] == []


def test_whoever_wants_lines_gets_one_for_each_check(forum: Forum) -> None:
    def ask_in_lines(status: int) -> list[str]:
        forum.fresh()
        answer = get(forum.app, "/healthz?verbose")
        assert answer.status == status and answer.headers["content-type"] == "text/plain; charset=utf-8"
        return answer.text.splitlines()

    names = ("post_authors", "thread_posts", "thread_sizes")
    assert ask_in_lines(200) == [*(f"[pass] table {name}" for name in names), "healthz: pass"]
    forum.write(f"UPDATE {forum.ledger('derived')} SET state = 'failed', failure = 'a\nb' WHERE name = 'thread_posts'")
    assert ask_in_lines(503)[0] == "[fail] table thread_posts: failed: a b"
    forum.write(f"UPDATE {forum.ledger('meta')} SET value = '0' WHERE key = 'shape'")
    unreadable = ask_in_lines(503)
    assert unreadable[0].startswith("[fail] database: ") and unreadable[1:] == ["healthz: fail"]


def test_a_missing_capture_is_never_ready(forum: Forum) -> None:
    if forum.session.dialect.has_schemas:
        forum.write("DROP VIEW thread_sizes; DROP VIEW thread_posts")
    else:
        forum.write("DROP VIEW thread_posts")
    assert not forum.get("/readyz", status=503)["ready"]


@pytest.mark.parametrize("state", ["backfilling", "verifying"])
def test_who_died_at_work_is_not_said_to_be_at_work(forum: Forum, state: str) -> None:
    forum.write(f"UPDATE {forum.ledger('derived')} SET state = '{state}' WHERE name = 'post_authors'")
    forum.fresh()
    (finding,) = forum.get("/status")["verdict"]["findings"]
    assert finding["says"].startswith("was interrupted, and nobody goes on with it")


def test_a_state_that_is_not_live_is_never_ready(well_forum: Forum) -> None:
    move = f"UPDATE {well_forum.ledger('derived')} SET state = :state WHERE name = 'post_authors'"
    for state in ("failed", "paused", "planned", "verifying", "installing", "retired", "backfilling"):
        well_forum.write(move, state=state)
        assert "post_authors" in [one["name"] for one in well_forum.get("/readyz", status=503)["findings"]], state
        assert well_forum.get("/readyz/post_authors", "readyz", 503)["ready"] is False
        assert well_forum.get("/readyz/thread_posts", "readyz")["ready"] is True
    well_forum.write(move, state="live")


def test_a_state_that_nobody_knows_is_never_ready(well_forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.runtime.ledger.read_state", lambda stored: "unknown")
    assert well_forum.get("/healthz", status=503)["status"] == "fail"
    assert {one["state"] for one in well_forum.get("/status")["tables"]} == {"unknown"}
    findings = well_forum.get("/status")["verdict"]["findings"]
    assert {(one["says"], one["next"]) for one in findings} == {
        ("is in a state that this version does not know: run the version of Tidemark that wrote it", "")
    }
    assert len(well_forum.get("/readyz", status=503)["findings"]) == 3


def test_a_failed_run_is_never_ready_until_one_is_done(well_forum: Forum) -> None:
    times = "'2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'"
    add = f"""INSERT INTO {well_forum.ledger("run")} (kind, derived, generation, state, holder, started, ended, cause)
        VALUES (:kind, 'post_authors', 1, :state, 'somebody', {times}, :cause)"""
    for kind in ("verify", "tick", "repair", "apply"):
        well_forum.write(add, kind=kind, state="failed", cause="the disk is on fire")
        assert "the disk is on fire" in well_forum.get("/readyz", status=503)["findings"][0]["says"]
        well_forum.write(add, kind=kind, state="interrupted", cause="it was asked to stop")
        assert not well_forum.get("/readyz", status=503)["ready"], "who was interrupted has made nothing good"
        well_forum.write(add, kind=kind, state="done", cause=None)
        assert well_forum.get("/readyz")["ready"]


def test_a_policy_says_what_ready_means(well_forum: Forum) -> None:
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'backfilling' WHERE name = 'post_authors'")
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'failed' WHERE name = 'thread_sizes'")
    for policy, ready in (({}, 503), ({"post_authors": "installed"}, 503)):
        app = application(well_forum.tidemark, ready_when=policy)
        assert get(app, "/readyz").status == ready
        app.state.house.close()
    app = application(well_forum.tidemark, ready_when={"post_authors": "installed", "thread_sizes": "always"})
    assert get(app, "/readyz").status == 200
    assert get(app, "/healthz").status == 503, "a policy does not make well what is not"
    app.state.house.close()
    well_forum.write(f"UPDATE {well_forum.ledger('derived')} SET state = 'live'")


def test_nothing_installed_is_not_ready(empty_forum: Forum) -> None:
    assert empty_forum.get("/healthz", status=503)["output"] == "Nothing is installed."
    names = [one["name"] for one in empty_forum.get("/readyz", status=503)["findings"]]
    assert names == ["post_authors", "thread_posts", "thread_sizes"], "they are declared"
    status = empty_forum.get("/status")
    assert not status["installed"] and status["tables"] == []
    for path in ("/runs", "/drift", "/quarantine", "/outbox", "/streams"):
        empty_forum.get(path)
    app = application(None, empty_forum.url)
    assert get(app, "/readyz").status == 503
    app.state.house.close()


def test_what_cannot_be_read_is_a_failure_and_is_not_kept(well_forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("tidemark.runtime.operate.onlooker.read_overview", _fail)
        well_forum.fresh()
        for path, shape in (("/healthz", "healthz"), ("/readyz", "readyz"), ("/readyz/post_authors", "readyz")):
            answer = get(well_forum.app, path)
            check(shape, answer.json)
            assert answer.status == 503 and "the disk is on fire" in answer.json["error"], path
        assert get(well_forum.app, "/status").status == 503 and get(well_forum.app, "/banner.json").status == 503
        assert get(well_forum.app, "/livez").status == 200
    assert get(well_forum.app, "/healthz").status == 200, "an error is not kept"


def _fail(*given: object) -> None:
    raise OSError("the disk is on fire")


def test_a_file_that_is_replaced_is_not_read_on(tmp_path: Path, sqlite_path: Path) -> None:
    """SQLite would go on to read what the file was."""
    forum = fill(begin(f"sqlite:///{sqlite_path}"))
    assert forum.get("/healthz")["status"] == "pass"
    forum.session.close()
    path = Path(forum.url.removeprefix("sqlite:///"))
    path.rename(tmp_path / "moved.db")
    forum.app.state.house.forget()
    assert get(forum.app, "/healthz").status == 503
    forum.app.state.house.close()


def test_a_database_that_is_not_there_lives_and_is_not_well(tmp_path: Path) -> None:
    app = application(Tidemark(None, f"sqlite:///{tmp_path / 'nothing.db'}"))
    assert get(app, "/livez").status == 200
    assert get(app, "/healthz").status == 503 and get(app, "/readyz").status == 503
    assert "There is no file" in get(app, "/status").json["error"]
    app.state.house.close()
