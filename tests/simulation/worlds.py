"""Random schemas over tiny domains.

Owns: `World`, and drawing one. Promises: every value of a column comes from a domain of at
most six values and NULL, floats are multiples of a quarter (sums of them are exact), and the same generator state
gives the same world.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.simulation import unlike
from tests.simulation.case import Engine
from tests.simulation.relations import Field, Reference, Relation, ddl, ddl_above, quote

TAME: tuple[str, ...] = (
    "alpha",
    "beta",
    "gamma",
    "delta",
    "item",
    "owner",
    "amount",
    "state",
    "flag",
    "note",
    "score",
    "rank",
    "kind",
)
TAME += ("level", "moment", "place", "size", "weight", "colour", "shape", "total", "label", "mark", "grade", "side")
HOSTILE: tuple[str, ...] = (
    "order",
    "select",
    "my table",
    'qu"ote',
    "Ünïcödé",
    "semi;colon",
    "apos'trophe",
    "a.b",
    "表",
    "per%s cent",
)
HOSTILE += ("co:lon", "dollar$1", "back\\slash", "group", "x" * 55, "new", "old", "NEW x", "n", "excluded", "user")
HOSTILE += ("--dash", "/*star*/", "null", "{brace}", "$$", "key", "value", "CamelCase", "table", "id", "xid", "weight")
HOSTILE += ("batch", "count", "rowcount", "at@", "tab\there", "brack]et", "`tick`", "version", "universe_count", "id2")

DOMAINS: dict[str, tuple[str, ...]] = {
    "int": ("0", "1", "2", "3", "4", "-1"),
    "bigint": ("0", "1", "7", "10000000000", "-3"),
    "text": ("'a'", "'b'", "'B'", "''", "'it''s ü'"),
    "numeric": ("0.25", "1.50", "2.00", "-1.75", "3.00"),
    # No zero: PostgreSQL prints minus zero differently, and either may stand for both.
    "float": ("0.25", "-0.5", "1.0", "2.75", "4.5"),
    "boolean": ("TRUE", "FALSE"),
    "timestamp": (
        "'2024-01-01 00:00:00'",
        "'2024-01-01 12:30:00'",
        "'2024-02-29 00:00:00'",
        "'2023-12-31 23:59:59'",
        "'2023-06-01 06:00:00'",
    ),
    "date": ("'2024-01-01'", "'2024-02-29'", "'2023-12-31'", "'2023-06-01'"),
}
# How often a column has the name of one in another table.
ALIKE = 0.35

SQLITE_TYPES = {
    "int": ("INTEGER", "INT", "SMALLINT"),
    "bigint": ("BIGINT", "INTEGER"),
    "text": ("TEXT", "VARCHAR(20)"),
    "numeric": ("NUMERIC(10,2)", "DECIMAL"),
    "float": ("REAL", "DOUBLE PRECISION"),
    "boolean": ("BOOLEAN", "INTEGER"),
    "timestamp": ("TIMESTAMP", "TEXT"),
    "date": ("DATE", "TEXT"),
}
STRICT_TYPES = {"int": "INTEGER", "bigint": "INT", "text": "TEXT", "numeric": "REAL", "float": "REAL"}
STRICT_TYPES |= {"boolean": "INTEGER", "timestamp": "TEXT", "date": "TEXT", "any": "ANY"}
POSTGRES_TYPES = {
    "int": ("integer", "integer", "smallint"),
    "bigint": ("bigint",),
    "text": ("text", "text", "varchar(20)"),
    "numeric": ("numeric(10,2)",),
    "float": ("double precision",),
    "boolean": ("boolean",),
    "timestamp": ("timestamp",),
    "date": ("date",),
}


# In so many worlds of PostgreSQL tables inherit from others.
ABOVE = 0.2


def domains(engine: Engine, is_unlike: bool) -> dict[str, tuple[str, ...]]:
    """The values of each kind of column."""
    return DOMAINS | (unlike.DOMAINS[engine] if is_unlike else {})


@dataclass(frozen=True)
class World:
    """Sources in order of creation, the statements that make them, and every name in them in lower case; `is_unlike` where types
    are compared with others."""

    engine: Engine
    relations: tuple[Relation, ...]
    setup: tuple[str, ...]
    deferred_keys: bool
    taken: frozenset[str]
    is_unlike: bool = False


class Builder:
    """Draws one world from a generator of random numbers."""

    def __init__(self, rng: random.Random, engine: Engine, is_unlike: bool | None = None) -> None:
        self.rng = rng
        self.engine = engine
        # A generator of its own, so that the rest of a program does not depend on whether tables have column names in common.
        self.naming = random.Random(repr(rng.getstate()[1][:8]))
        self.hostile = rng.random() < 0.35
        state = repr(rng.getstate()[1][:8])
        drawn = random.Random(f"{state} unlike").random() < unlike.SHARE
        self.is_unlike = drawn if is_unlike is None else is_unlike
        self.domains = domains(engine, self.is_unlike)
        self.types = SQLITE_TYPES if engine == "sqlite" else POSTGRES_TYPES
        self.types = self.types | (unlike.TYPES[engine] if self.is_unlike else {})
        self.taken: set[str] = set(unlike.NAMES) if self.is_unlike else set()
        self.deferred = False

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def name(self) -> str:
        """A name that was not given before, whatever its case."""
        pool = HOSTILE if self.hostile and self.chance(0.7) else TAME
        base = self.rng.choice(pool)
        name, number = base, 2
        while name.lower() in self.taken:
            name, number = f"{base[:50]}{number}", number + 1
        self.taken.add(name.lower())
        return name

    def alike(self, fields: list[Field], earlier: list[Relation]) -> list[Field]:
        """The columns of a table, some of them with the names of columns of earlier tables, as most schemas have them."""
        taken = {one.name.lower() for one in fields}
        known = [one.name for table in earlier for one in table.fields]
        renamed = []
        for one in fields:
            free = [name for name in known if name.lower() not in taken]
            if free and self.naming.random() < ALIKE:
                one = replace(one, name=self.naming.choice(free))
                taken.add(one.name.lower())
            renamed.append(one)
        return renamed

    def column(self, kind: str, *, strict: bool = False, nullable: float = 0.7) -> Field:
        """A column of that kind."""
        # A strict table keeps 2 as 2.0; beside a literal 2, MAX could give either.
        kind = "float" if strict and kind == "numeric" else kind
        if strict:
            declared = STRICT_TYPES[kind]
        else:
            declared = self.rng.choice(self.types[kind])
        default = self.rng.choice(self.domains[kind]) if self.chance(0.2) else None
        folds = self.engine == "sqlite" and kind == "text" and self.chance(0.15)
        return Field(
            self.name(),
            kind,
            declared,
            not_null=not self.chance(nullable),
            default=default,
            collate=" COLLATE NOCASE" if folds else ' COLLATE "folded"' if kind == "folded" else "",
        )

    def relation(self, earlier: list[Relation]) -> Relation:
        """A table that may refer to earlier ones."""
        strict = self.engine == "sqlite" and self.chance(0.15)
        name = self.name()
        key_kind = self.rng.choice(("serial", "serial", "int", "text", "composite", "none"))
        fields, key = self._key(key_kind, strict)
        kinds = ["int", self.rng.choice(("int", "text"))]
        kinds += [self.rng.choice(tuple(DOMAINS)) for _ in range(self.rng.randint(1, 4))]
        kinds += unlike.more_kinds(self.rng, self.engine) if self.is_unlike else []
        fields += [self.column(kind, strict=strict) for kind in kinds]
        fields = self.alike(fields, earlier)
        key = tuple(one.name for one in fields[: len(key)])
        references: list[Reference] = []
        parents = [table for table in earlier if len(table.key) == 1 and not table.partition_by]
        if parents and self.chance(0.6):
            reference, column = self._reference(self.rng.choice(parents), strict)
            references.append(reference)
            fields.append(column)
        table = Relation(name, tuple(fields), key, serial=key_kind == "serial", references=tuple(references))
        if self.engine == "postgres" and self.chance(0.25):
            table = self._partitioned(table)
        table = self._uniques(table)
        if self.engine == "sqlite" and len(key) == 1 and not references and self.chance(0.15):
            # Rows that refer to rows of the same table, themselves included.
            reference, column = self._reference(table, strict)
            table = replace(table, fields=(*table.fields, column), references=(reference,))
            table = replace(table, extra=(*table.extra, *self._idle_triggers(table)))
            if self.chance(0.5):
                uniques, targets = (
                    (*table.uniques, f"UNIQUE ({column.quoted})"),
                    (*table.conflict_targets, column.quoted),
                )
                table = replace(table, uniques=uniques, conflict_targets=targets)
        if self.chance(0.25):
            table = replace(table, fields=(*table.fields, self._generated(table, strict)))
        if self.engine == "sqlite":
            options = ["STRICT"] if strict else []
            if key and key_kind != "serial" and self.chance(0.25):
                options.append("WITHOUT ROWID")
            table = replace(table, options=", ".join(options))
        return table

    def _idle_triggers(self, table: Relation) -> Iterator[str]:
        """Triggers that do nothing. Where rows of a table refer to each other and there is any trigger, whatever it does, SQLite
        calls some statements with REPLACE a violation that it lets pass where there is none."""
        for timing, event in itertools.product(("BEFORE", "AFTER"), ("INSERT", "UPDATE", "DELETE")):
            yield f"CREATE TRIGGER {quote(self.name())} {timing} {event} ON {table.quoted} BEGIN SELECT 1; END"

    def _key(self, kind: str, strict: bool) -> tuple[list[Field], tuple[str, ...]]:
        if kind == "none":
            return [], ()
        if kind == "serial":
            declared = "INTEGER" if self.engine == "sqlite" else self.rng.choice(("integer", "bigint"))
            column = Field(self.name(), "int", declared, not_null=True)
            return [column], (column.name,)
        kinds = {"int": ["int"], "text": ["text"]}.get(kind) or ["int", self.rng.choice(("int", "text"))]
        fields = [replace(self.column(one, strict=strict), not_null=not self.chance(0.05)) for one in kinds]
        fields = [replace(one, default=None) for one in fields]
        if self.engine == "sqlite":
            fields = [replace(one, type="INT") if one.type == "INTEGER" else one for one in fields]
        else:
            fields = [replace(one, not_null=True) for one in fields]
        return fields, tuple(one.name for one in fields)

    def _reference(self, parent: Relation, strict: bool) -> tuple[Reference, Field]:
        target = parent.field(parent.key[0])
        declared = STRICT_TYPES[target.kind] if strict else target.type
        column = replace(self.column(target.kind, strict=strict), type=declared, collate="", default=None)
        if self.engine == "sqlite" and not strict:
            column = replace(column, collate=target.collate)
        on_delete = self.rng.choice(("CASCADE", "CASCADE", "SET NULL", "NO ACTION"))
        on_update = self.rng.choice(("CASCADE", "CASCADE", "SET NULL", "NO ACTION"))
        actions = f"ON DELETE {on_delete} ON UPDATE {on_update}"
        if self.chance(0.15):
            actions += " DEFERRABLE INITIALLY DEFERRED"
            self.deferred = True
        return Reference(column.name, parent.name, target.name, actions), column

    def _generated(self, table: Relation, strict: bool) -> Field:
        numbers = [one for one in table.plain if one.kind == "int"]
        texts = [one for one in table.plain if one.kind == "text" and "char" not in one.type.lower()]
        kind, base = (
            ("text", self.rng.choice(texts)) if texts and self.chance(0.4) else ("int", self.rng.choice(numbers))
        )
        if kind == "text":
            expression = self.rng.choice((f"upper({base.quoted})", f"coalesce({base.quoted}, 'none')"))
        else:
            expression = self.rng.choice((f"{base.quoted} * 2", f"coalesce({base.quoted}, 3) + 1", f"{base.quoted}"))
        if self.engine == "postgres":
            declared, storage = ("text" if kind == "text" else "integer"), "STORED"
        else:
            declared = ("TEXT" if kind == "text" else "INTEGER") if strict else self.rng.choice(self.types[kind])
            storage = self.rng.choice(("VIRTUAL", "STORED"))
        return Field(self.name(), kind, declared, generated=f"GENERATED ALWAYS AS ({expression}) {storage}")

    def _uniques(self, table: Relation) -> Relation:
        uniques: list[str] = []
        targets: list[str] = []
        extra: list[str] = []
        must = (table.partition_by,) if table.partition_by else ()
        candidates = [one for one in table.fields if one.kind in ("int", "text") and one.name not in must]
        if self.chance(0.3):
            chosen = self.rng.sample(candidates, min(len(candidates), self.rng.choice((1, 2, 2))))
            terms = ", ".join([*(quote(name) for name in must), *(one.quoted for one in chosen)])
            uniques.append(f"UNIQUE ({terms})")
            targets.append(terms)
        if self.chance(0.15) and not must:
            one, other = self.rng.choice(candidates), self.rng.choice(table.plain)
            value = self.domains[other.kind][0]
            if other.kind in unlike.CAST:
                # Of a composite type a text alone is no value.
                value = f"CAST({value} AS {unlike.CAST[other.kind]})"
            where = f"{other.quoted} IS NOT NULL" if self.chance(0.5) else f"{other.quoted} = {value}"
            extra.append(f"CREATE UNIQUE INDEX {quote(self.name())} ON {table.quoted} ({one.quoted}) WHERE {where}")
        if self.chance(0.12) and not must:
            one = self.rng.choice(candidates)
            term = f"coalesce({one.quoted}, {self.domains[one.kind][1]})"
            extra.append(f"CREATE UNIQUE INDEX {quote(self.name())} ON {table.quoted} (({term}))")
        if self.chance(0.4):
            extra.append(f"CREATE INDEX {quote(self.name())} ON {table.quoted} ({self.rng.choice(candidates).quoted})")
        return replace(table, uniques=tuple(uniques), conflict_targets=tuple(targets), extra=tuple(extra))

    def _partitioned(self, table: Relation) -> Relation:
        numbers = [one for one in table.fields if one.kind == "int"]
        by = table.field(table.key[0]) if table.key and self.chance(0.5) else self.rng.choice(numbers)
        key = table.key if by.name in table.key else (*table.key, by.name) if table.key else ()
        fields = table.fields
        if key:
            fields = tuple(replace(one, not_null=True) if one.name in key else one for one in fields)
        leaves = [self.name() for _ in range(3)]
        method = self.rng.choice(("hash", "list", "range")) if by.kind == "int" else "hash"
        return replace(
            table, fields=fields, key=key, partition_by=by.name, leaves=tuple(leaves), options=method.upper()
        )

    def world(self) -> World:
        """One to three tables, their indexes and now and then a trigger of the application's own."""
        relations: list[Relation] = []
        for _ in range(self.rng.choice((1, 2, 2, 3, 3))):
            relations.append(self.relation(relations))
        setup = [*unlike.SETUP[self.engine]] if self.is_unlike else []
        setup += [statement for table in relations for statement in ddl(table, self.engine)]
        if len(relations) > 1 and self.chance(0.2):
            setup += user_trigger(self, relations[0], relations[-1])
        return World(self.engine, tuple(relations), tuple(setup), self.deferred, frozenset(self.taken), self.is_unlike)


def user_trigger(builder: Builder, table: Relation, other: Relation) -> list[str]:
    """A trigger of the application's own: writes on one source change another, or, on PostgreSQL, the rows of that one again."""
    rng = builder.rng
    again = builder.engine == "postgres" and builder.chance(0.3)
    other = table if again else other
    event = rng.choice(("INSERT", "DELETE", "UPDATE"))
    target = rng.choice(other.plain)
    value = rng.choice(builder.domains[target.kind])
    where = rng.choice([one for one in other.fields if one.kind == "int"])
    body = rng.choice(
        (
            f"UPDATE {other.quoted} SET {target.quoted} = {value} WHERE {where.quoted} = 1",
            f"DELETE FROM {other.quoted} WHERE {where.quoted} = 2",
        )
    )
    name = quote(builder.name())
    if builder.engine == "sqlite":
        timing = rng.choice(("AFTER", "BEFORE"))
        return [f"CREATE TRIGGER {name} {timing} {event} ON {table.quoted} BEGIN {body}; END"]
    changed = rng.choice([one for one in table.plain if one.kind in ("int", "text")])
    if again:
        body = f"IF pg_catalog.pg_trigger_depth() < 3 THEN {body}; END IF"
    before = event != "DELETE" and changed.name not in (*table.key, table.partition_by) and builder.chance(0.4)
    if before:
        body = f"NEW.{changed.quoted} := {rng.choice(builder.domains[changed.kind])}"
    timing = "BEFORE" if before else "AFTER"
    returns = "NEW" if before else "NULL"
    function = (
        f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS $body$\n"
        f"#variable_conflict use_column\nBEGIN {body}; RETURN {returns}; END $body$"
    )
    trigger = f"CREATE TRIGGER {name} {timing} {event} ON {table.quoted} FOR EACH ROW EXECUTE FUNCTION public.{name}()"
    return [function, trigger]


def put_above(rng: random.Random, world: World) -> World:
    """The world, in some cases of PostgreSQL with tables from which some of its tables inherit."""
    if world.engine != "postgres" or rng.random() > ABOVE:
        return world
    relations = tuple(
        replace(table, above=f"above {number}") if not table.leaves and rng.random() < 0.5 else table
        for number, table in enumerate(world.relations)
    )
    setup = [statement for table in relations if table.above for statement in ddl_above(table)]
    return replace(world, relations=relations, setup=(*world.setup, *setup))


def draw_world(rng: random.Random, engine: Engine, is_unlike: bool | None = None) -> World:
    """A random world on that engine; of unlike types or not, or as it comes."""
    return Builder(rng, engine, is_unlike).world()
