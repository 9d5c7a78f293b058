"""Crossings: the SELECT of events that triggers on the stored rows write when a visible value reaches a threshold.

Owns: `crossing_select`, the same on both engines but for how a row becomes JSON. Promises: an event is about what readers see,
before and after: a row that was not visible had no value; for each threshold between the two values there is exactly one
event, however far one change went; what repairs and fillings change gives none unless that was asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyPart
from tidemark.model import Crossing, Declaration, OutputColumn
from tidemark.names import ledger
from tidemark.render.store import Store

COLUMNS = "derived, column_name, threshold, key, old_row, new_row, once, position, time"
"""What a trigger says of any event; the outbox adds the rest."""

NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")

COMPARED_MAX = 100
"""Thresholds that are compared one by one before anything else is done; with more of them, the lowest and the highest are."""

AsJson = Callable[[str, str], str]
"""The text of a column (its row, its quoted name) as JSON."""


@dataclass(frozen=True)
class Known:
    """By what the key of the row ``n`` is known again among the events ``e``: its `text`, and where equal keys may be spelled
    otherwise, `alike`, which equal keys have in common (empty elsewhere). `equal` holds where the key of an event with that in
    common is the row's; empty where nothing else has it."""

    text: str
    alike: str = ""
    equal: str = ""

    def columns(self, crossing: Crossing) -> str:
        """What a trigger says of an event."""
        return f"{COLUMNS}, alike" if self.alike and not crossing.again else COLUMNS


@dataclass(frozen=True)
class Shown:
    """What readers see of a stored row ``s``: (name, SQL) of every column, the key, and when the row is there."""

    store: Store
    key: tuple[KeyPart, ...]
    visible: tuple[tuple[str, str], ...]
    present: str

    def row(self, source: str) -> str:
        """What they see of the row that a trigger calls `source`."""
        stored = ", ".join(f"{source}.{column} AS {column}" for column in self.store.columns) or "1 AS tidemark_none"
        shown = ", ".join(f"{sql} AS {self.store.dialect.quote(name)}" for name, sql in self.visible)
        return f"SELECT {shown}, 1 AS tidemark_seen FROM (SELECT {stored}) AS s WHERE {self.present}"

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names of the key."""
        return tuple(part.name for part in self.key)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of every column."""
        return tuple(name for name, _ in self.visible)


def check_crossings(declaration: Declaration, outputs: Sequence[OutputColumn], dialect: Dialect) -> None:
    """Raises `Refusal` (``declaration``) for thresholds of a column that is not in the result or holds no numbers."""
    types = {column.name: column.type for column in outputs}
    for crossing in declaration.crossings:
        if crossing.column not in types:
            raise Refusal(
                Code.DECLARATION,
                f"on_crossing names {crossing.column}, which is not in the result.",
                instead=f"one of: {', '.join(types)}",
            )
        if dialect.types_are_fixed and not types[crossing.column].startswith(NUMBERS):
            raise Refusal(
                Code.DECLARATION,
                f"on_crossing of {crossing.column}, which is {types[crossing.column]} and reaches no number.",
                instead="a column of numbers",
            )


def crossing_select(
    shown: Shown, crossing: Crossing, known: Known, as_json: AsJson, numeric: str, *, changed: bool, rows: str = ""
) -> str:
    """The events of one stored row that came (NEW), or changed from OLD to NEW; or of many, a FROM item `rows` with ``n``, what
    readers see of each, and ``o``, what they saw, in the order of ``n.tidemark_place``. `numeric` is a condition on ``{}``, a
    value."""
    dialect = shown.store.dialect
    column = dialect.quote(crossing.column)
    derived, name = dialect.literal(shown.store.names.derived), dialect.literal(crossing.column)
    whole = json_object("o", shown.names, as_json, dialect)
    old = f"CASE WHEN o.tidemark_seen = 1 THEN {whole} END" if changed else "NULL"
    new = json_object("n", shown.names, as_json, dialect)
    position, time = _moment(dialect, crossing)
    values = [derived, name, "t.threshold", known.text, old, new, "0" if crossing.again else "1", position, time]
    conditions = [numeric.format(f"n.{column}"), f"n.{column} >= t.threshold"]
    conditions += [f"(o.{column} IS NULL OR o.{column} < t.threshold)"] if changed else []
    if not crossing.from_repair:
        conditions.append(f"NOT EXISTS (SELECT 1 FROM {ledger(dialect, 'silence')})")
    if not crossing.again:
        # An event is looked up for each row: as a join, all that there are would be read.
        alone = " OFFSET 0" if rows else ""
        told = (
            f"NOT EXISTS (SELECT 1 FROM {ledger(dialect, 'outbox')} AS e WHERE e.derived = {derived} "
            f"AND e.column_name = {name} AND e.threshold = t.threshold"
        )
        conditions.append(f"{told} AND e.key = {known.text} AND e.once = 1{alone})")
        if known.alike:
            values.append(known.alike)
            equal = f" AND {known.equal}" if known.equal else ""
            conditions.append(f"{told} AND e.alike = {known.alike}{equal}{alone})")
    thresholds = " UNION ALL ".join(f"SELECT {at!r} AS threshold" for at in crossing.at)
    before = f" LEFT JOIN ({shown.row('OLD')}) AS o ON 1 = 1" if changed else ""
    order = "\n  ORDER BY n.tidemark_place, t.threshold" if rows else ""
    seen = rows or f"({shown.row('NEW')}) AS n{before}"
    return (
        f"SELECT {', '.join(values)}\n  FROM ({thresholds}) AS t CROSS JOIN {seen}\n"
        f"  WHERE {' AND '.join(conditions)}{order}"
    )


def reached(shown: Shown, crossing: Crossing, *, changed: bool) -> str:
    """Whether the row that a trigger sees reaches a threshold: true at least whenever `crossing_select` has an event, and nearly
    never else, at a small part of its cost."""
    column = shown.store.dialect.quote(crossing.column)

    def step(low: float, high: float) -> str:
        below = f" AND (o.{column} IS NULL OR o.{column} < {high!r})" if changed else ""
        return f"(n.{column} >= {low!r}{below})"

    few = len(crossing.at) <= COMPARED_MAX
    steps = [step(at, at) for at in crossing.at] if few else [step(min(crossing.at), max(crossing.at))]
    before = f" LEFT JOIN ({shown.row('OLD')}) AS o ON 1 = 1" if changed else ""
    return f"EXISTS (SELECT 1 FROM ({shown.row('NEW')}) AS n{before} WHERE {' OR '.join(steps)})"


def json_object(row: str, names: Sequence[str], as_json: AsJson, dialect: Dialect) -> str:
    """Columns of a row as a JSON object, put together as text: functions take only so many arguments."""
    parts = [
        f"{dialect.literal(json.dumps(name, ensure_ascii=False) + ':')} || {as_json(row, dialect.quote(name))}"
        for name in names
    ]
    inner = " || ',' || ".join(parts)
    return f"'{{' || {inner} || '}}'" if parts else "'{}'"


def _moment(dialect: Dialect, crossing: Crossing) -> tuple[str, str]:
    """Position and time of the block that a stream is taking."""
    if not crossing.stream:
        return "NULL", "NULL"
    where = f"FROM {ledger(dialect, 'stream')} WHERE name = {dialect.literal(crossing.stream)}"
    return f"(SELECT at_position {where})", f"(SELECT at_time {where})"
