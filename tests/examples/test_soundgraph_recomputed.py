"""Every declared query over random base rows: it gives what plain Python works out from the network's rules, and a query with
a mistake in it does not."""

import re

import pytest

from examples.soundgraph import supporters
from examples.soundgraph.derived import DECLARED
from tests.examples.conftest import MakeStore
from tests.examples.recomputed.comparison import COLUMNS, FAMILIES, STEPS, compare, declared_queries, work_out
from tests.examples.recomputed.network import Network
from tests.examples.recomputed.random_rows import NOW, fill

SEEDS = (1, 2, 3, 4, 6, 20)
"""Together they reach everything that the rows can reach. ``python -m tests.examples.recomputed`` tries others."""
CASES = [*(("sqlite", seed) for seed in SEEDS), ("postgresql", 6), ("postgresql", 7)]
TOO_RARE = {"challenge_p3"}
"""A reward for more plays than these rows have: test_soundgraph_edges has its edges."""
ON_SQLITE = pytest.mark.parametrize("new_database", ["sqlite"], indirect=True)


@pytest.mark.parametrize(("new_database", "seed"), CASES, indirect=["new_database"])
def test_every_query_gives_what_plain_python_works_out(new_store: MakeStore, seed: int) -> None:
    store = new_store()
    fill(store, seed)
    findings = compare(store, declared_queries(store.engine))
    assert not findings, "\n".join(findings)


def test_everything_that_is_declared_is_compared() -> None:
    assert {one.name for one in DECLARED} | {supporters.NAME} == {*COLUMNS, *FAMILIES, *STEPS}


@ON_SQLITE
def test_the_rows_reach_every_table_and_every_kind_of_notice(new_store: MakeStore) -> None:
    reached, told, karma = set(), set(), set()
    for seed in SEEDS:
        store = new_store()
        fill(store, seed)
        tables, notices = work_out(Network(store, NOW))
        reached |= {name for name, rows in tables.items() if rows}
        told |= {kind for kind, *_ in notices}
        karma |= {points for _, points in tables["user_karma"]}
    queries = declared_queries("sqlite")
    assert reached | TOO_RARE == set(COLUMNS) - set(STEPS)
    assert told == {kind for family in FAMILIES for kind in re.findall(r"'(\w+)' AS type", queries[family])}
    assert len(karma) > 1


MISTAKES = {
    "aggregate_user": (6, "AND r.is_current AND NOT r.is_delete", "AND r.is_current"),
    "aggregate_plays": (6, "GROUP BY play_item_id", "GROUP BY play_item_id, user_id"),
    "user_karma": (6, "f.is_current AND ", ""),
    "user_score_features": (1, "('m', 'b')", "('m')"),
    "track_trending_scores": (6, "p.created_at >= ", "p.created_at > "),
    "underground_trending": (6, "s.place > 20", "s.place >= 20"),
    "challenge_b": (6, "p.amount >= 1000000", "p.amount > 1000000"),
    "challenge_cs": (6, ") < 5", ") < 6"),
    "notices_comments": (6, " AND NOT p.is_delete", ""),
    "notices_claimable": (6, "h.cooldown_days > 0 AND ", ""),
}
"""A seed, a part of the text of a declared query, and what is written in its place."""


@pytest.mark.parametrize("name", MISTAKES)
@ON_SQLITE
def test_a_mistake_in_a_query_is_found(new_store: MakeStore, name: str) -> None:
    store, queries = new_store(), declared_queries("sqlite")
    seed, right, wrong = MISTAKES[name]
    assert right in queries[name]
    fill(store, seed)
    findings = compare(store, queries | {name: queries[name].replace(right, wrong)})
    told = "notices of " if name in FAMILIES else f"{name}: "
    assert any(finding.startswith(told) for finding in findings), findings
