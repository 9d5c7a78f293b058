"""The fixed programs, one for each kind of statement.

Owns: `KINDS`, in the order of ``docs/statements.md``. Promises: each program writes to more than one source where the kind
allows it, and some of its statements fail where failing is what the kind is about.
"""

from __future__ import annotations

from tests.statements.kinds import Kind, Unit, auto, block, both, postgres, sqlite

COMMON: tuple[Kind, ...] = (
    both(
        "INSERT, one row",
        *auto("INSERT INTO items VALUES (10, 3, 'c', 9, 0.50)", "INSERT INTO events VALUES (10, 1, 3)"),
    ),
    both(
        "INSERT, many rows",
        *auto(
            "INSERT INTO items VALUES (10, 3, 'a', 9, 0.50), (11, 3, 'b', NULL, 1.50), (12, NULL, 'b', 1, NULL)",
            "INSERT INTO events VALUES (10, 1, 3), (11, 2, 3), (12, 9, 1)",
        ),
    ),
    both(
        "INSERT … SELECT",
        *auto("INSERT INTO items SELECT id + 20, 3, kind || id, amount, price FROM items WHERE id < 4"),
    ),
    both(
        "UPDATE of values",
        *auto(
            "UPDATE items SET amount = amount + 3 WHERE kind = 'a'",
            "UPDATE items SET amount = NULL",
            "UPDATE events SET owner_id = 3",
        ),
    ),
    both(
        "UPDATE without effect", *auto("UPDATE items SET amount = amount", "UPDATE owners SET name = name WHERE id = 1")
    ),
    both(
        "UPDATE that moves rows between groups",
        *auto(
            "UPDATE items SET kind = 'z' WHERE kind = 'a'",
            "UPDATE items SET kind = NULL",
            "UPDATE items SET owner_id = 3 WHERE id = 1",
        ),
    ),
    both(
        "UPDATE of a primary key",
        *auto(
            "UPDATE items SET id = 40 WHERE id = 4",
            "UPDATE owners SET id = 30 WHERE id = 3",
            "UPDATE events SET id = id + 50",
        ),
    ),
    both(
        "UPDATE that toggles a filter",
        *auto("UPDATE owners SET live = NOT live", "UPDATE owners SET live = TRUE WHERE id = 2"),
    ),
    both("UPDATE … FROM", *auto("UPDATE items SET amount = o.id FROM owners o WHERE o.id = items.owner_id")),
    both("DELETE of some rows", *auto("DELETE FROM items WHERE kind = 'a'", "DELETE FROM events WHERE day = 1")),
    both(
        "DELETE of all rows",
        *auto("DELETE FROM events", "DELETE FROM notes", "DELETE FROM items", "DELETE FROM owners"),
    ),
    both(
        "ON CONFLICT DO UPDATE",
        *auto(
            "INSERT INTO items VALUES (1, 2, 'q', 8, 0.25), (9, 2, 'r', 8, 0.25) "
            "ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, kind = excluded.kind",
            "INSERT INTO items VALUES (50, 1, 'b', 3, 1) ON CONFLICT (owner_id, kind) DO UPDATE SET id = 51, amount = 6",
        ),
    ),
    both(
        "ON CONFLICT DO NOTHING",
        *auto("INSERT INTO items VALUES (1, 2, 'q', 8, 1), (9, 2, 'r', 8, 1) ON CONFLICT DO NOTHING"),
    ),
    both(
        "RETURNING",
        *auto(
            "INSERT INTO items VALUES (10, 3, 'c', 9, 0.50) RETURNING id",
            "UPDATE items SET amount = 1 RETURNING *",
            "DELETE FROM items WHERE id = 1 RETURNING kind",
        ),
    ),
    both("foreign key ON DELETE CASCADE", *auto("DELETE FROM owners WHERE id = 1")),
    both("foreign key ON DELETE SET NULL", *auto("DELETE FROM items WHERE id IN (1, 3)")),
    both("foreign key ON UPDATE CASCADE", *auto("UPDATE owners SET id = id + 100", "UPDATE items SET id = id + 100")),
    both(
        "a trigger of the application writes a source",
        *auto("INSERT INTO notes VALUES (10, 1, 'n'), (11, 1, 'n'), (12, 4, 'n')"),
    ),
    both(
        "a statement that fails",
        *auto("INSERT INTO items VALUES (70, 3, 'm', 1, 1), (1, 3, 'n', 1, 1)", "UPDATE items SET id = 1"),
    ),
    both(
        "a transaction that rolls back",
        *block("UPDATE items SET amount = 99", "DELETE FROM events", end="rollback"),
        *block("UPDATE items SET amount = 5 WHERE id = 1", "DELETE FROM owners WHERE id = 2"),
    ),
    both(
        "savepoints and ROLLBACK TO",
        *block(
            "UPDATE items SET amount = 50 WHERE id = 1",
            "SAVEPOINT one",
            "DELETE FROM items",
            "SAVEPOINT two",
            "INSERT INTO items VALUES (10, 3, 'c', 9, 0.50)",
            "ROLLBACK TO two",
            "ROLLBACK TO one",
            "INSERT INTO items VALUES (11, 3, 'c', 9, 0.50)",
            "RELEASE one",
        ),
    ),
    both(
        "delete and insert of the same key in one transaction",
        *block("DELETE FROM items WHERE id = 1", "INSERT INTO items VALUES (1, 1, 'a', 2, 1)"),
        *block(
            "DELETE FROM owners WHERE id = 1",
            "INSERT INTO owners (id, name) VALUES (1, 'ada')",
            "INSERT INTO items VALUES (1, 1, 'a', 2, 1)",
        ),
    ),
)

SQLITE: tuple[Kind, ...] = (
    sqlite(
        "INSERT OR REPLACE, REPLACE",
        *auto(
            "INSERT OR REPLACE INTO items VALUES (1, 2, 'a', 30, 1), (5, 1, 'b', 8, 1)",
            "REPLACE INTO owners (id, name) VALUES (9, 'ada')",
        ),
    ),
    sqlite(
        "REPLACE with recursive_triggers on",
        Unit(
            ("REPLACE INTO items VALUES (1, 2, 'a', 30, 1), (5, 1, 'b', 8, 1)",),
            prelude=("PRAGMA recursive_triggers = ON",),
        ),
    ),
    sqlite(
        "INSERT OR IGNORE",
        *auto("INSERT OR IGNORE INTO items VALUES (1, 2, 'q', 30, 1), (5, 3, 'b', 8, 1), (6, 1, 'a', 8, 1)"),
    ),
    sqlite(
        "INSERT OR FAIL",
        *auto("INSERT OR FAIL INTO items VALUES (5, 3, 'b', 8, 1), (1, 2, 'q', 30, 1), (6, 3, 'c', 8, 1)"),
    ),
    sqlite("INSERT OR ABORT", *auto("INSERT OR ABORT INTO items VALUES (5, 3, 'b', 8, 1), (1, 2, 'q', 30, 1)")),
    sqlite(
        "INSERT OR ROLLBACK", *block("DELETE FROM events", "INSERT OR ROLLBACK INTO items VALUES (1, 2, 'q', 30, 1)")
    ),
    sqlite(
        "UPDATE OR REPLACE",
        *auto(
            "UPDATE OR REPLACE items SET id = 1 WHERE id = 3", "UPDATE OR REPLACE items SET owner_id = 1, kind = 'b'"
        ),
    ),
    sqlite(
        "UPDATE OR IGNORE",
        *auto("UPDATE OR IGNORE items SET id = 1", "UPDATE OR IGNORE items SET owner_id = 1, kind = 'b'"),
    ),
    sqlite("UPDATE OR FAIL", *auto("UPDATE OR FAIL items SET id = 9 WHERE id > 1")),
    sqlite(
        "UPDATE of the row id",
        *auto("UPDATE OR REPLACE events SET rowid = 2 WHERE rowid = 1", "UPDATE notes SET _rowid_ = 20 WHERE id = 2"),
    ),
    sqlite(
        "writes with foreign_keys off",
        Unit(("DELETE FROM owners WHERE id = 1",), prelude=("PRAGMA foreign_keys = OFF",)),
        Unit(("INSERT INTO items VALUES (10, 77, 'c', 9, 1)",)),
    ),
)

POSTGRES: tuple[Kind, ...] = (
    postgres(
        "COPY",
        Unit(("COPY items FROM STDIN",), copied="10\t3\tc\t9\t0.50\n11\t\\N\t\\N\t\\N\t\\N\n"),
        Unit(("COPY events_1 FROM STDIN",), copied="10\t1\t3\n11\t1\t1\n"),
    ),
    postgres(
        "MERGE",
        *auto(
            "MERGE INTO items t USING (VALUES (1, 8), (3, 0), (20, 5)) s (id, amount) ON t.id = s.id "
            "WHEN MATCHED AND s.amount = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET amount = s.amount "
            "WHEN NOT MATCHED THEN INSERT (id, owner_id, kind, amount) VALUES (s.id, 3, 'm', s.amount)"
        ),
    ),
    postgres(
        "TRUNCATE",
        *auto("TRUNCATE notes", "TRUNCATE owners CASCADE", "INSERT INTO owners (id, name) VALUES (5, 'eve')"),
    ),
    postgres(
        "TRUNCATE between writes",
        *block(
            "INSERT INTO events VALUES (20, 1, 1)",
            "TRUNCATE events",
            "INSERT INTO events VALUES (21, 1, 2), (22, 2, NULL)",
        ),
    ),
    postgres(
        "TRUNCATE of a partition",
        *auto("TRUNCATE events_1"),
        *block("INSERT INTO events VALUES (9, 2, 1)", "TRUNCATE events_2"),
    ),
    postgres(
        "DML on a partition",
        *auto("INSERT INTO events_1 VALUES (30, 1, 3)", "UPDATE events_1 SET owner_id = NULL", "DELETE FROM events_2"),
    ),
    postgres(
        "UPDATE across partitions",
        *auto("UPDATE events SET day = 2 WHERE day = 1", "UPDATE events SET day = day + 5, owner_id = 3"),
    ),
    postgres(
        "a partition made later",
        *auto(
            "CREATE TABLE events_5 PARTITION OF events FOR VALUES IN (5)",
            "INSERT INTO events_5 VALUES (40, 5, 1)",
            "UPDATE events_5 SET owner_id = 2",
        ),
    ),
    postgres(
        "data-modifying CTE",
        *auto(
            "WITH gone AS (DELETE FROM items WHERE id = 1 RETURNING *), "
            "more AS (INSERT INTO events VALUES (50, 1, 3) RETURNING 1) "
            "INSERT INTO items SELECT id + 60, 3, kind, amount, price FROM gone"
        ),
    ),
    postgres(
        "DO block with an exception handler",
        *auto(
            "DO $$ BEGIN UPDATE items SET amount = 8 WHERE id = 1; BEGIN DELETE FROM items; RAISE EXCEPTION 'no'; "
            "EXCEPTION WHEN OTHERS THEN NULL; END; DELETE FROM events WHERE id = 1; END $$"
        ),
    ),
    postgres("a procedure that commits", *auto("CALL stock(200)")),
    postgres(
        "SET CONSTRAINTS ALL IMMEDIATE",
        *block(
            "UPDATE items SET amount = 8 WHERE id = 1",
            "SET CONSTRAINTS ALL IMMEDIATE",
            "DELETE FROM items WHERE id = 3",
            "INSERT INTO events VALUES (9, 1, 2)",
        ),
    ),
    postgres(
        "PREPARE TRANSACTION, COMMIT PREPARED",
        *block("UPDATE items SET amount = 8", "DELETE FROM events WHERE id = 1", end="prepare-commit"),
    ),
    postgres(
        "PREPARE TRANSACTION, ROLLBACK PREPARED",
        *block("UPDATE items SET amount = 8", "DELETE FROM events", end="prepare-rollback"),
    ),
    postgres(
        "schema changes after writes in one transaction",
        *block(
            "UPDATE items SET amount = 8 WHERE id = 1",
            "CREATE INDEX ON items (amount)",
            "ALTER TABLE items ADD COLUMN extra integer DEFAULT 3",
            "DELETE FROM events WHERE id = 1",
            "ALTER TABLE events SET SCHEMA public",
        ),
    ),
    postgres(
        "REPEATABLE READ",
        *block(
            "UPDATE items SET amount = 8",
            "DELETE FROM events WHERE id = 1",
            begin="BEGIN ISOLATION LEVEL REPEATABLE READ",
        ),
    ),
    postgres(
        "SERIALIZABLE",
        *block(
            "UPDATE items SET amount = 8", "DELETE FROM events WHERE id = 1", begin="BEGIN ISOLATION LEVEL SERIALIZABLE"
        ),
    ),
    postgres(
        "a role without grants on Tidemark's tables",
        *auto("UPDATE items SET amount = 8", "DELETE FROM owners WHERE id = 1", session=1),
    ),
    postgres(
        "session_replication_role = replica",
        Unit(("UPDATE items SET amount = 8 WHERE id = 1",), prelude=("SET session_replication_role = replica",)),
        *auto("DELETE FROM owners WHERE id = 1"),
    ),
)

KINDS: tuple[Kind, ...] = (*COMMON, *SQLITE, *POSTGRES)
