"""Whoever is asked to stop does so although somebody else has the lock, and what cannot be written down is told."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.backfill.place import UPPER, Songs, Watch
from tidemark import Fault, Refusal, Tidemark
from tidemark.cli import main
from tidemark.cli.settings import find_settings, read_bytes
from tidemark.database.open import LOCK_SECONDS, WRITE_LOCK_SECONDS, open_session
from tidemark.database.session import Exhausted, Session, Strain
from tidemark.errors import Exit
from tidemark.runtime.backfill import ending, worker
from tidemark.runtime.clock import Clock
from tidemark.runtime.lease import take_lease
from tidemark.runtime.ledger import Ledger
from tidemark.runtime.runs import UNTOLD
from tidemark.runtime.throttle import MEGABYTE, Limits

# What one who is asked to stop may spend on trying again: without looking at the wish it would be about ten seconds.
SOON_SECONDS = 3.0


def _lock(session: Session, songs: Songs) -> None:
    """Lock what is written, in a transaction that is open."""
    if songs.session.dialect.has_schemas:
        names = ", ".join(songs.ledger(name) for name in ("backfill", "run", "audit", "derived"))
        session.run(f"LOCK TABLE songs, {names} IN EXCLUSIVE MODE")


def _let_time_pass(songs: Songs) -> None:
    """End the time of every lease, since the process that had them goes on."""
    with songs.session.transaction():
        songs.session.run(f"UPDATE {songs.ledger('lease')} SET expires = ''")


class Locker:
    """Somebody who has the lock from the `number`-th wait of a runner on, at which the runner is asked to stop."""

    def __init__(self, songs: Songs, session: Session, number: int) -> None:
        self.songs, self.session, self.number = songs, session, number
        self.watch, self.notes, self.waits = Watch(), list[str](), 0
        self.held = contextlib.ExitStack()
        self.since = 0.0

    def stop(self) -> bool:
        return self.waits >= self.number

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.watch.wait(seconds)
        if self.waits == self.number:
            self.held.enter_context(self.session.transaction())
            _lock(self.session, self.songs)
            self.since = self.watch.seconds

    def engine(self) -> Tidemark:
        clock = self.watch.with_wait(self.wait)
        return self.songs.engine(clock=clock, stop=self.stop, listen=lambda event: self.notes.append(event.note))


@pytest.fixture
def locking(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], contextlib.AbstractContextManager[Locker]]]:
    """Somebody who comes with a lock; locks are waited for a moment only, so that nothing here takes long."""
    monkeypatch.setattr("tidemark.database.open.WRITE_LOCK_SECONDS", 0.02)

    @contextlib.contextmanager
    def come(number: int) -> Iterator[Locker]:
        with contextlib.closing(open_session(songs.url, lock_timeout=5)) as session:
            locker = Locker(songs, session, number)
            with locker.held:
                yield locker

    yield come


def test_a_backfill_is_stopped_although_somebody_has_the_lock(
    songs: Songs, locking: Callable[[int], contextlib.AbstractContextManager[Locker]]
) -> None:
    songs.add(3000)
    songs.upper()
    with locking(3) as locker:
        with pytest.raises(Fault, match="asked to stop") as fault:
            locker.engine().backfill("shout")
        assert fault.value.exit is Exit.INTERRUPTED
        assert "next: tidemark backfill run shout" in fault.value.left_behind
        assert locker.watch.seconds - locker.since < SOON_SECONDS
        assert any("could not be written down" in note for note in locker.notes)
    _let_time_pass(songs)
    (status,) = songs.engine().backfills()
    assert (status.state, status.failure) == (
        "interrupted",
        "its runner ended without a word, or could not write one down",
    )
    assert status.rows_done == songs.shouted() > 0
    assert songs.engine().backfill("shout").status.state == "finished"


def test_an_operators_verb_is_stopped_although_somebody_has_the_lock(
    songs: Songs, locking: Callable[[int], contextlib.AbstractContextManager[Locker]]
) -> None:
    songs.add(10)
    songs.upper()
    songs.engine().backfill("shout")
    with locking(1) as locker:
        # From the first wait on, which is for the lock.
        locker.held.enter_context(locker.session.transaction())
        _lock(locker.session, songs)
        locker.number = 0
        with pytest.raises(Fault, match="asked to stop") as fault:
            locker.engine().repair()
        assert fault.value.exit is Exit.INTERRUPTED
        assert locker.watch.seconds < SOON_SECONDS


def test_whoever_waits_for_a_duty_is_stopped(songs: Songs) -> None:
    songs.upper()
    songs.engine().backfill("shout")
    watch, ledger = Watch(), Ledger(songs.session)
    take_lease(ledger, Clock(), "keep shouts", "somebody else", 0.0)
    with pytest.raises(Fault, match="asked to stop") as fault:
        take_lease(ledger, watch.clock, "keep shouts", "us", stop=lambda: True)
    assert fault.value.exit is Exit.INTERRUPTED
    assert watch.seconds == 0.0


def test_a_lock_is_waited_for_in_portions_by_who_writes_and_tries_again(songs: Songs) -> None:
    asks = "SHOW lock_timeout" if songs.session.dialect.has_schemas else "PRAGMA busy_timeout"
    soon, long = round(WRITE_LOCK_SECONDS * 1000), round(LOCK_SECONDS * 1000)
    for role, mode, expected in (("worker", "write", soon), ("worker", "chunk", soon), ("reader", "read", long)):
        with contextlib.closing(open_session(songs.url, role=role)) as session:  # type: ignore[arg-type]
            with session.transaction(mode):  # type: ignore[arg-type]
                found = session.one(asks)
            assert found in ((expected,), (f"{expected}ms",), (f"{expected // 1000}s",)), (role, mode)


def test_what_nobody_is_at_any_more_is_not_running_in_the_history(
    songs: Songs, locking: Callable[[int], contextlib.AbstractContextManager[Locker]]
) -> None:
    songs.add(3000)
    songs.upper()
    with locking(3) as locker, pytest.raises(Fault):
        locker.engine().backfill("shout")
    _let_time_pass(songs)
    (past,) = songs.engine().history("shout")
    assert (past.state, past.cause) == ("interrupted", UNTOLD)


def test_a_failure_that_cannot_be_written_down_is_told_and_so_is_the_disk(
    songs: Songs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk nothing can be recorded: what went wrong is told where it happened, and afterwards why it is not there."""

    def full(*given: object, **named: object) -> None:
        raise Exhausted("no room is left on the disk", left_behind="make room first")

    songs.add(10)
    songs.upper()
    notes = list[str]()
    with monkeypatch.context() as patched, pytest.raises(Exhausted, match="no room") as fault:
        patched.setattr(worker, "do_chunk", full)
        patched.setattr(ending, "_end", full)
        songs.engine(listen=lambda event: notes.append(event.note)).backfill("shout")
    assert fault.value.left_behind == "make room first; next: tidemark backfill retry shout"
    assert [note for note in notes if "could not be written down, so that it reads as interrupted: no room" in note]
    _let_time_pass(songs)
    with contextlib.closing(songs.engine().onlooker()) as eye:
        finding = next(one for one in eye.overview().verdict.findings if one.name == "shout")
    assert finding.says.endswith("nobody goes on with it: its runner ended without a word, or could not write one down")
    monkeypatch.setattr(type(songs.session), "strain", lambda session: (Strain("free_bytes", MEGABYTE),))
    (found,) = (one for one in songs.engine().doctor() if one.about == "disk_low")
    assert "cannot be written down, and reads as interrupted" in found.says and "--disk-floor" in found.says
    assert not [one for one in songs.engine(limits=Limits(free_bytes=0)).doctor() if one.about == "disk_low"]


def test_how_much_has_to_be_free_is_a_setting(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.tidemark]\ndisk_floor = "1GB"\n')
    found = [
        find_settings(None, None, environment, tmp_path, typed).disk_floor
        for environment, typed in (
            ({}, None),
            ({"TIDEMARK_DISK_FLOOR": "64MB"}, None),
            ({"TIDEMARK_DISK_FLOOR": "64MB"}, "0"),
        )
    ]
    assert found == [1024**3, 64 * MEGABYTE, 0]
    assert find_settings(None, None, {}, tmp_path.parent).disk_floor is None
    assert [read_bytes(text, "it") for text in ("1024", "1.5 KB", "2GiB", "3t")] == [
        1024,
        1536,
        2 * 1024**3,
        3 * 1024**4,
    ]
    with pytest.raises(Refusal, match="is no size"):
        read_bytes("a lot", "disk_floor")


def test_the_floor_of_the_disk_is_said_on_the_command_line(
    file_songs: Songs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk of any size is below one floor and above another; a filling waits below it, and says which option that is."""
    monkeypatch.chdir(tmp_path)
    file_songs.add(2)
    (tmp_path / "derived.py").write_text(
        f"from tidemark import Project\nproject = Project('songs')\n"
        f"project.backfill('shout', table='songs', key='id', sql={UPPER!r})\n"
    )

    def shell(*arguments: str) -> tuple[int, str]:
        return main([*arguments, "--database", file_songs.url]), "".join(capsys.readouterr())

    run = ("backfill", "run", "shout")
    code, said = shell(*run, "--disk-floor", "900TB", "--max-duration", "400ms")
    assert code == 75 and "disk_low" in said and "--disk-floor" in said
    code, said = shell(*run, "--disk-floor", "much")
    assert code == 5 and "is no size" in said
    monkeypatch.setenv("TIDEMARK_DISK_FLOOR", "900TB")
    assert "disk_low" in shell("doctor")[1]
    code, said = shell(*run, "--disk-floor", "0")
    assert code == 0 and "2 keys done" in said
    # No PostgreSQL server is asked: it could not tell.
    elsewhere = [*run, "--database", "postgresql://nobody@127.0.0.1:1/none"]
    assert main([*elsewhere, "--disk-floor", "1GB"]) == 5 and "tells no client" in capsys.readouterr().err
    assert main(elsewhere) == 1 and "disk_floor holds nothing back here" in capsys.readouterr().err
