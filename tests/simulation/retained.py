"""A pruned source in random programs: rows below a retention edge go, and the totals stay.

Owns: one table, what is derived of it, and its statements. Promises: what is deleted is kept by a trigger of the application's
own, in the transaction that deletes it, so that the truth is a query over the rows that are there and those that are gone; the
columns of which extremes are kept never change, because an extreme of a pruned source never goes back.
"""

from __future__ import annotations

import random

from tests.simulation.case import Derived
from tidemark.model import Catalog, Source
from tidemark.query.stated import state

FAMILY = "pruned"
TABLE, GONE = "retained", "retained gone"
STATED = Source(TABLE, pruned=True, place="here")
SHARE = 0.25
"""Of the statements of a case that has the table."""
_COLUMNS = "(id integer NOT NULL{key}, g integer, w integer NOT NULL, h integer, v integer)"
_ROW = 'INSERT INTO "retained gone" VALUES (OLD.id, OLD.g, OLD.w, OLD.h, OLD.v)'
SETUP = {
    "sqlite": (f"CREATE TRIGGER keep_gone AFTER DELETE ON retained BEGIN {_ROW}; END",),
    "postgres": (
        f"CREATE FUNCTION keep_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {_ROW}; RETURN NULL; END $$",
        "CREATE TRIGGER keep_gone AFTER DELETE ON retained FOR EACH ROW EXECUTE FUNCTION keep_gone()",
        # Sessions that write as replicas do delete, too.
        "ALTER TABLE retained ENABLE ALWAYS TRIGGER keep_gone",
    ),
}
_EVER = '(SELECT * FROM retained UNION ALL SELECT * FROM "retained gone") AS ever'
_TOTALS = (
    "SELECT g, count(*) AS n, count(v) AS known, sum(CAST(v AS integer)) AS total, max(w) AS top FROM {} GROUP BY g"
)
_MEMBERS = "SELECT h, g, count(*) AS n, sum(CAST(v AS integer)) AS total FROM {} WHERE v > 0 GROUP BY h, g"
_READERS = "SELECT h, count(*) AS members, sum(n) AS n FROM {} GROUP BY h"
DERIVED = (
    Derived("retained totals", _TOTALS.format(_EVER), ("g",), "commit", FAMILY, declared=_TOTALS.format(TABLE)),
    Derived("retained members", _MEMBERS.format(_EVER), ("h", "g"), "commit", FAMILY, declared=_MEMBERS.format(TABLE)),
    Derived("retained readers", _READERS.format('"retained members"'), ("h",), "tick", FAMILY, options={"reads": True}),
)


def setup(engine: str) -> tuple[str, ...]:
    """The statements that make the table, and what keeps the rows that go."""
    return (
        f"CREATE TABLE retained {_COLUMNS.format(key=' PRIMARY KEY')}",
        f'CREATE TABLE "retained gone" {_COLUMNS.format(key="")}',
        *SETUP[engine],
    )


def state_facts(catalog: Catalog, facts: tuple[Source, ...]) -> Catalog:
    """The catalog with what is stated of its tables: `facts`, and that the table is pruned where it is there."""
    return state(catalog, facts if catalog.find(TABLE) is None else (*facts, STATED))


class Retained:
    """Draws statements. `newest` is the highest number that any of them has given."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.newest = 0

    def draw(self) -> tuple[str, str]:
        """A kind and a statement."""
        pick = self.rng.random()
        if pick < 0.45:
            numbers = range(self.newest + 1, self.newest + 1 + self.rng.choice((1, 1, 2, 5)))
            self.newest = numbers[-1]
            return "retained insert", f"INSERT INTO retained VALUES {', '.join(map(self._row, numbers))}"
        if pick < 0.6:
            # Late, or told again.
            number = self.rng.randint(1, self.newest + 1)
            then = self.rng.choice(("NOTHING", "UPDATE SET h = excluded.h, v = excluded.v"))
            return "retained upsert", f"INSERT INTO retained VALUES {self._row(number)} ON CONFLICT (id) DO {then}"
        if pick < 0.8:
            column, value = self.rng.choice(("h", "v")), self.rng.choice(("NULL", "0", "1", "3", "v + 1"))
            return "retained update", f"UPDATE retained SET {column} = {value} WHERE id > {self._edge()}"
        return "prune", f"DELETE FROM retained WHERE id <= {self._edge()}"

    def _row(self, number: int) -> str:
        # What of a row never changes follows from its number, whoever inserts it.
        group = "NULL" if number % 5 == 0 else str(number % 3)
        h, v = self.rng.choice(("NULL", "1", "2")), self.rng.choice(("NULL", "-2", "0", "1", "4"))
        return f"({number}, {group}, {number * 7 % 11}, {h}, {v})"

    def _edge(self) -> int:
        return max(0, self.newest - self.rng.randint(0, 9))
