"""What a derived table costs and why, read from its script and, where it is installed, from the database.

Owns: `Explanation`. Promises: says what the script does and nothing that it does not; whether an index is reached is the
engine's own answer about the very statements that run; what was measured comes from the history. Changes nothing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from tidemark.dialect import Dialect
from tidemark.runtime.apply_batch import prepare
from tidemark.runtime.guard import list_costs
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.runtime.pace import choose_pace
from tidemark.runtime.runs import list_runs
from tidemark.runtime.status import read_status
from tidemark.script import Script

COSTS = {
    "linear": "a constant amount of work for each changed row",
    "bilinear": "work in proportion to a change and the rows that it joins",
    "keyed": "the affected rows are computed again by the query itself, restricted to their keys",
    "global": "the whole result is computed again, and only rows that differ are written",
}
TICKS_SEEN = 50
PIECES = {"delta": "a change", "keyed": "a change or a unit", "full": "a kilobyte of the sources"}


@dataclass(frozen=True)
class Explanation:
    """How one derived table is kept true: its contract.

    `cost` is what applying a change takes, `writer` what a writer pays. `captures` are the names of triggers with their
    tables, and of the logs that it reads with their columns; `routes` say how a change of each source reaches keys; `unit` are
    the columns that are recomputed together. `restriction` are sentences about the index by which each source is reached, the
    engine's own answer where it is installed. `staleness` says how old what readers see can be, and why. `exactness` are the
    caveats: columns with memory, sampled ones, those compared with a tolerance. `locks` are sentences about who waits for
    whom, `missing_indexes` pairs of a statement and its reason, `cheaper` what would make it cheaper. `measured` comes from the
    history and is empty before the first tick. `state` is empty when it is not installed. `reads` are the derived tables that
    it reads, each with its freshness; `supports` are sentences about what is stored beside its rows.
    """

    name: str
    engine: str
    klass: str
    freshness: str
    state: str
    reasons: tuple[str, ...]
    cost: str
    writer: str
    key: tuple[str, ...]
    unit: tuple[str, ...]
    columns: tuple[str, ...]
    sources: tuple[str, ...]
    captures: tuple[str, ...]
    routes: tuple[str, ...]
    restriction: tuple[str, ...]
    staleness: tuple[str, ...]
    exactness: tuple[str, ...]
    locks: tuple[str, ...]
    missing_indexes: tuple[tuple[str, str], ...]
    cheaper: tuple[str, ...]
    measured: tuple[str, ...]
    tolerant: tuple[str, ...]
    notes: tuple[str, ...]
    store: str
    public: str
    query: str
    reads: tuple[str, ...] = ()
    supports: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        data = asdict(self)
        data["class"] = data.pop("klass")
        data["missing_indexes"] = [{"statement": text, "reason": reason} for text, reason in self.missing_indexes]
        return data


def explain_script(script: Script, dialect: Dialect) -> Explanation:
    """The explanation of a script that is not installed."""
    return Explanation(
        name=script.name,
        engine=script.engine,
        klass=script.klass,
        freshness=script.freshness,
        state="",
        reasons=script.reasons,
        cost=_cost(script),
        writer=_writer(script),
        key=script.key,
        unit=script.applier.units,
        columns=script.columns,
        sources=script.sources,
        captures=_captures(script),
        routes=script.routes,
        restriction=_restriction(script),
        staleness=_staleness(script),
        exactness=_exactness(script),
        locks=_locks(script, dialect),
        missing_indexes=tuple((index.text, index.reason) for index in script.missing_indexes),
        cheaper=_cheaper(script),
        measured=(),
        tolerant=script.applier.tolerant,
        notes=script.notes,
        store=script.store,
        public=script.public,
        query=script.truth,
        reads=tuple(
            f"{kept.derived} ({kept.freshness})" for kept in script.reads if not _is_support(script, kept.derived)
        ),
        supports=tuple(
            f"{kept.derived}: a stored row for each different value of a key, written in the writer's own transaction"
            for kept in script.reads
            if _is_support(script, kept.derived)
        ),
    )


def _is_support(script: Script, name: str) -> bool:
    return name in script.supported_by


def explain_installed(ledger: Ledger, installed: Installed, script: Script) -> Explanation:
    """The explanation of a script that is installed: `script` is the same, compiled now."""
    found = explain_script(script, ledger.session.dialect)
    there = installed.live_at is not None and installed.state in ("live", "backfilling", "verifying")
    restriction = _ask_for_indexes(ledger, installed.script) if there else found.restriction
    now = [status for status in read_status(ledger) if (status.name, status.generation) == _identity(installed)]
    since = [f"{status.pending} changes wait since {status.behind_since}" for status in now if status.behind_since]
    none = ["nothing waits now"] if script.tick is not None and not since and installed.state == "live" else []
    beside = [f"{status.support_rows} rows in all, beside {status.rows} of its own" for status in now if found.supports]
    return replace(
        found,
        state=installed.state,
        supports=(*found.supports, *beside),
        restriction=restriction,
        staleness=(*found.staleness, *since, *none),
        measured=_measured(ledger, script),
    )


def _identity(installed: Installed) -> tuple[str, int]:
    return installed.name, installed.generation


def _cost(script: Script) -> str:
    cost = COSTS.get(script.klass, script.klass)
    if script.applier.units != script.applier.key_columns:
        unit = ", ".join(script.applier.units)
        cost += f"; rows with the same {unit} are computed together" if unit else ""
    if not script.applier.indexed:
        cost += "; no index reaches the rows of a key, so recomputing a batch reads the whole source"
    return cost


def _writer(script: Script) -> str:
    if script.tick is None:
        count = sum(piece.capture and piece.kind == "trigger" for piece in script.pieces)
        done = "updated" if script.klass == "linear" else "computed again"
        return (
            f"{count} triggers on its sources; the stored rows of the keys are {done} in the writer's own transaction"
        )
    columns = "; ".join(f"{log.source} ({', '.join(log.columns)})" for log in script.tick.logs)
    return f"one row in a log for each image of a changed row, shared by all that read the source by ticks: {columns}"


def _captures(script: Script) -> tuple[str, ...]:
    found = [f"{piece.name} on {piece.on}" for piece in script.pieces if piece.capture and piece.kind == "trigger"]
    # The triggers belong to the source's capture, which others may read too.
    logs = script.tick.logs if script.tick else ()
    return (*found, *(f"{log.name} of {log.source} ({', '.join(log.columns)})" for log in logs))


def _restriction(script: Script) -> tuple[str, ...]:
    wanting = {index.table: index.reason for index in script.missing_indexes}
    if not script.applier.indexed and not wanting:
        return ("a batch of keys cannot be pushed down to an index: recomputing one reads its sources whole",)
    return tuple(
        f"{source}: no index; {wanting[source]}" if source in wanting else f"{source}: reached by an index"
        for source in script.sources
    )


def _ask_for_indexes(ledger: Ledger, script: Script) -> tuple[str, ...]:
    """The engine's own answer for the statements that recompute a batch, and for those that find the keys of a change."""
    session = ledger.session
    quote, found = session.dialect.quote, []
    steps = {
        "recomputing a batch": (*script.applier.recompute, *script.applier.gather),
        "finding the keys of changes": tuple(
            text for log in (script.tick.logs if script.tick else ()) for text in log.affected
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
                verdict = "reads all of it" if scans else "reaches it by an index"
                found.append(f"{source}: {step} {verdict}")
    return tuple(found)


def _staleness(script: Script) -> tuple[str, ...]:
    if script.tick is None:
        return ("none: at every commit the stored rows equal the query",)
    return (
        "a tick: rows are those of a moment between the last checkpoint and now; a worker begins a tick within a tenth of a "
        "second of a commit, unless every= spaces them",
        f"rows as of now: {script.why_not_live or 'Tidemark.live() reads them, what waits applied to what is stored'}",
        *(f"why not at commit: {reason}" for reason in script.reasons[:1]),
    )


def _exactness(script: Script) -> tuple[str, ...]:
    applier, found = script.applier, []
    if applier.carry is not None:
        kept = ", ".join(column.name for column in applier.carry.columns)
        rows = "rows whose group vanished stay" if applier.carry.rows else ""
        memory = f"{kept} remember what they were: verification compares them one-sided" if kept else ""
        found.append("; ".join(part for part in (memory, rows) if part))
    if applier.sampled:
        found.append(f"{', '.join(applier.sampled)} may be behind a sampled input, and are not compared with it")
    if applier.samples_rows:
        found.append("whether a row exists may depend on a sampled input")
    if applier.tolerant:
        found.append(f"{', '.join(applier.tolerant)} depend on the order of addition and are compared with a tolerance")
    if applier.duplicate:
        found.append("that no two rows share a key is not proven: each batch looks for it")
    return tuple(found)


def _cheaper(script: Script) -> tuple[str, ...]:
    found = [f"an index: {index.text}" for index in script.missing_indexes]
    if script.klass == "global":
        found.append("a key by which the query falls apart, so that a change touches some rows and not all")
    elif script.klass == "keyed":
        found.append("a query of one source and of counts and sums, which is added to and not recomputed")
    if script.tick is None:
        found.append('freshness="tick", where writers only append to a log')
    elif len(script.sources) > 1:
        found.append("sampled= for inputs whose changes need not make rows dirty")
    return tuple(found)


def _measured(ledger: Ledger, script: Script) -> tuple[str, ...]:
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
        f"the last {len(ticks)} ticks applied {keys} keys, wrote {written} rows, and held locks {longest:.1f} ms at most "
        f"(aimed at {target:.0f} ms)",
        *last,
        *(
            f"{cost.way}, {cost.times} times: lately {cost.each_ms:.3f} ms for {PIECES[cost.way]}"
            for cost in costs.values()
        ),
    )


def _locks(script: Script, dialect: Dialect) -> tuple[str, ...]:
    if dialect.writers_wait_in_line:
        found = [
            "Writers wait in line as ever; filling and ticks hold the write lock about 10 ms at a time, with gaps."
        ]
    else:
        found = [
            "Installing asks each source for SHARE ROW EXCLUSIVE for at most 100 ms at a time, and gives way.",
            "Filling and ticks lock stored rows about 100 ms at a time, in key order; sources are only read.",
        ]
    if script.tick is None:
        found.append("A writer updates the stored rows of its keys within its own transaction.")
    else:
        found.append("A writer only appends to a log; it never waits for stored rows.")
    return tuple(found)
