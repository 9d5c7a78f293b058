"""Which renderer makes an engine's pieces.

Owns: the one table from a dialect's name to its whole texts. Promises: both engines offer the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidemark.contract.script import Piece
from tidemark.maintenance.mirror import Mirror
from tidemark.maintenance.program import KeyedProgram, LinearProgram
from tidemark.model import Crossing, Table
from tidemark.render.crossings import Shown
from tidemark.render.postgres import commit as postgres_commit
from tidemark.render.postgres import crossings as postgres_crossings
from tidemark.render.postgres import linear as postgres
from tidemark.render.postgres import log as postgres_log
from tidemark.render.postgres import mirror as postgres_mirror
from tidemark.render.sqlite import commit as sqlite_commit
from tidemark.render.sqlite import crossings as sqlite_crossings
from tidemark.render.sqlite import linear as sqlite
from tidemark.render.sqlite import log as sqlite_log
from tidemark.render.sqlite import mirror as sqlite_mirror
from tidemark.render.store import Store
from tidemark.render.tables import View

Indexes = tuple[tuple[str, ...], ...]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Pieces:
    """The functions that make the pieces of a program of either class, of a public `view`, of a mirror, of the log of a source
    and of crossings.

    A linear program at tick freshness is `added` up. At commit freshness a keyed one is `settled` by its writers; `hold` gives
    the statements by which a batch of ours keeps apart from them.
    """

    added: Callable[[LinearProgram, Store, Indexes, Path], tuple[Piece, ...]]
    linear: Callable[[LinearProgram, Store, Indexes, Path], tuple[Piece, ...]]
    view: View
    settled: Callable[[KeyedProgram, Store, Indexes, Path], tuple[Piece, ...]]
    hold: Callable[[Store, KeyedProgram], tuple[str, ...]]
    mirror: Callable[[Store, Mirror, Path, bool], list[Piece]]
    log: Callable[[Table, tuple[str, ...]], tuple[Piece, ...]]
    crossings: Callable[[Shown, Sequence[Crossing], Path, bool], tuple[Piece, ...]]


PIECES: dict[str, Pieces] = {
    "sqlite": Pieces(
        sqlite.added_pieces,
        sqlite.linear_pieces,
        sqlite.public_view,
        sqlite_commit.commit_pieces,
        sqlite_commit.sweep,
        sqlite_mirror.mirror_pieces,
        sqlite_log.log_pieces,
        sqlite_crossings.crossing_pieces,
    ),
    "postgres": Pieces(
        postgres.added_pieces,
        postgres.linear_pieces,
        postgres.public_view,
        postgres_commit.commit_pieces,
        postgres_commit.hold,
        postgres_mirror.mirror_pieces,
        postgres_log.log_pieces,
        postgres_crossings.crossing_pieces,
    ),
}
