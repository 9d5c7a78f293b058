"""Compiling once what tests declare again and again.

Owns: `Compiler`. Promises: an engine is asked everything that compiling would ask it, and only while all of its answers, the
declaration and the catalog are what they were does a script serve again; so a test sees nothing of this but the time. Not for
tests that change what compiles.
"""

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.model import Catalog, Declaration

REMEMBERED = 8
Question = tuple[str, tuple[Any, ...]]


class Compiler:
    """`compile_derived`, with a memory."""

    def __init__(self) -> None:
        self._known: dict[object, deque[tuple[object, list[tuple[Question, Any]], Script]]] = defaultdict(
            lambda: deque(maxlen=REMEMBERED)
        )

    def __call__(
        self,
        declaration: Declaration,
        catalog: Catalog,
        dialect: Dialect,
        describe: Any,
        generation: int,
        first_mutable: Any,
        **about: Any,
    ) -> Script:
        asked = {"describe": describe, "first_mutable": first_mutable}
        basis = (declaration, tuple(declaration.crossings), catalog, dialect, about)
        known = self._known[declaration.name, generation, dialect.name]
        for before, answers, script in known:
            if before == basis and all(asked[who](*what) == answer for (who, what), answer in answers):
                return script
        heard: list[tuple[Question, Any]] = []

        def ask(who: str, *what: Any) -> Any:
            answer = asked[who](*what)
            heard.append(((who, what), answer))
            return answer

        def ask_types(query: str) -> Any:
            return ask("describe", query)

        def ask_mutable(columns: str, expressions: Sequence[str]) -> Any:
            return ask("first_mutable", columns, expressions)

        script = compile_derived(declaration, catalog, dialect, ask_types, generation, ask_mutable, **about)
        known.append((basis, heard, script))
        return script
