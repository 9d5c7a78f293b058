"""Queries of every operator, each small, over the tables of `tests.algebra.world`.

Owns: `CASES`. Promises: each has a key that is one at every state of its sources.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A query with its key. `engine` names the only engine that has its syntax; `klass` is the class that it must get."""

    name: str
    query: str
    key: str | tuple[str, ...] | None = None
    engine: str | None = None
    klass: str = "keyed"


FROM_SUBQUERIES = (
    Case(
        "two_aggregates",
        "SELECT u.id, u.name, x.n, y.m FROM users u "
        "LEFT JOIN (SELECT author, count(*) AS n FROM posts GROUP BY author) x ON x.author = u.id "
        "LEFT JOIN (SELECT b, count(*) AS m FROM follows WHERE live = 1 GROUP BY b) y ON y.b = u.id",
        "id",
    ),
    Case(
        "cte_chain",
        "WITH n AS (SELECT author, count(*) AS posts FROM posts GROUP BY author), "
        "m(who, k) AS (SELECT author, posts FROM n WHERE posts > 1) "
        "SELECT u.id, n.posts, m.k FROM users u JOIN n ON n.author = u.id LEFT JOIN m ON m.who = u.id",
        "id",
    ),
    Case(
        "aggregate_of_aggregate",
        "SELECT region, max(n) AS most, sum(n) AS total, count(*) AS people FROM (SELECT u.region, u.id, count(p.id) AS n "
        "FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.region, u.id) x GROUP BY region",
        "region",
    ),
    Case(
        "group_over_join_of_subqueries",
        "SELECT a.region, count(*) AS n, sum(b.score) AS s FROM (SELECT id, region FROM users WHERE boss IS NOT NULL) a "
        "JOIN (SELECT author, score FROM posts WHERE state = 'a') b ON b.author = a.id GROUP BY a.region",
        "region",
    ),
    Case(
        "capped_count",
        "SELECT u.id, (SELECT count(*) FROM (SELECT 1 FROM follows f WHERE f.b = u.id LIMIT 2) x) AS fans FROM users u",
        "id",
    ),
    Case(
        "subquery_in_subquery",
        "SELECT u.id, (SELECT count(*) FROM posts p WHERE p.author = u.id AND EXISTS "
        "(SELECT 1 FROM tags t WHERE t.post = p.id AND t.tag = 'a')) AS tagged FROM users u",
        "id",
    ),
    Case(
        "grouped_in_correlated",
        "SELECT u.id, (SELECT max(x.n) FROM (SELECT p.state, count(*) AS n FROM posts p WHERE p.author = u.id "
        "GROUP BY p.state) x) AS most FROM users u",
        "id",
    ),
    Case("in_list", "SELECT id, name FROM users WHERE id IN (SELECT author FROM posts WHERE state = 'a')", "id"),
    Case(
        "in_projected",
        "SELECT id, region IN (SELECT b FROM follows f WHERE f.a = u.id) AS follows_region FROM users u",
        "id",
    ),
    Case(
        "not_in_correlated",
        "SELECT id FROM users u WHERE region NOT IN (SELECT score FROM posts p WHERE p.author = u.id)",
        "id",
    ),
    Case(
        "in_or",
        "SELECT id FROM users u WHERE id IN (SELECT a FROM follows WHERE live = 1) OR region = 1",
        "id",
        klass="global",
    ),
    Case("not_in", "SELECT id FROM users WHERE region NOT IN (SELECT author FROM posts)", "id", klass="global"),
    Case(
        "in_pairs",
        "SELECT id, region FROM users u WHERE (id, region) IN (SELECT author, score FROM posts WHERE state <> 'b')",
        "id",
    ),
    Case(
        "any_all",
        "SELECT id, id = ANY (SELECT author FROM posts p WHERE p.score = u.region) AS one, "
        "region >= ALL (SELECT score FROM posts p WHERE p.author = u.id) AS every FROM users u",
        "id",
        "postgres",
    ),
    Case(
        "left_of_left",
        "SELECT p.id, u.name, b.name AS boss FROM posts p LEFT JOIN users u ON u.id = p.author "
        "LEFT JOIN users b ON b.id = u.boss",
        "id",
    ),
    Case(
        "coalesced_join",
        "SELECT p.id, count(f.a) AS n FROM posts p LEFT JOIN users u ON u.id = p.author "
        "LEFT JOIN follows f ON f.b = coalesce(u.region, 1) GROUP BY p.id",
        "id",
    ),
    Case(
        "group_by_both_sides",
        "SELECT u.region, p.state, count(*) AS n FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.region, p.state",
        ("region", "state"),
    ),
    Case(
        "derived_limit",
        "SELECT x.id, x.score FROM (SELECT id, score FROM posts ORDER BY score DESC, id LIMIT 2) x",
        "id",
        klass="global",
    ),
    Case(
        "uncorrelated",
        "SELECT id, region, (SELECT max(score) FROM posts) AS best FROM users",
        "id",
        klass="global",
    ),
    Case(
        "histogram",
        "SELECT n, count(*) AS authors FROM (SELECT author, count(*) AS n FROM posts GROUP BY author) x GROUP BY n",
        "n",
        klass="global",
    ),
    Case(
        "one_row",
        "SELECT count(*) AS n, sum(p.score) AS s FROM users u JOIN posts p ON p.author = u.id",
        None,
        klass="global",
    ),
    Case(
        "scalar_of_unique",
        "SELECT p.id, (SELECT u.name FROM users u WHERE u.id = p.author) AS author FROM posts p",
        "id",
    ),
    Case(
        "exists_in_having",
        "SELECT author, count(*) AS n FROM posts p GROUP BY author HAVING EXISTS (SELECT 1 FROM users u WHERE u.id = p.author)",
        "author",
    ),
    Case(
        "exists_in_on",
        "SELECT u.id, p.id AS post FROM users u LEFT JOIN posts p ON p.author = u.id AND EXISTS "
        "(SELECT 1 FROM tags t WHERE t.post = p.id)",
        ("id", "post"),
    ),
    Case(
        "dependent_columns",
        "SELECT u.id, u.name, count(p.id) AS n FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY u.id",
        "id",
    ),
    Case(
        "key_of_group",
        "SELECT u.id, u.name, count(*) AS n FROM users u JOIN posts p ON p.author = u.id GROUP BY u.id, u.name",
        "id",
    ),
    Case(
        "cross_join",
        "SELECT u.id, t.id AS other FROM users u CROSS JOIN posts t",
        ("id", "other"),
    ),
)

SET_OPERATIONS = (
    Case(
        "union_all",
        "SELECT 'u' AS kind, id, region AS v FROM users UNION ALL SELECT 'p', id, score FROM posts",
        ("kind", "id"),
    ),
    Case("union_", "SELECT author AS who, score AS v FROM posts UNION SELECT id, region FROM users", ("who", "v")),
    Case("except_", "SELECT id FROM users EXCEPT SELECT author FROM posts", "id"),
    Case("intersect_", "SELECT id FROM users INTERSECT SELECT b FROM follows WHERE live = 1", "id"),
    Case(
        "three",
        "SELECT id FROM users UNION SELECT author FROM posts UNION SELECT a FROM follows",
        "id",
    ),
    Case(
        "group_over_union",
        "SELECT who, count(*) AS n, sum(v) AS s FROM (SELECT author AS who, score AS v FROM posts UNION ALL "
        "SELECT b, live FROM follows) x GROUP BY who",
        "who",
    ),
    Case(
        "join_over_union",
        "SELECT u.id, count(x.v) AS n FROM users u LEFT JOIN (SELECT author AS who, score AS v FROM posts UNION "
        "SELECT b, live FROM follows) x ON x.who = u.id GROUP BY u.id",
        "id",
    ),
    Case(
        "grouped_branches",
        "SELECT author AS who, 'posts' AS kind, count(*) AS n FROM posts GROUP BY author UNION ALL "
        "SELECT b, 'fans', count(*) FROM follows GROUP BY b",
        ("who", "kind"),
    ),
    Case("distinct_pairs", "SELECT DISTINCT author, state FROM posts", ("author", "state")),
    Case(
        "distinct_join",
        "SELECT DISTINCT u.region, p.state FROM users u JOIN posts p ON p.author = u.id",
        ("region", "state"),
    ),
    Case(
        "distinct_of_groups",
        "SELECT DISTINCT region, n FROM (SELECT u.region, u.id, count(*) AS n FROM users u JOIN posts p ON p.author = u.id "
        "GROUP BY u.region, u.id) x",
        ("region", "n"),
    ),
    Case(
        "distinct_aggregates",
        "SELECT DISTINCT author, count(*) AS n FROM posts GROUP BY author, state",
        ("author", "n"),
    ),
)

CASES = (*FROM_SUBQUERIES, *SET_OPERATIONS)
