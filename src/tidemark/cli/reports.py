"""Results as text for people.

Owns: the wording and the tables. Promises: every text that leaves something to do names the next command; values are shown as
they are stored, NULLs and quotes included.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from tidemark.cli.outcome import table
from tidemark.cli.terminal import fit
from tidemark.contract.script import Capture, MissingIndex, Script
from tidemark.names import is_stage
from tidemark.runtime.changes.adoption import Shadow
from tidemark.runtime.changes.apply import ApplyReport
from tidemark.runtime.changes.plan import InstallPlan
from tidemark.runtime.changes.step import Step
from tidemark.runtime.changes.uninstall import UninstallReport
from tidemark.runtime.operate.doctor import Diagnosis
from tidemark.runtime.operate.explain import Explanation
from tidemark.runtime.operate.status import TableStatus
from tidemark.runtime.operate.verdict import judge
from tidemark.runtime.runs import Past
from tidemark.runtime.ticks.tick import TickReport
from tidemark.runtime.workers.worker import WorkerReport
from tidemark.telling import tell_part

SIGNS = {"create": "+", "replace": "~", "rename": "~", "reinstall": "!", "resume": ">", "drop": "-"}
BRIEF = 40
SPARED = ("class", "freshness", "verified", "rows", "captures")
"""What a narrow terminal does without: `tidemark explain` has it, or the verdict tells of it where it matters."""


def plan_text(plan: InstallPlan, *, statements: bool, declared: int) -> str:
    """A plan, with every statement if asked for; `declared` is how many derived tables are declared."""
    lines = [_step_text(step) for step in plan.steps]
    if statements:
        lines = ["-- the ledger", *_sql(plan.ledger)] if plan.ledger else []
        for step in plan.steps:
            lines += [f"-- {step.verb} {step.derived}: {step.reason}", *_sql(step.statements)]
        for one in plan.narrowed:
            lines += [f"-- the capture of {one.capture.source}, without what nobody reads", *_sql(one.statements)]
    if plan.orphans:
        lines.append(f"objects that no declaration accounts for: {', '.join(plan.orphans)}")
    helpful = [index for index in plan.indexes if index.names and not index.required]
    lines += [
        f"index that is made first: {index.text}  ({_why(plan, index)})" for index in plan.indexes if index.required
    ]
    lines += [f"index that would help: {index.text}  ({_why(plan, index)})" for index in helpful]
    # Where nothing can be done about it, it is told once: when the table is made.
    lines += [
        f"no index helps: {_why(plan, index)}" for index in plan.indexes if not index.names and _wanting(plan, index)
    ]
    lines += (
        ["tidemark apply --create-indexes makes them, while writers go on."]
        if any(i.statements for i in helpful)
        else []
    )
    lines += [f"{one.capture.source}: its capture writes down what nobody reads any more" for one in plan.narrowed]
    refused = f"Apply would be refused: {plan.refused}" if plan.refused is not None else ""
    after = refused or "Next: tidemark apply"
    if plan.converts:
        said = f"the ledger has shape {plan.converts}: apply converts it for this version, then plans what is made anew"
        return "\n".join([f"~ {said}.", *lines, f"Nothing was changed. {after}"])
    if plan.is_empty and plan.narrowed:
        # A worker finished what was left to it; a capture is for an apply to change.
        return "\n".join([*lines, f"Nothing else is to be done, and nothing was changed. {after}"])
    if plan.is_empty:
        return "\n".join([*lines, _nothing_to_do(declared)])
    counts = plan.as_json()["counts"]
    said = ", ".join(f"{count} to {verb}" for verb, count in counts.items() if count)
    drop = " Rows would be dropped, which needs --allow-drop." if any(step.destructive for step in plan.steps) else ""
    return "\n".join([*lines, f"{said}. Nothing was changed.{drop} {after}"])


def _wanting(plan: InstallPlan, index: MissingIndex) -> list[str]:
    """The derived tables of a plan that an index would help."""
    made = [step.script for step in plan.steps if step.script]
    return [s.name for s in made if any((i.table, i.names) == (index.table, index.names) for i in s.missing_indexes)]


def _why(plan: InstallPlan, index: MissingIndex) -> str:
    names = ", ".join(_wanting(plan, index))
    return f"{names}: {index.reason}" if names else index.reason


def _step_text(step: Step) -> str:
    facts = f", {step.script.klass} at {step.script.freshness}" if step.script else ""
    scans = step.script.scans if step.script else ()
    facts += "".join(f", scanning {scan.source} by {scan.watermark} (eventually verified)" for scan in scans)
    rows = f", largest source about {step.rows:,} rows" if step.rows is not None else ""
    scripts = [step.script] if step.script else [row.script for row in step.obsolete]
    kind = "stage" if is_stage(step.derived) else "support"
    beside = f" (a {kind} of {scripts[0].supports})" if scripts and scripts[0].supports else ""
    first = f"`tidemark adopt {quote(step.derived)}` compares first"
    over = f"; overwrites {step.overwrites}, whatever stands there: {first}" if step.overwrites else ""
    return f"{SIGNS[step.verb]} {step.verb} {step.derived}{beside}: {step.reason}{facts}{rows}{over}"


def _sql(statements: Sequence[str]) -> list[str]:
    return [statement.rstrip().rstrip(";") + ";" for statement in statements]


def _nothing_to_do(declared: int) -> str:
    if not declared:
        return (
            "Nothing to do: no derived table is declared. Next: declare one with project.derive(…), then tidemark plan"
        )
    return "Nothing to do: everything that is declared is installed and unchanged."


def apply_text(done: ApplyReport, *, declared: int, new: Sequence[str] = ()) -> str:
    """What apply did; `declared` is how many derived tables are declared, `new` are those that somebody has to tick by now."""
    lines = [f"the ledger was converted from shape {' to shape '.join(done.shapes)}"] if done.shapes else []
    if done.live:
        lines.append(f"live and verified: {', '.join(done.live)}")
    if ticked := [name for name in done.live if name in new]:
        lines.append(f"kept true by ticks: {', '.join(ticked)}. Next: tidemark run")
    if done.begun:
        lines.append(f"installed, to be filled by a worker: {', '.join(done.begun)}. Next: tidemark run")
    if done.dropped:
        lines.append(f"dropped: {', '.join(done.dropped)}")
    if done.given_up:
        lines.append(f"given up before anybody saw it: {', '.join(done.given_up)}. Next: tidemark status")
    if done.indexes:
        lines.append(f"indexes made: {', '.join(done.indexes)}")
    return "\n".join(lines) or _nothing_to_do(declared)


def tick_text(done: Sequence[TickReport]) -> str:
    """What ticks did."""
    if not done:
        return "No derived table at tick freshness is live here. Next: tidemark status"
    rows = [
        (r.derived, r.changes_sealed, r.keys_applied, r.rows_written, f"{r.longest_ms:.1f} ms", _drained(r))
        for r in done
    ]
    return table(("derived table", "changes", "keys", "written", "longest hold", ""), rows)


def _drained(report: TickReport) -> str:
    done = "drained" if report.drained else "more waits: tidemark tick"
    return f"{done}; {report.unsettled}" if report.unsettled else done


def worker_text(done: WorkerReport) -> str:
    """What a worker did."""
    left = " Work was left: run it again." if done.interrupted else ""
    failing = f" Failing: {', '.join(done.failing)}. Next: tidemark status" if done.failing else ""
    gone = " What was taken out of service comes back with: tidemark apply." if done.gaps else ""
    held = f" Another worker is at {', '.join(done.held)}, where something still waits." if done.held else ""
    return "\n".join(
        [f"{done}.{left}{gone}{held}{failing}", *(f"  {duty}: {timing}" for duty, timing in done.timings.items())]
    )


def _verified(one: TableStatus) -> str:
    """When all was last compared, to the second, and how much of it a worker compared since."""
    # What is live was verified before anybody saw it.
    never = "not any more" if one.shown else "not yet"
    when = _at(one.verified_at) if one.verified_at else never
    return when + (f", {one.coverage:.0%} of keys in 24 h" if one.coverage is not None else "")


def status_text(tables: Sequence[TableStatus], *, verdict: bool = True, width: int | None = None) -> str:
    """The status of every derived table, and one verdict, with why tables failed, unless that is said elsewhere. Where the table
    is wider than that, what can be spared is left out."""
    if not tables:
        return "Nothing is installed. Next: tidemark apply"
    head = ("derived table", "state", "class", "freshness", "rows", "pending", "drift", "verified", "captures", "next")
    rows = [
        (
            t.name if t.generation == 1 else f"{t.name} (generation {t.generation})",
            t.state
            if t.state != "backfilling" or not t.to_fill
            else f"backfilling {min(99, 100 * t.filled // t.to_fill)} %",
            t.klass,
            t.freshness,
            "-" if t.rows is None else f"{'about ' if t.rows_estimated else ''}{t.rows:,}",
            f"{t.pending} + {t.upstream_pending} upstream" if t.upstream_pending else t.pending,
            t.drift,
            _verified(t),
            t.captures if verdict else _briefly(t.captures),
            t.next,
        )
        for t in tables
    ]
    failures = [f"{t.name} failed: {t.failure}" for t in tables if t.failure] if verdict else []
    scans = [f"{t.name}: {said}" for t in tables for said in t.scans]
    shadows = [_shadow_text(t.name, t.shadow) for t in tables if t.shadow is not None]
    said = [judge(tables).sentence] if verdict else []
    return "\n".join([_narrowed(head, rows, width), *scans, *shadows, *failures, *said])


def _briefly(captures: str) -> str:
    """What is wrong with captures, as far as a column has room for it."""
    first, more, _ = captures.partition(", ")
    return fit(first, BRIEF) + (", …" if more else "")


def _narrowed(head: Sequence[str], rows: Sequence[Sequence[object]], width: int | None) -> str:
    """The rows under their head, without as many of `SPARED` as it takes to fit."""
    left = list(range(len(head)))
    for name in (None, *SPARED):
        left = [place for place in left if head[place] != name]
        text = table([head[place] for place in left], [[row[place] for place in left] for row in rows])
        if width is None or max(map(len, text.splitlines())) <= width:
            break
    return text


def _shadow_text(name: str, shadow: Shadow) -> str:
    """How an adoption in shadow stands, and what comes next."""
    kept = f"{name} is in shadow of {shadow.table}, which others go on writing, since {_at(shadow.since)}"
    if shadow.compared_at is None:
        return f"{kept}; not compared yet. Next: tidemark adopt {quote(name)}"
    compared = f"compared {_at(shadow.compared_at)}: {tell_part(shadow.rows_differing or 0, shadow.rows or 0, 'row', 'differ')}"
    return f"{kept}; {compared}. Next: tidemark adopt {quote(name)}, and --take-over or --baseline to end it"


def _at(text: str) -> str:
    return f"{text[:19].replace('T', ' ')}Z"


def explain_text(found: Explanation) -> str:
    """How one derived table is kept true."""
    lines = [
        f"{found.name}: {found.klass} at {found.freshness} freshness, on {found.engine}, {found.state or 'not installed'}",
        f"  cost      {found.cost}",
        f"  work      {found.formula}",
        f"  writers   {found.writer}",
        *_writer_figures(found),
        f"  key       {', '.join(found.key) or '(one row)'}",
        *([f"  unit      {', '.join(found.unit) or '(everything)'}"] if found.unit != found.key else []),
        f"  sources   {', '.join(found.sources)}",
        *([f"  reads     {', '.join(found.reads)}"] if found.reads else []),
        f"  rows in   {found.store}, read as {found.public}",
        *_listing("supports", found.supports),
        *_listing("why", found.reasons),
        *_listing("operators", [f"{one.what}: {one.klass} ({one.code}): {one.reason}" for one in found.operators]),
        *_listing("how changes reach it", found.routes),
        *_listing("looked up by", [f"{source} ({columns})" for source, columns in found.indexes]),
        *_listing("indexes", found.restriction),
        *_listing("fan-out", found.fan_out),
        *_listing("how old it can be", found.staleness),
        *_listing("captures", found.captures),
        *_listing("locks", found.locks),
        *_listing("exactness", found.exactness),
        *_listing("notes", found.notes),
        *_listing("measured", found.measured),
        *_listing("indexes that would help", [f"{text}  ({reason})" for text, reason in found.missing_indexes]),
        *_listing("what would make it cheaper", found.cheaper),
    ]
    return "\n".join([*lines, "Next: tidemark plan --explain prints every statement"])


def _writer_figures(found: Explanation) -> list[str]:
    figures = found.writer_microseconds
    if figures is None:
        return []
    statement = f"{figures.statement:.0f} µs a statement and " if figures.statement else ""
    return [f"            about {statement}{figures.row:.1f} µs a row, as measured (docs/benchmarks.md)"]


def _listing(title: str, items: Sequence[str]) -> list[str]:
    return [f"  {title}", *(f"    - {item}" for item in items)] if items else []


def uninstall_text(done: UninstallReport) -> str:
    """What uninstalling removed."""
    kept = f" Kept as plain tables: {', '.join(done.kept)}." if done.kept else ""
    drops = "; ".join(f"DROP INDEX {name}" for name in done.indexes)
    indexes = f" Indexes that it made on your tables stay; what drops them: {drops}" if drops else ""
    return f"Nothing of Tidemark is left here. Removed: {', '.join(done.removed) or 'nothing'}.{kept}{indexes}"


def doctor_text(found: Sequence[Diagnosis]) -> str:
    """What the doctor found."""
    return "\n".join(f"{d.level:4}  {d.about}: {d.says}{f' Next: {d.next}' if d.next else ''}" for d in found)


def sql_text(scripts: Sequence[Script], captures: Sequence[Capture]) -> str:
    """The objects of scripts and captures as SQL."""
    lines = []
    for one in captures:
        lines += [f"-- the capture of {one.source}", *_sql([piece.create for piece in one.pieces])]
    for script in scripts:
        lines += [f"-- {script.name}: {script.klass} at {script.freshness}", *_sql([p.create for p in script.pieces])]
    return "\n".join(lines)


def history_text(runs: Sequence[Past], name: str) -> str:
    """The history, newest first; of one derived table where a `name` was asked for."""
    if not runs:
        return (
            f"There is no record of {name}. Next: tidemark status"
            if name
            else "Nothing was done yet. Next: tidemark apply"
        )
    head = ("run", "began", "duty", "derived table", "state", "keys", "written", "longest hold", "")
    rows = [
        (
            past.id,
            past.started,
            past.kind,
            past.derived,
            past.state,
            past.rows_done,
            past.rows_written,
            f"{past.longest_ms:.1f} ms",
            past.cause or past.message or "",
        )
        for past in runs
    ]
    return table(head, rows)
