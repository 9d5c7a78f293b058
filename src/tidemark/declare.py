"""How users declare: a project, its derived tables, its backfills and facts about its sources.

Owns: `Project`. Promises: a declaration that cannot mean anything is refused where it stands, with file and line, before any
database is opened; what is accepted is kept as a frozen `Declaration`. Reads no SQL and knows no engine.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tidemark.blocks import Source as Blocks
from tidemark.contract.scans import check_facts
from tidemark.contract.walk import BATCH
from tidemark.errors import Code, Refusal
from tidemark.memory import Memory
from tidemark.model import Backfill, Declaration, Freshness, Marks, Source, Way
from tidemark.options import (
    read_cadence,
    read_code,
    read_columns,
    read_marks,
    read_memory,
    read_processor,
    read_query,
    read_repair,
    read_support,
    read_texts,
    read_time,
    refuse,
)
from tidemark.plain import fingerprint
from tidemark.processors import Function, Functions
from tidemark.streams import Stream, check_stream, name_streams

NAME_BYTES_MAX = 63
FRESHNESS = ("commit", "tick")
_GENERATION = re.compile(r"_g[0-9]+$")
Migrate = Callable[[Any, Any], object]


def _check_options(freshness: str | None, columns_of: str | None, rows_of: str | None, name: str, place: str) -> None:
    if freshness is not None and freshness not in FRESHNESS:
        raise refuse(f"there is no freshness={freshness!r}", "say commit, tick or None", name, place)
    if columns_of is not None and rows_of is not None:
        raise refuse("columns_of and rows_of exclude each other", "keep one of them", name, place)


class Project:
    """The declarations of one application, all that are kept in one database. `name` is for people."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._declarations: dict[str, Declaration] = {}
        self._sources: dict[str, Source] = {}
        self._cadence: dict[str, float] = {}
        self._backfills: dict[str, Backfill] = {}
        self._streams: dict[str, Stream] = {}

    @property
    def backfills(self) -> tuple[Backfill, ...]:
        """Every backfill of the user's, in the order of declaring."""
        return tuple(self._backfills.values())

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Every stream, by name."""
        return MappingProxyType(self._streams)

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Every declaration, in the order of declaring. Raises `Refusal` for one that names a stream which there is not."""
        return tuple(name_streams(one, tuple(self._streams)) for one in self._declarations.values())

    @property
    def functions(self) -> Functions:
        """The functions of the processors, by name and by what stands for what they do."""
        known = [(one.name, one.processor) for one in self._declarations.values() if one.processor is not None]
        return MappingProxyType({(name, found.version): found.function for name, found in known})

    @property
    def sources(self) -> Mapping[str, Source]:
        """Stated facts about sources, by name."""
        return MappingProxyType(self._sources)

    @property
    def cadence(self) -> Mapping[str, float]:
        """Seconds between two ticks, by derived table; without an entry a worker ticks at once."""
        return MappingProxyType(self._cadence)

    def derive(
        self,
        name: str,
        *,
        query: str | Mapping[str, str],
        key: str | Sequence[str] | None = None,
        freshness: Freshness | None = None,
        every: str | None = None,
        columns_of: str | None = None,
        rows_of: str | None = None,
        indexes: Sequence[str | Sequence[str]] = (),
        was: str | None = None,
        sampled: Sequence[str] = (),
        keep: Mapping[str, Memory] | None = None,
        keep_rows: bool = False,
        marks: Marks = "history",
        allow_global: bool = False,
        allow_lock: bool = False,
        support: bool | None = None,
        verify: str | None = None,
        repair: bool = False,
        live: bool = False,
    ) -> Declaration:
        """Declare a derived table and give its declaration.

        `query` is SQL text, or a text for each engine (``{"sqlite": …, "postgresql": …}``). `key` names the columns that
        identify a row, inferred when it is None. `freshness` is ``commit``, ``tick`` or None for the best there is; `every`
        is the cadence of ticks (``"30s"``). `columns_of` and `rows_of` name a table of the user's that holds the rows.
        `indexes` are columns to index on the stored rows. `was` is the old name of a renamed declaration. `sampled` are inputs
        (``"users.is_verified"``, ``"plays"``) that are read when a row is computed and make none dirty. `keep` maps columns to
        `ratchet()` or `first(…)`; with `keep_rows` a row whose group vanished stays as it was; `marks` is ``now`` for rows that
        begin with the first change after deployment. `allow_global` consents to upkeep that costs the whole table; `allow_lock`
        consents, at commit freshness, to one lock for the whole derived table where finer ones cannot be. `support` says
        whether what DISTINCT counts is kept with how often each value occurs, and what is taken together over the rows of a stage
        (None: where it pays). `verify` is how often a worker compares every row with the query (``"1h"``); with `repair` it mends
        what it finds. With `live` there is a view ``<name>_live`` of the rows as of now: what is stored, and what waits.

        Raises `Refusal` (``declaration`` or ``name``) with the place of the call.
        """
        place = _place()
        self._check_new(name, place, live=live)
        _check_options(freshness, columns_of, rows_of, name, place)
        if was is not None:
            self._check_was(was, name, place)
        declaration = Declaration(
            name=name,
            query=read_query(query, name, place),
            key=read_columns(key, "key", name, place) if key is not None else (),
            freshness=freshness,
            columns_of=columns_of,
            rows_of=rows_of,
            indexes=tuple(read_columns(index, "indexes", name, place) for index in indexes),
            was=was,
            sampled=read_columns(sampled, "sampled", name, place) if sampled else (),
            keep=read_memory(keep, name, place),
            keep_rows=keep_rows,
            marks=read_marks(marks, bool(keep) or keep_rows, name, place),
            allow_global=allow_global,
            allow_lock=allow_lock,
            support=read_support(support, name, place),
            every=read_cadence(every, freshness, name, place) if every is not None else None,
            verify=read_time(verify, "verify", "1h", name, place) if verify is not None else None,
            repair=read_repair(repair, verify, name, place),
            live=live,
            place=place,
        )
        if declaration.every is not None:
            self._cadence[name] = declaration.every
        self._declarations[name] = declaration
        return declaration

    def _check_was(self, was: str, name: str, place: str) -> None:
        check_name(was, place)
        if was == name or was in self._declarations:
            raise refuse(f"was={was!r} is a name in use", "say the name it had before", name, place)

    def backfill(
        self,
        name: str,
        *,
        table: str,
        key: str | Sequence[str],
        sql: str | Mapping[str, str] | None = None,
        columns: str | Sequence[str] = (),
        where: str | Mapping[str, str] | None = None,
        quarantine_max: int = 100,
    ) -> Callable[[Migrate], Migrate]:
        """Declare a data migration that is done once for every row of `table`, in chunks by `key`, while the application works.

        With `sql` that is all: one statement over the rows whose keys stand in ``tidemark_batch``, a table with the key's
        columns. Without it this decorates a function ``f(db, batch)``: `batch.keys` and `batch.rows` are the chunk's, with the
        `columns` asked for, and ``db.run(sql, parameters)``, ``db.all`` and ``db.one`` work in the chunk's transaction; it gives
        the number of rows that it changed, or None for what ``db.run`` counted. `where` is a condition on the rows that are
        wanted. A key whose row cannot be migrated is quarantined, up to `quarantine_max` of them.

        Raises `Refusal` (``declaration`` or ``name``) with the place of the call.
        """
        place = _place()
        self._check_new(name, place)
        if not isinstance(table, str) or not table:
            raise refuse("table names no table", 'write table="posts"', name, place)
        if not isinstance(quarantine_max, int) or quarantine_max < 0:
            raise refuse(f"quarantine_max={quarantine_max!r} is no number of keys", "say 0 or more", name, place)
        texts = read_texts(sql, "sql", name, place)
        if any(BATCH not in text for text in texts.values()):
            instead = f"write UPDATE … WHERE {key if isinstance(key, str) else 'id'} IN (SELECT … FROM {BATCH})"
            raise refuse(f"sql does not read {BATCH}, so every chunk would do everything", instead, name, place)

        def declare(function: Migrate | None) -> None:
            body = read_code(function) if function is not None else ""
            backfill = Backfill(
                name=name,
                table=table,
                key=read_columns(key, "key", name, place),
                columns=read_columns(columns, "columns", name, place) if columns else (),
                sql=texts,
                where=read_texts(where, "where", name, place),
                function=function,
                quarantine_max=quarantine_max,
                place=place,
            )
            parts = (table, backfill.key, backfill.columns, sorted(texts.items()), sorted(backfill.where.items()), body)
            done = fingerprint(repr(parts))
            self._backfills[name] = replace(backfill, fingerprint=done)

        def decorate(function: Migrate) -> Migrate:
            if texts or not callable(function):
                raise refuse("a backfill has sql or a function", "keep one of them", name, place)
            self._check_new(name, place)
            declare(function)
            return function

        if texts:
            declare(None)
        return decorate

    def processor(
        self,
        name: str,
        *,
        key: str | Sequence[str],
        by: str | Sequence[str],
        reads: Mapping[str, str | Sequence[str]],
        columns: Mapping[str, str],
        constants: Mapping[str, str | int] | None = None,
        rows_of: str | None = None,
        sampled: str | Sequence[str] = (),
        ignored: str | Sequence[str] = (),
        keep: Mapping[str, Memory] | None = None,
        keep_rows: bool = False,
        every: str | None = None,
        indexes: Sequence[str | Sequence[str]] = (),
        batch: int = 5000,
        slow: str = "1s",
        version: str = "",
        changes: bool = False,
    ) -> Callable[[Function], Function]:
        """Declare a derived table whose rows Python computes; decorates ``f(db, batch)``, which gives the rows of `batch.keys`.

        `by` are the columns of a unit, `key` those that identify a row, `columns` the SQL types of all columns but those of `by`,
        `constants` the same value in each row (which tells rows of `rows_of` apart). `reads` maps each watched source to its
        columns that hold `by`, or to a SELECT of columns named so; any change of such a source makes those units dirty. `sampled`
        and `ignored` name sources or columns (``"users.is_verified"``) that the function reads besides: those that may be
        behind, and those that do not change. At most `batch` units are computed at once, and more than `slow` is slow. `version`
        stands for what the function does; empty = its code. With `changes` the function is shown which rows of the watched
        sources came and went.

        Raises `Refusal` (``declaration`` or ``name``) with the place of the call.
        """
        place = _place()
        options: dict[str, Any] = {"by": by, "key": key, "columns": columns, "constants": constants}
        options |= {"reads": reads, "sampled": sampled, "ignored": ignored, "changes": changes}
        options |= {"batch": batch, "slow": slow, "version": version}

        def decorate(function: Function) -> Function:
            found = read_processor(options, function, name, place)
            declared = self.derive(
                name,
                query=found.query,
                key=found.key,
                freshness="tick",
                every=every,
                rows_of=rows_of,
                indexes=indexes,
                keep=keep,
                keep_rows=keep_rows,
            )
            self._declarations[name] = replace(declared, processor=found, place=place)
            return function

        return decorate

    def _check_new(self, name: str, place: str, *, live: bool = False) -> None:
        check_name(name, place)
        if live and f"{name}_live" in self._declarations:
            raise refuse(f"live=True wants the name {name}_live, which is declared", "choose another name", name, place)
        known = self._declarations.get(name) or self._backfills.get(name)
        if known is not None:
            raise refuse(f"{name} is declared twice, first at {known.place}", "", name, place)
        shows = self._declarations.get(name.removesuffix("_live"))
        if shows is not None and shows.live:
            raise refuse(
                f"{name} is the view of the rows of {shows.name} as of now", "choose another name", name, place
            )

    def source(
        self,
        name: str,
        *,
        append_only: bool = False,
        pruned: bool = False,
        capture: Way = "triggers",
        watermark: str | None = None,
        marks: Marks | None = None,
    ) -> Source:
        """State facts about a base table.

        `append_only` promises that rows are never changed or deleted, `pruned` that old rows may be deleted without lowering
        totals. `capture` is ``scan`` where no triggers are wanted: `watermark` names a column whose values grow with every
        write, `marks` where scans begin: behind what is there (``now``) or before the first row (``history``).

        Raises `Refusal` for a second statement about a table, and for facts that exclude each other.
        """
        place = _place()
        if name in self._sources:
            raise refuse(f"source {name} is stated twice", "state every fact in one call", None, place)
        check_facts(name, capture, watermark, marks, place, pruned=pruned)
        found = Source(name, append_only, pruned, capture, watermark or "", marks or "now", place)
        self._sources[name] = found
        return found

    def stream(
        self,
        name: str,
        *,
        source: Blocks,
        position: str = "block",
        time: str = "timestamp",
        items: str = "txs",
        kind: str = "type",
        origin: str = "origin",
        settle: str = "tick",
        on_item_error: str = "skip",
        on_event_error: str = "quarantine",
        on_hook_error: str = "count",
        on_block_error: str = "halt",
        savepoints: bool = True,
        attempts: int = 3,
        together: int = 0,
    ) -> Stream:
        """Declare ordered input and give its stream, whose `on` and `after` take handlers and hooks.

        `source` gives blocks (`jsonl`, `iterable`); `position`, `time` and `items` name fields of a block, `kind` and `origin`
        fields of its transactions. `settle` says when derived tables at tick freshness follow. The `on_…` policies say what
        happens when something fails, at each level; a block is tried `attempts` times. Without `savepoints` blocks are taken
        without them, and again with them when they fail; `together` says of how many transactions the blocks may be that are then
        taken at once (0: one block at a time), which is for history.

        Raises `Refusal` (``declaration``).
        """
        if name in self._streams:
            raise refuse(f"stream {name} is declared twice", "give each its own name", None, _place())
        policies = {"settle": settle, "on_item_error": on_item_error, "on_event_error": on_event_error}
        policies |= {"on_hook_error": on_hook_error, "on_block_error": on_block_error}
        fields = (position, time, items, kind, origin)
        found = Stream(name, source, *fields, policies, savepoints, attempts, together)
        check_stream(found)
        self._streams[name] = found
        return found


def check_name(name: object, place: str) -> None:
    """Raises `Refusal` (``name``) for a name that a derived table cannot have on both engines."""
    if not isinstance(name, str) or not name.strip():
        problem = "a derived table needs a name"
    elif "\0" in name:
        problem = f"{name!r} has a NUL character"
    elif not _is_text(name):
        problem = f"{name!r} is not text that a database can store"
    elif name.startswith("_"):
        problem = f"{name} begins with an underscore, as our own objects do"
    elif name.lower().startswith(("tidemark_", "sqlite_", "pg_")):
        problem = f"{name} begins as the objects of Tidemark or of an engine do"
    elif _GENERATION.search(name):
        problem = f"{name} ends as a generation of another derived table does"
    elif len(name.encode()) > NAME_BYTES_MAX:
        problem = f"{name} is {len(name.encode())} bytes long, and PostgreSQL keeps {NAME_BYTES_MAX}"
    else:
        return
    raise Refusal(Code.NAME, f"{problem} (at {place})", instead="choose another name")


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _place() -> str:
    """``file:line`` of the user's call: the first frame outside this module."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
