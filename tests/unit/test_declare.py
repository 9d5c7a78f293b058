"""Declarations: what is accepted, and what is refused where it stands."""

import inspect
from typing import Any

import pytest

from tidemark import Project, ratchet
from tidemark.errors import Code, Refusal

QUERY = "SELECT a, count(*) AS n FROM t GROUP BY a"


def test_a_declaration_keeps_what_was_said() -> None:
    project = Project("shop")
    declaration = project.derive(
        "d",
        query={"sqlite": QUERY, "postgresql": QUERY},
        key="a",
        freshness="tick",
        every="30s",
        indexes=["n", ["a", "n"]],
    )
    line = inspect.stack()[0].lineno
    assert project.declarations == (declaration,)
    assert (declaration.key, declaration.indexes) == (("a",), (("n",), ("a", "n")))
    assert declaration.query_for("postgres") == declaration.query_for("sqlite") == QUERY
    assert project.cadence == {"d": 30.0}
    file, _, place = declaration.place.rpartition(":")
    assert file == __file__ and line - 9 <= int(place) < line


def test_one_text_serves_both_engines() -> None:
    declaration = Project("shop").derive("d", query=QUERY)
    assert declaration.query_for("postgres") == QUERY and declaration.key == ()


@pytest.mark.parametrize(
    "name",
    ["", "  ", "_x", "a\0b", "tidemark_x", "sqlite_x", "pg_x", "stats_g2", "x" * 64, "ü" * 32, "\ud800", 7, None],
)
def test_a_bad_name_is_refused(name: Any) -> None:
    with pytest.raises(Refusal) as refused:
        Project("shop").derive(name, query=QUERY)
    assert refused.value.code is Code.NAME and __file__ in refused.value.reason


@pytest.mark.parametrize("name", ["order", 'a "quoted" name', "Ünïcode ☃", "x" * 63, "a b", "select"])
def test_a_strange_name_is_accepted(name: str) -> None:
    assert Project("shop").derive(name, query=QUERY).name == name


@pytest.mark.parametrize(
    "options",
    [
        {"query": ""},
        {"query": 7},
        {"query": {}},
        {"query": {"oracle": QUERY}},
        {"query": {"sqlite": ""}},
        {"query": "SELECT '\0'"},
        {"key": ""},
        {"key": []},
        {"key": ["a", "a"]},
        {"key": [1]},
        {"freshness": "hourly"},
        {"every": "soon"},
        {"every": "0s"},
        {"every": "3s", "freshness": "commit"},
        {"columns_of": "x", "rows_of": "y"},
        {"indexes": [""]},
        {"was": "d"},
        {"sampled": [1]},
        {"keep": {}},
        {"keep": {"a": "ratchet"}},
        {"keep": {1: ratchet()}},
        {"marks": "then", "keep_rows": True},
        {"marks": "now"},
    ],
)
def test_a_bad_option_is_refused_with_its_place(options: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        Project("shop").derive("d", **{"query": QUERY, **options})
    assert refused.value.code is Code.DECLARATION
    assert refused.value.derived == "d" and __file__ in refused.value.reason


def test_an_option_that_is_not_built_is_not_taken() -> None:
    with pytest.raises(TypeError):
        Project("shop").derive("d", query=QUERY, watched=["x"])  # type: ignore[call-arg]


def test_a_name_is_declared_once() -> None:
    project = Project("shop")
    project.derive("d", query=QUERY)
    with pytest.raises(Refusal, match="twice"):
        project.derive("d", query=QUERY)


def test_sources_state_facts_once() -> None:
    project = Project("shop")
    assert project.source("plays", append_only=True).append_only
    assert set(project.sources) == {"plays"}
    with pytest.raises(Refusal):
        project.source("plays")


def test_facts_that_exclude_each_other_are_refused() -> None:
    project = Project("p")
    assert project.source("posts", pruned=True).pruned
    assert project.source("plays", capture="scan", watermark="block").marks == "now"
    wrong: tuple[dict[str, object], ...] = (
        {"capture": "scan"},
        {"capture": "log"},
        {"watermark": "block"},
        {"capture": "scan", "watermark": "block", "marks": "later"},
        {"capture": "scan", "watermark": "block", "pruned": True},
    )
    for facts in wrong:
        with pytest.raises(Refusal):
            project.source("likes", **facts)  # type: ignore[arg-type]
