"""A definition whose filling fails: what is told, and what readers have meanwhile."""

import contextlib

import pytest

from tests.changes.shop import SCHEMA, Shop
from tidemark import Fault, Project, Tidemark
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


def _tidemark(url: str, query: object) -> Tidemark:
    project = Project("shop")
    project.derive("threads", query=query, key="thread_id")  # type: ignore[arg-type]
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
    assert "waits to be filled, and nobody is at it" in said and "is being filled" not in said
    assert any(one.startswith("failed at its last fill") for one in said)
    back = _tidemark(engine_url, COUNTED)
    # What was to have one column more is built anew.
    assert back.apply().live == ("threads",)
    (report,) = back.verify()
    assert report.clean and report.keys == 2


def test_one_thing_is_not_called_many() -> None:
    assert [tell_count(number, "row") for number in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [tell_doing(number, "row", "differ") for number in (1, 2)] == ["1 row differs", "2 rows differ"]
    assert [tell_part(*pair, "row", "differ") for pair in ((1, 2), (2, 2), (1, 1))] == [
        "1 of 2 rows differs",
        "2 of 2 rows differ",
        "1 of 1 row differs",
    ]
