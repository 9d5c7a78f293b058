"""Rows as of now equal the query at every moment, whatever was sealed, applied or neither; reading them changes nothing."""

from collections import Counter
from unittest import mock

import pytest

from tests.protocols.forum import LIVE, QUERIES, Forum, declare, one_key_at_a_time, open_forum
from tidemark import Project, Tidemark
from tidemark.errors import Code, Refusal
from tidemark.runtime.ticks import deltas

DROPS = {
    "sqlite": "SELECT 'DROP TRIGGER \"' || name || '\"' FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'posts'",
    "postgres": "SELECT format('DROP TRIGGER %I ON posts', tgname) FROM pg_trigger "
    "WHERE tgrelid = 'posts'::regclass AND NOT tgisinternal",
}


def _check(forum: Forum) -> None:
    for name in LIVE:
        truth = Counter(forum.user.all(QUERIES[name][1]))
        assert Counter(forum.tidemark.live(name)) == truth, name
        assert Counter(forum.user.all(f"SELECT * FROM {name}_live")) == truth, name


def test_rows_as_of_now_are_true_between_any_two_transactions_of_a_tick(engine_url: str) -> None:
    with open_forum(engine_url, seed=11) as forum:
        for _ in range(6):
            forum.write(*forum.change())
            _check(forum)
            forum.tidemark.tick(max_batches=forum.chance.randint(1, 3))
            _check(forum)
            with mock.patch.object(deltas, "choose_pace", one_key_at_a_time):
                # Some keys have what changed already, and some have not.
                forum.tidemark.tick("thread_sums", max_batches=forum.chance.randint(2, 4))
            _check(forum)
        # Two rows that meant something to each other vanish together: only their images tell.
        forum.write("DELETE FROM posts WHERE author_id = 2", "DELETE FROM users WHERE id = 2")
        _check(forum)
        if not forum.user.dialect.writers_wait_in_line:
            forum.write("TRUNCATE users")
            _check(forum)
        assert forum.differences()
        forum.drain()
        _check(forum)
        assert not forum.differences()


def test_what_cannot_be_exact_is_refused_with_the_reason(engine_url: str) -> None:
    with open_forum(engine_url) as forum:
        with pytest.raises(Refusal, match="may be NULL") as refused:
            forum.tidemark.live("thread_scores")
        assert refused.value.code is Code.FRESHNESS


def _declared(name: str, query: str, **options: bool) -> Project:
    project = Project("forum")
    project.derive(name, key="id", query=query, freshness="tick", **options)  # type: ignore[arg-type]
    return project


def test_a_view_of_rows_as_of_now_follows_its_declaration(engine_url: str) -> None:
    name, query = "busy_users", QUERIES["busy_users"][1]
    with open_forum(engine_url) as forum:
        Tidemark(Project("forum"), engine_url).apply(allow_drop=True)
        Tidemark(_declared(name, query, live=True), engine_url).apply()
        forum.write("UPDATE posts SET score = 0")
        assert forum.user.all(f"SELECT * FROM {name}_live") == []
        Tidemark(_declared(name, query.replace("> 2", "< 2"), live=True), engine_url).apply()
        everybody = Counter(forum.user.all(query.replace("> 2", "< 2")))
        assert Counter(forum.user.all(f"SELECT * FROM {name}_live")) == everybody
        Tidemark(_declared(name, query), engine_url).apply()
        Tidemark(Project("forum"), engine_url).uninstall()
        forum.write(f"CREATE VIEW {name}_live AS SELECT 1 AS mine")
        with pytest.raises(Refusal, match=f"called .*{name}_live already") as refused:
            Tidemark(_declared(name, query, live=True), engine_url).apply()
        assert refused.value.code is Code.NAME_TAKEN
        Tidemark(_declared(name, query), engine_url).apply()
        with pytest.raises(Refusal, match=f"called .*{name}_live already"):
            Tidemark(_declared(name, query, live=True), engine_url).apply()
        assert forum.user.all(f"SELECT * FROM {name}_live") == [(1,)]


def test_a_view_that_cannot_be_is_refused_and_its_name_is_kept_free(engine_url: str) -> None:
    project = declare()
    with pytest.raises(Refusal, match="post_names as of now"):
        project.derive("post_names_live", query="SELECT id FROM posts", key="id")
    project = Project("forum")
    project.derive("sums_live", query="SELECT id FROM posts", key="id")
    with pytest.raises(Refusal, match="wants the name sums_live"):
        project.derive("sums", query="SELECT id FROM posts", key="id", live=True)
    with open_forum(engine_url):
        project = Project("forum")
        project.derive("counted", query="SELECT sum(score / block) AS n FROM posts", freshness="tick", live=True)
        with pytest.raises(Refusal, match="there is one row") as refused:
            Tidemark(project, engine_url).plan()
        assert refused.value.code is Code.FRESHNESS


def test_a_log_that_such_a_view_reads_is_widened_while_its_triggers_are_gone(engine_url: str) -> None:
    with open_forum(engine_url) as forum:
        Tidemark(Project("forum"), engine_url).apply(allow_drop=True)
        name, query = "busy_users", QUERIES["busy_users"][1]
        project = _declared(name, query, live=True)
        Tidemark(project, engine_url).apply()
        forum.write(*(found[0] for found in forum.user.all(DROPS[forum.user.dialect.name])))
        more = "SELECT p.id, p.block, p.created_at, u.name FROM posts p JOIN users u ON u.id = p.author_id"
        project.derive("more", key="id", query=more, freshness="tick")
        Tidemark(project, engine_url).apply()
        forum.write(*forum.change())
        truth = Counter(forum.user.all(query))
        assert Counter(Tidemark(project, engine_url).live(name)) == truth
        assert Counter(forum.user.all(f"SELECT * FROM {name}_live")) == truth
