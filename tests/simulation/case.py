"""A simulated case as plain data: what is set up, derived, written and when.

Owns: the frozen values that generators make, players run and the shrinker cuts. Promises: a case holds only SQL text
and numbers, so it can be replayed, cut to pieces and stored as JSON; its steps are ordered by `at` alone, so a part that
is taken out leaves the order of the others as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Engine = Literal["sqlite", "postgres"]
HOMES = ("main", "select", 'Ünï "q" .x')
"""Schemas in which everything of a case may be."""


@dataclass(frozen=True)
class Statement:
    """One statement of a program.

    `at` is its place in the schedule of all sessions, `kind` the word it is counted under. `data` is the input of a COPY.
    A `guarded` statement has a savepoint before it, to which a failure rolls back.
    """

    at: float
    kind: str
    sql: str
    data: str | None = None
    guarded: bool = False


@dataclass(frozen=True)
class Transaction:
    """Statements of one session between `begin` (empty: each commits by itself) and `end`.

    `end` is ``commit``, ``rollback``, ``prepare-commit`` or ``prepare-rollback``. `prelude` runs before, outside of it.
    """

    session: int
    at: float
    begin: str
    statements: tuple[Statement, ...]
    end: str
    end_at: float
    prelude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Duty:
    """Something that Tidemark does at a point of the schedule.

    `what` is ``tick``, ``apply``, ``verify``, ``declare``, or ``mark`` and a name: to remember the number of comparisons
    so far. At its step `kill_at` something happens to the worker, which `how` says: ``close`` its connection,
    ``terminate`` it from the server, ``steal`` its duty, ``jump`` the clock. A tick with `batches` ends after so many
    transactions, one with `table` is for that derived table alone. ``declare`` takes `declare` from `Case.later` into the
    declarations, in place of the one of the same name; None takes out `table`. ``lose`` drops a trigger of ours, ``guard``
    rebuilds the source `table` in a guard, ``behind`` switches its triggers or takes a partition of it out; all write `sql` while
    nobody looks.
    """

    at: float
    what: str
    kill_at: int | None = None
    how: str = "close"
    batches: int | None = None
    table: str = ""
    declare: int | None = None
    sql: tuple[str, ...] = ()


@dataclass(frozen=True)
class Derived:
    """A derived table of a case. `query` says what is true, `declared` what is declared where that is another one. `fold` tells
    that text may come in another case (keys that ignore it), `options` are those of its declaration."""

    name: str
    query: str
    key: tuple[str, ...]
    freshness: str
    family: str
    fold: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    declared: str = ""


UNSHOWN = "unshown"
COPIES = "copies"
COMPOSED = "composed"
UNTOLD = (UNSHOWN, COPIES, COMPOSED)
"""The shapes whose queries have no key."""


def uncut(one: Derived) -> str:
    """The query without the LIMIT of the whole, of which every row is kept; empty when it has none."""
    cut = one.family == "global-limit" or (one.family == COMPOSED and " LIMIT " in one.query)
    return one.query.rpartition(" ORDER BY ")[0] if cut else ""


@dataclass(frozen=True)
class Case:
    """One world with its derived tables and its program.

    `setup` makes the sources, `fill` puts rows in before anything is installed, `sources` are quoted names. `sessions` is
    the number of writers, `install_kill_at` the statement before which the first installation is killed.
    `beside` is what somebody writes while that fills, a text at a time.
    `deferred_keys` tells that the application itself has deferred constraints. A `quick` case ends with its program: no
    shadow, no verification, no uninstall. `later` are derived tables that take the place of others on the way.
    `home` is the only schema of the search path where that is not ``public``.
    `chunk` is the number of rows that Tidemark takes at a time, None = what it likes; `way` is how its ticks make rows true,
    empty = as the cost guard chooses. A `steady` case is ticked after every transaction and disturbed by nothing, so there is
    nothing to remember between two ticks.
    """

    engine: Engine
    seed: str
    setup: tuple[str, ...]
    fill: tuple[str, ...]
    sources: tuple[str, ...]
    derived: tuple[Derived, ...]
    transactions: tuple[Transaction, ...]
    duties: tuple[Duty, ...] = ()
    sessions: int = 2
    install_kill_at: int | None = None
    beside: tuple[str, ...] = ()
    deferred_keys: bool = False
    quick: bool = False
    later: tuple[Derived, ...] = ()
    chunk: int | None = None
    way: str = ""
    steady: bool = False
    home: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """The case as indented JSON."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False)

    @staticmethod
    def from_json(text: str) -> Case:
        """The case that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(text)
        for name in ("derived", "later"):
            raw[name] = tuple(Derived(**{**item, "key": tuple(item["key"])}) for item in raw.get(name, ()))
        raw["duties"] = tuple(Duty(**{**item, "sql": tuple(item.get("sql", ()))}) for item in raw["duties"])
        raw["transactions"] = tuple(_transaction(item) for item in raw["transactions"])
        for name in ("setup", "fill", "sources", "beside"):
            raw[name] = tuple(raw.get(name, ()))
        return Case(**raw)


def _transaction(raw: dict[str, Any]) -> Transaction:
    statements = tuple(Statement(**item) for item in raw["statements"])
    return Transaction(**{**raw, "statements": statements, "prelude": tuple(raw["prelude"])})


class Failure(Exception):
    """The simulation found something untrue.

    `kind` names the sort of failure, `derived` the table it is about (or an empty text), `detail` what was seen.
    """

    def __init__(self, kind: str, derived: str, detail: str) -> None:
        self.kind = kind
        self.derived = derived
        self.detail = detail
        super().__init__(f"{kind} {derived}: {detail}")
