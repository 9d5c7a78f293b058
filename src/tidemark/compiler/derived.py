"""Table of contents of the pure tower: declaration + catalog → script.

Owns: the order of the steps and nothing else. Promises: the same declaration over the same catalog gives the same script, text
for text; nothing is changed in any database.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tidemark.compiler.classes import Read, choose, key_of_result, require_changes_alone
from tidemark.contract.script import Piece, Script
from tidemark.contract.widening import Wide
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance import pruned
from tidemark.maintenance.counted import OF
from tidemark.maintenance.edges import left_to_ticks, why_left
from tidemark.maintenance.linear import linear_program
from tidemark.maintenance.operators import operators_of
from tidemark.maintenance.shapes import NotLinear
from tidemark.maintenance.support import Support, Supports, stores_of
from tidemark.model import Catalog, Declaration, Describe, Kept, OutputColumn
from tidemark.names import Names, is_stage
from tidemark.query.admit import admit, indexes_of
from tidemark.query.cut import is_hidden
from tidemark.query.home import home_of
from tidemark.query.keys import KeyColumn
from tidemark.query.lower import lower_query
from tidemark.query.outputs import leave_out
from tidemark.query.partitions import Lower, narrower
from tidemark.query.purity import FirstMutable, never_mutable, require_pure
from tidemark.query.ranked import over_rankings
from tidemark.query.relation import Query
from tidemark.query.staged import over_stages, over_store
from tidemark.query.storable import storable
from tidemark.query.watched import watches_of
from tidemark.render.crossings import check_crossings
from tidemark.render.due import moment_of
from tidemark.render.engines import PIECES
from tidemark.render.live import live_view
from tidemark.render.made import Made
from tidemark.render.offers import offers
from tidemark.render.scans import scheduled
from tidemark.render.statements import qualified
from tidemark.render.supported import as_support, missing_of, reasons_of

Key = tuple[KeyColumn, ...]


def compile_derived(
    declaration: Declaration,
    catalog: Catalog,
    dialect: Dialect,
    describe: Describe,
    generation: int = 1,
    first_mutable: FirstMutable = never_mutable,
    *,
    housed: int = 0,
    session: str = "",
    without: tuple[str, ...] = (),
) -> Script:
    """The finished script of one derived table. Raises `Refusal`, carrying the declaration's name.

    `describe` and `first_mutable` ask the engine, as `Session` does. `housed` is the generation in whose store the rows are,
    where that is another one, `session` as in `Names`; columns named in `without` are left out of the result.
    """
    names = Names(dialect, declaration.name, housed or generation, session, home_of(declaration, catalog))
    try:
        wanted = _without(declaration, without, dialect) if without else declaration
        make = partial(_compile, wanted, catalog, dialect, describe, names, first_mutable)
        script = replace(narrower(wanted, make), generation=generation)
        locks = _locks(script, catalog, dialect) if housed else ()
        script = replace(script, wide=Wide(of=housed, locks=locks, session=session))
        return scheduled(script, declaration)
    except Refusal as refusal:
        raise refusal.about(declaration.name) from refusal
    except RecursionError as error:
        raise Refusal(
            Code.PARSE,
            "The query is nested too deeply.",
            instead="IN (…) for long chains of OR, and fewer parentheses",
            derived=declaration.name,
        ) from error


def _compile(
    declaration: Declaration,
    catalog: Catalog,
    dialect: Dialect,
    describe: Describe,
    names: Names,
    first_mutable: FirstMutable,
    lower: Lower,
) -> Script:
    query = declaration.query_for(dialect.name)
    if query is None:
        raise Refusal(
            Code.DECLARATION,
            f"There is no query for {dialect.title}.",
            instead=f'query={{"{dialect.name}": "SELECT …", …}}',
        )
    kept, lowered, stored, outputs = _as_given(*lower(query, catalog, dialect, moment_of(names), describe))
    declaration = left_to_ticks(replace(declaration, query={"": kept}), lowered)
    admit(lowered, catalog)
    require_pure(lowered, first_mutable, describe, catalog.routines)
    lowered = _over_supports(lowered, declaration, catalog)
    declaration = replace(declaration, indexes=indexes_of(lowered, declaration.indexes))
    key, unproven = key_of_result(lowered, declaration, stored)
    joins = _joined(declaration, key, catalog)
    if joins:
        declaration = replace(declaration, columns_of=None)
    read = Read(declaration, kept, lowered, key, unproven, stored, describe, catalog, names)
    made = choose(read)
    reads = tuple(dict.fromkeys(table.keeps for table in made.tables if table.keeps is not None))
    made = _weakest(made, reads, declaration.freshness)
    script = Script(
        name=declaration.name,
        engine=dialect.name,
        generation=names.generation,
        klass=made.klass,
        freshness=made.freshness,
        reasons=(*made.reasons, *reasons_of(declaration)),
        key=made.shown.key_names,
        columns=tuple(output.name for output in outputs),
        sources=tuple(table.label for table in made.tables),
        pieces=_pieces(declaration, made, outputs, catalog, names),
        applier=made.applier,
        tick=made.tick,
        store=names.store,
        public=made.public,
        truth=query,
        missing_indexes=missing_of(made, declaration),
        watches=watches_of(query, lowered, made.tables, catalog, dialect),
        verify_seconds=declaration.verify or 0.0,
        repairs=declaration.repair,
        notes=(*_notes(declaration, lowered, key, unproven), *_upstream_notes(declaration, reads), *made.notes),
        routes=made.routes,
        live=made.live,
        why_not_live=made.why_not_live,
        reads=reads,
        offers=offers(made.store, made.pieces, outputs, catalog, made.freshness),
        joins=joins,
        supported_by=declaration.supported_by,
        operators=operators_of(lowered, linear=made.klass == "linear", counted=OF in made.applier.key_columns),
        fans=made.fans,
        crosses=bool(declaration.crossings),
        pruned=pruned.pruned_of(lowered),
        holds=made.holds,
    )
    return as_support(script, declaration, made.shown) if declaration.supports else script


def _over_supports(query: Query, declaration: Declaration, catalog: Catalog) -> Query:
    """The query with what is read of its supports, where these are there. `query` is used up."""
    found = over_rankings(declaration.name, query, stores_of(declaration, catalog), catalog)
    stages = [name for name in declaration.supported_by if is_stage(name)]
    return over_stages(found, stages, catalog) if stages else over_store(found, catalog)


def _as_given(
    text: str, query: Query, stored: tuple[OutputColumn, ...], shown: tuple[OutputColumn, ...]
) -> tuple[str, Query, tuple[OutputColumn, ...], tuple[OutputColumn, ...]]:
    """What was lowered, with types that convert nothing."""
    stored = storable(query, stored)
    types = {column.name: column.type for column in stored}
    return text, query, stored, tuple(replace(column, type=types.get(column.name, column.type)) for column in shown)


def _without(declaration: Declaration, names: tuple[str, ...], dialect: Dialect) -> Declaration:
    """The declaration without columns of its result. Raises `Refusal` where they cannot be left out."""
    query = leave_out(declaration.query_for(dialect.name) or "", names, dialect)
    return replace(declaration, query={dialect.name: query})


def _locks(script: Script, catalog: Catalog, dialect: Dialect) -> tuple[str, ...]:
    """What keeps every writer of the sources away for a moment."""
    if dialect.writers_wait_in_line:
        return ()
    tables = [table for table in catalog.tables.values() if table.label in script.sources]
    listed = ", ".join(sorted({qualified(table, dialect) for table in tables}))
    return (f"LOCK TABLE {listed} IN SHARE ROW EXCLUSIVE MODE",) if listed else ()


def _pieces(
    declaration: Declaration, made: Made, outputs: tuple[OutputColumn, ...], catalog: Catalog, names: Names
) -> tuple[Piece, ...]:
    """Everything, with the view of the rows as of now, and what writes events when a row reaches a threshold."""
    live = live_view(declaration, names, made.live, made.why_not_live)
    check_crossings(declaration, outputs, names.dialect)
    make, by_batch = PIECES[names.dialect.name].crossings, made.freshness == "tick"
    crossings = make(made.shown, declaration.crossings, catalog.search_path, by_batch)
    return (*made.pieces, *live, *crossings)


def support_queries(
    declaration: Declaration, catalog: Catalog, dialect: Dialect, describe: Describe
) -> tuple[Support, ...]:
    """The supports in which a derived table could be kept linear. Raises `Refusal` where it cannot."""
    query = declaration.query_for(dialect.name)
    if query is None:
        return ()
    names = Names(dialect, declaration.name, 1)
    lowered = lower_query(query, catalog, dialect, moment_of(names))
    admit(lowered, catalog)
    lowered = _over_supports(lowered, declaration, catalog)
    outputs = storable(lowered, describe(query))
    key, unproven = key_of_result(lowered, declaration, outputs)
    supports = Supports(declaration.name)
    try:
        read = Read(declaration, query, lowered, key, unproven, outputs, describe, catalog, names)
        require_changes_alone(read)
        linear_program(read.summed, describe, supports)
    except NotLinear as problem:
        raise Refusal(Code.UNSUPPORTED, problem.reason, instead="", derived=declaration.name) from problem
    return supports.wanted


def _upstream_notes(declaration: Declaration, reads: tuple[Kept, ...]) -> tuple[str, ...]:
    named = [kept for kept in reads if kept.derived not in declaration.supported_by]
    if not named:
        return ()
    names = ", ".join(f"{kept.derived} ({kept.freshness})" for kept in named)
    return (f"it is true over the stored rows of {names}, and as fresh as the least fresh of them",)


def _notes(declaration: Declaration, lowered: Query, key: Key, unproven: Refusal | None) -> tuple[str, ...]:
    late, listed = why_left(lowered), ", ".join(declaration.key)
    said = f"nothing proves that {listed} identifies a row; every batch looks for rows that share one"
    unseen = ", ".join(column.output.scalar.text for column in key if is_hidden(column.name))
    return (
        *((said,) if unproven else ()),
        *((f"its rows are told apart by what is stored and not shown: {unseen}",) if unseen else ()),
        *((f"ticks keep it: {late}",) if late else ()),
    )


def _joined(declaration: Declaration, key: Key, catalog: Catalog) -> str:
    """The name of the derived table for whose rows these columns are kept; empty where there is none."""
    schema, _, name = (declaration.columns_of or "").rpartition(".")
    view = catalog.find(name, schema) if name else None
    if view is None or view.keeps is None:
        return ""
    store = next(table for table in catalog.tables.values() if table.keeps == view.keeps and table.kind == "table")
    wanted, mine = store.uniques[0].terms, {column.name for column in key}
    if set(wanted) != mine:
        raise Refusal(
            Code.COLUMNS_OF,
            f"The key of {view.keeps.derived} is {', '.join(map(str, wanted))}, and the one here is {', '.join(sorted(mine))}.",
            instead="the same key columns under the same names",
        )
    return view.keeps.derived


def _weakest(made: Made, reads: tuple[Kept, ...], wanted: str | None) -> Made:
    """The same with the freshness of the weakest derived table that it reads."""
    late = [kept.derived for kept in reads if kept.freshness == "tick"]
    if not late or made.freshness == "tick":
        return made
    if wanted == "commit":
        raise Refusal(
            Code.FRESHNESS,
            f"It reads {', '.join(late)}, which is kept by ticks.",
            instead=f'freshness="commit" for {late[0]}, or no freshness= here',
        )
    reason = f"its rows follow those of {', '.join(late)} at once, and those are kept by ticks"
    return replace(made, freshness="tick", reasons=(*made.reasons, reason))
