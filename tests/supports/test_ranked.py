"""The most frequent value of a key, in supports: true at ticks, read in as many rows as there are different values."""

import pytest

from tests.supports.plays import Plays
from tidemark import Project
from tidemark.compiler import supports

FIRST = (
    "FROM plays p WHERE p.user_id = u.id AND p.hidden = 0 "
    "GROUP BY p.track ORDER BY count(*) DESC, max(p.seconds) DESC, p.track"
)
RANKED = {
    "favourite": f"SELECT u.id, u.name, (SELECT p.track {FIRST} LIMIT 1) AS track, "
    f"coalesce((SELECT count(*) + max(p.seconds) {FIRST} LIMIT 1), 0) AS plays FROM users u",
    "rarest": "SELECT u.id, (SELECT coalesce(q.track, 'none') || ' of ' || u.name FROM plays q WHERE u.id = q.user_id "
    "GROUP BY coalesce(q.track, 'none') ORDER BY count(*), 1 LIMIT 1) AS track FROM users u",
}


def ranked(*names: str, **options: object) -> Project:
    """A project with these declarations, or with all of them."""
    project = Project("plays")
    for name in names or tuple(RANKED):
        project.derive(name, key="id", query=RANKED[name], **{"support": True, **options})  # type: ignore[arg-type]
    return project


TWICE = {
    "shared": "SELECT o.a, o.b, (SELECT p.track FROM plays p WHERE p.user_id = o.a AND p.user_id = o.b "
    "GROUP BY p.track, p.track ORDER BY count(*) DESC, p.track LIMIT 1) AS track FROM pairs o",
    "different": "SELECT o.a, o.b, (SELECT count(DISTINCT p.track) FROM plays p WHERE p.user_id = o.a AND p.user_id = o.b) AS n "
    "FROM pairs o",
}


MODES = {
    "often": "SELECT user_id, mode() WITHIN GROUP (ORDER BY track) AS track, mode() WITHIN GROUP (ORDER BY track DESC) AS last, "
    "count(*) AS plays FROM plays WHERE hidden = 0 GROUP BY user_id HAVING count(*) > 1",
    "lengths": "SELECT (user_id + 1) / 2 AS pair, hidden, mode() WITHIN GROUP (ORDER BY length(track)) AS often FROM plays "
    "GROUP BY (user_id + 1) / 2, hidden",
}


def _differ(place: Plays, queries: dict[str, str] = RANKED) -> list[str]:
    return [
        name
        for name, query in queries.items()
        if sorted(place.user.all(f"SELECT * FROM {name}"), key=repr) != sorted(place.user.all(query), key=repr)
    ]


def test_the_first_of_the_groups_is_followed(place: Plays) -> None:
    keeper = place.keep(ranked())
    keeper.apply()
    assert _differ(place) == []
    for _ in range(25):
        place.write(*(place.change() for _ in range(place.random.randint(1, 4))))
        keeper.tick()
        assert _differ(place) == []
    place.write("TRUNCATE plays" if place.user.dialect.has_schemas else "DELETE FROM plays", place.change())
    keeper.tick()
    assert _differ(place) == []
    assert all(report.clean for report in keeper.verify())
    assert keeper.plan().is_empty
    told = keeper.explain("favourite")
    assert not told.missing_indexes
    # Two subqueries over the same groups read one support.
    assert len(told.supports) == 2
    assert "plays" not in told.sources


def test_what_is_written_twice_is_one_column_of_a_support(place: Plays) -> None:
    place.write(
        "CREATE TABLE pairs (a integer NOT NULL, b integer NOT NULL, PRIMARY KEY (a, b))",
        "INSERT INTO pairs VALUES (1, 1), (1, 2), (2, 2), (3, 3)",
    )
    project = Project("plays")
    project.derive("shared", key=("a", "b"), query=TWICE["shared"], support=True)
    project.derive("different", key=("a", "b"), query=TWICE["different"], support=True, freshness="commit")
    keeper = place.keep(project)
    keeper.apply()
    assert all(keeper.explain(name).supports for name in TWICE)
    for _ in range(12):
        place.write(*(place.change() for _ in range(place.random.randint(1, 4))))
        keeper.tick()
        assert _differ(place, TWICE) == []
    assert all(report.clean for report in keeper.verify())


def test_modes_are_followed(pg_database: str) -> None:
    place, project = Plays(pg_database), Project("plays")
    for name, query in MODES.items():
        project.derive(name, query=query, support=True)
    try:
        keeper = place.keep(project)
        keeper.apply()
        assert all(keeper.explain(name).supports for name in MODES)
        for _ in range(25):
            place.write(*(place.change() for _ in range(place.random.randint(1, 4))))
            keeper.tick()
            assert _differ(place, MODES) == []
        assert all(report.clean for report in keeper.verify())
    finally:
        place.user.close()


def test_a_wrong_support_and_what_it_made_wrong_are_mended(place: Plays) -> None:
    keeper = place.keep(ranked("favourite"))
    place.write("INSERT INTO plays VALUES (900, 1, 'x', 1, 0), (901, 1, 'x', 1, 0), (902, 1, 'y', 1, 0)")
    keeper.apply()
    store = keeper.explain("favourite").sources[-1]
    with place.user.transaction():
        place.user.script(f"UPDATE {store} SET \"_rows\" = 9 WHERE k0 = 1 AND x0 = 'y'")
    keeper.tick()
    assert any(not report.clean for report in keeper.verify())
    keeper.repair()
    keeper.tick()
    assert all(report.clean for report in keeper.verify())
    assert place.user.all("SELECT track FROM favourite WHERE id = 1") == place.user.all(
        f"SELECT track FROM ({RANKED['favourite']}) q WHERE id = 1"
    )


def test_the_plan_decides_by_the_size_of_groups(place: Plays, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write("DELETE FROM plays", *(f"INSERT INTO plays VALUES ({n}, 1, 'x{n % 4}', 1, 0)" for n in range(30)))
    assert not place.keep(ranked("favourite", support=None)).sql("favourite")[-1].supported_by
    monkeypatch.setattr(supports, "GROUP_ROWS", 20)
    assert place.keep(ranked("favourite", support=None)).sql("favourite")[-1].supported_by
    assert not place.keep(ranked("favourite", support=False)).sql("favourite")[-1].supported_by
