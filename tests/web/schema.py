"""Checking answers against the schema: as much of JSON Schema as the schema uses.

Owns: `check`. Promises: a word of the schema that this does not know is an error, so that nothing in it goes unchecked.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tidemark.web

SCHEMA = json.loads((Path(tidemark.web.__file__).parent / "schema.json").read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": int | float, "boolean": bool}
WORDS = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "$ref"} | {
    "format",
    "minimum",
    "maximum",
}


def check(name: str, found: Any) -> None:
    """Fails with every place in which an answer is not what the schema says."""
    wrong = list(_wrong({"$ref": f"#/$defs/{name}"}, found, name))
    assert not wrong, "\n".join(wrong)


def _wrong(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    unknown = set(schema) - WORDS
    if unknown:
        yield f"{at}: the schema has {unknown}, which nobody checks"
    if "$ref" in schema:
        yield from _wrong(SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], value, at)
    if "anyOf" in schema:
        tried = [list(_wrong(one, value, at)) for one in schema["anyOf"]]
        if all(tried):
            yield from min(tried, key=len)
    if "const" in schema and value != schema["const"]:
        yield f"{at}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: {value!r} is none of {schema['enum']}"
    yield from _wrong_type(schema, value, at)


def _wrong_type(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    kinds = schema.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds and not any(_is(kind, value) for kind in kinds):
        yield f"{at}: {value!r} is no {' or '.join(kinds)}"
        return
    if isinstance(value, dict) and "properties" in schema:
        yield from (f"{at}: no {name}" for name in schema.get("required", []) if name not in value)
        if schema.get("additionalProperties") is False:
            yield from (f"{at}: {name} is not in the schema" for name in value if name not in schema["properties"])
        for name, inner in schema["properties"].items():
            if name in value:
                yield from _wrong(inner, value[name], f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            yield from _wrong(schema["items"], item, f"{at}[{place}]")
    if isinstance(value, str) and schema.get("format") == "date-time" and not _is_time(value):
        yield f"{at}: {value!r} is no time of RFC 3339 in UTC"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: {value!r} is out of bounds"


def _is(kind: str, value: Any) -> bool:
    if kind == "null":
        return value is None
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def _is_time(text: str) -> bool:
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return text.endswith("Z") and found.utcoffset() == datetime.timedelta(0)
