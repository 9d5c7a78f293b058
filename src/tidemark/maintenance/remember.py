"""Memory of a derived table: what a declaration's ``keep=`` means for a program.

Owns: `remember`. Promises: a column is remembered only where the fold over the states that the table passes through is what
``keep=`` says: the column exists, is no part of the key, can be compared if it is to be, and is frozen by a column that
never goes back.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import KeyedProgram, Remembered
from tidemark.memory import First, Ratchet, dated
from tidemark.model import Declaration

MOMENTS = MappingProxyType(
    {
        "position": ("bigint", "numeric"),
        "time": ("timestamp with time zone", "timestamp without time zone", "text", "bigint"),
    }
)
"""The types of PostgreSQL that can hold what a stream says of a block, the best first."""

# Types of PostgreSQL that have no order.
UNORDERED = frozenset({"json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle", "xid", "cid"})


def needs_ticks(declaration: Declaration) -> str | None:
    """Why a declaration is kept by ticks whatever its query is, or None."""
    if declaration.processor is not None:
        return "Python computes its rows"
    if declaration.has_memory:
        return "what is kept is a fold over the states at ticks"
    if declaration.sampled:
        return "sampled inputs are read when a row is computed again"
    return None


def remember(program: KeyedProgram, declaration: Declaration, dialect: Dialect) -> KeyedProgram:
    """The program with its memory. Raises `Refusal`."""
    memory = Remembered(declaration.keep, declaration.keep_rows, declaration.marks == "now")
    if memory.is_empty:
        return program
    types = {part.name: part.type for part in program.columns}
    for name, kept in memory.columns:
        if name not in types:
            what = "is part of the key" if name in {part.name for part in program.key} else "is not in the result"
            raise Refusal(
                Code.DECLARATION, f"keep names {name}, which {what}.", instead=f"one of: {', '.join(types) or 'none'}"
            )
        if isinstance(kept, Ratchet) and dialect.types_are_fixed and types[name].partition("(")[0] in UNORDERED:
            raise Refusal(
                Code.DECLARATION,
                f"{name} is of type {types[name]}, which has no order to ratchet by.",
                instead="first()",
            )
        if isinstance(kept, First) and kept.when is not None:
            _check_when(name, kept.when, memory, types, dialect)
    for name, moment in dated(memory.columns).items():
        known = MOMENTS[moment.what]
        if dialect.types_are_fixed and types[name] not in known:
            raise Refusal(
                Code.DECLARATION,
                f"{name} is of type {types[name]}, and keeps the {moment.what} of a block.",
                instead=f"CAST(NULL AS {known[0]}) AS {name}, or {', '.join(known[1:])}",
            )
    keys = {part.name for part in program.key}
    outside = [part.name for part in program.unit if part.name not in keys]
    if outside:
        raise Refusal(
            Code.DECLARATION,
            f"A row can move from one {outside[0]} to another under its key, and would lose what it keeps on the way.",
            instead=f"{outside[0]} in the key",
        )
    return replace(program, memory=memory)


def _check_when(name: str, when: str, memory: Remembered, types: dict[str, str], dialect: Dialect) -> None:
    if when not in types:
        raise Refusal(
            Code.DECLARATION,
            f"{name} is kept once {when} is true, which is no column.",
            instead="a column of the result",
        )
    if not isinstance(memory.of(when), Ratchet):
        raise Refusal(
            Code.DECLARATION,
            f"{name} is frozen once {when} is true, and {when} can go back.",
            instead=f'keep={{"{when}": ratchet(), …}}',
        )
    if dialect.types_are_fixed and types[when] != "boolean":
        raise Refusal(
            Code.DECLARATION, f"{when} is of type {types[when]}, not boolean.", instead=f"a comparison as {when}"
        )


def notes(program: KeyedProgram) -> tuple[str, ...]:
    """What ``explain`` says about memory and sampled inputs, in sentences."""
    memory, found = program.memory, []
    moments = dated(memory.columns)
    for name, kept in memory.columns:
        if name in moments:
            begins = "the row came" if isinstance(kept, Ratchet) or kept.when is None else f"{kept.when} became true"
            block = f"the {moments[name].what} of the block of stream {moments[name].stream}"
            found.append(f"{name} is {block} after which {begins}; a row without one is stale, and repair dates it")
        elif isinstance(kept, Ratchet):
            found.append(f"{name} never goes back; verification finds it too low, never too high")
        elif kept.when is None:
            found.append(f"{name} is frozen once it is not NULL; from then on it is not compared")
        else:
            found.append(f"{name} is frozen once {kept.when} is true; from then on it is not compared")
    if memory.keeps_rows:
        found.append("rows stay when their group vanishes; verification does not find rows too many")
    if memory.from_now:
        found.append("rows begin with the first change after deployment; verification looks at rows that are stored")
    if not memory.is_empty:
        found.append(
            "what is kept is a fold over the states at ticks: what comes and goes between two ticks leaves no trace"
        )
    if program.samples_rows:
        found.append(
            "rows and columns may be behind sampled inputs; that is stale, not drift, and repair reads them anew"
        )
    elif program.sampled:
        named = ", ".join(program.sampled)
        found.append(f"{named} may be behind sampled inputs; that is stale, not drift, and repair reads them anew")
    return tuple(found)
