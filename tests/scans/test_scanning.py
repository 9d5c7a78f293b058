"""Scans on both engines: positions, marks, big positions, mixed sources, and what no scan sees."""

from __future__ import annotations

import pytest

from tests.scans.chain import OWNED, PLAYED, Chain, declared, open_chain
from tidemark import Project, Refusal, Tidemark
from tidemark.errors import Code
from tidemark.runtime.ticks import scanning


def test_rows_after_the_mark_are_seen(chain: Chain) -> None:
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a'), (2, 8, 'b')", chain.plays(1, [1, 2, 1]))
    chain.tidemark.apply()
    assert not chain.differences()
    assert chain.at() == "1"
    chain.run(chain.plays(2, [1, 3]), chain.plays(3, [3], track=2))
    assert chain.differences()
    chain.settle()
    assert chain.at() == "3"
    assert not any(report.changes_sealed for report in chain.drain())


def test_no_trigger_and_no_log_is_made(chain: Chain) -> None:
    chain.tidemark.apply()
    captures = chain.tidemark.captures(chain.tidemark.sql("owned"))
    assert [capture.source for capture in captures] == ["tracks"]
    found = chain.user.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'plays'"
        if chain.url.startswith("sqlite")
        else "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'plays'::regclass"
    ).fetchone()
    assert found == (0,)


def test_a_change_of_the_other_source_reaches_the_same_rows(chain: Chain) -> None:
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a')", chain.plays(1, [1, 2]))
    chain.tidemark.apply()
    chain.run("UPDATE tracks SET owner_id = 9 WHERE id = 1")
    chain.settle()
    # Both at once: the play is reached through the track as it was, and as it is.
    chain.run(chain.plays(2, [5]), "UPDATE tracks SET owner_id = 7 WHERE id = 1", chain.plays(3, [6]))
    chain.settle()
    chain.run("DELETE FROM tracks", chain.plays(4, [6]))
    chain.settle()


def test_a_changed_row_with_a_higher_position_is_seen(chain: Chain) -> None:
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a'), (2, 8, 'b')", chain.plays(1, [1, 2]))
    chain.tidemark.apply()
    chain.run("UPDATE plays SET track_id = 2, blocknumber = 2 WHERE id = 1")
    chain.drain("played")
    assert "played" not in chain.differences()


@pytest.mark.parametrize("batch", [1, 4])
def test_a_position_of_any_size_is_never_split(chain: Chain, batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.runtime.ticks.scanning.BATCH_ROWS", batch)
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a')")
    chain.tidemark.apply()
    chain.run(chain.plays(1, range(1, 3)), chain.plays(2, range(9)), chain.plays(3, [1]), chain.plays(4, range(6)))
    positions = [None, *(str(number) for number in range(1, 5))]
    last = 0
    for _ in range(30):
        reports = chain.tidemark.tick(max_batches=3)
        mark = chain.mark()
        at = positions.index(None if mark.mark is None else str(mark.mark))
        # What the mark says was looked at is dirty or true.
        assert at >= last
        last = at
        if all(report.drained for report in reports) and not chain.differences():
            break
    assert not chain.differences()
    assert chain.at() == "4"


def test_a_big_position_without_an_identity_is_taken_whole(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.runtime.ticks.scanning.BATCH_ROWS", 3)
    project = Project("bare")
    project.source("votes", capture="scan", watermark="at")
    query = "SELECT who, count(*) AS votes FROM votes GROUP BY who"
    project.derive("voted", query=query)
    with open_chain(engine_url, project, {"voted": query}) as chain:
        chain.run("CREATE TABLE votes (who integer, at integer NOT NULL)")
        chain.tidemark.apply()
        rows = ", ".join(f"({number % 4}, 5)" for number in range(11))
        chain.run(f"INSERT INTO votes VALUES {rows}", "INSERT INTO votes VALUES (NULL, 6), (1, 6)")
        chain.settle()


def test_what_the_index_alone_tells_apart_is_no_identity(engine_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order in which rows are equal would leave some of them out, where a position is read in parts."""
    monkeypatch.setattr("tidemark.runtime.ticks.scanning.BATCH_ROWS", 3)
    project = Project("loose")
    project.source("votes", capture="scan", watermark="at")
    query = "SELECT who, count(*) AS votes FROM votes GROUP BY who"
    project.derive("voted", query=query)
    made, loose, plain = (), "NOCASE", "BINARY"
    if not engine_url.startswith("sqlite"):
        made = ("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",)
        loose, plain = "loose", '"C"'
    table = f"CREATE TABLE votes (id text COLLATE {loose} NOT NULL, who integer, at integer NOT NULL)"
    with open_chain(engine_url, project, {"voted": query}) as chain:
        chain.run(*made, table, f"CREATE UNIQUE INDEX votes_id ON votes (id COLLATE {plain})")
        chain.tidemark.apply()
        chain.run(
            "INSERT INTO votes VALUES ('a', 1, 5), ('A', 2, 5), ('b', 3, 5), ('B', 4, 5), ('c', 5, 5), ('C', 6, 5)"
        )
        chain.settle()


def test_history_begins_before_the_first_row(engine_url: str) -> None:
    with open_chain(engine_url, declared("history")) as chain:
        chain.run("INSERT INTO tracks VALUES (1, 7, 'a')", chain.plays(-3, [1, 2]), chain.plays(5, [1]))
        chain.tidemark.apply()
        assert not chain.differences()
        chain.settle()
        assert chain.at() == "5"


def test_now_begins_behind_what_is_there(chain: Chain) -> None:
    chain.run(chain.plays(5, [1]))
    chain.tidemark.apply()
    assert chain.at() == "5"


def test_an_empty_source_has_no_mark_and_no_position_is_too_low(chain: Chain) -> None:
    chain.tidemark.apply()
    assert chain.at() == "None"
    chain.run(chain.plays(-100, [1]))
    chain.settle()
    assert chain.at() == "-100"


def test_a_mark_is_never_overwritten_by_a_seed(chain: Chain) -> None:
    chain.tidemark.apply()
    chain.run(chain.plays(1, [1]))
    chain.settle()
    chain.run(chain.plays(9, [1, 2]))
    # What changed is the other derived table's declaration, then its own.
    again = declared()
    again.derive(
        "extra", query="SELECT track_id, count(*) AS n FROM plays WHERE track_id IS NOT NULL GROUP BY track_id"
    )
    Tidemark(again, chain.url).apply()
    assert chain.at() == "1"
    changed = Project("chain")
    changed.source("plays", capture="scan", watermark="blocknumber")
    changed.derive("played", query=PLAYED.replace("count(*)", "2 * count(*)"))
    changed.derive("owned", query=OWNED)
    keeper = Tidemark(changed, chain.url)
    keeper.apply(allow_drop=True)
    keeper.tick()
    chain.queries = {"played": PLAYED.replace("count(*)", "2 * count(*)"), "owned": OWNED}
    assert not chain.differences()
    assert chain.at() == "9"


def test_when_the_last_positions_are_taken_back_they_can_be_given_again(chain: Chain) -> None:
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a')", chain.plays(1, [1, 2]), chain.plays(2, [2, 3]))
    chain.tidemark.apply()
    chain.run("DELETE FROM plays WHERE blocknumber = 2")
    chain.settle()
    assert chain.at() == "1"
    chain.run(chain.plays(2, [4]))
    chain.settle()
    chain.run("DELETE FROM plays")
    chain.settle()
    assert chain.at() == "None"


def test_deletes_and_late_rows_are_found_by_verification(chain: Chain) -> None:
    chain.run("INSERT INTO tracks VALUES (1, 7, 'a')", chain.plays(1, [1, 2]), chain.plays(5, [2, 3]))
    chain.tidemark.apply()
    chain.run("DELETE FROM plays WHERE id = 1", chain.plays(3, [9]))
    chain.drain()
    assert chain.differences()
    assert any(not report.clean for report in chain.tidemark.verify())
    chain.tidemark.repair()
    assert not chain.differences()


def test_the_index_that_scans_need_is_made_first(chain: Chain) -> None:
    chain.run("DROP INDEX plays_by_block")
    plan = chain.tidemark.plan()
    assert any(index.required and "blocknumber" in index.text for index in plan.indexes)
    report = chain.tidemark.apply()
    assert len(report.indexes) == 1
    assert chain.tidemark.plan().is_empty
    chain.run(chain.plays(1, [1]))
    chain.settle()


def test_uninstalling_leaves_no_mark(chain: Chain) -> None:
    chain.run(chain.plays(1, [1]))
    chain.tidemark.apply()
    chain.tidemark.uninstall()
    chain.tidemark.apply()
    assert chain.at() == "1"


def test_the_whole_result_as_one_unit(engine_url: str) -> None:
    project = Project("one")
    project.source("plays", capture="scan", watermark="blocknumber")
    query = "SELECT count(*) AS n, count(DISTINCT user_id) AS users FROM plays"
    project.derive("totals", query=query, allow_global=True)
    with open_chain(engine_url, project, {"totals": query}) as chain:
        chain.tidemark.apply()
        chain.run(chain.plays(1, [1, 2]))
        chain.settle()
        chain.run(chain.plays(2, [2]))
        chain.settle()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("text", ["'a'", "'b'", "'z''x'"]),
        ("numeric", ["-1.50", "0", "2.25", "1e9"]),
        ("timestamp with time zone", ["'2026-01-01 00:00:00+00:00'", "'2026-01-01 00:00:01.5+00:00'"]),
        ("uuid", [f"'0000000{n}-0000-0000-0000-000000000000'" for n in range(1, 4)]),
        ("character varying(9)", ["'a'", "'b'"]),
    ],
)
def test_positions_of_any_type(engine_url: str, column: str, values: list[str]) -> None:
    project = Project("typed")
    project.source("events", capture="scan", watermark="Where is")
    query = "SELECT kind, count(*) AS n FROM events GROUP BY kind"
    project.derive("kinds", query=query)
    with open_chain(engine_url, project, {"kinds": query}) as chain:
        chain.run(f'CREATE TABLE events (kind integer, "Where is" {column} NOT NULL)')
        chain.tidemark.apply()
        for number, value in enumerate(values):
            chain.run(f"INSERT INTO events VALUES ({number % 2}, {value}), (1, {value})")
            chain.settle()
        assert not any(report.changes_sealed for report in chain.drain())


def test_what_cannot_be_scanned_is_refused(chain: Chain) -> None:
    chain.run(
        "CREATE TABLE loose (id integer NOT NULL PRIMARY KEY, at integer)", "CREATE VIEW seen AS SELECT * FROM loose"
    )
    wrong = {
        ("loose", "at"): Code.WATERMARK,
        ("loose", "nowhere"): Code.UNKNOWN_COLUMN,
        ("nothing", "at"): Code.UNKNOWN_TABLE,
        ("seen", "at"): Code.SOURCE_KIND,
    }
    for (table, column), code in wrong.items():
        project = declared()
        project.source(table, capture="scan", watermark=column)
        with pytest.raises(Refusal) as refusal:
            Tidemark(project, chain.url).plan()
        assert refusal.value.code is code


def test_commit_freshness_is_refused(chain: Chain) -> None:
    project = Project("soon")
    project.source("plays", capture="scan", watermark="blocknumber")
    project.derive("played", query="SELECT user_id, count(*) AS n FROM plays GROUP BY user_id", freshness="commit")
    with pytest.raises(Refusal) as refusal:
        Tidemark(project, chain.url).plan()
    assert refusal.value.code is Code.FRESHNESS
    assert "plays" in refusal.value.reason


def test_a_batch_is_bounded() -> None:
    assert scanning.BATCH_ROWS == 5_000
