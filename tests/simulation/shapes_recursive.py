"""Shapes of recursions whose rows can be led back to where they begin.

Owns: that entry of `SHAPES`. Promises: as `shapes`; each ends, whatever the rows are.
"""

from __future__ import annotations

from tests.simulation.queries import Draft
from tests.simulation.relations import Field, Relation
from tests.simulation.shapes import Column, Parts, draft, listed, shape


def _like(table: Relation, field: Field) -> list[Field]:
    wanted = (field.kind, field.type, field.collate)
    return [one for one in table.of_kind("int", "text", "date") if (one.kind, one.type, one.collate) == wanted]


@shape("recursion-beside")
def _beside(parts: Parts) -> Draft:
    """From a row outside over a few steps, counted, and others that are met from there."""
    table, whole = parts.queries.table(), parts.table()
    own = parts.rng.choice(table.of_kind("int", "text", "date"))
    step, begins = parts.rng.choice(_like(table, own)), _like(whole, own)
    if not begins:
        raise LookupError("nothing to begin with")
    first = f"SELECT u.{parts.rng.choice(begins).quoted}, 0"
    on = f"h.{own.quoted} = r.v{parts.condition(table, 'h', 0.3)}"
    next_ = f"SELECT h.{step.quoted}, r.n + 1 FROM r JOIN {table.quoted} h ON {on} WHERE r.n < 3"
    found = f"WITH RECURSIVE r(v, n) AS ({first} UNION{parts.rng.choice(('', ' ALL'))} {next_})"
    key = parts.key(whole, "u")
    form = parts.rng.randint(0, 2)
    if form == 0:
        longest = Column(f"({found} SELECT {parts.rng.choice(('max(r.n)', 'count(r.v)'))} FROM r)", parts.name())
        return draft(
            f"SELECT {listed(*key, longest)} FROM {whole.quoted} u{parts.where(whole, 'u', 0.3)}", key, table, whole
        )
    other = parts.queries.table()
    met = _like(other, own)
    if not met:
        raise LookupError("nothing to meet")
    value = f"o.{parts.rng.choice(met).quoted}"
    also, rows = parts.condition(other, "o", 0.3), f"SELECT count(*) FROM {other.quoted} o"
    many = f"({found} {rows} JOIN r ON {value} = r.v{also})"
    if form == 2:
        # Where it matters to nobody how often a row is found, it is once: each of them is compared with every row.
        once = found.replace(" UNION ALL ", " UNION ")
        many = f"({rows} WHERE {value} IN ({once} SELECT r.v FROM r){also})"
    columns = listed(*key, Column(many, parts.name()))
    return draft(f"SELECT {columns} FROM {whole.quoted} u{parts.where(whole, 'u', 0.3)}", key, table, whole, other)


@shape("recursion")
def _recursion(parts: Parts) -> Draft:
    """From where it begins over any number of steps, which other tables are met from, too."""
    table, first = parts.queries.table(), parts.queries.table()
    own = parts.rng.choice(table.of_kind("int", "text", "date"))
    step = parts.rng.choice(_like(table, own))
    begins = _like(first, own)
    if not begins:
        raise LookupError("nothing to begin with")
    mine = parts.column(first, "g", ("int", "text", "date"))
    start = f"SELECT {mine}, g.{parts.rng.choice(begins).quoted} FROM {first.quoted} g{parts.where(first, 'g', 0.3)}"
    on = f"h.{own.quoted} = r.v{parts.condition(table, 'h', 0.3)}"
    found = (
        f"WITH RECURSIVE r(k, v) AS ({start} UNION SELECT r.k, h.{step.quoted} FROM r JOIN {table.quoted} h ON {on})"
    )
    key, value = Column("r.k", parts.name()), Column("r.v", parts.name())
    form = parts.rng.randint(0, 3)
    if form == 0:
        return draft(f"{found} SELECT {listed(key, value)} FROM r", [key, value], table, first)
    many = Column("count(*)", parts.name())
    if form == 1:
        return draft(f"{found} SELECT {listed(key, many)} FROM r GROUP BY r.k", [key], table, first)
    other = parts.queries.table()
    met = _like(other, own)
    if not met:
        raise LookupError("nothing to meet")
    meets = f"o.{parts.rng.choice(met).quoted} = r.v{parts.condition(other, 'o', 0.3)}"
    if form == 2:
        columns = listed(key, many, parts.aggregate(other, "o"))
        verb = parts.rng.choice(("JOIN", "LEFT JOIN"))
        query = f"{found} SELECT {columns} FROM r {verb} {other.quoted} o ON {meets} GROUP BY r.k"
        return draft(query, [key], table, first, other)
    inside = f"(SELECT count(*) FROM {other.quoted} o WHERE {meets})"
    columns = listed(key, value, Column(inside, parts.name()))
    return draft(f"{found} SELECT {columns} FROM r", [key, value], table, first, other)
