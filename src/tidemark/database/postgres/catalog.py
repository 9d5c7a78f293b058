"""What a PostgreSQL database holds, read from its system catalogs.

Owns: `read_catalog`. Promises: one query for each kind of fact, however many tables there are; schemas of the system and
Tidemark's own are left out, and so are the public views that carry its mark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tidemark.database.postgres.domains import BARE_TYPE, UNDER_DOMAINS
from tidemark.database.postgres.equality import COMPARABLE
from tidemark.model import EXPRESSION, Catalog, Column, Index, Routine, Table, Unique

All = Callable[[str], list[tuple[Any, ...]]]

# Which relations are the user's; every other query starts from here.
_USERS = """
WITH RECURSIVE users AS (
    SELECT c.oid, c.relname, n.nspname, c.relkind, c.relpersistence, c.reltuples
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark')
      AND (n.nspname !~ '^pg_' OR n.oid = pg_catalog.pg_my_temp_schema())
      AND NOT (c.relkind = 'v' AND coalesce(pg_catalog.obj_description(c.oid, 'pg_class'), '') LIKE 'tidemark:%')
)
"""
# The name of a collation that is not the one of its type. A query of its own, because the order of many joins takes longer to
# find than the few rows take to read.
_COLLATION = """(SELECT CASE WHEN pg_catalog.pg_collation_is_visible(o.oid) THEN o.collname::text
                     ELSE s.nspname || '.' || o.collname END
        FROM pg_catalog.pg_collation AS o JOIN pg_catalog.pg_namespace AS s ON s.oid = o.collnamespace
        WHERE o.oid = {of} AND o.oid <> (SELECT t.typcollation FROM pg_catalog.pg_type AS t WHERE t.oid = {type}))"""
_RELATIONS = (
    _USERS
    + """
SELECT u.oid::int8, u.nspname, u.relname, u.relkind::text, u.relpersistence::text, pg_catalog.row_security_active(u.oid),
       u.reltuples::float8,
       EXISTS (SELECT FROM pg_catalog.pg_inherits AS i JOIN pg_catalog.pg_class AS k ON k.oid = i.inhrelid
               WHERE i.inhparent = u.oid AND k.relkind IN ('r', 'f') AND NOT k.relispartition),
       EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = u.oid)
FROM users AS u ORDER BY u.nspname, u.relname
"""
)
# A constraint that was added as NOT VALID (PostgreSQL 18) says nothing of the rows that were there.
_NEVER_NULL = """a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conrelid = a.attrelid
           AND k.contype = 'n' AND NOT k.convalidated AND a.attnum = ANY (k.conkey))"""
_COLUMNS = (
    _USERS
    + f""", {UNDER_DOMAINS}
SELECT a.attrelid::int8, a.attgenerated = 'v', a.attname, {BARE_TYPE}, {_NEVER_NULL},
       CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
       CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END,
       {_COLLATION.format(of="a.attcollation", type="coalesce(u.type, a.atttypid)")}, false, false,
       {COMPARABLE.format(type="a.atttypid")}
FROM users AS r JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid LEFT JOIN under AS u ON u.domain = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum
"""
)
_INDEXES = (
    _USERS
    + f""", {UNDER_DOMAINS}
SELECT i.indrelid::int8, c.relname, i.indisunique, i.indisprimary, pg_catalog.pg_get_expr(i.indpred, i.indrelid),
       array_agg(a.attname::text ORDER BY k.place),
       array_agg(pg_catalog.pg_get_indexdef(i.indexrelid, k.place, false) ORDER BY k.place),
       array_agg({_COLLATION.format(of="e.attcollation", type="coalesce(u.type, a.atttypid, e.atttypid)")} ORDER BY k.place)
FROM users AS r JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid AND i.indisvalid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
    CROSS JOIN LATERAL pg_catalog.generate_series(1, i.indnkeyatts::int) AS k(place)
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.place - 1] AND a.attnum <> 0
    JOIN pg_catalog.pg_attribute AS e ON e.attrelid = i.indexrelid AND e.attnum = k.place
    LEFT JOIN under AS u ON u.domain = coalesce(a.atttypid, e.atttypid)
GROUP BY i.indrelid, i.indexrelid, c.relname, i.indisunique, i.indisprimary, i.indpred
ORDER BY i.indrelid, i.indisprimary DESC, c.relname
"""
)
_VIEWS = (
    _USERS
    + """
SELECT u.oid::int8, pg_catalog.rtrim(pg_catalog.pg_get_viewdef(u.oid), ' ;') FROM users AS u WHERE u.relkind = 'v' ORDER BY 1
"""
)
_LEAVES = (
    _USERS
    + """,
descent AS (
    SELECT u.oid AS root, u.oid AS child FROM users AS u WHERE u.relkind = 'p'
    UNION ALL
    SELECT d.root, i.inhrelid FROM descent AS d JOIN pg_catalog.pg_inherits AS i ON i.inhparent = d.child
)
SELECT d.root::int8, n.nspname, c.relname, c.reltuples::float8, c.relkind = 'f'
FROM descent AS d JOIN pg_catalog.pg_class AS c ON c.oid = d.child JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind <> 'p' ORDER BY d.root, n.nspname, c.relname
"""
)
_TRIGGERS = (
    _USERS
    + """
SELECT t.tgrelid::int8, pg_catalog.pg_get_triggerdef(t.oid) || E'\\n' || p.prosrc
FROM users AS u JOIN pg_catalog.pg_trigger AS t ON t.tgrelid = u.oid AND NOT t.tgisinternal AND t.tgparentid = 0
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname <> 'tidemark' ORDER BY t.tgrelid, t.tgname
"""
)
_CAN_SEE_SUBSCRIPTIONS = "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_subscription_rel', 'SELECT')"
_SUBSCRIBED = "SELECT srrelid::int8 FROM pg_catalog.pg_subscription_rel"
_VOLATILE = """
SELECT DISTINCT pg_catalog.lower(p.proname)
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname <> 'tidemark' AND p.provolatile = 'v'
"""
# The volatility of an aggregate says nothing; that of its functions does. One whose parts can be taken together in any order asks
# for no order of its rows.
_ROUTINES = """
SELECT pg_catalog.lower(p.proname), bool_and(p.provolatile = 'i' AND coalesce(g.immutable, true)), bool_or(p.prokind = 'a'),
       bool_or(coalesce(g.ordered, false)), bool_and(p.proretset) AND count(DISTINCT coalesce(c.names, ARRAY['']) :: text) = 1,
       min(coalesce(c.names, ARRAY['']) :: text) :: text[]
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    LEFT JOIN LATERAL (
        SELECT bool_and(f.provolatile = 'i') AS immutable, bool_or(a.aggcombinefn = 0 OR p.proparallel <> 's') AS ordered
        FROM pg_catalog.pg_aggregate AS a JOIN pg_catalog.pg_proc AS f ON f.oid IN (
            a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
            a.aggmfinalfn)
        WHERE a.aggfnoid = p.oid
    ) AS g ON p.prokind = 'a'
    LEFT JOIN LATERAL (
        SELECT array_agg(found.name ORDER BY found.place) AS names FROM (
            SELECT coalesce(x.name, '') AS name, x.place FROM ROWS FROM (
                unnest(p.proargnames), unnest(p.proargmodes)) WITH ORDINALITY AS x(name, mode, place)
            WHERE x.mode IN ('o', 'b', 't')
            UNION ALL
            SELECT a.attname, a.attnum FROM pg_catalog.pg_type AS t JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid
            WHERE t.oid = p.prorettype AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped AND p.proargmodes IS NULL
        ) AS found
    ) AS c ON p.proretset
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'tidemark') AND p.prokind IN ('f', 'a', 'w')
GROUP BY 1
"""
_CONNECTION = """
SELECT pg_catalog.current_schemas(false)::text[], pg_catalog.current_setting('server_version_num')::int,
       (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user),
       (SELECT array_agg(n.nspname::text) FROM pg_catalog.pg_namespace AS n)
"""
_KINDS = {"r": "table", "p": "partitioned", "v": "view", "m": "materialized", "f": "foreign"}


def read_catalog(read: All) -> Catalog:
    """Every table and view that is not ours; `read` gives the rows of a query."""
    columns: dict[int, list[Column]] = defaultdict(list)
    unstored: set[tuple[int, str]] = set()
    for oid, is_computed, name, *facts in read(_COLUMNS):
        columns[oid].append(Column(name, *facts))
        unstored |= {(oid, name)} if is_computed else set()
    uniques, indexes = _read_indexes(read(_INDEXES))
    leaves: dict[int, list[tuple[str, str]]] = defaultdict(list)
    rows_of_leaves: dict[int, list[float]] = defaultdict(list)
    elsewhere: set[int] = set()
    for oid, schema, name, rows, is_foreign in read(_LEAVES):
        leaves[oid].append((schema, name))
        rows_of_leaves[oid].append(rows)
        elsewhere |= {oid} if is_foreign else set()
    bodies: dict[int, list[str]] = defaultdict(list)
    for oid, body in read(_TRIGGERS):
        bodies[oid].append(body)
    definitions: dict[int, str] = dict(read(_VIEWS))
    subscribed = {oid for (oid,) in read(_SUBSCRIBED)} if read(_CAN_SEE_SUBSCRIPTIONS)[0][0] else set()
    tables: dict[tuple[str, str], Table] = {}
    relations = read(_RELATIONS)
    unlogged = {
        (schema, name) for _, schema, name, kind, persistence, *_ in relations if (kind, persistence) == ("r", "u")
    }
    for oid, schema, name, kind, persistence, filtered, rows, inherited, below in relations:
        estimates = rows_of_leaves[oid] if kind == "p" and rows < 0 else [rows]
        tables[schema, name] = Table(
            schema,
            name,
            "foreign" if oid in elsewhere else _kind(kind, persistence, inherited),
            tuple(columns[oid]),
            tuple(uniques[oid]),
            tuple(indexes[oid]),
            tuple(leaves[oid]),
            forced_row_security=filtered,
            subscribed=oid in subscribed,
            below=below,
            unlogged=not unlogged.isdisjoint([(schema, name), *leaves[oid]]),
            trigger_bodies=tuple(bodies[oid]),
            rows=None if not estimates or min(estimates) < 0 else int(sum(estimates)),
            definition=definitions.get(oid),
        )
    path, version, bypasses, schemas = read(_CONNECTION)[0]
    volatile = frozenset(name for (name,) in read(_VOLATILE))
    routines = {name: _routine(*facts) for name, *facts in read(_ROUTINES)}
    server = (version // 10000, version % 10000)
    labels = {oid: tables[schema, name].label for oid, schema, name, *_ in relations}
    computed = frozenset((labels[oid], name) for oid, name in unstored)
    return Catalog(
        tables, tuple(path), server, volatile, bool(bypasses), routines, frozenset(schemas), unstored=computed
    )


def _routine(immutable: bool, aggregate: bool, ordered: bool, gives_rows: bool, columns: list[str]) -> Routine:
    return Routine(immutable, aggregate, ordered, tuple(columns) if gives_rows else None)


def _kind(kind: str, persistence: str, inherited: bool) -> str:
    if persistence == "t":
        return "temporary"
    return "inherited" if kind == "r" and inherited else _KINDS[kind]


def _read_indexes(rows: list[tuple[Any, ...]]) -> tuple[dict[int, list[Unique]], dict[int, list[Index]]]:
    uniques: dict[int, list[Unique]] = defaultdict(list)
    indexes: dict[int, list[Index]] = defaultdict(list)
    for oid, name, unique, primary, where, terms, expressions, collations in rows:
        if unique:
            uniques[oid].append(Unique(name, tuple(terms), tuple(expressions), where, primary, tuple(collations)))
        texts = (f"{EXPRESSION}{text}" if term is None else term for term, text in zip(terms, expressions, strict=True))
        indexes[oid].append(Index(name, tuple(texts), where))
    return uniques, indexes
