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
from tidemark.render import (
    postgres,
    postgres_commit,
    postgres_crossings,
    postgres_keyed,
    postgres_log,
    postgres_mirror,
    sqlite,
    sqlite_commit,
    sqlite_crossings,
    sqlite_keyed,
    sqlite_log,
    sqlite_mirror,
)
from tidemark.render.crossings import Shown
from tidemark.render.statements import Store

Indexes = tuple[tuple[str, ...], ...]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Pieces:
    """The functions that make the pieces of a program of either class, of a mirror, of the log of a source and of crossings.

    A linear program at tick freshness is `added` up. At commit freshness a keyed one is `settled` by its writers; `hold` gives
    the statements by which a batch of ours keeps apart from them.
    """

    added: Callable[[LinearProgram, Store, Indexes, Path], tuple[Piece, ...]]
    linear: Callable[[LinearProgram, Store, Indexes, Path], tuple[Piece, ...]]
    keyed: Callable[[KeyedProgram, Store, Indexes, Path], tuple[Piece, ...]]
    settled: Callable[[KeyedProgram, Store, Indexes, Path], tuple[Piece, ...]]
    hold: Callable[[Store, KeyedProgram], tuple[str, ...]]
    mirror: Callable[[Store, Mirror, Path, bool], list[Piece]]
    log: Callable[[Table, tuple[str, ...]], tuple[Piece, ...]]
    crossings: Callable[[Shown, Sequence[Crossing], Path, bool], tuple[Piece, ...]]


PIECES: dict[str, Pieces] = {
    "sqlite": Pieces(
        sqlite.added_pieces,
        sqlite.linear_pieces,
        sqlite_keyed.keyed_pieces,
        sqlite_commit.commit_pieces,
        sqlite_commit.sweep,
        sqlite_mirror.mirror_pieces,
        sqlite_log.log_pieces,
        sqlite_crossings.crossing_pieces,
    ),
    "postgres": Pieces(
        postgres.added_pieces,
        postgres.linear_pieces,
        postgres_keyed.keyed_pieces,
        postgres_commit.commit_pieces,
        postgres_commit.hold,
        postgres_mirror.mirror_pieces,
        postgres_log.log_pieces,
        postgres_crossings.crossing_pieces,
    ),
}
