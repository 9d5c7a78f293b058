"""Shapes of what is taken together of an inner relation: aggregates over groups, and totals of rows that outer joins and
subqueries say which there are; and rows that are compared with a figure over everything.

Owns: ``staged``, ``compared``. Promises: as `shapes`; none of them asks for consent, so that each is kept over a stage or added
up.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.queries import Draft
from tests.simulation.relations import Relation
from tests.simulation.shapes import Column, Parts, beside_total, draft, listed, shape

KINDS = ("int", "text", "date")


def _groups(parts: Parts) -> tuple[str, tuple[Relation, ...]]:
    """Groups of one table or of two: what they are by as ``k``, and of each a number ``n`` and a value ``v``."""
    table = parts.queries.table()
    having = f" HAVING count(*) > {parts.rng.randint(0, 1)}" if parts.chance(0.25) else ""
    if parts.chance(0.4):
        right, child = parts.table(), parts.table()
        by, value = parts.column(right, "a", KINDS), parts.column(child, "b", ("int",))
        verb = parts.rng.choice(("LEFT JOIN", "JOIN", "RIGHT JOIN"))
        source = f"{right.quoted} a {verb} {child.quoted} b ON {parts.link(right, child, 'a', 'b')}"
        rest = f"FROM {source}{parts.where(right, 'a', 0.3)} GROUP BY {by}{having}"
        return f"SELECT {by} AS k, count({value}) AS n, max({value}) AS v {rest}", (right, child)
    by, value = parts.column(table, "g", KINDS), parts.column(table, "g", ("int",))
    call = parts.rng.choice(("sum", "min", "max"))
    rest = f"FROM {table.quoted} g{parts.where(table, 'g', 0.3)} GROUP BY {by}{having}"
    return f"SELECT {by} AS k, count(*) AS n, {call}({value}) AS v {rest}", (table,)


def _figures(parts: Parts, *values: str) -> list[Column]:
    """Some aggregates of values, also of different ones, and how many rows there are."""
    forms = ("sum({})", "max({})", "min({})", "avg({})", "count({})", "sum({}) FILTER (WHERE {} > 1)")
    if parts.chance(0.6):
        forms = (
            "count(DISTINCT {})",
            "count(DISTINCT {}) FILTER (WHERE {} > 1)",
            "sum(DISTINCT {})",
            "avg(DISTINCT {})",
        )
    calls = [parts.rng.choice(forms).replace("{}", parts.rng.choice(values)) for _ in range(parts.rng.randint(1, 2))]
    return [Column("count(*)", parts.name()), *(Column(call, parts.name()) for call in dict.fromkeys(calls))]


def _over_groups(parts: Parts) -> Draft:
    inner, tables = _groups(parts)
    few = f" WHERE s.n {parts.rng.choice(('>', '<=', '<>'))} {parts.rng.randint(0, 2)}" if parts.chance(0.4) else ""
    form = parts.rng.choice(("groups", "groups", "groups", "total", "total", "distinct", "levels", "beside"))
    source, with_ = f"({inner}) s", ""
    if parts.chance(0.4):
        with_, source = f"WITH s AS ({inner}) ", "s"
    by = parts.rng.choice(("s.n", "s.n", "s.v"))
    if form == "total":
        return draft(f"{with_}SELECT {listed(*_figures(parts, 's.n', 's.v'))} FROM {source}{few}", [], *tables)
    if form == "beside":
        rows = f"({inner}) s{few}"
        query, key = beside_total(parts, "s.k", rows, lambda: _figures(parts, "s.n", "s.v"))
        return draft(query, key, *tables)
    key = [Column(by, parts.name())]
    if form == "distinct":
        plain, _, rest = inner.partition(" FROM ")
        shown = plain.partition(" AS k, ")[2].partition(" AS n")[0]
        return draft(f"SELECT DISTINCT {shown} AS {key[0].text.rpartition(' AS ')[2]} FROM {rest}", key, *tables)
    grouped = f"SELECT {by} AS q, count(*) AS m, max(s.v) AS w FROM {source}{few} GROUP BY {by}"
    if form == "levels":
        return draft(f"{with_}SELECT {listed(*_figures(parts, 't.m', 't.w'))} FROM ({grouped}) t", [], *tables)
    columns = listed(*key, *_figures(parts, "s.n", "s.v"))
    return draft(f"{with_}SELECT {columns} FROM {source}{few} GROUP BY {by}", key, *tables)


def _over_rows(parts: Parts) -> Draft:
    right = parts.table()
    left = parts.table(right)
    link, value = parts.link(right, left, "b", "a"), parts.column(left, "a", ("int",))
    form = parts.rng.choice(("joined", "joined", "tested", "tested", "compared", "filtered"))
    if form == "filtered":
        other = parts.term(left, "a", ("int",), 0.5).expression
        few = f" WHERE s.n {parts.rng.choice(('>', '<=', '<>'))} {parts.rng.randint(0, 2)}" if parts.chance(0.5) else ""
        inner = f"SELECT {value} AS n, {other} AS v FROM {left.quoted} a{parts.where(left, 'a', 0.6)}"
        return draft(f"SELECT {listed(*_figures(parts, 's.n', 's.v'))} FROM ({inner}) s{few}", [], left)
    if form == "joined":
        verb = parts.rng.choice(("LEFT JOIN", "RIGHT JOIN", "FULL JOIN"))
        other = parts.column(right, "b", ("int",))
        source = f"{left.quoted} a {verb} {right.quoted} b ON {link}{parts.where(left, 'a', 0.3)}"
        return draft(f"SELECT {listed(*_figures(parts, value, other))} FROM {source}", [], left, right)
    test = f"{parts.rng.choice(('', 'NOT '))}EXISTS (SELECT 1 FROM {right.quoted} b WHERE {link})"
    if form == "compared":
        number = parts.column(right, "b", ("int",))
        test = f"{value} {parts.rng.choice(('<', '>=', '='))} (SELECT max({number}) FROM {right.quoted} b WHERE {link})"
    more = parts.condition(left, "a", 0.3)
    return draft(f"SELECT {listed(*_figures(parts, value))} FROM {left.quoted} a WHERE {test}{more}", [], left, right)


def _figure(parts: Parts) -> tuple[str, tuple[Relation, ...]]:
    """One figure as a subquery, and what it reads: of groups, of joined or of tested rows, or of one table."""
    right = parts.table()
    left = parts.table(right)
    link, value = parts.link(right, left, "b", "a"), parts.column(left, "a", ("int",))
    call = parts.rng.choice(("count(*)", "count({})", "max({})", "sum({})", "count(DISTINCT {})"))
    form = parts.rng.choice(("joined", "tested", "groups", "plain"))
    if form == "groups":
        inner, tables = _groups(parts)
        return f"(SELECT {call.format('s.n')} FROM ({inner}) s)", tables
    rest = f"{left.quoted} a{parts.where(left, 'a', 0.5)}"
    if form == "joined":
        rest = f"{left.quoted} a LEFT JOIN {right.quoted} b ON {link}"
    if form == "tested":
        rest = f"{left.quoted} a WHERE NOT EXISTS (SELECT 1 FROM {right.quoted} b WHERE {link})"
    return f"(SELECT {call.format(value)} FROM {rest})", (left,) if form == "plain" else (left, right)


def _row_of_figures(parts: Parts) -> Draft:
    found = [_figure(parts) for _ in range(parts.rng.randint(2, 3))]
    columns = [Column(text, parts.name()) for text, _ in found]
    return draft(f"SELECT {listed(*columns)}", [], *(table for _, tables in found for table in tables))


@shape("staged")
def _staged(parts: Parts) -> Draft:
    """An aggregate over groups, and a total of rows that are found by joins and subqueries; or a row of several such figures."""
    if parts.chance(0.2):
        return _row_of_figures(parts)
    return _over_groups(parts) if parts.chance(0.6) else _over_rows(parts)


def _over_everything(parts: Parts, inner: str, value: str, *, grouped: bool = False) -> tuple[str, str]:
    """A figure over all rows of a subquery or a table, or what is computed from one; and where it stands, if that is FROM."""
    call = parts.rng.choice(("max", "max", "min", "avg", "sum"))
    form = parts.rng.choice(("{}", "{}", "{}", "{} * 0.5", "1 + {}"))
    if parts.chance(0.3):
        column = "max(y.f)" if grouped else "y.f"
        return form.format(column), f" CROSS JOIN (SELECT {call}({value}) AS f FROM {inner}) y"
    return form.format(f"(SELECT {call}({value}) FROM {inner})"), ""


def _test(parts: Parts, value: str, figure: str) -> str:
    """A comparison, or what is made of one."""
    verb = parts.rng.choice(("=", "=", ">", ">=", "<", "<=", "<>", "IS DISTINCT FROM"))
    test = f"{figure} {verb} {value}" if parts.chance(0.2) else f"{value} {verb} {figure}"
    if parts.chance(0.15):
        test = f"{value} {parts.rng.choice(('BETWEEN', 'NOT BETWEEN'))} {figure} AND 40"
    form = parts.rng.choice(("{}", "{}", "{}", "NOT ({})", "({} OR {} = 1)", "({}) IS NULL"))
    return form.format(test, value)


@shape("compared", support=True)
def _compared(parts: Parts) -> Draft:
    """Rows of a table, of groups or of both, compared with the mean, the best or the sum of all, or saying how they compare."""
    form = parts.rng.choice(("rows", "rows", "groups", "groups", "beside", "having", "counted"))
    if form in ("groups", "beside"):
        inner, tables = _groups(parts)
        value = f"s.{parts.rng.choice(('n', 'n', 'v'))}"
        figure, beside = _over_everything(parts, "s z", value.replace("s.", "z."))
        test = _test(parts, value, figure)
        key = [Column("s.k", parts.name())]
        if form == "groups":
            shown = [*key, Column("s.n", parts.name()), Column("s.v", parts.name())]
            return draft(f"WITH s AS ({inner}) {_asking(parts, shown, f's{beside}', test)}", key, *tables)
        table = parts.table()
        key = [*parts.key(table, "a"), *key]
        on = f"{parts.column(table, 'a', ('int',))} = s.n"
        rows = f"{table.quoted} a JOIN s ON {on}{beside}"
        asked = _asking(parts, [*key, *parts.terms(table, "a")], rows, test)
        return draft(f"WITH s AS ({inner}) {asked}", key, *tables, table)
    table = parts.table()
    other = table if parts.chance(0.6) else parts.table()
    value, far = parts.column(table, "a", ("int", "numeric")), parts.column(other, "f", ("int", "numeric"))
    of_groups = form == "having"
    figure, beside = _over_everything(parts, f"{other.quoted} f{parts.where(other, 'f', 0.3)}", far, grouped=of_groups)
    if of_groups:
        by = Column(parts.column(table, "a", KINDS), parts.name())
        call = f"{parts.rng.choice(('sum', 'max', 'count'))}({value})"
        rest = f"FROM {table.quoted} a{beside}{parts.where(table, 'a', 0.3)} GROUP BY {by.expression}"
        test = _test(parts, call, figure)
        if parts.chance(0.3):
            said = Column(f"CASE WHEN {test} THEN 'x' END", parts.name())
            return draft(f"SELECT {listed(by, said)} {rest}", [by], table, other)
        having = f"{test}{' AND count(*) > 0' if parts.chance(0.3) else ''}"
        shown = listed(by, Column("count(*)", parts.name()))
        return draft(f"SELECT {shown} {rest} HAVING {having}", [by], table, other)
    test, few = _test(parts, value, figure), parts.condition(table, "a", 0.3)
    rows = f"{table.quoted} a{beside}"
    if form == "counted":
        shown = listed(Column("count(*)", parts.name()), Column(f"max({value})", parts.name()))
        return draft(f"SELECT {shown} FROM {rows} WHERE {test}{few}", [], table, other)
    key = parts.key(table, "a")
    return draft(_asking(parts, [*key, *parts.terms(table, "a")], rows, test, few), key, table, other)


def _asking(parts: Parts, shown: Sequence[Column], rows: str, test: str, few: str = "") -> str:
    """Rows that a comparison is true of, or all of them with what it says."""
    if parts.chance(0.3):
        said = Column(
            parts.rng.choice(("CASE WHEN {} THEN 1 ELSE 0 END", "CASE WHEN {} THEN 2 END")).format(test), parts.name()
        )
        return f"SELECT {listed(*shown, said)} FROM {rows} WHERE 1 = 1{few}"
    return f"SELECT {listed(*shown)} FROM {rows} WHERE {test}{few}"
