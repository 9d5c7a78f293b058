"""Sources without triggers: which facts may be stated about them, and how the script of a derived table reads them.

Owns: `check_facts` and `SourceScan`. Promises: a frozen value of finished text, as everything in a script is.
"""

from __future__ import annotations

from dataclasses import dataclass

from tidemark.contract.ways import Reach
from tidemark.errors import Code, Refusal


@dataclass(frozen=True)
class SourceScan:
    """A source that is read by positions, the values of `watermark`, a column.

    Its mark is in the ledger: every row up to that position has been looked at. `high` gives the highest position there is.
    `slice` is the quoted temporary table, made by `create_slice`, into which scanned rows go as if they had just come; `affected`
    are statements as those of a log. `take` (parameter ``:limit``) fills it with the next rows after the mark up to the target,
    in order of position, `take_first` where there is no mark yet. `is_one` tells whether the slice has one position only, `cut`
    takes the highest position out of it; `place` is the quoted column of the slice that holds positions. `take_inside` and
    `take_more` fill it with rows of the position that is being exhausted, the latter after the row with the values ``:p0 … :pn``
    of `identity`, which `last` gives for the slice; without an identity `take_inside` takes all of it.
    `waiting` is a condition: whether there are rows after the mark, or none at it any more; `is_back` is the latter alone.
    `ready` is `waiting` up to the settled position. `count` (parameter ``:limit``) counts rows after the mark.
    `table` is the quoted source, `marks` says where the first scan begins. `unseen` are sentences about what no scan sees.
    """

    source: str
    table: str
    watermark: str
    marks: str
    high: str
    slice: str
    create_slice: str
    clear_slice: str
    affected: tuple[Reach, ...]
    take: str
    take_first: str
    is_one: str
    cut: str
    place: str
    take_inside: str
    take_more: str
    last: str
    identity: tuple[str, ...]
    waiting: str
    is_back: str
    ready: str
    count: str
    unseen: tuple[str, ...] = ()


def check_facts(name: str, capture: str, watermark: object, marks: object, place: str, *, pruned: bool) -> None:
    """Raises `Refusal` (``declaration``) for facts about a source that exclude each other or mean nothing."""
    scanned = capture == "scan"
    if capture not in ("triggers", "scan"):
        problem, instead = f"there is no capture={capture!r}", "say triggers or scan"
    elif scanned and not (isinstance(watermark, str) and watermark):
        problem, instead = f"a scan of {name} needs a watermark", 'watermark="column", whose values grow'
    elif not scanned and (watermark is not None or marks is not None):
        problem, instead = f"{name} is captured by triggers, which need no marks", 'capture="scan"'
    elif marks not in (None, "now", "history"):
        problem, instead = f"there is no marks={marks!r}", "say now or history"
    elif scanned and pruned:
        problem = f"{name} is scanned, and what scans find is computed from the rows that are there"
        instead = "pruned=True with triggers, or a scan without pruned"
    else:
        return
    raise Refusal(Code.DECLARATION, f"{problem} (at {place})", instead=instead)
