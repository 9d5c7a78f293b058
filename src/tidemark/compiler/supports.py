"""Which derived tables are kept with supports, and the declarations of those.

Owns: the decision and `with_supports`. A query that counts different values is kept by recomputing each changed group, which
costs as many rows as the group has, or with a support for each value that it counts (`tidemark.maintenance.support`), which
costs as many rows as changed, a write more for each, and a stored row for each different value. Promises: a support is
declared by its own query, before the table that reads it; what is installed stays as it is while the declaration leaves the
choice to the plan. The same goes for a query that takes the first of each key's groups (`tidemark.query.ranked`). What is counted
over a join has no support of its own, and is counted among the rows of its table (`tidemark.maintenance.counted`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from tidemark.compiler.derived import compile_derived, support_queries
from tidemark.compiler.once import Asked, Compiled, compiler_of
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.counted import OF
from tidemark.maintenance.support import Support
from tidemark.model import Catalog, Declaration
from tidemark.names import is_stage, stage_name
from tidemark.query.admit import admit
from tidemark.query.cascade import Link
from tidemark.query.lower import lower_query
from tidemark.query.ranked import Ranking, rankings
from tidemark.query.staged import staged
from tidemark.render.advice import is_covered
from tidemark.render.statements import qualified

GROUP_ROWS = 10_000
"""A group of so many rows costs more to compute again than a support costs for each change."""
SAMPLED_ROWS = 10_000


@dataclass(frozen=True)
class Known:
    """What a decision rests on: the engine, and what is there.

    `installed` are the names of the derived tables that are there, `with_support` those of them that have one. `compiled` is what
    was compiled before.
    """

    catalog: Catalog
    engine: Asked
    installed: Collection[str] = ()
    with_support: Collection[str] = ()
    compiled: Compiled = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """The engine's facts."""
        return self.engine.dialect


def with_supports(declarations: Sequence[Declaration], known: Known) -> tuple[Declaration, ...]:
    """The declarations, each with its supports before it. Raises `Refusal` for one that asks for what cannot be."""
    found: list[Declaration] = []
    for one in declarations:
        found += _supported(one, known)
    return tuple(found)


def _supported(declaration: Declaration, known: Known) -> list[Declaration]:
    query = (declaration.query_for(known.dialect.name) or "").lower()
    if declaration.support is False:
        return [declaration]
    if (
        ("limit" in query or "mode" in query)
        and "group" in query
        and (found := _ranked(declaration, known)) is not None
    ):
        return found
    if declaration.support is None and "distinct" not in query:
        return _staged(declaration, known)
    try:
        supports = support_queries(declaration, known.catalog, known.dialect, known.engine.describe)
        own = [_declare(one, declaration, known.dialect) for one in supports]
        for one in own:
            # Whether it can be kept is known when it was compiled.
            compile_derived(one, known.catalog, known.dialect, known.engine.describe, 1, known.engine.first_mutable)
    except Refusal as refusal:
        return [declaration] if _counts_itself(declaration, known) else _without(declaration, known, refusal.reason)
    if not own:
        return _without(declaration, known, "the query counts no different values of one source")
    why = _why(declaration, supports, known)
    if not why:
        return [declaration]
    return [*own, replace(declaration, supported_by=tuple(one.name for one in own), why_supported=why)]


def _counts_itself(declaration: Declaration, known: Known) -> bool:
    """Whether a table that is asked to have supports counts values among its own rows, as one over a join does."""
    if not declaration.support:
        return False
    engine = known.engine
    script = compile_derived(declaration, known.catalog, known.dialect, engine.describe, 1, engine.first_mutable)
    return OF in script.applier.key_columns


def _ranked(declaration: Declaration, known: Known) -> list[Declaration] | None:
    """The declaration with supports of what it ranks; None where it ranks nothing, or where that is cheap as it is."""
    query = declaration.query_for(known.dialect.name) or ""
    try:
        lowered = lower_query(query, known.catalog, known.dialect)
        admit(lowered, known.catalog)
    except Refusal:
        # It is compiled later, which says why.
        return None
    supports = rankings(declaration.name, lowered)
    if not supports or (declaration.freshness == "commit" and not declaration.support):
        return None
    why = _why(declaration, supports, known)
    if not why:
        return None
    own = tuple(_declare(one, declaration, known.dialect) for one in supports)
    for one in own:
        try:
            compile_derived(one, known.catalog, known.dialect, known.engine.describe, 1, known.engine.first_mutable)
        except Refusal as refusal:
            return _without(declaration, known, refusal.reason)
    return [*own, replace(declaration, supported_by=tuple(one.name for one in own), why_supported=why)]


def _staged(declaration: Declaration, known: Known) -> list[Declaration]:
    """The declaration over a stage where every change would touch everything without one; else alone."""
    plain = not (declaration.columns_of or declaration.rows_of or declaration.processor or declaration.live)
    plain = plain and not (declaration.keep or declaration.keep_rows or declaration.sampled or declaration.crossings)
    asked = declaration.support or not declaration.allow_global
    if not (plain and asked):
        return [declaration]
    text = declaration.query_for(known.dialect.name) or ""
    owner = declaration.supports or declaration.name
    number = int(declaration.name.rpartition("_")[2]) + 1 if is_stage(declaration.name) else 1
    found = None
    try:
        found = staged(lower_query(text, known.catalog, known.dialect))
        if found is None or not _is_global(declaration, known):
            return [declaration]
        stage = Declaration(
            stage_name(owner, number),
            {"": found.stage},
            freshness=declaration.freshness,
            indexes=found.indexes,
            verify=declaration.verify,
            repair=declaration.repair,
            supports=owner,
            place=declaration.place,
        )
        beneath = _staged(stage, known)
        scripts = _followed(beneath, known)
        over = replace(
            declaration,
            # What is added up from the rows of a stage follows them at once, whenever these are written.
            freshness=None if declaration.freshness == "tick" else declaration.freshness,
            supported_by=(stage.name,),
            why_supported="a change may touch any group, and few of those rows",
        )
        return [*beneath, over] if scripts and _followed([over], known, *scripts[-1:]) else [declaration]
    except Refusal as refusal:
        if found is not None and declaration.freshness == "commit" and refusal.code is Code.FRESHNESS:
            raise Refusal(refusal.code, refusal.reason, instead=refusal.instead, derived=owner) from refusal
        # It is compiled later, which says why.
        return [declaration]
    except RecursionError:
        return [declaration]


def _is_global(declaration: Declaration, known: Known) -> bool:
    """Whether every change would touch everything. Raises `Refusal` for what cannot be kept at all."""
    late = replace(declaration, freshness=None) if declaration.freshness == "commit" else declaration
    try:
        return _compiled(late, known).klass == "global"
    except Refusal as refusal:
        if refusal.code is not Code.GLOBAL:
            raise
        return True


def _followed(declarations: Sequence[Declaration], known: Known, *above: Script) -> tuple[Script, ...]:
    """The scripts, each over the one before; none where changes are not followed through all of them."""
    found = above
    for one in declarations:
        found = (*found, _compiled(one, known, *found[-1:]))
    return () if any(one.klass == "global" for one in found) else found


def _compiled(declaration: Declaration, known: Known, *above: Script) -> Script:
    """The script of a first generation, which serves again when that is planned."""
    link = Link(declaration, tuple(one.name for one in above))
    return compiler_of(link, known.catalog, known.engine, known.compiled)(1, *above)


def _without(declaration: Declaration, known: Known, reason: str) -> list[Declaration]:
    if len(found := _staged(declaration, known)) > 1:
        return found
    if declaration.support:
        raise Refusal(
            Code.UNSUPPORTED,
            f"support=True, and there is nothing that it could keep: {reason.rstrip('.')}",
            instead="no support=",
            derived=declaration.name,
        )
    return [declaration]


def _declare(support: Support | Ranking, owner: Declaration, dialect: Dialect) -> Declaration:
    """A support is kept in the writer's own transaction, so that at every moment it says what its source says."""
    query = support.query(qualified(support.occurrence.table, dialect))
    return Declaration(support.name, {"": query}, freshness="commit", supports=owner.name, place=owner.place)


def _why(declaration: Declaration, supports: Sequence[Support | Ranking], known: Known) -> str:
    """Why the table is kept with supports, as a clause; empty when it is not."""
    if declaration.support:
        return "support=True asks for it"
    if declaration.freshness == "commit":
        return "nothing else keeps it true at every commit"
    if declaration.name in known.with_support:
        return "it is installed so"
    if not declaration.allow_global and not any(one.key for one in supports):
        return "any change would have everything counted again without it"
    if declaration.freshness == "tick" or declaration.name in known.installed:
        # Whoever chose ticks chose writers that only append to a log.
        return ""
    if not all(_is_filled_by_index(one) for one in supports):
        return ""
    largest = max(_measure(one, known) for one in supports)
    return f"the largest group has about {largest:,} rows" if largest >= GROUP_ROWS else ""


def _is_filled_by_index(support: Support | Ranking) -> bool:
    """Whether the rows of one value of a key are found without reading the whole group."""
    terms = [one.column for one in (*support.key, support.value)]
    names = tuple(dict.fromkeys(term[1] for term in terms if term is not None))
    return all(terms) and is_covered(support.occurrence.table, names)


def _measure(support: Support | Ranking, known: Known) -> int:
    """The estimated number of rows of the largest group, from the first rows of the source."""
    table = support.occurrence.table
    keys = ", ".join(f"{one.at_row('r')} AS k{number}" for number, one in enumerate(support.key)) or "1 AS k0"
    sample = f"SELECT {keys} FROM {qualified(table, known.dialect)} AS r LIMIT {SAMPLED_ROWS}"
    places = ", ".join(f"k{number}" for number in range(max(1, len(support.key))))
    row = known.engine.one(
        f"SELECT max(g.n), sum(g.n) FROM (SELECT count(*) AS n FROM ({sample}) AS s GROUP BY {places}) AS g"
    )
    largest, seen = (int(str(value or 0)) for value in (row or (0, 0)))
    return largest * max(table.rows or 0, seen) // max(seen, 1)
