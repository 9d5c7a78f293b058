"""Columns of the user's own table are filled by adding, then caught up, while writers go on and hold rows, and somebody dies."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any
from unittest import mock

import pytest

from tests.simulation.chunks import chunks_of
from tidemark import Project, Tidemark
from tidemark.contract.ways import Catchup
from tidemark.database.open import open_session
from tidemark.database.session import Conflict, Session, Unacceptable
from tidemark.errors import Fault
from tidemark.runtime.backfill import catchup as room
from tidemark.runtime.backfill.filling import Filling
from tidemark.runtime.backfill.mending import Walked
from tidemark.runtime.changes import apply as applying
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed

SCHEMA = (
    "CREATE TABLE users (id integer NOT NULL PRIMARY KEY, name text, plays integer, seconds integer DEFAULT 7)",
    "CREATE TABLE plays (id integer PRIMARY KEY, user_id integer, seconds integer)",
    "INSERT INTO users (id, name, plays) VALUES "
    + ", ".join(f"({number}, 'u', {number % 4})" for number in range(1, 13)),
    "INSERT INTO plays VALUES " + ", ".join(f"({number}, {number % 15}, {number % 5})" for number in range(1, 41)),
)
QUERY = (
    "SELECT u.id, (SELECT count(*) FROM plays p WHERE p.user_id = u.id) AS plays, "
    "(SELECT sum(p.seconds) FROM plays p WHERE p.user_id = u.id) AS seconds FROM users u"
)
SHOWN = "SELECT id, plays, seconds FROM users"
Patch = Callable[[ExitStack], object]


def declare() -> Project:
    """Columns of `users` that no index serves."""
    project = Project("catching")
    project.derive("heard", query=QUERY, key="id", columns_of="users", freshness="commit")
    return project


@dataclass
class Town:
    """A database beside which somebody writes after each chunk; `dies_at` is the chunk after which the process ends."""

    url: str
    seed: int
    dies_at: int = 0
    chunks: int = 0
    caught: int = 0
    chance: random.Random = field(init=False)
    user: Session = field(init=False)
    holder: Session = field(init=False)
    held: Any = None

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.user, self.holder = open_session(self.url), open_session(self.url)
        self.write(*SCHEMA)

    def write(self, *statements: str) -> None:
        """Statements of somebody's, in one transaction."""
        with self.user.transaction():
            for statement in statements:
                self.user.script(statement)

    def change(self) -> str:
        """A random statement."""
        play, user = self.chance.randint(1, 50), self.chance.randint(0, 15)
        seconds = self.chance.choice(["NULL", "0", "3"])
        return self.chance.choice(
            [
                f"INSERT INTO plays VALUES ({play}, {user}, {seconds}) ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id",
                f"DELETE FROM plays WHERE id = {play}",
                f"DELETE FROM plays WHERE user_id = {user}",
                f"UPDATE plays SET user_id = {user}, seconds = {seconds} WHERE id = {play}",
                f"UPDATE plays SET user_id = {user} WHERE id % 7 = {play % 7}",
                f"DELETE FROM users WHERE id = {user}",
                f"INSERT INTO users (id, name, plays) VALUES ({user}, 'n', {play}) ON CONFLICT (id) DO UPDATE SET name = 'm'",
            ]
        )

    def step(self, *about: Any) -> None:
        """What happens between two chunks."""
        self.chunks += 1
        with suppress(Unacceptable):
            if self.held is None:
                self.write(*(self.change() for _ in range(self.chance.randint(0, 2))))
        if not self.user.dialect.writers_wait_in_line:
            self._hold_or_let_go()
        if self.chunks == self.dies_at:
            raise Fault("died")

    def _hold_or_let_go(self) -> None:
        """On PostgreSQL somebody has a row of the user's in hand for a while, and comes to the stored one at commit."""
        if self.held is not None:
            if self.chance.random() < 0.4:
                self.let_go()
            return
        if self.chance.random() < 0.5:
            self.hold(self.chance.randint(1, 12))

    def hold(self, user: int) -> None:
        """Take a row of the user's in hand, and change what is stored of it at commit."""
        self.held = self.holder.transaction("write")
        self.held.__enter__()
        self.holder.run(f"UPDATE users SET name = 'held' WHERE id = {user}")
        self.holder.run(f"UPDATE plays SET user_id = {user} WHERE id = {self.chance.randint(1, 40)}")

    def let_go(self, *about: Any) -> None:
        """Whoever holds rows commits."""
        if self.held is not None:
            held, self.held = self.held, None
            held.__exit__(None, None, None)

    def run(self, *patches: Patch) -> None:
        """Apply, and once more after a death."""
        with ExitStack() as stack:
            stack.enter_context(chunks_of(2))
            for owner, name in ((Filling, "take_in"), (Walked, "count")):
                stack.enter_context(mock.patch.object(owner, name, self._then(getattr(owner, name))))
            passing = room._find

            def find(*about: Any) -> int:
                self.caught += 1
                return passing(*about)

            stack.enter_context(mock.patch.object(room, "_find", find))
            wait = Duty.wait_for_another_try
            stack.enter_context(
                mock.patch.object(Duty, "wait_for_another_try", lambda *about: (self.let_go(), wait(*about)))
            )
            for patch in patches:
                patch(stack)
            keeper = Tidemark(declare(), self.url, clock=Clock(wait=lambda seconds: None))
            if self.dies_at:
                with suppress(Fault):
                    keeper.apply()
            keeper.apply()
        self.let_go()

    def _then(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def do(*about: Any) -> None:
            original(*about)
            self.step()

        return do

    def repairs(self) -> list[Any]:
        """Repairs of what a verification found."""
        return [run for run in Tidemark(declare(), self.url).history() if run.kind == "repair"]

    def is_true(self) -> bool:
        """Whether the user's table says what the query says."""
        shown = self.user.all(f"{SHOWN} ORDER BY id")
        return shown == self.user.all(f"{QUERY} ORDER BY u.id")


@pytest.fixture
def town(engine_url: str, request: pytest.FixtureRequest) -> Iterator[Town]:
    found = Town(engine_url, getattr(request, "param", 0))
    yield found
    found.let_go()
    found.user.close()
    found.holder.close()


@pytest.mark.parametrize("dies_at", [0, 3, 9, 13])
@pytest.mark.parametrize("town", range(4), indirect=True)
def test_columns_are_filled_beside_writers_and_need_no_repair(town: Town, dies_at: int) -> None:
    town.dies_at = dies_at
    town.run()
    assert town.caught >= 1 and town.chunks > 8
    assert town.is_true() and not town.repairs()


def _none(stack: ExitStack) -> None:
    """No mistake."""


def _omitted(stack: ExitStack) -> None:
    stack.enter_context(mock.patch.object(applying, "catch_up", lambda *about: None))


def _too_early(stack: ExitStack) -> None:
    """What writers change before triggers carry it is not seen."""
    catch_up, begin = applying.catch_up, applying.begin_verifying

    def first(duty: Duty, installed: Installed, before: Any) -> Any:
        return begin(duty, installed, before)

    def fill(duty: Duty, installed: Installed, *about: Any) -> Any:
        done = filling(duty, installed, *about)
        catch_up(duty, installed)
        return done

    filling = applying.fill
    stack.enter_context(mock.patch.object(applying, "begin_verifying", first))
    stack.enter_context(mock.patch.object(applying, "fill", fill))
    stack.enter_context(mock.patch.object(applying, "catch_up", lambda *about: None))


def _one_pass(stack: ExitStack) -> None:
    """Rows that somebody has in hand are passed over for good."""
    given = room._carry

    def carry(duty: Duty, script: Any, catchup: Catchup, low: int, high: int, taken: dict[int, int]) -> int:
        done = given(duty, script, catchup, low, high, taken)
        taken[low] = high - low
        return done

    stack.enter_context(mock.patch.object(room, "_carry", carry))


def _patient(stack: ExitStack) -> None:
    """A row that somebody has in hand is waited for."""
    given = room._carry

    def carry(duty: Duty, script: Any, catchup: Catchup, *about: Any) -> int:
        take = tuple(text.replace(" SKIP LOCKED", "") for text in catchup.take)
        return given(duty, script, replace(catchup, take=take), *about)

    stack.enter_context(mock.patch.object(room, "_carry", carry))


@pytest.mark.parametrize("mistake", [_omitted, _too_early])
def test_what_is_not_caught_up_takes_a_repair(town: Town, mistake: Patch) -> None:
    town.run(mistake)
    assert town.repairs()


@pytest.mark.parametrize(
    ("mistake", "passed_over", "repairs"),
    [(_none, True, False), (_one_pass, True, True), (_patient, False, False)],
    ids=["as it is", "one pass", "patient"],
)
def test_a_row_in_hand_is_neither_waited_for_nor_forgotten(
    pg_database: str, mistake: Patch, passed_over: bool, repairs: bool
) -> None:
    """Whoever has changed a row of the user's comes to the stored one at commit: waiting for the one with the other in hand would
    be a deadlock."""
    town, left = Town(pg_database, 0), list[list[Any]]()
    find = room._find

    def begin(*about: Any) -> int:
        if not left and town.held is None:
            town.hold(1)
        return find(*about)

    def seen(*about: Any) -> None:
        left.append(town.user.all(f"SELECT id FROM ({SHOWN} EXCEPT {QUERY}) AS d"))
        town.let_go()

    with mock.patch.object(room, "_find", begin), mock.patch.object(Town, "step", lambda *about: None):
        town.run(mistake, lambda stack: stack.enter_context(mock.patch.object(Duty, "wait_for_another_try", seen)))
    assert (left == [[(1,)]]) is passed_over
    assert bool(town.repairs()) is repairs and town.is_true()
    town.holder.close()
    town.user.close()


def _locked_alone(stack: ExitStack) -> None:
    """The user's rows are written while the stored ones are only locked."""
    given = room._carry

    def carry(duty: Duty, script: Any, catchup: Catchup, *about: Any) -> int:
        write = script.applier.whole.copy[-1]
        batch = catchup.take[-1].split()[2]
        rows = f"(SELECT s.* FROM {batch} AS b JOIN {script.store} AS s ON s.id = b.id) AS s"
        write, count = re.subn(r"\(SELECT \* FROM \S+ WHERE [^()]*\) AS s", rows, write)
        assert count == 1
        return given(duty, script, replace(catchup, carry=(write, *catchup.carry[1:])), *about)

    stack.enter_context(mock.patch.object(room, "_carry", carry))


@pytest.mark.parametrize(("mistake", "told"), [(_none, True), (_locked_alone, False)], ids=["as it is", "locked alone"])
def test_a_writer_who_sees_one_moment_throughout_is_told(pg_database: str, mistake: Patch, told: bool) -> None:
    """The user's row seems to that one to show already what is stored from then on, although it was brought up to less since."""
    town = Town(pg_database, 0)
    (count,) = town.user.one("SELECT count(*) FROM plays WHERE user_id = 1") or (0,)
    town.write(f"UPDATE users SET plays = {count + 1}, seconds = 100 WHERE id = 1", "UPDATE plays SET seconds = 0")
    town.write("UPDATE plays SET seconds = 97 WHERE id = 1")
    find, nothing = room._find, mock.Mock()

    def begin(*about: Any) -> int:
        if town.held is None:
            town.held = town.holder.transaction("write", snapshot=True)
            town.held.__enter__()
            town.holder.all("SELECT * FROM users")
        return find(*about)

    with mock.patch.object(room, "_find", begin), mock.patch.multiple(Town, step=nothing, let_go=nothing):
        town.run(mistake)
    town.holder.run("INSERT INTO plays VALUES (99, 1, 3)")
    with pytest.raises(Conflict) if told else nullcontext():
        town.let_go()
    assert town.is_true() is told and not town.repairs()
    town.holder.close()
    town.user.close()


def test_no_transaction_of_the_filling_reads_a_source_with_a_lock_in_hand(town: Town) -> None:
    keeper = Tidemark(declare(), town.url)
    keeper.apply()
    with keeper._open() as duty:
        (row,) = duty.ledger.derived()
        whole = row.script.applier.whole
        assert whole is not None and whole.adding is not None and whole.adding.catchup is not None
        texts = [*whole.adding.add, *whole.adding.catchup.take, *whole.adding.catchup.carry]
        assert not [text for text in texts if re.search(r'(FROM|JOIN) \S*"plays"', text)]
