"""The texts that write a batch, made once per engine from the table descriptions.

Two writer styles end with the same current rows. ``upsert`` changes the current row in place; ``history`` demotes it and
inserts every version that the batch made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from examples.soundgraph.fold import Changes, Versions
from examples.soundgraph.tables import (
    LEDGER_COLUMNS,
    PLAY_COLUMNS,
    SHARE_COLUMNS,
    SKIP_COLUMNS,
    STATEFUL,
    Key,
    Table,
    Value,
)

Writer = Literal["upsert", "history"]
Work = tuple[str, Sequence[Sequence[Value]]]
"""One statement and the rows it runs for."""


@dataclass(frozen=True, slots=True)
class TableTexts:
    """The statements of one table."""

    insert: str
    upsert: str
    demote: str


class Texts:
    """Every write statement of one engine; ``placeholder`` is the driver's."""

    def __init__(self, placeholder: str) -> None:
        self._mark = placeholder
        self._tables = {table.name: self._table(table) for table in STATEFUL}
        block_columns = ("number", "blockhash", "created_at")
        self.blocks = self._insert("blocks", block_columns) + " ON CONFLICT (number) DO NOTHING"
        self.ledger = self._insert("event_ledger", LEDGER_COLUMNS)
        self.skips = self._insert("skipped_items", SKIP_COLUMNS)
        self.plays = self._insert("plays", PLAY_COLUMNS)
        self.shares = self._insert("shares", SHARE_COLUMNS)
        # Only the indexer that claimed the checkpoint may move it: a second one, or a stalled one, changes no row.
        self.advance = (
            f"UPDATE indexing_checkpoints SET last_checkpoint = {placeholder} "
            f"WHERE tablename = {placeholder} AND signature = {placeholder}"
        )

    def _insert(self, table: str, columns: Sequence[str]) -> str:
        return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join([self._mark] * len(columns))})"

    def _table(self, table: Table) -> TableTexts:
        insert = self._insert(table.name, table.columns)
        target = ", ".join(table.natural) + (") WHERE is_current" if table.versioned else ")")
        others = [column for column in table.columns if column not in table.natural]
        assignments = ", ".join(f"{column} = excluded.{column}" for column in others)
        match = " AND ".join(f"{column} = {self._mark}" for column in table.natural)
        return TableTexts(
            insert=insert,
            upsert=f"{insert} ON CONFLICT ({target} DO UPDATE SET {assignments}",
            demote=f"UPDATE {table.name} SET is_current = false WHERE {match} AND is_current",
        )

    def work(self, changes: Changes, writer: Writer) -> Iterator[Work]:
        """The statements that write a batch, in order, without the checkpoint."""
        yield self.blocks, changes.blocks
        for table in STATEFUL:
            if versions := changes.versions.get(table.name):
                if writer == "history" and table.versioned:
                    yield from self._history(table, versions)
                else:
                    texts = self._tables[table.name]
                    yield texts.upsert, [_values(table, entry.rows[-1]) for entry in versions.values()]
        if changes.plays:
            yield self.plays, changes.plays
        if changes.shares:
            yield self.shares, changes.shares
        if changes.skips:
            yield self.skips, changes.skips
        if changes.ledger:
            yield self.ledger, changes.ledger

    def _history(self, table: Table, versions: dict[Key, Versions]) -> Iterator[Work]:
        texts = self._tables[table.name]
        demoted = [[entry.rows[-1][column] for column in table.natural] for entry in versions.values() if entry.existed]
        if demoted:
            yield texts.demote, demoted
        inserted: list[list[Value]] = []
        for entry in versions.values():
            inserted += [_values(table, row | {"is_current": False}) for row in entry.rows[:-1]]
            inserted.append(_values(table, entry.rows[-1]))
        yield texts.insert, inserted


def _values(table: Table, row: dict[str, Value]) -> list[Value]:
    return [row[column] for column in table.columns]
