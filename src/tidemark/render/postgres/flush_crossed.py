"""PostgreSQL: the flush of a table whose rows may cross a threshold.

Owns: the flush that locks first and writes each row once. Promises: as `postgres_flush`, and more: no trigger on the stored
rows sees a state that is not committed. Adding first and computing anew afterwards would show, in between, a greatest value
that had come and gone in the same transaction, or a new row without the columns that are read from its source. Here the first
statement only locks, and the second one, which sees what was committed before the locks were there, writes everything.
"""

from __future__ import annotations

from tidemark.maintenance.program import Feed, LinearProgram, Part, RowText
from tidemark.render.deltas import came, touched, went
from tidemark.render.postgres.flush import added_up, hashed_match, look, looked_at, match_keys, set_key, vanish
from tidemark.render.spelling import left, spells
from tidemark.render.statements import qualified
from tidemark.render.store import Store


def flush_texts(store: Store, program: LinearProgram) -> tuple[str, str]:
    """Declarations and statements of the flush."""
    name, delta = store.names.store, store.names.own("delta")
    # One statement names every source, and to name one is to lock it: before the first stored row, because whoever truncates a
    # source holds it and will want the rows.
    sources = [qualified(table, store.dialect) for table in looked_at(program, store)]
    locked = f"  LOCK TABLE {', '.join(sources)} IN ACCESS SHARE MODE;\n" if sources else ""
    first = store.column(store.key[0])
    every = [f"{store.column(part)} = {_final(store, feed, part)}" for feed in program.feeds for part in feed.parts]
    spelling = [feed for feed in program.feeds if spells(store, feed)]
    every += [set_key(store, spelling[0], " OR ".join(f"d.{left(one)} > 0" for one in spelling))] if spelling else []
    sets = ",\n      ".join(every)
    return (
        f"  tidemark_memory {delta}[];\n  tidemark_tids tid[];\n  tidemark_emptied tid[];\n",
        f"{added_up(store, program, locked)}, written AS (\n"
        f"    INSERT INTO {name} AS s ({store.key_list}) SELECT {store.key_of('d')} FROM d ORDER BY {store.key_of('d')}\n"
        f"    ON CONFLICT ({store.conflict}) DO UPDATE SET {first} = s.{first}\n"
        f"    RETURNING s.ctid AS tidemark_tid, {store.key_of('s')}\n"
        f"  )\n"
        f"  SELECT array_agg(w.tidemark_tid), array_agg(ROW(d.*)::{delta}) INTO tidemark_tids, tidemark_memory\n"
        f"  FROM written AS w JOIN d ON {hashed_match(store)};\n"
        f"{match_keys(store)}"
        f"  WITH again AS (\n"
        f"    UPDATE {name} AS s SET {sets}\n"
        f"    FROM ROWS FROM (unnest(tidemark_tids), unnest(tidemark_memory)) AS d({_fields(store, program)})\n"
        f"    WHERE s.ctid = d.tidemark_tid\n"
        f"    RETURNING s.ctid AS tidemark_tid, {store.is_default('s')} AS tidemark_is_empty)\n"
        f"  SELECT array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_is_empty) INTO tidemark_emptied FROM again AS a;\n"
        f"{vanish(store)}",
    )


def _fields(store: Store, program: LinearProgram) -> str:
    """The names of a row's place and of the fields of its delta, in the order of the delta's type."""
    found = ["tidemark_tid", *(store.column(part) for part in store.key)]
    for feed in program.feeds:
        for part in feed.parts:
            if part.kind == "additive":
                found.append(store.column(part))
            elif part.kind in ("highest", "lowest"):
                found += [came(store, part), went(store, part)]
        if feed.by_kind("recomputed", "copied"):
            found.append(touched(store, feed))
        if spells(store, feed):
            found.append(left(feed))
    return ", ".join(found)


def _final(store: Store, feed: Feed, part: Part) -> str:
    """The part's value at the commit, over the stored row ``s`` and what it gained and lost ``d``."""
    column = f"s.{store.column(part)}"
    if part.kind == "additive":
        return f"{column} + d.{store.column(part)}"
    if part.kind in ("highest", "lowest"):
        best, beyond = ("greatest", ">=") if part.kind == "highest" else ("least", "<=")
        known = f"{best}({column}, d.{came(store, part)})"
        return f"CASE WHEN d.{went(store, part)} {beyond} {known} THEN {look(store, feed, part)} ELSE {known} END"
    changed, value = f"d.{touched(store, feed)} > 0", look(store, feed, part)
    if part.needed is not None:
        needed = _after(store, part.needed)
        changed, value = f"{changed} AND ({needed} OR {column} IS NOT NULL)", f"CASE WHEN {needed} THEN {value} END"
    return f"CASE WHEN {changed} THEN {value} ELSE {column} END"


def _after(store: Store, text: RowText) -> str:
    """An expression over stored columns, as they are when the deltas are added."""
    added = {store.column(part) for part in store.parts if part.kind == "additive"}
    return text.over(lambda name: f"(s.{name} + d.{name})" if name in added else f"s.{name}")
