"""While a replacement is filled, what readers see stays true: the older generation is ticked all the same."""

import contextlib
from dataclasses import replace

import pytest

from tests.changes.shop import PACED, SCHEMA, Shop
from tidemark import Fault, Project, Tidemark
from tidemark.database.open import open_session
from tidemark.dialect import Dialect
from tidemark.runtime.backfill import fill_pages
from tidemark.runtime.changes import apply, meanwhile
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects import install
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.progress import Event

WAYS = (
    (
        "SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id",
        "SELECT thread_id, sum(1) AS n FROM posts GROUP BY thread_id",
    ),
    (
        "SELECT p.id, 1 AS n, u.name FROM posts p JOIN users u ON u.id = p.user_id",
        "SELECT p.id, 1 AS n, u.name || '!' AS name FROM posts p JOIN users u ON u.id = p.user_id",
    ),
)


def _declared(url: str, query: str) -> Project:
    project = Project("shop")
    project.derive("threads", query=query, freshness="tick")
    return project


def play_replacement(url: str, first: str, second: str) -> list[int]:
    """Replace a definition while posts come, one for each chunk; give how many posts readers were behind at each of them."""
    shop = Shop(url)
    shop.run(*SCHEMA, "DELETE FROM posts WHERE user_id IS NULL")
    shop.run("INSERT INTO posts SELECT p.id + 10 * u.id, p.id + 10 * u.id, 1, 1, 1 FROM posts p, users u")
    Tidemark(_declared(url, first), url).apply()
    behind: list[int] = []
    with contextlib.closing(open_session(url)) as session:

        def look(event: Event) -> None:
            if event.phase in ("fill", "verify") and event.done:
                row = session.one("SELECT (SELECT count(*) FROM posts) - (SELECT sum(n) FROM threads)")
                behind.append(int(row[0]) if row else 0)
                shop.run("INSERT INTO posts SELECT max(id) + 1, 1, 1, 1, 1 FROM posts")

        Tidemark(_declared(url, second), url, listen=look).apply()
        tidemark = Tidemark(_declared(url, second), url)
        tidemark.tick()
        assert tidemark.plan().is_empty and all(report.clean for report in tidemark.verify())
        assert sorted(session.all("SELECT * FROM threads")) == sorted(session.all(second))
    return behind


def _small(dialect: Dialect) -> Pace:
    return replace(choose_pace(dialect), size=1, size_min=1, size_max=1)


@pytest.mark.parametrize("way", WAYS, ids=["added", "computed"])
def test_what_readers_see_is_ticked_while_another_definition_is_filled(
    engine_url: str, way: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meanwhile, "EVERY_SECONDS", 0.0)
    for room in PACED:
        monkeypatch.setattr(room, "choose_patient_pace", _small)
    behind = play_replacement(engine_url, *way)
    assert len(behind) >= 5 and max(behind) <= 2, behind


def test_a_filling_that_ticks_nothing_meanwhile_is_found_out(sqlite_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "keeping", lambda duty, before: duty)
    for room in PACED:
        monkeypatch.setattr(room, "choose_patient_pace", _small)
    behind = play_replacement(f"sqlite:///{sqlite_path}", *WAYS[0])
    assert max(behind) > 2, behind


@pytest.mark.parametrize(
    ("change", "gap"),
    [
        (
            "ALTER TABLE posts ATTACH PARTITION late FOR VALUES FROM (900) TO (999)",
            "partition public.late of posts has come",
        ),
        ("ALTER TABLE posts DETACH PARTITION early", "partition public.early of posts is gone"),
    ],
    ids=["attached", "detached"],
)
def test_a_filling_beside_which_the_source_was_changed_begins_again_before_anything_is_compared(
    pg_database: str, change: str, gap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A comparison would find what came by the thousand, and would mend what is thrown away."""
    shop, query = Shop(pg_database), "SELECT thread_id, count(*) AS n, max(id) AS newest FROM posts GROUP BY thread_id"
    shop.run(
        "CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer) PARTITION BY RANGE (id)",
        "CREATE TABLE early PARTITION OF posts FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE rest PARTITION OF posts FOR VALUES FROM (10) TO (900)",
        "CREATE INDEX ON posts (thread_id)",
        "CREATE TABLE late (id integer PRIMARY KEY, thread_id integer)",
        "INSERT INTO posts SELECT n, n % 7 FROM generate_series(1, 40) AS n",
        "INSERT INTO late SELECT n, n % 9 FROM generate_series(900, 940) AS n",
    )
    monkeypatch.setattr(fill_pages, "choose_patient_pace", _small)
    done, project = list[str](), Project("shop")
    project.derive("threads", query=query)

    def look(event: Event) -> None:
        if event.phase == "fill" and event.done and not done:
            done.append(change)
            shop.run(change)

    with contextlib.closing(open_session(pg_database)) as session:
        with pytest.raises(Fault, match=f"missed changes while it was filled: {gap}"):
            Tidemark(project, pg_database, listen=look).apply()
        tidemark = Tidemark(project, pg_database)
        assert {run.kind for run in tidemark.history("threads")} == {"apply", "fill", "gap"}
        tidemark.apply()
        assert tidemark.plan().is_empty and all(report.clean for report in tidemark.verify())
        assert sorted(session.all("SELECT * FROM threads")) == sorted(session.all(query))


def test_a_trigger_that_goes_before_the_filling_begins_is_missed(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place in the schema is looked at when the filling begins; what was seen then counts while the schema is the same."""
    shop, project = Shop(engine_url), Project("shop")
    shop.run("CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer)", "INSERT INTO posts VALUES (1, 1)")
    project.derive("threads", query="SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id", freshness="commit")
    looks, begin = list[object](), install.begin_filling

    def lose(duty: Duty, installed: Installed, **about: bool) -> Installed:
        trigger = next(piece for piece in installed.script.pieces if piece.kind == "trigger" and piece.capture)
        duty.session.script(trigger.drop)
        return begin(duty, installed, **about)

    missed = pytest.raises(Fault, match="missed changes while it was filled: trigger .* is missing")
    with missed, monkeypatch.context() as patch:
        patch.setattr(install, "begin_filling", lose)
        Tidemark(project, engine_url).apply()
    monkeypatch.setattr(apply, "look_at_catalog", lambda *about: looks.append(about))
    Tidemark(project, engine_url).apply()
    assert not looks and all(report.clean for report in Tidemark(project, engine_url).verify())
