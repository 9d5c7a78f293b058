"""What it takes to say a base table as data: its columns, its natural key, and how an edge or entity is told apart.

Every statement is made from these descriptions, so that a column is named once. A row travels as a plain dictionary of
column to value; the rows of a versioned table carry ``is_current``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tidemark.streams import Shelf

Value = int | str | bool | datetime | None
Row = dict[str, Value]
Key = tuple[int | str, ...]
PROVENANCE = ("blocknumber", "txhash")


@dataclass(frozen=True, eq=False)
class Table:
    """One table that the indexer keeps current rows of.

    ``natural`` is the key that at most one current row has; ``lookup`` is the part of it that a caller can know before
    reading; ``group`` are columns of it whose rows are asked for together. ``versioned`` tables keep replaced rows when the
    history writer writes them.
    """

    name: str
    natural: tuple[str, ...]
    lookup: tuple[str, ...]
    columns: tuple[str, ...]
    versioned: bool = True
    jsons: frozenset[str] = field(default=frozenset())
    group: tuple[str, ...] = ()

    @cached_property
    def shelf(self) -> Shelf:
        """The current rows, as many at once as there are."""
        return Shelf(self.name, self.columns, self.natural, "is_current" if self.versioned else "")

    def identify(self, row: Mapping[str, Value]) -> Key:
        """The in-memory key of a row: its lookup columns, and for typed edges the class of the item."""
        return tuple(_whole(row[column]) for column in self.lookup)

    def needle(self, key: Key) -> Row:
        """The values that find the row of an in-memory key."""
        return dict(zip(self.lookup, key, strict=True))

    def absent(self, wanted: Iterable[Key]) -> dict[Key, None]:
        """The in-memory keys of rows that have one of these values in their lookup columns, without a row."""
        return dict.fromkeys(wanted)

    @property
    def lookup_class(self) -> str:
        """What else finds the row of a key, as SQL."""
        return ""


@dataclass(frozen=True, eq=False)
class ItemEdges(Table):
    """Saves or reposts. A playlist and an album are one class of item, so that a collection which is called both
    ways never gets two live edges from one user."""

    kind_column: str = ""

    def identify(self, row: Mapping[str, Value]) -> Key:
        """A user, an item, and the class of the item."""
        return (*super().identify(row), item_class(str(row[self.kind_column])))

    def needle(self, key: Key) -> Row:
        """The values that find the row of an in-memory key."""
        return super().needle(key[:-1]) | {"is_track": key[-1] == "track"}

    def absent(self, wanted: Iterable[Key]) -> dict[Key, None]:
        """One of each class."""
        return dict.fromkeys((*values, kind) for values in wanted for kind in ("track", "collection"))

    @property
    def lookup_class(self) -> str:
        """The class of the item."""
        return f" AND ({self.kind_column} = 'track') = :is_track"


@dataclass(frozen=True, eq=False)
class Named(Table):
    """A table in whose key are texts, too."""

    def identify(self, row: Mapping[str, Value]) -> Key:
        """The lookup columns as they are."""
        return tuple(value if isinstance(value := row[column], str) else _whole(value) for column in self.lookup)


def item_class(kind: str) -> str:
    """The class of an item type: ``'track'``, or ``'collection'`` for playlists and albums alike."""
    return "track" if kind == "track" else "collection"


def _whole(value: Value) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a key column holds {value!r}, which is no integer")
    return value
