"""What a backfill may be: a table, a key by which it can be walked, and one statement or a function."""

import pytest

from tests.backfill.place import UPPER, Songs, open_songs
from tidemark import Project, Refusal


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"table": "", "sql": UPPER}, "no table"),
        ({"table": "songs", "sql": "UPDATE songs SET shout = title"}, "does not read tidemark_batch"),
        ({"table": "songs", "sql": ""}, "sql is empty"),
        ({"table": "songs", "sql": UPPER, "key": ()}, "names no column"),
        ({"table": "songs", "sql": UPPER, "where": {"oracle": "1 = 1"}}, "is no engine"),
        ({"table": "songs", "sql": UPPER, "quarantine_max": -1}, "quarantine_max"),
    ],
)
def test_a_declaration_that_can_mean_nothing_is_refused_where_it_stands(options: dict[str, object], says: str) -> None:
    with pytest.raises(Refusal, match=says) as refused:
        Project("p").backfill("b", **{"key": "id", **options})  # type: ignore[arg-type]
    assert "test_declaring.py" in str(refused.value)


def test_a_name_is_declared_once_for_derived_tables_and_backfills_together() -> None:
    project = Project("p")
    project.derive("totals", query="SELECT 1 AS one")
    with pytest.raises(Refusal, match="declared twice"):
        project.backfill("totals", table="songs", key="id", sql=UPPER)
    project.backfill("shout", table="songs", key="id", sql=UPPER)
    with pytest.raises(Refusal, match="declared twice"):
        project.derive("shout", query="SELECT 1 AS one")


def test_the_same_function_has_the_same_fingerprint_and_another_one_has_not() -> None:
    prints = []
    for number in (1, 1, 2):
        project = Project("p")
        function = eval(f"lambda db, batch: {number} if batch in ({{'a', 'b', 'c'}}) else 0")
        project.backfill("b", table="songs", key="id")(function)
        prints.append(project.backfills[0].fingerprint)
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("table", "key", "code"),
    [
        ("nowhere", "id", "unknown-table"),
        ("songs", "identity", "unknown-column"),
        ("songs", "title", "key-unproven"),
        ("loose", "name", "key-nullable"),
        ("shown", "id", "source-kind"),
    ],
)
def test_a_table_or_a_key_that_cannot_be_walked_is_refused(songs: Songs, table: str, key: str, code: str) -> None:
    with songs.session.transaction():
        songs.session.run("CREATE TABLE loose (name VARCHAR(20) UNIQUE)")
        songs.session.run("CREATE VIEW shown AS SELECT id FROM songs")
    songs.project.backfill(
        "b", table=table, key=key, sql="DELETE FROM songs WHERE id IN (SELECT 1 FROM tidemark_batch)"
    )
    with pytest.raises(Refusal) as refused:
        songs.engine().backfill("b")
    assert refused.value.code == code


def test_a_key_whose_index_knows_other_texts_as_equal_is_refused(sqlite_path: object) -> None:
    """To the column 'a' and 'A' are one text, so that one step of the walk would pass both and do one."""
    with open_songs(f"sqlite:///{sqlite_path}") as songs:
        with songs.session.transaction():
            songs.session.run("CREATE TABLE tags (tag TEXT NOT NULL COLLATE NOCASE, n INTEGER)")
            songs.session.run("CREATE UNIQUE INDEX tags_tag ON tags (tag COLLATE BINARY)")
        songs.project.backfill(
            "b", table="tags", key="tag", sql="UPDATE tags SET n = 1 WHERE tag IN (SELECT tag FROM tidemark_batch)"
        )
        with pytest.raises(Refusal, match="key-unproven"):
            songs.engine().backfill("b")
