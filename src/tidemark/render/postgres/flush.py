"""PostgreSQL: the flush, once for each transaction, at its end.

Owns: the flush function of a linear program. Promises: stored rows are locked in key order by the upsert that adds the deltas;
what is not additive is computed anew in a later statement, whose snapshot is younger than the locks; every key with a delta is
written even when its values stay, so that a concurrent writer of the same key waits, or fails with 40001 when its snapshot
is older.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tidemark.contract.script import Piece
from tidemark.maintenance.key_types import is_hashed
from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.model import Table
from tidemark.render.deltas import came, needs_touch, touched, went
from tidemark.render.linear import feed_key
from tidemark.render.postgres.triggers import dollar
from tidemark.render.spelling import is_looked_up, left, looked_up, spells
from tidemark.render.statements import qualified
from tidemark.render.store import Store

# A pending table is empty when it is planned for and may be long when it is read: only its index is good at both. A plan
# that was priced without its sequential scans must not be compiled.
_PLANNING = "SET enable_seqscan = off SET jit = off"


def is_additive(store: Store) -> bool:
    """Whether every part adds up, and no key is spelled anew, so that one statement writes a row."""
    return all(part.kind == "additive" for part in store.parts) and not is_looked_up(store)


def flush_texts(store: Store, program: LinearProgram) -> tuple[str, str]:
    """Declarations and statements of the flush."""
    return _additive(store, program) if is_additive(store) else _general(store, program)


def flush_functions(store: Store, texts: tuple[str, str], settings: str) -> list[Piece]:
    """The function that applies what the current transaction remembered, and the one that calls for it at commit."""
    declared, body = texts
    # Every early return is that of the function: one gives nothing, the other a trigger's NULL.
    settled = body.replace("THEN RETURN;", "THEN RETURN NULL;")
    pinned = f"{settings} {_PLANNING}"
    return settle_pieces(store, (declared, body), (declared, settled), pinned, "")


def settle_pieces(store: Store, flush: tuple[str, str], settle: tuple[str, str], pinned: str, left: str) -> list[Piece]:
    """The function that flushes and the deferred trigger function that does the same, each as declarations and statements.

    `left` is one more condition for the rows of the pending table that are still to be flushed.
    """
    function, own, trigger = store.names.own("flush"), store.names.own("settle"), store.names.bare("settle")
    pending = store.names.own("pending")
    mark = store.dialect.literal(f" {store.names.plain('flush')} ")
    # Several tables are flushed in their fixed order, whoever of them comes first. What follows looks before it begins.
    ordered = (
        f"  tidemark_armed := current_setting('tidemark.armed', true);\n"
        f"  IF tidemark_armed = {mark} THEN\n"
        f"    tidemark_armed := set_config('tidemark.armed', '', true);\n"
        f"  ELSE\n"
        f"    IF tidemark_armed <> '' THEN\n"
        f"      PERFORM set_config('tidemark.armed', '', true), tidemark._flush_all(tidemark_armed);\n"
        f"    END IF;\n"
        f"    PERFORM 1 FROM {pending} WHERE xid = pg_current_xact_id(){left};\n"
        f"    IF NOT FOUND THEN RETURN NULL; END IF;\n"
        f"  END IF;\n"
    )
    language = f"LANGUAGE plpgsql SECURITY DEFINER {pinned}"
    flushing = f"DECLARE\n{flush[0]}BEGIN\n{flush[1]}END"
    settling = f"DECLARE\n  tidemark_armed text;\n{settle[0]}BEGIN\n{ordered}{settle[1]}  RETURN NULL;\nEND"
    plain, on = store.names.listed("settle"), store.names.listed("pending")
    return [
        Piece(
            "function",
            store.names.listed("flush"),
            f"CREATE FUNCTION {function}() RETURNS void {language} AS {dollar(flushing)}",
            f"DROP FUNCTION IF EXISTS {function}()",
            capture=True,
        ),
        Piece(
            "function",
            plain,
            f"CREATE FUNCTION {own}() RETURNS trigger {language} AS {dollar(settling)}",
            f"DROP FUNCTION IF EXISTS {own}() CASCADE",
            capture=True,
        ),
        Piece(
            "trigger",
            store.names.plain("settle"),
            f"CREATE CONSTRAINT TRIGGER {trigger} AFTER INSERT ON {pending} DEFERRABLE INITIALLY DEFERRED "
            f"FOR EACH ROW WHEN (NOT NEW.waits) EXECUTE FUNCTION {own}()",
            f"DROP TRIGGER IF EXISTS {trigger} ON {pending}",
            on=on,
        ),
        Piece("step", f"{plain} always", f"ALTER TABLE {pending} ENABLE ALWAYS TRIGGER {trigger}", "SELECT 1", on=on),
    ]


def added_up(store: Store, program: LinearProgram, locked: str) -> str:
    """Statements that take away what the transaction remembers, and `locked` then; and the beginning of one over ``d``, in which
    that is added up by key."""
    return (
        f"  WITH taken AS ({taken(store)})\n"
        f"  SELECT array_agg(tidemark_u) INTO tidemark_memory FROM taken, unnest(taken.deltas) AS tidemark_u;\n"
        f"  IF tidemark_memory IS NULL THEN RETURN; END IF;\n{locked}"
        f"  WITH d AS (\n"
        f"    SELECT {store.key_of('u')}, {', '.join(summed(store, program))}\n"
        f"    FROM unnest(tidemark_memory) AS u GROUP BY {store.key_of('u')}\n"
        f"  )"
    )


def taken(store: Store) -> str:
    """Take what this transaction remembered."""
    return f"DELETE FROM {store.names.own('pending')} WHERE xid = pg_current_xact_id() RETURNING deltas"


def summed(store: Store, program: LinearProgram) -> list[str]:
    """Fields of a delta summed up for one key, under their own names."""
    found = []
    for feed in program.feeds:
        for part in feed.parts:
            column = store.column(part)
            if part.kind == "additive":
                found.append(f"sum(u.{column})::{part.type} AS {column}")
            elif part.kind in ("highest", "lowest"):
                best = "max" if part.kind == "highest" else "min"
                found += [f"{best}(u.{f(store, part)}) AS {f(store, part)}" for f in (came, went)]
        if needs_touch(feed):
            found.append(f"max(u.{touched(store, feed)}) AS {touched(store, feed)}")
        if spells(store, feed):
            found.append(f"max(u.{left(feed)}) AS {left(feed)}")
    return found


def _additive(store: Store, program: LinearProgram) -> tuple[str, str]:
    """Every part adds up: consume and apply in one statement."""
    columns = ", ".join(store.columns)
    sets = ", ".join(
        f"{store.column(part)} = s.{store.column(part)} + excluded.{store.column(part)}" for part in store.parts
    )
    upsert = (
        f"  INSERT INTO {store.names.store} AS s ({columns})\n"
        f"    SELECT {store.key_of('u')}, {', '.join(summed(store, program))}\n"
        f"    FROM taken, unnest(taken.deltas) AS u GROUP BY {store.key_of('u')} ORDER BY {store.key_of('u')}\n"
        f"    ON CONFLICT ({store.conflict}) DO UPDATE SET {sets}\n"
    )
    if store.keeps_default:
        return "", f"  WITH taken AS ({taken(store)})\n{upsert};\n"
    return (
        "  tidemark_emptied tid[];\n",
        f"  WITH taken AS ({taken(store)}), written AS (\n{upsert}"
        f"    RETURNING s.ctid AS tidemark_tid, {store.is_default('s')} AS tidemark_emptied)\n"
        f"  SELECT array_agg(w.tidemark_tid) FILTER (WHERE w.tidemark_emptied) INTO tidemark_emptied FROM written AS w;\n"
        f"  IF tidemark_emptied IS NOT NULL THEN\n"
        f"    DELETE FROM {store.names.store} AS s WHERE s.ctid = ANY (tidemark_emptied) AND {store.is_default('s')};\n"
        f"  END IF;\n",
    )


@dataclass(frozen=True)
class _Anew:
    """What is computed anew of a stored row ``s`` from the source of a feed: where `flag` is true over the written row ``w`` and
    the summed delta ``d``, `sets` assigns it, over ``u`` with that flag."""

    feed: Feed
    flag: str
    sets: Callable[[str], str]


def _again(store: Store, program: LinearProgram) -> list[_Anew]:
    found = [
        _Anew(feed, _flag(store, feed, part), partial(_set_part, store, feed, part))
        for feed in program.feeds
        for part in feed.parts
        if part.kind != "additive"
    ]
    spelled: dict[str, list[Feed]] = {}
    for feed in program.feeds:
        if spells(store, feed):
            spelled.setdefault(feed.table.label, []).append(feed)
    for feeds in spelled.values():
        flag = " OR ".join(f"d.{left(feed)} > 0" for feed in feeds)
        found.append(_Anew(feeds[0], flag, partial(set_key, store, feeds[0])))
    return found


def _set_part(store: Store, feed: Feed, part: Part, flag: str) -> str:
    column = store.column(part)
    return f"{column} = CASE WHEN {flag} THEN {_value(store, feed, part)} ELSE s.{column} END"


def set_key(store: Store, feed: Feed, flag: str) -> str:
    """Spell the key as some row of a feed does where the flag is true, if there is a row."""
    columns = ", ".join(store.column(part) for part in store.loose)
    found = looked_up(store, feed, feed_key(store, feed, "r"), [f"({flag})", *_of_key(store, feed)])
    kept = ", ".join(f"s.{store.column(part)}" for part in store.loose)
    both = f"SELECT 0 AS tidemark_o, x.* FROM ({found} LIMIT 1) AS x UNION ALL SELECT 1, {kept}"
    return f"({columns}) = (SELECT {columns} FROM ({both}) AS y ORDER BY y.tidemark_o LIMIT 1)"


def _flag(store: Store, feed: Feed, part: Part) -> str:
    """True when the part must be computed anew, over the written row ``w`` and the summed delta ``d``."""
    column = f"w.{store.column(part)}"
    if part.kind in ("highest", "lowest"):
        beats = ">=" if part.kind == "highest" else "<="
        # Before the end of the transaction (SET CONSTRAINTS ALL IMMEDIATE) what a trigger of the user's wrote to a row is told
        # before the statement that came with the row: what came by that one may be gone again.
        early = f"pg_trigger_depth() > 1 AND d.{came(store, part)} {beats} {column}"
        return f"d.{went(store, part)} {beats} {column} OR ({early})"
    changed = f"d.{touched(store, feed)} > 0"
    if part.needed is None:
        return changed
    return f"{changed} AND ({part.needed.at('w')} OR {column} IS NOT NULL)"


def _value(store: Store, feed: Feed, part: Part) -> str:
    value = look(store, feed, part)
    return value if part.needed is None else f"CASE WHEN {part.needed.at('s')} THEN {value} END"


def look(store: Store, feed: Feed, part: Part) -> str:
    """The part from the source, for the key of the stored row ``s``."""
    tests = _of_key(store, feed)
    tests += [f"({feed.guard.at('r')})"] if feed.guard else []
    text = part.value if part.kind == "copied" else part.aggregate
    return f"(SELECT {text.at('r')} FROM {qualified(feed.table, store.dialect)} AS r WHERE {' AND '.join(tests)})"


def _of_key(store: Store, feed: Feed) -> list[str]:
    """True for rows ``r`` of a feed with the key of the stored row ``s``."""
    tests = []
    for key, one in zip(store.key, feed_key(store, feed, "r"), strict=True):
        if key.nullable:
            column = f"s.{store.column(key)}"
            tests.append(f"({one} = {column} OR ({one} IS NULL AND {column} IS NULL))")
        else:
            tests.append(f"{one} = s.{store.column(key)}")
    return tests


def _upsert_sets(store: Store) -> str:
    sets = []
    for part in store.parts:
        column = store.column(part)
        if part.kind == "additive":
            sets.append(f"{column} = s.{column} + excluded.{column}")
        elif part.kind in ("highest", "lowest"):
            best = "greatest" if part.kind == "highest" else "least"
            sets.append(f"{column} = {best}(s.{column}, excluded.{column})")
    if not sets:
        sets.append(f"{store.column(store.key[0])} = s.{store.column(store.key[0])}")
    return ", ".join(sets)


def _general(store: Store, program: LinearProgram) -> tuple[str, str]:
    """Add, then compute anew what does not add up, then remove what is empty."""
    name = store.names.store
    again = _again(store, program)
    sources = read_ahead(program, store)
    locked = f"  LOCK TABLE {', '.join(sources)} IN ACCESS SHARE MODE;\n" if sources else ""
    inserted = [part for part in store.parts if part.kind in ("additive", "highest", "lowest")]
    columns = ", ".join([store.key_list, *(store.column(part) for part in inserted)])
    values = ", ".join(
        [store.key_of("d"), *(f"d.{store.column(p) if p.kind == 'additive' else came(store, p)}" for p in inserted)]
    )
    flags = ", ".join(f"coalesce({one.flag}, false) AS tidemark_f{n}" for n, one in enumerate(again))
    any_flag = " OR ".join(f"x.tidemark_f{n}" for n in range(len(again)))
    arrays = ", ".join(f"array_agg(x.tidemark_f{n}) FILTER (WHERE {any_flag})" for n in range(len(again)))
    names = ", ".join(f"tidemark_f{n}s" for n in range(len(again)))
    declared = "".join(f"  tidemark_f{n}s boolean[];\n" for n in range(len(again)))
    aliases = ", ".join(f"tidemark_f{n}" for n in range(len(again)))
    recompute = "".join(
        _recompute(store, again, source, names, aliases)
        for source in dict.fromkeys(one.feed.table.label for one in again)
    )
    match = hashed_match(store)
    return (
        f"  tidemark_memory {store.names.own('delta')}[];\n  tidemark_tids tid[];\n"
        f"  tidemark_emptied tid[];\n  tidemark_moved tid[];\n{declared}",
        f"{added_up(store, program, locked)}, written AS (\n"
        f"    INSERT INTO {name} AS s ({columns}) SELECT {values} FROM d ORDER BY {store.key_of('d')}\n"
        f"    ON CONFLICT ({store.conflict}) DO UPDATE SET {_upsert_sets(store)}\n"
        f"    RETURNING s.ctid AS tidemark_tid, s.*\n"
        f"  ), x AS (\n"
        f"    SELECT w.tidemark_tid, {store.is_default('w')} AS tidemark_emptied, {flags}\n"
        f"    FROM written AS w JOIN d ON {match}\n"
        f"  )\n"
        f"  SELECT array_agg(x.tidemark_tid) FILTER (WHERE {any_flag}),\n"
        f"         array_agg(x.tidemark_tid) FILTER (WHERE x.tidemark_emptied), {arrays}\n"
        f"  INTO tidemark_tids, tidemark_emptied, {names} FROM x;\n"
        f"{match_keys(store)}{recompute}{vanish(store)}",
    )


def match_keys(store: Store) -> str:
    """Fail where this transaction's snapshot is too old for the rows that it has locked."""
    return (
        f"  IF current_setting('transaction_isolation') <> 'read committed' THEN\n"
        f"    -- A row that a concurrent transaction emptied and removed must fail here: this snapshot still sees its sources.\n"
        f"    -- Each look is a query of its own: a join on a unique key would stop at the row that was just written.\n"
        f"    PERFORM 1 FROM unnest(tidemark_memory) AS u, LATERAL (SELECT 1 FROM {store.names.store} AS s WHERE "
        f"{store.match('s', [f'u.{store.column(part)}' for part in store.key])} FOR UPDATE) AS x;\n  END IF;\n"
    )


def vanish(store: Store) -> str:
    """Remove the rows that are empty now."""
    if store.keeps_default:
        return ""
    return (
        f"  IF tidemark_emptied IS NOT NULL THEN\n"
        f"    DELETE FROM {store.names.store} AS s WHERE s.ctid = ANY (tidemark_emptied) AND {store.is_default('s')};\n"
        f"  END IF;\n"
    )


def read_ahead(program: LinearProgram, store: Store) -> list[str]:
    """Sources to lock, for reading only, before the first stored row: who truncates one holds it and will want the rows.

    A transaction holds what it has written, and a flush reads nothing else, but for the other leaves of a partitioned table.
    """
    return [qualified(table, store.dialect) for table in looked_at(program, store) if table.kind == "partitioned"]


def looked_at(program: LinearProgram, store: Store) -> list[Table]:
    """The sources from which something is computed anew, in the order of their labels."""
    tables = {one.feed.table.label: one.feed.table for one in _again(store, program)}
    return [table for _, table in sorted(tables.items())]


def _recompute(store: Store, again: list[_Anew], source: str, flags: str, aliases: str) -> str:
    """Compute anew what one source gives. A statement for each: to name a table is to lock it, read or not."""
    mine = [(n, one) for n, one in enumerate(again) if one.feed.table.label == source]
    sets = ", ".join(one.sets(f"u.tidemark_f{n}") for n, one in mine)
    wanted = " OR ".join(f"true = ANY (tidemark_f{n}s)" for n, _ in mine)
    return (
        f"  IF {wanted} THEN\n"
        f"    WITH again AS (\n"
        f"      UPDATE {store.names.store} AS s SET {sets}\n"
        f"      FROM unnest(tidemark_tids, {flags}) WITH ORDINALITY AS u(tidemark_tid, {aliases}, tidemark_n)\n"
        f"      WHERE s.ctid = u.tidemark_tid\n"
        f"      RETURNING s.ctid AS tidemark_tid, u.tidemark_n, {store.is_default('s')} AS tidemark_emptied)\n"
        f"    SELECT array_agg(a.tidemark_tid ORDER BY a.tidemark_n),\n"
        f"           array_agg(a.tidemark_tid) FILTER (WHERE a.tidemark_emptied)\n"
        f"    INTO tidemark_tids, tidemark_moved FROM again AS a;\n"
        f"    tidemark_emptied := tidemark_emptied || tidemark_moved;\n"
        f"  END IF;\n"
    )


def hashed_match(store: Store) -> str:
    """Written rows and deltas of one key; NULL keys are joined by their record's hash, but for types that may have none."""
    pairs = [(f"w.{store.column(part)}", f"d.{store.column(part)}") for part in store.key]
    if not store.nullable:
        return " AND ".join(f"{left} = {right}" for left, right in pairs)
    same = " AND ".join(f"{one} IS NOT DISTINCT FROM {other}" for one, other in pairs)
    hashed = [pair for pair, part in zip(pairs, store.key, strict=True) if is_hashed(part.type)]
    if not hashed:
        return same
    left, right = (", ".join(side) for side in zip(*hashed, strict=True))
    return f"hash_record_extended(ROW({left}), 0) = hash_record_extended(ROW({right}), 0) AND {same}"
