"""Queries that say in another way what others say, over the tables of `tests.algebra.world`.

Owns: `SPELLINGS`. Promises: as `cases`; a case without a key has one that is found.
"""

from __future__ import annotations

from tests.algebra.cases import Case

SPELLINGS = (
    Case(
        "listed",
        "SELECT v.column1 AS state, v.column2 AS label, count(p.id) AS n FROM (VALUES ('a', 'A'), ('b', 'B'), ('x', NULL)) AS v "
        "LEFT JOIN posts p ON p.state = v.column1 GROUP BY v.column1, v.column2",
    ),
    Case(
        "listed_by_name",
        "WITH v(state, label) AS (VALUES ('a', 'A'), ('b', 'B'), ('b', 'B')) "
        "SELECT v.label, count(*) AS n, max(p.score) AS best FROM posts p JOIN v ON v.state = p.state GROUP BY v.label",
    ),
    Case("listed_in", "SELECT id, (author, score) IN (VALUES (1, 2), (2, NULL)) AS known FROM posts", "id"),
    Case(
        "listed_beside_rows",
        "SELECT u.id, v.k, v.n FROM users u CROSS JOIN LATERAL (VALUES ('region', u.region), ('boss', u.boss)) AS v(k, n)",
        ("id", "k"),
        "postgres",
    ),
    Case(
        "listed_of_rows",
        "SELECT v.n, count(*) AS rows FROM users u, LATERAL (VALUES (u.region), (u.boss)) AS v(n) GROUP BY v.n",
        None,
        "postgres",
    ),
    Case(
        "grouped_by_name",
        "SELECT upper(u.name) AS label, count(p.id) AS n FROM users u LEFT JOIN posts p ON p.author = u.id GROUP BY label",
    ),
    Case(
        "different_in_order",
        "SELECT author, string_agg(DISTINCT state, ',' ORDER BY state) AS states, "
        "array_agg(DISTINCT score ORDER BY score DESC) FILTER (WHERE state <> 'b') AS scores FROM posts GROUP BY author",
        None,
        "postgres",
    ),
    Case("without_match", "SELECT u.id, u.name FROM users u LEFT JOIN posts p ON p.author = u.id WHERE p.id IS NULL"),
    Case(
        "best_of_groups",
        "WITH s AS (SELECT author, sum(score) AS total FROM posts GROUP BY author) "
        "SELECT author, total FROM s WHERE total = (SELECT max(total) FROM s)",
        "author",
    ),
    Case(
        "above_twice_the_mean",
        "SELECT author, sum(score) AS total FROM posts GROUP BY author HAVING (SELECT avg(score) * 2 FROM posts) < sum(score)",
        "author",
    ),
    Case(
        "above_a_mean_in_with",
        "WITH a AS (SELECT avg(score) AS mean FROM posts), b AS (SELECT mean * 2 AS twice FROM a) "
        "SELECT p.id, p.score FROM posts p CROSS JOIN a WHERE p.score > a.mean OR p.score = (SELECT twice FROM b)",
        "id",
        support=True,
    ),
    Case(
        "between_two_figures",
        "SELECT p.id FROM (SELECT min(author) AS lo, max(author) AS hi FROM posts) m "
        "JOIN posts p ON p.score BETWEEN m.lo AND m.hi",
        "id",
        support=True,
    ),
    Case(
        "all_but_the_best",
        "SELECT id FROM posts WHERE score <> (SELECT max(score) FROM posts)",
        "id",
        support=True,
    ),
    Case(
        "high_and_low",
        "SELECT u.id, p.id AS post, CASE WHEN p.score > a.mean THEN 'high' WHEN p.score IS DISTINCT FROM a.least THEN 'low' END "
        "AS how FROM users u JOIN posts p ON p.author = u.id, (SELECT avg(score) AS mean, min(score) AS least FROM posts) a",
        ("id", "post"),
        support=True,
    ),
    Case(
        "groups_high_and_low",
        "SELECT author, CASE WHEN sum(score) >= a.mean THEN 'high' ELSE 'low' END AS how FROM posts, "
        "(SELECT avg(score) AS mean FROM posts) a GROUP BY author, a.mean HAVING count(*) > 1 OR max(score) < a.mean",
        "author",
    ),
    Case(
        "arrays_of_subqueries",
        "SELECT id, region = ANY (ARRAY(SELECT score FROM posts p WHERE p.author = u.id)) AS one, "
        "ARRAY[(SELECT b.name FROM users b WHERE b.id = u.boss), name] AS names, "
        "cardinality(ARRAY(SELECT 1 FROM posts p WHERE p.author = u.id)) AS posts, "
        "(ARRAY(SELECT p.id FROM posts p WHERE p.author = u.id ORDER BY p.id))[1] AS first FROM users u "
        "WHERE id <> ALL (ARRAY(SELECT f.a FROM follows f WHERE f.b = u.region))",
        "id",
        "postgres",
    ),
    Case("key_by_equality", "SELECT u.id, f.b, f.live FROM users u JOIN follows f ON f.a = u.id"),
    Case(
        "union_in_from",
        "SELECT who, what FROM (SELECT author AS who, state AS what FROM posts UNION SELECT boss, name FROM users) x "
        "WHERE who > 1",
    ),
    Case(
        "one_row_of_figures",
        "SELECT (SELECT count(*) FROM users) AS users, (SELECT sum(score) FROM posts WHERE state = 'a') AS score",
        klass="linear",
    ),
    Case(
        "a_row_of_figures_or_none",
        "SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM posts) AS n HAVING (SELECT count(*) FROM posts) > 9",
        None,
        "postgres",
        klass="global",
    ),
    Case(
        "two_rows_beside_each_other",
        "SELECT a.n AS users, b.n AS posts FROM (SELECT count(*) AS n FROM users) a, (SELECT count(*) AS n FROM posts) b",
        klass="global",
    ),
    Case("different_counts", "SELECT DISTINCT count(*) AS n FROM posts GROUP BY author", klass="global"),
    Case(
        "subtotals_of_what_is_there",
        "SELECT a, b, count(*) AS n FROM follows GROUP BY GROUPING SETS ((a, b), a, b, ())",
        None,
        "postgres",
        klass="global",
    ),
    Case(
        "subtotals_by_name",
        "SELECT upper(name) AS label, region, grouping(upper(name), region) AS level, count(*) AS n FROM users "
        "GROUP BY ROLLUP (label, region)",
        None,
        "postgres",
        klass="bilinear",
    ),
    Case(
        "subtotals_of_truths",
        "SELECT grouping(lives, a) AS g, lives, a, count(*) AS n FROM (SELECT live = 1 AS lives, a FROM follows) x "
        "GROUP BY ROLLUP (lives, a)",
        ("g", "lives", "a"),
        "postgres",
        klass="global",
    ),
    Case(
        "subtotals_beside",
        "SELECT a, good, grouping(good) AS g, count(*) AS n FROM (SELECT author AS a, score > 2 AS good FROM posts) x "
        "GROUP BY a, ROLLUP (good)",
        ("a", "good", "g"),
        "postgres",
    ),
    Case(
        "different_of_subtotals",
        "SELECT DISTINCT author, count(*) AS n FROM posts GROUP BY CUBE (author, state)",
        ("author", "n"),
        "postgres",
        klass="global",
    ),
    Case(
        "share_of_subtotals",
        "SELECT author, state, grouping(author, state) AS level, count(*) AS n, rank() OVER w AS place, "
        "count(*) * 100 / sum(count(*)) OVER (PARTITION BY author) AS share FROM posts GROUP BY ROLLUP (author, state) "
        "WINDOW w AS (PARTITION BY grouping(author, state) ORDER BY count(*) DESC)",
        ("level", "author", "state"),
        "postgres",
        klass="global",
    ),
    Case(
        "first_of_subtotals",
        "SELECT DISTINCT ON (author) author, state, count(*) AS n FROM posts WHERE author IS NOT NULL "
        "GROUP BY author, ROLLUP (state) ORDER BY author, count(*), state",
        "author",
        "postgres",
    ),
    Case(
        "few_subtotals",
        "SELECT x.label, x.n FROM (SELECT upper(state) AS label, count(*) AS n FROM posts WHERE state IS NOT NULL "
        "GROUP BY CUBE (label) ORDER BY n DESC, label LIMIT 2) x",
        "label",
        "postgres",
        klass="global",
    ),
    Case(
        "with_schema",
        "SELECT author, pg_catalog.count(*) AS n, pg_catalog.string_agg(state, ',' ORDER BY id) AS states, "
        "pg_catalog.upper(max(state)) AS last FROM posts GROUP BY author",
        None,
        "postgres",
    ),
    Case(
        "figures",
        "SELECT 'users' AS figure, count(*) AS n FROM users UNION ALL SELECT 'posts', count(*) FROM posts",
        klass="bilinear",
    ),
    Case(
        "pairs_of_groups",
        "SELECT a.author, b.author AS other, a.n, b.n AS m FROM (SELECT author, count(*) AS n FROM posts GROUP BY author) a "
        "JOIN (SELECT author, count(*) AS n FROM posts GROUP BY author) b ON b.n = a.author",
        ("author", "other"),
    ),
    Case(
        "each_once",
        "SELECT region, boss, grouping(region, boss) AS g, count(*) AS n FROM users GROUP BY DISTINCT ROLLUP (region), "
        "ROLLUP (region, boss)",
        ("g", "region", "boss"),
        "postgres",
        klass="bilinear",
    ),
    Case(
        "named_alike",
        "SELECT grouping(region) AS g, coalesce(region, 0) AS region, count(*) AS n FROM users GROUP BY ROLLUP (region)",
        ("g", "region"),
        "postgres",
        klass="global",
    ),
    Case(
        "constants_in_groups",
        "SELECT author, 3 AS c, sum(score) AS s FROM posts GROUP BY 1, 2 "
        "UNION SELECT boss, count(*), sum(region) FROM users GROUP BY 1",
    ),
    Case(
        "constants_alone",
        "SELECT u.id, x.c FROM users u LEFT JOIN (SELECT 5 AS c, count(*) AS n FROM tags GROUP BY c) x ON x.n = u.region",
        klass="global",
    ),
    Case("one_group", "SELECT 'all' AS name, max(score) AS best FROM posts GROUP BY 1", klass="linear"),
    Case(
        "one_group_of_all",
        "SELECT count(*) AS n FROM tags WHERE post > 4 GROUP BY ()",
        engine="postgres",
        klass="linear",
    ),
    Case("one_group_of_nothing", "SELECT 1 AS one FROM posts WHERE score > 3 GROUP BY 1", klass="linear"),
    Case(
        "first_by_name",
        "SELECT DISTINCT ON (id, 2) author AS id, state, score FROM posts ORDER BY id, 2, score DESC",
        ("id", "state"),
        "postgres",
    ),
    Case(
        "grouped_by_the_inner_side",
        "SELECT x.k, x.n, t.tag FROM (SELECT u.id AS k, count(DISTINCT p.score) AS n FROM "
        "(SELECT DISTINCT score FROM posts) p LEFT JOIN users u ON u.id = p.score GROUP BY 1) x JOIN tags t ON t.post = x.n",
        klass="global",
    ),
    Case(
        "padded_behind_a_join",
        "SELECT f.b, u.id, e.k FROM follows f JOIN users u ON f.b = u.id "
        "FULL JOIN (SELECT region AS k, count(*) AS n FROM users GROUP BY 1) e ON u.boss = e.n",
    ),
    Case("cut_alike", "SELECT tag, post FROM tags ORDER BY 1, post DESC LIMIT 4"),
    Case(
        "padded_beside_a_list",
        "SELECT sum(f.a) OVER (PARTITION BY f.a) AS n, f.a, f.b, s.boss FROM (SELECT DISTINCT boss FROM users) s "
        "FULL JOIN follows f ON s.boss = f.a",
    ),
    Case(
        "rolled_up_and_combined",
        "SELECT id, max(region) AS m FROM users GROUP BY 1 EXCEPT SELECT author, score FROM posts GROUP BY ROLLUP (1, 2)",
        engine="postgres",
        klass="global",
    ),
    Case(
        "elements_of_groups",
        "SELECT s.score, count(*) AS n FROM (SELECT author, array_agg(score ORDER BY id) AS every FROM posts GROUP BY author) d, "
        "unnest(d.every) s(score) GROUP BY s.score",
        engine="postgres",
        klass="linear",
    ),
    Case(
        "constants_of_a_stage",
        "SELECT x.m, min(x.z) AS z, count(*) AS n FROM (SELECT 'z' AS z, author, max(score) AS m FROM posts GROUP BY author) x "
        "GROUP BY x.m",
        klass="linear",
    ),
    Case(
        "by_name_in_parentheses",
        "SELECT id, f.a, f.b, u.name, p.score FROM follows f JOIN (users u LEFT JOIN posts p USING (id)) ON f.a = id",
    ),
    Case("joined_under_a_name", "SELECT x.id, x.name, x.score FROM (users JOIN posts USING (id)) AS x"),
    Case(
        "stars_by_place",
        "SELECT * FROM (SELECT region, id FROM users) x JOIN (SELECT score, id FROM posts) y USING (id) "
        "UNION ALL SELECT live, a, b FROM follows",
    ),
    Case(
        "groups_of_a_text_beside_another_type",
        "SELECT 'it ' AS r, max(id) AS m FROM users GROUP BY 1 UNION ALL SELECT CAST(name AS char(3)), id FROM users "
        "UNION ALL SELECT NULL AS r, min(id) FROM posts GROUP BY r",
        engine="postgres",
        klass="global",
    ),
    Case(
        "names_as_far_as_joined",
        "SELECT f.a, f.b, p.id, u.region FROM follows f JOIN posts p ON score = b "
        "RIGHT JOIN (SELECT id, id AS score, region FROM users) u ON u.id = f.a",
        engine="postgres",
    ),
    Case(
        "stars_in_parentheses",
        "SELECT * FROM ((SELECT region, id FROM users) x JOIN (SELECT score, id FROM posts) y USING (id)) AS z "
        "UNION ALL SELECT live, a, b FROM follows",
    ),
    Case(
        "by_name_in_two_parentheses",
        "SELECT id, f.a, f.b, u.name, p.score FROM follows f JOIN ((users u FULL JOIN posts p USING (id))) ON f.a = id",
    ),
    Case(
        "groups_first_in_parentheses",
        "SELECT x.author, x.n, u.id FROM ((SELECT author, count(*) AS n FROM posts GROUP BY author) x "
        "JOIN users u ON u.region = x.author)",
    ),
    Case(
        "list_first_in_parentheses",
        "SELECT v.column1 AS k, p.id FROM ((VALUES (1), (2), (NULL)) AS v JOIN posts p ON p.author = v.column1)",
        ("k", "id"),
    ),
    Case(
        "groups_of_null_on_either_side",
        "SELECT s.n, t.m FROM (SELECT region, count(*) AS n FROM users GROUP BY region) s "
        "FULL JOIN (SELECT author, count(*) AS m FROM posts GROUP BY author) t ON t.author = s.region",
    ),
)
