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
from collections.abc import Callable
from dataclasses import dataclass

from tidemark.dialect import Dialect
from tidemark.maintenance.program import Part, PartKind, RowText, Stored, text
from tidemark.model import OutputColumn
from tidemark.query.relation import Aggregate

_EXACT_RANGE = 2**53
_INTEGERS = {"smallint": "bigint", "integer": "bigint", "bigint": "numeric"}
_FLOATS = ("real", "double precision")
# Of sums of numeric: beyond how many digits after the point a value is odd, and the digits of a count of values of one scale.
_SCALE_MAX = 100
_COUNT_DIGITS = 12


@dataclass
class Parts:
    """Collects the parts of one feed; asking twice for the same part gives the same column.

    `taken` are names in lower case that are in use already. `spell` tells texts apart: those over one scan are the same whatever
    its alias, and over a join the same column name under two aliases is two columns.
    """

    dialect: Dialect
    taken: set[str]
    made: dict[tuple[str, str, str, str], Part]
    spell: Callable[[RowText], str] = lambda one: one.at("r")

    def add(
        self,
        hint: str,
        kind: PartKind,
        type_: str,
        value: RowText,
        aggregate: RowText,
        *,
        collation: str | None = None,
        needed: RowText | None = None,
        floating: bool = False,
        unit: bool = False,
        comparable: bool = True,
    ) -> Stored:
        """The stored column of that part, making it if it is new."""
        signature = (kind, self.spell(value), self.spell(aggregate), needed.at("s") if needed else "")
        part = self.made.get(signature)
        if part is None:
            name, number = f"_{hint}", 2
            while name.lower() in self.taken:
                name, number = f"_{hint}_{number}", number + 1
            self.taken.add(name.lower())
            part = Part(name, kind, type_, value, aggregate, collation, needed, floating, unit, comparable)
            self.made[signature] = part
        return Stored(self.dialect.quote(part.name))

    def copy(self, hint: str, described: OutputColumn, value: RowText) -> Stored:
        """The stored column of a value that one row gives."""
        collation, comparable = described.collation, described.comparable
        return self.add(hint, "copied", described.type, value, value, collation=collation, comparable=comparable)

    def count(self, hint: str, condition: RowText | None) -> Stored:
        """An additive part that counts the rows for which `condition` is true."""
        value = text("CASE WHEN ", condition, " THEN 1 ELSE 0 END") if condition else text("1")
        kind = self.dialect.big_integer
        return self.add(hint, "additive", kind, value, summed(value, kind, self.dialect), unit=True)


def summed(value: RowText, type_: str, dialect: Dialect) -> RowText:
    """The aggregate of an additive part over the rows named ``r``."""
    return text("coalesce(sum(", value, f"), 0){dialect.cast(type_)}")


def visible_aggregate(
    call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn | None, hint: str
) -> str:
    """Make the parts of one aggregate call and give the visible expression over ``s``.

    `condition` holds the rows that count beyond the feed's guard (FILTER and a subquery's own conditions).
    """
    name = call.function
    if name == "count":
        return str(parts.count(hint, _present(call, condition, argument)))
    if name in ("min", "max"):
        return str(_extremum(call, condition, parts, argument, hint))
    if name in ("bool_or", "bool_and", "every"):
        return _boolean(call, condition, parts, hint)
    if name == "sum":
        return _sum(call, condition, parts, argument, hint)
    if name == "avg":
        return _average(call, condition, parts, argument, hint)
    # TOTAL: a key without rows has nothing stored, and is 0.0 to readers; of infinities of both signs it is NULL.
    total = _recomputed(call, condition, parts, None, hint, floating=True)
    return f"CASE WHEN {parts.count(f'{hint}_values', _present(call, condition))} > 0 THEN {total} ELSE 0.0 END"


def _present(call: Aggregate, condition: RowText | None, argument: OutputColumn | None = None) -> RowText | None:
    if call.argument is None:
        return condition
    # Rows of values are counted whatever is in them; IS NOT NULL is true of those without any NULL.
    composite = argument is not None and argument.composite
    present = text(call.argument, " IS DISTINCT FROM NULL" if composite else " IS NOT NULL")
    return text("(", condition, ") AND ", present) if condition else present


def _when(condition: RowText | None, value: RowText, otherwise: str) -> RowText:
    if condition is None:
        return value
    return text("CASE WHEN ", condition, " THEN ", value, f" ELSE {otherwise} END")


def _extremum(
    call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn | None, hint: str
) -> Stored:
    assert call.argument is not None and argument is not None
    value = _when(condition, text(call.argument), "NULL")
    kind: PartKind = "highest" if call.function == "max" else "lowest"
    type_ = _without_length(argument.type) if parts.dialect.types_are_fixed else ""
    type_ = _EXTREMES_OF.get(type_, type_)
    aggregate = text(f"{call.function}(", value, ")")
    return parts.add(hint, kind, type_, value, aggregate, collation=argument.collation)


# PostgreSQL has no max and min of these types, and takes their values for such of another one.
_EXTREMES_OF = {'"char"': "text", "name": "text", "cidr": "inet"}


def _without_length(type_: str) -> str:
    """The type of an aggregate over values of a type: it has no length. ``character`` without one has 1, and is ``bpchar``."""
    base = re.sub(r"\(.*\)$", "", type_)
    return {"character": "bpchar", "bit": '"bit"'}.get(base, base)


def _boolean(call: Aggregate, condition: RowText | None, parts: Parts, hint: str) -> str:
    assert call.argument is not None
    wanted, other = ("true", "false") if call.function == "bool_or" else ("false", "true")
    decisive = text(call.argument, f" IS {wanted.upper()}")
    found = parts.count(f"{hint}_{wanted}", text("(", condition, ") AND ", decisive) if condition else decisive)
    present = parts.count(f"{hint}_values", _present(call, condition))
    return f"CASE WHEN {found} > 0 THEN {wanted} WHEN {present} > 0 THEN {other} END"


def _sum(call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn | None, hint: str) -> str:
    assert call.argument is not None and argument is not None
    if parts.dialect.types_are_fixed:
        base = _without_length(argument.type)
        if base in _INTEGERS:
            total, present = _exact_sum(call, condition, parts, _INTEGERS[base], hint)
            return f"CASE WHEN {present} > 0 THEN {total} END"
        if base == "numeric":
            return _numeric(call, condition, parts, argument, hint, divide=False)
        return str(_recomputed(call, condition, parts, argument, hint, floating=base in _FLOATS))
    total, present, odd, exact = _dynamic_sum(call, condition, parts, hint)
    return f"CASE WHEN {odd} THEN {exact} WHEN {present} > 0 THEN {total} END"


def _average(call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn | None, hint: str) -> str:
    assert call.argument is not None and argument is not None
    if parts.dialect.types_are_fixed:
        base = _without_length(argument.type)
        if base in _INTEGERS:
            total, present = _exact_sum(call, condition, parts, _INTEGERS[base], hint)
            return f"CASE WHEN {present} > 0 THEN {total}::numeric / {present}::numeric END"
        if base == "numeric":
            return _numeric(call, condition, parts, argument, hint, divide=True)
        return str(_recomputed(call, condition, parts, argument, hint, floating=base in _FLOATS))
    return _dynamic_average(call, condition, parts, hint)


def _exact_sum(
    call: Aggregate, condition: RowText | None, parts: Parts, type_: str, hint: str
) -> tuple[Stored, Stored]:
    """Sum and count of the values, where adding is exact by type."""
    assert call.argument is not None
    value = _when(condition, text("coalesce(", call.argument, f", 0)::{type_}"), "0")
    total = parts.add(f"{hint}_sum", "additive", type_, value, summed(value, type_, parts.dialect))
    return total, parts.count(f"{hint}_values", _present(call, condition))


def _numeric(
    call: Aggregate, condition: RowText | None, parts: Parts, argument: OutputColumn, hint: str, *, divide: bool
) -> str:
    """SUM or AVG of numeric: NaN and infinities are counted apart, and so are very many digits after the point."""
    assert call.argument is not None
    strange = text(call.argument, " IN ('NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric)")
    # A declared scale is that of every value.
    varies = "(" not in argument.type
    if varies:
        strange = text("(", strange, " OR scale(", call.argument, f") > {_SCALE_MAX})")
    value = text("CASE WHEN ", strange, " THEN 0 ELSE coalesce(", call.argument, ", 0) END")
    value = _when(condition, value, "0")
    total = str(parts.add(f"{hint}_sum", "additive", "numeric", value, summed(value, "numeric", parts.dialect)))
    if varies:
        total = f"round({total}, {_greatest_scale(call, condition, parts, strange, hint)})"
    present = parts.count(f"{hint}_values", _present(call, condition))
    odd = parts.count(f"{hint}_odd", text("(", condition, ") AND ", strange) if condition else strange)
    exact = _recomputed(call, condition, parts, None, f"{hint}_exact", needed=text(odd, " > 0"), type_="numeric")
    result = f"{total} / {present}::numeric" if divide else total
    return f"CASE WHEN {odd} > 0 THEN {exact} WHEN {present} > 0 THEN {result} END"


def _greatest_scale(call: Aggregate, condition: RowText | None, parts: Parts, strange: RowText, hint: str) -> str:
    """How many digits after the point a sum of numeric has: as many as that of its values that has most.

    How many values there are of each scale is one number that adds up: the count of those with scale n takes twelve digits of it,
    12 n digits from its end. So the length of it tells the greatest scale.
    """
    assert call.argument is not None
    power = text("('1e' || (", str(_COUNT_DIGITS), " * scale(", call.argument, "))::text)::numeric")
    value = _when(condition, text("CASE WHEN ", strange, " THEN 0 ELSE coalesce(", power, ", 0) END"), "0")
    scales = parts.add(f"{hint}_scales", "additive", "numeric", value, summed(value, "numeric", parts.dialect))
    return f"(length({scales}::text) - 1) / {_COUNT_DIGITS}"


def _recomputed(
    call: Aggregate,
    condition: RowText | None,
    parts: Parts,
    argument: OutputColumn | None,
    hint: str,
    *,
    floating: bool = False,
    needed: RowText | None = None,
    type_: str | None = None,
) -> Stored:
    """A part that is computed anew for a key whenever a row of it changes."""
    assert call.argument is not None
    value = _when(condition, text(call.argument), "NULL")
    if type_ is None:
        base = _without_length(argument.type) if argument is not None else ""
        type_ = {"real": "double precision" if call.function == "avg" else "real"}.get(base, base)
    aggregate = text(f"{call.function}(", value, ")")
    if call.function == "total":
        aggregate = text("CASE WHEN count(*) > 0 THEN ", aggregate, " END")
    return parts.add(hint, "recomputed", type_, value, aggregate, needed=needed, floating=floating)


def _dynamic_sum(
    call: Aggregate, condition: RowText | None, parts: Parts, hint: str
) -> tuple[Stored, Stored, str, Stored]:
    """SUM on SQLite: (integer sum, count of values, condition under which it is not exact, exact value)."""
    assert call.argument is not None
    value = text("CASE WHEN typeof(", call.argument, ") = 'integer' THEN ", call.argument, " ELSE 0 END")
    value = _when(condition, value, "0")
    total = parts.add(f"{hint}_sum", "additive", "", value, summed(value, "", parts.dialect))
    present = parts.count(f"{hint}_values", _present(call, condition))
    strange = text("typeof(", call.argument, ") NOT IN ('integer', 'null')")
    odd = parts.count(f"{hint}_odd", text("(", condition, ") AND ", strange) if condition else strange)
    inexact = text("(", odd, " > 0 OR typeof(", total, ") <> 'integer')")
    exact = _recomputed(call, condition, parts, None, f"{hint}_exact", needed=inexact, type_="", floating=True)
    return total, present, inexact.at("s"), exact


def _dynamic_average(call: Aggregate, condition: RowText | None, parts: Parts, hint: str) -> str:
    assert call.argument is not None
    half = _EXACT_RANGE // 2
    plain = text("typeof(", call.argument, ") = 'integer' AND ", call.argument, f" BETWEEN -{half} AND {half}")
    value = _when(condition, text("CASE WHEN ", plain, " THEN ", call.argument, " ELSE 0 END"), "0")
    size = _when(condition, text("CASE WHEN ", plain, " THEN abs(", call.argument, ") ELSE 0 END"), "0")
    total = parts.add(f"{hint}_sum", "additive", "", value, summed(value, "", parts.dialect))
    sizes = parts.add(f"{hint}_sizes", "additive", "", size, summed(size, "", parts.dialect))
    present = parts.count(f"{hint}_values", _present(call, condition))
    strange = text("(", call.argument, " IS NOT NULL AND NOT (", plain, "))")
    odd = parts.count(f"{hint}_odd", text("(", condition, ") AND ", strange) if condition else strange)
    inexact = text("(", odd, " > 0 OR ", sizes, f" > {_EXACT_RANGE})")
    exact = _recomputed(call, condition, parts, None, f"{hint}_exact", needed=inexact, type_="", floating=True)
    return f"CASE WHEN {inexact.at('s')} THEN {exact} WHEN {present} > 0 THEN CAST({total} AS REAL) / {present} END"
