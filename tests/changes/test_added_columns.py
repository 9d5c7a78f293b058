"""A definition that gains a column: only that is filled, where the others are, which stay live and true all the while."""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.changes.shop import PACED, SCHEMA, Shop
from tests.kit.size import on_engines_in_turn, taken
from tidemark import Project, Tidemark
from tidemark.contract.script import Script
from tidemark.database.open import open_session
from tidemark.database.session import Session
from tidemark.dialect import Dialect
from tidemark.errors import Fault, Refusal
from tidemark.runtime.changes import apply
from tidemark.runtime.objects import widen
from tidemark.runtime.pace import Pace, choose_pace
from tidemark.runtime.progress import Event

MORE = (
    "CREATE TABLE likes (id integer PRIMARY KEY, user_id integer)",
    "CREATE INDEX posts_threads ON posts (thread_id)",
    "CREATE INDEX posts_users ON posts (user_id)",
    "CREATE INDEX likes_users ON likes (user_id)",
    "INSERT INTO likes VALUES (1, 1), (2, 1), (3, NULL), (4, 7)",
    "INSERT INTO posts SELECT p.id + 10 * u.id, p.thread_id + u.id, u.id, p.score - 6, 1 FROM posts p, users u",
    "INSERT INTO users VALUES (3, 'cid'), (4, 'dan'), (5, NULL)",
)
GROUPS = (
    "SELECT thread_id, count(*) AS n FROM posts GROUP BY thread_id",
    'SELECT thread_id, min(score) AS least, count(*) AS n, sum(score) AS "the s" FROM posts GROUP BY thread_id',
)
JOINED = (
    "SELECT p.id, p.score AS score, u.name FROM posts p JOIN users u ON u.id = p.user_id",
    "SELECT p.id, p.score AS score, u.name, p.other + 1 AS o FROM posts p JOIN users u ON u.id = p.user_id",
)
UNIVERSE = (
    "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS n FROM users u",
    "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS n, "
    "(SELECT count(*) FROM likes l WHERE l.user_id = u.id) AS likes FROM users u",
)
AMONG = (
    "SELECT u.id, NOT EXISTS (SELECT 1 FROM posts p WHERE p.thread_id = u.id) AS silent, "
    "coalesce((SELECT sum(p.score) FROM posts p WHERE p.user_id = u.id), 0) AS s FROM users u",
    "SELECT u.id, NOT EXISTS (SELECT 1 FROM posts p WHERE p.thread_id = u.id) AS silent, "
    "(SELECT count(*) FROM posts p WHERE p.user_id = u.id) AS n, "
    "coalesce((SELECT sum(p.score) FROM posts p WHERE p.user_id = u.id), 0) AS s FROM users u",
)
JOINED_TO_MORE = (
    JOINED[0],
    "SELECT p.id, p.score AS score, u.name, (SELECT count(*) FROM likes l WHERE l.user_id = p.user_id) AS likes "
    "FROM posts p JOIN users u ON u.id = p.user_id",
)
WAYS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "added at commits": (GROUPS, {"key": "thread_id"}),
    "added by ticks": (GROUPS, {"key": "thread_id", "freshness": "tick"}),
    "computed by ticks": (JOINED, {"key": "id", "freshness": "tick"}),
    "computed at commits": (JOINED, {"key": "id", "freshness": "commit"}),
    "computed at commits, of another source": (
        JOINED_TO_MORE,
        {"key": "id", "freshness": "commit", "allow_lock": True},
    ),
    "of another source": (UNIVERSE, {"key": "id"}),
    "among the others": (AMONG, {"key": "id"}),
    "of another source by ticks": (UNIVERSE, {"key": "id", "freshness": "tick"}),
}
WRITES = (
    "INSERT INTO posts SELECT max(id) + 1, 1, 1, 9, 2 FROM posts",
    "UPDATE posts SET score = score - 1, thread_id = thread_id + 1, other = NULL WHERE id = 1",
    "DELETE FROM posts WHERE id = (SELECT min(id) FROM posts WHERE thread_id IS NOT NULL AND id > 10)",
    "UPDATE posts SET thread_id = NULL, score = -20 WHERE id = (SELECT max(id) FROM posts)",
    "INSERT INTO likes SELECT max(id) + 1, 2 FROM likes",
    "DELETE FROM likes WHERE id = (SELECT min(id) FROM likes)",
    "INSERT INTO users SELECT max(id) + 1, 'new' FROM users",
    "DELETE FROM users WHERE id = 3",
    "INSERT INTO likes SELECT max(id) + 1, 7 FROM likes",
    "DELETE FROM posts WHERE id = 3",
)


@dataclass
class Story:
    """A definition that gains a column while writers go on. After each chunk something is written; at commit freshness the old
    columns, as readers see them, are compared with the truth before that."""

    url: str
    way: str
    shop: Shop = field(init=False)
    looks: int = 0
    wrong: list[str] = field(default_factory=list)
    at_each: Callable[[int], None] = lambda number: None

    def __post_init__(self) -> None:
        (self.old, self.new), self.options = WAYS[self.way]
        self.shop = Shop(self.url)
        self.shop.run(*SCHEMA, *MORE)
        self.declared(self.old).apply()

    def declared(self, query: str, listen: Callable[[Event], None] = lambda event: None) -> Tidemark:
        project = Project("shop")
        project.derive("threads", query=query, **self.options)
        return Tidemark(project, self.url, listen=listen)

    def look(self, event: Event) -> None:
        """Something is written between two chunks, and the old columns are compared."""
        if event.phase not in ("fill", "verify") or not event.done:
            return
        with contextlib.closing(open_session(self.url)) as session:
            columns = [one.name for one in session.describe(self.old)]
            listed = ", ".join(f'"{name}"' for name in columns)
            if "freshness" not in self.options or self.options["freshness"] == "commit":
                self._compare(f"SELECT {listed} FROM threads", self.old)
        self.shop.run(WRITES[self.looks % len(WRITES)])
        self.looks += 1
        self.at_each(self.looks)

    def _compare(self, shown: str, truth: str) -> None:
        with contextlib.closing(open_session(self.url)) as session:
            seen, true = Counter(session.all(shown)), Counter(session.all(truth))
            if seen != true:
                self.wrong.append(f"look {self.looks}: {seen - true} and not {true - seen}")

    def widen(self) -> None:
        """Apply the new definition, and make sure of everything."""
        self.declared(self.new, self.look).apply()
        self.make_sure()

    def make_sure(self) -> None:
        """Everything is live and true by the new definition, in one store."""
        tidemark = self.declared(self.new)
        tidemark.tick()
        self._compare("SELECT * FROM threads", self.new)
        for statement in WRITES:
            self.shop.run(statement)
        tidemark.tick()
        self._compare("SELECT * FROM threads", self.new)
        assert not self.wrong, self.wrong[:3]
        assert tidemark.plan().is_empty, tidemark.plan().steps
        assert [(one.state, one.progress) for one in tidemark.backfills()] == [("live", 1.0)]
        assert all(report.clean for report in tidemark.verify())
        assert all(report.clean for report in tidemark.verify_as_written())
        assert self.generations() == [("threads", 1, "live")], "the store is the same"

    def generations(self) -> list[tuple[str, int, str]]:
        return [(one.name, one.generation, one.state) for one in self.declared(self.new).status()]


def small(dialect: Dialect) -> Pace:
    """Chunks of one key."""
    return replace(choose_pace(dialect), size=1, size_min=1, size_max=1)


@pytest.mark.parametrize("way", taken(WAYS, 2))
def test_only_what_was_added_is_filled(engine_url: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in PACED:
        monkeypatch.setattr(room, "choose_patient_pace", small)
    story = Story(engine_url, way)
    (step,) = story.declared(story.new).plan().steps
    assert "only that is filled" in step.reason and step.upkeep is not None
    story.widen()
    assert story.looks > 3
    assert story.declared(story.new).uninstall() is not None


def test_a_column_that_shows_what_is_stored_already_is_gained_once(engine_url: str) -> None:
    """It is named before the others now, whose places in the store stay as they were."""
    old = "max(score) - min(score) AS apart, coalesce(sum(score), 0) AS s FROM posts"
    truth = "SELECT coalesce(sum(score), 0) AS again, " + old
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.run("CREATE TABLE posts (id integer PRIMARY KEY, score integer)")
        session.run("INSERT INTO posts VALUES (1, 5), (2, 7), (3, NULL)")
    for query in (f"SELECT {old}", truth):
        project = Project("forum")
        project.derive("total", freshness="commit", query=query)
        tidemark = Tidemark(project, engine_url)
        (step,) = tidemark.plan().steps
        tidemark.apply()
        assert tidemark.plan().is_empty
    assert "only that is filled" in step.reason
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.run("UPDATE posts SET score = score - 6 WHERE id > 1")
    with contextlib.closing(open_session(engine_url)) as session:
        assert session.all("SELECT * FROM total") == session.all(truth)
    assert all(report.clean for report in tidemark.verify())
    assert [(one.generation, one.state) for one in tidemark.status()] == [(1, "live")]


def test_a_name_with_white_space_is_widened_too(engine_url: str) -> None:
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.run("CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer, score integer)")
        session.run("INSERT INTO posts VALUES (1, 1, 5), (2, 1, 7), (3, NULL, 1)")
    # A store without a primary key gets columns again and again.
    more = [
        GROUPS[-1].replace("SELECT ", f"SELECT {gained}", 1)
        for gained in ("max(id) AS last, ", "sum(id) AS ids, max(id) AS last, ")
    ]
    for query in (*GROUPS, *more):
        project = Project("forum")
        project.derive("tab\there", key="thread_id", freshness="commit", query=query)
        assert Tidemark(project, engine_url).apply().live
    with contextlib.closing(open_session(engine_url)) as session, session.transaction():
        session.run("UPDATE posts SET score = score - 6")
    assert all(report.clean for report in Tidemark(project, engine_url).verify())


def test_what_is_interrupted_goes_on_and_the_old_columns_stay(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for room in PACED:
        monkeypatch.setattr(room, "choose_patient_pace", small)
    for way in ("added at commits", "added by ticks"):
        story = Story(engine_url, way)

        def stop(number: int) -> None:
            if number in (1, 3, 6):
                raise KeyboardInterrupt

        story.at_each = stop
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                story.declared(story.new, story.look).apply()
            assert ("threads", 1, "live") in story.generations()
            story.declared(story.new).tick()
            story._compare("SELECT thread_id, n FROM threads", story.old)
            assert all(report.clean for report in story.declared(story.new).verify())
        story.widen()
        story.declared(story.new).uninstall()
        story.shop.run("DROP TABLE posts", "DROP TABLE users", "DROP TABLE likes")


@on_engines_in_turn("way", taken(WAYS, 3))
def test_what_is_cancelled_takes_its_columns_along(engine_url: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the old definition has nothing to be filled, and the new one begins again in the same store."""
    for room in PACED:
        monkeypatch.setattr(room, "choose_patient_pace", small)
    story = Story(engine_url, way)
    before = _columns(engine_url)

    def cancel(number: int) -> None:
        if number == 2:
            assert _columns(engine_url) != before
            story.declared(story.new).cancel_backfill("threads")

    story.at_each = cancel
    with contextlib.closing(open_session(engine_url)), pytest.raises(Fault, match="cancelled"):
        story.declared(story.new, story.look).apply()
    assert _columns(engine_url) == before
    old = story.declared(story.old)
    old.tick()
    story._compare("SELECT * FROM threads", story.old)
    assert old.verify()[0].clean
    assert [(step.verb, step.reason) for step in old.plan().steps] == [
        ("drop", "its definition is again the one that is live")
    ]
    story.declared(story.new).apply()
    story._compare("SELECT * FROM threads", story.new)
    assert story.generations() == [("threads", 1, "live")] and not story.wrong, story.wrong


def _columns(url: str) -> list[str]:
    """The columns of the store."""
    with contextlib.closing(open_session(url)) as session:
        name = "tidemark.threads" if session.dialect.has_schemas else "tidemark_threads"
        return [one.name for one in session.describe(f"SELECT * FROM {name}")]


@pytest.mark.parametrize("most", [widen.WRITTEN_MAX, 0])
def test_what_cannot_be_filled_leaves_the_old_columns_live(
    engine_url: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widen, "WRITTEN_MAX", most)
    story = Story(engine_url, "computed by ticks")
    story.shop.run("UPDATE posts SET other = 0 WHERE id = 1")
    broken = story.new.replace("p.other + 1", "CASE WHEN p.other = 0 THEN abs(-9223372036854775807 - 1) END")
    if "postgres" in engine_url:
        broken = story.new.replace("p.other + 1", "1 / p.other")
    with pytest.raises((Fault, Refusal)):
        story.declared(broken).apply()
    assert ("threads", 1, "live") in story.generations()
    story._compare("SELECT id, score, name FROM threads", story.old)
    # Where the columns would have to be taken out row by row they stay, and the plan says why it fills another store.
    left = engine_url.startswith("sqlite") and not most
    for query in (story.old, story.new):
        assert ("are left in its store" in story.declared(query).plan().steps[0].reason) == left
    # Another definition builds a store of its own beside what is left of this one.
    story.declared(story.new).apply()
    assert [state for *_, state in story.generations()] == ["live"]
    story._compare("SELECT * FROM threads", story.new)
    assert not story.wrong, story.wrong


@pytest.mark.parametrize(
    "query",
    [
        "SELECT thread_id, count(*) AS n, max(score) AS m FROM posts WHERE score > 5 GROUP BY thread_id",
        "SELECT thread_id, count(score) AS n, max(score) AS m FROM posts GROUP BY thread_id",
        "SELECT user_id AS thread_id, count(*) AS n, max(score) AS m FROM posts GROUP BY user_id",
        "SELECT thread_id, max(score) AS m FROM posts GROUP BY thread_id",
    ],
)
def test_whoever_changes_more_than_that_gets_a_store_beside(sqlite_path: str, query: str) -> None:
    story = Story(f"sqlite:///{sqlite_path}", "added at commits")
    story.new = query
    (step,) = story.declared(query).plan().steps
    assert (step.verb, step.upkeep) == ("replace", None)
    story.declared(query).apply()
    assert story.generations() == [("threads", 2, "live")]
    story._compare("SELECT * FROM threads", query)
    assert not story.wrong


def _never_the_same(patch: pytest.MonkeyPatch) -> None:
    """Whatever a definition is without its new columns, it counts as the one that is installed."""
    patch.setattr(widen, "essence", lambda script: {})
    patch.setattr(widen, "_is_alike", lambda old, wanted: True)


def _old_triggers(patch: pytest.MonkeyPatch) -> None:
    """The columns are added to the store, and what keeps it stays as it was."""
    real = widen.list_changes

    def columns_alone(session: Session, old: Script, new: Script, drops: Sequence[str] = ()) -> list[str]:
        return [
            text for text in real(session, old, new, drops) if text.startswith("ALTER TABLE") and "ADD COLUMN" in text
        ]

    patch.setattr(widen, "list_changes", columns_alone)


def _shown_at_once(patch: pytest.MonkeyPatch) -> None:
    """Readers are shown the new columns before they are filled."""
    patch.setattr(apply, "fill", lambda *about: None)
    patch.setattr(apply, "_make_sure", lambda *about: 0)


@pytest.mark.parametrize("mistake", [_never_the_same, _old_triggers, _shown_at_once])
def test_a_mistake_in_widening_is_found_out(
    sqlite_path: str, mistake: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    story = Story(f"sqlite:///{sqlite_path}", "added at commits")
    mistake(monkeypatch)
    if mistake is _never_the_same:
        story.new = "SELECT thread_id, count(*) AS n, max(score) AS m FROM posts WHERE score > 5 GROUP BY thread_id"
    with pytest.raises((AssertionError, Fault, Refusal)):
        story.widen()
