"""Every shape by name, and which are drawn how often.

Owns: `FAMILIES` (the shapes with their weights) and `draw_derived`. Promises: importing it registers every shape.
"""

from __future__ import annotations

from tests.simulation import (
    memory,
    processors,
    redefined,
    shapes_called,
    shapes_cascade,
    shapes_composed,
    shapes_counted,
    shapes_given,
    shapes_joins,
    shapes_nested,
    shapes_owned,
    shapes_recursive,
    shapes_spelled,
    shapes_staged,
    shapes_unshown,
    shapes_wide,
)
from tests.simulation.case import Derived
from tests.simulation.queries import Queries
from tests.simulation.shapes import SHAPES, Parts

assert all(
    (
        memory,
        processors,
        redefined,
        shapes_called,
        shapes_cascade,
        shapes_composed,
        shapes_counted,
        shapes_given,
        shapes_joins,
        shapes_nested,
        shapes_owned,
        shapes_recursive,
        shapes_spelled,
        shapes_staged,
        shapes_unshown,
        shapes_wide,
    )
)  # Their import fills the registry.

ALONE = (redefined.FAMILY,)
"""Shapes that are drawn where they are asked for: their programs are made for them."""
OLD = ("copy", "group", "total", "universe", "keyed")
FAMILIES = (
    "copy",
    "group",
    "group",
    "group",
    "total",
    "universe",
    "universe",
    "universe",
    "keyed",
    "keyed",
    "any shape",
)


def names(engine: str) -> tuple[str, ...]:
    """Every shape of an engine."""
    return (*OLD, *(name for name, one in SHAPES.items() if engine in one.engines))


def draw_derived(queries: Queries, families: tuple[str, ...]) -> Derived | None:
    """A derived table of a random family; None when this world has no table for any of them."""
    for _ in range(50):
        family = queries.rng.choice(families)
        if family == "any shape":
            family = queries.rng.choice([name for name in names(queries.world.engine) if name not in (*OLD, *ALONE)])
        # Nothing but what is asked for is computed again by writers.
        late = 0.5 if family not in OLD or family == "keyed" else 0.2
        freshness = "tick" if queries.scalars.chance(late) else "commit"
        try:
            draft = SHAPES[family].draw(Parts(queries)) if family in SHAPES else queries.draft(family)
        except LookupError:
            continue
        options = {**SHAPES[family].options, **draft.options} if family in SHAPES else {}
        sure = options.pop("spelled", False)
        ticks = options.pop("tick", False) or family in ALONE
        freshness = "commit" if options.get("commit") else "tick" if ticks else freshness
        # A text that compares in a special way may be stored in any of its spellings.
        fields = [one for table in draft.tables for one in table.fields]
        fold = not sure and any("NOCASE" in one.collate and one.quoted in draft.query for one in fields)
        found = Derived(queries.names.name(), draft.query, draft.key, freshness, family, fold, options)
        queries.offered.append(found)
        return found
    return None
