"""Which types of PostgreSQL have values that can be told equal.

Owns: `COMPARABLE`. Promises: true exactly where ``EXCEPT`` and ``DISTINCT`` take values of a type, whoever made it.
"""

from __future__ import annotations

# json, xml, point, jsonpath and whatever holds one of them: in an array, in a row of values, under a domain. Most columns are of
# a type that is known to have an equality, and are asked for nothing.
_KNOWN = (
    "'int2', 'int4', 'int8', 'text', 'varchar', 'bpchar', 'bool', 'numeric', 'float4', 'float8', 'date', 'timestamp', "
    "'timestamptz', 'uuid', 'bytea', 'jsonb'"
)
_BARE = """
    WITH RECURSIVE held(part) AS (
        SELECT {type}
        UNION
        SELECT i.part FROM held AS h JOIN pg_catalog.pg_type AS t ON t.oid = h.part CROSS JOIN LATERAL (
            SELECT t.typbasetype AS part WHERE t.typtype = 'd'
            UNION ALL SELECT t.typelem WHERE t.typsubscript = 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
            UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute AS f
                WHERE t.typtype = 'c' AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped
        ) AS i
    )
    SELECT FROM held AS h JOIN pg_catalog.pg_type AS t ON t.oid = h.part
    WHERE t.typtype = 'b' AND t.typsubscript <> 'pg_catalog.array_subscript_handler'::pg_catalog.regproc
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass AS o JOIN pg_catalog.pg_am AS m ON m.oid = o.opcmethod
          WHERE o.opcdefault AND m.amname IN ('btree', 'hash') AND (o.opcintype = t.oid OR EXISTS (
              SELECT FROM pg_catalog.pg_cast AS c WHERE c.castsource = t.oid AND c.casttarget = o.opcintype
                AND c.castmethod = 'b' AND c.castcontext = 'i')))
"""
# An SQL condition about a type, of which `{type}` is the number.
COMPARABLE = (
    f"((SELECT y.typname IN ({_KNOWN}) AND y.typnamespace = 'pg_catalog'::pg_catalog.regnamespace "
    f"FROM pg_catalog.pg_type AS y WHERE y.oid = {{type}}) OR NOT EXISTS ({_BARE}))"
)
