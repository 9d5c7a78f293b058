"""Which derived tables are kept with supports, and the declarations of those.

Owns: the decision and `with_supports`. A query that counts different values is kept by recomputing each changed group, which
costs as many rows as the group has, or with a support for each value that it counts (`tidemark.maintenance.support`), which
costs as many rows as changed, a write more for each, and a stored row for each different value. Promises: a support is declared
by its own query, before the table that reads it; what is installed stays as it is while the declaration leaves the choice to
the plan. The same goes for a query that takes the first of each key's groups (`tidemark.query.ranked`). What is counted over a
join has no support of its own, and is counted among the rows of its table (`tidemark.maintenance.counted`); what is counted
over a stage is decided with that (`tidemark.compiler.stages`). What is read is decided before what reads it, whose stages read it
too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tidemark.compiler.derived import support_queries
from tidemark.compiler.stages import Known, over_stages
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.counted import OF
from tidemark.maintenance.support import Support
from tidemark.model import Declaration
from tidemark.query.admit import admit
from tidemark.query.cascade import Link
from tidemark.query.lower import lower_query
from tidemark.query.ranked import Ranking, rankings
from tidemark.render.advice import is_covered
from tidemark.render.statements import qualified

GROUP_ROWS = 10_000
"""A group of so many rows costs more to compute again than a support costs for each change."""
SAMPLED_ROWS = 10_000


def with_supports(links: Sequence[Link], known: Known) -> tuple[Link, ...]:
    """The declarations, each with its supports before it. `links` are what is declared, each after what it reads. Raises
    `Refusal` for one that asks for what cannot be."""
    found: list[Link] = []
    made: dict[str, tuple[Declaration, Known]] = {}
    for link in links:
        over = replace(known, above=_above(link, made))
        own = _supported(link.declaration, over, [])
        made |= {one.name: (one, over) for one in own}
        found += (Link(one, (*one.supported_by, *link.reads)) for one in own)
    return tuple(found)


def _above(link: Link, made: Mapping[str, tuple[Declaration, Known]]) -> tuple[Script, ...]:
    """What a declaration reads, as it would be installed first; nothing where that makes no difference."""
    one = link.declaration
    if one.columns_of or one.processor or one.support is False:
        return ()

    def first(name: str) -> Script:
        declaration, known = made[name]
        return known.compile(declaration, *map(first, declaration.supported_by))

    try:
        return tuple(map(first, link.reads))
    except Refusal:
        # It is compiled before this one, which says why.
        return ()


def _supported(declaration: Declaration, known: Known, taken: list[str]) -> list[Declaration]:
    """The declaration after its supports; `taken` are names of stages."""
    query = (declaration.query_for(known.dialect.name) or "").lower()
    if declaration.support is False:
        return [declaration]
    if (
        ("limit" in query or "mode" in query)
        and "group" in query
        and (found := _ranked(declaration, known, taken)) is not None
    ):
        return found
    if declaration.support is None and "distinct" not in query:
        return over_stages(declaration, known, taken, _supported)
    try:
        supports = support_queries(declaration, known.catalog, known.dialect, known.describe)
        own = _compiled(supports, declaration, known)
    except Refusal as refusal:
        if _counts_itself(declaration, known):
            return [declaration]
        return _without(declaration, known, taken, refusal.reason)
    if not own:
        return _without(declaration, known, taken, "the query counts no different values of one source")
    why = _why(declaration, supports, known)
    if not why:
        return [declaration]
    return [*own, replace(declaration, supported_by=tuple(one.name for one in own), why_supported=why)]


def _counts_itself(declaration: Declaration, known: Known) -> bool:
    """Whether a table that is asked to have supports counts values among its own rows, as one over a join does."""
    if not declaration.support:
        return False
    try:
        return OF in known.compile(declaration).applier.key_columns
    except Refusal:
        # By itself it cannot be kept, and over a stage it may.
        return False


def _ranked(declaration: Declaration, known: Known, taken: list[str]) -> list[Declaration] | None:
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
    try:
        own = _compiled(supports, declaration, known)
    except Refusal as refusal:
        return _without(declaration, known, taken, refusal.reason)
    return [*own, replace(declaration, supported_by=tuple(one.name for one in own), why_supported=why)]


def _without(declaration: Declaration, known: Known, taken: list[str], reason: str) -> list[Declaration]:
    if len(found := over_stages(declaration, known, taken, _supported)) > 1:
        return found
    if declaration.support and not declaration.supports:
        raise Refusal(
            Code.UNSUPPORTED,
            f"support=True, and there is nothing that it could keep: {reason.rstrip('.')}",
            instead="no support=",
            derived=declaration.name,
        )
    return [declaration]


def _compiled(supports: Sequence[Support | Ranking], owner: Declaration, known: Known) -> list[Declaration]:
    """The declarations of supports. Raises `Refusal` for one that cannot be kept, which is known when it was compiled."""
    own = [_declare(one, owner, known.dialect) for one in supports]
    for one in own:
        known.compile(one)
    return own


def _declare(support: Support | Ranking, owner: Declaration, dialect: Dialect) -> Declaration:
    """A support is kept in the writer's own transaction, so that at every moment it says what its source says."""
    if support.occurrence.table.keeps is not None:
        raise Refusal(Code.UNSUPPORTED, "its values are those of another derived table", instead="")
    query, name = support.query(qualified(support.occurrence.table, dialect)), owner.supports or owner.name
    return Declaration(support.name, {"": query}, freshness="commit", supports=name, place=owner.place)


def _why(declaration: Declaration, supports: Sequence[Support | Ranking], known: Known) -> str:
    """Why the table is kept with supports, as a clause; empty when it is not. A stage has them where nothing else follows it."""
    if declaration.supports and any(one.key for one in supports):
        return ""
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
