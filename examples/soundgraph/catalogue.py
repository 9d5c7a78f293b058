"""The rewards that can be earned: what each pays, for how many steps, from which block on, and how long it cools down.

The one place for all of that: the table ``challenges`` is filled from here, and the queries are made of it. Nothing counts for a
reward before its starting block. By default that is block 0, as recorded and generated ledgers count from 1; with
``SOUNDGRAPH_NETWORK=production`` it is the block of the production network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import Literal

NETWORK = "SOUNDGRAPH_NETWORK"
UNLIMITED = 2**31 - 1
Kind = Literal["boolean", "numeric", "aggregate", "trending"]


@dataclass(frozen=True)
class Challenge:
    """A reward, in the columns of the table ``challenges``. ``amount`` is for each step of an aggregate one."""

    id: str
    name: str
    type: Kind
    amount: int
    step_count: int
    starting_block: int
    weekly_pool: int
    cooldown_days: int | None
    active: bool = True

    @property
    def steps(self) -> int:
        """How many steps complete one row. Only numeric rewards have more than one."""
        return self.step_count if self.type == "numeric" else 1


PRODUCTION = (
    Challenge("p", "profile completion", "numeric", 1, 7, 0, 25_000, 7),
    Challenge("u", "track upload", "numeric", 1, 3, 25_346_436, 25_000, 7),
    Challenge("fp", "first playlist", "boolean", 2, 1, 28_350_000, 25_000, 7),
    Challenge("v", "connect verified", "boolean", 5, 1, 0, 25_000, None),
    Challenge("m", "mobile install", "boolean", 1, 1, 25_346_436, 25_000, 7),
    Challenge("r", "referral", "aggregate", 1, 5, 25_346_436, 25_000, 7),
    Challenge("rv", "verified referral", "aggregate", 1, 5_000, 25_346_436, 25_000, 7),
    Challenge("rd", "referred sign-up", "boolean", 1, 1, 25_346_436, 25_000, 7),
    Challenge("ft", "first tip", "boolean", 2, 1, 0, 25_000, 7),
    Challenge("e", "endless listen streak", "aggregate", 1, UNLIMITED, 116_023_891, 25_000, None),
    Challenge("b", "audio match, buyer", "aggregate", 1, UNLIMITED, 220_157_041, 25_000, 7),
    Challenge("s", "audio match, seller", "aggregate", 5, UNLIMITED, 220_157_041, 25_000, 7),
    Challenge("c", "first weekly comment", "aggregate", 1, UNLIMITED, 0, UNLIMITED, 7),
    Challenge("p1", "play count 250", "numeric", 25, 250, 0, UNLIMITED, 7),
    Challenge("p2", "play count 1,000", "numeric", 100, 1_000, 0, UNLIMITED, 7),
    Challenge("p3", "play count 10,000", "numeric", 1_000, 10_000, 0, UNLIMITED, 7),
    Challenge("t", "tastemaker", "aggregate", 100, UNLIMITED, 0, UNLIMITED, 7),
    Challenge("cp", "comment pin", "aggregate", 10, UNLIMITED, 1_979_515, UNLIMITED, 7),
    Challenge("cs", "cosign", "aggregate", 1_000, UNLIMITED, 95_017_582, 50_000, 7, active=False),
    Challenge("w", "remix contest winner", "aggregate", 1_000, UNLIMITED, 98_950_182, 50_000, 7),
    Challenge("tt", "trending track", "trending", 1_000, 1, 25_346_436, 100_000, None),
    Challenge("tut", "trending underground", "trending", 1_000, 1, 25_346_436, 100_000, None),
    Challenge("tp", "trending playlist", "trending", 100, 1, 25_346_436, 10_000, None),
)
"""Every reward, as the production network has it."""


def read_catalogue(network: str | None = None) -> Mapping[str, Challenge]:
    """Every reward by its id, for a network: ``production``, or any other, whose blocks count from the first."""
    named = os.environ.get(NETWORK, "") if network is None else network
    found = PRODUCTION if named == "production" else tuple(replace(one, starting_block=0) for one in PRODUCTION)
    return {challenge.id: challenge for challenge in found}


CATALOGUE = read_catalogue()
"""The rewards of the network that this process works for."""


def seed_text(catalogue: Mapping[str, Challenge] = CATALOGUE) -> str:
    """The statement that fills the table ``challenges``. Run again, it changes nothing."""
    columns = tuple(Challenge.__dataclass_fields__)
    rows = ",\n    ".join(f"({', '.join(map(_literal, astuple(challenge)))})" for challenge in catalogue.values())
    changed = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    differs = " OR ".join(f"challenges.{column} IS DISTINCT FROM excluded.{column}" for column in columns[1:])
    return (
        f"INSERT INTO challenges ({', '.join(columns)}) VALUES\n    {rows}\n"
        f"ON CONFLICT (id) DO UPDATE SET {changed} WHERE {differs};\n"
    )


def _literal(value: str | int | bool | None) -> str:
    if value is None:
        return "NULL"
    return f"'{value}'" if isinstance(value, str) else str(value).lower()
