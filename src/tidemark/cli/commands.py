"""The commands: each takes what was typed, calls one verb of the engine and describes the result.

Owns: one function per command. Promises: an answer names the next command; nothing that writes happens without consent
where nobody can be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from shlex import quote
from types import MappingProxyType
from typing import Any

from tidemark.cli import reports, reports_backfills, reports_diff, reports_streams, reports_truth
from tidemark.cli.asking import ask, tell
from tidemark.cli.display import Display
from tidemark.cli.export import export_file
from tidemark.cli.hurry import hurried
from tidemark.cli.lines import log_to
from tidemark.cli.outcome import Outcome
from tidemark.cli.projects import project_for
from tidemark.cli.serving import probe, serve_web
from tidemark.cli.settings import Settings, find_settings, read_seconds
from tidemark.cli.start import write_start
from tidemark.cli.terminal import width_of
from tidemark.cli.watching import verdict_text, wants_color, watch
from tidemark.database.urls import read_address
from tidemark.engine import Tidemark
from tidemark.errors import Exit
from tidemark.runtime.backfill.runner import Orders
from tidemark.runtime.operate.onlooker import Quarantined
from tidemark.telling import tell_doing


@dataclass(frozen=True)
class Typed:
    """What a command works with: the options, the settings and an engine (without a project where none is needed)."""

    options: argparse.Namespace
    settings: Settings
    engine: Tidemark
    stop: Callable[[], bool] = lambda: False

    @property
    def declared(self) -> int:
        """How many derived tables are declared."""
        return len(self.engine.project.declarations) if self.engine.project else 0


def run_command(options: argparse.Namespace, stop: Callable[[], bool]) -> Outcome:
    """Run the command that `options` name. Raises `Refusal` and `Fault`."""
    floor = getattr(options, "disk_floor", None)
    settings = find_settings(options.database, options.definitions, disk_floor=floor)
    if options.command == "init":
        return write_start(settings, options.database)
    if options.command == "export":
        return export_file(options.what)
    if options.command == "serve" and options.probe:
        return probe(options.host, options.port)
    idle = settings.idle_floor(floor) if hasattr(options, "disk_floor") else ""
    if idle and not options.json:
        tell(idle)
    display = Display(sys.stderr, quiet=options.json)
    if options.command == "run":
        log_to(sys.stderr, as_json=options.json)
    workers, limits = getattr(options, "workers", 1), settings.limits
    engine = Tidemark(
        project_for(options, settings),
        settings.require_database(),
        stop=stop,
        listen=display,
        limits=limits,
        workers=workers,
    )
    try:
        with hurried(stop, engine.hurry):
            return COMMANDS[options.command](Typed(options, settings, engine, stop))
    finally:
        display.close()


def plan(typed: Typed) -> Outcome:
    """Show what apply would do."""
    made = typed.engine.plan()
    changes = Exit.CHANGES if typed.options.check and not made.is_empty else Exit.OK
    return Outcome(
        reports.plan_text(made, statements=typed.options.explain, declared=typed.declared), made.as_json(), changes
    )


def apply(typed: Typed) -> Outcome:
    """Carry out the plan, after showing it and asking."""
    options, engine = typed.options, typed.engine
    made = engine.plan()
    indexes = options.create_indexes and bool(made.indexes)
    if (indexes or not made.is_empty) and not options.yes:
        tell(reports.plan_text(made, statements=False, declared=typed.declared))
        refused = ask("Apply this?")
        if refused is not None:
            return refused
    done = engine.apply(allow_drop=options.allow_drop, detach=options.detach, create_indexes=options.create_indexes)
    data = {name: list(names) for name, names in asdict(done).items()}
    new = [step.derived for step in made.steps if step.verb == "create" and step.script and step.script.tick]
    return Outcome(reports.apply_text(done, declared=typed.declared, new=new), data)


def tick(typed: Typed) -> Outcome:
    """Apply what waits, once."""
    options = typed.options
    done = typed.engine.tick(*options.names, max_ms=options.max_ms, max_batches=options.max_batches)
    return Outcome(reports.tick_text(done), {"ticks": [asdict(report) for report in done]})


def run(typed: Typed) -> Outcome:
    """Work until stopped."""
    options = typed.options
    slow = typed.settings.slow_seconds if options.slow is None else read_seconds(options.slow, "--slow")
    more = {"deliver": options.deliver, "streams": options.stream}
    done = typed.engine.run(until_idle=options.until_idle, lanes=options.lanes, slow_seconds=slow, **more)
    left = Exit.ERROR if done.failing else Exit.HELD if done.held else Exit.OK
    ended = left if options.until_idle else Exit.OK
    return Outcome(reports.worker_text(done), asdict(done), Exit.INTERRUPTED if done.interrupted else ended)


def status(typed: Typed) -> Outcome:
    """Show how every derived table is doing, once or again and again."""
    if typed.options.watch and not typed.options.json:
        return watch(typed.engine, sys.stdout, typed.stop)
    tables = typed.engine.status()
    eye = typed.engine.onlooker()
    try:
        verdict = eye.overview().verdict
    finally:
        eye.close()
    said = verdict_text(verdict, color=wants_color(sys.stdout))
    bare = not tables and any(one.kind == "ledger" for one in verdict.findings)
    text = reports.status_text(tables) if bare else said
    text = f"{reports.status_text(tables, verdict=False, width=width_of(sys.stdout))}\n{said}" if tables else text
    failed = typed.options.check and verdict.level == "fail"
    data = {"verdict": asdict(verdict), "tables": [table.as_json() for table in tables]}
    return Outcome(text, data, Exit.ERROR if failed else Exit.OK)


def explain(typed: Typed) -> Outcome:
    """Show how one derived table is kept true."""
    found = typed.engine.explain(typed.options.name)
    return Outcome(reports.explain_text(found), found.as_json())


def verify(typed: Typed) -> Outcome:
    """Compare every stored row with its query."""
    if typed.options.as_written:
        return _verify_as_written(typed)
    done = typed.engine.verify(*typed.options.names, catalog=typed.options.catalog, between=_between(typed))
    drifted = any(not report.clean for report in done)
    data = {"clean": not drifted, "tables": [reports_truth.verify_data(report) for report in done]}
    some = _between(typed) is not None
    text = reports_truth.catalog_text(done) if typed.options.catalog else reports_truth.verify_text(done, some=some)
    left = Exit.QUARANTINED if any(report.quarantined for report in done) else Exit.OK
    return Outcome(text, data, Exit.DRIFT if drifted else left)


def _verify_as_written(typed: Typed) -> Outcome:
    found = typed.engine.verify_as_written(*typed.options.names)
    clean = all(report.clean for report in found)
    data = {"clean": clean, "tables": [reports_truth.written_data(report) for report in found]}
    return Outcome(reports_truth.written_text(found), data, Exit.OK if clean else Exit.DRIFT)


def repair(typed: Typed) -> Outcome:
    """Verify, then make every row true that differs; or compute a range of keys anew."""
    between = _between(typed)
    done = typed.engine.repair(*typed.options.names, keys=typed.options.keys, between=between)
    return Outcome(
        reports_truth.repair_text(done, anew=between is not None), {"tables": [asdict(report) for report in done]}
    )


def _between(typed: Typed) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None] | None:
    """The range of keys that somebody typed, None for all of them."""
    given = (typed.options.from_key, typed.options.to_key)
    return None if given == (None, None) else (_key(given[0]), _key(given[1]))


def _key(text: str | None) -> tuple[Any, ...] | None:
    """The key that somebody typed: a JSON list, or the value of the one column."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    return tuple(value) if isinstance(value, list) else (text,)


def diff(typed: Typed) -> Outcome:
    """Compare the tables of two writers."""
    options = typed.options
    asked = {"where": options.where, "tolerance": options.tolerance, "modulo": options.modulo}
    found = typed.engine.diff(*options.tables, other=options.other, **asked)
    same = all(one.same for one in found)
    data = {"same": same, "tables": [one.as_json() for one in found]}
    return Outcome(reports_diff.diff_text(found), data, Exit.OK if same else Exit.DRIFT)


def adopt(typed: Typed) -> Outcome:
    """Compare what other code keeps with the query, or take over."""
    asked = typed.options
    report = typed.engine.adopt(asked.name, take_over=asked.take_over, shadow=asked.shadow, baseline=asked.baseline)
    data = {**asdict(report), "wrong": report.wrong}
    return Outcome(reports_truth.adoption_text(report), data, Exit.DRIFT if report.wrong else Exit.OK)


def uninstall(typed: Typed) -> Outcome:
    """Remove everything of ours, after asking."""
    options = typed.options
    if not options.yes:
        kept = "Rows stay as plain tables." if options.keep_data else "Derived rows are dropped; sources are untouched."
        tell(f"Everything of Tidemark in {read_address(typed.settings.require_database()).label} goes. {kept}")
        refused = ask("Uninstall?")
        if refused is not None:
            return refused
    done = typed.engine.uninstall(keep_data=options.keep_data)
    return Outcome(reports.uninstall_text(done), {name: list(names) for name, names in asdict(done).items()})


def doctor(typed: Typed) -> Outcome:
    """Look for problems."""
    found = typed.engine.doctor()
    failed = any(diagnosis.level == "fail" for diagnosis in found)
    data = {"findings": [diagnosis.as_json() for diagnosis in found]}
    return Outcome(reports.doctor_text(found), data, Exit.ERROR if failed else Exit.OK)


def sql(typed: Typed) -> Outcome:
    """Print the objects as SQL."""
    scripts = typed.engine.sql(*typed.options.names)
    captures = typed.engine.captures(scripts)
    data = {"captures": [asdict(one) for one in captures], "scripts": [script.as_json() for script in scripts]}
    return Outcome(reports.sql_text(scripts, captures), data)


def backfill(typed: Typed) -> Outcome:
    """Run, watch and steer backfills."""
    options, engine = typed.options, typed.engine
    if options.action == "list":
        found, quarantine = engine.backfills(options.name), _list_quarantine(typed)
        declared = [one.name for one in engine.project.backfills] if engine.project is not None else []
        unbegun = [one for one in declared if options.name in ("", one) and one not in {row.name for row in found}]
        data: dict[str, Any] = {
            "backfills": [one.as_json() for one in found],
            "quarantine": [reports_backfills.quarantined_data(one) for one in quarantine],
            "never_begun": unbegun,
        }
        return Outcome(reports_backfills.backfills_text(found, quarantine, options.name, unbegun), data)
    if not options.name:
        return Outcome(f"backfill {options.action} needs a NAME", {"error": {"family": "usage"}}, Exit.USAGE)
    steer = {"pause": engine.pause_backfill, "resume": engine.resume_backfill, "cancel": engine.cancel_backfill}
    if options.action in steer:
        now = steer[options.action](options.name)
        if options.nice is not None:
            now = engine.set_nice(options.name, options.nice)
        return Outcome(reports_backfills.backfills_text([now]), {"backfills": [now.as_json()]})
    longest = None if options.max_duration is None else read_seconds(options.max_duration, "--max-duration")
    again = options.action == "retry" and not options.anew
    orders = Orders(options.nice, longest, again=again, anew=options.anew, workers=options.workers)
    done = engine.backfill(options.name, orders)
    quarantine = _list_quarantine(typed)
    data = {"backfills": [done.status.as_json()], "chunks": done.chunks, "longest_ms": done.longest_ms}
    data["quarantine"] = [reports_backfills.quarantined_data(one) for one in quarantine]
    return Outcome(reports_backfills.backfill_text(done, quarantine), data, done.exit)


def _list_quarantine(typed: Typed) -> list[Quarantined]:
    """The keys that are quarantined, of the one that was named or of all."""
    eye = typed.engine.onlooker()
    try:
        return eye.quarantine(typed.options.name)
    finally:
        eye.close()


def stream(typed: Typed) -> Outcome:
    """Run, watch and steer streams."""
    options, engine = typed.options, typed.engine
    if options.action == "status":
        return _stream_status(typed)
    if not options.name:
        return Outcome(f"stream {options.action} needs a NAME", {"error": {"family": "usage"}}, Exit.USAGE)
    work = engine.stream(options.name)
    if options.action == "run":
        _tell_unsettled(typed)
        done = work.run(options.blocks)
        return Outcome(reports_streams.ingest_text(done), asdict(done))
    if options.action == "retry":
        again = work.retry()
        left = Exit.QUARANTINED if again.failed or again.blocks_failed else Exit.OK
        return Outcome(reports_streams.retry_text(again), asdict(again), left)
    said = work.skip(options.position)
    return Outcome(f"{said}. Next: tidemark stream run {quote(options.name)}", {"done": said})


def _tell_unsettled(typed: Typed) -> None:
    """Say which derived tables will not pass through each block of a stream that settles, because they are not there yet."""
    project = typed.engine.project
    if project is None or project.streams[typed.options.name].policies["settle"] != "block":
        return
    eye = typed.engine.onlooker()
    try:
        there = {one.name for one in eye.overview().tables if one.shown}
    finally:
        eye.close()
    absent = [one.name for one in project.declarations if one.name not in there]
    if absent:
        tell(f"not installed, and so not settled block by block: {', '.join(absent)}. Next: tidemark apply")


def _stream_status(typed: Typed) -> Outcome:
    eye = typed.engine.onlooker()
    try:
        found = [one for one in eye.streams() if typed.options.name in ("", one.status.name)]
    finally:
        eye.close()
    data: dict[str, Any] = {"streams": [one.status.as_json() for one in found]}
    if not typed.options.name or not found:
        return Outcome(reports_streams.streams_text([one.status for one in found]), data)
    data |= {"gaps": [asdict(one) for one in found[0].gaps], "quarantine": [asdict(one) for one in found[0].evidence]}
    return Outcome(reports_streams.stream_text(found[0]), data)


def outbox(typed: Typed) -> Outcome:
    """List, deliver and try again the events of crossings."""
    options, engine = typed.options, typed.engine
    if options.action == "list":
        found = engine.events(options.state, options.limit)
        return Outcome(reports_streams.events_text(found), {"events": [one.as_json() for one in found]})
    if options.action == "deliver":
        done = engine.deliver()
        return Outcome(reports_streams.deliver_text(done), asdict(done), Exit.QUARANTINED if done.failed else Exit.OK)
    again = engine.retry_events()
    return Outcome(f"{tell_doing(again, 'event', 'wait')} again. Next: tidemark outbox deliver", {"waiting": again})


def history(typed: Typed) -> Outcome:
    """Show what was done."""
    runs = typed.engine.history(typed.options.name, typed.options.limit)
    return Outcome(reports.history_text(runs, typed.options.name), {"runs": [asdict(run) for run in runs]})


def serve(typed: Typed) -> Outcome:
    """Serve the page, health, status and metrics until stopped."""
    return serve_web(typed.engine, typed.options, typed.stop)


COMMANDS: Mapping[str, Callable[[Typed], Outcome]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            plan,
            apply,
            tick,
            run,
            status,
            explain,
            verify,
            repair,
            adopt,
            diff,
            uninstall,
            doctor,
            sql,
            backfill,
            stream,
            outbox,
            history,
            serve,
        )
    }
)
