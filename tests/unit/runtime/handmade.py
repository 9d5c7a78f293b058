"""Scripts written by hand: posts counted by thread, on both engines, at either freshness.

They let the runtime be tested without the pure tower, and show what the tower has to write.
"""

from tidemark.contract.script import Applier, Capture, Piece, Script
from tidemark.contract.tick import SourceLog, Tick
from tidemark.contract.ways import Reach
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.model import Column, Table
from tidemark.names import CaptureNames, Names, ledger
from tidemark.render.slices import slices_of

SOURCE = "CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, score INTEGER NOT NULL)"


def count_posts(
    dialect: Dialect, name: str = "thread_stats", generation: int = 1, freshness: str = "tick", score_min: int = 0
) -> Script:
    """Posts with at least `score_min` counted by thread."""
    names = Names(dialect, name, generation)
    ticks = freshness == "tick"
    write = _sqlite_capture if dialect is SQLITE else _postgres_capture
    pieces = (*_tables(names, ticks), *(() if ticks else write(names, score_min)), _view(names))
    return Script(
        name=name,
        engine=dialect.name,
        generation=generation,
        klass="keyed" if ticks else "linear",
        freshness=freshness,
        reasons=("one source",),
        key=("thread_id",),
        columns=("thread_id", "n"),
        sources=("posts",),
        pieces=pieces,
        applier=_applier(names, score_min),
        tick=_tick(names, ("thread_id", "score") if score_min else ("thread_id",)) if ticks else None,
        store=names.store,
        public=dialect.quote(name),
        truth=f"SELECT thread_id, count(*) AS n FROM posts WHERE score >= {score_min} GROUP BY thread_id",
    )


def _located(names: Names, kind: str, *about: str) -> str:
    plain = names.plain(kind, *about)
    return f"tidemark.{plain}" if names.dialect.has_schemas else plain


def _tables(names: Names, ticks: bool) -> list[Piece]:
    store = f"CREATE TABLE {names.store} (thread_id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL)"
    found = [Piece("table", _located(names, ""), store, f"DROP TABLE IF EXISTS {names.store}")]
    if ticks:
        dirty = names.own("dirty")
        text = f"CREATE TABLE {dirty} (thread_id INTEGER NOT NULL PRIMARY KEY)"
        found.append(Piece("table", _located(names, "dirty"), text, f"DROP TABLE IF EXISTS {dirty}"))
    return found


def _view(names: Names) -> Piece:
    public = names.dialect.quote(names.derived)
    label = names.derived
    text = f"CREATE VIEW {public} AS /* tidemark */ SELECT thread_id, n FROM {names.store} WHERE n > 0"
    return Piece("view", label, text, f"DROP VIEW IF EXISTS {public}", public=True)


def capture_posts(dialect: Dialect, table: Table, columns: tuple[str, ...]) -> Capture:
    """The capture of posts, for those columns."""
    names = CaptureNames(dialect)
    log = names.own("log", "posts")
    own = "xid xid8 NOT NULL DEFAULT pg_current_xact_id()"
    if not dialect.has_schemas:
        own = "id INTEGER PRIMARY KEY"
    images = "".join(f", {column} INTEGER" for column in columns)
    text = f"CREATE TABLE {log} ({own}, weight INTEGER NOT NULL{images})"
    pieces = [Piece("table", _located(names, "log", "posts"), text, f"DROP TABLE IF EXISTS {log}")]
    write = _sqlite_triggers if dialect is SQLITE else _postgres_triggers
    into = f"INSERT INTO {log} (weight, {', '.join(columns)})"
    rows = ("NEW", "OLD") if dialect is SQLITE else ("new_rows", "old_rows")
    steps = {
        weight: f"{into} SELECT {weight}, {', '.join(f'{row}.{column}' for column in columns)}"
        + (";" if dialect is SQLITE else f" FROM {row};")
        for weight, row in zip((1, -1), rows, strict=True)
    }
    lock = () if dialect is SQLITE else ("LOCK TABLE posts IN SHARE ROW EXCLUSIVE MODE",)
    added = tuple((column, f"ALTER TABLE {log} ADD COLUMN {column} INTEGER") for column in columns)
    gone = tuple((column, f"ALTER TABLE {log} DROP COLUMN {column}") for column in columns if dialect is not SQLITE)
    pieces += write(names, steps)
    return Capture(
        table.label, dialect.name, columns, log, names.plain("log", "posts"), tuple(pieces), lock, added, gone
    )


def _sqlite_capture(names: Names, score_min: int) -> list[Piece]:
    def step(weight: int, row: str) -> str:
        return (
            f"INSERT INTO {names.store} (thread_id, n) SELECT {row}.thread_id, {weight} "
            f"WHERE {row}.score >= {score_min} ON CONFLICT (thread_id) DO UPDATE SET n = n + excluded.n;"
        )

    return _sqlite_triggers(names, {1: step(1, "NEW"), -1: step(-1, "OLD")})


def _postgres_capture(names: Names, score_min: int) -> list[Piece]:
    def step(weight: int, rows: str) -> str:
        return (
            f"INSERT INTO {names.store} AS s (thread_id, n) SELECT thread_id, {weight} * count(*) FROM {rows} "
            f"WHERE score >= {score_min} GROUP BY thread_id ORDER BY thread_id "
            "ON CONFLICT (thread_id) DO UPDATE SET n = s.n + excluded.n;"
        )

    return _postgres_triggers(names, {1: step(1, "new_rows"), -1: step(-1, "old_rows")})


EVENTS = {"INSERT": (1,), "DELETE": (-1,), "UPDATE": (-1, 1)}


def _sqlite_triggers(names: Names, steps: dict[int, str]) -> list[Piece]:
    found = []
    for event, weights in EVENTS.items():
        trigger = names.bare("capture", event.lower())
        body = " ".join(steps[weight] for weight in weights)
        text = f"CREATE TRIGGER {trigger} AFTER {event} ON posts BEGIN {body} END"
        plain = names.plain("capture", event.lower())
        found.append(Piece("trigger", plain, text, f"DROP TRIGGER IF EXISTS {trigger}", "posts", capture=True))
    return found


def _postgres_triggers(names: Names, steps: dict[int, str]) -> list[Piece]:
    found = []
    for event, weights in EVENTS.items():
        kind = f"capture_{event.lower()}"
        function, body = names.own(kind), " ".join(steps[weight] for weight in weights)
        text = (
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = pg_catalog, public AS $$ BEGIN {body} RETURN NULL; END $$"
        )
        found.append(Piece("function", _located(names, kind), text, f"DROP FUNCTION IF EXISTS {function}()"))
        tables = {1: "NEW TABLE AS new_rows", -1: "OLD TABLE AS old_rows"}
        text = (
            f"CREATE TRIGGER {names.bare(kind)} AFTER {event} ON posts "
            f"REFERENCING {' '.join(tables[weight] for weight in weights)} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
        drop = f"DROP TRIGGER IF EXISTS {names.bare(kind)} ON posts"
        found.append(Piece("trigger", names.plain(kind), text, drop, "posts", capture=True))
        always = f"ALTER TABLE posts ENABLE ALWAYS TRIGGER {names.bare(kind)}"
        found.append(Piece("step", f"{names.plain(kind)} always", always, "SELECT 1", "posts", capture=True))
    return found


def _applier(names: Names, score_min: int) -> Applier:
    store, batch, fresh, todo = names.store, *(names.temporary(kind) for kind in ("batch", "fresh", "todo"))
    placeholders = (
        f"INSERT INTO {store} (thread_id, n) SELECT thread_id, 0 FROM {batch} ORDER BY thread_id ON CONFLICT DO NOTHING",
        f"SELECT 1 FROM {store} WHERE thread_id IN (SELECT thread_id FROM {batch}) ORDER BY thread_id FOR UPDATE",
    )
    return Applier(
        create_batch=f"CREATE TEMP TABLE IF NOT EXISTS {batch} (thread_id INTEGER PRIMARY KEY)",
        create_fresh=f"CREATE TEMP TABLE IF NOT EXISTS {fresh} (thread_id INTEGER PRIMARY KEY, n INTEGER)",
        create_stored="SELECT 1",
        create_todo=f"CREATE TEMP TABLE IF NOT EXISTS {todo} (ordinal INTEGER PRIMARY KEY, thread_id INTEGER)",
        clear_batch=f"DELETE FROM {batch}",
        add_key=f"INSERT INTO {batch} (thread_id) VALUES (:k0)",
        lock=placeholders if names.dialect.has_schemas else (),
        recompute=(
            f"DELETE FROM {fresh}",
            f"INSERT INTO {fresh} (thread_id, n) SELECT thread_id, count(*) FROM posts WHERE score >= {score_min} "
            f"AND thread_id IN (SELECT thread_id FROM {batch}) GROUP BY thread_id",
        ),
        compare=(
            "SELECT CASE WHEN s.thread_id IS NULL THEN 'missing' WHEN f.thread_id IS NULL THEN 'extra' ELSE 'different' END, "
            f"coalesce(s.thread_id, f.thread_id), s.n, f.n "
            f"FROM (SELECT * FROM {store} WHERE n <> 0 AND thread_id IN (SELECT thread_id FROM {batch})) AS s "
            f"FULL JOIN {fresh} AS f ON f.thread_id = s.thread_id WHERE s.n IS DISTINCT FROM f.n"
        ),
        write=(
            f"INSERT INTO {store} (thread_id, n) SELECT thread_id, n FROM {fresh} WHERE true "
            f"ON CONFLICT (thread_id) DO UPDATE SET n = excluded.n WHERE {store}.n <> excluded.n",
            f"DELETE FROM {store} WHERE thread_id IN (SELECT thread_id FROM {batch}) "
            f"AND thread_id NOT IN (SELECT thread_id FROM {fresh})",
        ),
        list_keys=(
            f"DELETE FROM {todo}",
            f"INSERT INTO {todo} (ordinal, thread_id) SELECT row_number() OVER (ORDER BY thread_id), thread_id "
            f"FROM (SELECT thread_id FROM posts UNION SELECT thread_id FROM {store}) AS keys",
        ),
        take_todo=(
            f"INSERT INTO {batch} (thread_id) SELECT thread_id FROM {todo} WHERE ordinal > :low AND ordinal <= :high"
        ),
        count_todo=f"SELECT count(*) FROM {todo}",
        indexed=True,
        key_columns=("thread_id",),
        compared_columns=("n",),
    )


def _tick(names: Names, columns: tuple[str, ...]) -> Tick:
    own = CaptureNames(names.dialect)
    log, dirty = own.own("log", "posts"), names.own("dirty")
    slice_, batch = names.temporary("slice"), names.temporary("batch")
    reached, todo = names.temporary("reached"), names.temporary("todo")
    place = [] if names.dialect.has_schemas else ["id"]
    mine = f"derived = '{names.derived}' AND generation = {names.generation}"
    checkpoint = f"FROM {ledger(names.dialect, 'checkpoint')} WHERE {mine}"
    ahead = f"(SELECT CAST(snapshot AS INTEGER) {checkpoint}) > coalesce((SELECT max(id) FROM {log}), 0)"
    unsealed = f"id > (SELECT CAST(snapshot AS INTEGER) {checkpoint})) OR ({ahead}"
    if names.dialect.has_schemas:
        unsealed = f"NOT pg_visible_in_snapshot(xid, (SELECT CAST(snapshot AS pg_snapshot) {checkpoint}))"
        unsealed += (
            f") OR EXISTS (SELECT 1 {checkpoint} AND pg_snapshot_xmax(CAST(snapshot AS pg_snapshot))"
            " > pg_snapshot_xmax(pg_current_snapshot())"
        )
    copied, part = ", ".join([*place, "weight", *columns]), slices_of(names.dialect).sliced()
    return Tick(
        logs=(
            SourceLog(
                source="posts",
                log=log,
                name=own.plain("log", "posts"),
                slice=slice_,
                create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({copied.replace(',', ' INTEGER,')} INTEGER)",
                clear_slice=f"DELETE FROM {slice_}",
                affected=(
                    Reach(
                        f"INSERT INTO {reached} (thread_id) SELECT DISTINCT thread_id FROM {slice_} WHERE thread_id IS NOT NULL"
                    ),
                ),
                columns=columns,
                fill_slice=f"INSERT INTO {slice_} ({copied}) SELECT {copied} FROM {log} AS l WHERE {part}",
                concerns="1 = 1",
                table=Table("public" if names.dialect.has_schemas else "", "posts", "table", POSTS),
            ),
        ),
        dirty=dirty,
        take_dirty=f"INSERT INTO {batch} (thread_id) SELECT thread_id FROM {dirty} ORDER BY thread_id LIMIT :limit",
        done_dirty=f"DELETE FROM {dirty} WHERE thread_id IN (SELECT thread_id FROM {batch})",
        count_dirty=f"SELECT count(*) FROM {dirty}",
        everything=(
            f"INSERT INTO {dirty} (thread_id) SELECT thread_id FROM posts UNION SELECT thread_id FROM {names.store} WHERE true "
            "ON CONFLICT DO NOTHING",
        ),
        waiting=f"EXISTS (SELECT 1 FROM {log} WHERE {unsealed}) OR EXISTS (SELECT 1 FROM {dirty})",
        create_reached=f"CREATE TEMP TABLE IF NOT EXISTS {reached} (thread_id INTEGER)",
        clear_reached=f"DELETE FROM {reached}",
        mark_dirty=f"INSERT INTO {dirty} (thread_id) SELECT DISTINCT thread_id FROM {reached} WHERE true ON CONFLICT DO NOTHING",
        list_reached=(
            f"DELETE FROM {todo}",
            f"INSERT INTO {todo} (ordinal, thread_id) SELECT row_number() OVER (ORDER BY thread_id), thread_id "
            f"FROM (SELECT DISTINCT thread_id FROM {reached}) AS keys",
        ),
        mark_listed=f"INSERT INTO {dirty} (thread_id) SELECT thread_id FROM {todo} WHERE ordinal > :low AND ordinal <= :high "
        "ON CONFLICT DO NOTHING",
    )


POSTS = (Column("id", "integer", True), Column("thread_id", "integer", True), Column("score", "integer", True))
DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRESQL}
