"""What users state about sources, held against the catalog.

Owns: `state`, the catalog with the stated facts at the tables that they are about. Promises: a fact about a table or a column
that is not there, and a watermark that scans could not go by, are refused with the place where they were stated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidemark.errors import Code, Refusal
from tidemark.model import Catalog, Source, Table

_UNORDERED = frozenset(["json", "xml", "point", "line", "lseg", "box", "path", "polygon", "circle"])


def state(catalog: Catalog, sources: Iterable[Source]) -> Catalog:
    """The catalog with these facts. Raises `Refusal` (``unknown-table``, ``unknown-column``, ``watermark``, ``source-kind``)."""
    found = []
    for source in sources:
        table = _find(catalog, source)
        _check_watermark(table, source, ordered_by_type=catalog.search_path != ("",))
        found.append(replace(table, stated=source))
    return catalog.with_tables(found)


def _find(catalog: Catalog, source: Source) -> Table:
    schema, _, name = source.name.rpartition(".")
    table = catalog.find(source.name) or (catalog.find(name, schema) if schema else None)
    if table is None:
        raise Refusal(
            Code.UNKNOWN_TABLE,
            f"There is no table {source.name}, about which something is stated (at {source.place}).",
            instead="the name of a table, or no statement",
        )
    if table.kind not in ("table", "partitioned"):
        raise Refusal(
            Code.SOURCE_KIND,
            f"{source.name} is a {table.kind}, and facts are stated about tables (at {source.place}).",
            instead="the tables that it reads",
        )
    return table


def _check_watermark(table: Table, source: Source, *, ordered_by_type: bool) -> None:
    if source.capture != "scan":
        return
    column = table.column(source.watermark)
    if column is None:
        raise Refusal(
            Code.UNKNOWN_COLUMN,
            f"{source.name} has no column {source.watermark} to scan by (at {source.place}).",
            instead=f"one of: {', '.join(one.name for one in table.columns)}",
        )
    if not column.not_null and not column.rowid_alias:
        raise _refuse(source, f"{source.watermark} can be NULL, and no scan would find such a row", "a NOT NULL column")
    if ordered_by_type and column.type in _UNORDERED:
        raise _refuse(
            source, f"{source.watermark} is of type {column.type}, which has no order", "a column with an order"
        )


def _refuse(source: Source, problem: str, instead: str) -> Refusal:
    return Refusal(Code.WATERMARK, f"{source.name} cannot be scanned: {problem} (at {source.place}).", instead=instead)
