"""Makes ``docs/challenges.md``: for each reward what is planted in generated input, what the answers expect, and what was found.

``python -m tests.examples.challenges_page --write`` plays the input on both engines and writes the page; the tests that play it
compare what they find with the page.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from examples.soundgraph import challenges
from examples.soundgraph.catalogue import CATALOGUE, PRODUCTION, UNLIMITED
from examples.soundgraph.stores import Store, open_store
from tests.examples.conftest import SEED, Generated, generate
from tests.examples.soundgraph_play import play, play_week
from tests.examples.soundgraph_rows import WEEKLY_IDS
from tests.kit.postgres import running_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "challenges.md"
ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
Found = dict[str, tuple[int, int]]
"""Rows and complete rows, by reward."""

_PLANTED = {
    "p": "profiles",
    "u": "uploaders",
    "fp": "collectors",
    "v": "verified",
    "m": "telephones",
    "r": "referral_kinds",
    "rv": "referral_kinds",
    "rd": "referrals",
    "ft": "tippers",
    "e": "streaks",
    "b": "buyers",
    "s": "buyers",
    "c": "commenters",
    "p1": "popular",
    "p2": "popular",
    "p3": "popular",
    "t": "circles",
    "cp": "pins",
    "cs": "cosigners",
    "w": "contests",
    "tt": "circles",
    "tut": "circles",
    "tp": "circles",
}
_HEAD = f"""# Rewards of soundgraph

Made by `python -m tests.examples.challenges_page --write` from the generator's input (seed {SEED}) and its answers, which share
no code with the indexer or the queries. *Planted* are episodes that are there for this reward's sake; *expected* are the rows
that the answers work out, and how many of them are complete; the columns of the engines are the rows of `user_challenges`
after every block was taken and every tick was made. The tests that play the input compare each value with the answers, and
these figures with what they find.

The rules stand in [challenges.py](../examples/soundgraph/challenges.py), the catalogue in
[catalogue.py](../examples/soundgraph/catalogue.py). Where they differ from the originals, and why, stands in
[DIFFERENCES.md](../examples/soundgraph/DIFFERENCES.md).

| id | reward | pays | steps | first block in production | cools down | planted | expected | SQLite | PostgreSQL |
|---|---|---|---|---|---|---|---|---|---|
"""


def expected(answers: Mapping[str, Any]) -> Found:
    """What the answers say."""
    rows: Counter[str] = Counter(row["challenge_id"] for row in answers["user_challenges"])
    complete: Counter[str] = Counter(row["challenge_id"] for row in answers["user_challenges"] if row["is_complete"])
    weekly: Counter[str] = Counter(row[0] for row in answers["weekly_challenges"])
    return {one: (rows[one] + weekly[one], complete[one] + weekly[one]) for one in CATALOGUE}


def count(store: Store) -> Found:
    """What is stored."""
    rows = store.query(
        "SELECT challenge_id, count(*), sum(CASE WHEN is_complete THEN 1 ELSE 0 END) FROM user_challenges GROUP BY challenge_id"
    )
    return {str(challenge): (int(every), int(complete)) for challenge, every, complete in rows}


def told(engine: str) -> Found:
    """What the page says that an engine has."""
    found: Found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0].strip("`") in CATALOGUE:
            rows, _, complete = cells[8 + list(ENGINES).index(engine)].partition(", ")
            found[cells[0].strip("`")] = (int(rows), int(complete.split()[0]))
    return found


def make(answers: Mapping[str, Any], got: Mapping[str, Found]) -> str:
    """The page."""
    lines = []
    wanted = expected(answers)
    for one in PRODUCTION:
        steps = "any number" if one.step_count == UNLIMITED else f"{one.step_count:,}"
        cooldown = f"{one.cooldown_days} days" if one.cooldown_days else "no"
        name = one.name if one.active else f"{one.name} (not active)"
        cells = [f"`{one.id}`", name, f"{one.amount:,}", steps, f"{one.starting_block:,}", cooldown]
        cells.append(f"{len(answers['planted'][_PLANTED[one.id]])} {_PLANTED[one.id].replace('_', ' ')}")
        cells += [_cell(found.get(one.id, (0, 0))) for found in (wanted, *(got[engine] for engine in ENGINES))]
        lines.append(f"| {' | '.join(cells)} |")
    assert set(challenges.QUERIES) == set(CATALOGUE)
    return _HEAD + "\n".join(lines) + "\n"


def _cell(found: tuple[int, int]) -> str:
    return f"{found[0]}, {found[1]} complete"


def main() -> int:
    """Plays everything on both engines and writes the page."""
    generated: Generated = generate()
    got: dict[str, Found] = {}
    with TemporaryDirectory() as folder, running_server() as server:
        for engine in ENGINES:
            got[engine] = {}
            for number, run in enumerate((play, play_week)):
                made = server.create_database() if engine == "postgresql" else ""
                database = server.dsn(made) if made else f"sqlite:///{folder}/{number}.db"
                run(database, generated)
                with closing(open_store(database)) as store:
                    found = count(store)
                got[engine] |= {one: two for one, two in found.items() if (one in WEEKLY_IDS) == bool(number)}
    text = make(generated.answers, got)
    if "--write" in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
