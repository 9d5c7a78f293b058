"""What an older version installed is upgraded where it is, and true before, meanwhile and after."""

import contextlib
from typing import Any
from unittest import mock

import pytest

from tests.kit.size import in_turn
from tests.unit.runtime.killing import Killed, MortalSession
from tests.upgrades.catalog import describe_ledger
from tests.upgrades.shop import Shop, open_shop
from tidemark import Fault, Project, Tidemark
from tidemark.cli.reports import apply_text, plan_text
from tidemark.database.open import open_session
from tidemark.database.session import Conflict
from tidemark.runtime.changes.convert import convert_ledger
from tidemark.runtime.changes.restored import UNCOMPARED
from tidemark.runtime.clock import Clock
from tidemark.runtime.duty import Duty
from tidemark.runtime.ledger import SHAPE, Ledger

REMEMBERED = {1: 100, 2: 7}
WRITTEN = (
    "INSERT INTO orders VALUES (5, 3, 9), (6, 1, 1)",
    "UPDATE orders SET amount = 6 WHERE id = 3",
)


def _shape(shop: Shop) -> Any:
    return shop.user.all(f"SELECT value FROM {shop.ledger('meta')} WHERE key = 'shape'")[0][0]


def _told(shop: Shop) -> list[tuple[Any, Any]]:
    return [(one.key["customer"], int(one.threshold)) for one in shop.tidemark.events()]


def _is_whole(shop: Shop) -> None:
    """Everything is true, remembered and told once, and nothing is left to be done."""
    shop.tidemark.run(until_idle=True)
    assert shop.wrong() == [] and all(report.clean for report in shop.tidemark.verify())
    assert shop.bests() == {**REMEMBERED, 3: 9}
    assert _told(shop) == [(2, 2), (1, 3)]
    plan = shop.tidemark.plan()
    assert plan.is_empty and not plan.refresh and not plan.orphans and not plan.narrowed


def test_an_apply_upgrades_what_an_older_version_installed(old_url: str) -> None:
    with open_shop(old_url) as shop:
        known = set(shop.user.all(f"SELECT id, kind, derived FROM {shop.ledger('run')}"))
        shop.write(*WRITTEN)
        assert shop.wrong() == ["names"] and shop.bests() == REMEMBERED
        plan = shop.tidemark.plan()
        assert not plan.is_empty and plan.converts == _shape(shop) and plan.as_json()["changes"]
        assert f"the ledger has shape {plan.converts}" in plan_text(plan, statements=False, declared=4)
        assert "lease" in plan_text(plan, statements=True, declared=4)
        done = shop.tidemark.apply()
        assert done.shapes == (plan.converts, SHAPE) and not done.dropped and _shape(shop) == SHAPE
        assert apply_text(done, declared=4).startswith(f"the ledger was converted from shape {plan.converts}")
        # What is made anew beside the old one has caught up.
        assert shop.wrong() in ([], ["names"]) and shop.bests() in (REMEMBERED, {**REMEMBERED, 3: 9})
        now = shop.tidemark.history(limit=1000)
        assert known and known <= {(run.id, run.kind, run.derived) for run in now}
        assert [run.message for run in now if run.kind == "convert"]
        assert not [run for run in now if run.state == "failed" or run.kind == "gap"]
        # What was frozen comes out of a dump, of the same cluster.
        assert {run.message for run in now if run.kind == "restore"} <= {UNCOMPARED}
        _is_whole(shop)
        shop.write("DELETE FROM orders WHERE customer = 3", "INSERT INTO orders VALUES (7, 2, 1)")
        shop.tidemark.run(until_idle=True)
        assert shop.wrong() == [] and _told(shop) == [(2, 2), (1, 3), (2, 3)]


def test_what_is_made_anew_may_be_left_to_a_worker(old_url: str) -> None:
    with open_shop(old_url) as shop:
        assert shop.tidemark.apply(detach=True).shapes[-1] == SHAPE
        shop.write(*WRITTEN)
        assert set(shop.wrong()) <= {"names"} and shop.bests() == REMEMBERED
        _is_whole(shop)


def test_nothing_else_works_before_it(old_url: str) -> None:
    with open_shop(old_url) as shop:
        shop.write(*WRITTEN)
        for work in (shop.tidemark.run, shop.tidemark.tick, shop.tidemark.status, shop.tidemark.uninstall):
            with pytest.raises(Fault, match="run `tidemark apply` with this version, which converts it") as refused:
                work()
            assert not refused.value.retry_safe
        assert shop.wrong() == ["names"]


def test_a_converted_ledger_is_as_a_new_one(old_url: str, new_url: str) -> None:
    Tidemark(Project("shop"), old_url).apply(allow_drop=True)
    with contextlib.closing(open_session(new_url)) as session, session.transaction():
        Ledger(session).create("new")
    assert describe_ledger(old_url) == describe_ledger(new_url)


@pytest.mark.parametrize("commits", [number for number in range(24) if number == 0 or in_turn(number + 7, 8)])
def test_an_upgrade_may_be_killed_anywhere(old_url: str, commits: int) -> None:
    opened = open_session

    def mortal(url: str, **options: Any) -> Any:
        session = opened(url, **options)
        ended.callback(session.close)
        return MortalSession(session, commits) if options.get("role") == "worker" else session

    with contextlib.ExitStack() as ended, open_shop(old_url) as shop:
        shop.write(*WRITTEN)
        before = _shape(shop)
        with mock.patch("tidemark.workshop.open_session", mortal), contextlib.suppress(Killed):
            shop.tidemark.apply()
        assert _shape(shop) == (before if commits == 0 else SHAPE)
        assert set(shop.wrong()) <= {"names"} and shop.bests() in (REMEMBERED, {**REMEMBERED, 3: 9})
        shop.write(f"UPDATE {shop.ledger('lease')} SET expires = ''")
        shop.tidemark.apply()
        _is_whole(shop)


def test_a_conversion_that_fails_leaves_the_old_ledger(old_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_shop(old_url) as shop:
        before, ledger = _shape(shop), describe_ledger(old_url)

        def fails(*about: object) -> None:
            raise Killed

        monkeypatch.setattr("tidemark.runtime.changes.convert.add_named_run", fails)
        with pytest.raises(Killed):
            shop.tidemark.apply()
        assert _shape(shop) == before and describe_ledger(old_url) == ledger
        shop.write(*WRITTEN)
        assert shop.wrong() == ["names"]


def test_whoever_works_is_waited_for_and_then_has_no_lease(old_url: str) -> None:
    """On PostgreSQL the lock of the leases, on SQLite the lock of the file."""
    with open_shop(old_url) as shop, contextlib.closing(open_session(old_url, lock_timeout=0.1)) as ours:
        lease, duty = shop.ledger("lease"), Duty(Ledger(ours), Clock())
        shop.write(f"DELETE FROM {lease}", f"INSERT INTO {lease} VALUES ('keep names', 'old', 1, '9999')")
        lock = " FOR SHARE" if shop.user.dialect.has_schemas else ""
        with shop.user.transaction():
            assert shop.user.all(f"SELECT 1 FROM {lease} WHERE duty = 'keep names' AND term = 1{lock}")
            with pytest.raises(Conflict):
                duty.write(lambda: duty.ledger.lock(), once=True)
        assert convert_ledger(duty) and convert_ledger(duty) == ()
        assert shop.user.all(f"SELECT 1 FROM {lease}") == []
        # So does a version whose ledgers had the shape before ask for one.
        with pytest.raises(Fault), shop.user.transaction():
            shop.user.run(f"INSERT INTO {lease} (duty, holder, term, expires) VALUES ('keep names', 'old', 1, '9999')")
