"""A keyed program's applier: recompute of given keys. The same on both engines.

Owns: the statements of a batch. Promises: `fresh` is the user's own query over the batch's keys.
"""

from __future__ import annotations

from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram
from tidemark.names import Names
from tidemark.render import statements
from tidemark.render.restriction import is_indexed, keys_of_query, restricted
from tidemark.render.statements import ORDINAL, Store
from tidemark.script import Applier


def store_of(program: KeyedProgram, names: Names, dialect: Dialect) -> Store:
    """The store of a keyed program."""
    return Store(dialect, names, program.key, program.columns, keeps_default=True)


def recompute(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Fill ``stored`` and ``fresh`` for the batch."""
    fresh, batch = store.names.temporary("fresh"), store.names.temporary("batch")
    names = ", ".join(store.columns)
    values = ", ".join(f"q.{column}" for column in store.columns)
    found = [*statements.fill_stored(store), f"DELETE FROM {fresh}"]
    branches = (False, True) if store.nullable else (False,)
    for nulls in branches:
        on = " AND ".join(
            f"q.{store.column(part)} {store.equal(part, nulls=nulls)} b.{store.column(part)}" for part in store.key
        )
        found.append(
            f"INSERT INTO {fresh} ({ORDINAL}, {names}) SELECT b.{ORDINAL}, {values} "
            f"FROM ({restricted(store, program, nulls=nulls)}) AS q JOIN {batch} AS b ON {on}"
        )
    return tuple(found)


def applier(store: Store, program: KeyedProgram) -> Applier:
    """The applier of a keyed program."""
    temporary = statements.temporary_tables(store)
    # What is stored is what is shown, so every column is compared once.
    query, compared = statements.compare(store, [])
    names = store.names
    places = ", ".join(f":k{number}" for number in range(len(store.key)))
    return Applier(
        create_batch=temporary["batch"],
        create_fresh=temporary["fresh"],
        create_stored=temporary["stored"],
        create_todo=temporary["todo"],
        clear_batch=f"DELETE FROM {names.temporary('batch')}",
        add_key=f"INSERT INTO {names.temporary('batch')} ({store.key_list}) VALUES ({places})",
        lock=statements.lock_batch(store),
        recompute=(*statements.weigh_batch(store), *recompute(store, program)),
        compare=query,
        write=statements.write(store),
        list_keys=statements.todo(store, [keys_of_query(store, program)]),
        take_todo=f"INSERT INTO {names.temporary('batch')} ({ORDINAL}, {store.key_list}) "
        f"SELECT {ORDINAL}, {store.key_list} FROM {names.temporary('todo')} WHERE {ORDINAL} > :low AND {ORDINAL} <= :high",
        count_todo=f"SELECT count(*) FROM {names.temporary('todo')}",
        indexed=is_indexed(program),
        key_columns=tuple(part.name for part in program.key),
        compared_columns=compared,
        tolerant=tuple(part.name for part in store.parts if part.floating),
    )
