"""How users declare: a project, its derived tables, its backfills and facts about its sources.

Owns: `Project`. Promises: a declaration that cannot mean anything is refused where it stands, with file and line, before any
database is opened; what is accepted is kept as a frozen `Declaration`. Reads no SQL and knows no engine.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import CodeType, MappingProxyType
from typing import Any

from tidemark.errors import Code, Refusal
from tidemark.memory import First, Memory, Ratchet
from tidemark.model import Backfill, Declaration, Freshness, Marks, Source, Way
from tidemark.scans import check_facts
from tidemark.streams import Source as Blocks
from tidemark.streams import Stream, check_stream, name_streams
from tidemark.walk import BATCH

NAME_BYTES_MAX = 63
ENGINES = ("sqlite", "postgresql", "postgres")
FRESHNESS = ("commit", "tick")
_GENERATION = re.compile(r"_g[0-9]+$")
_CADENCE = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$")
Migrate = Callable[[Any, Any], object]
_SECONDS = MappingProxyType({"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0})


class Project:
    """The declarations of one application. `name` is for people."""

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
        whether what is counted by DISTINCT is kept with how often each value occurs (None: where groups are big). `verify` is
        how often a worker compares every row with the query (``"1h"``); with `repair` it mends what it finds.

        Raises `Refusal` (``declaration`` or ``name``) with the place of the call.
        """
        place = _place()
        self._check_new(name, place)
        if freshness is not None and freshness not in FRESHNESS:
            raise _refuse(f"freshness={freshness!r} is none", "say commit, tick or None", name, place)
        if columns_of is not None and rows_of is not None:
            raise _refuse("columns_of and rows_of exclude each other", "keep one of them", name, place)
        if was is not None:
            self._check_was(was, name, place)
        declaration = Declaration(
            name=name,
            query=_read_query(query, name, place),
            key=_read_columns(key, "key", name, place) if key is not None else (),
            freshness=freshness,
            columns_of=columns_of,
            rows_of=rows_of,
            indexes=tuple(_read_columns(index, "indexes", name, place) for index in indexes),
            was=was,
            sampled=_read_columns(sampled, "sampled", name, place) if sampled else (),
            keep=_read_memory(keep, name, place),
            keep_rows=keep_rows,
            marks=_read_marks(marks, bool(keep) or keep_rows, name, place),
            allow_global=allow_global,
            allow_lock=allow_lock,
            support=_read_support(support, name, place),
            every=_read_cadence(every, freshness, name, place) if every is not None else None,
            verify=_read_time(verify, "verify", "1h", name, place) if verify is not None else None,
            repair=_read_repair(repair, verify, name, place),
            place=place,
        )
        if declaration.every is not None:
            self._cadence[name] = declaration.every
        self._declarations[name] = declaration
        return declaration

    def _check_was(self, was: str, name: str, place: str) -> None:
        check_name(was, place)
        if was == name or was in self._declarations:
            raise _refuse(f"was={was!r} is a name in use", "say the name it had before", name, place)

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
        wanted. A key whose row cannot be migrated is put aside, up to `quarantine_max` of them.

        Raises `Refusal` (``declaration`` or ``name``) with the place of the call.
        """
        place = _place()
        self._check_new(name, place)
        if not isinstance(table, str) or not table:
            raise _refuse("table names no table", 'write table="posts"', name, place)
        if not isinstance(quarantine_max, int) or quarantine_max < 0:
            raise _refuse(f"quarantine_max={quarantine_max!r} is no number of keys", "say 0 or more", name, place)
        texts = _read_texts(sql, "sql", name, place)
        if any(BATCH not in text for text in texts.values()):
            instead = f"write UPDATE … WHERE {key if isinstance(key, str) else 'id'} IN (SELECT … FROM {BATCH})"
            raise _refuse(f"sql does not read {BATCH}, so that every chunk would do everything", instead, name, place)

        def declare(function: Migrate | None) -> None:
            body = _read_code(function) if function is not None else ""
            backfill = Backfill(
                name=name,
                table=table,
                key=_read_columns(key, "key", name, place),
                columns=_read_columns(columns, "columns", name, place) if columns else (),
                sql=texts,
                where=_read_texts(where, "where", name, place),
                function=function,
                quarantine_max=quarantine_max,
                place=place,
            )
            parts = (table, backfill.key, backfill.columns, sorted(texts.items()), sorted(backfill.where.items()), body)
            done = hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
            self._backfills[name] = replace(backfill, fingerprint=done)

        def decorate(function: Migrate) -> Migrate:
            if texts or not callable(function):
                raise _refuse("a backfill has sql or a function", "keep one of them", name, place)
            self._check_new(name, place)
            declare(function)
            return function

        if texts:
            declare(None)
        return decorate

    def _check_new(self, name: str, place: str) -> None:
        check_name(name, place)
        known = self._declarations.get(name) or self._backfills.get(name)
        if known is not None:
            raise _refuse(f"{name} is declared twice, first at {known.place}", "", name, place)

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
            raise _refuse(f"source {name} is stated twice", "state every fact in one call", None, place)
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
    ) -> Stream:
        """Declare ordered input and give its stream, whose `on` and `after` take handlers and hooks.

        `source` gives blocks (`jsonl`, `iterable`); `position`, `time` and `items` name fields of a block, `kind` and `origin`
        fields of its transactions. `settle` says when derived tables at tick freshness follow. The `on_…` policies say what
        happens when something fails, at each level; a block is tried `attempts` times. Without `savepoints` blocks are taken
        without them, and again with them when they fail.

        Raises `Refusal` (``declaration``).
        """
        if name in self._streams:
            raise _refuse(f"stream {name} is declared twice", "give each its own name", None, _place())
        policies = {"settle": settle, "on_item_error": on_item_error, "on_event_error": on_event_error}
        policies |= {"on_hook_error": on_hook_error, "on_block_error": on_block_error}
        fields = (position, time, items, kind, origin)
        found = Stream(name, source, *fields, policies, savepoints, attempts)
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


def _refuse(reason: str, instead: str, derived: str | None, place: str) -> Refusal:
    return Refusal(Code.DECLARATION, f"{reason} (at {place})", instead=instead, derived=derived)


def _read_query(query: object, name: str, place: str) -> Mapping[str, str]:
    if not query:
        shown = "query is empty" if isinstance(query, str) else "query is neither a text nor texts by engine"
        raise _refuse(shown, 'write query="SELECT …"', name, place)
    return _read_texts(query, "query", name, place)


def _read_texts(given: object, option: str, name: str, place: str) -> Mapping[str, str]:
    """Texts by engine, ``""`` being both; none at all for None."""
    texts = {} if given is None else {"": given} if isinstance(given, str) else given
    instead = 'write query="SELECT …"' if option == "query" else f'write {option}="…"'
    if not isinstance(texts, Mapping):
        raise _refuse(f"{option} is neither a text nor texts by engine", instead, name, place)
    for engine, text in texts.items():
        if engine not in ("", *ENGINES):
            raise _refuse(f"{option} is for {engine!r}, which is no engine", "say sqlite or postgresql", name, place)
        if not isinstance(text, str) or not text.strip():
            raise _refuse(f"{option} is empty", instead, name, place)
        if "\0" in text:
            raise _refuse(f"{option} has a NUL character", "leave it out", name, place)
    return MappingProxyType(dict(texts))


def _read_code(function: Migrate) -> str:
    """What a function does, as a text that is the same for the same code."""

    def told(code: CodeType) -> object:
        return code.co_code, [constant(one) for one in code.co_consts], code.co_names

    def constant(one: object) -> object:
        # The order of a set is another one in each process.
        return told(one) if isinstance(one, CodeType) else sorted(map(repr, one)) if isinstance(one, frozenset) else one

    code = getattr(function, "__code__", None)
    return repr(told(code)) if isinstance(code, CodeType) else repr(type(function))


def _read_columns(columns: object, option: str, name: str, place: str) -> tuple[str, ...]:
    found = (columns,) if isinstance(columns, str) else columns
    if not isinstance(found, Sequence) or not found or not all(isinstance(c, str) and c for c in found):
        raise _refuse(f"{option} names no column", f'write {option}="column", or several in a list', name, place)
    if len(set(found)) != len(found):
        raise _refuse(f"{option} names a column twice", "name each column once", name, place)
    return tuple(found)


def _read_memory(keep: object, name: str, place: str) -> tuple[tuple[str, Memory], ...]:
    if keep is None:
        return ()
    if not isinstance(keep, Mapping) or not keep:
        raise _refuse("keep names no column", 'write keep={"column": ratchet()}', name, place)
    for column, memory in keep.items():
        if not isinstance(column, str) or not isinstance(memory, Ratchet | First):
            raise _refuse(f"keep for {column!r} is no memory", "say ratchet() or first()", name, place)
    return tuple(keep.items())


def _read_marks(marks: object, has_memory: bool, name: str, place: str) -> Marks:
    if marks != "history" and marks != "now":
        raise _refuse(f"marks={marks!r} is none", "say now or history", name, place)
    if marks == "now" and not has_memory:
        raise _refuse(
            'marks="now" leaves rows out that the query has, and nothing is kept',
            "keep= or keep_rows= for a table that remembers, or no marks=",
            name,
            place,
        )
    return "now" if marks == "now" else "history"


def _read_support(support: object, name: str, place: str) -> bool | None:
    if support is not None and not isinstance(support, bool):
        raise _refuse(f"support={support!r} is none", "say True, False or None", name, place)
    return support


def _read_cadence(every: object, freshness: str | None, name: str, place: str) -> float:
    seconds = _read_time(every, "every", "30s", name, place)
    if freshness == "commit":
        raise _refuse("every is for ticks, and freshness is commit", "leave one of them out", name, place)
    return seconds


def _read_time(time: object, option: str, such_as: str, name: str, place: str) -> float:
    match = _CADENCE.match(time) if isinstance(time, str) else None
    if match is None or float(match[1]) == 0:
        raise _refuse(f"{option}={time!r} is no time", f'write {option}="{such_as}", or 500ms, 5m, 1h', name, place)
    return float(match[1]) * _SECONDS[match[2]]


def _read_repair(repair: object, verify: object, name: str, place: str) -> bool:
    if not isinstance(repair, bool):
        raise _refuse(f"repair={repair!r} is neither True nor False", "say repair=True", name, place)
    if repair and verify is None:
        raise _refuse("repair mends what a worker's verification finds, and there is none", 'verify="1h"', name, place)
    return repair
