"""What each class gives to a script: pieces, applier, tick and what explain says of them.

Owns: `Made`, and putting together what the other renderers make for a program. Promises: decides nothing about a query; which
program it has was decided before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tidemark.contract.costs import Fan
from tidemark.contract.script import Applier, MissingIndex, Piece
from tidemark.contract.tick import Tick
from tidemark.maintenance.bilinear import BilinearProgram
from tidemark.maintenance.edges import reasons_of
from tidemark.maintenance.mirror import Mirror, make_mirror
from tidemark.maintenance.processor import declared_inputs, inputs_of
from tidemark.maintenance.program import KeyedProgram, KeyPart, LinearProgram
from tidemark.maintenance.pruned import notes as notes_of_pruned
from tidemark.maintenance.pruned import require_totals
from tidemark.maintenance.remember import notes
from tidemark.model import Catalog, Declaration, Table
from tidemark.names import Names
from tidemark.query.keys import KeyColumn
from tidemark.query.relation import Query
from tidemark.render import adding, advice, fans, full, linear_live, linear_ticks, routes_told, scans, whole
from tidemark.render import keyed as render_keyed
from tidemark.render import linear as render_linear
from tidemark.render import mirror as render_mirror
from tidemark.render import ticks as render_ticks
from tidemark.render.crossings import Shown
from tidemark.render.engines import PIECES
from tidemark.render.live import why_not_live
from tidemark.render.processor import by_python
from tidemark.render.products import products
from tidemark.render.statements import qualified
from tidemark.render.store import Store
from tidemark.render.tables import keyed_pieces

Key = tuple[KeyColumn, ...]


@dataclass(frozen=True)
class Made:
    """What the two classes give to a script."""

    klass: str
    freshness: str
    reasons: tuple[str, ...]
    tables: tuple[Table, ...]
    pieces: tuple[Piece, ...]
    applier: Applier
    tick: Tick | None
    missing: tuple[MissingIndex, ...]
    public: str
    store: Store
    shown: Shown
    notes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    live: str = ""
    why_not_live: str = ""
    fans: tuple[Fan, ...] = ()
    holds: tuple[tuple[str, str], ...] = ()


def of_linear(
    program: LinearProgram, query: Query, key: Key, declaration: Declaration, catalog: Catalog, names: Names
) -> Made:
    """What a linear program gives. Raises `Refusal` for what cannot be made of a pruned source."""
    require_totals(program, declaration)
    program = replace(program, crossed=bool(declaration.crossings), shown_in=_shown_in(declaration, query))
    store = render_linear.store_of(program, names, names.dialect)
    ticks = declaration.freshness == "tick"
    if ticks or any(feed.table.pruned for feed in program.origins):
        # A tick computes a key anew as of its checkpoint, and what it has of that is what was logged: the supports' rows. And
        # where rows are gone only the supports know which values there were.
        program = replace(program, anew=())
    engine = PIECES[names.dialect.name]
    pieces = (engine.added if ticks else engine.linear)(program, store, declaration.indexes, catalog.search_path)
    applier = (linear_ticks if ticks else render_linear).applier(store, program)
    everything = whole.of_linear(store, program, ticks=ticks)
    if everything is not None and not ticks:
        everything = replace(everything, adding=adding.of_linear(store, program, whole.rows_of_linear(store, program)))
    applier = replace(applier, whole=everything)
    missing = advice.for_linear(program, names.dialect, covered=bool(declaration.supports))
    visible = [(one.name, one.sql) for one in program.visible]
    mirror = make_mirror(declaration, query, key, visible, program.present, catalog)
    freshness, tick = "commit", None
    if ticks:
        freshness, tick = "tick", replace(linear_ticks.tick(store, program), full=full.of_linear(store, program))
    shown = Shown(store, _shown_key(store), tuple(visible), program.present)
    made = Made(
        "linear", freshness, program.reasons, program.tables, pieces, applier, tick, missing, names.public, store, shown
    )
    live, why_not = "", "at commit freshness nothing waits"
    if mirror is not None:
        why_not = "a table of the user's shows the rows"
    elif ticks:
        live, why_not = linear_live.live_query(store, program), linear_live.why_not(store, program)
    made = replace(
        made,
        routes=routes_told.routes_of_linear(program),
        fans=fans.of_linear(program, names.dialect),
        live=live,
        why_not_live=why_not,
        notes=notes_of_pruned(program),
        holds=_holds(program),
    )
    return _with_mirror(made, mirror, store, catalog)


def _shown_in(declaration: Declaration, query: Query) -> str:
    """The label of the table of which columns are kept: the first that the query names."""
    return query.all_occurrences[0].table.label if declaration.columns_of else ""


def _shown_key(store: Store) -> tuple[KeyPart, ...]:
    """What readers see of the key: a result of one row has none."""
    return tuple(part for part in store.key if not part.hidden)


def _holds(program: LinearProgram) -> tuple[tuple[str, str], ...]:
    """What each stored column of a linear program is, and which rows readers see: the same text is the same value."""
    found = [("", program.present)]
    for feed in program.feeds:
        rows = f"of {feed.table.label}" + (f" where {feed.guard.at('r')}" if feed.guard is not None else "")
        by = ", ".join(one.at("r") for one in feed.key)
        found += [(part.name, f"{part.kind} {part.aggregate.at('r')} {rows} by {by}") for part in feed.parts]
    return tuple(found)


def of_keyed(program: KeyedProgram, key: Key, declaration: Declaration, catalog: Catalog, names: Names) -> Made:
    """What a keyed program gives."""
    program = replace(program, shown_in=_shown_in(declaration, program.query))
    store = render_keyed.store_of(program, names, names.dialect)
    engine, ticks = PIECES[names.dialect.name], program.locking is None
    if ticks:
        pieces = keyed_pieces(program, store, declaration.indexes, engine.view)
    else:
        pieces = engine.settled(program, store, declaration.indexes, catalog.search_path)
    lock = () if ticks else engine.hold(store, program)
    tick = replace(render_ticks.tick(store, program), full=full.of_keyed(store, program)) if ticks else None
    missing = advice.for_keyed(program, names.dialect)
    first, *others = program.reasons
    settled = reasons_of(program.locking, names.dialect) if program.locking is not None else ()
    reasons = (f"affected keys are recomputed, because {first}", *settled, *others)
    klass = "global" if any(route.everywhere for route in program.routes) else "keyed"
    visible = [(name, f"s.{names.dialect.quote(name)}") for name in program.public]
    mirror = make_mirror(declaration, program.query, key, visible, "1 = 1", catalog)
    applier = render_keyed.applier(store, program, lock)
    if declaration.processor is not None:
        besides = declared_inputs((*declaration.processor.sampled, *declaration.processor.ignored), catalog)
        applier = by_python(applier, store, program, declaration.processor, besides)
        tick = replace(tick, full=None) if tick is not None else None
    freshness = "tick" if ticks else "commit"
    seen = [(one.name, one.sql) for one in program.shown] or visible
    shown = Shown(store, _shown_key(store), tuple(seen), program.having or "1 = 1")
    said = (*inputs_of(declaration), *notes(program), *scans.notes(tick.scans if tick is not None else ()))
    made = Made(
        klass, freshness, reasons, program.tables, pieces, applier, tick, missing, names.public, store, shown, said
    )
    live, why_not = "", "at commit freshness nothing waits"
    if ticks:
        live, why_not = render_keyed.public_live(store, program), why_not_live(store, program)
    if declaration.processor is not None:
        live, why_not = "", "Python computes the rows"
    if mirror is not None:
        live, why_not = "", "a table of the user's shows the rows"
    made = replace(
        made,
        routes=routes_told.routes_of_keyed(program),
        fans=fans.of_keyed(program, names.dialect),
        live=live,
        why_not_live=why_not,
    )
    return _with_mirror(made, mirror, store, catalog)


def of_bilinear(program: BilinearProgram, key: Key, declaration: Declaration, catalog: Catalog, names: Names) -> Made:
    """A keyed program of the state, whose ticks may add what changed rows join."""
    made = of_keyed(program.keyed, key, declaration, catalog, names)
    if made.tick is None:
        return made
    added = products(made.store, program)
    tick = replace(made.tick, products=added)
    if tick.full is not None:
        tick = replace(tick, full=replace(tick.full, write=(added.uneven, *tick.full.write)))
    # Whatever computes a row again does so at a moment of its own.
    applier = replace(made.applier, lock=(added.uneven, *made.applier.lock))
    return replace(
        made,
        klass="bilinear",
        reasons=program.keyed.reasons,
        tick=tick,
        applier=applier,
        missing=advice.for_joined(program, names.dialect),
        fans=fans.of_joined(program, names.dialect),
    )


def _with_mirror(made: Made, mirror: Mirror | None, store: Store, catalog: Catalog) -> Made:
    """The same with the user's table in the place of the public view."""
    if mirror is None:
        return made
    shown = PIECES[store.dialect.name].mirror(store, mirror, catalog.search_path, made.freshness == "tick")
    own = tuple(piece for piece in made.pieces if not piece.public)
    return replace(
        made,
        pieces=(*own, *shown),
        applier=render_mirror.mirrored(made.applier, store, mirror),
        tick=render_mirror.carried(made.tick, store, mirror) if made.tick is not None else None,
        public=qualified(mirror.table, store.dialect),
    )
