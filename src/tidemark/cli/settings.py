"""Where the database and the definitions are.

Owns: `Settings` and finding them. Promises: an option wins over the environment, that over the nearest ``pyproject.toml``,
that over the default; relative paths in a ``pyproject.toml`` start at its folder. Opens no database and imports no definitions.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tidemark.database.urls import read_address
from tidemark.errors import Code, Refusal
from tidemark.runtime.throttle import Limits

DEFAULT_DEFINITIONS = "derived.py"
SQLITE_URL = "sqlite:///"
SLOW_SECONDS = 1.0
UNTOLD = "a PostgreSQL server tells no client how full its disk is"
_TIME = re.compile(r"^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$")
_SECONDS = MappingProxyType({"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0})
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$", re.IGNORECASE)
_BYTES = MappingProxyType({"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4})


@dataclass(frozen=True)
class Settings:
    """`database` is a URL or path (None when nobody says), `definitions` a file or a dotted module, `folder` where relative
    module names are looked up. Ticks that take longer than `slow_seconds` are told. With `trust_unseen` no backfill is held back
    by what the database does not show of its strain. None goes on while fewer than `disk_floor` bytes are free on the disk of a
    SQLite file (None = the default)."""

    database: str | None
    definitions: str
    folder: Path
    slow_seconds: float = SLOW_SECONDS
    trust_unseen: bool = False
    disk_floor: float | None = None

    def require_database(self) -> str:
        """The database. Raises `Refusal` when nobody says which."""
        if self.database is None:
            raise Refusal(
                Code.DATABASE_URL,
                "no database is named",
                instead="say --database app.db, set TIDEMARK_DATABASE, or write database in [tool.tidemark] of pyproject.toml",
            )
        return self.database

    @property
    def limits(self) -> Limits:
        """What a database may be under while fillings and backfills go on."""
        limits = Limits(trust_unseen=self.trust_unseen)
        return limits if self.disk_floor is None else replace(limits, free_bytes=self.disk_floor)

    def idle_floor(self, typed: str | None) -> str:
        """What to tell of a floor that holds nothing back, empty where it does, or none is set. Raises `Refusal`
        (``database-url``) where somebody typed it."""
        if self.disk_floor is None or read_address(self.require_database()).shows_disk:
            return ""
        if typed is None:
            return f"disk_floor holds nothing back here: {UNTOLD}."
        raise Refusal(
            Code.DATABASE_URL,
            f"--disk-floor is for SQLite files: {UNTOLD}",
            instead="leave it out, and watch the disk where you watch the server",
        )


def find_settings(
    database: str | None,
    definitions: str | None,
    environment: Mapping[str, str] | None = None,
    start: Path | None = None,
    disk_floor: str | None = None,
) -> Settings:
    """The settings for options as typed. Raises `Refusal` (``definitions``) for a ``pyproject.toml`` that cannot be read."""
    known = os.environ if environment is None else environment
    here = start or Path.cwd()
    file, table = _read_project_file(here)
    folder = file.parent if file else here
    stated = {name: _text(table, name, file) for name in ("database", "definitions", "slow", "unseen", "disk_floor")}
    slow = known.get("TIDEMARK_SLOW") or stated["slow"]
    slow_seconds = SLOW_SECONDS if slow is None else read_seconds(slow, "slow")
    unseen = known.get("TIDEMARK_UNSEEN") or stated["unseen"] or "hold"
    if unseen not in ("hold", "trust"):
        raise Refusal(Code.DEFINITIONS, f"unseen is {unseen!r}", instead="write hold or trust")
    floor = disk_floor or known.get("TIDEMARK_DISK_FLOOR") or stated["disk_floor"]
    how = (slow_seconds, unseen == "trust", None if floor is None else read_bytes(floor, "disk_floor"))
    found_database = database or known.get("TIDEMARK_DATABASE") or None
    if found_database is None and stated["database"] is not None:
        found_database = _resolve_database(stated["database"], folder)
    chosen = definitions or known.get("TIDEMARK_DEFINITIONS")
    if chosen is not None:
        return Settings(found_database, chosen, here, *how)
    if stated["definitions"] is not None:
        return Settings(found_database, stated["definitions"], folder, *how)
    return Settings(found_database, DEFAULT_DEFINITIONS, here, *how)


def read_seconds(text: str, what: str) -> float:
    """The seconds that ``500ms``, ``2s``, ``1m`` or ``1h`` mean. Raises `Refusal` (``definitions``) for anything else."""
    match = _TIME.match(text.strip())
    if match is None:
        raise Refusal(Code.DEFINITIONS, f"{what} is {text!r}, which is no time", instead="write 500ms, 2s, 1m or 1h")
    return float(match[1]) * _SECONDS[match[2]]


def read_bytes(text: str, what: str) -> float:
    """The bytes that ``64MB``, ``2GB`` or a bare number mean, in powers of 1024. Raises `Refusal` (``definitions``) for anything
    else."""
    match = _SIZE.match(text.strip())
    if match is None:
        raise Refusal(Code.DEFINITIONS, f"{what} is {text!r}, which is no size", instead="write 64MB, 2GB or 0")
    return float(match[1]) * _BYTES[match[2].lower()]


def _read_project_file(start: Path) -> tuple[Path | None, dict[str, Any]]:
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("tidemark", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError, AttributeError) as problem:
                raise Refusal(
                    Code.DEFINITIONS, f"{file} cannot be read: {problem}", instead="mend it, or say --definitions"
                ) from problem
            return file, table if isinstance(table, dict) else {}
    return None, {}


def _text(table: dict[str, Any], name: str, file: Path | None) -> str | None:
    value = table.get(name)
    if value is None or isinstance(value, str):
        return value
    raise Refusal(Code.DEFINITIONS, f"{name} of [tool.tidemark] in {file} is no text", instead=f'write {name} = "…"')


def _resolve_database(stated: str, folder: Path) -> str:
    if stated.startswith(SQLITE_URL):
        return SQLITE_URL + str(folder / stated.removeprefix(SQLITE_URL))
    return stated if "://" in stated else str(folder / stated)
