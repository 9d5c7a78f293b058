"""What the database itself says of a derived table: whether indexes are reached, how many rows a value reaches, what ticks took.

Owns: the questions of `explain`. Promises: reads only, and a bounded amount; what was not measured is not said.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.contract.costs import Fan
from tidemark.contract.script import Script
from tidemark.contract.ways import following
from tidemark.names import Names
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.runs import list_runs
from tidemark.runtime.ticks.batch import prepare
from tidemark.runtime.ticks.guard import list_costs
from tidemark.telling import tell_count

COUNTED_MAX = 10_000
TICKS_SEEN = 50
MANY, COLUMNS_MAX = 20, 5
"""So many rows of one value are worth an index that holds what is read of them, if that is no more columns."""
PIECES = {"delta": "a change", "keyed": "a change or a unit", "full": "a kilobyte of the sources"}


def ask_for_indexes(ledger: Ledger, script: Script) -> tuple[str, ...]:
    """The engine's own answer for the statements that recompute a batch, and for those that find the keys of a change."""
    session = ledger.session
    quote, found = session.dialect.quote, []
    steps = {
        "recomputing a batch": (*script.applier.recomputing, *script.applier.gather),
        "finding the keys of changes": (
            *(text for log in script.logs for text in following(log.affected, script.sources)),
            *(one.text for scan in script.scans for one in scan.affected),
        ),
    }
    with session.transaction("read"):
        prepare(session, script)
        for source in script.sources:
            name = source.rpartition(".")[2]
            for step, statements in steps.items():
                asked = [text for text in statements if f"{quote(name)} AS" in text and "INSERT" in text]
                if not asked:
                    continue
                scans = [text for text in asked if not session.uses_index(text, name)]
                verdict = _read_whole(ledger, source, script) if scans else "reaches it by an index"
                found.append(f"{source}: {step} {verdict}")
    return tuple(found)


def _read_whole(ledger: Ledger, source: str, script: Script) -> str:
    """That a step reads all of a source, in words that do not frighten where that is the one row of a table of ours."""
    session = ledger.session
    stores = [Names(session.dialect, kept.derived, kept.generation) for kept in script.reads]
    store = next((names.own("") for names in stores if names.listed("") == source), None)
    if store is None or len(session.all(f"SELECT 1 FROM {store} LIMIT 2")) > 1:
        return "reads all of it"
    return "reads its one row"


def measured(ledger: Ledger, script: Script) -> tuple[str, ...]:
    """What the last ticks did."""
    ticks = [
        past for past in list_runs(ledger, script.name, TICKS_SEEN) if past.kind == "tick" and past.state == "done"
    ]
    if not ticks:
        return ()
    costs = list_costs(ledger, script)
    last = [f"the last batch: {cost.reason}" for cost in list(costs.values())[:1]]
    keys, written = sum(past.rows_done for past in ticks), sum(past.rows_written for past in ticks)
    longest = max(past.longest_ms for past in ticks)
    target = choose_pace(ledger.session.dialect).target_ms
    return (
        f"the last {tell_count(len(ticks), 'tick')} applied {tell_count(keys, 'key')}, wrote {tell_count(written, 'row')}, "
        f"and held locks {longest:.1f} ms at most "
        f"(aimed at {target:.0f} ms)",
        *last,
        *(
            f"{cost.way}, {tell_count(cost.times, 'time')}: lately {cost.each_ms:.3f} ms for {PIECES[cost.way]}"
            for cost in costs.values()
        ),
    )


Fanned = tuple[tuple[Fan, tuple[int, ...]], ...]


def count_fans(ledger: Ledger, script: Script) -> Fanned:
    """Where upkeep looks rows up by a value: how many rows some values reach, fewest first, by a bounded sample."""
    with ledger.session.transaction("read"):
        counted = [(fan, sorted(int(row[0]) for row in ledger.session.all(fan.sample))) for fan in script.fans]
    return tuple((fan, tuple(counts)) for fan, counts in counted if counts)


def fan_out(fanned: Fanned) -> tuple[str, ...]:
    """The same in words."""
    return tuple(_fan_text(fan.source, ", ".join(fan.columns), counts, fan.is_counted) for fan, counts in fanned)


def find_wider(ledger: Ledger, script: Script, fanned: Fanned) -> tuple[str, ...]:
    """Indexes that would hold all that is read of rows of which one value reaches many: then none of these is looked up. Where an
    index does that for rows alone that a vacuum has seen, nothing is said."""
    if ledger.session.dialect.planner.needs_vacuum:
        return ()
    tables, found = {table.label: table for table in ledger.session.catalog().tables.values()}, []
    for fan, counts in fanned:
        table, read = tables.get(fan.source), dict(script.watches).get(fan.source, ())
        if table is None or not fan.is_counted or _often(counts) < MANY or len(read) > COLUMNS_MAX:
            continue
        beside = {column.name for column in table.columns if column.rowid_alias}
        held = [
            {*index.terms, *beside} for index in table.indexes if index.where is None and index.terms[0] in fan.columns
        ]
        if not any(terms.issuperset(read) for terms in held):
            others = [name for name in read if name not in fan.columns and name not in beside]
            quoted = ", ".join(map(ledger.session.dialect.quote, (*fan.columns, *others)))
            found.append(
                f"an index that holds all that is read of {fan.source}, so that of {_often(counts)} rows of one "
                f"{', '.join(fan.columns)} none has to be looked up: CREATE INDEX … ON {fan.source} ({quoted})"
            )
    return tuple(found)


def _often(counts: Sequence[int]) -> int:
    return counts[min(len(counts) - 1, len(counts) * 99 // 100)]


def _fan_text(source: str, columns: str, counts: Sequence[int], is_counted: bool) -> str:
    highest, often = counts[-1], _often(counts)
    more = " or more" if not is_counted or highest >= COUNTED_MAX else ""
    reached = f"{often} rows at p99 and {highest} at most{more}"
    return f"{source}: one {columns} reaches {reached}, of {len(counts)} values that were looked at"
