"""What there is to read: status, history, drift, quarantine, events, streams, explanations, and the banner.

Owns: one function for each address. Promises: reads only; what was typed wrong is 400, what is not there 404, what cannot be read
503, each with a sentence; never more than a page at once.
"""

from __future__ import annotations

from importlib.metadata import version
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from tidemark.runtime.backfill.record import read_time
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.outbox import STATES
from tidemark.runtime.runs import HISTORY_ROWS_MAX, RUN_MAX
from tidemark.web import shapes, shapes_runs
from tidemark.web.answers import Json
from tidemark.web.banner import of_banner
from tidemark.web.events import events, tag_status, tell_status
from tidemark.web.house import House, name_prober
from tidemark.web.metrics import OPEN, PLAIN, is_open, list_families, render

PAGE = 50
VERSION = version("tidemark")
LISTED_MAX = 1000


def house_of(request: Request) -> House:
    """What the routes share."""
    house: House = request.app.state.house
    return house


def number(request: Request, name: str, default: int, most: int) -> int:
    """A whole number that was typed, within bounds."""
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20):
        raise HTTPException(400, f"{name} is a whole number")
    return min(int(given), most)


def name_of(given: str) -> str:
    """A name that was typed, as a database could have it."""
    if "\x00" in given or any("\ud800" <= letter <= "\udfff" for letter in given):
        raise HTTPException(400, "nothing has a name like that")
    return given


async def status(request: Request) -> Response:
    """Everything at a glance; 304 for whoever names what they have, when only time has passed since."""
    house = house_of(request)
    view = await house.overview()
    tag = house.once(view, tag_status)
    if tag in (known.strip() for known in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers={"etag": tag})
    return Response(house.once(view, _status_text), media_type=Json.media_type, headers={"etag": tag})


def _status_text(house: House, view: Overview) -> bytes:
    return bytes(Json(house.once(view, tell_status)).body)


async def runs(request: Request) -> Response:
    """The history, newest first: ``name``, ``limit``, ``before`` (a run)."""
    house, limit = house_of(request), number(request, "limit", PAGE, HISTORY_ROWS_MAX)
    name, before = name_of(request.query_params.get("name", "")), number(request, "before", RUN_MAX, RUN_MAX)
    view = await house.overview()
    found = await house.look(lambda eye: eye.runs(name, limit, before))
    now = read_time(view.at)
    more = found[-1].id if found and len(found) == limit else None
    return Json({"at": view.at, "runs": [shapes_runs.of_past(one, now) for one in found], "next": more})


async def run(request: Request) -> Response:
    """One run with everything that is known about it."""
    house, id_ = house_of(request), request.path_params["id"]
    view = await house.overview()
    found = await house.look(lambda eye: eye.run(id_))
    if found is None:
        raise HTTPException(404, f"there is no run {id_}")
    return Json(shapes_runs.of_run(view.at, found))


async def drift(request: Request) -> Response:
    """Rows that are known to be wrong: ``name``, ``limit``."""
    house, limit = house_of(request), number(request, "limit", LISTED_MAX, LISTED_MAX)
    name, view = name_of(request.query_params.get("name", "")), await house.overview()
    found = await house.look(lambda eye: eye.drift(name, limit))
    return Json({"at": view.at, "drift": [shapes.of_drift(one) for one in found]})


async def quarantine(request: Request) -> Response:
    """Keys that backfills quarantined: ``name``, ``limit``."""
    house, limit = house_of(request), number(request, "limit", LISTED_MAX, LISTED_MAX)
    name, view = name_of(request.query_params.get("name", "")), await house.overview()
    found = await house.look(lambda eye: eye.quarantine(name, limit))
    return Json({"at": view.at, "quarantine": [shapes_runs.of_quarantined(one) for one in found]})


async def outbox(request: Request) -> Response:
    """Events of crossings, oldest first: ``state``, ``limit``, ``after`` (an event)."""
    house, limit = house_of(request), number(request, "limit", PAGE, LISTED_MAX)
    after, state = number(request, "after", 0, RUN_MAX), request.query_params.get("state", "")
    if state not in ("", *STATES):
        raise HTTPException(400, f"state is one of {', '.join(STATES)}")
    view = await house.overview()
    counts, found = await house.look(lambda eye: eye.events(state, limit, after))
    more = found[-1].id if found and len(found) == limit else None
    events = [shapes.of_event(one) for one in found]
    return Json({"at": view.at, "counts": counts, "events": events, "next": more})


async def streams(request: Request) -> Response:
    """Every stream with what waits for somebody."""
    house = house_of(request)
    view = await house.overview()
    found = await house.look(lambda eye: eye.streams())
    now = read_time(view.at)
    return Json({"at": view.at, "streams": [shapes.of_stream_detail(one, now) for one in found]})


async def explain(request: Request) -> Response:
    """How one derived table is kept true, and why."""
    name = name_of(request.path_params["name"])
    found = await house_of(request).look(lambda eye: eye.explain(name))
    return Json(found.as_json())


async def audit(request: Request) -> Response:
    """What operators did, newest first: ``name``, ``limit``."""
    house, limit = house_of(request), number(request, "limit", PAGE, LISTED_MAX)
    name, view = name_of(request.query_params.get("name", "")), await house.overview()
    found = await house.look(lambda eye: eye.actions(name, limit))
    return Json({"at": view.at, "audit": [shapes_runs.of_action(one) for one in found]})


async def banner(request: Request) -> Response:
    """What the banner may know."""
    house = house_of(request)
    view = await house.overview()
    unready, names = house.find_unready(view), house.wanted.names
    return Json(of_banner(view, unready, names=names, was_there=house.was_installed))


async def metrics(request: Request) -> Response:
    """Metrics for a scraper, in the text that it asks for."""
    house, who = house_of(request), name_prober(request)
    view, figures = await house.overview(who), await house.figures(who)
    openly = is_open(request.headers.get("accept", ""))
    families = list_families(view, figures, house.find_unready(view), VERSION)
    return Response(render(families, openly=openly), media_type=OPEN if openly else PLAIN)


async def perf(request: Request) -> Response:
    """How long chunks hold and wait, what controllers are at, what the database is under, and what duties took."""
    house = house_of(request)
    view, figures = await house.overview(), await house.figures()
    return Json({**shapes.of_figures(view, figures), "readings": house.readings})


PAGES = MappingProxyType(
    {
        "/status": status,
        "/runs": runs,
        "/runs/{id:int}": run,
        "/drift": drift,
        "/quarantine": quarantine,
        "/outbox": outbox,
        "/streams": streams,
        "/audit": audit,
        "/metrics": metrics,
        "/perf": perf,
        "/events": events,
        "/explain/{name:any}": explain,
    }
)
"""Which address leads to which page, for those who may read."""
