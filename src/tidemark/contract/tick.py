"""The contract for ticks: finished SQL text by which changes of sources become rows.

Owns: `Tick`, and what it reads: `SourceLog`. Promises: frozen values that can be printed; parameters are those that are listed.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.contract.scans import SourceScan
from tidemark.contract.ways import Full, Newcomers, Products, Reach
from tidemark.model import Table


@dataclass(frozen=True)
class SourceLog:
    """The changes of one source as a derived table at tick freshness reads them from the source's capture.

    `log` is the quoted log table, `name` its plain name: ``id`` (ascending) and ``pair`` (SQLite only: what leads from one
    image of an update to the other), ``xid`` (xid8; PostgreSQL only), ``weight`` (+1, -1, or 0 for a marker that says that
    everything changed) and image columns. `slice` is the quoted temporary table, made by `create_slice`, with the weight and
    those images that are read; `fill_slice` copies the changes that concern the derived table, of the part of the log that
    ``:position`` and ``:limit`` name, where ``:target`` sees them and ``:previous`` does not. `concerns` tells which rows ``l``
    of the log may: on SQLite it is true for them, on PostgreSQL images of a transaction for which it is the same take each other
    back. `columns` are the columns of `table`, the source, that must be logged.
    `affected` find every unit that the slice's changes can touch, with every log as old images (see `following`).
    `added`, where sums are added up, read a part of the log without a slice."""

    source: str
    log: str
    name: str
    slice: str
    create_slice: str
    clear_slice: str
    affected: tuple[Reach, ...]
    columns: tuple[str, ...]
    fill_slice: str
    concerns: str
    table: Table
    added: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deltas:
    """The statements of a tick that adds: signed deltas by key, in temporary tables of the session that works.

    `create` and `clear` are safe to repeat. The `added` statements of each log add a slice's changes to the deltas;
    `number` gives every key that changed its place from 1 on, the same whenever the same changes are read again, and `count`
    is how many there are. `flag` marks, among the places after ``:low`` up to ``:high``, the keys that adding cannot make true;
    `apply` adds the deltas of the others; `take_again` puts the marked ones into ``batch``, to be recomputed. `mark` are
    statements that leave a marker in every log: the next tick computes everything anew.
    """

    create: tuple[str, ...]
    clear: tuple[str, ...]
    number: tuple[str, ...]
    count: str
    flag: tuple[str, ...]
    apply: tuple[str, ...]
    take_again: str
    mark: tuple[str, ...]


@dataclass(frozen=True)
class DueTexts:
    """What time makes due. `statements` put units into the dirty set that differ between the recorded moment and ``:at``;
    `waiting` is a condition: whether there are any, ``:at`` being NULL for the database's own time.
    """

    statements: tuple[str, ...]
    waiting: str


@dataclass(frozen=True)
class Tick:
    """The statements of a tick: `logs` feed `reached`, that the dirty set, `take_dirty` moves keys into the batch.

    `create_reached` makes the temporary table of the units that changes reach, each perhaps many times; `clear_reached` empties
    it. Of its units, each once, `mark_dirty` fills the dirty set, `take_reached` (at most ``:limit``) `batch`, `list_reached` the
    list ``todo``, places of which (``:low``, ``:high``) `mark_listed` puts into the dirty set. `dirty` is the quoted table of
    sealed keys. `take_dirty` (parameter ``:limit``) fills `batch` with the first keys in key order; `done_dirty` deletes the
    batch's keys from the dirty set; `count_dirty` returns one number. `everything` is a statement that makes every key of query
    and store dirty (after a TRUNCATE marker or a gap). `waiting` is a condition: whether a tick would find something. With
    `deltas` there is no dirty set, and all about it is empty. `due` is None where no clock is read, `full` where the whole result
    cannot take the place of what changed, `products` where nothing can be added, `newcomers` where rows that come show at once
    what is stored. `scans` feed the dirty set; where they do, `ready` is `waiting` without what is not settled.
    """

    logs: tuple[SourceLog, ...]
    dirty: str
    take_dirty: str
    done_dirty: str
    count_dirty: str
    everything: tuple[str, ...]
    waiting: str
    deltas: Deltas | None = None
    due: DueTexts | None = None
    full: Full | None = None
    products: Products | None = None
    create_reached: str = ""
    clear_reached: str = ""
    mark_dirty: str = ""
    take_reached: str = ""
    list_reached: tuple[str, ...] = ()
    mark_listed: str = ""
    scans: tuple[SourceScan, ...] = ()
    ready: str = ""
    newcomers: Newcomers | None = None
