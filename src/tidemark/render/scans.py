"""Scans: how rows of a source without triggers get into a slice, by their positions, and when there is something to scan.

Owns: the `SourceScan` of a keyed program's source, and what is said about it. Promises: every comparison of positions is the
engine's own, by the column's type and collation, and reaches the column's index; a slice holds whole positions, or rows of one
position alone.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.contract.scans import SourceScan
from tidemark.contract.script import Script
from tidemark.contract.ways import Reach
from tidemark.dialect import Dialect
from tidemark.maintenance.program import KeyedProgram
from tidemark.model import Column, Declaration, Table, Unique
from tidemark.names import Names, ledger
from tidemark.render.affected import affected
from tidemark.render.changes import keep
from tidemark.render.images import image
from tidemark.render.slices import slices_of
from tidemark.render.statements import qualified
from tidemark.render.store import Store

VERIFY_SECONDS = 3600.0


def source_scan(store: Store, program: KeyedProgram, table: Table) -> SourceScan:
    """How one source is scanned for a program."""
    dialect, names = store.dialect, store.names
    identity = _identity(table, dialect)
    wanted = {*program.reads[table.label], table.watermark, *identity}
    columns = tuple(column.name for column in table.columns if column.name in wanted)
    slice_ = names.temporary(f"slice_{table.label}")
    rows, at = f"{qualified(table, dialect)} AS t", f"t.{dialect.quote(table.watermark)}"
    place = dialect.quote(image(table.watermark))
    mark, target = _known(names, table, "mark"), _known(names, table, "target")
    inside, settled = _known(names, table, "inside"), _known(names, table, "settled")
    copied = ", ".join(["weight", *(dialect.quote(image(name)) for name in columns)])
    into = f"INSERT INTO {slice_} ({copied}) SELECT {', '.join(['1', *(f't.{dialect.quote(n)}' for n in columns)])}"
    ordered = f"ORDER BY {at} LIMIT :limit"
    own = [f"t.{dialect.quote(name)}" for name in identity]
    here = f"{into} FROM {rows} WHERE {at} = {inside}"
    by_identity = f"ORDER BY {', '.join(own)} LIMIT :limit" if own else ""
    back = f"{mark} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM {rows} WHERE {at} >= {mark})"
    return SourceScan(
        source=table.label,
        table=qualified(table, dialect),
        watermark=table.watermark,
        marks=table.stated.marks if table.stated else "now",
        high=f"SELECT {_text(dialect, at)} FROM {rows}{_begun(table, dialect, at)} ORDER BY {at} DESC LIMIT 1",
        slice=slice_,
        create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({slices_of(dialect).definition(table, columns)})",
        clear_slice=f"DELETE FROM {slice_}",
        affected=(
            *(
                statement
                for way in program.routes
                if way.changed.table.label == table.label
                for statement in affected(store, program, way)
            ),
            *(Reach(text) for text in keep(store, program, table)),
        ),
        take=f"{into} FROM {rows} WHERE {at} > {mark} AND {at} <= {target} {ordered}",
        take_first=f"{into} FROM {rows} WHERE {at} <= {target} {ordered}",
        is_one=f"SELECT CASE WHEN {_end(slice_, place, 'ASC')} = {_end(slice_, place, 'DESC')} THEN 1 ELSE 0 END",
        cut=f"DELETE FROM {slice_} WHERE {place} = {_end(slice_, place, 'DESC')}",
        place=place,
        take_inside=f"{here} {by_identity}".rstrip(),
        take_more=f"{here} AND ({', '.join(own)}) > ({_places(table, dialect, identity)}) {by_identity}" if own else "",
        last=_last(dialect, slice_, identity) if own else "",
        identity=identity,
        waiting=f"({_beyond(rows, at, mark)} OR ({back}))",
        is_back=back,
        ready=f"({_beyond(rows, at, mark, settled)} OR ({back}))",
        # A condition on the mark alone is asked once, and not for each row.
        count=f"SELECT count(*) FROM (SELECT 1 FROM {rows} WHERE {at} > {mark} UNION ALL "
        f"SELECT 1 FROM {rows} WHERE {mark} IS NULL LIMIT :limit) AS counted",
        unseen=_unseen(program, table, identity),
    )


def notes(scans: tuple[SourceScan, ...]) -> tuple[str, ...]:
    """What a reader has to know about scans, in sentences."""
    return tuple(
        f"it is eventually verified: {scan.source} is scanned by {scan.watermark}, and scheduled verification finds what no "
        "scan sees"
        for scan in scans
    )


def scheduled(script: Script, declaration: Declaration) -> Script:
    """The script with the verification that is part of scanning, where a source is scanned and nothing else is declared."""
    if not script.scans or declaration.verify is not None:
        return script
    return replace(script, verify_seconds=VERIFY_SECONDS, repairs=True)


def _known(names: Names, table: Table, what: str) -> str:
    """What the ledger knows of a scan, as a value of the watermark's type; NULL where it knows nothing."""
    dialect = names.dialect
    column = table.column(table.watermark)
    value = f"CAST({what} AS {column.type})" if dialect.types_are_fixed and column is not None else what
    return (
        f"(SELECT {value} FROM {ledger(dialect, 'mark')} WHERE derived = {dialect.literal(names.derived)} "
        f"AND generation = {names.generation} AND source = {dialect.literal(table.label)})"
    )


def _text(dialect: Dialect, value: str) -> str:
    """A position as the ledger keeps it: as it is where a column may hold any value, else as text."""
    return f"CAST({value} AS text)" if dialect.types_are_fixed else value


def _begun(table: Table, dialect: Dialect, at: str) -> str:
    """A condition that leaves out the positions that a transaction in progress may still give: ``now()`` is when it began."""
    column = table.column(table.watermark)
    if dialect.writers_wait_in_line or column is None or not column.type.endswith("with time zone"):
        return ""
    oldest = (
        "SELECT min(a.xact_start) FROM pg_catalog.pg_stat_activity AS a "
        "WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()"
    )
    return f" WHERE {at} < coalesce(({oldest}), 'infinity')"


def _end(slice_: str, place: str, order: str) -> str:
    return f"(SELECT {place} FROM {slice_} ORDER BY {place} {order} LIMIT 1)"


def _beyond(rows: str, at: str, mark: str, upto: str = "") -> str:
    """True when there are rows after the mark, up to a position if one is given; where there is no mark, any row counts."""
    bound = f" AND {at} <= {upto}" if upto else ""
    first = f" WHERE {at} <= {upto}" if upto else ""
    return (
        f"EXISTS (SELECT 1 FROM {rows} WHERE {at} > {mark}{bound}) "
        f"OR ({mark} IS NULL AND EXISTS (SELECT 1 FROM {rows}{first}))"
    )


def _places(table: Table, dialect: Dialect, identity: tuple[str, ...]) -> str:
    """The parameters of a row's identity, typed where the engine has to be told."""
    types = {column.name: column.type for column in table.columns}
    if not dialect.types_are_fixed:
        return ", ".join(f":p{number}" for number in range(len(identity)))
    return ", ".join(f"CAST(CAST(:p{number} AS text) AS {types[name]})" for number, name in enumerate(identity))


def _last(dialect: Dialect, slice_: str, identity: tuple[str, ...]) -> str:
    columns = [dialect.quote(image(name)) for name in identity]
    values = ", ".join(_text(dialect, column) for column in columns)
    order = ", ".join(f"{column} DESC" for column in columns)
    return f"SELECT {values} FROM {slice_} ORDER BY {order} LIMIT 1"


def _identity(table: Table, dialect: Dialect) -> tuple[str, ...]:
    """Columns by which the rows of one position stand in an order without ties; none where nothing promises that."""
    for unique in sorted(table.uniques, key=lambda one: not one.primary):
        columns = [table.column(term) if term is not None else None for term in unique.terms]
        if unique.where is None and all(c is not None and (c.not_null or c.rowid_alias) for c in columns):
            told = [column for column in columns if column is not None]
            if _tells_apart(dialect, unique, told):
                return tuple(column.name for column in told)
    return ()


def _tells_apart(dialect: Dialect, unique: Unique, columns: list[Column]) -> bool:
    """Whether values that the index tells apart differ in the columns' own comparison, too. One without a collation tells apart
    whatever does not have the same letters."""
    collations = unique.collations or (None,) * len(columns)
    return all(
        column.collation is None or dialect.fold(mine or "BINARY") == dialect.fold(column.collation)
        for mine, column in zip(collations, columns, strict=True)
    )


def _unseen(program: KeyedProgram, table: Table, identity: tuple[str, ...]) -> tuple[str, ...]:
    """What of a source no scan sees, in sentences."""
    found = [f"a row of {table.label} that comes with a position at or below the mark"]
    if table.append_only:
        return tuple(found)
    found.append(f"a row of {table.label} that is deleted, or changed without a higher {table.watermark}")
    moving: dict[str, None] = {}
    for way in program.routes:
        if way.changed.table.label == table.label:
            for scalar in way.scalars:
                names = sorted(name for alias, name in scalar.columns if alias == way.changed.alias)
                moving.update((name, None) for name in names if name not in identity)
    if moving:
        found.append(
            f"what a row of {table.label} belonged to before {', '.join(moving)} changed; what it belongs to then is seen"
        )
    return tuple(found)
