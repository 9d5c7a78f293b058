"""Text that is no UTF-8 as a parameter, which the driver cannot bind.

Owns: `bind_octets`. Promises: the statement is given what the database holds, of type text, and compares it as it compares any
other parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tidemark.database.sqlite.text import tokens


def bind_octets(sql: str, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The statement with such parameters bound as bytes, each made text again where it is named; the plus keeps it without an
    affinity, as a parameter is. Raises `UnicodeEncodeError` for text that no database gave."""
    odd = {name: value.encode(errors="surrogateescape") for name, value in parameters.items() if _is_odd(value)}
    parts, at = [], 0
    for sign, word in pairwise(tokens(sql)):
        if sign.says(":") and word.kind == "word" and word.text in odd:
            parts += [sql[at : sign.start], f"(+CAST(:{word.text} AS TEXT))"]
            at = word.end
    return "".join((*parts, sql[at:])), {**parameters, **odd}


def _is_odd(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False
