"""Rows that writers keep are filled by adding what they are short of, while writers go on, and whoever is killed."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import pytest

from tests.simulation.chunks import chunks_of
from tests.supports.plays import Plays, counts
from tidemark import Project, Tidemark
from tidemark.contract.script import Script
from tidemark.contract.ways import Adding
from tidemark.database.postgres.session import PostgresSession
from tidemark.database.session import Conflict, Unacceptable
from tidemark.errors import Fault
from tidemark.runtime.backfill import adding as room
from tidemark.runtime.backfill import fill, fill_listed
from tidemark.runtime.backfill.filling import Filling
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed

Mistake = Callable[[Script, Adding], Adding]
PLAYS = "INSERT INTO plays VALUES " + ", ".join(
    f"({number}, {number % 3}, 't{number % 17}', {number % 4}, {number % 2})" for number in range(101, 141)
)
# What does not add up: computed again where the row that had it has left.
LATEST = (
    "SELECT track, count(*) AS plays, max(seconds) AS longest, sum(seconds) AS seconds, min(id) AS first_play "
    "FROM plays GROUP BY track"
)


def _forgetful(script: Script, adding: Adding) -> Adding:
    """What writers have done since the capture began is not subtracted from what is missing."""
    clear, find = adding.find
    changed = re.sub(r", -1 AS tidemark_side FROM \(SELECT", ", -1 AS tidemark_side FROM (SELECT DISTINCT", find)
    assert changed != find
    changed = changed.replace(f"FROM {script.store})", f"FROM {script.store} WHERE 1 = 0)")
    return replace(adding, find=(clear, changed))


def _twice(script: Script, adding: Adding) -> Adding:
    """What is added is added twice."""
    return replace(adding, add=(adding.add[0], *adding.add))


@dataclass
class Beside:
    """A filling in chunks of two rows beside which somebody writes; what it has left untrue is in `wrong`."""

    place: Plays
    mistake: Mistake | None = None
    dies_at: int = 0
    chunks: int = 0
    filled: int = 0
    wrong: int = 0

    def run(self, project: Project) -> None:
        """Apply, and once more after a death."""
        with ExitStack() as stack:
            stack.enter_context(chunks_of(2))
            stack.enter_context(mock.patch.object(fill, "fill_by_adding", self.fill))
            take_in = Filling.take_in

            def go_on(filling: Filling, *about: Any) -> None:
                take_in(filling, *about)
                self.went()

            stack.enter_context(mock.patch.object(Filling, "take_in", go_on))
            keeper = Tidemark(project, self.place.url, clock=Clock(wait=lambda seconds: None))
            if self.dies_at:
                with pytest.raises(Fault, match="died"):
                    keeper.apply()
            keeper.apply()

    def went(self) -> None:
        """A chunk is committed."""
        self.chunks += 1
        self.write()
        if self.chunks == 2 and not self.place.user.dialect.writers_wait_in_line:
            self.place.write("TRUNCATE plays", PLAYS)
        if self.chunks == self.dies_at:
            raise Fault("died")

    def write(self) -> None:
        """Somebody writes."""
        with suppress(Unacceptable):
            self.place.write(self.place.change(), *self.place.random.sample(MOVES, 1))

    def fill(self, duty: Duty, installed: Installed, *others: Any) -> Any:
        """The filling, with the mistake, after writers have been there; then see what it has left."""
        script = installed.script
        whole = script.applier.whole
        assert whole is not None and whole.adding is not None
        if self.mistake is not None:
            mistaken = replace(whole, adding=self.mistake(script, whole.adding))
            installed = replace(installed, script=replace(script, applier=replace(script.applier, whole=mistaken)))
        for _ in range(3):
            self.write()
        done = room.fill_by_adding(duty, installed, *others)
        self.filled += 1
        if whole.adding.exact:
            # What verification would mend must not be there to be mended.
            self.wrong += fill_listed.list_suspects(duty, script, whole)[0]
        return done


MOVES = (
    "DELETE FROM plays WHERE id IN (SELECT max(id) FROM plays)",
    "DELETE FROM plays WHERE id IN (SELECT min(id) FROM plays WHERE id > 100)",
    "UPDATE plays SET track = 't1' WHERE id IN (SELECT max(id) FROM plays WHERE track <> 't1')",
    "UPDATE plays SET hidden = 1 - hidden WHERE id > 130",
)


@pytest.fixture
def full(place: Plays) -> Iterator[Plays]:
    """Plays of many tracks."""
    place.write(PLAYS)
    yield place


@pytest.mark.parametrize(("seed", "dies_at"), [(0, 0), (1, 3)])
def test_what_is_missing_is_added_beside_writers(full: Plays, seed: int, dies_at: int) -> None:
    full.random = random.Random(seed)
    beside = Beside(full, dies_at=dies_at)
    beside.run(counts("tracks_of", "listening"))
    assert beside.filled >= 3 and beside.chunks > 8
    assert not beside.wrong and not full.wrong("tracks_of", "listening")


@pytest.mark.parametrize("mistake", [_forgetful, _twice])
def test_what_is_added_wrongly_is_wrong(full: Plays, mistake: Mistake) -> None:
    beside = Beside(full, mistake)
    with suppress(Fault):
        beside.run(counts("tracks_of"))
    assert beside.wrong


def test_what_is_taken_from_a_key_that_is_not_filled_is_not_lost(sqlite_path: Any) -> None:
    """The mistake is in the trigger: it takes away from stored rows alone."""
    place = Plays(f"sqlite:///{sqlite_path}")
    place.write(PLAYS)
    from_rows = "tidemark.render.sqlite.rows.may_be_unfilled"
    with mock.patch(from_rows, lambda *about: False):
        beside = Beside(place)
        beside.run(counts("tracks_of"))
    assert beside.wrong
    place.user.close()


@pytest.mark.parametrize("held", [True, False], ids=["as it is", "not held"])
def test_a_source_that_is_emptied_while_it_is_read_waits(pg_database: str, held: bool) -> None:
    """TRUNCATE takes rows away from a moment that was chosen before; what they added up to is still in the stored counts."""
    place, filled = Plays(pg_database), [0]
    place.write(PLAYS)
    beside = Beside(place)
    run = PostgresSession.run

    def empty(session: PostgresSession, sql: str, *about: Any) -> int:
        if session is not place.user and sql.startswith("DELETE FROM pg_temp") and "fresh" in sql and not filled[0]:
            filled[0] = 1
            with suppress(Conflict):
                place.write("SET LOCAL lock_timeout = '400ms'", "TRUNCATE plays")
        return run(session, sql, *about)

    with mock.patch.object(PostgresSession, "run", empty), suppress(Fault):
        without = mock.patch.object(room, "replace", lambda duty, **about: duty)
        with nullcontext() if held else without:
            beside.run(counts("tracks_of"))
    assert filled[0] and bool(beside.wrong) != held
    place.user.close()


@pytest.mark.parametrize("dies_at", [0, 3])
def test_what_does_not_add_up_is_put_there_and_looked_at_again(full: Plays, dies_at: int) -> None:
    project = Project("plays")
    project.derive("latest", query=LATEST, freshness="commit")
    beside = Beside(full, dies_at=dies_at)
    beside.run(project)
    rows = [sorted(map(repr, full.user.all(query))) for query in ("SELECT * FROM latest", LATEST)]
    assert beside.filled == 1 and rows[0] == rows[1]


def test_no_chunk_reads_a_source(full: Plays) -> None:
    project = counts("tracks_of")
    full.keep(project).apply()
    with full.keep(project)._open() as duty:
        for row in duty.ledger.derived():
            whole = row.script.applier.whole
            assert whole is not None and whole.adding is not None
            assert not [text for text in whole.adding.add if re.search(r'(FROM|JOIN) \S*"plays"', text)]
