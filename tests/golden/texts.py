"""The rendered SQL of a few declarations, as files to read and to compare.

Owns: `CASES` and `rendered`. Promises: a text is made without a database, from catalogs written by hand; the files under
``tests/golden/<engine>/`` are rewritten by ``python -m tests.golden --write`` alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.unit.query.catalogs import BOTH, catalog_of, describe
from tidemark.cli.reports import explain_text
from tidemark.compiler.derived import compile_derived
from tidemark.contract.script import Script
from tidemark.contract.ways import following
from tidemark.dialect import Dialect
from tidemark.model import Declaration, Freshness
from tidemark.render.captures import capture
from tidemark.runtime.operate.explain import explain_script

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Case:
    """A declaration whose SQL is kept."""

    name: str
    query: str
    key: tuple[str, ...] = ()
    freshness: Freshness | None = None


CASES = (
    Case(
        "joined_sums",
        "SELECT u.id, count(*) AS n, sum(p.score) AS score FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id",
    ),
    Case("copies", "SELECT id, upper(name) AS loud FROM users WHERE email <> ''"),
    Case(
        "groups",
        "SELECT author, count(*) AS n, sum(score) AS score, max(score) AS best FROM posts WHERE live = 1 GROUP BY author",
    ),
    Case("one_row", "SELECT count(*) AS n, count(*) FILTER (WHERE live = 1) AS live FROM posts"),
    Case(
        "universe",
        "SELECT u.id, u.name, (SELECT count(*) FROM posts p WHERE p.author = u.id AND p.live = 1) AS posts, "
        "(SELECT min(p.score) FROM posts p WHERE p.author = u.id) AS least, "
        "EXISTS (SELECT 1 FROM profiles f WHERE f.user_id = u.id) AS has_profile FROM users u",
        ("id",),
    ),
    Case(
        "joined",
        "SELECT u.name, count(*) AS n, sum(p.score) AS score FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.name",
    ),
    Case(
        "distinct_slugs", "SELECT author, count(DISTINCT state) AS states FROM posts GROUP BY author", freshness="tick"
    ),
)


def script_of(case: Case, dialect: Dialect) -> Script:
    """The script of a case on that engine."""
    declaration = Declaration(case.name, {"": case.query}, case.key, case.freshness)
    return compile_derived(declaration, catalog_of(dialect), dialect, partial(describe, dialect))


def rendered(case: Case, dialect: Dialect) -> str:
    """Everything that the script of a case would run, with a heading for each part."""
    script = script_of(case, dialect)
    lines = [f"-- {case.name}: {script.klass} at {script.freshness} freshness", f"-- {case.query}"]
    lines += [f"-- because: {reason}" for reason in script.reasons]
    for piece in script.pieces:
        lines += ["", f"-- {piece.kind} {piece.name}" + (" (public)" if piece.public else ""), f"{piece.create};"]
    for log in script.logs:
        for piece in capture(dialect, log.table, log.columns).pieces:
            lines += ["", f"-- {piece.kind} {piece.name} (shared by all that read {log.source})", f"{piece.create};"]
    applier = script.applier
    parts = {
        "temporary tables": (applier.create_batch, applier.create_fresh, applier.create_stored, applier.create_todo),
        "every key": (*applier.list_keys, applier.take_todo),
        "lock": applier.lock,
        "recompute": applier.recomputing,
        "compare": (applier.compare,),
        "write": applier.write,
    }
    if script.tick is not None and script.tick.full is not None:
        parts["the whole result"] = (*script.tick.full.read, *script.tick.full.write, *script.tick.full.drained)
    if script.tick is not None and script.tick.products is not None:
        found = script.tick.products
        parts["products"] = (
            *found.create,
            *(one.add for one in found.products),
            *found.number,
            *found.odd,
            *found.apply,
        )
    if script.tick is not None:
        for log in script.tick.logs:
            parts[f"changes of {log.source} to keys"] = (log.create_slice, *following(log.affected, script.sources))
        parts["dirty keys"] = (script.tick.take_dirty, script.tick.done_dirty, *script.tick.everything)
    for heading, statements in parts.items():
        lines += ["", f"-- applier: {heading}", *(f"{statement};" for statement in statements)]
    for index in script.missing_indexes:
        lines += ["", f"-- advice: {index.reason}", f"{index.text};"]
    return "\n".join(lines) + "\n"


def file_of(case: Case, dialect: Dialect) -> Path:
    """Where the text of a case is kept."""
    return FOLDER / dialect.name / f"{case.name}.sql"


def explained(case: Case, dialect: Dialect) -> str:
    """What `explain` says of a case before it is installed, for people and for programs."""
    found = explain_script(script_of(case, dialect), dialect)
    return f"{explain_text(found)}\n\n{json.dumps(found.as_json(), indent=1, ensure_ascii=False)}\n"


def explanation_of(case: Case, dialect: Dialect) -> Path:
    """Where the explanation of a case is kept."""
    return FOLDER / dialect.name / f"{case.name}.explain.txt"


def write_all() -> list[Path]:
    """Rewrite every file, remove those of no case; give what changed."""
    changed = []
    wanted = {file_of(case, dialect): rendered(case, dialect) for dialect in BOTH for case in CASES}
    wanted |= {explanation_of(case, dialect): explained(case, dialect) for dialect in BOTH for case in CASES}
    for path, text in wanted.items():
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for path in (*FOLDER.glob("*/*.sql"), *FOLDER.glob("*/*.txt")):
        if path not in wanted:
            path.unlink()
            changed.append(path)
    return changed
