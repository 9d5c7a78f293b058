"""Keyed programs at commit freshness: what writers have to lock before they compute units again.

Owns: `locking_of`, and `left_to_ticks`: what no writer can be left to compute at all. Promises: of two transactions that change
the two sides of a match, one finds the other's row committed, or fails; every value to lock is known from a changed row's own
image, so that all are locked in one order.

The units of a change are looked for in other scans as they are now. Where there is one scan on the way, who changes a row of it
and who looks for it both lock the value by which they meet. Over two steps the value of the second is only known after the
first; there one lock for the whole derived table is needed, or a tick.
"""

from __future__ import annotations

from dataclasses import replace

from tidemark.dialect import Dialect
from tidemark.errors import Code, Refusal
from tidemark.maintenance.program import Edge, KeyedProgram, KeyQuery, Locking
from tidemark.model import Declaration
from tidemark.query.functions import SQLITE_OPTIONAL, function_name, is_like
from tidemark.query.relation import Derived, Occurrence, Query, Recursion, Scalar, is_given
from tidemark.query.unique import equality

_RECURSION = "where a recursion meets what a writer changes is found step by step, in rows that others may be changing"
_BY_TICKS = 'freshness="tick", or no freshness='


def left_to_ticks(declaration: Declaration, query: Query) -> Declaration:
    """The declaration, kept by ticks where writers cannot be left to compute it. Raises `Refusal` where they are to do so."""
    late = _RECURSION if _recurs(query) else why_left(query)
    if late and declaration.freshness == "commit":
        raise not_at_commit(late)
    return replace(declaration, freshness="tick") if late else declaration


def _recurs(query: Query) -> bool:
    items = [item for block in query.blocks for item in block.items if isinstance(item, Derived)]
    return any(isinstance(one.query, Recursion) and not is_given(one.query) for one in items if one.query.blocks)


def why_left(query: Query) -> str:
    """Why writers cannot be left to compute a query, as what they do it with may be missing or something else; empty if they can.

    On SQLite a function is what the writer's own connection has under that name.
    """
    if not any(block.dialect.language.connections_differ for block in query.blocks):
        return ""
    nodes = [node for block in query.blocks for node in block.own_nodes]
    names = {function_name(node) for node in nodes}
    if any(is_like(node) for node in nodes):
        return (
            "whether LIKE tells capitals apart is up to the writer's connection (case_sensitive_like); GLOB always does"
        )
    found = sorted(name for name in names if name in SQLITE_OPTIONAL)
    return f"not every program that writes has {', '.join(found)} in its SQLite, or has the same" if found else ""


def locking_of(program: KeyedProgram, dialect: Dialect, *, allow_lock: bool) -> Locking:
    """What writers lock. Raises `Refusal` where it would be everything and nobody agreed to that, and where a change may touch
    every row."""
    wide = sorted({way.changed.table.label for way in program.routes if way.everywhere})
    if wide or not program.unit:
        listed = ", ".join(wide) or "any source"
        raise not_at_commit(f"a change of {listed} may touch every row")
    if dialect.writers_wait_in_line:
        return Locking()
    edges: list[Edge] = []
    for way in program.routes:
        why = _why_whole(way)
        if why and not allow_lock:
            raise not_at_commit(
                why, f"{_BY_TICKS}; or allow_lock=True, and writers of its sources wait for one another"
            )
        if why:
            return Locking(whole=True)
        edges += [_edge_of(way)] if way.joined else []
    return Locking(tuple(dict.fromkeys(edges)))


def reasons_of(locking: Locking, dialect: Dialect) -> tuple[str, ...]:
    """Who computes the units again, when, and who waits for whom, in sentences."""
    if dialect.writers_wait_in_line:
        return (
            "writers compute them in their own transactions, after each row that they change: a statement of many rows computes "
            "a key as often as it touches it",
        )
    once = "writers compute them once, at their commit"
    if locking.whole:
        return (f"{once}, where those that change its sources wait for one another (allow_lock=True)",)
    met = [
        " and ".join(f"{_named(edge.left, one)} = {_named(edge.right, other)}" for one, other in edge.terms)
        for edge in locking.edges
    ]
    values = f"values of {', '.join(dict.fromkeys(met))} or the " if met else ""
    return (f"{once}, where those that change the same {values}same keys wait for one another",)


def _named(scan: Occurrence, scalar: Scalar) -> str:
    """A side of an equality with the source's name in place of the alias."""
    return scalar.at_row(scan.table.label).replace('"', "")


def not_at_commit(reason: str, instead: str = _BY_TICKS) -> Refusal:
    """The refusal of commit freshness."""
    return Refusal(Code.FRESHNESS, f"This query cannot be kept true at every commit: {reason}.", instead=instead)


def _why_whole(way: KeyQuery) -> str:
    """Why the values that lead from a change to its units cannot be locked one by one; empty when they can."""
    if len(way.joined) > 1:
        through = " and ".join(dict.fromkeys(occurrence.table.label for occurrence in way.joined))
        return (
            f"a change of {way.changed.table.label} finds its rows through {through}, step by step, and what a later step "
            f"would have to lock is only known after an earlier one"
        )
    if way.joined and not _edge_of(way).terms:
        changed, other = way.changed.table.label, way.joined[0].table.label
        return f"a change of {changed} finds its rows in {other} by no equality that could be locked"
    return ""


def _edge_of(way: KeyQuery) -> Edge:
    """The edge of a way over one other scan, the same whichever side it starts from."""
    one, other = sorted((way.changed, *way.joined), key=lambda occurrence: occurrence.alias)
    terms: list[tuple[Scalar, Scalar]] = []
    for scalar in way.on:
        pair = equality(scalar)
        for left, right in (pair, pair[::-1]) if pair is not None else ():
            if left.aliases == {one.alias} and right.aliases == {other.alias}:
                terms.append((left, right))
    return Edge(one, other, tuple(sorted(dict.fromkeys(terms), key=lambda term: (term[0].text, term[1].text))))
