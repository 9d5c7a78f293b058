"""A small forum whose schema changes under three derived tables: one of each way of upkeep.

Owns: `Shop`, and what everybody says of a gap. Promises: what readers see is compared with the queries as they are declared now,
as bags.
"""

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tidemark import Project, Tidemark
from tidemark.database.open import open_session
from tidemark.runtime.backfill import adding, fill, fill_pages, fill_whole

PACED = (adding, fill, fill_pages, fill_whole)
"""Where the pace of a filling is chosen."""
COLUMNS = "id integer, thread_id integer, user_id integer, score integer, other integer"
SCHEMA = (
    "CREATE TABLE users (id integer PRIMARY KEY, name text)",
    "CREATE TABLE posts (id integer PRIMARY KEY, thread_id integer, user_id integer, score integer, other integer)",
    "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
    "INSERT INTO posts VALUES (1, 1, 1, 5, 50), (2, 1, 2, 6, 60), (3, 2, 1, 7, 70), (4, NULL, NULL, NULL, NULL)",
)
QUERIES = {
    "added": ("SELECT thread_id, count(*) AS n, sum({score}) AS s FROM posts GROUP BY thread_id", {}),
    "ticked": (
        "SELECT user_id, count(*) AS n, sum({score}) AS s FROM posts GROUP BY user_id",
        {"freshness": "tick"},
    ),
    "computed": (
        "SELECT p.id, p.{score} AS score, u.name FROM posts p JOIN users u ON u.id = p.user_id",
        {"key": "id"},
    ),
}


@dataclass
class Shop:
    """A database with everything installed. `score` is the column that the declarations read."""

    url: str
    score: str = "score"
    names: tuple[str, ...] = tuple(QUERIES)
    tidemark: Tidemark = field(init=False)

    def __post_init__(self) -> None:
        self.declare()

    def declare(self, score: str = "") -> None:
        """The declarations, over a column that may have another name now."""
        self.score = score or self.score
        project = Project("shop")
        for name in self.names:
            query, options = QUERIES[name]
            project.derive(name, query=query.format(score=self.score), **options)  # type: ignore[arg-type]
        self.tidemark = Tidemark(project, self.url)

    def run(self, *statements: str) -> None:
        """Somebody's program, all in one transaction."""
        with contextlib.closing(open_session(self.url)) as session, session.transaction():
            for statement in statements:
                session.script(statement)

    def states(self) -> dict[str, str]:
        """The state of what readers see."""
        return {status.name: status.state for status in self.tidemark.status() if status.state != "retired"}

    def captures(self) -> dict[str, str]:
        """What the status says of captures and sources."""
        return {status.name: status.captures for status in self.tidemark.status()}

    def wrong(self) -> dict[str, Any]:
        """What readers see and should not, and the other way round; empty when everything is true."""
        self.tidemark.tick()
        found = {}
        with contextlib.closing(open_session(self.url)) as session:
            for name in self.names:
                shown = Counter(session.all(f"SELECT * FROM {name}"))
                truth = Counter(session.all(QUERIES[name][0].format(score=self.score)))
                if shown != truth:
                    found[name] = {"extra": shown - truth, "missing": truth - shown}
        return found

    def mend(self) -> None:
        """Apply, and make sure that everything is live, true, and captured again."""
        self.tidemark.apply()
        assert self.tidemark.plan().is_empty
        assert set(self.states().values()) == {"live"} and set(self.captures().values()) == {"ok"}
        self.run(
            f"INSERT INTO posts (id, thread_id, user_id, {self.score}) SELECT coalesce(max(id), 0) + 1, 2, 2, 9 FROM posts",
            f"UPDATE posts SET {self.score} = {self.score} + 1 WHERE id = 1",
        )
        assert not self.wrong()


def open_shop(url: str, *names: str) -> Shop:
    """A shop with some of the derived tables, or all of them, installed and true."""
    shop = Shop(url, names=names or tuple(QUERIES))
    shop.run(*SCHEMA)
    shop.mend()
    return shop


def expect(shop: Shop, says: str, *, worker: bool = False) -> None:
    """Everybody notices: status, `verify --catalog` and the worker; then nothing is live, and nothing is called true."""
    assert all(says in captures for captures in shop.captures().values()), shop.captures()
    assert all(status.next == "tidemark apply" for status in shop.tidemark.status())
    if worker:
        report = shop.tidemark.run(until_idle=True)
        assert report.gaps == len(shop.names) and not report.failing
    else:
        reports = shop.tidemark.verify(catalog=True)
        assert all(says in report.gap and not report.clean for report in reports)
    assert set(shop.states().values()) == {"installing"}
    gaps = [run for run in shop.tidemark.history() if run.kind == "gap"]
    assert {run.derived for run in gaps[: len(shop.names)]} == set(shop.names)
    assert all(says in (run.message or "") for run in gaps[: len(shop.names)])
    assert not any(report.clean for report in shop.tidemark.verify())
