"""SQLite: the store, the view, and the row triggers that keep a linear program true at every commit.

Owns: every piece of a linear program on SQLite. Promises: triggers touch only our own tables; a store without NULL keys is
clustered by its key; the public view has exactly the declared columns and refuses writes with a sentence.
"""

from __future__ import annotations

from tidemark.contract.script import Piece, mark
from tidemark.maintenance.program import Feed, LinearProgram
from tidemark.model import Table
from tidemark.names import Names
from tidemark.render.sqlite import counting, identity, rows
from tidemark.render.sqlite import stash as sqlite_stash
from tidemark.render.store import Store
from tidemark.render.tables import numbered_index, store_pieces


def linear_pieces(
    program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` has no meaning here."""
    found = store_pieces(store)
    for table, feeds in _sources(program):
        found += capture(store, program, table, feeds)
    found += user_indexes(program, store, indexes)
    found += view(program, store)
    return tuple(found)


def added_pieces(
    program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything but what captures: ticks add the changes."""
    return (*store_pieces(store), *user_indexes(program, store, indexes), *view(program, store))


def _sources(program: LinearProgram) -> list[tuple[Table, tuple[Feed, ...]]]:
    return [
        (table, tuple(feed for feed in program.feeds if feed.table.label == table.label)) for table in program.captured
    ]


def user_indexes(program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...]) -> list[Piece]:
    """Indexes on the stored rows, over the expressions that readers see."""
    found = []
    by_name = {one.name: one for one in program.visible}
    for number, columns in enumerate(indexes, start=1):
        found.append(numbered_index(store, number, ", ".join(by_name[name].sql.replace("s.", "") for name in columns)))
    return found


def view(program: LinearProgram, store: Store) -> list[Piece]:
    """The public name: exactly the declared columns, and a clear error for whoever writes to it."""
    quote = store.dialect.quote
    shown = ",\n  ".join(f"{one.sql} AS {quote(one.name)}" for one in program.visible)
    where = f"\nWHERE {program.present}"
    return public_view(store.names, f"SELECT\n  {shown}\nFROM {store.names.store} AS s{where}")


def public_view(names: Names, select: str) -> list[Piece]:
    """The view of a derived table and the triggers that explain why it cannot be written."""
    derived, public = names.derived, names.public
    create = mark(f"CREATE VIEW {public} AS ", select)
    found = [Piece("view", derived, create, f"DROP VIEW IF EXISTS {public}", public=True)]
    message = names.dialect.literal(f"{derived} is derived and kept by Tidemark: write to its sources instead")
    for event in ("INSERT", "UPDATE", "DELETE"):
        name = names.own("readonly", event.lower())
        text = mark(
            f"CREATE TRIGGER {name} INSTEAD OF {event} ON {public} BEGIN ", f"SELECT RAISE(ABORT, {message}); END"
        )
        drop = f"DROP TRIGGER IF EXISTS {name}"
        found.append(Piece("trigger", names.plain("readonly", event.lower()), text, drop, on=derived, public=True))
    return found


def capture(store: Store, program: LinearProgram, table: Table, feeds: tuple[Feed, ...]) -> list[Piece]:
    """The triggers on one source."""
    reads = tuple(dict.fromkeys(name for feed in feeds for name in feed.reads))
    counts = [feed for feed in feeds if counting.are_counted(store, feed)]
    others = [feed for feed in feeds if feed not in counts]
    enter = [*counting.entering(store, counts, "NEW"), *(rows.entering(store, feed, "NEW") for feed in others)]
    leave = [*counting.leaving(store, counts, "OLD")]
    leave += [statement for feed in others for statement in rows.leaving(store, feed, "OLD")]
    leave += [one for feed in feeds for one in rows.respelling(store, program, feed, "OLD")]
    move = [*counting.moving(store, counts)]
    move += [statement for feed in others for statement in rows.moving(store, program, feed)]
    names, dialect = store.names, store.dialect
    if table.echoes:
        same = identity.same_row(table, "t", "NEW", dialect, old=True)
        move += [one for feed in feeds for one in rows.overtaken(store, program, feed, same)]

    def take_back(victims: str) -> list[str]:
        return [one for feed in feeds for one in rows.replaced(store, program, feed, victims)]

    def give(condition: str) -> list[str]:
        return [rows.entering(store, feed, "OLD", condition) for feed in feeds]

    stash = sqlite_stash.stash_pieces(names, dialect, table, reads, take_back, give)
    if stash:
        anew = [one for feed in feeds for one in rows.spelled_anew(store, program, feed, "NEW")]
        enter, move = [*enter, *anew], [*move, *anew]
    # A support is written whenever its source is, and mostly nothing that is counted there comes or goes.
    counted = table.keeps is not None and all(part.kind == "additive" for feed in feeds for part in feed.parts)
    when = rows.counts_otherwise(store, feeds) if counted else rows.changed(table, reads)
    found = [rows.trigger(names, dialect, table, "insert", None, enter)]
    # Rows of a pruned source that are deleted stay counted.
    found += [] if table.pruned else [rows.trigger(names, dialect, table, "delete", None, leave)]
    found.append(rows.trigger(names, dialect, table, "update", when, move, of=rows.assigned(table, reads)))
    return found + stash
