"""Marks on our objects in PostgreSQL, and reading them back.

Owns: `read_installed`, `write_mark`, `SCHEMA_MARKER`. A mark is the comment ``tidemark:FINGERPRINT:HASH:MAJOR``: the fingerprint
of the text that made the object, a hash of the definition that the catalog then had, and the server's major version. Promises: an
object whose definition was changed afterwards shows as ``outdated``; after an upgrade of the server, which may spell the same
definition differently, the fingerprint alone counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from tidemark.contract.script import Piece
from tidemark.database.session import Parameters
from tidemark.dialect import POSTGRESQL

Ask = Callable[[str, Parameters | None], list[tuple[Any, ...]]]

# A name as `Table.label` writes it.
_LABEL = "CASE WHEN n.nspname = 'public' THEN {name} ELSE n.nspname || '.' || {name} END"

# To put the condition of a trigger together waits for whoever holds its table for a migration: as long as somebody does, its
# definition is not asked for, and taken for the one that was marked.
_HELD = """(t.tgqual IS NOT NULL AND EXISTS (
           SELECT FROM pg_locks AS l WHERE l.relation = t.tgrelid AND l.mode = 'AccessExclusiveLock' AND l.granted
           AND l.pid <> pg_backend_pid()
           AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())))"""

# Our triggers on tables fire always; whoever switched one off and on again left it as an ordinary one.
# Each query gives: name, what it hangs on, COMMENT ON …, definition, comment, whether it is switched off.
_OBJECTS = {
    "relation": """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'c' THEN 'type' WHEN 'S' THEN 'sequence' WHEN 'i' THEN 'index'
                      WHEN 'I' THEN 'index' ELSE 'table' END AS kind,
       {label} AS name, ''::text AS hangs_on,
       format(CASE c.relkind WHEN 'v' THEN 'VIEW %I.%I' WHEN 'c' THEN 'TYPE %I.%I' WHEN 'S' THEN 'SEQUENCE %I.%I'
                   WHEN 'i' THEN 'INDEX %I.%I' WHEN 'I' THEN 'INDEX %I.%I' ELSE 'TABLE %I.%I' END,
              n.nspname, c.relname) AS object,
       CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) WHEN c.relkind IN ('i', 'I') THEN pg_get_indexdef(c.oid)
            ELSE (SELECT string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation),
                                    ', ' ORDER BY a.attnum)
                  FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) END AS definition,
       CASE WHEN c.relkind = 'c' THEN obj_description(c.reltype, 'pg_type') ELSE obj_description(c.oid, 'pg_class') END AS remark,
       false AS is_off
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'c', 'S', 'i', 'I')
  AND CASE WHEN n.nspname = 'tidemark'
           THEN NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid)
                AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                                AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
           ELSE c.relkind = 'v' END
""".replace("{label}", _LABEL.format(name="c.relname")),
    "type": """
SELECT 'type' AS kind, {label} AS name, ''::text AS hangs_on,
       format(CASE t.typtype WHEN 'd' THEN 'DOMAIN %I.%I' ELSE 'TYPE %I.%I' END, n.nspname, t.typname) AS object,
       concat_ws(' ', t.typtype, format_type(t.typbasetype, t.typtypmod), t.typnotnull,
                 (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder)
                  FROM pg_enum AS e WHERE e.enumtypid = t.oid)) AS definition,
       obj_description(t.oid, 'pg_type') AS remark, false AS is_off
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE n.nspname = 'tidemark' AND t.typtype IN ('e', 'd', 'r')
""".replace("{label}", _LABEL.format(name="t.typname")),
    "function": """
SELECT 'function' AS kind, {label} AS name, ''::text AS hangs_on, 'ROUTINE ' || p.oid::regprocedure::text AS object,
       concat_ws(' ', p.prosrc, p.proconfig::text, p.prosecdef, p.provolatile) AS definition,
       obj_description(p.oid, 'pg_proc') AS remark, false AS is_off
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = 'tidemark'
""".replace("{label}", _LABEL.format(name="p.proname")),
    "trigger": """
SELECT 'trigger' AS kind, t.tgname::text AS name, {label} AS hangs_on,
       format('TRIGGER %I ON %I.%I', t.tgname, n.nspname, c.relname) AS object,
       CASE WHEN NOT {held} THEN pg_get_triggerdef(t.oid) END AS definition, obj_description(t.oid, 'pg_trigger') AS remark,
       t.tgenabled <> CASE c.relkind WHEN 'v' THEN 'O' ELSE 'A' END
           OR CASE WHEN c.relkind = 'p' THEN EXISTS (
               SELECT FROM pg_trigger AS k WHERE k.tgfoid = t.tgfoid AND k.tgname = t.tgname AND k.tgenabled <> 'A'
               AND k.tgparentid <> 0 AND k.tgrelid IN (
                   WITH RECURSIVE tree AS (
                       SELECT t.tgrelid AS relid
                       UNION ALL SELECT i.inhrelid FROM tree AS r JOIN pg_inherits AS i ON i.inhparent = r.relid)
                   SELECT relid FROM tree)) ELSE false END AS is_off
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE p.pronamespace = (SELECT s.oid FROM pg_namespace AS s WHERE s.nspname = 'tidemark')
  AND NOT t.tgisinternal AND t.tgparentid = 0
""".replace("{label}", _LABEL.format(name="c.relname")).replace("{held}", _HELD),
}
# Where the catalog has the name without its schema, by which it finds an object; each text above ends in its conditions.
_BARE = {"relation": "c.relname", "type": "t.typname", "function": "p.proname", "trigger": "t.tgname"}
_MAJOR = "(current_setting('server_version_num')::int / 10000)"
_INSTALLED = f"""
SELECT o.kind, o.name, o.remark, CASE WHEN o.kind = 'trigger' AND o.definition IS NULL THEN split_part(o.remark, ':', 3)
       ELSE left(encode(sha256(convert_to(coalesce(o.definition, ''), 'UTF8')), 'hex'), 8) END,
       {_MAJOR}::text, o.is_off
FROM ({{objects}}) AS o
WHERE (o.kind <> 'view' OR o.name LIKE 'tidemark.%' OR coalesce(o.remark, '') LIKE 'tidemark:%')
"""
_LISTED = "ANY (ARRAY(SELECT json_array_elements_text(CAST(:{names} AS json))))"
_ALL = f"{_INSTALLED.format(objects=' UNION ALL '.join(_OBJECTS.values()))} ORDER BY o.name"
_SOME = "{found} AND o.name = {chosen} ORDER BY o.name".format(
    found=_INSTALLED.format(
        objects=" UNION ALL ".join(
            f"{_OBJECTS[source]} AND {_BARE[source]} = {_LISTED.format(names='bare')}" for source in _OBJECTS
        )
    ),
    chosen=_LISTED.format(names="names"),
)

# Temporary tables are of one session, come and go, and are nothing that anybody relies on.
_FIRST_OF_USERS = 16384
_TOLD = {
    "pg_class": "oid >= {first} AND relpersistence <> 't'",
    "pg_attribute": "attrelid >= {first} AND attnum > 0 AND attrelid NOT IN (SELECT oid FROM passing)",
    "pg_attrdef": "adrelid NOT IN (SELECT oid FROM passing)",
    "pg_index": "indexrelid >= {first} AND indexrelid NOT IN (SELECT oid FROM passing)",
    "pg_constraint": "oid >= {first} AND conrelid NOT IN (SELECT oid FROM passing)",
    "pg_type": "oid >= {first} AND typrelid = 0 AND typelem = 0",
    "pg_trigger": "true",
    "pg_proc": "oid >= {first}",
    "pg_rewrite": "oid >= {first}",
    "pg_inherits": "true",
    "pg_subscription_rel": "true",
    "pg_enum": "true",
    "pg_namespace": "nspname !~ '^pg_(toast_)?temp_'",
    "pg_collation": "oid >= {first}",
    "pg_description": "objoid >= {first}",
}
_SUMS = ", ".join(
    f"(SELECT concat(count(*), ':', sum(CAST(CAST(xmin AS text) AS bigint))) FROM pg_catalog.{catalog} "
    f"WHERE {told.format(first=_FIRST_OF_USERS)})"
    for catalog, told in _TOLD.items()
)
SCHEMA_MARKER = f"""
WITH passing AS MATERIALIZED (SELECT oid FROM pg_catalog.pg_class WHERE relpersistence = 't')
SELECT concat_ws(' ', {_SUMS})"""
"""One text that differs whenever something was created, changed or dropped; a millisecond where the rest takes a hundred."""


def read_installed(ask: Ask, names: Collection[str] | None) -> dict[str, str]:
    """Every object of ours, or those of some names, with its state; `ask` runs with a search_path of pg_catalog alone, so that
    names are whole. A definition that nobody asks for is not put together, which is what takes time."""
    if names is not None and not names:
        return {}
    found: dict[str, str] = {}
    rows = ask(_ALL, None) if names is None else ask(_SOME, {"names": _listed(names), "bare": _listed(_bare(names))})
    for _, name, remark, body, major, is_off in rows:
        state = "disabled" if is_off else _read_mark(remark or "", body, major)
        # Two objects may share a name (a trigger on two tables): then the one that is not as it should be shows.
        known = found.get(name)
        found[name] = state if known is None or known == state or len(state) < 16 else known
    return found


def _bare(names: Collection[str]) -> set[str]:
    """What these labels may be without a schema: behind some dot of a label the bare name stands."""
    return {name[at:] for name in names for at in (0, *(dot + 1 for dot, letter in enumerate(name) if letter == "."))}


def _listed(names: Collection[str]) -> str:
    return json.dumps(sorted(names))


def _read_mark(remark: str, body: str, major: str) -> str:
    prefix, _, rest = remark.partition(":")
    parts = rest.split(":")
    if prefix != "tidemark" or not parts[0]:
        return "?"
    if len(parts) == 3 and parts[2] == major and parts[1] != body:
        return "outdated"
    return parts[0]


def write_mark(pieces: Sequence[Piece]) -> str:
    """The statement that marks some objects, which takes little more time than to mark one. It hashes their definitions as the
    catalog shows them when it runs; empty without objects."""
    if not pieces:
        return ""
    literal = POSTGRESQL.literal
    sources = {source for piece in pieces for source in _sources(piece.kind)}
    bare = ", ".join(map(literal, sorted(_bare([piece.name for piece in pieces]))))
    objects = " UNION ALL ".join(
        f"{_OBJECTS[source]} AND {_BARE[source]} IN ({bare})" for source in _OBJECTS if source in sources
    )
    wanted = ", ".join(
        f"({number}, {', '.join(map(literal, (piece.kind, piece.name, piece.on, piece.fingerprint)))})"
        for number, piece in enumerate(pieces)
    )
    body = f"""
DECLARE
    path text := current_setting('search_path');
    item record;
BEGIN
    PERFORM set_config('search_path', 'pg_catalog', true);
    FOR item IN
        SELECT w.kind, w.name, w.fingerprint, o.object, count(*) OVER (PARTITION BY w.number) AS found,
               left(encode(sha256(convert_to(coalesce(o.definition, ''), 'UTF8')), 'hex'), 8) AS hash
        FROM (VALUES {wanted}) AS w (number, kind, name, hangs_on, fingerprint)
            LEFT JOIN ({objects}) AS o ON o.kind = w.kind AND o.name = w.name
                AND (w.kind <> 'trigger' OR w.hangs_on IN ('', o.hangs_on))
    LOOP
        IF item.object IS NULL OR item.found > 1 THEN
            RAISE EXCEPTION 'to mark % % there are %', item.kind, item.name,
                CASE WHEN item.object IS NULL THEN 'no rows' ELSE 'several rows' END;
        END IF;
        EXECUTE format('COMMENT ON %s IS %L', item.object, concat_ws(':', 'tidemark', item.fingerprint, item.hash, {_MAJOR}));
    END LOOP;
    PERFORM set_config('search_path', path, true);
END
"""
    # The tag cannot occur in the body: it is a hash of it.
    tag = f"tidemark_{hashlib.sha256(body.encode()).hexdigest()[:16]}"
    return f"DO ${tag}${body}${tag}$"


def _sources(kind: str) -> tuple[str, ...]:
    """The catalogs in which objects of a kind are."""
    if kind == "type":
        return "relation", "type"
    return (kind if kind in _OBJECTS else "relation",)
