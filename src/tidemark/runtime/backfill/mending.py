"""Walking what a repair, or the end of a filling, has to mend, in chunks, on one session or on several beside each other.

Owns: `walk`. Promises: each chunk is a transaction under the lease; it holds back as a backfill does, and says why; when one
session has to end the others end after the chunk at hand, and what was met first is on record with the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock

from tidemark.contract.script import Script
from tidemark.runtime.backfill.gate import Brake
from tidemark.runtime.backfill.together import work_together
from tidemark.runtime.duty import Duty, Held
from tidemark.runtime.pace import Pace, choose_patient_pace
from tidemark.runtime.progress import Event, Listener
from tidemark.runtime.runs import Run, Telling, add_run
from tidemark.runtime.samples import Hold
from tidemark.runtime.ticks.batch import prepare_once
from tidemark.runtime.ticks.steady import write_steadily
from tidemark.runtime.ticks.tick import tick
from tidemark.telling import tell_count

Chunk = tuple[int, Callable[[], int]]
"""How many keys, and what mends them in the caller's transaction and gives how many rows were written."""
Given = Callable[[Duty, Run, Pace], Iterator[Chunk]]
"""What gives a session one chunk after the other, of the size that its pace wants by then."""


@dataclass
class Walked:
    """What the sessions of one repair have done together: `keys` mended, `rows_written`."""

    run: Run
    total: int
    listen: Listener
    keys: int = 0
    rows_written: int = 0
    problem: BaseException | None = None
    has_ranges: bool = False
    _lock: Lock = field(default_factory=Lock)

    def give_up(self, problem: BaseException) -> None:
        """Have everybody end after the chunk at hand. The first problem is the one that counts."""
        with self._lock:
            self.problem = self.problem or problem

    def note(self, text: str) -> None:
        """Tell whoever listens."""
        self.listen(Event(self.run.derived, self.run.kind, note=text))

    def count(self, keys: int, held: Held[int]) -> None:
        """Take down a chunk that is committed."""
        with self._lock:
            self.keys, self.rows_written = self.keys + keys, self.rows_written + held.value
            self.run.rows_done, self.run.rows_written = self.keys, self.rows_written
            self.run.longest_ms = max(self.run.longest_ms, held.hold_ms)
            self.listen(Event(self.run.derived, self.run.kind, self.keys, self.total))


def walk(
    duty: Duty,
    script: Script,
    total: int,
    given: Given,
    crew: int,
    kind: str = "repair",
    did: str = "repaired",
) -> Walked:
    """Have `crew` sessions mend what `given` gives each of them, as a run of that `kind`. Raises `Fault` (exit 75) when asked to
    stop."""
    run = duty.write(lambda: add_run(duty, kind, script, total)).value
    walked, telling = Walked(run, total, duty.listen), Telling(run)

    def work(mine: Duty) -> None:
        prepare_once(mine, script)
        pace, brake = choose_patient_pace(mine.session.dialect), Brake(mine, script.name, kind)
        for keys, mend in given(mine, run, pace):
            if walked.problem is not None:
                raise walked.problem
            mine.check_stop(f"the {kind} of {script.name}")
            brake.check()
            held = write_steadily(mine, script, mend, tick, mode="chunk")
            walked.count(keys, held)
            pace.record(keys, held.hold_ms)
            if mine is duty:
                # The others have no say: what is told is told on the first session.
                telling.tell(keys, Hold(held.hold_ms, held.wait_ms, pace.size, pace.target_ms))

    try:
        work_together(duty, walked, work, crew)
    except Exception as problem:
        run.fail(problem)
        raise
    run.finish(f"{tell_count(walked.keys, 'row')} {did}")
    return walked
