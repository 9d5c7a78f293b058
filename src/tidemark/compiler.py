"""Table of contents of the pure tower: declaration + catalog → script.

Owns: the order of the steps and nothing else. Promises: the same declaration over the same catalog gives the same script, text
for text; nothing is changed in any database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.linear import NotLinear, linear_program
from tidemark.model import Catalog, Declaration, OutputColumn, Table
from tidemark.names import Names
from tidemark.query.admit import admit
from tidemark.query.keys import find_key
from tidemark.query.lower import lower_query
from tidemark.render import linear, sqlite
from tidemark.script import Script

Describe = Callable[[str], tuple[OutputColumn, ...]]


def compile_derived(
    declaration: Declaration, catalog: Catalog, dialect: Dialect, describe: Describe, generation: int = 1
) -> Script:
    """The finished script of one derived table. Raises `Refusal`, carrying the declaration's name."""
    try:
        return _compile(declaration, catalog, dialect, describe, generation)
    except Refusal as refusal:
        raise refusal.about(declaration.name) from refusal


def _compile(
    declaration: Declaration, catalog: Catalog, dialect: Dialect, describe: Describe, generation: int
) -> Script:
    query = declaration.query_for(dialect.name)
    if query is None:
        raise Refusal(
            Code.DECLARATION,
            f"There is no query for {dialect.title}.",
            instead=f'query={{"{dialect.name}": "SELECT …", …}}',
        )
    block = lower_query(query, catalog, dialect)
    outputs = describe(query)
    admit(block, catalog)
    key = find_key(block, declaration.key)
    program = linear_program(declaration.name, block, key, outputs, describe)
    names = Names(dialect, declaration.name, generation)
    store = linear.store_of(program, names, dialect)
    pieces = sqlite.linear_pieces(program, store, declaration.indexes)
    return Script(
        name=declaration.name,
        engine=dialect.name,
        generation=generation,
        klass="linear",
        freshness="commit",
        reasons=program.reasons,
        key=tuple(column.name for column in key),
        columns=tuple(output.name for output in block.outputs),
        sources=tuple(table.label for table in program.tables),
        pieces=pieces,
        applier=linear.applier(store, program),
        tick=None,
        store=names.store,
        public=dialect.quote(declaration.name),
        truth=query,
        source_identity=tuple((table.label, identity(table)) for table in program.tables),
    )


def identity(table: Table) -> str:
    """A hash of the catalog facts of a source that programs rely on."""
    facts = asdict(table)
    for volatile in ("rows", "indexes", "trigger_bodies"):
        facts.pop(volatile)
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
