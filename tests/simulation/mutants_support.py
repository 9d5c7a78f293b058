"""Deliberate mistakes in supports and stages, and in what is counted and added up there.

Owns: the list `SUPPORTED`, for both engines. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.simulation.case import Engine
from tests.simulation.mutants import Change, Mutant, texts
from tests.simulation.mutants_keyed import reaching
from tests.simulation.pinned import UNKNOWN
from tidemark.contract.script import Script

FAMILIES = ("count-distinct",)


def only(wanted: Callable[[Script], bool], *changes: Change) -> Change:
    """The changes one after another, to the scripts that are wanted."""

    def change(script: Script) -> Script:
        if not wanted(script):
            return script
        for one in changes:
            script = one(script)
        return script

    return change


def each(*changes: Change) -> Change:
    """All changes, whatever the script."""
    return only(lambda _: True, *changes)


def _is_support(script: Script) -> bool:
    return bool(script.supports)


def _has_supports(script: Script) -> bool:
    return bool(script.supported_by)


def _kept_empty(script: Script) -> Script:
    """Rows of a support to which nothing contributes stay."""
    pieces = tuple(
        replace(
            piece, create=re.sub(r's\."_rows" = 0(.*?) AS tidemark_emptied', "false AS tidemark_emptied", piece.create)
        )
        for piece in script.pieces
    )
    return replace(script, pieces=pieces)


UNFILLED = r'(INSERT INTO "[^;]*?), -\(1\)( WHERE [^;]*?\n  ON CONFLICT)'
READS_SUPPORT = "_support_"
COUNTS_NULL = r"CASE WHEN (?:\([^()]*\)|\(\([^()]*\)\)) IS NOT NULL( AND [^()]*\([^()]*\) > 0)? THEN 1 ELSE 0 END"
CHANGES: tuple[tuple[str, str, Change], ...] = (
    ("sqlite", "a value that goes once", only(_is_support, texts("trigger", "", r'"_rows" - \(1\)', '"_rows" - (0)'))),
    ("postgres", "a value that goes once", only(_is_support, texts("function", "", r"-\(1\)", "(0)"))),
    ("sqlite", "what goes before it is filled", only(_is_support, texts("trigger", "", UNFILLED, r"\1, -(0)\2"))),
    ("sqlite", "a value of NULL", only(_has_supports, texts("trigger", READS_SUPPORT, COUNTS_NULL, "1"))),
    ("postgres", "a value of NULL", only(_has_supports, texts("function", READS_SUPPORT, COUNTS_NULL, "1"))),
    (
        "sqlite",
        "a value that is gone",
        each(
            only(_is_support, texts("trigger", "", r'(DELETE FROM [^;]*"_rows" = )0', r"\1-1")),
            only(_has_supports, texts("trigger", READS_SUPPORT, r'("_rows"\) >) 0', r"\1= 0")),
        ),
    ),
    (
        "postgres",
        "a value that is gone",
        each(
            only(_is_support, _kept_empty),
            only(_has_supports, texts("function", READS_SUPPORT, r'("_rows"\) >) 0', r"\1= 0")),
        ),
    ),
)

RANKED = ("most-frequent",)


def _ranks(pattern: str, by: str) -> Change:
    """Change how the first of a key's groups is found in a support."""

    def change(script: Script) -> Script:
        applier = script.applier
        gather = tuple(re.sub(pattern, by, text) for text in applier.gather)
        texts = tuple(re.sub(pattern, by, text) for text in applier.recompute)
        return replace(script, applier=replace(applier, gather=gather, recompute=texts))

    return only(_has_supports, change)


STAGED = ("staged",)
CHAINED = ("cascade",)
READS_STAGE = "_stage_"
LEAVES: tuple[tuple[Engine, Change], ...] = (
    ("sqlite", texts("trigger", READS_STAGE, r'("_rows" - )\(1\)', r"\1(0)")),
    ("postgres", texts("function", READS_STAGE, r"-\(1\)", "(0)")),
)


def _counts_over_stage(script: Script) -> bool:
    return bool(script.supports and script.supported_by)


def _reads_declared(script: Script) -> bool:
    """Whether it is a stage over other derived tables."""
    return bool(script.supports) and any(one.derived not in script.supported_by for one in script.reads)


def _stays(script: Script) -> Script:
    """Rows of a stage that went stay."""
    kept = tuple(text for text in script.applier.write if not re.match(r"DELETE FROM", text))
    return replace(script, applier=replace(script.applier, write=kept))


COMPARED = ("compared",)
MOVES: tuple[tuple[str, str, str], ...] = (
    ("what a figure moved over", r"min\(v\) END AS lowest", "max(v) END AS lowest"),
    ("what a figure was that rows are equal to or not", r"(w AND v IS NOT NULL)", r"\1 AND v > 5"),
    ("a figure that was unknown", "(w AND v IS NULL)", r"\1 AND 1 = 0"),
    ("the best value that was", r"(slice_[^;]*?_stage_[^;]*?weight) <> 0(?!.*lowest)", r"\1 > 0"),
)

SUPPORTED: tuple[Mutant, ...] = (
    *(Mutant(engine, word, FAMILIES, change, disturbed="filled" in word) for engine, word, change in CHANGES),
    *(
        Mutant(engine, "the first of a support", RANKED, _ranks(r'("_rows") DESC', r"\1 ASC"))
        for engine in ("sqlite", "postgres")
    ),
    *(
        Mutant(engine, "a group that is there once", RANKED, _ranks(r'("_rows") > 0', r"\1 > 1"))
        for engine in ("sqlite", "postgres")
    ),
    *(Mutant(engine, "a row that leaves a stage", STAGED, only(_has_supports, change)) for engine, change in LEAVES),
    *(Mutant(engine, "a value that leaves", STAGED, only(_counts_over_stage, change)) for engine, change in LEAVES),
    *(
        Mutant(engine, "a row of a stage that is gone", STAGED, only(_is_support, _stays), disturbed=True)
        for engine in ("sqlite", "postgres")
    ),
    *(
        Mutant(engine, "a row of a stage over others that is gone", CHAINED, only(_reads_declared, _stays))
        for engine in ("sqlite", "postgres")
    ),
    *(
        Mutant(
            engine,
            word,
            COMPARED,
            only(_has_supports, reaching(pattern, by)),
            UNKNOWN if engine == "postgres" and "unknown" in word else None,
        )
        for word, pattern, by in MOVES
        for engine in ("sqlite", "postgres")
    ),
)
