"""PostgreSQL: the store, logs, dirty set and capture of a keyed program.

Owns: every piece of a keyed program on PostgreSQL. Promises: a changed row leaves its images in the log of its source,
stamped with its transaction; nothing is computed on the writer's path; TRUNCATE leaves a marker that makes every key dirty.
"""

from __future__ import annotations

from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Table
from tidemark.render import postgres
from tidemark.render.images import image, log_columns, log_definition
from tidemark.render.postgres_capture import event_pieces, has_equality, pinned_settings, truncate_pieces
from tidemark.render.statements import ORDINAL, Store
from tidemark.render.units import unit_index
from tidemark.script import Piece


def keyed_pieces(
    program: KeyedProgram, store: Store, indexes: tuple[tuple[str, ...], ...], path: tuple[str, ...]
) -> tuple[Piece, ...]:
    """Everything that installation creates, in order."""
    quote = store.dialect.quote
    settings = pinned_settings(path, program.watched)
    found = [postgres.store_table(store), postgres.unique_index(store)]
    for number, columns in enumerate(indexes, start=1):
        found.append(postgres.index_piece(store, number, ", ".join(quote(name) for name in columns)))
    by_unit = unit_index(store)
    found += [postgres.index_piece(store, "unit", by_unit)] if by_unit else []
    found += _dirty(store)
    for table in program.watched:
        found += _log(store, program, table, settings)
    shown = ", ".join(f"s.{quote(output.name)}" for output in program.block.outputs)
    select = f"SELECT {shown} FROM {store.names.store} AS s"
    return (*found, *postgres.public_view(store.names, store.dialect, program.name, select))


def _dirty(store: Store) -> list[Piece]:
    names, store = store.names, store.units
    dirty, plain = names.own("dirty"), postgres.named(names, "dirty")
    keys = ", ".join(store.definition(part) for part in store.key)
    nulls = " NULLS NOT DISTINCT" if store.nullable else ""
    create = f"CREATE TABLE {dirty} ({ORDINAL} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, {keys})"
    index = f"CREATE UNIQUE INDEX {names.bare('dirty_unique')} ON {dirty} ({store.key_list}){nulls}"
    return [
        Piece("table", plain, create, f"DROP TABLE IF EXISTS {dirty}"),
        Piece(
            "index",
            postgres.named(names, "dirty_unique"),
            index,
            f"DROP INDEX IF EXISTS {names.own('dirty_unique')}",
            on=plain,
        ),
    ]


def _log(store: Store, program: KeyedProgram, table: Table, settings: str) -> list[Piece]:
    """The log of one source, and what writes it."""
    names, dialect = store.names, store.dialect
    columns = log_columns(program, table)
    log, plain = names.own("log", table.label), postgres.named(names, "log", table.label)
    create = f"CREATE TABLE {log} ({log_definition(dialect, table, columns, for_slice=False)})"
    found = [Piece("table", plain, create, f"DROP TABLE IF EXISTS {log}")]
    by_row = table.kind == "partitioned" or table.subscribed
    into = f"INSERT INTO {log} ({', '.join(['weight', *(dialect.quote(image(name)) for name in columns)])})"
    quoted = ", ".join(dialect.quote(name) for name in columns)

    def images(weight: int, row: str, other: str, event: str) -> str:
        values = ", ".join([str(weight), *(f"{row}.{dialect.quote(name)}" for name in columns)])
        if by_row:
            return f"  {into} SELECT {values};\n"
        source = row
        if event == "update" and columns and all(has_equality(table, name) for name in columns):
            source = f"(SELECT {quoted} FROM {row} EXCEPT ALL SELECT {quoted} FROM {other}) AS {row}"
        return f"  {into} SELECT {values} FROM {source};\n"

    new, old = ("NEW", "OLD") if by_row else ("n", "o")
    for event in ("insert", "update", "delete"):
        body = "BEGIN\n"
        body += images(-1, old, new, event) if event != "insert" else ""
        body += images(1, new, old, event) if event != "delete" else ""
        found += event_pieces(names, table, event, body + "  RETURN NULL;\nEND", settings, columns, by_row=by_row)
    marker = f"BEGIN\n  INSERT INTO {log} (weight) VALUES (0);\n  RETURN NULL;\nEND"
    for schema, name in table.leaves or ((table.schema, table.name),):
        found += truncate_pieces(names, schema, name, marker, settings, timing="AFTER")
    return found
