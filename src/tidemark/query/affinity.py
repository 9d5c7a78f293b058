"""What SQLite makes of the name of a type.

Owns: `affinity`. Promises: nothing but the words of the name counts, as for the engine.
"""

from __future__ import annotations


def affinity(declared: str) -> str:
    """The affinity that SQLite gives to a column of that declared type (https://www.sqlite.org/datatype3.html)."""
    upper = declared.upper()
    if "INT" in upper:
        return "INTEGER"
    if any(word in upper for word in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if not upper or "BLOB" in upper:
        return "BLOB"
    return "REAL" if any(word in upper for word in ("REAL", "FLOA", "DOUB")) else "NUMERIC"
