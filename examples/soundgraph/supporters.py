"""Who rose among the five who gave somebody most: worked out tip by tip in Python, as no query says it, and told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from examples.soundgraph.notifications import group_of, notice
from examples.soundgraph.portable import Words
from tidemark import Project
from tidemark.processors import Batch, Reader

NAME = "supporter_rank_ups"
PLACES = 5

_TIPS = """
    SELECT slot, sender_user_id, sum(amount), max(created_at) FROM user_tips WHERE receiver_user_id = :receiver
     GROUP BY slot, sender_user_id ORDER BY slot, sender_user_id
"""


def declare_rank_ups(project: Project) -> None:
    """Declares the table of those who rose, one row for each slot in which somebody did."""
    project.processor(
        NAME,
        key=("receiver_user_id", "sender_user_id", "slot"),
        by="receiver_user_id",
        reads={"user_tips": "receiver_user_id"},
        columns={
            "sender_user_id": "bigint",
            "slot": "bigint",
            "rank": "integer",
            "dethroned_user_id": "bigint",
            "created_at": "timestamp",
        },
        every="5s",
        indexes=["sender_user_id", "dethroned_user_id"],
    )(find_rank_ups)


def find_rank_ups(db: Reader, batch: Batch) -> Iterator[dict[str, Any]]:
    """The rows of some receivers: each of their slots compared with what stood before it."""
    for receiver in batch.values("receiver_user_id"):
        given: defaultdict[int, int] = defaultdict(int)
        tips = db.all(_TIPS, {"receiver": receiver})
        for slot, here in groupby(tips, key=lambda tip: int(tip[0])):
            before, moments = _rank(given), {}
            for _, sender, amount, at in here:
                given[int(sender)] += int(amount)
                moments[int(sender)] = at
            after = _rank(given)
            for sender, at in moments.items():
                rank = after.get(sender)
                if rank is None or before.get(sender, PLACES + 1) <= rank:
                    continue
                first = next(iter(before), None)
                row = {"receiver_user_id": receiver, "sender_user_id": sender, "slot": slot, "rank": rank}
                yield row | {"dethroned_user_id": first if rank == 1 else None, "created_at": at}


def _rank(given: dict[int, int]) -> dict[int, int]:
    """The places of the first few: who gave more comes first, then the lower number."""
    order = sorted(given, key=lambda sender: (-given[sender], sender))
    return {sender: place for place, sender in enumerate(order[:PLACES], start=1)}


def support(w: Words) -> str:
    """Told to the one who received, to the one who gave, and to whom that cost the first place."""
    parts = []
    for kind, user, actor, when in (
        ("supporter_rank_up", "r.receiver_user_id", "r.sender_user_id", ""),
        ("supporting_rank_up", "r.sender_user_id", "r.receiver_user_id", ""),
        ("supporter_dethroned", "r.dethroned_user_id", "r.sender_user_id", "WHERE r.dethroned_user_id IS NOT NULL"),
    ):
        group = group_of(f"'{kind}'", "r.slot", "r.receiver_user_id", "r.sender_user_id")
        receiver = "CAST(r.receiver_user_id AS text)"
        dated = {"at": "r.created_at", "height": "r.slot", "specifier": user}
        parts.append(notice("support", kind, user, actor, receiver, "r.slot", group, f"{NAME} r {when}", **dated))
    return "\n         UNION ALL".join(parts)
