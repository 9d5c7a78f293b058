"""A definition that is taken back before its successor is live: the successor goes, and what readers see goes on as it is."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.changes.shop import SCHEMA, Shop
from tests.kit.size import TURN, on_engines_in_turn
from tidemark import Fault, Project, Tidemark
from tidemark.cli.reports import apply_text, plan_text
from tidemark.database.open import open_session
from tidemark.errors import Exit, TidemarkError
from tidemark.runtime import duty as duties
from tidemark.runtime.changes.apply import ApplyReport
from tidemark.runtime.clock import Clock
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.progress import Event, ignore

FEW = "SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id"
OTHER = "SELECT thread_id, sum(score) AS n FROM posts GROUP BY thread_id"
MORE = "SELECT thread_id, count(*) AS n, sum(score) AS s FROM posts GROUP BY thread_id"
STEP = 3
WRITES = ("INSERT INTO posts VALUES (50, 1, 1, 9, 9)", "DELETE FROM posts WHERE id = 3")


def _declared(url: str, query: str, listen: Callable[[Event], None] = ignore, **options: object) -> Tidemark:
    project = Project("shop")
    project.derive("threads", query=query, **{"key": "thread_id", **options})  # type: ignore[arg-type]
    return Tidemark(project, url, listen=listen)


def _until(phase: str) -> Callable[[Event], None]:
    """Whoever is told about that phase is interrupted there."""

    def listen(event: Event) -> None:
        if event.phase == phase:
            raise Fault("interrupted here", exit=Exit.INTERRUPTED)

    return listen


def _begin(url: str, query: str, stage: str, **options: object) -> None:
    """Leave a changed definition on its way: to a worker, while it is filled, or before its cutover."""
    if stage == "detached":
        assert _declared(url, query, **options).apply(detach=True).begun == ("threads",)
        return
    # Somebody else is connected, so that it is filled in chunks.
    with contextlib.closing(open_session(url)), pytest.raises(Fault, match="interrupted"):
        _declared(url, query, _until(stage), **options).apply()


def _take_back(url: str, query: str, *, detach: bool = False, **options: object) -> ApplyReport:
    """Declare what is live again and apply that; nothing else is installed then, and it is true."""
    keeper = _declared(url, query, **options)
    done = keeper.apply(detach=detach)
    assert keeper.plan().is_empty
    if options.get("freshness") == "tick":
        keeper.tick()
    (table,) = keeper.status()
    assert (table.state, table.captures, table.drift) == ("live", "ok", 0)
    (report,) = keeper.verify()
    (written,) = keeper.verify_as_written()
    assert report.clean and written.clean
    # No worker finds anything that it could go on with.
    keeper.run(until_idle=True)
    assert [one.generation for one in keeper.status()] == [table.generation]
    return done


@pytest.mark.parametrize("freshness", ["commit", "tick"])
@on_engines_in_turn("stage", ["detached", "fill", "verify"])
def test_what_is_live_goes_on_and_nothing_is_filled(engine_url: str, stage: str, freshness: str) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    _declared(engine_url, FEW, freshness=freshness).apply()
    _begin(engine_url, OTHER, stage, freshness=freshness)
    shop.run(*WRITES)
    heard: list[str] = []
    keeper = _declared(engine_url, FEW, lambda event: heard.append(event.phase), freshness=freshness)
    plan = keeper.plan()
    assert [(step.verb, step.reason) for step in plan.steps] == [
        ("drop", "its definition is again the one that is live")
    ]
    assert "--allow-drop" not in plan_text(plan, statements=False, declared=1)
    done = _take_back(engine_url, FEW, detach=stage == "detached", freshness=freshness)
    assert done == ApplyReport((), (), (), given_up=("threads",)) and "given up" in apply_text(done, declared=0)
    assert {one.generation for one in keeper.status()} == {1} and not {"fill", "cutover"} & set(heard)


@on_engines_in_turn("stage", ["fill", "verify"])
@pytest.mark.parametrize("freshness", ["commit", "tick"])
def test_columns_of_a_table_of_the_users_are_what_they_were(engine_url: str, freshness: str, stage: str) -> None:
    shop = Shop(engine_url)
    shop.run(
        *SCHEMA,
        "CREATE TABLE totals (thread_id integer PRIMARY KEY, name text, n integer)",
        "INSERT INTO totals VALUES (1, 'one', 0), (2, 'two', 0), (3, 'three', 0)",
    )
    about = {"columns_of": "totals", "freshness": freshness}
    few = "SELECT t.thread_id, (SELECT count(*) FROM posts p WHERE p.thread_id = t.thread_id) AS n FROM totals t"
    other = few.replace("count(*)", "coalesce(max(p.score), 0)")
    _declared(engine_url, few, **about).apply()
    _begin(engine_url, other, stage, **about)
    shop.run(*WRITES)
    _take_back(engine_url, few, **about)


@pytest.mark.parametrize("stage", ["fill", "verify"])
def test_columns_that_were_gained_and_are_not_wanted_leave_it_true(engine_url: str, stage: str) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    _declared(engine_url, FEW).apply()
    _begin(engine_url, MORE, stage)
    shop.run(*WRITES)
    _take_back(engine_url, FEW)


def test_what_a_worker_finished_meanwhile_is_not_taken_away(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(engine_url)
    shop.run(*SCHEMA)
    _declared(engine_url, FEW).apply()
    _begin(engine_url, OTHER, "detached")
    keeper, take = _declared(engine_url, FEW), duties.take_lease

    def take_later(ledger: Ledger, clock: Clock, duty: str, *about: Any, **named: Any) -> Any:
        # Between the plan and the lease a worker fills it and shows it.
        if duty == "keep threads" and keeper.status()[-1].state == "backfilling":
            Tidemark(None, engine_url).run(until_idle=True)
        return take(ledger, clock, duty, *about, **named)

    monkeypatch.setattr(duties, "take_lease", take_later)
    with pytest.raises(Fault, match="went live since"):
        keeper.apply()
    assert keeper.status()[0].generation == 2 and _declared(engine_url, OTHER).verify()[0].clean


@on_engines_in_turn("freshness", ["tick", "commit"])
def test_who_gives_up_a_swap_at_any_moment_is_told_the_truth(
    engine_url: str, freshness: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before some transaction of a change of definition, each in its turn, an operator cancels it: what is accepted is done,
    however late, and what is refused goes live; readers have one of the two, which is kept true."""
    queries, accepted, first = [OTHER, FEW], list[bool](), TURN % STEP
    with contextlib.closing(open_session(engine_url)) as other:
        with other.transaction():
            for statement in SCHEMA:
                other.script(statement)
        _declared(engine_url, FEW, freshness=freshness).apply()
        while True:
            told = _Operator(engine_url, first + STEP * len(accepted))
            with monkeypatch.context() as patched:
                patched.setattr(duties.Duty, "write", told.write)
                try:
                    _declared(engine_url, queries[0], freshness=freshness).apply()
                    ended = "live"
                except Fault as problem:
                    ended = "cancelled" if "is cancelled" in str(problem) else str(problem)
            if told.accepted is None:
                break
            assert ended == ("cancelled" if told.accepted else "live"), len(accepted)
            query = queries[1] if told.accepted else queries[0]
            accepted.append(told.accepted)
            with other.transaction():
                other.run(f"INSERT INTO posts (id, thread_id, score) VALUES ({1000 + len(accepted)}, 1, 1)")
            _declared(engine_url, query, freshness=freshness).tick()
            assert sorted(other.all("SELECT * FROM threads"), key=repr) == sorted(other.all(query), key=repr)
            _declared(engine_url, queries[0], freshness=freshness).apply()
            queries.reverse()
    assert False in accepted


class _Operator:
    """Cancels before the transaction of that number; whether that was accepted, None where there are not so many."""

    def __init__(self, url: str, number: int) -> None:
        self._url, self._left, self._write = url, number, duties.Duty.write
        self.accepted: bool | None = None

    @property
    def write(self) -> Callable[..., Any]:
        def write(duty: duties.Duty, *about: Any, **more: Any) -> Any:
            self._left -= 1
            if self._left == -1:
                self.accepted = False
                self.accepted = _is_cancelled(self._url)
            return self._write(duty, *about, **more)

        return write


def _is_cancelled(url: str) -> bool:
    """Whether an operator who gives it up now is told that it is given up."""
    passed = [0.0]
    clock = Clock(now=lambda: passed[0], wait=lambda seconds: passed.__setitem__(0, passed[0] + seconds))
    project = Project("shop")
    project.derive("threads", query=FEW, freshness="tick")
    try:
        Tidemark(project, url, clock=clock).cancel_backfill("threads")
    except TidemarkError:
        return False
    return True
