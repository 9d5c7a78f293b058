"""Deliberate mistakes in what is computed of rows that are given (elements in order, rows that are compared), and in how units
with a NULL are looked up.

Owns: the list `GIVEN`, of the same kind as `MUTANTS`, and a case in which a NULL that is not found shows. Promises: as `mutants`.
"""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.case import Case, Derived, Engine
from tests.simulation.mutants import Mutant
from tests.simulation.mutants_keyed import BOTH, recompute, vanished

ELEMENTS = {
    "sqlite": (
        r"FROM (JSON_EACH\(JSON_ARRAY\([^()]*\)\)) AS (\"x[^\"]*\")",
        r"FROM (SELECT * FROM \1 ORDER BY value DESC) AS \2",
    ),
    "postgres": (
        r"FROM (UNNEST\(ARRAY\[[^\]]*\]\)) AS (\"x[^\"]*\")\(\"v\"\)",
        r'FROM (SELECT y.v FROM \1 AS y(v) ORDER BY y.v DESC) AS \2("v")',
    ),
}
COMPARED = r"\((\"t\"\.\"[^\"]+\"), (\"t\"\.\"[^\"]+\")\) (=|<>|<|>=) \("
NULLS = {
    "sqlite": (r" OR \([^()]*\) IS \(SELECT [^()]* ORDER BY 1 LIMIT 1\)", ""),
    "postgres": (r"(= ANY \(ARRAY\(SELECT [^()]*\)\)) OR \([^()]*\) IS NULL", r"\1"),
}
UNITS = ("count-distinct", "text-list", "distinct", "window")


def nulls(engine: Engine) -> Case:
    """A row comes to a group of which the column that has an index is NULL."""
    query = "SELECT x, z, count(DISTINCT id) AS n FROM a GROUP BY x, z"
    return replace(
        vanished(engine),
        seed="a group is NULL where it is looked up",
        setup=("CREATE TABLE a (id integer PRIMARY KEY, x integer, z integer)", "CREATE INDEX a_x ON a (x)"),
        fill=("INSERT INTO a VALUES (1, 5, 1), (2, NULL, 1), (3, 5, NULL)",),
        sources=('"a"',),
        derived=(Derived("groups", query, ("x", "z"), "tick", "count-distinct"),),
        transactions=tuple(
            replace(
                one,
                statements=tuple(
                    replace(part, sql=f"INSERT INTO a VALUES ({4 + number}, NULL, 1)") for part in one.statements
                ),
            )
            for number, one in enumerate(vanished(engine).transactions)
        ),
    )


GIVEN: tuple[Mutant, ...] = tuple(
    one
    for engine in BOTH
    for one in (
        Mutant(engine, "elements by their value", ("elements-in-order",), recompute(*ELEMENTS[engine]), disturbed=True),
        Mutant(engine, "last value first", ("rows-compared",), recompute(COMPARED, r"(\2, \1) \3 ("), disturbed=True),
        Mutant(engine, "NULL that is looked up", UNITS, recompute(*NULLS[engine]), nulls(engine), disturbed=True),
    )
)
