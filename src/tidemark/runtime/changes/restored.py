"""A database that was restored from a dump: what is known of its sources by number means nothing there, and in another cluster
its positions do not either.

Owns: `settle_in` and `is_elsewhere`. Promises: a logical restore into another cluster is noticed before anything is sealed there,
by the identity of the cluster, which a copy of its files and a promoted standby keep; every derived table that is kept true by
ticks is then filled and verified from the start while its readers see what it had, all of them in one transaction with the record
of it. What its sources are is written down anew where it is what it was. What else is installed counts as not compared until it
is, since nothing tells which rows a dump left out, and gets a line of the history. Until somebody did all this, who only looks
is told. Where a database carries its positions along whole (a file, a copy of the cluster's files) nothing has to happen.
"""

from __future__ import annotations

from collections.abc import Collection

from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.objects.install import begin_filling
from tidemark.runtime.objects.sources import settle_sources
from tidemark.runtime.runs import add_named_run

FILLED = ("live", "backfilling", "verifying")
UNCOMPARED = "the database was restored from a dump: `tidemark verify` tells whether the dump left rows out"


def settle_in(duty: Duty) -> tuple[str, ...]:
    """Begin anew what has to be, and give the names; nothing when the database is where it was.

    Raises `Fault` when the database stays locked.
    """
    if not duty.ledger.exists():
        return ()
    here, known = read_cluster(duty.ledger), duty.ledger.value("read_meta", {"key": "cluster"})
    begun = duty.write(lambda: _begin_anew(duty, str(known), here)).value if known not in (None, here) else ()
    if _has_other_numbers(duty.ledger):
        duty.write(lambda: _settle(duty, begun))
    return begun


def is_elsewhere(ledger: Ledger) -> bool:
    """Whether the database was restored from a dump and nobody who may write has looked since, as far as the role may see."""
    if not ledger.value("may_read_cluster"):
        return _has_other_numbers(ledger)
    # Who may not ask for the cluster knows it by the number of the database.
    known = str(ledger.value("read_meta", {"key": "cluster"}))
    return (known.startswith("cluster ") and known != read_cluster(ledger)) or _has_other_numbers(ledger)


def _has_other_numbers(ledger: Ledger) -> bool:
    return bool(ledger.value("read_anchor") != ledger.value("read_meta", {"key": "anchor"}))


def _settle(duty: Duty, begun: Collection[str]) -> None:
    ledger = duty.ledger
    rows = ledger.derived()
    settle_sources(ledger, rows)
    # Where rows came after the triggers, what these wrote has numbers that the dump gives again.
    for numbers, table, column in ledger.all("list_numbered"):
        ledger.value("pass_numbers", {"numbers": numbers}, table=table, column=column)
    for row in rows:
        if row.name not in begun and row.state != "retired":
            ledger.run("mark_unverified", {"name": row.name, "generation": row.generation})
            add_named_run(duty, "restore", row.name, row.generation, None, UNCOMPARED).end("done", UNCOMPARED)
    ledger.run("set_meta", {"key": "anchor", "value": ledger.value("read_anchor")})


def read_cluster(ledger: Ledger) -> str:
    """What identifies the cluster that this database is in; of the database itself where the role may not ask."""
    return str(ledger.value("read_cluster" if ledger.value("may_read_cluster") else "read_database"))


def _begin_anew(duty: Duty, known: str, here: str) -> tuple[str, ...]:
    ledger = duty.ledger
    if ledger.run("claim_cluster", {"known": known, "here": here}) != 1:
        # Another process was first.
        return ()
    for capture in ledger.captures().values():
        # Changes with numbers that this cluster has not given yet would look like new ones when it comes to them.
        ledger.run("forget_future", log=capture.log)
    names = []
    for row in ledger.derived():
        if row.script.tick is None or row.state not in FILLED:
            continue
        ledger.run("mark_unverified", {"name": row.name, "generation": row.generation})
        begin_filling(duty, ledger.move(row, "installing"))
        said = "the database was restored into another cluster: it is filled again"
        add_named_run(duty, "restore", row.name, row.generation, None, said).end("done", said)
        names.append(row.name)
    return tuple(names)
