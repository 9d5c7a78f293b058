"""SQLite: rows that a trigger of the user's has written before the statement that fired it writes them.

Owns: the pieces that tell what such a row was last. A BEFORE trigger may write the very row that is about to be updated or
deleted. That write is told of like any; then the AFTER triggers of the statement are shown as OLD what the row was before both,
which was taken back already. So a BEFORE trigger of ours, which runs last of all (`tidemark.database.sqlite.reach`), looks for a
row that is not as OLD says and keeps an image of it, and an AFTER trigger, which runs first, puts OLD in the place of that image.
Promises: what follows may take OLD for what was counted last; a table on which no trigger of the user's does this has none of it.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.contract.script import Piece
from tidemark.dialect import Dialect
from tidemark.model import Table
from tidemark.names import Names
from tidemark.render.chains import any_of
from tidemark.render.sqlite import rows
from tidemark.render.sqlite.identity import definition, differs, is_at, places, prefix
from tidemark.render.statements import qualified


def seen_pieces(
    names: Names,
    dialect: Dialect,
    table: Table,
    reads: tuple[str, ...],
    take_back: Callable[[str], list[str]],
    give: Callable[[str], list[str]],
) -> list[Piece]:
    """The images of such rows of a source, and its triggers. `take_back` and `give` are those of its stash."""
    name, quote = names.own("seen", table.name), dialect.quote
    own = [f"{prefix(table)}{number}" for number in range(len(places(table)))]
    found = [quote(column) for column in places(table)]
    mine = " AND ".join(f"{one} IS OLD.{column}" for one, column in zip(own, found, strict=True))
    described = [*own, *(definition(table, column, dialect) for column in reads)]
    create = f"CREATE TABLE {name} ({', '.join(described)})"
    stored = Piece("table", names.plain("seen", table.name), create, f"DROP TABLE IF EXISTS {name}", on=table.name)
    other = any_of(differs("t", "OLD", table, reads, dialect)) or "0"
    written = f"FROM {qualified(table, dialect)} AS t WHERE {is_at(table, 't', 'OLD', dialect)} AND ({other})"
    columns = ", ".join([*own, *map(quote, reads)])
    values = ", ".join(f"t.{column}" for column in (*found, *map(quote, reads)))
    forget = f"DELETE FROM {name} WHERE {mine}"
    see = [forget, f"INSERT INTO {name} ({columns}) SELECT {values} {written}"]
    has, some = f"EXISTS (SELECT 1 FROM {name} WHERE {mine})", f"EXISTS (SELECT 1 FROM {name})"
    put = [*give(has), *take_back(f"FROM {name} AS v WHERE {' AND '.join(f'v.{one}' for one in mine.split(' AND '))}")]
    pieces = [stored]
    # Rows that are deleted from a pruned source stay counted as they were last.
    for event in ("update",) if table.pruned else ("update", "delete"):
        when = f"{some} OR EXISTS (SELECT 1 {written})"
        pieces.append(rows.trigger(names, dialect, table, f"seen_{event}", when, see, timing="BEFORE"))
        pieces.append(rows.trigger(names, dialect, table, f"unseen_{event}", has, [*put, forget]))
    return pieces
