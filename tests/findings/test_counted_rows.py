"""SQLite plans by what ANALYZE counted, and 3.40 makes Bloom filters of other values than those of an index over expressions."""

import pytest

from tests.findings.place import Place

MODE = "SELECT g, (SELECT b.h FROM t b WHERE b.g = a.g GROUP BY b.h ORDER BY count(*) DESC, b.h LIMIT 1) AS h FROM t a GROUP BY g"
COUNTED = "SELECT g, count(*) AS n, max(h) AS h FROM t GROUP BY g"


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@pytest.mark.parametrize("query", [MODE, COUNTED], ids=["computed", "added"])
def test_a_row_goes_whose_key_may_be_null_after_the_rows_were_counted(lite: Place, query: str, freshness: str) -> None:
    lite.run("CREATE TABLE t (id INTEGER PRIMARY KEY, g INTEGER UNIQUE, h INTEGER)", "INSERT INTO t VALUES (2, 7, -1)")
    lite.install("kept", query, "g", freshness=freshness)  # type: ignore[arg-type]
    lite.run("INSERT INTO t VALUES (3, 1, 4), (5, NULL, 3)")
    lite.drained()
    lite.run("ANALYZE", "DELETE FROM t WHERE g = 1")
    lite.drained()
    lite.run("REPLACE INTO t VALUES (2, 1, 5)", "DELETE FROM t WHERE g IS NULL")
    lite.drained()
    lite.verified()
