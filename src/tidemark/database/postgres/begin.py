"""How a PostgreSQL session and its transactions begin.

Owns: `PINNED` and `Beginning`. Promises: what expressions depend on is pinned; a transaction begins in one message, whatever it
needs.
"""

from __future__ import annotations

from collections.abc import Sequence

# Our statements are many and short, and where they may only look rows up, they are given prices that nobody pays: the server
# would compile them to machine code for that, 130 ms for a batch that takes 2. Docs: why/looked-up.md.
PINNED = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, MDY'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; "
    "SET bytea_output = 'hex'; SET standard_conforming_strings = on; SET transform_null_equals = off; "
    "SET array_nulls = on; SET quote_all_identifiers = off; SET default_transaction_read_only = off; "
    "SET default_transaction_isolation = 'read committed'; SET check_function_bodies = on; "
    "SET xmlbinary = 'base64'; SET xmloption = 'content'; SET jit = off"
)


def wait_text(seconds: float, *, local: bool = False) -> str:
    """The statement by which a lock is waited for so long; a wait of 0 is one of a millisecond, the shortest there is."""
    return f"SET {'LOCAL ' if local else ''}lock_timeout = {max(1, round(seconds * 1000))}"


class Beginning:
    """How transactions begin. `write_seconds` is how long those of a worker wait for a lock, None = as long as all do."""

    write_seconds: float | None = None

    def text(self, mode: str, *, snapshot: bool, holding: Sequence[str]) -> str:
        """The text that begins a transaction, one message."""
        said = ["BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN"]
        if self.write_seconds is not None and mode != "look":
            said.append(wait_text(self.write_seconds, local=True))
        if mode == "chunk":
            said.append("SET LOCAL synchronous_commit = off")
        if snapshot:
            # BEGIN and LOCK alone fix nothing; the first query does.
            said += [f"LOCK TABLE {', '.join(holding)} IN ACCESS SHARE MODE"] * bool(holding) + ["SELECT 1"]
        return "; ".join(said)
