"""The queries that soundgraph declares, asked as plain views: on both engines and after both writers they give the answers
that the generator works out by itself."""

from collections.abc import Mapping
from typing import Any

import pytest

from examples.soundgraph import supporters
from examples.soundgraph.derived import DECLARED, query_text
from examples.soundgraph.indexer import take
from examples.soundgraph.portable import POSTGRES, SQLITE
from examples.soundgraph.statements import Writer
from examples.soundgraph.stores import Store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.examples.soundgraph_rows import CHALLENGE_IDS, READERS, answered, answered_progress, derived, progress


def make_views(store: Store, at: int) -> None:
    """A view for every declaration, with the time at which a tick would ask."""
    now = SQLITE.now if store.engine == "sqlite" else POSTGRES.now
    moment = f"'{spelled(at)}'" if store.engine == "sqlite" else f"timestamp '{spelled(at)}'"
    # What Python computes is no query; the notices of it have answers of their own.
    store.execute(
        f"CREATE TABLE {supporters.NAME} (receiver_user_id integer, sender_user_id integer, slot integer, rank integer, "
        "dethroned_user_id integer, created_at timestamp)"
    )
    # Views over views are planned for the rows that there are: PostgreSQL takes tables that nobody has looked at for empty ones,
    # and a query of a second takes half a minute. A server of one's own looks at them by itself.
    store.execute("ANALYZE")
    for declared in DECLARED:
        store.execute(f"CREATE VIEW {declared.name} AS {query_text(declared.name, store.engine).replace(now, moment)}")


def check_people(store: Store, answers: Mapping[str, Any]) -> None:
    """What the answers say of people and plays is in the base tables."""
    assert store.query("SELECT count(*) FROM plays") == [(answers["plays"],)]
    referrers = store.query("SELECT user_id, referrer FROM user_events WHERE is_current AND referrer IS NOT NULL")
    assert {str(user): referrer for user, referrer in referrers} == answers["referrers"]
    mobile = store.query("SELECT user_id FROM user_events WHERE is_current AND is_mobile_user ORDER BY 1")
    assert [user for (user,) in mobile] == answers["mobile_users"]
    verified = store.query("SELECT user_id FROM users WHERE is_current AND is_verified ORDER BY 1")
    assert [user for (user,) in verified] == answers["verified_users"]


@pytest.mark.parametrize("writer", ["upsert", "history"])
def test_every_query_gives_the_answers(store: Store, generated: Generated, writer: Writer) -> None:
    answers = generated.answers
    tally = take(store.database, generated.blocks, writer=writer)
    assert (tally.events, tally.skipped) == (answers["events"], answers["skipped"])
    check_people(store, answers)
    make_views(store, answers["trending_at"])
    for challenge in CHALLENGE_IDS:
        assert progress(store, challenge, f"challenge_{challenge}") == answered_progress(
            answers, challenge, "user_challenges_afresh"
        )
    remembered = {"user_score", "user_score_features", "referrals"}
    for name in READERS:
        if name not in remembered:
            assert derived(store, name) == answered(answers, name), name
