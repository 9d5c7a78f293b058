"""Challenges: several declarations with memory whose rows share one table of the user's, told apart by a constant."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.findings.place import Place
from tidemark import Project, Tidemark, first, ratchet

SCHEMA = (
    "CREATE TABLE users (id int NOT NULL PRIMARY KEY, bio text, verified int NOT NULL)",
    "CREATE TABLE tracks (id int NOT NULL PRIMARY KEY, owner int NOT NULL, live int NOT NULL)",
    "CREATE INDEX tracks_owner ON tracks (owner)",
    "CREATE TABLE events (id int NOT NULL PRIMARY KEY, referrer int NOT NULL, referred int NOT NULL)",
    "CREATE TABLE blocks (number int NOT NULL PRIMARY KEY)",
    "CREATE TABLE earned (challenge text NOT NULL, specifier int NOT NULL, steps int, done {boolean} NOT NULL, at int, "
    "PRIMARY KEY (challenge, specifier))",
    "INSERT INTO users VALUES (1, 'x', 0), (2, NULL, 1), (3, 'z', 0)",
    "INSERT INTO tracks VALUES (1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 0)",
    "INSERT INTO events VALUES (1, 2, 3)",
    "INSERT INTO blocks VALUES (10)",
    "INSERT INTO earned VALUES ('other', 1, 5, {true}, 1)",
)
AT = "(SELECT max(b.number) FROM blocks b)"
PROFILE = f"""
    SELECT 'p' AS challenge, u.id AS specifier,
           CASE WHEN u.bio IS NULL THEN 0 ELSE 1 END + CASE WHEN EXISTS (SELECT 1 FROM tracks t WHERE t.owner = u.id)
           THEN 1 ELSE 0 END AS steps,
           u.bio IS NOT NULL AND EXISTS (SELECT 1 FROM tracks t WHERE t.owner = u.id) AS done,
           {AT} AS at FROM users u
"""
UPLOADS = f"""
    SELECT 'u' AS challenge, s.owner AS specifier, s.steps, s.steps >= 2 AS done, {AT} AS at
    FROM (SELECT u.id AS owner,
                 (SELECT count(*) FROM (SELECT 1 FROM tracks t WHERE t.owner = u.id AND t.live = 1 LIMIT 2) x) AS steps
          FROM users u) s WHERE s.steps > 0
"""
REFERRED = f"""
    SELECT '{{challenge}}' AS challenge, e.id AS specifier, 1 AS steps, u.verified = {{verified}} AS done,
           {AT} AS at
    FROM events e JOIN users u ON u.id = e.referrer WHERE u.verified = {{verified}}
"""
QUERIES = {
    "p": PROFILE,
    "u": UPLOADS,
    "r": REFERRED.format(challenge="r", verified=0),
    "rv": REFERRED.format(challenge="rv", verified=1),
}
KEEP = {"done": ratchet(), "steps": first(when="done"), "at": first(when="done")}
State = dict[tuple[str, int], tuple[Any, ...]]


def prepared(place: Place) -> None:
    words = {"boolean": "int", "true": "1"} if place.is_sqlite else {"boolean": "boolean", "true": "true"}
    place.run(*(statement.format(**words) for statement in SCHEMA))


def keeper(place: Place, marks: Any = "history") -> Tidemark:
    project = Project("challenges")
    for name, query in QUERIES.items():
        sampled = ["blocks", "users.verified"] if name in ("r", "rv") else ["blocks"]
        project.derive(
            f"challenge_{name}",
            key=("challenge", "specifier"),
            query=query,
            rows_of="earned",
            keep=KEEP,
            keep_rows=True,
            sampled=sampled,
            marks=marks,
        )
    return Tidemark(project, place.url)


def earned(place: Place) -> State:
    rows = place.rows("SELECT challenge, specifier, steps, done, at FROM earned WHERE challenge <> 'other'")
    assert place.rows("SELECT steps, at FROM earned WHERE challenge = 'other'") == [(5, 1)]
    return {(row[0], row[1]): tuple(row[2:]) for row in rows}


def test_rows_are_completed_frozen_and_left_alone(place: Place) -> None:
    prepared(place)
    tidemark = keeper(place)
    tidemark.apply()
    assert earned(place) == {
        ("p", 1): (2, 1, 10),
        ("p", 2): (1, 0, 10),
        ("p", 3): (2, 1, 10),
        ("u", 1): (2, 1, 10),
        ("u", 2): (1, 0, 10),
        ("rv", 1): (1, 1, 10),
    }
    place.run(
        "INSERT INTO blocks VALUES (20)",
        "DELETE FROM tracks WHERE owner = 1",
        "INSERT INTO tracks VALUES (9, 2, 1)",
        "UPDATE users SET bio = 'y' WHERE id = 2",
        "UPDATE users SET verified = 0 WHERE id = 2",
    )
    tidemark.tick()
    # Whoever has nothing left keeps what was done, and a referrer's later change is not seen.
    assert earned(place) == {
        ("p", 1): (2, 1, 10),
        ("p", 2): (2, 1, 20),
        ("p", 3): (2, 1, 10),
        ("u", 1): (2, 1, 10),
        ("u", 2): (2, 1, 20),
        ("rv", 1): (1, 1, 10),
    }
    place.run("INSERT INTO blocks VALUES (30)", "UPDATE users SET bio = NULL", "DELETE FROM tracks")
    tidemark.tick()
    assert {row[1:] for row in earned(place).values()} == {(1, 10), (1, 20)}
    assert all(report.clean for report in tidemark.verify())
    assert tidemark.plan().is_empty


def test_deployment_from_now_completes_nothing_from_history(place: Place) -> None:
    prepared(place)
    tidemark = keeper(place, "now")
    tidemark.apply()
    assert earned(place) == {}
    place.run("INSERT INTO tracks VALUES (9, 2, 1)", "INSERT INTO events VALUES (2, 1, 2)")
    tidemark.tick()
    assert earned(place) == {("p", 2): (1, 0, 10), ("u", 2): (2, 1, 10), ("r", 2): (1, 1, 10)}
    assert all(report.clean for report in tidemark.verify())


def test_rows_that_are_there_already_are_what_is_remembered(place: Place) -> None:
    prepared(place)
    true = "1" if place.is_sqlite else "true"
    place.run(f"INSERT INTO earned VALUES ('u', 1, 9, {true}, 3), ('u', 77, 4, {true}, 2)")
    tidemark = keeper(place, "now")
    tidemark.apply()
    kept = {("u", 1): (9, 1, 3), ("u", 77): (4, 1, 2)}
    assert earned(place) == kept
    place.run("INSERT INTO tracks VALUES (9, 1, 1)")
    tidemark.tick()
    assert earned(place) == {**kept, ("p", 1): (2, 1, 10)}
    assert all(report.clean for report in tidemark.verify())


def test_tampering_is_named_and_mended_from_what_is_remembered(place: Place) -> None:
    prepared(place)
    tidemark = keeper(place)
    tidemark.apply()
    before = earned(place)
    place.run("DELETE FROM tracks WHERE owner = 1")
    tidemark.tick()
    place.run(
        "UPDATE earned SET steps = 99 WHERE challenge = 'u' AND specifier = 1",
        "DELETE FROM earned WHERE challenge = 'p' AND specifier = 3",
    )
    found = {report.derived: {one.key for one in report.findings} for report in tidemark.verify()}
    assert (found["challenge_u"], found["challenge_p"]) == ({(1,)}, {(3,)})
    tidemark.repair()
    assert earned(place) == before
    assert all(report.clean for report in tidemark.verify())


@pytest.mark.parametrize("seed", range(2))
def test_random_changes_never_take_back_what_was_done(place: Place, seed: int) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    prepared(place)
    tidemark = keeper(place)
    tidemark.apply()
    before, block = earned(place), 10
    for step in range(10):
        block += 1
        place.run(f"INSERT INTO blocks VALUES ({block})")
        for _ in range(chance.randint(1, 4)):
            user, number = chance.randint(1, 4), chance.randint(1, 8)
            place.run(
                chance.choice(
                    (
                        f"INSERT INTO tracks VALUES ({number}, {user}, {chance.randint(0, 1)}) ON CONFLICT DO NOTHING",
                        f"DELETE FROM tracks WHERE id = {number}",
                        f"UPDATE tracks SET owner = {user} WHERE id = {number}",
                        f"UPDATE users SET verified = {chance.randint(0, 1)} WHERE id = {user}",
                        f"UPDATE users SET bio = {chance.choice(('NULL', repr('b')))} WHERE id = {user}",
                        f"INSERT INTO events VALUES ({number}, {user}, 9) ON CONFLICT DO NOTHING",
                    )
                )
            )
        tidemark.tick()
        after = earned(place)
        assert before.keys() <= after.keys(), f"seed {seed}, step {step}"
        assert all(after[key] == row for key, row in before.items() if row[1]), f"seed {seed}, step {step}"
        done = {key for key in after if after[key][1]}
        assert all(after[key][2] == block for key in done if not before.get(key, (0, 0))[1]), (
            f"seed {seed}, step {step}"
        )
        before = after
    assert all(report.clean for report in tidemark.verify())
