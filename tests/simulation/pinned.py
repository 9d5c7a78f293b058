"""Small programs for mistakes that random programs meet too seldom.

Owns: the cases in which a missing lock, a changed order of locks, arming before a TRUNCATE, changes in the middle of a seal, a
sum that is not exact or has another scale, and changes of two tables in one tick show. Promises: they hold without the mistake,
as every case does.
"""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.case import Case, Derived, Duty, Statement, Transaction

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


# The second row takes the key that the first had, so that as many rows have it as before.
MOVED = replace(
    _case("a key that goes from row to row", "(2, 1, 9), (1, 1, 9)"),
    setup=("CREATE TABLE t (id integer PRIMARY KEY, g integer, v integer, n bigint)",),
    fill=("INSERT INTO t VALUES (2, 1, 5), (1, 2, 5), (7, 2, 1), (8, 3, 2)",),
    derived=(
        Derived(
            "numbers",
            "SELECT u.id AS id, (SELECT count(*) FROM t AS f WHERE f.g = u.id) AS n FROM t AS u",
            ("id",),
            "tick",
            "own-columns",
            options={"columns_of": "t", "columns": ["n"], "types": ["bigint"], "asks": []},
        ),
    ),
    transactions=(_transaction(0, 1.0, "", (1.0, "UPDATE t SET id = id + 1 WHERE id < 3"), end=1.1),),
    duties=(Duty(2.0, "tick"),),
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

# The seal has lost its maximum; what comes and goes between its beginning and its end must not be in the row that it computes.
LATE = replace(
    _case(
        "two rows come and one goes in the middle of a seal",
        "(1, 1, 9), (2, 1, 5), (3, 1, 4)",
        _transaction(0, 1, "", (1, "DELETE FROM t WHERE id = 1"), end=1.1),
        _transaction(0, 3, "", (3, "INSERT INTO t VALUES (4, 1, 7), (5, 1, 2)"), end=3.1),
        _transaction(0, 4, "", (4, "DELETE FROM t WHERE id = 2"), end=4.1),
    ),
    derived=(replace(EXTREMES, freshness="tick"),),
    duties=(Duty(2, "tick", batches=1), Duty(5, "tick")),
)


# What is left has fewer digits after the point than what goes.
SCALES = replace(
    _case(
        "the value with most digits goes",
        "(1, 1, 1.5), (2, 1, 2.000)",
        _transaction(0, 1.0, "", (1.0, "DELETE FROM t WHERE id = 2"), end=1.1),
    ),
    setup=("CREATE TABLE t (id integer PRIMARY KEY, g integer, v numeric)",),
    derived=(Derived("sums", "SELECT g, sum(v) AS total FROM t GROUP BY g", ("g",), "commit", "group"),),
)


def _joined(seed: str, query: str, rounds: int, *statements: str) -> Case:
    """Two tables joined, and so many rounds of statements with a tick after each."""
    moments = range(1, rounds + 1)
    return Case(
        engine="postgres",
        seed=seed,
        setup=(
            "CREATE TABLE a (id integer PRIMARY KEY, x integer)",
            "CREATE TABLE b (id integer PRIMARY KEY, y numeric)",
        ),
        fill=("INSERT INTO a VALUES (1, 5), (2, 7)", "INSERT INTO b VALUES (5, 1), (7, 2)"),
        sources=('"a"', '"b"'),
        derived=(Derived("pairs", query, ("i",), "tick", "inner-join"),),
        transactions=tuple(
            _transaction(0, moment + place / 10, "", (moment + place / 10, sql.format(moment)), end=moment + place / 10)
            for moment in moments
            for place, sql in enumerate(statements)
        ),
        duties=tuple(Duty(moment + 0.5, "tick") for moment in moments),
        sessions=1,
        quick=True,
    )


# NaN is counted apart: a sum that has one is computed anew. Rows are added to once they are all of one moment.
ODD = _joined(
    "a value comes that does not add up",
    "SELECT a.x AS i, sum(b.y) AS total FROM a JOIN b ON a.x = b.id GROUP BY a.x",
    6,
    "UPDATE b SET y = CASE WHEN {0} < 5 THEN {0} ELSE 'NaN'::numeric END WHERE id = 5",
)

# What is compared with was nothing before: any row may come.
UNKNOWN = replace(
    _joined(
        "a figure is unknown in between",
        "",
        6,
        "DELETE FROM b WHERE {0} % 2 = 1",
        "INSERT INTO b SELECT {0}, 3 WHERE {0} % 2 = 0",
    ),
    derived=(
        Derived(
            "pairs",
            "SELECT a.id AS i, a.x AS j FROM a WHERE a.x > (SELECT min(b.y) FROM b)",
            ("i",),
            "tick",
            "compared",
            options={"support": True},
        ),
    ),
)

# Neither change leads to the row that the other one changes. Little work is done at once in some rounds only.
TOGETHER = _joined(
    "two tables change before each tick",
    "SELECT a.id AS i, b.y AS j FROM a JOIN b ON a.x = b.id",
    8,
    "INSERT INTO a VALUES (10 + {0}, 5)",
    "UPDATE b SET y = {0} + 10 WHERE id = 7",
)

# One change reaches more groups than a transaction computes, and no index leads to them. In some rounds it is followed apart.
REACHING = replace(
    _joined(
        "one change reaches many rows",
        "SELECT a.x AS i, min(b.y) AS j FROM a JOIN b ON b.id > a.id GROUP BY a.x",
        8,
        "UPDATE b SET y = {0} + 10 WHERE id = 5",
    ),
    fill=("INSERT INTO a VALUES (1, 5), (2, 6), (3, 7), (4, 8)", "INSERT INTO b VALUES (5, 1)"),
    chunk=2,
)
