"""A definition whose filling fails: what is told, and what readers have meanwhile."""

import contextlib

import pytest

from tests.changes.shop import SCHEMA, Shop
from tidemark import Fault, Project, Tidemark
from tidemark.database.open import open_session
from tidemark.runtime.operate.status import GIVEN_UP
from tidemark.telling import tell_count, tell_doing, tell_part

COUNTED = "SELECT thread_id, count(*) AS n FROM posts WHERE thread_id IS NOT NULL GROUP BY thread_id"
FAILING = {
    "sqlite": COUNTED.replace(
        "count(*) AS n", "count(*) AS n, max(CASE WHEN other = 50 THEN json_extract(other || 'x', '$.a') END) AS most"
    ),
    "postgresql": COUNTED.replace(
        "count(*) AS n", "count(*) AS n, max(CASE WHEN other = 50 THEN CAST(other || 'x' AS integer) END) AS most"
    ),
}


def _tidemark(url: str, query: object, **options: object) -> Tidemark:
    project = Project("shop")
    project.derive("threads", query=query, key="thread_id", **options)  # type: ignore[arg-type]
    return Tidemark(project, url)


def test_a_change_of_definition_that_fails_names_the_table_and_leaves_readers_theirs(engine_url: str) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    _tidemark(engine_url, COUNTED).apply()
    with pytest.raises(Fault) as fault:
        _tidemark(engine_url, FAILING).apply()
    assert fault.value.cause.startswith("threads: ")
    assert "readers have what they had, which is kept as before" in fault.value.left_behind
    shop.run("INSERT INTO posts VALUES (9, 1, 1, 5, 60)")
    with contextlib.closing(Tidemark(None, engine_url).onlooker()) as eye:
        said = {one.says for one in eye.overview().verdict.findings if one.name == "threads"}
    assert len(said) == 1 and all(one.startswith("failed: ") for one in said)
    back = _tidemark(engine_url, COUNTED)
    # What was to have one column more is gone, and what readers have is what it was.
    assert [step.verb for step in back.plan().steps] == ["drop"] and back.apply().live == ()
    (report,) = back.verify()
    assert report.clean and report.keys == 2


OTHER = {engine: query.replace("count(*) AS n", "count(*) + 0 AS n") for engine, query in FAILING.items()}
UNREADABLE = "INSERT INTO posts VALUES (10, 1, 1, 5, 50)"
MENDED = "UPDATE posts SET other = 51 WHERE other = 50"


def _triggers(shop: Shop) -> int:
    """How many triggers somebody who writes a post meets."""
    texts = {
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'posts'",
        "postgres": "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'posts'::regclass AND NOT tgisinternal",
    }
    with contextlib.closing(open_session(shop.url)) as session:
        found = session.one(texts[session.dialect.name])
    return int(found[0]) if found else 0


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("detached", [False, True])
def test_what_failed_before_anybody_saw_it_is_in_nobodys_way(engine_url: str, freshness: str, detached: bool) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    failing = _tidemark(engine_url, FAILING, freshness=freshness)
    if detached:
        failing.apply(detach=True)
        assert _triggers(shop)
        assert failing.run(until_idle=True).problems == 1
    else:
        with pytest.raises(Fault):
            failing.apply()
    assert not _triggers(shop)
    shop.run(UNREADABLE)
    (status,) = failing.status()
    assert (status.state, status.captures, status.next) == ("failed", GIVEN_UP, "tidemark apply")
    assert status.failure and "change the data or the definition, then tidemark apply" in status.failure
    shop.run(MENDED)
    assert failing.apply().live == ("threads",)
    shop.run("INSERT INTO posts VALUES (11, 1, 1, 5, 60)")
    failing.tick()
    assert failing.verify()[0].clean and failing.plan().is_empty


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("query", [FAILING, OTHER], ids=["gains a column", "another one"])
def test_a_change_that_failed_leaves_the_old_definition_alone_with_writers(
    engine_url: str, query: dict[str, str], freshness: str
) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    old = _tidemark(engine_url, COUNTED, freshness=freshness)
    old.apply()
    before = _triggers(shop)
    with contextlib.closing(open_session(engine_url)), pytest.raises(Fault):
        _tidemark(engine_url, query, freshness=freshness).apply()
    assert _triggers(shop) == before
    shop.run(UNREADABLE)
    old.tick()
    live, failed = sorted(old.status(), key=lambda one: one.generation)
    assert (live.state, live.captures, live.drift) == ("live", "ok", 0)
    assert (failed.state, failed.captures) == ("failed", GIVEN_UP)
    assert old.verify(live.name)[0].clean
    with contextlib.closing(open_session(engine_url)) as session:
        assert session.all("SELECT n FROM threads WHERE thread_id = 1") == [(3,)]
    shop.run(MENDED)
    changed = _tidemark(engine_url, query, freshness=freshness)
    assert changed.apply().live == ("threads",)
    shop.run("INSERT INTO posts VALUES (11, 1, 1, 5, 60)")
    changed.tick()
    assert changed.verify()[0].clean and changed.plan().is_empty


def test_one_thing_is_not_called_many() -> None:
    assert [tell_count(number, "row") for number in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [tell_doing(number, "row", "differ") for number in (1, 2)] == ["1 row differs", "2 rows differ"]
    assert [tell_part(*pair, "row", "differ") for pair in ((1, 2), (2, 2), (1, 1))] == [
        "1 of 2 rows differs",
        "2 of 2 rows differ",
        "1 of 1 row differs",
    ]
