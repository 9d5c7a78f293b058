"""Deliberate mistakes about what an update assigns, by which SQLite chooses the triggers that it starts.

Owns: the list `ASSIGNED`, of the same kind as `MUTANTS`. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tests.simulation.case import Case, Derived, Statement, Transaction
from tests.simulation.mutants import Change, Mutant, texts
from tidemark.contract.script import Piece, Script


def _case(seed: str, column: str, query: str, *updates: str) -> Case:
    written = tuple(Statement(1 + 0.1 * place, "fixed", sql) for place, sql in enumerate(updates))
    return Case(
        engine="sqlite",
        seed=seed,
        setup=(f"CREATE TABLE posts (id integer PRIMARY KEY, score integer, {column})",),
        fill=("INSERT INTO posts (id, score) VALUES (1, 5), (2, 6), (3, 7)",),
        sources=('"posts"',),
        derived=(Derived("kept", query, ("k",), "commit", "group"),),
        transactions=(Transaction(0, 1, "BEGIN", written, "commit", 2),),
        sessions=1,
        quick=True,
    )


# The number of a row has names that no column shows, and REPLACE deletes whoever has it.
NUMBERED = _case(
    "the number of a row by its other names",
    "author integer",
    "SELECT id % 2 AS k, count(*) AS n FROM posts GROUP BY id % 2",
    "UPDATE posts SET rowid = 10 WHERE id = 1",
    "UPDATE OR REPLACE posts SET _rowid_ = 3 WHERE id = 2",
)
# What is computed changes with what it is computed of.
COMPUTED = _case(
    "a column that is computed",
    "twice integer AS (score * 2)",
    "SELECT twice AS k, count(*) AS n FROM posts GROUP BY twice",
    "UPDATE posts SET score = 6 WHERE id = 1",
)


def by_what_is_read(script: Script) -> Script:
    """The triggers follow updates that assign what they compare, computed or not."""

    def narrow(piece: Piece) -> Piece:
        found = re.search(r' UPDATE ON "posts"\nWHEN ', piece.create)
        if piece.kind != "trigger" or not found or "__update_" not in piece.name:
            return piece
        return replace(piece, create=piece.create.replace(" UPDATE ON ", ' UPDATE OF "twice" ON ', 1))

    return replace(script, pieces=tuple(map(narrow, script.pieces)))


_UNNAMED: Change = texts("trigger", "_update_", r', "rowid", "_rowid_", "oid" ON', " ON")

ASSIGNED: tuple[Mutant, ...] = (
    Mutant("sqlite", "the other names of a row's number", ("group", "copy"), _UNNAMED, NUMBERED),
    Mutant("sqlite", "computed columns that nobody assigns", ("group",), by_what_is_read, COMPUTED),
)
