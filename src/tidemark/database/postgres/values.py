"""How values of PostgreSQL become values of Python.

Owns: `register_loaders`. Promises: every value of a built-in type can be read, and comes back unchanged as a parameter. What
Python cannot hold exactly (intervals, ranges, JSON, infinite or very late dates, 24:00) is PostgreSQL's own text.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import psycopg
from psycopg import postgres
from psycopg.abc import AdaptContext, Buffer, Loader
from psycopg.adapt import Loader as LoaderClass
from psycopg.pq import Format
from psycopg.types.string import TextLoader

_AS_TEXT = (
    "json", "jsonb", "jsonpath", "interval", "int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange",
    "int4multirange", "int8multirange", "nummultirange", "datemultirange", "tsmultirange", "tstzmultirange",
)  # fmt: skip
_TEXT_WHEN_OUTSIDE = ("date", "time", "timetz", "timestamp", "timestamptz")


@cache
def _lenient(strict: type[Loader]) -> type[LoaderClass]:
    """A loader that gives the text of a value that `strict` cannot hold. The driver keeps every class of loaders it ever met,
    so there is one for all connections."""

    class LenientLoader(LoaderClass):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._strict = strict(oid, context)

        def load(self, data: Buffer) -> Any:
            try:
                return self._strict.load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return LenientLoader


def register_loaders(connection: psycopg.Connection[Any]) -> None:
    """Make the connection read values as this module promises."""
    adapters = connection.adapters
    for name in _AS_TEXT:
        adapters.register_loader(name, TextLoader)
    for name in _TEXT_WHEN_OUTSIDE:
        oid = postgres.types[name].oid
        strict = adapters.get_loader(oid, Format.TEXT)
        if strict is not None:
            adapters.register_loader(oid, _lenient(strict))
