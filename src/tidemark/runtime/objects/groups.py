"""One public view over several derived tables: the columns that others keep for the rows of one.

Owns: the text of the joint view, and its moments. A derived table with ``columns_of`` another one is a table of its own, and its
columns stand in the other one's public view too, joined by key; each group of columns has its own freshness. Promises: the
joint view has exactly the groups that are live; it changes in the transaction in which one of them comes, moves or goes,
and the ledger's script says what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tidemark.contract.script import Script, mark, unmarked
from tidemark.dialect import Dialect, quote
from tidemark.errors import Code, Refusal
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Installed
from tidemark.runtime.objects.showing import show_pieces
from tidemark.runtime.scripts import script_text


def groups_of(name: str, rows: Iterable[Installed]) -> tuple[Script, ...]:
    """The scripts whose columns stand in the view of that name now; a renamed one stands there once."""
    shown = [row for row in rows if row.script.joins == name and _is_shown(row)]
    renamed = {row.replaces for row in shown}
    return tuple(row.script for row in shown if row.name not in renamed)


def _is_shown(row: Installed) -> bool:
    """Whether readers see its rows, be they out of service for the moment."""
    return row.live_at is not None and row.state != "retired"


def with_groups(script: Script, groups: Sequence[Script]) -> Script:
    """The script with the joint view in the place of its own; with no groups, as it was compiled."""
    if not script.offers or script.supports:
        return script
    pieces = tuple(
        replace(piece, create=_joint_view(script, piece.create, groups))
        if piece.public and piece.kind == "view" and piece.name == script.offers[1].label
        else piece
        for piece in script.pieces
    )
    return script if pieces == script.pieces else replace(script, pieces=pieces)


def _joint_view(script: Script, create: str, groups: Sequence[Script]) -> str:
    _, own = script.offers
    quoted = script.public
    opening, query = f"CREATE VIEW {quoted} AS ", own.definition or ""
    if groups:
        joined = [f"SELECT {', '.join(_columns(script, groups))}\nFROM ({query}) AS a"]
        for number, group in enumerate(groups, start=1):
            on = " AND ".join(_equal(script, f"g{number}", name) for name in script.key)
            joined.append(f"LEFT JOIN ({group.offers[1].definition}) AS g{number} ON {on}")
        query = "\n".join(joined)
    # Where a text carries its fingerprint, this one carries its own.
    return mark(opening, query) if unmarked(create) != create else opening + query


def _columns(script: Script, groups: Sequence[Script]) -> list[str]:
    found = [f"a.{quote(name)}" for name in script.columns]
    for number, group in enumerate(groups, start=1):
        found += [f"g{number}.{quote(name)}" for name in group.columns if name not in script.key]
    return found


def _equal(script: Script, group: str, name: str) -> str:
    column = script.offers[0].column(name)
    if column is not None and column.not_null:
        return f"{group}.{quote(name)} = a.{quote(name)}"
    # Both engines know this one; NULL is a key like any other.
    same = "IS NOT DISTINCT FROM" if script.offers[0].schema else "IS"
    return f"{group}.{quote(name)} {same} a.{quote(name)}"


def check_groups(scripts: Iterable[Script], dialect: Dialect) -> None:
    """Raises `Refusal` (``columns-of``) when two derived tables would give one view the same column."""
    everything = {script.name: script for script in scripts}
    owners: dict[tuple[str, str], str] = {}
    for script in everything.values():
        base = everything.get(script.joins)
        for name in script.columns if base is not None else ():
            if base is None or name in base.key:
                continue
            taken, folded = {dialect.fold(one) for one in base.columns}, dialect.fold(name)
            owner = base.name if folded in taken else owners.setdefault((base.name, folded), script.name)
            if owner != script.name:
                raise Refusal(
                    Code.COLUMNS_OF,
                    f"{base.name} has a column {name} already, from {owner}.",
                    instead="another name in the query",
                    derived=script.name,
                )


def show_again(duty: Duty, name: str) -> None:
    """Make the joint view say what is live now, in the caller's transaction; nothing without a live table of that name. Where the
    schema of the view is gone, only the ledger says it."""
    rows = duty.ledger.derived()
    base = next((row for row in rows if row.name == name and _is_shown(row)), None)
    if base is None:
        return
    script = with_groups(base.script, groups_of(name, rows))
    if script == base.script:
        return
    if not script.home or duty.ledger.value("has_schema", {"name": script.home}):
        show_pieces(duty, base.script, script)
    about = {"name": name, "generation": base.generation, "fingerprint": script.fingerprint}
    duty.ledger.run("set_script", {**about, "script": script_text(script)})
