"""Changes that are kept beside the dirty set, for a function that is shown what came and went.

Owns: one table for each input that a processor watches, and what fills, reads and empties it. Promises: a change is there, for
each unit that it reaches, from the transaction that makes the unit dirty to the one that computes it; where nobody can say which
rows changed, a row of weight 0 says that. Where nothing is to be kept there is neither a table nor a statement.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.processors import KeptChanges
from tidemark.render.affected import reached
from tidemark.render.images import image, image_definition
from tidemark.render.statements import ORDINAL, apart
from tidemark.render.store import Store

WEIGHT = "tidemark_w"


def _inputs(program: KeyedProgram) -> tuple[Table, ...]:
    return (*program.watched, *program.scanned) if program.keeps_changes else ()


def _kind(program: KeyedProgram, table: Table) -> str:
    """The kind of an input's table: a number, because two names could be one when they are put together."""
    return f"changes{[one.label for one in _inputs(program)].index(table.label) + 1}"


def _images(program: KeyedProgram, table: Table) -> list[str]:
    return [f"tidemark_i{place}" for place, _ in enumerate(program.reads[table.label])]


def tables_of(store: Store, program: KeyedProgram) -> list[tuple[str, str]]:
    """(kind, definitions of the columns but the ordinal) of each table."""
    keys = [store.units.definition(part) for part in store.units.key]
    found = []
    for table in _inputs(program):
        named = zip(program.reads[table.label], _images(program, table), strict=True)
        images = [image_definition(store.dialect, table, name, called) for name, called in named]
        columns = ", ".join([*keys, f"{WEIGHT} smallint NOT NULL", *images])
        found.append((_kind(program, table), columns))
    return found


def keep(store: Store, program: KeyedProgram, table: Table) -> list[str]:
    """Statements that keep a slice's changes, after those by which they reach units."""
    if table.label not in {one.label for one in _inputs(program)}:
        return []
    own, slice_ = store.names.own(_kind(program, table)), store.names.temporary(f"slice_{table.label}")
    unit, ways = store.units, [way for way in program.routes if way.changed.table.label == table.label]
    place = store.dialect.row_place
    bound = [way for way in ways if not way.everywhere]
    selects = [one for way in bound for one in reached(store, program, way, slice_, place=place)]
    found = []
    if selects:
        keys = [f"u{number}" for number, _ in enumerate(unit.key)]
        images = ["weight", *(store.dialect.quote(image(name)) for name in program.reads[table.label])]
        known = apart("k", *selects)
        shown = ", ".join([*(f"{known}.{key}" for key in keys), *(f"c.{name}" for name in images)])
        found.append(
            f"INSERT INTO {own} ({', '.join([unit.key_list, WEIGHT, *_images(program, table)])}) "
            f"WITH {known}({', '.join([*keys, 'place'])}) AS ({' UNION '.join(selects)}) "
            f"SELECT {shown} FROM {known} JOIN {slice_} AS c ON c.{place} = {known}.place"
        )
    if len(bound) < len(ways):
        found.append(_unknown(store, own, store.names.temporary("reached")))
    return found


def doubt(store: Store, program: KeyedProgram) -> tuple[str, ...]:
    """Statements after those that make everything dirty: nobody knows what changed."""
    first = _inputs(program)[:1]
    return tuple(_unknown(store, store.names.own(_kind(program, table)), store.names.own("dirty")) for table in first)


def _unknown(store: Store, own: str, units: str) -> str:
    keys = store.units.key_list
    return f"INSERT INTO {own} ({keys}, {WEIGHT}) SELECT DISTINCT {keys}, 0 FROM {units}"


def kept(store: Store, program: KeyedProgram) -> tuple[KeptChanges, ...]:
    """How the changes of a batch's units are read and let go."""
    unit, batch, found = store.units, store.names.temporary("batch"), []
    same = " AND ".join(f"c.{unit.column(part)} = b.{unit.column(part)}" for part in unit.key)
    for table in _inputs(program):
        own = store.names.own(_kind(program, table))
        here = f"FROM {batch} AS b CROSS JOIN {own} AS c WHERE {same}"
        shown = ", ".join(f"c.{name}" for name in (WEIGHT, *_images(program, table)))
        found.append(
            KeptChanges(
                source=table.keeps.derived if table.keeps else table.label,
                columns=program.reads[table.label],
                read=f"SELECT b.{ORDINAL}, {shown} {here} ORDER BY c.{ORDINAL} LIMIT :limit",
                clear=f"DELETE FROM {own} WHERE {ORDINAL} IN (SELECT c.{ORDINAL} {here})",
            )
        )
    return tuple(found)
