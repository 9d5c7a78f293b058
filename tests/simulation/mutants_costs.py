"""Deliberate mistakes in the ways among which the cost guard chooses.

Owns: the list `COSTS`, for both engines. Promises: as `mutants`; cases that go the way by decree are drawn often.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import Engine
from tests.simulation.mutants import Change, Mutant
from tests.simulation.pinned import ODD
from tests.simulation.strains import not_adding_up
from tidemark.contract.script import Script
from tidemark.contract.ways import Full, Product, Products

BOTH: tuple[Engine, Engine] = ("sqlite", "postgres")
FULL = ("group", "keyed", "left-join", "distinct")


def in_full(edit: Callable[[Full], Full]) -> Change:
    """Change how the whole result takes the place of what changed."""

    def change(script: Script) -> Script:
        if script.tick is None or script.tick.full is None:
            return script
        return replace(script, tick=replace(script.tick, full=edit(script.tick.full)))

    return change


def _reads(pattern: str, by: str) -> Change:
    return in_full(lambda one: replace(one, read=tuple(re.sub(pattern, by, text) for text in one.read)))


def _forgets(pattern: str) -> Change:
    """Leave out what begins so."""
    return in_full(lambda one: replace(one, read=tuple(text for text in one.read if not re.match(pattern, text))))


def in_products(edit: Callable[[Products], Products]) -> Change:
    """Change how what changed rows join is added."""

    def change(script: Script) -> Script:
        if script.tick is None or script.tick.products is None:
            return script
        return replace(script, tick=replace(script.tick, products=edit(script.tick.products)))

    return change


def _terms(edit: Callable[[str], str], keep: Callable[[Product], bool] = lambda _: True) -> Change:
    return in_products(
        lambda one: replace(
            one, products=tuple(replace(term, add=edit(term.add)) for term in one.products if keep(term))
        )
    )


def as_they_were(script: Script) -> Script:
    """The other tables are read without the rows that came."""
    same = "IS" if script.engine == "sqlite" else "IS NOT DISTINCT FROM"
    logs = script.logs

    def edit(add: str) -> str:
        start, where, rest = add.partition(" WHERE ")
        for log in logs:
            tests = "".join(f' AND k."c_{name}" {same} t."{name}"' for name in log.columns)
            came = f"SELECT 1 FROM {log.slice} AS k WHERE k.weight > 0{tests}"
            named = re.escape(f'"{log.table.name}"')
            before = r"(SELECT * FROM \1 AS t WHERE NOT EXISTS (" + came.replace("\\", r"\\") + r")) AS \2"
            start = re.sub(rf'((?:"[^"]+"\.)?{named}) AS ("[^"]+")', before, start)
        return start + where + rest

    return _terms(edit)(script)


JOINED = ("added-join",)
TOTALS = ("added-total",)
COUNTED = ("counted-total", "counted-join")
STAYS = re.compile(r" AND NOT \([^()]* IN \([^()]*\)\)")
CHANGES: tuple[tuple[str, tuple[str, ...], Change], ...] = (
    ("keys that went stay", FULL, in_full(lambda one: replace(one, write=one.write[-1:]))),
    ("rows that differ stay", FULL, in_full(lambda one: replace(one, write=one.write[:-1]))),
    (
        "last place of the whole",
        FULL,
        in_full(lambda one: replace(one, count=one.count.replace("SELECT max(n)", "SELECT max(n) - 1"))),
    ),
    ("what is remembered", ("memory",), _forgets(r"UPDATE .* AS f SET ")),
    ("rows that a recursion leads to", ("global-recursion",), _reads(r'= ("r_\d+"\."k")', r"<> \1")),
    ("signs of products", JOINED, _terms(lambda text: text.replace("sum(-1 * ", "sum("))),
    (
        "weights of products",
        JOINED,
        _terms(lambda text: re.sub(r"sum\((-1 \* )?\"[^\"]+\"\.weight", r"sum(\g<1>1", text)),
    ),
    ("pairs of changes", JOINED, _terms(lambda text: text, lambda term: len(term.scans) == 1)),
    ("changes of the first scan", JOINED, _terms(lambda text: text, lambda term: 0 not in term.scans)),
    ("tables as they were", JOINED, as_they_were),
    ("groups of which nothing is left", JOINED, in_products(lambda one: replace(one, apply=one.apply[:1]))),
    (
        "totals stay of which nothing is left",
        TOTALS,
        in_products(lambda one: replace(one, apply=tuple(STAYS.sub("", text) for text in one.apply))),
    ),
    ("sums of the last grouping", TOTALS, in_products(lambda one: replace(one, products=one.products[:-1]))),
    ("values that come and go", COUNTED, _terms(lambda text: text, lambda term: bool(term.scans))),
    ("values that come again", COUNTED, _terms(lambda text: text.replace("THEN 1 ELSE -1 END", "THEN 1 ELSE 1 END"))),
    (
        "the last of the values",
        COUNTED,
        in_products(lambda one: replace(one, apply=tuple(text.replace(" DESC", " ASC") for text in one.apply))),
    ),
    (
        "values that went stay",
        COUNTED,
        in_products(lambda one: replace(one, apply=tuple(text for text in one.apply if not text.startswith("DELETE")))),
    ),
)

COSTS: tuple[Mutant, ...] = (
    *(Mutant(engine, word, families, change, disturbed=True) for word, families, change in CHANGES for engine in BOTH),
    *(
        Mutant(
            engine,
            "values that do not add up",
            JOINED,
            in_products(lambda one: replace(one, odd=())),
            ODD if engine == "postgres" else None,
            disturbed=True,
            strain=not_adding_up,
        )
        for engine in BOTH
    ),
    Mutant(
        "postgres",
        "the first of what went",
        FULL,
        in_full(
            lambda one: replace(
                one, write=tuple(text.replace("< -CAST(:low", "< -1 - CAST(:low") for text in one.write)
            )
        ),
        disturbed=True,
    ),
    Mutant(
        "postgres",
        "a column that a grouping leaves out",
        ("groupings",),
        _reads(r"FILTER\(WHERE FALSE\)", "FILTER(WHERE TRUE)"),
        disturbed=True,
    ),
)
