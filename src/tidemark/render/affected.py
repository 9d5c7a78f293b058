"""From changes to keys: the statements that find every key that a slice of changes can touch.

Owns: one INSERT for each way of a program and each choice of current rows or logged images. Promises: others on a way are
read as current rows and as the images of rows that went, so that a key reachable only through rows that are gone is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from tidemark.contract.ways import Reach
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.program import KeyedProgram, KeyQuery
from tidemark.maintenance.routes import circles
from tidemark.model import Table
from tidemark.query.relation import Occurrence
from tidemark.render.chains import all_of
from tidemark.render.images import image, log_of
from tidemark.render.restriction import keys_of_query
from tidemark.render.statements import qualified, units_of_store
from tidemark.render.store import Store

TOKEN = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"(?=\.)|(?<= AS )"(?:[^"]|"")*\"""")
"""A literal, or the name of a scan where it is given or used."""


def affected(store: Store, program: KeyedProgram, way: KeyQuery) -> list[Reach]:
    """INSERT statements into ``reached`` for one way."""
    if way.everywhere:
        return [Reach(text) for text in _everything(store, program, way)]
    into = f"INSERT INTO {store.names.temporary('reached')} ({store.units.key_list})"
    selects = zip(_choices(program, way), reached(store, program, way, _differing(store, way)), strict=True)
    return [
        Reach(f"{into} {select}", tuple(dict.fromkeys(one.table.label for one in logged))) for logged, select in selects
    ]


def alike(way: KeyQuery, found: Reach) -> Reach:
    """A statement of a way, its scans called by their places: two that are the same so find the same units."""
    scans = [way.changed.alias, *(one.alias for one in way.joined), *(one.alias for one in way.calls)]
    places = {f'"{alias}"': f'"{place}"' for place, alias in enumerate(scans)}
    return replace(found, text=TOKEN.sub(lambda token: places.get(token[0], token[0]), found.text))


def _choices(program: KeyedProgram, way: KeyQuery, *, alone: bool = False) -> list[tuple[Occurrence, ...]]:
    """For each statement of a way the other scans that it reads as images: those from which ways lead back to where it begins,
    and with `alone` all, since nothing else is known to find the unit. What a scanned row was like before is nowhere to be read.
    """
    back = circles(program.routes)[way.changed.alias]
    logged = [not one.table.scanned and (alone or one.alias in back) for one in way.joined]
    choices = product(*((False, True) if one else (False,) for one in logged))
    return [tuple(one for one, old in zip(way.joined, choice, strict=True) if old) for choice in choices]


def reached(
    store: Store,
    program: KeyedProgram,
    way: KeyQuery,
    changed: str,
    gone: Callable[[Table], str] | None = None,
    place: str = "",
) -> list[str]:
    """SELECTs of the units that the changes in `changed`, a FROM item, reach by one way that has a bound: each other scan on it
    as current rows and, where rows that went may need it, as images of these.

    `gone` gives the FROM item of a source's images; without it they are those of its log, where markers are no images. With
    `place`, a column of the changes, each unit comes with all of the changes that reach it.
    """
    found = []
    for logged in _choices(program, way, alone=bool(place)):
        images = {way.changed.alias, *(one.alias for one in logged)}
        others = []
        for occurrence in way.joined:
            table = occurrence.table
            images_of = log_of(store.dialect, table) if gone is None else gone(table)
            name = images_of if occurrence.alias in images else qualified(table, store.dialect)
            others.append(f"{name} AS {_q(store, occurrence.alias)}")
        others += [one.in_from(images, image) for one in way.calls]
        # Whatever came and is not there any more went, too.
        tests = [f"{_q(store, one.alias)}.weight < 0" for one in logged if gone is None]
        tests += [f"({scalar.over_images(images, image)})" for scalar in way.on]
        keys = []
        for part, scalar in zip(program.unit, way.values, strict=True):
            value = scalar.over_images(images, image)
            # What the query excludes in whole, such as a NULL that must equal something, has no unit here either.
            tests += [] if part.nullable else [f"({value}) IS NOT NULL"]
            # A plain column would tempt SQLite to walk its whole table, only because DISTINCT then needs no sorting.
            keys.append(f"{store.dialect.planner.aside}({value}){store.dialect.cast(part.type)}")
        keys += [f"{_q(store, way.changed.alias)}.{place}"] if place else []
        select = f"SELECT DISTINCT {', '.join(keys)} FROM"
        own, weight = f"{changed} AS {_q(store, way.changed.alias)}", f"{_q(store, way.changed.alias)}.weight <> 0"
        weighed = [weight] if gone is None else []
        if way.between is not None:
            rows = f"({way.between.rows.over_images(images, image)})"
            changes = f"{own}{_where(weighed)}"
            own, weighed = (_left if way.between.equal else _moved)(store, way, changes, rows, others, tests)
        found.append(f"{select} {', '.join([own, *others])}{_where([*weighed, *tests]) or ' WHERE 1 = 1'}")
    return found


def _moved(
    store: Store, way: KeyQuery, changes: str, rows: str, others: list[str], tests: list[str]
) -> tuple[str, list[str]]:
    """Over what a figure moved: a FROM item of the least and the greatest of all that it was in the `changes` and what it is, and
    the conditions of the `rows` between. Where one of these is NULL, every value of the rows may be on another side.

    What it is counts, since the two images of a change may be in two slices: each slice has what it moved over from its images to
    what it is.
    """
    name, was = _figure(store, way, changes, {way.changed.alias})
    _, now = _figure(store, way, f"{qualified(way.changed.table, store.dialect)} AS {name}", set())
    every = f"FROM {', '.join(others)}{_where(tests)}"
    ends = ", ".join(
        f"CASE WHEN count(*) > count(v) THEN (SELECT {end}({rows}) {every}) ELSE {end}(v) END AS {bound}"
        for end, bound in (("min", "lowest"), ("max", "highest"))
    )
    item = f"(SELECT {ends} FROM ({was} UNION ALL {now}) AS m WHERE w HAVING count(*) > 1) AS {name}"
    return item, [f"{rows} >= {name}.lowest", f"{rows} <= {name}.highest"]


def _left(
    store: Store, way: KeyQuery, changes: str, rows: str, others: list[str], tests: list[str]
) -> tuple[str, list[str]]:
    """The same of what asks whether both are equal: each value that the figure was in the `changes`, and the condition of the
    `rows` that equal it. Where it was NULL, that is every value of the rows, unless NULL is a value like any other."""
    name, values = _figure(store, way, changes, {way.changed.alias})
    assert way.between is not None
    if way.between.same:
        is_same = f"{rows} {store.dialect.null_safe_equal} {name}.v"
        return f"(SELECT DISTINCT v FROM ({values}) AS m WHERE w) AS {name}", [is_same]
    value, unknown = (
        f"{store.dialect.planner.aside}{rows}",
        f"EXISTS (SELECT 1 FROM ({values}) AS m WHERE w AND v IS NULL)",
    )
    all_of_them = f"SELECT {value} FROM {', '.join(others)}{_where([*tests, unknown])}"
    item = f"(SELECT v FROM ({values}) AS m WHERE w AND v IS NOT NULL UNION {all_of_them}) AS {name}"
    return item, [f"{rows} = {name}.v"]


def _figure(store: Store, way: KeyQuery, source: str, images: set[str]) -> tuple[str, str]:
    """The name of a figure's scan, and SELECT of its values `v` in a source, which is of images or of what is, with `w`, whether
    there was one."""
    assert way.between is not None
    told = all_of([f"({one.over_images(images, image)})" for one in way.between.where]) or "1 = 1"
    figure = way.between.figure.over_images(images, image)
    return store.dialect.quote(way.changed.alias), f"SELECT {figure} AS v, {told} AS w FROM {source}"


def _where(tests: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(tests)}" if tests else ""


def _everything(store: Store, program: KeyedProgram, way: KeyQuery) -> list[str]:
    """The same where any change may touch every unit, those that are stored and those that the query has."""
    unit = store.units
    into = f"INSERT INTO {store.names.temporary('reached')} ({unit.key_list}) SELECT {unit.key_list} FROM"
    guard = f"WHERE EXISTS (SELECT 1 FROM {_slice(store, way)} AS c WHERE c.weight <> 0)"
    sets = [keys_of_query(store, program)]
    sets += [units_of_store(store)] if program.unit else []
    return [f"{into} ({rows}) AS k {guard}" for rows in sets]


def _differing(store: Store, way: KeyQuery) -> str:
    """The FROM item of the changes of a slice. Where others are looked up, of those with the same values in all that the way
    reads there is one: a thousand changes of one genre look its tracks up once. Where that is a key, hardly two are the same.
    """
    table, slice_, told = way.changed.table, store.phrases.few(_slice(store, way)), ["1 AS weight"]
    read = {name for scalar in way.scalars for alias, name in scalar.columns if alias == way.changed.alias}
    if not (way.joined or way.calls) or any(read.issuperset(unique.terms) for unique in table.uniques):
        return slice_
    for name in sorted(read):
        column = table.column(name)
        if column is None or column.collation is not None:
            return slice_
        told.append(store.dialect.quote(image(name)))
        if not has_one_spelling(column.type, None, store.dialect):
            if store.dialect.types_are_fixed:
                return slice_
            # 1 and 1.0 are equal, and lead to different units where an expression tells them apart.
            told.append(f"typeof({store.dialect.quote(image(name))})")
    return f"(SELECT DISTINCT {', '.join(told)} FROM {slice_} WHERE weight <> 0)"


def _slice(store: Store, way: KeyQuery) -> str:
    return store.names.temporary(f"slice_{way.changed.table.label}")


def _q(store: Store, alias: str) -> str:
    return store.dialect.quote(alias)
