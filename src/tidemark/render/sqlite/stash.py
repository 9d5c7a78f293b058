"""SQLite: the rows that REPLACE deletes without firing a DELETE trigger.

Owns: the stash of one source and its triggers. INSERT OR REPLACE and UPDATE OR REPLACE remove every row that collides on a
unique key; unless ``recursive_triggers`` is on, which each connection decides for itself, no trigger tells. So a BEFORE trigger
copies the rows that collide into the stash, and an AFTER trigger takes back the parts of those that are gone. Promises: a
victim's parts are taken back exactly once, whatever the pragma, the conflict clause, or the number of unique keys.

A stashed row that was not deleted in the end (DO NOTHING, DO UPDATE, an error that was ignored) is dropped from the stash by the
next trigger that looks for victims; it is never taken for one, because it is still there. Where a statement may write the table
again before it is over, an update drops none, since what is still there may be gone later: see docs/why/stash-triggers.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from tidemark.contract.script import Piece
from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.model import Table
from tidemark.names import Names
from tidemark.query.terms import Probe, Term, probes
from tidemark.render.chains import all_of
from tidemark.render.sqlite import rows
from tidemark.render.sqlite.identity import (
    definition,
    differs,
    goes_by_hidden_rowid,
    identity,
    is_at,
    plain_rowid,
    prefix,
    same_row,
    stand_ins,
)
from tidemark.render.sqlite.seen import seen_pieces
from tidemark.render.statements import qualified

OWN = 100
PLACE = -1
"""In the stash, `OWN` and more stands for a row that is there only because it is being updated, `PLACE` for one whose identity
that one is about to take."""


def may_be_replaced(table: Table, dialect: Dialect) -> bool:
    """Whether a statement may replace rows. Nobody but us writes a store, and we only insert, update, delete and upsert, saying
    what becomes of a row that is there already (`ON CONFLICT … DO UPDATE`), which no OR REPLACE outside overrides."""
    return not table.name.startswith(dialect.ours_prefix)


def stash_pieces(
    names: Names,
    dialect: Dialect,
    table: Table,
    reads: tuple[str, ...],
    take_back: Callable[[str], list[str]],
    give: Callable[[str], list[str]],
) -> list[Piece]:
    """The stash of a source and its triggers; nothing where no row can be replaced.

    `take_back` gives the statements that undo rows given as ``FROM … AS v WHERE …``, `give` those that do OLD where a condition
    holds.
    """
    if not may_be_replaced(table, dialect):
        return []
    if table.unfollowed:
        raise Refusal(
            Code.SOURCE_KIND,
            f"a trigger that runs before rows of {table.label} are written inserts into it or assigns a column of a unique key, "
            "so that nothing tells what becomes of the row that is about to be written.",
            instead="the same trigger AFTER instead of BEFORE",
        )
    stash = _Stash(names, dialect, table, reads, take_back, give).pieces()
    return [*stash, *seen_pieces(names, dialect, table, reads, take_back, give)] if table.rewritten else stash


@dataclass(frozen=True)
class _Stash:
    names: Names
    dialect: Dialect
    table: Table
    reads: tuple[str, ...]
    take_back: Callable[[str], list[str]]
    give: Callable[[str], list[str]]

    @property
    def name(self) -> str:
        """The stash, quoted."""
        return self.names.own("stash", self.table.name)

    @property
    def holds_some(self) -> str:
        """True when a row is in the stash."""
        return f"EXISTS (SELECT 1 FROM {self.name})"

    @property
    def away(self) -> str:
        """The column that counts the updates of a row that are under way, so that it may not be there for a while; from `OWN` on
        where nothing else than such an update brought the row here, and NULL where there is none."""
        return f"{prefix(self.table)}_moves"

    @property
    def is_nested(self) -> bool:
        """Whether an update may be part of another statement on the table. A row that is pruned is no victim of any."""
        return self.table.reenters and not self.table.pruned

    @property
    def knows_moved(self) -> bool:
        """Whether a row that was given another key is told from what it was: a rowid that no column shows stays as it is."""
        return self.is_nested and not goes_by_hidden_rowid(self.table)

    @property
    def _columns(self) -> list[tuple[str, str]]:
        """The columns of the stash, quoted, each with the one of the table that it holds: the identity, and what is read."""
        own = zip(stand_ins(self.table), identity(self.table), strict=True)
        return [*own, *((self.dialect.quote(name), name) for name in self.reads)]

    @cached_property
    def moves(self) -> str:
        """True when an update changes something that a unique key is made of."""
        return _moves(self._keyed, self.table, self.dialect)

    @cached_property
    def _keyed(self) -> tuple[str, ...]:
        """The columns that unique keys, and the predicates of partial ones, are made of."""
        keys = probes(self.table, self.dialect)
        scalars = [term.coming for probe in keys for term in probe.terms]
        scalars += [probe.coming_where for probe in keys if probe.coming_where is not None]
        return tuple(sorted({name for scalar in scalars for _, name in scalar.columns}))

    def pieces(self) -> list[Piece]:
        """Everything, in the order in which it is made."""
        ends = [self._unstash_delete()] if not self.is_nested else [self._missed(), self._told()]
        # Of a pruned source a victim that fires DELETE triggers, under recursive_triggers, does not go uncounted either.
        ends = [] if self.table.pruned else ends
        return [
            self._table(),
            self._fill("insert"),
            self._empty("insert"),
            self._fill("update"),
            self._empty("update"),
            *ends,
        ]

    # -- what is asked of a row of the stash --------------------------------------------------------------------------------

    def _is_there(self, row: str) -> str:
        source = qualified(self.table, self.dialect)
        return f"EXISTS (SELECT 1 FROM {source} AS t WHERE {same_row(self.table, 't', row, self.dialect)})"

    def _is(self, row: str, which: str) -> str:
        return same_row(self.table, row, which, self.dialect, new=True)

    def _looks(self, row: str) -> str:
        """True when a row looks as OLD does."""
        return all_of([f"{row}.{quoted} IS OLD.{quoted}" for quoted in map(self.dialect.quote, self.reads)]) or "1"

    def _is_idle(self, row: str) -> str:
        """True for a row that no update is about to change."""
        return f"ifnull({row}.{self.away}, 0) <= 0"

    def _is_as_old(self) -> str:
        """True for the row of which a trigger tells, as it was: another one of its identity has been replaced by it."""
        return f"{self._is(self.name, 'OLD')} AND {self._looks(self.name)}"

    def _is_in_place(self) -> str:
        """False where the row that was to take the identity of one has it, so that what looks like that one is not it."""
        came = f"EXISTS (SELECT 1 FROM {self.name} AS o WHERE o.{self.away} > 0 AND NOT {self._is_there('o')})"
        return f"({self.name}.{self.away} IS NOT {PLACE} OR NOT {came})"

    # -- pieces ---------------------------------------------------------------------------------------------------------------

    def _table(self) -> Piece:
        own, pairs = stand_ins(self.table), zip(identity(self.table), stand_ins(self.table), strict=True)
        described = [definition(self.table, name, self.dialect, stored) for name, stored in pairs]
        described += [definition(self.table, name, self.dialect) for name in self.reads]
        described += [self.away] if self.is_nested else []
        create = f"CREATE TABLE {self.name} ({', '.join(described)}, PRIMARY KEY ({', '.join(own)}))"
        plain = self.names.plain("stash", self.table.name)
        return Piece("table", plain, create, f"DROP TABLE IF EXISTS {self.name}", on=self.table.name)

    def _trigger(
        self, event: str, when: str, body: list[str], timing: str = "AFTER", of: tuple[str, ...] = ()
    ) -> Piece:
        return rows.trigger(self.names, self.dialect, self.table, event, when, body, timing=timing, of=of)

    def _fill(self, event: str) -> Piece:
        """BEFORE: put the rows that collide into the stash, and what an earlier statement has left out of it."""
        table, keys = self.table, probes(self.table, self.dialect)
        others = f" AND NOT ({same_row(table, 'r', 'OLD', self.dialect, old=True)})" if event == "update" else ""
        tests = _collides(keys, table)
        if event == "update" and table.rewritten:
            # The row itself may have another key by now, and what is not assigned is what stands there.
            others = f" AND NOT ({is_at(table, 'r', 'OLD', self.dialect)})"
            tests = f"{tests} OR {self._may_collide(keys)}"
        collide = f"FROM {qualified(table, self.dialect)} AS r WHERE ({tests}){others}"
        when = f"EXISTS (SELECT 1 {collide})"
        if event == "update" and self.is_nested:
            body, when = self._put_within(collide, keys), f"({when} OR {self.holds_some})"
        else:
            body = [f"DELETE FROM {self.name} WHERE {self._is_there(self.name)}", self._put(collide)]
        if event == "update":
            # A row whose unique keys stay as they were collides with nothing, and most updates are of that kind.
            when = f"({self.moves}) AND {when}"
        if event == "update" and table.rewritten:
            # One that is gone is not updated any more, and nobody is told.
            there = f"FROM {qualified(table, self.dialect)} AS t WHERE {is_at(table, 't', 'OLD', self.dialect)}"
            when = f"{when} AND EXISTS (SELECT 1 {there})"
        if table.pruned:
            # A row that is pruned is no victim, so whatever an earlier statement left goes before the next one looks.
            body[0], when = f"DELETE FROM {self.name}", f"{when} OR {self.holds_some}"
        # Where an update may be part of another statement, what that one's victims left is looked at whatever it assigns.
        of = rows.assigned(table, self._keyed) if event == "update" and not self.is_nested else ()
        return self._trigger(f"stash_{event}", when, body, "BEFORE", of)

    def _may_collide(self, keys: tuple[Probe, ...]) -> str:
        """True for rows that may collide with a row of which a trigger has just written a column that keys are made of: each of
        the columns may be as NEW has it, or as it stands there."""
        names = sorted({name for probe in keys for term in probe.terms for _, name in term.stored.columns})
        names += sorted({name for probe in keys if probe.stored_where for _, name in probe.stored_where.columns})
        written = " OR ".join(differs("w", "OLD", self.table, dict.fromkeys(names), self.dialect)) or "0"
        found = []
        for probe in keys:
            single = [term for term in probe.terms if len(term.coming.columns) == 1]
            tests = [f"({_compare(term)} OR {_compare(term, 'w')})" for term in single]
            found.append(f"({' AND '.join(tests) or '1'})")
        there = f"FROM {qualified(self.table, self.dialect)} AS w WHERE {is_at(self.table, 'w', 'OLD', self.dialect)}"
        return f"EXISTS (SELECT 1 {there} AND ({written}) AND ({' OR '.join(found) or '0'}))"

    def _put(self, collide: str, place: str = "") -> str:
        """The statement that puts the rows that collide into the stash, with `place` for `away` where there is that column."""
        columns, names = zip(*self._columns, strict=True)
        moved, given, again = ([self.away], [place], [self.away]) if place else ([], [], [])
        picked = [*(f"r.{self.dialect.quote(name)}" for name in names), *given]
        sets = ", ".join(f"{column} = excluded.{column}" for column in (*columns, *again))
        return (
            f"INSERT INTO {self.name} ({', '.join((*columns, *moved))}) SELECT {', '.join(picked)} {collide}\n"
            f"  ON CONFLICT ({', '.join(stand_ins(self.table))}) DO UPDATE SET {sets}"
        )

    def _put_within(self, collide: str, keys: tuple[Probe, ...]) -> list[str]:
        """The same for an update that may be part of another statement, whose victim may be what is still there."""
        if not self.knows_moved:
            return [self._put(collide, "NULL")]
        columns, names = zip(*self._columns, strict=True)
        # One that looks otherwise was left by an update that failed.
        left = f"{self._is(self.name, 'OLD')} AND {self.away} > 0 AND NOT ({self._looks(self.name)})"
        more = f"max(ifnull({self.away}, 0), 0) + 1"
        olds = ", ".join(f"OLD.{self.dialect.quote(name)}" for name in names)
        return [
            f"DELETE FROM {self.name} WHERE {left}",
            f"UPDATE {self.name} SET {self.away} = {more} WHERE {self._is_as_old()} AND {self._is_in_place()}",
            self._put(collide, f"CASE WHEN {_takes_place(keys, self.table, self.dialect)} THEN {PLACE} END"),
            f"INSERT INTO {self.name} ({', '.join(columns)}, {self.away}) SELECT {olds}, {OWN + 1} "
            f"WHERE EXISTS (SELECT 1 {collide})\n  ON CONFLICT DO NOTHING",
        ]

    def _empty(self, event: str) -> Piece:
        """AFTER: take back the victims, and forget whoever is none."""
        gone = f"({self._is('v', 'NEW')} OR NOT {self._is_there('v')})"
        some, forget = self.holds_some, f"DELETE FROM {self.name}"
        of: tuple[str, ...] = ()
        if event == "update":
            if self.is_nested:
                return self._trigger("unstash_update", some, self._within())
            gone = f"({self.moves}) AND NOT ({self._is('v', 'OLD')}) AND {gone}"
            left = _left(self.table, self.reads, self.name, self.dialect)
            if left:
                forget = f"{forget} WHERE ({self.moves}) OR ({left})"
            else:
                # One that collides with nothing may come from a trigger within a statement that has victims, the user's or what
                # carries rows to this table, and leaves those to it.
                some, of = f"({self.moves}) AND {some}", rows.assigned(self.table, self._keyed)
        body = [*self.take_back(f"FROM {self.name} AS v WHERE {gone}"), forget]
        return self._trigger(f"unstash_{event}", some, body, of=of)

    def _within(self) -> list[str]:
        """What an update does that may be part of a statement that has not met all its victims: it takes back those that are gone
        and forgets no other; the updated row goes on as it is now. What was written to that one meanwhile is overwritten."""

        def gone(row: str) -> str:
            other = f"{self._is_idle(row)} AND NOT ({self._is(row, 'OLD')})"
            return f"{other} AND ({self._is(row, 'NEW')} OR NOT {self._is_there(row)})"

        quote = self.dialect.quote
        now, before = (
            ", ".join(f"{column} = {row}.{quote(name)}" for column, name in self._columns) for row in ("NEW", "OLD")
        )

        def written(row: str) -> str:
            mine = f"{self._is(row, 'OLD')} AND {row}.{self.away} > 0"
            return f"({self.moves}) AND {mine} AND NOT ({self._looks(row)})"

        ended = f"CASE WHEN ({self.moves}) AND {self.away} > 0 THEN nullif({self.away} - 1, 0) ELSE {self.away} END"
        return [
            *self.give(f"EXISTS (SELECT 1 FROM {self.name} AS v WHERE {written('v')})"),
            *self.take_back(f"FROM {self.name} AS v WHERE {written('v')}"),
            f"UPDATE {self.name} SET {before} WHERE {written(self.name)}",
            *self._taken_back(gone),
            f"UPDATE {self.name} SET {now}, {self.away} = {ended} WHERE {self._is_as_old()} AND {self._is_in_place()}",
            f"DELETE FROM {self.name} WHERE {self.away} = {OWN} AND {self._is(self.name, 'NEW')}",
        ]

    def _taken_back(self, gone: Callable[[str], str]) -> list[str]:
        return [
            *self.take_back(f"FROM {self.name} AS v WHERE {gone('v')}"),
            f"DELETE FROM {self.name} WHERE {gone(self.name)}",
        ]

    def _unstash_delete(self) -> Piece:
        """A row of which a DELETE trigger tells is no victim."""
        return self._trigger(
            "unstash_delete", self.holds_some, [f"DELETE FROM {self.name} WHERE {self._is(self.name, 'OLD')}"]
        )

    def _told(self) -> Piece:
        """The same before anything comes of it: what does may look for victims."""
        forget = f"DELETE FROM {self.name} WHERE {self._is(self.name, 'OLD')}"
        return self._trigger("told_delete", self.holds_some, [forget], "BEFORE")

    def _missed(self) -> Piece:
        """A victim may take the very row along that replaces it, and nothing more is told of that one."""
        taken = self._taken_back(lambda row: f"{self._is_idle(row)} AND NOT {self._is_there(row)}")
        return self._trigger("unstash_delete", self.holds_some, taken)


def _left(table: Table, reads: tuple[str, ...], stash: str, dialect: Dialect) -> str:
    """True for a stashed row that DO UPDATE has left in its place, where only its rowid says which one it is: that may be another
    after VACUUM, so it cannot wait. Where rows are carried to this table, one that has just been replaced may look the same."""
    if not goes_by_hidden_rowid(table):
        return ""
    same = " AND ".join(f"{stash}.{dialect.quote(name)} IS OLD.{dialect.quote(name)}" for name in reads) or "1"
    # Where writers choose themselves what LIKE tells apart, SQLite lets no trigger call it that is not trusted.
    mirrors = f"{dialect.ours_prefix}_mirror"
    named = f"substr(name, 1, {len(mirrors)}) = {dialect.literal(mirrors)}"
    carried = f"type = 'trigger' AND tbl_name = {dialect.literal(table.name)} AND {named}"
    return (
        f"{same_row(table, stash, 'OLD', dialect, new=True)} AND {same} "
        f"AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE {carried})"
    )


def _collides(keys: tuple[Probe, ...], table: Table) -> str:
    """True for stored rows ``r`` that share a unique key, or the rowid, with NEW."""
    found = [f"(r.{rowid} = NEW.{rowid})" for rowid in plain_rowid(table)]
    for probe in keys:
        tests = [f"{_compare(term)}" for term in probe.terms]
        if probe.stored_where is not None and probe.coming_where is not None:
            tests += [f"({probe.stored_where.at_row('r')})", f"({probe.coming_where.at_row('NEW')})"]
        found.append("(" + " AND ".join(tests) + ")")
    return " OR ".join(found)


def _takes_place(keys: tuple[Probe, ...], table: Table, dialect: Dialect) -> str:
    """True for a stored row ``r`` whose identity is the one that NEW has once it is stored."""
    wanted = set(identity(table))
    for probe in keys:
        if probe.stored_where is None and {name for term in probe.terms for _, name in term.stored.columns} == wanted:
            return " AND ".join(map(_compare, probe.terms))
    return same_row(table, "r", "NEW", dialect, old=True)


def _moves(names: tuple[str, ...], table: Table, dialect: Dialect) -> str:
    """True when an update changes one of the columns that unique keys are made of, or the row's number."""
    tests = [f"OLD.{rowid} IS NOT NEW.{rowid}" for rowid in plain_rowid(table)]
    for quoted in map(dialect.quote, names):
        # An index over an expression can tell 1 from 1.0.
        tests.append(f"OLD.{quoted} IS NOT NEW.{quoted} COLLATE BINARY OR typeof(OLD.{quoted}) <> typeof(NEW.{quoted})")
    return " OR ".join(tests) or "0"


def _compare(term: Term, coming: str = "NEW") -> str:
    collation = f' COLLATE "{term.collation}"' if term.collation and term.collation != "BINARY" else ""
    return f"({term.stored.at_row('r')}) = ({term.coming.at_row(coming)}){collation}"
