"""What windows are partitioned by and nobody is shown.

Owns: `narrower`. Promises: where no column of the result tells which rows a change can touch, and one that every window is
partitioned by would, that is stored too, as a column that no reader sees; so is what identifies its rows, where none of them
does (`query.identified`). The rows that readers see are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Protocol, TypeVar

from sqlglot import exp

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Declaration, Describe, Outputs
from tidemark.query.copies import lower_counted
from tidemark.query.cut import HIDDEN_UNIT, cut_like, lower_with_order, written_out
from tidemark.query.identified import lower_identified
from tidemark.query.inline import fold, unwrapped
from tidemark.query.lower import lower_query
from tidemark.query.parse import render
from tidemark.query.relation import Query
from tidemark.query.trees import aliased, own_items, own_nodes

TERMS_MAX = 2
_OF_COLUMNS = (Code.KEY_MISSING, Code.PARSE, Code.UNKNOWN_COLUMN, Code.UNKNOWN_TABLE)


Lower = Callable[[str, Catalog, Dialect, str, Describe], tuple[str, Query, Outputs, Outputs]]


class _Classed(Protocol):
    @property
    def klass(self) -> str: ...


T = TypeVar("T", bound=_Classed)


def narrower(declaration: Declaration, make: Callable[[Lower], T]) -> T:
    """What is made of a query as it is; where nothing identifies its rows, or every change would touch everything, what is made
    of it with more columns, if that is better. Raises the `Refusal` of the query as it is."""
    lower: Lower = lower_with_order
    made, refused = _tried(make, lower)
    hides = not _is_elsewhere(declaration)
    if refused is not None and refused.code is Code.KEY_MISSING and hides and not _names_keys(declaration):
        lower = lower_identified
        identified, why = _tried(make, lower)
        # Where that does not help, or is not read so, what there is to say is why the query as it is was refused.
        if why is None or why.code not in _OF_COLUMNS:
            made, refused = identified, why
        elif declaration.freshness != "commit":
            counted, why = _tried(make, lower_counted)
            if why is None or why.code is Code.GLOBAL:
                made, refused = counted, why
    if refused is not None and refused.code is not Code.GLOBAL:
        raise refused
    if (made is None or made.klass == "global") and hides:
        try:
            parted = make(partial(_lower_parted, lower))
        except Refusal as refusal:
            # What stands against this one alone is what there is to say: as it is, it would be refused first.
            refused = refusal if refused is not None and refusal.code is Code.FRESHNESS else refused
        else:
            if parted.klass != "global":
                return parted
    if made is None:
        assert refused is not None
        raise refused
    return made


def _tried(make: Callable[[Lower], T], lower: Lower) -> tuple[T | None, Refusal | None]:
    """What is made, or why it is not."""
    try:
        return make(lower), None
    except Refusal as refusal:
        return None, refusal


def _names_keys(declaration: Declaration) -> bool:
    """Whether keys are told of that readers must know: declared ones, and those of events."""
    return bool(declaration.key or declaration.crossings)


def _is_elsewhere(declaration: Declaration) -> bool:
    """Whether all columns that are kept are seen, because they are in a table of the user's, or made by a function of theirs."""
    return bool(declaration.columns_of or declaration.rows_of or declaration.processor)


def _lower_parted(
    lower: Lower, text: str, catalog: Catalog, dialect: Dialect, moment: str, describe: Describe
) -> tuple[str, Query, Outputs, Outputs]:
    """As `lower`, with what windows are partitioned by among the columns that are kept. Raises `Refusal` where there
    is nothing of that, or it would be another query."""
    text, _, _, shown = lower(text, catalog, dialect, moment, describe)
    tree = written_out(text, catalog, dialect)
    if not isinstance(tree, exp.Select) or not _expose(tree, dialect, count(1)):
        raise Refusal(Code.UNSUPPORTED, "No windows have a partition in common.", instead="PARTITION BY")
    stored = describe(render(tree, dialect))
    kept = render(cut_like(text, tree, dialect), dialect)
    return kept, lower_query(kept, catalog, dialect, moment), stored, shown


def _expose(select: exp.Select, dialect: Dialect, numbers: count[int]) -> list[str]:
    """Put what all windows of the SELECT, or of one query in its FROM, are partitioned by among its columns; give the names."""
    if select.args.get("distinct") is not None:
        return []
    terms = _common(select, dialect)
    if terms is None:
        terms = [] if select.args.get("group") is not None else _of_from(select, dialect, numbers)
    names = []
    for term in terms[:TERMS_MAX]:
        name = f"{HIDDEN_UNIT}{next(numbers)}"
        select.append("expressions", aliased(term.copy(), name))
        names.append(name)
    return names


def _common(select: exp.Select, dialect: Dialect) -> list[exp.Expression] | None:
    """What all windows are partitioned by; None where there are none."""
    named = {fold(window.this, dialect): window for window in select.args.get("windows") or []}
    found: list[dict[str, exp.Expression]] = []
    for node in own_nodes(select):
        if isinstance(node, exp.Window) and node.arg_key != "windows":
            terms = list(node.args.get("partition_by") or [])
            base = node.args.get("alias")
            while base is not None and fold(base, dialect) in named:
                window = named[fold(base, dialect)]
                terms += window.args.get("partition_by") or []
                base = window.args.get("alias")
            found.append({render(term, dialect): term for term in terms})
    if not found:
        return None
    return [term for text, term in found[0].items() if all(text in terms for terms in found)]


def _of_from(select: exp.Select, dialect: Dialect, numbers: count[int]) -> list[exp.Expression]:
    """The columns by which the windows of one query in FROM are partitioned, put among that query's columns."""
    if select.args.get("laterals"):
        return []
    for item in own_items(select):
        inner = unwrapped(item) if isinstance(item, exp.Subquery) else None
        alias = item.args.get("alias")
        if not isinstance(inner, exp.Select) or alias is None or alias.args.get("columns"):
            continue
        names = _expose(inner, dialect, numbers)
        if names:
            return [exp.Column(this=exp.to_identifier(name, quoted=True), table=alias.this.copy()) for name in names]
    return []
