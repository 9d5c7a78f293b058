"""SQLite: what a changed row does to the store, as statements of a trigger's body.

Owns: entering, leaving and moving rows of a feed, the recompute of a part for one key, the frame of a trigger. Promises: inner
writes are upserts with ON CONFLICT … DO UPDATE, so that no conflict clause of the outer statement can override them; each changed
row costs a fixed number of seeks.

For a row that leaves (OLD) every part is taken back, for a row that enters (NEW) every part is added. An update whose row stays
with its key does both in one statement.
"""

from __future__ import annotations

from collections.abc import Callable

from tidemark.contract.script import Piece, mark
from tidemark.dialect import SQLITE, Dialect
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.model import Table
from tidemark.names import Names
from tidemark.render import spelling, statements
from tidemark.render.chains import any_of
from tidemark.render.linear import feed_key
from tidemark.render.sqlite.identity import ROWIDS
from tidemark.render.store import Store


def trigger(
    names: Names,
    dialect: Dialect,
    table: Table,
    event: str,
    when: str | None,
    body: list[str],
    timing: str = "AFTER",
    of: tuple[str, ...] = (),
) -> Piece:
    """One trigger on a source; its name tells what it is for. Of updates it follows those that assign a column in `of`."""
    name = names.own(event, table.name)
    condition = f"\nWHEN {when}" if when else ""
    verb = event.split("_")[-1].upper() + of_clause(of, dialect)
    head = f"CREATE TRIGGER {name} {timing} {verb} ON {dialect.quote(table.name)}{condition}\nBEGIN "
    create = mark(head, "\n  " + ";\n  ".join(body) + ";\nEND")
    drop = f"DROP TRIGGER IF EXISTS {name}"
    return Piece("trigger", names.plain(event, table.name), create, drop, on=table.name, capture=True)


def assigned(table: Table, columns: tuple[str, ...]) -> tuple[str, ...]:
    """What an update has to assign if it is to change one of some columns; nothing where it may change them otherwise.

    SQLite judges that when it prepares a statement, so that any other update does not even start the trigger. A row's number has
    three names more than its column. Where foreign keys of the table act on itself, SQLite forgets to judge what an upsert
    inserts that would assign their parent's key, unless there is a trigger that only that action starts: so there is none.
    """
    known = [table.column(name) for name in columns]
    plain = all(column is not None and column.generated is None for column in known)
    if table.rewritten or table.reenters or not plain:
        return ()
    return tuple(dict.fromkeys([*columns, *(() if table.without_rowid else ROWIDS)]))


def of_clause(columns: tuple[str, ...], dialect: Dialect) -> str:
    """What stands after UPDATE in the head of a trigger that follows the columns that are `assigned`."""
    return f" OF {', '.join(map(dialect.quote, columns))}" if columns else ""


def changed(table: Table, columns: tuple[str, ...]) -> str:
    """True when an update changes what a feed reads: in value, whatever the collation, or in storage class."""
    tests = []
    for name in columns:
        column = table.column(name)
        quoted = SQLITE.quote(name)
        tests.append(f"OLD.{quoted} IS NOT NEW.{quoted} COLLATE BINARY")
        if column is None or not has_one_spelling(column.type, None, SQLITE):
            tests.append(f"typeof(OLD.{quoted}) <> typeof(NEW.{quoted})")
    return any_of(tests) or "0"


def counts_otherwise(store: Store, feeds: tuple[Feed, ...]) -> str:
    """True when an update changes what some feed adds up, and not only what that is computed from."""
    tests = []
    for feed in feeds:
        tests += [_is_respelled(store, feed)] if store.loose else []
        texts = [*feed.key, *([feed.guard] if feed.guard else []), *(part.value for part in feed.parts)]
        tests += [f"({one.at('OLD')}) IS NOT ({one.at('NEW')})" for one in texts if one.columns]
    return any_of(list(dict.fromkeys(tests))) or "0"


def entering(store: Store, feed: Feed, row: str, only: str = "") -> str:
    """Add a row's parts to its key; `only` restricts it to some updates."""
    parts, keys = feed.parts, feed_key(store, feed, row)
    columns = ", ".join((store.key_list, *(store.column(part) for part in parts)))
    values = [*keys]
    for part in parts:
        values.append(_fresh_value(store, feed, part, row) if part.kind == "recomputed" else part.value.at(row))
    sets = [f"{store.column(part)} = {_after_entering(store, feed, part, row)}" for part in parts]
    # The row of a universe says how its key is spelled, whoever of its children came before it.
    sets += [f"{store.column(part)} = excluded.{store.column(part)}" for part in store.loose if feed.is_universe]
    tests = [f"({feed.guard.at(row)})"] if feed.guard else []
    where = " AND ".join([*tests, only] if only else tests) or "1"
    return (
        f"INSERT INTO {store.names.store} ({columns}) SELECT {', '.join(values)} WHERE {where}\n"
        f"  ON CONFLICT ({store.conflict}) DO UPDATE SET {', '.join(sets)}"
    )


def _fresh_value(store: Store, feed: Feed, part: Part, row: str) -> str:
    """A recomputed part's value when its key has no stored row yet."""
    if part.needed is None:
        return recomputed(store, feed, part, row)
    by_name = {store.column(one): one.value.at(row) for one in feed.parts if one.kind == "additive"}
    condition = part.needed.over(lambda quoted: f"({by_name[quoted]})")
    return f"CASE WHEN {condition} THEN {recomputed(store, feed, part, row)} END"


def _after_entering(store: Store, feed: Feed, part: Part, row: str) -> str:
    column = store.column(part)
    if part.kind == "additive":
        return f"{column} + excluded.{column}"
    if part.kind == "copied":
        return f"excluded.{column}"
    if part.kind in ("highest", "lowest"):
        beats = ">" if part.kind == "highest" else "<"
        return (
            f"CASE WHEN {column} IS NULL OR excluded.{column} {beats} {column} THEN excluded.{column} ELSE {column} END"
        )
    return _if_needed(part, recomputed(store, feed, part, row), lambda quoted: f"({quoted} + excluded.{quoted})")


def _if_needed(part: Part, value: str, stored: Callable[[str], str]) -> str:
    return value if part.needed is None else f"CASE WHEN {part.needed.over(stored)} THEN {value} END"


def recomputed(store: Store, feed: Feed, part: Part, row: str) -> str:
    """The part computed anew from the source, for the key of `row`."""
    table = statements.qualified(feed.table, store.dialect)
    tests = _same_key(store, feed, row)
    tests += [f"({feed.guard.at('r')})"] if feed.guard else []
    return f"(SELECT {part.aggregate.at('r')} FROM {table} AS r WHERE {' AND '.join(tests)})"


def leaving(store: Store, feed: Feed, row: str, only: str = "") -> list[str]:
    """Take a row's parts back from its key; `only` restricts it to some updates. A key to which nothing contributes goes."""
    keys = feed_key(store, feed, row)
    match = store.match(store.names.store, keys)
    conditions = ([f"({feed.guard.at(row)})"] if feed.guard else []) + ([only] if only else [])
    vanishes = vanish(store, match, *conditions)
    sets, additive = ", ".join(_sets_of_leaving(store, feed, row)), feed.by_kind("additive")
    if not additive or not may_be_unfilled(store, feed):
        where = " AND ".join([match, *conditions])
        return [f"UPDATE {store.names.store} SET {sets} WHERE {where}", *([] if store.keeps_default else [vanishes])]
    columns = ", ".join((store.key_list, *(store.column(part) for part in additive)))
    values = ", ".join((*keys, *(f"-({part.value.at(row)})" for part in additive)))
    taken = (
        f"INSERT INTO {store.names.store} ({columns}) SELECT {values} WHERE {' AND '.join(conditions) or '1'}\n"
        f"  ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}"
    )
    return [taken, vanishes]


def vanish(store: Store, match: str, *conditions: str) -> str:
    """Let go of the stored row that `match` finds if nothing contributes to it."""
    # Asked first is whether anything is taken back at all: else nobody's row is looked for.
    gone = " AND ".join([*conditions, match, store.is_default(store.names.store)])
    return f"DELETE FROM {store.names.store} WHERE {gone}"


def may_be_unfilled(store: Store, feed: Feed) -> bool:
    """Whether a row that contributes may have no stored row, because its key is not filled yet: what is taken away from it is
    written down then, for the filling adds what the query said of it before (`tidemark.render.adding`)."""
    return not (store.keeps_default or feed.table.pruned)


def _sets_of_leaving(store: Store, feed: Feed, row: str) -> list[str]:
    sets = []
    for part in feed.parts:
        column, value = store.column(part), part.value.at(row)
        if part.kind == "additive":
            sets.append(f"{column} = {column} - ({value})")
        elif part.kind == "copied":
            sets.append(f"{column} = NULL")
        elif part.kind == "recomputed":
            again = recomputed(store, feed, part, row)
            additive = _values(store, feed, row)
            sets.append(f"{column} = {_if_needed(part, again, _minus(additive))}")
        elif feed.table.pruned:
            # What is left does not say what the extreme value of all rows was.
            sets.append(f"{column} = {column}")
        else:
            again = recomputed(store, feed, part, row)
            sets.append(f"{column} = CASE WHEN {column} = ({value}) THEN {again} ELSE {column} END")
    return sets


def respelling(store: Store, program: LinearProgram, feed: Feed, row: str, only: str = "") -> list[str]:
    """Spell the key that a row has left as some row does that is there; `only` restricts it to some updates."""
    keys = feed_key(store, feed, row)
    where = " AND ".join([store.match(store.names.store, keys), *([f"({only})"] if only else [])])
    if program.presence and not spelling.is_looked_up(store):
        return list(spelling.by_count(store, program.presence, where))
    if not spelling.spells(store, feed) or feed.is_universe:
        return []
    name = store.names.store
    alike, sets = [], []
    for key, value in zip(store.key, keys, strict=True):
        if key in store.loose:
            alike.append(store.phrases.spelled_alike(f"{name}.{store.column(key)}", value))
            sets.append(f"{store.column(key)} = tidemark_r.{store.column(key)}")
    found = _some_row(store, program, feed, [one.at(row) for one in feed.key])
    where = " AND ".join([where, *alike])
    return [f"UPDATE {name} SET {', '.join(sets)} FROM ({found}) AS tidemark_r WHERE {where}"]


def spelled_anew(store: Store, program: LinearProgram, feed: Feed, row: str) -> list[str]:
    """Spell the numbers in the key that a row has come to as they are counted: what it replaced is taken back before it is added,
    and may have been the only one."""
    if not program.presence:
        return []
    return list(spelling.by_count(store, program.presence, store.match(store.names.store, feed_key(store, feed, row))))


def _some_row(store: Store, program: LinearProgram, feed: Feed, keys: list[str]) -> str:
    """SELECT of how some row spells the key: one of the feed, or of another one, whose rows are there when those of this one are
    between going and coming."""
    found = []
    for other in (feed, *(one for one in program.feeds if one.spells and one is not feed)):
        pairs = zip(store.key, other.key, keys, strict=True)
        tests = [f"({one.at('r')}) {'IS' if key.nullable else '='} ({value})" for key, one, value in pairs]
        found.append(f"SELECT * FROM ({spelling.looked_up(store, other, feed_key(store, other, 'r'), tests)} LIMIT 1)")
    return f"{' UNION ALL '.join(found)} LIMIT 1"


def _same_key(store: Store, feed: Feed, row: str) -> list[str]:
    """True for rows ``r`` of a feed with the key of `row`."""
    pairs = zip(store.key, feed.key, strict=True)
    return [f"({one.at('r')}) {'IS' if key.nullable else '='} ({one.at(row)})" for key, one in pairs]


def _is_respelled(store: Store, feed: Feed) -> str:
    """True when an update changes how a key is spelled, if not the key."""
    pairs = zip(store.key, feed_key(store, feed, "OLD"), feed_key(store, feed, "NEW"), strict=True)
    alike = [store.phrases.spelled_alike(old, new) for key, old, new in pairs if key in store.loose]
    return f"NOT ({' AND '.join(alike)})" if alike else "0"


def _minus(values: dict[str, str]) -> Callable[[str], str]:
    return lambda quoted: f"({quoted} - ({values[quoted]}))"


def _values(store: Store, feed: Feed, row: str) -> dict[str, str]:
    return {store.column(part): part.value.at(row) for part in feed.parts if part.kind == "additive"}


def moving(store: Store, program: LinearProgram, feed: Feed) -> list[str]:
    """An update: in one statement when the row stays with its key, as leaving and entering otherwise."""
    same = same_key(store, feed)
    if feed.guard:
        same += [f"({feed.guard.at('OLD')})", f"({feed.guard.at('NEW')})"]
    stays = " AND ".join(same)
    moves = f"({stays}) IS NOT TRUE"
    update, *vanishes = leaving(store, feed, "OLD", moves)
    again = respelling(store, program, feed, "OLD", f"{moves} OR {_is_respelled(store, feed)}")
    return [*_staying(store, feed, stays), update, entering(store, feed, "NEW", moves), *vanishes, *again]


def same_key(store: Store, feed: Feed) -> list[str]:
    """True when an update leaves a row with its key."""
    return [
        f"({one.at('OLD')}) IS ({one.at('NEW')})" + (f' COLLATE "{key.collation}"' if key.collation else "")
        for key, one in zip(store.key, feed.key, strict=True)
    ]


def _staying(store: Store, feed: Feed, stays: str) -> list[str]:
    """The row stays with its key, whose stored row may not exist yet, or, where rows may contribute nothing, not any more."""
    keys = feed_key(store, feed, "NEW")
    changes = [f"{store.column(part)} = {_after_staying(store, feed, part)}" for part in feed.parts]
    pairs = zip(store.key, keys, strict=True)
    changes += [f"{store.column(key)} = {value}" for key, value in pairs if feed.is_universe and key in store.loose]
    sets = ", ".join(changes)
    match = store.match(store.names.store, keys)
    counted = [part for part in feed.by_kind("additive") if part.value.at("r") == "1"]
    if counted == list(feed.parts) and not (feed.is_universe and store.loose):
        # Where rows are only counted, one that stays changes nothing but how a universe spells its key.
        return []
    adds = may_be_unfilled(store, feed) and len(feed.by_kind("additive")) > len(counted)
    if store.keeps_default or (counted and not adds):
        return [f"UPDATE {store.names.store} SET {sets} WHERE ({stays}) AND {match}"]
    columns = ", ".join((store.key_list, *(store.column(part) for part in feed.parts)))
    values = [*keys]
    for part in feed.parts:
        old, new = part.value.at("OLD"), part.value.at("NEW")
        if part.kind == "recomputed":
            new = _fresh_value(store, feed, part, "NEW")
        values.append(f"({new}) - ({old})" if part.kind == "additive" else new)
    kept = (
        f"INSERT INTO {store.names.store} ({columns}) SELECT {', '.join(values)} WHERE ({stays})\n"
        f"  ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}"
    )
    # A key whose rows are counted has a row as long as it has any, and while it is filled the filling takes away what is nothing.
    return [kept] if counted else [kept, vanish(store, match)]


def _after_staying(store: Store, feed: Feed, part: Part) -> str:
    column, old, new = store.column(part), part.value.at("OLD"), part.value.at("NEW")
    if part.kind == "additive":
        return f"{column} - ({old}) + ({new})"
    if part.kind == "copied":
        return new
    again = recomputed(store, feed, part, "NEW")
    if part.kind == "recomputed":
        before, after = _values(store, feed, "OLD"), _values(store, feed, "NEW")
        return _if_needed(part, again, lambda q: f"({q} - ({before[q]}) + ({after[q]}))")
    beats = ">" if part.kind == "highest" else "<"
    fell = "" if feed.table.pruned else f"WHEN {column} = ({old}) THEN {again} "
    alike = store.phrases.spelled_alike(f"({new})", f"({old})")
    return (
        f"CASE WHEN {alike} THEN {column} WHEN {column} IS NULL OR ({new}) {beats} {column} THEN ({new}) "
        f"{fell}ELSE {column} END"
    )


def replaced(store: Store, program: LinearProgram, feed: Feed, victims: str) -> list[str]:
    """Take back the parts of rows that REPLACE deleted; `victims` is ``FROM … AS v WHERE …``.

    Victims may share a key, so additive parts go row by row through an upsert, and every other part of their keys is computed
    anew from what the source holds now.
    """
    row = "v"
    keys = feed_key(store, feed, row)
    guard = f" AND ({feed.guard.at(row)})" if feed.guard else ""
    additive = feed.by_kind("additive")
    found = []
    if additive:
        columns = ", ".join((store.key_list, *(store.column(part) for part in additive)))
        values = ", ".join((*keys, *(f"-({part.value.at(row)})" for part in additive)))
        sets = ", ".join(
            f"{store.column(part)} = {store.column(part)} + excluded.{store.column(part)}" for part in additive
        )
        found.append(
            f"INSERT INTO {store.names.store} ({columns}) SELECT {values} {victims}{guard}\n"
            f"  ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}"
        )
    return [*found, *_anew_of(store, program, feed, victims + guard)]


def _anew_of(store: Store, program: LinearProgram, feed: Feed, rows: str) -> list[str]:
    """Compute anew what does not add up of the keys of some rows, which are ``FROM … AS v WHERE …``."""
    keys = feed_key(store, feed, "v")
    others = [part for part in feed.parts if part.kind != "additive" and not feed.table.pruned]
    found = []
    # From the few victims to their stored rows by the key, and never past every stored row. Without NULLs in it the key is what
    # identifies a stored row.
    touched = f"({store.key_list}) IN (SELECT {', '.join(keys)} {rows})"
    if store.nullable:
        touched = (
            f"{store.rowid} IN (SELECT k.{store.rowid} FROM (SELECT v.* {rows}) AS v "
            f"CROSS JOIN {store.names.store} AS k WHERE {store.join('k', keys)})"
        )
    if others:
        sets = ", ".join(f"{store.column(part)} = {_anew(store, feed, part)}" for part in others)
        found.append(f"UPDATE {store.names.store} SET {sets} WHERE {touched}")
    if not store.keeps_default:
        found.append(f"DELETE FROM {store.names.store} WHERE {touched} AND {store.is_default(store.names.store)}")
    return [*found, *_respelling_anew(store, program, feed, touched)]


def overtaken(store: Store, program: LinearProgram, feed: Feed, same: str) -> list[str]:
    """Compute anew what an update has written that is overtaken: what came back to the row was told of before. `same` is true for
    the row ``t`` that NEW is."""
    quoted, name = [store.dialect.quote(name) for name in feed.reads], statements.qualified(feed.table, store.dialect)
    images = [f"SELECT {', '.join(f'{row}.{one} AS {one}' for one in quoted) or '1'}" for row in ("OLD", "NEW")]
    alike = [f"t.{one} IS NEW.{one} COLLATE BINARY AND typeof(t.{one}) = typeof(NEW.{one})" for one in quoted]
    there = f"EXISTS (SELECT 1 FROM {name} AS t WHERE {' AND '.join([same, *alike])})"
    guard = f" AND ({feed.guard.at('v')})" if feed.guard else ""
    return _anew_of(store, program, feed, f"FROM ({' UNION ALL '.join(images)}) AS v WHERE NOT {there}{guard}")


def _respelling_anew(store: Store, program: LinearProgram, feed: Feed, touched: str) -> list[str]:
    """Spell keys as rows do that are there, whoever left them."""
    if program.presence and not spelling.is_looked_up(store):
        return list(spelling.by_count(store, program.presence, touched))
    if not spelling.spells(store, feed) or feed.is_universe:
        return []
    found = _some_row(store, program, feed, [f"{store.names.store}.{store.column(key)}" for key in store.key])
    columns = ", ".join(store.column(part) for part in store.loose)
    return [f"UPDATE {store.names.store} SET ({columns}) = ({found}) WHERE {touched} AND EXISTS ({found})"]


def _of_stored_key(store: Store, feed: Feed) -> list[str]:
    """True for rows ``r`` of a feed with the key of the stored row itself."""
    pairs = zip(store.key, feed.key, strict=True)
    name = store.names.store
    return [f"({one.at('r')}) {'IS' if key.nullable else '='} {name}.{store.column(key)}" for key, one in pairs]


def _anew(store: Store, feed: Feed, part: Part) -> str:
    """The part from the source for the key of the stored row itself."""
    tests = _of_stored_key(store, feed)
    tests += [f"({feed.guard.at('r')})"] if feed.guard else []
    value = part.value if part.kind == "copied" else part.aggregate
    again = f"(SELECT {value.at('r')} FROM {statements.qualified(feed.table, store.dialect)} AS r WHERE {' AND '.join(tests)})"
    return _if_needed(part, again, lambda quoted: quoted)
