"""The two families of errors, and every refusal code.

Owns: `Refusal` (the user can act), `Fault` (the world or Tidemark failed) and the exit codes of the command line. Promises: facts
are fields, never only text; every member of `Code` has a page under ``docs/refusals/``. Does not format for a terminal: the doors
do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Code(StrEnum):
    """Why something is refused. The value names the page ``docs/refusals/<value>.md``."""

    DECLARATION = "declaration"
    NAME = "name"
    PARSE = "parse"
    UNKNOWN_TABLE = "unknown-table"
    UNKNOWN_COLUMN = "unknown-column"
    NOT_A_QUERY = "not-a-query"
    UNSUPPORTED = "unsupported"
    VOLATILE = "volatile"
    SESSION_DEPENDENT = "session-dependent"
    SUBQUERY_SHAPE = "subquery-shape"
    KEY_MISSING = "key-missing"
    KEY_UNPROVEN = "key-unproven"
    KEY_NULLABLE = "key-nullable"
    CYCLE = "cycle"
    UPSTREAM_GONE = "upstream-gone"
    FRESHNESS = "freshness"
    GLOBAL = "global"
    COLUMNS_OF = "columns-of"
    ROWS_OF = "rows-of"
    NAME_TAKEN = "name-taken"
    SOURCE_KIND = "source-kind"
    WATERMARK = "watermark"
    REPLACE_DEFAULT = "replace-default"
    ROW_SECURITY = "row-security"
    PRIVILEGE = "privilege"
    REPLICATED_STORAGE = "replicated-storage"
    READ_ONLY = "read-only"
    NOT_WAL = "not-wal"
    DROP_NOT_ALLOWED = "drop-not-allowed"
    NOT_INSTALLED = "not-installed"
    DATABASE_URL = "database-url"
    ENGINE_VERSION = "engine-version"
    DEFINITIONS = "definitions"


class Exit(IntEnum):
    """Exit codes of the command line."""

    OK = 0
    ERROR = 1
    USAGE = 2
    CHANGES = 3
    DRIFT = 4
    REFUSED = 5
    HELD = 6
    QUARANTINED = 7
    INTERRUPTED = 75


@dataclass(frozen=True)
class Place:
    """Where in the user's SQL: 1-based line and column, and the offending text. Line 0 means that only the text is known."""

    line: int
    column: int
    text: str


class TidemarkError(Exception):
    """Base of both families, so that one ``except`` can catch everything that is ours."""


class Refusal(TidemarkError):
    """Something that Tidemark will not do, because it could not keep it true or would harm.

    Fields: `code`, `reason` (one sentence), `instead` (what to write instead), `derived` (name of the
    declaration, if one is concerned) and `place` (where in its query, if known).
    """

    def __init__(
        self,
        code: Code,
        reason: str,
        *,
        instead: str = "",
        derived: str | None = None,
        place: Place | None = None,
    ) -> None:
        self.code = code
        self.reason = reason
        self.instead = instead
        self.derived = derived
        self.place = place
        super().__init__(self.reason)

    def about(self, derived: str) -> Refusal:
        """The same refusal, with the name of the declaration that it concerns."""
        return Refusal(self.code, self.reason, instead=self.instead, derived=self.derived or derived, place=self.place)

    def __str__(self) -> str:
        where = f" ({self.derived})" if self.derived else ""
        at = ""
        if self.place is not None:
            known = f", at line {self.place.line}, column {self.place.column}" if self.place.line else ""
            at = f"{known}: {self.place.text}" if self.place.text else known
        stop = "" if self.instead.endswith((".", ";", "=", "…")) else "."
        hint = f" Instead: {self.instead}{stop}" if self.instead else ""
        return f"[{self.code.value}]{where} {self.reason.rstrip('.')}{at}.{hint}"


class Fault(TidemarkError):
    """The world or Tidemark failed.

    Fields: `cause` (one sentence), `left_behind` (what is in the database now), `retry_safe`, and
    `exit` (the exit code that the command line answers with).
    """

    def __init__(
        self,
        cause: str,
        *,
        left_behind: str = "nothing was changed",
        retry_safe: bool = True,
        exit: Exit = Exit.ERROR,
    ) -> None:
        self.cause = cause
        self.left_behind = left_behind
        self.retry_safe = retry_safe
        self.exit = exit
        super().__init__(cause)

    def __str__(self) -> str:
        again = "safe to run again" if self.retry_safe else "do not simply run again"
        return f"{self.cause} ({self.left_behind}; {again})"


def is_interruption(problem: BaseException) -> bool:
    """Whether a problem tells that somebody asked for the end: nothing failed, and what was at hand goes on later."""
    return isinstance(problem, Fault) and problem.exit is Exit.INTERRUPTED
