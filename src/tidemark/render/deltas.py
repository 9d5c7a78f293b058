"""What the fields of a delta are called that no stored column has.

Owns: their names, on both engines. Promises: none of them is a column of the user's.
"""

from __future__ import annotations

from tidemark.maintenance.program import Feed, Part
from tidemark.render.store import Store


def came(store: Store, part: Part) -> str:
    """The field of the greatest (or least) value that entered."""
    return store.dialect.quote(f"{part.name}+")


def went(store: Store, part: Part) -> str:
    """The field of the greatest (or least) value that left."""
    return store.dialect.quote(f"{part.name}-")


def touched(store: Store, feed: Feed) -> str:
    """The field that tells that a feed's recomputed parts may have changed."""
    return store.dialect.quote(f"tidemark_touched{feed.number}")


def needs_touch(feed: Feed) -> bool:
    """True when the feed has parts that are computed anew."""
    return bool(feed.by_kind("recomputed", "copied"))
