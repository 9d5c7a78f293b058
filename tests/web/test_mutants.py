"""Planted mistakes: each is found by a test of this room.

Owns: the list. Promises: a mistake is one line that somebody could write; a test that does not fail on it is no test of that. A
plain run plants one in six.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.kit.size import in_turn
from tests.web import test_habits, test_health, test_looking, test_metrics, test_mounting, test_runs
from tests.web.conftest import Forum, begin, fill
from tidemark.database.postgres.habit import Habit
from tidemark.database.sqlite.session import SqliteSession
from tidemark.runtime.audit import record
from tidemark.runtime.operate import onlooker, overview, verdict
from tidemark.runtime.samples import Sampler
from tidemark.web import actions, answers, banner, house, shapes_runs
from tidemark.web.cached import Cached

Plant = Callable[[pytest.MonkeyPatch], None]


@pytest.fixture
def file_forum(sqlite_path: Path) -> Iterator[Forum]:
    """A forum of the test's own, in a file."""
    forum = fill(begin(f"sqlite:///{sqlite_path}"))
    yield forum
    forum.app.state.house.close()
    forum.session.close()


def failed_runs_are_forgotten(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(overview, "list_failed", lambda ledger: [])


def what_is_unknown_is_coming(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(verdict, "COMING", {**verdict.COMING, "unknown": "is coming"})
    plant.setattr(verdict, "_why_not", lambda *given: "")


def drift_is_no_matter(plant: pytest.MonkeyPatch) -> None:
    real = verdict._judge_table
    plant.setattr(verdict, "_judge_table", lambda one, *more: real(replace(one, drift=0), *more))


def captures_are_always_well(plant: pytest.MonkeyPatch) -> None:
    real = verdict._judge_table
    plant.setattr(verdict, "_judge_table", lambda one, *more: real(replace(one, captures="ok"), *more))


def policies_are_forgotten(plant: pytest.MonkeyPatch) -> None:
    real = house.find_unready
    plant.setattr(house, "find_unready", lambda view, tables, declared, policy: real(view, tables, declared, {}))


def a_replaced_file_is_read_on(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(SqliteSession, "is_current", lambda self: True)


def a_crowd_reads_each_for_itself(plant: pytest.MonkeyPatch) -> None:
    async def get(self: Any, who: str = "") -> Any:
        return self._take_off(0)

    plant.setattr(Cached, "get", get)


def a_schema_never_changes(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(SqliteSession, "schema_marker", lambda self: "")


def old_looks_are_kept(plant: pytest.MonkeyPatch) -> None:
    def forget(self: Any) -> None:
        self._kept = self._flight = None

    plant.setattr(Cached, "forget", forget)


def nothing_ever_changes(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(SqliteSession, "changes_marker", lambda self: "")


def holders_live_for_ever(plant: pytest.MonkeyPatch) -> None:
    real = overview.Overview
    plant.setattr(onlooker, "read_overview", lambda *given: _without_holders(overview.read_overview(*given)))
    assert real is overview.Overview


def _without_holders(view: overview.Overview) -> overview.Overview:
    return replace(view, holders=())


def any_token_will_do(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(actions.hmac, "compare_digest", lambda given, token: True)


def other_sites_may_act(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(actions, "_refuse_foreign", lambda request: None)


def nobody_is_written_down(plant: pytest.MonkeyPatch) -> None:
    plant.setattr("tidemark.runtime.audit._write", lambda *given: None)
    assert record is not None


def the_banner_tells_names(plant: pytest.MonkeyPatch) -> None:
    real = banner._item
    plant.setattr(banner, "_item", lambda one, names: real(one, True))


def answers_are_kept(plant: pytest.MonkeyPatch) -> None:
    plant.setitem(answers.HEADERS, "cache-control", "max-age=60")


def scripts_come_from_anywhere(plant: pytest.MonkeyPatch) -> None:
    plant.setitem(answers.HEADERS, "content-security-policy", "default-src *")


def samples_never_thin_out(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(Sampler, "every_seconds", property(lambda self: 1.0))


def counts_are_lost_when_a_transaction_fails(plant: pytest.MonkeyPatch) -> None:
    real = Sampler.write

    def write(self: Sampler, *given: Any) -> None:
        real(self, *given)
        self.wrote()

    plant.setattr(Sampler, "write", write)


def ended_runs_are_not_counted(plant: pytest.MonkeyPatch) -> None:
    plant.setattr("tidemark.runtime.runs._count", lambda *given: None)


def who_listens_goes_on(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(house.House, "hush", lambda self: None)


def lists_are_null(plant: pytest.MonkeyPatch) -> None:
    real = shapes_runs.of_past
    plant.setattr(shapes_runs, "of_past", lambda past, now: {**real(past, now), "holder": None})


def what_waits_is_true_now(plant: pytest.MonkeyPatch) -> None:
    plant.setattr(verdict, "_as_of", lambda tables, now: "")


FOUND_BY: tuple[tuple[Plant, Callable[..., None]], ...] = (
    (failed_runs_are_forgotten, test_health.test_a_failed_run_is_never_ready_until_one_is_done),
    (what_is_unknown_is_coming, test_health.test_a_state_that_nobody_knows_is_never_ready),
    (drift_is_no_matter, test_health.test_drift_is_never_ready),
    (captures_are_always_well, test_health.test_a_missing_capture_is_never_ready),
    (policies_are_forgotten, test_health.test_a_policy_says_what_ready_means),
    (a_crowd_reads_each_for_itself, test_mounting.test_two_hundred_who_look_cost_one_look),
    (nothing_ever_changes, test_mounting.test_while_nobody_commits_a_look_costs_one_question),
    (a_schema_never_changes, test_looking.test_an_eye_that_looked_before_sees_what_changed),
    (holders_live_for_ever, test_mounting.test_while_nobody_commits_a_look_costs_one_question),
    (any_token_will_do, test_runs.test_nobody_may_act_unless_told_so),
    (other_sites_may_act, test_runs.test_nobody_may_act_unless_told_so),
    (nobody_is_written_down, test_runs.test_what_is_done_is_done_and_audited),
    (the_banner_tells_names, test_mounting.test_the_banner_names_nothing_unless_allowed),
    (answers_are_kept, test_mounting.test_every_answer_has_the_security_headers),
    (scripts_come_from_anywhere, test_mounting.test_every_answer_has_the_security_headers),
    (samples_never_thin_out, test_runs.test_samples_thin_out_and_survive_a_transaction_that_fails),
    (counts_are_lost_when_a_transaction_fails, test_runs.test_samples_thin_out_and_survive_a_transaction_that_fails),
    (ended_runs_are_not_counted, test_metrics.test_a_scraper_reads_what_is_there),
    (who_listens_goes_on, test_metrics.test_who_listens_is_sent_away_when_the_server_ends),
    (lists_are_null, test_runs.test_the_history_comes_in_pages),
    (what_waits_is_true_now, test_health.test_what_waits_is_told_and_is_no_fault),
)


@pytest.mark.parametrize(
    ("plant", "test"),
    [one for number, one in enumerate(FOUND_BY) if in_turn(number, 6)],
    ids=lambda one: one.__name__,
)
def test_a_planted_mistake_is_found(plant: Plant, test: Callable[..., None], file_forum: Forum) -> None:
    with pytest.MonkeyPatch.context() as garden:
        plant(garden)
        asked = (
            {"monkeypatch": garden} if "monkeypatch" in test.__code__.co_varnames[: test.__code__.co_argcount] else {}
        )
        with pytest.raises((AssertionError, KeyError, pytest.fail.Exception)):
            test(file_forum, **asked)


def test_a_planted_look_that_is_kept_too_long_is_found() -> None:
    with pytest.MonkeyPatch.context() as garden:
        old_looks_are_kept(garden)
        with pytest.raises(AssertionError):
            test_looking.test_a_look_that_was_begun_before_something_was_done_is_not_kept()


def test_a_planted_file_that_is_replaced_is_found(tmp_path: Path, sqlite_path: Path) -> None:
    with pytest.MonkeyPatch.context() as garden:
        a_replaced_file_is_read_on(garden)
        with pytest.raises(AssertionError):
            test_health.test_a_file_that_is_replaced_is_not_read_on(tmp_path, sqlite_path)


def test_a_planted_habit_of_answering_as_before_is_found(pg_database: str) -> None:
    known: dict[str, Any] = {}
    real = Habit.answer

    def answer(self: Habit, sql: str, parameters: Any) -> Any:
        found = real(self, sql, parameters)
        return found if found is None else known.setdefault(f"{sql}{parameters}", found)

    forum = fill(begin(pg_database))
    with pytest.MonkeyPatch.context() as garden:
        garden.setattr(Habit, "answer", answer)
        with pytest.raises(AssertionError):
            test_habits.test_whoever_has_habits_sees_what_changed(forum)
    forum.app.state.house.close()
    forum.session.close()
