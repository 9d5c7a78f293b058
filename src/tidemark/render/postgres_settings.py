"""PostgreSQL: the settings that our functions pin, whoever writes.

Owns: `pinned_path` and `pinned_settings`. Promises: what a function of ours computes in a writer's transaction is what a session
of ours computes (see `database/postgres.py`): names are found in the same schemas, a text of the query is read in the same way,
and a value has the same text.

PostgreSQL calls what depends on these settings immutable: the text of a floating point number and of bytes, a string with a
backslash, ``= NULL``, an array with ``NULL`` in it, a quoted name. So the server's own judgement of an expression says nothing
about them.
"""

from __future__ import annotations

from collections.abc import Iterable

_VALUES = (
    "SET extra_float_digits = 1 SET bytea_output = 'hex' SET standard_conforming_strings = on "
    "SET transform_null_equals = off SET array_nulls = on SET quote_all_identifiers = off"
)
_TIMES = "SET TimeZone = 'UTC' SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres'"


def pinned_path(path: tuple[str, ...]) -> str:
    """Where names are found: the server's own first, then `path`, those of the user's functions, temporary ones last."""
    names = ["pg_catalog", *(f'"{name}"' for name in path if name not in ("pg_catalog", "tidemark")), "pg_temp"]
    return f"SET search_path = {', '.join(names)}"


def pinned_settings(path: tuple[str, ...], words: Iterable[str] = ("time",)) -> str:
    """All that is pinned where expressions of the user's are evaluated. `words` are the types of what is read and the texts of
    what is computed: how times are read and written is pinned where they speak of times, since it costs more than the rest."""
    found = f"{pinned_path(path)} {_VALUES}"
    is_timely = any(word in one.lower() for one in words for word in ("time", "date", "interval"))
    return f"{found} {_TIMES}" if is_timely else found
