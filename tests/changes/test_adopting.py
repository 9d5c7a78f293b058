"""What an operator is told of columns that other code keeps: before the query takes over, beside it, and afterwards."""

from tests.changes.shop import SCHEMA, Shop
from tidemark import Project, Tidemark
from tidemark.cli.reports_truth import adoption_text

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
    before = keeper.adopt("it's")
    assert (before.wrong, before.kept) == (1, False) and "thread_id=2: n is 9, and the query says 1" in adoption_text(
        before
    )
    assert "Nothing was changed" in adoption_text(before)
    beside = keeper.adopt("it's", shadow=True)
    assert not beside.kept and "is kept beside totals" in adoption_text(beside)
    assert "keeps them from now on" in adoption_text(keeper.adopt("it's", take_over=True))
    # Whoever looks again is not sent to do what is done.
    after = keeper.adopt("it's")
    assert (after.wrong, after.kept, after.taken) == (0, True, False)
    assert "keeps them already. Next: tidemark verify 'it'\"'\"'s'" in adoption_text(after)
    shop.run("UPDATE totals SET n = 7 WHERE thread_id = 1")
    again = keeper.adopt("it's")
    assert again.wrong == 1 and "something else wrote them. Next: tidemark repair" in adoption_text(again)
    keeper.repair("it's")
    assert keeper.adopt("it's").wrong == 0
