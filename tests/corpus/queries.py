"""The queries of the corpus, read from the files beside this module.

Owns: the format of ``tpch/*.sql`` and ``tpcc/*.sql``. Promises: every query has a name of its own, in the order of files and
places; what a file says and this module does not know is an error.

A query is a header of comments and one text, or one text for each engine::

    -- name: owed_by_rating
    -- key: w_id, credit
    -- global: the average is over all customers     (consent to upkeep that reads everything; says why it must)
    -- sqlite
    SELECT …;
    -- postgresql
    SELECT …;
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
WORKLOADS = ("tpch", "tpcc")
_HEADER = re.compile(r"^-- (name|key|global):\s*(.*?)\s*$")
_ENGINE = re.compile(r"^-- (sqlite|postgresql)\s*$")


@dataclass(frozen=True)
class Query:
    """One query: `kind` is the name of its file, `key` its declared key (empty: inferred), `consent` the reason why upkeep
    must read everything (empty: it need not), `texts` the SQL by engine (``""``: the same for both)."""

    name: str
    workload: str
    kind: str
    key: tuple[str, ...] = ()
    consent: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)

    def text(self, engine: str) -> str:
        """The SQL text for ``sqlite`` or ``postgresql``."""
        return self.texts.get("") or self.texts[engine]


@cache
def queries() -> tuple[Query, ...]:
    """Every query, TPC-H first. Raises `ValueError` for a file that breaks the format."""
    found: dict[str, Query] = {}
    for workload in WORKLOADS:
        for path in sorted((FOLDER / workload).glob("*.sql")):
            if path.stem == "schema":
                continue
            for query in _read(path, workload):
                if query.name in found:
                    raise ValueError(f"{path.name}: there are two queries {query.name}")
                found[query.name] = query
    return tuple(found.values())


def schema(workload: str) -> str:
    """The statements that make a workload's tables and indexes."""
    return (FOLDER / workload / "schema.sql").read_text(encoding="utf-8")


def _read(path: Path, workload: str) -> Iterator[Query]:
    parts = re.split(r"^(?=-- name:)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for part in parts[1:]:
        facts: dict[str, str] = {}
        texts: dict[str, list[str]] = {}
        engine = ""
        for line in part.splitlines():
            header, marker = _HEADER.match(line), _ENGINE.match(line)
            if header is not None:
                facts[header[1]] = header[2]
            elif marker is not None:
                engine = marker[1]
            elif line.startswith("-- "):
                raise ValueError(f"{path.name}: {line!r} is no header")
            elif line.strip():
                texts.setdefault(engine, []).append(line)
        if set(texts) not in ({""}, {"sqlite", "postgresql"}):
            raise ValueError(f"{path.name}: {facts['name']} has texts for {sorted(texts)}")
        key = tuple(word.strip() for word in facts.get("key", "").split(",") if word.strip())
        ready = {name: "\n".join(lines).rstrip().rstrip(";") for name, lines in texts.items()}
        yield Query(facts["name"], workload, path.stem, key, facts.get("global", ""), ready)
