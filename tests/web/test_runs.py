"""Runs, samples, quarantine, the audit, and what may be done: the same on the page as on the command line."""

import base64
import json
from typing import Any

import pytest

from tests.backfill.place import Watch
from tests.kit.asgi import Answer, get
from tests.web.conftest import Forum, begin, fill
from tests.web.schema import check
from tidemark import Fault, Tidemark
from tidemark.cli import main
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event
from tidemark.runtime.runs import Telling, add_run
from tidemark.runtime.samples import SAMPLES_EACH, Hold, Sampler, find_range, list_samples
from tidemark.web import application

TOKEN = "a token of the tests"
JSON = {"content-type": "application/json", "x-tidemark-action": "1"}
MAY = {**JSON, "authorization": "Basic " + base64.b64encode(f"ada:{TOKEN}".encode()).decode()}


def post(app: Any, body: object, headers: dict[str, str] | None = None) -> Answer:
    """An action."""
    return get(
        app, "/actions", method="POST", headers=MAY if headers is None else headers, body=json.dumps(body).encode()
    )


def poison(forum: Forum) -> None:
    """A backfill that quarantines one key, at a pace of which a sample is taken each second."""
    watch = Watch()

    @forum.project.backfill("migrate", table="posts", key="id", quarantine_max=5)
    def migrate(db: Any, batch: Any) -> None:
        watch.seconds += 0.8
        if 2 in batch.keys:
            raise ValueError("no such author")

    assert Tidemark(forum.project, forum.url, clock=watch.clock).backfill("migrate").status.state == "quarantined"


def test_a_run_is_told_whole(forum: Forum) -> None:
    poison(forum)
    runs = forum.get("/runs")["runs"]
    assert [one["kind"] for one in runs[:1]] == ["backfill"] and runs[0]["name"] == "migrate"
    told = forum.get(f"/runs/{runs[0]['id']}", "run")
    assert told["active"]["state"] == "quarantined" and told["active"]["quarantined"] == 1
    (quarantine,) = told["quarantine"]
    assert quarantine["key"] == ["2"] and "no such author" in quarantine["error"]
    assert forum.get("/quarantine")["quarantine"] == [quarantine]
    assert told["samples"] and told["samples"][-1]["target_ms"] > 0
    assert sum(one["rows"] for one in told["samples"]) <= 3 and told["samples"][0]["chunks"] >= 1
    assert forum.get("/healthz", status=503)["findings"][0]["next"] == "tidemark backfill list migrate"
    fill = next(one for one in runs if one["kind"] == "fill")
    statements = forum.get(f"/runs/{fill['id']}", "run")["statements"]
    assert {"query", "recompute", "write"} <= {one["title"] for one in statements}
    assert forum.get("/runs/0", "error", 404) and forum.get("/runs/99999999999999999999", "error", 404)


def test_the_history_comes_in_pages(well_forum: Forum) -> None:
    found: list[int] = []
    path: str | None = "/runs?limit=2"
    while path:
        page = well_forum.get(path, "runs")
        found += [one["id"] for one in page["runs"]]
        path = f"/runs?limit=2&before={page['next']}" if page["next"] else None
    assert found == sorted(found, reverse=True) and len(found) == len(set(found)) >= 6
    assert {one["name"] for one in well_forum.get("/runs?name=post_authors", "runs")["runs"]} == {"post_authors"}
    assert well_forum.get("/runs?limit=x", "error", 400) and well_forum.get("/runs?before=-1", "error", 400)


def test_samples_thin_out_and_survive_a_transaction_that_fails(well_forum: Forum) -> None:
    session = well_forum.session
    ledger = well_forum.tidemark.onlooker()._open().ledger
    ledger.session.close()
    ledger.session = session
    sampler = Sampler(7, "posts", "backfill", 0.0)
    for second in range(1, SAMPLES_EACH + 21):
        sampler.count(10, Hold(9.0, 1.0, 500, 10.0))
        if second == 5:
            with pytest.raises(RuntimeError), session.transaction():
                sampler.write(ledger, 5.0, 50)
                raise RuntimeError("the disk is on fire")
        with session.transaction():
            sampler.write(ledger, float(second), 10 * second)
        sampler.wrote()
    found = list_samples(ledger, 7)
    assert len(found) == SAMPLES_EACH + 10, "later a sample stands for two seconds"
    assert (
        sum(one.rows for one in found) == 10 * (SAMPLES_EACH + 20)
        and sum(one.chunks for one in found) == SAMPLES_EACH + 20
    )
    assert {round(one.rate or 0) for one in found} == {10}
    assert find_range(found, 100) == (10.0, 10.0) and find_range(found[:3], 100) is None


def test_nobody_may_act_unless_told_so(well_forum: Forum) -> None:
    assert post(well_forum.app, {"action": "verify"}).status == 403
    assert not well_forum.get("/status")["actions"]["allowed"]
    app = application(well_forum.tidemark, token=TOKEN)
    assert get(app, "/status").json["actions"]["allowed"]
    for headers, status in (
        (JSON, 401),
        ({**MAY, "authorization": "Bearer something else"}, 401),
        ({**MAY, "authorization": "Basic é"}, 401),
        ({**MAY, "x-tidemark-action": ""}, 403),
        ({**MAY, "content-type": "text/plain"}, 415),
        ({**MAY, "sec-fetch-site": "cross-site"}, 403),
        ({**MAY, "origin": "https://elsewhere.example"}, 403),
        ({**MAY, "origin": "null"}, 403),
    ):
        answer = post(app, {"action": "verify"}, headers)
        check("error", answer.json)
        assert answer.status == status, headers
    for body in (
        [],
        {"action": "drop"},
        {"action": "pause"},
        {"action": "pause", "names": [1]},
        {"action": "nice", "names": ["x"]},
    ):
        assert post(app, body).status == 400, body
    assert post(app, {"action": "pause", "names": ["x" * 70_000]}).status == 413
    assert get(app, "/actions").status == 404, "an action is never a GET"
    assert post(app, {"action": "pause", "names": ["nothing"]}).status == 404
    app.state.house.close()
    assert well_forum.get("/audit", "audit_list")["audit"][0]["outcome"].startswith("[not-installed]")
    with pytest.raises(ValueError, match="16 characters"):
        application(well_forum.tidemark, token="short")


def test_what_is_done_is_done_and_audited(forum: Forum) -> None:
    poison(forum)
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    app = application(forum.tidemark, token=TOKEN)
    for body in (
        {"action": "nice", "names": ["migrate"], "nice": 2},
        {"action": "verify", "names": ["post_authors"]},
        {"action": "repair", "names": ["post_authors"]},
    ):
        answer = post(app, body, {**MAY, "origin": "http://tests"})
        assert answer.status == 202, answer.text
        check("action", answer.json)
    assert post(app, {"action": "pause", "names": ["migrate"]}).status == 409, "it has ended"
    app.state.house.actions._threads.submit(lambda: None).result()
    app.state.house.close()
    audit = forum.get("/audit", "audit_list")["audit"]
    assert [(one["action"], one["outcome"]) for one in audit if one["outcome"] == "done"] == [
        ("repair", "done"),
        ("verify", "done"),
        ("nice", "done"),
    ]
    assert {one["who"] for one in audit} == {"ada from 127.0.0.1"}
    assert forum.get("/status")["backfills"][0]["nice"] == 2.0
    assert forum.get("/drift")["drift"] == []
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve' WHERE id = 1")
    with pytest.raises(Fault):
        forum.tidemark.by("bob", stop=lambda: True).repair()
    assert forum.get("/audit?limit=1", "audit_list")["audit"][0]["who"] == "bob"


def test_a_mistake_that_nobody_foresaw_is_audited_and_logged(
    forum: Forum, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("tidemark.engine.verify_all", fail)
    app = application(forum.tidemark, token=TOKEN)
    assert post(app, {"action": "verify", "names": ["post_authors"]}).status == 202
    app.state.house.actions._threads.submit(lambda: None).result()
    app.state.house.close()
    assert forum.get("/audit", "audit_list")["audit"][0]["outcome"] == "ZeroDivisionError: by nothing"
    assert any(one.exc_info for one in caplog.records)


def test_who_may_read_is_for_the_host_to_say(well_forum: Forum) -> None:
    app = application(well_forum.tidemark, may_read=lambda request: request.headers.get("x-user"))
    assert get(app, "/status").status == 401 and get(app, "/runs").status == 401
    assert get(app, "/status", headers={"x-user": "ada"}).status == 200
    assert get(app, "/healthz").status == 200 and get(app, "/banner.json").status == 200
    app.state.house.close()


def test_a_unit_that_a_function_fails_for_is_told(empty_forum: Forum) -> None:
    """A processor's function fails for one author; the page says so, and the others are served."""

    @empty_forum.project.processor(
        "streaks", key="author", by="author", reads={"posts": "author"}, columns={"posts": "INTEGER"}
    )
    def streaks(db: Any, batch: Any) -> Any:
        authors = batch.values("author")
        if 2 in authors:
            raise ValueError("no such author")
        return [{"author": author, "posts": 1} for author in authors]

    forum = fill(empty_forum)
    told = {one["name"]: one for one in forum.get("/status")["tables"]}
    assert told["streaks"]["processor"]["quarantined"] == 1 and told["post_authors"]["processor"] is None
    (quarantine,) = forum.get("/quarantine")["quarantine"]
    assert (quarantine["backfill"], quarantine["key"]) == ("streaks", ["2"]) and "no such author" in quarantine["error"]
    assert not forum.get("/readyz/post_authors", "readyz")["findings"]


def test_rows_that_somebody_picked_are_repaired_and_no_others(forum: Forum, capsys: pytest.CaptureFixture[str]) -> None:
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve'")
    forum.tidemark.verify()
    wrong = {one["id"] for one in forum.get("/drift")["drift"]}
    assert wrong == {"[1]", "[2]", "[3]"}
    app = application(forum.tidemark, token=TOKEN)
    for body in (
        {"action": "verify", "names": ["post_authors"], "keys": ["[1]"]},
        {"action": "repair", "names": ["post_authors", "thread_posts"], "keys": ["[1]"]},
        {"action": "repair", "names": ["post_authors"], "keys": [1]},
        {"action": "repair", "names": ["post_authors"], "keys": "[1]"},
    ):
        assert post(app, body).status == 400, body
    for key in ("[2]", "[99]"):
        assert post(app, {"action": "repair", "names": ["post_authors"], "keys": [key]}).status == 202
    app.state.house.actions._threads.submit(lambda: None).result()
    app.state.house.close()
    assert {one["id"] for one in forum.get("/drift")["drift"]} == {"[1]", "[3]"}
    lines = [(one["action"], one["detail"], one["outcome"]) for one in forum.get("/audit", "audit_list")["audit"][:2]]
    assert lines[1] == ("repair", "keys [2]", "done")
    assert lines[0][:2] == ("repair", "keys [99]") and "nothing is known to be wrong about [99]" in lines[0][2]
    run = next(one for one in forum.get("/runs")["runs"] if one["kind"] == "repair")
    assert (run["done"], run["total"], run["written"], run["state"]) == (1, 1, 1, "done")
    assert main(["repair", "post_authors", "--key", "3", "--key", "[3]", "--database", forum.url]) == 0
    assert "1 row repaired, 1 row written" in capsys.readouterr().out
    assert {one["id"] for one in forum.get("/drift")["drift"]} == {"[1]"}
    assert main(["repair", "post_authors", "--key", "3", "--database", forum.url]) == 5
    assert main(["repair", "--key", "1", "--database", forum.url]) == 5
    with forum.session.transaction("read"):
        assert forum.session.all("SELECT id, name FROM post_authors ORDER BY id") == [
            (1, "eve"),
            (2, "bob"),
            (3, "ada"),
        ]


def test_texts_and_keys_of_several_columns_are_picked_too(engine_url: str) -> None:
    forum = begin(engine_url, declared=False)
    forum.write(
        "CREATE TABLE words (word TEXT NOT NULL, id INTEGER NOT NULL, size INTEGER, PRIMARY KEY (word, id), UNIQUE (word))"
    )
    forum.write("INSERT INTO words VALUES ('7', 1, 1), ('null', 2, 2), ('ünï \"q\"', 3, 3)")
    pair = "FROM words w JOIN words o ON o.word = w.word AND o.id = w.id"
    forum.project.derive("named", key=("word", "id"), query=f"SELECT w.word, w.id, w.size {pair}", freshness="tick")
    forum.project.derive("names", key="word", query=f"SELECT w.word, w.size {pair}", freshness="tick")
    forum.tidemark.apply()
    for name in ("named", "names"):
        forum.write(f"UPDATE {forum.store(name)} SET size = size + 5")
    forum.tidemark.verify()
    assert forum.tidemark.repair("named", keys=['["7",1]', '["null", 2]'])[0].keys == 2
    assert forum.tidemark.repair("names", keys=["7", "null", 'ünï "q"'])[0].keys == 3
    assert [(one.name, one.drift) for one in forum.tidemark.status()] == [("named", 1), ("names", 0)]
    forum.app.state.house.close()
    forum.session.close()


def test_a_verification_and_a_repair_are_watched_while_they_go_on(forum: Forum) -> None:
    forum.write(f"UPDATE {forum.store('post_authors')} SET name = 'eve'")
    watch = Watch()

    def hear(event: Event) -> None:
        watch.seconds += 2.0

    engine = Tidemark(forum.project, forum.url, clock=watch.clock, listen=hear)
    engine.verify("post_authors")
    engine.repair("post_authors")
    for kind in ("verify", "repair"):
        id_ = next(one["id"] for one in forum.get("/runs")["runs"] if one["kind"] == kind)
        assert isinstance(forum.get(f"/runs/{id_}", "run")["samples"], list)
    script = next(row for row in Ledger(forum.session).derived() if row.name == "post_authors").script
    duty = Duty(Ledger(forum.session), watch.clock)
    run = duty.write(lambda: add_run(duty, "verify", script, 40)).value
    telling = Telling(run)
    for _ in range(4):
        watch.seconds += 0.6
        run.rows_done += 10
        telling.tell(10, Hold(9.0, 1.0, 10, 250.0))
    told = list_samples(Ledger(forum.session), run.id)
    assert [(one.done, one.rows, one.chunks) for one in told] == [(20, 20, 2), (40, 20, 2)]
    run.finish()
