"""From ``:name`` parameters to those of the PostgreSQL driver.

Owns: `to_driver`, `to_numbered`, `number`, `in_full`. Promises: strings, quoted names, dollar quotes, comments, casts (``::``)
and array slices are left alone; a percent sign stays a percent sign.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from tidemark.dialect import POSTGRESQL

# What follows the first alternative that matches is one piece: whatever holds no parameter is skipped whole.
_PIECE = re.compile(
    r"""(?P<escape>(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*'?)
      | (?P<string>'(?:[^']|'')*'?)
      | (?P<quoted>"(?:[^"]|"")*"?)
      | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?(?:\$(?P=tag)\$|\Z))
      | (?P<line>--[^\n]*)
      | (?P<block>/\*)
      | (?P<cast>::|:=)
      | (?<![\w:]):(?P<name>[^\W\d]\w*)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def _end_of_comment(sql: str, start: int) -> int:
    """Where the block comment that opens at `start` ends; they nest."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(sql, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(sql)


def _rewrite(sql: str, names: frozenset[str], parameter: Callable[[str], str], plain: Callable[[str], str]) -> str:
    pieces: list[str] = []
    copied = place = 0
    while (match := _PIECE.search(sql, place)) is not None:
        place = _end_of_comment(sql, match.start()) if match.lastgroup == "block" else match.end()
        # A name that is no parameter is the upper end of an array slice.
        if match["name"] is not None and match["name"] in names:
            pieces += (plain(sql[copied : match.start()]), parameter(match["name"]))
            copied = match.end()
    pieces.append(plain(sql[copied:]))
    return "".join(pieces)


@lru_cache(maxsize=1024)
def to_driver(sql: str, names: frozenset[str]) -> str:
    """`sql` with ``%(name)s`` for each of these parameters, and every other percent sign doubled."""
    return _rewrite(sql, names, lambda name: f"%({name})s", lambda text: text.replace("%", "%%"))


def to_numbered(sql: str) -> tuple[str, int]:
    """`sql` with ``$1``, ``$2`` … for every parameter, and how many there are."""
    text, names = number(sql, frozenset(parameter_names(sql)))
    return text, len(names)


@lru_cache(maxsize=4096)
def number(sql: str, names: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """`sql` with ``$1``, ``$2`` … for those of these parameters that it has, and their names in that order."""
    numbers: dict[str, int] = {}
    text = _rewrite(sql, names, lambda name: f"${numbers.setdefault(name, len(numbers) + 1)}", str)
    return text, tuple(numbers)


def in_full(sql: str, parameters: Mapping[str, int | str | None]) -> str:
    """`sql` with the values of these parameters in their places, as literals."""
    text, *others = _parts(sql, frozenset(parameters))
    return text + "".join(f"{literal(parameters[name])}{rest}" for name, rest in zip(*[iter(others)] * 2, strict=True))


@lru_cache(maxsize=1024)
def _parts(sql: str, names: frozenset[str]) -> tuple[str, ...]:
    """Text, name, text, name … text; no text has the character that is put between them."""
    return tuple(_rewrite(sql, names, lambda name: f"\0{name}\0", str).split("\0"))


def literal(value: int | float | str | None) -> str:
    """A value as it stands in a text."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return POSTGRESQL.literal(value)
    return f"'{value!r}'::double precision" if isinstance(value, float) else f"({value:d})"


def parameter_names(sql: str) -> Iterable[str]:
    """Every name that stands as a parameter, in order of first appearance."""
    found: dict[str, None] = {}
    place = 0
    while (match := _PIECE.search(sql, place)) is not None:
        place = _end_of_comment(sql, match.start()) if match.lastgroup == "block" else match.end()
        if match["name"] is not None:
            found[match["name"]] = None
    return found
