"""Every name of an object that Tidemark creates.

Owns: the prefix, the generation suffix, the length rule. Promises: two different things never get the same
name (a cut name carries a hash of the whole), and one quoting function, the dialect's, is used.

On SQLite everything is called ``tidemark_…``; on PostgreSQL it lives in schema ``tidemark``. The rows of a derived
table are in ``tidemark_<name>`` or ``tidemark.<name>``; everything else has an underscore more, so that no name of a
derived table can collide with the ledger.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tidemark.dialect import Dialect

ROWS = "_rows"
"""The column of a support that says how many rows there are of a key and a value."""


def shorten(name: str, bytes_max: int) -> str:
    """`name`, or its beginning and a hash of the whole when it is longer than `bytes_max` bytes of UTF-8."""
    encoded = name.encode()
    if len(encoded) <= bytes_max:
        return name
    mark = "_" + hashlib.sha256(encoded).hexdigest()[:10]
    return encoded[: bytes_max - len(mark)].decode(errors="ignore") + mark


def support_name(owner: str, number: int) -> str:
    """The name of a derived table's support; no declaration can have one like it."""
    return f"_support_{owner}_{number}"


STAGE = "_stage_"


def stage_name(owner: str, number: int) -> str:
    """The name of the stage of a derived table, a support that keeps its inner rows; no declaration can have one like it."""
    return f"{STAGE}{owner}_{number}"


def is_stage(name: str) -> bool:
    """Whether a support of that name is a stage."""
    return name.startswith(STAGE)


def owner_of(name: str) -> str:
    """The derived table whose stage has that name; the name itself where it is no stage."""
    return name.removeprefix(STAGE).rpartition("_")[0] if is_stage(name) else name


@dataclass(frozen=True)
class Names:
    """Names of one derived table's objects in one generation. Results of `own`, `store` … are quoted and qualified. `session`
    tells apart what scripts over one store have in a session; `home` is the schema in which readers see it, empty on SQLite."""

    dialect: Dialect
    derived: str
    generation: int = 1
    session: str = ""
    home: str = ""

    def _suffixed(self, name: str) -> str:
        return name if self.generation == 1 else f"{name}_g{self.generation}"

    def plain(self, kind: str, *about: str) -> str:
        """The unquoted, unqualified name of an object of that kind; kind ``""`` is the store."""
        if kind:
            name = self._suffixed("_".join((f"_{kind}", *filter(None, (self.derived,)), *about)))
        else:
            name = self._suffixed(self.derived)
        if self.dialect.has_schemas:
            return shorten(name, self.dialect.name_bytes_max)
        return shorten(self.dialect.ours_prefix + name, self.dialect.name_bytes_max)

    def listed(self, kind: str, *about: str) -> str:
        """The unquoted name under which a session lists an object of that kind: with its schema, where it has one."""
        schema = f"{self.dialect.schema}." if self.dialect.schema else ""
        return schema + self.plain(kind, *about)

    def own(self, kind: str, *about: str) -> str:
        """The quoted name of a permanent object of ours."""
        plain = self.plain(kind, *about)
        return self.dialect.quote(self.dialect.schema, plain)

    def bare(self, kind: str, *about: str) -> str:
        """The quoted name without schema (triggers and indexes take their schema from their table)."""
        return self.dialect.quote(self.plain(kind, *about))

    def temporary(self, kind: str) -> str:
        """The quoted name of a table that lives in a worker's session."""
        return self.dialect.temporary_prefix + self.bare_temporary(kind)

    def bare_temporary(self, kind: str) -> str:
        """The same without what says where it lives."""
        return self.dialect.quote(self.plain(kind, *filter(None, (self.session,))))

    @property
    def store(self) -> str:
        """The quoted name of the table that holds the rows."""
        return self.own("")

    @property
    def public(self) -> str:
        """The quoted name that readers use."""
        return self.shown(self.derived)

    def shown(self, name: str) -> str:
        """The quoted name of a view that readers see, wherever the search path of a session begins."""
        return self.dialect.quote(self.home, name)

    def label(self, name: str) -> str:
        """The same as the catalog shows it (see `Table.label`)."""
        return name if self.home in ("", "public") else f"{self.home}.{name}"


@dataclass(frozen=True)
class CaptureNames(Names):
    """Names of the objects of a source's capture, which belong to no derived table: the source is what they are about."""

    derived: str = ""

    def plain(self, kind: str, *about: str) -> str:
        """The unquoted, unqualified name of an object of that kind."""
        return super().plain("_".join(("capture", kind, *about)))


def ledger(dialect: Dialect, table: str) -> str:
    """The quoted name of a table of the ledger."""
    if dialect.has_schemas:
        return dialect.quote("tidemark", f"_{table}")
    return dialect.quote(f"{dialect.ours_prefix}_{table}")


def checkpoint(names: Names, source: str) -> str:
    """FROM and WHERE of the checkpoint that a derived table has of a source's log."""
    dialect = names.dialect
    return (
        f"FROM {ledger(dialect, 'checkpoint')} WHERE derived = {dialect.literal(names.derived)} "
        f"AND generation = {names.generation} AND source = {dialect.literal(source)}"
    )
