"""Batches whose units are not keys: the query's rows of some units, gathered first and numbered then.

Owns: the temporary tables ``raw`` (what the query gives for the batch, as a bag) and ``rows`` (its keys and those stored in the
same units, with ordinals). Promises: a row that moved from one unit to another is found under its key wherever it is stored;
a key that the query gives twice is named before anything is compared or written.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.render import statements
from tidemark.render.memory import values_of_query
from tidemark.render.restriction import ROW, rows_of_batch, steered, weigh
from tidemark.render.statements import EVERYTHING, ORDINAL
from tidemark.render.store import Store


def temporary_tables(store: Store) -> tuple[str, ...]:
    """CREATE statements of ``raw`` and ``rows``."""
    raw, rows = store.names.temporary("raw"), store.numbered
    keys = ", ".join(store.definition(part) for part in store.key)
    parts = "".join(f", {store.definition(part)}" for part in store.parts)
    create = "CREATE TEMP TABLE IF NOT EXISTS"
    tables = f"{create} {raw} ({keys}{parts})", f"{create} {rows} ({ORDINAL} {store.dialect.ordinal}, {keys})"
    if store.dialect.planner.joins_by_hash:
        return tables
    bare = store.names.bare_temporary
    return *tables, store.phrases.index(bare("rows_key"), bare("rows"), rows, store.conflict)


def gather(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Fill ``raw`` and ``rows`` for the batch."""
    raw, rows = store.names.temporary("raw"), store.numbered
    hidden = [f"1 AS {store.column(part)}" for part in store.key if part == EVERYTHING]
    values = values_of_query(store, program.memory)
    columns = [*hidden, *(values[name] for name in _visible(store))]
    into = f"INSERT INTO {raw} ({', '.join(store.columns)})"

    def fill(nulls: bool) -> str:
        return f"{into} {rows_of_batch(store, program, columns, in_unit(store, 'q', nulls), nulls=nulls)}"

    found = [*weigh(store, program), f"DELETE FROM {raw}", *steered(store, program, [fill(False)])]
    found += [fill(True)] if store.units.nullable else []
    keys = store.key_of("s")
    known = [f"SELECT {keys} FROM {raw} AS s", *stored_keys(store)]
    found += [
        f"DELETE FROM {rows}",
        f"INSERT INTO {rows} ({store.key_list}) {' UNION '.join(known)}",
        *store.phrases.weigh(raw, rows),
    ]
    return tuple(found)


def _visible(store: Store) -> list[str]:
    return [part.name for part in store.key if part != EVERYTHING] + [part.name for part in store.parts]


def in_unit(store: Store, row: str, nulls: bool) -> str:
    """True when the row belongs to the unit in the batch's row `ROW`; of the units with a NULL only, or of the others only."""
    unit = store.units
    if unit.key == (EVERYTHING,):
        return "1 = 1"
    tests = [
        f"{row}.{unit.column(part)} {unit.equal(part, nulls=nulls)} {ROW}.{unit.column(part)}" for part in unit.key
    ]
    if nulls:
        tests.append(f"({unit.has_null(ROW)})")
    return " AND ".join(tests)


def stored_keys(store: Store) -> list[str]:
    """SELECTs of the keys stored in the batch's units."""
    keys = store.key_of("s")
    batch = store.phrases.few(store.names.temporary("batch"))
    # In any other order SQLite would read the store from end to end for each batch.
    joined = [
        f"{store.dialect.in_order} {store.names.store} AS s ON {in_unit(store, 's', nulls)}" for nulls in (False, True)
    ]
    if store.dialect.planner.joins_by_hash:
        joined[0] = f"CROSS JOIN {statements.one_by_one(store.names.store, in_unit(store, 's', False))}"
    return [f"SELECT {keys} FROM {batch} AS {ROW} {join}" for join in joined[: 1 + store.units.nullable]]


def find_duplicate(store: Store) -> str:
    """One row, with a key that the query gives more than once, or none."""
    return (
        f"SELECT {store.key_list} FROM {store.names.temporary('raw')} GROUP BY {store.key_list} "
        f"HAVING count(*) > 1 LIMIT 1"
    )


def recompute(store: Store) -> tuple[str, ...]:
    """Fill ``stored`` and ``fresh`` from what was gathered."""
    raw, rows, fresh = store.names.temporary("raw"), store.numbered, store.names.temporary("fresh")
    columns = ", ".join(f"w.{column}" for column in store.columns)
    into = f"INSERT INTO {fresh} ({ORDINAL}, {', '.join(store.columns)}) SELECT b.{ORDINAL}, {columns} FROM {raw} AS w"
    values = [f"w.{store.column(part)}" for part in store.key]
    found = [*statements.fill_stored(store), f"DELETE FROM {fresh}"]
    apart = store.by_nulls("b", "w")
    if apart:
        found += [f"{into} JOIN {rows} AS b ON {on}" for on, _ in apart]
    elif store.finds_nulls_apart:
        # A hash serves plain equality only, so keys with a NULL come in a statement of their own.
        plain = " AND ".join(f"b.{store.column(p)} = {v}" for p, v in zip(store.key, values, strict=True))
        found += [f"{into} JOIN {rows} AS b ON {plain}"]
        found += [f"{into} JOIN {rows} AS b ON {store.match('b', values)} WHERE {store.has_null('w')}"]
    else:
        found.append(f"{into} JOIN {rows} AS b ON {store.match('b', values)}")
    return tuple(found)


def unit_index(store: Store) -> str:
    """The columns of the index by which the stored rows of a unit are found; empty when the key's own index serves."""
    unit = store.units.key
    if store.unit is None or unit == (EVERYTHING,):
        return ""
    leads = {part.name for part in store.key[: len(unit)]} == {part.name for part in unit}
    serves = leads and not store.indexes_expressions
    return "" if serves else store.units.key_list
