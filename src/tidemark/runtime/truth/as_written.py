"""The query as it is written, evaluated by the database, beside what readers see.

Owns: `compare_as_written` and `tell_differences`. Promises: nothing of how rows are kept takes part, no state, no units and no
batches: only the declared query and the rows that readers see, or as they are as of now where changes wait, in one statement and
so in one moment. Changes nothing. A verification compares rows with what the same program computes; what is found here and not
there is a mistake of that program, which no repair mends.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tidemark.contract.script import Script
from tidemark.database.session import Conflict, Session, TooLong
from tidemark.dialect import Dialect
from tidemark.plain import hashable
from tidemark.runtime.duty import Duty
from tidemark.runtime.ticks.batch import Difference
from tidemark.runtime.truth.likeness import tell_difference
from tidemark.runtime.truth.verify import has_waiting

SHOWN_MAX = 1_000
TOLD_MAX = 3
RELATIVE = 1e-9
WRITTEN = 1e-12
"""The same of what is written with its digits, which may have been a number that is exact."""
_FIGURE = re.compile(r"(-?\d+(?:\.\d+(?:e[-+]?\d+)?|e[-+]?\d+))", re.IGNORECASE)
ROUNDS_MAX = 4
COPY = "tidemark_copy"


@dataclass(frozen=True)
class WrittenReport:
    """What the comparison of one derived table found: rows that `differ` (up to a thousand, values in the order of `columns`), or
    `why_not` compared, as a sentence. `key_columns` are those of `columns` that make the key, all of them where rows may look
    alike: then each copy of a row that is there too often or too seldom differs."""

    derived: str
    differ: tuple[Difference, ...]
    columns: tuple[str, ...]
    key_columns: tuple[str, ...]
    seconds: float
    why_not: str = ""

    @property
    def clean(self) -> bool:
        """Whether nothing that was compared differs."""
        return not self.differ


def compare_as_written(
    duty: Duty,
    script: Script,
    drain: Callable[[], object] | None = None,
    beneath: Sequence[Script] = (),
    *,
    to_be: Script | None = None,
    seconds_max: float | None = None,
) -> WrittenReport:
    """Evaluate the query and compare its rows with those of a table that is live, or `to_be`: with those that its view will show,
    which is not there yet. `drain` applies what waits, for it and for the supports `beneath` it. A statement that takes longer
    than `seconds_max` is given up."""
    began, query = duty.clock.now(), to_be or script
    why_not = _why_not(query, beneath)
    differ: tuple[Difference, ...] = ()
    if not why_not:
        shown = f"({query.offers[1].definition}) AS shown" if to_be is not None else script.public
        try:
            found = _look(duty, script, query, shown, beneath, drain, seconds_max)
            why_not = "changes kept coming while it was looked at" if found is None else ""
            differ = _pair(query, found or ())
        except _TooDear:
            why_not = f"the engine takes more than {seconds_max:g} s for it, or than it may"
    seconds = duty.clock.ms_since(began) / 1000
    return WrittenReport(query.name, differ, query.columns, _identity(query), seconds, why_not)


def tell_differences(report: WrittenReport, most: int = TOLD_MAX) -> str:
    """The first rows that differ, with their values, for a message."""
    told = [tell_difference(report.key_columns, report.columns, one) for one in report.differ[:most]]
    return "; ".join(told) + ("; …" if len(report.differ) > most else "")


def _why_not(script: Script, beneath: Sequence[Script]) -> str:
    """Why the query's rows need not be those that readers see, as a sentence; empty when they must be."""
    applier = script.applier
    if applier.carry is not None:
        return "it remembers what its sources have no more"
    if applier.compute is not None:
        return "its rows are computed by a function"
    if applier.sampled or applier.samples_rows:
        return "it may be behind its sampled inputs"
    if script.pruned:
        return "it counts rows that are gone"
    if any(one.due is not None for one in (script, *beneath)):
        return "it depends on the time, and was true as of its last tick"
    if script.supports or script.joins or not _is_view(script):
        return "its rows are shown as part of another table"
    return ""


def _is_a_bag(script: Script) -> bool:
    """Whether what identifies rows is not shown, so that several may look alike."""
    return not set(script.key) <= set(script.columns)


def _identity(script: Script) -> tuple[str, ...]:
    """The columns by which a row is known."""
    return script.columns if _is_a_bag(script) else script.key


def _is_view(script: Script) -> bool:
    return len(script.offers) > 1 and any(piece.public and piece.kind == "view" for piece in script.pieces)


def _look(
    duty: Duty,
    script: Script,
    query: Script,
    shown: str,
    beneath: Sequence[Script],
    drain: Callable[[], object] | None,
    seconds_max: float | None,
) -> list[tuple[Any, ...]] | None:
    """What is on one side alone; None where what waits could not be had out of the way. Raises `_TooDear`."""
    described = duty.read(lambda: duty.session.describe(query.truth)).value
    bare = frozenset(one.name for one in described if not one.comparable)
    # What waits for columns that are being added is in the books of the store that they are added to.
    live = f"({script.live}) AS live" if script.live and query is script else ""

    def work() -> list[tuple[Any, ...]] | None:
        if any(has_waiting(duty, one) for one in beneath):
            return None
        rows = live if has_waiting(duty, script) else shown
        if not rows:
            return None
        with _no_longer(duty.session, seconds_max):
            return duty.session.all(statement(duty.session.dialect, query, rows, bare))

    for _ in range(ROUNDS_MAX):
        if drain is not None:
            drain()
        found = duty.read(work).value
        if found is not None:
            return found
    return None


class _TooDear(Exception):
    """A statement took longer than it was given."""


@contextmanager
def _no_longer(session: Session, seconds: float | None) -> Iterator[None]:
    """Give a statement so many seconds. Raises `_TooDear` where it takes more: that is nothing to try again."""
    if seconds is None:
        yield
        return
    late = threading.Event()

    def end() -> None:
        late.set()
        session.cancel()

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Conflict as problem:
        if late.is_set() or isinstance(problem, TooLong):
            raise _TooDear from problem
        raise
    finally:
        timer.cancel()
        # Else it might end a statement that comes after.
        timer.join()


_SAID, _SEEN = '"tidemark said"', '"tidemark seen"'
"""No table that the user's own text may read is called so."""


def statement(dialect: Dialect, script: Script, rows: str, bare: frozenset[str] = frozenset()) -> str:
    """SELECT of the rows that only the query has (``said``) and of those that only readers see in `rows` (``seen``), in key
    order; columns that are `bare` of an equality are compared by their texts."""
    quoted, sign = [(dialect.quote(name), name in bare) for name in script.columns], dialect.language.sign_of_values
    shown = ((f"CAST({name} AS text)" if texts else f"{sign}{name}", name) for name, texts in quoted)
    columns = ", ".join(value if value == name else f"{value} AS {name}" for value, name in shown)
    places = ", ".join(str(2 + script.columns.index(name)) for name in _identity(script))
    order = f" ORDER BY {places}" if places else ""
    said = f"SELECT {columns} FROM ({script.truth}) AS q"
    seen = f"SELECT {columns} FROM {rows}"
    if _is_a_bag(script):
        # Rows that look alike are told apart by how many of them there are.
        alike = ", ".join(name for name, _ in quoted)
        said, seen = (
            f"SELECT b.*, row_number() OVER (PARTITION BY {alike}) AS {COPY} FROM ({one}) AS b" for one in (said, seen)
        )
    return (
        f"WITH {_SAID} AS ({said}), {_SEEN} AS ({seen}) "
        f"SELECT 'said', s.* FROM (SELECT * FROM {_SAID} EXCEPT SELECT * FROM {_SEEN}) AS s UNION ALL "
        f"SELECT 'seen', s.* FROM (SELECT * FROM {_SEEN} EXCEPT SELECT * FROM {_SAID}) AS s{order} LIMIT {2 * SHOWN_MAX}"
    )


def _pair(script: Script, found: Sequence[tuple[Any, ...]]) -> tuple[Difference, ...]:
    if _is_a_bag(script):
        return _without_close(script, found)
    places = [script.columns.index(name) for name in script.key]
    sides: dict[Any, dict[str, tuple[Any, ...]]] = {}
    for side, *row in found:
        sides.setdefault(hashable([row[place] for place in places]), {})[str(side)] = tuple(row)
    differ = []
    for both in sides.values():
        seen, said = both.get("seen"), both.get("said")
        key = tuple((seen or said or ())[place] for place in places)
        if seen is None or said is None:
            differ.append(Difference("missing" if seen is None else "extra", key, seen, said))
        elif not all(map(_is_close, seen, said)):
            differ.append(Difference("different", key, seen, said))
    return tuple(differ[:SHOWN_MAX])


def _without_close(script: Script, found: Sequence[tuple[Any, ...]]) -> tuple[Difference, ...]:
    """What differs of rows that nothing shown identifies: a row of one side is that of the other which it comes close to."""
    width = len(script.columns)
    rows = {side: [tuple(row[1 : 1 + width]) for row in found if row[0] == side] for side in ("said", "seen")}
    extra = []
    for seen in rows["seen"]:
        close = next((said for said in rows["said"] if all(map(_is_close, seen, said))), None)
        if close is None:
            extra.append(Difference("extra", seen, seen, None))
        else:
            rows["said"].remove(close)
    missing = [Difference("missing", said, None, said) for said in rows["said"]]
    return tuple([*missing, *extra][:SHOWN_MAX])


def _is_close(seen: Any, said: Any) -> bool:
    """Whether two values are equal, or differ by what the order of addition explains of floating point: as it is, or in a text, a
    document or a list that was made of it."""
    # NaN is no number's equal in Python, and is its own in both engines.
    if seen == said or (seen != seen and said != said):
        return True
    if isinstance(seen, float) and isinstance(said, float):
        return math.isclose(seen, said, rel_tol=RELATIVE, abs_tol=RELATIVE)
    if isinstance(seen, Decimal) and isinstance(said, Decimal):
        return _is_near(str(seen), str(said))
    if isinstance(seen, str) and isinstance(said, str):
        mine, true = _FIGURE.split(seen), _FIGURE.split(said)
        return len(mine) == len(true) and all(map(_is_near, mine, true))
    if isinstance(seen, dict) and isinstance(said, dict):
        return seen.keys() == said.keys() and all(_is_close(one, said[name]) for name, one in seen.items())
    if isinstance(seen, list) and isinstance(said, list):
        return len(seen) == len(said) and all(map(_is_close, seen, said))
    return False


def _is_near(seen: str, said: str) -> bool:
    """Whether two texts are the same, or figures with a fraction that are: a whole number was added up exactly."""
    if seen == said or not (_FIGURE.fullmatch(seen) and _FIGURE.fullmatch(said)):
        return seen == said
    return math.isclose(float(seen), float(said), rel_tol=WRITTEN, abs_tol=WRITTEN)
