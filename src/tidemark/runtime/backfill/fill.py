"""The first filling of a derived table while writers go on.

Owns: in which way a generation is filled. Promises: capture is committed before the keys are listed, so a key is either listed or
wholly captured; a chunk assigns the recomputed rows of its keys under their locks, so it may be done twice; the cursor moves in
the chunk's transaction. Rows of what adds up are not assigned: what they are short of is added (`adding` beside this). Where one
evaluation is not much, its rows are put there whole (`fill_whole`). Keys that an index gives in order are listed a page at a
time, and the cursor is a key (`fill_pages`); others are listed whole (`fill_listed`).
"""

from __future__ import annotations

from functools import partial

from tidemark.runtime.backfill.adding import fill_by_adding, may_add
from tidemark.runtime.backfill.fill_listed import list_every_key, walk_listed
from tidemark.runtime.backfill.fill_pages import fill_by_pages
from tidemark.runtime.backfill.fill_whole import (
    BESIDE_BYTES_MAX,
    WHOLE_BYTES_MAX,
    copy_all,
    copy_alone,
    copy_quietly,
    fits,
    is_alone,
    is_new,
    is_quiet,
)
from tidemark.runtime.backfill.filling import (
    FillReport,
    begin_fill,
    report,
    see_through,
)
from tidemark.runtime.backfill.together import tell_alone
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.pace import choose_patient_pace


def fill(duty: Duty, installed: Installed, before: Installed | None = None) -> FillReport:
    """Compute every key that exists, from the ledger's cursor on; `before` is the generation that readers see now, if any.

    Raises `Fault` (exit 75) when asked to stop or to rest.
    """
    script = installed.script
    if is_new(duty, installed) and fits(duty, script, WHOLE_BYTES_MAX if before is None else BESIDE_BYTES_MAX):
        return copy_all(duty, installed)
    done = copy_alone(duty, installed) if is_alone(duty, installed) else None
    if done is None and may_add(installed) and (not script.applier.indexed or fits(duty, script)):
        done = fill_by_adding(duty, installed)
    if done is None and is_quiet(duty, installed):
        done = copy_quietly(duty, installed)
    if done is not None:
        return done
    done = fill_by_pages(duty, installed)
    if done is not None:
        return done
    tell_alone(duty, script.name, "its keys have no order in which they could be cut into ranges")
    total = list_every_key(duty, script)
    start = installed.cursor_at if 0 < installed.cursor_at <= total else 0
    filling = begin_fill(duty, script, choose_patient_pace(duty.session.dialect), start, total)
    see_through(filling, installed, partial(walk_listed, filling, total, start))
    return report(filling, total - start)
