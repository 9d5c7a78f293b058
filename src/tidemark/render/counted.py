"""What a tick that adds says of counted values: which came and went, and which is first or last.

Owns: the statements over the groupings that count values (`tidemark.maintenance.counted`). Promises: a value comes when the first
row that has it does, and goes with the last; the number of a group's values changes by just these, and its first and last value
are read from the stored ones by the unique index, after those were written.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.maintenance.bilinear import BilinearProgram
from tidemark.maintenance.counted import OF, Counted
from tidemark.maintenance.program import KeyPart, Part
from tidemark.render.numbered import joins_of, which_join
from tidemark.render.statements import one_by_one
from tidemark.render.store import Store

MOVED_BY = "tidemark_moved_by"
"""In the sums of a tick: a value of the group came or went, whatever its sums are."""
_BY = "tidemark_by"


def moves(store: Store, program: BilinearProgram, fields: Sequence[str]) -> tuple[str, ...]:
    """Put what values that come and go mean for their groups beside the sums of the groups; `fields` are the columns of these."""
    return tuple(_moves(store, program, one, fields, join) for one in program.counted for join in _lookups(store, one))


def _lookups(store: Store, one: Counted) -> list[int]:
    """Which of the store's conditions find rows of the grouping."""
    every = range(len(joins_of(store)))
    if not store.by_nulls("s", "b"):
        return list(every)
    return [number for number in every if _may_be(store, one, store.nulls[number])]


def _may_be(store: Store, one: Counted, nulls: frozenset[str]) -> bool:
    pairs = list(zip(store.key, one.join.key, strict=True))
    return one.value not in nulls and all(part.name in nulls for part, scalar in pairs if scalar is None)


def _moves(store: Store, program: BilinearProgram, one: Counted, fields: Sequence[str], join: int) -> str:
    delta, presence = store.names.temporary("delta"), program.presence
    keys = store.key_of("d")
    rows = f"SELECT {keys}, sum(d.{presence}) AS {_BY} FROM {delta} AS d WHERE d.{_of(store)} = {one.of}"
    sums = f"{rows} GROUP BY {keys} HAVING sum(d.{presence}) <> 0"
    before = f"coalesce(s.{presence}, 0)"
    main = [_main(store, one, number) for number in range(len(store.key))]
    added = f"sum(CASE WHEN {before} = 0 THEN 1 ELSE -1 END)"
    values = [*main, *(added if field == one.count else "0" for field in fields), "1"]
    groups = ", ".join(f"b.{store.column(part)}" for part in _own(store, one)) or f"b.{_of(store)}"
    return (
        f"INSERT INTO {delta} ({', '.join([store.key_list, *fields, MOVED_BY])}) SELECT {', '.join(values)} FROM ({sums}) AS b "
        f"LEFT JOIN {_found(store, joins_of(store)[join])} "
        f"WHERE {_is_value(store, one, 'b')} AND ({before} = 0) <> ({before} + b.{_BY} = 0){which_join(store, join)} "
        f"GROUP BY {groups}"
    )


def _found(store: Store, on: str) -> str:
    """The stored row of a value, looked up: of how few values a tick has summed up a planner knows nothing, and would rather join
    all of them where it can."""
    if not store.dialect.planner.joins_by_hash:
        return f"{store.names.store} AS s ON {on}"
    return f"{one_by_one(store.names.store, on)} ON true"


def _is_value(store: Store, one: Counted, row: str) -> str:
    """Whether a row counts a value, and not what is none."""
    return f"{row}.{store.dialect.quote(one.value)} IS NOT NULL"


def _own(store: Store, one: Counted) -> list[KeyPart]:
    """The columns of the key that the groups have, other than which grouping it is."""
    pairs = zip(store.key, one.groups.key, strict=True)
    return [part for part, scalar in pairs if scalar is not None and part.name != OF]


def _main(store: Store, one: Counted, number: int) -> str:
    """A column of the key of the group in whose values there is one."""
    part, scalar = store.key[number], one.groups.key[number]
    if part.name == OF:
        return str(one.main)
    return f"b.{store.column(part)}" if scalar is not None else f"NULL{store.dialect.cast(part.type)}"


def _of(store: Store) -> str:
    return store.dialect.quote(OF)


def counts_values(store: Store, program: BilinearProgram, row: str, *, counts: bool) -> str:
    """The rows that count values, or those of groups, of a numbered table; nothing where there is one kind alone."""
    if not program.counted:
        return ""
    return f" AND {row}.{_of(store)} {'>=' if counts else '<'} {min(one.of for one in program.counted)}"


def extremes(store: Store, program: BilinearProgram) -> list[tuple[str, str]]:
    """(column, text) of the first and last values of the groups ``b``, as they are stored."""
    found = []
    for one in program.counted:
        for part in one.extremes:
            text = f"CASE WHEN b.{_of(store)} = {one.main} THEN {_extreme(store, one, part)} END"
            found.append((store.column(part), text))
    return found


def _extreme(store: Store, one: Counted, part: Part) -> str:
    if not store.by_nulls("s", "b"):
        return _nearest(store, one, part, None)
    some = [nulls for nulls in store.nulls if _may_be(store, one, nulls)]
    if len(some) == 1:
        return _nearest(store, one, part, some[0])
    cases = []
    for nulls in some:
        told = [p for p in _own(store, one) if p.nullable]
        test = " AND ".join(f"b.{store.column(p)} IS {'' if p.name in nulls else 'NOT '}NULL" for p in told)
        cases.append(f"WHEN {test} THEN {_nearest(store, one, part, nulls)}")
    return f"CASE {' '.join(cases)} END"


def _nearest(store: Store, one: Counted, part: Part, nulls: frozenset[str] | None) -> str:
    """The first or last of the values that are stored of a group, in the words of the unique index; `nulls` are the columns of
    the key that are NULL there, None where a comparison tells."""
    value = next(key for key in store.key if key.name == one.value)
    found: list[tuple[str, str]] = []
    for key, scalar in zip(store.key, one.groups.key, strict=True):
        if key is value:
            # What stands behind it in the index is NULL in all rows of the grouping.
            break
        column, told = f"h.{store.column(key)}", f"b.{store.column(key)}"
        if key.name == OF:
            found.append((column, f"= {one.of}"))
        elif store.indexes_expressions and key.nullable:
            same = ("0", "1") if scalar is None else (f"ifnull({told}, 0)", f"({told} IS NULL)")
            found += [(f"ifnull({column}, 0)", f"= {same[0]}"), (f"({column} IS NULL)", f"= {same[1]}")]
        elif scalar is None or key.name in (nulls or ()):
            found.append((column, "IS NULL"))
        else:
            found.append((column, f"{store.equal(key, nulls=nulls is None)} {told}"))
    last, column = part.kind == "highest", f"h.{store.column(value)}"
    # Where a column IS NULL, PostgreSQL wants the whole order of the index, and SQLite what is left of it.
    terms = [f"ifnull({column}, 0)"] if store.indexes_expressions else [*(term for term, _ in found), column]
    order = ", ".join(f"{term} {'DESC' if last else 'ASC'}" for term in terms)
    where = " AND ".join([*(f"{term} {test}" for term, test in found), _is_value(store, one, "h")])
    return f"(SELECT {column} FROM {store.names.store} AS h WHERE {where} ORDER BY {order} LIMIT 1)"
