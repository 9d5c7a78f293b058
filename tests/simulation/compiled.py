"""Scripts of a simulation, compiled once for the same catalog: cases are cut down often.

Owns: `compile_once` and what it keeps. Promises: what is kept was compiled from the very same declaration over the very same
tables; where rows as of now can be had, there is a view of them.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.database.session import Session
from tidemark.model import Catalog, Declaration

SCRIPTS: dict[tuple[str, str, str, int], Script] = {}
SCRIPTS_MAX = 200


def compile_once(
    session: Session, declaration: Declaration, catalog: Catalog, generation: int, /, *upstream: Script, **how: Any
) -> Script:
    """The script of a declaration over what others offer."""
    given = tuple(table for script in upstream for table in script.offers)
    facts = [replace(table, rows=None) for table in (*catalog.tables.values(), *given)]
    known = (session.dialect.name, repr(facts), repr((replace(declaration, place=""), how)), generation)
    script = SCRIPTS.get(known)
    if script is None:
        if len(SCRIPTS) > SCRIPTS_MAX:
            SCRIPTS.clear()
        describe, first_mutable = (partial(ask, given=given) for ask in (session.describe, session.first_mutable))
        about = (catalog.with_tables(given), session.dialect, describe, generation, first_mutable)
        script = compile_derived(declaration, *about, **how)
        if script.live and not script.supports:
            script = compile_derived(replace(declaration, live=True), *about, **how)
        SCRIPTS[known] = script
    return script
