"""Every declared query asked once, and its rows held against those that are worked out in Python.

Owns: which tables are compared, in which columns. Promises: a line for each table that differs, for each key that is there
twice or is NULL, and for each notice that two families tell.
"""

import math
from collections.abc import Mapping
from typing import Any

from examples.soundgraph import supporters
from examples.soundgraph.derived import DECLARED, query_text
from examples.soundgraph.portable import POSTGRES, SQLITE
from examples.soundgraph.stores import Store
from tests.examples.recomputed.conversations import tell_of_comments
from tests.examples.recomputed.counts import count
from tests.examples.recomputed.network import Network, Tables
from tests.examples.recomputed.notices import rank_up_rows, tell
from tests.examples.recomputed.random_rows import NOW, spelled
from tests.examples.recomputed.rewards import earn, profiles
from tests.examples.recomputed.standing import rank_items, rate_users
from tests.examples.soundgraph_rows import READERS, plain, stored
from tidemark.processors import Batch

CHALLENGES = tuple(one.name for one in DECLARED if one.name.startswith("challenge_") and one.name not in READERS)
FAMILIES = tuple(one.name for one in DECLARED if one.name.startswith("notices_"))
ALL_NOTICES = "all_notices"
NOTICE = ("type", "user_id", "group_id", "specifier")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    **READERS,
    **dict.fromkeys(CHALLENGES, ("specifier", "user_id", "current_step_count", "amount", "is_complete")),
    "contest_submissions": ("event_id", "submissions"),
    supporters.NAME: ("slot", "sender_user_id", "receiver_user_id", "rank", "dethroned_user_id"),
}
"""What is compared, beside notices, which are compared by their kind."""
STEPS = ("artist_plays", "referrals", "cosigns", "contest_wins", "early_marks", "completed_challenges")
"""What only rewards and notices read, and is compared in theirs."""
SHOWN = 4
"""Rows of a difference that are told."""


class _Asked:
    """A store as the processor of supporters reads it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Every row of a query with one parameter."""
        [(name, value)] = (parameters or {}).items()
        return self._store.query(sql.replace(f":{name}", "?"), (value,))

    def one(self, sql: str, parameters: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        return next(iter(self.all(sql, parameters)), None)


def declared_queries(engine: str) -> dict[str, str]:
    """The declared queries of an engine, asked at `NOW`."""
    words, moment = (SQLITE, f"'{spelled(NOW)}'") if engine == "sqlite" else (POSTGRES, f"timestamp '{spelled(NOW)}'")
    return {one.name: query_text(one.name, engine).replace(words.now, moment) for one in DECLARED}


def compare(store: Store, queries: Mapping[str, str]) -> list[str]:
    """What differs, one line each, where the base tables are filled. Makes every derived table, as a plain one."""
    findings = _ask(store, queries)
    tables, notices = work_out(Network(store, NOW))
    for name in COLUMNS:
        if name not in STEPS:
            findings += _differences(name, tables[name], _rows(store, name, COLUMNS[name]))
    told = _rows(store, ALL_NOTICES, NOTICE)
    for kind in sorted({notice[0] for notice in notices | told}):
        expected, found = ({one for one in all_of_them if one[0] == kind} for all_of_them in (notices, told))
        findings += _differences(f"notices of {kind}", expected, found)
    return findings


def _ask(store: Store, queries: Mapping[str, str]) -> list[str]:
    findings = []
    columns = "receiver_user_id bigint, sender_user_id bigint, slot bigint, rank integer, dethroned_user_id bigint"
    store.execute(f"CREATE TABLE {supporters.NAME} ({columns}, created_at timestamp)")
    receivers = store.query("SELECT DISTINCT receiver_user_id FROM user_tips")
    batch = Batch(tuple({"receiver_user_id": receiver} for (receiver,) in receivers), ())
    for row in supporters.find_rank_ups(_Asked(store), batch):
        marks = ", ".join("?" * len(row))
        store.execute(f"INSERT INTO {supporters.NAME} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
    # PostgreSQL takes tables that nobody has looked at for empty ones.
    store.execute("ANALYZE")
    for declared in DECLARED:
        store.execute(f"CREATE TABLE {declared.name} AS {queries[declared.name]}")
        findings += _misused_keys(store, declared.name, declared.key)
    columns = ", ".join(NOTICE)
    told = " UNION ALL ".join(f"SELECT {columns} FROM {family}" for family in FAMILIES)
    store.execute(f"CREATE VIEW {ALL_NOTICES} AS {told}")
    return findings + _misused_keys(store, ALL_NOTICES, ("group_id", "specifier", "user_id"))


def _misused_keys(store: Store, name: str, key: tuple[str, ...]) -> list[str]:
    columns = [f'"{column}"' for column in key]
    listed, unknown = ", ".join(columns), " OR ".join(f"{column} IS NULL" for column in columns)
    twice = store.query(f"SELECT {listed} FROM {name} GROUP BY {listed} HAVING count(*) > 1")
    null = store.query(f"SELECT {listed} FROM {name} WHERE {unknown}")
    found = ((twice, "more than once under one key"), (null, "under a key that is NULL"))
    return [f"{name}: {what}: {rows[:SHOWN]}" for rows, what in found if rows]


def work_out(network: Network) -> tuple[Tables, set[tuple[Any, ...]]]:
    """What every table must have, and all notices."""
    rewards = earn(network)
    ratings = rate_users(network)
    tables: Tables = {**count(network), **ratings, **rank_items(network), **profiles(network), **rank_up_rows(network)}
    tables |= {name: set() for name in CHALLENGES}
    for reward in rewards.values():
        tables[f"challenge_{reward.challenge}"].add(tuple(map(plain, reward[1:])))
    scores = {int(user): int(score) for user, score in ratings["user_score"]}
    notices = {tuple(notice) for notice in (*tell(network, scores, rewards), *tell_of_comments(network))}
    return tables, notices


def _rows(store: Store, name: str, columns: tuple[str, ...]) -> set[tuple[Any, ...]]:
    return {
        tuple(tuple(value) if isinstance(value, list) else value for value in row)
        for row in stored(store, name, columns)
    }


def _differences(name: str, expected: set[tuple[Any, ...]], found: set[tuple[Any, ...]]) -> list[str]:
    missing, extra = expected - found, found - expected
    # Scores are read with fewer digits than are worked out.
    for row in tuple(missing):
        near = next((other for other in extra if _is_close(row, other)), None)
        if near is not None:
            missing.discard(row)
            extra.discard(near)
    if not missing and not extra:
        return []
    told = ((missing, "missing"), (extra, "too many"))
    shown = "; ".join(f"{len(rows)} {word}: {sorted(rows, key=str)[:SHOWN]}" for rows, word in told if rows)
    return [f"{name}: {shown}"]


def _is_close(row: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether two rows differ in nothing but the last digits of a score, which stands last in its row."""
    *known, score = row
    *others, other_score = other
    are_scores = isinstance(score, float) and isinstance(other_score, int | float)
    return are_scores and known == others and math.isclose(score, other_score, rel_tol=1e-5)
