"""A derived table as those see it that read it: its store as a source, its public view as a query over that.

Owns: `offers` and `kept_table`. Promises: the tables are what the catalog would show of them once they are installed, so that a
query over a derived table can be compiled before anything is there; a view that would stand in another schema is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.errors import Code, Refusal
from tidemark.model import Column, Index, Kept, OutputColumn, Table, Unique
from tidemark.render.statements import Store
from tidemark.script import Piece, unmarked

PUBLIC = "public"
"""The schema of what readers see on PostgreSQL."""


def offers(
    store: Store, pieces: Sequence[Piece], outputs: Sequence[OutputColumn], path: Sequence[str], freshness: str
) -> tuple[Table, ...]:
    """The store and the public view; nothing where the rows are shown in a table of the user's. `path` is the search path."""
    view = next((piece for piece in pieces if piece.public and piece.kind == "view"), None)
    if view is None:
        return ()
    if path[0] not in ("", PUBLIC):
        raise Refusal(
            Code.UNSUPPORTED,
            f"The view that shows the rows stands in schema {PUBLIC}, and the search_path begins with {path[0]}.",
            instead=f"SET search_path TO {PUBLIC}, {path[0]} for the role that Tidemark connects as; others may have any",
        )
    kept = kept_table(store, freshness)
    query = unmarked(view.create).removeprefix(f"CREATE VIEW {store.dialect.quote(view.name)} AS ")
    shown = tuple(
        Column(output.name, output.type, False, collation=output.collation, comparable=output.comparable)
        for output in outputs
    )
    return kept, Table(path[0], view.name, "view", shown, definition=query, keeps=kept.keeps)


def kept_table(store: Store, freshness: str) -> Table:
    """The store alone."""
    quote, names = store.dialect.quote, store.names
    columns = [Column(part.name, part.type, not part.nullable, collation=part.collation) for part in store.key]
    columns += [
        Column(part.name, part.type, part.kind == "additive", collation=part.collation, comparable=part.comparable)
        for part in store.parts
    ]
    terms = tuple(part.name for part in store.key)
    key = Unique(
        names.plain("unique"),
        terms,
        tuple(quote(name) for name in terms),
        primary=not store.nullable,
        collations=tuple(part.collation for part in store.key),
    )
    return Table(
        store.dialect.schema,
        names.plain(""),
        "table",
        tuple(columns),
        (key,),
        (Index(key.name, terms),),
        without_rowid=not store.dialect.has_schemas and not store.nullable,
        keeps=Kept(names.derived, names.generation, freshness),
    )
