"""What the domains of PostgreSQL are made of: a table of ours holds values of the type beneath.

Owns: `UNDER_DOMAINS` and `BARE_TYPE`. Promises: no table of ours has a column of a domain, which may refuse the NULL that an
image without values has or a row that nothing matched, and may come to refuse what is stored already.
"""

from __future__ import annotations

# A common table expression, for WITH RECURSIVE: each domain, the type beneath all domains, and the length or scale of that.
UNDER_DOMAINS = """domains (domain, type, measure) AS (
    SELECT t.oid, t.typbasetype, t.typtypmod FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.domain, t.typbasetype, t.typtypmod FROM domains AS d JOIN pg_catalog.pg_type AS t ON t.oid = d.type
    WHERE t.typtype = 'd'
), under AS (
    SELECT d.domain, d.type, d.measure FROM domains AS d JOIN pg_catalog.pg_type AS t ON t.oid = d.type
    WHERE t.typtype <> 'd'
)"""

# The type of an attribute `a`, where `under` was joined as `u`, with its length or scale.
BARE_TYPE = "pg_catalog.format_type(coalesce(u.type, a.atttypid), CASE WHEN u.domain IS NULL THEN a.atttypmod ELSE u.measure END)"
