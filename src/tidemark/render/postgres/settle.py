"""PostgreSQL: the flush of a keyed program at commit freshness, once for each transaction, at its end.

Owns: the functions that take what was remembered, keep apart from other writers, find the units and compute them again. Promises:
units are looked for after the turns of the edges are taken and computed after those of the units, each in a later statement,
whose snapshot is younger; rows that went in the same transaction are still looked for by their images; only rows that differ
are written. Above `IMAGES_MAX` images one lock keeps apart from everybody.

Constraints that are immediate flush within a statement, when rows of other tables may be gone whose triggers have not fired
yet. Such a flush leaves what it has read in the pending table until the next statement, for the flush of those rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.script import Piece
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render.affected import reached
from tidemark.render.postgres.flush import settle_pieces
from tidemark.render.postgres.phrases import PLANNING
from tidemark.render.postgres.places import WHOLE, edge_places, take_turns, unit_place
from tidemark.render.postgres.settings import pinned_settings
from tidemark.render.postgres.triggers import dollar
from tidemark.render.restriction import ROW, is_steered, rows_of_batch
from tidemark.render.statements import EVERYTHING, qualified
from tidemark.render.store import Store
from tidemark.render.units import in_unit

IMAGES_MAX = 1_000
"""From so many remembered images on, a transaction takes one lock for the whole derived table."""

_UNITS = 1_000


def settle_functions(store: Store, program: KeyedProgram, path: tuple[str, ...]) -> list[Piece]:
    """The function that takes what the transaction remembered, the one that flushes, and the one that calls for it at commit."""
    settings = pinned_settings(path)
    flush = "".join(f"  tidemark_new{n} {_type(store, t)}[];\n" for n, t in enumerate(program.watched))
    flush += "".join(f"  tidemark_all{n} {_type(store, t)}[];\n" for n, t in enumerate(program.watched))
    unit = store.names.own("unit")
    flush += f"  tidemark_units {unit}[];\n  tidemark_some {unit}[];\n  tidemark_at integer := 1;\n  tidemark_whole boolean;\n"
    body = _read(store, program) + _take_edges(store, program) + _find(store, program) + _compute(store, program)
    call = ("", f"  PERFORM {store.names.own('flush')}();\n")
    steering = (("jit", "off"), *(PLANNING if is_steered(store, program) else ()))
    planning = "".join(f" SET {name} = {value}" for name, value in steering)
    return [
        _take(store),
        *settle_pieces(store, (flush, body), call, settings + planning, " AND seen IS NULL"),
    ]


def sources_to_lock(store: Store, program: KeyedProgram) -> list[str]:
    """Sources to lock, for reading only, before the first turn is taken: who truncates one holds it and will want turns.

    A transaction holds what it has written, so that one source that is no whole of partitions needs no lock.
    """
    tables = sorted(program.tables, key=lambda table: table.label)
    if len(tables) == 1 and tables[0].kind != "partitioned":
        return []
    return [qualified(table, store.dialect) for table in tables]


def _type(store: Store, table: Table) -> str:
    return store.names.own("image", table.label)


def _take(store: Store) -> Piece:
    """Take the transaction's remembered rows away; within a statement, let those of earlier ones go and leave the others."""
    name, pending = store.names.own("take"), store.names.own("pending")
    mine = "p.xid = pg_current_xact_id()"
    body = (
        f"BEGIN\n"
        f"  IF pg_trigger_depth() < 2 THEN\n"
        f"    RETURN QUERY DELETE FROM {pending} AS p WHERE {mine} RETURNING p.*;\n"
        f"    RETURN;\n"
        f"  END IF;\n"
        f"  DELETE FROM {pending} AS p WHERE {mine} AND p.seen < statement_timestamp();\n"
        f"  IF current_setting('transaction_isolation') = 'read committed' THEN\n"
        f"    -- What transactions left that ended with such a statement. Who else does this is not waited for.\n"
        f"    DELETE FROM {pending} AS p WHERE p.ctid = ANY (ARRAY(SELECT o.ctid FROM {pending} AS o\n"
        f"      WHERE o.xid < pg_snapshot_xmin(pg_current_snapshot()) FOR UPDATE SKIP LOCKED));\n"
        f"  END IF;\n"
        f"  RETURN QUERY SELECT p.* FROM {pending} AS p WHERE {mine};\n"
        f"  UPDATE {pending} AS p SET seen = statement_timestamp() WHERE {mine} AND p.seen IS NULL;\n"
        f"END"
    )
    # A pending table is empty when it is planned for and may be long when it is read: only its index is good at both.
    create = (
        f"CREATE FUNCTION {name}() RETURNS SETOF {pending} LANGUAGE plpgsql "
        f"SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS {dollar(body)}"
    )
    drop = f"DROP FUNCTION IF EXISTS {name}()"
    return Piece("function", store.names.listed("take"), create, drop, capture=True)


def _read(store: Store, program: KeyedProgram) -> str:
    """Statements that read what the transaction remembered: what no flush has seen yet, and everything."""
    wanted, into = [], []
    for word, test in (("new", " WHERE t.seen IS NULL"), ("all", "")):
        for place in range(len(program.watched)):
            wanted.append(f"(SELECT array_agg(x) FROM taken AS t, unnest(t.images{place}) AS x{test})")
            into.append(f"tidemark_{word}{place}")
    nothing = " AND ".join(f"tidemark_new{place} IS NULL" for place in range(len(program.watched)))
    sources = sources_to_lock(store, program)
    locked = f"  LOCK TABLE {', '.join(sources)} IN ACCESS SHARE MODE;\n" if sources else ""
    return (
        f"  WITH taken AS MATERIALIZED (SELECT * FROM {store.names.own('take')}())\n"
        f"  SELECT {', '.join(wanted)}\n  INTO {', '.join(into)};\n"
        f"  IF {nothing} THEN RETURN; END IF;\n{locked}"
    )


def _place_of(program: KeyedProgram, table: Table) -> int:
    return [one.label for one in program.watched].index(table.label)


def _take_edges(store: Store, program: KeyedProgram) -> str:
    """Statements that keep apart from who changes the other side of an edge, or from everybody."""
    turns, locking = store.names.own("turns"), program.locking
    everybody = (
        f"LOCK TABLE {turns} IN SHARE ROW EXCLUSIVE MODE;\n"
        f"    UPDATE {turns} SET turn = turn + 1 WHERE place = {WHOLE};\n"
    )
    if locking is None or locking.whole:
        return f"  tidemark_whole := true;\n    {everybody}"
    number = " + ".join(f"coalesce(cardinality(tidemark_new{place}), 0)" for place in range(len(program.watched)))
    places = [
        edge_places(n, edge, f"unnest(tidemark_new{_place_of(program, side.table)})", side)
        for n, edge in enumerate(locking.edges)
        for side in (edge.left, edge.right)
    ]
    edges = f"    {take_turns(store, ' UNION ALL '.join(places))};\n" if places else ""
    return (
        f"  tidemark_whole := {number} > {IMAGES_MAX} AND current_setting('transaction_isolation') = 'read committed';\n"
        f"  IF tidemark_whole THEN\n    {everybody}  ELSE\n"
        f"    LOCK TABLE {turns} IN ROW EXCLUSIVE MODE;\n"
        f"    IF current_setting('transaction_isolation') <> 'read committed' THEN\n"
        f"      -- Who took everything since this snapshot left no other trace.\n"
        f"      PERFORM 1 FROM {turns} WHERE place = {WHOLE} FOR SHARE;\n    END IF;\n"
        f"{edges}  END IF;\n"
    )


def _find(store: Store, program: KeyedProgram) -> str:
    """Statements that find the units of what was remembered and take turns at them."""
    selects = [
        select
        for way in program.routes
        for select in reached(
            store,
            program,
            way,
            f"unnest(tidemark_new{_place_of(program, way.changed.table)})",
            lambda table: f"unnest(tidemark_all{_place_of(program, table)})",
        )
    ]
    columns = ", ".join(f"u{number}" for number in range(len(store.units.key)))
    row = f"ROW({', '.join(f'k.u{number}' for number in range(len(store.units.key)))})::{store.names.own('unit')}"
    places = f"SELECT {unit_place(store, 'b')} AS place FROM unnest(tidemark_units) AS b"
    union = "\n    UNION ".join(selects)
    return (
        f"  tidemark_units := ARRAY(SELECT {row} FROM (\n    {union}\n  ) AS k ({columns}));\n"
        f"  IF NOT tidemark_whole THEN\n    {take_turns(store, places)};\n  END IF;\n"
    )


def _compute(store: Store, program: KeyedProgram) -> str:
    """Statements that compute the units again, some at a time, and write what differs."""
    found = (
        f"  WHILE tidemark_at <= cardinality(tidemark_units) LOOP\n"
        f"    tidemark_some := tidemark_units[tidemark_at : tidemark_at + {_UNITS - 1}];\n"
        f"    tidemark_at := tidemark_at + {_UNITS};\n"
        f"{_write(store, program, nulls=False)}"
    )
    if store.units.nullable:
        unknown = store.units.has_null("b")
        found += (
            f"    IF EXISTS (SELECT 1 FROM unnest(tidemark_some) AS b WHERE {unknown}) THEN\n"
            f"{_write(store, program, nulls=True)}    END IF;\n"
        )
    return f"{found}  END LOOP;\n"


def _write(store: Store, program: KeyedProgram, *, nulls: bool) -> str:
    """One statement: the query for some units, those without a NULL or those with one, and what differs from the store."""
    rows, some = store.names.store, "unnest(tidemark_some)"
    values = ["1" if part == EVERYTHING else f"q.{store.column(part)}" for part in store.key]
    values += [f"q.{store.column(part)}" for part in store.parts]
    fresh = rows_of_batch(store, program, values, in_unit(store, "q", nulls), nulls=nulls, batch=some)
    there = _same_key(store, "f", "s")
    action = f"DO UPDATE SET {store.assignments}" if store.assignments else "DO NOTHING"
    columns = ", ".join(store.columns)
    known = f"SELECT 1 FROM {rows} AS o WHERE {_same_key(store, 'o', 'f')} AND {store.identical('o', 'f')}"
    # A row that came into the user's table is to show what is stored of its key, although that stays as it is.
    differs = "" if program.shown_in else f" WHERE NOT EXISTS (\n        {known})"
    return (
        f"    WITH tidemark_fresh ({columns}) AS MATERIALIZED (\n"
        f"      {fresh}\n"
        f"    ), tidemark_gone AS (\n"
        f"      DELETE FROM {rows} AS s USING {some} AS {ROW} WHERE {in_unit(store, 's', nulls)}\n"
        f"        AND NOT EXISTS (SELECT 1 FROM tidemark_fresh AS f WHERE {there})\n"
        f"    )\n"
        f"    INSERT INTO {rows} AS s ({columns}) SELECT {', '.join(f'f.{column}' for column in store.columns)}\n"
        f"      FROM tidemark_fresh AS f{differs}\n"
        f"      ORDER BY {', '.join(f'f.{store.column(part)}' for part in store.key)}\n"
        f"    ON CONFLICT ({store.conflict}) {action};\n"
    )


def _same_key(store: Store, left: str, right: str) -> str:
    """True for rows of one key, in a form that an index serves where a key may be NULL, too."""
    tests: Sequence[str] = [
        f"({left}.{column} = {right}.{column} OR ({left}.{column} IS NULL AND {right}.{column} IS NULL))"
        if part.nullable
        else f"{left}.{column} = {right}.{column}"
        for part, column in ((part, store.column(part)) for part in store.key)
    ]
    return " AND ".join(tests)
