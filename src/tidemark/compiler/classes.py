"""In which class a declaration is kept: by sums of changes, by what changed rows join, or by recomputing units.

Owns: `Read`, what a declaration was read as, its key, and `choose`. Promises: the cheapest class that keeps it true is taken, and
the reasons why no other was are sentences; what no class keeps true is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance import pruned
from tidemark.maintenance.bilinear import BilinearProgram, bilinear_program
from tidemark.maintenance.edges import locking_of, not_at_commit
from tidemark.maintenance.groupings import NotBilinear
from tidemark.maintenance.keyed import keyed_program
from tidemark.maintenance.linear import linear_program
from tidemark.maintenance.processor import key_of, processed
from tidemark.maintenance.program import KeyedProgram
from tidemark.maintenance.remember import needs_ticks, remember
from tidemark.maintenance.result import Result
from tidemark.maintenance.sampling import find_sampled, sample
from tidemark.maintenance.shapes import NotLinear
from tidemark.maintenance.support import supports_of
from tidemark.model import Catalog, Declaration, Describe, OutputColumn
from tidemark.names import Names, is_stage
from tidemark.query.cut import cut_of
from tidemark.query.keys import KeyColumn, assume_key, find_key, require_plain_values, require_seen
from tidemark.query.lower import lower_query
from tidemark.query.matched import matched
from tidemark.query.moment import reads_moment
from tidemark.query.relation import Query
from tidemark.query.staged import over_table
from tidemark.render.due import moment_of
from tidemark.render.made import Made, of_bilinear, of_keyed, of_linear

Key = tuple[KeyColumn, ...]


@dataclass(frozen=True)
class Read:
    """A declaration that was read: the `query` that its `text` is, the key of that, and why nothing proves it, where nothing
    does; the `columns` of what is stored; and what it was read with."""

    declaration: Declaration
    text: str
    query: Query
    key: Key
    unproven: Refusal | None
    columns: tuple[OutputColumn, ...]
    describe: Describe
    catalog: Catalog
    names: Names

    @property
    def dialect(self) -> Dialect:
        """The engine that it is for."""
        return self.names.dialect

    @property
    def result(self) -> Result:
        """What is to be kept."""
        return Result(self.declaration.name, self.query, self.key, self.columns, self.unproven is None)

    @property
    def summed(self) -> Result:
        """The same, said so that it can be added up where that takes other words."""
        return replace(self.result, query=over_table(self.query, self.catalog))


def choose(read: Read) -> Made:
    """What a script has of the class in which a declaration is kept: by sums where they can keep it, else by units. Raises
    `Refusal`."""
    try:
        require_changes_alone(read)
        linear = linear_program(read.summed, read.describe, supports_of(read.declaration, read.catalog))
    except NotLinear as not_linear:
        return _by_unit(read, not_linear.reason)
    return of_linear(linear, read.query, read.key, read.declaration, read.catalog, read.names)


def require_changes_alone(read: Read) -> None:
    """Raises `NotLinear` for what no sum of changes can keep, whatever the query's operators are."""
    declaration, query = read.declaration, read.query
    if (late := needs_ticks(declaration)) is not None:
        raise NotLinear(late)
    for one in (one for one in query.all_occurrences if one.table.scanned):
        reason = f"a scan of {one.table.label} sees rows, and not what they were before"
        raise not_at_commit(reason) if declaration.freshness == "commit" else NotLinear(reason)
    if cut_of(read.text, query, read.dialect):
        raise NotLinear("readers see the first rows of what is stored")
    if reads_moment(query):
        raise NotLinear("rows enter and leave as time passes, without any write")
    if read.unproven is not None:
        raise NotLinear(f"nothing proves that {', '.join(declaration.key)} identifies a row")


def _require_writers_can(read: Read) -> None:
    """Raises `Refusal` for what writers cannot compute in their own transactions, whatever the query's operators are."""
    if read.unproven is not None:
        raise read.unproven
    if (late := needs_ticks(read.declaration)) is not None:
        raise not_at_commit(late)
    if reads_moment(read.query):
        raise not_at_commit("rows enter and leave as time passes, without any write")


def _by_unit(read: Read, reason: str) -> Made:
    """What a program gives that recomputes units, and adds what changed rows join where that is possible."""
    declaration, key, commit = read.declaration, read.key, read.declaration.freshness == "commit"
    if commit:
        _require_writers_can(read)
    joined = _join(read)
    if joined is not None and not commit:
        return of_bilinear(joined, key, declaration, read.catalog, read.names)
    if joined is not None and joined.has_total:
        raise not_at_commit("a sum over everything that is joined, or beside other sums, is added up by ticks")
    keyed = _by_key(read, reason)
    if commit:
        keyed = replace(keyed, locking=locking_of(keyed, read.dialect, allow_lock=declaration.allow_lock))
    if declaration.processor is not None:
        key = key_of(declaration.processor, read.query)
    return of_keyed(keyed, key, declaration, read.catalog, read.names)


def _join(read: Read) -> BilinearProgram | None:
    """The bilinear program, if what changed rows join can be added up."""
    declaration, catalog, dialect = read.declaration, read.catalog, read.dialect
    beneath = bool(declaration.supports) and not is_stage(declaration.name)
    if declaration.columns_of or declaration.rows_of or beneath or pruned.pruned_of(read.query):
        return None
    try:
        require_changes_alone(read)
        lower = partial(lower_query, catalog=catalog, dialect=dialect)
        # Whoever agrees to reading everything again has no rows for values, unless they are asked for.
        counts = False if declaration.allow_global and declaration.support is None else declaration.support
        joined = matched(read.query)
        result = replace(read.result, query=lower(joined)) if joined else read.result
        return bilinear_program(result, read.describe, lower, counts=counts)
    except (NotLinear, NotBilinear):
        return None


def _by_key(read: Read, reason: str) -> KeyedProgram:
    """The keyed program with everything that the declaration says about it."""
    declaration, query, dialect = read.declaration, read.query, read.dialect
    if declaration.processor is None:
        pruned.refuse_unless_added(query, reason)
    inputs = find_sampled(query, declaration.sampled, read.catalog)
    whole = keyed_program(
        read.result,
        reason,
        inputs.whole,
        allow_global=declaration.allow_global,
        moment=moment_of(read.names),
        every=declaration.every,
    )
    cut = cut_of(read.text, query, dialect)
    if cut and (declaration.columns_of or declaration.rows_of):
        raise Refusal(
            Code.UNSUPPORTED,
            "LIMIT cuts what readers see, and a table of yours shows every row.",
            instead="a derived table with a view of its own",
        )
    if declaration.processor is not None:
        whole = processed(whole, declaration.processor, read.columns, read.catalog)
    return sample(replace(remember(whole, declaration, dialect), cut=cut), inputs)


def key_of_result(
    query: Query, declaration: Declaration, outputs: tuple[OutputColumn, ...]
) -> tuple[Key, Refusal | None]:
    """The key, and why it is not proven: then every batch looks for rows that share one."""
    try:
        key = find_key(query, declaration.processor.by if declaration.processor else declaration.key)
        require_plain_values(key, outputs)
        if declaration.crossings:
            require_seen(key)
        return key, None
    except Refusal as refusal:
        if refusal.code is not Code.KEY_UNPROVEN or not declaration.key:
            raise
        key = assume_key(query, declaration.key)
        if not key:
            raise
        require_plain_values(key, outputs)
        return key, refusal
