"""Running a stream: block after block, each with its position in one transaction, under a lease.

Owns: the loop, its policies for blocks that fail, and what an operator does about them. Promises: a kill at any instant loses and
doubles nothing; a block that fails is tried again with growing pauses and then halts the stream, which says why and
ends with an error, or is passed over and stays in the list of gaps, as declared; a missing height is no failure. With
``settle="block"`` no block begins before everything that the last one changed is applied, so that derived tables pass
through the states at blocks, whatever the batches, the workers and the kills.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from shlex import quote
from typing import Any

from tidemark.database.session import blames_others
from tidemark.errors import Exit, Fault, is_interruption
from tidemark.events import Block, Event
from tidemark.runtime.duty import Duty, interrupted
from tidemark.runtime.lease import Lost
from tidemark.runtime.progress import Event as Moment
from tidemark.runtime.savepoints import name_problem
from tidemark.runtime.streams.account import EVIDENCE_CHARACTERS_MAX, Account, Evidence
from tidemark.runtime.streams.garbage import rarely_collected
from tidemark.runtime.streams.stored import source_of
from tidemark.runtime.streams.take import Careless, Counts, Taking, take_blocks
from tidemark.runtime.ticks.steady import note_settling
from tidemark.streams import Stream

PAUSE_SECONDS_MIN = 0.1
PAUSE_GROWTH = 4.0


@dataclass
class IngestReport:
    """What a run of a stream did: whole blocks and what they brought, and how many were passed over."""

    stream: str
    blocks: int = 0
    gaps: int = 0
    position: int | None = None
    counts: Counts = field(default_factory=Counts)


@dataclass
class RetryReport:
    """What trying again brought: things and blocks that were taken, and those that failed once more."""

    stream: str
    taken: int = 0
    failed: int = 0
    blocks_taken: int = 0
    blocks_failed: int = 0


class Ingest:
    """A stream at work, under the lease of `duty`. `settle` applies everything that waits, where the stream is declared so."""

    def __init__(self, duty: Duty, stream: Stream, settle: Callable[[], object] | None = None) -> None:
        # Blocks are what the application writes: whoever works beside them leaves gaps, and they do not.
        self.duty = replace(duty, turns=None)
        self.stream = stream
        self.account = Account(duty.ledger)
        self._settle = settle if settle is not None and stream.policies["settle"] == "block" else None
        self.report = IngestReport(stream.name)
        self._passed: set[int] = set()
        self._told = False

    def run(self, blocks_max: int | None = None) -> IngestReport:
        """Take blocks until the source has no more, or so many. Raises `Fault` when the stream halts or is asked to stop."""
        if self.stream.together:
            self.duty.session.undo_in_memory()
        self._begin()
        try:
            self._take_all(blocks_max)
        except Lost:
            raise
        except Exception as problem:
            if not self._told and self.duty.session.is_open():
                if is_interruption(problem):
                    # Somebody ended it while it settled, and nothing failed.
                    self.duty.write(partial(self._stop, "interrupted"))
                else:
                    # The source cannot be read, or what follows it cannot be settled: that is why the stream stands still.
                    self.duty.write(partial(self._stop, "halted", cause=name_problem(problem)))
            raise
        return self.report

    def _take_all(self, blocks_max: int | None) -> None:
        if self._settle is not None:
            # The last block may have been committed by a process that could not settle it any more.
            self._settle()
        with rarely_collected() if self.stream.together else nullcontext():
            for blocks in self._gather(blocks_max):
                self._take_together(blocks)
        self.duty.write(partial(self._stop, "waiting"))

    def _gather(self, blocks_max: int | None) -> Iterator[list[Block]]:
        """Blocks as they are to be taken at once: one by one, or as many as make up what the stream takes together. Where the
        source cannot be read on, what came before it is taken first."""
        together, waiting, size = self.stream.together, list[Block](), 0
        source = iter(source_of(self.duty, self.stream).blocks(self.report.position))
        while blocks_max is None or self.report.blocks + self.report.gaps < blocks_max:
            self._check_stop()
            block, problem = self._next_block(source)
            if block is not None:
                waiting.append(block)
                size += max(1, len(block.transactions))
            left = None if blocks_max is None else blocks_max - self.report.blocks - self.report.gaps
            if waiting and (block is None or size >= together or len(waiting) == left):
                yield waiting
                waiting, size = [], 0
            if problem is not None:
                raise problem
            if block is None:
                return

    def _next_block(self, source: Iterator[Mapping[str, Any]]) -> tuple[Block | None, Exception | None]:
        """The next block; neither it nor a problem at the end."""
        try:
            loose = next(source, None)
            return (None, None) if loose is None else (self.stream.read_block(loose), None)
        except Exception as problem:  # noqa: BLE001 - it is raised once what came before it is taken.
            return None, problem

    def _check_stop(self) -> None:
        if self.duty.stop():
            self.duty.write(partial(self._stop, "interrupted"))
            raise interrupted(f"stream {self.stream.name}")

    def _take_together(self, blocks: Sequence[Block]) -> None:
        """Take blocks in one transaction; where one of them fails, halves of them, down to the one that does."""
        if len(blocks) == 1:
            self.take(blocks[0])
            return
        work = partial(take_blocks, self.account, self.stream, blocks, self.report.position, False, self._passed)
        try:
            taking = self.duty.write(work).value
        except Lost:
            raise
        except Exception as problem:
            if is_interruption(problem) or not self.duty.session.is_open():
                raise
            half = len(blocks) // 2
            self._take_together(blocks[:half])
            self._take_together(blocks[half:])
            return
        self.report.counts.add(taking.counts)
        self.report.counts.redelivered += taking.known
        self.report.blocks += len(taking.taken)
        self._reach(block.position for block in taking.taken)
        self._tell()

    def take(self, block: Block) -> None:
        """Take one block, or do with it what the policy says. One that was here before and brings nothing new costs a look."""
        if self._is_known(block):
            return
        cause = self._attempt(block)
        if cause is None:
            self.report.blocks += 1
        elif self.stream.policies["on_block_error"] == "halt":
            self.duty.write(partial(self._stop, "halted", block.position, cause, self.stream.attempts))
            raise Fault(
                f"stream {self.stream.name} halted at {self.stream.position} {block.position}: {cause}",
                left_behind=f"every block before it is taken; tidemark stream skip {quote(self.stream.name)} passes it over",
                exit=Exit.ERROR,
            )
        else:
            self.duty.write(partial(self._pass_over, block.position, cause))
            self._passed.add(block.position)
            self.report.gaps += 1
        self._reach([block.position])
        self._tell()
        if self._settle is not None:
            self._settle()

    def _reach(self, positions: Iterable[int]) -> None:
        known = () if self.report.position is None else (self.report.position,)
        self.report.position = max((*known, *positions), default=None)

    def _tell(self) -> None:
        self.duty.listen(Moment(self.stream.name, "stream", self.report.blocks, place=f"{self.report.position}"))

    def _is_known(self, block: Block) -> bool:
        at = self.report.position
        if at is None or block.position > at:
            return False
        if block.position in self._passed:
            return True
        taking = Taking(self.account, self.stream, at, careful=False)
        known = taking.brings_nothing(block)
        self.report.counts.redelivered += taking.known
        return known

    def _attempt(self, block: Block) -> str | None:
        """Try a block as often as it may be tried; None when it is taken, else why not."""
        cause = ""
        for attempt in range(self.stream.attempts):
            if attempt:
                self.duty.clock.wait(PAUSE_SECONDS_MIN * PAUSE_GROWTH ** (attempt - 1))
            try:
                self.report.counts.add(self._commit(block))
                return None
            except Lost:
                raise
            except Exception as problem:
                if is_interruption(problem) or not self.duty.session.is_open():
                    raise
                if attempt == self.stream.attempts - 1 and blames_others(problem):
                    # No block is passed over because of others.
                    raise
                cause = name_problem(problem.__cause__ or problem if isinstance(problem, Careless) else problem)
        return cause

    def _commit(self, block: Block) -> Counts:
        """One transaction: the block and the position. Without savepoints first, if the stream is declared so."""
        work = partial(take_blocks, self.account, self.stream, [block], self.report.position)
        # Nothing is kept of a block that was taken carelessly and failed; with savepoints only what fails is undone.
        with suppress(Careless) if not self.stream.savepoints else nullcontext():
            return self.duty.write(partial(work, careful=self.stream.savepoints)).value.counts
        return self.duty.write(partial(work, careful=True)).value.counts

    def _begin(self) -> None:
        def work() -> int | None:
            self.account.run("begin", name=self.stream.name)
            note_settling(self.duty.ledger, self.stream.name, settles=self._settle is not None)
            status = self.account.status(self.stream.name)
            return status.position if status else None

        self.report.position = self.duty.write(work).value
        self._passed = self.account.passed(self.stream.name)

    def _stop(self, state: str, failed_at: int | None = None, cause: str | None = None, attempts: int = 0) -> None:
        self._told = True
        facts = {"failed_at": failed_at, "cause": cause, "attempts": attempts}
        self.account.run("stop", name=self.stream.name, state=state, **facts)

    def _pass_over(self, position: int, cause: str) -> None:
        self.account.run("add_gap", stream=self.stream.name, position=position, cause=cause)
        self.account.run("pass_over", name=self.stream.name, position=position)


def retry(duty: Duty, stream: Stream, settle: Callable[[], object] | None = None) -> RetryReport:
    """Try again what was quarantined, oldest first, and then the blocks that were passed over; each in a transaction of its own,
    and settled before the next one where the stream is declared so."""
    account, report = Account(duty.ledger), RetryReport(stream.name)
    after = settle if settle is not None and stream.policies["settle"] == "block" else _nothing
    after()
    for one in [*account.evidence(stream.name, "event"), *account.evidence(stream.name, "item")]:
        duty.check_stop(f"the retrying of {stream.name}")
        taken = _retry_one(duty, account, stream, one)
        after()
        report.taken += taken
        report.failed += not taken
    wanted = {gap.position for gap in account.gaps(stream.name)}
    for block in _find_blocks(duty, stream, wanted):
        duty.check_stop(f"the retrying of {stream.name}")
        taken = _retry_block(duty, account, stream, block)
        after()
        report.blocks_taken += taken
        report.blocks_failed += not taken
    return report


def _nothing() -> None:
    return None


def _retry_one(duty: Duty, account: Account, stream: Stream, one: Evidence) -> bool:
    handling = stream.handlers.get(one.kind)
    if handling is None or len(one.evidence) >= EVIDENCE_CHARACTERS_MAX:
        return False
    data = json.loads(one.evidence)
    event = Event(stream.name, one.position, one.time, one.identity, one.kind, data, data)

    def work() -> None:
        Taking(account, stream, None, True).again(event, handling)
        account.run("close_evidence", id=one.id, outcome="taken")

    return _try_again(duty, work, lambda reason: account.run("fail_evidence", id=one.id, reason=reason))


def _find_blocks(duty: Duty, stream: Stream, wanted: set[int]) -> Iterator[Block]:
    for loose in source_of(duty, stream).blocks(min(wanted) - 1) if wanted else ():
        block = stream.read_block(loose)
        if block.position in wanted:
            yield block
            wanted.remove(block.position)
        if not wanted:
            # What the source has beyond them may be long.
            return


def _retry_block(duty: Duty, account: Account, stream: Stream, block: Block) -> bool:
    status = account.status(stream.name)
    checkpoint = status.position if status else None

    def work() -> None:
        take_blocks(account, stream, [block], checkpoint, True)
        account.run("close_gap", stream=stream.name, position=block.position, outcome="taken")

    facts = {"stream": stream.name, "position": block.position}
    return _try_again(duty, work, lambda reason: account.run("add_gap", **facts, cause=reason))


def _try_again(duty: Duty, work: Callable[[], object], fail: Callable[[str], object]) -> bool:
    """Do what failed before; where it does once more, whatever was raised is the reason that `fail` records."""
    try:
        duty.write(work)
    except Lost:
        raise
    except Exception as problem:
        if is_interruption(problem) or not duty.session.is_open():
            raise
        duty.write(partial(fail, name_problem(problem)))
        return False
    return True


def skip(duty: Duty, name: str, position: int | None) -> str:
    """Pass over the block that halts a stream, or give up a gap or everything that is quarantined at a position; what was done.

    Raises `Fault` when there is nothing of the kind.
    """
    account = Account(duty.ledger)
    status = account.status(name)
    if status is None:
        raise Fault(f"there is no stream {name} here", retry_safe=False)

    def work() -> str:
        if status.state == "halted" and status.failed_at is not None and position in (None, status.failed_at):
            account.run("add_gap", stream=name, position=status.failed_at, cause=status.cause or "")
            account.run("pass_over", name=name, position=status.failed_at)
            account.run("stop", name=name, state="interrupted", failed_at=None, cause=None, attempts=0)
            return f"block {status.failed_at} is passed over, and stays in the list of gaps"
        if position is None:
            raise Fault(f"stream {name} does not stand still at a block; name a position", retry_safe=False)
        closed = account.run("close_gap", stream=name, position=position, outcome="skipped")
        if closed:
            return f"the gap at {position} is given up"
        things = [one for one in account.evidence(name) if one.position == position]
        for one in things:
            account.run("close_evidence", id=one.id, outcome="skipped")
        if not things:
            raise Fault(f"stream {name} has nothing open at {position}", retry_safe=False)
        return f"{len(things)} things at {position} are given up"

    return duty.write(work).value
