"""Random programs: the events are those that the query's own results say, for every class and freshness.

A plain run plays `STEPS` steps of each shape on each engine from a fixed seed; ``TIDEMARK_TEST_FULL=1`` plays thirty times as
many. Every step is one statement, so that both engines pass through the same states.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.kit.size import FULL, on_engines_in_turn
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.errors import Fault
from tidemark.render.crossings import Shown, crossing_select
from tidemark.render.postgres import crossings as postgres_crossings
from tidemark.render.postgres import flush as postgres_flush
from tidemark.render.postgres import flush_crossed as postgres_flush_crossed
from tidemark.render.sqlite import crossings as sqlite_crossings
from tidemark.runtime.clock import Clock

STEPS = 1200 if FULL else 40
SEARCHED = max(STEPS, 60)
"""Steps within which a mistake is found."""
AT = (1, 2, 4)
GROUPS = "SELECT g, count(*) AS n FROM facts GROUP BY g"
DIFFERENT = "SELECT g, count(DISTINCT v) AS n FROM facts WHERE v IS NOT NULL GROUP BY g"
JOINED = "SELECT p.name AS g, count(*) AS n FROM people p JOIN facts f ON f.g = p.id GROUP BY p.name"
GREATEST = "SELECT g, max(v) AS n FROM facts GROUP BY g HAVING min(v) > 0"
EACH = "SELECT p.id AS g, p.name AS who, (SELECT max(f.v) FROM facts f WHERE f.g = p.id) AS n FROM people p"
SHAPES = {
    "linear": (GROUPS, "commit", False),
    "linear-by-ticks": (GROUPS, "tick", True),
    "extremes": (GREATEST, "commit", True),
    "supported": (DIFFERENT, "commit", True),
    "recomputed-by-writers": (JOINED, "commit", True),
    "joined-by-ticks": (JOINED, "tick", False),
    "universe": (EACH, "commit", True),
}
Values = dict[Any, Any]

INTEGERS = ("integer", ("1", "2", "3", "NULL"))
SPELLED = {
    "sqlite": {
        "numbers": ("", ("1", "1.0", "2", "2.0", "0.3", "0.1 + 0.2", "-0.0", "0", "'1'", "x'02'", "'02'", "NULL")),
        "texts": ("TEXT COLLATE NOCASE", ("'a'", "'A'", "'bc'", "'Bc'", "'ä'", "'Ä'", "NULL")),
    },
    "postgres": {
        "numbers": ("numeric", ("1", "1.0", "1.00", "2", "2.0", "'NaN'", "NULL")),
        "texts": ('text COLLATE "unlike"', ("'a'", "'A'", "'bc'", "'Bc'", "'ä'", "NULL")),
    },
}
"""Types of a group's key, and values, of which some are equal and spelled otherwise."""
SPELLED_SHAPES = {
    f"{kind}-{name}": (query, freshness, False)
    for kind in ("numbers", "texts")
    for name, query, freshness in (
        ("linear", GROUPS, "commit"),
        ("by-ticks", GROUPS, "tick"),
        ("recomputed", DIFFERENT, "tick"),
    )
}


def _statement(rng: random.Random, groups: tuple[str, ...]) -> str:
    """One statement over tiny domains; a key may be NULL and a name may be shared."""
    fact, group, value = (
        rng.randint(1, 8),
        rng.choice(groups),
        rng.choice(("1", "2", "3", "5", "NULL")),
    )
    person, name = rng.randint(1, 3), rng.choice(("'a'", "'b'", "NULL"))
    over = f"ON CONFLICT (id) DO UPDATE SET g = {group}, v = {value}"
    return rng.choice(
        (
            f"INSERT INTO facts (id, g, v) VALUES ({fact}, {group}, {value}) {over}",
            f"UPDATE facts SET g = {group} WHERE id <= {fact}",
            f"UPDATE facts SET v = {value} WHERE id = {fact}",
            f"DELETE FROM facts WHERE id >= {fact}",
            f"INSERT INTO people (id, name) VALUES ({person}, {name}) ON CONFLICT (id) DO UPDATE SET name = {name}",
            f"DELETE FROM people WHERE id = {person}",
        )
    )


def _values(session: Session, query: str) -> Values:
    return {_alike(row[0]): row[-1] for row in session.all(query)}


def _alike(key: Any) -> Any:
    """What equal keys have in common, for one who knows what is written here: numbers are equal in Python, too."""
    if isinstance(key, bytes):
        return ("hex", key.hex())
    if isinstance(key, dict):
        return ("hex", key["hex"].lower())
    if key != key:
        return "nan"
    return "".join(one.lower() if one < "\x80" else one for one in key) if isinstance(key, str) else key


def _reached(before: Values, after: Values) -> list[tuple[Any, int]]:
    """The crossings from one state to the next."""
    low = float("-inf")
    return [
        (key, at)
        for key, value in after.items()
        for at in AT
        if value is not None and value >= at and (low if before.get(key) is None else before[key]) < at
    ]


@on_engines_in_turn("shape", [*SHAPES, *SPELLED_SHAPES])
def test_events_are_what_the_results_say(shape: str, engine_url: str) -> None:
    _play(shape, engine_url)


@pytest.mark.parametrize("right", [">= t.threshold", "< t.threshold)", "e.once = 1"])
def test_a_mistake_in_the_trigger_is_found(right: str, engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {">= t.threshold": "> t.threshold", "< t.threshold)": "<= t.threshold)", "e.once = 1": "e.once = 2"}[right]
    monkeypatch.setattr(
        postgres_crossings, "crossing_select", lambda *a, **k: crossing_select(*a, **k).replace(right, wrong)
    )
    monkeypatch.setattr(
        sqlite_crossings, "crossing_select", lambda *a, **k: crossing_select(*a, **k).replace(right, wrong)
    )
    if right == "e.once = 1" and engine_url.startswith("postgres"):
        # The index alone is enough there, because the insert asks for it.
        _play("linear", engine_url, SEARCHED)
        return
    with pytest.raises((AssertionError, Fault)):
        # Where each crossing counts, nothing else hides one too many.
        _play("linear" if right == "e.once = 1" else "linear-by-ticks", engine_url, SEARCHED)


@on_engines_in_turn("shape", SPELLED_SHAPES)
def test_events_that_are_known_by_the_text_of_their_key_would_be_told_again(
    shape: str, engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sqlite_crossings if engine_url.startswith("sqlite") else postgres_crossings
    known = engine._known
    monkeypatch.setattr(engine, "_known", lambda shown: replace(known(shown), alike=""))
    with pytest.raises(AssertionError):
        _play(shape, engine_url, SEARCHED)


def test_rows_of_a_statement_that_are_taken_for_what_they_became_are_found(
    pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(shown: Shown, *, changed: bool) -> str:
        return rows(shown, changed=changed).replace(postgres_crossings.WENT, postgres_crossings.CAME)

    rows = postgres_crossings._rows
    monkeypatch.setattr(postgres_crossings, "_rows", mistaken)
    with pytest.raises(AssertionError):
        _play("linear-by-ticks", pg_database, SEARCHED)


@pytest.mark.parametrize("shape", ["extremes", "universe"])
def test_adding_before_computing_anew_would_be_seen(
    shape: str, pg_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_flush_crossed, "flush_texts", postgres_flush.flush_texts)
    with pytest.raises(AssertionError):
        _play(shape, pg_database, SEARCHED)


def _play(shape: str, engine_url: str, steps: int = STEPS) -> None:
    query, freshness, again = (SHAPES | SPELLED_SHAPES)[shape]
    rng = random.Random(f"crossings/{shape}")
    # On SQLite every state on the way counts at commit freshness; these statements do not come back to where they were.
    several = freshness == "tick" or engine_url.startswith("postgres")
    with contextlib.closing(open_session(engine_url)) as session:
        with session.transaction():
            dialect, kind = session.dialect, shape.partition("-")[0]
            type_, groups = SPELLED[dialect.name].get(kind, INTEGERS)
            if dialect.has_schemas and kind == "texts":
                session.script(
                    "CREATE COLLATION unlike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
                )
            session.script(f"CREATE TABLE facts (id integer PRIMARY KEY, g {type_}, v integer)")
            session.script("CREATE TABLE people (id integer PRIMARY KEY, name text)")
            session.script("CREATE INDEX facts_g ON facts (g)")
        project = Project("programs")
        derived = project.derive("counts", key="g", query=query, freshness=freshness)  # type: ignore[arg-type]
        derived.on_crossing("n", at=AT, again=again)
        engine = Tidemark(project, engine_url, clock=Clock(wait=lambda seconds: None))
        engine.apply()
        expected: Counter[tuple[Any, int]] = Counter()
        before: Values = {}
        for _ in range(steps):
            with session.transaction():
                for _ in range(rng.randint(1, 4) if several else 1):
                    session.run(_statement(rng, groups))
            if freshness == "tick":
                engine.tick()
            after = _values(session, query)
            assert (
                _values(session, "SELECT * FROM counts" if shape == "universe" else "SELECT g, n FROM counts") == after
            )
            expected.update(_reached(before, after))
            before = after
        found = Counter((_alike(one.key["g"]), int(one.threshold)) for one in engine.events(limit=10_000))
        wanted = expected if again else Counter(dict.fromkeys(expected, 1))
        assert expected
        assert found == wanted
