"""Which derived tables are kept over stages, and the declarations of those.

Owns: `Known` and `over_stages`. Where every change would touch everything, a query over an inner relation is two
(`tidemark.query.staged`), each of which is followed by what changed. Different values of the rows of a stage are counted as those
of a source are, in supports over the stage. Promises: a stage comes before what reads it, and supports before the table that
counts in them; a table is kept over a stage only where changes are followed through all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from tidemark.compiler.derived import support_queries
from tidemark.compiler.once import Asked, Compiled, compiler_of
from tidemark.contract.script import Script
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.mirror import require_apart
from tidemark.maintenance.support import Support
from tidemark.model import Catalog, Declaration, OutputColumn, Table
from tidemark.names import stage_name
from tidemark.query.cascade import Link
from tidemark.query.figures import with_figures
from tidemark.query.lower import lower_query
from tidemark.query.moment import clock_of
from tidemark.query.ranked import rankings
from tidemark.query.stage import Stage, Staged, over_rows
from tidemark.query.staged import staged
from tidemark.render.statements import qualified

_LATE = "Rows are compared with a figure over everything: where ticks keep it, it is of another moment than the tables beside it."
_SOONER = "no freshness=, or support=True beside it, with which writers keep the figure; or allow_global=True"
_WHY = "a change may touch any group, and few of those rows"
_PASSING = "rows enter and leave as time passes, and few of them at once"


@dataclass(frozen=True)
class Known:
    """What a decision rests on: the engine, and what is there.

    `tables` is the catalog of the user's tables. `installed` are the names of the derived tables that are there, `with_support`
    those of them that count values in one. `compiled` is what was compiled before, `above` the derived tables that are read, as
    they would be installed first. `shared` are stages that others may read, too, after what is beneath them, by the text that is
    alike in all that have the same rows.
    """

    tables: Catalog
    engine: Asked
    installed: Collection[str] = ()
    with_support: Collection[str] = ()
    compiled: Compiled = field(default_factory=dict)
    above: tuple[Script, ...] = ()
    shared: Mapping[str, Sequence[Declaration]] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """The engine's facts."""
        return self.engine.dialect

    @property
    def given(self) -> tuple[Table, ...]:
        """The derived tables that are read, as their readers see them."""
        return tuple(table for script in self.above for table in script.offers)

    @property
    def catalog(self) -> Catalog:
        """What a query may name."""
        return self.tables.with_tables(self.given)

    def describe(self, query: str, given: Sequence[Table] = ()) -> tuple[OutputColumn, ...]:
        """The columns of a query, also over tables that are not there."""
        return self.engine.describe(query, (*self.given, *given))

    def compile(self, declaration: Declaration, *supports: Script) -> Script:
        """The script of a first generation, over its supports and what is read; it serves again when that is planned."""
        beneath = (*supports, *self.above)
        return compiler_of(self.link(declaration), self.tables, self.engine, self.compiled)(1, *beneath)

    def link(self, declaration: Declaration) -> Link:
        """The declaration with what it reads."""
        return Link(declaration, (*declaration.supported_by, *(one.name for one in self.above)))


Choose = Callable[[Declaration, Known, list[str]], list[Declaration]]
"""Chooses the supports of a declaration, which come before it; the names of its stages are added to those that are taken."""


def over_stages(declaration: Declaration, known: Known, taken: list[str], choose: Choose) -> list[Declaration]:
    """The declaration over stages where every change would touch everything without them; else alone. `taken` are names of
    stages, `choose` finds what these have themselves."""
    plain = not (declaration.columns_of or declaration.processor or declaration.live or declaration.sampled)
    asked = declaration.support or not declaration.allow_global
    if not (plain and asked):
        return [declaration]
    text = declaration.query_for(known.dialect.name) or ""
    found, owner, before = None, declaration.supports or declaration.name, len(taken)
    over = partial(_over, known=known, taken=taken, choose=choose)
    try:
        if declaration.freshness != "commit" and not _is_global(declaration, known):
            # It is compiled like that anyway.
            return [declaration]
        query = lower_query(text, known.catalog, known.dialect, clock_of(known.dialect))
        require_apart(declaration, query, known.catalog)
        query = with_figures(query, known.catalog)
        found = staged(query)
        if found is None or not _is_global(declaration, known):
            return [declaration]
        made = over(declaration, found)
        if not made and declaration.freshness != "commit" and (every := staged(query, every=True)) is not None:
            # Figures over stages that ticks write, all of them: those that writers keep would be ahead of the others.
            del taken[before:]
            made = over(replace(declaration, freshness="tick"), every)
        if not made and found.compared and found.beside and declaration.freshness == "tick" and not declaration.support:
            raise Refusal(Code.GLOBAL, _LATE, instead=_SOONER, derived=owner)
        return made or [declaration]
    except Refusal as refusal:
        if refusal.reason == _LATE:
            raise
        if found is not None and declaration.freshness == "commit" and refusal.code is Code.FRESHNESS:
            raise Refusal(refusal.code, refusal.reason, instead=refusal.instead, derived=owner) from refusal
        # It is compiled later, which says why.
        return [declaration]
    except RecursionError:
        return [declaration]


def _over(declaration: Declaration, found: Staged, known: Known, taken: list[str], choose: Choose) -> list[Declaration]:
    """The declaration after its stages and the supports of what it counts there; nothing where changes are not followed through
    all of it."""
    owner = declaration.supports or declaration.name
    # Beside tables, which are read as they are, a figure is true with them where writers keep it.
    beside = found.compared and declaration.support and any(one.keeps is None for one in found.beside)
    given = replace(declaration, freshness="commit") if beside and declaration.freshness == "tick" else declaration
    new = [one.alike not in known.shared for one in found.stages]
    names = [stage_name(owner, number) for number in range(len(taken) + 1, len(taken) + sum(new) + 1)]
    taken += names
    stages: list[Declaration] = []
    beneath: dict[str, Declaration] = {}
    for stage, is_new in zip(found.stages, new, strict=True):
        made = choose(_stage(given, stage, names.pop(0)), known, taken) if is_new else known.shared[stage.alike]
        if found.compared and stage.alike:
            known = replace(known, shared={**known.shared, stage.alike: made})
        beneath |= {one.name: one for one in made}
        stages.append(made[-1])
    scripts = _followed(list(beneath.values()), known)
    own = [script for stage in stages for script in scripts if script.name == stage.name]
    # What passes is kept for ever, and a stage that ticks write passes through states in which nobody's query was.
    passes = (declaration.has_memory or bool(declaration.crossings)) and any(
        one.freshness != "commit" for one in scripts
    )
    paces = {*(one.freshness for one in own), *(one.keeps.freshness if one.keeps else "commit" for one in found.beside)}
    over = _added(declaration, found, own, known) if scripts and len(paces) == 1 and not passes else []
    return [*beneath.values(), *over] if over else []


def _stage(declaration: Declaration, stage: Stage, name: str) -> Declaration:
    return Declaration(
        name,
        {"": stage.text},
        # Ticks are all that a table with memory can have, which says nothing of its stage.
        freshness=None if declaration.has_memory else declaration.freshness,
        indexes=stage.indexes,
        every=declaration.every,
        verify=declaration.verify,
        repair=declaration.repair,
        supports=declaration.supports or declaration.name,
        support=declaration.support,
        place=declaration.place,
    )


def _added(declaration: Declaration, found: Staged, stages: Sequence[Script], known: Known) -> list[Declaration]:
    """The declaration over its stages that are there, after the supports of the values that it counts there; nothing where
    changes are not followed. Raises `Refusal` where the engine would not take the query over them: there are types without a
    greatest value, and a figure may be of one."""
    offered = [table for one in stages for table in one.offers]
    known.describe(over_rows(found, [one.offers[1] for one in stages], known.dialect), offered)
    over = replace(
        declaration,
        # What is added up from the rows of a stage follows them at once, whenever these are written.
        freshness=None if declaration.freshness == "tick" else declaration.freshness,
        supported_by=tuple(one.name for one in stages),
        why_supported=_PASSING if any(one.due is not None for one in stages) else _WHY,
    )
    supports = _counting(over, found, stages, known)
    if supports:
        counted = replace(over, supported_by=(*over.supported_by, *(one.name for one in supports)))
        scripts = [
            known.compile(one, *(stage for stage in stages if stage.name in one.supported_by)) for one in supports
        ]
        if all(one.klass == "linear" for one in (*scripts, known.compile(counted, *stages, *scripts))):
            return [*supports, counted]
    return [over] if known.compile(over, *stages).klass != "global" else []


def _counting(over: Declaration, found: Staged, stages: Sequence[Script], known: Known) -> list[Declaration]:
    """The supports of the values that are counted: those over a stage are read from the rows of the stage as well."""
    text = over.query_for(known.dialect.name) or ""
    if "distinct" not in text.lower() or rankings(over.name, lower_query(text, known.catalog, known.dialect)):
        return []
    offered = [one.offers for one in stages]
    rows = [replace(kept, columns=view.columns, uniques=(), indexes=(), without_rowid=False) for kept, view in offered]
    said = replace(over, query={"": over_rows(found, rows, known.dialect)}, supported_by=())
    try:
        supports = _supports(said, rows, known)
        # Over what is stored two columns of the stage may be one, and are counted once.
        if _size(supports) != _size(_supports(over, [table for one in offered for table in one], known)):
            return []
    except Refusal:
        return []
    places = {table.label: place for place, table in enumerate(rows)}
    made = []
    for one in supports:
        table = one.occurrence.table
        place = places.get(table.label)
        if place is None and table.keeps is not None:
            return []
        source = qualified(table, known.dialect) if place is None else f"({found.stages[place].text})"
        made.append(
            Declaration(
                one.name,
                {"": one.query(source)},
                freshness="commit" if place is None else None,
                verify=over.verify,
                repair=over.repair,
                supports=over.supports or over.name,
                supported_by=() if place is None else (stages[place].name,),
                why_supported=_WHY,
                place=over.place,
            )
        )
    return made


def _supports(declaration: Declaration, given: Sequence[Table], known: Known) -> tuple[Support, ...]:
    describe = partial(known.describe, given=given)
    return support_queries(declaration, known.catalog.with_tables(given), known.dialect, describe)


def _size(supports: Sequence[Support]) -> list[int]:
    """How many conditions each of them counts by."""
    return [len(one.filters) for one in supports]


def _is_global(declaration: Declaration, known: Known) -> bool:
    """Whether every change would touch everything. Raises `Refusal` for what cannot be kept at all."""
    late = replace(declaration, freshness=None) if declaration.freshness == "commit" else declaration
    try:
        return known.compile(late).klass == "global"
    except Refusal as refusal:
        if refusal.code is not Code.GLOBAL:
            raise
        return True


def _followed(declarations: Sequence[Declaration], known: Known) -> tuple[Script, ...]:
    """The scripts, each over those that it is supported by; none where changes are not followed through all of them."""
    found: tuple[Script, ...] = ()
    for one in declarations:
        found = (*found, known.compile(one, *(other for other in found if other.name in one.supported_by)))
    return () if any(one.klass == "global" for one in found) else found
