"""SQLite: the conflict clause of the user's statement overrides every one inside our triggers, and nothing comes of it."""

import sqlite3

import pytest

from tests.findings.place import Place

POLICIES = ("OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT", "OR ROLLBACK", "")


@pytest.fixture
def posts(lite: Place) -> Place:
    lite.run("CREATE TABLE posts (id INTEGER PRIMARY KEY, thread INTEGER NOT NULL, slug TEXT UNIQUE, score INTEGER)")
    lite.run("CREATE TABLE threads (id INTEGER PRIMARY KEY, title TEXT)")
    lite.run("INSERT INTO threads VALUES (1, 'a'), (2, 'b')")
    lite.run("INSERT INTO posts VALUES (1, 1, 'x', 5), (2, 1, 'y', 7), (3, 2, 'z', 7)")
    lite.derive(
        "counts", "SELECT thread, count(*) AS n, sum(score) AS total, max(score) AS best FROM posts GROUP BY thread"
    )
    lite.derive(
        "stats",
        "SELECT t.id, t.title, (SELECT count(*) FROM posts p WHERE p.thread = t.id) AS n, "
        "(SELECT min(p.score) FROM posts p WHERE p.thread = t.id) AS least FROM threads t",
        key="id",
    )
    lite.tidemark.apply()
    lite.check()
    return lite


@pytest.mark.parametrize("policy", POLICIES)
def test_insert_with_any_policy_adds_to_a_stored_row(posts: Place, policy: str) -> None:
    posts.run(
        f"INSERT {policy} INTO posts VALUES (10, 1, 'new', 9)", f"INSERT {policy} INTO posts VALUES (11, 3, 'n2', 1)"
    )
    posts.verified()


@pytest.mark.parametrize("policy", POLICIES)
def test_update_with_any_policy_moves_between_stored_rows(posts: Place, policy: str) -> None:
    posts.run(f"UPDATE {policy} posts SET thread = 3 - thread", f"UPDATE {policy} posts SET thread = 4 WHERE id = 1")
    posts.verified()


@pytest.mark.parametrize("policy", ["OR REPLACE", "OR IGNORE"])
def test_a_conflict_that_the_policy_settles(posts: Place, policy: str) -> None:
    posts.run(f"INSERT {policy} INTO posts VALUES (1, 2, 'other', 1)")
    posts.run(f"INSERT {policy} INTO posts VALUES (20, 2, 'y', 1), (21, 2, 'z', 2), (22, 2, 'w', 3)")
    posts.run(f"UPDATE {policy} posts SET slug = 'w' WHERE thread = 2")
    posts.verified()


@pytest.mark.parametrize("policy", ["OR FAIL", "OR ABORT", "OR ROLLBACK", ""])
def test_a_conflict_that_fails_leaves_nothing_or_what_was_done(posts: Place, policy: str) -> None:
    with pytest.raises(sqlite3.IntegrityError):
        posts.run(f"INSERT {policy} INTO posts VALUES (30, 2, 'fresh', 1), (31, 2, 'y', 1)")
    posts.verified()


def test_upsert_in_all_its_forms(posts: Place) -> None:
    posts.run(
        "INSERT INTO posts VALUES (1, 2, 'x', 50) ON CONFLICT DO NOTHING",
        "INSERT INTO posts VALUES (1, 2, 'x', 5) ON CONFLICT (id) DO UPDATE SET score = excluded.score, thread = 2",
        "INSERT INTO posts VALUES (40, 2, 'y', 8), (41, 1, 'q', 8) ON CONFLICT (slug) DO UPDATE SET score = score + 1",
        "INSERT INTO posts VALUES (42, 2, 'y', 8) ON CONFLICT (slug) DO UPDATE SET id = 99 WHERE score > 1000",
    )
    posts.verified()
