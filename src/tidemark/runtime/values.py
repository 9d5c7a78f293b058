"""Values of rows as JSON: for the ledger's findings and for output.

Owns: `pack` and `unpack`. Promises: a key that was packed reads back as a value that finds the same row; what JSON has no
word for is tagged with its type, text that is no UTF-8 among it, and unknown types become their text, which the engine reads
as its own literal.
"""

from __future__ import annotations

import datetime
import decimal
import hashlib
import json
import math
import uuid
from collections.abc import Sequence
from typing import Any

_READERS: dict[str, Any] = {
    "bytes": bytes.fromhex,
    "octets": lambda digits: bytes.fromhex(digits).decode(errors="surrogateescape"),
    "decimal": decimal.Decimal,
    "float": float,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
    "uuid": uuid.UUID,
    "text": str,
}


def pack(values: Sequence[Any]) -> str:
    """The values of a row, or of a key, as a JSON list."""
    return json.dumps([plain(value) for value in values], ensure_ascii=False, separators=(",", ":"))


def unpack(text: str) -> tuple[Any, ...]:
    """The values of a JSON list that `pack` made."""
    return tuple(_read(item) for item in json.loads(text))


def hash_key(packed: str) -> str:
    """A short name for a packed key, of one length however long the key is."""
    return hashlib.sha256(packed.encode()).hexdigest()[:32]


def plain(value: Any) -> Any:
    """A value that JSON can hold, tagged with its type where JSON has no word for it."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value if is_utf8(value) else {"$octets": _octets(value).hex()}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, bytes | bytearray | memoryview):
        return {"$bytes": bytes(value).hex()}
    if isinstance(value, decimal.Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime.datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, datetime.date):
        return {"$date": value.isoformat()}
    if isinstance(value, datetime.time):
        return {"$time": value.isoformat()}
    if isinstance(value, uuid.UUID):
        return {"$uuid": str(value)}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return {"$text": str(value)}


def is_utf8(text: str) -> bool:
    """Whether a text can be written as UTF-8. SQLite keeps others too; what they have beside it is read as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _octets(text: str) -> bytes:
    """What the database holds of such a text."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        # Nobody read it from a database: somebody typed it.
        return text.encode(errors="surrogatepass")


def _read(item: Any) -> Any:
    if isinstance(item, dict) and len(item) == 1:
        (tag, text), *_ = item.items()
        reader = _READERS.get(tag.removeprefix("$")) if tag.startswith("$") else None
        return reader(text) if reader is not None else item
    if isinstance(item, list):
        return [_read(inner) for inner in item]
    return item


def show(value: Any) -> str:
    """A value for people: NULL, numbers as they are, text in quotes, bytes as hexadecimal digits."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"x'{bytes(value).hex()}'"
    if isinstance(value, str):
        return repr(value)
    return str(value)
