"""Deliberate mistakes in the generated SQL, each of which a simulation must find.

Owns: the list `MUTANTS` and how a script is changed. Promises: a mutant changes texts between compiling and installing and
nothing else; one that changes no script at all is an error, not a survivor; only untrue rows, deadlocks and drift count
as finding it, never a text that the engine does not accept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from tests.simulation.aside import Aside
from tests.simulation.case import Case, Failure
from tests.simulation.keeper import Keeper
from tests.simulation.pinned import ARMING, LOCK, ORDER, SCALES
from tests.simulation.programs import draw_case
from tests.simulation.run import Ground
from tests.simulation.strains import Strain, of_scales, spelling
from tests.simulation.tally import Tally
from tidemark.contract.script import Piece, Script, mark
from tidemark.model import Table

PINNED_ATTEMPTS = 15
WORLDS_MAX = 200
"""A mistake that lets no case begin ends the hunt, too."""
# Which random case is the first for a mistake that shows seldom: the one that found it last. What is drawn may change, and then
# the search goes on from there.
BEGIN = {
    "sqlite-what-goes-before-it-is-filled": 94,
    "sqlite-what-a-figure-moved-over": 24,
    "postgres-what-a-figure-moved-over": 65,
    "postgres-what-a-figure-was-that-rows-are-equal-to-or-not": 70,
    "sqlite-a-figure-that-was-unknown": 13,
}
OLD_IMAGE = r"\n  INSERT INTO [^;]* SELECT [^;]*, -\([^;]*IS NOT TRUE\n  ON CONFLICT [^;]*;"
FOUND = ("mismatch", "false drift", "deadlock", "unrepaired", "strange", "dishonest", "memory", "as of now", "filled")
PASSED_ON = ("events", "parted", "passed on")
"""What the simulation finds where one definition takes the place of another."""
Change = Callable[[Script], Script]
Met = Counter[str]


@dataclass(frozen=True)
class Mutant:
    """A mistake: `word` says what is left out or turned round, `families` the queries in which it shows, `first` a case to
    play before any random one, `disturbed` that it wants many ticks, in small chunks and disturbed, `strain` what is done to each
    case that is drawn."""

    engine: str
    word: str
    families: tuple[str, ...]
    change: Change
    first: Case | None = None
    disturbed: bool = False
    strain: Strain | None = None

    @property
    def name(self) -> str:
        """A name for a test."""
        return f"{self.engine}-{self.word.replace(' ', '-')}"


def texts(kind: str, name: str, pattern: str, by: str, count: int = 0) -> Change:
    """Substitute in the pieces of a kind whose name matches."""
    searched, named = re.compile(pattern, re.DOTALL), re.compile(name)

    def change(script: Script) -> Script:
        # A view is made again from what the script offers to others, so both say the same.
        offers = tuple(_offer(table) for table in script.offers) if kind == "view" else script.offers
        return replace(script, pieces=tuple(_substitute(piece) for piece in script.pieces), offers=offers)

    def _offer(table: Table) -> Table:
        if table.definition is None:
            return table
        return replace(table, definition=searched.sub(by, table.definition, count=count))

    def _substitute(piece: Piece) -> Piece:
        if piece.kind != kind or not named.search(piece.name):
            return piece
        return replace(piece, create=_marked_again(searched.sub(by, piece.create, count=count)))

    return change


def _marked_again(create: str) -> str:
    """The text with the fingerprint that it has now, if it carries one."""
    opening, carried, rest = create.partition("/* tidemark:")
    return mark(opening, rest.partition("*/ ")[2]) if carried else create


def without(condition: Callable[[Script, Piece], bool]) -> Change:
    """Leave pieces out."""
    return lambda script: replace(script, pieces=tuple(one for one in script.pieces if not condition(script, one)))


def affected_through_neighbours(script: Script) -> Script:
    """A change of one source makes no key dirty that is reached through the other source."""
    if script.tick is None or len(script.tick.logs) < 2:
        return script
    logs = tuple(
        replace(log, affected=tuple(one for one in log.affected if ", " not in _from(one.text)))
        for log in script.tick.logs
    )
    return replace(script, tick=replace(script.tick, logs=logs))


def _from(statement: str) -> str:
    """What a statement reads, without anything in parentheses."""
    before = ""
    while statement != before:
        before, statement = statement, re.sub(r"\([^()]*\)", "", statement)
    return statement.partition(" FROM ")[2].partition(" WHERE ")[0]


def _on_leaf(script: Script, piece: Piece) -> bool:
    """Whether a trigger, or the step that belongs to it, is on a partition instead of on the source itself."""
    leaves = {one.name for one in script.pieces if one.kind == "trigger" and one.on and one.on not in script.sources}
    leaves -= {one.name for one in script.pieces if one.kind == "trigger" and one.public}
    return piece.name in leaves or (
        piece.kind == "step"
        and any(piece.name.startswith(f"tidemark.{leaf} ") or f'"{leaf}"' in piece.create for leaf in leaves)
    )


def conditional_bump(create: str) -> str:
    """The upsert of a flush leaves rows alone whose values stay as they are, and so does not lock them for a recompute."""

    def narrow(match: re.Match[str]) -> str:
        added = re.findall(r'("[^"]+") = s\.\1 \+ excluded\.\1', match[0])
        kept = re.findall(r'("[^"]+") = ((?:greatest|least)\(s\.\1, excluded\.\1\))', match[0])
        changes = [f"excluded.{column} <> 0" for column in added]
        changes += [f"{value} IS DISTINCT FROM s.{column}" for column, value in kept]
        return f"{match[0]} WHERE {' OR '.join(changes)}" if kept else match[0]

    return re.sub(r"ON CONFLICT \([^\n]*DO UPDATE SET [^\n]*", narrow, create)


def in_flush(edit: Callable[[str], str]) -> Change:
    """Change the functions that flush."""

    def change(script: Script) -> Script:
        return replace(script, pieces=tuple(_edit(piece) for piece in script.pieces))

    def _edit(piece: Piece) -> Piece:
        if piece.kind != "function" or not re.search(FLUSH, piece.name):
            return piece
        return replace(piece, create=edit(piece.create))

    return change


FLUSH = r"_(flush|settle)_"
CAPTURE = r"_(insert|update|delete)_"
PENDING = r'"tidemark"\."_pending'

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "sqlite",
        "sign",
        ("group", "total", "universe"),
        texts("trigger", "__delete_", r'("_\w+") = \1 - \(', r"\1 = \1 + ("),
    ),
    Mutant("sqlite", "old image", ("group",), texts("trigger", "__update_", OLD_IMAGE, "")),
    Mutant(
        "sqlite",
        "old image of a count",
        ("universe",),
        texts("trigger", "__update_", r"( SELECT [^;]*?), -1", r"\1, 1"),
    ),
    Mutant(
        "sqlite", "last of several counts", ("universe",), texts("trigger", "__insert_", r" UNION ALL [^;]*?(?=\n)", "")
    ),
    Mutant(
        "sqlite",
        "old image in a log",
        ("keyed",),
        texts("trigger", "capture_update_", r"\n  INSERT INTO [^;]*SELECT -1,[^;]*;", ""),
    ),
    Mutant(
        "sqlite",
        "guard",
        ("group", "universe", "copy"),
        texts("trigger", "__update_", r"\nWHEN (OLD\.[^\n]*?) OR OLD\.[^\n]*", r"\nWHEN \1"),
    ),
    Mutant(
        "sqlite",
        "stash",
        ("group", "universe", "copy"),
        texts("trigger", "__stash_", r"\nWHEN EXISTS", r"\nWHEN 0 AND EXISTS"),
    ),
    Mutant("sqlite", "tie", ("group",), texts("trigger", "__delete_", r'CASE WHEN "_\w+" = \(', "CASE WHEN 0 = (")),
    Mutant("sqlite", "hidden count", ("universe",), texts("view", "", r'WHERE s\."_rows" > 0', "WHERE 1")),
    Mutant("sqlite", "hidden values", ("group", "total"), texts("view", "", r's\."_\w*values" > 0', "1")),
    Mutant("sqlite", "neighbours", ("inner-join",), affected_through_neighbours),
    Mutant("postgres", "sign", ("group", "universe"), texts("function", "_delete_", r"-\(1\)", "(1)")),
    Mutant(
        "postgres",
        "old image",
        ("group",),
        texts("function", "_update_", r"SELECT [^;\n]* FROM o[^\n]*\n\s*UNION ALL ", ""),
    ),
    Mutant(
        "postgres",
        "guard",
        ("group", "universe"),
        texts(
            "function",
            "_update_",
            r"SELECT (n\.[^\n]*? IS DISTINCT FROM o\.[^\n]*?) OR [^\n]* AS tidemark_changed",
            r"SELECT \1 AS tidemark_changed",
        ),
    ),
    Mutant(
        "postgres",
        "lock",
        ("group", "universe"),
        texts("function", FLUSH, r"PERFORM 1 FROM [^;]* FOR UPDATE[^;]*;", ""),
        LOCK,
    ),
    Mutant(
        "postgres",
        "order of locks",
        ("group", "universe"),
        texts(
            "function",
            FLUSH,
            r"(FROM d|GROUP BY [^\n]*?) ORDER BY ([^\n]*)",
            r"\1 ORDER BY row_number() OVER (ORDER BY \2) * CASE current_setting('work_mem') "
            r"WHEN '5MB' THEN -1 ELSE 1 END",
        ),
        ORDER,
    ),
    Mutant("postgres", "version bump", ("group", "universe"), in_flush(conditional_bump)),
    Mutant(
        "postgres",
        "tie",
        ("group",),
        texts("function", FLUSH, r"coalesce\(d\.\"[^\"]*-\" [<>]= w\.[^,]*, false\)", "false"),
    ),
    Mutant("postgres", "hidden count", ("universe",), texts("view", "", r'WHERE s\."_rows" > 0', "WHERE true")),
    Mutant("postgres", "hidden values", ("group", "total"), texts("view", "", r's\."_\w*values" > 0', "true")),
    Mutant(
        "postgres",
        "forged memory",
        ("group", "total"),
        texts("function", FLUSH, rf"DELETE FROM ({PENDING}[^;]*?) RETURNING deltas", r"SELECT deltas FROM \1"),
    ),
    Mutant(
        "postgres",
        "arming order",
        ("group",),
        texts("function", "_truncate_before_", r"\), true\n", "), false\n"),
        ARMING,
    ),
    Mutant(
        "postgres",
        "truncate",
        ("group", "total"),
        texts("function", "_truncate_before_", rf"  INSERT INTO {PENDING}[^;]*;\n", ""),
    ),
    Mutant("postgres", "partitions", ("group", "total"), without(_on_leaf)),
    # A trigger that is not enabled always is refused at once: this one is, and acts as if it were not.
    Mutant(
        "postgres",
        "always",
        ("group", "total"),
        texts(
            "function",
            CAPTURE,
            r"\nBEGIN\n",
            "\nBEGIN\n  IF current_setting('session_replication_role') = 'replica' THEN RETURN NULL; END IF;\n",
            1,
        ),
    ),
    Mutant("postgres", "neighbours", ("inner-join",), affected_through_neighbours, disturbed=True),
    Mutant(
        "postgres",
        "settings of the writer",
        ("settings-spell",),
        texts("function", ".", "SET extra_float.*?array_nulls = on", ""),
        strain=spelling,
    ),
    Mutant(
        "postgres",
        "scale of a sum",
        ("group", "total"),
        texts("view", ".", r'round\((s\."\w+"), \(length\(s\."\w+"::text\) - 1\) / 12\)', r"\1"),
        SCALES,
        strain=of_scales,
    ),
)


def draw_mutated(mutant: Mutant, seed: str) -> Case:
    """A random case in which the mistake may show."""
    length = 50 if mutant.disturbed else 150
    drawn = draw_case(seed, mutant.engine, length, 3, mutant.disturbed, mutant.families, mutant.disturbed)
    return mutant.strain(drawn) if mutant.strain else drawn


def hunt(place: Ground, mutant: Mutant, transactions_max: int, seed: str = "mutant") -> tuple[Failure | None, int, Met]:
    """Play cases with the mutant until one fails: the failure (None when it survives), transactions, and what was met:
    scripts ``changed``, and ``proves nothing: …`` for each case that failed in a way that any broken text may bring about."""
    met: Met = Counter()

    def mutate(script: Script) -> Script:
        mutated = mutant.change(script)
        met["changed"] += mutated != script
        return mutated

    tally = Tally()
    ground = replace(place, make_upkeep=lambda url, tally: Keeper(url, tally, mutate))
    # A pinned case needs two sessions to meet; on a busy machine they may miss each other now and then.
    number = -PINNED_ATTEMPTS if mutant.first else BEGIN.get(mutant.name, 0)
    with Aside(met) as aside:
        while tally.total < transactions_max and tally.worlds < WORLDS_MAX:
            drawn = draw_mutated(mutant, f"{seed}/{number}")
            case = mutant.first if number < 0 and mutant.first else drawn
            number += 1
            try:
                ground.play(case, tally)
            except Failure as failure:
                # Anything else may follow from a mistake, or from a text that the engine does not accept: it proves nothing.
                if failure.kind in FOUND:
                    return failure, tally.total, met
                aside.put(failure, partial(place.play, case, Tally()))
    return None, tally.total, met
