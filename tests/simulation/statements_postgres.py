"""Random statements that only PostgreSQL has.

Owns: MERGE, TRUNCATE, COPY, data-modifying CTEs, DO blocks, partitions, constraint modes and schema changes inside
transactions. Promises: nothing here takes a lock on Tidemark's own tables.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.simulation.case import HOMES
from tests.simulation.relations import Relation, quote
from tests.simulation.statements import Drawn, Statements


class PostgresStatements(Statements):
    """Kinds that PostgreSQL alone has. `copied` holds the input of the COPY that was drawn last."""

    copied: str = ""

    def own(self) -> list[tuple[int, Callable[[], Drawn]]]:
        """The kinds and their weights."""
        kinds: list[tuple[int, Callable[[], Drawn]]] = [
            (2, self.merge),
            (1, self.truncate),
            (2, self.copy),
            (3, self.modifying_cte),
            (2, self.block),
            (1, self.lock_rows),
            (1, self.update_from),
            (1, self.constraints),
            (1, self.schema_change),
            (1, self.forge),
        ]
        if any(table.leaves for table in self.world.relations):
            kinds += [(4, self.leaf), (2, self.across), (1, self.truncate_leaf)]
        if any(table.above for table in self.world.relations):
            kinds += [(6, self.above), (1, self.truncate_above)]
        return kinds

    def partitioned(self) -> Relation:
        """A table with partitions."""
        return self.rng.choice([table for table in self.world.relations if table.leaves])

    def merge(self) -> Drawn:
        """MERGE with updates, deletes and inserts."""
        table = self.table()
        fields = [field for field in table.plain if not (table.serial and field.name in table.key)]
        names = ", ".join(field.quoted for field in fields)
        on = table.field(table.key[0]) if table.key else fields[0]
        source = list(dict.fromkeys([on, *fields]))
        aliases = ", ".join(field.quoted for field in source)
        rows = ", ".join(
            f"({', '.join(self.cast(self.given(field, table), field.type) for field in source)})"
            for _ in range(self.rng.randint(1, 3))
        )
        arms = []
        if self.chance(0.5):
            arms.append(f"WHEN MATCHED AND {self.scalars.predicate(table, 't')} THEN DELETE")
        changed = self.rng.choice(fields)
        arms.append(f"WHEN MATCHED THEN UPDATE SET {changed.quoted} = s.{changed.quoted}")
        values = ", ".join(f"s.{field.quoted}" for field in fields)
        arms.append(f"WHEN NOT MATCHED THEN INSERT ({names}) VALUES ({values})")
        return "merge", (
            f"MERGE INTO {table.quoted} t USING (VALUES {rows}) s ({aliases}) ON t.{on.quoted} = s.{on.quoted} {' '.join(arms)}"
        )

    @staticmethod
    def cast(value: str, declared: str) -> str:
        """The value with the column's type written out."""
        return f"CAST({value} AS {declared})"

    def truncate(self) -> Drawn:
        """TRUNCATE of one table or of several."""
        tables = self.rng.sample(list(self.world.relations), self.rng.randint(1, min(2, len(self.world.relations))))
        names = ", ".join(table.quoted for table in tables)
        return (
            "truncate",
            f"TRUNCATE {names}{self.rng.choice(('', ' CASCADE', ' CASCADE', ' RESTART IDENTITY CASCADE'))}",
        )

    def truncate_leaf(self) -> Drawn:
        """TRUNCATE of a partition."""
        return "truncate-leaf", f"TRUNCATE {quote(self.rng.choice(self.partitioned().leaves))} CASCADE"

    def copy(self) -> Drawn:
        """COPY FROM STDIN."""
        table = self.table()
        fields = self.columns(table)
        lines = []
        for _ in range(self.rng.randint(1, 4)):
            values = []
            for field in fields:
                number = (
                    str(self.rng.randint(0, 6))
                    if field.name in table.key
                    else self.rng.choice(self.scalars.domains[field.kind])
                )
                null = not field.not_null and self.chance(0.2)
                values.append("\\N" if null else self.raw(number))
            lines.append("\t".join(values))
        self.copied = "\n".join(lines) + "\n"
        target = quote(self.rng.choice(table.leaves)) if table.leaves and self.chance(0.3) else table.quoted
        return "copy", f"COPY {target} ({', '.join(field.quoted for field in fields)}) FROM STDIN"

    @staticmethod
    def raw(literal: str) -> str:
        """A literal as COPY wants it."""
        return literal[1:-1].replace("''", "'") if literal.startswith("'") else literal

    def modifying_cte(self) -> Drawn:
        """Several tables changed by one statement."""
        one, two = self.table(), self.table()
        parts = [f"a AS ({self._change(one)} RETURNING 1)", f"b AS ({self._change(two)} RETURNING 1)"]
        if self.chance(0.3):
            parts.append(f"c AS ({self._change(self.table())} RETURNING 1)")
        if self.chance(0.5):
            return "cte", f"WITH {', '.join(parts)} SELECT count(*) FROM a"
        return "cte", f"WITH {parts[0]} {self._change(two)}"

    def _change(self, table: Relation) -> str:
        return self.rng.choice(
            (
                self.insert_text(table),
                f"UPDATE {table.quoted} SET {self.assignments(table)}{self.where(table)}",
                f"DELETE FROM {table.quoted}{self.where(table)}",
            )
        )

    def block(self) -> Drawn:
        """A DO block whose inner block fails and is undone."""
        inner = self._change(self.table())
        failing = self.rng.choice(("RAISE EXCEPTION 'undone'", "PERFORM 1/0", "NULL"))
        body = f"BEGIN {self._change(self.table())}; BEGIN {inner}; {failing}; EXCEPTION WHEN OTHERS THEN NULL; END;"
        if self.chance(0.5):
            body += f" {self._change(self.table())};"
        return "do-block", f"DO $simulated$ {body} END $simulated$"

    def lock_rows(self) -> Drawn:
        """SELECT … FOR UPDATE."""
        table = self.table()
        return "lock-rows", f"SELECT 1 FROM {table.quoted}{self.where(table)} FOR UPDATE"

    def update_from(self) -> Drawn:
        """UPDATE … FROM or DELETE … USING another table."""
        table, other = self.table(), self.table()
        left = self.rng.choice(table.of_kind("int"))
        right = self.rng.choice(other.of_kind("int"))
        condition = f"t.{left.quoted} = o.{right.quoted}"
        if self.chance(0.4):
            return "delete-using", f"DELETE FROM {table.quoted} t USING {other.quoted} o WHERE {condition}"
        field = self.rng.choice(table.plain)
        same = [one for one in other.fields if one.kind == field.kind]
        value = f"o.{self.rng.choice(same).quoted}" if same else self.scalars.value(field)
        text = f"UPDATE {table.quoted} t SET {field.quoted} = {value} FROM {other.quoted} o WHERE {condition}"
        return "update-from", text

    def constraints(self) -> Drawn:
        """SET CONSTRAINTS in the middle of a transaction."""
        return "set-constraints", f"SET CONSTRAINTS ALL {self.rng.choice(('IMMEDIATE', 'IMMEDIATE', 'DEFERRED'))}"

    def schema_change(self) -> Drawn:
        """A change of the schema after writes in the same transaction."""
        table = self.table()
        self.numbers += 1
        name = quote(f"made {self.numbers}")
        texts = [
            f"CREATE INDEX {name} ON {table.quoted} ({self.rng.choice(table.fields).quoted})",
            f"ALTER TABLE {table.quoted} ADD COLUMN {name} integer",
            f"ALTER TABLE {table.quoted} ADD COLUMN {name} integer DEFAULT 7",
            f"ALTER TABLE {table.quoted} SET (fillfactor = {self.rng.randint(50, 100)})",
            f"ANALYZE {table.quoted}",
        ]
        return "schema-change", self.rng.choice(texts[: 5 if not table.leaves else 3])

    def forge(self) -> Drawn:
        """A writer that plays with settings: its own, and those that Tidemark keeps for the length of a transaction."""
        text = self.rng.choice(
            (
                "RESET ALL",
                "SET LOCAL tidemark.armed = ''",
                "SET LOCAL tidemark.armed = ' _flush_nothing '",
                "SELECT set_config('tidemark.armed', ' ' || (SELECT string_agg(proname, ' ') FROM pg_proc "
                "WHERE proname LIKE E'\\\\_flush%') || ' ', true)",
                "SET LOCAL TimeZone = 'Asia/Kathmandu'",
                f"SET LOCAL search_path = {', '.join(map(quote, ('pg_catalog', 'public', *HOMES)))}",
                "SET LOCAL DateStyle = 'German'",
                "SET LOCAL extra_float_digits = -8",
                "SET LOCAL bytea_output = 'escape'",
                "SET LOCAL standard_conforming_strings = off",
                "SET LOCAL transform_null_equals = on",
            )
        )
        return "forge", text

    def leaf(self) -> Drawn:
        """Writes that go to a partition directly."""
        table = self.partitioned()
        leaf = quote(self.rng.choice(table.leaves))
        text = self.rng.choice(
            (
                self.insert_text(table, target=leaf),
                f"UPDATE {leaf} SET {self.assignments(table)}{self.where(table)}",
                f"DELETE FROM {leaf}{self.where(table)}",
            )
        )
        return "leaf", text

    def parted(self) -> list[Relation]:
        """Tables that have room for partitions that come later."""
        return [table for table in self.world.relations if table.leaves and table.options != "HASH"]

    def parting(self, own: random.Random) -> Drawn:
        """A partition comes, or is written by its own name; by a generator of its own, so that the rest of a program stays as it
        is. There may be none, or no room for it."""
        table = own.choice(self.parted())
        name = quote(f"later {table.leaves[0][:40]}")
        if own.random() < 0.4:
            bounds = ("IN (3)", "IN (4, 5)") if table.options == "LIST" else ("FROM (3) TO (5)", "FROM (5) TO (100)")
            text = f"CREATE TABLE {name} PARTITION OF {table.quoted} FOR VALUES {own.choice(bounds)}"
            none = "check_violation OR invalid_object_definition OR duplicate_table"
        else:
            field = own.choice(table.plain)
            value = own.choice(self.scalars.domains[field.kind])
            moved = f"UPDATE {name} SET {table.field(table.partition_by).quoted} = {own.randint(0, 6)}"
            text = own.choice((f"UPDATE {name} SET {field.quoted} = {value}", f"DELETE FROM {name}", moved))
            none = "undefined_table"
        # Sent as it is, what there is no room for would be an error that no writer expects.
        return "leaf-later", f"DO $simulated$ BEGIN {text}; EXCEPTION WHEN {none} THEN NULL; END $simulated$"

    def above(self) -> Drawn:
        """Writes that name the table above."""
        table = self.rng.choice([table for table in self.world.relations if table.above])
        name = quote(table.above)
        texts = (
            f"UPDATE {name} SET {self.assignments(table)}{self.where(table)}",
            f"DELETE FROM {name}{self.where(table)}",
        )
        return "above", self.rng.choice(texts)

    def truncate_above(self) -> Drawn:
        """TRUNCATE of a table above."""
        names = [quote(table.above) for table in self.world.relations if table.above]
        return "truncate-above", f"TRUNCATE {self.rng.choice(names)} CASCADE"

    def across(self) -> Drawn:
        """UPDATE that moves rows to another partition."""
        table = self.partitioned()
        field = table.field(table.partition_by)
        text = f"UPDATE {table.quoted} SET {field.quoted} = {self.given(field, table)}{self.where(table)}"
        return "across-partitions", text
