"""Compiling a declaration over the scripts of what it reads, once for as long as everything is as it was.

Owns: `compiler_of`, `Asked`, what the pure tower asks an engine, and `Answers`. Promises: the same declaration over the same
catalog and the same scripts is compiled once, and of one catalog an engine is asked the same once; nothing is changed in any
database.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.model import Catalog, Crossing, Declaration, OutputColumn, Table
from tidemark.query.cascade import Link

Basis = tuple[Declaration, tuple[Crossing, ...], Catalog, tuple[Script, ...]]
Compiled = dict[tuple[str, int, tuple[object, ...]], tuple[Basis, Script]]


class Asked(Protocol):
    """An engine that answers questions about queries, as `Session` does."""

    dialect: Dialect

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """Names, types and collations of the query's columns."""
        ...

    def first_mutable(self, columns: str, expressions: Sequence[str], given: Sequence[Table] = ()) -> int | None:
        """The place of the first expression whose value depends on more than its row."""
        ...

    def one(self, sql: str) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        ...


class Answers:
    """An engine over one catalog, asked each question once: to choose the supports of a query is to compile much of it."""

    def __init__(self, engine: Asked) -> None:
        self._engine = engine
        self.dialect = engine.dialect
        self._described: dict[tuple[str, tuple[Table, ...]], tuple[OutputColumn, ...]] = {}
        self._mutable: dict[tuple[str, tuple[str, ...], tuple[Table, ...]], int | None] = {}

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """Names, types and collations of the query's columns. What is refused is asked again."""
        asked = (query, tuple(given))
        if asked not in self._described:
            self._described[asked] = self._engine.describe(query, given)
        return self._described[asked]

    def first_mutable(self, columns: str, expressions: Sequence[str], given: Sequence[Table] = ()) -> int | None:
        """The place of the first expression whose value depends on more than its row."""
        asked = (columns, tuple(expressions), tuple(given))
        if asked not in self._mutable:
            self._mutable[asked] = self._engine.first_mutable(columns, expressions, given)
        return self._mutable[asked]

    def one(self, sql: str) -> tuple[Any, ...] | None:
        """The first row of a query, or None: rows may change, so that this is asked each time."""
        return self._engine.one(sql)


def compiler_of(link: Link, catalog: Catalog, session: Asked, known: Compiled) -> Callable[..., Script]:
    """How to compile a declaration for a generation, over the scripts of the derived tables that it reads.

    `known` is what was compiled before; it serves again as long as everything is as it was. What more is said when it is
    asked goes to `compile_derived`.
    """

    def compile_over(generation: int, *upstream: Script, **about: Any) -> Script:
        # Thresholds may still be added to a declaration that was compiled before.
        basis = (link.declaration, tuple(link.declaration.crossings), catalog, upstream)
        # What is said empty is not said.
        about = {name: value for name, value in about.items() if value}
        place = (link.declaration.name, generation, tuple(sorted(about.items())))
        before = known.get(place)
        if before is not None and before[0] == basis:
            return before[1]
        script = compile_anew(generation, upstream, about)
        known[place] = (basis, script)
        return script

    def compile_anew(generation: int, upstream: tuple[Script, ...], about: dict[str, Any]) -> Script:
        given = tuple(table for script in upstream for table in script.offers)
        return compile_derived(
            link.declaration,
            catalog.with_tables(given),
            session.dialect,
            partial(session.describe, given=given),
            generation,
            partial(session.first_mutable, given=given),
            **about,
        )

    return compile_over
