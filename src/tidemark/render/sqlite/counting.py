"""SQLite: rows that are only counted, as one statement for all counts that a source feeds.

Owns: which feeds are written together, and what a changed row does to them. Promises: the same stored rows as a statement of its
own for each feed and image leaves. An arm whose condition fails costs its condition, where a statement opens the store first.
"""

from __future__ import annotations

from collections.abc import Sequence

from tidemark.maintenance.program import Feed
from tidemark.render.chains import any_of
from tidemark.render.linear import feed_key
from tidemark.render.sqlite import rows
from tidemark.render.store import Store

FEEDS_MAX = 16
"""Every column that a statement writes is written for each of its rows; and SQLite takes 500 arms."""


def are_counted(store: Store, feed: Feed) -> bool:
    """Whether a feed's rows are only counted, and nothing but the counts has to be written when one comes or goes."""
    only = all(part.kind == "additive" and part.value.at("r") == "1" for part in feed.parts)
    return only and not store.loose and rows.may_be_unfilled(store, feed)


def entering(store: Store, feeds: Sequence[Feed], row: str) -> list[str]:
    """Count a row under its key of each feed."""
    if len(feeds) == 1:
        return [rows.entering(store, feeds[0], row)]
    return _together(store, feeds, [(feed, row, 1, _guards(feed, row)) for feed in feeds])


def leaving(store: Store, feeds: Sequence[Feed], row: str) -> list[str]:
    """Count a row no more under its key of each feed. A key to which nothing contributes goes."""
    if len(feeds) == 1:
        return rows.leaving(store, feeds[0], row)
    gone = [(feed, row, -1, _guards(feed, row)) for feed in feeds]
    return [*_together(store, feeds, gone), *_vanish(store, gone)]


def moving(store: Store, feeds: Sequence[Feed]) -> list[str]:
    """An update: where a row does not stay counted under its key, it leaves that key and enters another."""
    arms = []
    for feed in feeds:
        same = rows.same_key(store, feed)
        for row, other, sign in (("OLD", "NEW", -1), ("NEW", "OLD", 1)):
            stays = " AND ".join([*same, *_guards(feed, other)])
            arms.append((feed, row, sign, [*_guards(feed, row), f"({stays}) IS NOT TRUE"]))
    return [*_together(store, feeds, arms), *_vanish(store, [arm for arm in arms if arm[2] < 0])]


Arm = tuple[Feed, str, int, list[str]]
"""A feed, the image of its row, what is added to the counts, and under which conditions."""


def _guards(feed: Feed, row: str) -> list[str]:
    return [f"({feed.guard.at(row)})"] if feed.guard else []


def _together(store: Store, feeds: Sequence[Feed], arms: Sequence[Arm]) -> list[str]:
    found = []
    for at in range(0, len(feeds), FEEDS_MAX):
        some = feeds[at : at + FEEDS_MAX]
        counts = [(feed.number, store.column(part)) for feed in some for part in feed.parts]
        selects = []
        for feed, row, sign, tests in arms:
            if feed in some:
                added = [str(sign if number == feed.number else 0) for number, _ in counts]
                values = ", ".join([*feed_key(store, feed, row), *added])
                selects.append(f"SELECT {values} WHERE {' AND '.join(tests) or '1'}")
        columns = [column for _, column in counts]
        found.append(
            f"INSERT INTO {store.names.store} ({', '.join([store.key_list, *columns])}) {' UNION ALL '.join(selects)}\n"
            f"  ON CONFLICT ({store.conflict}) DO UPDATE SET "
            + ", ".join(f"{column} = {column} + excluded.{column}" for column in columns)
        )
    return found


def _vanish(store: Store, gone: Sequence[Arm]) -> list[str]:
    """Let go of keys to which nothing contributes any more, each asked once."""
    by_key: dict[str, list[str]] = {}
    for feed, row, _, tests in gone:
        match = store.match(store.names.store, feed_key(store, feed, row))
        by_key.setdefault(match, []).append(f"({' AND '.join(tests) or '1'})")
    return [rows.vanish(store, match, f"({any_of(tests)})") for match, tests in by_key.items()]
