"""Who is told what: every kind of notice beside the answers of generated input, and those that depend on the clock."""

from collections.abc import Callable
from contextlib import closing

from examples.soundgraph.derived import COUNTS, DECLARED, LISTENING, NOTICES, STANDING, make_project
from examples.soundgraph.indexer import take
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tidemark import Tidemark
from tidemark.runtime.clock import Clock

NewDatabase = Callable[[], str]
BY_NAME = {declared.name: declared for declared in DECLARED}
ANSWERED = ("social", "content", "money", "comments", "tiers", "by_way", "contests", "endings", "support", "reminders")
WANTED = (
    *COUNTS,
    *LISTENING[:2],
    *STANDING,
    *(one for one in NOTICES if one.name.removeprefix("notices_") in ANSWERED),
)
"""Notices of rewards and of the week's lists have tests of their own."""


def notices(store: Store) -> list[list[object]]:
    """What everybody was told, as the answers say it."""
    rows = store.query("SELECT type, user_id, actor_id, item_id, specifier FROM notification")
    return sorted(
        [str(kind), int(user), int(actor), int(item), str(specifier)] for kind, user, actor, item, specifier in rows
    )


def test_everybody_hears_what_concerns_them_once(new_database: NewDatabase, generated: Generated) -> None:
    database, at = new_database(), generated.answers["notices_at"]
    with closing(open_store(database)) as store:
        store.create_schema()
        # A filling looks at the clock of the database, a tick at ours.
        tidemark = Tidemark(make_project(wanted=WANTED), database, clock=Clock(today=lambda: spelled(at)))
        tidemark.apply()
        take(database, generated.blocks, together=5_000)
        tidemark.tick()
        found = notices(store)
        assert found == generated.answers["notices"]
        assert all(report.clean for report in tidemark.verify(*(one.name for one in WANTED if one in NOTICES)))
        assert not tidemark.inputs("supporter_rank_ups").undeclared
