"""Shapes whose rows nothing identifies that their query shows: groups and primary keys that the result leaves out, and rows of
which there are as many as there are.

Owns: those entries of `SHAPES`. Promises: as `shapes`, but that there is no key: rows are compared as a bag.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.case import COPIES, UNSHOWN
from tests.simulation.queries import Draft
from tests.simulation.relations import quote
from tests.simulation.shapes import Column, Parts, draft, listed, shape


@shape(UNSHOWN)
def _unshown(parts: Parts) -> Draft:
    forms: list[Callable[[Parts], Draft]] = [
        _groups,
        _groups,
        _rows,
        _joined,
        _counted,
        _either,
        _windows,
        _named,
        _kinds,
        _copies,
    ]
    if parts.postgres:
        forms += [_first, _sets]
    return parts.rng.choice(forms)(parts)


def _groups(parts: Parts) -> Draft:
    """Groups of which the result shows a part, or nothing."""
    table = parts.queries.table()
    by = [parts.column(table, "t", ("int", "text", "date")) for _ in range(parts.rng.randint(1, 3))]
    shown = [Column(one, parts.name()) for one in by[1:]]
    counted = [Column("count(*)", parts.name()), parts.aggregate(table, "t")]
    having = f" HAVING count(*) > {parts.rng.randint(0, 2)}" if parts.chance(0.3) else ""
    where = parts.where(table, "t", 0.3)
    return draft(
        f"SELECT {listed(*shown, *counted)} FROM {table.quoted} t{where} GROUP BY {', '.join(by)}{having}", [], table
    )


def _rows(parts: Parts) -> Draft:
    table = parts.table()
    columns = [parts.term(table, "t"), *parts.terms(table, "t")]
    return draft(f"SELECT {listed(*columns)} FROM {table.quoted} t{parts.where(table, 't')}", [], table)


def _joined(parts: Parts) -> Draft:
    one, other = parts.table(), parts.table()
    on = f"{parts.column(one, 'a', ('int',))} = {parts.column(other, 'b', ('int',))}"
    verb = parts.rng.choice(("JOIN", "LEFT JOIN"))
    columns = listed(parts.term(one, "a"), parts.term(other, "b"))
    where = parts.where(one, "a", 0.3)
    return draft(f"SELECT {columns} FROM {one.quoted} a {verb} {other.quoted} b ON {on}{where}", [], one, other)


def _counted(parts: Parts) -> Draft:
    """Rows of one table with what is counted of another, without the key by which they are told apart."""
    one, other = parts.table(), parts.queries.table()
    on = f"{parts.column(one, 'a', ('int',))} = {parts.column(other, 'b', ('int',))}"
    key = [column.expression for column in parts.key(one, "a")]
    named = parts.column(one, "a", ("int", "text", "date"))
    columns = listed(Column(named, parts.name()), Column("count(*)", parts.name()), parts.aggregate(other, "b"))
    where = parts.where(one, "a", 0.3)
    query = f"SELECT {columns} FROM {one.quoted} a LEFT JOIN {other.quoted} b ON {on}{where}"
    return draft(f"{query} GROUP BY {', '.join([*key, named])}", [], one, other)


def _either(parts: Parts) -> Draft:
    """All rows of two SELECTs of one table."""
    table = parts.table()
    names = [parts.name(), parts.name()]
    columns = [parts.column(table, "a", ("int",)), parts.column(table, "a", ("text", "date", "int"))]
    first = listed(*(Column(one, name) for one, name in zip(columns, names, strict=True)))
    second = ", ".join(["b" + columns[0][1:], "b" + columns[1][1:]])
    one, other = parts.where(table, "a", 0.5), parts.where(table, "b", 0.5)
    return draft(
        f"SELECT {first} FROM {table.quoted} a{one} UNION ALL SELECT {second} FROM {table.quoted} b{other}", [], table
    )


def _named(parts: Parts) -> Draft:
    """What WITH names, and a subquery in FROM shows whole."""
    one, other = parts.table(), parts.queries.table()
    a, b, n = (quote(parts.name()) for _ in range(3))
    on, by = parts.column(one, "a", ("int",)), parts.column(other, "b", ("int",))
    rows = f"SELECT {on} AS {a}, {parts.term(one, 'a').text} FROM {one.quoted} a{parts.where(one, 'a')}"
    groups = f"SELECT {by} AS {b}, count(*) AS {n} FROM {other.quoted} b{parts.where(other, 'b')} GROUP BY {by}"
    forms = [
        f"WITH x AS ({rows}) SELECT * FROM x WHERE {a} > 0",
        f"WITH x AS ({rows}), y AS ({groups}) SELECT x.{a}, y.{n} FROM x LEFT JOIN y ON y.{b} = x.{a}",
        f"WITH y AS ({groups}), z AS (SELECT {n} FROM y WHERE {b} IS NOT NULL) SELECT {n} FROM z",
        f"SELECT x.* FROM ({rows}) AS x",
    ]
    return draft(parts.rng.choice(forms), [], one, other)


def _kinds(parts: Parts) -> Draft:
    """All rows of one table, and of another or of its groups: what tells them apart is of different kinds."""
    one, other = parts.table(), parts.table()
    name = quote(parts.name())
    first = f"SELECT {parts.column(one, 'a', ('int',))} AS {name} FROM {one.quoted} a{parts.where(one, 'a', 0.3)}"
    group = parts.column(other, "b", ("int", "text", "date"))
    second = parts.rng.choice(
        (
            f"SELECT {parts.column(other, 'b', ('int',))} FROM {other.quoted} b{parts.where(other, 'b', 0.3)}",
            f"SELECT max({parts.column(other, 'b', ('int',))}) FROM {other.quoted} b GROUP BY {group}",
        )
    )
    both = f"{first} UNION ALL {second}"
    return draft(parts.rng.choice((both, f"SELECT x.{name} FROM ({both}) AS x WHERE x.{name} > 0")), [], one, other)


def _copies(parts: Parts) -> Draft:
    """Rows that nothing tells apart but how many there are."""
    one, other = parts.queries.table(), parts.queries.table()
    kind = (parts.rng.choice(("int", "text", "date")),)
    name = quote(parts.name())
    first = f"SELECT {parts.column(one, 'a', kind)} AS {name} FROM {one.quoted} a{parts.where(one, 'a', 0.4)}"
    second = f"{parts.column(other, 'b', kind)} FROM {other.quoted} b{parts.where(other, 'b', 0.4)}"
    words = ["UNION ALL SELECT DISTINCT"]
    words += ["EXCEPT ALL SELECT", "INTERSECT ALL SELECT"] if parts.postgres else []
    both = f"{first} {parts.rng.choice(words)} {second}"
    return draft(
        parts.rng.choice((both, f"SELECT x.{name} FROM ({both}) AS x WHERE x.{name} IS NOT NULL")), [], one, other
    )


@shape(COPIES, tick=True)
def _alike(parts: Parts) -> Draft:
    return parts.rng.choice((_copies, _copies, _beside, _numbers))(parts)


def _beside(parts: Parts) -> Draft:
    """Different values of one table beside rows of another, several columns wide."""
    one, other = parts.queries.table(), parts.queries.table()
    on = f"a.{quote('shown')} = {parts.column(other, 'b', ('int',))}"
    inner = f"SELECT {parts.column(one, 'x', ('int',))} AS shown FROM {one.quoted} x{parts.where(one, 'x', 0.3)}"
    both = f"{inner} UNION ALL SELECT DISTINCT {parts.column(one, 'x', ('int',))} FROM {one.quoted} x"
    columns = listed(*(parts.term(other, "b") for _ in range(parts.rng.randint(1, 2))), Column("a.shown", parts.name()))
    where = parts.where(other, "b", 0.3)
    return draft(f"SELECT {columns} FROM ({both}) AS a JOIN {other.quoted} b ON {on}{where}", [], one, other)


def _numbers(parts: Parts) -> Draft:
    """Values of which equal ones are written in several ways."""
    one, other = parts.table(), parts.queries.table()
    kinds = ("number", "numeric") if parts.postgres else ("any", "numeric", "float", "text")
    first = f"SELECT {parts.column(one, 'a', kinds)} AS {quote(parts.name())} FROM {one.quoted} a"
    second = f"SELECT DISTINCT {parts.column(other, 'b', ('int',))} * 1.0 FROM {other.quoted} b"
    return draft(f"{first}{parts.where(one, 'a', 0.4)} UNION ALL {second}", [], one, other)


def _windows(parts: Parts) -> Draft:
    table = parts.table()
    by = parts.column(table, "t", ("int", "text", "date"))
    over = f"OVER (PARTITION BY {by} ORDER BY {parts.order(table, 't')})"
    columns = listed(
        Column(f"row_number() {over}", parts.name()),
        Column(f"lag({parts.column(table, 't', ('int', 'text'))}) {over}", parts.name()),
    )
    return draft(f"SELECT {columns} FROM {table.quoted} t{parts.where(table, 't', 0.3)}", [], table)


def _first(parts: Parts) -> Draft:
    table = parts.table()
    by = parts.column(table, "t", ("int", "text", "date"))
    columns = listed(parts.term(table, "t"), *parts.terms(table, "t"))
    where = parts.where(table, "t", 0.3)
    return draft(
        f"SELECT DISTINCT ON ({by}) {columns} FROM {table.quoted} t{where} ORDER BY {by}, {parts.order(table, 't')}",
        [],
        table,
    )


def _sets(parts: Parts) -> Draft:
    """Groupings of which nobody says which one a row is of."""
    table = parts.queries.table()
    one, two = (parts.column(table, "t", ("int", "text", "date")) for _ in range(2))
    forms = (
        f"{one}, ROLLUP ({two})",
        f"{one}, GROUPING SETS ({two}, ())",
        f"GROUPING SETS ({one}, {two})",
        f"{one}, ROLLUP ({one}, {two})",
        f"DISTINCT {one}, CUBE ({one}, {two})",
    )
    by = parts.rng.choice(forms)
    columns = [Column(one, parts.name()), Column(two, parts.name())][: parts.rng.randint(0, 2)]
    counted = [Column("count(*)", parts.name()), parts.aggregate(table, "t")]
    where = parts.where(table, "t", 0.3)
    return draft(f"SELECT {listed(*columns, *counted)} FROM {table.quoted} t{where} GROUP BY {by}", [], table)
