"""What the database says of the ledger: its tables, indexes and functions, whatever way they came about."""

import contextlib
from typing import Any

from tidemark.database.open import open_session
from tidemark.database.session import Session

TABLES = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'tidemark'::regnamespace AND c.relkind = 'r' ORDER BY c.relname, a.attname
"""
BESIDE = """
SELECT 'index', pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE c.relnamespace = 'tidemark'::regnamespace
UNION ALL
SELECT conrelid::regclass::text || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'tidemark'::regnamespace
UNION ALL
SELECT 'function', pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'tidemark'::regnamespace
ORDER BY 1, 2
"""


def describe_ledger(url: str) -> list[tuple[Any, ...]]:
    """Everything of the ledger in a database, whose derived tables are not told of."""
    with contextlib.closing(open_session(url)) as session:
        return [*session.all(TABLES), *session.all(BESIDE)] if session.dialect.has_schemas else _of_file(session)


def _of_file(session: Session) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    listed = (
        "SELECT type, name, tbl_name FROM sqlite_schema WHERE name LIKE 'tidemark\\_\\_%' ESCAPE '\\' ORDER BY name"
    )
    for kind, name, table in session.all(listed):
        found.append((kind, name, table))
        about = "table_xinfo" if kind == "table" else "index_xinfo"
        facts = session.all(f"PRAGMA {about}('{name}')")
        found += sorted((name, *fact[1:]) for fact in facts) if kind == "table" else [(name, *fact) for fact in facts]
    return found
