"""Random statements of every kind that both engines know, and SQLite's own.

Owns: the kinds of statements on one table. Promises: a statement is text that the engine can parse; whether it succeeds
is up to the data, and failures (duplicates, foreign keys, NULLs) are part of a program.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.relations import Field, Relation, quote
from tests.simulation.scalars import Scalars
from tests.simulation.worlds import World

Drawn = tuple[str, str]


EMPTYING = frozenset({"truncate", "truncate-leaf", "truncate-above"})


def _empties(kind: str, sql: str) -> bool:
    return kind in EMPTYING or (kind == "delete" and " WHERE " not in sql)


class Statements:
    """Draws ``(kind, sql)`` over one world. Where rows are to be `lasting`, tables are seldom emptied and often filled again:
    what joins them would be empty most of the time."""

    def __init__(self, rng: random.Random, world: World, lasting: bool = False) -> None:
        self.rng = rng
        self.lasting = lasting
        self.world = world
        self.scalars = Scalars(rng, world)
        self.numbers = 0

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def table(self) -> Relation:
        """Any table."""
        return self.rng.choice(self.world.relations)

    def draw(self) -> Drawn:
        """A statement of a kind that the engine knows."""
        kinds: list[tuple[int, Callable[[], Drawn]]] = [
            (8, self.insert),
            (8, self.update),
            (3, self.delete),
            (2, self.update_key),
            (4, self.upsert),
            (2, self.insert_select),
            (1, self.update_noop),
            (1, self.returning),
        ]
        kinds += self.own()
        weights = [weight for weight, _ in kinds]
        kind, sql = self.rng.choices([kind for _, kind in kinds], weights)[0]()
        if self.lasting and self.chance(0.8 if _empties(kind, sql) else 0.4 if kind == "insert" else 0.0):
            return self.several()
        return kind, sql

    def own(self) -> list[tuple[int, Callable[[], Drawn]]]:
        """Kinds that only this engine has, with their weights."""
        return []

    def columns(self, table: Relation) -> list[Field]:
        """Columns to insert: all that must be given, most of the others."""
        chosen = []
        for field in table.plain:
            automatic = table.serial and field.name == table.key[0]
            if automatic:
                if self.chance(0.35):
                    chosen.append(field)
            elif (field.not_null and field.default is None) or field.name in table.key or self.chance(0.85):
                chosen.append(field)
        return chosen or [table.plain[-1]]

    def rows(self, fields: list[Field], table: Relation, many: int = 4) -> str:
        """``(…), (…)``: one row or several."""
        number = 1 if self.chance(0.5) else self.rng.randint(2, many)
        return ", ".join(f"({', '.join(self.given(field, table) for field in fields)})" for _ in range(number))

    def given(self, field: Field, table: Relation) -> str:
        """A value to insert; keys come from a domain that is a little wider."""
        if field.name in table.key and field.kind == "int":
            return str(self.rng.randint(0, 6))
        return self.scalars.value(field)

    def insert_text(self, table: Relation, verb: str = "INSERT", target: str = "") -> str:
        """An INSERT with VALUES, into the table or a partition of it."""
        fields = self.columns(table)
        names = ", ".join(field.quoted for field in fields)
        return f"{verb} INTO {target or table.quoted} ({names}) VALUES {self.rows(fields, table)}"

    def insert(self) -> Drawn:
        """INSERT … VALUES."""
        return "insert", self.insert_text(self.table())

    def several(self) -> Drawn:
        """INSERT of several rows, without those that collide."""
        table = self.table()
        fields = self.columns(table)
        names = ", ".join(field.quoted for field in fields)
        text = f"INSERT INTO {table.quoted} ({names}) VALUES {self.rows(fields, table, 8)} ON CONFLICT DO NOTHING"
        return "upsert-nothing", text

    def insert_select(self) -> Drawn:
        """INSERT … SELECT from the same or another table, with keys moved on."""
        table, other = self.table(), self.table()
        fields = [field for field in self.columns(table) if not (table.serial and field.name in table.key)]
        if not fields:
            return self.insert()
        terms = []
        for field in fields:
            same = [one for one in other.fields if one.kind == field.kind]
            if field.name in table.key and field.kind == "int" and same:
                terms.append(f"({self.rng.choice(same).quoted} + {self.rng.randint(1, 4)}) % 7")
            elif same and self.chance(0.7):
                terms.append(self.rng.choice(same).quoted)
            else:
                terms.append(self.scalars.value(field))
        names = ", ".join(field.quoted for field in fields)
        where = f" WHERE {self.scalars.predicate(other)}" if self.chance(0.8) else ""
        body = f"SELECT {', '.join(terms)} FROM {other.quoted}{where} LIMIT {self.rng.randint(1, 4)}"
        return "insert-select", f"INSERT INTO {table.quoted} ({names}) {body}"

    def assignments(self, table: Relation) -> str:
        """``SET`` list over columns that are mostly no keys."""
        fields = [field for field in table.plain if field.name not in table.key or self.chance(0.08)]
        fields = fields or list(table.plain)
        chosen = self.rng.sample(fields, min(len(fields), self.rng.choice((1, 1, 2, 3))))
        return ", ".join(f"{field.quoted} = {self.scalars.change(field)}" for field in chosen)

    def where(self, table: Relation, always: float = 0.9) -> str:
        """`` WHERE …``, or nothing now and then."""
        if table.key and self.chance(0.3):
            field = table.field(table.key[0])
            return f" WHERE {field.quoted} = {self.given(field, table)}"
        return f" WHERE {self.scalars.predicate(table)}" if self.chance(always) else ""

    def update(self) -> Drawn:
        """UPDATE of some rows."""
        table = self.table()
        return "update", f"UPDATE {table.quoted} SET {self.assignments(table)}{self.where(table)}"

    def update_key(self) -> Drawn:
        """UPDATE of key columns: rows change their identity or go to another parent."""
        table = self.table()
        names = list(table.key) + [one.field for one in table.references]
        fields = [table.field(name) for name in names] or [field for field in table.plain if field.kind == "int"]
        field = self.rng.choice(fields)
        value = f"{field.quoted} + 1" if field.kind == "int" and self.chance(0.3) else self.given(field, table)
        return "update-key", f"UPDATE {table.quoted} SET {field.quoted} = {value}{self.where(table)}"

    def update_noop(self) -> Drawn:
        """UPDATE that changes no value."""
        table = self.table()
        field = self.rng.choice(table.plain)
        return "update-noop", f"UPDATE {table.quoted} SET {field.quoted} = {field.quoted}{self.where(table, 0.5)}"

    def delete(self) -> Drawn:
        """DELETE of some rows, or of all."""
        table = self.table()
        return "delete", f"DELETE FROM {table.quoted}{self.where(table)}"

    def returning(self) -> Drawn:
        """A statement with RETURNING."""
        table = self.table()
        bodies = (
            self.insert_text(table),
            f"UPDATE {table.quoted} SET {self.assignments(table)}{self.where(table)}",
            f"DELETE FROM {table.quoted}{self.where(table)}",
        )
        return "returning", f"{self.rng.choice(bodies)} RETURNING *"

    def upsert(self) -> Drawn:
        """INSERT … ON CONFLICT."""
        table = self.table()
        targets = list(table.conflict_targets)
        if table.key:
            targets += 2 * [", ".join(quote(name) for name in table.key)]
        # A table of that name makes the conflict's own "excluded" ambiguous, on the bare table too.
        nothing = self.chance(0.3) or not targets or table.name == "excluded"
        if nothing:
            target = f" ({self.rng.choice(targets)})" if targets and self.chance(0.5) else ""
            return "upsert-nothing", f"{self.insert_text(table)} ON CONFLICT{target} DO NOTHING"
        fields = self.columns(table)
        if table.serial and self.chance(0.8):
            fields = list(dict.fromkeys([table.field(table.key[0]), *fields]))
        changed = self.rng.sample(list(table.plain), min(len(table.plain), self.rng.choice((1, 2))))
        sets = []
        for field in changed:
            value = self.rng.choice((f"excluded.{field.quoted}", self.scalars.value(field)))
            sets.append(f"{field.quoted} = {value}")
        names = ", ".join(field.quoted for field in fields)
        where = f" WHERE {self.scalars.predicate(table, table.name)}" if self.chance(0.2) else ""
        return "upsert-update", (
            f"INSERT INTO {table.quoted} ({names}) VALUES {self.rows(fields, table, 3)} "
            f"ON CONFLICT ({self.rng.choice(targets)}) DO UPDATE SET {', '.join(sets)}{where}"
        )


class SqliteStatements(Statements):
    """Kinds that SQLite alone has."""

    def own(self) -> list[tuple[int, Callable[[], Drawn]]]:
        """REPLACE, conflict policies, UPDATE FROM, changes of the row id."""
        return [
            (4, self.replace),
            (3, self.policy),
            (3, self.update_policy),
            (1, self.update_from),
            (1, self.move_rowid),
        ]

    def replace(self) -> Drawn:
        """INSERT OR REPLACE: rows that collide go away without a word."""
        verb = self.rng.choice(("INSERT OR REPLACE", "REPLACE"))
        table = self.table()
        text = self.insert_text(table, verb)
        if table.key and self.chance(0.15):
            names = ", ".join(field.quoted for field in table.plain)
            text = f"{verb} INTO {table.quoted} ({names}) SELECT {names} FROM {table.quoted}{self.where(table)}"
        return "insert-or-replace", text

    def policy(self) -> Drawn:
        """INSERT OR IGNORE, FAIL, ABORT, ROLLBACK."""
        policy = self.rng.choice(("IGNORE", "IGNORE", "FAIL", "ABORT", "ROLLBACK"))
        return f"insert-or-{policy.lower()}", self.insert_text(self.table(), f"INSERT OR {policy}")

    def update_policy(self) -> Drawn:
        """UPDATE OR REPLACE, IGNORE, FAIL."""
        policy = self.rng.choice(("REPLACE", "REPLACE", "IGNORE", "FAIL"))
        kind, text = self.update_key() if self.chance(0.6) else self.update()
        return f"update-or-{policy.lower()}", text.replace("UPDATE ", f"UPDATE OR {policy} ", 1)

    def update_from(self) -> Drawn:
        """UPDATE … FROM another table."""
        table, other = self.table(), self.table()
        field = self.rng.choice(table.plain)
        same = [one for one in other.fields if one.kind == field.kind]
        value = f"o.{self.rng.choice(same).quoted}" if same else self.scalars.value(field)
        left = [one for one in table.fields if one.kind == "int"][0]
        right = [one for one in other.fields if one.kind == "int"][0]
        condition = f"{table.quoted}.{left.quoted} = o.{right.quoted}"
        return (
            "update-from",
            f"UPDATE {table.quoted} SET {field.quoted} = {value} FROM {other.quoted} o WHERE {condition}",
        )

    def move_rowid(self) -> Drawn:
        """UPDATE of the hidden row id."""
        tables = [table for table in self.world.relations if "WITHOUT" not in table.options]
        if not tables:
            return self.update()
        table = self.rng.choice(tables)
        alias = self.rng.choice(("rowid", "_rowid_", "oid"))
        value = self.rng.randint(1, 12)
        verb = self.rng.choice(("UPDATE", "UPDATE OR REPLACE", "UPDATE OR IGNORE"))
        return "update-rowid", f"{verb} {table.quoted} SET {alias} = {value} WHERE {alias} = {self.rng.randint(1, 9)}"
