"""Indexes on the user's tables that upkeep would profit from, each with its reason.

Owns: the advice that `plan` and `explain` print and that `apply --create-indexes` follows. Promises: nothing is created here;
an index is advised only where a look-up by key reaches none, and its statement lets writers go on where the engine can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from tidemark.contract.script import MissingIndex
from tidemark.dialect import Dialect
from tidemark.maintenance.bilinear import BilinearProgram
from tidemark.maintenance.program import Feed, KeyedProgram, KeyQuery, LinearProgram, Placement
from tidemark.maintenance.restrict import expressions_of, is_looked_up
from tidemark.model import Table
from tidemark.names import shorten
from tidemark.plain import fingerprint
from tidemark.query.indexed import has_index
from tidemark.query.reached import index_term, is_led
from tidemark.query.relation import Called, Occurrence, Query, Scalar
from tidemark.query.unique import equality
from tidemark.query.walked import looks_of
from tidemark.render.statements import qualified

EXTREMES = ("highest", "lowest")


def for_linear(program: LinearProgram, dialect: Dialect, *, covered: bool = False) -> tuple[MissingIndex, ...]:
    """Indexes for sources from which a key is computed anew without an index; with `covered` without one of all its columns, for
    keys of which very many may share the first."""
    found = []
    for feed in program.origins:
        # An extreme value never leaves where rows do not.
        stays = feed.table.append_only or feed.table.pruned
        again = [
            p for p in feed.by_kind("highest", "lowest", "recomputed", "copied") if not (stays and p.kind in EXTREMES)
        ]
        columns = _columns(feed)
        plain = all(one.scalar is None or one.scalar.column is not None for one in feed.key)
        reached = is_covered(feed.table, columns) if covered and plain else is_indexed(feed)
        if columns and not reached:
            respelled = (
                any(part.spelling != "one" and not part.reals for part in program.key) and feed.spells and not stays
            )
            what = f"{', '.join(part.name.lstrip('_') for part in again)} of one key" if again else "one key"
            when = "when the extreme value leaves" if again else "for filling, verifying and repairing"
            when += ", and finding how one is spelled whose row leaves," if respelled else ""
            reason = f"computing {what} anew {when} reads all of {feed.table.label} without it"
            terms = [one.scalar for one in feed.key if one.scalar is not None]
            index = (
                _index(feed.table, columns, dialect, reason)
                if plain
                else _index_over(feed.table, terms, dialect, reason)
            )
            found += [index] if plain or not _is_there(index, feed.table) else []
    return tuple(found)


def is_indexed(feed: Feed) -> bool:
    """True when a look-up by the feed's key reaches an index of its source."""
    if feed.table.primary_key is None and not feed.table.indexes:
        return False
    return any(one.scalar is not None and is_led(feed.table, one.scalar) for one in feed.key)


def is_covered(table: Table, columns: tuple[str, ...]) -> bool:
    """True when an index begins with all of the columns."""
    leading = [index.terms[: len(columns)] for index in table.indexes if index.where is None]
    return any(set(terms) == set(columns) for terms in leading)


def _index_over(table: Table, scalars: Sequence[Scalar], dialect: Dialect, reason: str) -> MissingIndex:
    """The index over expressions; where the engine allows none there is no statement."""
    terms = [index_term(scalar) for scalar in scalars]
    if not terms or not all(terms) or _is_ours(table):
        return MissingIndex(table.label, table.schema, (), (), reason)
    listed, columns = ", ".join(terms), [name for scalar in scalars for _, name in sorted(scalar.columns)]
    # Several expressions over the same columns have an index each.
    return _index(table, (*columns, fingerprint(listed)[:6]), dialect, reason, listed)


def _is_there(index: MissingIndex, table: Table) -> bool:
    """Whether it was made: of an expression that the catalog writes in another way than the query it is the name that tells."""
    return bool({one.name for one in table.indexes} & set(index.names))


def _is_ours(table: Table) -> bool:
    return table.schema == "tidemark" or table.name.startswith("tidemark_")


def _index(table: Table, columns: tuple[str, ...], dialect: Dialect, reason: str, terms: str = "") -> MissingIndex:
    """The index with its statements, over columns or over `terms`. Both engines are told a name, so that what was made can be
    found again."""
    if _is_ours(table):
        return MissingIndex(table.label, table.schema, columns, (), reason)
    name = _name(table.name, columns, dialect)
    listed = terms or ", ".join(dialect.quote(column) for column in columns)
    if not table.leaves:
        text = f"CREATE INDEX {dialect.online_index}{dialect.quote(name)} ON {qualified(table, dialect)} ({listed})"
        return MissingIndex(table.label, table.schema, (name,), (text,), reason)
    # The index of a whole is made of one for each part, and only those can be made while writers go on.
    names, texts = [name], [f"CREATE INDEX {dialect.quote(name)} ON ONLY {qualified(table, dialect)} ({listed})"]
    for schema, leaf in table.leaves:
        part = _name(leaf, columns, dialect)
        names.append(part)
        texts.append(
            f"CREATE INDEX {dialect.online_index}{dialect.quote(part)} ON {dialect.quote(schema, leaf)} ({listed})"
        )
        texts.append(f"ALTER INDEX {dialect.quote(table.schema, name)} ATTACH PARTITION {dialect.quote(schema, part)}")
    return MissingIndex(table.label, table.schema, tuple(names), tuple(texts), reason)


def _name(table: str, columns: tuple[str, ...], dialect: Dialect) -> str:
    return shorten("_".join((table, *columns, "idx")), dialect.name_bytes_max)


def _columns(feed: Feed) -> tuple[str, ...]:
    return tuple(name for one in feed.key for name in sorted(one.columns))


def for_keyed(program: KeyedProgram, dialect: Dialect) -> tuple[MissingIndex, ...]:
    """Indexes for the key's own table and for each step of a way to the key."""
    advice = _Advice(dialect)
    for table in program.scanned:
        advice.for_scan(table)
    restricted = {place.source[0].label for place in program.placements if place.source is not None}
    if program.unit and not is_looked_up(program.query, program.placements):
        read_whole = [one for one in program.query.all_occurrences if one.table.label not in restricted]
        for call in (call for block in program.query.blocks for call in block.calls):
            advice.despair(read_whole, call, "recomputing a key")
    for place in program.placements:
        advice.for_restriction(program.query, place)
    for way in program.routes:
        advice.for_way(way)
    return tuple(advice.found.values())


@dataclass
class _Advice:
    """The indexes that a keyed program lacks, each once: the first reason is the one that is told."""

    dialect: Dialect
    found: dict[tuple[str, ...], MissingIndex] = field(default_factory=dict)

    def for_scan(self, table: Table) -> None:
        if not has_index(table, (table.watermark,)):
            index = _index(
                table, (table.watermark,), self.dialect, f"a scan of {table.label} finds the rows after its mark by it"
            )
            self.found[table.schema, table.name, table.watermark] = replace(index, required=True)

    def for_restriction(self, query: Query, place: Placement) -> None:
        """What finds the rows of one key, where the query is restricted to it."""
        if place.source is not None:
            table, column = place.source
            self.over_column(table, column, f"recomputing a key reads all of {table.label} without it")
            return
        for scan, scalar in expressions_of(query, place)[:1]:
            self.over_expression(scan.table, scalar, f"recomputing a key reads all of {scan.table.label} without it")

    def for_way(self, way: KeyQuery) -> None:
        """What each step from a changed row to its keys looks up."""
        for table, column in (look for scalar in way.on for look in looks_of(scalar)):
            self.over_column(table, column, f"each step of a recursion reads all of {table.label} without it")
        for occurrence in way.joined:
            self._for_step(way, occurrence)

    def _for_step(self, way: KeyQuery, occurrence: Occurrence) -> None:
        names = [name for scalar in way.on for alias, name in sorted(scalar.columns) if alias == occurrence.alias]
        table, sides = occurrence.table, _sides_of(way.on, occurrence.alias)
        reason = f"a change of {way.changed.table.label} finds its keys by reading all of {table.label} without it"
        if sides and all(side.column is None for side in sides):
            if not any(is_led(table, side) for side in sides):
                self.over_expression(table, sides[0], reason)
        elif names and not has_index(table, tuple(names)):
            self.over_column(table, names[0], reason)
        for call in way.calls if not names else ():
            self.despair((occurrence,), call, f"a change of {way.changed.table.label} finds its keys where it")

    def over_column(self, table: Table, column: str, reason: str) -> None:
        if not has_index(table, (column,)):
            self.found.setdefault((table.schema, table.name, column), _index(table, (column,), self.dialect, reason))

    def over_expression(self, table: Table, scalar: Scalar, reason: str) -> None:
        index = _index_over(table, (scalar,), self.dialect, reason)
        if not is_led(table, scalar) and not _is_there(index, table):
            self.found.setdefault((table.schema, table.name, *index.names), index)

    def despair(self, occurrences: Iterable[Occurrence], call: Called, what: str) -> None:
        """Say that no index would help, and what would."""
        for table in {one.table.label: one.table for one in occurrences if one.alias in call.call.aliases}.values():
            reason = f"{what} reads all of {table.label}: what {call.name} gives is in no index; a table of those rows has one"
            self.found.setdefault((table.schema, table.name), MissingIndex(table.label, table.schema, (), (), reason))


def _sides_of(conditions: Sequence[Scalar], alias: str) -> list[Scalar]:
    """What equalities demand of the rows of one scan alone: a column of it, or what is computed of its columns."""
    pairs = [pair for scalar in conditions if (pair := equality(scalar)) is not None]
    return [side for pair in pairs for side in pair if side.aliases == {alias}]


def for_joined(program: BilinearProgram, dialect: Dialect) -> tuple[MissingIndex, ...]:
    """Indexes by which a change finds the rows that it joins, beside those of the keyed program."""
    found = {index.names: index for index in for_keyed(program.keyed, dialect)}
    for table, column, other in program.links:
        if not has_index(table, (column,)):
            reason = f"a change of {other} finds what it joins by reading all of {table.label} without it"
            index = _index(table, (column,), dialect, reason)
            found.setdefault(index.names, index)
    return tuple(found.values())
