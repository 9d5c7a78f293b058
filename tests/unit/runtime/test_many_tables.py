"""What a look at the catalog costs where there are many tables; the clock counts what SQLite does, and no time."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tidemark.database.sqlite.session import SqliteSession
from tidemark.runtime.ledger import Ledger

STEPS = 100


def _count(path: Path, tables: int) -> tuple[int, int]:
    """How many hundred steps it takes to read what the sources of so many tables are, and what is installed on them."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    for n in range(tables):
        connection.execute(f"CREATE TABLE t{n} (id integer PRIMARY KEY, v integer, UNIQUE (v, id))")
        connection.execute(f"CREATE UNIQUE INDEX t{n}_v ON t{n} (v) WHERE v > 0")
        connection.execute(f"CREATE TRIGGER tidemark_t{n} AFTER INSERT ON t{n} BEGIN SELECT 1; END")
        connection.execute(f"CREATE TRIGGER t{n}_of_theirs AFTER INSERT ON t{n} BEGIN SELECT 1; END")
    connection.execute("COMMIT")
    watches = [
        {"of": str(n), "store": f"t{n}", "source": f"t{n}", "columns": ["id", "v"], "shown": f"t{n}", "kept": ""}
        for n in range(tables)
    ]
    session, count = SqliteSession(connection, str(path)), [0]

    def step() -> int:
        count[0] += 1
        return 0

    with session.transaction("read"):
        text = Ledger(session).text("read_facts")
        connection.set_progress_handler(step, STEPS)
        facts = session.facts(text, {"watches": json.dumps(watches)})
        first = count[0]
        installed = session.installed([f"tidemark_t{n}" for n in range(tables)])
        connection.set_progress_handler(None, STEPS)
    connection.close()
    assert {part for _, _, part, *_ in facts} == {
        "table", "column id", "column v", "unique key (v, id)", "unique key (v) WHERE v > 0",
    }  # fmt: skip
    assert len(facts) == 5 * tables and len(installed) == tables
    return first, count[0] - first


def test_a_look_at_the_catalog_reads_each_table_once_however_many_there_are(tmp_path: Path) -> None:
    few, many = _count(tmp_path / "few.db", 20), _count(tmp_path / "many.db", 160)
    for some, all_of_them in zip(few, many, strict=True):
        assert all_of_them < 16 * some, "eight times the tables, and hardly more than eight times the work"
