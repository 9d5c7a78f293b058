"""Reading SQL text as SQLite stores it in its schema.

Owns: a tokenizer that never fails, splitting a script into statements, and the few facts that no PRAGMA tells:
expressions of generated columns, collations, defaults written as bare words, terms and predicates of indexes.
Promises: the text of a tolerated statement is cut at tokens, never inside a string, a name or a comment.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from tidemark.dialect import literal, quote

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<string>'(?:[^']|'')*'?)
      | (?P<quoted>"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?)
      | (?P<number>\.?\d[\w.]*)
      | (?P<word>[^\W\d][\w$]*|\$[\w$]+)
      | (?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_TABLE_CONSTRAINTS = frozenset({"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"})
_CONSTANT_WORDS = frozenset({"NULL", "TRUE", "FALSE", "CURRENT_TIME", "CURRENT_DATE", "CURRENT_TIMESTAMP"})


class Token(NamedTuple):
    """One token: `kind` is ``string``, ``quoted``, ``number``, ``word`` or ``sign``; `start` and `end` are offsets."""

    kind: str
    text: str
    start: int
    end: int

    def says(self, *words: str) -> bool:
        """True when this is one of these keywords or signs, not a quoted name."""
        return self.kind in ("word", "sign") and self.text.upper() in words

    @property
    def name(self) -> str:
        """The identifier that this token writes, without its quotes."""
        if self.kind == "word":
            return self.text
        if self.text.startswith("["):
            return self.text[1:-1]
        quote = self.text[:1]
        return self.text[1:-1].replace(quote * 2, quote)


@dataclass(frozen=True)
class ColumnText:
    """What the text of CREATE TABLE says of a column: the expression that generates it, and its collation."""

    generated: str | None = None
    collation: str | None = None


@dataclass(frozen=True)
class IndexText:
    """What the text of CREATE INDEX says: each term without its direction, and the predicate."""

    terms: tuple[str, ...] = ()
    where: str | None = None


def tokens(sql: str) -> Iterator[Token]:
    """Every token of `sql` but spaces and comments."""
    for match in _TOKEN.finditer(sql):
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "sign", match.group(), match.start(), match.end())


def first_word(sql: str) -> str:
    """The first keyword of a statement, in capitals; empty when there is none."""
    first = next(tokens(sql), None)
    return first.text.upper() if first is not None and first.kind == "word" else ""


@lru_cache(maxsize=1024)
def verb(sql: str) -> str:
    """What a statement does, in capitals: its first keyword, or the one after its common table expressions."""
    word = first_word(sql)
    if word != "WITH":
        return word
    depth = 0
    for token in tokens(sql):
        depth += token.says("(") - token.says(")")
        if depth == 0 and token.says("SELECT", "VALUES", "INSERT", "UPDATE", "DELETE", "REPLACE"):
            return token.text.upper()
    return word


@lru_cache(maxsize=1024)
def statements(sql: str) -> tuple[str, ...]:
    """The statements of a script, in order; the semicolons inside a trigger do not end one."""
    return tuple(_split(sql))


def _split(sql: str) -> Iterator[str]:
    # SQLite itself knows which of them stand in a text, a comment or a trigger.
    start = end = 0
    while (end := sql.find(";", end) + 1) > 0:
        if sqlite3.complete_statement(sql[start:end]):
            if _says_something(sql[start:end]):
                yield sql[start:end]
            start = end
    if _says_something(sql[start:]):
        yield sql[start:]


def _says_something(sql: str) -> bool:
    first = next(tokens(sql), None)
    return first is not None and not first.says(";")


def _inside(found: Sequence[Token], opening: int) -> int:
    """The place of the bracket that closes the one at `opening`, or the end."""
    depth = 0
    for place in range(opening, len(found)):
        if found[place].says("("):
            depth += 1
        elif found[place].says(")"):
            depth -= 1
            if depth == 0:
                return place
    return len(found)


def _items(found: Sequence[Token], opening: int) -> Iterator[list[Token]]:
    """The tokens between commas of the bracketed list that begins at `opening`."""
    item: list[Token] = []
    depth = 0
    for token in found[opening + 1 : _inside(found, opening)]:
        depth += token.says("(") - token.says(")")
        if token.says(",") and depth == 0:
            yield item
            item = []
        else:
            item.append(token)
    if item:
        yield item


def _read_column(sql: str, item: Sequence[Token]) -> ColumnText:
    generated = collation = None
    place = 1
    while place < len(item):
        token = item[place]
        following = item[place + 1] if place + 1 < len(item) else None
        if token.says("("):
            place = _inside(item, place)
        elif token.says("COLLATE") and following is not None:
            collation = following.name
        elif token.says("AS") and following is not None and following.says("("):
            closing = _inside(item, place + 1)
            # Up to the last token: a comment at the end would swallow what is written after it.
            generated = sql[following.end : item[closing - 1].end].strip()
            place = closing
        place += 1
    return ColumnText(generated, known_collation(collation))


@lru_cache(maxsize=4096)
def read_columns(sql: str) -> tuple[ColumnText, ...]:
    """What the text of a CREATE TABLE says of its columns, in order; empty when the text is of another kind."""
    found = list(tokens(sql))
    opening = next((place for place, token in enumerate(found) if token.says("(")), None)
    if opening is None:
        return ()
    columns: list[ColumnText] = []
    for item in _items(found, opening):
        if not item or item[0].says(*_TABLE_CONSTRAINTS):
            break
        columns.append(_read_column(sql, item))
    return tuple(columns)


def read_types(sql: str) -> list[tuple[str, str]]:
    """Name and type of every column in a CREATE TABLE that SQLite wrote itself."""
    found = list(tokens(sql))
    opening = next(place for place, token in enumerate(found) if token.says("("))
    items = [item for item in _items(found, opening) if item]
    return [(item[0].name, sql[item[0].end : item[-1].end].strip()) for item in items]


@lru_cache(maxsize=4096)
def read_index(sql: str) -> IndexText:
    """What the text of a CREATE INDEX says."""
    found = list(tokens(sql))
    opening = next((place for place, token in enumerate(found) if token.says("(")), None)
    if opening is None:
        return IndexText()
    terms = []
    for item in _items(found, opening):
        kept = item[:-1] if len(item) > 1 and item[-1].says("ASC", "DESC") else item
        if kept:
            terms.append(sql[kept[0].start : kept[-1].end])
    closing = _inside(found, opening)
    if closing + 1 < len(found) and found[closing + 1].says("WHERE"):
        while found[-1].says(";"):
            found.pop()
        return IndexText(tuple(terms), sql[found[closing + 1].end : found[-1].end].strip())
    return IndexText(tuple(terms))


def read_view(sql: str) -> str | None:
    """The query of a CREATE VIEW, its columns named as the view's list names them; None for a text of another kind."""
    found = list(tokens(sql))
    while found and found[-1].says(";"):
        found.pop()
    as_ = next((place for place, token in enumerate(found) if token.says("AS")), None)
    if as_ is None or as_ + 1 >= len(found) or not found[0].says("CREATE"):
        return None
    query = sql[found[as_ + 1].start : found[-1].end]
    if not found[as_ - 1].says(")"):
        return query
    opening = max(place for place, token in enumerate(found[:as_]) if token.says("("))
    columns = ", ".join(quote(item[0].name) for item in _items(found, opening) if item)
    # SQLite has no column names after an alias; a common table expression has, in every dialect.
    return f"WITH tidemark_view({columns}) AS (\n{query}\n) SELECT {columns} FROM tidemark_view"


def known_collation(name: str | None) -> str | None:
    """The collation in the spelling that SQLite gives its own ones; None for the default."""
    if name is None or name.upper() == "BINARY":
        return None
    return name.upper() if name.upper() in ("NOCASE", "RTRIM") else name


def default_expression(text: str | None) -> str | None:
    """The default of a column as an expression. SQLite takes a bare or quoted word there for a text: so it is written."""
    if text is None:
        return None
    found = list(tokens(text))
    if not found:
        return None
    if len(found) > 1 or found[0].kind not in ("word", "quoted") or found[0].says(*_CONSTANT_WORDS):
        return text[found[0].start : found[-1].end]
    return literal(found[0].name)
