"""The schema in which readers see the rows of a derived table, on PostgreSQL.

Owns: `home_of`, where that is, and `check_home`. Promises: it is the schema in which a view of the user's own would be made, the
first of the search path; what is installed stays where it is seen, wherever the search path begins later; a search path by which
nobody would find it is refused. Where its schema is gone, by name or altogether, it is seen in the first one again.
"""

from __future__ import annotations

from tidemark.dialect import POSTGRESQL
from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Declaration

_SYSTEM = frozenset({"pg_catalog", "information_schema", "tidemark"})


def home_of(declaration: Declaration, catalog: Catalog) -> str:
    """The schema of a declaration's view; empty on SQLite, and where the search path names no schema that exists."""
    path = catalog.search_path
    kept = next((catalog.homes[one] for one in (declaration.name, declaration.was or "") if one in catalog.homes), None)
    return kept if kept is not None and (kept in path or kept in catalog.schemas) else next(iter(path), "")


def check_home(home: str, catalog: Catalog) -> None:
    """Raises `Refusal` (``unsupported``) where no view of ours can stand in the schema, or where its name would not be found."""
    path = catalog.search_path
    if home in _SYSTEM or home.startswith("pg_"):
        raise Refusal(
            Code.UNSUPPORTED,
            f"The view that shows the rows would stand in schema {home}, with which the search_path begins.",
            instead="SET search_path TO app, public for the role that Tidemark connects as: a schema of yours first",
        )
    if home not in path:
        raise Refusal(
            Code.UNSUPPORTED,
            f"The view that shows the rows stands in schema {home}, and the search_path is {', '.join(path)}.",
            instead=f"SET search_path TO {POSTGRESQL.quote(home)} and what follows it for the role that Tidemark connects as; "
            "where the same is wanted in two schemas, each in a database or under a name of its own",
        )
