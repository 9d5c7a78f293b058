"""Who is told what: every kind of notice beside the answers of generated input, and those that depend on the clock."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from examples.soundgraph.derived import COUNTS, DECLARED, LISTENING, NOTICES, STANDING, make_project
from examples.soundgraph.indexer import take
from examples.soundgraph.stores import Store, open_store
from examples.soundgraph.world import spelled
from tests.examples.conftest import Generated
from tests.kit.size import on_one_engine
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


def told(database: str, kind: str, events: list[dict[str, Any]]) -> list[list[object]]:
    """The notices of a kind after one block for each event and a tick. Everything that is kept is true."""
    with closing(open_store(database)) as store:
        store.create_schema()
        tidemark = Tidemark(make_project(wanted=WANTED), database)
        tidemark.apply()
        take(
            database,
            [{"block": n, "timestamp": 1_741_953_600 + n, "txs": [tx]} for n, tx in enumerate(events, start=1)],
        )
        tidemark.tick()
        assert all(report.clean for report in tidemark.verify())
        rows = store.query(
            "SELECT user_id, group_id, specifier FROM notification WHERE type = ? ORDER BY 1, 2, 3", (kind,)
        )
        return [list(row) for row in rows]


def did(user: int, action: str, number: int, **metadata: Any) -> dict[str, Any]:
    """What somebody did to a user, a track or a playlist, such as ``Track Save``."""
    kind, action = action.split()
    known = {"type": "manage_entity", "user_id": user, "entity_type": kind, "action": action, "entity_id": number}
    return {**known, "metadata": metadata}


@on_one_engine(0)
def test_a_remix_of_two_tracks_of_one_artist_is_told_once(new_database: NewDatabase) -> None:
    parents = {"tracks": [{"parent_track_id": number} for number in (12, 11, 13)]}
    uploads = [did(owner, "Track Create", number) for owner, number in ((1, 11), (1, 12), (2, 13))]
    found = told(new_database(), "remix", [*uploads, did(3, "Track Create", 14, remix_of=parents)])
    assert found == [[1, "remix:14:11", "3"], [2, "remix:14:13", "3"]]


@on_one_engine(1)
def test_who_bought_something_and_saves_it_tells_nothing_new(new_database: NewDatabase) -> None:
    bought = {"type": "usdc_purchase", "buyer_user_id": 2, "seller_user_id": 1, "amount": 1_000_000}
    found = told(
        new_database(),
        "save",
        [
            did(1, "Track Create", 7),
            *(did(1, "Playlist Create", number, is_album=True) for number in (7, 8)),
            *({**bought, "content_type": of, "content_id": number} for of, number in (("track", 7), ("album", 8))),
            *(did(2, f"{of} Save", number) for of, number in (("Track", 7), ("Playlist", 7), ("Playlist", 8))),
        ],
    )
    assert found == [[1, "save:7:playlist", "2"]], "the album 7 is not the track 7 that was bought"


@on_one_engine(0)
def test_two_tips_under_one_signature_are_two(new_database: NewDatabase) -> None:
    tip = {"type": "tip", "sender_user_id": 1, "receiver_user_id": 2, "amount": 5, "signature": "again"}
    assert told(new_database(), "tip_send", [tip, tip]) == [[1, f"tip_send:{slot}:again", "1"] for slot in (1, 2)]


@on_one_engine(1)
def test_two_rewards_of_one_kind_in_one_block_are_told_of_both(new_database: NewDatabase) -> None:
    database, at = new_database(), (1_741_867_200, 1_741_953_600)
    with closing(open_store(database)) as store:
        store.create_schema()
        tidemark = Tidemark(
            make_project(wanted=[BY_NAME[name] for name in ("challenge_e", "completed_challenges")]), database
        )
        tidemark.apply()
        heard = [{"track_id": "7", "user_id": "2", "timestamp": moment} for moment in at]
        take(database, [{"block": 1, "timestamp": at[1], "txs": [{"type": "plays", "plays": heard}]}])
        tidemark.tick()
        assert not tidemark.deliver().failed
        specifiers = ["22025031312", "22025031412"]
        for kind in ("challenge_reward", "claimable_reward"):
            found = store.query("SELECT group_id, specifier FROM notification WHERE type = ? ORDER BY 2", (kind,))
            assert found == [(f"{kind}:2:e:{specifier}", specifier) for specifier in specifiers]


def test_a_round_number_of_listens_is_one_of_a_lifetime_and_not_of_a_month(new_database: NewDatabase) -> None:
    database, months = new_database(), (1_738_411_200, 1_741_953_600)
    heard = [{"track_id": "7", "user_id": "2", "timestamp": at} for at in months for _ in range(6)]
    blocks = [
        {"block": 1, "timestamp": months[0], "txs": [did(1, "Track Create", 7)]},
        {"block": 2, "timestamp": months[1], "txs": [{"type": "plays", "plays": heard[:9]}]},
        {"block": 3, "timestamp": months[1] + 1, "txs": [{"type": "plays", "plays": heard[9:]}]},
    ]
    with closing(open_store(database)) as store:
        store.create_schema()
        tidemark = Tidemark(make_project(wanted=COUNTS), database)
        tidemark.apply()
        for block in blocks:
            take(database, [block])
            tidemark.deliver()
        monthly = store.query("SELECT count FROM aggregate_monthly_plays WHERE play_item_id = 7")
        assert monthly == [(6,), (6,)], "neither month reaches ten"
        assert store.query("SELECT name, id, threshold, blocknumber FROM milestones") == [("LISTEN_COUNT", 7, 10, 3)]
        assert store.query("SELECT user_id, group_id, specifier FROM notification") == [
            (1, "milestone:LISTEN_COUNT:7:10", "1")
        ]
