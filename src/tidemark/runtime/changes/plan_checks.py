"""What a plan must not do, whatever is declared.

Owns: the checks of a whole plan. Promises: each gives or raises a `Refusal`, or a `Fault`, before anything is
done, and reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tidemark.contract.script import Script
from tidemark.database.session import Session
from tidemark.dialect import Dialect
from tidemark.errors import Code, Fault, Refusal
from tidemark.model import Catalog
from tidemark.runtime.ledger import Installed, Ledger
from tidemark.states import UNKNOWN


def find_refusal(connect: Callable[[], Session]) -> Refusal | None:
    """Why a session that is to write is refused when `connect` opens it: a journal mode, or a file that may
    only be read."""
    try:
        connect().close()
    except Refusal as refusal:
        return refusal
    return None


def refusal_data(refusal: Refusal) -> dict[str, str]:
    """A refusal as plain data."""
    return {"code": refusal.code.value, "reason": refusal.reason, "instead": refusal.instead}


def check_states(installed: Sequence[Installed]) -> None:
    """Raises `Fault` when a generation is in a state that this version does not know, nor what may be done to it."""
    named = next((row.name for row in installed if row.state == UNKNOWN), None)
    if named is not None:
        raise Fault(
            f"{named} is in a state that this version does not know",
            left_behind="nothing was done; run the version that installed it",
            retry_safe=False,
        )


def check_replication(ledger: Ledger) -> None:
    """Raises `Refusal` when a subscription writes our storage: each change would be counted by its publisher and by us."""
    named = ledger.value("find_replicated_storage")
    if named is not None:
        raise Refusal(
            Code.REPLICATED_STORAGE,
            f"a subscription of this database writes {named}, which Tidemark keeps here too: changes would count twice",
            instead="publish the sources alone: take the tables of schema tidemark out of the publication, then "
            "ALTER SUBSCRIPTION … REFRESH PUBLICATION",
        )


def check_columns(scripts: Sequence[Script], dialect: Dialect) -> None:
    """Raises `Refusal` when two derived tables would keep one column of one table of the user's: each would undo what the other
    writes. `groups` looks at columns that stand in another derived table's view."""
    owners: dict[tuple[str, str], str] = {}
    for script in scripts:
        for column in script.columns:
            if script.joins or column in script.key:
                continue
            place = (script.public, dialect.fold(column))
            owner = owners.setdefault(place, script.name)
            if owner != script.name:
                raise Refusal(
                    Code.COLUMNS_OF,
                    f"{owner} and {script.name} would both keep {column} of {place[0]}",
                    instead="one declaration for it, or another name for the column",
                    derived=script.name,
                )


def check_pieces(scripts: Sequence[Script]) -> None:
    """Raises `Refusal` when two derived tables would give one name to two objects."""
    owners: dict[str, tuple[str, str]] = {}
    for script in scripts:
        for piece in script.pieces:
            owner, create = owners.setdefault(piece.name, (script.name, piece.create))
            if owner != script.name and create != piece.create:
                raise Refusal(
                    Code.NAME,
                    f"{owner} and {script.name} would both have an object called {piece.name}",
                    instead="give one of them another name",
                    derived=script.name,
                )


def check_name(script: Script | None, before: Installed | None, catalog: Catalog, present: Mapping[str, str]) -> None:
    """Raises `Refusal` when the public name belongs to something of the user's."""
    if script is None:
        return
    known = {piece.name for piece in before.script.pieces} if before is not None else set()
    views = {piece.name for piece in script.pieces if piece.public and piece.kind == "view"} - known - set(present)
    for taken in filter(None, (catalog.find(view.removeprefix(f"{script.home}.")) for view in sorted(views))):
        raise Refusal(
            Code.NAME_TAKEN,
            f"the database has a {taken.kind} called {taken.label} already",
            instead="give the derived table another name",
            derived=script.name,
        )
