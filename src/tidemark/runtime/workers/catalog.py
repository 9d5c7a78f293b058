"""When a worker compares the catalog with what it should be.

Owns: `CatalogWatch`. Promises: at least every ten seconds; where a column may go that a capture reads, and writers fail then, a
second after the schema has changed, with one question that asks whether it has. Where schemas change all the time, looks take a
twentieth of the time.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.gaps import Look, look_and_note

CAPTURE_SECONDS = 10.0
ASK_SECONDS = 1.0
REST_SHARE = 20


class CatalogWatch:
    """Looks at the catalog when it is time to."""

    def __init__(self, clock: Clock) -> None:
        self._now = clock.now
        self._looked = self._asked = float("-inf")
        self._rest = ASK_SECONDS
        self._marker: str | None = None

    def look(self, duty: Duty, rows: Iterable[Installed]) -> Look | None:
        """What the catalog shows of some generations; None while it is not time to look."""
        began = self._now()
        late = began - self._looked >= CAPTURE_SECONDS
        changed = (late or began - self._asked >= self._rest) and self._has_changed(duty, began)
        if not (late or changed):
            return None
        self._looked = began
        look = look_and_note(duty, rows)
        self._rest = max(ASK_SECONDS, REST_SHARE * (self._now() - began))
        return look

    def _has_changed(self, duty: Duty, now: float) -> bool:
        """Whether the schema is another one than when that was asked last. It is asked before the catalog is looked at: what
        comes in between shows the next time."""
        if not duty.session.dialect.forgets_readers:
            # Changes by which writers fail are refused there, and others may be in the middle of a migration that is guarded.
            return False
        before, self._asked, self._marker = self._marker, now, duty.session.schema_marker()
        return self._marker != before
