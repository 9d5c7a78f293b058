"""Pruned sources in a batch: what is stored of rows that are gone stays when a key is computed again.

Owns: the last step of a recompute over pruned sources. Promises: no total is lowered by it, and none is raised but to what the
rows that are left add up to; where no row of a key is gone, what is computed counts. So filling, verification and repair know the
same truth.
"""

from __future__ import annotations

from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.maintenance.pruned import count_of
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store


def keep_gone(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """Bring what is stored of rows that are gone into ``fresh``; nothing without a pruned source."""
    feeds = [feed for feed in program.feeds if feed.table.pruned]
    if not feeds:
        return ()
    fresh, stored = store.names.temporary("fresh"), store.names.temporary("stored")
    sets = ", ".join(f"{store.column(part)} = {_kept(store, feed, part)}" for feed in feeds for part in feed.parts)
    mine = {part.name for feed in feeds for part in feed.parts}
    columns = ", ".join((ORDINAL, *store.columns))
    values = [f"o.{ORDINAL}", *(f"o.{store.column(part)}" for part in store.key)]
    values += [f"o.{store.column(part)}" if part.name in mine else store.default(part) for part in store.parts]
    return (
        f"UPDATE {fresh} AS f SET {sets} FROM {stored} AS o WHERE o.{ORDINAL} = f.{ORDINAL}",
        f"INSERT INTO {fresh} ({columns}) SELECT {', '.join(values)} FROM {stored} AS o "
        f"WHERE NOT EXISTS (SELECT 1 FROM {fresh} AS f WHERE f.{ORDINAL} = o.{ORDINAL})",
        f"DELETE FROM {fresh} AS s WHERE {store.is_default('s')}",
    )


def _kept(store: Store, feed: Feed, part: Part) -> str:
    """The value of a part: the stored one where more rows made it than are left."""
    before, after = f"o.{store.column(part)}", f"f.{store.column(part)}"
    if part.kind in ("highest", "lowest"):
        beats = ">" if part.kind == "highest" else "<"
        return f"CASE WHEN {before} IS NULL OR {after} {beats} {before} THEN {after} ELSE {before} END"
    if part.kind == "recomputed":
        return after
    count = count_of(feed)
    more = f"{after} > {before}"
    if count is not None:
        column = store.column(count)
        # As many rows as were counted are left: then they say all there is to say.
        more = f"o.{column} = f.{column} OR (o.{column} < f.{column} AND {more})"
    elif not part.unit:
        return before
    return f"CASE WHEN {more} THEN {after} ELSE {before} END"
