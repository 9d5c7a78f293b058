"""Deliberate mistakes in what ticks are made of: routes, old images, restriction, sealed deltas, memory.

Owns: the list `KEYED`, for both engines, and the case in which missing old images show. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import COMPOSED, UNSHOWN, Case, Derived, Duty, Engine, Statement, Transaction
from tests.simulation.mutants import Change, Mutant, texts
from tidemark.contract.script import Piece, Script, mark, unmarked

BOTH: tuple[Engine, Engine] = ("sqlite", "postgres")
ELEMENTS = ("elements-counted", "elements-below")
JOINS = ("inner-join", "self-join", "full-join", "theta-join")


def vanished(engine: Engine) -> Case:
    """Both rows of a pair go between two ticks: each of them reaches the key only through the old image of the other."""
    query = "SELECT a.id AS i, b.y AS j FROM a JOIN b ON a.x = b.id"
    fill = ("INSERT INTO a VALUES (1, 5), (2, 7)", "INSERT INTO b VALUES (5, 1), (7, 2)")
    went = "DELETE FROM a WHERE id = 1", "DELETE FROM b WHERE id = 5"
    return _fixed(engine, "both rows of a pair go", fill, query, ("i", "j"), *went)


def told_apart(engine: Engine) -> Case:
    """Two changes lead to one row each, by what they say and no other row does."""
    query = "SELECT b.id AS i, max(a.id) AS j FROM a JOIN b ON b.y = a.x GROUP BY b.id"
    fill = ("INSERT INTO a VALUES (1, 5), (2, 7)", "INSERT INTO b VALUES (1, 5), (2, 7)")
    came = "INSERT INTO a VALUES (3, 5)", "INSERT INTO a VALUES (4, 7)"
    return _fixed(engine, "changes that differ", fill, query, ("i",), *came)


def kinds(engine: Engine) -> Case:
    """Rows of one table, and groups of another, which are told apart by values of another type."""
    query = "SELECT a.x AS v FROM a UNION ALL SELECT max(b.id) FROM b GROUP BY CAST(b.y AS TEXT)"
    fill = ("INSERT INTO a VALUES (1, 5), (2, 7)", "INSERT INTO b VALUES (1, 5), (2, 7)")
    went = "DELETE FROM a WHERE id = 1", "DELETE FROM b WHERE id = 2"
    return _fixed(engine, "rows of two kinds", fill, query, (), *went, family=UNSHOWN)


def padded(engine: Engine) -> Case:
    """The group of what has no match on the inner side of an outer join."""
    query = (
        "SELECT b.id AS v, count(p.x) AS n FROM (SELECT DISTINCT x FROM a) p LEFT JOIN b ON b.id = p.x GROUP BY b.id"
    )
    fill = ("INSERT INTO a VALUES (1, 5), (2, 7)", "INSERT INTO b VALUES (5, 1)")
    came = "INSERT INTO a VALUES (3, 8)", "INSERT INTO a VALUES (4, 9)"
    return _fixed(engine, "rows without a match", fill, query, (), *came, family=COMPOSED)


def _fixed(
    engine: Engine,
    seed: str,
    fill: tuple[str, ...],
    query: str,
    key: tuple[str, ...],
    *statements: str,
    family: str = "inner-join",
) -> Case:
    """What is to be seen by one tick after these statements, in two tables."""
    return Case(
        engine=engine,
        seed=seed,
        setup=(
            "CREATE TABLE a (id integer PRIMARY KEY, x integer)",
            "CREATE TABLE b (id integer PRIMARY KEY, y integer)",
        ),
        fill=fill,
        sources=('"a"', '"b"'),
        derived=(Derived("pairs", query, key, "tick", family),),
        transactions=tuple(
            Transaction(0, at, "", (Statement(at, "fixed", sql),), "commit", at + 0.1)
            for at, sql in enumerate(statements, 1)
        ),
        duties=(Duty(len(statements) + 1, "tick"),),
        sessions=1,
        quick=True,
    )


def affected(keep: Callable[[int, str], bool]) -> Change:
    """Leave out statements that find affected keys."""

    def change(script: Script) -> Script:
        if script.tick is None or script.tick.deltas is not None:
            return script
        logs = tuple(
            replace(log, affected=tuple(one for n, one in enumerate(log.affected) if keep(n, one.text)))
            for log in script.tick.logs
        )
        return replace(script, tick=replace(script.tick, logs=logs))

    return change


def recompute(pattern: str, by: str) -> Change:
    """Substitute in the statements that recompute a batch."""
    searched = re.compile(pattern, re.DOTALL)

    def change(script: Script) -> Script:
        texts = tuple(searched.sub(by, text) for text in script.applier.recompute)
        return replace(script, applier=replace(script.applier, recompute=texts))

    return change


unseen_piece_lost = recompute(r"w\.\"tidemark_unit_1\"", "NULL")
"""What windows are partitioned by is not kept with a row that is computed."""


def whole_set_done(script: Script) -> Script:
    """With the first batch the whole dirty set counts as applied."""
    if script.tick is None or not script.tick.dirty:
        return script
    return replace(script, tick=replace(script.tick, done_dirty=f"DELETE FROM {script.tick.dirty}"))


def added_twice(script: Script) -> Script:
    """A sealed delta is added twice."""
    tick = script.tick
    if tick is None or tick.deltas is None:
        return script
    texts = tuple(re.sub(r"\+ (excluded\.\"[^\"]+\")", r"+ 2 * \1", text) for text in tick.deltas.apply)
    return replace(script, tick=replace(tick, deltas=replace(tick.deltas, apply=texts)))


def reaching(pattern: str, by: str) -> Change:
    """Substitute in the statements that find affected units."""
    searched = re.compile(pattern)

    def change(script: Script) -> Script:
        if script.tick is None:
            return script
        logs = tuple(
            replace(log, affected=tuple(replace(one, text=searched.sub(by, one.text)) for one in log.affected))
            for log in script.tick.logs
        )
        return replace(script, tick=replace(script.tick, logs=logs))

    return change


elements_that_went = reaching(r"\.weight <> 0", ".weight > 0")
"""Elements of rows that went are not looked at."""
one_of_those_that_differ = reaching(r" WHERE weight <> 0\)", " LIMIT 1)")
"""Of changes that differ in what is looked up only one is followed."""
branch_untold = reaching(r"CAST\(0 AS", "CAST(7 AS")
"""Rows of one branch of a UNION ALL are looked for among those of another."""


one_step_back = reaching(
    r"(tidemark_walk\(x\) AS \(SELECT .*?) UNION SELECT .*?(\) SELECT x FROM tidemark_walk)", r"\1\2"
)
"""Of a recursion only what is a step away from where it begins is led back there."""


def last_fill_missing(script: Script) -> Script:
    """Rows of units that are NULL are not computed; what adds up has other statements in that place, which are needed seldom."""
    if script.klass == "linear":
        return script
    texts = [text for text in script.applier.recompute if text.startswith("INSERT INTO")]
    fresh = [text for text in texts if "fresh" in text.split("(")[0]]
    if len(fresh) < 2:
        return script
    kept = tuple(text for text in script.applier.recompute if text != fresh[1])
    return replace(script, applier=replace(script.applier, recompute=kept))


def shown_live(pattern: str, by: str) -> Change:
    """Substitute in the view of the rows as of now."""
    searched = re.compile(pattern, re.DOTALL)

    def edit(piece: Piece, script: Script) -> Piece:
        if not piece.public or piece.kind != "view" or piece.name == script.offers[1].label:
            return piece
        opening, _, _ = piece.create.partition("/*")
        return replace(piece, create=mark(opening, searched.sub(by, unmarked(piece.create).removeprefix(opening))))

    return lambda script: replace(script, pieces=tuple(edit(piece, script) for piece in script.pieces))


def _of(engine: Engine) -> tuple[Mutant, ...]:
    return (
        Mutant(
            engine,
            "old images of the other side",
            JOINS,
            affected(lambda _, text: "capture_log" not in text),
            vanished(engine),
            disturbed=True,
        ),
        Mutant(
            engine,
            "one of the changes that differ",
            JOINS,
            one_of_those_that_differ,
            told_apart(engine),
            disturbed=True,
        ),
        Mutant(engine, "first route", JOINS, affected(lambda number, _: number > 0), disturbed=True),
        Mutant(engine, "numbers that a row meets", ("series",), affected(lambda number, _: number > 0), disturbed=True),
        Mutant(engine, "units that are NULL", ("count-distinct", "text-list"), last_fill_missing, disturbed=True),
        Mutant(engine, "elements that went", ELEMENTS, elements_that_went, disturbed=True),
        Mutant(engine, "no element at all", ("elements-or-none",), last_fill_missing, disturbed=True),
        Mutant(
            engine,
            "order that is not seen",
            ("global-limit",),
            texts("view", ".", r"(ORDER BY s\.\"tidemark_order_1\") DESC", r"\1"),
            disturbed=True,
        ),
        Mutant(engine, "piece that is not seen", ("window-unseen",), unseen_piece_lost, disturbed=True),
        Mutant(engine, "what a recursion begins with", ("recursion",), one_step_back, disturbed=True),
        Mutant(engine, "row outside that it begins with", ("recursion-beside",), one_step_back, disturbed=True),
        Mutant(engine, "branch of another kind", (UNSHOWN,), branch_untold, kinds(engine), disturbed=True),
        Mutant(engine, "dirty set done at once", JOINS, whole_set_done, disturbed=True),
        Mutant(
            engine,
            "live without what is sealed",
            JOINS,
            shown_live(r"SELECT [^()]*? FROM \S*_dirty_\S+ UNION ", ""),
            disturbed=True,
        ),
        Mutant(engine, "live without what waits", JOINS, shown_live(r" UNION ALL SELECT q\..*$", ""), disturbed=True),
        Mutant(engine, "delta added twice", ("group", "total"), added_twice, disturbed=True),
        Mutant(
            engine,
            "memory forgets",
            ("memory",),
            recompute(r"CASE WHEN (o\.\"[^\"]+\" IS NULL OR f\.)", r"CASE WHEN 1 = 1 OR \1"),
            disturbed=True,
        ),
        Mutant(
            engine, "frozen value thaws", ("memory",), recompute(r"o\.(\"[^\"]+\") IS TRUE", "1 = 0"), disturbed=True
        ),
        Mutant(
            engine,
            "date before its time",
            ("memory",),
            recompute(r"CASE WHEN q\.\"[^\"]+\" IS TRUE THEN (coalesce\(.*?\)) END", r"\1"),
            disturbed=True,
        ),
        Mutant(
            engine,
            "dated anew",
            ("memory",),
            recompute(r"CASE WHEN (o\.\"[^\"]+\" IS NULL THEN)", r"CASE WHEN 1 = 1 OR \1"),
            disturbed=True,
        ),
    )


values_of_none = recompute(r", 'null'\)", ", '0')")
"""A row as a text says of a NULL that it is a value."""

KEYED: tuple[Mutant, ...] = (
    *(mutant for engine in BOTH for mutant in _of(engine)),
    Mutant("postgres", "a NULL in the text of a row", ("whole-rows",), values_of_none, disturbed=True),
)
