"""Tables that trade their names: what hangs on the one that is a source no more."""

import contextlib

from tests.changes.shop import open_shop
from tidemark.database.open import open_session


def test_a_table_that_leaves_its_name_to_another_one_takes_no_trigger_along(engine_url: str) -> None:
    """As whoever copies a table and renames both leaves it."""
    shop = open_shop(engine_url)
    shop.run(
        "CREATE TABLE copied (id integer PRIMARY KEY, thread_id integer, user_id integer, score integer, other integer)",
        "INSERT INTO copied SELECT id, thread_id, user_id, score * 2, other FROM posts",
        "ALTER TABLE posts RENAME TO before",
        "ALTER TABLE copied RENAME TO posts",
    )
    shop.mend()
    with contextlib.closing(open_session(engine_url)) as session:
        left = "pg_trigger WHERE tgrelid = 'before'::regclass AND NOT tgisinternal"
        left = left if session.dialect.has_schemas else "sqlite_schema WHERE type = 'trigger' AND tbl_name = 'before'"
        assert session.one(f"SELECT count(*) FROM {left}") == (0,)
    shop.run("UPDATE before SET score = score + 1", "UPDATE posts SET score = score + 2", "DELETE FROM before")
    shop.tidemark.tick()
    assert not shop.wrong()
