"""Scripts as the ledger stores them: JSON text that reads back as the same frozen value.

Owns: the texts of scripts and captures. Promises: a script that is read back has the fingerprint of the one that was
written; fields that this version does not know, or that an older one did not write, are a `Fault` that says to reinstall.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, lru_cache, partial
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from tidemark.contract.script import Capture, Script
from tidemark.errors import Fault
from tidemark.plain import as_data

T = TypeVar("T")

# Scripts are frozen, and the ledger is read often: before every step of a plan, by workers between ticks, by servers.
# One takes some 70 kB; with more of them than are remembered each look reads all of them anew.
SCRIPTS_REMEMBERED = 1024

# What earlier versions wrote of tables, and nobody reads.
FORGOTTEN = frozenset({"owner", "writers", "nulls_distinct"})


def script_text(script: Script) -> str:
    """The script as JSON text with sorted keys."""
    return json.dumps(script.as_json(), sort_keys=True)


@lru_cache(maxsize=SCRIPTS_REMEMBERED)
def read_script(text: str) -> Script:
    """The script of a JSON text. Raises `Fault` when the text is not one of this version's scripts."""
    return _read(Script, text, "script")


def _read(kind: type[T], text: str, word: str) -> T:
    try:
        return revive(kind, json.loads(text))
    except (ValueError, KeyError, TypeError) as problem:
        raise Fault(
            f"the ledger holds a {word} that this version cannot read ({problem})",
            left_behind="nothing was changed; uninstall with the version that wrote it, or reinstall",
            retry_safe=False,
        ) from problem


def capture_text(capture: Capture) -> str:
    """The capture as JSON text with sorted keys."""
    return json.dumps(as_data(capture), sort_keys=True)


@lru_cache(maxsize=SCRIPTS_REMEMBERED)
def read_capture(text: str) -> Capture:
    """The capture of a JSON text. Raises `Fault` when the text is not one of this version's captures."""
    return _read(Capture, text, "capture")


def revive(kind: type[T], data: Any) -> T:
    """A frozen value from the plain data that `as_data` made of it, tuples and nested values included.

    Raises `KeyError` for an unknown or a missing field and `TypeError` for data of another shape.
    """
    return cast(T, _reader(cast(Any, kind))(data))


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What makes a value of that kind of plain data. A project has hundreds of scripts, and each of them hundreds of values."""
    if isinstance(kind, type) and is_dataclass(kind):
        return partial(_read_fields, kind)
    if get_origin(kind) is tuple:
        members = get_args(kind)
        if len(members) == 2 and members[1] is Ellipsis:
            one = _reader(members[0])
            return lambda data: tuple(map(one, data))
        each = [_reader(member) for member in members]
        return lambda data: tuple(read(item) for read, item in zip(each, data, strict=True))
    inner = [member for member in get_args(kind) if is_dataclass(member)]
    if inner:
        whole = _reader(cast(Any, inner[0]))
        return lambda data: None if data is None else whole(data)
    return lambda data: tuple(data) if isinstance(data, list) else data


def _read_fields(kind: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{kind} from {type(data).__name__}")
    readers = _readers(kind)
    if not data.keys() <= readers.keys():
        unknown = data.keys() - readers.keys() - FORGOTTEN
        if unknown:
            raise KeyError(f"unknown field {sorted(unknown)[0]}")
    required = _required(kind)
    if not required <= data.keys():
        raise KeyError(f"missing field {sorted(required - data.keys())[0]}")
    return kind(**{name: readers[name](value) for name, value in data.items() if name in readers})


@cache
def _readers(kind: type[Any]) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


@cache
def _required(kind: type[Any]) -> frozenset[str]:
    plain = (f for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return frozenset(f.name for f in plain)
