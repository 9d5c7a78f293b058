"""PostgreSQL: triggers on the stored rows that write crossings into the outbox.

Owns: the pieces of a derived table's crossings on PostgreSQL. Promises: a writer needs no right on the outbox; two
transactions that take one row over one threshold wait for each other at the row, so there is one event.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.script import Piece
from tidemark.maintenance.key_types import is_hashed
from tidemark.model import Crossing
from tidemark.names import ledger
from tidemark.render.crossings import Known, Shown, crossing_select, json_object
from tidemark.render.postgres.settings import pinned_settings
from tidemark.render.postgres.triggers import On, routine, trigger_pieces

NUMERIC = "{} IS NOT NULL"
HASH = "hash_record_extended(ROW({}), 0)"
CAME, WENT = "tidemark_came", "tidemark_went"
"""The stored rows that a statement wrote, as they are and as they were."""


def crossing_pieces(
    shown: Shown, crossings: Sequence[Crossing], path: tuple[str, ...], by_batch: bool
) -> tuple[Piece, ...]:
    """A trigger for each row that a writer's commit changes, or for each statement where ticks write rows by the batch, and its
    function. `path` are the schemas in which the user's functions are found."""
    if not crossings:
        return ()
    if not by_batch:
        came, went_on = (
            "".join(f"    {_insert(shown, one, changed=changed)};\n" for one in crossings) for changed in (False, True)
        )
        body = f"  IF TG_OP = 'INSERT' THEN\n{came}  ELSE\n{went_on}  END IF;\n"
        return _trigger(shown, ("crossing",), "INSERT OR UPDATE", "FOR EACH ROW", path, body)
    found: tuple[Piece, ...] = ()
    for event, images in (("insert", f"NEW TABLE AS {CAME}"), ("update", f"OLD TABLE AS {WENT} NEW TABLE AS {CAME}")):
        changed, each = event == "update", f"REFERENCING {images} FOR EACH STATEMENT"
        rows = _rows(shown, changed=changed)
        body = "".join(f"  {_insert(shown, one, changed=changed, rows=rows)};\n" for one in crossings)
        found += _trigger(shown, ("crossing", event), event.upper(), each, path, body)
    return found


def _trigger(
    shown: Shown, kind: tuple[str, ...], events: str, each: str, path: tuple[str, ...], body: str
) -> tuple[Piece, ...]:
    names = shown.store.names
    on, fires = On(names.store, names.listed("")), f"AFTER {events} ON {names.store} {each}"
    function = routine(f"BEGIN\n{body}  RETURN NULL;\nEND", f"{pinned_settings(path)} SET jit = off")
    return tuple(trigger_pieces(names, kind, on, fires, function, public=True))


def _rows(shown: Shown, *, changed: bool) -> str:
    """The rows that a statement wrote, and what they were before. An update may spell a key otherwise, but it stays the same key,
    and no two rows have one: so in the order of keys the nth row is the same before and after."""
    columns = ", ".join(f"{sql} AS {shown.store.dialect.quote(name)}" for name, sql in shown.visible)
    place = f"row_number() OVER (ORDER BY {shown.store.key_list}) AS tidemark_place"

    def seen(table: str) -> str:
        numbered = f"SELECT *, {place} FROM {table}"
        return f"SELECT {columns}, tidemark_place, 1 AS tidemark_seen FROM ({numbered}) AS s WHERE {shown.present}"

    if not changed:
        return f"({seen(CAME)}) AS n"
    return f"(({seen(CAME)}) AS n LEFT JOIN ({seen(WENT)}) AS o ON o.tidemark_place = n.tidemark_place)"


def _insert(shown: Shown, crossing: Crossing, *, changed: bool, rows: str = "") -> str:
    known = _known(shown)
    chosen = crossing_select(shown, crossing, known, _as_json, NUMERIC, changed=changed, rows=rows)
    once = "" if crossing.again else " ON CONFLICT (derived, column_name, threshold, key) WHERE once = 1 DO NOTHING"
    return f"INSERT INTO {ledger(shown.store.dialect, 'outbox')} ({known.columns(crossing)})\n    {chosen}{once}"


def _known(shown: Shown) -> Known:
    store, quote = shown.store, shown.store.dialect.quote
    text = json_object("n", shown.key_names, _as_json, store.dialect)
    loose = [part for part in shown.key if part.spelling != "one"]
    if not loose or not all(is_hashed(part.type) for part in loose):
        return Known(text)
    values = ", ".join(f"n.{quote(part.name)}" for part in shown.key if is_hashed(part.type))
    # A hash may be that of another key, too. What was told of has the type of the store again, and is compared as its rows are.
    columns = ", ".join(store.definition(part) for part in shown.key)
    same = " AND ".join(f"told.{quote(name)} IS NOT DISTINCT FROM n.{quote(name)}" for name in shown.key_names)
    equal = f"EXISTS (SELECT FROM json_to_record(CAST(e.key AS json)) AS told({columns}) WHERE {same})"
    return Known(text, HASH.format(values), equal)


def _as_json(row: str, column: str) -> str:
    return f"coalesce(CAST(to_json({row}.{column}) AS text), 'null')"
