"""The words that the two engines spell differently, so that a query is written once.

A query is a function from :class:`Words` to text; :func:`both` gives the text for each engine, as declarations take it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """One engine's spelling. Templates take their arguments by position; the others are whole words."""

    engine: str
    least: str
    greatest: str
    bytewise: str
    """What makes an ORDER BY of texts compare bytes."""
    now: str
    _hexadecimal: str
    _hour: str
    _month: str
    _week: str
    _later: str
    _earlier: str
    _days: str
    _contains: str
    _length: str
    _midnight: str
    _day_number: str

    def hexadecimal(self, number: str) -> str:
        """A whole number as lower-case hexadecimal digits without prefix."""
        return self._hexadecimal.format(number)

    def hour(self, time: str) -> str:
        """The beginning of the hour that a time is in."""
        return self._hour.format(time)

    def month(self, time: str) -> str:
        """The first day of the month that a time is in."""
        return self._month.format(time)

    def week(self, time: str) -> str:
        """The ISO year and week that a time is in, as six digits."""
        return self._week.format(time)

    def later(self, time: str, amount: str) -> str:
        """A time and so much more, as in ``3 minutes``."""
        return self._later.format(time, amount)

    def earlier(self, time: str, amount: str) -> str:
        """A time and so much less, as in ``7 days``."""
        return self._earlier.format(time, amount)

    def days(self, later: str, earlier: str) -> str:
        """Days from one time to another, with fractions."""
        return self._days.format(later, earlier)

    def contains(self, text: str, part: str) -> str:
        """Whether a text holds a literal part."""
        return self._contains.format(text, part)

    def length(self, document: str) -> str:
        """The number of elements of a JSON list, 0 for what is no list."""
        return self._length.format(document)

    def midnight(self, day: str) -> str:
        """The beginning of a day that is spelled ``YYYY-MM-DD``."""
        return self._midnight.format(day)

    def day_number(self, time: str) -> str:
        """The day that a time is in, as a number of eight digits."""
        return self._day_number.format(time)


SQLITE = Words(
    engine="sqlite",
    least="min",
    greatest="max",
    bytewise="COLLATE BINARY",
    now="datetime('now')",
    _hexadecimal="printf('%x', {0})",
    _hour="strftime('%Y-%m-%d %H:00:00', {0})",
    _month="date({0}, 'start of month')",
    _week=(
        "CAST(CAST(strftime('%Y', date({0}, '-3 days', 'weekday 4')) AS integer) * 100 "
        "+ (CAST(strftime('%j', date({0}, '-3 days', 'weekday 4')) AS integer) - 1) / 7 + 1 AS text)"
    ),
    _later="datetime({0}, '+{1}')",
    _earlier="datetime({0}, '-{1}')",
    _days="(julianday({0}) - julianday({1}))",
    _contains="instr({0}, '{1}') > 0",
    _length="CASE WHEN json_type({0}) = 'array' THEN json_array_length({0}) ELSE 0 END",
    _midnight="({0} || ' 00:00:00')",
    _day_number="CAST(strftime('%Y%m%d', {0}) AS integer)",
)
POSTGRES = Words(
    engine="postgresql",
    least="least",
    greatest="greatest",
    bytewise='COLLATE "C"',
    now="now()::timestamp",
    _hexadecimal="to_hex({0})",
    _hour="date_trunc('hour', {0})",
    _month="date_trunc('month', {0})::date",
    _week="CAST(CAST(extract(isoyear FROM {0}) * 100 + extract(week FROM {0}) AS integer) AS text)",
    _later="({0} + interval '{1}')",
    _earlier="({0} - interval '{1}')",
    _days="(extract(epoch FROM {0} - {1})::double precision / 86400)",
    _contains="strpos({0}, '{1}') > 0",
    _length="CASE WHEN jsonb_typeof({0}) = 'array' THEN jsonb_array_length({0}) ELSE 0 END",
    _midnight=(
        "make_timestamp(CAST(substr({0}, 1, 4) AS integer), CAST(substr({0}, 6, 2) AS integer), "
        "CAST(substr({0}, 9, 2) AS integer), 0, 0, 0)"
    ),
    _day_number=(
        "CAST(extract(year FROM {0}) * 10000 + extract(month FROM {0}) * 100 + extract(day FROM {0}) AS integer)"
    ),
)


def both(query: Callable[[Words], str]) -> Mapping[str, str]:
    """The query for each engine."""
    return {words.engine: query(words) for words in (SQLITE, POSTGRES)}
