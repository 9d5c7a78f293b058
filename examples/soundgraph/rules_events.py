"""What events about contests do, and tips, purchases and holdings, which come from another ledger.

A rule reads current rows, raises `Skip` with a reason, or puts new rows.
"""

from __future__ import annotations

from typing import Any

from examples.soundgraph.described import Row
from examples.soundgraph.rows import given
from examples.soundgraph.state import Stamp, State, provenance
from examples.soundgraph.tables import (
    EVENTS,
    HOLDINGS,
    PURCHASES,
    TIP_REACTIONS,
    TIPS,
)
from examples.soundgraph.values import (
    EntityEvent,
    identifier,
    json_text,
    natural_number,
    release_moment,
    text,
    whole_number,
)
from tidemark import Skip

CONTENT = ("track", "album")


def _facts(metadata: dict[str, Any]) -> Row:
    return (
        given(metadata, ("entity_type",), text)
        | given(metadata, ("entity_id",), identifier)
        | given(metadata, ("end_date",), release_moment)
        | given(metadata, ("event_data",), json_text)
    )


def create_event(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """Somebody holds a contest, or announces something else."""
    if state.current(EVENTS, (event.entity_id,)) is not None:
        raise Skip("event_exists")
    kind = text(event.metadata.get("event_type"))
    if not kind:
        raise Skip("no_event_type")
    state.user(event.user_id, stamp)
    row: Row = dict.fromkeys(EVENTS.columns)
    row |= {"event_id": event.entity_id, "event_type": kind, "user_id": event.user_id, "is_deleted": False}
    row |= {"created_at": stamp.at, "updated_at": stamp.at} | provenance(stamp)
    state.put(EVENTS, (event.entity_id,), row | _facts(event.metadata))


def _own_event(state: State, event: EntityEvent, stamp: Stamp) -> Row:
    before = state.current(EVENTS, (event.entity_id,))
    if before is None:
        raise Skip("unknown_event")
    if before["user_id"] != event.user_id:
        raise Skip("not_owner")
    if before["is_deleted"]:
        raise Skip("deleted_item")
    return before | {"updated_at": stamp.at} | provenance(stamp)


def update_event(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """A change by the host: only what the metadata names. Winners are named so."""
    row = _own_event(state, event, stamp) | _facts(event.metadata)
    state.put(EVENTS, (event.entity_id,), row)


def delete_event(state: State, event: EntityEvent, stamp: Stamp) -> None:
    """The event says deleted; the row stays."""
    state.put(EVENTS, (event.entity_id,), _own_event(state, event, stamp) | {"is_deleted": True})


def _payment(state: State, tx: Any, stamp: Stamp, payer: str, payee: str) -> Row:
    """Who pays whom how much. An amount that is not above nothing is none: it once lowered what somebody had been given."""
    row: Row = {"slot": stamp.number, "signature": stamp.txhash, "created_at": stamp.at}
    for name in (payer, payee):
        user = identifier(tx.get(name))
        if user is None:
            raise Skip(f"{name}_not_integer")
        state.user(user, stamp)
        row[name] = user
    amount = whole_number(tx.get("amount"))
    if amount is None or amount <= 0 or amount >= 2**62:
        raise Skip("bad_amount")
    return row | {"amount": amount}


def tip(state: State, tx: Any, stamp: Stamp) -> None:
    """Somebody gives something to somebody else."""
    row = _payment(state, tx, stamp, "sender_user_id", "receiver_user_id")
    if row["sender_user_id"] == row["receiver_user_id"]:
        raise Skip("self_tip")
    if signature := text(tx.get("signature")):
        # One that looks like ours could be another tip's.
        if ":" in signature or state.current(TIPS, (stamp.number, signature)) is not None:
            raise Skip("bad_signature")
        row["signature"] = signature
    state.put(TIPS, (stamp.number, str(row["signature"])), row)


def react_to_tip(state: State, tx: Any, stamp: Stamp) -> None:
    """What somebody makes of a tip: a value above 0, or 0 for nothing any more."""
    user, signature, value = identifier(tx.get("user_id")), text(tx.get("reacted_to")), natural_number(tx.get("value"))
    if user is None:
        raise Skip("user_id_not_integer")
    if not signature or value is None:
        raise Skip("no_reaction")
    state.user(user, stamp)
    before = state.current(TIP_REACTIONS, (signature, user))
    row: Row = {"reacted_to": signature, "user_id": user, "value": value}
    row |= {"created_at": before["created_at"] if before else stamp.at} | provenance(stamp)
    state.put(TIP_REACTIONS, (signature, user), row)


def hold(state: State, tx: Any, stamp: Stamp) -> None:
    """How much somebody holds at the end of a block."""
    user, balance = identifier(tx.get("user_id")), whole_number(tx.get("balance"))
    if user is None:
        raise Skip("user_id_not_integer")
    if balance is None or not 0 <= balance < 2**62:
        raise Skip("bad_balance")
    state.user(user, stamp)
    row: Row = {"user_id": user, "slot": stamp.number, "balance": balance, "created_at": stamp.at}
    state.put(HOLDINGS, (user, stamp.number), row)


def purchase(state: State, tx: Any, stamp: Stamp) -> None:
    """Somebody buys a track or an album."""
    row = _payment(state, tx, stamp, "buyer_user_id", "seller_user_id")
    kind, content = tx.get("content_type"), identifier(tx.get("content_id"))
    if kind not in CONTENT or content is None:
        raise Skip("no_content")
    state.put(PURCHASES, (stamp.number, stamp.txhash), row | {"content_type": kind, "content_id": content})
