"""How an application hands over counters that its own triggers keep, and keep wrongly, while it goes on writing.

``python -m examples.soundgraph.adoption`` plays it: follows are counted by triggers that look at inserts alone, as such counters
often do. A follow and an unfollow in one block fold into one row, and a block that comes again writes its rows again; either
way the counts drift. Tidemark keeps the true counts in shadow, beside them, and names every wrong row for as long as the triggers
run; then it takes the columns over, and the writer never stops.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from examples.soundgraph.stores import Store, open_store
from tidemark import Project, Tidemark

SCHEMA = (
    """CREATE TABLE follow_rows (
        id INTEGER PRIMARY KEY, follower_user_id INTEGER NOT NULL, followee_user_id INTEGER NOT NULL,
        is_current BOOLEAN NOT NULL, is_delete BOOLEAN NOT NULL
    )""",
    "CREATE INDEX follow_rows_followee ON follow_rows (followee_user_id)",
    "CREATE INDEX follow_rows_follower ON follow_rows (follower_user_id)",
    """CREATE TABLE user_counts (
        user_id INTEGER PRIMARY KEY, follower_count INTEGER NOT NULL DEFAULT 0, following_count INTEGER NOT NULL DEFAULT 0
    )""",
)
STEP = """UPDATE user_counts SET follower_count = follower_count + CASE WHEN NEW.is_delete THEN -1 ELSE 1 END
            WHERE user_id = NEW.followee_user_id;
          UPDATE user_counts SET following_count = following_count + CASE WHEN NEW.is_delete THEN -1 ELSE 1 END
            WHERE user_id = NEW.follower_user_id;"""
LEGACY = {
    "sqlite": (f"CREATE TRIGGER count_follows AFTER INSERT ON follow_rows BEGIN {STEP} END",),
    "postgresql": (
        f"CREATE FUNCTION count_follows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {STEP} RETURN NULL; END $$",
        "CREATE TRIGGER count_follows AFTER INSERT ON follow_rows FOR EACH ROW EXECUTE FUNCTION count_follows()",
    ),
}
END_OF_LEGACY = {
    "sqlite": "DROP TRIGGER count_follows",
    "postgresql": "DROP TRIGGER count_follows ON follow_rows",
}
QUERY = """
    SELECT c.user_id,
           (SELECT count(*) FROM follow_rows f
             WHERE f.followee_user_id = c.user_id AND f.is_current AND NOT f.is_delete) AS follower_count,
           (SELECT count(*) FROM follow_rows f
             WHERE f.follower_user_id = c.user_id AND f.is_current AND NOT f.is_delete) AS following_count
      FROM user_counts c
"""
USERS = 40

project = Project("soundgraph adoption")
project.derive("follow_counts", query=QUERY, columns_of="user_counts")


@dataclass
class Writer:
    """The application: blocks of follows and unfollows, each row demoted and written anew, some blocks delivered twice."""

    store: Store
    chance: Random
    rows: int = 0

    def blocks(self, count: int) -> Iterator[None]:
        """Write so many blocks, one at a time."""
        for _ in range(count):
            block = [self._event() for _ in range(self.chance.randint(1, 6))]
            for _ in range(2 if self.chance.random() < 0.2 else 1):
                # Within a block the last word on an edge counts.
                for (follower, followee), deleted in dict(block).items():
                    self._write(follower, followee, deleted=deleted)
            yield

    def _event(self) -> tuple[tuple[int, int], bool]:
        follower = self.chance.randrange(USERS)
        followee = self.chance.choice([user for user in range(USERS) if user != follower])
        return (follower, followee), self.chance.random() < 0.3

    def _write(self, follower: int, followee: int, *, deleted: bool) -> None:
        self.rows += 1
        edge = (follower, followee)
        self.store.execute(
            "UPDATE follow_rows SET is_current = FALSE WHERE follower_user_id = ? AND followee_user_id = ? AND is_current",
            edge,
        )
        self.store.execute(
            f"INSERT INTO follow_rows VALUES (?, ?, ?, TRUE, {'TRUE' if deleted else 'FALSE'})", (self.rows, *edge)
        )


def begin(database: str, seed: int, blocks: int) -> Writer:
    """The application as it was: its tables, its triggers, and some history."""
    store = open_store(database)
    for statement in (*SCHEMA, *LEGACY[_engine(store)]):
        store.execute(statement)
    for user in range(USERS):
        store.execute("INSERT INTO user_counts (user_id) VALUES (?)", (user,))
    writer = Writer(store, Random(seed))
    for _ in writer.blocks(blocks):
        pass
    return writer


def end_legacy(store: Store) -> None:
    """The old triggers go; the application goes on writing."""
    store.execute(END_OF_LEGACY[_engine(store)])


def _engine(store: Store) -> str:
    return "sqlite" if store.engine == "sqlite" else "postgresql"


def play(database: str, *, seed: int = 7, blocks: int = 120) -> tuple[int, int, bool]:
    """The whole story; gives the wrong values before and after the take-over, and whether a verification found nothing."""
    writer = begin(database, seed, blocks)
    with closing(writer.store):
        tidemark = Tidemark(project, database)
        first = tidemark.adopt("follow_counts", shadow=True)
        print(f"{first.wrong} values of {2 * first.rows} are wrong:")
        for one in first.differing[:5]:
            print(f"  user {one.key[0]}: {one.column} is {one.stored}, and {one.truth} is true")
        ongoing = writer.blocks(blocks)
        for _ in zip(range(blocks // 2), ongoing, strict=False):
            pass
        before = tidemark.adopt("follow_counts")
        print(f"in shadow, {blocks // 2} blocks later: {before.wrong} values are wrong")
        end_legacy(writer.store)
        # Nobody counts for a moment; the take-over counts what was written meanwhile, too.
        next(ongoing)
        after = tidemark.adopt("follow_counts", take_over=True)
        for _ in ongoing:
            pass
        still = tidemark.adopt("follow_counts")
        clean = all(report.clean for report in tidemark.verify())
    print(f"taken over: {after.wrong} values are wrong; {blocks // 2 - 1} blocks later: {still.wrong}")
    return before.wrong, after.wrong + still.wrong, clean


def main(given: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m examples.soundgraph.adoption", description=__doc__)
    parser.add_argument("--database", help="an empty one; a file of its own when left out")
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        database = arguments.database or str(Path(folder) / "adoption.db")
        before, after, clean = play(database)
    print("Every count is true." if clean and not after else "Something is wrong.", file=sys.stderr)
    return 0 if before and not after and clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
