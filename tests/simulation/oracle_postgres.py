"""Compares derived tables with their queries on PostgreSQL.

Owns: one prepared statement that answers for all derived tables of a freshness at once. Promises: one snapshot; rows are
compared as bags by their text, which shows values, NULLs and numeric scale; column types are compared once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tests.simulation.case import Derived, Failure
from tests.simulation.history import Rows, numbered
from tests.simulation.kept import seen
from tests.simulation.memory import Table
from tests.simulation.relations import quote
from tests.simulation.tally import Tally
from tests.simulation.wire import Wire


def row_texts(source: str) -> str:
    """A query of the rows of a source as texts."""
    return f"SELECT simulated_row::text FROM {source} simulated_row"


def difference(one: Derived) -> str:
    """A query of the rows that are in one and not in the other, each with its side."""
    stored, truth = row_texts(seen(one)), row_texts(f"({one.query})")
    return (
        f"SELECT 'stored' AS side, x.* FROM ({stored} EXCEPT ALL {truth}) x UNION ALL "
        f"SELECT 'true', x.* FROM ({truth} EXCEPT ALL {stored}) x"
    )


class PostgresOracle:
    """The comparison over one connection of the harness."""

    ledger = "tidemark."

    def __init__(self, wire: Wire, tally: Tally) -> None:
        self.wire = wire
        self.tally = tally
        self.sets: dict[tuple[str, ...], list[Derived]] = {}

    def prepare(self, derived: Sequence[Derived]) -> None:
        """Compare the columns' types and prepare the comparisons, in place of those before."""
        self.forget()
        for one in derived:
            stored, truth = self._types(seen(one)), self._types(f"({one.query})")
            if stored != truth:
                raise Failure("types", one.name, f"columns are {stored} instead of {truth}\n{one.query}")
        for freshnesses in (("commit",), ("commit", "tick")):
            chosen = [one for one in derived if one.freshness in freshnesses]
            self.sets[freshnesses] = chosen
            if chosen:
                arms = [f"SELECT {n} WHERE EXISTS ({difference(one)})" for n, one in enumerate(chosen)]
                self.wire.exec(f"PREPARE {self._name(freshnesses)} AS {' UNION ALL '.join(arms)}")

    def _types(self, source: str) -> list[tuple[str | None, ...]]:
        self.wire.exec(f"CREATE TEMPORARY VIEW simulated_types AS SELECT * FROM {source} simulated_source")
        try:
            return self.wire.exec(
                # What is stored of a domain's values is of the type beneath.
                "SELECT a.attname, CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) "
                "ELSE format_type(a.atttypid, a.atttypmod) END FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
                "WHERE a.attrelid = 'pg_temp.simulated_types'::regclass AND a.attnum > 0 ORDER BY a.attnum"
            )
        finally:
            self.wire.exec("DROP VIEW pg_temp.simulated_types")

    @staticmethod
    def _name(freshnesses: tuple[str, ...]) -> str:
        return "simulated_" + "_".join(freshnesses)

    def forget(self) -> None:
        """Drop the prepared comparisons."""
        self.wire.exec("DEALLOCATE ALL")

    def check(self, freshnesses: tuple[str, ...], moment: str) -> None:
        """Compare the derived tables of these freshnesses. Raises `Failure` on the first that differs."""
        chosen = self.sets[freshnesses]
        if not chosen:
            return
        self.tally.comparisons.update(f"{one.family} {one.freshness}" for one in chosen)
        wrong = self.wire.exec(f"EXECUTE {self._name(freshnesses)}")
        if not wrong:
            return
        one = chosen[int(wrong[0][0] or "0")]
        rows = self.wire.exec(difference(one))
        detail = "; ".join(f"{side}: {text}" for side, text in rows[:8])
        raise Failure("mismatch", one.name, f"{moment}: {detail}\n{one.query}")

    def stored(self, one: Derived) -> Rows:
        """The rows that readers see, by key."""
        return self._by_key(one, seen(one))

    def truth(self, one: Derived) -> Rows:
        """The query's rows, by key."""
        return self._by_key(one, f"({one.query})")

    def of(self, one: Derived, query: str) -> Rows:
        """The rows of a SELECT with the columns of a derived table, by key."""
        return self._by_key(one, f"({query})")

    def _by_key(self, one: Derived, source: str) -> Rows:
        if not one.key:
            return numbered(text for (text,) in self.wire.exec(row_texts(source)))
        key = ", ".join(f"simulated_row.{quote(name)}" for name in one.key)
        found = self.wire.exec(f"SELECT ROW({key})::text, simulated_row::text FROM {source} simulated_row")
        rows = {key or "": row or "" for key, row in found}
        if len(rows) < len(found):
            raise Failure("key", one.name, f"the declared key {one.key} does not identify rows: {found}\n{source}")
        return rows

    def ask(self, sql: str) -> Sequence[Sequence[object]]:
        """The rows of a query, as texts."""
        return self.wire.exec(sql)

    def values(self, one: Derived, source: str) -> Table:
        """The values of the columns that are no key, by key, as texts."""
        key = ", ".join(f"simulated_row.{quote(name)}" for name in one.key)
        columns = ", ".join(f"simulated_row.{quote(name)}" for name in one.options["columns"])
        found = self.wire.exec(f"SELECT ROW({key})::text, {columns} FROM {source} simulated_row")
        return {row[0] or "": tuple(row[1:]) for row in found}

    def rows(self, one: Derived) -> Counter[str]:
        """The rows of a derived table as a bag of texts."""
        return Counter(text or "" for (text,) in self.wire.exec(row_texts(seen(one))))
