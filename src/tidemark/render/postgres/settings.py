"""PostgreSQL: the settings that our functions pin, whoever writes.

Owns: `pinned_path` and `pinned_settings`. Promises: what a function of ours computes in a writer's transaction is what a session
of ours computes (see `database/postgres/session.py`): names are found in the same schemas, a text of the query is read in the
same way, and a value has the same text.

PostgreSQL calls what depends on these settings immutable: the text of a floating point number and of bytes, a string with a
backslash, ``= NULL``, an array with ``NULL`` in it, a quoted name. So the server's own judgement of an expression says nothing
about them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tidemark.dialect import POSTGRESQL

_VALUES = (
    "SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on "
    "SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off"
)
_TIMES = (
    "SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres' "
    "SET xmlbinary = 'base64' SET xmloption = 'content'"
)

# What is known to have nothing to do with times or XML. Everything else may be made of them, whatever it is called: a domain, a
# range, a row, what a function of the user's takes.
_TIMELESS = frozenset(
    ["smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "text", "character varying"]
    + ["character", '"char"', "name", "uuid", "bytea", "json", "jsonb", "oid", "inet", "cidr", "bit", "bit varying"]
)
_CALLED = frozenset(
    ["and", "or", "not", "in", "any", "all", "case", "when", "then", "else", "is", "exists", "select", "from", "where"]
    + ["cast", "coalesce", "nullif", "greatest", "least", "count", "sum", "avg", "min", "max", "bool_and", "bool_or"]
    + ["filter", "lower", "upper", "length", "abs", "round", "floor", "ceil", "trim", "decimal", "varchar", "char"]
)
_FIRST_WORDS = frozenset({one.split()[0] for one in _TIMELESS} | {"int", "decimal", "varchar", "char"})
_SIZES = re.compile(r"\(\d+(,\s*\d+)?\)|\[\]")
_TIMELY = re.compile(r"time|date|interval")
_CASTS = re.compile(r"(?:::|\bas\b)\s*(\"?\w+)")
_CALLS = re.compile(r"(\"?\b\w+\"?)\s*\(")


def pinned_path(path: tuple[str, ...]) -> str:
    """Where names are found: the server's own first, then `path`, those of the user's functions, temporary ones last."""
    names = [
        "pg_catalog",
        *(POSTGRESQL.quote(name) for name in path if name not in ("pg_catalog", "tidemark")),
        "pg_temp",
    ]
    return f"SET search_path = {', '.join(names)}"


def pinned_settings(path: tuple[str, ...], types: Iterable[str] | None = None, texts: Iterable[str] = ()) -> str:
    """All that is pinned where expressions of the user's are evaluated. How times and XML are read and written costs more than
    the rest: it is left alone where the `types` of what is read and the `texts` of what is computed are given and have none."""
    found = f"{pinned_path(path)} {_VALUES}"
    is_timeless = types is not None and all(map(_is_timeless, types)) and all(map(_speaks_of_none, texts))
    return found if is_timeless else f"{found} {_TIMES}"


def _is_timeless(type_: str) -> bool:
    return _SIZES.sub("", type_) in _TIMELESS


def _speaks_of_none(text: str) -> bool:
    """Whether nothing in a text gives, reads or writes a time: a literal is what the function that takes it reads in it."""
    lower = text.lower()
    return (
        not _TIMELY.search(lower)
        and all(word in _FIRST_WORDS for word in _CASTS.findall(lower))
        and all(word in _CALLED or word in _FIRST_WORDS for word in _CALLS.findall(lower))
    )
