"""The table that holds the rows of a derived table: its key, its parts, and how they are named, matched, compared and written.

Owns: `Store`. Promises: NULL keys match NULL keys; where SQLite's index is one over expressions, whoever looks a row up says the
same expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.key_types import has_one_spelling
from tidemark.maintenance.program import KeyPart, Part
from tidemark.names import Names
from tidemark.render.chains import all_of
from tidemark.render.phrases import Phrases, phrases_of


@dataclass(frozen=True)
class Store:
    """The table that holds the rows: its key, its parts, and how to name and match them.

    `unit` are the columns whose values stand in the dirty set and in a batch. None = the key does, each of its rows is computed
    for itself, and its uniqueness is proven. `nulls` are the sets of columns of the key that are NULL together in a row; empty
    where any may be.
    """

    dialect: Dialect
    names: Names
    key: tuple[KeyPart, ...]
    parts: tuple[Part, ...]
    keeps_default: bool = False
    unit: tuple[KeyPart, ...] | None = None
    nulls: tuple[frozenset[str], ...] = ()

    @property
    def units(self) -> Store:
        """The same with the unit for a key: how to name and match what stands in the dirty set and in a batch."""
        return self if self.unit is None else replace(self, key=self.unit, unit=None, nulls=())

    @property
    def numbered(self) -> str:
        """The temporary table of the batch's keys with their ordinals."""
        return self.names.temporary("batch" if self.unit is None else "rows")

    @property
    def phrases(self) -> Phrases:
        """What the engine says in words of its own."""
        return phrases_of(self.dialect)

    @property
    def nullable(self) -> bool:
        """True when NULL can stand in a key."""
        return any(part.nullable for part in self.key)

    def column(self, part: KeyPart | Part) -> str:
        """The quoted name of a stored column."""
        return self.dialect.quote(part.name)

    @property
    def key_list(self) -> str:
        """The key columns, quoted, with commas."""
        return ", ".join(self.column(part) for part in self.key)

    def key_of(self, row: str) -> str:
        """The key columns of a row, with commas."""
        return ", ".join(f"{row}.{self.column(part)}" for part in self.key)

    @property
    def columns(self) -> list[str]:
        """Every stored column, quoted, the key first."""
        return [self.column(part) for part in self.key] + [self.column(part) for part in self.parts]

    def definition(self, part: KeyPart | Part) -> str:
        """Name, type and collation of a column, for CREATE TABLE."""
        collation = f" COLLATE {self.dialect.quote(part.collation)}" if part.collation else ""
        return f"{self.column(part)} {part.type}{collation}".rstrip()

    def default(self, part: Part) -> str:
        """The value of a part to which nothing contributes."""
        return "0" if part.kind == "additive" else "NULL"

    def is_default(self, row: str) -> str:
        """True when nothing contributes to the row: such a row is not stored. Never true where rows are kept regardless."""
        if self.keeps_default:
            return "1 = 0"
        empty = {"additive": "= 0"}
        return all_of([f"{row}.{self.column(part)} {empty.get(part.kind, 'IS NULL')}" for part in self.parts])

    def same(self, left: str, right: str) -> str:
        """True when the parts of two rows are equal, however spelled; what has no equality is compared as stored."""
        equal = self.dialect.null_safe_equal
        pairs = ((part, f"{left}.{self.column(part)}", f"{right}.{self.column(part)}") for part in self.parts)
        tests = [f"{x} {equal} {y}" if p.comparable else self.phrases.spelled_alike(x, y, p.type) for p, x, y in pairs]
        return all_of(tests) or "1 = 1"

    @property
    def loose(self) -> tuple[KeyPart, ...]:
        """The key columns in which equal values may be spelled otherwise."""
        return tuple(part for part in self.key if part.spelling != "one")

    @property
    def written(self) -> tuple[KeyPart | Part, ...]:
        """What is written of a row that is there: everything but what of its key has one spelling."""
        return (*self.loose, *self.parts)

    @property
    def assignments(self) -> str:
        """What an upsert sets of a row that is there."""
        return ", ".join(f"{self.column(part)} = excluded.{self.column(part)}" for part in self.written)

    def identical(self, left: str, right: str) -> str:
        """True when two rows of one key are the same down to their spelling, so that there is nothing to write."""
        tests = []
        for part in self.written:
            one, other = f"{left}.{self.column(part)}", f"{right}.{self.column(part)}"
            same = f"{one} {self.dialect.null_safe_equal} {other}"
            tests.append(same if self.is_sure(part) else self.phrases.spelled_alike(one, other, part.type))
        return all_of(tests) or "1 = 1"

    def is_sure(self, part: KeyPart | Part) -> bool:
        """Whether equal values of a column are the same."""
        return not isinstance(part, KeyPart) and has_one_spelling(part.type, part.collation, self.dialect)

    @property
    def spelled(self) -> tuple[str, ...]:
        """Expressions over a stored row that differ where equal values of a column are spelled otherwise."""
        found: list[str] = []
        for part in (part for part in self.written if not self.is_sure(part)):
            found += self.phrases.spellings(self.column(part), len(found), is_collated=bool(part.collation))
        return tuple(found)

    def match(self, row: str, values: Sequence[str]) -> str:
        """True when the stored row named `row` has that key; reaches the unique index when no value is NULL."""
        tests = []
        for part, value in zip(self.key, values, strict=True):
            column = f"{row}.{self.column(part)}"
            if not part.nullable:
                tests.append(f"{column} = {value}")
            elif not self.indexes_expressions:
                tests.append(f"{column} {self.equal(part, nulls=True)} {value}")
            else:
                tests += [
                    f"ifnull({column}, 0){_collate(part)} = ifnull({value}, 0)",
                    f"({column} IS NULL) = ({value} IS NULL)",
                ]
        return " AND ".join(tests)

    def join(self, row: str, values: Sequence[str]) -> str:
        """`match` for a stored row that is joined with what stands before it in FROM. Once ANALYZE has counted the store, SQLite
        3.40 passes such rows through a Bloom filter, which it makes of other values where an index is one over expressions, as
        over keys with NULL: so there each row is looked up for itself, and joined by its rowid."""
        if not self.indexes_expressions:
            return self.match(row, values)
        rowid = self.rowid
        return f"{row}.{rowid} = (SELECT i.{rowid} FROM {self.names.store} AS i WHERE {self.match('i', values)})"

    @property
    def rowid(self) -> str:
        """The number of a stored row on SQLite, by a name that no column has. Raises `Refusal` where columns have all of them."""
        taken = {*(key.name.lower() for key in self.key), *(part.name.lower() for part in self.parts)}
        for name in ("rowid", "_rowid_", "oid"):
            if name not in taken:
                return name
        raise Refusal(
            Code.NAME,
            "columns are called rowid, _rowid_ and oid: no name is left for what tells rows with NULL in the key apart.",
            instead="another name for one of them",
        )

    @property
    def indexes_expressions(self) -> bool:
        """Whether the unique index is one over expressions, because NULLs of a key are equal and those of an index may not be."""
        return self.nullable and not self.dialect.knows_equal_nulls

    @property
    def finds_nulls_apart(self) -> bool:
        """Whether keys with a NULL are found in a way of their own: where neither an index nor a hash serves a comparison to
        which NULLs are equal."""
        return self.nullable and not self.dialect.planner.finds_nulls

    def by_nulls(self, row: str, other: str) -> list[tuple[str, str]]:
        """How rows are joined with those of the same key on PostgreSQL: a condition for each set of columns that are NULL
        together, which an index or a hash serves, beside a test of the rows `other` that have it; nothing where the sets are not
        known."""
        found = []
        for nulls in self.nulls if self.finds_nulls_apart else ():
            on, which = [], []
            for part in self.key:
                one, same = f"{row}.{self.column(part)}", f"{other}.{self.column(part)}"
                which += [f"{same} IS {'' if part.name in nulls else 'NOT '}NULL"] if part.nullable else []
                on.append(f"{one} IS NULL AND {same} IS NULL" if part.name in nulls else f"{one} = {same}")
            found.append((" AND ".join(on), " AND ".join(which)))
        return found

    def has_null(self, row: str) -> str:
        """True for a row, named `row`, whose key has a NULL."""
        return " OR ".join(f"{row}.{self.column(part)} IS NULL" for part in self.key if part.nullable)

    def equal(self, part: KeyPart, *, nulls: bool) -> str:
        """The operator that compares a key column: an index serves only the plain one on PostgreSQL."""
        return self.dialect.null_safe_equal if nulls and part.nullable else "="

    @property
    def conflict(self) -> str:
        """The conflict target of the store's unique index."""
        if not self.indexes_expressions:
            return self.key_list
        return ", ".join(self.unique_terms)

    @property
    def unique_terms(self) -> tuple[str, ...]:
        """The terms of SQLite's unique index over keys that may be NULL."""
        terms: list[str] = []
        for part in self.key:
            if part.nullable:
                terms += [f"ifnull({self.column(part)}, 0){_collate(part)}", f"({self.column(part)} IS NULL)"]
            else:
                terms.append(self.column(part))
        return tuple(terms)


def _collate(part: KeyPart) -> str:
    return f' COLLATE "{part.collation}"' if part.collation else ""
