"""Queries of the corpus on both engines over tiny data: true after each of several random batches, or on the list.

A plain run takes one query of `SHARE` on each engine, from every file of the corpus, and all that are on the list of refusals;
the parts of the two engines have no query in common. ``TIDEMARK_TEST_TURN`` chooses another part, ``TIDEMARK_TEST_FULL=1``
takes all of them, and ``python -m tests.corpus`` measures all of them over more data.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.corpus.ground import ENGINES, Ground, postgres_ground, sqlite_ground
from tests.corpus.keeping import Keeping
from tests.corpus.measure import differences
from tests.corpus.queries import WORKLOADS, Query, queries
from tests.corpus.refusals import expected
from tests.corpus.workloads import generate, transactions
from tests.kit.size import TURN, in_turn
from tidemark import Refusal

SEED = 20260
SIZE = {"tpch": 900, "tpcc": 400}
CHANGES = 24
GROUP = 32
SHARE = {"sqlite": 8, "postgresql": 8}
MODES = ("mixed", "deletes", "updates")


def _taken(engine: str, workload: str) -> list[Query]:
    """The queries of a workload that this run tries on an engine."""
    # An odd distance between two even shares: what one engine takes, the other does not.
    distance = ENGINES.index(engine)
    return [
        query
        for number, query in enumerate(queries())
        if query.workload == workload
        and (in_turn(number + distance, SHARE[engine]) or (engine, query.name) in expected())
    ]


def _groups() -> list[tuple[str, str, int]]:
    return [
        (engine, workload, start)
        for engine in ENGINES
        for workload in WORKLOADS
        for start in range(0, len(_taken(engine, workload)), GROUP)
    ]


@pytest.fixture
def ground(engine: str, request: pytest.FixtureRequest) -> Iterator[Ground]:
    if engine == "sqlite":
        with sqlite_ground(Path(request.getfixturevalue("tmp_path")) / "corpus.db") as found:
            yield found
    else:
        with postgres_ground(request.getfixturevalue("postgres")) as found:
            yield found


@pytest.mark.parametrize(("engine", "workload", "start"), _groups())
def test_kept_true_or_refused_as_listed(engine: str, workload: str, start: int, ground: Ground) -> None:
    print(f"seed {SEED} turn {TURN}")
    mine = _taken(engine, workload)[start : start + GROUP]
    rows = generate(workload, SIZE[workload], SEED + start)
    ground.create(workload, rows)
    accepted = [query for query in mine if (ground.engine, query.name) not in expected()]
    _refused_as_listed(ground, mine)
    keeping = Keeping(ground, accepted)
    keeping.install()
    for mode in MODES:
        ground.write(transactions(workload, rows, mode, CHANGES))
        _, failed = keeping.tick()
        found = [failed[name] for name in sorted(failed)]
        found += [
            f"{query.name} {difference}" for query in accepted if (difference := differences(keeping, query, mode))
        ]
        assert not found, "\n".join(found)


def _refused_as_listed(ground: Ground, mine: list[Query]) -> None:
    listed = [query for query in mine if (ground.engine, query.name) in expected()]
    compiled = Keeping(ground, listed).compile() if listed else {}
    codes = {name: found.code.value if isinstance(found, Refusal) else "kept" for name, found in compiled.items()}
    assert codes == {query.name: expected()[ground.engine, query.name] for query in listed}


def test_the_corpus_is_as_large_as_it_says() -> None:
    wholesaler = [query for query in queries() if query.workload == "tpcc"]
    assert len({query.text(engine) for query in wholesaler for engine in ENGINES[:1]}) == len(wholesaler) >= 300
    assert sum(1 for query in queries() if query.workload == "tpch") == 22


@pytest.mark.parametrize("engine", ENGINES)
def test_every_file_of_the_corpus_is_tried(engine: str) -> None:
    kinds = {query.kind for workload in WORKLOADS for query in _taken(engine, workload)}
    assert kinds == {query.kind for query in queries()}


def test_the_list_names_queries_of_the_corpus() -> None:
    assert {name for _, name in expected()} <= {query.name for query in queries()}


def test_what_is_not_applied_yet_is_seen_as_wrong(sqlite_path: Path) -> None:
    (query,) = [query for query in queries() if query.name == "revenue_by_category"]
    rows = generate("tpcc", SIZE["tpcc"], SEED)
    with sqlite_ground(sqlite_path) as ground:
        ground.create("tpcc", rows)
        keeping = Keeping(ground, [query])
        keeping.install()
        ground.write(transactions("tpcc", rows, "mixed", CHANGES))
        assert differences(keeping, query, "before the tick")
        keeping.tick()
        assert not differences(keeping, query, "after the tick")
