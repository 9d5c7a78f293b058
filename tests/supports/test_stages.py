"""What is taken together of an inner relation, kept over a stage of its rows: one table to look at, mended, changed, gone."""

from tests.supports.plays import Plays
from tidemark import Project, Refusal
from tidemark.cli.reports import explain_text, plan_text
from tidemark.errors import Code

QUERIES = {
    "spread": "SELECT plays, count(*) AS users, max(longest) AS longest FROM (SELECT user_id, count(*) AS plays, max(seconds) AS "
    "longest FROM plays WHERE hidden = 0 GROUP BY user_id) AS u GROUP BY plays",
    "silent": "SELECT count(*) AS users, max(u.name) AS last FROM users u "
    "WHERE NOT EXISTS (SELECT 1 FROM plays p WHERE p.user_id = u.id AND p.hidden = 0)",
    "levels": "WITH u AS (SELECT u.id, count(p.id) AS plays FROM users u LEFT JOIN plays p ON p.user_id = u.id GROUP BY u.id) "
    "SELECT max(s.users) AS most FROM (SELECT plays, count(*) AS users FROM u GROUP BY plays) AS s",
    "kinds": "SELECT count(DISTINCT n) AS counts, sum(DISTINCT n) AS sum, count(DISTINCT last) FILTER (WHERE n > 1) AS lasts, "
    "count(*) AS users FROM (SELECT user_id, count(*) AS n, max(track) AS last FROM plays GROUP BY user_id) AS u",
    "figures": "SELECT (SELECT count(*) FROM users u LEFT JOIN plays p ON p.user_id = u.id) AS rows_of_all, "
    "(SELECT count(*) FROM plays) - (SELECT count(*) FROM plays p WHERE NOT EXISTS "
    "(SELECT 1 FROM users u WHERE u.id = p.user_id)) AS n",
    "beside": "SELECT 1 AS kind, p.track, count(*) AS n FROM users u LEFT JOIN plays p ON p.user_id = u.id GROUP BY p.track "
    "UNION ALL SELECT 2, NULL, count(p.id) FROM users u LEFT JOIN plays p ON p.user_id = u.id",
    "sizes": "SELECT users, count(*) AS n, count(DISTINCT plays) AS plays FROM (SELECT longest, sum(users) AS users, "
    "max(plays) AS plays FROM spread GROUP BY longest) AS s GROUP BY users",
    "matched": "SELECT (SELECT count(s.users) FROM users u LEFT JOIN spread s ON s.plays = u.id AND s.longest > 1) AS n, "
    "(SELECT sum(users) FROM spread) AS users, (SELECT count(DISTINCT track) + sum(DISTINCT hidden) FROM plays) AS tracks",
    "lengths": "SELECT count(DISTINCT longest) AS lengths, count(*) AS n FROM spread",
}
FEW = {name: QUERIES[name] for name in ("spread", "silent", "matched")}
AGAIN = {**FEW, "spread": QUERIES["spread"].replace("hidden = 0", "hidden = 1")}


def _project(queries: dict[str, str], **options: object) -> Project:
    project = Project("plays")
    for name, query in queries.items():
        project.derive(name, query=query, **options)
    return project


def _wrong(place: Plays, queries: dict[str, str]) -> list[str]:
    def rows(text: str) -> list[str]:
        return sorted(map(repr, place.user.all(text)))

    return [name for name, query in queries.items() if rows(f"SELECT * FROM {name}") != rows(query)]


def test_one_declaration_over_stages(place: Plays) -> None:
    keeper = place.keep(_project(QUERIES))
    said = plan_text(keeper.plan(), declared=9, statements=False)
    assert "create _stage_spread_1 (a stage of spread): it is not installed, linear at commit" in said
    assert "create spread: it is not installed, linear at commit" in said
    keeper.apply()
    assert "_stage_silent_1: a stored row for each row that is taken together, written by ticks" in explain_text(
        keeper.explain("silent")
    )
    for _ in range(4):
        place.write(
            *(place.change() for _ in range(3)), "INSERT INTO users VALUES ((SELECT max(id) + 1 FROM users), 'd')"
        )
        assert _wrong(place, {"spread": QUERIES["spread"]}) == []
        assert {one.name: one.pending > 0 for one in keeper.status()}["silent"]
        keeper.tick()
        assert _wrong(place, QUERIES) == []
    assert {(one.name, one.freshness, one.reads) for one in keeper.status()} == {
        ("spread", "commit", ()),
        ("silent", "tick", ()),
        ("levels", "tick", ()),
        ("kinds", "commit", ()),
        ("figures", "tick", ()),
        ("beside", "tick", ()),
        ("sizes", "commit", ("spread",)),
        ("matched", "tick", ("spread",)),
        ("lengths", "tick", ("spread",)),
    }
    assert {one.name: bool(one.support_rows) for one in keeper.status()} == dict.fromkeys(QUERIES, True)
    ours = "tidemark." if place.user.dialect.has_schemas else "tidemark_"
    place.write(f"DELETE FROM {ours}_stage_spread_1", f"UPDATE {ours}_support_kinds_1 SET _rows = 7")
    assert [one.derived for one in keeper.verify() if not one.clean] == ["_stage_spread_1", "_support_kinds_1"]
    assert [one.derived for one in keeper.verify_as_written() if not one.clean] == ["spread"]
    assert {one.name: one.drift > 0 for one in keeper.status()}["spread"]
    keeper.repair()
    assert _wrong(place, QUERIES) == []
    assert all(one.clean for one in (*keeper.verify(), *keeper.verify_as_written()))
    assert keeper.plan().is_empty


def test_a_stage_changes_and_goes_with_what_it_is_for(place: Plays) -> None:
    place.keep(_project(FEW)).apply()
    keeper = place.keep(_project(AGAIN))
    assert {(step.verb, step.derived) for step in keeper.plan().steps} == {
        ("replace", "_stage_spread_1"),
        ("replace", "spread"),
        ("replace", "_stage_matched_1"),
        ("replace", "_stage_matched_2"),
        ("replace", "matched"),
    }
    assert keeper.apply().live == ("spread", "matched")
    place.write(place.change())
    keeper.tick()
    assert _wrong(place, AGAIN) == []
    rest = {"silent": QUERIES["silent"]}
    place.keep(_project(rest)).apply(allow_drop=True)
    assert {one.name for one in place.keep(_project(rest)).status()} == {"silent"}
    place.keep(_project(rest)).uninstall()
    assert place.user.installed() == {}


def test_who_agrees_to_everything_has_no_stage(place: Plays) -> None:
    silent = {"silent": QUERIES["silent"]}
    steps = place.keep(_project(silent, allow_global=True)).plan().steps
    assert [(step.derived, step.script.klass) for step in steps if step.script] == [("silent", "global")]
    both = place.keep(_project(silent, allow_global=True, support=True)).plan().steps
    assert [step.derived for step in both] == ["_stage_silent_1", "silent"]
    for options in ({"support": False}, {"live": True}):
        try:
            place.keep(_project(silent, **options)).plan()
        except Refusal as refusal:
            assert refusal.code is Code.GLOBAL
        else:
            raise AssertionError(options)


def test_a_figure_without_a_greatest_value_has_no_stage(place: Plays) -> None:
    figure = "bool_and(hidden = 0)" if place.user.dialect.types_are_fixed else "total(hidden)"
    joined = (
        "SELECT count(*) FROM users u LEFT JOIN plays p ON p.user_id = u.id AND p.hidden = 0 WHERE p.track IS NOT NULL"
    )
    both = {"figures": f"SELECT ({joined}) AS heard, (SELECT {figure} FROM plays WHERE hidden < 2) AS clean"}
    try:
        place.keep(_project(both)).apply()
    except Refusal as refusal:
        assert refusal.code is Code.GLOBAL
    keeper = place.keep(_project(both, allow_global=True))
    keeper.apply()
    place.write(place.change())
    keeper.tick()
    assert _wrong(place, both) == []
