"""Reading options: what a user gave becomes what a declaration holds, or a refusal with the place of the call.

Owns: the functions that read one option each. Promises: a value that cannot mean anything is refused with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, MappingProxyType
from typing import Any

from tidemark.errors import Code, Refusal
from tidemark.memory import First, Memory, Ratchet
from tidemark.model import Marks
from tidemark.plain import fingerprint
from tidemark.processors import Processor, is_select, names_of

ENGINES = ("sqlite", "postgresql", "postgres")
_CADENCE = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$")
_SECONDS = MappingProxyType({"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0})


def refuse(reason: str, instead: str, derived: str | None, place: str) -> Refusal:
    """A refusal of a declaration, with the place of the call."""
    return Refusal(Code.DECLARATION, f"{reason} (at {place})", instead=instead, derived=derived)


def read_query(query: object, name: str, place: str) -> Mapping[str, str]:
    """The texts of a query by engine."""
    if not query:
        shown = "query is empty" if isinstance(query, str) else "query is neither a text nor texts by engine"
        raise refuse(shown, 'write query="SELECT …"', name, place)
    return read_texts(query, "query", name, place)


def read_texts(given: object, option: str, name: str, place: str) -> Mapping[str, str]:
    """Texts by engine, ``""`` being both; none at all for None."""
    texts = {} if given is None else {"": given} if isinstance(given, str) else given
    instead = 'write query="SELECT …"' if option == "query" else f'write {option}="…"'
    if not isinstance(texts, Mapping):
        raise refuse(f"{option} is neither a text nor texts by engine", instead, name, place)
    for engine, text in texts.items():
        if engine not in ("", *ENGINES):
            raise refuse(f"{option} is for {engine!r}, which is no engine", "say sqlite or postgresql", name, place)
        if not isinstance(text, str) or not text.strip():
            raise refuse(f"{option} is empty", instead, name, place)
        if "\0" in text:
            raise refuse(f"{option} has a NUL character", "leave it out", name, place)
    return MappingProxyType(dict(texts))


def read_code(function: Callable[..., object]) -> str:
    """What a function does, as a text that is the same for the same code."""

    def told(code: CodeType) -> object:
        return code.co_code, [constant(one) for one in code.co_consts], code.co_names

    def constant(one: object) -> object:
        # The order of a set is another one in each process.
        return told(one) if isinstance(one, CodeType) else sorted(map(repr, one)) if isinstance(one, frozenset) else one

    code = getattr(function, "__code__", None)
    return repr(told(code)) if isinstance(code, CodeType) else repr(type(function))


def read_columns(columns: object, option: str, name: str, place: str) -> tuple[str, ...]:
    """Names of columns, each once."""
    found = (columns,) if isinstance(columns, str) else columns
    if not isinstance(found, Sequence) or not found or not all(isinstance(c, str) and c for c in found):
        raise refuse(f"{option} names no column", f'write {option}="column", or several in a list', name, place)
    if len(set(found)) != len(found):
        raise refuse(f"{option} names a column twice", "name each column once", name, place)
    return tuple(found)


def read_memory(keep: object, name: str, place: str) -> tuple[tuple[str, Memory], ...]:
    """The columns with memory."""
    if keep is None:
        return ()
    if not isinstance(keep, Mapping) or not keep:
        raise refuse("keep names no column", 'write keep={"column": ratchet()}', name, place)
    for column, memory in keep.items():
        if not isinstance(column, str) or not isinstance(memory, Ratchet | First):
            raise refuse(f"keep for {column!r} is no memory", "say ratchet() or first()", name, place)
    return tuple(keep.items())


def read_marks(marks: object, has_memory: bool, name: str, place: str) -> Marks:
    """Where rows begin: with history, or with the first change from now on."""
    if marks != "history" and marks != "now":
        raise refuse(f"there is no marks={marks!r}", "say now or history", name, place)
    if marks == "now" and not has_memory:
        raise refuse(
            'marks="now" leaves rows out that the query has, and nothing is kept',
            "keep= or keep_rows= for a table that remembers, or no marks=",
            name,
            place,
        )
    return "now" if marks == "now" else "history"


def read_support(support: object, name: str, place: str) -> bool | None:
    """Whether a support is wanted; None where the plan may choose."""
    if support is not None and not isinstance(support, bool):
        raise refuse(f"there is no support={support!r}", "say True, False or None", name, place)
    return support


def read_cadence(every: object, freshness: str | None, name: str, place: str) -> float:
    """The seconds between two ticks."""
    seconds = read_time(every, "every", "30s", name, place)
    if freshness == "commit":
        raise refuse("every is for ticks, and freshness is commit", "leave one of them out", name, place)
    return seconds


def read_time(time: object, option: str, such_as: str, name: str, place: str) -> float:
    """A time such as ``30s``, in seconds."""
    match = _CADENCE.match(time) if isinstance(time, str) else None
    if match is None or float(match[1]) == 0:
        raise refuse(f"{option}={time!r} is no time", f'write {option}="{such_as}", or 500ms, 5m, 1h', name, place)
    return float(match[1]) * _SECONDS[match[2]]


def read_repair(repair: object, verify: object, name: str, place: str) -> bool:
    """Whether a worker mends what its verification finds."""
    if not isinstance(repair, bool):
        raise refuse(f"repair={repair!r} is neither True nor False", "say repair=True", name, place)
    if repair and verify is None:
        raise refuse("repair mends what a worker's verification finds, and there is none", 'verify="1h"', name, place)
    return repair


def read_processor(declared: Mapping[str, Any], function: object, name: str, place: str) -> Processor:
    """A processor from the options of its declaration and its function."""
    if not callable(function):
        raise refuse("a processor decorates a function", "def f(db, batch): …", name, place)
    by, key = read_columns(declared["by"], "by", name, place), read_columns(declared["key"], "key", name, place)
    columns = declared["columns"]
    if not isinstance(columns, Mapping) or not all(isinstance(type_, str) and type_ for type_ in columns.values()):
        raise refuse("columns says no types", 'write columns={"steps": "bigint"}', name, place)
    constants = dict(declared["constants"] or {})
    known = {*by, *columns, *constants}
    if len(known) != len(by) + len(columns) + len(constants):
        raise refuse("a column is named in two of by, columns and constants", "name each column once", name, place)
    if not set(key) <= known:
        instead = f"one of: {', '.join(sorted(known))}"
        raise refuse(f"the key column {', '.join(sorted(set(key) - known))} is no column", instead, name, place)
    if not isinstance(declared["changes"], bool):
        raise refuse(f"changes={declared['changes']!r} is neither True nor False", "say changes=True", name, place)
    return Processor(
        by=by,
        key=key,
        columns=tuple(columns.items()),
        constants=tuple(constants.items()),
        reads=_read_inputs(declared["reads"], by, name, place),
        sampled=names_of(declared["sampled"]),
        ignored=names_of(declared["ignored"]),
        batch=_read_count(declared["batch"], name, place),
        slow_ms=read_time(declared["slow"], "slow", "1s", name, place) * 1000,
        version=declared["version"] or fingerprint(read_code(function)),
        function=function,
        changes=declared["changes"],
    )


def _read_count(batch: object, name: str, place: str) -> int:
    if not isinstance(batch, int) or batch < 1:
        raise refuse(f"batch={batch!r} is no number of units", "batch=5000", name, place)
    return batch


def _read_inputs(
    reads: object, by: tuple[str, ...], name: str, place: str
) -> tuple[tuple[str, tuple[str, ...] | str], ...]:
    if not isinstance(reads, Mapping) or not reads:
        raise refuse("reads watches nothing, so nothing would ever change", 'reads={"follows": "user_id"}', name, place)
    found: list[tuple[str, tuple[str, ...] | str]] = []
    for source, how in reads.items():
        if isinstance(how, str) and is_select(how):
            found.append((source, how))
            continue
        columns = read_columns(how, f"reads of {source}", name, place)
        if len(columns) != len(by):
            instead = f"a column of it for each of {', '.join(by)}, or a SELECT of columns named so"
            raise refuse(f"reads of {source} gives {len(columns)} columns for {len(by)} of by", instead, name, place)
        found.append((source, columns))
    return tuple(found)
