"""Queries of every operator, each small, over the tables of `tests.algebra.world`.

Owns: `CASES`. Promises: each has a key that is one at every state of its sources.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A query with its `key` and `support`. `engine` names the only one that has its syntax, `klass` the class it must get."""

    name: str
    query: str
    key: str | tuple[str, ...] | None = None
    engine: str | None = None
    klass: str = "keyed"
    support: bool | None = None


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
        klass="bilinear",
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

JOINS = (
    Case(
        "right_join",
        "SELECT p.id, u.id AS author, u.name FROM users u RIGHT JOIN posts p ON p.author = u.id",
        "id",
        "postgres",
    ),
    Case(
        "full_join",
        "SELECT u.id AS person, p.id AS post, u.region FROM users u FULL JOIN posts p ON p.author = u.id",
        ("person", "post"),
        "postgres",
    ),
    Case(
        "full_join_groups",
        "SELECT u.region, p.state, count(*) AS n FROM users u FULL JOIN posts p ON p.author = u.id GROUP BY u.region, p.state",
        ("region", "state"),
        "postgres",
    ),
    Case(
        "full_join_of_groups",
        "SELECT coalesce(x.author, y.b) AS who, x.n, y.m FROM (SELECT author, count(*) AS n FROM posts GROUP BY author) x "
        "FULL JOIN (SELECT b, count(*) AS m FROM follows GROUP BY b) y ON y.b = x.author",
        "who",
        "postgres",
    ),
    Case(
        "using_join",
        "SELECT id, name, score FROM users JOIN posts USING (id)",
        "id",
    ),
    Case(
        "natural_full",
        "SELECT * FROM (SELECT id, region FROM users) a NATURAL FULL JOIN (SELECT id, score FROM posts) b",
        "id",
        "postgres",
    ),
    Case(
        "left_using",
        "SELECT id, name, count(score) AS n FROM users LEFT JOIN (SELECT author AS id, score FROM posts) p USING (id) "
        "GROUP BY id, name",
        ("id", "name"),
    ),
    Case(
        "self_join",
        "SELECT a.id, b.id AS other FROM users a JOIN users b ON b.region = a.region AND b.id <> a.id",
        ("id", "other"),
    ),
    Case(
        "range_join",
        "SELECT u.id, count(*) AS below FROM users u JOIN posts p ON p.score < u.region GROUP BY u.id",
        "id",
    ),
    Case(
        "range_left_join",
        "SELECT u.id, p.id AS post FROM users u LEFT JOIN posts p ON p.score > u.region AND p.author <> u.id",
        ("id", "post"),
    ),
    Case(
        "comma",
        "SELECT u.region, p.state, count(*) AS n FROM users u, posts p WHERE p.author = u.id OR p.score = u.region "
        "GROUP BY u.region, p.state",
        ("region", "state"),
    ),
    Case(
        "lateral_",
        "SELECT u.id, x.id AS post, x.score FROM users u CROSS JOIN LATERAL "
        "(SELECT p.id, p.score FROM posts p WHERE p.author = u.id ORDER BY p.score DESC NULLS LAST, p.id LIMIT 2) x",
        ("id", "post"),
        "postgres",
    ),
    Case(
        "left_lateral",
        "SELECT u.id, x.n FROM users u LEFT JOIN LATERAL (SELECT count(*) AS n FROM posts p WHERE p.author = u.id "
        "HAVING count(*) > 1) x ON true",
        "id",
        "postgres",
    ),
    Case(
        "three_lefts",
        "SELECT u.region, b.region AS theirs, count(t.tag) AS n FROM users u LEFT JOIN users b ON b.id = u.boss "
        "LEFT JOIN posts p ON p.author = b.id LEFT JOIN tags t ON t.post = coalesce(p.id, 1) GROUP BY u.region, b.region",
        ("region", "theirs"),
    ),
)

MORE = (
    Case(
        "joins_in_parentheses",
        "SELECT u.id, count(t.tag) AS n FROM users u LEFT JOIN (posts p JOIN tags t ON t.post = p.id) ON p.author = u.id "
        "GROUP BY u.id",
        "id",
    ),
    Case(
        "parentheses_with_null_group",
        "SELECT u.region, p.state, t.tag, count(*) AS n FROM users u LEFT JOIN (posts p LEFT JOIN tags t ON t.post = p.id) "
        "ON p.author = u.id AND coalesce(t.tag, 'a') = 'a' GROUP BY u.region, p.state, t.tag",
        ("region", "state", "tag"),
    ),
    Case(
        "not_in_sure", "SELECT id FROM users WHERE id NOT IN (SELECT author FROM posts WHERE author IS NOT NULL)", "id"
    ),
    Case(
        "settled_by_join",
        "SELECT p.id, u.name, count(t.tag) AS n FROM posts p JOIN users u ON u.id = p.author LEFT JOIN tags t ON t.post = p.id "
        "GROUP BY p.id, u.name",
        "id",
    ),
    Case(
        "boss_of_boss",
        "SELECT u.id, (SELECT b.name FROM users b WHERE b.id = (SELECT c.boss FROM users c WHERE c.id = u.boss)) AS above "
        "FROM users u",
        "id",
    ),
)

WINDOWS = (
    Case(
        "ranked",
        "SELECT id, author, row_number() OVER (PARTITION BY author ORDER BY score, id) AS place, "
        "sum(score) OVER (PARTITION BY author) AS total FROM posts",
        "id",
    ),
    Case(
        "named_window",
        "SELECT id, author, lag(score) OVER w AS before, count(*) FILTER (WHERE state = 'a') OVER w AS n FROM posts "
        "WINDOW w AS (PARTITION BY author ORDER BY id)",
        "id",
    ),
    Case(
        "two_partitions",
        "SELECT id, author, state, count(*) OVER (PARTITION BY author) AS a, count(*) OVER (PARTITION BY author, state) AS b "
        "FROM posts",
        "id",
    ),
    Case("whole_window", "SELECT id, rank() OVER (ORDER BY score) AS place FROM posts", "id", klass="global"),
    Case(
        "latest",
        "SELECT author, id, score FROM (SELECT p.*, row_number() OVER (PARTITION BY author ORDER BY score DESC, id) AS rn "
        "FROM posts p) x WHERE rn = 1",
        "author",
    ),
    Case(
        "latest_of_joined",
        "SELECT u.id, x.state FROM users u LEFT JOIN (SELECT author, state, row_number() OVER "
        "(PARTITION BY author ORDER BY score DESC, id) AS rn FROM posts) x ON x.author = u.id AND x.rn = 1",
        "id",
    ),
    Case(
        "window_over_groups",
        "SELECT author, state, count(*) AS n, rank() OVER (PARTITION BY author ORDER BY count(*) DESC, max(id)) AS place "
        "FROM posts GROUP BY author, state",
        ("author", "state"),
    ),
    Case(
        "distinct_on",
        "SELECT DISTINCT ON (author) author, id, score FROM posts ORDER BY author, score DESC NULLS LAST, id",
        "author",
        "postgres",
    ),
    Case(
        "mode",
        "SELECT author, mode() WITHIN GROUP (ORDER BY state) AS often, percentile_disc(0.5) WITHIN GROUP (ORDER BY score) AS mid "
        "FROM posts GROUP BY author",
        "author",
        "postgres",
    ),
    Case(
        "texts",
        "SELECT author, string_agg(state, ',' ORDER BY id) AS states, array_agg(score ORDER BY id) FILTER (WHERE score > 1) "
        "AS s, jsonb_agg(id ORDER BY id) AS ids FROM posts GROUP BY author",
        "author",
        "postgres",
    ),
    Case(
        "joined_texts",
        "SELECT u.id, (SELECT group_concat(x.state) FROM (SELECT p.state FROM posts p WHERE p.author = u.id ORDER BY p.id) x) "
        "AS states FROM users u",
        "id",
        "sqlite",
    ),
    Case(
        "having_",
        "SELECT author, count(*) AS n FROM posts GROUP BY author HAVING count(*) > 1 AND max(score) IS NOT NULL",
        "author",
    ),
    Case(
        "filters",
        "SELECT region, count(DISTINCT name) FILTER (WHERE boss IS NOT NULL) AS n FROM users GROUP BY region",
        "region",
    ),
    Case(
        "best_tag",
        "SELECT post, (SELECT x.tag FROM (SELECT t.tag, count(*) AS n FROM tags t WHERE t.post = p.post GROUP BY t.tag) x "
        "ORDER BY x.n DESC, x.tag LIMIT 1) AS tag FROM (SELECT DISTINCT post FROM tags) p",
        "post",
    ),
)

CASES = (*FROM_SUBQUERIES, *SET_OPERATIONS, *JOINS, *MORE, *WINDOWS)
