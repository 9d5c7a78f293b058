"""Scripts written by hand: posts counted by thread, on both engines, at either freshness.

They let the runtime be tested without the pure tower, and show what the tower has to write.
"""

from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.names import Names
from tidemark.script import Applier, Piece, Script, SourceLog, Tick

SOURCE = "CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL, score INTEGER NOT NULL)"


def count_posts(
    dialect: Dialect, name: str = "thread_stats", generation: int = 1, freshness: str = "tick", score_min: int = 0
) -> Script:
    """Posts with at least `score_min` counted by thread."""
    names = Names(dialect, name, generation)
    ticks = freshness == "tick"
    write = _sqlite_capture if dialect is SQLITE else _postgres_capture
    pieces = (
        *_tables(names, ticks),
        *write(names, ticks, score_min),
        _view(names),
    )
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
        tick=_tick(names) if ticks else None,
        store=names.store,
        public=dialect.quote(name),
        truth=f"SELECT thread_id, count(*) AS n FROM posts WHERE score >= {score_min} GROUP BY thread_id",
    )


def _located(names: Names, kind: str) -> str:
    plain = names.plain(kind)
    return f"tidemark.{plain}" if names.dialect.has_schemas else plain


def _tables(names: Names, ticks: bool) -> list[Piece]:
    store = f"CREATE TABLE {names.store} (thread_id INTEGER NOT NULL PRIMARY KEY, n INTEGER NOT NULL)"
    found = [Piece("table", _located(names, ""), store, f"DROP TABLE IF EXISTS {names.store}")]
    if ticks:
        number = "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id()"
        if not names.dialect.has_schemas:
            number = "INTEGER PRIMARY KEY AUTOINCREMENT"
        log, dirty = names.own("log"), names.own("dirty")
        text = f"CREATE TABLE {log} (id {number}, weight INTEGER NOT NULL, thread_id INTEGER)"
        found.append(Piece("table", _located(names, "log"), text, f"DROP TABLE IF EXISTS {log}"))
        text = f"CREATE TABLE {dirty} (thread_id INTEGER NOT NULL PRIMARY KEY)"
        found.append(Piece("table", _located(names, "dirty"), text, f"DROP TABLE IF EXISTS {dirty}"))
    return found


def _view(names: Names) -> Piece:
    public = names.dialect.quote(names.derived)
    label = names.derived
    text = f"CREATE VIEW {public} AS /* tidemark */ SELECT thread_id, n FROM {names.store} WHERE n > 0"
    return Piece("view", label, text, f"DROP VIEW IF EXISTS {public}", public=True)


def _sqlite_capture(names: Names, ticks: bool, score_min: int) -> list[Piece]:
    found = []
    for event, images in (("INSERT", "N"), ("DELETE", "O"), ("UPDATE", "ON")):
        steps = []
        for image in images:
            row, weight = ("NEW", 1) if image == "N" else ("OLD", -1)
            if ticks:
                steps.append(
                    f"INSERT INTO {names.own('log')} (weight, thread_id) SELECT {weight}, {row}.thread_id "
                    f"WHERE {row}.score >= {score_min};"
                )
            else:
                steps.append(
                    f"INSERT INTO {names.store} (thread_id, n) SELECT {row}.thread_id, {weight} "
                    f"WHERE {row}.score >= {score_min} ON CONFLICT (thread_id) DO UPDATE SET n = n + excluded.n;"
                )
        trigger = names.bare("capture", event.lower())
        text = f"CREATE TRIGGER {trigger} AFTER {event} ON posts BEGIN {' '.join(steps)} END"
        plain = names.plain("capture", event.lower())
        found.append(Piece("trigger", plain, text, f"DROP TRIGGER IF EXISTS {trigger}", "posts", capture=True))
    return found


def _postgres_capture(names: Names, ticks: bool, score_min: int) -> list[Piece]:
    found = []
    for event, images in (("INSERT", "N"), ("DELETE", "O"), ("UPDATE", "ON")):
        steps = []
        for image in images:
            rows, weight = ("new_rows", 1) if image == "N" else ("old_rows", -1)
            if ticks:
                steps.append(
                    f"INSERT INTO {names.own('log')} (weight, thread_id) SELECT {weight}, thread_id FROM {rows} "
                    f"WHERE score >= {score_min};"
                )
            else:
                steps.append(
                    f"INSERT INTO {names.store} AS s (thread_id, n) SELECT thread_id, {weight} * count(*) FROM {rows} "
                    f"WHERE score >= {score_min} GROUP BY thread_id ORDER BY thread_id "
                    "ON CONFLICT (thread_id) DO UPDATE SET n = s.n + excluded.n;"
                )
        kind = f"capture_{event.lower()}"
        function = names.own(kind)
        text = (
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
            f"SET search_path = pg_catalog, public AS $$ BEGIN {' '.join(steps)} RETURN NULL; END $$"
        )
        found.append(Piece("function", _located(names, kind), text, f"DROP FUNCTION IF EXISTS {function}()"))
        tables = {"N": "NEW TABLE AS new_rows", "O": "OLD TABLE AS old_rows"}
        text = (
            f"CREATE TRIGGER {names.bare(kind)} AFTER {event} ON posts "
            f"REFERENCING {' '.join(tables[image] for image in images)} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
        )
        drop = f"DROP TRIGGER IF EXISTS {names.bare(kind)} ON posts"
        found.append(Piece("trigger", names.plain(kind), text, drop, "posts", capture=True))
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


def _tick(names: Names) -> Tick:
    log, dirty, slice_, batch = names.own("log"), names.own("dirty"), names.temporary("slice"), names.temporary("batch")
    shape = "id bigint, xid xid8, weight INTEGER, thread_id INTEGER"
    if not names.dialect.has_schemas:
        shape = "id INTEGER, weight INTEGER, thread_id INTEGER"
    return Tick(
        logs=(
            SourceLog(
                source="posts",
                log=log,
                name=names.plain("log"),
                slice=slice_,
                create_slice=f"CREATE TEMP TABLE IF NOT EXISTS {slice_} ({shape})",
                clear_slice=f"DELETE FROM {slice_}",
                affected=(
                    f"INSERT INTO {dirty} (thread_id) SELECT DISTINCT thread_id FROM {slice_} "
                    "WHERE thread_id IS NOT NULL ON CONFLICT DO NOTHING",
                ),
                columns=("thread_id",),
            ),
        ),
        dirty=dirty,
        take_dirty=f"INSERT INTO {batch} (thread_id) SELECT thread_id FROM {dirty} ORDER BY thread_id LIMIT :limit",
        done_dirty=f"DELETE FROM {dirty} WHERE thread_id IN (SELECT thread_id FROM {batch})",
        count_dirty=f"SELECT count(*) FROM {dirty}",
        everything=(
            f"INSERT INTO {dirty} (thread_id) SELECT thread_id FROM posts UNION SELECT thread_id FROM {names.store} "
            "ON CONFLICT DO NOTHING",
        ),
    )


DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRESQL}
