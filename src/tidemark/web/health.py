"""Whether it lives, whether it is ready, whether it is well.

Owns: `/livez`, `/readyz` and `/healthz`. Promises: fails closed: what cannot be read, is unknown or has failed is never
ready and never well; living depends on nothing. Judges nothing itself.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tidemark.errors import TidemarkError
from tidemark.runtime.operate.overview import Overview
from tidemark.runtime.operate.verdict import Finding
from tidemark.web.answers import Json, tell_problem
from tidemark.web.house import House, name_prober
from tidemark.web.shapes import of_finding

HEALTH = "application/health+json"


async def live(request: Request) -> Response:
    """The process answers."""
    return Json({"alive": True})


async def ready(request: Request) -> Response:
    """Whether an application that needs the derived tables may be sent requests: 200 or 503."""
    unready, problem = await _look(request)
    return Json(_of_ready(unready, problem), 503 if unready or problem else 200)


async def ready_one(request: Request) -> Response:
    """The same for one name."""
    house: House = request.app.state.house
    name = request.path_params["name"]
    try:
        view = await house.overview(name_prober(request))
    except TidemarkError as told:
        return Json(_of_ready((), tell_problem(told)), 503)
    if name not in _names(view, house):
        return Json({"error": f"there is no {name}"}, 404)
    unready = tuple(one for one in house.find_unready(view) if one.name == name)
    return Json(_of_ready(unready, None), 503 if unready else 200)


def _names(view: Overview, house: House) -> set[str]:
    there = {one.name for one in view.tables} | {one.name for one in view.backfills}
    return there | {one.name for one in view.streams} | set(house.declared)


async def _look(request: Request) -> tuple[tuple[Finding, ...], str | None]:
    house: House = request.app.state.house
    try:
        view = await house.overview(name_prober(request))
    except TidemarkError as problem:
        return (), tell_problem(problem)
    return house.find_unready(view), None


def _of_ready(unready: tuple[Finding, ...], problem: str | None) -> dict[str, Any]:
    return {
        "ready": not unready and problem is None,
        "findings": [of_finding(one) for one in unready],
        "error": problem,
    }


async def health(request: Request) -> Response:
    """How everything is: ``pass`` and ``warn`` with 200, ``fail`` with 503; with ``?verbose`` as lines of text."""
    house: House = request.app.state.house
    try:
        view = await house.overview(name_prober(request))
    except TidemarkError as problem:
        told = tell_problem(problem)
        said = {"status": "fail", "output": f"The database cannot be read: {told}", "ready": False, "error": told}
        if "verbose" in request.query_params:
            return _in_lines([f"[fail] database: {told}"], "fail", 503)
        return Json({**said, "at": None, "findings": []}, 503, media_type=HEALTH)
    verdict, unready = view.verdict, house.find_unready(view)
    status = 503 if verdict.level == "fail" else 200
    if "verbose" in request.query_params:
        about = {(one.kind, one.name) for one in verdict.findings}
        well = [f"[pass] table {one.name}" for one in view.tables if ("table", one.name) not in about]
        ill = [f"[{one.level}] {one.kind} {one.name}: {one.says}" for one in verdict.findings]
        return _in_lines([*ill, *well], verdict.level, status)
    found = {
        "status": verdict.level,
        "output": verdict.sentence,
        "ready": not unready,
        "error": None,
        "at": view.at,
        "findings": [of_finding(one) for one in verdict.findings],
    }
    return Json(found, status, media_type=HEALTH)


def _in_lines(checks: list[str], level: str, status: int) -> Response:
    """A line for each check and one for all; a name with line breaks in it is one line, too."""
    lines = [" ".join(one.split()) for one in (*checks, f"healthz: {level}")]
    text = "".join(f"{line}\n" for line in lines)
    return Response(text.encode(errors="replace"), status, media_type="text/plain; charset=utf-8")
