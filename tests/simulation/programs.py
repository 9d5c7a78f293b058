"""Random programs: transactions of several sessions, in one schedule.

Owns: how statements become transactions with savepoints, isolation levels, two-phase commits and ends, and where
Tidemark's own duties fall between them. Promises: a program does not depend on what it finds in the database.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from tests.simulation.beside import draw_beside
from tests.simulation.case import COMPOSED, HOMES, Case, Derived, Duty, Statement, Transaction
from tests.simulation.catalogue import FAMILIES, draw_derived
from tests.simulation.customs import put_customs
from tests.simulation.kept import asked, is_kept, sources
from tests.simulation.queries import Queries
from tests.simulation.redefined import redefining
from tests.simulation.relations import quote
from tests.simulation.retained import DERIVED as RETAINED
from tests.simulation.retained import FAMILY, GONE, SHARE, TABLE, Retained
from tests.simulation.retained import setup as retained_setup
from tests.simulation.shapes_owned import AGAIN, drawn_again
from tests.simulation.statements import SqliteStatements, Statements
from tests.simulation.statements_postgres import PostgresStatements
from tests.simulation.ways import WAYS
from tests.simulation.worlds import World, draw_world, put_above
from tidemark.dialect import POSTGRESQL, SQLITE, Dialect
from tidemark.errors import Refusal
from tidemark.query.outputs import leave_out
from tidemark.query.parse import parse_query
from tidemark.query.trees import outputs_of

DIALECTS = {"sqlite": SQLITE, "postgres": POSTGRESQL}
ANALYZED = 30
"""Of so many transactions on SQLite one follows ANALYZE."""
PARTING = 0.1
"""So many statements are about partitions that come later, in half of the worlds that have room for them."""
LEVELS = ("READ COMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


class Programs:
    """Draws the transactions of one world."""

    def __init__(
        self, rng: random.Random, world: World, sessions: int, kept: Retained | None = None, lasting: bool = False
    ) -> None:
        self.rng = rng
        self.kept = kept
        self.world = world
        self.sessions = sessions
        self.postgres = world.engine == "postgres"
        self.statements: Statements = (PostgresStatements if self.postgres else SqliteStatements)(rng, world, lasting)
        self.parting = random.Random(f"{rng.getstate()[1][:8]} parting")
        parted = isinstance(self.statements, PostgresStatements) and self.statements.parted()
        self.parting_share = PARTING if parted and self.parting.random() < 0.5 else 0.0
        self.clocks = [rng.random() for _ in range(sessions)]
        # A world of many sessions is more telling when most transactions are open at the same time.
        self.prepared_share = rng.choice((0.06, 0.06, 0.06, 0.3))
        self.replica = [False] * sessions
        self.levels = rng.choice((LEVELS, ("READ COMMITTED",), ("REPEATABLE READ",), LEVELS))

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.rng.random() < probability

    def tick(self, session: int) -> float:
        """The next moment of a session. SQLite's connections take turns, so they share one clock."""
        clock = session if self.postgres else 0
        self.clocks[clock] += self.rng.random()
        return round(self.clocks[clock], 4)

    def one(self, session: int) -> Statement:
        """A statement of that session."""
        if self.kept is not None and self.kept.rng.random() < SHARE:
            kind, sql = self.kept.draw()
            return Statement(self.tick(session), kind, sql, None, self.postgres)
        kind, sql = self.statements.draw()
        if isinstance(self.statements, PostgresStatements) and self.parting.random() < self.parting_share:
            kind, sql = self.statements.parting(self.parting)
        data = self.statements.copied if kind == "copy" and isinstance(self.statements, PostgresStatements) else None
        guarded = self.postgres and self.chance(0.85)
        return Statement(self.tick(session), kind, sql, data, guarded)

    def transaction(self, session: int) -> Transaction:
        """One transaction, or one statement that commits by itself."""
        start = self.tick(session)
        prelude = self._prelude(session)
        if self.chance(0.3):
            statement = self.one(session)
            return Transaction(session, start, "", (statement,), "commit", self.tick(session), prelude)
        begin = f"BEGIN ISOLATION LEVEL {self.rng.choice(self.levels)}" if self.postgres else self._begin()
        statements: list[Statement] = []
        opened = 0
        for _ in range(self.rng.choice((1, 2, 2, 3, 4, 6))):
            if self.chance(0.15):
                opened += 1
                statements.append(Statement(self.tick(session), "savepoint", f"SAVEPOINT s{opened}"))
            statements.append(self.one(session))
            if opened and self.chance(0.35):
                verb = self.rng.choice(("ROLLBACK TO", "ROLLBACK TO", "RELEASE"))
                kind = "release" if verb == "RELEASE" else "rollback-to"
                statements.append(Statement(self.tick(session), kind, f"{verb} s{self.rng.randint(1, opened)}"))
        end = self.rng.choices(("commit", "rollback"), (88, 12))[0]
        if self.postgres and self.chance(self.prepared_share):
            end = self.rng.choice(("prepare-commit", "prepare-commit", "prepare-rollback"))
        return Transaction(session, start, begin, tuple(statements), end, self.tick(session), prelude)

    def _begin(self) -> str:
        return self.rng.choice(("BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"))

    def _prelude(self, session: int) -> tuple[str, ...]:
        if self.postgres:
            wanted = self.chance(0.4 if self.replica[session] else 0.015)
            if wanted == self.replica[session]:
                return ()
            self.replica[session] = wanted
            return (f"SET session_replication_role = {'replica' if wanted else 'origin'}",)
        pragmas = []
        if self.chance(0.08):
            pragmas.append(f"PRAGMA recursive_triggers = {self.rng.choice(('ON', 'OFF'))}")
        if self.chance(0.08):
            pragmas.append(f"PRAGMA foreign_keys = {self.rng.choice(('ON', 'ON', 'OFF'))}")
        return tuple(pragmas)

    def program(self, transactions: int) -> tuple[Transaction, ...]:
        """That many transactions, dealt to the sessions."""
        return tuple(
            self._counted(number, self.transaction(self.rng.randrange(self.sessions))) for number in range(transactions)
        )

    def _counted(self, number: int, one: Transaction) -> Transaction:
        """SQLite plans other ways once it has counted the rows, and goes on to when they are others."""
        counts = number % ANALYZED == ANALYZED // 2 and not self.postgres
        return replace(one, prelude=(*one.prelude, "ANALYZE")) if counts else one


def initial_rows(rng: random.Random, world: World) -> tuple[str, ...]:
    """Inserts that run before anything is installed."""
    statements = Statements(rng, world)
    return tuple(statements.insert_text(table) for table in world.relations for _ in range(rng.choice((0, 1, 3, 5))))


def duties(rng: random.Random, until: float, ticking: bool, kills: bool) -> tuple[Duty, ...]:
    """Ticks, repeated applies and verifications at random moments."""
    drawn: list[Duty] = []
    for _ in range(rng.choice((3, 8, 20)) if ticking else 0):
        kill = rng.randint(1, 25) if kills and rng.random() < 0.4 else None
        drawn.append(Duty(round(rng.uniform(0, until), 4), "tick", kill))
    if rng.random() < 0.15:
        drawn.append(Duty(round(rng.uniform(0, until), 4), "verify"))
    if rng.random() < 0.1:
        drawn.append(Duty(round(rng.uniform(0, until), 4), "apply"))
    return tuple(drawn)


def disturbed(
    rng: random.Random, drawn: tuple[Duty, ...], names: tuple[str, ...], until: float, more: int
) -> tuple[Duty, ...]:
    """The duties and `more` ticks, with bounds, thefts, jumps of the clock and other ends of a worker."""
    ticks = [Duty(round(rng.uniform(0, until), 4), "tick") for _ in range(more if names else 0)]
    found: list[Duty] = []
    for duty in (*drawn, *ticks):
        if duty.what == "tick":
            if rng.random() < 0.4:
                duty = replace(duty, batches=rng.choice((1, 1, 2, 3, 5)))
            if rng.random() < 0.25:
                duty = replace(duty, table=rng.choice(names))
            if duty.kill_at is not None or rng.random() < 0.3:
                how = rng.choice(("close", "close", "terminate", "steal", "steal", "jump"))
                duty = replace(duty, kill_at=rng.randint(1, 60), how=how)
        found.append(duty)
    return tuple(found)


def redeclared(
    rng: random.Random, later: Derived | None, tables: tuple[Derived, ...], until: float
) -> tuple[Derived, Duty]:
    """A derived table that takes another's place (or comes in addition), and the moment when it is declared."""
    later = later or tables[0]
    if rng.random() < 0.7:
        later = replace(later, name=rng.choice(tables).name)
    kill = rng.randint(1, 150) if rng.random() < 0.5 else None
    duty = Duty(round(rng.uniform(0, until), 4), "declare", kill, rng.choice(("close", "terminate")))
    return later, duty


def _anew(rng: random.Random, world: World, known: tuple[Derived, ...]) -> Queries:
    """Queries for what comes later, without the names of columns that are kept."""
    found = Queries(rng, world)
    found.names.taken |= {name.lower() for one in known if is_kept([one]) for name in one.options["columns"]}
    return found


def _kept_otherwise(rng: random.Random, world: World, tables: tuple[Derived, ...], later: Derived) -> Derived:
    """What takes the place of columns of the application's own table: in some cases those very columns, of which another query is
    declared. No columns ever have two owners."""
    owner = next((one for one in tables if is_kept([one]) and one.options == later.options), None)
    later = later if owner is None else replace(later, name=owner.name)
    before = next((one for one in tables if one.name == later.name and is_kept([one])), None)
    again = drawn_again(Queries(rng, world), before) if before is not None and rng.random() < AGAIN else None
    return again or later


def widened(
    rng: random.Random, tables: tuple[Derived, ...], until: float, dialect: Dialect
) -> tuple[tuple[Derived, ...], Derived, Duty] | None:
    """The tables with a column less in one of them, that one whole, and the moment when it is declared so; None where no query
    can do without a column."""
    places = [place for place, one in enumerate(tables) if not one.options]
    for place in rng.sample(places, len(places)):
        one = tables[place]
        try:
            names = [name for name, _ in outputs_of(parse_query(one.query, dialect)) if name and name not in one.key]
            less = leave_out(one.query, rng.sample(names, 1), dialect) if names else ""
        except Refusal:
            continue
        if less:
            kill = rng.randint(1, 150) if rng.random() < 0.5 else None
            duty = Duty(round(rng.uniform(0, until), 4), "declare", kill, rng.choice(("close", "terminate")))
            return (*tables[:place], replace(one, query=less), *tables[place + 1 :]), one, duty
    return None


def accidents(rng: random.Random, world: World, statements: Statements, until: float) -> tuple[Duty, ...]:
    """Lost triggers and guarded rebuilds, each with writes that nobody sees."""
    found = []
    for what in rng.choices(("lose", "guard"), k=rng.choice((0, 0, 1, 2))):
        drawn = [statements.draw() for _ in range(rng.randint(1, 4))]
        texts = tuple(sql for kind, sql in drawn if kind != "copy")
        table = rng.choice(world.relations).name
        # Nobody has a transaction open at the end, where several sessions hardly ever have none before.
        at = rng.uniform(0, until) if rng.random() < 0.5 else until + rng.random()
        found.append(Duty(round(at, 4), what, table=table, sql=texts))
    return tuple(found)


def behind(seed: str, world: World, until: float) -> tuple[Duty, ...]:
    """A source that is changed behind everybody's back, by a generator of its own: cases stay what they were. On PostgreSQL it is
    not the same afterwards, so that this comes when all is over."""
    own = random.Random(f"{seed}/behind")
    if own.random() < (0.4 if world.engine == "postgres" else 0.7):
        return ()
    if world.engine == "sqlite":
        drawn = [SqliteStatements(own, world).draw() for _ in range(own.randint(1, 4))]
        texts = tuple(sql for kind, sql in drawn if kind != "copy")
        at = round(own.uniform(0, until), 4)
        return (Duty(at, "behind", table=own.choice(world.relations).name, sql=texts),)
    parted = [table for table in world.relations if table.leaves] or world.relations
    drawn = [PostgresStatements(own, world).draw() for _ in range(own.randint(1, 4))]
    texts = tuple(sql for kind, sql in drawn if kind not in ("copy", "schema-change", "forge"))
    return (Duty(round(until + 20 + own.random(), 4), "behind", table=own.choice(parted).name, sql=texts),)


def without_kinds(case: Case, kinds: frozenset[str]) -> Case:
    """The case without statements of some kinds: to look past a known failure."""
    return replace(case, transactions=_without(case.transactions, kinds))


def _without(program: tuple[Transaction, ...], kinds: frozenset[str]) -> tuple[Transaction, ...]:
    return tuple(
        replace(one, statements=tuple(part for part in one.statements if part.kind not in kinds)) for one in program
    )


def _as_declared(program: tuple[Transaction, ...], tables: tuple[Derived, ...]) -> tuple[Transaction, ...]:
    """A program without columns that come later, where a query is compared that would show them, or join by them: what stars and
    NATURAL mean is of the declaration."""
    starred = any(one.family == COMPOSED and re.search("SELECT [*] | NATURAL ", one.query) for one in tables)
    return _without(program, frozenset({"schema-change"})) if starred else program


def draw_retained(seed: str, engine: str, families: tuple[str, ...]) -> Retained | None:
    """The statements of a pruned source, in some of the cases of every family and in all that ask for it."""
    own = random.Random(f"{seed}/{engine}/retained")
    share = 1.0 if FAMILY in families else 0.3 if families == FAMILIES else 0.0
    return Retained(own) if own.random() < share else None


def _draw_world(rng: random.Random, seed: str, engine: str, is_unlike: bool | None) -> World:
    world = draw_world(rng, "postgres" if engine == "postgres" else "sqlite", is_unlike)
    return put_customs(seed, put_above(random.Random(f"{seed}/{engine}/above"), world))


def _steady_case(
    seed: str, engine: str, transactions: int, derived: int, families: tuple[str, ...], is_unlike: bool | None
) -> Case:
    """Many batches in little time: one writer, a tick after each transaction."""
    rng = random.Random(f"{seed}/{engine}/steady")
    world = draw_world(rng, "postgres" if engine == "postgres" else "sqlite", is_unlike)
    queries = Queries(rng, world)
    tables = tuple(one for one in (draw_derived(queries, families) for _ in range(derived)) if one is not None)
    program = Programs(rng, world, 1, lasting=True).program(transactions)
    ends = [one.end_at if one.begin else max(part.at for part in one.statements) for one in program]
    own = random.Random(f"{seed}/{engine}/redefining")
    made = (PostgresStatements if engine == "postgres" else SqliteStatements)(own, world)
    later, changes = redefining(own, world, tables, made, program)
    return Case(
        engine=world.engine,
        seed=seed,
        setup=(*world.setup, *asked(tables)),
        fill=initial_rows(rng, world),
        sources=sources(world, tables),
        derived=tables,
        transactions=_as_declared(program, (*tables, *later)),
        duties=(*changes, *(Duty(end + 1e-5, "tick") for end in ends)),
        later=later,
        sessions=1,
        deferred_keys=world.deferred_keys,
        quick=True,
        steady=True,
        home=_home(seed, engine),
    )


def draw_case(
    seed: str,
    engine: str,
    transactions: int = 120,
    derived: int = 6,
    kills: bool = True,
    families: tuple[str, ...] = FAMILIES,
    dense: bool = False,
    steady: bool = False,
    is_unlike: bool | None = None,
) -> Case:
    """The case of a seed: the same seed and numbers give the same case. A `dense` one ticks after most transactions, a `steady`
    one after each, and nothing disturbs it. Types are compared with others where it `is_unlike`; None is as it comes."""
    if steady:
        return _steady_case(seed, engine, transactions, derived, families, is_unlike)
    rng = random.Random(f"{seed}/{engine}")
    world = _draw_world(rng, seed, engine, is_unlike)
    queries = Queries(rng, world)
    drawn = tuple(one for one in families if one != FAMILY)
    tables = tuple(one for one in (draw_derived(queries, drawn) for _ in range(derived)) if one is not None)
    sessions = rng.choice((2, 3, 4)) if engine == "postgres" else 2
    kept = draw_retained(seed, engine, families) if kills else None
    program = Programs(rng, world, sessions, kept).program(transactions)
    until = max(transaction.end_at for transaction in program)
    regular = duties(rng, until, any(one.freshness == "tick" for one in tables), kills)
    later: list[Derived] = []
    chunk, beside, kill_at = None, (), None
    if kills and tables:
        # Its own numbers, so that a case without disturbances has the same program.
        own = random.Random(f"{seed}/{engine}/disturbances")
        chunk = own.choice((None, None, 1, 2, 3, 7))
        names = tuple(one.name for one in tables if one.freshness == "tick")
        more = transactions if dense else own.choice((0, 0, 10, 30))
        regular = disturbed(own, regular, names, until, more)
        for number in range(own.choice((0, 0, 0, 1, 2, 3))):
            new, duty = redeclared(own, draw_derived(_anew(own, world, (*tables, *later)), drawn), tables, until)
            later.append(_kept_otherwise(own, world, tables, new))
            regular += (replace(duty, declare=number),)
            if own.random() < 0.2:
                regular += (Duty(round(own.uniform(0, until), 4), "declare", table=own.choice(tables).name),)
        changes = random.Random(f"{seed}/{engine}/accidents")
        made = PostgresStatements if engine == "postgres" else SqliteStatements
        if random.Random(f"{seed}/{engine}/beside").random() < 0.5:
            mine = random.Random(f"{seed}/{engine}/writers beside")
            beside = draw_beside(mine, made(mine, world))
            kill_at = mine.choice((None, mine.randint(1, 400)))
        regular += accidents(changes, world, made(changes, world), until) + behind(seed, world, until)
        wider = widened(changes, tables, until, DIALECTS[engine]) if changes.random() < 0.4 else None
        if wider is not None:
            tables, whole, duty = wider
            later.append(whole)
            regular += (replace(duty, declare=len(later) - 1),)
    return Case(
        engine=world.engine,
        seed=seed,
        setup=(*world.setup, *(retained_setup(engine) if kept is not None else ()), *asked((*tables, *later))),
        fill=initial_rows(rng, world),
        sources=(*sources(world, (*tables, *later)), *(map(quote, (TABLE, GONE)) if kept is not None else ())),
        derived=tables if kept is None else (*tables, *RETAINED),
        transactions=_as_declared(program, (*tables, *later)),
        duties=regular,
        later=tuple(later),
        chunk=chunk,
        way=random.Random(f"{seed}/{engine}/way").choice(WAYS) if kills else "",
        sessions=sessions,
        install_kill_at=rng.randint(1, 60) if kills and rng.random() < 0.15 else kill_at,
        beside=beside,
        deferred_keys=world.deferred_keys,
        home=_home(seed, engine),
    )


def _home(seed: str, engine: str) -> str:
    """The schema of everything, empty for the one that there always is."""
    rng = random.Random(f"{seed}/{engine}/home")
    return rng.choice(HOMES) if engine == "postgres" and rng.random() < 0.3 else ""
