"""Sums of floats in a row that also holds NaN: what the order of adding explains is no drift there either."""

import pytest

from tests.findings.place import Place
from tidemark.model import Freshness


@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_a_nan_beside_a_sum_is_no_drift(pg: Place, freshness: Freshness) -> None:
    pg.run(
        "CREATE TABLE t (id integer PRIMARY KEY, g integer, a double precision, b double precision)",
        "INSERT INTO t VALUES (1, 1, 'NaN', 0.1), (2, 1, 'Infinity', 0.2), (3, 1, '-Infinity', 0.3), (4, 2, 1e308, 1)",
    )
    pg.derive("sums", "SELECT g, sum(a) AS a, sum(b) AS b FROM t GROUP BY g", freshness=freshness)
    pg.tidemark.apply()
    # As if the same values had been added in another order.
    pg.run("UPDATE tidemark.sums SET _b = _b * (1 + 1e-14)")
    (report,) = pg.tidemark.verify()
    assert report.keys == 2 and report.drift == 0 and report.findings == ()
    pg.run("UPDATE tidemark.sums SET _b = _b * (1 + 1e-6)")
    assert pg.tidemark.verify()[0].drift == 2
    pg.tidemark.repair()
    pg.verified()
