"""Named statements, read from the ``.sql`` files beside this module.

Owns: the file format. Promises: both engines have the same names; every statement has a sentence of purpose; a name that is
missing is an error when the book is read for the first time, not in the middle of a duty.

A *book* is what stands in ``<book>.<engine>.sql``, where an engine has a text of its own, and after that in ``<book>.sql``,
where both engines have the same one. A statement begins with ``-- name: word``, then one or more comment lines of purpose, then
its text up to the next name. ``{word}`` in a text is replaced by an identifier that the caller has quoted; ``:word`` is a
parameter. The text ``NOTHING`` says that this engine needs none. What statements have in common is a part: it begins with ``--
part: word`` and stands in each of them in the place of ``{word}``. The parts in ``facts.<engine>.sql`` belong to every book.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from tidemark.errors import Fault

FACTS = "facts"


@dataclass(frozen=True)
class Statement:
    """One named statement: its name, why it exists, its text."""

    name: str
    purpose: str
    text: str


def parse_statements(*texts: str) -> dict[str, Statement]:
    """Every statement of some files by name, in their order; ``NOTHING`` is an empty one.

    Raises `ValueError` for a bad or a second name.
    """
    found: dict[str, Statement] = {}
    parts: dict[str, str] = {}
    pieces = [piece for text in texts for piece in re.split(r"^-- (name|part): ", text, flags=re.MULTILINE)[1:]]
    for kind, piece in zip(pieces[::2], pieces[1::2], strict=True):
        name, _, rest = piece.partition("\n")
        lines = rest.splitlines()
        purpose = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        body = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
        if not name.strip() or name.strip() in found or name.strip() in parts or not purpose or not body:
            raise ValueError(f"statement {name.strip()!r} is nameless, twice there, without purpose or empty")
        if kind == "part":
            parts[name.strip()] = "" if body == "NOTHING" else body
        else:
            found[name.strip()] = Statement(name.strip(), " ".join(purpose), "" if body == "NOTHING" else body)
    return {name: _put_in(statement, parts) for name, statement in found.items()}


def _put_in(statement: Statement, parts: Mapping[str, str]) -> Statement:
    text = statement.text
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return replace(statement, text=text.strip())


@cache
def load_statements(engine: str, book: str = "ledger") -> Mapping[str, Statement]:
    """The statements of a book for an engine, by name."""
    read = [
        files("tidemark.runtime").joinpath(name)
        for name in (f"{FACTS}.{engine}.sql", f"{book}.{engine}.sql", f"{book}.sql")
    ]
    return parse_statements(*(one.read_text(encoding="utf-8") for one in read if one.is_file()))


def find_statement(engine: str, name: str, book: str = "ledger") -> str:
    """The text of a statement. Raises `Fault` when the engine's file does not have it."""
    statement = load_statements(engine, book).get(name)
    if statement is None:
        raise Fault(f"{book} has no statement {name!r} for {engine}", retry_safe=False)
    return statement.text
