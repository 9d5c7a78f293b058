"""Derived tables whose rows Python computes: true after every tick, whatever is killed, and honest about what they cannot do."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.findings.place import Place
from tests.kit.size import FULL
from tests.processors.ground import SCHEMA, WORD, change, declared, stored, streaks, truth
from tests.streams.dying import EXPIRE, Dead, Dying
from tidemark import Batch, Change, Fault, Project, Refusal, Tidemark, workshop
from tidemark.cli.reports_truth import verify_text
from tidemark.processors import Reader
from tidemark.runtime.clock import Clock
from tidemark.runtime.ticks.processing import Computing


@pytest.fixture
def streets(place: Place) -> Place:
    place.run(*SCHEMA, 'INSERT INTO "pläys" VALUES (1, 1, 1), (2, 1, 2), (3, 2, 5), (4, NULL, 1)')
    return place


@pytest.mark.parametrize("seed", range(8 if FULL else 1))
def test_rows_are_true_whatever_changes_and_whoever_dies(
    streets: Place, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {seed}")
    chance, place = random.Random(seed), streets
    keeper = Tidemark(declared(batch=chance.choice((1, 2, 5000))), place.url, clock=Clock(wait=lambda seconds: None))
    opened = workshop.open_session
    keeper.apply()
    assert stored(place) == truth(place)
    for step in range(10):
        for _ in range(chance.randint(1, 4)):
            change(place, chance)
        steps = chance.randint(5, 90)
        monkeypatch.setattr(workshop, "open_session", lambda *a, n=steps, **k: Dying(opened(*a, **k), n))
        with contextlib.suppress(Dead):
            keeper.tick()
        monkeypatch.setattr(workshop, "open_session", opened)
        place.run(EXPIRE["sqlite" if place.is_sqlite else "postgres"])
        if chance.random() < 0.5:
            keeper.tick()
            assert stored(place) == truth(place), f"seed {seed}, step {step}"
    keeper.tick()
    assert stored(place) == truth(place)
    assert all(report.clean for report in keeper.verify())


@pytest.mark.parametrize("way", ["exception", "statement"])
def test_a_unit_that_the_function_fails_for_costs_no_other(streets: Place, way: str) -> None:
    keeper = Tidemark(declared(), streets.url)
    keeper.apply()
    before = stored(streets)
    bio = WORD if way == "exception" else "statement"
    streets.run(
        f"INSERT INTO people (id, bio) VALUES (1, '{bio}'), (2, 'x')", 'INSERT INTO "pläys" VALUES (7, 1, 9), (8, 3, 9)'
    )
    keeper.tick()
    assert stored(streets) == [*before[:1], (2, 5, 1, True), (3, 9, 1, False)]
    status = keeper.status()[0].processor
    assert status is not None and status.quarantined == 1
    (report,) = keeper.verify()
    assert (report.clean, report.quarantined) == (True, 1)
    assert keeper.status()[0].well is False and "units quarantined: 1, because" in verify_text([report])
    assert "watched: pläys, people" in report.notes
    assert not keeper.tick()[0].keys_applied
    assert keeper.repair()[0].keys == 1 and keeper.verify()[0].quarantined == 1
    streets.run("UPDATE people SET bio = 'well' WHERE id = 1")
    keeper.tick()
    assert stored(streets) == truth(streets)
    assert keeper.verify()[0].quarantined == 0


def test_a_function_that_is_mended_computes_what_was_quarantined(streets: Place) -> None:
    broken = [True]

    def moody(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        if broken[0] and 1 in batch.values("person"):
            raise LookupError("not today")
        yield from streaks(db, batch)

    project = declared()
    project._declarations.clear()
    columns = {"began": "bigint", "days": "bigint", "told": "boolean"}
    reads = {"pläys": 'SELECT "user" AS person FROM "pläys"', "people": "id"}
    project.processor("streaks", key=["person", "began"], by="person", reads=reads, columns=columns)(moody)
    keeper = Tidemark(project, streets.url)
    keeper.apply()
    assert [row[0] for row in stored(streets)] == [2]
    broken[0] = False
    keeper.repair()
    assert stored(streets) == truth(streets)
    assert keeper.verify()[0].quarantined == 0


def test_reads_that_are_not_declared_are_found(streets: Place) -> None:
    streets.run("INSERT INTO people (id, bio) VALUES (1, 'x')")

    def careless(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        for who in batch.values("person"):
            paid = db.one(
                'SELECT p.unit * count(y.id) FROM prices p, people x, "pläys" y WHERE x.id = :w GROUP BY p.unit',
                {"w": who},
            )
            yield {"person": who, "paid": paid[0] if paid else 0}

    for more, undeclared in (({}, ("people.id", "prices.unit")), ({"sampled": "people", "ignored": "prices.unit"}, ())):
        project = Project("careless")
        options: dict[str, Any] = {
            "key": "person",
            "by": "person",
            "reads": {"pläys": "user"},
            "columns": {"paid": "bigint"},
        }
        project.processor("paid", **options, **more)(careless)
        keeper = Tidemark(project, streets.url)
        keeper.apply()
        report = keeper.inputs("paid")
        assert report.undeclared == undeclared, more
        assert {"pläys.id", "people.id", "prices.unit"} <= set(report.read)


def test_sampled_inputs_make_nothing_dirty_and_are_stale(streets: Place) -> None:
    streets.run("INSERT INTO people (id, bio) VALUES (1, 'x')")
    keeper = Tidemark(declared(sampled="people.bio"), streets.url)
    keeper.apply()
    streets.run("UPDATE people SET bio = NULL WHERE id = 1")
    assert not keeper.tick()[0].keys_applied
    assert stored(streets) != truth(streets)
    (report,) = keeper.verify()
    assert (report.drift, report.stale) == (0, 1)
    keeper.repair()
    assert stored(streets) == truth(streets)


def test_what_a_pruned_source_lost_is_in_previous(streets: Place) -> None:
    """Totals outlive the rows that they were made of, and neither ticks nor repairs lower them."""
    streets.run("CREATE TABLE gone (person bigint, upto bigint)")

    def totals(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        before = {row["person"]: row for row in batch.previous}
        for who in batch.values("person"):
            old = before.get(who, {"plays": 0, "upto": 0})
            plays, upto = db.one(
                'SELECT count(*), max(id) FROM "pläys" WHERE "user" = :who AND id > :upto',
                {"who": who, "upto": old["upto"]},
            ) or (0, None)
            yield {"person": who, "plays": old["plays"] + plays, "upto": upto if upto is not None else old["upto"]}

    project = Project("pruned")
    project.source("pläys", pruned=True)
    columns = {"plays": "bigint", "upto": "bigint"}
    project.processor("totals", key="person", by="person", reads={"pläys": "user"}, columns=columns)(totals)
    keeper = Tidemark(project, streets.url)
    keeper.apply()
    rows = "SELECT person, plays FROM totals ORDER BY person"
    assert streets.rows(rows) == [(1, 2), (2, 1)]
    streets.run('DELETE FROM "pläys"', 'INSERT INTO "pläys" VALUES (9, 1, 3)')
    keeper.tick()
    # Person 2 has no row left, and so no unit: it is computed because its rows went, and keeps its total.
    assert streets.rows(rows) == [(1, 3), (2, 1)]
    assert all(report.clean for report in keeper.verify())
    keeper.repair()
    assert streets.rows(rows) == [(1, 3), (2, 1)]


def test_what_changed_is_shown_until_it_is_known(streets: Place) -> None:
    """Every change once in the quiet; those of a unit that failed come again with the next ones; None where nobody can say."""
    seen: list[tuple[Any, ...]] = []

    def days(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        told = batch.changes
        seen.append((sorted(batch.values("person")), told if told is None else sorted(map(image, told))))
        for who in batch.values("person"):
            count = db.one('SELECT count(DISTINCT day), max(day) FROM "pläys" WHERE "user" = :who', {"who": who})
            if count is not None and count[1] == 99:
                raise ValueError("poison")
            yield {"person": who, "days": count[0] if count else 0}

    def image(change: Change) -> tuple[Any, ...]:
        assert change.unit["person"] == change.row["user" if change.source == "pläys" else "id"]
        return change.source, change.unit["person"], change.weight, change.row.get("day")

    def ticked() -> list[tuple[Any, ...]]:
        seen.clear()
        keeper.tick()
        return list(seen)

    project = Project("told")
    reads = {"pläys": "user", "people": "id"}
    options: dict[str, Any] = {"key": "person", "by": "person", "reads": reads, "columns": {"days": "bigint"}}
    project.processor("told", **options, changes=True)(days)
    keeper = Tidemark(project, streets.url)
    keeper.apply()
    assert {told for _, told in seen} == {None}
    streets.run('INSERT INTO "pläys" VALUES (7, 1, 4), (8, 2, 5)', 'UPDATE "pläys" SET "user" = 2 WHERE id = 7')
    streets.run("INSERT INTO people (id) VALUES (3)")
    one, two = [("pläys", 1, -1, 4), ("pläys", 1, 1, 4)], [("pläys", 2, 1, 4), ("pläys", 2, 1, 5)]
    assert ticked() == [([1, 2, 3], [("people", 3, 1, None), *one, *two])]
    assert keeper.verify()[0].clean and seen[-1][1] is None
    streets.run('UPDATE "pläys" SET day = 99 WHERE id = 3')
    poison = [("pläys", 2, -1, 5), ("pläys", 2, 1, 99)]
    assert ticked() == [([2], poison)]
    streets.run('UPDATE "pläys" SET day = 6 WHERE id = 3', 'DELETE FROM "pläys" WHERE id = 1')
    assert ticked() == [([1, 2], sorted([*poison, ("pläys", 1, -1, 1), ("pläys", 2, -1, 99), ("pläys", 2, 1, 6)]))]
    streets.run('UPDATE "pläys" SET day = 7 WHERE id = 3')
    if streets.is_sqlite:
        # What a repair computes knows every change that was sealed, and those that were not come with the next tick.
        keeper.repair()
    else:
        streets.run('TRUNCATE "pläys"', 'INSERT INTO "pläys" VALUES (9, 1, 1)')
        assert ticked() == [([1, 2, 3], None)]
        assert not streets.rows('SELECT 1 FROM tidemark."_changes1_told"')
    keeper.tick()
    assert all(report.clean for report in keeper.verify())
    keeper.uninstall()


def test_rows_of_a_table_of_the_users(streets: Place) -> None:
    streets.run(
        "CREATE TABLE won (challenge text NOT NULL, specifier text NOT NULL, person bigint, steps bigint, "
        "PRIMARY KEY (challenge, specifier))",
        "INSERT INTO won VALUES ('other', '1', 1, 1)",
    )

    def challenge(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        for who in batch.values("person"):
            count = db.one('SELECT count(*) FROM "pläys" WHERE "user" = :who', {"who": who}) or (0,)
            if count[0]:
                yield {"person": who, "specifier": f"{who:x}", "steps": min(3, count[0])}

    project = Project("won")
    columns = {"specifier": "text", "steps": "bigint"}
    project.processor(
        "plays_challenge",
        key=["challenge", "specifier"],
        by="person",
        reads={"pläys": "user"},
        columns=columns,
        constants={"challenge": "p"},
        rows_of="won",
    )(challenge)
    keeper = Tidemark(project, streets.url)
    keeper.apply()
    rows = "SELECT challenge, specifier, person, steps FROM won ORDER BY 1, 2"
    assert streets.rows(rows) == [("other", "1", 1, 1), ("p", "1", 1, 2), ("p", "2", 2, 1)]
    streets.run(
        'DELETE FROM "pläys" WHERE id = 3',
        'UPDATE "pläys" SET "user" = 11 WHERE id = 1',
        "UPDATE won SET steps = 9 WHERE specifier = '1'",
    )
    keeper.tick()
    assert streets.rows(rows) == [("other", "1", 1, 9), ("p", "1", 1, 1), ("p", "b", 11, 1)]
    assert all(report.clean for report in keeper.verify())


ODD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"person": 77, "paid": 1}, "person = 77, which is not in the batch"),
    ({"person": 1}, "other columns than declared: paid"),
    ({"person": 1, "paid": 1, "more": 1}, "other columns than declared: more"),
    ({"person": 1, "paid": object()}, "no value of a column"),
)


def test_rows_that_nobody_asked_for_are_an_error(streets: Place) -> None:
    for row, message in ODD:
        _expect_poison(streets, lambda db, batch, row=row: [row] if 1 in batch.values("person") else [], message)


def test_a_function_that_writes_or_gives_a_key_twice_is_an_error(streets: Place) -> None:
    _expect_poison(streets, lambda db, batch: db.all("DELETE FROM prices") and [], "does not run DELETE", units=2)
    assert streets.rows("SELECT count(*) FROM prices") == [(1,)]


def _expect_poison(place: Place, function: Any, message: str, units: int = 1) -> None:
    project = Project("odd")
    project.processor("paid", key="person", by="person", reads={"pläys": "user"}, columns={"paid": "bigint"})(function)
    keeper = Tidemark(project, place.url)
    keeper.apply()
    ours = "tidemark__poison" if place.is_sqlite else "tidemark._poison"
    errors = [row[0] for row in place.rows(f"SELECT error FROM {ours}")]
    assert len(errors) == units and all(message in error for error in errors), errors
    keeper.uninstall()


def test_slow_functions_are_told_and_counted(streets: Place) -> None:
    late = [0.0]

    def sluggish(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        late[0] += 3.0
        return streaks(db, batch)

    project = Project("slow")
    columns = {"began": "bigint", "days": "bigint", "told": "boolean"}
    options: dict[str, Any] = {"key": ["person", "began"], "by": "person", "columns": columns}
    project.processor("streaks", **options, reads={"pläys": "user", "people": "id"}, slow="2s", batch=1)(sluggish)
    keeper = Tidemark(project, streets.url, clock=Clock(now=lambda: late[0], wait=lambda seconds: None))
    keeper.apply()
    status = keeper.status()[0].as_json()["processor"]
    assert (status["batches"], status["units"], status["slow"], status["longest_ms"]) == (2, 2, 2, 3000.0)
    assert [run.message for run in keeper.history() if run.kind == "slow"] == [
        "the function took 3.00 s for 1 units, more than 2.00 s"
    ] * 2


def test_one_that_cannot_be_computed_stops_no_other(streets: Place) -> None:
    project = declared()
    project.derive(
        "listeners",
        query='SELECT "user", count(*) AS n FROM "pläys" WHERE "user" > 0 GROUP BY "user"',
        freshness="tick",
    )
    Tidemark(project, streets.url).apply()
    streets.run('INSERT INTO "pläys" VALUES (9, 9, 9)')
    # Another process, without the functions.
    report = Tidemark(Project("empty"), streets.url).run(until_idle=True)
    assert report.failing == ("streaks",)
    assert (9, 1) in streets.rows('SELECT "user", n FROM listeners')
    with pytest.raises(Fault, match="this process does not have"):
        Tidemark(None, streets.url).tick("streaks")
    Tidemark(project, streets.url).tick()
    assert stored(streets) == truth(streets)


def test_another_function_builds_the_rows_anew(streets: Place) -> None:
    Tidemark(declared(version="1"), streets.url).apply()
    assert Tidemark(declared(version="1"), streets.url).plan().is_empty
    keeper = Tidemark(declared(version="2"), streets.url)
    assert [step.verb for step in keeper.plan().steps] == ["replace"]
    streets.run('INSERT INTO "pläys" VALUES (9, 9, 9)')
    with pytest.raises(Fault, match="tidemark apply"):
        keeper.tick()
    keeper.apply()
    assert stored(streets) == truth(streets)
    keeper.uninstall()


def test_mistakes_are_found(streets: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutants: a unit that failed is forgotten; one that failed takes its siblings along."""
    keeper = Tidemark(declared(), streets.url)
    keeper.apply()
    streets.run(f"INSERT INTO people (id, bio) VALUES (1, '{WORD}')", 'INSERT INTO "pläys" VALUES (8, 3, 9)')
    with monkeypatch.context() as patch:
        patch.setattr(Computing, "_record_quarantined", lambda self, units: None)
        keeper.tick()
    assert keeper.verify()[0].quarantined == 0
    streets.run('INSERT INTO "pläys" VALUES (9, 3, 8)', "UPDATE people SET bio = bio")
    with monkeypatch.context() as patch:
        patch.setattr(Computing, "_some", lambda self, units, *about: self.failed.extend((one, "all") for one in units))
        keeper.tick()
    assert stored(streets) != truth(streets)


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"reads": {}}, "watches nothing"),
    ({"reads": {"pläys": ["user", "day"]}}, "2 columns for 1 of by"),
    ({"reads": {"nowhere": "id"}}, "nowhere"),
    ({"key": "nothing"}, "key column nothing"),
    ({"columns": {"began": ""}}, "no types"),
    ({"columns": {"person": "bigint", "began": "bigint"}}, "named in two"),
    ({"batch": 0}, "no number of units"),
    ({"slow": "soon"}, "no time"),
    ({"changes": "all"}, "neither True nor False"),
    ({"sampled": "people.nothing"}, "people.nothing is neither"),
    ({"ignored": "nobody"}, "nobody is neither"),
)


def test_declarations_that_mean_nothing_are_refused(streets: Place) -> None:
    for options, message in REFUSED:
        with pytest.raises(Refusal, match=message):
            Tidemark(declared(**options), streets.url).plan()


def test_inputs_may_be_derived_tables_and_scanned_sources(streets: Place) -> None:
    """A function reads what others keep, and sources without triggers, by the same declaration."""
    streets.run(
        "CREATE TABLE gifts (id bigint PRIMARY KEY, person bigint NOT NULL, at bigint NOT NULL)",
        "CREATE INDEX gifts_at ON gifts (at)",
    )

    def worth(db: Reader, batch: Batch) -> Iterator[Mapping[str, Any]]:
        for who in batch.values("person"):
            plays = (db.one("SELECT n FROM heard WHERE who = :who", {"who": who}) or (0,))[0]
            gifts = (db.one("SELECT count(*) FROM gifts WHERE person = :who", {"who": who}) or (0,))[0]
            yield {"person": who, "worth": plays + 10 * gifts}

    project = Project("worth")
    project.source("gifts", capture="scan", watermark="at", append_only=True, marks="history")
    query = 'SELECT "user" AS who, count(*) AS n FROM "pläys" WHERE "user" IS NOT NULL GROUP BY "user"'
    project.derive("heard", query=query, freshness="tick")
    reads = {"heard": "who", "gifts": "person"}
    project.processor("worth", key="person", by="person", reads=reads, columns={"worth": "bigint"})(worth)
    keeper = Tidemark(project, streets.url)
    keeper.apply()
    rows = "SELECT person, worth FROM worth ORDER BY person"
    assert streets.rows(rows) == [(1, 2), (2, 1)]
    streets.run("INSERT INTO gifts VALUES (1, 2, 5), (2, 4, 6)", 'DELETE FROM "pläys" WHERE id = 1')
    keeper.tick()
    assert streets.rows(rows) == [(1, 1), (2, 11), (4, 10)]
    assert keeper.inputs("worth").undeclared == ()
    assert all(report.clean for report in keeper.verify())
    project.processor("lost", key="person", by="person", reads=reads, columns={"worth": "bigint"})(worth)
    Tidemark(project, streets.url).apply()
    streets.run('INSERT INTO "pläys" VALUES (9, 4, 1)')
    # A process that has one of the functions does what it can, and says what it cannot.
    project._declarations.pop("lost")
    with pytest.raises(Fault, match="lost are computed by a function"):
        Tidemark(project, streets.url).tick()
    assert (4, 11) in streets.rows(rows)
