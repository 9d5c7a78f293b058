"""What the runner finds out about a query on an engine.

Owns: `Finding` and the way to it: install, fill, compare, change, tick, compare. Promises: a query that is wrong anywhere says
so, whatever else was measured. Queries are installed in groups, so that a database is filled and changed once for many of
them; each has a tick of its own, timed alone. A group that cannot be installed is cut in halves until it is clear who fails.
A ratio is of a tick's seconds to the seconds of computing the query anew, the better of two, over the rows after the change;
for this every query is asked for at tick freshness, while `klass` and `freshness` are what it is without asking.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.corpus.ground import Bag, Ground, MakeGround
from tests.corpus.keeping import DRIVER_ERRORS, Keeping
from tests.corpus.queries import Query
from tests.corpus.rows import Statement
from tests.corpus.workloads import generate, transactions
from tidemark.errors import Refusal, TidemarkError

FRACTIONS = (0.001, 0.01, 0.1)
GROUP = 40
FAILURES = (TidemarkError, *DRIVER_ERRORS)


@dataclass
class Finding:
    """About one query on one engine: its class, milliseconds to compute it anew, ratios by fraction of rows changed, or the
    refusal; `wrong` is empty when every comparison was equal."""

    query: Query
    engine: str
    klass: str = ""
    freshness: str = ""
    has_key: bool = True
    anew_ms: float = 0.0
    ratios: dict[float, float] = field(default_factory=dict)
    code: str = ""
    reason: str = ""
    wrong: str = ""


@dataclass(frozen=True)
class Course:
    """What happens to a database: the rows that it begins with are in `make`'s grounds; `batches` are changes in order, with
    the fraction of rows that they change (0: compared only) and a name."""

    make: MakeGround
    batches: tuple[tuple[float, str, list[list[Statement]]], ...]


def plot(make: MakeGround, workload: str, size: int, seed: int) -> Course:
    """The course of a workload. `make` gives databases that are filled with the same size and seed."""
    rows = generate(workload, size, seed)
    wanted = [(fraction, f"{fraction:.1%}", "mixed") for fraction in FRACTIONS]
    wanted += [(0.0, mode, mode) for mode in ("deletes", "updates")]
    batches = []
    for fraction, name, mode in wanted:
        batches.append((fraction, name, transactions(workload, rows, mode, max(1, int(size * (fraction or 0.01))))))
    return Course(make, tuple(batches))


def measure(course: Course, queries: Sequence[Query]) -> Iterator[Finding]:
    """Findings about queries of one workload."""
    for start in range(0, len(queries), GROUP):
        some = queries[start : start + GROUP]
        findings = list(admit(course, some))
        yield from (finding for finding in findings if finding.code)
        accepted = [finding for finding in findings if not finding.code]
        _measure_group(course, accepted)
        yield from accepted


def remember(path: Path, finding: Finding) -> None:
    """Add a finding to a file, so that an interrupted run can go on."""
    facts = {**asdict(finding), "query": finding.query.name, "ratios": list(finding.ratios.items())}
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(facts) + "\n")


def remembered(path: Path, engine: str, queries: Sequence[Query], unmeasured: bool) -> list[Finding]:
    """What an earlier run found. Wrong queries are always worth another look, and so are those without ratios, unless
    `unmeasured` asks for their classes too."""
    found: dict[str, Finding] = {}
    known = {query.name: query for query in queries}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        facts = json.loads(line)
        query, ratios = known.get(facts.pop("query")), dict(facts.pop("ratios"))
        if query is None or facts["engine"] != engine or facts["wrong"] or not (ratios or unmeasured):
            continue
        if ratios or query.name not in found or not found[query.name].ratios:
            found[query.name] = Finding(query, ratios=ratios, **facts)
    return list(found.values())


def admit(course: Course, queries: Sequence[Query]) -> Iterator[Finding]:
    """Classes and refusals only."""
    with course.make() as ground:
        compiled = Keeping(ground, queries).compile()
        for query in queries:
            finding, found = Finding(query, ground.engine), compiled[query.name]
            if isinstance(found, Refusal):
                finding.code, finding.reason = found.code.value, str(found)
            else:
                finding.klass, finding.freshness, finding.has_key = found.klass, found.freshness, bool(found.key)
            yield finding


def _measure_group(course: Course, findings: Sequence[Finding]) -> None:
    if not findings:
        return
    with course.make() as ground:
        # A row over everything has no key to tick by.
        at_tick = frozenset(one.query.name for one in findings if one.has_key and one.freshness == "commit")
        keeping = Keeping(ground, [finding.query for finding in findings], at_tick)
        try:
            keeping.install()
        except FAILURES as problem:
            if len(findings) == 1:
                findings[0].wrong = f"installing: {type(problem).__name__}: {problem}"
                return
        else:
            _follow(course, ground, keeping, findings)
            return
    middle = len(findings) // 2
    _measure_group(course, findings[:middle])
    _measure_group(course, findings[middle:])


def _follow(course: Course, ground: Ground, keeping: Keeping, findings: Sequence[Finding]) -> None:
    """Change the database, tick each derived table, compare each."""
    for finding in findings:
        finding.wrong = differences(keeping, finding.query, "after filling")
    for fraction, name, batch in course.batches:
        ground.write(batch)
        seconds, failed = keeping.tick()
        for finding in findings:
            query = finding.query
            finding.wrong = finding.wrong or failed.get(query.name, "")
            if fraction and query.name in seconds:
                anew = min(ground.recompute(query.text(ground.engine)) for _ in range(2))
                finding.anew_ms = anew * 1000
                finding.ratios[fraction] = seconds[query.name] / anew
            finding.wrong = finding.wrong or differences(keeping, query, f"after {name}")


def differences(keeping: Keeping, query: Query, moment: str) -> str:
    """What is wrong with the stored rows of a query, or an empty text."""
    missing, extra = keeping.wrong(query)
    if not missing and not extra:
        return ""
    return f"{moment}: {_some('missing', missing)}{_some('extra', extra)}".strip()


def _some(word: str, bag: Bag) -> str:
    return f"{bag.total()} {word}, such as {next(iter(bag))}; " if bag else ""
