"""What a shape of the ledger stands for: every text that makes it, every conversion, and what a stored script holds.

Owns: `SHAPES`, one line for each of them under each shape. Promises: what is written down of a shape is never rewritten;
`write_shape` adds the lines of a shape that has none yet, and of conversions that are new.
"""

import re
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

from tests.unit.query.catalogs import BOTH
from tidemark.contract.script import Capture, Script
from tidemark.dialect import Dialect
from tidemark.plain import fingerprint
from tidemark.runtime.ledger import CONVERSIONS, SHAPE, Ledger
from tidemark.runtime.statements import load_statements

SHAPES = Path(__file__).parent / "shapes.txt"
TODO = (
    "Databases have it as it was. With the sources of before run `python -m tests.upgrades --write`, which freezes what they "
    "install, and add their shape to SHAPES in tests/upgrades/shop.py; then raise SHAPE in runtime/ledger.py, write `to_N` into "
    "both files runtime/conversions.*.sql (NOTHING where an engine needs none), and run `python -m tests.golden --write`."
)


def ledger_of(dialect: Dialect) -> Ledger:
    """A ledger for its texts alone."""
    return Ledger(SimpleNamespace(dialect=dialect))  # type: ignore[arg-type]


def lines_of_shape() -> dict[str, str]:
    """What the shape of now stands for, by what it is."""
    found = {}
    for dialect in BOTH:
        for text in ledger_of(dialect).creation():
            found[f"{SHAPE} {dialect.name} {' '.join(text.split()[:6]).partition('(')[0].strip()}"] = fingerprint(text)
    return found | {f"{SHAPE} stored {field}": kind for field, kind in stored_fields().items()}


def lines_of_conversions() -> dict[str, str]:
    """The conversions that there are."""
    return {
        f"{name} {dialect.name}": fingerprint(one.text)
        for dialect in BOTH
        for name, one in load_statements(dialect.name, CONVERSIONS).items()
        if name.startswith("to_")
    }


def stored_fields() -> dict[str, str]:
    """Every field of what the ledger stores as JSON: its type, and whether it may be missing there."""
    found: dict[str, str] = {}
    waiting: list[Any] = [Script, Capture]
    while waiting:
        kind = waiting.pop()
        if not is_dataclass(kind):
            waiting += get_args(kind)
            continue
        name, hints = getattr(kind, "__name__", ""), get_type_hints(kind)
        for field in fields(kind):
            label = f"{name}.{field.name}"
            if label not in found and field.metadata.get("stored", True):
                there = field.default is MISSING and field.default_factory is MISSING
                found[label] = f"{_plain(hints[field.name])}{'' if there else ' or missing'}"
                waiting.append(hints[field.name])
    return dict(sorted(found.items()))


def _plain(kind: Any) -> str:
    return without_modules(kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind))


def without_modules(kind: str) -> str:
    """A type by the names of its classes alone: where one is written is nothing that is stored."""
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", kind)


def known_lines() -> dict[str, str]:
    """What is written down."""
    lines = SHAPES.read_text(encoding="utf-8").splitlines() if SHAPES.exists() else []
    return dict(line.rsplit(": ", 1) for line in lines)  # type: ignore[arg-type]


def write_shape() -> list[Path]:
    """Add what is not written down of a new shape; the file, if that changed it."""
    known = known_lines()
    begun = any(label.startswith(f"{SHAPE} ") for label in known)
    more = lines_of_conversions() | ({} if begun else lines_of_shape())
    wanted = {**more, **known}
    if wanted == known:
        return []
    ordered = [*known, *(label for label in wanted if label not in known)]
    SHAPES.write_text("".join(f"{label}: {wanted[label]}\n" for label in ordered), encoding="utf-8")
    return [SHAPES]
