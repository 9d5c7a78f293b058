"""How changes reach keys, in sentences.

Owns: what `explain` says of the routes of a program. Promises: every source is named, one whose changes reach nothing too.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram, LinearProgram


def routes_of_linear(program: LinearProgram) -> tuple[str, ...]:
    """How a change of each source reaches keys, in sentences."""
    key = ", ".join(part.name for part in program.key if not part.hidden) or "the one row"
    found = []
    for feed in program.feeds:
        again = [part.name.lstrip("_") for part in feed.by_kind("highest", "lowest", "recomputed")]
        anew = f"; {', '.join(again)} of a key is computed anew when what left may have been it" if again else ""
        what = "decides whether there is a row of" if feed.is_universe else "is added to"
        found.append(f"a change of {feed.table.label} {what} {key}, which it carries itself{anew}")
    return tuple(found)


def routes_of_keyed(program: KeyedProgram) -> tuple[str, ...]:
    """How a change of each source reaches units, in sentences; sampled sources are said to reach none."""
    unit = ", ".join(part.name for part in program.unit) or "the whole result"
    found = []
    for way in program.routes:
        through = " and ".join(dict.fromkeys(occurrence.table.label for occurrence in way.joined))
        was = "" if all(occurrence.table.scanned for occurrence in way.joined) else " and as it was"
        if way.everywhere or not program.unit:
            found.append(f"any change of {way.changed.table.label} may touch everything")
        elif through:
            found.append(f"a change of {way.changed.table.label} reaches {unit} through {through}, as it is now{was}")
        else:
            found.append(f"a change of {way.changed.table.label} carries {unit} itself")
    sampled = [table.label for table in program.tables if table.label not in program.reads]
    found += [f"a change of {label} reaches nothing: it is sampled" for label in sampled]
    return tuple(dict.fromkeys(found))
