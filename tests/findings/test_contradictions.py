"""A unit that is asked for in a wrong way is computed wrong each time alike; only the query as a whole says so."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.findings.place import Place
from tidemark.render import restriction

QUERY = "SELECT b.id, count(a.id) AS n FROM b LEFT JOIN a ON a.id = b.a_id GROUP BY b.id"


def _narrowed(made: Callable[..., str]) -> Callable[..., str]:
    def narrow(*given: Any, **named: Any) -> str:
        return f"{made(*given, **named)} AND b.id <> 2"

    return narrow


def test_a_verification_does_not_ask_as_upkeep_does(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_condition", "_look_up"):
        monkeypatch.setattr(restriction, name, _narrowed(getattr(restriction, name)))
    place.run("CREATE TABLE a (id INTEGER PRIMARY KEY)", "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER)")
    place.run("INSERT INTO a VALUES (1)", f"INSERT INTO b VALUES {', '.join(f'({n}, 1)' for n in range(200))}")
    place.install("kept", QUERY, "id", freshness="tick")
    place.verified()
    place.run("UPDATE b SET a_id = 7 WHERE id = 2")
    place.tidemark.tick()
    (report,) = place.tidemark.verify()
    assert [(one.kind, one.key, one.stored, one.truth) for one in report.findings] == [("missing", (2,), None, (0,))]
    place.run("DELETE FROM b WHERE id = 2")
    place.drained()
    place.verified()


def test_rows_that_tie_are_no_contradiction(pg: Place) -> None:
    pg.run("CREATE TABLE b (id integer PRIMARY KEY, a_id integer, v integer, w text)", "CREATE INDEX by_a ON b (a_id)")
    pg.run("INSERT INTO b SELECT n, n % 20, n % 3, 'w' || n FROM generate_series(1, 600) AS n")
    pg.install("kept", "SELECT DISTINCT ON (a_id) a_id, w FROM b ORDER BY a_id, v", "a_id", freshness="tick")
    pg.run("UPDATE b SET v = v WHERE a_id = 7", "UPDATE b SET w = w || 'x' WHERE id = 27")
    pg.tidemark.repair()
    # What one unit after the other has come to stays, whatever comes first where everything is read.
    assert [report.drift for report in pg.tidemark.verify()] == [0]
