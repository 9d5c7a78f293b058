"""The linear class: block → feeds, or the reason why it is not linear.

Owns: the shapes that are kept by deltas alone. *Grouped*: one source, GROUP BY and aggregates (no GROUP BY = one row).
*Universe*: one source gives the rows, each output is a column of it or an aggregate over another source whose rows point at the
key. *Figures*: one row, each output is made of aggregates over a source. Promises: a program from here is exact for every order
of changes and for concurrent writers, because each part is additive, or recomputed for its key after the key's stored row is
locked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tidemark.maintenance.aggregates import visible_aggregate
from tidemark.maintenance.child import Child
from tidemark.maintenance.key_types import collated, common_type, spelling_of_key
from tidemark.maintenance.parts import Parts, claim_name
from tidemark.maintenance.program import Feed, KeyPart, LinearProgram, RowText, Visible, text
from tidemark.maintenance.result import Result
from tidemark.maintenance.shapes import (
    NotLinear,
    all_aggregates,
    argument_types,
    conjunction,
    from_clause,
    grouped_by_rows,
    over_parts,
    single_block,
)
from tidemark.maintenance.support import Among, Supports, needs_support
from tidemark.model import Describe, OutputColumn, Table
from tidemark.query.cut import is_hidden
from tidemark.query.functions import LINEAR_AGGREGATES
from tidemark.query.relation import Aggregate, Block, Nested, Occurrence, Scalar
from tidemark.query.storable import as_it_is, is_never_whole_real
from tidemark.query.subtypes import passes_json
from tidemark.query.unique import equality


def linear_program(result: Result, describe: Describe, supports: Supports | None = None) -> LinearProgram:
    """The program of a result, with the supports that it may count in. Raises `NotLinear` with the reason."""
    block = grouped_by_rows(single_block(result.query), result.key)
    if any(nested.form == "in" for nested in block.nested):
        raise NotLinear("IN over a subquery changes rows of another source")
    if passes_json(block):
        raise NotLinear("what is stored of JSON is a text, and no JSON to a function that it is given to")
    conditions = [*block.where, *(block.groups or ())]
    if any(scalar.has_subquery for scalar in conditions):
        raise NotLinear("a subquery decides which rows exist")
    for aggregate in all_aggregates(block):
        if supports is not None and needs_support(aggregate):
            continue
        if aggregate.distinct and aggregate.function not in ("min", "max"):
            raise NotLinear(f"{aggregate.function}(DISTINCT …) needs the multiplicity of each value")
        if aggregate.function not in LINEAR_AGGREGATES:
            raise NotLinear(f"{aggregate.function} cannot be added up")
    builder = Builder(result, block, describe, supports)
    if not block.items:
        return builder.figures()
    return builder.grouped() if block.is_aggregated else builder.universe()


class Builder:
    """Holds what both shapes need while the feeds are made of a block of the result's query."""

    def __init__(self, result: Result, block: Block, describe: Describe, supports: Supports | None = None) -> None:
        self.name = result.name
        self.block = block
        self.key = result.key
        self.dialect = block.dialect
        self.described = result.described
        self.describe = describe
        self.supports = supports
        self.key_types = {column.name: self.described[column.name].type for column in self.key}
        self.taken = {output.name.lower() for output in block.outputs}

    def key_parts(self, counted: Parts | None = None) -> tuple[KeyPart, ...]:
        """The store's key columns, typed as the engine types the outputs; how many real numbers are there is `counted`."""
        found = []
        for column in self.key:
            described = self.described[column.name]
            type_, spelling = self.key_types[column.name], spelling_of_key(described, self.dialect)
            reals = ""
            if (
                counted is not None
                and spelling == "number"
                and is_never_whole_real(self.block, column.output.scalar.tree)
            ):
                spelling = "one"
            elif counted is not None and spelling == "number":
                reals = counted.count(
                    f"{column.name}_reals", text("typeof(", column.output.scalar, ") = 'real'")
                ).quoted
            found.append(KeyPart(column.name, type_, described.collation, column.nullable, False, spelling, reals))
        return tuple(found)

    def stored(self, name: str) -> str:
        return f"s.{self.dialect.quote(name)}"

    def argument_types(self, calls: Iterable[Aggregate], table: Table, alias: str) -> dict[str, OutputColumn]:
        """Type and collation of each aggregate's argument, by the argument's text."""
        return argument_types(calls, from_clause(table, alias, self.dialect), self.describe)

    # -- grouped ------------------------------------------------------------------------------------------------------

    def grouped(self) -> LinearProgram:
        """SELECT groups, aggregates FROM one source GROUP BY groups."""
        if self.block.nested:
            raise NotLinear("a subquery stands beside aggregates")
        occurrence = self.block.occurrences[0]
        parts = Parts(self.dialect, self.taken, {})
        counted = [call for call in self.block.aggregates if self.supports is not None and needs_support(call)]
        plain = [call for call in self.block.aggregates if call not in counted]
        # Where all that is counted is counted in supports, a change that changes no support changes nothing.
        presence = parts.count("rows", None) if plain or not counted else None
        types = self.argument_types(plain, occurrence.table, occurrence.alias)
        swaps = {call.text: self.visible_call(call, None, parts, types, self._hint(call)) for call in plain}
        key = tuple(column.output.scalar for column in self.key)
        for call in counted:
            among = Among(occurrence, key, self.block.where, None, self.taken, self._hint(call))
            swaps[call.text] = self._counted(call, among)
        for column in self.key:
            swaps[column.output.scalar.text] = self.stored(column.name)
        for group in self.block.groups or ():
            if group.text not in swaps and not group.is_constant:
                output = next(c for c in self.key if c.output.scalar.text.strip("()") == group.text.strip("()"))
                swaps[group.text] = self.stored(output.name)
        single = self.block.groups is None
        key_parts = self.key_parts(parts if presence is not None else None)
        key_texts = tuple(text(column.output.scalar) for column in self.key)
        if single:
            key_parts, key_texts = (self._only(),), (text("1"),)
        if presence is None and self.supports is not None:
            presence = self.supports.presence()
        guard = conjunction(self.block.where)
        own = Feed(0, occurrence.table, key_texts, guard, tuple(parts.made.values()))
        feeds: tuple[Feed, ...] = (own,) if own.parts else ()
        anew: tuple[Feed, ...] = ()
        if counted and self.supports is not None:
            # Rows of the source, where it feeds too, say how the key is spelled: those of supports follow them.
            counting = self.supports.feeds(1, key_texts if single else None)
            feeds += tuple(replace(feed, spells=not own.parts) for feed in counting)
            if not self.supports.is_read_alone:
                anew = (replace(own, parts=(*parts.made.values(), *self.supports.parts_anew())),)
        having = self.block.having
        return LinearProgram(
            name=self.name,
            key=key_parts,
            feeds=feeds,
            visible=self.visible(swaps),
            presence="" if single or presence is None else presence.quoted,
            single=single,
            having=over_parts(having, swaps, self.block) if having is not None else None,
            reasons=(
                f"one source, {occurrence.table.label}; every aggregate is kept by what each row adds or takes away",
            ),
            anew=anew,
        )

    def _counted(self, call: Aggregate, among: Among) -> str:
        """The visible text of an aggregate that is counted in a support."""
        assert self.supports is not None
        if call.function == "count" or call.argument is None:
            return f"({self.supports.count(call, among)})"
        source = among.occurrence
        argument = self.argument_types((call,), source.table, source.alias)[call.argument.text]
        return f"({self.supports.added(call, argument, among)})"

    def visible_call(
        self, call: Aggregate, condition: RowText | None, parts: Parts, types: dict[str, OutputColumn], hint: str
    ) -> str:
        own = text(call.condition) if call.condition is not None else None
        if condition is not None and own is not None:
            own = text("(", condition, ") AND (", own, ")")
        argument = types[call.argument.text] if call.argument is not None else None
        return "(" + visible_aggregate(call, own or condition, parts, argument, hint) + ")"

    def _hint(self, call: Aggregate) -> str:
        for output in self.block.outputs:
            if output.scalar.text == call.text:
                return output.name
        return call.function

    def visible(self, swaps: dict[str, str]) -> tuple[Visible, ...]:
        found = []
        for output in (one for one in self.block.outputs if not is_hidden(one.name)):
            bare = (sql := over_parts(output.scalar, swaps, self.block)).strip("()")
            stored = bare.removeprefix('s."')[:-1] if bare.startswith('s."') and bare.count('"') == 2 else None
            found.append(Visible(output.name, sql, self.described[output.name].type, stored))
        return tuple(found)

    # -- figures ------------------------------------------------------------------------------------------------------

    def _only(self) -> KeyPart:
        """The key of a result of one row."""
        return KeyPart(claim_name("only", self.taken), "integer", None, False, hidden=True)

    def figures(self) -> LinearProgram:
        """SELECT (SELECT aggregates FROM one source), …: one row, whatever there is."""
        swaps: dict[str, str] = {}
        only = self._only()
        some = self._counting(self._children(swaps))
        feeds, anew = (tuple(replace(feed, key=(text("1"),)) for feed in one) for one in some)
        sources = ", ".join(sorted({feed.table.label for feed in anew or feeds}))
        reasons = (f"one row of figures, each over one source: {sources}",)
        shown = self.visible(swaps)
        return LinearProgram(self.name, (only,), feeds, shown, "", single=True, having=None, reasons=reasons, anew=anew)

    def _counting(self, children: tuple[Feed, ...]) -> tuple[tuple[Feed, ...], tuple[Feed, ...]]:
        """The feeds of subqueries with those of the supports that they count in, and the same from the sources of these."""
        if self.supports is None or not self.supports.wanted:
            return children, ()
        first = len(self.block.nested) + 1
        anew = self.supports.feeds_anew(first)
        return (*children, *self.supports.feeds(first)), (*children, *anew) if anew else ()

    # -- universe -----------------------------------------------------------------------------------------------------

    def universe(self) -> LinearProgram:
        """SELECT columns of u, aggregates over rows that point at u's key FROM u."""
        occurrence = self.block.occurrences[0]
        swaps: dict[str, str] = {}
        for column in self.key:
            if column.output.scalar.column is None:
                raise NotLinear("a key column of the universe is an expression")
            if column.nullable:
                raise NotLinear(f"{column.name} of its key can be NULL, and what is added to a row finds it by =")
            swaps[column.output.scalar.text] = self.stored(column.name)
        parts = Parts(self.dialect, self.taken, {})
        presence = parts.count("rows", None)
        feeds, anew = self._counting(self._children(swaps))
        # Whoever points at a row may spell its key otherwise than the row does.
        feeds, anew = (tuple(replace(feed, spells=False) for feed in some) for some in (feeds, anew))
        self._copies(occurrence, parts, swaps)
        home = Feed(
            0,
            occurrence.table,
            tuple(text(column.output.scalar) for column in self.key),
            conjunction(self.block.where),
            tuple(parts.made.values()),
            is_universe=True,
        )
        children = ", ".join(sorted({feed.table.label for feed in feeds}))
        reason = f"a row for each row of {occurrence.table.label}" + (
            f"; aggregates over {children} point at its key" if children else ""
        )
        return LinearProgram(
            name=self.name,
            key=self.key_parts(),
            feeds=(home, *feeds),
            anew=(home, *anew) if anew else (),
            visible=self.visible(swaps),
            presence=presence.quoted,
            single=False,
            having=None,
            reasons=(reason,),
        )

    def _children(self, swaps: dict[str, str]) -> tuple[Feed, ...]:
        """One feed for each distinct (source, way to the key) among the subqueries."""
        grouped: dict[tuple[str, tuple[str, ...]], list[Child]] = {}
        for nested in self.block.nested:
            child = self._child(nested)
            grouped.setdefault((child.occurrence.table.label, child.shape), []).append(child)
        feeds = []
        for number, children in enumerate(grouped.values(), start=1):
            feeds.append(self._feed(number, children, swaps))
        return tuple(feed for feed in feeds if feed.parts)

    def _feed(self, number: int, children: list[Child], swaps: dict[str, str]) -> Feed:
        parts = Parts(self.dialect, self.taken, {})
        first = children[0]
        guards = [child.guard for child in children]
        shared = len({guard.at("r") if guard else "" for guard in guards}) == 1
        for child in children:
            condition = None if shared else child.guard
            swaps[child.nested.text] = self._child_value(child, condition, parts)
        guard: RowText | None = guards[0]
        if not shared:
            pieces: list[str | Scalar | RowText] = []
            for one in guards:
                pieces += [" OR "] if pieces else []
                pieces += ["(", one if one is not None else text("1 = 1"), ")"]
            guard = text(*pieces)
        for one in self._present(first):
            guard = text("(", guard, ") AND ", one) if guard is not None else one
        return Feed(
            number, first.occurrence.table, tuple(text(side) for side in first.key), guard, tuple(parts.made.values())
        )

    def _present(self, child: Child) -> list[RowText]:
        """Conditions under which a child points at a key at all."""
        return [
            text(side, " IS NOT NULL") for side in child.key if side.column is None or self._may_be_null(child, side)
        ]

    def _may_be_null(self, child: Child, side: Scalar) -> bool:
        column = child.occurrence.table.column(side.column[1]) if side.column else None
        return column is None or not column.not_null

    def _child(self, nested: Nested) -> Child:
        """Split a subquery's conditions into the way to the key and the rows that count."""
        block = nested.query
        if not isinstance(block, Block) or len(block.items) != 1 or not block.is_flat or block.nested:
            raise NotLinear("a subquery reads more than one source")
        if nested.form not in ("scalar", "exists"):
            raise NotLinear("a comparison with all rows of a subquery cannot be added up")
        if block.limited:
            raise NotLinear("LIMIT lets through what other rows leave room for")
        if bool(block.aggregates) != (nested.form == "scalar"):
            raise NotLinear("a subquery gives a row of another source")
        if nested.form == "scalar" and len(block.outputs) != 1:
            raise NotLinear("a subquery gives a row of several values")
        alias = block.occurrences[0].alias
        wanted = {column.output.scalar.text: number for number, column in enumerate(self.key)}
        way: dict[int, Scalar] = {}
        rest: list[Scalar] = []
        for scalar in block.where:
            if scalar.aliases <= {alias}:
                rest.append(scalar)
                continue
            pair = equality(scalar)
            sides = (pair, pair[::-1]) if pair is not None else ()
            match = next(((a, b) for a, b in sides if a.text in wanted and b.aliases <= {alias} and b.columns), None)
            if match is None or wanted[match[0].text] in way:
                raise NotLinear(f"the condition {scalar.text} is not an equality with the key")
            way[wanted[match[0].text]] = match[1]
        if len(way) != len(self.key):
            raise NotLinear("a subquery does not point at the whole key")
        for scalar in block.scalars:
            if scalar not in block.where and not scalar.aliases <= {alias}:
                raise NotLinear("a subquery computes with columns of the outer row")
        key = tuple(way[number] for number in range(len(self.key)))
        if key:
            self._same_types(key, block.occurrences[0])
        return Child(nested, block, block.occurrences[0], key, tuple(rest))

    def _same_types(self, key: tuple[Scalar, ...], occurrence: Occurrence) -> None:
        items = ", ".join(f"{scalar.text} AS k{number}" for number, scalar in enumerate(key))
        described = self.describe(f"SELECT {items} {from_clause(occurrence.table, occurrence.alias, self.dialect)}")
        for column, scalar, found in zip(self.key, key, described, strict=True):
            own = self.described[column.name]
            common = common_type(own, found, self.dialect)
            if common is not None:
                wider = common_type(replace(own, type=self.key_types[column.name]), found, self.dialect)
                self.key_types[column.name] = wider or common
            else:
                raise NotLinear(
                    f"{scalar.text} ({found.type or 'no type'}{collated(found)}) is compared with the key {column.name} "
                    f"({own.type or 'no type'}{collated(own)}), and equal values may differ in how they are stored"
                )

    def _child_value(self, child: Child, condition: RowText | None, parts: Parts) -> str:
        """The visible text of one subquery."""
        block = child.block
        if child.nested.form == "exists":
            found = parts.count("exists", condition)
            return f"({found} > 0)"
        alias = child.occurrence.alias
        counted = [call for call in block.aggregates if self.supports is not None and needs_support(call)]
        plain = tuple(call for call in block.aggregates if call not in counted)
        types = self.argument_types(plain, child.occurrence.table, alias)
        hint = next((o.name for o in self.block.outputs if o.scalar.text == child.nested.text), "value")
        swaps = {call.text: self.visible_call(call, condition, parts, types, hint) for call in plain}
        for call in counted:
            present = self._present(child)
            guard = text(*[piece for one in present for piece in (one, " AND ")][:-1]) if present else None
            among = Among(child.occurrence, child.key, child.where, guard, self.taken, hint)
            swaps[call.text] = self._counted(call, among)
        return "(" + over_parts(block.outputs[0].scalar, swaps, self.block) + ")"

    def _copies(self, occurrence: Occurrence, parts: Parts, swaps: dict[str, str]) -> None:
        """Parts for what outputs take from the universe's own row."""
        for output in self.block.outputs:
            scalar = output.scalar
            if scalar.text in swaps or scalar.is_constant:
                continue
            whole = not any(nested.text in scalar.text for nested in self.block.nested)
            if whole:
                described = self.described[output.name]
                swaps[scalar.text] = self._copy(parts, scalar, described, output.name)
                continue
            for alias, name in sorted(scalar.columns):
                if alias == occurrence.alias:
                    column = scalar.column_of(alias, name)
                    if column.text not in swaps:
                        one = self.describe(
                            f"SELECT {column.text} AS c {from_clause(occurrence.table, alias, self.dialect)}"
                        )[0]
                        swaps[column.text] = self._copy(parts, column, one, name)

    def _copy(self, parts: Parts, scalar: Scalar, described: OutputColumn, hint: str) -> str:
        value = text(as_it_is(scalar))
        return str(parts.copy(hint, described, value))
