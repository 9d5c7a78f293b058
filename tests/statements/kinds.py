"""The kinds of statements and a fixed program for each.

Owns: the schema, the derived tables and the programs behind ``docs/statements.md``. Promises: a program changes something
that every derived table reads; the number of comparisons that it makes is the same in every run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.simulation.case import Derived, Engine


@dataclass(frozen=True)
class Unit:
    """One transaction: `begin` is empty for a statement that commits by itself. `copied` is the input of a COPY."""

    statements: tuple[str, ...]
    begin: str = ""
    end: str = "commit"
    prelude: tuple[str, ...] = ()
    session: int = 0
    copied: str | None = None


@dataclass(frozen=True)
class Kind:
    """A kind of statement with its program on each engine; an engine that is absent does not have it."""

    title: str
    programs: dict[Engine, tuple[Unit, ...]] = field(default_factory=dict)


def auto(*statements: str, session: int = 0) -> tuple[Unit, ...]:
    """Statements that commit one by one."""
    return tuple(Unit((statement,), session=session) for statement in statements)


def block(*statements: str, end: str = "commit", begin: str = "BEGIN") -> tuple[Unit, ...]:
    """Statements in one transaction."""
    return (Unit(statements, begin, end),)


def both(title: str, *units: Unit) -> Kind:
    """A kind with the same program on both engines."""
    return Kind(title, {"sqlite": units, "postgres": units})


def sqlite(title: str, *units: Unit) -> Kind:
    """A kind that SQLite alone has."""
    return Kind(title, {"sqlite": units})


def postgres(title: str, *units: Unit) -> Kind:
    """A kind that PostgreSQL alone has."""
    return Kind(title, {"postgres": units})


TABLES = (
    "CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, live BOOLEAN NOT NULL DEFAULT TRUE)",
    "CREATE TABLE items (id INTEGER PRIMARY KEY, owner_id INTEGER REFERENCES owners (id) ON DELETE CASCADE "
    "ON UPDATE CASCADE, kind TEXT, amount INTEGER, price NUMERIC(10,2), UNIQUE (owner_id, kind))",
    "CREATE TABLE notes (id INTEGER PRIMARY KEY, item_id INTEGER REFERENCES items (id) ON DELETE SET NULL "
    "ON UPDATE CASCADE, body TEXT)",
)
EVENTS = "CREATE TABLE events (id INTEGER NOT NULL, day INTEGER NOT NULL, owner_id INTEGER, PRIMARY KEY (id, day))"
SETUP: dict[Engine, tuple[str, ...]] = {
    "sqlite": (
        *TABLES,
        EVENTS,
        "CREATE TRIGGER noted AFTER INSERT ON notes BEGIN UPDATE items SET amount = amount + 1 WHERE id = NEW.item_id; END",
    ),
    "postgres": (
        *TABLES,
        f"{EVENTS} PARTITION BY LIST (day)",
        "CREATE TABLE events_1 PARTITION OF events FOR VALUES IN (1)",
        "CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2)",
        "CREATE TABLE events_rest PARTITION OF events DEFAULT",
        "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN UPDATE items SET amount = amount + 1 WHERE id = NEW.item_id; RETURN NULL; END $$",
        "CREATE TRIGGER noted AFTER INSERT ON notes FOR EACH ROW EXECUTE FUNCTION note()",
        "CREATE PROCEDURE stock(first integer) LANGUAGE plpgsql AS "
        "$$ BEGIN INSERT INTO items VALUES (first, 1, 'p', 5, 1.00); COMMIT; "
        "INSERT INTO items VALUES (first + 1, 2, 'p', 6, 1.00); ROLLBACK; "
        "INSERT INTO items VALUES (first + 2, 2, 'p', 7, 1.00); END $$",
    ),
}
FILL = (
    "INSERT INTO owners (id, name) VALUES (1, 'ada'), (2, 'bob'), (3, 'cyd')",
    "INSERT INTO items VALUES (1, 1, 'a', 4, 1.25), (2, 1, 'b', NULL, 2.50), (3, 2, 'a', 7, NULL), (4, NULL, NULL, 0, 3.75)",
    "INSERT INTO notes VALUES (1, 1, 'x'), (2, 3, NULL), (3, NULL, 'y')",
    "INSERT INTO events VALUES (1, 1, 1), (2, 1, 2), (3, 2, 1), (4, 9, NULL)",
)
KIND_TOTALS = (
    "SELECT kind, count(*) AS items, count(amount) AS counted, sum(amount) AS total, min(amount) AS least, "
    "max(amount) AS most, avg(amount) AS mean FROM items GROUP BY kind"
)
DAY_COUNTS = "SELECT day, count(*) AS events, count(owner_id) AS owned, max(id) AS latest FROM events GROUP BY day"
DERIVED = (
    Derived("stocked", "SELECT id, owner_id, kind, amount FROM items WHERE amount > 0", ("id",), "commit", "copy"),
    Derived("kind_totals", KIND_TOTALS, ("kind",), "commit", "group"),
    Derived(
        "worth",
        "SELECT count(*) AS items, count(owner_id) AS owned, sum(amount) AS total FROM items",
        (),
        "commit",
        "total",
    ),
    Derived("day_counts", DAY_COUNTS, ("day",), "commit", "group"),
    Derived(
        "owner_stats",
        "SELECT o.id, o.name, (SELECT count(*) FROM items i WHERE i.owner_id = o.id AND i.amount > 0) AS stocked, "
        "(SELECT max(i.amount) FROM items i WHERE i.owner_id = o.id) AS most, "
        "EXISTS (SELECT 1 FROM events e WHERE e.owner_id = o.id AND e.day = 1) AS early FROM owners o WHERE o.live",
        ("id",),
        "commit",
        "universe",
    ),
    Derived("kind_totals_late", KIND_TOTALS, ("kind",), "tick", "group"),
    Derived("day_counts_late", DAY_COUNTS, ("day",), "tick", "group"),
    Derived(
        "item_owners",
        "SELECT i.id, i.kind, o.name FROM items i JOIN owners o ON o.id = i.owner_id WHERE o.live",
        ("id",),
        "tick",
        "keyed",
    ),
    Derived(
        "item_owners_now",
        "SELECT i.id, i.kind, o.name FROM items i JOIN owners o ON o.id = i.owner_id WHERE o.live",
        ("id",),
        "commit",
        "keyed",
    ),
    Derived(
        "name_kinds_now",
        "SELECT o.name, i.kind, count(*) AS items FROM owners o JOIN items i ON i.owner_id = o.id GROUP BY o.name, i.kind",
        ("name", "kind"),
        "commit",
        "keyed",
    ),
    Derived(
        "day_ranks_now",
        "SELECT e.id, e.day, rank() OVER (PARTITION BY e.day ORDER BY e.owner_id) AS place FROM events e",
        ("id", "day"),
        "commit",
        "keyed",
    ),
    Derived(
        "note_kinds",
        "SELECT n.id, n.body, i.kind FROM notes n LEFT JOIN items i ON i.id = n.item_id",
        ("id",),
        "tick",
        "keyed",
    ),
    Derived(
        "owner_kinds",
        "SELECT o.name, count(DISTINCT i.kind) AS kinds, sum(i.amount) AS total FROM owners o "
        "JOIN items i ON i.owner_id = o.id GROUP BY o.name",
        ("name",),
        "tick",
        "keyed",
    ),
)
