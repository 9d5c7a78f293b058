"""What the schema of an application does by itself: constraints that settle conflicts, triggers that write when all else is done.

Owns: `put_customs`. Promises: a trigger comes to an end whatever it meets; hunts go on in the worlds in which they began, which
have none of this.
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

from tests.simulation.relations import quote
from tests.simulation.worlds import DOMAINS, World

SHARE = 0.25
HUNTED = ("mutant/", "mistake/")
POLICIES = ("REPLACE", "REPLACE", "REPLACE", "IGNORE", "FAIL", "ROLLBACK")
LATE = ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW")
TURNS_MAX = 3
_KEY = re.compile(r"^(  (?:PRIMARY KEY|UNIQUE) \(.*\)|  \S+ INTEGER PRIMARY KEY)(?=,?$)", re.MULTILINE)
_NOT_NULL = re.compile(r"NOT NULL(?= DEFAULT )")


def put_customs(seed: str, world: World) -> World:
    """The world, in some cases with customs of its own."""
    rng = random.Random(f"{seed}/{world.engine}/customs")
    if seed.startswith(HUNTED) or rng.random() > SHARE:
        return world
    return _with_clauses(rng, world) if world.engine == "sqlite" else _with_triggers(rng, world)


def _with_clauses(rng: random.Random, world: World) -> World:
    """Whoever writes without a clause of his own gets that of the constraint."""

    def settle(found: re.Match[str]) -> str:
        return f"{found.group(0)} ON CONFLICT {rng.choice(POLICIES)}" if rng.random() < 0.6 else found.group(0)

    def fill(found: re.Match[str]) -> str:
        return f"{found.group(0)} ON CONFLICT REPLACE" if rng.random() < 0.6 else found.group(0)

    setup = (
        _NOT_NULL.sub(fill, _KEY.sub(settle, one)) if one.startswith("CREATE TABLE") else one for one in world.setup
    )
    return replace(world, setup=tuple(setup))


def _with_triggers(rng: random.Random, world: World) -> World:
    """Triggers that write a source at the end of each statement, or of the transaction, after everything of ours or before."""
    setup, is_deferred = list(world.setup), world.deferred_keys
    for number in range(rng.choice((1, 1, 2))):
        table, other = rng.choice(world.relations), rng.choice(world.relations)
        late, name = (
            rng.random() < 0.6,
            quote(rng.choice((f"custom {number}", f"Custom {number}", f"~custom {number}"))),
        )
        field = rng.choice([one for one in other.fields if one.kind == "int"])
        target = rng.choice([one for one in other.plain if one.kind in DOMAINS])
        where = f"WHERE {field.quoted} = {rng.randint(0, 3)}"
        change = f"UPDATE {other.quoted} SET {target.quoted} = {rng.choice(DOMAINS[target.kind])} {where}"
        body = rng.choice((change, f"DELETE FROM {other.quoted} {where}"))
        turns = "coalesce(nullif(current_setting('simulated.turns', true), ''), '0')::integer"
        setup.append(
            f"CREATE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql AS $body$\n#variable_conflict use_column\nBEGIN "
            f"IF {turns} < {TURNS_MAX} THEN PERFORM set_config('simulated.turns', ({turns} + 1)::text, true); {body}; END IF; "
            "RETURN NULL; END $body$"
        )
        event = rng.choice(("INSERT", "UPDATE", "DELETE", "INSERT OR UPDATE"))
        kind, level = LATE if late else ("TRIGGER", "FOR EACH STATEMENT")
        setup.append(f"CREATE {kind} {name} AFTER {event} ON {table.quoted} {level} EXECUTE FUNCTION public.{name}()")
        is_deferred = is_deferred or late
    return replace(world, setup=tuple(setup), deferred_keys=is_deferred)
