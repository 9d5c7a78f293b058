"""Shapes whose rows depend on other rows: set operations, windows, DISTINCT ON, and those of class global.

Owns: those entries of `SHAPES`. Promises: as `shapes`.
"""

from __future__ import annotations

from tests.simulation.queries import Draft
from tests.simulation.relations import Field, Relation, quote
from tests.simulation.shapes import Column, Parts, draft, listed, shape

NUMBERED = ("int", "date", "timestamp", "numeric", "bigint")


def _alike(parts: Parts) -> tuple[Relation, Relation, list[tuple[Field, Field]]]:
    """Two tables with columns of the same types and collations, side by side. Raises LookupError."""
    left = parts.queries.table()
    right = parts.queries.other_table(left)
    found = []
    for one in left.of_kind("int", "text", "date"):
        same = [two for two in right.fields if (two.kind, two.type, two.collate) == (one.kind, one.type, one.collate)]
        if same:
            found.append((one, parts.rng.choice(same)))
    if not found:
        raise LookupError("nothing alike")
    return left, right, parts.rng.sample(found, min(len(found), parts.rng.choice((1, 2))))


def _set(parts: Parts, words: tuple[str, ...]) -> Draft:
    left, right, pairs = _alike(parts)
    key = [Column(f"a.{one.quoted}", parts.name()) for one, _ in pairs]
    first = f"SELECT {listed(*key)} FROM {left.quoted} a{parts.where(left, 'a', 0.4)}"
    other = ", ".join(f"b.{two.quoted}" for _, two in pairs)
    second = f"SELECT {other} FROM {right.quoted} b{parts.where(right, 'b', 0.4)}"
    return draft(f"{first} {parts.rng.choice(words)} {second}", key, left, right)


@shape("union")
def _union(parts: Parts) -> Draft:
    return _set(parts, ("UNION",))


@shape("except")
def _except(parts: Parts) -> Draft:
    return _set(parts, ("EXCEPT",))


@shape("intersect")
def _intersect(parts: Parts) -> Draft:
    return _set(parts, ("INTERSECT",))


@shape("union-all")
def _union_all(parts: Parts) -> Draft:
    left = parts.table()
    right = parts.table(left)
    if len(left.key) != 1 or len(right.key) != 1:
        raise LookupError("keys of several columns")
    one, two = left.field(left.key[0]), right.field(right.key[0])
    if (one.kind, one.type, one.collate) != (two.kind, two.type, two.collate):
        raise LookupError("keys of different types")
    tag = Column("'a'" if not parts.postgres else "'a'::text", parts.name())
    key = [tag, *parts.key(left, "a")]
    kinds = tuple({*left.kinds} & {*right.kinds} - {"float"})
    extra = []
    if kinds and parts.chance(0.6):
        kind = parts.rng.choice(kinds)
        # SQLite takes any value with any other.
        others = right.of_kind(kind) if parts.postgres or parts.chance(0.6) else right.fields
        mine, theirs = parts.rng.choice(left.of_kind(kind)), parts.rng.choice(others)
        extra = [(Column(f"a.{mine.quoted}", parts.name()), f"b.{theirs.quoted}")]
    first = f"SELECT {listed(*key, *(item for item, _ in extra))} FROM {left.quoted} a{parts.where(left, 'a', 0.4)}"
    other = ", ".join([tag.expression.replace("'a'", "'b'"), f"b.{two.quoted}", *(text for _, text in extra)])
    second = f"SELECT {other} FROM {right.quoted} b{parts.where(right, 'b', 0.4)}"
    return draft(f"{first} UNION ALL {second}", key, left, right)


@shape("group-of-union")
def _group_union(parts: Parts) -> Draft:
    left, right, pairs = _alike(parts)
    one, two = pairs[0]
    word = parts.rng.choice(("UNION ALL", "UNION ALL", "UNION"))
    more = ", 1 AS w" if word == "UNION ALL" else ""
    first = f"SELECT a.{one.quoted} AS k{more} FROM {left.quoted} a{parts.where(left, 'a', 0.4)}"
    second = f"SELECT b.{two.quoted}{', 2' if more else ''} FROM {right.quoted} b{parts.where(right, 'b', 0.4)}"
    key = [Column("s.k", parts.name())]
    columns = listed(*key, Column("count(*)", parts.name()), *([Column("sum(s.w)", parts.name())] if more else []))
    return draft(f"SELECT {columns} FROM ({first} {word} {second}) s GROUP BY s.k", key, left, right)


def _window(parts: Parts, table: Relation, by: str) -> str:
    """A window function with one answer."""
    order = parts.order(table, "g")
    number = parts.column(table, "g", ("int",))
    return parts.rng.choice(
        (
            f"row_number() OVER (PARTITION BY {by} ORDER BY {order})",
            f"rank() OVER (PARTITION BY {by} ORDER BY {number})",
            f"dense_rank() OVER (PARTITION BY {by} ORDER BY {number} DESC)",
            f"count(*) OVER (PARTITION BY {by})",
            f"sum({number}) OVER (PARTITION BY {by} ORDER BY {order})",
            f"max({number}) OVER (PARTITION BY {by})",
            f"lag({number}) OVER (PARTITION BY {by} ORDER BY {order})",
            f"lead({number}, 2) OVER (PARTITION BY {by} ORDER BY {order})",
            f"first_value({number}) OVER (PARTITION BY {by} ORDER BY {order})",
            f"sum({number}) OVER (PARTITION BY {by} ORDER BY {order} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        )
    )


@shape("window")
def _windows(parts: Parts) -> Draft:
    table = parts.table()
    by = parts.column(table, "g", ("int", "text", "date"))
    key = parts.key(table, "g")
    windows = [Column(_window(parts, table, by), parts.name()) for _ in range(parts.rng.randint(1, 2))]
    columns = listed(*key, Column(by, parts.name()), *windows)
    return draft(f"SELECT {columns} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}", key, table)


@shape("window-unseen")
def _windows_unseen(parts: Parts) -> Draft:
    """Windows by a column that the result does not show, in the query or in one in FROM."""
    table = parts.table()
    by = parts.column(table, "g", ("int", "text", "date"))
    key = parts.key(table, "g")
    windows = [Column(_window(parts, table, by), parts.name()) for _ in range(parts.rng.randint(1, 2))]
    inner = f"SELECT {listed(*key, *windows)} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}"
    if parts.chance(0.6):
        return draft(inner, key, table)
    if parts.chance(0.5):
        return draft(f"WITH w AS ({inner}), s AS (SELECT * FROM w) SELECT s.* FROM s", key, table)
    outer = [Column(f"s.{quote(column.name)}", column.name) for column in (*key, *windows)]
    return draft(f"SELECT {listed(*outer)} FROM ({inner}) s", key, table)


@shape("window-over-group")
def _window_group(parts: Parts) -> Draft:
    table = parts.queries.table()
    first, second = parts.column(table, "g", ("int", "text")), parts.column(table, "g", ("int", "date"))
    if first == second:
        raise LookupError("one column")
    key = [Column(first, parts.name()), Column(second, parts.name())]
    rank = Column(f"rank() OVER (PARTITION BY {first} ORDER BY count(*) DESC)", parts.name())
    where = parts.where(table, "g", 0.3)
    query = f"SELECT {listed(*key, Column('count(*)', parts.name()), rank)} FROM {table.quoted} g{where}"
    return draft(f"{query} GROUP BY {first}, {second}", key, table)


@shape("top-of-group")
def _top(parts: Parts) -> Draft:
    table = parts.table()
    by = parts.column(table, "g", ("int", "text", "date"))
    value = parts.column(table, "g", table.kinds)
    numbered = f"row_number() OVER (PARTITION BY {by} ORDER BY {parts.order(table, 'g')})"
    inner = f"SELECT {by} AS b, {value} AS v, {numbered} AS r FROM {table.quoted} g{parts.where(table, 'g', 0.3)}"
    key = [Column("s.b", parts.name())]
    columns = [Column("s.v", parts.name())]
    test = "s.r = 1"
    if parts.chance(0.5):
        key.append(Column("s.r", parts.name()))
        test = f"s.r <= {parts.rng.randint(1, 3)}"
    return draft(f"SELECT {listed(*key, *columns)} FROM ({inner}) s WHERE {test}", key, table)


@shape("distinct-on", "postgres")
def _distinct_on(parts: Parts) -> Draft:
    table = parts.table()
    key = [parts.term(table, "g", ("int", "text", "date"), 0.7)]
    by = key[0].expression
    columns = listed(*key, *parts.terms(table, "g", 3))
    where = parts.where(table, "g", 0.3)
    order = f"{by}, {parts.order(table, 'g')}"
    return draft(f"SELECT DISTINCT ON ({by}) {columns} FROM {table.quoted} g{where} ORDER BY {order}", key, table)


@shape("ordered-aggregate", "postgres")
def _ordered_aggregate(parts: Parts) -> Draft:
    table = parts.table()
    key = [parts.term(table, "g", ("int", "text"), 0.7)]
    value = parts.column(table, "g", ("int", "date"))
    aggregates = (
        f"mode() WITHIN GROUP (ORDER BY {value})",
        f"percentile_disc(0.5) WITHIN GROUP (ORDER BY {value})",
        f"string_agg(CAST({value} AS text), ',' ORDER BY {parts.order(table, 'g')})",
        f"array_agg({value} ORDER BY {parts.order(table, 'g')})",
    )
    columns = listed(*key, Column(parts.rng.choice(aggregates), parts.name()))
    where = parts.where(table, "g", 0.3)
    return draft(f"SELECT {columns} FROM {table.quoted} g{where} GROUP BY {key[0].expression}", key, table)


@shape("global-scalar", allow_global=True)
def _global_scalar(parts: Parts) -> Draft:
    universe, other = parts.table(), parts.queries.table()
    key = parts.key(universe, "u")
    whole = f"(SELECT {parts.queries.aggregate(other, 'f')} FROM {other.quoted} f{parts.where(other, 'f', 0.3)})"
    columns = listed(*key, Column(whole, parts.name()), *parts.terms(universe, "u", 1))
    return draft(f"SELECT {columns} FROM {universe.quoted} u{parts.where(universe, 'u', 0.3)}", key, universe, other)


@shape("global-window", allow_global=True)
def _global_window(parts: Parts) -> Draft:
    table = parts.table()
    key = parts.key(table, "g")
    number = parts.column(table, "g", ("int",))
    rank = Column(f"rank() OVER (ORDER BY {number} DESC)", parts.name())
    return draft(f"SELECT {listed(*key, rank)} FROM {table.quoted} g{parts.where(table, 'g', 0.3)}", key, table)


@shape("global-limit", allow_global=True)
def _global_limit(parts: Parts) -> Draft:
    table = parts.table()
    key = parts.key(table, "g")
    order = parts.order(table, "g")
    first = Column(order.partition(",")[0].rsplit(" ", 1)[0], parts.name())
    # What is ordered by need not be seen.
    seen = [first] if parts.chance(0.4) else []
    columns = listed(*key, *seen, *parts.terms(table, "g"))
    if parts.chance(0.3):
        order = (
            f"{parts.term(table, 'g', ('int', 'text', 'date')).expression} {parts.rng.choice(('DESC', 'ASC'))}, {order}"
        )
    end = f"ORDER BY {order} LIMIT {parts.rng.randint(1, 4)}"
    if parts.chance(0.3):
        end += " OFFSET 1"
    return draft(f"SELECT {columns} FROM {table.quoted} g{parts.where(table, 'g', 0.3)} {end}", key, table)


@shape("global-total", allow_global=True)
def _global_total(parts: Parts) -> Draft:
    right = parts.table()
    left = parts.child(right)
    link = parts.link(right, left, "b", "a")
    columns = listed(parts.aggregate(left, "a"), parts.aggregate(right, "b"))
    verb = parts.rng.choice(("JOIN", "LEFT JOIN"))
    return draft(f"SELECT {columns} FROM {left.quoted} a {verb} {right.quoted} b ON {link}", [], left, right)


@shape("global-histogram", allow_global=True)
def _global_histogram(parts: Parts) -> Draft:
    table = parts.queries.table()
    by = parts.column(table, "g", ("int", "text", "date"))
    key = [Column("s.n", parts.name())]
    inner = f"SELECT {by} AS k, count(*) AS n FROM {table.quoted} g{parts.where(table, 'g', 0.3)} GROUP BY {by}"
    return draft(f"SELECT {listed(*key, Column('count(*)', parts.name()))} FROM ({inner}) s GROUP BY s.n", key, table)


@shape("groupings", "postgres", allow_global=True)
def _groupings(parts: Parts) -> Draft:
    table = parts.queries.table()
    fields = table.of_kind("int", "text", "date")
    if len(fields) < 2:
        raise LookupError("one column")
    one, two = (f"g.{field.quoted}" for field in parts.rng.sample(list(fields), 2))
    forms = (f"ROLLUP ({one}, {two})", f"CUBE ({one}, {two})", f"{one}, GROUPING SETS ({two}, ())")
    by = parts.rng.choice((*forms, f"GROUPING SETS (({one}), ({two}))"))
    names = (one, two, f"grouping({one}, {two})")
    key = [Column(name, parts.name()) for name in names]
    columns = listed(*key, parts.aggregate(table, "g"))
    return draft(f"SELECT {columns} FROM {table.quoted} g{parts.where(table, 'g', 0.3)} GROUP BY {by}", key, table)


@shape("global-recursion", allow_global=True)
def _global_recursion(parts: Parts) -> Draft:
    table = parts.table()
    if len(table.key) != 1:
        raise LookupError("a key of several columns")
    own = table.field(table.key[0])
    same = [one for one in table.fields if (one.kind, one.type, one.collate) == (own.kind, own.type, own.collate)]
    step = parts.rng.choice(same)
    first = f"SELECT g.{own.quoted} FROM {table.quoted} g WHERE {parts.scalars.predicate(table, 'g')}"
    second = f"SELECT h.{own.quoted} FROM {table.quoted} h JOIN r ON h.{step.quoted} = r.k"
    reached = f"WITH RECURSIVE r(k) AS ({first} UNION {second})"
    key = [Column("r.k", parts.name())]
    form = parts.rng.randint(0, 2)
    if form == 0:
        return draft(f"{reached} SELECT {listed(*key)} FROM r", key, table)
    if form == 1:
        # What is reached, beside rows of another table, and named twice.
        other = parts.queries.table()
        total = Column(f"(SELECT count(*) FROM {other.quoted} f{parts.where(other, 'f', 0.3)})", parts.name())
        both = Column("(SELECT count(*) FROM r AS s)", parts.name())
        return draft(f"{reached} SELECT {listed(*key, total, both)} FROM r", key, table, other)
    # How far it goes from each row, by steps that are counted.
    start = f"SELECT g.{step.quoted}, 1 FROM {table.quoted} g WHERE g.{own.quoted} = u.{own.quoted}"
    on = f"SELECT h.{step.quoted}, r.n + 1 FROM {table.quoted} h JOIN r ON h.{own.quoted} = r.k WHERE r.n < 4"
    longest = f"(WITH RECURSIVE r(k, n) AS ({start} UNION ALL {on}) SELECT max(r.n) FROM r)"
    mine = parts.key(table, "u")
    return draft(
        f"SELECT {listed(*mine, Column(longest, parts.name()))} FROM {table.quoted} u{parts.where(table, 'u', 0.3)}",
        mine,
        table,
    )
