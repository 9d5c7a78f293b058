"""Plays generated input against soundgraph: what is taken when, and when ticks are made."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

from examples.soundgraph.derived import DECLARED, NOTICES, make_project
from examples.soundgraph.indexer import take
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import open_store
from examples.soundgraph.weekly import announce
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import WEEKLY_IDS
from tidemark import Project, Tidemark
from tidemark.runtime.clock import Clock

BY_NAME = {declared.name: declared for declared in DECLARED}
UPSTREAM = ("aggregate_user", "aggregate_track", "aggregate_playlist", "challenge_profile_completion")
TIMED = ("track_trending_scores", "playlist_trending_scores", "underground_trending")
WEEKLY = ("early_marks", *(f"challenge_{challenge}" for challenge in WEEKLY_IDS), "notices_charts")
# What reads the clock has tests of its own, with a clock that stands still.
INSTALLED = {declared.name for declared in DECLARED if declared not in NOTICES} - {*TIMED, *WEEKLY}


def declare(*names: str) -> Project:
    """A project of these declarations."""
    return make_project(wanted=[BY_NAME[name] for name in names])


def drain(project: Project, database: str) -> None:
    """Ticks until nothing waits."""
    while any(report.keys_applied or not report.drained for report in Tidemark(project, database).tick()):
        pass


def play(database: str, generated: Generated, writer: Writer = "upsert") -> None:
    """Installs everything, takes the blocks, and ticks where the answers suppose a tick."""
    blocks = generated.blocks
    with closing(open_store(database)) as store:
        store.create_schema()
        project = make_project(wanted=[one for one in DECLARED if one.name in INSTALLED])
        Tidemark(project, database).apply()
        taken = 0
        for line in generated.answers["ticks"]:
            take(database, blocks[taken:line], writer=writer)
            drain(project, database)
            taken = line
        take(database, blocks[taken:], writer=writer)
        drain(project, database)


def play_week(database: str, generated: Generated) -> None:
    """Takes everything, and announces the week's lists on the day that the answers suppose."""
    at = generated.answers["trending_at"]
    with closing(open_store(database)) as store:
        store.create_schema()
        take(database, generated.blocks)
        tidemark = weekly(database, [at])
        tidemark.apply()
        tidemark.tick()
        friday = datetime.fromtimestamp(at, UTC).date()
        assert announce(store, friday - timedelta(days=1)) == 0
        assert announce(store, friday) == len(generated.answers["trending_results"])
        assert announce(store, friday) == 0
        tidemark.tick()


def weekly(database: str, at: list[int]) -> Tidemark:
    """What is popular and what is paid for it, at the time that ``at`` holds."""
    project = declare(*UPSTREAM, "track_karma", "playlist_karma", *TIMED, *WEEKLY)
    return Tidemark(project, database, clock=Clock(today=lambda: spelled(at[0])))
