"""What is remembered and told does not end with a definition, whatever is written between any two of our transactions.

Random programs (from a fixed seed): a definition is replaced or renamed while somebody writes before and after our transactions.
"""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pytest

from tests.findings.place import connect
from tests.kit.size import taken
from tidemark import Project, Tidemark, ratchet
from tidemark.errors import Fault
from tidemark.runtime.changes import cutover
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.ticks.steady import Unsteady, require_steady
from tidemark.runtime.ticks.tick import tick

GROUPS = "SELECT g, count(*) AS n{more} FROM facts GROUP BY g"
GREATEST = "SELECT g, max(v) AS top, count(*) AS n{more} FROM facts GROUP BY g"
AT = tuple(range(2, 60))
MORE = (", sum(v) AS total", ", min(v) AS low", "")
ROUNDS = 4
MANY = 20


class Town:
    """Somebody who writes facts on a connection of their own, also between our transactions while `busy`."""

    def __init__(self, url: str, seed: str) -> None:
        self.url, self.rng, self.user, self.busy = url, random.Random(seed), connect(url), False
        self.engine = Tidemark(Project("town"), url)
        self.user.execute("CREATE TABLE facts (id integer PRIMARY KEY, g integer, v integer)")
        self.last = 0
        self.chance = 0.3
        self.meet: Callable[[], None] = self.add

    def add(self) -> None:
        """One more fact."""
        self.last += 1
        group, value = self.rng.randint(1, 4), self.rng.randint(1, 9)
        self.user.execute(f"INSERT INTO facts (id, g, v) VALUES ({self.last}, {group}, {value})")

    def declare(self, name: str, query: str, was: str | None = None, **options: Any) -> None:
        """Put one declaration, with thresholds, in the place of those before."""
        project = Project("town")
        again = options.pop("again", None)
        declared = project.derive(name, query=query, key="g", was=was, **options)
        if again is not None:
            declared.on_crossing("n", at=AT, again=again)
        self.engine = Tidemark(project, self.url, clock=Clock(wait=lambda seconds: None))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return list(self.user.execute(query).fetchall())


@pytest.fixture
def opened(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Town]]:
    """Opens a town; while it is busy it writes now and then before a transaction of ours."""
    towns: list[Town] = []
    persist = Duty._persist

    def pass_by() -> None:
        for town in towns:
            if town.busy and town.rng.random() < town.chance:
                town.meet()

    def between(duty: Duty, *about: Any) -> Any:
        pass_by()
        return persist(duty, *about)

    def before_tick(duty: Duty, script: Any) -> Any:
        pass_by()
        return tick(duty, script)

    def begin(seed: str) -> Town:
        towns.append(Town(engine_url, seed))
        return towns[-1]

    monkeypatch.setattr(Duty, "_persist", between)
    monkeypatch.setattr(cutover, "tick", before_tick)
    monkeypatch.setattr("tidemark.runtime.changes.meanwhile.EVERY_SECONDS", 0.0)
    yield begin
    for town in towns:
        town.user.close()


def _events(town: Town) -> Counter[tuple[Any, float]]:
    return Counter((one.key["g"], one.threshold) for one in town.engine.events(limit=1000))


def _play_events(town: Town, freshness: tuple[str, ...], again: bool, *, renamed: bool, rounds: int = ROUNDS) -> None:
    name = "counts"
    town.declare(name, GROUPS.format(more=""), freshness=freshness[0], again=again)
    town.engine.apply()
    for turn in range(rounds):
        town.add()
        before, name = name, f"counts{turn}" if renamed else name
        query = GROUPS.format(more=MORE[turn % 3])
        was = before if renamed else None
        town.declare(name, query, was, freshness=freshness[turn % len(freshness)], again=again)
        town.busy = True
        town.engine.apply()
        town.busy = False
        town.engine.tick()
        counts = dict(town.rows(f"SELECT g, n FROM {name}"))
        assert counts == dict(town.rows("SELECT g, count(*) FROM facts GROUP BY g"))
        # Facts only come, so that each threshold at or below a count was passed once.
        assert _events(town) == Counter((g, at) for g, n in counts.items() for at in AT if n >= at), f"turn {turn}"
        assert {one.derived for one in town.engine.events(limit=1000)} <= {name}


@pytest.mark.parametrize(
    ("again", "freshness"), taken(product((False, True), (("tick",), ("commit",), ("tick", "commit"))), 2)
)
def test_each_threshold_is_told_once_while_definitions_change(
    opened: Callable[[str], Town], freshness: tuple[str, ...], again: bool
) -> None:
    _play_events(opened(f"{freshness} {again}"), freshness, again, renamed=False)


@pytest.mark.parametrize("freshness", ["tick", "commit"])
def test_each_threshold_is_told_once_under_the_newest_name(opened: Callable[[str], Town], freshness: str) -> None:
    _play_events(opened(freshness), (freshness,), True, renamed=True)


def _play_shown(town: Town, rounds: int = ROUNDS) -> None:
    """The counts stand in a column of the town's own table."""
    town.user.execute("CREATE TABLE places (id integer PRIMARY KEY, n integer, total integer)")
    town.user.execute("INSERT INTO places (id) VALUES (1), (2), (3), (4)")
    for turn in range(rounds):
        project = Project("town")
        more = ", (SELECT sum(v) FROM facts f WHERE f.g = p.id) AS total" if turn % 2 else ""
        query = f"SELECT p.id, (SELECT count(*) FROM facts f WHERE f.g = p.id) AS n{more} FROM places p"
        declared = project.derive("counts", query=query, key="id", columns_of="places", freshness="tick")
        declared.on_crossing("n", at=AT, again=True)
        town.engine = Tidemark(project, town.url, clock=Clock(wait=lambda seconds: None))
        town.busy = turn > 0
        town.engine.apply()
        town.busy = False
        town.add()
        town.engine.tick()
        counts = dict(town.rows("SELECT id, n FROM places"))
        found = Counter((one.key["id"], one.threshold) for one in town.engine.events(limit=1000))
        assert found == Counter((g, at) for g, n in counts.items() for at in AT if n >= at), f"turn {turn}"


def test_each_threshold_is_told_once_where_a_table_of_the_users_shows_the_rows(
    opened: Callable[[str], Town],
) -> None:
    _play_shown(opened("shown"), MANY // 2)


def _play_memory(town: Town, *, rounds: int = ROUNDS, keep_rows: bool = True) -> None:
    """Greatest values come and go; what readers have once seen of a ratchet stays."""
    seen: dict[Any, int] = {}
    name = "best"

    def look() -> None:
        shown = dict(town.rows(f"SELECT g, top FROM {name}"))
        for group in [group for group in seen if group not in shown and not keep_rows]:
            del seen[group]
        assert seen.keys() <= shown.keys()
        for group, top in shown.items():
            assert top >= seen.get(group, 0), f"{group} went from {seen[group]} back to {top}"
            seen[group] = top

    def write() -> None:
        look()
        town.user.execute("DELETE FROM facts") if town.rng.random() < 0.5 else town.add()

    town.meet, town.chance = write, 0.7
    options: dict[str, Any] = {"freshness": "tick", "keep": {"top": ratchet()}, "keep_rows": keep_rows}
    town.declare(name, GREATEST.format(more=""), **options)
    town.engine.apply()
    for turn in range(rounds):
        town.add()
        town.declare(name, GREATEST.format(more=MORE[turn % 3]), **options)
        town.busy = True
        town.engine.apply()
        town.busy = False
        town.engine.tick()
        look()


@pytest.mark.parametrize("keep_rows", [False, True])
def test_what_readers_saw_of_a_ratchet_stays_while_definitions_change(
    opened: Callable[[str], Town], keep_rows: bool
) -> None:
    _play_memory(opened(f"memory {keep_rows}"), keep_rows=keep_rows)


def test_rows_that_are_kept_keep_each_column(opened: Callable[[str], Town]) -> None:
    town = opened("rows")
    options: dict[str, Any] = {"freshness": "tick", "keep": {"top": ratchet()}, "keep_rows": True}
    town.declare("best", GREATEST.format(more=""), **options)
    town.engine.apply()
    town.user.execute("INSERT INTO facts (id, g, v) VALUES (1, 1, 7), (2, 1, 5), (3, 2, 4)")
    town.engine.tick()
    town.user.execute("DELETE FROM facts WHERE g = 1")
    town.engine.tick()
    for name, was in (("best", None), ("greatest", "best")):
        town.declare(name, GREATEST.format(more=f", min(v) AS {name}_low"), was, **options)
        town.engine.apply()
        assert town.rows(f"SELECT g, top, n FROM {name} ORDER BY g") == [(1, 7, 2), (2, 4, 1)]
        assert all(one.clean for one in town.engine.verify())


def test_rows_that_wait_for_their_first_change_begin_in_the_generation_before(opened: Callable[[str], Town]) -> None:
    town = opened("now")
    options: dict[str, Any] = {"freshness": "tick", "keep_rows": True, "marks": "now"}
    town.user.execute("INSERT INTO facts (id, g, v) VALUES (1, 1, 7), (2, 2, 5), (3, 3, 4)")
    town.declare("best", GREATEST.format(more=""), **options)
    town.engine.apply()
    for g, (name, was) in enumerate((("best", None), ("greatest", "best")), start=1):
        town.user.execute(f"UPDATE facts SET v = 9 WHERE g = {g}")
        town.declare(name, GREATEST.format(more=f", min(v) AS {name}_low"), was, **options)
        town.engine.apply()
        assert town.rows(f"SELECT g, top FROM {name} ORDER BY g") == [(1, 9), (2, 9)][:g]


def _never_again(*_: Any, **__: Any) -> bool:
    return False


@pytest.mark.parametrize("mistake", ["parts whenever", "not brought up to date"])
def test_generations_that_part_at_any_moment_would_be_seen(
    opened: Callable[[str], Town], mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if mistake == "parts whenever":
        monkeypatch.setattr(cutover, "require_steady", lambda duty, waiting: None)
    else:
        monkeypatch.setattr(cutover, "_all_waiting", lambda duty, installed, older: ())
    with pytest.raises(AssertionError):
        _play_events(opened(mistake), ("tick",), True, renamed=False, rounds=MANY)


def test_memory_that_is_taken_over_once_would_be_seen(
    opened: Callable[[str], Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cutover, "carry_memory", _never_again)
    with pytest.raises(AssertionError):
        _play_memory(opened("memory"), rounds=3 * MANY)


def test_events_that_keep_the_old_name_would_be_seen(
    opened: Callable[[str], Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Ledger.run

    def forgetful(ledger: Ledger, name: str, parameters: Any = None, **identifiers: str) -> int:
        return 0 if name == "rename_events" else run(ledger, name, parameters, **identifiers)

    monkeypatch.setattr(Ledger, "run", forgetful)
    with pytest.raises(AssertionError):
        _play_events(opened("tick"), ("tick",), True, renamed=True)


def test_the_cutover_waits_for_whoever_ticks_what_both_read(
    opened: Callable[[str], Town], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker is at the derived table that both generations read: it is waited for, and each threshold told once."""
    town, held, waits = opened("waits"), contextlib.ExitStack(), []

    def declare(more: str) -> None:
        project = Project("town")
        project.derive("groups", query=GROUPS.format(more=""), key="g", freshness="tick")
        query = f"SELECT n, count(*) AS many{more} FROM groups GROUP BY n"
        project.derive("sizes", query=query, key="n", freshness="tick").on_crossing("many", at=AT)
        town.engine = Tidemark(project, town.url, clock=Clock(wait=let_go))

    def let_go(seconds: float) -> None:
        waits.append(seconds)
        held.close()

    def at_work(*about: Any) -> Any:
        town.add()
        duty = held.enter_context(Tidemark(None, town.url)._open())
        held.enter_context(duty.leased("keep groups"))
        waits.clear()
        return all_waiting(*about)

    declare("")
    town.engine.apply()
    for _ in range(MANY):
        town.add()
    town.engine.tick()
    all_waiting = cutover._all_waiting
    monkeypatch.setattr(cutover, "_all_waiting", at_work)
    declare(", max(g) AS last")
    town.engine.apply()
    assert waits, "somebody was waited for"
    town.engine.tick()
    sizes = Counter(dict(town.rows("SELECT g, count(*) FROM facts GROUP BY g")).values())
    assert dict(town.rows("SELECT n, many FROM sizes")) == sizes
    told = Counter((one.key["n"], one.threshold) for one in town.engine.events(limit=1000))
    assert set(told.values()) <= {1} and told.keys() >= {
        (n, at) for n, many in sizes.items() for at in AT if many >= at
    }


@pytest.mark.parametrize("ends", ["by itself", "when asked to"])
def test_the_cutover_looks_for_a_moment_of_rest_for_so_long(
    opened: Callable[[str], Town], monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """Where something waits at every look the older generation is brought up to date last, and no event is missing."""
    town, looks = opened(ends), []

    def never(duty: Duty, waiting: Sequence[Any]) -> None:
        looks.append(len(waiting))
        if ends == "by itself" and len(looks) == 2:
            monkeypatch.setattr(cutover, "REST_SECONDS", -1.0)
        if waiting:
            raise Unsteady

    town.declare("counts", GROUPS.format(more=""), freshness="tick", again=False)
    town.engine.apply()
    for _ in range(MANY):
        town.add()
    monkeypatch.setattr(cutover, "require_steady", never)
    monkeypatch.setattr(cutover, "REST_SECONDS", 60.0)
    town.declare("counts", GROUPS.format(more=MORE[0]), freshness="tick", again=False)
    if ends == "when asked to":
        stops = Tidemark(town.engine.project, town.url, stop=lambda: len(looks) > 2)
        with pytest.raises(Fault, match="the cutover of counts"):
            stops.apply()
        assert looks == [2, 2, 2]
        assert len(town.rows("SELECT * FROM counts")[0]) == 2, "readers have what they had"
        monkeypatch.setattr(cutover, "require_steady", require_steady)
    town.engine.apply()
    town.engine.tick()
    if ends == "by itself":
        assert looks == [2, 2, 0]
    counts = {g: n for g, n, _ in town.rows("SELECT * FROM counts")}
    assert counts == dict(town.rows("SELECT g, count(*) FROM facts GROUP BY g"))
    told = Counter((one.key["g"], one.threshold) for one in town.engine.events(limit=1000))
    assert told == Counter((g, at) for g, n in counts.items() for at in AT if n >= at)
