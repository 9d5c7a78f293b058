"""Text that is no UTF-8, which SQLite keeps and compares like any other: as a key of what is kept, and of rows to be migrated."""

import contextlib

from tests.findings.place import Place
from tidemark.errors import Exit
from tidemark.runtime.backfill.runner import Orders

BAD = "CAST(x'ff41' AS TEXT)"


def test_a_row_with_such_a_key_is_found_wrong_and_repaired(lite: Place) -> None:
    lite.run("CREATE TABLE items (id INTEGER PRIMARY KEY, tag TEXT)")
    lite.run(f"INSERT INTO items (tag) VALUES ('a'), ({BAD}), ({BAD})")
    lite.derive("tags", "SELECT tag, count(*) AS n FROM items GROUP BY tag", freshness="commit")
    lite.tidemark.apply()
    lite.run("UPDATE tidemark_tags SET _rows = 99")
    found = lite.tidemark.verify()[0].findings
    assert {one.key: (one.stored, one.truth) for one in found} == {
        ("a",): ((99, 99), (1, 1)),
        ("\udcffA",): ((99, 99), (2, 2)),
    }
    lite.tidemark.repair("tags", keys=['[{"$octets":"ff41"}]'])
    assert [one.key for one in lite.tidemark.verify()[0].findings] == [("a",)]
    lite.run("UPDATE tidemark_tags SET _rows = 98")
    lite.tidemark.verify()
    # As a shell gives it.
    lite.tidemark.repair("tags", keys=["\udcffA"])
    assert [one.key for one in lite.tidemark.verify()[0].findings] == [("a",)]
    lite.tidemark.repair()
    assert lite.tidemark.verify()[0].clean


def test_a_backfill_walks_such_keys_and_puts_one_aside(lite: Place) -> None:
    lite.run("CREATE TABLE tags (tag TEXT PRIMARY KEY NOT NULL, n INT)")
    veto = f"WHEN NEW.tag = {BAD} BEGIN SELECT RAISE(ABORT, 'not this one'); END"
    lite.run(f"CREATE TRIGGER veto BEFORE UPDATE ON tags {veto}")
    lite.run(f"INSERT INTO tags (tag) VALUES ('a'), ({BAD}), (CAST(x'ff42' AS TEXT)), ('z')")
    sql = "UPDATE tags SET n = 5 WHERE tag IN (SELECT tag FROM tidemark_batch)"
    lite.project.backfill("five", table="tags", key="tag", sql=sql)
    assert lite.tidemark.backfill("five").exit is Exit.QUARANTINED
    with contextlib.closing(lite.tidemark.onlooker()) as eye:
        assert [one.key for one in eye.quarantine("five")] == [("\udcffA",)]
    assert lite.rows("SELECT hex(tag) FROM tags WHERE n IS NULL") == [("FF41",)]
    lite.run("DROP TRIGGER veto")
    assert lite.tidemark.backfill("five", Orders(again=True)).status.state == "finished"
    assert lite.rows("SELECT hex(tag) FROM tags WHERE n IS NULL") == []
