"""The read API over the derived tables, as an ASGI application: ``uvicorn --factory examples.soundgraph.api:app``.

| path | answers |
|---|---|
| ``/users`` ``/users/{id}`` | people with their counts, genre and score |
| ``/tracks`` ``/tracks/{id}`` | tracks with plays and marks |
| ``/tracks/trending`` | the week's scores, best first |
| ``/users/{id}/challenges`` | how far somebody is towards each reward |
| ``/users/{id}/notifications`` | what somebody was told, the latest first |
| ``/users/{id}/history`` | the tracks that somebody played last |
| ``/milestones`` | every round number that was reached |

A list answers ``{"items": [...], "next": key}``. It is paged by key: ``?limit=`` (1 to 200) and ``?after=``, the ``next`` of the
page before, so that a page costs the same wherever it stands and rows that come meanwhile shift nothing. Reads only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypedDict

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.weekly import VERSION

LIMIT, LIMIT_MAX = 50, 200
Row = dict[str, Any]


class Page(TypedDict):
    """A part of a list, and the key that the next part begins after; None at the end."""

    items: list[Row]
    next: str | None


@dataclass(frozen=True)
class Listing:
    """A list: what each row shows, where it comes from, and the key by which it is ordered and paged."""

    columns: tuple[str, ...]
    source: str
    key: tuple[str, ...]
    where: str = "1 = 1"
    latest_first: bool = False

    def page(self, store: Store, given: Sequence[Any], after: str | None, limit: int) -> Page:
        """The rows after a key. Raises HTTPException (400) for a key that is none of this list."""
        order = " DESC" if self.latest_first else ""
        condition, values = self.where, [*given]
        if after is not None:
            condition += f" AND ({', '.join(self.key)}) {'<' if self.latest_first else '>'} "
            condition += f"({', '.join('?' * len(self.key))})"
            values += _read_key(after, len(self.key))
        # One more than is asked for tells whether there is a next page.
        found = store.query(
            f"SELECT {', '.join((*self.columns, *self.key))} FROM {self.source} WHERE {condition} "
            f"ORDER BY {', '.join(f'{column}{order}' for column in self.key)} LIMIT {limit + 1}",
            values,
        )
        items = [_row(self.columns, row) for row in found[:limit]]
        last = (
            json.dumps([_plain(value) for value in found[limit - 1][len(self.columns) :]])
            if len(found) > limit
            else None
        )
        return Page(items=items, next=last)


_USERS = "users u JOIN aggregate_user a ON a.user_id = u.user_id JOIN user_score s ON s.user_id = u.user_id"
_GENRE = "LEFT JOIN user_dominant_genre g ON g.user_id = u.user_id"
USERS = Listing(
    (
        *("u.user_id", "u.handle", "u.name", "u.is_verified", "a.follower_count", "a.following_count"),
        *("a.track_count", "a.playlist_count", "a.album_count", "a.repost_count", "g.dominant_genre", "s.score"),
    ),
    f"{_USERS} {_GENRE}",
    ("u.user_id",),
    "u.is_current",
)
TRACKS = Listing(
    (
        *("t.track_id", "t.owner_id", "t.title", "t.genre", "coalesce(p.count, 0) AS play_count"),
        *("a.save_count", "a.repost_count", "a.comment_count", "a.share_count"),
    ),
    "tracks t JOIN aggregate_track a ON a.track_id = t.track_id LEFT JOIN aggregate_plays p ON p.play_item_id = t.track_id",
    ("t.track_id",),
    "t.is_current AND NOT t.is_delete AND NOT t.is_unlisted",
)
TRENDING = Listing(
    ("s.track_id", "t.title", "t.owner_id", "s.genre", "s.score"),
    "track_trending_scores s JOIN tracks t ON t.track_id = s.track_id AND t.is_current",
    ("s.score", "s.track_id"),
    f"s.version = '{VERSION}' AND s.time_range = 'week'",
    latest_first=True,
)
CHALLENGES = Listing(
    (
        *(
            "c.challenge_id",
            "h.name",
            "c.specifier",
            "c.current_step_count",
            "h.step_count",
            "c.is_complete",
            "c.amount",
        ),
        *("c.completed_at", "c.completed_blocknumber"),
    ),
    "user_challenges c JOIN challenges h ON h.id = c.challenge_id",
    ("c.challenge_id", "c.specifier"),
    "c.user_id = ?",
)
NOTIFICATIONS = Listing(
    ("type", "actor_id", "item_type", "item_id", "group_id", "specifier", '"timestamp"', "blocknumber"),
    "notification",
    ('"timestamp"', "group_id", "specifier"),
    "user_id = ?",
    latest_first=True,
)
MILESTONES = Listing(
    ("name", "id", "threshold", "blocknumber", "slot", '"timestamp"'), "milestones", ("name", "id", "threshold")
)


def _row(columns: Sequence[str], values: Sequence[Any]) -> Row:
    names = [column.rpartition(" AS ")[2].rpartition(".")[2].strip('"') for column in columns]
    found = {name: _plain(value) for name, value in zip(names, values, strict=False)}
    # SQLite has no booleans of its own.
    return {name: bool(value) if name.startswith("is_") else value for name, value in found.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value


def _read_key(after: str, parts: int) -> list[Any]:
    try:
        found = json.loads(after)
    except ValueError:
        found = None
    if not isinstance(found, list) or len(found) != parts or not all(type(one) in (int, float, str) for one in found):
        raise HTTPException(400, "after is no key of this list: give the next of the page before")
    return found


def _number(given: str | None, name: str, low: int, high: int, default: int | None = None) -> int:
    if given is None and default is not None:
        return default
    if given is None or not given.isascii() or not given.isdigit() or not low <= int(given) <= high:
        raise HTTPException(400, f"{name} is a number from {low} to {high}")
    return int(given)


Reader = Callable[[Store, Request], Any]


def _listing(listing: Listing, *, of_user: bool = False) -> Reader:
    def read(store: Store, request: Request) -> Page:
        limit = _number(request.query_params.get("limit"), "limit", 1, LIMIT_MAX, LIMIT)
        given = [_user(request)] if of_user else []
        return listing.page(store, given, request.query_params.get("after"), limit)

    return read


def _user(request: Request) -> int:
    return _number(request.path_params["id"], "the id", 1, 2**31 - 1)


def _one(listing: Listing) -> Reader:
    def read(store: Store, request: Request) -> Row:
        [key] = listing.key
        found = store.query(
            f"SELECT {', '.join(listing.columns)} FROM {listing.source} WHERE {listing.where} AND {key} = ?",
            (_user(request),),
        )
        if not found:
            raise HTTPException(404, "there is none with this id")
        return _row(listing.columns, found[0])

    return read


def _history(store: Store, request: Request) -> Page:
    """The tracks that a user played last: a thousand at most, so that one page holds them."""
    found = store.query("SELECT listening_history FROM user_listening_history WHERE user_id = ?", (_user(request),))
    document = found[0][0] if found else []
    return Page(items=json.loads(document) if isinstance(document, str) else document, next=None)


READERS: dict[str, Reader] = {
    "/users": _listing(USERS),
    "/users/{id}": _one(USERS),
    "/users/{id}/challenges": _listing(CHALLENGES, of_user=True),
    "/users/{id}/notifications": _listing(NOTIFICATIONS, of_user=True),
    "/users/{id}/history": _history,
    "/tracks": _listing(TRACKS),
    "/tracks/trending": _listing(TRENDING),
    "/tracks/{id}": _one(TRACKS),
    "/milestones": _listing(MILESTONES),
}


def make_app(database: str) -> Starlette:
    """The application over one database."""

    def answering(reader: Reader) -> Callable[[Request], Any]:
        def work(request: Request) -> Any:
            with closing(open_store(database)) as store:
                return reader(store, request)

        async def answer(request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(work, request))

        return answer

    async def refuse(request: Request, problem: Exception) -> Response:
        assert isinstance(problem, HTTPException)
        return JSONResponse({"error": problem.detail}, problem.status_code)

    routes = [Route(path, answering(reader)) for path, reader in READERS.items()]
    return Starlette(routes=routes, exception_handlers={HTTPException: refuse})


def app() -> Starlette:
    """The application over the database that ``TIDEMARK_DATABASE`` names."""
    return make_app(os.environ["TIDEMARK_DATABASE"])
