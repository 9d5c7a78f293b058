"""What one changed row costs on SQLite.

Owns: three derived tables, the same kept by hand and by counting again, and the time of one changed row under each. Promises: the
same statements in the same order for all; configurations take turns; processor time, so that neighbours do not count; medians;
what we kept equals the query afterwards.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.budgets import Figure, lines_of, spell
from tidemark import Project, Tidemark
from tidemark.model import Freshness

BARE, EXPERT, RECOUNT, OURS, OURS_TICK = "bare", "expert", "recount", "ours", "ours, tick"
CONFIGURATIONS = (BARE, EXPERT, RECOUNT, OURS, OURS_TICK)
GROUPS = 1000
EVENTS = ("insert", "update", "delete")
Values = Sequence[tuple[int, ...]]


@dataclass(frozen=True)
class Scene:
    """A source, a derived table and the two ways of keeping it by hand. `update` changes a value, not a group."""

    name: str
    schema: str
    query: str
    key: str
    insert: str
    update: str
    delete: str
    expert: str
    recount: str


_PLAYS = "CREATE TABLE plays (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, ms INTEGER NOT NULL);"
_PLAYS_INDEX = "CREATE INDEX plays_user ON plays (user_id, ms);"
_PLAYS_INSERT = "INSERT INTO plays (id, user_id, ms) VALUES (?1, ?2, ?3)"
_PLAYS_UPDATE = "UPDATE plays SET ms = ?3 WHERE id = ?1"
_FOLLOWS = """
CREATE TABLE users (id INTEGER PRIMARY KEY);
CREATE TABLE follows (id INTEGER PRIMARY KEY, follower INTEGER NOT NULL, followee INTEGER NOT NULL, gone INTEGER NOT NULL);
INSERT INTO users WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < 1000) SELECT id FROM n;
"""


def _hooks(table: str, insert: str, update: str, delete: str) -> str:
    return "".join(
        f"CREATE TRIGGER on_{event} AFTER {event.upper()} ON {table} BEGIN {body} END;\n"
        for event, body in zip(EVENTS, (insert, update, delete), strict=True)
    )


def _sum_by_hand() -> str:
    upsert = (
        "INSERT INTO totals VALUES ({row}.user_id, {n}, {n} * {row}.ms) ON CONFLICT (user_id) "
        "DO UPDATE SET n = n + excluded.n, ms = ms + excluded.ms;"
    )
    came, went = upsert.format(row="new", n=1), upsert.format(row="old", n=-1)
    empty = "DELETE FROM totals WHERE user_id = old.user_id AND n = 0;"
    moved = "UPDATE totals SET ms = ms + new.ms - old.ms WHERE user_id = new.user_id;"
    table = "CREATE TABLE totals (user_id INTEGER PRIMARY KEY, n INTEGER NOT NULL, ms INTEGER NOT NULL);"
    return table + _hooks("plays", came, moved, went + empty)


def _sum_again() -> str:
    again = (
        "INSERT INTO totals SELECT user_id, count(*), sum(ms) FROM plays WHERE user_id = {row}.user_id GROUP BY 1 "
        "ON CONFLICT (user_id) DO UPDATE SET n = excluded.n, ms = excluded.ms;"
    )
    table = "CREATE TABLE totals (user_id INTEGER PRIMARY KEY, n INTEGER NOT NULL, ms INTEGER NOT NULL);"
    hooks = _hooks("plays", again.format(row="new"), again.format(row="new"), again.format(row="old"))
    return _PLAYS_INDEX + table + hooks


def _counters_by_hand(*, again: bool) -> str:
    table = "CREATE TABLE totals (id INTEGER PRIMARY KEY, followers INTEGER NOT NULL, following INTEGER NOT NULL);"
    fill = "INSERT INTO totals SELECT id, 0, 0 FROM users;"
    indexes = "CREATE INDEX by_followee ON follows (followee); CREATE INDEX by_follower ON follows (follower);"
    if again:
        one = (
            "UPDATE totals SET followers = (SELECT count(*) FROM follows f WHERE f.followee = {row}.followee AND NOT gone) "
            "WHERE id = {row}.followee; "
            "UPDATE totals SET following = (SELECT count(*) FROM follows f WHERE f.follower = {row}.follower AND NOT gone) "
            "WHERE id = {row}.follower;"
        )
        new, old = one.format(row="new"), one.format(row="old")
        return table + fill + indexes + _hooks("follows", new, new, old)
    add = (
        "UPDATE totals SET followers = followers + ({n}) WHERE id = {row}.followee; "
        "UPDATE totals SET following = following + ({n}) WHERE id = {row}.follower;"
    )
    came, went = add.format(row="new", n="NOT new.gone"), add.format(row="old", n="-(NOT old.gone)")
    return table + fill + _hooks("follows", came, add.format(row="new", n="old.gone - new.gone"), went)


def _extremes_by_hand(*, again: bool) -> str:
    table = "CREATE TABLE totals (user_id INTEGER PRIMARY KEY, least INTEGER, most INTEGER);"
    recompute = (
        "INSERT INTO totals SELECT user_id, min(ms), max(ms) FROM plays WHERE user_id = {row}.user_id GROUP BY 1 "
        "ON CONFLICT (user_id) DO UPDATE SET least = excluded.least, most = excluded.most;"
    )
    new, old = recompute.format(row="new"), recompute.format(row="old")
    if again:
        return table + _PLAYS_INDEX + _hooks("plays", new, new, old)
    grown = (
        "INSERT INTO totals VALUES (new.user_id, new.ms, new.ms) ON CONFLICT (user_id) "
        "DO UPDATE SET least = min(least, excluded.least), most = max(most, excluded.most);"
    )
    gone = (
        "UPDATE totals SET least = (SELECT min(ms) FROM plays WHERE user_id = old.user_id), "
        "most = (SELECT max(ms) FROM plays WHERE user_id = old.user_id) "
        "WHERE user_id = old.user_id AND (least = old.ms OR most = old.ms); "
    )
    return table + _PLAYS_INDEX + _hooks("plays", grown, gone + grown, gone)


SCENES = (
    Scene(
        "count and sum by group",
        _PLAYS,
        "SELECT user_id, count(*) AS n, sum(ms) AS ms FROM plays GROUP BY user_id",
        "user_id",
        _PLAYS_INSERT,
        _PLAYS_UPDATE,
        "DELETE FROM plays WHERE id = ?1",
        _sum_by_hand(),
        _sum_again(),
    ),
    Scene(
        "two counters over a universe",
        _FOLLOWS,
        "SELECT u.id, (SELECT count(*) FROM follows f WHERE f.followee = u.id AND NOT f.gone) AS followers, "
        "(SELECT count(*) FROM follows f WHERE f.follower = u.id AND NOT f.gone) AS following FROM users u",
        "id",
        "INSERT INTO follows (id, follower, followee, gone) VALUES (?1, ?2, ?4, 0)",
        "UPDATE follows SET gone = NOT gone WHERE id = ?1",
        "DELETE FROM follows WHERE id = ?1",
        _counters_by_hand(again=False),
        _counters_by_hand(again=True),
    ),
    Scene(
        "min and max by group",
        _PLAYS + _PLAYS_INDEX,
        "SELECT user_id, min(ms) AS least, max(ms) AS most FROM plays GROUP BY user_id",
        "user_id",
        _PLAYS_INSERT,
        _PLAYS_UPDATE,
        "DELETE FROM plays WHERE id = ?1",
        _extremes_by_hand(again=False),
        _extremes_by_hand(again=True).replace(_PLAYS_INDEX, ""),
    ),
)


def _prepare(path: Path, scene: Scene, configuration: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.executescript(scene.schema)
    if configuration in (OURS, OURS_TICK):
        project = Project("bench")
        freshness: Freshness = "tick" if configuration == OURS_TICK else "commit"
        project.derive("totals", key=scene.key, query=scene.query, freshness=freshness)
        Tidemark(project, str(path)).apply()
    elif configuration != BARE:
        text = scene.expert if configuration == EXPERT else scene.recount
        # The schema of one scene brings the index that the hand-written text brings elsewhere.
        connection.executescript(text.replace(_PLAYS_INDEX, "") if _PLAYS_INDEX in scene.schema else text)
    return connection


def _time(connection: sqlite3.Connection, scene: Scene, values: Values) -> Mapping[str, float]:
    # Half of the rows stay, so that groups are not emptied and extremes have something behind them; and those that go were not
    # updated before, which may have taken them out of what is counted.
    found, shares = {}, {"insert": values, "update": values[::2], "delete": values[1::2]}
    for event in EVENTS:
        text = str(getattr(scene, event))
        rows = [row[: max(n for n in range(1, 5) if f"?{n}" in text)] for row in shares[event]]
        connection.execute("BEGIN IMMEDIATE")
        begun = time.process_time()
        connection.executemany(text, rows)
        found[event] = (time.process_time() - begun) / len(rows) * 1e6
        connection.execute("COMMIT")
    return found


def _check(connection: sqlite3.Connection, scene: Scene) -> None:
    here, there = f"SELECT * FROM totals EXCEPT {scene.query}", f"{scene.query} EXCEPT SELECT * FROM totals"
    both = f"SELECT * FROM ({here}) UNION ALL SELECT * FROM ({there})"
    untrue = connection.execute(f"SELECT count(*) FROM ({both})").fetchone()[0]
    if untrue:
        raise AssertionError(f"{untrue} untrue rows after {scene.name}")


def measure(*, rounds: int, rows: int, say: Callable[[str], None]) -> dict[tuple[str, str, str], float]:
    """Median microseconds of one changed row, by scene, event and configuration."""
    chance = random.Random(1)
    values = [
        (n, chance.randint(1, GROUPS), chance.randint(1, 100_000), chance.randint(1, GROUPS))
        for n in range(1, rows + 1)
    ]
    found: dict[tuple[str, str, str], list[float]] = {}
    for scene in SCENES:
        for _ in range(rounds):
            for configuration in CONFIGURATIONS:
                with tempfile.TemporaryDirectory() as folder:
                    connection = _prepare(Path(folder) / "bench.db", scene, configuration)
                    for event, us in _time(connection, scene, values).items():
                        found.setdefault((scene.name, event, configuration), []).append(us)
                    if configuration == OURS:
                        _check(connection, scene)
                    connection.close()
        say(f"SQLite, {scene.name}: {statistics.median(found[scene.name, 'insert', OURS]):.2f} µs per inserted row")
    return {key: statistics.median(times) for key, times in found.items()}


def table(found: Mapping[tuple[str, str, str], float]) -> list[str]:
    """Microseconds per changed row, and how much of them each keeper adds."""
    rows = []
    for scene, event in dict.fromkeys((key[0], key[1]) for key in found):
        one = [found[scene, event, configuration] for configuration in CONFIGURATIONS]
        rows.append((scene, event, *(spell(us) for us in one), *(spell(us - one[0]) for us in one[1:])))
    added = [f"+ {configuration}" for configuration in CONFIGURATIONS[1:]]
    return lines_of(("SQLite, µs per row", "event", *CONFIGURATIONS, *added), rows)


def figures(found: Mapping[tuple[str, str, str], float]) -> list[Figure]:
    """The budgets of SQLite."""
    result = []
    for scene, event in dict.fromkeys((key[0], key[1]) for key in found):
        bare = found[scene, event, BARE]
        title = f"SQLite, {scene}, {event}"
        linear = scene != SCENES[2].name
        added, expert = found[scene, event, OURS] - bare, found[scene, event, EXPERT] - bare
        result.append(
            Figure(
                f"{title}, commit",
                added,
                "µs added",
                2.5 if linear else None,
                False,
                f"expert triggers add {spell(expert)}",
            )
        )
        result.append(Figure(f"{title}, tick", found[scene, event, OURS_TICK] - bare, "µs added", 1.5, at_least=False))
    return result
