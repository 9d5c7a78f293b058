"""Windows by what nobody is shown: it is stored and not seen, at either freshness, and definitions may change around it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.algebra.world import Place
from tidemark.declare import Project
from tidemark.engine import Tidemark
from tidemark.errors import Code, Refusal

SEED = 20261129
PLACES = "SELECT id, row_number() OVER (PARTITION BY author ORDER BY score, id) AS place FROM posts"
DEFINITIONS = (
    PLACES,
    "SELECT id, author, row_number() OVER (PARTITION BY author ORDER BY score, id) AS place FROM posts",
    PLACES.replace(" FROM", ", state FROM"),
    "SELECT id, row_number() OVER (PARTITION BY state ORDER BY score, id) AS place FROM posts",
    PLACES,
)
REFUSED = (
    "SELECT id, count(*) OVER (PARTITION BY author) AS a, count(*) OVER (PARTITION BY state) AS s FROM posts",
    "SELECT id, count(*) OVER (PARTITION BY 1) AS n FROM posts",
    "SELECT DISTINCT id, rank() OVER (PARTITION BY author ORDER BY score) AS n FROM posts",
)


def _project(query: str, **options: object) -> Project:
    project = Project("partitions")
    project.derive("places", query=query, key="id", **options)  # type: ignore[arg-type]
    return project


@pytest.fixture
def url(engine_url: str) -> Iterator[str]:
    yield engine_url


def _is_true(place: Place, query: str) -> bool:
    return place.bag("SELECT * FROM places") == place.bag(query)


@pytest.mark.parametrize("freshness", ["tick", "commit"])
def test_rows_move_from_piece_to_piece(url: str, freshness: str) -> None:
    place = Place.make(url, _project(PLACES, freshness=freshness), SEED)
    try:
        assert place.tidemark.explain("places").klass == "keyed"
        assert place.tidemark.explain("places").columns == ("id", "place")
        rng = random.Random(SEED)
        for _ in range(25):
            done = place.step(rng, rng.choice((1, 2, 4)))
            assert _is_true(place, PLACES), done
        assert all(report.clean for report in place.tidemark.verify())
    finally:
        place.user.close()


def test_a_definition_may_show_what_was_not_seen_and_hide_it_again(url: str) -> None:
    place = Place.make(url, _project(PLACES, freshness="tick"), SEED)
    try:
        rng = random.Random(SEED)
        for query in DEFINITIONS:
            place.tidemark = Tidemark(_project(query, freshness="tick"), url)
            place.tidemark.apply()
            assert _is_true(place, query)
            for _ in range(5):
                done = place.step(rng, 2)
                assert _is_true(place, query), done
    finally:
        place.user.close()


def test_rows_as_of_now_are_found_by_a_key_that_is_seen(url: str) -> None:
    with pytest.raises(Refusal, match="found by units that are not its key") as met:
        Place.make(url, _project(PLACES, freshness="tick", live=True), SEED)
    assert met.value.code is Code.FRESHNESS


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_no_piece_needs_consent_as_ever(url: str, query: str) -> None:
    with pytest.raises(Refusal) as met:
        Place.make(url, _project(query, freshness="tick"), SEED)
    assert met.value.code is Code.GLOBAL
