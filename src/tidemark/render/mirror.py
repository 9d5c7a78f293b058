"""The applier's and cutover's statements for a mirror in a user's table; the same on both engines.

Owns: comparison of the mirror with the truth, its repair for a batch. Promises: only mirrored columns and
only our rows are ever written, and only where they differ.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.contract.script import Applier
from tidemark.contract.tick import Tick
from tidemark.contract.ways import Catchup, Newcomers, Whole
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.mirror import Mirror, literal_test
from tidemark.maintenance.program import KeyPart, Part
from tidemark.model import Column
from tidemark.render import statements
from tidemark.render.statements import EVERYTHING, ORDINAL, qualified
from tidemark.render.store import Store


def mirrored(applier: Applier, store: Store, mirror: Mirror) -> Applier:
    """The applier that also compares and writes the mirror."""
    carry = applier.carry
    if carry is not None and mirror.owns_rows:
        carry = replace(carry, adopt=(_adopt(store, mirror),))
    # A row of the user's table is looked up for each key of the batch, however big the table is.
    on, free = ((), ()) if store.nullable else store.phrases.steer()
    return replace(
        applier,
        carry=carry,
        recompute=(*applier.recompute, *on),
        looked_up=(*(one for one in applier.looked_up if one not in (*on, *free)), *on) if applier.looked_up else (),
        compare=f"{applier.compare} {_compare(applier, store, mirror)}",
        write=(*applier.write, *_write(store, mirror), *free),
        list_keys=(*applier.list_keys, *_todo(store, mirror)),
        gather=(*applier.gather, *_gather(store, mirror)),
        whole=_whole(applier, store, mirror),
        # Rows of ours in the user's table may have keys that neither query nor store knows.
        pages=None if mirror.owns_rows else applier.pages,
    )


def _whole(applier: Applier, store: Store, mirror: Mirror) -> Whole | None:
    """Everything at once: what is put there shows in the user's table too, and a verification also suspects the rows which that
    shows otherwise; None where it may have keys for which PostgreSQL has no hash: then every key is compared. Rows that are ours
    are never put there as a whole, since some of them may be there."""
    whole = applier.whole
    if whole is None or store.finds_nulls_apart:
        return None
    if mirror.owns_rows:
        return replace(whole, suspects=(*whole.suspects, *_suspect_rows(store, mirror)), rows=(), alone=(), adding=None)
    todo, keys = store.names.temporary("todo"), store.units.key_list
    rows = f"{store.names.store} AS s JOIN {qualified(mirror.table, store.dialect)} AS t ON {match(store, mirror, 't', 's')}"
    units = ", ".join(f"s.{store.units.column(part)}" for part in store.units.key)
    shown = (
        f"INSERT INTO {todo} ({keys}) SELECT * FROM (SELECT {units} FROM {rows} "
        f"WHERE {mirror.present} AND ({differs(store, mirror, 't')}) EXCEPT SELECT {keys} FROM {todo}) AS d"
    )
    some = f"(SELECT * FROM {store.names.temporary('fresh')} WHERE {ORDINAL} > :low AND {ORDINAL} <= :high) AS s"
    adding = whole.adding and replace(whole.adding, catchup=_catchup(store, mirror))
    return replace(
        whole, suspects=(*whole.suspects, shown), copy=(*whole.copy, update(store, mirror, some)), adding=adding
    )


def carried(tick: Tick, store: Store, mirror: Mirror) -> Tick:
    """The tick that also has rows show what is stored which came into the user's table since the last one."""
    if not mirror.owns_rows:
        # What columns of the user's show is written with the batch that it belongs to; rows of ours are carried as they change.
        tick = replace(tick, full=None)
    if mirror.owns_rows or store.dialect.writers_wait_in_line:
        return tick
    came = store.names.own("came")
    on, _ = ((), ()) if store.nullable else store.phrases.steer()
    here = store.match("s", [f"k.{store.column(part)}" for part in store.key])
    rows = f"(SELECT s.* FROM (SELECT DISTINCT {store.key_list} FROM come) AS k JOIN {store.names.store} AS s ON {here}) AS s"
    waiting = f"EXISTS (SELECT 1 FROM {came})"
    show = (
        f"WITH come AS (DELETE FROM {came} WHERE ctid = ANY (ARRAY(SELECT c.ctid FROM {came} AS c LIMIT :limit)) "
        f"RETURNING {store.key_list}), shown AS ({update(store, mirror, rows)} RETURNING 1) SELECT count(*) FROM come"
    )
    newcomers = Newcomers(f"SELECT count(*) FROM {came}", tuple(on), show)
    ready = f"{tick.ready} OR {waiting}" if tick.ready else ""
    return replace(tick, waiting=f"{tick.waiting} OR {waiting}", ready=ready, newcomers=newcomers)


def _catchup(store: Store, mirror: Mirror) -> Catchup:
    """Bring the user's rows up to what is stored, without waiting for anybody while a row is locked: a writer who has changed a
    row of the user's comes to ours at commit, and one who has changed ours goes on to the user's."""
    todo, batch = store.names.temporary("todo"), store.names.temporary("batch")
    stored, table, keys = store.names.store, qualified(mirror.table, store.dialect), store.key_list
    shown, listed = (store.key_of(row) for row in ("s", "k"))
    on, free = store.phrases.steer()
    within = f"k.{ORDINAL} > :low AND k.{ORDINAL} <= :high"
    had = f"{todo} AS k"
    if not store.dialect.writers_wait_in_line:
        here = store.match("s", [f"k.{store.column(part)}" for part in store.key])
        had += f" JOIN {table} AS t ON {match(store, mirror, 't', 'k')} JOIN {stored} AS s ON {here}"
        within += f" ORDER BY k.{ORDINAL} FOR NO KEY UPDATE OF t, s SKIP LOCKED"
    first = store.column(store.parts[0])
    ours = store.join("s", [f"b.{store.column(part)}" for part in store.key])
    return Catchup(
        find=(
            store.phrases.clear_list(todo),
            f"INSERT INTO {todo} ({keys}) SELECT {shown} FROM {stored} AS s JOIN {table} AS t "
            f"ON {match(store, mirror, 't', 's')} WHERE {mirror.present} AND ({differs(store, mirror, 't')}) ORDER BY {shown}",
        ),
        take=(
            *on,
            f"INSERT INTO {batch} ({ORDINAL}, {keys}) "
            f"SELECT * FROM (SELECT k.{ORDINAL}, {listed} FROM {had} WHERE {within}) AS k",
        ),
        # Not locked alone, but written: a writer who sees one moment throughout is told so by the engine, and begins again.
        carry=(
            f"UPDATE {stored} AS s SET {first} = s.{first} FROM {store.phrases.few(batch)} AS b WHERE {ours}",
            *free,
        ),
    )


def _suspect_rows(store: Store, mirror: Mirror) -> tuple[str, ...]:
    """List the units of stored rows that the user's table does not show as they are, and of rows of ours that it shows although
    none is stored."""
    todo, table = store.names.temporary("todo"), qualified(mirror.table, store.dialect)
    keys, units = store.units.key_list, ", ".join(f"s.{store.units.column(part)}" for part in store.units.key)
    same = f"SELECT 1 FROM {table} AS t WHERE {match(store, mirror, 't', 's')} AND NOT ({differs(store, mirror, 't')})"
    known = f"SELECT 1 FROM {store.names.store} AS s WHERE {match(store, mirror, 't', 's')} AND {mirror.present}"
    ours = literal_test(mirror, "t", store.dialect).removeprefix(" AND ")
    other = (
        f"SELECT {units} FROM {store.names.store} AS s WHERE {mirror.present} AND NOT EXISTS ({same})",
        f"SELECT {', '.join(_unit_of_row(store, mirror))} FROM {table} AS t WHERE {ours} AND NOT EXISTS ({known})",
    )
    return tuple(
        f"INSERT INTO {todo} ({keys}) SELECT * FROM ({one} EXCEPT SELECT {keys} FROM {todo}) AS d" for one in other
    )


def _adopt(store: Store, mirror: Mirror) -> str:
    """Take our rows of the user's table into the store, as what is remembered from before."""
    quote = store.dialect.quote
    values = {name: f"t.{quote(column)}" for column, name in mirror.key}
    values |= {value.column.name: f"t.{quote(value.column.name)}" for value in mirror.values} | dict(mirror.constants)
    columns, taken = [], []
    parts: tuple[KeyPart | Part, ...] = (*store.key, *store.parts)
    for part in parts:
        if part.name in values:
            columns.append(store.column(part))
            taken.append(store.dialect.typed(values[part.name], part.type))
    where = literal_test(mirror, "t", store.dialect).removeprefix(" AND ")
    return (
        f"INSERT INTO {store.names.store} ({', '.join(columns)}) SELECT {', '.join(taken)} "
        f"FROM {qualified(mirror.table, store.dialect)} AS t WHERE {where} ON CONFLICT ({store.conflict}) DO NOTHING"
    )


def match(store: Store, mirror: Mirror, row: str, stored: str) -> str:
    """True when a row of the user's table is the mirror of that stored row."""
    quote = store.dialect.quote
    equal = store.dialect.null_safe_equal
    pairs = [
        f"{row}.{quote(column)} {equal if _may_be_null(mirror, part, column) else '='} {stored}.{quote(name)}"
        for (column, name), part in zip(mirror.key, store.key, strict=True)
    ]
    return " AND ".join(pairs) + literal_test(mirror, row, store.dialect)


def differs(store: Store, mirror: Mirror, row: str) -> str:
    """True when a mirrored column is not what is visible in ``s``."""
    tests = []
    for value in mirror.values:
        column = f"{row}.{store.dialect.quote(value.column.name)}"
        tests.append(_is_other(store, value.column, column, shown(store, value.sql, value.column.type)))
    return " OR ".join(tests) or "1 = 0"


def _is_sure(store: Store, column: Column) -> bool:
    return has_one_spelling(column.type, column.collation, store.dialect)


def _is_other(store: Store, column: Column, there: str, here: str) -> str:
    """True when a column of the user's table is not that value, or is spelled otherwise than it is there."""
    if _is_sure(store, column):
        return f"{there} {store.dialect.null_safe_differs} {here}"
    return f"NOT ({store.phrases.spelled_alike(there, here, column.type, is_typed=bool(column.type))})"


def shown(store: Store, sql: str, type_: str) -> str:
    """The visible expression as the user's column holds it."""
    return f"({sql}){store.dialect.cast(type_)}"


def _compare(applier: Applier, store: Store, mirror: Mirror) -> str:
    """More branches of the comparison: what the user's table shows against the truth."""
    quote = store.dialect.quote
    fresh, stored = store.names.temporary("fresh"), store.names.temporary("stored")
    table = qualified(mirror.table, store.dialect)
    by_name = {value.column.name: value for value in mirror.values}
    parts = {part.name for part in store.parts}
    there, here = [], []
    for name in applier.compared_columns:
        value = by_name.get(name)
        if value is not None:
            there.append(f"t.{quote(name)}")
            here.append(shown(store, value.sql, value.column.type))
        elif name in parts:
            there.append(f"x.{quote(name)}")
            here.append(f"s.{quote(name)}")
        else:
            there.append("NULL")
            here.append("NULL")
    keys = store.key_of("s")
    join = f"FROM {fresh} AS s JOIN {stored} AS x ON x.{ORDINAL} = s.{ORDINAL}"
    found = (
        f"UNION ALL SELECT 'different', {', '.join([keys, *there, *here])} {join} "
        f"JOIN {table} AS t ON {match(store, mirror, 't', 's')} "
        f"WHERE {mirror.present} AND {store.same('x', 's')} AND ({differs(store, mirror, 't')})"
    )
    if not mirror.owns_rows:
        return found
    nulls = ", ".join("NULL" for _ in there)
    keys_of_batch = store.key_of("b")
    ours = [name if name.startswith("t.") else "NULL" for name in there]
    return (
        f"{found} UNION ALL SELECT 'missing', {keys}, {nulls}, {', '.join(here)} {join} "
        f"WHERE {mirror.present} AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {match(store, mirror, 't', 's')}) "
        f"UNION ALL SELECT 'extra', {', '.join([keys_of_batch, *ours])}, {nulls} "
        f"FROM {store.numbered} AS b JOIN {table} AS t ON {match(store, mirror, 't', 'b')} "
        f"WHERE NOT EXISTS (SELECT 1 FROM {stored} AS x WHERE x.{ORDINAL} = b.{ORDINAL}) "
        f"AND NOT EXISTS (SELECT 1 FROM {fresh} AS s WHERE s.{ORDINAL} = b.{ORDINAL} AND {mirror.present})"
    )


def _write(store: Store, mirror: Mirror) -> list[str]:
    """Make the mirror of the batch equal to ``fresh``: what triggers on the store did not have to."""
    fresh = f"{store.names.temporary('fresh')} AS s"
    if not mirror.owns_rows:
        return [update(store, mirror, fresh)]
    table, batch = qualified(mirror.table, store.dialect), store.numbered
    vanished = f"NOT EXISTS (SELECT 1 FROM {fresh} WHERE s.{ORDINAL} = b.{ORDINAL} AND {mirror.present})"
    may_be_null = any(_may_be_null(mirror, part, one) for part, (one, _) in zip(store.key, mirror.key, strict=True))
    if may_be_null or not mirror.key:
        gone = f"EXISTS (SELECT 1 FROM {batch} AS b WHERE {match(store, mirror, table, 'b')} AND {vanished})"
    elif store.dialect.planner.joins_exists:
        rows, found = given(store, mirror, f"{batch} AS b", "b", vanished)
        gone = f"EXISTS (SELECT 1 FROM {rows} WHERE {found})"
    else:
        # The whole table would be gone through for an EXISTS; what IN lists is, by the table's key.
        quote, pairs = store.dialect.quote, mirror.key
        columns, keys = ", ".join(quote(one) for one, _ in pairs), ", ".join(f"b.{quote(name)}" for _, name in pairs)
        gone = f"({columns}) IN (SELECT {keys} FROM {batch} AS b WHERE {vanished}){literal_test(mirror, table, store.dialect)}"
    return [f"DELETE FROM {table} WHERE {gone}", upsert(store, mirror, fresh)]


def given(store: Store, mirror: Mirror, source: str, row: str, where: str) -> tuple[str, str]:
    """On PostgreSQL a FROM item `row` with the rows of `source` where that is true, and the condition that a row of the user's
    table is the mirror of one of them. What tells our rows apart comes from there, too: a planner that was told the constants
    would go through all rows that have them, where it takes these for few."""
    table, quote = qualified(mirror.table, store.dialect), store.dialect.quote
    if not mirror.key or any(
        _may_be_null(mirror, part, one) for part, (one, _) in zip(store.key, mirror.key, strict=True)
    ):
        return f"(SELECT * FROM {source} WHERE {where}) AS {row}", match(store, mirror, table, row)
    constants, tests = [], [f"{table}.{quote(column)} = {row}.{quote(name)}" for column, name in mirror.key]
    for number, (column, value) in enumerate(mirror.constants):
        constants.append(f"{_typed(store, mirror, column, value)} AS tidemark_c{number}")
        tests.append(f"{table}.{quote(column)} = {row}.tidemark_c{number}")
    columns = ", ".join([f"{row}.*", *constants])
    return f"(SELECT {columns} FROM {source} WHERE {where} OFFSET 0) AS {row}", " AND ".join(tests)


def _typed(store: Store, mirror: Mirror, name: str, value: str) -> str:
    """A constant as the user's column has it."""
    column = mirror.table.column(name)
    typed = f"({value})::{column.type}" if column is not None and column.type else value
    return (
        f"{typed} COLLATE {store.dialect.quote(column.collation)}" if column is not None and column.collation else typed
    )


def _may_be_null(mirror: Mirror, part: KeyPart, name: str) -> bool:
    """Whether a key column can be NULL in the user's table too: that takes a comparison which no index serves."""
    column = mirror.table.column(name)
    return part.nullable and (column is None or not column.not_null)


def update(store: Store, mirror: Mirror, source: str, row: str = "t") -> str:
    """Set the mirrored columns from the rows ``s`` of `source`; `row` names the user's table in the statement."""
    table = qualified(mirror.table, store.dialect)
    quote = store.dialect.quote
    sets = ", ".join(
        f"{quote(value.column.name)} = {shown(store, value.sql, value.column.type)}" for value in mirror.values
    )
    return (
        f"UPDATE {table}{' AS t' if row == 't' else ''} SET {sets} FROM {source} "
        f"WHERE {match(store, mirror, row, 's')} AND {mirror.present} AND ({differs(store, mirror, row)})"
    )


def upsert(store: Store, mirror: Mirror, source: str) -> str:
    """Insert or set our rows of the user's table from the rows ``s`` of `source`."""
    quote = store.dialect.quote
    table = qualified(mirror.table, store.dialect)
    columns = [column for column, _ in mirror.constants] + [column for column, _ in mirror.key]
    values = [value for _, value in mirror.constants] + [f"s.{quote(name)}" for _, name in mirror.key]
    target = ", ".join(quote(column) for column in columns)
    columns += [value.column.name for value in mirror.values]
    values += [shown(store, value.sql, value.column.type) for value in mirror.values]
    loose = [column for name, _ in mirror.key if (column := mirror.table.column(name)) and not _is_sure(store, column)]
    every = [*(value.column for value in mirror.values), *loose]
    pairs = [(one, f"{table}.{quote(one.name)}", f"excluded.{quote(one.name)}") for one in every]
    differ = " OR ".join(_is_other(store, *one) for one in pairs)
    sets = ", ".join(f"{quote(one.name)} = {new}" for one, _, new in pairs)
    action = f"DO UPDATE SET {sets} WHERE {differ}" if pairs else "DO NOTHING"
    return (
        f"INSERT INTO {table} ({', '.join(quote(column) for column in columns)}) SELECT {', '.join(values)} "
        f"FROM {source} WHERE {mirror.present} ON CONFLICT ({target}) {action}"
    )


def delete(store: Store, mirror: Mirror, row: str) -> str:
    """Delete the mirror of the stored row named `row`."""
    table = qualified(mirror.table, store.dialect)
    return f"DELETE FROM {table} WHERE {match(store, mirror, table, row)}"


def _todo(store: Store, mirror: Mirror) -> list[str]:
    """Our rows of the user's table may have units that neither query nor store knows."""
    unit = store.units
    if not mirror.owns_rows or unit.key == (EVERYTHING,):
        return []
    todo, shown = store.names.temporary("todo"), _unit_of_row(store, mirror)
    where = literal_test(mirror, "t", store.dialect).removeprefix(" AND ")
    return [
        f"INSERT INTO {todo} ({unit.key_list}) SELECT DISTINCT {', '.join(shown)} "
        f"FROM {qualified(mirror.table, store.dialect)} AS t "
        f"WHERE {where} AND NOT EXISTS (SELECT 1 FROM {todo} AS k WHERE {_same_unit(store, 'k', shown)})"
    ]


def _gather(store: Store, mirror: Mirror) -> list[str]:
    """Our rows of the user's table in the batch's units may have keys that neither query nor store knows."""
    if not mirror.owns_rows or store.unit is None:
        return []
    batch, rows, quote = store.names.temporary("batch"), store.numbered, store.dialect.quote
    table, unit, row = qualified(mirror.table, store.dialect), store.units, _unit_of_row(store, mirror, "s")
    keys = ", ".join(f"s.{quote(column)}" for column, _ in mirror.key)
    known = f"SELECT 1 FROM {rows} AS k WHERE {match(store, mirror, 's', 'k')}"
    ours = literal_test(mirror, "s", store.dialect)
    same = f"{_same_unit(store, 'b', row)}{ours}"
    # Where CROSS JOIN is no order, which comes first is found; where it is, all of the user's table would be read without it.
    found = f"{table} AS s JOIN {batch} AS b ON {same}"
    if store.dialect.planner.keeps_order:
        found = f"{store.phrases.few(batch)} AS b CROSS JOIN {table} AS s ON {same}"
    nulls = any(_may_be_null(mirror, part, name) for part, name in _columns_of_unit(store, mirror))
    if store.dialect.planner.joins_by_hash and row and not nulls:
        # An index serves plain equality alone.
        plain = " AND ".join(f"{value} = b.{unit.column(part)}" for part, value in zip(unit.key, row, strict=True))
        found = f"{batch} AS b CROSS JOIN {statements.one_by_one(table, f'{plain}{ours}')}"
    return [f"INSERT INTO {rows} ({store.key_list}) SELECT {keys} FROM {found} WHERE NOT EXISTS ({known})"]


def _columns_of_unit(store: Store, mirror: Mirror) -> list[tuple[KeyPart, str]]:
    """Each column of the unit, and that of the user's table which shows it."""
    shown = {name: column for column, name in mirror.key} | {one.column.name: one.column.name for one in mirror.values}
    return [(part, shown[part.name]) for part in store.units.key if part != EVERYTHING]


def _unit_of_row(store: Store, mirror: Mirror, row: str = "t") -> list[str]:
    """The unit of a row of the user's table."""
    return [f"{row}.{store.dialect.quote(column)}" for _, column in _columns_of_unit(store, mirror)]


def _same_unit(store: Store, row: str, values: list[str]) -> str:
    unit = store.units
    pairs = zip([part for part in unit.key if part != EVERYTHING], values, strict=True)
    return (
        " AND ".join(f"{row}.{unit.column(part)} {unit.equal(part, nulls=True)} {value}" for part, value in pairs)
        or "1 = 1"
    )
