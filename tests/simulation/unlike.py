"""Columns of types that are compared with other types, and conditions that do so.

Owns: the kinds of columns that only some worlds have, their values, and the draw of a condition over operands of unlike types.
Promises: a condition has one answer for a row, whatever stands beside it; no two values of a kind that queries show are equal
and spelled otherwise; PostgreSQL is only asked for comparisons that it has.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.simulation.relations import Field, Relation, quote

SHARE = 0.3
"""How many worlds have such columns."""

DOMAINS: dict[str, dict[str, tuple[str, ...]]] = {
    "sqlite": {
        "text": ("'a'", "'B'", "''", "'1'", "'01'", "' 2 '", "'1e0'", "'0.25'", "'-1'", "'it''s ü'"),
        "any": ("1", "2", "-1", "0.25", "1.5", "'1'", "'01'", "'a'", "x'31'", "x'61'"),
    },
    "postgres": {
        "text": ("'a'", "'b'", "'B'", "''", "'a '", "'it''s ü'"),
        "real": ("0.25", "-0.5", "1.0", "2.75"),
        "number": ("1", "1.0", "1.50", "1.5", "-2"),
        "char": ("'a'", "'b'", "'B'", "''", "'a  '"),
        "label": ("'low'", "'high'", "'middle'"),
        "pair": ("'(1,a)'", "'(1,)'", "'(,b)'", "'(,)'", "'(2,a)'"),
        "numbers": ("'{1,2}'", "'{}'", "'{NULL}'", "'{1}'"),
        "document": ("'1'", "'\"a\"'", "'{\"a\": 1}'", "'[1, null]'", "'null'"),
        "stamped": ("'2024-01-01 00:00:00+00'", "'2024-01-01 12:30:00+05:45'", "'2023-12-31 23:59:59+00'"),
        "folded": ("'a'", "'A'", "'b'", "''"),
        "letter": ("'a'", "'b'", "''"),
        "padded": ("'a'", "'a  '", "'b'", "''"),
    },
}
LATER: tuple[str, ...] = ("span", "steps", "moment", "named")
"""Kinds that some worlds of PostgreSQL have in addition: they are drawn by a generator of their own, so that others stay as they
were."""
DOMAINS["postgres"] |= {
    "span": (
        "'[2024-01-01 00:00+00,2024-02-01 00:00+00)'",
        "'empty'",
        "'(,2024-01-01 00:00+00]'",
        "'[2024-01-15 00:00+00,)'",
    ),
    "steps": ("'[1,3)'", "'[1,2]'", "'empty'", "'(,)'", "'[2,5)'"),
    "moment": ("'2024-01-01 00:00:00+00'", "'2024-01-01 12:30:00+05:45'", "'2023-12-31 23:59:59+00'"),
    "named": ("'a'", "'A'", "'b'", "''"),
}
TYPES: dict[str, dict[str, tuple[str, ...]]] = {
    "sqlite": {
        "int": ("INTEGER", "INT", "SMALLINT", "CHARINT", "FLOATING POINT"),
        "text": ("TEXT", "VARCHAR(20)", "CHAR"),
        "numeric": ("NUMERIC(10,2)", "DECIMAL", "STRING"),
        "any": ("", "BLOB", "", "XBLOB"),
    },
    "postgres": {
        "int": ("integer", "smallint", '"counted"', '"counted"'),
        "text": ("text", "varchar(20)", '"worded"'),
        "real": ("real",),
        "number": ("numeric",),
        "char": ("char(3)",),
        "label": ('"label"',),
        "pair": ('"pair"',),
        "numbers": ("integer[]",),
        "document": ("jsonb",),
        "stamped": ("timestamptz",),
        "folded": ("text",),
        "letter": ('"char"',),
        "padded": ("bpchar",),
        "span": ("tstzrange",),
        "steps": ("int4range", '"stepped"'),
        "moment": ('"at"',),
        "named": ('"called"',),
    },
}
SETUP: dict[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgres": (
        "CREATE COLLATION \"folded\" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        'CREATE DOMAIN "counted" AS integer CHECK (VALUE > -100)',
        "CREATE DOMAIN \"worded\" AS text DEFAULT 'b'",
        "CREATE TYPE \"label\" AS ENUM ('low', 'middle', 'high')",
        'CREATE TYPE "pair" AS (one integer, two text)',
        "CREATE DOMAIN \"at\" AS timestamptz CHECK (VALUE > '2000-01-01 00:00+00')",
        'CREATE DOMAIN "stepped" AS int4range',
        'CREATE DOMAIN "called" AS text COLLATE "folded"',
    ),
}
NAMES = frozenset({"folded", "counted", "worded", "label", "pair", "at", "stepped", "called"})
CAST: dict[str, str] = {"label": '"label"', "pair": '"pair"', "numbers": "integer[]", "document": "jsonb"}
CAST |= {"stamped": "timestamptz", "letter": '"char"', "padded": "bpchar"}
CAST |= {"span": "tstzrange", "steps": "int4range", "moment": '"at"', "named": '"called"'}
SHOWN = ("any", "real", "char", "label", "pair", "numbers", "document", "stamped", "letter", "span", "steps", "moment")
"""Kinds by whose values rows may be grouped: equal ones are the same."""
UNORDERED = frozenset({"boolean", "pair", "document", "number", "folded", "padded", "span", "steps", "named"})
"""Kinds that MIN and MAX do not know, or of which they may show either of two equal values."""
ALIKE: tuple[tuple[str, ...], ...] = (
    ("int", "bigint", "numeric", "float", "real", "number"),
    ("text", "char", "padded"),
    ("date", "timestamp"),
    ("stamped", "moment"),
    ("folded", "named"),
)
"""Kinds that PostgreSQL compares with one another."""
SQLITE_CASTS = ("INTEGER", "TEXT", "REAL", "NUMERIC", "BLOB")
LATER_SHARE = 0.4
COLLATED = 0.3
"""How many operands on SQLite say by which collation they are compared."""
COMPARISONS = ("=", "=", "=", "<>", "<", "<=", ">", ">=")

Literal = Callable[[str], str]


def more_kinds(rng: random.Random, engine: str) -> list[str]:
    """Kinds of the columns that a table of such a world has in addition."""
    own = [kind for kind in DOMAINS[engine] if kind != "text" and kind not in LATER]
    drawn = [rng.choice((*own, "text", "numeric")) for _ in range(rng.randint(1, 3))]
    later = random.Random(f"{rng.getstate()[1][:8]} later")
    return [*drawn, later.choice(LATER)] if engine == "postgres" and later.random() < LATER_SHARE else drawn


def comparable(engine: str, kind: str) -> tuple[str, ...]:
    """Kinds that a column of that kind is compared with; on SQLite all, which none stands for."""
    if engine == "sqlite":
        return ()
    return next((kinds for kinds in ALIKE if kind in kinds), (kind,))


def partners(engine: str, field: Field, fields: tuple[Field, ...]) -> list[Field]:
    """The columns among some that a column can be compared with."""
    kinds = comparable(engine, field.kind)
    return [one for one in fields if not kinds or one.kind in kinds]


def meets_one(engine: str, key: Field, other: Field) -> bool:
    """Whether no two values of a key are equal to one value of the other column."""
    if engine == "postgres":
        exact = ("int", "bigint", "text", "char", "date", "timestamp")
        return key.kind in exact and other.kind in exact
    if key.collate != other.collate:
        return False
    numeric = [("int", "bigint", "numeric", "float", "boolean"), ("text", "any")]
    one, two = (next((n for n, kinds in enumerate(numeric) if one.kind in kinds), 2) for one in (key, other))
    return one == 0 or (one == 1 and two == 1)


@dataclass(frozen=True)
class Unlike:
    """Draws conditions over one table whose sides are of unlike types; `literal` is a value of a kind, for queries."""

    rng: random.Random
    engine: str
    literal: Literal

    def condition(self, table: Relation, alias: str) -> str:
        """A condition over the columns of a table."""
        prefix = f"{quote(alias)}." if alias else ""
        return self._sqlite(table, prefix) if self.engine == "sqlite" else self._postgres(table, prefix)

    def _any(self) -> str:
        return self.literal(self.rng.choice(("int", "text", "text", "numeric", "any", "date")))

    def _operand(self, table: Relation, prefix: str) -> str:
        field = self.rng.choice(table.fields)
        name = prefix + field.quoted
        drawn = self.rng.randrange(16)
        if drawn < 8:
            return name
        if drawn < 11:
            return self._any()
        return self.rng.choice(
            (
                f"CAST({name} AS {self.rng.choice(SQLITE_CASTS)})",
                f"+{name}",
                f"({name})",
                f"coalesce({name}, {self._any()})",
                f"({name} || '')",
                f"length({name})",
                f"CASE WHEN {name} = {self._any()} THEN {name} ELSE {self._any()} END",
                f"({name} + 1)",
                f"({name} = {self._any()})",
            )
        )

    def _collated(self, operand: str) -> str:
        """An operand, now and then with a collation: by a generator of its own, so that the rest of a program stays as it is."""
        state = self.rng.getstate()[1]
        own = random.Random(f"{operand} {state[0]} {state[-1]}")
        return f"{operand} COLLATE {own.choice(('NOCASE', 'BINARY'))}" if own.random() < COLLATED else operand

    def _sqlite(self, table: Relation, prefix: str) -> str:
        one, two, three = (self._collated(self._operand(table, prefix)) for _ in range(3))
        column = self._collated(prefix + self.rng.choice(table.fields).quoted)
        negation = self.rng.choice(("", "", "NOT "))
        plain = f"{one} {self.rng.choice(COMPARISONS)} {two}"
        return self.rng.choice(
            (
                plain,
                plain,
                plain,
                f"{column} {self.rng.choice(COMPARISONS)} {two}",
                f"{column} {self.rng.choice(COMPARISONS)} {self._any()}",
                f"{one} {self.rng.choice(('IS', 'IS NOT'))} {two}",
                f"{one} {negation}IN ({two}, {three}, {self._any()})",
                f"{column} {negation}IN ({self._any()}, {self._any()})",
                f"{one} {negation}BETWEEN {two} AND {three}",
                f"CASE {one} WHEN {two} THEN 1 WHEN {three} THEN 0 ELSE 2 END = {self.rng.randint(0, 2)}",
                f"nullif({one}, {two}) IS NULL",
                f"({one}, {column}) {self.rng.choice(('=', '<', '<>', 'IS'))} ({two}, {three})",
                f"{negation}({plain} AND {column})",
                f"({plain}) = {three}",
                f"{negation}{column}",
                f"{one} GLOB {two}",
            )
        )

    def _postgres(self, table: Relation, prefix: str) -> str:
        field = self.rng.choice(table.fields)
        column = prefix + field.quoted
        others = partners(self.engine, field, table.fields)
        kinds = comparable(self.engine, field.kind)
        one, two, three = (self._partner(prefix, others, kinds) for _ in range(3))
        left = column if self.rng.random() < 0.7 else one
        negation = self.rng.choice(("", "", "NOT "))
        plain = f"{left} {self.rng.choice(COMPARISONS)} {two}"
        any_of = f"{self.rng.choice(('=', '<>'))} {self.rng.choice(('ANY', 'ALL'))}"
        choices = [
            *([f"{column} {any_of} (ARRAY[{column}, {two}])"] if field.kind != "numbers" else []),
            plain,
            plain,
            plain,
            f"{column} IS {negation}DISTINCT FROM {two}",
            f"{column} {negation}IN ({two}, {three})",
            f"{column} {negation}BETWEEN {two} AND {three}",
            f"CASE {column} WHEN {two} THEN 1 WHEN {three} THEN 0 ELSE 2 END = {self.rng.randint(0, 2)}",
            f"nullif({column}, {two}) IS NULL",
            f"({column}, {column}) {self.rng.choice(('=', '<', '<>'))} ({two}, {three})",
            f"ROW({column}) IS NOT DISTINCT FROM ROW({two})",
        ]
        return self.rng.choice((*choices, *self._own(field, column)))

    def _partner(self, prefix: str, others: list[Field], kinds: tuple[str, ...]) -> str:
        if self.rng.random() < 0.6:
            return prefix + self.rng.choice(others).quoted
        return self.literal(self.rng.choice(kinds))

    def _own(self, field: Field, column: str) -> list[str]:
        """Tests that only one kind has."""
        return {
            "pair": [f"({column}).one = 1", f"{column} IS NULL", f"{column} IS NOT NULL", f"({column}).two IS NULL"],
            "numbers": [f"1 = ANY ({column})", f"{column}[1] IS NULL", f"{column} @> '{{1}}'", f"cardinality({column}) > 1"],
            "document": [f"{column} ? 'a'", f"{column} -> 'a' = '1'", f"({column} ->> 'a') IS NULL", f"{column} @> '1'"],
            "char": [f"{column} || 'x' = 'ax'", f"length({column}) = 1", f"{column} LIKE 'a%'"],
            "label": [f"CAST({column} AS text) > 'l'", f"{column} > 'low'"],
            "text": [f"{column} = 'a '", f'{column} COLLATE "folded" = \'A\''],
            "folded": [f"upper({column}) = 'A'", f'{column} COLLATE "C" = \'A\''],
            "span": [f"isempty({column})", f"{column} && '[2024-01-10 00:00+00,)'", f"upper({column}) IS NULL"],
            "steps": [f"{column} @> 2", f"lower({column}) = 1", f"{column} -|- '[3,4)'"],
            "moment": [f"{column} + interval '1 day' > '2024-01-01 00:00+00'", f"CAST({column} AS timestamptz) IS NULL"],
            "named": [f"upper({column}) = 'A'", f"{column} = 'A'", f'{column} COLLATE "C" = \'A\''],
            "real": [f"{column} = 0.1", f"CAST({column} AS text) = '1'"],
            "number": [f"CAST({column} AS text) = '1.0'", f"scale({column}) > 0"],
        }.get(field.kind, [])  # fmt: skip
