"""Deliberate mistakes in what keeps a recomputed table true at every commit: images, turns, and the order of statements.

Owns: the list `COMMIT` and the small programs in which its mistakes show. Promises: as `mutants`.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tests.simulation.case import Case, Derived, Engine, Statement, Transaction
from tests.simulation.mutants import FLUSH, Mutant, in_flush, texts, without

FEW = r'[^"]*" WHERE likelihood\([^()]*\)\)'
JOINS = ("inner-join", "grouped-join", "left-join")
BOTH = "SELECT u.region, p.score, count(*) AS n FROM posts p JOIN users u ON u.id = p.author GROUP BY u.region, p.score"
HALVES = "SELECT p.id, u.region FROM posts p JOIN users u ON u.id = p.author"
KINDS = "SELECT u.region, sum(p.score) AS n FROM posts p JOIN users u ON u.id = p.author GROUP BY u.region"


def _case(engine: Engine, seed: str, query: str, key: tuple[str, ...], *transactions: Transaction) -> Case:
    cascade = " ON DELETE CASCADE" if engine == "sqlite" else " DEFERRABLE INITIALLY DEFERRED"
    reference = "" if "halves" in seed else f" REFERENCES users (id){cascade}"
    return Case(
        engine=engine,
        seed=seed,
        setup=(
            "CREATE TABLE users (id integer PRIMARY KEY, region text)",
            f"CREATE TABLE posts (id integer PRIMARY KEY, author integer{reference}, score integer)",
        ),
        fill=(
            "INSERT INTO users VALUES (1, 'n'), (2, 'n'), (3, 's')",
            "INSERT INTO posts VALUES (1, 1, 5), (2, 2, 6), (3, 3, 7)",
        ),
        sources=('"users"', '"posts"'),
        derived=(Derived("kept", query, key, "commit", "inner-join"),),
        transactions=transactions,
        sessions=3,
        quick=True,
        deferred_keys=engine == "postgres",
    )


def _alone(at: float, sql: str, *prelude: str) -> Transaction:
    return Transaction(0, at, "", (Statement(at, "fixed", sql),), "commit", at + 0.1, prelude)


def _at(session: int, at: float, level: str, *statements: str, end: float) -> Transaction:
    """A transaction whose statements come one after another from `at` on."""
    made = tuple(Statement(at + 0.1 * place, "fixed", sql) for place, sql in enumerate(statements, start=1))
    return Transaction(session, at, f"BEGIN ISOLATION LEVEL {level}", made, "commit", end)


# The parent's BEFORE trigger is the last to see its children.
CASCADE = _case(
    "sqlite",
    "a parent goes with its children",
    BOTH,
    ("region", "score"),
    _alone(1, "DELETE FROM users WHERE id = 1", "PRAGMA foreign_keys = ON"),
)
REPLACED = _case(
    "sqlite",
    "a parent is replaced and takes its children along",
    BOTH,
    ("region", "score"),
    _alone(
        1, "INSERT OR REPLACE INTO users VALUES (1, 'w')", "PRAGMA foreign_keys = ON", "PRAGMA recursive_triggers = OFF"
    ),
)
UPDATED = _case(
    "sqlite",
    "a row moves to another unit",
    BOTH,
    ("region", "score"),
    _alone(1, "UPDATE posts SET score = 9 WHERE id = 1"),
)
VANISHED = _case(
    "postgres",
    "both rows of a match go in one transaction",
    BOTH,
    ("region", "score"),
    _at(0, 1, "READ COMMITTED", "DELETE FROM posts WHERE id = 1", "DELETE FROM users WHERE id = 1", end=2),
)
# Children are gone when the first trigger flushes, and their own has not fired yet.
IMMEDIATE = _case(
    "postgres",
    "both rows of a match go in one statement under immediate constraints",
    BOTH,
    ("region", "score"),
    _at(
        0,
        1,
        "READ COMMITTED",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "WITH u AS (DELETE FROM users WHERE id = 1), p AS (DELETE FROM posts WHERE author = 1) SELECT 1",
        end=2,
    ),
)
# The row is told of as it came after it was told of as the trigger left it.
LEAST = "SELECT author, min(score) AS least, count(*) AS n FROM posts GROUP BY author"
AGAIN = replace(
    _case(
        "postgres",
        "a trigger writes a row again under immediate constraints",
        LEAST,
        ("author",),
        _at(0, 1, "READ COMMITTED", "SET CONSTRAINTS ALL IMMEDIATE", "INSERT INTO posts VALUES (4, 1, 1)", end=2),
    ),
    setup=(
        "CREATE TABLE users (id integer PRIMARY KEY, region text)",
        "CREATE TABLE posts (id integer PRIMARY KEY, author integer, score integer)",
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() < 2 THEN "
        "UPDATE posts SET score = 8 WHERE id = NEW.id; END IF; RETURN NULL; END $$",
        "CREATE TRIGGER again AFTER INSERT ON posts FOR EACH ROW EXECUTE FUNCTION again()",
    ),
    derived=(Derived("kept", LEAST, ("author",), "commit", "group"),),
)
# The row is written by a trigger before the statement that fired it writes it.
EARLY = replace(
    _case(
        "sqlite",
        "a trigger writes the row before it is written",
        "SELECT author, count(*) AS n, max(score) AS m FROM posts GROUP BY author",
        ("author",),
        _alone(1, "UPDATE posts SET author = 1 WHERE id = 3"),
        _alone(2, "DELETE FROM posts WHERE id = 2"),
    ),
    setup=(
        "CREATE TABLE users (id integer PRIMARY KEY, region text)",
        "CREATE TABLE posts (id integer PRIMARY KEY, author integer, score integer)",
        "CREATE TRIGGER touches BEFORE UPDATE ON posts BEGIN "
        "UPDATE posts SET author = 2, score = 1 WHERE id = OLD.id AND author = 3; END",
        "CREATE TRIGGER goes BEFORE DELETE ON posts BEGIN "
        "UPDATE posts SET author = 1 WHERE id = OLD.id AND author = 2; END",
    ),
    derived=(
        Derived(
            "kept",
            "SELECT author, count(*) AS n, max(score) AS m FROM posts GROUP BY author",
            ("author",),
            "commit",
            "group",
        ),
    ),
)
# The row that refers to itself is written twice, and the second time is told first.
ITSELF = replace(
    _case(
        "sqlite",
        "a row refers to itself and gets another key",
        "SELECT id, author, score FROM posts",
        ("id",),
        _alone(1, "UPDATE posts SET id = 9 WHERE id = 1", "PRAGMA foreign_keys = ON"),
    ),
    setup=(
        "CREATE TABLE users (id integer PRIMARY KEY, region text)",
        "CREATE TABLE posts (id integer PRIMARY KEY, author integer REFERENCES posts (id) ON UPDATE CASCADE, score integer)",
    ),
    derived=(Derived("kept", "SELECT id, author, score FROM posts", ("id",), "commit", "copy"),),
)


def _replaced(seed: str, action: str, rows: str, statement: str) -> Case:
    """A row of posts is replaced, others of which refer to it and have a place of their own."""
    return replace(
        _case(
            "sqlite",
            seed,
            "SELECT id, author, score FROM posts",
            ("id",),
            _alone(1, statement, "PRAGMA foreign_keys = ON"),
        ),
        setup=(
            "CREATE TABLE users (id integer PRIMARY KEY, region text)",
            f"CREATE TABLE posts (id integer PRIMARY KEY, author integer UNIQUE REFERENCES posts (id) {action}, score integer)",
        ),
        fill=(f"INSERT INTO posts VALUES {rows}",),
        derived=(Derived("kept", "SELECT id, author, score FROM posts", ("id",), "commit", "copy"),),
    )


# The first victim writes the second one, which is still there then.
BOTH_GO = _replaced(
    "two rows are replaced of which one refers to the other",
    "ON DELETE SET NULL",
    "(4, NULL, 2), (2, 4, 2), (5, 2, 1), (6, 5, 1)",
    "INSERT OR REPLACE INTO posts VALUES (4, 2, 1)",
)
ALONG = _replaced(
    "a replaced row takes along the one that replaces it",
    "ON DELETE CASCADE",
    "(4, NULL, 2), (3, 4, 1)",
    "UPDATE OR REPLACE posts SET id = 4 WHERE id = 3",
)
# The victim's foreign key writes the row that replaces it, which is overwritten.
AUTHORS = "SELECT author, count(*) AS n FROM posts GROUP BY author"
OVERWRITTEN = replace(
    _replaced(
        "a replaced row writes the one that replaces it",
        "ON DELETE SET NULL",
        "(4, NULL, 2), (3, 4, 1)",
        "UPDATE OR REPLACE posts SET id = 4, author = NULL WHERE id = 3",
    ),
    derived=(Derived("kept", AUTHORS, ("author",), "commit", "group"),),
)
# One flush has its units before the other one commits.
EDGE = _case(
    "postgres",
    "two halves of a match come at once",
    HALVES,
    ("id",),
    _at(0, 1, "READ COMMITTED", "UPDATE users SET region = 'x' WHERE id = 2", "SET CONSTRAINTS ALL IMMEDIATE", end=3),
    _at(1, 1.5, "READ COMMITTED", "INSERT INTO posts VALUES (9, 2, 1)", "SET CONSTRAINTS ALL IMMEDIATE", end=4),
)
UNIT = _case(
    "postgres",
    "one unit is reached over two values",
    KINDS,
    ("region",),
    _at(0, 1, "READ COMMITTED", "INSERT INTO posts VALUES (8, 1, 1)", "SET CONSTRAINTS ALL IMMEDIATE", end=3),
    _at(1, 1.5, "READ COMMITTED", "INSERT INTO posts VALUES (9, 2, 2)", "SET CONSTRAINTS ALL IMMEDIATE", end=4),
)
OLDER = _case(
    "postgres",
    "the second of two halves has an older snapshot",
    HALVES,
    ("id",),
    Transaction(
        0,
        1,
        "BEGIN ISOLATION LEVEL REPEATABLE READ",
        (
            Statement(1.1, "fixed", "SELECT count(*) FROM users"),
            Statement(3, "fixed", "INSERT INTO posts VALUES (9, 4, 1)"),
        ),
        "commit",
        4,
    ),
    Transaction(1, 2, "", (Statement(2, "fixed", "INSERT INTO users VALUES (4, 'x')"),), "commit", 2.1),
)

# Somebody holds the turns of the second level while two writers come to it: one has changed the first level alone, the other one
# what is read beside it, too, and would go to the second level first, by its name.
LEVELS = replace(
    _case(
        "postgres",
        "two writers of two levels",
        BOTH,
        (),
        _at(0, 1, "READ COMMITTED", "UPDATE f SET v = v + 1", end=2),
        _at(2, 3, "READ COMMITTED", "SELECT FROM tidemark._turns_b_counts FOR UPDATE", end=6),
        _at(0, 4, "READ COMMITTED", "UPDATE f SET v = v + 1 WHERE id = 1", "INSERT INTO h VALUES (3, 1)", end=5),
        _at(1, 4, "READ COMMITTED", "UPDATE f SET v = v + 2 WHERE id = 2", end=5.5),
    ),
    setup=(
        "CREATE TABLE f (id integer PRIMARY KEY, g integer, v integer)",
        "CREATE TABLE h (id integer PRIMARY KEY, g integer)",
    ),
    fill=("INSERT INTO f VALUES (1, 1, 1), (2, 1, 2)", "INSERT INTO h VALUES (1, 1), (2, 2)"),
    sources=('"f"', '"h"'),
    derived=(
        Derived("z_sums", "SELECT g, sum(v) AS s FROM f GROUP BY g", ("g",), "commit", "group"),
        Derived(
            "b_counts",
            "SELECT z.g, max(z.s) AS s, count(h.id) AS n FROM z_sums AS z LEFT JOIN h ON h.g = z.g GROUP BY z.g",
            ("g",),
            "commit",
            "cascade",
        ),
    ),
    deferred_keys=False,
)


def _advisory(create: str) -> str:
    """Turns are advisory locks, which leave no trace for an older snapshot."""
    return re.sub(
        r"INSERT INTO \"tidemark\"\.\"_turns[^\"]*\" AS t \(place\) (SELECT DISTINCT p\.place FROM .*?) ORDER BY p\.place "
        r"ON CONFLICT \(place\) DO UPDATE SET turn = t\.turn \+ 1;",
        r"PERFORM pg_advisory_xact_lock(7, z.place) FROM (\1 ORDER BY p.place) AS z;",
        create,
        flags=re.DOTALL,
    )


def _without_units(create: str) -> str:
    """No turns are taken at units."""
    return re.sub(r"  IF NOT tidemark_whole THEN\n    INSERT INTO[^;]*;\n  END IF;\n", "", create)


def _without_edges(create: str) -> str:
    """No turns are taken at the values of edges."""
    return re.sub(r"(END IF;\n)    INSERT INTO \"tidemark\"\.\"_turns[^;]*;\n(  END IF;\n)", r"\1\2", create)


def _at_once(create: str) -> str:
    """Units are computed in the statement that takes their turns, whose snapshot is as old as the wait."""
    taking = re.search(r"  IF NOT tidemark_whole THEN\n    (INSERT INTO[^;]*);\n  END IF;\n", create)
    if taking is None:
        return create
    rest = create.replace(taking[0], "")
    turns = f"tidemark_turns AS ({taking[1]} RETURNING 1)"
    taken = "tidemark_taken AS MATERIALIZED (SELECT count(*) FROM tidemark_turns)"
    rest = rest.replace("WITH tidemark_fresh (", f"WITH {turns}, {taken}, tidemark_fresh (")
    read = "FROM tidemark_fresh AS f WHERE NOT EXISTS (\n"
    return rest.replace(read, read.replace("FROM ", "FROM tidemark_taken, "))


COMMIT: tuple[Mutant, ...] = (
    Mutant(
        "sqlite",
        "image in flight",
        JOINS,
        without(lambda _, piece: piece.kind == "trigger" and "__before_" in piece.name),
        CASCADE,
    ),
    Mutant(
        "sqlite",
        "images beside current rows",
        JOINS,
        texts("trigger", "__delete_", r'\n  INSERT INTO "tidemark__batch_[^;]*UNION ALL[^;]*;', ""),
        CASCADE,
    ),
    Mutant(
        "sqlite",
        "rows in the stash beside current rows",
        JOINS,
        texts("trigger", "__delete_", rf' UNION ALL SELECT [^()]* FROM \(SELECT \* FROM "tidemark__stash_{FEW}', ""),
        REPLACED,
    ),
    Mutant(
        "sqlite",
        "new image",
        JOINS,
        texts("trigger", "__update_", r'\n  INSERT INTO "tidemark__flight_[^;]*;', ""),
        UPDATED,
    ),
    Mutant(
        "sqlite",
        "rows that come back to themselves",
        ("copy", "group"),
        texts("trigger", "__update_", r";\n  (UPDATE|DELETE FROM) [^;]*UNION ALL SELECT NEW\.[^;]*NOT EXISTS[^;]*", ""),
        ITSELF,
    ),
    Mutant(
        "sqlite",
        "rows as they were last",
        ("copy", "group"),
        texts("trigger", "__seen_", r"WHEN .*BEGIN", "WHEN 0\nBEGIN"),
        EARLY,
    ),
    Mutant(
        "sqlite",
        "victims of the statement around an update",
        ("copy", "group"),
        texts(
            "trigger",
            "__unstash_update_",
            r'DELETE FROM ("tidemark__stash_[^"]*") WHERE [^;]*_moves[^;]*;',
            r"DELETE FROM \1;",
        ),
        BOTH_GO,
    ),
    Mutant(
        "sqlite",
        "what a victim wrote to its replacer",
        ("group",),
        texts("trigger", "__stash_update_", r"(SELECT OLD\.[^;]*, 101 WHERE) ", r"\1 0 AND "),
        OVERWRITTEN,
    ),
    Mutant(
        "sqlite",
        "victims that take their replacer along",
        ("copy", "group"),
        texts("trigger", "__unstash_delete_", r"<= 0 AND", "<= 0 AND 0 AND"),
        ALONG,
    ),
    Mutant(
        "postgres",
        "images beside current rows",
        JOINS,
        texts("function", "_flush_", r"unnest\(tidemark_all(\d)\)", r"unnest(tidemark_all\1[1:0])"),
        VANISHED,
    ),
    Mutant(
        "postgres",
        "images that stay for a statement",
        JOINS,
        texts("function", "_take_", r"pg_trigger_depth\(\) < 2", "true"),
        IMMEDIATE,
    ),
    Mutant(
        "postgres",
        "rows told of after what a trigger made of them",
        ("group",),
        texts("function", FLUSH, r"pg_trigger_depth\(\) > 1 AND", "false AND"),
        AGAIN,
    ),
    Mutant("postgres", "turns at edges", JOINS, in_flush(_without_edges), EDGE),
    Mutant("postgres", "turns at units", JOINS, in_flush(_without_units), UNIT),
    Mutant("postgres", "turns that are written", JOINS, in_flush(_advisory), OLDER),
    Mutant("postgres", "statement after the turns", JOINS, in_flush(_at_once), UNIT),
    # Nothing is known to be written by any flush, so that none comes before another one but by its name.
    Mutant(
        "postgres",
        "levels of flushes",
        ("cascade",),
        texts("step", " woven", r"ARRAY\['tidemark\.[^]]*\]", "ARRAY[]"),
        LEVELS,
    ),
)
