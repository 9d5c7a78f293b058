"""Three small programs for mistakes that random programs meet too seldom.

Owns: the cases in which a missing lock, a changed order of locks and arming before a TRUNCATE show. Promises: they hold
without the mistake, as every case does.
"""

from __future__ import annotations

from tests.simulation.case import Case, Derived, Statement, Transaction

EXTREMES = Derived("extremes", "SELECT g, count(*) AS n, max(v) AS most FROM t GROUP BY g", ("g",), "commit", "group")


def _transaction(
    session: int, at: float, level: str, *statements: tuple[float, str], end: float, how: str = "commit"
) -> Transaction:
    begin = f"BEGIN ISOLATION LEVEL {level}" if level else ""
    return Transaction(session, at, begin, tuple(Statement(when, "fixed", sql) for when, sql in statements), how, end)


def _case(seed: str, fill: str, *transactions: Transaction) -> Case:
    return Case(
        engine="postgres",
        seed=seed,
        setup=("CREATE TABLE t (id integer PRIMARY KEY, g integer, v integer)",),
        fill=(f"INSERT INTO t VALUES {fill}",),
        sources=('"t"',),
        derived=(EXTREMES,),
        transactions=transactions,
        sessions=3,
        quick=True,
    )


# The older snapshot still sees row 1, and would take its 9 for the maximum of a group that has been emptied since.
LOCK = _case(
    "a group emptied behind an older snapshot",
    "(1, 1, 9)",
    _transaction(
        0,
        1,
        "REPEATABLE READ",
        (1.1, "SELECT count(*) FROM t"),
        (3, "INSERT INTO t VALUES (2, 1, 5), (3, 1, 7)"),
        (4, "DELETE FROM t WHERE id = 3"),
        end=5,
    ),
    _transaction(1, 2, "", (2, "DELETE FROM t WHERE id = 1"), end=2.5),
)

# The prepared transaction holds group 2 while one session comes from group 1 and the other, which the mistake knows by its
# setting, from group 3.
ORDER = _case(
    "two flushes over the same three groups",
    "(11, 1, 1), (21, 2, 1), (31, 3, 1), (12, 1, 1), (22, 2, 1), (32, 3, 1), (23, 2, 1)",
    _transaction(2, 1, "READ COMMITTED", (1.1, "DELETE FROM t WHERE id = 23"), end=2, how="prepare-rollback"),
    _transaction(0, 1, "READ COMMITTED", (1.2, "DELETE FROM t WHERE id IN (11, 21, 31)"), end=2.2),
    _transaction(
        1,
        1,
        "READ COMMITTED",
        (1.25, "SET LOCAL work_mem = '5MB'"),
        (1.3, "DELETE FROM t WHERE id IN (12, 22, 32)"),
        end=2.3,
    ),
)

# Flushed before the rows are gone, a recompute would still find the maximum that goes.
ARMING = _case(
    "a TRUNCATE under immediate constraints",
    "(1, 1, 9), (2, 2, 4)",
    _transaction(
        0,
        1,
        "READ COMMITTED",
        (1.1, "SET CONSTRAINTS ALL IMMEDIATE"),
        (1.2, "TRUNCATE t"),
        (1.3, "INSERT INTO t VALUES (3, 1, 5)"),
        end=2,
    ),
)
