"""Where a batch of units restricts the query: as deep as it can go without changing the rows of those units.

Owns: `placements_of`. Promises: each placement leaves out only rows that no unit of the batch is made of. What remains may hold
rows of other units too: the batch is joined with the result anyway.

The restriction goes into FROM subqueries through columns on which they fall apart, into every branch of a set operation, and
sideways: an equality that a join demands restricts the subquery on its other side to the values that can match.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tidemark.maintenance.program import Placement
from tidemark.model import Table
from tidemark.query.indexed import has_index, is_found
from tidemark.query.reached import is_led
from tidemark.query.relation import Block, Derived, Nested, Occurrence, Query, Recursion, Scalar, SetOperation
from tidemark.query.unique import equality
from tidemark.query.units import branches_of, fixed, item_of, narrowed, position_of, same_comparison, splits
from tidemark.query.walked import begins_and_goes_on, carried

Terms = Mapping[int, Scalar]
"""Place of a column of the unit → what it is in a block."""


def placements_of(query: Query, unit: tuple[int, ...]) -> tuple[tuple[Placement, ...], bool]:
    """Every placement, and whether every part of FROM with scans of its own is restricted."""
    places = dict(enumerate(unit))
    if not unit:
        return (), False
    return _query(query, places, sideways=False)


def _query(query: Query, places: Mapping[int, int], *, sideways: bool) -> tuple[tuple[Placement, ...], bool]:
    """`places` maps the place of a unit's column to the output's position."""
    if isinstance(query, SetOperation):
        left, one = _query(query.left, places, sideways=sideways)
        right, other = _query(query.right, places, sideways=sideways)
        return (*left, *right), one and other
    if isinstance(query, Recursion):
        # What does not begin is not gone on with.
        parts, handed = begins_and_goes_on(query), carried(query)
        begun = {place: position for place, position in places.items() if position in handed}
        return _query(parts[0], begun, sideways=sideways) if parts is not None and begun else ((), False)
    values = {place: query.outputs[position].scalar for place, position in places.items()}
    terms = {place: fixed(query, one) or narrowed(query, one) for place, one in values.items()}
    return _block(query, terms, sideways=sideways)


def _block(block: Block, terms: Terms, *, sideways: bool) -> tuple[tuple[Placement, ...], bool]:
    found: list[Placement] = []
    bounded = True
    inner = [item for item in block.items if isinstance(item, Derived) and item.query.all_occurrences]
    deeper = {item.alias: _deeper(block, item, terms) for item in inner if not item.lateral}
    for item in (item for item in inner if not item.lateral):
        places, aside = deeper[item.alias], False
        if not places:
            places, aside = _sideways(block, item, terms), True
        if places:
            inside, complete = _query(item.query, places, sideways=sideways or aside)
            found += inside
            bounded = bounded and complete
        else:
            bounded = False
    for nested in block.nested:
        found += _members(block, nested, terms)
    own = _own(terms, deeper)
    if own:
        found.append(Placement(block.number, own, _source(block, own), sideways, _rowid(block, own), _lead(block, own)))
    if not any(scalar.columns for _, scalar in own) and not (block.items and any(deeper.values())):
        bounded = False
    return tuple(found), bounded


def _members(block: Block, nested: Nested, terms: Terms) -> tuple[Placement, ...]:
    """The same in the subquery of an IN that WHERE demands of a column of the unit: what is not in the batch matches none of it.

    SQLite would make a list of all that the subquery has. Nothing is restricted where no index helps.
    """
    if nested.form != "in" or not nested.stands_alone or nested.item is not None:
        return ()
    places = {}
    for place, scalar in terms.items():
        for position, (operand, _) in enumerate(nested.matches):
            if operand.column == scalar.column and _is_alike(block, scalar, nested.query, position):
                places[place] = position
    inner = _query(nested.query, places, sideways=True)[0] if places else ()
    return inner if all(one.source and has_index(one.source[0], (one.source[1],)) for one in inner) else ()


def _is_alike(block: Block, scalar: Scalar, query: Query, position: int) -> bool:
    columns = [(branch, branch.outputs[position].scalar.column) for branch in branches_of(query)]
    return splits(query, position) and all(
        column is not None and scalar.column is not None and same_comparison(block, scalar.column, column, branch)
        for branch, column in columns
    )


def _own(terms: Terms, deeper: Mapping[str, Mapping[int, int]]) -> tuple[tuple[int, Scalar], ...]:
    """The terms that restrict in this block's WHERE: those that are not restricted inside already."""
    inside = {place for places in deeper.values() for place in places}
    return tuple((place, scalar) for place, scalar in terms.items() if place not in inside)


def _deeper(block: Block, item: Derived, terms: Terms) -> dict[int, int]:
    """Which columns of the unit restrict inside a subquery: place → the subquery's output."""
    found = {}
    for place, scalar in terms.items():
        position = (
            position_of(item.query, scalar.column[1]) if scalar.column and scalar.column[0] == item.alias else None
        )
        # Rows left out of an outer join's inner side would come back as NULLs.
        if position is not None and item.alias not in block.nullable and splits(item.query, position):
            found[place] = position
    return found


def _sideways(block: Block, item: Derived, terms: Terms) -> dict[int, int]:
    """The same by equalities with columns of other items."""
    known = _equal_columns(block, item, terms)
    found = {}
    for place, column in known.items():
        position = position_of(item.query, column)
        if position is not None and splits(item.query, position):
            found[place] = position
    return found


def _equal_columns(block: Block, item: Derived, terms: Terms) -> dict[int, str]:
    """Columns of the item that the join makes equal to a column of the unit, step by step."""
    pairs = _equalities(block, item)
    found: dict[int, str] = {}
    for place, scalar in terms.items():
        if scalar.column is None:
            continue
        reached, queue = {scalar.column}, [scalar.column]
        while queue:
            here = queue.pop(0)
            for one, other in pairs:
                if one == here and other not in reached and same_comparison(block, one, other):
                    reached.add(other)
                    # Through the item itself nothing else follows.
                    if other[0] == item.alias:
                        found.setdefault(place, other[1])
                    else:
                        queue.append(other)
    return found


def _equalities(block: Block, wanted: Derived) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """Pairs of columns: where the second one is equal to something, it is equal to the first."""
    place = block.items.index(wanted)
    if any(item.kind in ("right", "full") for item in block.items[place:]):
        # What is left out would leave rows of the other side without a match.
        return []
    found = [pair for scalar in block.where for pair in _both_ways(scalar)]
    for item in block.items:
        if item.kind == "inner":
            found += [pair for scalar in item.on for pair in _both_ways(scalar)]
        elif item.kind == "left":
            # A column of the other side has its values where nothing matches, too, and a unit may have the NULL of this side.
            found += [pair for scalar in item.on for pair in _both_ways(scalar) if pair[1][0] == item.alias]
    return found


def _both_ways(scalar: Scalar) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The columns that a condition demands to be equal, and the same turned round; nothing where it is no such condition."""
    pair = equality(scalar)
    if pair is None or pair[0].column is None or pair[1].column is None:
        return []
    return [(pair[0].column, pair[1].column), (pair[1].column, pair[0].column)]


def _source(block: Block, own: tuple[tuple[int, Scalar], ...]) -> tuple[Table, str] | None:
    for _, scalar in own:
        item = item_of(block, scalar.column[0]) if scalar.column is not None else None
        if isinstance(item, Occurrence) and scalar.column is not None:
            return item.table, scalar.column[1]
    return None


def _rowid(block: Block, own: tuple[tuple[int, Scalar], ...]) -> int | None:
    for place, (_, scalar) in enumerate(own):
        item = item_of(block, scalar.column[0]) if scalar.column is not None else None
        column = (
            item.table.column(scalar.column[1]) if isinstance(item, Occurrence) and scalar.column is not None else None
        )
        if column is not None and column.rowid_alias:
            return place
    return None


def _lead(block: Block, own: tuple[tuple[int, Scalar], ...]) -> int | None:
    """The place of a term by which an index finds rows, rather of one that is never NULL: rows with a NULL may be many."""
    found = []
    for place, (_, scalar) in enumerate(own):
        alias, name = scalar.column or ("", "")
        item = item_of(block, alias)
        if isinstance(item, Occurrence) and has_index(item.table, (name,)):
            column = item.table.column(name)
            found.append((column is None or not column.not_null, place))
    return min(found)[1] if found else None


def expressions_of(query: Query, place: Placement) -> tuple[tuple[Occurrence, Scalar], ...]:
    """What a placement computes of the columns of one scan, to compare it with a unit's value, with the scan."""
    block = next(block for block in query.blocks if block.number == place.block)
    computed = [scalar for _, scalar in place.terms if scalar.column is None and len(scalar.aliases) == 1]
    found = [(item_of(block, next(iter(scalar.aliases))), scalar) for scalar in computed]
    return tuple((item, scalar) for item, scalar in found if isinstance(item, Occurrence))


def is_looked_up(query: Query, placements: tuple[Placement, ...]) -> bool:
    """Whether every scan can be looked up by an index for given values of the unit: by a restriction, or by an equality with what
    was looked up before it, or with a row outside. What is the same for all rows is computed once, and does not matter."""
    once = {
        inner.number
        for block in query.blocks
        for nested in block.nested
        if nested.form == "scalar" and _stands_alone(nested.query)
        for inner in nested.query.blocks
    }
    given = {place.block: {scalar.column for _, scalar in place.terms} for place in placements}
    led = {
        place.block: {scan.alias for scan, scalar in expressions_of(query, place) if is_led(scan.table, scalar)}
        for place in placements
    }
    for nested in (one for block in query.blocks for one in block.nested):
        for inner in branches_of(nested.query):
            demanded = {output.column for _, output in nested.matches} if inner is nested.query else set()
            given[inner.number] = given.get(inner.number, set()) | demanded
    for number, column in _handed_down(query):
        given[number] = given.get(number, set()) | {column}
    rest = [block for block in query.blocks if block.number not in once]
    return all(_is_looked_up(block, given.get(block.number, set()), led.get(block.number, set())) for block in rest)


def _handed_down(query: Query) -> Iterator[tuple[int, tuple[str, str]]]:
    """By block, columns of subqueries in FROM that only pass rows on, where WHERE demands the value of a row outside of them: the
    scan inside is looked up as if it stood there itself."""
    for block in query.blocks:
        pairs = [pair for scalar in block.where if (pair := equality(scalar)) is not None]
        pairs += [(other, one) for one, other in pairs]
        for item in (item for item in block.items if isinstance(item, Derived) and _passes_on(item.query)):
            outside = [one.column for one, other in pairs if other.columns and not other.aliases & block.local]
            for name in (column[1] for column in outside if column is not None and column[0] == item.alias):
                position = position_of(item.query, name)
                inner = item.query.outputs[position].scalar.column if position is not None else None
                if isinstance(item.query, Block) and inner is not None:
                    yield item.query.number, inner


def _passes_on(query: Query) -> bool:
    """Whether each row of a subquery is one of what it reads."""
    if not isinstance(query, Block) or query.is_aggregated or query.limited:
        return False
    return not (query.distinct or query.distinct_on or query.windows)


def joined_by(query: Query) -> tuple[tuple[Table, str], ...]:
    """The indexed columns by which scans are joined to others beside them: rows are looked up by these, whatever leads there."""
    found: list[tuple[Table, str]] = []
    for block in query.blocks:
        tables = {scan.alias: scan.table for scan in block.occurrences}
        conditions = (*block.where, *(scalar for item in block.items for scalar in item.on))
        pairs = [pair for scalar in conditions if (pair := equality(scalar)) is not None]
        for one, other in (*pairs, *((other, one) for one, other in pairs)):
            alias, name = one.column or ("", "")
            if alias in tables and other.aliases & block.local - {alias} and has_index(tables[alias], (name,)):
                found.append((tables[alias], name))
    return tuple(found)


def _stands_alone(query: Query) -> bool:
    """Whether a subquery reads no column of the rows around it."""
    local = {alias for block in query.blocks for alias in block.local}
    return all(scalar.aliases <= local for block in query.blocks for scalar in block.scalars)


def _is_looked_up(block: Block, given: set[tuple[str, str] | None], led: set[str]) -> bool:
    """`given` are columns whose values are known, `led` the scans in which an index finds what is computed of theirs."""
    if any(item.kind == "full" for item in block.items):
        return False
    conditions = (*block.where, *(scalar for item in block.items for scalar in item.on))
    pairs = [pair for scalar in conditions if (pair := equality(scalar)) is not None]
    pairs += [(other, one) for one, other in pairs]
    reached = {item.alias for item in block.items if isinstance(item, Derived)}
    waiting = [scan for scan in block.occurrences if scan.alias not in led]
    reached |= {scan.alias for scan in block.occurrences} & led
    moved = True
    while waiting and moved:
        # The rows of a function are there as soon as those are that it is called with.
        reached |= {call.alias for call in block.calls if call.call.aliases & block.local <= reached}
        known = given | {one.column for one, other in pairs if other.columns and other.aliases & block.local <= reached}
        found = [scan for scan in waiting if is_found(block, scan, _names(known, scan.alias))]
        reached |= {scan.alias for scan in found}
        waiting = [scan for scan in waiting if scan.alias not in reached]
        moved = bool(found)
    return not waiting


def _names(columns: set[tuple[str, str] | None], alias: str) -> tuple[str, ...]:
    return tuple(column[1] for column in columns if column is not None and column[0] == alias)
