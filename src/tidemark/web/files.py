"""The files of the page, and the schema of the answers.

Owns: which files are served. Promises: no other file is, whatever is asked for; none is read twice.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
FILES = {path.name: TYPES[path.suffix] for path in sorted((HERE / "page").iterdir())}


@cache
def read_file(name: str) -> bytes:
    """A file of this room."""
    return (HERE / name).read_bytes()


async def index(request: Request) -> Response:
    """The page."""
    return Response(read_file("page/index.html"), media_type="text/html")


async def file(request: Request) -> Response:
    """One of the files that the page names."""
    name = request.path_params["name"]
    if name not in FILES:
        raise HTTPException(404, "there is no such page")
    return Response(read_file(f"page/{name}"), media_type=FILES[name])


async def schema(request: Request) -> Response:
    """The JSON schema of every answer."""
    return Response(read_file("schema.json"), media_type="application/schema+json")
