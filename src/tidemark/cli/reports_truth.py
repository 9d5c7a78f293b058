"""What verification, repair and adoption found, as text for people and as plain data.

Owns: the wording about rows that differ. Promises: values are shown as they are stored, NULLs and quotes included; every text
that leaves something to do names the next command.
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import Any

from tidemark.names import is_stage
from tidemark.runtime.changes.adoption import AdoptionReport
from tidemark.runtime.ticks.batch import Difference
from tidemark.runtime.truth.as_written import WrittenReport
from tidemark.runtime.truth.likeness import tell_difference
from tidemark.runtime.truth.repair import RepairReport
from tidemark.runtime.truth.verify import VerifyReport
from tidemark.runtime.values import plain, show
from tidemark.telling import tell_count, tell_doing

SHOWN_MAX = 20


def verify_data(report: VerifyReport) -> dict[str, Any]:
    """A verification as plain data."""
    return {
        "derived": report.derived,
        "support_of": report.supports,
        "keys": report.keys,
        "drift": report.drift,
        "gap": report.gap,
        "undecided": report.undecided,
        "stale": report.stale,
        "quarantined": report.quarantined,
        "notes": list(report.notes),
        "seconds": round(report.seconds, 3),
        "key_columns": list(report.key_columns),
        "columns": list(report.columns),
        "findings": [_difference_data(one) for one in report.findings],
    }


def written_data(report: WrittenReport) -> dict[str, Any]:
    """A comparison with the query as it is written, as plain data."""
    return {
        "derived": report.derived,
        "why_not": report.why_not,
        "seconds": round(report.seconds, 3),
        "key_columns": list(report.key_columns),
        "columns": list(report.columns),
        "findings": [_difference_data(one) for one in report.differ],
    }


def _difference_data(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "key": [plain(value) for value in one.key],
        "stored": None if one.stored is None else [plain(value) for value in one.stored],
        "truth": None if one.truth is None else [plain(value) for value in one.truth],
    }


def verify_text(done: Sequence[VerifyReport], *, some: bool = False) -> str:
    """What verifications found: key, stored and true value of every wrong row; `some` tells that a range of keys was compared
    and no more."""
    if not done:
        return "Nothing is live here. Next: tidemark status"
    lines = []
    for report in done:
        if report.gap:
            lines.append(f"{report.derived}: not compared: {report.gap}")
            continue
        kind = "stage" if is_stage(report.derived) else "support"
        beside = f" (a {kind} of {report.supports})" if report.supports else ""
        lines.append(
            f"{report.derived}{beside}: {tell_count(report.keys, 'row')}, {report.drift:,} drift, {report.seconds:.2f} s"
        )
        lines += [f"  {_difference_text(report, d)}" for d in report.findings[:SHOWN_MAX]]
        if report.drift > SHOWN_MAX:
            lines.append(f"  and {report.drift - SHOWN_MAX:,} more; --json shows up to {len(report.findings):,}")
        if report.undecided:
            lines.append(f"  {tell_count(report.undecided, 'row')} kept changing while compared, which is no drift")
        if report.stale:
            lines.append(
                f"  rows behind sampled inputs: {report.stale:,}; that is no drift, and repair reads them anew"
            )
        if report.quarantined:
            lines.append(
                f"  units quarantined: {report.quarantined:,}, because the function fails for them; their rows are as they were"
            )
        lines += [f"  note: {note}" for note in report.notes]
    drifted = sum(report.drift for report in done)
    lines += (
        [f"{tell_count(drifted, 'row')} differ{'s' if drifted == 1 else ''}. Next: tidemark repair"] if drifted else []
    )
    lines += _out_of_service(done)
    quarantine = sum(report.quarantined for report in done)
    lines += [f"Units quarantined: {quarantine:,}. Next: tidemark repair"] if quarantine else []
    compared = sum(report.keys for report in done)
    said = (
        f"True as far as that goes: {tell_count(compared, 'row')}, and no other was compared."
        if some
        else "Everything is true."
    )
    if some and not compared:
        said = "No key lies in that range, so nothing was compared."
    lines += [said] if all(report.clean for report in done) and not quarantine else []
    return "\n".join(lines)


def written_text(done: Sequence[WrittenReport]) -> str:
    """What comparisons with the queries as they are written found."""
    if not done:
        return "Nothing is live here. Next: tidemark status"
    lines = []
    for report in done:
        verdict = tell_doing(len(report.differ), "row", "differ") if report.differ else "equal"
        said = f"not compared: {report.why_not}" if report.why_not else f"{verdict}, {report.seconds:.2f} s"
        lines.append(f"{report.derived}: {said}")
        lines += [f"  {_difference_text(report, one)}" for one in report.differ[:SHOWN_MAX]]
    compared = sum(not report.why_not for report in done)
    if all(report.clean for report in done):
        return "\n".join([*lines, f"{compared} of {len(done)} tables are what their queries say, as they are written."])
    return "\n".join(
        [*lines, "Next: tidemark verify. What it does not find is a mistake of Tidemark's: please report it."]
    )


def catalog_text(done: Sequence[VerifyReport]) -> str:
    """What a look at the catalog found."""
    if not done:
        return "Nothing is live here. Next: tidemark status"
    lines = [f"{report.derived}: {report.gap or 'captured, and its sources are as they were'}" for report in done]
    return "\n".join([*lines, *_out_of_service(done)])


def _out_of_service(done: Sequence[VerifyReport]) -> list[str]:
    count = sum(bool(report.gap) for report in done)
    said = "One is out of service until it is" if count == 1 else f"{count} are out of service until they are"
    return [f"{said} filled and verified again. Next: tidemark apply"] if count else []


def _difference_text(report: VerifyReport | WrittenReport, difference: Difference) -> str:
    return tell_difference(report.key_columns, report.columns, difference)


def repair_text(done: Sequence[RepairReport], *, anew: bool) -> str:
    """What repairs did; `anew` where rows were computed that nobody knows to be wrong."""
    mended = [report for report in done if report.keys]
    if not mended:
        return "No key lies in that range." if anew else "Nothing to repair: everything is true."
    did = "computed anew" if anew else "repaired"
    lines = [
        f"{report.derived}: {tell_count(report.keys, 'row')} {did}, {tell_count(report.rows_written, 'row')} written"
        for report in mended
    ]
    return "\n".join([*lines, "Next: tidemark verify"])


def adoption_text(report: AdoptionReport) -> str:
    """What a table holds beside the query, and what comes next."""
    lines = [
        f"{report.table}: {name} differs from the query of {report.derived} in {count:,} of {tell_count(report.rows, 'row')}"
        for name, count in report.counts
        if count
    ]
    for one in report.differing[:SHOWN_MAX]:
        key = ", ".join(f"{n}={show(v)}" for n, v in zip(report.key_columns, one.key, strict=True))
        lines.append(f"  {key}: {one.column} is {show(one.stored)}, and the query says {show(one.truth)}")
    if report.wrong > SHOWN_MAX:
        lines.append(f"  and {report.wrong - SHOWN_MAX:,} more; --json shows up to {len(report.differing):,}")
    if not report.wrong:
        plus = ", with what they were ahead of it when they were taken over" if report.standing == "baseline" else ""
        lines.append(f"{report.table}: all {report.rows:,} rows are what the query of {report.derived} says{plus}")
    if not report.kept:
        lines += [f"index that would help: {text}  ({reason})" for text, reason in report.indexes]
    if report.indexes and (report.taken or report.standing == "shadow"):
        lines.append("tidemark apply --create-indexes makes them, while writers go on.")
    return "\n".join([*lines, _adopted_next(report)])


def _adopted_next(report: AdoptionReport) -> str:
    name = quote(report.derived)
    late = report.freshness == "tick"
    if report.taken:
        worker = "at ticks, so that a worker has to run. Next: tidemark run, and" if late else "at every commit. Next:"
        return f"{report.derived} keeps them from now on, {worker} tidemark verify {name}"
    if report.standing == "shadow":
        by = " by a worker, or at the next look" if late else ""
        said = f"{report.derived} is kept{by} beside {report.table}, which others go on writing."
        return f"{said} Next: tidemark adopt {name} looks again; --take-over or --baseline ends it"
    if report.kept:
        wrong = f"{report.derived} keeps them already, and something else wrote them. Next: tidemark repair"
        if late:
            says = "keeps them at ticks: what differs waits for one, or something else wrote it"
            wrong = f"{report.derived} {says}. Next: tidemark verify"
        right = f"{report.derived} keeps them already. Next: tidemark verify"
        return f"{wrong if report.wrong else right} {name}"
    shadow = f"tidemark adopt {name} --shadow keeps the query's rows beside while others go on"
    return f"Nothing was changed. Next: {shadow}; or stop what writes these columns, then tidemark adopt {name} --take-over"
