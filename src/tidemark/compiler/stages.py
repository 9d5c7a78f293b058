"""Which derived tables are kept over stages, and the declarations of those.

Owns: `Known` and `over_stages`. Where every change would touch everything, a query over an inner relation is two
(`tidemark.query.staged`), each of which is followed by what changed. Different values of the rows of a stage are counted as those
of a source are, in supports over the stage. Promises: a stage comes before what reads it, and supports before the table that
counts in them; a table is kept over a stage only where changes are followed through all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tidemark.compiler.derived import support_queries
from tidemark.compiler.once import Asked, Compiled, compiler_of
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.support import Support
from tidemark.model import Catalog, Declaration, Table
from tidemark.names import is_stage, stage_name
from tidemark.query.cascade import Link
from tidemark.query.lower import lower_query
from tidemark.query.ranked import rankings
from tidemark.query.staged import Staged, over_rows, staged

_WHY = "a change may touch any group, and few of those rows"


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


def over_stages(declaration: Declaration, known: Known) -> list[Declaration]:
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
        beneath = over_stages(stage, known)
        scripts = _followed(beneath, known)
        over = _over(declaration, found, scripts[-1], known) if scripts else []
        return [*beneath, *over] if over else [declaration]
    except Refusal as refusal:
        if found is not None and declaration.freshness == "commit" and refusal.code is Code.FRESHNESS:
            raise Refusal(refusal.code, refusal.reason, instead=refusal.instead, derived=owner) from refusal
        # It is compiled later, which says why.
        return [declaration]
    except RecursionError:
        return [declaration]


def _over(declaration: Declaration, found: Staged, stage: Script, known: Known) -> list[Declaration]:
    """The declaration over its stage, after the supports of the values that it counts there; nothing where changes are not
    followed."""
    over = replace(
        declaration,
        # What is added up from the rows of a stage follows them at once, whenever these are written.
        freshness=None if declaration.freshness == "tick" else declaration.freshness,
        supported_by=(stage.name,),
        why_supported=_WHY,
    )
    supports = _counting(over, found, stage, known)
    if supports:
        counted = replace(over, supported_by=(stage.name, *(one.name for one in supports)))
        scripts = [_compiled(one, known, stage) for one in supports]
        if all(one.klass == "linear" for one in (*scripts, _compiled(counted, known, stage, *scripts))):
            return [*supports, counted]
    return [over] if _compiled(over, known, stage).klass != "global" else []


def _counting(over: Declaration, found: Staged, stage: Script, known: Known) -> list[Declaration]:
    """The supports of the values that are counted over a stage: each is read from the rows of the stage as well."""
    text = over.query_for(known.dialect.name) or ""
    if "distinct" not in text.lower() or rankings(over.name, lower_query(text, known.catalog, known.dialect)):
        return []
    kept, view = stage.offers
    rows = replace(kept, columns=view.columns, uniques=(), indexes=(), without_rowid=False)
    said = replace(over, query={"": over_rows(found, rows, known.dialect)}, supported_by=())
    try:
        supports = _supports(said, (rows,), known)
        # Over what is stored two columns of the stage may be one, and are counted once.
        if _size(supports) != _size(_supports(over, stage.offers, known)):
            return []
    except Refusal:
        return []
    return [
        Declaration(
            one.name,
            {"": one.query(f"({found.stage})")},
            verify=over.verify,
            repair=over.repair,
            supports=over.supports or over.name,
            supported_by=(stage.name,),
            why_supported=_WHY,
            place=over.place,
        )
        for one in supports
    ]


def _supports(declaration: Declaration, given: tuple[Table, ...], known: Known) -> tuple[Support, ...]:
    describe = partial(known.engine.describe, given=given)
    return support_queries(declaration, known.catalog.with_tables(given), known.dialect, describe)


def _size(supports: Sequence[Support]) -> list[int]:
    """How many conditions each of them counts by."""
    return [len(one.filters) for one in supports]


def _is_global(declaration: Declaration, known: Known) -> bool:
    """Whether every change would touch everything. Raises `Refusal` for what cannot be kept at all."""
    late = replace(declaration, freshness=None) if declaration.freshness == "commit" else declaration
    try:
        return _compiled(late, known).klass == "global"
    except Refusal as refusal:
        if refusal.code is not Code.GLOBAL:
            raise
        return True


def _followed(declarations: Sequence[Declaration], known: Known) -> tuple[Script, ...]:
    """The scripts, each over those that it is supported by; none where changes are not followed through all of them."""
    found: tuple[Script, ...] = ()
    for one in declarations:
        found = (*found, _compiled(one, known, *(other for other in found if other.name in one.supported_by)))
    return () if any(one.klass == "global" for one in found) else found


def _compiled(declaration: Declaration, known: Known, *above: Script) -> Script:
    """The script of a first generation, which serves again when that is planned."""
    link = Link(declaration, tuple(one.name for one in above))
    return compiler_of(link, known.catalog, known.engine, known.compiled)(1, *above)
