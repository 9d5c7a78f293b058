"""While a replacement is filled, what readers see stays true: the older generation is ticked all the same."""

import contextlib
from dataclasses import replace

import pytest

from tests.changes.shop import SCHEMA, Shop
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.dialect import Dialect
from tidemark.runtime import apply, fill, fill_pages, meanwhile
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
    for room in (fill, fill_pages):
        monkeypatch.setattr(room, "choose_patient_pace", _small)
    behind = play_replacement(engine_url, *way)
    assert len(behind) >= 5 and max(behind) <= 2, behind


def test_a_filling_that_ticks_nothing_meanwhile_is_found_out(sqlite_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "keeping", lambda duty, before: duty)
    for room in (fill, fill_pages):
        monkeypatch.setattr(room, "choose_patient_pace", _small)
    behind = play_replacement(f"sqlite:///{sqlite_path}", *WAYS[0])
    assert max(behind) > 2, behind
