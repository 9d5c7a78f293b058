"""What a script says of its supports, and what a support is to the one that reads it.

Owns: `as_support`, `reasons_of`, `missing_of`. Promises: a support has no public name; a stage is read as its view would show it,
which is never there.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.contract.script import MissingIndex, Script
from tidemark.model import EXPRESSION, Declaration, Index, Table
from tidemark.names import is_stage, shorten
from tidemark.render.crossings import Shown
from tidemark.render.made import Made
from tidemark.render.offers import kept_table


def as_support(script: Script, declaration: Declaration, shown: Shown) -> Script:
    """The script of a support: no name is public, and who reads it reads its store."""
    store, pieces = shown.store, tuple(piece for piece in script.pieces if not piece.public)
    offered: tuple[Table, ...] = (kept_table(store, script.freshness),)
    if is_stage(script.name):
        kept, view = script.offers
        indexes = tuple(_index(names, number, shown) for number, names in enumerate(declaration.indexes, start=1))
        view = replace(view, name=shorten(view.name, store.dialect.name_bytes_max))
        offered = (replace(kept, indexes=(*kept.indexes, *indexes)), view)
    return replace(script, pieces=pieces, public=script.store, offers=offered, supports=declaration.supports)


def _index(names: tuple[str, ...], number: int, shown: Shown) -> Index:
    """A declared index over what is stored."""
    texts = dict(shown.visible)
    return Index(shown.store.names.plain("index", str(number)), tuple(_term(texts[name]) for name in names))


def _term(text: str) -> str:
    """A column by its name, and what is made of columns as an expression of the row itself."""
    bare = text.strip("()")
    is_column = bare.startswith('s."') and bare.endswith('"') and bare.count('"') == 2
    return bare[3:-1] if is_column else EXPRESSION + text.replace('s."', '"')


def reasons_of(declaration: Declaration) -> tuple[str, ...]:
    """Why a derived table has the supports that it has."""
    if not declaration.supported_by:
        return ()
    stages = [name for name in declaration.supported_by if is_stage(name)]
    values = [name for name in declaration.supported_by if not is_stage(name)]
    told = [("the rows that are taken together are", stages), ("how often each value occurs is", values)]
    kept = ", and ".join(f"{what} kept in {', '.join(names)}" for what, names in told if names)
    return (f"{kept}, because {declaration.why_supported}",)


def missing_of(made: Made, declaration: Declaration) -> tuple[MissingIndex, ...]:
    """The indexes that are missing: a stage has those that it needs."""
    stages = {name for name in declaration.supported_by if is_stage(name)}
    tables = {table.label for table in made.tables if table.keeps is not None and table.keeps.derived in stages}
    return tuple(one for one in made.missing if one.table not in tables)
