"""From changes to keys: the statements that put every key a slice of changes can touch into the dirty set.

Owns: one INSERT for each way of a program and each choice of current rows or logged images. Promises: others on a way are
read as current rows and as every logged image, so that a key reachable only through rows that are gone is found.
"""

from __future__ import annotations

from itertools import product

from tidemark.maintenance.program import KeyedProgram, KeyQuery
from tidemark.query.relation import Scalar
from tidemark.render.images import image, log_of
from tidemark.render.statements import Store, qualified


def affected(store: Store, program: KeyedProgram, way: KeyQuery) -> list[str]:
    """INSERT statements into the dirty set for one way: each occurrence on it as current rows and as logged images."""
    found, unit = [], store.units
    for from_log in product((False, True), repeat=len(way.joined)):
        rows = {way.changed.alias: True} | {o.alias: old for o, old in zip(way.joined, from_log, strict=True)}
        tables = [f"{store.names.temporary(f'slice_{way.changed.table.label}')} AS {_q(store, way.changed.alias)}"]
        for occurrence, old in zip(way.joined, from_log, strict=True):
            table = occurrence.table
            name = log_of(store.dialect, table) if old else qualified(table, store.dialect)
            tables.append(f"{name} AS {_q(store, occurrence.alias)}")
        tests = [f"{_q(store, way.changed.alias)}.weight <> 0"]
        tests += [f"({_at(scalar, rows, way)})" for scalar in way.on]
        keys = [] if program.unit else ["1"]
        for part, scalar in zip(program.unit, program.unit_scalars, strict=True):
            value = _at(scalar, rows, way)
            # What the query excludes in whole, such as a NULL that must equal something, has no key here either.
            tests += [] if part.nullable else [f"({value}) IS NOT NULL"]
            keys.append(f"({value})::{part.type}" if store.dialect.has_schemas and part.type else f"({value})")
        found.append(
            f"INSERT INTO {store.names.own('dirty')} ({unit.key_list}) SELECT DISTINCT {', '.join(keys)} "
            f"FROM {', '.join(tables)} WHERE {' AND '.join(tests)} ON CONFLICT ({unit.conflict}) DO NOTHING"
        )
    return found


def _q(store: Store, alias: str) -> str:
    return store.dialect.quote(alias)


def _at(scalar: Scalar, rows: dict[str, bool], way: KeyQuery) -> str:
    """The scalar over the way's rows: images have their own column names, occurrences taken as empty are NULL."""
    images = [alias for alias, from_log in rows.items() if from_log]
    return scalar.over_images(images, image, {occurrence.alias: occurrence.table for occurrence in way.empty})
