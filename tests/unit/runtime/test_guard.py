"""The cost guard: what it chooses, what it says, and that a choice changes no row."""

import contextlib
from collections.abc import Iterator
from unittest import mock

import pytest

from tests.simulation.ways import ways_of
from tidemark import Project, Tidemark, first, ratchet
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.runtime.ticks import at_once, guard, portions, rival, tick
from tidemark.runtime.ticks.guard import Choice, Cost, Offer, Way, choose

SCHEMA = """
CREATE TABLE forums (id INTEGER PRIMARY KEY, title TEXT);
CREATE TABLE posts (id INTEGER PRIMARY KEY, forum_id INTEGER, author TEXT, score INTEGER);
CREATE INDEX posts_by_forum ON posts (forum_id);
"""
SERIES = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {to}) SELECT i FROM n",
    "postgres": "SELECT i FROM generate_series(1, {to}) AS n(i)",
}
KEYED = (
    "SELECT f.id, p.author, count(p.id) AS posts, max(p.score) AS best FROM forums f LEFT JOIN posts p ON p.forum_id = f.id "
    "GROUP BY f.id, p.author"
)


def _project() -> Project:
    project = Project("forum")
    project.derive("authors", query=KEYED, freshness="tick")
    project.derive("scores", query="SELECT author, sum(score) AS s FROM posts GROUP BY author", freshness="tick")
    project.derive(
        "ranks",
        key="id",
        query="SELECT id, row_number() OVER (ORDER BY score, id) AS place FROM posts",
        allow_global=True,
    )
    return project


@pytest.fixture
def forum(engine_url: str) -> Iterator[tuple[Tidemark, Session]]:
    with contextlib.closing(open_session(engine_url)) as user:
        with user.transaction():
            user.script(SCHEMA)
            _post(user, 40, "INSERT INTO forums SELECT i, 'f' FROM ({series}) AS n")
            _post(
                user,
                900,
                "INSERT INTO posts SELECT i, i % 40, CASE WHEN i % 7 > 0 THEN 'a' || (i % 7) END, i % 11 FROM ({series}) AS n",
            )
        yield Tidemark(_project(), engine_url), user


def _post(user: Session, to: int, text: str) -> None:
    user.run(text.format(series=SERIES[user.dialect.name].format(to=to)))


def _is_true(user: Session, query: str, name: str) -> bool:
    return sorted(map(repr, user.all(f"SELECT * FROM {name}"))) == sorted(map(repr, user.all(query)))


def test_the_usual_way_is_left_for_a_clear_gain_only() -> None:
    usual, full = Offer("keyed", 900, "900 units", 80.0), Offer("full", 50, "the whole result", 30.0)
    assert choose([usual, full]) == Choice(
        "full", "full: about 30 ms for the whole result; keyed would take about 80 ms for 900 units", 50
    )
    near = Offer("full", 50, "the whole result", 45.0)
    assert choose([usual, near]) == Choice(
        "keyed", "keyed: about 80 ms for 900 units; full would take about 45 ms for the whole result", 900
    )
    barred = Offer(
        "full", 50, "the whole result", 30.0, "take about 12 s, and no transaction may take more than 250 ms"
    )
    assert choose([usual, barred]).reason.endswith(
        "full would take about 12 s, and no transaction may take more than 250 ms"
    )


@pytest.mark.parametrize(
    ("work", "ms", "few", "chosen"),
    [(3.0, 4.0, 2, "keyed"), (2.0, 300.0, 100, "full"), (2.0, 300.0, 1, "full"), (2.0, 300.0, 0, "keyed")],
    ids=["small units", "a hundred huge ones", "one huge one", "none"],
)
def test_few_units_are_weighed_when_they_took_long_before(work: float, ms: float, few: int, chosen: str) -> None:
    script = mock.Mock(tick=mock.Mock(full="full", products=None), applier=mock.Mock(units=("id",)))
    known = {"keyed": Cost("keyed", work, ms, 1, "")}
    with (
        mock.patch.object(guard, "list_costs", return_value=known),
        mock.patch.object(guard, "offer_full", return_value=Offer("full", 50, "the whole result", 60.0)),
    ):
        choice = guard.choose_for(mock.Mock(), script, "keyed", few, "unit")
    assert choice.way == chosen, choice.reason


def test_few_changes_go_the_usual_way_and_it_is_said_where_an_operator_looks(forum: tuple[Tidemark, Session]) -> None:
    tidemark, user = forum
    tidemark.apply()
    with user.transaction():
        user.run("UPDATE posts SET score = 3 WHERE id = 5")
    tidemark.tick()
    said = {status.name: (status.as_json()["way"], status.as_json()["reason"]) for status in tidemark.status()}
    assert said["authors"] == ("keyed", "keyed: 2 changes are few")
    assert said["scores"] == ("delta", "delta: 2 changes are few")
    assert said["ranks"] == ("full", "full: every change may touch every row")
    assert tidemark.history("authors")[0].message == "keyed: 2 changes are few"
    assert "the last batch: keyed: 2 changes are few" in tidemark.explain("authors").measured


def test_many_changes_are_made_true_by_the_whole_result(forum: tuple[Tidemark, Session]) -> None:
    tidemark, user = forum
    tidemark.apply()
    with user.transaction():
        for score in range(3):
            user.run(f"UPDATE posts SET score = {score}, forum_id = forum_id + 1")
        user.run("DELETE FROM posts WHERE author = 'a1'")
        user.run("DELETE FROM forums WHERE id > 30")
    # However busy the machine was when it was verified.
    with mock.patch.object(guard, "MARGIN", 1e6):
        tidemark.tick()
    (past,) = tidemark.history("authors", 1)
    assert past.message is not None and past.message.startswith("full: about ")
    assert "keyed would take about" in past.message
    for name, query in {one.name: one.query_for(user.dialect.name) or "" for one in _project().declarations}.items():
        assert _is_true(user, query, name)
    assert tidemark.tick()[0].transactions == 0
    measured = tidemark.explain("authors").measured
    assert any(said.startswith("full, 1 time: lately ") for said in measured)
    with user.transaction():
        user.run("INSERT INTO posts VALUES (5000, 1, 'a1', 1)")
    assert tidemark.tick()[0].changes_sealed == 1
    assert _is_true(user, KEYED, "authors")


@pytest.mark.parametrize("way", ["full", "turns", "left"])
def test_no_way_changes_a_row(forum: tuple[Tidemark, Session], way: str) -> None:
    tidemark, user = forum
    tidemark.apply()
    with ways_of(way):
        for number in range(4):
            with user.transaction():
                user.run(f"UPDATE posts SET author = NULL, score = score + {number} WHERE id % 5 = {number}")
                user.run(f"DELETE FROM posts WHERE id % 9 = {number}")
            tidemark.tick()
            for one in _project().declarations:
                assert _is_true(user, one.query_for(user.dialect.name) or "", one.name)
    assert all(report.clean for report in tidemark.verify())


def _usual(_: object, __: object, way: Way, work: int, word: str) -> Choice:
    return Choice(way, "by decree")


@pytest.mark.parametrize("few", [False, True], ids=["after some steps", "in the first transaction"])
def test_a_way_that_has_taken_longer_than_the_whole_result_is_left(forum: tuple[Tidemark, Session], few: bool) -> None:
    tidemark, user = forum
    tidemark.apply()
    with user.transaction():
        user.run("UPDATE posts SET score = score + 1, author = 'b' || (id % 30)" + (" WHERE id = 7" if few else ""))
    offered = mock.patch.object(rival, "offer_full", return_value=Offer("full", 50, "the whole result", 0.0))
    apart = mock.patch.object(portions, "FIRST_UNITS", 7)
    with apart, offered, mock.patch.object(rival, "LONG_MS", 0.0), contextlib.ExitStack() as stack:
        for room in (tick, at_once):
            stack.enter_context(mock.patch.object(room, "choose_for", _usual))
        reports = {report.derived: report for report in tidemark.tick()}
    (past,) = tidemark.history("authors", 1)
    assert past.message is not None
    assert past.message.startswith("full: about 0 ms for the whole result; keyed has taken "), past.message
    assert all(report.drained for report in reports.values())
    assert _is_true(user, KEYED, "authors") and tidemark.tick()[0].transactions == 0
    # It is dearer from now on than whatever it was assumed to be, so that the next tick begins with the whole result.
    if not few:
        with user.transaction():
            user.run("UPDATE posts SET score = score + 1")
        with mock.patch.object(guard, "offer_full", return_value=Offer("full", 50, "the whole result", 0.001)):
            tidemark.tick()
        assert "keyed would take about" in str(tidemark.history("authors", 1)[0].message)
        assert _is_true(user, KEYED, "authors")


def test_what_the_whole_result_takes_is_known_before_the_first_tick(forum: tuple[Tidemark, Session]) -> None:
    tidemark, user = forum
    tidemark.apply()
    assert not any(status.as_json()["way"] for status in tidemark.status())
    with user.transaction():
        user.run("INSERT INTO posts VALUES (5000, 1, 'a1', 1)")
    tidemark.tick()
    measured = tidemark.explain("authors").measured
    assert any(said.startswith("full, 0 times: lately ") for said in measured)
    assert "the last batch: keyed: 1 change are few" in measured


def test_what_is_remembered_is_folded_into_the_whole_result(forum: tuple[Tidemark, Session], engine_url: str) -> None:
    _, user = forum
    project, query = Project("kept"), "SELECT author, max(score) AS best, count(*) AS n FROM posts GROUP BY author"
    project.derive("lost", query=query, keep={"best": ratchet()}, freshness="tick")
    project.derive("kept", query=query, keep={"best": ratchet(), "n": first()}, keep_rows=True, freshness="tick")
    tidemark = Tidemark(project, engine_url)
    tidemark.apply()
    with user.transaction():
        user.run("DELETE FROM posts WHERE author = 'a1'")
        user.run("UPDATE posts SET score = 3")
        user.run("INSERT INTO posts VALUES (5000, 1, NULL, 12), (5001, 1, 'new', 4)")
    with ways_of("full"):
        tidemark.tick()
    assert {str(past.message) for name in ("lost", "kept") for past in tidemark.history(name, 1)} == {"full: by decree"}
    counted = {author: (best, n) for author, best, n in user.all(query)}
    for name in ("lost", "kept"):
        found = {author: (best, n) for author, best, n in user.all(f"SELECT author, best, n FROM {name}")}
        assert {author: best for author, (best, _) in found.items()} == {
            **dict.fromkeys(counted, 10), **({"a1": 10} if name == "kept" else {}), None: 12, "new": 4
        }  # fmt: skip
        if name == "lost":
            assert {author: n for author, (_, n) in found.items()} == {author: n for author, (_, n) in counted.items()}
        else:
            assert found["a1"][1] > 100 and found["new"][1] == 1 and found[None][1] == counted[None][1] - 1
    assert all(report.clean for report in tidemark.verify())


def test_sampled_inputs_have_a_whole_result_where_their_values_are_frozen(
    forum: tuple[Tidemark, Session], engine_url: str
) -> None:
    project = Project("sampled")
    query = "SELECT p.id, p.score, (SELECT count(*) FROM forums f) AS forums FROM posts p"
    project.derive("moving", query=query, sampled=["forums"], freshness="tick")
    project.derive("frozen", query=query, sampled=["forums"], keep={"forums": first()}, freshness="tick")
    assert {
        script.name: script.tick is not None and script.tick.full is not None
        for script in Tidemark(project, engine_url).sql()
    } == {
        "moving": False,
        "frozen": True,
    }


def test_sums_that_differ_in_many_rows_are_written_in_one_transaction(
    forum: tuple[Tidemark, Session], engine_url: str
) -> None:
    _, user = forum
    patient = Tidemark(_project(), engine_url, hold_ms=500.0)
    patient.apply()
    with user.transaction():
        _post(user, 2_500, "INSERT INTO posts SELECT 2000 + i, i % 40, 'b' || i, i % 11 FROM ({series}) AS n")
    with ways_of("full"):
        (report,) = [one for one in patient.tick() if one.derived == "scores"]
    assert (report.rows_written, report.transactions) == (2_500, 1)
    assert _is_true(user, "SELECT author, sum(score) AS s FROM posts GROUP BY author", "scores")


def test_what_an_empty_table_took_is_not_for_its_size() -> None:
    known = {"full": Cost("full", 16.0, 8.0, 0, "")}
    with mock.patch.object(guard, "measure", return_value=10_000.0):
        offered = guard.offer_full(mock.Mock(), mock.Mock(klass="keyed"), known, usual_ms=1e9)
    assert offered.ms < 300 and not offered.barred


def test_a_source_that_is_read_in_several_places_is_followed_once(
    forum: tuple[Tidemark, Session], engine_url: str
) -> None:
    project = Project("twice")
    read = "(SELECT {what} FROM posts {alias} WHERE {alias}.forum_id = {key}) AS {alias}"
    columns = [read.format(what=what, alias=alias, key=key) for what, alias, key in (
        ("count(*)", "p", "f.id"), ("max(score)", "q", "f.id"), ("min(score)", "r", "f.id + 1")
    )]  # fmt: skip
    project.derive("twice", query=f"SELECT f.id, {', '.join(columns)} FROM forums f", freshness="tick")
    (script,) = Tidemark(project, engine_url).sql()
    found = {log.source: [one.text for one in log.affected] for log in script.tick.logs} if script.tick else {}
    told = [[alias for alias in ("p", "q", "r") if f'"{alias}"' in text] for text in found["posts"]]
    # Those of the third go by way of the forum before, as it is: one that went finds its unit by itself.
    assert sorted(told) == [["q"], ["r"]]
