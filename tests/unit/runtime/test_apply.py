"""Plans and their execution: create, replace, rename, reinstall, resume, drop, on both engines."""

import contextlib

import pytest

from tests.unit.runtime.place import World, open_world
from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.errors import Code, Fault, Refusal, TidemarkError
from tidemark.names import ledger
from tidemark.runtime.changes.apply import apply_plan
from tidemark.runtime.changes.uninstall import uninstall
from tidemark.runtime.operate.status import read_status
from tidemark.runtime.ticks.tick import tick
from tidemark.runtime.truth.verify import verify

FRESHNESSES = ("commit", "tick")


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_created_table_is_true_and_the_next_plan_is_empty(world: World, freshness: str) -> None:
    assert [step.verb for step in world.plan(world.wanted(freshness)).steps] == ["create"]
    assert world.apply(world.wanted(freshness)).live == ("thread_stats",)
    assert world.shown() == world.truth()
    plan = world.plan(world.wanted(freshness))
    assert plan.is_empty, plan
    assert plan.orphans == ()
    assert world.apply(world.wanted(freshness)).live == ()


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_removed_declaration_goes_with_what_was_built_beside_it(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    world.apply(world.wanted(freshness, score_min=2), detach=True)
    assert [row.live_at is None for row in world.duty.ledger.derived()] == [False, True]
    world.apply(allow_drop=True)
    assert world.duty.ledger.derived() == () and world.plan().is_empty


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_changed_definition_is_built_beside_and_swapped(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    plan = world.plan(world.wanted(freshness, score_min=3))
    assert [(step.verb, step.reason) for step in plan.steps] == [
        ("replace", 'its definition changed: its query says "score >= 3", and not "score >= 0"')
    ]
    world.apply(world.wanted(freshness, score_min=3))
    assert world.shown() == world.truth(3)
    assert [(row.generation, row.state) for row in world.duty.ledger.derived()] == [(2, "live")]
    assert world.plan(world.wanted(freshness, score_min=3)).is_empty
    assert not [name for name in world.duty.session.installed() if name.endswith("thread_stats") and "_g2" not in name][
        1:
    ]


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_removed_declaration_is_a_drop_that_wants_consent(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    plan = world.plan()
    assert [(step.verb, step.destructive) for step in plan.steps] == [("drop", True)]
    with pytest.raises(Refusal) as refused:
        world.apply()
    assert refused.value.code is Code.DROP_NOT_ALLOWED
    assert world.shown() == world.truth()
    world.apply(allow_drop=True)
    assert world.duty.ledger.derived() == ()
    assert not [name for name in world.duty.session.installed() if "thread_stats" in name]
    # A worker that still has a plan of the table that is gone must not take another one for it.
    world.apply(world.wanted(freshness, score_min=3))
    assert [row.generation for row in world.duty.ledger.derived()] == [2]
    assert world.shown() == world.truth(3)


def test_a_renamed_declaration_lives_on_under_the_new_name(world: World) -> None:
    world.apply(world.wanted())
    renamed = world.wanted(name="stats_of_threads", was="thread_stats")
    assert [step.verb for step in world.plan(renamed).steps] == ["rename", "drop"]
    world.apply(renamed)
    assert world.shown("stats_of_threads") == world.truth()
    assert [row.name for row in world.duty.ledger.derived()] == ["stats_of_threads"]
    assert world.plan(renamed).is_empty


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_dropped_capture_is_a_gap_that_is_filled_again(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    world.write(world.trigger(freshness).drop)
    world.posts((1000, 3, 5))
    plan = world.plan(world.wanted(freshness))
    assert [step.verb for step in plan.steps] == ["reinstall"]
    assert "missing" in plan.steps[0].reason and "missed" in plan.steps[0].reason
    world.apply(world.wanted(freshness))
    assert world.shown() == world.truth()
    assert world.plan(world.wanted(freshness)).is_empty


def test_a_dropped_view_comes_back_without_a_gap(world: World) -> None:
    world.apply(world.wanted("commit"))
    world.write("DROP VIEW thread_stats")
    assert [step.verb for step in world.plan(world.wanted("commit")).steps] == ["reinstall"]
    verified = world.row().verified_at
    world.apply(world.wanted("commit"))
    assert world.shown() == world.truth()
    assert world.row().verified_at == verified


def test_lost_rows_are_rebuilt_in_a_new_generation(world: World) -> None:
    world.apply(world.wanted("tick"))
    world.write("DROP VIEW thread_stats")
    world.write(f"DROP TABLE {world.store()}")
    assert [step.verb for step in world.plan(world.wanted("tick")).steps] == ["replace"]
    world.apply(world.wanted("tick"))
    assert world.shown() == world.truth()
    assert world.plan(world.wanted("tick")).is_empty


def test_a_name_of_the_users_is_refused(world: World) -> None:
    world.write("CREATE TABLE thread_stats (a INTEGER)")
    with pytest.raises(Refusal) as refused:
        world.plan(world.wanted())
    assert refused.value.code is Code.NAME_TAKEN


def test_two_tables_live_side_by_side(world: World) -> None:
    world.apply(world.wanted("commit"), world.wanted("tick", score_min=2, name="good_posts"))
    assert world.shown() == world.truth()
    assert world.shown("good_posts") == world.truth(2)
    world.apply(world.wanted("commit"), allow_drop=True)
    assert [row.name for row in world.duty.ledger.derived()] == ["thread_stats"]
    world.posts((500, 1, 1))
    assert world.shown() == world.truth()


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_uninstalling_leaves_nothing_of_ours(world: World, freshness: str) -> None:
    world.apply(world.wanted(freshness))
    world.posts((501, 1, 1))
    uninstall(world.duty)
    assert world.duty.session.installed() == {}
    assert not world.duty.ledger.exists()
    world.posts((502, 1, 1))
    uninstall(world.duty)


@pytest.mark.parametrize("name", ["thread_stats", "n" * 63])
@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_uninstalling_can_leave_plain_tables(world: World, freshness: str, name: str) -> None:
    world.apply(world.wanted(freshness, name=name))
    before = world.shown(name)
    uninstall(world.duty, keep_data=True)
    assert world.duty.session.installed() == {}
    assert world.shown(name) == before
    table = world.duty.session.catalog().find(name)
    assert table is not None and table.kind == "table"
    assert table.uniques[0].terms == ("thread_id",)


def test_a_detached_apply_leaves_the_filling(world: World) -> None:
    report = world.apply(world.wanted(), detach=True)
    assert report.begun == ("thread_stats",)
    assert world.row().state == "backfilling"
    assert [step.verb for step in world.plan(world.wanted()).steps] == ["resume"]
    world.apply(world.wanted())
    assert world.shown() == world.truth()


def test_a_definition_that_changes_while_it_is_built_begins_anew(world: World) -> None:
    world.apply(world.wanted(), detach=True)
    world.apply(world.wanted(score_min=4))
    assert world.shown() == world.truth(4)
    assert [(row.generation, row.state) for row in world.duty.ledger.derived()] == [(2, "live")]


def test_a_failed_replacement_leaves_the_old_one_live(world: World) -> None:
    world.apply(world.wanted("commit"))
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    world.duty.stop = stop
    with pytest.raises(Exception, match="interrupted"):
        world.apply(world.wanted("commit", score_min=2))
    world.duty.stop = lambda: False
    assert world.shown() == world.truth()
    world.posts((700, 4, 6))
    assert world.shown() == world.truth()
    world.apply(world.wanted("commit", score_min=2))
    assert world.shown() == world.truth(2)


def test_a_verification_after_apply_is_clean(world: World) -> None:
    world.apply(world.wanted("commit"))
    report = verify(world.duty, world.row())
    assert (report.keys, report.drift) == (10, 0)


@pytest.mark.parametrize("freshness", FRESHNESSES)
def test_a_view_of_the_users_on_a_derived_table_stops_its_end_and_leaves_it_true(world: World, freshness: str) -> None:
    if world.duty.session.dialect.writers_wait_in_line:
        # SQLite lets a view lose what it stands on; its author sees the error at the next read.
        return
    world.apply(world.wanted(freshness))
    world.write("CREATE VIEW of_the_user AS SELECT * FROM thread_stats")
    with pytest.raises(TidemarkError, match="of_the_user"):
        uninstall(world.duty)
    with pytest.raises(TidemarkError, match="of_the_user"):
        world.apply(allow_drop=True)
    assert world.row().state == "live"
    world.posts((900, 3, 3))
    tick(world.leased(), world.script(freshness))
    assert world.shown() == world.truth()
    world.write("DROP VIEW of_the_user")
    world.write(f"UPDATE {ledger(world.duty.session.dialect, 'lease')} SET expires = ''")
    uninstall(world.duty)
    assert world.duty.session.installed() == {}


def test_a_plan_that_was_overtaken_is_made_anew_or_refused(world: World) -> None:
    stale = world.plan(world.wanted("commit"))
    world.apply(world.wanted("commit"))
    with pytest.raises(Fault, match="since the plan was made"):
        apply_plan(world.duty, stale, "epoch")
    done = apply_plan(world.duty, stale, "epoch", again=lambda: world.plan(world.wanted("commit")))
    assert done.live == ()
    with pytest.raises(Refusal) as refused:
        apply_plan(world.duty, stale, "epoch", again=world.plan)
    assert refused.value.code is Code.DROP_NOT_ALLOWED
    assert world.shown() == world.truth()


def test_what_another_project_declares_is_dropped_by_its_name_only(engine_url: str) -> None:
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.script("CREATE TABLE t (id integer PRIMARY KEY, g integer)")
    one, other = Project("one"), Project("other")
    one.derive("counted", key="g", query="SELECT g, count(*) AS n FROM t GROUP BY g")
    other.derive("summed", key="g", query="SELECT g, sum(id) AS n FROM t GROUP BY g")
    Tidemark(one, engine_url).apply()
    with pytest.raises(Refusal, match="counted would be dropped .* project other does not declare what one does"):
        Tidemark(other, engine_url).apply()
    assert [row.name for row in Tidemark(None, engine_url).status()] == ["counted"]
    Tidemark(other, engine_url).apply(allow_drop=True)
    with pytest.raises(Refusal, match="summed would be dropped with all rows. Instead: .* put the declaration back"):
        Tidemark(Project("other"), engine_url).apply()


def test_rows_that_are_many_are_told_by_how_full_the_pages_are_and_how_many_there_are_now(pg_database: str) -> None:
    """A table was counted when it was half as big, or twice as big."""
    with open_world(pg_database) as world:
        world.apply(world.wanted("commit"))
        world.write(f"UPDATE pg_class SET reltuples = 250000, relpages = 2 WHERE oid = '{world.store()}'::regclass")
        (status,) = read_status(world.duty.ledger)
        assert (status.rows, status.rows_estimated) == (125_000, True)
        world.write(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = '{world.store()}'::regclass")
        (status,) = read_status(world.duty.ledger)
        assert (status.rows, status.rows_estimated) == (10, False)
