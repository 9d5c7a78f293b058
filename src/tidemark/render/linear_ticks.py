"""A linear program at tick freshness: changes are added up by key, then added to the rows.

Owns: the deltas of a tick, and recomputing a key as of the checkpoint. Promises: with no seal under way each stored row is what
the query says as of the checkpoint, hidden state included; a key that adding cannot make true (an extreme value that may have
fallen, a part that does not add up) is recomputed as of the seal's snapshot: from the rows of now, less what came and plus
what went since. Keys are numbered in their own order, so that the same changes give the same places again.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.contract.script import Applier
from tidemark.contract.tick import Deltas, SourceLog, Tick
from tidemark.maintenance.program import Feed, LinearProgram, Part
from tidemark.model import Table
from tidemark.render import linear, spelling, statements
from tidemark.render.deltas import came, needs_touch, touched, went
from tidemark.render.images import image, log_name, log_of
from tidemark.render.linear import feed_key
from tidemark.render.newest import last_ticked
from tidemark.render.numbered import RANGE, joins_of, remove, stored_rows, which_join
from tidemark.render.slices import slices_of
from tidemark.render.statements import ORDINAL
from tidemark.render.steering import weigh_batch
from tidemark.render.store import Store
from tidemark.render.ticks import waiting

WEIGHT, IDENTITY, PLACE, COUNT, AGAIN = (
    f"tidemark_{word}" for word in ("weight", "identity", "place", "count", "again")
)


def reads_of(program: LinearProgram, table: Table) -> tuple[str, ...]:
    """The columns of a source whose images are logged, in the table's order."""
    used = {name for feed in program.feeds if feed.table.label == table.label for name in feed.reads}
    return tuple(column.name for column in table.columns if column.name in used)


def applier(store: Store, program: LinearProgram) -> Applier:
    """The applier: the linear class's, as of the checkpoint. The fenced lease admits one writer of the rows."""
    made = linear.applier(store, program)
    images = [_keys_of_images(store, program, feed) for feed in program.feeds if not program.single]
    listed = statements.todo(store, [*linear.keys_of_feeds(store, program), *images])
    recompute = (*weigh_batch(store), *_recompute(store, program))
    late = f"CREATE TEMP TABLE IF NOT EXISTS {store.names.temporary('late')} ({_late_columns(store)})"
    return replace(
        made,
        lock=(),
        recompute=recompute,
        looked_up=(),
        list_keys=listed,
        create_rows=(late,),
        at_checkpoint=True,
        pages=None,
        newest=(*made.newest, *last_ticked(store, "ordered")),
    )


def tick(store: Store, program: LinearProgram) -> Tick:
    """The statements of a tick."""
    return Tick(
        logs=tuple(_source_log(store, program, table) for table in program.captured),
        dirty="",
        take_dirty="",
        done_dirty="",
        count_dirty="SELECT 0",
        everything=(),
        waiting=" OR ".join(waiting(store, program.captured)),
        deltas=_deltas(store, program),
    )


def _late_columns(store: Store) -> str:
    keys = ", ".join(store.definition(part) for part in store.key)
    return f"{ORDINAL} {store.dialect.big_integer} PRIMARY KEY, {keys}"


def _source_log(store: Store, program: LinearProgram, table: Table) -> SourceLog:
    slice_, columns = store.names.temporary(f"slice_{table.label}"), reads_of(program, table)
    own = [feed for feed in program.feeds if feed.table.label == table.label]
    log, slices = log_of(store.dialect, table), slices_of(store.dialect)
    part = f"{slices.sliced()} AND l.weight <> 0"
    return SourceLog(
        source=table.label,
        log=log,
        name=log_name(store.dialect, table),
        slice=slice_,
        create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({slices.definition(table, columns)})",
        clear_slice=store.phrases.clear(slice_),
        affected=(),
        columns=columns,
        fill_slice=slices.fill(table, columns, slice_),
        concerns=slices.concerns(table, columns),
        table=replace(
            table, rows=None, indexes=(), trigger_bodies=(), echoes=False, definition=None, keeps=None, stated=None
        ),
        added=tuple(_gather(store, feed, images_of(store, feed, f"{log} AS l", part)) for feed in own),
    )


def images_of(store: Store, feed: Feed, source: str, where: str) -> str:
    """SELECT of a feed's images under the source's own column names, with their weights."""
    quote = store.dialect.quote
    columns = [f"l.{quote(image(name))} AS {quote(name)}" for name in feed.reads]
    return f"(SELECT {', '.join([*columns, f'l.weight AS {WEIGHT}'])} FROM {source} WHERE {where})"


def _late_images(store: Store, program: LinearProgram, feed: Feed) -> str:
    """Images of changes that came after what is being made true; none when after it came, in any log, what nobody can undo: then
    the rows of all sources are taken as they are, so that a row is of one moment."""
    log, after = log_of(store.dialect, feed.table), _is_late(store, feed.table)
    marked = [
        f"EXISTS (SELECT 1 FROM {log_of(store.dialect, table)} AS l WHERE {_is_late(store, table)} AND l.weight = 0)"
        for table in (program.captured if store.dialect.has_truncate else ())
    ]
    return images_of(store, feed, f"{log} AS l", " AND NOT ".join([f"{after} AND l.weight <> 0", *marked]))


def _is_late(store: Store, table: Table) -> str:
    return slices_of(store.dialect).unsealed(store.names, table, "coalesce(target, snapshot)")


def _keys_of_images(store: Store, program: LinearProgram, feed: Feed) -> str:
    keys = zip(store.key, feed_key(store, feed, "r"), strict=True)
    shown = ", ".join(f"{value} AS {store.column(part)}" for part, value in keys)
    where = f" WHERE {feed.guard.at('r')}" if feed.guard else ""
    return f"SELECT {shown} FROM {_late_images(store, program, feed)} AS r{where}"


# -- recomputing as of the checkpoint -----------------------------------------------------------------------------------


def _recompute(store: Store, program: LinearProgram) -> tuple[str, ...]:
    names, late = store.names, store.names.temporary("late")
    found = [*statements.fill_stored(store), f"DELETE FROM {names.temporary('fresh')}", f"DELETE FROM {late}"]
    keys = [f"b.{store.column(part)}" for part in store.key]
    for feed in program.feeds:
        guard = feed.guard.at("r") if feed.guard else None
        key = [f"({one.at('r')})" for one in feed.key]
        rows = statements.batch_rows(store, _late_images(store, program, feed), keys, key, guard).replace("{group}", "")
        found.append(
            f"INSERT INTO {late} ({ORDINAL}, {store.key_list}) SELECT * FROM ({rows}) AS k WHERE 1 = 1 "
            f"ON CONFLICT ({ORDINAL}) DO NOTHING"
        )
    in_time = f" WHERE NOT EXISTS (SELECT 1 FROM {late} AS z WHERE z.{ORDINAL} = b.{ORDINAL})"
    found.append(linear.fill_fresh(store, program, where=in_time))
    before = {feed.number: _as_of(store, program, feed) for feed in program.feeds}
    found.append(linear.fill_fresh(store, program, "late", before))
    return (*found, *linear.settle_fresh(store))


def _as_of(store: Store, program: LinearProgram, feed: Feed) -> str:
    """The rows of the late keys as they were: those of now, with what went since, less what came since; as bags."""
    quote, late = store.dialect.quote, store.names.temporary("late")
    columns = [quote(name) for name in feed.reads]
    own = "".join(f"r.{column}, " for column in columns)
    joined = f"AS r JOIN {late} AS b ON {_same_key(store, feed)}"
    who = store.phrases.identity([f"r.{column}" for column in columns])
    now = f"SELECT {own}{who} AS {IDENTITY} FROM {statements.qualified(feed.table, store.dialect)} {joined}"
    images = _late_images(store, program, feed)
    gone = f"SELECT {own}{who} FROM {images} {joined} WHERE r.{WEIGHT} < 0"
    come = f"SELECT {who} AS {IDENTITY}, count(*) AS {COUNT} FROM {images} {joined} WHERE r.{WEIGHT} > 0 GROUP BY 1"
    placed = f"SELECT u.*, row_number() OVER (PARTITION BY u.{IDENTITY}) AS {PLACE} FROM ({now} UNION ALL {gone}) AS u"
    shown = "".join(f"a.{column}, " for column in columns)
    return (
        f"(SELECT {shown}a.{PLACE} FROM ({placed}) AS a LEFT JOIN ({come}) AS i ON i.{IDENTITY} = a.{IDENTITY} "
        f"WHERE a.{PLACE} > coalesce(i.{COUNT}, 0))"
    )


def _same_key(store: Store, feed: Feed) -> str:
    tests = []
    for part, one in zip(store.key, feed.key, strict=True):
        value, column = f"({one.at('r')})", f"b.{store.column(part)}"
        if not part.nullable:
            tests.append(f"{value} = {column}")
        elif store.dialect.planner.finds_nulls:
            tests.append(f"{value} {store.dialect.null_safe_equal} {column}")
        else:
            tests.append(f"({value} = {column} OR ({value} IS NULL AND {column} IS NULL))")
    return " AND ".join(tests)


# -- adding -------------------------------------------------------------------------------------------------------------


def _fields(store: Store, feed: Feed) -> list[tuple[str, str, str]]:
    """(quoted name, definition, kind) of a feed's fields in a delta; kind is ``sum``, ``max`` or ``min``."""
    found = [one for part in feed.parts for one in _fields_of(store, part)]
    if needs_touch(feed):
        found.append((touched(store, feed), "integer NOT NULL DEFAULT 0", "max"))
    if spelling.spells(store, feed):
        found.append((spelling.left(feed), "integer NOT NULL DEFAULT 0", "max"))
    return found


def _fields_of(store: Store, part: Part) -> list[tuple[str, str, str]]:
    if part.kind == "additive":
        return [(store.column(part), f"{part.type} NOT NULL DEFAULT 0", "sum")]
    if part.kind not in ("highest", "lowest"):
        return []
    collation = f" COLLATE {store.dialect.quote(part.collation)}" if part.collation else ""
    best = "max" if part.kind == "highest" else "min"
    return [(field(store, part), f"{part.type}{collation}", best) for field in (came, went)]


def _sorted_fields(store: Store, feed: Feed) -> list[tuple[str, str, str, Part | None]]:
    """The same with the part that each belongs to; None for the marks of having been touched, or left."""
    owners = [part for part in feed.parts for _ in _fields_of(store, part)]
    fields = _fields(store, feed)
    return [
        (*one, owner) for one, owner in zip(fields, [*owners, *([None] * (len(fields) - len(owners)))], strict=True)
    ]


def every_field(store: Store, program: LinearProgram) -> list[tuple[str, str, str, Part | None]]:
    """(quoted name, definition, kind, part) of all fields of a delta."""
    return [field for feed in program.feeds for field in _sorted_fields(store, feed)]


def added_up(store: Store, feed: Feed, images: str) -> tuple[list[str], str]:
    """A feed's images added up by key: the names of its fields, and SELECT of the key and of these under their names."""
    values = []
    for part in feed.parts:
        if part.kind == "additive":
            values.append(store.dialect.typed(f"sum(r.{WEIGHT} * ({part.value.at('r')}))", part.type))
        elif part.kind in ("highest", "lowest"):
            best = "max" if part.kind == "highest" else "min"
            for sign in (">", "<"):
                value = f"CASE WHEN r.{WEIGHT} {sign} 0 THEN ({part.value.at('r')}) END"
                collation = f" COLLATE {store.dialect.quote(part.collation)}" if part.collation else ""
                values.append(store.dialect.typed(f"{best}(({value}){collation})", part.type))
    values += ["1"] if needs_touch(feed) else []
    if spelling.spells(store, feed):
        values.append("1" if feed.is_universe else f"max(CASE WHEN r.{WEIGHT} < 0 THEN 1 ELSE 0 END)")
    names = [name for name, _, _ in _fields(store, feed)]
    keys = feed_key(store, feed, "r")
    places = ", ".join(str(number) for number in range(1, len(keys) + 1))
    where = feed.guard.at("r") if feed.guard else "1 = 1"
    columns = [*(store.column(part) for part in store.key), *names]
    shown = ", ".join(f"{value} AS {column}" for value, column in zip([*keys, *values], columns, strict=True))
    return names, f"SELECT {shown} FROM {images} AS r WHERE {where} GROUP BY {places}"


def _gather(store: Store, feed: Feed, images: str) -> str:
    """Add a feed's images up by key, beside what other slices gave: one sum over all costs less than one look-up for each."""
    names, added = added_up(store, feed, images)
    return f"INSERT INTO {store.names.temporary('delta')} ({', '.join([store.key_list, *names])}) {added}"


def merged(store: Store, kind: str, left: str, right: str) -> str:
    """The ``sum``, ``max`` or ``min`` of two values of a part; NULL is no value to the latter."""
    if kind == "sum":
        return f"{left} + {right}"
    if store.dialect.greatest_skips_nulls:
        return f"{store.dialect.greatest if kind == 'max' else store.dialect.least}({left}, {right})"
    return f"CASE WHEN {left} IS NULL OR {right} {'>' if kind == 'max' else '<'} {left} THEN {right} ELSE {left} END"


def _deltas(store: Store, program: LinearProgram) -> Deltas:
    names = store.names
    delta, ordered, batch = names.temporary("delta"), names.temporary("ordered"), names.temporary("batch")
    fields = every_field(store, program)
    columns = ", ".join([store.key_list, *(name for name, *_ in fields)])
    described = [*(store.definition(part) for part in store.key), *(f"{name} {type_}" for name, type_, *_ in fields)]
    keys = ", ".join(described)
    create = "CREATE TEMP TABLE IF NOT EXISTS"
    number = store.dialect.big_integer
    tables = [
        f"{create} {delta} ({keys})",
        f"{create} {ordered} ({ORDINAL} {number} PRIMARY KEY, {keys}, {AGAIN} integer NOT NULL DEFAULT 0)",
    ]
    sums, some = [], []
    for name, _, kind, part in fields:
        value = f"{kind}(d.{name})" if part is None else store.dialect.typed(f"{kind}(d.{name})", part.type)
        sums.append(f"{value} AS {name}")
        some.append(f"{kind}(d.{name}) {'<> 0' if kind == 'sum' or part is None else 'IS NOT NULL'}")
    summed = (
        f"SELECT {store.key_of('d')}, {', '.join(sums)} FROM {delta} AS d GROUP BY {store.key_of('d')} "
        f"HAVING {' OR '.join(some)}"
    )
    return Deltas(
        create=tuple(tables),
        clear=(store.phrases.clear(delta), store.phrases.clear(ordered)),
        number=(
            f"INSERT INTO {ordered} ({ORDINAL}, {columns}) SELECT row_number() OVER (ORDER BY {store.key_list}), {columns} "
            f"FROM ({summed}) AS d",
            *store.phrases.weigh(ordered),
        ),
        count=f"SELECT count(*) FROM {ordered}",
        flag=_flag(store, program),
        apply=(*_apply(store), *respell(store, program, ordered)),
        take_again=f"INSERT INTO {batch} ({ORDINAL}, {store.key_list}) SELECT b.{ORDINAL}, {store.key_of('b')} "
        f"FROM {ordered} AS b WHERE {RANGE} AND b.{AGAIN} = 1",
        mark=tuple(slices_of(store.dialect).mark(table) for table in program.captured),
    )


def _flag(store: Store, program: LinearProgram) -> tuple[str, ...]:
    """Mark the keys that adding cannot make true."""
    tests = fails(store, program)
    tests += [f"b.{spelling.left(feed)} > 0" for feed in program.feeds if spelling.spells(store, feed)]
    if not tests:
        return ()
    ordered = store.names.temporary("ordered")
    return tuple(
        f"UPDATE {ordered} SET {AGAIN} = 1 WHERE {ORDINAL} IN (SELECT b.{ORDINAL} FROM {ordered} AS b "
        f"LEFT JOIN {store.names.store} AS s ON {join} WHERE {RANGE}{which_join(store, number)} AND ({' OR '.join(tests)}))"
        for number, join in enumerate(joins_of(store))
    )


def fails(store: Store, program: LinearProgram) -> list[str]:
    """Tests on a delta ``b`` and the stored row ``s`` of its key: where one is true, adding may not give what is true."""
    return [_may_fail(store, feed, part) for feed in program.feeds for part in feed.parts if part.kind != "additive"]


def _may_fail(store: Store, feed: Feed, part: Part) -> str:
    """True when the part's value may not be what adding gives."""
    column = store.column(part)
    if part.kind in ("highest", "lowest"):
        beats = ">=" if part.kind == "highest" else "<="
        gone, new = f"b.{went(store, part)}", f"b.{came(store, part)}"
        return (
            f"({gone} IS NOT NULL AND (s.{column} IS NULL OR {gone} {beats} s.{column}) "
            f"AND ({new} IS NULL OR {gone} {beats} {new}))"
        )
    changed = f"b.{touched(store, feed)} > 0"
    if part.needed is None:
        return f"({changed})"
    needed = part.needed.over(lambda quoted: f"(coalesce(s.{quoted}, 0) + b.{quoted})")
    return f"({changed} AND (s.{column} IS NOT NULL OR {needed}))"


def _apply(store: Store) -> tuple[str, ...]:
    """Add the deltas in the order of their keys, then remove rows to which nothing contributes any more."""
    ordered, name = store.names.temporary("ordered"), store.names.store
    parts = [part for part in store.parts if part.kind in ("additive", "highest", "lowest")]
    values, sets = [], []
    for part in parts:
        column = store.column(part)
        values.append(f"b.{column if part.kind == 'additive' else came(store, part)}")
        kind = {"additive": "sum", "highest": "max", "lowest": "min"}[part.kind]
        sets.append(f"{column} = {merged(store, kind, f's.{column}', f'excluded.{column}')}")
    columns = ", ".join([store.key_list, *(store.column(part) for part in parts)])
    sets = sets or [f"{store.column(store.key[0])} = s.{store.column(store.key[0])}"]
    found = [
        f"INSERT INTO {name} AS s ({columns}) SELECT {', '.join([store.key_of('b'), *values])} FROM {ordered} AS b "
        f"WHERE {RANGE} AND b.{AGAIN} = 0 ORDER BY b.{ORDINAL} ON CONFLICT ({store.conflict}) DO UPDATE SET {', '.join(sets)}"
    ]
    less = [f"b.{store.column(part)} < 0" for part in parts if part.kind == "additive"]
    if not store.keeps_default and less:
        found += remove(store, ordered, f"{RANGE} AND b.{AGAIN} = 0 AND ({' OR '.join(less)})", store.is_default)
    return tuple(found)


def respell(store: Store, program: LinearProgram, ordered: str) -> tuple[str, ...]:
    """Spell the keys that were added to as they are counted. Those that are looked up are computed anew."""
    return spelling.by_count(store, program.presence, stored_rows(store, ordered, RANGE)) if program.presence else ()
