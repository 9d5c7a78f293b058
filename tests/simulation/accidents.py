"""What happens to a database besides writes: a trigger of ours is dropped or off for a while, a partition of a source goes or was
elsewhere, a migration rebuilds a source inside a guard.

Owns: these accidents. Promises: what is written while nobody looks is written for good; whoever may be wrong then says so before
anything is mended, or it is a `Failure`; afterwards everything was applied again.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from tests.simulation.case import Duty, Failure
from tests.simulation.relations import quote
from tests.simulation.wire import Wire
from tidemark.contract.script import Piece
from tidemark.database.open import open_session
from tidemark.database.session import Conflict
from tidemark.dialect import POSTGRESQL
from tidemark.errors import TidemarkError
from tidemark.migrations import guard
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.objects.gaps import look_at_catalog
from tidemark.runtime.objects.sources import add_facts

WAIT_SECONDS = 0.5


class Keeper(Protocol):
    """What of an upkeep an accident has to know."""

    url: str

    def ledger(self) -> Ledger:
        """The books."""
        ...

    def rows(self) -> Sequence[Installed]:
        """Every generation that readers see."""
        ...


def lose_trigger(keeper: Keeper, duty: Duty) -> bool:
    """Drop one of our triggers on a source and write; False where there is none, or it cannot be had."""
    rows = keeper.rows()
    # What goes from a pruned source while nobody looks is lost to its totals: that is what pruned means.
    pruned = {name for row in rows if row.script.pruned for name in _names(row)}
    known = sorted({(p.name, p.drop) for row in rows for p in _captures(row) if p.name not in pruned})
    if not known:
        return False
    name, drop = random.Random(duty.at).choice(known)
    with contextlib.closing(open_session(keeper.url, lock_timeout=WAIT_SECONDS)) as session:
        try:
            with session.transaction():
                session.script(drop)
        except (TidemarkError, Conflict):
            return False
        for text in duty.sql:
            with contextlib.suppress(TidemarkError, Conflict), session.transaction():
                session.run(text)
    look = look_at_catalog(keeper.ledger(), rows)
    for row in rows:
        if any(piece.name == name for piece in _captures(row)) and not look.gap(row):
            raise Failure("dishonest", row.name, f"the trigger {name} is gone, and nobody says so")
    return True


def _names(row: Installed) -> set[str]:
    return {piece.name for piece in _captures(row)}


def _captures(row: Installed) -> list[Piece]:
    pieces = [*row.script.pieces, *(piece for capture in row.captures for piece in capture.pieces)]
    ours = ("tidemark_", "tidemark.")
    return [one for one in pieces if one.kind == "trigger" and not one.public and not one.on.startswith(ours)]


SWITCHED = (
    "SELECT format('TRIGGER %I', g.tgname) FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid "
    "WHERE g.tgrelid = CAST({} AS regclass) AND p.pronamespace = to_regnamespace('tidemark') ORDER BY 1"
)
LEAVES = "SELECT relid::text FROM pg_partition_tree({}) WHERE isleaf AND level > 0"
BOUND = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = CAST({} AS regclass) AND relispartition"


def change_behind(keeper: Keeper, duty: Duty) -> bool:
    """Switch our triggers on a source of PostgreSQL off for a while, take a partition of it out, make one anew, or have a table
    inherit from it; on SQLite have a trigger write the rows of a source before statements do; and write. See that all who read
    the source say so. False where that cannot be done."""
    rng, rows = random.Random(duty.at), keeper.rows()
    read = {row.name: {_last(label) for label, columns in row.script.watches if columns} for row in rows}
    known = sorted({duty.table} if duty.table else set().union(*read.values()))
    if not known:
        return False
    duty = replace(duty, table=rng.choice(known))
    if keeper.url.startswith("sqlite"):
        shown = {row.script.public for row in rows}
        changed = quote(duty.table) not in shown and _write_early(keeper.url, duty, rng)
        _all_say_so(keeper, rows, [one for one in rows if changed and duty.table in read[one.name]], duty)
        return changed
    with contextlib.closing(Wire(keeper.url)) as wire:
        wire.exec(f"SET lock_timeout = {round(WAIT_SECONDS * 1000)}")
        leaves = sorted(str(name) for (name,) in wire.exec(LEAVES.format(POSTGRESQL.literal(quote(duty.table)))))
        if leaves and rng.random() < 0.7:
            changed = _part(wire, duty, rng.choice(leaves), rng)
        else:
            changed = _switch(wire, duty) if leaves or rng.random() < 0.5 else _inherit(keeper, wire, duty)
    _all_say_so(keeper, rows, [one for one in rows if changed and duty.table in read[one.name]], duty)
    return changed


def _all_say_so(keeper: Keeper, rows: Sequence[Installed], readers: Sequence[Installed], duty: Duty) -> None:
    look = look_at_catalog(keeper.ledger(), rows)
    for row in readers:
        if not look.gap(row):
            raise Failure("dishonest", row.name, f"{duty.table} was changed behind its back, and nobody says so")


KEYED = """
SELECT x.name, x.pk, x.pk OR x.hidden OR EXISTS (
    SELECT 1 FROM pragma_index_list(:name) AS l JOIN pragma_index_xinfo(l.name) AS i
    WHERE l."unique" AND i.key AND ifnull(i.name, x.name) = x.name
) FROM pragma_table_xinfo(:name) AS x WHERE NOT EXISTS (
    SELECT 1 FROM sqlite_schema AS m JOIN pragma_foreign_key_list(m.name) AS f
    WHERE lower(:name) IN (lower(m.name), lower(f."table"))
) AND NOT EXISTS (SELECT 1 FROM sqlite_schema AS m WHERE m.type = 'index' AND m.tbl_name = :name AND m.sql LIKE '%UNIQUE%')
"""


def _write_early(url: str, duty: Duty, rng: random.Random) -> bool:
    """A trigger that writes the row of which it is told that it is about to be written, in a column that is no key."""
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        columns = connection.execute(KEYED, {"name": duty.table}).fetchall()
        key, free = [name for name, pk, _ in columns if pk], [name for name, _, taken in columns if not taken]
        if not key or not free:
            return False
        column, other = quote(rng.choice(free)), quote(rng.choice(free))
        own = " AND ".join(f"{quote(name)} IS OLD.{quote(name)}" for name in key)
        # Where triggers may call themselves there is an end to it.
        body = f"UPDATE {quote(duty.table)} SET {column} = OLD.{other} WHERE {own} AND {column} IS NOT OLD.{other}"
        name = f"simulated {round(duty.at * 10_000)}"
        text = f'CREATE TRIGGER "{name}" BEFORE {rng.choice(("UPDATE", "DELETE"))} ON {quote(duty.table)} BEGIN {body}; END'
        try:
            connection.execute(text)
        except sqlite3.OperationalError:
            return False
        for statement in duty.sql:
            with contextlib.suppress(sqlite3.Error):
                connection.execute(statement)
        if connection.in_transaction:
            connection.execute("COMMIT")
    return True


def _last(label: str) -> str:
    return label.partition(".")[2] or label


def _switch(wire: Wire, duty: Duty) -> bool:
    name = quote(duty.table)
    switched = [text for (text,) in wire.exec(SWITCHED.format(POSTGRESQL.literal(name)))]
    done = [one for one in switched if not wire.try_exec(f"ALTER TABLE {name} DISABLE {one}").state]
    _write(wire, duty.sql if done else ())
    for one in done:
        wire.exec(f"ALTER TABLE {name} ENABLE ALWAYS {one}")
    return bool(done)


def _inherit(keeper: Keeper, wire: Wire, duty: Duty) -> bool:
    """Somebody looks while there is a table that inherits from the source, and nobody afterwards."""
    if wire.try_exec(f"CREATE TABLE simulated_child () INHERITS ({quote(duty.table)})").state:
        return False
    _write(wire, duty.sql)
    ledger = keeper.ledger()
    with ledger.session.transaction():
        add_facts(ledger, look_at_catalog(ledger, keeper.rows()).added)
    wire.exec("DROP TABLE simulated_child")
    return True


def _part(wire: Wire, duty: Duty, leaf: str, rng: random.Random) -> bool:
    """The name of the partition is one that the server has quoted."""
    ((bound,),) = wire.exec(BOUND.format(POSTGRESQL.literal(leaf)))
    above = wire.exec(
        f"SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = {POSTGRESQL.literal(leaf)}::regclass"
    )
    away, back = (f"ALTER TABLE {above[0][0]} {verb} PARTITION {leaf}" for verb in ("DETACH", "ATTACH"))
    way = rng.choice(("for good", "beside others", "in one transaction", "anew"))
    if way in ("for good", "beside others"):
        done = not wire.try_exec(away if way == "for good" else f"{away} CONCURRENTLY").state
        _write(wire, duty.sql if done else ())
        if done and way == "beside others":
            # It may hold now what has no place there: then it stays out.
            wire.try_exec(f"{back} {bound}")
        return done
    wire.exec("BEGIN")
    done = not wire.try_exec(away if way == "in one transaction" else f"DROP TABLE {leaf}").state
    if done and way == "anew":
        wire.exec(f"CREATE TABLE {leaf} PARTITION OF {above[0][0]} {bound}")
    _write(wire, duty.sql if done else ())
    if done and way == "in one transaction":
        wire.exec("SAVEPOINT back")
        if wire.try_exec(f"{back} {bound}").state:
            wire.exec("ROLLBACK TO back")
    # What was written may be found wrong at the end.
    return done and wire.try_exec("COMMIT").tag == "COMMIT"


def _write(wire: Wire, texts: Sequence[str]) -> None:
    """What fails takes nothing else along."""
    for text in texts:
        wire.try_exec("SAVEPOINT accident")
        if wire.try_exec(text).state:
            wire.try_exec("ROLLBACK TO accident")


def rebuild_in_guard(keeper: Keeper, duty: Duty) -> bool:
    """Rebuild a source as migrations do on SQLite, with writes on the way; False where that cannot be done."""
    if not keeper.url.startswith("sqlite"):
        return False
    connection = sqlite3.connect(keeper.url.removeprefix("sqlite:///"), isolation_level=None, timeout=WAIT_SECONDS)
    with contextlib.closing(connection):
        for pragma in ("foreign_keys = OFF", "legacy_alter_table = ON"):
            connection.execute(f"PRAGMA {pragma}")
        try:
            with guard(connection):
                _rebuild(connection, duty.table)
                for text in duty.sql:
                    with contextlib.suppress(sqlite3.Error):
                        connection.execute(text)
                stands = connection.in_transaction
        except (sqlite3.Error, TidemarkError, Conflict):
            return False
    if not stands:
        # A statement OR ROLLBACK has undone the rebuild.
        return False
    for row in keeper.rows():
        if any(source == duty.table for source, _ in row.script.watches) and row.state == "live":
            raise Failure("dishonest", row.name, f"{duty.table} was rebuilt, and it is said to be live")
    return True


def _rebuild(connection: sqlite3.Connection, table: str) -> None:
    """A new table, a copy of the rows, DROP, RENAME; the user's indexes and triggers again."""
    quoted = '"' + table.replace('"', '""') + '"'
    parts = connection.execute(
        "SELECT type, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL AND name NOT LIKE 'tidemark%' "
        "ORDER BY type = 'table' DESC, rowid",
        (table,),
    ).fetchall()
    columns = [row[1] for row in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (table,)) if row[6] == 0]
    listed = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    kind, create = parts[0]
    opening = create.index("(")
    assert kind == "table"
    connection.execute(f'CREATE TABLE "rebuilt" {create[opening:]}')
    connection.execute(f'INSERT INTO "rebuilt" ({listed}) SELECT {listed} FROM {quoted}')
    connection.execute(f"DROP TABLE {quoted}")
    connection.execute(f'ALTER TABLE "rebuilt" RENAME TO {quoted}')
    for _, text in parts[1:]:
        connection.execute(text)


ACCIDENTS: dict[str, Callable[[Keeper, Duty], bool]] = {
    "lose": lose_trigger,
    "guard": rebuild_in_guard,
    "behind": change_behind,
}
