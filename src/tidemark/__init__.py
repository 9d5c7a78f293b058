"""Tidemark keeps derived tables true inside the database an application already has.

Owns: the public names. Promises: importing the package is cheap, because definitions do it at every start; `Tidemark`, which
brings the SQL parser, is loaded when it is first asked for.
"""

import importlib
from typing import TYPE_CHECKING, Any

from tidemark.blocks import iterable, jsonl, table
from tidemark.declare import Project
from tidemark.errors import Fault, Refusal
from tidemark.memory import event_time, first, position, ratchet
from tidemark.processors import Batch, Change
from tidemark.streams import Shelf, Skip

if TYPE_CHECKING:
    from tidemark.engine import Tidemark

__all__ = [
    "Batch",
    "Change",
    "Fault",
    "Project",
    "Refusal",
    "Shelf",
    "Skip",
    "Tidemark",
    "event_time",
    "first",
    "iterable",
    "jsonl",
    "position",
    "ratchet",
    "table",
]


def __getattr__(name: str) -> Any:
    if name == "Tidemark":
        return importlib.import_module("tidemark.engine").Tidemark
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
