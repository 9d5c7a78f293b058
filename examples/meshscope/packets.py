"""Packets of any number, each made from its number alone.

Owns: what a packet and an observation are, the recorded packets, and the mesh that repeats them. Promises: the same
seed and number give the same packet; every observation of a packet differs in observer or path, so that only a
repeated delivery is a duplicate. The recording has no signal strengths: those are invented.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

RECORDED = Path(__file__).resolve().parents[3] / "shared" / "data" / "meshscope-packets.jsonl.gz"
OBSERVERS = 26
BEGIN = 1_779_033_957
"""Unix time of the first packet of the recording."""
SPAN_SECONDS = 7_650
"""How long the recording lasts: the mesh repeats it end to end."""
SILENT = 0.03
"""Share of the transmissions that nobody hears."""
DEAF = 0.05
"""Share of the observations without a signal-to-noise ratio."""
_POOL_CHARS = 4096


@dataclass(frozen=True)
class Template:
    """What a recorded packet was like, `offset` seconds after the recording began; `observer` heard it first."""

    offset: int
    route_type: int
    payload_type: int
    raw_hex_length: int
    observer: int


@dataclass(frozen=True)
class Observation:
    """One observer heard a packet, over `path` (JSON, None for directly), at unix time `timestamp`."""

    observer_id: int
    snr: float | None
    rssi: int | None
    path: str | None
    timestamp: int


@dataclass(frozen=True)
class Packet:
    """A transmission and who heard it."""

    hash: str
    raw_hex: str
    first_seen: int
    route_type: int
    payload_type: int
    hash_size: int
    observations: tuple[Observation, ...]


def read_templates(path: Path = RECORDED) -> list[Template]:
    """The recorded packets in order of time, or invented ones of the same kind where there is no recording."""
    if not path.exists():
        return invent_templates()
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        recorded = [json.loads(line) for line in lines]
    found = [
        Template(
            int(datetime.fromisoformat(one["first_seen"]).timestamp()) - BEGIN,
            one["route_type"],
            one["payload_type"],
            one["raw_hex_length"],
            one["observations"][0]["observer"],
        )
        for one in recorded
    ]
    return sorted(found, key=lambda one: one.offset)


def invent_templates(count: int = 499) -> list[Template]:
    """Packets with the frequencies of the recording."""
    chance = random.Random(499)
    kinds, weights = (5, 4, 1, 0, 2, 8, 7, 9, 11), (166, 102, 78, 60, 44, 20, 17, 8, 4)
    heard = (124, 42, 40, 34, 32, 31, 24, 23, 22, 19, 17, 17, 16, 14, 11, 10, 9, 6, 5, 2, 1, 1)
    return [
        Template(
            place * SPAN_SECONDS // count,
            chance.choices((1, 2), (365, 134))[0],
            chance.choices(kinds, weights)[0],
            2 * chance.randint(22, 134),
            chance.choices(range(1, len(heard) + 1), heard)[0],
        )
        for place in range(count)
    ]


class Mesh:
    """All packets there could be. `mean` is how many observations a packet has on average."""

    def __init__(self, seed: int = 1, mean: float = 21.0, templates: Sequence[Template] = ()) -> None:
        self.seed = seed
        self._mean = mean
        self._templates = templates or read_templates()
        # A replay takes as long as the recording; the last packet of one never comes after the first of the next.
        self._pool = "".join(random.Random(seed).choices("0123456789abcdef", k=_POOL_CHARS))
        self._observers = [one.observer for one in self._templates]

    def packet(self, number: int) -> Packet:
        """The packet of that number, counted from 0 in order of time."""
        replay, place = divmod(number, len(self._templates))
        like = self._templates[place]
        chance = random.Random(self.seed << 40 | number)
        size = 1 if chance.random() < 0.82 else 2 if chance.random() < 0.7 else 3
        moment = BEGIN + replay * SPAN_SECONDS + like.offset
        named = hashlib.blake2b(f"{self.seed} {number}".encode(), digest_size=8).hexdigest()
        head = f"{like.route_type | like.payload_type << 2:02x}{(size - 1) << 6:02x}{named}"
        start = chance.randrange(_POOL_CHARS - 512)
        raw = head + self._pool[start : start + max(0, like.raw_hex_length - len(head))]
        heard = self._listen(chance, like.observer, moment)
        return Packet(named, raw, moment, like.route_type, like.payload_type, size, heard)

    def _listen(self, chance: random.Random, first: int, moment: int) -> tuple[Observation, ...]:
        draw = chance.random
        if draw() < SILENT:
            return ()
        # An exponential tail: a few packets cross the whole mesh, most are heard near by.
        count = max(1, round(chance.expovariate(1.0) * self._mean / (1 - SILENT)))
        found = []
        for ordinal in range(count):
            observer = first if ordinal == 0 else 1 + (first + ordinal * 7 + int(draw() * 2)) % OBSERVERS
            snr = None if draw() < DEAF else round((draw() + draw() + draw() - 1.7) * 32) / 4
            # The ordinal at the end keeps paths apart.
            path = None if ordinal == 0 else f'["{int(draw() * 256):02x}","{int(draw() * 256):02x}","{ordinal:04x}"]'
            late = int(draw() * 4) if ordinal < 40 else int(draw() * 30)
            found.append(Observation(observer, snr, -60 - int(draw() * 60), path, moment + late))
        return tuple(found)


def messages(mesh: Mesh, first: int, step: int = 1) -> Iterator[Packet]:
    """What an ingestor gets, for ever: one observation at a time of the packets `first`, `first` + `step`, …; among them
    repeated deliveries, late ones of older packets, and packets that nobody heard."""
    chance, number = random.Random(mesh.seed ^ first), first
    before: Packet | None = None
    while True:
        packet = mesh.packet(number)
        if not packet.observations:
            yield packet
        for observation in packet.observations:
            yield replace(packet, observations=(observation,))
            luck = chance.random()
            if luck < 0.1:
                yield replace(packet, observations=(observation,))
            elif luck < 0.2:
                yield _late(mesh, chance.randrange(max(1, first)), number)
            elif luck < 0.25 and before is not None:
                yield before
        before, number = packet, number + step


def _late(mesh: Mesh, number: int, now: int) -> Packet:
    """An older packet that somebody tells of now, over a path that nobody told of before."""
    packet = mesh.packet(number)
    heard = Observation(1 + now % OBSERVERS, -5.25, None, f'["late","{now:x}"]', packet.first_seen + 60)
    return replace(packet, observations=(heard,))
