"""PostgreSQL: the lists of a tick that asks for the whole result.

Owns: `lists`. Promises: what is listed is gone before the next time.
"""

from __future__ import annotations

from tidemark.dialect import POSTGRESQL
from tidemark.maintenance.program import KeyPart, Part
from tidemark.render import lists as texts
from tidemark.render.lists import Lists
from tidemark.render.statements import ORDINAL
from tidemark.render.store import Store
from tidemark.render.whole import cast

UNSEARCHED_BYTES_MAX = 8 * 1024**2
"""Where so much is listed, its places are found by an index."""


def lists(store: Store, rows: str) -> Lists:
    """One table, since each costs PostgreSQL three or four files: the result at place 0, what differs from 1 on, what went from
    -1 down. It is made anew each time: several processes take part in that, and in no other way of filling one."""
    whole, columns = store.names.temporary("whole"), ", ".join(store.columns)
    every: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    values = ", ".join(f"{cast(store, part, f'z.{store.column(part)}')} AS {store.column(part)}" for part in every)
    place = f"row_number() OVER (ORDER BY {store.key_list})"
    into = f"INSERT INTO {whole} ({ORDINAL}, "
    many = f"pg_catalog.pg_relation_size({POSTGRESQL.literal(whole)}) > {UNSEARCHED_BYTES_MAX}"
    index = f"BEGIN IF {many} THEN CREATE INDEX ON {whole} ({ORDINAL}); END IF; END"
    return Lists(
        create=(),
        evaluate=(
            f"DROP TABLE IF EXISTS {whole}",
            f"CREATE TEMP TABLE {whole} AS SELECT CAST(0 AS bigint) AS {ORDINAL}, {values} FROM ({rows}) AS z",
        ),
        differ=(f"{into}{columns}) SELECT {place}, {columns} FROM {texts.differing(store, whole)} AS z",),
        went=(f"{into}{store.key_list}) SELECT -{place}, {store.key_list} FROM {texts.gone(store, whole)} AS z",),
        ready=(f"DO {POSTGRESQL.literal(index)}",),
        result=f"{whole} WHERE {ORDINAL} = 0",
        places=f"SELECT coalesce(greatest(max({ORDINAL}), -min({ORDINAL})), 0) AS n FROM {whole}",
        fresh=whole,
        gone=whole,
        gone_range=f"b.{ORDINAL} < -CAST(:low AS bigint) AND b.{ORDINAL} >= -CAST(:high AS bigint)",
    )
