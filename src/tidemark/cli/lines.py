"""What a worker logs, as lines on standard error.

Owns: `log_to`. Promises: a line for people, or with ``--json`` one JSON object for each record, with the fields that the
record carries (`FIELDS`); nothing is set up where an application embeds Tidemark and has its own handlers.
"""

from __future__ import annotations

import json
import logging
import time
from typing import TextIO

FIELDS = ("definition", "duty", "ms", "retry_seconds", "counts")


def log_to(stream: TextIO, *, as_json: bool) -> None:
    """Send what is logged to a stream, unless somebody set up logging before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if as_json else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, subsystem, what it says, and what it is about."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        told = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "says": record.getMessage(),
        }
        about = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        return json.dumps({**told, **about}, default=str)
