"""Rows of a workload as they are known outside the database, and the statements that change both.

Owns: `Rows`, which generators and streams write through. Promises: every statement names its rows by key or by equal columns,
so that memory and both engines agree after it; keys that exist are never inserted again. Placeholders are ``?``.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[Any, ...]
Row = dict[str, Any]
Statement = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Shape:
    """A table: its columns in order and how many of them, from the first, are its primary key."""

    columns: tuple[str, ...]
    key_columns: int

    def key(self, row: Mapping[str, Any]) -> Key:
        """The primary key of a row."""
        return tuple(row[name] for name in self.columns[: self.key_columns])


def shape(columns: str, key_columns: int = 1) -> Shape:
    """A shape from names with spaces between them."""
    return Shape(tuple(columns.split()), key_columns)


@dataclass
class Rows:
    """The rows of every table by key, and the statements since `take` was last called, with the number of rows changed."""

    shapes: Mapping[str, Shape]
    random: random.Random
    tables: dict[str, dict[Key, Row]] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)
    changed: int = 0
    _keys: dict[str, list[Key]] = field(default_factory=dict)
    _places: dict[str, dict[Key, int]] = field(default_factory=dict)
    _groups: dict[tuple[str, tuple[str, ...]], dict[Key, dict[Key, None]]] = field(default_factory=dict)
    _highest: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables = {name: {} for name in self.shapes}
        self._keys = {name: [] for name in self.shapes}
        self._places = {name: {} for name in self.shapes}

    def take(self) -> list[Statement]:
        """The statements so far, which are then forgotten."""
        taken, self.statements, self.changed = self.statements, [], 0
        return taken

    def load(self, table: str, *values: Any) -> None:
        """Add a row without a statement: a part of the first filling."""
        self._put(table, dict(zip(self.shapes[table].columns, values, strict=True)))

    def insert(self, table: str, *values: Any) -> bool:
        """Insert a row, unless its key exists; tell whether it was."""
        columns = self.shapes[table].columns
        row = dict(zip(columns, values, strict=True))
        if self.key_of(table, row) in self.tables[table]:
            return False
        self._put(table, row)
        marks = ", ".join("?" for _ in columns)
        self._add(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values, 1)
        return True

    def update(self, table: str, key: Key, **changes: Any) -> None:
        """Change a row, its key included; nothing happens where the row is gone or the new key exists."""
        row = self.tables[table].get(key)
        if row is None:
            return
        new = {**row, **changes}
        target = self.key_of(table, new)
        if target != key and target in self.tables[table]:
            return
        self._drop(table, key)
        self._put(table, new)
        sets = ", ".join(f"{name} = ?" for name in changes)
        self._add(f"UPDATE {table} SET {sets} WHERE {self._where(table)}", (*changes.values(), *key), 1)

    def delete(self, table: str, key: Key) -> None:
        """Delete a row if it is there."""
        if key in self.tables[table]:
            self._drop(table, key)
            self._add(f"DELETE FROM {table} WHERE {self._where(table)}", key, 1)

    def update_where(self, table: str, where: Mapping[str, Any], **changes: Any) -> None:
        """One statement that sets columns outside the key to constants in every row with equal columns."""
        found = self.matching(table, where)
        for row in found:
            self._drop(table, self.key_of(table, row))
            self._put(table, {**row, **changes})
        sets = ", ".join(f"{name} = ?" for name in changes)
        self._add(f"UPDATE {table} SET {sets} WHERE {_all(where)}", (*changes.values(), *where.values()), len(found))

    def delete_where(self, table: str, where: Mapping[str, Any]) -> None:
        """One statement that deletes every row with equal columns."""
        found = self.matching(table, where)
        for row in found:
            self._drop(table, self.key_of(table, row))
        self._add(f"DELETE FROM {table} WHERE {_all(where)}", tuple(where.values()), len(found))

    def matching(self, table: str, where: Mapping[str, Any]) -> list[Row]:
        """The rows with these values."""
        names = tuple(where)
        groups = self._groups.get((table, names))
        if groups is None:
            groups = self._groups[table, names] = {}
            for key, row in self.tables[table].items():
                groups.setdefault(tuple(row[name] for name in names), {})[key] = None
        return [self.tables[table][key] for key in groups.get(tuple(where.values()), {})]

    def pick(self, table: str) -> Row | None:
        """Any row, or None when there is none."""
        keys = self._keys[table]
        return self.tables[table][self.random.choice(keys)] if keys else None

    def next_number(self, table: str) -> int:
        """A number above the first key column of every row that there ever was."""
        return int(self._highest.get(table, 0)) + 1

    def key_of(self, table: str, row: Row) -> Key:
        """The primary key of a row of that table."""
        return self.shapes[table].key(row)

    def _put(self, table: str, row: Row) -> None:
        key = self.key_of(table, row)
        self.tables[table][key] = row
        self._places[table][key] = len(self._keys[table])
        self._keys[table].append(key)
        self._highest[table] = max(self._highest.get(table, 0), key[0])
        for (owner, names), groups in self._groups.items():
            if owner == table:
                groups.setdefault(tuple(row[name] for name in names), {})[key] = None

    def _drop(self, table: str, key: Key) -> None:
        row = self.tables[table].pop(key)
        # The last key takes the place of the one that goes, so that picking any row stays cheap.
        place, last = self._places[table].pop(key), self._keys[table].pop()
        if last != key:
            self._keys[table][place] = last
            self._places[table][last] = place
        for (owner, names), groups in self._groups.items():
            if owner == table:
                del groups[tuple(row[name] for name in names)][key]

    def _where(self, table: str) -> str:
        shape = self.shapes[table]
        return " AND ".join(f"{name} = ?" for name in shape.columns[: shape.key_columns])

    def _add(self, text: str, values: Iterable[Any], count: int) -> None:
        self.statements.append((text, tuple(values)))
        self.changed += count


def _all(where: Mapping[str, Any]) -> str:
    return " AND ".join(f"{name} = ?" for name in where)


Step = Callable[[Rows], None]


def stream(rows: Rows, steps: Sequence[tuple[float, Step]], count: int) -> list[list[Statement]]:
    """Random transactions until `count` rows are changed: a list of statements for each. `steps` have weights."""
    weights, done, transactions = [weight for weight, _ in steps], 0, []
    while done < count:
        ((_, step),) = rows.random.choices(steps, weights)
        step(rows)
        done += max(1, rows.changed)
        statements = rows.take()
        if statements:
            transactions.append(statements)
    return transactions
