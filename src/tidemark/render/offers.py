"""A derived table as those see it that read it: its store as a source, its public view as a query over that.

Owns: `offers` and `kept_table`. Promises: the tables are what the catalog would show of them once they are installed, so that a
query over a derived table can be compiled before anything is there; a view that could not stand in its schema is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.script import Piece, unmarked
from tidemark.model import Catalog, Column, Index, Kept, OutputColumn, Table, Unique
from tidemark.query.home import check_home
from tidemark.render.store import Store


def offers(
    store: Store, pieces: Sequence[Piece], outputs: Sequence[OutputColumn], catalog: Catalog, freshness: str
) -> tuple[Table, ...]:
    """The store and the public view; nothing where the rows are shown in a table of the user's."""
    view = next((piece for piece in pieces if piece.public and piece.kind == "view"), None)
    if view is None:
        return ()
    names = store.names
    check_home(names.home, catalog)
    kept = kept_table(store, freshness)
    query = unmarked(view.create).removeprefix(f"CREATE VIEW {names.public} AS ")
    shown = tuple(
        Column(output.name, output.type, False, collation=output.collation, comparable=output.comparable)
        for output in outputs
    )
    return kept, Table(names.home, names.derived, "view", shown, definition=query, keeps=kept.keeps)


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
        without_rowid=bool(store.dialect.kept_in_key) and not store.nullable,
        keeps=Kept(names.derived, names.generation, freshness),
    )
