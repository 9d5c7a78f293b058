"""PostgreSQL: the store, the view, and the memory of a linear program: what it remembers within a transaction.

Owns: tables, types, indexes, views of a linear program and the order of its pieces. Promises: a writer needs no right on any of
them; dropping in reverse order leaves no moment in which a writer could call what is gone.

One statement of a writer becomes one row of the pending table: an array of deltas, consolidated by key. That row is
transactional and belongs to us alone: savepoints, two-phase commit and procedures need no care, and no role can forge it.
After it is remembered, the transaction is armed; the arm's deferred constraint trigger flushes every derived table once, at
commit.
"""

from __future__ import annotations

from tidemark.contract.script import Piece
from tidemark.maintenance.program import LinearProgram
from tidemark.names import Names
from tidemark.render.postgres import arm, capture, flush, flush_crossed
from tidemark.render.postgres.settings import pinned_settings
from tidemark.render.postgres.triggers import dollar
from tidemark.render.store import Store
from tidemark.render.tables import index_piece, numbered_index, store_pieces


def linear_pieces(
    program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order. `path` are the schemas in which the user's functions are found."""
    settings = pinned_settings(path, *_types_and_texts(program))
    found = store_pieces(store)
    found += user_indexes(program, store, indexes)
    found += [delta_type(store, program), *pending_table(store)]
    crossed = program.crossed and not flush.is_additive(store)
    texts = (flush_crossed if crossed else flush).flush_texts(store, program)
    found += flush.flush_functions(store, texts, settings)
    reads = flush.read_ahead(program, store)
    found.append(arm.weave(store, reads, program.captured, program.shown_in))
    for table in program.captured:
        feeds = tuple(feed for feed in program.feeds if feed.table.label == table.label)
        found += capture.capture(store, program, table, feeds, settings)
    return (*found, *view(program, store))


def added_pieces(
    program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything but what captures: ticks add the changes."""
    return (*store_pieces(store), *user_indexes(program, store, indexes), *view(program, store))


def user_indexes(program: LinearProgram, store: Store, indexes: tuple[tuple[str, ...], ...]) -> list[Piece]:
    """Indexes on the stored rows, over the expressions that readers see."""
    by_name = {one.name: one.sql for one in program.visible}
    found = []
    for number, columns in enumerate(indexes, start=1):
        terms = ", ".join(f"({by_name[name].replace('s.', '')})" for name in columns)
        found.append(numbered_index(store, number, terms))
    return found


def _types_and_texts(program: LinearProgram) -> tuple[list[str], list[str]]:
    """The types of the columns that are read, and the texts of what is computed of them."""
    texts = [one.at("r") for feed in program.feeds for one in (*feed.key, *([feed.guard] if feed.guard else []))]
    texts += [one.at("r") for feed in program.feeds for part in feed.parts for one in (part.value, part.aggregate)]
    reads = {(feed.table.label, name) for feed in program.feeds for name in feed.reads}
    columns = ((table.label, column) for table in program.tables for column in table.columns)
    return [column.type for label, column in columns if (label, column.name) in reads], texts


def delta_type(store: Store, program: LinearProgram) -> Piece:
    """The composite type of one delta: a key and what it gained and lost."""
    fields = [store.definition(part) for part in store.key]
    for feed in program.feeds:
        fields += [f"{name} {type_}" for name, type_ in capture.delta_fields(store, feed)]
    name = store.names.own("delta")
    create = f"CREATE TYPE {name} AS (\n  " + ",\n  ".join(fields) + "\n)"
    return Piece("type", store.names.listed("delta"), create, f"DROP TYPE IF EXISTS {name}")


def pending_table(store: Store) -> list[Piece]:
    """One row for each writing statement, until its transaction commits. EXTERNAL storage spares compression."""
    names = store.names
    pending, plain = names.own("pending"), names.listed("pending")
    create = (
        f"CREATE UNLOGGED TABLE {pending} (xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(), "
        f"deltas {names.own('delta')}[] NOT NULL, waits boolean NOT NULL DEFAULT false)"
    )
    storage = f"ALTER TABLE {pending} ALTER COLUMN deltas SET STORAGE EXTERNAL"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {pending}"),
        Piece("step", f"{plain} storage", storage, "SELECT 1"),
        index_piece(names, "pending", ("pending_xid",), "xid"),
    ]


def view(program: LinearProgram, store: Store) -> list[Piece]:
    """The public name: exactly the declared columns, with the types that the query gives them."""
    quote = store.dialect.quote
    shown = ",\n  ".join(f"({one.sql})::{one.type} AS {quote(one.name)}" for one in program.visible)
    where = f"\nWHERE {program.present}"
    select = f"SELECT\n  {shown}\nFROM {store.names.store} AS s{where}"
    return public_view(store.names, select)


def public_view(names: Names, select: str) -> list[Piece]:
    """The view of a derived table and the trigger that explains why it cannot be written."""
    derived, public, label = names.derived, names.public, names.label(names.derived)
    function, trigger = names.own("readonly"), names.bare("readonly")
    message = names.dialect.literal(
        f"{derived} is derived and kept by Tidemark: write to its sources instead".replace("%", "%%")
    )
    body = f"BEGIN RAISE EXCEPTION {message} USING ERRCODE = 'feature_not_supported'; END"
    return [
        Piece("view", label, f"CREATE VIEW {public} AS {select}", f"DROP VIEW IF EXISTS {public}", public=True),
        Piece(
            "function",
            names.listed("readonly"),
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {dollar(body)}",
            f"DROP FUNCTION IF EXISTS {function}() CASCADE",
            public=True,
        ),
        Piece(
            "trigger",
            names.plain("readonly"),
            f"CREATE TRIGGER {trigger} INSTEAD OF INSERT OR UPDATE OR DELETE ON {public} "
            f"FOR EACH ROW EXECUTE FUNCTION {function}()",
            "SELECT 1",
            on=label,
            public=True,
        ),
    ]
