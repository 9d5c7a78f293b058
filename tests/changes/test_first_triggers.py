"""Triggers of the user's that SQLite runs before ours are noticed, written down as a gap, and mended."""

import pytest

from tests.changes.shop import QUERIES, open_shop
from tests.changes.test_schema_changes import expect


def test_a_trigger_of_the_users_that_comes_first_is_noticed_on_sqlite(
    sqlite_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it writes to a row is told before the row itself, which a copy would then show as it was."""
    monkeypatch.setitem(QUERIES, "copied", ("SELECT id, {score} AS score FROM posts", {}))
    shop = open_shop(f"sqlite:///{sqlite_path}", "copied", "ticked")
    audits = "CREATE TRIGGER audits AFTER INSERT ON posts BEGIN INSERT INTO users VALUES (NEW.id + 100, 'posted'); END"
    shop.run(audits)
    assert set(shop.captures().values()) == {"ok"} and not shop.wrong()
    # What is written before the row itself is seen as it was with triggers of ours for that, which stand where it is.
    shop.run("CREATE TRIGGER before BEFORE INSERT ON posts BEGIN UPDATE posts SET score = 1 WHERE id = 4; END")
    expect(shop, "outdated")
    shop.mend()
    shop.run("CREATE TRIGGER touches AFTER INSERT ON posts BEGIN UPDATE posts SET score = 9 WHERE id = NEW.id; END")
    shop.run("INSERT INTO posts VALUES (50, 1, 1, 1, 1)")
    assert set(shop.wrong()) == {"copied"}
    expect(shop, "outdated", worker=True)
    shop.mend()
    # By way of another table.
    shop.run("CREATE TRIGGER back AFTER INSERT ON users BEGIN UPDATE posts SET score = 0 WHERE id = NEW.id - 100; END")
    assert set(shop.captures().values()) == {"ok"} and not shop.wrong()
    shop.run("DROP TRIGGER audits", audits)
    expect(shop, "outdated")
    shop.mend()
