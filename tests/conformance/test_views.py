"""The queries of views, as SQL that the engine takes back."""

from tests.conformance.conftest import execute
from tidemark.database.session import Session
from tidemark.model import Table


def _find(session: Session, name: str) -> Table:
    table = session.catalog().find(name)
    assert table is not None
    return table


def test_views_carry_their_query(session: Session) -> None:
    execute(
        session,
        "CREATE TABLE a (id integer PRIMARY KEY, s text)",
        "INSERT INTO a VALUES (1, 'x'), (2, 'as')",
        "CREATE VIEW plain AS SELECT id, s AS word FROM a WHERE s <> ' AS (' -- the end",
        'CREATE VIEW /* v(x) AS */ "named (x) AS" ("the id", "a ""word""") AS SELECT id, s FROM a UNION SELECT 3, \'z\'',
        "CREATE VIEW over AS WITH c(n) AS (SELECT word FROM plain) SELECT n FROM c",
    )
    for name, wanted in [
        ("plain", [(1, "x"), (2, "as")]),
        ("named (x) AS", [(1, "x"), (2, "as"), (3, "z")]),
        ("over", [("as",), ("x",)]),
    ]:
        table = _find(session, name)
        assert table.definition is not None
        assert sorted(session.all(table.definition)) == wanted
        assert [column.name for column in session.describe(table.definition)] == [c.name for c in table.columns]
    assert _find(session, "a").definition is None
