"""Every query of the corpus on both engines over tiny data: true after each of several random batches, or on the list."""

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
from tidemark import Refusal

SEED = 20260
SIZE = {"tpch": 900, "tpcc": 400}
CHANGES = 24
GROUP = 32
MODES = ("mixed", "deletes", "updates")


def _groups() -> list[tuple[str, int]]:
    counts = {workload: sum(1 for query in queries() if query.workload == workload) for workload in WORKLOADS}
    return [(workload, start) for workload in WORKLOADS for start in range(0, counts[workload], GROUP)]


@pytest.fixture(params=ENGINES)
def ground(request: pytest.FixtureRequest) -> Iterator[Ground]:
    if request.param == "sqlite":
        with sqlite_ground(Path(request.getfixturevalue("tmp_path")) / "corpus.db") as found:
            yield found
    else:
        with postgres_ground(request.getfixturevalue("postgres")) as found:
            yield found


@pytest.mark.parametrize(("workload", "start"), _groups())
def test_kept_true_or_refused_as_listed(workload: str, start: int, ground: Ground) -> None:
    print(f"seed {SEED}")
    mine = [query for query in queries() if query.workload == workload][start : start + GROUP]
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
