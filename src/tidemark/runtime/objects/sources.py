"""Sources as they were when a generation was filled, against sources as the catalog shows them now.

Owns: the record of what each generation's sources are, and the comparison. Promises: a column that is read and was renamed,
dropped, retyped or rewritten, one that is kept in a table of the user's and is gone or another one, a table that was made anew, a
partition that was attached, detached, both, or dropped, or came and was emptied, a unique key that upkeep relies on, a table of
which a source has rows or through which it is written, row security that hides rows from us, a role that runs our functions
without the rights that they need, a source that a crash would empty, and a view or a function of the user's that was replaced are
noticed whether or not a trigger is missing; what a query does not read may change at will.
After a logical restore, which gives everything another number, definitions alone are compared; one that loaded rows into tables
with captures is noticed by that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from tidemark.contract.script import Capture, Script
from tidemark.dialect import Dialect
from tidemark.runtime.ledger import FEW_MAX, Installed, Ledger
from tidemark.runtime.objects.pieces import mirror_pieces

Generation = tuple[str, int]
TABLE = "table"
COLUMN = "column "
KEPT = "kept column "
PARTITION = "partition "
USUAL = " default"
LOADED = "a restore loaded rows while captures were there, and they may be counted twice"
TRIGGER = "trigger "
PAST = "past "
Addition = dict[str, str | int]


@dataclass(frozen=True)
class Fact:
    """A part of a source: the ``table`` itself, a column, a partition, a unique key, a view's ``query``, a function's ``text``.

    `identity` tells which one it is, `touched` when it was last defined; both mean nothing in another database. `goes` tells
    whether it matters that such a part goes, `comes` that it comes (1), or that it is there at all (2).
    """

    source: str
    part: str
    definition: str
    identity: str
    touched: str
    comes: int
    goes: bool


@dataclass(frozen=True)
class Change:
    """What is not as it was about the sources of a generation, as a sentence. `anew` tells that a whole table is another one,
    `barred` that a role of ours may not use what it needs, `loses` that a column which is read, or written, is gone or has
    another type."""

    says: str
    anew: bool = False
    barred: bool = False
    loses: bool = False


def record_sources(ledger: Ledger, script: Script) -> Change | None:
    """Write down what the sources of a generation are, in the caller's transaction; give what is wrong with them all the same."""
    of = (script.name, script.generation)
    facts = _read(ledger, {of: script}).get(of, [])
    text = json.dumps(
        {"anchor": ledger.value("read_anchor"), "facts": [astuple(fact) for fact in facts if fact.comes < 2]}
    )
    ledger.run("set_facts", {"derived": script.name, "generation": script.generation, "facts": text})
    return compare([fact for fact in facts if fact.comes < 2], facts, here=True)


def find_changes(ledger: Ledger, rows: Iterable[Installed]) -> dict[Generation, Change]:
    """The generations whose sources are not what they were."""
    return look_at_sources(ledger, rows)[0]


def look_at_sources(ledger: Ledger, rows: Iterable[Installed]) -> tuple[dict[Generation, Change], list[Addition]]:
    """The generations whose sources are not what they were, and what is to be written down: the partitions that came since and
    need no filling, for they have rows when they go, and what came that does, for it may go before anybody mends it."""
    scripts = {(row.name, row.generation): row.script for row in rows}
    if not scripts:
        return {}, []
    few = sorted({name for name, _ in scripts}) if len(scripts) <= FEW_MAX else []
    told = (
        [row for name in few for row in ledger.all("list_facts_of", {"derived": name})]
        if few
        else ledger.all("list_facts")
    )
    known = {(name, int(generation)): facts for name, generation, facts in told}
    recorded = {of: script for of, script in scripts.items() if of in known}
    now, anchor = _read(ledger, recorded), ledger.value("read_anchor") if recorded else ""
    elsewhere = any(json.loads(known[of])["anchor"] != anchor for of in recorded)
    is_loaded = elsewhere and bool(ledger.value("was_loaded_beside_captures"))
    found: dict[Generation, Change] = {}
    added: list[Addition] = []
    for of in recorded:
        record, shown = json.loads(known[of]), now.get(of, [])
        before, here = [Fact(*fact) for fact in record["facts"]], record["anchor"] == anchor
        change = compare(before, shown, here=here) or (Change(LOADED) if is_loaded and not here else None)
        come = _come(before, shown)
        if change is not None:
            found[of] = change
        if here and come:
            facts = json.dumps(record | {"facts": [astuple(fact) for fact in (*before, *come)]})
            added.append({"derived": of[0], "generation": of[1], "before": known[of], "facts": facts})
    return found, added


def _come(before: Iterable[Fact], now: Sequence[Fact]) -> list[Fact]:
    """What is to be written down: partitions that came since, and what makes rows wrong while it is there, which has done so when
    it is gone again."""
    parts = {(fact.source, fact.part) for fact in before}
    come = [one for one in now if one.part.startswith(PARTITION) and not one.comes]
    come += [Fact(one.source, f"{PAST}{one.part}", "", "", "", 0, True) for one in now if one.comes == 1]
    return [one for one in come if not parts & {(one.source, one.part), (one.source, _bare(one.part))}]


def add_facts(ledger: Ledger, added: Iterable[Addition]) -> None:
    """Write down what came to sources, in the caller's transaction, where nobody has written down anything else since."""
    for one in added:
        ledger.run("add_facts", one)


def settle_sources(ledger: Ledger, rows: Iterable[Installed]) -> None:
    """Write down anew, in the caller's transaction, what is as it was: this database has other numbers than the one before."""
    rows = tuple(rows)
    changes = find_changes(ledger, rows)
    for row in rows:
        if (row.name, row.generation) not in changes:
            record_sources(ledger, row.script)


def _read(ledger: Ledger, scripts: Mapping[Generation, Script]) -> dict[Generation, list[Fact]]:
    numbered = list(scripts)
    captures = ledger.captures() if any(script.logs for script in scripts.values()) else {}
    watches = [
        {"of": str(number), "source": source, "columns": columns, **about}
        for number, of in enumerate(numbered)
        for about in ({**_about(ledger.session.dialect, scripts[of]), "fires": _fires(scripts[of], captures)},)
        for source, columns in scripts[of].watches
    ]
    found: dict[Generation, list[Fact]] = {}
    for number, source, part, definition, identity, touched, comes, goes in (
        ledger.session.facts(ledger.text("read_facts"), {"watches": json.dumps(watches)}) if watches else ()
    ):
        fact = Fact(source, part, definition, identity, touched, int(comes), bool(goes))
        found.setdefault(numbered[int(number)], []).append(fact)
    return found


def _fires(script: Script, captures: Mapping[str, Capture]) -> list[str]:
    """The names of the triggers that a generation has on its sources: its own, and those of the captures that it reads. There may
    be those of hundreds of others."""
    parts: list[Script | Capture] = [script, *(captures[log.source] for log in script.logs if log.source in captures)]
    return [piece.name for part in parts for piece in part.pieces if piece.kind == "trigger"]


def _about(dialect: Dialect, script: Script) -> dict[str, str | list[str]]:
    """The store, the table of the user's that shows its rows, where one does, the columns that are kept there, and what assigns
    one of them."""
    shown, kept = "", ""
    if script.store == script.public or mirror_pieces(script):
        shown = script.public if dialect.has_schemas else script.public[1:-1].replace('""', '"')
        names = "|".join(re.escape(name) for name in script.columns if name not in script.key)
        kept = rf'\mnew\."?({names})"?\s*:?='
    return {"store": _store(script), "shown": shown, "kept": kept, "keeps": list(script.columns) if shown else []}


def _store(script: Script) -> str:
    """The unquoted name of the table that holds the rows."""
    opening = f"CREATE TABLE {script.store} "
    return next((piece.name for piece in script.pieces if piece.create.startswith(opening)), "")


def compare(before: Sequence[Fact], now: Sequence[Fact], *, here: bool) -> Change | None:
    """What is not as it was; `here` tells that both were read in one database."""
    known = {(fact.source, fact.part): fact for fact in before}
    shown = {(fact.source, fact.part): fact for fact in now}
    tables = [(fact, shown.get((fact.source, TABLE))) for fact in before if fact.part == TABLE]
    # Of a table that was made anew, and of a column that is gone, nothing else needs to be said.
    others = {
        fact.source: "is gone" if other is None else "was made anew"
        for fact, other in tables
        if other is None or (here and other.identity != fact.identity)
    }
    implied = {(source, f"NOT NULL of {part}") for source, part in known.keys() - shown.keys()}
    # The whole table is written anew when the values of a column are converted.
    rewritten = {fact.source for fact, other in tables if other is not None and other.touched != fact.touched}
    said = [f"{source} {word}" for source, word in others.items()]
    for of, fact in known.items():
        if fact.part == TABLE or fact.source in others or of in implied:
            continue
        if fact.part.startswith(PAST):
            word = "" if (fact.source, _bare(fact.part)) in shown else "was there for a while"
        else:
            word = _happened(fact, shown.get(of), here=here, rewritten=fact.source in rewritten)
        said += [f"{_bare(fact.part)} of {fact.source} {word}"] if word else []
    come = [fact for of, fact in shown.items() if fact.comes and of not in known]
    said += [f"{fact.part} of {fact.source}{'' if fact.comes > 1 else ' has come'}" for fact in come]
    gone = any(
        fact.part.startswith((COLUMN, KEPT)) and (of not in shown or shown[of].definition != fact.definition)
        for of, fact in known.items()
    )
    return Change(", ".join(said[:3]), bool(others), any(fact.comes > 1 for fact in come), gone) if said else None


def _happened(fact: Fact, other: Fact | None, *, here: bool, rewritten: bool) -> str:
    """What became of a part of a source, in words; empty where it is as it was."""
    if other is None:
        return "is gone" if fact.goes else ""
    if other.definition != fact.definition:
        return f"is {' and was '.join(_defined(other.definition, fact.definition))}"
    if not here or (other.identity, other.touched) == (fact.identity, fact.touched):
        return ""
    if other.identity != fact.identity:
        return "is another one"
    if fact.part.startswith(PARTITION):
        return _moved(fact, other)
    if fact.part.startswith(TRIGGER) and other.touched:
        return "was switched"
    return "was rewritten" if rewritten else ""


def _bare(part: str) -> str:
    return part.removeprefix(PAST)


def _defined(*definitions: str) -> list[str]:
    """The definitions for people: the collation of the database is no news where every one of them has it."""
    both = all(text.endswith(USUAL) for text in definitions)
    return [text.removesuffix(USUAL) if both else text for text in definitions]


def _moved(fact: Fact, other: Fact) -> str:
    """What became of a partition: it was elsewhere, or has other files of which no trigger tells, as when it is emptied alone."""
    (place, files), (now, others) = (one.touched.partition(" ")[::2] for one in (fact, other))
    if place and place != now:
        return "was taken out and put back"
    return "was rewritten" if files and others and files != others else ""
