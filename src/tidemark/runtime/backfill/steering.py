"""What operators may wish of a backfill while it is under way: a rest, its end, neither, or a slower pace.

Owns: `steer`, `set_nice`. Promises: a pause of a filling moves its generation, so that no worker takes it up again, and a cancel
does; what readers have is not cancelled; who fills hears of a wish, or it is refused.
"""

from __future__ import annotations

from functools import partial

from tidemark.errors import Code, Exit, Fault, Refusal
from tidemark.runtime.backfill.listing import list_everything
from tidemark.runtime.backfill.record import (
    AT_WORK,
    CANCELLED,
    WAITING,
    BackfillStatus,
    check_nice,
    find_backfill,
    require_uncancelled,
    set_wish,
)
from tidemark.runtime.backfill.withdraw import withdraw
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed

REMOVE = "take the declaration out and run `tidemark apply --allow-drop`"


def steer(duty: Duty, name: str, wanted: str) -> BackfillStatus:
    """Ask for ``pause`` or ``cancel``, or for neither (empty). Raises `Refusal` for what is not there, or cannot be, and `Fault`
    (exit 6) while nobody listens yet."""
    now = next(iter(list_everything(duty.ledger, name)), None)
    if now is None or now.kind == "data":
        return set_wish(duty, name, wanted)
    row = next(row for row in reversed(duty.ledger.derived()) if row.name == name and row.state != "retired")
    if now.counting:
        raise Fault(f"the keys of {name} are being counted: say it again in a moment", exit=Exit.HELD)
    if wanted == "cancel":
        return _cancel(duty, now, row)
    if wanted == "pause" and now.running:
        duty.write(partial(_wish_at_work, duty, row, "pause"))
        return next(iter(list_everything(duty.ledger, name)))
    before, after = ("backfilling", "paused") if wanted == "pause" else ("paused", "backfilling")
    if row.state == before:
        duty.write(partial(_move, duty, row, after))
    elif row.state in ("live", "failed"):
        raise _has_ended(now, row)
    elif wanted == "pause" and row.state != "paused":
        raise Refusal(Code.DECLARATION, f"{name} is {row.state}", instead="look at `tidemark backfill list`")
    else:
        # Whoever asked for a pause that was not honoured yet takes the wish back.
        duty.write(partial(_wish, duty, name, ""))
    return next(iter(list_everything(duty.ledger, name)))


def set_nice(duty: Duty, name: str, nice: float) -> BackfillStatus:
    """How much a runner is to rest, from its next chunk on, and whoever begins later. Raises `Refusal` for what is no such
    number, and for what is not there."""
    check_nice(nice)
    now = next(iter(list_everything(duty.ledger, name)), None) or find_backfill(duty.ledger, name)

    def work() -> None:
        # A filling that nobody has begun has no record yet.
        duty.ledger.run("plan_backfill", {"name": name, "kind": now.kind, "fingerprint": now.fingerprint})
        duty.ledger.run("set_nice", {"name": name, "nice": nice})

    duty.write(work)
    return next(iter(list_everything(duty.ledger, name)), now)


def _wish_at_work(duty: Duty, row: Installed, wanted: str) -> None:
    """Tell whoever fills a generation what is wished of it, in the caller's transaction. Raises `Refusal` when it has just been
    filled: nobody would hear."""
    stored = duty.ledger.value("read_state_of_backfill", {"name": row.name})
    if duty.ledger.again(row).state != "backfilling" or stored not in (*AT_WORK, *WAITING):
        raise _is_filled(row.name)
    _wish(duty, row.name, wanted)


def _is_filled(name: str) -> Refusal:
    return Refusal(Code.DECLARATION, f"{name} is filled, and is verified", instead="look at `tidemark status`")


def _has_ended(now: BackfillStatus, row: Installed) -> Refusal:
    if row.state == "live":
        return Refusal(Code.DECLARATION, f"{row.name} is filled and live", instead="look at `tidemark status`")
    return Refusal(Code.DECLARATION, f"{row.name} has ended: it is {now.state}", instead="run `tidemark apply`")


def _wish(duty: Duty, name: str, wanted: str) -> None:
    require_uncancelled(duty.ledger, name, wanted)
    duty.ledger.run("set_wish", {"name": name, "wish": wanted})


def _cancel(duty: Duty, now: BackfillStatus, row: Installed) -> BackfillStatus:
    """Give up what nobody has seen yet. Raises `Refusal` for what readers have, and for what has ended or is being verified."""
    if row.state == "live":
        raise Refusal(Code.DECLARATION, f"{row.name} is filled and live: there is nothing to cancel", instead=REMOVE)
    if row.live_at is not None:
        raise Refusal(
            Code.DECLARATION,
            f"readers have {row.name}, and half of it is of no use to them",
            instead=f"{REMOVE}, or pause it",
        )
    if row.state == "failed":
        raise _has_ended(now, row)
    if now.running and row.state == "verifying":
        raise _is_filled(row.name)
    if now.running:
        duty.write(partial(_wish_at_work, duty, row, "cancel"))
    else:
        with duty.leased(f"keep {row.name}") as mine:
            mine.write(partial(_give_up, mine, mine.ledger.again(row)))
            withdraw(mine, row)
    return next(iter(list_everything(duty.ledger, row.name)))


def _give_up(duty: Duty, row: Installed) -> None:
    """Record that an operator gave a generation up, in the caller's transaction."""
    duty.ledger.move(row, "failed", CANCELLED)
    duty.ledger.run("set_wish", {"name": row.name, "wish": ""})


def _move(duty: Duty, row: Installed, after: str) -> None:
    duty.ledger.move(row, after)
    duty.ledger.run("set_wish", {"name": row.name, "wish": ""})
