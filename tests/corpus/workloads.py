"""The two workloads by name: their generators and their streams.

Owns: which modes of change there are. Promises: the same workload, size and seed give the same rows and transactions.
"""

from __future__ import annotations

from random import Random

from tests.corpus import tpcc_world, tpch_world
from tests.corpus.rows import Rows, Statement, stream

MODES = ("mixed", "deletes", "updates", "business")


def generate(workload: str, size: int, seed: int) -> Rows:
    """About `size` rows."""
    world = tpch_world if workload == "tpch" else tpcc_world
    return world.generate(size, Random(seed))


def transactions(workload: str, rows: Rows, mode: str, count: int) -> list[list[Statement]]:
    """The next transactions of an application, which change about `count` rows."""
    world = tpch_world if workload == "tpch" else tpcc_world
    return stream(rows, world.STEPS[mode], count)
