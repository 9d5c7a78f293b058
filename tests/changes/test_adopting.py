"""What an operator is told of columns that other code keeps: before the query takes over, beside it, and afterwards."""

import contextlib
from dataclasses import replace

import pytest

from tests.changes.shop import SCHEMA, Shop
from tidemark import Project, Tidemark
from tidemark.cli.reports import plan_text, status_text
from tidemark.cli.reports_truth import adoption_text
from tidemark.database.open import open_session
from tidemark.errors import Code, Refusal

QUERY = "SELECT t.thread_id, (SELECT count(*) FROM posts p WHERE p.thread_id = t.thread_id) AS n FROM totals t"


def test_it_says_who_keeps_the_columns_and_what_to_do_next(engine_url: str) -> None:
    shop = Shop(engine_url)
    shop.run(
        *SCHEMA,
        "CREATE TABLE totals (thread_id integer PRIMARY KEY, n integer)",
        "INSERT INTO totals VALUES (1, 2), (2, 9)",
    )
    project = Project("shop")
    project.derive("it's", query=QUERY, key="thread_id", columns_of="totals", freshness="commit")
    keeper = Tidemark(project, engine_url)
    totals = "public.totals" if engine_url.startswith("postgresql") else "totals"
    over = f"overwrites n of {totals}, whatever stands there: `tidemark adopt 'it'\"'\"'s'` compares first"
    assert over in plan_text(keeper.plan(), declared=1, statements=False)
    before = keeper.adopt("it's")
    assert (before.wrong, before.kept) == (1, False) and "thread_id=2: n is 9, and the query says 1" in adoption_text(
        before
    )
    assert "Nothing was changed" in adoption_text(before)
    beside = keeper.adopt("it's", shadow=True)
    assert "overwrites" not in plan_text(keeper.plan(), declared=1, statements=False)
    assert not beside.kept and "is kept beside totals" in adoption_text(beside)
    _assert_shadow(keeper, 1)
    shop.run("UPDATE totals SET n = 1 WHERE thread_id = 2")
    _assert_shadow(keeper, 1)
    assert keeper.adopt("it's", shadow=True).wrong == 0
    _assert_shadow(keeper, 0)
    assert "keeps them from now on" in adoption_text(keeper.adopt("it's", take_over=True))
    assert [one.shadow for one in keeper.status()] == [None] and "shadow" not in status_text(keeper.status())
    # Whoever looks again is not sent to do what is done.
    after = keeper.adopt("it's")
    assert (after.wrong, after.kept, after.taken) == (0, True, False)
    assert "keeps them already. Next: tidemark verify 'it'\"'\"'s'" in adoption_text(after)
    shop.run("UPDATE totals SET n = 7 WHERE thread_id = 1")
    again = keeper.adopt("it's")
    assert again.wrong == 1 and "something else wrote them. Next: tidemark repair" in adoption_text(again)
    keeper.repair("it's")
    assert keeper.adopt("it's").wrong == 0


def _assert_shadow(keeper: Tidemark, differing: int) -> None:
    """The status tells since when others write beside, and how that was when somebody looked last."""
    (one,) = keeper.status()
    shadow = one.shadow
    assert shadow is not None and shadow.compared_at is not None and shadow.since <= shadow.compared_at
    assert (shadow.table, shadow.rows, shadow.rows_differing) == ("totals", 2, differing)
    told = status_text([one])
    assert f"is in shadow of totals, which others go on writing, since {shadow.since[:10]}" in told
    assert f"{differing} of 2 rows differ{'s' if differing == 1 else ''}. Next: tidemark adopt 'it'\"'\"'s'" in told
    assert one.as_json()["shadow"]["rows_differing"] == differing
    begun = replace(one, shadow=replace(shadow, compared_at=None))
    assert "not compared yet. Next: tidemark adopt" in status_text([begun])


def test_it_names_the_index_that_helps_and_who_keeps_what_is_carried_on(engine_url: str) -> None:
    """A baseline is kept by ticks, for which a worker is needed; what would help is named before anything is taken over."""
    shop = Shop(engine_url)
    shop.run(
        *SCHEMA,
        "CREATE TABLE replies (id integer PRIMARY KEY, parent_id integer)",
        "CREATE TABLE totals (thread_id integer PRIMARY KEY, n integer)",
        "INSERT INTO totals VALUES (1, 2), (2, 9)",
    )
    project = Project("shop")
    query = "SELECT t.thread_id, (SELECT count(*) FROM replies r WHERE r.parent_id = t.thread_id) AS n FROM totals t"
    project.derive("kept", query=query, key="thread_id", columns_of="totals")
    keeper = Tidemark(project, engine_url)
    looked = adoption_text(keeper.adopt("kept"))
    assert "index that would help: CREATE INDEX" in looked and "parent_id" in looked
    # That command would take the columns over.
    assert "--create-indexes" not in looked and "tidemark adopt kept --shadow" in looked
    shadow = adoption_text(keeper.adopt("kept", shadow=True))
    assert "index that would help: CREATE INDEX" in shadow and "tidemark apply --create-indexes" in shadow
    carried = keeper.adopt("kept", baseline=True)
    assert (carried.freshness, carried.standing, carried.wrong) == ("tick", "baseline", 0)
    assert "keeps them at ticks: what differs waits for one" in adoption_text(
        replace(keeper.adopt("kept"), counts=(("n", 1),))
    )
    told = adoption_text(carried)
    assert "at ticks, so that a worker has to run. Next: tidemark run" in told
    assert "with what they were ahead of it when they were taken over" in told


def test_a_baseline_of_groups_is_kept_and_one_that_is_refused_changes_nothing(
    engine_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a row is a group what it is ahead is added to that; what is refused leaves the adoption where it stood."""
    shop = Shop(engine_url)
    shop.run(*SCHEMA, "CREATE TABLE totals (thread_id integer PRIMARY KEY, n integer, m integer)")
    shop.run("INSERT INTO totals VALUES (1, 7, NULL), (2, 1, 5), (3, 0, NULL)")
    project = Project("shop")
    project.derive(
        "kept",
        query="SELECT t.thread_id, count(p.id) AS n, max(p.id) AS m FROM totals t LEFT JOIN posts p "
        "ON p.thread_id = t.thread_id GROUP BY t.thread_id",
        columns_of="totals",
    )
    keeper = Tidemark(project, engine_url)
    keeper.adopt("kept", shadow=True)

    def refuse(duty: object) -> None:
        raise Refusal(Code.UNSUPPORTED, "no", instead="yes")

    with monkeypatch.context() as patch, pytest.raises(Refusal):
        patch.setattr(keeper, "_plan", refuse)
        keeper.adopt("kept", baseline=True)
    assert keeper.adopt("kept").standing == "shadow" and keeper.plan().is_empty
    assert keeper.adopt("kept", baseline=True).standing == "baseline"
    assert keeper.verify()[0].clean and not keeper.verify()[0].notes
    shop.run("INSERT INTO posts VALUES (5, 1, 1, 1, 1)", "DELETE FROM posts WHERE id = 3")
    keeper.tick()
    with contextlib.closing(open_session(engine_url)) as session:
        # What was NULL there and is not in the query counts as nothing, and so the other way round.
        assert session.all("SELECT * FROM totals ORDER BY 1") == [(1, 8, 3), (2, 0, 2), (3, 0, None)]
    assert keeper.verify()[0].clean
    assert keeper.adopt("kept", take_over=True).wrong == 0
