"""Supports: how often each value occurs for each key, kept beside a derived table that counts different values.

Owns: which supports a query asks for, their queries, and the feeds that read them. A *support* is a derived table of our own,
``SELECT key…, value, count(*) FROM source WHERE … GROUP BY key…, value``, and linear itself. COUNT(DISTINCT value) of a key is
the number of its rows there whose value is not NULL, which is linear again: a change of the source costs what it changes,
however many rows the key has. SUM(DISTINCT value) and AVG(DISTINCT value) are those of these rows. Promises: the same query
asks for the same supports under the same names; what a feed adds up over a support is what the aggregate says over the source.
Knows nothing of when a support is worth its rows (`compiler/supports.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tidemark.dialect import Dialect
from tidemark.maintenance.aggregates import visible_aggregate
from tidemark.maintenance.key_types import spelling_of_key
from tidemark.maintenance.parts import Parts
from tidemark.maintenance.program import Feed, Part, RowText, Stored, both, text
from tidemark.maintenance.shapes import NotLinear
from tidemark.model import Catalog, Column, Declaration, OutputColumn, Table
from tidemark.names import ROWS, is_stage, support_name
from tidemark.query.relation import Aggregate, Occurrence, Scalar

VALUE = "x"
ROW = "r"


def needs_support(call: Aggregate) -> bool:
    """Whether an aggregate is no sum of changes of its source, and one of changes of a support."""
    said = call.function in ("count", "sum", "avg") and call.distinct and not call.others
    return said and call.argument is not None and not call.argument.is_constant


@dataclass
class Support:
    """One support: the `value` by `key` over the rows of `occurrence` that satisfy `where`.

    `filters` are the conditions of aggregates (FILTER) that count for themselves, by their text; each has a count of its own.
    """

    name: str
    occurrence: Occurrence
    key: tuple[Scalar, ...]
    value: Scalar
    where: tuple[Scalar, ...]
    filters: dict[str, Scalar] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """The engine's facts."""
        return self.value.dialect

    @property
    def value_column(self) -> str:
        """The column that holds the value: one of the key's where it is one."""
        texts = [one.at_row(ROW) for one in self.key]
        value = self.value.at_row(ROW)
        return _key_column(texts.index(value)) if value in texts else VALUE

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns that a feed reads."""
        keys = [_key_column(number) for number in dict.fromkeys(self._places)]
        own = [VALUE] if self.value_column == VALUE else []
        return (*keys, *own, ROWS, *(_filter_column(number) for number in range(len(self.filters))))

    def query(self, source: str) -> str:
        """The query of the support; `source` is the quoted name of its table."""
        shown = [(self.key[number].at_row(ROW), _key_column(number)) for number in dict.fromkeys(self._places)]
        shown += [(self.value.at_row(ROW), VALUE)] if self.value_column == VALUE else []
        groups = [one for one, _ in shown]
        for number, condition in enumerate(self.filters.values()):
            shown.append((f"count(*) FILTER (WHERE {condition.at_row(ROW)})", _filter_column(number).removeprefix("_")))
        shown.append(("count(*)", "n"))
        columns = ", ".join(f"{one} AS {name}" for one, name in shown)
        where = " AND ".join(f"({one.at_row(ROW)})" for one in self.where)
        return (
            f"SELECT {columns} FROM {source} AS {ROW}{f' WHERE {where}' if where else ''} GROUP BY {', '.join(groups)}"
        )

    def counted(self, call: Aggregate) -> RowText:
        """The rows of the support that the aggregate counts."""
        found = text(self._column(self.value_column), " IS NOT NULL")
        if call.condition is None:
            return found
        return both(found, self._filtered(call)) or found

    def added(self, call: Aggregate, argument: OutputColumn, parts: Parts, hint: str) -> str:
        """What readers see of a sum or a mean of different values, over ``s``: that of the rows of the support."""
        own = replace(call, argument=self._column(self.value_column), distinct=False, condition=None)
        condition = self._filtered(call) if call.condition is not None else None
        return visible_aggregate(own, condition, parts, argument, hint)

    def _filtered(self, call: Aggregate) -> RowText:
        """Whether rows count that satisfy the aggregate's own condition."""
        assert call.condition is not None
        number = list(self.filters).index(call.condition.at_row(ROW))
        return text(self._column(_filter_column(number)), " > 0")

    def counted_anew(self, call: Aggregate) -> RowText:
        """The same number as an aggregate over the rows of the source."""
        counted = text("count(DISTINCT ", self.value, ")")
        return text(counted, " FILTER (WHERE ", call.condition, ")") if call.condition is not None else counted

    def rows_anew(self) -> RowText:
        """The number of the support's rows as an aggregate over the rows of the source: NULL is a value here."""
        nothing = text("coalesce(max(CASE WHEN ", self.value, " IS NULL THEN 1 ELSE 0 END), 0)")
        return text("count(DISTINCT ", self.value, ") + ", nothing)

    def key_texts(self) -> tuple[RowText, ...]:
        """The key of a row of the support."""
        return tuple(text(self._column(_key_column(number))) for number in self._places)

    def present(self) -> RowText:
        """True for the rows of the support to which rows of the source contribute."""
        return text(self._column(ROWS), " > 0")

    @property
    def _places(self) -> list[int]:
        """For each column of the key the first that is the same: what is compared with two columns outside is one here."""
        texts = [one.at_row(ROW) for one in self.key]
        return [texts.index(one) for one in texts]

    def _column(self, name: str) -> Scalar:
        return self.value.column_of("support", name)


def supports_of(declaration: Declaration, catalog: Catalog) -> Supports | None:
    """The supports that a derived table counts in, as the catalog has them."""
    if all(is_stage(name) for name in declaration.supported_by):
        return None
    return Supports(declaration.name, stores_of(declaration, catalog))


def stores_of(declaration: Declaration, catalog: Catalog) -> dict[str, Table]:
    """The stores of its supports by their names."""
    stores = {table.keeps.derived: table for table in catalog.tables.values() if table.keeps and table.kind == "table"}
    return {name: stores[name] for name in declaration.supported_by}


def _key_column(number: int) -> str:
    return f"k{number + 1}"


def _filter_column(number: int) -> str:
    return f"_n{number + 1}"


@dataclass(frozen=True)
class Among:
    """The rows among which values are counted: those of `occurrence` that satisfy `where`, by `key`. `guard` are conditions on
    the key, over the source. Columns for them are named after `hint`, and otherwise than those that are `taken`."""

    occurrence: Occurrence
    key: tuple[Scalar, ...]
    where: tuple[Scalar, ...]
    guard: RowText | None
    taken: set[str]
    hint: str


@dataclass
class _Reading:
    """What a program reads of one support: the parts that count its rows, and what they are over the source."""

    support: Support
    table: Table
    parts: Parts
    guard: RowText | None
    anew: dict[str, RowText] = field(default_factory=dict)


class Supports:
    """The supports of one query, as its program is made.

    `tables` are the stores of those that are there, by name. Without any the program is only looked at for what it asks for.
    `is_read_alone` tells that a key is computed anew from the supports, and not from the rows of their sources.
    """

    def __init__(self, owner: str, tables: Mapping[str, Table] | None = None) -> None:
        self._owner = owner
        self._tables = tables
        self._readings: dict[tuple[str, ...], _Reading] = {}
        self.is_read_alone = False

    @property
    def wanted(self) -> tuple[Support, ...]:
        """Every support that was asked for, in order."""
        return tuple(one.support for one in self._readings.values())

    def count(self, call: Aggregate, among: Among) -> Stored:
        """The stored column that counts the values of an aggregate."""
        reading = self._reading(call, among)
        support = reading.support
        stored = reading.parts.count(among.hint, support.counted(call))
        reading.anew[stored.quoted] = support.counted_anew(call)
        return stored

    def added(self, call: Aggregate, argument: OutputColumn, among: Among) -> str:
        """As `count`, what readers see of a sum or a mean. Raises `NotLinear` where equal values may be written in several ways,
        or do not add exactly."""
        assert call.argument is not None
        if spelling_of_key(argument, call.argument.dialect) == "many":
            raise NotLinear(f"equal values of {call.argument.text} may be written in several ways")
        reading = self._reading(call, among)
        shown = reading.support.added(call, argument, reading.parts, among.hint)
        if any(part.kind == "recomputed" and part.needed is None for part in reading.parts.made.values()):
            raise NotLinear("a value of floating point depends on the order of addition")
        self.is_read_alone = True
        return shown

    def presence(self) -> Stored:
        """The stored column that counts the rows of the first support: a key is there when there are some."""
        reading = next(iter(self._readings.values()))
        stored = reading.parts.count("rows", None)
        reading.anew[stored.quoted] = reading.support.rows_anew()
        return stored

    def feeds(self, number: int, key: tuple[RowText, ...] | None = None) -> tuple[Feed, ...]:
        """The feeds that read the supports, numbered from there on. `key` stands for a key that no row carries."""
        return tuple(
            Feed(
                place,
                one.table,
                key or one.support.key_texts(),
                both(one.support.present(), _over(one)),
                tuple(one.parts.made.values()),
            )
            for place, one in enumerate(self._readings.values(), start=number)
        )

    def feeds_anew(self, number: int) -> tuple[Feed, ...]:
        """The same numbers from the rows of the sources, for computing a key anew; nothing where they are read alone."""
        if self.is_read_alone:
            return ()
        found = []
        for place, one in enumerate(self._readings.values(), start=number):
            where = [text(scalar) for scalar in one.support.where]
            guard = one.guard
            for condition in where:
                guard = both(guard, condition)
            key = tuple(text(scalar) for scalar in one.support.key)
            found.append(Feed(place, one.support.occurrence.table, key, guard, tuple(self._anew(one))))
        return tuple(found)

    def parts_anew(self) -> tuple[Part, ...]:
        """The parts of every support, over the rows of the one source."""
        return tuple(part for one in self._readings.values() for part in self._anew(one))

    def _anew(self, reading: _Reading) -> Iterable[Part]:
        for part in reading.parts.made.values():
            quoted = reading.support.dialect.quote(part.name)
            yield replace(part, aggregate=reading.anew[quoted])

    def _reading(self, call: Aggregate, among: Among) -> _Reading:
        """What is read of the support of an aggregate's values."""
        value, table = call.argument, among.occurrence.table
        assert value is not None
        said = (*(one.at_row(ROW) for one in among.key), "WHERE", *(one.at_row(ROW) for one in among.where))
        about = (table.schema, table.name, value.at_row(ROW), *said)
        reading = self._readings.get(about)
        if reading is None:
            name = support_name(self._owner, len(self._readings) + 1)
            support = Support(name, among.occurrence, among.key, value, among.where)
            parts = Parts(value.dialect, among.taken, {})
            reading = _Reading(support, self._table(support), parts, among.guard)
            self._readings[about] = reading
        if call.condition is not None:
            reading.support.filters.setdefault(call.condition.at_row(ROW), call.condition)
        return reading

    def _table(self, support: Support) -> Table:
        if self._tables is None:
            # Nothing is rendered of a program that is only looked at.
            return Table("", support.name, "table", tuple(Column(name, "", False) for name in support.columns))
        return self._tables[support.name]


def _over(reading: _Reading) -> RowText | None:
    """The conditions on the key, over the support's rows."""
    if reading.guard is None:
        return None
    tests = None
    for one in reading.support.key_texts():
        tests = both(tests, text(one, " IS NOT NULL"))
    return tests
