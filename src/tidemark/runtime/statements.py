"""Named statements, read from the ``.sql`` files beside this module.

Owns: the file format. Promises: one whole file per engine, each with the same names; every statement has a sentence of
purpose; a name that is missing is an error when the file is read for the first time, not in the middle of a duty.

A statement begins with ``-- name: word``, then one or more comment lines of purpose, then its text up to the next name.
``{word}`` in a text is replaced by an identifier that the caller has quoted; ``:word`` is a parameter. The text ``NOTHING`` says
that this engine needs none. What several statements have in common is a part: it begins with ``-- part: word`` and stands in each
statement in the place of ``{word}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from tidemark.errors import Fault


@dataclass(frozen=True)
class Statement:
    """One named statement: its name, why it exists, its text."""

    name: str
    purpose: str
    text: str


def parse_statements(text: str) -> dict[str, Statement]:
    """Every statement of a file by name, in the file's order; ``NOTHING`` is an empty one.

    Raises `ValueError` for a bad or a second name.
    """
    found: dict[str, Statement] = {}
    parts: dict[str, str] = {}
    pieces = re.split(r"^-- (name|part): ", text, flags=re.MULTILINE)
    for kind, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        name, _, rest = piece.partition("\n")
        lines = rest.splitlines()
        purpose = [line.removeprefix("--").strip() for line in lines if line.startswith("--")]
        body = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";")
        if not name.strip() or name.strip() in found or name.strip() in parts or not purpose or not body:
            raise ValueError(f"statement {name.strip()!r} is nameless, twice there, without purpose or empty")
        if kind == "part":
            parts[name.strip()] = body
        else:
            found[name.strip()] = Statement(name.strip(), " ".join(purpose), "" if body == "NOTHING" else body)
    return {name: _put_in(statement, parts) for name, statement in found.items()}


def _put_in(statement: Statement, parts: Mapping[str, str]) -> Statement:
    text = statement.text
    for name, part in parts.items():
        text = text.replace(f"{{{name}}}", part)
    return replace(statement, text=text)


@cache
def load_statements(engine: str, book: str = "ledger") -> Mapping[str, Statement]:
    """The statements of a book for an engine, by name."""
    return parse_statements(files("tidemark.runtime").joinpath(f"{book}.{engine}.sql").read_text(encoding="utf-8"))


def find_statement(engine: str, name: str, book: str = "ledger") -> str:
    """The text of a statement. Raises `Fault` when the engine's file does not have it."""
    statement = load_statements(engine, book).get(name)
    if statement is None:
        raise Fault(f"{book}.{engine}.sql has no statement {name!r}", retry_safe=False)
    return statement.text
