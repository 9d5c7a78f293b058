"""The table of aggregates: which hidden columns keep each one, how a row contributes, how readers see the result.

Owns: the exactness rules of COUNT, SUM, AVG, MIN, MAX, BOOL_OR, BOOL_AND, TOTAL. Promises: for each aggregate the visible
expression over its parts equals what the engine computes over the rows, in value, type and NULL.

Sums are added only where adding is exact. Values that do not add exactly (floating point; NaN and infinities of numeric;
anything but an integer on SQLite, where a column may hold anything) are counted apart in a part called odd; while odd is not zero
the aggregate is recomputed for the key instead. A sum of numeric has the scale of its values, which decides about its text and
its quotients: where no scale is declared, values are counted by it. AVG on SQLite divides doubles: it is exact by parts while the
absolute values sum to at most 2^53.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidemark.maintenance.parts import Parts
from tidemark.maintenance.program import Part, PartKind, RowText, Stored, text
from tidemark.model import OutputColumn
from tidemark.query.relation import Aggregate

_EXACT_RANGE = 2**53
_INTEGERS = {"smallint": "bigint", "integer": "bigint", "bigint": "numeric"}
_FLOATS = ("real", "double precision")
# Of sums of numeric: beyond how many digits after the point a value is odd, and the digits of a count of values of one scale.
_SCALE_MAX = 100
_COUNT_DIGITS = 12


# PostgreSQL has no max and min of these types, and takes their values for such of another one.
_EXTREMES_OF = {'"char"': "text", "name": "text", "cidr": "inet"}


@dataclass(frozen=True)
class _Asked:
    """An aggregate that is asked for, and the `parts` among which what it needs is kept, by names that begin with `hint`.
    `condition` holds for the rows that count; `argument` is what the aggregate is called with, as the engine describes it."""

    call: Aggregate
    condition: RowText | None
    parts: Parts
    argument: OutputColumn | None
    hint: str

    @property
    def value(self) -> RowText:
        """What a row gives."""
        assert self.call.argument is not None
        return text(self.call.argument)

    @property
    def base(self) -> str:
        """The type of that, without a length."""
        assert self.argument is not None
        return _without_length(self.argument.type)

    @property
    def present(self) -> RowText | None:
        """Whether a row counts, and gives a value."""
        if self.call.argument is None:
            return self.condition
        # Rows of values are counted whatever is in them; IS NOT NULL is true of those without any NULL.
        composite = self.argument is not None and self.argument.composite
        return self._where(text(self.value, " IS DISTINCT FROM NULL" if composite else " IS NOT NULL"))

    def _where(self, test: RowText) -> RowText:
        return text("(", self.condition, ") AND ", test) if self.condition else test

    def counted(self, value: RowText, otherwise: str) -> RowText:
        """A value of a row that counts, and another one of one that does not."""
        if self.condition is None:
            return value
        return text("CASE WHEN ", self.condition, " THEN ", value, f" ELSE {otherwise} END")

    def aggregate(self) -> tuple[RowText, RowText]:
        """What each row gives, or NULL, and the aggregate of that."""
        value = self.counted(self.value, "NULL")
        return value, text(f"{self.call.function}(", value, ")")

    def total(self, what: str, type_: str, value: RowText) -> Stored:
        """A part that sums up a value of each row that counts."""
        return self.parts.total(f"{self.hint}_{what}", type_, self.counted(value, "0"))

    def count(self, what: str, test: RowText) -> Stored:
        """A part that counts the rows for which something is true."""
        return self.parts.count(f"{self.hint}_{what}", self._where(test))

    def values(self) -> Stored:
        """A part that counts the values."""
        return self.parts.count(f"{self.hint}_values", self.present)

    def recomputed(self, type_: str, *, floating: bool) -> Stored:
        """A part that is computed anew for a key whenever a row of it changes."""
        value, aggregate = self.aggregate()
        return self.parts.add(Part(self.hint, "recomputed", type_, value, aggregate, floating=floating))

    def exact(self, type_: str, needed: RowText, *, floating: bool = False) -> Stored:
        """The same where parts that add up tell that it is needed."""
        value, aggregate = self.aggregate()
        hint = f"{self.hint}_exact"
        return self.parts.add(Part(hint, "recomputed", type_, value, aggregate, needed=needed, floating=floating))


def visible_aggregate(
    call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn | None, hint: str
) -> str:
    """Make the parts of one aggregate call and give the visible expression over ``s``.

    `condition` holds the rows that count beyond the feed's guard (FILTER and a subquery's own conditions).
    """
    asked, name = _Asked(call, condition, parts, argument, hint), call.function
    if name == "count":
        return str(parts.count(hint, asked.present))
    if name in ("min", "max"):
        return str(_extremum(asked))
    if name in ("bool_or", "bool_and", "every"):
        return _boolean(asked)
    if name == "sum":
        return _sum(asked)
    return _average(asked) if name == "avg" else _total(asked)


def _extremum(asked: _Asked) -> Stored:
    assert asked.argument is not None
    kind: PartKind = "highest" if asked.call.function == "max" else "lowest"
    type_ = _EXTREMES_OF.get(asked.base, asked.base) if asked.parts.dialect.types_are_fixed else ""
    value, aggregate = asked.aggregate()
    return asked.parts.add(Part(asked.hint, kind, type_, value, aggregate, collation=asked.argument.collation))


def _without_length(type_: str) -> str:
    """The type of an aggregate over values of a type: it has no length. ``character`` without one has 1, and is ``bpchar``."""
    base = re.sub(r"\(.*\)$", "", type_)
    return {"character": "bpchar", "bit": '"bit"'}.get(base, base)


def _boolean(asked: _Asked) -> str:
    wanted, other = ("true", "false") if asked.call.function == "bool_or" else ("false", "true")
    found = asked.count(wanted, text(asked.value, f" IS {wanted.upper()}"))
    return f"CASE WHEN {found} > 0 THEN {wanted} WHEN {asked.values()} > 0 THEN {other} END"


def _total(asked: _Asked) -> str:
    """TOTAL: a key without rows has nothing stored, and is 0.0 to readers; of infinities of both signs it is NULL."""
    value, total = asked.aggregate()
    some = text("CASE WHEN count(*) > 0 THEN ", total, " END")
    stored = asked.parts.add(Part(asked.hint, "recomputed", "", value, some, floating=True))
    return f"CASE WHEN {asked.values()} > 0 THEN {stored} ELSE 0.0 END"


def _sum(asked: _Asked) -> str:
    if not asked.parts.dialect.types_are_fixed:
        return _dynamic_sum(asked)
    if asked.base in _INTEGERS:
        total, present = _exact_sum(asked)
        return f"CASE WHEN {present} > 0 THEN {total} END"
    if asked.base == "numeric":
        return _numeric(asked, divide=False)
    return str(asked.recomputed(asked.base, floating=asked.base in _FLOATS))


def _average(asked: _Asked) -> str:
    if not asked.parts.dialect.types_are_fixed:
        return _dynamic_average(asked)
    if asked.base in _INTEGERS:
        total, present = _exact_sum(asked)
        return f"CASE WHEN {present} > 0 THEN {total}::numeric / {present}::numeric END"
    if asked.base == "numeric":
        return _numeric(asked, divide=True)
    type_ = "double precision" if asked.base == "real" else asked.base
    return str(asked.recomputed(type_, floating=asked.base in _FLOATS))


def _exact_sum(asked: _Asked) -> tuple[Stored, Stored]:
    """Sum and count of the values, where adding is exact by type."""
    type_ = _INTEGERS[asked.base]
    return asked.total("sum", type_, text("coalesce(", asked.value, f", 0)::{type_}")), asked.values()


def _numeric(asked: _Asked, *, divide: bool) -> str:
    """SUM or AVG of numeric: NaN and infinities are counted apart, and so are very many digits after the point."""
    assert asked.argument is not None
    strange = text(asked.value, " IN ('NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric)")
    # A declared scale is that of every value.
    varies = "(" not in asked.argument.type
    if varies:
        strange = text("(", strange, " OR scale(", asked.value, f") > {_SCALE_MAX})")
    plain = text("CASE WHEN ", strange, " THEN 0 ELSE coalesce(", asked.value, ", 0) END")
    total = str(asked.total("sum", "numeric", plain))
    if varies:
        total = f"round({total}, {_greatest_scale(asked, strange)})"
    present = asked.values()
    odd = asked.count("odd", strange)
    exact = asked.exact("numeric", text(odd, " > 0"))
    result = f"{total} / {present}::numeric" if divide else total
    return f"CASE WHEN {odd} > 0 THEN {exact} WHEN {present} > 0 THEN {result} END"


def _greatest_scale(asked: _Asked, strange: RowText) -> str:
    """How many digits after the point a sum of numeric has: as many as that of its values that has most.

    How many values there are of each scale is one number that adds up: the count of those with scale n takes twelve digits of it,
    12 n digits from its end. So the length of it tells the greatest scale.
    """
    power = text("('1e' || (", str(_COUNT_DIGITS), " * scale(", asked.value, "))::text)::numeric")
    scales = asked.total("scales", "numeric", text("CASE WHEN ", strange, " THEN 0 ELSE coalesce(", power, ", 0) END"))
    return f"(length({scales}::text) - 1) / {_COUNT_DIGITS}"


def _dynamic_sum(asked: _Asked) -> str:
    """SUM where a column may hold anything: what is no integer is counted apart."""
    total = asked.total(
        "sum", "", text("CASE WHEN typeof(", asked.value, ") = 'integer' THEN ", asked.value, " ELSE 0 END")
    )
    present = asked.values()
    odd = asked.count("odd", text("typeof(", asked.value, ") NOT IN ('integer', 'null')"))
    inexact = text("(", odd, " > 0 OR typeof(", total, ") <> 'integer')")
    exact = asked.exact("", inexact, floating=True)
    return f"CASE WHEN {inexact.at('s')} THEN {exact} WHEN {present} > 0 THEN {total} END"


def _dynamic_average(asked: _Asked) -> str:
    """AVG there: a quotient of doubles, exact while the absolute values sum to at most 2^53."""
    half = _EXACT_RANGE // 2
    plain = text("typeof(", asked.value, ") = 'integer' AND ", asked.value, f" BETWEEN -{half} AND {half}")
    total = asked.total("sum", "", text("CASE WHEN ", plain, " THEN ", asked.value, " ELSE 0 END"))
    sizes = asked.total("sizes", "", text("CASE WHEN ", plain, " THEN abs(", asked.value, ") ELSE 0 END"))
    present = asked.values()
    odd = asked.count("odd", text("(", asked.value, " IS NOT NULL AND NOT (", plain, "))"))
    inexact = text("(", odd, " > 0 OR ", sizes, f" > {_EXACT_RANGE})")
    exact = asked.exact("", inexact, floating=True)
    return f"CASE WHEN {inexact.at('s')} THEN {exact} WHEN {present} > 0 THEN CAST({total} AS REAL) / {present} END"
