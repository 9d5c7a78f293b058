"""A bilinear program's additions: what changed rows join, by inclusion and exclusion over the tables as they are now.

Owns: `Products`. Promises: with R the tables in one snapshot and D the changes up to it, the join changes by the sum over the
non-empty sets T of changed scans of (-1)^(|T| + 1) times the join of D for the scans in T with R for the others. Only current
states and changes are read, never a table as it was. A scan without changes gives nothing, so sets that hold one are left out;
two scans of one table change together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import or_

from tidemark.contract.ways import Product, Products
from tidemark.maintenance.bilinear import BilinearProgram
from tidemark.maintenance.groupings import Joined, over_images
from tidemark.maintenance.program import Part
from tidemark.names import ledger
from tidemark.query.relation import Called, Occurrence, Scalar
from tidemark.render.counted import MOVED_BY, counts_values, extremes, moves
from tidemark.render.images import image
from tidemark.render.numbered import RANGE, joins_of, remove, which_join
from tidemark.render.statements import ORDINAL, qualified
from tidemark.render.store import Store

CHANGED_MAX = 3
HIGH, LOW = "tidemark_high", "tidemark_low"
MOVED = "tidemark_moved"
_HALF = 2**32


def products(store: Store, program: BilinearProgram) -> Products:
    """The statements of a tick that adds."""
    names = store.names
    delta, ordered = names.temporary("delta"), names.temporary("ordered")
    keys = ", ".join(store.definition(part) for part in store.key)
    fields = "".join(f", {definition}" for part in _added(program) for definition in _field_definitions(store, part))
    sums = "".join(f", {store.definition(part)}" for part in _added(program))
    fields += f", {MOVED_BY} integer" if program.counted else ""
    create, place = "CREATE TEMP TABLE IF NOT EXISTS", store.dialect.big_integer
    tables = tuple(dict.fromkeys(scan.table.label for join in program.joins for scan in join.scans))
    slices = [names.temporary(f"slice_{label}") for label in tables]
    return Products(
        scans=_scans(program),
        scans_max=CHANGED_MAX,
        create=(
            f"{create} {delta} ({keys}{fields})",
            f"{create} {ordered} ({ORDINAL} {place} PRIMARY KEY, {keys}{sums})",
        ),
        clear=tuple(store.phrases.clear(table) for table in (delta, ordered, *slices)),
        weigh=store.phrases.weigh(*slices),
        products=(
            *(
                _product(store, program, join, chosen)
                for join in program.joins
                for size in range(1, min(CHANGED_MAX, len(join.scans)) + 1)
                for chosen in combinations(range(len(join.scans)), size)
            ),
            # Which values came and went is known once all of that is there, whatever changed.
            *(Product((), (), add) for add in moves(store, program, _fields(store, program))),
        ),
        number=(_number(store, program), *store.phrases.weigh(ordered)),
        count=f"SELECT count(*) FROM {ordered}",
        odd=_odd(store, program),
        apply=_apply(store, program),
        uneven=mark_even(store, even=False),
        even=mark_even(store, even=True),
    )


def _scans(program: BilinearProgram) -> tuple[str, ...]:
    """The label of each scan. Several groupings are added each by itself: only those count that have more scans than may change,
    and a table as often as one of them reads it."""
    read = [Counter(scan.table.label for scan in join.scans) for join in program.joins]
    if len(read) > 1:
        read = [one for one in read if one.total() > CHANGED_MAX]
    return tuple(reduce(or_, read, Counter[str]()).elements())


def mark_even(store: Store, *, even: bool) -> str:
    """Remember whether all rows are of the checkpoint's moment."""
    dialect, names = store.dialect, store.names
    return (
        f"UPDATE {ledger(dialect, 'checkpoint')} SET even = {int(even)} WHERE derived = {dialect.literal(names.derived)} "
        f"AND generation = {names.generation} AND even = {int(not even)}"
    )


def _added(program: BilinearProgram) -> tuple[Part, ...]:
    return tuple(part for part in program.parts if part.kind == "additive")


def _halved(store: Store, part: Part) -> bool:
    """Whether a sum is kept in two halves: it may fail where integers leave their range, if only on the way."""
    return store.dialect.sums_overflow and not part.unit


def _halves(store: Store, part: Part) -> tuple[str, str]:
    quote = store.dialect.quote
    return quote(f"{HIGH}{part.name}"), quote(f"{LOW}{part.name}")


def _field_definitions(store: Store, part: Part) -> list[str]:
    if not _halved(store, part):
        return [store.definition(part)]
    return [f"{name} INTEGER" for name in _halves(store, part)]


def _fields(store: Store, program: BilinearProgram) -> list[str]:
    found: list[str] = []
    for part in _added(program):
        found += _halves(store, part) if _halved(store, part) else [store.column(part)]
    return found


def _product(store: Store, program: BilinearProgram, join: Joined, chosen: tuple[int, ...]) -> Product:
    quote = store.dialect.quote
    changed = frozenset(join.scans[number].alias for number in chosen)
    weight = " * ".join(f"{quote(join.scans[number].alias)}.weight" for number in chosen)
    weight = weight if len(chosen) % 2 else f"-1 * {weight}"

    def over(scalar: Scalar) -> str:
        return f"({scalar.over_images(changed, image)})"

    # A result of one row is stored under a key of ours.
    computed = [over(scalar) if scalar is not None else "NULL" for scalar in join.key] or ["1"]
    keys = [f"{value}{store.dialect.cast(part.type)}" for part, value in zip(store.key, computed, strict=True)]
    values = []
    for part in _added(program):
        own = store.column(part) in join.parts
        values += _sums(store, part, weight, over_images(part.value, changed, image) if own else "0")
    ordered = _in_reach(join, chosen)
    # Where an order is kept, changes come first, then what each row can reach.
    comma = " CROSS JOIN " if store.dialect.planner.keeps_order else ", "
    tables = comma.join(
        item.in_from(changed, image) if isinstance(item, Called) else _table(store, item, item.alias in changed)
        for item in ordered
    )
    where = " AND ".join(over(scalar) for scalar in join.conditions) or "1 = 1"
    places = ", ".join(str(number) for number in range(1, len(keys) + 1))
    columns = ", ".join([store.key_list, *_fields(store, program)])
    return Product(
        chosen,
        tuple(dict.fromkeys(join.scans[number].table.label for number in chosen)),
        f"INSERT INTO {store.names.temporary('delta')} ({columns}) SELECT {', '.join([*keys, *values])} "
        f"FROM {tables} WHERE {where} GROUP BY {places}",
    )


def _sums(store: Store, part: Part, weight: str, value: str) -> list[str]:
    if not _halved(store, part):
        total = f"sum({weight} * ({value}))"
        return [store.dialect.typed(total, part.type)]
    return [f"sum({weight} * (({value}) >> 32))", f"sum({weight} * (({value}) & {_HALF - 1}))"]


def _table(store: Store, scan: Occurrence, changed: bool) -> str:
    table = store.names.temporary(f"slice_{scan.table.label}") if changed else qualified(scan.table, store.dialect)
    return f"{table} AS {store.dialect.quote(scan.alias)}"


def _in_reach(join: Joined, chosen: tuple[int, ...]) -> list[Occurrence | Called]:
    """The scans in an order in which each, where it can be, has a condition with those before it; functions as soon as what they
    are called with is there."""
    found: list[Occurrence | Called] = [join.scans[number] for number in chosen]
    left = [scan for scan in join.scans if scan not in found]
    while True:
        for call in join.calls:
            if call not in found and call.call.aliases <= {item.alias for item in found}:
                found.append(call)
        if not left:
            return found
        have = {item.alias for item in found}
        near = [s for s in left if any(s.alias in c.aliases and c.aliases & have for c in join.conditions)]
        nearest = (near or left)[0]
        found.append(nearest)
        left.remove(nearest)


def _number(store: Store, program: BilinearProgram) -> str:
    ordered, delta = store.names.temporary("ordered"), store.names.temporary("delta")
    columns = ", ".join([store.key_list, *(store.column(part) for part in _added(program))])
    sums, some = [], []
    for part in _added(program):
        if _halved(store, part):
            high, low = (f"sum(d.{name})" for name in _halves(store, part))
            total = f"({high} * {_HALF} + {low})"
            some.append(f"{high} <> 0 OR {low} <> 0")
        else:
            total = store.dialect.typed(f"sum(d.{store.column(part)})", part.type)
            some.append(f"{total} <> 0")
        sums.append(f"{total} AS {store.column(part)}")
    some += [f"sum(d.{MOVED_BY}) > 0"] if program.counted else []
    row = store.key_of("d")
    grouped = f"SELECT {row}, {', '.join(sums)} FROM {delta} AS d GROUP BY {row}"
    moved = " OR ".join(some)
    counted = [part for part in program.parts if part.needed is not None]
    if counted:
        # Values that do not add up may have changed where every sum stays: such a row is computed anew, if it has any.
        grouped = (
            f"SELECT {columns} FROM (SELECT {row}, {', '.join(sums)}, CASE WHEN {moved} THEN 1 ELSE 0 END AS {MOVED} "
        )
        grouped += f"FROM {delta} AS d GROUP BY {row}) AS b WHERE b.{MOVED} = 1 OR {_is_odd(store, counted)}"
    else:
        grouped += f" HAVING {moved}"
    return (
        f"INSERT INTO {ordered} ({ORDINAL}, {columns}) SELECT row_number() OVER (ORDER BY {store.key_list}), {columns} FROM "
        f"({grouped}) AS d"
    )


def _is_odd(store: Store, counted: Sequence[Part]) -> str:
    """Whether the stored row of the key ``b`` has a value that adding did not give."""
    anew = " OR ".join(f"s.{store.column(part)} IS NOT NULL" for part in counted)
    return " OR ".join(
        f"EXISTS (SELECT 1 FROM {store.names.store} AS s WHERE {join} AND ({anew}){which_join(store, number)})"
        for number, join in enumerate(joins_of(store))
    )


def _odd(store: Store, program: BilinearProgram) -> tuple[str, ...]:
    """Numbers of keys that adding cannot make true: a value that does not add up takes part, or a sum leaves its range."""

    def sum_of(quoted: str) -> str:
        return f"(coalesce(s.{quoted}, 0) + b.{quoted})"

    tests = [f"{sum_of(program.presence)} < 0"]
    for part in program.parts:
        if part.needed is not None:
            tests += [f"s.{store.column(part)} IS NOT NULL", f"({part.needed.over(sum_of)})"]
        elif part.kind == "additive" and _halved(store, part):
            tests.append(f"typeof({sum_of(store.column(part))}) <> 'integer'")
    ordered = store.names.temporary("ordered")
    return tuple(
        f"SELECT count(*) FROM {ordered} AS b LEFT JOIN {store.names.store} AS s ON {join} "
        f"WHERE ({' OR '.join(tests)}){which_join(store, number)}"
        for number, join in enumerate(joins_of(store))
    )


def _apply(store: Store, program: BilinearProgram) -> tuple[str, ...]:
    """Add in the order of keys, then remove the groups of which nothing is left."""
    ordered, name = store.names.temporary("ordered"), store.names.store
    columns = [store.column(part) for part in _added(program)]

    def add(which: str, others: list[tuple[str, str]]) -> str:
        sets = [f"{column} = s.{column} + excluded.{column}" for column in columns]
        sets += [f"{column} = excluded.{column}" for column, _ in others]
        listed = ", ".join([store.key_list, *columns, *(column for column, _ in others)])
        values = ", ".join([store.key_of("b"), *(f"b.{column}" for column in columns), *(text for _, text in others)])
        return (
            f"INSERT INTO {name} AS s ({listed}) SELECT {values} FROM {ordered} AS b WHERE {RANGE}{which} ORDER BY b.{ORDINAL} "
            f"ON CONFLICT ({store.conflict}) DO UPDATE SET {', '.join(sets)}"
        )

    def leave(which: str) -> tuple[str, ...]:
        gone = f"{RANGE} AND b.{program.presence} < 0{which}"
        return remove(store, ordered, gone, lambda row: _is_gone(program, row))

    # What is first or last of values is read once they are there.
    values, groups = (counts_values(store, program, "b", counts=counts) for counts in (True, False))
    found = [add(values, []), *leave(values)] if program.counted else []
    found.append(add(groups, extremes(store, program)))
    if not all(join.total for join in program.mains):
        found += leave(groups)
    return tuple(found)


def _is_gone(program: BilinearProgram, row: str) -> str:
    """That nothing is left of a stored row's group; a total is there over no rows, too."""
    stays = f" AND NOT ({row}.{program.stays})" if program.stays else ""
    return f"{row}.{program.presence} = 0{stays}"
