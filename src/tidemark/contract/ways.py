"""Finished SQL text of the ways from changes to units, and of those in which rows are made true, or compared, without units.

Owns: `Reach`, `Full`, `Products`, `Newcomers`, `Catchup`, `Adding` and `Whole`, parts of a script. Promises: as `script`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """A statement that inserts into `reached` the units that a slice's changes can touch. `images` are the sources whose logged
    images it reads beside: where nothing of one waits, each image is a current row or one that the last seal followed."""

    text: str
    images: tuple[str, ...] = ()


def following(found: Iterable[Reach], moved: Collection[str]) -> list[str]:
    """The statements that find every unit where changes of the sources in `moved` wait, and of no others."""
    return [one.text for one in found if all(source in moved for source in one.images)]


@dataclass(frozen=True)
class Full:
    """The whole result in one read, for a tick in which finding out what changed would cost more.

    `create` is safe to repeat. `read`, in one snapshot, finds the rows that are new or differ and the keys that went, and gives
    them places from 1 on in two temporary tables; `duplicate`, if any, is a query whose only row is a key that the result
    has twice; `count` is the greater number of places. `write` (parameters ``:low`` and ``:high``) makes the rows true whose
    places are after ``:low`` up to ``:high``. `drained` empties what waits besides the logs.
    """

    create: tuple[str, ...]
    read: tuple[str, ...]
    duplicate: str
    count: str
    write: tuple[str, ...]
    drained: tuple[str, ...]


@dataclass(frozen=True)
class Product:
    """What changed rows of some scans join: changes of the scans numbered `scans`, of the tables labelled `sources`, with the
    others as they are now. `add` puts its signed sums by key beside those of other products."""

    scans: tuple[int, ...]
    sources: tuple[str, ...]
    add: str


@dataclass(frozen=True)
class Products:
    """A tick over a join that adds: sums of products, which are exact when the changes up to a snapshot and the other tables are
    read in that one snapshot, and when every stored row is of the moment after which the changes came.

    `scans` are the labels of the scanned tables, one for each scan, where more than `scans_max` may change. `create` and `clear`
    are safe to repeat, `weigh` tells the planner of the slices' sizes. `number` gives every key its place from 1 on, `count` is
    how many there are; `odd` are queries for the numbers of keys that adding cannot make true. `apply` (parameters ``:low`` and
    ``:high``) adds. `uneven` forgets that the rows are of one moment, `even` remembers it.
    """

    scans: tuple[str, ...]
    scans_max: int
    create: tuple[str, ...]
    clear: tuple[str, ...]
    weigh: tuple[str, ...]
    products: tuple[Product, ...]
    number: tuple[str, ...]
    count: str
    odd: tuple[str, ...]
    apply: tuple[str, ...]
    uneven: str
    even: str

    def are_too_many(self, changed: Collection[str]) -> bool:
        """Whether more scans than are added up read one of the changed tables."""
        return sum(label in changed for label in self.scans) > self.scans_max


@dataclass(frozen=True)
class Newcomers:
    """How rows that came into the user's table since the last tick come to show what is stored of their keys.

    `count` gives how many there are. `show` (parameter ``:limit``) brings so many of them up to what is stored, and
    its only value is how many there were; `steer` goes before it in its transaction.
    """

    count: str
    steer: tuple[str, ...]
    show: str


@dataclass(frozen=True)
class Catchup:
    """How rows of the user's table come to show what was stored while nothing carried it there.

    `find` fill ``todo`` with the keys of those that show something else, in key order. `take` (parameters ``:low`` and ``:high``)
    puts those of the places after the one up to the other into ``batch`` for whose two rows nobody has to be waited for, and
    locks these; `carry` has the triggers on the store carry them.
    """

    find: tuple[str, ...]
    take: tuple[str, ...]
    carry: tuple[str, ...]


@dataclass(frozen=True)
class Adding:
    """How rows that writers keep are filled by adding what they are short of.

    `find` fill ``fresh`` with that, numbered in key order, in one moment; `count` is how many rows that are. `add` (parameters
    ``:low`` and ``:high``) adds it, whatever writers have done since. `tables` are the quoted names of the sources, which nobody
    may empty while they are read. It is `exact` where all that is stored adds up. Where a table of the user's shows the rows,
    what was added comes there with `catchup`, once triggers carry what is written.
    """

    find: tuple[str, ...]
    count: str
    add: tuple[str, ...]
    tables: tuple[str, ...]
    exact: bool
    catchup: Catchup | None = None


@dataclass(frozen=True)
class Whole:
    """Everything at once, where the sources are small enough to be read in one go.

    `suspects` fill ``todo`` with every unit whose rows may differ from the query's; `count` gives the number of stored rows.
    `rows`, if any, fill ``fresh`` with the whole result, numbered in key order; `count_rows` is its number, `place` the key of
    the row at a ``:place``, `copy` (parameters ``:low`` and ``:high``) put rows of it into an empty store. Where writers keep
    the store, `alone` are statements of the same transaction that come first: after them no writer of the sources is under way;
    without such statements `rows` are for as long as nobody has committed anything since they were read. `adding`, if any, fills
    such a store while they go on. `differing`, if any, gives the first ``:limit`` rows that are stored and not in the query's
    result or the other way round, in key order: key, values and a number that is above zero for the query's.
    """

    suspects: tuple[str, ...]
    count: str
    rows: tuple[str, ...]
    count_rows: str
    place: str
    copy: tuple[str, ...]
    alone: tuple[str, ...] = ()
    adding: Adding | None = None
    differing: str = ""
