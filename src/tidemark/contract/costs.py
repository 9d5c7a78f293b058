"""What the pure tower knows about the cost of a derived table: its operators, and where one value may reach many rows.

Owns: `Operator` and `Fan`, parts of a script. Promises: plain values, in words and codes that stay the same for the same query.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operator:
    """One operator of a query, such as ``join of posts``, with the class that it has by itself. `code` says why in one word that
    programs can rely on, `reason` in a sentence."""

    what: str
    klass: str
    code: str
    reason: str


@dataclass(frozen=True)
class Fan:
    """Where one value of `columns` reaches rows of `source`: for each row of a batch or a change as many are read. `sample` is a
    query of row counts, one for each of a bounded number of values; `is_counted` tells that an index counts them, else they are
    counted within the sample."""

    source: str
    columns: tuple[str, ...]
    sample: str
    is_counted: bool
